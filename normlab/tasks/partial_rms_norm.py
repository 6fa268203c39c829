"""Lesson 9: RMSNorm whose root mean square is taken of some features (Zhang & Sennrich, 2019)."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import NO_EPS, distinct_values, eps_under_each, scales, times


def partial_rms_norm(x, part, weight, eps):
    some = x[..., :part]  # (*, part), the features that are measured
    mean_square = (some**2).sum(axis=-1, keepdims=True) / part  # (*, 1)
    rms = np.sqrt(mean_square + eps)  # (*, 1)
    return weight * x / rms  # (*, D)


def cases(rng: np.random.Generator) -> Cases:
    """Draw rows of which a part is measured: half of it, one feature, all of it; and one row.

    First as whole rows of `part` features, then with the others, with eps, with weight.
    """
    shapes = (((2, 4), 2), ((5, 5), 3), ((2, 3, 6), 1), ((3, 2, 2, 4), 4), ((5,), 2))
    for shape, part in shapes:
        x = distinct_values(rng, shape) + 0.5
        x[..., part:] *= 10
        ones, eps = np.ones(shape[-1]), float(rng.integers(5, 20)) * 10
        name = f"{shape}, part {part}"
        some = {"x": x[..., :part].copy(), "part": part, "weight": ones[:part], "eps": NO_EPS}
        alone = Case(f"{name}: the part alone", ("rms",), some)
        bare = alone.then(_all_features, f"{name}, weight 1", "part", x=x, weight=ones)
        large = bare.then(eps_under_each(y="x"), f"{name}, eps {eps:g}", "eps", eps=eps)
        weight = scales(rng, shape[-1])
        yield from (alone, bare, large)
        yield large.then(times("weight"), f"{large.name}, with weight", "weight", weight=weight)
        nothing = {**large.arguments, "x": np.where(np.arange(shape[-1]) < part, 0.0, x)}
        yield Case(f"{large.name}, the part is 0", ("eps",), nothing)


def _all_features(own: Outputs, arguments: Arguments) -> Outputs:
    """From the part alone to all features, which are divided by the same number."""
    x, y = arguments["x"], own["y"]
    part = y.shape[-1]
    largest = np.abs(x[..., :part]).argmax(-1)[..., None]
    at = (np.take_along_axis(one[..., :part], largest, -1) for one in (y, x))
    return {"y": x * np.divide(*at)}
