"""`Normalize`: the image transform of torchvision, for arrays."""

from collections.abc import Sequence

import numpy as np

from normlab.nn import checks
from normlab.nn.module import Module


class Normalize(Module):
    """Shift and scale each channel of an image (C, H, W) by constants: ``(x - mean) / std``.

    The constants describe the data, usually the training set; they are not what the result is
    to have. No eps is added.

    Parameters
    ----------
    mean, std
        One value per channel, or one for all.
    inplace
        Whether to change the image itself.

    Raises
    ------
    TypeError
        Called on something other than a floating-point array.
    ValueError
        Called on fewer than three axes; or a `std` is 0 in the dtype of the image.
    RuntimeError
        Called on another number of channels.

    References
    ----------
    `torchvision.transforms.Normalize`.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        super().__init__()
        self.mean = mean
        self.std = std
        self.inplace = inplace

    def __call__(self, tensor: np.ndarray) -> np.ndarray:
        """Normalize an image (C, H, W), or images (..., C, H, W)."""
        return self.forward(tensor)

    def forward(self, tensor: np.ndarray) -> np.ndarray:
        """Normalize an image (C, H, W), or images (..., C, H, W)."""
        checks.image(tensor)
        mean, std = (_per_channel(values, tensor.dtype) for values in (self.mean, self.std))
        if (std == 0).any():
            raise ValueError(
                f"std evaluated to zero after conversion to torch.{tensor.dtype.name}, leading "
                "to division by zero."
            )
        checks.fits_into(mean.shape, tensor.shape)
        checks.fits_into(std.shape, tensor.shape)
        output = tensor if self.inplace else tensor.copy()
        output -= mean
        output /= std
        self._context = std
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return the gradient of the image: ``grad_output / std``, in its shape."""
        self._check_called()
        return np.asarray(grad_output) / self._context

    def __repr__(self) -> str:
        return f"Normalize(mean={self.mean}, std={self.std})"


def _per_channel(values: Sequence[float], dtype: np.dtype) -> np.ndarray:
    """Lay constants out as (C, 1, 1), to broadcast against (..., C, H, W)."""
    array = np.asarray(values, dtype)
    return array.reshape(-1, 1, 1) if array.ndim == 1 else array
