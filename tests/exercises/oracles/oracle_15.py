"""What torch's layers and autograd say to the tasks of lesson 15."""

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it


def _tensors(*arrays):
    return [torch.from_numpy(np.asarray(array)) for array in arrays]


def ada_layer_norm(x, condition, weight, bias, eps):
    x, condition, weight, bias = _tensors(x, condition, weight, bias)
    shift, scale = F.linear(condition, weight, bias)[:, None].chunk(2, dim=-1)
    return {"y": (F.layer_norm(x, x.shape[-1:], eps=eps) * (1 + scale) + shift).numpy()}


def told_backward(dy, x_hat, condition, weight):
    dy, x_hat, condition, weight = _tensors(dy, x_hat, condition, weight)
    bias = torch.zeros(len(weight), dtype=weight.dtype)
    told = [each.requires_grad_() for each in (condition, weight, bias)]
    shift, scale = F.linear(*told)[:, None].chunk(2, dim=-1)
    gradients = torch.autograd.grad(x_hat * (1 + scale) + shift, told, dy)
    names = ("dcondition", "dweight", "dbias")
    return {name: grad.numpy() for name, grad in zip(names, gradients, strict=True)}


def adaln_zero(x, shift, scale, gate, into, out, eps):
    x, shift, scale, gate, into, out = _tensors(x, shift, scale, gate, into, out)
    told = F.layer_norm(x, x.shape[-1:], eps=eps) * (1 + scale[:, None]) + shift[:, None]
    return {"y": (x + gate[:, None] * F.linear(F.linear(told, into).relu(), out)).numpy()}


def conditional_batch_norm(x, labels, gain, bias, eps):
    x, labels, gain, bias = _tensors(x, labels, gain, bias)
    x_hat = F.batch_norm(x, None, None, training=True, eps=eps)
    scale, shift = (F.embedding(labels, table)[..., None, None] for table in (gain, bias))
    return {"y": (torch.addcmul(shift, x_hat, 1 + scale)).numpy()}


def told_group_norm(h, condition, weight, bias, num_groups, eps):
    h, condition, weight, bias = _tensors(h, condition, weight, bias)
    scale, shift = F.linear(F.silu(condition), weight, bias)[..., None, None].chunk(2, dim=1)
    return {"y": (F.group_norm(h, num_groups, eps=eps) * (1 + scale) + shift).numpy()}


def spade(x, label_map, gain, bias, eps):
    x, label_map, gain, bias = _tensors(x, label_map, gain, bias)
    one_hot = F.one_hot(label_map, len(gain)).movedim(-1, 1).double()  # (N, labels, h, w)
    enlarged = F.interpolate(one_hot, x.shape[2:], mode="nearest")
    scale, shift = (F.conv2d(enlarged, table.T[:, :, None, None]) for table in (gain, bias))
    return {"y": (F.instance_norm(x, eps=eps) * (1 + scale) + shift).numpy()}


ORACLES = {
    "ada_layer_norm": ada_layer_norm,
    "told_backward": told_backward,
    "adaln_zero": adaln_zero,
    "conditional_batch_norm": conditional_batch_norm,
    "told_group_norm": told_group_norm,
    "spade": spade,
}
