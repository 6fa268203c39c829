"""Give a program a network, and use the one that comes back in both modes."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from normlab.tasks.scripts.together import as_network, filled, joined, plain, undisturbed

ACTIVATIONS = (None, nn.ReLU, nn.Tanh)


def plain_network(sizes: np.ndarray, behind: np.ndarray, seed: int) -> nn.Sequential:
    """Make linear layers of these sizes, and behind each its activation, if it has one."""
    layers: list[nn.Module] = []
    for inputs, outputs, which in zip(sizes[:-1], sizes[1:], behind, strict=True):
        layers.append(nn.Linear(int(inputs), int(outputs)))
        activation = ACTIVATIONS[int(which)]
        if activation is not None:
            layers.append(activation())
    return filled(nn.Sequential(*layers), seed)


@undisturbed
def use(answer: Callable, x: np.ndarray, sizes: np.ndarray, behind: np.ndarray, seed: int) -> tuple:
    """Show the new network x (3, N, D): two batches in training mode, one in evaluation mode.

    Return its answers to the last two; the channels of its norms, and how many numbers each has to
    learn, (K, 2); the linear layers' numbers; and how many layers the given network has afterwards.
    """
    network = plain_network(sizes, behind, seed)
    new = as_network(answer(network))
    first, second, test = torch.from_numpy(x)
    norms = [module for module in new.modules() if isinstance(module, nn.BatchNorm1d)]
    with torch.no_grad():
        new.train()
        new(first)
        trained = plain(new(second))
        tested = plain(new.eval()(test))
    channels = [[norm.num_features, sum(p.numel() for p in norm.parameters())] for norm in norms]
    return (
        trained,
        tested,
        np.array(channels).reshape(-1, 2),
        joined(_linear_numbers(new)),
        len(network),
    )


def _linear_numbers(network: nn.Module) -> list[Tensor]:
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    return [torch.empty(0), *(p for layer in linear for p in layer.parameters())]
