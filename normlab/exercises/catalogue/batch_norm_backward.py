"""Lesson 4: the backward pass of BatchNorm in training mode.

The gradients of weight and bias, dx through the computation graph, and dx in closed form. The
learner is given a correct cache, so that a slip in the forward pass is not held against the
backward pass. All tasks have the same arguments: dy, and what the forward pass kept.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from normlab.exercises.cases import distinct_values, scales, shape_name, shifts
from normlab.exercises.catalogue import roads
from normlab.exercises.catalogue.batch_norm_forward import (
    CHANNELS,
    COLUMNS,
    View,
    root_of_variance_plus_eps,
    root_without_eps,
)
from normlab.exercises.catalogue.roads import NO_EPS, Kept, closed_form
from normlab.exercises.exercise import Arguments, Aspect, Case, Exercise, Mistake, Outputs
from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

_PARAMETERS = ("dy", "x", "mean", "var", "x_hat", "weight", "eps")


def arguments_of(
    dy: np.ndarray, x: np.ndarray, weight: np.ndarray, eps: float
) -> dict[str, np.ndarray | float]:
    """Put dy beside a correct cache; mean and var have size 1 along the averaged axes."""
    axes = (0, *range(2, x.ndim))
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


def _gradients(cache: Arguments) -> F.Gradients:
    x, weight, eps = (np.asarray(cache[name], np.float64) for name in ("x", "weight", "eps"))
    dy, bias = np.asarray(cache["dy"], np.float64), np.zeros(len(weight))
    return F.batch_norm_backward(dy, x, None, None, weight, bias, training=True, eps=float(eps))


# ---- dweight and dbias


def parameters_reference(**cache: np.ndarray) -> Outputs:
    """Ask the package's own layer."""
    gradients = _gradients(cache)
    return {"dweight": gradients.weight, "dbias": gradients.bias}


def x_hat_carried(x: np.ndarray, mean: np.ndarray, x_hat: np.ndarray) -> np.ndarray:
    """Multiply dy by x_hat: what weight multiplied."""
    return x_hat


def x_carried(x: np.ndarray, mean: np.ndarray, x_hat: np.ndarray) -> np.ndarray:
    """Multiply dy by x."""
    return x


def deviations_carried(x: np.ndarray, mean: np.ndarray, x_hat: np.ndarray) -> np.ndarray:
    """Multiply dy by x - mean."""
    return x - mean


Axes = tuple[int, ...]


def summed(dy: np.ndarray, carried: np.ndarray | float, axes: Axes, keepdims: bool) -> np.ndarray:
    """Add up over the axes."""
    return (dy * carried).sum(axes, keepdims=keepdims)


def averaged(dy: np.ndarray, carried: np.ndarray | float, axes: Axes, keepdims: bool) -> np.ndarray:
    """Average in place of adding up."""
    return (dy * carried).mean(axes, keepdims=keepdims)


def not_summed(
    dy: np.ndarray, carried: np.ndarray | float, _axes: Axes, _keepdims: bool
) -> np.ndarray:
    """Leave the sum out."""
    return dy * carried


def matrix_product(dy: np.ndarray, carried: np.ndarray, axes: Axes, _keepdims: bool) -> np.ndarray:
    """Multiply every channel of dy with every channel: a matrix (C, C)."""
    return np.tensordot(dy, carried, (axes, axes))


def as_it_is(array: np.ndarray) -> np.ndarray:
    """Leave an image as it is."""
    return array


def rows_of_length_c(array: np.ndarray) -> np.ndarray:
    """Flatten (N, C, H, W) to (-1, C), while the channels are still the second axis."""
    return array.reshape(-1, array.shape[1])


