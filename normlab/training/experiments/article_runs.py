"""Lesson 05: the article's network for five epochs, with BatchNorm and without."""

from dataclasses import asdict

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row, Settings
from normlab.training.fit import fit
from normlab.training.network import article_net

EPOCHS = 5
SEEDS = range(5)
MEASURE_EVERY = 67  # steps: fourteen times an epoch


def measure(norm: str, lr: float, epochs: int, seed: int) -> list[Row]:
    """Train the article's network and give every measurement on the way."""
    run = fit(
        article_net(norm, seed),
        load_mnist(),
        epochs=epochs,
        lr=lr,
        seed=seed,
        measure_every=MEASURE_EVERY,
        progress=False,
    )
    return [asdict(point) for point in run.points]


_FULL: list[Settings] = [
    {"norm": norm, "lr": lr, "epochs": EPOCHS, "seed": seed}
    for norm in ("none", "batch")
    for lr in (0.01, 0.1)
    for seed in SEEDS
]
# One epoch of one run, which is soon done again when somebody doubts the file.
_QUICK: list[Settings] = [{"norm": "batch", "lr": 0.01, "epochs": 1, "seed": 0}]

EXPERIMENT = Experiment(
    name="article_runs",
    question="How does the article's network learn in five epochs, with BatchNorm and without?",
    measure=measure,
    settings=_FULL + _QUICK,
    timings=frozenset({"seconds"}),
    # Other processors round sums differently, and training makes the differences grow.
    tolerances={"train_loss": 0.02, "test_loss": 0.02, "test_accuracy": 0.01},
)
