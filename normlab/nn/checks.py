"""What torch refuses, refused in torch's words.

The exception types and texts are those of torch 2.13.0 on the CPU, in the order in which it
looks; a shape is printed as torch prints it. Nothing here computes: the mathematics is in
`functional`.
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

Array = np.ndarray
Optional = np.ndarray | None
# Running mean, running variance, weight and bias.
Vectors = tuple[Optional, Optional, Optional, Optional]


def torch_size(shape: Sequence[int]) -> str:
    """Write a shape as torch prints it: ``torch.Size([1, 3])``."""
    return f"torch.Size({list(shape)})"


def torch_name(dtype: np.dtype) -> str:
    """Name a NumPy dtype as torch's error texts do: ``Long`` for int64."""
    return _TORCH_NAMES.get(dtype.name, dtype.name)


def floating(input: Array, kernel: str) -> None:
    """Refuse what is not float16, float32 or float64."""
    if input.dtype.name not in ("float16", "float32", "float64"):
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{torch_name(input.dtype)}'")


def mixes_dtypes(input: Array, *parameters: Optional) -> bool:
    """Tell whether a call mixes dtypes, and refuse any mixture but float32 with float16 input.

    As in torch, the first parameter decides.
    """
    dtypes = [parameter.dtype for parameter in parameters if parameter is not None]
    if not dtypes or dtypes[0] == input.dtype:
        return False
    if any(dtype != np.float32 for dtype in dtypes):
        raise RuntimeError("mixed dtype (CPU): expect parameter to have scalar type of Float")
    if input.dtype != np.float16:
        raise RuntimeError("mixed dtype (CPU): all inputs must share same datatype.")
    return True


def same_dtype(input: Array, *parameters: Optional) -> None:
    """Refuse parameters of another dtype, in a call that does not mix dtypes."""
    for parameter in parameters:
        if parameter is not None and parameter.dtype != input.dtype:
            expected, found = torch_name(input.dtype), torch_name(parameter.dtype)
            raise RuntimeError(f"expected scalar type {expected} but found {found}")


def grad_output(grad_output: Array, shape: Sequence[int]) -> None:
    """Refuse a gradient that does not have the shape of what it is the gradient of."""
    if grad_output.shape != shape:
        raise RuntimeError(
            "Mismatch in shape: grad_output[0] has a shape of "
            f"{torch_size(grad_output.shape)} and output[0] has a shape of {torch_size(shape)}."
        )


def batch_norm(input: Array, vectors: Vectors, training: bool, eps: float) -> None:
    """Check the arguments of `functional.batch_norm`."""
    if training:
        _several_values_per_channel(input.shape, torch_size(input.shape))
    if training and eps <= 0.0:
        raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    if eps < 0.0:
        raise ValueError(f"batch_norm eps must be non-negative, but got {eps}")
    _batch_norm_kernel(input, vectors, training)


def instance_norm(input: Array, vectors: Vectors, use_input_stats: bool) -> None:
    """Check the arguments of `functional.instance_norm`.

    torch lays the instances side by side as the channels of one sample, and asks batch norm:
    that is what its texts then speak of.
    """
    if use_input_stats and math.prod(input.shape[2:]) == 1:
        size = torch_size(input.shape)
        raise ValueError(
            f"Expected more than 1 spatial element when training, got input size {size}"
        )
    mean, var, weight, bias = vectors
    if not use_input_stats and (mean is None or var is None):
        raise RuntimeError(
            "Expected running_mean and running_var to be defined when use_input_stats is false"
        )
    batch, channels = input.shape[:2]
    if mean is not None and var is not None:
        target = input.dtype if weight is None else weight.dtype
        if mean.dtype != target:  # torch converts both
            mean, var = mean.astype(target), var.astype(target)
    mean, var, weight, bias = (
        None if vector is None else np.tile(vector, batch) for vector in (mean, var, weight, bias)
    )
    side_by_side = input.reshape(1, batch * channels, *input.shape[2:])
    _batch_norm_kernel(side_by_side, (mean, var, weight, bias), use_input_stats)


