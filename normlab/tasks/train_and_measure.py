"""Lesson 5: a training loop with both modes."""

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import distinct_values, same, seed_of_numbers
from normlab.tasks.scripts.together import borne_out, refilled, shapes_left, undisturbed
from normlab.tasks.scripts.train_and_measure import small_network


def train_and_measure(network, optimizer, train_batches, test_batches, epochs):
    losses = []
    for epoch in range(epochs):
        network.train()
        for x, y in train_batches:
            loss = cross_entropy(network(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.eval()
        total, samples = 0.0, 0
        with torch.no_grad():
            for x, y in test_batches:
                total += cross_entropy(network(x), y).item() * len(y)
                samples += len(y)
        losses.append(total / samples)
    network.train(True)
    return losses


def cases(rng: np.random.Generator) -> Cases:
    """Draw batches for one network, trained in several ways."""
    numbers = {
        "x": distinct_values(rng, (2, 6, 3)) / 20,
        "y": rng.permutation(np.resize(np.arange(3), 12)).reshape(2, 6),
        "test_x": distinct_values(rng, (8, 3)) / 20,
        "test_y": rng.permutation(np.resize(np.arange(3), 8)),
    }
    seed, two = seed_of_numbers(rng), "two epochs"
    for name, aspects, test_batch, epochs, given in (
        ("one epoch", "train", 8, 1, "train"),
        (two, "losses buffers end", 8, 2, "train"),
        ("two epochs, test batches of 3", "batches", 3, 2, "train"),
        ("a network in evaluation mode, two epochs", "given", 8, 2, "eval"),
    ):
        how = {"test_batch": test_batch, "epochs": epochs, "given": given, "seed": seed}
        own = (two, same) if aspects == "batches" else ()
        yield Case(name, tuple(aspects.split()), {**numbers, **how}, *own)


def seen(x, _y, test_x, *_):
    shapes = shapes_left(small_network(x.shape[2]))
    return {"losses": None, **shapes, "asked_again": (len(test_x), 3)}


@undisturbed
def read(losses, weights, buffers, modes, asked_again, x, _y, test_x, *_):
    """Believe the modes where a network with these weights and modes gives the same answer."""
    network = refilled(small_network(x.shape[2]), weights, buffers)
    return losses, weights, buffers, borne_out(modes, network, test_x, asked_again)
