"""The checks: each goes through a patient's norm layers and yields what it finds."""

import math
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.instancenorm import _InstanceNorm

from normlab.checkup import conditions as known
from normlab.checkup.patient import Call, Norm, Patient, remembers
from normlab.checkup.report import Finding

Check = Callable[[Patient], Iterator[Finding]]


def find_all(patient: Patient) -> list[Finding]:
    """Return the findings of all checks."""
    return [finding for check in CHECKS for finding in check(patient)]


# ---- how many numbers share a mean


def values_per_statistic(norm: Norm, shape: tuple[int, ...]) -> int:
    """Return how many numbers of an input each mean of the layer is taken over."""
    if isinstance(norm, nn.LayerNorm | nn.RMSNorm):
        return math.prod(norm.normalized_shape)
    if isinstance(norm, nn.GroupNorm):
        return math.prod(shape[1:]) // norm.num_groups
    if isinstance(norm, _InstanceNorm):
        return math.prod(shape[-_spatial_axes(norm) :])
    return math.prod(shape) // shape[1]


def _spatial_axes(norm: _InstanceNorm) -> int:
    kinds = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
    return next(axes for axes, kind in enumerate(kinds, start=1) if isinstance(norm, kind))


def too_few_values(patient: Patient) -> Iterator[Finding]:
    """Find norms whose means are taken over one number, or two."""
    for name, norm, call in _calls(patient):
        if len(call.shape) < 2 or not _uses_its_input(norm):
            continue
        count = values_per_statistic(norm, call.shape)
        seen = f"each mean is taken over {count} of the numbers of an input {call.shape}"
        if count == 1:
            batch = isinstance(norm, _BatchNorm)
            yield Finding(known.ONE_VALUE if batch else known.ONE_NUMBER, name, seen)
        elif count == 2:
            yield Finding(known.TWO_VALUES, name, seen)


def groups_of_one(patient: Patient) -> Iterator[Finding]:
    """Find groups of one channel, and layers over one element, without looking at an input."""
    for name, norm in patient.norms.items():
        if patient.calls.get(name):
            continue
        if isinstance(norm, nn.LayerNorm | nn.RMSNorm) and math.prod(norm.normalized_shape) == 1:
            yield Finding(known.ONE_NUMBER, name, f"normalized_shape={norm.normalized_shape}")
        if isinstance(norm, nn.GroupNorm) and norm.num_groups == norm.num_channels:
            yield Finding(known.GROUPS_OF_ONE, name, f"{norm.num_groups} groups of one channel")


def table(patient: Patient) -> Iterator[Finding]:
    """Find InstanceNorm1d on two axes."""
    for name, norm in patient.norms.items():
        if not isinstance(norm, nn.InstanceNorm1d):
            continue
        shapes = [call.shape for call in patient.calls.get(name, [])]
        if any(len(shape) == 2 for shape in shapes):
            yield Finding(known.TABLE, name, f"its input has the shape {shapes[0]}")
        before, _, same_size = _before(patient, name, norm)
        if not shapes and same_size and isinstance(patient.layer(before), nn.Linear):
            yield Finding(known.TABLE, name, f"it stands right behind {before}, a linear layer")


# ---- modes


def modes(patient: Patient) -> Iterator[Finding]:
    """Find layers with running statistics that are not in the mode they should be in."""
    for name, norm in patient.norms.items():
        if not remembers(norm):
            continue
        learning = _learning(patient, name)
        if norm.training and not patient.model.training:
            yield Finding(known.TRAINS_IN_EVAL, name, "training=True")
        elif norm.training and learning is False:
            yield Finding(known.LIVE_BUFFERS, name, "requires_grad=False and training=True")
        elif patient.model.training and not norm.training and learning:
            yield Finding(known.EVAL_IN_TRAINING, name, "training=False, and it still learns")


def _learning(patient: Patient, name: str) -> bool | None:
    """Return whether a norm's parameters learn; without any, those of the module around it."""
    for module in (patient.layer(name), patient.parent(name)):
        parameters = list(module.parameters())
        if parameters:
            return any(parameter.requires_grad for parameter in parameters)
    return None


