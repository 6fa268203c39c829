"""Lesson 09: LayerNorm and RMSNorm, as they are and through ``torch.compile``."""

import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from normlab.training.experiment import Experiment, Row, grid

ROWS, FEATURES = 2048, 768
LAYERS = {"LayerNorm": nn.LayerNorm, "RMSNorm": nn.RMSNorm}
NO_WORK = {"detach", "expand", "view"}  # look at the same numbers in another way
REPEATS = 100  # the quickest counts: whatever else a machine does can only slow a run down


class Counting(TorchDispatchMode):
    """Write down the name of every operation that torch carries out in the block."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(
        self, operation: OpOverload, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        """Note the operation, and carry it out."""
        self.names.append(operation.overloadpacket.__name__)
        return operation(*args, **(kwargs or {}))


def there_and_back(layer: nn.Module, x: Tensor, dy: Tensor) -> None:
    """Compute the layer's output, and the gradients."""
    layer(x).backward(dy)


def operations(layer: nn.Module, x: Tensor) -> tuple[list[str], list[str]]:
    """Return what a layer does to ``x`` on the way there, and on the way back."""
    with Counting() as there:
        y = layer(x)
    with Counting() as back:
        y.backward(torch.ones_like(y))
    parts = there.names, back.names[1:]  # the first on the way back is ones_like
    forward, backward = ([name for name in part if name not in NO_WORK] for part in parts)
    return forward, backward


def quickest(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Call each in turn, many times, and return the quickest of each in milliseconds."""
    found = dict.fromkeys(calls, float("inf"))
    for call in calls.values():
        call()  # compiles, fills caches
    for _ in range(REPEATS):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            found[name] = min(found[name], 1000 * (time.perf_counter() - start))
    return found


def measure(dtype: str, how: str, seed: int) -> list[Row]:
    """Time both layers on 2,048 rows of 768 features, one after the other in turn."""
    torch.manual_seed(seed)
    x = torch.randn(ROWS, FEATURES, dtype=getattr(torch, dtype), requires_grad=True)
    layers = {name: make(FEATURES, dtype=x.dtype) for name, make in LAYERS.items()}
    counts = {name: [len(part) for part in operations(net, x)] for name, net in layers.items()}
    if how == "compiled":
        layers = {name: torch.compile(layer) for name, layer in layers.items()}
    dy = torch.ones_like(x)
    calls: dict[str, Callable[[], object]] = {}
    for name, layer in layers.items():
        calls[f"{name} forward"] = partial(layer, x)
        calls[f"{name} both"] = partial(there_and_back, layer, x, dy)
    found = quickest(calls)
    return [
        {
            "layer": name,
            "operations_forward": counts[name][0],  # before any compiling
            "operations_backward": counts[name][1],
            "forward_ms": found[f"{name} forward"],
            "both_ms": found[f"{name} both"],
        }
        for name in LAYERS
    ]


EXPERIMENT = Experiment(
    question="Why is RMSNorm slower than LayerNorm here, and what does torch.compile change?",
    measure=measure,
    settings=grid(measure, dtype=("float32", "bfloat16"), how=("eager", "compiled"), seed=[0]),
    timings=frozenset({"forward_ms", "both_ms"}),
    # The other runs need a C++ compiler, as torch.compile does.
    repeatable={"dtype": "float32", "how": "eager", "seed": 0},
)
