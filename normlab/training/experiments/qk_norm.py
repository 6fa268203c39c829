"""Lesson 14: what becomes of attention at large rates, with and without QK-norm."""

import torch
from torch import Tensor

from normlab.training.experiment import Experiment, Row, grid
from normlab.training.experiments.norm_places import final_losses
from normlab.training.transformer import Attention, TinyTransformer, loss_of, train

DEPTH, STEPS, WARM_UP, WATCH_EVERY = 4, 200, 20, 20


def measure(qk: str, lr: float, seed: int) -> list[Row]:
    """Train four blocks of pre-norm for 200 steps; every 20 look at their attention."""
    model = TinyTransformer("pre", DEPTH, seed, qk=qk)
    rows = watched_training(model, lr, STEPS, seed)
    final = final_losses(model)
    return [{**row, **final} for row in rows]


def watched_training(model: TinyTransformer, lr: float, steps: int, seed: int) -> list[Row]:
    """Train a model; return what was seen of its attention every 20 steps, and at the end."""
    rows: list[Row] = []
    for step, x, y in train(model, lr, steps, seed, WARM_UP):
        if step % WATCH_EVERY == 0 and step > 0:
            rows.append({"step": step, **look(model, x, y)})
    return [*rows, {"step": steps, **look(model, x, y)}]


def look(model: TinyTransformer, x: Tensor, y: Tensor) -> dict[str, float]:
    """Return the loss on one batch, the blocks' largest logit and their mean evenness."""
    attentions = [part for part in model.modules() if isinstance(part, Attention)]
    seen: list[dict[str, float]] = []
    for attention in attentions:
        attention.watched = {}
        seen.append(attention.watched)
    with torch.no_grad():
        loss = loss_of(model, x, y).item()
    for attention in attentions:
        attention.watched = None
    return {
        "train_loss": loss,
        "logit": max(one["logit"] for one in seen),
        "evenness": sum(one["evenness"] for one in seen) / len(seen),
    }


EXPERIMENT = Experiment(
    question="What does QK-norm change, at which learning rates?",
    measure=measure,
    settings=grid(
        measure, lr=(0.01, 0.03, 0.1), qk=("none", "each head", "all heads"), seed=range(5)
    ),
    # First weights that are 1e-6 larger move this run's losses by 1e-6.
    repeatable={"qk": "each head", "lr": 0.01, "seed": 0},
    tolerances={
        "train_loss": 1e-3,
        "held_out_loss": 1e-3,
        "test_loss": 1e-3,
        "logit": 1e-2,
        "evenness": 1e-3,
    },
)
