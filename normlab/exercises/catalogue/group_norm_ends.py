"""Lesson 8: LayerNorm and InstanceNorm as the two ends of GroupNorm."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from normlab.exercises.cases import distinct_values, shape_name
from normlab.exercises.catalogue.batch_norm_forward import View, no_affine, scale_then_shift
from normlab.exercises.catalogue.formula import NO_EPS, with_eps
from normlab.exercises.catalogue.group_norm import (
    IN_THE_FORMULA,
    Grouping,
    group_norm_recipe,
    offset_values,
)
from normlab.exercises.exercise import Arguments, Aspect, Case, Exercise, Mistake, Outputs
from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

_ENDS = "LayerNorm and InstanceNorm as its two ends"

# The axes of (N, C, H, W) that LayerNorm averages, and those that InstanceNorm does.
_TWO_ENDS = ((1, 2, 3), (2, 3))


def one_for_each_element(parameter: np.ndarray) -> np.ndarray:
    """Take weight and bias as they come: (C, H, W)."""
    return parameter


def averaged_to_channels(parameter: np.ndarray) -> np.ndarray:
    """Average over the pixels, so that it fits GroupNorm's (C,)."""
    return parameter.mean((1, 2), keepdims=True)


def first_of_each_channel(parameter: np.ndarray) -> np.ndarray:
    """Take the first pixel's, so that it fits GroupNorm's (C,)."""
    return parameter[:, :1, :1]


def ends_recipe(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    eps: float,
    *,
    ends: tuple[tuple[int, ...], tuple[int, ...]] = _TWO_ENDS,
    parameters: Callable = one_for_each_element,
    affine: Callable = scale_then_shift,
    instance_affine: Callable = no_affine,
    order: tuple[str, str] = ("layer", "instance"),
    **formula: Callable | int | bool,
) -> Outputs:
    """Compute LayerNorm and InstanceNorm; each keyword is a step that a mistake may change.

    Parameters
    ----------
    x, weight, bias, eps
        (N, C, H, W), (C, H, W), (C, H, W) and a number.
    ends
        The axes over which the one and the other average.
    parameters, affine, instance_affine
        How weight and bias are used, in the one and in the other.
    order
        Which is returned first.
    formula
        Steps of `batch_norm_recipe`.
    """
    layer, instance = (_standardized(x, eps, View(axes), formula) for axes in ends)
    weight, bias = parameters(weight), parameters(bias)
    values = affine(layer, weight, bias), instance_affine(instance, weight, bias)
    return dict(zip(order, values, strict=True))


def _standardized(x: np.ndarray, eps: float, view: View, formula: dict) -> np.ndarray:
    return group_norm_recipe(
        x,
        1,
        np.ones(x.shape[1]),
        np.zeros(x.shape[1]),
        eps,
        grouping=Grouping(lambda z, _groups: z, lambda _ndim: view.axes),
        **formula,
    )["y"]


