"""Lesson 5: reach 93 % in one epoch.

Training takes a second, and its digits depend on the processor. What is judged is what was done and
whether the goal was reached: nothing is trained to know what a right or a wrong answer gives.
"""

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from normlab.data import load_mnist
from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import seed_of_numbers
from normlab.tasks.scripts.together import joined, refilled, running_statistics
from normlab.tasks.scripts.train_one_epoch import article_net

GOAL = 0.93
_BATCH = 64
_BY_CHANCE = 0.3  # ten digits: 0.1, and in single networks more


def train_one_epoch(network, inputs, labels):
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    network.train()
    for rows in torch.randperm(len(inputs)).split(64):
        loss = cross_entropy(network(inputs[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def cases(rng: np.random.Generator) -> Cases:
    """Draw the seed of a network's weights."""
    keys = ("reached", "batches", "passes", "mode", "moved")
    arguments = {"images": 20_000, "seed": seed_of_numbers(rng)}
    yield Case("20,000 images of MNIST", keys, arguments)


def seen(_images, seed):
    network = article_net(seed)
    weights = joined(network.parameters()).shape
    return {
        "before": weights,
        "weights": weights,
        "buffers": joined(network.buffers()).shape,
        "batch_sizes": (None,),
        "step_modes": (None,),
        "different_images": (),
    }


def read(before, weights, buffers, sizes, modes, different, images, seed):
    """Test the trained network, and answer the questions: 1 for yes, 0 for no.

    Is the goal reached? Were there batches of 64? How many passes over the images? Was every step
    made in training mode? Have the weights moved?
    """
    mnist = load_mnist(tensors=True)
    network = article_net(seed)
    # Two processes need not draw a network's weights to the last digit.
    moved = np.allclose(before, joined(network.parameters()), atol=1e-6) and any(weights != before)
    at_rest = joined(running_statistics(network))
    refilled(network, weights, buffers)
    with torch.no_grad():
        logits = network.eval()(mnist.test_images.flatten(1) / 255)  # (10000, 10)
    accuracy = (logits.argmax(1) == mnist.test_labels).double().mean().item()
    # What is said of the steps counts where the weights show that there were some.
    learned = accuracy > _BY_CHANCE
    full = (sizes == _BATCH).sum()
    remembers = any(joined(running_statistics(network)) != at_rest)
    return (
        float(accuracy >= GOAL),
        float(learned and len(sizes) > 0 and sizes.max() == _BATCH and full >= len(sizes) - 1),
        _passes(sizes.sum(), different, images) if learned else 0.0,
        float(learned and (modes == 1).all() and remembers),
        float(moved),
    )


def _passes(rows: float, different: float, images: int) -> float:
    """Return 1 for one pass over the images, 0 for less and 2 for more; a last batch may miss.

    Who draws as many with replacement misses a third of them.
    """
    if rows > images:
        return 2.0
    return float(different > images - _BATCH)
