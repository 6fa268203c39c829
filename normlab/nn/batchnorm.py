"""`BatchNorm1d`, `BatchNorm2d` and `BatchNorm3d`."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from normlab.nn import checks
from normlab.nn import functional as F  # noqa: N812 - its name everywhere in PyTorch
from normlab.nn.module import Module


class NormBase(Module):
    """What batch and instance normalization share: their arguments, parameters and buffers."""

    _version = 2
    _parameter_names = ("weight", "bias")
    _buffer_names = ("running_mean", "running_var", "num_batches_tracked")
    # The input's number of axes: what the class takes, and how torch words it.
    _ranks: tuple[int, ...] = ()
    _ranks_in_words = ""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: None = None,
        dtype: DTypeLike = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        checks.device(device)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        dtype = np.float32 if dtype is None else dtype
        self.weight = np.ones(num_features, dtype) if affine else None
        self.bias = np.zeros(num_features, dtype) if affine and bias else None
        self.running_mean = np.zeros(num_features, dtype) if track_running_stats else None
        self.running_var = np.ones(num_features, dtype) if track_running_stats else None
        self.num_batches_tracked = np.array(0, np.int64) if track_running_stats else None

    def reset_running_stats(self) -> None:
        """Set the running mean to 0, the running variance to 1, and count from 0 again."""
        if self.track_running_stats:
            self.running_mean[:] = 0
            self.running_var[:] = 1
            self.num_batches_tracked[...] = 0

    def reset_parameters(self) -> None:
        """Set the weight to 1 and the bias to 0, and reset the running statistics."""
        self.reset_running_stats()
        if self.affine:
            self.weight[:] = 1
            if self.bias is not None:
                self.bias[:] = 0

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Carry the gradient back; see `Module.backward`."""
        gradients = F.affine_backward(self._checked(grad_output), self._context)
        self.accumulate_gradients(weight=gradients.weight, bias=gradients.bias)
        return gradients.input

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )

    def _check_rank(self, input: np.ndarray) -> None:
        if input.ndim not in self._ranks:
            raise ValueError(f"expected {self._ranks_in_words} input (got {input.ndim}D input)")


class BatchNorm(NormBase):
    """Batch normalization for an input of any rank; use `BatchNorm1d`, `2d` or `3d`."""

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Normalize each channel; the class docstring has the shapes."""
        self._check_rank(input)
        momentum = 0.0 if self.momentum is None else self.momentum
        tracking = self.training and self.track_running_stats
        if tracking and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
            if self.momentum is None:  # the average over all batches so far
                momentum = 1.0 / float(self.num_batches_tracked)
        use_buffers = tracking or not self.training
        running_mean = self.running_mean if use_buffers else None
        running_var = self.running_var if use_buffers else None
        use_batch = self.training or (self.running_mean is None and self.running_var is None)
        return self._keep(
            *F.batch_norm_forward(
                input,
                running_mean,
                running_var,
                self.weight,
                self.bias,
                use_batch,
                momentum,
                self.eps,
            )
        )

    def _prepare_state(
        self, state: dict[str, Any], version: int | None
    ) -> tuple[dict[str, Any], list[str]]:
        if (version is None or version < 2) and self.track_running_stats:
            state.setdefault("num_batches_tracked", self.num_batches_tracked)
        return state, []


class BatchNorm1d(BatchNorm):
    """Batch normalization of features (N, C) or sequences (N, C, L).

    Each channel is standardized over the batch and the length; see `functional.batch_norm`
    for the mathematics. In evaluation the running statistics take the place of the batch's.

    Parameters
    ----------
    num_features
        C.
    eps
        Added to the variance.
    momentum
        The weight of each batch in the running statistics; None averages all batches equally.
    affine
        Whether there are a weight and a bias.
    track_running_stats
        Whether there are running statistics; without them evaluation uses the batch's too.
    device
        None: NumPy knows one device.
    dtype
        Of parameters and buffers: a NumPy dtype, float32 by default.
    bias
        With `affine`, whether there is a bias.

    Attributes
    ----------
    weight, bias : numpy.ndarray or None
        (C,), 1 and 0 at the start.
    running_mean, running_var : numpy.ndarray or None
        (C,), 0 and 1 at the start.
    num_batches_tracked : numpy.ndarray or None
        The number of training batches seen, an int64 scalar.

    Raises
    ------
    ValueError
        From the call: an input of another rank; one value per channel when training.
    RuntimeError
        From the call: an input with another number of channels, or of another dtype.

    References
    ----------
    Ioffe & Szegedy, 2015, "Batch Normalization: Accelerating Deep Network Training by
    Reducing Internal Covariate Shift"; `torch.nn.BatchNorm1d`.
    """

    _ranks = (2, 3)
    _ranks_in_words = "2D or 3D"


class BatchNorm2d(BatchNorm):
    """Batch normalization of images (N, C, H, W).

    Each channel is standardized over the batch, the height and the width. The parameters,
    attributes and errors are those of `BatchNorm1d`.

    References
    ----------
    Ioffe & Szegedy, 2015, section 3.2; `torch.nn.BatchNorm2d`.
    """

    _ranks = (4,)
    _ranks_in_words = "4D"


class BatchNorm3d(BatchNorm):
    """Batch normalization of volumes or video (N, C, D, H, W).

    Each channel is standardized over every other axis. The parameters, attributes and errors
    are those of `BatchNorm1d`.

    References
    ----------
    Ioffe & Szegedy, 2015; `torch.nn.BatchNorm3d`.
    """

    _ranks = (5,)
    _ranks_in_words = "5D"
