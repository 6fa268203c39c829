"""Wrong answers as people write them, not as the catalogue does: each is named all the same."""

import math

import numpy as np
import pytest

from normlab import check


def normalized(x, eps):
    return (x - np.mean(x, axis=0)) / np.sqrt(np.var(x, axis=0) + eps)


def unbiased(x, weight, bias, eps):
    mean = sum(x) / len(x)
    var = sum((x - mean) ** 2) / (len(x) - 1)
    return weight * (x - mean) / (var + eps) ** 0.5 + bias


def eps_outside(x, weight, bias, eps):
    return (x - x.mean(0)) / (x.std(0) + eps) * weight + bias


def eps_missing(x, weight, bias, eps):
    return weight * (x - x.mean(0)) / x.std(0) + bias


def eps_fixed(x, weight, bias, eps=1e-5):
    return normalized(x, 1e-5) * weight + bias


def no_root(x, weight, bias, eps):
    return weight * (x - x.mean(0)) / (x.var(0) + eps) + bias


def std_for_variance(x, weight, bias, eps):
    return weight * (x - x.mean(0)) / np.sqrt(x.std(0) + eps) + bias


def mean_left_in(x, weight, bias, eps):
    return weight * x / np.sqrt(np.square(x - x.mean(0)).mean(0) + eps) + bias


def mean_square(x, weight, bias, eps):
    return weight * (x - x.mean(0)) / np.sqrt((x * x).sum(0) / x.shape[0] + eps) + bias


def skips_both(x, weight, bias, eps):
    return normalized(x, eps)


def skips_weight(x, weight, bias, eps):
    return bias + normalized(x, eps)


def skips_bias(x, weight, bias, eps):
    return np.multiply(normalized(x, eps), weight)


def shifts_first(x, weight, bias, eps):
    return (bias + normalized(x, eps)) * weight


def exchanges(x, bias, weight, eps):
    return weight * normalized(x, eps) + bias


def difference_of_squares(x, weight, bias, eps):
    var = (x**2).mean(0) - x.mean(0) ** 2
    return (x - x.mean(0)) / np.sqrt(var + eps) * weight + bias


def difference_of_sums(x, weight, bias, eps):
    """Round otherwise: not even the noise is that of the catalogue."""
    n = len(x)
    var = np.einsum("nc,nc->c", x, x) / n - (x.sum(0) / n) ** 2
    return (x - x.sum(0) / n) / np.sqrt(np.maximum(var, 0) + eps) * weight + bias


def per_sample(x, weight, bias, eps):
    return normalized(x.T, eps).T * weight + bias


def along_columns(x, weight, bias, eps):
    return (x - x.mean(1)) / np.sqrt(x.var(1) + eps) * weight + bias


def over_everything(x, weight, bias, eps):
    return (x - x.mean()) / np.sqrt(x.var() + eps) * weight + bias


VECTORS = {
    unbiased: "unbiased variance",
    eps_outside: "eps outside the root",
    eps_missing: "eps missing",
    eps_fixed: "eps fixed at 1e-5",
    no_root: "no root",
    std_for_variance: "std for variance",
    mean_left_in: "mean left in",
    mean_square: "mean square for variance",
    skips_both: "weight and bias skipped",
    skips_weight: "weight skipped",
    skips_bias: "bias skipped",
    shifts_first: "shift before scale",
    exchanges: "weight and bias exchanged",
    difference_of_squares: "difference of squares",
    difference_of_sums: "difference of squares",
    per_sample: "one mean per sample",
    along_columns: "one mean per sample, along the columns",
    over_everything: "one mean for everything",
}


def with_axes(axes):
    def answer(x, weight, bias, eps):
        y = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)
        return y * weight[:, None, None] + bias[:, None, None]

    return answer


def bare_weight(x, weight, bias, eps):
    axes = (0, 2, 3)
    y = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)
    return weight * y + bias


def flattens(x, weight, bias, eps):
    rows = x.reshape(-1, x.shape[1])
    return (normalized(rows, eps) * weight + bias).reshape(x.shape)


def does_not_move_back(x, weight, bias, eps):
    rows = x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])
    return (normalized(rows, eps) * weight + bias).reshape(x.shape)


def leaves_channels_last(x, weight, bias, eps):
    rows = np.moveaxis(x, 1, 3)
    mean, var = rows.mean((0, 1, 2)), rows.var((0, 1, 2))
    return (rows - mean) / np.sqrt(var + eps) * weight + bias


def averages_variances(x, weight, bias, eps):
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        mean = np.mean([image[c].mean() for image in x])
        var = np.mean([image[c].var() for image in x])
        y[:, c] = weight[c] * (x[:, c] - mean) / math.sqrt(var + eps) + bias[c]
    return y


