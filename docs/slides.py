"""Make lectures of the lessons: ``python docs/slides.py [NAME ...]``, or ``make slides``.

A lecture shows the cells of an executed notebook whose metadata says so (`slideshow`,
`slide_type`), with the outputs as they were committed; nothing is run. The folder is complete in
itself: reveal.js, fonts and formulas need no request to anybody.

A figure is shown without its code where that is long or leaves no room, a guess shows its question
without the call and its output on the next slide, and a self-test has a slide for each question.
The type is as large as the slide allows; a slide that does not fit at 20 pixels (of a screen 1280
wide) fails in a test: divide it.

To look at all slides of a lecture as pictures::

    python tests/browser/photograph_slides.py build/slides/02_batch_norm_forward.html FOLDER
"""

import argparse
import re
import shutil
import sys
from copy import deepcopy
from importlib.util import find_spec
from itertools import dropwhile
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup
from jinja2 import Environment, FileSystemLoader
from nbconvert import SlidesExporter
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

ROOT = Path(__file__).resolve().parent.parent
# The page around the slides, its style, and the script that fits each slide to the screen.
PAGES = ROOT / "docs" / "slides"
LESSONS = ROOT / "notebooks"

SHOWN = ("slide", "subslide", "fragment", "-", "notes")
SELF_TEST = "self_test("
GUESS = "guess("
# An output that waits for a guess: the next slide shows it.
FOLDED = re.compile(
    r"<details[^>]*><summary>Guess first[^<]*</summary>\n(.*)\n</details>", re.DOTALL
)
# Above a picture: the code that draws one is seldom what a lecture is about.
LINES_OVER_A_PICTURE = 4
# Which of its outputs a cell shows. Widgets carry their picture as HTML as well.
OUTPUTS = ["text/html", "text/markdown", "text/latex", "image/svg+xml", "image/png", "text/plain"]

# What a lecture needs of reveal.js and of MathJax, which come with these packages.
REVEAL = ("sphinx_revealjs", "_static/revealjs")
REVEAL_FILES = (
    *("LICENSE", "dist/reset.css", "dist/reveal.css", "dist/reveal.js", "plugin/notes/notes.js"),
    *("dist/theme/white.css", "dist/theme/fonts/*/source-sans-pro*.css"),
    *("dist/theme/fonts/source-sans-pro/*.woff", "dist/theme/fonts/source-sans-pro/LICENSE"),
)
MATHJAX = ("sphinx-mathjax-offline", "static/mathjax")
MATHJAX_FILES = ("tex-svg-full.js",)


