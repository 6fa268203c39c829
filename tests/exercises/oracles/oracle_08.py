"""What the package says to the tasks of lesson 8."""

from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it


def group_norm_forward(x, num_groups, weight, bias, eps):
    return {"y": F.group_norm(x, num_groups, weight, bias, eps)}


def two_ends(x, weight, bias, eps):
    layer = F.layer_norm(x, x.shape[1:], weight, bias, eps)
    return {"layer": layer, "instance": F.instance_norm(x, eps=eps)}


ORACLES = {"group_norm_forward": group_norm_forward, "two_ends": two_ends}
