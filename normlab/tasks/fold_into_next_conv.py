"""Lesson 3: fold BatchNorm, in evaluation mode, into the convolution that comes after it."""

import numpy as np

from normlab.tasks.case import Arguments, Cases, Outputs
from normlab.tasks.drawing import one_fold_at_a_time, shifts


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
    for shape in ((2, 2, 2, 2), (3, 2, 1, 4), (1, 3, 2, 3)):
        size = int(np.prod(shape))
        values = rng.permutation(np.arange(1.0, 2 * size + 1))[:size] * np.resize([1, -1, 1], size)
        layer = {"conv_weight": values.reshape(shape), "conv_bias": shifts(rng, shape[0])}
        yield from one_fold_at_a_time(rng, layer, 1, _same_scale)


def _same_scale(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's folded weight to the bias with the same scales; a right one is right."""
    _, right = fold_into_next_conv(**arguments)
    scale = own["folded_weight"] / arguments["conv_weight"]  # (O, C, H, W)
    if np.allclose(own["folded_bias"], right) or np.ptp(scale, axis=(0, 2, 3)).max() > 1e-6:
        return {}
    shift = arguments["bias"] - scale[0, :, 0, 0] * arguments["running_mean"]
    sums = arguments["conv_weight"].sum(axis=(2, 3))
    return {"folded_bias": arguments["conv_bias"] + sums @ shift}
