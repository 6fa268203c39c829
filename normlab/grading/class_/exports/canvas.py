"""Canvas: its gradebook as CSV, made anew, or an export of it filled in."""

import re
from pathlib import Path

from normlab.files import write_whole
from normlab.grading.class_ import ClassError
from normlab.grading.class_.csv_text import as_csv
from normlab.grading.class_.exports.cells import cell, most
from normlab.grading.class_.exports.sheet import Sheet, number_in, plain
from normlab.grading.class_.gradebook import Entry
from normlab.grading.class_.reports import by_student, points, without_formula
from normlab.grading.class_.submissions import id_of, short_name, without_id

_COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
_POINTS = "points possible"


def write(entries: list[Entry], path: Path, sheet: Sheet | None) -> list[str]:
    """Write Canvas's gradebook CSV: anew, or an export of it filled in."""
    if sheet:
        return _fill_in(entries, path, sheet)
    exercises = most(entries)
    blank = [""] * (len(_COLUMNS) - 1)
    rows = [[*_COLUMNS, *exercises]]
    rows.append(["    Points Possible", *blank, *map(points, exercises.values())])
    for student, own in by_student(entries):
        by_exercise = {entry.exercise: entry for entry in own}
        cells = (cell(by_exercise.get(exercise)) for exercise in exercises)
        # The name with Canvas's number, or a login.
        name, number = without_formula(without_id(student)), id_of(student)
        rows.append([name, number, "", "" if number else name, "", *cells])
    write_whole(path, as_csv(rows))
    return [
        "Canvas makes a new assignment of a title that it does not know. Export its gradebook, "
        "and give it with --template, to fill in the assignments that are there."
    ]


def _fill_in(entries: list[Entry], path: Path, sheet: Sheet) -> list[str]:
    first_cells = [plain(row[0]) for row in sheet.rows]
    if _POINTS not in first_cells or sheet.column("ID") is None:
        raise ClassError(f'{sheet.path} is no gradebook of Canvas: no "Points Possible", or no ID.')
    possible = first_cells.index(_POINTS)
    people = sheet.rows[possible + 1 :]
    places, scales = {}, {}
    for exercise, ours in most(entries).items():
        at = places[exercise] = _column_of(exercise, sheet)
        theirs = number_in(sheet.rows[possible][at])
        scales[exercise] = sheet.scale(theirs, ours, exercise)
    if len(set(places.values())) < len(places):
        raise ClassError("Two exercises would fill the same column; give --column for each.")
    names = (*_COLUMNS[1:4], _COLUMNS[0])
    identity = [column for name in names if (column := sheet.column(name)) is not None]
    who = [[row[column] for column in identity] for row in people]
    rows_of = sheet.match(entries, who)
    for entry in (one for one in entries if one.student in rows_of):
        if score := cell(entry, scales[entry.exercise]):
            people[rows_of[entry.student]][places[entry.exercise]] = score
    sheet.write(path)
    return sheet.notes


def _column_of(exercise: str, sheet: Sheet) -> int:
    """Find the column as it was told, or by its name, with or without Canvas's number."""
    if exercise in sheet.columns:
        wanted = [sheet.columns[exercise]]
    else:
        spoken = exercise.replace("_", " ")
        wanted = [exercise, spoken, spoken.removeprefix(f"{short_name(exercise)} ")]
    found: list[int] = []
    for name in wanted:
        titles = enumerate(sheet.header)
        found = found or [at for at, title in titles if _is_titled(title, name)]
    if len(found) != 1:
        how_many = "no column" if not found else "more than one column"
        raise ClassError(
            f"The template has {how_many} for {exercise}. Its columns are: "
            f"{', '.join(filter(None, map(str.strip, sheet.header)))}. Say which it is: "
            f'--column "{exercise}=TITLE".'
        )
    return found[0]


def _is_titled(title: str, name: str) -> bool:
    without_number = re.sub(r"\s*\(\d+\)\s*$", "", title)
    return plain(name) in (plain(title), plain(without_number))
