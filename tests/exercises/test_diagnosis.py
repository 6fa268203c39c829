"""Naming mistakes by their numbers, in a small task that nobody is asked."""

import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from normlab.exercises import diagnose, judge, report_on
from normlab.exercises.calling import Outcome
from normlab.exercises.diagnosis import Diagnosis, Variants, with_other_numbers
from normlab.exercises.exercise import Aspect, Exercise, Mistake
from normlab.exercises.source import Model
from normlab.tasks.case import Case

pytestmark = pytest.mark.filterwarnings("error")  # wrong formulas divide by zero, and nobody hears

MODEL = Model(
    "scaled",
    """def scaled(x, weight, eps):
    mean = x.mean()
    var = ((x - mean) ** 2).mean()
    y = weight * (x - mean) / np.sqrt(var + eps)
    return y, var
""",
    lambda: SimpleNamespace(np=np),
)
X = 1e-6 * np.array([[1.0, 2.0, 4.0], [5.0, 7.0, 9.0]])  # even an eps of 1e-12 shows
PLAIN, WEIGHTED, WITH_EPS = (
    Case("plain", ("value", "var"), {"x": X, "weight": 1.0, "eps": 0.0}),
    Case("weighted", ("weight",), {"x": X, "weight": 3.0, "eps": 0.0}),
    Case("with eps", ("eps",), {"x": X, "weight": 1.0, "eps": 2.0}),
)


def mistake(key, aspect, change, **more):
    spellings = tuple(MODEL.edits(one) for one in more.pop("spellings", ()))
    edits = MODEL.edits(change)
    return Mistake(key, f"{key}.", "s", "h", "n", aspect, edits, spellings=spellings, **more)


NOT_CENTRED = mistake("not centred", "value", {"* (x - mean) /": "* x /"})
NO_WEIGHT = mistake("no weight", "weight", {"weight * (": "("})
NO_EPS = mistake("no eps", "eps", {"(var + eps)": "(var)"})
FIXED = mistake("eps is 1e-5", "eps", {"var + eps": "var + 1e-5"})
OUTSIDE = mistake(
    "eps outside",
    "eps",
    {"np.sqrt(var + eps)": "(np.sqrt(var) + eps)"},
    spellings=[{"np.sqrt(var + eps)": "(eps + np.sqrt(var) + 0 * mean)"}],
)
DDOF = mistake("ddof", "var", {"return y, var": "return y, var * x.size / (x.size - 1)"})
RAISES = mistake("raises", "eps", {"weight * (x": "[1][int(eps)] * weight * (x"})
MISTAKES = (NOT_CENTRED, NO_WEIGHT, NO_EPS, FIXED, OUTSIDE, DDOF, RAISES)
TASK = Exercise(
    "scaled",
    "99_scaled",
    "Scale",
    ("x", "weight", "eps"),
    ("y", "var"),
    (
        Aspect("value", "Value", 2, outputs=("y",)),
        Aspect("var", "Variance", 2, outputs=("var",)),
        Aspect("weight", "Weight", 2, outputs=("y",)),
        Aspect("eps", "Eps", 2, outputs=("y",)),
    ),
    lambda _: [],
    MODEL,
    MISTAKES,
    "begin",
)
CASES = (PLAIN, WEIGHTED, WITH_EPS)


def outcome(answer, case, **more):
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            y, var = answer(*case.arguments.values())
    except Exception as error:
        return Outcome(None, "raised", f"It raised {type(error).__name__}: {error}")
    return Outcome({"y": np.asarray(y), "var": np.asarray(var)}, **more)


def told(answer, task=TASK, cases=CASES, variants=None):
    outcomes = [outcome(answer, case) for case in cases]
    with np.errstate(all="ignore"):
        results = judge(task, cases, outcomes)
    return diagnose(task, cases, outcomes, results, variants)


def named(diagnosis):
    return [[one.key for one in together] for together in diagnosis.explanations]


def in_parts(diagnosis):
    return {key: [one.key for one in found] for key, found in diagnosis.by_aspect.items()}


