"""Lesson 4: the backward pass of a BatchNorm that only takes the mean away."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import distinct_values, offset_values, scales, times


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
        given, weight = {"dy": dy, "x": x, "weight": np.ones(shape[1])}, scales(rng, shape[1])
        adds_up_to_0 = np.concatenate([dy[:-1], -dy[:-1].sum(0, keepdims=True)])
        name, aspects = str(shape), ("dweight", "dbias")
        yield Case(f"{name}, dy of mean 0", ("mean",), {**given, "dy": adds_up_to_0})
        bare = Case(f"{name}, weight 1", ("mean", *aspects), given)
        follows = times("weight", "dx")
        yield bare
        yield bare.then(follows, f"{name}, with weight", "weight", *aspects, weight=weight)
