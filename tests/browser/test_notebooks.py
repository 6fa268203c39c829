"""Every lesson and every solution, opened and run through JupyterLab's own menu."""

from html.parser import HTMLParser

import driver
import pytest

NOTEBOOKS = [
    str(path.relative_to(driver.ROOT).as_posix())
    for folder in ("notebooks", "solutions")
    for path in sorted((driver.ROOT / folder).glob("*.ipynb"))
]


# Stands first: a notebook that was run, and then saved by JupyterLab, is trusted.
@pytest.mark.parametrize("path", NOTEBOOKS)
def test_a_fresh_clone_shows_all_that_was_committed(lab, path):
    """JupyterLab does not trust a notebook from a clone: it cuts what it deems unsafe from HTML."""
    lab.open(path)
    assert lab.pictures_without_alt() == []
    assert shown_html(lab) == committed_html(lab.read(path))


@pytest.mark.parametrize("path", NOTEBOOKS)
def test_it_runs_from_top_to_bottom(lab, path):
    lab.open(path)
    lab.run_all_cells()
    assert lab.errors() == []
    assert lab.cells_without_count() == []
    assert lab.pictures_without_alt() == []


def shown_html(lab):
    """List the elements of each HTML output in the page, each with its style."""
    outputs = lab.page.evaluate(
        """notebook => [...document.querySelectorAll(`${notebook} .jp-RenderedHTML`)]
            .map(output => [...output.querySelectorAll("*")]
                .map(it => [it.tagName.toLowerCase(), it.getAttribute("style")]))""",
        driver.NOTEBOOK,
    )
    # A browser puts a <tbody> into a table that lacks one.
    return [
        [(tag, declarations(style)) for tag, style in output if tag != "tbody"]
        for output in outputs
    ]


def committed_html(notebook):
    """List the elements of each HTML output in the file, each with its style."""
    outputs = [
        "".join(output["data"]["text/html"])
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        if "text/html" in output.get("data", {})
    ]
    return [elements(html) for html in outputs]


class _Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        # The claims' script adds a filter where it may; without it the table is whole.
        if tag not in ("tbody", "script"):
            self.found.append((tag, declarations(dict(attributes).get("style"))))


def elements(html):
    parser = _Elements()
    parser.feed(html)
    return parser.found


def declarations(style):
    """Split a style into its declarations, without the blanks."""
    return [part.replace(" ", "") for part in (style or "").split(";") if part.strip()]
