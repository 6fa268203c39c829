"""Recognize a norm by what it does: feed a copy of the layer, and see what comes out.

A norm is ``weight * x_hat + bias``, where `x_hat` is the input minus a mean, divided by the root
of a mean square (or only divided). So for each choice of axes that a mean may be taken over,
`x_hat` is known, and weight and bias are what fits best. Where the fit leaves nothing, that is the
norm.
"""

import copy
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from normlab.checkup.norms import EPS, NormLayer

_SAMPLES = 8  # of a batch that is fed
_LARGE = 100.0  # the size of what is fed, beside which no eps counts
_MISFIT = 0.01  # of the spread of the output: bfloat16 is as coarse
# What torch calls a norm over these numbers, with the mean subtracted and without.
_LIKE = {
    "batch": ("BatchNorm", "BatchNorm without the mean"),
    "instance": ("InstanceNorm", "InstanceNorm without the mean"),
    "group": ("GroupNorm", "GroupNorm without the mean"),
    "sample": ("GroupNorm with one group", "an RMSNorm of the whole sample"),
    "channels": ("LayerNorm over the channels", "RMSNorm over the channels"),
    "last": ("LayerNorm", "RMSNorm"),
    "nothing": ("a BatchNorm that is frozen", ""),
}


@dataclass(frozen=True)
class _Way:
    """A way to normalize: the axes of a mean, of an input in so many groups."""

    over: str
    axes: tuple[int, ...]
    centred: bool = True
    groups: int = 1

    def x_hat(self, x: Tensor) -> Tensor:
        """Normalize x (N, C, *)."""
        if self.over == "nothing":
            return x
        parts = x if self.groups == 1 else x.unflatten(1, (self.groups, -1))  # (N, G, C/G, *)
        if self.centred:
            parts = parts - parts.mean(self.axes, keepdim=True)
        return (parts / parts.square().mean(self.axes, keepdim=True).sqrt()).reshape(x.shape)


def recognize(module: nn.Module, *, frozen: bool = False) -> NormLayer | None:
    """Describe a layer that normalizes, whatever its class; None if it does not, or not so.

    Only copies of it are run. With `frozen` a layer that only scales and shifts, and learns
    neither, counts: one that is called a norm.
    """
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            fresh, real = _copy(module), _copy(module)
            for parameter in fresh.parameters():  # a weight of 0 would hide what it multiplies
                parameter.uniform_(0.5, 1.5, generator=torch.Generator().manual_seed(0))
            for shape in _shapes(fresh):
                batches = _batch(shape, 1.0), _batch(shape, 3.0)
                way = _way(fresh, batches, frozen and not list(fresh.parameters()))
                if way is not None:
                    return _norm(module, real, way, batches)
    except Exception:  # whatever a layer does on a foreign input, it is then not recognized
        return None
    return None


def _copy(module: nn.Module) -> nn.Module:
    """Copy a layer, without its hooks, in float64 and training mode, and without NaN."""
    copied = copy.deepcopy(module).cpu().double().train()
    for one in copied.modules():
        one._forward_hooks.clear()
        one._forward_pre_hooks.clear()
    for tensor in _tensors(copied).values():
        if tensor.is_floating_point():
            tensor[~tensor.isfinite()] = 1.0
    return copied


def _shapes(module: nn.Module) -> Iterator[tuple[int, ...]]:
    """Yield shapes of a batch that the layer may take."""
    tensors = [tensor for tensor in _tensors(module).values() if tensor.is_floating_point()]
    long = [tensor.numel() for tensor in tensors if tensor.numel() == max(tensor.shape, default=0)]
    attributes = [
        one
        for value in vars(module).values()
        for one in (value if isinstance(value, tuple | list) else [value])
    ]
    numbers = [value for value in attributes if type(value) is int and 1 < value < 4097]
    for size in list(dict.fromkeys([*long, *numbers, 8]))[:4]:
        other = 5 if size != 5 else 7
        if size in long:  # with the sizes of its parameters a layer leaves no doubt
            yield _SAMPLES, size
        for rest in ((other, size), (size,), (size, other), (size, 4, 3), (size, 2, 3, 2)):
            yield _SAMPLES, *rest
    for tensor in tensors:
        if tensor.dim() > 1:  # a LayerNorm over several axes
            yield _SAMPLES, *tensor.shape


def _batch(shape: tuple[int, ...], scale: float) -> Tensor:
    """Make a batch in which samples, channels and last axes all differ in size and place."""
    generator = torch.Generator().manual_seed(int(scale))
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    for axis in {0, 1, len(shape) - 1}:
        sizes = [size if axis == i else 1 for i, size in enumerate(shape)]
        x = x * (0.5 + torch.rand(sizes, generator=generator, dtype=torch.float64))
        x = x + torch.randn(sizes, generator=generator, dtype=torch.float64)
    return _LARGE * scale * x