IMAGES = {
    with_axes((0,)): "one mean per pixel",
    with_axes((2, 3)): "one mean per image and channel",
    with_axes((1, 2, 3)): "one mean per image",
    with_axes((0, 1, 2, 3)): "one mean for everything",
    with_axes((0, 1, 2)): "one mean per column of the image",
    bare_weight: "weight along the last axis",
    flattens: "flattened without moving the channels",
    does_not_move_back: "not moved back",
    leaves_channels_last: "channels left last",
    averages_variances: "variance averaged over images",
}


def linear(x, w, c, weight, bias, eps):
    z = x @ w.T
    return normalized(z, eps) * weight + bias, z.mean(0) + c, z.var(0)


def not_transposed(x, w, c, weight, bias, eps):
    return linear(x, w.T, c, weight, bias, eps)


def adds_to_output(x, w, c, weight, bias, eps):
    y, mean, var = linear(x, w, c, weight, bias, eps)
    return y + c, mean, var


def adds_to_bias(x, w, c, weight, bias, eps):
    return linear(x, w, c, weight, bias + c, eps)


def adds_before_weight(x, w, c, weight, bias, eps):
    _, mean, var = linear(x, w, c, weight, bias, eps)
    return weight * (normalized(x @ w.T, eps) + c) + bias, mean, var


def adds_and_takes_away(x, w, c, weight, bias, eps):
    z = np.einsum("nd,cd->nc", x, w) + c
    mean = z.mean(0)
    return weight * (z - mean) / np.sqrt(((z - mean) ** 2).mean(0) + eps) + bias, mean, z.var(0)


def adds_and_sums_exactly(x, w, c, weight, bias, eps):
    """Round otherwise: the sums are exact, and the digits are lost before."""
    z = x @ w.T + c
    mean = np.array([math.fsum(column) / len(z) for column in z.T])
    var = np.array([math.fsum(column) / len(z) for column in ((z - mean) ** 2).T])
    return weight * (z - mean) / np.sqrt(var + eps) + bias, mean, var


def mean_without(x, w, c, weight, bias, eps):
    y, mean, var = linear(x, w, 0, weight, bias, eps)
    return y, mean, var


def mean_less(x, w, c, weight, bias, eps):
    return linear(x, w, -c, weight, bias, eps)


def variance_with(x, w, c, weight, bias, eps):
    y, mean, var = linear(x, w, c, weight, bias, eps)
    return y, mean, var + c


def variance_with_eps(x, w, c, weight, bias, eps):
    y, mean, var = linear(x, w, c, weight, bias, eps)
    return y, mean, var + eps


def std_returned(x, w, c, weight, bias, eps):
    y, mean, var = linear(x, w, c, weight, bias, eps)
    return y, mean, var**0.5


LINEAR = {
    not_transposed: "linear_weight not transposed",
    adds_to_output: "linear bias added to the output",
    adds_to_bias: "linear bias added to the output",
    adds_before_weight: "linear bias times weight added to the output",
    adds_and_takes_away: "linear bias added and taken away",
    adds_and_sums_exactly: "linear bias added and taken away",
    mean_without: "mean without linear bias",
    mean_less: "linear bias subtracted from the mean",
    variance_with: "linear bias added to the variance",
    variance_with_eps: "variance returned with eps",
    std_returned: "standard deviation returned",
}

WRITTEN = [
    (name, answer, key)
    for name, answers in {
        "batch_norm_forward": VECTORS,
        "batch_norm_forward_images": IMAGES,
        "linear_then_batch_norm": LINEAR,
    }.items()
    for answer, key in answers.items()
]


@pytest.mark.parametrize(
    ("name", "answer", "key"),
    WRITTEN,
    ids=[f"{answer.__name__}: {key}" for _, answer, key in WRITTEN],
)
def test_it_is_named(name, answer, key):
    for seed in range(20):
        assert check(name, answer, seed=seed).mistakes == (key,)


def test_two_written_together_are_named_both():
    def answer(x, weight, bias, eps):
        return (x - x.mean(1)[:, None]) / np.sqrt(x.var(1)[:, None] + eps) * weight

    def images(x, weight, bias, eps):
        y = x - x.mean((0, 2, 3))[:, None, None]
        return y / (y.std((0, 2, 3))[:, None, None] + eps) * weight + bias

    named = check("batch_norm_forward", answer).mistakes
    assert named == ("bias skipped", "one mean per sample")
    named = check("batch_norm_forward_images", images).mistakes
    assert named == ("eps outside the root", "weight along the last axis")
