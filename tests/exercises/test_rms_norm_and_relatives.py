"""Lesson 9's tasks: right answers in many ways, wrong ones as people write them, the examples."""

import math

import numpy as np
import pytest

from normlab import check


def rms_with_mean(x, weight, eps):
    x = np.asarray(x, np.float64)
    return weight * x / np.sqrt((x**2).mean(-1, keepdims=True) + eps)


def rms_with_einsum(x, weight, eps):
    x = x.astype(np.float64)
    inv_rms = (np.einsum("...d,...d->...", x, x) / x.shape[-1] + eps) ** -0.5
    return np.einsum("...d,...,d->...d", x, inv_rms, weight)


def rms_with_linalg(x, weight, eps):
    x = np.array(x, dtype=float)
    length = np.linalg.norm(x, axis=-1, keepdims=True) / math.sqrt(x.shape[-1])
    return x / np.hypot(length, eps**0.5) * weight


def rms_with_loops(x, weight, eps):
    rows = []
    for row in x.reshape(-1, x.shape[-1]).astype(float):
        mean_square = sum(value * value for value in row) / len(row)
        rows.append(
            [w * v / math.sqrt(mean_square + eps) for w, v in zip(weight, row, strict=True)]
        )
    return np.array(rows).reshape(x.shape)


def rms_in_place_on_a_copy(x, weight, eps):
    y = x.astype(np.float64)
    y /= np.sqrt(np.average(np.square(y), axis=-1) + eps)[..., None]
    y *= weight
    return y


def rms_in_single_precision(x, weight, eps):
    x = x.astype(np.float32)
    return x / np.sqrt(np.mean(x * x, -1, keepdims=True) + np.float32(eps)) * np.float32(weight)


