"""Lesson 2: a linear layer with BatchNorm behind it, which makes its bias idle."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import distinct_values, only, scales, shifts


def linear_then_batch_norm(x, linear_weight, linear_bias, weight, bias, eps):
    z = x @ linear_weight.T  # (N, C), without the bias
    n = len(z)
    mean = z.mean(axis=0)  # (C,)
    var = ((z - mean) ** 2).sum(axis=0) / n  # (C,)
    x_hat = (z - mean) / np.sqrt(var + eps)  # (N, C)
    y = weight * x_hat + bias  # (N, C)
    return y, mean + linear_bias, var


def cases(rng: np.random.Generator) -> Cases:
    """Draw one linear layer with no bias, with a bias, and with a bias of 10^17.

    One has as many inputs as outputs, where transposing changes no shape. What the output should be
    is derived from the case with no bias: a slip in BatchNorm itself costs the first aspect and not
    those about the bias.
    """
    for samples, inputs, outputs in ((4, 2, 2), (5, 4, 3)):
        base = {
            "x": distinct_values(rng, (samples, inputs)),
            "linear_weight": scales(rng, outputs * inputs).reshape(outputs, inputs),
            "linear_bias": np.zeros(outputs),
            "weight": scales(rng, outputs),
            "bias": shifts(rng, outputs),
            "eps": float(rng.integers(20, 90)),
        }
        ordinary = {**base, "linear_bias": shifts(rng, outputs)}
        # float64 has 16 digits: beside 10^17, none of them is left for the layer's output.
        huge = {**base, "linear_bias": np.resize([1e17, -2e17, 3e17], outputs)}
        name = f"x {(samples, inputs)}, linear_weight {(outputs, inputs)}"
        zero = f"{name}, linear_bias 0"
        own = (zero, only("y"))
        yield Case(zero, ("output",), base)
        yield Case(f"{name}, linear_bias not 0", ("unmoved", "mean", "variance"), ordinary, *own)
        yield Case(f"{name}, linear_bias about 10^17", ("huge",), huge, *own, rounding=True)
