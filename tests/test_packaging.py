"""The wheel and the sdist: what they carry, what they leave out, and that the course comes out."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import nbformat
import pytest
import yaml
from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from packaging.version import Version

import normlab
from normlab.grading.class_.release import release

ROOT = Path(__file__).parent.parent
LICENCES = (
    "LICENSE",
    "LICENSE-TEXT.md",
    "normlab/data/mnist/README.md",
    "normlab/data/help/README.md",
)
MNIST = tuple(
    f"normlab/data/mnist/{part}-ubyte.gz"
    for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
)


def build(source, out):
    """Build a wheel and an sdist, with what is installed: nothing is fetched."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(out)],
        cwd=source,
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def wheel(built):
    """Return the wheel's files: the content by name."""
    with zipfile.ZipFile(built[0]) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def unpacked(built, tmp_path_factory):
    """Return the folder of the unpacked sdist."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(built[1]) as archive:
        archive.extractall(folder, filter="data")
    (top,) = folder.iterdir()
    return top


def files_below(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def files_of_the_package():
    names = {f"normlab/{name}" for name in files_below(ROOT / "normlab")}
    return {name for name in names if "__pycache__" not in name and "/." not in name}


def notebooks():
    folders = ("notebooks", "exercises")
    return [path for folder in folders for path in sorted((ROOT / folder).glob("*.ipynb"))]


# ---- what they carry


def test_the_wheel_is_the_package_and_the_course_and_no_more(wheel):
    course = {f"normlab/course/{path.parent.name}/{path.name}" for path in notebooks()}
    inside = {name for name in wheel if ".dist-info/" not in name}
    assert inside == files_of_the_package() | course


def test_the_wheels_notebooks_are_those_of_the_course(wheel):
    assert notebooks()
    for path in notebooks():
        packed = wheel[f"normlab/course/{path.parent.name}/{path.name}"]
        assert packed == path.read_bytes(), path.name


def test_the_wheel_carries_mnist(wheel):
    for name in MNIST:
        assert wheel[name] == (ROOT / name).read_bytes(), name


def test_the_wheel_carries_the_licences(wheel):
    info = next(name for name in wheel if name.endswith(".dist-info/METADATA")).rpartition("/")[0]
    for name in LICENCES:
        assert wheel[f"{info}/licenses/{name}"] == (ROOT / name).read_bytes(), name
    metadata = Parser().parsestr(wheel[f"{info}/METADATA"].decode())
    assert metadata["License-Expression"] == "MIT AND CC-BY-4.0 AND CC-BY-SA-3.0 AND PSF-2.0"
    assert set(metadata.get_all("License-File")) == set(LICENCES)


def test_the_sdist_is_what_students_get(unpacked, tmp_path):
    """`normlab release` takes its whole list from it, and finds no trace of a solution in it."""
    released = {path.as_posix() for path in release(unpacked, tmp_path / "bundle")}
    assert {*MNIST, *LICENCES} < released
    assert files_below(unpacked) - released == {"CITATION.cff", "PKG-INFO", ".gitignore"}
    # And it is all of the checkout that release would take.
    assert released == {path.as_posix() for path in release(ROOT, tmp_path / "from the checkout")}


def test_no_solution_is_in_the_wheel(wheel):
    assert not [name for name in wheel if "solution" in name.lower()]
    exercises = [name for name in wheel if name.startswith("normlab/course/exercises/")]
    for name in exercises:
        for cell in json.loads(wheel[name])["cells"]:
            source = "".join(cell["source"])
            assert "BEGIN SOLUTION" not in source, name
            if cell["metadata"].get("nbgrader", {}).get("solution"):
                assert "NotImplementedError" in source, name


def test_the_sdist_makes_the_same_wheel(unpacked, wheel, tmp_path):
    with zipfile.ZipFile(build(unpacked, tmp_path)[0]) as archive:
        assert set(archive.namelist()) == set(wheel)


# ---- a clean folder


PROGRAM = """
import os, sys
target, others, root = sys.argv[1:]
sys.path[:0] = [target]
sys.path.append(others)  # added by hand: what its .pth files name, this clone, stays outside
import normlab
assert normlab.__file__.startswith(target), normlab.__file__
assert not [folder for folder in sys.path if os.path.realpath(folder) == os.path.realpath(root)]

from normlab.cli import lab
from normlab.cli.main import main

def no_jupyterlab(course, *options):
    sys.exit(f"would open {course / lab.FIRST_LESSON}")

