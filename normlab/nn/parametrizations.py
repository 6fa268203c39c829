"""Weight, spectral norm and weight standardization: of a layer's weights, not of its data.

The functions hold the mathematics; the two classes keep what torch's parametrizations of the
same names keep (`torch.nn.utils.parametrizations`), for a weight that the caller holds.
"""

from typing import Any, NamedTuple

import numpy as np

from normlab.nn import checks
from normlab.nn import functional as F  # noqa: N812 - its name everywhere in PyTorch
from normlab.nn.module import Module
from normlab.nn.precision import silent


class WeightNormGradients(NamedTuple):
    """The gradients of the magnitude g (out, 1, ...) and the direction v (out, *)."""

    weight_g: np.ndarray
    weight_v: np.ndarray


def norm_except_dim(weight_v: np.ndarray, dim: int | None = 0) -> np.ndarray:
    """Return the Euclidean norm over every axis but `dim`.

    Parameters
    ----------
    weight_v : (out, *) for `dim` 0
    dim : the axis that is kept; None or -1 for the norm of the whole array

    Returns
    -------
    numpy.ndarray
        (out, 1, ...) for `dim` 0; a scalar array for the whole.

    Raises
    ------
    IndexError
        There is no axis `dim`.

    References
    ----------
    `torch.norm_except_dim`.
    """
    if dim is None or dim == -1:  # torch takes -1 for the whole, not for the last axis
        return np.asarray(np.sqrt(np.square(weight_v).sum()))
    checks.dimension(dim, weight_v.ndim)
    others = tuple(axis for axis in range(weight_v.ndim) if axis != dim % weight_v.ndim)
    return np.sqrt(np.square(weight_v).sum(axis=others, keepdims=True))


@silent
def weight_norm(weight_g: np.ndarray, weight_v: np.ndarray, dim: int | None = 0) -> np.ndarray:
    """Compose a weight from its magnitude and its direction: ``g * v / norm(v)``.

    Parameters
    ----------
    weight_g : (out, 1, ...), the norm of each output's weights
    weight_v : (out, *), their direction, of any length but 0, for which the result is NaN
    dim : the axis of the outputs; None or -1 to share one norm

    Raises
    ------
    IndexError
        There is no axis `dim`.

    References
    ----------
    Salimans & Kingma, 2016, "Weight Normalization: A Simple Reparameterization to Accelerate
    Training of Deep Neural Networks"; `torch.nn.utils.parametrizations.weight_norm`.
    """
    return weight_v * (weight_g / norm_except_dim(weight_v, dim))


@silent
def weight_norm_backward(
    grad_weight: np.ndarray, weight_g: np.ndarray, weight_v: np.ndarray, dim: int | None = 0
) -> WeightNormGradients:
    """Return the gradients of g (out, 1, ...) and v (out, *) of `weight_norm`.

    The gradient of the magnitude is the part of `grad_weight` (out, *) along the direction;
    what is left of it, across the direction, turns v. Arguments and errors are those of
    `weight_norm` (Salimans & Kingma, 2016, equation 3).
    """
    norm = norm_except_dim(weight_v, dim)
    direction = weight_v / norm
    kept = () if dim is None or norm.ndim == 0 else (dim % weight_v.ndim,)
    others = tuple(axis for axis in range(weight_v.ndim) if axis not in kept)
    grad_g = (grad_weight * direction).sum(axis=others, keepdims=norm.ndim > 0)
    grad_v = weight_g / norm * (grad_weight - direction * grad_g)
    return WeightNormGradients(grad_g.reshape(weight_g.shape), grad_v)


