"""What torch says to the task of lesson 0."""

import torch
from torch import nn


def subtract_mean(x):
    """Let BatchNorm take the mean away, and give the spread back."""
    x = torch.from_numpy(x)  # (N, C)
    layer = nn.BatchNorm1d(x.shape[1], eps=1e-300, affine=False, dtype=torch.float64)
    return {"y": (layer(x) * x.std(0, correction=0)).numpy()}


ORACLES = {"subtract_mean": subtract_mean}
