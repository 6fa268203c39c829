"""`BatchNorm1d`, `BatchNorm2d` and `BatchNorm3d`; and what they share with instance norm."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from normlab.nn import functional as F  # noqa: N812 - its name everywhere in PyTorch
from normlab.nn.module import Affine, new_parameter


class NormBase(Affine):
    """What batch and instance normalization share: arguments, parameters and buffers."""

    _version = 2
    _parameter_names = ("weight", "bias")
    _buffer_names = ("running_mean", "running_var", "num_batches_tracked")
    _ranks: tuple[int, ...] = ()  # how many axes the input may have
    _shown = (
        "{num_features}, eps={eps}, momentum={momentum}, affine={affine}, bias={bias}, "
        "track_running_stats={track_running_stats}"
    )

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats

        def vector(wanted: bool) -> np.ndarray | None:
            return new_parameter(num_features, device, dtype) if wanted else None

        self.weight = vector(affine)
        self.bias = vector(affine and bias)
        # Arrays, or None where nothing is tracked.
        self.running_mean: Any = vector(track_running_stats)
        self.running_var: Any = vector(track_running_stats)
        self.num_batches_tracked: Any = np.array(0, np.int64) if track_running_stats else None
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Set the running mean to 0 and the running variance to 1, and count from 0 again."""
        if self.track_running_stats:
            self.running_mean[:] = 0
            self.running_var[:] = 1
            self.num_batches_tracked[...] = 0

    def reset_parameters(self) -> None:
        """Set the weight to 1 and the bias to 0, and reset the running statistics."""
        self.reset_running_stats()
        super().reset_parameters()

    def _prepare_state(self, state: dict[str, Any], version: int | None) -> list[str]:
        """Give a state saved before version 2 the batch counter that it lacks."""
        if (version is None or version < 2) and self.track_running_stats:
            state.setdefault("num_batches_tracked", self.num_batches_tracked)
        return []

    def _check_rank(self, input: np.ndarray) -> None:
        if input.ndim not in self._ranks:
            ranks = " or ".join(f"{rank}D" for rank in self._ranks)
            raise ValueError(f"expected {ranks} input (got {input.ndim}D input)")


class BatchNorm(NormBase):
    """Batch normalization of an input of any rank; what the three classes below share."""

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Standardize each channel: by the batch in training, by the running statistics else."""
        self._check_rank(input)
        momentum = self.momentum
        tracking = self.training and self.track_running_stats
        if tracking and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
            if momentum is None:  # every batch so far weighs the same
                momentum = 1 / int(self.num_batches_tracked)
        # In training, statistics that are not tracked must not move either.
        use_buffers = tracking or not self.training
        self._context = ctx = F.Context()
        return F.batch_norm(
            input,
            self.running_mean if use_buffers else None,
            self.running_var if use_buffers else None,
            self.weight,
            self.bias,
            self.training or (self.running_mean is None and self.running_var is None),
            0.0 if momentum is None else momentum,
            self.eps,
            ctx=ctx,
        )


class BatchNorm1d(BatchNorm):
    """Batch normalization of features (N, C) or of sequences (N, C, L).

    Each channel is standardized over the batch and the length, then scaled and shifted; the
    mathematics is in `functional.batch_norm`. In evaluation mode the running statistics take
    the place of the batch's own.

    Parameters
    ----------
    num_features
        The number of channels C.
    eps
        Added to the variance.
    momentum
        The share of each batch in the running statistics; None averages all batches alike.
    affine
        Whether there is a weight.
    track_running_stats
        Whether there are running statistics. Without them, evaluation too uses the batch's.
    device, dtype
        None or "cpu"; the NumPy dtype of parameters and buffers, float32 by default.
    bias
        Whether there is a bias beside the weight.

    Attributes
    ----------
    weight, bias : numpy.ndarray or None
        (C,); at first 1 and 0.
    running_mean, running_var : numpy.ndarray or None
        (C,); at first 0 and 1.
    num_batches_tracked : numpy.ndarray or None
        The number of batches seen in training, an int64 scalar.

    Raises
    ------
    ValueError
        Called on another rank, or in training on a single value per channel.
    RuntimeError
        Called on another number of channels, or another dtype.

    References
    ----------
    Ioffe & Szegedy, 2015; `torch.nn.BatchNorm1d`.
    """

    _ranks = (2, 3)


class BatchNorm2d(BatchNorm):
    """Batch normalization of images (N, C, H, W).

    Each channel is standardized over the batch, the height and the width. Parameters,
    attributes and errors are those of `BatchNorm1d`.

    References
    ----------
    Ioffe & Szegedy, 2015, section 3.2; `torch.nn.BatchNorm2d`.
    """

    _ranks = (4,)


class BatchNorm3d(BatchNorm):
    """Batch normalization of volumes or videos (N, C, D, H, W).

    Each channel is standardized over every other axis. Parameters, attributes and errors are
    those of `BatchNorm1d`.

    References
    ----------
    Ioffe & Szegedy, 2015, section 3.2; `torch.nn.BatchNorm3d`.
    """

    _ranks = (5,)
