"""Lesson 15: a branch with a norm and a gate that are told what to do."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import distinct_values, scales, shape_name, shifts


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
        none = np.zeros(size)
        block = {
            "into": scales(rng, hidden * features).reshape(hidden, features) / 2,
            "out": scales(rng, hidden * features).reshape(features, hidden) / 2,
            "eps": float(rng.integers(5, 20)) / 10,
        }
        x = distinct_values(rng, shape) + 3
        told = [draw(rng, samples * features).reshape(size) for draw in (shifts, scales, scales)]
        name = shape_name(shape)
        for title, aspects, (shift, scale, gate) in (
            ("gate 0", ("identity",), (*told[:2], none)),
            ("told nothing, gate 1", ("branch",), (none, none, none + 1)),
            ("gate 1", ("told",), (*told[:2], none + 1)),
            ("all three told", ("gate",), told),
        ):
            given: Arguments = {"x": x, "shift": shift, "scale": scale, "gate": gate}
            yield Case(f"{name}, {title}", aspects, {**given, **block})
        shut = none + 1
        shut[0] = 0
        given = {"x": x, "shift": told[0], "scale": told[1], "gate": shut, **block}
        first = f"{name}, gate 0 for the first sample, 1 for the others"
        yield Case(first, ("identity",), given, f"{name}, gate 1", _gated)


def _gated(own: Outputs, arguments: Arguments) -> Outputs:
    """From a gate that is open to any gate."""
    x = arguments["x"]
    return {"y": x + arguments["gate"][:, np.newaxis] * (own["y"] - x)}
