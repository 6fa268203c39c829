"""Lesson 5: read a model's norms off its state_dict, without the model."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import seed_of_numbers


def norms_that_remember(state, tiny):
    found = []
    for key, value in state.items():
        if key == "running_mean" or key.endswith(".running_mean"):
            prefix = key.removesuffix("running_mean")
            name = prefix.removesuffix(".")
            var = state[prefix + "running_var"]  # (C,)
            channels = len(value)
            batches = int(state[prefix + "num_batches_tracked"])
            still = int((var < tiny).sum())
            found.append((name, channels, batches, still))
    return found


def cases(rng: np.random.Generator) -> Cases:
    """Draw the numbers of four models; the last is nothing but a norm."""
    for kind, name in enumerate(("dense", "images", "twins", "a norm alone")):
        aspects = ("places", "channels", "batches", "still") if kind < 3 else ("alone",)
        yield Case(name, aspects, {"kind": kind, "seed": seed_of_numbers(rng), "tiny": 1e-4})
