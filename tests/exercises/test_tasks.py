"""The exercise notebooks: solutions get full points, what learners get has 0 and a helpful word."""

import ast
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


#: What the examples of some exercises print, and where their text says so.
WORKED = {
    "01_normalize_data": (
        "train [-1. -1. -1.] [1. 1. 1.]\ntest  [0.  2.  0.5]\n",
        "mean [0.4] std [0.2]\n",
        "train [-1.  0.] [-0.5  0. ] [0. 0.] [0.5 0. ] [25.  6.]\ntest  [1. 1.]\n",
        "[[1. 2.]] [45.]\n",
        r"-1 & -1 & -1 \\ 1 & 1 & 1",
        "Their mean is 0.4, and the standard deviation is 0.2.",
        r"-1 & 0 \\ -0.5 & 0 \\ 0 & 0 \\ 0.5 & 0 \\ 25 & 6",
        r"1 & 2 \end{pmatrix}, \quad b' = 45",
    ),
    "02_batch_norm_forward": (
        "[[-8.  3.  5.]\n [ 8.  3. -3.]]\n",
        "[[-5.  3.]\n [15.  3.]\n [10. -1.]]\n",
        "[[-8.  5.]\n [ 8. -3.]]\nmean [106.   0.] var [16. 16.]\n",
        "[[ 1.  1.]\n [-1. -1.]\n [ 1. -1.]\n [-1.  1.]]\n[[5. 4.]\n [4. 5.]]\n",
        r"-8 & 3 & 5 \\ 8 & 3 & -3",
        r"-5 & 3 \\ 15 & 3 \\ 10 & -1",
        r"-8 & 5 \\ 8 & -3",
        r"\text{mean} = (106, 0), \quad \text{var} = (16, 16)",
        r"5 & 4 \\ 4 & 5",
        r"1 & 1 \\ -1 & -1 \\ 1 & -1 \\ -1 & 1",
    ),
    "03_batch_norm_train_and_eval": (
        "running_mean [5. 8.] running_var [5. 2.]\n",
        "[2. 6.] [ 2. -1.] bias [10.]\n",
        "[[-5.  2.  0.]\n [15.  4.  4.]]\n",
        r"\text{running mean} = (5, 8), \quad \text{running var} = (5, 2)",
        r"K'_{0} = \begin{pmatrix} 2 & 6 \end{pmatrix}",
        r"b' = 70 - 14 \cdot 4 - 4 \cdot 1 = 10",
        r"-5 & 2 & 0 \\ 15 & 4 & 4",
    ),
    "04_batch_norm_backward": (
        "[[ 12.5   4.5 -25. ]\n [-12.5  -4.5  25. ]]\ndweight [-20.   0. -20.] dbias [1. 1. 5.]\n",
        "[[ 3.  2.  0.]\n [-2. -1. 10.]]\ndweight [-3.8  1.  -3. ] dbias [1. 1. 5.]\n",
        "[[-1.25]\n [-0.75]\n [ 2.  ]]\n",
        r"12.5 & 4.5 & -25 \\ -12.5 & -4.5 & 25",
        r"\text{dweight} = (-20, 0, -20), \quad \text{dbias} = (1, 1, 5)",
        r"3 & 2 & 0 \\ -2 & -1 & 10",
        r"\text{dweight} = (-3.8, 1, -3)",
        r"-1.25 \\ -0.75 \\ 2",
    ),
    "05_mnist_with_batch_norm": ("[('1', 2, 2, 1)]\n", '`[("1", 2, 2, 1)]`'),
}


@pytest.mark.parametrize("stem", WORKED)
def test_the_worked_examples_are_what_the_solutions_compute(stem, capsys):
    (source,) = (path for path in SOURCES if path.stem == stem)
    notebook, namespace = jupytext.read(source), {}
    shown = [
        printed(cell, namespace, capsys) for cell in code(notebook) if "check(" not in cell.source
    ]
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    text = re.sub(r"\s+", " ", text)
    for expected in WORKED[stem]:
        assert expected in (shown if expected.endswith("\n") else text)


def printed(cell, namespace, capsys):
    """Run a cell and return what it shows."""
    *before, last = ast.parse(cell.source).body
    exec(compile(ast.Module(before, []), "<cell>", "exec"), namespace)
    source = ast.unparse(last)
    value = eval(source, namespace) if isinstance(last, ast.Expr) else exec(source, namespace)
    if value is not None:
        print(value)
    return capsys.readouterr().out
