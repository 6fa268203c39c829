"""Lesson 8: the forward pass of GroupNorm.

One fact carries the cases: G groups of a sample are the same as G samples of one group each. So
whether the groups are right can be judged by the learner's own answer for one group.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from normlab.exercises.cases import distinct_values, scales, shape_name, shifts
from normlab.exercises.catalogue.batch_norm_forward import (
    CHANNELS,
    LAST_AXIS,
    View,
    mean_squared_deviation,
    root_of_variance_plus_eps,
    scale_then_shift,
)
from normlab.exercises.catalogue.formula import (
    NO_EPS,
    formula_mistakes,
    plain,
    with_affine,
    with_eps,
)
from normlab.exercises.exercise import Arguments, Aspect, Case, Exercise, Mistake, Outputs
from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

# ---- forward: which values share a mean


def neighbours(x: np.ndarray, groups: int) -> np.ndarray:
    """Lay neighbouring channels together: (N, G, C/G, *)."""
    return x.reshape(x.shape[0], groups, -1, *x.shape[2:])


def _channels_over_groups(x: np.ndarray, groups: int) -> np.ndarray:
    """Exchange the two sizes: (N, C/G, G, *)."""
    return x.reshape(x.shape[0], -1, groups, *x.shape[2:])


def _as_if_channels_last(x: np.ndarray, groups: int) -> np.ndarray:
    """Reshape (N, C, *) as one would (N, *, C), moving nothing: (N, *, G, C/G)."""
    return x.reshape(x.shape[0], *x.shape[2:], groups, -1)


def _from_second(ndim: int) -> tuple[int, ...]:
    return tuple(range(2, ndim))


@dataclass(frozen=True)
class Grouping:
    """How the values are laid out to be averaged: ``axes(ndim)`` of ``unfold(x, groups)``."""

    unfold: Callable[[np.ndarray, int], np.ndarray] = neighbours
    axes: Callable[[int], tuple[int, ...]] = _from_second


def one_for_each_channel(parameter: np.ndarray, _groups: int) -> np.ndarray:
    """Take weight and bias as they come: (C,)."""
    return parameter


def one_for_each_group(parameter: np.ndarray, groups: int) -> np.ndarray:
    """Use the first G of them, each for a whole group."""
    return np.repeat(parameter[:groups], len(parameter) // groups)


def group_norm_recipe(
    x: np.ndarray,
    num_groups: int,
    weight: np.ndarray,
    bias: np.ndarray,
    eps: float,
    *,
    grouping: Grouping | None = None,
    variance: Callable = mean_squared_deviation,
    less: int = 0,
    centred: bool = True,
    divisor: Callable = root_of_variance_plus_eps,
    parameters: Callable = one_for_each_channel,
    affine: Callable = scale_then_shift,
    line_up: Callable = View.along_channels,
) -> Outputs:
    """Compute GroupNorm's forward pass; each keyword is a step that a mistake may change.

    Parameters
    ----------
    x
        (N, C, *).
    num_groups, weight, bias, eps
        G, (C,), (C,) and a number.
    grouping
        Which values share a mean; None for blocks of neighbouring channels.
    variance, less, centred, divisor, affine, line_up
        As in `batch_norm_recipe`.
    parameters
        Which weight belongs to which channel.
    """
    grouping = grouping or Grouping()
    z = grouping.unfold(x, num_groups)
    view = View(axes=grouping.axes(z.ndim))
    n = view.count(z)
    mean = view.mean(z)  # (N, G, 1, ...)
    var = variance(z, mean, view) * np.float64(n) / (n - less)
    x_hat = ((z - mean if centred else z) / divisor(var, eps)).reshape(x.shape)
    weight, bias = (
        line_up(CHANNELS, parameters(parameter, num_groups), x_hat) for parameter in (weight, bias)
    )
    return {"y": affine(x_hat, weight, bias)}


def group_norm_reference(
    x: np.ndarray, num_groups: int, weight: np.ndarray, bias: np.ndarray, eps: float
) -> Outputs:
    """Call the package's own GroupNorm."""
    return {"y": F.group_norm(x, num_groups, weight, bias, eps)}


# ---- forward: cases


