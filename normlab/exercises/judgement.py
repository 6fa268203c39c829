"""Judge what a learner's function returned, from plain arrays alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from normlab.exercises.calling import Outcome
from normlab.exercises.exercise import Aspect, Exercise
from normlab.exercises.work import Work, is_noise, spread
from normlab.tasks.case import Case, Outputs

#: A function that computes in float32 is right to about 7 digits. Rounding x moves it by 6e-8 of
#: its size; a difference from the mean may be ten times smaller than x, and a handful of such
#: roundings come together. Every mistake of the catalogue is off by more than fifty times this.
SINGLE_PRECISION = 2e-5


@dataclass(frozen=True)
class CaseResult:
    """One case, judged for one aspect."""

    case: Case
    outcome: Outcome
    expected: Outputs  # only the outputs that count
    own: bool = False  # the expectation was derived from the learner's answer to an earlier case
    #: "" where all is well; else "modified", "shape", "not finite", "values", or the outcome's.
    problem: str = ""
    #: Where the first difference is.
    output: str = ""
    index: tuple[int, ...] = ()
    single: bool = False  # right, but only to the seven digits of float32
    spoiled: bool = False  # right beside the learner's answer to an earlier case, which has a slip


@dataclass(frozen=True)
class AspectResult:
    """An aspect, and what came of each of its cases."""

    aspect: Aspect
    case_results: tuple[CaseResult, ...]
    points: int

    @property
    def passed(self) -> bool:
        """Whether it has all its points, and nothing was found where there are none to have."""
        told = not self.aspect.points and any(one.problem for one in self.case_results)
        return self.points == self.aspect.points and not told

    @property
    def failures(self) -> list[CaseResult]:
        """The results that found something, the case with the fewest numbers first.

        Expectations of the reference come before those derived from the learner's own answers.
        """
        failed = [one for one in self.case_results if one.problem]
        return sorted(failed, key=lambda one: (one.own, one.case.size))


def judge(
    exercise: Exercise,
    cases: Sequence[Case],
    outcomes: Sequence[Outcome],
    right: Mapping[str, Outputs] | None = None,
) -> list[AspectResult]:
    """Give points, aspect by aspect.

    Parameters
    ----------
    cases, outcomes
        What was drawn and what came of each, in the same order.
    right
        What is right in each case, by its name, where that is known already.

    Returns
    -------
    list of AspectResult
        One for each aspect of the exercise, in its order.
    """
    by_name = {case.name: outcome for case, outcome in zip(cases, outcomes, strict=True)}
    references = right or {case.name: exercise.reference(**case.arguments) for case in cases}
    work = Work(cases, outcomes, references)
    named = {case.name: case for case in cases}
    expectations = {
        case.name: (references[case.name], *_derived(case, named, references, by_name, work))
        for case in cases
    }
    results = []
    for aspect in exercise.aspects:
        if aspect.leaves_input_alone:
            continue
        asked = [case for case in cases if aspect.key in case.aspects]
        case_results = [
            _judge_values(aspect, case, by_name[case.name], *expectations[case.name])
            for case in asked
        ]
        earned = not any(v.problem for v in case_results)
        results.append(AspectResult(aspect, tuple(case_results), aspect.points if earned else 0))
    worked = all(result.passed for result in results) or not work.is_none()
    for place, aspect in enumerate(exercise.aspects):
        if aspect.leaves_input_alone:
            case_results = [_judge_input(case, by_name[case.name]) for case in cases]
            earned = worked and not any(v.problem for v in case_results)
            earned = earned and _did_some_work(cases, outcomes)
            points = aspect.points if earned else 0
            results.insert(place, AspectResult(aspect, tuple(case_results), points))
    return results


def _derived(
    case: Case,
    cases: Mapping[str, Case],
    references: Mapping[str, Outputs],
    outcomes: Mapping[str, Outcome],
    work: Work,
) -> tuple[Outputs, bool]:
    """Find what of a case follows from the learner's answer to another, and if that has a slip."""
    if case.derive is None:
        return {}, False
    own, right = outcomes[case.based_on].returned, references[case.based_on]
    if own is None or not _is_usable(own, right):
        return {}, False
    with np.errstate(all="ignore"):
        derived = case.derive(own, case.arguments)
    if not all(np.isfinite(value).all() for value in derived.values()):
        return {}, False
    tolerance = cases[case.based_on].tolerance
    slipped = {name for name in right if differs(own[name], right[name], tolerance).any()}
    told = {
        name: value
        for name, value in derived.items()
        if name not in slipped or not work.is_idle(name)
    }
    return told, bool(slipped)


