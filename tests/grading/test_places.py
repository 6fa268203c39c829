"""Each task is judged at its own place: what later cells do to its globals takes nothing away.

What "right" means here is what whoever wrote the notebook saw: after Restart and Run All its own
checks pass.
"""

import json
from pathlib import Path

import pytest
from hostile import LAST_TWO, NAMES

from normlab.grading import Status
from normlab.grading.prison.reading import places_of

ROOT = Path(__file__).parents[2]
CASES = Path(__file__).parent / "cases"
EXERCISE = "02_batch_norm_forward"
IMPORTS = ("import numpy as np\nfrom normlab import check",)
CHECKS = [f'check("{name}", {name})' for name in NAMES]


def scores(verdict):
    return [task.score for task in verdict.tasks]


@pytest.mark.parametrize(
    ("case", "name"), [("helper_of_one_name", "standardize"), ("constant_of_one_name", "axes")]
)
def test_what_two_tasks_call_by_one_name_costs_neither(grader, case, name):
    for _ in range(2):  # the second time nothing has changed
        verdict = grader.grade(CASES / f"{case}.ipynb", EXERCISE)
        assert scores(verdict) == [10] * 4
        assert {task.status for task in verdict.tasks} == {Status.GRADED}
        assert f"10 of 10 points, and 0 at its end: by then `{name}`" in verdict.tasks[0].feedback
        assert not any("at its end" in task.feedback for task in verdict.tasks[1:])


VECTORS = """
def batch_norm_forward(x, weight, bias, eps):
    return weight * ({}) + bias
"""
#: What is normalized is an image of one pixel for each output, so that the axes are others.
LINEAR = """
def linear_then_batch_norm(x, linear_weight, linear_bias, weight, bias, eps):
    z = x @ linear_weight.T
    x = z[:, :, None, None]
    y = ({})[:, :, 0, 0]
    return weight * y + bias, z.mean(axis=0) + linear_bias, z.var(axis=0)
"""
SHARED = "(x - x.mean({0}, keepdims=True)) / np.sqrt(x.var({0}, keepdims=True) + eps)"
#: What two tasks share: before the first, its expression; before the second, its expression.
KINDS = {
    "a lambda": (
        f"f = lambda x, eps: {SHARED.format('0')}",
        "f(x, eps)",
        f"f = lambda x, eps: {SHARED.format('(0, 2, 3)')}",
        "f(x, eps)",
    ),
    "a helper of a helper": (
        "def over(): return 0\ndef f(x, eps): a = over(); return " + SHARED.format("a"),
        "f(x, eps)",
        "def over(): return (0, 2, 3)",
        "f(x, eps)",
    ),
    "a class": (
        "class Norm:\n    axes = 0\n    def __call__(self, x, eps): return "
        + SHARED.format("self.axes"),
        "Norm()(x, eps)",
        "class Norm:\n    def __call__(self, x, eps): return " + SHARED.format("(0, 2, 3)"),
        "Norm()(x, eps)",
    ),
    "a dict that is changed in its place": (
        "setting = {'axes': 0}",
        SHARED.format("setting['axes']"),
        "setting['axes'] = (0, 2, 3)",
        SHARED.format("setting['axes']"),
    ),
    "a list that is changed in its place": (
        "axes = [0]",
        SHARED.format("tuple(axes)"),
        "axes += [2, 3]",
        SHARED.format("tuple(axes)"),
    ),
    "an attribute of a class": (
        "class Setting: axes = 0",
        SHARED.format("Setting.axes"),
        "Setting.axes = (0, 2, 3)",
        SHARED.format("Setting.axes"),
    ),
    "a partial": (
        f"from functools import partial\ndef g(x, eps, a): return {SHARED.format('a')}\n"
        "f = partial(g, a=0)",
        "f(x, eps)",
        "f = partial(g, a=(0, 2, 3))",
        "f(x, eps)",
    ),
}


