"""Lessons run on with what a learner wrote, right or wrong, and every cell may be run twice.

`run_lessons.py` runs each code cell of a lesson two times before the next, so that a cell is seen
as well that spoils what a later one needs. docs/teaching.md promises that it says the same again.
The notebooks themselves, with empty functions, are run once, by nbval.
"""

import configparser
import contextlib
import io
import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import drawn
import nbformat
import numpy as np
import pytest
from matplotlib.figure import Figure

from normlab.data import load_mnist

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "source" / "lessons").glob("*.py"))
LESSONS = [path.stem for path in SOURCES]
ASKING = [path.stem for path in SOURCES if " = yours(" in path.read_text(encoding="utf-8")]

FRESH = "it draws new random numbers in each run"
CLOCK = "it reads the clock"
SHORT = "it speaks of a training, and here they are short"
FILLED = "it judges what was an empty function when the notebook was made"
AS_TEXT = "as a page it shows its code, which as text it does not"
# A piece of a cell's source, and why its second run may show something else.
MAY_DIFFER = {
    "# Output not compared: these are timings.": CLOCK,
    "values = np.sort(rng.normal(size=1000))": FRESH,
    "bad = torch.randn(8, 2)": FRESH,
    "sequence = torch.tensor(rng.normal(size=(2, 5, 3)))": FRESH,
}
# A piece of a cell's source, and why its verdict may differ from the one in the notebook.
MAY_JUDGE_OTHERWISE = {
    "self_test(": "it shows questions, whose answers hold such words",
    "below 75 % in train mode": SHORT,
    "above 90 % again": SHORT,
    "each above 85 % again": SHORT,
    "behind = accuracies(live": SHORT,
    '"more than chance:", t > 2.78': SHORT,
    "below 30 % without the gate": SHORT,
    "all above 80 % with 10, all below 60 % with 2": SHORT,
    "error more than a fifth larger": SHORT,
    "within three points of each other": SHORT,
    'ledger.look_up("A11", "B27", "B35")': AS_TEXT,
    "assert not ledger.missing()": AS_TEXT,
    " = yours(": FILLED,
    "check(": FILLED,
}

# In a figure's text these are raw names of recordings.
RAW = re.compile(r"\bnone\b|-no-affine|, He$")

VERDICT = re.compile(r"\b(True|False|equal|DIFFERS|SHAPE|MISSING|TYPE)\b")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks, which Windows cannot")


@pytest.fixture(scope="module")
def few_images(tmp_path_factory, idx_bytes):
    """Return a folder with MNIST but for nine tenths of its test images: they are tested often."""
    folder = tmp_path_factory.mktemp("mnist")
    few = load_mnist().first(60_000, 1_000)
    for split, images, labels in (
        ("train", few.train_images, few.train_labels),
        ("t10k", few.test_images, few.test_labels),
    ):
        (folder / f"{split}-images-idx3-ubyte").write_bytes(idx_bytes(images))
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(idx_bytes(labels.astype(np.uint8)))
    return folder


@pytest.fixture(scope="module")
def ran(tmp_path_factory, few_images):
    """Run all lessons; return a function that gives what a learner saw in one."""
    out = tmp_path_factory.mktemp("lessons")
    environment = os.environ | {
        **{
            "NORMLAB_PROGRESS": "",
            "TQDM_DISABLE": "1",
            "MPLBACKEND": "agg",
            "OMP_NUM_THREADS": "1",
        },
        "NORMLAB_DATA": str(few_images),
    }
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("run_lessons.py"), out],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return lambda stem, learner="right": json.loads((out / f"{learner}_{stem}.json").read_text())


def without_what_is_never_the_same(text):
    """Do with an output what nbval does, and forget addresses and the ids of pages."""
    rules = configparser.RawConfigParser()
    rules.read(ROOT / "tests" / "nbval_sanitize.cfg")
    for name in rules.sections():
        text = re.sub(rules[name]["regex"], rules[name]["replace"], text)
    return re.sub(r'0x[0-9a-f]+|\b(id|for)="[^"]*"', "", text)


def reasons(cell, table):
    return [reason for piece, reason in table.items() if piece in cell["source"]]


def is_to_raise(cell):
    return "raises-exception" in cell["tags"]


