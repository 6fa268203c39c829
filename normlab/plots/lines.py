"""Lines through the means of several seeds, each with a band or bars from the least to the most."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedLocator,
    Locator,
    LogLocator,
    NullFormatter,
    NullLocator,
    StrMethodFormatter,
)

from normlab.plots.looks import Look, looks
from normlab.plots.picture import INK, Picture, new_figure

# The result of each network: what was set, (values,), and what came out, (values, seeds).
Results = Mapping[str, tuple[np.ndarray, np.ndarray]]
# Up to here steps are equally far apart on the axis, and from here on equal factors are.
_FIRST_STEPS = 10
# The lines of `doubling` are moved sideways by so much of a step, one after the other, so that bars
# do not hide each other.
_ASIDE = 0.06


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
    alt, title
        What the picture shows; and what is found, in a sentence above the figure.
    reference
        Horizontal lines to compare with, such as ``{"95 %": 95}``.
    log
        Make equal *factors* equally far apart on the vertical axis, as suits error rates.
    """
    with new_figure(7.5, 3.4) as figure:
        axes = figure.subplots()
        for label, height in (reference or {}).items():
            axes.axhline(height, color="#777777", linewidth=1, marker="")
            end, side = (0, "left") if _ends_at(height, runs, log) else (-1, "right")
            axes.annotate(
                label, (x[end], height), xytext=(0, 3), textcoords="offset points", ha=side
            )
        for name, look in looks(runs).items():
            _draw_named(axes, x, runs[name], look)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.margins(x=0.02)
        if log:
            _use_log_scale(axes)
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
    alt, title
        What the picture shows; and what is found, in a sentence above the figure.
    """
    x = np.arange(1, len(points) + 1)
    with new_figure(7.5, 3.2) as figure:
        axes = figure.subplots()
        axes.scatter(x, points, s=10, color="#888888", marker="o", linewidths=0)
        for name, look in looks(lines).items():
            _draw_named(axes, x, lines[name], look)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        return Picture(figure, alt, title)


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
    """Draw several networks against one of them, a panel each, where `curves` would be a tangle.

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
    alt, title
        What the picture shows; and what is found, in a sentence above the figure.
    columns
        Panels in a row.
    log_x, log
        Make equal factors equally far apart on the horizontal axis, and on the vertical one.

    Raises
    ------
    ValueError
        If no network is called ``against``.
    """
    if against not in runs:
        raise ValueError(f"No network is called {against!r}. There are: {', '.join(runs)}.")
    others = [name for name in runs if name != against]
    rows = math.ceil(len(others) / columns)
    with new_figure(7.5, 1.75 * rows + 0.85) as figure:
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes in grid.flat[len(others) :]:
            axes.set_visible(False)
        for axes in grid.flat[max(0, len(others) - columns) : len(others)]:
            axes.tick_params(labelbottom=True)  # the lowest of its column
        drawn = looks(runs)
        repeated = drawn[against]._replace(marker="", dash="-")
        for axes, name in zip(grid.flat, others, strict=False):
            _draw(axes, x, runs[against], repeated, markersize=3.5, linewidth=1)
            _draw(axes, x, runs[name], drawn[name], markersize=3.5)
            axes.set_title(drawn[name].name, fontsize="medium", weight="bold")
            if log_x:
                axes.set_xscale("log")
                _number(axes.xaxis, FixedLocator(list(x)))
            if log:
                # Over many decades there is no room for the numbers between the powers of ten.
                _use_log_scale(axes, room=100)
        # In the second line is the legend.
        figure.supxlabel(f"{xlabel}\n", fontsize="medium", linespacing=2)
        figure.supylabel(ylabel, fontsize="medium")
        label = f"{repeated.name}, the same in every panel"
        figure.legend(
            grid.flat[0].lines[:1], [label], loc="outside lower center", handlelength=3, borderpad=0
        )
        return Picture(figure, alt, title)


def sweep(
    panels: Mapping[str, Results],
    *,
    xlabel: str,
    ylabel: str,
    alt: str,
    title: str = "",
    marked: Mapping[str, float] | None = None,
) -> Picture:
    """Draw what comes out against what was set, on a logarithmic axis, in panels side by side.

    A line goes through the means over the seeds, and a band from the worst seed to the best.

    Parameters
    ----------
    panels
        For each panel's title, and in it for each network's name, the values of the setting
        ``(values,)`` and the results ``(values, seeds)``.
    xlabel, ylabel
        What was set and what came out, with units.
    alt, title
        What the picture shows; and what is found, in a sentence above the figure.
    marked
        Values of the setting to mark with an upright line, such as ``{"the article's": 0.01}``,
        which is labelled "0.01, the article's".
    """
    with new_figure(7.5, 3.6) as figure:
        row = np.atleast_1d(figure.subplots(1, len(panels), sharex=True, sharey=True))
        drawn = looks(name for results in panels.values() for name in results)
        for axes, (heading, results) in zip(row, panels.items(), strict=True):
            for name, (setting, values) in results.items():
                _draw(axes, np.asarray(setting), np.transpose(values), drawn[name])
            for label, place in (marked or {}).items():
                _mark(axes, f"{place:g}, {label}", place)
            axes.set(title=heading, xlabel=xlabel, xscale="log")
            low, high = axes.get_xlim()
            subs = (1, 2, 5) if high < 30 * low else (1,)  # less than two powers of ten
            _number(axes.xaxis, LogLocator(subs=subs, numticks=12))
        row[0].set_ylabel(ylabel)
        _put_legend_below(figure, row[0])
        return Picture(figure, alt, title)


def _mark(axes: Axes, label: str, place: float) -> None:
    axes.axvline(place, color=INK, linewidth=1, linestyle=":", marker="")
    axes.annotate(
        label,
        (place, 0),
        xycoords=("data", "axes fraction"),
        xytext=(3, 4),
        textcoords="offset points",
        va="bottom",
        size=9,
    )


def layer_bands(
    steps: np.ndarray,
    panels: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]],
    *,
    ylabel: str,
    alt: str,
    title: str = "",
) -> Picture:
    """Draw where the values of each layer lie: their mean, and a standard deviation either side.

    Parameters
    ----------
    steps
        ``(points,)``, the training steps at which was measured, from 0 on.
    panels
        For each network's name, and in it for each layer's name, the means and the standard
        deviations, ``(points,)`` each. A network is a column, a layer a row.
    ylabel
        What the values are.
    alt, title
        What the picture shows; and what is found, in a sentence above the figure.
    """
    layers = list(next(iter(panels.values())))
    with new_figure(7.5, 1.7 * len(layers) + 0.9) as figure:
        grid = figure.subplots(len(layers), len(panels), sharex=True, sharey=True, squeeze=False)
        for column, (network, look) in zip(grid.T, looks(panels).items(), strict=True):
            values = panels[network].items()
            for axes, (layer, (mean, spread)) in zip(column, values, strict=True):
                axes.fill_between(
                    steps, mean - spread, mean + spread, color=look.colour, alpha=0.3, linewidth=0
                )
                axes.plot(steps, mean, **look.line)
                axes.axhline(0, color=INK, linewidth=1, linestyle=":", marker="")
                axes.set_title(f"{look.name}, {layer}", size=10.5)
                _use_step_scale(axes, steps)
            column[-1].set_xlabel("training steps")
        figure.supylabel(ylabel, size=10.5)
        return Picture(figure, alt, title)


def by_layer(
    steps: np.ndarray,
    panels: Mapping[str, Mapping[str, np.ndarray]],
    *,
    ylabel: str,
    alt: str,
    title: str = "",
    log: bool = False,
) -> Picture:
    """Draw one number of each layer while several networks train, in panels side by side.

    Parameters
    ----------
    steps
        ``(points,)``, the training steps at which was measured, from 0 on.
    panels
        For each network's name, and in it for each layer's name, the numbers, ``(seeds, points)``:
        a line through their means, a band from the smallest to the largest.
    ylabel
        What the number is.
    alt, title
        What the picture shows; and what is found, in a sentence above the figure.
    log
        Make equal factors equally far apart on the vertical axis.
    """
    with new_figure(7.5, 3.6) as figure:
        row = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
        drawn = looks(layer for layers in panels.values() for layer in layers)
        for axes, (network, look) in zip(row, looks(panels).items(), strict=True):
            for layer, values in panels[network].items():
                _draw(axes, steps, values, drawn[layer])
            axes.set(title=look.name, xlabel="training steps", yscale="log" if log else "linear")
            if log:
                axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            _use_step_scale(axes, steps)
        row[0].set_ylabel(ylabel)
        _put_legend_below(figure, row[0])
        return Picture(figure, alt, title)


def doubling(
    sizes: Sequence[int],
    panels: Mapping[str, Mapping[str, np.ndarray]],
    *,
    xlabel: str,
    ylabel: str,
    alt: str,
    title: str = "",
) -> Picture:
    """Draw values against a quantity that doubles from step to step, such as a batch size.

    A line goes through the means, with bars from the lowest to the highest.

    Parameters
    ----------
    sizes
        ``(sizes,)``; equally far apart on the page, whatever they are.
    panels
        For each title its lines: for each name the values, ``(seeds, sizes)``. The panels share
        their vertical axis.
    xlabel, ylabel
        What the axes show.
    alt, title
        What the picture shows; and what is found, in a sentence above the figure.
    """
    with new_figure(7.5, 3.4) as figure:
        row = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
        drawn = looks(name for lines in panels.values() for name in lines)
        for axes, (heading, lines) in zip(row, panels.items(), strict=True):
            for index, (name, values) in enumerate(lines.items()):
                aside = _ASIDE * (index - (len(lines) - 1) / 2)
                _draw_bars(axes, np.asarray(values), drawn[name], aside)
            axes.set_xticks(range(len(sizes)), [str(size) for size in sizes])
            axes.set(title=heading, xlabel=xlabel)
        row[0].set_ylabel(ylabel)
        figure.legend(*row[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
        return Picture(figure, alt, title)


def _draw_bars(axes: Axes, values: np.ndarray, look: Look, aside: float) -> None:
    mean = values.mean(axis=0)  # (sizes,)
    axes.errorbar(
        np.arange(len(mean)) + aside,
        mean,
        yerr=[mean - values.min(axis=0), values.max(axis=0) - mean],
        **look.line,
        linewidth=1.5,
        elinewidth=1,
        capsize=2,
    )


# ---- what they share


def _draw(
    axes: Axes,
    x: np.ndarray,
    values: np.ndarray,
    look: Look,
    **options: Any,  # noqa: ANN401 - of `Axes.plot`
) -> np.ndarray:
    """Draw a band and a line for values ``(seeds, points)``, or ``(points,)``; return the line."""
    values = np.atleast_2d(values)
    least, most, mean = values.min(axis=0), values.max(axis=0), values.mean(axis=0)  # (points,)
    axes.fill_between(x, least, most, color=look.colour, alpha=0.25, linewidth=0)
    axes.plot(x, mean, **look.line, **options)
    return mean


def _draw_named(axes: Axes, x: np.ndarray, values: np.ndarray, look: Look) -> None:
    """Draw the same with fewer markers, and the name at the end of the line."""
    mean = _draw(axes, x, values, look, markevery=max(1, len(x) // 12))
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


def _number(axis: Axis, locator: Locator) -> None:
    """Write plain numbers at these places of an axis, and mark no others."""
    axis.set_major_locator(locator)
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_locator(NullLocator())


def _use_log_scale(axes: Axes, room: float = math.inf) -> None:
    """Write the powers of ten, and numbers between them where the axis reaches less than `room`."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < room * low else (1,)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _use_step_scale(axes: Axes, steps: np.ndarray) -> None:
    """Give the first steps room: most happens in them."""
    axes.set_xscale("symlog", linthresh=_FIRST_STEPS)
    first, last = min(steps), max(steps)
    ticks = [tick for tick in (0, 5, 10, 30, 100, 300, 1000, 3000) if tick <= last / 2]
    _number(axes.xaxis, FixedLocator([*ticks, last]))
    axes.set_xlim(first - 0.5, 1.2 * last)


def _put_legend_below(figure: Figure, axes: Axes) -> None:
    lines, names = axes.get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=len(names), handlelength=3)
