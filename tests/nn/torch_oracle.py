"""torch as the oracle: the same call on both sides, and every array of it compared.

A `Case` names a call and holds it twice, for torch and for a package like `normlab.nn`; each
side returns its arrays by name, or the error that it raised. `CASES` is the battery that the
suite runs on `normlab.nn`, and that each mutant in `test_mutants.py` has to fail.
"""

import contextlib
import functools
import itertools
import math
import warnings
import zlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from hypothesis import HealthCheck, settings
from releases import NORMS_TAKE_BIAS, TEXTS_ARE_KNOWN, in_the_words_of_2_13

Outcome = dict[str, Any]


class Case(NamedTuple):
    """One call, on both sides.

    `tolerance` is relative to the largest value of each array, or to `floor` where that is
    larger; a tolerance above 1e-12, or a floor, has its `reason`.
    """

    name: str
    theirs: Callable[[], Outcome]
    ours: Callable[[ModuleType], Outcome]
    tolerance: float = 1e-12
    floor: float = 0.0
    reason: str = ""


def outcome(call: Callable[[], Outcome]) -> Outcome:
    """Return what a call returns, or the type and the text of the error that it raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call()
    except Exception as error:
        return {"error": in_the_words_of_2_13(f"{type(error).__name__}: {error}")}


def difference(case: Case, nn: ModuleType) -> str | None:
    """Say where our side of a case differs from torch's; None where it does not."""
    theirs, ours = _cached(case), outcome(lambda: case.ours(nn))
    if theirs.get("error") != ours.get("error"):
        return f"{case.name}: torch: {theirs.get('error')}\nours: {ours.get('error')}"
    if list(theirs) != list(ours):
        return f"{case.name}: torch returns {list(theirs)}, ours {list(ours)}"
    for name, expected in theirs.items():
        problem = array_difference(ours[name], expected, case.tolerance, case.floor)
        if problem:
            return f"{case.name}: {name}: {problem}"
    return None