def _batch_norm_kernel(input: Array, vectors: Vectors, training: bool) -> None:
    """Check that there is one value per channel, and the dtypes."""
    mean, var, weight, bias = vectors
    channels = input.shape[1] if input.ndim > 1 else 0
    if input.size == 0:  # torch looks no further, but at the first value of each parameter
        if any(vector is not None and vector.size == 0 for vector in (weight, bias)):
            raise IndexError("select(): index 0 out of range for tensor of size [0] at dimension 0")
        return
    names = ("running_mean", "running_var", "weight", "bias")
    for name, vector in zip(names, vectors, strict=True):
        if vector is None and not training and name.startswith("running"):
            raise RuntimeError(f"{name} must be defined in evaluation mode")
        if vector is not None and vector.size != channels:
            raise RuntimeError(f"{name} should contain {channels} elements not {vector.size}")
    if (mean is None) != (var is None):
        raise ValueError("running_mean and running_var must either both be None or neither be None")
    if training:
        dimension(1, input.ndim)
    floating(input, "batch_norm")
    if not mixes_dtypes(input, weight, bias, mean, var):
        same_dtype(input, *(vectors if training else (weight, bias, mean, var)))
    dimension(1, input.ndim)


def group_norm(input: Array, num_groups: int, weight: Optional, bias: Optional) -> None:
    """Check the arguments of `functional.group_norm`."""
    if input.ndim < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {input.ndim}"
        )
    groups = [input.shape[0] * input.shape[1] // num_groups, num_groups, *input.shape[2:]]
    _several_values_per_channel(groups, str(groups))
    if isinstance(num_groups, bool) or not isinstance(num_groups, (int, np.integer)):
        raise TypeError(
            "group_norm(): argument 'num_groups' (position 2) must be int, "
            f"not {type(num_groups).__name__}"
        )
    if num_groups < 0:
        raise RuntimeError(f"Expected num groups to be greater than 0, got {num_groups}")
    if input.shape[1] % num_groups != 0:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got "
            f"input of shape {list(input.shape)} and num_groups={num_groups}"
        )
    for name, parameter in (("weight", weight), ("bias", bias)):
        if parameter is not None and parameter.shape != input.shape[1:2]:
            shown = [0] if weight is None else list(weight.shape)  # torch's slip: never the bias's
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in "
                f"input, but got {name} of shape {shown} and input of shape {list(input.shape)}"
            )
    mixed = mixes_dtypes(input, weight, bias)
    floating(input, "GroupNormKernelImpl")
    if not mixed:
        same_dtype(input, weight, bias)


def layer_norm(
    input: Array, normalized_shape: Sequence[int], weight: Optional, bias: Optional
) -> None:
    """Check the arguments of `functional.layer_norm`."""
    _sequence_of_ints("layer_norm", normalized_shape)
    mixed = mixes_dtypes(input, weight, bias)
    _normalized_shape(normalized_shape, weight, bias)
    _ends_in(input, normalized_shape, separator=", ")
    floating(input, "LayerNormKernelImpl")
    if not mixed:
        same_dtype(input, weight, bias)


def rms_norm(input: Array, normalized_shape: Sequence[int], weight: Optional) -> None:
    """Check the arguments of `functional.rms_norm`."""
    _sequence_of_ints("rms_norm", normalized_shape)
    _normalized_shape(normalized_shape, weight, None)
    if input.ndim < len(normalized_shape):
        raise ValueError(
            f"Input tensor must have at least {len(normalized_shape)} dimensions, "
            f"but got {input.ndim}"
        )
    _ends_in(input, normalized_shape, separator="")
    floating(input, "rms_norm")


def local_response_norm(input: Array, size: int) -> None:
    """Check the arguments of `functional.local_response_norm`."""
    if input.ndim < 3:
        gap = " " * 26  # torch wraps its source line inside the text
        raise ValueError(
            f"Expected 3D or higher dimensionality{gap}input (got {input.ndim} dimensions)"
        )
    if input.size == 0:
        return
    flat = input.ndim == 3
    if size <= 0:
        kernel = f"kH: {size} kW: 1" if flat else f"kT: {size} kH: 1 kW: 1"
        raise RuntimeError(f"kernel size should be greater than zero, but got {kernel}")
    floating(input, "avg_pool2d" if flat else "avg_pool3d_out_frame")
    if input.dtype == np.float16 and not flat:
        raise NotImplementedError("\"avg_pool3d_out_frame\" not implemented for 'Half'")


def normalize(input: Array, p: float, dim: int | Sequence[int] | None) -> None:
    """Check the arguments of `functional.normalize`."""
    if input.dtype.kind != "f":
        raise RuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. "
            f"Got {torch_name(input.dtype)}"
        )
    dims = (dim,) if isinstance(dim, int) else tuple(dim or range(input.ndim))
    for d in dims:
        dimension(d, input.ndim)
    positive = [d % max(input.ndim, 1) for d in dims]
    for d in positive:
        if positive.count(d) > 1:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
        if input.ndim and input.shape[d] == 0 and (p < 0 or math.isinf(p)):
            raise RuntimeError(
                f"linalg.vector_norm cannot compute the {p:g} norm on the dimension {d}because "
                "this dimension is empty and the operation does not have an identity"
            )


