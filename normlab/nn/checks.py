"""What torch refuses, refused in torch's words.

The exception types and texts are those of torch 2.13.0 on the CPU; a shape is printed as
torch prints it. Nothing here computes: the mathematics is in `functional`.
"""

import math
from collections.abc import Sequence

import numpy as np

_TORCH_NAMES = {
    "bool": "Bool",
    "uint8": "Byte",
    "int8": "Char",
    "int16": "Short",
    "int32": "Int",
    "int64": "Long",
    "uint16": "UInt16",
    "uint32": "UInt32",
    "uint64": "UInt64",
    "float16": "Half",
    "float32": "Float",
    "float64": "Double",
    "complex64": "ComplexFloat",
    "complex128": "ComplexDouble",
}


def torch_size(shape: Sequence[int]) -> str:
    """Write a shape as torch prints it: ``torch.Size([1, 3])``."""
    return f"torch.Size({list(shape)})"


def torch_name(dtype: np.dtype) -> str:
    """Name a NumPy dtype as torch's error texts do: ``Long`` for int64."""
    return _TORCH_NAMES.get(dtype.name, dtype.name)


def floating(input: np.ndarray, kernel: str) -> None:
    """Refuse what is neither float16, float32 nor float64, as torch's CPU kernels do."""
    if input.dtype.name not in ("float16", "float32", "float64"):
        raise NotImplementedError(f'"{kernel}" not implemented for {torch_name(input.dtype)!r}')


def mixed_dtypes(input: np.ndarray, *parameters: np.ndarray | None) -> None:
    """Refuse mixed dtypes, except float32 parameters with float16 input.

    As torch does, the first parameter present decides whether the call is a mixed one.
    """
    dtypes = [parameter.dtype for parameter in parameters if parameter is not None]
    if not dtypes:
        return
    if dtypes[0] == input.dtype:
        for dtype in dtypes:
            if dtype != input.dtype:
                expected, found = torch_name(input.dtype), torch_name(dtype)
                raise RuntimeError(f"expected scalar type {expected} but found {found}")
        return
    if any(dtype != np.float32 for dtype in dtypes):
        raise RuntimeError("mixed dtype (CPU): expect parameter to have scalar type of Float")
    if input.dtype != np.float16:
        raise RuntimeError("mixed dtype (CPU): all inputs must share same datatype.")


def values_per_channel(shape: Sequence[int], shown: str) -> None:
    """Refuse to take the variance of a single value (every axis but 1 has size 1)."""
    if math.prod(shape[:1]) * math.prod(shape[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {shown}"
        )


def batch_norm(
    input: np.ndarray,
    running_mean: np.ndarray | None,
    running_var: np.ndarray | None,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    training: bool,
    eps: float,
) -> None:
    """Check the arguments of `functional.batch_norm`."""
    if training:
        values_per_channel(input.shape, torch_size(input.shape))
    if training and eps <= 0.0:
        raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    if eps < 0.0:
        raise ValueError(f"batch_norm eps must be non-negative, but got {eps}")
    if input.size == 0:
        return  # torch looks no further when there is nothing to normalize
    one_value_per_channel(input, running_mean, running_var, weight, bias, training)
    floating(input, "batch_norm")
    mixed_dtypes(input, weight, bias, running_mean, running_var)


def one_value_per_channel(
    input: np.ndarray,
    running_mean: np.ndarray | None,
    running_var: np.ndarray | None,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    training: bool,
) -> None:
    """Check the length of each statistic and parameter, and that no needed one is missing."""
    if input.ndim < 2:
        raise IndexError("Dimension out of range (expected to be in range of [-1, 0], but got 1)")
    vectors = {"running_mean": running_mean, "running_var": running_var}
    vectors |= {"weight": weight, "bias": bias}
    for name, vector in vectors.items():
        if vector is None and not training and name.startswith("running"):
            raise RuntimeError(f"{name} must be defined in evaluation mode")
        if vector is not None and vector.size != input.shape[1]:
            channels = input.shape[1]
            raise RuntimeError(f"{name} should contain {channels} elements not {vector.size}")
    if (running_mean is None) != (running_var is None):
        raise ValueError("running_mean and running_var must either both be None or neither be None")


def device(device: object) -> None:
    """Refuse every device but the one NumPy has."""
    if device is not None and str(device) != "cpu":
        raise RuntimeError(f"NumPy computes on the CPU only; device={device!r} was asked for")
