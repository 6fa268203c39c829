"""Let a program average networks, and look at the average and at what it was made of."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from normlab.tasks.scripts.together import (
    as_network,
    filled,
    hidden_layer,
    joined,
    left_by,
    undisturbed,
)


def network_of(features: int, seed: int) -> nn.Sequential:
    """Make a network with two BatchNorm layers."""
    layers = hidden_layer(features, 4), hidden_layer(4, 3), nn.Linear(3, 2)
    return filled(nn.Sequential(*layers), seed)


@undisturbed
def use(answer: Callable, x: np.ndarray, seeds: np.ndarray) -> tuple:
    """Average the networks of the seeds (M,); the batches are x (K, N, D)."""
    networks = [network_of(x.shape[2], int(seed)).train() for seed in seeds]
    average = as_network(answer(networks, list(torch.from_numpy(x))))
    left = left_by(average, torch.from_numpy(x[0]))
    average.train()
    with torch.no_grad():
        for number in average.parameters():
            number.add_(1)  # whoever shares memory with the average moves with it
        average(torch.from_numpy(x[0]) + 1)
    given = joined(value for one in networks for value in one.state_dict().values())
    momentum = [one.momentum for one in average.modules() if isinstance(one, nn.BatchNorm1d)]
    return *left, given, np.array([-1.0 if m is None else m for m in momentum])
