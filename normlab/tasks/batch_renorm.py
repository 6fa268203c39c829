"""Lesson 3: batch renormalization, training towards what evaluation will do."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import distinct_values, fresh, learned, with_affine


def batch_renorm(x, running_mean, running_var, weight, bias, eps, r_max, d_max):
    n = len(x)
    mean = x.mean(axis=0)  # (C,)
    var = ((x - mean) ** 2).sum(axis=0) / n  # (C,)
    std = np.sqrt(var + eps)  # (C,), the batch's
    running_std = np.sqrt(running_var + eps)  # (C,)
    r = np.clip(std / running_std, 1 / r_max, r_max)  # (C,)
    d = np.clip((mean - running_mean) / running_std, -d_max, d_max)  # (C,)
    x_hat = (x - mean) / std * r + d  # (N, C)
    return weight * x_hat + bias  # (N, C)


def cases(rng: np.random.Generator) -> Cases:
    """Draw running statistics near the batch's, and such that r or d or both are at a limit.

    The last are derived from one before, so a slip in the affine step costs that alone.
    """
    for shape in ((4, 4), (6, 4)):
        channels = shape[1]
        x = distinct_values(rng, shape) * rng.permutation([1.0, 1.5, 2.0, 3.0])
        mean, std, signs = x.mean(0), x.std(0), np.resize([1.0, -1.0], channels)
        small = rng.permutation(np.linspace(0.7, 1.4, channels))
        # For r and for d: one channel below the lower limit, one above the upper, two between.
        large = rng.permutation([0.25, 0.85, 1.2, 4.0])
        near = {
            "x": x,
            "running_mean": mean - signs * std * rng.permutation(np.linspace(0.2, 0.6, channels)),
            "running_var": (std / small) ** 2,
            **fresh(channels),
            "eps": 1e-12,
            "r_max": 2.0,
            "d_max": 3.0,
        }
        off = std / large
        wide = {**near, "running_var": off**2, "running_mean": mean - signs * off * 0.5}
        far = {**near, "running_mean": mean - rng.permutation([-5.0, -1.0, 2.0, 6.0]) * std / small}
        both = {**wide, "running_mean": mean - rng.permutation([-5.0, -1.0, 2.0, 6.0]) * off}
        eps = float(rng.integers(2, 5)) * round(float(x.var()), 1) / 100
        name = str(shape)
        yield Case(f"{name}, no limit reached", ("inside",), near)
        yield Case(f"{name}, r at its limits", ("r",), wide)
        yield Case(f"{name}, d at its limits", ("d",), far)
        yield Case(f"{name}, both at their limits", ("r", "d"), both)
        with_eps = Case(f"{name}, both, and eps {eps:g}", ("eps",), {**both, "eps": eps})
        affine = learned(rng, channels)
        yield with_eps
        yield with_eps.then(_if_limited, f"{name}, weight and bias", "affine", **affine)


def _if_limited(own: Outputs, arguments: Arguments) -> Outputs:
    """Expect weight and bias on the learner's own; where no limit is kept, on what is right."""
    x, std = arguments["x"], np.sqrt(arguments["running_var"] + arguments["eps"])
    if np.allclose(own["y"], (x - arguments["running_mean"]) / std):
        return {}
    return with_affine(own, arguments)
