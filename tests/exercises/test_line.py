"""Where no known mistake explains an answer, the line is found in the learner's own source."""

import linecache
import os
import time

import numpy as np
import pytest
from wrong_lines import ANSWERS

from normlab import check
from normlab.exercises import call_all, draw_cases, find
from normlab.exercises.line import SECONDS, find_line

# Named by the catalogue already, or out of reach: two slips that only show together, a call that
# raises an error, and a network that takes its time.
_NOT_LOCATED = {
    *("scaled_before_it_is_measured", "eps_in_the_numerator", "groups_of_g_channels"),
    *("sign_of_the_mean", "root_differentiated_wrongly", "one_position_too_many"),
    *("spread_of_the_content", "squared_length", "the_student_learns", "body_trained_too"),
}


def located(task, answer, seconds=5.0):
    """Return the lines that a search shows, and all that it says."""
    exercise = find(task)
    cases = draw_cases(exercise, seed=2015)
    function, nodes = exercise.as_function(answer), bool(exercise.nodes)
    outcomes = call_all(function, cases, exercise.returns, 5.0, (), nodes)
    remarks = find_line(exercise, answer, cases, outcomes, seconds)
    said = " ".join(remark.text for remark in remarks if not remark.code)
    return [remark.text for remark in remarks if remark.code], said


@pytest.mark.parametrize(
    ("task", "answer"), ANSWERS, ids=lambda value: getattr(value, "__name__", value)
)
def test_a_line_that_is_shown_is_the_wrong_one(task, answer):
    found = answer.__name__ not in _NOT_LOCATED
    lines, said = located(task, answer, 5.0 if found else SECONDS)
    assert all(line.endswith("# here") for line in lines), lines
    assert bool(lines) == found, said


def shown(task, answer):
    """Return what the panel says, in one line."""
    return " ".join(str(check(task, answer)).split())


def test_the_panel_says_the_line_first_and_never_the_change():
    text = shown("batch_norm_eval", times_bias)
    line = f"Look at line {times_bias.__code__.co_firstlineno + 2}, at each sign:"
    assert line in text
    assert "return x_hat * weight * bias" in text
    assert text.index("Look at line") < text.index("No known mistake")
    assert "weight + bias" not in text


def times_bias(x, running_mean, running_var, weight, bias, eps):
    x_hat = (x - running_mean) / np.sqrt(running_var + eps)
    return x_hat * weight * bias


@pytest.mark.parametrize(
    ("first", "is_run"),
    [
        ("import math", True),
        ("from itertools import chain", True),
        ("import os", False),
        ("from sys import path", False),
        ("global counted; counted = 1", False),
        ("np.save", False),
        ("elsewhere.sep", False),
    ],
)
def test_nothing_that_reaches_out_is_run_again_with_changes(first, is_run):
    cell = f"def f(x, running_mean, running_var, weight, bias, eps):\n    {first}\n"
    cell += "    x_hat = (x - running_mean) / np.sqrt(running_var + eps)\n"
    cell += "    return x_hat * weight * bias\n"
    names = {"np": np, "elsewhere": os, "__name__": "__main__"}
    linecache.cache["<reaching>"] = (len(cell), None, cell.splitlines(True), "<reaching>")
    exec(compile(cell, "<reaching>", "exec"), names)
    lines, _ = located("batch_norm_eval", names["f"])
    assert lines == ["return x_hat * weight * bias"] * is_run


