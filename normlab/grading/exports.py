"""Hand the grades on: to Canvas, Moodle, Gradescope, nbgrader's format, or a plain table.

Where nothing of an exercise could be judged the cell stays empty: no failure becomes a 0 on its
way into another system. `Export.open_questions` lists them.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from normlab.grading.gradebook import Entry
from normlab.grading.reports import (
    MEANINGS,
    as_csv,
    by_student,
    page_names,
    points,
    without_formula,
    write_whole,
)
from normlab.grading.submissions import without_id
from normlab.grading.verdict import Status, TaskVerdict

_CANVAS_COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
_CANVAS_POINTS = "points possible"
_NBGRADER_COLUMNS = (
    "assignment",
    "duedate",
    "timestamp",
    "student_id",
    "last_name",
    "first_name",
    "email",
    "raw_score",
    "late_submission_penalty",
    "score",
    "max_score",
)
_MOODLE_GRADE, _MOODLE_MAXIMUM = "Grade", "Maximum Grade"
_MOODLE_COMMENT = "Feedback comments"
_DELIMITERS = ",;\t"


class ExportError(Exception):
    """The grades cannot be handed on like this; the message says why and what to do."""


@dataclass(frozen=True)
class Export:
    """What was written.

    Parameters
    ----------
    path
        The file or folder.
    notes
        What was done to the numbers, in words.
    open_questions
        The exercises that are not judged in full, line by line: a person has to look at them.
    """

    path: Path
    notes: tuple[str, ...] = ()
    open_questions: tuple[str, ...] = ()


def export(
    entries: Iterable[Entry],
    to: str,
    path: Path,
    template: Path | None = None,
    columns: Mapping[str, str] | None = None,
) -> Export:
    """Write grades in the format of another system.

    Parameters
    ----------
    entries
        In the order of the students.
    to
        One of `FORMATS`.
    path
        Of the file, or of the folder for Gradescope.
    template
        A CSV file downloaded from Canvas or Moodle, to be filled in. The file itself is left as
        it is. Moodle takes nothing else.
    columns
        For an exercise the title of its column in the template, where it is not to be recognised.

    Raises
    ------
    ExportError
        A student or a column is not in the template, or there are no grades.
    """
    entries = list(entries)
    if not entries:
        raise ExportError("There are no grades to export.")
    if template and to not in ("canvas", "moodle"):
        raise ExportError(f"--template is for Canvas and Moodle; {to} has none.")
    if template and template.resolve() == path.resolve():
        raise ExportError("The template would be overwritten: give another file with -o.")
    notes = FORMATS[to](entries, path, template, columns or {})
    return Export(path, tuple(notes), tuple(open_questions(entries)))


def open_questions(entries: Iterable[Entry]) -> list[str]:
    """Name what is not judged in full, with its status."""
    return [
        f"{entry.student}, {entry.exercise}: {_state(entry)}"
        for entry in entries
        if not entry.is_judged
    ]


def _state(entry: Entry) -> str:
    """Name the statuses other than "graded", with their tasks unless it is all of them."""
    tasks = entry.verdict.tasks
    by_status: dict[Status, list[str]] = {}
    for task in tasks:
        if task.status is not Status.GRADED:
            by_status.setdefault(task.status, []).append(task.task)
    return "; ".join(
        status.value if len(names) == len(tasks) else f"{status.value} ({', '.join(names)})"
        for status, names in by_status.items()
    )


# ---- a plain table


def _to_csv(
    entries: list[Entry], path: Path, _template: Path | None, _columns: Mapping[str, str]
) -> list[str]:
    """Write a row for each student, and a column for each exercise."""
    exercises = list(_most(entries))
    rows = [["student", *exercises, "total", "max_total", "not_judged"]]
    for student, own in by_student(entries):
        by_exercise = {entry.exercise: entry for entry in own}
        rows.append(
            [
                without_formula(student),
                *(_cell(by_exercise.get(exercise)) for exercise in exercises),
                _sum(own),
                points(sum(entry.verdict.max_score for entry in own)),
                "; ".join(f"{e.exercise}: {_state(e)}" for e in own if not e.is_judged),
            ]
        )
    write_whole(path, as_csv(rows))
    return []


def _most(entries: Iterable[Entry]) -> dict[str, float]:
    """Return each exercise with its points, in the order of the course."""
    return dict(sorted({entry.exercise: entry.verdict.max_score for entry in entries}.items()))


def _cell(entry: Entry | None, scale: float = 1.0) -> str:
    return points(scale * entry.verdict.score) if entry and entry.has_score else ""


def _sum(entries: Iterable[Entry], scale: float = 1.0) -> str:
    judged = [entry for entry in entries if entry.has_score]
    return points(scale * sum(entry.verdict.score for entry in judged)) if judged else ""


# ---- nbgrader


def _to_nbgrader(
    entries: list[Entry], path: Path, _template: Path | None, _columns: Mapping[str, str]
) -> list[str]:
    """Write the columns of ``nbgrader export``; each exercise is an assignment."""
    rows = [_NBGRADER_COLUMNS]
    for entry in entries:
        score = _cell(entry)
        when = entry.modified.replace("T", " ").removesuffix("+00:00")
        student = without_formula(entry.student)
        most = points(entry.verdict.max_score)
        rows.append((entry.exercise, "", when, student, "", "", "", score, "0", score, most))
    write_whole(path, as_csv(rows))
    return []


# ---- Gradescope


def _to_gradescope(
    entries: list[Entry], path: Path, _template: Path | None, _columns: Mapping[str, str]
) -> list[str]:
    """Write a folder for each student and exercise, with its results.json."""
    names = page_names(dict.fromkeys(entry.student for entry in entries))
    for entry in entries:
        if not entry.was_handed_in:
            continue  # there is nothing to give results for
        folder = path / names[entry.student] / entry.exercise
        folder.mkdir(parents=True, exist_ok=True)
        results = json.dumps(_gradescope_results(entry), indent=2)
        write_whole(folder / "results.json", results + "\n")
    return []


def _gradescope_results(entry: Entry) -> dict[str, object]:
    tests = []
    for task in entry.verdict.tasks:
        if not task.aspects or (task.status is not Status.GRADED and not task.score):
            tests.append(_gradescope_test(task.task, 0, task.max_score, _why(task)))
            continue
        tests += [
            _gradescope_test(f"{task.task}: {one.name}", one.points, one.max_points, one.message)
            for one in task.aspects
        ]
    remarks = [entry.verdict.message, "" if entry.is_judged else f"Not judged: {_state(entry)}."]
    return {
        "score": entry.verdict.score,
        "output": "\n".join(remark for remark in remarks if remark),
        "visibility": "visible",
        "tests": tests,
    }


def _why(task: TaskVerdict) -> str:
    return task.feedback or MEANINGS[task.status]


def _gradescope_test(name: str, score: float, most: float, output: str) -> dict[str, object]:
    return {
        "name": name,
        "score": score,
        "max_score": most,
        "output": output,
        "status": "passed" if score == most else "failed",
        "visibility": "visible",
    }


# ---- files downloaded from elsewhere


@dataclass
class _Sheet:
    """A CSV file, with what it takes to write it back as it was."""

    rows: list[list[str]]
    delimiter: str
    mark: str  # the byte order mark that some spreadsheets want, or ""

    @classmethod
    def read(cls, path: Path) -> "_Sheet":
        """Read a file.

        Raises
        ------
        ExportError
            It is no CSV file in UTF-8 with a header.
        """
        try:
            text = path.read_bytes().decode()
        except UnicodeDecodeError as error:
            raise ExportError(f"{path} is not in UTF-8. Download it again, as UTF-8.") from error
        except OSError as error:
            raise ExportError(f"{path} cannot be read: {error.strerror}.") from error
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        text = text.removeprefix(mark)
        first = text.split("\n", 1)[0]
        delimiter = max(_DELIMITERS, key=first.count)
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        except csv.Error as error:
            raise ExportError(f"{path} cannot be read as CSV: {error}.") from error
        if len(rows) < 2 or delimiter not in first:
            raise ExportError(f"{path} is not a CSV file with a header and a row for each student.")
        width = len(rows[0])
        return cls([row + [""] * (width - len(row)) for row in rows], delimiter, mark)

    @property
    def header(self) -> list[str]:
        return self.rows[0]

    def column(self, name: str) -> int | None:
        """Return where a column is, or None."""
        names = [title.strip().casefold() for title in self.header]
        return names.index(name.casefold()) if name.casefold() in names else None

    def write(self, path: Path) -> None:
        write_whole(path, self.mark + as_csv(self.rows, self.delimiter))


def _match(
    students: Iterable[str], rows: list[list[str]], columns: Iterable[int]
) -> dict[str, int]:
    """Find each student's row.

    A column that holds a name or number exactly once decides; the columns are tried in turn, with
    the student's whole name, then its number from Moodle or Canvas, then the name without it.

    Raises
    ------
    ExportError
        Some are in no row, or in several; all of them are named.
    """
    columns = list(columns)
    found: dict[str, int] = {}
    lost = []
    for student in students:
        number = re.search(r"_(\d+)$", student)
        keys = [student, *([number[1]] if number else []), without_id(student)]
        row = next(
            (
                hits[0]
                for key in keys
                for column in columns
                if len(hits := _rows_with(key, rows, column)) == 1
            ),
            None,
        )
        if row is None or row in found.values():
            lost.append(student)
        else:
            found[student] = row
    if lost:
        raise ExportError(
            f"{len(lost)} of the students with grades cannot be told in the template: "
            f"{', '.join(lost)}. Nothing was written. Is it this course's file, and not of one "
            "section alone?"
        )
    return found


def _rows_with(key: str, rows: list[list[str]], column: int) -> list[int]:
    """Return the rows that hold a key, as it is or behind a word: "Participant 17"."""
    wanted = _plain(key)
    return [
        number
        for number, row in enumerate(rows)
        if wanted
        and (
            _plain(row[column]) == wanted
            or (wanted.isdigit() and re.fullmatch(rf"\D+{wanted}", row[column].strip()))
        )
    ]


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _scale(cell: str, most: float, exercise: str, notes: list[str]) -> float:
    """Return the factor from our points to those of a column, and note it where it is not 1."""
    try:
        theirs = float(cell.strip().replace(",", "."))
    except ValueError:
        return 1.0
    if theirs <= 0 or theirs == most:
        return 1.0
    notes.append(
        f"{exercise}: {points(most)} points here are {points(theirs)} there, and scores are scaled."
    )
    return theirs / most


# ---- Canvas


def _to_canvas(
    entries: list[Entry], path: Path, template: Path | None, columns: Mapping[str, str]
) -> list[str]:
    """Write Canvas's gradebook CSV: anew, or an export of it filled in."""
    if template:
        return _fill_in_canvas(entries, path, template, columns)
    most = _most(entries)
    blank = [""] * (len(_CANVAS_COLUMNS) - 1)
    rows = [[*_CANVAS_COLUMNS, *most]]
    rows.append(["    Points Possible", *blank, *map(points, most.values())])
    for student, own in by_student(entries):
        by_exercise = {entry.exercise: entry for entry in own}
        cells = (_cell(by_exercise.get(exercise)) for exercise in most)
        rows.append([*_canvas_identity(student), *cells])
    write_whole(path, as_csv(rows))
    return [
        "Canvas makes a new assignment of a title that it does not know. Export its gradebook, "
        "and give it with --template, to fill in the assignments that are there."
    ]


