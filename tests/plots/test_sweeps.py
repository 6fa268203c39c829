"""Sweeps: a line through the means, a band over the seeds, a logarithmic axis, names."""

import numpy as np
import pytest

from normlab.plots import lines


@pytest.fixture
def figure(monkeypatch):
    """Draw two panels, and return the figure before it becomes a picture."""
    monkeypatch.setattr(lines, "Picture", lambda figure, *words: figure)
    few = np.array([[10.0, 30], [50, 50]])  # (values, seeds)
    many = np.array([[10.0, 20, 60], [80, 90, 100], [10, 10, 10]])
    return lines.sweep(
        {
            "live": {"no norm": ([0.1, 1], few), "BatchNorm": ([0.1, 1], few + 5)},
            "recorded": {"no norm": ([0.01, 0.1, 1], many)},
        },
        xlabel="learning rate",
        ylabel="accuracy, %",
        alt="two panels",
        marked={"here": 0.1},
    )


def curve(axes, name):
    return next(line for line in axes.lines if line.get_label() == name)


def test_a_line_goes_through_the_means_over_the_seeds(figure):
    live, recorded = figure.axes
    assert curve(live, "no norm").get_xydata().tolist() == [[0.1, 20], [1, 50]]
    assert curve(live, "BatchNorm").get_ydata().tolist() == [25, 55]
    assert curve(recorded, "no norm").get_ydata().tolist() == [30, 90, 10]


def test_a_band_goes_from_the_worst_seed_to_the_best(figure):
    corners = figure.axes[1].collections[0].get_paths()[0].vertices
    at_the_first = corners[np.isclose(corners[:, 0], 0.01), 1]
    assert (at_the_first.min(), at_the_first.max()) == (10, 60)


def test_panels_share_their_axes_and_have_their_titles(figure):
    assert [axes.get_title("left") for axes in figure.axes] == ["live", "recorded"]
    assert [axes.get_xscale() for axes in figure.axes] == ["log", "log"]
    live, recorded = figure.axes
    assert live.get_ylim() == recorded.get_ylim()
    assert live.get_xlim() == recorded.get_xlim()
    assert live.get_ylabel() == "accuracy, %"
    assert recorded.get_xlabel() == "learning rate"


def test_networks_differ_in_more_than_colour(figure):
    first, second = curve(figure.axes[0], "no norm"), curve(figure.axes[0], "BatchNorm")
    assert first.get_marker() != second.get_marker()
    assert first.get_linestyle() != second.get_linestyle()
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["no norm", "BatchNorm"]


def test_a_marked_value_has_its_name(figure):
    for axes in figure.axes:
        assert [0.1, 0.1] in [list(line.get_xdata()) for line in axes.lines]
        assert "0.1, here" in [text.get_text() for text in axes.texts]


def test_it_becomes_a_picture():
    values = np.array([[10.0, 30], [50, 50]])
    picture = lines.sweep(
        {"alone": {"one": ([1, 10], values)}}, xlabel="x", ylabel="y", alt="a sweep"
    )
    assert picture.alt == "a sweep"
    assert len(picture.png) > 1000


def test_an_axis_shorter_than_two_powers_of_ten_has_more_than_one_number(monkeypatch):
    monkeypatch.setattr(lines, "Picture", lambda figure, *words: figure)
    rates, values = (0.0016, 0.004, 0.01, 0.025), np.zeros((4, 2))
    figure = lines.sweep({"": {"a": (rates, values)}}, xlabel="rate", ylabel="loss", alt="flat")
    low, high = figure.axes[0].get_xlim()
    shown = [tick for tick in figure.axes[0].get_xticks() if low <= tick <= high]
    np.testing.assert_allclose(shown, [0.002, 0.005, 0.01, 0.02])
