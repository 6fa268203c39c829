"""How far several networks are from one: every seed, the mean, and an interval."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from normlab.plots.looks import Look, looks
from normlab.plots.picture import INK, Picture, new_figure, styled

# For each network's name the differences, (seeds,), and the ends of their interval.
Rows = Mapping[str, tuple[np.ndarray, tuple[float, float]]]


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
    alt
        What the picture shows.
    title
        What is found, in a sentence above the figure.
    """
    with styled():
        rows = max(len(networks) for networks in panels.values())
        figure = new_figure(7.5, 0.42 * rows + 1.3)
        row = np.atleast_1d(figure.subplots(1, len(panels), sharex=True, sharey=True))
        drawn = looks(next(iter(panels.values())))
        for axes, (heading, networks) in zip(row, panels.items(), strict=True):
            axes.axvline(0, color=INK, linewidth=1, marker="")
            for height, (name, (values, interval)) in enumerate(networks.items()):
                _draw(axes, height, np.asarray(values), interval, drawn[name])
            axes.set(title=heading, xlabel=xlabel)
            axes.grid(visible=False, axis="y")
        row[0].set_yticks(range(rows), [look.name for look in drawn.values()])
        row[0].set_ylim(rows - 0.5, -0.5)  # the first network on top
        return Picture(figure, alt, title)


def _draw(
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
