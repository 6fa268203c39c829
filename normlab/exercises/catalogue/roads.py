"""The three roads from x to the output, on which every backward pass goes back.

An input moves the output by itself, through the mean and through the variance. With dx_hat the
gradient of the normalized value, r = 1 / sqrt(var + eps) and m(.) the mean over the values that
share a statistic::

    dx = r * (dx_hat - m(dx_hat) - x_hat * m(dx_hat * x_hat))

The cases here open one road at a time: a gradient that is orthogonal to the ones and to x_hat goes
straight through; a constant added to it touches the mean's road alone, a multiple of x_hat the
variance's. So a slip on one road costs the points of that road.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from normlab.exercises.cases import distinct_values, scales, shifts
from normlab.exercises.catalogue.batch_norm_forward import (
    View,
    fixed_eps,
    no_root,
    root_of_variance_plus_eps,
    root_plus_eps,
    root_without_eps,
)
from normlab.exercises.exercise import Arguments, Case, Mistake, Outputs

#: So small that eps cannot be seen, wherever it is added.
NO_EPS = 1e-12

# ---- the steps


def root_of_variance_less_eps(var: np.ndarray, eps: float) -> np.ndarray:
    """Subtract eps under the root."""
    return np.sqrt(var - eps)


def not_divided(var: np.ndarray, _eps: float) -> np.ndarray:
    """Divide by 1: leave the standard deviation out."""
    return np.ones_like(var)


def inverse_root(var: np.ndarray, eps: float) -> np.ndarray:
    """Divide by 1 / std, that is, multiply by the standard deviation."""
    return 1 / np.sqrt(var + eps)


def values_that_share(values: np.ndarray, view: View) -> int:
    """Count the values behind one mean."""
    return view.count(values)


def one_less(values: np.ndarray, view: View) -> int:
    """Count one value less."""
    return view.count(values) - 1


def samples(values: np.ndarray, _view: View) -> int:
    """Count the samples of the batch."""
    return len(values)


def channels(values: np.ndarray, _view: View) -> int:
    """Count the channels."""
    return values.shape[1]


def no_count(_values: np.ndarray, _view: View) -> int:
    """Add up and do not divide."""
    return 1


Average = Callable[[np.ndarray], np.ndarray]


def mean_subtracted(dx_hat: np.ndarray, average: Average, _count: int) -> np.ndarray:
    """Take away the mean of dx_hat."""
    return -average(dx_hat)


def mean_added(dx_hat: np.ndarray, average: Average, _count: int) -> np.ndarray:
    """Add it in place of taking it away."""
    return average(dx_hat)


def sum_subtracted(dx_hat: np.ndarray, average: Average, count: int) -> np.ndarray:
    """Take away the sum."""
    return -average(dx_hat) * count


def projection_subtracted(
    dx_hat: np.ndarray, x_hat: np.ndarray, _x: np.ndarray, average: Average, _count: int
) -> np.ndarray:
    """Take away what lies along x_hat."""
    return -x_hat * average(dx_hat * x_hat)


def projection_added(
    dx_hat: np.ndarray, x_hat: np.ndarray, _x: np.ndarray, average: Average, _count: int
) -> np.ndarray:
    """Add it in place of taking it away."""
    return x_hat * average(dx_hat * x_hat)


def projection_summed(
    dx_hat: np.ndarray, x_hat: np.ndarray, _x: np.ndarray, average: Average, count: int
) -> np.ndarray:
    """Sum where a mean belongs."""
    return -x_hat * average(dx_hat * x_hat) * count


def no_x_hat_outside(
    dx_hat: np.ndarray, x_hat: np.ndarray, _x: np.ndarray, average: Average, _count: int
) -> np.ndarray:
    """Use x_hat inside the mean only."""
    return -average(dx_hat * x_hat) * np.ones_like(x_hat)


def no_x_hat_inside(
    dx_hat: np.ndarray, x_hat: np.ndarray, _x: np.ndarray, average: Average, _count: int
) -> np.ndarray:
    """Use x_hat outside the mean only."""
    return -x_hat * average(dx_hat)


def projection_on_x(
    dx_hat: np.ndarray, _x_hat: np.ndarray, x: np.ndarray, average: Average, _count: int
) -> np.ndarray:
    """Take x for x_hat."""
    return -x * average(dx_hat * x)


# ---- the closed form


@dataclass(frozen=True)
class Kept:
    """What the forward pass kept; `weight` in a shape that lines up with `x`."""

    x: np.ndarray
    var: np.ndarray
    x_hat: np.ndarray
    weight: np.ndarray
    eps: float


def closed_form(
    dy: np.ndarray,
    kept: Kept,
    view: View,
    *,
    left_out: tuple[str, ...] = (),
    weights: tuple[int, int, int] = (1, 1, 0),
    count: Callable = values_that_share,
    mean_road: Callable = mean_subtracted,
    variance_road: Callable = projection_subtracted,
    divisor: Callable = root_of_variance_plus_eps,
    divided: tuple[int, int] = (1, 1),
) -> np.ndarray:
    """Compute dx in closed form; each keyword is a step that a mistake may change.

    Parameters
    ----------
    dy, kept
        The gradient of the output, and the cache.
    view
        Which values share a mean.
    left_out
        The roads that are left out: "mean", "variance".
    weights
        How often dy is multiplied by weight: on the way that goes straight through, on the way
        through the statistics, and at the very end.
    count
        What the sums are divided by.
    mean_road, variance_road
        What comes back on these.
    divisor
        The standard deviation.
    divided
        How often what goes straight, and what goes through the statistics, is divided by it.
    """
    straight = _times(dy, kept.weight, weights[0])
    through = straight if weights[0] == weights[1] else _times(dy, kept.weight, weights[1])
    n = count(through, view)

    def average(values: np.ndarray) -> np.ndarray:
        return values.sum(view.axes, keepdims=True) / n

    std = divisor(kept.var, kept.eps)
    statistics = std * 0
    if "mean" not in left_out:
        statistics = statistics + mean_road(through, average, n)
    if "variance" not in left_out:
        statistics = statistics + variance_road(through, kept.x_hat, kept.x, average, n)
    if divided == (1, 1):
        dx = (straight + statistics) / std
    else:
        dx = straight / std ** divided[0] + statistics / std ** divided[1]
    return _times(dx, kept.weight, weights[2])


def _times(values: np.ndarray, weight: np.ndarray, often: int) -> np.ndarray:
    for _ in range(often):
        values = values * weight
    return values


# ---- cases that open one road at a time


@dataclass(frozen=True)
class Roads:
    """A batch, and gradients that travel on one road each. The values of a column share a mean.

    Parameters
    ----------
    x
        (n, columns).
    straight
        (n, columns), orthogonal in each column to the ones and to x_hat.
    constant, multiple
        (columns,): what is added to dy for the mean's road, and how much of x_hat for the
        variance's.
    eps
        Large enough to be seen, and smaller than every variance.
    """

    x: np.ndarray
    straight: np.ndarray
    constant: np.ndarray
    multiple: np.ndarray
    eps: float


def draw_roads(rng: np.random.Generator, n: int, columns: int) -> Roads:
    """Draw `Roads`, out of whole numbers where n is 3."""
    # Five times whole numbers: no variance is so small that an eps of 1e-5 could be seen in it.
    x = 5 * distinct_values(rng, (n, columns))
    if n == 3:  # the one direction that is left: the cross product of the ones and x
        straight = np.stack([x[2] - x[1], x[0] - x[2], x[1] - x[0]])
    else:
        straight = distinct_values(rng, (n, columns))
        straight = straight - straight.mean(0)
        deviations = x - x.mean(0)
        along = (straight * deviations).sum(0) / (deviations**2).sum(0)
        straight = straight - along * deviations
    eps = max(0.1, round(float(rng.uniform(0.4, 0.7)) * float(x.var(0).min()), 1))
    return Roads(x, straight, shifts(rng, columns), scales(rng, columns) * 3, eps)


def from_tiny_to_large_eps(own: np.ndarray, var: np.ndarray, eps: float) -> np.ndarray:
    """From the learner's dx without eps to that with it, for a gradient that goes straight."""
    return own * np.sqrt((var + NO_EPS) / (var + eps))


