"""Lesson 11: GroupNorm where the channels of a group depend on each other, and where not."""

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row, grid
from normlab.training.fit import as_inputs, evaluate
from normlab.training.network import article_net
from normlab.training.samples import fit_once, held_out

ROWS = 28
IMAGES = 12_800


def in_light(images: Tensor, light: str, seed: int) -> Tensor:
    """Return pixels ``(N, 784)``; where each row has its own light, another gain and offset."""
    pixels = as_inputs(images)  # (N, 28, 28)
    if light == "each row its own":
        generator = torch.Generator().manual_seed(seed)
        gain = torch.randn(len(pixels), ROWS, 1, generator=generator).exp()
        offset = torch.randn(len(pixels), ROWS, 1, generator=generator)
        pixels = gain * pixels + offset
    return pixels.flatten(1)


class GroupsOfPixels(nn.Module):
    """Normalize the 784 pixels of an image in groups: its rows, or as many shuffled ones."""

    order: Tensor

    def __init__(self, groups: str) -> None:
        super().__init__()
        order = torch.arange(28 * ROWS)
        if groups == "shuffled":
            order = torch.randperm(28 * ROWS, generator=torch.Generator().manual_seed(0))
        self.register_buffer("order", order)
        self.norm = nn.GroupNorm(1 if groups == "one group" else ROWS, 28 * ROWS, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, 784)``, normalized; the pixels stay in this module's order."""
        return self.norm(x[:, self.order])


def measure(light: str, groups: str, lr: float, seed: int) -> list[Row]:
    """Train the article's network, a GroupNorm before its first layer, for 200 steps."""
    lit = partial(in_light, light=light)
    few = load_mnist(tensors=True).first(IMAGES)
    few = replace(
        few,
        train_images=lit(few.train_images, seed=seed),
        test_images=lit(few.test_images, seed=1000 + seed),
    )
    network = article_net("none", seed)
    model = network if groups == "none" else nn.Sequential(GroupsOfPixels(groups), network)
    run = fit_once(model, few, lr=lr, seed=seed)
    _, accuracy = evaluate(model, *held_out(partial(lit, seed=2000 + seed)))
    return [{"held_out_accuracy": accuracy, "test_accuracy": run.final.test_accuracy}]


EXPERIMENT = Experiment(
    question="Is GroupNorm useful where the channels of a group depend on each other?",
    measure=measure,
    settings=grid(
        measure,
        light=("one for all rows", "each row its own"),
        groups=("none", "rows", "shuffled", "one group"),
        lr=(0.03, 0.1, 0.3, 1.0),
        seed=range(6),
    ),
    repeatable={"light": "one for all rows", "groups": "rows", "lr": 0.03, "seed": 0},
    tolerances={"held_out_accuracy": 0.015, "test_accuracy": 0.015},
)
