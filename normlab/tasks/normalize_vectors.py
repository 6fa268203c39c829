"""Lesson 1: normalize vectors along an axis, as `torch.nn.functional.normalize` does."""

from functools import partial

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import NO_EPS, distinct_values


def normalize_vectors(x, dim, eps):
    squares = (x**2).sum(axis=dim, keepdims=True)  # as x, with size 1 in dim
    length = np.sqrt(squares)
    return x / np.maximum(length, eps)


def cases(rng: np.random.Generator) -> Cases:
    """Draw vectors of very different lengths, with every size of eps and along every axis.

    A tiny eps, one between their lengths, a large one; and zero vectors. Then the same rows are
    laid along other axes.
    """
    for shape in ((3, 2), (4, 4)):
        x, name = _vectors(rng, shape), f"{shape}, dim 1"
        with_zero = x.copy()
        with_zero[int(rng.integers(shape[0]))] = 0.0
        bare = Case(name, ("length",), {"x": x, "dim": 1, "eps": NO_EPS})
        yield bare
        yield bare.then(_with_eps, f"{name}, eps 1", "eps", eps=1.0)
        yield bare.then(_with_eps, f"{name}, eps 1e6", "eps", eps=1e6)
        yield bare.then(_with_eps, f"{name}, a zero vector", "eps", x=with_zero)
        yield Case(f"{name}, only zeros", ("eps",), {**bare.arguments, "x": 0 * x})
    for shape, places in (
        ((6, 4), [((2, 3, 4), -1), ((2, 3, 4), 1), ((2, 3, 4), 0), ((2, 3, 4), -2)]),
        ((9, 3), [((3, 3, 3), 0), ((3, 3, 3), -1)]),
    ):
        x, name = _vectors(rng, shape), f"{shape}, dim 1"
        rows = Case(name, ("length",), {"x": x, "dim": 1, "eps": NO_EPS})
        yield rows
        for block, dim in places:
            laid, derive = _laid(x, block, dim), partial(_laid_as, block=block)
            yield rows.then(derive, f"{laid.shape}, dim {dim}", "dim", x=laid, dim=dim)


def _vectors(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Draw vectors of very different lengths, one shorter than 1; no entries add up to 0."""
    lengths = rng.permutation(np.arange(1.0, 1 + shape[0])).reshape(-1, 1)
    x = (distinct_values(rng, shape) + 0.3) * lengths**2
    shortest = np.sort(np.linalg.norm(x, axis=1))[:2]
    return x / np.sqrt(shortest.prod())


def _with_eps(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's answer without eps to that with it, by the divisors that it shows."""
    x, y = arguments["x"], own["y"]
    zero = ~x.any(1, keepdims=True)
    y = np.where(zero, 0, y)
    length = np.linalg.norm(x, axis=1, keepdims=True)
    length /= np.where(zero, 1, np.linalg.norm(y, axis=1, keepdims=True))
    return {"y": y * length / np.maximum(length, arguments["eps"])}


def _laid(rows: np.ndarray, block: tuple[int, ...], dim: int) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(rows.reshape(block), -1, dim))


def _laid_as(own: Outputs, arguments: Arguments, block: tuple[int, ...]) -> Outputs:
    """Lay the learner's own rows along another axis."""
    return {"y": _laid(own["y"], block, arguments["dim"])}
