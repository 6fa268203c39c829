"""Lesson 6: the backward pass of a LayerNorm over the channels of each pixel, as in ConvNeXt."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import along_channels, distinct_values, scales
from normlab.tasks.drawing_backward import same_dx


def layer_norm_2d_backward(dy, x_hat, inv_std, weight):
    g = dy * weight[:, None, None]  # (N, C, H, W)
    channels = 1  # the axis that shares a mean
    n = dy.shape[1]
    sum_g = g.sum(axis=channels, keepdims=True)  # (N, 1, H, W)
    sum_g_x_hat = (g * x_hat).sum(axis=channels, keepdims=True)
    dx = inv_std * (g - sum_g / n - x_hat * sum_g_x_hat / n)
    dweight = (dy * x_hat).sum(axis=(0, 2, 3))  # (C,)
    dbias = dy.sum(axis=(0, 2, 3))  # (C,)
    return dx, dweight, dbias


def cases(rng: np.random.Generator) -> Cases:
    """Draw one dy, with weight 1; then dy divided by a weight: dx is the same.

    Images are of one pixel, of many, and one is as high and as wide as it is deep.
    """
    for shape in ((3, 4, 1, 1), (2, 3, 4, 5), (3, 3, 3, 3)):
        x, dy = 5 * distinct_values(rng, shape), distinct_values(rng, shape)
        inv_std = 1 / np.sqrt(x.var(1, keepdims=True) + 0.5)  # (N, 1, H, W)
        x_hat = (x - x.mean(1, keepdims=True)) * inv_std
        given = {"dy": dy, "x_hat": x_hat, "inv_std": inv_std, "weight": np.ones(shape[1])}
        name, weight = str(shape), scales(rng, shape[1])
        bare = Case(f"{name}, weight 1", ("roads",), given)
        divided = f"{name}, the same dy divided by weight"
        smaller = {"dy": dy / along_channels(weight, 4), "weight": weight}
        yield from (bare, bare.then(same_dx, divided, "weight", "dweight", "dbias", **smaller))
