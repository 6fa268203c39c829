"""What the package says to the tasks of lesson 9."""

import numpy as np

from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it
from normlab.nn import parametrizations
from normlab.nn.sync import Statistics
from normlab.nn.sync import merge_statistics as merge


def rms_norm_forward(x, weight, eps):
    x, weight = (np.asarray(value, np.float64) for value in (x, weight))
    return {"y": F.rms_norm(x, x.shape[-1:], weight, eps)}


def local_response_norm(x, size, alpha, beta, k):
    return {"y": F.local_response_norm(x, size, alpha, beta, k)}


def weight_norm(v, g):
    return {"w": parametrizations.weight_norm(g.reshape(-1, *[1] * (v.ndim - 1)), v)}


def merge_statistics(counts, means, variances):
    workers = zip(counts, means, variances, strict=True)
    _, mean, var = merge([Statistics(int(n), m, v) for n, m, v in workers])
    return {"mean": mean, "var": var}


ORACLES = {
    "rms_norm_forward": rms_norm_forward,
    "local_response_norm": local_response_norm,
    "weight_norm": weight_norm,
    "merge_statistics": merge_statistics,
}
