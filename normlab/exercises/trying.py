"""Try a task: see that every mistake is seen and named alone, and which slips nobody listed."""

import ast
import difflib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from normlab.exercises.calling import Outcome, call_all
from normlab.exercises.diagnosis import Diagnosis, Variants, diagnose
from normlab.exercises.exercise import Exercise, Mistake, draw_cases
from normlab.exercises.judgement import AspectResult, judge
from normlab.exercises.repairs import repairs
from normlab.exercises.tree import Function
from normlab.tasks.case import Case

SEEDS = 20
_SECONDS = 20.0

# ---- every mistake and every pair


def trials(exercise: Exercise, seeds: int = SEEDS) -> list[tuple[int, tuple[Mistake, ...]]]:
    """List what to try: in each seed the model, each mistake in each spelling, each pair."""
    sets = [(), *((mistake,) for mistake in exercise.spellings), *exercise.pairs]
    return [(seed, mistakes) for seed in range(seeds) for mistakes in sets]


class Trial:
    """The cases of an exercise, drawn anew for each seed, and what is complained of in them."""

    def __init__(self, exercise: Exercise) -> None:
        self.exercise = exercise
        self._seed, self._variants = -1, Variants(exercise, ())

    def complaint(self, seed: int, mistakes: tuple[Mistake, ...]) -> str:
        """Say what is wrong with the model, a mistake or a pair, and where it is written; or ""."""
        said = self._draw(seed) if seed != self._seed else ""
        said = said or self._look_at(mistakes)
        places = [self.exercise.places[m.key] for m in mistakes if m.key in self.exercise.places]
        who = " and ".join(f"“{mistake.key}”" for mistake in mistakes) or "the model"
        return f"{''.join(f'{place}: ' for place in places[:1])}{who} {said}." if said else ""

    def _draw(self, seed: int) -> str:
        """Draw the cases of a seed, and say whether the model cannot be run on them."""
        exercise = self.exercise
        try:
            cases = draw_cases(exercise, seed)
            said = _about_cases(exercise, cases)
            if said:
                return said
            self._variants = Variants(exercise, cases)
        except Exception as problem:
            return f"cannot be run: {type(problem).__name__}: {problem}"
        self._seed = seed
        return ""

    def _look_at(self, mistakes: tuple[Mistake, ...]) -> str:
        exercise = self.exercise
        try:
            answer = _answer(exercise, mistakes)
        except SyntaxError as problem:
            return f"is no Python: {problem.msg}"
        outcomes, results, found = _examine(exercise, answer, self._variants)
        named = {tuple(mistake.key for mistake in some) for some in found.explanations}
        raised = [outcome.message.split("\n")[0] for outcome in outcomes if outcome.trouble]
        if not mistakes:
            lost = [result.aspect.key for result in results if not result.passed]
            return f"gets no points for {', '.join(lost)}" if lost else ""
        if all(result.passed for result in results):
            return "gets all points: no case sees it"
        if len(raised) == len(outcomes):
            return f"has no result in any case: {raised[0].rstrip('.')}"
        if named != {tuple(mistake.key for mistake in mistakes)}:
            others = " or ".join(" and ".join(f"“{key}”" for key in keys) for keys in sorted(named))
            return f"is called {others}" if others else "is not named"
        costs = {result.aspect.key for result in results if not result.passed}
        free = [m.aspect for m in mistakes if m.aspect not in costs] if len(mistakes) == 1 else []
        return f"does not cost the aspect `{free[0]}` that it stands under" if free else ""


def _about_cases(exercise: Exercise, cases: Sequence[Case]) -> str:
    """Say what of the cases does not fit the exercise."""
    aspects = {aspect.key for aspect in exercise.aspects}
    seen: set[str] = set()
    for case in cases:
        if unknown := set(case.aspects) - aspects:
            return f"has a case “{case.name}” for `{unknown.pop()}`, which is no aspect"
        if tuple(case.arguments) != exercise.parameters:
            wanted, given = ", ".join(exercise.parameters), ", ".join(case.arguments)
            return f"takes {wanted}, and the case “{case.name}” gives {given}"
        if case.name in seen or (case.based_on and case.based_on not in seen):
            return f"has a case “{case.name}” that is there twice, or before the one it is based on"
        seen.add(case.name)
    asked = {key for case in cases for key in case.aspects}
    free = [a.key for a in exercise.aspects if not a.leaves_input_alone and a.key not in asked]
    return f"is never asked for the aspect `{free[0]}`: no case names it" if free else ""


