"""Lesson 3: update BatchNorm's running statistics."""

import numpy as np

from normlab.tasks.case import Case, Cases, Outputs
from normlab.tasks.drawing import batch_values, mean_then_variance, state_of


def update_running_stats(x, running_mean, running_var, momentum):
    def moved(old, new):
        return (1 - momentum) * old + momentum * new

    mean = x.mean(axis=0)  # (C,)
    n = x.size / mean.size
    new_mean = moved(running_mean, mean)
    var = ((x - mean) ** 2).sum(axis=0) / (n - 1)  # (C,)
    new_var = moved(running_var, var)
    return new_mean, new_var


def cases(rng: np.random.Generator) -> Cases:
    """Draw batches, each with another momentum.

    What is expected of the variance is derived from how the learner's own means were mixed.
    """
    tenths = rng.permutation([2, 3, 4, 6, 7, 8])
    for shape, tenth in zip([(3, 2), (4, 4), (2, 3)], tenths, strict=False):
        yield from _batch(rng, shape, str(shape), state_of(rng, shape[1]), tenth / 10)
    first, momentum = batch_values(rng, (5, 3)), float(tenths[3]) / 10
    after = update_running_stats(first, np.zeros(3), np.ones(3), momentum)
    state = dict(zip(("running_mean", "running_var"), after, strict=True))
    yield from _batch(rng, (5, 3), "the second of two batches", state, momentum)
    yield from _batch(rng, (3, 4), "forget the old", state_of(rng, 4), 1.0)
    yield from _batch(rng, (4, 2), "learn nothing new", state_of(rng, 2), 0.0)
    yield _usual_batch_far_from_zero(rng, (50, 4))


def _batch(
    rng: np.random.Generator, shape: tuple[int, int], name: str, state: Outputs, momentum: float
) -> Cases:
    given = {"x": batch_values(rng, shape), **state, "momentum": float(momentum)}
    return mean_then_variance(update_running_stats, name, given)


def _usual_batch_far_from_zero(rng: np.random.Generator, shape: tuple[int, ...]) -> Case:
    """Draw float32 numbers about 40,000, a batch like all before: so momentum does not matter.

    float32 has 7 digits: 40,000 is exact to 0.004, and its square only to 128. The tolerance is
    what the rounding of a mean of so many float32 numbers may cost.
    """
    x = (40_000 + 3 * rng.normal(size=shape)).astype(np.float32)
    exact = x.astype(np.float64)
    state = {"running_mean": exact.mean(0), "running_var": exact.var(0, ddof=1)}
    arguments = {"x": x, **{k: v.astype(np.float32) for k, v in state.items()}, "momentum": 0.5}
    name = f"{shape} in float32, far from zero"
    return Case(name, ("far",), arguments, tolerance=2e-2, rounding=True)
