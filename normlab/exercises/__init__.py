"""Exercises, and the check that names the mistake.

``check(name, answer)``
    Check an answer: points by aspect, the mistake by its name, what to try next.
``progress()``
    How far the learner has come.
``all_exercises()``
    Every exercise by its name.
``self_test(lesson)``
    The five questions at the end of a lesson.
``yours(name, function)``
    The learner's own function once it is right, the package's until then.
``guess(question, answer)``
    A question before an output is seen.

A check has four steps, and a grader uses the same four with other seeds, the second of them in
another process: `draw_cases`, `call_all`, `judge` and `diagnose`.
"""

from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from normlab.exercises.calling import borrowed, call_all, kept_between_calls, objection
from normlab.exercises.diagnosis import Variants, diagnose
from normlab.exercises.exercise import Exercise, draw_cases
from normlab.exercises.finding import all_exercises, find, tasks_of
from normlab.exercises.guessing import guess
from normlab.exercises.judgement import judge
from normlab.exercises.lending import is_lent, yours
from normlab.exercises.line import find_line
from normlab.exercises.links import links_in
from normlab.exercises.loading import TaskError, contents
from normlab.exercises.logbook import record
from normlab.exercises.panel import Remark, Report
from normlab.exercises.report import refusal, report_on
from normlab.exercises.sitting import self_test
from normlab.exercises.standing import progress

__all__ = [
    "Report",
    "Variants",
    "all_exercises",
    "call_all",
    "check",
    "diagnose",
    "draw_cases",
    "find",
    "guess",
    "judge",
    "progress",
    "report_on",
    "self_test",
    "yours",
]

#: Everyone's check draws the same numbers, so that two people can talk about them.
SEED = 2015
_SECONDS = 5.0


def check(name: str, answer: Any = None, *, seed: int = SEED) -> Report:  # noqa: ANN401
    """Check an answer to an exercise.

    Parameters
    ----------
    name
        Of the exercise, as in its notebook: "batch_norm_forward".
    answer
        The learner's function. Whatever else it is, the report says so.
    seed
        At least 0; other seeds draw other cases.

    Returns
    -------
    Report
        With `points`, `max_points` and `passed`; as the last line of a cell it shows itself.

    Notes
    -----
    The calls have five seconds together, or as many as the exercise says, where the platform can
    ring an alarm (Linux and macOS, main thread). Progress is kept as `normlab.exercises.logbook`
    says.
    """
    try:
        exercise = find(name)
    except LookupError as unknown:
        return refusal(
            "check",
            None,
            str(unknown),
            'give the name of the exercise and then your function, as in check("name", name).',
        )
    except TaskError as unfit:
        return refusal("check", None, f"This exercise cannot be read. {unfit}", "tell its author.")
    report = _check(exercise, answer, seed)
    if not report.begun:  # a lesson checks its empty functions, too
        return report
    said = record(name, report.points, report.max_points, list(report.mistakes))
    if said:
        return replace(report, notes=(*report.notes, Remark(f"{said}.", "Note")))
    return report


def _check(exercise: Exercise, answer: Any, seed: int) -> Report:  # noqa: ANN401
    refused = partial(refusal, exercise.name, exercise)
    if is_lent(answer):
        return refused(
            f"This is the package's {exercise.name}, which `yours` lent you.",
            "run the cell with your own function again, and then the check.",
        )
    methods = exercise.use.methods if exercise.use else ()
    if found := objection(answer, exercise.name, exercise.takes, methods):
        return refused(*found)
    if helpers := borrowed(answer, exercise.forbidden):
        tool = "NumPy" if "torch" in exercise.forbidden else "PyTorch"
        return refused(
            f"Your function uses {' and '.join(helpers)}. The point of this task is to do it in "
            f"{tool} alone, and there are no points for what a library did.",
            f"write each step with {tool}, then run the check again. Compare with "
            f"{exercise.forbidden[0]} outside the function, as much as you like.",
        )
    variants = _drawn(exercise, seed)
    cases = variants.cases
    before = kept_between_calls(answer)
    function = exercise.as_function(answer)
    seconds = exercise.seconds or _SECONDS
    outcomes = call_all(
        function, cases, exercise.returns, seconds, exercise.forbidden, bool(exercise.nodes)
    )
    results = judge(exercise, cases, outcomes, variants.right)
    diagnosis = diagnose(exercise, cases, outcomes, results, variants)
    following = _following(exercise)
    report = report_on(exercise, outcomes, results, diagnosis, _then(exercise, following))
    report = replace(report, links=links_in(report.next_step, exercise, following))
    after = kept_between_calls(answer)
    kept = [place for place in after if after[place] != before.get(place)]
    if kept and not report.passed:
        said = f"Your function keeps something from one call to the next: {' and '.join(kept)}."
        return replace(report, notes=(Remark(said), *report.notes))
    if report.unexplained is None:
        return report
    return replace(report, search=partial(find_line, exercise, answer, cases, outcomes))


@lru_cache(maxsize=1)  # a learner checks the same task again and again
def _drawn(exercise: Exercise, seed: int) -> Variants:
    """Return the cases, with what is right in them and what the known mistakes give."""
    return Variants(exercise, draw_cases(exercise, seed))


def _following(exercise: Exercise) -> str:
    """Name the next exercise of the notebook, or nothing where this is the last."""
    if exercise.in_lesson:
        return ""
    names = [other.name for other in tasks_of(exercise.notebook)]
    return next(iter(names[names.index(exercise.name) + 1 :]), "")


def _then(exercise: Exercise, following: str) -> str:
    if exercise.in_lesson:
        return "read on: the lesson goes on with what you wrote."
    if following:
        return f"the next task is {following}."
    if not exercise.lesson:
        return "this was the last task."
    if exercise.notebook == max(contents()):
        return "this was the last task of the course."
    return f"this was the last task of lesson {int(exercise.lesson)}; go on to the next lesson."
