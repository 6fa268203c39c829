"""`LayerNorm`, `GroupNorm`, `RMSNorm` and `LocalResponseNorm`: the layers without a memory."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from normlab.nn import functional as F  # noqa: N812 - its name everywhere in PyTorch
from normlab.nn.module import Affine, Module, new_parameter


class LayerNorm(Affine):
    """Layer normalization of an input (*, *normalized_shape), such as tokens (N, T, D).

    Each sample, or token, is standardized over its last axes; the mathematics is in
    `functional.layer_norm`.

    Parameters
    ----------
    normalized_shape
        The sizes of the last axes, or the size of the last one.
    eps
        Added to the variance.
    elementwise_affine
        Whether there is a weight.
    bias
        Whether there is a bias beside the weight.
    device, dtype
        None or "cpu"; the NumPy dtype of the parameters, float32 by default.

    Attributes
    ----------
    weight, bias : numpy.ndarray or None
        In the shape `normalized_shape`; at first 1 and 0.

    Raises
    ------
    RuntimeError
        Called on an input that does not end in `normalized_shape`, or of another dtype.

    References
    ----------
    Ba, Kiros & Hinton, 2016; `torch.nn.LayerNorm`.
    """

    _parameter_names = ("weight", "bias")
    _shown = "{normalized_shape}, eps={eps}, elementwise_affine={elementwise_affine}, bias={bias}"

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _as_shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        shape = self.normalized_shape
        self.weight = new_parameter(shape, device, dtype) if elementwise_affine else None
        self.bias = new_parameter(shape, device, dtype) if elementwise_affine and bias else None
        self.reset_parameters()

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Standardize over the last axes."""
        self._context = ctx = F.Context()
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps, ctx=ctx)


class GroupNorm(Affine):
    """Group normalization of an input (N, C, *), such as images (N, C, H, W).

    The channels of each sample are dealt with in blocks of neighbours, each standardized over
    its channels and every spatial axis; the mathematics is in `functional.group_norm`.

    Parameters
    ----------
    num_groups
        The number of blocks.
    num_channels
        The number of channels C, divisible by `num_groups`.
    eps
        Added to the variance.
    affine
        Whether there is a weight.
    device, dtype
        None or "cpu"; the NumPy dtype of the parameters, float32 by default.
    bias
        Whether there is a bias beside the weight.

    Attributes
    ----------
    weight, bias : numpy.ndarray or None
        (C,); at first 1 and 0.

    Raises
    ------
    ValueError
        `num_channels` is not divisible by `num_groups`; or called on a single value per group
        in a batch of one.
    RuntimeError
        Called on another number of channels, or another dtype.

    References
    ----------
    Wu & He, 2018; `torch.nn.GroupNorm`.
    """

    _parameter_names = ("weight", "bias")
    _shown = "{num_groups}, {num_channels}, eps={eps}, affine={affine}, bias={bias}"

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups != 0:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self.weight = new_parameter(num_channels, device, dtype) if affine else None
        self.bias = new_parameter(num_channels, device, dtype) if affine and bias else None
        self.reset_parameters()

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Standardize each block of channels of each sample."""
        self._context = ctx = F.Context()
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps, ctx=ctx)


class RMSNorm(Affine):
    """RMS normalization of an input (*, *normalized_shape), such as tokens (N, T, D).

    Each sample, or token, is divided by the root of its mean square over the last axes; no
    mean is subtracted and there is no bias. The mathematics is in `functional.rms_norm`.

    Parameters
    ----------
    normalized_shape
        The sizes of the last axes, or the size of the last one.
    eps
        Added to the mean square; None for the machine epsilon of float64, or of float32 for
        float32 and float16.
    elementwise_affine
        Whether there is a weight.
    device, dtype
        None or "cpu"; the NumPy dtype of the weight, float32 by default.

    Attributes
    ----------
    weight : numpy.ndarray or None
        In the shape `normalized_shape`; at first 1.

    Raises
    ------
    RuntimeError
        Called on an input that does not end in `normalized_shape`.

    References
    ----------
    Zhang & Sennrich, 2019; `torch.nn.RMSNorm`.
    """

    _parameter_names = ("weight",)
    _shown = "{normalized_shape}, eps={eps}, elementwise_affine={elementwise_affine}"

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _as_shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        shape = self.normalized_shape
        self.weight = new_parameter(shape, device, dtype) if elementwise_affine else None
        self.reset_parameters()

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Divide by the root mean square over the last axes."""
        self._context = ctx = F.Context()
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps, ctx=ctx)


class LocalResponseNorm(Module):
    """Local response normalization of an input (N, C, *) across neighbouring channels.

    Each value is divided by what the squares of its neighbours in the channel axis amount to;
    the mathematics is in `functional.local_response_norm`. There are no parameters.

    Parameters
    ----------
    size
        The number of channels in the window.
    alpha, beta, k
        The weight of the window's mean square, the exponent, and what is added to the mean square.

    Raises
    ------
    ValueError
        Called on an input of fewer than three axes.

    References
    ----------
    Krizhevsky, Sutskever & Hinton, 2012, section 3.3; `torch.nn.LocalResponseNorm`.
    """

    _shown = "{size}, alpha={alpha}, beta={beta}, k={k}"

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Divide by the response of the neighbours."""
        output = F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)
        self._context = input.copy()
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Carry the gradient of the output back; see `Module.backward`."""
        self._check_called()
        return F.local_response_norm_backward(
            np.asarray(grad_output), self._context, self.size, self.alpha, self.beta, self.k
        )


def _as_shape(normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    if isinstance(normalized_shape, int | np.integer):
        return (normalized_shape,)
    return tuple(normalized_shape)
