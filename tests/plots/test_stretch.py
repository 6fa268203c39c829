"""The unit circle and its image."""

import numpy as np
import pytest
from matplotlib.axes import Axes

from normlab.plots.stretch import stretch


@pytest.fixture
def drawn(monkeypatch):
    """Keep the lines and the words that are drawn."""
    found = {"lines": [], "words": []}
    plot, annotate = Axes.plot, Axes.annotate

    def keep_plot(axes, x, y, **options):
        found["lines"].append(np.stack([np.atleast_1d(x), np.atleast_1d(y)]))
        return plot(axes, x, y, **options)

    def keep_annotate(axes, text, *args, **options):
        found["words"].append((text, args[0]))
        return annotate(axes, text, *args, **options)

    monkeypatch.setattr(Axes, "plot", keep_plot)
    monkeypatch.setattr(Axes, "annotate", keep_annotate)
    return found


def test_circle_image_and_largest_stretch(drawn):
    matrix = np.array([[3.0, 1], [0, 0.5]])
    picture = stretch({"a matrix": matrix}, alt="An ellipse.")
    circle, image, start = drawn["lines"]
    np.testing.assert_allclose(np.hypot(*circle), 1)
    np.testing.assert_allclose(image, matrix @ circle)
    largest = np.linalg.norm(matrix, 2)
    np.testing.assert_allclose(np.linalg.norm(matrix @ start), largest)
    (_, end), (label, _) = drawn["words"]
    np.testing.assert_allclose(np.hypot(*end), largest)
    assert label == f"σ = {largest:.2f}"
    assert picture.alt == "An ellipse."
