"""Right programs of another hand, put to use as a learner's: the oracle of lesson 5's models."""

import copy

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

from normlab.exercises import find
from normlab.training import ArticleNet


def train_and_measure(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    train_batches: list,
    test_batches: list,
    epochs: int,
) -> list[float]:
    """Train in training mode, measure in evaluation mode, and leave training mode behind."""
    losses = []
    for _ in range(epochs):
        network.train()
        for x, y in train_batches:
            loss = F.cross_entropy(network(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            total = sum(F.cross_entropy(network(x), y, reduction="sum") for x, y in test_batches)
        losses.append(total.item() / sum(len(y) for _, y in test_batches))
        network.train()
    return losses


def train_one_epoch(network: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> None:
    """Train with momentum, where the model takes plain steps."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9)
    network.train()
    for rows in torch.randperm(len(inputs)).split(64):
        optimizer.zero_grad()
        F.cross_entropy(network(inputs[rows]), labels[rows]).backward()
        optimizer.step()


def _put_to_use(name, program):
    exercise = find(name)

    def outputs(**arguments):
        return exercise.use.outputs_of(program, arguments, exercise.returns)

    return outputs


def with_batch_norm(network: nn.Module) -> nn.Module:
    """Copy the layers, and put in the norms from the end on."""
    layers = [copy.deepcopy(layer) for layer in network]
    linear = [place for place, layer in enumerate(layers) if type(layer) is nn.Linear]
    for place in linear[-2::-1]:
        layers.insert(place + 1, nn.BatchNorm1d(layers[place].weight.shape[0]))
    return nn.Sequential(*layers)


def norms_that_remember(state: dict[str, torch.Tensor], tiny: float) -> list[tuple]:
    """Group the keys by layers first."""
    layers: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in state.items():
        *path, last = key.split(".")
        layers.setdefault(".".join(path), {})[last] = value
    return [
        (
            name,
            own["running_mean"].numel(),
            own["num_batches_tracked"].item(),
            sum(value < tiny for value in own["running_var"].tolist()),
        )
        for name, own in layers.items()
        if {"running_mean", "running_var"} <= own.keys()
    ]


ORACLES = {
    "MyNetwork": _put_to_use("MyNetwork", ArticleNet),
    "train_and_measure": _put_to_use("train_and_measure", train_and_measure),
    "train_one_epoch": _put_to_use("train_one_epoch", train_one_epoch),
    "with_batch_norm": _put_to_use("with_batch_norm", with_batch_norm),
    "norms_that_remember": _put_to_use("norms_that_remember", norms_that_remember),
}