def _answer(exercise: Exercise, mistakes: tuple[Mistake, ...]) -> Callable[..., Any]:
    """Return what a learner would write who makes these mistakes, as `call_all` calls it."""
    if exercise.known:  # what it gives is known, and nothing is run

        def answer(*_: Any) -> tuple:  # noqa: ANN401
            return tuple(exercise.variant(mistakes, {}).values())

        return answer
    return exercise.as_function(exercise.program(mistakes))


def _examine(
    exercise: Exercise, answer: Callable[..., Any], variants: Variants
) -> tuple[list[Outcome], list[AspectResult], Diagnosis]:
    seconds = exercise.seconds or _SECONDS
    outcomes = call_all(answer, variants.cases, exercise.returns, seconds)
    results = judge(exercise, variants.cases, outcomes, variants.right)
    return outcomes, results, diagnose(exercise, variants.cases, outcomes, results, variants)


# ---- as a list of diffs


def diffs(exercise: Exercise) -> Iterator[str]:
    """Yield the lines of a list of what each mistake writes otherwise than the model."""
    yield from exercise.model.text.rstrip().splitlines()
    for mistake in exercise.mistakes:
        yield ""
        yield f"{mistake.key}  ({mistake.aspect})"
        yield f"    {mistake.what}"
        if mistake.other:
            yield f"    another function: {mistake.other}"
        for name, value in mistake.gives.items():
            yield f"    gives {name} = {value:g}"
        for number, edits in enumerate((mistake.edits, *mistake.spellings)):
            if number:
                yield "    or"
            old, new = exercise.model.text, exercise.model.changed(edits)
            compared = difflib.ndiff(old.splitlines(), new.splitlines())
            yield from (f"  {line}" for line in compared if line[0] in "+-")


# ---- slips by rule


#: The kinds of repairs that are slips in a right program.
_SLIPS = ("operator", "axes", "number", "name", "term too many")


def slips(text: str) -> dict[str, str]:
    """Make small slips in a program, by the rules that would undo them in a learner's.

    Another sign, another axis, another number, another name, a term or a call left out. The text
    with a slip leads to what is written otherwise, "line 3: x - mean -> (x + mean)".
    """
    tree = ast.parse(text)
    function, made = Function(tree.body[0]), dict[str, str]()
    for repair in (one for kind in _SLIPS for one in repairs(function, kind)):
        ((place, new), *more) = repair.changes
        old = place.get()
        was, said = ast.unparse(old), ast.unparse(new)
        if more or said == was or "*range" in said:  # such axes are often the same ones
            continue
        if repair.kind == "term too many" or type(new) is type(old):
            with repair.made():
                made.setdefault(ast.unparse(tree), f"line {old.lineno}: {was} -> ({said})")
    return made


#: What comes of a slip: it passes, it raises, or how much of it is named.
FATES = ("passes", "not named", "named in part", "named as two", "named", "raises")


def fate(exercise: Exercise, text: str, variants: Variants) -> str:
    """Say what comes of a program with a slip in it, as one of `FATES`."""
    model = exercise.model
    slipped = type(model)(model.name, text, model.define)
    try:
        answer = exercise.as_function(slipped.program())
    except Exception:
        return "raises"
    outcomes, results, found = _examine(exercise, answer, variants)
    if all(result.passed for result in results):
        return "passes"
    if all(outcome.trouble for outcome in outcomes):
        return "raises"
    if found.explanations:
        return "named" if len(found.explanations[0]) == 1 else "named as two"
    return "named in part" if found.by_aspect else "not named"
