"""Lesson 8: the forward pass of GroupNorm.

One fact carries the cases: G groups of a sample are the same as G samples of one group each. So
whether the groups are right can be judged by the learner's own answer for one group.
"""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import (
    NO_EPS,
    distinct_values,
    eps_over,
    faint,
    in_shape,
    learned,
    no_eps_at_all,
    offset_values,
    plain,
    with_affine,
)


def group_norm_forward(x, num_groups, weight, bias, eps):
    shape, pixels = x.shape, x.shape[2:]
    x = x.reshape(len(x), num_groups, -1, *pixels)  # (N, G, C/G, *)
    group = tuple(range(2, x.ndim))  # the axes that share one mean
    mean = x.mean(axis=group, keepdims=True)  # (N, G, 1, ...)
    n = x.size // mean.size
    var = ((x - mean) ** 2).sum(axis=group, keepdims=True) / n  # (N, G, 1, ...)
    x_hat = (x - mean) / np.sqrt(var + eps)  # (N, G, C/G, *)
    x_hat = x_hat.reshape(shape)  # (N, C, *)
    per_channel = (1, -1) + (1,) * len(pixels)
    weight, bias = weight.reshape(per_channel), bias.reshape(per_channel)
    return weight * x_hat + bias  # (N, C, *)


def blocks_of_g_channels(x, num_groups, weight, bias, eps):
    y = np.zeros_like(x)
    for image, out in zip(x, y, strict=True):
        for g in range(num_groups):
            block = slice(g * num_groups, (g + 1) * num_groups)
            if image[block].size:
                mean, var = image[block].mean(), image[block].var()
                out[block] = (image[block] - mean) / np.sqrt(var + eps)
    per_channel = (1, -1) + (1,) * (x.ndim - 2)
    return weight.reshape(per_channel) * y + bias.reshape(per_channel)


def cases(rng: np.random.Generator) -> Cases:
    """Draw images, with as many columns as channels: there a weight can lie along either."""
    first = list(_in_steps(rng, (1, 6, 1, 6), groups=2))
    yield from first
    yield from _in_steps(rng, (2, 6, 2, 6), groups=3)
    yield faint(rng, (3, 4, 2, 4), np.s_[-1], num_groups=1)
    odd = offset_values(rng, (2, 8, 3, 5), apart=10)
    affine = learned(rng, 8)
    pixels = offset_values(rng, (3, 6, 1, 1), apart=10)

    images, as_x = first[-2], in_shape(y="x")
    yield images.then(as_x, "(1, 6, 6), 2 groups", "ranks", x=images.arguments["x"][:, :, 0])
    two = Case("(3, 6, 1, 1), 2 groups", (), plain(pixels, NO_EPS, num_groups=2))
    yield from (two, two.then(as_x, "(3, 6), 2 groups", "ranks", x=pixels[:, :, 0, 0]))
    two_each = plain(distinct_values(rng, (3, 2, 1, 1)), NO_EPS, num_groups=1)
    yield Case("(3, 2, 1, 1), 1 group of two values", ("statistics",), two_each)
    four = Case("(2, 8, 3, 5), 4 groups", (), plain(odd, NO_EPS, num_groups=4))
    yield from (four, four.then(with_affine, f"{four.name}, weight and bias", "affine", **affine))


def _in_steps(rng: np.random.Generator, shape: tuple[int, ...], groups: int) -> Cases:
    """Draw one x and see it as single groups, with eps, as several groups, with weight and bias."""
    x = offset_values(rng, shape, apart=10)
    single = x.reshape(-1, shape[1] // groups, *shape[2:])  # (N*G, C/G, H, W)
    eps = float(rng.integers(1, 9)) * 100
    one, several = f"{single.shape}, 1 group", f"{shape}, {groups} groups"
    bare = Case(f"{one}, eps 0", ("statistics",), plain(single, NO_EPS, num_groups=1))
    large = bare.then(eps_over(1, 2, 3), f"{one}, eps {eps:g}", "eps", eps=eps)
    beside = plain(x, eps, num_groups=groups)
    whole = large.then(in_shape(y="x"), several, "groups", **beside)
    both = f"{several}, weight and bias"
    yield bare
    yield from no_eps_at_all(bare.name, plain(single / 100, 0.0, num_groups=1))
    yield from (large, whole)
    yield whole.then(with_affine, both, "affine", **learned(rng, shape[1]))
