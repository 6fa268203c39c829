"""Lesson 7: the forward pass of InstanceNorm for images, with weight and bias and without."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from normlab.exercises.cases import distinct_values, scales, shape_name, shifts
from normlab.exercises.catalogue.batch_norm_forward import LAST_AXIS, View, image_recipe
from normlab.exercises.catalogue.formula import (
    NO_EPS,
    formula_mistakes,
    plain,
    with_affine,
    with_eps,
)
from normlab.exercises.catalogue.group_norm import offset_values
from normlab.exercises.exercise import Arguments, Aspect, Case, Exercise, Mistake, Outputs
from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

# ---- the recipe

MAPS = View(axes=(2, 3))


def instance_norm_recipe(
    x: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    eps: float,
    *,
    view: View = MAPS,
    **steps: Callable | int | bool,
) -> Outputs:
    """Compute InstanceNorm's forward pass; each keyword is a step that a mistake may change.

    Parameters
    ----------
    x
        (N, C, H, W).
    weight, bias, eps
        (C,), or None, and a number.
    view
        Which values share a mean.
    steps
        Those of `batch_norm_recipe`.
    """
    channels = x.shape[1]
    weight = np.ones(channels) if weight is None else weight
    bias = np.zeros(channels) if bias is None else bias
    return image_recipe(x, weight, bias, eps, view=view, **steps)


def instance_norm_reference(
    x: np.ndarray, weight: np.ndarray | None, bias: np.ndarray | None, eps: float
) -> Outputs:
    """Call the package's own InstanceNorm."""
    return {"y": F.instance_norm(x, weight=weight, bias=bias, eps=eps)}


# ---- cases


def _same(own: Outputs, _arguments: Arguments) -> Outputs:
    """Expect the learner's own answer again."""
    return {"y": own["y"]}


def _eps_of_maps(own: Outputs, arguments: Arguments) -> Outputs:
    return with_eps(own, arguments, MAPS.axes)


def _cases(rng: np.random.Generator, shape: tuple[int, ...]) -> list[Case]:
    """Draw one x: without eps, in another light, with eps, with weight and bias."""
    x, name, channels = offset_values(rng, shape), shape_name(shape), shape[1]
    eps = float(rng.integers(1, 9)) * 100
    brightness = 10 * distinct_values(rng, (*shape[:2], 1, 1))
    contrast = 2.0 ** rng.permutation(np.arange(1.0, 1 + shape[0] * channels))
    other_light = x * contrast.reshape(*shape[:2], 1, 1) + brightness
    bare, large = f"{name}, eps 0", f"{name}, eps {eps:g}"
    weight, bias = scales(rng, channels), shifts(rng, channels)
    return [
        Case(bare, ("statistics",), plain(x, NO_EPS)),
        Case(
            f"{name}, in another light",
            ("light",),
            plain(other_light, NO_EPS),
            based_on=bare,
            derive=_same,
        ),
        Case(large, ("eps",), plain(x, eps), based_on=bare, derive=_eps_of_maps),
        Case(
            f"{name}, no weight and no bias",
            ("unlearned",),
            {"x": x, "weight": None, "bias": None, "eps": eps},
            based_on=large,
            derive=_same,
        ),
        Case(
            f"{name}, weight and bias",
            ("affine",),
            {"x": x, "weight": weight, "bias": bias, "eps": eps},
            based_on=large,
            derive=with_affine,
        ),
    ]


def _faint(rng: np.random.Generator, shape: tuple[int, ...]) -> Case:
    """Draw images that hardly vary, and whose last channel does not vary at all."""
    x = distinct_values(rng, shape) * 1e-10
    x[:, -1] = 0.0
    eps = float(rng.choice([0.01, 0.02, 0.05]))
    return Case(f"{shape_name(shape)}, hardly any variation, eps {eps:g}", ("eps",), plain(x, eps))


