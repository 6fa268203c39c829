"""Lesson 1: mean and standard deviation of images of several sizes, in one padded array."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs


def statistics_of_sizes(images, heights, widths):
    x = images  # (N, C, H, W)
    rows = np.arange(x.shape[2]) < heights[:, np.newaxis]  # (N, H)
    columns = np.arange(x.shape[3]) < widths[:, np.newaxis]  # (N, W)
    real = rows[:, np.newaxis, :, np.newaxis] & columns[:, np.newaxis, np.newaxis]  # (N, 1, H, W)
    n = real.sum()
    axes = (0, 2, 3)
    mean = (x * real).sum(axis=axes, keepdims=True) / n  # (1, C, 1, 1)
    squares = (x - mean) ** 2 * real  # (N, C, H, W)
    std = np.sqrt(squares.sum(axis=axes) / n)  # (C,)
    return mean.reshape(-1), std


def of_images(images, heights, widths):
    """Take the statistics of each image, and then their means: what a mistake gives."""
    sizes = zip(images, heights, widths, strict=True)
    pixels = [image[:, :height, :width].reshape(len(image), -1) for image, height, width in sizes]
    means = np.array([each.mean(axis=1) for each in pixels])  # (N, C)
    return means.mean(axis=0), np.array([each.std(axis=1) for each in pixels]).mean(axis=0)


def cases(rng: np.random.Generator) -> Cases:
    """Draw sets of images; what lies outside an image is as bright as any pixel."""
    for shape in ((3, 2, 3, 3), (4, 3, 4, 5)):
        means = Case(str(shape), ("mean",), _sizes(rng, shape))
        yield from (means, means.then(_about_own, f"{means.name}: the std", "std"))
    yield Case("(1, 2, 3, 4), one image", ("edges",), _sizes(rng, (1, 2, 3, 4)))
    pixel = {**_sizes(rng, (2, 3, 2, 2)), "heights": np.array([1, 2]), "widths": np.array([1, 1])}
    yield Case("(2, 3, 2, 2), one of one pixel", ("edges",), pixel)


def _sizes(rng: np.random.Generator, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Draw images of different sizes, each of another brightness; none as large as the array."""
    samples, channels, height, width = shape
    level = rng.permutation(np.linspace(0.1, 0.7, samples * channels)).reshape(samples, channels)
    images = (level[:, :, None, None] + 0.3 * rng.random(shape)).round(2)
    sizes = [(h, w) for h in range(1, height) for w in range(1, width) if h != w]
    chosen = rng.permutation(np.resize(rng.permutation(sizes), (samples, 2)))
    return {"images": images, "heights": chosen[:, 0], "widths": chosen[:, 1]}


def _about_own(own: Outputs, arguments: Arguments) -> Outputs:
    """Return the root of the mean squared distance from the learner's own mean."""
    mean, std = statistics_of_sizes(**arguments)
    return {"std": np.sqrt(std**2 + (mean - own["mean"]) ** 2)}
