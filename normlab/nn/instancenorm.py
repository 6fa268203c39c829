"""`InstanceNorm1d`, `InstanceNorm2d` and `InstanceNorm3d`."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from normlab.nn import functional as F  # noqa: N812 - its name everywhere in PyTorch
from normlab.nn.batchnorm import NormBase


class InstanceNorm(NormBase):
    """Instance normalization of any rank; what the three classes below share."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Standardize each channel of each sample over its spatial axes."""
        self._check_rank(input)
        unbatched = self._is_unbatched(input)
        self._check_channels(input, axis=0 if unbatched else 1)
        self._context = ctx = F.Context()
        output = F.instance_norm(
            input[None] if unbatched else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
            ctx=ctx,
        )
        return output[0] if unbatched else output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Carry the gradient of the output back; see `Module.backward`."""
        grad_output = np.asarray(grad_output)
        if self._is_unbatched(grad_output):
            return super().backward(grad_output[None])[0]
        return super().backward(grad_output)

    def _is_unbatched(self, array: np.ndarray) -> bool:
        return array.ndim == self._ranks[0]

    def _check_channels(self, input: np.ndarray, axis: int) -> None:
        if input.shape[axis] == self.num_features:
            return
        if self.affine:
            raise ValueError(
                f"expected input's size at dim={axis} to match num_features "
                f"({self.num_features}), but got: {input.shape[axis]}."
            )
        warnings.warn(
            f"input's size at dim={axis} does not match num_features. You can silence this "
            "warning by not passing in num_features, which is not used because affine=False",
            stacklevel=4,
        )

    def _prepare_state(self, state: dict[str, Any], version: int | None) -> list[str]:
        """Refuse the running statistics that torch before 0.4 saved by default."""
        old = [name for name in ("running_mean", "running_var") if name in state]
        if version is not None or self.track_running_stats or not old:
            return super()._prepare_state(state, version)
        for name in old:
            del state[name]
        names, klass = " and ".join(f'"{name}"' for name in old), type(self).__name__
        return [
            f"Unexpected running stats buffer(s) {names} for {klass} with "
            "track_running_stats=False. If state_dict is a checkpoint saved before 0.4.0, this "
            f"may be expected because {klass} does not track running stats by default since "
            "0.4.0. Please remove these keys from state_dict. If the running stats are actually "
            f"needed, instead set track_running_stats=True in {klass} to enable them. See the "
            f"documentation of {klass} for details."
        ]


class InstanceNorm1d(InstanceNorm):
    """Instance normalization of sequences (N, C, L), or of one sequence (C, L).

    Each channel of each sample is standardized over the length; the mathematics is in
    `functional.instance_norm`. By default there are neither parameters nor running
    statistics, and training and evaluation are the same.

    Parameters
    ----------
    num_features
        The number of channels C.
    eps
        Added to the variance.
    momentum
        The share of each batch in the running statistics; None leaves them as they are.
    affine
        Whether there is a weight.
    track_running_stats
        Whether there are running statistics, which evaluation then uses.
    device
        None or "cpu".
    dtype
        The NumPy dtype of parameters and buffers; float32 by default.
    bias
        Whether there is a bias beside the weight.

    Attributes
    ----------
    weight, bias : numpy.ndarray or None
        (C,); at first 1 and 0.
    running_mean, running_var : numpy.ndarray or None
        (C,); at first 0 and 1.
    num_batches_tracked : numpy.ndarray or None
        0: instance normalization, unlike batch normalization, does not count.

    Raises
    ------
    ValueError
        Called on another rank, on a single spatial value, or with a weight on another number
        of channels (without one it is a warning).
    RuntimeError
        Called on another dtype.

    References
    ----------
    Ulyanov, Vedaldi & Lempitsky, 2016, "Instance Normalization: The Missing Ingredient for
    Fast Stylization"; `torch.nn.InstanceNorm1d`.
    """

    _ranks = (2, 3)


class InstanceNorm2d(InstanceNorm):
    """Instance normalization of images (N, C, H, W), or of one image (C, H, W).

    Each channel of each image is standardized over height and width. Parameters, attributes
    and errors are those of `InstanceNorm1d`.

    References
    ----------
    Ulyanov, Vedaldi & Lempitsky, 2016; `torch.nn.InstanceNorm2d`.
    """

    _ranks = (3, 4)


class InstanceNorm3d(InstanceNorm):
    """Instance normalization of volumes (N, C, D, H, W), or of one volume (C, D, H, W).

    Each channel of each volume is standardized over its three spatial axes. Parameters,
    attributes and errors are those of `InstanceNorm1d`.

    References
    ----------
    Ulyanov, Vedaldi & Lempitsky, 2016; `torch.nn.InstanceNorm3d`.
    """

    _ranks = (4, 5)
