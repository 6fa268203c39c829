"""Lesson 13: ask a network, and leave it as it was."""

import numpy as np
import torch

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import rows_below_one, seed_of_numbers
from normlab.tasks.scripts.predict import two_layers
from normlab.tasks.scripts.together import borne_out, refilled, shapes_left, undisturbed


def predict(network, x, batch_size):
    whole = network.training
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    with torch.no_grad():
        scores = torch.cat([network(rows) for rows in x.split(batch_size)])
    for module, training in modes:
        module.training = training
    return scores


def cases(rng: np.random.Generator) -> Cases:
    """Draw rows for one network, asked in several ways and in several modes."""
    x, seed = rows_below_one(rng, 7, 3), seed_of_numbers(rng)
    for name, batch_size, given, aspects in (
        ("one batch", 7, "train", "values buffers modes graph"),
        ("batches of 4", 4, "train", "values"),
        ("batches of 3, one row left over", 3, "train", "values"),
        ("network in evaluation mode", 4, "eval", "modes"),
        ("one layer in evaluation mode", 4, "part", "parts"),
        ("the BatchNorm of one layer in evaluation mode", 4, "inner", "parts"),
    ):
        arguments = {"x": x, "batch_size": batch_size, "given": given, "seed": seed}
        yield Case(f"(7, 3), {name}", tuple(aspects.split()), arguments)


def seen(x, *_):
    network = two_layers(x.shape[1])
    return {"scores": None, "no_gradient": (), **shapes_left(network), "asked_again": (len(x), 3)}


@undisturbed
def read(scores, no_gradient, weights, buffers, modes, asked_again, x, *_):
    """Believe the modes where a network with these weights and modes gives the same answer."""
    network = refilled(two_layers(x.shape[1]), weights, buffers)
    return scores, buffers, borne_out(modes, network, x, asked_again), no_gradient
