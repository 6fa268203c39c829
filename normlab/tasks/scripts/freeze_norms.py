"""Let a program freeze the norms of a network, train it for a few steps, and see what has moved."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from normlab.tasks.scripts.together import filled, joined, running_statistics, undisturbed


@undisturbed
def use(
    answer: Callable,
    x: np.ndarray,
    first: np.ndarray,
    statistics: bool,
    parameters: bool,
    seed: int,
) -> tuple:
    """Train on the batches x (K, N, 16) after two calls: with `first`, and with the asked."""
    network = filled(_network(), seed)
    for flags in (first, (statistics, parameters)):
        answer(network, *(bool(flag) for flag in flags))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    for batch in torch.from_numpy(x):
        optimizer.zero_grad()
        loss = network(batch).square().mean()
        if loss.requires_grad:
            loss.backward()
        optimizer.step()
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    learned = {id(p) for norm in norms for p in norm.parameters()}
    return (
        joined(value for norm in norms for value in running_statistics(norm)),
        joined(p for norm in norms for p in norm.parameters()),
        joined(p for p in network.parameters() if id(p) not in learned),
        float(network.training and network[3].training),
    )


def _network() -> nn.Sequential:
    """Return a network with norms of two kinds and at two depths."""
    inner = nn.Sequential(nn.Linear(12, 5), nn.BatchNorm1d(5), nn.Tanh())
    return nn.Sequential(
        nn.Unflatten(1, (1, 4, 4)),
        nn.Conv2d(1, 3, 3),
        nn.BatchNorm2d(3),
        nn.Flatten(),
        inner,
        nn.LayerNorm(5),
        nn.Linear(5, 2),
    )
