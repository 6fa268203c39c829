"""Lesson 01: the scale of the input, with BatchNorm and without."""

import torch
from torch import nn

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row
from normlab.training.fit import fit
from normlab.training.network import article_net

# What is subtracted from pixels between 0 and 1, and what they are divided by then. The last are
# mean and standard deviation of MNIST's training pixels.
SCALES = {
    "raw, 0 to 255": (0.0, 1 / 255),
    "0 to 1": (0.0, 1.0),
    "standardized": (0.1307, 0.3081),
}
LEARNING_RATES = (0.0001, 0.001, 0.01, 0.1, 0.5)
SEEDS = range(5)


class Scaled(nn.Module):
    """A network that is handed pixels from 0 to 1, and gives them another scale first."""

    def __init__(self, network: nn.Module, subtract: float, divide: float) -> None:
        super().__init__()
        self.network, self.subtract, self.divide = network, subtract, divide

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Scale the pixels, and give them to the network."""
        return self.network((pixels - self.subtract) / self.divide)


def measure(norm: str, scale: str, lr: float, images: int, seed: int) -> list[Row]:
    """Train the article's network on so many images, once through, and test it on 2,000."""
    few = load_mnist().first(images, test=2000)
    network = Scaled(article_net(norm, seed), *SCALES[scale])
    run = fit(network, few, epochs=1, lr=lr, seed=seed, progress=False)
    return [{"test_accuracy": run.final.test_accuracy}]


_FULL = [
    {"norm": norm, "scale": scale, "lr": lr, "images": 12_800, "seed": seed}
    for norm in ("none", "batch")
    for scale in SCALES
    for lr in LEARNING_RATES
    for seed in SEEDS
]
# Ten steps, too few to go astray on: a test repeats the quickest run on any machine.
_QUICK = [{"norm": "none", "scale": "standardized", "lr": 0.1, "images": 640, "seed": 0}]

EXPERIMENT = Experiment(
    name="input_scales",
    question="Which learning rate suits which scale of the input, with BatchNorm and without?",
    measure=measure,
    settings=_FULL + _QUICK,
    # Other processors round sums differently, and training makes the differences grow.
    tolerances={"test_accuracy": 0.02},
)
