"""Hand the grades on: to Canvas, Moodle, nbgrader's format, or a plain table.

Where nothing of an exercise could be judged the cell stays empty: no failure becomes a 0 on its
way into another system. `Export.open_questions` lists them. Each system has a file here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from normlab.grading.class_ import ClassError
from normlab.grading.class_.exports import canvas, moodle, tables
from normlab.grading.class_.exports.cells import state
from normlab.grading.class_.gradebook import Entry

#: The systems by name.
FORMATS: dict[str, Callable[..., Sequence[str]]] = {
    "canvas": canvas.write,
    "moodle": moodle.write,
    "nbgrader": tables.write_for_nbgrader,
    "csv": tables.write,
}


@dataclass(frozen=True)
class Export:
    """What was written."""

    path: Path
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

    Parameters
    ----------
    template
        A CSV file downloaded from Canvas or Moodle, to be filled in. The file itself is left as
        it is. Moodle takes nothing else.
    columns
        For an exercise the title of its column in the template, where it is not to be recognised.
    is_section
        Whether the template may hold fewer students than have grades; the others are noted.
    """
    entries = list(entries)
    if not entries:
        raise ClassError("There are no grades to export.")
    if template and to not in ("canvas", "moodle"):
        raise ClassError(f"--template is for Canvas and Moodle; {to} has none.")
    if template and template.resolve() == path.resolve():
        raise ClassError("The template would be overwritten: give another file with -o.")
    if to in ("canvas", "moodle"):
        notes = FORMATS[to](entries, path, template, columns or {}, is_section)
    else:
        notes = FORMATS[to](entries, path)
    open_questions = (
        f"{entry.student}, {entry.exercise}: {state(entry)}"
        for entry in entries
        if not entry.is_judged
    )
    return Export(path, tuple(notes), tuple(open_questions))
