"""What the package says to the tasks of lesson 7."""

import numpy as np

from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it


def instance_norm_forward(x, weight, bias, eps):
    return {"y": F.instance_norm(x, weight=weight, bias=bias, eps=eps)}


def restyle(content, style, eps):
    look = style.reshape(len(style), -1)
    weight, bias = np.sqrt(look.var(1) + eps), look.mean(1)
    return {"y": F.instance_norm(content[None], weight=weight, bias=bias, eps=eps)[0]}


ORACLES = {"instance_norm_forward": instance_norm_forward, "restyle": restyle}
