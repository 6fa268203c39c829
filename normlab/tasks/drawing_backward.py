"""What the cases of a backward pass are made of: gradients that travel on one road each.

An input moves the output by itself, through the mean and through the variance. With dx_hat the
gradient of the normalized value and m(.) the mean over the values that share a statistic::

    dx = (dx_hat - m(dx_hat) - x_hat * m(dx_hat * x_hat)) / sqrt(var + eps)

A gradient that is orthogonal to the ones and to x_hat goes straight through; a constant added to it
touches the mean's road alone, a multiple of x_hat the variance's. So a slip on one road costs the
points of that road.
"""

from typing import Any

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import (
    NO_EPS,
    along_channels,
    distinct_values,
    in_shape,
    part,
    scales,
    shifts,
    times,
)


def with_cache(
    dy: np.ndarray, x: np.ndarray, weight: np.ndarray, eps: float, axes: int | tuple[int, ...]
) -> dict[str, Any]:
    """Put dy beside a correct cache; mean and var have size 1 along the averaged axes."""
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    x_hat = (x - mean) / np.sqrt(var + eps)
    statistics = {"mean": mean, "var": var, "x_hat": x_hat}
    return {"dy": dy, "x": x, **statistics, "weight": weight, "eps": eps}


#: Expect the learner's own dx once more, in the shape of the new dy.
same_dx = in_shape(dx="dy")


# ---- one road at a time


def on_each_road(
    rng: np.random.Generator, n: int, units: int, axis: int = 0
) -> tuple[np.ndarray, list[Case]]:
    """Draw an x, and the cases "straight", "mean", "variance" and "eps", all of them with weight 1.

    Along the axis, 0 in BatchNorm and 1 in LayerNorm, `n` values share one of `units` means: x is
    (n, units), or (units, n) for axis 1.
    """
    x, straight = _x_and_what_goes_straight(rng, n, units)
    # Large enough to be seen, and smaller than every variance.
    eps = max(0.1, round(float(rng.uniform(0.4, 0.7)) * float(x.var(0).min()), 1))
    constant, multiple = shifts(rng, units)[None], 3 * scales(rng, units)[None]
    if axis == 1:
        x, straight, constant, multiple = (each.T for each in (x, straight, constant, multiple))
    mean, var, ones = x.mean(axis, keepdims=True), x.var(axis, keepdims=True), np.ones(x.shape[1])

    def bent(eps: float) -> np.ndarray:
        return straight + multiple * ((x - mean) / np.sqrt(var + eps))

    def bent_with_eps(own: Outputs, arguments: Arguments) -> Outputs:
        return {"dx": _variance_road_with_eps(own["dx"], straight, multiple, arguments, axis)}

    name, little = f"{x.shape}, dy with mean 0 and nothing along x_hat", f"eps {eps:g}"
    alone = Case(name, ("straight",), with_cache(straight, x, ones, NO_EPS, axis))
    name = f"{x.shape}, the same dy and a constant"
    shifted = alone.then(same_dx, name, "mean", dy=straight + constant)
    name = f"{x.shape}, the same dy and a multiple of x_hat"
    along = alone.then(same_dx, name, "variance", dy=bent(NO_EPS))
    cache = with_cache(straight, x, ones, eps, axis)
    alone_eps = alone.then(_straight_road_with_eps, f"{alone.name}, {little}", "eps", **cache)
    cache["dy"] = bent(eps)
    along_eps = along.then(bent_with_eps, f"{along.name}, {little}", "eps", **cache)
    return x, [alone, shifted, along, alone_eps, along_eps]