def draw(rng: np.random.Generator) -> list[Case]:
    """Draw the cases of `instance_norm_forward`.

    As many channels as columns: there a weight along the wrong axis raises no error.
    """
    odd = offset_values(rng, (2, 3, 4, 5))  # every size different
    weight, bias = scales(rng, 3), shifts(rng, 3)
    return [
        *_cases(rng, (2, 2, 3, 2)),
        *_cases(rng, (3, 4, 2, 4)),
        _faint(rng, (3, 2, 4, 2)),
        Case("(1, 3, 2, 3), one image", ("statistics",), plain(odd[:1, :, :2, :3], NO_EPS)),
        Case("(2, 3, 4, 5)", (), plain(odd, 0.5)),
        Case(
            "(2, 3, 4, 5), weight and bias",
            ("affine",),
            {"x": odd, "weight": weight, "bias": bias, "eps": 0.5},
            based_on="(2, 3, 4, 5)",
            derive=with_affine,
        ),
    ]


# ---- mistakes

_FORMULA = "InstanceNorm in a formula"
_BREAK = "Break it on purpose"
_AFFINE = "weight and bias, if you ask for them"

_IN_THE_FORMULA = formula_mistakes("map", _FORMULA, "A map that hardly varies", _AFFINE)


def _wrong_axes(key: str, what: str, outside: str, axes: tuple[int, ...], hint: str) -> Mistake:
    return Mistake(key, what, outside, hint, "the axes", "statistics", {"view": View(axes)}, _BREAK)


_ONE_FOR_WHAT = "print the shape of your mean. One number for each *what*?"
_ALONE = "give your function one image alone and then the same in a batch. Do the answers agree?"

AXES = (
    _wrong_axes(
        "one mean per channel",
        "all images of the batch share the mean and the variance of a channel.",
        "an image's answer depends on the other images. (BatchNorm does this.)",
        (0, 2, 3),
        _ALONE,
    ),
    _wrong_axes(
        "one mean per image",
        "each image has one mean and one variance, over all its channels.",
        "the channels of an image keep their different means. (LayerNorm does this.)",
        (1, 2, 3),
        _ONE_FOR_WHAT,
    ),
    _wrong_axes(
        "one mean for everything",
        "there is one mean and one variance for the whole array.",
        "images and channels keep their different means and spreads.",
        (0, 1, 2, 3),
        _ONE_FOR_WHAT,
    ),
    _wrong_axes(
        "one mean per pixel, over the batch",
        "only the batch is averaged: each pixel of each channel has a mean and a variance.",
        "one image alone comes out empty.",
        (0,),
        _ALONE,
    ),
    _wrong_axes(
        "one mean per pixel, over the channels",
        "only the channels are averaged: each pixel of each image has a mean and a variance.",
        "plausible images in which shapes are still there and colours are gone.",
        (1,),
        _ONE_FOR_WHAT,
    ),
    _wrong_axes(
        "one mean per row of the image",
        "only the last axis is averaged: each row of pixels has a mean and a variance of its own.",
        "horizontal bands: a bright row and a dark row come out alike.",
        (3,),
        _ONE_FOR_WHAT,
    ),
    _wrong_axes(
        "as if channels came last",
        "the mean is taken over the axes 1 and 2, as for images of the shape (N, H, W, C).",
        "vertical stripes disappear, and the channels keep their different means.",
        (1, 2),
        "what does each axis of (N, C, H, W) count? PyTorch and TensorFlow do not agree on it.",
    ),
)

INSTANCE_NORM = Exercise(
    name="instance_norm_forward",
    lesson="07",
    title="InstanceNorm for (N, C, H, W)",
    parameters=("x", "weight", "bias", "eps"),
    returns=("y",),
    aspects=(
        Aspect("statistics", "one mean and variance for each channel of each image", 3),
        Aspect("light", "brightness and contrast are gone", 2),
        Aspect("eps", "eps, and a map that hardly varies", 1),
        Aspect("affine", "weight and bias, each to its channel", 2),
        Aspect("unlearned", "weight and bias may be None", 1),
        Aspect("input", "leaves its input alone", 1, leaves_input_alone=True),
    ),
    draw=draw,
    reference=instance_norm_reference,
    recipe=instance_norm_recipe,
    mistakes=(
        *_IN_THE_FORMULA.values(),
        *AXES,
        replace(LAST_AXIS, section=_AFFINE),
    ),
    first_step="find the axes to average over: the mean should have the shape (N, C, 1, 1).",
)

EXERCISES = (INSTANCE_NORM,)
