"""One setting swept over decades: what comes out for each value, for several networks."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from normlab.plots.looks import Look, looks
from normlab.plots.picture import INK, Picture, new_figure, styled

# The result of each network: what was set, (values,), and what came out, (values, seeds).
Results = Mapping[str, tuple[np.ndarray, np.ndarray]]


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
    alt
        What the picture shows.
    title
        What is found, in a sentence above the figure.
    marked
        Values of the setting to mark with an upright line, such as ``{"the article's": 0.01}``,
        which is labelled "0.01, the article's".
    """
    with styled():
        figure = new_figure(7.5, 3.6)
        row = np.atleast_1d(figure.subplots(1, len(panels), sharex=True, sharey=True))
        drawn = looks(name for results in panels.values() for name in results)
        for axes, (heading, results) in zip(row, panels.items(), strict=True):
            for name, (setting, values) in results.items():
                _draw(axes, np.asarray(setting), np.asarray(values), drawn[name])
            _mark(axes, marked or {})
            axes.set(title=heading, xlabel=xlabel, xscale="log")
            low, high = axes.get_xlim()
            subs = (1, 2, 5) if high < 30 * low else (1,)  # less than two powers of ten
            axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.xaxis.set_minor_locator(NullLocator())
        row[0].set_ylabel(ylabel)
        lines, names = row[0].get_legend_handles_labels()
        figure.legend(lines, names, loc="outside lower center", ncols=len(names), handlelength=3)
        return Picture(figure, alt, title)


def _draw(axes: Axes, setting: np.ndarray, values: np.ndarray, look: Look) -> None:
    worst, best = values.min(axis=1), values.max(axis=1)  # (values,), (values,)
    axes.fill_between(setting, worst, best, color=look.colour, alpha=0.25, linewidth=0)
    axes.plot(setting, values.mean(axis=1), **look.line)


def _mark(axes: Axes, marked: Mapping[str, float]) -> None:
    for label, place in marked.items():
        axes.axvline(place, color=INK, linewidth=1, linestyle=":", marker="")
        axes.annotate(
            f"{place:g}, {label}",
            (place, 0),
            xycoords=("data", "axes fraction"),
            xytext=(3, 4),
            textcoords="offset points",
            va="bottom",
            size=9,
        )
