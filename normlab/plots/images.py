"""Images in a row."""

from collections.abc import Sequence

import numpy as np

from normlab.plots.picture import INK, Picture, new_figure, styled


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
    with styled():
        figure = new_figure(7.5, 7.5 / len(pictures) + 0.4)
        row = np.atleast_1d(figure.subplots(1, len(pictures)))
        for axes, picture, title in zip(row, pictures, titles, strict=True):
            axes.imshow(picture, cmap="gray_r")
            axes.set_title(str(title), loc="center")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set(visible=True, color=INK, linewidth=0.6)  # white edges stay edges
        return Picture(figure, alt)
