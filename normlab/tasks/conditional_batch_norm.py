"""Lesson 15: BatchNorm whose scale and shift are looked up for each sample's class."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import NO_EPS, distinct_values, with_eps


def conditional_batch_norm(x, labels, gain, bias, eps):
    axes = (0, 2, 3)  # they share one mean
    mean = x.mean(axis=axes, keepdims=True)  # (1, C, 1, 1)
    var = x.var(axis=axes, keepdims=True)  # (1, C, 1, 1)
    x_hat = (x - mean) / np.sqrt(var + eps)  # (N, C, H, W)
    scale, shift = 1 + gain[labels], bias[labels]  # (N, C) each
    scale, shift = scale[:, :, np.newaxis, np.newaxis], shift[:, :, np.newaxis, np.newaxis]
    return x_hat * scale + shift  # (N, C, H, W)


def cases(rng: np.random.Generator) -> Cases:
    """Draw a batch that is told nothing, then with an eps, then told its classes.

    The classes come in no order; once there are as many as samples.
    """
    for shape, labels, classes in (((4, 3, 2, 3), [2, 0, 2, 4], 5), ((3, 3, 2, 2), [1, 2, 1], 3)):
        channels = shape[1]
        means = rng.permutation(shape[0])[:, None, None, None] * 7.0
        x = distinct_values(rng, shape) + means
        eps = float(rng.integers(100, 400))
        silent = np.zeros((classes, channels))
        given = {"x": x, "labels": np.array(labels), "gain": silent, "bias": silent, "eps": NO_EPS}
        gain, bias = distinct_values(rng, (2, classes, channels)) / 10 + 0.05
        name = f"{shape}, classes {labels}"
        bare = Case(f"{name}, tables of 0", ("norm",), given)
        large = bare.then(with_eps, f"{bare.name}, eps {eps:g}", "eps", eps=eps)
        yield from (bare, large)
        yield large.then(_told, f"{name}, eps {eps:g}", "told", gain=gain, bias=bias)


def _told(own: Outputs, arguments: Arguments) -> Outputs:
    """From tables of zeros to others."""
    gain, bias = (arguments[k][arguments["labels"]][:, :, None, None] for k in ("gain", "bias"))
    return {"y": own["y"] * (1 + gain) + bias}
