"""float32 and float16: as close to the float64 result as torch's own, or closer."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_oracle import examples, rng, tensor

from normlab import nn

LAYERS = [
    ("BatchNorm1d", (16,), (64, 16)),
    ("BatchNorm1d", (4,), (5000, 4)),
    ("BatchNorm2d", (8,), (8, 8, 14, 14)),
    ("InstanceNorm2d", (8,), (4, 8, 14, 14)),
    ("GroupNorm", (2, 8), (4, 8, 14, 14)),
    ("LayerNorm", (256,), (32, 256)),
    ("RMSNorm", (256,), (32, 256)),
    ("LocalResponseNorm", (3,), (4, 8, 30)),
]


def run(package: Any, layer: str, args: tuple, arrays: dict, dtype: str) -> dict[str, np.ndarray]:
    """Run a layer forward and backward in a dtype, with parameters from `arrays`."""
    is_torch = package is torch.nn
    options: dict[str, Any] = {}
    if layer != "LocalResponseNorm":
        options["dtype"] = getattr(torch, dtype) if is_torch else np.dtype(dtype)
    if layer.startswith("InstanceNorm"):
        options["affine"] = True
    twin = getattr(package, layer)(*args, **options)
    for key, value in twin.named_parameters():
        if is_torch:
            value.data.copy_(tensor(arrays[key]))
        else:
            value[...] = arrays[key]
    x, dy = (arrays[key].astype(dtype) for key in ("x", "dy"))
    if is_torch:
        x_torch = tensor(x, grad=True)
        y = twin(x_torch)
        y.backward(tensor(dy))
        found = {"output": y, "grad input": x_torch.grad}
        found |= {f"grad {key}": value.grad for key, value in twin.named_parameters()}
        found |= dict(twin.named_buffers())
        return {key: value.detach().numpy() for key, value in found.items()}
    found = {"output": twin(x), "grad input": twin.backward(dy)}
    found |= {f"grad {key}": twin.grads[key] for key, _ in twin.named_parameters()}
    return found | dict(twin.named_buffers())


def make_arrays(layer: str, args: tuple, shape: tuple, offset: float, dtype: str) -> dict:
    """Draw input, gradient and parameters that the dtype can hold exactly."""
    generator = rng(layer, args, shape, offset)
    arrays = {"x": generator.normal(offset, 1, shape), "dy": generator.normal(size=shape)}
    arrays |= {key: generator.uniform(0.5, 2, args[-1:]) for key in ("weight", "bias")}
    return {key: array.astype(dtype).astype(np.float64) for key, array in arrays.items()}


def compare(
    layer: str, args: tuple, shape: tuple, offset: float, dtype: str, factor: float
) -> None:
    """Allow `factor` times torch's distance to float64, and some units in the last place."""
    arrays = make_arrays(layer, args, shape, offset, dtype)
    exact = run(torch.nn, layer, args, arrays, "float64")
    theirs = run(torch.nn, layer, args, arrays, dtype)
    ours = run(nn, layer, args, arrays, dtype)
    assert list(ours) == list(theirs)
    for key, reference in exact.items():
        assert ours[key].dtype == theirs[key].dtype, key
        scale = np.abs(reference).max(initial=1.0)
        ulp = np.finfo(dtype).eps * scale
        distance = np.abs(ours[key] - reference).max(initial=0.0)
        torchs = np.abs(theirs[key] - reference).max(initial=0.0)
        assert distance <= factor * torchs + 4 * ulp, (key, distance / ulp, torchs / ulp)


@pytest.mark.parametrize("offset", [0.0, 10.0, 1e4])
@pytest.mark.parametrize(("layer", "args", "shape"), LAYERS)
def test_float32(layer, args, shape, offset):
    # The sum over a batch of 5000 rounds along the way, in NumPy three times as much as in torch.
    compare(layer, args, shape, offset, "float32", factor=4 if shape[0] == 5000 else 1)


@pytest.mark.parametrize("offset", [0.0, 10.0])
@pytest.mark.parametrize(("layer", "args", "shape"), LAYERS)
def test_float16(layer, args, shape, offset):
    compare(layer, args, shape, offset, "float16", factor=1)


