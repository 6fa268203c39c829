"""What goes on inside a network's layers while it trains."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator, StrMethodFormatter

from normlab.plots.looks import Look, looks
from normlab.plots.picture import INK, Picture, new_figure, styled

# Up to here steps are equally far apart on the axis, and from here on equal factors are.
_FIRST_STEPS = 10


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
    alt
        What the picture shows.
    title
        What is found, in a sentence above the figure.
    """
    layers = list(next(iter(panels.values())))
    with styled():
        figure = new_figure(7.5, 1.7 * len(layers) + 0.9)
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
    alt
        What the picture shows.
    title
        What is found, in a sentence above the figure.
    log
        Make equal factors equally far apart on the vertical axis.
    """
    with styled():
        figure = new_figure(7.5, 3.6)
        row = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
        drawn = looks(layer for layers in panels.values() for layer in layers)
        for axes, (network, look) in zip(row, looks(panels).items(), strict=True):
            for layer, values in panels[network].items():
                _draw_line(axes, steps, np.atleast_2d(values), drawn[layer])
            axes.set(title=look.name, xlabel="training steps", yscale="log" if log else "linear")
            if log:
                axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            _use_step_scale(axes, steps)
        row[0].set_ylabel(ylabel)
        lines, names = row[0].get_legend_handles_labels()
        figure.legend(lines, names, loc="outside lower center", ncols=len(names), handlelength=3)
        return Picture(figure, alt, title)


def _draw_line(axes: Axes, steps: np.ndarray, values: np.ndarray, look: Look) -> None:
    smallest, largest = values.min(axis=0), values.max(axis=0)  # (points,), (points,)
    axes.fill_between(steps, smallest, largest, color=look.colour, alpha=0.25, linewidth=0)
    axes.plot(steps, values.mean(axis=0), **look.line)


def _use_step_scale(axes: Axes, steps: np.ndarray) -> None:
    """Give the first steps room: most happens in them."""
    axes.set_xscale("symlog", linthresh=_FIRST_STEPS)
    first, last = min(steps), max(steps)
    ticks = [tick for tick in (0, 5, 10, 30, 100, 300, 1000, 3000) if tick <= last / 2]
    axes.set_xticks([*ticks, last])
    axes.set_xlim(first - 0.5, 1.2 * last)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
