"""The model as the checks see it: its norms, what stands before them, what they are fed."""

import copy
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby
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
    """One call of a norm layer in the run of the example."""

    shape: tuple[int, ...]  # of its input
    finite: bool  # whether that holds no NaN and no infinity
    # The linear layer, convolution or dropout whose output is the input, with nothing in between
    # but another view of it; None if there is none.
    before: str | None
    # Whether each channel of that lies in one channel of the norm: its bias is a constant there.
    same_channels: bool


@dataclass(frozen=True)
class Patient:
    """A model that is being looked at; layers are known by their names."""

    model: nn.Module  # it is only read
    norms: Mapping[str, NormLayer]
    unknown: Mapping[str, nn.Module]  # they seem to be norms, and were not recognized
    unbuilt: Mapping[str, str]  # norms without numbers, and why
    optimizer: torch.optim.Optimizer | None
    calls: Mapping[str, list[Call]]  # of each norm, in the run of the example
    trouble: Exception | str | None  # why the example stopped, or a sentence if it was not begun
    # For the last linear layer that ran the name of a norm, if it read that norm's input plus
    # another layer's output: a residual stream, not normalized.
    bare_readers: Mapping[str, str]
    looked_at: list[str]  # how, in sentences

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
    run = _Run(list(norms))
    if example is not None:
        looked_at.append(run.watch(model, example))
    looked_at += _recognized(norms)
    return Patient(
        model, norms, unknown, unbuilt, optimizer, run.calls, run.trouble, run.bare, looked_at
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


@dataclass(frozen=True)
class _Made:
    """An output that a norm may be fed; the tensor is kept, so that its memory is not reused."""

    name: str
    output: Tensor
    version: int
    channel_axis: int  # along which the bias varies, counted from the end


class _Run:
    """The run of the example on a copy of the model; its hooks write down what happens."""

    def __init__(self, norms: list[str]) -> None:
        self.norms = norms
        self.calls: dict[str, list[Call]] = defaultdict(list)
        self.trouble: Exception | str | None = None
        self.bare: dict[str, str] = {}
        self._made: dict[int, _Made] = {}  # by the address of its memory
        # The latest norm and its input, and what the latest linear layer gave.
        self._norm, self._given, self._added = "", torch.empty(0), torch.empty(0)

    def watch(self, model: nn.Module, example: Example) -> str:
        """Run the example in the model's present mode, and say how that went."""
        try:
            watched = copy.deepcopy(model)
        except Exception as error:
            self.trouble = f"The example was not run, since the model cannot be copied: {error}"
            return self.trouble
        for name, module in watched.named_modules():
            if name in self.norms:
                before = partial(self._norm_is_called, name)
                module.register_forward_pre_hook(before, with_kwargs=True)
            if isinstance(module, nn.Linear):
                module.register_forward_hook(partial(self._linear_ran, name))
            if isinstance(module, nn.Linear | _ConvNd | _DropoutNd):
                module.register_forward_hook(partial(self._was_made, name))
        try:
            _call(watched, example)
        except Exception as error:
            self.trouble = error
            return f"The example stopped with {type(error).__name__}: {error}"
        idle = sum(name not in self.calls for name in self.norms)
        left = f" {idle} of the norm layers did not run." if idle else ""
        return f"Run once, on a copy, with an example {_shapes(example)}.{left}"

    def _norm_is_called(
        self, name: str, module: nn.Module, arguments: tuple, named: dict[str, Any]
    ) -> None:
        x = arguments[0] if arguments else next(iter(named.values()), None)
        if not isinstance(x, Tensor):
            return
        self._norm, self._given = name, x.clone()
        source = self._made.get(x.untyped_storage().data_ptr())
        # Written to in place since then: what stands there now is something else.
        if source is not None and source.output._version != source.version:
            source = None
        finite = x.is_meta or bool(x.isfinite().all())
        same_channels = source is not None and _same_channels(source, x)
        before = source.name if source else None
        self.calls[name].append(Call(tuple(x.shape), finite, before, same_channels))

    def _linear_ran(self, name: str, module: nn.Module, inputs: tuple, output: Tensor) -> None:
        """Look whether it reads the latest norm's input plus what the latest linear layer gave."""
        x, given, added = inputs[0], self._given, self._added
        alike = x.shape == given.shape == added.shape and x.dtype == added.dtype
        together = given + added if alike else x
        bare = alike and not x.is_meta and torch.allclose(x, together, rtol=1e-4, atol=1e-6)
        self.bare = {name: self._norm} if bare else {}
        self._added = output.clone()

    def _was_made(self, name: str, module: nn.Module, inputs: tuple, output: object) -> None:
        passes = isinstance(module, _DropoutNd) and not (module.training and module.p > 0)
        if isinstance(output, Tensor) and not passes:
            address = output.untyped_storage().data_ptr()
            axis = -1 - len(module.kernel_size) if isinstance(module, _ConvNd) else -1
            self._made[address] = _Made(name, output, output._version, axis)


def _call(model: nn.Module, example: Example) -> None:
    named = dict(example) if isinstance(example, Mapping) else {}
    arguments = example if isinstance(example, tuple) else (example,)
    if isinstance(example, Mapping):
        arguments = ()
    devices = {p.get_device() for p in model.parameters() if p.is_cuda}
    with torch.random.fork_rng(devices), torch.no_grad():
        model(*arguments, **named)


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
