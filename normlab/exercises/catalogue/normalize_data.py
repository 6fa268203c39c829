"""Lesson 1: the statistics of an image set, and standardizing by those of the training set.

Each recipe computes the same as its reference, in steps that can be exchanged one by one.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from normlab.exercises.cases import shape_name
from normlab.exercises.exercise import Arguments, Aspect, Case, Exercise, Mistake, Outputs
from normlab.nn import Normalize
from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

_STATISTICS = "The data: where 0.1307 comes from"
_WHOSE = "Whose mean? The training set's"
_BREAK = "Break it on purpose"

Axes = tuple[int, ...]


class Units(NamedTuple):
    """What the statistics of the bytes are divided by."""

    mean: float = 255.0
    std: float = 255.0


# ---- task 1, the recipe: the spread of bytes (N, C, H, W) over axes


def squared_deviations(x: np.ndarray, axes: Axes) -> np.ndarray:
    """Average the squared deviations from the mean."""
    return np.square(x - x.mean(axes, keepdims=True)).mean(axes)


def squares(x: np.ndarray, axes: Axes) -> np.ndarray:
    """Average the squares."""
    return np.square(x).mean(axes)


def overflowing_squares(x: np.ndarray, axes: Axes) -> np.ndarray:
    """Compute E[x²] - E[x]² with squares that have to fit into a byte: 0 to 255 again."""
    return np.mod(x * x, 256).mean(axes) - np.square(x.mean(axes))


def image_by_image(x: np.ndarray, axes: Axes) -> np.ndarray:
    """Average the standard deviations of the images."""
    within = x.std(axes[1:], keepdims=True).mean(0, keepdims=True)
    return np.square(within).mean(axes)


def absolute_deviations(x: np.ndarray, axes: Axes) -> np.ndarray:
    """Average the distances from the mean, without squaring."""
    return np.square(np.abs(x - x.mean(axes, keepdims=True)).mean(axes))


def as_floats(images: np.ndarray) -> np.ndarray:
    """Compute in float64."""
    return images.astype(np.float64)


def whole_numbers(images: np.ndarray) -> np.ndarray:
    """Divide as whole numbers: only 255 is left, as 1."""
    return (images // 255).astype(np.float64)


def statistics_recipe(
    images: np.ndarray,
    *,
    pixels: Callable = as_floats,
    axes: Axes = (0, 2, 3),
    variance: Callable = squared_deviations,
    less: int = 0,
    root: Callable = np.sqrt,
    units: Units = Units(),  # noqa: B008 - it cannot be changed
) -> Outputs:
    """Compute mean and standard deviation of each channel; each keyword is a step.

    Parameters
    ----------
    images
        (N, C, H, W), bytes.
    pixels
        From bytes to numbers.
    axes
        What is averaged over.
    variance, less, root
        The spread; the sum of squares is divided by n - less.
    units
        What both are divided by at the end.
    """
    x = pixels(images)
    n = math.prod(x.shape[axis] for axis in axes)
    var = variance(x, axes) * n / (n - less)
    std = root(var / units.std**2)
    return {"mean": x.mean(axes) / units.mean, "std": std}


def statistics_reference(images: np.ndarray) -> Outputs:
    """Ask the package's `standardize`, on the scale from 0 to 1."""
    _, mean, var, _, _ = F.standardize(images / 255, (0, 2, 3), eps=1.0)
    return {"mean": mean.reshape(-1), "std": np.sqrt(var).reshape(-1)}


# ---- task 1, cases


def draw_images(rng: np.random.Generator) -> list[Case]:
    """Draw the cases of `channel_statistics`.

    White paper shows the scale and nothing else; what is expected elsewhere is on the learner's
    own scale.
    """
    size = tuple(int(n) for n in rng.integers(2, 9, 3))
    paper = np.full((size[0], 1, *size[1:]), 255, np.uint8)
    white = Case(f"{shape_name(paper.shape)}, white", ("scale",), {"images": paper})
    dark = _bytes(rng, (1, 3, 2, 4))
    dark[:, 1] = 0

    def case(name: str, aspects: tuple[str, ...], images: np.ndarray) -> Case:
        name = f"{shape_name(images.shape)}{name}"
        return Case(name, aspects, {"images": images}, based_on=white.name, derive=_on_own_scale)

    return [
        white,
        case("", ("mean", "std"), _bytes(rng, (2, 2, 1, 2))),
        case("", ("mean", "std"), _bytes(rng, (3, 3, 2, 3))),
        case(", every size different", ("mean", "std"), _bytes(rng, (5, 3, 4, 2))),
        case(", one image, with a black channel", ("edges",), dark),
    ]