def variance_road_with_eps(
    own: np.ndarray,
    straight: np.ndarray,
    multiple: np.ndarray,
    x_hat: np.ndarray,
    var: np.ndarray,
    eps: float,
    axis: int,
) -> np.ndarray:
    """From the learner's dx without eps, on the variance's road, to that with it.

    The learner's answer without eps is `through` times the straight part and some multiple of
    x_hat. The two numbers say what the learner divides by, and how much of the variance's road
    there is: 1 where it is right, 0 where it is left out.
    """

    def along(direction: np.ndarray) -> np.ndarray:
        dots = (own * direction).sum(axis, keepdims=True)
        return dots / (direction**2).sum(axis, keepdims=True)

    through = along(straight)
    unit = x_hat * np.sqrt((var + eps) / (var + NO_EPS))  # x_hat, as it is without eps
    share = 1 - along(unit) / (through * multiple)
    shrunk = through * np.sqrt((var + NO_EPS) / (var + eps))
    left = multiple * (1 - share * var / (var + eps))
    return shrunk * (straight + left * x_hat)


Arrange = Callable[[np.ndarray], np.ndarray]


def road_cases(
    roads: Roads,
    name: str,
    axis: int,
    arguments: Callable[[np.ndarray, float], Arguments],
    output: str = "dx",
) -> list[Case]:
    """Make the cases "straight", "mean", "variance" and "eps", all of them with weight 1.

    Parameters
    ----------
    roads
        The numbers.
    name
        The shape, as it is shown.
    axis
        0 where a column of x shares a mean, 1 where a row does: then all is transposed.
    arguments
        From dy and eps to the arguments of the call.
    output
        The name of dx.
    """
    turn: Arrange = (lambda array: array.T) if axis else (lambda array: array)
    x, straight = turn(roads.x), turn(roads.straight)
    constant, multiple = turn(roads.constant[None]), turn(roads.multiple[None])
    mean, var = x.mean(axis, keepdims=True), x.var(axis, keepdims=True)
    eps = roads.eps

    def x_hat(eps: float) -> np.ndarray:
        return (x - mean) / np.sqrt(var + eps)

    def same(own: Outputs, _arguments: Arguments) -> Outputs:
        return {output: own[output]}

    def shrunk(own: Outputs, _arguments: Arguments) -> Outputs:
        return {output: from_tiny_to_large_eps(own[output], var, eps)}

    def along_x_hat(own: Outputs, _arguments: Arguments) -> Outputs:
        parts = (straight, multiple, x_hat(eps), var, eps, axis)
        return {output: variance_road_with_eps(own[output], *parts)}

    def after(name: str, derive: Callable) -> dict[str, Any]:
        return {"based_on": name, "derive": derive}

    alone = f"{name}, dy with mean 0 and nothing along x_hat"
    plus_constant = f"{name}, the same dy and a constant"
    plus_x_hat = f"{name}, the same dy and a multiple of x_hat"
    bent = arguments(straight + multiple * x_hat(NO_EPS), NO_EPS)
    bent_eps = arguments(straight + multiple * x_hat(eps), eps)
    return [
        Case(alone, ("straight",), arguments(straight, NO_EPS)),
        Case(
            plus_constant, ("mean",), arguments(straight + constant, NO_EPS), **after(alone, same)
        ),
        Case(plus_x_hat, ("variance",), bent, **after(alone, same)),
        Case(f"{alone}, eps {eps:g}", ("eps",), arguments(straight, eps), **after(alone, shrunk)),
        Case(f"{plus_x_hat}, eps {eps:g}", ("eps",), bent_eps, **after(plus_x_hat, along_x_hat)),
    ]


