# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # Check every claim of two articles
#
# *Lesson 11 · 135 minutes, self-test 10 · medium · the whole course, seen from the other side, in two sittings*
#
# When you have finished you can
#
# - turn a sentence about normalization into something that can be run;
# - tell five verdicts apart: right, imprecise, wrong, contested, untestable;
# - say which of 89 claims in two articles hold, and show the experiment that says so;
# - read an article about a layer with a keyboard at hand.
#
# **What you need:** the lessons on the norms ([2](02_batch_norm_forward.ipynb) to
# [9](09_rms_norm_and_relatives.ipynb)); single claims can be read without.

# %% [markdown] slideshow={"slide_type": "slide"}
# The course grew from two articles. **A** is *PyTorch Normalize: Understanding and Utilizing the Normalize
# Parameter* (2023), **B** is *PyTorch Implementation of Batch Normalization*. Neither prints a number. They make 89 claims. Two dozen of them, the ones from which most can be
# learned, are put to the test here, grouped by the question behind them. The others stand in the table at the end, each with its verdict, a reason, and the function that was run for it.

# %%
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from normlab.claims import VERDICTS, Ledger, load_claims
from normlab.claims.evidence.tools import (
    at_its_best,
    digits,
    labels,
    measured,
    moved_by,
    told,
)
from normlab.exercises import guess, self_test
from normlab.training import article_net, recorded
from normlab.training.paired import holm, sign_flip_interval, sign_flip_p

# %%
torch.set_num_threads(1)
torch.manual_seed(0)
ledger = Ledger()
judge, argue = ledger.judge, ledger.argue

# %% [markdown] slideshow={"slide_type": "-"}
# ## A question first
#
# There are 89 claims in two articles of a few pages: statements of fact about PyTorch, definitions, advice, and
# empirical ones. Two guesses before you know any of them; both are counted out at the end of the lesson.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("How many of the 89 claims hold as they are written?", 32, within=8, outputs=0)

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Which of these four kinds of claim does worst?",
    "why it works: theory",
    options=[
        "what PyTorch does: API",
        "what a word means: definitions",
        "what comes of it: empirical claims",
        "why it works: theory",
    ],
    outputs=0,
)

# %% [markdown] slideshow={"slide_type": "slide"}
# The verdicts, and what each is to mean here:

# %% slideshow={"slide_type": "-"}
for verdict, meaning in VERDICTS.items():
    print(f"{verdict:11} {meaning}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# `judge` works out a verdict from what was measured: *right* if the claim holds as it is written; *imprecise* if not, but its
# core is true; else *wrong*. `argue` is for the two that no single measurement can give. The course keeps a list of the claims
# with what it found when it was made; if a cell here finds another verdict than that list, it stops.
#
# Each claim stands in italics above the cells that test it, in our words and no harsher than it was written, and you are asked for your verdict before you see ours. "It" is normalization
# in the claims of A, and BatchNorm in those of B. A name with a year, such as Santurkar2018, is a source; the table
# at the end gives it in full.
#
# Four helpers come from the package. `moved_by(norm)` changes one number in a batch `(4, 6, 5)`, samples by channels by positions, and says which outputs move. `measured` reads a recorded training, in percent, a
# number for each seed; `at_its_best` does so at the learning rate that was best for that network on digits held out for the choice. `told` writes mean ± standard deviation.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What does the layer compute?
#
# Both articles say that the activations come out with mean 0 and variance 1. Take a layer that has learned a
# weight and a bias, and look in both modes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **A9.** *BatchNorm gives each mini-batch's activations mean 0 and variance 1.*

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "What is your verdict on A9?",
    "imprecise",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
)

# %% slideshow={"slide_type": "-"}
layer = nn.BatchNorm1d(3)
nn.init.constant_(layer.weight, 3), nn.init.constant_(layer.bias, 2)
x = 5 * torch.randn(64, 3) + 7
trained = layer(x).detach()
tested = layer.eval()(x).detach()
plain = nn.BatchNorm1d(3)(x)

# %% slideshow={"slide_type": "-"}
# claim A9
judge(
    "A9",
    "true before weight and bias and in training mode; with weight 3 and bias 2 the mean is "
    f"{trained.mean():.0f} and the deviation {trained.std(correction=0):.0f}; in evaluation "
    f"mode after one batch the mean is {tested.mean():.0f}",
    holds=abs(trained.mean().item()) < 0.01,
    core=bool(plain.mean().abs() < 1e-5 and abs(plain.std(correction=0) - 1) < 1e-3),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# Does it normalize "the inputs of each layer"? In the article's network (two hidden layers of 256 and 128
# units, [lesson 5](05_mnist_with_batch_norm.ipynb)) it stands before a ReLU, and
# the next layer gets what comes behind it.

# %% [markdown] slideshow={"slide_type": "-"}
# **B9.** *BatchNorm normalizes the inputs of each layer.*

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "What is your verdict on B9?",
    "imprecise",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
)

# %% slideshow={"slide_type": "-"}
network = article_net("batch")
normalized = network.bn1(network.fc1(digits()))  # (256, 256)
received = torch.relu(normalized).detach()