@pytest.mark.parametrize("checked", [True, False], ids=["checked", "unchecked"])
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_they_share(grade, kind, checked):
    """With the notebook's own checks behind each task, and without any."""
    first, one, second, other = KINDS[kind]
    cells = [first + VECTORS.format(one), CHECKS[0], second + LINEAR.format(other), CHECKS[1]]
    cells += [LAST_TWO, CHECKS[2]]
    verdict = grade(*(cells if checked else cells[::2]))
    assert scores(verdict) == [10] * 4


#: What a last cell does, when all is right and checked.
ENDS = {
    "another np": "np = 5",
    "no np": "del np",
    "a patched np": "np.sqrt = np.var = None",
    "another sum": "sum = abs = len = tuple = 5",
    "the name of its own": "batch_norm_forward = linear_then_batch_norm = 5",
    "all of it deleted": "del batch_norm_forward, linear_then_batch_norm",
    "all globals cleared": "globals().clear()",
}


@pytest.mark.parametrize("name", ENDS)
def test_whatever_the_last_cell_does(grade, name):
    vectors = VECTORS.format(SHARED.format("tuple([0])"))
    linear = LINEAR.format(SHARED.format("tuple([0, 2, 3])"))
    verdict = grade(vectors, CHECKS[0], linear, CHECKS[1], LAST_TWO, CHECKS[2], ENDS[name])
    assert scores(verdict) == [10] * 4


def test_a_builtin_that_is_hidden_later_is_named(grade):
    vectors = VECTORS.format(SHARED.format("tuple([0])"))
    task = grade(vectors, CHECKS[0], "tuple = list").tasks[0]
    assert task.score == 10
    assert "and 0 at its end: by then `tuple` has another value" in task.feedback


def test_stubs_behind_it_all_change_nothing(grade):
    """Not even where two tasks share a name."""
    first, one, second, other = KINDS["a lambda"]
    stubs = "\n".join(f"def {name}(*_): raise NotImplementedError" for name in NAMES)
    verdict = grade(first + VECTORS.format(one), second + LINEAR.format(other), LAST_TWO, stubs)
    assert scores(verdict) == [10] * 4


def test_a_helper_that_comes_after_is_found(grade):
    vectors = VECTORS.format("later(x, eps)")
    helper = f"def later(x, eps): return {SHARED.format('0')}"
    for cells in ([vectors, helper], [vectors, CHECKS[0], helper], [vectors, helper, CHECKS[0]]):
        assert grade(*cells).tasks[0].score == 10


def test_where_the_end_is_better_it_counts_and_is_said(grade):
    """A helper was mended below the check, and the check not run again."""
    broken, helper = "def help(x, eps): return x", f"def help(x, eps): return {SHARED.format('0')}"
    task = grade(broken, VECTORS.format("help(x, eps)"), CHECKS[0], helper).tasks[0]
    assert task.score == 10
    assert "at its end: by then `help` has another value. The second counts." in task.feedback


def test_the_last_definition_counts_wherever_it_is(grade):
    right, wrong = VECTORS.format(SHARED.format("0")), VECTORS.format("x")
    assert grade(right, CHECKS[0], wrong).tasks[0].score < 10
    assert grade(right, CHECKS[0], wrong, CHECKS[0]).tasks[0].score < 10
    assert grade(wrong, CHECKS[0], right).tasks[0].score == 10


def test_a_definition_that_ends_its_process_is_the_one_that_counts(grade):
    right = VECTORS.format(SHARED.format("0"))
    gone = "def batch_norm_forward(x, weight, bias, eps): import os; os._exit(0)"
    task = grade(right, CHECKS[0], gone).tasks[0]
    assert (task.status, task.score) == (Status.FAILED, 0)


