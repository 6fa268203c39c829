"""Lesson 05: the article's network for five epochs, with BatchNorm and without."""

from dataclasses import asdict

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row, grid
from normlab.training.network import article_net
from normlab.training.samples import fit_once

MEASURE_EVERY = 67  # steps: fourteen times an epoch


def measure(norm: str, lr: float, epochs: int, seed: int) -> list[Row]:
    """Train the article's network and give every measurement on the way."""
    network, mnist = article_net(norm, seed), load_mnist()
    run = fit_once(network, mnist, epochs=epochs, lr=lr, seed=seed, measure_every=MEASURE_EVERY)
    return [asdict(point) for point in run.points]


EXPERIMENT = Experiment(
    question="How does the article's network learn in five epochs, with BatchNorm and without?",
    measure=measure,
    settings=[
        *grid(measure, norm=("none", "batch"), lr=(0.01, 0.1), epochs=[5], seed=range(5)),
        # One epoch of one run, which is soon done again when somebody doubts the file.
        {"norm": "batch", "lr": 0.01, "epochs": 1, "seed": 0},
    ],
    timings=frozenset({"seconds"}),
    tolerances={"train_loss": 0.02, "test_loss": 0.02, "test_accuracy": 0.01},
)
