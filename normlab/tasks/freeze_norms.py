"""Lesson 15: make a network ready to be trained, with its BatchNorms frozen in one of four ways."""

from collections.abc import Iterator

import numpy as np
import torch

from normlab.tasks.case import Case
from normlab.tasks.drawing import rows_below_one, seed_of_numbers


def freeze_norms(network, statistics, parameters):
    network.train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.train(not statistics)
            for parameter in module.parameters():
                parameter.requires_grad_(not parameters)


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """Draw each of the four ways, once for a fresh network and once after another way."""
    keys = {
        (True, False): "statistics",
        (False, True): "parameters",
        (True, True): "both",
        (False, False): "others",
    }
    for (statistics, parameters), key in keys.items():
        fresh, changed = (False, False), (not statistics, not parameters)
        for before, aspects in (
            (fresh, tuple(dict.fromkeys((key, "others", "mode")))),
            (changed, ("again", "mode")),
        ):
            arguments = {
                "x": rows_below_one(rng, 3, 6, 16),
                "first": np.array(before),
                "statistics": statistics,
                "parameters": parameters,
                "seed": seed_of_numbers(rng),
            }
            name = f"statistics={statistics}, parameters={parameters}"
            then = ", after the opposite" if before is changed else ""
            yield Case(f"{name}{then}", aspects, arguments)
