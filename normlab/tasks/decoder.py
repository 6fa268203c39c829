"""Lesson 14: a small model file, read against its checkpoint."""

import numpy as np
import torch
from torch.nn.functional import gelu, scaled_dot_product_attention

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import seed_of_numbers


def decoder(tokens, state, heads):
    def norm(x, weight):
        mean_square = x.pow(2).mean(-1, keepdim=True)
        return x * torch.rsqrt(mean_square + 1e-6) * (1 + weight)

    x = state["embed_tokens"][tokens]  # (B, T, D)
    shape = x.shape
    for layer in state["layers"]:
        read = norm(x, layer["input_layernorm"])
        q, k, v = (read @ layer[name].T for name in ("q_proj", "k_proj", "v_proj"))
        q, k, v = (one.view(*shape[:2], heads, -1).transpose(1, 2) for one in (q, k, v))
        q = norm(q, layer["q_norm"])
        k = norm(k, layer["k_norm"])
        mixed = scaled_dot_product_attention(q, k, v, is_causal=True)
        found = mixed.transpose(1, 2).reshape(shape) @ layer["o_proj"].T
        x = x + found
        read = norm(x, layer["post_attention_layernorm"])
        x = x + gelu(read @ layer["up_proj"].T) @ layer["down_proj"].T
    hidden = norm(x, state["norm"])
    return x, hidden @ state["lm_head"].T


def cases(rng: np.random.Generator) -> Cases:
    """Draw checkpoints without a layer, with one head, with several, and with two layers."""
    for layers, heads, aspects in (
        (0, 1, "start last"),
        (1, 1, "block"),
        (1, 3, "heads"),
        (2, 2, ""),
    ):
        arguments = {
            "tokens": rng.integers(0, 5, (2, 4)),
            "seed": seed_of_numbers(rng),
            "heads": heads,
            "layers": layers,
        }
        some = "no layer" if not layers else f"{layers} layer{'s' * (layers > 1)} of {heads} heads"
        yield Case(some.replace("1 heads", "1 head"), tuple(aspects.split()), arguments)
