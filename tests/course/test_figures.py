"""Each figure of a lesson has its words, out of the learner's sight."""

import ast
import html
import inspect
import re
from pathlib import Path

import nbformat
import pytest

from normlab import plots
from normlab.plots.words import _all

ROOT = Path(__file__).parents[2]
LESSONS = sorted((ROOT / "source" / "lessons").glob("*.py"))
CALL = re.compile(r'plots\.words\("([^"]+)"\)|^draw\(.*"([^"]+)"\)$', re.MULTILINE)
IMAGE = re.compile(r'<img src="data:image/png;base64,[^"]+" alt="([^"]*)"')


def used_in(text):
    return ["".join(found) for found in CALL.findall(text)]


def test_each_figure_has_words_of_its_own_lesson_and_uses_them_once():
    used = {path.stem: used_in(path.read_text("utf-8")) for path in LESSONS}
    assert [name for names in used.values() for name in names] == list(_all())
    for stem, names in used.items():
        assert all(name.startswith(f"{stem[:2]} ") for name in names), stem
    assert len(set(_all())) >= 38


@pytest.mark.parametrize("figure", _all())
def test_the_words_say_in_a_sentence_what_is_seen(figure):
    words = plots.words(figure)
    assert set(words) <= {"title", "xlabel", "ylabel", "alt"}
    assert len(words["alt"]) > 60
    assert words["alt"].endswith(".")
    assert not words.get("title", "").endswith(".")


def test_no_lesson_tells_in_its_code_what_a_figure_shows():
    """Beside its data a figure has nothing but numbers, names and the key of its words."""
    for path in LESSONS:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                names = {keyword.arg for keyword in node.keywords}
                assert not names & {"alt", "title", "ylabel"}, f"{path.name}:{node.lineno}"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_each_picture_of_a_notebook_has_its_alt_text(path):
    notebook = nbformat.read(ROOT / "notebooks" / f"{path.stem}.ipynb", as_version=4)
    for cell in notebook.cells:
        shown = "".join(
            output.get("data", {}).get("text/html", "") for output in cell.get("outputs", ())
        )
        alts = [html.unescape(alt) for alt in IMAGE.findall(shown)]
        assert len(alts) == shown.count("<img")
        assert all(len(alt) > 60 for alt in alts), cell.source
        for figure in used_in(cell.source):
            words = plots.words(figure)
            title = f"{words['title']}. " if "title" in words else ""
            assert alts == [title + words["alt"]], figure


def test_an_unknown_figure_is_told_and_the_nearest_named():
    with pytest.raises(KeyError, match="No figure is called '05 wrong digit'. Did you mean '05 w"):
        plots.words("05 wrong digit")


def test_every_figure_with_words_can_say_its_result():
    for name in ("beside", "curves", "descent", "differences", "dots", "doubling", "lights"):
        assert "title" in inspect.signature(getattr(plots, name)).parameters
