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


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """Set up a course whose teacher took over solutions/; one student hands in all, one nothing."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copytree(ROOT / "solutions", folder / "source" / ASSIGNMENT)
    nbgrader(folder, "generate_assignment", ASSIGNMENT)
    for student, handed_in in {"right": "source", "blank": "release"}.items():
        submitted = folder / "submitted" / student / ASSIGNMENT
        shutil.copytree(folder / handed_in / ASSIGNMENT, submitted)
    nbgrader(folder, "autograde", ASSIGNMENT)
    return folder


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
def test_nbgrader_releases_what_is_in_exercises(course, name):
    released = nbformat.read(course / "release" / ASSIGNMENT / name, as_version=4)
    ours = nbformat.read(ROOT / "exercises" / name, as_version=4)
    assert [(c.cell_type, c.source) for c in released.cells] == [
        (c.cell_type, c.source) for c in ours.cells
    ]
    assert [c.metadata.get("nbgrader") for c in released.cells] == [
        c.metadata.get("nbgrader") for c in ours.cells
    ]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_nbgrader_gives_the_solution_full_points_and_the_blank_none(course, name):
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        scores = {
            student: gradebook.find_submission_notebook(Path(name).stem, ASSIGNMENT, student)
            for student in ("right", "blank")
        }
        assert scores["right"].max_score > 0
        assert scores["right"].score == scores["right"].max_score
        assert scores["blank"].score == 0
