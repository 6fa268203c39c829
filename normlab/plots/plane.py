"""A plane: the loss of two weights, and what a matrix does to a circle."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from normlab.plots.picture import BLUE, FAINT, INK, ORANGE, Picture, new_figure


def descent(
    panels: dict[str, tuple[np.ndarray, np.ndarray]], *, alt: str, title: str = ""
) -> Picture:
    """Draw the level lines of a quadratic loss, and the path of gradient descent on them.

    Parameters
    ----------
    panels
        For each title the Hessian ``(2, 2)`` of the loss, which is smallest at the origin, and the
        weights after each step, ``(steps, 2)``.
    alt, title
        What the picture shows; and what is found, in a sentence above the figure.
    """
    with new_figure(7.5, 3.4) as figure:
        row = np.atleast_1d(figure.subplots(1, len(panels)))
        for axes, (heading, (hessian, path)) in zip(row, panels.items(), strict=True):
            _draw_path(axes, hessian, path)
            axes.set(title=heading, xlabel="first weight", ylabel="second weight")
        return Picture(figure, alt, title)


def _draw_path(axes: Axes, hessian: np.ndarray, path: np.ndarray) -> None:
    reach = 1.15 * np.abs(path).max()
    ticks = np.linspace(-reach, reach, 121)
    weights = np.stack(np.meshgrid(ticks, ticks), axis=-1)  # (121, 121, 2)
    loss = 0.5 * np.einsum("...i,ij,...j", weights, hessian, weights)  # (121, 121)
    start = 0.5 * path[0] @ hessian @ path[0]
    axes.contour(ticks, ticks, loss, levels=start * 4.0 ** np.arange(-4, 3), colors=FAINT)
    axes.plot(*path.T, color=BLUE, marker="o", markersize=3.5, linewidth=1.2)
    axes.annotate(
        "start", path[0], xytext=(-3, 6), textcoords="offset points", color=INK, ha="right"
    )
    axes.plot(0, 0, marker="*", markersize=13, color=INK)
    axes.grid(visible=False)


def stretch(panels: Mapping[str, np.ndarray], *, alt: str, title: str = "") -> Picture:
    """Draw the unit circle and what a matrix makes of it, for each of several matrices.

    The input that is stretched most is a dot, and an arrow leads to its output, whose distance from
    the origin is the matrix's largest singular value σ. It stands above the panel.

    Parameters
    ----------
    panels
        For each title a matrix, ``(2, 2)``. The panels share their axes.
    alt, title
        What the picture shows; and what is found, in a sentence above the figure.
    """
    with new_figure(7.5, 3.3) as figure:
        row = np.atleast_1d(figure.subplots(1, len(panels), sharex=True, sharey=True))
        for axes, (heading, matrix) in zip(row, panels.items(), strict=True):
            _draw_circle(axes, np.asarray(matrix, dtype=float), heading)
        row[0].set_ylabel("second number")
        arrow = Line2D([], [], color=ORANGE, marker=">", label="where it goes, a length of σ")
        handles = [*row[0].get_legend_handles_labels()[0], arrow]
        figure.legend(handles=handles, loc="outside lower center", ncols=2)
        return Picture(figure, alt, title)


def _draw_circle(axes: Axes, matrix: np.ndarray, title: str) -> None:
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
