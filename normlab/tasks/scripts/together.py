"""What the scripts of torch tasks share. No answer is in it."""

import copy
import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

_Network = TypeVar("_Network", bound=nn.Module)

# The first optimizer imports torch's compiler, for seconds: they shall not count as the learner's.
torch.optim.SGD([torch.zeros(1, requires_grad=True)])


def undisturbed(use: Callable) -> Callable:
    """Let a script compute in float64, on one thread, and leave torch's settings as they were."""

    @functools.wraps(use)
    def run(*arguments: Any, **more: Any) -> Any:
        dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(1)
        try:
            with torch.random.fork_rng(devices=[]), torch.enable_grad():
                torch.manual_seed(0)
                return use(*arguments, **more)
        finally:
            torch.set_num_threads(threads)
            torch.set_default_dtype(dtype)

    return run


def plain(value: Any) -> Any:
    """Turn a tensor into an array of its own; leave anything else as it is."""
    return value.detach().numpy().copy() if isinstance(value, Tensor) else value


def as_network(value: Any) -> nn.Module:
    """Return what a program gave back, if it is a network."""
    if not isinstance(value, nn.Module):
        raise TypeError(f"a torch.nn.Module is asked for, and this is a {type(value).__name__}")
    return value


def joined(tensors: Iterable[Tensor]) -> np.ndarray:
    """Lay all numbers of some tensors behind each other."""
    return np.concatenate([t.detach().double().numpy().ravel() for t in tensors])


def filled(network: _Network, seed: int) -> _Network:
    """Give every parameter and running statistic a number of its own, as after some training."""
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.endswith("num_batches_tracked"):
                value.fill_(7)
            elif name.endswith("running_var"):
                value.copy_(torch.from_numpy(rng.uniform(0.5, 2, value.shape)))
            else:
                value.copy_(torch.from_numpy(rng.normal(size=value.shape)))
    return network


def running_statistics(network: nn.Module) -> list[Tensor]:
    """List the running means and variances, without the counters."""
    return [value for name, value in network.named_buffers() if "running" in name]


def counters(network: nn.Module) -> list[Tensor]:
    """List the counters of batches."""
    return [value for name, value in network.named_buffers() if "tracked" in name]


def refilled(network: nn.Module, weights: np.ndarray, buffers: np.ndarray) -> nn.Module:
    """Give a network the numbers that `joined` took out of another of its kind."""
    for values, numbers in ((network.parameters(), weights), (network.buffers(), buffers)):
        tensors = list(values)
        parts = torch.from_numpy(numbers).double().split([tensor.numel() for tensor in tensors])
        with torch.no_grad():
            for tensor, part in zip(tensors, parts, strict=True):
                tensor.copy_(part.view_as(tensor))
    return network


def modes_of(network: nn.Module) -> np.ndarray:
    """Return a number for each module: 1 in training mode, -1 in evaluation mode."""
    return np.array([1.0 if module.training else -1.0 for module in network.modules()])


def asked(network: nn.Module, rows: Tensor) -> np.ndarray:
    """Return the answer of a copy, in the modes in which the network is."""
    with torch.no_grad():
        return plain(copy.deepcopy(network)(rows))


def left_by(network: nn.Module, rows: Tensor) -> tuple[np.ndarray, ...]:
    """Return what a program has left: the weights, the buffers, the modes, and what it answers."""
    weights, buffers = joined(network.parameters()), joined(network.buffers())
    return weights, buffers, modes_of(network), asked(network, rows)


def shapes_left(network: nn.Module) -> dict[str, Any]:
    """Name what `left_by` returns, with its shapes, but for the answer."""
    arrays = joined(network.parameters()), joined(network.buffers()), modes_of(network)
    names = ("weights", "buffers", "modes")
    return {name: array.shape for name, array in zip(names, arrays, strict=True)}


def borne_out(
    modes: np.ndarray, network: nn.Module, rows: np.ndarray, answer: np.ndarray
) -> np.ndarray:
    """Return the modes if a network in these modes gives this answer, and else 0 for each.

    What a network says of its modes is its word; what it answers in them is not. The network has
    the numbers of the one that answered.
    """
    for module, mode in zip(network.modules(), modes, strict=True):
        module.training = bool(mode > 0)
    right = asked(network, torch.from_numpy(rows))
    same = right.shape == answer.shape and np.allclose(right, answer, rtol=1e-6, equal_nan=True)
    return modes if same else np.zeros_like(modes)


def hidden_layer(inputs: int, outputs: int) -> nn.Sequential:
    """Return a linear layer with BatchNorm and ReLU behind it."""
    return nn.Sequential(nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU())
