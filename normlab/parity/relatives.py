"""Norms that torch has no layer for, in a few lines of torch each."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its name everywhere in PyTorch
from torch.nn.utils import parametrize


class QKNorm(nn.Module):
    """RMSNorm of each head of a projection ``(*, heads * head_dim)``; all heads share the weight.

    Twin of `normlab.nn.QKNorm`; heads, head_dim and eps as there.
    """

    def __init__(
        self, heads: int, head_dim: int, eps: float = 1e-6, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.heads, self.eps = heads, eps
        self.weight = nn.Parameter(torch.ones(head_dim, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Divide each head of each token by its root mean square."""
        parts = x.unflatten(-1, (self.heads, -1))  # (*, heads, head_dim)
        return F.rms_norm(parts, self.weight.shape, self.weight, self.eps).flatten(-2)


class AdaLayerNorm(nn.Module):
    """LayerNorm that is told its shift and scale: the halves of what a linear layer says.

    Twin of `normlab.nn.conditional.ada_layer_norm`.

    Parameters
    ----------
    features, known
        The sizes of a token and of a condition.
    """

    def __init__(self, features: int, known: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(features, eps=1e-6, elementwise_affine=False)
        self.told = nn.Linear(known, 2 * features)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return x ``(N, T, D)``, told by conditions ``(N, K)``; without any, by ones."""
        if condition is None:
            condition = x.new_ones(len(x), self.told.in_features)
        shift, scale = self.told(condition)[:, None].chunk(2, dim=-1)  # (N, 1, D) each
        return self.norm(x) * (1 + scale) + shift


class Standardized(nn.Module):
    """A parametrization: the weights of each output get mean 0 and variance 1.

    Twin of `normlab.nn.parametrizations.weight_standardization`.
    """

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight ``(out, *)`` that a layer computes with."""
        return F.layer_norm(weight, weight.shape[1:])


def standardized(layer: nn.Module) -> nn.Module:
    """Return a linear layer or a convolution that computes with `Standardized` weights."""
    parametrize.register_parametrization(layer, "weight", Standardized())
    return layer
