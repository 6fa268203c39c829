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
# *Lesson 11 · 60 minutes · medium · the whole course, seen from the other side*
#
# When you have finished you can
#
# - turn a sentence about normalization into something that can be run;
# - tell five verdicts apart: right, imprecise, wrong, contested, untestable;
# - say which of 89 claims in two articles hold, and show the cell that says so;
# - read an article about a layer with a keyboard at hand.
#
# **What you need:** the lessons on the norms ([2](02_batch_norm_forward.ipynb) to
# [9](09_rms_norm_and_relatives.ipynb)); single claims can be read without.

# %% [markdown] slideshow={"slide_type": "slide"}
# The course grew from two articles. **A** is *PyTorch Normalize: Understanding and Utilizing the Normalize
# Parameter* (2023), **B** is *PyTorch Implementation of Batch Normalization*. Neither prints a number. Here
# are all their claims, in our words, each with a cell that puts it to the test.

# %%
import ast
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from normlab import load_mnist
from normlab import nn as twins
from normlab.claims import VERDICTS, Ledger, load_claims
from normlab.exercises import self_test
from normlab.training import article_net, recorded

# %%
torch.set_num_threads(1)
torch.manual_seed(0)
ledger = Ledger()
judge, argue = ledger.judge, ledger.argue

# %% [markdown] slideshow={"slide_type": "-"}
# ## A question first
#
# There are 89 claims in two articles of a few pages. **How many of them hold as they are written?** And which
# will do worse: statements of fact about PyTorch, definitions, or the empirical ones? Write down two guesses.
# The answer is at the end of the lesson, counted.

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
# Each claim stands in italics above the cells that test it: **guess its verdict before you read on.** "It" is normalization
# in the claims of A, and BatchNorm in those of B. A name with a year, such as Santurkar2018, is a source; the table
# at the end gives it in full.

# %% [markdown]
# Numbers from long trainings come from recorded files, made by `normlab experiment NAME`; the rest runs now.


# %%
def measured(name, column="test_accuracy", **chosen):
    """Percent, one for each seed."""
    return 100 * recorded(name).values(column, **chosen)  # (seeds,)


def told(values):
    return f"{values.mean():.1f} ± {values.std(ddof=1):.1f} %"


# %% [markdown] slideshow={"slide_type": "slide"}
# ## What the word means
#
# One function with one parameter, a step before training, or a part of the network?

# %% [markdown] slideshow={"slide_type": "-"}
# **A1.** *PyTorch has one normalize function, with one parameter, that covers all of it.*

# %% slideshow={"slide_type": "-"}
# claim A1
length_one = F.normalize(torch.tensor([[3.0, 4.0]]))
judge(
    "A1",
    f"torch.normalize does not exist; F.normalize([3, 4]) is [{length_one[0, 0]:.1f}, "
    f"{length_one[0, 1]:.1f}], a length and no mean; the layers are other classes",
    holds=hasattr(torch, "normalize"),
)

# %% [markdown]
# **A6.** *It comes as a function, or as a module inside the network.*

# %%
# claim A6
x = torch.randn(8, 3)
as_function = F.batch_norm(x, None, None, training=True)
judge(
    "A6",
    "F.batch_norm and nn.BatchNorm1d give the same numbers",
    holds=torch.equal(as_function, nn.BatchNorm1d(3)(x)),
)

# %% [markdown]
# **A3.** *Normalization is a step before training, done to the data.*

# %%
# The twin of torchvision's transform: constants, chosen before.
fixed = twins.Normalize((0.5,), (0.2,))
layer = nn.BatchNorm1d(3)
learns = [name for name, _ in layer.named_parameters()]

# %%
# claim A3
judge(
    "A3",
    f"true of the transform; the layers stand inside the network, learn {learns} and have two "
    "modes",
    holds=not learns,
    core=not hasattr(fixed, "weight"),
)

# %% [markdown]
# **A7.** *The kinds are BatchNorm, LayerNorm, InstanceNorm and GroupNorm.*

# %%
named = ["BatchNorm1d", "LayerNorm", "InstanceNorm1d", "GroupNorm"]
others = [name for name in ("RMSNorm", "LocalResponseNorm", "SyncBatchNorm") if hasattr(nn, name)]

# %%
# claim A7
judge(
    "A7",
    f"the four exist; torch.nn also has {', '.join(others)}",
    holds=not others,
    core=all(hasattr(nn, n) for n in named),
)

# %% [markdown]
# **A8.** *Each kind has its own parameters and its own behaviour.*

# %%
# claim A8
made = [nn.BatchNorm1d(4), nn.LayerNorm(4), nn.InstanceNorm1d(4), nn.GroupNorm(2, 4)]
states = {tuple(layer.state_dict()) for layer in made}
judge(
    "A8",
    f"{len(states)} different sets of parameters and buffers; InstanceNorm has none unless asked",
    holds=len(states) > 2,
)

# %% [markdown] slideshow={"slide_type": "slide"}
# **A32.** *The kinds of norm are different degrees of normalization.*

# %% slideshow={"slide_type": "-"}
x = torch.randn(4, 6, 5) + 3
kinds = [nn.BatchNorm1d(6), nn.GroupNorm(1, 6), nn.GroupNorm(2, 6), nn.InstanceNorm1d(6)]
spreads = [kind(x).std(correction=0).item() for kind in kinds]

