"""Lesson 13: keep the test rows out of the statistics."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import distinct_values


def split_and_standardize(x, size):
    parts = []
    for part, rows in ((x[:size], x[:size]), (x[size:], x[:size])):
        n = len(rows)
        mean = rows.mean(0)  # (F,)
        var = ((rows - mean) ** 2).sum(0) / (n - 1)  # (F,)
        parts.append((part - mean) / var.sqrt())
    return tuple(parts)


def cases(rng: np.random.Generator) -> Cases:
    """Draw tables, and each with test rows that lie elsewhere."""
    for rows, features, size in ((7, 3, 5), (12, 2, 8)):
        x = distinct_values(rng, (rows, features)) + rng.integers(10, 30, features)
        shifted = x.copy()
        shifted[size:] += 100
        for values, told in ((x, ""), (shifted, ", test rows shifted by 100")):
            name = f"{x.shape}, size {size}{told}"
            yield Case(name, ("train", "test", "sizes"), {"x": values, "size": size})
