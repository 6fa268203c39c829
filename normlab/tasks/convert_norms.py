"""Lesson 14: convert the norms of a checkpoint between w and w - 1."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import seed_of_numbers


def convert_norms(state, to):
    step = 1 if to == "w" else -1
    converted = {}
    for name, value in state.items():
        wide = value.astype(np.float32)
        is_norm = name.endswith("norm.weight")
        gated = ".linear_attn." in name
        if is_norm and not gated:
            wide = wide + step
        converted[name] = wide
    return converted


def cases(rng: np.random.Generator) -> Cases:
    """Draw checkpoints of two layers, whose norms hold numbers near 0 or near 1."""
    aspects = ("blocks", "heads", "last", "gated", "rest", "kept")
    for to in ("w", "w - 1"):
        arguments = {"seed": seed_of_numbers(rng), "to": to, "spread": 0.4}
        yield Case(f'to "{to}"', aspects, arguments, tolerance=2e-3)
        arguments = {"seed": seed_of_numbers(rng), "to": to, "spread": 0.01}
        yield Case(f'to "{to}", to the last digit', ("digits",), arguments, tolerance=2e-5)


def seen(*_):
    return {
        "blocks": (5, 4),
        "heads": (2, 2),
        "last": (4,),
        "gated": (2,),
        "rest": (52,),
        "learned": (28,),
        "wide": (16,),
        "kept": (),
    }


def read(blocks, heads, last, gated, rest, learned, wide, kept, *_):
    """Answer with what was seen."""
    return blocks, heads, last, gated, rest, learned, wide, kept
