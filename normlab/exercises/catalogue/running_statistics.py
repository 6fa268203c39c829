"""Lesson 3: update BatchNorm's running statistics.

The recipe computes the same as the reference, in steps that can be exchanged one by one.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from normlab.exercises.cases import distinct_values, shape_name, shifts
from normlab.exercises.catalogue import batch_norm_forward as forward
from normlab.exercises.exercise import Arguments, Aspect, Case, Exercise, Mistake, Outputs
from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

_MOMENTUM = "Remember while you learn"
_POPULATION = "Two variances, for two jobs"

# ---- the recipe: how old and new are mixed


def towards_the_batch(old: np.ndarray, new: np.ndarray, momentum: float) -> np.ndarray:
    """Keep 1 - momentum of the old; PyTorch's momentum is the share of the new."""
    return (1 - momentum) * old + momentum * new


def reversed_momentum(old: np.ndarray, new: np.ndarray, momentum: float) -> np.ndarray:
    """Take momentum for the share of the old, as Keras and the paper do."""
    return momentum * old + (1 - momentum) * new


def always_a_tenth(old: np.ndarray, new: np.ndarray, _momentum: float) -> np.ndarray:
    """Use PyTorch's default in place of the argument."""
    return 0.9 * old + 0.1 * new


def halfway(old: np.ndarray, new: np.ndarray, _momentum: float) -> np.ndarray:
    """Average old and new."""
    return (old + new) / 2


def last_batch_only(_old: np.ndarray, new: np.ndarray, _momentum: float) -> np.ndarray:
    """Forget the old altogether."""
    return new + 0.0


def added_up(old: np.ndarray, new: np.ndarray, momentum: float) -> np.ndarray:
    """Add the new's share, and keep the old whole."""
    return old + momentum * new


def new_at_full_weight(old: np.ndarray, new: np.ndarray, momentum: float) -> np.ndarray:
    """Shrink the old, and add the new whole."""
    return (1 - momentum) * old + new


# ---- the recipe: the variance of the batch


def about_its_own_mean(x: np.ndarray, own: np.ndarray, *_: np.ndarray) -> np.ndarray:
    """Square the deviations from the batch's mean."""
    return np.square(x - own)


def about_the_running_mean(x: np.ndarray, _own: np.ndarray, old: np.ndarray, *_: Any) -> np.ndarray:  # noqa: ANN401
    """Square the deviations from the running mean before the update."""
    return np.square(x - old)


def about_the_new_running_mean(
    x: np.ndarray, _own: np.ndarray, _old: np.ndarray, new: np.ndarray
) -> np.ndarray:
    """Square the deviations from the running mean after the update."""
    return np.square(x - new)


def about_nothing(x: np.ndarray, *_: np.ndarray) -> np.ndarray:
    """Square x itself."""
    return np.square(x)


def squares_less_square(x: np.ndarray, own: np.ndarray, *_: np.ndarray) -> np.ndarray:
    """Subtract the square of the mean from the squares: the same on paper, once averaged."""
    return x * x - own * own


def as_it_is(var: np.ndarray, *_: float) -> np.ndarray:
    """Track the variance."""
    return var


def its_root(var: np.ndarray, *_: float) -> np.ndarray:
    """Track the standard deviation."""
    return np.sqrt(var)


def update_recipe(
    x: np.ndarray,
    running_mean: np.ndarray,
    running_var: np.ndarray,
    momentum: float,
    *,
    axis: int | tuple[int, ...] = 0,
    squares: Callable = about_its_own_mean,
    less: int = 1,
    tracked: Callable = as_it_is,
    blend: Callable = towards_the_batch,
) -> Outputs:
    """Update both running statistics; each keyword is a step that a mistake may change.

    Parameters
    ----------
    x
        (N, C).
    running_mean, running_var
        (C,).
    momentum
        The share of the batch.
    axis
        What the batch is averaged over.
    squares
        What is averaged to get a variance.
    less
        Divide the sum of squares by n - less.
    tracked
        From the variance to what is remembered.
    blend
        How old and new are mixed.
    """
    mean = x.mean(axis)  # (C,)
    new_mean = blend(running_mean, mean, momentum)
    n = x.size // mean.size
    var = squares(x, mean, running_mean, new_mean).mean(axis) * np.float64(n) / (n - less)
    return {"running_mean": new_mean, "running_var": blend(running_var, tracked(var), momentum)}


def update_reference(
    x: np.ndarray, running_mean: np.ndarray, running_var: np.ndarray, momentum: float
) -> Outputs:
    """Let the package's own BatchNorm update copies, in float64."""
    mean, var = running_mean.astype(np.float64), running_var.astype(np.float64)
    F.batch_norm(x.astype(np.float64), mean, var, training=True, momentum=momentum)
    return {"running_mean": mean, "running_var": var}


# ---- cases


