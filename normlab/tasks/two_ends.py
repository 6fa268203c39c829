"""Lesson 8: LayerNorm and InstanceNorm as the two ends of GroupNorm."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import NO_EPS, distinct_values, fresh, offset_values, with_eps


def two_ends(x, weight, bias, eps):
    def normalized(axes):  # as group_norm_forward does it, with weight 1 and bias 0
        mean = x.mean(axis=axes, keepdims=True)
        n = x.size // mean.size
        var = ((x - mean) ** 2).sum(axis=axes, keepdims=True) / n  # as mean
        return (x - mean) / np.sqrt(var + eps)  # (N, C, H, W)

    x_hat = normalized((1, 2, 3))  # 1 group
    layer = weight * x_hat + bias
    instance = normalized((2, 3))  # C groups
    return layer, instance


def cases(rng: np.random.Generator) -> Cases:
    """Draw images: without eps, with it, with weight and bias."""
    for shape in ((2, 3, 1, 4), (3, 2, 4, 5)):
        x = offset_values(rng, shape, apart=10)
        eps = float(rng.integers(1, 9)) * 100
        weight, bias = distinct_values(rng, (2, *shape[1:])) / 10 + 0.05  # none is 0
        name, both = str(shape), ("elements", "unlearned")
        given = {"x": x, **fresh(shape[1:]), "eps": NO_EPS}
        bare = Case(f"{name}, weight 1, bias 0, eps 0", ("layer", "instance"), given)
        yield from (bare, bare.then(_with_eps, f"{name}, eps {eps:g}", "eps", eps=eps))
        affine = {"weight": weight, "bias": bias}
        yield bare.then(_with_affine, f"{name}, weight and bias", *both, **affine)


def _with_eps(own: Outputs, arguments: Arguments) -> Outputs:
    axes = {"layer": (1, 2, 3), "instance": (2, 3)}
    return {name: with_eps({"y": own[name]}, arguments, axes[name])["y"] for name in axes}


def _with_affine(own: Outputs, arguments: Arguments) -> Outputs:
    return {**own, "layer": own["layer"] * arguments["weight"] + arguments["bias"]}
