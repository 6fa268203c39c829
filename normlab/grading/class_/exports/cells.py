"""What one cell of a table of grades says."""

from collections.abc import Iterable

from normlab.grading.class_.gradebook import Entry
from normlab.grading.class_.reports import points
from normlab.grading.judge.verdict import Status


def state(entry: Entry) -> str:
    """Name the statuses other than "graded", with their tasks unless it is all of them."""
    if entry.excused:
        return "excused"
    tasks = entry.verdict.tasks
    by_status: dict[Status, list[str]] = {}
    for task in tasks:
        if task.status is not Status.GRADED:
            by_status.setdefault(task.status, []).append(task.task)
    return "; ".join(
        status.value if len(names) == len(tasks) else f"{status.value} ({', '.join(names)})"
        for status, names in by_status.items()
    )


def open_questions(entries: Iterable[Entry]) -> str:
    """Name what is not judged in full, or excused, with its state."""
    told = (one for one in entries if one.excused or not one.is_judged)
    return "; ".join(f"{one.exercise}: {state(one)}" for one in told)


def most(entries: Iterable[Entry]) -> dict[str, float]:
    """Return each exercise with its points, in the order of the course."""
    return dict(sorted({entry.exercise: entry.verdict.max_score for entry in entries}.items()))


def cell(entry: Entry | None, scale: float = 1.0) -> str:
    """Return the points of an exercise, and nothing where it was not judged."""
    return points(scale * entry.score) if entry and entry.has_score else ""


def total(entries: Iterable[Entry], scale: float = 1.0) -> str:
    """Return the sum of the points of what was judged, and nothing where nothing was."""
    judged = [entry for entry in entries if entry.has_score]
    return points(scale * sum(entry.score for entry in judged)) if judged else ""
