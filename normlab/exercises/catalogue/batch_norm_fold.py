"""Lesson 3: fold BatchNorm, in evaluation mode, into the linear layer before it.

The recipe computes the same as the reference, in steps that can be exchanged one by one.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from normlab.exercises.cases import scales, shape_name, shifts
from normlab.exercises.catalogue import batch_norm_eval as running_variance
from normlab.exercises.catalogue import batch_norm_forward as forward
from normlab.exercises.catalogue.batch_norm_forward import (
    root_of_variance_plus_eps,
)
from normlab.exercises.catalogue.running_statistics import variances
from normlab.exercises.exercise import Arguments, Aspect, Case, Exercise, Mistake, Outputs
from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

# So small that eps cannot be seen, wherever it is added.
_NO_EPS = 1e-12

_FOLD = "Fold it away"

# ---- the recipe: how the layer before is changed


def each_output(scale: np.ndarray, linear_weight: np.ndarray) -> np.ndarray:
    """Scale each row of linear_weight (C, D): a row makes one output."""
    return scale[:, None] * linear_weight


def each_input(scale: np.ndarray, linear_weight: np.ndarray) -> np.ndarray:
    """Let NumPy line the scale up with the last axis."""
    return scale * linear_weight


def weight_untouched(_scale: np.ndarray, linear_weight: np.ndarray) -> np.ndarray:
    """Leave linear_weight as it is."""
    return linear_weight + 0.0


def use_weight(weight: np.ndarray) -> np.ndarray:
    """Take BatchNorm's weight into the scale."""
    return weight


def weight_forgotten(weight: np.ndarray) -> np.ndarray:
    """Take 1 in place of BatchNorm's weight."""
    return np.ones_like(weight)


def bias_through_the_layer(
    before: np.ndarray, mean: np.ndarray, scale: np.ndarray, bias: np.ndarray
) -> np.ndarray:
    """Send the linear layer's bias through BatchNorm as any value."""
    return scale * (before - mean) + bias


def fold_recipe(
    linear_weight: np.ndarray,
    linear_bias: np.ndarray,
    running_mean: np.ndarray,
    running_var: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    eps: float,
    *,
    gain: Callable = use_weight,
    divisor: Callable = root_of_variance_plus_eps,
    scaled: Callable = each_output,
    offset: Callable = bias_through_the_layer,
) -> Outputs:
    """Fold BatchNorm into linear_weight (C, D) and linear_bias (C,); each keyword is a step."""
    scale = gain(weight) / divisor(running_var, eps)  # (C,)
    return {
        "folded_weight": scaled(scale, linear_weight),
        "folded_bias": offset(linear_bias, running_mean, scale, bias),
    }


def fold_reference(
    linear_weight: np.ndarray,
    linear_bias: np.ndarray,
    running_mean: np.ndarray,
    running_var: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    eps: float,
) -> Outputs:
    """Ask the two layers what they answer to 0 and to each unit vector."""
    inputs = np.eye(linear_weight.shape[1] + 1, linear_weight.shape[1], k=-1)  # (D + 1, D)
    z = inputs @ linear_weight.T + linear_bias  # (D + 1, C)
    y = F.batch_norm(z, running_mean, running_var, weight, bias, eps=eps)
    return {"folded_weight": (y[1:] - y[0]).T, "folded_bias": y[0]}


# ---- cases


def draw_folds(rng: np.random.Generator) -> list[Case]:
    """Draw the cases of `fold_batch_norm`."""
    return [*_four_folds(rng, 2, 2), *_four_folds(rng, 3, 4)]


