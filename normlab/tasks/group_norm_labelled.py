"""Lesson 8: GroupNorm with groups of any channels, told by a label for each."""

from functools import partial

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import (
    NO_EPS,
    distinct_values,
    eps_over,
    fresh,
    last_is_0,
    learned,
    with_affine,
)


def group_norm_labelled(images, labels, weight, bias, eps):
    x_hat = np.zeros(images.shape)
    for label in np.unique(labels):
        own = labels == label  # (C,), True for the channels of this group
        x = images[:, own]  # (N, M, H, W)
        group = (1, 2, 3)  # the axes that share one mean
        mean = x.mean(axis=group, keepdims=True)  # (N, 1, 1, 1)
        n = x.size // mean.size
        var = ((x - mean) ** 2).sum(axis=group, keepdims=True) / n  # (N, 1, 1, 1)
        x_hat[:, own] = (x - mean) / np.sqrt(var + eps)
    weight, bias = weight.reshape(-1, 1, 1), bias.reshape(-1, 1, 1)
    return weight * x_hat + bias  # (N, C, H, W)


def groups_of_one_size(images, labels, weight, bias, eps):
    num_groups = len(np.unique(labels))
    x_hat = np.zeros(images.shape)
    for own in np.array_split(np.arange(images.shape[1]), num_groups):
        x = images[:, own]
        mean, var = (f(axis=(1, 2, 3), keepdims=True) for f in (x.mean, x.var))
        x_hat[:, own] = (x - mean) / np.sqrt(var + eps)
    return weight.reshape(-1, 1, 1) * x_hat + bias.reshape(-1, 1, 1)


def runs_of_a_label(images, labels, weight, bias, eps):
    x_hat = np.zeros(images.shape)
    cuts = np.flatnonzero(np.diff(labels)) + 1
    for own in np.split(np.arange(images.shape[1]), cuts):
        x = images[:, own]
        mean, var = (f(axis=(1, 2, 3), keepdims=True) for f in (x.mean, x.var))
        x_hat[:, own] = (x - mean) / np.sqrt(var + eps)
    return weight.reshape(-1, 1, 1) * x_hat + bias.reshape(-1, 1, 1)


def cases(rng: np.random.Generator) -> Cases:
    """Draw one group, two mixed ones, some of different sizes, and labels with a gap.

    Of groups beside each other each is asked alone before, where they are of one size.
    """
    for shape in ((1, 2, 1, 3), (3, 4, 2, 4)):
        images, labels = _images(rng, shape), np.zeros(shape[1], int)
        eps = float(rng.integers(1, 9)) * 100
        name = f"{shape}, one label"
        flat = images.copy()
        flat[-1] = 0.0
        bare = Case(name, ("statistics",), _given(images, labels))
        large = bare.then(eps_over(1, 2, 3), f"{name}, eps {eps:g}", "eps", eps=eps)
        yield from (bare, large)
        yield large.then(last_is_0, f"{name}, a flat image, eps {eps:g}", "eps", images=flat)
        both = f"{large.name}, weight and bias"
        yield large.then(with_affine, both, "affine", **learned(rng, shape[1]))
    for shape, kinds, key in (
        ((2, 4, 1, 2), [1, 0, 1, 0], "mixed"),
        ((2, 6, 3, 2), [0, 1, 1, 0, 0, 1], "mixed"),
        ((3, 5, 2, 5), [0, 1, 1, 2, 1], "sizes"),
        ((2, 6, 2, 6), [7, 2, 7, 7, 0, 2], "sizes"),
    ):
        labels = np.array(kinds)
        images = _images(rng, shape)
        name = f"{shape}, labels {', '.join(str(label) for label in labels)}"
        beside = Case(name, (key,), _given(images, labels))
        if key == "mixed":  # groups of one size: as many images of one group
            blocks = [images[:, labels == label] for label in np.unique(labels)]
            one_label = np.zeros(blocks[0].shape[1], int)
            single = _given(np.concatenate(blocks), one_label)
            alone = Case(f"{name}: the groups, one after the other", (), single)
            yield alone
            beside = alone.then(partial(_beside, labels=labels), name, key, **beside.arguments)
        yield beside
        both = f"{name}, weight and bias"
        yield beside.then(with_affine, both, "affine", **learned(rng, len(labels)))


def _images(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    level = 20 * distinct_values(rng, shape[:2])[..., None, None]
    return distinct_values(rng, shape) + level


def _given(images: np.ndarray, labels: np.ndarray, eps: float = NO_EPS) -> Arguments:
    return {"images": images, "labels": labels, **fresh(len(labels)), "eps": eps}


def _beside(own: Outputs, arguments: Arguments, labels: np.ndarray) -> Outputs:
    """From groups behind each other to the same groups among the channels."""
    y = np.zeros(arguments["images"].shape)
    kinds = np.unique(labels)
    for label, block in zip(kinds, np.split(own["y"], len(kinds)), strict=True):
        y[:, labels == label] = block
    return {"y": y}
