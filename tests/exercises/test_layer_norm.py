"""Lesson 6's tasks: right answers in many ways, and the examples in the text."""

import math

import numpy as np
import pytest

from normlab import check

# ---- forward


def with_axes(x, weight, bias, eps):
    axes = tuple(range(-weight.ndim, 0))
    centred = x - x.mean(axes, keepdims=True)
    return weight * centred / np.sqrt(x.var(axes, keepdims=True) + eps) + bias


def with_rows(x, weight, bias, eps):
    rows = x.reshape(-1, weight.size)
    rows = (rows - rows.mean(1)[:, None]) / np.sqrt(rows.var(1)[:, None] + eps)
    return (rows * weight.ravel() + bias.ravel()).reshape(x.shape)


def with_loops(x, weight, bias, eps):
    y = np.empty(x.shape)
    for index in np.ndindex(x.shape[: x.ndim - weight.ndim]):
        values = [float(value) for value in x[index].ravel()]
        mean = math.fsum(values) / len(values)
        var = math.fsum((value - mean) ** 2 for value in values) / len(values)
        y[index] = weight * (x[index] - mean) / math.sqrt(var + eps) + bias
    return y


def with_einsum(x, weight, bias, eps):
    rows = x.reshape(-1, weight.size)
    rows = rows - np.einsum("nd->n", rows)[:, None] / weight.size
    inv_std = (np.einsum("nd,nd->n", rows, rows) / weight.size + eps) ** -0.5
    return np.einsum("nd,n,d->nd", rows, inv_std, weight.ravel()).reshape(x.shape) + bias


def with_linalg(x, weight, bias, eps):
    rows = x.reshape(-1, weight.size)
    rows = rows - np.average(rows, axis=1)[:, None]
    std = np.hypot(np.linalg.norm(rows, axis=1) / weight.size**0.5, eps**0.5)
    return (rows / std[:, None]).reshape(x.shape) * weight + bias


def in_place_on_a_copy(x, weight, bias, eps):
    y, axes = x.copy(), tuple(range(x.ndim - weight.ndim, x.ndim))
    y -= y.mean(axes, keepdims=True)
    y /= np.sqrt(np.square(y).mean(axes, keepdims=True) + eps)
    y *= weight
    y += bias
    return y


def in_single_precision(x, weight, bias, eps):
    return with_axes(*(v.astype(np.float32) for v in (x, weight, bias)), np.float32(eps))


FORWARD = (
    with_axes,
    with_rows,
    with_loops,
    with_einsum,
    with_linalg,
    in_place_on_a_copy,
    in_single_precision,
)

# ---- backward


def back_with_axes(dy, x, mean, var, x_hat, weight, eps):
    last = tuple(range(-weight.ndim, 0))
    others = tuple(range(x.ndim - weight.ndim))
    g = dy * weight
    g = g - g.mean(last, keepdims=True) - x_hat * (g * x_hat).mean(last, keepdims=True)
    return g / np.sqrt(var + eps), (dy * x_hat).sum(others), dy.sum(others)


def back_with_sums(dy, x, mean, var, x_hat, weight, eps):
    shape, n = (-1, weight.size), weight.size
    rows, z, r = dy.reshape(shape), x_hat.reshape(shape), 1 / np.sqrt(var.reshape(-1, 1) + eps)
    g = rows * weight.ravel()
    dx = r / n * (n * g - g.sum(1, keepdims=True) - z * (g * z).sum(1, keepdims=True))
    parameters = (rows * z).sum(0), rows.sum(0)
    return dx.reshape(x.shape), *(array.reshape(weight.shape) for array in parameters)


def back_through_the_graph(dy, x, mean, var, x_hat, weight, eps):
    last, n = tuple(range(-weight.ndim, 0)), weight.size

    def total(values):
        return values.sum(last, keepdims=True)

    d, r, g = x - mean, (var + eps) ** -0.5, weight * dy
    dd = g * r - d * r**3 * total(g * d) / n
    others = tuple(range(x.ndim - weight.ndim))
    dweight = np.add.reduce(dy * d * r, others)
    return [dd - total(dd) / n, dweight, np.add.reduce(dy, others)]


def back_with_a_jacobian(dy, x, mean, var, x_hat, weight, eps):
    dx, dweight, dbias = np.empty(x.shape), np.zeros(weight.size), np.zeros(weight.size)
    for index in np.ndindex(x.shape[: x.ndim - weight.ndim]):
        z, grad = x_hat[index].ravel(), dy[index].ravel()
        jacobian = np.eye(z.size) - (1 + np.outer(z, z)) / z.size
        g = jacobian @ (weight.ravel() * grad) / np.sqrt(var[index].item() + eps)
        dx[index] = g.reshape(weight.shape)
        dweight += grad * z
        dbias += grad
    return dx, dweight.reshape(weight.shape), dbias.reshape(weight.shape)


