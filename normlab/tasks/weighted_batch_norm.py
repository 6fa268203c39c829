"""Lesson 2: BatchNorm of a batch in which samples count for more, for less, or not at all."""

from functools import partial

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Derive, Outputs
from normlab.tasks.drawing import (
    NO_EPS,
    fresh,
    learned,
    multiplied_and_shifted,
    offset_values,
    with_affine,
    with_eps,
)


def weighted_batch_norm(x, sample_weight, weight, bias, eps):
    w = sample_weight[:, np.newaxis]  # (N, 1)
    n = w.sum()
    mean = (w * x).sum(axis=0) / w.sum()  # (C,)
    var = (w * (x - mean) ** 2).sum(axis=0) / n  # (C,)
    x_hat = (x - mean) / np.sqrt(var + eps)  # (N, C)
    y = weight * x_hat + bias  # (N, C)
    return y


def cases(rng: np.random.Generator) -> Cases:
    """Draw one x without eps, with a sample that does not count, with eps, and with all.

    One batch is square: there weights along the wrong axis raise no error. Each case is derived
    from one before, so a slip costs the aspect that it belongs to.
    """
    for shape in ((4, 2), (4, 4), (6, 3)):
        samples, channels = shape
        x = offset_values(rng, shape, apart=10)
        sample_weight = rng.choice(np.arange(1, 10), samples, replace=False) / 2
        eps = float(rng.integers(5, 20)) * round(float(x.var()), 1) / 10
        affine, place = learned(rng, channels), int(rng.integers(samples))
        stranger = offset_values(rng, (1, channels), apart=20)[0] + 0.5
        beside = {
            "x": np.insert(x, place, stranger, axis=0),
            "sample_weight": np.insert(sample_weight, place, 0.0),
        }
        name, nobody = str(shape), f"and sample {place} of weight 0"
        given = {"x": x, "sample_weight": sample_weight, **fresh(channels), "eps": NO_EPS}
        bare = Case(f"{name}, weight 1, bias 0", ("statistics",), given)
        large = bare.then(_if_weighted(with_eps), f"{name}, eps {eps:g}", "eps", eps=eps)
        both = f"{name}, weight and bias"
        whole = large.then(_if_weighted(with_affine), both, "affine", **affine)
        as_others = partial(_as_for_the_others, others=x)
        yield from (bare, bare.then(as_others, f"{bare.name}, {nobody}", "absent", **beside))
        yield from (large, whole)
        # No aspect asks for it: it tells weights that are ignored from weights counted as 1.
        yield Case(f"{both}, {nobody}", (), {**whole.arguments, **beside})


def _as_for_the_others(own: Outputs, arguments: Arguments, others: np.ndarray) -> Outputs:
    """Do to all samples what the learner did to those that count: multiply and shift.

    Not where all channels were multiplied alike: nothing was measured then.
    """
    factor, shift = multiplied_and_shifted(others, own["y"])
    if np.allclose(factor, factor[0]):
        return {}
    return {"y": factor * arguments["x"] + shift}


def _if_weighted(derive: Derive) -> Derive:
    """Follow the learner where each channel was shifted, and not as if no sample had a weight.

    Without the weights every mean would be 0.
    """

    def step(own: Outputs, arguments: Arguments) -> Outputs:
        y, x = own["y"], arguments["x"]
        factor, shift = multiplied_and_shifted(x, y)
        followed = np.allclose(factor * x + shift, y) and not np.allclose(y.mean(0), 0)
        return derive(own, arguments) if followed else {}

    return step
