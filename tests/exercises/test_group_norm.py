"""Lesson 8's tasks: right answers in many ways, and the examples in the text."""

import numpy as np
import pytest

from normlab import check
from normlab.nn import functional as F  # noqa: N812


def along(parameter, x):
    return parameter.reshape((1, -1) + (1,) * (x.ndim - 2))


def flat_groups(x, num_groups, weight, bias, eps):
    z = x.reshape(len(x), num_groups, -1)
    z = (z - z.mean(2, keepdims=True)) / np.sqrt(z.var(2, keepdims=True) + eps)
    return z.reshape(x.shape) * along(weight, x) + along(bias, x)


def with_loops(x, num_groups, weight, bias, eps):
    y = np.empty(x.shape)
    size = x.shape[1] // num_groups
    for n in range(len(x)):
        for first in range(0, x.shape[1], size):
            block = x[n, first : first + size]
            block = (block - block.mean()) / (np.var(block) + eps) ** 0.5
            for c in range(size):
                y[n, first + c] = weight[first + c] * block[c] + bias[first + c]
    return y


def with_einsum(x, num_groups, weight, bias, eps):
    z = x.reshape(len(x), num_groups, -1)
    z = z - np.einsum("ngk->ng", z)[..., None] / z.shape[2]
    inv_std = (np.einsum("ngk,ngk->ng", z, z) / z.shape[2] + eps) ** -0.5
    y = np.einsum("ngk,ng->ngk", z, inv_std).reshape(*x.shape[:2], -1)
    return (np.einsum("nck,c->nck", y, weight) + bias[:, None]).reshape(x.shape)


def with_split(x, num_groups, weight, bias, eps):
    axes = tuple(range(1, x.ndim))
    parts = [
        (part - part.mean(axes, keepdims=True)) / np.sqrt(part.var(axes, keepdims=True) + eps)
        for part in np.split(x, num_groups, axis=1)
    ]
    return np.concatenate(parts, axis=1) * along(weight, x) + along(bias, x)


def in_place_on_a_copy(x, num_groups, weight, bias, eps):
    y = x.copy()
    z = y.reshape(len(x), num_groups, -1)  # a view of y
    z -= z.mean(-1, keepdims=True)
    z /= np.sqrt(np.square(z).mean(-1, keepdims=True) + eps)
    y *= along(weight, x)
    y += along(bias, x)
    return y


def with_linalg(x, num_groups, weight, bias, eps):
    rows = x.reshape(len(x) * num_groups, -1)
    centred = rows - np.average(rows, axis=1)[:, None]
    spread = np.hypot(np.linalg.norm(centred, axis=1) / rows.shape[1] ** 0.5, eps**0.5)
    return (centred / spread[:, None]).reshape(x.shape) * along(weight, x) + along(bias, x)


def in_single_precision(x, num_groups, weight, bias, eps):
    x, weight, bias = (value.astype(np.float32) for value in (x, weight, bias))
    return flat_groups(x, num_groups, weight, bias, np.float32(eps))


FORWARD = (
    flat_groups,
    with_loops,
    with_einsum,
    with_split,
    in_place_on_a_copy,
    with_linalg,
    in_single_precision,
)


def back_in_blocks(dy, x_hat, inv_std, weight):
    blocks = (*inv_std.shape, -1, *dy.shape[2:])
    g, z = (dy * along(weight, dy)).reshape(blocks), x_hat.reshape(blocks)
    axes = (2, 3, 4)
    dx = g - g.mean(axes, keepdims=True) - z * (g * z).mean(axes, keepdims=True)
    dx *= inv_std[:, :, None, None, None]
    return dx.reshape(dy.shape), (dy * x_hat).sum((0, 2, 3)), dy.sum((0, 2, 3))


def back_with_loops(dy, x_hat, inv_std, weight):
    dx, groups = np.zeros_like(dy), inv_std.shape[1]
    size = dy.shape[1] // groups
    for n in range(len(dy)):
        for g in range(groups):
            part = slice(g * size, (g + 1) * size)
            grad = dy[n, part] * weight[part, None, None]
            z = x_hat[n, part]
            dx[n, part] = inv_std[n, g] * (grad - grad.mean() - z * np.mean(grad * z))
    dweight = [np.sum(dy[:, c] * x_hat[:, c]) for c in range(dy.shape[1])]
    return [dx, np.array(dweight), np.array([dy[:, c].sum() for c in range(dy.shape[1])])]


def back_with_sums(dy, x_hat, inv_std, weight):
    """CS231n's form: the count is multiplied in and divided out at the end."""
    rows = (inv_std.size, -1)
    g, z = (dy * along(weight, dy)).reshape(rows), x_hat.reshape(rows)
    n = g.shape[1]
    sums = g.sum(1, keepdims=True), (g * z).sum(1, keepdims=True)
    dx = inv_std.reshape(-1, 1) / n * (n * g - sums[0] - z * sums[1])
    return dx.reshape(dy.shape), np.einsum("nchw,nchw->c", dy, x_hat), np.einsum("nchw->c", dy)


def back_with_a_projection(dy, x_hat, inv_std, weight):
    """Remove from g what lies along the ones and along x_hat."""
    g, dx = dy * weight[:, None, None], []
    for grad, z, r in zip(
        g.reshape(inv_std.size, -1), x_hat.reshape(inv_std.size, -1), inv_std.flat, strict=True
    ):
        jacobian = np.eye(z.size) - (np.ones((z.size, z.size)) + np.outer(z, z)) / z.size
        dx.append(r * jacobian @ grad)
    flat = np.moveaxis(dy, 1, 0).reshape(len(weight), -1)
    z = np.moveaxis(x_hat, 1, 0).reshape(len(weight), -1)
    return np.reshape(dx, dy.shape), np.diag(flat @ z.T), flat @ np.ones(flat.shape[1])