def parameters_recipe(
    dy: np.ndarray,
    x: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    x_hat: np.ndarray,
    weight: np.ndarray,
    eps: float,
    *,
    carried: Callable = x_hat_carried,
    axes: Axes = (0,),
    image_axes: Axes = (0, 2, 3),
    flatten: Callable = as_it_is,
    keepdims: bool = False,
    gather_weight: Callable = summed,
    gather_bias: Callable = summed,
    weight_in_dweight: bool = False,
    weight_in_dbias: bool = False,
    order: int = 1,
) -> Outputs:
    """Compute dweight and dbias; each keyword is a step that a mistake may change.

    Parameters
    ----------
    dy, x, mean, var, x_hat, weight, eps
        The gradient of the output and the cache.
    carried
        What dy is multiplied by for dweight.
    axes, image_axes
        What is summed over, in (N, C) and in (N, C, H, W).
    flatten
        How an image is laid out before the sum.
    keepdims
        Keep those axes with size 1.
    gather_weight, gather_bias
        Sum, average, or neither.
    weight_in_dweight, weight_in_dbias
        Multiply dy by weight first.
    order
        -1 gives the two back in the other order.
    """
    along = weight.reshape((-1,) + (1,) * (x.ndim - 2))
    dy_weight = dy * along if weight_in_dweight else dy
    dy_bias = dy * along if weight_in_dbias else dy
    other = carried(x, mean, x_hat)
    over = axes
    if x.ndim > 2:
        dy_weight, dy_bias, other = flatten(dy_weight), flatten(dy_bias), flatten(other)
        over = image_axes
    dweight = gather_weight(dy_weight, other, over, keepdims)
    dbias = gather_bias(dy_bias, 1.0, over, keepdims)
    return dict(zip(("dweight", "dbias"), (dweight, dbias)[::order], strict=True))


def draw_parameters(rng: np.random.Generator) -> list[Case]:
    """Draw the cases: matrices, one of them square, and images with as many columns as channels.

    What an image should give follows from the learner's own answer on its pixels as rows.
    """
    cases = []
    for shape in ((3, 2), (4, 4), (5, 3)):
        cache = _any_arguments(rng, shape)
        cases.append(Case(shape_name(shape), ("dweight", "dbias"), cache))
    for shape in ((2, 3, 2, 3), (3, 2, 1, 4)):
        cache = _any_arguments(rng, shape)
        rows = f"the pixels of {shape_name(shape)} as rows"
        cases.append(Case(rows, (), _pixels_as_rows(cache)))
        own = {"based_on": rows, "derive": lambda own, _arguments: own}
        cases.append(Case(f"images {shape_name(shape)}", ("images",), cache, **own))
    return cases


def _any_arguments(rng: np.random.Generator, shape: tuple[int, ...]) -> Arguments:
    x, dy = distinct_values(rng, shape), distinct_values(rng, shape)
    means = shifts(rng, shape[1]).reshape((-1,) + (1,) * (len(shape) - 2))
    eps = float(rng.integers(5, 20)) / 10
    return arguments_of(dy, x + means, scales(rng, shape[1]), eps)


def _pixels_as_rows(cache: Arguments) -> Arguments:
    """Lay (N, C, H, W) out as (N·H·W, C)."""
    return {name: _rows(value) if np.ndim(value) == 4 else value for name, value in cache.items()}


def _rows(image: np.ndarray) -> np.ndarray:
    return np.moveaxis(image, 1, -1).reshape(-1, image.shape[1])


_IMAGES = "Images, and awkward cases, beside torch"

