"""Models with one planted condition each, and healthy ones."""

from collections import deque

import torch
from own_norms import OwnRMSNorm
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

from normlab.checkup import conditions as known
from normlab.training.transformer import PLACES, TinyTransformer


class Block(nn.Module):
    """A residual block as in ResNet: no bias before a norm, and a shortcut."""

    def __init__(self, before, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.bn2.weight)  # Goyal and others, 2017: begin as the identity
        self.shortcut = nn.Sequential(
            nn.Conv2d(before, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


def resnet():
    stem = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2)
    )
    ends = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(16, 10)
    return nn.Sequential(stem, Block(3 + 5, 8, 1), Block(8, 16, 2), *ends)


class PreActivation(nn.Module):
    """Norm, ReLU, convolution; registered in another order than they run. Its biases do work."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x):
        return x + self.conv(F.relu(self.norm(x)))


class ReluInPlace(nn.Module):
    """The bias before the norm does work: a ReLU writes over the output in between."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(5, 6)
        self.norm = nn.BatchNorm1d(6)

    def forward(self, x):
        return self.norm(F.relu_(self.fc(x)))


class TokenNorm(nn.Module):
    """BatchNorm over axis 1 of (N, L, D), where a linear layer's bias varies along D."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(5, 6)
        self.norm = nn.BatchNorm1d(7)

    def forward(self, x):
        return self.norm(self.fc(x))


class Transposed(TokenNorm):
    """The same, with the axes as BatchNorm1d wants them: here the bias is lost."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(6)

    def forward(self, x):
        return self.norm(self.fc(x).transpose(1, 2))


class Twice(nn.Module):
    """One norm for two inputs."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x):
        return self.norm(x), self.norm(-x)


class Listed(nn.Module):
    """Its norms are in a list that the module does not know of."""

    def __init__(self, kind=list):
        super().__init__()
        self.first = nn.Linear(4, 4)
        norms = [nn.Sequential(nn.BatchNorm1d(4)), nn.ReLU()]
        self.blocks = dict(enumerate(norms)) if kind is dict else kind(norms)

    def forward(self, x):
        return self.first(x)


class Bag:
    """A plain object, in which anything may be kept."""

    def __init__(self, **things):
        vars(self).update(things)


class Slotted:
    __slots__ = ("layer",)

    def __init__(self, layer):
        self.layer = layer


class Holding(nn.Module):
    """Holds something of which the model knows nothing."""

    def __init__(self, thing):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.thing = thing

    def forward(self, x):
        return self.first(x)


class GlobalResponseNorm(nn.Module):
    """A norm by name that is none over one choice of axes (Woo and others, 2023)."""

    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(size))
        self.bias = nn.Parameter(torch.zeros(size))
        self.eps = 1e-6

    def forward(self, x):  # (N, H, W, C)
        length = x.norm(p=2, dim=(1, 2), keepdim=True)
        share = length / (length.mean(dim=-1, keepdim=True) + self.eps)
        return x + self.bias + self.weight * (x * share)


def rms(x):
    return F.rms_norm(x, (x.shape[-1],))


class ByHand(nn.Module):
    """A block that normalizes in a function of its own, as nanochat does."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return x + self.fc(rms(x))


class Batched(ByHand):
    def forward(self, x):
        return F.batch_norm(self.fc(x), None, None, training=True)


class Standardizing(ByHand):
    def forward(self, x):
        x = self.fc(x)
        return (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True)


def _kept_graph():
    model = nn.BatchNorm1d(4)
    model.passing = torch.ones(1, requires_grad=True) * 2
    return model


def norm():
    return nn.BatchNorm1d(4)


def transformer():
    return nn.Transformer(16, 2, 2, 2, 32, batch_first=True)


def vision_transformer():
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True)
    return nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(16), enable_nested_tensor=False)


def _without_embeddings(model):
    """Take the part of a language model that reads numbers, so that a test may train it."""
    return nn.Sequential(model.blocks, model.last, model.scores)


def _pre_norm_encoder():
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


