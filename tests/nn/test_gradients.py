"""Every backward against its own forward, by finite differences and without torch.

A central difference is right to about eps**(2/3), six digits in float64: enough to see a term
that is missing, whichever way torch would have it.
"""

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from normlab import nn
from normlab.nn import functional as F  # noqa: N812
from normlab.nn import parametrizations, sync


def numerical_gradient(loss: Callable[[], float], x: np.ndarray, h: float = 1e-5) -> np.ndarray:
    """Nudge each entry of x, in place, both ways."""
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        kept = x[index]
        x[index] = kept + h
        above = loss()
        x[index] = kept - h
        gradient[index] = (above - loss()) / (2 * h)
        x[index] = kept
    return gradient


def assert_gradients(
    output: Callable[[], np.ndarray], arrays: dict[str, np.ndarray], backward: Callable
) -> None:
    """Compare `backward(dy)`, gradients by name, with the differences of ``sum(dy * output)``."""
    dy = np.random.default_rng(1).normal(size=output().shape)
    gradients = backward(dy)
    assert set(gradients) == set(arrays)
    for name, array in arrays.items():
        expected = numerical_gradient(lambda: float((dy * output()).sum()), array)
        assert gradients[name].shape == array.shape, name
        np.testing.assert_allclose(gradients[name], expected, rtol=1e-6, atol=1e-7, err_msg=name)


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(1.0, 2.0, shape)


LAYERS = [
    (lambda d: nn.BatchNorm1d(3, dtype=d), (5, 3)),
    (lambda d: nn.BatchNorm1d(3, eps=0.1, momentum=0.0, dtype=d), (3, 3, 2)),
    (lambda d: nn.BatchNorm2d(2, bias=False, dtype=d), (2, 2, 2, 3)),
    (lambda d: nn.BatchNorm3d(2, affine=False, dtype=d), (2, 2, 2, 1, 2)),
    (lambda d: nn.BatchNorm1d(3, dtype=d).eval(), (4, 3)),
    (lambda d: nn.BatchNorm1d(3, track_running_stats=False, dtype=d).eval(), (4, 3)),
    (lambda d: nn.InstanceNorm1d(3, affine=True, dtype=d), (2, 3, 4)),
    (lambda d: nn.InstanceNorm1d(3, affine=True, dtype=d), (3, 4)),
    (lambda d: nn.InstanceNorm2d(2, track_running_stats=True, dtype=d).eval(), (2, 2, 2, 2)),
    (lambda d: nn.InstanceNorm3d(2, dtype=d), (2, 2, 2, 1, 2)),
    (lambda d: nn.GroupNorm(2, 4, dtype=d), (2, 4, 3)),
    (lambda d: nn.GroupNorm(1, 4, dtype=d), (2, 4)),
    (lambda d: nn.GroupNorm(3, 6, affine=False, dtype=d), (2, 6, 2)),
    (lambda d: nn.LayerNorm(4, dtype=d), (3, 4)),
    (lambda d: nn.LayerNorm((2, 3), bias=False, dtype=d), (2, 2, 3)),
    (lambda d: nn.LayerNorm(4, elementwise_affine=False, dtype=d), (4,)),
    (lambda d: nn.RMSNorm(4, dtype=d), (3, 4)),
    (lambda d: nn.RMSNorm((2, 3), eps=0.5, dtype=d), (2, 2, 3)),
    (lambda d: nn.LocalResponseNorm(1, 0.5, 0.6, 1.5), (2, 3, 2)),
    (lambda d: nn.LocalResponseNorm(2, 0.5, 0.6, 1.5), (2, 4, 2)),
    (lambda d: nn.LocalResponseNorm(3, 0.5, 2.0, 1.5), (1, 5, 2, 2)),
    (lambda d: nn.LocalResponseNorm(8, 0.5, 0.6, 1.5), (1, 5, 2)),
    (lambda d: nn.Normalize([0.1, 0.2], [0.3, 0.4]), (2, 2, 3)),
]


@pytest.mark.parametrize(("make", "shape"), LAYERS)
def test_layer(make, shape):
    layer, x = make(np.float64), drawn(*shape)
    for seed, (_, parameter) in enumerate(layer.named_parameters()):
        parameter[...] = drawn(*parameter.shape, seed=seed + 5)
    arrays = {"input": x} | dict(layer.named_parameters())

    def backward(dy: np.ndarray) -> dict[str, np.ndarray]:
        layer(x)
        return {"input": layer.backward(dy)} | layer.grads

    assert_gradients(lambda: layer(x), arrays, backward)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("weight", [True, False])
def test_weight_and_bias_are_independent(weight, bias):
    """A bias without a weight too: torch's own group norm cannot carry that back."""
    x = drawn(2, 4, 3)
    chosen = {"weight": weight, "bias": bias}
    parameters = {k: drawn(4, seed=i + 1) for i, k in enumerate(chosen) if chosen[k]}

    def backward(dy: np.ndarray) -> dict[str, np.ndarray]:
        gradients = F.group_norm_backward(dy, x, 2, **parameters)
        return {k: g for k, g in gradients._asdict().items() if g is not None}

    assert_gradients(lambda: F.group_norm(x, 2, **parameters), {"input": x} | parameters, backward)


