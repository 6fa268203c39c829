"""What a matrix does to all directions: the unit circle and its image."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from normlab.plots.picture import BLUE, INK, ORANGE, Picture, new_figure, styled


def stretch(panels: Mapping[str, np.ndarray], *, alt: str) -> Picture:
    """Draw the unit circle and what a matrix makes of it, for each of several matrices.

    The point of the circle that is stretched most is marked, and so is its image, whose distance
    from the origin is the matrix's largest singular value.

    Parameters
    ----------
    panels
        For each title a matrix, ``(2, 2)``. The panels share their axes.
    alt
        What the picture shows.

    Returns
    -------
    Picture
    """
    with styled():
        figure = new_figure(7.5, 3.6)
        row = np.atleast_1d(figure.subplots(1, len(panels), sharex=True, sharey=True))
        for axes, (title, matrix) in zip(row, panels.items(), strict=True):
            _draw(axes, np.asarray(matrix, dtype=float))
            axes.set(title=title, aspect="equal")
        figure.legend(*row[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        return Picture(figure, alt)


def _draw(axes: Axes, matrix: np.ndarray) -> None:
    angle = np.linspace(0, 2 * np.pi, 241)
    circle = np.stack([np.cos(angle), np.sin(angle)])  # (2, points)
    axes.plot(*circle, color=INK, linestyle="--", linewidth=1.2, marker="", label="inputs")
    axes.plot(*(matrix @ circle), color=BLUE, marker="", label="outputs")
    u, (largest, _), v = np.linalg.svd(matrix)
    start, end = v[0], largest * u[:, 0]
    axes.plot(*start, color=INK, marker="o", markersize=6)
    axes.annotate(
        "", end, (0, 0), arrowprops={"arrowstyle": "-|>", "color": ORANGE, "linewidth": 1.8}
    )
    axes.annotate(
        f"σ = {largest:.2f}",
        end / 2,
        xytext=(6, -12),
        textcoords="offset points",
        color=ORANGE,
        weight="bold",
    )
