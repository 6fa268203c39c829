"""What work earns in the end: the verdict, with the course's points, the time, and the remarks."""

import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from normlab.exercises.finding import tasks_of
from normlab.grading.class_ import ClassError, remarks
from normlab.grading.class_.gradebook import Entry, Gradebook
from normlab.grading.class_.remarks import TeachersRemark
from normlab.grading.class_.submissions import exercise_named, is_marked_late
from normlab.grading.judge.verdict import Status, TaskVerdict

#: Which of several hand-ins counts.
ATTEMPTS = ("last", "best", "in-time")
_LATE = re.compile(r"(\d+(?:\.\d+)?)\s*%\s*a\s*day\s*,\s*(\d+)\s*days?")


@dataclass(frozen=True)
class Rules:
    """What the teacher says once for everybody."""

    due: Mapping[str, datetime] = field(default_factory=dict)  # when an exercise has to be there
    percent_a_day: float = 0.0  # of each day begun; with none lateness is shown, and costs nothing
    days: int = 0  # after so many of them nothing is left
    attempt: str = "last"  # one of `ATTEMPTS`
    # Of course.toml:
    points: Mapping[str, float] = field(default_factory=dict)  # of a task
    left_out: frozenset[str] = frozenset()  # tasks that do not count
    weights: Mapping[str, float] = field(default_factory=dict)  # of an exercise

    @staticmethod
    def kept_in(gradebook: Gradebook) -> "Rules":
        """Return the rules that a gradebook keeps."""
        due = json.loads(gradebook.rule("due") or "{}")
        percent, days = late_rule(gradebook.rule("late"))
        return replace(
            course_rules(gradebook.rule("course")),
            due={exercise: datetime.fromisoformat(when) for exercise, when in due.items()},
            percent_a_day=percent,
            days=days,
            attempt=gradebook.rule("attempt") or "last",
        )

    def scale(self, exercise: str, task: str, most: float) -> float:
        """Return by what the points of a task are multiplied; 0 where it is left out."""
        if task in self.left_out:
            return 0.0
        return self.weights.get(exercise, 1.0) * self.points.get(task, most) / most

    def most(self, exercise: str, task: str = "") -> float:
        """Return the points that can be had of an exercise, or of one of its tasks."""
        return sum(
            one.max_points * self.scale(exercise, one.name, one.max_points)
            for one in tasks_of(exercise)
            if task in ("", one.name)
        )

    def factor(self, days_late: int) -> float:
        """Return what is left of the points after so many days."""
        if not days_late or not self.percent_a_day:
            return 1.0
        return 0.0 if days_late > self.days else max(0.0, 1 - self.percent_a_day * days_late / 100)


def late_rule(text: str) -> tuple[float, int]:
    """Read "10 % a day, 3 days"; "none" and "" are no rule, and all else is a ClassError."""
    if text in ("", "none"):
        return 0.0, 0
    found = _LATE.fullmatch(text.strip())
    if not found or float(found[1]) > 100:
        raise ClassError(f'--late "{text}" is not like "10% a day, 3 days", or "none".')
    return float(found[1]), int(found[2])


def due_dates(texts: Sequence[str], before: str = "") -> str:
    """Return the due dates of "02=2026-12-01T23:59+01:00" and those kept before, as they are kept.

    What is no date or no exercise is a ClassError.
    """
    kept = json.loads(before or "{}")
    for text in texts:
        name, equals, when = text.partition("=")
        exercise = exercise_named(name.strip())
        if not equals:
            raise ClassError(f"--due {text} is not like 02=2026-12-01T23:59+01:00.")
        kept.pop(exercise, None)
        if when.strip() != "none":
            try:
                kept[exercise] = remarks.moment(when.strip()).isoformat()
            except ClassError as error:
                raise ClassError(f"--due {text}: {error}") from error
    return json.dumps(kept)


def course_rules(text: str) -> Rules:
    """Read course.toml; whatever in it is not as it should be is a ClassError."""
    points: dict[str, float] = {}
    left_out: set[str] = set()
    weights: dict[str, float] = {}
    try:
        tables = {name: said for name, said in tomllib.loads(text).items() if name != "lessons"}
        for name, said in tables.items():
            exercise = exercise_named(name)
            odd = set(said) - {"points", "leave_out", "weight"}
            named = {*said.get("points", {}), *said.get("leave_out", ())}
            odd |= named - {task.name for task in tasks_of(exercise)}
            if odd:
                raise ClassError(f"[{name}]: there is no {sorted(odd)[0]}.")
            points |= said.get("points", {})
            left_out |= set(said.get("leave_out", ()))
            weights[exercise] = said.get("weight", 1.0)
            if left_out >= {task.name for task in tasks_of(exercise)}:
                raise ClassError(f"[{name}]: all tasks are left out.")
    except (tomllib.TOMLDecodeError, ClassError, TypeError, AttributeError) as error:
        raise ClassError(f"course.toml: {error}") from error
    for what in (*points.values(), *weights.values()):
        if isinstance(what, bool) or not isinstance(what, int | float) or not 0 < what < 1e6:
            raise ClassError(f"course.toml: {what!r} is no number of points above 0.")
    return Rules(points=points, left_out=frozenset(left_out), weights=weights)


