"""Lesson 14: QK-norm, an RMSNorm of each head of queries and of keys, with grouped queries."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import NO_EPS, distinct_values, eps_under_each, scales


def qk_norm(q, k, q_weight, k_weight, heads, kv_heads, eps):
    q_heads = q.reshape(*q.shape[:2], heads, -1)  # (B, T, heads, size)
    k_heads = k.reshape(*k.shape[:2], kv_heads, -1)  # (B, T, kv_heads, size)
    q_square = (q_heads**2).mean(axis=-1, keepdims=True)  # (B, T, heads, 1)
    k_square = (k_heads**2).mean(axis=-1, keepdims=True)  # (B, T, kv_heads, 1)
    q_hat, k_hat = q_heads / np.sqrt(q_square + eps), k_heads / np.sqrt(k_square + eps)
    y, z = q_weight * q_hat, k_weight * k_hat
    return y.reshape(q.shape), z.reshape(k.shape)


def cases(rng: np.random.Generator) -> Cases:
    """Draw heads of very different sizes; in one draw as many heads as features, and as tokens.

    Queries and keys come without weights and eps, then with weights, then with eps.
    """
    for tokens, heads, kv_heads, size in ((3, 2, 1, 4), (2, 4, 2, 3), (2, 2, 2, 2)):
        loudness = 4.0 ** rng.permutation(heads)
        q = (distinct_values(rng, (2, tokens, heads, size)) + 0.5) * loudness[:, None]
        k = (distinct_values(rng, (2, tokens, kv_heads, size)) + 0.5) * loudness[:kv_heads, None]
        flat = {"q": q.reshape(2, tokens, -1), "k": k.reshape(2, tokens, -1)}
        ones = {"q_weight": np.ones(size), "k_weight": np.ones(size)}
        weights = {"q_weight": scales(rng, size), "k_weight": scales(rng, size)}
        eps = float(rng.integers(20, 90))
        name = f"{heads} heads of {size}, {kv_heads} of keys, {tokens} tokens"
        given = {**flat, **ones, "heads": heads, "kv_heads": kv_heads, "eps": NO_EPS}
        bare = Case(f"{name}, weights 1", ("heads",), given)
        yield from (bare, bare.then(_weighted, f"{name}, weights", "weights", **weights))
        yield bare.then(eps_under_each(q="q", k="k"), f"{name}, eps {eps:g}", "eps", eps=eps)


def _weighted(own: Outputs, arguments: Arguments) -> Outputs:
    """From weights of 1 to others, repeated for each head."""
    found = {}
    for name, weight in (("q", "q_weight"), ("k", "k_weight")):
        size = len(arguments[weight])
        heads = own[name].reshape(*own[name].shape[:2], -1, size)
        found[name] = (heads * arguments[weight]).reshape(own[name].shape)
    return found
