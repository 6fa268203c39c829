"""The figures that compare several networks with one."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from normlab import plots

RNG = np.random.default_rng(0)


@pytest.fixture
def drawn(monkeypatch):
    """Return the figures that were drawn, before they became pictures."""
    figures = []
    save = Figure.savefig

    def remember(figure, *arguments, **options):
        figures.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", remember)
    return figures


def test_an_interval_without_zero_is_filled_and_one_with_it_is_hollow(drawn):
    rows = {
        "better": (np.array([1.0, 2, 3]), (0.5, 3.5)),
        "level": (np.array([-1.0, 0, 2]), (-1.5, 2.5)),
    }
    picture = plots.differences({"lr 0.1": rows}, xlabel="points", alt="two rows")
    axes = drawn[0].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["better", "level"]
    points = {
        round(line.get_xdata()[0], 3): line for line in axes.lines if line.get_marker() == "D"
    }
    assert points[2.0].get_markerfacecolor() != "white"
    assert points[0.333].get_markerfacecolor() == "white"
    assert picture.alt == "two rows"


def test_the_ends_of_the_bar_are_the_interval(drawn):
    plots.differences({"": {"a": (np.array([1.0, 2]), (0.25, 5))}}, xlabel="x", alt="one row")
    bar = drawn[0].axes[0].collections[-1].get_segments()[0]
    np.testing.assert_allclose(bar[:, 0], [0.25, 5])


def test_each_network_has_a_panel_with_the_one_to_compare(drawn):
    runs = {name: RNG.random((4, 3)) for name in ("one", "two", "three")}
    plots.beside(
        np.array([2, 8, 32]), runs, "two", xlabel="x", ylabel="y", alt="a", log_x=True, log=True
    )
    shown = [axes for axes in drawn[0].axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == ["one", "three"]
    assert {(axes.get_xscale(), axes.get_yscale()) for axes in shown} == {("log", "log")}
    for axes, name in zip(shown, ("one", "three"), strict=True):
        compared, own = axes.lines
        np.testing.assert_allclose(compared.get_ydata(), runs["two"].mean(0))
        np.testing.assert_allclose(own.get_ydata(), runs[name].mean(0))
        assert compared.get_linestyle() != own.get_linestyle()


def test_a_network_that_is_not_there_is_told():
    with pytest.raises(ValueError, match="No network is called 'four'. There are: one"):
        plots.beside(np.arange(2), {"one": np.ones((1, 2))}, "four", xlabel="", ylabel="", alt="a")
