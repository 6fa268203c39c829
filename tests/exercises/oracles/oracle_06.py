"""What the package's own LayerNorm says of lesson 6's cases, and torch of the rest."""

import numpy as np
import torch

from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it


def _forward(x, weight, bias, eps):
    return {"y": F.layer_norm(x, weight.shape, weight, bias, eps)}


def _backward(dy, x, weight, eps, **_cache):
    bias = np.zeros_like(weight)
    gradients = F.layer_norm_backward(dy, x, weight.shape, weight, bias, eps)
    return {"dx": gradients.input, "dweight": gradients.weight, "dbias": gradients.bias}


def _padded(x, lengths, weight, bias, eps):
    """One sequence after the other, cut to its length."""
    y = np.zeros(x.shape)
    for sequence, length, out in zip(x, lengths, y, strict=True):
        real = sequence[:length]
        out[:length] = F.layer_norm(real, real.shape, None, None, eps) * weight + bias
    return {"y": y}


def _over(x, layout, over, weight, bias, eps):
    """Move the named axes to the end, and there the package's LayerNorm can do it."""
    axes = [layout.index(letter) for letter in over]
    last = list(range(-len(axes), 0))
    moved = np.moveaxis(x, axes, last)
    y = F.layer_norm(moved, weight.shape, weight, bias, eps)
    return {"y": np.moveaxis(y, last, axes)}


def _channels_backward(dy, x_hat, inv_std, weight):
    """Let torch differentiate what has x_hat for its normalized values and inv_std before them."""
    x = torch.tensor(x_hat / inv_std, requires_grad=True)  # of mean 0
    learned = torch.tensor(weight, requires_grad=True)
    shift = torch.zeros(len(weight), dtype=torch.float64, requires_grad=True)
    var = (x**2).mean(1, keepdim=True) - x.mean(1, keepdim=True) ** 2
    eps = torch.tensor(1 / inv_std**2) - var.detach()
    normalized = (x - x.mean(1, keepdim=True)) / torch.sqrt(var + eps)
    y = learned[:, None, None] * normalized + shift[:, None, None]
    y.backward(torch.tensor(dy))
    return {
        "dx": x.grad.numpy(),
        "dweight": learned.grad.numpy(),
        "dbias": shift.grad.numpy(),
    }


def _fold(norm_weight, norm_bias, linear_weight, linear_bias):
    """Feed both layers 0 and each unit vector: that is all that a folded layer is."""

    def both(x_hat):
        return (norm_weight * x_hat + norm_bias) @ linear_weight.T + linear_bias

    at_zero = both(np.zeros(len(norm_weight)))
    return {"folded_weight": (both(np.eye(len(norm_weight))) - at_zero).T, "folded_bias": at_zero}


ORACLES = {
    "layer_norm_over": _over,
    "layer_norm_2d_backward": _channels_backward,
    "fold_layer_norm": _fold,
    "layer_norm_forward": _forward,
    "layer_norm_backward": _backward,
    "sequence_norm_padded": _padded,
}
