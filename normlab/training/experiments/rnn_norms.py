"""Lesson 06: a norm inside a recurrent network; small batches, sequences of many lengths."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everyone knows it by

from normlab.data import load_mnist, shuffled_batches
from normlab.training.experiment import Experiment, Row
from normlab.training.fit import as_inputs
from normlab.training.recurrent import RECURRENT_NORMS, STEPS, row_rnn
from normlab.training.samples import HELD_OUT, for_test, held_out

# By batch size. The steps of both take about the same time.
TRAINING_STEPS = {64: 150, 4: 330}
LEARNING_RATES = {64: (0.01, 0.03, 0.1, 0.3, 1.0), 4: (0.001, 0.003, 0.01, 0.03, 0.1)}
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
    batches = shuffled_batches(len(mnist.train_images) - HELD_OUT, batch_size, generator)
    for _, batch in zip(range(TRAINING_STEPS[batch_size]), batches, strict=False):
        inputs = as_inputs(mnist.train_images[batch])  # (batch_size, 28, 28)
        logits = network(inputs, draw_lengths(lengths, batch_size, generator))
        optimizer.zero_grad()
        F.cross_entropy(logits, mnist.train_labels[batch]).backward()
        optimizer.step()
    return [
        {
            "held_out_accuracy": share_right(network, *held_out(), lengths),
            "test_accuracy": share_right(network, *for_test(count=5000), lengths),
        }
    ]


@torch.no_grad()
def share_right(network: nn.Module, inputs: Tensor, labels: Tensor, lengths: str) -> float:
    """Measure on images ``(N, 28, 28)``, whose lengths are drawn alike for all networks."""
    network.eval()
    drawn = draw_lengths(lengths, len(inputs), torch.Generator().manual_seed(0))
    right = network(inputs, drawn).argmax(1) == labels  # (N,)
    return right.double().mean().item()


EXPERIMENT = Experiment(
    question="How do BatchNorm and LayerNorm in a small RNN bear small batches and many lengths?",
    measure=measure,
    settings=[
        {"norm": norm, "lengths": lengths, "batch_size": size, "seed": seed, "lr": lr}
        for lengths in ("fixed", "ragged")
        for size, rates in LEARNING_RATES.items()
        for norm in RECURRENT_NORMS
        for lr in rates
        for seed in range(5)
    ],
    # The calmest: with weights that differ by a millionth it ends within 0.005, and at larger rates
    # within 0.1 at best. A norm, a step in ten or a row of the image less shows.
    repeatable={"norm": "layer", "lengths": "fixed", "batch_size": 64, "seed": 0, "lr": 0.01},
    tolerances={"test_accuracy": 0.015, "held_out_accuracy": 0.015},
)