X_CARRIED = Mistake(
    key="x for x_hat",
    what="dweight is made of dy times x.",
    outside="dweight depends on where x lies, although the layer takes the mean away.",
    hint="what did weight multiply in the forward pass?",
    mend="dweight",
    aspect="dweight",
    changes={"carried": x_carried},
    section=roads.GRAPH,
)
DEVIATIONS_CARRIED = Mistake(
    key="x - mean for x_hat",
    what="dweight is made of dy times x - mean.",
    outside="dweight is off by the standard deviation of each channel.",
    hint="what did weight multiply in the forward pass?",
    mend="dweight",
    aspect="dweight",
    changes={"carried": deviations_carried},
    section=roads.GRAPH,
)
_ONE_TOUCHES = "one number of weight touches how many outputs? And which of them count?"
DWEIGHT_AVERAGED = Mistake(
    key="dweight averaged",
    what="dweight is a mean, not a sum.",
    outside="each step of weight is too small, by the size of the batch.",
    hint=_ONE_TOUCHES,
    mend="dweight",
    aspect="dweight",
    changes={"gather_weight": averaged},
    section=roads.GRAPH,
)
DBIAS_AVERAGED = Mistake(
    key="dbias averaged",
    what="dbias is a mean, not a sum.",
    outside="each step of bias is too small, by the size of the batch.",
    hint="raise one number of bias by 1. How many outputs rise by 1?",
    mend="dbias",
    aspect="dbias",
    changes={"gather_bias": averaged},
    section=roads.GRAPH,
)
DWEIGHT_NOT_SUMMED = Mistake(
    key="dweight not summed",
    what="dweight is not summed over the batch.",
    outside="dweight has the shape of x; an error when weight is updated.",
    hint="a gradient has the shape of the thing it belongs to. Which shape has weight?",
    mend="dweight",
    aspect="dweight",
    changes={"gather_weight": not_summed},
    section=roads.GRAPH,
)
DBIAS_NOT_SUMMED = Mistake(
    key="dbias not summed",
    what="dbias is dy itself, not summed over the batch.",
    outside="dbias has the shape of x; an error when bias is updated.",
    hint="a gradient has the shape of the thing it belongs to. Which shape has bias?",
    mend="dbias",
    aspect="dbias",
    changes={"gather_bias": not_summed},
    section=roads.GRAPH,
)
MATRIX_PRODUCT = Mistake(
    key="matrix product",
    what="dweight is a matrix product of dy and x_hat, with one number for every two channels.",
    outside="the shape (C, C); an error when weight is updated, or weight becomes a matrix.",
    hint="weight was multiplied number by number in the forward pass. Was there a `@`?",
    mend="dweight",
    aspect="dweight",
    changes={"gather_weight": matrix_product},
    section=roads.GRAPH,
)
WEIGHT_IN_DWEIGHT = Mistake(
    key="weight in dweight",
    what="dy is multiplied by weight before it is gathered for dweight.",
    outside="right in a fresh layer, where weight is 1.",
    hint="weight * x_hat is a product of two. What is its slope with respect to weight?",
    mend="dweight",
    aspect="dweight",
    changes={"weight_in_dweight": True},
    section=roads.GRAPH,
)
WEIGHT_IN_DBIAS = Mistake(
    key="weight in dbias",
    what="dy is multiplied by weight before it is gathered for dbias.",
    outside="right in a fresh layer, where weight is 1.",
    hint="raise bias by 1. By how much does y rise, and is weight in it?",
    mend="dbias",
    aspect="dbias",
    changes={"weight_in_dbias": True},
    section=roads.GRAPH,
)
EXCHANGED = Mistake(
    key="dweight and dbias exchanged",
    what="dbias is given back first, and dweight second.",
    outside="the shapes are right, so nothing complains.",
    hint="read the last line of the table once more, and your own last line.",
    mend="the order",
    aspect="dweight",
    changes={"order": -1},
    section=roads.GRAPH,
)
PER_SAMPLE = Mistake(
    key="one gradient per sample",
    what="the sum runs over the channels, and leaves one number for each sample.",
    outside="the shape (N,); an error, unless there are as many samples as channels.",
    hint="print the shape of dweight. One number for each *what*?",
    mend="the axes",
    aspect="dweight",
    changes={"axes": (1,), "image_axes": (1, 2, 3), "flatten": as_it_is},
    section=roads.GRAPH,
)
KEPT_DIMS = Mistake(
    key="axes kept",
    what="the axes that were summed are still there, with size 1.",
    outside="the shape (1, C): an update by broadcasting makes weight two-dimensional.",
    hint="print the shape of dweight beside that of weight.",
    mend="the shape",
    aspect="dweight",
    changes={"keepdims": True},
    section=roads.GRAPH,
)


