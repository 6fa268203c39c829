"""Lesson 11: a training set in which half of the classes are rare, with a norm and without."""

import torch
from torch import Tensor

from normlab.data import ImageDataset, load_mnist
from normlab.training.experiment import Experiment, Row
from normlab.training.fit import as_inputs, evaluate, fit
from normlab.training.network import article_net

SEEDS = range(5)
RARE = 5  # digits from here on are rare ...
ONE_IN = 50  # ... and of each so many one is kept


def long_tail(labels: Tensor) -> Tensor:
    """Return the rows to keep, ``(kept,)``: all of the digits 0 to 4, one in 50 of the others."""
    rare = (labels >= RARE).nonzero()[:, 0]
    common = (labels < RARE).nonzero()[:, 0]
    return torch.cat([common, rare[::ONE_IN]])


def measure(norm: str, lr: float, seed: int) -> list[Row]:
    """Train for one epoch; test on all classes, and on the rare ones alone."""
    mnist = load_mnist(tensors=True)
    kept = long_tail(mnist.train_labels)
    test_set = mnist.test_images, mnist.test_labels
    uneven = ImageDataset(mnist.train_images[kept], mnist.train_labels[kept], *test_set)
    network = article_net(norm, seed)
    run = fit(network, uneven, epochs=1, lr=lr, seed=seed, device="cpu", progress=False)
    rare = mnist.test_labels >= RARE
    _, on_rare = evaluate(network, as_inputs(mnist.test_images[rare]), mnist.test_labels[rare])
    return [{"test_accuracy": run.final.test_accuracy, "rare_accuracy": on_rare}]


EXPERIMENT = Experiment(
    name="rare_classes",
    question="Is it better not to normalize where some classes are rare?",
    measure=measure,
    settings=[
        {"norm": norm, "lr": lr, "seed": seed}
        for lr in (0.1, 0.3)
        for norm in ("none", "batch", "layer")
        for seed in SEEDS
    ],
    # Few rare images decide, and which way they go depends on the last digits.
    tolerances={"test_accuracy": 0.05, "rare_accuracy": 0.1},
)
