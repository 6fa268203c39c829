"""What the package says to the tasks of lesson 3."""

import math
from functools import partial

import numpy as np
import torch

from normlab.nn import BatchNorm1d
from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it
from normlab.tasks.scripts.BatchNorm import use


def update_running_stats(x, running_mean, running_var, momentum):
    mean, var = running_mean.copy(), running_var.copy()
    F.batch_norm(x, mean, var, training=True, momentum=momentum)
    return {"running_mean": mean, "running_var": var}


def batch_norm_eval(x, running_mean, running_var, weight, bias, eps):
    return {"y": F.batch_norm(x, running_mean, running_var, weight, bias, eps=eps)}


def batch_norm_class(**arguments):
    outputs = use(partial(BatchNorm1d, dtype=np.float64), **arguments)
    names = "y", "running_mean", "running_var", "num_batches_tracked", "refused"
    return {name: np.asarray(value) for name, value in zip(names, outputs, strict=True)}


def fold_batch_norm(linear_weight, linear_bias, running_mean, running_var, weight, bias, eps):
    """Ask the two layers what they answer to 0 and to each unit vector."""
    inputs = np.eye(linear_weight.shape[1] + 1, linear_weight.shape[1], k=-1)  # (D + 1, D)
    z = inputs @ linear_weight.T + linear_bias  # (D + 1, C)
    y = F.batch_norm(z, running_mean, running_var, weight, bias, eps=eps)
    return {"folded_weight": (y[1:] - y[0]).T, "folded_bias": y[0]}


def average_so_far(x, running_mean, running_var, num_batches_tracked):
    """Let the package's layer count, with momentum=None."""
    layer = BatchNorm1d(x.shape[1], momentum=None, dtype=np.float64)
    layer.running_mean, layer.running_var = running_mean.copy(), running_var.copy()
    layer.num_batches_tracked = num_batches_tracked
    layer(x)
    return {"running_mean": layer.running_mean, "running_var": layer.running_var}


def fold_into_next_conv(conv_weight, conv_bias, running_mean, running_var, weight, bias, eps):
    """Ask both layers, in torch, what they answer to 0 and to each lit pixel of one place."""
    places = conv_weight[0].size
    x = np.concatenate([np.zeros((1, places)), np.eye(places)])
    x = torch.from_numpy(x.reshape(-1, *conv_weight.shape[1:]))
    given = (torch.from_numpy(value) for value in (running_mean, running_var, weight, bias))
    u = torch.nn.functional.batch_norm(x, *given, eps=eps)
    kernel, shift = torch.from_numpy(conv_weight), torch.from_numpy(conv_bias)
    z = torch.nn.functional.conv2d(u, kernel, shift).flatten(1).numpy()  # (places + 1, O)
    folded = (z[1:] - z[0]).T.reshape(conv_weight.shape)
    return {"folded_weight": folded, "folded_bias": z[0]}


def batch_renorm(x, running_mean, running_var, weight, bias, eps, r_max, d_max):
    """Go channel by channel: normalize by a mean and a std between the batch's and the running."""
    y = np.empty_like(x)
    for c, column in enumerate(x.T):
        std, running = math.sqrt(column.var() + eps), math.sqrt(running_var[c] + eps)
        r = min(max(std / running, 1 / r_max), r_max)
        d = min(max((column.mean() - running_mean[c]) / running, -d_max), d_max)
        scale = std / r
        y[:, c] = weight[c] * (column - column.mean() + d * scale) / scale + bias[c]
    return {"y": y}


ORACLES = {
    "update_running_stats": update_running_stats,
    "batch_norm_eval": batch_norm_eval,
    "BatchNorm": batch_norm_class,
    "fold_batch_norm": fold_batch_norm,
    "average_so_far": average_so_far,
    "fold_into_next_conv": fold_into_next_conv,
    "batch_renorm": batch_renorm,
}
