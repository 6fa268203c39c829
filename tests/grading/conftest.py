"""Submissions to grade, and a grader that stands in for the real one."""

import importlib.util
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from normlab.cli.main import normlab
from normlab.grading.class_ import pool

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


@pytest.fixture
def normlab_command(stand_in):
    """Return the command line in this process, with the stand-in for a grader."""

    def run(*arguments):
        return CliRunner().invoke(normlab, [str(argument) for argument in arguments])

    return run
