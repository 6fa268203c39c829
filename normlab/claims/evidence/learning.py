"""Does it help, and how much: from recorded trainings, each network at its own best rate."""

import numpy as np
from torch import nn

from normlab.claims.evidence.tools import Seen, about, at_its_best, measured, moved_by, told
from normlab.training.paired import sign_flip_p

FEW, MANY = 500, 20_000  # images


def by_batch(network: str, norm: str, size: int) -> np.ndarray:
    """Return what lesson 8 recorded for a batch size, in percent, ``(seeds,)``."""
    return measured("batch_sizes", network=network, norm=norm, batch_size=size, images=6000)


def with_images(
    network: str, kind: str, images: int = FEW, column: str = "test_accuracy"
) -> np.ndarray:
    """Return a network's measure at its best rate, in percent, ``(seeds,)``."""
    return at_its_best("few_images", column, network=network, kind=kind, images=images)


def lead(network: str, one: str, other: str, images: int) -> np.ndarray:
    """Return by how many points one kind of network is ahead of another, ``(seeds,)``."""
    return with_images(network, one, images) - with_images(network, other, images)


@about("A2")
def cannot_be_trained_without() -> Seen:
    without = measured("article_runs", norm="none", lr=0.1, epochs=5, step=4690)
    return Seen(
        f"the article's network without any norm: {told(without)} after five epochs at learning "
        "rate 0.1",
        holds=without.max() < 90,
    )


@about("B22")
def essential_for_deep_models() -> Seen:
    none, batch = (with_images("deep MLP", kind, MANY) for kind in ("none", "BatchNorm"))
    return Seen(
        f"eight hidden layers, 400 steps: {told(none)} without any norm and with He's weights, "
        f"{told(batch)} with BatchNorm; helpful, and not essential; networks a hundred and more "
        "layers deep have been trained without, too (Zhang2019, Brock2021)",
        holds=none.max() < 80,
    )


@about("A4")
def data_on_one_scale() -> Seen:
    raw, unit, standardized = (
        at_its_best("input_scales", norm="none", scale=scale, images=12_800)
        for scale in ("raw, 0 to 255", "0 to 1", "standardized")
    )
    ahead = [standardized - other for other in (raw, unit)]  # (seeds,) each
    return Seen(
        f"standardized {told(standardized)}, 0 to 1 {told(unit)}, raw {told(raw)}, no norm, each "
        "at its best of eleven rates; standardized is ahead of both in every seed",
        holds=all((values > 0).all() and sign_flip_p(values) < 0.05 for values in ahead),
    )


@about("B19")
def higher_rates_are_faster() -> Seen:
    rates = (0.01, 0.1, 3.0, 10.0)
    runs = {lr: measured("learning_rates", norm="batch", lr=lr, images=60_000) for lr in rates}
    return Seen(
        "after one epoch "
        + ", ".join(f"{told(values)} at {lr:g}" for lr, values in runs.items())
        + ": faster up to a rate, and no faster beyond",
        holds=bool(runs[3.0].mean() > runs[0.1].mean()),
        core=bool(runs[0.1].mean() > runs[0.01].mean() + 1),
    )


@about("B37")
def learned_scale_and_shift() -> Seen:
    gains = {
        lr: measured("norms_mlp", norm="batch", lr=lr)
        - measured("norms_mlp", norm="batch-no-affine", lr=lr)
        for lr in (0.01, 0.1)
    }  # (seeds,) each
    seen = [sign_flip_p(gain) < 0.05 and gain.mean() > 0 for gain in gains.values()]
    return Seen(
        f"a gain of {gains[0.01].mean():.2f} points at learning rate 0.01, and none seen at 0.1 "
        f"({gains[0.1].mean():+.2f} ± {gains[0.1].std(ddof=1):.2f}); the 2015 paper's reason for "
        "them is what a layer can represent",
        holds=all(seen),
        core=any(seen),
    )


@about("B39")
def group_norm_in_small_batches() -> Seen:
    group, batch = ({n: by_batch(n, k, 2) for n in ("mlp", "cnn")} for k in ("group", "batch"))
    better = {net: group[net].mean() > batch[net].mean() + 1 for net in group}
    return Seen(
        f"at batches of 2: in the MLP {told(group['mlp'])} against BatchNorm's "
        f"{told(batch['mlp'])}; in the CNN {told(group['cnn'])} against {told(batch['cnn'])}, "
        "since there each mean of two images has hundreds of numbers",
        holds=all(better.values()),
        core=any(better.values()),
    )


@about("B42")
def like_larger_batches() -> Seen:
    behind = {
        net: by_batch(net, "batch", 32).mean() - by_batch(net, "group", 2).mean()
        for net in ("mlp", "cnn")
    }
    return Seen(
        f"GroupNorm at 2 against BatchNorm at 32: {behind['mlp']:.1f} points behind in the MLP, "
        f"{-behind['cnn']:.1f} ahead in the CNN, with equally many images",
        holds=max(behind.values()) < 1,
        core=min(behind.values()) < 1,
    )


@about("A26")
def large_data_and_capacity() -> Seen:
    many = {net: lead(net, "BatchNorm", "LayerNorm", MANY) for net in ("MLP", "CNN", "deep MLP")}
    few = {net: lead(net, "BatchNorm", "LayerNorm", FEW) for net in ("MLP", "CNN")}
    words = [
        f"{net} {values.mean():+.1f} with {images:,} images"
        for images, leads in ((MANY, many), (FEW, few))
        for net, values in leads.items()
    ]
    ahead = all((values > 0).all() for values in many.values())
    at_two = by_batch("mlp", "batch", 2) - by_batch("mlp", "layer", 2)
    return Seen(
        f"BatchNorm minus LayerNorm, each at its best rate, in points: {'; '.join(words)}. It "
        f"suits the larger data set, in batches of 50; at batches of 2 it is {at_two.mean():+.0f}",
        holds=ahead and bool((at_two > 0).all()),
        core=ahead,
    )


