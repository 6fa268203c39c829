"""A transformer's residual stream: where its norms stand, how it grows, what a block is worth."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import MultipleLocator

from normlab.plots.looks import looks
from normlab.plots.picture import INK, Picture, new_figure

# What stands on the stream (0) and on the branch (1), from the bottom; "+" joins the branch.
_PLACES = {
    "pre": [(1, "N"), (1, "f"), (0, "+"), (1, "N"), (1, "g"), (0, "+")],
    "post": [(1, "f"), (0, "+"), (0, "N"), (1, "g"), (0, "+"), (0, "N")],
    "sandwich": [(1, "N"), (1, "f"), (1, "N"), (0, "+"), (1, "N"), (1, "g"), (1, "N"), (0, "+")],
    "out": [(1, "f"), (1, "N"), (0, "+"), (1, "g"), (1, "N"), (0, "+")],
    "parallel": [(1, "N"), (1, "f   g"), (0, "+")],
}


def placements() -> Picture:
    """Draw one block with its norms in each of five places, the stream running upwards."""
    with new_figure(7.5, 3.6) as figure:
        row = figure.subplots(1, len(_PLACES), sharey=True)
        for axes, (place, look) in zip(row, looks(_PLACES).items(), strict=True):
            _draw_block(axes, _PLACES[place])
            axes.set_title(look.name, loc="center")
        return Picture(
            figure,
            "One block in five places. The stream runs upwards; f and g stand on a branch beside "
            "it and are added to it. Pre: a norm on the branch before f and before g. Post: a "
            "norm on the stream behind each sum. Sandwich: norms on the branch before and behind "
            "f and g. Out: norms on the branch behind f and g. Parallel: one norm, then f and g "
            "side by side.",
        )


def _draw_block(axes: Axes, parts: list[tuple[int, str]]) -> None:
    height = 9
    axes.set(xlim=(-0.7, 1.75), ylim=(-0.4, height + 0.3))
    axes.axis("off")
    axes.annotate("", (0, height), (0, -0.2), arrowprops={"arrowstyle": "-|>", "color": INK})
    step, left = (height - 0.8) / len(parts), None
    for number, (column, word) in enumerate(parts):
        y = 0.6 + number * step
        if column == 1 and left is None:
            left = y - 0.45  # where the branch leaves the stream
            axes.plot([0, 1, 1], [left, left, y], color=INK, linewidth=1, marker="")
        if word == "+":
            axes.plot([1, 1, 0], [y - step, y, y], color=INK, linewidth=1, marker="")
            axes.plot(0, y, marker="o", markersize=13, color="white", markeredgecolor=INK)
            axes.text(0, y, "+", ha="center", va="center")
            left = None
            continue
        if column == 1 and left is not None and number and parts[number - 1][0] == 1:
            axes.plot([1, 1], [y - step, y], color=INK, linewidth=1, marker="")
        norm = word == "N"
        box = FancyBboxPatch(
            (column - 0.36, y - 0.3),
            0.72,
            0.6,
            boxstyle="round,pad=0.02",
            facecolor=INK if norm else "white",
            edgecolor=INK,
            zorder=3,
        )
        axes.add_patch(box)
        ink = "white" if norm else INK
        axes.text(column, y, word, ha="center", va="center", color=ink, weight="bold", zorder=4)


def stream(
    start: Mapping[str, np.ndarray],
    trained: Mapping[str, np.ndarray],
    worth: Mapping[str, np.ndarray],
    *,
    alt: str,
    title: str = "",
) -> Picture:
    """Draw the stream's size behind each block, and the loss that each block saves.

    Parameters
    ----------
    start, trained
        For each place of the norms the root mean square behind 0, 1, ... blocks, ``(seeds,
        blocks + 1)``, before training and after.
    worth
        By how much the loss rises without block 1, 2, ..., ``(seeds, blocks)``.
    alt, title
        What the picture shows; and what is found, in a sentence above the figure.
    """
    with new_figure(7.5, 3.6) as figure:
        left, right = figure.subplots(1, 2)
        for place, look in looks(trained).items():
            values = trained[place]
            blocks = np.arange(values.shape[1])
            style = look.line | {"markersize": 4}
            left.plot(blocks, values.mean(axis=0), **style)
            faint = style | {"label": None, "markerfacecolor": "white"}
            left.plot(blocks, start[place].mean(axis=0), linewidth=0.8, alpha=0.8, **faint)
            right.plot(blocks[1:], worth[place].mean(axis=0), **style)
        left.set(title="size of the stream", xlabel="behind block", ylabel="root mean square")
        left.annotate("hollow: before training", (0.03, 0.93), xycoords="axes fraction", size=9)
        right.set(title="what a block is worth", xlabel="block", ylabel="loss rises by (nats)")
        for axes in (left, right):
            axes.xaxis.set_major_locator(MultipleLocator(3))
        handles, names = right.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(names), handlelength=3)
        return Picture(figure, alt, title)
