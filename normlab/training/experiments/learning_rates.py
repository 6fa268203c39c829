"""Lesson 05: the learning rate, with BatchNorm and without."""

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row
from normlab.training.fit import fit
from normlab.training.network import article_net

LEARNING_RATES = (0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
SEEDS = range(5)


def measure(norm: str, lr: float, seed: int) -> list[Row]:
    """Train the article's network for one epoch."""
    run = fit(article_net(norm, seed), load_mnist(), epochs=1, lr=lr, seed=seed, progress=False)
    return [{"train_loss": run.final.train_loss, "test_accuracy": run.final.test_accuracy}]


EXPERIMENT = Experiment(
    name="learning_rates",
    question="How large may the learning rate be, with BatchNorm and without?",
    measure=measure,
    settings=[
        {"norm": norm, "lr": lr, "seed": seed}
        for norm in ("none", "batch")
        for lr in LEARNING_RATES
        for seed in SEEDS
    ],
    tolerances={"train_loss": 0.02, "test_accuracy": 0.01},
)
