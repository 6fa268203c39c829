"""Let a program train a small network and measure it, and look at the network afterwards."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from normlab.tasks.scripts.together import filled, hidden_layer, left_by, plain, undisturbed


def small_network(features: int) -> nn.Sequential:
    """Make the network, with any numbers."""
    return nn.Sequential(hidden_layer(features, 4), nn.Linear(4, 3))


@undisturbed
def use(
    answer: Callable,
    x: np.ndarray,
    y: np.ndarray,
    test_x: np.ndarray,
    test_y: np.ndarray,
    test_batch: int,
    epochs: int,
    given: str,
    seed: int,
) -> tuple:
    """Give `answer` the batches x (K, N, D), y (K, N), and test batches of (M, D) and (M,).

    `given` is the network's mode before: "train" or "eval".
    """
    network = filled(small_network(x.shape[2]), seed)
    network.train(given == "train")
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    batches = list(zip(torch.from_numpy(x), torch.from_numpy(y), strict=True))
    tests = zip(
        *(torch.from_numpy(part).split(test_batch) for part in (test_x, test_y)), strict=True
    )
    losses = answer(network, optimizer, batches, list(tests), epochs)
    return plain(losses), *left_by(network, torch.from_numpy(test_x))
