"""What the package and torch say to the tasks of lesson 1."""

import numpy as np
import torch

from normlab.nn import Normalize
from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it


def channel_statistics(images):
    _, mean, var, _, _ = F.standardize(images / 255, (0, 2, 3), eps=1.0)
    return {"mean": mean.reshape(-1), "std": np.sqrt(var).reshape(-1)}


def standardize(train, test):
    std = train.std((0, 2, 3))
    normalize = Normalize(train.mean((0, 2, 3)), np.where(std == 0, 1, std))
    return {"train": normalize(train), "test": normalize(test)}


def normalize_vectors(x, dim, eps):
    y = torch.nn.functional.normalize(torch.from_numpy(x), dim=dim, eps=eps)
    return {"y": y.numpy()}


ORACLES = {
    "channel_statistics": channel_statistics,
    "standardize": standardize,
    "normalize_vectors": normalize_vectors,
}
