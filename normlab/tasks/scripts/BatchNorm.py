"""Make a layer, call it as the script says, and look at its output and buffers."""

from collections.abc import Callable

import numpy as np


def use(
    make: Callable,
    script: str,
    x: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    eps: float | None,
    momentum: float | None,
) -> tuple:
    """Follow the script, and return the last output, the buffers and a count.

    The script's words: "train" and "eval" choose the mode, "batch" gives the layer the next of the
    batches x (K, N, C), and "sample" the first row of the next batch, alone. Of the others None
    leaves what the layer has by itself. There is an output of 0 where there was none; what is
    counted at last is the single samples that were refused with a ValueError.
    """
    layer = make(x.shape[2]) if eps is None else make(x.shape[2], eps, momentum)
    if weight is not None and bias is not None:
        layer.weight, layer.bias = weight.copy(), bias.copy()
    batches, y, counted, refused = iter(x), np.float64(0), None, 0
    for word in script.split():
        if word == "train":
            layer.train()
        elif word == "eval":
            layer.eval()
        elif word == "sample":
            # torch counts the batch that it refuses; whether one does is not asked.
            counted = np.copy(layer.num_batches_tracked)
            try:
                y = layer(next(batches)[:1])
            except ValueError:
                refused += 1
        else:
            y = layer(next(batches))
    counted = layer.num_batches_tracked if counted is None else counted
    return y, layer.running_mean, layer.running_var, counted, refused
