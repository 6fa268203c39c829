"""Give a model file a checkpoint and some text."""

from collections.abc import Callable

import numpy as np
import torch

from normlab.tasks.scripts.together import plain, undisturbed


@undisturbed
def use(answer: Callable, tokens: np.ndarray, seed: int, heads: int, layers: int) -> tuple:
    """Ask for the stream and the scores of tokens (B, T); heads are 4 wide, there are 5 letters."""
    width, rng = 4 * heads, np.random.default_rng(seed)

    def numbers(*shape: int, size: float = 1.0) -> torch.Tensor:
        return torch.from_numpy(size * rng.normal(size=shape))

    def layer() -> dict[str, torch.Tensor]:
        norms = {
            "input_layernorm": width,
            "q_norm": 4,
            "k_norm": 4,
            "post_attention_layernorm": width,
        }
        loud = np.repeat(4.0 ** np.arange(heads), 4)[:, None]  # heads of very different sizes
        matrices = {
            "q_proj": numbers(width, width) * torch.from_numpy(loud),
            "k_proj": numbers(width, width) * torch.from_numpy(loud[::-1].copy()),
            "v_proj": numbers(width, width),
            "o_proj": numbers(width, width),
            "up_proj": numbers(2 * width, width),
            "down_proj": numbers(width, 2 * width),
        }
        return matrices | {name: numbers(size, size=0.3) for name, size in norms.items()}

    state = {
        "embed_tokens": numbers(5, width),
        "layers": [layer() for _ in range(layers)],
        "norm": numbers(width, size=0.3),
        "lm_head": numbers(5, width),
    }
    stream, scores = answer(torch.from_numpy(tokens), state, heads)
    return plain(stream), plain(scores)