def _wrong_sum(key: str, what: str, outside: str, axes: Axes) -> Mistake:
    return Mistake(
        key=key,
        what=what,
        outside=outside,
        hint="print the shape of dweight. One number for each *what*?",
        mend="the axes",
        aspect="images",
        changes={"image_axes": axes, "flatten": as_it_is},
        section=_IMAGES,
    )


BATCH_SUMMED = _wrong_sum(
    "images summed over the batch only",
    "the sum runs over the batch only, and leaves a gradient for every pixel.",
    "right for (N, C); the shape (C, H, W) for images.",
    (0,),
)
PIXELS_SUMMED = _wrong_sum(
    "images summed over the pixels only",
    "the sum runs over the pixels only, and leaves a gradient for every image.",
    "right for (N, C); the shape (N, C) for images.",
    (2, 3),
)
COLUMNS_LEFT = _wrong_sum(
    "images summed over all but the last axis",
    "the sum runs over all axes but the last, as if the channels came last.",
    "right for (N, C), and one number for each column of the image.",
    (0, 1, 2),
)
NOT_MOVED = Mistake(
    key="flattened without moving the channels",
    what="the images are flattened to (-1, C) while the channels are still the second axis.",
    outside="the right shape, and sums that mix all channels.",
    hint="number the channels: fill each with its own index, flatten, and print the matrix.",
    mend="the way images are laid out",
    aspect="images",
    changes={"flatten": rows_of_length_c, "image_axes": (0,)},
    section=_IMAGES,
)

# ---- dx through the graph


def dx_reference(**cache: np.ndarray) -> Outputs:
    """Ask the package's own layer."""
    return {"dx": _gradients(cache).input}


