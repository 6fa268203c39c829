"""The mathematics of the normalization layers, in NumPy: forward and backward.

The functions have the names and signatures of `torch.nn.functional`, and beside each stands
its ``*_backward``: the gradients that torch leaves to autograd.

Batch, instance, group and layer normalization are one operation, `standardize`: subtract the
mean, divide by the standard deviation. They differ in two choices of axes and nothing else:

=========  ===============================  =========================
norm       one mean and variance over ...   weight and bias run along
=========  ===============================  =========================
batch      every axis but the channels      the channels
instance   the axes after the channels      the channels
group      a block of channels and those    the channels
layer      the last axes                    those same last axes
=========  ===============================  =========================
"""

import math
from typing import NamedTuple

import numpy as np

from normlab.nn import checks

# torch is silent when a NaN or an infinity passes through; so are we.
_silent = np.errstate(invalid="ignore", over="ignore", divide="ignore", under="ignore")


class Standardized(NamedTuple):
    """What `standardize` returns, and all that its backward needs.

    The statistics keep the reduced axes with size 1, so that they broadcast against `x_hat`.
    Without `axes` the statistics are constants: nothing of the input went into them.
    """

    x_hat: np.ndarray
    mean: np.ndarray
    var: np.ndarray
    inv_std: np.ndarray
    axes: tuple[int, ...]


class Context(NamedTuple):
    """What a forward pass keeps for its backward pass (the ``ctx`` of `torch.autograd`)."""

    standardized: Standardized
    weight: np.ndarray | None
    bias: np.ndarray | None
    parameter_axes: tuple[int, ...]


class Gradients(NamedTuple):
    """The gradients of the loss with respect to the arguments of a norm.

    `weight` and `bias` are None where the norm was given none.
    """

    input: np.ndarray
    weight: np.ndarray | None
    bias: np.ndarray | None


@_silent
def standardize(x: np.ndarray, axes: tuple[int, ...], eps: float) -> Standardized:
    """Subtract the mean over `axes` and divide by the standard deviation over `axes`.

    ``x_hat = (x - mean) / sqrt(var + eps)``, with the biased variance (divide by n).

    Parameters
    ----------
    x
        Any shape; float32 or float64.
    axes
        The axes that share one mean and one variance.
    eps
        Added to the variance, inside the square root.

    Returns
    -------
    Standardized
        `x_hat` with the shape of `x`; `mean`, `var` and `inv_std` with size 1 along `axes`.

    Notes
    -----
    The variance is the mean of the squared deviations. The cheaper E[x²] - E[x]² subtracts
    two nearly equal numbers when the mean is large, and in float32 may even come out
    negative. The mean of the deviations is 0 on paper; taking it and removing it takes out
    the rounding of the first mean (Chan, Golub & LeVeque, 1983, "Algorithms for computing the
    sample variance").
    """
    mean = _mean(x, axes)
    deviations = x - mean
    rounding = _mean(deviations, axes)
    deviations -= rounding
    var = _mean(np.square(deviations), axes)
    inv_std = 1 / np.sqrt(var + x.dtype.type(eps))
    return Standardized(deviations * inv_std, mean + rounding, var, inv_std, axes)


@_silent
def standardize_backward(grad_x_hat: np.ndarray, standardized: Standardized) -> np.ndarray:
    """Carry the gradient of `x_hat` back to `x`.

    An input moves `x_hat` along three roads: directly, through the mean and through the
    variance. With m(·) the mean over the reduced axes::

        grad_x = inv_std * (grad_x_hat - m(grad_x_hat) - x_hat * m(grad_x_hat * x_hat))

    Parameters
    ----------
    grad_x_hat
        Gradient of the loss with respect to `x_hat`, in its shape.
    standardized
        What `standardize` returned.

    Returns
    -------
    numpy.ndarray
        Gradient with respect to `x`, in its shape.
    """
    x_hat, _, _, inv_std, axes = standardized
    if not axes:
        return grad_x_hat * inv_std
    through_mean = _mean(grad_x_hat, axes)
    through_var = _mean(grad_x_hat * x_hat, axes)
    return inv_std * (grad_x_hat - through_mean - x_hat * through_var)


@_silent
def affine(
    standardized: Standardized,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    parameter_axes: tuple[int, ...],
    like: np.ndarray,
) -> tuple[np.ndarray, Context]:
    """Scale and shift ``x_hat``: the learnable half of every norm.

    Parameters
    ----------
    standardized
        What `standardize` returned.
    weight, bias
        The scale and the shift, or None; one value for each index along `parameter_axes`.
    parameter_axes
        The axes of the input along which weight and bias run.
    like
        The input: the output takes its shape and dtype.

    Returns
    -------
    output, context
        The output of the norm, and what `affine_backward` needs.
    """
    y = standardized.x_hat.reshape(like.shape)
    if weight is not None:
        y = y * _along(parameter_axes, weight, y)
    if bias is not None:
        y = y + _along(parameter_axes, bias, y)
    y = y.astype(like.dtype, copy=y is standardized.x_hat)
    return y, Context(standardized, weight, bias, parameter_axes)


