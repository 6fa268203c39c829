"""Where the values of a few features lie."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from normlab.plots.picture import COLOURS, INK, MARKERS, Picture, new_figure, styled


def dots(
    panels: dict[str, np.ndarray], features: Sequence[str], *, xlabel: str, alt: str
) -> Picture:
    """Draw every value of every feature as a dot, with mean and standard deviation beside it.

    Parameters
    ----------
    panels
        For each title the values, ``(N, features)``.
    features
        The features' names.
    xlabel
        What the values are.
    alt
        What the picture shows.
    """
    with styled():
        figure = new_figure(7.5, 0.55 * len(features) + 1.4)
        row = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
        for axes, (title, values) in zip(row, panels.items(), strict=True):
            _draw(axes, values)
            axes.set(title=title, xlabel=xlabel)
        row[0].set_yticks(range(len(features)), features)
        row[0].invert_yaxis()
        return Picture(figure, alt)


def _draw(axes: Axes, values: np.ndarray) -> None:
    jitter = np.random.default_rng(0).uniform(-0.14, 0.14, len(values))  # (N,)
    for index, column in enumerate(values.T):  # (N,)
        axes.scatter(
            column,
            index + jitter,
            s=12,
            alpha=0.5,
            color=COLOURS[index % len(COLOURS)],
            marker=MARKERS[index % len(MARKERS)],
            linewidths=0,
        )
        axes.errorbar(
            column.mean(), index + 0.3, xerr=column.std(), color=INK, marker="|", capsize=3
        )
    axes.set_ylim(-0.5, len(values.T) - 0.4)
