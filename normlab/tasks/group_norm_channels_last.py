"""Lesson 8: GroupNorm for images whose channels come last."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import (
    NO_EPS,
    affine_last,
    distinct_values,
    eps_over,
    faint,
    fresh,
    learned,
)


def group_norm_channels_last(x, num_groups, weight, bias, eps):
    samples, height, width, channels = x.shape
    x = x.reshape(samples, height, width, num_groups, -1)  # (N, H, W, G, C/G)
    group = (1, 2, 4)  # the axes that share one mean
    mean = x.mean(axis=group, keepdims=True)  # (N, 1, 1, G, 1)
    n = x.size // mean.size
    var = ((x - mean) ** 2).sum(axis=group, keepdims=True) / n  # (N, 1, 1, G, 1)
    x_hat = (x - mean) / np.sqrt(var + eps)  # (N, H, W, G, C/G)
    x_hat = x_hat.reshape(samples, height, width, channels)
    return weight * x_hat + bias  # (N, H, W, C)


def cases(rng: np.random.Generator) -> Cases:
    """Draw one x and see it as single groups, with eps, as several groups, with weight and bias.

    G groups of a sample are the same as G samples of one group each. One x is as high and as wide
    as it is deep: there a weight can lie along each.
    """
    for shape, groups in (((1, 1, 6, 6), 2), ((2, 6, 6, 6), 3), ((2, 3, 5, 8), 4)):
        channels = shape[3]
        x = distinct_values(rng, shape) + 10 * distinct_values(rng, (channels,))
        single = np.concatenate(np.split(x, groups, axis=3))  # (G*N, H, W, C/G)
        eps = float(rng.integers(1, 9)) * 100
        one, several = f"{single.shape}, 1 group", f"{shape}, {groups} groups"
        alone = {"x": single, "num_groups": 1, **fresh(channels // groups), "eps": NO_EPS}
        bare = Case(f"{one}, eps 0", ("statistics",), alone)
        large = bare.then(eps_over(1, 2, 3), f"{one}, eps {eps:g}", "eps", eps=eps)
        beside = {"x": x, "num_groups": groups, **fresh(channels)}
        whole = large.then(_side_by_side, several, "groups", **beside)
        both = f"{several}, weight and bias"
        yield from (bare, large, whole)
        yield whole.then(affine_last, both, "affine", **learned(rng, channels))
    yield faint(rng, (2, 4, 2, 4), np.s_[-1], num_groups=1)  # as many channels on axis 1 as on 3


def _side_by_side(own: Outputs, arguments: Arguments) -> Outputs:
    """From single groups, behind each other, to the groups of one image."""
    return {"y": np.concatenate(np.split(own["y"], arguments["num_groups"]), axis=3)}
