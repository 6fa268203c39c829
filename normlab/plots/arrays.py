"""Small arrays as tables of numbers."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from normlab.plots.picture import BLUE, INK, SKY, Picture, new_figure

_CELL = 0.54  # inches wide, room for "-12.34"
_GAP = 0.7  # cells between two tables
_READABLE = 1000  # cells in a picture
_LABELS = 1.1  # cells for what stands to the left of the rows


def arrays(
    panels: Mapping[str, np.ndarray],
    *,
    marked: Mapping[str, np.ndarray] | None = None,
    rows: Mapping[str, Sequence[str]] | None = None,
    alt: str,
) -> Picture:
    """Draw small arrays side by side, every number in its cell, and some of the cells marked.

    Parameters
    ----------
    panels
        For each title the numbers, ``(rows, columns)``.
    marked
        For a title which of its cells to mark, a boolean array of the same shape: with colour,
        a thick edge and bold figures.
    rows
        For a title what stands to the left of its rows.
    alt
        What the picture shows.

    Raises
    ------
    ValueError
        If there is no panel, or one that is no table of numbers, or more than anyone can read.
    """
    _check(panels)
    marked, rows = marked or {}, rows or {}
    starts, width = _places(panels, rows)
    height = max(len(values) for values in panels.values())
    with new_figure(_CELL * width, 0.75 * _CELL * height + 0.55) as figure:
        axes = figure.subplots()
        for title, values in panels.items():
            marks = marked.get(title, np.zeros(values.shape, dtype=bool))
            _draw(axes, starts[title], title, values, marks, rows.get(title, ()))
        axes.set(xlim=(0, width), ylim=(height + 0.06, -0.8))
        axes.axis("off")
        return Picture(figure, alt)


def _check(panels: Mapping[str, np.ndarray]) -> None:
    if not panels:
        raise ValueError("arrays draws at least one table of numbers, and panels is empty.")
    for title, values in panels.items():
        if np.ndim(values) != 2:
            raise ValueError(
                f"{title}: arrays draws tables, (rows, columns), got the shape {np.shape(values)}."
            )
    cells = sum(np.size(values) for values in panels.values())
    if cells > _READABLE:
        raise ValueError(
            f"arrays writes every number into a cell, and nobody can read {cells:,} of them. Give "
            "a part, such as values[:10, :10]."
        )


def in_words(values: np.ndarray) -> str:
    """Read an array out, row by row, as it stands in the picture."""
    return "; ".join(", ".join(written(value) for value in row) for row in values)


def _places(
    panels: Mapping[str, np.ndarray], rows: Mapping[str, Sequence[str]]
) -> tuple[dict[str, float], float]:
    """Return where each table starts, and how far they reach together, in cells."""
    starts, reach = {}, 0.1
    for title, values in panels.items():
        starts[title] = reach + _LABELS * (title in rows)
        reach = starts[title] + values.shape[1] + _GAP
    return starts, reach - _GAP + 0.1


def _draw(
    axes: Axes,
    start: float,
    title: str,
    values: np.ndarray,
    marks: np.ndarray,
    rows: Sequence[str],
) -> None:
    axes.text(start, -0.25, title, color=INK)
    for row, label in enumerate(rows):
        axes.text(start - 0.15, row + 0.5, label, ha="right", va="center", color=INK)
    for row, column in np.ndindex(values.shape):
        left, changed = start + column, bool(marks[row, column])
        look = {"facecolor": SKY, "alpha": 0.55} if changed else {"facecolor": "white"}
        axes.add_patch(Rectangle((left, row), 1, 1, edgecolor="none", **look))
        axes.add_patch(
            Rectangle(
                (left, row),
                1,
                1,
                fill=False,
                edgecolor=BLUE if changed else "#999999",
                linewidth=2.2 if changed else 0.8,
                zorder=3 if changed else 2,
            )
        )
        axes.text(
            left + 0.5,
            row + 0.5,
            written(float(values[row, column])),
            ha="center",
            va="center",
            size=9.5,
            weight="bold" if changed else "normal",
            color=INK,
        )


def written(value: float) -> str:
    """Write a number as it stands in its cell: two decimals at most."""
    if abs(value) >= 1000:
        return f"{value:.0f}"
    # Adding zero turns -0.0 into 0.0.
    return np.format_float_positional(round(float(value), 2) + 0.0, trim="-")
