"""Lesson 14: how the residual stream grows from block to block, and what each block is worth."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from normlab.training.experiment import Experiment, Row, grid
from normlab.training.transformer import TinyTransformer, help_texts, loss_of, trained, windows

RATES = {"pre": 0.003, "sandwich": 0.003, "post": 0.0003}  # post-norm learns nothing at .003
DEPTH, STEPS, WARM_UP = 12, 300, 40


def measure(place: str, seed: int) -> Iterator[Row]:
    """Train twelve blocks for 300 steps; look at the stream before and after."""
    model = TinyTransformer(place, DEPTH, seed)
    x, y = windows(help_texts().test, 64, torch.Generator().manual_seed(3))
    start = sizes(model, x)
    trained(model, RATES[place], STEPS, seed, WARM_UP)
    end, loss = sizes(model, x), loss_of(model, x, y).item()
    for block in range(DEPTH + 1):
        yield {
            "block": block,
            "start": start[block],
            "trained": end[block],
            "loss": loss,
            "worth": without(model, block - 1, x, y) - loss if block else 0.0,
        }


def sizes(model: TinyTransformer, x: Tensor) -> list[float]:
    """Return the stream's root mean square before the first block and after each."""
    return [stream.square().mean().sqrt().item() for stream in model.stream(x)]


@torch.no_grad()
def without(model: TinyTransformer, block: int, x: Tensor, y: Tensor) -> float:
    """Return the loss of the model without one block."""
    taken, model.blocks[block] = model.blocks[block], nn.Identity()
    loss = loss_of(model, x, y).item()
    model.blocks[block] = taken
    return loss


EXPERIMENT = Experiment(
    question="How does the residual stream grow, and which blocks does a model need?",
    measure=measure,
    settings=grid(measure, place=RATES, seed=range(5)),
    # First weights that are 1e-6 larger move this run's numbers by 3e-6.
    repeatable={"place": "post", "seed": 0},
    tolerances={"start": 1e-3, "trained": 1e-3, "loss": 1e-3, "worth": 1e-3},
)
