"""Lesson 7: give a part of one image the look of a part of another."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import (
    NO_EPS,
    distinct_values,
    plus_style_mean,
    shape_name,
    times_style_std,
    with_style_eps,
)


def restyle_region(content, region, style, style_region, eps):
    part = content[:, region]  # (C, P), the pixels to repaint
    look = style[:, style_region]  # (C, Q), the pixels whose look they get
    mean, style_mean = part.mean(axis=1, keepdims=True), look.mean(axis=1, keepdims=True)  # (C, 1)
    var = ((part - mean) ** 2).mean(axis=1, keepdims=True)  # (C, 1)
    style_var = ((look - style_mean) ** 2).mean(axis=1, keepdims=True)  # (C, 1)
    std, style_std = np.sqrt(var + eps), np.sqrt(style_var + eps)
    pattern = (part - mean) / std  # (C, P)
    y = content.copy()
    y[:, region] = style_std * pattern + style_mean
    return y


def cases(rng: np.random.Generator) -> Cases:
    """Draw parts of every size; each time the pixels around them are of another brightness."""
    yield from _in_steps(rng, (1, 2, 4), (1, 2, 3))
    yield from _in_steps(rng, (2, 3, 4), (2, 3, 4))
    yield from _in_steps(rng, (3, 4, 5), (3, 2, 6))


def _in_steps(
    rng: np.random.Generator, shape: tuple[int, ...], style_shape: tuple[int, ...]
) -> Cases:
    """Draw the pixels of two parts, as images of one row; then put them into larger images."""
    channels = shape[0]
    region, style_region = _part(rng, shape[1:]), _part(rng, style_shape[1:])
    content = distinct_values(rng, (channels, 1, region.sum())) + rng.integers(20, 40)
    style = 2 * distinct_values(rng, (channels, 1, style_region.sum())) - rng.integers(20, 40)
    wide = style - style.mean((1, 2), keepdims=True)  # mean 0
    neutral = wide / wide.std((1, 2), keepdims=True)  # mean 0, standard deviation 1
    eps = float(rng.integers(5, 20)) * 10
    name = f"{shape_name(content.shape)} in the look of {shape_name(style.shape)}"

    def whole(style: np.ndarray, eps: float = NO_EPS) -> Arguments:
        all_of_it, all_of_style = (np.ones(one.shape[1:], bool) for one in (content, style))
        return _given(content, all_of_it, style, all_of_style, eps)

    bare, spread = f"{name}: mean 0, std 1", f"{name}: mean 0"
    large, mean = f"{spread}, eps {eps:g}", f"{name}, eps {eps:g}"
    yield Case(bare, ("pattern",), whole(neutral))
    yield Case(spread, ("spread",), whole(wide), bare, times_style_std)
    yield Case(large, ("eps",), whole(wide, eps), spread, with_style_eps)
    yield Case(mean, ("mean",), whole(style, eps), large, plus_style_mean)
    around = distinct_values(rng, shape) + 90.0, distinct_values(rng, style_shape) + 150.0
    around[0][:, region], around[1][:, style_region] = content[:, 0], style[:, 0]
    larger = _given(around[0], region, around[1], style_region, eps)
    name = f"content {shape_name(shape)}, style {shape_name(style_shape)}, a region of each"
    yield Case(name, ("region",), larger, mean, _in_its_place)


def _given(
    content: np.ndarray, region: np.ndarray, style: np.ndarray, style_region: np.ndarray, eps: float
) -> Arguments:
    images = {"content": content, "region": region, "style": style, "style_region": style_region}
    return {**images, "eps": eps}


def _part(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw a part of an image: more than half of its pixels, but not all."""
    size = shape[0] * shape[1]
    part = np.zeros(size, bool)
    part[rng.choice(size, int(rng.integers(size // 2 + 1, size)), replace=False)] = True
    return part.reshape(shape)


def _in_its_place(own: Outputs, arguments: Arguments) -> Outputs:
    """From the repainted pixels alone to the larger image in which they stand."""
    y = arguments["content"].copy()
    y[:, arguments["region"]] = own["y"][:, 0]
    return {"y": y}