def keys_of(mistakes):
    return " and ".join(one.key for one in mistakes)


def of(*mistakes):
    return TASK.program(mistakes)


# ---- the whole answer


def test_a_right_answer_has_no_diagnosis():
    assert told(of()) == Diagnosis()


@pytest.mark.parametrize("one", MISTAKES, ids=lambda one: one.key)
def test_each_mistake_is_named_alone(one):
    found = told(of(one))
    assert named(found) == [[one.key]]
    assert not found.described


def test_what_a_mistake_hides_is_told_beside_it():
    assert [one.key for one in told(of(NO_EPS)).hidden] == []
    squared = mistake("eps squared", "eps", {"+ eps)": "+ eps**2)"}, apart=frozenset())
    nothing = mistake("eps twice", "eps", {"np.sqrt(": "np.sqrt(0 * eps + "})
    task = replace(TASK, mistakes=(*MISTAKES, squared, nothing))
    assert [one.key for one in told(of(NOT_CENTRED), task).hidden] == ["eps twice"]


@pytest.mark.parametrize(
    "pair", [(NOT_CENTRED, NO_EPS), (NO_WEIGHT, OUTSIDE), (NO_WEIGHT, DDOF)], ids=keys_of
)
def test_two_mistakes_are_named_together(pair):
    assert [sorted(one) for one in named(told(of(*pair)))] == [sorted(one.key for one in pair)]


def test_another_spelling_is_named_as_the_mistake():
    spelled = replace(OUTSIDE, edits=OUTSIDE.spellings[0])
    found = told(of(spelled))
    assert found.explanations == ((OUTSIDE,),)


def test_what_nothing_tells_apart_is_named_once_each():
    twin = replace(NO_WEIGHT, key="weight of 1")
    found = told(of(NO_WEIGHT), replace(TASK, mistakes=(*MISTAKES, twin)))
    assert named(found) == [["no weight"], ["weight of 1"]]
    assert found.hidden == ()
    outcomes = [outcome(of(NO_WEIGHT), case) for case in CASES]
    report = report_on(TASK, outcomes, judge(TASK, CASES, outcomes), found, "go on.")
    told_all = " ".join(str(report).split())
    assert "gives exactly your numbers; they cannot be told apart. Either: no weight." in told_all


def test_a_mistake_in_float32_is_named():
    def single(x, weight, eps):
        return [np.float32(value) for value in of(NOT_CENTRED)(x, weight, eps)]

    assert named(told(single)) == [["not centred"]]


def test_a_slip_of_another_size_is_not_named():
    def more(x, weight, eps):
        y, var = of(NOT_CENTRED)(x, weight, eps)
        return y * (1 + 1e-3), var

    found = told(more)
    assert named(found) == []
    assert in_parts(found) == {}


def test_the_exact_one_is_named_before_those_that_are_near():
    near = replace(NO_WEIGHT, key="near", edits=MODEL.edits({"weight * (": "(1 + 5e-9) * ("}))
    assert named(told(of(NO_WEIGHT), replace(TASK, mistakes=(near, *MISTAKES)))) == [["no weight"]]


def test_one_other_number_is_another_mistake():
    def once(x, weight, eps):
        y, var = of(NOT_CENTRED)(x, weight, eps)
        return y + (np.arange(6) == 2).reshape(2, 3), var

    assert named(told(once)) == []


def test_wrong_formulas_are_silent_and_compared_whatever_numpy_is_told():
    empty = mistake("empty", "value", {"mean = x.mean()": "mean = x[:0].mean()"})
    root = mistake("root of eps", "eps", {"np.sqrt(var + eps)": "np.sqrt(eps)"})
    task = replace(TASK, mistakes=(empty, root))
    assert named(told(of(empty), task)) == [["empty"]]
    with np.errstate(all="raise"):
        assert named(told(of(root), task)) == [["root of eps"]]


