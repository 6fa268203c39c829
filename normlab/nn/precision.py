"""The dtype that the arithmetic is done in, and silence about NaN."""

import numpy as np

# torch is silent when a NaN or an infinity passes through; so are we.
silent = np.errstate(invalid="ignore", over="ignore", under="ignore", divide="ignore")


def computing(x: np.ndarray) -> np.ndarray:
    """Return x in the dtype that is computed in: float32 for float16, else its own.

    Half precision has three digits, and overflows at 65504: sums of squares need more. torch's
    kernels for the CPU do the same.
    """
    return x.astype(np.float32) if x.dtype == np.float16 else x
