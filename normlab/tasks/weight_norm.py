"""Lesson 9: weight normalization, of the weights of a layer and not of its data."""

from typing import Any

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import distinct_values, in_shape, scales, shape_name


def weight_norm(v, g):
    rest = tuple(range(1, v.ndim))  # the axes of one output
    norm = np.sqrt((v**2).sum(axis=rest, keepdims=True))  # (out, 1, ...)
    g = g.reshape((-1,) + (1,) * (v.ndim - 1))  # (out, 1, ...)
    return g * v / norm  # (out, *)


def cases(rng: np.random.Generator) -> Cases:
    """Draw matrices and kernels, some as wide as there are outputs: there g can lie both ways."""
    square = distinct_values(rng, (3, 3)) + 0.5
    yield from _two(square, scales(rng, 3), "norm")
    for kernel in ((2, 3, 1, 2), (4, 2, 3, 4)):
        outputs = kernel[0]
        v = distinct_values(rng, kernel).reshape(outputs, -1) + 0.5
        g = scales(rng, outputs)
        bare, learned = _two(v, g, "norm")
        yield from (bare, learned)
        own = (bare.name, in_shape(w="v"))
        yield from _two(v.reshape(kernel), g, "kernels", *own)


def _two(v: np.ndarray, g: np.ndarray, aspect: str, *own: Any) -> Cases:
    """See v with lengths of 1, and with others."""
    name = f"v {shape_name(v.shape)}"
    bare = f"{name}, g 1"
    yield Case(bare, (aspect,), {"v": v, "g": np.ones(len(g))}, *own)
    yield Case(name, ("g",), {"v": v, "g": g}, bare, _times_g)


def _times_g(own: Outputs, arguments: Arguments) -> Outputs:
    """From lengths of 1 to others."""
    g, v = arguments["g"], arguments["v"]
    return {"w": own["w"] * g.reshape(-1, *[1] * (v.ndim - 1))}
