"""Lesson 9: the forward pass of RMSNorm."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import (
    NO_EPS,
    distinct_values,
    faint_values,
    in_shape,
    no_eps_at_all,
    part,
    same,
    scales,
    times,
)


def rms_norm_forward(x, weight, eps):
    if x.dtype == np.float16:
        x = x.astype(np.float32)  # 300 squared is infinity in float16
    axis = -1  # one mean square for each row
    n = x.shape[axis]
    mean_square = (x**2).sum(axis=axis, keepdims=True) / n  # (*, 1)
    x_hat = x / np.sqrt(mean_square + eps)  # (*, D)
    return weight * x_hat  # (*, D)


def cases(rng: np.random.Generator) -> Cases:
    """Draw one x: without eps, with eps, with a weight, and as sequences; the last in float16.

    There are as many rows as features, and other numbers of them.
    """
    for shape in ((2, 3), (4, 4), (6, 5)):
        means = rng.choice([-1, 1]) * 10 * rng.choice(np.arange(2, 9), shape[0], replace=False)
        x = distinct_values(rng, shape) + means[:, None] + 0.5  # none is 0
        name, first = str(shape), {"x": x, "weight": np.ones(shape[1]), "eps": NO_EPS}
        eps, weight = float(rng.integers(2, 20)) * 20, scales(rng, shape[1])
        bare = Case(f"{name}, weight 1, eps 0", ("rms",), first)
        large = bare.then(_with_eps, f"{name}, weight 1, eps {eps:g}", "eps", eps=eps)
        yield from (bare, large)
        yield large.then(times("weight"), f"{name}, weight", "weight", weight=weight)
        for sizes in ((2, shape[0] // 2, shape[1]), (2, 1, shape[0] // 2, shape[1])):
            sequences = f"{sizes}, weight 1"
            yield bare.then(in_shape(y="x"), sequences, "sequences", x=x.reshape(sizes))
        yield bare.then(part(0), f"{bare.name}, row 0 alone", "sequences", x=x[0])
        yield from no_eps_at_all(bare.name, {**first, "x": x / 100})
    # Rows that are nearly 0, and one that is 0.
    x, eps = faint_values(rng, (4, 3), -1)
    name = f"(4, 3), nearly 0, eps {eps:g}"
    yield Case(name, ("eps",), {"x": x, "weight": np.ones(3), "eps": eps})
    yield from _half(rng, (3, 4))


def _with_eps(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's answer without eps to that with it: read the divisor off, row by row."""
    x, y, eps = arguments["x"], own["y"], arguments["eps"]
    squared = np.square(x).mean(-1, keepdims=True) / np.square(y).mean(-1, keepdims=True)
    return {"y": y * np.sqrt(squared / (squared + eps))}


def _half(rng: np.random.Generator, shape: tuple[int, int]) -> Cases:
    """Draw the same numbers in float32 and in float16, which ends at 65504: 300 squared is more.

    float16 has 3 digits, and so the case that is judged has a tolerance.
    """
    # The mean of a row is about 500, and so are the distances from it: both squares are too large.
    x = rng.permuted(np.tile(np.resize([1000.0, 50], shape[1]), (shape[0], 1)), axis=1)
    x = (x + distinct_values(rng, shape)).astype(np.float16)
    half = {"x": x, "weight": np.ones(shape[1], np.float16), "eps": 1e-5}
    single = {**half, "x": x.astype(np.float32), "weight": np.ones(shape[1], np.float32)}
    name = f"{shape}, numbers of some hundreds"
    bare = f"{name}, float32"
    yield Case(bare, (), single, tolerance=2e-6)
    yield Case(f"{name}, float16", ("half",), half, tolerance=5e-3, based_on=bare, derive=same)
