"""Let a program freeze norms, and train one step after each call."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from normlab.tasks.scripts.together import (
    filled,
    hidden_layer,
    joined,
    plain,
    running_statistics,
    undisturbed,
)


def network_of(features: int, seed: int) -> nn.Sequential:
    """Make a network with a BatchNorm outside, some further inside, a LayerNorm and dropout."""
    maps = nn.Sequential(nn.Unflatten(1, (3, 2, 2)), nn.BatchNorm2d(3), nn.Flatten())
    inner = nn.Sequential(nn.LayerNorm(12), nn.Dropout(0.5), hidden_layer(12, 12), maps)
    outer = nn.Sequential(nn.BatchNorm1d(features), hidden_layer(features, 12), inner)
    return filled(nn.Sequential(*outer, nn.Linear(12, 2)), seed)


def parts(network: nn.Module) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Return the running statistics, what the BatchNorms learn, and what all others learn."""
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d)
    norms = [module for module in network.modules() if isinstance(module, kinds)]
    affine: list[Tensor] = [parameter for norm in norms for parameter in norm.parameters()]
    known = {id(parameter) for parameter in affine}
    others = (parameter for parameter in network.parameters() if id(parameter) not in known)
    return running_statistics(network), affine, list(others)


@undisturbed
def use(answer: Callable, x: np.ndarray, how: np.ndarray, training: bool, seed: int) -> tuple:
    """Call the answer for each (statistics, affine) of how (K, 2); x is (K, N, D).

    Return what `parts` names as it was and after each step, (K + 1, ...) each, and the answers
    (K, N, 2) before each step.
    """
    network = network_of(x.shape[2], seed).train(training)
    numbers = [[joined(part)] for part in parts(network)]
    answers = []
    for rows, (statistics, affine) in zip(torch.from_numpy(x), how, strict=True):
        answer(network, bool(statistics), bool(affine))
        torch.manual_seed(seed)  # so that dropout takes the same numbers, if it takes any
        given = network(rows)
        answers.append(plain(given))
        if given.requires_grad:
            _one_step(network, given)
        for kept, now in zip(numbers, parts(network), strict=True):
            kept.append(joined(now))
    return (*(np.array(one) for one in numbers), np.array(answers))


def _one_step(network: nn.Module, given: Tensor) -> None:
    # The decay moves whatever learns, also where a gradient is 0: behind a ReLU, or before a norm.
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, weight_decay=0.1)
    optimizer.zero_grad()
    (given**2).mean().backward()
    optimizer.step()