def size(shape: int | Sequence[int]) -> None:
    """Check the size of a parameter that a layer is to have."""
    if not isinstance(shape, (int, np.integer, tuple)):
        raise TypeError(
            "empty(): argument 'size' (position 1) must be tuple of ints, "
            f"not {type(shape).__name__}"
        )
    sizes = shape if isinstance(shape, tuple) else (shape,)
    _ints("empty(): argument 'size' (position 1)", sizes)
    for length in sizes:
        if length < 0:
            raise RuntimeError(
                f"Trying to create tensor with negative dimension {length}: {list(sizes)}"
            )


def device(device: object) -> None:
    """Refuse every device but the one NumPy has."""
    if device is not None and str(device) != "cpu":
        raise RuntimeError(f"NumPy computes on the CPU only; device={device!r} was asked for")


def n_power_iterations(n_power_iterations: int) -> None:
    """Refuse a power iteration that does not iterate."""
    if n_power_iterations <= 0:
        got = f"n_power_iterations={n_power_iterations}"
        raise ValueError(f"Expected n_power_iterations to be positive, but got {got}")


def image(tensor: object) -> None:
    """Check what `transforms.Normalize` is called on, in torchvision's words."""
    if not isinstance(tensor, np.ndarray):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    if tensor.ndim < 2:
        raise TypeError("Tensor is not a torch image.")
    if tensor.dtype.kind != "f":
        raise TypeError(f"Input tensor should be a float tensor. Got torch.{tensor.dtype.name}.")
    if tensor.ndim < 3:
        raise ValueError(
            "Expected tensor to be a tensor image of size (..., C, H, W). "
            f"Got tensor.size() = {torch_size(tensor.shape)}"
        )


def fits_into(shape: Sequence[int], whole: Sequence[int]) -> None:
    """Refuse an operand that does not broadcast to the array that is changed in place."""
    paired = list(zip(reversed(whole), reversed(shape), strict=False))
    for position, (a, b) in enumerate(paired, start=1):
        if a != b and 1 not in (a, b):
            raise RuntimeError(
                f"The size of tensor a ({a}) must match the size of tensor b ({b}) at "
                f"non-singleton dimension {max(len(whole), len(shape)) - position}"
            )
    broadcast = np.broadcast_shapes(whole, shape)
    if broadcast != tuple(whole):
        raise RuntimeError(
            f"output with shape {list(whole)} doesn't match the broadcast shape {list(broadcast)}"
        )


def dimension(dim: int, ndim: int) -> None:
    """Refuse an axis that is not there."""
    bound = max(ndim, 1)
    if not -bound <= dim < bound:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-bound}, {bound - 1}], "
            f"but got {dim})"
        )


def _several_values_per_channel(shape: Sequence[int], shown: str) -> None:
    """Refuse to take the variance of a single value: every axis but the channels has size 1."""
    if shape[0] * math.prod(shape[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {shown}"
        )


def _sequence_of_ints(function: str, normalized_shape: Sequence[int]) -> None:
    argument = f"{function}(): argument 'normalized_shape' (position 2)"
    if not isinstance(normalized_shape, (tuple, list)):
        raise TypeError(f"{argument} must be tuple of ints, not {type(normalized_shape).__name__}")
    _ints(argument, normalized_shape)


def _normalized_shape(normalized_shape: Sequence[int], weight: Optional, bias: Optional) -> None:
    """Check that there is a `normalized_shape`, and that the parameters have it."""
    if not normalized_shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least "
            "one element, but got normalized_shape = []"
        )
    for name, parameter in (("weight", weight), ("bias", bias)):
        if parameter is not None and parameter.shape != tuple(normalized_shape):
            raise RuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of "
                f"shape {list(parameter.shape)} and normalized_shape = {list(normalized_shape)}"
            )


def _ends_in(input: Array, normalized_shape: Sequence[int], separator: str) -> None:
    """Check that the input's last axes have the sizes `normalized_shape`."""
    given = list(normalized_shape)
    if list(input.shape[-len(given) :]) != given:
        listed = ", ".join(map(str, given))
        raise RuntimeError(
            f"Given normalized_shape={given}, expected input with shape "
            f"[*{separator}{listed}], but got input of size{list(input.shape)}"
        )


def _ints(argument: str, values: Sequence[int]) -> None:
    """Refuse what is not an int."""
    for position, value in enumerate(values):
        if not isinstance(value, (int, np.integer)):
            raise TypeError(
                f"{argument} must be tuple of ints, but found element of type "
                f"{type(value).__name__} at pos {position}"
            )
