"""Lesson 6: the backward pass of LayerNorm, with a correct cache."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from normlab.exercises.cases import distinct_values, scales, shape_name
from normlab.exercises.catalogue import batch_norm_backward as batch
from normlab.exercises.catalogue import roads
from normlab.exercises.catalogue.batch_norm_forward import View
from normlab.exercises.catalogue.layer_norm import Axes, leading, the_batch, the_last, trailing
from normlab.exercises.catalogue.roads import NO_EPS, Kept, closed_form
from normlab.exercises.exercise import Arguments, Aspect, Case, Exercise, Mistake, Outputs
from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it


def arguments_of(
    dy: np.ndarray, x: np.ndarray, weight: np.ndarray, eps: float
) -> dict[str, np.ndarray | float]:
    """Put dy beside a correct cache; mean and var have size 1 along the averaged axes."""
    axes = trailing(x, weight)
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    x_hat = (x - mean) / np.sqrt(var + eps)
    return {
        "dy": dy,
        "x": x,
        "mean": mean,
        "var": var,
        "x_hat": x_hat,
        "weight": weight,
        "eps": eps,
    }


def backward_recipe(
    dy: np.ndarray,
    x: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    x_hat: np.ndarray,
    weight: np.ndarray,
    eps: float,
    *,
    axes: Callable[[np.ndarray, np.ndarray], Axes] = trailing,
    gathered: Callable[[np.ndarray, np.ndarray], Axes] = leading,
    carried: Callable = batch.x_hat_carried,
    gather_weight: Callable = batch.summed,
    gather_bias: Callable = batch.summed,
    weight_in_dweight: bool = False,
    order: int = 1,
    **steps: object,
) -> Outputs:
    """Compute dx, dweight and dbias; each keyword is a step that a mistake may change.

    Parameters
    ----------
    dy, x, mean, var, x_hat, weight, eps
        The gradient of the output, and the cache.
    axes, gathered
        Which values share a mean, and over which axes dweight and dbias are summed.
    carried, gather_weight, gather_bias, weight_in_dweight, order
        As in `batch_norm_backward.parameters_recipe`.
    steps
        Of `roads.closed_form`.
    """
    kept = Kept(x, var, x_hat, weight, eps)
    dx = closed_form(dy, kept, View(axes=axes(x, weight)), **steps)
    over = gathered(x, weight)
    dy_weight = dy * weight if weight_in_dweight else dy
    dweight = gather_weight(dy_weight, carried(x, mean, x_hat), over, False)
    dbias = gather_bias(dy, 1.0, over, False)
    return {"dx": dx, **dict(zip(("dweight", "dbias"), (dweight, dbias)[::order], strict=True))}


def backward_reference(**cache: np.ndarray) -> Outputs:
    """Call the package's own layer, in float64."""
    dy, x, weight = (np.asarray(cache[name], np.float64) for name in ("dy", "x", "weight"))
    bias, eps = np.zeros_like(weight), float(cache["eps"])
    gradients = F.layer_norm_backward(dy, x, weight.shape, weight, bias, eps)
    return {"dx": gradients.input, "dweight": gradients.weight, "dbias": gradients.bias}


# ---- cases


def draw(rng: np.random.Generator) -> list[Case]:
    """Draw gradients that travel on one road each, then on all, and other shapes.

    What another shape should give follows from the learner's own answer on the same numbers laid
    out as a matrix.
    """
    return [
        *_on_each_road(rng, 2, 3),
        *_on_each_road(rng, 3, 5),
        *_as_matrix(rng, (2, 3, 4), 1),
        *_as_matrix(rng, (2, 3, 4), 2),
    ]


def _on_each_road(rng: np.random.Generator, samples: int, features: int) -> list[Case]:
    drawn, name = roads.draw_roads(rng, features, samples), shape_name((samples, features))
    x, ones, weight = drawn.x.T, np.ones(features), scales(rng, features)
    dy = 10 * distinct_values(rng, (samples, features))
    everywhere = f"{name}, dy any numbers"
    learnt = arguments_of(dy / weight, x, weight, NO_EPS)
    return [
        *roads.road_cases(drawn, name, 1, lambda dy, eps: arguments_of(dy, x, ones, eps)),
        Case(everywhere, (), arguments_of(dy, x, ones, NO_EPS)),
        Case(
            f"{name}, the same dy divided by weight",
            ("weight", "dweight", "dbias"),
            learnt,
            based_on=everywhere,
            derive=lambda own, _arguments: {"dx": own["dx"]},
        ),
    ]


def _as_matrix(rng: np.random.Generator, shape: tuple[int, ...], last: int) -> list[Case]:
    x, dy = distinct_values(rng, shape), distinct_values(rng, shape)
    normalized_shape = shape[-last:]
    weight = scales(rng, int(np.prod(normalized_shape)))
    eps = float(rng.integers(5, 20)) / 10
    name = f"{shape_name(shape)}, weight {shape_name(normalized_shape)}"
    matrix = f"{name}, laid out as a matrix"
    rows = (-1, weight.size)
    flat = arguments_of(dy.reshape(rows), x.reshape(rows), weight, eps)

    def in_shape(own: Outputs, arguments: Arguments) -> Outputs:
        like = {"dx": x, "dweight": arguments["weight"], "dbias": arguments["weight"]}
        return {key: own[key].reshape(array.shape) for key, array in like.items()}

    given = arguments_of(dy, x, weight.reshape(normalized_shape), eps)
    return [
        Case(matrix, (), flat),
        Case(name, ("shapes",), given, based_on=matrix, derive=in_shape),
    ]


# ---- the mistakes