def _bytes(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw bytes, each image and channel of another brightness."""
    level = rng.permutation(np.linspace(20, 200, shape[0] * shape[1])).reshape(shape[:2])
    noise = rng.integers(-19, 56, shape)
    images = (level[:, :, None, None] + noise).astype(np.uint8)
    images[0, 0, 0, 0] = 255
    return images


def _on_own_scale(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's answer for white, which should be 1, to that for other images."""
    white = own["mean"].item()
    if white == 0:
        return {}
    return {name: white * value for name, value in statistics_reference(**arguments).items()}


# ---- task 2, the recipe: whose statistics, and what is done with them

Pair = tuple[np.ndarray, np.ndarray]


def of_training(train: np.ndarray, _test: np.ndarray) -> Pair:
    """Use the training set's statistics for both."""
    return train, train


def of_each(train: np.ndarray, test: np.ndarray) -> Pair:
    """Use each set's own."""
    return train, test


def of_both(train: np.ndarray, test: np.ndarray) -> Pair:
    """Use those of the two sets together."""
    together = np.concatenate([train, test])
    return together, together


def of_test(_train: np.ndarray, test: np.ndarray) -> Pair:
    """Use the test set's for both."""
    return test, test


def subtract_and_divide(x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Subtract the mean, divide by the standard deviation."""
    return (x - mean) / std


def as_targets(x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Multiply and add, as if mean and std were what to aim for."""
    return x * std + mean


def only_subtract(x: np.ndarray, mean: np.ndarray, _std: np.ndarray) -> np.ndarray:
    """Subtract the mean."""
    return x - mean


def only_divide(x: np.ndarray, _mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Divide by the standard deviation."""
    return x / std


def divide_and_subtract(x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Divide first, and subtract the mean as it was."""
    return x / std - mean


def one_for_zero(std: np.ndarray) -> np.ndarray:
    """Divide by 1 where nothing varies."""
    return np.where(std == 0, 1.0, std)


def unguarded(std: np.ndarray) -> np.ndarray:
    """Divide by 0 where nothing varies."""
    return std


def a_little_more(std: np.ndarray) -> np.ndarray:
    """Add a tiny number everywhere."""
    return std + 1e-8


def standardize_recipe(
    train: np.ndarray,
    test: np.ndarray,
    *,
    fitted_on: Callable = of_training,
    axes: Axes = (0, 2, 3),
    less: int = 0,
    root: Callable = np.sqrt,
    guard: Callable = one_for_zero,
    apply: Callable = subtract_and_divide,
) -> Outputs:
    """Standardize both sets (N, C, H, W); each keyword is a step that a mistake may change.

    Parameters
    ----------
    train, test
        The two sets.
    fitted_on
        Whose statistics are taken for each.
    axes, less, root
        What is averaged over; n - less divides; from the variance to the spread.
    guard
        What is done where nothing varies.
    apply
        What is done with mean and spread.
    """
    results = []
    for x, source in zip((train, test), fitted_on(train, test), strict=True):
        mean = source.mean(axes, keepdims=True)
        std = root(source.var(axes, ddof=less, keepdims=True))
        results.append(apply(x, mean, guard(std)))
    return dict(zip(("train", "test"), results, strict=True))


def standardize_reference(train: np.ndarray, test: np.ndarray) -> Outputs:
    """Give the training set's constants to the package's own `Normalize`."""
    std = train.std((0, 2, 3))
    normalize = Normalize(train.mean((0, 2, 3)), np.where(std == 0, 1, std))
    return {"train": normalize(train), "test": normalize(test)}


# ---- task 2, cases


def draw_sets(rng: np.random.Generator) -> list[Case]:
    """Draw the cases of `standardize`; the test set is brighter, and has more contrast."""
    return [*_three_sets(rng, (3, 2, 1, 2), 3), *_three_sets(rng, (4, 3, 2, 3), 2)]


def _three_sets(rng: np.random.Generator, shape: tuple[int, ...], tests: int) -> list[Case]:
    """Draw a training set with a test set, with one image alone, and with a constant channel.

    What is expected of the test set is derived from what the learner did to the training set.
    """
    train, test = _unit_images(rng, shape), 1.5 * _unit_images(rng, (tests, *shape[1:])) + 0.25
    dull, channel = train.copy(), int(rng.integers(shape[1]))
    dull[:, channel] = 0.5
    name = f"train {shape_name(shape)}, test {shape_name(test.shape)}"
    own = {"based_on": name, "derive": _as_training}
    both = {"train": train, "test": test}
    return [
        Case(name, ("train",), both),
        Case(f"{name}: the test set", ("test",), both, **own),
        Case(f"{name}: one test image alone", ("alone",), {**both, "test": test[:1]}, **own),
        Case(
            f"{name}, channel {channel} constant in training",
            ("constant",),
            {**both, "train": dull},
            **own,
        ),
    ]


def _unit_images(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw different hundredths from 0 to 1, and let each channel use its own part of them."""
    size = math.prod(shape)
    values = rng.permutation(np.linspace(0, 1, 4 * size).round(3))[:size].reshape(shape)
    spread = rng.permutation(np.linspace(0.3, 0.9, shape[1])).reshape(1, -1, 1, 1)
    return (values * spread + 0.1 * rng.permutation(shape[1]).reshape(1, -1, 1, 1)).round(3)


def _as_training(own: Outputs, arguments: Arguments) -> Outputs:
    """From what the learner did to each channel of the training set to what follows from it.

    The channel is multiplied and shifted: both numbers are read off. A channel that does not
    vary has mean 0 afterwards, and is not multiplied.
    """
    train, right = arguments["train"], standardize_reference(**arguments)
    for c in range(train.shape[1]):
        before, after = train[:, c].ravel(), own["train"][:, c].ravel()
        if np.ptp(before) == 0:
            continue
        least, most = before.argmin(), before.argmax()
        factor = (after[most] - after[least]) / (before[most] - before[least])
        shift = after[least] - factor * before[least]
        if np.abs(factor * before + shift - after).max() > 1e-6 * np.abs(after).max():
            return {}
        for name in right:
            right[name][:, c] = factor * arguments[name][:, c] + shift
    return right


# ---- the mistakes of task 1


def _units(key: str, what: str, outside: str, hint: str, units: Units) -> Mistake:
    # White paper does not show in which unit a standard deviation is: it is 0.
    aspect = "std" if units.mean == 255 else "scale"
    return Mistake(key, what, outside, hint, "the units", aspect, {"units": units}, _BREAK)


_PRINT = "print the smallest and the largest pixel, mean and std once. Which scale are they on?"

UNIT_MISTAKES = (
    _units(
        "not divided by 255",
        "the bytes are averaged as they are, on the scale from 0 to 255.",
        "mean and std are 255 times too large; images on the scale from 0 to 1 would come out "
        "nearly constant.",
        _PRINT,
        Units(1.0, 1.0),
    ),
    _units(
        "divided by 256",
        "the bytes are divided by 256.",
        "off by 0.4 %; white is 0.996 and not 1.",
        "what is the largest byte, and what should become of it?",
        Units(256.0, 256.0),
    ),
    _units(
        "divided by 255 twice",
        "the bytes are divided by 255 twice.",
        "mean and std of about 0.002.",
        _PRINT,
        Units(255.0**2, 255.0**2),
    ),
    _units(
        "std not divided by 255",
        "the mean is on the scale from 0 to 1, and the std on that from 0 to 255.",
        "everything divided by this std is nearly constant.",
        "mean and std have the same unit. Which have yours?",
        Units(255.0, 1.0),
    ),
    _units(
        "mean not divided by 255",
        "the std is on the scale from 0 to 1, and the mean on that from 0 to 255.",
        "everything comes out far below 0.",
        "mean and std have the same unit. Which have yours?",
        Units(1.0, 255.0),
    ),
)
INTEGER_DIVISION = Mistake(
    key="integer division",
    what="the bytes are divided as whole numbers.",
    outside="nearly everything is 0: only white is left.",
    hint="what is 254 // 255 in Python?",
    mend="the division",
    aspect="mean",
    changes={"pixels": whole_numbers, "units": Units(1.0, 1.0)},
    section=_BREAK,
)


def _spread(key: str, what: str, outside: str, hint: str, **changes: object) -> Mistake:
    return Mistake(key, what, outside, hint, "the std", "std", changes, _STATISTICS)


SPREAD_MISTAKES = (
    _spread(
        "variance for std",
        "the variance is given back, without a root.",
        "far too small a number on this scale: 0.09 where the std is 0.3.",
        "if pixels were metres, in what unit would your number be?",
        root=np.positive,
    ),
    _spread(
        "unbiased std",
        "the sum of squares is divided by n - 1.",
        "a little too large; on a large set of images nobody could see it.",
        "NumPy's and torch's `std` do not agree on the divisor. Which one is asked for?",
        less=1,
    ),
    _spread(
        "mean left in the std",
        "the squares of the pixels are averaged, and not those of their deviations.",
        "too large a std, the more the brighter the images.",
        "what is the std of images that are white all over, and what do you get?",
        variance=squares,
    ),
    _spread(
        "squares overflow",
        "the bytes are squared as bytes, where only 0 to 255 have room.",
        "numbers without meaning, or NaN; no error, no warning.",
        "print the square of an array that holds the byte 16.",
        # It comes out negative, and its root is NaN: in all units, and whatever it is divided by.
        variance=overflowing_squares,
        less=0,
        units=Units(),
    ),
    _spread(
        "std averaged over images",
        "each image's std is taken, and then their average.",
        "too small wherever the images differ in brightness.",
        "two images, one all black and one all white: what is the std, and what do you get?",
        variance=image_by_image,
        axes=(0, 2, 3),
        less=0,
    ),
    _spread(
        "absolute deviations",
        "the distances from the mean are averaged, without squares and root.",
        "too small, by about a fifth.",
        "how many squares and how many roots are there on the way to a standard deviation?",
        variance=absolute_deviations,
    ),
)


def _axes(key: str, what: str, outside: str, axes: Axes) -> Mistake:
    hint = "print the shape of your mean. One number for each *what*?"
    return Mistake(key, what, outside, hint, "the axes", "mean", {"axes": axes}, _STATISTICS)


AXES_MISTAKES = (
    _axes(
        "one mean per pixel",
        "only the images are averaged: there is a mean for each pixel.",
        "the mean is an image, (C, H, W).",
        (0,),
    ),
    _axes(
        "one mean per image",
        "only the positions are averaged: there is a mean for each image and channel.",
        "the mean has the shape (N, C).",
        (2, 3),
    ),
    _axes(
        "one mean for everything",
        "all channels share one mean and one std.",
        "a single number; the colours keep their different levels.",
        (0, 1, 2, 3),
    ),
    _axes(
        "channels taken to be last",
        "there is a mean for each column of the images, as if channels came last.",
        "the wrong length, unless images are as wide as they have channels.",
        (0, 1, 2),
    ),
)

# ---- the mistakes of task 2


def _whose(key: str, what: str, outside: str, aspect: str, fitted_on: Callable) -> Mistake:
    hint = "when the model is in use, and one image arrives: where would that mean come from?"
    # What is constant in training need not be so in the test: the guard may have nothing to do.
    changes = {"fitted_on": fitted_on} | ({} if fitted_on is of_each else {"guard": one_for_zero})
    return Mistake(key, what, outside, hint, "the statistics", aspect, changes, _WHOSE)


WHOSE_MISTAKES = (
    _whose(
        "test set by its own statistics",
        "the test set is standardized by its own mean and std.",
        "a shift between the sets is hidden: both look alike, whatever the camera did.",
        "test",
        of_each,
    ),
    _whose(
        "statistics of both sets",
        "mean and std are those of the two sets together.",
        "the test set has had a say in the model; its score is too good by an unknown amount.",
        "train",
        of_both,
    ),
    _whose(
        "statistics of the test set",
        "mean and std are those of the test set.",
        "the training set does not have mean 0 and std 1.",
        "train",
        of_test,
    ),
)


def _use(key: str, what: str, outside: str, hint: str, **changes: object) -> Mistake:
    return Mistake(key, what, outside, hint, "the formula", "train", changes, _STATISTICS)


_LOOK = "print mean and std of what you return for the training set, channel by channel."
USE_MISTAKES = (
    _use(
        "mean and std read as targets",
        "the images are multiplied by the std, and the mean is added.",
        "the spread is not 1, and the mean has grown.",
        _LOOK,
        apply=as_targets,
        guard=unguarded,
    ),
    _use(
        "only centred",
        "the mean is subtracted, and nothing is divided.",
        "mean 0, and the spreads are what they were.",
        _LOOK,
        apply=only_subtract,
        guard=one_for_zero,
        less=0,
        root=np.sqrt,
    ),
    _use(
        "only scaled",
        "the images are divided by the std, and the mean is never subtracted.",
        "spread 1, but no channel is centred on 0.",
        _LOOK,
        apply=only_divide,
    ),
    _use(
        "scaled before centring",
        "the images are divided first, and the mean of the images before is subtracted.",
        "spread 1, but no channel is centred on 0.",
        "whose mean do you subtract: that of the numbers before the division, or after it?",
        apply=divide_and_subtract,
    ),
    _use(
        "variance for std",
        "the images are divided by the variance.",
        "channels with a small spread come out with a large one.",
        _LOOK,
        root=np.positive,
    ),
    _use(
        "unbiased std",
        "the sum of squares is divided by n - 1.",
        "a little too small; on a large set nobody could see it.",
        "NumPy's and torch's `std` do not agree on the divisor. Which one is asked for?",
        less=1,
    ),
    _use(
        "one mean per pixel",
        "each pixel has a mean and a std of its own.",
        "plausible images; pixels that never vary divide by 0.",
        "print the shape of your mean. One number for each *what*?",
        axes=(0,),
    ),
    _use(
        "one mean per image",
        "each image is standardized by its own mean and std, channel by channel.",
        "a bright and a dark image cannot be told apart any more.",
        "print the shape of your mean. One number for each *what*?",
        axes=(2, 3),
        fitted_on=of_each,
    ),
    _use(
        "one mean for everything",
        "all channels share one mean and one std.",
        "the colours keep their different levels and spreads.",
        "print the shape of your mean. One number for each *what*?",
        axes=(0, 1, 2, 3),
        guard=one_for_zero,
    ),
)


def _constant(key: str, what: str, outside: str, hint: str, guard: Callable) -> Mistake:
    return Mistake(
        key, what, outside, hint, "the divisor", "constant", {"guard": guard}, _STATISTICS
    )


CONSTANT_MISTAKES = (
    _constant(
        "divided by 0",
        "a channel that is constant in training is divided by 0.",
        "NaN in training, infinity in the test; no error.",
        "put in a channel that is 0.5 everywhere. What is its std?",
        unguarded,
    ),
    _constant(
        "tiny number added to the std",
        "1e-8 is added to every std.",
        "fine in training; the first test image that differs comes out as a hundred million.",
        "a channel is 0.5 in all of training, and 0.6 in a test image. What should come out, and "
        "what does?",
        a_little_more,
    ),
)


# ---- the aspects, and the exercises

_INPUT_ALONE = Aspect("input", "leaves its input alone", 1, leaves_input_alone=True)

STATISTICS = Exercise(
    name="channel_statistics",
    lesson="01",
    title="mean and std of each channel of an image set",
    parameters=("images",),
    returns=("mean", "std"),
    aspects=(
        Aspect("scale", "scale: white is 1", 2, ("mean",)),
        Aspect("mean", "mean of each channel", 3, ("mean",)),
        Aspect("std", "std of each channel", 3, ("std",)),
        Aspect("edges", "one image, and a black channel", 1),
        _INPUT_ALONE,
    ),
    draw=draw_images,
    reference=statistics_reference,
    recipe=statistics_recipe,
    mistakes=(*UNIT_MISTAKES, INTEGER_DIVISION, *SPREAD_MISTAKES, *AXES_MISTAKES),
    first_step="bring the bytes to the scale from 0 to 1, then take the mean of each channel.",
)

STANDARDIZE = Exercise(
    name="standardize",
    lesson="01",
    title="standardize by the training set's statistics",
    parameters=("train", "test"),
    returns=("train", "test"),
    aspects=(
        Aspect("train", "training set: mean 0 and std 1 in each channel", 3, ("train",)),
        Aspect("test", "test set: treated as the training set was", 4, ("test",)),
        Aspect("alone", "one test image alone", 1, ("test",)),
        Aspect("constant", "a channel that is constant in training", 1),
        _INPUT_ALONE,
    ),
    draw=draw_sets,
    reference=standardize_reference,
    recipe=standardize_recipe,
    mistakes=(*WHOSE_MISTAKES, *USE_MISTAKES, *CONSTANT_MISTAKES),
    first_step="take mean and std of each channel of train, in the shape (1, C, 1, 1).",
)

EXERCISES = (STATISTICS, STANDARDIZE)