def test_an_end_that_ends_the_process_takes_nothing_away(grade):
    """The helper, by then, loops or ends the process: its own place has judged it."""
    helper, vectors = f"def f(x, eps): return {SHARED.format('0')}", VECTORS.format("f(x, eps)")
    gone = "def f(x, eps): import os; os._exit(0)"
    verdict = grade(helper, vectors, CHECKS[0], gone, LAST_TWO, CHECKS[2])
    assert [scores(verdict)[at] for at in (0, 2, 3)] == [10] * 3


def test_what_does_not_change_is_called_once(grade):
    """However often it is checked; and again where what it reads is another."""
    counts = """
        calls = []
        def batch_norm_forward(x, weight, bias, eps):
            calls.append(1)
            print("calls", len(calls))
            return x
        """
    cells = [counts, *[CHECKS[0]] * 3]
    first = grade(*cells).tasks[0].feedback
    assert "calls 1\n" in first
    looks = "def linear_then_batch_norm(*_): print('made', len(calls))"
    made = grade(*cells, looks, "print()").tasks[1].feedback
    cases = int(made.partition("made ")[2].split()[0])
    assert 2 < cases < 20


def test_a_right_solution_is_called_at_its_checks_alone(grader, monkeypatch):
    """The end of an ordinary notebook asks nothing again."""
    from normlab.grading.judge import run

    judged = []
    judge = run.judge_outcomes
    monkeypatch.setattr(run, "judge_outcomes", lambda *a: judged.append(1) or judge(*a))
    for stem in ("02_batch_norm_forward", "09_relatives", "13_choose_and_debug"):
        path = next((ROOT / "solutions").glob(f"{stem[:2]}*.ipynb"))
        judged.clear()
        verdict = grader.grade(path, path.stem)
        assert verdict.score == verdict.max_score
        assert len(judged) == len(verdict.tasks)


def test_however_often_it_is_checked_at_the_end_its_own_place_counts(grade):
    first, one, second, other = KINDS["a lambda"]
    cells = [first + VECTORS.format(one), second + LINEAR.format(other), *[CHECKS[0]] * 20]
    assert scores(grade(*cells))[:2] == [10, 10]


def test_a_helper_that_changes_in_the_cell_of_the_check_costs_nothing(grade):
    helper, other = (f"def f(x, eps): return {SHARED.format(a)}" for a in ("0", "(0, 2, 3)"))
    linear = LINEAR.format("f(x, eps)")
    verdict = grade(helper, VECTORS.format("f(x, eps)"), f"{CHECKS[0]}\n{other}", linear)
    assert scores(verdict)[:2] == [10, 10]


def test_places_are_the_definitions_and_the_checks():
    cells = [
        "def f(): pass",  # 0
        "check('f', f)",
        "check('f', f, seed=3)\nassert True",
        "class g: pass",  # 3
        "normlab.check('f', f)",
        "f = 5",  # 5
        "%%time\ncheck('g', g)",
        "def f(:",  # no Python
        "'f'; check; print('f')",
    ]
    assert places_of(cells, {"f": False, "g": False, "h": False}) == {
        "f": [0, 1, 2, 4, 5],
        "g": [3, 6],
        "h": [],
    }
    assert places_of(cells, {"f": True}) == {"f": [5]}


def test_a_cell_of_half_a_surrogate_pair_is_run(grader):
    cell = 'word = "\\ud83d"  # half\n' + VECTORS.format(SHARED.format("0"))
    cells = [{"cell_type": "code", "source": text} for text in (*IMPORTS, cell)]
    content = json.dumps({"cells": cells}).replace("\\\\ud83d", "\\ud83d").encode()
    assert b'"\\ud83d' in content or b"\\ud83d" in content
    task = grader.grade_content(content, EXERCISE).tasks[0]
    assert (task.score, task.status) == (10, Status.GRADED)


def test_no_learner_is_shown_a_line_of_ours(grade):
    deep = VECTORS.format("x") + "\ny = " + "-" * 5000 + "1"
    task = grade(deep).tasks[0]
    assert "at the line" not in task.feedback
    assert "ast.parse" not in grade(deep).message
