"""Lesson 4: the backward pass of a BatchNorm that only takes the mean away."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import distinct_values, offset_values, scales, shape_name, times


def mean_only_backward(dy, x, weight):
    n = len(x)
    mean = x.mean(axis=0)  # (C,)
    centred = x - mean  # (N, C)
    dbias = dy.sum(axis=0)  # (C,)
    dweight = (dy * centred).sum(axis=0)  # (C,)
    g = dy * weight  # (N, C), the gradient of the centred numbers
    dx = g - g.sum(axis=0) / n  # (N, C)
    return dx, dweight, dbias


def cases(rng: np.random.Generator) -> Cases:
    """Draw batches: weight 1 and a dy of mean 0, any dy, any weight; each derived from before."""
    for shape in ((3, 2), (4, 4), (6, 3)):
        # Parts of 64: every sum is exact, none is 0 by chance, and no two channels have the same.
        parts = (20 + np.arange(shape[1])) / 64  # (C,)
        x, dy = offset_values(rng, shape, apart=10), distinct_values(rng, shape) + parts
        ones, weight = np.ones(shape[1]), scales(rng, shape[1])
        name = shape_name(shape)
        adds_up_to_0 = np.concatenate([dy[:-1], -dy[:-1].sum(0, keepdims=True)])
        balanced = {"dy": adds_up_to_0, "x": x, "weight": ones}
        plain = {"dy": dy, "x": x, "weight": ones}
        whole = {"dy": dy, "x": x, "weight": weight}
        yield Case(f"{name}, dy of mean 0", ("mean",), balanced)
        yield Case(f"{name}, weight 1", ("mean", "dweight", "dbias"), plain)
        aspects, follows = ("weight", "dweight", "dbias"), times("weight", "dx")
        yield Case(f"{name}, with weight", aspects, whole, f"{name}, weight 1", follows)
