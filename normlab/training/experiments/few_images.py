"""Lesson 11: few images or many, shallow networks and a deep one, with norms and with dropout."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the name everyone knows it by

from normlab.data import load_mnist
from normlab.data.batches import endless_batches
from normlab.training.experiment import Experiment, Row
from normlab.training.fit import as_inputs, evaluate
from normlab.training.network import article_net, deep_mlp, seeded, small_cnn
from normlab.training.samples import for_test, held_out

# The norm of a network, and whether there is dropout behind it.
KINDS = {
    "none": ("none", False),
    "BatchNorm": ("batch", False),
    "LayerNorm": ("layer", False),
    "GroupNorm": ("group", False),
    "none, dropout": ("none", True),
    "BatchNorm, dropout": ("batch", True),
}
FEW, MANY = 500, 20_000  # with 400 batches of 50 the many are seen once, the few 40 times
LOW, HIGH = (0.01, 0.03, 0.1, 0.3), (0.03, 0.1, 0.3, 1.0)
# Trials had shown where the best rates lie.
LEARNING_RATES: dict[tuple[str, int], dict[str, tuple[float, ...]]] = {
    ("MLP", FEW): dict.fromkeys(KINDS, (*HIGH, 3.0)),
    ("MLP", MANY): dict.fromkeys(("none", "BatchNorm", "LayerNorm", "GroupNorm"), (0.01, *HIGH)),
    ("CNN", FEW): {**dict.fromkeys(KINDS, HIGH), "LayerNorm": LOW, "GroupNorm": LOW},
    ("CNN", MANY): {"none": HIGH, "BatchNorm": HIGH, "LayerNorm": LOW},
    ("deep MLP", MANY): {"none": LOW, "BatchNorm": HIGH, "LayerNorm": LOW},
}
STEPS, BATCH_SIZE = 400, 50
HELD_OUT = 2000  # the last training images: never trained on, the learning rate is chosen by them


def build(network: str, norm: str, seed: int) -> nn.Module:
    """Build the article's network, the small CNN, or eight hidden layers of 128 units."""
    if network == "deep MLP":
        return deep_mlp(8, 128, norm, seed)
    return article_net(norm, seed) if network == "MLP" else small_cnn(norm, seed)


def with_dropout(network: nn.Module) -> nn.Module:
    """Put dropout behind the norm, or the place for one, of every hidden layer."""
    for name in ("bn1", "bn2", "norm1", "norm2"):
        if hasattr(network, name):
            setattr(network, name, nn.Sequential(getattr(network, name), nn.Dropout(0.5)))
    return network


def measure(network: str, kind: str, images: int, lr: float, seed: int) -> list[Row]:
    """Train 400 steps on so many images, other ones for each seed; test on 5,000."""
    norm, dropout = KINDS[kind]
    mnist = load_mnist(tensors=True)
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(60_000 - HELD_OUT, generator=generator)[:images]  # (images,)
    inputs, labels = as_inputs(mnist.train_images[chosen]), mnist.train_labels[chosen]
    model = build(network, norm, seed)
    if dropout:
        model = with_dropout(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    with seeded(seed):  # of the dropout
        batches = endless_batches(images, BATCH_SIZE, generator)
        for _, rows in zip(range(STEPS), batches, strict=False):
            optimizer.zero_grad()
            F.cross_entropy(model(inputs[rows]), labels[rows]).backward()
            optimizer.step()
    row: Row = {}
    for name, samples in {
        "train": (inputs[:2000], labels[:2000]),
        "held_out": held_out(count=HELD_OUT),
        "test": for_test(count=5000),
    }.items():
        loss, accuracy = evaluate(model, *samples)
        row |= {f"{name}_accuracy": accuracy, f"{name}_loss": loss}
    return [row]


EXPERIMENT = Experiment(
    question="Which norm suits few images or many, a shallow network or a deep one; and dropout?",
    measure=measure,
    settings=[
        {"network": network, "kind": kind, "images": images, "lr": lr, "seed": seed}
        for (network, images), kinds in LEARNING_RATES.items()
        for kind, rates in kinds.items()
        for lr in rates
        for seed in range(6)
    ],
    repeatable={"network": "MLP", "kind": "BatchNorm", "images": FEW, "lr": 0.1, "seed": 0},
    # Weights that differ by a millionth end within 0.0002; a tenth of the steps less is 0.003.
    tolerances={
        f"{name}_{what}": 0.002
        for name in ("train", "held_out", "test")
        for what in ("accuracy", "loss")
    },
)
