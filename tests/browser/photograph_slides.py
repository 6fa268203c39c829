"""Take a picture of every slide: ``python tests/browser/photograph_slides.py LECTURE.html FOLDER``.

A slide is taken with all that appears on it step by step.
"""

from pathlib import Path

import click
import driver
from playwright.sync_api import sync_playwright


@click.command()
@click.argument("lecture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def main(lecture: Path, folder: Path) -> None:
    """Take a picture of every slide of LECTURE, a page of `make slides`."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        executable = driver.find_chromium(playwright)
        if executable is None:
            raise click.ClickException(driver.HOW_TO_GET_CHROMIUM)
        browser = driver.start_chromium(playwright, executable)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(lecture.resolve().as_uri())
        page.wait_for_selector("body[data-ready]")
        for number in range(1, page.evaluate("Reveal.getTotalSlides()") + 1):
            while page.evaluate("Reveal.nextFragment()"):
                pass
            page.screenshot(path=folder / f"{lecture.stem}-{number:02}.png")
            page.evaluate("Reveal.next()")
        browser.close()


if __name__ == "__main__":
    main()
