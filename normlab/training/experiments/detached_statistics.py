"""Lesson 04: BatchNorm whose statistics are taken as constants in the backward pass."""

import torch
from torch import Tensor, nn

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row, grid
from normlab.training.fit import evaluate
from normlab.training.network import ArticleNet, article_net
from normlab.training.samples import fit_once, held_out

IMAGES = 12_800  # 200 batches of 64


class Detached(nn.BatchNorm1d):
    """BatchNorm that is right in the forward pass, and lets no gradient through its statistics."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalize ``(N, C)`` by the batch's mean and variance, taken as constants."""
        if not self.training:
            return super().forward(x)
        with torch.no_grad():
            super().forward(x)  # for the running statistics
            mean, var = x.mean(0), x.var(0, unbiased=False)  # (C,), (C,)
        return self.weight * (x - mean) / torch.sqrt(var + self.eps) + self.bias


def build(net: str, seed: int) -> ArticleNet:
    """Build the article's network with one of the three in the places of its norms."""
    if net == "no norm":
        return article_net("none", seed)
    network = article_net("batch", seed)
    if net == "detached":
        network.bn1, network.bn2 = Detached(256), Detached(128)
    return network


def measure(net: str, lr: float, seed: int) -> list[Row]:
    """Train 200 steps; besides the accuracy, look at the first layer's bias and weights."""
    network = build(net, seed)
    bias, weight = network.fc1.bias.norm().item(), network.fc1.weight.norm().item()
    run = fit_once(network, load_mnist().first(IMAGES), lr=lr, seed=seed)
    return [
        {
            "held_out_accuracy": evaluate(network, *held_out())[1],
            "test_accuracy": run.final.test_accuracy,
            "bias_growth": network.fc1.bias.norm().item() / bias,
            "weight_growth": network.fc1.weight.norm().item() / weight,
        }
    ]


EXPERIMENT = Experiment(
    question="What if BatchNorm's mean and variance are taken as constants in the backward pass?",
    measure=measure,
    settings=grid(
        measure,
        net=("BatchNorm", "detached", "no norm"),
        lr=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
        seed=range(8),
    ),
    repeatable={"net": "detached", "lr": 0.03, "seed": 0},
    tolerances={"held_out_accuracy": 0.01, "test_accuracy": 0.01, "bias_growth": 0.02},
)
