"""Lesson 7: the forward pass of InstanceNorm for images, with weight and bias and without."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import (
    NO_EPS,
    distinct_values,
    eps_over,
    faint,
    learned,
    no_eps_at_all,
    offset_values,
    plain,
    same,
    with_affine,
)


def instance_norm_forward(x, weight, bias, eps):
    pixels = (2, 3)  # one mean for each map
    mean = x.mean(axis=pixels, keepdims=True)  # (N, C, 1, 1)
    n = x.size // mean.size
    var = ((x - mean) ** 2).sum(axis=pixels, keepdims=True) / n  # (N, C, 1, 1)
    x_hat = (x - mean) / np.sqrt(var + eps)  # (N, C, H, W)
    if weight is None:
        return x_hat
    weight, bias = weight.reshape(1, -1, 1, 1), bias.reshape(1, -1, 1, 1)
    return weight * x_hat + bias  # (N, C, H, W)


def cases(rng: np.random.Generator) -> Cases:
    """Draw one x: without eps, in another light, with eps, with weight and bias.

    Some have as many channels as columns: there a weight can lie along either.
    """
    odd = offset_values(rng, (2, 3, 4, 5), apart=10)  # every size different
    affine = learned(rng, 3)
    for shape in ((2, 2, 3, 2), (3, 4, 2, 4)):
        x, name, channels = offset_values(rng, shape, apart=10), str(shape), shape[1]
        eps = float(rng.integers(1, 9)) * 100
        maps = (*shape[:2], 1, 1)
        brightness = 10 * distinct_values(rng, maps)
        contrast = 2.0 ** rng.permutation(np.arange(1.0, 1 + shape[0] * channels)).reshape(maps)
        bare = Case(f"{name}, eps 0", ("statistics",), plain(x, NO_EPS))
        yield bare
        yield from no_eps_at_all(bare.name, plain(x / 100, 0.0))
        yield bare.then(same, f"{name}, in another light", "light", x=x * contrast + brightness)
        large = bare.then(eps_over(2, 3), f"{name}, eps {eps:g}", "eps", eps=eps)
        none, both = f"{name}, no weight and no bias", f"{name}, weight and bias"
        yield from (large, large.then(same, none, "unlearned", weight=None, bias=None))
        yield large.then(with_affine, both, "affine", **learned(rng, channels))
    yield faint(rng, (3, 2, 4, 2))
    yield Case("(1, 3, 2, 3), one image", ("statistics",), plain(odd[:1, :, :2, :3], NO_EPS))
    sizes = Case("(2, 3, 4, 5)", (), plain(odd, 0.5))
    yield sizes
    yield sizes.then(with_affine, f"{sizes.name}, weight and bias", "affine", **affine)
