"""Lesson 4: dx of BatchNorm in closed form, for vectors and images."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing_backward import (
    any_numbers,
    first_channel_alone,
    on_all_roads,
    pixels_as_rows,
)


def batch_norm_backward(dy, x, mean, var, x_hat, weight, eps):
    axes = (0, *range(2, x.ndim))  # all but the channels
    n = x[:, 0].size  # so many values share a mean
    weight = weight.reshape(mean.shape)  # (1, C) or (1, C, 1, 1)
    g = dy * weight
    m_g = g.sum(axis=axes, keepdims=True) / n  # (1, C) or (1, C, 1, 1)
    m_g_x_hat = (g * x_hat).sum(axis=axes, keepdims=True) / n
    std = np.sqrt(var + eps)
    dx = (g - m_g - x_hat * m_g_x_hat) / std
    return dx


def cases(rng: np.random.Generator) -> Cases:
    """Draw gradients that travel on one road each, then on all, and images.

    What an image should give follows from the learner's own answer on its pixels as rows.
    """
    shape = (2, 3, 2, 3)
    images = any_numbers(rng, shape)
    yield from on_all_roads(rng, 3, 2)
    yield from on_all_roads(rng, 5, 3)
    yield from first_channel_alone(rng, ("mean",))
    rows = Case(f"the pixels of {shape} as rows", (), pixels_as_rows(images))
    yield from (rows, rows.then(_as_image, f"images {shape}", "images", **images))


def _as_image(own: Outputs, arguments: Arguments) -> Outputs:
    n, c, h, w = arguments["x"].shape
    return {"dx": np.moveaxis(own["dx"].reshape(n, h, w, c), -1, 1)}
