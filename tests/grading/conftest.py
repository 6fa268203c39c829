"""Submissions to grade, and a grading process that stands in for the real one."""

import functools
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from normlab.cli.main import normlab
from normlab.grading import batch

STAND_IN = (sys.executable, str(Path(__file__).parent / "stand_in.py"))


@pytest.fixture(scope="session")
def stand_in_command():
    return STAND_IN


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
def normlab_command(monkeypatch):
    """Return the command line in this process, with the stand-in for a grader."""
    grade_all = functools.partial(batch.grade_all, command=STAND_IN)
    monkeypatch.setattr(batch, "grade_all", grade_all)

    def run(*arguments):
        return CliRunner().invoke(normlab, [str(argument) for argument in arguments])

    return run
