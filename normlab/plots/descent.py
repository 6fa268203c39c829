"""Gradient descent on a loss of two weights."""

import numpy as np
from matplotlib.axes import Axes

from normlab.plots.picture import BLUE, FAINT, INK, Picture, new_figure, styled


def descent(
    panels: dict[str, tuple[np.ndarray, np.ndarray]], *, alt: str, title: str = ""
) -> Picture:
    """Draw the level lines of a quadratic loss, and the path of gradient descent on them.

    Parameters
    ----------
    panels
        For each title the Hessian ``(2, 2)`` of the loss, which is smallest at the origin, and the
        weights after each step, ``(steps, 2)``.
    alt
        What the picture shows.
    title
        What is found, in a sentence above the figure.
    """
    with styled():
        figure = new_figure(7.5, 3.4)
        row = np.atleast_1d(figure.subplots(1, len(panels)))
        for axes, (heading, (hessian, path)) in zip(row, panels.items(), strict=True):
            _draw(axes, hessian, path)
            axes.set(title=heading, xlabel="first weight", ylabel="second weight")
        return Picture(figure, alt, title)


def _draw(axes: Axes, hessian: np.ndarray, path: np.ndarray) -> None:
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
