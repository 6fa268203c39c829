"""Lesson 15: GroupNorm that is told the time, as in a diffusion model's U-Net."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import NO_EPS, distinct_values, shifts


def told_group_norm(h, condition, weight, bias, num_groups, eps):
    active = condition / (1 + np.exp(-condition))  # (N, K): SiLU
    told = active @ weight.T + bias  # (N, 2C)
    scale, shift = np.split(told[:, :, np.newaxis, np.newaxis], 2, axis=1)  # (N, C, 1, 1)
    groups = h.reshape(len(h), num_groups, -1)  # (N, G, C / G * H * W)
    mean = groups.mean(axis=2, keepdims=True)  # (N, G, 1)
    var = groups.var(axis=2, keepdims=True)  # (N, G, 1)
    h_hat = ((groups - mean) / np.sqrt(var + eps)).reshape(h.shape)  # (N, C, H, W)
    return h_hat * (1 + scale) + shift  # (N, C, H, W)


def cases(rng: np.random.Generator) -> Cases:
    """Draw maps that are told nothing, then with an eps, then told something."""
    for shape, groups in (((2, 6, 2, 2), 3), ((3, 8, 1, 3), 2)):
        samples, channels = shape[:2]
        known = 3
        h = distinct_values(rng, shape) + 9 * rng.permutation(channels)[:, None, None]
        eps = float(rng.integers(200, 900))
        something = {
            "condition": distinct_values(rng, (samples, known)) / 4,
            "weight": distinct_values(rng, (2 * channels, known)) / 20,
            "bias": shifts(rng, 2 * channels),
        }
        nothing = {name: np.zeros_like(value) for name, value in something.items()}
        name = f"{shape}, {groups} groups"
        given = {"h": h, **nothing, "num_groups": groups, "eps": NO_EPS}
        bare = Case(f"{name}, told nothing", ("norm",), given)
        large = bare.then(_with_eps, f"{bare.name}, eps {eps:g}", "eps", eps=eps)
        yield from (bare, large, large.then(_told, f"{name}, told something", "told", **something))


def _with_eps(own: Outputs, arguments: Arguments) -> Outputs:
    """From no eps to some: the divisor of each group can be read off the answer."""
    blocks = (len(arguments["h"]), arguments["num_groups"], -1)
    h, y = arguments["h"].reshape(blocks), own["y"].reshape(blocks)
    squared = h.var(2, keepdims=True) / y.var(2, keepdims=True)
    y = y * np.sqrt(squared / (squared + arguments["eps"]))
    return {"y": y.reshape(own["y"].shape)}


def _told(own: Outputs, arguments: Arguments) -> Outputs:
    """From being told nothing to being told something."""
    condition = arguments["condition"]
    told = condition / (1 + np.exp(-condition)) @ arguments["weight"].T + arguments["bias"]
    scale, shift = np.split(told[:, :, None, None], 2, axis=1)
    return {"y": own["y"] * (1 + scale) + shift}
