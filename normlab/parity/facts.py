"""All norms of the course in one list, and what can be read off the layers themselves.

Which values share a statistic, what a layer learns and remembers, whether `eval()` changes its
answer: none of it is written down here. `observe` finds it out by running torch's layers, so that
a table of it cannot be wrong. Where a norm is used is written down, each with its source.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from normlab.parity.relatives import AdaLayerNorm, TorchQKNorm, standardized
from normlab.training.transformer import DynamicTanh

# The block of the course's picture: samples N, channels C, positions L.
SHAPE = (4, 6, 5)
# How long the vector is that tells a norm what to do.
KNOWN = 7


class OnTokens(nn.Module):
    """A layer of the last axis, run on ``(N, C, L)``: each position is a token of C features."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Turn the channels to the end, run the layer, and turn them back."""
        return self.layer(x.transpose(1, 2)).transpose(1, 2)  # (N, C, L)


@dataclass(frozen=True)
class Norm:
    """A norm of the course, by its name, with how it is applied where there are several ways."""

    name: str
    # Takes the number of channels C and of positions L, and gives torch's layer for (N, C, L).
    build: Callable[[int, int], nn.Module]
    used: str  # where, each with author and year
    lesson: str  # that derives it
    # Whether it normalizes a layer's weights rather than data. It is observed on a layer that mixes
    # channels and leaves positions apart.
    of_weights: bool = False


def _pointwise(channels: int) -> nn.Conv1d:
    return nn.Conv1d(channels, channels, kernel_size=1)


