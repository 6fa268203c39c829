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


def partial_rms_norm(x, part, weight, eps):
    """Read the divisor off what the package's RMSNorm makes of the part."""
    ones = np.ones(part)
    some = np.where(x[..., :part] == 0, 1.0, x[..., :part])  # no quotient of zeros
    divisor = np.sqrt((x[..., :part] ** 2).mean(-1, keepdims=True) + eps)
    if (some == x[..., :part]).all():
        divisor = (some / F.rms_norm(some, (part,), ones, eps))[..., :1]
    return {"y": x / divisor * weight}


def standardize_kernels(v, gain, eps):
    """One output after the other, as weight norm of centred weights with something added."""
    outputs = []
    for kernel, length in zip(v, gain, strict=True):
        centred = kernel - kernel.mean()
        outputs.append(length * centred / np.sqrt((centred**2).sum() + eps))
    return {"w": np.array(outputs)}


def statistics_without(count, mean, var, part_count, part_mean, part_var):
    """Solve for the rest that merges with the part into the whole."""
    rest = count - part_count
    rest_mean = mean + (mean - part_mean) * part_count / rest
    distances = part_count * (part_mean - mean) ** 2 + rest * (rest_mean - mean) ** 2
    rest_var = (count * var - part_count * part_var - distances) / rest
    workers = [(part_count, part_mean, part_var), (rest, rest_mean, rest_var)]
    _, again, its_var = merge([Statistics(n, m, v) for n, m, v in workers])
    assert np.allclose(again, mean)
    assert np.allclose(its_var, var)
    return {"rest_mean": rest_mean, "rest_var": rest_var}


ORACLES = {
    "partial_rms_norm": partial_rms_norm,
    "standardize_kernels": standardize_kernels,
    "statistics_without": statistics_without,
    "rms_norm_forward": rms_norm_forward,
    "local_response_norm": local_response_norm,
    "weight_norm": weight_norm,
    "merge_statistics": merge_statistics,
}
