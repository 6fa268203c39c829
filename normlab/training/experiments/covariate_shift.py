"""Lesson 12: internal covariate shift or smoothness? Santurkar and others (2018), in small."""

import copy
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from normlab.data import load_mnist, shuffled_batches
from normlab.training.experiment import Experiment, Row, grid
from normlab.training.fit import as_inputs, evaluate
from normlab.training.network import seeded
from normlab.training.samples import HELD_OUT, Samples, for_test, held_out

HIDDEN, WIDTH = 5, 100
STEPS, MEASURE_EVERY = 400, 40
MULTIPLES = (0.5, 1.0, 2.0, 4.0)  # how far along the gradient the loss is looked at, in steps
WATCHED = 4  # the hidden layer whose input is watched


class Jitter(nn.Module):
    """In training mode scale and shift each unit by random numbers; in evaluation mode nothing.

    The numbers stay the same until `draw` is called, once a step: so the distributions that the
    next layer sees jump from step to step, whatever the layer before has done for them.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(size))
        self.register_buffer("shift", torch.zeros(size))

    def draw(self) -> None:
        """Draw scales between 0.5 and 1.5, and shifts between -0.5 and 0.5."""
        self.scale.uniform_(0.5, 1.5)
        self.shift.uniform_(-0.5, 0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x``, ``(N, size)``, scaled and shifted in training mode."""
        return self.scale * x + self.shift if self.training else x


def standardized(images: Tensor) -> Tensor:
    """Scale with MNIST's mean and spread: on inputs 0 to 1 the net without norm barely starts."""
    return (as_inputs(images) - 0.1307) / 0.3081


def deep_net(net: str, seed: int) -> nn.Sequential:
    """Build 784-100-100-100-100-100-10: five hidden layers, alike for one seed but for the norm.

    Parameters
    ----------
    net
        ``"none"``, ``"none, He"`` (weights drawn by He's rule instead of PyTorch's default, which
        makes every ReLU layer's output smaller than the last), ``"batch"`` (BatchNorm before each
        ReLU) or ``"noisy batch"`` (a `Jitter` between the two).
    seed
        Where the weights come from.
    """
    with seeded(seed):
        linears = [nn.Linear(784 if i == 0 else WIDTH, WIDTH) for i in range(HIDDEN)]
        last = nn.Linear(WIDTH, 10)
        if net == "none, He":
            for linear in linears:
                nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
                nn.init.zeros_(linear.bias)
    layers: list[nn.Module] = [nn.Flatten()]
    for linear in linears:
        norm = nn.BatchNorm1d(WIDTH) if "batch" in net else nn.Identity()
        jitter = Jitter(WIDTH) if net == "noisy batch" else nn.Identity()
        layers.append(nn.Sequential(linear, norm, jitter, nn.ReLU()))
    return nn.Sequential(*layers, last)


def measure(net: str, lr: float, seed: int) -> Iterator[Row]:
    """Train 400 steps; every 40 steps look at the accuracy, the drift and the loss's shape."""
    mnist = load_mnist(tensors=True)
    tested, unseen = for_test(standardized), held_out(standardized)
    network = deep_net(net, seed)
    optimizer = torch.optim.SGD(network.parameters(), lr=lr)
    before = None
    with seeded(seed):
        generator = torch.Generator().manual_seed(seed)
        batches = shuffled_batches(60_000 - HELD_OUT, 64, generator)
        for step, rows in zip(range(1, STEPS + 1), batches, strict=False):
            batch = standardized(mnist.train_images[rows]), mnist.train_labels[rows]
            for module in network.modules():
                if isinstance(module, Jitter):
                    module.draw()
            looked_at = step % MEASURE_EVERY == 0
            if looked_at:
                shape = {**along_the_gradient(network, batch, lr), "ics": ics(network, batch, lr)}
            optimizer.zero_grad()
            loss = F.cross_entropy(network(batch[0]), batch[1])
            loss.backward()
            optimizer.step()
            if looked_at:
                now = input_statistics(network, unseen[0][:500])
                yield {
                    "step": step,
                    "test_accuracy": evaluate(network, *tested)[1],
                    "held_out_accuracy": evaluate(network, *unseen)[1],
                    "train_loss": loss.item(),
                    "drift": math.nan if before is None else drift(before, now),
                    **shape,
                }
                before = now


