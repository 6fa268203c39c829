"""Lesson 6: a layer norm over whole sequences of different lengths, padded to one.

One mean and one variance for each sequence, over all its tokens and features, as in the "global
layer normalization" of Luo & Mesgarani, 2019, "Conv-TasNet". Only real tokens may count.
"""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import NO_EPS, distinct_values, eps_over, scales, shape_name, shifts


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
    yield from _without_padding(rng, (2, 2, 3))
    yield from _without_padding(rng, (3, 4, 2))
    yield from _with_padding(rng, (3, 4, 2), [4, 2, 3])
    yield from _with_padding(rng, (3, 6, 3), [2, 4, 3])


def _plain(x: np.ndarray, lengths: np.ndarray, eps: float) -> Arguments:
    ones, zeros = np.ones(x.shape[2]), np.zeros(x.shape[2])
    return {"x": x, "lengths": lengths, "weight": ones, "bias": zeros, "eps": eps}


def _without_padding(rng: np.random.Generator, shape: tuple[int, int, int]) -> Cases:
    x = distinct_values(rng, shape) + 5 * rng.permutation(shape[0])[:, None, None]
    lengths = np.full(shape[0], shape[1])
    eps = round(float(rng.uniform(0.5, 2)) * float(x.var((1, 2)).min()), 1) + 1
    fresh = _plain(x, lengths, eps)
    learned = {**fresh, "weight": scales(rng, shape[2]), "bias": shifts(rng, shape[2])}
    name = f"{shape_name(shape)}, no padding"
    large = f"{name}, eps {eps:g}"
    yield Case(name, ("statistics",), _plain(x, lengths, NO_EPS))
    yield Case(large, ("formula",), fresh, name, eps_over(1, 2))
    both = f"{large}, weight and bias"
    yield Case(both, ("formula",), learned, large, _with_affine)


def _with_affine(own: Outputs, arguments: Arguments) -> Outputs:
    return {"y": own["y"] * arguments["weight"] + arguments["bias"]}


def _with_padding(
    rng: np.random.Generator, shape: tuple[int, int, int], lengths: list[int]
) -> Cases:
    """Draw tiny sequences of one length, and then others with anything in the padding."""
    length = min(lengths)
    tiny = distinct_values(rng, shape) * 1e-4
    for part in (tiny[:, :length], tiny[:, length:]):
        part -= part.mean((1, 2), keepdims=True)
    bias = shifts(rng, shape[2])
    faint = {**_plain(tiny, np.full(shape[0], length), 1.0), "bias": bias}
    x = distinct_values(rng, shape) + 5.0
    ragged = _plain(x, np.array(lengths), NO_EPS)
    learned = {**ragged, "weight": scales(rng, shape[2]), "bias": bias}

    def zeros_behind(own: Outputs, _arguments: Arguments) -> Outputs:
        return {"y": np.concatenate([own["y"], np.zeros_like(tiny[:, length:])], axis=1)}

    def padding_as_before(own: Outputs, _arguments: Arguments) -> Outputs:
        padding = tiny[:, length:] + bias
        left = np.allclose(own["y"][:, length:], padding, rtol=0, atol=1e-8)
        return {"y": _normalized(x, lengths, left)}

    name = shape_name(shape)
    cut, zeros = f"{name}, tiny, cut to {length} tokens", f"{name}, tiny, {length} tokens real"
    any_padding = f"{name}, lengths {shape_name(tuple(lengths))}"
    yield Case(cut, (), {**faint, "x": tiny[:, :length]})
    yield Case(zeros, ("zeros",), faint, cut, zeros_behind)
    yield Case(any_padding, ("padding",), ragged, zeros, padding_as_before)
    yield Case(f"{any_padding}, weight and bias", (), learned)


def _normalized(x: np.ndarray, lengths: list[int], padding: bool) -> np.ndarray:
    """Normalize each sequence by its real tokens, the padding too or not."""
    y = np.zeros_like(x)
    for sequence, length, out in zip(x, lengths, y, strict=True):
        real, count = sequence[:length], len(sequence) if padding else length
        out[:count] = (sequence[:count] - real.mean()) / np.sqrt(real.var() + NO_EPS)
    return y
