"""Lesson 4: the gradients of BatchNorm's weight and bias, for vectors and images."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import same
from normlab.tasks.drawing_backward import any_numbers, first_channel_alone, pixels_as_rows


def batch_norm_backward_parameters(dy, x, mean, var, x_hat, weight, eps):
    slope = x_hat  # of weight * x_hat + bias, with respect to weight
    others = (0, *range(2, x.ndim))  # all axes but the channels'
    dweight = (dy * slope).sum(axis=others)  # (C,)
    dbias = dy.sum(axis=others)  # (C,)
    return dweight, dbias


def cases(rng: np.random.Generator) -> Cases:
    """Draw matrices, one of them square, and images with as many columns as channels.

    What an image should give follows from the learner's own answer on its pixels as rows.
    """
    for shape in ((3, 2), (4, 4), (5, 3)):
        yield Case(str(shape), ("dweight", "dbias"), any_numbers(rng, shape))
    yield from first_channel_alone(rng, ("dweight", "dbias"))
    for sizes in ((2, 3, 2, 3), (3, 2, 1, 4)):
        images, name = any_numbers(rng, sizes), str(sizes)
        rows = Case(f"the pixels of {name} as rows", (), pixels_as_rows(images))
        yield from (rows, rows.then(same, f"images {name}", "images", **images))
