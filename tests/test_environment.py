"""What is promised of the project as a whole: pins, layers, import time."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Each room of the package knows only those after it.
ROOMS = (
    *("cli", "grading", "exercises", "tasks", "parity", "checkup", "claims"),
    *("training", "plots", "data", "nn"),
)
MODULES = sorted((ROOT / "normlab").rglob("*.py"))


def pins(lines):
    found = (re.fullmatch(r"\s*-?\s*([A-Za-z0-9_.-]+)==(\S+)", line.rstrip()) for line in lines)
    return {match[1].lower(): match[2] for match in found if match}


def constraints():
    return pins((ROOT / "constraints.txt").read_text().splitlines())


def test_conda_and_pip_install_the_same_versions():
    conda = pins((ROOT / "environment.yml").read_text().splitlines())
    assert conda
    assert conda == {name: constraints().get(name) for name in conda}


def test_conda_installs_all_that_the_package_needs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.match(r"[A-Za-z0-9_-]+", entry)[0].lower() for entry in project["dependencies"]}
    conda = pins((ROOT / "environment.yml").read_text().splitlines())
    assert set(conda) == needed


def test_every_dependency_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    entries = project["dependencies"] + extras["dev"] + extras["site"]
    for entry in entries:
        assert re.match(r"[A-Za-z0-9_-]+", entry)[0].lower() in constraints(), entry


def test_torch_is_asked_for_exactly():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "torch==2.13.0" in project["dependencies"]
    assert constraints()["torch"] == "2.13.0"


def imported_rooms(path):
    for node in ast.walk(ast.parse(path.read_text())):
        modules = []
        if isinstance(node, ast.ImportFrom) and node.module == "normlab":
            modules = [f"normlab.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        yield from (name.split(".")[1] for name in modules if name.startswith("normlab."))


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if path.parent.name != "normlab"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_a_room_knows_only_the_rooms_below_it(path):
    room = path.relative_to(ROOT / "normlab").parts[0]
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
        "import normlab",
        "import normlab.cli.main",
        "import normlab; normlab.load_mnist()",
        "import normlab.nn",
        "import normlab; normlab.check",
    ],
)
def test_torch_is_not_imported_before_it_is_needed(code):
    program = f"import sys; {code}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_importing_normlab_is_quick():
    """Quick means: it imports nothing but the standard library, so there is nothing to wait for."""
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