def ends_reference(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> Outputs:
    """Call the package's own LayerNorm and InstanceNorm."""
    return {
        "layer": F.layer_norm(x, x.shape[1:], weight, bias, eps),
        "instance": F.instance_norm(x, eps=eps),
    }


def _ends_with_eps(own: Outputs, arguments: Arguments) -> Outputs:
    one, other = (
        with_eps({"y": own[name]}, arguments, axes)["y"]
        for name, axes in (("layer", (1, 2, 3)), ("instance", (2, 3)))
    )
    return {"layer": one, "instance": other}


def _ends_with_affine(own: Outputs, arguments: Arguments) -> Outputs:
    layer = own["layer"] * arguments["weight"] + arguments["bias"]
    return {"layer": layer, "instance": own["instance"]}


def draw_ends(rng: np.random.Generator) -> list[Case]:
    """Draw the cases of `two_ends`: without eps, with it, with weight and bias."""
    return [case for shape in ((2, 3, 1, 4), (3, 2, 4, 5)) for case in _ends_cases(rng, shape)]


def _ends_cases(rng: np.random.Generator, shape: tuple[int, ...]) -> list[Case]:
    x = offset_values(rng, shape)
    eps = float(rng.integers(1, 9)) * 100
    fresh = {"weight": np.ones(shape[1:]), "bias": np.zeros(shape[1:])}
    elements = distinct_values(rng, (2, *shape[1:])) / 10 + 0.05  # none is 0
    learned = {"weight": elements[0], "bias": elements[1]}
    bare, name = f"{shape_name(shape)}, weight 1, bias 0, eps 0", shape_name(shape)
    return [
        Case(bare, ("layer", "instance"), {"x": x, **fresh, "eps": NO_EPS}),
        Case(
            f"{name}, eps {eps:g}",
            ("eps",),
            {"x": x, **fresh, "eps": eps},
            based_on=bare,
            derive=_ends_with_eps,
        ),
        Case(
            f"{name}, weight and bias",
            ("elements", "unlearned"),
            {"x": x, **learned, "eps": NO_EPS},
            based_on=bare,
            derive=_ends_with_affine,
        ),
    ]


def _wrong_ends(key: str, what: str, outside: str, hint: str, aspect: str, *ends: tuple) -> Mistake:
    return Mistake(key, what, outside, hint, "num_groups", aspect, {"ends": ends}, _ENDS)


_FEW = "with one group, how many channels share a mean? And with C groups?"
_PARAMETERS = "print the shapes of nn.LayerNorm([C, H, W]).weight and of nn.GroupNorm(1, C).weight."

ENDS_MISTAKES = (
    *(
        replace(IN_THE_FORMULA[key], aspect="layer")
        for key in (
            "unbiased variance",
            "no root",
            "std for variance",
            "mean left in",
            "mean square for variance",
        )
    ),
    *(IN_THE_FORMULA[key] for key in ("eps outside the root", "eps missing", "eps fixed at 1e-5")),
    *(
        replace(
            IN_THE_FORMULA[key],
            aspect="elements",
            changes={"affine": IN_THE_FORMULA[key].changes["affine"], **more},
            section=_ENDS,
        )
        for key, more in {
            "weight and bias skipped": {"parameters": one_for_each_element},
            "weight skipped": {},
            "bias skipped": {},
            "shift before scale": {},
        }.items()
    ),
    _wrong_ends(
        "the ends exchanged",
        "one group was taken for InstanceNorm, and C groups for LayerNorm.",
        "right shapes; LayerNorm keeps nothing of the difference between two channels.",
        _FEW,
        "layer",
        (2, 3),
        (1, 2, 3),
    ),
    _wrong_ends(
        "one group for both",
        "both are computed with one group.",
        "LayerNorm is right; InstanceNorm's channels keep their different means.",
        _FEW,
        "instance",
        (1, 2, 3),
        (1, 2, 3),
    ),
    _wrong_ends(
        "C groups for both",
        "both are computed with C groups.",
        "InstanceNorm is right; LayerNorm's channels all have mean 0.",
        _FEW,
        "layer",
        (2, 3),
        (2, 3),
    ),
    _wrong_ends(
        "LayerNorm at each pixel",
        "LayerNorm takes a mean at each pixel, over the channels.",
        "what a transformer's LayerNorm(C) does with (N, H, W, C), and not LayerNorm([C, H, W]).",
        "how many numbers share one mean in nn.LayerNorm([C, H, W])?",
        "layer",
        (1,),
        (2, 3),
    ),
    _wrong_ends(
        "BatchNorm for InstanceNorm",
        "InstanceNorm takes the mean of a channel over the whole batch.",
        "a sample's answer depends on the other samples. (BatchNorm does this.)",
        "how many means does InstanceNorm have for N samples of C channels?",
        "instance",
        (1, 2, 3),
        (0, 2, 3),
    ),
    Mistake(
        key="weight averaged to channels",
        what="weight and bias are averaged over the pixels, so as to fit GroupNorm's (C,).",
        outside="right in a fresh layer; then every pixel of a channel gets the same weight.",
        hint=_PARAMETERS,
        mend="LayerNorm's weight and bias",
        aspect="elements",
        changes={"parameters": averaged_to_channels},
        section=_ENDS,
    ),
    Mistake(
        key="first weight of each channel",
        what="of each channel only the first weight and bias are used.",
        outside="right in a fresh layer; the weights of all other pixels have no effect.",
        hint=_PARAMETERS,
        mend="LayerNorm's weight and bias",
        aspect="elements",
        changes={"parameters": first_of_each_channel},
        section=_ENDS,
    ),
    Mistake(
        key="InstanceNorm with weight and bias",
        what="weight and bias are used in InstanceNorm, too.",
        outside="InstanceNorm is right in a fresh layer, where weight is 1 and bias is 0.",
        hint="print list(nn.InstanceNorm2d(3).parameters()).",
        mend="InstanceNorm",
        aspect="unlearned",
        changes={"instance_affine": scale_then_shift},
        section=_ENDS,
    ),
    Mistake(
        key="returned in the other order",
        what="InstanceNorm is returned first, and LayerNorm second.",
        outside="the right numbers under the wrong names.",
        hint="which of the two should still have channels of different brightness?",
        mend="the order of the return",
        aspect="layer",
        # Together with one of these steps it would be the same as two other mistakes.
        changes={
            "order": ("instance", "layer"),
            "ends": _TWO_ENDS,
            "affine": scale_then_shift,
            "instance_affine": no_affine,
        },
        section=_ENDS,
    ),
)

ENDS = Exercise(
    name="two_ends",
    lesson="08",
    title="LayerNorm and InstanceNorm from GroupNorm",
    parameters=("x", "weight", "bias", "eps"),
    returns=("layer", "instance"),
    aspects=(
        Aspect("layer", "layer: one mean for each sample", 2, ("layer",)),
        Aspect("instance", "instance: one mean for each channel of each sample", 2, ("instance",)),
        Aspect("eps", "both: eps", 1),
        Aspect("elements", "layer: a weight and a bias for each element", 3, ("layer",)),
        Aspect("unlearned", "instance: no weight and no bias", 1, ("instance",)),
        Aspect("input", "leaves its input alone", 1, leaves_input_alone=True),
    ),
    draw=draw_ends,
    reference=ends_reference,
    recipe=ends_recipe,
    mistakes=ENDS_MISTAKES,
    first_step="call group_norm_forward with weight 1 and bias 0, for one number of groups, and "
    "see which channels keep different means.",
)

EXERCISES = (ENDS,)
