"""What the word means, and what can be said of the two articles as a whole."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the name everyone knows it by

from normlab import nn as twins
from normlab.claims.evidence.tools import Seen, about, drawn, measured, moved_by, told
from normlab.training import recorded
from normlab.training.paired import sign_flip_p


@about("A1")
def one_function() -> Seen:
    length_one = F.normalize(torch.tensor([[3.0, 4.0]]))
    return Seen(
        "torch.normalize does not exist; F.normalize([3, 4]) is "
        f"[{length_one[0, 0]:.1f}, {length_one[0, 1]:.1f}], a length and no mean; the layers are "
        "other classes",
        holds=hasattr(torch, "normalize"),
    )


@about("A3")
def a_step_before_training() -> Seen:
    fixed = twins.Normalize((0.5,), (0.2,))  # the twin of torchvision's transform
    learns = [name for name, _ in nn.BatchNorm1d(3).named_parameters()]
    return Seen(
        f"true of the transform; the layers stand inside the network, learn {learns} and have "
        "two modes",
        holds=not learns,
        core=not hasattr(fixed, "weight"),
    )


@about("A5")
def because_networks_are_large() -> Seen:
    # Two weights are enough: one feature varies a hundred times as much as the other.
    features = np.stack([np.linspace(-1, 1, 50), 100 * np.cos(np.arange(50))], axis=1)  # (50, 2)
    raw, scaled = (np.linalg.cond(f.T @ f) for f in (features, features / features.std(0)))
    return Seen(
        f"two weights, 50 samples: the condition number falls from {raw:.0e} to {scaled:.1f} when "
        "both features have one scale; no large network is needed for that",
        holds=raw < 2 * scaled,  # if only large networks gained by it
        core=raw > 100 * scaled,
    )


@about("A6")
def function_or_module() -> Seen:
    x = drawn(8, 3)
    as_function = F.batch_norm(x, None, None, training=True)
    return Seen(
        "F.batch_norm and nn.BatchNorm1d give the same numbers",
        holds=torch.equal(as_function, nn.BatchNorm1d(3)(x)),
    )


@about("A7")
def four_kinds() -> Seen:
    named = ["BatchNorm1d", "LayerNorm", "InstanceNorm1d", "GroupNorm"]
    others = [n for n in ("RMSNorm", "LocalResponseNorm", "SyncBatchNorm") if hasattr(nn, n)]
    return Seen(
        f"the four are in torch.nn, and so are others: {', '.join(others)}",
        holds=all(hasattr(nn, name) for name in named),
    )


@about("A8")
def own_parameters_and_behaviour() -> Seen:
    kinds = [nn.BatchNorm1d(6), nn.LayerNorm([6, 5]), nn.InstanceNorm1d(6), nn.GroupNorm(2, 6)]
    states = {tuple(kind.state_dict()) for kind in kinds}
    behaviours = {tuple(moved_by(kind).flatten().tolist()) for kind in kinds}
    return Seen(
        f"{len(behaviours)} kinds, {len(behaviours)} behaviours, and {len(states)} sets of "
        "parameters and buffers: LayerNorm's and GroupNorm's have the same names",
        holds=len(states) == len(kinds),
        core=len(behaviours) == len(kinds),
    )


@about("A25")
def it_depends() -> Seen:
    def difference(network: str, size: int) -> np.ndarray:
        batch, layer = (
            measured("norms_by_batch_size", norm=norm, batch_size=size, lr_at_64=0.05)
            if network == "MLP"
            else measured("norms_cnn", norm=norm, lr=0.05)
            for norm in ("batch", "layer")
        )
        return batch - layer  # (seeds,)

    small, usual = difference("MLP", 2), difference("CNN", 64)
    return Seen(
        f"BatchNorm minus LayerNorm: {small.mean():+.1f} points in the MLP at batches of 2, "
        f"{usual.mean():+.1f} in the CNN at 64, ten seeds, both beyond chance; the order changes",
        holds=small.mean() < 0 < usual.mean() and max(map(sign_flip_p, (small, usual))) < 0.05,
    )


@about("A33")
def understanding_helps() -> Seen:
    diverged = measured("learning_rates", norm="batch", lr=10.0, images=60_000)
    return Seen(
        "understanding was not varied, and 'helps to ensure' names nothing that could fail; "
        f"BatchNorm at learning rate 10 ends at {told(diverged)}",
        argued="untestable",
    )


@about("B46")
def they_compared() -> Seen:
    return Seen(
        "no data set, architecture, seed or number is given; ours are in lessons 8 and 10, with "
        f"{len(recorded('norms_cnn').rows) + len(recorded('norms_mlp').rows)} trainings",
        argued="untestable",
    )
