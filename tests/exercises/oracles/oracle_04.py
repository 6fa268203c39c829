"""What the package's own BatchNorm says of lesson 4's cases."""

import numpy as np

from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it


def _gradients(dy, x, weight, eps, **_cache):
    bias = np.zeros_like(weight)
    return F.batch_norm_backward(dy, x, None, None, weight, bias, training=True, eps=eps)


def _parameters(**cache):
    gradients = _gradients(**cache)
    return {"dweight": gradients.weight, "dbias": gradients.bias}


def _dx(**cache):
    return {"dx": _gradients(**cache).input}


ORACLES = {
    "batch_norm_backward_parameters": _parameters,
    "batch_norm_backward_graph": _dx,
    "batch_norm_backward": _dx,
}
