"""The checks: most look at one norm layer after the other, the others at the whole patient."""

import functools
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.jit import ScriptModule
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd

from normlab.checkup import conditions as known
from normlab.checkup import unseen
from normlab.checkup.conditions import Condition
from normlab.checkup.norms import Known, NormLayer
from normlab.checkup.patient import Patient
from normlab.checkup.report import Finding
from normlab.checkup.starts import drawn_at_random

Check = Callable[[Patient], Iterator[Finding]]
# What a look at one norm gives: conditions, each with what was seen there.
Seen = Iterator[tuple[Condition, str]]

CHECKS: list[Check] = []  # in the order in which they are defined


def find_all(patient: Patient) -> list[Finding]:
    """Return the findings of all checks."""
    return [finding for check in CHECKS for finding in check(patient)]


def of_the_whole(check: Check) -> Check:
    """Add a check that looks at the whole patient."""
    CHECKS.append(check)
    return check


def of_each_norm(look: Callable[[Patient, str, NormLayer], Seen]) -> Check:
    """Add a check that looks at a patient's norms, each by itself."""

    @functools.wraps(look)
    def check(patient: Patient) -> Iterator[Finding]:
        for name, norm in patient.norms.items():
            for condition, what in look(patient, name, norm):
                yield Finding(condition, name, what)

    return of_the_whole(check)


@of_the_whole
def example(patient: Patient) -> Iterator[Finding]:
    """Tell of an example that did not run to its end."""
    error = patient.trouble
    refused = any(found.condition.level == "wrong" for found in too_few_values(patient))
    if isinstance(error, ValueError) and refused:
        return  # the norm that was fed one value has refused it
    if isinstance(error, Exception):
        yield Finding(known.EXAMPLE_FAILED, "", f"{type(error).__name__}: {error}")
    elif error is not None and not patient.unbuilt:  # what is lazy cannot be copied
        yield Finding(known.NOT_RUN, "", error)


@of_each_norm
def bad_numbers(patient: Patient, name: str, norm: NormLayer) -> Seen:
    """Find NaN, infinity and negative variances in buffers and parameters."""
    for what, values in norm.arrays():
        bad = int((~values.isfinite()).sum())
        if bad:
            yield known.NOT_FINITE, f"{what} is not finite in {bad} of {values.numel()} places"
    if norm.running_var is not None and bool((norm.running_var < 0).any()):
        least = norm.running_var.nan_to_num(0).min().item()
        yield known.NEGATIVE_VARIANCE, f"running_var goes down to {least:.2g}"


@of_the_whole
def bad_input(patient: Patient) -> Iterator[Finding]:
    """Find the first norm that the example feeds NaN or infinity."""
    for name, calls in patient.calls.items():
        if not all(call.finite for call in calls):
            yield Finding(known.BAD_INPUT, name, "its input is the first that is not finite")
            return


@of_each_norm
def too_few_values(patient: Patient, name: str, norm: NormLayer) -> Seen:
    """Find norms whose means are taken over one number, or two."""
    for call in patient.calls.get(name, []):
        if len(call.shape) < 2 or not norm.uses_its_input:
            continue
        count = norm.values_per_statistic(call.shape)
        seen = f"each mean is taken over {count} of the numbers of an input {call.shape}"
        if count == 1:
            yield known.ONE_VALUE if norm.over == "batch" else known.ONE_NUMBER, seen
        elif count == 2:
            yield known.TWO_VALUES, seen


@of_the_whole
def hidden(patient: Patient) -> Iterator[Finding]:
    """Find layers in lists, dicts, sets and objects that no module knows."""
    for where, value, layers in unseen.hidden(patient.model):
        holder = f"a {type(value).__name__} with"
        norms = [layer for layer in layers if isinstance(layer, Known) or unseen.named_norm(layer)]
        learning = [one for one in layers if any(p.requires_grad for p in one.parameters(False))]
        if norms:
            yield Finding(known.HIDDEN, where, f"{holder} {len(norms)} of them")
        elif learning:
            what = f"{holder} {unseen.count(learning)}, whose parameters are to learn"
            yield Finding(known.HIDDEN_LAYERS, where, what)


