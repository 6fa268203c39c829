"""Make the cheat sheet: ``python docs/cheat_sheet.py [FOLDER]``, or ``make cheat-sheet``.

One page with every norm of `normlab.parity.facts`, as PDF, as PNG and in words. What is averaged,
learned and remembered, and what `eval()` changes, is observed on torch's layers; the formulas, the
shapes and the advice stand here, and each shape is tried by a test.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from normlab.parity import facts
from normlab.plots.block import draw_block
from normlab.plots.picture import BLUE, INK, SKY, styled

HERE = Path(__file__).resolve().parent
ALT = (
    "A table of all norms of the course, one in each row: a block of samples, channels and "
    "positions in which the values that share a statistic are coloured, the formula, the layer in "
    "PyTorch with its input shapes, what it learns, what it remembers, whether training and "
    "evaluation differ, when to use it and when not. Below it, six questions to choose by."
)


@dataclass(frozen=True)
class Advice:
    """What cannot be observed on a layer.

    Attributes
    ----------
    formula
        In matplotlib's mathtext, which MathJax reads as well.
    layers
        For each layer of PyTorch the shapes that it takes.
    use, avoid
        When to use it, and when not.
    modes
        What `train()` and `eval()` change, where they change something.
    """

    formula: str
    layers: dict[str, Sequence[str]]
    use: str
    avoid: str
    modes: str = ""


def _standardized(statistic: str) -> str:
    return rf"\frac{{x-\mu_{{{statistic}}}}}{{\sqrt{{\sigma^2_{{{statistic}}}+\epsilon}}}}"


BATCH_MODES = "in training this batch, in evaluation the running statistics"
ADVICE = {
    "BatchNorm": Advice(
        rf"$y=\gamma_c{_standardized('c')}+\beta_c$",
        {"nn.BatchNorm1d(C)": ["(N, C)", "(N, C, L)"], "nn.BatchNorm2d(C)": ["(N, C, H, W)"]},
        "images or tables, batches of 16 and more, drawn at random",
        "fewer than about 8 samples on a device; sorted batches, streams; padding",
        BATCH_MODES,
    ),
    "SyncBatchNorm, one worker": Advice(
        rf"$y=\gamma_c{_standardized('c')}+\beta_c$",
        {"nn.SyncBatchNorm(C)": ["(N, C)", "(N, C, L)", "(N, C, H, W)"]},
        "devices with small batches that together have enough",
        "one device: it is BatchNorm there; sorted batches",
        "as BatchNorm, of all workers together",
    ),
    "InstanceNorm": Advice(
        rf"$y={_standardized('nc')}$",
        {"nn.InstanceNorm1d(C)": ["(N, C, L)"], "nn.InstanceNorm2d(C)": ["(N, C, H, W)"]},
        "contrast or style only disturbs",
        "contrast is part of the answer; one position only",
    ),
    "LayerNorm, images": Advice(
        rf"$y=\gamma_{{cl}}{_standardized('n')}+\beta_{{cl}}$",
        {"nn.LayerNorm([C, L])": ["(N, C, L)"], "nn.LayerNorm([C, H, W])": ["(N, C, H, W)"]},
        "images of one size, any batch",
        "images of several sizes: every position has a weight of its own",
    ),
    "GroupNorm, 2 groups": Advice(
        rf"$y=\gamma_c{_standardized('ng')}+\beta_c$",
        {"nn.GroupNorm(G, C)": ["(N, C)", "(N, C, L)", "(N, C, H, W)"]},
        "images in small batches",
        "groups of one value: the output no longer depends on the input",
    ),
    "LocalResponseNorm": Advice(
        r"$y=x_c\,(k+\frac{\alpha}{s}\sum_j x_j^2)^{-\beta}$",
        {"nn.LocalResponseNorm(5)": ["(N, C, L)", "(N, C, H, W)"]},
        "old networks, as they were",
        "new networks: it takes away neither shift nor scale",
    ),
    "LayerNorm, tokens": Advice(
        rf"$y=\gamma_c{_standardized('nl')}+\beta_c$",
        {"nn.LayerNorm(C)": ["(N, C)", "(N, L, C)"]},
        "sequences, padding, recurrent networks, a batch of one",
        "a table: one feature with a large unit decides alone",
    ),
    "RMSNorm, tokens": Advice(
        r"$y=\gamma_c\frac{x}{\sqrt{\mathrm{mean}_c(x^2)+\epsilon}}$",
        {"nn.RMSNorm(C)": ["(N, C)", "(N, L, C)"]},
        "as LayerNorm, without mean and bias",
        "a shift common to all features disturbs; own code in float16: squares overflow from 256 "
        "on",
    ),
    "Dynamic Tanh": Advice(
        r"$y=\gamma_c\tanh(\alpha x)+\beta_c$",
        {"DynamicTanh(C)": ["(N, C)", "(N, L, C)"]},
        "no statistic is wanted",
        "the scale of the input changes: large values are flattened",
    ),
    "QK-norm, 2 heads": Advice(
        r"$y=\gamma_c\frac{x}{\sqrt{\mathrm{mean}_g(x^2)+\epsilon}}$",
        {"QKNorm(G, C//G)": ["(N, L, C)"]},
        "logits must stay bounded",
        "usual rates: no difference was seen in lesson 14",
    ),
    "AdaLN": Advice(
        rf"$y=s_c{_standardized('nl')}+b_c$",
        {"AdaLayerNorm(C, K)": ["(N, L, C)"]},
        "a time, a class says what to do",
        "condition added before a norm of single channels: lost",
    ),
    "weight standardization": Advice(
        r"$W_o=\frac{V_o-\mu_o}{\sqrt{\sigma^2_o+\epsilon}}$",
        {"standardized(Conv1d(C, C, 1))": ["(N, C, L)"]},
        "micro-batches, beside GroupNorm",
        "alone in a deep residual network: the sum grows",
    ),
    "weight norm": Advice(
        r"$W_o=g_o\frac{V_o}{\Vert V_o\Vert}$",
        {"weight_norm(Conv1d(C, C, 1))": ["(N, C, L)"]},
        "no statistic of the data is wanted",
        "a row of zeros: 0/0, as there is no eps",
    ),
    "spectral norm": Advice(
        r"$W=\frac{V}{\sigma},\quad \sigma\approx u^\top V v$",
        {"spectral_norm(Conv1d(C, C, 1))": ["(N, C, L)"]},
        "a layer must not stretch distances",
        "the bound must be exact: σ is an estimate; a convolution can stretch by more",
    ),
}

NOTES = {
    "How to read it": [
        "Blocks: samples N, channels C, positions L (images: L = H·W). Coloured: the inputs that "
        "the front, right, upper output depends on in training; in the last three rows, the "
        "weights V that one weight W depends on. Observed on torch's layers, as are “over”, "
        "“learns”, “remembers”, “train and eval”.",
        "A norm N in a transformer’s step (14): pre x + f(Nx), post N(x + f(x)), out x + N f(x), "
        "sandwich x + N f(Nx), parallel x + f(Nx) + g(Nx).",
    ],
    "Signs": [
        "μ, σ²: mean and variance (divided by n) of the coloured values; BatchNorm puts the "
        "variance divided by n − 1 into running_var. γ: weight, β: bias, ε: eps. Indices: sample "
        "n, channel c, position l, group or head g, output o. LocalResponseNorm: j runs over s "
        "neighbouring channels; β is its exponent. Spectral norm: u, v are what it remembers. "
        "Told by K numbers (15): s is 1 + scale, b is shift."
    ],
    "Choose: stop at the first that applies (lesson 13)": [
        "1 A sample's size or contrast is part of the answer: none",
        "2 Contrast only disturbs: InstanceNorm",
        "3 Sequences, padding: LayerNorm, RMSNorm",
        "4 Under about 8 numbers a mean: Group-, Layer-, SyncBatchNorm",
        "5 Batches not drawn at random: GroupNorm, LayerNorm",
        "6 Images or tables in batches of 16 and more: BatchNorm",
    ],
}

# In inches, from the upper left corner of an A4 sheet.
WIDTH, HEIGHT = 11.69, 8.27
MARGIN, TOP, ROW, PAD = 0.28, 0.66, 0.46, 0.05
COLUMNS = {
    "norm": 1.21,
    "block": 0.78,
    "formula, over": 1.36,
    "layer: shapes of x": 1.64,
    "learns": 1.00,
    "remembers": 1.20,
    "train and eval": 1.12,
    "use it when": 1.52,
    "not when": 1.30,
}
SIZE, LINE = 6.4, 0.102  # the text's size in points, a line's height in inches


@dataclass(frozen=True)
class Row:
    """A norm in words: the title, the formula, and a text for each of the other columns."""

    title: str
    lesson: str
    formula: str
    over: str
    layers: list[str]
    learns: list[str]
    remembers: list[str]
    modes: str
    use: str
    avoid: str


def rows(norms: Sequence[facts.Norm] = facts.ALL_NORMS) -> list[Row]:
    """Say of every norm what was observed, and what stands above."""
    return [_row(norm, observed) for norm, observed in zip(norms, _observed(norms), strict=True)]


def _observed(norms: Sequence[facts.Norm]) -> list[list[str]]:
    return facts.FactTable(norms).rows[1:]


def _row(norm: facts.Norm, observed: list[str]) -> Row:
    title, over, _, learns, remembers, modes, used = observed
    advice = ADVICE[norm.name]
    return Row(
        title=title,
        lesson=f"lesson {norm.lesson}",
        formula=advice.formula,
        over=f"over {over}",
        layers=[f"{layer}: {', '.join(shapes)}" for layer, shapes in advice.layers.items()],
        learns=re.split(r"(?<=\)), ", learns),
        remembers=re.split(r"(?<=\)), ", remembers),
        modes=f"{modes}: {advice.modes}" if advice.modes else modes,
        use=f"{advice.use}: {used}",
        avoid=advice.avoid,
    )


def draw(norms: Sequence[facts.Norm] = facts.ALL_NORMS) -> Figure:
    """Draw the sheet.

    Raises
    ------
    ValueError
        If a text is too long for its place.
    """
    with styled():
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="none")
        FigureCanvasAgg(figure)  # measures texts
        page = figure.add_axes((0, 0, 1, 1))
        page.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))
        page.axis("off")
        _put_head(page)
        for number, (norm, row) in enumerate(zip(norms, rows(norms), strict=True)):
            _put_row(page, TOP + number * ROW, norm, row, shaded=number % 2 == 0)
        _put_notes(page, TOP + len(norms) * ROW + 0.08)
        return figure


def _put_head(page: Axes) -> None:
    page.text(MARGIN, 0.36, "All norms of the course on one page", size=14, weight="bold")
    page.text(
        WIDTH - MARGIN,
        0.36,
        f"normlab, torch {torch.__version__.partition('+')[0]}. "
        "One operation, on a choice of axes: subtract a mean, divide by a spread.",
        size=8,
        ha="right",
    )
    for name, x, _ in _columns():
        page.text(x + PAD, TOP - 0.09, name, size=7.6, weight="bold")
    page.plot([MARGIN, WIDTH - MARGIN], [TOP, TOP], color=INK, linewidth=1, marker="")


def _columns() -> list[tuple[str, float, float]]:
    """Return name, left edge and width of each column."""
    edges = MARGIN + np.cumsum([0, *COLUMNS.values()])
    return [
        (name, float(x), width) for (name, width), x in zip(COLUMNS.items(), edges, strict=False)
    ]


def _put_row(page: Axes, y: float, norm: facts.Norm, row: Row, shaded: bool) -> None:
    if shaded:
        band = Rectangle((MARGIN, y), WIDTH - 2 * MARGIN, ROW, facecolor="#F1F1F1", linewidth=0)
        page.add_patch(band)
    places = {name: (x + PAD, y + PAD, width - 2 * PAD) for name, x, width in _columns()}
    _put(page, *places["norm"], [(row.title, "bold"), (row.lesson, "normal")], ROW)
    _put_picture(page, places["block"], norm)
    _put_formula(page, places["formula, over"], row)
    _put(page, *places["layer: shapes of x"], [(line, "normal") for line in row.layers], ROW)
    for name, names in (("learns", row.learns), ("remembers", row.remembers)):
        _put(page, *places[name], [(line, "normal") for line in names], ROW)
    texts = (row.modes, row.use, row.avoid)
    for name, text in zip(list(COLUMNS)[-3:], texts, strict=True):
        _put(page, *places[name], [(text, "normal")], ROW)


def _put_formula(page: Axes, place: tuple[float, float, float], row: Row) -> None:
    x, y, width = place
    formula = page.text(x, y + 0.13, row.formula, size=8.4, va="center")
    if _width(formula) > width:
        raise ValueError(f"The formula is wider than its column: {row.formula}")
    page.text(x, y + ROW - 1.3 * PAD, row.over, size=SIZE, va="bottom")


def _put_notes(page: Axes, y: float) -> None:
    width = (WIDTH - 2 * MARGIN) / len(NOTES)
    for number, (title, texts) in enumerate(NOTES.items()):
        x = MARGIN + number * width + PAD
        lines = [(title, "bold"), *((text, "normal") for text in texts)]
        _put(page, x, y, width - 0.2, lines, HEIGHT - 0.2 - y + PAD)


def _put(
    page: Axes, x: float, y: float, width: float, parts: list[tuple[str, str]], height: float
) -> None:
    """Write paragraphs below each other, each with its weight, broken to the width."""
    bottom = y + height - PAD
    for text, weight in parts:
        for line in _broken(page, text, width, weight):
            page.text(x, y, line, size=SIZE, weight=weight, va="top")
            y += LINE
    if y > bottom:
        raise ValueError(f"Too long for its place on the cheat sheet, shorten it: {parts[-1][0]}")


def _broken(page: Axes, text: str, width: float, weight: str) -> list[str]:
    """Break a text into lines of a width in inches; a shape such as (N, C) stays in one piece."""
    words = re.sub(r"(?<=[A-Z0-9]), (?=[A-Z0-9]\b)", ",\N{NO-BREAK SPACE}", text).split(" ")
    probe = page.text(0, 0, "", size=SIZE, weight=weight)
    lines = [""]
    for word in words:
        probe.set_text(f"{lines[-1]} {word}".strip())
        if _width(probe) <= width:
            lines[-1] = probe.get_text()
        else:
            lines.append(word)
            probe.set_text(word)
            if _width(probe) > width:
                raise ValueError(f"A word is wider than its column: {word}")
    probe.remove()
    return lines


def _width(text: Text) -> float:
    extent = text.get_window_extent()
    return extent.width / text.figure.dpi


def _put_picture(page: Axes, place: tuple[float, float, float], norm: facts.Norm) -> None:
    x, y, width = place
    height = ROW - 0.04
    box = (x / WIDTH, 1 - (y - PAD + 0.02 + height) / HEIGHT, width / WIDTH, height / HEIGHT)
    axes = page.figure.add_axes(box)
    if norm.of_weights:
        _draw_matrix(axes, shared_weights(norm))
    else:
        draw_block(axes, facts.observe(norm).cells, ("N", "C", "L"))
        axes.set_ylim(axes.get_ylim()[0] - 1.1, axes.get_ylim()[1])  # room for the C
    for patch in axes.patches:
        patch.set(linewidth=0.35)
    for text in axes.texts:
        text.set_fontsize(5)


def shared_weights(norm: facts.Norm, outputs: int = 6) -> np.ndarray:
    """Return which weights V one weight W of a normalized layer depends on, ``(out, in)``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer = norm.build(outputs, 1).double()
    *_, last = layer.parametrizations.weight.parameters()  # (out, in, 1)
    (grad,) = torch.autograd.grad(layer.weight[0, -1, 0], last)
    return (grad[..., 0] != 0).numpy()


