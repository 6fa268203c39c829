"""What is promised of the project as a whole: pins, layers, import time."""

import ast
import itertools
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parent.parent

# Each room of the package knows only those after it.
ROOMS = (
    *("cli", "grading", "grading.class_", "grading.judge", "grading.prison"),
    *("exercises", "tasks", "parity", "checkup", "claims"),
    *("training", "plots", "data", "nn"),
)
MODULES = sorted((ROOT / "normlab").rglob("*.py"))


def pins(lines):
    found = (re.fullmatch(r"\s*-?\s*([A-Za-z0-9_.-]+)==(\S+)", line.rstrip()) for line in lines)
    return {canonical(match[1]): match[2] for match in found if match}


def canonical(name):
    """Write a package's name as indices compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def constraints():
    return pins((ROOT / "constraints.txt").read_text().splitlines())


def test_conda_and_pip_install_the_same_versions():
    conda = pins((ROOT / "environment.yml").read_text().splitlines())
    assert conda
    assert conda == {name: constraints().get(name) for name in conda}


def names(entries):
    return {canonical(re.match(r"[A-Za-z0-9_-]+", entry)[0]) for entry in entries}


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_conda_installs_what_a_learner_needs_and_what_tests_the_notebooks():
    needed = names(project()["dependencies"]) | names(project()["optional-dependencies"]["lab"])
    conda = pins((ROOT / "environment.yml").read_text().splitlines())
    assert set(conda) == needed | {"nbval", "pytest"}


def test_every_dependency_is_pinned():
    extras = project()["optional-dependencies"].values()
    for name in names(itertools.chain(project()["dependencies"], *extras)):
        assert name in constraints(), name


def test_torch_is_a_range_for_the_package_and_one_release_for_the_committed_outputs():
    assert "torch>=2.9" in project()["dependencies"]
    assert constraints()["torch"] == "2.13.0"


def test_the_makefile_and_the_package_take_the_same_pythons():
    low, high = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project()["requires-python"]).groups()
    assert f"(3, {low}) <= sys.version_info < (3, {high})" in (ROOT / "Makefile").read_text()


def test_the_workflow_calls_make_test_on_three_systems():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())
    job = workflow["jobs"]["test"]
    assert {entry["system"].split("-")[0] for entry in job["strategy"]["matrix"]["include"]} == {
        *("ubuntu", "macos", "windows"),
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    supported = SpecifierSet(project["requires-python"])
    for entry in job["strategy"]["matrix"]["include"]:
        assert entry["python"] in supported
    assert any(step.get("run", "").startswith("make test") for step in job["steps"])


def test_the_package_is_imported_without_jupyterlab():
    """The core is lean: what `normlab lab` needs is an extra, and nothing else asks for it."""
    program = (
        "import sys; sys.modules['jupyterlab'] = sys.modules['jupyter_server'] = None\n"
        "import normlab, normlab.cli.main, normlab.exercises, normlab.grading, normlab.plots\n"
        "from normlab.cli.lab import start_jupyterlab\n"
        "import click, pathlib\n"
        "try: start_jupyterlab(pathlib.Path(), 0, False)\n"
        "except click.ClickException as error: print(error.message)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert "normlab[lab]" in run.stdout


def test_make_update_writes_every_pin():
    update = runpy.run_path(str(ROOT / "source" / "update_pins.py"))
    old = (ROOT / "constraints.txt").read_text()
    newer = {name: f"{version}.1" for name, version in constraints().items()}
    written = update["constraints"](old, newer)
    assert written.startswith(old.split("\n", 1)[0])
    assert pins(written.splitlines()) == newer
    conda = update["conda"]((ROOT / "environment.yml").read_text(), newer)
    assert pins(conda.splitlines()).items() <= newer.items()
    assert "normlab" not in update["installed"]()
    assert update["installed"]()["torch"] == torch.__version__.partition("+")[0]


def test_the_package_says_that_it_has_types():
    assert (ROOT / "normlab" / "py.typed").exists()


def imported_rooms(path):
    for node in ast.walk(ast.parse(path.read_text())):
        modules = []
        if isinstance(node, ast.ImportFrom) and node.module == "normlab":
            modules = [f"normlab.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        yield from (room_of(name.split(".")[1:]) for name in modules if name[:8] == "normlab.")


def room_of(parts):
    """Name the room of a module: grading has three, and what is said of it as a whole."""
    inner = ".".join(parts[:2])
    return inner if inner in ROOMS else parts[0]


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if path.parent.name != "normlab"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_a_room_knows_only_the_rooms_below_it(path):
    room = room_of(path.relative_to(ROOT / "normlab").parts)
    for other in imported_rooms(path):
        if other in ROOMS:
            assert ROOMS.index(other) >= ROOMS.index(room), f"{room} imports {other}"


def test_nn_needs_numpy_alone():
    for path in (ROOT / "normlab" / "nn").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module]
            else:
                continue
            for name in names:
                top = name.split(".")[0]
                assert top in {"normlab", "numpy"} or top in sys.stdlib_module_names, path


@pytest.mark.parametrize(
    "code",
    [
        "import normlab.cli.main",
        "import normlab; normlab.load_mnist()",
    ],
)
def test_torch_is_not_imported_before_it_is_needed(code):
    program = f"import sys; {code}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_importing_normlab_is_quick():
    """Quick means: it imports neither NumPy nor torch, so there is little to wait for."""
    program = "import sys, normlab; print([m for m in ('numpy', 'torch') if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_the_public_names_are_there():
    import normlab

    assert all(getattr(normlab, name) is not None for name in normlab.__all__)
    assert set(normlab.__all__) == set(dir(normlab))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = normlab.nothing


def test_no_two_classes_of_the_package_have_one_name():
    """Nobody has to ask which one is meant; a task's models are named for learners."""
    rooms = [path for path in MODULES if "tasks" not in path.relative_to(ROOT).parts]
    classes = [
        node.name
        for path in rooms
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    ]
    # Line: a line of the panel under a check, and a line of a learner's progress.
    assert {name for name in classes if classes.count(name) > 1} <= {"Line"}


def lines_of(function):
    """Count a function's lines, without its docstring and what decorates it."""
    documented = ast.get_docstring(function, clean=False) is not None
    docstring = function.body[0].end_lineno - function.body[0].lineno + 1 if documented else 0
    return function.end_lineno - function.lineno + 1 - docstring


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_and_its_functions_can_be_read_in_one_sitting(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 700
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    assert [each.name for each in functions if lines_of(each) > 60] == []
