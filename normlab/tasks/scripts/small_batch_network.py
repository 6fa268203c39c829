"""Ask a small network for batches of two samples and of one, and bring back its answers."""

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from normlab.tasks.scripts.together import as_network, plain, undisturbed


@undisturbed
def use(answer: Callable, x: np.ndarray, hidden: int, classes: int, seed: int) -> tuple:
    """Make the network and ask it for the batch x (2, D), in training mode unless it is said.

    The first sample is also asked beside another neighbour, and alone; the batch also where the
    first layer's output is 100 times as large, 200 times smaller, and with other parameters.
    """
    torch.manual_seed(seed)
    network = as_network(answer(x.shape[1], hidden, classes))
    network.train()
    one, two = torch.from_numpy(x)
    beyond = 2 * one - two  # on the other side of the first
    return (
        plain(_ask(network, one, two)),
        plain(_ask(network, one, beyond)[0]),
        plain(_ask(network.eval(), one, two)),
        _asked_alone(network.train(), one),
        plain(_ask(_enlarged(network, 100), one, two)),
        plain(_ask(_enlarged(network, 1 / 200), one, two)),
        plain(_ask(_with_other_parameters(network, seed), one, two)),
        _own_parameters(network),
    )


def _ask(network: nn.Module, *rows: Tensor) -> Tensor:
    """Return the answer to a batch, without leaving a trace in the network."""
    with torch.no_grad():
        return copy.deepcopy(network)(torch.stack(rows))


def _asked_alone(network: nn.Module, row: Tensor) -> np.ndarray:
    try:
        return plain(_ask(network, row))
    except ValueError:
        return np.empty(0)


def _enlarged(network: nn.Module, times: float) -> nn.Module:
    enlarged = copy.deepcopy(network)
    first = next((m for m in enlarged.modules() if isinstance(m, nn.Linear)), None)
    with torch.no_grad():
        for parameter in first.parameters() if first else ():
            parameter.mul_(times)
    return enlarged


def _with_other_parameters(network: nn.Module, seed: int) -> nn.Module:
    other, rng = copy.deepcopy(network), np.random.default_rng(seed)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.copy_(torch.as_tensor(rng.normal(size=parameter.shape)))
    return other


def _own_parameters(network: nn.Module) -> int:
    """Count the parameters that belong to no linear layer."""
    linear = [p for m in network.modules() if isinstance(m, nn.Linear) for p in m.parameters()]
    return sum(p.numel() for p in network.parameters()) - sum(p.numel() for p in linear)
