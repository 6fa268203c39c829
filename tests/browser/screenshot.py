"""Take pictures of a notebook in JupyterLab, to look at how a lesson reads.

    python tests/browser/screenshot.py NOTEBOOK OUT.png [--run] [--scroll-to TEXT] [--width 1280]

Without ``--scroll-to`` the whole notebook is taken, a page at a time: OUT-01.png, OUT-02.png, ...
With it, OUT.png is JupyterLab's window with TEXT at the top of the notebook. The notebook is run,
and the pictures are taken, on a copy.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import driver
from playwright.sync_api import sync_playwright

# The part of the page that scrolls.
SCROLLER = f"{driver.NOTEBOOK} .jp-WindowedPanel-outer"
# JupyterLab draws a cell when it comes into view, and guesses its height until then.
DRAW_ALL_CELLS = ".jp-Notebook-cell { content-visibility: visible !important; }"

SCROLL_TO_TOP = """(element, scroller) => {
    const outer = document.querySelector(scroller);
    outer.scrollTo(0, element.getBoundingClientRect().top
        - outer.getBoundingClientRect().top + outer.scrollTop - 10);
}"""


@click.command()
@click.argument("notebook", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--run", is_flag=True, help="Run all cells first, through JupyterLab's menu.")
@click.option("--scroll-to", metavar="TEXT", help="Take the window, with this text at its top.")
@click.option("--width", default=1280, show_default=True, help="Of the window, in pixels.")
@click.option("--height", default=800, show_default=True, help="Of the window, in pixels.")
def main(
    notebook: Path, out: Path, run: bool, scroll_to: str | None, width: int, height: int
) -> None:
    """Take pictures of NOTEBOOK in JupyterLab."""
    with open_in_jupyterlab(notebook, width, height) as lab:
        if run:
            lab.run_all_cells()
            for error in lab.errors():
                click.echo(f"error in {error}", err=True)
        lab.page.add_style_tag(content=DRAW_ALL_CELLS)
        lab.settle()
        pictures = [take_window(lab, out, scroll_to)] if scroll_to else take_pages(lab, out)
        for picture in pictures:
            click.echo(picture)


@contextmanager
def open_in_jupyterlab(notebook: Path, width: int, height: int) -> Iterator[driver.Lab]:
    """Open a copy of the notebook in a copy of the course."""
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        executable = driver.find_chromium(playwright)
        if executable is None:
            raise click.ClickException(driver.HOW_TO_GET_CHROMIUM)
        course = driver.copy_course(Path(scratch) / "course")
        path = place_in_course(notebook.resolve(), course)
        browser = driver.start_chromium(playwright, executable)
        with driver.serve(course, Path(scratch) / "jupyter") as server:
            page = browser.new_page(viewport={"width": width, "height": height})
            lab = driver.Lab(page, server, course)
            lab.open(path)
            yield lab
        browser.close()


def place_in_course(notebook: Path, course: Path) -> str:
    """Return where a notebook of the checkout is in the copy; bring another one there."""
    if notebook.is_relative_to(driver.ROOT):
        return notebook.relative_to(driver.ROOT).as_posix()
    shutil.copy(notebook, course / "notebooks")
    return f"notebooks/{notebook.name}"


def take_window(lab: driver.Lab, out: Path, text: str) -> Path:
    """Take JupyterLab's whole window with `text` at the top of the notebook."""
    notebook = lab.page.locator(driver.NOTEBOOK)
    # A heading rather than the same words in a list of aims.
    places = (notebook.get_by_role("heading").filter(has_text=text), notebook.get_by_text(text))
    seen = (place.filter(visible=True) for place in places)
    found = next((place.first for place in seen if place.count()), None)
    if found is None:
        raise click.ClickException(f"The notebook does not show the text {text!r}.")
    found.evaluate(SCROLL_TO_TOP, SCROLLER)
    lab.settle()
    lab.page.screenshot(path=out)
    return out


def take_pages(lab: driver.Lab, out: Path) -> list[Path]:
    """Take the notebook from top to bottom, a windowful at a time."""
    scroller = lab.page.locator(SCROLLER)
    page_height = scroller.evaluate("element => element.clientHeight")
    pictures = []
    top, end = 0, 1
    while top < end:
        scroller.evaluate("(element, top) => element.scrollTo(0, top)", top)
        lab.settle()
        # After the last cell JupyterLab leaves room to scroll it to the top: nothing to see there.
        end = scroller.evaluate(
            """element => {
                const last = [...element.querySelectorAll(".jp-Notebook-cell")].at(-1);
                return last.getBoundingClientRect().bottom
                    - element.getBoundingClientRect().top + element.scrollTop;
            }"""
        )
        pictures.append(out.with_stem(f"{out.stem}-{len(pictures) + 1:02}"))
        scroller.screenshot(path=pictures[-1])
        top += page_height
    return pictures


if __name__ == "__main__":
    main()