def back_with_repeated_std(dy, x_hat, inv_std, weight):
    size = dy.shape[1] // inv_std.shape[1]

    def spread(values):
        return np.repeat(values, size, axis=1)[:, :, None, None]

    def mean(values):
        return spread(values.reshape(*inv_std.shape, -1).mean(-1))

    g = np.multiply(dy, weight[None, :, None, None])
    dx = spread(inv_std) * (g - mean(g) - x_hat * mean(g * x_hat))
    return dx, np.add.reduce(dy * x_hat, axis=(0, 2, 3)), np.add.reduce(dy, axis=(0, 2, 3))


def back_in_single_precision(dy, x_hat, inv_std, weight):
    return back_in_blocks(*(value.astype(np.float32) for value in (dy, x_hat, inv_std, weight)))


BACKWARD = (
    back_in_blocks,
    back_with_loops,
    back_with_sums,
    back_with_a_projection,
    back_with_repeated_std,
    back_in_single_precision,
)


def ends_from_groups(x, weight, bias, eps):
    ones, zeros = np.ones(x.shape[1]), np.zeros(x.shape[1])
    layer = flat_groups(x, 1, ones, zeros, eps)
    return layer * weight + bias, flat_groups(x, x.shape[1], ones, zeros, eps)


def ends_with_axes(x, weight, bias, eps):
    layer, instance = (
        (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)
        for axes in ((1, 2, 3), (2, 3))
    )
    return layer * weight + bias, instance


def ends_with_loops(x, weight, bias, eps):
    layer = np.stack([(one - one.mean()) / np.sqrt(one.var() + eps) * weight + bias for one in x])
    instance = [[(m - m.mean()) / np.sqrt(m.var() + eps) for m in one] for one in x]
    return [layer, np.array(instance)]


def ends_of_rows(x, weight, bias, eps):
    def normalize(rows):
        centred = rows - rows.mean(1, keepdims=True)
        return centred / np.sqrt(np.mean(centred**2, 1, keepdims=True) + eps)

    layer = normalize(x.reshape(len(x), -1)) * weight.ravel() + bias.ravel()
    instance = normalize(x.reshape(-1, x[0, 0].size))
    return layer.reshape(x.shape), instance.reshape(x.shape)


def ends_with_einsum(x, weight, bias, eps):
    n = x[0].size
    centred = x - np.einsum("nchw->n", x)[:, None, None, None] / n
    inv_std = (np.einsum("nchw,nchw->n", centred, centred) / n + eps) ** -0.5
    layer = np.einsum("nchw,n,chw->nchw", centred, inv_std, weight) + bias
    return layer, ends_with_axes(x, weight, bias, eps)[1]


def ends_in_single_precision(x, weight, bias, eps):
    x, weight, bias = (value.astype(np.float32) for value in (x, weight, bias))
    return ends_from_groups(x, weight, bias, np.float32(eps))


ENDS = (
    ends_from_groups,
    ends_with_axes,
    ends_with_loops,
    ends_of_rows,
    ends_with_einsum,
    ends_in_single_precision,
)

RIGHT = [
    (name, answer)
    for name, answers in {
        "group_norm_forward": FORWARD,
        "group_norm_backward": BACKWARD,
        "two_ends": ENDS,
    }.items()
    for answer in answers
]


@pytest.mark.parametrize(("name", "answer"), RIGHT, ids=[a.__name__ for _, a in RIGHT])
def test_full_points(name, answer):
    for seed in range(10):
        report = check(name, answer, seed=seed)
        assert report.passed, f"seed {seed}\n{report}"
        assert ("about 7 digits" in str(report)) == ("single" in answer.__name__)


def test_images_alone_are_not_enough():
    def answer(x, num_groups, weight, bias, eps):
        _n, _c, _h, _w = x.shape
        return flat_groups(x, num_groups, weight, bias, eps)

    report = check("group_norm_forward", answer)
    failed = [line.title for line in report.lines if not line.passed]
    assert failed == ["not only images: (N, C) and (N, C, L)"]


def test_the_examples_in_the_text():
    x = np.array([[[[1.0, 1, 1]], [[9, 9, 9]], [[0, 8, 0]], [[8, 0, 8]]]])
    y = F.group_norm(x, 2, np.array([10.0, 5, 5, 10]), np.array([0.0, 0, 1, 1]), 9.0)
    np.testing.assert_allclose(y[0, :, 0], [[-8] * 3, [4] * 3, [-3, 5, -3], [9, -7, 9]])

    dx, dweight, dbias = back_with_loops(
        np.array([[[[12.0, 0, 0]], [[0, 3, 0]]]]),
        np.array([[[[1.0, 1, 1]], [[-1, -1, -1]]]]),
        np.array([[0.5]]),
        np.array([1.0, 2]),
    )
    np.testing.assert_allclose(dx[0, :, 0], [[4, -2, -2], [-1, 2, -1]])
    np.testing.assert_allclose([dweight, dbias], [[12, -3], [12, 3]])

    x = np.array([[[[-2.0, -2, 4]], [[10, 10, 4]]]])
    weight, bias = np.array([[[5.0, 10, 5]], [[5, 5, 5]]]), np.array([[[0.0, 0, 1]], [[0, 0, 2]]])
    layer, instance = ends_with_axes(x, weight, bias, 1)
    np.testing.assert_allclose(layer[0, :, 0], [[-6, -12, 1], [6, 6, 2]])
    np.testing.assert_allclose(3 * instance[0, :, 0], [[-2, -2, 4], [2, 2, -4]])
