"""The page to play with: every explorable of the course, with numbers that were recorded."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from normlab.plots import explore
from normlab.plots.explorable import Explorable
from normlab.training import recorded

_FORGOTTEN = Path(__file__).with_name("forgotten_eval.csv")
_NAMES = {"without": "none", "BatchNorm": "batch"}


@dataclass(frozen=True)
class Toy:
    """A section of the page."""

    title: str
    text: str
    shown: Explorable


def toys() -> list[Toy]:
    """Return what the page shows, in the order of the lessons."""
    return [
        Toy(
            "Who shares my mean?",
            "120 numbers: 4 samples of 6 channels with 5 positions, and in each place what the norm makes of it. Touch one, choose a norm, push the number. "
            "Whose answers change? [Lesson 00](notebooks/00_start_here.ipynb) begins here.",
            explore.who_shares_my_mean(),
        ),
        Toy(
            "Down the valley",
            "The loss of two weights. Scale one of the inputs, or move their mean, and watch how long gradient descent takes "
            "([lesson 01](notebooks/01_normalize_data.ipynb)).",
            explore.valley(),
        ),
        Toy(
            "Move one number",
            "A small batch. Which statistics and which outputs change with one of its numbers, over samples and over features "
            "([lesson 02](notebooks/02_batch_norm_forward.ipynb))?",
            explore.one_number(),
        ),
        Toy(
            "What BatchNorm remembers",
            "Batch after batch the running statistics follow. Choose a momentum, and a moment for `eval()` "
            "([lesson 03](notebooks/03_batch_norm_train_and_eval.ipynb)).",
            explore.buffers(),
        ),
        Toy(
            "You forgot eval()",
            "The article's network with BatchNorm, trained for one pass over 9,600 digits, the mean of five seeds, asked for 2,000 test digits in training mode. "
            "The answers depend on how many are asked together ([lesson 13](notebooks/13_choose_and_debug.ipynb)).",
            forgotten_eval(),
        ),
        Toy(
            "Back, box by box",
            "The gradient's way through BatchNorm, one arrow at a time ([lesson 04](notebooks/04_batch_norm_backward.ipynb)).",
            explore.backward(),
        ),
        Toy(
            "Inside the layers",
            "The article's network over an epoch at learning rate 0.01, the mean of five seeds, recorded "
            "([lesson 05](notebooks/05_mnist_with_batch_norm.ipynb)).",
            layers(),
        ),
        Toy(
            "The block",
            "Tick the axes to average over: each norm is a shape in this block ([lesson 09](notebooks/09_rms_norm_and_relatives.ipynb) has them all).",
            explore.block(),
        ),
        Toy(
            "The stream behind each block",
            "Transformers of twelve blocks with their norms in three places, before and after 300 steps, the mean of five seeds, recorded "
            "([lesson 14](notebooks/14_norms_in_a_modern_transformer.ipynb)).",
            stream(),
        ),
    ]


def forgotten_eval() -> Explorable:
    """Return the accuracies that forgotten_eval.py measured, the mean of its seeds."""
    lines = _FORGOTTEN.read_text(encoding="utf-8").splitlines()[1:]  # the first says who made it
    rows = [(row["mode"], int(row["size"]), float(row["right"])) for row in csv.DictReader(lines)]
    sizes = sorted({size for mode, size, _ in rows if mode == "train"})
    means = [np.mean([right for _, size, right in rows if size == one]) for one in sizes]
    return explore.forgotten_eval(
        sizes, means, float(np.mean([right for mode, _, right in rows if mode == "eval"]))
    )


def layers() -> Explorable:
    """Return what goes into each ReLU, and the gradients, over an epoch."""
    record, chosen = recorded("layers_over_training"), {"lr": 0.01, "steps": 938}
    steps = record.values("step", norm="none", layer=1, seed=0, **chosen)  # (points,)

    def over_training(column: str, norm: str, layer: int) -> np.ndarray:
        values = record.values(column, norm=norm, layer=layer, **chosen)  # (seeds * points,)
        return values.reshape(-1, len(steps))  # (seeds, points)

    def band(norm: str, layer: int) -> np.ndarray:
        middle = over_training("mean", norm, layer).mean(axis=0)
        spread = over_training("spread", norm, layer).mean(axis=0)
        return np.stack([middle - spread, middle, middle + spread], axis=1)  # (points, 3)

    def size(norm: str, layer: int) -> np.ndarray:
        of_seeds = over_training("gradient", norm, layer)
        ends = of_seeds.min(axis=0), of_seeds.mean(axis=0), of_seeds.max(axis=0)
        return np.stack(ends, axis=1)  # (points, 3)

    return explore.layers(
        steps,
        {
            "what goes into the ReLU": {
                name: {f"layer {layer}": band(norm, layer) for layer in (1, 2)}
                for name, norm in _NAMES.items()
            },
            "norm of the weight's gradient": {
                name: {f"layer {layer}": size(norm, layer) for layer in (1, 2, 3)}
                for name, norm in _NAMES.items()
            },
        },
        alt="The means of what goes into the ReLU of two layers over 938 training steps. With "
        "BatchNorm they stay near 0; without it they begin near 0 and move away.",
    )


def stream() -> Explorable:
    """Return the size of the residual stream behind each block, before and after training."""
    record = recorded("residual_stream")

    def behind_blocks(column: str, place: str) -> list[float]:
        values = record.values(column, place=place).reshape(-1, 13)  # (seeds, blocks + 1)
        return list(values.mean(axis=0))

    times = {"at the start": "start", "after 300 steps": "trained"}
    return explore.by_block(
        {
            place: {time: behind_blocks(column, place) for time, column in times.items()}
            for place in ("pre", "sandwich", "post")
        },
        label="root mean square of the stream",
        alt="The size of the stream behind blocks 0 to 12 of trained models. With norms before the "
        "blocks, or around them, it grows from block to block; behind them it stays at 1.",
    )


def play_page(fragments: Path) -> str:
    """Return the page, and write what its sections show into a folder beside it."""
    fragments.mkdir(parents=True, exist_ok=True)
    parts = [
        "# Play",
        "Nothing to install: these compute in your browser. Tab and the arrow keys move everything, "
        "too. In Jupyter they are one line each: `plots.explore.valley()`.",
    ]
    for toy in toys():
        file = fragments / f"{toy.shown.name}.html"
        file.write_text(f'<div class="toy">{toy.shown._repr_html_()}</div>\n', encoding="utf-8")
        parts.append(f"## {toy.title}\n\n{toy.text}\n\n{included(file)}")
    return "\n\n".join(parts) + "\n"


def included(file: Path) -> str:
    """Return what puts a file of HTML into a page beside its folder."""
    return f"```{{raw}} html\n:file: {file.parent.name}/{file.name}\n```"
