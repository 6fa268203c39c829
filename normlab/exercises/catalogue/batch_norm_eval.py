"""Lesson 3: the forward pass of BatchNorm in evaluation mode.

The recipe computes the same as the reference, in steps that can be exchanged one by one.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from normlab.exercises.cases import distinct_values, scales, shape_name, shifts
from normlab.exercises.catalogue import batch_norm_forward as forward
from normlab.exercises.catalogue.batch_norm_forward import (
    root_of_variance_plus_eps,
    scale_then_shift,
)
from normlab.exercises.catalogue.running_statistics import batch_values, state_of
from normlab.exercises.exercise import Arguments, Aspect, Case, Exercise, Mistake, Outputs
from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

# So small that eps cannot be seen, wherever it is added.
_NO_EPS = 1e-12

_EVAL = "Two variances, for two jobs"
_BREAK = "Break it on purpose"

# ---- the recipe: whose statistics


def running_statistics(
    _x: np.ndarray, running_mean: np.ndarray, running_var: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Use what was gathered in training."""
    return running_mean, running_var


def batch_statistics(
    x: np.ndarray, _running_mean: np.ndarray, _running_var: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Use the batch's own, as in training."""
    return x.mean(0), x.var(0)


def batch_mean_only(
    x: np.ndarray, _running_mean: np.ndarray, running_var: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Use the batch's mean with the running variance."""
    return x.mean(0), running_var


def batch_variance_only(
    x: np.ndarray, running_mean: np.ndarray, _running_var: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Use the running mean with the batch's variance."""
    return running_mean, x.var(0)


def no_mean(
    _x: np.ndarray, running_mean: np.ndarray, running_var: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Leave the mean in."""
    return 0 * running_mean, running_var


def corrected_again(
    x: np.ndarray, running_mean: np.ndarray, running_var: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Multiply the running variance by n / (n - 1) once more."""
    return running_mean, running_var * np.divide(len(x), len(x) - 1)


def eval_recipe(
    x: np.ndarray,
    running_mean: np.ndarray,
    running_var: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    eps: float,
    *,
    statistics: Callable = running_statistics,
    divisor: Callable = root_of_variance_plus_eps,
    affine: Callable = scale_then_shift,
) -> Outputs:
    """Normalize x (N, C) by statistics (C,) that are given; each keyword is a step."""
    mean, var = statistics(x, running_mean, running_var)
    return {"y": affine((x - mean) / divisor(var, eps), weight, bias)}


def eval_reference(
    x: np.ndarray,
    running_mean: np.ndarray,
    running_var: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    eps: float,
) -> Outputs:
    """Call the package's own function, in evaluation mode."""
    return {"y": F.batch_norm(x, running_mean, running_var, weight, bias, eps=eps)}


# ---- cases


def draw_eval(rng: np.random.Generator) -> list[Case]:
    """Draw the cases of `batch_norm_eval`."""
    return [
        *_four_cases(rng, (3, 2)),
        *_four_cases(rng, (5, 4)),
        _hardly_varies(rng, (4, 3)),
    ]


def _four_cases(rng: np.random.Generator, shape: tuple[int, int]) -> list[Case]:
    """Draw one x without eps, with eps, with weight and bias, and one of its samples alone.

    Each is derived from the one before, so a slip costs the aspect that it belongs to.
    """
    name, channels = shape_name(shape), shape[1]
    eps = float(rng.integers(10, 40)) / 2
    plain = {
        "x": batch_values(rng, shape),
        **state_of(rng, channels),
        "weight": np.ones(channels),
        "bias": np.zeros(channels),
        "eps": _NO_EPS,
    }
    affine = {**plain, "weight": scales(rng, channels), "bias": shifts(rng, channels), "eps": eps}
    row = int(rng.integers(shape[0]))
    names = f"{name}, weight 1, bias 0", f"{name}, eps {eps:g}", f"{name}, weight and bias"
    return [
        Case(names[0], ("statistics",), plain),
        Case(
            names[1],
            ("eps",),
            {**plain, "eps": eps},
            based_on=names[0],
            derive=_with_eps,
        ),
        Case(names[2], ("affine",), affine, based_on=names[1], derive=_with_affine),
        Case(
            f"{name}, sample {row} alone",
            ("alone",),
            {**affine, "x": affine["x"][[row]]},
            based_on=names[2],
            derive=lambda own, _: {"y": own["y"][[row]]},
        ),
    ]


def _with_eps(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's answer without eps to that with it, by the divisor that it shows."""
    y, eps = own["y"], arguments["eps"]
    squared = arguments["x"].var(0) / y.var(0)  # (C,)
    return {"y": y * np.sqrt(squared / (squared + eps))}


def _with_affine(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's answer with weight 1 and bias 0 to that with others."""
    return {"y": own["y"] * arguments["weight"] + arguments["bias"]}


def _hardly_varies(rng: np.random.Generator, shape: tuple[int, int]) -> Case:
    """Draw a batch that hardly varies, and running statistics to match; one channel never varied.

    So it does not matter here whose statistics are used, and only the eps shows.
    """
    x = distinct_values(rng, shape) * 1e-10
    x[:, -1] = 0.0
    eps = float(rng.choice([0.01, 0.02, 0.05]))
    arguments = {
        "x": x,
        "running_mean": x.mean(0),
        "running_var": x.var(0),
        "weight": np.ones(shape[1]),
        "bias": np.zeros(shape[1]),
        "eps": eps,
    }
    return Case(f"{shape_name(shape)}, hardly any variation, eps {eps:g}", ("eps",), arguments)


# ---- the mistakes

BATCH_USED = Mistake(
    key="batch statistics used",
    what="the batch's own mean and variance are used, as in training.",
    outside="the answer to one sample depends on who else is in the batch; alone it gets the bias.",
    hint="does an answer depend on who else is in the queue?",
    mend="the statistics",
    aspect="statistics",
    changes={"statistics": batch_statistics},
    section=_BREAK,
)
BATCH_MEAN = Mistake(
    key="batch mean used",
    what="the mean is the batch's own, and only the variance is the running one.",
    outside="each channel of the output is centred on its bias, whatever the batch.",
    hint="add 5 to a whole batch. In evaluation, should the output notice?",
    mend="the mean",
    aspect="statistics",
    changes={"statistics": batch_mean_only},
    section=_EVAL,
)
BATCH_VARIANCE = Mistake(
    key="batch variance used",
    what="the variance is the batch's own, and only the mean is the running one.",
    outside="a batch that is twice as spread out gives the same spread.",
    hint="double a batch's distances from the running mean. In evaluation, should the output "
    "notice?",
    mend="the variance",
    aspect="statistics",
    changes={"statistics": batch_variance_only},
    section=_EVAL,
)
MEAN_LEFT_IN = replace(
    forward.MEAN_LEFT_IN,
    outside="the spread is right, but everything is shifted by the running mean.",
    hint="feed it a sample that equals the running mean. What should come out?",
    changes={"statistics": no_mean},
    section=_EVAL,
)
CORRECTED_AGAIN = Mistake(
    key="running variance corrected again",
    what="the running variance is multiplied by n / (n - 1).",
    outside="a little too small in small batches, and nothing left of one sample alone.",
    hint="the correction was made once, when the batch was remembered. Which n do you have now?",
    mend="the variance",
    aspect="statistics",
    changes={"statistics": corrected_again},
    section=_EVAL,
)

_EPS = (
    replace(forward.EPS_OUTSIDE, section=_EVAL),
    replace(forward.EPS_MISSING, section=_EVAL),
    replace(forward.EPS_FIXED, section=_EVAL),
)
NO_ROOT = replace(
    forward.NO_ROOT,
    what="the running variance is used as if it were the standard deviation.",
    hint="what exactly does the buffer's name promise?",
    section=_EVAL,
)
STD_FOR_VARIANCE = replace(forward.STD_FOR_VARIANCE, section=_EVAL)
_AFFINE = tuple(
    replace(mistake, changes={"affine": mistake.changes["affine"]}, section=_EVAL)
    for mistake in (
        forward.NO_AFFINE,
        forward.NO_WEIGHT,
        forward.NO_BIAS,
        forward.SHIFT_FIRST,
        forward.EXCHANGED,
    )
)

# ---- the aspects, and the exercise

_INPUT_ALONE = Aspect("input", "leaves its input alone", 1, leaves_input_alone=True)

EVAL = Exercise(
    name="batch_norm_eval",
    lesson="03",
    title="BatchNorm in evaluation mode",
    parameters=("x", "running_mean", "running_var", "weight", "bias", "eps"),
    returns=("y",),
    aspects=(
        Aspect("statistics", "uses the running statistics, not the batch's", 3),
        Aspect("eps", "eps, and a channel that hardly varies", 2),
        Aspect("affine", "weight and bias", 3),
        Aspect("alone", "a sample alone, as in its batch", 1),
        _INPUT_ALONE,
    ),
    draw=draw_eval,
    reference=eval_reference,
    recipe=eval_recipe,
    mistakes=(
        BATCH_USED,
        BATCH_MEAN,
        BATCH_VARIANCE,
        MEAN_LEFT_IN,
        CORRECTED_AGAIN,
        *_EPS,
        NO_ROOT,
        STD_FOR_VARIANCE,
        *_AFFINE,
    ),
    first_step="take the forward pass of lesson 2, and look for the lines that ask the batch.",
)

EXERCISES = (EVAL,)