# %% slideshow={"slide_type": "-"}
# claim A32
judge(
    "A32",
    f"each leaves the block of numbers with standard deviation {min(spreads):.2f} to "
    f"{max(spreads):.2f}: none does more than another; they differ in which numbers share a "
    "mean",
    holds=max(spreads) - min(spreads) > 0.1,
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## BatchNorm: what it computes
#
# Both articles say that the activations come out with mean 0 and variance 1. Take a layer that has learned a
# weight and a bias, and look in both modes.

# %% slideshow={"slide_type": "-"}
layer = nn.BatchNorm1d(3)
nn.init.constant_(layer.weight, 3), nn.init.constant_(layer.bias, 2)
x = 5 * torch.randn(64, 3) + 7
trained = layer(x).detach()
tested = layer.eval()(x).detach()

# %% [markdown] slideshow={"slide_type": "subslide"}
# **A9.** *BatchNorm gives each mini-batch's activations mean 0 and variance 1.*

# %% slideshow={"slide_type": "-"}
plain = nn.BatchNorm1d(3)(x)
core = bool(plain.mean().abs() < 1e-5 and abs(plain.std(correction=0) - 1) < 1e-3)
saw = (
    "true before weight and bias and in training mode; with weight 3 and bias 2 the mean is "
    f"{trained.mean():.0f} and the deviation {trained.std(correction=0):.0f}; in evaluation "
    f"mode after one batch the mean is {tested.mean():.0f}"
)

# %% slideshow={"slide_type": "-"}
# claim A9
holds = abs(trained.mean().item()) < 0.01
judge("A9", saw, holds=holds, core=core)

# %% [markdown]
# **B2.** *It gives the activations of each layer mean 0 and variance 1.*

# %%
# claim B2
judge("B2", saw + "; and only where such a layer stands", holds=holds, core=core)

# %% [markdown]
# **B23.** *It subtracts the mini-batch's mean and divides by its standard deviation.*

# %%
layer = nn.BatchNorm1d(3, momentum=1.0)
narrow = 0.003 * torch.randn(8, 3)
as_said = (narrow - narrow.mean(0)) / narrow.std(0, correction=0)

# %%
saw = (
    f"without eps the deviation would be 1, it is {layer(narrow).std(correction=0):.1f} for a "
    "narrow feature; the buffer keeps another variance (n - 1) than the one divided by; "
    "evaluation uses neither"
)
wide = (x - x.mean(0)) / x.std(0, correction=0)

# %%
# claim B23
judge(
    "B23",
    saw,
    holds=torch.allclose(layer(narrow), as_said, atol=1e-3),
    core=torch.allclose(nn.BatchNorm1d(3)(x), wide, atol=1e-3),
)

# %% [markdown]
# **A10.** *BatchNorm brings two more parameters.*

# %%
# claim A10
layer = nn.BatchNorm1d(3)
names = [name for name, _ in layer.named_parameters()]
judge(
    "A10",
    f"{names}, a vector each, and {len(list(layer.buffers()))} buffers besides",
    holds=len(names) == 2,
)

# %% [markdown]
# **A11.** *The first of them, gamma, is the momentum.*

# %%
# claim A11
judge(
    "A11",
    f"momentum is the constant {layer.momentum} of the running average; gamma is `weight`, a scale",
    holds="momentum" in names,
)

# %% [markdown]
# **A12.** *The second, beta, is an offset.*

# %%
# claim A12
judge(
    "A12",
    "with weight 0 the output is the bias",
    holds=torch.equal(
        F.batch_norm(x, None, None, torch.zeros(3), torch.full((3,), 2.0), True),
        torch.full_like(x, 2),
    ),
)

# %% [markdown]
# **B36.** *Affine means: a scale and a shift that are learned.*

# %%
# claim B36
affine = (
    nn.BatchNorm1d(3, affine=True).state_dict().keys()
    - nn.BatchNorm1d(3, affine=False).state_dict().keys()
)
judge("B36", f"affine=True adds {sorted(affine)}", holds=affine == {"weight", "bias"})

# %% [markdown] slideshow={"slide_type": "slide"}
# Does BatchNorm normalize "the inputs of each layer"? In the article's network (two hidden layers of 256 and 128
# units, [lesson 5](05_mnist_with_batch_norm.ipynb)) it stands before a ReLU, and
# the next layer gets what comes behind it.

# %% [markdown] slideshow={"slide_type": "-"}
# **B9.** *BatchNorm normalizes the inputs of each layer.*

# %% slideshow={"slide_type": "-"}
network = article_net("batch")
digits = load_mnist(tensors=True).train_images[:256].flatten(1) / 255
normalized = network.bn1(network.fc1(digits))
received = torch.relu(normalized).detach()

# %% slideshow={"slide_type": "-"}
# claim B9
saw = (
    "what is normalized is the output of a linear layer; the next layer gets it through a "
    f"ReLU, with mean {received.mean():.2f} and variance {received.var():.2f}"
)
judge(
    "B9", saw, holds=abs(received.mean().item()) < 0.05, core=abs(normalized.mean().item()) < 0.05
)

# %% [markdown]
# **B21.** *BatchNorm makes the inputs of all layers have similar ranges.*

# %%
# claim B21
judge(
    "B21",
    "layers behind a norm have like inputs; fc1, with none before it, gets variance "
    f"{digits.var():.2f}, fc2 {received.var():.2f}, and the range of single units differs",
    holds=abs(digits.var().item() - received.var().item()) < 0.05,
    core=abs(normalized.var().item() - 1) < 0.05,
)

# %% [markdown]
# **B20.** *Non-linear activations give the layers' inputs a wide range.*

# %%
deep, linear_only = digits, digits
ranges = []
for _ in range(4):
    weights = torch.randn(deep.shape[1], 100) / 4
    deep, linear_only = torch.relu(deep @ weights), linear_only @ weights
    ranges.append(
        (deep.std().item(), linear_only.std().item(), torch.tanh(linear_only).std().item())
    )

# %%
grows = [
    f"{first:.1f} to {last:.0f}" for first, last in zip(ranges[0][:2], ranges[-1][:2], strict=True)
]

# %%
# claim B20
judge(
    "B20",
    f"over four layers the spread goes from {grows[0]} with ReLU, and from {grows[1]} without "
    "any non-linearity: the weights do it; tanh keeps it below 1",
    holds=ranges[-1][1] < ranges[0][1],
    core=ranges[-1][0] > 2 * ranges[0][0],
)

# %% [markdown]
# ## BatchNorm in PyTorch

# %% [markdown]
# **B1.** *PyTorch's implementation of BatchNorm is a technique that improves training.*

# %%
x64 = torch.randn(8, 3, dtype=torch.float64)
ours = twins.BatchNorm1d(3, dtype=np.float64)
theirs = nn.BatchNorm1d(3, dtype=torch.float64)
same = np.allclose(ours(x64.numpy()), theirs(x64).detach().numpy(), atol=1e-12)

# %%
# claim B1
judge(
    "B1",
    "BatchNorm is the technique; a NumPy version without PyTorch gives the same numbers to 1e-12",
    holds=not same,
    core=isinstance(theirs, nn.Module),
)

# %% [markdown]
# **B5.** *Its advantages belong to PyTorch's implementation.*

# %%
# claim B5
judge(
    "B5",
    "what the layer does, it does in NumPy as well: nothing of it is PyTorch's",
    holds=not same,
)


# %% [markdown]
# Article B prints a network and a training loop. Here is the network, as it is meant:


# %%
class ThreeLayers(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(784, 256), nn.Linear(256, 128), nn.Linear(128, 10)
        self.bn1, self.bn2 = nn.BatchNorm1d(256), nn.BatchNorm1d(128)

    def forward(self, x):
        return self.fc3(F.relu(self.bn2(self.fc2(F.relu(self.bn1(self.fc1(x)))))))


# %% [markdown]
# **B4.** *Built-in functions and modules make it easy to use.*

# %%
# claim B4
logits = ThreeLayers()(digits)
F.cross_entropy(logits, torch.zeros(len(digits), dtype=torch.long)).backward()
judge("B4", "two lines of code, one for each layer", holds=logits.shape == (256, 10))

# %% [markdown]
# **B24.** *One imports torch, torch.nn and torch.nn.functional for it.*

# %%
# claim B24
judge(
    "B24",
    "they suffice for the network; torch.optim comes with `import torch`",
    holds=hasattr(torch, "optim"),
)

# %% [markdown]
# **B25.** *torch.nn.functional holds activation functions and losses.*

# %%
# claim B25
judge(
    "B25",
    "F.relu and F.cross_entropy are there",
    holds=all(hasattr(F, n) for n in ("relu", "cross_entropy")),
)

# %% [markdown]
# **B26.** *A subclass of Module with three linear layers is a network with two hidden layers.*

# %%
# claim B26
linear = sum(p.numel() for n, p in ThreeLayers().named_parameters() if n.startswith("fc"))
judge("B26", f"hidden layers of 256 and 128 units, {linear:,} parameters", holds=linear == 235_146)

# %% [markdown] slideshow={"slide_type": "slide"}
# And its first lines as they are printed, with their quotation marks and without any indentation:

# %% slideshow={"slide_type": "-"}
printed = (
    "“`\nclass MyNetwork(torch.nn.Module):\ndef __init__(self):\nsuper(MyNetwork, self).__init__()"
)


# %%
def error_of(code):
    try:
        ast.parse(code)
    except SyntaxError as error:
        return type(error).__name__


# %%
def complaint(call):
    try:
        call()
    except (ValueError, RuntimeError) as error:
        return str(error).split("\n")[0]


# %% [markdown] slideshow={"slide_type": "-"}
# **B27.** *The printed code runs.*

# %% slideshow={"slide_type": "-"}
quotes, indents = error_of(printed), error_of(printed.replace("“`\n", ""))
images = complaint(lambda: ThreeLayers()(digits.reshape(-1, 1, 28, 28)))

# %% slideshow={"slide_type": "-"}
# claim B27
judge(
    "B27",
    f"as printed {quotes}, without the curly quotes {indents}; two names are never defined; "
    f"and given images: {images}",
    holds=quotes is None,
)

# %% [markdown]
# **B32.** *The printed training loop is all that one needs.*

# %%
# claim B32
left_over = complaint(lambda: ThreeLayers()(digits[:1]))
judge(
    "B32",
    "it trains, and neither measures nor calls eval(); an epoch that leaves one sample ends "
    f"with: {left_over}",
    holds=left_over is None,
)

# %% [markdown]
# **B28.** *BatchNorm1d is for one-dimensional input.*

# %%
shapes = {"(N, C)": (4, 3), "(N, C, L)": (4, 3, 5), "(N, C, H, W)": (4, 3, 5, 5)}
refused = [
    name
    for name, shape in shapes.items()
    if complaint(lambda s=shape: nn.BatchNorm1d(3)(torch.randn(s)))
]

# %%
# claim B28
judge(
    "B28",
    f"takes vectors (N, C) and sequences (N, C, L), and refuses {refused[0]}: '1d' counts the "
    "positions' axes",
    holds=len(refused) == 2,
    core=len(refused) == 1,
)

# %% [markdown]
# **B50.** *One uses BatchNorm1d or BatchNorm2d, by the dimensions of the input.*

# %%
# claim B50
images_ok = complaint(lambda: nn.BatchNorm2d(3)(torch.randn(4, 3, 5, 5))) is None
judge(
    "B50",
    "1d for vectors and sequences, 2d for images, and there is a 3d",
    holds=images_ok and bool(refused),
)

# %% [markdown]
# **B29.** *A BatchNorm can follow each linear layer.*

# %%
# claim B29
order = [name for name, _ in article_net("batch").named_children()]
judge(
    "B29",
    f"it can, and the article's own network has none behind the last: {order}",
    holds=order[-1].startswith("bn"),
    core="bn1" in order,
)

# %% [markdown]
# **B30.** *BatchNorm stands between the linear layer and the ReLU.*

# %%
# claim B30
at_end = measured("learning_rates", norm="batch", lr=0.1, images=60_000)
judge(
    "B30",
    f"so in the 2015 paper, and in the article's code; it learns, {told(at_end)} after one "
    "epoch; the other order was not compared",
    holds=at_end.min() > 90,
)

# %% [markdown]
# **B51.** *BatchNorm can normalize the input layer or hidden layers.*

# %%
# claim B51
first = nn.Sequential(nn.BatchNorm1d(784), nn.Linear(784, 10))
judge("B51", "both run; for the input layer see also B54", holds=first(digits).shape == (256, 10))

# %% [markdown]
# **B52.** *It usually follows a linear layer or a convolution.*

# %%
# claim B52
convolved = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3))(digits.reshape(-1, 1, 28, 28))
judge(
    "B52",
    "behind nn.Linear and behind nn.Conv2d it runs, and its paper puts it there",
    holds=convolved.shape == (256, 3, 26, 26),
)