def draw_updates(rng: np.random.Generator) -> list[Case]:
    """Draw the cases of `update_running_stats`.

    What is expected of the variance is derived from how the learner's own means were mixed.
    """
    cases = []
    tenths = rng.permutation([2, 3, 4, 6, 7, 8])
    for shape, tenth in zip([(3, 2), (4, 4), (2, 3)], tenths, strict=False):
        start = {"running_mean": shifts(rng, shape[1]), "running_var": variances(rng, shape[1])}
        cases += _mean_and_variance(rng, shape, f"{shape_name(shape)}", start, tenth / 10)
    first, momentum = batch_values(rng, (5, 3)), float(tenths[3]) / 10
    fresh = {"running_mean": np.zeros(3), "running_var": np.ones(3)}
    after = update_recipe(first, **fresh, momentum=momentum)
    cases += _mean_and_variance(rng, (5, 3), "the second of two batches", after, momentum)
    cases += _mean_and_variance(rng, (3, 4), "forget the old", state_of(rng, 4), 1.0)
    cases += _mean_and_variance(rng, (4, 2), "learn nothing new", state_of(rng, 2), 0.0)
    return [*cases, _usual_batch_far_from_zero(rng, (50, 4))]


def _mean_and_variance(
    rng: np.random.Generator, shape: tuple[int, ...], name: str, state: Outputs, momentum: float
) -> list[Case]:
    arguments = {"x": batch_values(rng, shape), **state, "momentum": float(momentum)}
    name = f"{name}, momentum {momentum:g}"
    again = {"based_on": name, "derive": _same_share}
    return [
        Case(name, ("momentum",), arguments),
        Case(f"{name}: running_var", ("variance",), arguments, **again),
    ]


def _same_share(own: Outputs, arguments: Arguments) -> Outputs:
    """From the share of the batch in the learner's mean to the variance with that share."""
    x, old = arguments["x"], arguments["running_mean"]
    shares = (own["running_mean"] - old) / (x.mean(0) - old)
    if np.ptp(shares) > 1e-6:
        return {}
    old_var, var = arguments["running_var"], x.var(0, ddof=1)
    return {"running_var": old_var + shares.mean() * (var - old_var)}


def _usual_batch_far_from_zero(rng: np.random.Generator, shape: tuple[int, ...]) -> Case:
    """Draw float32 numbers about 40,000, a batch like all before: so momentum does not matter.

    float32 has 7 digits: 40,000 is exact to 0.004, and its square only to 128. The tolerance is
    what the rounding of a mean of so many float32 numbers may cost.
    """
    x = (40_000 + 3 * rng.normal(size=shape)).astype(np.float32)
    exact = x.astype(np.float64)
    state = {"running_mean": exact.mean(0), "running_var": exact.var(0, ddof=1)}
    arguments = {"x": x, **{k: v.astype(np.float32) for k, v in state.items()}, "momentum": 0.5}
    name = f"{shape_name(shape)} in float32, far from zero"
    return Case(name, ("far",), arguments, tolerance=2e-2, rounding=True)


def state_of(rng: np.random.Generator, channels: int) -> Outputs:
    """Draw running statistics."""
    return {"running_mean": shifts(rng, channels), "running_var": variances(rng, channels)}