def test_helpers_in_other_cells_are_followed():
    """Each cell of a notebook is a file of its own, and all of them share their names."""
    names = {"np": np, "__name__": "__main__"}
    for number, cell in enumerate(
        (
            "def middle(x):\n    return x.mean(0)\n",
            "\n\ndef spread(x, eps):\n    return np.sqrt(x.var(1) + eps)\n",
            "def f(x, weight, bias, eps):\n"
            "    x_hat = (x - middle(x)) / spread(x.T[:, :], eps) - middle(x)\n"
            "    return weight * x_hat + bias\n",
        )
    ):
        file = f"<cell {number}>"
        linecache.cache[file] = (len(cell), None, cell.splitlines(True), file)
        exec(compile(cell, file, "exec"), names)
    lines, said = located("batch_norm_forward", names["f"])
    assert "Look at line 2" in said
    assert lines == ["x_hat = (x - middle(x)) / spread(x.T[:, :], eps) - middle(x)"]

    wrong = "def middle(x):\n    return x.sum(0)\n"
    linecache.cache["<cell 0>"] = (len(wrong), None, wrong.splitlines(True), "<cell 0>")
    exec(compile(wrong, "<cell 0>", "exec"), names)
    right = "def f(x, weight, bias, eps):\n    x_hat = (x - middle(x)) / spread(x.T, eps)\n"
    right += "    return weight * x_hat + bias\n"
    linecache.cache["<cell 2>"] = (len(right), None, right.splitlines(True), "<cell 2>")
    exec(compile(right, "<cell 2>", "exec"), names)
    lines, said = located("batch_norm_forward", names["f"])
    assert lines == ["return x.sum(0)"]
    assert "a sum, a mean, a variance" in said


def test_what_is_kept_between_calls_is_said_and_no_line():
    def remembers(x, weight, bias, eps, kept=[]):  # noqa: B006 - that is the mistake
        kept.append(x.mean())
        return weight * (x - kept[0]) / np.sqrt(x.var(0) + eps) + bias

    lines, said = located("batch_norm_forward", remembers)
    assert not lines
    assert "it keeps something from one call to the next" in said


def test_code_that_reaches_out_is_not_run_again(tmp_path):
    file = tmp_path / "log.txt"

    def writes(x, weight, bias, eps):
        with open(file, "a") as log:
            log.write("called\n")
        return (x - x.mean(0) / np.sqrt(x.var(0) + eps)) * weight + bias

    def saves(x, weight, bias, eps):
        np.save(tmp_path / "x.npy", x)
        return (x - x.mean(0) / np.sqrt(x.var(0) + eps)) * weight + bias

    for answer in (writes, saves):
        report = check("batch_norm_forward", answer)
        (tmp_path / "x.npy").unlink(missing_ok=True)
        calls = file.read_text().count("called")
        assert "Look at line" not in str(report)
        assert not (tmp_path / "x.npy").exists()
        assert file.read_text().count("called") == calls


def test_nothing_is_printed_and_the_learners_own_arrays_are_left_alone(capsys):
    seen = [0.0]
    scale = np.ones(3)

    def prints(x, weight, bias, eps):
        seen[0] += 1
        scale[0] += 1
        print("called")
        return (x - x.mean(0) / np.sqrt(x.var(0) + eps)) * weight + bias

    report = check("batch_norm_forward", prints)
    calls = seen[0]
    str(report)
    assert seen[0] == calls
    assert scale[0] == 1 + calls
    assert capsys.readouterr().out == ""


def test_a_loop_that_would_never_end_is_stopped():
    def loops(x, weight, bias, eps):
        y, c = np.zeros_like(x), 0
        while c < x.shape[1]:
            y[:, c] = (x[:, c] - x[:, c].mean()) / np.sqrt(x[:, c].var() + eps)
            c += 1
        return weight + y + bias

    start = time.process_time()
    lines, _ = located("batch_norm_forward", loops, seconds=1.0)
    assert time.process_time() - start < 3
    assert lines == ["return weight + y + bias"]


def test_it_looks_once_and_only_when_it_is_shown(monkeypatch):
    searches = []

    def search(*_):
        searches.append(1)
        return ()

    monkeypatch.setattr("normlab.exercises.find_line", search)
    report = check("batch_norm_eval", times_bias)
    assert report.points < report.max_points
    assert searches == []
    assert str(report) in (str(report), repr(report))
    report._repr_html_()
    assert searches == [1]
    str(check("batch_norm_forward", lambda x, weight, bias, eps: x - x.mean(0)))  # it is named
    assert searches == [1]
