"""LayerNorm, InstanceNorm, GroupNorm: which numbers share a mean."""

from functools import partial

import torch
from torch import nn

from normlab.claims.evidence.tools import Seen, about, complaint, drawn, moved_by


@about("A14")
def layer_not_batch() -> Seen:
    moved = moved_by(nn.LayerNorm([6, 5]))
    return Seen(
        "one number moves its own sample, and no other",
        holds=bool(moved[0].all() and not moved[1:].any()),
    )


@about("B43")
def features_of_each_sample() -> Seen:
    features = nn.LayerNorm(6)(drawn(4, 6)).detach()
    return Seen(
        "each sample's features come out with mean 0",
        holds=bool(features.mean(1).abs().max() < 1e-5),
    )


@about("A18")
def within_each_instance() -> Seen:
    moved = moved_by(nn.InstanceNorm1d(6))
    return Seen(
        "within each instance and each channel: one number moves its own channel only",
        holds=bool(moved[0].all()),
        core=not bool(moved[1:].any()),
    )


@about("A19")
def not_the_other_instances() -> Seen:
    moved = moved_by(nn.InstanceNorm1d(6))
    return Seen("no other instance moves", holds=not bool(moved[1:].any()))


@about("A21")
def groups_of_channels() -> Seen:
    moved = moved_by(nn.GroupNorm(2, 6))
    return Seen(
        "one number moves the three channels of its group, at all positions, in its own sample",
        holds=bool(moved[0, :3].all() and not moved[0, 3:].any() and not moved[1:].any()),
    )


@about("A22")
def selected_channels() -> Seen:
    moved = moved_by(nn.GroupNorm(2, 6))
    uneven = complaint(lambda: nn.GroupNorm(4, 6))
    return Seen(
        f"nothing is selected: neighbours in fixed blocks of equal size ({uneven})",
        holds=not bool(moved[0, 1].any()),
        core=bool(moved[0, :3].all()),
    )


@about("A24")
def degree_of_normalization() -> Seen:
    """More groups take more away: what few groups have normalized, many can still change."""
    x, change = drawn(4, 6, 5) * torch.arange(1, 7).reshape(1, 6, 1), {}
    for few, many in ((1, 2), (2, 6)):
        first, second = (nn.GroupNorm(g, 6, affine=False, eps=1e-12) for g in (few, many))
        change[few, many] = (second(first(x)) - first(x)).abs().max().item()
        change[many, few] = (first(second(x)) - second(x)).abs().max().item()
    return Seen(
        "each step from 1 to 2 to 6 groups takes more statistics away: two groups still change "
        f"what one has normalized (by {change[1, 2]:.1f}), and one changes nothing after two "
        f"(below 0.0001: {change[2, 1] < 1e-4})",
        holds=all(change[a, b] > 0.1 for a, b in ((1, 2), (2, 6)))
        and all(change[b, a] < 1e-4 for a, b in ((1, 2), (2, 6))),
    )


@about("B38")
def kinds_of_batch_norm() -> Seen:
    moved = moved_by(nn.BatchNorm1d(6))
    batch_mates = bool(moved_by(nn.GroupNorm(2, 6))[1:].any())
    return Seen(
        "BatchNorm: across the batch, but each feature by itself; GroupNorm and LayerNorm stay "
        "within a sample and are no kinds of it",
        holds=bool(moved.all()) and batch_mates,
        core=bool(moved[:, 0].all()),
    )


@about("A17")
def different_lengths() -> Seen:
    sequences = drawn(2, 3, 5) + 4  # (N, C, L)
    padded = nn.functional.pad(sequences, (0, 20))
    by_token = nn.LayerNorm(3)(padded.transpose(1, 2))[:, :5]  # (N, L, C)
    same = torch.allclose(by_token, nn.LayerNorm(3)(sequences.transpose(1, 2)), atol=1e-6)
    batch = torch.allclose(
        nn.BatchNorm1d(3)(padded)[..., :5], nn.BatchNorm1d(3)(sequences), atol=0.1
    )
    return Seen(
        "20 steps of padding leave LayerNorm's output at the real steps as it was, and change "
        "BatchNorm's",
        holds=same and not batch,
    )


@about("B44")
def shrinking_batches() -> Seen:
    shrinking = [drawn(size, 4) for size in (8, 5, 2)]  # a packed batch: fewer at each step
    norm = nn.BatchNorm1d(4)
    refused = any(complaint(partial(norm, step)) for step in shrinking)
    same = torch.allclose(nn.LayerNorm(4)(shrinking[0])[:2], nn.LayerNorm(4)(shrinking[0][:2]))
    return Seen(
        "no batch size disturbs it, and the batch does shrink in packed batches; but that alone "
        "stops no BatchNorm; the paper's reasons are statistics of each step and sample, and "
        "nothing to store for steps never seen; BatchNorm with statistics for each step has been "
        "made to work (Cooijmans2016)",
        holds=refused,
        core=same,
    )


@about("A30")
def the_batch_carries_information() -> Seen:
    norms = (nn.BatchNorm1d(6), nn.LayerNorm(5), nn.GroupNorm(2, 6), nn.InstanceNorm1d(6))
    leans = {type(norm).__name__: bool(moved_by(norm)[1:].any()) for norm in norms}
    return Seen(
        "true of BatchNorm, whose output for a sample depends on its company; of no other: "
        + ", ".join(name for name, does in leans.items() if not does),
        holds=all(leans.values()),
        core=leans["BatchNorm1d"],
    )
