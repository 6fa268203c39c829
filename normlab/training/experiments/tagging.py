"""Lesson 11: InstanceNorm in a network that tags sequences, for two kinds of tag."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everyone knows it by

from normlab.training.experiment import Experiment, Row, grid
from normlab.training.network import seeded

NORMS: dict[str, Callable[[], nn.Module]] = {
    "none": nn.Identity,
    "instance": lambda: nn.InstanceNorm1d(8),
}
SEQUENCES, LENGTH, HELD_OUT = 900, 20, 200  # 500 to train on, 200 held out, 200 to test


def draw(tags: str, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw sequences and a tag for each step, both ``(900, 1, 20)``.

    Each sequence has a level of its own (and where the tags are relative to it, a gain too), as
    recordings do. ``"the level"``: the tag of every step is the sign of that level. ``"above the
    level"``: a step is tagged where the signal, without level and gain, is above 0.
    """
    level = torch.randn(SEQUENCES, 1, 1, generator=generator)
    signal = torch.randn(SEQUENCES, 1, LENGTH, generator=generator)
    if tags == "the level":
        return level + 0.5 * signal, (level > 0).float().expand(SEQUENCES, 1, LENGTH)
    gain = (0.5 * torch.randn(SEQUENCES, 1, 1, generator=generator)).exp()
    return gain * signal + 2 * level, (signal > 0).float()


def measure(tags: str, norm: str, lr: float, seed: int) -> list[Row]:
    """Train a small convolutional tagger for 20 passes over 500 sequences."""
    x, wanted = draw(tags, torch.Generator().manual_seed(seed))
    with seeded(seed):
        network = nn.Sequential(
            nn.Conv1d(1, 8, 3, padding=1),
            NORMS[norm](),
            nn.ReLU(),
            nn.Conv1d(8, 1, 3, padding=1),
        )
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    for rows in torch.arange(500).repeat(20).split(50):
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(network(x[rows]), wanted[rows]).backward()
        optimizer.step()
    with torch.no_grad():
        right = ((network(x) > 0) == (wanted > 0)).double().mean((1, 2))  # (900,)
    return [
        {
            "held_out_accuracy": right[500 : 500 + HELD_OUT].mean().item(),
            "test_accuracy": right[500 + HELD_OUT :].mean().item(),
        }
    ]


EXPERIMENT = Experiment(
    question="Does InstanceNorm help to tag sequences, and what does it depend on?",
    measure=measure,
    settings=grid(
        measure,
        tags=("the level", "above the level"),
        norm=NORMS,
        lr=(0.01, 0.03, 0.1, 0.3),
        seed=range(8),
    ),
    repeatable={"tags": "above the level", "norm": "instance", "lr": 0.03, "seed": 0},
    tolerances={"held_out_accuracy": 0.02, "test_accuracy": 0.02},
)
