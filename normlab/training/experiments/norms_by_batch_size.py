"""Lesson 10: the size of the batches, on the article's network."""

import math

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row, grid
from normlab.training.fit import evaluate
from normlab.training.network import article_net
from normlab.training.samples import fit_once, held_out

IMAGES = 3000


def measure(norm: str, batch_size: int, lr_at_64: float, seed: int) -> list[Row]:
    """Show the network 3,000 images once, and measure it on two sets that it has not seen.

    The learning rate is that of batches of 64; it grows and falls with the root of the size.
    """
    network, lr = article_net(norm, seed), lr_at_64 * math.sqrt(batch_size / 64)
    run = fit_once(network, load_mnist().first(IMAGES), lr=lr, batch_size=batch_size, seed=seed)
    return [
        {
            "validation_accuracy": evaluate(network, *held_out())[1],
            "test_accuracy": run.final.test_accuracy,
            "test_loss": run.final.test_loss,
        }
    ]


EXPERIMENT = Experiment(
    question="How small may the batches be, with each norm, in the article's network?",
    measure=measure,
    settings=grid(
        measure,
        norm=("none", "batch", "layer", "group", "rms"),
        batch_size=(2, 4, 8, 32, 128),
        lr_at_64=(0.05, 0.2),
        seed=range(10),
    ),
    tolerances={"validation_accuracy": 0.02, "test_accuracy": 0.02, "test_loss": 0.05},
)
