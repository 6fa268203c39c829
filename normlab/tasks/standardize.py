"""Lesson 1: standardize two sets of images by the statistics of the first."""

import math

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import shape_name


def standardize(train, test):
    axes = (0, 2, 3)
    results = []
    for x, source in ((train, train), (test, train)):
        mean = source.mean(axes, keepdims=True)  # (1, C, 1, 1)
        n = source.size / mean.size
        var = ((source - mean) ** 2).sum(axes, keepdims=True) / n
        std = np.sqrt(var)  # (1, C, 1, 1)
        std = np.where(std == 0, 1, std)  # what never varies has nothing to be divided by
        results.append((x - mean) / std)
    return results


def cases(rng: np.random.Generator) -> Cases:
    """Draw two pairs of sets; the test set is brighter, and has more contrast."""
    yield from _three_sets(rng, (3, 2, 1, 2), 3)
    yield from _three_sets(rng, (4, 3, 2, 3), 2)


def _three_sets(rng: np.random.Generator, shape: tuple[int, ...], tests: int) -> Cases:
    """Draw a training set with a test set, with one image alone, and with a constant channel.

    What is expected of the test set is derived from what the learner did to the training set.
    """
    train, test = _unit_images(rng, shape), 1.5 * _unit_images(rng, (tests, *shape[1:])) + 0.25
    dull, channel = train.copy(), int(rng.integers(shape[1]))
    dull[:, channel] = 0.5
    name = f"train {shape_name(shape)}, test {shape_name(test.shape)}"
    for what, aspect, changed in (
        ("", "train", {}),
        (": the test set", "test", {}),
        (": one test image alone", "alone", {"test": test[:1]}),
        (f", channel {channel} constant in training", "constant", {"train": dull}),
    ):
        own = (name, _as_training) if what else ()
        yield Case(name + what, (aspect,), {"train": train, "test": test} | changed, *own)


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
    train = arguments["train"]
    right = dict(zip(arguments, standardize(**arguments), strict=True))
    for c in range(train.shape[1]):
        before, after = train[:, c].ravel(), own["train"][:, c].ravel()
        if np.ptp(before) == 0:
            continue
        least, most = before.argmin(), before.argmax()
        factor = (after[most] - after[least]) / (before[most] - before[least])
        shift = after[least] - factor * before[least]
        if np.abs(factor * before + shift - after).max() > 1e-6 * np.abs(after).max():
            return {}
        for name, images in arguments.items():
            right[name][:, c] = factor * images[:, c] + shift
    return right
