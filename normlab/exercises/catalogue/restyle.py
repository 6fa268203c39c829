"""Lesson 7: give one image the look of another, with what InstanceNorm takes away.

Huang & Belongie, 2017, "Arbitrary Style Transfer in Real-time with Adaptive Instance
Normalization", do it to the features of a network; here it is done to the image itself.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from normlab.exercises.cases import distinct_values, shape_name
from normlab.exercises.catalogue.batch_norm_forward import (
    EPS_FIXED,
    EPS_MISSING,
    EPS_OUTSIDE,
    UNBIASED,
    fixed_eps,
    root_of_variance_plus_eps,
    root_plus_eps,
    root_without_eps,
)
from normlab.exercises.catalogue.formula import NO_EPS
from normlab.exercises.exercise import Arguments, Aspect, Case, Exercise, Mistake, Outputs

# ---- the recipe


def as_asked(content: np.ndarray, style: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep the pattern of the first and take the look of the second."""
    return content, style


def exchanged(content: np.ndarray, style: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep the pattern of the second and take the look of the first."""
    return style, content


def eps_for_both(eps: float) -> tuple[float, float]:
    """Use eps in both standard deviations."""
    return eps, eps


def eps_for_the_content(eps: float) -> tuple[float, float]:
    """Use eps only where something is divided by it."""
    return eps, 0.0


def eps_for_the_style(eps: float) -> tuple[float, float]:
    """Use eps only in what the content is multiplied by."""
    return 0.0, eps


def restyle_recipe(
    content: np.ndarray,
    style: np.ndarray,
    eps: float,
    *,
    roles: Callable = as_asked,
    axes: tuple[int, ...] = (1, 2),
    less: int = 0,
    eps_for: Callable = eps_for_both,
    divisor: Callable = root_of_variance_plus_eps,
    centred: bool = True,
    divided_by: Callable = lambda std: std,
    times: Callable = lambda std, _content_std: std,
    plus: Callable = lambda mean, _content_mean, _std: mean,
) -> Outputs:
    """Give the content the style's look; each keyword is a step that a mistake may change.

    Parameters
    ----------
    content, style
        (C, H, W), of the same C.
    eps
        Added to both variances.
    roles
        Which image keeps its pattern.
    axes
        Those that share one mean.
    less
        Divide the sums of squares by n - less.
    eps_for, divisor
        Where eps comes in.
    centred
        Subtract the content's mean.
    divided_by, times, plus
        What the pattern is divided by, multiplied by and moved by.
    """
    content, style = roles(content, style)
    content_eps, style_eps = eps_for(eps)
    mean, var = _statistics(content, axes, less)
    style_mean, style_var = _statistics(style, axes, less)
    std, style_std = divisor(var, content_eps), divisor(style_var, style_eps)
    pattern = (content - mean if centred else content) / divided_by(std)
    return {"y": pattern * times(style_std, std) + plus(style_mean, mean, style_std)}


def _statistics(
    image: np.ndarray, axes: tuple[int, ...], less: int
) -> tuple[np.ndarray, np.ndarray]:
    mean = image.mean(axes, keepdims=True)
    n = image.size / mean.size
    var = np.square(image - mean).sum(axes, keepdims=True) / (n - less)
    return mean, var


def restyle_reference(content: np.ndarray, style: np.ndarray, eps: float) -> Outputs:
    """Write the formula out, channel by channel."""
    channels = [
        np.sqrt((look.var() + eps) / (image.var() + eps)) * (image - image.mean()) + look.mean()
        for image, look in zip(content, style, strict=True)
    ]
    return {"y": np.stack(channels)}


# ---- cases


def _plus_mean(own: Outputs, arguments: Arguments) -> Outputs:
    """From a style of mean 0 to one with a mean."""
    return {"y": own["y"] + arguments["style"].mean((1, 2), keepdims=True)}


def _times_std(own: Outputs, arguments: Arguments) -> Outputs:
    """From a style of standard deviation 1 to one with another."""
    return {"y": own["y"] * arguments["style"].std((1, 2), keepdims=True)}


def _with_eps(own: Outputs, arguments: Arguments) -> Outputs:
    """From no eps to some, for a style of mean 0."""
    content, style = (arguments[name].var((1, 2), keepdims=True) for name in ("content", "style"))
    eps = arguments["eps"]
    return {"y": own["y"] * np.sqrt((style + eps) / style * content / (content + eps))}


def _cases(
    rng: np.random.Generator, shape: tuple[int, ...], style_shape: tuple[int, ...]
) -> list[Case]:
    """Draw a content, and styles that open one step at a time: no look, a spread, eps, a mean."""
    channels = shape[0]
    means = rng.choice(np.arange(20, 90), (2, channels, 1, 1), replace=False)
    content = distinct_values(rng, shape) + means[0]
    size = style_shape[1] * style_shape[2]
    signs = rng.permuted(np.tile(np.resize([-1.0, 1.0], size), (channels, 1)), axis=1)
    neutral = signs.reshape(style_shape)  # mean 0, variance 1
    spreads = rng.choice(np.arange(2.0, 10), channels, replace=False).reshape(-1, 1, 1)
    eps = float(rng.integers(2, 9)) * 10
    name = f"content {shape_name(shape)}, style {shape_name(style_shape)}"
    bare, wide = f"{name}: mean 0, std 1", f"{name}: mean 0"
    first = {"content": content, "style": neutral, "eps": NO_EPS}
    return [
        Case(bare, ("pattern",), first),
        Case(
            wide,
            ("spread",),
            {**first, "style": spreads * neutral},
            based_on=bare,
            derive=_times_std,
        ),
        Case(
            f"{wide}, eps {eps:g}",
            ("eps",),
            {**first, "style": spreads * neutral, "eps": eps},
            based_on=wide,
            derive=_with_eps,
        ),
        Case(
            f"{name}, eps {eps:g}",
            ("mean",),
            {"content": content, "style": spreads * neutral + means[1], "eps": eps},
            based_on=f"{wide}, eps {eps:g}",
            derive=_plus_mean,
        ),
        Case(
            f"{name}: the content itself, eps {eps:g}",
            (),
            {"content": content, "style": content, "eps": eps},
        ),
    ]


def _last_channel_empty(own: Outputs, _arguments: Arguments) -> Outputs:
    """From an ordinary last channel to a flat one, for a style of mean 0."""
    y = own["y"].copy()
    y[-1] = 0.0
    return {"y": y}


def _flat(rng: np.random.Generator) -> list[Case]:
    """Draw a content, and the same with a last channel that holds one number everywhere."""
    content = distinct_values(rng, (2, 2, 3)) + 30
    style = distinct_values(rng, (2, 3, 2))
    style -= style.mean((1, 2), keepdims=True)
    flat = content.copy()
    flat[-1] = content[-1, 0, 0]
    name = "content (2, 2, 3), style (2, 3, 2): mean 0, eps 0.5"
    return [
        Case(name, (), {"content": content, "style": style, "eps": 0.5}),
        Case(
            f"{name}, last channel flat",
            ("eps",),
            {"content": flat, "style": style, "eps": 0.5},
            based_on=name,
            derive=_last_channel_empty,
        ),
    ]


def draw(rng: np.random.Generator) -> list[Case]:
    """Draw the cases of `restyle`: styles of the content's size and of others."""
    return [
        *_cases(rng, (2, 1, 4), (2, 1, 4)),
        *_cases(rng, (3, 4, 5), (3, 2, 6)),
        *_flat(rng),
    ]


# ---- mistakes

_LOOK = "What InstanceNorm takes away"
_RESTYLE = "Give it another look"


def _mistake(
    key: str, what: str, outside: str, hint: str, mend: str, aspect: str, **changes: object
) -> Mistake:
    return Mistake(key, what, outside, hint, mend, aspect, changes, _RESTYLE)


_MEASURE = "measure your result: which mean and which standard deviation has each channel?"
_IN_ITS_OWN = "restyle an image with itself, with a large eps. What should come out?"

MISTAKES = (
    _mistake(
        "content and style exchanged",
        "the style keeps its pattern and gets the content's look.",
        "the right picture of the other pair; another shape, if the two images differ in size.",
        "of which image should the result have the shape?",
        "the roles of the two images",
        "pattern",
        roles=exchanged,
    ),
    _mistake(
        "one look for all channels",
        "each image has one mean and one standard deviation, over all its channels.",
        "brightness is right, colours are not.",
        "a red sunset: in what do its three channels differ?",
        "the axes",
        "pattern",
        axes=(0, 1, 2),
    ),
    replace(
        UNBIASED,
        what="both variances divide by n - 1 in place of n.",
        outside="nothing to see where both images have the same size; else a little off.",
        aspect="pattern",
        section=_LOOK,
    ),
    _mistake(
        "divided by the variance",
        "the content is divided by its variance.",
        "an image rich in contrast comes out flat.",
        _MEASURE,
        "the divisor",
        "pattern",
        divided_by=np.square,
    ),
    _mistake(
        "mean left in",
        "the content's mean is not subtracted.",
        "the result has the brightness of both images together.",
        _MEASURE,
        "the numerator",
        "pattern",
        centred=False,
    ),
    _mistake(
        "contrast kept",
        "the content keeps its own standard deviation; only the mean changes.",
        "the right brightness, the wrong contrast.",
        _MEASURE,
        "the factor",
        "pattern",
        # What is divided by is multiplied by again, however it is computed.
        divided_by=lambda std: std,
        times=lambda _std, content_std: content_std,
        less=0,
        divisor=root_of_variance_plus_eps,
        eps_for=eps_for_both,
    ),
    _mistake(
        "style's spread not used",
        "the style's standard deviation is not used.",
        "every result has the same contrast.",
        _MEASURE,
        "the factor",
        "spread",
        times=lambda _std, _content_std: 1.0,
        eps_for=eps_for_both,
    ),
    _mistake(
        "times the variance",
        "the pattern is multiplied by the style's variance.",
        "a style rich in contrast comes out far too strong.",
        _MEASURE,
        "the factor",
        "spread",
        times=lambda std, _content_std: np.square(std),
    ),
    _mistake(
        "divided by the style's spread",
        "the pattern is divided by the style's standard deviation in place of multiplied.",
        "the more contrast the style has, the less the result.",
        _MEASURE,
        "the factor",
        "spread",
        times=lambda std, _content_std: 1 / std,
    ),
    _mistake(
        "style's mean not added",
        "the style's mean is not added.",
        "every channel is centred on 0.",
        _MEASURE,
        "the last step",
        "mean",
        plus=lambda _mean, _content_mean, _std: 0.0,
    ),
    _mistake(
        "brightness kept",
        "the content's own mean is added, and not the style's.",
        "the right contrast, the wrong brightness.",
        _MEASURE,
        "the last step",
        "mean",
        plus=lambda _mean, content_mean, _std: content_mean,
    ),
    _mistake(
        "mean scaled, too",
        "the style's mean is added first, and everything is multiplied by its spread after that.",
        "the brightness is off by a factor, the style's standard deviation.",
        _MEASURE,
        "the order of the last two steps",
        "mean",
        plus=lambda mean, _content_mean, std: mean * std,
    ),
    replace(
        EPS_OUTSIDE,
        what="eps is added to the standard deviations.",
        outside="nothing to see on ordinary images, far off where a channel hardly varies.",
        changes={"divisor": root_plus_eps},
        section=_LOOK,
    ),
    replace(
        EPS_MISSING,
        outside="nothing to see on ordinary images; NaN where a channel never changes.",
        changes={"divisor": root_without_eps, "eps_for": eps_for_both},
        section=_LOOK,
    ),
    replace(EPS_FIXED, changes={"divisor": fixed_eps, "eps_for": eps_for_both}, section=_LOOK),
    _mistake(
        "eps for the content alone",
        "eps is used for the content's standard deviation, and not for the style's.",
        "an image in its own style comes out a little flatter than it was.",
        _IN_ITS_OWN,
        "the eps",
        "eps",
        eps_for=eps_for_the_content,
    ),
    _mistake(
        "eps for the style alone",
        "eps is used for the style's standard deviation, and not for the content's.",
        "an image in its own style comes out stronger than it was; NaN where it is flat.",
        _IN_ITS_OWN,
        "the eps",
        "eps",
        eps_for=eps_for_the_style,
    ),
)

RESTYLE = Exercise(
    name="restyle",
    lesson="07",
    title="give an image the look of another",
    parameters=("content", "style", "eps"),
    returns=("y",),
    aspects=(
        Aspect("pattern", "the content's own look is taken away", 3),
        Aspect("mean", "the style's mean", 2),
        Aspect("spread", "the style's standard deviation", 2),
        Aspect("eps", "eps in both, and a flat channel", 2),
        Aspect("input", "leaves its input alone", 1, leaves_input_alone=True),
    ),
    draw=draw,
    reference=restyle_reference,
    recipe=restyle_recipe,
    mistakes=MISTAKES,
    first_step="take the mean and the standard deviation of each channel of both images: four "
    "arrays of the shape (C, 1, 1).",
)

EXERCISES = (RESTYLE,)
