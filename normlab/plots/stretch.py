"""What a matrix does to all directions: the unit circle and its image."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from normlab.plots.picture import BLUE, INK, ORANGE, Picture, new_figure, styled


def stretch(panels: Mapping[str, np.ndarray], *, alt: str, title: str = "") -> Picture:
    """Draw the unit circle and what a matrix makes of it, for each of several matrices.

    The input that is stretched most is a dot, and an arrow leads to its output, whose distance from
    the origin is the matrix's largest singular value σ. It stands above the panel.

    Parameters
    ----------
    panels
        For each title a matrix, ``(2, 2)``. The panels share their axes.
    alt
        What the picture shows.
    title
        What is found, in a sentence above the figure.
    """
    with styled():
        figure = new_figure(7.5, 3.3)
        row = np.atleast_1d(figure.subplots(1, len(panels), sharex=True, sharey=True))
        for axes, (heading, matrix) in zip(row, panels.items(), strict=True):
            _draw(axes, np.asarray(matrix, dtype=float), heading)
        row[0].set_ylabel("second number")
        arrow = Line2D([], [], color=ORANGE, marker=">", label="where it goes, a length of σ")
        handles = [*row[0].get_legend_handles_labels()[0], arrow]
        figure.legend(handles=handles, loc="outside lower center", ncols=2)
        return Picture(figure, alt, title)


def _draw(axes: Axes, matrix: np.ndarray, title: str) -> None:
    angle = np.linspace(0, 2 * np.pi, 241)
    circle = np.stack([np.cos(angle), np.sin(angle)])  # (2, points)
    axes.plot(
        *circle, color=INK, linestyle="--", linewidth=1.2, marker="", label="inputs of length 1"
    )
    axes.plot(*(matrix @ circle), color=BLUE, marker="", label="outputs")
    u, (largest, _), v = np.linalg.svd(matrix)
    side = 1 if u[0, 0] >= 0 else -1  # the two ends are alike; the right one is marked
    most = "the input that grows most"
    axes.plot(*(side * v[0]), color=INK, marker="o", markersize=6, linestyle="", label=most)
    arrow = {"arrowstyle": "-|>", "color": ORANGE, "linewidth": 1.8, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", side * largest * u[:, 0], (0, 0), arrowprops=arrow)
    axes.set(title=f"{title}: σ = {largest:.2f}", aspect="equal", xlabel="first number")