def _ways(x: Tensor, frozen: bool) -> Iterator[_Way]:
    behind = tuple(range(2, x.dim()))
    for centred in (True, False):
        yield _Way("last", (x.dim() - 1,), centred)
        if behind:
            yield _Way("channels", (1,), centred)
            yield _Way("instance", behind, centred)
        yield _Way("sample", (1, *behind), centred)
        yield _Way("batch", (0, *behind), centred)
        for groups in range(2, min(x.shape[1], 65)):
            if x.shape[1] % groups == 0:
                yield _Way("group", tuple(range(2, x.dim() + 1)), centred, groups)
    if frozen:
        yield _Way("nothing", ())


def _way(module: nn.Module, batches: Sequence[Tensor], frozen: bool) -> _Way | None:
    """Return the way in which a layer normalizes both batches, with one weight and one bias."""
    try:
        outputs = [_output(module, x) for x in batches]
    except Exception:  # another shape, then
        return None
    return next((way for way in _ways(batches[0], frozen) if _fit(way, batches, outputs)), None)


def _output(module: nn.Module, x: Tensor) -> Tensor:
    y = module(x.clone()).double()
    if y.shape != x.shape:
        raise ValueError("the shape is another")
    return y


def _fit(way: _Way, batches: Iterable[Tensor], outputs: list[Tensor]) -> tuple | None:
    """Return weight and bias, in a sample's shape, if the outputs are ``weight * x_hat + bias``."""
    x_hat, y = torch.cat([way.x_hat(x) for x in batches]), torch.cat(outputs)
    x_mean, y_mean = x_hat.mean(0), y.mean(0)
    weight = ((x_hat - x_mean) * (y - y_mean)).sum(0) / (x_hat - x_mean).square().sum(0)
    bias = y_mean - weight * x_mean
    off = (weight * x_hat + bias - y).abs().max()
    misfit = _MISFIT if way.axes else 1e-5  # of what only scales and shifts, nothing is left
    return (weight, bias) if off < misfit * y.std(0).max() else None


def _norm(
    module: nn.Module, real: nn.Module, way: _Way, batches: tuple[Tensor, Tensor]
) -> NormLayer:
    """Describe the layer: measure what its own parameters come to, and what it remembers."""
    x = batches[0]
    remembered = _memory(module, copy.deepcopy(real), way, x)
    outputs = [_output(real, batch) for batch in batches]
    fitted = _fit(way, batches, outputs) or (torch.zeros_like(x[0]), outputs[0][0])
    weight, bias = (_along_parameters(way, values) for values in fitted)
    size = x.shape[-1] if way.over == "last" else x.shape[1]
    return NormLayer(
        module,
        way.over,
        weight,
        bias,
        **remembered,
        eps=next((eps for name in EPS if (eps := getattr(module, name, None)) is not None), None),
        size=size,
        groups=way.groups,
        like=_LIKE[way.over][not way.centred],
    )


def _along_parameters(way: _Way, values: Tensor) -> Tensor:
    """Return one value for each channel, or for each number of the last axis."""
    axis = -1 if way.over == "last" else 0
    return values.movedim(axis, 0).flatten(1).mean(1) if values.dim() > 1 else values


def _memory(module: nn.Module, copied: nn.Module, way: _Way, x: Tensor) -> dict:
    """Find the tensors that a batch moves towards its mean and variance, and by which share."""
    ours = _tensors(module)
    found = {
        which: ours[which]
        for which in ("running_mean", "running_var")
        if isinstance(ours.get(which), Tensor)
    }
    if way.over not in ("batch", "instance"):
        return found
    before = {name: tensor.clone() for name, tensor in _tensors(copied).items()}
    copied(x.clone())
    axes = tuple(axis for axis in range(x.dim()) if axis != 1)
    targets = {"running_mean": x.mean(axes), "running_var": x.var(axes)}
    shares = dict.fromkeys(found, 0.0)
    for (name, old), (which, target) in itertools.product(before.items(), targets.items()):
        new = _tensors(copied).get(name)
        if new is None or old.numel() != target.numel() or torch.equal(new, old):
            continue
        share = (new.double() - old.double()).flatten() / (target - old.flatten())
        if (share - share.mean()).abs().max() < 0.2 * share.mean().abs():
            found[which] = ours[name]
            shares[which] = share.mean().item()
    momentum = shares.get("running_mean", shares.get("running_var"))
    return {**found, "momentum": None if momentum is None else round(momentum, 3)}


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """Return parameters, buffers, and whatever other tensors are attributes, by name."""
    plain = {name: value for name, value in vars(module).items() if isinstance(value, Tensor)}
    return plain | dict(module.named_buffers()) | dict(module.named_parameters())


def vectors_alone(module: nn.Module) -> bool:
    """Tell whether no parameter has more than one axis longer than 1: what a norm may have."""
    return all(math.prod(p.shape) == max(p.shape, default=1) for p in module.parameters())
