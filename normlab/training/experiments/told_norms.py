"""Lesson 15: a network that paints digits, told in its norms, at its input, or nothing."""

import torch

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row, Settings, grid
from normlab.training.painter import TOLD, error, halved, paint, painter, read_right, spread, teach

TRAINING_IMAGES = 50_000  # the last 10,000 of the training set choose the rate
PAINTED = 50  # of each digit


def measure(told: str, lr: float, steps: int, seed: int) -> list[Row]:
    """Teach a painter, and look at its error on other images and at what it paints."""
    mnist = load_mnist(tensors=True)
    images, digits = halved(mnist.train_images), mnist.train_labels
    network = painter(told, seed)
    first, rest = slice(TRAINING_IMAGES), slice(TRAINING_IMAGES, None)
    teach(network, images[first], digits[first], steps=steps, lr=lr, seed=seed, progress=False)
    wanted = torch.arange(10).repeat_interleave(PAINTED)
    painted = paint(network, wanted, seed=seed)
    return [
        {
            "held_out_error": error(network, images[rest], digits[rest]),
            "test_error": error(network, halved(mnist.test_images), mnist.test_labels),
            "read_right": read_right(painted, wanted),
            "spread": spread(painted, wanted),
        }
    ]


# A short one, which is soon done again when somebody doubts the file.
_QUICK: Settings = {"told": "in the norms", "lr": 0.004, "steps": 60, "seed": 0}

EXPERIMENT = Experiment(
    question="Does a network paint better digits when its norms are told which digit to paint?",
    measure=measure,
    settings=[
        *grid(measure, told=TOLD, lr=(0.0016, 0.004, 0.01, 0.025), steps=[500], seed=range(5)),
        _QUICK,
    ],
    tolerances={"held_out_error": 1e-3, "test_error": 1e-3, "read_right": 0.03, "spread": 5e-3},
    repeatable=_QUICK,
)
