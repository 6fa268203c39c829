"""Layers over training: bands of mean and spread, and a line for each layer."""

import numpy as np
import pytest

from normlab.plots import lines as pictures

STEPS = np.array([0, 10, 100])


@pytest.fixture(autouse=True)
def figures(monkeypatch):
    """Return the figure before it becomes a picture."""
    monkeypatch.setattr(pictures, "Picture", lambda figure, *words: figure)


@pytest.fixture
def bands():
    mean, spread = np.array([0.0, 1, 2]), np.array([1.0, 0.5, 0.25])
    return pictures.layer_bands(
        STEPS,
        {
            name: {"layer 1": (mean, spread), "layer 2": (-mean, spread), "layer 3": (mean, mean)}
            for name in ("without", "BatchNorm")
        },
        ylabel="values",
        alt="bands",
    )


@pytest.fixture
def lines():
    numbers = np.array([[1.0, 10, 100], [3, 30, 300]])  # (seeds, points)
    return pictures.by_layer(
        STEPS,
        {"without": {"layer 1": numbers, "layer 2": numbers[0]}, "BatchNorm": {"layer 1": numbers}},
        ylabel="gradient",
        alt="lines",
        log=True,
    )


def test_a_band_is_the_mean_and_a_standard_deviation_either_side(bands):
    corners = bands.axes[0].collections[0].get_paths()[0].vertices
    for step, low, high in ((0, -1, 1), (10, 0.5, 1.5), (100, 1.75, 2.25)):
        there = corners[corners[:, 0] == step, 1]
        assert (there.min(), there.max()) == (low, high)
    assert bands.axes[0].lines[0].get_ydata().tolist() == [0, 1, 2]


def test_a_network_is_a_column_and_a_layer_a_row(bands):
    titles = [axes.get_title("left") for axes in bands.axes]
    networks = ("no norm", "BatchNorm")
    assert titles == [f"{name}, layer {layer}" for layer in (1, 2, 3) for name in networks]
    places = [axes.get_subplotspec() for axes in bands.axes]
    assert [(place.rowspan.start, place.colspan.start) for place in places] == [
        (0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)
    ]  # fmt: skip
    assert bands.axes[3].lines[0].get_ydata().tolist() == [0, -1, -2]
    assert len({axes.get_ylim() for axes in bands.axes}) == 1
    assert [axes.get_xlabel() for axes in bands.axes] == 4 * [""] + 2 * ["training steps"]


def test_a_line_goes_through_the_means_over_the_seeds(lines):
    first, second = lines.axes[0].lines
    assert first.get_ydata().tolist() == [2, 20, 200]
    assert second.get_ydata().tolist() == [1, 10, 100]
    corners = lines.axes[0].collections[0].get_paths()[0].vertices
    there = corners[corners[:, 0] == 10, 1]
    assert (there.min(), there.max()) == (10, 30)


def test_layers_differ_in_more_than_colour_and_have_names(lines):
    first, second = lines.axes[0].lines
    assert first.get_marker() != second.get_marker()
    assert first.get_linestyle() != second.get_linestyle()
    assert [axes.get_title("left") for axes in lines.axes] == ["no norm", "BatchNorm"]
    names = [text.get_text() for text in lines.legends[0].get_texts()]
    assert names == ["layer 1", "layer 2"]


def test_the_first_steps_have_room_and_zero_is_there(bands, lines):
    for axes in (*bands.axes, *lines.axes):
        assert axes.get_xscale() == "symlog"
        assert list(axes.get_xticks()) == [0, 5, 10, 30, 100]


def test_equal_factors_are_equally_far_apart_where_asked(lines):
    assert {axes.get_yscale() for axes in lines.axes} == {"log"}
    numbers = {"net": {"layer": np.ones((2, 3))}}
    plain = pictures.by_layer(STEPS, numbers, ylabel="share", alt="plain")
    assert plain.axes[0].get_yscale() == "linear"


def test_they_become_pictures(monkeypatch):
    monkeypatch.undo()
    picture = pictures.by_layer(STEPS, {"net": {"layer": np.ones((2, 3))}}, ylabel="y", alt="lines")
    assert picture.alt == "lines"
    assert len(picture.png) > 1000
