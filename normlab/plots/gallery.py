"""Many blocks in one picture: the norms of the course side by side."""

from collections.abc import Mapping

import numpy as np

from normlab.plots.block import draw_block
from normlab.plots.picture import Picture, new_figure

_COLUMNS = 3


def gallery(panels: Mapping[str, np.ndarray], *, alt: str = "") -> Picture:
    """Draw a batch as a block of cells for each norm, three in a row.

    Parameters
    ----------
    panels
        For each title the cells to colour, a boolean array ``(N, C, L)``: the inputs that one
        output depends on.
    alt
        What the picture shows; made from the panels without it.

    References
    ----------
    The picture is in the manner of Wu & He, "Group Normalization", ECCV 2018, figure 2.
    """
    rows = -(-len(panels) // _COLUMNS)
    with new_figure(7.5, 2.3 * rows) as figure:
        grid = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
        for axes, (title, coloured) in zip(grid, panels.items(), strict=False):
            draw_block(axes, np.asarray(coloured, dtype=bool), ("N", "C", "L"), title)
            axes.set_title(title, loc="center", size=10)
        for axes in grid[len(panels) :]:
            axes.axis("off")
        return Picture(figure, alt or _describe(panels))


def _describe(panels: Mapping[str, np.ndarray]) -> str:
    sentences = [
        "Blocks of samples N by channels C by positions L. Coloured in each: the values that one "
        "value is normalized with."
    ]
    for title, coloured in panels.items():
        counts = [np.unique(index).size for index in np.nonzero(coloured)]
        words = " by ".join(
            f"{count} of {size} {axis}"
            for count, size, axis in zip(counts, np.shape(coloured), "NCL", strict=True)
        )
        sentences.append(f"{title}: {words}.")
    return " ".join(sentences)