# ---- the mistakes of the closed form

GRAPH = "Backward, box by box"
CLOSED = "On paper: all in one line"
BREAK = "Break it on purpose"

_STATISTICS_AS_THEY_SHOULD = {
    "mean_road": mean_subtracted,
    "variance_road": projection_subtracted,
    "count": values_that_share,
    "weights": (1, 1, 0),
    "divided": (1, 1),
}

CONSTANTS = Mistake(
    key="mean and variance held constant",
    what="the mean and the variance are treated as constants.",
    outside="the gradient of eval mode; a numerical gradient disagrees by as much as the gradient "
    "itself.",
    hint="nudge one number of x and list everything that moves.",
    mend="the roads through the statistics",
    aspect="mean",
    changes={"left_out": ("mean", "variance"), **_STATISTICS_AS_THEY_SHOULD},
    section=BREAK,
)
MEAN_LEFT_OUT = Mistake(
    key="road through the mean left out",
    what="the road through the mean is left out.",
    outside="dx does not add up to 0 over the values that share a mean.",
    hint="there are three roads from x to the output. Which have you gone?",
    mend="the road through the mean",
    aspect="mean",
    changes={"left_out": ("mean",), "mean_road": mean_subtracted},
    section=BREAK,
)
VARIANCE_LEFT_OUT = Mistake(
    key="road through the variance left out",
    what="the road through the variance is left out.",
    outside="dx adds up to 0 as it should, but dx times x_hat does not.",
    hint="there are three roads from x to the output. Which have you gone?",
    mend="the road through the variance",
    aspect="variance",
    changes={"left_out": ("variance",), "variance_road": projection_subtracted},
    section=BREAK,
)
MEAN_ADDED = Mistake(
    key="mean of the gradient added",
    what="the mean of the gradient is added and not taken away.",
    outside="dx adds up to twice what it would without that road, where it should add up to 0.",
    hint="raise all numbers that share a mean by 1. What happens to the output, and so, what is "
    "the sum of dx?",
    mend="the sign of the mean's road",
    aspect="mean",
    changes={"mean_road": mean_added},
    section=CLOSED,
)
VARIANCE_ADDED = Mistake(
    key="projection added",
    what="the part along x_hat is added and not taken away.",
    outside="dx times x_hat adds up to something large, where it should be (nearly) 0.",
    hint="stretch all deviations by a little. What happens to the output, and so, what is the sum "
    "of dx times x_hat?",
    mend="the sign of the variance's road",
    aspect="variance",
    changes={"variance_road": projection_added},
    section=CLOSED,
)
MEAN_SUMMED = Mistake(
    key="sum for the mean's road",
    what="on the mean's road, the gradients are added up and not averaged.",
    outside="dx grows with the number of values that share a mean.",
    hint="one x moves the mean by how much?",
    mend="the mean's road",
    aspect="mean",
    changes={"mean_road": sum_subtracted, "count": values_that_share},
    section=CLOSED,
)
VARIANCE_SUMMED = Mistake(
    key="sum for the variance's road",
    what="on the variance's road, the products are added up and not averaged.",
    outside="dx grows with the number of values that share a variance.",
    hint="one x moves the variance by how much? What stands before the sum?",
    mend="the variance's road",
    aspect="variance",
    changes={"variance_road": projection_summed, "count": values_that_share},
    section=CLOSED,
)
BOTH_SUMMED = Mistake(
    key="sums for both roads",
    what="the gradients are added up and not averaged, on both roads through the statistics.",
    outside="dx grows with the number of values that share a mean.",
    hint="one x moves the mean by how much?",
    mend="the number that you divide by",
    aspect="mean",
    changes={
        "count": no_count,
        "mean_road": mean_subtracted,
        "variance_road": projection_subtracted,
    },
    section=CLOSED,
)
ONE_LESS = Mistake(
    key="divided by n - 1",
    what="the sums are divided by n - 1 in place of n.",
    outside="dx is off by a little; the smaller the batch, the more.",
    hint="what did you divide by in the forward pass?",
    mend="the number that you divide by",
    aspect="mean",
    changes={"count": one_less},
    section=CLOSED,
)
NO_X_HAT_OUTSIDE = Mistake(
    key="x_hat missing before the mean",
    what="the mean of dx_hat times x_hat is taken away as it is, without x_hat before it.",
    outside="the same number is taken away from all values that share a variance.",
    hint="a larger variance pulls each value towards the mean. Does it move all by the same?",
    mend="the variance's road",
    aspect="variance",
    changes={"variance_road": no_x_hat_outside},
    section=CLOSED,
)
NO_X_HAT_INSIDE = Mistake(
    key="x_hat missing inside the mean",
    what="x_hat is multiplied by the mean of dx_hat, without x_hat inside that mean.",
    outside="with a dy whose mean is 0 nothing is taken away at all.",
    hint="which number tells how much the loss would change if the variance did?",
    mend="the variance's road",
    aspect="variance",
    changes={"variance_road": no_x_hat_inside},
    section=CLOSED,
)
X_IN_PROJECTION = Mistake(
    key="x for x_hat in the closed form",
    what="x stands where x_hat belongs.",
    outside="huge numbers wherever x is far from 0.",
    hint="is the closed form written with what goes into the layer, or with the normalized value?",
    mend="the variance's road",
    aspect="variance",
    changes={"variance_road": projection_on_x},
    section=CLOSED,
)
DIVIDED_ONCE = Mistake(
    key="factor on one term only",
    what="1 / std stands before the first term only, and not before all three.",
    outside="right where the standard deviation is 1; else dx does not add up to 0.",
    hint="what does the bracket enclose?",
    mend="the bracket",
    aspect="mean",
    changes={"divided": (1, 0)},
    section=CLOSED,
)
WEIGHT_MISSING = Mistake(
    key="weight missing",
    what="the gradient is not multiplied by weight.",
    outside="right in a fresh layer, where weight is 1.",
    hint="test away from the initial values: does your dx change with weight?",
    mend="the way from dy to dx_hat",
    aspect="weight",
    changes={"weights": (0, 0, 0)},
    section=BREAK,
)
WEIGHT_TWICE = Mistake(
    key="weight twice",
    what="the gradient is multiplied by weight twice.",
    outside="right in a fresh layer, where weight is 1.",
    hint="double the weight. By how much should dx grow, and by how much does yours?",
    mend="the way from dy to dx_hat",
    aspect="weight",
    changes={"weights": (2, 2, 0)},
    section=BREAK,
)
WEIGHT_ON_ONE_TERM = Mistake(
    key="weight on one term only",
    what="the first term is multiplied by weight, and the two through the statistics are not.",
    outside="right in a fresh layer, where weight is 1.",
    hint="test away from the initial values: do the values of dx still add up to 0?",
    mend="the way from dy to dx_hat",
    aspect="weight",
    changes={"weights": (1, 0, 0)},
    section=BREAK,
)


