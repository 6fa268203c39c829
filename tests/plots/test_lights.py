"""Rows of images: one scale for a whole row."""

import io

import matplotlib.image
import numpy as np
import pytest

from normlab.plots import lights


def pixels(picture):
    return matplotlib.image.imread(io.BytesIO(picture.png))[..., :3]


def grey_in_the_middle_of(panel, count):
    """Return the grey at the centre of one of `count` panels side by side."""
    image = pixels(panel)
    dark = np.flatnonzero((image < 0.5).all(2).any(0))  # the frames, and nothing left of them
    left, right = dark[0], dark[-1]
    width = (right - left) / count
    row = image.shape[0] * 2 // 3
    return [float(image[row, int(left + (k + 0.5) * width), 0]) for k in range(count)]


def test_a_row_shares_one_scale():
    flat = np.stack([np.full((4, 4), value) for value in (0.0, 0.5, 1.0)])
    picture = lights({"": flat}, ["", "", ""], alt="three flat images, white, grey and black")
    white, grey, black = grey_in_the_middle_of(picture, 3)
    assert white == 1
    assert black == 0
    assert 0.3 < grey < 0.8


def test_each_row_has_its_own_scale():
    pictures = np.random.default_rng(0).random((2, 5, 5))
    one = lights({"a": pictures}, ["u", "v"], alt="two images")
    two = lights({"a": pictures, "b": 100 * pictures}, ["u", "v"], alt="the same twice")
    assert pixels(two).shape[0] > 1.5 * pixels(one).shape[0]
    assert pixels(two).shape[1] == pixels(one).shape[1]


def test_colours_are_drawn_as_they_are():
    red = np.zeros((1, 4, 4, 3))
    red[..., 0] = 1
    image = pixels(lights({"": red}, [""], alt="a red square"))
    assert (np.abs(image - [1, 0, 0]).max(-1) < 0.01).mean() > 0.3


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="Row 'a' has 2 images for 3 titles"):
        lights({"a": np.zeros((2, 4, 4))}, ["", "", ""], alt="never drawn")
