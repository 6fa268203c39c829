"""Turn a report of the check into a verdict that a learner may read."""

import re
import textwrap
from collections.abc import Iterable

from normlab.exercises.exercise import Exercise
from normlab.exercises.finding import tasks_of
from normlab.exercises.panel import Remark, Report
from normlab.grading.judge.verdict import AspectVerdict, Status, TaskVerdict, Verdict

_CODE = "    "  # before each line of it
# As in normlab.exercises.report.
_LABELS = {"Symptom", "Hint", "Either", "Or", "Not told apart", "Your nodes", "Note", "Next"}


def judged(exercise: Exercise, report: Report, status: Status, remark: str = "") -> TaskVerdict:
    """Return the verdict on a task by what `check` would show; the remark comes before all."""
    aspects = tuple(
        AspectVerdict(
            line.title,
            line.points,
            line.max_points,
            line.passed,
            paragraphs(line.remarks) or line.follows,
        )
        for line in report.lines
    )
    said = [remark, paragraphs(report.head), paragraphs(report.notes)]
    if report.next_step and not report.passed:
        said.append(f"Next: {report.next_step}")
    return TaskVerdict(
        exercise.name,
        report.points,
        exercise.max_points,
        status,
        " + ".join(report.mistakes),
        aspects,
        "\n\n".join(part for part in said if part),
    )


def not_judged(exercise: Exercise, status: Status, why: str) -> TaskVerdict:
    """Return the verdict on a task that could not be judged."""
    aspects = tuple(
        AspectVerdict(aspect.title, 0, aspect.points, False) for aspect in exercise.aspects
    )
    return TaskVerdict(exercise.name, 0, exercise.max_points, status, "", aspects, why)


def refused(exercise: str, status: Status, message: str = "") -> Verdict:
    """Return the verdict on what could not be graded: no points for any task, and why."""
    tasks = tuple(TaskVerdict(task.name, 0, task.max_points, status) for task in tasks_of(exercise))
    return Verdict(exercise, tasks, message)


def paragraphs(remarks: Iterable[Remark]) -> str:
    """Write remarks as plain text, code indented by four spaces."""
    written = []
    for remark in remarks:
        label = f"{remark.label}: " if remark.label else ""
        if remark.code:
            blocks = [block for block in (remark.text, remark.beside) if block]
            lines = "\n\n".join(blocks).split("\n")
            written.append("\n".join(f"{_CODE}{line}".rstrip() for line in lines))
        else:
            written.append(f"{label}{remark.text}")
        written += [paragraphs(remark.inside)] if remark.inside else []
    return "\n\n".join(written)


def remarks_of(text: str) -> tuple[Remark, ...]:
    """Read paragraphs as remarks again; two blocks of code that follow each other stand abreast."""
    remarks: list[Remark] = []
    for block in filter(str.strip, text.split("\n\n")):
        if re.search(r"^\s", block, re.MULTILINE):
            code = textwrap.dedent(block)
            last = remarks[-1] if remarks else None
            if last and last.code and not last.beside:
                remarks[-1] = Remark(last.text, code=True, beside=code)
            else:
                remarks.append(Remark(code, code=True))
        else:
            remarks += [_in_words(line) for line in block.split("\n")]
    return tuple(remarks)


def _in_words(line: str) -> Remark:
    label, colon, said = line.partition(": ")
    return Remark(said, label) if colon and label in _LABELS else Remark(line)
