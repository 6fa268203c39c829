"""Lesson 05: the learning rate, with BatchNorm and without."""

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row
from normlab.training.fit import fit
from normlab.training.network import article_net

LEARNING_RATES = (0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
SEEDS = range(5)


def measure(norm: str, lr: float, images: int, seed: int) -> list[Row]:
    """Train the article's network for one epoch on so many images."""
    network = article_net(norm, seed)
    run = fit(network, load_mnist().first(images), epochs=1, lr=lr, seed=seed, progress=False)
    return [{"train_loss": run.final.train_loss, "test_accuracy": run.final.test_accuracy}]


_FULL = [
    {"norm": norm, "lr": lr, "images": 60_000, "seed": seed}
    for norm in ("none", "batch")
    for lr in LEARNING_RATES
    for seed in SEEDS
]
# A fifth of an epoch, which a lesson can run in place.
_QUICK = [
    {"norm": norm, "lr": lr, "images": 12_000, "seed": seed}
    for norm in ("none", "batch")
    for lr in (0.01, 0.1, 1.0, 3.0)
    for seed in (0, 1)
]

EXPERIMENT = Experiment(
    name="learning_rates",
    question="How large may the learning rate be, with BatchNorm and without?",
    measure=measure,
    settings=_FULL + _QUICK,
    # Other processors round sums differently, and training makes the differences grow.
    tolerances={"train_loss": 0.02, "test_accuracy": 0.01},
)
