"""The exercise notebooks: solutions get full points, what learners get has 0 and a helpful word."""

import copy
import re
from pathlib import Path

import jupytext
import pytest
from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions

from normlab.exercises import find, tasks_of

SOURCES = sorted((Path(__file__).parents[2] / "source" / "exercises").glob("*.py"))
each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def graded(notebook):
    return [cell for cell in code(notebook) if cell.metadata.get("nbgrader", {}).get("grade")]


def cut(notebook):
    """Return what a learner gets."""
    notebook, resources = copy.deepcopy(notebook), {}
    for step in (ClearSolutions(), ClearHiddenTests()):
        notebook, resources = step.preprocess(notebook, resources)
    return notebook


def points_of(cell, namespace):
    """Run a graded cell and return its last line's value, as nbgrader reads it."""
    *before, last = cell.source.rstrip().split("\n")
    exec("\n".join(before), namespace)
    return float(repr(eval(last, namespace)))


def exercise_of(cell):
    (name,) = set(re.findall(r'check\(\s*"(\w+)"', cell.source))
    return find(name)


@each_source
def test_solutions_get_full_points(source):
    notebook, namespace = jupytext.read(source), {}
    for cell in code(notebook):
        if cell in graded(notebook):
            assert points_of(cell, namespace) == cell.metadata.nbgrader["points"]
        else:
            exec(cell.source, namespace)


@each_source
def test_untouched_exercises_get_0_and_a_helpful_word(source):
    notebook, namespace = cut(jupytext.read(source)), {}
    for cell in code(notebook):
        if cell in graded(notebook):
            with pytest.raises(AssertionError) as refused:
                points_of(cell, namespace)
            exercise = exercise_of(cell)
            said = " ".join(str(refused.value).split())
            assert f"0 of {exercise.max_points} points" in said
            assert "Not begun yet: " in said
            assert f"Next: {exercise.first_step}" in said
        elif cell.metadata.get("nbgrader") or "import" in cell.source:
            exec(cell.source, namespace)


@each_source
def test_the_points_of_nbgrader_are_those_of_the_check(source):
    notebook = jupytext.read(source)
    assert graded(notebook)
    for cell in graded(notebook):
        assert cell.metadata.nbgrader["points"] == exercise_of(cell).max_points
        assert cell.metadata.nbgrader["locked"]
    assert [exercise_of(cell) for cell in graded(notebook)] == tasks_of(source.stem)


@each_source
def test_hidden_tests_and_solutions_are_not_in_what_learners_get(source):
    whole, released = jupytext.read(source), cut(jupytext.read(source))
    secret = {seed for cell in graded(whole) for seed in re.findall(r"seed=(\d+)", cell.source)}
    assert len(secret) == 1
    for cell in released.cells:
        assert not any(seed in cell.source for seed in secret)
        assert "SOLUTION" not in cell.source
        assert "HIDDEN" not in cell.source
    solved = [cell for cell in code(released) if cell.metadata.get("nbgrader", {}).get("solution")]
    assert len(solved) == len(graded(whole))
    assert all(cell.source.endswith("raise NotImplementedError()") for cell in solved)


@each_source
def test_a_task_says_what_it_asks_and_shows_an_example(source):
    notebook = jupytext.read(source)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    tasks = re.split(r"\n## Task \d+: ", text)[1:]
    assert len(tasks) == len(graded(notebook))
    for task in tasks:
        assert re.search(
            r"\*(Easy|Medium|Hard) · importance (high|medium|low) · \d+ minutes · \d+ points\*",
            task,
        )
        assert "| returns " in task
        assert "example" in task
        assert task.count("<details><summary>Hint") == task.count("</details>") >= 2
        assert not re.search(r"\b(simply|just|obviously)\b", task)


def test_the_worked_examples_of_lesson_2(capsys):
    """What the text prints is what the solutions compute."""
    (source,) = (path for path in SOURCES if path.stem == "02_batch_norm_forward")
    notebook, namespace = jupytext.read(source), {}
    shown = []
    for cell in code(notebook):
        if cell.source.startswith("x = "):
            source = re.sub(r"\n(batch_norm_forward\(.*\))$", r"\nprint(\1)", cell.source)
            exec(source, namespace)
            shown.append(capsys.readouterr().out)
        elif cell not in graded(notebook):
            exec(cell.source, namespace)
    assert shown == [
        "[[-8.  3.  5.]\n [ 8.  3. -3.]]\n",
        "channel 0: [-8. -8. -8.] [8. 8. 8.]\nchannel 1: [-3.  5. -3.] [ 5. -3.  5.]\n",
        "[[-8.  5.]\n [ 8. -3.]]\nmean [106.   0.] var [16. 16.]\n",
    ]
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for matrix in (
        r"-8 & 3 & 5 \\ 8 & 3 & -3",
        r"-8 & -8 & -8 \\ 8 & 8 & 8",
        r"-3 & 5 & -3 \\ 5 & -3 & 5",
        r"-8 & 5 \\ 8 & -3",
        r"\text{mean} = (106, 0), \quad \text{var} = (16, 16)",
    ):
        assert matrix in text
