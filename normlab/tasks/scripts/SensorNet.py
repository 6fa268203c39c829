"""Make a network, show it batches in training mode, and test it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from normlab.tasks.scripts.together import plain, undisturbed


@undisturbed
def use(
    make: Callable, x: np.ndarray, test: np.ndarray, weight: np.ndarray, bias: np.ndarray
) -> tuple:
    """Show it the batches x (K, N, F), test it on (M, F); its linear layer has weight and bias."""
    network = make(x.shape[2], len(bias))
    with torch.no_grad():
        network.linear.weight.copy_(torch.from_numpy(weight))
        network.linear.bias.copy_(torch.from_numpy(bias))
    network.train()
    for batch in torch.from_numpy(x):
        trained = network(batch)
    network.eval()
    rows = torch.from_numpy(test)
    tested = network(rows)
    try:
        alone = plain(network(rows[:1]))
    except ValueError:  # one row has no variance
        alone = np.empty(0)
    weight = plain(network.linear.weight)
    return plain(trained), plain(tested), alone, weight, _after_loading(network, make, rows)


def _after_loading(network: Any, make: Callable, rows: torch.Tensor) -> np.ndarray:
    """Return what a new network answers that was given all that this one would save."""
    new = make(rows.shape[1], network.linear.out_features)
    try:
        new.load_state_dict(network.state_dict())
        return plain(new.eval()(rows))
    except (RuntimeError, ValueError):  # keys that do not fit
        return np.empty(0)
