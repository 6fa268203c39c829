"""Lesson 13: freeze what BatchNorm measures, or what it learns, or both, or neither."""

import numpy as np
import torch

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import rows_below_one, seed_of_numbers
from normlab.tasks.scripts.freeze_norms import network_of, parts
from normlab.tasks.scripts.together import joined


def freeze_norms(network, statistics, affine):
    norms = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)
    network.train()
    for module in network.modules():
        if isinstance(module, norms):
            module.train(not statistics)
            for parameter in module.parameters():
                parameter.requires_grad_(not affine)


def cases(rng: np.random.Generator) -> Cases:
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


def seen(x, how, *_):
    sizes = [len(joined(part)) for part in parts(network_of(x.shape[2], 0))]
    names = ("statistics", "weights", "others")
    shapes = {name: (len(how) + 1, size) for name, size in zip(names, sizes, strict=True)}
    return {**shapes, "answers": (*x.shape[:2], 2)}


def read(statistics, weights, others, answers, *_):
    """Say which part of the numbers has moved in each step."""
    moved = ((one[1:] != one[:-1]).mean(1) for one in (statistics, weights, others))  # (K,) each
    return (*moved, answers)
