"""Lesson 2: the forward pass of BatchNorm in training mode, for vectors, images and a linear layer.

The recipes below compute the same as the references, in steps that can be exchanged one by one.
A mistake is one step done otherwise.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from normlab.exercises.cases import distinct_values, scales, shape_name, shifts
from normlab.exercises.exercise import Arguments, Aspect, Case, Exercise, Mistake, Outputs
from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

# So small that eps cannot be seen, wherever it is added.
_NO_EPS = 1e-12


# ---- the recipe: which values share a mean


def _as_it_is(x: np.ndarray) -> np.ndarray:
    return x


def _fold_back(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    return y.reshape(x.shape)


@dataclass(frozen=True)
class View:
    """How the values are laid out to be averaged.

    Parameters
    ----------
    axes
        The axes that share one mean and one variance.
    channels
        The axis along which `weight` and `bias` run.
    unfold, fold
        Lay `x` out before; bring the result ``fold(y, x)`` back after.
    keepdims
        Let mean and variance keep the averaged axes with size 1, so that they line up with `x`.
    """

    axes: tuple[int, ...]
    channels: int = 1
    unfold: Callable[[np.ndarray], np.ndarray] = _as_it_is
    fold: Callable[[np.ndarray, np.ndarray], np.ndarray] = _fold_back
    keepdims: bool = True

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Average over the axes."""
        return values.mean(self.axes, keepdims=True)

    def line_up(self, statistic: np.ndarray) -> np.ndarray:
        """Shape a mean or variance as it meets `x`."""
        return statistic if self.keepdims else statistic.squeeze(self.axes)

    def count(self, x: np.ndarray) -> int:
        """How many values share one mean."""
        return math.prod(x.shape[axis] for axis in self.axes)

    def along_channels(self, parameter: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Shape a parameter (C,) so that it lies along the channels of `x`."""
        return parameter.reshape([-1 if axis == self.channels else 1 for axis in range(x.ndim)])

    def bare(self, parameter: np.ndarray, _x: np.ndarray) -> np.ndarray:
        """Leave a parameter (C,) as it is: NumPy lines it up with the last axis."""
        return parameter


# ---- the recipe: from a mean to a variance


def mean_squared_deviation(x: np.ndarray, mean: np.ndarray, view: View) -> np.ndarray:
    """Average the squared deviations: what NumPy's var does."""
    return view.mean(np.square(x - mean))


def mean_square(x: np.ndarray, _mean: np.ndarray, view: View) -> np.ndarray:
    """Average the squares, without subtracting the mean."""
    return view.mean(np.square(x))


def mean_of_squares_less_square_of_mean(x: np.ndarray, mean: np.ndarray, view: View) -> np.ndarray:
    """Compute E[x²] - E[x]²: the same on paper."""
    return view.mean(x * x) - mean * mean


def mean_of_the_images_variances(x: np.ndarray, _mean: np.ndarray, _view: View) -> np.ndarray:
    """Take the variance of each image (N, C, H, W), then average over the images."""
    return x.var((2, 3)).mean(0).reshape(1, -1, 1, 1)


# ---- the recipe: from a variance to the divisor


def root_of_variance_plus_eps(var: np.ndarray, eps: float) -> np.ndarray:
    """Add eps, then take the root."""
    return np.sqrt(var + eps)


def root_plus_eps(var: np.ndarray, eps: float) -> np.ndarray:
    """Take the root, then add eps."""
    return np.sqrt(var) + eps


def root_without_eps(var: np.ndarray, _eps: float) -> np.ndarray:
    """Leave eps out."""
    return np.sqrt(var)


def no_root(var: np.ndarray, eps: float) -> np.ndarray:
    """Divide by the variance."""
    return var + eps


def root_of_the_root(var: np.ndarray, eps: float) -> np.ndarray:
    """Take the standard deviation for the variance."""
    return np.sqrt(np.sqrt(var) + eps)


def fixed_eps(var: np.ndarray, _eps: float) -> np.ndarray:
    """Use PyTorch's default in place of the argument."""
    return np.sqrt(var + 1e-5)


# ---- the recipe: weight and bias


def scale_then_shift(x_hat: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Multiply by weight, then add bias."""
    return weight * x_hat + bias


def no_affine(x_hat: np.ndarray, _weight: np.ndarray, _bias: np.ndarray) -> np.ndarray:
    """Use neither weight nor bias."""
    return x_hat


def no_weight(x_hat: np.ndarray, _weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Add bias only."""
    return x_hat + bias


def no_bias(x_hat: np.ndarray, weight: np.ndarray, _bias: np.ndarray) -> np.ndarray:
    """Multiply by weight only."""
    return weight * x_hat


def shift_then_scale(x_hat: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Add bias, then multiply by weight."""
    return weight * (x_hat + bias)


def exchanged(x_hat: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Take bias for weight and weight for bias."""
    return bias * x_hat + weight


# ---- the recipe, put together

COLUMNS = View(axes=(0,))
CHANNELS = View(axes=(0, 2, 3))


def batch_norm_recipe(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    eps: float,
    *,
    view: View = COLUMNS,
    variance: Callable = mean_squared_deviation,
    less: int = 0,
    centred: bool = True,
    divisor: Callable = root_of_variance_plus_eps,
    affine: Callable = scale_then_shift,
    line_up: Callable = View.along_channels,
) -> Outputs:
    """Compute BatchNorm's forward pass; each keyword is a step that a mistake may change.

    Parameters
    ----------
    x
        (N, C) with a view of columns, (N, C, H, W) with one of channels.
    weight, bias
        (C,).
    eps
        Added to the variance.
    view
        Which values share a mean.
    variance
        How the spread about the mean is measured.
    less
        Divide the sum of squares by n - less.
    centred
        Subtract the mean.
    divisor
        What the deviations are divided by.
    affine, line_up
        How weight and bias are used, and along which axis they lie.
    """
    z = view.unfold(x)
    n = view.count(z)
    mean = view.mean(z)
    var = variance(z, mean, view) * np.float64(n) / (n - less)
    mean, var = view.line_up(mean), view.line_up(var)
    x_hat = (z - mean if centred else z) / divisor(var, eps)
    y = affine(x_hat, line_up(view, weight, x_hat), line_up(view, bias, x_hat))
    return {"y": view.fold(y, x)}


def image_recipe(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    eps: float,
    *,
    view: View = CHANNELS,
    **steps: Callable | int | bool,
) -> Outputs:
    """`batch_norm_recipe` on (N, C, H, W)."""
    return batch_norm_recipe(x, weight, bias, eps, view=view, **steps)


def batch_norm_reference(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float
) -> Outputs:
    """Call the package's own layer, in float64, on (N, C) or (N, C, H, W)."""
    x, weight, bias = (np.asarray(value, np.float64) for value in (x, weight, bias))
    return {"y": F.batch_norm(x, None, None, weight, bias, training=True, eps=eps)}


# ---- the recipe for a linear layer with BatchNorm behind it


def outputs_along_rows(x: np.ndarray, linear_weight: np.ndarray) -> np.ndarray:
    """PyTorch keeps linear_weight as (C, D): transpose it."""
    return x @ linear_weight.T


def not_transposed(x: np.ndarray, linear_weight: np.ndarray) -> np.ndarray:
    """Multiply with linear_weight as it is."""
    return x @ linear_weight


def bias_not_added(z: np.ndarray, _linear_bias: np.ndarray) -> np.ndarray:
    """Leave the linear layer's bias out: the mean would take it away again."""
    return z


def bias_added(z: np.ndarray, linear_bias: np.ndarray) -> np.ndarray:
    """Add the linear layer's bias, and rely on the mean to take it away."""
    return z + linear_bias


def output_unmoved(y: np.ndarray, _linear_bias: np.ndarray, _weight: np.ndarray) -> np.ndarray:
    """Leave the output as it is: nothing of the linear layer's bias is in it."""
    return y


def output_moved(y: np.ndarray, linear_bias: np.ndarray, _weight: np.ndarray) -> np.ndarray:
    """Add the linear layer's bias to the output (or, the same, to BatchNorm's bias)."""
    return y + linear_bias


def output_moved_by_weight(
    y: np.ndarray, linear_bias: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Add the linear layer's bias times BatchNorm's weight to the output."""
    return y + weight * linear_bias


def mean_moved(mean: np.ndarray, linear_bias: np.ndarray) -> np.ndarray:
    """Add the bias: a constant added to a column is added to its mean."""
    return mean + linear_bias


def mean_unmoved(mean: np.ndarray, _linear_bias: np.ndarray) -> np.ndarray:
    """Take the mean for that of the layer with its bias."""
    return mean


def mean_moved_back(mean: np.ndarray, linear_bias: np.ndarray) -> np.ndarray:
    """Subtract the bias from the mean."""
    return mean - linear_bias


def variance_as_used(var: np.ndarray, _eps: float, _linear_bias: np.ndarray) -> np.ndarray:
    """Give the variance back as it is: a constant does not change it."""
    return var


def variance_moved(var: np.ndarray, _eps: float, linear_bias: np.ndarray) -> np.ndarray:
    """Add the bias to the variance, too."""
    return var + linear_bias


def variance_and_eps(var: np.ndarray, eps: float, _linear_bias: np.ndarray) -> np.ndarray:
    """Give back what stands under the root."""
    return var + eps


def standard_deviation(var: np.ndarray, _eps: float, _linear_bias: np.ndarray) -> np.ndarray:
    """Give back the root of the variance."""
    return np.sqrt(var)


def linear_recipe(
    x: np.ndarray,
    linear_weight: np.ndarray,
    linear_bias: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    eps: float,
    *,
    product: Callable = outputs_along_rows,
    before: Callable = bias_not_added,
    less: int = 0,
    divisor: Callable = root_of_variance_plus_eps,
    affine: Callable = scale_then_shift,
    after: Callable = output_unmoved,
    returned_mean: Callable = mean_moved,
    returned_variance: Callable = variance_as_used,
    line_up: Callable = View.along_channels,
) -> Outputs:
    """Compute a linear layer and BatchNorm; each keyword is a step that a mistake may change.

    Parameters
    ----------
    x
        (N, D).
    linear_weight, linear_bias
        (C, D) and (C,), as in `torch.nn.Linear`.
    weight, bias, eps
        (C,), (C,) and a number: BatchNorm's.
    product
        How x meets linear_weight.
    before, after
        What is done with linear_bias before and after normalizing.
    less, divisor, affine, line_up
        As in `batch_norm_recipe`.
    returned_mean, returned_variance
        From the statistics of the layer without its bias to those with it.
    """
    z = before(product(x, linear_weight), linear_bias)  # (N, C)
    steps = {"less": less, "divisor": divisor, "affine": affine, "line_up": line_up}
    y = batch_norm_recipe(z, weight, bias, eps, **steps)["y"]
    mean = z.mean(0) - (linear_bias if before is bias_added else 0)  # without the bias
    var = z.var(0) * len(z) / (len(z) - less)
    return {
        "y": after(y, linear_bias, weight),
        "mean": returned_mean(mean, linear_bias),
        "var": returned_variance(var, eps, linear_bias),
    }


def linear_reference(
    x: np.ndarray,
    linear_weight: np.ndarray,
    linear_bias: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    eps: float,
) -> Outputs:
    """Put the package's own BatchNorm behind a matrix product."""
    z = x @ linear_weight.T  # (N, C)
    y = F.batch_norm(z, None, None, weight, bias, training=True, eps=eps)
    return {"y": y, "mean": z.mean(0) + linear_bias, "var": z.var(0)}


# ---- cases


def _plain(x: np.ndarray, eps: float) -> dict[str, np.ndarray | float]:
    """Arguments with weight 1 and bias 0: what is normalized shows as it is."""
    channels = x.shape[1]
    return {"x": x, "weight": np.ones(channels), "bias": np.zeros(channels), "eps": eps}


def _with_eps(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's answer without eps to that with it.

    The answer without eps is x, less something, over a divisor; that divisor can be read off the
    answer by comparing its spread with that of x.
    """
    x, y, eps = arguments["x"], own["y"], arguments["eps"]
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    squared = x.var(axes, keepdims=True) / y.var(axes, keepdims=True)
    return {"y": y * np.sqrt(squared / (squared + eps))}


def _with_affine(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's answer with weight 1 and bias 0 to that with others."""
    y = own["y"]
    per_channel = (1, -1) + (1,) * (y.ndim - 2)
    return {
        "y": y * arguments["weight"].reshape(per_channel) + arguments["bias"].reshape(per_channel)
    }


def _three_cases(rng: np.random.Generator, shape: tuple[int, ...], values: str) -> list[Case]:
    """Draw one x, three times: without eps, with eps, and with weight and bias.

    Each is derived from the one before, so a slip costs the aspect that it belongs to.
    """
    x, channels, name = _offset_values(rng, shape), shape[1], shape_name(shape)
    eps = float(rng.integers(5, 20)) * round(float(x.var()), 1) / 10
    eps = round(eps, 2)
    weight, bias = scales(rng, channels), shifts(rng, channels)
    plain, large = f"{name}, weight 1, bias 0", f"{name}, eps {eps:g}"
    return [
        Case(plain, (values,), _plain(x, _NO_EPS)),
        Case(large, ("eps",), _plain(x, eps), based_on=plain, derive=_with_eps),
        Case(
            f"{name}, weight and bias",
            ("affine",),
            {"x": x, "weight": weight, "bias": bias, "eps": eps},
            based_on=large,
            derive=_with_affine,
        ),
    ]


def _offset_values(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw readable numbers, each channel about a mean of its own."""
    means = rng.choice(np.arange(-9, 10), shape[1], replace=False)
    return distinct_values(rng, shape) + means.reshape((1, -1) + (1,) * (len(shape) - 2))


def _faint(rng: np.random.Generator, shape: tuple[int, ...]) -> Case:
    """Draw a batch that hardly varies, and whose last channel does not vary at all.

    The variance is so much smaller than eps that it does not matter how it is computed.
    """
    x = distinct_values(rng, shape) * 1e-10
    x[:, -1] = 0.0
    eps = float(rng.choice([0.01, 0.02, 0.05]))
    name = f"{shape_name(shape)}, hardly any variation, eps {eps:g}"
    return Case(name, ("eps",), _plain(x, eps))


def _far_from_zero(rng: np.random.Generator, size: int) -> list[Case]:
    """Draw float32 numbers about 40,000 with a spread of about 3, as many samples as channels.

    float32 has 7 digits: 40,000 is exact to 0.004, and its square only to 128. The tolerance is
    what the rounding of a mean of so many float32 numbers may cost. No aspect asks for the case
    with weight and bias; it tells a slip there from a slip in the variance.
    """
    x = (40_000 + 3 * rng.normal(size=(size, size))).astype(np.float32)
    weight, bias = (np.resize(draw(rng, 20), size) for draw in (scales, shifts))
    ones, zeros = np.ones(size), np.zeros(size)
    name = f"{shape_name(x.shape)} in float32, far from zero"
    return [
        Case(
            case,
            aspects,
            {"x": x, "weight": w.astype(np.float32), "bias": b.astype(np.float32), "eps": 1e-5},
            tolerance=2e-2,
            rounding=True,
        )
        for case, aspects, w, b in (
            (name, ("far",), ones, zeros),
            (f"{name}, weight and bias", (), weight, bias),
        )
    ]


def draw_vectors(rng: np.random.Generator) -> list[Case]:
    """Draw the cases of `batch_norm_forward`."""
    return [
        *_three_cases(rng, (3, 2), values="statistics"),
        *_three_cases(rng, (4, 4), values="statistics"),
        *_three_cases(rng, (7, 5), values="statistics"),
        _faint(rng, (4, 3)),
        *_far_from_zero(rng, 50),
    ]


def draw_linear(rng: np.random.Generator) -> list[Case]:
    """Draw the cases of `linear_then_batch_norm`; twice as many inputs as outputs in one."""
    return [
        *_with_and_without_bias(rng, samples=4, inputs=2, outputs=2),
        *_with_and_without_bias(rng, samples=5, inputs=4, outputs=3),
    ]


def _with_and_without_bias(
    rng: np.random.Generator, samples: int, inputs: int, outputs: int
) -> list[Case]:
    """Draw one linear layer with no bias, with a bias, and with a bias of 10^17.

    What the output should be is derived from the case with no bias: a slip in BatchNorm itself
    costs the first aspect and not those about the bias.
    """
    base = {
        "x": distinct_values(rng, (samples, inputs)),
        "linear_weight": scales(rng, outputs * inputs).reshape(outputs, inputs),
        "linear_bias": np.zeros(outputs),
        "weight": scales(rng, outputs),
        "bias": shifts(rng, outputs),
        "eps": float(rng.integers(20, 90)),
    }
    ordinary = {**base, "linear_bias": shifts(rng, outputs)}
    # float64 has 16 digits: beside 10^17, none of them is left for the layer's output.
    huge = {**base, "linear_bias": np.resize([1e17, -2e17, 3e17], outputs)}
    name = f"x {shape_name((samples, inputs))}, linear_weight {shape_name((outputs, inputs))}"
    zero = f"{name}, linear_bias 0"
    own = {"based_on": zero, "derive": _same_output}
    return [
        Case(zero, ("output",), base),
        Case(f"{name}, linear_bias not 0", ("unmoved", "mean", "variance"), ordinary, **own),
        Case(f"{name}, linear_bias about 10^17", ("huge",), huge, rounding=True, **own),
    ]


def _same_output(own: Outputs, _arguments: Arguments) -> Outputs:
    """From the learner's answer with no linear bias to that with one: the output is the same."""
    return {"y": own["y"]}


def draw_images(rng: np.random.Generator) -> list[Case]:
    """Draw the cases of `batch_norm_forward_images`.

    The values are judged where there are as many channels as columns: there a weight along the
    wrong axis raises no error, and so costs its own aspect alone.
    """
    one = _plain(_offset_values(rng, (1, 3, 2, 3)), _NO_EPS)
    odd = _plain(_offset_values(rng, (2, 3, 4, 5)), _NO_EPS)  # (N, C, H, W)
    sizes = "(2, 3, 4, 5), every size different"
    return [
        *_three_cases(rng, (3, 2, 1, 2), values="statistics"),
        *_three_cases(rng, (4, 3, 2, 3), values="statistics"),
        _faint(rng, (3, 4, 2, 4)),
        Case("(1, 3, 2, 3), one image", ("edges",), one),
        Case(sizes, ("edges",), odd),
        Case(
            "(2, 3, 4, 5), weight and bias",
            ("affine",),
            {**odd, "weight": scales(rng, 3), "bias": shifts(rng, 3)},
            based_on=sizes,
            derive=_with_affine,
        ),
    ]


# ---- the mistakes

_BY_HAND = "By hand, on four samples"
_FORMULA = "In a formula"
_FAINT = "A feature that hardly varies"
_AFFINE = "Give the network its freedom back: weight and bias"
_IMAGES = "Images: the same, with more to average"
_BREAK = "Break it on purpose"
_FREE = "One thing for free: the bias before it"

UNBIASED = Mistake(
    key="unbiased variance",
    what="the variance divides by n - 1 in place of n.",
    outside="every channel comes out a little too small; the smaller the batch, the more.",
    hint="how many values does your divisor count? NumPy's and torch's `var` do not agree on it.",
    mend="the variance",
    aspect="statistics",
    changes={"less": 1},
    section=_FORMULA,
)
EPS_OUTSIDE = Mistake(
    key="eps outside the root",
    what="eps is added to the standard deviation.",
    outside="nothing to see on ordinary data, far off where a channel hardly varies.",
    hint="in the formula, what does the square root cover?",
    mend="the eps",
    aspect="eps",
    changes={"divisor": root_plus_eps},
    section=_BREAK,
)
EPS_MISSING = Mistake(
    key="eps missing",
    what="eps is left out.",
    outside="nothing to see on ordinary data; NaN where a channel never changes.",
    hint="try a channel that holds the same number everywhere. What do you divide by?",
    mend="the eps",
    aspect="eps",
    changes={"divisor": root_without_eps},
    section=_FAINT,
)
EPS_FIXED = Mistake(
    key="eps fixed at 1e-5",
    what="eps is always 1e-5, whatever the caller asks for.",
    outside="right with PyTorch's default, off with every other eps.",
    hint="call your function with eps=1 and with eps=100. Do the answers differ?",
    mend="the eps",
    aspect="eps",
    changes={"divisor": fixed_eps},
    section=_FAINT,
)
NO_ROOT = Mistake(
    key="no root",
    what="the deviations are divided by the variance, without a root.",
    outside="channels with a large spread come out tiny, those with a small spread huge.",
    hint="if x is in metres, in what unit is the variance, and in what unit your quotient?",
    mend="the divisor",
    aspect="statistics",
    changes={"divisor": no_root},
    section=_BY_HAND,
)
STD_FOR_VARIANCE = Mistake(
    key="std for variance",
    what="the standard deviation stands under the root, in place of the variance.",
    outside="the spread of a channel after normalizing is not 1 but the root of what it was.",
    hint="how many roots are taken on the way from the squares to your divisor?",
    mend="the divisor",
    aspect="statistics",
    changes={"divisor": root_of_the_root},
    section=_BY_HAND,
)
MEAN_LEFT_IN = Mistake(
    key="mean left in",
    what="x is divided by the standard deviation, and its mean is never subtracted.",
    outside="the spread is right, but the channels are not centred on 0.",
    hint="take the mean of what you return, channel by channel, with weight 1 and bias 0.",
    mend="the numerator",
    aspect="statistics",
    changes={"centred": False},
    section=_BY_HAND,
)
MEAN_SQUARE = Mistake(
    key="mean square for variance",
    what="the squares of x are averaged, and not the squares of its deviations.",
    outside="right for a channel whose mean is 0, too small for all others.",
    hint="add 100 to a channel. Should its variance change?",
    mend="the variance",
    aspect="statistics",
    changes={"variance": mean_square},
    section=_BY_HAND,
)
DIFFERENCE_OF_SQUARES = Mistake(
    key="difference of squares",
    what="the variance is the mean of the squares less the square of the mean.",
    outside="equal on paper and right on small numbers; far off, or NaN, for float32 numbers "
    "far from zero.",
    hint="float32 keeps about 7 digits. Subtract two numbers that agree in the first 7.",
    mend="the variance",
    aspect="far",
    changes={"variance": mean_of_squares_less_square_of_mean},
    section=_BY_HAND,
    rounding=True,
)
NO_AFFINE = Mistake(
    key="weight and bias skipped",
    what="weight and bias are not used at all.",
    outside="right in a fresh layer, where weight is 1 and bias is 0.",
    hint="does your function give another answer when you give it another weight?",
    mend="the last step",
    aspect="affine",
    changes={"affine": no_affine, "line_up": View.along_channels},
    section=_AFFINE,
)
NO_WEIGHT = Mistake(
    key="weight skipped",
    what="the bias is added, but the weight is not used.",
    outside="right in a fresh layer, where weight is 1.",
    hint="the standard deviation of each output channel should be (nearly) its weight. Is it?",
    mend="the last step",
    aspect="affine",
    changes={"affine": no_weight},
    section=_AFFINE,
)
NO_BIAS = Mistake(
    key="bias skipped",
    what="the weight is used, but the bias is not.",
    outside="right in a fresh layer, where bias is 0; every channel stays centred on 0.",
    hint="the mean of each output channel should be its bias. Is it?",
    mend="the last step",
    aspect="affine",
    changes={"affine": no_bias},
    section=_AFFINE,
)
SHIFT_FIRST = Mistake(
    key="shift before scale",
    what="the bias is added before the weight is multiplied.",
    outside="right in a fresh layer; else the mean of a channel is weight times bias.",
    hint="the mean of each output channel should be its bias. What is it, and what is it made of?",
    mend="the last step",
    aspect="affine",
    changes={"affine": shift_then_scale},
    section=_AFFINE,
)
EXCHANGED = Mistake(
    key="weight and bias exchanged",
    what="weight and bias have changed places.",
    outside="in a fresh layer everything comes out as 1.",
    hint="print the mean and the standard deviation of a channel of your output.",
    mend="the last step",
    aspect="affine",
    changes={"affine": exchanged},
    section=_AFFINE,
)

_ANYWHERE = (
    UNBIASED,
    EPS_OUTSIDE,
    EPS_MISSING,
    EPS_FIXED,
    NO_ROOT,
    STD_FOR_VARIANCE,
    MEAN_LEFT_IN,
    MEAN_SQUARE,
    NO_AFFINE,
    NO_WEIGHT,
    NO_BIAS,
    SHIFT_FIRST,
    EXCHANGED,
)

_ONE_FOR_WHAT = "print the shape of your mean. One number for each *what*?"


def _wrong_view(key: str, what: str, outside: str, view: View, hint: str = "") -> Mistake:
    # Where x is laid out with the channels last, a bare (C,) lines up with them: it is no mistake.
    last = {} if view.unfold is _as_it_is else {"line_up": View.along_channels}
    return Mistake(
        key=key,
        what=what,
        outside=outside,
        hint=hint or _ONE_FOR_WHAT,
        mend="the axes",
        aspect="statistics",
        changes={"view": view, **last},
        section=_BREAK,
    )


SAMPLES = _wrong_view(
    "one mean per sample",
    "each row, that is each sample, has a mean and a variance of its own.",
    "a sample's answer does not depend on the other samples. (LayerNorm does this.)",
    View(axes=(1,)),
)
SAMPLES_ALONG_COLUMNS = _wrong_view(
    "one mean per sample, along the columns",
    "each row has its mean and variance, and NumPy lines them up with the columns.",
    "an error, unless there are as many samples as channels; then numbers without meaning.",
    View(axes=(1,), keepdims=False),
    hint="print the shape of your mean. Which axis of x does NumPy line it up with?",
)
EVERYTHING = _wrong_view(
    "one mean for everything",
    "there is one mean and one variance for the whole array.",
    "channels keep their different means and spreads.",
    View(axes=(0, 1)),
)

PIXELS = _wrong_view(
    "one mean per pixel",
    "only the batch is averaged: each pixel has a mean and a variance of its own.",
    "plausible images; with one image in the batch nothing is left of it.",
    View(axes=(0,)),
)
MAPS = _wrong_view(
    "one mean per image and channel",
    "only the positions are averaged: each image has statistics of its own.",
    "an image's answer does not depend on the other images. (InstanceNorm does this.)",
    View(axes=(2, 3)),
)
WHOLE_IMAGES = _wrong_view(
    "one mean per image",
    "each image has one mean and one variance, over all its channels.",
    "an image's answer does not depend on the others, and its channels keep their different "
    "means. (LayerNorm does this.)",
    View(axes=(1, 2, 3)),
)
ALL_OF_IT = _wrong_view(
    "one mean for everything",
    "there is one mean and one variance for the whole array.",
    "channels keep their different means and spreads.",
    View(axes=(0, 1, 2, 3)),
)
IMAGE_COLUMNS = _wrong_view(
    "one mean per column of the image",
    "each column of the image, index w, has a mean and a variance: as if channels came last.",
    "vertical stripes disappear, and the channels keep their different means.",
    View(axes=(0, 1, 2)),
)
NOT_MOVED = _wrong_view(
    "flattened without moving the channels",
    "x is flattened to (-1, C) while the channels are still the second axis.",
    "the right shape, and a mean that mixes all channels.",
    View(axes=(0,), unfold=lambda x: x.reshape(-1, x.shape[1])),
    hint="number the channels: fill each with its own index, flatten, and print the matrix.",
)
NOT_MOVED_BACK = _wrong_view(
    "not moved back",
    "the channels were moved to the end, and the result is reshaped but not moved back.",
    "the right shape and the right numbers, in the wrong places.",
    View(axes=(0,), unfold=lambda x: np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])),
    hint="a reshape never moves a number. Undo each step, the last one first.",
)
CHANNELS_LAST = _wrong_view(
    "channels left last",
    "the channels were moved to the end and left there.",
    "the right numbers in the shape (N, H, W, C).",
    View(
        axes=(0, 1, 2),
        channels=3,
        unfold=lambda x: np.moveaxis(x, 1, -1),
        fold=lambda y, _x: y,
    ),
    hint="print the shape of what you return, beside the shape of x.",
)
AVERAGED_VARIANCES = Mistake(
    key="variance averaged over images",
    what="the variance is taken in each image and then averaged over the images.",
    outside="a little too large wherever the images of a batch differ in brightness.",
    hint="two images, one all 0 and one all 1: what is the variance of the channel, and what do "
    "you get?",
    mend="the variance",
    aspect="statistics",
    changes={"variance": mean_of_the_images_variances, "view": CHANNELS},
    section=_IMAGES,
)
LAST_AXIS = Mistake(
    key="weight along the last axis",
    what="weight and bias lie along the columns of the image, not along the channels.",
    outside="an error, unless there are as many channels as columns; then vertical stripes.",
    hint="which axis does NumPy line a bare (C,) up with?",
    mend="the shape of weight and bias",
    aspect="affine",
    changes={"line_up": View.bare},
    section=_BREAK,
)


TRANSPOSE_FORGOTTEN = Mistake(
    key="linear_weight not transposed",
    what="x is multiplied with linear_weight as it is, without transposing.",
    outside="an error, unless there are as many inputs as outputs; then a wrong matrix product.",
    hint="PyTorch keeps one *row* of linear_weight for each output. What does `@` add up over?",
    mend="the matrix product",
    aspect="output",
    changes={"product": not_transposed},
    section=_FREE,
)
ADDED_TO_OUTPUT = Mistake(
    key="linear bias added to the output",
    what="linear_bias is added after normalizing: to the output, or to BatchNorm's bias.",
    outside="every channel is off by a constant, its own linear_bias.",
    hint="follow a constant through the layer: it is in z, and in the mean. What is left of it in "
    "z - mean?",
    mend="the output",
    aspect="unmoved",
    changes={"after": output_moved},
    section=_FREE,
)
ADDED_TIMES_WEIGHT = Mistake(
    key="linear bias times weight added to the output",
    what="linear_bias is scaled by weight and then added to the output.",
    outside="every channel is off by a constant, weight times linear_bias.",
    hint="follow a constant through the layer: it is in z, and in the mean. What is left of it in "
    "z - mean?",
    mend="the output",
    aspect="unmoved",
    changes={"after": output_moved_by_weight},
    section=_FREE,
)
ADDED_AND_TAKEN_AWAY = Mistake(
    key="linear bias added and taken away",
    what="linear_bias is added first, and the mean takes it away again.",
    outside="equal on paper, and right for small biases; beside a large one the output's digits "
    "are lost.",
    hint="what is (0.3 + 1e17) - 1e17 in Python? Does the output need linear_bias at all?",
    mend="the place where linear_bias comes in",
    aspect="huge",
    changes={"before": bias_added},
    section=_FREE,
    rounding=True,
)
MEAN_UNMOVED = Mistake(
    key="mean without linear bias",
    what="the mean is that of x @ linear_weight.T, before any bias.",
    outside="the output is right; the mean is off by linear_bias.",
    hint="add 5 to every number of a column. What happens to its mean?",
    mend="the mean",
    aspect="mean",
    changes={"returned_mean": mean_unmoved},
    section=_FREE,
)
MEAN_MOVED_BACK = Mistake(
    key="linear bias subtracted from the mean",
    what="linear_bias is subtracted from the mean in place of added to it.",
    outside="the output is right; the mean is off by twice linear_bias.",
    hint="add 5 to every number of a column. Does its mean rise or fall?",
    mend="the sign",
    aspect="mean",
    changes={"returned_mean": mean_moved_back},
    section=_FREE,
)
VARIANCE_MOVED = Mistake(
    key="linear bias added to the variance",
    what="linear_bias is added to the variance as it is to the mean.",
    outside="the output is right; the variance is off by linear_bias, and may even be negative.",
    hint="add 5 to every number of a column. Do the distances between the numbers change?",
    mend="the variance",
    aspect="variance",
    changes={"returned_variance": variance_moved},
    section=_FREE,
)
VARIANCE_AND_EPS = Mistake(
    key="variance returned with eps",
    what="the variance is given back with eps in it.",
    outside="the output is right; the variance is off by eps.",
    hint="is eps a property of the data, or a setting of the layer?",
    mend="the variance",
    aspect="variance",
    changes={"returned_variance": variance_and_eps},
    section=_FORMULA,
)
STD_RETURNED = Mistake(
    key="standard deviation returned",
    what="the standard deviation is given back in place of the variance.",
    outside="the output is right; the variance is the root of what it should be.",
    hint="if x is in metres, in what unit is what you give back?",
    mend="the variance",
    aspect="variance",
    changes={"returned_variance": standard_deviation},
    section=_BY_HAND,
)


# ---- the aspects, and the exercises

_INPUT_ALONE = Aspect("input", "leaves its input alone", 1, leaves_input_alone=True)

VECTORS = Exercise(
    name="batch_norm_forward",
    lesson="02",
    title="BatchNorm for (N, C)",
    parameters=("x", "weight", "bias", "eps"),
    returns=("y",),
    aspects=(
        Aspect("statistics", "mean and variance of each channel", 3),
        Aspect("eps", "eps, and a batch that hardly varies", 2),
        Aspect("affine", "weight and bias", 3),
        Aspect("far", "numbers far from zero, in float32", 1),
        _INPUT_ALONE,
    ),
    draw=draw_vectors,
    reference=batch_norm_reference,
    recipe=batch_norm_recipe,
    mistakes=(*_ANYWHERE, DIFFERENCE_OF_SQUARES, SAMPLES, SAMPLES_ALONG_COLUMNS, EVERYTHING),
    first_step="take the mean of each channel, print it and its shape, then go on from there.",
)

IMAGES = Exercise(
    name="batch_norm_forward_images",
    lesson="02",
    title="BatchNorm for (N, C, H, W)",
    parameters=("x", "weight", "bias", "eps"),
    returns=("y",),
    aspects=(
        Aspect("statistics", "one mean and variance for each channel", 4),
        Aspect("eps", "eps, and a batch that hardly varies", 1),
        Aspect("affine", "weight and bias, each to its channel", 3),
        Aspect("edges", "one image alone, and four different sizes", 1),
        _INPUT_ALONE,
    ),
    draw=draw_images,
    reference=batch_norm_reference,
    recipe=image_recipe,
    mistakes=(
        *_ANYWHERE,
        PIXELS,
        MAPS,
        WHOLE_IMAGES,
        ALL_OF_IT,
        IMAGE_COLUMNS,
        NOT_MOVED,
        NOT_MOVED_BACK,
        CHANNELS_LAST,
        AVERAGED_VARIANCES,
        LAST_AXIS,
    ),
    first_step="find the axes to average over: the mean should have the shape (1, C, 1, 1).",
)

LINEAR = Exercise(
    name="linear_then_batch_norm",
    lesson="02",
    title="do without the bias before BatchNorm",
    parameters=("x", "linear_weight", "linear_bias", "weight", "bias", "eps"),
    returns=("y", "mean", "var"),
    aspects=(
        Aspect("output", "y: BatchNorm of a linear layer with no bias", 3, ("y",)),
        Aspect("unmoved", "y: the same whatever linear_bias is", 2, ("y",)),
        Aspect("mean", "mean: moves with linear_bias", 2, ("mean",)),
        Aspect("variance", "var: does not move", 1, ("var",)),
        Aspect("huge", "y: no digit lost to a huge linear_bias", 1, ("y",)),
        _INPUT_ALONE,
    ),
    draw=draw_linear,
    reference=linear_reference,
    recipe=linear_recipe,
    mistakes=(
        *(
            replace(mistake, aspect="output")
            for mistake in (
                UNBIASED,
                EPS_OUTSIDE,
                EPS_MISSING,
                EPS_FIXED,
                NO_ROOT,
                NO_AFFINE,
                NO_WEIGHT,
                NO_BIAS,
                SHIFT_FIRST,
            )
        ),
        TRANSPOSE_FORGOTTEN,
        ADDED_TO_OUTPUT,
        ADDED_TIMES_WEIGHT,
        ADDED_AND_TAKEN_AWAY,
        MEAN_UNMOVED,
        MEAN_MOVED_BACK,
        VARIANCE_MOVED,
        VARIANCE_AND_EPS,
        STD_RETURNED,
    ),
    first_step="compute z = x @ linear_weight.T and its mean, and think about what a constant "
    "added to each column of z would change.",
)

EXERCISES = (VECTORS, IMAGES, LINEAR)
