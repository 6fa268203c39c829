"""Mistakes in the one formula that BatchNorm, InstanceNorm, GroupNorm and LayerNorm share.

The steps that they change are the same everywhere; what they look like from outside is told in
the words of each lesson: for a channel, a map, a group.
"""

from dataclasses import replace

import numpy as np

from normlab.exercises.catalogue import batch_norm_forward as channels
from normlab.exercises.exercise import Arguments, Mistake, Outputs

# So small that eps cannot be seen, wherever it is added.
NO_EPS = 1e-12


def formula_mistakes(unit: str, formula: str, eps: str, affine: str) -> dict[str, Mistake]:
    """Return the mistakes in mean, variance, eps, weight and bias, by their keys.

    Parameters
    ----------
    unit
        What shares one mean: "group".
    formula, eps, affine
        The lesson's headings for the formula, for eps, and for weight and bias.
    """
    found = (
        replace(
            channels.UNBIASED,
            outside=f"every {unit} comes out a little too small; the fewer values, the more.",
            section=formula,
        ),
        replace(
            channels.NO_ROOT,
            outside=f"a {unit} with a large spread comes out tiny, one with a small spread huge.",
            section=formula,
        ),
        replace(
            channels.STD_FOR_VARIANCE,
            outside=f"the spread of a {unit} after normalizing is not 1 but the root of what it "
            "was.",
            section=formula,
        ),
        replace(
            channels.MEAN_LEFT_IN,
            outside=f"the spread is right, but no {unit} is centred on 0.",
            hint=f"take the mean of what you return, {unit} by {unit}, with weight 1 and bias 0.",
            section=formula,
        ),
        replace(
            channels.MEAN_SQUARE,
            outside=f"right for a {unit} whose mean is 0, too small for all others.",
            hint=f"add 100 to every value of a {unit}. Should its variance change?",
            section=formula,
        ),
        replace(
            channels.EPS_OUTSIDE,
            outside=f"nothing to see on ordinary data, far off where a {unit} hardly varies.",
            section=eps,
        ),
        replace(
            channels.EPS_MISSING,
            outside=f"nothing to see on ordinary data; NaN where a {unit} never changes.",
            hint=f"try a {unit} that holds the same number everywhere. What do you divide by?",
            section=eps,
        ),
        replace(channels.EPS_FIXED, section=eps),
        replace(channels.NO_AFFINE, section=affine),
        replace(
            channels.NO_WEIGHT,
            hint="double one weight. What should change in your output, and does it?",
            section=affine,
        ),
        replace(
            channels.NO_BIAS,
            outside="right in a fresh layer, where bias is 0.",
            hint="add 100 to one bias. What should change in your output, and does it?",
            section=affine,
        ),
        replace(
            channels.SHIFT_FIRST,
            outside="right in a fresh layer; else the shift is weight times bias.",
            hint="with weight 0 and bias 5, what should come out?",
            section=affine,
        ),
        replace(
            channels.EXCHANGED,
            hint="with weight 0 and bias 5, what should come out?",
            section=affine,
        ),
    )
    return {mistake.key: mistake for mistake in found}


def plain(x: np.ndarray, eps: float, **others: int) -> dict[str, np.ndarray | float]:
    """Arguments with weight 1 and bias 0: what is normalized shows as it is."""
    channels = x.shape[1]
    return {"x": x, **others, "weight": np.ones(channels), "bias": np.zeros(channels), "eps": eps}


def with_eps(own: Outputs, arguments: Arguments, axes: tuple[int, ...]) -> Outputs:
    """From an answer without eps to that with it, where the values over `axes` share a divisor.

    The answer without eps is x, less something, over a divisor; that divisor can be read off the
    answer by comparing its spread with that of x.
    """
    x, y, eps = arguments["x"], own["y"], arguments["eps"]
    squared = x.var(axes, keepdims=True) / y.var(axes, keepdims=True)
    return {"y": y * np.sqrt(squared / (squared + eps))}


def with_affine(own: Outputs, arguments: Arguments) -> Outputs:
    """From an answer with weight 1 and bias 0 to that with others, one for each channel."""
    y = own["y"]
    per_channel = (1, -1) + (1,) * (y.ndim - 2)
    weight, bias = (arguments[name].reshape(per_channel) for name in ("weight", "bias"))
    return {"y": y * weight + bias}