def lrn_with_slices(x, size, alpha, beta, k):
    square, total = x**2, np.zeros_like(x)
    for c in range(x.shape[1]):
        low, high = max(0, c - size // 2), c + (size - 1) // 2 + 1
        total[:, c] = square[:, low:high].sum(1)
    return x / (k + alpha / size * total) ** beta


def lrn_with_padding(x, size, alpha, beta, k):
    padded = np.pad(x**2, ((0, 0), (size // 2, (size - 1) // 2), (0, 0), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)
    return x * (k + alpha * windows.mean(-1)) ** -beta


def lrn_with_a_matrix(x, size, alpha, beta, k):
    c = np.arange(x.shape[1])
    distance = c - c[:, None]  # of column j from row c
    window = (distance >= -(size // 2)) & (distance <= (size - 1) // 2)
    m = np.einsum("cj,njhw->nchw", window / size, np.square(x))
    return x / np.power(k + alpha * m, beta)


def lrn_with_cumulative_sums(x, size, alpha, beta, k):
    sums = np.concatenate([np.zeros_like(x[:, :1]), np.cumsum(x * x, axis=1)], axis=1)
    first = np.arange(x.shape[1]) - size // 2
    low, high = np.clip(first, 0, None), np.clip(first + size, None, x.shape[1])
    return x / (k + alpha * (sums[:, high] - sums[:, low]) / size) ** beta


def lrn_with_loops(x, size, alpha, beta, k):
    y = x.copy()
    for n, c, h, w in np.ndindex(x.shape):
        window = range(max(0, c - size // 2), min(x.shape[1], c - size // 2 + size))
        total = sum(x[n, j, h, w] ** 2 for j in window)
        y[n, c, h, w] /= (k + alpha * total / size) ** beta
    return y


def lrn_in_single_precision(x, size, alpha, beta, k):
    return lrn_with_padding(x.astype(np.float32), size, *np.float32([alpha, beta, k]))


def weight_with_sums(v, g):
    norm = np.sqrt(np.sum(v**2, axis=tuple(range(1, v.ndim)), keepdims=True))
    return g.reshape(norm.shape) * v / norm


def weight_with_linalg(v, g):
    rows = v.reshape(len(v), -1)
    return (rows * (g / np.linalg.norm(rows, axis=1))[:, None]).reshape(v.shape)


def weight_with_loops(v, g):
    return np.stack(
        [length * row / math.sqrt((row**2).sum()) for row, length in zip(v, g, strict=True)]
    )


def weight_with_einsum(v, g):
    rows = v.reshape(len(v), -1)
    norm = np.einsum("oi,oi->o", rows, rows) ** 0.5
    return np.einsum("o...,o->o...", v, g / norm)


def weight_from_the_back(v, g):
    last = np.moveaxis(v, 0, -1)  # (*, out): g lines up
    norm = np.sqrt((last * last).reshape(-1, len(g)).sum(0))
    return np.moveaxis(last / norm * g, -1, 0)


def weight_in_single_precision(v, g):
    return weight_with_sums(v.astype(np.float32), g.astype(np.float32))


def merge_at_once(counts, means, variances):
    some = counts > 0
    share, means = (counts[some] / counts.sum())[:, None], means[some]
    mean = (share * means).sum(0)
    return mean, (share * (variances[some] + (means - mean) ** 2)).sum(0)


def merge_one_by_one(counts, means, variances):
    """Chan, Golub & LeVeque's update, two at a time."""
    total, mean, squares = 0, 0.0, 0.0
    for n, m, v in zip(counts, means, variances, strict=True):
        if n:
            delta, both = m - mean, total + n
            squares = squares + n * v + delta**2 * total * n / both if total else n * v
            mean = mean + delta * n / both if total else m
            total = both
    return mean, squares / total


def merge_with_average(counts, means, variances):
    means, variances = (np.where(counts[:, None] > 0, v, 0.0) for v in (means, variances))
    mean = np.average(means, axis=0, weights=counts)
    return [mean, np.average(variances + np.square(means - mean), axis=0, weights=counts)]


def merge_with_einsum(counts, means, variances):
    keep = np.flatnonzero(counts)
    n = counts[keep].astype(float)
    mean = np.einsum("k,kc->c", n, means[keep]) / n.sum()
    distance = means[keep] - mean
    inside = np.einsum("k,kc->c", n, variances[keep])
    return mean, (inside + np.einsum("k,kc,kc->c", n, distance, distance)) / n.sum()


def merge_with_nansum(counts, means, variances):
    weights = counts.reshape(-1, 1) / sum(counts)
    mean = np.nansum(weights * means, axis=0)
    between = np.nansum(weights * (means - mean) ** 2, axis=0)
    return mean, np.nansum(weights * variances, axis=0) + between


def merge_made_up_data(counts, means, variances):
    """Put half of each worker's values above its mean and half below: twice the counts."""
    columns = []
    for m, v in zip(means.T, variances.T, strict=True):
        shift = m[counts > 0][0]
        pairs = [
            np.repeat([mu - shift - s**0.5, mu - shift + s**0.5], n)
            for n, mu, s in zip(counts, m, v, strict=True)
            if n
        ]
        data = np.concatenate(pairs)
        columns.append((data.mean() + shift, data.var()))
    return np.array(columns).T[0], np.array(columns).T[1]


RIGHT = [
    (name, answer)
    for name, answers in {
        "rms_norm_forward": (
            rms_with_mean,
            rms_with_einsum,
            rms_with_linalg,
            rms_with_loops,
            rms_in_place_on_a_copy,
            rms_in_single_precision,
        ),
        "local_response_norm": (
            lrn_with_slices,
            lrn_with_padding,
            lrn_with_a_matrix,
            lrn_with_cumulative_sums,
            lrn_with_loops,
            lrn_in_single_precision,
        ),
        "weight_norm": (
            weight_with_sums,
            weight_with_linalg,
            weight_with_loops,
            weight_with_einsum,
            weight_from_the_back,
            weight_in_single_precision,
        ),
        "merge_statistics": (
            merge_at_once,
            merge_one_by_one,
            merge_with_average,
            merge_with_einsum,
            merge_with_nansum,
            merge_made_up_data,
        ),
    }.items()
    for answer in answers
]


@pytest.mark.parametrize(("name", "answer"), RIGHT, ids=[a.__name__ for _, a in RIGHT])
def test_full_points(name, answer):
    for seed in range(10):
        report = check(name, answer, seed=seed)
        assert report.passed, f"seed {seed}\n{report}"
        assert ("about 7 digits" in str(report)) == ("single" in answer.__name__)


def rms_centred(x, weight, eps):
    x = x.astype(np.float64)
    return weight * (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps)


def rms_with_sum(x, weight, eps):
    x = np.asarray(x, np.float64)
    return weight * x / np.sqrt((x**2).sum(-1, keepdims=True) + eps)


def rms_without_a_thought_of_float16(x, weight, eps):
    return weight * x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + eps)


def rms_along_axis_1(x, weight, eps):
    x = np.asarray(x, np.float64)
    return weight * x / np.sqrt((x**2).mean(1, keepdims=True) + eps)


def lrn_of_the_paper(x, size, alpha, beta, k):
    return lrn_with_slices(x, size, alpha * size, beta, k)


def lrn_with_one_too_many(x, size, alpha, beta, k):
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        window = x[:, max(0, c - size // 2) : c + size // 2 + 1]
        y[:, c] = x[:, c] / (k + alpha / size * (window**2).sum(1)) ** beta
    return y


def lrn_with_an_empty_slice(x, size, alpha, beta, k):
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        window = x[:, c - size // 2 : c - size // 2 + size]  # from -1 on: from the end
        y[:, c] = x[:, c] / (k + alpha / size * (window**2).sum(1)) ** beta
    return y


def weight_without_keepdims(v, g):
    norm = np.sqrt((v**2).sum(tuple(range(1, v.ndim))))
    return g.reshape(-1, *[1] * (v.ndim - 1)) * v / norm


def weight_of_columns(v, g):
    return g.reshape(-1, *[1] * (v.ndim - 1)) * v / np.linalg.norm(v, axis=0)


def merge_averages(counts, means, variances):
    some = counts > 0
    return means[some].mean(0), variances[some].mean(0)


def merge_around_the_plain_mean(counts, means, variances):
    some = counts > 0
    share, means = (counts[some] / counts.sum())[:, None], means[some]
    mean = means.mean(0)
    return mean, (share * (variances[some] + (means - mean) ** 2)).sum(0)


def merge_without_spread(counts, means, variances):
    some = counts > 0
    weights = counts[some]
    return (np.average(v[some], axis=0, weights=weights) for v in (means, variances))


def merge_without_a_thought_of_the_idle(counts, means, variances):
    share = (counts / counts.sum())[:, None]
    mean = (share * means).sum(0)
    return mean, (share * (variances + (means - mean) ** 2)).sum(0)


@pytest.mark.parametrize(
    ("name", "answer", "mistake"),
    [
        ("rms_norm_forward", rms_centred, "LayerNorm"),
        ("rms_norm_forward", rms_with_sum, "sum for mean"),
        ("rms_norm_forward", rms_without_a_thought_of_float16, "squares in float16"),
        ("rms_norm_forward", rms_along_axis_1, "axis 1 in place of the last"),
        ("local_response_norm", lrn_with_an_empty_slice, "empty at the lower edge"),
        ("local_response_norm", lrn_of_the_paper, "alpha not divided by size"),
        ("local_response_norm", lrn_with_one_too_many, "one too many in an even window"),
        ("weight_norm", weight_of_columns, "one norm per input"),
        ("weight_norm", weight_without_keepdims, "norms along the columns"),
        ("merge_statistics", merge_around_the_plain_mean, "plain mean of the means"),
        ("merge_statistics", merge_averages, "averages of averages"),
        (
            "merge_statistics",
            lambda *a: tuple(merge_without_spread(*a)),
            "spread between the workers left out",
        ),
        ("merge_statistics", merge_without_a_thought_of_the_idle, "idle worker's NaN"),
    ],
)
def test_a_mistake_as_people_write_it(name, answer, mistake):
    assert check(name, answer).mistakes == (mistake,)


def test_the_examples_in_the_text():
    x = np.array([[2.0, -2, 4], [6, 6, 0]])
    y = rms_with_loops(x, np.array([15.0, 30, 15]), 1)
    np.testing.assert_allclose(y, [[10, -20, 20], [18, 36, 0]])

    x = np.array([[[[3.0, 0]], [[2, 1]], [[3, 0]]]])
    y = lrn_with_loops(x, 3, 3, 0.5, 3)
    np.testing.assert_allclose(y[0, :, 0], [[0.75, 0], [0.4, 0.5], [0.75, 0]])

    w = weight_with_loops(np.array([[2.0, -2, 1], [0, 3, 4]]), np.array([6.0, 10]))
    np.testing.assert_allclose(w, [[4, -4, 2], [0, 6, 8]])

    means, variances = np.array([[0.0, 10, 4], [4, 10, 8]]), np.array([[4.0, 2, 0], [8, 6, 4]])
    mean, var = merge_made_up_data(np.array([2, 6]), means, variances)
    np.testing.assert_allclose([mean, var], [[3, 10, 7], [10, 5, 6]])
