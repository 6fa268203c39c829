"""Find the known mistakes that give exactly what the learner's function returned."""

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np

from normlab.exercises.calling import Outcome
from normlab.exercises.described import other_forms, what_came_back, where_right
from normlab.exercises.exercise import Exercise, Mistake
from normlab.exercises.judgement import (
    SINGLE_PRECISION,
    AspectResult,
    first_wrong_node,
    judge,
    same,
)
from normlab.exercises.steps import is_in_the_step
from normlab.tasks.case import Case, Outputs

#: Mistakes that a function makes together.
Together = tuple[Mistake, ...]

_EXACT = 1e-9


@dataclass(frozen=True)
class Diagnosis:
    """What the numbers say about the code."""

    #: Each gives exactly what was returned, on every case. More than one: nothing that was tried
    #: tells them apart. Single mistakes come alone; pairs only where no single fits.
    explanations: tuple[Together, ...] = ()
    #: Mistakes that change nothing while the named one is there, so they may be there too.
    hidden: tuple[Mistake, ...] = ()
    #: Where no mistake explains everything: those that explain all cases of one aspect, by its key.
    by_aspect: dict[str, tuple[Mistake, ...]] = field(default_factory=dict)
    described: str = ""  # what is to be said of the whole answer, besides
    only_form: bool = False  # that is all: but for its form the answer is right


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
    cases, outcomes, results
        What was drawn, what came of each, and the judgement on them.
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
    variants = variants or Variants(exercise, cases)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # wrong formulas divide by zero
        suspects = _Suspects(variants, outcomes)
        whole = _explained(suspects) or _in_another_form(variants, outcomes)
        return whole or _by_aspect(results, suspects)


def _explained(suspects: "_Suspects") -> Diagnosis | None:
    """Name what explains the whole answer."""
    exercise, cases = suspects.exercise, suspects.cases
    singles: list[Together] = [(mistake,) for mistake in exercise.spellings]
    fitting: list[Together] = []
    for sets in (singles, exercise.pairs):
        near = [one for one in sets if suspects.explain(one, cases, SINGLE_PRECISION)]
        exact = [one for one in near if suspects.explain(one, cases, _EXACT)]
        # Exact agreement first. Only an answer in float32 needs the wider tolerance.
        fitting = exact or fitting or near
        if exact:
            break
    if not fitting:
        return None
    found = _by_name(exercise, fitting)
    return Diagnosis(found, suspects.hidden_by(found[0]) if len(found) == 1 else ())


def _in_another_form(variants: "Variants", outcomes: Sequence[Outcome]) -> Diagnosis | None:
    """Ask the same of the answer in the form that it should have, where it has another."""
    exercise, cases = variants.exercise, variants.cases
    for form in other_forms(cases, outcomes, variants.right):
        results = judge(exercise, cases, form.outcomes, variants.right)
        if all(one.passed for one in results if not one.aspect.leaves_input_alone):
            return Diagnosis(described=f"Your numbers are right. {form.said}", only_form=True)
        found = _explained(_Suspects(variants, form.outcomes))
        if found:
            return replace(found, described=form.said)
    return None


