"""Lesson 9: scaled weight standardization (Qiao and others, 2019; Brock and others, 2021)."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import NO_EPS, distinct_values, eps_over, last_is_0, scales, times


def standardize_kernels(v, gain, eps):
    kernel = (1, 2, 3)  # all that one output adds up
    fan_in = v[0].size
    mean = v.mean(axis=kernel, keepdims=True)  # (O, 1, 1, 1)
    var = ((v - mean) ** 2).sum(axis=kernel, keepdims=True) / fan_in  # (O, 1, 1, 1)
    w = (v - mean) / np.sqrt(fan_in * var + eps)
    gain = gain.reshape(-1, 1, 1, 1)
    return gain * w  # (O, I, H, W)


def cases(rng: np.random.Generator) -> Cases:
    """Draw kernels of every size, each output about a mean of its own.

    Without eps, with eps, with a gain; and with one output that is all the same.
    """
    for shape in ((2, 3, 1, 1), (3, 2, 2, 3), (4, 3, 3, 4)):
        outputs = shape[0]
        level = 7 * distinct_values(rng, (outputs, 1, 1, 1))
        spread = 2.0 ** rng.permutation(outputs).reshape(-1, 1, 1, 1)
        v, ones = spread * distinct_values(rng, shape) + level, np.ones(outputs)
        eps, gain = float(rng.integers(5, 20)) * 100, scales(rng, outputs)
        flat = v.copy()
        flat[-1] = 0.0
        name = str(shape)
        bare = Case(f"{name}, gain 1", ("kernel",), {"v": v, "gain": ones, "eps": NO_EPS})
        large = bare.then(eps_over(1, 2, 3), f"{name}, gain 1, eps {eps:g}", "eps", eps=eps)
        yield from (bare, large)
        yield large.then(last_is_0, f"{large.name}, one output all 0", "eps", v=flat)
        yield large.then(times("gain", "w", 0), f"{name}, eps {eps:g}", "gain", gain=gain)
