"""Lesson 13: freeze what BatchNorm measures, or what it learns, or both, or neither."""

from collections.abc import Iterator

import numpy as np
import torch

from normlab.tasks.case import Case
from normlab.tasks.drawing import rows_below_one, seed_of_numbers


def freeze_norms(network, statistics, affine):
    norms = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)
    network.train()
    for module in network.modules():
        if isinstance(module, norms):
            module.train(not statistics)
            for parameter in module.parameters():
                parameter.requires_grad_(not affine)


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """Draw batches: each of the four ways alone, and one way after another."""
    keys = ("statistics", "affine", "others", "answers")
    ways = {
        "statistics frozen": [(1, 0)],
        "weight and bias frozen": [(0, 1)],
        "both frozen": [(1, 1)],
        "nothing frozen": [(0, 0)],
        "both frozen, and thawed again": [(1, 1), (0, 0)],
        "one way after the other": [(1, 0), (0, 1), (1, 0)],
    }
    for name, how in ways.items():
        training = name not in ("nothing frozen", "weight and bias frozen")
        arguments = {
            "x": rows_below_one(rng, len(how), 5, 3),
            "how": np.array(how),
            "training": training,
            "seed": seed_of_numbers(rng),
        }
        mode = "training" if training else "evaluation"
        yield Case(f"{name}; from {mode} mode", keys, arguments)