def _by_aspect(results: Sequence[AspectResult], suspects: "_Suspects") -> Diagnosis:
    """Name what explains single aspects: mistakes that cost them."""
    exercise = suspects.exercise
    failing = [r for r in results if not r.passed and not r.aspect.leaves_input_alone]
    costs = {result.aspect.key: result for result in failing}

    def at_home(mistakes: Sequence[Mistake]) -> list[Mistake]:
        """Keep those that explain their own aspect; elsewhere a mistake may look like another.

        One that shows as noise would fit any wrong number: it needs the other cases.
        """
        clear = [one for one in mistakes if one.aspect in costs and not one.rounding]
        return [one for one in clear if suspects.explain_aspect(one, costs[one.aspect])]

    clear, others = at_home(exercise.spellings), at_home(with_other_numbers(exercise))
    by_aspect = {}
    for result in failing:
        found = [one for one in clear if suspects.explain_aspect(one, result)]
        if not found:
            found = [one for one in others if suspects.explain_aspect(one, result)][:1]
            for one in found:
                beside = [other for other in exercise.spellings if one.combines_with(other)]
                sets = [(one,), *((one, other) for other in beside)]
                whole = [some for some in sets if suspects.explain(some, suspects.cases, _EXACT)]
                if whole:
                    return Diagnosis(_by_name(exercise, whole[:1]))
        if found:
            named = _by_name(exercise, [(one,) for one in found])
            by_aspect[result.aspect.key] = tuple(one for (one,) in named)
    for together in product(*by_aspect.values()):
        together = tuple({mistake.key: mistake for mistake in together}.values())
        if len(together) > 1 and suspects.explain(together, suspects.cases, _EXACT):
            return Diagnosis((together,), suspects.hidden_by(together))
    for result in failing:
        if result.aspect.key not in by_aspect:
            found = [one for one in exercise.mistakes if suspects.explain_step(one, result)]
            if len(found) == 1:
                by_aspect[result.aspect.key] = tuple(found)
    outcomes = [suspects.outcomes[case.name] for case in suspects.cases]
    described = what_came_back(suspects.cases, outcomes, suspects.right) or where_right(results)
    return Diagnosis(by_aspect=by_aspect, described=described)


def _by_name(exercise: Exercise, found: Sequence[Together]) -> tuple[Together, ...]:
    """Return what was found, each mistake once, in whatever spelling it was found."""
    named = {mistake.key: mistake for mistake in exercise.mistakes}
    by_keys = {tuple(mistake.key for mistake in together): together for together in found}
    return tuple(tuple(named.get(one.key, one) for one in some) for some in by_keys.values())


#: Numbers that people write in the place of an argument; beside those that a catalogue knows.
_WRITTEN = ("1e-3", "1e-4", "1e-6", "1e-7", "1e-8", "1e-9", "1e-10", "1e-12")
_KNOWN = "1e-5"


def with_other_numbers(exercise: Exercise) -> list[Mistake]:
    """Return the mistakes that write 1e-5 in the place of an argument, with other numbers.

    So do those that put the argument in another place.
    """
    return [
        one
        for mistake in exercise.mistakes
        for number in (_KNOWN, *_WRITTEN)
        for one in _with_number(mistake, number)
    ]


def _with_number(mistake: Mistake, number: str) -> Iterator[Mistake]:
    fixed = any(_KNOWN in edit.new for edit in mistake.edits)
    if fixed and number != _KNOWN:
        edits = frozenset(e._replace(new=e.new.replace(_KNOWN, number)) for e in mistake.edits)
        words = {w: getattr(mistake, w).replace(_KNOWN, number) for w in ("key", "what")}
        symptom = f"right for an eps of {number}, off with every other."
        yield replace(mistake, edits=edits, spellings=(), symptom=symptom, **words)
    if mistake.aspect != "eps" or fixed:
        return
    edits = frozenset(e._replace(new=re.sub(r"\beps\b", number, e.new)) for e in mistake.edits)
    if edits != mistake.edits:
        what = f"{mistake.what.rstrip('.')}, and is always {number}, whatever the caller asks for."
        key = f"{mistake.key}, always {number}"
        yield replace(mistake, key=key, what=what, edits=edits, spellings=())


class Variants:
    """What each set of mistakes gives in each case, computed once and only where needed."""

    def __init__(self, exercise: Exercise, cases: Sequence[Case]) -> None:
        self.exercise = exercise
        self.cases = tuple(cases)
        self.right = {case.name: exercise.reference(**case.arguments) for case in cases}
        self._computed: dict[tuple[Any, ...], tuple[Outputs | None, str]] = {}

    def returns(self, mistakes: Together, case: Case) -> Outputs | None:
        """Return what a function with these mistakes returns, or None where it raises."""
        return self._made(mistakes, case)[0]

    def error(self, mistakes: Together, case: Case) -> str:
        """Return what a function with these mistakes raises, by name."""
        return self._made(mistakes, case)[1]

    def _made(self, mistakes: Together, case: Case) -> tuple[Outputs | None, str]:
        key = case.name, frozenset((mistake.key, mistake.edits) for mistake in mistakes)
        if key not in self._computed:
            try:
                self._computed[key] = self.exercise.variant(mistakes, case.arguments), ""
            except Exception as error:
                self._computed[key] = None, type(error).__name__
        return self._computed[key]