@pytest.mark.parametrize(
    ("p", "dim"),
    list(itertools.product([0.5, 1, 1.5, 2, 3, float("inf"), float("-inf"), -1], [0, 1])),
)
def test_normalize(p, dim):
    x = drawn(3, 4)
    assert_gradients(
        lambda: F.normalize(x, p, dim),
        {"input": x},
        lambda dy: {"input": F.normalize_backward(dy, x, p, dim)},
    )


def test_normalize_below_eps_divides_by_a_constant():
    x = drawn(3, 4)
    assert_gradients(
        lambda: F.normalize(x, eps=100.0),
        {"input": x},
        lambda dy: {"input": F.normalize_backward(dy, x, eps=100.0)},
    )


@pytest.mark.parametrize("dim", [0, 1, 2, None])
def test_weight_norm(dim):
    v = drawn(3, 2, 2)
    g = np.asarray(parametrizations.norm_except_dim(v, dim) * 1.5)
    layer = parametrizations.WeightNorm(dim)

    def backward(dy: np.ndarray) -> dict[str, np.ndarray]:
        layer(g, v)
        return layer.backward(dy)._asdict()

    assert_gradients(lambda: layer(g, v), {"weight_g": g, "weight_v": v}, backward)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_spectral_norm(dim):
    weight, rng = drawn(3, 2, 2), np.random.default_rng(0)
    layer = parametrizations.SpectralNorm(weight, dim=dim, rng=rng).eval()

    def backward(dy: np.ndarray) -> dict[str, np.ndarray]:
        layer(weight)
        return {"weight": layer.backward(dy)}

    assert_gradients(lambda: layer(weight), {"weight": weight}, backward)


def test_the_merge_of_statistics():
    means, variances = drawn(3, 2), np.abs(drawn(3, 2, seed=1))
    counts = (2, 3, 7)

    def parts() -> list[sync.Statistics]:
        return [sync.Statistics(n, m, v) for n, m, v in zip(counts, means, variances, strict=True)]

    def merged() -> np.ndarray:
        statistics = sync.merge_statistics(parts())
        return np.stack([statistics.mean, statistics.var])

    def backward(dy: np.ndarray) -> dict[str, np.ndarray]:
        per_part = sync.merge_statistics_backward(sync.StatisticsGradients(*dy), parts())
        return {
            "mean": np.stack([g.mean for g in per_part]),
            "var": np.stack([g.var for g in per_part]),
        }

    assert_gradients(merged, {"mean": means, "var": variances}, backward)


def test_gradients_add_up_until_they_are_cleared():
    layer, x, dy = nn.LayerNorm(4, dtype=np.float64), drawn(3, 4), drawn(3, 4, seed=1)
    layer(x)
    layer.backward(dy)
    once = {name: gradient.copy() for name, gradient in layer.grads.items()}
    layer.backward(dy)
    for name, gradient in layer.grads.items():
        np.testing.assert_allclose(gradient, 2 * once[name])
    layer.zero_grad()
    assert layer.grads == {}


def test_backward_is_repeatable_and_leaves_its_input_alone():
    for make, shape in LAYERS:
        layer, x, dy = make(np.float64), drawn(*shape), drawn(*shape, seed=1)
        layer(x)
        x_before, dy_before = x.copy(), dy.copy()
        first = layer.backward(dy).copy()
        np.testing.assert_array_equal(layer.backward(dy), first)
        np.testing.assert_array_equal(x, x_before)
        np.testing.assert_array_equal(dy, dy_before)


def test_backward_belongs_to_the_input_of_its_forward():
    """Changing the input after the forward pass does not change the gradient."""
    for make, shape in LAYERS:
        layer, x, dy = make(np.float64), drawn(*shape), drawn(*shape, seed=1)
        layer(x)
        expected = layer.backward(dy).copy()
        x *= 3
        np.testing.assert_array_equal(layer.backward(dy), expected)


def test_backward_before_forward_says_what_to_do():
    for make, shape in LAYERS:
        with pytest.raises(RuntimeError, match=r"needs a forward pass first: y = layer\(x\)"):
            make(np.float64).backward(drawn(*shape))


def test_backward_after_a_refused_forward_says_what_to_do():
    layer = nn.LayerNorm(4, dtype=np.float64)
    with pytest.raises(RuntimeError, match="expected input with shape"):
        layer(drawn(2, 3))
    with pytest.raises(RuntimeError, match="needs a forward pass first"):
        layer.backward(drawn(2, 3))


def test_a_gradient_of_another_shape_is_refused():
    for make, shape in LAYERS[:-1]:
        layer = make(np.float64)
        layer(drawn(*shape))
        with pytest.raises(RuntimeError, match=r"Mismatch in shape: grad_output\[0\] has a shape"):
            layer.backward(drawn(*shape[:-1], 7))
