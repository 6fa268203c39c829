"""Lesson 7: running statistics for InstanceNorm, if you ask for them."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import distinct_values, shape_name, shifts, state_of, variances


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
        start = {"running_mean": shifts(rng, shape[1]), "running_var": variances(rng, shape[1])}
        yield from _mean_and_variance(rng, shape, shape_name(shape), start, tenth / 10)
    yield from _mean_and_variance(rng, (3, 2, 2, 2), "forget the old", state_of(rng, 2), 1.0)
    yield from _mean_and_variance(rng, (2, 4, 1, 5), "learn nothing new", state_of(rng, 4), 0.0)


def _mean_and_variance(
    rng: np.random.Generator, shape: tuple[int, ...], name: str, state: Outputs, momentum: float
) -> Cases:
    x = distinct_values(rng, shape) + 50 * distinct_values(rng, (*shape[:2], 1, 1))
    arguments = {"x": x + 777, **state, "momentum": float(momentum)}
    name = f"{name}, momentum {momentum:g}"
    yield Case(name, ("momentum",), arguments)
    again = (name, _same_share)
    yield Case(f"{name}: running_var", ("variance",), arguments, *again)


def _same_share(own: Outputs, arguments: Arguments) -> Outputs:
    """From the share of the batch in the learner's mean to the variance with that share."""
    x, old = arguments["x"], arguments["running_mean"]
    shares = (own["running_mean"] - old) / (x.mean((0, 2, 3)) - old)
    if np.ptp(shares) > 1e-6:
        return {}
    old_var, var = arguments["running_var"], x.var((2, 3), ddof=1).mean(0)
    return {"running_var": old_var + shares.mean() * (var - old_var)}
