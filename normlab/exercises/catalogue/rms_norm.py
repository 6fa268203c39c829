"""Lesson 9: the forward pass of RMSNorm."""

from collections.abc import Callable

import numpy as np

from normlab.exercises.cases import distinct_values, scales, shape_name
from normlab.exercises.catalogue.batch_norm_forward import (
    EPS_FIXED,
    fixed_eps,
    no_root,
    root_of_variance_plus_eps,
    root_plus_eps,
    root_without_eps,
)
from normlab.exercises.catalogue.formula import NO_EPS
from normlab.exercises.exercise import Arguments, Aspect, Case, Exercise, Mistake, Outputs
from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

# ---- the recipe

_LAST = (-1,)


def as_they_are(x: np.ndarray, _axes: tuple[int, ...]) -> np.ndarray:
    """Subtract nothing."""
    return x


def centred(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Subtract the mean."""
    return x - x.mean(axes, keepdims=True)


def mean_square(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Average the squares."""
    return np.square(x).mean(axes, keepdims=True)


def sum_of_squares(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Add the squares up."""
    return np.square(x).sum(axes, keepdims=True)


def one_less(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Divide the sum of the squares by D - 1."""
    total = np.square(x).sum(axes, keepdims=True)
    return total / (x.size // total.size - 1)


def variance(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Average the squared deviations from the mean."""
    return x.var(axes, keepdims=True)


def square_of_the_mean(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Square the average: the three letters in another order."""
    return np.square(x.mean(axes, keepdims=True))


def square_of_the_mean_magnitude(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Square the average magnitude."""
    return np.square(np.abs(x).mean(axes, keepdims=True))


def at_least_single(x: np.ndarray) -> np.ndarray:
    """Compute in float32 where x is float16."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def as_it_comes(x: np.ndarray) -> np.ndarray:
    """Compute in the dtype of x."""
    return x


def times_weight(x_hat: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Scale each feature."""
    return x_hat * weight


def rms_norm_recipe(
    x: np.ndarray,
    weight: np.ndarray,
    eps: float,
    *,
    computing: Callable = at_least_single,
    axes: tuple[int, ...] | None = _LAST,
    numerator: Callable = as_they_are,
    square: Callable = mean_square,
    divisor: Callable = root_of_variance_plus_eps,
    scaling: Callable = times_weight,
) -> Outputs:
    """Compute RMSNorm's forward pass; each keyword is a step that a mistake may change.

    Parameters
    ----------
    x
        (*, D).
    weight, eps
        (D,) and a number.
    computing
        In which dtype.
    axes
        Those that share one mean square; None for all.
    numerator, square, divisor, scaling
        The steps of the formula.
    """
    x = computing(x)
    axes = axes or tuple(range(x.ndim))
    x_hat = numerator(x, axes) / divisor(square(x, axes), x.dtype.type(eps))
    return {"y": scaling(x_hat, weight)}


def rms_norm_reference(x: np.ndarray, weight: np.ndarray, eps: float) -> Outputs:
    """Call the package's own RMSNorm, in float64."""
    x, weight = (np.asarray(value, np.float64) for value in (x, weight))
    return {"y": F.rms_norm(x, x.shape[-1:], weight, eps)}


# ---- cases


def _with_eps(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's answer without eps to that with it: read the divisor off, row by row."""
    x, y, eps = arguments["x"], own["y"], arguments["eps"]
    squared = np.square(x).mean(-1, keepdims=True) / np.square(y).mean(-1, keepdims=True)
    return {"y": y * np.sqrt(squared / (squared + eps))}


def _with_weight(own: Outputs, arguments: Arguments) -> Outputs:
    return {"y": own["y"] * arguments["weight"]}


def _reshaped(own: Outputs, arguments: Arguments) -> Outputs:
    return {"y": own["y"].reshape(arguments["x"].shape)}


def _rows(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw readable numbers, each row about another mean, none of them 0."""
    means = rng.choice([-1, 1]) * 10 * rng.choice(np.arange(2, 9), shape[0], replace=False)
    return distinct_values(rng, shape) + means[:, None] + 0.5


def _cases(rng: np.random.Generator, shape: tuple[int, int]) -> list[Case]:
    x, name, ones = _rows(rng, shape), shape_name(shape), np.ones(shape[1])
    eps = float(rng.integers(2, 20)) * 20
    bare, large = f"{name}, weight 1, eps 0", f"{name}, weight 1, eps {eps:g}"
    return [
        Case(bare, ("rms",), {"x": x, "weight": ones, "eps": NO_EPS}),
        Case(
            large,
            ("eps",),
            {"x": x, "weight": ones, "eps": eps},
            based_on=bare,
            derive=_with_eps,
        ),
        Case(
            f"{name}, weight",
            ("weight",),
            {"x": x, "weight": scales(rng, shape[1]), "eps": eps},
            based_on=large,
            derive=_with_weight,
        ),
        Case(
            f"(2, {shape[0] // 2}, {shape[1]}), weight 1",
            ("sequences",),
            {"x": x.reshape(2, shape[0] // 2, shape[1]), "weight": ones, "eps": NO_EPS},
            based_on=bare,
            derive=_reshaped,
        ),
    ]


def _faint(rng: np.random.Generator, shape: tuple[int, int]) -> Case:
    """Draw rows that are nearly 0, and one that is 0."""
    x = distinct_values(rng, shape) * 1e-10
    x[-1] = 0.0
    eps = float(rng.choice([0.01, 0.02, 0.05]))
    name = f"{shape_name(shape)}, nearly 0, eps {eps:g}"
    return Case(name, ("eps",), {"x": x, "weight": np.ones(shape[1]), "eps": eps})


def _half(rng: np.random.Generator, shape: tuple[int, int]) -> list[Case]:
    """Draw the same numbers in float32 and in float16, which ends at 65504: 300 squared is more.

    float16 has 3 digits, and so the case that is judged has a tolerance.
    """
    # The mean of a row is about 500, and so are the distances from it: both squares are too large.
    x = rng.permuted(np.tile(np.resize([1000.0, 50], shape[1]), (shape[0], 1)), axis=1)
    x = (x + distinct_values(rng, shape)).astype(np.float16)
    ones = np.ones(shape[1], np.float16)
    name = f"{shape_name(shape)}, numbers of some hundreds"
    single = {"x": x.astype(np.float32), "weight": ones.astype(np.float32), "eps": 1e-5}
    half = {"x": x, "weight": ones, "eps": 1e-5}
    return [
        Case(f"{name}, float32", (), single, tolerance=2e-6),
        Case(
            f"{name}, float16",
            ("half",),
            half,
            tolerance=5e-3,
            based_on=f"{name}, float32",
            derive=_same,
        ),
    ]


def _same(own: Outputs, _arguments: Arguments) -> Outputs:
    return {"y": own["y"]}


def draw(rng: np.random.Generator) -> list[Case]:
    """Draw the cases of `rms_norm_forward`."""
    return [
        *_cases(rng, (2, 3)),
        *_cases(rng, (4, 4)),
        *_cases(rng, (6, 5)),
        _faint(rng, (4, 3)),
        *_half(rng, (3, 4)),
    ]


# ---- mistakes

_RMS = "RMSNorm: one step less"
_EPS = "A row that is nearly zero"
_HALF = "Half precision"


def _mistake(
    key: str,
    what: str,
    outside: str,
    hint: str,
    mend: str,
    aspect: str = "rms",
    section: str = _RMS,
    **changes: object,
) -> Mistake:
    return Mistake(key, what, outside, hint, mend, aspect, changes, section)


_CONSTANT = "add 100 to all of a row. Should its output change?"
_LETTERS = "RMS has three letters, and they are three steps. In which order?"

MISTAKES = (
    _mistake(
        "LayerNorm",
        "the mean is subtracted first, as LayerNorm does.",
        "right for a row whose mean is 0; adding a constant to a row changes nothing.",
        _CONSTANT,
        "the numerator and the mean square",
        numerator=centred,
        square=variance,
    ),
    _mistake(
        "mean subtracted above",
        "the mean is subtracted in the numerator, and not in the mean square.",
        "every row comes out with mean 0.",
        "take the mean of a row of what you return. Should it be 0?",
        "the numerator",
        numerator=centred,
        square=mean_square,
    ),
    _mistake(
        "variance below",
        "x is divided by its standard deviation, and not by its root mean square.",
        "right for a row whose mean is 0, too large for all others.",
        "what is the mean of the squares of what you return, with weight 1?",
        "the mean square",
        square=variance,
        numerator=as_they_are,
    ),
    _mistake(
        "sum for mean",
        "the squares are added up and not averaged.",
        "every row has length 1: too small by the root of D.",
        _LETTERS,
        "the mean square",
        square=sum_of_squares,
    ),
    _mistake(
        "divided by D - 1",
        "the sum of the squares is divided by D - 1 in place of D.",
        "every row comes out a little too small; the shorter the row, the more.",
        "no mean was subtracted. How many numbers are averaged?",
        "the mean square",
        square=one_less,
    ),
    _mistake(
        "mean before square",
        "the mean is taken first and squared after that.",
        "right for a row of equal numbers; huge where a row's mean is near 0.",
        _LETTERS,
        "the mean square",
        square=square_of_the_mean,
    ),
    _mistake(
        "mean magnitude",
        "x is divided by its average magnitude.",
        "a little too large, wherever the magnitudes of a row differ.",
        _LETTERS,
        "the mean square",
        square=square_of_the_mean_magnitude,
    ),
    _mistake(
        "no root",
        "x is divided by the mean square, without a root.",
        "large rows come out small and small rows large.",
        _LETTERS,
        "the divisor",
        divisor=no_root,
    ),
    _mistake(
        "one mean square per feature",
        "the mean square is taken down the columns, over the other rows.",
        "a row's answer depends on the other rows.",
        "give your function one row alone and then the same among others. Do the answers agree?",
        "the axis",
        axes=(0,),
    ),
    _mistake(
        "one mean square for everything",
        "there is one mean square for the whole array.",
        "large rows stay larger than small ones.",
        "print the shape of your mean square. One number for each *what*?",
        "the axis",
        axes=None,
    ),
    _mistake(
        "eps outside the root",
        "eps is added to the root mean square.",
        "nothing to see on ordinary data, far off where a row is nearly 0.",
        "in the formula, what does the square root cover?",
        "the eps",
        "eps",
        _EPS,
        divisor=root_plus_eps,
    ),
    _mistake(
        "eps missing",
        "eps is left out.",
        "nothing to see on ordinary data; NaN where a row is 0.",
        "try a row of zeros. What do you divide by?",
        "the eps",
        "eps",
        _EPS,
        divisor=root_without_eps,
    ),
    _mistake(
        EPS_FIXED.key,
        EPS_FIXED.what,
        "right where somebody asks for 1e-5, off with every other eps.",
        EPS_FIXED.hint,
        EPS_FIXED.mend,
        "eps",
        _EPS,
        divisor=fixed_eps,
    ),
    _mistake(
        "weight skipped",
        "the weight is not used.",
        "right in a fresh layer, where weight is 1.",
        "double one weight. What should change in your output, and does it?",
        "the last step",
        "weight",
        scaling=lambda x_hat, _weight: x_hat,
    ),
    _mistake(
        "1 + weight",
        "the normalized values are multiplied by 1 + weight.",
        "twice too large in a fresh layer. (Some language models keep their weight that way.)",
        "with weight 0, what should come out?",
        "the last step",
        "weight",
        scaling=lambda x_hat, weight: x_hat * (1 + weight),
    ),
    _mistake(
        "divided by weight",
        "the normalized values are divided by the weight.",
        "right in a fresh layer, where weight is 1.",
        "double one weight. What should become of that column?",
        "the last step",
        "weight",
        scaling=lambda x_hat, weight: x_hat / weight,
    ),
    _mistake(
        "squares in float16",
        "the squares of float16 numbers are kept in float16, where 300 squared is infinity.",
        "zeros, and now and then NaN, in half precision.",
        "what is the largest number in float16? Print np.finfo(np.float16).max.",
        "the dtype that you compute in",
        "half",
        _HALF,
        computing=as_it_comes,
    ),
)

RMS_NORM = Exercise(
    name="rms_norm_forward",
    lesson="09",
    title="RMSNorm for (*, D)",
    parameters=("x", "weight", "eps"),
    returns=("y",),
    aspects=(
        Aspect("rms", "the root of the mean of the squares, row by row", 4),
        Aspect("eps", "eps, and a row that is nearly 0", 1),
        Aspect("weight", "one weight for each feature", 2),
        Aspect("sequences", "not only (N, D): (B, T, D)", 1),
        Aspect("half", "float16, where squares overflow", 1),
        Aspect("input", "leaves its input alone", 1, leaves_input_alone=True),
    ),
    draw=draw,
    reference=rms_norm_reference,
    recipe=rms_norm_recipe,
    mistakes=MISTAKES,
    first_step="square, then average over the last axis, then take the root: print each, and its "
    "shape.",
)

EXERCISES = (RMS_NORM,)
