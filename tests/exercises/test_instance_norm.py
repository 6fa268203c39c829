"""Lesson 7's tasks: right answers in many ways, wrong ones as people write them, the examples."""

import numpy as np
import pytest

from normlab import check


def with_axes(x, weight, bias, eps):
    x_hat = (x - x.mean((2, 3), keepdims=True)) / np.sqrt(x.var((2, 3), keepdims=True) + eps)
    return x_hat if weight is None else x_hat * weight[:, None, None] + bias[:, None, None]


def with_loops(x, weight, bias, eps):
    y = np.zeros(x.shape)
    for n, c in np.ndindex(x.shape[:2]):
        y[n, c] = (x[n, c] - np.mean(x[n, c])) / np.sqrt(np.var(x[n, c]) + eps)
        if weight is not None:
            y[n, c] = weight[c] * y[n, c] + bias[c]
    return y


def with_einsum(x, weight, bias, eps):
    n = x[0, 0].size
    centred = x - (np.einsum("nchw->nc", x) / n)[..., None, None]
    inv_std = (np.einsum("nchw,nchw->nc", centred, centred) / n + eps) ** -0.5
    weight = np.ones(x.shape[1]) if weight is None else weight
    bias = np.zeros(x.shape[1]) if bias is None else bias
    return np.einsum("nchw,nc,c->nchw", centred, inv_std, weight) + bias.reshape(-1, 1, 1)


def with_rows(x, weight, bias, eps):
    rows = x.reshape(-1, x.shape[2] * x.shape[3])  # (N*C, H*W)
    centred = rows - np.average(rows, axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True) / rows.shape[1] ** 0.5
    y = centred / np.hypot(length, eps**0.5)
    if weight is not None:
        y = y * np.tile(weight, len(x))[:, None] + np.tile(bias, len(x))[:, None]
    return y.reshape(x.shape)


def in_place_on_a_copy(x, weight, bias, eps):
    y = np.array(x)
    y -= y.mean((-1, -2), keepdims=True)
    y /= np.sqrt(np.square(y).mean((-1, -2), keepdims=True) + eps)
    if weight is not None and bias is not None:
        y *= weight.reshape(1, -1, 1, 1)
        y += bias.reshape(1, -1, 1, 1)
    return y


def in_single_precision(x, weight, bias, eps):
    x, weight, bias = (v if v is None else v.astype(np.float32) for v in (x, weight, bias))
    return with_axes(x, weight, bias, np.float32(eps))


def restyle_with_axes(content, style, eps):
    std, style_std = (np.sqrt(i.var((1, 2), keepdims=True) + eps) for i in (content, style))
    mean, style_mean = (i.mean((1, 2), keepdims=True) for i in (content, style))
    return (content - mean) / std * style_std + style_mean


def restyle_with_loops(content, style, eps):
    y = []
    for image, look in zip(content, style, strict=True):
        scale = ((np.var(look) + eps) / (np.var(image) + eps)) ** 0.5
        y.append((image - np.mean(image)) * scale + np.mean(look))
    return np.stack(y)


def restyle_by_instance_norm(content, style, eps):
    flat = style.reshape(len(style), -1)
    weight, bias = np.sqrt(flat.var(1) + eps), flat.mean(1)
    return with_axes(content[None], weight, bias, eps)[0]


def restyle_with_einsum(content, style, eps):
    def look(image):
        mean = np.einsum("chw->c", image) / image[0].size
        centred = image - mean[:, None, None]
        return mean, centred, (np.einsum("chw,chw->c", centred, centred) / image[0].size + eps)

    (_, centred, var), (mean, _, style_var) = look(content), look(style)
    return np.einsum("chw,c->chw", centred, np.sqrt(style_var / var)) + mean[:, None, None]


def restyle_in_place_on_a_copy(content, style, eps):
    y = content.copy().reshape(len(content), -1)
    look = style.reshape(len(style), -1)
    y -= y.mean(1)[:, None]
    y /= np.sqrt(np.cov(content.reshape(y.shape), bias=True).diagonal() + eps)[:, None]
    y *= np.sqrt(look.std(1) ** 2 + eps)[:, None]
    y += look.mean(1)[:, None]
    return y.reshape(content.shape)


def restyle_in_single_precision(content, style, eps):
    return restyle_with_axes(content.astype(np.float32), style.astype(np.float32), np.float32(eps))


RIGHT = [
    *(
        ("instance_norm_forward", answer)
        for answer in (
            with_axes,
            with_loops,
            with_einsum,
            with_rows,
            in_place_on_a_copy,
            in_single_precision,
        )
    ),
    *(
        ("restyle", answer)
        for answer in (
            restyle_with_axes,
            restyle_with_loops,
            restyle_by_instance_norm,
            restyle_with_einsum,
            restyle_in_place_on_a_copy,
            restyle_in_single_precision,
        )
    ),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT, ids=[a.__name__ for _, a in RIGHT])
def test_full_points(name, answer):
    for seed in range(10):
        report = check(name, answer, seed=seed)
        assert report.passed, f"seed {seed}\n{report}"
        assert ("about 7 digits" in str(report)) == ("single" in answer.__name__)


def test_none_not_expected_costs_its_own_point_and_says_where():
    """InstanceNorm assumed to have weight and bias: what is left is an error, not a number."""

    def answer(x, weight, bias, eps):
        x_hat = with_axes(x, None, None, eps)
        return weight[:, None, None] * x_hat + bias[:, None, None]

    report = check("instance_norm_forward", answer)
    assert [line.title for line in report.lines if not line.passed] == [
        "weight and bias may be None"
    ]
    assert report.points == 9
    assert "It raised TypeError: 'NoneType' object is not subscriptable" in str(report)
    assert "weight[:, None, None] * x_hat" in str(report)


def as_batch_norm(x, weight, bias, eps):
    x_hat = (x - x.mean((0, 2, 3), keepdims=True)) / np.sqrt(x.var((0, 2, 3), keepdims=True) + eps)
    return x_hat if weight is None else x_hat * weight[:, None, None] + bias[:, None, None]


def with_torch_std(content, style, eps):
    std, style_std = (np.sqrt(i.var((1, 2), ddof=1) + eps) for i in (content, style))
    pattern = (content - content.mean((1, 2))[:, None, None]) / std[:, None, None]
    return pattern * style_std[:, None, None] + style.mean((1, 2))[:, None, None]


@pytest.mark.parametrize(
    ("name", "answer", "mistake"),
    [
        ("instance_norm_forward", as_batch_norm, "one mean per channel"),
        ("restyle", with_torch_std, "unbiased variance"),
        ("restyle", lambda c, s, eps: restyle_with_axes(s, c, eps), "content and style exchanged"),
    ],
)
def test_a_mistake_as_people_write_it(name, answer, mistake):
    assert check(name, answer).mistakes == (mistake,)


def test_the_examples_in_the_text():
    x = np.array([[[[1.0, 1, 7]], [[20, 20, 14]]]])
    y = with_loops(x, np.array([3.0, 6]), np.array([0.0, 1]), 1)
    np.testing.assert_allclose(y[0, :, 0], [[-2, -2, 4], [5, 5, -7]])
    content, style = np.array([[[1.0, 19, 1], [19, 1, 19]]]), np.array([[[84.0, 116]]])
    y = restyle_with_loops(content, style, 144)
    np.testing.assert_allclose(y, [[[88, 112, 88], [112, 88, 112]]])