def back_with_einsum(dy, x, mean, var, x_hat, weight, eps):
    rows, z = dy.reshape(-1, weight.size), x_hat.reshape(-1, weight.size)
    g = np.einsum("nd,d->nd", rows, weight.ravel())
    along = np.einsum("nd,nd->n", g, z) / weight.size
    dx = g - (np.einsum("nd->n", g) / weight.size)[:, None] - along[:, None] * z
    dx = dx.reshape(x.shape) / np.sqrt(var + eps)
    dweight, dbias = np.einsum("nd,nd->d", rows, z), np.einsum("nd->d", rows)
    return dx, dweight.reshape(weight.shape), dbias.reshape(weight.shape)


def back_in_place_on_a_copy(dy, x, mean, var, x_hat, weight, eps):
    last, dx = tuple(range(-weight.ndim, 0)), dy.copy()
    others = tuple(range(x.ndim - weight.ndim))
    dx *= weight
    along = np.mean(dx * x_hat, last, keepdims=True)
    dx -= dx.mean(last, keepdims=True)
    dx -= along * x_hat
    dx *= 1 / np.sqrt(var + eps)
    return dx, np.sum(dy * x_hat, others), np.sum(dy, others)


def back_in_single_precision(dy, x, mean, var, x_hat, weight, eps):
    given = (v.astype(np.float32) for v in (dy, x, mean, var, x_hat, weight))
    return back_with_axes(*given, np.float32(eps))


BACKWARD = (
    back_with_axes,
    back_with_sums,
    back_through_the_graph,
    back_with_a_jacobian,
    back_with_einsum,
    back_in_place_on_a_copy,
    back_in_single_precision,
)

# ---- padding


def padded_with_a_mask(x, lengths, weight, bias, eps):
    real = (np.arange(x.shape[1])[None] < lengths[:, None])[:, :, None]
    n = real.sum((1, 2), keepdims=True) * x.shape[2]
    mean = (x * real).sum((1, 2), keepdims=True) / n
    var = ((x - mean) ** 2 * real).sum((1, 2), keepdims=True) / n
    return ((x - mean) / np.sqrt(var + eps) * weight + bias) * real


def padded_with_where(x, lengths, weight, bias, eps):
    real = np.broadcast_to((np.arange(x.shape[1]) < lengths[:, None])[..., None], x.shape)
    mean = np.mean(x, axis=(1, 2), keepdims=True, where=real)
    var = np.var(x, axis=(1, 2), keepdims=True, where=real)
    return np.where(real, (x - mean) / np.sqrt(var + eps) * weight + bias, 0.0)


def padded_with_loops(x, lengths, weight, bias, eps):
    y = np.zeros_like(x)
    for b, length in enumerate(lengths):
        tokens = x[b, :length]
        y[b, :length] = weight * (tokens - tokens.mean()) / np.sqrt(tokens.var() + eps) + bias
    return y


def padded_with_nan(x, lengths, weight, bias, eps):
    y = x.copy()
    for b, length in enumerate(lengths):
        y[b, length:] = np.nan
    y -= np.nanmean(y, axis=(1, 2), keepdims=True)
    y /= np.sqrt(np.nanvar(y, axis=(1, 2), keepdims=True) + eps)
    return np.nan_to_num(y * weight + bias)


def padded_with_masked_arrays(x, lengths, weight, bias, eps):
    padding = np.arange(x.shape[1])[None, :, None] >= lengths[:, None, None]
    z = np.ma.masked_array(x, np.broadcast_to(padding, x.shape))
    z = (z - z.mean((1, 2), keepdims=True)) / np.sqrt(z.var((1, 2), keepdims=True) + eps)
    return (z * weight + bias).filled(0.0)


def padded_with_einsum(x, lengths, weight, bias, eps):
    real = (np.arange(x.shape[1]) < lengths[:, None]).astype(float)
    n = lengths * x.shape[2]
    centred = x - (np.einsum("btd,bt->b", x, real) / n)[:, None, None]
    var = np.einsum("btd,btd,bt->b", centred, centred, real) / n
    y = np.einsum("btd,b,d->btd", centred, (var + eps) ** -0.5, weight) + bias
    return np.einsum("btd,bt->btd", y, real)


