"""What the package says to the tasks of lesson 2."""

from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it


def batch_norm(x, weight, bias, eps):
    return {"y": F.batch_norm(x, None, None, weight, bias, training=True, eps=eps)}


def linear_then_batch_norm(x, linear_weight, linear_bias, weight, bias, eps):
    z = x @ linear_weight.T  # (N, C)
    return {**batch_norm(z, weight, bias, eps), "mean": z.mean(0) + linear_bias, "var": z.var(0)}


ORACLES = {
    "batch_norm_forward": batch_norm,
    "batch_norm_forward_images": batch_norm,
    "linear_then_batch_norm": linear_then_batch_norm,
}
