"""Lesson 11: the article's network learns 500 images by heart, with norms and with dropout."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the name everyone knows it by

from normlab.data import shuffled_batches
from normlab.training.experiment import Experiment, Row
from normlab.training.experiments.noise import IMAGES, on_seen_and_unseen, some_images
from normlab.training.network import ArticleNet, article_net

# The norm, whether there is dropout behind it, and the size of the batches. 500 is all: then each
# step sees the same images, and the statistics have no noise.
NETWORKS = {
    "none": ("none", False, 50),
    "BatchNorm": ("batch", False, 50),
    "BatchNorm, all 500 in each batch": ("batch", False, 500),
    "LayerNorm": ("layer", False, 50),
    "none, dropout": ("none", True, 50),
    "BatchNorm, dropout": ("batch", True, 50),
}
SEEDS = range(6)
STEPS, LR = 400, 0.1


def with_dropout(network: ArticleNet) -> ArticleNet:
    """Put dropout behind the norm of both hidden layers."""
    network.bn1 = nn.Sequential(network.bn1, nn.Dropout(0.5))
    network.bn2 = nn.Sequential(network.bn2, nn.Dropout(0.5))
    return network


def measure(network: str, seed: int) -> list[Row]:
    """Train 400 steps on 500 images, other ones for each seed; test on 10,000."""
    norm, dropout, batch_size = NETWORKS[network]
    generator = torch.Generator().manual_seed(seed)
    inputs, labels = some_images(generator)
    model = article_net(norm, seed)
    if dropout:
        model = with_dropout(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # of the dropout
        for step in range(STEPS):
            if step % (IMAGES // batch_size) == 0:
                batches = iter(list(shuffled_batches(IMAGES, batch_size, generator)))
            rows = next(batches)
            optimizer.zero_grad()
            F.cross_entropy(model(inputs[rows]), labels[rows]).backward()
            optimizer.step()
    return [on_seen_and_unseen(model, inputs, labels)]


EXPERIMENT = Experiment(
    name="few_images",
    question="Who overfits 500 images least: BatchNorm, LayerNorm, dropout, or none?",
    measure=measure,
    settings=[{"network": name, "seed": seed} for name in NETWORKS for seed in SEEDS],
    tolerances={
        "train_accuracy": 0.02,
        "train_loss": 0.05,
        "test_accuracy": 0.02,
        "test_loss": 0.1,
    },
)
