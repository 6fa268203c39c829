"""The picture that the whole course keeps: the N × C × L block and the values averaged together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Polygon

from normlab.plots.looks import of_norm
from normlab.plots.picture import BLUE, INK, SKY, Picture, new_figure

# Where one step along each axis goes on paper: samples to the back, channels to the right,
# positions down.
_STEPS = {"N": np.array([0.5, 0.42]), "C": np.array([1.0, 0.0]), "L": np.array([0.0, -1.0])}


def block(
    panels: dict[str, np.ndarray],
    *,
    labels: tuple[str, str, str] = ("samples N", "channels C", "positions L"),
    alt: str = "",
) -> Picture:
    """Draw a batch as a block of cells, once for each panel, with some of the cells coloured.

    Parameters
    ----------
    panels
        For each title the cells to colour, a boolean array ``(N, C, L)``: the values that one
        mean is taken of. `averaged_cells` makes it from the axes. Where the title is a norm's
        name, the colour is the norm's.
    labels
        What the three axes are called.
    alt
        What the picture shows; made from the panels without it.

    References
    ----------
    The picture is in the manner of Wu & He, "Group Normalization", ECCV 2018, figure 2.
    """
    with new_figure(min(7.5, 2.6 * len(panels) + 0.6), 2.7) as figure:
        for axes, (title, coloured) in zip(
            np.atleast_1d(figure.subplots(1, len(panels))), panels.items(), strict=True
        ):
            draw_block(axes, np.asarray(coloured, dtype=bool), labels, title)
            axes.set_title(title, loc="center")
        return Picture(figure, alt or _describe(panels))


def averaged_cells(
    shape: tuple[int, int, int], axes: Sequence[int], groups: int | None = None
) -> np.ndarray:
    """Return which cells share one mean with the front, right cell of the block.

    Parameters
    ----------
    shape
        ``(N, C, L)``.
    axes
        The axes averaged over: ``(0, 2)`` for BatchNorm, ``(1, 2)`` for LayerNorm over all
        channels, ``(2,)`` for InstanceNorm.
    groups
        Where channels are averaged over, in how many blocks of neighbours; one without it.

    Returns
    -------
    numpy.ndarray
        bool, ``(N, C, L)``.

    Raises
    ------
    ValueError
        If ``groups`` does not divide the channels.
    """
    if groups is not None and (groups not in range(1, shape[1] + 1) or shape[1] % groups):
        raise ValueError(
            f"groups must be a whole number that divides the {shape[1]} channels, got {groups}."
        )
    cells = np.zeros(shape, dtype=bool)
    # The first sample is in front, the last channel at the right: both are in view.
    index: list[slice] = [slice(0, 1), slice(shape[1] - 1, None), slice(0, 1)]
    for axis in axes:
        index[axis] = slice(None)
    if groups is not None:
        index[1] = slice(shape[1] - shape[1] // groups, None)
    cells[tuple(index)] = True
    return cells


def draw_block(
    axes: Axes, coloured: np.ndarray, labels: tuple[str, str, str], norm: str = ""
) -> None:
    """Draw one block of cells into axes, ``coloured`` (N, C, L) telling which get a colour."""
    fill, edge = _colours(norm)
    n, c, l = (_STEPS[axis] for axis in "NCL")  # noqa: E741 - the names of the axes
    corner = np.zeros(2)  # where front and top meet, at the left
    faces = (
        # which cells are in view, the face's first corner, its two directions
        (coloured[0].T, corner, l, c),  # front: (L, C)
        (coloured[:, :, 0], corner, n, c),  # top: (N, C)
        (coloured[:, -1, :], corner + coloured.shape[1] * c, n, l),  # right side: (N, L)
    )
    for cells, first, down, across in faces:
        for row, column in np.ndindex(cells.shape):
            start = first + row * down + column * across
            corners = [start, start + across, start + across + down, start + down]
            inside = bool(cells[row, column])
            face, ink = (fill, edge) if inside else ("white", INK)
            axes.add_patch(Polygon(corners, facecolor=face, edgecolor=ink, linewidth=0.8))
    _label(axes, coloured.shape, labels)
    axes.set_aspect("equal")
    axes.autoscale_view()
    axes.axis("off")


def _colours(norm: str) -> tuple[Any, Any]:
    """Return what the cells are filled with, and their edges: light and dark of a norm's colour."""
    look = of_norm(norm)
    if look is None:
        return SKY, BLUE
    colour = np.array(to_rgb(look.colour))
    return 0.65 * colour + 0.35, 0.6 * colour


def _label(axes: Axes, sizes: tuple[int, ...], labels: tuple[str, str, str]) -> None:
    samples, channels, positions = sizes
    n, c, l = (_STEPS[axis] for axis in "NCL")  # noqa: E741 - the names of the axes
    below, left = np.array([0, -0.25]), np.array([-0.25, 0])
    x, y = channels * c / 2 + positions * l + below
    axes.text(x, y, labels[1], ha="center", va="top")
    x, y = positions * l / 2 + left
    axes.text(x, y, labels[2], ha="right", va="center", rotation=90)
    x, y = samples * n / 2 + left + np.array([0, 0.1])
    axes.text(
        x,
        y,
        labels[0],
        ha="center",
        va="bottom",
        rotation=np.degrees(np.arctan2(n[1], n[0])),
        rotation_mode="anchor",
    )


def _describe(panels: dict[str, np.ndarray]) -> str:
    sentences = []
    for title, coloured in panels.items():
        counts = (np.unique(index).size for index in np.nonzero(np.asarray(coloured)))
        words = ", ".join(
            f"{count} {axis}{'' if count == 1 else 's'}"
            for count, axis in zip(counts, ("sample", "channel", "position"), strict=True)
        )
        shape = " by ".join(str(size) for size in np.shape(coloured))
        heading = ", ".join(title.splitlines())
        sentences.append(
            f"{heading}: in a block of {shape} (samples by channels by positions) the cells that "
            f"share one mean are coloured: {words}."
        )
    return " ".join(sentences)
