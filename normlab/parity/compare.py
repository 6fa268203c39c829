"""Run a NumPy layer and its torch twin side by side."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from normlab import nn
from normlab.parity import relatives
from normlab.parity.table import CaseTable, ParityTable, Row

# The largest relative difference that counts as equal. One rounding in float64 is 1e-16; the
# sums of a norm and its gradient pile up some thousands of them in another order than torch
# does. The lower precisions allow the same number of roundings.
TOLERANCES = {"float64": 1e-12, "float32": 1e-5, "float16": 1e-2}

# How many roundings of the numbers that cancel are allowed in what is left of them.
ROUNDINGS = 8


def pair(
    name: str,
    *args: Any,  # noqa: ANN401 - whatever the layer takes
    dtype: type[np.floating] = np.float64,
    seed: int = 0,
    **options: Any,  # noqa: ANN401
) -> tuple[nn.Module, torch.nn.Module]:
    """Make a layer twice, in NumPy and in torch, alike in every parameter and buffer.

    Weights, biases and running statistics are drawn from a seed, so that none is 1 or 0: a weight
    of 1 would hide a backward pass that forgets it.

    Parameters
    ----------
    name
        The class, such as ``"BatchNorm1d"``; or ``"QKNorm"``, which torch does not have: its
        few lines of torch are `normlab.parity.relatives.TorchQKNorm`.
    *args, **options
        What its constructor takes in ``torch.nn``.
    dtype
        A NumPy floating-point type, for both.
    seed
        Where the numbers come from.

    Returns
    -------
    tuple of normlab.nn.Module and torch.nn.Module
        Both in training mode.

    Examples
    --------
    >>> twin, layer = pair("BatchNorm1d", 3, eps=1e-3)
    """
    torch_dtype = getattr(torch, np.dtype(dtype).name)
    made: Any = relatives.TorchQKNorm if name == "QKNorm" else getattr(torch.nn, name)
    layer = made(*args, dtype=torch_dtype, **options)
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for key, tensor in layer.state_dict(keep_vars=True).items():
            if tensor.is_floating_point():
                # Variances must be positive; a weight may as well be.
                low, high = (-1, 1) if key in {"bias", "running_mean"} else (0.5, 2)
                tensor.copy_(torch.from_numpy(rng.uniform(low, high, tensor.shape)))
    twin = getattr(nn, name)(*args, dtype=dtype, **options)
    twin.load_state_dict(layer.state_dict())
    return twin, layer


def compare(
    twin: nn.Module,
    layer: torch.nn.Module,
    x: np.ndarray,
    dy: np.ndarray | None = None,
    *,
    tolerance: float | None = None,
) -> ParityTable:
    """Run both layers on ``x``, forward and backward, and compare all that comes out.

    Compared are the output, the gradient of the input and of each parameter, and each buffer
    after the pass; or, where the layers raise, the types and the texts of the two exceptions. A
    pass in training mode moves running statistics, in both layers alike.

    Parameters
    ----------
    twin
        The NumPy layer.
    layer
        The torch layer, on the CPU.
    x
        The input. It is given to both, and copied before.
    dy
        The gradient of the loss with respect to the output, in its shape; random numbers without
        it. A ``dy`` of ones is a poor probe: it is the gradient of ``y.sum()``, which no change of
        the input of a norm can change.
    tolerance
        The largest relative difference that counts as equal; by the type of ``x`` without it
        (1e-12 for float64).

    Returns
    -------
    ParityTable
        A line for each compared array. ``table.equal`` says whether all agree.

    Raises
    ------
    TypeError
        If the layers are not a twin and a torch layer, or an array is none of NumPy's that holds
        floating-point numbers.

    Notes
    -----
    A relative difference is the largest absolute difference in an array, divided by the largest
    absolute value of torch's array.

    Where numbers cancel, what is left may be nothing but rounding: of two numbers normalized
    together the gradient is almost 0, though what it is the difference of is not. There two arrays
    are equal, too, if they differ by no more than a few roundings of what was cancelled.
    """
    _check_layers(twin, layer)
    _check_numbers("x", x)
    if dy is not None:
        _check_numbers("dy", dy)
    tolerance = TOLERANCES[x.dtype.name] if tolerance is None else tolerance
    mode = "training" if layer.training else "evaluation"
    title = f"{twin} beside torch.nn, {x.dtype.name}, {mode}"
    ours, our_error = _outcome(_run_twin, twin, x, dy)
    theirs, their_error = _outcome(_run_torch, layer, x, dy)
    if our_error or their_error:
        return ParityTable(title, [Row.of_errors(our_error, their_error)], tolerance)
    rounding = _rounding(twin, x, _probe(ours["output"]) if dy is None else dy)
    rows = [
        Row.of_arrays(name, ours.get(name), theirs.get(name), tolerance, rounding.get(name, 0.0))
        for name in dict.fromkeys([*theirs, *ours])
    ]
    return ParityTable(title, rows, tolerance)


def compare_cases(
    cases: Mapping[str, tuple[nn.Module, torch.nn.Module, np.ndarray]],
) -> CaseTable:
    """Compare several pairs of layers: one line a case.

    Parameters
    ----------
    cases
        For each label the twin, the torch layer and the input.

    Returns
    -------
    CaseTable
        For each case the array that differs most. ``table.equal`` says whether all agree.
    """
    return CaseTable({label: compare(*case) for label, case in cases.items()})


def _check_layers(twin: object, layer: object) -> None:
    # A twin may be a class of the learner's own: it is known by its backward pass.
    others = torch.nn.Module | torch.Tensor | type
    is_twin = hasattr(twin, "backward") and not isinstance(twin, others)
    if not is_twin or not isinstance(layer, torch.nn.Module):
        raise TypeError(
            "compare(twin, layer, x) takes a NumPy twin of normlab.nn and then a layer of torch.nn,"
            f" got {_kind(twin)} and {_kind(layer)}; parity.pair makes both."
        )


def _check_numbers(name: str, array: object) -> None:
    if isinstance(array, np.ndarray) and array.dtype in {np.dtype(each) for each in TOLERANCES}:
        return
    if isinstance(array, torch.Tensor):
        advice = f"give {name}.detach().cpu().double().numpy()"
    elif isinstance(array, np.ndarray | list | tuple):
        advice = f"give np.asarray({name}, dtype=np.float64)"
    else:
        advice = "give an array such as np.random.default_rng(0).normal(size=(8, 3))"
    dtype = f" of {array.dtype}" if isinstance(array, np.ndarray) else ""
    raise TypeError(
        f"{name} must be a NumPy array of {' or '.join(TOLERANCES)}, got {_kind(array)}{dtype}: "
        f"{advice}."
    )


def _kind(value: object) -> str:
    """Say what a value is, with the library it comes from."""
    if isinstance(value, type):
        return f"the class {value.__qualname__}"
    library = type(value).__module__.rpartition(".")[0] or type(value).__module__
    return type(value).__name__ if library == "builtins" else f"{library}.{type(value).__name__}"


def _outcome(run: Any, *args: Any) -> tuple[dict[str, np.ndarray], Exception | None]:  # noqa: ANN401
    try:
        return run(*args), None
    except Exception as error:  # whatever a layer raises is what we came to see
        return {}, error


def _run_twin(twin: nn.Module, x: np.ndarray, dy: np.ndarray | None) -> dict[str, np.ndarray]:
    twin.zero_grad()
    y = twin(x.copy())
    found = {"output": y, "grad of input": twin.backward(_probe(y) if dy is None else dy)}
    found |= {f"grad of {name}": grad for name, grad in twin.grads.items()}
    return found | {name: np.asarray(buffer) for name, buffer in twin.named_buffers()}


def _run_torch(
    layer: torch.nn.Module, x: np.ndarray, dy: np.ndarray | None
) -> dict[str, np.ndarray]:
    tensor = torch.from_numpy(x.copy()).requires_grad_()
    layer.zero_grad()
    y = layer(tensor)
    y.backward(torch.from_numpy(_probe(y.detach().numpy()) if dy is None else dy.copy()))
    found = {"output": y, "grad of input": tensor.grad}
    found |= {f"grad of {name}": parameter.grad for name, parameter in layer.named_parameters()}
    found |= dict(layer.named_buffers())
    return {name: array.detach().numpy() for name, array in found.items() if array is not None}


def _rounding(twin: nn.Module, x: np.ndarray, dy: np.ndarray) -> dict[str, float]:
    """Return what a few roundings of the cancelled numbers amount to, for each array they reach.

    A norm subtracts a mean from ``x * inv_std``, and two means from ``dy * weight * inv_std``, one
    of them times `x_hat`, which has the first one's rounding in it.
    """
    standardized = getattr(getattr(twin, "_context", None), "standardized", None)
    if standardized is None or not x.size:
        return {}
    inv_std, weight = standardized.inv_std, getattr(twin, "weight", None)
    scaled = _largest(x.reshape(standardized.x_hat.shape) * inv_std)
    gain = 1.0 if weight is None else _largest(weight)
    unit = ROUNDINGS * float(np.finfo(x.dtype).eps)
    return {
        "output": unit * scaled * gain,
        "grad of input": unit * _largest(dy) * gain * _largest(inv_std) * max(1, scaled),
        "grad of weight": unit * scaled * float(np.abs(dy).sum()),
    }


def _largest(array: np.ndarray) -> float:
    finite = np.abs(array[np.isfinite(array)], dtype=np.float64)
    return float(finite.max(initial=0))


def _probe(y: np.ndarray) -> np.ndarray:
    # A seed that nobody else uses: a probe equal to the input has a gradient of almost zero.
    return np.random.default_rng(0x9A17).standard_normal(y.shape).astype(y.dtype)
