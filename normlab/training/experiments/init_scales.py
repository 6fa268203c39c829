"""Lesson 05: the scale of the initial weights, with BatchNorm and without."""

import torch

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row, grid
from normlab.training.network import ArticleNet, article_net
from normlab.training.samples import fit_once


@torch.no_grad()
def scaled_net(norm: str, scale: float, seed: int) -> ArticleNet:
    """Build the article's network with all numbers of its linear layers times ``scale``."""
    network = article_net(norm, seed)
    for linear in (network.fc1, network.fc2, network.fc3):
        linear.weight.mul_(scale)
        linear.bias.mul_(scale)
    return network


def measure(norm: str, scale: float, lr: float, images: int, seed: int) -> list[Row]:
    """Train for one epoch on so many images, from weights of that scale."""
    network = scaled_net(norm, scale, seed)
    run = fit_once(network, load_mnist().first(images), lr=lr, seed=seed)
    return [{"train_loss": run.final.train_loss, "test_accuracy": run.final.test_accuracy}]


EXPERIMENT = Experiment(
    question="How large or small may the initial weights be, with BatchNorm and without?",
    measure=measure,
    settings=[
        *grid(
            measure,
            lr=(0.01, 0.1),
            norm=("none", "batch"),
            scale=(0.01, 0.1, 0.3, 1.0, 3.0, 10.0),
            images=[30_000],
            seed=range(5),
        ),
        # Fewer images, which a lesson can run in place.
        *grid(
            measure,
            norm=("none", "batch"),
            scale=(0.1, 1.0, 10.0),
            lr=[0.01],
            images=[12_000],
            seed=(0, 1),
        ),
    ],
    tolerances={"train_loss": 0.02, "test_accuracy": 0.01},
)
