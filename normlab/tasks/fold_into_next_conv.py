"""Lesson 3: fold BatchNorm, in evaluation mode, into the convolution that comes after it."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import NO_EPS, scales, shape_name, shifts, variances


def fold_into_next_conv(conv_weight, conv_bias, running_mean, running_var, weight, bias, eps):
    mean, var = running_mean, running_var  # (C,), (C,)
    scale = weight / np.sqrt(var + eps)  # (C,)
    shift = bias - scale * mean  # (C,), what becomes of x = 0
    folded_weight = conv_weight * scale[:, np.newaxis, np.newaxis]  # (O, C, H, W)
    sums = conv_weight.sum(axis=(2, 3))  # (O, C), over the kernel's places
    folded_bias = conv_bias + sums @ shift  # (O,)
    return folded_weight, folded_bias


def cases(rng: np.random.Generator) -> Cases:
    """Draw kernels; one has all four sizes equal, where a wrong axis raises no error."""
    yield from _four_folds(rng, (2, 2, 2, 2))
    yield from _four_folds(rng, (3, 2, 1, 4))
    yield from _four_folds(rng, (1, 3, 2, 3))


def _four_folds(rng: np.random.Generator, shape: tuple[int, ...]) -> Cases:
    """Draw a norm without eps, with eps, with weight, and ask then for the bias.

    Each is derived from the one before, so a slip costs the aspect that it belongs to.
    """
    outputs, channels = shape[:2]
    size = int(np.prod(shape))
    values = rng.permutation(np.arange(1.0, 2 * size + 1))[:size] * np.resize([1, -1, 1], size)
    plain = {
        "conv_weight": values.reshape(shape),
        "conv_bias": shifts(rng, outputs),
        "running_mean": rng.choice([-1, 1], channels) * rng.choice(np.arange(11.0, 30), channels),
        "running_var": variances(rng, channels),
        "weight": np.ones(channels),
        "bias": shifts(rng, channels),
        "eps": NO_EPS,
    }
    large = {**plain, "eps": float(rng.integers(10, 40)) / 2}
    whole = {**large, "weight": scales(rng, channels)}
    name = f"conv_weight {shape_name(shape)}"
    one, eps, gain = f"{name}, weight 1", f"eps {large['eps']:g}", f"{name}, with weight"
    yield Case(one, ("variance",), plain)
    yield Case(f"{one}, {eps}", ("eps",), large, one, _with_eps)
    yield Case(gain, ("gain",), whole, f"{one}, {eps}", _with_weight)
    yield Case(f"{gain}: the bias", ("bias",), whole, gain, _same_scale)


def _scales_of(own: Outputs, arguments: Arguments) -> np.ndarray:
    """Read off what the learner multiplied each number of the kernel by, (O, C, H, W)."""
    return own["folded_weight"] / arguments["conv_weight"]


def _with_eps(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's scales without eps to those with it."""
    squared = 1 / np.square(_scales_of(own, arguments))
    return {"folded_weight": arguments["conv_weight"] / np.sqrt(squared + arguments["eps"])}


def _with_weight(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's scales with weight 1 to those with another."""
    return {"folded_weight": arguments["weight"][:, None, None] * own["folded_weight"]}


def _same_scale(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's folded weight to the bias with the same scales; a right one is right."""
    _, right = fold_into_next_conv(**arguments)
    scale = _scales_of(own, arguments)
    if np.allclose(own["folded_bias"], right) or np.ptp(scale, axis=(0, 2, 3)).max() > 1e-6:
        return {}
    shift = arguments["bias"] - scale[0, :, 0, 0] * arguments["running_mean"]
    sums = arguments["conv_weight"].sum(axis=(2, 3))
    return {"folded_bias": arguments["conv_bias"] + sums @ shift}