@of_each_norm
def modes(patient: Patient, name: str, norm: NormLayer) -> Seen:
    """Find layers with running statistics that are not in the mode they should be in."""
    if not norm.remembers or norm.over == "nothing":
        return
    learning = _learning(patient, name)
    if norm.training and not patient.model.training:
        yield known.TRAINS_IN_EVAL, "training=True"
    elif norm.training and learning is False:
        yield known.LIVE_BUFFERS, "requires_grad=False and training=True"
    elif patient.model.training and not norm.training and learning:
        yield known.EVAL_IN_TRAINING, "training=False, and it still learns"


def _learning(patient: Patient, name: str) -> bool | None:
    """Return whether a norm's parameters learn; without any, those of the module around it."""
    for module in (patient.layer(name), patient.parent(name)):
        parameters = list(module.parameters())
        if parameters:
            return any(parameter.requires_grad for parameter in parameters)
    return None


@of_each_norm
def table(patient: Patient, name: str, norm: NormLayer) -> Seen:
    """Find InstanceNorm1d on two axes."""
    if not isinstance(norm.module, nn.InstanceNorm1d):
        return
    shapes = [call.shape for call in patient.calls.get(name, [])]
    if any(len(shape) == 2 for shape in shapes):
        yield known.TABLE, f"its input has the shape {shapes[0]}"
    before, _, same_size = _before(patient, name, norm)
    if not shapes and before and same_size and isinstance(patient.layer(before), nn.Linear):
        yield known.TABLE, f"it stands right behind {before}, a linear layer"


@of_the_whole
def first_day(patient: Patient) -> Iterator[Finding]:
    """Find layers in evaluation mode whose running statistics were never measured."""
    drawn = _untrained(patient)
    for name, norm in patient.norms.items():
        if not norm.remembers or norm.training or not _unmeasured(norm):
            continue
        learned = not drawn and (_varies(norm.weight) or _nonzero(norm.bias))
        what = "running_mean is 0 and running_var 1 in every channel"
        yield Finding(known.UNMEASURED if learned else known.NO_BATCH_YET, name, what)


def _unmeasured(norm: NormLayer) -> bool:
    mean, var = norm.running_mean, norm.running_var
    return mean is not None and var is not None and bool((mean == 0).all() and (var == 1).all())


def _varies(weight: Tensor | None) -> bool:
    return weight is not None and bool((weight - weight.flatten()[0]).abs().max() > 1e-6)


def _nonzero(bias: Tensor | None) -> bool:
    return bias is not None and bool(bias.abs().max() > 1e-6)


def _untrained(patient: Patient) -> bool:
    """Tell whether the norms' weights look like a random start that nothing has trained.

    Training leaves gradients, an optimizer's state, or running statistics. Where only parameters
    were copied there is none of these, and their values have to tell.
    """
    norms = [norm for norm in patient.norms.values() if norm.remembers]
    gradients = any(p.grad is not None for p in patient.model.parameters())
    stepped = patient.optimizer is not None and len(patient.optimizer.state) > 0
    if gradients or stepped or not all(_unmeasured(norm) for norm in norms):
        return False
    weights = [norm.weight for norm in norms if norm.weight is not None]
    biases = [norm.bias for norm in norms if norm.bias is not None]
    return bool(weights) and drawn_at_random(weights, biases)


@of_each_norm
def momentum(patient: Patient, name: str, norm: NormLayer) -> Seen:
    """Find a momentum in Keras's sense, and one that never moves anything."""
    if not norm.remembers or norm.over == "nothing":
        return
    if norm.momentum is not None and not 0 <= norm.momentum <= 0.5:
        yield known.MOMENTUM_REVERSED, f"momentum={norm.momentum}"
    # InstanceNorm takes None for 0, BatchNorm for a plain average.
    never = norm.momentum == 0 or (norm.momentum is None and norm.over == "instance")
    if never and norm.training:
        yield known.MOMENTUM_STILL, f"momentum={norm.momentum}"


@of_each_norm
def eps(patient: Patient, name: str, norm: NormLayer) -> Seen:
    """Find an eps that is as large as the variance, or is not there."""
    if norm.eps is None:  # RMSNorm's default: as small as the type allows
        return
    if norm.eps <= 0:
        yield known.NO_EPS, f"eps={norm.eps}"
    elif norm.eps > 0.01:
        yield known.LARGE_EPS, f"eps={norm.eps:g}; PyTorch's default is 1e-5"
    elif norm.running_var is not None and norm.running_var.median() < norm.eps:
        below = f"half of the running variances are below {norm.running_var.median().item():.1g}"
        yield known.LARGE_EPS, f"eps={norm.eps:g}, and {below}"