def deviations_of(x: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Subtract the mean."""
    return x - mean


def x_itself(x: np.ndarray, _mean: np.ndarray) -> np.ndarray:
    """Take x for its deviations."""
    return x


#: The factors of the way from dr to dd: the slope -1/2, the power of r that goes
#: with it, and the 2 that comes from the square.
_SLOPES = (-0.5, 3, 2)


def graph(
    dy: np.ndarray,
    x: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    x_hat: np.ndarray,
    weight: np.ndarray,
    eps: float,
    *,
    weights: int = 1,
    divisor: Callable = root_of_variance_plus_eps,
    in_slope: Callable | None = None,
    carried: Callable = deviations_of,
    slopes: tuple[float, int, int] = _SLOPES,
    left_out: tuple[str, ...] = (),
    count: Callable = roads.values_that_share,
    mean_sign: int = -1,
    mean_count: Callable = roads.values_that_share,
) -> Outputs:
    """Go back through the graph node by node; each keyword is a step that a mistake may change.

    Parameters
    ----------
    dy, x, mean, var, x_hat, weight, eps
        The gradient of the output and the cache, for (N, C).
    weights
        How often dy is multiplied by weight.
    divisor, in_slope
        The standard deviation; and that in the slope of 1 / std, where it is another.
    carried
        What dx_hat is multiplied by on its way to r.
    slopes
        The factors on the variance's road.
    left_out
        The roads that are left out: "mean", "variance".
    count, mean_count
        What dv and dmu are divided by on their way to the single values.
    mean_sign
        The mean is subtracted.

    Returns
    -------
    dict
        The gradient of every node, in the order in which they are computed; dx is the last.
    """
    half, power, two = slopes
    d = x - mean  # (N, C)
    r = 1 / divisor(var, eps)  # (1, C)
    dx_hat = dy if weights == 0 else dy * weight**weights  # (N, C)
    dr = (dx_hat * carried(x, mean)).sum(0, keepdims=True)  # (1, C)
    slope = half * (1 / in_slope(var, eps) if in_slope else r) ** power
    dv = dr * slope  # (1, C)
    dd = dx_hat * r  # (N, C), on the road that goes straight
    if "variance" not in left_out:
        dd = dd + dv * two * d / count(dy, COLUMNS)  # and on the variance's
    dmu = mean_sign * dd.sum(0, keepdims=True)  # (1, C)
    dx = dd if "mean" in left_out else dd + dmu / mean_count(dy, COLUMNS)
    return {
        "dx_hat": dx_hat,
        "dr": dr,
        "dv": dv,
        "dd": dd,
        "dmu": dmu,
        "dx": dx,
    }


def graph_recipe(**values: object) -> Outputs:
    """Return dx alone."""
    return {"dx": graph(**values)["dx"]}


def nodes(**cache: np.ndarray) -> Outputs:
    """Return the right gradient of every node but x, in the order in which they are computed."""
    gradients = graph(**cache)
    del gradients["dx"]
    return gradients


_ALL_ROADS = "dy any numbers"


def draw_graph(rng: np.random.Generator) -> list[Case]:
    """Draw gradients that travel on one road each, and then on all."""
    return [
        *_on_each_road(rng, 3, 2),
        *_on_each_road(rng, 5, 3),
    ]


def _on_each_road(rng: np.random.Generator, n: int, columns: int) -> list[Case]:
    drawn, name = roads.draw_roads(rng, n, columns), shape_name((n, columns))
    ones, weight = np.ones(columns), scales(rng, columns)
    dy = distinct_values(rng, (n, columns))
    everywhere = f"{name}, {_ALL_ROADS}"
    return [
        *roads.road_cases(drawn, name, 0, lambda dy, eps: arguments_of(dy, drawn.x, ones, eps)),
        Case(everywhere, (), arguments_of(dy, drawn.x, ones, NO_EPS)),
        Case(
            f"{everywhere}, weight not 1",
            ("weight",),
            arguments_of(dy, drawn.x, weight, NO_EPS),
            based_on=everywhere,
            derive=_times_weight,
        ),
    ]


def _times_weight(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's dx with weight 1 to that with another: dx is proportional to it."""
    return {"dx": own["dx"] * arguments["weight"]}


_VARIANCE_ROAD = {
    "slopes": _SLOPES,
    "count": roads.values_that_share,
    "carried": deviations_of,
    "in_slope": None,
}
_MEAN_ROAD = {"mean_sign": -1, "mean_count": roads.values_that_share}

G_CONSTANTS = replace(
    roads.CONSTANTS,
    changes={"left_out": ("mean", "variance"), **_MEAN_ROAD, **_VARIANCE_ROAD},
)
G_MEAN_LEFT_OUT = replace(roads.MEAN_LEFT_OUT, changes={"left_out": ("mean",), **_MEAN_ROAD})
G_VARIANCE_LEFT_OUT = replace(
    roads.VARIANCE_LEFT_OUT, changes={"left_out": ("variance",), **_VARIANCE_ROAD}
)
G_MEAN_ADDED = replace(
    roads.MEAN_ADDED,
    key="sign of the mean's road",
    what="the gradient of the mean has the wrong sign.",
    changes={"mean_sign": 1},
    section=roads.GRAPH,
)
G_MEAN_SUMMED = replace(
    roads.MEAN_SUMMED,
    key="dmu not divided by N",
    what="the gradient of the mean goes to each value in full, and not divided by N.",
    changes={"mean_count": roads.no_count},
    section=roads.GRAPH,
)


def _on_the_variance_road(
    key: str, what: str, outside: str, hint: str, changes: dict[str, object]
) -> Mistake:
    return Mistake(
        key=key,
        what=what,
        outside=outside,
        hint=hint,
        mend="the variance's road",
        aspect="variance",
        changes=changes,
        section=roads.GRAPH,
    )


_OFF_BY = "dx adds up to 0 as it should; the part of it that is proportional to x_hat is wrong."
G_HALF_MISSING = _on_the_variance_road(
    "half missing",
    "the slope of 1 / sqrt is taken without its 1/2.",
    _OFF_BY,
    "differentiate v to the power of -1/2. Which number comes to stand in front?",
    {"slopes": (-1.0, 3, 2)},
)
G_TWO_MISSING = _on_the_variance_road(
    "two missing",
    "the slope of the square is taken without its 2.",
    _OFF_BY,
    "differentiate d squared. Which number comes to stand in front?",
    {"slopes": (-0.5, 3, 1)},
)
G_SLOPE_SIGN = _on_the_variance_road(
    "sign of the variance's road",
    "the slope of 1 / sqrt has the wrong sign.",
    _OFF_BY,
    "when the variance grows, does 1 / std grow or fall?",
    {"slopes": (0.5, 3, 2)},
)
G_POWER_ONE = _on_the_variance_road(
    "exponent -1/2 kept",
    "the exponent is not lowered: the slope of 1 / sqrt goes with -1/2 and not with -3/2.",
    _OFF_BY + " By the variance.",
    "differentiate v to the power of -1/2. Which exponent is left?",
    {"slopes": (-0.5, 1, 2)},
)
G_POWER_TWO = _on_the_variance_road(
    "one std too few",
    "the slope of 1 / sqrt is -1/2 over the variance, and not over the variance times std.",
    _OFF_BY + " By the standard deviation.",
    "differentiate v to the power of -1/2. Which exponent is left?",
    {"slopes": (-0.5, 2, 2)},
)
G_X_HAT_TWICE = _on_the_variance_road(
    "x_hat for the deviations",
    "x_hat stands where the deviations x - mean belong, on the way to 1 / std or from the square.",
    _OFF_BY + " By the standard deviation.",
    "x_hat is a product of two nodes. The gradient of one of them has the other in it: which?",
    {"slopes": (-0.5, 4, 2)},
)
G_DVAR_NOT_DIVIDED = _on_the_variance_road(
    "dv not divided by N",
    "the gradient of the variance goes to each square in full, and not divided by N.",
    "dx grows with the size of the batch.",
    "one of the squares moves the variance by how much?",
    {"count": roads.no_count},
)
G_DVAR_ONE_LESS = _on_the_variance_road(
    "dv divided by N - 1",
    "the gradient of the variance is divided by N - 1 in place of N.",
    "off by a little; the smaller the batch, the more.",
    "what did you divide by in the forward pass?",
    {"count": roads.one_less},
)
G_X_CARRIED = replace(
    _on_the_variance_road(
        "x for the deviations",
        "x stands where the deviations x - mean belong, on the way to 1 / std.",
        "right where the mean of x or of dy is 0.",
        "x_hat is a product of two nodes. Is x one of them?",
        {"carried": x_itself},
    ),
    aspect="mean",
)
G_EPS_IN_SLOPE = Mistake(
    key="eps missing in the slope",
    what="eps is left out of the slope of 1 / sqrt, and of nothing else.",
    outside="nothing to see on ordinary data; NaN for a channel that never changes.",
    hint="the forward pass took the root of something. Is the slope taken at the same place?",
    mend="the eps",
    aspect="eps",
    changes={"in_slope": root_without_eps, "divisor": root_of_variance_plus_eps},
    section=roads.BREAK,
)
G_WEIGHTS = (
    replace(roads.WEIGHT_MISSING, changes={"weights": 0}),
    replace(roads.WEIGHT_TWICE, changes={"weights": 2}),
)
G_DIVISORS = tuple(
    # Without a divisor its powers cannot be seen.
    replace(mistake, changes={"divisor": mistake.changes["divisor"]})
    if mistake is not roads.NOT_DIVIDED
    else replace(mistake, changes={"divisor": roads.not_divided, "slopes": _SLOPES})
    for mistake in roads.DIVISORS
)

# ---- dx in closed form


def closed_recipe(
    dy: np.ndarray,
    x: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    x_hat: np.ndarray,
    weight: np.ndarray,
    eps: float,
    *,
    image_view: View = CHANNELS,
    line_up: Callable = View.along_channels,
    **steps: object,
) -> Outputs:
    """Compute dx in closed form, for (N, C) and (N, C, H, W).

    Parameters
    ----------
    dy, x, mean, var, x_hat, weight, eps
        The gradient of the output and the cache.
    image_view
        Which values of (N, C, H, W) share a mean.
    line_up
        Along which axis weight lies.
    steps
        Of `roads.closed_form`.
    """
    view = COLUMNS if x.ndim == 2 else image_view
    kept = Kept(x, var, x_hat, line_up(view, weight, x), eps)
    return {"dx": closed_form(dy, kept, view, **steps)}


def draw_closed(rng: np.random.Generator) -> list[Case]:
    """Draw gradients that travel on one road each, then on all, and images.

    What an image should give follows from the learner's own answer on its pixels as rows.
    """
    shape = (2, 3, 2, 3)
    cache = _any_arguments(rng, shape)
    rows = f"the pixels of {shape_name(shape)} as rows"

    def as_image(own: Outputs, _arguments: Arguments) -> Outputs:
        n, c, h, w = shape
        return {"dx": np.moveaxis(own["dx"].reshape(n, h, w, c), -1, 1)}

    return [
        *draw_graph(rng),
        Case(rows, (), _pixels_as_rows(cache)),
        Case(f"images {shape_name(shape)}", ("images",), cache, based_on=rows, derive=as_image),
    ]


# A slip with images is not looked for together with a slip on the roads themselves.
_ROADS_AS_THEY_SHOULD = {
    "mean_road": roads.mean_subtracted,
    "variance_road": roads.projection_subtracted,
    "count": roads.values_that_share,
}


def _wrong_view(key: str, what: str, outside: str, axes: Axes) -> Mistake:
    return Mistake(
        key=key,
        what=what,
        outside=outside,
        hint="which values had a mean in common in the forward pass?",
        mend="the axes",
        aspect="images",
        changes={"image_view": View(axes=axes), **_ROADS_AS_THEY_SHOULD},
        section=_IMAGES,
    )


C_PIXELS = _wrong_view(
    "images averaged over the batch only",
    "the means of the gradient run over the batch only, in images too.",
    "right for (N, C); for images every pixel goes its own way.",
    (0,),
)
C_MAPS = _wrong_view(
    "images averaged over the pixels only",
    "the means of the gradient run over the pixels of one image only.",
    "right for (N, C); for images as if each had a mean of its own. (InstanceNorm does this.)",
    (2, 3),
)
C_EVERYTHING = _wrong_view(
    "images averaged over everything",
    "the means of the gradient run over all channels together.",
    "right for (N, C); for images the channels get into each other's gradients.",
    (0, 1, 2, 3),
)
C_BATCH_COUNT = Mistake(
    key="divided by N for images",
    what="the sums are divided by N where each mean is made of N times H times W values.",
    outside="right for (N, C), far too large for images.",
    hint="what did you divide by in the forward pass?",
    mend="the number that you divide by",
    aspect="images",
    changes={**_ROADS_AS_THEY_SHOULD, "count": roads.samples, "image_view": CHANNELS},
    section=_IMAGES,
)
C_CHANNEL_COUNT = Mistake(
    key="divided by C",
    what="the sums are divided by the number of channels.",
    outside="right where there are as many channels as values in a mean.",
    hint="print the number that you divide by, and count the values behind one mean.",
    mend="the number that you divide by",
    aspect="mean",
    changes={"count": roads.channels},
    section=roads.CLOSED,
)
C_LAST_AXIS = Mistake(
    key="weight along the last axis",
    what="weight lies along the columns of the image, not along the channels.",
    outside="an error, unless there are as many channels as columns; then vertical stripes.",
    hint="which axis does NumPy line a bare (C,) up with?",
    mend="the shape of weight",
    aspect="images",
    changes={"line_up": View.bare, **_ROADS_AS_THEY_SHOULD},
    section=_IMAGES,
)


def _of_images(mistake: Mistake) -> Mistake:
    """Keep a mistake from meeting those that it hides."""
    hides = {}
    if mistake is roads.CONSTANTS:  # no mean is taken
        hides = {"image_view": CHANNELS}
    if mistake is roads.WEIGHT_MISSING:
        hides = {"line_up": View.along_channels}
    return replace(mistake, changes={**mistake.changes, **hides})


# ---- the aspects, and the exercises

_INPUT_ALONE = Aspect("input", "leaves its input alone", 1, leaves_input_alone=True)

PARAMETERS = Exercise(
    name="batch_norm_backward_parameters",
    lesson="04",
    title="the gradients of weight and bias",
    parameters=_PARAMETERS,
    returns=("dweight", "dbias"),
    aspects=(
        Aspect("dbias", "dbias", 2, ("dbias",)),
        Aspect("dweight", "dweight", 4, ("dweight",)),
        Aspect("images", "both, for images", 3),
        _INPUT_ALONE,
    ),
    draw=draw_parameters,
    reference=parameters_reference,
    recipe=parameters_recipe,
    mistakes=(
        X_CARRIED,
        DEVIATIONS_CARRIED,
        DWEIGHT_AVERAGED,
        DBIAS_AVERAGED,
        DWEIGHT_NOT_SUMMED,
        DBIAS_NOT_SUMMED,
        MATRIX_PRODUCT,
        WEIGHT_IN_DWEIGHT,
        WEIGHT_IN_DBIAS,
        EXCHANGED,
        PER_SAMPLE,
        KEPT_DIMS,
        BATCH_SUMMED,
        PIXELS_SUMMED,
        COLUMNS_LEFT,
        NOT_MOVED,
    ),
    first_step="begin with dbias: how many outputs does one number of bias touch, and by how much?",
)

_ROADS = (
    Aspect("straight", "the road straight through x_hat", 2),
    Aspect("mean", "the road of the mean: a constant in dy is lost", 2),
    Aspect("variance", "that of the variance: so is what lies along x_hat", 2),
)

GRAPH = Exercise(
    name="batch_norm_backward_graph",
    lesson="04",
    title="dx through the graph, node by node",
    parameters=_PARAMETERS,
    returns=("dx",),
    aspects=(
        *_ROADS,
        Aspect("weight", "a weight other than 1", 1),
        Aspect("eps", "a large eps", 2),
        _INPUT_ALONE,
    ),
    draw=draw_graph,
    reference=dx_reference,
    recipe=graph_recipe,
    mistakes=(
        G_CONSTANTS,
        G_MEAN_LEFT_OUT,
        G_VARIANCE_LEFT_OUT,
        G_MEAN_ADDED,
        G_MEAN_SUMMED,
        G_HALF_MISSING,
        G_TWO_MISSING,
        G_SLOPE_SIGN,
        G_POWER_ONE,
        G_POWER_TWO,
        G_X_HAT_TWICE,
        G_DVAR_NOT_DIVIDED,
        G_DVAR_ONE_LESS,
        G_X_CARRIED,
        G_EPS_IN_SLOPE,
        *G_WEIGHTS,
        *G_DIVISORS,
    ),
    first_step="begin at the end: y = weight * x_hat + bias. What is dx_hat?",
    nodes=nodes,
)

CLOSED = Exercise(
    name="batch_norm_backward",
    lesson="04",
    title="dx in closed form",
    parameters=_PARAMETERS,
    returns=("dx",),
    aspects=(
        replace(_ROADS[0], points=1),
        *_ROADS[1:],
        Aspect("weight", "a weight other than 1", 1),
        Aspect("eps", "a large eps", 1),
        Aspect("images", "images: means over the batch and all pixels", 2),
        _INPUT_ALONE,
    ),
    draw=draw_closed,
    reference=dx_reference,
    recipe=closed_recipe,
    mistakes=(
        *(_of_images(mistake) for mistake in roads.CLOSED_FORM),
        C_PIXELS,
        C_MAPS,
        C_EVERYTHING,
        C_BATCH_COUNT,
        C_CHANNEL_COUNT,
        C_LAST_AXIS,
    ),
    first_step="compute dx_hat, its mean, and the mean of dx_hat times x_hat; print their shapes.",
)

EXERCISES = (PARAMETERS, GRAPH, CLOSED)