def _canvas_identity(student: str) -> list[str]:
    """Return a student's first five cells: the name with Canvas's number, or a login."""
    number = re.search(r"_(\d+)$", student)
    name = without_formula(without_id(student))
    return [name, number[1], "", "", ""] if number else [name, "", "", name, ""]


def _fill_in_canvas(
    entries: list[Entry], path: Path, template: Path, columns: Mapping[str, str]
) -> list[str]:
    sheet, notes = _Sheet.read(template), []
    first_cells = [_plain(row[0]) for row in sheet.rows]
    if _CANVAS_POINTS not in first_cells or sheet.column("ID") is None:
        raise ExportError(f'{template} is no gradebook of Canvas: no "Points Possible", or no ID.')
    possible = first_cells.index(_CANVAS_POINTS)
    people = sheet.rows[possible + 1 :]
    places, scales = {}, {}
    for exercise, most in _most(entries).items():
        at = places[exercise] = _column_of(exercise, sheet, columns)
        scales[exercise] = _scale(sheet.rows[possible][at], most, exercise, notes)
    if len(set(places.values())) < len(places):
        raise ExportError("Two exercises would fill the same column; give --column for each.")
    names = (*_CANVAS_COLUMNS[1:4], _CANVAS_COLUMNS[0])
    identity = [at for name in names if (at := sheet.column(name)) is not None]
    rows_of = _match(dict.fromkeys(entry.student for entry in entries), people, identity)
    for entry in entries:
        if cell := _cell(entry, scales[entry.exercise]):
            people[rows_of[entry.student]][places[entry.exercise]] = cell
    sheet.write(path)
    return notes