# How each is built; where it is used, and the lesson that derives it.
_BUILD: dict[str, Callable[[int, int], nn.Module]] = {
    "BatchNorm": lambda channels, _: nn.BatchNorm1d(channels),
    "SyncBatchNorm, one worker": lambda channels, _: nn.SyncBatchNorm(channels),
    "InstanceNorm": lambda channels, _: nn.InstanceNorm1d(channels),
    "LayerNorm, images": lambda channels, positions: nn.LayerNorm([channels, positions]),
    "GroupNorm, 2 groups": lambda channels, _: nn.GroupNorm(2, channels),
    "LocalResponseNorm": lambda *_: nn.LocalResponseNorm(5),
    "LayerNorm, tokens": lambda channels, _: OnTokens(nn.LayerNorm(channels)),
    "RMSNorm, tokens": lambda channels, _: OnTokens(nn.RMSNorm(channels)),
    "Dynamic Tanh": lambda channels, _: OnTokens(DynamicTanh(channels)),
    "QK-norm, 2 heads": lambda channels, _: OnTokens(TorchQKNorm(2, channels // 2)),
    "AdaLN": lambda channels, _: OnTokens(AdaLayerNorm(channels, KNOWN)),
    # Norms of weights, at the end.
    "weight norm": lambda channels, _: parametrizations.weight_norm(_pointwise(channels)),
    "spectral norm": lambda channels, _: parametrizations.spectral_norm(_pointwise(channels)),
    "weight standardization": lambda channels, _: standardized(_pointwise(channels)),
}
_USED = {
    "BatchNorm": ("image classification (He et al. 2016)", "02"),
    "SyncBatchNorm, one worker": ("detection on several GPUs (Peng et al. 2018)", "09"),
    "InstanceNorm": ("style transfer (Ulyanov et al. 2016)", "07"),
    "LayerNorm, images": ("a comparison in Wu & He 2018; rarely else", "06"),
    "GroupNorm, 2 groups": ("detection, video (Wu & He 2018)", "08"),
    "LocalResponseNorm": ("AlexNet (Krizhevsky et al. 2012)", "09"),
    "LayerNorm, tokens": ("transformers (Vaswani et al. 2017)", "06"),
    "RMSNorm, tokens": ("language models (Touvron et al. 2023)", "09"),
    "Dynamic Tanh": ("transformers, an experiment (Zhu et al. 2025)", "09"),
    "QK-norm, 2 heads": ("queries and keys (Henry et al. 2020)", "14"),
    "AdaLN": ("diffusion (Peebles & Xie 2022)", "15"),
    "weight norm": ("speech synthesis (Kong et al. 2020)", "09"),
    "spectral norm": ("GAN discriminators (Miyato et al. 2018)", "09"),
    "weight standardization": ("ResNets with GroupNorm (Qiao et al. 2019)", "14"),
}
_OF_WEIGHTS = ("weight norm", "spectral norm", "weight standardization")
ALL_NORMS = tuple(
    Norm(name, build, *_USED[name], name in _OF_WEIGHTS) for name, build in _BUILD.items()
)
# Those of the table of lesson 09, and those of the lessons behind it.
NORMS = tuple(norm for norm in ALL_NORMS if norm.lesson <= "09")
LATER_NORMS = tuple(norm for norm in ALL_NORMS if norm.lesson > "09")


@dataclass(frozen=True)
class Observed:
    """What a layer shows when it is run."""

    # bool, (N, C, L): in training mode, the inputs that the front, right output depends on.
    cells: np.ndarray
    parameters: dict[str, tuple[int, ...]]  # for each name its shape
    buffers: dict[str, tuple[int, ...]]
    answers_alike: bool  # in training mode and in evaluation mode
    moves_buffers: bool  # in a forward pass in training mode
    # Whether adding 3 to every input, or doubling every input, leaves the output as it was, but for
    # `eps`. For a norm of weights it is the weights that are doubled.
    blind_to_shift: bool
    blind_to_scale: bool


def observe(norm: Norm, shape: tuple[int, int, int] = SHAPE) -> Observed:
    """Build a norm for ``(N, C, L)``, run it on random numbers, and say what it did."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer = norm.build(*shape[1:]).double().train()
        x = torch.randn(shape, dtype=torch.float64)  # (N, C, L)
    before = [buffer.clone() for buffer in layer.buffers()]
    y = layer(x).detach()
    moved = any(not torch.equal(*pair) for pair in zip(before, layer.buffers(), strict=True))
    return Observed(
        cells=_inputs_of_one_output(layer, x),
        parameters={name: tuple(p.shape) for name, p in layer.named_parameters()},
        buffers={name: tuple(b.shape) for name, b in layer.named_buffers()},
        answers_alike=_same(layer(x), _in_evaluation(layer, x)),
        moves_buffers=moved,
        blind_to_shift=not norm.of_weights and _same(layer(x + 3), y),
        blind_to_scale=_weights_doubled(layer, x) if norm.of_weights else _same(layer(2 * x), y),
    )


def seconds_per_step(
    norms: Sequence[Norm] = NORMS, shape: tuple[int, int, int] = (32, 64, 196), repeats: int = 15
) -> dict[str, float]:
    """Measure how long a forward and a backward pass take, in float32.

    Of `repeats` timings the quickest counts. The norms take turns, so that all see the same moods
    of the machine. For a norm of weights it is what it adds to its layer.
    """
    layers = {norm.name: norm.build(*shape[1:]) for norm in norms}
    x, dy = torch.randn(2, *shape)
    layers[""] = _pointwise(shape[1])  # bare
    turns = [
        {name: _seconds(layer, x, dy) for name, layer in layers.items()} for _ in range(repeats)
    ]
    least = {name: min(turn[name] for turn in turns) for name in layers}
    return {n.name: max(0.0, least[n.name] - least[""] * n.of_weights) for n in norms}


def averaged(cells: np.ndarray) -> str:
    """Say in words over which axes the coloured cells ``(N, C, L)`` reach: ``"N and L"``."""
    reached = []
    for name, size, index in zip("NCL", cells.shape, np.nonzero(cells), strict=True):
        count = np.unique(index).size
        if count > 1:
            reached.append(name if count == size else f"{count} of {size} C")
    return " and ".join(reached) or "nothing"


class FactTable:
    """A table of norms that shows itself in a notebook, and prints as Markdown.

    `seconds` is what `seconds_per_step` gives, for a column of its own; `rows` are the cells of
    each line, the header first.
    """

    def __init__(
        self, norms: Sequence[Norm] = NORMS, seconds: dict[str, float] | None = None
    ) -> None:
        header = ["", "averages over", "does not see", "learns", "remembers", "train and eval"]
        self.rows = [[*header, *([] if seconds is None else ["step"]), "used in"]]
        for norm in norms:
            cost = [] if seconds is None else [f"{1000 * seconds[norm.name]:.1f} ms"]
            self.rows.append([norm.name, *_cells(norm), *cost, norm.used])

    def _repr_markdown_(self) -> str:
        head, *rest = (f"| {' | '.join(row)} |" for row in self.rows)
        return "\n".join([head, "|---" * len(self.rows[0]) + "|", *rest])

    __str__ = __repr__ = _repr_markdown_


def _cells(norm: Norm) -> list[str]:
    seen = observe(norm)
    over = "weights" if norm.of_weights else averaged(seen.cells)
    learnt, remembered = _names(seen.parameters), _names(seen.buffers)
    return [over, _blind_to(norm, seen), learnt, remembered, _modes(seen)]


def _blind_to(norm: Norm, seen: Observed) -> str:
    both = {"shift": seen.blind_to_shift, "scale": seen.blind_to_scale}
    blind = [word for word, is_blind in both.items() if is_blind]
    what = ", ".join(blind) or "nothing"
    return f"{what} of weights" if norm.of_weights and blind else what


def _names(shapes: dict[str, tuple[int, ...]]) -> str:
    """Name parameters or buffers with their shapes; a layer inside another is not named."""
    words = [f"{name.rsplit('.', 1)[-1]} {_letters(shape)}" for name, shape in shapes.items()]
    return ", ".join(words) or "nothing"


def _letters(shape: tuple[int, ...]) -> str:
    """Write a shape with the letters of the block in place of its sizes."""
    channels = SHAPE[1]
    letters = dict(zip(SHAPE, "NCL", strict=True))
    letters |= {2 * channels: "2C", channels // 2: "C/2", KNOWN: "K"}
    inside = ", ".join(letters.get(size, str(size)) for size in shape)
    return f"({inside}{',' if len(shape) == 1 else ''})" if shape else "()"


def _modes(seen: Observed) -> str:
    if not seen.answers_alike:
        return "differ"
    return "alike; training moves its memory" if seen.moves_buffers else "alike"


def _inputs_of_one_output(layer: nn.Module, x: Tensor) -> np.ndarray:
    x = x.clone().requires_grad_()
    (grad,) = torch.autograd.grad(layer(x)[0, -1, 0], x)
    return (grad != 0).numpy()


def _in_evaluation(layer: nn.Module, x: Tensor) -> Tensor:
    layer.eval()
    y = layer(x)
    layer.train()
    return y


def _weights_doubled(layer: nn.Module, x: Tensor) -> bool:
    layer.eval()  # keeps the memory still between the two
    y = layer(x)
    *_, last = layer.get_submodule("parametrizations.weight").parameters()
    with torch.no_grad():
        last.mul_(2)
    return _same(layer(x), y)


def _same(one: Tensor, other: Tensor) -> bool:
    # Loose enough for eps, which a doubled input feels a little less.
    return torch.allclose(one, other, rtol=0, atol=1e-3)


def _seconds(layer: nn.Module, x: Tensor, dy: Tensor) -> float:
    x = x.clone().requires_grad_()
    start = time.perf_counter()
    layer(x).backward(dy)
    return time.perf_counter() - start