def trained(model, *example):
    """Give a model a few batches and steps, so that nothing is as on its first day."""
    torch.manual_seed(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(8):
        out = model(*(x + torch.randn_like(x) for x in example))
        optimizer.zero_grad()
        out.square().mean().backward()
        optimizer.step()
    return model.train()


HEALTHY = {
    "resnet": (resnet, (torch.randn(4, 3, 20, 20),)),
    "transformer": (transformer, (torch.randn(2, 5, 16), torch.randn(2, 4, 16))),
    "pre-norm encoder": (vision_transformer, (torch.randn(2, 5, 16),)),
    "pre-activation": (PreActivation, (torch.randn(4, 4, 6, 6),)),
    "ReLU in place": (ReluInPlace, (torch.randn(8, 5),)),
    "norm over tokens": (TokenNorm, (torch.randn(3, 7, 5),)),
    "GroupNorm": (
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8)),
        (torch.randn(2, 3, 6, 6),),
    ),
    "InstanceNorm": (
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.InstanceNorm2d(8, affine=True)),
        (torch.randn(2, 3, 6, 6),),
    ),
    "RMSNorm": (
        lambda: nn.Sequential(nn.Linear(5, 6), nn.RMSNorm(6), nn.ReLU(), nn.Linear(6, 2)),
        (torch.randn(3, 5),),
    ),
    "Keras's eps and momentum": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8, eps=1e-3, momentum=0.01)
        ),
        (torch.randn(4, 3, 6, 6),),
    ),
    "one image": (lambda: nn.BatchNorm2d(3), (torch.randn(1, 3, 6, 6),)),
    "dropout behind": (
        lambda: nn.Sequential(
            nn.Linear(5, 6, bias=False),
            nn.BatchNorm1d(6),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(6, 2),
        ),
        (torch.randn(8, 5),),
    ),
    **{
        f"a transformer's norms, {place}": (
            lambda place=place: _without_embeddings(TinyTransformer(place, 3, qk="each head")),
            (torch.randn(2, 8, 32),),
        )
        for place in (*PLACES, "rezero")
    },
    "linear layers between norms": (
        lambda: nn.Sequential(
            *(layer for _ in range(3) for layer in (nn.LayerNorm(6), nn.Linear(6, 6), nn.GELU())),
            nn.Linear(6, 6),
        ),
        (torch.randn(8, 6),),
    ),
    "an encoder with a norm behind it": (
        lambda: nn.Sequential(_pre_norm_encoder(), nn.LayerNorm(16), nn.Linear(16, 3)),
        (torch.randn(2, 5, 16),),
    ),
    "no norm at all": (lambda: nn.Linear(5, 6), (torch.randn(8, 5),)),
}


def _with(norm, **changes):
    for name, value in changes.items():
        setattr(norm, name, value)
    return norm


@torch.no_grad()
def _filled(norm, **values):
    for name, value in values.items():
        getattr(norm, name)[...] = value
    return norm


def _frozen_body():
    body = nn.Sequential(nn.Linear(5, 6, bias=False), nn.BatchNorm1d(6)).requires_grad_(False)
    return nn.Sequential(body, nn.ReLU(), nn.Linear(6, 2))


def _thawed_in_eval():
    model = nn.Sequential(nn.Linear(5, 6, bias=False), nn.BatchNorm1d(6)).eval()
    model[1].train()
    return model


def _still_in_training():
    model = nn.Sequential(nn.Linear(5, 6, bias=False), nn.BatchNorm1d(6))
    _filled(model[1], running_mean=0.5).eval()
    return model


def _teacher():
    return _filled(nn.BatchNorm1d(3), weight=torch.tensor([1.0, 2.0, 3.0])).eval()


def _old(norm):
    return _filled(norm, num_batches_tracked=500)


def _minus_1(model):
    for norm in model.modules():
        if isinstance(norm, nn.RMSNorm):
            nn.init.normal_(norm.weight, std=0.2)
    return model


ROWS, VECTORS = torch.randn(8, 5), torch.randn(8, 4)
TEXT = torch.randint(0, 96, (2, 8))

