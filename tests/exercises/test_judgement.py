"""Judging from plain arrays alone: what is asked, what came back, and nothing of any task."""

from types import SimpleNamespace

import numpy as np
import pytest

from normlab.exercises import judge
from normlab.exercises.calling import Outcome
from normlab.exercises.exercise import Aspect
from normlab.exercises.judgement import AspectResult, CaseResult, differs, first_wrong_node
from normlab.tasks.case import Case

X = np.array([1.0, 2.0, 4.0])
RIGHT = {"first": {"y": X + 10}, "then": {"y": 3 * (X + 10)}}
BOTH = (Aspect("value", "The value", 2), Aspect("step", "The step", 3))


def cases(derive=lambda own, _: {"y": 3 * own["y"]}, **more):
    return [
        Case("first", ("value",), {"x": X}, **more),
        Case("then", ("step",), {"x": 3 * X}, based_on="first" if derive else "", derive=derive),
    ]


pytestmark = pytest.mark.filterwarnings("error")  # judging is silent, whatever came back


def judged(first, then, aspects=BOTH, right=RIGHT, asked=None):
    """Judge two answers; return the one case of each aspect, and the points."""
    outcomes = [
        one if isinstance(one, Outcome) else Outcome({"y": np.asarray(one)})
        for one in (first, then)
    ]
    results = judge(SimpleNamespace(aspects=aspects), asked or cases(), outcomes, right)
    return [one.case_results[0] for one in results], [one.points for one in results]


def test_a_case_that_follows_from_another_takes_over_what_it_does_not_change():
    def doubled(own, _):
        return {"y": 2 * own["y"]}

    first = Case("first", ("value",), {"x": X, "eps": 0.5, "name": "a"})
    then = first.then(doubled, "then", "step", "more", eps=1.0, name="b")
    assert list(then.arguments.items()) == [("x", X), ("eps", 1.0), ("name", "b")]
    assert (then.name, then.aspects, then.based_on) == ("then", ("step", "more"), "first")
    assert then.derive is doubled
    assert first.arguments["eps"] == 0.5


# ---- numbers


@pytest.mark.parametrize(
    ("got", "expected", "marked"),
    [
        ([1.0, 1e-17], [1.0, 0.0], [False, False]),
        ([1.0, 1e-8], [1.0, 0.0], [False, True]),
        ([5.0, 100 + 4e-8], [5.0, 100.0], [False, False]),
        ([np.nan, 1.0], [np.nan, 2.0], [False, True]),
        ([1.0, np.nan], [np.nan, 1.0], [True, True]),
        ([np.inf, -np.inf, 1.0], [np.inf, np.inf, 1.0], [False, True, False]),
        # Infinity is no measure of the others.
        ([np.inf, 1 + 4e-8, 100.0], [np.inf, 1.0, 100.0], [False, False, False]),
        ([np.inf, 1.1, 100.0], [np.inf, 1.0, 100.0], [False, True, False]),
        ([np.inf, 1e-3 + 5e-10], [np.inf, 1e-3], [False, True]),
        ([np.inf], [np.inf], [False]),
        ([1e308], [-1e308], [True]),
        ([0.0], [0.0], [False]),
        ([], [], []),
    ],
)
def test_numbers_differ_by_more_than_rounding_beside_the_largest(got, expected, marked):
    assert differs(np.array(got), np.array(expected), 1e-9).tolist() == marked


@pytest.mark.parametrize(
    ("answer", "problem", "index", "single"),
    [
        (X + 10, "", (), False),
        ((X + 10) * (1 + 1e-6), "", (), True),
        ((X + 10) * (1 + 1e-4), "values", (0,), False),
        ([11.0, 12.0, 15.0], "values", (2,), False),
        ([11.0, np.nan, 14.0], "not finite", (1,), False),
        ([[11.0, 12.0, 14.0]], "shape", (), False),
        (Outcome(trouble="raised", message="ValueError: no"), "raised", (), False),
    ],
)
def test_what_is_wrong_is_told_with_its_place(answer, problem, index, single):
    (first, _), (points, _) = judged(answer, RIGHT["then"]["y"])
    assert (first.problem, first.index, first.single) == (problem, index, single)
    assert points == (0 if problem else 2)
    assert first.output == ("y" if problem in ("values", "not finite", "shape") else "")
    assert not first.own
    assert not first.spoiled


def test_a_case_may_allow_more_and_counts_as_right_to_all_digits_then():
    (first, _), points = judged((X + 10) * (1 + 1e-3), 3 * X + 30, asked=cases(tolerance=1e-2))
    assert (first.problem, first.single, points) == ("", False, [2, 3])


# ---- what follows from an answer to another case