# %% [markdown]
# **B33.** *The linear layers keep their biases in front of BatchNorm.*

# %%
network = article_net("batch")
F.cross_entropy(network(digits), load_mnist(tensors=True).train_labels[:256]).backward()
idle = network.fc1.bias.grad.abs().max() < 1e-6 * network.fc1.weight.grad.abs().max()

# %%
# claim B33
judge(
    "B33",
    "they may stay, and do nothing: their gradients are below a millionth of the weights'; "
    "the norm's own bias does the work",
    holds=not bool(idle),
    core=complaint(lambda: network(digits)) is None,
)

# %% [markdown]
# **B34.** *Plain BatchNorm adds parameters, and so cost.*

# %%
count = {
    affine: sum(p.numel() for p in nn.BatchNorm1d(256, affine=affine).parameters())
    for affine in (False, True)
}
share = (2 * 256 + 2 * 128) / 235_146

# %%
# claim B34
judge(
    "B34",
    f"without affine {count[False]} parameters; with it {share:.2%} of the article's network; "
    "the cost is in the statistics",
    holds=count[False] > 0,
)

# %% [markdown]
# **B35.** *BatchNorm with an affine transformation is an alternative that lowers this cost.*

# %%
# claim B35
judge(
    "B35",
    f"affine is the default ({nn.BatchNorm1d(4).affine}), and it is what adds the "
    f"{count[True]} parameters",
    holds=count[True] < count[False],
)

# %% [markdown]
# **B56.** *PyTorch's BatchNorm is convenient and efficient.*

