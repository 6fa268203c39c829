"""Training curves of several networks, each trained with several seeds."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from normlab.plots.looks import Look, looks
from normlab.plots.picture import Picture, new_figure, styled


def curves(
    x: np.ndarray,
    runs: Mapping[str, np.ndarray],
    *,
    xlabel: str,
    ylabel: str,
    alt: str,
    title: str = "",
    reference: Mapping[str, float] | None = None,
    log: bool = False,
) -> Picture:
    """Draw for each network the mean over its seeds, and a band from the worst to the best.

    Parameters
    ----------
    x
        ``(points,)``, such as steps.
    runs
        For each network's name its values, ``(seeds, points)``. The name is written at the end of
        the line.
    xlabel, ylabel
        What the axes show, with units.
    alt
        What the picture shows.
    title
        What is found, in a sentence above the figure.
    reference
        Horizontal lines to compare with, such as ``{"95 %": 95}``.
    log
        Make equal *factors* equally far apart on the vertical axis, as suits error rates.
    """
    with styled():
        figure = new_figure(7.5, 3.4)
        axes = figure.subplots()
        for label, height in (reference or {}).items():
            axes.axhline(height, color="#777777", linewidth=1, marker="")
            end, side = (0, "left") if _ends_at(height, runs, log) else (-1, "right")
            axes.annotate(
                label, (x[end], height), xytext=(0, 3), textcoords="offset points", ha=side
            )
        for name, look in looks(runs).items():
            _draw(axes, x, np.atleast_2d(runs[name]), look)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.margins(x=0.02)
        if log:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.yaxis.set_minor_formatter(NullFormatter())
        return Picture(figure, alt, title)


def _ends_at(height: float, runs: Mapping[str, np.ndarray], log: bool) -> bool:
    """Tell whether a curve ends so near to a line that it would run through the line's label."""
    place = np.log if log else np.asarray
    means = [place(np.atleast_2d(values).mean(axis=0)) for values in runs.values()]
    near = np.ptp(np.concatenate(means)) / 20
    return any(abs(mean[-1] - place(height)) < near for mean in means)


def following(
    points: np.ndarray,
    lines: Mapping[str, np.ndarray],
    *,
    xlabel: str,
    ylabel: str,
    alt: str,
    title: str = "",
) -> Picture:
    """Draw scattered values, one after another, and lines that follow them.

    Parameters
    ----------
    points
        ``(steps,)``; drawn at 1, 2, 3, ...
    lines
        For each name its values, ``(steps,)``. The name is written at the end of the line.
    xlabel, ylabel
        What the axes show.
    alt
        What the picture shows.
    title
        What is found, in a sentence above the figure.
    """
    x = np.arange(1, len(points) + 1)
    with styled():
        figure = new_figure(7.5, 3.2)
        axes = figure.subplots()
        axes.scatter(x, points, s=10, color="#888888", marker="o", linewidths=0)
        for name, look in looks(lines).items():
            _draw(axes, x, np.atleast_2d(lines[name]), look)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        return Picture(figure, alt, title)


def _draw(axes: Axes, x: np.ndarray, values: np.ndarray, look: Look) -> None:
    mean = values.mean(axis=0)  # (points,)
    axes.fill_between(
        x, values.min(axis=0), values.max(axis=0), color=look.colour, alpha=0.25, linewidth=0
    )
    axes.plot(x, mean, markevery=max(1, len(x) // 12), **look.line)
    axes.annotate(
        look.name,
        (x[-1], mean[-1]),
        xytext=(6, 0),
        textcoords="offset points",
        color=look.colour,
        va="center",
        weight="bold",
        annotation_clip=False,
    )
