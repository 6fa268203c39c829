"""Every mistake is a test: the check fails on it, names it, and names no other."""

import dataclasses
import types
from pathlib import Path

import numpy as np
import pytest

from normlab.exercises import all_exercises, find
from normlab.exercises.loading import Written, exercise_of
from normlab.tasks.case import case

EXERCISES = list(all_exercises().values())
MISTAKES = [(exercise, mistake) for exercise in EXERCISES for mistake in exercise.mistakes]

each_mistake = pytest.mark.parametrize(
    ("exercise", "mistake"), MISTAKES, ids=[f"{e.name}: {m.key}" for e, m in MISTAKES]
)


@each_mistake
def test_a_mistake_fails_and_is_named_alone(exercise, mistake, answer_with, examine, seeds):
    """And it costs the same aspects in every seed, but never all of them."""
    points = set()
    for seed in seeds:
        results, diagnosis, report = examine(exercise, answer_with(exercise, (mistake,)), seed)
        assert diagnosis.explanations == ((mistake,),)
        assert diagnosis.hidden == ()
        assert report.mistakes == (mistake.key,)
        own = next(result for result in results if result.aspect.key == mistake.aspect)
        assert own.points == 0
        text = " ".join(str(report).split())
        assert f"Your numbers are what comes out when {mistake.what}" in text
        assert f"Symptom: {mistake.symptom}" in text
        assert f"Hint: {mistake.hint}" in text
        assert text.count("Your numbers are what comes out") == 1
        assert f"Next: fix {mistake.next}, then run the check again." in text
        for line in report.lines:
            follows = line.follows == "follows from the same mistake"
            assert line.passed or follows or line.remarks
        points.add(tuple(result.points for result in results))
    assert len(points) == 1
    told = not next(one for one in exercise.aspects if one.key == mistake.aspect).points
    nothing = -1 if (exercise.known and mistake.key == "no step") else 0  # it earns nothing
    assert nothing < sum(points.pop()) < exercise.max_points + told


def test_what_hides_behind_a_pair_is_said(answer_with, examine):
    """A linear bias of 10^17 in the output leaves no room to see how it was rounded."""
    exercise = find("linear_then_batch_norm")
    by_key = {mistake.key: mistake for mistake in exercise.mistakes}
    pair = tuple(
        by_key[key]
        for key in ("linear bias added to the output", "linear bias added to the variance")
    )
    _, diagnosis, report = examine(exercise, answer_with(exercise, pair))
    assert [mistake.key for mistake in diagnosis.hidden] == ["linear bias added and taken away"]
    assert "Not told apart: while this is so, it cannot be seen whether also linear_bias is" in (
        " ".join(str(report).split())
    )


# ---- an exercise small enough to have twins among its mistakes

PROGRAM = """
def twice(x):
    factor = 2
    power = 1
    return +factor * x**power


def cases(rng):
    yield case("small", "values", x=rng.normal(size=3))
    yield case("big", "big", x=1e3 * rng.normal(size=4))
"""

WORDS = """
title = "double it"
returns = ["y"]
first_step = "begin."

[aspects]
values = {title = "values", points = 2}
big = {title = "big values", points = 3}
"""

for key, old, new in (
    ("halving", "factor = 2", "factor = 0.5"),
    ("dividing by two", "factor = 2", "factor = 1 / 2"),
    ("squaring", "power = 1", "power = 2"),
    ("zeroing", "factor = 2", "factor = 0"),
    ("negating", "+factor", "-factor"),
    ("minus halving", "factor = 2", "factor = -0.5"),
    ("forgetting", "factor = 2", "factor = 1"),
):
    WORDS += f"""
[mistakes.values."{key}"]
change = {{"{old}" = "{new}"}}
what = "{key} is done."
symptom = "odd."
hint = "is {key} asked?"
next = "{key}"
section = "Here"
"""


def defined():
    module = types.ModuleType("twice")
    module.case = case
    exec(PROGRAM, vars(module))
    return module


