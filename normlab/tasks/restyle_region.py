"""Lesson 7: give a part of one image the look of a part of another."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import NO_EPS, distinct_values, one_look_at_a_time


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
    """Draw the pixels of two parts, as images of one row; then put them into larger images.

    The parts are of every size; each time the pixels around them are of another brightness.
    """
    for shape, style_shape in (
        ((1, 2, 4), (1, 2, 3)),
        ((2, 3, 4), (2, 3, 4)),
        ((3, 4, 5), (3, 2, 6)),
    ):
        channels = shape[0]
        region, style_region = _part(rng, shape[1:]), _part(rng, style_shape[1:])
        content = distinct_values(rng, (channels, 1, region.sum())) + rng.integers(20, 40)
        style = 2 * distinct_values(rng, (channels, 1, style_region.sum())) - rng.integers(20, 40)
        wide = style - style.mean((1, 2), keepdims=True)  # mean 0
        neutral = wide / wide.std((1, 2), keepdims=True)  # mean 0, standard deviation 1
        eps = float(rng.integers(5, 20)) * 10
        name = f"{content.shape} in the look of {style.shape}"
        pixels = {
            "content": content,
            "region": np.ones(content.shape[1:], bool),
            "style": neutral,
            "style_region": np.ones(style.shape[1:], bool),
            "eps": NO_EPS,
        }
        bare = Case(f"{name}: mean 0, std 1", ("pattern",), pixels)
        *steps, whole = one_look_at_a_time(bare, name, wide, eps, style)
        yield from (*steps, whole)
        larger = distinct_values(rng, shape) + 90.0
        larger_style = distinct_values(rng, style_shape) + 150.0
        larger[:, region], larger_style[:, style_region] = content[:, 0], style[:, 0]
        name = f"content {shape}, style {style_shape}, a region of each"
        regions = {"region": region, "style_region": style_region}
        images = {"content": larger, "style": larger_style}
        yield whole.then(_in_its_place, name, "region", **images, **regions)


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
