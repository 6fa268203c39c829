"""Lesson 13: normalize the columns of a table."""

import numpy as np
import torch

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import alike, rows_below_one


class SensorNet(torch.nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        size = features
        self.norm = torch.nn.BatchNorm1d(size)
        self.linear = torch.nn.Linear(features, classes)

    def forward(self, x):
        return self.linear(self.norm(x))  # (N, C)


def cases(rng: np.random.Generator) -> Cases:
    """Draw tables whose columns have units of their own."""
    for batches, samples, features, classes in ((2, 4, 3, 2), (3, 6, 4, 3)):
        units = np.resize([1.0, 100.0, 10.0, 1000.0], features)
        offsets = rng.permutation(np.arange(1.0, features + 1)) * units
        arguments = {
            "x": rows_below_one(rng, batches, samples, features) * units + offsets,
            "test": rows_below_one(rng, 5, features) * units + offsets,
            "weight": rows_below_one(rng, classes, features),
            "bias": rows_below_one(rng, classes),
        }
        name = f"{batches} batches {(samples, features)}"
        yield Case(name, ("train", "eval", "alone", "linear", "saved"), arguments)


def seen(x, test, weight, *_):
    classes = len(weight)
    return {
        "trained": (x.shape[1], classes),
        "tested": (len(test), classes),
        "alone": [(1, classes), (0,)],
        "linear_weight": weight.shape,
        "from_state_dict": [(len(test), classes), (0,)],
    }


def read(trained, tested, alone, linear_weight, loaded, *_):
    """Answer two questions: 1 for yes, 0 for no.

    Does the first row alone get the answer that it gets among others? And does a new network with
    the same state_dict give the same answers?
    """
    row_alone = float(alone.size > 0 and alike(alone, tested[:1]))
    return trained, tested, row_alone, linear_weight, float(alike(loaded, tested))
