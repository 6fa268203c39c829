"""Lesson 3: the forward pass of BatchNorm in evaluation mode."""

from typing import Any

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import (
    NO_EPS,
    batch_values,
    faint_values,
    no_eps_at_all,
    part,
    scales,
    shape_name,
    shifts,
    state_of,
    with_affine,
    with_eps,
)


def batch_norm_eval(x, running_mean, running_var, weight, bias, eps):
    mean, var = running_mean, running_var  # (C,), (C,)
    x_hat = (x - mean) / np.sqrt(var + eps)  # (N, C)
    return weight * x_hat + bias  # (N, C)


def cases(rng: np.random.Generator) -> Cases:
    """Draw batches with running statistics that are not theirs; at last some that are."""
    yield from _four_cases(rng, (3, 2))
    yield from _four_cases(rng, (5, 4))
    yield _hardly_varies(rng, (4, 3))


def _four_cases(rng: np.random.Generator, shape: tuple[int, int]) -> Cases:
    """Draw one x without eps, with eps, with weight and bias, and one of its samples alone.

    Each is derived from the one before, so a slip costs the aspect that it belongs to.
    """
    name, channels = shape_name(shape), shape[1]
    eps = float(rng.integers(10, 40)) / 2
    plain: dict[str, Any] = {
        "x": batch_values(rng, shape),
        **state_of(rng, channels),
        "weight": np.ones(channels),
        "bias": np.zeros(channels),
        "eps": NO_EPS,
    }
    affine = {**plain, "weight": scales(rng, channels), "bias": shifts(rng, channels), "eps": eps}
    row = int(rng.integers(shape[0]))
    bare, large, whole = (
        f"{name}, {what}" for what in ("weight 1, bias 0", f"eps {eps:g}", "weight and bias")
    )
    yield Case(bare, ("statistics",), plain)
    small = {key: plain[key] / 100 for key in ("x", "running_mean")}
    small["running_var"] = plain["running_var"] / 1e4
    yield from no_eps_at_all(bare, {**plain, **small})
    yield Case(large, ("eps",), {**plain, "eps": eps}, bare, with_eps)
    yield Case(whole, ("affine",), affine, large, with_affine)
    name = f"{name}, sample {row} alone"
    yield Case(name, ("alone",), {**affine, "x": affine["x"][[row]]}, whole, part([row]))


def _hardly_varies(rng: np.random.Generator, shape: tuple[int, int]) -> Case:
    """Draw a batch that hardly varies, and running statistics to match; one channel never varied.

    So it does not matter here whose statistics are used, and only the eps shows.
    """
    x, eps = faint_values(rng, shape, np.s_[:, -1])
    arguments = {
        "x": x,
        "running_mean": x.mean(0),
        "running_var": x.var(0),
        "weight": np.ones(shape[1]),
        "bias": np.zeros(shape[1]),
        "eps": eps,
    }
    return Case(f"{shape_name(shape)}, hardly any variation, eps {eps:g}", ("eps",), arguments)
