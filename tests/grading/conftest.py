"""Submissions to grade, and a grader that stands in for the real one."""

import importlib.util
import json
import os
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

from normlab.cli.main import normlab
from normlab.grading import Grader, NoIsolation, best_isolation
from normlab.grading.class_ import pool
from normlab.grading.prison.isolation import no_isolation

sys.path.insert(0, str(Path(__file__).parent))  # `hostile` is no test
import hostile

# Attacks, for the grader alone: nbval would run them in the kernel of the tests.
collect_ignore = ["cases"]

STAND_IN = Path(__file__).parent / "stand_in.py"


@pytest.fixture(scope="session")
def use_stand_in():
    """Return a function that puts the stand-in in a grader's place, in any process."""

    def use(path=str(STAND_IN)):
        spec = importlib.util.spec_from_file_location("stand_in", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.use()

    return use


@pytest.fixture
def stand_in(monkeypatch, use_stand_in):
    """Let the grading processes have the stand-in."""
    monkeypatch.setattr(pool, "open_grader", pool.open_grader)  # put back afterwards
    use_stand_in()


@pytest.fixture(scope="session")
def write_notebook():
    """Return a function that writes a notebook of a few cells."""

    def write(path, *cells):
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "cells": [
                {
                    "cell_type": "code",
                    "execution_count": None,
                    "id": f"cell-{number}",
                    "metadata": {},
                    "outputs": [],
                    "source": source,
                }
                for number, source in enumerate(cells)
            ],
            "metadata": {},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def a_class(write_notebook):
    """Return a function that writes a folder of submissions: two exercises of some students."""

    def write(folder, students=6):
        for number in range(students):
            student = folder / f"student{number:02d}"
            write_notebook(student / "02_batch_norm_forward.ipynb", f"# work {number}")
            if number % 3:
                write_notebook(student / "06_layer_norm.ipynb", f"# other work {number}")
        return folder

    return write


@pytest.fixture(scope="session")
def isolated():
    """Leave a test out where submissions cannot be isolated."""
    try:
        best_isolation()
    except NoIsolation as refusal:
        pytest.skip(str(refusal))


@pytest.fixture(scope="module")
def grader(request):
    """Return a grader with the limits of the module, where it has some."""
    try:
        isolation = best_isolation()
    except NoIsolation:
        isolation = no_isolation()
    with Grader(7, getattr(request.module, "LIMITS", None), isolation) as one:
        yield one


@pytest.fixture
def grade(grader, request, tmp_path, write_notebook):
    """Return a function that grades cells, behind what the module's notebooks import."""
    first = getattr(request.module, "IMPORTS", ())

    def run(*cells):
        path = write_notebook(tmp_path / "nb.ipynb", *first, *map(textwrap.dedent, cells))
        return grader.grade(path, hostile.EXERCISE)

    return run


@pytest.fixture(scope="module")
def hostile_grader():
    with Grader(7, hostile.LIMITS) as one:
        yield one


@pytest.fixture(scope="module")
def impatient_grader():
    with Grader(7, hostile.IMPATIENT) as one:
        yield one


@pytest.fixture
def attack(hostile_grader, request, tmp_path, write_notebook):
    """Return a function that grades cells, and then a right notebook: nothing may be left over."""
    right = hostile.VECTORS, hostile.LINEAR, hostile.LAST_TWO
    neighbour = write_notebook(tmp_path / "neighbour" / "nb.ipynb", *right)

    def run(*cells, grader=hostile_grader):
        path = write_notebook(tmp_path / "hostile" / "nb.ipynb", *map(textwrap.dedent, cells))
        verdict = grader.grade(path, hostile.EXERCISE)
        assert [task.task for task in verdict.tasks] == list(hostile.NAMES)
        assert grader.grade(neighbour, hostile.EXERCISE).score == 40
        return verdict

    def endless(*cells):
        return run(*cells, grader=request.getfixturevalue("impatient_grader"))

    run.endless = endless
    return run


@pytest.fixture
def open_folder():
    """Return a folder that any user reaches: nothing but the isolation protects what is in it."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


@pytest.fixture
def normlab_command(stand_in):
    """Return the command line in this process, with the stand-in for a grader."""

    def run(*arguments):
        return CliRunner().invoke(normlab, [str(argument) for argument in arguments])

    return run