def weight_standardization(weight: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    """Give the weights of each output mean 0 and variance 1: ``(W - mean) / sqrt(var + eps)``.

    Parameters
    ----------
    weight : (out, *), of a linear layer or a convolution
    eps : added to the variance

    Raises
    ------
    TypeError
        The weight has no axis.

    References
    ----------
    Qiao, Wang, Liu, Shen & Yuille, 2019, "Micro-Batch Training with Batch-Channel Normalization
    and Weight Standardization".
    """
    return F.standardize(weight, tuple(range(1, weight.ndim)), eps).x_hat


def weight_standardization_backward(
    grad_weight: np.ndarray, weight: np.ndarray, eps: float = 1e-5
) -> np.ndarray:
    """Return the gradient of the weight (out, *) of `weight_standardization`.

    It has no part along the ones of an output, and none along its weights: neither a shift nor a
    scale of them changes anything. `grad_weight` (out, *) is the gradient of the result; the errors
    are those of `weight_standardization` (Qiao et al., 2019).
    """
    standardized = F.standardize(weight, tuple(range(1, weight.ndim)), eps)
    return F.standardize_backward(grad_weight, standardized)


def power_iteration(
    matrix: np.ndarray, v: np.ndarray, n_power_iterations: int = 1, eps: float = 1e-12
) -> tuple[np.ndarray, np.ndarray]:
    """Turn v towards the direction that the matrix stretches most, and u towards its image.

    Parameters
    ----------
    matrix : (out, in)
    v : (in,), where to start from
    n_power_iterations : how many times to multiply by the matrix and its transpose
    eps : the smallest norm that is divided by

    Returns
    -------
    u, v
        (out,) and (in,), of length 1: estimates of the first singular vectors.

    Raises
    ------
    ValueError
        `n_power_iterations` is not positive; or the shapes do not fit.

    References
    ----------
    Miyato, Kataoka, Koyama & Yoshida, 2018, "Spectral Normalization for Generative Adversarial
    Networks", appendix A; `torch.nn.utils.parametrizations.spectral_norm`.
    """
    checks.n_power_iterations(n_power_iterations)
    for _ in range(n_power_iterations):
        u = F.normalize(matrix @ v, dim=0, eps=eps)
        v = F.normalize(matrix.T @ u, dim=0, eps=eps)
    return u, v


@silent
def spectral_norm(weight: np.ndarray, u: np.ndarray, v: np.ndarray, dim: int = 0) -> np.ndarray:
    """Divide a weight by an estimate of its largest singular value: ``W / (uᵀ W v)``.

    Parameters
    ----------
    weight : (out, *), taken as a matrix (out, the rest)
    u, v : (out,) and (the rest,), of length 1, as `power_iteration` returns them
    dim : the axis of the outputs; 1 in a transposed convolution

    Raises
    ------
    ValueError
        The shapes do not fit.

    References
    ----------
    Miyato et al., 2018, equation 8; `torch.nn.utils.parametrizations.spectral_norm`.
    """
    return weight / (u @ as_matrix(weight, dim) @ v)


@silent
def spectral_norm_backward(
    grad_output: np.ndarray, weight: np.ndarray, u: np.ndarray, v: np.ndarray, dim: int = 0
) -> np.ndarray:
    """Return the gradient of the weight of `spectral_norm`, in its shape; u and v are constants.

    The singular value moves by ``uᵀ dW v``, so that the gradient of sigma reaches the weight
    as the matrix ``u vᵀ``. `grad_output`, in the shape of the weight, is the gradient of the
    result; the other arguments and the errors are those of `spectral_norm` (Miyato et al.,
    2018, section 2.1).
    """
    sigma = u @ as_matrix(weight, dim) @ v
    grad_sigma = -(grad_output * weight).sum() / sigma**2
    rest = np.moveaxis(weight, dim, 0).shape[1:]
    direction = np.moveaxis(np.outer(u, v).reshape(len(u), *rest), 0, dim)
    return grad_output / sigma + grad_sigma * direction


def as_matrix(weight: np.ndarray, dim: int = 0) -> np.ndarray:
    """Lay a weight out as a matrix (out, the rest), with the outputs taken from axis `dim`.

    So does `torch.nn.utils.parametrizations.spectral_norm`. An AxisError says that there is no
    such axis.
    """
    outputs_first = np.moveaxis(weight, dim, 0)
    return outputs_first.reshape(len(outputs_first), outputs_first[:1].size)


class WeightNorm(Module):
    """A weight as magnitude times direction: the twin of torch's weight-norm parametrization.

    Parameters
    ----------
    dim
        The axis of the outputs; None for one norm of the whole weight.

    Raises
    ------
    IndexError
        Called on a weight that has no axis `dim`.

    Examples
    --------
    >>> import numpy as np
    >>> parametrization = WeightNorm()
    >>> g, v = parametrization.right_inverse(np.array([[3.0, 4.0]]))
    >>> parametrization(2 * g, v)
    array([[6., 8.]])

    References
    ----------
    Salimans & Kingma, 2016; `torch.nn.utils.parametrizations.weight_norm`.
    """

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def __call__(  # type: ignore[override]  # a parametrization of two arrays
        self, weight_g: np.ndarray, weight_v: np.ndarray
    ) -> np.ndarray:
        """Compose the weight (out, *) from g (out, 1, ...) and v (out, *)."""
        return self.forward(np.asarray(weight_g), np.asarray(weight_v))

    def forward(  # type: ignore[override]
        self, weight_g: np.ndarray, weight_v: np.ndarray
    ) -> np.ndarray:
        """Compose the weight; see `weight_norm`."""
        output = weight_norm(weight_g, weight_v, self.dim)
        self._context = weight_g.copy(), weight_v.copy()
        return output

    def backward(  # type: ignore[override]
        self, grad_output: np.ndarray
    ) -> WeightNormGradients:
        """Return the gradients of g and v; see `weight_norm_backward`."""
        self._check_called()
        g, v = self._context
        return weight_norm_backward(np.asarray(grad_output), g, v, self.dim)

    def right_inverse(self, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Split a weight (out, *) into g (out, 1, ...) and v (out, *), the weight itself."""
        return norm_except_dim(weight, self.dim), weight


class SpectralNorm(Module):
    """A weight divided by its largest singular value: the twin of torch's parametrization.

    It starts with 15 power iterations; each call in training mode makes some more. In
    evaluation mode u and v stay as they are. A vector is divided by its length.

    Parameters
    ----------
    weight
        (out, *): the weight to start from.
    n_power_iterations
        The number of power iterations for each call in training mode.
    dim
        The axis of the outputs; 1 in a transposed convolution.
    eps
        The smallest norm that is divided by, in the power iteration.
    rng
        Draws the u and v to start from.

    Attributes
    ----------
    _u, _v : numpy.ndarray
        (out,) and (the rest,): the buffers, under torch's names.

    Raises
    ------
    IndexError
        The weight has no axis `dim`.
    ValueError
        `n_power_iterations` is not positive.

    References
    ----------
    Miyato et al., 2018; `torch.nn.utils.parametrizations.spectral_norm`.
    """

    _buffer_names = ("_u", "_v")

    def __init__(
        self,
        weight: np.ndarray,
        n_power_iterations: int = 1,
        dim: int = 0,
        eps: float = 1e-12,
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        if not -weight.ndim <= dim < weight.ndim:
            raise IndexError(
                "Dimension out of range (expected to be in range of "
                f"[-{weight.ndim}, {weight.ndim - 1}] but got {dim})"
            )
        checks.n_power_iterations(n_power_iterations)
        self.n_power_iterations = n_power_iterations
        self.dim = dim % weight.ndim
        self.eps = eps
        # Left and right singular vector (out,), (rest,); a vector has none.
        self._u: Any = None
        self._v: Any = None
        if weight.ndim > 1:
            rng = np.random.default_rng() if rng is None else rng
            start = np.asarray(rng.normal(size=as_matrix(weight, self.dim).shape[1]), weight.dtype)
            self._v = F.normalize(start, dim=0, eps=eps)
            self._iterate(weight, 15)

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Divide a weight (out, *) by its estimated largest singular value."""
        if input.ndim == 1:
            output = F.normalize(input, dim=0, eps=self.eps)
            self._context = input.copy(), None, None
            return output
        if self.training:
            self._iterate(input, self.n_power_iterations)
        output = spectral_norm(input, self._u, self._v, self.dim)
        self._context = input.copy(), self._u, self._v
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return the gradient of the weight, in its shape; see `spectral_norm_backward`."""
        self._check_called()
        weight, u, v = self._context
        if u is None:
            return F.normalize_backward(np.asarray(grad_output), weight, dim=0, eps=self.eps)
        return spectral_norm_backward(np.asarray(grad_output), weight, u, v, self.dim)

    def _iterate(self, weight: np.ndarray, times: int) -> None:
        matrix = as_matrix(weight, self.dim)
        self._u, self._v = power_iteration(matrix, self._v, times, self.eps)
