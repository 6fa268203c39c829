"""`normalize`: a vector divided by its length, forward and backward."""

import math

import numpy as np

from normlab.nn import checks
from normlab.nn.precision import computing, silent


@silent
def normalize(
    input: np.ndarray,
    p: float = 2.0,
    dim: int | tuple[int, ...] | None = 1,
    eps: float = 1e-12,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Divide each vector by its length: ``x / max(norm, eps)``, a clamp and not a sum.

    The norm is ``(sum of |x|^p)^(1/p)`` along `dim`; the largest ``|x|`` for p = inf, the smallest
    for -inf, the number of values that are not 0 for 0.

    Parameters
    ----------
    input : any shape
    dim : the axis along which a vector lies, or several; None for all
    out : where to write the result to

    Raises
    ------
    IndexError, RuntimeError
        There is no such axis, or it is given twice; integer input; p < 0 or inf of an empty
        vector.

    References
    ----------
    `torch.nn.functional.normalize`.
    """
    checks.normalize(input, p, dim)
    norm = _vector_norm(computing(input), p, _axes(dim, input.ndim)).astype(input.dtype)
    return np.divide(input, np.maximum(norm, input.dtype.type(eps)), out=out)


@silent
def normalize_backward(
    grad_output: np.ndarray,
    input: np.ndarray,
    p: float = 2.0,
    dim: int | tuple[int, ...] | None = 1,
    eps: float = 1e-12,
) -> np.ndarray:
    """Return the gradient of the input of `normalize`, in its shape.

    Where the norm is below `eps` the divisor is a constant; elsewhere the gradient loses its
    part along the vector, which cannot change: for p = 2, ``(g - y * sum(g * y)) / norm``.
    `grad_output`, in the shape of the input, is the gradient of the output; the other
    arguments and the errors are those of `normalize` (`torch.nn.functional.normalize`).
    """
    checks.normalize(input, p, dim)
    checks.grad_output(grad_output, input.shape)
    x, axes = computing(input), _axes(dim, input.ndim)
    grad_y = grad_output.astype(x.dtype, copy=False)
    norm = _vector_norm(x, p, axes)
    divisor = np.maximum(norm, x.dtype.type(eps))
    grad_norm = -(grad_y * x).sum(axis=axes, keepdims=True) / divisor**2
    grad_norm = np.where(norm >= eps, grad_norm, 0)
    grad_x = grad_y / divisor + grad_norm * _vector_norm_slope(x, norm, p, axes)
    return grad_x.astype(input.dtype, copy=False)


def _vector_norm(x: np.ndarray, p: float, axes: tuple[int, ...]) -> np.ndarray:
    """Return the p-norm over `axes`, kept with size 1."""
    if p == 2:
        return np.sqrt(np.square(x).sum(axis=axes, keepdims=True))
    if p == 0:
        return (x != 0).sum(axis=axes, keepdims=True).astype(x.dtype)
    if math.isinf(p):
        extreme = np.max if p > 0 else np.min
        return extreme(np.abs(x), axis=axes, keepdims=True)
    return (np.abs(x) ** p).sum(axis=axes, keepdims=True) ** (1 / p)


def _vector_norm_slope(
    x: np.ndarray, norm: np.ndarray, p: float, axes: tuple[int, ...]
) -> np.ndarray:
    """Return the derivative of the p-norm by each x; extremes that tie share theirs."""
    if p == 0:
        return np.zeros_like(x)
    if math.isinf(p):
        at_extreme = (np.abs(x) == norm) | np.isnan(x)
        return np.sign(x) * at_extreme / at_extreme.sum(axis=axes, keepdims=True)
    slope = np.sign(x) * (np.abs(x) / norm) ** (p - 1)
    flat = (norm == 0) | ((x == 0) & (p < 1))  # torch takes the slope of the kink to be 0
    return np.where(flat, 0, slope)


def _axes(dim: int | tuple[int, ...] | None, ndim: int) -> tuple[int, ...]:
    """Return the axes that torch means by `dim`, where None and () are all of them."""
    dims = (dim,) if isinstance(dim, int) else tuple(dim or range(ndim))
    return tuple(d % ndim for d in dims) if ndim else ()