@about("B47")
def all_norms_beat_none() -> Seen:
    better = all(
        by_batch(net, norm, 64).mean() > by_batch(net, "none", 64).mean() + 1
        for net in ("mlp", "cnn")
        for norm in ("batch", "group", "layer")
    )
    batch, none = (by_batch("mlp", norm, 2) for norm in ("batch", "none"))
    return Seen(
        "at batches of 64 in both networks; but at batches of 2 the MLP with BatchNorm gets "
        f"{told(batch)}, without norm {told(none)}",
        holds=better and batch.mean() > none.mean(),
        core=better,
    )


@about("B48")
def varies_with_network() -> Seen:
    gains = {net: by_batch(net, "batch", 64) - by_batch(net, "none", 64) for net in ("mlp", "cnn")}
    return Seen(
        f"BatchNorm gains {gains['mlp'].mean():.0f} points in the MLP and "
        f"{gains['cnn'].mean():.0f} in the CNN, at batches of 64",
        holds=bool(gains["mlp"].min() > gains["cnn"].max()),
    )


@about("B55")
def better_generalization() -> Seen:
    right = {net: lead(net, "BatchNorm", "none", FEW) for net in ("MLP", "CNN")}
    loss = {
        net: with_images(net, "BatchNorm", column="test_loss")
        - with_images(net, "none", column="test_loss")
        for net in right
    }  # (seeds,) each, times 100
    others = [f"{net} {lead(net, 'LayerNorm', 'none', FEW).mean():+.1f}" for net in right]
    return Seen(
        "500 images, each at its best rate, points more than without and what becomes of the test "
        "loss: "
        + ", ".join(f"{n} {right[n].mean():+.1f} and {loss[n].mean() / 100:+.2f}" for n in right)
        + f"; the loss in every seed. LayerNorm does it, too ({', '.join(others)})",
        holds=all((loss[net] < 0).all() and right[net].mean() > 0 for net in right),
        core=any((loss[net] < 0).all() for net in right),
    )


@about("B11")
def memorizing() -> Seen:
    kinds = ("none", "BatchNorm", "LayerNorm")
    by_heart = all(with_images("MLP", k, column="train_accuracy").min() > 99 for k in kinds)
    test = {kind: with_images("MLP", kind) for kind in kinds}
    return Seen(
        "networks of one size that know their 500 images by heart "
        f"({by_heart}) get {', '.join(told(values) for values in test.values())} on the test set "
        "(none, BatchNorm, LayerNorm): memorizing is not the measure of it",
        holds=not by_heart,
        core=bool(with_images("MLP", "none", column="train_accuracy").mean() > test["none"].mean()),
    )


@about("B53")
def less_need_for_dropout() -> Seen:
    def change(network: str, norm: str) -> np.ndarray:
        """Return what dropout does to the test loss, ``(seeds,)``."""
        with_it, without = (
            with_images(network, kind, column="test_loss") / 100
            for kind in (f"{norm}, dropout", norm)
        )
        return with_it - without

    none, batch = (
        {net: change(net, norm) for net in ("MLP", "CNN")} for norm in ("none", "BatchNorm")
    )
    less = {net: batch[net] - none[net] for net in none}  # above 0: dropout gains less
    return Seen(
        "500 images, what dropout does to the test loss without BatchNorm and with it: "
        + ", ".join(f"{n} {none[n].mean():+.2f} and {batch[n].mean():+.2f}" for n in none)
        + ": it gains less with it, and in the CNN still something",
        holds=all((values > 0).all() for values in less.values()),
        core=all(values.mean() > 0 for values in less.values()),
    )


@about("A31")
def turn_it_off() -> Seen:
    rare = {
        norm: at_its_best("rare_classes", "rare_accuracy", norm=norm, epochs=3)
        for norm in ("none", "batch", "layer")
    }
    return Seen(
        "with sorted batches BatchNorm is at chance and a network without is not (lesson 13), "
        "but LayerNorm is not either; and with rare classes turning it off does not help (rare "
        "digits right after three epochs): "
        + ", ".join(f"{norm} {told(values)}" for norm, values in rare.items()),
        holds=rare["none"].mean() > max(rare["batch"].mean(), rare["layer"].mean()),
        core=bool(moved_by(nn.BatchNorm1d(6))[1:].any()),  # what a sorted batch does harm by
    )


@about("A20")
def tagging_sequences() -> Seen:
    gains = {
        tags: at_its_best("tagging", tags=tags, norm="instance")
        - at_its_best("tagging", tags=tags, norm="none")
        for tags in ("above the level", "the level")
    }
    return Seen(
        "two tagging tasks made here, each network at its best rate: where a tag is relative to "
        f"the sequence's own level {gains['above the level'].mean():+.1f} points, where it is that "
        f"level {gains['the level'].mean():+.1f}. We found no source for CRFs, which is not a "
        "proof that there is none; a CRF is a model of the outputs and has no norm in it",
        holds=all((gain > 0).all() for gain in gains.values()),
        core=any((gain > 0).all() for gain in gains.values()),
    )
