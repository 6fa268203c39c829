"""Lesson 6: the backward pass of LayerNorm, over as many axes as weight has."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import NO_EPS, distinct_values, in_shape, scales
from normlab.tasks.drawing_backward import on_each_road, same_dx, with_cache


def layer_norm_backward(dy, x, mean, var, x_hat, weight, eps):
    axes = tuple(range(x.ndim - weight.ndim, x.ndim))  # they share a mean
    n = weight.size
    g = dy * weight
    m_g = g.sum(axis=axes, keepdims=True) / n  # (N, 1)
    m_g_x_hat = (g * x_hat).sum(axis=axes, keepdims=True) / n
    std = np.sqrt(var + eps)
    dx = (g - m_g - x_hat * m_g_x_hat) / std
    slope = x_hat  # of weight * x_hat + bias, with respect to weight
    others = tuple(range(x.ndim - weight.ndim))  # they share a weight
    dweight = (dy * slope).sum(axis=others)
    dbias = dy.sum(axis=others)
    return dx, dweight, dbias


def cases(rng: np.random.Generator) -> Cases:
    """Draw gradients that travel on one road each, then on all, and other shapes.

    What another shape should give follows from the learner's own answer on the same numbers laid
    out as a matrix.
    """
    for samples, features in ((2, 3), (3, 5)):
        x, roads = on_each_road(rng, features, samples, axis=1)
        weight = scales(rng, features)
        dy = 10 * distinct_values(rng, (samples, features))
        yield from roads
        name = f"{x.shape}, dy any numbers"
        everywhere = Case(name, (), with_cache(dy, x, np.ones(features), NO_EPS, 1))
        divided = f"{x.shape}, the same dy divided by weight"
        smaller = {"dy": dy / weight, "weight": weight}
        yield everywhere
        yield everywhere.then(same_dx, divided, "weight", "dweight", "dbias", **smaller)
    # Other shapes, normalized over their `last` axes, and the same as a matrix.
    for shape, last in (((2, 3, 4), 1), ((2, 3, 4), 2), ((2, 2, 3, 4), 2), ((5,), 1)):
        x, dy = distinct_values(rng, shape), distinct_values(rng, shape)
        normalized_shape = shape[-last:]
        weight = scales(rng, int(np.prod(normalized_shape)))
        eps = float(rng.integers(5, 20)) / 10
        name = f"{shape}, weight {normalized_shape}".replace(",)", ")")
        rows, axes = (-1, weight.size), tuple(range(-last, 0))
        laid_out = with_cache(dy.reshape(rows), x.reshape(rows), weight, eps, 1)
        matrix = Case(f"{name}, laid out as a matrix", (), laid_out)
        as_given = in_shape(dx="x", dweight="weight", dbias="weight")
        given = with_cache(dy, x, weight.reshape(normalized_shape), eps, axes)
        yield from (matrix, matrix.then(as_given, name, "shapes", **given))
