"""Lesson 11: the article's network learns 500 images by heart, with norms and with dropout."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the name everyone knows it by

from normlab.data import load_mnist, shuffled_batches
from normlab.training.experiment import Experiment, Row
from normlab.training.fit import as_inputs, evaluate
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
IMAGES, STEPS, LR = 500, 400, 0.1


def with_dropout(network: ArticleNet) -> ArticleNet:
    """Put dropout behind the norm of both hidden layers."""
    network.bn1 = nn.Sequential(network.bn1, nn.Dropout(0.5))
    network.bn2 = nn.Sequential(network.bn2, nn.Dropout(0.5))
    return network


def measure(network: str, seed: int) -> list[Row]:
    """Train 400 steps on 500 images, other ones for each seed; test on 10,000."""
    norm, dropout, batch_size = NETWORKS[network]
    mnist = load_mnist(tensors=True)
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(60_000, generator=generator)[:IMAGES]  # (500,)
    inputs, labels = as_inputs(mnist.train_images[chosen]), mnist.train_labels[chosen]
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
    train_loss, train_accuracy = evaluate(model, inputs, labels)
    test_loss, test_accuracy = evaluate(model, as_inputs(mnist.test_images), mnist.test_labels)
    return [
        {
            "train_accuracy": train_accuracy,
            "train_loss": train_loss,
            "test_accuracy": test_accuracy,
            "test_loss": test_loss,
        }
    ]


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
