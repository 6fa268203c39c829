"""Plain tables: a row for each student, or the columns of ``nbgrader export``."""

from pathlib import Path

from normlab.files import write_whole
from normlab.grading.class_.csv_text import as_csv
from normlab.grading.class_.exports.cells import cell, most, open_questions, total
from normlab.grading.class_.gradebook import Entry
from normlab.grading.class_.reports import by_student, points, without_formula

_NBGRADER = (
    *("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email"),
    *("raw_score", "late_submission_penalty", "score", "max_score"),
)


def write(entries: list[Entry], path: Path, _: object = None) -> list[str]:
    """Write a row for each student, and a column for each exercise."""
    exercises = list(most(entries))
    rows = [["student", *exercises, "total", "max_total", "not_judged"]]
    for student, own in by_student(entries):
        by_exercise = {entry.exercise: entry for entry in own}
        cells = (cell(by_exercise.get(exercise)) for exercise in exercises)
        out_of = points(sum(entry.max_score for entry in own))
        name = without_formula(student)
        rows.append([name, *cells, total(own), out_of, open_questions(own)])
    write_whole(path, as_csv(rows))
    return []


def write_for_nbgrader(entries: list[Entry], path: Path, _: object = None) -> list[str]:
    """Write a row for each student and exercise, which is an assignment there."""
    rows = [_NBGRADER]
    for entry in entries:
        score = cell(entry)
        raw = points(entry.verdict.score) if score and entry.by_hand is None else score
        lost = points(entry.verdict.score - entry.score) if raw != score else "0"
        when = entry.modified.replace("T", " ").removesuffix("+00:00")
        student = without_formula(entry.student)
        out_of = points(entry.verdict.max_score)
        rows.append((entry.exercise, "", when, student, "", "", "", raw, lost, score, out_of))
    write_whole(path, as_csv(rows))
    return []