@of_each_norm
def half_buffers(patient: Patient, name: str, norm: NormLayer) -> Seen:
    """Find running statistics that are being updated in half precision."""
    kind = None if norm.running_mean is None else norm.running_mean.dtype
    if kind in (torch.float16, torch.bfloat16) and norm.training:
        yield known.HALF_BUFFERS, f"running_mean is of {kind}"


@of_each_norm
def dead_weight(patient: Patient, name: str, norm: NormLayer) -> Seen:
    """Find weights that have shrunk to nothing; some networks *start* a weight at exactly 0."""
    if norm.weight is None:
        return
    largest = norm.weight.abs().max().item()
    batches = getattr(norm.module, "num_batches_tracked", None)
    young = largest == 0 if batches is None else batches < 100
    if largest < 1e-3 and not young:
        yield known.DEAD_WEIGHT, f"the largest is {largest:.1g}"


@of_each_norm
def groups_of_one(patient: Patient, name: str, norm: NormLayer) -> Seen:
    """Find groups of one channel, and layers over one element, without looking at an input."""
    if patient.calls.get(name):
        return
    if norm.over == "last" and norm.size == 1:
        yield known.ONE_NUMBER, "its last axis has one element"
    if norm.over == "group" and norm.groups == norm.size:
        yield known.GROUPS_OF_ONE, f"{norm.groups} groups of one channel"


@of_each_norm
def always_batch(patient: Patient, name: str, norm: NormLayer) -> Seen:
    """Find BatchNorm without running statistics."""
    if norm.over == "batch" and not norm.remembers:
        yield known.ALWAYS_BATCH, "it has no running_mean and no running_var"


@of_each_norm
def flag(patient: Patient, name: str, norm: NormLayer) -> Seen:
    """Find layers whose track_running_stats says one thing, and whose buffers another."""
    tracks = getattr(norm.module, "track_running_stats", norm.remembers)
    if bool(tracks) != norm.remembers:
        has = "has" if norm.remembers else "has no"
        what = f"track_running_stats={tracks}, and it {has} running_mean and running_var"
        yield known.FLAG_CHANGED, what


@of_each_norm
def several_calls(patient: Patient, name: str, norm: NormLayer) -> Seen:
    """Find layers whose running statistics are moved more than once in a forward pass."""
    count = len(patient.calls.get(name, []))
    if count > 1 and norm.remembers:
        yield known.SEVERAL_CALLS, f"called {count} times"


@of_each_norm
def neighbours(patient: Patient, name: str, norm: NormLayer) -> Seen:
    """Find a bias and dropout right before a norm that cannot use them."""
    before, sure, same_channels = _before(patient, name, norm)
    if before is None or norm.over not in ("batch", "instance"):
        return
    how = f"{before} runs right before it" if sure else f"{before} is registered before it"
    layer = patient.layer(before)
    if isinstance(layer, nn.Linear | _ConvNd) and layer.bias is not None and same_channels:
        doubt = "" if sure else "; give an example to be sure that it also runs there"
        yield known.SWALLOWED_BIAS, f"{how}, with {layer.bias.numel()} biases{doubt}"
    dropout = isinstance(layer, _DropoutNd) and layer.p > 0
    if dropout and sure and norm.over == "batch":
        yield known.DROPOUT_BEFORE, f"{how}, with p={layer.p}"


def _before(patient: Patient, name: str, norm: NormLayer) -> tuple[str | None, bool, bool]:
    """Return the layer before a norm, whether it surely runs there, and whether channels agree."""
    calls = patient.calls.get(name)
    if calls:
        same = all(call.same_channels for call in calls)
        return calls[0].before, True, same
    # Without an example: the layer registered before it. In an nn.Sequential that is where it runs.
    path, _, own = name.rpartition(".")
    parent = patient.parent(name)
    siblings = [sibling for sibling, _ in parent.named_children()]
    if own not in siblings[1:]:
        return None, False, False
    before = f"{path}.".lstrip(".") + siblings[siblings.index(own) - 1]
    layer = patient.layer(before)
    size = getattr(layer, "out_features", getattr(layer, "out_channels", None))
    return before, isinstance(parent, nn.Sequential), size == norm.size


