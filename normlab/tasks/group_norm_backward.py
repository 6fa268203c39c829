"""Lesson 8: the backward pass of GroupNorm, from what a correct forward pass has kept."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import distinct_values, offset_values, scales
from normlab.tasks.drawing_backward import same_dx


def group_norm_backward(dy, x_hat, inv_std, weight):
    dbias = dy.sum(axis=(0, 2, 3))  # (C,)
    dweight = (dy * x_hat).sum(axis=(0, 2, 3))  # (C,)
    blocks = (*inv_std.shape, -1, *dy.shape[2:])  # (N, G, C/G, H, W)
    group = (2, 3, 4)  # these axes share a mean
    g = (dy * weight[:, None, None]).reshape(blocks)
    x_hat = x_hat.reshape(blocks)
    sum_g = g.sum(axis=group, keepdims=True)  # (N, G, 1, 1, 1)
    sum_g_x_hat = (g * x_hat).sum(axis=group, keepdims=True)
    n = g.size // sum_g.size
    inv_std = inv_std[:, :, None, None, None]
    dx = inv_std * (g - sum_g / n - x_hat * sum_g_x_hat / n)
    return dx.reshape(dy.shape), dweight, dbias


def cases(rng: np.random.Generator) -> Cases:
    """Draw one dy and see it as single groups, as several groups, and with a weight.

    C is never G times G, and all sizes differ. Each case is derived from the one before. Where dy
    times weight is what dy was there, so is dx.
    """
    for shape, groups in (((2, 6, 1, 3), 3), ((4, 6, 3, 5), 2)):
        blocks = offset_values(rng, shape, apart=10).reshape(shape[0], groups, -1)
        inv_std = 1 / np.sqrt(blocks.var(2) + 0.5)  # (N, G)
        x_hat = ((blocks - blocks.mean(2, keepdims=True)) * inv_std[..., None]).reshape(shape)
        weight, dy = scales(rng, shape[1]), distinct_values(rng, shape)
        scaled, ones = dy * weight.reshape(1, -1, 1, 1), np.ones(shape[1])
        single = (-1, shape[1] // groups, *shape[2:])  # (N*G, C/G, H, W)
        alone = {
            "dy": scaled.reshape(single),
            "x_hat": x_hat.reshape(single),
            "inv_std": inv_std.reshape(-1, 1),
            "weight": ones[: single[1]],
        }
        beside = {"dy": scaled, "x_hat": x_hat, "inv_std": inv_std, "weight": ones}
        name = f"{shape}, {groups} groups"
        one = Case(f"{alone['dy'].shape}, 1 group, weight 1", ("roads",), alone)
        several = one.then(same_dx, f"{name}, weight 1", "groups", **beside)
        yield from (one, several)
        yield several.then(same_dx, name, "weight", "dweight", "dbias", dy=dy, weight=weight)