def test_a_slip_is_not_held_against_the_next_step():
    slip = X + 11
    (first, then), points = judged(slip, 3 * slip)
    assert (first.problem, then.problem, then.own, then.spoiled) == ("values", "", True, True)
    assert points == [0, 3]
    (_, then), _ = judged([11.0, 12.0, 15.0], [33.0, 36.0, 45.0])  # a slip in one number
    assert (then.problem, then.own, then.spoiled) == ("", True, True)
    (_, then), points = judged(slip, RIGHT["then"]["y"])  # what is right is right
    assert (then.problem, then.own, points) == ("", False, [0, 3])
    (_, then), points = judged(slip, X)
    assert (then.problem, then.own, points) == ("values", True, [0, 0])
    (_, then), _ = judged(X + 10, 3 * X + 30)
    assert (then.problem, then.own, then.spoiled) == ("", True, False)


def test_without_a_step_nothing_follows():
    (_, then), _ = judged(X + 11, 3 * (X + 11), asked=cases(derive=None))
    assert (then.problem, then.own, then.spoiled) == ("values", False, False)


@pytest.mark.parametrize(
    ("first", "derive"),
    [
        (X + 11, lambda own, _: {"y": np.log(own["y"] - 12)}),  # a step that fails there
        ([11.0, np.inf, 14.0], lambda own, _: {"y": np.array([1.0, 2.0, 3.0])}),
        ([[11.0, 12.0, 14.0]], lambda own, _: {"y": np.array([1.0, 2.0, 3.0])}),
        ([5.0, 5.0, 5.0], lambda own, _: {"y": np.array([1.0, 2.0, 3.0])}),
        (Outcome(trouble="raised"), lambda own, _: {"y": np.array([1.0, 2.0, 3.0])}),
    ],
)
def test_where_nothing_can_follow_what_is_right_is_asked(first, derive):
    (_, then), points = judged(first, [1.0, 2.0, 3.0], asked=cases(derive))
    assert (then.problem, then.own, points) == ("values", False, [0, 0])
    (_, then), points = judged(first, RIGHT["then"]["y"], asked=cases(derive))
    assert (then.problem, then.own, points) == ("", False, [0, 3])


def test_nothing_follows_from_an_argument_handed_back():
    assert judged(X, 3 * X)[1] == [0, 0]


@pytest.mark.parametrize("z", [[np.nan] * 3, [7.0] * 3, [1.0, 2.0]])
def test_nothing_follows_where_one_of_two_outputs_is_no_use(z):
    right = {name: {**one, "z": X} for name, one in RIGHT.items()}
    outcomes = [Outcome({"y": X + 11, "z": np.array(z)}), Outcome({"y": 3 * X + 33, "z": X})]
    asked = cases(lambda own, _: {"y": 3 * own["y"], "z": own["z"]})
    _, step = judge(SimpleNamespace(aspects=BOTH), asked, outcomes, right)
    assert (step.points, step.case_results[0].own) == (0, False)


def test_nothing_follows_where_a_step_gives_one_output_that_is_no_number():
    right = {name: {**one, "z": X} for name, one in RIGHT.items()}
    outcomes = [Outcome({"y": X + 11, "z": X}), Outcome({"y": 3 * X + 33, "z": X})]
    asked = cases(lambda own, _: {"y": 3 * own["y"], "z": own["z"] / np.zeros(3)})
    _, step = judge(SimpleNamespace(aspects=BOTH), asked, outcomes, right)
    assert (step.points, step.case_results[0].own) == (0, False)


def test_rounding_that_a_step_makes_larger_is_no_slip():
    close = (X + 10) * (1 + 1e-10)
    (first, then), _ = judged(
        close, 1e6 * (close - 10 - X), asked=cases(lambda own, _: {"y": 1e6 * (own["y"] - 10 - X)})
    )
    assert (first.problem, then.problem, then.own, then.spoiled) == ("", "", True, False)


# ---- what is told first


def test_the_smallest_case_comes_first_and_what_follows_from_own_answers_last():
    def result(size, **more):
        case = Case(f"{size}", ("value",), {"x": np.zeros(size)})
        return CaseResult(case, Outcome(), {}, **more)

    small, large = result(2, problem="values"), result(5, problem="shape")
    follows, fine = result(1, problem="values", own=True), result(1)
    asked = AspectResult(BOTH[0], (follows, large, fine, small), 0)
    assert asked.failures == [small, large, follows]


def test_an_aspect_without_points_passes_where_nothing_was_found():
    told = Aspect("value", "The value", 0)
    for answer, passed in ((X + 10, True), (X, False)):
        outcomes = [Outcome({"y": answer}), Outcome({"y": 3 * X + 30})]
        value, step = judge(SimpleNamespace(aspects=(told, BOTH[1])), cases(), outcomes, RIGHT)
        assert (value.passed, value.points, step.passed) == (passed, 0, True)


