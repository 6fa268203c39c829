"""The residual stream of a transformer, with a norm in each of five places, and QK-norm.

torch has no such layers: each model's file writes them anew. Here they are in one form, so that
what differs between models is which of three sockets holds a norm.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import DTypeLike

from normlab.nn.module import Module
from normlab.nn.normalization import RMSNorm


class Residual(Module):
    """One step of the stream: ``y = on_sum(x + after(branch(before(x))))``.

    With several branches, what they give is added up. The layers inside keep their parameters
    and gradients themselves.

    Parameters
    ----------
    *branches
        Layers that read the stream (*, D), such as an attention or an MLP.
    before, after, on_sum
        A norm for each socket, or None.

    Raises
    ------
    RuntimeError
        `backward` without a forward pass; and whatever the layers inside raise.

    References
    ----------
    Vaswani et al., 2017, "Attention Is All You Need" (`on_sum`); Xiong et al., 2020, "On Layer
    Normalization in the Transformer Architecture" (`before`);
    `torch.nn.TransformerEncoderLayer` is both, with `norm_first` or without.
    """

    def __init__(
        self,
        *branches: Module,
        before: Module | None = None,
        after: Module | None = None,
        on_sum: Module | None = None,
    ) -> None:
        super().__init__()
        self.branches = branches
        self.before, self.after, self.on_sum = before, after, on_sum

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return the stream one step later."""
        read = _through(self.before, input)
        step = _through(self.after, _sum(branch(read) for branch in self.branches))
        self._context = input
        return _through(self.on_sum, input + step)

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Carry the gradient back on both roads: around the branches, and through them."""
        self._check_called()
        around = _back(self.on_sum, np.asarray(grad_output))
        step = _back(self.after, around)
        read = _sum(branch.backward(step) for branch in self.branches)
        return around + _back(self.before, read)


class Block(Module):
    """A transformer's block: an attention and an MLP, and norms in one of five places.

    Parameters
    ----------
    place
        ``"pre"`` x + f(Nx); ``"post"`` N(x + f(x)); ``"sandwich"`` x + N f(Nx); ``"out"``
        x + N f(x); ``"parallel"`` x + f(Nx) + g(Nx), with one N.
    attention, mlp
        The branches f and g: layers with a `backward`.
    norm
        Makes a new norm at each call.

    Raises
    ------
    ValueError
        There is no such place.

    References
    ----------
    Pre and post: `torch.nn.TransformerEncoderLayer`. Sandwich: Kim et al., 2025, "Peri-LN". Out:
    OLMo et al., 2025, "2 OLMo 2 Furious". Each reads and gives a stream (*, D).
    """

    def __init__(
        self, place: str, attention: Module, mlp: Module, norm: Callable[[], Module]
    ) -> None:
        super().__init__()
        sockets = {"pre": ["before"], "post": ["on_sum"], "out": ["after"]}
        sockets |= {"sandwich": ["before", "after"], "parallel": ["before"]}
        if place not in sockets:
            raise ValueError(f"place must be one of {', '.join(sockets)}, got {place!r}")
        branches = [(attention, mlp)] if place == "parallel" else [(attention,), (mlp,)]
        self.steps = [
            Residual(*some, **{socket: norm() for socket in sockets[place]}) for some in branches
        ]

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return the stream (*, D) behind the block."""
        self._context = input
        for step in self.steps:
            input = step(input)
        return input

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Carry the gradient of the stream back, the last step first."""
        self._check_called()
        for step in reversed(self.steps):
            grad_output = step.backward(grad_output)
        return grad_output


class QKNorm(RMSNorm):
    """RMS normalization of each head of a projection (*, heads * head_dim), queries or keys.

    Parameters
    ----------
    heads
        How many there are: of the keys often fewer than of the queries.
    head_dim
        How many features a head has; the weight has as many, and all heads share it.
    eps, dtype
        As in `RMSNorm`.

    Raises
    ------
    ValueError
        Called on an input whose last axis is not heads * head_dim.

    References
    ----------
    Henry, Dachapally, Pawar & Chen, 2020, "Query-Key Normalization for Transformers"; in this
    form in Qwen 3 and Gemma 3, `torch.nn.RMSNorm` on (*, heads, head_dim).
    """

    _shown = "{heads}, {normalized_shape[0]}, eps={eps}"

    def __init__(
        self, heads: int, head_dim: int, eps: float | None = 1e-6, dtype: DTypeLike | None = None
    ) -> None:
        super().__init__(head_dim, eps, dtype=dtype)
        self.heads = heads

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Divide each head of each token by its root mean square."""
        heads = input.reshape(*input.shape[:-1], self.heads, -1)  # (*, heads, head_dim)
        return super().forward(heads).reshape(input.shape)

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Carry the gradient of the output back; see `Module.backward`."""
        grad_output = np.asarray(grad_output)
        heads = grad_output.reshape(*grad_output.shape[:-1], self.heads, -1)
        return super().backward(heads).reshape(grad_output.shape)


def _through(layer: Module | None, x: np.ndarray) -> np.ndarray:
    return x if layer is None else layer(x)


def _back(layer: Module | None, grad: np.ndarray) -> np.ndarray:
    return grad if layer is None else layer.backward(grad)


def _sum(arrays: Iterable[np.ndarray]) -> np.ndarray:
    first, *others = arrays
    return sum(others, first)
