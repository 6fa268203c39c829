"""Lesson 11: a training set in which half of the classes are rare, with a norm and without."""

from dataclasses import replace

import torch
from torch import Tensor

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row, grid
from normlab.training.fit import evaluate
from normlab.training.network import article_net
from normlab.training.samples import HELD_OUT, fit_once, for_test, held_out

RARE = 5  # digits from here on are rare ...
ONE_IN = 50  # ... and of each so many one is kept


def long_tail(labels: Tensor) -> Tensor:
    """Return the rows to keep, ``(kept,)``: all of the digits 0 to 4, one in 50 of the others."""
    rare = (labels >= RARE).nonzero()[:, 0]
    common = (labels < RARE).nonzero()[:, 0]
    return torch.cat([common, rare[::ONE_IN]])


def measure(norm: str, lr: float, seed: int) -> list[Row]:
    """Train for three epochs; after one and after three test on all classes, and the rare ones."""
    mnist = load_mnist(tensors=True)
    kept = long_tail(mnist.train_labels[:-HELD_OUT])
    uneven = replace(
        mnist, train_images=mnist.train_images[kept], train_labels=mnist.train_labels[kept]
    )
    inputs, labels = for_test()
    rare = labels >= RARE
    network = article_net(norm, seed)
    rows: list[Row] = []
    for epochs, more in ((1, 1), (3, 2)):
        # Each call draws its orders from a seed of its own, or the second epoch repeats the first.
        run = fit_once(network, uneven, epochs=more, lr=lr, seed=100 * seed + epochs)
        rows.append(
            {
                "epochs": epochs,
                "test_accuracy": run.final.test_accuracy,
                "rare_accuracy": evaluate(network, inputs[rare], labels[rare])[1],
                "held_out_accuracy": evaluate(network, *held_out())[1],  # where no class is rare
            }
        )
    return rows


EXPERIMENT = Experiment(
    question="Is it better not to normalize where some classes are rare?",
    measure=measure,
    settings=grid(
        measure, lr=(0.01, 0.03, 0.1, 0.3, 1.0), norm=("none", "batch", "layer"), seed=range(5)
    ),
    repeatable={"norm": "batch", "lr": 0.1, "seed": 0},
    # Few rare images decide, and which way they go depends on the last digits.
    tolerances={"test_accuracy": 0.05, "rare_accuracy": 0.1, "held_out_accuracy": 0.05},
)