def always_batch(patient: Patient) -> Iterator[Finding]:
    """Find BatchNorm without running statistics."""
    for name, norm in patient.norms.items():
        if isinstance(norm, _BatchNorm) and not remembers(norm):
            yield Finding(known.ALWAYS_BATCH, name, "it has no running_mean and no running_var")


# ---- what is remembered


def first_day(patient: Patient) -> Iterator[Finding]:
    """Find layers in evaluation mode whose running statistics were never measured."""
    for name, norm in patient.norms.items():
        if not remembers(norm) or norm.training or not _unmeasured(norm):
            continue
        learned = (norm.weight is not None and _varies(norm.weight)) or _nonzero(norm.bias)
        what = "running_mean is 0 and running_var 1 in every channel"
        yield Finding(known.UNMEASURED if learned else known.NO_BATCH_YET, name, what)


def _unmeasured(norm: Norm) -> bool:
    return bool((norm.running_mean == 0).all() and (norm.running_var == 1).all())


def _varies(weight: Tensor) -> bool:
    return bool((weight != weight[0]).any())


def _nonzero(bias: Tensor | None) -> bool:
    return bias is not None and bool((bias != 0).any())


def bad_numbers(patient: Patient) -> Iterator[Finding]:
    """Find NaN, infinity and negative variances in buffers and parameters, and in the input."""
    for name, norm in patient.norms.items():
        for what, values in _arrays(norm):
            bad = int((~values.isfinite()).sum())
            if bad:
                seen = f"{what} is not finite in {bad} of {values.numel()} places"
                yield Finding(known.NOT_FINITE, name, seen)
        if remembers(norm) and bool((norm.running_var < 0).any()):
            least = norm.running_var.nan_to_num(0).min().item()
            yield Finding(known.NEGATIVE_VARIANCE, name, f"running_var goes down to {least:.2g}")
    for name, _, call in _calls(patient):
        if not call.finite:
            yield Finding(known.BAD_INPUT, name, "its input is the first that is not finite")
            return


def _arrays(norm: Norm) -> Iterator[tuple[str, Tensor]]:
    for name in ("weight", "bias", "running_mean", "running_var"):
        values = getattr(norm, name, None)
        if isinstance(values, Tensor):
            yield name, values


def half_buffers(patient: Patient) -> Iterator[Finding]:
    """Find running statistics that are being updated in half precision."""
    for name, norm in patient.norms.items():
        if remembers(norm) and norm.training:
            kind = norm.running_mean.dtype
            if kind in (torch.float16, torch.bfloat16):
                yield Finding(known.HALF_BUFFERS, name, f"running_mean is of {kind}")


# ---- the numbers in the constructor


def momentum(patient: Patient) -> Iterator[Finding]:
    """Find a momentum in Keras's sense, and one that never moves anything."""
    for name, norm in patient.norms.items():
        if not remembers(norm):
            continue
        if norm.momentum is not None and not 0 <= norm.momentum <= 0.5:
            yield Finding(known.MOMENTUM_REVERSED, name, f"momentum={norm.momentum}")
        # InstanceNorm takes None for 0, BatchNorm for a plain average.
        never = norm.momentum == 0 or (norm.momentum is None and isinstance(norm, _InstanceNorm))
        if never and norm.training:
            yield Finding(known.MOMENTUM_STILL, name, f"momentum={norm.momentum}")


def eps(patient: Patient) -> Iterator[Finding]:
    """Find an eps that is as large as the variance, or is not there."""
    for name, norm in patient.norms.items():
        if norm.eps is None:  # RMSNorm's default: as small as the type allows
            continue
        if norm.eps <= 0:
            yield Finding(known.NO_EPS, name, f"eps={norm.eps}")
        elif norm.eps > 0.01:
            yield Finding(known.LARGE_EPS, name, f"eps={norm.eps:g}; PyTorch's default is 1e-5")
        elif remembers(norm) and norm.running_var.median() < norm.eps:
            median = norm.running_var.median().item()
            what = f"eps={norm.eps:g}, and half of the running variances are below {median:.1g}"
            yield Finding(known.LARGE_EPS, name, what)


# ---- what stands before it


