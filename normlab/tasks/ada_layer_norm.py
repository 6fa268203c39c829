"""Lesson 15: a LayerNorm whose scale and shift are what a condition says."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import NO_EPS, distinct_values, eps_over, shifts


def ada_layer_norm(x, condition, weight, bias, eps):
    mean = x.mean(axis=-1, keepdims=True)  # (N, T, 1)
    var = x.var(axis=-1, keepdims=True)  # (N, T, 1)
    x_hat = (x - mean) / np.sqrt(var + eps)  # (N, T, D)
    told = condition @ weight.T + bias  # (N, 2D)
    told = told[:, np.newaxis]  # (N, 1, 2D)
    shift, scale = np.split(told, 2, axis=-1)  # (N, 1, D) each
    return x_hat * (1 + scale) + shift  # (N, T, D)


def cases(rng: np.random.Generator) -> Cases:
    """Draw tokens that are told nothing, then with an eps, then told something.

    As many samples as tokens and features, where no axis raises, and other sizes.
    """
    for shape, known in (((3, 3, 3), 4), ((2, 4, 5), 3)):
        samples, _, features = shape
        x = distinct_values(rng, shape) + 5
        eps = float(rng.integers(20, 90))
        something = {
            "condition": distinct_values(rng, (samples, known)) / known,
            "weight": distinct_values(rng, (2 * features, known)) / 10,
            "bias": shifts(rng, 2 * features),
        }
        nothing = {name: np.zeros_like(value) for name, value in something.items()}
        name = str(shape)
        bare = Case(f"{name}, told nothing", ("norm",), {"x": x, **nothing, "eps": NO_EPS})
        large = bare.then(eps_over(-1), f"{bare.name}, eps {eps:g}", "eps", eps=eps)
        yield from (bare, large)
        yield large.then(_told, f"{name}, eps {eps:g}, told something", "told", **something)


def _told(own: Outputs, arguments: Arguments) -> Outputs:
    """From being told nothing to being told something."""
    told = arguments["condition"] @ arguments["weight"].T + arguments["bias"]
    shift, scale = np.split(told[:, np.newaxis], 2, axis=-1)
    return {"y": own["y"] * (1 + scale) + shift}
