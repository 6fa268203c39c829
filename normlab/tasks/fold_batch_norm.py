"""Lesson 3: fold BatchNorm, in evaluation mode, into the linear layer before it."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import learned, one_fold_at_a_time, part, scales, shifts, state_of


def fold_batch_norm(linear_weight, linear_bias, running_mean, running_var, weight, bias, eps):
    mean, var = running_mean, running_var  # (C,), (C,)
    scale = weight / np.sqrt(var + eps)  # (C,)
    folded_weight = scale[:, np.newaxis] * linear_weight  # (C, D)
    folded_bias = scale * (linear_bias - mean) + bias  # (C,)
    return folded_weight, folded_bias


def cases(rng: np.random.Generator) -> Cases:
    """Draw two layers; one has as many inputs as outputs, where a wrong axis raises no error."""
    for outputs, inputs in ((2, 2), (3, 4)):
        weight = scales(rng, outputs * inputs).reshape(outputs, inputs)
        layer = {"linear_weight": weight, "linear_bias": shifts(rng, outputs)}
        yield from one_fold_at_a_time(rng, layer, 0, _same_scale)
    # A layer with two outputs, and the first of them alone.
    both = {
        "linear_weight": scales(rng, 6).reshape(2, 3),
        "linear_bias": shifts(rng, 2),
        **state_of(rng, 2),
        **learned(rng, 2),
    }
    first = {key: value[:1] for key, value in both.items()}
    name = "linear_weight (2, 3), with all"
    alone = "linear_weight (1, 3), the first of these outputs"
    two = Case(name, (), {**both, "eps": 0.5})
    yield from (two, two.then(part(np.s_[:1]), alone, "gain", "bias", **first))


def _same_scale(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's folded weight to the bias with the same scales; a right one is right."""
    _, right = fold_batch_norm(**arguments)
    scale = own["folded_weight"] / arguments["linear_weight"]  # (C, D)
    if np.allclose(own["folded_bias"], right) or np.ptp(scale, axis=1).max() > 1e-6:
        return {}
    offset = arguments["linear_bias"] - arguments["running_mean"]
    return {"folded_bias": scale[:, 0] * offset + arguments["bias"]}