def _column_of(exercise: str, sheet: _Sheet, columns: Mapping[str, str]) -> int:
    """Find an exercise's column: as it was told, or by its name, with or without Canvas's number.

    Raises
    ------
    ExportError
        There is none, or more than one.
    """
    if exercise in columns:
        wanted = [columns[exercise]]
    else:
        wanted = [exercise, exercise.replace("_", " "), exercise[3:].replace("_", " ")]
    found: list[int] = []
    for name in wanted:
        found = found or [at for at, title in enumerate(sheet.header) if _is_titled(title, name)]
    if len(found) != 1:
        how_many = "no column" if not found else "more than one column"
        raise ExportError(
            f"The template has {how_many} for {exercise}. Its columns are: "
            f"{', '.join(filter(None, map(str.strip, sheet.header)))}. Say which it is: "
            f'--column "{exercise}=TITLE".'
        )
    return found[0]


def _is_titled(title: str, name: str) -> bool:
    without_number = re.sub(r"\s*\(\d+\)\s*$", "", title)
    return _plain(name) in (_plain(title), _plain(without_number))


# ---- Moodle


def _to_moodle(
    entries: list[Entry], path: Path, template: Path | None, columns: Mapping[str, str]
) -> list[str]:
    """Fill in Moodle's offline grading worksheet: one grade, the sum over the exercises."""
    if template is None:
        raise ExportError(
            "Moodle takes its own worksheet back, and nothing else. Download it (in the "
            'assignment: "Download grading worksheet") and give it with --template.'
        )
    sheet, notes = _Sheet.read(template), []
    most = _most(entries)
    grade = _grade_column(sheet, columns, next(iter(most)))
    if len(most) > 1:
        notes.append(f"The grade is the sum of {', '.join(most)}; --exercise chooses.")
    people = sheet.rows[1:]
    # Moodle's own number for the student comes first, whatever its title is in the language of
    # the site, and who it is stands before the grade.
    students = dict.fromkeys(entry.student for entry in entries)
    rows_of = _match(students, people, range(grade))
    maximum, comment = sheet.column(_MOODLE_MAXIMUM), sheet.column(_MOODLE_COMMENT)
    theirs = people[0][maximum] if maximum is not None else ""
    scale = _scale(theirs, sum(most.values()), " + ".join(most), notes)
    for student, own in by_student(entries):
        row = people[rows_of[student]]
        if cell := _sum(own, scale):
            row[grade] = cell
        if comment is not None and not row[comment].strip():
            row[comment] = "; ".join(f"{e.exercise}: {_state(e)}" for e in own if not e.is_judged)
    sheet.write(path)
    return notes


def _grade_column(sheet: _Sheet, columns: Mapping[str, str], example: str) -> int:
    """Find the column for the grade.

    Raises
    ------
    ExportError
        It is not there, or several are asked for.
    """
    titles = set(columns.values()) or {_MOODLE_GRADE}
    if len(titles) > 1:
        raise ExportError("A worksheet of Moodle has one column for grades: give --column once.")
    title = titles.pop()
    at = sheet.column(title)
    if at is None:
        raise ExportError(
            f'The worksheet has no column "{title}". Its columns are: {", ".join(sheet.header)}. '
            f'Say which it is: --column "{example}=TITLE".'
        )
    return at


_Writer = Callable[[list[Entry], Path, Path | None, Mapping[str, str]], list[str]]

#: The systems by name.
FORMATS: dict[str, _Writer] = {
    "canvas": _to_canvas,
    "moodle": _to_moodle,
    "gradescope": _to_gradescope,
    "nbgrader": _to_nbgrader,
    "csv": _to_csv,
}