def said(lesson):
    """Return what a lesson said, as text, and what went wrong that is not to."""
    runs = [(cell, run) for cell in lesson["cells"] for run in cell["runs"]]
    text = " ".join(" ".join(run["text"] for _, run in runs).split())
    return text, [run["error"] for cell, run in runs if bool(run["error"]) != is_to_raise(cell)]


@pytest.mark.parametrize("stem", LESSONS)
def test_with_right_answers_it_runs_on_the_learners_own(ran, stem):
    lesson = ran(stem)
    text, errors = said(lesson)
    assert errors == []
    assert text.count("from here on the lesson runs on it") == 2 * len(lesson["modules"])
    assert set(lesson["modules"]) <= {"__main__"}


@pytest.mark.parametrize("stem", ASKING)
def test_with_wrong_answers_it_runs_to_its_end_and_says_what_is_wrong(ran, stem):
    lesson = ran(stem, "wrong")
    text, errors = said(lesson)
    assert errors == []
    assert text.count("Not yet yours (") == len(lesson["modules"])
    assert text.count("What is wrong: ") == len(lesson["modules"])
    assert "from here on the lesson runs on it" not in text


@pytest.mark.parametrize("stem", LESSONS)
def test_the_second_run_of_a_cell_says_what_the_first_said(ran, stem):
    for cell in ran(stem)["cells"]:
        first, second = cell["runs"]
        assert bool(first["error"]) == is_to_raise(cell), f"{first['error']}\n{cell['source']}"
        assert second["error"] == first["error"], f"{second['error']}\n{cell['source']}"
        if not reasons(cell, MAY_DIFFER):
            shown, again = (without_what_is_never_the_same(run["shown"]) for run in cell["runs"])
            assert again == shown, cell["source"]


@pytest.mark.parametrize("stem", LESSONS)
def test_where_every_cell_is_run_twice_the_verdicts_are_those_of_the_notebook(ran, stem):
    notebook = nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", as_version=4)
    recorded = {
        cell.source: verdicts_of(cell.outputs) for cell in notebook.cells if "outputs" in cell
    }
    for cell in ran(stem)["cells"]:
        if not reasons(cell, MAY_JUDGE_OTHERWISE):
            for run in cell["runs"]:
                assert VERDICT.findall(run["shown"]) == recorded.get(cell["source"]), cell["source"]


def verdicts_of(outputs):
    shown = "\n".join(
        output.get("text") or output.data.get("text/html") or output.data.get("text/plain", "")
        for output in outputs
        if output.output_type != "error"
    )
    return VERDICT.findall(shown)


@pytest.fixture(scope="module")
def figures(ran):
    """Return what is written in all figures of the lessons and of the gallery."""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        patch.setattr(Figure, "savefig", Figure.savefig)  # so that it is put back
        in_gallery = drawn.remember()
        runpy.run_path(str(ROOT / "source" / "docs" / "gallery.py"))
    in_lessons = [
        figure for stem in LESSONS for cell in ran(stem)["cells"] for figure in cell["figures"]
    ]
    return in_lessons + in_gallery


def test_no_name_has_two_colours_in_all_figures(figures):
    colours = {}
    for figure in figures:
        for name, colour in figure["colours"]:
            colours.setdefault(name, set()).add(colour)
    assert {"BatchNorm", "no norm", "pre-norm"} < set(colours)
    assert {name: found for name, found in colours.items() if len(found) > 1} == {}


def test_no_figure_prints_the_raw_name_of_a_recording(figures):
    looks = tomllib.loads((resources.files("normlab.plots") / "looks.toml").read_text("utf-8"))
    raw = {key for look in looks.values() for key in look.get("keys", ())}
    assert "batch-no-affine" in raw
    written = {text for figure in figures for text in figure["texts"]}
    assert {text for text in written if text in raw or RAW.search(text)} == set()


def test_a_cell_that_may_differ_is_still_there(ran):
    """A reason whose cell has gone would excuse the next one that looks like it."""
    cells = [cell for stem in LESSONS for cell in ran(stem)["cells"]]
    for table in (MAY_DIFFER, MAY_JUDGE_OTHERWISE):
        for piece in table:
            assert any(piece in cell["source"] for cell in cells), piece