def test_where_all_that_it_does_is_raise_nothing_is_named():
    def raises(x, weight, eps):
        raise IndexError("no")

    assert named(told(raises)) == []


def test_another_error_or_another_end_is_another_mistake():
    def another(x, weight, eps):
        if eps:
            raise KeyError("no")
        return of()(x, weight, eps)

    assert named(told(another)) == []
    outcomes = [outcome(of(RAISES), case) for case in CASES]
    late = [*outcomes[:2], Outcome(None, "time", outcomes[2].message)]
    results = judge(TASK, CASES, late)
    assert named(diagnose(TASK, CASES, late, results)) == []


def test_variants_are_computed_once():
    variants = Variants(TASK, CASES)
    again = variants.returns((NO_EPS,), PLAIN)
    assert again is not None
    assert variants.returns((NO_EPS,), PLAIN) is again
    assert variants.returns((RAISES,), WITH_EPS) is None
    assert variants.error((RAISES,), WITH_EPS) == "IndexError"
    assert named(told(of(NO_EPS), variants=variants)) == [["no eps"]]


# ---- noise


def test_only_a_mistake_of_rounding_may_come_out_as_other_noise():
    change = {"np.sqrt(var + eps)": "np.sqrt(var + eps) / (1 + 1e-4 * (weight == 1))"}
    rounds = mistake("rounds", "value", change, rounding=True)
    noisy = replace(PLAIN, name="noisy", rounding=True)

    def noise(x, weight, eps):
        y, var = of()(x, weight, eps)
        return y + np.linspace(0, 1e-3, 6).reshape(2, 3), var

    cases = (noisy,)
    task = replace(TASK, mistakes=(rounds,))
    assert named(told(noise, task, cases)) == [["rounds"]]
    assert named(told(noise, task, (PLAIN,))) == []
    assert named(told(noise, replace(TASK, mistakes=(NOT_CENTRED,)), cases)) == []
    pair = replace(TASK, mistakes=(rounds, NO_WEIGHT))

    def noise_without_weight(x, weight, eps):
        return noise(x, weight, eps) if weight == 1 else of(NO_WEIGHT)(x, weight, eps)

    found = told(noise_without_weight, pair, (noisy, WEIGHTED))
    assert named(found) == [["rounds", "no weight"]]
    # It needs the other cases: of one aspect it would explain any number.
    both = told(noise, task, (noisy, replace(WEIGHTED, aspects=("weight",))))
    assert in_parts(both) == {}


# ---- in another form


def transposed(answer):
    def other(x, weight, eps):
        y, var = answer(x, weight, eps)
        return y.T, var

    return other


def test_right_numbers_in_another_form_are_said_to_be_right():
    found = told(transposed(of()))
    assert found.only_form
    assert found.described == (
        "Your numbers are right. Rows and columns are exchanged in what you give back."
    )


def test_a_mistake_in_another_form_is_named_and_the_form_told():
    found = told(transposed(of(NO_WEIGHT)))
    assert named(found) == [["no weight"]]
    assert found.described == "Rows and columns are exchanged in what you give back."
    assert not found.only_form


def test_a_changed_argument_beside_another_form_is_another_matter():
    alone = Aspect("alone", "Alone", 1, leaves_input_alone=True)
    task = replace(TASK, aspects=(*TASK.aspects, alone))
    outcomes = [outcome(transposed(of()), case, modified=("x",)) for case in CASES]
    assert diagnose(task, CASES, outcomes, judge(task, CASES, outcomes)).only_form


# ---- aspect by aspect


def cubed_in_the_plain_case(answer):
    """Return an answer with a slip besides that nobody knows."""

    def other(x, weight, eps):
        y, var = answer(x, weight, eps)
        return (y**3 if weight == 1 and not eps else y), var

    return other


def test_mistakes_in_parts_are_named_together_where_they_are_all():
    def apart(x, weight, eps):
        return of(NOT_CENTRED)(x, weight, eps)[0], of(DDOF)(x, weight, eps)[1]

    assert named(told(apart)) == [["not centred", "ddof"]]
    found = told(cubed_in_the_plain_case(of(NO_WEIGHT, DDOF)))
    assert named(found) == []
    assert in_parts(found) == {"var": ["ddof"], "weight": ["no weight"]}


