"""Lesson 15: a branch with a norm and a gate that are told what to do."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import distinct_values, scales, shifts


def adaln_zero(x, shift, scale, gate, into, out, eps):
    mean, var = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)  # (N, T, 1)
    x_hat = (x - mean) / np.sqrt(var + eps)  # (N, T, D)
    shift, scale, gate = (told[:, np.newaxis] for told in (shift, scale, gate))  # (N, 1, D)
    told = x_hat * (1 + scale) + shift  # (N, T, D)
    branch = np.maximum(told @ into.T, 0) @ out.T  # (N, T, D)
    return x + gate * branch  # (N, T, D)


def cases(rng: np.random.Generator) -> Cases:
    """Draw a block with its gate shut, told nothing with its gate at 1, and told everything.

    And one whose gate is shut for one sample alone: x handed back is the identity as well.
    """
    for shape, hidden in (((3, 3, 4), 6), ((2, 4, 3), 5)):
        samples, _, features = shape
        size = (samples, features)
        none, ones = np.zeros(size), np.ones(size)
        block = {
            "into": scales(rng, hidden * features).reshape(hidden, features) / 2,
            "out": scales(rng, hidden * features).reshape(features, hidden) / 2,
            "eps": float(rng.integers(5, 20)) / 10,
        }
        x = distinct_values(rng, shape) + 3
        shift, scale, gate = (
            draw(rng, samples * features).reshape(size) for draw in (shifts, scales, scales)
        )
        told = {"x": x, "shift": shift, "scale": scale, "gate": ones, **block}
        nothing = {**told, "shift": none, "scale": none}
        name = str(shape)
        yield Case(f"{name}, gate 0", ("identity",), {**told, "gate": none})
        yield Case(f"{name}, told nothing, gate 1", ("branch",), nothing)
        wide = Case(f"{name}, gate 1", ("told",), told)
        yield wide
        yield Case(f"{name}, all three told", ("gate",), {**told, "gate": gate})
        shut = ones.copy()
        shut[0] = 0
        first = f"{name}, gate 0 for the first sample, 1 for the others"
        yield wide.then(_gated, first, "identity", gate=shut)


def _gated(own: Outputs, arguments: Arguments) -> Outputs:
    """From a gate that is open to any gate."""
    x = arguments["x"]
    return {"y": x + arguments["gate"][:, np.newaxis] * (own["y"] - x)}
