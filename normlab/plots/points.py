"""Every single value as a dot, and beside it the mean and how far the values reach."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from normlab.plots.looks import Look, looks
from normlab.plots.picture import INK, Picture, new_figure

# Up to so many dots in a row are drawn large: each can be told from the others.
_FEW = 20
# For each network's name the differences, (seeds,), and the ends of their interval.
Rows = Mapping[str, tuple[np.ndarray, tuple[float, float]]]


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
    alt, title
        What the picture shows; and what is found, in a sentence above the figure.
    one_scale
        Whether the panels share their axis, as those do whose values are compared.
    """
    with new_figure(7.5, 0.55 * len(features) + 1.4) as figure:
        row = np.atleast_1d(figure.subplots(1, len(panels), sharey=True, sharex=one_scale))
        drawn = list(looks(features).values())
        for axes, (heading, values) in zip(row, panels.items(), strict=True):
            _draw_dots(axes, values, drawn)
            axes.set(xlabel="" if one_scale else xlabel)
            axes.set_title(heading, size=10.5 if len(panels) > 3 else None)
        if one_scale:
            figure.supxlabel(xlabel, fontsize="medium")
        row[0].set_yticks(range(len(features)), [look.name for look in drawn])
        row[0].invert_yaxis()
        return Picture(figure, alt, title)


def _draw_dots(axes: Axes, values: np.ndarray, drawn: Sequence[Look]) -> None:
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


def differences(panels: Mapping[str, Rows], *, xlabel: str, alt: str, title: str = "") -> Picture:
    """Draw each seed's difference as a dot, and mean and interval as a bar, network by network.

    A filled diamond stands on an interval that leaves 0 out, a hollow one on an interval that
    holds it. The panels share their axis.

    Parameters
    ----------
    panels
        For each panel's title, and in it for each network's name, the differences from what it is
        compared with, ``(seeds,)``, and the lower and upper end of their interval.
    xlabel
        What the difference is of, with its unit.
    alt, title
        What the picture shows; and what is found, in a sentence above the figure.
    """
    rows = max(len(networks) for networks in panels.values())
    with new_figure(7.5, 0.42 * rows + 1.3) as figure:
        row = np.atleast_1d(figure.subplots(1, len(panels), sharex=True, sharey=True))
        drawn = looks(next(iter(panels.values())))
        for axes, (heading, networks) in zip(row, panels.items(), strict=True):
            axes.axvline(0, color=INK, linewidth=1, marker="")
            for height, (name, (values, interval)) in enumerate(networks.items()):
                _draw_difference(axes, height, np.asarray(values), interval, drawn[name])
            axes.set(title=heading, xlabel=xlabel)
            axes.grid(visible=False, axis="y")
        row[0].set_yticks(range(rows), [look.name for look in drawn.values()])
        row[0].set_ylim(rows - 0.5, -0.5)  # the first network on top
        return Picture(figure, alt, title)


def _draw_difference(
    axes: Axes, height: float, values: np.ndarray, interval: tuple[float, float], look: Look
) -> None:
    lower, upper = interval
    spots = height + 0.24 + np.zeros(len(values))
    axes.scatter(values, spots, s=12, color="#777777", marker="|", linewidths=1)
    mean = values.mean()
    axes.errorbar(
        mean,
        height,
        xerr=[[mean - lower], [upper - mean]],
        color=look.colour,
        label=look.name,
        marker="D",
        markersize=6,
        markerfacecolor="white" if lower <= 0 <= upper else look.colour,
        linewidth=2,
        capsize=4,
    )