@_silent
def affine_backward(grad_output: np.ndarray, context: Context) -> Gradients:
    """Carry the gradient of a norm's output back to its input, weight and bias.

    Parameters
    ----------
    grad_output
        Gradient of the loss with respect to the output, in its shape.
    context
        What the forward pass kept.

    Returns
    -------
    Gradients
        Each in the shape of what it is the gradient of; the input's has the dtype of
        `grad_output`, a parameter's the dtype of the parameter.
    """
    standardized, weight, bias, parameter_axes = context
    grad_y = _computing(grad_output)
    x_hat = standardized.x_hat.reshape(grad_y.shape)
    others = tuple(axis for axis in range(grad_y.ndim) if axis not in parameter_axes)
    grad_weight = grad_bias = None
    grad_x_hat = grad_y
    if weight is not None:
        grad_weight = (grad_y * x_hat).sum(axis=others).reshape(weight.shape)
        grad_weight = grad_weight.astype(weight.dtype, copy=False)
        grad_x_hat = grad_y * _along(parameter_axes, weight, grad_y)
    if bias is not None:
        grad_bias = grad_y.sum(axis=others).reshape(bias.shape).astype(bias.dtype, copy=False)
    grad_x = standardize_backward(grad_x_hat.reshape(standardized.x_hat.shape), standardized)
    grad_x = grad_x.reshape(grad_y.shape).astype(grad_output.dtype, copy=False)
    return Gradients(grad_x, grad_weight, grad_bias)


def batch_norm(
    input: np.ndarray,
    running_mean: np.ndarray | None,
    running_var: np.ndarray | None,
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> np.ndarray:
    """Standardize each channel over the batch (and every spatial axis).

    When training, the statistics are the batch's own, and the running statistics move towards
    them *in place*: ``running = (1 - momentum) * running + momentum * batch``. What goes into
    `running_var` is the unbiased variance (divide by n - 1), although the output uses the
    biased one. Otherwise the running statistics are used, as constants.

    Parameters
    ----------
    input
        (N, C, *).
    running_mean, running_var
        (C,), updated in place; or both None (only when training).
    weight, bias
        (C,), or None.
    training
        Use the statistics of the batch rather than the running ones.
    momentum
        The weight of the batch in the running statistics.
    eps
        Added to the variance.

    Returns
    -------
    numpy.ndarray
        (N, C, *), in the dtype of `input`.

    Raises
    ------
    ValueError
        One value per channel when training; an `eps` that is negative, or 0 when training.
    RuntimeError
        A statistic or parameter of the wrong length or dtype, or missing.
    NotImplementedError
        The input is not floating point.

    References
    ----------
    Ioffe & Szegedy, 2015, "Batch Normalization: Accelerating Deep Network Training by
    Reducing Internal Covariate Shift"; `torch.nn.functional.batch_norm`.
    """
    return batch_norm_forward(
        input, running_mean, running_var, weight, bias, training, momentum, eps
    )[0]


def batch_norm_forward(
    input: np.ndarray,
    running_mean: np.ndarray | None,
    running_var: np.ndarray | None,
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[np.ndarray, Context]:
    """`batch_norm`, and with its output the context that `affine_backward` needs."""
    checks.batch_norm(input, running_mean, running_var, weight, bias, training, eps)
    x = _computing(input)
    if training or x.size == 0:
        standardized = standardize(x, (0, *range(2, x.ndim)), eps)  # statistics (1, C, 1, ...)
    else:
        standardized = _standardize_by(running_mean, running_var, x, eps)
    if training and running_mean is not None and x.size > 0:
        _track(running_mean, standardized.mean, momentum)
        n = x.size // x.shape[1]
        _track(running_var, standardized.var * (n / (n - 1)), momentum)
    return affine(standardized, weight, bias, (1,), like=input)


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
    """Gradients of `batch_norm`; the running statistics are left as they are.

    Parameters
    ----------
    grad_output
        (N, C, *): gradient of the loss with respect to the output.
    input, running_mean, running_var, weight, bias, training, eps
        As given to `batch_norm`.

    Returns
    -------
    Gradients
        Of the input (N, C, *), the weight (C,) and the bias (C,).

    Raises
    ------
    ValueError, RuntimeError, NotImplementedError
        As `batch_norm`.

    References
    ----------
    Ioffe & Szegedy, 2015, section 3.
    """
    tracked = (None, None) if training else (running_mean, running_var)
    _, context = batch_norm_forward(input, *tracked, weight, bias, training, 0.0, eps)
    return affine_backward(grad_output, context)


def _standardize_by(mean: np.ndarray, var: np.ndarray, x: np.ndarray, eps: float) -> Standardized:
    """Standardize `x` (N, C, *) by given statistics (C,), which are constants to backward."""
    mean, var = _along((1,), mean, x), _along((1,), var, x)
    inv_std = 1 / np.sqrt(var + x.dtype.type(eps))
    return Standardized((x - mean) * inv_std, mean, var, inv_std, axes=())


def _track(running: np.ndarray, batch: np.ndarray, momentum: float) -> None:
    """Move a running statistic (C,) towards the batch's, in place."""
    running[:] = (1 - momentum) * running + momentum * batch.reshape(running.shape)


def _mean(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Average over `axes`, kept with size 1; NaN where there is nothing to average."""
    n = math.prod(x.shape[axis] for axis in axes)
    return x.sum(axis=axes, keepdims=True) / x.dtype.type(n)


def _along(axes: tuple[int, ...], parameter: np.ndarray, x: np.ndarray) -> np.ndarray:
    """View a parameter so that it broadcasts along these axes of `x`, in the dtype of `x`."""
    shape = [size if axis in axes else 1 for axis, size in enumerate(x.shape)]
    return parameter.reshape(shape).astype(x.dtype, copy=False)


def _computing(x: np.ndarray) -> np.ndarray:
    """`x` in the dtype that the arithmetic is done in: float32 for float16, else its own."""
    return x.astype(np.float32) if x.dtype == np.float16 else x
