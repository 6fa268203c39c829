"""Lesson 3: running statistics that are the plain average of all batches so far."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import batch_values, state_of


def average_so_far(x, running_mean, running_var, num_batches_tracked):
    n = len(x)
    count = num_batches_tracked + 1
    momentum = 1 / count
    mean = x.mean(axis=0)  # (C,)
    var = ((x - mean) ** 2).sum(axis=0) / (n - 1)  # (C,)

    def moved(old, new):
        return (1 - momentum) * old + momentum * new

    return moved(running_mean, mean), moved(running_var, var)


def cases(rng: np.random.Generator) -> Cases:
    """Draw a first batch, and batches after others."""
    for shape, before in (((3, 2), 0), ((3, 2), 3), ((5, 4), 1), ((4, 3), 8)):
        channels = shape[1]
        x = batch_values(rng, shape) * (1 + np.arange(channels) / 7)  # no two spreads alike
        start = {"running_mean": np.zeros(channels), "running_var": np.ones(channels)}
        state = state_of(rng, channels) if before else start
        name = f"{shape}, after {before} batches"
        given = {"x": x, **state, "num_batches_tracked": before}
        means = Case(name, ("share",) if before else ("first",), given)
        yield from (means, means.then(_shared, f"{name}: the variance", "variance"))


def _shared(own: Outputs, arguments: Arguments) -> Outputs:
    """Mix the variances as the learner mixed the first channel's means."""
    x, old = arguments["x"], arguments["running_mean"]
    way = x.mean(0) - old
    share = ((own["running_mean"] - old) * way).sum() / (way**2).sum()
    if not np.allclose(own["running_mean"], old + share * way):  # not mixed at all
        return {}
    return {"running_var": (1 - share) * arguments["running_var"] + share * x.var(0, ddof=1)}
