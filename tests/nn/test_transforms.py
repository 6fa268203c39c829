"""Normalize, beside the arithmetic and the texts of torchvision 0.29 (which is not needed here)."""

import numpy as np
import pytest
import torch

from normlab import nn

IMAGE = np.random.default_rng(0).uniform(size=(3, 4, 5)).astype(np.float32)


def test_normalize_gives_the_training_set_mean_0_and_std_1():
    images = np.random.default_rng(0).uniform(3, 9, (50, 3, 4, 5))
    mean, std = images.mean((0, 2, 3)), images.std((0, 2, 3))
    y = nn.Normalize(mean, std)(images)
    np.testing.assert_allclose(y.mean((0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(y.std((0, 2, 3)), 1, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_arithmetic_is_done_in_the_dtype_of_the_image(dtype):
    image = IMAGE.astype(dtype)
    mean, std = [0.1, 0.2, 0.3], [0.3, 0.2, 0.1]
    constants = [torch.tensor(c, dtype=getattr(torch, dtype)).view(-1, 1, 1) for c in (mean, std)]
    expected = torch.tensor(image).sub_(constants[0]).div_(constants[1])
    np.testing.assert_array_equal(nn.Normalize(mean, std)(image), expected)


def test_inplace():
    image = IMAGE.copy()
    assert nn.Normalize([0.5], [0.5])(image) is not image
    np.testing.assert_array_equal(image, IMAGE)
    assert nn.Normalize([0.5], [0.5], inplace=True)(image) is image
    np.testing.assert_allclose(image, IMAGE * 2 - 1, rtol=1e-6)


def test_repr():
    assert repr(nn.Normalize([0.5], (0.25,))) == "Normalize(mean=[0.5], std=(0.25,))"


@pytest.mark.parametrize(
    ("image", "error", "text"),
    [
        ([[[1.0]]], TypeError, "img should be Tensor Image. Got <class 'list'>"),
        (IMAGE[0, 0], TypeError, "Tensor is not a torch image."),
        (
            IMAGE.astype(np.uint8),
            TypeError,
            "Input tensor should be a float tensor. Got torch.uint8.",
        ),
        (
            IMAGE[0],
            ValueError,
            "Expected tensor to be a tensor image of size (..., C, H, W). "
            "Got tensor.size() = torch.Size([4, 5])",
        ),
    ],
)
def test_what_is_not_an_image_is_refused(image, error, text):
    with pytest.raises(error) as caught:
        nn.Normalize([0.5], [0.5])(image)
    assert str(caught.value) == text


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_std_of_zero_is_refused_in_the_dtype_of_the_image(dtype):
    with pytest.raises(ValueError, match="std evaluated to zero") as caught:
        nn.Normalize([0.5], [0.0 if dtype == "float32" else 1e-9])(IMAGE.astype(dtype))
    assert str(caught.value) == (
        f"std evaluated to zero after conversion to torch.{dtype}, leading to division by zero."
    )


@pytest.mark.parametrize(("channels", "constants"), [(3, 2), (1, 3), (3, 0), (2, 3)])
def test_another_number_of_channels_is_refused_as_torch_does(channels, constants):
    with pytest.raises(RuntimeError) as theirs:
        torch.ones(channels, 4, 5).sub_(torch.ones(constants, 1, 1))
    with pytest.raises(RuntimeError) as ours:
        nn.Normalize([0.5] * constants, [0.5] * constants)(np.ones((channels, 4, 5), np.float32))
    assert str(ours.value) == str(theirs.value)


def test_a_std_of_another_length_is_refused_before_the_image_changes():
    image = IMAGE.copy()
    with pytest.raises(RuntimeError, match=r"size of tensor a \(3\)"):
        nn.Normalize([0.5], [0.5, 0.5], inplace=True)(image)
    np.testing.assert_array_equal(image, IMAGE)
