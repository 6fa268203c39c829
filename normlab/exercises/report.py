"""What a check says: points by aspect, the mistake by its name, and what to try next."""

import re
from collections.abc import Sequence

import numpy as np

from normlab.exercises.arrays import cut, expected_and_got, given, two_numbers
from normlab.exercises.calling import Outcome
from normlab.exercises.described import describe_pattern, describe_shapes
from normlab.exercises.diagnosis import Diagnosis
from normlab.exercises.errors import in_words
from normlab.exercises.exercise import Exercise, Mistake
from normlab.exercises.judgement import AspectResult, CaseResult, first_wrong_node
from normlab.exercises.panel import Line, Remark, Report
from normlab.tasks.case import Arguments

_MOST_ROWS = 12  # of text, for all the arrays of a case together


def refusal(name: str, exercise: Exercise | None, message: str, next_step: str) -> Report:
    """Report on an answer that was not called at all: why not, and what to do."""
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
        lines = tuple(Line(one.title, 0, one.points, begun=False) for one in exercise.aspects)
        said = "Not begun yet: the function still raises NotImplementedError. Your code goes there."
        return Report(exercise.name, lines, (Remark(said),), next_step=exercise.first_step)
    return Report(
        exercise.name,
        _lines(results, diagnosis),
        notes=(*_about_nodes(exercise, results), *_notes(exercise, outcomes, results)),
        next_step=_next_step(exercise, results, diagnosis, then),
        mistakes=tuple(m.key for together in diagnosis.explanations for m in together),
        achieved=exercise.can,
        unexplained=_first_unexplained(results, diagnosis),
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
            spoiled = any(one.spoiled for one in result.case_results)
            if spoiled and any(not one.passed for one in lines):
                follows = "given the mistake above"
        elif result.aspect.leaves_input_alone:
            remarks = _about_the_input(result)
        elif key in places:
            remarks = places[key]
        elif diagnosis.only_form:
            follows = "follows from the same"
        elif diagnosis.explanations:
            follows = "follows from the same mistake"
        elif key in diagnosis.by_aspect:
            remarks, follows = _named_in_part(diagnosis.by_aspect[key], said)
        else:
            remarks, follows = _unexplained(result.failures[0], said)
        if diagnosis.described and not result.passed and "described" not in said:
            said.add("described")
            remarks = (Remark(diagnosis.described), *remarks)
            follows = ""
        told = not result.aspect.points and not result.passed
        follows = follows or ("told, and not graded" if told else "")
        most = result.aspect.points
        lines.append(Line(result.aspect.title, result.points, most, remarks, follows, told=told))
    return tuple(lines)


def _first_unexplained(results: Sequence[AspectResult], diagnosis: Diagnosis) -> int | None:
    if diagnosis.explanations:
        return None
    for number, result in enumerate(results):
        known = result.aspect.key in diagnosis.by_aspect
        if not (result.passed or result.aspect.leaves_input_alone or known):
            return number
    return None


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
            places[key] = places.get(key, ()) + _name(mistake, "Your numbers are")
        if diagnosis.hidden:
            others = "; or ".join(mistake.what.rstrip(".") for mistake in diagnosis.hidden)
            said = f"while this is so, it cannot be seen whether also {others}."
            places[next(reversed(places))] += (Remark(said, "Not told apart"),)
    return places


def _name(mistake: Mistake, these_are: str) -> tuple[Remark, ...]:
    return (
        Remark(f"{these_are} what comes out when {mistake.what}"),
        Remark(mistake.symptom, "Symptom"),
        Remark(mistake.hint, "Hint"),
    )


def _named_in_part(found: Sequence[Mistake], said: set[str]) -> tuple[tuple[Remark, ...], str]:
    """Name what explains one aspect; where more than one does, all of them."""
    keys = {mistake.key for mistake in found}
    if keys & said:
        return (), "the same mistake"
    said |= keys
    if len(found) > 1:
        return _cannot_tell([(mistake,) for mistake in found]), ""
    return _name(found[0], "In these cases your numbers are"), ""


def _cannot_tell(explanations: Sequence[tuple[Mistake, ...]]) -> tuple[Remark, ...]:
    """Say honestly that several mistakes would give exactly these numbers."""
    said = "More than one mistake gives exactly your numbers; they cannot be told apart."
    remarks = [Remark(said)]
    for number, together in enumerate(explanations):
        what = " And: ".join(mistake.what for mistake in together)
        remarks.append(Remark(what, "Or" if number else "Either"))
        remarks += [Remark(mistake.hint, "Hint") for mistake in together]
    return tuple(remarks)


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
        if "values" not in said:
            said.add("values")
            return _difference(case_result), ""
        own = f" (By your own answer to: {case_result.case.based_on}.)" if case_result.own else ""
        short = f"On {case_result.case.name}: {_first_difference(case_result)}{own}"
        return (Remark(short),), ""
    if outcome.trouble == "not called":
        return (), "not called any more"
    trouble = re.sub(r"\d+", "", outcome.message)  # of other sizes it is the same
    if trouble in said:
        return (), "the same again"
    said.add(trouble)
    first, *more = outcome.message.split("\n")
    return (
        Remark(f"On {case_result.case.name}:"),
        Remark(in_words(first)),
        *(Remark(line, code=True) for line in more),
    ), ""


def _difference(case_result: CaseResult) -> tuple[Remark, ...]:
    """Say what can be said about the difference, and below it show expected, got and input."""
    name, case = case_result.output, case_result.case
    expected, got = _compared(case_result)
    pattern = describe_pattern(got, expected, case.arguments)
    said = [pattern, f"No known mistake gives these numbers. {_first_difference(case_result)}"]
    if case_result.own:
        said.append(f"What is expected follows from your own answer to: {case.based_on}.")
    arrays = _arrays(*expected_and_got(name, expected, got), case.arguments)
    smallest = Remark(f"The smallest case: {case.name}.", inside=arrays)
    return (*(Remark(one) for one in said if one), smallest)


def _arrays(expected: str, got: str, arguments: Arguments) -> tuple[Remark, ...]:
    """Show expected, got and input in twelve rows of text."""
    beside = Remark(expected, code=True, beside=got).fits_beside
    most = 8 if beside else 4
    expected, got = cut((expected, got), most)
    rows = [text.count("\n") + 1 for text in (expected, got)]
    left = _MOST_ROWS - (max(rows) if beside else sum(rows))
    return Remark(expected, code=True, beside=got), Remark(given(arguments, left), code=True)


def _compared(case_result: CaseResult) -> tuple[np.ndarray, np.ndarray]:
    name, returned = case_result.output, case_result.outcome.returned or {}
    return case_result.expected[name], returned[name]


def _first_difference(case_result: CaseResult) -> str:
    name = case_result.output
    expected, got = _compared(case_result)
    if case_result.problem == "shape":
        return describe_shapes(name, got.shape, expected.shape)
    index = case_result.index
    right, wrong = two_numbers(float(expected[index]), float(got[index]))
    where = f"{name}[{', '.join(map(str, index))}]"
    return f"The first difference is {where}: expected {right}, got {wrong}."


# ---- the nodes of a graph


def _about_nodes(exercise: Exercise, results: Sequence[AspectResult]) -> tuple[Remark, ...]:
    """Say which of the gradients that were returned beside the answer is the first wrong one."""
    failures = [case_result for result in results for case_result in result.failures]
    told = [case_result for case_result in failures if case_result.outcome.nodes]
    if not exercise.nodes or not told:
        return ()
    known: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()
    for case_result in sorted(told, key=lambda case_result: case_result.case.size):
        right, got = exercise.node_values(case_result.case.arguments), case_result.outcome.nodes
        known, compared = tuple(right), tuple(name for name in right if name in got)
        name = first_wrong_node(got, right)
        if name:
            before = compared[: compared.index(name)]
            fine = f" Right before it: {', '.join(before)}." if before else ""
            where = f"the first that differs is {name}, on {case_result.case.name}.{fine}"
            one, other = expected_and_got(name, right[name], got[name])
            return Remark(where, "Your nodes"), Remark(one, code=True, beside=other)
    if compared:
        said = f"{', '.join(compared)}: all right, also where the answer is wrong."
        return (Remark(f"{said} The slip comes after them.", "Your nodes"),)
    said = f"nothing in your dict is a node of this task. Their names are {', '.join(known)}."
    return (Remark(said, "Your nodes"),)


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
    if all_right and any(one.single for result in results for one in result.case_results):
        said = (
            "right to about 7 digits, where float64 carries 15. Somewhere the numbers pass "
            "through float32, or a tiny constant is added. It costs nothing."
        )
        notes.append(Remark(said, "Note"))
    return tuple(notes)


_WHAT_TO_DO = {
    "raised": "fix what raises the error",
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
        return f"fix {parts}, {again}{_read_again(exercise, named[0])}"
    if diagnosis.only_form:
        return f"give the same numbers back in the form that is asked, {again}"
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