@torch.no_grad()
def input_statistics(network: nn.Sequential, probe: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation, ``(units,)``, of what the watched layer's ReLU gets.

    Taken in training mode, over one fixed batch, on a copy: the buffers stay as they are.
    """
    copied = copy.deepcopy(network).train()
    x = copied[: WATCHED - 1](probe)  # the layers before the one that feeds it
    for part in list(copied[WATCHED - 1].children())[:-1]:  # linear, norm, jitter; not the ReLU
        x = part(x)
    return x.mean(0), x.std(0)


def drift(before: tuple[Tensor, Tensor], now: tuple[Tensor, Tensor]) -> float:
    """Return how far the units' means and spreads moved, measured in the spread before."""
    (old_mean, old_std), (mean, std) = before, now
    moved = (mean - old_mean).abs() + (std - old_std).abs()  # (units,)
    return (moved.mean() / old_std.mean()).item()


def along_the_gradient(network: nn.Module, batch: Samples, lr: float) -> dict[str, float]:
    """Walk along the batch's gradient, half a step to four, and look at loss and gradient.

    Returns
    -------
    dict
        ``loss_range``, the largest minus the smallest loss on the way; ``gradient_change``, how
        far the gradient gets from the first one at most, measured in the first one's length.
    """
    losses, changes = [], []
    first = gradients(network, batch)
    for multiple in MULTIPLES:
        there = after_a_step(network, network, first, multiple * lr)
        changes.append(_relative_distance(gradients(there, batch), first))
        with torch.no_grad():
            losses.append(F.cross_entropy(there(batch[0]), batch[1]).item())
    return {"loss_range": max(losses) - min(losses), "gradient_change": max(changes)}


def ics(network: nn.Sequential, batch: Samples, lr: float) -> float:
    """Return how much a layer's gradient changes because the layers before it take their step.

    The internal covariate shift as Santurkar and others define it (2018, definition 2.1), for the
    watched layer, relative to the gradient's length.
    """
    first = gradients(network, batch)
    after = gradients(after_a_step(network, network[1:WATCHED], first, lr), batch)
    names = [name for name, _ in network.named_parameters()]
    watched = names.index(f"{WATCHED}.0.weight")
    return _relative_distance([after[watched]], [first[watched]])


@torch.no_grad()
def after_a_step(network: nn.Module, part: nn.Module, slopes: list[Tensor], lr: float) -> nn.Module:
    """Return a copy of the network in which a part of it has gone a step down its slopes."""
    moved = {id(parameter) for parameter in part.parameters()}
    copied = copy.deepcopy(network)
    pairs = zip(network.parameters(), copied.parameters(), slopes, strict=True)
    for parameter, new, slope in pairs:
        if id(parameter) in moved:
            new.sub_(lr * slope)
    return copied


def gradients(network: nn.Module, batch: Samples) -> list[Tensor]:
    """Return the loss's gradient by each parameter, on a copy of the network."""
    copied = copy.deepcopy(network)
    loss = F.cross_entropy(copied(batch[0]), batch[1])
    return list(torch.autograd.grad(loss, list(copied.parameters())))


def _relative_distance(found: list[Tensor], first: list[Tensor]) -> float:
    zero = torch.zeros(())
    distance = sum(((a - b).square().sum() for a, b in zip(found, first, strict=True)), zero)
    return (distance / sum((b.square().sum() for b in first), zero)).sqrt().item()


EXPERIMENT = Experiment(
    question="Does BatchNorm help because the inputs of the layers drift less?",
    measure=measure,
    settings=grid(
        measure,
        lr=(0.01, 0.03, 0.1, 0.3, 1.0),
        net=("none", "none, He", "batch", "noisy batch"),
        seed=range(8),
    ),
    # Without norm, at these rates, the loss jumps from step to step, and where sums are rounded
    # otherwise it jumps at other steps. With BatchNorm, first weights that are 1e-6 larger or
    # smaller move the numbers by at most half of this.
    repeatable={"net": "batch", "lr": 0.1, "seed": 0},
    tolerances={
        "test_accuracy": 0.015,
        "held_out_accuracy": 0.015,
        "train_loss": 0.25,
        "drift": 0.002,
        "loss_range": 0.2,
        "gradient_change": 0.5,
        "ics": 0.1,
    },
)
