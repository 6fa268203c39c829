"""What a check says: points by aspect, the mistake by its name, and what to try next."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from normlab.exercises.calling import Outcome
from normlab.exercises.diagnosis import Diagnosis
from normlab.exercises.exercise import Exercise, Mistake
from normlab.exercises.judgement import SINGLE_PRECISION, AspectResult, CaseResult, differs
from normlab.exercises.panel import Line, Remark, Report
from normlab.tasks.case import Arguments

_MOST_NUMBERS = 40  # an array with more is shown by its corners


def refusal(name: str, exercise: Exercise | None, message: str, next_step: str) -> Report:
    """Report on an answer that was not called at all.

    Parameters
    ----------
    name
        Of the exercise.
    exercise
        Its entry, or None where there is none of that name.
    message, next_step
        Why not, and what to do.
    """
    aspects = exercise.aspects if exercise else ()
    lines = tuple(Line(aspect.title, 0, aspect.points) for aspect in aspects)
    return Report(name, lines, (Remark(message),), next_step=next_step)


def report_on(
    exercise: Exercise,
    outcomes: Sequence[Outcome],
    results: Sequence[AspectResult],
    diagnosis: Diagnosis,
    then: str,
) -> Report:
    """Put a judgement and a diagnosis into words.

    Parameters
    ----------
    exercise
        The exercise.
    outcomes, results, diagnosis
        What came of the calls, of `judge` and of `diagnose`.
    then
        What to do next once everything is right.
    """
    if all(outcome.trouble == "not written" for outcome in outcomes):
        untouched = refusal(
            exercise.name,
            exercise,
            "Not begun yet: the function still raises NotImplementedError. "
            "Your code goes in its place.",
            exercise.first_step,
        )
        return replace(untouched, begun=False)
    lines = _lines(results, diagnosis)
    return Report(
        exercise.name,
        lines,
        notes=(*_about_nodes(exercise, results), *_notes(exercise, outcomes, results)),
        next_step=_next_step(exercise, results, diagnosis, then),
        mistakes=tuple(m.key for together in diagnosis.explanations for m in together),
    )


# ---- aspect by aspect


def _lines(results: Sequence[AspectResult], diagnosis: Diagnosis) -> tuple[Line, ...]:
    places = _where_named(results, diagnosis)
    lines: list[Line] = []
    said: set[str] = set()
    for result in results:
        remarks: tuple[Remark, ...] = ()
        follows = ""
        key = result.aspect.key
        if result.passed:
            pass
        elif result.aspect.leaves_input_alone:
            remarks = _about_the_input(result)
        elif key in places:
            remarks = places[key]
        elif diagnosis.explanations:
            follows = "follows from the same mistake"
        elif key in diagnosis.by_aspect:
            remarks = _name(diagnosis.by_aspect[key][0], "In these cases you got")
        else:
            remarks, follows = _unexplained(result.failures[0], said)
        lines.append(
            Line(result.aspect.title, result.points, result.aspect.points, remarks, follows)
        )
    return tuple(lines)


def _where_named(
    results: Sequence[AspectResult], diagnosis: Diagnosis
) -> dict[str, tuple[Remark, ...]]:
    """Put each named mistake under the aspect it belongs to, or else the first that fails."""
    failing = [r.aspect.key for r in results if not r.passed and not r.aspect.leaves_input_alone]
    if len(diagnosis.explanations) > 1:
        return {failing[0]: _cannot_tell(diagnosis.explanations)}
    places: dict[str, tuple[Remark, ...]] = {}
    for together in diagnosis.explanations:
        for mistake in together:
            key = mistake.aspect if mistake.aspect in failing else failing[0]
            places[key] = places.get(key, ()) + _name(mistake, "You got")
        if diagnosis.hidden:
            last = next(reversed(places))
            places[last] += (_may_hide(diagnosis.hidden),)
    return places


def _name(mistake: Mistake, you_got: str) -> tuple[Remark, ...]:
    return (
        Remark(f"{you_got} what comes out when {mistake.what}"),
        Remark(mistake.symptom, "From outside"),
        Remark(mistake.hint, "Hint"),
    )


def _cannot_tell(explanations: Sequence[tuple[Mistake, ...]]) -> tuple[Remark, ...]:
    """Say honestly that several mistakes would give exactly these numbers."""
    remarks = [
        Remark("More than one mistake gives exactly your numbers; they cannot be told apart.")
    ]
    for number, together in enumerate(explanations):
        what = " And: ".join(mistake.what for mistake in together)
        remarks.append(Remark(what, "Or" if number else "Either"))
        remarks += [Remark(mistake.hint, "Hint") for mistake in together]
    return tuple(remarks)


def _may_hide(hidden: Sequence[Mistake]) -> Remark:
    others = "; or ".join(mistake.what.rstrip(".") for mistake in hidden)
    return Remark(f"while this is so, it cannot be seen whether also {others}.", "Not told apart")


def _about_the_input(result: AspectResult) -> tuple[Remark, ...]:
    changed = sorted({name for v in result.failures for name in v.outcome.modified})
    if not changed:
        return (Remark("Not counted: nothing came back that was computed from the input."),)
    return (
        Remark(f"Your function changed {' and '.join(changed)}, which belongs to the caller."),
        Remark("which line writes into it? `x -= ...` and `x[...] = ...` do.", "Hint"),
    )


# ---- what no known mistake explains


def _unexplained(case_result: CaseResult, said: set[str]) -> tuple[tuple[Remark, ...], str]:
    """Show the smallest failing case; of the same trouble, only the first time."""
    outcome = case_result.outcome
    if case_result.problem in ("values", "not finite", "shape"):
        short = "values" in said
        said.add("values")
        return (_difference_in_short(case_result) if short else _difference(case_result)), ""
    if outcome.trouble == "not called":
        return (), "not called any more"
    trouble = re.sub(r"\d+", "", outcome.message)  # of other sizes it is the same
    if trouble in said:
        return (), "the same again"
    said.add(trouble)
    first, *more = outcome.message.split("\n")
    return (
        Remark(f"On {case_result.case.name}:"),
        Remark(first),
        *(Remark(line, code=True) for line in more),
    ), ""


def _difference_in_short(case_result: CaseResult) -> tuple[Remark, ...]:
    return (Remark(f"On {case_result.case.name}: {_first_difference(case_result)}"),)


def _difference(case_result: CaseResult) -> tuple[Remark, ...]:
    """Show input, expected and got, and what can be said about the difference."""
    name = case_result.output
    expected, got = case_result.expected[name], case_result.outcome.returned[name]
    right = _labelled(f"expected {name}", expected, below=True)
    wrong = _labelled(f"got {name}", got, below=True)
    given = "\n".join(_labelled(key, value) for key, value in case_result.case.arguments.items())
    remarks = [
        Remark(
            f"No known mistake gives these numbers. The smallest case: {case_result.case.name}."
        ),
        Remark(given, code=True),
        Remark(right, code=True, beside=wrong),
        Remark(_first_difference(case_result)),
    ]
    if case_result.own:
        basis = f"What is expected follows from your own answer to: {case_result.case.based_on}."
        remarks.append(Remark(basis))
    pattern = describe_pattern(got, expected, case_result.case.arguments)
    return (*remarks, Remark(pattern)) if pattern else tuple(remarks)


def _first_difference(case_result: CaseResult) -> str:
    name = case_result.output
    expected, got = case_result.expected[name], case_result.outcome.returned[name]
    if case_result.problem == "shape":
        return describe_shapes(name, got.shape, expected.shape)
    right, wrong = float(expected[case_result.index]), float(got[case_result.index])
    where = f"{name}[{', '.join(map(str, case_result.index))}]"
    return f"The first difference is {where}: expected {right:.6g}, got {wrong:.6g}."


def _labelled(name: str, value: object, below: bool = False) -> str:
    """Write "name = value", an array below its name where it needs more than a line."""
    if not isinstance(value, np.ndarray):
        return f"{name} = {value}"
    text = np.array2string(
        value.astype(np.float64),
        max_line_width=60,
        precision=4,
        threshold=_MOST_NUMBERS,
        edgeitems=2,
        suppress_small=False,
        floatmode="maxprec",
        sign="-",
        formatter=None,
    )
    return f"{name} =\n{text}" if below or "\n" in text else f"{name} = {text}"


def describe_shapes(name: str, got: tuple[int, ...], expected: tuple[int, ...]) -> str:
    """Say in which axis two shapes differ."""
    said = f"{name} should have the shape {expected}; yours is {got}"
    if len(got) > 1 and got != expected and sorted(got) == sorted(expected):
        return f"{said}: the axes are in another order."
    if len(got) == len(expected):
        axis = next(axis for axis, size in enumerate(got) if size != expected[axis])
        return f"{said}: axis {axis} has {got[axis]} where {expected[axis]} is asked."
    return f"{said}: {len(got)} axes where {len(expected)} are asked."


def describe_pattern(got: np.ndarray, expected: np.ndarray, arguments: Arguments) -> str:
    """Say what the wrong numbers have in common, where they have something."""
    for name, value in arguments.items():
        if np.array_equal(got, value):
            return f"What came back is {name}, as it was given."
    if got.dtype.kind in "iu":
        return f"Your numbers are whole ({got.dtype}): what came after the point is cut off."
    if got.shape != expected.shape or not np.isfinite(got).all():
        return ""
    if got.ndim == 2 and got.shape[0] == got.shape[1] and not differs(got.T, expected, 1e-6).any():
        return "Your numbers are the expected ones, with rows and columns exchanged."
    factor = _common(got, expected, np.divide)
    if factor is not None:
        return f"Your numbers are the expected ones times {factor:.6g}, everywhere."
    shift = _common(got, expected, np.subtract)
    if shift is not None:
        return f"Your numbers are the expected ones plus {shift:.6g}, everywhere."
    return ""


def _common(got: np.ndarray, expected: np.ndarray, relation: np.ufunc) -> float | None:
    """Return the quotient or difference that all entries share, if they do."""
    some = expected != 0 if relation is np.divide else np.ones(expected.shape, bool)
    if some.sum() < 2 or (got[~some] != 0).any():
        return None
    related = relation(got[some].astype(np.float64), expected[some])
    if np.ptp(related) > 1e-6 * np.abs(related).max():
        return None
    return float(related[0])


# ---- the nodes of a graph


def _about_nodes(exercise: Exercise, results: Sequence[AspectResult]) -> tuple[Remark, ...]:
    """Say which of the gradients that were returned beside the answer is the first wrong one."""
    failures = [case_result for result in results for case_result in result.failures]
    told = [case_result for case_result in failures if case_result.outcome.nodes]
    if not exercise.nodes or not told:
        return ()
    known, compared = (), ()
    for case_result in sorted(told, key=lambda case_result: case_result.case.size):
        right, got = exercise.right_nodes(case_result.case.arguments), case_result.outcome.nodes
        known, compared = tuple(right), tuple(name for name in right if name in got)
        largest = max(np.abs(value).max() for value in right.values())
        for name in compared:
            if _is_another(got[name], right[name], 1e-9 * largest):
                before = compared[: compared.index(name)]
                return _first_wrong_node(case_result, name, right[name], before)
    if compared:
        said = f"{', '.join(compared)}: all right, also where the answer is wrong."
        return (Remark(f"{said} The slip comes after them.", "Your nodes"),)
    said = f"nothing in your dict is a node of this task. Their names are {', '.join(known)}."
    return (Remark(said, "Your nodes"),)


def _is_another(got: np.ndarray, right: np.ndarray, rounding: float) -> bool:
    """Whether a node is wrong. Axes of size 1 do not matter, nor does what a 0 is rounded to."""
    got, right = got.squeeze(), right.squeeze()
    if got.shape != right.shape:
        return True
    near = np.abs(got - right) <= rounding
    return bool((differs(got, right, SINGLE_PRECISION) & ~near).any())


def _first_wrong_node(
    case_result: CaseResult, name: str, right: np.ndarray, before: tuple[str, ...]
) -> tuple[Remark, ...]:
    fine = f" Right before it: {', '.join(before)}." if before else ""
    where = f"the first that differs is {name}, on {case_result.case.name}.{fine}"
    got = _labelled(f"got {name}", case_result.outcome.nodes[name], below=True)
    expected = _labelled(f"expected {name}", right, below=True)
    return Remark(where, "Your nodes"), Remark(expected, code=True, beside=got)


# ---- besides


def _notes(
    exercise: Exercise, outcomes: Sequence[Outcome], results: Sequence[AspectResult]
) -> tuple[Remark, ...]:
    notes = []
    characters = sum(outcome.printed_characters for outcome in outcomes)
    if characters:
        printed = next(outcome for outcome in outcomes if outcome.printed_characters)
        whole = printed.printed_characters == len(printed.printed)
        first = "those of one call" if whole else f"the first {len(printed.printed)}"
        notes.append(Remark(f"Your function printed {characters:,} characters; here are {first}:"))
        notes.append(Remark(printed.printed.rstrip("\n"), code=True))
    all_right = all(result.passed for result in results)
    warned = sorted({warning for outcome in outcomes for warning in outcome.warned})
    if warned and not all_right:
        library = "NumPy" if "torch" in exercise.forbidden else "PyTorch"
        notes.append(Remark(f"{'; '.join(warned[:3])}.", f"{library} warned"))
    if all_right and any(
        case_result.single for result in results for case_result in result.case_results
    ):
        notes.append(
            Remark(
                "right to about 7 digits, where float64 carries 15. Somewhere the numbers pass "
                "through float32, or a tiny constant is added. It costs nothing.",
                "Note",
            )
        )
    return tuple(notes)


_WHAT_TO_DO = {
    "raised": "mend what raises the error",
    "not written": "write the part that still raises NotImplementedError",
    "time": "find the loop that never ends",
    "not called": "make it faster: when the time was up, not every case had been tried",
    "none": "return the result",
    "type": "return what is asked for",
    "shape": "print the shape of every intermediate",
    "not finite": "find out where the first NaN or infinity arises: print every intermediate",
    "values": "work the case above out by hand, and print every intermediate beside your numbers",
}


def _next_step(
    exercise: Exercise, results: Sequence[AspectResult], diagnosis: Diagnosis, then: str
) -> str:
    failing = [result for result in results if not result.passed]
    if not failing:
        return then
    again = "then run the check again."
    named = [mistake for together in diagnosis.explanations for mistake in together]
    named += [found[0] for found in diagnosis.by_aspect.values()]
    if named:
        parts = " and ".join(dict.fromkeys(mistake.next for mistake in named))
        return f"mend {parts}, {again}{_read_again(exercise, named[0])}"
    problem = next((result.failures[0].problem for result in failing if result.failures), "values")
    if problem == "modified":
        return f"work on a copy, or on new arrays, {again}"
    return f"{_WHAT_TO_DO[problem]}, {again}"


def _read_again(exercise: Exercise, mistake: Mistake) -> str:
    """Name the place in the lesson; a teacher's own exercise may have none."""
    if not mistake.section:
        return ""
    lesson = f"Lesson {int(exercise.lesson)}, " if exercise.lesson else ""
    return f' {lesson}"{mistake.section}".'
