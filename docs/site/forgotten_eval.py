"""Measure, for the page to play with, how many answers are right where eval() was forgotten.

``python docs/site/forgotten_eval.py`` writes forgotten_eval.csv beside this file: the five networks
of lesson 13, asked in training mode with test batches of 2 to 512, and in evaluation mode.
"""

import copy
import csv
import platform
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from normlab import load_mnist
from normlab.training import article_net

RECORD = Path(__file__).with_suffix(".csv")
SIZES = [2**power for power in range(1, 10)]
SEEDS = range(5)


def trained(seed: int, images: torch.Tensor, labels: torch.Tensor) -> nn.Module:
    """Train the article's network with BatchNorm for one pass over the images."""
    network = article_net("batch", seed)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    for rows in order.split(64):
        loss = cross_entropy(network(images[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network


@torch.no_grad()
def share_right(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, size: int) -> float:
    """Return the share of right answers, in the mode in which the network is."""
    batches = zip(images.split(size), labels.split(size), strict=True)
    return sum((network(x).argmax(1) == y).sum().item() for x, y in batches) / len(images)


def measure() -> list[tuple[str, int, int, float]]:
    """Return mode, size of the test batches, seed and share of right answers."""
    mnist = load_mnist(tensors=True)
    images, labels = mnist.train_images[:9600].flatten(1) / 255, mnist.train_labels[:9600]
    test = mnist.test_images[:2000].flatten(1) / 255, mnist.test_labels[:2000]
    rows = []
    for seed in SEEDS:
        network = trained(seed, images, labels)
        for size in SIZES:  # a copy each: whoever asks in training mode leaves a trace
            asked = copy.deepcopy(network).train()
            rows.append(("train", size, seed, share_right(asked, *test, size)))
        rows.append(("eval", 500, seed, share_right(network.eval(), *test, 500)))
    return rows


if __name__ == "__main__":
    torch.set_num_threads(1)
    measured = measure()
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    made = f"{datetime.now(UTC):%Y-%m-%d}, {versions}"
    with RECORD.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# made by python docs/site/{Path(__file__).name}, {made}\n")
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["mode", "size", "seed", "right"])
        table.writerows(measured)
