"""Let a program train a network on a table and keep its best epoch, and look at what it kept."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from normlab.tasks.scripts.together import filled, hidden_layer, left_by, plain, undisturbed


def network_of(features: int, seed: int) -> nn.Sequential:
    """Make a network with one hidden layer and BatchNorm."""
    # So many units that some of them are awake behind the ReLU, whatever the seed.
    return filled(nn.Sequential(hidden_layer(features, 8), nn.Linear(8, 1)), seed)


@undisturbed
def use(
    answer: Callable,
    x: np.ndarray,
    y: np.ndarray,
    size: int,
    batch_size: int,
    epochs: int,
    lr: float,
    seed: int,
) -> tuple:
    """Give `answer` a table x (M, F) with targets y (M, 1); it trains on the first `size` rows."""
    network = network_of(x.shape[1], seed)
    rows, targets = torch.from_numpy(x).clone(), torch.from_numpy(y).clone()
    losses = answer(network, rows, targets, size, batch_size, epochs, lr)
    return plain(losses), *left_by(network, torch.from_numpy(x))
