"""Lesson 1: standardize two sets of images by the statistics of the first."""

import math

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import along_channels, multiplied_and_shifted


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
    """Draw a training set with a test set, with one image alone, and with a constant channel.

    The test set is brighter, and has more contrast. What is expected of it is derived from what the
    learner did to the training set.
    """
    for shape, tests in (((3, 2, 1, 2), 3), ((4, 3, 2, 3), 2)):
        train, test = _unit_images(rng, shape), 1.5 * _unit_images(rng, (tests, *shape[1:])) + 0.25
        dull, channel = train.copy(), int(rng.integers(shape[1]))
        dull[:, channel] = 0.5
        name = f"train {shape}, test {test.shape}"
        both = Case(name, ("train",), {"train": train, "test": test})
        yield from (both, both.then(_as_training, f"{name}: the test set", "test"))
        yield both.then(_as_training, f"{name}: one test image alone", "alone", test=test[:1])
        constant = f"{name}, channel {channel} constant in training"
        yield both.then(_as_training, constant, "constant", train=dull)


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
    read_off = multiplied_and_shifted(train, own["train"])
    factor, shift = (along_channels(each, 4) for each in read_off)  # (1, C, 1, 1) each
    moves = np.ptp(train, axis=(0, 2, 3), keepdims=True) > 0  # (1, C, 1, 1)
    off = np.abs(factor * train + shift - own["train"]).max((0, 2, 3), where=moves, initial=0)
    if (off > 1e-6 * np.abs(own["train"]).max((0, 2, 3))).any():
        return {}
    right = zip(arguments.items(), standardize(**arguments), strict=True)
    return {name: np.where(moves, factor * x + shift, still) for (name, x), still in right}