def test_a_mistake_that_looks_like_another_away_from_home_is_not_named():
    like = mistake("like it", "value", {"weight * (": "(2 - (weight > 1)) * ("})
    found = told(cubed_in_the_plain_case(of(NO_WEIGHT)), replace(TASK, mistakes=(NO_WEIGHT, like)))
    assert in_parts(found) == {"weight": ["no weight"]}


def test_what_is_right_and_what_came_back_is_described():
    def handed_back(x, weight, eps):
        return x, of()(x, weight, eps)[1]

    def for_vectors(x, weight, eps):
        y, var = of()(x, weight, eps)
        return (y if x.ndim == 1 else y**3), var - (x.ndim == 2)

    def one_number(x, weight, eps):
        return x.sum(), of()(x, weight, eps)[1]

    assert "y is one number for everything" in told(one_number).described
    assert told(handed_back).described == "What came back as y is x, as it was given."
    vector = Case("a vector", ("value", "var"), {**PLAIN.arguments, "x": X[0]})
    found = told(for_vectors, cases=(vector, WEIGHTED, WITH_EPS))
    assert found.described == "Right for arrays of 1 axes, wrong for those of 2."


def test_a_known_mistake_is_named_beside_an_unknown_one():
    def half(x, weight, eps):
        y, var = of(NO_WEIGHT)(x, weight, eps)
        return y, var + 0.25

    found = told(half)
    assert named(found) == []
    assert in_parts(found) == {"weight": ["no weight"]}


@pytest.mark.parametrize("number", ["1e-3", "1e-8", "1e-12"])
def test_an_eps_of_another_size_is_named_with_its_number(number):
    found = told(of(mistake("", "eps", {"var + eps": f"var + {number}"})))
    assert named(found) == [[f"eps is {number}"]]
    (one,) = found.explanations[0]
    assert one.what == f"eps is {number}."
    assert one.symptom == f"right for an eps of {number}, off with every other."


def test_an_eps_of_another_size_is_named_beside_another_mistake():
    fixed = mistake("", "eps", {"var + eps": "var + 1e-8"})
    found = told(of(NO_WEIGHT, fixed))
    assert sorted(named(found)[0]) == ["eps is 1e-8", "no weight"]
    nothing = mistake("nothing", "value", {"np.sqrt(": "np.sqrt(0 * mean + "})
    twin = replace(FIXED, key="and 1e-5")
    task = replace(TASK, mistakes=(*MISTAKES, nothing, twin))
    assert named(told(of(fixed), task)) == [["eps is 1e-8"]]
    found = told(cubed_in_the_plain_case(of(fixed)), task)
    assert in_parts(found) == {"eps": ["eps is 1e-8"], "weight": ["eps is 1e-8"]}


def test_numbers_in_the_place_of_an_eps_are_those_that_people_write():
    others = with_other_numbers(TASK)
    keys = [one.key for one in others]
    assert "eps is 1e-5" not in keys
    assert {"eps is 1e-3", "eps is 1e-12", "eps outside, always 1e-5"} <= set(keys)
    assert not any(key.startswith(("not centred", "no weight", "ddof")) for key in keys)
    assert len(keys) == len(set(keys)) == 8 + 9 + 9
    outside = next(one for one in others if one.key == "eps outside, always 1e-5")
    assert outside.what == "eps outside, and is always 1e-5, whatever the caller asks for."
    assert {edit.new for edit in outside.edits} == {"(np.sqrt(var) + 1e-5)"}
    assert outside.spellings == ()
    elsewhere = mistake("x less eps", "value", {"* (x - mean) /": "* (x - eps) /"})
    both = mistake("1e-5 and eps", "eps", {"(var + eps)": "(1e-5 + var * eps)"})
    change = {"weight * (": "(", "var + eps": "var + 1e-5"}
    twice = mistake("1e-5 without weight", "eps", change, spellings=[{"var + eps": "1e-5 + var"}])
    fixed = with_other_numbers(replace(TASK, mistakes=(elsewhere, both, twice)))
    assert [one.key for one in fixed if "1e-8" in one.key] == [
        "1e-8 and eps",
        "1e-8 without weight",
    ]
    assert len(fixed) == 16
    assert not any(one.spellings for one in fixed)


