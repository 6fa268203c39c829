"""Lesson 6: LayerNorm over any axes, called by their letters: "NCHW" and "C"."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import NO_EPS, distinct_values, eps_over, faint_values, fresh, learned


def layer_norm_over(x, layout, over, weight, bias, eps):
    axes = tuple(layout.index(letter) for letter in over)  # they share a mean
    mean = x.mean(axis=axes, keepdims=True)
    n = x.size // mean.size
    var = ((x - mean) ** 2).sum(axis=axes, keepdims=True) / n  # like mean
    x_hat = (x - mean) / np.sqrt(var + eps)  # like x
    along = [size if letter in over else 1 for letter, size in zip(layout, x.shape, strict=True)]
    weight, bias = weight.reshape(along), bias.reshape(along)
    return weight * x_hat + bias  # like x


def cases(rng: np.random.Generator) -> Cases:
    """Draw one x: without eps, with eps, with weight and bias.

    It goes over one axis or over two, some with sizes that agree.
    """
    for shape, layout, over, values in (
        ((2, 3), "ND", "D", "statistics"),
        ((2, 4, 3, 4), "NCHW", "C", "statistics"),
        ((2, 3, 3, 4), "NHWC", "HC", "several"),
        ((2, 5, 4, 3), "NCHW", "CH", "several"),
    ):
        axes = tuple(layout.index(letter) for letter in over)
        others = [1 if letter in over else size for letter, size in zip(layout, shape, strict=True)]
        x = distinct_values(rng, shape) + 10 * distinct_values(rng, tuple(others))
        normalized = tuple(shape[axis] for axis in axes)
        size = int(np.prod(normalized))
        affine = {name: value.reshape(normalized) for name, value in learned(rng, size).items()}
        eps = float(rng.integers(1, 9)) * 100
        name = f"{layout} {shape} over {over}"
        given = {"x": x, "layout": layout, "over": over, **fresh(normalized), "eps": NO_EPS}
        bare = Case(f"{name}, eps 0", (values,), given)
        large = bare.then(eps_over(*axes), f"{name}, eps {eps:g}", "eps", eps=eps)
        yield from (bare, large)
        yield large.then(_learned, f"{large.name}, weight and bias", "affine", **affine)
    # Images that hardly vary; one of their pixels has the same number in all channels.
    x, eps = faint_values(rng, (2, 3, 2, 2), np.s_[0, :, 0, 0])
    given = {"x": x, "layout": "NCHW", "over": "C", **fresh(3), "eps": eps}
    yield Case(f"NCHW (2, 3, 2, 2), hardly any variation, eps {eps:g}", ("eps",), given)


def _learned(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's answer with weight 1 and bias 0 to that with others."""
    layout, over, y = (*(arguments[key] for key in ("layout", "over")), own["y"])
    along = [size if letter in over else 1 for letter, size in zip(layout, y.shape, strict=True)]
    weight, bias = (arguments[key].reshape(along) for key in ("weight", "bias"))
    return {"y": weight * y + bias}
