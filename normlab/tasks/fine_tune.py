"""Lesson 13: freeze a body, and mean it."""

import numpy as np
import torch
from torch.nn.functional import mse_loss

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import rows_below_one, seed_of_numbers


def fine_tune(body, head, batches, validation, epochs, lr):
    network = torch.nn.Sequential(body, head)
    optimizer = torch.optim.SGD(head.parameters(), lr=lr)
    losses = []
    for epoch in range(epochs):
        head.train()
        body.eval()
        for x, y in batches:
            loss = mse_loss(network(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.eval()
        losses.append(mse_loss(network(validation[0]), validation[1]).item())
    return losses


def cases(rng: np.random.Generator) -> Cases:
    """Draw batches for one epoch, and for two."""
    keys = ("buffers", "weights", "counter", "head", "losses")
    for batches, samples, features, epochs in ((2, 4, 3, 1), (2, 5, 2, 2)):
        arguments = {
            "x": rows_below_one(rng, batches, samples, features),
            "y": rows_below_one(rng, batches, samples, 1),
            "validation_x": rows_below_one(rng, 6, features),
            "validation_y": rows_below_one(rng, 6, 1),
            "epochs": epochs,
            "seed": seed_of_numbers(rng),
        }
        name = f"{batches} batches {(samples, features)}, epochs {epochs}"
        yield Case(name, keys, arguments)