# %%
runs = {
    norm: recorded("article_runs").values("seconds", norm=norm, lr=0.01, epochs=5, step=4690)
    for norm in ("none", "batch")
}
ratio = np.median(runs["batch"] / runs["none"])

# %%
# claim B56
judge(
    "B56",
    f"convenient: one line; efficient: training took {ratio:.1f} times as long as without, in "
    "the recorded runs of the article's network",
    holds=ratio < 2,
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## LayerNorm, InstanceNorm, GroupNorm: which numbers share a mean
#
# A norm's statistics can be found without reading its code. Change one number, and see which outputs move.


# %% slideshow={"slide_type": "-"}
def moved_by(norm, shape=(4, 6, 5)):
    """Which outputs change with the number in sample 0, channel 0, position 0: (N, C, L)."""
    x = torch.randn(shape)
    other = x.clone()
    other[0, 0, 0] += 1
    return (norm(x) - norm(other)).abs().detach() > 1e-6


# %% [markdown]
# **A14.** *LayerNorm normalizes over a layer, and not over the batch.*

# %%
# claim A14
layer = nn.LayerNorm([6, 5])
moved = moved_by(layer)
judge(
    "A14",
    "one number moves its own sample, and no other",
    holds=bool(moved[0].all() and not moved[1:].any()),
)

# %% [markdown]
# **A15.** *LayerNorm takes a mean and a variance for each channel.*

# %%
# claim A15
means = torch.randn(4, 6, 5).mean((1, 2)).numel()
judge(
    "A15",
    f"one mean for each sample ({means} for 4 samples), across all channels; what there is "
    f"for each element is weight and bias, {tuple(layer.weight.shape)}",
    holds=not bool(moved[0, 1:].any()),
)

# %% [markdown]
# **B43.** *LayerNorm normalizes across the features of each sample.*

# %%
# claim B43
features = nn.LayerNorm(6)(torch.randn(4, 6)).detach()
judge(
    "B43",
    "each sample's features come out with mean 0",
    holds=bool(features.mean(1).abs().max() < 1e-5),
)

# %% [markdown] slideshow={"slide_type": "fragment"}
# **A18.** *InstanceNorm normalizes within each instance.*

# %% slideshow={"slide_type": "fragment"}
# claim A18
moved = moved_by(nn.InstanceNorm1d(6))
judge(
    "A18",
    "within each instance *and each channel*: one number moves its own channel only",
    holds=bool(moved[0].all()),
    core=not bool(moved[1:].any()),
)

# %% [markdown]
# **A19.** *InstanceNorm's statistics of one instance do not depend on the others.*

# %%
# claim A19
judge("A19", "no other instance moves", holds=not bool(moved[1:].any()))

# %% [markdown]
# **A21.** *GroupNorm normalizes within groups of channels.*

# %%
# claim A21
moved = moved_by(nn.GroupNorm(2, 6))
judge(
    "A21",
    "one number moves the three channels of its group, at all positions, in its own sample",
    holds=bool(moved[0, :3].all() and not moved[0, 3:].any() and not moved[1:].any()),
)

# %% [markdown]
# **A22.** *The groups are channels selected from each layer.*

# %%
# claim A22
uneven = complaint(lambda: nn.GroupNorm(4, 6))
judge(
    "A22",
    f"nothing is selected: neighbours in fixed blocks of equal size ({uneven})",
    holds=not bool(moved[0, 1].any()),
    core=bool(moved[0, :3].all()),
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **A23.** *GroupNorm lies between BatchNorm and LayerNorm.*

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

# %% [markdown]
# **A24.** *GroupNorm controls how strongly a layer is normalized.*

# %%
strength = [nn.GroupNorm(g, 6)(x).std(correction=0).item() for g in (1, 2, 3, 6)]

# %%
# claim A24
judge(
    "A24",
    "the number of groups decides which numbers share a mean; the output's deviation is "
    f"{min(strength):.2f} to {max(strength):.2f} for 1 to 6 groups",
    holds=max(strength) - min(strength) > 0.1,
    core=not torch.allclose(nn.GroupNorm(1, 6)(x), nn.GroupNorm(3, 6)(x)),
)

# %% [markdown]
# **B38.** *BatchNorm normalizes across the whole batch; GroupNorm and LayerNorm are kinds of BatchNorm.*

# %%
moved = moved_by(nn.BatchNorm1d(6))

# %%
# claim B38
judge(
    "B38",
    "BatchNorm: across the batch, but each feature by itself; GroupNorm and LayerNorm stay "
    "within a sample and are no kinds of it",
    holds=bool(moved.all()) and batch_mates,
    core=bool(moved[:, 0].all()),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Which norm for what
#
# **Small batches.** The article's network and a small convolutional one, 6,000 digits once through, learning rate 0.05,
# batches of 2 to 128.


# %%
def by_batch(network, norm, size):
    return measured("batch_sizes", network=network, norm=norm, batch_size=size, images=6000)


# %% slideshow={"slide_type": "-"}
for network in ("mlp", "cnn"):
    for norm in ("none", "batch", "layer", "group"):
        print(
            f"{network} {norm:6}",
            *(f"{size:4}: {told(by_batch(network, norm, size))}" for size in (2, 8, 32, 128)),
        )

# %% [markdown] slideshow={"slide_type": "subslide"}
# **A16.** *LayerNorm is useful where batches are small.*

# %%
better = {
    (net, norm): by_batch(net, norm, 2).mean() > by_batch(net, "batch", 2).mean() + 1
    for net in ("mlp", "cnn")
    for norm in ("layer", "group")
}

# %%
saw = (
    "at batches of 2: in the MLP {} against BatchNorm's {}; in the CNN {} against {}, since "
    "there each mean of two images has hundreds of numbers"
)
numbers = [told(by_batch(net, norm, 2)) for norm in ("layer", "group") for net in ("mlp", "cnn")]
batch2 = [told(by_batch(net, "batch", 2)) for net in ("mlp", "cnn")]

# %% slideshow={"slide_type": "-"}
# claim A16
judge(
    "A16",
    saw.format(numbers[0], batch2[0], numbers[1], batch2[1]),
    holds=all(better[net, "layer"] for net in ("mlp", "cnn")),
    core=better["mlp", "layer"],
)

# %% [markdown]
# **B39.** *GroupNorm is useful where batches are small.*

# %%
# claim B39
judge(
    "B39",
    saw.format(numbers[2], batch2[0], numbers[3], batch2[1]),
    holds=all(better[net, "group"] for net in ("mlp", "cnn")),
    core=better["mlp", "group"],
)

# %% [markdown]
# **B42.** *With small batches GroupNorm performs like BatchNorm with larger ones.*

# %%
behind = {
    net: by_batch(net, "batch", 32).mean() - by_batch(net, "group", 2).mean()
    for net in ("mlp", "cnn")
}

# %%
# claim B42
judge(
    "B42",
    f"GroupNorm at 2 against BatchNorm at 32: {behind['mlp']:.1f} points behind in the MLP, "
    f"{-behind['cnn']:.1f} ahead in the CNN, with equally many images",
    holds=max(behind.values()) < 1,
    core=min(behind.values()) < 1,
)

# %% [markdown]
# **B41.** *GroupNorm minds changes of the batch size less.*

# %%
layer, x = nn.GroupNorm(2, 6), torch.randn(64, 6, 5)
alone = torch.cat([layer(part) for part in x.split(1)])
spread = {
    norm: np.ptp([by_batch("mlp", norm, size).mean() for size in (2, 8, 32, 128)])
    for norm in ("batch", "group")
}

# %%
# claim B41
judge(
    "B41",
    "a sample's output is the same in batches of 1 and of 64; from batches of 2 to 128 the "
    f"MLP's accuracy changes by {spread['group']:.0f} points, with BatchNorm by "
    f"{spread['batch']:.0f}",
    holds=torch.allclose(alone, layer(x), atol=1e-6) and spread["group"] < spread["batch"],
)

# %% [markdown]
# **A26.** *BatchNorm suits large data sets and models of high capacity.*

# %%
wins = {
    size: by_batch("mlp", "batch", size).mean()
    - max(by_batch("mlp", norm, size).mean() for norm in ("layer", "group"))
    for size in (2, 4, 16, 32, 64, 128)
}
ahead = [size for size, lead in wins.items() if lead > 0]

# %%
# claim A26
judge(
    "A26",
    f"the same small network and few data: BatchNorm is ahead at batches of {ahead}, behind "
    "at 2 and 4: the batch decides, not the data set",
    holds=not ahead,
    core=wins[128] > 0,
)

# %% [markdown]
# **A27.** *LayerNorm and GroupNorm suit smaller data sets and shallower models.*

# %%
# claim A27
judge(
    "A27",
    "6,000 images and two hidden layers are small and shallow, and LayerNorm and GroupNorm "
    f"are behind at batches of {ahead}; the deepest models today use LayerNorm and RMSNorm",
    holds=wins[32] < 0,
)

# %% [markdown]
# **Sequences.** LayerNorm at each step takes the features of one token: what was padded, and how far, is nothing to it.

# %% [markdown]
# **A17.** *LayerNorm is useful for sequences of different lengths.*

# %%
sequences = torch.randn(2, 3, 5) + 4  # (N, C, L)
padded = F.pad(sequences, (0, 20))
by_token = nn.LayerNorm(3)(padded.transpose(1, 2))[:, :5]  # (N, L, C)
unmoved = torch.allclose(by_token, nn.LayerNorm(3)(sequences.transpose(1, 2)), atol=1e-6)
batch_moves = not torch.allclose(
    nn.BatchNorm1d(3)(padded)[..., :5], nn.BatchNorm1d(3)(sequences), atol=0.1
)

# %%
# claim A17
judge(
    "A17",
    "20 steps of padding leave LayerNorm's output at the real steps as it was, and change "
    "BatchNorm's",
    holds=unmoved and batch_moves,
)

# %% [markdown]
# InstanceNorm, says article A, works well for tagging sequences. We found no source that says so; its origin is the
# restyling of images, where the contrast of an instance is to be removed. Here is a task of the kind: each step of a
# sequence is to be tagged, and the tag depends on the sequence as a whole.


# %%
def tag_accuracy(norm, seed):
    """Tag each step by the sign of its sequence's level; a chance of one half without a clue."""
    torch.manual_seed(seed)
    level = torch.randn(600, 1, 1)
    x, tags = level + 0.5 * torch.randn(600, 1, 20), (level > 0).float().expand(600, 1, 20)
    network = nn.Sequential(
        nn.Conv1d(1, 8, 3, padding=1), norm(), nn.ReLU(), nn.Conv1d(8, 1, 3, padding=1)
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for rows in torch.arange(500).repeat(12).split(50):
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(network(x[rows]), tags[rows]).backward()
        optimizer.step()
    return ((network(x[500:]) > 0) == (tags[500:] > 0)).float().mean().item()


# %%
tagged = {
    name: [tag_accuracy(norm, seed) for seed in range(5)]
    for name, norm in {"none": nn.Identity, "InstanceNorm": lambda: nn.InstanceNorm1d(8)}.items()
}

# %% [markdown]
# **A20.** *InstanceNorm has been found to work well with conditional random fields and for tagging sequences.*

# %%
worse = max(tagged["InstanceNorm"]) < min(tagged["none"])
looks_ahead = bool(moved_by(nn.InstanceNorm1d(6))[0, 0, 1:].all())

# %%
# claim A20
judge(
    "A20",
    "no source found; a CRF is a model of the outputs and has no norm in it; in a tagging "
    f"task made here, worse than without on every one of 5 seeds: {worse}",
    holds=not worse,
)

# %% [markdown]
# **A28.** *InstanceNorm is effective for sequences whose parts depend on each other.*

# %%
# claim A28
judge(
    "A28",
    "what hangs together in a sequence is its level, and that is what it removes; each "
    f"step's output also depends on all later steps: {looks_ahead}",
    holds=not worse,
)

# %% [markdown]
# Recurrent networks: the small one of [lesson 6](06_layer_norm.ipynb), which reads a digit row by row (recorded there).

# %% [markdown]
# **B44.** *LayerNorm suits recurrent networks because the batch size may change between time steps.*

# %%
# A packed batch: fewer sequences at each step.
shrinking = [torch.randn(size, 4) for size in (8, 5, 2)]
batch_norm = nn.BatchNorm1d(4)
refused = any(complaint(lambda s=step: batch_norm(s)) for step in shrinking)
unmoved = torch.allclose(nn.LayerNorm(4)(shrinking[0])[:2], nn.LayerNorm(4)(shrinking[0][:2]))

# %%
# claim B44
judge(
    "B44",
    "it minds no batch size, and the batch does shrink in packed batches; but that alone "
    "stops no BatchNorm; the paper's reasons are statistics of each step and sample, and "
    "nothing to store for steps never seen; BatchNorm with statistics for each step has been "
    "made to work (Cooijmans2016)",
    holds=refused,
    core=unmoved,
)

# %% [markdown]
# **B45.** *LayerNorm makes recurrent networks train more stably and generalize better.*

# %%
settings = {
    "batches of 64": {"batch_size": 64, "lengths": "fixed"},
    "of 4": {"batch_size": 4, "lengths": "fixed"},
    "of 64, many lengths": {"batch_size": 64, "lengths": "ragged"},
}

# %%
rnn = {
    name: [measured("rnn_norms", norm=norm, **chosen) for norm in ("layer", "none")]
    for name, chosen in settings.items()
}
ahead = {name: layer.mean() > none.mean() + 1 for name, (layer, none) in rnn.items()}

# %%
# claim B45
judge(
    "B45",
    "our small RNN, with LayerNorm and without any norm: "
    + "; ".join(f"{name}: {told(layer)} and {told(none)}" for name, (layer, none) in rnn.items())
    + "; the paper's networks and sequences are larger",
    holds=all(ahead.values()),
    core=any(ahead.values()),
)

# %% [markdown]
# **A25.** *Which norm is best depends on task, data and model.*

# %%
# claim A25
argue("A25", "untestable", "true of every choice in machine learning; nothing could contradict it")

# %% [markdown]
# **A33.** *Understanding the norms ensures that a model converges and is accurate.*

# %%
# claim A33
diverged = measured("learning_rates", norm="batch", lr=10.0, images=60_000)
argue(
    "A33",
    "untestable",
    "nothing ensures it, and understanding was not varied; BatchNorm at learning rate 10 "
    f"ends at {told(diverged)}",
)

# %% [markdown]
# **B40.** *GroupNorm is useful where the data depends strongly within each group.*

# %%
# claim B40
argue(
    "B40",
    "untestable",
    "groups are of channels of one sample, not of data; as it is written it has no meaning "
    "that could be tried",
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Does it help, and how much
#
# The article's network and its comparison, in numbers. All trainings are recorded, five seeds at least.

# %% [markdown] slideshow={"slide_type": "-"}
# **A2.** *Without normalization a model cannot be trained successfully.*

# %% slideshow={"slide_type": "-"}
# claim A2
without = measured("article_runs", norm="none", lr=0.1, epochs=5, step=4690)
saw = (
    f"the article's network without any norm: {told(without)} after five epochs at learning "
    "rate 0.1"
)
judge("A2", saw, holds=without.max() < 90)

# %% [markdown]
# **B22.** *BatchNorm is essential for deep models.*

# %%
# claim B22
judge("B22", saw + "; very deep networks have been trained without, too", holds=without.max() < 90)

# %% [markdown]
# **A4.** *Data on one scale makes learning faster and the result better.*

# %%
scales = {
    scale: max(
        (
            measured("input_scales", norm="none", scale=scale, lr=lr, images=12_800)
            for lr in (0.0001, 0.001, 0.01, 0.1, 0.5)
        ),
        key=np.mean,
    )
    for scale in ("raw, 0 to 255", "0 to 1", "standardized")
}

# %%
# claim A4
judge(
    "A4",
    "; ".join(f"{scale}: {told(values)}" for scale, values in scales.items())
    + ", each at the best of five learning rates, no norm",
    holds=scales["standardized"].mean() > scales["raw, 0 to 255"].mean() + 1,
)

# %% [markdown]
# **A5.** *It matters because networks have so many parameters and need so much computation.*

# %%
# Two weights are enough.
features = np.stack([np.linspace(-1, 1, 50), 100 * np.cos(np.arange(50))], axis=1)  # (50, 2)
condition = [np.linalg.cond(f.T @ f) for f in (features, features / features.std(0))]

# %%
# claim A5
judge(
    "A5",
    f"two weights, 50 samples: the condition number falls from {condition[0]:.0e} to "
    f"{condition[1]:.1f} when both features have one scale; no large network is needed for "
    "that",
    holds=features.shape[1] > 1000,
    core=condition[0] > 100 * condition[1],
)

# %% [markdown]
# **B15.** *With it a model converges faster and performs better.*

# %%
runs = {
    norm: measured("article_runs", norm=norm, lr=0.01, epochs=5, step=4690)
    for norm in ("none", "batch")
}
early = {
    norm: measured("article_runs", norm=norm, lr=0.01, epochs=5, step=938)
    for norm in ("none", "batch")
}

# %%
# claim B15
judge(
    "B15",
    f"at the article's settings {told(early['batch'])} after one epoch against "
    f"{told(early['none'])}, and {told(runs['batch'])} against {told(runs['none'])} after five",
    holds=early["batch"].min() > early["none"].max() and runs["batch"].min() > runs["none"].max(),
)

# %% [markdown]
# **B31.** *SGD with cross-entropy trains the network.*

# %%
# claim B31
judge(
    "B31",
    f"{told(runs['batch'])} after five epochs at learning rate 0.01",
    holds=runs["batch"].min() > 90,
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **B18.** *It allows higher learning rates.*

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
# **B19.** *The higher learning rate makes training faster.*

# %%
# claim B19
fast, slow = learned["batch"][0.1], learned["batch"][0.01]
judge(
    "B19",
    f"after one epoch {told(fast)} at 0.1, {told(slow)} at 0.01",
    holds=fast.mean() > slow.mean() + 1,
)

# %% [markdown]
# **B17.** *It makes careful initialization less necessary.*

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
# **B16.** *It makes gradients depend less on the scale of the weights.*

# %%
x, weights = torch.randn(64, 10, dtype=torch.float64), torch.randn(10, 5, dtype=torch.float64)
grads = []
for scale in (1.0, 100.0):
    w = (scale * weights).requires_grad_()
    F.batch_norm(x @ w, None, None, training=True, eps=1e-12).pow(3).sum().backward()
    grads.append(w.grad)

# %%
# claim B16
judge(
    "B16",
    "weights times 100: the output stays, the gradient is divided by "
    f"{(grads[0].norm() / grads[1].norm()):.0f}, and is at right angles to the weights",
    holds=torch.allclose(grads[0], 100 * grads[1])
    and bool((grads[0] * weights).sum(0).abs().max() < 1e-6 * grads[0].norm() * weights.norm()),
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

# %% [markdown]
# **B37.** *Learning scale and shift improves the performance.*

# %%
# claim B37
judge(
    "B37",
    saw + "; the 2015 paper's reason for them is what a layer can represent",
    holds=all(seen.values()),
    core=any(seen.values()),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# **The comparison of article B** prints no data set, no network, no seed. Ours: both networks, batches of 64.

# %% [markdown]
# **B46.** *The authors compared the norms on various data sets and architectures.*

# %%
# claim B46
table = {
    net: {norm: by_batch(net, norm, 64) for norm in ("none", "batch", "group", "layer")}
    for net in ("mlp", "cnn")
}
argue("B46", "untestable", "no data set, architecture, seed or number is given")

# %% [markdown] slideshow={"slide_type": "-"}
# **B47.** *All kinds of norm train better than a network without.*

# %%
all_better = all(
    runs[norm].mean() > runs["none"].mean() + 1
    for runs in table.values()
    for norm in ("batch", "group", "layer")
)
small = [by_batch("mlp", norm, 2) for norm in ("batch", "none")]

# %% slideshow={"slide_type": "-"}
# claim B47
judge(
    "B47",
    "at batches of 64 in both networks; but at batches of 2 the MLP with BatchNorm gets "
    f"{told(small[0])}, without norm {told(small[1])}",
    holds=all_better and small[0].mean() > small[1].mean(),
    core=all_better,
)

# %% [markdown]
# **B48.** *How much they do varies with the data and the network.*

# %%
# claim B48
gains = {net: runs["batch"].mean() - runs["none"].mean() for net, runs in table.items()}
judge(
    "B48",
    f"BatchNorm gains {gains['mlp']:.0f} points in the MLP and {gains['cnn']:.0f} in the CNN",
    holds=abs(gains["mlp"] - gains["cnn"]) > 2,
)

# %% [markdown]
# **B49.** *BatchNorm with affine and GroupNorm are alike, and LayerNorm converges a little more slowly.*

# %%
steps = {
    norm: recorded("norms_mlp").values("steps_to_95", norm=norm, lr=0.1)
    for norm in ("batch", "group", "layer")
}

# %%
when = {
    norm: f"{np.nanmean(s):.0f} steps ({np.isfinite(s).sum()} of {len(s)} runs)"
    for norm, s in steps.items()
}

# %%
# claim B49
argue(
    "B49",
    "contested",
    f"their experiment against ours: in the MLP 95 % after {when['batch']} with BatchNorm, "
    f"{when['group']} with GroupNorm, {when['layer']} with LayerNorm; in the CNN "
    f"{', '.join(told(table['cnn'][norm]) for norm in ('batch', 'group', 'layer'))} after one "
    "pass: GroupNorm is like LayerNorm, both behind BatchNorm",
)

# %% [markdown]
# **Overfitting.** 500 images, 400 steps, six seeds, each with other images. The networks learn them by heart, or nearly.

# %%
few = recorded("few_images")
for name in few.different("network"):
    train, test = (
        measured("few_images", "train_accuracy", network=name),
        measured("few_images", network=name),
    )
    loss = few.values("test_loss", network=name)
    print(
        f"{name:33} training {told(train)}  test {told(test)}  test loss {loss.mean():.2f} ± "
        f"{loss.std(ddof=1):.2f}"
    )


# %% [markdown]
# **B10.** *BatchNorm reduces overfitting.*


# %%
def few_images(name, column="test_accuracy"):
    return measured("few_images", column, network=name)


plain, norm, layer_norm, dropped, both = (
    few_images(n) for n in ("none", "BatchNorm", "LayerNorm", "none, dropout", "BatchNorm, dropout")
)
losses = [few_images(name, "test_loss").mean() / 100 for name in ("none", "BatchNorm")]

# %%
# claim B10
judge(
    "B10",
    f"{told(norm)} against {told(plain)} on the test images, loss {losses[1]:.2f} against "
    f"{losses[0]:.2f}, and both know the 500 by heart; LayerNorm does nearly as well, "
    f"{told(layer_norm)}",
    holds=norm.mean() > plain.mean() and losses[1] < losses[0],
)

# %% [markdown]
# **B11.** *Overfitting means that a model is too complex and memorizes the training data.*

# %%
by_heart = all(
    few_images(name, "train_accuracy").min() > 99 for name in ("none", "BatchNorm", "LayerNorm")
)

# %%
# claim B11
judge(
    "B11",
    f"equally complex networks that all know their training data by heart ({by_heart}) differ "
    "on the test set: memorizing is not the measure of it",
    holds=not by_heart,
    core=few_images("none", "train_accuracy").mean() > plain.mean() + 5,
)

# %% [markdown]
# **B53.** *With BatchNorm there is less need for dropout.*

# %%
# claim B53
judge(
    "B53",
    f"dropout alone {told(dropped)}, BatchNorm alone {told(norm)}, both {told(both)}: no gain "
    "from both",
    holds=both.mean() < norm.mean() + norm.std(ddof=1),
)

# %% [markdown]
# **B55.** *BatchNorm leads to better generalization.*

# %%
# claim B55
judge(
    "B55",
    f"with 500 images yes ({told(norm)} against {told(plain)}); LayerNorm and dropout do it, "
    f"too ({told(layer_norm)}, {told(dropped)})",
    holds=norm.mean() > max(layer_norm.mean(), dropped.mean()) + norm.std(ddof=1),
    core=norm.mean() > plain.mean(),
)

# %% [markdown]
# **B12.** *It regularizes because it adds noise to the inputs.*

# %%
# All 500 images in each batch: no noise at all.
quiet = few_images("BatchNorm, all 500 in each batch")
quiet_loss = few_images("BatchNorm, all 500 in each batch", "test_loss").mean() / 100
x = torch.randn(8, 3)
noisy = not torch.allclose(
    nn.BatchNorm1d(3)(x)[0], nn.BatchNorm1d(3)(torch.cat([x[:1], torch.randn(7, 3)]))[0], atol=1e-2
)

# %%
# claim B12
judge(
    "B12",
    "the noise is in the statistics, not added to inputs; without any, all 500 images in "
    f"each batch, {told(quiet)} and loss {quiet_loss:.2f} (none: {told(plain)}, "
    f"{losses[0]:.2f}): part of the gain remains",
    holds=quiet_loss >= losses[0],
    core=noisy,
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Why it works
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
    F.cross_entropy(network(digits), load_mnist(tensors=True).train_labels[:256]).backward()
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

# %%
rescued = ratios["20 sigmoid", "Identity"] < 1e-6 < 0.1 < ratios["20 sigmoid", "BatchNorm1d"] < 10
explodes = ratios["50 ReLU", "BatchNorm1d"] > 1000

# %%
# claim B13
judge(
    "B13",
    f"it rescues 20 sigmoid layers, whose gradients vanish without ({rescued}); in 50 ReLU "
    f"layers they grow a thousandfold and more with it ({explodes})",
    holds=not explodes,
    core=rescued,
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **B14.** *It keeps the gradients in a reasonable range.*

# %% slideshow={"slide_type": "-"}
# claim B14
judge(
    "B14",
    "50 ReLU layers: the gradient grows more than a thousandfold with BatchNorm "
    f"({explodes}), and stays within a factor of 10 with LayerNorm "
    f"({0.1 < ratios['50 ReLU', 'LayerNorm'] < 10}); one step of training ends most of it",
    holds=not explodes,
)

# %% [markdown]
# **Internal covariate shift.** First the word. A training changes what a *layer* gets; what the *network* gets, the digits, stays what it is.

# %% [markdown]
# **B6.** *Internal covariate shift is a change in the distribution of a learning system's input.*

# %%
network, start, seen = article_net("none"), article_net("none"), digits.clone()
optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
for _ in range(50):
    optimizer.zero_grad()
    F.cross_entropy(network(digits), load_mnist(tensors=True).train_labels[:256]).backward()
    optimizer.step()
drift = [(net.fc1(digits).relu().mean(0)).detach() for net in (start, network)]

# %%
# claim B6
relative = ((drift[1] - drift[0]).abs().mean() / drift[0].mean()).item()
judge(
    "B6",
    "a change of the system's input is plain covariate shift (Shimodaira2000); the "
    "*internal* one is that of layers, and arises in training on fixed data",
    holds=relative < 0.01,
)

# %% [markdown]
# **B7.** *Internal covariate shift is a change of the network's inputs while earlier layers change.*

# %%
# claim B7
judge(
    "B7",
    "read 'a layer's inputs': those of fc2 moved by more than a tenth in 50 steps "
    f"({relative > 0.1}), those of the network not at all",
    holds=not torch.equal(digits, seen),
    core=relative > 0.1,
)


# %%
# "noisy batch": BatchNorm, and behind it noise that makes the distributions jump.
def shifting(net, column, step=200):
    return recorded("covariate_shift").values(column, net=net, lr=0.1, step=step)


# %%
for net in ("none", "batch", "noisy batch"):
    drift, right = shifting(net, "drift"), 100 * shifting(net, "test_accuracy")
    print(
        f"{net:12} drift {drift.mean():.2f} ± {drift.std(ddof=1):.2f}   right after 200 "
        f"steps: {told(right)}"
    )

# %% [markdown]
# **B3.** *It helps because it reduces the internal covariate shift.*

# %%
drifts, rights = (
    {net: shifting(net, column).mean() for net in ("none", "batch", "noisy batch")}
    for column in ("drift", "test_accuracy")
)

# %%
# claim B3
saw = (
    "the 2015 paper says so, Santurkar2018 finds little link; in small: with noise the "
    f"inputs drift {drifts['noisy batch'] / drifts['batch']:.0f} times as far as with "
    f"BatchNorm alone, and it learns nearly as fast ({100 * rights['noisy batch']:.0f} % and "
    f"{100 * rights['batch']:.0f} % after 200 steps, {100 * rights['none']:.0f} % without)"
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
# digits 5 to 9, one epoch, tested on all digits, and on the rare ones.

# %% slideshow={"slide_type": "-"}
rare = {
    (norm, lr): measured("rare_classes", "rare_accuracy", norm=norm, lr=lr)
    for lr in (0.1, 0.3)
    for norm in ("none", "batch", "layer")
}
for (norm, lr), values in rare.items():
    print(f"lr {lr}: {norm:6} rare digits right: {told(values)}")

# %% [markdown]
# **A29.** *With an imbalanced data set one may not want to normalize.*

# %%
best = {
    norm: max((rare[norm, lr] for lr in (0.1, 0.3)), key=np.mean)
    for norm in ("none", "batch", "layer")
}

# %%
# claim A29
argue(
    "A29",
    "contested",
    f"rare digits right, at the better of two learning rates: {told(best['none'])} without "
    f"norm, {told(best['batch'])} with BatchNorm, {told(best['layer'])} with LayerNorm; the "
    "literature mends BatchNorm for long tails (Cheng2022) rather than leaving it out",
)

# %% [markdown]
# **A30.** *One may not want to normalize where the batch itself carries information.*

# %%
leans = {
    norm.__class__.__name__: bool(moved_by(norm)[1:].any())
    for norm in (nn.BatchNorm1d(6), nn.LayerNorm(5), nn.GroupNorm(2, 6), nn.InstanceNorm1d(6))
}

# %%
# claim A30
judge(
    "A30",
    f"true of BatchNorm, whose output for a sample depends on its company; of no other: {leans}",
    holds=all(leans.values()),
    core=leans["BatchNorm1d"],
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **A31.** *In such cases it helps to turn normalization off.*

# %% slideshow={"slide_type": "-"}
# claim A31
judge(
    "A31",
    "with sorted batches BatchNorm is at chance and a network without is not (lesson 13), "
    "but LayerNorm is not either; and with rare classes turning it off does not help",
    holds=best["none"].mean() > max(best["batch"].mean(), best["layer"].mean()),
    core=leans["BatchNorm1d"],
)

# %% [markdown]
# **In place of preprocessing?** When the first linear layer is followed by BatchNorm, the scale of the input drops out.

# %% [markdown]
# **B54.** *BatchNorm makes centring and scaling the inputs less necessary.*

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

# %% [markdown]
# ## The table
#
# All 89, with what was seen, where the course shows more, and the primary sources. Where scripts run, there is a
# filter above the table.

# %%
assert not ledger.missing()
ledger

# %% [markdown]
# In Python it filters, too, and reads as text:

# %%
print(ledger.only("wrong", "momentum"))

# %%
ledger.only("contested")

# %% [markdown] slideshow={"slide_type": "slide"}
# And now your two guesses. How many of 89 hold as written, and by kind of claim?

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
# first choices are counted; `normlab progress` shows the best result.

# %% slideshow={"slide_type": "-"}
self_test("11_check_the_claims")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - A claim becomes testable when you can say what you would see if it were false.
# - Right, imprecise, wrong: a matter of what holds as written, and of what is true in it. Contested: sources or experiments disagree.
#   Untestable: nothing could contradict it.
# - Each of the 89 has a cell above, found by its id, and a row in the table.
# - Read with a keyboard: most claims about a layer can be run in five lines.

# %% [markdown]
# ## Go further
#
# - Z. C. Lipton, J. Steinhardt, *Troubling Trends in Machine Learning Scholarship*, arXiv:1807.03341, 2018: explanation taken for
#   evidence, with internal covariate shift as one of the examples.
# - S. Santurkar and others, *How Does Batch Normalization Help Optimization?*, NeurIPS 2018, arXiv:1805.11604: a claim everybody
#   repeated, put to the test.
# - Y. Wu, J. Johnson, *Rethinking "Batch" in BatchNorm*, arXiv:2105.07576, 2021: what "the batch" means, case by case.
