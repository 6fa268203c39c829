"""Images, in a row or in rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from normlab.plots.picture import INK, Picture, new_figure


def images(pictures: np.ndarray, titles: Sequence[object], *, alt: str) -> Picture:
    """Show grey-level images side by side, dark ink on white paper.

    Parameters
    ----------
    pictures
        ``(N, H, W)``; each image is stretched from its own minimum to its own maximum.
    titles
        What stands above each.
    alt
        What the picture shows.
    """
    with new_figure(7.5, 7.5 / len(pictures) + 0.4) as figure:
        row = np.atleast_1d(figure.subplots(1, len(pictures)))
        for axes, picture, title in zip(row, pictures, titles, strict=True):
            _show(axes, picture)
            axes.set_title(str(title), loc="center")
        return Picture(figure, alt)


def lights(
    rows: Mapping[str, np.ndarray], titles: Sequence[str], *, alt: str, title: str = ""
) -> Picture:
    """Show rows of images, each row with one scale of grey or colour for all its images.

    Unlike `images`, which stretches every image to its own black and white.

    Parameters
    ----------
    rows
        For each row's name its images: grey ``(N, H, W)``, drawn from the row's smallest value
        (white) to its largest (black), or coloured ``(N, H, W, 3)``, drawn as they are, 0 to 1.
    titles
        What stands above each column.
    alt, title
        What the picture shows; and what is found, in a sentence above the figure.

    Raises
    ------
    ValueError
        If a row has another number of images than there are titles.
    """
    for name, row in rows.items():
        if len(row) != len(titles):
            raise ValueError(f"Row {name!r} has {len(row)} images for {len(titles)} titles.")
    side = min(1.7, 6.9 / len(titles))  # inches
    with new_figure(side * len(titles) + 0.6, (side + 0.05) * len(rows) + 0.45) as figure:
        grid = figure.subplots(len(rows), len(titles), squeeze=False)
        for panels, (name, pictures) in zip(grid, rows.items(), strict=True):
            for axes, picture in zip(panels, pictures, strict=True):
                _show(
                    axes,
                    np.clip(picture, 0, 1) if picture.ndim == 3 else picture,
                    vmin=np.min(pictures),
                    vmax=np.max(pictures),
                )
            panels[0].set_ylabel(name, color=INK)
        for axes, heading in zip(grid[0], titles, strict=True):
            axes.set_title(heading, loc="center", fontsize=9.5)
        return Picture(figure, alt, title)


def _show(axes: Axes, picture: np.ndarray, **scale: Any) -> None:  # noqa: ANN401 - of `imshow`
    axes.imshow(picture, cmap="gray_r", **scale)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color=INK, linewidth=0.6)  # white edges stay edges
