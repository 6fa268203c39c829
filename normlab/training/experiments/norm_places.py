"""Lesson 14: norms in five places, other layers in their place, and none, by depth and rate."""

import math
from typing import Any

from torch import nn

from normlab.training.experiment import Experiment, Row
from normlab.training.transformer import PLACES, TinyTransformer, help_texts, loss_on, trained

# What each network is built with.
NETWORKS: dict[str, dict[str, Any]] = {
    **{place: {"place": place} for place in (*PLACES, "none")},
    "Dynamic Tanh": {"place": "pre", "norm": "dynamic tanh"},
    "ReZero": {"place": "rezero"},
    "LayerScale": {"place": "layerscale"},
    "standardized": {"place": "none", "standardized": True},
}
DEPTHS = {2: ("pre", "post", "none"), 6: tuple(NETWORKS)}
LEARNING_RATES = (0.003, 0.01, 0.03)
# Where the best rate would lie on the edge of these; and two rates where nothing trains.
OTHER_RATES = {
    "post": (0.0003, 0.001, 0.003, 0.01, 0.03),
    "sandwich": (0.01, 0.03, 0.1),
    "out": (0.01, 0.03, 0.1),
    "standardized": (0.003, 0.01),
}
STEPS = 120
WORST = 20.0  # nats; what is above, or no number, counts as this


def measure(network: str, depth: int, lr: float, seed: int) -> list[Row]:
    """Train 120 steps without warm-up; the rate is to be chosen by the held-out loss."""
    model = TinyTransformer(depth=depth, seed=seed, **NETWORKS[network])
    return [final_losses(trained(model, lr, STEPS, seed))]


def final_losses(model: nn.Module) -> Row:
    """Return the losses on the two other texts; `WORST` where one is worse, or no number."""
    texts = help_texts()
    losses = {"held_out_loss": texts.held_out, "test_loss": texts.test}
    found = {name: loss_on(model, text) for name, text in losses.items()}
    return {name: min(x, WORST) if math.isfinite(x) else WORST for name, x in found.items()}


EXPERIMENT = Experiment(
    question="Where may a norm stand in a transformer, and what if there is none?",
    measure=measure,
    settings=[
        {"network": network, "depth": depth, "lr": lr, "seed": seed}
        for depth, networks in DEPTHS.items()
        for network in networks
        for lr in OTHER_RATES.get(network, LEARNING_RATES)
        for seed in range(5)
    ],
    # First weights that are 1e-6 larger move this run's losses by 1e-6.
    repeatable={"network": "pre", "depth": 6, "lr": 0.003, "seed": 0},
    tolerances={"held_out_loss": 1e-3, "test_loss": 1e-3},
)
