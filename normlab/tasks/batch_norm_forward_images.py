"""Lesson 2: the forward pass of BatchNorm in training mode, for images."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import (
    NO_EPS,
    faint,
    learned,
    offset_values,
    one_step_at_a_time,
    plain,
    with_affine,
)


def batch_norm_forward_images(x, weight, bias, eps):
    axes = (0, 2, 3)
    mean = x.mean(axes, keepdims=True)  # (1, C, 1, 1)
    n = x.size / mean.size  # how many values share a mean: N * H * W
    var = ((x - mean) ** 2).sum(axes, keepdims=True) / n  # (1, C, 1, 1)
    x_hat = (x - mean) / np.sqrt(var + eps)  # (N, C, H, W)
    weight, bias = (each.reshape(1, -1, 1, 1) for each in (weight, bias))
    y = weight * x_hat + bias  # (N, C, H, W)
    return y


def cases(rng: np.random.Generator) -> Cases:
    """Draw images.

    The values are judged where there are as many channels as columns: there a weight along the
    wrong axis raises no error, and so costs its own aspect alone.
    """
    one = plain(offset_values(rng, (1, 3, 2, 3)), NO_EPS)
    odd = plain(offset_values(rng, (2, 3, 4, 5)), NO_EPS)  # (N, C, H, W)
    yield from one_step_at_a_time(rng, (3, 2, 1, 2))
    yield from one_step_at_a_time(rng, (4, 3, 2, 3))
    yield faint(rng, (3, 4, 2, 4))
    yield Case("(1, 3, 2, 3), one image", ("edges",), one)
    sizes = Case("(2, 3, 4, 5), every size different", ("edges",), odd)
    both = "(2, 3, 4, 5), weight and bias"
    yield from (sizes, sizes.then(with_affine, both, "affine", **learned(rng, 3)))
