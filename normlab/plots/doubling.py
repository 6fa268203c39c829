"""Values against a quantity that doubles from step to step, such as a batch size."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from normlab.plots.looks import Look, looks
from normlab.plots.picture import Picture, new_figure, styled

# The lines are moved sideways by so much of a step, one after the other, so that bars do not hide
# each other.
_ASIDE = 0.06


def doubling(
    sizes: Sequence[int],
    panels: Mapping[str, Mapping[str, np.ndarray]],
    *,
    xlabel: str,
    ylabel: str,
    alt: str,
    title: str = "",
) -> Picture:
    """Draw the mean of each line's values at each size, and a bar from the lowest to the highest.

    Parameters
    ----------
    sizes
        ``(sizes,)``; equally far apart on the page, whatever they are.
    panels
        For each title its lines: for each name the values, ``(seeds, sizes)``. The panels share
        their vertical axis.
    xlabel, ylabel
        What the axes show.
    alt
        What the picture shows.
    title
        What is found, in a sentence above the figure.
    """
    with styled():
        figure = new_figure(7.5, 3.4)
        row = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
        drawn = looks(name for lines in panels.values() for name in lines)
        for axes, (heading, lines) in zip(row, panels.items(), strict=True):
            for index, (name, values) in enumerate(lines.items()):
                aside = _ASIDE * (index - (len(lines) - 1) / 2)
                _draw(axes, np.asarray(values), drawn[name], aside)
            axes.set_xticks(range(len(sizes)), [str(size) for size in sizes])
            axes.set(title=heading, xlabel=xlabel)
        row[0].set_ylabel(ylabel)
        figure.legend(*row[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
        return Picture(figure, alt, title)


def _draw(axes: Axes, values: np.ndarray, look: Look, aside: float) -> None:
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
