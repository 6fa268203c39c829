"""The unit circle and its image."""

import numpy as np
import pytest
from matplotlib.axes import Axes

from normlab.plots import stretch


@pytest.fixture
def drawn(monkeypatch):
    """Keep the lines, the arrow and the title that are drawn."""
    found = {"lines": [], "arrows": [], "titles": []}
    plot, annotate, set_ = Axes.plot, Axes.annotate, Axes.set

    def keep_plot(axes, x, y, **options):
        found["lines"].append(np.stack([np.atleast_1d(x), np.atleast_1d(y)]))
        return plot(axes, x, y, **options)

    def keep_annotate(axes, text, *args, **options):
        found["arrows"].append(args[0])
        return annotate(axes, text, *args, **options)

    def keep_set(axes, **options):
        found["titles"].append(options["title"])
        return set_(axes, **options)

    monkeypatch.setattr(Axes, "plot", keep_plot)
    monkeypatch.setattr(Axes, "annotate", keep_annotate)
    monkeypatch.setattr(Axes, "set", keep_set)
    return found


def test_circle_image_and_largest_stretch(drawn):
    matrix = np.array([[3.0, 1], [0, 0.5]])
    picture = stretch({"a matrix": matrix}, alt="An ellipse.")
    circle, image, start = drawn["lines"]
    np.testing.assert_allclose(np.hypot(*circle), 1)
    np.testing.assert_allclose(image, matrix @ circle)
    largest = np.linalg.norm(matrix, 2)
    np.testing.assert_allclose(np.linalg.norm(matrix @ start), largest)
    (end,) = drawn["arrows"]
    np.testing.assert_allclose(end, matrix @ start[:, 0])
    assert drawn["titles"] == [f"a matrix: σ = {largest:.2f}"]
    assert picture.alt == "An ellipse."
