"""Lesson 15: InstanceNorm that is told a map of labels, a scale and shift for each pixel."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import NO_EPS, distinct_values, eps_over


def spade(x, label_map, gain, bias, eps):
    pixels = (2, 3)
    mean = x.mean(axis=pixels, keepdims=True)  # (N, C, 1, 1)
    var = x.var(axis=pixels, keepdims=True)  # (N, C, 1, 1)
    x_hat = (x - mean) / np.sqrt(var + eps)  # (N, C, H, W)
    times = x.shape[2] // label_map.shape[1]
    labels = label_map.repeat(times, axis=1).repeat(times, axis=2)  # (N, H, W)
    scale, shift = 1 + gain[labels], bias[labels]  # (N, H, W, C) each
    scale, shift = np.moveaxis(scale, -1, 1), np.moveaxis(shift, -1, 1)  # (N, C, H, W)
    return x_hat * scale + shift  # (N, C, H, W)


def cases(rng: np.random.Generator) -> Cases:
    """Draw images that are told nothing, then with an eps, then told a map.

    There are square maps of the image's size and of half of it, and a wide one.
    """
    for shape, times in (((2, 3, 4, 4), 2), ((3, 2, 2, 4), 2), ((2, 3, 3, 3), 1)):
        samples, channels, height, width = shape
        size = (samples, height // times, width // times)
        label_map = rng.permutation(np.resize(np.arange(samples * 4), size).ravel()).reshape(size)
        kinds = samples * 4
        x = distinct_values(rng, shape) + 5 * rng.permutation(samples)[:, None, None, None]
        eps = float(rng.integers(100, 400))
        silent = np.zeros((kinds, channels))
        given = {"x": x, "label_map": label_map, "gain": silent, "bias": silent, "eps": NO_EPS}
        gain, bias = distinct_values(rng, (2, kinds, channels)) / 20 + 0.03
        name = f"{shape}, map {size}"
        bare = Case(f"{name}, tables of 0", ("norm",), given)
        large = bare.then(eps_over(2, 3), f"{bare.name}, eps {eps:g}", "eps", eps=eps)
        aspect = "enlarged" if times > 1 else "told"
        yield from (bare, large)
        yield large.then(_told, f"{name}, eps {eps:g}", aspect, gain=gain, bias=bias)


def _told(own: Outputs, arguments: Arguments) -> Outputs:
    """From tables of zeros to others."""
    times = arguments["x"].shape[2] // arguments["label_map"].shape[1]
    labels = np.kron(arguments["label_map"], np.ones((1, times, times), int))
    gain, bias = (arguments[name][labels].transpose(0, 3, 1, 2) for name in ("gain", "bias"))
    return {"y": own["y"] * (1 + gain) + bias}
