"""Lesson 1: mean and standard deviation of each channel of an image set."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs


def channel_statistics(images):
    x = images / 255  # (N, C, H, W), floats from 0 to 1
    axes = (0, 2, 3)
    mean = x.mean(axes, keepdims=True)  # (1, C, 1, 1)
    n = x.size / mean.size
    var = ((x - mean) ** 2).sum(axes) / n  # (C,)
    std = np.sqrt(var)
    return x.mean(axes), std


def cases(rng: np.random.Generator) -> Cases:
    """Draw sets of images.

    White paper shows the scale and nothing else, and so does grey paper, where the brightest pixel
    is no 255; what is expected elsewhere is on the learner's own scale.
    """
    size = tuple(int(n) for n in rng.integers(2, 9, 3))
    paper = np.full((size[0], 1, *size[1:]), 255, np.uint8)
    white = Case(f"{paper.shape}, white", ("scale",), {"images": paper})
    dark = _bytes(rng, (1, 3, 2, 4))
    dark[:, 1] = 0

    def case(name: str, aspects: tuple[str, ...], images: np.ndarray) -> Case:
        name = f"{images.shape}{name}"
        return white.then(_on_own_scale, name, *aspects, images=images)

    yield white
    grey = np.full((1, 1, 2, 2), 51, np.uint8)
    yield Case(f"{grey.shape}, all 51", ("scale",), {"images": grey})
    yield case("", ("mean", "std"), _bytes(rng, (2, 2, 1, 2)))
    yield case("", ("mean", "std"), _bytes(rng, (3, 3, 2, 3)))
    yield case(", every size different", ("mean", "std"), _bytes(rng, (5, 3, 4, 2)))
    yield case(", one image, with a black channel", ("edges",), dark)


def _bytes(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw bytes, each image and channel of another brightness."""
    level = rng.permutation(np.linspace(20, 200, shape[0] * shape[1])).reshape(shape[:2])
    noise = rng.integers(-19, 56, shape)
    images = (level[:, :, None, None] + noise).astype(np.uint8)
    images[0, 0, 0, 0] = 255
    return images


def _on_own_scale(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's answer for white, which should be 1, to that for other images."""
    white = own["mean"].item()
    if white == 0:
        return {}
    mean, std = channel_statistics(arguments["images"])
    return {"mean": white * mean, "std": white * std}
