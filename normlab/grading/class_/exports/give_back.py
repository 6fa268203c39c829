"""Give the pages back: a zip that Moodle or Canvas takes, under the names that it gave itself."""

import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

from normlab.grading.class_.gradebook import Entry
from normlab.grading.class_.reports import by_student, feedback_page, labels
from normlab.grading.class_.submissions import id_of, without_id

# What Canvas called a notebook: it takes back what begins so, and adds it as a comment.
_CANVAS = re.compile(r"(?:.*/)?([^/]+?_\d+_\d+_)[^/]*")


def feedback_zip(entries: Iterable[Entry], to: str, path: Path) -> list[str]:
    """Write the zip for "moodle" or "canvas"; return notes on who is not in it."""
    people = list(by_student(entries))
    called = labels(student for student, _ in people)
    left_out, count, unfinished = [], 0, path.with_name(f".{path.name}.part")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        for student, own in people:
            names = _canvas_names(own) if to == "canvas" else _moodle_names(student)
            for name in names:
                archive.writestr(name, feedback_page(called[student], own))
            count += bool(names)
            left_out += [] if names else [without_id(student)]
    unfinished.replace(path)
    notes = [f"{count} pages to give back are in {path.name}: {_HOW[to]}"]
    if left_out:
        notes.append(
            f"Not in {path.name}, since {_WHY[to]}: {', '.join(left_out)}. Their pages are in "
            "feedback/, to be given back by hand."
        )
    return notes


_HOW = {
    "moodle": 'in the assignment, "Upload multiple feedback files in a zip" (the feedback type '
    '"Feedback files" has to be on).',
    "canvas": '"Upload Submissions" in the assignment takes it, and adds a comment with the page '
    "to the submission that each came from.",
}
_WHY = {
    "moodle": "without Moodle's number behind the name it cannot be told whose page it is",
    "canvas": "Canvas takes pages back for a file of its own that was handed in, and for no other",
}


def _moodle_names(student: str) -> list[str]:
    number = id_of(student)
    # Moodle finds the number between the first two underscores, and the file behind the fourth.
    name = without_id(student).replace("_", " ").replace("/", " ")
    return [f"{name}_{number}_assignsubmission_file_/feedback.html"] if number else []


def _canvas_names(entries: Iterable[Entry]) -> list[str]:
    found = (_CANVAS.fullmatch(entry.file) for entry in entries if entry.was_handed_in)
    return [f"{name[1]}feedback.html" for name in found if name]
