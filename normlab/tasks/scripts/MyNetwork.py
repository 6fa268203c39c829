"""Make a network, look at its layers, give them numbers, and use it in both modes."""

import functools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from normlab.tasks.scripts.together import joined, plain, running_statistics, undisturbed


@undisturbed
def use(make: Callable, x: np.ndarray, seed: int) -> tuple:
    """Show it x (3, N, 784): two batches in training mode, and one in evaluation mode."""
    network = make()
    linear = sorted(_of_kind(network, nn.Linear), key=lambda layer: -layer.in_features)
    norms = sorted(_of_kind(network, nn.BatchNorm1d), key=lambda layer: -layer.num_features)
    for layer in (*linear, *norms):
        _fill(layer, seed)
    first, second, test = torch.from_numpy(x)
    network.train()
    network(first)
    trained = plain(network(second))
    network.eval()
    tested = network(test)
    return (
        np.array([[layer.in_features, layer.out_features] for layer in linear]),
        np.array([layer.num_features for layer in norms]),
        trained,
        plain(tested),
        joined([torch.empty(0), *(value for norm in norms for value in running_statistics(norm))]),
        _answer_to_images(network, test),
    )


def _answer_to_images(network: nn.Module, vectors: Tensor) -> np.ndarray:
    """Return the answer to images of the same numbers as vectors; nothing where it takes none."""
    try:
        return plain(network(vectors.unflatten(1, (1, 28, 28))))
    except (RuntimeError, ValueError):  # what torch raises about shapes
        return np.empty(0)


def _of_kind(network: nn.Module, kind: type) -> list:
    return [module for module in network.modules() if isinstance(module, kind)]


def _fill(layer: nn.Module, seed: int) -> None:
    """Give a layer numbers that depend on its sizes alone, and not on its place or name."""
    sizes = tuple(tuple(value.shape) for value in layer.state_dict().values())
    layer.load_state_dict(_numbers(isinstance(layer, nn.BatchNorm1d), sizes, seed), strict=False)


@functools.lru_cache(maxsize=64)
def _numbers(is_norm: bool, sizes: tuple, seed: int) -> dict[str, Tensor]:
    rng = np.random.default_rng([seed, *(size for shape in sizes for size in shape)])
    if is_norm:
        (channels,) = sizes[0]
        return {
            "weight": torch.from_numpy(rng.uniform(0.5, 2, channels)),
            "bias": torch.from_numpy(rng.normal(size=channels)),
        }
    return {
        name: torch.from_numpy(rng.normal(size=shape) / 10)
        for name, shape in zip(("weight", "bias"), sizes, strict=False)
    }
