"""Moodle: its offline grading worksheet, filled in with one grade, the sum over the exercises."""

from pathlib import Path

from normlab.grading.class_ import ClassError
from normlab.grading.class_.exports.cells import most, open_questions, total
from normlab.grading.class_.exports.sheet import Sheet, number_in
from normlab.grading.class_.gradebook import Entry
from normlab.grading.class_.reports import by_student

_GRADE = "Grade"
_COMMENT = "feedback"  # in its title in many languages; in Moodle's worksheet it is the last


def write(entries: list[Entry], path: Path, sheet: Sheet | None) -> list[str]:
    """Fill in a worksheet, in whatever language: the places of its columns are always the same."""
    if sheet is None:
        raise ClassError(
            "Moodle takes its own worksheet back, and nothing else. Download it (in the "
            'assignment: "Download grading worksheet") and give it with --template.'
        )
    ours = most(entries)
    grade = _grade_column(sheet, next(iter(ours)))
    if len(ours) > 1:
        sheet.notes.append(f"The grade is the sum of {', '.join(ours)}; --exercise chooses.")
    people = sheet.rows[1:]
    # Before the grade stands who it is: Moodle's own number, the name, and more.
    who = [[*row[:1], *row[2:grade], *row[1:2]] for row in people]
    rows_of = sheet.match(entries, who)
    theirs = _maximum(sheet, grade)
    sheet.scale(theirs, sum(ours.values()), " + ".join(ours))
    comment = len(sheet.header) - 1 if _COMMENT in sheet.header[-1].casefold() else None
    if comment is None and not all(entry.is_judged for entry in entries):
        sheet.notes.append(
            "No column for comments was found, so what is not judged is listed here alone."
        )
    for student, own in by_student(e for e in entries if e.student in rows_of):
        row = people[rows_of[student]]
        # What is excused takes nothing away.
        most_of_own = sum(ours.values()) - sum(ours[e.exercise] for e in own if e.excused)
        if points := total(own, theirs / most_of_own if most_of_own else 1.0):
            row[grade] = points
        if comment is not None and not row[comment].strip():
            row[comment] = open_questions(own)
    sheet.write(path)
    return sheet.notes


def _maximum(sheet: Sheet, grade: int) -> float:
    """Return the points that can be had: they stand behind the grade, in every language."""
    behind = {number_in(row[grade + 1]) for row in sheet.rows[1:] if len(row) > grade + 1}
    if len(behind) != 1 or (most := behind.pop()) is None:
        raise ClassError(
            f'In the column behind "{sheet.header[grade]}" of the worksheet there is not one '
            "maximum for all, so how many points a grade is out of cannot be told. Give the column "
            "of the grade with --column, or download the worksheet again. Nothing was written."
        )
    return most


def _grade_column(sheet: Sheet, example: str) -> int:
    titles = set(sheet.columns.values()) or {_GRADE}
    if len(titles) > 1:
        raise ClassError("A worksheet of Moodle has one column for grades: give --column once.")
    title = titles.pop()
    at = sheet.column(title)
    if at is None:
        raise ClassError(
            f'The worksheet has no column "{title}". Its columns are: {", ".join(sheet.header)}. '
            f'Say which it is: --column "{example}=TITLE".'
        )
    return at
