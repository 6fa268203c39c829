"""Lesson 10: the same comparison on a small convolutional network."""

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row, grid
from normlab.training.experiments.norms_mlp import TOLERANCES, in_one_row
from normlab.training.network import small_cnn
from normlab.training.samples import fit_once

IMAGES = 16_000
MEASURE_EVERY = 50  # steps; a fifth of the 250


def measure(norm: str, lr: float, seed: int) -> list[Row]:
    """Train the small CNN for one pass over 16,000 of the training images."""
    network, few = small_cnn(norm, seed), load_mnist().first(IMAGES)
    run = fit_once(network, few, lr=lr, seed=seed, measure_every=MEASURE_EVERY)
    return [in_one_row(run, network, seen=5000)]


EXPERIMENT = Experiment(
    question="Which norm makes a small CNN learn fastest and best, in 250 steps?",
    measure=measure,
    settings=grid(
        measure,
        lr=(0.05, 0.2),
        norm=("none", "batch", "batch-no-affine", "layer", "group", "instance", "rms"),
        seed=range(10),
    ),
    timings=frozenset({"seconds"}),
    # BatchNorm's test accuracy jumps from one measurement to the next at the larger rate.
    tolerances={
        **TOLERANCES,
        "steps_to_95": 2 * MEASURE_EVERY,
        "steps_to_97": 2 * MEASURE_EVERY,
        "test_accuracy": 0.03,
        "train_accuracy": 0.03,
        "test_loss": 0.1,
        **{f"accuracy_{i}": 0.05 for i in range(1, 6)},
    },
)