def batch_values(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Draw whole numbers, each channel about a mean of its own, which no shift is equal to."""
    means = rng.choice(np.arange(11, 30), shape[1], replace=False)
    return distinct_values(rng, shape) + np.sign(rng.normal(size=shape[1])) * 10 * means


def variances(rng: np.random.Generator, channels: int) -> np.ndarray:
    """Draw different positive numbers, none of them near 1."""
    return rng.choice(np.arange(3.0, 30), channels, replace=False)


# ---- the mistakes

BIASED = Mistake(
    key="biased variance remembered",
    what="the variance of the batch divides by n, and goes into the running variance like that.",
    outside="training looks right; in evaluation everything comes out a little too large, the "
    "smaller the batches the more.",
    hint="two different jobs: to scale this batch, and to estimate the variance of all the data "
    "that it was drawn from. Which of them is the running variance for?",
    mend="the variance",
    aspect="variance",
    changes={"less": 0},
    section=_POPULATION,
)
REVERSED = Mistake(
    key="momentum reversed",
    what="momentum is the share of the old statistics, as in Keras and in the paper.",
    outside="with momentum 0.1 the statistics jump with every batch: nine tenths are the last one.",
    hint="at momentum 0, should the old value live or die? And at momentum 1?",
    mend="the momentum",
    aspect="momentum",
    changes={"blend": reversed_momentum},
    section=_MOMENTUM,
)
FIXED = Mistake(
    key="momentum fixed at 0.1",
    what="momentum is always 0.1, whatever the caller asks for.",
    outside="right with PyTorch's default, off with every other momentum.",
    hint="call your function with momentum 0 and with momentum 1. Do the answers differ?",
    mend="the momentum",
    aspect="momentum",
    changes={"blend": always_a_tenth},
    section=_MOMENTUM,
)
HALFWAY = Mistake(
    key="old and new averaged",
    what="old and new count one half each, whatever the momentum.",
    outside="right for momentum 0.5 alone; the statistics follow every batch too closely.",
    hint="call your function with momentum 0 and with momentum 1. Do the answers differ?",
    mend="the momentum",
    aspect="momentum",
    changes={"blend": halfway},
    section=_MOMENTUM,
)
LAST_BATCH = Mistake(
    key="last batch only",
    what="the statistics of the batch replace the running ones.",
    outside="evaluation depends on which batch came last.",
    hint="give your function another running mean to start from. Does its answer change?",
    mend="the update",
    aspect="momentum",
    changes={"blend": last_batch_only},
    section=_MOMENTUM,
)
ADDED_UP = Mistake(
    key="old kept whole",
    what="the share of the batch is added, and nothing of the old is forgotten.",
    outside="the running statistics grow with every batch, without end.",
    hint="give it the same batch a hundred times. Where should the running mean settle?",
    mend="the update",
    aspect="momentum",
    changes={"blend": added_up},
    section=_MOMENTUM,
)
NEW_WHOLE = Mistake(
    key="new added whole",
    what="the old is shrunk, and the whole of the batch's statistics is added.",
    outside="after many batches the running statistics are far larger than those of any batch.",
    hint="give it the same batch a hundred times. Where should the running mean settle?",
    mend="the update",
    aspect="momentum",
    changes={"blend": new_at_full_weight},
    section=_MOMENTUM,
)
STD_TRACKED = Mistake(
    key="standard deviation remembered",
    what="the standard deviation is blended into the running variance.",
    outside="training looks right; in evaluation the spread of every channel is off.",
    hint="what exactly does the buffer's name promise?",
    mend="the variance",
    aspect="variance",
    changes={"tracked": its_root},
    section=_POPULATION,
)
ABOUT_OLD_MEAN = Mistake(
    key="deviations from the running mean",
    what="the variance is taken about the running mean in place of the batch's own.",
    outside="far too large a variance as long as the running mean has not settled.",
    hint="a batch that holds the same number everywhere: what is its variance? And yours?",
    mend="the deviations",
    aspect="variance",
    changes={"squares": about_the_running_mean},
    section=_POPULATION,
)
ABOUT_NEW_MEAN = Mistake(
    key="deviations from the updated mean",
    what="the running mean is updated first, and the variance is taken about it.",
    outside="too large a variance as long as the running mean has not settled.",
    hint="a batch that holds the same number everywhere: what is its variance? And yours?",
    mend="the deviations",
    aspect="variance",
    # With another blend the updated mean may be the batch's own.
    changes={"squares": about_the_new_running_mean, "blend": towards_the_batch},
    section=_POPULATION,
)
MEAN_SQUARE = replace(
    forward.MEAN_SQUARE,
    aspect="variance",
    changes={"squares": about_nothing},
    section=_POPULATION,
)
DIFFERENCE_OF_SQUARES = replace(
    forward.DIFFERENCE_OF_SQUARES, changes={"squares": squares_less_square}, section=_POPULATION
)
SAMPLES = Mistake(
    key="one mean per sample",
    what="the batch is averaged over its channels: each sample has a mean and a variance.",
    outside="an error, unless there are as many samples as channels; then numbers without meaning.",
    hint="print the shape of your mean. One number for each *what*?",
    mend="the axes",
    aspect="momentum",
    changes={"axis": 1, "squares": about_its_own_mean},
    section=_MOMENTUM,
)
EVERYTHING = Mistake(
    key="one mean for everything",
    what="the whole batch has one mean and one variance.",
    outside="all channels move towards the same value.",
    hint="print the shape of your mean. One number for each *what*?",
    mend="the axes",
    aspect="momentum",
    changes={"axis": (0, 1)},
    section=_MOMENTUM,
)

# ---- the aspects, and the exercise

_INPUT_ALONE = Aspect("input", "leaves its input alone", 1, leaves_input_alone=True)

UPDATE = Exercise(
    name="update_running_stats",
    lesson="03",
    title="update the running statistics",
    parameters=("x", "running_mean", "running_var", "momentum"),
    returns=("running_mean", "running_var"),
    aspects=(
        Aspect("momentum", "running_mean: moves by momentum", 4, ("running_mean",)),
        Aspect("variance", "running_var: estimates the population's", 4, ("running_var",)),
        Aspect("far", "running_var: numbers far from zero, in float32", 1, ("running_var",)),
        _INPUT_ALONE,
    ),
    draw=draw_updates,
    reference=update_reference,
    recipe=update_recipe,
    mistakes=(
        BIASED,
        REVERSED,
        FIXED,
        HALFWAY,
        LAST_BATCH,
        ADDED_UP,
        NEW_WHOLE,
        STD_TRACKED,
        ABOUT_OLD_MEAN,
        ABOUT_NEW_MEAN,
        MEAN_SQUARE,
        DIFFERENCE_OF_SQUARES,
        SAMPLES,
        EVERYTHING,
    ),
    first_step="compute the mean of each channel of x, and move running_mean towards it.",
)

EXERCISES = (UPDATE,)
