"""Lesson 6: the forward pass of LayerNorm, over as many trailing axes as weight has."""

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
    part,
    plain,
    scales,
    shifts,
    with_affine,
)


def layer_norm_forward(x, weight, bias, eps):
    axes = tuple(range(x.ndim - weight.ndim, x.ndim))  # they share one mean
    mean = x.mean(axis=axes, keepdims=True)  # (N, 1)
    n = x.size // mean.size
    var = ((x - mean) ** 2).sum(axis=axes, keepdims=True) / n  # (N, 1)
    x_hat = (x - mean) / np.sqrt(var + eps)  # (N, D)
    return weight * x_hat + bias  # (N, D)


def cases(rng: np.random.Generator) -> Cases:
    """Draw square matrices, a batch that hardly varies, and other shapes.

    The values are judged where there are as many samples as features: there a mean or a weight
    along the wrong axis raises no error, and so costs its own aspect alone. What another shape
    should give follows from the learner's own answer on the same numbers laid out as a matrix.
    """
    for size in (3, 4):
        x = distinct_values(rng, (size, size)) + rng.permutation(size)[:, None] * 3
        eps = round(float(rng.uniform(0.5, 2)) * float(x.var(1).min()), 1) + 1
        name = str(x.shape)
        bare = Case(f"{name}, weight 1, bias 0", ("statistics",), plain(x, NO_EPS))
        yield bare
        yield from no_eps_at_all(bare.name, plain(x / 100, 0.0))
        large = bare.then(eps_over(1), f"{name}, eps {eps:g}", "eps", eps=eps)
        fewer = f"{name}, the first {size - 1} samples"
        yield from (large, large.then(part(np.s_[:-1]), fewer, "statistics", x=x[:-1]))
        yield large.then(with_affine, f"{name}, weight and bias", "affine", **learned(rng, size))
    yield faint(rng, (4, 4), np.s_[-1])
    # Other shapes, normalized over their `last` axes, and the same as a matrix.
    for shape, last in (
        ((2, 3, 4), 2),
        ((2, 3, 4), 1),
        ((2, 3, 2, 2), 3),
        ((2, 2, 3, 4), 2),
        ((5,), 1),
    ):
        x, normalized_shape = distinct_values(rng, shape), shape[-last:]
        size = int(np.prod(normalized_shape))
        weight, bias = (draw(rng, max(x[0].size, size))[:size] for draw in (scales, shifts))
        eps = float(rng.integers(5, 20)) / 10
        name = f"{shape}, weight {normalized_shape}".replace(",)", ")")
        rows = {"x": x.reshape(-1, size), "weight": weight, "bias": bias, "eps": eps}
        matrix = Case(f"{name}, laid out as a matrix", (), rows)
        weight, bias = weight.reshape(normalized_shape), bias.reshape(normalized_shape)
        yield matrix
        yield matrix.then(in_shape(y="x"), name, "axes", x=x, weight=weight, bias=bias)
