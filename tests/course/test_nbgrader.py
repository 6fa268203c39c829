"""The exercises in a course that runs nbgrader, with nbgrader's own commands."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted(path.name for path in (ROOT / "solutions").glob("*.ipynb"))
ASSIGNMENT = "normlab"
# Functions and a class in NumPy, and torch: grading them all takes minutes.
GRADED = ["03_batch_norm_train_and_eval.ipynb", "05_mnist_with_batch_norm.ipynb"]


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """Release the assignment of a teacher who took over solutions/."""
    folder = tmp_path_factory.mktemp("course")
    source = folder / "source" / ASSIGNMENT
    source.mkdir(parents=True)
    for name in NOTEBOOKS:
        shutil.copy(ROOT / "solutions" / name, source)
    nbgrader(folder, "generate_assignment", ASSIGNMENT)
    return folder


@pytest.fixture(scope="module")
def graded(released):
    """Grade two students: one hands in some of the solutions, one the same with nothing in them."""
    for student, handed_in in {"right": "source", "blank": "release"}.items():
        submitted = released / "submitted" / student / ASSIGNMENT
        submitted.mkdir(parents=True)
        for name in GRADED:
            shutil.copy(released / handed_in / ASSIGNMENT / name, submitted)
    nbgrader(released, "autograde", ASSIGNMENT)
    return released


def nbgrader(folder, command, assignment):
    # nbgrader looks for its helper `alembic` on the PATH.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    result = subprocess.run(
        [sys.executable, "-m", "nbgrader", command, assignment, "--course-dir", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path},
    )
    assert result.returncode == 0, result.stderr[-3000:]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_nbgrader_releases_what_is_in_exercises(released, name):
    theirs = nbformat.read(released / "release" / ASSIGNMENT / name, as_version=4)
    ours = nbformat.read(ROOT / "exercises" / name, as_version=4)
    assert [(c.cell_type, c.source) for c in theirs.cells] == [
        (c.cell_type, c.source) for c in ours.cells
    ]
    assert [c.metadata.get("nbgrader") for c in theirs.cells] == [
        c.metadata.get("nbgrader") for c in ours.cells
    ]


@pytest.mark.parametrize("name", GRADED)
def test_nbgrader_gives_the_solution_full_points_and_the_blank_none(graded, name):
    with Gradebook(f"sqlite:///{graded / 'gradebook.db'}") as gradebook:
        scores = {
            student: gradebook.find_submission_notebook(Path(name).stem, ASSIGNMENT, student)
            for student in ("right", "blank")
        }
        assert scores["right"].max_score > 0
        assert scores["right"].score == scores["right"].max_score
        assert scores["blank"].score == 0
