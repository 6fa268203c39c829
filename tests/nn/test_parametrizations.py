"""Weight and spectral norm beside torch's parametrizations of a real layer, step by step."""

import numpy as np
import pytest
import torch
from torch.nn.utils import parametrizations as torch_parametrizations

from normlab.nn import parametrizations


def as_array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().numpy().copy()


def assert_close(ours: np.ndarray, theirs: torch.Tensor) -> None:
    assert ours.shape == tuple(theirs.shape)
    np.testing.assert_allclose(ours, theirs.detach(), rtol=1e-12, atol=1e-14)


MODULES = [
    (lambda: torch.nn.Linear(5, 4, dtype=torch.float64), 0),
    (lambda: torch.nn.Conv2d(3, 4, (2, 3), dtype=torch.float64), 0),
    (lambda: torch.nn.ConvTranspose1d(3, 4, 2, dtype=torch.float64), 1),
]


@pytest.mark.parametrize("dim", [0, 1, None])
@pytest.mark.parametrize(("make", "_dim"), MODULES)
def test_weight_norm_of_a_layer(make, _dim, dim):
    torch.manual_seed(0)
    module = make()
    weight = as_array(module.weight)
    torch_parametrizations.weight_norm(module, dim=dim)
    originals = module.parametrizations.weight
    ours = parametrizations.WeightNorm(dim)
    g, v = ours.right_inverse(weight)
    assert_close(g, originals.original0)
    assert_close(v, originals.original1)
    assert_close(ours(g, v), torch.as_tensor(weight))  # the weight is unchanged at first

    for step in range(3):
        dy = torch.randn(weight.shape, dtype=torch.float64)
        module.zero_grad()
        module.weight.backward(dy)
        gradients = (ours(g, v), ours.backward(dy.numpy()))[1]
        assert_close(gradients.weight_g, originals.original0.grad)
        assert_close(gradients.weight_v, originals.original1.grad)
        with torch.no_grad():
            for original in (originals.original0, originals.original1):
                original -= 0.1 * (step + 1) * original.grad
        g = g - 0.1 * (step + 1) * gradients.weight_g
        v = v - 0.1 * (step + 1) * gradients.weight_v
        assert_close(ours(g, v), module.weight)


def test_weight_norm_of_a_row_of_zeros_is_nan():
    v = np.array([[0.0, 0.0], [3.0, 4.0]])
    result = parametrizations.weight_norm(np.ones((2, 1)), v)
    np.testing.assert_allclose(result, [[np.nan, np.nan], [0.6, 0.8]])


@pytest.mark.parametrize(("make", "dim"), MODULES)
def test_spectral_norm_of_a_layer(make, dim):
    """Train both for some steps, evaluate, train on: the same u and v all along."""
    torch.manual_seed(0)
    module = make()
    weight = as_array(module.weight)
    torch_parametrizations.spectral_norm(module, n_power_iterations=2)
    theirs = module.parametrizations.weight
    ours = parametrizations.SpectralNorm(weight, 2, dim)
    ours.load_state_dict(theirs[0].state_dict())
    for training in (True, True, False, True, False, False):
        module.train(training)
        module.zero_grad()
        dy = torch.randn(weight.shape, dtype=torch.float64)
        result = module.weight
        result.backward(dy)
        assert_close(ours.train(training)(weight), result)
        assert_close(ours.backward(dy.numpy()), theirs.original.grad)
        for name, buffer in theirs[0].named_buffers():
            assert_close(getattr(ours, name), buffer)
        with torch.no_grad():
            theirs.original -= 0.1 * theirs.original.grad
        weight = as_array(theirs.original)


def test_spectral_norm_starts_near_the_largest_singular_value():
    weight = np.random.default_rng(0).normal(size=(64, 64))
    layer = parametrizations.SpectralNorm(weight, rng=np.random.default_rng(1)).eval()
    largest = np.linalg.svd(layer(weight), compute_uv=False)[0]
    assert 1 <= largest < 1.1  # after 15 iterations an estimate, and from below
    assert largest != 1
    for _ in range(500):
        layer.train()(weight)
    np.testing.assert_allclose(np.linalg.svd(layer(weight), compute_uv=False)[0], 1, rtol=1e-6)


def test_spectral_norm_is_the_same_for_the_same_generator():
    weight = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    first, second = (
        parametrizations.SpectralNorm(weight, rng=np.random.default_rng(7)) for _ in range(2)
    )
    np.testing.assert_array_equal(first._u, second._u)
    assert first._u.dtype == first(weight).dtype == np.float32


@pytest.mark.parametrize(
    "arguments", [((3, 4), 1, 2), ((3, 4), 1, -3), ((3, 4), 0, 0), ((), 1, 0), ((3, 4), -1, 0)]
)
def test_spectral_norm_errors(arguments):
    shape, n_power_iterations, dim = arguments
    with pytest.raises((IndexError, ValueError)) as theirs:
        torch_parametrizations._SpectralNorm(torch.ones(shape), n_power_iterations, dim)
    with pytest.raises(theirs.type) as ours:
        parametrizations.SpectralNorm(np.ones(shape), n_power_iterations, dim)
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("dim", [3, -4])
def test_weight_norm_errors(dim):
    with pytest.raises(IndexError) as theirs:
        torch.norm_except_dim(torch.ones(2, 3, 4), 2, dim)
    with pytest.raises(IndexError) as ours:
        parametrizations.norm_except_dim(np.ones((2, 3, 4)), dim)
    assert str(ours.value) == str(theirs.value)


def test_power_iteration_has_to_iterate():
    with pytest.raises(ValueError, match="Expected n_power_iterations to be positive"):
        parametrizations.power_iteration(np.ones((2, 2)), np.ones(2), 0)


def test_state_dict_has_torchs_names():
    theirs = torch_parametrizations._SpectralNorm(torch.ones(3, 4))
    ours = parametrizations.SpectralNorm(np.ones((3, 4)))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert list(parametrizations.SpectralNorm(np.ones(3)).state_dict()) == []
