"""The page to play with: every explorable of the course, with numbers that were recorded."""

import csv
import tomllib
from pathlib import Path

import numpy as np

from normlab.plots import explore
from normlab.plots.explorable import Explorable
from normlab.training import recorded

_FORGOTTEN = Path(__file__).with_name("forgotten_eval.csv")
_FIRST = """\
Nothing to install: these compute in your browser. With the Tab and arrow keys everything moves,
too. In Jupyter each is a line of code: `plots.explore.valley()`."""
_NAMES = {"without": "none", "BatchNorm": "batch"}


def explorable(name: str) -> Explorable:
    """Return one of the explorables; with recorded numbers where it shows some."""
    of_records = {"forgotten_eval": forgotten_eval, "layers": layers, "by_block": stream}
    return of_records.get(name, getattr(explore, name))()


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
    words = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    parts = ["# Play\n\n" + _FIRST]
    for name, section in words.items():
        file = fragments / f"{name}.html"
        shown = explorable(name)._repr_html_()
        file.write_text(f'<div class="toy">{shown}</div>\n', encoding="utf-8")
        parts.append(f"## {section['title']}\n{section['text']}\n\n{included(file)}")
    return "\n\n".join(parts) + "\n"


def included(file: Path) -> str:
    """Return what puts a file of HTML into a page beside its folder."""
    return f"```{{raw}} html\n:file: {file.parent.name}/{file.name}\n```"
