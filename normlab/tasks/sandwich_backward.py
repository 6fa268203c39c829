"""Lesson 14: the backward pass of one step of a sandwich, y = x + N2(N1(x) W)."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import distinct_values, scales


def sandwich_backward(dy, x, matrix, weight_1, weight_2, eps):
    r = 1 / np.sqrt((x**2).mean(axis=-1, keepdims=True) + eps)  # (T, 1)
    x_hat = x * r  # (T, D)
    read = weight_1 * x_hat
    branch = read @ matrix  # (T, D)
    s = 1 / np.sqrt((branch**2).mean(axis=-1, keepdims=True) + eps)  # (T, 1)
    branch_hat = branch * s
    dweight_2 = (dy * branch_hat).sum(axis=0)  # (D,)
    g = dy * weight_2  # (T, D)
    dbranch = s * (g - branch_hat * (g * branch_hat).mean(axis=-1, keepdims=True))
    dmatrix = read.T @ dbranch  # (D, D)
    dread = dbranch @ matrix.T  # (T, D)
    dweight_1 = (dread * x_hat).sum(axis=0)  # (D,)
    h = dread * weight_1  # (T, D)
    through = r * (h - x_hat * (h * x_hat).mean(axis=-1, keepdims=True))
    dx = dy + through
    return dx, dmatrix, dweight_1, dweight_2


def cases(rng: np.random.Generator) -> Cases:
    """Draw streams, as many tokens as features and other numbers of them; eps can be seen."""
    aspects = ("dweight_2", "dmatrix", "dweight_1", "dx")
    for shape in ((2, 3), (3, 3), (4, 2)):
        features = shape[1]
        arguments = {
            "dy": distinct_values(rng, shape) + 0.5,
            "x": distinct_values(rng, shape) + 0.5,
            "matrix": distinct_values(rng, (features, features)) / features**2 + 0.1,
            "weight_1": scales(rng, features),
            "weight_2": scales(rng, features),
            "eps": float(rng.integers(2, 9)),
        }
        yield Case(f"{shape}", aspects, arguments)
