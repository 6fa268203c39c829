"""Lesson 6: a layer norm over whole sequences of different lengths, padded to one.

One mean and one variance for each sequence, over all its tokens and features, as in the "global
layer normalization" of Luo & Mesgarani, 2019, "Conv-TasNet". Only real tokens may count.
"""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import (
    NO_EPS,
    affine_last,
    distinct_values,
    eps_over,
    fresh,
    learned,
    scales,
    shifts,
)


def sequence_norm_padded(x, lengths, weight, bias, eps):
    real = (np.arange(x.shape[1]) < lengths[:, None])[..., None]  # (B, T, 1)
    axes = (1, 2)  # all of a sequence shares one mean
    n = (real * np.ones_like(x)).sum(axis=axes, keepdims=True)  # (B, 1, 1)
    mean = (x * real).sum(axis=axes, keepdims=True) / n
    var = ((x - mean) ** 2 * real).sum(axis=axes, keepdims=True) / n  # (B, 1, 1)
    x_hat = (x - mean) / np.sqrt(var + eps)  # (B, T, D)
    y = weight * x_hat + bias
    return y * real  # (B, T, D)


def cases(rng: np.random.Generator) -> Cases:
    """Draw sequences without padding, with padding that can hardly be seen, and with padding.

    The second kind asks for the zeros alone: its tokens are so small beside eps that nobody sees
    how the statistics were taken, and the padding adds up to 0. The third asks for the statistics
    alone: bias is 0, and where the learner leaves the padding normalized, so does what is expected.
    """
    for shape in ((2, 2, 3), (3, 4, 2)):
        x = distinct_values(rng, shape) + 5 * rng.permutation(shape[0])[:, None, None]
        lengths = np.full(shape[0], shape[1])
        eps = round(float(rng.uniform(0.5, 2)) * float(x.var((1, 2)).min()), 1) + 1
        given = {"x": x, "lengths": lengths, **fresh(shape[2]), "eps": NO_EPS}
        bare = Case(f"{shape}, no padding", ("statistics",), given)
        large = bare.then(eps_over(1, 2), f"{bare.name}, eps {eps:g}", "formula", eps=eps)
        both = f"{large.name}, weight and bias"
        yield from (bare, large)
        yield large.then(affine_last, both, "formula", **learned(rng, shape[2]))
    yield from _with_padding(rng, (3, 4, 2), [4, 2, 3])
    yield from _with_padding(rng, (3, 6, 3), [2, 4, 3])


def _with_padding(
    rng: np.random.Generator, shape: tuple[int, int, int], lengths: list[int]
) -> Cases:
    """Draw tiny sequences of one length, and then others with anything in the padding."""
    length = min(lengths)
    tiny = distinct_values(rng, shape) * 1e-4
    for part in (tiny[:, :length], tiny[:, length:]):
        part -= part.mean((1, 2), keepdims=True)
    bias = shifts(rng, shape[2])
    ones, real = np.ones(shape[2]), np.full(shape[0], length)
    short = {"x": tiny[:, :length], "lengths": real, "weight": ones, "bias": bias, "eps": 1.0}
    x = distinct_values(rng, shape) + 5.0
    ragged = {"x": x, "lengths": np.array(lengths), "bias": np.zeros(shape[2]), "eps": NO_EPS}

    def zeros_behind(own: Outputs, _arguments: Arguments) -> Outputs:
        return {"y": np.concatenate([own["y"], np.zeros_like(tiny[:, length:])], axis=1)}

    def padding_as_before(own: Outputs, _arguments: Arguments) -> Outputs:
        padding = tiny[:, length:] + bias
        left = np.allclose(own["y"][:, length:], padding, rtol=0, atol=1e-8)
        return {"y": _normalized(x, lengths, left)}

    name = str(shape)
    cut = Case(f"{name}, tiny, cut to {length} tokens", (), short)
    zeros = cut.then(zeros_behind, f"{name}, tiny, {length} tokens real", "zeros", x=tiny)
    any_padding = f"{name}, lengths {tuple(lengths)}"
    padded = zeros.then(padding_as_before, any_padding, "padding", **ragged)
    yield from (cut, zeros, padded)
    both = {**padded.arguments, "weight": scales(rng, shape[2]), "bias": bias}
    yield Case(f"{any_padding}, weight and bias", (), both)


def _normalized(x: np.ndarray, lengths: list[int], padding: bool) -> np.ndarray:
    """Normalize each sequence by its real tokens, the padding too or not."""
    y = np.zeros_like(x)
    for sequence, length, out in zip(x, lengths, y, strict=True):
        real, count = sequence[:length], len(sequence) if padding else length
        out[:count] = (sequence[:count] - real.mean()) / np.sqrt(real.var() + NO_EPS)
    return y