def neighbours(patient: Patient) -> Iterator[Finding]:
    """Find a bias and dropout right before a norm that cannot use them."""
    for name, norm in patient.norms.items():
        if not isinstance(norm, _BatchNorm | _InstanceNorm):
            continue
        before, sure, same_channels = _before(patient, name, norm)
        if before is None:
            continue
        how = f"{before} runs right before it" if sure else f"{before} is registered before it"
        layer = patient.layer(before)
        if isinstance(layer, nn.Linear | _ConvNd) and layer.bias is not None and same_channels:
            doubt = "" if sure else "; give an example to be sure that it also runs there"
            what = f"{how}, with {layer.bias.numel()} biases{doubt}"
            yield Finding(known.SWALLOWED_BIAS, name, what)
        dropout = isinstance(layer, _DropoutNd) and layer.p > 0
        if dropout and sure and isinstance(norm, _BatchNorm):
            yield Finding(known.DROPOUT_BEFORE, name, f"{how}, with p={layer.p}")


def _before(patient: Patient, name: str, norm: Norm) -> tuple[str | None, bool, bool]:
    """Return the layer before a norm, whether it surely runs there, and whether channels agree."""
    calls = patient.calls.get(name)
    if calls:
        same = all(call.same_channels for call in calls)
        return calls[0].before, True, same
    before, sure = patient.neighbours.get(name, (None, False))
    if before is None:
        return None, False, False
    layer = patient.layer(before)
    size = getattr(layer, "out_features", getattr(layer, "out_channels", None))
    return before, sure, size == norm.num_features


def several_calls(patient: Patient) -> Iterator[Finding]:
    """Find layers whose running statistics are moved more than once in a forward pass."""
    for name, norm in patient.norms.items():
        count = len(patient.calls.get(name, []))
        if count > 1 and remembers(norm):
            yield Finding(known.SEVERAL_CALLS, name, f"called {count} times")


def hidden(patient: Patient) -> Iterator[Finding]:
    """Find norm layers in lists, tuples and dicts that no module knows."""
    registered = set(patient.model.modules())
    for path, module in patient.model.named_modules():
        for attribute, value in vars(module).items():
            count = sum(
                isinstance(inner, Norm)
                for held in _held(value)
                if held not in registered
                for inner in held.modules()
            )
            if attribute not in _OWN and count:
                where = f"{path}.{attribute}" if path else attribute
                yield Finding(known.HIDDEN, where, f"a {type(value).__name__} with {count} of them")


# What nn.Module itself keeps in dictionaries.
_OWN = frozenset(vars(nn.Module()))


def _held(value: object) -> Iterable[nn.Module]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [one for one in value if isinstance(one, nn.Module)]
    return []


# ---- weight and bias


def dead_weight(patient: Patient) -> Iterator[Finding]:
    """Find weights that have shrunk to nothing; some networks *start* a weight at exactly 0."""
    for name, norm in patient.norms.items():
        if norm.weight is None:
            continue
        largest = norm.weight.abs().max().item()
        batches = getattr(norm, "num_batches_tracked", None)
        young = largest == 0 if batches is None else batches < 100
        if largest < 1e-3 and not young:
            yield Finding(known.DEAD_WEIGHT, name, f"the largest is {largest:.1g}")


def decayed(patient: Patient) -> Iterator[Finding]:
    """Find norms whose parameters the optimizer shrinks."""
    if patient.optimizer is None:
        return
    shrunk = {
        id(parameter): group["weight_decay"]
        for group in patient.optimizer.param_groups
        if group.get("weight_decay")
        for parameter in group["params"]
    }
    for name, norm in patient.norms.items():
        decays = [shrunk[id(p)] for p in norm.parameters() if id(p) in shrunk]
        if decays:
            yield Finding(known.DECAYED, name, f"weight_decay={decays[0]}")


CHECKS: tuple[Check, ...] = (
    bad_numbers,
    too_few_values,
    hidden,
    modes,
    table,
    first_day,
    momentum,
    eps,
    half_buffers,
    dead_weight,
    groups_of_one,
    always_batch,
    several_calls,
    neighbours,
    decayed,
)


def _calls(patient: Patient) -> Iterator[tuple[str, Norm, Call]]:
    for name, calls in patient.calls.items():
        for call in calls:
            yield name, patient.norms[name], call


def _uses_its_input(norm: Norm) -> bool:
    """Return whether the layer takes its statistics from the input in its present mode."""
    return norm.training or not remembers(norm)
