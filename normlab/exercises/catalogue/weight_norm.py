"""Lesson 9: weight normalization, of the weights of a layer and not of its data."""

from collections.abc import Callable

import numpy as np

from normlab.exercises.cases import distinct_values, scales, shape_name
from normlab.exercises.exercise import Arguments, Aspect, Case, Exercise, Mistake, Outputs
from normlab.nn import parametrizations

# ---- the recipe


def over_the_rest(ndim: int) -> tuple[int, ...]:
    """Take every axis but the outputs'."""
    return tuple(range(1, ndim))


def as_it_is(v: np.ndarray, _axes: tuple[int, ...]) -> np.ndarray:
    """Change nothing."""
    return v


def length(v: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Take the root of the sum of the squares."""
    return np.sqrt(np.square(v).sum(axes, keepdims=True))


def along_outputs(g: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Line g up with the first axis."""
    return g.reshape(-1, *[1] * (v.ndim - 1))


def bare(g: np.ndarray, _v: np.ndarray) -> np.ndarray:
    """Leave g as it is: NumPy lines it up with the last axis."""
    return g


def times_g(direction: np.ndarray, g: np.ndarray, _norm: np.ndarray) -> np.ndarray:
    """Give each output its length."""
    return g * direction


def weight_norm_recipe(
    v: np.ndarray,
    g: np.ndarray,
    *,
    axes: Callable[[int], tuple[int, ...]] = over_the_rest,
    centred: Callable = as_it_is,
    norm: Callable = length,
    line_up: Callable = along_outputs,
    scaling: Callable = times_g,
) -> Outputs:
    """Compute the weight; each keyword is a step that a mistake may change.

    Parameters
    ----------
    v, g
        (out, *) and (out,).
    axes
        Those that make one vector.
    centred, norm, line_up, scaling
        The steps of the formula.
    """
    over = axes(v.ndim)
    direction = centred(v, over)
    measured = norm(direction, over)
    return {"w": scaling(direction / measured, line_up(g, v), measured)}


def weight_norm_reference(v: np.ndarray, g: np.ndarray) -> Outputs:
    """Call the package's own weight norm."""
    return {"w": parametrizations.weight_norm(along_outputs(g, v), v)}


# ---- cases


def _times_g(own: Outputs, arguments: Arguments) -> Outputs:
    """From lengths of 1 to others."""
    return {"w": own["w"] * along_outputs(arguments["g"], arguments["v"])}


def _as_kernels(own: Outputs, arguments: Arguments) -> Outputs:
    """From a matrix to kernels of the same numbers."""
    return {"w": own["w"].reshape(arguments["v"].shape)}


def _cases(rng: np.random.Generator, kernel: tuple[int, ...]) -> list[Case]:
    """Draw one v as a matrix with lengths of 1 and with others, and as kernels."""
    outputs = kernel[0]
    v = distinct_values(rng, kernel).reshape(outputs, -1) + 0.5
    ones, g = np.ones(outputs), scales(rng, outputs)
    name = f"v {shape_name(v.shape)}"
    return [
        Case(f"{name}, g 1", ("norm",), {"v": v, "g": ones}),
        Case(name, ("g",), {"v": v, "g": g}, based_on=f"{name}, g 1", derive=_times_g),
        Case(
            f"v {shape_name(kernel)}, g 1",
            ("kernels",),
            {"v": v.reshape(kernel), "g": ones},
            based_on=f"{name}, g 1",
            derive=_as_kernels,
        ),
        Case(
            f"v {shape_name(kernel)}",
            ("g",),
            {"v": v.reshape(kernel), "g": g},
            based_on=f"v {shape_name(kernel)}, g 1",
            derive=_times_g,
        ),
    ]


def draw(rng: np.random.Generator) -> list[Case]:
    """Draw the cases of `weight_norm`.

    A square matrix, and as many columns as outputs: there a g along the wrong axis raises no error.
    """
    square = distinct_values(rng, (3, 3)) + 0.5
    name = "v (3, 3)"
    return [
        Case(f"{name}, g 1", ("norm",), {"v": square, "g": np.ones(3)}),
        Case(
            name,
            ("g",),
            {"v": square, "g": scales(rng, 3)},
            based_on=f"{name}, g 1",
            derive=_times_g,
        ),
        *_cases(rng, (2, 3, 1, 2)),
        *_cases(rng, (4, 2, 3, 4)),
    ]


# ---- mistakes

_WEIGHTS = "Weight norm: a length and a direction"


def _mistake(
    key: str, what: str, outside: str, hint: str, mend: str, aspect: str, **changes: object
) -> Mistake:
    return Mistake(key, what, outside, hint, mend, aspect, changes, _WEIGHTS)


_MEASURE = "with g 1, how long is each row of what you return?"
_WHICH = "print the shape of your norms. One number for each *what*?"

MISTAKES = (
    _mistake(
        "one norm for everything",
        "there is one norm for the whole array.",
        "all outputs together have length 1, and keep their different lengths.",
        _WHICH,
        "the axes of the norm",
        "norm",
        axes=lambda ndim: tuple(range(ndim)),
    ),
    _mistake(
        "one norm per input",
        "the norm is taken over the outputs, for each input.",
        "the columns have length 1 and not the rows.",
        _WHICH,
        "the axes of the norm",
        "norm",
        axes=lambda _ndim: (0,),
    ),
    _mistake(
        "norm along the last axis alone",
        "the norm is taken along the last axis alone.",
        "right for a matrix; in a kernel every row of pixels gets length 1.",
        "how many numbers of v make one output, and how many make one of your norms?",
        "the axes of the norm",
        "kernels",
        axes=lambda ndim: (ndim - 1,),
    ),
    _mistake(
        "norm along the inputs alone",
        "the norm is taken along axis 1 alone.",
        "right for a matrix; in a kernel each pixel gets length 1.",
        "how many numbers of v make one output, and how many make one of your norms?",
        "the axes of the norm",
        "kernels",
        axes=lambda _ndim: (1,),
    ),
    _mistake(
        "no root",
        "v is divided by the sum of its squares, without a root.",
        "long rows come out short and short rows long.",
        _MEASURE,
        "the norm",
        "norm",
        norm=lambda v, axes: np.square(v).sum(axes, keepdims=True),
    ),
    _mistake(
        "mean for sum",
        "the squares are averaged and not added up, as in RMSNorm.",
        "every row is too long, by the root of its number of values.",
        _MEASURE,
        "the norm",
        "norm",
        norm=lambda v, axes: np.sqrt(np.square(v).mean(axes, keepdims=True)),
    ),
    _mistake(
        "sum of magnitudes",
        "the magnitudes are added up.",
        "every row is too short.",
        _MEASURE,
        "the norm",
        "norm",
        norm=lambda v, axes: np.abs(v).sum(axes, keepdims=True),
    ),
    _mistake(
        "largest magnitude",
        "v is divided by its largest magnitude.",
        "every row is too long, and holds a 1 or a -1.",
        _MEASURE,
        "the norm",
        "norm",
        norm=lambda v, axes: np.abs(v).max(axes, keepdims=True),
    ),
    _mistake(
        "standard deviation for norm",
        "v is divided by its standard deviation.",
        "every row is too long, and its length depends on its mean.",
        _MEASURE,
        "the norm",
        "norm",
        norm=lambda v, axes: v.std(axes, keepdims=True),
        centred=as_it_is,  # of centred values it would be the root mean square
    ),
    _mistake(
        "mean subtracted",
        "the mean of each row is subtracted first.",
        "right lengths, other directions. (Weight standardization begins like this.)",
        "weight norm keeps the direction of v. Is your w a multiple of v?",
        "the numerator",
        "norm",
        centred=lambda v, axes: v - v.mean(axes, keepdims=True),
    ),
    _mistake(
        "g skipped",
        "g is not used.",
        "every row has length 1, whatever the network learns.",
        "double one g. What should change in your output, and does it?",
        "the last step",
        "g",
        scaling=lambda direction, _g, _norm: direction,
        line_up=along_outputs,
    ),
    _mistake(
        "g along the last axis",
        "g lies along the inputs, not along the outputs.",
        "an error, unless there are as many columns as outputs; then the columns are scaled.",
        "which axis does NumPy line a bare (out,) up with?",
        "the shape of g",
        "g",
        line_up=bare,
    ),
    _mistake(
        "divided by g",
        "v is divided by g as well as by its norm.",
        "right for g 1; the larger g, the shorter the row.",
        "double one g. Should that row become longer or shorter?",
        "the last step",
        "g",
        scaling=lambda direction, g, _norm: direction / g,
    ),
    _mistake(
        "g squared",
        "the row is multiplied by g twice.",
        "right for g 1; and the sign of g is lost.",
        "double one g. By what should the length of that row grow?",
        "the last step",
        "g",
        scaling=lambda direction, g, _norm: g * g * direction,
    ),
    _mistake(
        "g times the old length",
        "g is multiplied onto the length that v had, in place of replacing it.",
        "w depends on the length of v.",
        "make v ten times as long. Should w change?",
        "the last step",
        "norm",
        scaling=lambda direction, g, norm: g * norm * direction,
        norm=length,
        axes=over_the_rest,
    ),
    _mistake(
        "g added",
        "g is added to the length, so that a row has the length 1 + g.",
        "every row is too long by 1; with g 0 its length is 1.",
        "with g 0, what should w be?",
        "the last step",
        "g",
        scaling=lambda direction, g, _norm: (1 + g) * direction,
    ),
)

WEIGHT_NORM = Exercise(
    name="weight_norm",
    lesson="09",
    title="a length and a direction for each output",
    parameters=("v", "g"),
    returns=("w",),
    aspects=(
        Aspect("norm", "the direction of each row of a matrix", 4),
        Aspect("kernels", "kernels: (out, in, H, W)", 2),
        Aspect("g", "g: the length of each output", 3),
        Aspect("input", "leaves its input alone", 1, leaves_input_alone=True),
    ),
    draw=draw,
    reference=weight_norm_reference,
    recipe=weight_norm_recipe,
    mistakes=MISTAKES,
    first_step="compute the length of each row of v: (out,) numbers.",
)

EXERCISES = (WEIGHT_NORM,)
