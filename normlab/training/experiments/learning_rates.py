"""Lesson 05: the learning rate, with BatchNorm and without."""

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row, grid
from normlab.training.network import article_net
from normlab.training.samples import fit_once


def measure(norm: str, lr: float, images: int, seed: int) -> list[Row]:
    """Train the article's network for one epoch on so many images."""
    network = article_net(norm, seed)
    run = fit_once(network, load_mnist().first(images), lr=lr, seed=seed)
    return [{"train_loss": run.final.train_loss, "test_accuracy": run.final.test_accuracy}]


EXPERIMENT = Experiment(
    question="How large may the learning rate be, with BatchNorm and without?",
    measure=measure,
    settings=[
        *grid(
            measure,
            norm=("none", "batch"),
            lr=(0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
            images=[60_000],
            seed=range(5),
        ),
        # A fifth of an epoch, which a lesson can run in place.
        *grid(
            measure, norm=("none", "batch"), lr=(0.01, 0.1, 1.0, 3.0), images=[12_000], seed=(0, 1)
        ),
    ],
    tolerances={"train_loss": 0.02, "test_accuracy": 0.01},
)
