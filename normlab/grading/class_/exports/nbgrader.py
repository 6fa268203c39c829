"""The columns of ``nbgrader export``; each exercise is an assignment."""

from pathlib import Path

from normlab.files import write_whole
from normlab.grading.class_.exports.cells import cell
from normlab.grading.class_.gradebook import Entry
from normlab.grading.class_.reports import as_csv, points, without_formula

_COLUMNS = (
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


def write(entries: list[Entry], path: Path) -> list[str]:
    """Write a row for each student and exercise."""
    rows = [_COLUMNS]
    for entry in entries:
        score = cell(entry)
        raw = points(entry.verdict.score) if score and entry.by_hand is None else score
        lost = points(entry.verdict.score - entry.score) if raw != score else "0"
        when = entry.modified.replace("T", " ").removesuffix("+00:00")
        student = without_formula(entry.student)
        most = points(entry.verdict.max_score)
        rows.append((entry.exercise, "", when, student, "", "", "", raw, lost, score, most))
    write_whole(path, as_csv(rows))
    return []
