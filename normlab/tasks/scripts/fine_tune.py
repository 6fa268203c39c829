"""Let a program train a head on a body that is to stay as it is, and look at both afterwards."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from normlab.tasks.scripts.together import (
    counters,
    filled,
    hidden_layer,
    joined,
    plain,
    running_statistics,
    undisturbed,
)


@undisturbed
def use(
    answer: Callable,
    x: np.ndarray,
    y: np.ndarray,
    validation_x: np.ndarray,
    validation_y: np.ndarray,
    epochs: int,
    seed: int,
) -> tuple:
    """Give `answer` batches x (K, N, D), y (K, N, 1) and a validation set (M, D), (M, 1)."""
    # So many units that some of them are awake behind the ReLU, whatever the seed.
    body = filled(hidden_layer(x.shape[2], 12), seed)
    head = filled(nn.Sequential(hidden_layer(12, 12), nn.Linear(12, 1)), seed + 1)
    batches = list(zip(torch.from_numpy(x), torch.from_numpy(y), strict=True))
    validation = torch.from_numpy(validation_x), torch.from_numpy(validation_y)
    losses = answer(body, head, batches, validation, epochs, 0.01)
    return (
        joined(body.buffers()),
        joined(body.parameters()),
        joined(counters(head)),
        joined([*head.parameters(), *running_statistics(head)]),
        plain(losses),
    )
