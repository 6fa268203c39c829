"""Batch statistics, and the running statistics that follow them."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from normlab.plots.picture import BLUE, FAINT, INK, ORANGE, Picture, new_figure


class Statistic(NamedTuple):
    """One statistic: of each batch, and as the buffer holds it after that batch; ``(steps,)``."""

    of_batch: np.ndarray
    remembered: np.ndarray


def buffers(statistics: Mapping[str, Statistic], step: int, *, alt: str) -> Picture:
    """Draw what each batch has and what the buffers remember, and mark one step.

    Parameters
    ----------
    statistics
        For each name, such as ``"mean"``, the values. The first batch is step 1.
    step
        Where to mark what a layer uses in training mode and in evaluation mode.
    alt
        What the picture shows.
    """
    with new_figure(7.5, 1.9 * len(statistics) + 0.5) as figure:
        column = np.atleast_1d(figure.subplots(len(statistics), 1, sharex=True))
        for axes, (name, statistic) in zip(column, statistics.items(), strict=True):
            _draw(axes, statistic, step)
            axes.set_ylabel(name)
        column[-1].set_xlabel("batches seen")
        figure.legend(
            *column[0].get_legend_handles_labels(), loc="outside upper left", ncols=4, fontsize=9.5
        )
        return Picture(figure, alt)


def _draw(axes: Axes, statistic: Statistic, step: int) -> None:
    steps = np.arange(1, len(statistic.of_batch) + 1)
    axes.axvline(step, color=FAINT, linewidth=1, marker="")
    axes.plot(steps, statistic.of_batch, ".", color="#888888", label="each batch", markersize=4)
    axes.plot(steps, statistic.remembered, "-", color=BLUE, marker="", label="running")
    for values, label, colour, marker, size in (
        (statistic.of_batch, "train() uses", ORANGE, "s", 11),
        (statistic.remembered, "eval() uses", BLUE, "o", 8),
    ):
        (dot,) = axes.plot(step, values[step - 1], marker, label=label, color=colour)
        dot.set(markersize=size, markeredgecolor=INK, zorder=4)