def _is_usable(own: Outputs, reference: Outputs) -> bool:
    """Whether something can be derived: finite, of the right shape, and not the same all over."""
    return all(
        own[name].shape == right.shape
        and np.isfinite(own[name]).all()
        and not is_noise(own[name], right)
        for name, right in reference.items()
    )


def _judge_values(
    aspect: Aspect,
    case: Case,
    outcome: Outcome,
    reference: Outputs,
    derived: Outputs,
    slipped: bool,
) -> CaseResult:
    """Judge a case by what follows from the learner's own answers, and by what is right.

    What is right is never called wrong, whatever it should be beside an earlier slip.
    """
    names = aspect.outputs or tuple(reference)
    right = {name: reference[name] for name in names}
    if derived.keys().isdisjoint(names):
        return _compare(case, outcome, right)
    result = _compare(case, outcome, {name: derived.get(name, right[name]) for name in names})
    if outcome.returned is None or not (slipped or result.problem):
        return replace(result, own=True)
    truly = _compare(case, outcome, right)
    if result.problem and not truly.problem:
        return truly
    return replace(result, own=True, spoiled=bool(truly.problem))


def _compare(case: Case, outcome: Outcome, expected: Outputs) -> CaseResult:
    if outcome.returned is None:
        return CaseResult(case, outcome, expected, problem=outcome.trouble)
    single = False
    for name, right in expected.items():
        got = outcome.returned[name]
        if got.shape != right.shape:
            return CaseResult(case, outcome, expected, problem="shape", output=name)
        if not differs(got, right, case.tolerance).any():
            continue
        wrong = differs(got, right, max(case.tolerance, SINGLE_PRECISION))
        if wrong.any():
            index = tuple(int(i) for i in np.argwhere(wrong)[0])
            problem = "values" if np.isfinite(got[index]) else "not finite"
            return CaseResult(case, outcome, expected, False, problem, name, index)
        single = True
    return CaseResult(case, outcome, expected, single=single)


def differs(got: np.ndarray, expected: np.ndarray, tolerance: float) -> np.ndarray:
    """Mark where two arrays of one shape differ by more than rounding.

    The measure is the largest magnitude in `expected`: beside it, a number that should be 0 may
    come out as 1e-17. NaN equals NaN, and infinity equals infinity of the same sign.
    """
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    size = np.abs(expected)
    scale = size.max(initial=0.0)
    all_finite = math.isfinite(scale)
    if not all_finite:
        scale = size[np.isfinite(size)].max(initial=0.0)
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(got - expected) <= tolerance * scale
    if not all_finite:
        near |= (got == expected) | (np.isnan(got) & np.isnan(expected))
    return ~near


def same(one: Outputs, other: Outputs, tolerance: float, names: tuple[str, ...] = ()) -> bool:
    """Whether two sets of outputs agree in every shape and value, or those of some names."""
    return all(
        one[name].shape == other[name].shape
        and not differs(one[name], other[name], tolerance).any()
        for name in names or other
    )


def first_wrong_node(own: Outputs, right: Outputs) -> str:
    """Name the first of a learner's nodes that is wrong, in the order of the walk; or none: ""."""
    largest = max(np.abs(value).max() for value in right.values())
    some = (name for name in right if name in own)
    return next((name for name in some if _is_another(own[name], right[name], largest)), "")


def _is_another(got: np.ndarray, right: np.ndarray, largest: float) -> bool:
    """Whether a node is wrong. Axes of size 1 do not matter, nor does what a 0 is rounded to."""
    got, right = got.squeeze(), right.squeeze()
    if got.shape != right.shape:
        return True
    near = np.abs(got - right) <= 1e-9 * largest
    return bool((differs(got, right, SINGLE_PRECISION) & ~near).any())


def _judge_input(case: Case, outcome: Outcome) -> CaseResult:
    return CaseResult(case, outcome, {}, problem="modified" if outcome.modified else "")


def _did_some_work(cases: Sequence[Case], outcomes: Sequence[Outcome]) -> bool:
    """Whether anything came back that is neither constant nor handed through.

    A function that does nothing leaves its input alone; there are no points for that.
    """
    single: dict[str, set[float]] = {}
    for case, outcome in zip(cases, outcomes, strict=True):
        for name, value in (outcome.returned or {}).items():
            if _is_work(value, case):
                return True
            if value.size == 1 and np.isfinite(value).all():
                single.setdefault(name, set()).add(float(value.item()))
    # One number for each case, where an array was asked for: computed, if it varies.
    return any(len(numbers) > 1 for numbers in single.values())


def _is_work(value: np.ndarray, case: Case) -> bool:
    value = np.asarray(value, np.float64)
    finite = value[np.isfinite(value)]
    handed_through = any(np.array_equal(value, given) for given in case.arguments.values())
    return finite.size > 1 and spread(finite) != 0 and not handed_through
