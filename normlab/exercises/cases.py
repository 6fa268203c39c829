"""Draw the cases of an exercise from a seed, out of numbers that a person can read."""

import math
import zlib

import numpy as np

from normlab.exercises.exercise import Case, Exercise


def draw_cases(exercise: Exercise, seed: int) -> list[Case]:
    """Draw the cases of an exercise; the same seed gives the same cases.

    Parameters
    ----------
    exercise
        Any entry of the catalogue.
    seed
        At least 0. Each exercise has its own stream, so equal seeds do not mean equal numbers.

    Returns
    -------
    list of Case
        A case comes after the one that it is based on.
    """
    stream = zlib.crc32(exercise.name.encode())
    return exercise.draw(np.random.default_rng([seed, stream]))


def distinct_values(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw whole numbers as floats, no two of them equal.

    Equal numbers could make a variance 0, or two different axes look alike.
    """
    size = math.prod(shape)
    return rng.permutation(np.arange(-2.0 * size, 2 * size + 1))[:size].reshape(shape)


def scales(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw different numbers between 1.5 and 4, some negative: weights that cannot hide."""
    tenths = rng.choice(np.arange(15, 41), size, replace=False)
    signs = rng.permutation(np.resize([1, -1], size))
    return signs * tenths / 10


def shifts(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw different numbers between 0.5 and 9, some negative: biases that cannot hide."""
    tenths = rng.choice(np.arange(5, 91), size, replace=False)
    signs = rng.permutation(np.resize([-1, 1], size))
    return signs * tenths / 10


def shape_name(shape: tuple[int, ...]) -> str:
    """Write a shape as people do: (5, 3)."""
    return f"({', '.join(str(size) for size in shape)})"
