"""Lesson 8: a mixture of three norms: SwitchableNorm (Luo and others, 2019) without softmax."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import NO_EPS, distinct_values, eps_over, fresh, learned, with_affine


def switchable_norm(x, mean_shares, var_shares, weight, bias, eps):
    three = ((2, 3), (1, 2, 3), (0, 2, 3))  # the axes of InstanceNorm, LayerNorm, BatchNorm
    means = [x.mean(axis=axes, keepdims=True) for axes in three]
    variances = [x.var(axis=axes, keepdims=True) for axes in three]
    mean = sum(share * one for share, one in zip(mean_shares, means, strict=True))  # (N, C, 1, 1)
    var = sum(share * one for share, one in zip(var_shares, variances, strict=True))
    x_hat = (x - mean) / np.sqrt(var + eps)  # (N, C, H, W)
    weight, bias = weight.reshape(-1, 1, 1), bias.reshape(-1, 1, 1)
    return weight * x_hat + bias


def cases(rng: np.random.Generator) -> Cases:
    """Draw images; each norm alone, mixed means, mixed variances, then weight and bias."""
    yield from _in_steps(rng, (2, 3, 1, 3))
    yield from _in_steps(rng, (3, 2, 3, 2))
    yield from _in_steps(rng, (2, 4, 2, 5))


def _in_steps(rng: np.random.Generator, shape: tuple[int, ...]) -> Cases:
    spread = 2.0 ** rng.permutation(np.arange(shape[0] * shape[1]) % 4).reshape(*shape[:2], 1, 1)
    level = 5 * distinct_values(rng, (*shape[:2], 1, 1))
    x = spread * distinct_values(rng, shape) + level
    name, channels = str(shape), shape[1]
    mixed, other = (rng.permutation([0.2, 0.3, 0.5]) for _ in range(2))
    while (mixed == other).any():
        other = rng.permutation(other)

    def case(what: str, aspect: str, mean_shares: np.ndarray, var_shares: np.ndarray) -> Case:
        shares = {"mean_shares": mean_shares, "var_shares": var_shares}
        given = {"x": x, **shares, **fresh(channels), "eps": NO_EPS}
        return Case(f"{name}, {what}", (aspect,), given)

    for alone, norm in zip(np.eye(3), ("instance", "layer", "batch"), strict=True):
        yield case(f"{norm} alone", norm, alone, alone)
    yield case("mixed means", "means", mixed, np.eye(3)[1])
    yield case("mixed variances", "variances", np.eye(3)[1], mixed)
    both = case("both mixed", "variances", mixed, other)
    eps = float(rng.integers(2, 9)) * 100
    yield from (both, both.then(eps_over(2, 3), f"{both.name}, eps {eps:g}", "eps", eps=eps))
    done = f"{both.name}, weight and bias"
    yield both.then(with_affine, done, "affine", **learned(rng, channels))
