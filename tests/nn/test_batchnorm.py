"""BatchNorm beside `torch.nn.BatchNorm*`: outputs, gradients, buffers, modes and errors."""

import numpy as np
import pytest
import torch

from normlab import nn

RNG = np.random.default_rng(0)
SHAPES = [
    ("BatchNorm1d", (5, 3)),
    ("BatchNorm1d", (5, 3, 4)),
    ("BatchNorm1d", (1, 3, 4)),
    ("BatchNorm2d", (2, 3, 4, 5)),
    ("BatchNorm3d", (2, 3, 2, 3, 2)),
]


def twins(name, *args, **kwargs):
    """The torch layer and ours, both in float64, with the same random parameters."""
    theirs = getattr(torch.nn, name)(*args, **kwargs, dtype=torch.float64)
    for tensor in theirs.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape) + 0.5)
    ours = getattr(nn, name)(*args, **kwargs, dtype=np.float64)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


@pytest.mark.parametrize(("name", "shape"), SHAPES)
@pytest.mark.parametrize("momentum", [0.1, None])
def test_equals_torch_in_both_modes(name, shape, momentum):
    theirs, ours = twins(name, 3, momentum=momentum)
    for mode in (True, True, False):
        theirs.train(mode)
        ours.train(mode)
        theirs.zero_grad()
        ours.zero_grad()
        x, dy = RNG.normal(3, 2, shape), RNG.normal(size=shape)
        x_torch = torch.tensor(x, requires_grad=True)
        y_torch = theirs(x_torch)
        y_torch.backward(torch.tensor(dy))
        np.testing.assert_allclose(ours(x), y_torch.detach(), rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(ours.backward(dy), x_torch.grad, rtol=1e-12, atol=1e-13)
        for parameter, tensor in theirs.named_parameters():
            np.testing.assert_allclose(ours.grads[parameter], tensor.grad, rtol=1e-12, atol=1e-13)
        for buffer, tensor in theirs.named_buffers():
            np.testing.assert_allclose(getattr(ours, buffer), tensor, rtol=1e-12)


def test_one_value_per_channel_is_refused_when_training():
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        nn.BatchNorm1d(3)(np.ones((1, 3), np.float32))


def test_repr_and_state_dict_are_torchs():
    theirs, ours = twins("BatchNorm2d", 4, eps=1e-3, bias=False)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
