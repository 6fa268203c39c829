"""Lesson 14: the gated RMSNorm of Mamba-2, in groups of features."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import NO_EPS, distinct_values, scales, times


def gated_rms_norm(x, gate, weight, groups, eps):
    silu = gate / (1 + np.exp(-gate))  # (B, T, D)
    open_part = x * silu
    parts = open_part.reshape(*x.shape[:2], groups, -1)  # (B, T, groups, D / groups)
    mean_square = (parts**2).mean(axis=-1, keepdims=True)  # (B, T, groups, 1)
    x_hat = parts / np.sqrt(mean_square + eps)
    y = x_hat.reshape(x.shape)
    return weight * y


def cases(rng: np.random.Generator) -> Cases:
    """Draw gates that are nearly shut and wide open, in features of very different sizes."""
    for shape, groups in (((2, 3, 4), 2), ((1, 2, 6), 3), ((2, 2, 4), 2)):
        features = shape[-1]
        loudness = np.repeat(4.0 ** rng.permutation(groups), features // groups)
        x = (distinct_values(rng, shape) + 0.5) * loudness
        gate = rng.permuted(np.linspace(-3, 3.1, x.size)).reshape(shape)
        eps, weight = float(rng.integers(20, 90)), scales(rng, features)
        given = {"x": x, "gate": gate, "weight": np.ones(features), "groups": 1, "eps": NO_EPS}
        name = str(shape)
        one = f"{name}, one group"
        bare = Case(f"{one}, weight 1", ("gate",), given)
        yield bare
        yield Case(f"{name}, {groups} groups, weight 1", ("groups",), {**given, "groups": groups})
        yield bare.then(times("weight"), f"{one}, weight", "weight", weight=weight)
        yield Case(f"{one}, eps {eps:g}", ("weight",), {**given, "eps": eps})
