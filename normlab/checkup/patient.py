"""The model as the checks see it: its norms, what stands before them, what they are fed."""

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.jit import ScriptModule
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd

from normlab.checkup import unseen
from normlab.checkup.norms import Known, NormLayer, known, without_numbers
from normlab.checkup.probe import recognize, vectors_alone

Example = Tensor | tuple[Any, ...] | Mapping[str, Any]


@dataclass(frozen=True)
class Call:
    """One call of a norm layer in the run of the example.

    Attributes
    ----------
    shape
        Of its input.
    finite
        Whether the input holds no NaN and no infinity.
    before
        The name of the linear layer, convolution or dropout whose output is the input, with
        nothing in between but another view of it; None if there is none.
    same_channels
        Whether each channel of that layer lies in one channel of the norm, so that its bias is a
        constant there.
    """

    shape: tuple[int, ...]
    finite: bool
    before: str | None
    same_channels: bool


@dataclass(frozen=True)
class Patient:
    """A model that is being looked at.

    Attributes
    ----------
    model
        The model itself; it is only read.
    norms
        Its norm layers, by name.
    unknown
        Layers that seem to be norms, and were not recognized.
    unbuilt
        Norm layers without numbers, and why.
    by_hand
        For each layer that is no norm, and calls what normalizes, the names of that.
    calls
        For each norm layer its calls in the run of the example.
    trouble
        Why the example did not run to its end: an error, or a sentence if it was not begun.
    neighbours
        For each norm layer the name of the layer registered right before it in the same module,
        and whether that module is an ``nn.Sequential``, in which they also *run* in that order.
    bare_readers
        For the last linear layer that ran the name of a norm, if it read that norm's input plus
        another layer's output: a residual stream, not normalized.
    optimizer
        The model's optimizer, if it was given.
    looked_at
        How it was looked at, in sentences.
    """

    model: nn.Module
    norms: Mapping[str, NormLayer]
    unknown: Mapping[str, nn.Module]
    unbuilt: Mapping[str, str]
    by_hand: Mapping[str, set[str]]
    neighbours: Mapping[str, tuple[str, bool]]
    optimizer: torch.optim.Optimizer | None = None
    calls: Mapping[str, list[Call]] = field(default_factory=dict)
    trouble: Exception | str | None = None
    bare_readers: Mapping[str, str] = field(default_factory=dict)
    looked_at: list[str] = field(default_factory=list)

    def layer(self, name: str) -> nn.Module:
        """Return the layer of this name."""
        return self.model.get_submodule(name)

    def parent(self, name: str) -> nn.Module:
        """Return the module in which a layer stands."""
        return self.model.get_submodule(name.rpartition(".")[0])


def admit(
    model: nn.Module, example: Example | None, optimizer: torch.optim.Optimizer | None
) -> Patient:
    """Collect all that the checks want to know of a model, and leave it as it is."""
    unbuilt = {
        name: reason
        for name, module in model.named_modules()
        if (isinstance(module, Known) or unseen.named_norm(module))
        and (reason := without_numbers(module))
    }
    norms, unknown = _norms(model, unbuilt)
    looked_at = [_headline(model, len(norms) + len(unknown) + len(unbuilt))]
    calls: dict[str, list[Call]] = {}
    trouble, stream = None, _Stream()
    if example is not None:
        calls, told, trouble = _watch(model, list(norms), example, stream)
        looked_at.append(told)
    looked_at += _recognized(norms)
    by_hand = dict(_by_hand(model, {*norms, *unknown, *unbuilt}))
    neighbours = dict(_neighbours(model))
    return Patient(
        model,
        norms,
        unknown,
        unbuilt,
        by_hand,
        neighbours,
        optimizer,
        calls,
        trouble,
        stream.bare,
        looked_at,
    )