def settled(gradebook: Gradebook, out: Path) -> Iterator[Entry]:
    """Yield the gradebook's entries with what they earn in the end; or a ClassError."""
    rules = Rules.kept_in(gradebook)
    said = remarks.read(out, gradebook.everyone(), rules.most)
    for entry in gradebook.entries():
        own = [r for r in said if (r.student, r.exercise) == (entry.student, entry.exercise)]
        partner = next((one.partner for one in own if one.partner), "")
        if partner and (theirs := gradebook.entry(partner, entry.exercise)):
            entry = replace(theirs, student=entry.student, counts=entry.counts)
        earlier = gradebook.earlier(partner or entry.student, entry.exercise)
        yield settle(entry, earlier, rules, own)


def settle(
    entry: Entry, earlier: Sequence[Entry], rules: Rules, said: Sequence[TeachersRemark] = ()
) -> Entry:
    """Return the entry of the last hand-in with the attempt that counts, and what it earns.

    `earlier` are those before, the oldest first, and `said` the remarks on this work.
    """
    attempts = [
        _with_time(_with_points(one, rules, said), rules, said) for one in (*earlier, entry)
    ]
    chosen = attempts[-1]
    if rules.attempt == "best":
        chosen = max(attempts, key=lambda one: (one.score, one.days_late == 0))
    elif rules.attempt == "in-time":
        chosen = next((one for one in reversed(attempts) if not one.days_late), chosen)
    whole = next((r.points for r in said if not r.task and r.points is not None), None)
    lines = [*map(str, said), *_about_time(chosen, rules, said), *_history(attempts, chosen, rules)]
    return replace(
        chosen,
        student=entry.student,
        counts=entry.counts,
        by_hand=whole,
        excused=any(one.excused for one in said),
        remarks=tuple(lines),
    )


def _with_points(entry: Entry, rules: Rules, said: Sequence[TeachersRemark]) -> Entry:
    """Give the tasks the points of the course, and those by hand."""
    by_hand = {one.task: one for one in said if one.points is not None}
    tasks = []
    for task in entry.verdict.tasks:
        by = rules.scale(entry.exercise, task.task, task.max_score)
        if not by:
            continue
        scaled = _scaled(task, by) if by != 1 else task
        one = by_hand.get(task.task)
        if one and one.points is not None:
            scaled = replace(scaled, score=one.points, status=Status.GRADED, feedback=str(one))
        tasks.append(scaled)
    return replace(entry, verdict=replace(entry.verdict, tasks=tuple(tasks)))


def _scaled(task: TaskVerdict, by: float) -> TaskVerdict:
    aspects = tuple(
        replace(one, points=one.points * by, max_points=one.max_points * by) for one in task.aspects
    )
    most = task.max_score * by
    return replace(task, score=min(task.score * by, most), max_score=most, aspects=aspects)


def _with_time(entry: Entry, rules: Rules, said: Sequence[TeachersRemark]) -> Entry:
    """Take off what being late costs."""
    days = _days_late(entry, rules, said)
    off = next((one.percent_off for one in said if one.percent_off is not None), None)
    factor = rules.factor(days) if off is None else 1 - off / 100
    return replace(entry, days_late=days, factor=factor)


def _days_late(entry: Entry, rules: Rules, said: Sequence[TeachersRemark]) -> int:
    """Return how many days have begun since it was due; one where the system marked it as late."""
    until = next((one.until for one in said if one.until), None)
    due = until or rules.due.get(entry.exercise)
    if not due or not entry.was_handed_in:
        return 0
    handed_in = datetime.fromisoformat(entry.modified)
    if not handed_in.tzinfo:
        handed_in = handed_in.replace(tzinfo=UTC)
    late = math.ceil((handed_in - due) / timedelta(days=1))
    return max(late, 0 if until else int(is_marked_late(entry.file)))


def _about_time(entry: Entry, rules: Rules, said: Sequence[TeachersRemark]) -> Iterator[str]:
    if not entry.was_handed_in:
        return
    if is_marked_late(entry.file):
        yield "Marked as late by the system it was handed in to."
    if entry.days_late:
        days = "1 day" if entry.days_late == 1 else f"{entry.days_late} days"
        due = next((one.until for one in said if one.until), rules.due.get(entry.exercise))
        yield (
            f"Late by {days} (due {due:%Y-%m-%d %H:%M %Z}): {100 * entry.factor:g} % of the points."
        )
    elif entry.factor < 1:
        yield f"{100 * entry.factor:g} % of the points."


def _history(attempts: Sequence[Entry], chosen: Entry, rules: Rules) -> Iterator[str]:
    if len(attempts) < 2:
        return
    told = ", ".join(
        f"{one.modified[:16].replace('T', ' ')} {one.score:g} points{' (counts)' * (one is chosen)}"
        for one in attempts
    )
    yield f"Handed in {len(attempts)} times, and the {rules.attempt} counts: {told}."
