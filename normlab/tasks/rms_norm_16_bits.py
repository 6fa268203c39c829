"""Lesson 14: RMSNorm of a model in 16 bits, whose file holds the weight, or the weight less 1."""

from collections.abc import Iterator

import numpy as np

from normlab.tasks.case import Arguments, Case
from normlab.tasks.drawing import distinct_values, shape_name


def rms_norm_16_bits(x, weight, offset, eps):
    wide = x.astype(np.float32)  # (N, D)
    scale = offset + weight.astype(np.float32)  # (D,)
    mean_square = (wide**2).mean(axis=-1, keepdims=True)  # (N, 1)
    x_hat = wide / np.sqrt(mean_square + eps)  # (N, D)
    y = scale * x_hat
    return y.astype(np.float16)


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """Draw ordinary rows, loud ones, silent ones, and some that ask for the last bit."""
    for shape in ((2, 3), (4, 4)):
        name, x = shape_name(shape), distinct_values(rng, shape) + 0.5
        plain = {"weight": _spread(rng, shape[1], 1.6, 3.0), "offset": 0, "eps": 1e-5}
        less_1 = {"weight": _spread(rng, shape[1], -0.9, 0.9), "offset": 1, "eps": 1e-5}
        eps = float(rng.integers(20, 90))
        yield _case(f"{name}, offset 0", "values", x, plain)
        yield _case(f"{name}, offset 1", "offset", x, less_1)
        yield _case(f"{name}, offset 0, eps {eps:g}", "values", x, {**plain, "eps": eps})
        yield _case(f"{name}, some hundreds", "loud", x + 400.0, plain)
        silent = np.concatenate([x, np.zeros_like(x[:1])])
        yield _case(
            f"{name}, and a row of zeros, eps 1e-8", "silent", silent, {**plain, "eps": 1e-8}
        )
    for offset in (0, 1):
        yield _last_bit(rng, (3, 8), offset)


def _spread(rng: np.random.Generator, size: int, low: float, high: float) -> np.ndarray:
    """Draw different numbers between two."""
    return low + (high - low) * (rng.permutation(size) + rng.uniform(0.2, 0.8, size)) / size


def _case(name: str, aspect: str, x: np.ndarray, others: Arguments) -> Case:
    return Case(name, (aspect,), _in_half(x, others), tolerance=3e-3)


def _in_half(x: np.ndarray, others: Arguments) -> Arguments:
    given = {"x": x.astype(np.float16), **others}
    return {**given, "weight": np.asarray(others["weight"], np.float16)}


def _last_bit(rng: np.random.Generator, shape: tuple[int, int], offset: int) -> Case:
    """Draw weights with which it is clear how an answer is rounded, and early casts spoil some."""
    x = (distinct_values(rng, shape) + 0.5).astype(np.float16)
    x_hat = x / np.sqrt((x.astype(float) ** 2).mean(axis=-1, keepdims=True) + 1e-5)  # float64
    weight = [_telling_weight(rng, column, offset) for column in x_hat.T]
    arguments = _in_half(x, {"weight": np.array(weight), "offset": offset, "eps": 1e-5})
    return Case(f"{shape_name(shape)}, offset {offset}, to the last bit", ("last",), arguments)


def _telling_weight(rng: np.random.Generator, x_hat: np.ndarray, offset: int) -> np.float16:
    """Draw weights until none of the products (N,) lies half-way between two float16 numbers.

    And until an early cast spoils one of them; where x_hat is nearly a float16 by itself, none can.
    """
    clear, attempt = False, 0
    while not clear:
        attempt += 1
        weight = np.float16(rng.uniform(0.003, 0.4) + 1 - offset)
        exact = (offset + float(weight)) * x_hat  # (N,)
        step = np.spacing(np.abs(exact).astype(np.float16)).astype(float)
        early = x_hat.astype(np.float16) * np.float16(offset + float(weight))
        spoiled = (early != exact.astype(np.float16)).any() or attempt > 100
        clear = spoiled and (np.abs(exact / step - np.floor(exact / step) - 0.5) > 0.05).all()
    return weight
