"""Lesson 3: the forward pass of BatchNorm in evaluation mode."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import (
    NO_EPS,
    batch_values,
    faint_values,
    fresh,
    learned,
    no_eps_at_all,
    part,
    state_of,
    with_affine,
    with_eps,
)


def batch_norm_eval(x, running_mean, running_var, weight, bias, eps):
    mean, var = running_mean, running_var  # (C,), (C,)
    x_hat = (x - mean) / np.sqrt(var + eps)  # (N, C)
    return weight * x_hat + bias  # (N, C)


def cases(rng: np.random.Generator) -> Cases:
    """Draw batches with running statistics that are not theirs; at last some that are.

    One x comes without eps, with eps, with weight and bias, and one of its samples alone. Each is
    derived from the one before, so a slip costs the aspect that it belongs to.
    """
    for shape in ((3, 2), (5, 4)):
        name, channels = str(shape), shape[1]
        eps = float(rng.integers(10, 40)) / 2
        x, state = batch_values(rng, shape), state_of(rng, channels)
        plain = {"x": x, **state, **fresh(channels), "eps": NO_EPS}
        affine, row = learned(rng, channels), int(rng.integers(shape[0]))
        bare = Case(f"{name}, weight 1, bias 0", ("statistics",), plain)
        yield bare
        means = {"x": x / 100, "running_mean": state["running_mean"] / 100}
        small = {**plain, **means, "running_var": state["running_var"] / 1e4}
        yield from no_eps_at_all(bare.name, small)
        large = bare.then(with_eps, f"{name}, eps {eps:g}", "eps", eps=eps)
        whole = large.then(with_affine, f"{name}, weight and bias", "affine", **affine)
        yield from (large, whole)
        yield whole.then(part([row]), f"{name}, sample {row} alone", "alone", x=x[[row]])
    # A batch that hardly varies, and running statistics to match; one channel never varied.
    # So it does not matter here whose statistics are used, and only the eps shows.
    x, eps = faint_values(rng, (4, 3), np.s_[:, -1])
    state = {"running_mean": x.mean(0), "running_var": x.var(0)}
    arguments = {"x": x, **state, **fresh(3), "eps": eps}
    yield Case(f"(4, 3), hardly any variation, eps {eps:g}", ("eps",), arguments)
