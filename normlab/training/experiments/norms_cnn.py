"""Lesson 10: the same comparison on a small convolutional network."""

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row
from normlab.training.experiments.norms_mlp import TOLERANCES, in_one_row
from normlab.training.fit import as_inputs, evaluate, fit
from normlab.training.network import small_cnn

NORMS = ("none", "batch", "batch-no-affine", "layer", "group", "instance", "rms")
LEARNING_RATES = (0.05, 0.2)
SEEDS = range(10)
IMAGES = 16_000
MEASURE_EVERY = 50  # steps; a fifth of the 250


def measure(norm: str, lr: float, seed: int) -> list[Row]:
    """Train the small CNN for one pass over 16,000 of the training images."""
    mnist = load_mnist(tensors=True)
    network = small_cnn(norm, seed)
    run = fit(
        network,
        mnist.first(IMAGES),
        epochs=1,
        lr=lr,
        seed=seed,
        measure_every=MEASURE_EVERY,
        drop_last=True,
        device="cpu",
        progress=False,
    )
    seen = as_inputs(mnist.train_images[:5000])  # (5000, 28, 28)
    _, train_accuracy = evaluate(network, seen, mnist.train_labels[:5000])
    return [in_one_row(run, train_accuracy)]


EXPERIMENT = Experiment(
    name="norms_cnn",
    question="Which norm makes a small CNN learn fastest and best, in 250 steps?",
    measure=measure,
    settings=[
        {"norm": norm, "lr": lr, "seed": seed}
        for lr in LEARNING_RATES
        for norm in NORMS
        for seed in SEEDS
    ],
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
