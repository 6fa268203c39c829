"""torch as the oracle: the same call on both sides, and every array of it compared.

A `Case` names a call and holds it twice, for torch and for a package like `normlab.nn`; each
side returns its arrays by name, or the error that it raised. `torch_battery` has the cases.
"""

import contextlib
import functools
import warnings
import zlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from hypothesis import HealthCheck, settings
from releases import as_it_shows, in_the_words_of_2_13

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
        return found | {"repr": np.array(as_it_shows(repr(twin)))}

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
