"""Lesson 9: the merge of statistics, backwards: take one worker's part out again."""

from dataclasses import replace

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases
from normlab.tasks.drawing import only


def statistics_without(count, mean, var, part_count, part_mean, part_var):
    rest = count - part_count  # how many values are left
    rest_mean = (count * mean - part_count * part_mean) / rest  # (C,)
    inside = count * var - part_count * part_var  # (C,)
    between = part_count * rest / count * (part_mean - rest_mean) ** 2  # (C,)
    rest_var = (inside - between) / rest  # (C,)
    return rest_mean, rest_var


def cases(rng: np.random.Generator) -> Cases:
    """Draw parts whose mean is that of the whole, then others; the last are far from zero."""
    for channels in (3, 4):
        equal = _drawn(rng, channels, 0.0)
        count, part_count = equal["count"], equal["part_count"]
        name = f"{channels} channels, {part_count} of {count} values"
        bare = Case(f"{name}, equal means", ("inside",), equal)
        apart = _drawn(rng, channels, 6.0)
        mean, part_mean, rest = apart["mean"], apart["part_mean"], count - part_count
        delta = (part_mean - mean) * count / rest  # part less rest
        var = equal["var"] + part_count * rest / count**2 * delta**2
        means = {"mean": mean, "part_mean": part_mean}
        yield bare
        yield bare.then(only("rest_var"), name, "mean", "between", **means, var=var)
    near = Case("2 channels", (), _drawn(rng, 2, 5.0))
    means = {name: near.arguments[name] + 1e9 for name in ("mean", "part_mean")}
    far = near.then(only("rest_var"), "2 channels, means about 10^9", "far", **means)
    yield from (near, replace(far, tolerance=1e-5, rounding=True))


def _drawn(rng: np.random.Generator, channels: int, distance: float) -> Arguments:
    """Draw a part and a rest, and merge them."""
    part_count, rest = (int(n) for n in rng.choice(np.arange(3, 12), 2, replace=False))
    count = part_count + rest
    levels = rng.choice(np.arange(-20.0, 21), channels, replace=False)
    steps = rng.permutation(np.arange(1.0, channels + 1)) * rng.choice([-1, 1], channels)
    rest_mean, part_mean = levels, levels + distance * steps
    spreads = rng.choice(np.arange(5.0, 60), (2, channels), replace=False)
    rest_var, part_var = spreads
    shares = part_count / count, rest / count
    mean = shares[0] * part_mean + shares[1] * rest_mean
    var = shares[0] * (part_var + (part_mean - mean) ** 2)
    var = var + shares[1] * (rest_var + (rest_mean - mean) ** 2)
    part = {"part_count": part_count, "part_mean": part_mean, "part_var": part_var}
    return {"count": count, "mean": mean, "var": var, **part}
