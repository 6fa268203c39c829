"""Lesson 6: the forward pass of LayerNorm, over as many trailing axes as weight has.

The steps are those of BatchNorm's forward pass; what differs is which values share a mean.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from normlab.exercises.cases import distinct_values, scales, shape_name, shifts
from normlab.exercises.catalogue import formula
from normlab.exercises.catalogue.batch_norm_forward import View, batch_norm_recipe
from normlab.exercises.exercise import Arguments, Aspect, Case, Exercise, Mistake, Outputs
from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

Axes = tuple[int, ...]

# ---- the steps: which values share a mean


def trailing(x: np.ndarray, weight: np.ndarray) -> Axes:
    """Take as many last axes as weight has."""
    return tuple(range(x.ndim - weight.ndim, x.ndim))


def leading(x: np.ndarray, weight: np.ndarray) -> Axes:
    """Take all the others."""
    return tuple(range(x.ndim - weight.ndim))


def the_batch(_x: np.ndarray, _weight: np.ndarray) -> Axes:
    """Take the first axis."""
    return (0,)


def the_last(x: np.ndarray, _weight: np.ndarray) -> Axes:
    """Take the last axis, however many weight has."""
    return (x.ndim - 1,)


def the_second(_x: np.ndarray, _weight: np.ndarray) -> Axes:
    """Take the axis with the number 1."""
    return (1,)


def all_but_the_first(x: np.ndarray, _weight: np.ndarray) -> Axes:
    """Take everything that belongs to a sample."""
    return tuple(range(1, x.ndim))


def all_of_them(x: np.ndarray, _weight: np.ndarray) -> Axes:
    """Take every axis."""
    return tuple(range(x.ndim))


def along_samples(_view: View, parameter: np.ndarray, _x: np.ndarray) -> np.ndarray:
    """Stand a parameter upright, along the samples."""
    return parameter[:, None]


def layer_norm_recipe(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    eps: float,
    *,
    axes: Callable[[np.ndarray, np.ndarray], Axes] = trailing,
    keepdims: bool = True,
    line_up: Callable = View.bare,
    **steps: object,
) -> Outputs:
    """Compute LayerNorm's forward pass; each keyword is a step that a mistake may change.

    Parameters
    ----------
    x
        Any shape that ends in that of `weight`.
    weight, bias, eps
        As in `torch.nn.LayerNorm`; the shape of weight is its `normalized_shape`.
    axes, keepdims
        Which values share a mean, and whether these axes stay, with size 1.
    line_up, steps
        As in `batch_norm_recipe`.
    """
    view = View(axes=axes(x, weight), keepdims=keepdims)
    return batch_norm_recipe(x, weight, bias, eps, view=view, line_up=line_up, **steps)


def layer_norm_reference(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float
) -> Outputs:
    """Call the package's own layer, in float64."""
    x, weight, bias = (np.asarray(value, np.float64) for value in (x, weight, bias))
    return {"y": F.layer_norm(x, weight.shape, weight, bias, eps)}


# ---- cases


def draw(rng: np.random.Generator) -> list[Case]:
    """Draw square matrices, a batch that hardly varies, and other shapes.

    The values are judged where there are as many samples as features: there a mean or a weight
    along the wrong axis raises no error, and so costs its own aspect alone. What another shape
    should give follows from the learner's own answer on the same numbers laid out as a matrix.
    """
    return [
        *_three_cases(rng, 3),
        *_three_cases(rng, 4),
        _faint(rng, 4),
        *_as_matrix(rng, (2, 3, 4), 2),
        *_as_matrix(rng, (2, 3, 4), 1),
        *_as_matrix(rng, (2, 3, 2, 2), 3),
    ]


def _three_cases(rng: np.random.Generator, size: int) -> list[Case]:
    """Draw one x, three times: without eps, with eps, and with weight and bias."""
    x = distinct_values(rng, (size, size)) + rng.permutation(size)[:, None] * 3
    eps = round(float(rng.uniform(0.5, 2)) * float(x.var(1).min()), 1) + 1
    name = shape_name(x.shape)
    plain, large = f"{name}, weight 1, bias 0", f"{name}, eps {eps:g}"
    learnt = {"x": x, "weight": scales(rng, size), "bias": shifts(rng, size), "eps": eps}

    def with_eps(own: Outputs, arguments: Arguments) -> Outputs:
        return formula.with_eps(own, arguments, axes=(1,))

    def with_affine(own: Outputs, arguments: Arguments) -> Outputs:
        return {"y": own["y"] * arguments["weight"] + arguments["bias"]}

    return [
        Case(plain, ("statistics",), formula.plain(x, formula.NO_EPS)),
        Case(large, ("eps",), formula.plain(x, eps), based_on=plain, derive=with_eps),
        Case(f"{name}, weight and bias", ("affine",), learnt, based_on=large, derive=with_affine),
    ]


def _faint(rng: np.random.Generator, size: int) -> Case:
    """Draw a batch that hardly varies, with one sample that does not vary at all."""
    x = distinct_values(rng, (size, size)) * 1e-10
    x[-1] = 0.0
    eps = float(rng.choice([0.01, 0.02, 0.05]))
    name = f"{shape_name(x.shape)}, hardly any variation, eps {eps:g}"
    return Case(name, ("eps",), formula.plain(x, eps))


