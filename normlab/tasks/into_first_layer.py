"""Lesson 1: move the standardization of bytes into a network's first layer."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import scales, shifts


def into_first_layer(linear_weight, linear_bias, mean, std):
    scale = 1 / (255 * std)  # (D,)
    folded_weight = linear_weight * scale  # (C, D)
    shift = mean / std  # (D,)
    folded_bias = linear_bias - linear_weight @ shift  # (C,)
    return folded_weight, folded_bias


def cases(rng: np.random.Generator) -> Cases:
    """Draw layers, one of them square: there a wrong axis raises no error."""
    for outputs, inputs in ((3, 3), (2, 4), (1, 3), (4, 1)):
        name = f"linear_weight {(outputs, inputs)}"
        arguments = {
            "linear_weight": scales(rng, outputs * inputs).reshape(outputs, inputs),
            "linear_bias": shifts(rng, outputs),
            "mean": rng.choice(np.arange(10, 90), inputs, replace=False) / 100,
            "std": rng.choice(np.arange(10, 45), inputs, replace=False) / 100,
        }
        plain = {**arguments, "std": np.ones(inputs)}
        centred = {**arguments, "mean": np.zeros(inputs)}
        yield Case(f"{name}, mean 0", ("weight",), centred)
        yield Case(name, ("weight", "bias"), arguments)
        yield Case(f"{name}, std 1", ("bytes", "bias"), plain)
