"""Lesson 9: local response normalization, of a value by its neighbours in the channel axis."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import distinct_values


def local_response_norm(x, size, alpha, beta, k):
    x = np.moveaxis(x, 1, 0)  # (C, N, H, W)
    y = np.empty_like(x)
    channels = len(x)
    for c in range(channels):
        first, last = c - size // 2, c + (size - 1) // 2
        window = [x[j] ** 2 for j in range(first, last + 1) if 0 <= j < channels]
        mean_square = sum(window) / size  # (N, H, W)
        y[c] = x[c] / (k + alpha * mean_square) ** beta
    return np.moveaxis(y, 0, 1)  # (N, C, H, W)


def cases(rng: np.random.Generator) -> Cases:
    """Draw every value alone, then among neighbours, and with another beta; N is never C.

    The last windows are wider than C.
    """
    shapes = (((1, 5, 1, 4), 3, 2), ((3, 7, 2, 6), 5, 4), ((2, 3, 1, 2), 5, 4))
    for shape, odd, even in shapes:
        # No 0, and no sum of a window for which k + alpha * m is 0.
        x = distinct_values(rng, shape) + 0.37
        alpha, k = float(rng.integers(3, 9)), float(rng.integers(20, 60))
        beta = float(rng.choice([0.25, 0.4, 0.6, 0.75]))
        name, given = str(shape), {"x": x, "size": 1, "alpha": alpha, "beta": 1.0, "k": k}
        alone = Case(f"{name}, size 1, beta 1", ("formula",), given)
        among = alone.then(_with_neighbours, f"{name}, size {odd}, beta 1", "window", size=odd)
        yield from (alone, among)
        yield alone.then(_with_neighbours, f"{name}, size {even}, beta 1", "even", size=even)
        yield among.then(_with_beta, f"{name}, size {odd}, beta {beta:g}", "beta", beta=beta)


def _with_neighbours(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's answer for a window of one channel to that for a larger one.

    What each value adds to its own divisor, it adds to its neighbours' as well.
    """
    x, k, size = arguments["x"], arguments["k"], arguments["size"]
    added = x / own["y"] - k  # (N, C, H, W)
    padded = np.pad(added, ((0, 0), (size // 2, (size - 1) // 2), (0, 0), (0, 0)))
    total = sum(padded[:, first : first + x.shape[1]] for first in range(size))
    return {"y": x / (k + total / size)}


def _with_beta(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's answer with beta 1 to that with another: read the divisor off."""
    x = arguments["x"]
    return {"y": x / (x / own["y"]) ** arguments["beta"]}