def offset_values(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw readable numbers, each channel about a mean of its own, far from the others'."""
    means = 10 * rng.choice(np.arange(-9, 10), shape[1], replace=False)
    return distinct_values(rng, shape) + means.reshape((1, -1) + (1,) * (len(shape) - 2))


def _like_own(own: Outputs, arguments: Arguments) -> Outputs:
    """Expect the numbers of the learner's own answer, in the shape that x has here."""
    return {"y": own["y"].reshape(arguments["x"].shape)}


def _eps_in_one_group(own: Outputs, arguments: Arguments) -> Outputs:
    return with_eps(own, arguments, tuple(range(1, arguments["x"].ndim)))


def _forward_cases(rng: np.random.Generator, shape: tuple[int, ...], groups: int) -> list[Case]:
    """Draw one x and see it as single groups, with eps, as several groups, with weight and bias."""
    x = offset_values(rng, shape)
    single = neighbours(x, groups).reshape(-1, shape[1] // groups, *shape[2:])  # (N*G, C/G, H, W)
    eps = float(rng.integers(1, 9)) * 100
    one, several = f"{shape_name(single.shape)}, 1 group", f"{shape_name(shape)}, {groups} groups"
    weight, bias = scales(rng, shape[1]), shifts(rng, shape[1])
    return [
        Case(f"{one}, eps 0", ("statistics",), plain(single, NO_EPS, num_groups=1)),
        Case(
            f"{one}, eps {eps:g}",
            ("eps",),
            plain(single, eps, num_groups=1),
            based_on=f"{one}, eps 0",
            derive=_eps_in_one_group,
        ),
        Case(
            several,
            ("groups",),
            plain(x, eps, num_groups=groups),
            based_on=f"{one}, eps {eps:g}",
            derive=_like_own,
        ),
        Case(
            f"{several}, weight and bias",
            ("affine",),
            {"x": x, "num_groups": groups, "weight": weight, "bias": bias, "eps": eps},
            based_on=several,
            derive=with_affine,
        ),
    ]


def _faint(rng: np.random.Generator, shape: tuple[int, ...]) -> Case:
    """Draw one group a sample that hardly varies, and a last sample that does not vary at all."""
    x = distinct_values(rng, shape) * 1e-10
    x[-1] = 0.0
    eps = float(rng.choice([0.01, 0.02, 0.05]))
    name = f"{shape_name(shape)}, hardly any variation, eps {eps:g}"
    return Case(name, ("eps",), plain(x, eps, num_groups=1))


def draw_forward(rng: np.random.Generator) -> list[Case]:
    """Draw the cases of `group_norm_forward`.

    As many columns as channels: there a weight along the wrong axis raises no error.
    """
    cases = [
        *_forward_cases(rng, (1, 6, 1, 6), groups=2),
        *_forward_cases(rng, (2, 6, 2, 6), groups=3),
        _faint(rng, (3, 4, 2, 4)),
    ]
    given = {case.name: case.arguments for case in cases}
    odd = offset_values(rng, (2, 8, 3, 5))
    weight, bias = scales(rng, 8), shifts(rng, 8)
    base = "(1, 6, 1, 6), 2 groups"
    pixels = offset_values(rng, (3, 6, 1, 1))
    return [
        *cases,
        Case(
            "(1, 6, 6), 2 groups",
            ("ranks",),
            {**given[base], "x": given[base]["x"][:, :, 0]},
            based_on=base,
            derive=_like_own,
        ),
        Case("(3, 6, 1, 1), 2 groups", (), plain(pixels, NO_EPS, num_groups=2)),
        Case(
            "(3, 6), 2 groups",
            ("ranks",),
            plain(pixels[:, :, 0, 0], NO_EPS, num_groups=2),
            based_on="(3, 6, 1, 1), 2 groups",
            derive=_like_own,
        ),
        Case("(2, 8, 3, 5), 4 groups", (), plain(odd, NO_EPS, num_groups=4)),
        Case(
            "(2, 8, 3, 5), 4 groups, weight and bias",
            ("affine",),
            {"x": odd, "num_groups": 4, "weight": weight, "bias": bias, "eps": NO_EPS},
            based_on="(2, 8, 3, 5), 4 groups",
            derive=with_affine,
        ),
    ]


# ---- forward: mistakes

_FORMULA = "GroupNorm in a formula"
_BREAK = "Break it on purpose"
_AFFINE = "weight and bias: one for each channel"

IN_THE_FORMULA = formula_mistakes("group", _FORMULA, "A group that hardly varies", _AFFINE)
# Without weight and bias it cannot be seen along which axis they would lie.
_NO_AFFINE = IN_THE_FORMULA["weight and bias skipped"]
IN_THE_FORMULA[_NO_AFFINE.key] = replace(
    _NO_AFFINE, changes={**_NO_AFFINE.changes, "parameters": one_for_each_channel}
)


def _wrong_grouping(key: str, what: str, outside: str, hint: str, how: Grouping, aspect: str):  # noqa: ANN202
    return Mistake(key, what, outside, hint, "the groups", aspect, {"grouping": how}, _BREAK)


_NUMBER_THEM = "fill each channel with its own number, 0 to 5, and print what is in each group."
_COUNT_THEM = "how many values make one mean? Print the shape of your mean."

FORWARD_GROUPINGS = (
    _wrong_grouping(
        "one mean per pixel of a group",
        "each pixel of a group has a mean and a variance of its own, over the group's channels.",
        "plausible images; a pixel's answer does not depend on the pixels around it.",
        "a group is a brick and not a column. How many values should make one mean?",
        Grouping(axes=lambda _ndim: (2,)),
        "statistics",
    ),
    _wrong_grouping(
        "one mean per channel",
        "each channel of a sample has a mean and a variance of its own.",
        "num_groups makes no difference. (InstanceNorm does this.)",
        _COUNT_THEM,
        Grouping(axes=lambda ndim: tuple(range(3, ndim))),
        "statistics",
    ),
    _wrong_grouping(
        "one mean per sample",
        "each sample has one mean and one variance, over all its channels.",
        "num_groups makes no difference. (LayerNorm does this.)",
        _COUNT_THEM,
        Grouping(axes=lambda ndim: tuple(range(1, ndim))),
        "groups",
    ),
    _wrong_grouping(
        "one mean for the whole batch",
        "the samples of the batch share the mean and the variance of a group.",
        "a sample's answer depends on the other samples. (BatchNorm does this.)",
        "give your function one sample alone and then the same in a batch. Do the answers agree?",
        Grouping(axes=lambda ndim: (0, *range(2, ndim))),
        "statistics",
    ),
    _wrong_grouping(
        "interleaved groups",
        "the channels are dealt out to the groups like cards: every G-th belongs together.",
        "right shape, wrong neighbours; right for one group and for one channel a group.",
        _NUMBER_THEM,
        Grouping(_channels_over_groups, lambda ndim: (1, *range(3, ndim))),
        "groups",
    ),
    _wrong_grouping(
        "G and C/G exchanged",
        "there are C/G groups of G channels each, in place of G groups of C/G.",
        "nothing to see where C is G times G; else too many groups or too few.",
        _NUMBER_THEM,
        Grouping(_channels_over_groups),
        "groups",
    ),
    _wrong_grouping(
        "reshaped as if channels came last",
        "x is reshaped as if it were (N, H, W, C), so a group is a mixture of channels and pixels.",
        "right for (N, C), and plausible numbers for images.",
        _NUMBER_THEM,
        Grouping(
            _as_if_channels_last, lambda ndim: (*range(1, ndim - 2), ndim - 1)
        ),  # all but N and G
        "groups",
    ),
)

WEIGHT_PER_GROUP = Mistake(
    key="weight per group",
    what="the g-th weight and bias are used for the whole of group g.",
    outside="right in a fresh layer; the weights after the first G have no effect.",
    hint="how many means are there for one sample, and how many weights? They need not agree.",
    mend="weight and bias",
    aspect="affine",
    changes={"parameters": one_for_each_group},
    section=_AFFINE,
)

FORWARD = Exercise(
    name="group_norm_forward",
    lesson="08",
    title="GroupNorm for (N, C, *)",
    parameters=("x", "num_groups", "weight", "bias", "eps"),
    returns=("y",),
    aspects=(
        Aspect("statistics", "mean and variance of a group", 2),
        Aspect("groups", "which channels make a group", 3),
        Aspect("eps", "eps, and a group that hardly varies", 1),
        Aspect("affine", "weight and bias, one for each channel", 2),
        Aspect("ranks", "not only images: (N, C) and (N, C, L)", 1),
        Aspect("input", "leaves its input alone", 1, leaves_input_alone=True),
    ),
    draw=draw_forward,
    reference=group_norm_reference,
    recipe=group_norm_recipe,
    mistakes=(
        *IN_THE_FORMULA.values(),
        *FORWARD_GROUPINGS,
        WEIGHT_PER_GROUP,
        replace(LAST_AXIS, section=_AFFINE),
    ),
    first_step="reshape x to (N, G, C/G, ...), number the channels, and see which lie together.",
)

EXERCISES = (FORWARD,)