# ---- a step from the learner's own answer


def step_from(own, arguments):
    """From a weight of 1 to another."""
    return {"y": own["y"] * arguments["weight"], "var": own["var"]}


def test_a_mistake_in_one_step_is_named_beside_an_unknown_slip_before_it():
    follows = replace(WEIGHTED, based_on="plain", derive=step_from)

    def answer(x, weight, eps):  # an unknown slip in the first step, no weight in the second
        y, var = of()(x, weight, eps)
        return (y**3 if weight == 1 else (y / weight) ** 3), var

    cases = (PLAIN, follows)
    found = told(answer, cases=cases)
    assert named(found) == []
    assert in_parts(found) == {"weight": ["no weight"]}
    # Not where two mistakes would do it, nor where the step is right.
    twin = replace(NO_WEIGHT, key="weight of 1")
    twins = replace(TASK, mistakes=(*MISTAKES, twin))
    assert in_parts(told(answer, twins, cases)) == {}

    away = mistake("another", "weight", {"weight * (": "(2 - (weight > 1)) * ("})
    assert in_parts(told(answer, replace(TASK, mistakes=(away,)), cases)) == {}

    def another_step(x, weight, eps):
        y, var = answer(x, weight, eps)
        return y * weight**2, var

    def no_base(x, weight, eps):
        return answer(x, weight, eps) if weight > 1 else [][0]

    assert in_parts(told(another_step, cases=cases)) == {}

    def no_step(x, weight, eps):
        return answer(x, weight, eps) if weight == 1 else [][0]

    assert in_parts(told(no_base, cases=cases)) == {}
    assert in_parts(told(no_step, cases=cases)) == {}

    def right_step(x, weight, eps):
        y, var = of()(x, weight, eps)
        return weight * (y / weight) ** 3, var

    assert in_parts(told(right_step, cases=cases)) == {}


# ---- nodes


def with_nodes(answer, made, task, names=("mean", "var", "y")):
    nodes = [task.node_values(case.arguments, made) for case in CASES]
    outcomes = [
        replace(outcome(answer, case), nodes={name: one[name] for name in names})
        for case, one in zip(CASES, nodes, strict=True)
    ]
    results = judge(task, CASES, outcomes)
    return diagnose(task, CASES, outcomes, results)


def test_nodes_that_go_wrong_elsewhere_contradict_a_mistake():
    task = replace(TASK, nodes=("mean", "var", "y"))
    assert named(with_nodes(of(NO_WEIGHT), (NO_WEIGHT,), task)) == [["no weight"]]
    assert named(with_nodes(of(NO_WEIGHT), (DDOF,), task)) == []
    assert named(with_nodes(of(NO_WEIGHT), (), task)) == []
    summed = mistake("summed", "var", {"** 2).mean()": "** 2).sum()"})
    known = replace(task, mistakes=(summed,))
    assert named(with_nodes(of(summed), (summed,), known, names=("y",))) == [["summed"]]


def test_a_function_of_another_shape_has_other_nodes():
    other = replace(NO_WEIGHT, other="another")
    define = SimpleNamespace(np=np, another=of(NO_WEIGHT))
    model = Model("scaled", MODEL.text, lambda: define)
    task = replace(TASK, model=model, mistakes=(other,), nodes=("mean", "var", "y"))
    summed = mistake("summed", "var", {"** 2).mean()": "** 2).sum()"})
    assert named(with_nodes(of(NO_WEIGHT), (summed,), task)) == [["no weight"]]
