"""Make a model, give a program its state_dict, and say which modules the answer names."""

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from normlab.tasks.scripts.together import undisturbed


def model(kind: int) -> nn.Module:
    """Make one of four models, in which not every norm remembers."""
    return (_dense, _images, _twins, lambda: nn.BatchNorm1d(4))[kind]()


def _dense() -> nn.Module:
    layers = {"fc1": nn.Linear(6, 5), "bn1": nn.BatchNorm1d(5), "act": nn.ReLU()}
    layers |= {"fc2": nn.Linear(5, 3), "second": nn.BatchNorm1d(3), "bn_like": nn.Linear(3, 2)}
    return nn.Sequential(OrderedDict(layers))


def _images() -> nn.Module:
    body = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4, affine=False),
        nn.GroupNorm(2, 4),
        nn.Conv2d(4, 6, 3),
        nn.BatchNorm2d(6),
        nn.InstanceNorm2d(6, affine=True),
    )
    return nn.ModuleDict({"body": body, "head": nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 2))})


def _twins() -> nn.Module:
    def tower() -> nn.Module:
        deep = nn.Sequential(nn.Linear(7, 7), nn.BatchNorm1d(7), nn.BatchNorm1d(7))
        return nn.ModuleDict({"z": deep, "a": nn.BatchNorm1d(2, track_running_stats=False)})

    return nn.ModuleDict({"right": tower(), "left": tower(), "end": nn.BatchNorm1d(1)})


def filled_state(network: nn.Module, seed: int, tiny: float) -> dict[str, torch.Tensor]:
    """Give it numbers: some channels never vary, some means and weights are as small as that."""
    rng = np.random.default_rng(seed)
    state = network.state_dict()
    batches = list(rng.permutation(np.arange(11, 40)))
    for key, value in state.items():
        if key.endswith("num_batches_tracked"):
            value.fill_(int(batches.pop()))
            continue
        numbers = np.asarray(rng.uniform(0.5, 2, value.shape))
        # The first of a running variance; of others the first two, so that counts differ.
        small = 1 if key.endswith("running_var") else 2
        if value.dim() == 1:
            numbers[:small] = tiny / rng.uniform(2, 20)
        if key.endswith("running_var") and len(value) > 3:
            numbers[1:3] = 0.0, (tiny / 3) ** 2  # of the small ones one whose root is small, too
        value.copy_(torch.from_numpy(numbers))
    return state


@undisturbed
def use(answer: Callable, kind: int, seed: int, tiny: float) -> tuple:
    """Return the places of the named modules among all, and what is said of each, (K,) each."""
    network = model(kind)
    state = filled_state(network, seed, tiny)
    found = answer(state, tiny)
    places = {name: place for place, (name, _) in enumerate(network.named_modules())}
    rows = []
    for one in found:
        if not isinstance(one, tuple | list) or len(one) != 4 or not isinstance(one[0], str):
            raise TypeError(f"each entry is to be (name, channels, batches, still), not {one!r}")
        name, *numbers = one
        rows.append([places.get(name, -1), *(float(number) for number in numbers)])
    columns = np.array(rows).reshape(-1, 4).T
    return tuple(columns)
