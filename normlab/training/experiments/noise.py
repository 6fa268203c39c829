"""Lesson 12: the noise of the batches, and whether it makes BatchNorm generalize."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row, grid
from normlab.training.fit import as_inputs, evaluate
from normlab.training.network import ArticleNet, article_net
from normlab.training.samples import for_test

# How many images share their statistics; 0 is the net without norm.
GROUPS = {"none": 0, "500 together": 500, "50 together": 50, "10 together": 10}
IMAGES, STEPS, LR = 500, 250, 0.3


class InGroups(nn.Module):
    """Normalize a batch in groups of samples, each with its own statistics, by one BatchNorm.

    Hoffer and others (2017) call it ghost batch normalization. In evaluation mode it is an
    ordinary BatchNorm.
    """

    def __init__(self, size: int, together: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(size)
        self.together = together

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x``, ``(N, size)``, normalized so many rows at a time."""
        if not self.training:
            return self.norm(x)
        return torch.cat([self.norm(part) for part in x.split(self.together)])


def network_in_groups(together: int, seed: int) -> ArticleNet:
    """Build the article's network, whose BatchNorms see so many images at a time; 0: no norm."""
    network = article_net("none", seed)
    if together:
        network.bn1, network.bn2 = InGroups(256, together), InGroups(128, together)
    return network


def measure(groups: str, seed: int) -> list[Row]:
    """Train on 500 images, all of them in every step: no noise but that of the statistics.

    Each seed has its own 500 images, and the order in which they fall into groups changes from
    step to step.
    """
    network = network_in_groups(GROUPS[groups], seed)
    optimizer = torch.optim.SGD(network.parameters(), lr=LR)
    generator = torch.Generator().manual_seed(seed)
    mnist = load_mnist(tensors=True)
    chosen = torch.randperm(60_000, generator=generator)[:IMAGES]  # (500,)
    inputs, labels = as_inputs(mnist.train_images[chosen]), mnist.train_labels[chosen]
    for _ in range(STEPS):
        order = torch.randperm(IMAGES, generator=generator)  # (500,)
        optimizer.zero_grad()
        F.cross_entropy(network(inputs[order]), labels[order]).backward()
        optimizer.step()
    train_loss, train_accuracy = evaluate(network, inputs, labels)
    test_loss, test_accuracy = evaluate(network, *for_test())
    return [
        {
            "train_accuracy": train_accuracy,
            "train_loss": train_loss,
            "test_accuracy": test_accuracy,
            "test_loss": test_loss,
        }
    ]


EXPERIMENT = Experiment(
    question="Does BatchNorm generalize better because the statistics of a batch are noisy?",
    measure=measure,
    settings=grid(measure, groups=GROUPS, seed=range(8)),
    tolerances={
        "train_accuracy": 0.01,
        "train_loss": 0.02,
        "test_accuracy": 0.02,
        "test_loss": 0.05,
    },
)
