"""A norm layer as the checks see it: torch's own, or one that was recognized by what it does."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.nn.modules.lazy import LazyModuleMixin

# What torch's own norms are, and what a class of one's own may be called that does the same.
Known = _BatchNorm | _InstanceNorm | nn.GroupNorm | nn.LayerNorm | nn.RMSNorm
EPS = ("eps", "epsilon", "variance_epsilon", "norm_eps")


@dataclass(frozen=True)
class NormLayer:
    """A norm layer."""

    module: nn.Module
    # What shares a mean: "batch" (each channel), "instance" (each channel of each sample), "group",
    # "sample" (all of it), "channels" (of each position), "last" (the last axes), or "nothing" (it
    # uses its running statistics alone).
    over: str
    weight: Tensor | None = None
    bias: Tensor | None = None
    running_mean: Tensor | None = None
    running_var: Tensor | None = None
    momentum: float | None = None  # the share of a new batch in them; None for a plain average
    eps: float | None = None  # as far as it is known
    size: int | None = None  # the number of channels, or of numbers in the last axes
    groups: int = 1
    like: str = ""  # what torch calls a layer that does this; empty for torch's own

    @property
    def training(self) -> bool:
        """Whether the layer is in training mode."""
        return self.module.training

    @property
    def remembers(self) -> bool:
        """Whether it has running statistics."""
        return self.running_mean is not None and self.running_var is not None

    @property
    def uses_its_input(self) -> bool:
        """Whether it takes its statistics from the input, in its present mode."""
        return self.over != "nothing" and (self.training or not self.remembers)

    def values_per_statistic(self, shape: tuple[int, ...]) -> int:
        """Return how many numbers of an input each mean is taken over."""
        if self.over == "last":
            return self.size or shape[-1]
        if self.over == "instance":
            # torch's own take an input without a batch, too.
            kinds = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
            axes = [axes for axes, kind in enumerate(kinds, 1) if isinstance(self.module, kind)]
            return math.prod(shape[-(axes or [len(shape) - 2])[0] :])
        if self.over == "channels":
            return shape[1]
        if self.over in ("group", "sample"):
            return math.prod(shape[1:]) // self.groups
        return math.prod(shape) // shape[1]

    def arrays(self) -> Iterator[tuple[str, Tensor]]:
        """Yield its parameters and buffers, by name."""
        yield from self.module.named_parameters()
        yield from self.module.named_buffers()
        for name, value in (("mean", self.running_mean), ("variance", self.running_var)):
            if value is not None and not any(value is buffer for buffer in self.module.buffers()):
                yield f"the remembered {name}", value


def known(module: nn.Module) -> NormLayer | None:
    """Describe one of torch's own norms; None if it is none, or holds no numbers yet."""
    if not isinstance(module, Known) or without_numbers(module):
        return None
    size = getattr(module, "num_features", getattr(module, "num_channels", None))
    if isinstance(module, nn.LayerNorm | nn.RMSNorm):
        over, size = "last", math.prod(module.normalized_shape)
    elif isinstance(module, nn.GroupNorm):
        over = "group"
    else:
        over = "instance" if isinstance(module, _InstanceNorm) else "batch"
    return NormLayer(
        module,
        over,
        module.weight,
        getattr(module, "bias", None),
        getattr(module, "running_mean", None),
        getattr(module, "running_var", None),
        getattr(module, "momentum", None),
        module.eps,
        size,
        getattr(module, "num_groups", 1),
    )


def without_numbers(module: nn.Module) -> str:
    """Say why a layer's tensors hold no numbers; empty if they do, or if there are none."""
    if isinstance(module, LazyModuleMixin) and module.has_uninitialized_params():
        return "lazy, and not built yet"
    if any(tensor.is_meta for tensor in (*module.parameters(), *module.buffers())):
        return "on the meta device, which has shapes and no numbers"
    return ""
