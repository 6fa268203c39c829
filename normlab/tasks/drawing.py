"""What the cases of a task are made of: numbers that a person can read, and no two alike."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Derive, Outputs

#: So small that eps cannot be seen, wherever it is added.
NO_EPS = 1e-12


def distinct_values(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw whole numbers as floats, no two of them equal.

    Equal numbers could make a variance 0, or two different axes look alike.
    """
    size = math.prod(shape)
    return rng.permutation(np.arange(-2.0 * size, 2 * size + 1))[:size].reshape(shape)


def scales(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw different numbers between 1.5 and 4, some negative: weights that cannot hide."""
    tenths = rng.choice(np.arange(15, 41), size, replace=False)
    signs = rng.permutation(np.resize([1, -1], size))
    return signs * tenths / 10


def shifts(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw different numbers between 0.5 and 9, some negative: biases that cannot hide."""
    tenths = rng.choice(np.arange(5, 91), size, replace=False)
    signs = rng.permutation(np.resize([-1, 1], size))
    return signs * tenths / 10


def fresh(size: int | tuple[int, ...]) -> Outputs:
    """Return weight 1 and bias 0: what is normalized shows as it is."""
    return {"weight": np.ones(size), "bias": np.zeros(size)}


def learned(rng: np.random.Generator, size: int) -> Outputs:
    """Draw a weight and a bias that cannot hide."""
    return {"weight": scales(rng, size), "bias": shifts(rng, size)}


def along_channels(parameter: np.ndarray, ndim: int) -> np.ndarray:
    """Shape a parameter (C,) so that it lies along axis 1."""
    return parameter.reshape((1, -1) + (1,) * (ndim - 2))


# ---- from the learner's own answer in one case to what is expected in another


def same(own: Outputs, _arguments: Arguments) -> Outputs:
    """Expect the learner's own answer again."""
    return dict(own)


def only(name: str) -> Derive:
    """Expect one of the learner's own outputs again; of the others what is right."""
    return lambda own, _: {name: own[name]}


def times(weight: str, name: str = "y", axis: int = -1) -> Derive:
    """From a weight of 1, along an axis, to another: an output in proportion to it."""

    def derive(own: Outputs, arguments: Arguments) -> Outputs:
        product = np.moveaxis(own[name], axis, -1) * arguments[weight]
        return {name: np.moveaxis(product, -1, axis)}

    return derive


def in_shape(**like: str) -> Derive:
    """Expect the same numbers, each output in the shape of an argument."""

    def derive(own: Outputs, arguments: Arguments) -> Outputs:
        return {name: own[name].reshape(arguments[other].shape) for name, other in like.items()}

    return derive


def part(index: Any) -> Derive:
    """Expect a part of each of the learner's own outputs."""
    return lambda own, _: {name: value[index] for name, value in own.items()}


def last_is_0(own: Outputs, _arguments: Arguments) -> Outputs:
    """From anything to nothing but zeros in the last place of the first axis."""
    ((name, y),) = own.items()
    return {name: np.concatenate([y[:-1], np.zeros_like(y[-1:])])}


def multiplied_and_shifted(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read off what each channel of x was multiplied and shifted by to become y: (C,) and (C,)."""
    x, y = (np.moveaxis(each, 1, -1).reshape(-1, each.shape[1]) for each in (x, y))  # (N, C)
    columns, least, most = np.arange(x.shape[1]), x.argmin(0), x.argmax(0)
    factor = (y[most, columns] - y[least, columns]) / np.ptp(x, axis=0)
    return factor, y[least, columns] - factor * x.min(0)


# ---- the look of one image in that of another, (C, H, W)


def one_look_at_a_time(
    bare: Case, name: str, wide: np.ndarray, eps: float, style: np.ndarray
) -> Cases:
    """Draw a style of mean 0 and standard deviation 1, one with a spread, an eps, and a mean."""
    spread = bare.then(_times_style_std, f"{name}: mean 0", "spread", style=wide)
    large = spread.then(_with_style_eps, f"{spread.name}, eps {eps:g}", "eps", eps=eps)
    mean = large.then(_plus_style_mean, f"{name}, eps {eps:g}", "mean", style=style)
    yield from (bare, spread, large, mean)


def _times_style_std(own: Outputs, arguments: Arguments) -> Outputs:
    """From a style of standard deviation 1 to one with another."""
    return {"y": own["y"] * arguments["style"].std((1, 2), keepdims=True)}


def _with_style_eps(own: Outputs, arguments: Arguments) -> Outputs:
    """From no eps to some, for a style of mean 0."""
    content, style = (arguments[name].var((1, 2), keepdims=True) for name in ("content", "style"))
    eps = arguments["eps"]
    return {"y": own["y"] * np.sqrt((style + eps) / style * content / (content + eps))}


def _plus_style_mean(own: Outputs, arguments: Arguments) -> Outputs:
    """From a style of mean 0 to one with a mean."""
    return {"y": own["y"] + arguments["style"].mean((1, 2), keepdims=True)}


# ---- a forward pass, one step at a time


def offset_values(rng: np.random.Generator, shape: tuple[int, ...], apart: int = 1) -> np.ndarray:
    """Draw readable numbers, each channel about a mean of its own, so far from the others'."""
    means = apart * rng.choice(np.arange(-9, 10), shape[1], replace=False)
    return distinct_values(rng, shape) + along_channels(means, len(shape))


def plain(x: np.ndarray, eps: float, **others: int) -> dict[str, np.ndarray | float]:
    """Return arguments with weight 1 and bias 0."""
    return {"x": x, **others, **fresh(x.shape[1]), "eps": eps}


def with_eps(
    own: Outputs, arguments: Arguments, axes: tuple[int, ...] | None = None, called: str = "eps"
) -> Outputs:
    """From the learner's answer without eps to that with it.

    The answer without eps is x (the first argument), less something, over a divisor; that divisor
    can be read off the answer by comparing its spread with that of x, over the axes that share one:
    if not said, all but the channels'.
    """
    x, eps = next(iter(arguments.values())), arguments[called]
    ((name, y),) = own.items()
    axes = axes or tuple(axis for axis in range(x.ndim) if axis != 1)
    squared = x.var(axes, keepdims=True) / y.var(axes, keepdims=True)
    return {name: y * np.sqrt(squared / (squared + eps))}


def eps_over(*axes: int, called: str = "eps") -> Derive:
    """From no eps to some, where these axes share a divisor."""
    return partial(with_eps, axes=axes, called=called)


def eps_under_each(**of: str) -> Derive:
    """From no eps to some, where each number of an argument shows by what it was divided."""

    def with_it(y: np.ndarray, x: np.ndarray, eps: float) -> np.ndarray:
        return y / np.sqrt(1 + eps * (y / x) ** 2)

    return lambda own, given: {y: with_it(own[y], given[x], given["eps"]) for y, x in of.items()}


def no_eps_at_all(name: str, arguments: Arguments) -> Cases:
    """Ask for eps 0, and for one too small to be seen: with values that hardly vary."""
    tiny = Case(f"{name}, all values divided by 100", (), {**arguments, "eps": 1e-16})
    yield from (tiny, tiny.then(same, f"{tiny.name}, eps exactly 0", "eps", eps=0.0))


def with_affine(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's answer with weight 1 and bias 0 to that with others."""
    y = own["y"]
    weight, bias = (along_channels(arguments[name], y.ndim) for name in ("weight", "bias"))
    return {"y": y * weight + bias}


def affine_last(own: Outputs, arguments: Arguments) -> Outputs:
    """From weight 1 and bias 0, along the last axes, to others."""
    return {"y": own["y"] * arguments["weight"] + arguments["bias"]}


def one_step_at_a_time(
    rng: np.random.Generator, shape: tuple[int, ...], values: str = "statistics"
) -> Cases:
    """Draw one x, three times: without eps, with eps, and with weight and bias.

    Each is derived from the one before, so a slip costs the aspect that it belongs to.
    """
    x, name = offset_values(rng, shape), str(shape)
    eps = float(rng.integers(5, 20)) * round(float(x.var()), 1) / 10
    eps = round(eps, 2)
    bare = Case(f"{name}, weight 1, bias 0", (values,), plain(x, NO_EPS))
    large = bare.then(with_eps, f"{name}, eps {eps:g}", "eps", eps=eps)
    yield from (bare, large)
    yield large.then(with_affine, f"{name}, weight and bias", "affine", **learned(rng, shape[1]))


def faint_values(
    rng: np.random.Generator, shape: tuple[int, ...], still: Any
) -> tuple[np.ndarray, float]:
    """Draw numbers that hardly vary, in one part not at all, and an eps.

    The variance is so much smaller than eps that it does not matter how it is computed.
    """
    x = distinct_values(rng, shape) * 1e-10
    x[still] = 0.0
    return x, float(rng.choice([0.01, 0.02, 0.05]))


def faint(
    rng: np.random.Generator, shape: tuple[int, ...], still: Any = np.s_[:, -1], **others: int
) -> Case:
    """Draw a batch that hardly varies; its last channel, or another part, not at all."""
    x, eps = faint_values(rng, shape, still)
    name = f"{shape}, hardly any variation, eps {eps:g}"
    return Case(name, ("eps",), plain(x, eps, **others))


def far_from_zero(rng: np.random.Generator, size: int) -> Cases:
    """Draw float32 numbers about 40,000 with a spread of about 3, as many samples as channels.

    float32 has 7 digits: 40,000 is exact to 0.004, and its square only to 128. The tolerance is
    what the rounding of a mean of so many float32 numbers may cost. No aspect asks for the case
    with weight and bias; it tells a slip there from a slip in the variance.
    """
    x = (40_000 + 3 * rng.normal(size=(size, size))).astype(np.float32)
    weight, bias = (np.resize(draw(rng, 20), size) for draw in (scales, shifts))
    name = f"{x.shape} in float32, far from zero"
    for case, aspects, w, b in (
        (name, ("far",), np.ones(size), np.zeros(size)),
        (f"{name}, weight and bias", (), weight, bias),
    ):
        arguments = {
            "x": x,
            "weight": w.astype(np.float32),
            "bias": b.astype(np.float32),
            "eps": 1e-5,
        }
        yield Case(case, aspects, arguments, tolerance=2e-2, rounding=True)


# ---- running statistics


def batch_values(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Draw whole numbers, each channel about a mean of its own, which no shift is equal to."""
    means = rng.choice(np.arange(11, 30), shape[1], replace=False)
    return distinct_values(rng, shape) + np.sign(rng.normal(size=shape[1])) * 10 * means


def variances(rng: np.random.Generator, channels: int) -> np.ndarray:
    """Draw different positive numbers, none of them near 1."""
    return rng.choice(np.arange(3.0, 30), channels, replace=False)


def state_of(rng: np.random.Generator, channels: int) -> Outputs:
    """Draw running statistics."""
    return {"running_mean": shifts(rng, channels), "running_var": variances(rng, channels)}


def mean_then_variance(model: Callable, name: str, arguments: Arguments) -> Cases:
    """Ask for the running mean, and for the variance with the learner's own share of the batch."""

    def same_share(own: Outputs, arguments: Arguments) -> Outputs:
        mean, var = model(**{**arguments, "momentum": 1.0})  # the batch's
        old_mean, old_var = arguments["running_mean"], arguments["running_var"]
        shares = (own["running_mean"] - old_mean) / (mean - old_mean)
        if np.ptp(shares) > 1e-6:
            return {}
        return {"running_var": old_var + shares.mean() * (var - old_var)}

    means = Case(f"{name}, momentum {arguments['momentum']:g}", ("momentum",), arguments)
    yield from (means, means.then(same_share, f"{means.name}: running_var", "variance"))


# ---- BatchNorm folded into a layer


def one_fold_at_a_time(
    rng: np.random.Generator, layer: Outputs, axis: int, same_scale: Derive
) -> Cases:
    """Draw a norm without eps, with eps, with weight, and ask then for the layer's bias.

    Its channels are the layer's along that axis. Each case is derived from the one before, so a
    slip costs the aspect that it belongs to.
    """
    kernel, values = next(iter(layer.items()))
    channels = values.shape[axis]
    norm = {
        "running_mean": rng.choice([-1, 1], channels) * rng.choice(np.arange(11.0, 30), channels),
        "running_var": variances(rng, channels),
        "weight": np.ones(channels),
        "bias": shifts(rng, channels),
        "eps": NO_EPS,
    }
    eps, weight = float(rng.integers(10, 40)) / 2, scales(rng, channels)
    name = f"{kernel} {values.shape}"
    bare = Case(f"{name}, weight 1", ("variance",), {**layer, **norm})
    own_eps = eps_under_each(folded_weight=kernel)
    own_gain = times("weight", "folded_weight", axis)
    large = bare.then(own_eps, f"{bare.name}, eps {eps:g}", "eps", eps=eps)
    gain = large.then(own_gain, f"{name}, with weight", "gain", weight=weight)
    yield from (bare, large, gain, gain.then(same_scale, f"{gain.name}: the bias", "bias"))


# ---- for torch programs


def rows_below_one(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Draw different numbers of a size that a network is at ease with."""
    return distinct_values(rng, shape) / np.prod(shape)


def seed_of_numbers(rng: np.random.Generator) -> int:
    """Draw the seed of a network's numbers."""
    return int(rng.integers(1, 10_000))


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two answers of a network, of one shape, agree to a hundredth of their size."""
    return one.shape == other.shape and bool(np.abs(one - other).max() < 1e-2 * np.abs(one).max())
