"""Lesson 6: fold LayerNorm's weight and bias into the linear layer behind it."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import scales, shifts


def fold_layer_norm(norm_weight, norm_bias, linear_weight, linear_bias):
    folded_weight = linear_weight * norm_weight  # (O, D)
    passed_on = linear_weight @ norm_bias  # (O,)
    folded_bias = passed_on + linear_bias  # (O,)
    return folded_weight, folded_bias


def cases(rng: np.random.Generator) -> Cases:
    """Draw a LayerNorm that only scales, one that only shifts, and one that does both.

    Some layers are square, where a wrong axis raises no error.
    """
    for outputs, inputs in ((2, 2), (3, 3), (2, 4), (5, 3)):
        weight = scales(rng, outputs * inputs).reshape(outputs, inputs)
        bias = shifts(rng, outputs)
        norm = {"norm_weight": scales(rng, inputs), "norm_bias": 10 * shifts(rng, inputs)}
        both = {**norm, "linear_weight": weight, "linear_bias": bias}
        name = f"linear_weight {(outputs, inputs)}"
        yield Case(f"{name}, norm_bias 0", ("weight",), {**both, "norm_bias": np.zeros(inputs)})
        no_bias = {**both, "linear_bias": np.zeros(outputs)}
        alone = Case(f"{name}, linear_bias 0", ("passed",), no_bias)
        yield alone
        yield alone.then(_plus_linear_bias, name, "weight", "linear", linear_bias=bias)


def _plus_linear_bias(own: Outputs, arguments: Arguments) -> Outputs:
    """From a linear layer without bias to one with."""
    return {"folded_bias": own["folded_bias"] + arguments["linear_bias"]}
