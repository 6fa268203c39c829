"""Lesson 7: global contrast normalization, the preprocessing of whole images."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import distinct_values, eps_over, times


def contrast_normalize(images, scale, lam, floor):
    whole = (1, 2, 3)  # everything of one image
    n = images[0].size
    mean = images.mean(axis=whole, keepdims=True)  # (N, 1, 1, 1)
    deviations = images - mean  # (N, H, W, C)
    var = (deviations**2).sum(axis=whole, keepdims=True) / n  # (N, 1, 1, 1)
    contrast = np.sqrt(lam + var)  # (N, 1, 1, 1)
    divisor = np.maximum(contrast, floor)
    return scale * deviations / divisor  # (N, H, W, C)


def cases(rng: np.random.Generator) -> Cases:
    """Draw images; then the same with a lam, with a scale, with a floor above some contrasts."""
    for shape in ((1, 1, 3, 2), (2, 3, 3, 3), (3, 2, 4, 3)):
        faint_to_strong = 2.0 ** np.arange(shape[0]).reshape(-1, 1, 1, 1)
        light = 100 * distinct_values(rng, (shape[0], 1, 1, 1))
        images = faint_to_strong * distinct_values(rng, shape) + light
        images += 20 * distinct_values(rng, (1, 1, 1, shape[3]))  # channels differ, too
        name, variances = str(shape), images.var((1, 2, 3))  # (N,)
        given = {"images": images, "scale": 1.0, "lam": 0.0, "floor": 1e-8}
        bare = Case(name, ("contrast",), given)
        lam = float(round(variances.mean() * rng.uniform(0.2, 0.6)))
        scale = float(rng.integers(3, 9))
        floor = float(round(np.sqrt(variances.min()) * rng.uniform(1.2, 1.6)))
        yield bare
        yield bare.then(eps_over(1, 2, 3, called="lam"), f"{name}, lam {lam:g}", "lam", lam=lam)
        yield bare.then(times("scale"), f"{name}, scale {scale:g}", "scale", scale=scale)
        yield bare.then(_with_floor, f"{name}, floor {floor:g}", "floor", floor=floor)
    flat = np.full((2, 2, 2, 3), 7.0)
    flat[1] += distinct_values(rng, (2, 2, 3))
    given = {"images": flat, "scale": 1.0, "lam": 0.0, "floor": 0.5}
    yield Case("(2, 2, 2, 3), one image without contrast", ("floor",), given)


def _with_floor(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's contrast to one that is at least the floor."""
    x, y, whole = arguments["images"], own["y"], (1, 2, 3)
    divisor = np.sqrt(x.var(whole, keepdims=True) / y.var(whole, keepdims=True))
    return {"y": y * divisor / np.maximum(divisor, arguments["floor"])}