def _wrong_divisor(
    key: str, what: str, outside: str, hint: str, aspect: str, divisor: Callable
) -> Mistake:
    return Mistake(
        key=key,
        what=what,
        outside=outside,
        hint=hint,
        mend="the eps" if aspect == "eps" else "the divisor",
        aspect=aspect,
        # Without a divisor it cannot be seen what it divides.
        changes={"divisor": divisor, **({"divided": (1, 1)} if divisor is not_divided else {})},
        section=BREAK if aspect == "eps" else CLOSED,
    )


_SAME_BOTH_WAYS = "the forward pass divided by something. Is it the same, to the last letter?"
EPS_MISSING = _wrong_divisor(
    "eps missing",
    "eps is left out of the backward pass.",
    "an error of 1e-5 or so on ordinary data, easily taken for rounding; NaN for a constant.",
    _SAME_BOTH_WAYS,
    "eps",
    root_without_eps,
)
EPS_OUTSIDE = _wrong_divisor(
    "eps outside the root",
    "eps is added to the standard deviation.",
    "an error of 1e-5 or so on ordinary data, easily taken for rounding.",
    _SAME_BOTH_WAYS,
    "eps",
    root_plus_eps,
)
EPS_SUBTRACTED = _wrong_divisor(
    "eps subtracted",
    "eps is subtracted from the variance.",
    "nothing to see on ordinary data; NaN where the variance is smaller than eps.",
    _SAME_BOTH_WAYS,
    "eps",
    root_of_variance_less_eps,
)
EPS_FIXED = _wrong_divisor(
    "eps fixed at 1e-5",
    "eps is always 1e-5, whatever the caller asks for.",
    "right with PyTorch's default, off with every other eps.",
    "call your function with eps=1 and with eps=100. Do the answers differ?",
    "eps",
    fixed_eps,
)
NO_ROOT = _wrong_divisor(
    "no root",
    "the gradient is divided by the variance, without a root.",
    "dx comes out tiny where the spread is large.",
    "if x is in metres and the loss in euros, in what unit is dx, and in what unit is yours?",
    "straight",
    no_root,
)
NOT_DIVIDED = _wrong_divisor(
    "not divided by std",
    "the gradient is not divided by the standard deviation.",
    "dx does not shrink when the spread of x grows.",
    "x in millimetres is a thousand times x in metres. What does that do to x_hat, and to dx?",
    "straight",
    not_divided,
)
MULTIPLIED = _wrong_divisor(
    "multiplied by std",
    "the gradient is multiplied by the standard deviation.",
    "dx grows with the spread of x, where it should shrink.",
    "x in millimetres is a thousand times x in metres. What does that do to x_hat, and to dx?",
    "straight",
    inverse_root,
)

DIVISORS = (
    EPS_MISSING,
    EPS_OUTSIDE,
    EPS_SUBTRACTED,
    EPS_FIXED,
    NO_ROOT,
    NOT_DIVIDED,
    MULTIPLIED,
)
CLOSED_FORM = (
    CONSTANTS,
    MEAN_LEFT_OUT,
    VARIANCE_LEFT_OUT,
    MEAN_ADDED,
    VARIANCE_ADDED,
    MEAN_SUMMED,
    VARIANCE_SUMMED,
    BOTH_SUMMED,
    ONE_LESS,
    NO_X_HAT_OUTSIDE,
    NO_X_HAT_INSIDE,
    X_IN_PROJECTION,
    DIVIDED_ONCE,
    WEIGHT_MISSING,
    WEIGHT_TWICE,
    WEIGHT_ON_ONE_TERM,
    *DIVISORS,
)
