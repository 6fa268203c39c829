"""Let a program ask a network for its scores, and look whether the network is as it was."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from normlab.tasks.scripts.together import filled, hidden_layer, left_by, plain, undisturbed


class SteadyDropout(nn.Dropout):
    """Drop every second value in training, so that every call drops the same."""

    def forward(self, x: Tensor) -> Tensor:
        """Return what is left of x (N, C), doubled."""
        return 2 * x * (torch.arange(x.shape[1]) % 2) if self.training else x


def two_layers(features: int) -> nn.Sequential:
    """Make the network, with any numbers."""
    first, second = hidden_layer(features, 4), hidden_layer(4, 4)
    return nn.Sequential(first, SteadyDropout(), second, nn.Linear(4, 3))


@undisturbed
def use(answer: Callable, x: np.ndarray, batch_size: int, given: str, seed: int) -> tuple:
    """Ask for the rows x (N, D); `given` is the mode before: "train", "eval", "part", "inner"."""
    network = filled(two_layers(x.shape[1]), seed)
    network.train(given != "eval")
    network.get_submodule("0").train(given in ("train", "inner"))
    network.get_submodule("0.1").train(given == "train")  # its BatchNorm
    rows = torch.from_numpy(x)
    scores = answer(network, rows, batch_size)
    free = float(not getattr(scores, "requires_grad", False))
    return plain(scores), free, *left_by(network, rows)