# For each plant: the model, an example or None, and the one condition that must be found.
PLANTED = {
    "one sample": (lambda: nn.BatchNorm1d(4), VECTORS[:1], known.ONE_VALUE),
    "one pixel of one image": (lambda: nn.BatchNorm2d(4), torch.randn(1, 4, 1, 1), known.ONE_VALUE),
    "one sample, nothing remembered": (
        lambda: nn.BatchNorm1d(4, affine=False),
        VECTORS[:1],
        known.ONE_VALUE,
    ),
    "two samples": (lambda: nn.BatchNorm1d(4), VECTORS[:2], known.TWO_VALUES),
    "groups of two units": (lambda: nn.GroupNorm(2, 4), VECTORS, known.TWO_VALUES),
    "group for each unit": (lambda: nn.GroupNorm(4, 4), VECTORS, known.ONE_NUMBER),
    "LayerNorm over one unit": (lambda: nn.LayerNorm(1), None, known.ONE_NUMBER),
    "InstanceNorm of one pixel": (
        lambda: nn.InstanceNorm2d(4),
        torch.randn(2, 4, 1, 1),
        known.ONE_NUMBER,
    ),
    "as many groups as channels": (lambda: nn.GroupNorm(4, 4), None, known.GROUPS_OF_ONE),
    "a norm left training": (_thawed_in_eval, None, known.TRAINS_IN_EVAL),
    "nothing remembered": (
        lambda: nn.BatchNorm1d(4, track_running_stats=False),
        None,
        known.ALWAYS_BATCH,
    ),
    "frozen body": (_frozen_body, None, known.LIVE_BUFFERS),
    "frozen, without affine": (
        lambda: nn.Sequential(
            nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4, affine=False)
        ).requires_grad_(False),
        None,
        known.LIVE_BUFFERS,
    ),
    "eval() left on": (_still_in_training, None, known.EVAL_IN_TRAINING),
    "teacher without buffers": (_teacher, None, known.UNMEASURED),
    "eval() on the first day": (lambda: nn.BatchNorm1d(4).eval(), None, known.NO_BATCH_YET),
    "NaN remembered": (
        lambda: _filled(nn.BatchNorm1d(4), running_mean=torch.tensor([0, torch.nan, 0, 0])),
        None,
        known.NOT_FINITE,
    ),
    "infinity remembered": (
        lambda: _filled(nn.BatchNorm1d(4), running_var=torch.inf),
        None,
        known.NOT_FINITE,
    ),
    "NaN learned": (lambda: _filled(nn.LayerNorm(4), weight=torch.nan), None, known.NOT_FINITE),
    "negative variance": (
        lambda: _filled(nn.BatchNorm1d(4), running_var=torch.tensor([1, -1e-3, 1, 1])),
        None,
        known.NEGATIVE_VARIANCE,
    ),
    "NaN in the input": (lambda: nn.LayerNorm(4), VECTORS / 0 * 0, known.BAD_INPUT),
    "table": (lambda: nn.InstanceNorm1d(8, affine=True), torch.randn(8, 5), known.TABLE),
    "table, seen without example": (
        lambda: nn.Sequential(nn.Linear(5, 6, bias=False), nn.InstanceNorm1d(6)),
        None,
        known.TABLE,
    ),
    "Keras's momentum": (lambda: nn.BatchNorm2d(4, momentum=0.99), None, known.MOMENTUM_REVERSED),
    "momentum beyond 1": (lambda: nn.BatchNorm2d(4, momentum=2.0), None, known.MOMENTUM_REVERSED),
    "momentum 0": (lambda: nn.BatchNorm2d(4, momentum=0.0), None, known.MOMENTUM_STILL),
    "InstanceNorm with momentum None": (
        lambda: nn.InstanceNorm2d(4, track_running_stats=True, momentum=None),
        None,
        known.MOMENTUM_STILL,
    ),
    "large eps": (lambda: nn.LayerNorm(4, eps=0.1), None, known.LARGE_EPS),
    "eps above the variance": (
        lambda: _filled(nn.BatchNorm1d(4), running_var=1e-7),
        None,
        known.LARGE_EPS,
    ),
    "eps 0": (lambda: nn.LayerNorm(4, eps=0.0), None, known.NO_EPS),
    "bias in a Sequential": (
        lambda: nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6)),
        None,
        known.SWALLOWED_BIAS,
    ),
    "bias, seen in a run": (
        lambda: nn.Sequential(nn.Linear(5, 6), nn.Identity(), nn.BatchNorm1d(6)),
        ROWS,
        known.SWALLOWED_BIAS,
    ),
    "bias of a convolution": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)),
        torch.randn(2, 3, 4, 4),
        known.SWALLOWED_BIAS,
    ),
    "bias, transposed": (Transposed, torch.randn(3, 7, 5), known.SWALLOWED_BIAS),
    "bias before InstanceNorm": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.InstanceNorm2d(4)),
        torch.randn(2, 3, 4, 4),
        known.SWALLOWED_BIAS,
    ),
    "half": (lambda: nn.BatchNorm1d(4).half(), None, known.HALF_BUFFERS),
    "bfloat16": (lambda: nn.BatchNorm1d(4).bfloat16(), None, known.HALF_BUFFERS),
    "dropout in a Sequential": (
        lambda: nn.Sequential(nn.Dropout(0.3), nn.BatchNorm1d(5)),
        None,
        known.DROPOUT_BEFORE,
    ),
    "dropout, seen in a run": (
        lambda: nn.Sequential(nn.Dropout(0.3), nn.Flatten(), nn.BatchNorm1d(5)),
        ROWS,
        known.DROPOUT_BEFORE,
    ),
    "two calls": (Twice, VECTORS, known.SEVERAL_CALLS),
    "pre-norm encoder without a norm": (_pre_norm_encoder, None, known.NO_LAST_NORM),
    "pre-norm of one's own without a last norm": (
        lambda: TinyTransformer("pre", 2, last=False),
        TEXT,
        known.NO_LAST_NORM,
    ),
    "w - 1 read as w": (lambda: _minus_1(TinyTransformer("pre", 2)), TEXT, known.AROUND_0),
    "queries normalized over the tokens": (
        lambda: nn.ModuleDict({"q_norm": nn.InstanceNorm1d(8, affine=True)}),
        None,
        known.QK_AXIS,
    ),
    "list": (Listed, None, known.HIDDEN),
    "tuple": (lambda: Listed(tuple), None, known.HIDDEN),
    "dict": (lambda: Listed(dict), None, known.HIDDEN),
    "weight near 0": (lambda: _filled(nn.LayerNorm(4), weight=1e-5), None, known.DEAD_WEIGHT),
    "weight 0 after 500 batches": (
        lambda: _filled(_old(nn.BatchNorm1d(4)), weight=0.0),
        None,
        known.DEAD_WEIGHT,
    ),
    "flag set later": (
        lambda: _with(nn.BatchNorm1d(4), track_running_stats=False),
        None,
        known.FLAG_CHANGED,
    ),
    "flag set later, evaluated": (
        lambda: _with(_filled(nn.BatchNorm2d(4), running_mean=1), track_running_stats=False).eval(),
        torch.randn(2, 4, 3, 3),
        known.FLAG_CHANGED,
    ),
    "flag of InstanceNorm set later": (
        lambda: _with(nn.InstanceNorm1d(4), track_running_stats=True),
        None,
        known.FLAG_CHANGED,
    ),
    "list in a list": (lambda: Holding([[nn.Linear(4, 4), norm()]]), None, known.HIDDEN),
    "dict of lists": (lambda: Holding({"a": {"b": [norm()]}}), None, known.HIDDEN),
    "set": (lambda: Holding({norm()}), None, known.HIDDEN),
    "deque": (lambda: Holding(deque([norm()])), None, known.HIDDEN),
    "plain object": (lambda: Holding(Bag(layer=norm())), None, known.HIDDEN),
    "object in a list in an object": (
        lambda: Holding(Bag(inner=[Bag(layer=nn.Sequential(norm()))])),
        None,
        known.HIDDEN,
    ),
    "slots": (lambda: Holding(Slotted(norm())), None, known.HIDDEN),
    "norm of one's own in a list": (lambda: Holding([OwnRMSNorm(4)]), None, known.HIDDEN),
    "linear layers in a list": (
        lambda: Holding([nn.Linear(4, 4), [nn.Linear(4, 4)]]),
        None,
        known.HIDDEN_LAYERS,
    ),
    "unknown norm": (lambda: GlobalResponseNorm(4), None, known.UNKNOWN_NORM),
    "norm in a function": (ByHand, None, known.BY_HAND),
    "functional batch norm": (Batched, VECTORS, known.BY_HAND),
    "standard deviation in forward": (Standardizing, None, known.BY_HAND),
    "scripted": (lambda: torch.jit.script(nn.Sequential(norm())), VECTORS, known.SCRIPTED),
    "scripted part": (
        lambda: nn.Sequential(nn.Linear(4, 4), torch.jit.script(norm())),
        None,
        known.SCRIPTED,
    ),
    "meta": (lambda: nn.Sequential(norm()).to("meta"), None, known.NO_NUMBERS),
    "meta, with an example": (
        lambda: nn.Sequential(norm(), nn.LayerNorm(4)).to("meta"),
        VECTORS.to("meta"),
        known.NO_NUMBERS,
    ),
    "meta, of a class of its own": (lambda: OwnRMSNorm(4).to("meta"), None, known.NO_NUMBERS),
    "lazy": (nn.LazyBatchNorm1d, None, known.NO_NUMBERS),
    "example without a batch": (norm, VECTORS[0], known.EXAMPLE_FAILED),
    "example in a list": (norm, [VECTORS], known.EXAMPLE_FAILED),
    "example with labels": (norm, (VECTORS, torch.zeros(8)), known.EXAMPLE_FAILED),
    "example of NumPy": (norm, VECTORS.numpy(), known.EXAMPLE_FAILED),
    "example of bytes": (norm, VECTORS.to(torch.uint8), known.EXAMPLE_FAILED),
    "example of another name": (norm, {"images": VECTORS}, known.EXAMPLE_FAILED),
    "model that cannot be copied": (_kept_graph, VECTORS, known.NOT_RUN),
}
