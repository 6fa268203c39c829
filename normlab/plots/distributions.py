"""Where the values of a few features lie."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from normlab.plots.looks import Look, looks
from normlab.plots.picture import INK, Picture, new_figure, styled

# Up to so many dots in a row are drawn large: each can be told from the others.
_FEW = 20


def dots(
    panels: dict[str, np.ndarray],
    features: Sequence[str],
    *,
    xlabel: str,
    alt: str,
    title: str = "",
    one_scale: bool = False,
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
    title
        What is found, in a sentence above the figure.
    one_scale
        Whether the panels share their axis, as those do whose values are compared.
    """
    with styled():
        figure = new_figure(7.5, 0.55 * len(features) + 1.4)
        row = np.atleast_1d(figure.subplots(1, len(panels), sharey=True, sharex=one_scale))
        drawn = list(looks(features).values())
        for axes, (heading, values) in zip(row, panels.items(), strict=True):
            _draw(axes, values, drawn)
            axes.set(xlabel="" if one_scale else xlabel)
            axes.set_title(heading, size=10.5 if len(panels) > 3 else None)
        if one_scale:
            figure.supxlabel(xlabel, fontsize="medium")
        row[0].set_yticks(range(len(features)), [look.name for look in drawn])
        row[0].invert_yaxis()
        return Picture(figure, alt, title)


def _draw(axes: Axes, values: np.ndarray, drawn: Sequence[Look]) -> None:
    few = len(values) <= _FEW
    jitter = np.random.default_rng(0).uniform(-0.14, 0.14, len(values))  # (N,)
    for index, (column, look) in enumerate(zip(values.T, drawn, strict=True)):  # (N,)
        axes.scatter(
            column,
            index + jitter,
            s=32 if few else 12,
            alpha=0.8 if few else 0.5,
            color=look.colour,
            marker=look.marker,
            label=look.name,
            linewidths=0,
        )
        axes.errorbar(
            column.mean(), index + 0.3, xerr=column.std(), color=INK, marker="|", capsize=3
        )
    axes.set_ylim(-0.5, len(values.T) - 0.4)