lab.start_jupyterlab = no_jupyterlab
sys.argv = ["normlab", "lab", "--no-browser"]
main()
"""


def test_an_installed_wheel_copies_the_course_and_opens_lesson_00(built, tmp_path):
    target, home = tmp_path / "site", tmp_path / "home"
    home.mkdir()
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-index", "--no-deps", "--no-compile", "--target", str(target), str(built[0])),
        ],
        check=True,
    )
    first, second = (start_lab(target, home) for _ in range(2))
    assert first.stdout == f"Copied the course to {home}: {len(notebooks())} notebooks.\n"
    assert second.stdout == ""
    for run in (first, second):
        assert run.stderr == f"would open {home / 'notebooks' / '00_start_here.ipynb'}\n"
    assert files_below(home) == {path.relative_to(ROOT).as_posix() for path in notebooks()}


def start_lab(target, home):
    """Run ``normlab lab`` of an installed wheel, up to the start of JupyterLab."""
    others = sysconfig.get_path("purelib")
    return subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", PROGRAM, str(target), others, str(ROOT)],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )


# ---- how to cite it


def test_the_citation_file_agrees_with_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert citation["cff-version"] == "1.2.0"
    # The version is the last tag, and the number of commits since; between two tags, the next one.
    assert Version(citation["version"]).release[:2] == Version(normlab.__version__).release[:2]
    assert project["dynamic"] == ["version"]
    assert citation["authors"] == project["authors"]
    assert {"message", "title"} <= set(citation)


# ---- Google Colab, where the notebook is and the package is not


def environment(folder, left_out=("normlab",)):
    """Make an environment that has what is installed here, but for some: return its Python.

    Returns
    -------
    tuple of str and Path
        Its Python, and the folder in which the others are, as links.
    """
    venv.create(folder / "env", symlinks=os.name != "nt")
    others = folder / "others"
    others.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not any(name in path.name for name in left_out):
            (others / path.name).symlink_to(path)
    variables = {"base": str(folder / "env"), "platbase": str(folder / "env")}
    site = Path(sysconfig.get_path("purelib", "venv", vars=variables))
    (site / "others.pth").write_text(f"{others}\n")
    return sysconfig.get_path("scripts", "venv", vars=variables) + "/python", others


@pytest.fixture(scope="module")
def without_normlab(tmp_path_factory):
    return environment(tmp_path_factory.mktemp("colab"))[0]


def claim(others, name, version, *needs):
    """Let an environment say that it has this version of a package."""
    for path in others.glob(f"{name}-*.dist-info"):
        path.unlink()
    (others / f"{name}-{version}.dist-info").mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {need}" for need in needs]
    (others / f"{name}-{version}.dist-info" / "METADATA").write_text("\n".join(lines) + "\n")
    (others / f"{name}-{version}.dist-info" / "INSTALLER").write_text("pip\n")


@pytest.mark.skipif(os.name == "nt", reason="makes symbolic links")
@pytest.mark.parametrize("torch", ["2.9.1+cu126", "2.14.1"])
def test_colabs_own_torch_and_numpy_stay(built, tmp_path, monkeypatch, torch):
    """The first cell, where torch and numpy are of other releases and others count on them."""
    python, others = environment(tmp_path, left_out=("normlab", "jupyterlab-"))
    claim(others, "torch", torch)
    claim(others, "numpy", "2.0.2")
    claim(others, "torchvision", "0.24.1", f"torch=={torch}", "numpy==2.0.2")
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # whatever pip wanted in their place, it would not find
    monkeypatch.delenv("PYTHONPATH", raising=False)
    before = files_below(tmp_path / "env") | {path.name for path in others.iterdir()}
    shutil.copy(built[0], tmp_path)
    lesson = nbformat.read(ROOT / "notebooks" / "00_start_here.ipynb", as_version=4)
    first = next(cell for cell in lesson.cells if cell.cell_type == "code")
    versions = nbformat.v4.new_code_cell(
        "import normlab\nfrom importlib.metadata import version\n"
        "print(version('torch'), version('numpy'), normlab.__file__)"
    )
    _, printed = run(nbformat.v4.new_notebook(cells=[first, versions]), python, tmp_path).cells
    assert printed.outputs[0].text.split()[:2] == [torch, "2.0.2"]
    assert str(tmp_path / "env") in printed.outputs[0].text
    added = (files_below(tmp_path / "env") | {path.name for path in others.iterdir()}) - before
    assert added
    assert not [path for path in added if "normlab" not in path and "/__pycache__/" not in path]


@pytest.mark.skipif(os.name == "nt", reason="makes symbolic links")
def test_a_notebook_installs_the_package_where_it_is_missing(
    built, without_normlab, tmp_path, monkeypatch
):
    probe = [without_normlab, "-c", "import ipykernel, torch, normlab"]
    missing = subprocess.run(probe, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert missing.stderr.endswith("ModuleNotFoundError: No module named 'normlab'\n")

    monkeypatch.setenv("PIP_NO_INDEX", "1")  # all else that the wheel needs is there
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.setenv("NORMLAB_PROGRESS", "")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    notebook = nbformat.read(ROOT / "notebooks" / "02_batch_norm_forward.ipynb", as_version=4)
    with pytest.raises(CellExecutionError, match="put its wheel beside this notebook"):
        run(notebook, without_normlab, tmp_path)

    shutil.copy(built[0], tmp_path)
    notebook.cells.append(nbformat.v4.new_code_cell("import normlab\nprint(normlab.__file__)"))
    printed = run(notebook, without_normlab, tmp_path).cells[-1]
    assert str(Path(without_normlab).parents[1]) in printed.outputs[0].text


def run(notebook, python, folder):
    """Execute a notebook in a folder, by the kernel of another Python."""
    manager = KernelManager()
    manager._kernel_spec = KernelSpec(
        argv=[python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        language="python",
    )
    resources = {"metadata": {"path": str(folder)}}
    copied = nbformat.from_dict(notebook)
    client = NotebookClient(copied, km=manager, timeout=120, resources=resources)
    client.coalesce_streams = True
    return client.execute()
