"""The network of the article the course grew from."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

# How each norm is made for a layer of `size` units.
NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda size: nn.Identity(),
    "batch": nn.BatchNorm1d,
    "layer": nn.LayerNorm,
    "group": lambda size: nn.GroupNorm(8, size),
    "rms": nn.RMSNorm,
}


class ArticleNet(nn.Module):
    """The article's MLP: 784-256-128-10, a norm and a ReLU after each of the first two layers.

    With ``norm="batch"`` it has the layers and the names of the article's ``MyNetwork``: ``fc1``,
    ``bn1``, ``fc2``, ``bn2``, ``fc3``. The other norms stand in the same two places.

    Parameters
    ----------
    norm
        ``"batch"``, ``"none"``, ``"layer"``, ``"group"`` (8 groups) or ``"rms"``.

    Raises
    ------
    ValueError
        If there is no such norm.

    Notes
    -----
    Images ``(N, 28, 28)`` and vectors ``(N, 784)`` both go in: the network flattens what it is
    given, which the article's code forgets. Out come logits, ``(N, 10)``.
    """

    def __init__(self, norm: str = "batch") -> None:
        super().__init__()
        if norm not in NORMS:
            raise ValueError(f"No norm is called {norm!r}. Choose one of: {', '.join(NORMS)}.")
        self.fc1 = nn.Linear(784, 256)
        self.bn1 = NORMS[norm](256)
        self.fc2 = nn.Linear(256, 128)
        self.bn2 = NORMS[norm](128)
        self.fc3 = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, ``(N, 10)``, of images ``(N, 28, 28)`` or vectors ``(N, 784)``."""
        x = x.flatten(1)  # (N, 784)
        x = torch.relu(self.bn1(self.fc1(x)))  # (N, 256)
        x = torch.relu(self.bn2(self.fc2(x)))  # (N, 128)
        return self.fc3(x)  # (N, 10)


def article_net(norm: str = "batch", seed: int = 0) -> ArticleNet:
    """Build the article's network with weights drawn from a seed.

    The linear layers get the same weights whatever the norm, so that networks of one seed differ
    in the norm alone. The global random state is left as it was.

    Parameters
    ----------
    norm
        See `ArticleNet`.
    seed
        Where the weights come from.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ArticleNet(norm)
