"""What the package says to the tasks of lesson 2."""

import numpy as np

from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it


def batch_norm(x, weight, bias, eps):
    return {"y": F.batch_norm(x, None, None, weight, bias, training=True, eps=eps)}


def linear_then_batch_norm(x, linear_weight, linear_bias, weight, bias, eps):
    z = x @ linear_weight.T  # (N, C)
    return {**batch_norm(z, weight, bias, eps), "mean": z.mean(0) + linear_bias, "var": z.var(0)}


def weighted_batch_norm(x, sample_weight, weight, bias, eps):
    """Let each sample come as often as its weight says, in a batch for the package."""
    often = np.rint(2 * sample_weight).astype(int)  # all weights are halves
    rows = np.repeat(x, often, axis=0)
    mean, var = rows.mean(0), rows.var(0)
    return {"y": F.batch_norm(x, mean, var, weight, bias, training=False, eps=eps)}


def whiten_two(x, eps):
    """Take the root of a 2 x 2 matrix by the formula of Cayley and Hamilton."""
    cov = np.cov(x.T, bias=True)
    matrix = cov + eps * np.eye(2)
    s = np.sqrt(np.linalg.det(matrix))
    root = (matrix + s * np.eye(2)) / np.sqrt(np.trace(matrix) + 2 * s)
    return {"y": np.linalg.solve(root, (x - x.mean(0)).T).T, "cov": cov}


ORACLES = {
    "batch_norm_forward": batch_norm,
    "batch_norm_forward_images": batch_norm,
    "linear_then_batch_norm": linear_then_batch_norm,
    "weighted_batch_norm": weighted_batch_norm,
    "whiten_two": whiten_two,
}
