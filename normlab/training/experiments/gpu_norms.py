"""Lesson 14: how fast the norms are on an accelerator, and whether they agree with the CPU.

Needs an accelerator: `normlab experiment gpu_norms` says so where torch finds none, and writes
nothing. The record holds the card's name in every row.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name everyone knows it by

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row, grid
from normlab.training.fit import fit, pick_device
from normlab.training.network import article_net

TOKENS, IMAGES = (8192, 4096), (128, 256, 32, 32)  # 33.5 million numbers each
FEW_TOKENS, FEW_IMAGES = (64, 256), (8, 64, 8, 8)  # to compare with float64 on the CPU
WAYS = ("eager", "compiled", "by hand", "by hand, compiled")
DTYPES = ("float32", "bfloat16")
GROUPS, EPS = 32, 1e-5
# A norm has to read x and write y; then to read x and dy and write dx.
_PASSES_FORWARD, _PASSES_IN_ALL = 2, 5

Call = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class _Norm:
    """A norm of x with weight and bias: as torch has it, and by hand; `axis` is the weights'."""

    torchs: Call
    by_hand: Call
    axis: int

    def shape(self, few: bool) -> tuple[int, ...]:
        if self.axis == -1:
            return FEW_TOKENS if few else TOKENS
        return FEW_IMAGES if few else IMAGES


def _standardized(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    var, mean = torch.var_mean(
        x.float() if x.dtype == torch.bfloat16 else x, axes, False, keepdim=True
    )
    return ((x - mean) * torch.rsqrt(var + EPS)).to(x.dtype)


def _along(parameter: Tensor) -> Tensor:
    return parameter[:, None, None]  # (C, 1, 1)


def _rms_by_hand(x: Tensor, weight: Tensor, _bias: Tensor) -> Tensor:
    wide = x.float() if x.dtype == torch.bfloat16 else x
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + EPS)).to(x.dtype) * weight


def _group_by_hand(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    blocks = x.reshape(len(x), GROUPS, -1)
    return _standardized(blocks, (2,)).reshape(x.shape) * _along(weight) + _along(bias)


NORMS = {
    "layer": _Norm(
        lambda x, w, b: F.layer_norm(x, x.shape[-1:], w, b, EPS),
        lambda x, w, b: _standardized(x, (-1,)) * w + b,
        -1,
    ),
    "rms": _Norm(lambda x, w, b: F.rms_norm(x, x.shape[-1:], w, EPS), _rms_by_hand, -1),
    "batch": _Norm(
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True, eps=EPS),
        lambda x, w, b: _standardized(x, (0, 2, 3)) * _along(w) + _along(b),
        1,
    ),
    "instance": _Norm(
        lambda x, w, b: F.instance_norm(x, weight=w, bias=b, eps=EPS),
        lambda x, w, b: _standardized(x, (2, 3)) * _along(w) + _along(b),
        1,
    ),
    "group": _Norm(lambda x, w, b: F.group_norm(x, GROUPS, w, b, EPS), _group_by_hand, 1),
}


def measure(
    what: str,
    way: str,
    dtype: str,
    seed: int,
    *,
    device: str | torch.device | None = None,
    few: bool = False,
) -> list[Row]:
    """Measure one norm of `NORMS` in one way, or, for ``"fit"``, compare a training.

    On the accelerator; `device` and `few` are for tests: another, and shapes that take no time.
    """
    device = pick_device(device)
    if what == "fit":
        return [_row(device, difference=_apart_after_training(device, seed))]
    norm = NORMS[what]
    call = norm.by_hand if way.startswith("by hand") else norm.torchs
    if way.endswith("compiled"):
        torch.compiler.reset()
        call = torch.compile(call, dynamic=False)
    difference = _apart_from_float64(norm, call, dtype, device, seed)
    x, weight, bias, dy = _tensors(norm, norm.shape(few), dtype, device, seed)
    forward = _milliseconds(lambda: call(x.detach(), weight.detach(), bias.detach()), device)
    both = _milliseconds(lambda: _gradients(call, x, weight, bias, dy), device)
    pass_ms = _milliseconds_of_one_pass(x)
    return [
        _row(
            device,
            difference=difference,
            forward_ms=forward,
            both_ms=both,
            forward_share=_PASSES_FORWARD * pass_ms / forward,
            both_share=_PASSES_IN_ALL * pass_ms / both,
            copied_gb_per_s=x.nbytes / pass_ms / 1e6,
        )
    ]