# %% slideshow={"slide_type": "-"}
# claim B9
judge(
    "B9",
    "what is normalized is the output of a linear layer; the next layer gets it through a "
    f"ReLU, with mean {received.mean():.2f} and variance {received.var():.2f}",
    holds=abs(received.mean().item()) < 0.05,
    core=abs(normalized.mean().item()) < 0.05,
)

# %% [markdown] slideshow={"slide_type": "slide"}
# Which numbers share a mean can be found without reading code: change one number, and see which outputs move.

# %% [markdown]
# **A15.** *LayerNorm takes a mean and a variance for each channel.*

# %% tags=["guess"]
guess(
    "What is your verdict on A15?",
    "wrong",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
)

# %%
# claim A15
moved = moved_by(nn.LayerNorm([6, 5]))
judge(
    "A15",
    "one number in channel 0 moves all six channels of its sample: one mean for each sample, across all channels; "
    f"what there is for each element is weight and bias, {tuple(nn.LayerNorm([6, 5]).weight.shape)}",
    holds=not bool(moved[0, 1:].any()),
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **A23.** *GroupNorm lies between BatchNorm and LayerNorm.*

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "What is your verdict on A23?",
    "wrong",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
)

# %% slideshow={"slide_type": "-"}
x = torch.randn(4, 6, 5)
one_group = torch.allclose(nn.GroupNorm(1, 6)(x), nn.LayerNorm([6, 5])(x), atol=1e-6)
each_alone = torch.allclose(nn.GroupNorm(6, 6)(x), nn.InstanceNorm1d(6)(x), atol=1e-5)
batch_mates = bool(moved_by(nn.GroupNorm(2, 6))[1:].any())

# %% slideshow={"slide_type": "-"}
# claim A23
judge(
    "A23",
    f"between LayerNorm (1 group: {one_group}) and InstanceNorm (C groups: {each_alone}); "
    "like both of them it never looks at other samples, and BatchNorm does",
    holds=batch_mates,
)

# %% [markdown] slideshow={"slide_type": "slide"}
# "Different degrees of normalization" (A24, A32): is there an order, from less to more? One layer takes away *more* than another if it still changes what the other has normalized, and the other changes nothing after it.

# %% [markdown] slideshow={"slide_type": "-"}
# **A32.** *The kinds of norm offer different degrees of normalization.*

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "What is your verdict on A32?",
    "imprecise",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
    outputs=2,
)

# %%
kinds = {
    "LayerNorm": nn.GroupNorm(1, 6, affine=False, eps=1e-12),
    "GroupNorm": nn.GroupNorm(2, 6, affine=False, eps=1e-12),
    "InstanceNorm": nn.InstanceNorm1d(6, eps=1e-12),
    "BatchNorm": nn.BatchNorm1d(6, affine=False, eps=1e-12),
}
x = torch.randn(4, 6, 5) * torch.arange(1, 7).reshape(1, 6, 1)


def leaves_alone(second, first):
    one, two = kinds[first], kinds[second]
    y = one(x)
    return torch.allclose(two(y), y, atol=1e-4)


for first in kinds:
    same = [second for second in kinds if second != first and leaves_alone(second, first)]
    print(f"after {first:12} nothing is changed by: {', '.join(same) or '-'}")

