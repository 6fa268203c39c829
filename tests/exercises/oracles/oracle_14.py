"""What the package's twins and torch say to the tasks of lesson 14."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

from normlab import nn as twins
from normlab.exercises import find


class _Called(twins.Module):
    """A branch that is a function."""

    def __init__(self, function):
        super().__init__()
        self.forward = function


def transformer_block(x, attention, mlp, norms, place):
    branches, unused = [_Called(attention), _Called(mlp)], iter(norms)
    return twins.Block(place, *branches, lambda: _Called(next(unused)))(x)


def qk_norm(q, k, q_weight, k_weight, heads, kv_heads, eps):
    found = {}
    for name, x, weight, count in (("q", q, q_weight, heads), ("k", k, k_weight, kv_heads)):
        layer = twins.QKNorm(count, len(weight), eps, dtype=np.float64)
        layer.load_state_dict({"weight": weight})
        found[name] = layer(x)
    return found


def rms_norm_16_bits(x, weight, offset, eps):
    x, weight = (torch.tensor(np.asarray(value, np.float64)) for value in (x, weight))
    return {"y": F.rms_norm(x, x.shape[-1:], offset + weight, eps).half().numpy()}


def gated_rms_norm(x, gate, weight, groups, eps):
    gated, weight = torch.tensor(x) * F.silu(torch.tensor(gate)), torch.tensor(weight)
    parts = gated.unflatten(-1, (groups, -1))
    return {"y": (F.rms_norm(parts, parts.shape[-1:], eps=eps).flatten(-2) * weight).numpy()}


def sandwich_backward(dy, x, matrix, weight_1, weight_2, eps):
    leaves = [torch.tensor(one, requires_grad=True) for one in (x, matrix, weight_1, weight_2)]
    x, matrix, weight_1, weight_2 = leaves
    branch = F.rms_norm(x, x.shape[-1:], weight_1, eps) @ matrix
    y = x + F.rms_norm(branch, x.shape[-1:], weight_2, eps)
    gradients = torch.autograd.grad(y, leaves, torch.tensor(dy))
    names = ("dx", "dmatrix", "dweight_1", "dweight_2")
    return {name: g.numpy() for name, g in zip(names, gradients, strict=True)}


def convert_norms(state, to):
    norms = {"input_layernorm", "post_attention_layernorm", "q_norm", "k_norm"}
    norms.add("pre_linear_attn_layernorm")
    shift = 1.0 if to == "w" else -1.0
    converted = {}
    for name, value in state.items():
        *_, layer, kind = name.split(".")
        shifted = kind == "weight" and (name == "model.norm.weight" or layer in norms)
        converted[name] = value.astype(np.float32) + shift * shifted
    return converted


def decoder(tokens, state, heads):
    """Use torch's own layers, with 1 added to each norm's weight before."""

    def rms(weight):
        layer = nn.RMSNorm(len(weight), eps=1e-6, dtype=weight.dtype)
        layer.weight.data.copy_(weight + 1)
        return layer

    x = F.embedding(tokens, state["embed_tokens"])
    for layer in state["layers"]:
        read = rms(layer["input_layernorm"])(x)
        q, k, v = (
            torch.stack((read @ layer[f"{name}_proj"].T).chunk(heads, -1), 1) for name in "qkv"
        )
        mixed = F.scaled_dot_product_attention(
            rms(layer["q_norm"])(q), rms(layer["k_norm"])(k), v, is_causal=True
        )
        x = x + torch.cat(mixed.unbind(1), -1) @ layer["o_proj"].T
        read = rms(layer["post_attention_layernorm"])(x)
        x = x + F.gelu(read @ layer["up_proj"].T) @ layer["down_proj"].T
    return x, rms(state["norm"])(x) @ state["lm_head"].T


def _put_to_use(program):
    exercise = find(program.__name__)

    def outputs(**arguments):
        return exercise.use.outputs_of(program, arguments, exercise.returns)

    return outputs


ORACLES = {
    "qk_norm": qk_norm,
    "rms_norm_16_bits": rms_norm_16_bits,
    "gated_rms_norm": gated_rms_norm,
    "sandwich_backward": sandwich_backward,
    **{one.__name__: _put_to_use(one) for one in (transformer_block, convert_norms, decoder)},
}
