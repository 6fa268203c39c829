"""What the experiments on the claims share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from normlab.data import load_mnist
from normlab.training import recorded
from normlab.training.experiment import Scalar


@dataclass(frozen=True)
class Seen:
    """What an experiment on a claim has shown."""

    says: str  # in a sentence
    holds: bool = False  # the claim is right as it is written
    core: bool = False  # if not, something in it is true: imprecise; without it: wrong
    argued: str = ""  # "contested" or "untestable", where no single measurement can decide

    @property
    def verdict(self) -> str:
        """The verdict that follows."""
        return self.argued or ("right" if self.holds else "imprecise" if self.core else "wrong")


CHECKS: dict[str, Callable[[], Seen]] = {}


def about(*claims: str) -> Callable[[Callable[[], Seen]], Callable[[], Seen]]:
    """Mark a function as the experiment on these claims."""

    def add(check: Callable[[], Seen]) -> Callable[[], Seen]:
        CHECKS.update(dict.fromkeys(claims, check))
        return check

    return add


def measured(name: str, column: str = "test_accuracy", **chosen: Scalar) -> np.ndarray:
    """Return recorded shares in percent, one for each seed."""
    return 100 * recorded(name).values(column, **chosen)  # (seeds,)


def at_its_best(name: str, column: str = "test_accuracy", **chosen: Scalar) -> np.ndarray:
    """Return what a network measured at the learning rate that was best on held-out digits."""
    rows = [row for row in recorded(name).rows if all(row[k] == v for k, v in chosen.items())]
    rates = dict.fromkeys(row["lr"] for row in rows)
    lr = max(rates, key=lambda lr: measured(name, "held_out_accuracy", lr=lr, **chosen).mean())
    return measured(name, column, lr=lr, **chosen)


def told(values: np.ndarray) -> str:
    """Write mean and standard deviation in percent."""
    return f"{values.mean():.1f} ± {values.std(ddof=1):.1f} %"


@cache
def digits() -> Tensor:
    """Return 256 training digits, ``(256, 784)``, from 0 to 1."""
    return load_mnist(tensors=True).train_images[:256].flatten(1) / 255


@cache
def labels() -> Tensor:
    """Return the labels of `digits`, ``(256,)``."""
    return load_mnist(tensors=True).train_labels[:256]


def drawn(*shape: int, seed: int = 0, **options: Any) -> Tensor:  # noqa: ANN401 - of torch.randn
    """Draw normal numbers, the same for the same seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), **options)


def moved_by(norm: nn.Module, shape: tuple[int, ...] = (4, 6, 5)) -> Tensor:
    """Return which outputs change with the number in sample 0, channel 0, position 0: (N, C, L)."""
    x = drawn(*shape)
    other = x.clone()
    other[0, 0, 0] += 1
    return (norm(x) - norm(other)).abs().detach() > 1e-6


def complaint(call: Callable[[], object]) -> str | None:
    """Return the first line of what torch complains of; None if it does not."""
    try:
        call()
    except (ValueError, RuntimeError) as error:
        return str(error).split("\n")[0]
    return None
