"""What a reader is promised: short functions, docstrings with shapes, errors and source, NumPy."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from releases import NORMS_TAKE_BIAS

from normlab import nn

FOLDER = Path(nn.__file__).parent
FILES = sorted(FOLDER.glob("*.py"))
# Where the mathematics is; the other modules keep the books.
MATHEMATICS = ("functional", "vectors", "parametrizations", "sync")
# Records of what a function returns, or the sum of its parts: nothing to raise and no source.
RECORDS = {
    "Context",
    "Gradients",
    "Standardized",
    "Statistics",
    "StatisticsGradients",
    "WeightNormGradients",
}


def public_functions() -> list[tuple[str, object]]:
    found = []
    for name in MATHEMATICS:
        module = importlib.import_module(f"normlab.nn.{name}")
        for key, value in vars(module).items():
            inspected = inspect.isfunction(value) or inspect.isclass(value)
            if inspected and value.__module__ == module.__name__ and not key.startswith("_"):
                found.append((f"{name}.{key}", value))
    return found


LAYERS = [
    getattr(nn, name)
    for name in nn.__all__
    if inspect.isclass(getattr(nn, name)) and name != "Module"
]


def body_lines(function: ast.FunctionDef) -> int:
    statements = function.body
    if ast.get_docstring(function) is not None:
        statements = statements[1:]
    return statements[-1].end_lineno - statements[0].lineno + 1 if statements else 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_function_is_longer_than_thirty_lines(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert all(body_lines(function) <= 30 for function in functions), {
        function.name: body_lines(function) for function in functions
    }


def test_the_layers_can_be_read_in_one_sitting():
    lines = sum(
        len((FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines())
        for name in ("functional", "vectors")
    )
    assert lines <= 820


@pytest.mark.parametrize(("name", "value"), public_functions())
def test_docstring_of_the_mathematics(name, value):
    text = inspect.getdoc(value)
    assert "(" in text or "shape" in text, "no shapes"
    if name.split(".")[1] in RECORDS:
        return
    assert re.search(r"\b(19|20)\d\d\b|`torch", text), "no source"
    assert re.search(r"Raises|Error|errors\s+are\s+those\s+of|errors\s+are", text), "no errors"


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.__name__)
def test_docstring_of_a_layer(layer):
    text = inspect.getdoc(layer)
    assert re.search(r"\(\.*,? ?[NC*]", text), "no shapes"
    assert "`torch" in text, "no source"
    assert "Raises" in text or re.search(r"errors are( those)? of `\w+1d`|errors\s+are", text)


def test_every_norm_has_its_backward():
    functions = vars(nn.functional)
    norms = [name for name in functions if name.endswith("_norm") or name == "normalize"]
    assert len(norms) == 7
    for name in norms:
        assert f"{name}_backward" in functions


def test_signatures_are_torchs():
    import torch

    for name in (n for n in vars(nn.functional) if n.endswith("_norm") or n == "normalize"):
        theirs = inspect.signature(getattr(torch.nn.functional, name)).parameters
        ours = inspect.signature(getattr(nn.functional, name)).parameters
        ours = {key: value for key, value in ours.items() if key != "ctx"}
        assert list(ours) == list(theirs)
        for key, value in theirs.items():
            assert ours[key].default == value.default, (name, key)
    for layer in LAYERS:
        if hasattr(torch.nn, layer.__name__):
            theirs = inspect.signature(getattr(torch.nn, layer.__name__)).parameters
            ours = inspect.signature(layer).parameters
            if not NORMS_TAKE_BIAS and "bias" not in theirs:
                ours = {key: value for key, value in ours.items() if key != "bias"}
            assert [(k, v.kind, v.default) for k, v in ours.items()] == [
                (k, v.kind, v.default) for k, v in theirs.items()
            ]


def test_numpy_alone():
    code = "import sys, normlab.nn; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(loaded.stdout.split())
    assert "numpy" in loaded
    assert not loaded & {"torch", "scipy", "matplotlib", "pandas", "hypothesis"}