_BACKWARD = "Backward: the same line, other axes"
_BREAK = "Break it on purpose"

_UNHIDDEN = {"count": roads.values_that_share}


def _of_dx(mistake: Mistake) -> Mistake:
    """Tell a mistake of the closed form in this lesson's words."""
    hides = {"axes": trailing} if mistake is roads.CONSTANTS else {}
    section = _BREAK if mistake.section == roads.BREAK else _BACKWARD
    return replace(mistake, section=section, changes={**mistake.changes, **hides})


WEIGHT_OUTSIDE = Mistake(
    key="weight at the very end",
    what="the closed form is taken of dy, and multiplied by weight at the end.",
    outside="right for BatchNorm, where the values of a mean have one weight in common, and right "
    "in a fresh layer.",
    hint="do the values that share a mean share their weight, too? In BatchNorm they do.",
    mend="the way from dy to dx_hat",
    aspect="weight",
    changes={"weights": (0, 0, 1)},
    section=_BREAK,
)
OVER_THE_BATCH = Mistake(
    key="gradient averaged over the batch",
    what="the means of the gradient run over the samples, as in BatchNorm.",
    outside="a sample's gradient depends on the other samples.",
    hint="which values had a mean in common in the forward pass?",
    mend="the axes",
    aspect="mean",
    # Values of one feature have one weight in common, so it does not matter when it comes.
    changes={"axes": leading, "weights": (1, 1, 0), **_UNHIDDEN},
    section=_BREAK,
)
LAST_ONLY = Mistake(
    key="gradient averaged over the last axis only",
    what="the means of the gradient run over the last axis, however many axes weight has.",
    outside="right for a weight of one axis.",
    hint="which values had a mean in common in the forward pass?",
    mend="the axes",
    aspect="shapes",
    changes={"axes": the_last, **_UNHIDDEN},
    section=_BACKWARD,
)
BATCH_COUNT = Mistake(
    key="divided by the number of samples",
    what="the sums are divided by N, where each mean is made of D values.",
    outside="right where there are as many samples as features.",
    hint="what did you divide by in the forward pass?",
    mend="the number that you divide by",
    aspect="mean",
    changes={"count": roads.samples, "axes": trailing},
    section=_BACKWARD,
)
PER_SAMPLE = Mistake(
    key="dweight and dbias summed over the features",
    what="dweight and dbias are summed over the features, and leave one number for each sample.",
    outside="the shape (N,): what remains of a BatchNorm that was transposed on the way in.",
    hint="statistics belong to a sample. To what does a weight belong?",
    mend="the axes of dweight and dbias",
    aspect="dweight",
    changes={"gathered": trailing},
    section=_BREAK,
)
FIRST_AXIS_SUMMED = Mistake(
    key="dweight and dbias summed over the first axis only",
    what="dweight and dbias are summed over the first axis, however many stand before weight's.",
    outside="right for (N, D); in a sequence every position has a weight of its own.",
    hint="print the shape of dweight beside that of weight.",
    mend="the axes of dweight and dbias",
    aspect="shapes",
    changes={"gathered": the_batch},
    section=_BACKWARD,
)
_OF_PARAMETERS = tuple(
    replace(mistake, section=_BACKWARD)
    for mistake in (
        batch.X_CARRIED,
        replace(
            batch.DEVIATIONS_CARRIED,
            outside="samples with a large spread count too much in dweight.",
        ),
        batch.DWEIGHT_AVERAGED,
        batch.DBIAS_AVERAGED,
        batch.DWEIGHT_NOT_SUMMED,
        batch.DBIAS_NOT_SUMMED,
        batch.WEIGHT_IN_DWEIGHT,
        batch.EXCHANGED,
    )
)


_DX = ("dx",)

BACKWARD = Exercise(
    name="layer_norm_backward",
    lesson="06",
    title="LayerNorm's backward pass",
    parameters=("dy", "x", "mean", "var", "x_hat", "weight", "eps"),
    returns=("dx", "dweight", "dbias"),
    aspects=(
        Aspect("straight", "dx: the road straight through x_hat", 1, _DX),
        Aspect("mean", "dx: a constant in dx_hat is lost", 1, _DX),
        Aspect("variance", "dx: so is what lies along x_hat", 1, _DX),
        Aspect("weight", "dx: a weight other than 1", 1, _DX),
        Aspect("eps", "dx: a large eps", 1, _DX),
        Aspect("dweight", "dweight", 2, ("dweight",)),
        Aspect("dbias", "dbias", 1, ("dbias",)),
        Aspect("shapes", "sequences, and more than one trailing axis", 1),
        Aspect("input", "leaves its input alone", 1, leaves_input_alone=True),
    ),
    draw=draw,
    reference=backward_reference,
    recipe=backward_recipe,
    mistakes=(
        *(
            _of_dx(mistake)
            for mistake in (
                roads.CONSTANTS,
                roads.MEAN_LEFT_OUT,
                roads.VARIANCE_LEFT_OUT,
                roads.BOTH_SUMMED,
                roads.DIVIDED_ONCE,
                roads.WEIGHT_MISSING,
                roads.WEIGHT_ON_ONE_TERM,
                roads.EPS_MISSING,
                roads.EPS_OUTSIDE,
                roads.NO_ROOT,
            )
        ),
        WEIGHT_OUTSIDE,
        OVER_THE_BATCH,
        LAST_ONLY,
        BATCH_COUNT,
        PER_SAMPLE,
        FIRST_AXIS_SUMMED,
        *_OF_PARAMETERS,
    ),
    first_step="begin with dbias and dweight: which shape do they have, and what is added away?",
)

EXERCISES = (BACKWARD,)
