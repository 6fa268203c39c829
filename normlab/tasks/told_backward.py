"""Lesson 15: the way back to the condition that tells a norm its scale and shift."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import distinct_values


def told_backward(dy, x_hat, condition, weight):
    dshift = dy.sum(axis=1)  # (N, D)
    dscale = (dy * x_hat).sum(axis=1)  # (N, D)
    dtold = np.concatenate([dshift, dscale], axis=1)  # (N, 2D)
    dcondition = dtold @ weight  # (N, K)
    dweight = dtold.T @ condition  # (2D, K)
    dbias = dtold.sum(axis=0)  # (2D,)
    return dcondition, dweight, dbias


def cases(rng: np.random.Generator) -> Cases:
    """Draw tokens of several sizes; in one, all sizes that could be taken for another are equal."""
    for shape, known in (((2, 3, 4), 3), ((4, 4, 2), 4)):
        samples, _, features = shape
        arguments = {
            "dy": distinct_values(rng, shape),
            "x_hat": distinct_values(rng, shape) / 10,
            "condition": distinct_values(rng, (samples, known)),
            "weight": distinct_values(rng, (2 * features, known)) / 10,
        }
        yield Case(str(shape), ("dcondition", "dweight", "dbias"), arguments)
