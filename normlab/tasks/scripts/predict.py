"""Let a program ask a network for its scores, and look whether the network is as it was."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from normlab.tasks.scripts.together import (
    asked,
    filled,
    hidden_layer,
    joined,
    modes_of,
    plain,
    undisturbed,
)


def two_layers(features: int) -> nn.Sequential:
    """Make the network, with any numbers."""
    return nn.Sequential(hidden_layer(features, 4), hidden_layer(4, 4), nn.Linear(4, 3))


@undisturbed
def use(answer: Callable, x: np.ndarray, batch_size: int, given: str, seed: int) -> tuple:
    """Ask for the rows x (N, D); `given` is the mode before: "train", "eval", or "part"."""
    network = filled(two_layers(x.shape[1]), seed)
    network.train(given != "eval")
    network[0].train(given == "train")
    rows = torch.from_numpy(x)
    scores = answer(network, rows, batch_size)
    free = float(not getattr(scores, "requires_grad", False))
    return (
        plain(scores),
        joined(network.buffers()),
        modes_of(network),
        free,
        joined(network.parameters()),
        asked(network, rows),
    )
