"""A computation as a graph: values in boxes, operations on arrows."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.text import Text

from normlab.plots.picture import BLUE, INK, Picture, new_figure

_BOX = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": INK}
_ON_ARROW = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}


def graph(
    nodes: Mapping[str, tuple[float, float]], arrows: Sequence[tuple[str, str, str]], *, alt: str
) -> Picture:
    """Draw a computation graph.

    Parameters
    ----------
    nodes
        For each value's label, which may hold mathematics between dollar signs, its place:
        columns to the right and rows upwards, at steps of one.
    arrows
        From, to, and what is written on the arrow.
    alt
        What the picture shows.
    """
    columns = [column for column, _ in nodes.values()]
    rows = [row for _, row in nodes.values()]
    with new_figure(7.5, 0.95 * (max(rows) - min(rows)) + 1.1) as figure:
        axes = figure.subplots()
        boxes = {
            label: axes.text(*place, label, ha="center", va="center", bbox=_BOX, zorder=3, size=13)
            for label, place in nodes.items()
        }
        for start, end, operation in arrows:
            _draw_arrow(axes, boxes[start], boxes[end], operation)
        axes.set_xlim(min(columns) - 0.5, max(columns) + 0.5)
        axes.set_ylim(min(rows) - 0.5, max(rows) + 0.5)
        axes.axis("off")
        return Picture(figure, alt)


def _draw_arrow(axes: Axes, start: Text, end: Text, operation: str) -> None:
    (x0, y0), (x1, y1) = start.get_position(), end.get_position()
    arrow = {
        "arrowstyle": "-|>",
        "color": BLUE,
        "linewidth": 1.4,
        # The arrow runs from middle to middle, and is cut off where the boxes begin.
        "patchA": start.get_bbox_patch(),
        "patchB": end.get_bbox_patch(),
        "shrinkA": 0,
        "shrinkB": 2,
    }
    axes.annotate("", (x1, y1), (x0, y0), arrowprops=arrow)
    if operation:
        middle = ((x0 + x1) / 2, (y0 + y1) / 2)
        axes.text(*middle, operation, ha="center", va="center", size=9, bbox=_ON_ARROW)
