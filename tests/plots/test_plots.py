"""The figures: each has alt text, and what must be in it is in it."""

import io
import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from normlab import plots
from normlab.plots.arrays import in_words


def test_a_picture_without_alt_text_is_refused():
    with pytest.raises(ValueError, match="needs alt text"):
        plots.Picture(Figure(), "  ")


def test_a_picture_shows_itself_with_its_alt_text(tmp_path):
    picture = plots.Picture(Figure(), 'a "quoted"\n   <sign>')
    html = picture._repr_html_()
    assert html.startswith('<img src="data:image/png;base64,')
    assert 'alt="a &quot;quoted&quot; &lt;sign&gt;"' in html
    assert repr(picture) == '[picture: a "quoted" <sign>]'
    picture.save(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_has_few_bytes_and_each_colour_that_is_drawn():
    with plots.picture.new_figure() as figure:
        axes = figure.subplots()
    drawn = plots.picture.COLOURS
    for height, colour in enumerate(drawn):
        axes.fill_between([0, 1], -height, 2 * height, color=colour, alpha=0.25)
        axes.plot(0.5, height, marker="o", markersize=3, color=colour)
    image = Image.open(io.BytesIO(plots.Picture(figure, "five dots on bands").png))
    assert image.mode == "P"
    seen = np.unique(np.asarray(image.convert("RGB"), dtype=int).reshape(-1, 3), axis=0)
    for colour in drawn:
        distance = np.abs(seen - 255 * np.array(to_rgb(colour))).max(axis=1)
        assert distance.min() < 8, colour


@pytest.mark.parametrize(
    ("axes", "groups", "counts"),
    [
        ((0, 2), None, (4, 1, 5)),  # BatchNorm
        ((1, 2), None, (1, 6, 5)),  # LayerNorm
        ((2,), None, (1, 1, 5)),  # InstanceNorm
        ((2,), 2, (1, 3, 5)),  # GroupNorm, two groups
    ],
)
def test_which_cells_share_a_mean(axes, groups, counts):
    cells = plots.averaged_cells((4, 6, 5), axes, groups)
    assert tuple(np.unique(index).size for index in np.nonzero(cells)) == counts
    assert cells.sum() == np.prod(counts)


def test_the_block_says_what_is_coloured():
    picture = plots.block({"LayerNorm": plots.averaged_cells((4, 6, 5), (1, 2))})
    assert "LayerNorm: in a block of 4 by 6 by 5" in picture.alt
    assert "1 sample, 6 channels, 5 positions" in picture.alt


def test_numbers_are_written_and_read_out_with_two_decimals():
    values = np.array([[1.0, -0.001, 2.345], [1e5, -12.5, np.nan]])
    assert in_words(values) == "1, 0, 2.35; 100000, -12.5, nan"


def test_a_marked_cell_looks_different():
    values, marked = np.ones((2, 2)), np.eye(2, dtype=bool)
    plain = plots.arrays({"a": values}, alt="plain")
    assert plots.arrays({"a": values}, marked={"a": marked}, alt="marked").png != plain.png


def test_every_figure_draws():
    rng = np.random.default_rng(0)
    pictures = [
        plots.images(rng.random((3, 5, 5)), [1, 2, 3], alt="three"),
        plots.dots({"a": rng.random((9, 2))}, ["u", "v"], xlabel="value", alt="dots"),
        plots.curves(
            np.arange(4),
            {"a": rng.random((3, 4)), "b": rng.random(4)},
            xlabel="x",
            ylabel="y",
            alt="curves",
            reference={"half": 0.5},
        ),
        plots.following(rng.random(9), {"a": rng.random(9)}, xlabel="x", ylabel="y", alt="line"),
        plots.graph({"x": (0, 0), "y": (1, 0)}, [("x", "y", "f")], alt="graph"),
        plots.descent({"a": (np.eye(2), rng.random((3, 2)))}, alt="descent"),
        plots.arrays({"a": rng.random((2, 3)), "b": rng.random((1, 2))}, alt="arrays"),
        plots.buffers({"mean": plots.Statistic(rng.random(9), rng.random(9))}, 4, alt="buffers"),
    ]
    alts = ["three", "dots", "curves", "line", "graph", "descent", "arrays", "buffers"]
    assert [picture.alt for picture in pictures] == alts
    assert all(len(picture.png) > 1000 for picture in pictures)


@pytest.mark.parametrize(
    ("last", "log", "side"),
    [(90.0, False, "left"), (50.0, False, "right"), (88.0, False, "left"), (79.0, True, "right")],
)
def test_a_reference_is_labelled_where_no_curve_ends(last, log, side, monkeypatch):
    module = sys.modules["normlab.plots.lines"]
    monkeypatch.setattr(module, "Picture", lambda figure, *words: figure)
    runs = {"net": np.array([[10.0, 40.0, last]])}
    reference = {"best": 91.0}
    figure = plots.curves(
        np.arange(3), runs, xlabel="steps", ylabel="%", alt="A line.", reference=reference, log=log
    )
    (label,) = (text for text in figure.axes[0].texts if text.get_text() == "best")
    assert label.get_ha() == side


def test_an_array_that_nobody_can_read_is_refused():
    with pytest.raises(ValueError, match="nobody can read 90,000 of them. Give a part, such as"):
        plots.arrays({"x": np.zeros((300, 300))}, alt="A large array.")
    plots.arrays({"x": np.zeros((20, 20)), "y": np.zeros((20, 20))}, alt="Two arrays.")


@pytest.mark.parametrize(
    ("panels", "message"),
    [
        ({}, "panels is empty"),
        ({"x": np.zeros(3)}, r"x: arrays draws tables, \(rows, columns\), got the shape \(3,\)"),
        ({"x": np.zeros((2, 2, 2))}, r"got the shape \(2, 2, 2\)"),
        ({"x": 3.0}, r"got the shape \(\)"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(panels, message):
    with pytest.raises(ValueError, match=message):
        plots.arrays(panels, alt="Nothing.")


@pytest.mark.parametrize("groups", [4, -2, 0, 7, 2.5, float("nan")])
def test_groups_that_do_not_divide_the_channels_are_refused(groups):
    with pytest.raises(ValueError, match="groups must be a whole number that divides the 6 chan"):
        plots.averaged_cells((2, 6, 3), (1, 2), groups)
