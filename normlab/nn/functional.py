"""The mathematics of the normalization layers, in NumPy: forward and backward.

The functions have the names and signatures of `torch.nn.functional`, and beside each stands
its ``*_backward``: the gradients that torch leaves to autograd.

Batch, instance, group and layer normalization are one operation, `standardize`: subtract the
mean, divide by the standard deviation. They differ in two choices of axes and nothing else:

=========  ==================================  =========================
norm       one mean and one variance over ...  weight and bias run along
=========  ==================================  =========================
batch      every axis but the channels         the channels
instance   every axis after the channels       the channels
group      a block of channels, and those      the channels
layer      the last axes                       those same axes
=========  ==================================  =========================

RMS normalization is layer normalization that subtracts no mean. `normalize`, for single vectors,
is in `normlab.nn.vectors`, `local_response_norm` in `normlab.nn.neighbours`.

An output has the shape and the dtype of the input, a gradient those of what it belongs to. The
arithmetic is done in that dtype, or for float16 in float32, as torch does on the CPU. A norm
fills the `Context` that it is given as `ctx` with what `affine_backward` needs: that is how the
layers spare themselves a second forward pass.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from normlab.nn import checks
from normlab.nn.neighbours import local_response_norm as local_response_norm
from normlab.nn.neighbours import local_response_norm_backward as local_response_norm_backward
from normlab.nn.precision import computing, silent
from normlab.nn.vectors import normalize as normalize
from normlab.nn.vectors import normalize_backward as normalize_backward

Axes = tuple[int, ...]


class Standardized(NamedTuple):
    """What `standardize` returns, and all that its backward needs.

    `x_hat` has the shape of the input; the statistics keep the reduced axes with size 1, so that
    they broadcast against it. `mean` is None where no mean was subtracted. Without
    `axes` the statistics are constants, to which the input contributed nothing.
    """

    x_hat: np.ndarray
    mean: np.ndarray | None
    var: np.ndarray
    inv_std: np.ndarray
    axes: Axes


@dataclass
class Context:
    """What a forward pass keeps for its backward pass: the ``ctx`` of `torch.autograd`.

    `weight` and `bias` run along `parameter_axes`; `shape` and `dtype` are the output's.
    """

    standardized: Standardized | None = None
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None
    parameter_axes: Axes = ()
    shape: tuple[int, ...] = ()
    dtype: np.dtype | None = None


class Gradients(NamedTuple):
    """The gradients of the loss with respect to what a norm was given, each in its shape.

    `weight` and `bias` are None where the norm was given none.
    """

    input: np.ndarray
    weight: np.ndarray | None
    bias: np.ndarray | None


@silent
def standardize(x: np.ndarray, axes: Axes, eps: float) -> Standardized:
    """Subtract the mean over `axes`, and divide by the standard deviation over `axes`.

    ``x_hat = (x - mean) / sqrt(var + eps)``, with the biased variance: divided by n.

    Parameters
    ----------
    x : any shape, float32 or float64
    axes : the axes that share one mean and one variance

    Returns
    -------
    Standardized
        `x_hat` in the shape of `x`; `mean`, `var` and `inv_std` with size 1 along `axes`.

    Raises
    ------
    IndexError
        `x` has no such axis.

    Notes
    -----
    E[x²] - E[x]² would save a pass over the data, but subtracts two nearly equal numbers
    when the mean is large; in float32 it can come out negative. So the deviations come first.
    Their mean is 0 on paper. Where the mean is larger than the spread, removing what it is in
    floating point corrects the rounding of the mean (Chan, Golub & LeVeque, 1983, "Algorithms
    for Computing the Sample Variance").
    """
    x_hat = np.empty_like(x)
    parts = [_standardize_into(x_hat[slab], x[slab], axes, eps) for slab in _slabs(x, axes)]
    mean, var, inv_std = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Standardized(x_hat, mean, var, inv_std, axes)


def _standardize_into(
    out: np.ndarray, x: np.ndarray, axes: Axes, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standardize x into `out`; return the mean, the variance and 1 / sqrt(variance + eps)."""
    mean = _mean(x, axes)
    deviations = np.subtract(x, mean, out=out)
    var = _mean_product(deviations, deviations, axes)
    if (np.square(mean) > var).any():  # the Notes of `standardize` say why
        # Beside an infinite mean nothing is rounding.
        rounding = np.where(np.isfinite(mean), _mean(deviations, axes), 0)
        deviations -= rounding
        mean += rounding
        var = _mean_product(deviations, deviations, axes)
    inv_std = 1 / np.sqrt(var + x.dtype.type(eps))
    deviations *= inv_std
    return mean, var, inv_std


@silent
def standardize_backward(
    grad_x_hat: np.ndarray, standardized: Standardized, overwrite: bool = False
) -> np.ndarray:
    """Carry the gradient of `x_hat` back to `x`.

    An input moves `x_hat` along three roads: by itself, through the mean and through the
    variance. With m(·) the mean over the reduced axes::

        grad_x = inv_std * (grad_x_hat - m(grad_x_hat) - x_hat * m(grad_x_hat * x_hat))

    Parameters
    ----------
    grad_x_hat : gradient of the loss with respect to `x_hat`, in its shape
    standardized : what `standardize` returned
    overwrite : whether the result may take the place of `grad_x_hat`, to spare memory

    Returns
    -------
    numpy.ndarray
        Gradient with respect to `x`, in its shape.

    Raises
    ------
    ValueError
        `grad_x_hat` has another shape than `x_hat`.

    References
    ----------
    Ioffe & Szegedy, 2015, section 3, with the terms collected.
    """
    x_hat, mean, _, inv_std, axes = standardized
    grad_x = grad_x_hat if overwrite else grad_x_hat.copy()
    if not axes:
        grad_x *= inv_std
        return grad_x
    for slab in _slabs(grad_x, axes):
        grad, xs = grad_x[slab], x_hat[slab]  # views: what follows changes grad_x
        through_var = xs * _mean_product(grad, xs, axes)
        if mean is not None:
            grad -= _mean(grad, axes)
        grad -= through_var
        grad *= inv_std[slab]
    return grad_x


@silent
def affine(
    standardized: Standardized,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    parameter_axes: Axes,
    like: np.ndarray,
    ctx: Context | None = None,
) -> np.ndarray:
    """Scale and shift `x_hat`, the half of a norm that is learnt: ``weight * x_hat + bias``.

    Parameters
    ----------
    standardized : what `standardize` returned
    weight, bias : one value per index along `parameter_axes`; or None
    like : the input of the norm, in whose shape and dtype the output is

    Raises
    ------
    ValueError
        A parameter has not one value per index.

    References
    ----------
    Ioffe & Szegedy, 2015, algorithm 1.
    """
    x_hat = standardized.x_hat.reshape(like.shape)
    scale = _along(parameter_axes, weight, x_hat, default=1)
    shift = _along(parameter_axes, bias, x_hat, default=0)
    y = np.empty_like(x_hat)
    for slab in _slabs(y):
        np.multiply(x_hat[slab], scale[slab], out=y[slab])
        y[slab] += shift[slab]
    y = y.astype(like.dtype, copy=False)
    if ctx is not None:
        ctx.standardized, ctx.parameter_axes = standardized, parameter_axes
        ctx.weight, ctx.bias, ctx.shape, ctx.dtype = weight, bias, y.shape, y.dtype
    return y


@silent
def affine_backward(grad_output: np.ndarray, ctx: Context) -> Gradients:
    """Carry the gradient of a norm's output back to its input, weight and bias.

    This is the whole backward pass of batch, instance, group, layer and RMS normalization:
    a parameter gathers what every value that it touched has to say, and the rest goes on
    to `standardize_backward` (Ioffe & Szegedy, 2015, section 3). `grad_output` has the shape of
    the output, or a RuntimeError is raised; `ctx` is what the forward pass kept.
    """
    checks.grad_output(grad_output, ctx.shape)
    standardized, weight, bias = ctx.standardized, ctx.weight, ctx.bias
    if standardized is None:  # an empty batch, see `_nothing`
        none = (np.zeros_like(x) if x is not None else None for x in (weight, bias))
        return Gradients(np.zeros(ctx.shape, ctx.dtype), *none)
    x_hat = standardized.x_hat.reshape(ctx.shape)
    grad_y = grad_output.astype(x_hat.dtype, copy=False)
    scale = _along(ctx.parameter_axes, weight, x_hat, default=1)
    others = tuple(axis for axis in range(x_hat.ndim) if axis not in ctx.parameter_axes)
    grad_x_hat = np.empty_like(x_hat)
    grad_scale = grad_shift = np.zeros((), x_hat.dtype)
    for slab in _slabs(x_hat, ctx.parameter_axes):
        np.multiply(grad_y[slab], scale[slab], out=grad_x_hat[slab])
        grad_scale = grad_scale + _sum_product(grad_y[slab], x_hat[slab], others)
        grad_shift = grad_shift + _sum(grad_y[slab], others)
    grad_x_hat = grad_x_hat.reshape(standardized.x_hat.shape)
    grad_x = standardize_backward(grad_x_hat, standardized, overwrite=True)
    return Gradients(
        grad_x.reshape(ctx.shape).astype(ctx.dtype, copy=False),
        None if weight is None else grad_scale.reshape(weight.shape).astype(weight.dtype),
        None if bias is None else grad_shift.reshape(bias.shape).astype(bias.dtype),
    )


def batch_norm(
    input: np.ndarray,
    running_mean: np.ndarray | None,
    running_var: np.ndarray | None,
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    ctx: Context | None = None,
) -> np.ndarray:
    """Standardize each channel over the batch and over every spatial axis.

    When training, the statistics are the batch's own, and the running ones move towards them
    *in place*: ``running = (1 - momentum) * running + momentum * batch``. What goes into
    `running_var` is the unbiased variance, divided by n - 1, although the output used the
    biased one. When not training, the running statistics are used, as constants.

    Parameters
    ----------
    input : (N, C, *)
    running_mean, running_var : (C,), or both None when training
    weight, bias : (C,) or None

    Raises
    ------
    ValueError
        A single value per channel, or `eps` 0, when training; a negative `eps`; only one of
        the running statistics.
    RuntimeError, NotImplementedError
        A statistic or parameter is missing, or of another length or dtype; integer input.

    References
    ----------
    Ioffe & Szegedy, 2015, "Batch Normalization: Accelerating Deep Network Training by
    Reducing Internal Covariate Shift"; `torch.nn.functional.batch_norm`.
    """
    checks.batch_norm(input, (running_mean, running_var, weight, bias), training, eps)
    if input.size == 0:
        return _nothing(input, weight, bias, ctx)
    x = computing(input)
    if training:
        standardized = standardize(x, (0, *range(2, x.ndim)), eps)  # statistics (1, C, 1, ...)
    else:
        standardized = _standardize_by(running_mean, running_var, x, eps)
    if training and running_mean is not None:
        _track(running_mean, running_var, standardized, momentum)
    return affine(standardized, weight, bias, (1,), like=input, ctx=ctx)


def batch_norm_backward(
    grad_output: np.ndarray,
    input: np.ndarray,
    running_mean: np.ndarray | None,
    running_var: np.ndarray | None,
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    training: bool = False,
    eps: float = 1e-5,
) -> Gradients:
    """Return the gradients of input (N, C, *), weight (C,) and bias (C,) of `batch_norm`.

    `grad_output` (N, C, *) is the gradient of the output. The other arguments and the errors
    are those of `batch_norm`; the running statistics stay as they are (Ioffe & Szegedy,
    2015, section 3).
    """
    if training:
        running_mean = running_var = None
    ctx = Context()
    batch_norm(input, running_mean, running_var, weight, bias, training, 0.0, eps, ctx=ctx)
    return affine_backward(grad_output, ctx)


def instance_norm(
    input: np.ndarray,
    running_mean: np.ndarray | None = None,
    running_var: np.ndarray | None = None,
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    ctx: Context | None = None,
) -> np.ndarray:
    """Standardize each channel of each sample over its spatial axes.

    With `use_input_stats` the running statistics, where there are any, move *in place* towards
    the mean over the batch of the instances' means and unbiased variances; without it they
    are used, as constants.

    Parameters
    ----------
    input : (N, C, *), with more than one spatial value
    running_mean, running_var : (C,), or both None with `use_input_stats`
    weight, bias : (C,) or None

    Raises
    ------
    ValueError
        A single spatial value; only one of the running statistics.
    RuntimeError, NotImplementedError
        A statistic or parameter is missing, or of another length or dtype; integer input.

    References
    ----------
    Ulyanov, Vedaldi & Lempitsky, 2016, "Instance Normalization: The Missing Ingredient for
    Fast Stylization"; `torch.nn.functional.instance_norm`.
    """
    checks.instance_norm(input, (running_mean, running_var, weight, bias), use_input_stats)
    if input.size == 0 and running_mean is None:
        return _nothing(input, weight, bias, ctx)
    x = computing(input)
    if use_input_stats or x.size == 0:
        standardized = standardize(x, tuple(range(2, x.ndim)), eps)  # statistics (N, C, 1, ...)
        standardized = _zero_where_flat(standardized, eps)
    else:
        standardized = _standardize_by(running_mean, running_var, x, eps)
    if use_input_stats and running_mean is not None and math.prod(x.shape[1:]) > 0:
        _track(running_mean, running_var, standardized, momentum)
    return affine(standardized, weight, bias, (1,), like=input, ctx=ctx)


def instance_norm_backward(
    grad_output: np.ndarray,
    input: np.ndarray,
    running_mean: np.ndarray | None = None,
    running_var: np.ndarray | None = None,
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    use_input_stats: bool = True,
    eps: float = 1e-5,
) -> Gradients:
    """Return the gradients of input (N, C, *), weight (C,) and bias (C,) of `instance_norm`.

    `grad_output` (N, C, *) is the gradient of the output. The other arguments and the errors
    are those of `instance_norm`; the running statistics stay as they are (the backward pass
    of Ioffe & Szegedy, 2015, on other axes).
    """
    if use_input_stats:
        running_mean = running_var = None
    statistics = running_mean, running_var
    ctx = Context()
    instance_norm(input, *statistics, weight, bias, use_input_stats, 0.0, eps, ctx=ctx)
    return affine_backward(grad_output, ctx)


def group_norm(
    input: np.ndarray,
    num_groups: int,
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    eps: float = 1e-5,
    *,
    ctx: Context | None = None,
) -> np.ndarray:
    """Standardize each block of ``C / num_groups`` neighbouring channels of each sample.

    The statistics of a block are over its channels and every spatial axis together.

    Parameters
    ----------
    input : (N, C, *), with C divisible by `num_groups`
    weight, bias : (C,), a value per channel and not per group; or None

    Raises
    ------
    ValueError
        A single value per group, in a batch of one.
    RuntimeError, NotImplementedError
        Channels that the groups do not divide; a parameter of another shape or dtype; integer
        input.

    References
    ----------
    Wu & He, 2018, "Group Normalization"; `torch.nn.functional.group_norm`.
    """
    checks.group_norm(input, num_groups, weight, bias)
    batch, channels, *spatial = input.shape
    blocks = (batch, num_groups, channels // num_groups, *spatial)
    x = computing(input).reshape(blocks)
    standardized = standardize(x, tuple(range(2, x.ndim)), eps)  # statistics (N, G, 1, ...)
    return affine(standardized, weight, bias, (1,), like=input, ctx=ctx)


def group_norm_backward(
    grad_output: np.ndarray,
    input: np.ndarray,
    num_groups: int,
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    eps: float = 1e-5,
) -> Gradients:
    """Return the gradients of input (N, C, *), weight (C,) and bias (C,) of `group_norm`.

    `grad_output` (N, C, *) is the gradient of the output. The other arguments and the errors
    are those of `group_norm` (the backward pass of Ioffe & Szegedy, 2015, on other axes).
    """
    ctx = Context()
    group_norm(input, num_groups, weight, bias, eps, ctx=ctx)
    return affine_backward(grad_output, ctx)


def layer_norm(
    input: np.ndarray,
    normalized_shape: tuple[int, ...],
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    eps: float = 1e-5,
    *,
    ctx: Context | None = None,
) -> np.ndarray:
    """Standardize each sample, or each token, over its last axes.

    Parameters
    ----------
    input : (*, *normalized_shape)
    weight, bias : normalized_shape, or None

    Raises
    ------
    TypeError
        `normalized_shape` is not a sequence of ints.
    RuntimeError, NotImplementedError
        An input that does not end in `normalized_shape`; a parameter of another shape or dtype;
        integer input.

    References
    ----------
    Ba, Kiros & Hinton, 2016, "Layer Normalization"; `torch.nn.functional.layer_norm`.
    """
    checks.layer_norm(input, normalized_shape, weight, bias)
    last_axes = tuple(range(input.ndim - len(normalized_shape), input.ndim))
    standardized = standardize(computing(input), last_axes, eps)  # statistics (*, 1, ...)
    return affine(standardized, weight, bias, last_axes, like=input, ctx=ctx)


def layer_norm_backward(
    grad_output: np.ndarray,
    input: np.ndarray,
    normalized_shape: tuple[int, ...],
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    eps: float = 1e-5,
) -> Gradients:
    """Return the gradients of input, weight and bias of `layer_norm`, in their shapes.

    `grad_output`, in the shape of the input, is the gradient of the output. The other
    arguments and the errors are those of `layer_norm` (the backward pass of Ioffe & Szegedy,
    2015, on other axes).
    """
    ctx = Context()
    layer_norm(input, normalized_shape, weight, bias, eps, ctx=ctx)
    return affine_backward(grad_output, ctx)


@silent
def rms_norm(
    input: np.ndarray,
    normalized_shape: tuple[int, ...],
    weight: np.ndarray | None = None,
    eps: float | None = None,
    *,
    ctx: Context | None = None,
) -> np.ndarray:
    """Divide by the root of the mean square over the last axes; no mean is subtracted.

    Without `eps`, the machine epsilon of the dtype that is computed in is added to the mean
    square: for float16 that is float32's.

    Parameters
    ----------
    input : (*, *normalized_shape)
    weight : normalized_shape, of any floating dtype, or None

    Raises
    ------
    TypeError
        `normalized_shape` is not a sequence of ints.
    ValueError, RuntimeError, NotImplementedError
        An input that does not end in `normalized_shape`; a weight of another shape; integer
        input.

    References
    ----------
    Zhang & Sennrich, 2019, "Root Mean Square Layer Normalization";
    `torch.nn.functional.rms_norm`.
    """
    checks.rms_norm(input, normalized_shape, weight)
    x = computing(input)
    eps = np.finfo(x.dtype).eps if eps is None else x.dtype.type(eps)
    last_axes = tuple(range(x.ndim - len(normalized_shape), x.ndim))
    mean_square = _mean_product(x, x, last_axes)  # (*, 1, ...)
    inv_rms = 1 / np.sqrt(mean_square + eps)
    standardized = Standardized(x * inv_rms, None, mean_square, inv_rms, last_axes)
    return affine(standardized, weight, None, last_axes, like=input, ctx=ctx)


def rms_norm_backward(
    grad_output: np.ndarray,
    input: np.ndarray,
    normalized_shape: tuple[int, ...],
    weight: np.ndarray | None = None,
    eps: float | None = None,
) -> Gradients:
    """Return the gradients of input and weight of `rms_norm`, in their shapes.

    `grad_output`, in the shape of the input, is the gradient of the output. The other
    arguments and the errors are those of `rms_norm` (Zhang & Sennrich, 2019, section 4).
    """
    ctx = Context()
    rms_norm(input, normalized_shape, weight, eps, ctx=ctx)
    return affine_backward(grad_output, ctx)


def _nothing(
    input: np.ndarray, weight: np.ndarray | None, bias: np.ndarray | None, ctx: Context | None
) -> np.ndarray:
    """Return what batch and instance norm make of no numbers at all.

    In torch this is the input times the first weight plus the first bias, with no look at the
    channels, nor at the dtype: integers are taken, and become what the parameters are.
    """
    given = [parameter for parameter in (weight, bias) if parameter is not None]
    dtype = given[0].dtype if given and input.dtype.kind != "f" else input.dtype
    if ctx is not None:
        ctx.weight, ctx.bias, ctx.shape, ctx.dtype = weight, bias, input.shape, dtype
    return np.empty(input.shape, dtype)


@silent
def _standardize_by(
    mean: np.ndarray | None, var: np.ndarray | None, x: np.ndarray, eps: float
) -> Standardized:
    """Standardize x (N, C, *) by statistics (C,) that do not depend on it."""
    mean, var = _along((1,), mean, x), _along((1,), var, x)
    inv_std = 1 / np.sqrt(var + x.dtype.type(eps))
    return Standardized((x - mean) * inv_std, mean, var, inv_std, axes=())


@silent
def _zero_where_flat(standardized: Standardized, eps: float) -> Standardized:
    """Let 1 / sqrt(0) be 0, as torch's instance norm does: `eps` 0 and a flat input."""
    if eps != 0:
        return standardized
    flat = standardized.var == 0
    x_hat = np.where(flat, 0, standardized.x_hat)
    return standardized._replace(x_hat=x_hat, inv_std=np.where(flat, 0, standardized.inv_std))


@silent
def _track(
    running_mean: np.ndarray | None,
    running_var: np.ndarray | None,
    batch: Standardized,
    momentum: float,
) -> None:
    """Move the running statistics (C,) towards those of a batch, in place."""
    n = _count(batch.x_hat, batch.axes)
    unbiased = batch.var * (n / (n - 1))
    for running, statistic in ((running_mean, batch.mean), (running_var, unbiased)):
        if running is None or statistic is None:
            continue
        per_instance = statistic.reshape(-1, running.size)  # batch norm (1, C), instance (N, C)
        new = per_instance.sum(axis=0) / len(per_instance)
        running[...] = (1 - momentum) * running.astype(new.dtype) + momentum * new


def _mean(x: np.ndarray, axes: Axes) -> np.ndarray:
    """Average over `axes`, kept with size 1; NaN where there is nothing to average."""
    return np.expand_dims(_sum(x, axes) / x.dtype.type(_count(x, axes)), axes)


def _mean_product(a: np.ndarray, b: np.ndarray, axes: Axes) -> np.ndarray:
    """Average a * b over `axes`, kept with size 1."""
    return np.expand_dims(_sum_product(a, b, axes) / a.dtype.type(_count(a, axes)), axes)


def _count(x: np.ndarray, axes: Axes) -> int:
    """Count the values that are reduced to one."""
    return math.prod(x.shape[axis] for axis in axes)


def _sum(x: np.ndarray, axes: Axes) -> np.ndarray:
    """Sum over `axes`: what x.sum does, at three times the speed."""
    every = list(range(x.ndim))
    return np.einsum(x, every, [axis for axis in every if axis not in axes])


def _sum_product(a: np.ndarray, b: np.ndarray, axes: Axes) -> np.ndarray:
    """Sum a * b over `axes`, without ever holding a * b."""
    every = list(range(a.ndim))
    return np.einsum(a, every, b, every, [axis for axis in every if axis not in axes])


def _slabs(x: np.ndarray, axes: Axes = ()) -> Iterator[slice]:
    """Cut an array along its first axis into slabs that fit in the cache, for speed.

    Only statistics over `axes` other than that one can be taken slab by slab.
    """
    length = max(1, len(x))
    rows = length if 0 in axes else 1 + 2**18 // max(1, x[:1].size)
    return (slice(start, start + rows) for start in range(0, length, rows))


def _along(
    axes: Axes, parameter: np.ndarray | None, x: np.ndarray, default: float = 0
) -> np.ndarray:
    """Spread a parameter along these axes of x, in its shape and dtype; None is the default."""
    if parameter is None:
        return np.broadcast_to(x.dtype.type(default), x.shape)
    shape = [size if axis in axes else 1 for axis, size in enumerate(x.shape)]
    return np.broadcast_to(parameter.reshape(shape).astype(x.dtype, copy=False), x.shape)
