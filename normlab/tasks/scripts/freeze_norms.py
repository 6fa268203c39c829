"""Let a program freeze norms, train one step after each call, and look at what has moved."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn

from normlab.tasks.scripts.together import (
    filled,
    hidden_layer,
    plain,
    running_statistics,
    undisturbed,
)


def network_of(features: int, seed: int) -> nn.Sequential:
    """Make a network with a BatchNorm outside, one further inside, a LayerNorm and dropout."""
    inner = nn.Sequential(nn.LayerNorm(12), nn.Dropout(0.5), hidden_layer(12, 12))
    outer = nn.Sequential(nn.BatchNorm1d(features), hidden_layer(features, 12), inner)
    return filled(nn.Sequential(*outer, nn.Linear(12, 2)), seed)


def parts(network: nn.Module) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Return the running statistics, what the BatchNorms learn, and what all others learn."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm1d)]
    affine = [parameter for norm in norms for parameter in norm.parameters()]
    known = {id(parameter) for parameter in affine}
    others = [parameter for parameter in network.parameters() if id(parameter) not in known]
    return running_statistics(network), affine, others


@undisturbed
def use(answer: Callable, x: np.ndarray, how: np.ndarray, training: bool, seed: int) -> tuple:
    """Call the answer for each (statistics, affine) of how (K, 2); x is (K, N, D)."""
    network = network_of(x.shape[2], seed).train(training)
    moved: list[list[np.ndarray]] = [[], [], []]
    answers = []
    for rows, (statistics, affine) in zip(torch.from_numpy(x), how, strict=True):
        before = [_copies(part) for part in parts(network)]
        answer(network, bool(statistics), bool(affine))
        torch.manual_seed(seed)  # so that dropout takes the same numbers, if it takes any
        given = network(rows)
        answers.append(plain(given))
        if given.requires_grad:
            _one_step(network, given)
        for kept, old, now in zip(moved, before, parts(network), strict=True):
            kept.append(_which_moved(old, now))
    return (*(np.array(one) for one in moved), np.array(answers))


def _copies(tensors: Iterable[Tensor]) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in tensors]


def _one_step(network: nn.Module, given: Tensor) -> None:
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    optimizer.zero_grad()
    (given**2).mean().backward()
    optimizer.step()


def _which_moved(old: list[Tensor], now: list[Tensor]) -> np.ndarray:
    """Return 1 for each tensor that has moved, 0 for each that has not."""
    return np.array([float(not torch.equal(a, b.detach())) for a, b in zip(old, now, strict=True)])
