"""Lesson 04: BatchNorm whose statistics are taken as constants in the backward pass."""

import torch
from torch import Tensor, nn

from normlab.data import ImageDataset, load_mnist
from normlab.training.experiment import Experiment, Row
from normlab.training.fit import as_inputs, evaluate, fit
from normlab.training.network import ArticleNet, article_net

NETS = ("BatchNorm", "detached", "no norm")
LEARNING_RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
SEEDS = range(8)
IMAGES = 12_800  # 200 batches of 64
HELD_OUT = 5000  # the last training images: never trained on, the learning rate is chosen by them


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
    mnist = load_mnist(tensors=True)
    few = ImageDataset(
        mnist.train_images[:IMAGES], mnist.train_labels[:IMAGES],
        mnist.test_images, mnist.test_labels,
    )  # fmt: skip
    network = build(net, seed)
    bias, weight = network.fc1.bias.norm().item(), network.fc1.weight.norm().item()
    run = fit(network, few, epochs=1, lr=lr, seed=seed, device="cpu", progress=False)
    held_out = as_inputs(mnist.train_images[-HELD_OUT:]), mnist.train_labels[-HELD_OUT:]
    return [
        {
            "held_out_accuracy": evaluate(network, *held_out)[1],
            "test_accuracy": run.final.test_accuracy,
            "bias_growth": network.fc1.bias.norm().item() / bias,
            "weight_growth": network.fc1.weight.norm().item() / weight,
        }
    ]


EXPERIMENT = Experiment(
    name="detached_statistics",
    question="What if BatchNorm's mean and variance are taken as constants in the backward pass?",
    measure=measure,
    settings=[
        {"net": net, "lr": lr, "seed": seed}
        for net in NETS
        for lr in LEARNING_RATES
        for seed in SEEDS
    ],
    repeatable={"net": "detached", "lr": 0.03, "seed": 0},
    # Other processors round sums differently, and training makes the differences grow.
    tolerances={"held_out_accuracy": 0.01, "test_accuracy": 0.01, "bias_growth": 0.02},
)
