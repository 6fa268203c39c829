"""Make lectures of the lessons: ``python docs/slides.py [NAME ...]``, or ``make slides``.

A lecture is made of an executed notebook, with the outputs as they were committed; nothing is run.
What it shows is chosen by `sheets.py`. The folder is complete in itself: reveal.js, fonts and
formulas need no request to anybody.

The type is as large as the slide allows; a slide that does not fit at 20 pixels (of a screen 1280
wide) fails in a test.

To look at all slides of a lecture as pictures::

    python tests/browser/photograph_slides.py build/slides/02_batch_norm_forward.html FOLDER
"""

import argparse
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import nbformat
import sheets
from bs4 import BeautifulSoup
from jinja2 import Environment, FileSystemLoader
from nbconvert import SlidesExporter
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

ROOT = Path(__file__).resolve().parent.parent
# The page around the slides, its style, and the script that fits each slide to the screen.
PAGES = ROOT / "docs" / "slides"
LESSONS = ROOT / "notebooks"

# Which of its outputs a cell shows: the first of these that it has.
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
    cells: list[NotebookNode] = []
    section = ""
    for sheet in sheets.lecture(notebook):
        cells += sheets.cells(sheet, first=sheet.section != section)
        section = sheet.section
    return nbformat.from_dict({**notebook, "cells": cells})


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
    for title in soup.select(".slides :is(h1, h2, h3)[id]"):
        del title["id"]  # a section has as many titles as sheets, and an id is one's own
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
    return {name: notebook for name, notebook in notebooks.items() if sheets.lecture(notebook)}


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
