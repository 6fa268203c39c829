"""Several networks against one of them, a panel each, where one picture would be a tangle."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import (
    FixedLocator,
    LogLocator,
    NullFormatter,
    NullLocator,
    StrMethodFormatter,
)

from normlab.plots.looks import Look, looks
from normlab.plots.picture import Picture, new_figure, styled


def beside(
    x: np.ndarray,
    runs: Mapping[str, np.ndarray],
    against: str,
    *,
    xlabel: str,
    ylabel: str,
    alt: str,
    title: str = "",
    columns: int = 3,
    log_x: bool = False,
    log: bool = False,
) -> Picture:
    """Draw for each network the mean over its seeds, a band from worst to best, and one to compare.

    Parameters
    ----------
    x
        ``(points,)``, such as steps.
    runs
        For each network's name its values, ``(seeds, points)``.
    against
        The name of the network that every panel repeats, as a thin line without markers. A legend
        below says so.
    xlabel, ylabel
        What the axes show, with units.
    alt
        What the picture shows.
    title
        What is found, in a sentence above the figure.
    columns
        Panels in a row.
    log_x
        Make equal factors equally far apart on the horizontal axis.
    log
        The same on the vertical axis.

    Raises
    ------
    ValueError
        If no network is called ``against``.
    """
    if against not in runs:
        raise ValueError(f"No network is called {against!r}. There are: {', '.join(runs)}.")
    others = [name for name in runs if name != against]
    lines = math.ceil(len(others) / columns)
    with styled():
        figure = new_figure(7.5, 1.75 * lines + 0.85)
        grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        for axes in grid.flat[len(others) :]:
            axes.set_visible(False)
        for axes in grid.flat[max(0, len(others) - columns) : len(others)]:
            axes.tick_params(labelbottom=True)  # the lowest of its column
        drawn = looks(runs)
        repeated = drawn[against]._replace(marker="", dash="-")
        for axes, name in zip(grid.flat, others, strict=False):
            _draw(axes, x, runs[against], repeated, linewidth=1)
            _draw(axes, x, runs[name], drawn[name])
            axes.set_title(drawn[name].name, fontsize="medium", weight="bold")
            if log_x:
                _name_each_value(axes, x)
            if log:
                _use_log_scale(axes)
        # In the second line is the legend.
        figure.supxlabel(f"{xlabel}\n", fontsize="medium", linespacing=2)
        figure.supylabel(ylabel, fontsize="medium")
        label = f"{repeated.name}, the same in every panel"
        figure.legend(
            grid.flat[0].lines[:1], [label], loc="outside lower center", handlelength=3, borderpad=0
        )
        return Picture(figure, alt, title)


def _draw(
    axes: Axes, x: np.ndarray, values: np.ndarray, look: Look, linewidth: float = 1.8
) -> None:
    worst, best = values.min(axis=0), values.max(axis=0)  # (points,), (points,)
    axes.fill_between(x, worst, best, color=look.colour, alpha=0.25, linewidth=0)
    axes.plot(x, values.mean(axis=0), markersize=3.5, linewidth=linewidth, **look.line)


def _use_log_scale(axes: Axes) -> None:
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    # Over many decades there is no room for the numbers between the powers of ten.
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _name_each_value(axes: Axes, x: np.ndarray) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(x)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
