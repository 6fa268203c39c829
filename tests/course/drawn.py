"""What is written in figures, and in which colour each of their names is drawn."""

from typing import Any

from matplotlib.artist import Artist
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text


def remember() -> list[dict[str, Any]]:
    """Return a list to which each figure that is saved from now on is added."""
    figures: list[dict[str, Any]] = []
    save = Figure.savefig

    def savefig(figure: Figure, *arguments: Any, **options: Any) -> None:
        figures.append(read(figure))
        save(figure, *arguments, **options)

    Figure.savefig = savefig
    return figures


def read(figure: Figure) -> dict[str, Any]:
    """Return a figure's texts, and its names with the colour of each."""
    texts = {text.get_text() for text in figure.findobj(Text)}
    colours = [
        (name, _colour(handle))
        for axes in figure.axes
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)
    ]
    return {"texts": sorted(texts - {""}), "colours": colours}


def _colour(handle: Artist | tuple[Artist, ...]) -> str:
    if isinstance(handle, tuple):  # an error bar: its line comes first
        return _colour(handle[0])
    if hasattr(handle, "get_color"):
        return to_hex(handle.get_color())
    return to_hex(handle.get_facecolor()[0])
