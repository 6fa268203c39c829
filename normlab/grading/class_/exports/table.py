"""A plain table: a row for each student, and a column for each exercise."""

from pathlib import Path

from normlab.files import write_whole
from normlab.grading.class_.exports.cells import cell, most, open_questions, total
from normlab.grading.class_.gradebook import Entry
from normlab.grading.class_.reports import as_csv, by_student, points, without_formula


def write(entries: list[Entry], path: Path) -> list[str]:
    """Write a row for each student, and a column for each exercise."""
    exercises = list(most(entries))
    rows = [["student", *exercises, "total", "max_total", "not_judged"]]
    for student, own in by_student(entries):
        by_exercise = {entry.exercise: entry for entry in own}
        rows.append(
            [
                without_formula(student),
                *(cell(by_exercise.get(exercise)) for exercise in exercises),
                total(own),
                points(sum(entry.max_score for entry in own)),
                open_questions(own),
            ]
        )
    write_whole(path, as_csv(rows))
    return []