TWICE = exercise_of(
    Written("twice", "02_twice", PROGRAM, WORDS, defined, {}, Path("twice.py"), Path("twice.toml"))
)


def of(*keys):
    return tuple(mistake for mistake in TWICE.mistakes if mistake.key in keys)


def test_twins_are_not_told_apart_and_the_report_says_so(answer_with, examine):
    _, diagnosis, report = examine(TWICE, answer_with(TWICE, of("halving")))
    assert diagnosis.explanations == (of("halving"), of("dividing by two"))
    assert diagnosis.hidden == ()
    text = " ".join(str(report).split())
    assert "More than one mistake gives exactly your numbers" in text
    assert "Either: halving is done. Hint: is halving asked? Or: dividing by two is done." in text


def test_twin_pairs_are_not_told_apart(answer_with, examine):
    _, diagnosis, report = examine(TWICE, answer_with(TWICE, of("halving", "squaring")))
    assert diagnosis.explanations == (
        of("halving", "squaring"),
        of("dividing by two", "squaring"),
    )
    assert "Either: halving is done. And: squaring is done." in str(report)


def test_a_mistake_that_hides_others_says_so(answer_with, examine):
    _, diagnosis, report = examine(TWICE, answer_with(TWICE, of("zeroing")))
    assert diagnosis.explanations == (of("zeroing"),)
    assert diagnosis.hidden == of("squaring", "negating")
    assert "whether also squaring is done; or negating is done." in " ".join(str(report).split())


def test_a_single_mistake_is_preferred_to_a_pair(answer_with, examine):
    """Halving and negating would give the same; the simpler explanation is named."""
    _, diagnosis, _ = examine(TWICE, answer_with(TWICE, of("minus halving")))
    assert diagnosis.explanations == (of("minus halving"),)


def test_where_nothing_explains_all_an_aspect_may_be_explained(examine):
    """Small values are not doubled; big ones get something that nobody knows."""

    def answer(x):
        return x if np.abs(x).max() < 10 else 2 * x + 1

    _, diagnosis, report = examine(TWICE, answer)
    assert diagnosis.explanations == ()
    assert diagnosis.by_aspect == {"values": of("forgetting")}
    text = " ".join(str(report).split())
    assert "In these cases your numbers are what comes out when forgetting is done." in text
    assert "No known mistake gives these numbers. The first difference is y[0]:" in text
    assert "The smallest case: big." in text


def test_nothing_is_named_where_everything_raises(examine):
    def answer(x):
        raise ValueError

    broken = dataclasses.replace(
        TWICE.mistakes[0],
        key="raising",
        edits=TWICE.model.edits({"factor = 2": "factor = 'not a number'"}),
    )
    exercise = dataclasses.replace(TWICE, mistakes=(broken,))
    _, diagnosis, _ = examine(exercise, answer)
    assert diagnosis.explanations == ()


def test_an_error_is_not_explained_by_a_mistake_that_makes_none(examine):
    """What the other aspects show is said all the same."""

    def answer(x, weight, bias, eps):
        if x.dtype == np.float32:
            raise KeyError
        return weight * (x - x.mean(0)) / np.sqrt(x.var(0, ddof=1) + eps) + bias

    _, diagnosis, report = examine(find("batch_norm_forward"), answer)
    assert diagnosis.explanations == ()
    assert [mistake.key for mistake in diagnosis.by_aspect["statistics"]] == ["unbiased variance"]
    assert "It raised KeyError" in str(report)


def test_an_answer_in_float32_has_its_mistake_named(answer_with, examine):
    exercise = find("batch_norm_forward")
    for mistake in exercise.mistakes:
        if mistake.rounding:
            continue
        precise = answer_with(exercise, (mistake,))

        def answer(x, weight, bias, eps, precise=precise):
            single = (value.astype(np.float32) for value in (x, weight, bias))
            return precise(*single, np.float32(eps))

        _, diagnosis, _ = examine(exercise, answer)
        assert (mistake,) in diagnosis.explanations, mistake.key
