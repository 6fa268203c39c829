"""Find the known mistakes that give exactly what the learner's function returned."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from normlab.exercises.calling import Outcome
from normlab.exercises.exercise import Exercise, Mistake
from normlab.exercises.judgement import SINGLE_PRECISION, AspectResult, differs
from normlab.tasks.case import Case, Outputs

#: Mistakes that a function makes together.
Together = tuple[Mistake, ...]


@dataclass(frozen=True)
class Diagnosis:
    """What the numbers say about the code.

    Parameters
    ----------
    explanations
        Each gives exactly what was returned, on every case. More than one: nothing that was
        tried tells them apart. Single mistakes come alone; pairs only where no single fits.
    hidden
        Mistakes that change nothing while the named one is there, so they may be there too.
    by_aspect
        Where no mistake explains everything: the single mistakes that explain all cases of one
        aspect, by the aspect's key.
    """

    explanations: tuple[Together, ...] = ()
    hidden: tuple[Mistake, ...] = ()
    by_aspect: dict[str, tuple[Mistake, ...]] = field(default_factory=dict)


def diagnose(
    exercise: Exercise,
    cases: Sequence[Case],
    outcomes: Sequence[Outcome],
    results: Sequence[AspectResult],
    variants: "Variants | None" = None,
) -> Diagnosis:
    """Compare a wrong answer with every known mistake, and with every two of them.

    Parameters
    ----------
    exercise
        The exercise.
    cases, outcomes
        What was drawn and what came of each, in the same order.
    results
        The judgement on them.
    variants
        What the known mistakes give in these cases. Whoever examines many answers to the same
        cases makes it once and gives it each time: most of the work is in it.

    Returns
    -------
    Diagnosis
        Empty where the values are right, or where nothing known fits.
    """
    failing = [r for r in results if not r.passed and not r.aspect.leaves_input_alone]
    if not failing:
        return Diagnosis()
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # wrong formulas divide by zero
        return _diagnose(failing, _Suspects(variants or Variants(exercise, cases), outcomes))


def _diagnose(failing: Sequence[AspectResult], suspects: "_Suspects") -> Diagnosis:
    exercise, cases = suspects.exercise, suspects.cases
    singles = [(mistake,) for mistake in exercise.spellings]
    # Exact agreement first. Only an answer in float32 needs the wider tolerance.
    for tolerance in (1e-9, SINGLE_PRECISION):
        for sets in (singles, exercise.pairs):
            found = [one for one in sets if suspects.explain(one, cases, tolerance)]
            if found:
                found = _by_name(exercise, found)
                hidden = suspects.hidden_by(found[0]) if len(found) == 1 else ()
                return Diagnosis(found, hidden)
    by_aspect = {}
    for result in failing:
        asked = [case_result.case for case_result in result.case_results]
        # A mistake that shows as noise would fit any wrong number: it needs the other cases.
        clear = [one for one in singles if not one[0].rounding]
        found = [one for one in clear if suspects.explain(one, asked, 1e-9)]
        if found:
            by_aspect[result.aspect.key] = tuple(one for (one,) in _by_name(exercise, found))
    return Diagnosis(by_aspect=by_aspect)


def _by_name(exercise: Exercise, found: Sequence[Together]) -> tuple[Together, ...]:
    """Return what was found, each mistake once, in whatever spelling it was found."""
    named = {mistake.key: mistake for mistake in exercise.mistakes}
    keys = dict.fromkeys(tuple(mistake.key for mistake in together) for together in found)
    return tuple(tuple(named[key] for key in together) for together in keys)


class Variants:
    """What each set of mistakes gives in each case, computed once and only where needed.

    Parameters
    ----------
    exercise
        The exercise.
    cases
        What was drawn.
    """

    def __init__(self, exercise: Exercise, cases: Sequence[Case]) -> None:
        self.exercise = exercise
        self.cases = tuple(cases)
        self.right = {case.name: exercise.reference(**case.arguments) for case in cases}
        self._computed: dict[tuple[Any, ...], Outputs | None] = {}

    def returns(self, mistakes: Together, case: Case) -> Outputs | None:
        """Return what a function with these mistakes returns, or None where it raises."""
        key = (case.name, *((mistake.key, mistake.edits) for mistake in mistakes))
        if key not in self._computed:
            try:
                self._computed[key] = self.exercise.variant(mistakes, case.arguments)
            except Exception:
                self._computed[key] = None
        return self._computed[key]


class _Suspects:
    """The sets of mistakes, and one answer to hold against them."""

    def __init__(self, variants: Variants, outcomes: Sequence[Outcome]) -> None:
        self.exercise, self.right, self.returns = (
            variants.exercise,
            variants.right,
            variants.returns,
        )
        pairs = zip(variants.cases, outcomes, strict=True)
        self.outcomes = {case.name: outcome for case, outcome in pairs}
        # A wrong suspicion is dropped at the first case that it does not fit: soonest among those
        # where the answer is wrong.
        self.cases = sorted(variants.cases, key=lambda case: (self._is_right(case), case.size))

    def _is_right(self, case: Case) -> bool:
        returned = self.outcomes[case.name].returned
        return returned is not None and same(returned, self.right[case.name], case.tolerance)

    def explain(self, mistakes: Together, cases: Sequence[Case], tolerance: float) -> bool:
        """Whether the learner's function does in these cases what the mistakes would do.

        It must show somewhere: a value that came back, and that is not the right one.
        """
        rounds = any(mistake.rounding for mistake in mistakes)
        shows = False
        for case in cases:
            outcome, right = self.outcomes[case.name], self.right[case.name]
            if outcome.trouble not in ("", "raised"):
                return False
            wrong = self.returns(mistakes, case)
            if (wrong is None) != (outcome.returned is None):
                return False
            if wrong is None:
                continue
            allowed = max(tolerance, case.tolerance)
            noise = rounds and case.rounding  # nobody else's noise is the same
            if not (noise or same(outcome.returned, wrong, allowed)):
                return False
            shows = shows or not same(wrong, right, allowed)
        return shows

    def hidden_by(self, named: Together) -> tuple[Mistake, ...]:
        """Find the mistakes that would change nothing beside the named ones."""
        return tuple(
            other
            for other in self.exercise.mistakes
            if all(other.combines_with(one) for one in named)
            and all(self._makes_no_difference(named, other, case) for case in self.cases)
        )

    def _makes_no_difference(self, named: Together, other: Mistake, case: Case) -> bool:
        alone, beside = self.returns(named, case), self.returns((*named, other), case)
        if alone is None or beside is None:
            return alone is beside
        return same(alone, beside, case.tolerance)


def same(one: Outputs, other: Outputs, tolerance: float) -> bool:
    """Whether two sets of outputs agree in every shape and value."""
    return all(
        one[name].shape == value.shape and not differs(one[name], value, tolerance).any()
        for name, value in other.items()
    )