@pytest.mark.parametrize("points", [0, 2])
def test_one_wrong_case_costs_the_whole_aspect(points):
    asked = [Case(name, ("value",), {"x": X}) for name in RIGHT]
    outcomes = [Outcome({"y": X + 10}), Outcome({"y": X})]
    aspect = Aspect("value", "The value", points)
    (value,) = judge(SimpleNamespace(aspects=(aspect,)), asked, outcomes, RIGHT)
    assert (value.points, value.passed) == (0, False)


def test_outputs_that_an_aspect_does_not_name_do_not_count():
    aspects = (Aspect("value", "The value", 2, outputs=("y",)), Aspect("step", "The step", 3))
    right = {name: {**one, "z": X} for name, one in RIGHT.items()}
    outcomes = [Outcome({"y": one["y"], "z": X + 1}) for one in RIGHT.values()]
    value, step = judge(SimpleNamespace(aspects=aspects), cases(), outcomes, right)
    assert (value.points, step.points) == (2, 0)
    assert step.case_results[0].output == "z"


# ---- arguments left alone


@pytest.mark.parametrize(
    ("answers", "modified", "points"),
    [
        ((X + 10, 3 * X + 30), (), 1),
        ((X + 10, 3 * X + 30), ("x",), 0),
        ((X**2, X**3), (), 1),  # wrong, and computed
        ((X, 3 * X), (), 0),  # handed back
        (([7.0] * 3, [7.0] * 3), (), 0),  # the same all over
        (([np.inf] * 3, [np.nan] * 3), (), 0),
    ],
)
def test_leaving_the_arguments_alone_counts_where_something_was_computed(answers, modified, points):
    alone = Aspect("alone", "Leaves x alone", 1, leaves_input_alone=True)
    outcomes = [Outcome({"y": np.asarray(answers[0])}, modified=modified)]
    outcomes += [Outcome({"y": np.asarray(answers[1])})]
    first, *_ = judge(SimpleNamespace(aspects=(alone, *BOTH)), cases(), outcomes, RIGHT)
    assert (first.aspect, first.points) == (alone, points)
    assert [one.problem for one in first.case_results] == ["modified" if modified else "", ""]


def test_what_is_right_by_chance_is_no_work():
    alone = Aspect("alone", "Leaves x alone", 1, leaves_input_alone=True)
    right = {"first": {"y": 2 * X}, "then": RIGHT["then"]}
    outcomes = [Outcome({"y": 2 * X}), Outcome({"y": 6 * X})]
    asked = cases(derive=None)
    results = judge(SimpleNamespace(aspects=(*BOTH, alone)), asked, outcomes, right)
    assert [one.points for one in results] == [2, 0, 0]


def test_one_of_two_arguments_handed_back_is_no_work_and_two_numbers_are():
    alone = Aspect("alone", "Leaves x alone", 1, leaves_input_alone=True)
    right = {"only": {"y": np.array([3.0, 5.0])}}
    asked = [Case("only", (), {"x": np.array([1.0, 2.0]), "t": np.array([5.0, 7.0])})]
    for answer, points in (([1.0, 2.0], 0), ([5.0, 7.0], 0), ([8.0, 9.0], 1)):
        outcomes = [Outcome({"y": np.array(answer)})]
        (result,) = judge(SimpleNamespace(aspects=(alone,)), asked, outcomes, right)
        assert result.points == points


def test_one_number_for_each_case_is_work_where_it_varies():
    alone = Aspect("alone", "Leaves x alone", 1, leaves_input_alone=True)
    for answers, points in (((1.0, 2.0), 1), ((1.0, 1.0), 0), ((np.inf, np.nan), 0)):
        outcomes = [Outcome({"y": np.array(one)}) for one in answers]
        right = {"first": {"y": np.array(5.0)}, "then": {"y": np.array(6.0)}}
        asked = cases(derive=None)
        *_, last = judge(SimpleNamespace(aspects=(*BOTH, alone)), asked, outcomes, right)
        assert last.points == points


# ---- nodes


def test_the_first_node_that_is_wrong_is_named():
    right = {"a": np.array([[1.0, 2.0]]), "b": np.array([0.0, 0.0]), "c": np.array([3.0, 4.0])}
    own = {"a": np.array([1.0, 2.0]), "b": np.array([3.5e-9, 0.0]), "c": np.array([3.0, 4.0])}
    assert first_wrong_node(own, right) == ""
    assert first_wrong_node({**own, "b": np.array([1e-8, 0.0])}, right) == "b"
    tiny = {**right, "b": np.array([2e-9, 0.0])}
    assert first_wrong_node({**own, "b": np.array([5e-9, 0.0])}, tiny) == ""
    assert first_wrong_node({**own, "c": np.array([3.0, 4.1]), "a": np.zeros(3)}, right) == "a"
    assert first_wrong_node({"c": np.array([3.0, 4.1]), "else": np.zeros(2)}, right) == "c"
    assert first_wrong_node({}, right) == ""