def lecture(notebook: NotebookNode, name: str, lectures: set[str]) -> str:
    """Return a lesson's slides as a page.

    Parameters
    ----------
    notebook
        The lesson, executed.
    name
        Its file's name, without suffix.
    lectures
        The names of all lessons with slides, for the links between them.
    """
    exporter = SlidesExporter(
        template_file="lecture.html.j2",
        extra_template_paths=[str(PAGES)],
        reveal_url_prefix="reveal",
        reveal_theme="white",
        display_data_priority=OUTPUTS,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    resources = {"metadata": {"name": title(notebook, name)}}
    page, _ = exporter.from_notebook_node(slides(notebook), resources)
    return relink(page, lectures)


def slides(notebook: NotebookNode) -> NotebookNode:
    """Return a notebook of the cells that are shown."""
    cells = []
    for cell in notebook.cells:
        if slide_type(cell) in SHOWN:
            cells += questions(cell) if SELF_TEST in cell.source else [without_asides(cell)]
    return nbformat.from_dict({**notebook, "cells": cells})


def slide_type(cell: NotebookNode) -> str:
    """Return how a cell is shown; "skip" where nothing is said."""
    return cell.metadata.get("slideshow", {}).get("slide_type", "skip")


def without_asides(cell: NotebookNode) -> NotebookNode:
    """Return a cell without the code that would only take room on a slide."""
    cell = deepcopy(cell)
    if cell.cell_type == "code":
        lines = cell.source.splitlines()
        if "nbval-ignore-output" in cell.metadata.get("tags", []):  # its reason is for who tests it
            lines = list(dropwhile(lambda line: line.startswith("#"), lines))
        cell.source = "\n".join(lines)
        crowded = "<img" in stored_html(cell) and len(lines) > LINES_OVER_A_PICTURE
        if crowded or cell.source.startswith(GUESS):
            cell.metadata.transient = {"remove_source": True}
        for output in cell.outputs:
            if found := FOLDED.fullmatch(output.get("data", {}).get("text/html", "")):
                output.data["text/html"] = found[1]
                cell.metadata.slideshow = {"slide_type": "subslide"}
    return cell


def stored_html(cell: NotebookNode) -> str:
    """Return the HTML among a cell's outputs."""
    return "".join(output.get("data", {}).get("text/html", "") for output in cell.outputs)


def questions(cell: NotebookNode) -> list[NotebookNode]:
    """Return a slide for each question of a self-test; the last has the script for all of them."""
    whole = BeautifulSoup(stored_html(cell), "html.parser")
    if not (asked := whole.select(".q")):
        return []
    place = " ".join(whole.div.get("class", []))
    pieces = [f'<div class="{place}">{part}</div>' for part in asked]
    pieces[-1] += f"<div>{whole.script}</div>"
    return [question(number, piece) for number, piece in enumerate(pieces)]


def question(number: int, html: str) -> NotebookNode:
    """Return a cell without code that shows a question."""
    output = nbformat.v4.new_output("display_data", {"text/html": html})
    cell = nbformat.v4.new_code_cell(outputs=[output], id=f"question-{number}")
    cell.metadata.update(slideshow={"slide_type": "subslide"}, transient={"remove_source": True})
    return cell


def title(notebook: NotebookNode, name: str) -> str:
    """Return a lesson's heading."""
    lines = notebook.cells[0].source.splitlines()
    return next((line.lstrip("# ") for line in lines if line.startswith("# ")), name)


def relink(page: str, lectures: set[str]) -> str:
    """Let links to lessons lead to their lectures; keep of other links to files the words."""
    soup = BeautifulSoup(page, "html.parser")
    for link in soup.select(".slides a[href]"):
        lesson = link["href"].partition(".ipynb")[0]
        if lesson in lectures:
            link["href"] = f"{lesson}.html"
        elif "://" not in link["href"]:
            link.unwrap()
    return str(soup)


def assets(folder: Path) -> None:
    """Put beside the lectures what all of them need."""
    copy(package_folder(*REVEAL), REVEAL_FILES, folder / "reveal")
    copy(package_folder(*MATHJAX), MATHJAX_FILES, folder / "mathjax")
    copy(PAGES, ("slides.css", "slides.js"), folder)
    code = HtmlFormatter(style="a11y-high-contrast-light").get_style_defs(".highlight")
    (folder / "code.css").write_text(code, encoding="utf-8")


def package_folder(package: str, inside: str) -> Path:
    """Return a folder of an installed package, without importing it."""
    found = find_spec(package)
    if found is None or found.origin is None:
        sys.exit(f"slides.py: {package} is missing. `make slides` installs it.")
    return Path(found.origin).parent / inside


def copy(source: Path, patterns: tuple[str, ...], target: Path) -> None:
    """Copy the files that match, with their folders."""
    for pattern in patterns:
        for file in source.glob(pattern):
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)


def build(notebooks: dict[str, NotebookNode], folder: Path) -> None:
    """Write a lecture for each notebook, by its name, and a page that lists them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    assets(folder)
    listed = []
    for name, notebook in notebooks.items():
        page = lecture(notebook, name, set(notebooks))
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
        listed.append({"file": f"{name}.html", "number": name[:2], "title": title(notebook, name)})
    template = Environment(loader=FileSystemLoader(PAGES), autoescape=True).get_template(
        "lectures.html.j2"
    )
    (folder / "index.html").write_text(template.render(lectures=listed), encoding="utf-8")


def read(names: list[str]) -> dict[str, NotebookNode]:
    """Return the lessons that have slides and contain one of the names; all without names."""
    paths = [path for path in sorted(LESSONS.glob("*.ipynb")) if fits(path.stem, names)]
    notebooks = {path.stem: nbformat.read(path, as_version=4) for path in paths}
    return {
        name: notebook
        for name, notebook in notebooks.items()
        if any(slide_type(cell) in SHOWN for cell in notebook.cells)
    }


def fits(stem: str, names: list[str]) -> bool:
    """Say whether a lesson was asked for."""
    return not names or any(name in stem for name in names)


def main() -> None:
    """Read the command line and make the lectures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="part of a lesson's file name; all without it")
    parser.add_argument("--into", type=Path, default=ROOT / "build" / "slides", metavar="FOLDER")
    arguments = parser.parse_args()
    notebooks = read(arguments.names)
    if not notebooks:
        sys.exit("slides.py: no lesson of that name has a cell that is marked for a slide.")
    build(notebooks, arguments.into.resolve())
    print(f"{len(notebooks)} lectures are in {arguments.into}: open index.html.")


if __name__ == "__main__":
    main()