def _draw_matrix(axes: Axes, coloured: np.ndarray) -> None:
    for (row, column), inside in np.ndenumerate(coloured):
        colours = (SKY, BLUE) if inside else ("white", INK)
        cell = Rectangle((column, row), 1, 1, facecolor=colours[0], edgecolor=colours[1])
        axes.add_patch(cell)
    outputs, inputs = coloured.shape
    axes.text(inputs / 2, outputs + 0.15, "in", ha="center", va="top")
    axes.text(-0.25, outputs / 2, "out", ha="right", va="center", rotation=90)
    axes.set(aspect="equal", xlim=(-2.2, inputs + 2.2), ylim=(outputs + 1.7, -0.2))
    axes.axis("off")


def words(norms: Sequence[facts.Norm] = facts.ALL_NORMS) -> str:
    """Write the sheet as a page of Markdown, for who cannot see it or reads on a telephone."""
    parts = [
        "# Cheat sheet",
        f"![{ALT}](cheat_sheet.png)",
        "To print on A4, also in grey: [the sheet as PDF](cheat_sheet.pdf). Below, it is in words.",
    ]
    for row in rows(norms):
        items = {
            "statistics": row.over,
            "layer: shapes of x": "; ".join(f"`{line}`" for line in row.layers),
            "learns": ", ".join(row.learns),
            "remembers": ", ".join(row.remembers),
            "train and eval": row.modes,
            "use it when": row.use,
            "not when": row.avoid,
        }
        listed = "\n".join(f"- *{name}:* {text}" for name, text in items.items())
        parts += [f"## {row.title}", f"{row.formula} ({row.lesson})", listed]
    for title, texts in NOTES.items():
        parts += [f"## {title}", "\n".join(f"- {text}" for text in texts)]
    return "\n\n".join(parts) + "\n"


def save(folder: Path) -> None:
    """Write ``cheat_sheet.pdf``, ``.png`` and ``.md``; the same bytes on every day."""
    figure = draw()
    title = {"Title": "All norms of the course on one page"}
    with mpl.rc_context({"pdf.fonttype": 42}):
        figure.savefig(folder / "cheat_sheet.pdf", metadata={**title, "CreationDate": None})
    about = {**title, "Description": ALT, "Software": None}
    figure.savefig(folder / "cheat_sheet.png", dpi=200, metadata=about)
    (folder / "cheat_sheet.md").write_text(words(), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=HERE)
    save(parser.parse_args().folder)
