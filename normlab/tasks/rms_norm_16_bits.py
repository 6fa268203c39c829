"""Lesson 14: RMSNorm of a model in 16 bits, whose file holds the weight, or the weight less 1."""

from itertools import combinations

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases
from normlab.tasks.drawing import distinct_values


def rms_norm_16_bits(x, weight, offset, eps):
    wide = x.astype(np.float32)  # (N, D)
    scale = offset + weight.astype(np.float32)  # (D,)
    mean_square = (wide**2).mean(axis=-1, keepdims=True)  # (N, 1)
    x_hat = wide / np.sqrt(mean_square + eps)  # (N, D)
    y = scale * x_hat
    return y.astype(np.float16)


def cases(rng: np.random.Generator) -> Cases:
    """Draw ordinary rows, loud ones, silent ones, and some that ask for the last bit."""
    for shape in ((2, 3), (4, 4)):
        name, x = str(shape), distinct_values(rng, shape) + 0.5
        plain = {"weight": _spread(rng, shape[1], 1.6, 3.0), "offset": 0, "eps": 1e-5}
        less_1 = {"weight": _spread(rng, shape[1], -0.9, 0.9), "offset": 1, "eps": 1e-5}
        eps = float(rng.integers(20, 90))
        yield _case(f"{name}, offset 0", "values", x, plain)
        yield _case(f"{name}, offset 1", "offset", x, less_1)
        yield _case(f"{name}, offset 0, eps {eps:g}", "values", x, {**plain, "eps": eps})
        loud = distinct_values(rng, shape) + 400.5  # other than x: a mean subtracted is no idleness
        yield _case(f"{name}, some hundreds", "loud", loud, plain)
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
    """Draw weights with which it is clear how an answer is rounded, and early casts spoil some.

    Below 0.00006 the steps of float16 get no smaller, so its last bit is no small part of an
    answer there: at 350 steps it is far more than what a sum in float32 may be off.
    """
    eps, step = float(rng.integers(20, 90)), 2.0**-24
    numbers = distinct_values(rng, shape) + 0.5
    largest = 240 * step * np.sqrt(eps)  # of x; 240 steps when it is normalized
    x = (numbers * largest / np.abs(numbers).max()).astype(np.float16)
    x_hat = x / np.sqrt((x.astype(float) ** 2).mean(axis=-1, keepdims=True) + eps)  # float64
    weight = [_telling_weight(rng, column, offset) for column in x_hat.T]
    arguments = _in_half(x, {"weight": np.array(weight), "offset": offset, "eps": eps})
    name = f"{shape}, offset {offset}, quiet, to the last bit"
    return Case(name, ("last",), arguments)


def _telling_weight(rng: np.random.Generator, x_hat: np.ndarray, offset: int) -> np.float16:
    """Draw weights until none of the products (N,) lies half-way between two float16 numbers.

    And until an early cast spoils one of them, and another cast another one; where x_hat is too
    small for that, none can.
    """
    clear, attempt, half = False, 0, np.float16
    while not clear:
        attempt += 1
        weight = half(rng.uniform(0.003, 0.4) + 1 - offset)
        scale = offset + float(weight)
        exact, rounded = scale * x_hat, half(scale)  # (N,), and 1 + w as float16 has it
        early, product = scale * half(x_hat).astype(float), half(x_hat) * rounded
        answers = [half(exact), half(early)]
        if offset:
            answers += [half(float(rounded) * x_hat), product]
        differ = all((one != other).any() for one, other in combinations(answers, 2))
        steps = np.abs(exact) * 2.0**24
        clear = (differ or attempt > 300) and bool((np.abs(steps % 1 - 0.5) > 0.005).all())
    return weight