def padded_in_single_precision(x, lengths, weight, bias, eps):
    x, weight, bias = (v.astype(np.float32) for v in (x, weight, bias))
    return padded_with_loops(x, lengths, weight, bias, np.float32(eps))


PADDED = (
    padded_with_a_mask,
    padded_with_where,
    padded_with_loops,
    padded_with_nan,
    padded_with_masked_arrays,
    padded_with_einsum,
    padded_in_single_precision,
)

RIGHT = [
    (name, answer)
    for name, answers in {
        "layer_norm_forward": FORWARD,
        "layer_norm_backward": BACKWARD,
        "sequence_norm_padded": PADDED,
    }.items()
    for answer in answers
]


@pytest.mark.parametrize(("name", "answer"), RIGHT, ids=[a.__name__ for _, a in RIGHT])
def test_full_points(name, answer):
    for seed in range(8):
        report = check(name, answer, seed=seed)
        assert report.passed, f"seed {seed}\n{report}"


# ---- mistakes as people write them


def failed(report):
    return [line.title for line in report.lines if not line.passed]


def test_the_tutorial_layer_norm_has_two_mistakes():
    """Row 38: torch's `std` divides by n - 1, and eps is added to it."""

    def answer(x, weight, bias, eps):
        axes = tuple(range(-weight.ndim, 0))
        mean, std = x.mean(axes, keepdims=True), x.std(axes, keepdims=True, ddof=1)
        return weight * (x - mean) / (std + eps) + bias

    report = check("layer_norm_forward", answer)
    assert set(report.mistakes) == {"unbiased variance", "eps outside the root"}


def test_a_transposed_batch_norm_leaves_its_sums_behind():
    """Row 37."""

    def answer(dy, x, mean, var, x_hat, weight, eps):
        dx, _, _ = back_with_axes(dy, x, mean, var, x_hat, weight, eps)
        last = tuple(range(x.ndim - weight.ndim, x.ndim))
        return dx, (dy * x_hat).sum(last), dy.sum(last)

    report = check("layer_norm_backward", answer)
    assert report.mistakes == ("dweight and dbias summed over the features",)


def test_mean_over_a_padded_array():
    """Row 29, as it is mostly written."""

    def answer(x, lengths, weight, bias, eps):
        real = (np.arange(x.shape[1]) < lengths[:, None])[..., None]
        mean, var = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
        return ((x - mean) / np.sqrt(var + eps) * weight + bias) * real

    report = check("sequence_norm_padded", answer)
    assert report.mistakes == ("padding counted",)
    assert failed(report) == ["padding does not enter the statistics"]


def test_lengths_ignored_are_two_mistakes_and_cost_two_aspects():
    def answer(x, lengths, weight, bias, eps):
        mean, var = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
        return (x - mean) / np.sqrt(var + eps) * weight + bias

    report = check("sequence_norm_padded", answer)
    assert set(report.mistakes) == {"padding counted", "padding normalized"}
    assert (report.points, len(failed(report))) == (5, 2)


# ---- the text


def test_the_examples_in_the_text():
    x, eps = np.array([[9.0, 9, -3], [18, 6, 6]]), 4
    weight, bias = np.array([3.0, 6, 3]), np.array([0.0, 0, 1])
    np.testing.assert_allclose(with_loops(x, weight, bias, eps), [[2, 4, -3], [4, -4, -1]])
    mean, var = x.mean(1, keepdims=True), x.var(1, keepdims=True)
    np.testing.assert_allclose([mean.ravel(), var.ravel()], [[5, 10], [32, 32]])
    x_hat = np.array([[2.0, 2, -4], [4, -2, -2]]) / 3
    dy = np.array([[24.0, 10, -32], [4, 3, 2]])
    dx, dweight, dbias = back_with_a_jacobian(dy, x, mean, var, x_hat, weight, eps)
    np.testing.assert_allclose(dx, [[2, 0, -2], [0, 1, -1]], atol=1e-12)
    np.testing.assert_allclose(3 * dweight, [64, 14, 124])
    np.testing.assert_allclose(dbias, [28, 13, -30])

    x = np.array([[[1.0, 9], [9, 1], [77, -7]], [[1, 9], [50, 60], [0, 3]]])
    y = padded_with_loops(x, np.array([2, 1]), np.array([5.0, 10]), np.array([1.0, 0]), 9)
    np.testing.assert_allclose(y[0], [[-3, 8], [5, -8], [0, 0]])
    np.testing.assert_allclose(y[1], [[-3, 8], [0, 0], [0, 0]])
