"""Lesson 12: fifty layers with BatchNorm, and whether a gentler first step lets them learn."""

import copy

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from normlab.data import load_mnist, shuffled_batches
from normlab.training.experiment import Experiment, Row, grid
from normlab.training.experiments.covariate_shift import standardized
from normlab.training.fit import evaluate
from normlab.training.network import deep_mlp
from normlab.training.samples import HELD_OUT, for_test, held_out

STEPS, WARM_UP = 300, 50
FIRST_RATE = 1e-6  # of the warm-up; it grows by the same factor from step to step
CAP = 0.02  # of the clipping: the largest step of a weight matrix, in its own length


def rate_at(step: int, lr: float, way: str) -> float:
    """Return the learning rate of a step, which counts from 1."""
    if way != "warm-up" or step > WARM_UP:
        return lr
    return FIRST_RATE * (lr / FIRST_RATE) ** ((step - 1) / WARM_UP)


@torch.no_grad()
def clip_each_layer(network: nn.Module, lr: float) -> None:
    """Shorten the gradient of each weight matrix whose step would be more than `CAP` of it."""
    for parameter in network.parameters():
        if parameter.ndim == 2 and parameter.grad is not None:
            share = lr * parameter.grad.norm() / parameter.norm()
            parameter.grad *= min(1.0, CAP / share.item())


def measure(way: str, lr: float, seed: int) -> list[Row]:
    """Train fifty layers for 300 steps, and test with running and with the batch's statistics."""
    mnist = load_mnist(tensors=True)
    network = deep_mlp(50, 100, "batch", seed)
    second = network[4].get_parameter("weight")  # of the second layer: the first that is 100 x 100
    at_start = second.norm().item()
    optimizer = torch.optim.SGD(network.parameters(), lr=lr)
    generator = torch.Generator().manual_seed(seed)
    batches = shuffled_batches(60_000 - HELD_OUT, 64, generator)
    for step, rows in zip(range(1, STEPS + 1), batches, strict=False):
        inputs = standardized(mnist.train_images[rows])  # (64, 28, 28)
        optimizer.param_groups[0]["lr"] = rate_at(step, lr, way)
        optimizer.zero_grad()
        F.cross_entropy(network(inputs), mnist.train_labels[rows]).backward()
        if way == "clipped, each layer":
            clip_each_layer(network, lr)
        optimizer.step()
        if step == 1:
            after_one = second.norm().item()
    tested = for_test(standardized)
    return [
        {
            "growth_in_step_1": after_one / at_start,
            "growth_in_all": second.norm().item() / at_start,
            "held_out_accuracy": evaluate(network, *held_out(standardized))[1],
            "test_accuracy": evaluate(network, *tested)[1],
            "with_batch_statistics": with_batch_statistics(network, *tested),
        }
    ]


@torch.no_grad()
def with_batch_statistics(network: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of right answers in training mode, 1,000 images at a time."""
    copied = copy.deepcopy(network).train()
    right = [
        copied(x).argmax(1) == y
        for x, y in zip(inputs.split(1000), labels.split(1000), strict=True)
    ]
    return torch.cat(right).double().mean().item()


EXPERIMENT = Experiment(
    question="Does warm-up or clipping let a plain network of fifty BatchNorm layers learn?",
    measure=measure,
    settings=grid(
        measure,
        way=("plain", "warm-up", "clipped, each layer"),
        lr=(0.01, 0.03, 0.1, 0.3, 1.0),
        seed=range(5),
    ),
    # The explosion multiplies differences in rounding: what the first step does is all that
    # comes out alike elsewhere.
    repeatable={"way": "clipped, each layer", "lr": 0.1, "seed": 0},
    tolerances={
        "growth_in_step_1": 0.001,
        "growth_in_all": 0.02,
        "held_out_accuracy": 0.05,
        "test_accuracy": 0.05,
        "with_batch_statistics": 0.05,
    },
)
