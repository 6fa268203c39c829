"""Lesson 11: a training set in which half of the classes are rare, with a norm and without."""

import torch
from torch import Tensor, nn

from normlab.data import ImageDataset, load_mnist
from normlab.training.experiment import Experiment, Row
from normlab.training.fit import as_inputs, evaluate, fit
from normlab.training.network import article_net

SEEDS = range(5)
RARE = 5  # digits from here on are rare ...
ONE_IN = 50  # ... and of each so many one is kept
LEARNING_RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
HELD_OUT = 5000  # the last training images: never trained on, the learning rate is chosen by them


def long_tail(labels: Tensor) -> Tensor:
    """Return the rows to keep, ``(kept,)``: all of the digits 0 to 4, one in 50 of the others."""
    rare = (labels >= RARE).nonzero()[:, 0]
    common = (labels < RARE).nonzero()[:, 0]
    return torch.cat([common, rare[::ONE_IN]])


def measure(norm: str, lr: float, seed: int) -> list[Row]:
    """Train for three epochs; after one and after three test on all classes, and the rare ones."""
    mnist = load_mnist(tensors=True)
    kept = long_tail(mnist.train_labels[:-HELD_OUT])
    test_set = mnist.test_images, mnist.test_labels
    uneven = ImageDataset(mnist.train_images[kept], mnist.train_labels[kept], *test_set)
    network = article_net(norm, seed)
    rows: list[Row] = []
    for epochs, more in ((1, 1), (3, 2)):
        # Each call draws its orders from a seed of its own, or the second epoch repeats the first.
        drawn = 100 * seed + epochs
        run = fit(network, uneven, epochs=more, lr=lr, seed=drawn, device="cpu", progress=False)
        rows.append(
            {
                "epochs": epochs,
                "test_accuracy": run.final.test_accuracy,
                "rare_accuracy": on_rare(network, *test_set),
                "held_out_accuracy": on_all(
                    network, mnist.train_images[-HELD_OUT:], mnist.train_labels[-HELD_OUT:]
                ),
            }
        )
    return rows


def on_all(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the share of right answers; in the held-out images no class is rare."""
    return evaluate(network, as_inputs(images), labels)[1]


def on_rare(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the share of right answers among the digits that were rare in training."""
    rare = labels >= RARE
    return on_all(network, images[rare], labels[rare])


EXPERIMENT = Experiment(
    name="rare_classes",
    question="Is it better not to normalize where some classes are rare?",
    measure=measure,
    settings=[
        {"norm": norm, "lr": lr, "seed": seed}
        for lr in LEARNING_RATES
        for norm in ("none", "batch", "layer")
        for seed in SEEDS
    ],
    repeatable={"norm": "batch", "lr": 0.1, "seed": 0},
    # Few rare images decide, and which way they go depends on the last digits.
    tolerances={"test_accuracy": 0.05, "rare_accuracy": 0.1, "held_out_accuracy": 0.05},
)