@of_the_whole
def no_last_norm(patient: Patient) -> Iterator[Finding]:
    """Find pre-norm whose stream is read as it is."""
    for reader, norm in patient.bare_readers.items():
        what = f"it reads {norm}'s input plus what was added to it, with no norm in between"
        yield Finding(known.NO_LAST_NORM, reader, what)
    order = [name for name, _ in patient.model.named_modules()]
    for name, module in patient.model.named_modules():
        if not isinstance(module, nn.TransformerEncoder | nn.TransformerDecoder):
            continue
        first = module.layers[0]
        behind = order[max(i for i, one in enumerate(order) if one.startswith(name)) + 1 :]
        size = first.linear1.in_features
        normed = any(one in patient.norms and patient.norms[one].size == size for one in behind)
        if first.norm_first and module.norm is None and not normed:
            what = f"norm_first=True in its {len(module.layers)} layers, and its own norm is None"
            yield Finding(known.NO_LAST_NORM, name, what)


@of_each_norm
def around_0(patient: Patient, name: str, norm: NormLayer) -> Seen:
    """Find norm weights that look like what is to be added to 1."""
    if norm.over != "last" or norm.weight is None or norm.weight.numel() < 8:
        return
    weight = norm.weight.detach().double()
    negative = (weight < 0).double().mean().item()
    if 0.2 < negative < 0.8 and 0 < weight.abs().max() < 1:
        what = f"{negative:.0%} of its weights are below 0, and all are between -1 and 1"
        yield known.AROUND_0, what


QK_NAMES = {"q_norm", "k_norm", "qnorm", "knorm", "norm_q", "norm_k", "query_norm", "key_norm"}
V_NAMES = {"v_norm", "vnorm", "norm_v", "value_norm"}


@of_each_norm
def qk_axis(patient: Patient, name: str, norm: NormLayer) -> Seen:
    """Find a norm of queries or keys that is taken over something else than features.

    BatchNorm of queries and of values is no QK-norm but a lambda layer's (Bello, 2021).
    """
    siblings = {sibling for sibling, _ in patient.parent(name).named_children()}
    if norm.over == "batch" and siblings & V_NAMES:
        return
    if name.rpartition(".")[2] in QK_NAMES and norm.over in ("batch", "instance", "sample"):
        yield known.QK_AXIS, f"it does what {norm.like or type(norm.module).__name__} does"


@of_the_whole
def decayed(patient: Patient) -> Iterator[Finding]:
    """Find norms whose parameters the optimizer shrinks."""
    groups = [] if patient.optimizer is None else patient.optimizer.param_groups
    shrunk = {
        id(parameter): group["weight_decay"]
        for group in groups
        if group.get("weight_decay")
        for parameter in group["params"]
    }
    for name, norm in patient.norms.items():
        decays = [shrunk[id(p)] for p in norm.module.parameters() if id(p) in shrunk]
        if decays:
            yield Finding(known.DECAYED, name, f"weight_decay={decays[0]}")


@of_the_whole
def scripted(patient: Patient) -> Iterator[Finding]:
    """Name compiled models, each with what is in it."""
    inside: set[nn.Module] = set()
    for name, module in patient.model.named_modules():
        if isinstance(module, ScriptModule) and module not in inside:
            inside |= set(module.modules())
            yield Finding(known.SCRIPTED, name, unseen.count(module.modules()))


@of_the_whole
def unknown(patient: Patient) -> Iterator[Finding]:
    """Name what calls itself a norm, and is none that is known; and norms without numbers."""
    for name, module in patient.unknown.items():
        yield Finding(known.UNKNOWN_NORM, name, type(module).__name__)
    for name, reason in patient.unbuilt.items():
        yield Finding(known.NO_NUMBERS, name, f"{type(patient.layer(name)).__name__}, {reason}")


@of_the_whole
def by_hand(patient: Patient) -> Iterator[Finding]:
    """Name layers that are no norm, and normalize in a method of their own."""
    norms = (*patient.norms, *patient.unknown, *patient.unbuilt)
    inside = {inner for name in norms for inner in patient.layer(name).modules()}
    for name, module in patient.model.named_modules():
        if module not in inside and (called := unseen.by_hand(module)):
            what = f"{type(module).__name__} calls {', '.join(sorted(called))}"
            yield Finding(known.BY_HAND, name, what)