# %%
# claim A32
chain = leaves_alone("LayerNorm", "GroupNorm") and leaves_alone("GroupNorm", "InstanceNorm")
judge(
    "A32",
    "LayerNorm, GroupNorm, InstanceNorm are in such an order, each taking more statistics away than the one before; "
    "BatchNorm is not in it: beside LayerNorm each changes what the other has done. They differ in *which* numbers share a mean",
    holds=chain
    and (leaves_alone("LayerNorm", "BatchNorm") or leaves_alone("BatchNorm", "LayerNorm")),
    core=chain,
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Which norm for which batch, and which data?
#
# **Small batches.** The article's network (`mlp`) and a small convolutional one, 6,000 digits once through, learning rate 0.05,
# batches of 2 to 128.


# %%
def by_batch(network, norm, size):
    return measured("batch_sizes", network=network, norm=norm, batch_size=size, images=6000)


# %% slideshow={"slide_type": "-"}
sizes = (2, 8, 32, 128)
for network in ("mlp", "cnn"):
    for norm in ("none", "batch", "layer", "group"):
        cells = [told(by_batch(network, norm, size)) for size in sizes]
        print(f"{network} {norm:6}" + "".join(f"{cell:>15}" for cell in cells))

# %% [markdown]
# **A16.** *LayerNorm is useful where batches are small.*

# %% tags=["guess"]
guess(
    "What is your verdict on A16?",
    "imprecise",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
)

# %%
# claim A16
layer, batch = (
    {net: by_batch(net, norm, 2) for net in ("mlp", "cnn")} for norm in ("layer", "batch")
)
better = {net: layer[net].mean() > batch[net].mean() + 1 for net in layer}
judge(
    "A16",
    f"at batches of 2: in the MLP {told(layer['mlp'])} against BatchNorm's {told(batch['mlp'])}; in the CNN {told(layer['cnn'])} "
    f"against {told(batch['cnn'])}, since there each mean of two images has hundreds of numbers",
    holds=all(better.values()),
    core=any(better.values()),
)

# %% [markdown]
# **B41.** *GroupNorm is more robust to changes of the batch size.*

# %% tags=["guess"]
guess(
    "What is your verdict on B41?",
    "imprecise",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
)

# %%
norm, x = nn.GroupNorm(2, 6), torch.randn(64, 6, 5)
alone = torch.cat([norm(part) for part in x.split(1)])
by_size = {
    (net, kind): np.ptp([by_batch(net, kind, size).mean() for size in sizes])
    for net in ("mlp", "cnn")
    for kind in ("group", "batch")
}

# %%
# claim B41
less = {net: by_size[net, "group"] < by_size[net, "batch"] for net in ("mlp", "cnn")}
judge(
    "B41",
    "the layer minds it not at all: a sample's output is the same in batches of 1 and of 64. A network's accuracy is another matter, since the number of steps changes, too: "
    f"from batches of 2 to 128 it changes by {by_size['mlp', 'group']:.1f} points in the MLP, with BatchNorm by {by_size['mlp', 'batch']:.1f}; "
    f"in the CNN by {by_size['cnn', 'group']:.1f}, with BatchNorm by {by_size['cnn', 'batch']:.1f}",
    holds=all(less.values()),
    core=torch.allclose(alone, norm(x), atol=1e-6) and any(less.values()),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# **Data and depth.** 400 steps of 50 images: from 500 images, or from 20,000; in the MLP, in the CNN, and from 20,000 in a deep MLP of eight hidden layers (He's weights). Each network at its own best learning rate, chosen on
# held-out digits, six seeds.


# %%
def with_images(network, kind, images, column="test_accuracy"):
    return at_its_best("few_images", column, network=network, kind=kind, images=images)


trained = [("MLP", 500), ("CNN", 500), ("MLP", 20_000), ("CNN", 20_000), ("deep MLP", 20_000)]
for network, images in trained:
    cells = [
        f"{kind} {told(with_images(network, kind, images))}"
        for kind in ("none", "BatchNorm", "LayerNorm")
    ]
    print(f"{network:8} {images:6,} images   " + "   ".join(cells))

# %% [markdown] slideshow={"slide_type": "subslide"}
# **A27.** *LayerNorm and GroupNorm suit smaller data sets and shallower models.*

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "What is your verdict on A27?",
    "imprecise",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
    outputs=3,
)

# %%
leads = {
    (network, images): with_images(network, "LayerNorm", images)
    - with_images(network, "BatchNorm", images)
    for network, images in trained
}  # (seeds,) each
for (network, images), lead in leads.items():
    low, high = sign_flip_interval(lead, level=0.9)
    print(
        f"{network:8} {images:6,} images: LayerNorm minus BatchNorm {lead.mean():+.1f} points, 90 % interval {low:+.1f} to {high:+.1f}"
    )

# %%
for network in ("MLP", "CNN"):
    groups, layer = (with_images(network, kind, 500) for kind in ("GroupNorm", "LayerNorm"))
    print(f"{network} 500 images: GroupNorm minus LayerNorm {(groups - layer).mean():+.1f} points")

# %%
# claim A27
judge(
    "A27",
    "LayerNorm minus BatchNorm: "
    + "; ".join(
        f"{network}, {images:,} images {lead.mean():+.1f}"
        for (network, images), lead in leads.items()
    )
    + ". It falls behind less, or not at all, where the images are few, and more in the deep MLP; it is nowhere ahead here. Yet the deepest models of today have LayerNorm or RMSNorm",
    holds=bool(leads["MLP", 500].min() > 0 and leads["CNN", 500].min() > 0),
    core=bool(
        leads["MLP", 500].mean() > leads["MLP", 20_000].mean()
        and leads["CNN", 500].mean() > leads["CNN", 20_000].mean()
    ),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# **Groups that belong together.** The groups of GroupNorm are of *channels*. Here the 784 pixels of a digit are the channels, normalized in 28 groups before the first layer: the 28 rows of the image, or as many groups of pixels
# drawn at random. And there are two kinds of data: digits as they are, and digits in which each row was taken in a light of its own (another gain and offset), so that the pixels of a row depend on each other.

# %% [markdown] slideshow={"slide_type": "-"}
# **B40.** *GroupNorm is useful where the data depends strongly within each group.*

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "What is your verdict on B40?",
    "right",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
    outputs=2,
)

# %%
lights = {
    (light, groups): at_its_best("dependent_channels", light=light, groups=groups)
    for light in recorded("dependent_channels").different("light")
    for groups in ("none", "rows", "shuffled")
}
for (light, groups), values in lights.items():
    print(f"{light:16} {groups:8} {told(values)}")

# %%
# claim B40
own = lights["each row its own", "rows"] - lights["each row its own", "shuffled"]  # (seeds,)
same = lights["one for all rows", "rows"] - lights["one for all rows", "shuffled"]
judge(
    "B40",
    f"read as groups of channels: where the pixels of a row share a light, groups that are the rows are {own.mean():.0f} points ahead of shuffled ones, each at its best rate; "
    f"where they do not, {same.mean():+.1f}",
    holds=bool((own > 5).all() and same.mean() < 1),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Sequences and recurrent networks
#
# InstanceNorm, says article A, works well for sequence tagging and for sequences with dependencies (A20, A28). Two tasks of tagging each step of a sequence: in one the tag is the sign of the sequence's own
# *level*; in the other it says whether a step is *above* that level, and each sequence has a gain and a level of its own, as recordings have.

# %% tags=["guess"]
guess(
    "In which of the two tasks will InstanceNorm help?",
    "where the tag says whether a step is above the level",
    options=[
        "where the tag is the sign of the level",
        "where the tag says whether a step is above the level",
        "in both",
        "in neither",
    ],
)

# %%
for tags in recorded("tagging").different("tags"):
    none, norm = (at_its_best("tagging", tags=tags, norm=norm) for norm in ("none", "instance"))
    print(f"{tags:16} no norm {told(none)}   InstanceNorm {told(norm)}")

# %% [markdown]
# **A28.** *InstanceNorm is effective for sequences whose parts depend on each other.*

# %% tags=["guess"]
guess(
    "What is your verdict on A28?",
    "imprecise",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
)

# %%
# claim A28
gains = {
    tags: at_its_best("tagging", tags=tags, norm="instance")
    - at_its_best("tagging", tags=tags, norm="none")
    for tags in ("above the level", "the level")
}  # (seeds,) each
judge(
    "A28",
    f"it depends on what the tag is: {gains['above the level'].mean():+.0f} points where only what is relative to the sequence's level counts, and "
    f"{gains['the level'].mean():+.0f} where the level is the answer, since that is what it removes. (Speech recognition normalizes each utterance for the first reason.)",
    holds=all((gain > 0).all() for gain in gains.values()),
    core=any((gain > 0).all() for gain in gains.values()),
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# The small recurrent network of [lesson 6](06_layer_norm.ipynb), which reads a digit row by row (recorded there, five learning rates).

# %% [markdown]
# **B45.** *LayerNorm makes recurrent networks train more stably and generalize better.*

# %% tags=["guess"]
guess(
    "What is your verdict on B45?",
    "imprecise",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
    outputs=2,
)

# %%
ahead = {}
for lengths in ("fixed", "ragged"):
    for size in (64, 4):
        cell = {"lengths": lengths, "batch_size": size}
        layer, none = (at_its_best("rnn_norms", norm=norm, **cell) for norm in ("layer", "none"))
        ahead[lengths, size] = layer - none  # (seeds,)
        print(f"{lengths:6}, batches of {size:2}: LayerNorm {told(layer)}, no norm {told(none)}")

# %%
# claim B45
judge(
    "B45",
    "our small RNN, each at its best rate, LayerNorm minus no norm: "
    + "; ".join(
        f"{lengths} lengths, batches of {size}: {gain.mean():+.1f}, ahead in {(gain > 0).sum()} of 5 seeds"
        for (lengths, size), gain in ahead.items()
    )
    + ". The paper's networks and sequences are larger",
    holds=all((gain > 0).all() for gain in ahead.values()),
    core=any((gain > 0).all() for gain in ahead.values()),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Does it help, and how much?
#
# The article's network, in recorded trainings of five seeds at least.

# %% [markdown] slideshow={"slide_type": "-"}
# **B15.** *With it a model converges faster and performs better.*

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "What is your verdict on B15?",
    "imprecise",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
)

# %%
early, late = (
    {
        norm: measured("article_runs", norm=norm, lr=0.01, epochs=5, step=step)
        for norm in ("none", "batch")
    }
    for step in (938, 4690)
)
two = {norm: by_batch("mlp", norm, 2) for norm in ("none", "batch")}

# %%
# claim B15
at_64 = all(runs["batch"].min() > runs["none"].max() for runs in (early, late))
judge(
    "B15",
    f"at the article's settings {told(early['batch'])} after one epoch against {told(early['none'])}, and {told(late['batch'])} against {told(late['none'])} after five. "
    f"At batches of 2 it is the other way round: {told(two['batch'])} against {told(two['none'])}",
    holds=at_64 and two["batch"].min() > two["none"].max(),
    core=at_64,
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **B18.** *It allows higher learning rates.*

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "What is your verdict on B18?",
    "right",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
)

# %%
rates = (0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
learned = {
    norm: {lr: measured("learning_rates", norm=norm, lr=lr, images=60_000) for lr in rates}
    for norm in ("none", "batch")
}

# %% slideshow={"slide_type": "-"}
largest = {
    norm: max(lr for lr, values in runs.items() if values.min() > 80)
    for norm, runs in learned.items()
}

# %% slideshow={"slide_type": "-"}
# claim B18
judge(
    "B18",
    f"the largest rate at which every seed learns: {largest['batch']:g} with BatchNorm, "
    f"{largest['none']:g} without",
    holds=largest["batch"] > largest["none"],
)

# %% [markdown]
# **B17.** *It makes careful initialization less necessary.*

# %% tags=["guess"]
guess(
    "What is your verdict on B17?",
    "right",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
)

# %%
scaled = {
    norm: [
        measured("init_scales", norm=norm, lr=lr, scale=c, images=30_000).mean()
        for lr in (0.01, 0.1)
        for c in (0.01, 0.1, 0.3, 1.0, 3.0, 10.0)
    ]
    for norm in ("none", "batch")
}

# %%
worst = {norm: min(values) for norm, values in scaled.items()}
exception = [
    measured("init_scales", norm=norm, lr=0.01, scale=10.0, images=30_000)
    for norm in ("batch", "none")
]

# %%
# claim B17
judge(
    "B17",
    f"first weights times 0.01 to 10, two learning rates: at worst {worst['batch']:.0f} % "
    f"with BatchNorm, {worst['none']:.0f} % without; yet at scale 10 and rate 0.01 it is "
    f"behind, {told(exception[0])} against {told(exception[1])}",
    holds=worst["batch"] > worst["none"] + 10,
)

# %% [markdown]
# **Scale and shift that are learned.** Do they help? Ten pairs of networks, alike but for them, one epoch, two learning rates
# (recorded for [lesson 10](10_compare_the_norms.ipynb)).

# %%
gains = {
    lr: measured("norms_mlp", norm="batch", lr=lr)
    - measured("norms_mlp", norm="batch-no-affine", lr=lr)
    for lr in (0.01, 0.1)
}  # (seeds,), in points
for lr, gain in gains.items():
    t = gain.mean() / (gain.std(ddof=1) / math.sqrt(len(gain)))
    print(f"learning rate {lr}: {gain.mean():+.2f} ± {gain.std(ddof=1):.2f} points, t = {t:.1f}")

# %% [markdown]
# (With ten pairs, chance alone keeps *t* between -2.26 and 2.26 in 95 of 100 cases.)

# %% [markdown]
# **A13.** *Gamma and beta learn the best values, and the network gets better by it.*

# %% tags=["guess"]
guess(
    "What is your verdict on A13?",
    "imprecise",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
)

# %%
seen = {
    lr: gain.mean() > 2.26 * gain.std(ddof=1) / math.sqrt(len(gain)) for lr, gain in gains.items()
}
saw = (
    f"a gain of {gains[0.01].mean():.2f} points at learning rate 0.01, and none at 0.1 "
    f"({gains[0.1].mean():+.2f} ± {gains[0.1].std(ddof=1):.2f})"
)

# %%
# claim A13
judge(
    "A13",
    saw + "; they are learned, and nothing makes them optimal",
    holds=all(seen.values()),
    core=any(seen.values()),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# **Overfitting.** The 500 images again, 400 steps: the networks learn them by heart, or nearly. Points of accuracy more than without a norm or dropout, and what becomes of the test loss, each at its own best rate.

# %% [markdown] slideshow={"slide_type": "-"}
# **B10.** *BatchNorm reduces overfitting.*

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "What is your verdict on B10?",
    "right",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
    outputs=2,
)

# %%
gains = {}
for network in ("MLP", "CNN"):
    for kind in ("BatchNorm", "LayerNorm", "none, dropout"):
        right, loss = (
            with_images(network, kind, 500, column) - with_images(network, "none", 500, column)
            for column in ("test_accuracy", "test_loss")
        )  # (seeds,) each; the loss times 100
        gains[network, kind] = right, loss
        print(
            f"{network} {kind:13} {right.mean():+.1f} points, p = {sign_flip_p(right):.2f}   test loss {loss.mean() / 100:+.2f}, p = {sign_flip_p(loss):.2f}"
        )

# %%
# claim B10
lower_loss = {
    network: bool((gains[network, "BatchNorm"][1] < 0).all()) for network in ("MLP", "CNN")
}
more_right = {network: gains[network, "BatchNorm"][0].mean() > 0 for network in ("MLP", "CNN")}
judge(
    "B10",
    "both networks, in every one of six seeds a lower test loss ("
    + ", ".join(
        f"{network} {gains[network, 'BatchNorm'][1].mean() / 100:+.2f}" for network in lower_loss
    )
    + "; p cannot be below 0.03), and more right answers on the average; they know the 500 by heart all the same, and LayerNorm lowers the loss, too",
    holds=all(lower_loss.values()) and all(more_right.values()),
    core=any(lower_loss.values()),
)

# %% [markdown]
# **B12.** *It regularizes because it adds noise to the inputs.*

# %% tags=["guess"]
guess(
    "What is your verdict on B12?",
    "imprecise",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
    outputs=2,
)

# %% [markdown]
# Take the noise away: all 500 images in every batch, so that the statistics are those of the training set (recorded for [lesson 12](12_why_it_works.ipynb)).

# %%
noise = {
    groups: 100 * recorded("noise").values("test_loss", groups=groups)
    for groups in recorded("noise").different("groups")
}
for groups, loss in noise.items():
    print(f"{groups:13} test loss {loss.mean() / 100:.3f} ± {loss.std(ddof=1) / 100:.3f}")

# %%
# claim B12
x = torch.randn(8, 3)
company = torch.cat([x[:1], torch.randn(7, 3)])
noisy = not torch.allclose(nn.BatchNorm1d(3)(x)[0], nn.BatchNorm1d(3)(company)[0], atol=1e-2)
quiet = noise["500 together"] - noise["none"]  # (seeds,)
judge(
    "B12",
    f"the noise is in the statistics, not added to inputs; without any, all 500 images in each batch, the test loss is still {-quiet.mean() / 100:.2f} lower than without a norm "
    f"(p = {sign_flip_p(quiet):.3f}), and groups of 50 or 10 bring it no lower",
    holds=quiet.mean() > 0,
    core=noisy,
)

# %% [markdown] slideshow={"slide_type": "slide"}
# **The comparison of article B** prints no data set, no network, no seed. What it reports is about speed. So: the mean accuracy over a whole training (higher for whoever rises earlier), ten seeds, two networks, two rates each
# (recorded for [lesson 10](10_compare_the_norms.ipynb)).

# %% [markdown] slideshow={"slide_type": "-"}
# **B49.** *BatchNorm with affine and GroupNorm are alike, and LayerNorm converges a little more slowly.*

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "What is your verdict on B49?",
    "imprecise",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
    outputs=2,
)


# %%
def on_the_way(name, measurements, norm, lr):
    runs = [measured(name, f"accuracy_{i}", norm=norm, lr=lr) for i in range(1, measurements + 1)]
    return np.mean(runs, axis=0)  # (seeds,)


speed = {
    (title, lr, one, other): on_the_way(name, k, one, lr) - on_the_way(name, k, other, lr)
    for title, name, k, rates in (
        ("MLP", "norms_mlp", 7, (0.01, 0.1)),
        ("CNN", "norms_cnn", 5, (0.05, 0.2)),
    )
    for lr in rates
    for one, other in (("group", "batch"), ("layer", "batch"), ("layer", "group"))
}
speed_p = holm({case: sign_flip_p(values) for case, values in speed.items()})
for case, values in speed.items():
    title, lr, one, other = case
    print(
        f"{title} lr {lr:<4}  {one} minus {other}  {values.mean():+6.2f} points, p = {speed_p[case]:.3f}"
    )

# %%
# claim B49
slower = {
    (one, other): [
        speed_p[case] < 0.05 and speed[case].mean() < 0
        for case in speed
        if case[2:] == (one, other)
    ]
    for one, other in (("group", "batch"), ("layer", "batch"), ("layer", "group"))
}
judge(
    "B49",
    f"LayerNorm was slower than BatchNorm in {sum(slower['layer', 'batch'])} of 4 settings, and slower than GroupNorm in {sum(slower['layer', 'group'])}, those of the CNN; but GroupNorm was slower than BatchNorm, too, "
    f"in {sum(slower['group', 'batch'])} of 4",
    holds=not any(slower["group", "batch"]) and all(slower["layer", "batch"]),
    core=all(slower["layer", "batch"]),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Why should it work?
#
# **Gradients.** A deep network at its start: how large is the gradient of the second layer's weights, compared with the last
# hidden layer's? 1 would mean that it passes unchanged.


# %%
def first_over_last(depth, activation, norm, seed):
    torch.manual_seed(seed)
    blocks = [
        nn.Sequential(nn.Linear(784 if i == 0 else 100, 100), norm(100), activation())
        for i in range(depth)
    ]
    network = nn.Sequential(*blocks, nn.Linear(100, 10))
    F.cross_entropy(network(digits()), labels()).backward()
    return (blocks[1][0].weight.grad.norm() / blocks[-1][0].weight.grad.norm()).item()


# %%
ratios = {
    (name, norm.__name__): np.exp(
        np.mean([np.log(first_over_last(depth, activation, norm, seed)) for seed in range(3)])
    )
    for name, (depth, activation) in {
        "20 sigmoid": (20, nn.Sigmoid),
        "50 ReLU": (50, nn.ReLU),
    }.items()
    for norm in (nn.Identity, nn.BatchNorm1d, nn.LayerNorm)
}

# %% slideshow={"slide_type": "-"}
for (name, norm), ratio in ratios.items():
    print(f"{name:11} {norm:12} about 10^{round(np.log10(ratio))}")

# %% [markdown]
# **B13.** *BatchNorm improves the flow of gradients.*

# %% tags=["guess"]
guess(
    "What is your verdict on B13?",
    "imprecise",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
)

# %%
# claim B13
rescued = ratios["20 sigmoid", "Identity"] < 1e-6 < 0.1 < ratios["20 sigmoid", "BatchNorm1d"] < 10
explodes = ratios["50 ReLU", "BatchNorm1d"] > 1000
judge(
    "B13",
    f"it rescues 20 sigmoid layers, whose gradients vanish without ({rescued}); in 50 ReLU layers they grow a thousandfold and more with it ({explodes})",
    holds=rescued and not explodes,
    core=rescued,
)

# %% [markdown]
# **B14.** *It helps to keep the gradients within a reasonable range.*

# %% tags=["guess"]
guess(
    "What is your verdict on B14?",
    "imprecise",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
)

# %%
# claim B14
judge(
    "B14",
    "the same two networks: it does in the one and does the opposite in the other, where LayerNorm keeps them within a factor of 10 "
    f"({0.1 < ratios['50 ReLU', 'LayerNorm'] < 10}); one step of training ends most of it",
    holds=rescued and not explodes,
    core=rescued,
)

# %% [markdown]
# **The scale of the weights.** Multiply the weights of one layer by 100. How much does the gradient grow that goes on to the layers *before* it?

# %% [markdown]
# **B16.** *It makes gradients depend less on the scale of the weights.*

# %% tags=["guess"]
guess(
    "What is your verdict on B16?",
    "right",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
    outputs=2,
)


# %%
def gradients(scale, norm):
    """The gradient of the layer's input and of its weights."""
    torch.manual_seed(0)
    x, weight = torch.randn(64, 10).requires_grad_(), (scale * torch.randn(10, 5)).requires_grad_()
    loss = (norm(x @ weight) * torch.randn(64, 5)).sum()
    return [g.norm().item() for g in torch.autograd.grad(loss, (x, weight))]


grown = {}
for name, norm in (("none", nn.Identity()), ("BatchNorm", nn.BatchNorm1d(5))):
    once, hundred = gradients(1, norm), gradients(100, norm)
    grown[name] = [b / a for a, b in zip(once, hundred, strict=True)]
    print(
        f"{name:9} gradient of the input times {grown[name][0]:7.3f}, of the weights times {grown[name][1]:.3f}"
    )

# %%
# claim B16
judge(
    "B16",
    f"weights times 100: the gradient that goes on to the layers before is {grown['none'][0]:.0f} times as large without a norm, and {grown['BatchNorm'][0]:.2f} times with BatchNorm. "
    f"(That of the weights themselves is divided by {1 / grown['BatchNorm'][1]:.0f}, which makes them harder to move, lesson 12; and weights so small that eps counts are no longer free.)",
    holds=abs(grown["BatchNorm"][0] - 1) < 0.01 < 90 < grown["none"][0],
)

# %% [markdown] slideshow={"slide_type": "slide"}
# **Internal covariate shift**: the change of what a *layer* gets while the layers before it learn. [Lesson 12](12_why_it_works.ipynb) brings the shift back by force ("noisy batch"), and takes away the other suspect, PyTorch's first
# weights ("none, He"). After 120 steps, each network at its best of five rates:

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "With the shift brought back, how many points is BatchNorm behind BatchNorm as it is?",
    1.0,
    within=1.5,
)

# %%
shift = {
    net: [
        at_its_best("covariate_shift", column, net=net, step=120)
        for column in ("test_accuracy", "drift")
    ]
    for net in recorded("covariate_shift").different("net")
}
for net, (right, drift) in shift.items():
    print(f"{net:12} {told(right)}   drift {drift.mean() / 100:.2f}")

# %% [markdown]
# **B3.** *It helps because it reduces the internal covariate shift.*

# %%
# claim B3
right = {net: values[0].mean() for net, values in shift.items()}
saw = (
    "the 2015 paper says so, Santurkar2018 finds little link, Awais2021 contradicts that; in small: with the shift brought back it is "
    f"{right['batch'] - right['noisy batch']:.1f} points behind BatchNorm after 120 steps, a network without norm and with He's weights {right['batch'] - right['none, He']:.1f}"
)
argue("B3", "contested", saw)

# %% [markdown]
# **B8.** *That shift makes training slower and less stable.*

# %%
# claim B8
argue("B8", "contested", saw)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## When not to normalize
#
# Article A names two reasons: uneven classes, and batches that carry information. For the first, MNIST with one in 50 of the
# digits 5 to 9: how many of *those* are right in a test of all? Each network at the best of four rates, chosen on held-out digits; after one epoch, and after three.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Without a norm, after one epoch: how many percent of the rare digits are right?",
    0,
    within=5,
    unit=" %",
)

# %% slideshow={"slide_type": "-"}
rare = {
    (norm, epochs): at_its_best("rare_classes", "rare_accuracy", norm=norm, epochs=epochs)
    for epochs in (1, 3)
    for norm in ("none", "batch", "layer")
}
for (norm, epochs), values in rare.items():
    print(f"epochs {epochs}: {norm:6} rare digits right: {told(values)}")

# %% [markdown]
# **A29.** *With an imbalanced data set one may not want to normalize.*

# %%
# claim A29
argue(
    "A29",
    "contested",
    "rare digits right, each at its best rate, after one epoch and after three: "
    + "; ".join(
        f"{norm} {told(rare[norm, 1])} and {told(rare[norm, 3])}"
        for norm in ("none", "batch", "layer")
    )
    + ". The large lead after one epoch is one of speed; after three BatchNorm's is gone, and LayerNorm is ahead of no norm. The literature repairs BatchNorm for long tails (Cheng2022) rather than leaving it out",
)

# %% [markdown]
# **In place of preprocessing?** When the first linear layer is followed by BatchNorm, the scale of the input drops out.

# %% [markdown]
# **B54.** *BatchNorm makes centring and scaling the inputs less necessary.*

# %% tags=["guess"]
guess(
    "What is your verdict on B54?",
    "imprecise",
    options=["right", "imprecise", "wrong", "contested", "untestable"],
)

# %%
same = [
    measured("input_scales", norm="batch", scale=scale, lr=0.1, images=12_800)
    for scale in ("raw, 0 to 255", "0 to 1", "standardized")
]
linear, x = nn.Linear(10, 5, dtype=torch.float64), torch.randn(64, 10, dtype=torch.float64)
norm = nn.BatchNorm1d(5, eps=1e-12, dtype=torch.float64)
whole = torch.allclose(norm(linear(255 * x + 3)), norm(linear(x)), atol=1e-6)

# %%
uneven = x * torch.tensor([1000.0] + 9 * [1.0], dtype=torch.float64)  # one feature in another unit
one_unit = torch.allclose(norm(linear(uneven)), norm(linear(x)), atol=0.1)

# %%
# claim B54
judge(
    "B54",
    "one scale and shift for all inputs drops out exactly "
    f"({', '.join(told(values) for values in same)} for three scales); one feature in another "
    f"unit does not: {not one_unit}",
    holds=one_unit,
    core=whole,
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The other claims
#
# Most of them are statements of fact, and a few lines decide. The package has a function for each; run one, and open what was run:

# %%
ledger.look_up("A11", "B27", "B35")

# %% [markdown]
# And all the rest. If one of them found another verdict than the course's list, it would stop here:

# %%
ledger.look_up()
print(len(ledger.findings), "claims have a verdict")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The map
#
# All 89, by verdict. A tile leads to its row in the table below.

# %% slideshow={"slide_type": "-"}
ledger.map()

# %% [markdown]
# ## The table
#
# With what was seen, where the course shows more, and the primary sources. Where scripts run, there is a
# filter above the table.

# %%
assert not ledger.missing()
ledger

# %% [markdown]
# In Python it filters, too, and reads as text:

# %%
print(ledger.only("wrong", "momentum"))

# %% [markdown] slideshow={"slide_type": "slide"}
# And now the count. How many of 89 hold as written, and by kind of claim?

# %% slideshow={"slide_type": "-"}
print(ledger.counts(), "in all", len(ledger.findings))
kinds = {claim.kind for claim in load_claims().values()}
for kind in sorted(kinds):
    verdicts = [f.verdict for f in ledger.findings.values() if f.claim.kind == kind]
    print(
        f"{kind:11} {verdicts.count('right'):2} of {len(verdicts):2} right, "
        f"{verdicts.count('wrong'):2} wrong"
    )

# %% [markdown] slideshow={"slide_type": "subslide"}
# About a third. Hardly any of the rest is nonsense: most of it is a true sentence without its condition: *in training
# mode*, *before weight and bias*, *at this batch size*, *in this network*.
#
# What the verdicts do not say: our experiments are MNIST and small networks, five seeds or a few more. "Right" and "wrong" about
# an empirical claim means *here*.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Break it on purpose
#
# **A check that cannot fail** is easy to write. Here is one for B14, that BatchNorm keeps gradients in a reasonable range. It
# passes:

# %% slideshow={"slide_type": "-"}
shallow = first_over_last(3, nn.ReLU, nn.BatchNorm1d, seed=0)
print("reasonable:", 0.1 < shallow < 10)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Three layers. The claim is about depth, and the check has none. **Before you believe a verdict, ask for the input on which it would have
# come out the other way.** `judge` has such a guard of its own: a verdict other than the course's is not written down.

# %%
try:
    judge("A11", "momentum is learned", holds=True)
except ValueError as error:
    print(error)

# %% [markdown]
# ## Your turn
#
# | | difficulty | importance | minutes |
# |---|---|---|---|
# | Take a claim marked *right* and find the condition under which it fails | medium | high | 15 |
# | Take B30: put BatchNorm behind the ReLU, five seeds. Is there a difference? | medium | medium | 20 |
# | Take an article about a layer that you use, write down its first five claims, and run one | medium | high | 30 |
#
# <details><summary>How to begin the first</summary>
#
# B17, initialization: which scale of the first weights, at which learning rate, makes BatchNorm the *worse* of the two? The evidence in the
# table names one such case.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Test yourself
#
# Five questions before the recap. Choose an answer, and you see at once why it is right or wrong. Your
# first choices count, and the line under the questions says where they are kept.

# %% slideshow={"slide_type": "-"}
self_test("11_check_the_claims")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - A claim becomes testable when you can say what you would see if it were false.
# - Right, imprecise, wrong: a matter of what holds as written, and of what is true in it. Contested: sources or experiments disagree.
#   Untestable: nothing could contradict it.
# - Each of the 89 has a row in the table, and behind it an experiment: a cell above, or the function that was run.
# - Read with a keyboard: most claims about a layer can be run in five lines.

# %% [markdown]
# ## Go further
#
# - Z. C. Lipton, J. Steinhardt, *Troubling Trends in Machine Learning Scholarship*, arXiv:1807.03341, 2018: explanation taken for
#   evidence, with internal covariate shift as one of the examples.
# - S. Santurkar and others, *How Does Batch Normalization Help Optimization?*, NeurIPS 2018, arXiv:1805.11604: a claim everybody
#   repeated, put to the test.
# - Y. Wu, J. Johnson, *Rethinking "Batch" in BatchNorm*, arXiv:2105.07576, 2021: what "the batch" means, case by case.
