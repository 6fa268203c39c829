"""Draw the cases of an exercise from a seed."""

import zlib

import numpy as np

from normlab.exercises.exercise import Exercise
from normlab.tasks.case import Case


def draw_cases(exercise: Exercise, seed: int) -> list[Case]:
    """Draw the cases of an exercise; the same seed gives the same cases.

    A seed is at least 0. Each exercise has its own stream, so equal seeds do not mean equal
    numbers. A case comes after the one that it is based on.
    """
    stream = zlib.crc32(exercise.name.encode())
    return exercise.draw(np.random.default_rng([seed, stream]))
