"""Every lesson is a lecture too: its cells say what is on a slide, and nothing else is shown."""

import importlib.util
import re
from pathlib import Path

import jupytext
import nbformat
import pytest

ROOT = Path(__file__).parents[2]
# Two minutes each.
SLIDES_IN_AN_HOUR = 30
LESSONS = sorted((ROOT / "source" / "lessons").glob("*.py"))

specification = importlib.util.spec_from_file_location("slides", ROOT / "docs" / "slides.py")
slides = importlib.util.module_from_spec(specification)
specification.loader.exec_module(slides)

A_PICTURE = nbformat.v4.new_output("display_data", {"text/html": '<img alt="a line">'})


def marked(cells):
    return [(slides.slide_type(cell), cell) for cell in cells if slides.slide_type(cell) != "skip"]


@pytest.mark.parametrize("source", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_is_a_lecture(source):
    shown = marked(jupytext.read(source).cells)
    begins = [cell for kind, cell in shown if kind in {"slide", "subslide"}]
    assert 5 <= len(begins) <= SLIDES_IN_AN_HOUR
    assert shown[0][0] == "slide"
    assert shown[0][1].source.startswith("# ")
    assert {kind for kind, _ in shown} <= set(slides.SHOWN)
    headings = re.findall(r"^## (.*)$", "\n".join(cell.source for _, cell in shown), re.MULTILINE)
    assert "A question first" in headings
    assert "Recap" in headings


def code(source, kind="slide", **more):
    metadata = {"slideshow": {"slide_type": kind}} if kind else {}
    return nbformat.v4.new_code_cell(source, metadata=metadata, **more)


def on_slides(*cells):
    return slides.slides(nbformat.v4.new_notebook(cells=list(cells))).cells


def test_only_marked_cells_are_shown():
    shown = on_slides(code("one"), code("two", kind=None), code("three", kind="skip"))
    assert [cell.source for cell in shown] == ["one"]


def test_a_figure_is_shown_without_its_code_where_that_is_long():
    short, long = on_slides(*(code("x\n" * n, outputs=[A_PICTURE]) for n in (2, 9)))
    assert "transient" not in short.metadata
    assert long.metadata.transient.remove_source


def test_a_guess_shows_its_question_without_the_call():
    question = nbformat.v4.new_output("display_data", {"text/html": "<p>How many?</p>"})
    (shown,) = on_slides(code('guess("How many?", sealed="x")', outputs=[question]))
    assert shown.metadata.transient.remove_source
    assert shown.outputs[0].data["text/html"] == "<p>How many?</p>"


def test_an_output_that_waits_for_a_guess_is_open_on_the_next_slide():
    summary = "<summary>Guess first, then open this output</summary>"
    html = f'<details class="nx-1">{summary}\n<p>4</p>\n</details>'
    output = nbformat.v4.new_output("display_data", {"text/html": html})
    (shown,) = on_slides(code("2 + 2", kind="fragment", outputs=[output]))
    assert shown.outputs[0].data["text/html"] == "<p>4</p>"
    assert slides.slide_type(shown) == "subslide"


def test_what_is_said_to_the_tests_is_not_on_a_slide():
    cell = code("# Output not compared: it varies.\nprint(x)  # x")
    cell.metadata.tags = ["nbval-ignore-output"]
    assert [shown.source for shown in on_slides(cell)] == ["print(x)  # x"]


def test_a_self_test_has_a_slide_for_each_question():
    answers = "<details><summary>so</summary><p>No.</p></details>"
    parts = [f'<div class="q"><p>{asked}</p>{answers}</div>' for asked in ("1. why", "2. how")]
    script = "<script>const one = '<p>';</script>"
    html = f'<div class="nx-1"><div>{"".join(parts)}</div></div>\n{script}'
    output = nbformat.v4.new_output("display_data", {"text/html": html})
    shown = on_slides(code('self_test("x")', outputs=[output]))
    first, last = (cell.outputs[0].data["text/html"] for cell in shown)
    assert first == f'<div class="nx-1">{parts[0]}</div>'
    assert last == f'<div class="nx-1">{parts[1]}</div><div>{script}</div>'
    assert {slides.slide_type(cell) for cell in shown} == {"subslide"}


def test_links_lead_to_lectures_or_are_words():
    page = (
        '<div class="slides"><a href="02_x.ipynb#y">a</a><a href="../exercises/02_x.ipynb">b</a>'
        '<a href="https://example.org">c</a></div>'
    )
    assert slides.relink(page, {"02_x"}) == (
        '<div class="slides"><a href="02_x.html">a</a>b<a href="https://example.org">c</a></div>'
    )
