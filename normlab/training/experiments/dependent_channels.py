"""Lesson 11: GroupNorm where the channels of a group depend on each other, and where not."""

import torch
from torch import Tensor, nn

from normlab.data import ImageDataset, load_mnist
from normlab.training.experiment import Experiment, Row
from normlab.training.fit import as_inputs, evaluate, fit
from normlab.training.network import article_net

ROWS = 28
LIGHTS = ("one for all rows", "each row its own")
GROUPS = ("none", "rows", "shuffled", "one group")
LEARNING_RATES = (0.03, 0.1, 0.3, 1.0)
SEEDS = range(6)
IMAGES, HELD_OUT = 12_800, 5000  # the last training images choose the rate; no one trains on them


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
    mnist = load_mnist(tensors=True)
    few = ImageDataset(
        in_light(mnist.train_images[:IMAGES], light, seed),
        mnist.train_labels[:IMAGES],
        in_light(mnist.test_images, light, 1000 + seed),
        mnist.test_labels,
    )
    network = article_net("none", seed)
    model = network if groups == "none" else nn.Sequential(GroupsOfPixels(groups), network)
    run = fit(model, few, epochs=1, lr=lr, seed=seed, device="cpu", progress=False)
    held_out = in_light(mnist.train_images[-HELD_OUT:], light, 2000 + seed)
    _, accuracy = evaluate(model, held_out, mnist.train_labels[-HELD_OUT:])
    return [{"held_out_accuracy": accuracy, "test_accuracy": run.final.test_accuracy}]


EXPERIMENT = Experiment(
    name="dependent_channels",
    question="Is GroupNorm useful where the channels of a group depend on each other?",
    measure=measure,
    settings=[
        {"light": light, "groups": groups, "lr": lr, "seed": seed}
        for light in LIGHTS
        for groups in GROUPS
        for lr in LEARNING_RATES
        for seed in SEEDS
    ],
    repeatable={"light": "one for all rows", "groups": "rows", "lr": 0.03, "seed": 0},
    tolerances={"held_out_accuracy": 0.015, "test_accuracy": 0.015},
)
