"""Lesson 2: BatchNorm of a batch in which samples count for more, for less, or not at all."""

from typing import Any

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Derive, Outputs
from normlab.tasks.drawing import (
    NO_EPS,
    offset_values,
    scales,
    shape_name,
    shifts,
    with_affine,
    with_eps,
)

#: From the learner's answer in one case to what follows from it in another.


def weighted_batch_norm(x, sample_weight, weight, bias, eps):
    w = sample_weight[:, np.newaxis]  # (N, 1)
    n = w.sum()
    mean = (w * x).sum(axis=0) / w.sum()  # (C,)
    var = (w * (x - mean) ** 2).sum(axis=0) / n  # (C,)
    x_hat = (x - mean) / np.sqrt(var + eps)  # (N, C)
    y = weight * x_hat + bias  # (N, C)
    return y


def cases(rng: np.random.Generator) -> Cases:
    """Draw batches, one of them square: there weights along the wrong axis raise no error."""
    for shape in ((4, 2), (4, 4), (6, 3)):
        yield from _one_step_at_a_time(rng, shape)


def _one_step_at_a_time(rng: np.random.Generator, shape: tuple[int, int]) -> Cases:
    """Draw one x without eps, with a sample that does not count, with eps, and with all.

    Each is derived from one before, so a slip costs the aspect that it belongs to.
    """
    samples, channels = shape
    plain: dict[str, Any] = {
        "x": offset_values(rng, shape, apart=10),
        "sample_weight": rng.choice(np.arange(1, 10), samples, replace=False) / 2,
        "weight": np.ones(channels),
        "bias": np.zeros(channels),
        "eps": NO_EPS,
    }
    large = {**plain, "eps": float(rng.integers(5, 20)) * round(float(plain["x"].var()), 1) / 10}
    whole = {**large, "weight": scales(rng, channels), "bias": shifts(rng, channels)}
    place = int(rng.integers(samples))
    stranger = offset_values(rng, (1, channels), apart=20)[0] + 0.5
    beside: dict[str, Any] = {
        **plain,
        "x": np.insert(plain["x"], place, stranger, axis=0),
        "sample_weight": np.insert(plain["sample_weight"], place, 0.0),
    }
    bare = f"{shape_name(shape)}, weight 1, bias 0"
    eps = f"{shape_name(shape)}, eps {large['eps']:g}"
    yield Case(bare, ("statistics",), plain)
    yield Case(
        f"{bare}, and sample {place} of weight 0",
        ("absent",),
        beside,
        bare,
        lambda own, arguments: _as_for_the_others(own, arguments, plain["x"]),
    )
    yield Case(eps, ("eps",), large, bare, _if_weighted(with_eps))
    name = f"{shape_name(shape)}, weight and bias"
    yield Case(name, ("affine",), whole, eps, _if_weighted(with_affine))
    # No aspect asks for it: it tells weights that are ignored from weights that are counted as 1.
    both = {key: beside[key] for key in ("x", "sample_weight")}
    yield Case(f"{name}, and sample {place} of weight 0", (), {**whole, **both})


def _as_for_the_others(own: Outputs, arguments: Arguments, others: np.ndarray) -> Outputs:
    """Do to all samples what the learner did to those that count: multiply and shift.

    Not where all channels were multiplied alike: nothing was measured then.
    """
    factor, shift = _of_each_channel(own["y"], others)
    if np.allclose(factor, factor[0]):
        return {}
    return {"y": factor * arguments["x"] + shift}


def _of_each_channel(y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read off what each channel of x, (N, C), was multiplied and shifted by: (C,) and (C,)."""
    columns, least, most = np.arange(x.shape[1]), x.argmin(0), x.argmax(0)
    factor = (y[most, columns] - y[least, columns]) / np.ptp(x, axis=0)
    return factor, y[least, columns] - factor * x.min(0)


def _if_weighted(derive: Derive) -> Derive:
    """Follow the learner where each channel was shifted, and not as if no sample had a weight.

    Without the weights every mean would be 0.
    """

    def step(own: Outputs, arguments: Arguments) -> Outputs:
        y, x = own["y"], arguments["x"]
        factor, shift = _of_each_channel(y, x)
        followed = np.allclose(factor * x + shift, y) and not np.allclose(y.mean(0), 0)
        return derive(own, arguments) if followed else {}

    return step
