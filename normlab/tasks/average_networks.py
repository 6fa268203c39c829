"""Lesson 13: average the weights of networks, and measure what belongs to the average."""

import copy

import numpy as np
import torch

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import rows_below_one, seed_of_numbers
from normlab.tasks.scripts.average_networks import network_of
from normlab.tasks.scripts.together import (
    borne_out,
    joined,
    refilled,
    running_statistics,
    shapes_left,
    undisturbed,
)


def average_networks(networks, batches):
    average = copy.deepcopy(networks[0])
    norms = [module for module in average.modules() if isinstance(module, torch.nn.BatchNorm1d)]
    momentum = [norm.momentum for norm in norms]
    learned = zip(*(one.parameters() for one in networks), strict=True)
    with torch.no_grad():
        for ours, theirs in zip(average.parameters(), learned, strict=True):
            ours.copy_(sum(theirs) / len(theirs))
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean of all batches
        average.train()
        for x in batches:
            average(x)
    for norm, usual in zip(norms, momentum, strict=True):
        norm.momentum = usual
    average.eval()
    return average


def cases(rng: np.random.Generator) -> Cases:
    """Draw one network several times over, two networks, and three."""
    seed = seed_of_numbers(rng)
    for name, seeds, keys in (
        ("the same network twice", [seed, seed], ("statistics", "mode", "momentum", "apart")),
        ("two networks", [seed, seed + 1], ("weights",)),
        ("three networks", [seed + 2, seed, seed + 3], ("weights", "together", "apart")),
    ):
        x = 20 * rows_below_one(rng, 3, 5, 3) + np.arange(3.0).reshape(3, 1, 1)
        yield Case(name, keys, {"x": x, "seeds": np.array(seeds)})


def seen(x, seeds):
    network = network_of(x.shape[2], 0)
    whole = (len(seeds) * len(joined(network.state_dict().values())),)
    return {**shapes_left(network), "asked": (x.shape[1], 2), "given": whole, "momentum": (2,)}


@undisturbed
def read(weights, buffers, modes, asked, given, momentum, x, seeds):
    """Answer two questions: 1 for yes, 0 for no.

    Is the average in evaluation mode, as a network with its numbers would answer there? And are
    the given networks as they were, after the average has moved?
    """
    network = refilled(network_of(x.shape[2], 0), weights, buffers)
    at_rest = (borne_out(modes, network, x[0], asked) < 0).all()
    running = joined(running_statistics(network))
    networks = [network_of(x.shape[2], int(seed)) for seed in seeds]
    as_they_were = joined(value for one in networks for value in one.state_dict().values())
    untouched = float(np.array_equal(given, as_they_were))
    return weights, running, float(at_rest), untouched, momentum