def _norms(
    model: nn.Module, unbuilt: Mapping[str, str]
) -> tuple[dict[str, NormLayer], dict[str, nn.Module]]:
    """Find the norm layers, and those that seem to be some, in the order of registration."""
    norms = {
        name: norm for name, module in model.named_modules() if (norm := known(module)) is not None
    }
    unknown: dict[str, nn.Module] = {}
    done = {model.get_submodule(name) for name in (*norms, *unbuilt)}
    hopeless: set[type] = set()  # classes without tensors that are no norm
    for name, module in reversed(list(model.named_modules())):  # what stands inside comes first
        if isinstance(module, ScriptModule) or unseen.from_torch(module):
            continue
        called_norm = unseen.named_norm(module)
        leaf = not any(True for _ in module.children()) and vectors_alone(module)
        if not (called_norm or leaf) or type(module) in hopeless or done & set(module.modules()):
            continue
        mixes = not all(vectors_alone(child) for child in module.children())
        norm = None if mixes else recognize(module, frozen=called_norm)
        if norm is not None:
            norms[name] = norm
        elif called_norm:
            unknown[name] = module
        elif not module.state_dict():
            hopeless.add(type(module))
        done |= {module} if norm is not None or called_norm else set()
    order = [name for name, _ in model.named_modules()]
    return (
        {name: norms[name] for name in order if name in norms},
        {name: unknown[name] for name in order if name in unknown},
    )


def _by_hand(model: nn.Module, norms: set[str]) -> Iterator[tuple[str, set[str]]]:
    inside = {inner for name in norms for inner in model.get_submodule(name).modules()}
    for name, module in model.named_modules():
        if module not in inside and (called := unseen.by_hand(module)):
            yield name, called


def _headline(model: nn.Module, number: int) -> str:
    count = f"{number} norm layer{'' if number == 1 else 's'}"
    mode = "training" if model.training else "evaluation"
    return f"{type(model).__name__}: {count}, in {mode} mode."


def _recognized(norms: Mapping[str, NormLayer]) -> list[str]:
    """Say which layers of other classes than torch's own were taken for norms, and for which."""
    own = sorted((norm for norm in norms.values() if norm.like), key=lambda norm: norm.like)
    kinds = [
        f"{unseen.count(norm.module for norm in same)} (as {like})"
        for like, same in groupby(own, key=lambda norm: norm.like)
    ]
    return [f"Recognized by what they do: {'; '.join(kinds)}."] if kinds else []


def _neighbours(model: nn.Module) -> Iterator[tuple[str, tuple[str, bool]]]:
    for path, parent in model.named_modules():
        prefix = f"{path}." if path else ""
        names = [name for name, _ in parent.named_children()]
        for before, name in pairwise(names):
            yield prefix + name, (prefix + before, isinstance(parent, nn.Sequential))


# ---- the run of the example


@dataclass(frozen=True)
class _Made:
    """An output that a norm may be fed; the tensor is kept, so that its memory is not reused."""

    name: str
    output: Tensor
    version: int
    channel_axis: int


class _Stream:
    """What is known of a residual stream while the example runs."""

    def __init__(self) -> None:
        self.norm, self.given, self.added = "", torch.empty(0), torch.empty(0)
        self.bare: dict[str, str] = {}

    def normalized(self, name: str) -> Callable[..., None]:
        """Write down what a norm is given."""

        def hook(module: nn.Module, arguments: tuple) -> None:
            if arguments and isinstance(arguments[0], Tensor):
                self.norm, self.given = name, arguments[0].clone()

        return hook

    def read(self, name: str) -> Callable[..., None]:
        """Look whether a linear layer reads that norm's input plus the last one's output."""

        def hook(module: nn.Module, inputs: tuple, output: Tensor) -> None:
            x, shape = inputs[0], inputs[0].shape
            alike = shape == self.given.shape == self.added.shape and x.dtype == self.added.dtype
            together = self.given + self.added if alike else x
            bare = alike and not x.is_meta and torch.allclose(x, together, rtol=1e-4, atol=1e-6)
            self.bare = {name: self.norm} if bare else {}
            self.added = output.clone()

        return hook


