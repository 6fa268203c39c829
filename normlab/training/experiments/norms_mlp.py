"""Lesson 10: the article's comparison of norms, on the article's network."""

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row
from normlab.training.fit import as_inputs, evaluate, fit
from normlab.training.history import History
from normlab.training.network import article_net

NORMS = ("none", "batch", "batch-no-affine", "layer", "group", "rms")
LEARNING_RATES = (0.01, 0.1)
SEEDS = range(10)
MEASURE_EVERY = 134  # steps; a seventh of an epoch of 938


def measure(norm: str, lr: float, seed: int) -> list[Row]:
    """Train the article's network for one epoch."""
    mnist = load_mnist(tensors=True)
    network = article_net(norm, seed)
    run = fit(
        network,
        mnist,
        epochs=1,
        lr=lr,
        seed=seed,
        measure_every=MEASURE_EVERY,
        device="cpu",
        progress=False,
    )
    seen = as_inputs(mnist.train_images[:10_000])  # (10000, 28, 28)
    _, train_accuracy = evaluate(network, seen, mnist.train_labels[:10_000])
    return [in_one_row(run, train_accuracy)]


def in_one_row(run: History, train_accuracy: float) -> Row:
    """Sum up a training.

    Returns
    -------
    dict
        ``steps_to_95`` and ``steps_to_97`` (NaN where it did not get there), the accuracies at the
        end on training and test images, ``test_loss``, the seconds spent in training steps, and
        the test accuracy at each measurement: ``accuracy_1``, ``accuracy_2``, ...
    """
    steps = {f"steps_to_{goal}": run.steps_to(goal / 100) or float("nan") for goal in (95, 97)}
    points = {f"accuracy_{i}": point.test_accuracy for i, point in enumerate(run.points, start=1)}
    return {
        **steps,
        "train_accuracy": train_accuracy,
        "test_accuracy": run.final.test_accuracy,
        "test_loss": run.final.test_loss,
        "seconds": run.final.seconds,
        **points,
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
    name="norms_mlp",
    question="Which norm makes the article's network learn fastest and best, in one epoch?",
    measure=measure,
    settings=[
        {"norm": norm, "lr": lr, "seed": seed}
        for lr in LEARNING_RATES
        for norm in NORMS
        for seed in SEEDS
    ],
    timings=frozenset({"seconds"}),
    tolerances=TOLERANCES,
)
