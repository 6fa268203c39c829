"""Lesson 10: the article's comparison of norms, on the article's network."""

from torch import nn

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row, grid
from normlab.training.fit import as_inputs, evaluate
from normlab.training.history import History
from normlab.training.network import article_net
from normlab.training.samples import fit_once

MEASURE_EVERY = 134  # steps; a seventh of an epoch of 938


def measure(norm: str, lr: float, seed: int) -> list[Row]:
    """Train the article's network for one epoch."""
    network = article_net(norm, seed)
    run = fit_once(network, load_mnist(), lr=lr, seed=seed, measure_every=MEASURE_EVERY)
    return [in_one_row(run, network, seen=10_000)]


def in_one_row(run: History, network: nn.Module, seen: int) -> Row:
    """Sum up a training, with the accuracy on the first so many images that were seen in it.

    ``steps_to_95`` and ``steps_to_97`` are NaN where it did not get there; ``accuracy_1``,
    ``accuracy_2``, ... are the test accuracies at its measurements.
    """
    mnist = load_mnist(tensors=True)
    inputs, labels = as_inputs(mnist.train_images[:seen]), mnist.train_labels[:seen]
    return {
        **{f"steps_to_{goal}": run.steps_to(goal / 100) or float("nan") for goal in (95, 97)},
        "train_accuracy": evaluate(network, inputs, labels)[1],
        "test_accuracy": run.final.test_accuracy,
        "test_loss": run.final.test_loss,
        "seconds": run.final.seconds,
        **{f"accuracy_{i}": point.test_accuracy for i, point in enumerate(run.points, start=1)},
    }


# Sums are rounded otherwise on other processors, and a threshold may be crossed a measurement
# earlier or later.
TOLERANCES = {
    "steps_to_95": 2 * MEASURE_EVERY,
    "steps_to_97": 2 * MEASURE_EVERY,
    "train_accuracy": 0.01,
    "test_accuracy": 0.01,
    "test_loss": 0.03,
    **{f"accuracy_{i}": 0.02 for i in range(1, 8)},
}

EXPERIMENT = Experiment(
    question="Which norm makes the article's network learn fastest and best, in one epoch?",
    measure=measure,
    settings=grid(
        measure,
        lr=(0.01, 0.1),
        norm=("none", "batch", "batch-no-affine", "layer", "group", "rms"),
        seed=range(10),
    ),
    timings=frozenset({"seconds"}),
    tolerances=TOLERANCES,
)
