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

    Parameters
    ----------
    make
        The class.
    script
        Words: "train" and "eval" choose the mode, "batch" gives the layer the next of the
        batches, and "sample" the first row of the next batch, alone.
    x
        The batches, (K, N, C).
    weight, bias
        (C,), or None to leave them as they are at first.
    eps, momentum
        For the constructor, or None for its defaults.

    Returns
    -------
    tuple
        The last output, or 0 where there was none; running_mean, running_var,
        num_batches_tracked; and how many single samples were refused with a ValueError.
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