def _row(device: torch.device, **measured: float) -> Row:
    columns = ("forward_ms", "both_ms", "forward_share", "both_share", "copied_gb_per_s")
    row: Row = {"card": card_name(device)}
    row |= {name: measured.get(name, math.nan) for name in (*columns, "difference")}
    return row


def card_name(device: torch.device) -> str:
    """Return what the card calls itself, where torch can ask it; else the kind of device."""
    ask = getattr(getattr(torch, device.type, None), "get_device_name", None)
    return str(ask(device)) if ask else device.type


def _tensors(
    norm: _Norm, shape: tuple[int, ...], dtype: str, device: torch.device, seed: int
) -> tuple[Tensor, ...]:
    """Draw x, weight, bias and dy on the CPU, so that every device gets the same numbers."""
    generator = torch.Generator().manual_seed(seed)
    size = shape[norm.axis :][:1]  # of weight and bias
    drawn = [torch.randn(each, generator=generator) for each in (shape, size, size, shape)]
    moved = [each.to(device, getattr(torch, dtype)) for each in drawn]
    for each in moved[:3]:
        each.requires_grad_()
    return tuple(moved)


def _gradients(call: Call, x: Tensor, weight: Tensor, bias: Tensor, dy: Tensor) -> tuple:
    y = call(x, weight, bias)
    return y, *torch.autograd.grad(y, (x, weight, bias), dy, allow_unused=True)


def _apart_from_float64(
    norm: _Norm, call: Call, dtype: str, device: torch.device, seed: int
) -> float:
    """Return how far output and gradients are from float64 on the CPU: the largest, relative."""
    tensors = _tensors(norm, norm.shape(few=True), dtype, device, seed)
    wide = [each.detach().cpu().double().requires_grad_() for each in tensors]
    pairs = zip(_gradients(call, *tensors), _gradients(norm.by_hand, *wide), strict=True)
    return max(
        ((ours.cpu().double() - right).abs().max() / right.abs().max()).item()
        for ours, right in pairs
        if right is not None
    )


def _apart_after_training(device: torch.device, seed: int) -> float:
    """Train on both; return the difference of the test losses, relative to the CPU's.

    One batch holds the whole set, since each device shuffles in its own order.
    """
    dataset = load_mnist().first(640, 1000)
    train = partial(fit, epochs=5, batch_size=640, lr=0.1, progress=False)
    losses = []
    for one in (device, "cpu"):
        network = article_net("batch", seed)
        run = train(network, dataset, seed=seed, device=one)
        losses.append(run.final.test_loss)
    there, here = losses
    return abs(there - here) / here


def _milliseconds(call: Callable[[], object], device: torch.device) -> float:
    """Return the shortest of ten times, each of five calls, for one call."""
    for _ in range(3):
        call()
    best = math.inf
    for _ in range(10):
        _wait(device)
        start = time.perf_counter()
        for _ in range(5):
            call()
        _wait(device)
        best = min(best, time.perf_counter() - start)
    return 1000 * best / 5


def _milliseconds_of_one_pass(x: Tensor) -> float:
    """Return how long the card needs to read or write x once: half of a copy."""
    source, target = x.detach(), torch.empty_like(x)
    return _milliseconds(lambda: target.copy_(source), x.device) / 2


def _wait(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


EXPERIMENT = Experiment(
    question="How near does each norm come to an accelerator's bandwidth, and does it agree?",
    measure=measure,
    settings=[
        *grid(measure, what=NORMS, way=WAYS, dtype=DTYPES, seed=[0]),
        *grid(measure, what=["fit"], way=["eager"], dtype=["float32"], seed=range(5)),
    ],
    timings=frozenset(
        {"forward_ms", "both_ms", "forward_share", "both_share", "copied_gb_per_s", "card"}
    ),
    tolerances={"difference": 0.05},
    needs_accelerator=True,
)