def _four_folds(rng: np.random.Generator, outputs: int, inputs: int) -> list[Case]:
    """Draw a layer without eps, with eps, with weight, and ask then for its bias.

    Each is derived from the one before, so a slip costs the aspect that it belongs to.
    """
    name = f"linear_weight {shape_name((outputs, inputs))}"
    plain = {
        "linear_weight": scales(rng, outputs * inputs).reshape(outputs, inputs),
        "linear_bias": shifts(rng, outputs),
        "running_mean": rng.choice([-1, 1], outputs) * rng.choice(np.arange(11.0, 30), outputs),
        "running_var": variances(rng, outputs),
        "weight": np.ones(outputs),
        "bias": shifts(rng, outputs),
        "eps": _NO_EPS,
    }
    large = {**plain, "eps": float(rng.integers(10, 40)) / 2}
    whole = {**large, "weight": scales(rng, outputs)}
    names = f"{name}, weight 1", f"{name}, weight 1, eps {large['eps']:g}", f"{name}, with weight"
    return [
        Case(names[0], ("variance",), plain),
        Case(names[1], ("eps",), large, based_on=names[0], derive=_scale_with_eps),
        Case(names[2], ("gain",), whole, based_on=names[1], derive=_scale_with_weight),
        Case(f"{names[2]}: the bias", ("bias",), whole, based_on=names[2], derive=_same_scale),
    ]