def _as_matrix(rng: np.random.Generator, shape: tuple[int, ...], last: int) -> list[Case]:
    """Draw an x of some shape, normalized over its `last` axes, and the same as a matrix."""
    x, normalized_shape = distinct_values(rng, shape), shape[-last:]
    weight, bias = scales(rng, x[0].size)[: np.prod(normalized_shape)], shifts(rng, x[0].size)
    bias, eps = bias[: weight.size], float(rng.integers(5, 20)) / 10
    name = f"{shape_name(shape)}, weight {shape_name(normalized_shape)}"
    matrix = f"{name}, laid out as a matrix"
    flat = {"x": x.reshape(-1, weight.size), "weight": weight, "bias": bias, "eps": eps}
    given = {
        "x": x,
        "weight": weight.reshape(normalized_shape),
        "bias": bias.reshape(normalized_shape),
        "eps": eps,
    }

    def in_shape(own: Outputs, _arguments: Arguments) -> Outputs:
        return {"y": own["y"].reshape(shape)}

    return [
        Case(matrix, (), flat),
        Case(name, ("axes",), given, based_on=matrix, derive=in_shape),
    ]


# ---- the mistakes

_FORMULA = "In a formula"
_SHAPE = "normalized_shape: as many axes as weight has"
_BREAK = "Break it on purpose"


def _wrong_axes(key: str, what: str, outside: str, axes: Callable, aspect: str) -> Mistake:
    return Mistake(
        key=key,
        what=what,
        outside=outside,
        hint="print the shape of your mean. One number for each *what*?",
        mend="the axes",
        aspect=aspect,
        changes={"axes": axes},
        section=_BREAK if aspect == "statistics" else _SHAPE,
    )


BATCH = _wrong_axes(
    "mean over the batch",
    "the mean and the variance run over the first axis, the batch.",
    "a sample's answer depends on the other samples; with one sample nothing is left of it.",
    the_batch,
    "statistics",
)
LEADING = _wrong_axes(
    "mean over all axes but those of weight",
    "the mean and the variance run over all axes that weight does not have.",
    "each feature is normalized over all samples. (BatchNorm does this.)",
    leading,
    "statistics",
)
EVERYTHING = _wrong_axes(
    "one mean for everything",
    "there is one mean and one variance for the whole array.",
    "a sample's answer depends on the other samples.",
    all_of_them,
    "statistics",
)
LAST_ONLY = _wrong_axes(
    "the last axis only",
    "the mean and the variance run over the last axis, however many axes weight has.",
    "right for a weight of one axis.",
    the_last,
    "axes",
)
SECOND = _wrong_axes(
    "axis 1",
    "the mean and the variance run over axis 1, whatever the shape.",
    "right for (N, D); in a sequence each feature is normalized over time.",
    the_second,
    "axes",
)
ALL_BUT_FIRST = _wrong_axes(
    "all axes but the first",
    "the mean and the variance run over all axes but the first, whatever weight's shape.",
    "right for (N, D); in a sequence the tokens of a sample share one mean.",
    all_but_the_first,
    "axes",
)
ALONG_FEATURES = Mistake(
    key="one mean per sample, along the features",
    what="each sample has its mean and variance, and NumPy lines them up with the features.",
    outside="an error, unless there are as many samples as features; then numbers without meaning.",
    hint="print the shape of your mean. Which axis of x does NumPy line it up with?",
    mend="the shape of mean and variance",
    aspect="statistics",
    changes={"keepdims": False, "axes": trailing},
    section=_BREAK,
)
WEIGHT_UPRIGHT = Mistake(
    key="weight along the samples",
    what="weight and bias lie along the samples, and not along the features.",
    outside="an error, unless there are as many samples as features; then each sample has a "
    "weight of its own.",
    hint="the statistics belong to a sample. To what does a weight belong?",
    mend="the shape of weight and bias",
    aspect="affine",
    # Other shapes than a square raise, and there the axes could not be seen.
    changes={"line_up": along_samples, "axes": trailing},
    section=_BREAK,
)


def _here(mistake: Mistake) -> Mistake:
    """Take a mistake over from lesson 2; where weight is not used, no axis of it shows."""
    if "line_up" not in mistake.changes:
        return mistake
    return replace(mistake, changes={**mistake.changes, "line_up": View.bare})


FORWARD = Exercise(
    name="layer_norm_forward",
    lesson="06",
    title="LayerNorm over the trailing axes",
    parameters=("x", "weight", "bias", "eps"),
    returns=("y",),
    aspects=(
        Aspect("statistics", "mean and variance of each sample", 3),
        Aspect("axes", "other shapes, and more than one trailing axis", 2),
        Aspect("eps", "eps, and a sample that hardly varies", 2),
        Aspect("affine", "weight and bias", 2),
        Aspect("input", "leaves its input alone", 1, leaves_input_alone=True),
    ),
    draw=draw,
    reference=layer_norm_reference,
    recipe=layer_norm_recipe,
    mistakes=(
        *map(_here, formula.formula_mistakes("sample", _FORMULA, _BREAK, _FORMULA).values()),
        BATCH,
        LEADING,
        EVERYTHING,
        LAST_ONLY,
        SECOND,
        ALL_BUT_FIRST,
        ALONG_FEATURES,
        WEIGHT_UPRIGHT,
    ),
    first_step="take the mean of each sample of a matrix, and keep its axis with size 1.",
)

EXERCISES = (FORWARD,)
