"""Lesson 4: dx of BatchNorm through the graph, node by node; the nodes are names of the model."""

import numpy as np

from normlab.tasks.case import Cases
from normlab.tasks.drawing_backward import first_channel_alone, on_all_roads


def batch_norm_backward_graph(dy, x, mean, var, x_hat, weight, eps):
    n = len(x)
    d = x - mean  # (N, C)
    r = 1 / np.sqrt(var + eps)  # (1, C)
    dx_hat = dy * weight  # (N, C)
    dr = (dx_hat * d).sum(axis=0, keepdims=True)  # (1, C)
    dv = dr * -0.5 * r**3  # (1, C)
    dd = dx_hat * r + dv * 2 * d / n  # (N, C), both roads
    dmu = -dd.sum(axis=0, keepdims=True)  # (1, C)
    dx = dd + dmu / n  # (N, C)
    return dx


def cases(rng: np.random.Generator) -> Cases:
    """Draw gradients that travel on one road each, and then on all."""
    yield from on_all_roads(rng, 3, 2)
    yield from on_all_roads(rng, 5, 3)
    yield from first_channel_alone(rng, ("mean",))