def _watch(
    model: nn.Module, names: list[str], example: Example, stream: _Stream
) -> tuple[dict[str, list[Call]], str, Exception | str | None]:
    """Run the example on a copy of the model, in its present mode, and write down what happens."""
    try:
        watched = copy.deepcopy(model)
    except Exception as error:
        told = f"The example was not run, since the model cannot be copied: {error}"
        return {}, told, told
    calls: dict[str, list[Call]] = defaultdict(list)
    made: dict[int, _Made] = {}  # by the address of its memory
    for name, module in watched.named_modules():
        if name in names:
            module.register_forward_pre_hook(_write_down(name, calls, made), with_kwargs=True)
            module.register_forward_pre_hook(stream.normalized(name))
        if isinstance(module, nn.Linear):
            module.register_forward_hook(stream.read(name))
        if isinstance(module, nn.Linear | _ConvNd | _DropoutNd):
            module.register_forward_hook(_remember(name, made))
    try:
        _run(watched, example)
    except Exception as error:
        return dict(calls), f"The example stopped with {type(error).__name__}: {error}", error
    idle = sum(name not in calls for name in names)
    left = f" {idle} of the norm layers did not run." if idle else ""
    return dict(calls), f"Run once, on a copy, with an example {_shapes(example)}.{left}", None


def _run(model: nn.Module, example: Example) -> None:
    arguments: tuple[Any, ...] = ()
    named: dict[str, Any] = {}
    if isinstance(example, Mapping):
        named = dict(example)
    else:
        arguments = example if isinstance(example, tuple) else (example,)
    devices = {p.get_device() for p in model.parameters() if p.is_cuda}
    with torch.random.fork_rng(devices), torch.no_grad():
        model(*arguments, **named)


def _remember(name: str, made: dict[int, _Made]) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: tuple, output: object) -> None:
        passes = isinstance(module, _DropoutNd) and not (module.training and module.p > 0)
        if isinstance(output, Tensor) and not passes:
            address = output.untyped_storage().data_ptr()
            made[address] = _Made(name, output, output._version, _channel_axis(module))

    return hook


def _channel_axis(module: nn.Module) -> int:
    """Return the axis of the output along which the bias varies, counted from the end."""
    return -1 - len(module.kernel_size) if isinstance(module, _ConvNd) else -1


def _write_down(
    name: str, calls: dict[str, list[Call]], made: dict[int, _Made]
) -> Callable[..., None]:
    def hook(module: nn.Module, arguments: tuple, named: dict[str, Any]) -> None:
        x = arguments[0] if arguments else next(iter(named.values()), None)
        if not isinstance(x, Tensor):
            return
        source = made.get(x.untyped_storage().data_ptr())
        # Written to in place since then: what stands there now is something else.
        if source is not None and source.output._version != source.version:
            source = None
        calls[name].append(
            Call(
                shape=tuple(x.shape),
                finite=x.is_meta or bool(x.isfinite().all()),
                before=source.name if source else None,
                same_channels=source is not None and _same_channels(source, x),
            )
        )

    return hook


def _same_channels(source: _Made, x: Tensor) -> bool:
    """Return whether each channel of ``x``, a view of the output, lies in one channel of that.

    Every element of the output gets its channel's number; then they are looked at as ``x`` looks
    at the output's memory.
    """
    output = source.output
    if x.dim() < 2:
        return False
    size = output.shape[source.channel_axis]
    numbers = torch.empty_strided(output.shape, output.stride(), dtype=torch.int32)
    numbers.movedim(source.channel_axis, -1).copy_(torch.arange(size))
    offset = x.storage_offset() - output.storage_offset()
    try:
        seen = numbers.as_strided(x.shape, x.stride(), offset)
    except RuntimeError:  # it reaches beyond the output
        return False
    channels = seen.movedim(1, 0).flatten(1)  # (C, everything else)
    return bool((channels == channels[:, :1]).all())


def _shapes(example: Example) -> str:
    values: Iterable[object] = example.values() if isinstance(example, Mapping) else example
    if isinstance(example, Tensor):
        values = [example]
    return ", ".join(str(tuple(v.shape)) if isinstance(v, Tensor) else repr(v) for v in values)
