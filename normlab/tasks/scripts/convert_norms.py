"""Give an answer a checkpoint of two layers, one with attention and one without."""

from collections.abc import Callable

import numpy as np

SHAPES = {
    "model.embed_tokens.weight": (5, 4),
    "model.layers.0.input_layernorm.weight": (4,),
    "model.layers.0.input_layernorm.bias": (4,),
    "model.layers.0.self_attn.q_proj.weight": (2, 4),
    "model.layers.0.self_attn.q_norm.weight": (2,),
    "model.layers.0.self_attn.k_norm.weight": (2,),
    "model.layers.0.post_attention_layernorm.weight": (4,),
    "model.layers.0.mlp.down_proj.weight": (2, 4),
    "model.layers.0.mlp.norm_mix.weight": (3,),  # no norm's: it ends otherwise
    "model.layers.1.input_layernorm.weight": (4,),
    "model.layers.1.pre_linear_attn_layernorm.weight": (4,),  # before it, not inside it
    "model.layers.1.linear_attn.dt_bias": (1,),
    "model.layers.1.linear_attn.norm.weight": (2,),
    "model.layers.1.linear_attn.out_proj.weight": (2, 4),
    "model.layers.1.post_attention_layernorm.weight": (4,),
    "model.norm.weight": (4,),
}


def use(answer: Callable, seed: int, to: str, spread: float) -> tuple:
    """Convert a checkpoint in float16; its norms hold w - 1 where w is asked for."""
    rng = np.random.default_rng(seed)
    state = {}
    for name, shape in SHAPES.items():
        centre = 1.0 if to != "w" or ".linear_attn." in name else 0.0
        centre *= name.endswith("norm.weight")
        state[name] = (centre + spread * rng.uniform(-1, 1, shape)).astype(np.float16)
    before = {name: value.copy() for name, value in state.items()}
    found = dict(answer(state, to))
    missing = [name for name in SHAPES if name not in found]
    if missing:
        raise KeyError(f"what came back has no {missing[0]}")
    wide = np.array([np.asarray(found[name]).dtype.itemsize for name in SHAPES])  # bytes a number
    arrays = {name: np.array(found.pop(name), dtype=np.float64) for name in SHAPES}
    kept = all(
        name in state and np.array_equal(state[name], value) for name, value in before.items()
    )
    blocks = [arrays.pop(name) for name in SHAPES if name.endswith("layernorm.weight")]
    heads = [arrays.pop(f"model.layers.0.self_attn.{one}_norm.weight") for one in "qk"]
    last, gated = (
        arrays.pop(name) for name in ("model.norm.weight", "model.layers.1.linear_attn.norm.weight")
    )
    shifted = np.concatenate([value.ravel() for value in (*blocks, *heads, last)])
    learned = shifted - (to == "w")  # what training has made of the 1
    rest = np.concatenate([value.ravel() for value in arrays.values()])
    answers = np.stack(blocks), np.stack(heads), last, gated, rest, learned
    return *answers, wide, float(kept)