@given(
    st.sampled_from([row[:2] for row in LAYERS]),
    st.integers(2, 6),
    st.lists(st.integers(2, 6), min_size=2, max_size=2).map(tuple),
    st.sampled_from([0.0, 1.0, 30.0, 1000.0]),
    st.sampled_from(["float32", "float16"]),
)
@examples(150)
def test_any_shape(layer_and_args, batch, spatial, offset, dtype):
    layer, args = layer_and_args
    shape = (batch, *args[-1:], *(spatial if layer[-2:] == "2d" else spatial[:1]))
    if layer in ("LayerNorm", "RMSNorm"):
        shape = (batch, *args)
    if layer == "LocalResponseNorm":
        shape = (batch, *spatial)
    compare(layer, args, shape, 0.0 if dtype == "float16" else offset, dtype, factor=2)


@pytest.mark.parametrize(
    ("layer", "args", "shape"), [row for row in LAYERS if row[0] not in ("RMSNorm", LAYERS[-1][0])]
)
def test_a_large_offset_costs_no_digits(layer, args, shape):
    """At an offset of 1e6 torch is off by 1e-2 or more in float32; the twins are not."""
    arrays = make_arrays(layer, args, shape, 1e6, "float32")
    exact = run(torch.nn, layer, args, arrays, "float64")
    ours = run(nn, layer, args, arrays, "float32")
    for key in ("output", "grad input"):
        scale = np.abs(exact[key]).max()
        np.testing.assert_allclose(ours[key], exact[key], rtol=0, atol=2e-5 * scale)


def test_a_constant_input_gives_exactly_the_bias():
    """Where torch's x * scale + shift leaves 2.6e-2 of an input of 1e4."""
    layer = nn.BatchNorm1d(3)
    layer.bias[:] = [1, 2, 3]
    y = layer(np.full((64, 3), 1e4, np.float32))
    np.testing.assert_array_equal(y, np.broadcast_to(layer.bias, y.shape))


@pytest.mark.parametrize("eps", [None, 1e-3])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_rms_norm_takes_eps_from_the_dtype_that_it_computes_in(dtype, eps):
    x = np.full((1, 4), 1e-3).astype(dtype)
    theirs = torch.nn.functional.rms_norm(tensor(x), (4,), eps=eps)
    ours = nn.functional.rms_norm(x, (4,), eps=eps)
    np.testing.assert_allclose(ours, theirs, rtol=2 * float(np.finfo(dtype).eps))


@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")
@pytest.mark.parametrize("weight_dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_rms_norm_allows_any_dtype_of_weight(dtype, weight_dtype):
    x, dy = rng(dtype).normal(size=(2, 3, 5)).astype(dtype)
    weight = rng(weight_dtype).uniform(0.5, 2, 5).astype(weight_dtype)
    x_torch, w_torch = tensor(x, grad=True), tensor(weight, grad=True)
    y = torch.nn.functional.rms_norm(x_torch, (5,), w_torch)
    y.backward(tensor(dy))
    gradients = nn.functional.rms_norm_backward(dy, x, (5,), weight)
    pairs = [
        (nn.functional.rms_norm(x, (5,), weight), y.detach()),
        (gradients.input, x_torch.grad),
        (gradients.weight, w_torch.grad),
    ]
    coarser = max(np.finfo(dtype).eps, np.finfo(weight_dtype).eps)
    for ours, theirs in pairs:
        assert ours.dtype == theirs.numpy().dtype
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=8 * coarser)


def test_float16_does_not_overflow_inside():
    x = np.full((2, 3, 4), 300.0, np.float16)
    x[..., 0] = 400
    for layer in (nn.BatchNorm1d(3), nn.GroupNorm(3, 3), nn.LayerNorm(4), nn.RMSNorm(4)):
        assert np.isfinite(layer(x)).all()
    assert np.isfinite(nn.functional.normalize(x)).all()


def test_normalize_rounds_the_norm_to_float16_as_torch_does():
    x = np.array([[300, 400], [3e4, 4e4], [0, 0]], np.float16)
    for p in (1, 2, 3):
        theirs = torch.nn.functional.normalize(tensor(x), p=p)
        np.testing.assert_array_equal(nn.functional.normalize(x, p=p), theirs)
