"""Every lesson is a lecture too: at most twenty sheets, each with a title and one thing to see."""

import importlib.util
import sys
from pathlib import Path

import nbformat
import pytest

from normlab.exercises.guessing import seal

ROOT = Path(__file__).parents[2]
MOST = 20
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def load(name):
    specification = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # slides.py imports sheets.py
    specification.loader.exec_module(module)
    return module


sheets, slides = load("sheets"), load("slides")

A_PICTURE = nbformat.v4.new_output("display_data", {"text/html": '<img alt="a line">'})
TO_TOUCH = nbformat.v4.new_output(
    "display_data", {"text/html": '<div class="nx-1"><img alt="a line"></div>'}
)
PRINTED = nbformat.v4.new_output("stream", name="stdout", text="4")


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_is_a_lecture(path):
    lesson = nbformat.read(path, as_version=4)
    lecture = sheets.lecture(lesson)
    assert 10 <= len(lecture) <= MOST
    assert (lecture[0].kind, lecture[-1].section) == ("title", "Recap")
    assert "A question first" in {sheet.section for sheet in lecture}
    for sheet in lecture:
        top, *rest, notes = sheets.cells(sheet, first=True)
        assert top.source.startswith(("# ", "## "))
        assert sheets.slide_type(notes) == "notes"
        assert len([cell for cell in rest if not sheets.is_plain(cell)]) <= 1
        assert sheet.lead or sheet.shown
    assert sum(sheet.kind == "ask" for sheet in lecture) >= 2
    stored = [sheets.stored_html(cell) for cell in lesson.cells]
    to_touch = sum("<img" in html and "render({ model" in html for html in stored)
    assert [sheet.kind for sheet in lecture].count("touch") == to_touch


def text(source, kind="slide"):
    return nbformat.v4.new_markdown_cell(source, metadata=marked(kind))


def code(source, kind="-", **more):
    return nbformat.v4.new_code_cell(source, metadata=marked(kind), **more)


def marked(kind):
    return {"slideshow": {"slide_type": kind}} if kind else {}


def lecture(*cells, most=MOST):
    return sheets.lecture(nbformat.v4.new_notebook(cells=list(cells)), most)


def sources(cells):
    return [cell.source for cell in cells]


def test_only_marked_cells_are_shown():
    (sheet,) = lecture(
        text("## A\n\nIt is:"), code("one"), code("two", None), code("three", "skip")
    )
    assert sources(sheet.shown) == ["one"]


def test_every_sheet_has_the_title_of_its_section():
    shown = lecture(text("## A\n\nFirst."), text("Second.", "subslide"), text("## B\n\nThird."))
    tops = [sheets.cells(sheet, first=False)[0].source for sheet in shown]
    assert tops == ["## A\n\nFirst.", "## A\n\nSecond.", "## B\n\nThird."]


def test_a_sheet_shows_one_thing():
    first, again = (code("draw()", outputs=[A_PICTURE]) for _ in range(2))
    shown = lecture(text("## A\n\nLook:"), first, text("It falls.\n\nAgain:", "-"), again)
    assert [(sheet.lead, sources(sheet.then)) for sheet in shown] == [
        (["Look:"], ["It falls."]),
        (["Again:"], []),
    ]


def test_a_picture_is_shown_without_its_code():
    (sheet,) = lecture(text("## A"), code("draw()", outputs=[A_PICTURE]))
    assert sheet.shown[0].metadata.transient.remove_source


def test_an_explorable_is_shown_though_nobody_marked_it():
    shown = lecture(text("## A\n\nTouch it.", None), code("draw()", None, outputs=[TO_TOUCH]))
    assert [(sheet.kind, sheet.lead) for sheet in shown] == [("touch", ["Touch it."])]


@pytest.mark.parametrize("sealed", [True, False])
def test_the_class_is_asked_and_the_answer_comes_after(sealed):
    told = {"answer": 12, "unit": " %"}
    call = f'sealed="{seal(**told)}"' if sealed else "answer=12, unit=' %'"
    folded = "<details class='nx-1'><summary>Guess first, then</summary>\n<p>4</p>\n</details>"
    answer = nbformat.v4.new_output("display_data", {"text/html": folded})
    (sheet,) = lecture(
        text("## A\n\nThink."),
        code(f'guess("How many?", {call})'),
        code("2 + 2", "fragment", outputs=[answer]),
    )
    assert sheet.lead == ["Think."]
    assert sheet.shown[0].source.startswith("> **Ask now.** How many?")
    assert [cell.outputs[0].data["text/html"] for cell in sheet.then] == ["<p>4</p>"]
    assert sheet.notes == ["Think.", "**Answer:** 12 %."]


def test_where_no_cell_of_the_lecture_answers_the_answer_is_said():
    question = code(f'guess("How many?", sealed="{seal(answer=12, unit=" %")}")')
    (sheet,) = lecture(text("## A\n\nThink."), question, code("2 + 2", None))
    assert sources(sheet.then) == ["**Answer:** 12 %."]


def test_a_picture_that_answers_has_the_question_above_it():
    question = code(f'guess("Up or down?", sealed="{seal(answer="up", options=["up", "down"])}")')
    shown = lecture(text("## A"), question, code("draw()", "fragment", outputs=[A_PICTURE]))
    assert [sheet.kind for sheet in shown] == ["ask", "picture"]
    assert "up · down" in shown[0].shown[0].source
    assert shown[1].lead == ["Up or down?"]


def test_what_is_left_out_is_in_the_notes():
    cells = [text("## A\n\nFirst."), text("Second.", "subslide"), text("## B\n\nThird.")]
    shown = lecture(*cells, most=2)
    assert [sheet.lead for sheet in shown] == [["First."], ["Third."]]
    assert shown[0].notes == ["First.", "Second."]


def test_pictures_and_questions_are_kept_before_code():
    cells = [text("## A\n\nWords."), code("1"), code("2", "subslide", outputs=[A_PICTURE])]
    (sheet,) = lecture(*cells, most=1)
    assert sheet.kind == "picture"


def test_a_long_text_is_cut_after_a_sentence():
    first, second = "One " * 60 + "end.", "Two " * 60 + "end."
    assert sheets.shortened([f"{first} {second}", "Three."], 300) == [first]
    assert sheets.shortened(["This:", "$$x$$", "Four."], 5) == ["This:", "$$x$$"]


def test_what_is_said_to_the_tests_is_not_on_a_slide():
    cell = code("# Output not compared: it varies.\nprint(x)  # x", outputs=[PRINTED])
    cell.metadata.tags = ["nbval-ignore-output"]
    (sheet,) = lecture(text("## A\n\nIt is:"), cell)
    assert sources(sheet.shown) == ["print(x)  # x"]


def test_links_lead_to_lectures_or_are_words():
    page = (
        '<div class="slides"><a href="02_x.ipynb#y">a</a><a href="../exercises/02_x.ipynb">b</a>'
        '<a href="https://example.org">c</a></div>'
    )
    assert slides.relink(page, {"02_x"}) == (
        '<div class="slides"><a href="02_x.html">a</a>b<a href="https://example.org">c</a></div>'
    )
