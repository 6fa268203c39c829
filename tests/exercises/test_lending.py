"""`yours`: the learner's own function once it is right, and the package's until then."""

import json

import numpy as np
import pytest

import normlab
from normlab.exercises import all_exercises, check, find, yours

pytestmark = pytest.mark.usefixtures("file")

NAME = "batch_norm_forward"
X = np.array([[1.0, 10], [3, 30], [8, 20]])  # (N, C)


def untouched(x, weight, bias, eps):
    raise NotImplementedError


def right(x, weight, bias, eps):
    return weight * (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + bias


def without_eps(x, weight, bias, eps):
    return right(x, weight, bias, 0)


def test_a_right_function_is_given_back_itself(capsys):
    assert yours(NAME, right) is right
    assert "is yours: from here on the lesson runs on it" in capsys.readouterr().out


def test_until_then_it_is_the_packages_and_a_line_says_so(capsys):
    lent = yours(NAME, untouched)
    np.testing.assert_allclose(lent(X, 2.0, 1.0, 1e-5), right(X, 2.0, 1.0, 1e-5))
    said = capsys.readouterr().out
    assert said.startswith("○ Not written yet")
    assert len(said.splitlines()) <= 2


def test_of_a_wrong_one_it_says_what_is_wrong_and_what_to_do(capsys):
    lent = yours(NAME, without_eps)
    np.testing.assert_allclose(lent(X, 2.0, 1.0, 3.0), right(X, 2.0, 1.0, 3.0))
    said = " ".join(capsys.readouterr().out.split())
    assert "Not yet yours (8 of 10 points)" in said
    assert "Your numbers are what comes out when eps is left out." in said
    assert "Next: fix the eps" in said


def test_it_counts_like_a_check_and_the_best_is_kept(file):
    yours(NAME, right)
    yours(NAME, without_eps)
    entry = json.loads(file.read_text())["exercises"][NAME]
    assert (entry["best"], entry["points"], entry["checks"]) == (10, 8, 2)


def test_an_untouched_function_is_not_begun(file):
    yours(NAME, untouched)
    assert not file.exists()


def test_what_the_package_lent_earns_nothing(file, capsys):
    """So to run `f = yours(name, f)` twice is not to have written it."""
    lent = yours(NAME, yours(NAME, untouched))
    assert "Still the package's" in capsys.readouterr().out
    report = check(NAME, lent)
    assert report.points == 0
    assert "lent you" in str(report)
    assert check(NAME, right).passed
    assert check(NAME, find(NAME).program(())).passed  # the same text, but nobody's loan


@pytest.mark.parametrize("name", all_exercises())
def test_every_task_has_something_to_lend(name):
    lent = yours(name, None)
    exercise = find(name)
    assert callable(lent)
    assert isinstance(lent, type) == exercise.is_class
    assert lent is not yours(name, None)  # nobody changes another's


@pytest.mark.parametrize("answer", [None, 3, "right", print, [], lambda: 1, type("A", (), {})])
def test_it_never_raises(answer):
    assert callable(yours(NAME, answer))


@pytest.mark.parametrize("name", ["nonsense", "", 3, None])
def test_an_unknown_name_gives_back_what_came(name, capsys):
    assert yours(name, right) is right
    assert "There is nothing to compare with" in " ".join(capsys.readouterr().out.split())


def test_an_untouched_task_is_open_and_not_failed():
    report = check(NAME, untouched)
    assert not report.begun
    assert "FAIL" not in str(report)
    assert "✗" not in report._repr_html_()
    assert "  open  mean and variance of each channel" in str(report)
    assert "FAIL" in str(check(NAME, without_eps))


def test_it_is_at_hand():
    assert normlab.yours is yours
