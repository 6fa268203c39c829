"""Lesson 14: one block of a transformer, its norms in five places."""

import numpy as np

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import distinct_values, scales, shifts
from normlab.tasks.scripts.transformer_block import COUNTS


def transformer_block(x, attention, mlp, norms, place):
    if place == "pre":
        x = x + attention(norms[0](x))
        x = x + mlp(norms[1](x))
        return x
    if place == "post":
        x = norms[0](x + attention(x))
        y = norms[1](x + mlp(x))
        return y
    if place == "sandwich":
        x = x + norms[1](attention(norms[0](x)))
        z = norms[2](x)
        return x + norms[3](mlp(z))
    if place == "out":
        x = x + norms[0](attention(x))
        step = norms[1](mlp(x))
        return x + step
    read = norms[0](x)
    other = mlp(read)
    return x + attention(read) + other


def cases(rng: np.random.Generator) -> Cases:
    """Draw a stream, two branches that are not blind to scale, and norms with weights."""
    for shape in ((3, 2), (2, 4)):
        features = shape[1]
        numbers = {
            "x": distinct_values(rng, shape) + 0.5,
            "attention": distinct_values(rng, (features, features)) / features**2,
            "mlp": distinct_values(rng, (features, features)) / features**2 + 0.3,
            "biases": np.stack([shifts(rng, features), shifts(rng, features)]),
            "weights": np.stack([scales(rng, features) for _ in range(4)]),
        }
        for place in COUNTS:
            yield Case(f"{shape}, {place}", (place,), {**numbers, "place": place})