def array_difference(
    ours: Any,
    theirs: Any,
    tolerance: float,
    floor: float = 0.0,
) -> str | None:
    """Compare shape, dtype and values, relative to the largest of the expected values."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return f"{ours.dtype}{ours.shape} instead of {theirs.dtype}{theirs.shape}"
    if ours.dtype.kind != "f":
        return None if (ours == theirs).all() else f"{ours} instead of {theirs}"
    if (np.isnan(ours) != np.isnan(theirs)).any() or (np.isinf(ours) != np.isinf(theirs)).any():
        return f"NaN or inf in other places: {ours} instead of {theirs}"
    finite = np.isfinite(theirs)
    if (ours[np.isinf(theirs)] != theirs[np.isinf(theirs)]).any():
        return f"inf of the other sign: {ours} instead of {theirs}"
    scale = np.abs(theirs[finite]).max(initial=floor)
    error = np.abs(ours[finite] - theirs[finite]).max(initial=0.0)
    if error > tolerance * scale:
        return f"off by {error:.3g}, where the largest value is {scale:.3g}"
    return None


_outcomes: dict[str, Outcome] = {}


def _cached(case: Case) -> Outcome:
    if case.name not in _outcomes:
        _outcomes[case.name] = outcome(case.theirs)
    return _outcomes[case.name]


def examples(count: int) -> settings:
    """Let hypothesis try this many examples, the same ones every time, however slow the machine."""
    slow = [HealthCheck.too_slow]
    return settings(max_examples=count, deadline=None, derandomize=True, suppress_health_check=slow)


# --- data -------------------------------------------------------------------------------------


def rng(*key: object) -> np.random.Generator:
    """Return a generator that depends on nothing but the key."""
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def make_input(kind: str, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Make an input of a named kind, in float64."""
    x = generator.normal(0.5, 2.0, shape)
    if kind == "constant":
        x = np.full(shape, 7.0)
    elif kind == "offset":
        x = x + 1e6
    elif kind == "tiny":
        x = x * 1e-4
    elif kind in ("nan", "inf"):
        x.flat[x.size // 2] = float(kind)
    elif kind == "zeros":
        x = np.zeros(shape)
    elif kind == "fortran":
        x = np.asfortranarray(x)
    elif kind == "strided":
        x = np.repeat(x, 2, axis=-1)[..., ::2]
    elif kind == "reversed":
        x = x[..., ::-1]
    return x


def tensor(x: np.ndarray, *, grad: bool = False) -> torch.Tensor:
    return torch.tensor(x.copy(order="C"), requires_grad=grad)


# --- layers -----------------------------------------------------------------------------------


def layer_case(
    layer: str,
    *args: object,
    shape: tuple[int, ...],
    kind: str = "normal",
    modes: tuple[bool, ...] = (True,),
    dtype: str = "float64",
    input_dtype: str | None = None,
    tolerance: float = 1e-12,
    floor: float = 0.0,
    reason: str = "",
    **kwargs: object,
) -> Case:
    """Run a layer forward and backward, once in each of `modes` (training or not)."""
    name = f"{layer}{args}{kwargs} {shape} {kind} {modes} {dtype} {input_dtype or ''}"
    steps = []
    generator = rng(name)
    for mode in modes:
        x = make_input(kind, shape, generator).astype(input_dtype or dtype)
        # A copy in another order would have another memory layout, which is what is tested.
        x = make_input(kind, shape, rng(name, len(steps))) if kind in LAYOUTS else x
        steps.append((mode, x, generator.normal(size=shape).astype(x.dtype)))
    state = functools.partial(_random_value, name)

    def theirs() -> Outcome:
        twin = getattr(torch.nn, layer)(*args, **kwargs, **_dtype(layer, getattr(torch, dtype)))
        for key, value in twin.state_dict().items():
            value.copy_(tensor(state(key, tuple(value.shape))))
        return _torch_steps(twin, steps)

    def ours(nn: ModuleType) -> Outcome:
        own = getattr(nn, layer)(*args, **kwargs, **_dtype(layer, np.dtype(dtype)))
        for key, value in own.state_dict().items():
            value[...] = state(key, value.shape)
        return _numpy_steps(own, steps)

    return Case(name, theirs, ours, tolerance, floor, reason)


LAYOUTS = ("fortran", "strided", "reversed")


def _dtype(layer: str, dtype: object) -> dict[str, object]:
    return {} if layer == "LocalResponseNorm" else {"dtype": dtype}


def _random_value(name: str, key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return parameters and statistics that no default could be mistaken for."""
    if key == "num_batches_tracked":
        return np.array(3)
    return rng(name, key).uniform(0.5, 2.0, shape)


def _torch_steps(layer: torch.nn.Module, steps: list) -> Outcome:
    found: Outcome = {}
    for number, (mode, x, dy) in enumerate(steps):
        layer.train(mode)
        x_torch = tensor(x, grad=True)
        y = layer(x_torch)
        y.backward(tensor(dy))
        found |= {f"output {number}": y.detach(), f"grad input {number}": x_torch.grad}
        found[f"output {number}, later"] = y.detach()
        found |= {f"grad {k} {number}": p.grad.clone() for k, p in layer.named_parameters()}
        found |= {f"{k} {number}": buffer.clone() for k, buffer in layer.named_buffers()}
    return found


def _numpy_steps(layer: Any, steps: list) -> Outcome:
    found: Outcome = {}
    for number, (mode, x, dy) in enumerate(steps):
        layer.train(mode)
        with untouched(input=x, grad_output=dy):
            y = layer(x)
            assert not np.shares_memory(y, x), "the output is the input"
            found |= {f"output {number}": y.copy(), f"grad input {number}": layer.backward(dy)}
            found[f"output {number}, later"] = y
        found |= {f"grad {k} {number}": layer.grads[k].copy() for k, _ in layer.named_parameters()}
        found |= {f"{k} {number}": buffer.copy() for k, buffer in layer.named_buffers()}
    return found


@contextlib.contextmanager
def untouched(**arrays: np.ndarray | None) -> Iterator[None]:
    """Refuse any change of these arrays, and undo it for those who come after."""
    before = {name: np.copy(array) for name, array in arrays.items() if array is not None}
    try:
        yield
        for name, kept in before.items():
            np.testing.assert_array_equal(arrays[name], kept, f"{name} was modified")
    finally:
        for name, kept in before.items():
            arrays[name][...] = kept


# --- functions --------------------------------------------------------------------------------


def function_case(
    name: str,
    arrays: dict[str, np.ndarray | None],
    call: Callable[..., Any],
    backward: Callable[..., Any] | None,
    theirs: Callable[..., torch.Tensor],
    **bounds: Any,
) -> Case:
    """Call a function of tensors on both sides, with the gradient of each of its arrays.

    `call` and `backward` take the package and the arrays, `backward` also `grad_output`; it
    returns the gradients in the order of the arrays that are not None.
    """
    arrays = {k: None if a is None else np.asarray(a) for k, a in arrays.items()}

    def grad_output(shape: tuple[int, ...]) -> np.ndarray:
        return rng(name, "grad_output").normal(size=shape)

    def run_theirs() -> Outcome:
        given = {
            k: None if a is None else tensor(a, grad=a.dtype.kind == "f") for k, a in arrays.items()
        }
        y = theirs(**given)
        found = {"output": y.detach()}
        if backward is not None:
            y.backward(tensor(grad_output(tuple(y.shape)).astype(arrays["input"].dtype)))
            found |= {f"grad {k}": t.grad for k, t in given.items() if t is not None}
        return found

    def run_ours(nn: ModuleType) -> Outcome:
        with untouched(**arrays):
            return run_untouched(nn)

    def run_untouched(nn: ModuleType) -> Outcome:
        y = call(nn, **arrays)
        found = {"output": y}
        if backward is not None:
            dy = grad_output(y.shape).astype(arrays["input"].dtype)
            with untouched(grad_output=dy):
                gradients = backward(nn, dy, *arrays.values())
            gradients = gradients if isinstance(gradients, tuple) else (gradients,)
            present = [g for g in gradients if g is not None]
            names = [k for k, a in arrays.items() if a is not None]
            found |= {f"grad {k}": g for k, g in zip(names, present, strict=True)}
        return found

    return Case(name, run_theirs, run_ours, **bounds)


def norm_function_case(function: str, *options: object, shape: tuple, vectors: tuple = ()) -> Case:
    """Call a norm of `functional` and its pure backward, with weight and bias of a shape."""
    name = f"functional.{function}{options} {shape} {vectors}"
    generator = rng(name)
    arrays: dict[str, np.ndarray | None] = {"input": make_input("normal", shape, generator)}
    arrays |= {k: generator.uniform(0.5, 2, v) for k, v in vectors}
    extra = {"eps": 1e-3}

    def call(nn: ModuleType, input: np.ndarray, **parameters: np.ndarray) -> np.ndarray:
        return getattr(nn.functional, function)(input, *options, **parameters, **extra)

    def backward(nn: ModuleType, dy: np.ndarray, input: np.ndarray, *parameters: Any) -> Any:
        named = dict(zip(list(arrays)[1:], parameters, strict=True))
        name = f"{function}_backward"
        return getattr(nn.functional, name)(dy, input, *options, **named, **extra)

    def theirs(input: torch.Tensor, **parameters: torch.Tensor) -> torch.Tensor:
        return getattr(torch.nn.functional, function)(input, *options, **parameters, **extra)

    return function_case(name, arrays, call, backward, theirs)


def normalize_case(
    shape: tuple,
    p: float = 2.0,
    dim: Any = 1,
    eps: float = 1e-12,
    kind: str = "normal",
) -> Case:
    name = f"functional.normalize {shape} p={p} dim={dim} eps={eps} {kind}"
    return function_case(
        name,
        {"input": make_input(kind, shape, rng(name))},
        lambda nn, input: nn.functional.normalize(input, p, dim, eps),
        lambda nn, dy, input: nn.functional.normalize_backward(dy, input, p, dim, eps),
        lambda input: torch.nn.functional.normalize(input, p, dim, eps),
    )


def weight_norm_case(shape: tuple, dim: int | None = 0, **bounds: Any) -> Case:
    name = f"weight_norm {shape} dim={dim}"
    v = make_input("normal", shape, rng(name))
    torch_dim = -1 if dim is None else dim
    g = torch.norm_except_dim(tensor(v), 2, torch_dim).numpy() * 1.5

    return function_case(
        name,
        {"weight_g": g, "input": v},
        lambda nn, weight_g, input: nn.parametrizations.weight_norm(weight_g, input, dim),
        lambda nn, dy, weight_g, input: nn.parametrizations.weight_norm_backward(
            dy, weight_g, input, dim
        ),
        lambda weight_g, input: torch._weight_norm(input, weight_g, torch_dim),
        **bounds,
    )


def weight_standardization_case(shape: tuple, eps: float) -> Case:
    name = f"weight_standardization {shape} eps={eps}"

    def theirs(input: torch.Tensor) -> torch.Tensor:
        rows = input.flatten(1)
        centred = rows - rows.mean(1, keepdim=True)
        return (centred / (rows.var(1, correction=0, keepdim=True) + eps).sqrt()).view_as(input)

    return function_case(
        name,
        {"input": make_input("normal", shape, rng(name))},
        lambda nn, input: nn.parametrizations.weight_standardization(input, eps),
        lambda nn, dy, input: (
            nn.parametrizations.weight_standardization_backward(dy, input, eps),
        ),
        theirs,
    )


def qk_norm_case(heads: int, head_dim: int) -> Case:
    """Compare the heads of a projection with torch's RMSNorm of each."""
    name = f"QKNorm({heads}, {head_dim})"
    generator = rng(name)
    x, dy = (make_input("normal", (2, 3, heads * head_dim), generator) for _ in range(2))
    weight = generator.uniform(0.5, 2, head_dim)

    def theirs() -> Outcome:
        layer = torch.nn.RMSNorm(head_dim, eps=1e-6, dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(tensor(weight))
        leaf = tensor(x, grad=True)
        y = layer(leaf.view(2, 3, heads, head_dim)).flatten(2)
        y.backward(tensor(dy))
        return {"y": y.detach(), "dx": leaf.grad, "dweight": layer.weight.grad}

    def ours(nn: ModuleType) -> Outcome:
        layer = nn.QKNorm(heads, head_dim, dtype=np.float64)
        layer.load_state_dict({"weight": weight})
        y = layer(x)
        return {"y": y, "dx": layer.backward(dy), "dweight": layer.grads["weight"]}

    return Case(name, theirs, ours)


def block_case(place: str) -> Case:
    """Compare a block whose branches are LayerNorms of their own with autograd's."""
    name = f"Block({place!r})"
    generator = rng(name)
    x, dy = (make_input("normal", (2, 3, 5), generator) for _ in range(2))
    weights = [generator.uniform(0.5, 2, 5) for _ in range(6)]
    counts = {"pre": 2, "post": 2, "out": 2, "sandwich": 4, "parallel": 1}

    def theirs() -> Outcome:
        leaf = tensor(x, grad=True)
        own = [tensor(weight, grad=True) for weight in weights]
        shape = leaf.shape[-1:]

        def f(x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.layer_norm(x, shape, own[0])

        def g(x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.layer_norm(x, shape, own[1])

        def n(i: int, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.rms_norm(x, shape, own[2 + i], 1e-3)

        if place == "pre":
            y = leaf + f(n(0, leaf))
            y = y + g(n(1, y))
        elif place == "post":
            y = n(0, leaf + f(leaf))
            y = n(1, y + g(y))
        elif place == "out":
            y = leaf + n(0, f(leaf))
            y = y + n(1, g(y))
        elif place == "sandwich":
            y = leaf + n(1, f(n(0, leaf)))
            y = y + n(3, g(n(2, y)))
        else:
            y = leaf + f(n(0, leaf)) + g(n(0, leaf))
        y.backward(tensor(dy))
        used = own[: 2 + counts[place]]
        return {"y": y.detach(), "dx": leaf.grad} | {
            f"dweight {i}": weight.grad for i, weight in enumerate(used)
        }

    def ours(nn: ModuleType) -> Outcome:
        layers = [nn.LayerNorm(5, bias=False, dtype=np.float64) for _ in range(2)]
        branches = list(layers)

        def norm() -> Any:
            layers.append(nn.RMSNorm(5, eps=1e-3, dtype=np.float64))
            return layers[-1]

        block = nn.Block(place, *branches, norm)
        for layer, weight in zip(layers, weights, strict=False):
            layer.load_state_dict({"weight": weight})
        y = block(x)
        dx = block.backward(dy)
        return {"y": y, "dx": dx} | {
            f"dweight {i}": layer.grads["weight"] for i, layer in enumerate(layers)
        }

    return Case(name, theirs, ours)


def spectral_norm_case(shape: tuple, dim: int = 0, n_power_iterations: int = 2) -> Case:
    """Start both parametrizations from the same v, and call them in and out of training."""
    name = f"spectral_norm {shape} dim={dim} n={n_power_iterations}"
    weight, dy = (make_input("normal", shape, rng(name, i)) for i in range(2))

    def theirs() -> Outcome:
        from torch.nn.utils.parametrizations import _SpectralNorm

        twin = _SpectralNorm(tensor(weight), n_power_iterations, dim)
        if "_v" in twin.state_dict():
            for key, value in twin.state_dict().items():
                value.copy_(tensor(_unit(name, key, tuple(value.shape))))
        w, found = tensor(weight, grad=True), {}
        for mode in (True, False):
            y = twin.train(mode)(w)
            (gradient,) = torch.autograd.grad(y, w, tensor(dy))
            found |= {f"output {mode}": y.detach(), f"grad {mode}": gradient}
            found |= {f"{k} {mode}": b.clone() for k, b in twin.named_buffers()}
        return found

    def ours(nn: ModuleType) -> Outcome:
        own = nn.parametrizations.SpectralNorm(weight, n_power_iterations, dim)
        for key, value in own.named_buffers():
            value[...] = _unit(name, key, value.shape)
        found: Outcome = {}
        for mode in (True, False):
            with untouched(weight=weight, grad_output=dy):
                y = own.train(mode)(weight)
                found |= {f"output {mode}": y, f"grad {mode}": own.backward(dy)}
            found |= {f"{k} {mode}": b.copy() for k, b in own.named_buffers()}
        return found

    return Case(name, theirs, ours)


def _unit(name: str, key: str, shape: tuple[int, ...]) -> np.ndarray:
    vector = rng(name, key).normal(size=shape)
    return vector / np.linalg.norm(vector)


def sync_case(sizes: tuple[int, ...], trailing: tuple[int, ...], *, affine: bool = True) -> Case:
    """Compare several workers with batch norm of the concatenated batch."""
    name = f"sync_batch_norm {sizes} {trailing} affine={affine}"
    generator = rng(name)
    inputs = [make_input("normal", (n, *trailing), generator) + 3 * i for i, n in enumerate(sizes)]
    dys = [generator.normal(size=x.shape) for x in inputs]
    weight, bias = generator.uniform(0.5, 2, (2, trailing[0])) if affine else (None, None)

    def theirs() -> Outcome:
        x = tensor(np.concatenate(inputs), grad=True)
        w, b = (None if a is None else tensor(a, grad=True) for a in (weight, bias))
        mean, var = torch.zeros(trailing[0]).double(), torch.ones(trailing[0]).double()
        y = torch.nn.functional.batch_norm(x, mean, var, w, b, True, 1.0)
        y.backward(tensor(np.concatenate(dys)))
        n = x.numel() // trailing[0]
        found = {"output": y.detach(), "grad input": x.grad, "mean": mean, "var": var * (n - 1) / n}
        return found | ({"grad weight": w.grad, "grad bias": b.grad} if affine else {})

    def ours(nn: ModuleType) -> Outcome:
        outputs = nn.sync.sync_batch_norm(inputs, weight, bias)
        workers = nn.sync.sync_batch_norm_backward(dys, inputs, weight, bias)
        merged = nn.sync.merge_statistics([nn.sync.local_statistics(x) for x in inputs])
        found = {"output": np.concatenate(outputs)}
        found["grad input"] = np.concatenate([worker.input for worker in workers])
        found |= {"mean": merged.mean, "var": merged.var}
        if affine:
            found["grad weight"] = sum(worker.weight for worker in workers)
            found["grad bias"] = sum(worker.bias for worker in workers)
        return found

    return Case(name, theirs, ours)


def transform_case(shape: tuple, mean: list[float], std: list[float]) -> Case:
    name = f"Normalize({mean}, {std}) {shape}"
    image, dy = (make_input("normal", shape, rng(name, i)) for i in range(2))

    def theirs() -> Outcome:
        x = tensor(image, grad=True)
        constants = [torch.tensor(c, dtype=torch.float64).view(-1, 1, 1) for c in (mean, std)]
        y = x.clone().sub_(constants[0]).div_(constants[1])  # torchvision's arithmetic
        y.backward(tensor(dy))
        return {"output": y.detach(), "grad": x.grad}

    def ours(nn: ModuleType) -> Outcome:
        transform = nn.Normalize(mean, std)
        with untouched(image=image, grad_output=dy):
            return {"output": transform(image).copy(), "grad": transform.backward(dy)}

    return Case(name, theirs, ours)


def error_case(name: str, call: Callable[[Any, Callable[..., Any]], Any]) -> Case:
    """Make the same mistake on both sides: `call` takes the package and a maker of arrays."""

    def theirs() -> Outcome:
        def array(*shape: int, dtype: str = "float32") -> torch.Tensor:
            return torch.ones(shape, dtype=getattr(torch, dtype))

        call(torch.nn, array)
        return {}

    def ours(nn: ModuleType) -> Outcome:
        def array(*shape: int, dtype: str = "float32") -> np.ndarray:
            return np.ones(shape, dtype)

        call(nn, array)
        return {}

    return Case(f"error: {name}", theirs, ours)


def standardize_case(axes: tuple[int, ...], eps: float) -> Case:
    """Call the operation under all norms by itself, on axes that no norm chooses."""
    name = f"functional.standardize {axes} {eps}"

    def theirs(input: torch.Tensor) -> torch.Tensor:
        var = input.var(axes, correction=0, keepdim=True)
        return (input - input.mean(axes, keepdim=True)) / (var + eps).sqrt()

    return function_case(
        name,
        {"input": make_input("normal", (3, 4, 2), rng(name))},
        lambda nn, input: nn.functional.standardize(input, axes, eps).x_hat,
        lambda nn, dy, input: nn.functional.standardize_backward(
            dy, nn.functional.standardize(input, axes, eps)
        ),
        theirs,
    )


def initial_state_case(layer: str, *args: object, **kwargs: object) -> Case:
    """Compare a new layer's state, and what the resets make of another one."""

    def states(package: Any, float64: Any) -> Outcome:
        twin = getattr(package, layer)(*args, **kwargs)
        found = {f"new {k}": np.array(v) for k, v in twin.state_dict().items()}
        twin = getattr(package, layer)(*args, **kwargs, dtype=float64)
        for reset in ("reset_running_stats", "reset_parameters"):
            for value in twin.state_dict().values():
                value[...] = 3
            if hasattr(twin, reset):
                getattr(twin, reset)()
            found |= {f"{reset} {k}": np.array(v) for k, v in twin.state_dict().items()}
        return found | {"repr": np.array(repr(twin))}

    return Case(
        f"state {layer}{args}{kwargs}",
        lambda: states(torch.nn, torch.float64),
        lambda nn: states(nn, np.float64),
    )


def wrong_gradient_case(layer: str, *args: object, shape: tuple, wrong: tuple) -> Case:
    """Give backward a gradient of another shape."""

    def theirs() -> Outcome:
        x = torch.ones(shape, requires_grad=True)
        getattr(torch.nn, layer)(*args)(x).backward(torch.ones(wrong))
        return {}

    def ours(nn: ModuleType) -> Outcome:
        twin = getattr(nn, layer)(*args)
        twin(np.ones(shape, np.float32))
        twin.backward(np.ones(wrong, np.float32))
        return {}

    return Case(f"error: gradient {wrong} of {layer}", theirs, ours)


# --- the battery ------------------------------------------------------------------------------

TRACKED = (True, True, False)  # twice in training, then in evaluation
BATCH_SHAPES = {
    "BatchNorm1d": [(5, 3), (4, 3, 6)],
    "BatchNorm2d": [(3, 3, 4, 5)],
    "BatchNorm3d": [(2, 3, 3, 2, 4)],
}
INSTANCE_SHAPES = {
    "InstanceNorm1d": [(4, 3, 6), (3, 6)],
    "InstanceNorm2d": [(2, 3, 4, 5), (3, 4, 5)],
    "InstanceNorm3d": [(2, 3, 3, 2, 4), (3, 3, 2, 4)],
}
FEW = {
    "floor": 1.0,
    "reason": "of one or two values per statistic nothing is left to differentiate: the gradient "
    "is the difference of terms of size 1 or more, up to 1 / sqrt(eps)",
}
CONSTANT = {
    "tolerance": 1e-10,
    "floor": 1.0,
    "reason": "torch's x * scale + shift leaves rounding of size 7 / sqrt(eps); ours is exact",
}
OFFSET = {
    "tolerance": 1e-8,
    "reason": "an offset of 1e6 costs six of the sixteen digits, and torch's x * scale + shift "
    "some more",
}


def _batch_cases() -> Iterator[Case]:
    for layer, shapes in BATCH_SHAPES.items():
        for shape in shapes:
            yield layer_case(layer, 3, shape=shape, modes=TRACKED)
    base = {"layer": "BatchNorm2d", "shape": (3, 3, 4, 5), "modes": TRACKED}

    def batch(**changes: object) -> Case:
        options = base | changes
        return layer_case(options.pop("layer"), 3, **options)

    yield batch(momentum=None)
    yield batch(momentum=1.0)
    yield batch(momentum=0.0)
    yield batch(momentum=0.37, eps=1e-3)
    yield batch(eps=10.0)
    yield batch(eps=1e-3, kind="tiny")
    yield batch(affine=False)
    yield batch(bias=False)
    yield batch(track_running_stats=False)
    yield batch(affine=False, track_running_stats=False)
    yield batch(shape=(1, 3, 4, 5))
    yield batch(shape=(3, 3, 1, 1))
    yield batch(layer="BatchNorm1d", shape=(2, 3), **FEW)
    yield batch(layer="BatchNorm1d", shape=(1, 3, 2), **FEW)
    yield batch(layer="BatchNorm1d", shape=(1, 3), modes=(False,))
    yield batch(layer="BatchNorm1d", shape=(0, 3))
    yield batch(shape=(0, 3, 4, 5), momentum=None)
    yield batch(shape=(2, 3, 0, 5))
    yield batch(kind="constant", **CONSTANT)
    yield batch(kind="offset", **OFFSET)
    for kind in ("nan", "inf", *LAYOUTS):
        yield batch(kind=kind)
    yield batch(layer="BatchNorm1d", shape=(2, 3), kind="inf", **FEW)
    yield batch(layer="BatchNorm1d", shape=(4, 3), kind="inf")
    yield batch(modes=(False,), eps=1e-3)
    yield batch(shape=(3, 3, 210, 210))  # two slabs


def _instance_cases() -> Iterator[Case]:
    for layer, shapes in INSTANCE_SHAPES.items():
        for shape in shapes:
            yield layer_case(layer, 3, shape=shape, modes=(True, False))
            yield layer_case(
                layer, 3, shape=shape, modes=TRACKED, affine=True, track_running_stats=True
            )
    base = {"shape": (4, 3, 2, 3), "affine": True, "track_running_stats": True, "modes": TRACKED}

    def instance(**changes: object) -> Case:
        return layer_case("InstanceNorm2d", 3, **(base | changes))

    yield instance(momentum=None)
    yield instance(momentum=1.0, eps=1e-3)
    yield instance(affine=False)
    yield instance(bias=False)
    yield instance(eps=0.0)
    yield instance(eps=0.0, kind="zeros", modes=(True, True))
    yield instance(shape=(1, 3, 2, 1), **FEW)
    yield instance(shape=(2, 3, 0, 2))
    yield instance(shape=(0, 3, 2, 2))
    yield instance(shape=(0, 3, 2, 2), affine=False, modes=(True,))
    yield instance(kind="constant", **CONSTANT)
    yield instance(kind="offset", **OFFSET)
    for kind in ("nan", "inf", *LAYOUTS):
        yield instance(kind=kind)


def _group_cases() -> Iterator[Case]:
    for shape in [(4, 6), (3, 6, 5), (2, 6, 3, 4), (2, 6, 2, 3, 2), (1, 6, 2), (0, 6, 2)]:
        for groups in (1, 2, 3, 6):
            few = FEW if math.prod(shape[1:]) <= 2 * groups else {}
            yield layer_case("GroupNorm", groups, 6, shape=shape, modes=(True, False), **few)

    def group(**changes: object) -> Case:
        return layer_case("GroupNorm", 2, 6, **({"shape": (2, 6, 3, 4)} | changes))

    yield group(affine=False)
    yield group(bias=False)
    yield group(shape=(3, 6, 148, 148))  # two slabs
    yield group(eps=1e-3, kind="tiny")
    yield group(eps=0.0)
    yield group(eps=0.0, kind="zeros")
    yield group(kind="constant", **CONSTANT)
    yield group(kind="offset", **OFFSET)
    for kind in ("nan", "inf", *LAYOUTS):
        yield group(kind=kind)


def _layer_cases() -> Iterator[Case]:
    for layer in ("LayerNorm", "RMSNorm"):
        yield layer_case(layer, 5, shape=(5,))
        yield layer_case(layer, 5, shape=(4, 5), modes=(True, False))
        yield layer_case(layer, 5, shape=(2, 3, 5))
        yield layer_case(layer, (3, 5), shape=(2, 3, 5))
        yield layer_case(layer, [2, 3, 5], shape=(4, 2, 3, 5))
        yield layer_case(layer, (2, 3), shape=(2, 3))
        yield layer_case(layer, 1, shape=(4, 1), **FEW)
        yield layer_case(layer, 4, shape=(0, 4))
        yield layer_case(layer, 0, shape=(3, 0))
        yield layer_case(layer, 5, 1e-3, shape=(4, 5), kind="tiny")
        yield layer_case(layer, 5, 10.0, shape=(4, 5))
        yield layer_case(layer, 5, 0.0, shape=(4, 5))
        yield layer_case(layer, 5, 0.0, shape=(4, 5), kind="zeros")
        yield layer_case(layer, 5, shape=(4, 5), elementwise_affine=False)
        yield layer_case(layer, 5, shape=(4, 5), kind="constant")
        yield layer_case(layer, 5, shape=(4, 5), kind="zeros")
        yield layer_case(layer, 5, shape=(4, 5), kind="offset", **OFFSET)
        for kind in ("nan", "inf", *LAYOUTS):
            yield layer_case(layer, 5, shape=(4, 5), kind=kind)
    yield layer_case("LayerNorm", 5, shape=(4, 5), bias=False)


def _response_cases() -> Iterator[Case]:
    for size in (1, 2, 3, 4, 5, 9):
        yield layer_case("LocalResponseNorm", size, 0.7, 0.6, 1.3, shape=(2, 5, 4))
    for shape in [(2, 7, 3, 2), (1, 7, 2, 3, 2), (2, 1, 3), (0, 3, 4), (2, 3, 0), (2, 0, 4)]:
        yield layer_case("LocalResponseNorm", 3, alpha=0.5, beta=0.9, k=2.0, shape=shape)
    for kind in ("nan", "inf", "zeros", "constant", *LAYOUTS):
        yield layer_case("LocalResponseNorm", 2, shape=(2, 5, 3), kind=kind)


def _function_cases() -> Iterator[Case]:
    vectors = (("weight", 3), ("bias", 3))
    for chosen in (vectors, vectors[:1], vectors[1:], ()):
        yield norm_function_case(
            "batch_norm", None, None, shape=(4, 3, 5), vectors=chosen
        )._replace(name=f"functional.batch_norm, evaluation without statistics {chosen}")
        if chosen != vectors[1:]:  # with a bias alone, torch's own backward fails
            yield norm_function_case("group_norm", 3, shape=(2, 3, 5), vectors=chosen)
        yield norm_function_case("instance_norm", shape=(2, 3, 5), vectors=chosen)
        yield norm_function_case("layer_norm", (3,), shape=(2, 5, 3), vectors=chosen)
    yield norm_function_case("rms_norm", (3,), shape=(2, 5, 3), vectors=vectors[:1])
    yield norm_function_case("rms_norm", (5, 3), shape=(2, 5, 3))
    for training in (True, False):
        yield _batch_norm_function_case(training)
        yield _instance_norm_function_case(training)


def _batch_norm_function_case(training: bool) -> Case:
    generator = rng("batch_norm function", training)
    arrays = {"input": make_input("normal", (4, 3, 5), generator)}
    arrays |= {k: generator.uniform(0.5, 2, 3) for k in ("weight", "bias")}
    mean, var = generator.uniform(0.5, 2, (2, 3))

    def statistics() -> tuple[np.ndarray, np.ndarray]:
        return mean.copy(), var.copy()

    def backward(nn: ModuleType, dy: np.ndarray, input: np.ndarray, *parameters: Any) -> Any:
        with untouched(running_mean=mean, running_var=var):
            return nn.functional.batch_norm_backward(
                dy, input, mean, var, *parameters, training, 1e-3
            )

    return function_case(
        f"functional.batch_norm training={training}",
        arrays,
        lambda nn, input, weight, bias: nn.functional.batch_norm(
            input, *statistics(), weight, bias, training, 0.2, 1e-3
        ),
        backward,
        lambda input, weight, bias: torch.nn.functional.batch_norm(
            input, *map(tensor, statistics()), weight, bias, training, 0.2, 1e-3
        ),
    )


def _instance_norm_function_case(use_input_stats: bool) -> Case:
    generator = rng("instance_norm function", use_input_stats)
    arrays = {"input": make_input("normal", (4, 3, 5), generator)}
    arrays |= {k: generator.uniform(0.5, 2, 3) for k in ("weight", "bias")}
    mean, var = generator.uniform(0.5, 2, (2, 3))

    def backward(nn: ModuleType, dy: np.ndarray, input: np.ndarray, *parameters: Any) -> Any:
        with untouched(running_mean=mean, running_var=var):
            return nn.functional.instance_norm_backward(
                dy, input, mean, var, *parameters, use_input_stats, 1e-3
            )

    return function_case(
        f"functional.instance_norm use_input_stats={use_input_stats}",
        arrays,
        lambda nn, input, weight, bias: nn.functional.instance_norm(
            input, mean.copy(), var.copy(), weight, bias, use_input_stats, 0.2, 1e-3
        ),
        backward,
        lambda input, weight, bias: torch.nn.functional.instance_norm(
            input, tensor(mean), tensor(var), weight, bias, use_input_stats, 0.2, 1e-3
        ),
    )


HALF = {
    "tolerance": 4e-3,
    "floor": 1.0,
    "reason": "float16 has eleven bits; test_precision.py compares with float64",
}
SINGLE = {
    "tolerance": 4e-6,
    "floor": 1.0,
    "reason": "float32 has 24 bits; test_precision.py compares with float64",
}


def _dtype_cases() -> Iterator[Case]:
    for layer, args, shape in (
        ("BatchNorm2d", (3,), (4, 3, 2, 5)),
        ("InstanceNorm1d", (3,), (2, 3, 5)),
        ("GroupNorm", (2, 4), (2, 4, 5)),
        ("LayerNorm", (6,), (4, 6)),
        ("RMSNorm", (6,), (4, 6)),
        ("LocalResponseNorm", (3,), (2, 4, 3)),
    ):
        modes = TRACKED if layer.startswith("Batch") else (True,)
        options = {"affine": True} if layer.startswith("Instance") else {}
        common = {"shape": shape, "modes": modes} | options
        yield layer_case(layer, *args, dtype="float32", **common, **SINGLE)
        yield layer_case(layer, *args, dtype="float16", **common, **HALF)
        if layer != "LocalResponseNorm":
            mixed = {"dtype": "float32", "input_dtype": "float16"}
            yield layer_case(layer, *args, **mixed, **common, **HALF)
    yield layer_case("RMSNorm", 6, shape=(4, 6), kind="tiny", dtype="float16", **HALF)


def _other_cases() -> Iterator[Case]:
    for axes in ((1,), (0, 1), (0, 2), (0, 1, 2)):
        yield standardize_case(axes, 1e-3)
    for layer in (*BATCH_SHAPES, *INSTANCE_SHAPES):
        yield initial_state_case(layer, 3)
        yield initial_state_case(layer, 3, 1e-3, None, True, True, bias=False)
        yield initial_state_case(layer, 3, affine=False, track_running_stats=False)
    yield initial_state_case("GroupNorm", 2, 4)
    yield initial_state_case("GroupNorm", 2, 4, 1e-3, bias=False)
    yield initial_state_case("GroupNorm", 2, 4, affine=False)
    for layer in ("LayerNorm", "RMSNorm"):
        yield initial_state_case(layer, 3)
        yield initial_state_case(layer, [3, 2], 1e-3, True)
        yield initial_state_case(layer, 3, elementwise_affine=False)
    yield initial_state_case("LayerNorm", 3, bias=False)
    yield wrong_gradient_case("LayerNorm", 3, shape=(4, 3), wrong=(2, 3))
    yield wrong_gradient_case("BatchNorm1d", 3, shape=(4, 3), wrong=(4, 3, 1))
    yield wrong_gradient_case("LocalResponseNorm", 2, shape=(4, 3, 2), wrong=(4, 3))
    for p in (0, 0.5, 1, 1.5, 2, 3, float("inf"), float("-inf"), -1):
        yield normalize_case((3, 4), p)
        yield normalize_case((3, 4), p, kind="zeros")
    for dim in (0, -1, 2, (0, 1), (1, -1), (), None):
        yield normalize_case((3, 4, 2), dim=dim)
    yield normalize_case((3, 4), eps=3.0)
    yield normalize_case((3, 4), eps=0.0)
    yield normalize_case((3, 4), kind="tiny", eps=3e-4)
    yield normalize_case((5,), dim=0)
    yield normalize_case((), dim=0)
    yield normalize_case((0, 3))
    yield normalize_case((3, 0))
    yield normalize_case((3, 4), float("inf"), kind="constant")
    for kind in ("nan", "inf", *LAYOUTS):
        yield normalize_case((3, 4), kind=kind)
    for dim in (0, 1, 2, -1, -2, None):
        yield weight_norm_case((4, 3, 2), dim)
    yield weight_norm_case((5, 3))
    yield weight_standardization_case((4, 3, 2), 1e-3)
    yield weight_standardization_case((5, 5), 1e-8)
    for place in ("pre", "post", "sandwich", "out", "parallel"):
        yield block_case(place)
    for heads in (1, 2, 4):
        yield qk_norm_case(heads, 4)
    yield weight_norm_case((4,), **FEW)
    yield spectral_norm_case((4, 3))
    yield spectral_norm_case((4, 3, 2, 2), n_power_iterations=1)
    yield spectral_norm_case((3, 4, 2), dim=1)
    yield spectral_norm_case((3, 4, 2), dim=-1)
    yield spectral_norm_case((5,))
    yield sync_case((2, 3, 5), (3, 4))
    yield sync_case((2, 3, 5), (3, 4), affine=False)
    yield sync_case((1, 4), (3,))
    yield sync_case((3, 0, 2), (3, 2, 2))
    yield transform_case((3, 4, 5), [0.5, 0.4, 0.3], [0.2, 0.3, 0.4])
    yield transform_case((2, 3, 4, 5), [0.5, 0.4, 0.3], [0.2, 0.3, 0.4])
    yield transform_case((3, 4, 5), [0.5], [0.25])


def _shape_errors() -> Iterator[Case]:
    """Each line is a wrong call; the same text is what is asked for."""
    calls: dict[str, Callable[..., Any]] = {
        "one value per channel (1, C)": lambda nn, a: nn.BatchNorm1d(3)(a(1, 3)),
        "one value per channel (1, C, 1)": lambda nn, a: nn.BatchNorm1d(3)(a(1, 3, 1)),
        "one value per channel (1, C, 1, 1)": lambda nn, a: nn.BatchNorm2d(3)(a(1, 3, 1, 1)),
        "one value without statistics, evaluation": lambda nn, a: nn.BatchNorm1d(
            3, track_running_stats=False
        ).eval()(a(1, 3)),
        "BatchNorm1d rank 1": lambda nn, a: nn.BatchNorm1d(3)(a(3)),
        "BatchNorm1d rank 4": lambda nn, a: nn.BatchNorm1d(3)(a(2, 3, 4, 5)),
        "BatchNorm2d rank 3": lambda nn, a: nn.BatchNorm2d(3)(a(2, 3, 4)),
        "BatchNorm3d rank 4": lambda nn, a: nn.BatchNorm3d(3)(a(2, 3, 4, 5)),
        "BatchNorm wrong channels": lambda nn, a: nn.BatchNorm1d(3)(a(4, 5)),
        "BatchNorm wrong channels, evaluation": lambda nn, a: nn.BatchNorm1d(3).eval()(a(4, 5)),
        "BatchNorm wrong channels, weight only": lambda nn, a: nn.BatchNorm1d(
            3, track_running_stats=False
        )(a(4, 5)),
        "BatchNorm no channels": lambda nn, a: nn.BatchNorm1d(0)(a(4, 0)),
        "InstanceNorm1d rank 1": lambda nn, a: nn.InstanceNorm1d(3)(a(3)),
        "InstanceNorm1d rank 4": lambda nn, a: nn.InstanceNorm1d(3)(a(2, 3, 4, 5)),
        "InstanceNorm2d rank 2": lambda nn, a: nn.InstanceNorm2d(3)(a(3, 4)),
        "InstanceNorm3d rank 3": lambda nn, a: nn.InstanceNorm3d(3)(a(3, 4, 5)),
        "InstanceNorm one spatial value": lambda nn, a: nn.InstanceNorm2d(3)(a(2, 3, 1, 1)),
        "InstanceNorm one value, unbatched": lambda nn, a: nn.InstanceNorm1d(3)(a(3, 1)),
        "InstanceNorm one value, evaluation": lambda nn, a: nn.InstanceNorm1d(3).eval()(a(2, 3, 1)),
        "InstanceNorm wrong channels": lambda nn, a: nn.InstanceNorm1d(3, affine=True)(a(2, 5, 4)),
        "InstanceNorm wrong channels, unbatched": lambda nn, a: nn.InstanceNorm1d(3, affine=True)(
            a(5, 4)
        ),
        "InstanceNorm wrong channels, tracked": lambda nn, a: nn.InstanceNorm1d(
            3, track_running_stats=True
        )(a(2, 5, 4)),
        "GroupNorm indivisible": lambda nn, a: nn.GroupNorm(4, 6),
        "GroupNorm no groups": lambda nn, a: nn.GroupNorm(0, 6),
        "GroupNorm wrong channels": lambda nn, a: nn.GroupNorm(3, 6)(a(2, 9, 4)),
        "GroupNorm indivisible input": lambda nn, a: nn.GroupNorm(2, 6)(a(2, 9, 4)),
        "GroupNorm one value per group": lambda nn, a: nn.GroupNorm(6, 6)(a(1, 6)),
        "GroupNorm rank 1": lambda nn, a: nn.GroupNorm(1, 6)(a(6)),
        "LayerNorm wrong size": lambda nn, a: nn.LayerNorm(4)(a(2, 3)),
        "LayerNorm wrong rank": lambda nn, a: nn.LayerNorm((4, 5, 6))(a(5, 6)),
        "LayerNorm scalar": lambda nn, a: nn.LayerNorm(1)(a()),
        "LayerNorm empty shape": lambda nn, a: nn.LayerNorm(())(a(2, 3)),
        "RMSNorm wrong size": lambda nn, a: nn.RMSNorm(4)(a(2, 3)),
        "RMSNorm two sizes": lambda nn, a: nn.RMSNorm((4, 5))(a(2, 3)),
        "RMSNorm empty shape": lambda nn, a: nn.RMSNorm(())(a(2, 3)),
        "LocalResponseNorm rank 2": lambda nn, a: nn.LocalResponseNorm(2)(a(2, 3)),
        "LocalResponseNorm no window": lambda nn, a: nn.LocalResponseNorm(0)(a(2, 3, 4)),
        "LocalResponseNorm no window, images": lambda nn, a: nn.LocalResponseNorm(0)(a(2, 3, 4, 4)),
        "negative features": lambda nn, a: nn.BatchNorm1d(-1),
        "fractional features": lambda nn, a: nn.BatchNorm1d(3.0),
        "negative shape": lambda nn, a: nn.LayerNorm((2, -1)),
        "fractional shape": lambda nn, a: nn.LayerNorm([3.0]),
        "train(1)": lambda nn, a: nn.LayerNorm(3).train(1),
        "no dict": lambda nn, a: nn.BatchNorm1d(3).load_state_dict([1]),
    }
    yield from (error_case(name, call) for name, call in calls.items())


def _functional_errors() -> Iterator[Case]:
    calls: dict[str, Callable[..., Any]] = {
        "batch_norm no statistics": lambda f, a: f.batch_norm(a(4, 3), None, None),
        "batch_norm mean only": lambda f, a: f.batch_norm(a(4, 3), a(3), None),
        "batch_norm variance only": lambda f, a: f.batch_norm(a(4, 3), None, a(3)),
        "batch_norm mean only, training": lambda f, a: f.batch_norm(
            a(4, 3), a(3), None, training=True
        ),
        "batch_norm long mean": lambda f, a: f.batch_norm(a(4, 3), a(4), a(3), a(5), a(6)),
        "batch_norm long variance": lambda f, a: f.batch_norm(a(4, 3), a(3), a(4), a(5), a(6)),
        "batch_norm long weight": lambda f, a: f.batch_norm(a(4, 3), a(3), a(3), a(5), a(6)),
        "batch_norm long bias": lambda f, a: f.batch_norm(a(4, 3), a(3), a(3), None, a(6)),
        "batch_norm rank 1": lambda f, a: f.batch_norm(a(3), None, None, training=True),
        "batch_norm eps 0": lambda f, a: f.batch_norm(a(4, 3), a(3), a(3), training=True, eps=0),
        "batch_norm eps < 0": lambda f, a: f.batch_norm(a(4, 3), a(3), a(3), eps=-1.0),
        "batch_norm int64": lambda f, a: f.batch_norm(a(4, 3, dtype="int64"), a(3), a(3)),
        "batch_norm bool": lambda f, a: f.batch_norm(a(4, 3, dtype="bool"), a(3), a(3)),
        "batch_norm complex": lambda f, a: f.batch_norm(a(4, 3, dtype="complex64"), a(3), a(3)),
        "batch_norm float64": lambda f, a: f.batch_norm(a(4, 3, dtype="float64"), a(3), a(3)),
        "instance_norm one value": lambda f, a: f.instance_norm(a(2, 3)),
        "instance_norm no statistics": lambda f, a: f.instance_norm(
            a(2, 3, 4), use_input_stats=False
        ),
        "instance_norm mean only": lambda f, a: f.instance_norm(a(2, 3, 4), a(3)),
        "instance_norm long mean": lambda f, a: f.instance_norm(a(2, 3, 4), a(4), a(4)),
        "instance_norm long weight": lambda f, a: f.instance_norm(a(2, 3, 4), weight=a(4)),
        "instance_norm empty batch": lambda f, a: f.instance_norm(a(0, 3, 4), weight=a(3)),
        "instance_norm int32": lambda f, a: f.instance_norm(a(2, 3, 4, dtype="int32")),
        "group_norm rank 1": lambda f, a: f.group_norm(a(3), 1),
        "group_norm no groups": lambda f, a: f.group_norm(a(2, 6, 3), 0),
        "group_norm groups < 0": lambda f, a: f.group_norm(a(2, 6, 3), -1),
        "group_norm fractional": lambda f, a: f.group_norm(a(2, 6, 3), 1.5),
        "group_norm bool": lambda f, a: f.group_norm(a(2, 6, 3), True),
        "group_norm indivisible": lambda f, a: f.group_norm(a(2, 6, 3), 4),
        "group_norm one value": lambda f, a: f.group_norm(a(1, 6), 4),
        "group_norm weight shape": lambda f, a: f.group_norm(a(2, 6, 3), 3, a(1, 6)),
        "group_norm bias shape": lambda f, a: f.group_norm(a(2, 6, 3), 3, a(6), a(3)),
        "group_norm int64": lambda f, a: f.group_norm(a(2, 6, 3, dtype="int64"), 3),
        "group_norm float64": lambda f, a: f.group_norm(a(2, 6, 3, dtype="float64"), 3, a(6)),
        "layer_norm int shape": lambda f, a: f.layer_norm(a(2, 3), 3),
        "layer_norm fractional shape": lambda f, a: f.layer_norm(a(2, 3), (3.0,)),
        "layer_norm weight shape": lambda f, a: f.layer_norm(a(2, 3), (3,), a(2)),
        "layer_norm bias shape": lambda f, a: f.layer_norm(a(2, 3), (3,), a(3), a(1, 3)),
        "layer_norm int16": lambda f, a: f.layer_norm(a(2, 3, dtype="int16"), (3,)),
        "layer_norm int64, weight": lambda f, a: f.layer_norm(a(2, 3, dtype="int64"), (3,), a(3)),
        "layer_norm float64": lambda f, a: f.layer_norm(a(2, 3, dtype="float64"), (3,), a(3)),
        "rms_norm int shape": lambda f, a: f.rms_norm(a(2, 3), 3),
        "rms_norm weight shape": lambda f, a: f.rms_norm(a(2, 3), (3,), a(2)),
        "rms_norm scalar": lambda f, a: f.rms_norm(a(), (1,)),
        "rms_norm uint8": lambda f, a: f.rms_norm(a(2, 3, dtype="uint8"), (3,)),
        "local_response_norm bool": lambda f, a: f.local_response_norm(a(2, 3, 4, dtype="bool"), 2),
        "local_response_norm float16": lambda f, a: f.local_response_norm(
            a(2, 3, 4, 4, dtype="float16"), 2
        ),
        "normalize vector": lambda f, a: f.normalize(a(3)),
        "normalize axis -3": lambda f, a: f.normalize(a(2, 3), dim=-3),
        "normalize axis 5": lambda f, a: f.normalize(a(2, 3, 4), dim=(0, 5)),
        "normalize twice": lambda f, a: f.normalize(a(2, 3), dim=(0, -2)),
        "normalize int64": lambda f, a: f.normalize(a(2, 3, dtype="int64")),
        "normalize empty, inf": lambda f, a: f.normalize(a(3, 0), p=float("inf")),
        "normalize empty, -1": lambda f, a: f.normalize(a(3, 0), p=-1),
    }
    for name, call in calls.items():
        yield error_case(name, lambda nn, a, call=call: call(nn.functional, a))


def _dtype_errors() -> Iterator[Case]:
    """Every mixture of three dtypes, some allowed and most not."""
    dtypes = ("float16", "float32", "float64")
    for x, weight, rest in itertools.product(dtypes, dtypes, (None, *dtypes)):

        def mixed(nn: Any, a: Any, name: str, x: str = x, weight: str = weight, rest=rest) -> Any:
            other = None if rest is None else a(3, dtype=rest)
            w, array = a(3, dtype=weight), a(2, 3, 3, dtype=x)
            calls = {
                "batch": lambda f: f.batch_norm(array, other, other, w, other, training=True),
                "instance": lambda f: f.instance_norm(array, other, other, w, None),
                "group": lambda f: f.group_norm(array, 3, w, other),
                "layer": lambda f: f.layer_norm(array, (3,), w, other),
                "rms": lambda f: f.rms_norm(array, (3,), w),
            }
            return calls[name](nn.functional)

        for norm in ("batch", "instance", "group", "layer", "rms"):
            name = f"dtypes {norm} {x} {weight} {rest}"
            yield error_case(name, functools.partial(mixed, name=norm))


ERRORS = [*_shape_errors(), *_functional_errors(), *_dtype_errors()]


def _told_cases() -> Iterator[Case]:
    """Norms that are told their scale and shift, as torch's functions would write them."""
    torch_f = torch.nn.functional

    def film(input: torch.Tensor, gamma: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
        lined_up = (*gamma.shape, *(1,) * (input.ndim - 2))
        return gamma.view(lined_up) * input + beta.view(lined_up)

    def ada(input: torch.Tensor, condition: Any, weight: Any, bias: Any) -> torch.Tensor:
        told = torch_f.linear(condition, weight, bias)
        shift, scale = told.view(len(input), *(1,) * (input.ndim - 2), -1).chunk(2, dim=-1)
        return torch_f.layer_norm(input, input.shape[-1:], eps=0.1) * (1 + scale) + shift

    for shape in ((4, 3), (2, 3, 5), (3, 3, 2, 4)):  # 3 and 3: an axis too early would not raise
        generator = rng("film", shape)
        arrays = {"input": generator.normal(size=shape)}
        arrays |= {k: generator.normal(size=shape[:2]) for k in ("gamma", "beta")}
        yield function_case(
            f"conditional.film {shape}",
            arrays,
            lambda nn, **a: nn.conditional.film(**a),
            lambda nn, *a: nn.conditional.film_backward(*a),
            film,
        )
    for shape in ((4, 3), (5, 5, 5), (2, 3, 4, 5)):
        generator = rng("ada_layer_norm", shape)
        samples, features, known = shape[0], shape[-1], 3
        arrays = {
            "input": generator.normal(2, 1, size=shape),
            "condition": generator.normal(size=(samples, known)),
            "weight": generator.normal(size=(2 * features, known)),
            "bias": generator.normal(size=2 * features),
        }
        yield function_case(
            f"conditional.ada_layer_norm {shape}",
            arrays,
            lambda nn, **a: nn.conditional.ada_layer_norm(**a, eps=0.1),
            lambda nn, *a: nn.conditional.ada_layer_norm_backward(*a, eps=0.1),
            ada,
        )


def cases() -> list[Case]:
    """Return the battery."""
    groups = (
        _batch_cases(),
        _instance_cases(),
        _group_cases(),
        _layer_cases(),
        _response_cases(),
        _dtype_cases(),
        _function_cases(),
        _told_cases(),
        _other_cases(),
    )
    right = [case for group in groups for case in group]
    if not NORMS_TAKE_BIAS:
        right = [case for case in right if "'bias'" not in case.name or "Layer" in case.name]
    return [*right, *(ERRORS if TEXTS_ARE_KNOWN else [])]


CASES = cases()
