"""The network of the article the course grew from."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

from normlab.data import ImageDataset

Maker = TypeVar("Maker")

# How each norm is made for a layer of `size` units.
NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda size: nn.Identity(),
    "batch": nn.BatchNorm1d,
    "layer": nn.LayerNorm,
    "group": lambda size: nn.GroupNorm(8, size),
    "rms": nn.RMSNorm,
    "batch-no-affine": lambda size: nn.BatchNorm1d(size, affine=False),
}


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from a seed in a ``with`` block; the global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def chosen(norm: str, norms: Mapping[str, Maker]) -> Maker:
    """Return what makes the norm of this name; say which there are, where it is none of them."""
    if norm not in norms:
        raise ValueError(f"No norm is called {norm!r}. Choose one of: {', '.join(norms)}.")
    return norms[norm]


class ArticleNet(nn.Module):
    """The article's MLP: 784-256-128-10, a norm and a ReLU after each of the first two layers.

    With ``norm="batch"`` it has the layers and the names of the article's ``MyNetwork``: ``fc1``,
    ``bn1``, ``fc2``, ``bn2``, ``fc3``. The other norms stand in the same two places.

    Parameters
    ----------
    norm
        ``"batch"``, ``"none"``, ``"layer"``, ``"group"`` (8 groups), ``"rms"`` or
        ``"batch-no-affine"`` (BatchNorm without weight and bias).
    inputs, classes
        How many pixels go in and how many logits come out: MNIST's, where nothing is said.

    Raises
    ------
    ValueError
        If there is no such norm, or if an image has another number of pixels.

    Notes
    -----
    Images ``(N, 28, 28)`` and vectors ``(N, 784)`` both go in: the network flattens what it is
    given, which the article's code forgets. Out come logits, ``(N, 10)``.
    """

    def __init__(self, norm: str = "batch", inputs: int = 784, classes: int = 10) -> None:
        super().__init__()
        make = chosen(norm, NORMS)
        self.fc1 = nn.Linear(inputs, 256)
        self.bn1 = make(256)
        self.fc2 = nn.Linear(256, 128)
        self.bn2 = make(128)
        self.fc3 = nn.Linear(128, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, ``(N, 10)``, of images ``(N, 28, 28)`` or vectors ``(N, 784)``."""
        shape, x = tuple(x.shape), x.flatten(1)  # (N, 784)
        if x.shape[1] != self.fc1.in_features:
            raise ValueError(
                f"This network takes {self.fc1.in_features} numbers a sample, and a batch of shape "
                f"{shape} has {x.shape[1]}. article_net(norm, dataset=...) makes one that fits."
            )
        x = torch.relu(self.bn1(self.fc1(x)))  # (N, 256)
        x = torch.relu(self.bn2(self.fc2(x)))  # (N, 128)
        return self.fc3(x)  # (N, 10)


def article_net(
    norm: str = "batch", seed: int = 0, *, dataset: ImageDataset | None = None
) -> ArticleNet:
    """Build the article's network with weights drawn from a seed.

    The linear layers get the same weights whatever the norm, so that networks of one seed differ
    in the norm alone. The global random state is left as it was.

    Parameters
    ----------
    norm
        See `ArticleNet`.
    seed
        Where the weights come from.
    dataset
        What it is to be trained on, where that has other images or classes than MNIST.
    """
    sizes = (math.prod(dataset.image_size), dataset.classes) if dataset else ()
    with seeded(seed):
        return ArticleNet(norm, *sizes)


# The same for a feature map of `channels` by `size` by `size`.
IMAGE_NORMS: dict[str, Callable[[int, int], nn.Module]] = {
    "none": lambda channels, size: nn.Identity(),
    "batch": lambda channels, size: nn.BatchNorm2d(channels),
    "layer": lambda channels, size: nn.LayerNorm([channels, size, size]),
    "instance": lambda channels, size: nn.InstanceNorm2d(channels, affine=True),
    "group": lambda channels, size: nn.GroupNorm(8, channels),
    "rms": lambda channels, size: nn.RMSNorm([channels, size, size]),
    "batch-no-affine": lambda channels, size: nn.BatchNorm2d(channels, affine=False),
}


class SmallCNN(nn.Module):
    """A small convolutional network for 28 x 28 images: two convolutions, each with a norm.

    Parameters
    ----------
    norm
        ``"batch"``, ``"none"``, ``"layer"``, ``"instance"`` (with weight and bias), ``"group"``
        (8 groups), ``"rms"`` or ``"batch-no-affine"`` (BatchNorm without weight and bias).

    Raises
    ------
    ValueError
        If there is no such norm.
    """

    def __init__(self, norm: str = "batch") -> None:
        super().__init__()
        make = chosen(norm, IMAGE_NORMS)
        self.conv1 = nn.Conv2d(1, 16, kernel_size=3, stride=2, padding=1)
        self.norm1 = make(16, 14)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=3, stride=2, padding=1)
        self.norm2 = make(32, 7)
        self.fc = nn.Linear(32 * 7 * 7, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, ``(N, 10)``, of images ``(N, 28, 28)``."""
        if x.shape[1:] != (28, 28):
            raise ValueError(
                f"This network takes images of 28 × 28, (N, 28, 28), got {tuple(x.shape)}."
            )
        x = x.unsqueeze(1)  # (N, 1, 28, 28)
        x = torch.relu(self.norm1(self.conv1(x)))  # (N, 16, 14, 14)
        x = torch.relu(self.norm2(self.conv2(x)))  # (N, 32, 7, 7)
        return self.fc(x.flatten(1))  # (N, 10)


def small_cnn(norm: str = "batch", seed: int = 0) -> SmallCNN:
    """Build the small convolutional network with weights drawn from a seed.

    As with `article_net`, networks of one seed differ in the norm alone.

    Parameters
    ----------
    norm
        See `SmallCNN`.
    seed
        Where the weights come from.
    """
    with seeded(seed):
        return SmallCNN(norm)


def deep_mlp(depth: int, width: int, norm: str, seed: int = 0) -> nn.Sequential:
    """Build so many layers of `width` units, each with a norm and a ReLU, for images of 784.

    The weights are drawn by He's rule: with PyTorch's default a deep network hardly learns without
    a norm, whatever the data.
    """
    with seeded(seed):
        layers: list[nn.Module] = [nn.Flatten()]
        for size in (784, *[width] * (depth - 1)):
            linear = nn.Linear(size, width)
            nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
            nn.init.zeros_(linear.bias)
            layers += [linear, NORMS[norm](width), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(width, 10))
