"""The cheat sheet is what its code makes now, every norm is on it, and its shapes are true."""

import dataclasses
import importlib.util
import re
import sys
import zlib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.text import Text
from PIL import Image
from torch import nn
from torch.nn.utils import parametrizations

from normlab.parity import facts, relatives

DOCS = Path(__file__).resolve().parents[2] / "docs"
SIZES = {"N": 4, "C": 6, "L": 5, "H": 3, "W": 2, "G": 2, "K": 3}
LAYERS = {
    "nn": nn,
    "Conv1d": nn.Conv1d,
    "DynamicTanh": facts.DynamicTanh,
    "QKNorm": relatives.QKNorm,
    "AdaLayerNorm": relatives.AdaLayerNorm,
    "standardized": relatives.standardized,
    "weight_norm": parametrizations.weight_norm,
    "spectral_norm": parametrizations.spectral_norm,
}


def load():
    spec = importlib.util.spec_from_file_location("cheat_sheet", DOCS / "cheat_sheet.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["cheat_sheet"] = module  # where its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


sheet = load()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sheet")
    sheet.save(folder)
    return folder


@pytest.fixture(scope="module")
def texts():
    found = sheet.draw().findobj(lambda artist: isinstance(artist, Text) and artist.get_text())
    return [text for text in found if text.axes is None or text in text.axes.texts]


def test_the_picture_is_what_the_code_makes_now(made):
    with Image.open(DOCS / "cheat_sheet.png") as old, Image.open(made / "cheat_sheet.png") as new:
        assert old.info["Description"] == new.info["Description"] == sheet.ALT
        one, other = (np.asarray(image.convert("L"), dtype=int) for image in (old, new))
    assert one.shape == other.shape
    # Another processor may round an edge differently, which changes a grey at the edge; a letter
    # that is another one, or not there, turns ink into paper.
    assert abs(one - other).max() < 100, "run `make cheat-sheet`"


def test_the_pdf_is_what_the_code_makes_now(made):
    old, new = (drawn(folder / "cheat_sheet.pdf") for folder in (DOCS, made))
    assert old == new, "run `make cheat-sheet`"
    assert b"CreationDate" not in (DOCS / "cheat_sheet.pdf").read_bytes()


def drawn(path):
    """Return what a PDF draws, its coordinates to a tenth of a point: processors round apart."""
    pieces = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", path.read_bytes(), re.DOTALL)
    page = next(text for text in map(inflated, pieces) if b" Tf" in text)
    return re.sub(rb"\d+\.\d+", lambda number: b"%.1f" % float(number[0]), page)


def inflated(piece):
    try:
        return zlib.decompress(piece)
    except zlib.error:
        return piece


def test_the_words_are_what_the_code_makes_now():
    assert (DOCS / "cheat_sheet.md").read_text(encoding="utf-8") == sheet.words(), (
        "run `make cheat-sheet`"
    )


def test_every_norm_is_on_it(texts):
    written = " ".join(text.get_text() for text in texts)
    page = (DOCS / "cheat_sheet.md").read_text(encoding="utf-8")
    assert len(sheet.ADVICE) == len(facts.ALL_NORMS)
    for norm in facts.ALL_NORMS:
        assert norm.name in written
        assert sheet.ADVICE[norm.name].formula in written
        assert f"## {norm.name}\n" in page


def test_no_text_overlaps_another_or_leaves_the_sheet(texts):
    figure = texts[0].figure
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    for (one, a), (other, b) in combinations(boxes, 2):
        # A box reaches a little beyond its letters: lines of one paragraph may share a point.
        width = min(a.x1, b.x1) - max(a.x0, b.x0)
        height = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert width <= 0 or height <= figure.dpi / 72, f"{one!r} overlaps {other!r}"
    for text, box in boxes:
        assert figure.bbox.x0 < box.x0 < box.x1 < figure.bbox.x1, text
        assert figure.bbox.y0 < box.y0 < box.y1 < figure.bbox.y1, text


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layer, shape)
        for advice in sheet.ADVICE.values()
        for layer, shapes in advice.layers.items()
        for shape in shapes
    ],
)
def test_a_layer_takes_the_shape_that_is_written_beside_it(layer, shape):
    x = torch.randn(eval(shape, SIZES.copy()))
    y = eval(layer, {**SIZES, **LAYERS})(x)
    assert y.shape == x.shape


def test_a_norm_of_weights_colours_the_weights_that_share_a_length():
    by_name = {norm.name: norm for norm in facts.ALL_NORMS}
    one_row = np.arange(6)[:, None] == np.zeros(6, dtype=int)
    for name in ("weight norm", "weight standardization"):
        np.testing.assert_array_equal(sheet.shared_weights(by_name[name]), one_row)
    assert sheet.shared_weights(by_name["spectral norm"]).all()


def test_a_text_that_is_too_long_for_its_place_is_refused(monkeypatch):
    norm = facts.NORMS[0]
    long = dataclasses.replace(sheet.ADVICE[norm.name], avoid="many words " * 12)
    monkeypatch.setitem(sheet.ADVICE, norm.name, long)
    with pytest.raises(ValueError, match="Too long for its place"):
        sheet.draw([norm])