def _x_and_what_goes_straight(
    rng: np.random.Generator, n: int, units: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw x, and a gradient orthogonal in each column to the ones and to x_hat."""
    # Five times whole numbers: no variance is so small that an eps of 1e-5 could be seen in it.
    x = 5 * distinct_values(rng, (n, units))
    if n == 3:  # the one direction that is left: the cross product of the ones and x
        return x, np.stack([x[2] - x[1], x[0] - x[2], x[1] - x[0]])
    straight = distinct_values(rng, (n, units))
    straight = straight - straight.mean(0)
    deviations = x - x.mean(0)
    return x, straight - (straight * deviations).sum(0) / (deviations**2).sum(0) * deviations


def _straight_road_with_eps(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's dx without eps to that with it, for a gradient that goes straight."""
    var, eps = arguments["var"], arguments["eps"]
    return {"dx": own["dx"] * np.sqrt((var + NO_EPS) / (var + eps))}


def _variance_road_with_eps(
    own: np.ndarray, straight: np.ndarray, multiple: np.ndarray, arguments: Arguments, axis: int
) -> np.ndarray:
    """From the learner's dx without eps, on the variance's road, to that with it.

    The learner's answer without eps is `through` times the straight part and some multiple of
    x_hat. The two numbers say what the learner divides by, and how much of the variance's road
    there is: 1 where it is right, 0 where it is left out.
    """
    var, x_hat, eps = arguments["var"], arguments["x_hat"], arguments["eps"]

    def along(direction: np.ndarray) -> np.ndarray:
        dots = (own * direction).sum(axis, keepdims=True)
        return dots / (direction**2).sum(axis, keepdims=True)

    through = along(straight)
    unit = x_hat * np.sqrt((var + eps) / (var + NO_EPS))  # x_hat, as it is without eps
    share = 1 - along(unit) / (through * multiple)
    left = multiple * (1 - share * var / (var + eps))
    return through * np.sqrt((var + NO_EPS) / (var + eps)) * (straight + left * x_hat)


# ---- BatchNorm's


def on_all_roads(rng: np.random.Generator, n: int, channels: int) -> Cases:
    """Draw (N, C) on one road at a time, then on all, then with a weight: dx is in proportion."""
    x, cases = on_each_road(rng, n, channels)
    yield from cases
    weight, dy = scales(rng, channels), distinct_values(rng, (n, channels))
    name = f"{x.shape}, dy any numbers"
    bare = Case(name, (), with_cache(dy, x, np.ones(channels), NO_EPS, 0))
    yield bare
    yield bare.then(times("weight", "dx"), f"{name}, weight not 1", "weight", weight=weight)


def any_numbers(rng: np.random.Generator, shape: tuple[int, ...]) -> Arguments:
    """Draw BatchNorm's dy, and x with each channel about a mean of its own."""
    x, dy = distinct_values(rng, shape), distinct_values(rng, shape)
    x = x + along_channels(shifts(rng, shape[1]), len(shape))
    eps = float(rng.integers(5, 20)) / 10
    return with_cache(dy, x, scales(rng, shape[1]), eps, (0, *range(2, len(shape))))


def first_channel_alone(rng: np.random.Generator, aspects: tuple[str, ...]) -> Cases:
    """Draw two channels, and the first of them alone: what comes of it is the same."""
    drawn = any_numbers(rng, (3, 2))
    x = 5 * drawn["x"]  # every variance is larger than eps
    cache = with_cache(drawn["dy"], x, drawn["weight"], drawn["eps"], 0)
    one = {name: value[..., :1] if np.ndim(value) else value for name, value in cache.items()}
    both, name = Case("(3, 2), once more", (), cache), "(3, 1), the first of these channels"
    yield from (both, both.then(part(np.s_[..., :1]), name, *aspects, **one))


def pixels_as_rows(cache: Arguments) -> Arguments:
    """Lay every (N, C, H, W) out as (N·H·W, C)."""
    return {name: _rows(value) if np.ndim(value) == 4 else value for name, value in cache.items()}


def _rows(image: np.ndarray) -> np.ndarray:
    return np.moveaxis(image, 1, -1).reshape(-1, image.shape[1])
