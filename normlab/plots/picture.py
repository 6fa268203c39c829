"""A figure with alt text, and the one style of all figures."""

import base64
import html
import io
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure
from PIL import Image

# Okabe and Ito's colours, which people with any kind of colour blindness tell apart
# (Okabe & Ito, "Color Universal Design", 2008). Dark to light, so that greyscale keeps an order.
BLUE, ORANGE, GREEN, PURPLE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9"
INK, FAINT = "#222222", "#BBBBBB"
# For what is no norm (the norms have theirs in looks.toml), with the second cue beside the colour.
COLOURS = (ORANGE, BLUE, GREEN, PURPLE, SKY)
MARKERS = ("s", "o", "^", "D", "v")
DASHES = ("--", "-", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))

_STYLE: dict[Any, Any] = {
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.prop_cycle": cycler(color=COLOURS, marker=MARKERS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "savefig.dpi": 160,  # sharp on a dense screen; `Picture` sets the width on the page
    "figure.facecolor": "white",  # also where the notebook is dark: the ink is dark
    "figure.constrained_layout.use": True,
    "font.size": 10.5,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "xtick.color": INK,
    "ytick.color": INK,
}


class Picture:
    """A finished figure that shows itself in a notebook, with alt text.

    Parameters
    ----------
    figure
        The matplotlib figure.
    alt
        What it shows, in a sentence or two, for who cannot see it.
    title
        What is found, in a sentence. It stands above the figure, and is read out before ``alt``.

    Raises
    ------
    ValueError
        If ``alt`` is empty.

    Notes
    -----
    The picture is an HTML ``<img>`` with its own alt text: JupyterLab 4.6 ignores alt text in the
    metadata of an image output.
    """

    def __init__(self, figure: Figure, alt: str, title: str = "") -> None:
        if not alt.strip():
            raise ValueError("A picture needs alt text: say in a sentence what it shows.")
        self.alt = " ".join(f"{title}{'.' * bool(title)} {alt}".split())
        buffer = io.BytesIO()
        with styled():
            if title:
                _put_above(figure, title)
            figure.savefig(buffer, format="png")
        self.png = _with_palette(buffer)
        self.width = round(100 * figure.get_figwidth())  # in CSS pixels

    def save(self, path: str | Path) -> None:
        """Write the picture to a PNG file."""
        Path(path).write_bytes(self.png)

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png).decode()
        style = f"width: {self.width}px; max-width: 100%; height: auto"
        alt = html.escape(self.alt)
        return f'<img src="data:image/png;base64,{data}" alt="{alt}" style="{style}">'

    def __repr__(self) -> str:
        return f"[picture: {self.alt}]"


def _with_palette(drawn: io.BytesIO) -> bytes:
    """Return a PNG of 256 colours: a third of the bytes, and fewer than an SVG has."""
    image = Image.open(drawn).convert("RGB")
    buffer = io.BytesIO()
    # Of its ways to choose them this one keeps the colours of thin lines and small markers.
    image.quantize(method=Image.Quantize.MAXCOVERAGE).save(buffer, "png", optimize=True)
    return buffer.getvalue()


def _put_above(figure: Figure, title: str) -> None:
    """Write a title above a figure, which grows by it; the panels keep their size."""
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(title, round(10 * width), break_on_hyphens=False)
    figure.set_size_inches(width, height + 0.2 * len(lines) + 0.12)
    figure.suptitle("\n".join(lines), x=0.01, ha="left", weight="bold", size=11.5)


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the course's style inside a ``with`` block."""
    with mpl.rc_context(_STYLE):
        yield


@contextmanager
def new_figure(width: float = 7.5, height: float = 3.2) -> Iterator[Figure]:
    """Give a ``with`` block the style and an empty figure, in inches; 7.5 fills a notebook."""
    with styled():
        # Not pyplot, whose figures pile up and show themselves a second time in a notebook.
        yield Figure(figsize=(width, height))