def _scale_with_eps(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's scales without eps to those with it."""
    squared = np.square(arguments["linear_weight"] / own["folded_weight"])
    scale = 1 / np.sqrt(squared + arguments["eps"])
    return {"folded_weight": scale * arguments["linear_weight"]}


def _scale_with_weight(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's scales with weight 1 to those with another."""
    return {"folded_weight": arguments["weight"][:, None] * own["folded_weight"]}


def _same_scale(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's folded weight to the bias with the same scales; a right one is right."""
    right = fold_reference(**arguments)["folded_bias"]
    scale = own["folded_weight"] / arguments["linear_weight"]  # (C, D)
    if np.allclose(own["folded_bias"], right) or np.ptp(scale, axis=1).max() > 1e-6:
        return {}
    steps = (arguments[name] for name in ("linear_bias", "running_mean"))
    return {"folded_bias": bias_through_the_layer(*steps, scale[:, 0], arguments["bias"])}


# ---- the mistakes

_DIVISORS = tuple(
    replace(mistake, aspect=aspect, section=_FOLD)
    for mistake, aspect in (
        (forward.EPS_OUTSIDE, "eps"),
        (forward.EPS_MISSING, "eps"),
        (forward.EPS_FIXED, "eps"),
        (running_variance.NO_ROOT, "variance"),
        (running_variance.STD_FOR_VARIANCE, "variance"),
    )
)

ALONG_INPUTS = Mistake(
    key="scale along the inputs",
    what="the scales lie along the inputs, the columns of linear_weight.",
    outside="an error, unless there are as many inputs as outputs; then every output is a wrong "
    "mixture.",
    hint="BatchNorm has one scale for each *output*. Where in linear_weight does an output live, "
    "and with which axis does NumPy line a bare (C,) up?",
    mend="the shape of the scale",
    aspect="variance",
    changes={"scaled": each_input},
    section=_FOLD,
)
WEIGHT_UNTOUCHED = Mistake(
    key="linear_weight untouched",
    what="linear_weight is given back as it is.",
    outside="the bias is right, and every output has the spread that it had before BatchNorm.",
    hint="double x. How much larger does the output of both layers become, and how much yours?",
    mend="the weight",
    aspect="variance",
    changes={"scaled": weight_untouched},
    section=_FOLD,
)
GAIN_FORGOTTEN = Mistake(
    key="BatchNorm's weight forgotten",
    what="BatchNorm's weight is left out of the scale.",
    outside="right in a fresh layer, where weight is 1.",
    hint="does your function give another answer when you give it another weight?",
    mend="the scale",
    aspect="gain",
    changes={"gain": weight_forgotten},
    section=_FOLD,
)


def _offset(key: str, what: str, outside: str, hint: str, how: Callable) -> Mistake:
    return Mistake(key, what, outside, hint, "the bias", "bias", {"offset": how}, _FOLD)


_FEED_ZERO = "feed x = 0 through both layers, by hand. What comes out of each?"
_OFFSETS = (
    _offset(
        "linear_bias forgotten",
        "linear_bias is left out.",
        "right for a linear layer that has no bias.",
        _FEED_ZERO,
        lambda before, mean, scale, bias: bias - scale * mean,
    ),
    _offset(
        "linear_bias not scaled",
        "linear_bias is added as it is, without BatchNorm's scale.",
        "off by a constant in each channel, more where the scale is far from 1.",
        "BatchNorm scales all that it is given. What is it given?",
        lambda before, mean, scale, bias: before - scale * mean + bias,
    ),
    _offset(
        "running mean not scaled",
        "the running mean is subtracted as it is, without BatchNorm's scale.",
        "off by a constant in each channel, more where the scale is far from 1.",
        "what comes first in BatchNorm: subtract the mean, or scale?",
        lambda before, mean, scale, bias: scale * before - mean + bias,
    ),
    _offset(
        "neither scaled",
        "linear_bias and the running mean are both used as they are, without BatchNorm's scale.",
        "off by a constant in each channel, more where the scale is far from 1.",
        _FEED_ZERO,
        lambda before, mean, scale, bias: before - mean + bias,
    ),
    _offset(
        "running mean forgotten",
        "the running mean is left out.",
        "right for data whose mean is 0, else off by a constant in each channel.",
        "feed it the x that makes the linear layer answer with the running mean.",
        lambda before, mean, scale, bias: scale * before + bias,
    ),
    _offset(
        "running mean added",
        "the running mean is added in place of subtracted.",
        "off by a constant in each channel, twice the scaled mean.",
        "feed it the x that makes the linear layer answer with the running mean.",
        lambda before, mean, scale, bias: scale * (before + mean) + bias,
    ),
    _offset(
        "BatchNorm's bias forgotten",
        "BatchNorm's bias is left out.",
        "right in a fresh layer, where bias is 0.",
        "does your function give another answer when you give it another bias?",
        lambda before, mean, scale, bias: scale * (before - mean),
    ),
    _offset(
        "BatchNorm's bias scaled",
        "BatchNorm's bias is scaled together with all the rest.",
        "right in a fresh layer, where bias is 0.",
        "what is the last thing that BatchNorm does to a value?",
        lambda before, mean, scale, bias: scale * (before - mean + bias),
    ),
    _offset(
        "linear_bias untouched",
        "linear_bias is given back as it is.",
        "every output is off by a constant.",
        _FEED_ZERO,
        lambda before, mean, scale, bias: before + 0.0,
    ),
)


# ---- the aspects, and the exercise

_INPUT_ALONE = Aspect("input", "leaves its input alone", 1, leaves_input_alone=True)

FOLD = Exercise(
    name="fold_batch_norm",
    lesson="03",
    title="fold BatchNorm into the linear layer before it",
    parameters=(
        "linear_weight",
        "linear_bias",
        "running_mean",
        "running_var",
        "weight",
        "bias",
        "eps",
    ),
    returns=("folded_weight", "folded_bias"),
    aspects=(
        Aspect("variance", "folded_weight: each output by its spread", 3, ("folded_weight",)),
        Aspect("eps", "folded_weight: eps", 1, ("folded_weight",)),
        Aspect("gain", "folded_weight: BatchNorm's weight", 2, ("folded_weight",)),
        Aspect("bias", "folded_bias", 3, ("folded_bias",)),
        _INPUT_ALONE,
    ),
    draw=draw_folds,
    reference=fold_reference,
    recipe=fold_recipe,
    mistakes=(
        *_DIVISORS,
        ALONG_INPUTS,
        WEIGHT_UNTOUCHED,
        GAIN_FORGOTTEN,
        *_OFFSETS,
    ),
    first_step="write down what both layers do to one number, and sort it into *something times x* "
    "plus *something*.",
)

EXERCISES = (FOLD,)
