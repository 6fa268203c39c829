"""`local_response_norm`: a value divided by what its neighbours amount to, forward and backward."""

import numpy as np

from normlab.nn import checks
from normlab.nn.precision import computing, silent


@silent
def local_response_norm(
    input: np.ndarray, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> np.ndarray:
    """Divide each value by what its neighbours in the channel axis amount to.

    ``y = x / (k + alpha * m)**beta``, where m is the mean square over a window of `size`
    channels around the value's own, with zeros beyond the ends. An even window reaches one
    channel further down than up. Alpha is thus divided by `size`, unlike in the paper.

    Parameters
    ----------
    input : (N, C, *), with at least one spatial axis

    Raises
    ------
    ValueError, RuntimeError, NotImplementedError
        Fewer than three axes; an empty window; integers, which torch rounds; float16 with more
        than one spatial axis.

    References
    ----------
    Krizhevsky, Sutskever & Hinton, 2012, "ImageNet Classification with Deep Convolutional
    Neural Networks", section 3.3; `torch.nn.functional.local_response_norm`.
    """
    checks.local_response_norm(input, size)
    x = computing(input)
    divisor = k + alpha * _window_mean(np.square(x), size // 2, (size - 1) // 2)
    return (x / divisor**beta).astype(input.dtype, copy=False)


@silent
def local_response_norm_backward(
    grad_output: np.ndarray,
    input: np.ndarray,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
) -> np.ndarray:
    """Return the gradient of the input (N, C, *) of `local_response_norm`.

    A value acts through its own numerator, and through the divisors of all channels whose
    window it is in: seen from the value, those reach as far up as a window reaches down.
    `grad_output` (N, C, *) is the gradient of the output; the other arguments and the errors
    are those of `local_response_norm` (Krizhevsky et al., 2012).
    """
    checks.local_response_norm(input, size)
    checks.grad_output(grad_output, input.shape)
    x = computing(input)
    grad_y = grad_output.astype(x.dtype, copy=False)
    divisor = k + alpha * _window_mean(np.square(x), size // 2, (size - 1) // 2)
    through_divisor = grad_y * x * divisor ** (-beta - 1)
    shared = _window_mean(through_divisor, (size - 1) // 2, size // 2)
    grad_x = grad_y * divisor**-beta - 2 * alpha * beta * x * shared
    return grad_x.astype(input.dtype, copy=False)


def _window_mean(x: np.ndarray, down: int, up: int) -> np.ndarray:
    """Average over the window from channel c - `down` to c + `up`, zeros beyond the ends."""
    if x.size == 0:
        return x
    padding = [(0, 0)] * x.ndim
    padding[1] = (down, up)
    padded = np.pad(x, padding)  # (N, C + size - 1, *)
    size = down + 1 + up
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)  # (N, C, *, size)
    return windows.sum(axis=-1) / x.dtype.type(size)