class _Suspects:
    """The sets of mistakes, and one answer to hold against them."""

    def __init__(self, variants: Variants, outcomes: Sequence[Outcome]) -> None:
        self.exercise, self.right = variants.exercise, variants.right
        self.returns, self.error = variants.returns, variants.error
        self._by_name = {case.name: case for case in variants.cases}
        pairs = zip(variants.cases, outcomes, strict=True)
        self.outcomes = {case.name: outcome for case, outcome in pairs}
        # A wrong suspicion is dropped at the first case that it does not fit: soonest among those
        # where the answer is wrong.
        self.cases = sorted(variants.cases, key=lambda case: (self._is_right(case), case.size))

    def _is_right(self, case: Case) -> bool:
        returned = self.outcomes[case.name].returned
        return returned is not None and same(returned, self.right[case.name], case.tolerance)

    def explain(
        self,
        mistakes: Together,
        cases: Sequence[Case],
        tolerance: float,
        outputs: tuple[str, ...] = (),
    ) -> bool:
        """Whether the learner's function does in these cases what the mistakes would do.

        It must show somewhere: a value that came back, and that is not the right one; or, beside
        values that came back, the same error. Only some outputs are compared, if that is said.
        """
        rounds = any(mistake.rounding for mistake in mistakes)
        shows = raises = ran = False
        for case in cases:
            outcome, right = self.outcomes[case.name], self.right[case.name]
            if outcome.trouble not in ("", "raised"):
                return False
            wrong, own = self.returns(mistakes, case), outcome.returned
            if wrong is None or own is None:
                if wrong is not own:
                    return False
                raises = raises or f"raised {self.error(mistakes, case)}" in outcome.message
                continue
            ran = True
            allowed = max(tolerance, case.tolerance)
            noise = rounds and case.rounding  # nobody else's noise is the same
            if not (noise or same(own, wrong, allowed, outputs)):
                return False
            shows = shows or not same(right, wrong, allowed, outputs)
        return (shows or (raises and ran)) and not self._contradict(mistakes, cases)

    def _contradict(self, mistakes: Together, cases: Sequence[Case]) -> bool:
        """Whether the learner's own nodes go wrong at another place than the mistakes' do."""
        if not self.exercise.nodes or any(mistake.other for mistake in mistakes):
            return False
        for case in cases:
            if own := self.outcomes[case.name].nodes:
                right = self.exercise.node_values(case.arguments)
                wrong = self.exercise.node_values(case.arguments, mistakes)
                wrong = {name: value for name, value in wrong.items() if name in own}
                if first_wrong_node(own, right) != first_wrong_node(wrong, right):
                    return True
        return False

    def explain_aspect(self, mistake: Mistake, result: AspectResult) -> bool:
        """Whether a mistake explains what counts in an aspect, and costs it."""
        asked = [case_result.case for case_result in result.case_results]
        return self.explain((mistake,), asked, _EXACT, result.aspect.outputs)

    def explain_step(self, mistake: Mistake, result: AspectResult) -> bool:
        """Whether a mistake explains an aspect, given the learner's own answers before it."""
        own = {name: one.returned for name, one in self.outcomes.items() if one.returned}
        for one in result.case_results:
            case, wrong = one.case, self.returns((mistake,), one.case)
            if mistake.aspect != result.aspect.key or wrong is None or case.derive is None:
                return False
            before = self.returns((mistake,), self._by_name[case.based_on])
            if before is None or not same(before, self.right[case.based_on], case.tolerance):
                return False
            both = {case.name, case.based_on} <= own.keys()
            if not (both and is_in_the_step(case, own, self.right, wrong)):
                return False
        return True

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
