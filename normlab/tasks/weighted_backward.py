"""Lesson 4: the backward pass of BatchNorm in which samples count for more, or not at all."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases
from normlab.tasks.drawing import distinct_values, offset_values, scales, shape_name, times


def weighted_backward(dy, x, sample_weight, weight, eps):
    share = (sample_weight / sample_weight.sum())[:, np.newaxis]  # (N, 1), adds up to 1
    mean = (share * x).sum(axis=0)  # (C,)
    var = (share * (x - mean) ** 2).sum(axis=0)  # (C,)
    std = np.sqrt(var + eps)  # (C,)
    x_hat = (x - mean) / std  # (N, C)
    g = dy * weight  # (N, C)
    by_mean = share * g.sum(axis=0)  # (N, C)
    by_var = share * x_hat * (g * x_hat).sum(axis=0)  # (N, C)
    return (g - by_mean - by_var) / std


def cases(rng: np.random.Generator) -> Cases:
    """Draw gradients that travel on one road, or on all; one of the samples does not count."""
    for shape in ((4, 2), (5, 5), (7, 3)):
        yield from _road_by_road(rng, shape)


def _road_by_road(rng: np.random.Generator, shape: tuple[int, int]) -> Cases:
    samples, channels = shape
    sample_weight = rng.choice(np.arange(1, 12), samples, replace=False) / 2
    sample_weight[rng.integers(samples)] = 0.0
    given = {
        "x": offset_values(rng, shape, apart=10),
        "sample_weight": sample_weight,
        "weight": np.ones(channels),
    }
    eps = float(rng.integers(5, 20)) * round(float(given["x"].var()), 1) / 10
    share = (sample_weight / sample_weight.sum())[:, None]
    centred = given["x"] - (share * given["x"]).sum(0)
    any_dy = distinct_values(rng, shape)
    straight, level, along = _apart(any_dy, centred)

    def ask(dy: np.ndarray, weight: np.ndarray = given["weight"], eps: float = 1e-12) -> Arguments:
        return {"dy": dy, **given, "weight": weight, "eps": eps}

    name = shape_name(shape)
    bare = f"{name}, dy any numbers"
    yield Case(f"{name}, on neither road", ("straight",), ask(straight))
    yield Case(f"{name}, through the mean", ("mean",), ask(straight + level))
    yield Case(f"{name}, through the variance", ("variance",), ask(straight + along))
    yield Case(bare, (), ask(any_dy))
    yield Case(f"{bare}, eps {eps:g}", ("eps",), ask(any_dy, eps=eps))
    learned = ask(any_dy, scales(rng, channels))
    yield Case(f"{bare}, with weight", ("weight",), learned, bare, times("weight", "dx"))


def _apart(dy: np.ndarray, centred: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split dy into what touches no road, what touches the mean's alone, and the variance's."""
    ones = np.ones_like(dy)
    level = ones - (centred.sum(0) / (centred**2).sum(0)) * centred
    along = centred - centred.mean(0)
    straight = dy.copy()
    for one in (ones, along):  # orthogonal to each other
        straight -= (straight * one).sum(0) / (one**2).sum(0) * one
    return straight, 3 * level, along
