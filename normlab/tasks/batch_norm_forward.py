"""Lesson 2: the forward pass of BatchNorm in training mode, for vectors."""

import numpy as np

from normlab.tasks.case import Cases
from normlab.tasks.drawing import faint, far_from_zero, one_step_at_a_time


def batch_norm_forward(x, weight, bias, eps):
    n = len(x)
    mean = x.mean(axis=0)  # (C,)
    var = ((x - mean) ** 2).sum(axis=0) / n  # (C,)
    x_hat = (x - mean) / np.sqrt(var + eps)  # (N, C)
    return weight * x_hat + bias  # (N, C)


def cases(rng: np.random.Generator) -> Cases:
    """Draw batches, one of them square; the last are far from zero."""
    for shape in ((3, 2), (4, 4), (7, 5)):
        yield from one_step_at_a_time(rng, shape)
    yield faint(rng, (4, 3))
    yield from far_from_zero(rng, 50)
