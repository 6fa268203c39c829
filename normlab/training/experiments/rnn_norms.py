"""Lesson 06: a norm inside a recurrent network; small batches, sequences of many lengths."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name everyone knows it by

from normlab.data import load_mnist, shuffled_batches
from normlab.training.experiment import Experiment, Row
from normlab.training.fit import as_inputs
from normlab.training.recurrent import RECURRENT_NORMS, STEPS, row_rnn

SEEDS = range(5)
# By batch size. The steps of both take about the same time.
TRAINING_STEPS = {64: 150, 4: 330}
# From a few trials with one seed and fixed lengths; not a search.
LEARNING_RATES = {64: 0.1, 4: 0.03}
TEST_IMAGES = 5000
SHORTEST = 12  # rows, where the lengths differ


def draw_lengths(kind: str, count: int, generator: torch.Generator) -> Tensor | None:
    """Draw how many rows of each image are read, ``(count,)``; None where all of them are."""
    if kind == "fixed":
        return None
    return torch.randint(SHORTEST, STEPS + 1, (count,), generator=generator)


def measure(norm: str, lengths: str, batch_size: int, seed: int, lr: float) -> list[Row]:
    """Train for a few hundred steps, and test on images whose lengths are drawn alike."""
    mnist = load_mnist(tensors=True)
    network = row_rnn(norm, seed)
    optimizer = torch.optim.SGD(network.parameters(), lr=lr)
    generator = torch.Generator().manual_seed(seed)
    batches = shuffled_batches(len(mnist.train_images), batch_size, generator)
    for _, batch in zip(range(TRAINING_STEPS[batch_size]), batches, strict=False):
        inputs = as_inputs(mnist.train_images[batch])  # (batch_size, 28, 28)
        logits = network(inputs, draw_lengths(lengths, batch_size, generator))
        optimizer.zero_grad()
        F.cross_entropy(logits, mnist.train_labels[batch]).backward()
        optimizer.step()
    network.eval()
    test_lengths = draw_lengths(lengths, TEST_IMAGES, torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = network(as_inputs(mnist.test_images[:TEST_IMAGES]), test_lengths)
    right = logits.argmax(1) == mnist.test_labels[:TEST_IMAGES]  # (TEST_IMAGES,)
    return [{"test_accuracy": right.double().mean().item()}]


EXPERIMENT = Experiment(
    name="rnn_norms",
    question="How do BatchNorm and LayerNorm in a small RNN bear small batches and many lengths?",
    measure=measure,
    settings=[
        {"norm": norm, "lengths": lengths, "batch_size": size, "seed": seed, "lr": lr}
        for lengths in ("fixed", "ragged")
        for size, lr in LEARNING_RATES.items()
        for norm in RECURRENT_NORMS
        for seed in SEEDS
    ],
    # Through 28 steps of a recurrence a difference in rounding grows more than elsewhere.
    tolerances={"test_accuracy": 0.05},
)
