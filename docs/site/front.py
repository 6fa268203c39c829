"""What the site's first pages are made of: cards of the lessons, a list of the exercises."""

import base64
import html
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from normlab.exercises.finding import tasks_of

# Which of a lesson's figures stands for it, where the first does not say most.
_FIGURES = {"00": 1, "02": 2, "05": 1, "06": 1, "07": 2, "08": 2, "09": 2, "14": 1}
_CARD_WIDTH = 640  # pixels: sharp on a dense screen
_ROW = re.compile(r"\| \[(\d\d) ([^\]]+)\]\((notebooks/[^)]+)\.ipynb\) \| (.+?) \| (\d+) \|")
_FIGURE = re.compile(r'<img [^>]*?src="data:image/png;base64,([^"]+)"')
_TILE = re.compile(r'<a href="#claim-[^>]+background: (#\w+); color: (#\w+);')


@dataclass(frozen=True)
class Lesson:
    """A row of the README's table."""

    number: str
    title: str
    page: str
    able: str
    minutes: int


def lessons(readme: str) -> list[Lesson]:
    """Read the README's table of the lessons."""
    found = [Lesson(*row[:4], int(row[4])) for row in _ROW.findall(readme)]
    if not found:
        raise SystemExit("README.md has no table of the lessons that this script can read.")
    return found


def cards(chosen: list[Lesson], notebooks: Path, pictures: Path) -> str:
    """Return the lessons as HTML, and write a picture of each into a folder."""
    pictures.mkdir(parents=True)
    written = []
    for lesson in chosen:
        outputs = list(_outputs(notebooks / f"{Path(lesson.page).name}.ipynb"))
        name = _picture(lesson.number, outputs, pictures)
        able = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(lesson.able, quote=False))
        written.append(
            f'<li><a href="{lesson.page}.html"><img src="_static/cards/{name}" alt="" '
            f'loading="lazy"><strong>{lesson.number} {html.escape(lesson.title)}</strong></a>'
            f"<p>You can then {able}.</p><small>about {lesson.minutes} minutes</small></li>"
        )
    return f'<ul class="cards">\n{chr(10).join(written)}\n</ul>\n'


def _outputs(notebook: Path) -> Iterator[str]:
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", ()):
            yield "".join(output.get("data", {}).get("text/html", ""))


def _picture(number: str, outputs: list[str], folder: Path) -> str:
    """Write a lesson's card picture: one of its figures, or the tiles of its verdicts."""
    figures = [data for output in outputs for data in _FIGURE.findall(output)]
    if not figures:
        (folder / f"{number}.svg").write_text(_tiles("".join(outputs)), encoding="utf-8")
        return f"{number}.svg"
    chosen = figures[min(_FIGURES.get(number, 0), len(figures) - 1)]
    picture = Image.open(io.BytesIO(base64.b64decode(chosen))).convert("RGB")
    picture.thumbnail((_CARD_WIDTH, _CARD_WIDTH))
    picture.quantize(64).save(folder / f"{number}.png", optimize=True)
    return f"{number}.png"


def _tiles(outputs: str) -> str:
    """Draw a tile for each claim that was judged, in the colours of the lesson's own map."""
    tiles = _TILE.findall(outputs)
    if not tiles:
        raise SystemExit("A lesson has neither a figure nor verdicts: give its card a picture.")
    drawn = "".join(
        f'<rect x="{10 + 25 * (k % 15)}" y="{10 + 25 * (k // 15)}" width="21" height="21" rx="4" '
        f'fill="{ground}" stroke="{ink}"/>'
        for k, (ground, ink) in enumerate(tiles)
    )
    height = 20 + 25 * (1 + (len(tiles) - 1) // 15)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 392 {height}">{drawn}</svg>'


def toctree(entries: list[tuple[str, str]]) -> str:
    """List pages for the side bar, each under a name of its own."""
    lines = "\n".join(f"{name} <{page}>" for name, page in entries)
    return f"```{{toctree}}\n:hidden:\n\n{lines}\n```\n"


def exercise_list(folder: Path) -> str:
    """Return a table of the exercises, and what the side bar calls them."""
    rows, entries = ["| exercise | tasks | points |", "|---|---|---|"], []
    for notebook in sorted(folder.glob("*.ipynb")):
        first = "".join(json.loads(notebook.read_text(encoding="utf-8"))["cells"][0]["source"])
        name = f"{notebook.stem[:2]} {first.partition(chr(10))[0].removeprefix('# ')}"
        tasks = tasks_of(notebook.stem)
        names = ", ".join(f"`{task.name}`" for task in tasks)
        points = sum(task.max_points for task in tasks)
        rows.append(f"| [{name}](exercises/{notebook.name}) | {names} | {points:g} |")
        entries.append((name, f"exercises/{notebook.stem}"))
    table = "\n".join(rows)
    return f"{table}\n\n{toctree(entries)}"
