"""Lesson 9: weight normalization, of the weights of a layer and not of its data."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import distinct_values, in_shape, scales, times


def weight_norm(v, g):
    rest = tuple(range(1, v.ndim))  # the axes of one output
    norm = np.sqrt((v**2).sum(axis=rest, keepdims=True))  # (out, 1, ...)
    g = g.reshape((-1,) + (1,) * (v.ndim - 1))  # (out, 1, ...)
    return g * v / norm  # (out, *)


def cases(rng: np.random.Generator) -> Cases:
    """Draw matrices and kernels, some as wide as there are outputs: there g can lie both ways."""
    square = _with_lengths_of_1(distinct_values(rng, (3, 3)) + 0.5)
    yield from (square, _with_lengths(scales(rng, 3), square))
    for kernel in ((2, 3, 1, 2), (4, 2, 3, 4)):
        v = distinct_values(rng, kernel) + 0.5
        g, matrix = scales(rng, kernel[0]), _with_lengths_of_1(v.reshape(kernel[0], -1))
        name = f"v {kernel}, g 1"
        kernels = matrix.then(in_shape(w="v"), name, "kernels", v=v)
        yield from (matrix, _with_lengths(g, matrix), kernels, _with_lengths(g, kernels))


def _with_lengths_of_1(v: np.ndarray) -> Case:
    return Case(f"v {v.shape}, g 1", ("norm",), {"v": v, "g": np.ones(len(v))})


def _with_lengths(g: np.ndarray, bare: Case) -> Case:
    return bare.then(times("g", "w", 0), f"v {bare.arguments['v'].shape}", "g", g=g)
