"""Give a block its two branches and its norms, as functions."""

from collections.abc import Callable

import numpy as np

COUNTS = {"pre": 2, "post": 2, "sandwich": 4, "out": 2, "parallel": 1}


def use(
    answer: Callable,
    x: np.ndarray,
    attention: np.ndarray,
    mlp: np.ndarray,
    biases: np.ndarray,
    weights: np.ndarray,
    place: str,
) -> np.ndarray:
    """Run the block on x (T, D); branches have matrices (D, D) and a bias, norms a weight (D,)."""
    branches = [_branch(*one) for one in zip((attention, mlp), biases, strict=True)]
    norms = [_rms_norm(weight) for weight in weights[: COUNTS[place]]]
    return answer(x, *branches, norms, place)


def _branch(matrix: np.ndarray, bias: np.ndarray) -> Callable:
    return lambda x: np.maximum(x @ matrix + bias, 0.1 * x)  # (T, D)


def _rms_norm(weight: np.ndarray) -> Callable:
    return lambda x: weight * x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6)  # (T, D)
