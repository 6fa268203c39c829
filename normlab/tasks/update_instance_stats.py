"""Lesson 7: running statistics for InstanceNorm, if you ask for them."""

import numpy as np

from normlab.tasks.case import Cases
from normlab.tasks.drawing import distinct_values, mean_then_variance, state_of


def update_instance_stats(x, running_mean, running_var, momentum):
    def moved(old, new):
        return (1 - momentum) * old + momentum * new

    mean = x.mean(axis=(2, 3))  # (N, C), one for each map
    n = x[0, 0].size
    squares = (x - mean[:, :, None, None]) ** 2  # (N, C, H, W)
    var = squares.sum(axis=(2, 3)) / (n - 1)  # (N, C)
    new_mean = moved(running_mean, mean.mean(axis=0))  # (C,)
    new_var = moved(running_var, var.mean(axis=0))  # (C,)
    return new_mean, new_var


def cases(rng: np.random.Generator) -> Cases:
    """Draw batches, each with another momentum; the images of a batch differ in brightness."""
    tenths = rng.permutation([2, 3, 4, 6, 7, 8])
    shapes = ((2, 2, 1, 3), (3, 3, 2, 2), (2, 3, 3, 4), (1, 4, 2, 3))
    for shape, tenth in zip(shapes, tenths, strict=False):
        yield from _batch(rng, shape, str(shape), tenth / 10)
    yield from _batch(rng, (3, 2, 2, 2), "forget the old", 1.0)
    yield from _batch(rng, (2, 4, 1, 5), "learn nothing new", 0.0)


def _batch(rng: np.random.Generator, shape: tuple[int, ...], name: str, momentum: float) -> Cases:
    state = state_of(rng, shape[1])
    x = distinct_values(rng, shape) + 50 * distinct_values(rng, (*shape[:2], 1, 1)) + 777
    given = {"x": x, **state, "momentum": float(momentum)}
    return mean_then_variance(update_instance_stats, name, given)
