"""Right answers, written in many ways, get full points."""

import math
import statistics

import numpy as np
import pytest

from normlab import check


def with_var(x, weight, bias, eps):
    return weight * (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + bias


def with_loops(x, weight, bias, eps):
    samples, channels = x.shape
    y = [[0.0] * channels for _ in range(samples)]
    for c in range(channels):
        column = [float(x[n, c]) for n in range(samples)]
        mean = math.fsum(column) / samples
        var = math.fsum((value - mean) ** 2 for value in column) / samples
        for n in range(samples):
            y[n][c] = float(weight[c] * (column[n] - mean) / math.sqrt(var + eps) + bias[c])
    return y


def with_einsum(x, weight, bias, eps):
    centred = x - np.einsum("nc->c", x) / len(x)
    var = np.einsum("nc,nc->c", centred, centred) / len(x)
    return np.einsum("nc,c,c->nc", centred, weight, 1 / np.sqrt(var + eps)) + bias


def with_linalg(x, weight, bias, eps):
    centred = x - np.average(x, axis=0)
    length = np.linalg.norm(centred, axis=0)  # sqrt(N * var)
    return centred @ np.diag(weight / np.hypot(length / len(x) ** 0.5, eps**0.5)) + bias


def in_place_on_a_copy(x, weight, bias, eps):
    y = x.copy()
    y -= y.mean(axis=0)
    y /= np.sqrt((y**2).mean(axis=0) + eps)
    y *= weight
    y += bias
    return y


def row_by_row(x, weight, bias, eps):
    return np.apply_along_axis(
        lambda column: (column - statistics.fmean(column)) / (np.var(column) + eps) ** 0.5, 0, x
    ).dot(np.diag(weight)) + np.tile(bias, (len(x), 1))


def transposed(x, weight, bias, eps):
    columns = x.T  # (C, N)
    centred = columns - columns.mean(1, keepdims=True)
    y = centred / np.sqrt(np.cov(columns, bias=True).diagonal()[:, None] + eps)
    return (y * weight[:, None] + bias[:, None]).T


def in_single_precision(x, weight, bias, eps):
    x, weight, bias = (value.astype(np.float32) for value in (x, weight, bias))
    return with_var(x, weight, bias, np.float32(eps))


VECTORS = [
    with_var,
    with_loops,
    with_einsum,
    with_linalg,
    in_place_on_a_copy,
    row_by_row,
    transposed,
    in_single_precision,
]


def images_with_axes(x, weight, bias, eps):
    axes = (0, 2, 3)
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(var + eps) * weight[:, None, None] + bias[:, None, None]


def images_as_vectors(x, weight, bias, eps):
    samples, channels, height, width = x.shape
    rows = x.transpose(0, 2, 3, 1).reshape(-1, channels)  # (N*H*W, C)
    y = with_var(rows, weight, bias, eps)
    return y.reshape(samples, height, width, channels).transpose(0, 3, 1, 2)


def images_channel_by_channel(x, weight, bias, eps):
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        channel = x[:, c]
        y[:, c] = weight[c] * (channel - channel.mean()) / np.sqrt(channel.var() + eps) + bias[c]
    return y


def images_with_einsum(x, weight, bias, eps):
    n = x.size // x.shape[1]
    centred = x - (np.einsum("nchw->c", x) / n)[None, :, None, None]
    scale = weight / np.sqrt(np.einsum("nchw,nchw->c", centred, centred) / n + eps)
    return np.einsum("nchw,c->nchw", centred, scale) + bias[None, :, None, None]


def images_with_swapped_axes(x, weight, bias, eps):
    last = np.moveaxis(x, 1, -1)  # (N, H, W, C)
    y = (last - last.mean((0, 1, 2))) / np.sqrt(last.var((0, 1, 2)) + eps) * weight + bias
    return np.moveaxis(y, -1, 1)


def images_in_place_on_a_copy(x, weight, bias, eps):
    y = np.array(x)
    y -= y.mean((0, 2, 3), keepdims=True)
    y *= (weight / np.sqrt(np.square(y).mean((0, 2, 3)) + eps)).reshape(1, -1, 1, 1)
    y += bias.reshape(1, -1, 1, 1)
    return y


def images_in_single_precision(x, weight, bias, eps):
    x, weight, bias = (value.astype(np.float32) for value in (x, weight, bias))
    return images_with_axes(x, weight, bias, np.float32(eps))


IMAGES = [
    images_with_axes,
    images_as_vectors,
    images_channel_by_channel,
    images_with_einsum,
    images_with_swapped_axes,
    images_in_place_on_a_copy,
    images_in_single_precision,
]


def linear_with_var(x, linear_weight, linear_bias, weight, bias, eps):
    z = x @ linear_weight.T
    return with_var(z, weight, bias, eps), z.mean(0) + linear_bias, z.var(0)


def linear_with_einsum(x, linear_weight, linear_bias, weight, bias, eps):
    z = np.einsum("nd,cd->nc", x, linear_weight)
    return [with_einsum(z, weight, bias, eps), linear_bias + z.sum(0) / len(z), np.var(z, axis=0)]


def linear_with_the_mean_of_x(x, linear_weight, linear_bias, weight, bias, eps):
    """Centre the input: W(x - mean x) is z - mean z, and its covariance gives the variance."""
    mean = linear_weight @ x.mean(0)
    centred = (x - x.mean(0)) @ linear_weight.T
    var = np.diag(linear_weight @ np.cov(x.T, bias=True) @ linear_weight.T)
    return centred * (weight / np.sqrt(var + eps)) + bias, mean + linear_bias, var


def linear_with_loops(x, linear_weight, linear_bias, weight, bias, eps):
    z = np.array([[np.dot(row, unit) for unit in linear_weight] for row in x])
    return with_loops(z, weight, bias, eps), np.mean(z, 0) + linear_bias, np.std(z, 0) ** 2


def linear_with_a_folded_scale(x, linear_weight, linear_bias, weight, bias, eps):
    z = np.dot(x, np.transpose(linear_weight))
    mean, var = z.mean(axis=0), np.square(z - z.mean(axis=0)).mean(axis=0)
    scale = weight / np.sqrt(var + eps)
    return z * scale + (bias - mean * scale), np.add(mean, linear_bias), var


def linear_in_single_precision(x, linear_weight, linear_bias, weight, bias, eps):
    values = (x, linear_weight, linear_bias, weight, bias)
    single = (value.astype(np.float32) for value in values)
    return linear_with_var(*single, np.float32(eps))


LINEAR = [
    linear_with_var,
    linear_with_einsum,
    linear_with_the_mean_of_x,
    linear_with_loops,
    linear_with_a_folded_scale,
    linear_in_single_precision,
]

# ---- answers to tasks that no lesson answers


def sizes_image_by_image(images, heights, widths):
    pixels = [
        image[:, :height, :width].reshape(len(image), -1)
        for image, height, width in zip(images, heights, widths, strict=True)
    ]
    pixels = np.hstack(pixels)  # (C, n)
    return pixels.mean(1), pixels.std(1)


def sizes_with_nan(images, heights, widths):
    x = images.copy()
    for i in range(len(x)):
        x[i, :, heights[i] :], x[i, :, :, widths[i] :] = np.nan, np.nan
    return np.nanmean(x, (0, 2, 3)), np.nanstd(x, (0, 2, 3))


def robust_by_percentiles(train, test):
    quartiles = np.percentile(train, (25, 75), axis=0)
    spread = np.diff(quartiles, axis=0)[0]
    spread[spread == 0] = 1.0
    return tuple((x - np.median(train, 0)) / spread for x in (train, test))


def layer_by_asking(linear_weight, linear_bias, mean, std):
    def answer(x):
        return linear_weight @ ((x / 255 - mean) / std) + linear_bias

    black = answer(np.zeros(len(mean)))
    lit = [answer(one) - black for one in np.eye(len(mean))]
    return np.array(lit).T, black


def weighted_by_average(x, sample_weight, weight, bias, eps):
    mean = np.average(x, axis=0, weights=sample_weight)
    var = np.average((x - mean) ** 2, axis=0, weights=sample_weight)
    return weight * (x - mean) / np.sqrt(var + eps) + bias


def whitened_by_svd(x, eps):
    d = x - x.mean(0)
    _, s, directions = np.linalg.svd(d, full_matrices=False)
    scale = 1 / np.sqrt(s**2 / len(x) + eps)
    return d @ directions.T * scale @ directions, np.cov(x, rowvar=False, ddof=0)


def average_from_sums(x, running_mean, running_var, num_batches_tracked):
    def with_new(old, new):
        return (old * num_batches_tracked + new) / (num_batches_tracked + 1)

    return with_new(running_mean, x.mean(0)), with_new(running_var, np.var(x, 0, ddof=1))


def folded_by_einsum(conv_weight, conv_bias, running_mean, running_var, weight, bias, eps):
    scale = weight / np.sqrt(running_var + eps)
    shift = bias - running_mean * scale
    return (
        np.einsum("ochw,c->ochw", conv_weight, scale),
        conv_bias + np.einsum("ochw,c->o", conv_weight, shift),
    )


def renorm_by_cases(x, running_mean, running_var, weight, bias, eps, r_max, d_max):
    std, running = np.sqrt(x.var(0) + eps), np.sqrt(running_var + eps)
    r = np.minimum(np.maximum(std / running, 1 / r_max), r_max)
    d = np.minimum(np.maximum((x.mean(0) - running_mean) / running, -d_max), d_max)
    return ((x - x.mean(0)) * (r / std) + d) * weight + bias


def mean_only_by_matrix(dy, x, weight):
    centring = np.eye(len(x)) - 1 / len(x)  # (N, N), symmetric
    return centring @ (dy * weight), (dy * (centring @ x)).sum(0), dy.sum(0)


def frozen_by_moving_axes(dy, x, running_mean, running_var, weight, eps):
    dy_last, x_last = np.moveaxis(dy, 1, -1), np.moveaxis(x, 1, -1)
    std = np.sqrt(running_var + eps)
    rows = (dy_last * (x_last - running_mean) / std).reshape(-1, len(weight))
    dx = np.moveaxis(dy_last * (weight / std), -1, 1)
    return dx, rows.sum(0), dy_last.reshape(-1, len(weight)).sum(0)


def weighted_back_node_by_node(dy, x, sample_weight, weight, eps):
    p = (sample_weight / sample_weight.sum())[:, None]
    d = x - (p * x).sum(0)
    r = 1 / np.sqrt((p * d**2).sum(0) + eps)
    dx_hat = dy * weight
    dvar = -0.5 * r**3 * (dx_hat * d).sum(0)
    dd = dx_hat * r + 2 * dvar * p * d
    return dd - p * dd.sum(0)


OTHERS = {
    "statistics_of_sizes": (sizes_image_by_image, sizes_with_nan),
    "robust_scale": (robust_by_percentiles,),
    "into_first_layer": (layer_by_asking,),
    "weighted_batch_norm": (weighted_by_average,),
    "whiten_two": (whitened_by_svd,),
    "average_so_far": (average_from_sums,),
    "fold_into_next_conv": (folded_by_einsum,),
    "batch_renorm": (renorm_by_cases,),
    "mean_only_backward": (mean_only_by_matrix,),
    "frozen_backward": (frozen_by_moving_axes,),
    "weighted_backward": (weighted_back_node_by_node,),
}

RIGHT = [
    *((name, answer) for name, answers in OTHERS.items() for answer in answers),
    *(("batch_norm_forward", answer) for answer in VECTORS),
    *(("batch_norm_forward_images", answer) for answer in IMAGES),
    *(("linear_then_batch_norm", answer) for answer in LINEAR),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT, ids=[a.__name__ for _, a in RIGHT])
def test_full_points(name, answer):
    for seed in (None, *range(20)):
        report = check(name, answer) if seed is None else check(name, answer, seed=seed)
        assert report.passed, f"seed {seed}\n{report}"
        assert report.points == report.max_points == 10
        assert report.mistakes == ()
        assert "FAIL" not in str(report)
        assert ("about 7 digits" in str(report)) == ("single" in answer.__name__)


def test_what_comes_next_is_said():
    assert "Next: the next task is linear_then_batch_norm." in str(
        check("batch_norm_forward", with_var)
    )
    assert "the last task of lesson 2" in str(check("whiten_two", whitened_by_svd))


def test_half_precision_is_not_enough():
    def answer(x, weight, bias, eps):
        return with_var(x, weight, bias, eps).astype(np.float16)

    assert not check("batch_norm_forward", answer).passed


def test_a_small_number_too_many_is_seen_where_it_matters():
    """1e-3 more than eps is asked for: invisible to the eye, and no rounding."""

    def answer(x, weight, bias, eps):
        return with_var(x, weight, bias, eps + 1e-3)

    assert not check("batch_norm_forward", answer).passed
