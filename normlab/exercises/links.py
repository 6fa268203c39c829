"""Where the words of a report lead to, if the lessons lie beside the notebook that one works in."""

import json
import re
from pathlib import Path
from urllib.parse import quote

from normlab.audience import nobody_is_there
from normlab.exercises.exercise import Exercise

_LESSONS = (Path("../notebooks"), Path("notebooks"))
_NEXT_LESSON = "the next lesson"


def links_in(next_step: str, exercise: Exercise, following: str) -> dict[str, str]:
    """Return the targets of the words in a report's last line, by these words.

    A notebook that is executed for its outputs gets none: it may be shown elsewhere. `following` is
    the name of the next task in the notebook, or "".
    """
    if nobody_is_there():
        return {}
    found = {}
    folder = next((one for one in _LESSONS if one.is_dir()), None)
    section = re.search(r'Lesson \d+, "([^"]+)"', next_step)
    lesson = folder / f"{exercise.notebook}.ipynb" if folder else None
    if section and lesson and lesson.is_file():
        found[section[0]] = f"{lesson.as_posix()}#{_anchor(section[1])}"
    if following and following in next_step:
        heading = _heading_before(Path(f"{exercise.notebook}.ipynb"), f'check("{following}"')
        if heading:
            found[following] = f"#{_anchor(heading)}"
    if _NEXT_LESSON in next_step and folder:
        later = [file for file in sorted(folder.glob("*.ipynb")) if file.stem > exercise.notebook]
        if later:
            found[_NEXT_LESSON] = later[0].as_posix()
    return found


def _anchor(heading: str) -> str:
    """Return the fragment by which Jupyter finds a heading."""
    return quote(heading.replace(" ", "-"))


def _heading_before(notebook: Path, text: str) -> str:
    """Return the last heading before some text in a notebook; "" where it cannot be read."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        heading = ""
        for cell in cells:
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                headings = re.findall(r"^#+ (.+)$", source, re.MULTILINE)
                heading = headings[-1] if headings else heading
            elif text in source:
                return heading
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return ""
