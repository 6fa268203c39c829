"""Hand the grades on: to Canvas, Moodle, nbgrader's format, or a plain table.

Where nothing of an exercise could be judged the cell stays empty: no failure becomes a 0 on its
way into another system. `Export.open_questions` lists them. Each system has a file here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from normlab.grading.class_ import ClassError
from normlab.grading.class_.exports import canvas, moodle, tables
from normlab.grading.class_.exports.cells import state
from normlab.grading.class_.exports.sheet import Sheet
from normlab.grading.class_.gradebook import Entry

#: The systems by name.
FORMATS: dict[str, Callable[[list[Entry], Path, Sheet | None], list[str]]] = {
    "canvas": canvas.write,
    "moodle": moodle.write,
    "nbgrader": tables.write_for_nbgrader,
    "csv": tables.write,
}


@dataclass(frozen=True)
class Export:
    """What was written."""

    notes: tuple[str, ...]  # what was done to the numbers, in words
    open_questions: tuple[str, ...]  # what is not judged in full: a person has to look at it


def export(
    entries: Iterable[Entry],
    to: str,
    path: Path,
    template: Path | None = None,
    columns: Mapping[str, str] | None = None,
    is_section: bool = False,
) -> Export:
    """Write grades, in the order of the students; or say in a ClassError why not.

    `template` is a CSV file downloaded from Canvas or Moodle, to be filled in; it is left as it is,
    and Moodle takes nothing else. `columns` has the title of an exercise's column there, where it
    is not to be recognised. Where it `is_section`, whom it does not hold is noted.
    """
    entries = list(entries)
    if not entries:
        raise ClassError("There are no grades to export.")
    if template and to not in ("canvas", "moodle"):
        raise ClassError(f"--template is for Canvas and Moodle; {to} has none.")
    if template and template.resolve() == path.resolve():
        raise ClassError("The template would be overwritten: give another file with -o.")
    sheet = Sheet.read(template, columns or {}, is_section) if template else None
    notes = FORMATS[to](entries, path, sheet)
    open_questions = (
        f"{entry.student}, {entry.exercise}: {state(entry)}"
        for entry in entries
        if not entry.is_judged
    )
    return Export(tuple(notes), tuple(open_questions))
