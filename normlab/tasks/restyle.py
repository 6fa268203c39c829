"""Lesson 7: give one image the look of another, with what InstanceNorm takes away.

Huang & Belongie, 2017, "Arbitrary Style Transfer in Real-time with Adaptive Instance
Normalization", do it to the features of a network; here it is done to the image itself.
"""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import NO_EPS, distinct_values, last_is_0, one_look_at_a_time


def restyle(content, style, eps):
    pixels = (1, 2)
    mean = content.mean(axis=pixels, keepdims=True)  # (C, 1, 1)
    var = content.var(axis=pixels, keepdims=True)  # (C, 1, 1)
    style_mean = style.mean(axis=pixels, keepdims=True)  # (C, 1, 1)
    style_var = style.var(axis=pixels, keepdims=True)  # (C, 1, 1)
    std, style_std = np.sqrt(var + eps), np.sqrt(style_var + eps)
    pattern = (content - mean) / std  # (C, H, W)
    return style_std * pattern + style_mean  # (C, H, W)


def cases(rng: np.random.Generator) -> Cases:
    """Draw styles that open one step at a time: no look, a spread, eps, a mean.

    They are of the content's size and of others; last comes a channel that does not vary.
    """
    for shape, style_shape in (((2, 1, 4), (2, 1, 4)), ((3, 4, 5), (3, 2, 6))):
        channels = shape[0]
        means = rng.choice(np.arange(20, 90), (2, channels, 1, 1), replace=False)
        content = distinct_values(rng, shape) + means[0]
        size = style_shape[1] * style_shape[2]
        signs = rng.permuted(np.tile(np.resize([-1.0, 1.0], size), (channels, 1)), axis=1)
        neutral = signs.reshape(style_shape)  # mean 0, variance 1
        style = rng.choice(np.arange(2.0, 10), channels, replace=False).reshape(-1, 1, 1) * neutral
        eps = float(rng.integers(2, 9)) * 10
        name = f"content {shape}, style {style_shape}"
        given = {"content": content, "style": neutral, "eps": NO_EPS}
        bare = Case(f"{name}: mean 0, std 1", ("pattern",), given)
        yield from one_look_at_a_time(bare, name, style, eps, style + means[1])
        itself = {"content": content, "style": content, "eps": eps}
        yield Case(f"{name}: the content itself, eps {eps:g}", (), itself)
    # A content, and the same with a last channel that holds one number everywhere.
    content = distinct_values(rng, (2, 2, 3)) + 30
    style = distinct_values(rng, (2, 3, 2))
    style -= style.mean((1, 2), keepdims=True)
    flat = content.copy()
    flat[-1] = content[-1, 0, 0]
    name = "content (2, 2, 3), style (2, 3, 2): mean 0, eps 0.5"
    varied = Case(name, (), {"content": content, "style": style, "eps": 0.5})
    yield varied
    yield varied.then(last_is_0, f"{name}, last channel flat", "eps", content=flat)
