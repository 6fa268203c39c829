"""Lesson 5: put BatchNorm into a network that somebody else has built."""

import numpy as np
import torch

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import rows_below_one, seed_of_numbers


def with_batch_norm(network):
    linear = [layer for layer in network if isinstance(layer, torch.nn.Linear)]
    layers = []
    for layer in network:
        layers.append(layer)
        if isinstance(layer, torch.nn.Linear) and layer is not linear[-1]:
            layers.append(torch.nn.BatchNorm1d(layer.out_features))
    return torch.nn.Sequential(*layers)


def in_place(network):
    """Put them into the network itself: what a mistake does."""
    linear = [place for place, layer in enumerate(network) if isinstance(layer, torch.nn.Linear)]
    for place in reversed(linear[:-1]):
        network.insert(place + 1, torch.nn.BatchNorm1d(network[place].out_features))
    return network


def cases(rng: np.random.Generator) -> Cases:
    """Draw networks: one whose sizes are all equal, one with other activations, one without any.

    A network is the sizes of its linear layers, and what stands behind each of them: 1 for a ReLU,
    2 for a tanh, 0 for nothing.
    """
    keys = ("trained", "tested", "norms")
    for sizes, behind in (
        ((4, 4, 4, 4), (1, 1, 0)),
        ((3, 5, 4, 2), (2, 1, 0)),
        ((6, 3, 3), (0, 1)),
    ):
        arguments = {
            "x": rows_below_one(rng, 3, 5, sizes[0]),
            "sizes": np.array(sizes),
            "behind": np.array(behind),
            "seed": seed_of_numbers(rng),
        }
        # Norms of a wrong size raise an error in the other two, and say nothing of these two there.
        whole = ("kept", "given") if len(set(sizes)) == 1 else ()
        yield Case(f"linear layers {'-'.join(map(str, sizes))}", (*keys, *whole), arguments)
