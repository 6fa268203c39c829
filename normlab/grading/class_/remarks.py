"""The teacher's own word: remarks.csv in the folder of results, read by every command.

A row says of whom, of what, what, and why. What is said wins over what was judged.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from normlab.exercises.finding import find, notebooks
from normlab.exercises.loading import places
from normlab.files import read_utf8, write_whole
from normlab.grading.class_ import ClassError
from normlab.grading.class_.csv_text import as_csv, rows_in
from normlab.grading.class_.submissions import exercise_named, without_id
from normlab.names import did_you_mean

#: The name of the file in the folder of results.
FILE_NAME = "remarks.csv"
#: Its columns. The second holds an exercise, or one of its tasks.
COLUMNS = ("student", "exercise", "remark", "why")
_KINDS = (
    "points (7.5), excused, late -10 %, until 2026-12-03T23:59, with STUDENT, or nothing for a "
    "word on the page alone"
)
_PERCENT = re.compile(r"late\s*[-−–]?\s*(\d+(?:[.,]\d+)?)\s*%")
_POINTS = re.compile(r"\d+(?:[.,]\d+)?")


@dataclass(frozen=True)
class TeachersRemark:
    """One row."""

    student: str
    exercise: str
    task: str  # "" means the whole exercise
    why: str  # a sentence for the student
    points: float | None = None  # by hand, in place of what was judged
    excused: bool = False  # the exercise belongs to no sum
    percent_off: float | None = None  # for being late, in place of what the rule takes
    until: datetime | None = None  # its own due date, with a zone
    partner: str = ""  # whose notebook it is as well
    row: int = 0  # where it stands; the header is row 1

    def __str__(self) -> str:
        what = "remark"
        if self.excused:
            what = "excused"
        elif self.points is not None:
            what = f"{self.points:g} points by hand"
        elif self.percent_off is not None:
            what = f"late −{self.percent_off:g} %"
        elif self.until:
            what = f"due {self.until:%Y-%m-%d %H:%M %Z}"
        elif self.partner:
            what = f"handed in by {without_id(self.partner)}"
        return ": ".join(filter(None, (self.task, what, self.why)))


def read(
    out: Path,
    students: Iterable[str],
    most: Callable[[str, str], float],
    added: Sequence[str] = (),
) -> list[TeachersRemark]:
    """Read the remarks of a folder of results; none where there is no file.

    `most` gives the points that can be had of an exercise and its task, or with "" of all of them.
    A ClassError names all rows that are wrong, each with what is wrong. Where none is, `added` is
    written below them: one more row.
    """
    path = out / FILE_NAME
    try:
        text = read_utf8(path)
    except FileNotFoundError:
        text = as_csv([COLUMNS])
    if added:
        text = (text if text.endswith("\n") else f"{text}\n") + as_csv([added])
    header, *rows = rows_in(text)[0] or [[]]
    if [title.strip().casefold() for title in header] != list(COLUMNS):
        raise ClassError(f"The first row of {path} has to be: {','.join(COLUMNS)}.")
    students, found, wrong = list(students), [], []
    for number, row in enumerate(rows, 2):
        if not any(map(str.strip, row)):
            continue
        try:
            found.append(parse(row, students, most, number))
        except ClassError as error:
            wrong.append(f"row {number}: {error}")
    wrong += _twice(found)
    if wrong:
        raise ClassError(f"{path}, {' '.join(wrong)}")
    if added:
        write_whole(path, text)
    return found


def parse(
    row: Sequence[str], students: Sequence[str], most: Callable[[str, str], float], number: int = 0
) -> TeachersRemark:
    """Return what a row says; or a ClassError."""
    if len(row) != len(COLUMNS):
        raise ClassError(f"it has {len(row)} cells, and should have {len(COLUMNS)}.")
    who, what, said, why = (" ".join(cell.split()) for cell in row)
    student = known(who, students)
    exercise, task = _exercise_and_task(what)
    value = _value(said, students)
    if task and value and "points" not in value:
        raise ClassError(f"{said!r} is said of an exercise, and {task} is a task.")
    if value.get("points", 0) > (top := most(exercise, task)):
        raise ClassError(f"{said} points are more than the {top:g} that can be had.")
    if not value and not why:
        raise ClassError(f"it says nothing. The third cell holds {_KINDS}.")
    return TeachersRemark(student, exercise, task, why, **value, row=number)


def _value(said: str, students: Sequence[str]) -> dict[str, Any]:
    if not said:
        return {}
    kind, _, rest = said.partition(" ")
    if said.casefold() == "excused":
        return {"excused": True}
    if _POINTS.fullmatch(said):
        return {"points": float(said.replace(",", "."))}
    if (percent := _PERCENT.fullmatch(said.casefold())) and (
        off := float(percent[1].replace(",", "."))
    ) <= 100:
        return {"percent_off": off}
    if kind.casefold() == "with" and rest:
        return {"partner": known(rest, students)}
    if kind.casefold() == "until":
        return {"until": moment(rest)}
    raise ClassError(f"{said!r} is none of: {_KINDS}.")


def moment(text: str) -> datetime:
    """Return a moment with its zone; without one it is this machine's, and a day is its end."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ClassError(f"{text!r} is no time like 2026-12-03T23:59+01:00.") from None
    if len(text) <= len("2026-12-03"):
        when = when.replace(hour=23, minute=59, second=59)
    return when if when.tzinfo else when.astimezone()


def known(name: str, students: Sequence[str]) -> str:
    """Return the student of a name, with or without the number behind it, or of the number.

    Where there is none, or there are several, it is a ClassError.
    """
    if name in students:
        return name
    plain = name.casefold()
    found = [
        one
        for one in students
        if plain in (one.casefold(), without_id(one).casefold())
        or (name.isdigit() and one.endswith(f"_{name}"))
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise ClassError(f"{name!r} may be {' or '.join(found)}.")
    meant = did_you_mean(name, students, quote="", most=3)
    raise ClassError(f"there is no student {name!r}. {meant}".rstrip())


def _exercise_and_task(name: str) -> tuple[str, str]:
    try:
        return exercise_named(name), ""
    except ClassError:
        pass
    try:
        return find(name).notebook, name
    except LookupError:
        meant = did_you_mean(name, [*notebooks(), *places()])
        said = f"there is no exercise and no task {name!r}. {meant}".rstrip()
        raise ClassError(said) from None


def _twice(remarks: Iterable[TeachersRemark]) -> list[str]:
    """Say which rows contradict an earlier one."""
    seen: dict[tuple, int] = {}
    wrong = []
    for one in remarks:
        kinds = {
            "points or excused": one.points is not None or one.excused,
            "late or until": one.percent_off is not None or one.until is not None,
            "with": bool(one.partner),
        }
        for kind in (kind for kind, holds in kinds.items() if holds):
            key = (one.student, one.exercise, one.task, kind)
            if key in seen:
                wrong.append(f"row {one.row}: row {seen[key]} says another thing of the same.")
            seen.setdefault(key, one.row)
    return wrong
