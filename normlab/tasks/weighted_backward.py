"""Lesson 4: the backward pass of BatchNorm in which samples count for more, or not at all."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import distinct_values, offset_values, scales, times


def weighted_backward(dy, x, sample_weight, weight, eps):
    share = (sample_weight / sample_weight.sum())[:, np.newaxis]  # (N, 1), adds up to 1
    mean = (share * x).sum(axis=0)  # (C,)
    var = (share * (x - mean) ** 2).sum(axis=0)  # (C,)
    std = np.sqrt(var + eps)  # (C,)
    x_hat = (x - mean) / std  # (N, C)
    g = dy * weight  # (N, C)
    by_mean = share * g.sum(axis=0)  # (N, C)
    by_var = share * x_hat * (g * x_hat).sum(axis=0)  # (N, C)
    return (g - by_mean - by_var) / std


def cases(rng: np.random.Generator) -> Cases:
    """Draw gradients that travel on one road, or on all; one of the samples does not count."""
    for shape in ((4, 2), (5, 5), (7, 3)):
        samples, channels = shape
        sample_weight = rng.choice(np.arange(1, 12), samples, replace=False) / 2
        sample_weight[rng.integers(samples)] = 0.0
        x = offset_values(rng, shape, apart=10)
        eps = float(rng.integers(5, 20)) * round(float(x.var()), 1) / 10
        share = (sample_weight / sample_weight.sum())[:, None]
        any_dy, weight = distinct_values(rng, shape), scales(rng, channels)
        straight, level, along = _apart(any_dy, x - (share * x).sum(0))
        counted = {
            "x": x,
            "sample_weight": sample_weight,
            "weight": np.ones(channels),
            "eps": 1e-12,
        }
        name = str(shape)
        for road, aspect, dy in (
            ("on neither road", "straight", straight),
            ("through the mean", "mean", straight + level),
            ("through the variance", "variance", straight + along),
        ):
            yield Case(f"{name}, {road}", (aspect,), {"dy": dy, **counted})
        bare = Case(f"{name}, dy any numbers", (), {"dy": any_dy, **counted})
        yield bare
        yield Case(f"{bare.name}, eps {eps:g}", ("eps",), {**bare.arguments, "eps": eps})
        follows = times("weight", "dx")
        yield bare.then(follows, f"{bare.name}, with weight", "weight", weight=weight)


def _apart(dy: np.ndarray, centred: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split dy into what touches no road, what touches the mean's alone, and the variance's."""
    ones = np.ones_like(dy)
    level = ones - (centred.sum(0) / (centred**2).sum(0)) * centred
    along = centred - centred.mean(0)
    straight = dy.copy()
    for one in (ones, along):  # orthogonal to each other
        straight -= (straight * one).sum(0) / (one**2).sum(0) * one
    return straight, 3 * level, along
