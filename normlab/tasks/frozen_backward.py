"""Lesson 4: the backward pass of BatchNorm whose statistics stand still, for images as well."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import NO_EPS, distinct_values, offset_values, scales, shifts, variances


def frozen_backward(dy, x, running_mean, running_var, weight, eps):
    shape = (1, -1) + (1,) * (x.ndim - 2)  # (1, C) or (1, C, 1, 1)
    mean, var = running_mean.reshape(shape), running_var.reshape(shape)
    std = np.sqrt(var + eps)
    x_hat = (x - mean) / std  # as x
    others = (0, *range(2, x.ndim))  # all axes but the channels'
    dweight = (dy * x_hat).sum(axis=others)  # (C,)
    dbias = dy.sum(axis=others)  # (C,)
    dx = dy * weight.reshape(shape) / std  # as x
    return dx, dweight, dbias


def cases(rng: np.random.Generator) -> Cases:
    """Draw batches and images: without eps, with it, and with a weight."""
    for shape in ((3, 2), (2, 2, 2, 2), (3, 3, 1, 4)):
        x, dy = offset_values(rng, shape, 10), distinct_values(rng, shape) + 0.3
        name, channels = str(shape), shape[1]
        plain = {
            "dy": dy,
            "x": x,
            "running_mean": shifts(rng, channels) + 30,
            "running_var": variances(rng, channels),
            "weight": np.ones(channels),
            "eps": NO_EPS,
        }
        eps, weight = float(rng.integers(10, 40)) / 2, scales(rng, channels)
        bare = Case(name, ("dx", "dweight", "dbias"), plain)
        large = bare.then(_with_eps, f"{name}, eps {eps:g}", "eps", eps=eps)
        yield from (bare, large)
        yield large.then(_with_weight, f"{name}, weight", "weight", weight=weight)


def _with_eps(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's gradients without eps to those with it: both get smaller alike."""
    var, eps = arguments["running_var"], arguments["eps"]
    smaller = np.sqrt((var + NO_EPS) / (var + eps))  # (C,)
    along = smaller.reshape((1, -1) + (1,) * (own["dx"].ndim - 2))
    return {"dx": own["dx"] * along, "dweight": own["dweight"] * smaller, "dbias": own["dbias"]}


def _with_weight(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's gradients with weight 1 to those with another: dx alone changes."""
    along = arguments["weight"].reshape((1, -1) + (1,) * (own["dx"].ndim - 2))
    return {**own, "dx": own["dx"] * along}
