"""Where the twins knowingly differ from torch: each with torch's side, should it change.

Everything else is equal: see `test_against_torch.py` and `test_properties.py`.
"""

import numpy as np
import pytest
import torch
from releases import GROUP_NORM_IS_MENDED

from normlab import nn
from normlab.nn import functional as F  # noqa: N812


def test_group_norm_weight_of_an_empty_image():
    """The gradient is a sum of nothing: 0 here, and NaN in torch, as the mean of nothing.

    From 2.14 on torch refuses such an input.
    """
    theirs = torch.nn.GroupNorm(2, 6)
    if GROUP_NORM_IS_MENDED:
        with pytest.raises(RuntimeError, match="Expected HxW to be greater than 0, got 0"):
            theirs(torch.zeros(2, 6, 0))
    else:
        theirs(torch.zeros(2, 6, 0, requires_grad=True)).sum().backward()
        assert theirs.weight.grad.isnan().all()
    ours = nn.GroupNorm(2, 6)
    ours(np.zeros((2, 6, 0), np.float32))
    ours.backward(np.zeros((2, 6, 0), np.float32))
    np.testing.assert_array_equal(ours.grads["weight"], np.zeros(6))


def test_group_norm_with_a_bias_alone():
    """Going back, torch fails over the weight that is not there; from 2.14 on it does not."""
    x, bias = torch.ones(2, 4, 3, requires_grad=True), torch.ones(4, requires_grad=True)
    y = torch.nn.functional.group_norm(x, 2, None, bias)
    if GROUP_NORM_IS_MENDED:
        y.sum().backward()
        assert bias.grad.tolist() == [6.0] * 4
    else:
        with pytest.raises(RuntimeError, match="does not have a device"):
            y.sum().backward()
    ones = np.ones((2, 4, 3))
    gradients = F.group_norm_backward(ones, ones, 2, None, np.ones(4))
    np.testing.assert_array_equal(gradients.bias, np.full(4, 6.0))


def test_local_response_norm_of_integers():
    """Integers are taken by torch, which rounds the mean of their squares down to an integer."""
    assert torch.nn.functional.local_response_norm(
        torch.ones(1, 3, 2).long(), 2
    ).is_floating_point()
    with pytest.raises(NotImplementedError, match="\"avg_pool2d\" not implemented for 'Long'"):
        F.local_response_norm(np.ones((1, 3, 2), np.int64), 2)


def test_local_response_norm_of_a_transposed_volume():
    """A view that torch cannot make is no reason to refuse the volume."""
    x = np.random.default_rng(0).normal(size=(2, 5, 4, 3, 2)).transpose(0, 3, 2, 1, 4)
    with pytest.raises(RuntimeError, match="view size is not compatible"):
        torch.nn.functional.local_response_norm(torch.as_tensor(x), 2)
    expected = torch.nn.functional.local_response_norm(torch.as_tensor(x).contiguous(), 2)
    np.testing.assert_allclose(F.local_response_norm(x, 2), expected, rtol=1e-12)


@pytest.mark.parametrize("call", [lambda f, x: f.rms_norm(x, (3,)), lambda f, x: f.normalize(x)])
def test_complex_input(call):
    """Complex numbers are taken by torch in RMS norm and normalize, and by no other norm."""
    assert call(torch.nn.functional, torch.ones(2, 3) + 1j).is_complex()
    with pytest.raises((NotImplementedError, RuntimeError), match="ComplexDouble"):
        call(F, np.ones((2, 3)) + 1j)


def test_a_scalar_beside_running_statistics_of_no_channels():
    """Asked for channels that there cannot be, torch counts them as -1, and asks for memory."""
    nothing = torch.ones(0)
    with pytest.raises(RuntimeError, match="SmallVector unable to grow"):
        torch.nn.functional.batch_norm(torch.ones(()), nothing, nothing)
    with pytest.raises(IndexError, match="Dimension out of range"):
        F.batch_norm(np.ones((), np.float32), nothing.numpy(), nothing.numpy())


def test_constant_input_in_float32():
    """In torch x * scale + shift leaves a rounding error, divided by the square root of eps."""
    x = np.full((64, 3), 1e4, np.float32)
    theirs = torch.nn.BatchNorm1d(3)(torch.as_tensor(x))
    assert theirs.abs().max() > 1e-3
    np.testing.assert_array_equal(nn.BatchNorm1d(3)(x), np.zeros_like(x))
