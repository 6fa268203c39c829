"""Where norms may be that no look at the registered layers shows."""

import dis
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType, ModuleType

from torch import Tensor, nn
from torch.fx import GraphModule
from torch.jit import ScriptModule

from normlab.checkup.norms import EPS, Known
from normlab.checkup.probe import vectors_alone

_SMALL = 4  # modules in a norm of one's own, itself among them; more are a network of that name
_METHODS = frozenset(("rsqrt", "var", "std"))
_NORMALIZE = _METHODS.union(
    ("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", "var_mean", "std_mean")
)
# Where no layers are looked for: values of these types, and objects of these libraries.
_ATOMS = str | bytes | Tensor | type | FunctionType | ModuleType
_CLOSED = ("torch", "builtins", "logging", "threading")
# What nn.Module itself keeps in dictionaries.
_OWN = frozenset(vars(nn.Module()))


def from_torch(module: nn.Module) -> bool:
    """Tell whether a layer's class is torch's own."""
    return type(module).__module__.split(".")[0] == "torch"


def named_norm(module: nn.Module) -> bool:
    """Tell whether a layer calls itself a norm, or has a weight and an eps as norms have."""
    if from_torch(module) or sum(1 for _ in module.modules()) > _SMALL:
        return False
    eps = any(hasattr(module, name) for name in EPS)
    weights = any(True for _ in module.parameters()) and vectors_alone(module)
    return "norm" in type(module).__name__.lower() or (eps and weights)


def count(modules: Iterable[nn.Module]) -> str:
    """List classes, each with how often it occurs: ``LlamaRMSNorm ×5, GRN ×1``."""
    names = Counter(getattr(m, "original_name", type(m).__name__) for m in modules)
    return ", ".join(f"{name} ×{number}" for name, number in names.items())


# ---- layers that no module knows


def hidden(model: nn.Module) -> Iterator[tuple[str, object, list[nn.Module]]]:
    """Yield attributes that hold layers of which the model knows nothing.

    Of each its name, what it is, and the layers found in it, however deep.
    """
    registered = set(model.modules())
    for path, module in model.named_modules():
        for attribute, value in list(vars(module).items()):
            if attribute in _OWN or isinstance(module, ScriptModule):
                continue
            found = [held for held in _held(value) if model not in set(held.modules())]
            layers = [layer for held in found for layer in held.modules()]
            layers = [layer for layer in dict.fromkeys(layers) if layer not in registered]
            if layers:
                yield f"{path}.{attribute}" if path else attribute, value, layers


def _held(value: object) -> Iterator[nn.Module]:
    """Yield the modules in containers and plain objects, in whatever they contain, and so on."""
    seen: set[int] = set()
    left = [value]
    while left:
        one = left.pop()
        if id(one) in seen or isinstance(one, _ATOMS):
            continue
        seen.add(id(one))
        if isinstance(one, nn.Module):
            yield one
        elif isinstance(one, dict):
            left += one.values()
        elif isinstance(one, Iterable) and hasattr(type(one), "__len__"):
            left += list(one)
        elif type(one).__module__.split(".")[0] not in _CLOSED:
            slots = (getattr(one, name, None) for name in getattr(type(one), "__slots__", ()))
            left += [*getattr(one, "__dict__", {}).values(), *slots]


# ---- norms that are no layers


def by_hand(module: nn.Module) -> set[str]:
    """Return the names of what normalizes that a layer's own methods, or its graph, call."""
    if isinstance(module, GraphModule):
        targets = (getattr(node.target, "__name__", node.target) for node in module.graph.nodes)
        return {name for target in targets if (name := str(target).split(".")[0]) in _NORMALIZE}
    if from_torch(module) or isinstance(module, Known | ScriptModule):
        return set()
    methods = {
        value
        for base in type(module).__mro__
        if base.__module__.split(".")[0] not in ("torch", "builtins")
        for name, value in vars(base).items()
        if isinstance(value, FunctionType) and "init" not in name
    }
    return set().union(*(_called(method, set()) for method in methods))


def _called(function: FunctionType, seen: set[CodeType]) -> set[str]:
    """Return what normalizes among the calls of a function, and of those that it calls."""
    module = (function.__module__ or "").split(".")[0]
    if function.__code__ in seen or module == "torch":
        return set()
    seen.add(function.__code__)
    names = set()
    before = None
    for instruction in dis.get_instructions(function):
        name = instruction.argval
        if instruction.opname == "LOAD_GLOBAL":
            value = function.__globals__.get(name)
            if isinstance(value, FunctionType):
                names |= _called(value, seen)
            if name in _NORMALIZE and callable(value):
                names.add(name)
        elif name in _NORMALIZE and _is_call(instruction, before):
            names.add(name)
        before = instruction
    return names


def _is_call(instruction: dis.Instruction, before: dis.Instruction | None) -> bool:
    """Tell a function of torch, or a tensor's method, from an attribute of that name.

    So ``F.layer_norm``, ``torch.var`` and ``x.std()`` count; ``self.std`` and
    ``self.layer_norm(x)`` do not.
    """
    of_module = before is not None and (
        before.opname in ("LOAD_GLOBAL", "LOAD_DEREF") or before.argval == "functional"
    )
    if of_module or instruction.argval not in _METHODS:
        return of_module
    method = instruction.opname == "LOAD_METHOD" or (
        sys.version_info >= (3, 12) and bool((instruction.arg or 0) & 1)
    )
    return method and before is not None and before.argval != "self"
