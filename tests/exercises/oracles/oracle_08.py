"""What the package says to the tasks of lesson 8."""

import numpy as np

from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it


def group_norm_forward(x, num_groups, weight, bias, eps):
    return {"y": F.group_norm(x, num_groups, weight, bias, eps)}


def two_ends(x, weight, bias, eps):
    layer = F.layer_norm(x, x.shape[1:], weight, bias, eps)
    return {"layer": layer, "instance": F.instance_norm(x, eps=eps)}


def group_norm_channels_last(x, num_groups, weight, bias, eps):
    first = F.group_norm(np.moveaxis(x, -1, 1), num_groups, weight, bias, eps)
    return {"y": np.moveaxis(first, 1, -1)}


def group_norm_labelled(images, labels, weight, bias, eps):
    """Take each label's channels for the images of a GroupNorm with one group."""
    y = np.full(images.shape, np.nan)
    for label in {*labels.tolist()}:
        own = [channel for channel, its in enumerate(labels) if its == label]
        y[:, own] = F.group_norm(images[:, own], 1, weight[own], bias[own], eps)
    return {"y": y}


def switchable_norm(x, mean_shares, var_shares, weight, bias, eps):
    """One value after the other."""
    y = np.empty(x.shape)
    for place in np.ndindex(x.shape):
        n, c = place[:2]
        seen = x[n, c], x[n], x[:, c]
        mean = sum(a * values.mean() for a, values in zip(mean_shares, seen, strict=True))
        var = sum(b * values.var() for b, values in zip(var_shares, seen, strict=True))
        y[place] = weight[c] * (x[place] - mean) / np.sqrt(var + eps) + bias[c]
    return {"y": y}


ORACLES = {
    "group_norm_forward": group_norm_forward,
    "two_ends": two_ends,
    "group_norm_channels_last": group_norm_channels_last,
    "group_norm_labelled": group_norm_labelled,
    "switchable_norm": switchable_norm,
}
