"""Lesson 0: take from each column of a batch its mean."""

import numpy as np

from normlab.tasks.case import Case, Cases


def subtract_mean(x):
    mean = x.mean(axis=0, keepdims=True)  # (1, C)
    return x - mean  # (N, C)


def cases(rng: np.random.Generator) -> Cases:
    """Draw batches whose columns have means that are far apart; a square one, too."""
    for shape in ((4, 3), (3, 3), (5, 2)):
        x = (rng.normal(size=shape) + 10 * rng.permutation(shape[1]) + 5).round(2)
        yield Case(str(shape), ("values",), {"x": x})
