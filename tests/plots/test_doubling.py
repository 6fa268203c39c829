"""The figure of values against batch sizes."""

import numpy as np
import pytest
from matplotlib.axes import Axes

from normlab.plots import doubling


@pytest.fixture
def drawn(monkeypatch):
    """Keep what is given to matplotlib."""
    calls = []
    original = Axes.errorbar

    def errorbar(axes, *args, **options):
        calls.append((args, options))
        return original(axes, *args, **options)

    monkeypatch.setattr(Axes, "errorbar", errorbar)
    return calls


def test_mean_and_range_of_every_line_in_every_panel(drawn):
    values = np.array([[1.0, 5.0], [3.0, 9.0], [8.0, 10.0]])  # (seeds, sizes)
    picture = doubling(
        [2, 4],
        {"left": {"a": values, "b": values + 1}, "right": {"a": values}},
        xlabel="batch size",
        ylabel="accuracy",
        alt="Three lines in two panels.",
    )
    assert picture.alt == "Three lines in two panels."
    assert [options["label"] for _, options in drawn] == ["a", "b", "a"]
    (_, mean), options = drawn[0]
    np.testing.assert_allclose(mean, [4, 8])
    np.testing.assert_allclose(options["yerr"], [[3, 3], [4, 2]])


def test_lines_differ_in_more_than_colour_and_stand_beside_each_other(drawn):
    values = np.ones((2, 3))
    doubling([2, 4, 8], {"": {"a": values, "b": values}}, xlabel="x", ylabel="y", alt="Two lines.")
    ((one, _), first), ((other, _), second) = drawn
    assert first["marker"] != second["marker"]
    assert first["linestyle"] != second["linestyle"]
    assert (one != other).all()
