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
# # Normalize one image, a few channels at a time
#
# *Lesson 8 · 105 minutes, self-test 10 · medium · GroupNorm, and what it is good for*
#
# When you have finished you can
#
# - say which numbers `nn.GroupNorm(2, 6)` averages, and point at them in the block picture;
# - write it in NumPy, forward and backward, so that it equals torch to the last digits;
# - turn its normalizing half into LayerNorm's or InstanceNorm's by choosing one number, and say what
#   stays different;
# - recognise four wrong ways to cut channels into groups;
# - tell from the shape of a layer's input whether a small batch will hurt BatchNorm there.
#
# **What you need:** [lesson 2](02_batch_norm_forward.ipynb) and, for the way back,
# [lesson 4](04_batch_norm_backward.ipynb). LayerNorm and InstanceNorm are met again here; one
# sentence on each will do.

# %%
import copy

import numpy as np
import torch
from torch import nn

from normlab import load_mnist, parity, plots
from normlab.exercises import check, guess, self_test, yours
from normlab.training import article_net, find_experiment, recorded, run_live, small_cnn

np.set_printoptions(precision=4, suppress=True)
torch.set_num_threads(1)  # the networks here are small

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A question first
#
# The article's network learns digits twice, once with BatchNorm and once with a layer that you do not
# know yet, GroupNorm. It sees 1,500 digits, each once: first in batches of 32, then in batches of 2.
# Five seeds, twenty small trainings, all at the same learning rate:

# %% tags=["nbval-ignore-output"]
# Output not compared: a progress bar is drawn while it runs.
live = run_live(find_experiment("batch_sizes").only(images=1500))


# %%
def accuracies(recording, **chosen):
    return 100 * recording.values("test_accuracy", **chosen)  # (seeds,), percent


# %% [markdown] slideshow={"slide_type": "-"}
# With batches of 32 BatchNorm comes out some points ahead, at about 86 %. Then batches of 2. Lesson 2 showed
# you what BatchNorm keeps of two samples; GroupNorm stays near 80 %.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "How many of the test digits does the network with BatchNorm get right, trained with batches of 2?",
    50,
    within=12,
    unit=" %",
    outputs=2,
)

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "fragment"}
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
for size in (32, 2):
    for norm in ("batch", "group"):
        found = accuracies(live, norm=norm, batch_size=size)
        print(f"batches of {size:2}, {norm}: {found.mean():.1f} ± {found.std(ddof=1):.1f} %")

# %%
behind = accuracies(live, norm="group", batch_size=2) - accuracies(live, norm="batch", batch_size=2)
print(
    "GroupNorm more than 10 points ahead at batches of 2, in all five pairs:", (behind > 10).all()
)

# %% [markdown] slideshow={"slide_type": "fragment"}
# GroupNorm hardly noticed. (± is the standard deviation over the seeds.) Of two samples BatchNorm keeps, for
# each unit, nothing but which of the two had more: ±1. So let us stop asking the other samples.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## By hand, on six channels of two pixels
#
# One sample, six channels, two pixels each. One row is one channel.

# %% slideshow={"slide_type": "-"}
x = np.array([[[2.0, 2], [2, 8], [8, 8], [10, 20], [20, 10], [10, 20]]])  # (N=1, C=6, L=2)
x[0]

# %% [markdown] slideshow={"slide_type": "subslide"}
# We want two groups. A group is a block of *neighbouring* channels: 0, 1, 2 and 3, 4, 5. NumPy averages
# over axes, so the groups get an axis of their own.

# %% slideshow={"slide_type": "-"}
groups = x.reshape(1, 2, 3, 2)  # (N, G, C/G, L)
groups[0]

# %% [markdown] slideshow={"slide_type": "subslide"}
# All numbers of a group share one mean: three channels with two pixels each, six numbers. And they share
# one variance.

# %% slideshow={"slide_type": "-"}
mean = groups.mean(axis=(2, 3), keepdims=True)  # (N, G, 1, 1)
var = groups.var(axis=(2, 3), keepdims=True)  # (N, G, 1, 1)
mean.ravel(), np.sqrt(var).ravel()

# %% [markdown] slideshow={"slide_type": "fragment"}
# Check the first with your own eyes: 2, 2, 2 and 8, 8, 8 have the mean 5, and each of them is 3 away from
# it. Subtract, divide, and give the array its old shape back:

# %% slideshow={"slide_type": "fragment"}
x_hat = ((groups - mean) / np.sqrt(var)).reshape(x.shape)  # (N, C, L)
x_hat[0]

# %% [markdown] slideshow={"slide_type": "subslide"}
# Three things to see.
#
# - 2 and 8 in the first group, 10 and 20 in the second: after normalizing, both groups speak the same
#   language. *Between* groups, level and spread are gone.
# - Channel 0 holds nothing but 2, channel 2 nothing but 8. They come out as −1 and 1. *Within* a group the
#   difference between channels survives. InstanceNorm, which gives every channel its own mean, would turn
#   both into zeros.
# - There was one sample. No other was asked.

# %% [markdown] slideshow={"slide_type": "subslide"}
# In the block picture a group is a brick: one sample, some neighbouring channels, all their positions.

# %% slideshow={"slide_type": "-"}
block = (4, 6, 5)  # N, C, L
plots.block(
    {
        "BatchNorm": plots.averaged_cells(block, axes=(0, 2)),
        "GroupNorm, 2 groups": plots.averaged_cells(block, axes=(2,), groups=2),
    }
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## GroupNorm in a formula
#
# $$\hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}}, \qquad
# \mu = \frac1m \sum x, \qquad \sigma^2 = \frac1m \sum (x - \mu)^2, \qquad m = \frac{C}{G} \cdot L$$
#
# In words: the sums run over the $m$ values of one group of one sample, its $C/G$ channels and their $L$
# positions. For $N$ samples and $G$ groups there are $N \cdot G$ means. The variance divides by $m$, not by
# $m - 1$, as in BatchNorm, and $\varepsilon$ stands under the root.
#
# After the reshape nobody needs to know any more how many channels or pixels there were. So one axis can hold
# all values of a group, and the same code takes `(N, C)`, `(N, C, L)` and `(N, C, H, W)`.

# %% [markdown] slideshow={"slide_type": "subslide"}
# So count, for a batch of shape (32, 64, 10, 10) and 16 groups, and for one of 2 samples instead of 32.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "The batch has 2 samples, 64 channels and 10×10 pixels, and there are 16 groups. How many numbers is each "
    "of GroupNorm's means made of?",
    400,
    why="And with 32 samples?",
)

# %% slideshow={"slide_type": "fragment"}
for N in (32, 2):
    C, H, W, G = 64, 10, 10, 16
    print(f"batch of {N:2}: {N * G} means, each of {C // G * H * W} numbers", end="   ")
    print(f"(BatchNorm: {C} means, each of {N * H * W} numbers)")

# %% [markdown] slideshow={"slide_type": "fragment"}
# In a smaller batch GroupNorm has fewer means, and each is as good as before. BatchNorm has as many as before, and
# each is worse.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## weight and bias: one for each channel
#
# $$y = \text{weight}_c \, \hat x + \text{bias}_c$$
#
# The statistics belong to groups. Scale and shift do not: every *channel* has its own, as in BatchNorm.

# %% slideshow={"slide_type": "-"}
layer = nn.GroupNorm(2, 6)  # num_groups first, then num_channels
{name: tuple(values.shape) for name, values in layer.state_dict().items()}

# %% [markdown] slideshow={"slide_type": "fragment"}
# Weight and bias, six of each, and no running statistics: nothing is remembered, so `train()` and `eval()`
# do the same. On the six channels from above, with three different weights in the first group:

# %% slideshow={"slide_type": "fragment"}
weight = np.array([1.0, 10, 100, 1, 1, 1])  # (C,)
bias = np.array([0.0, 0, 0, 5, 5, 5])  # (C,)
weight[:, None] * x_hat[0] + bias[:, None]  # (C, L)

# %% [markdown]
# There a channel was a row, so a `(C,)` needed one axis behind it. To line up with `(N, C, H, W)` it needs
# one axis before it and two behind it; with `(N, C)`, none behind it.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Your turn.** All of it in one function: cut into groups, normalize (now with `eps`), give the old shape back,
# scale and shift. `x` is `(N, C, *)`, that is `(N, C)`, `(N, C, L)` or `(N, C, H, W)`; `num_groups` is a number that
# divides C; `weight` and `bias` are `(C,)`. Leave `x` as you got it.


# %% slideshow={"slide_type": "-"}
def group_norm_forward(x, num_groups, weight, bias, eps):
    raise NotImplementedError()


# %%
check("group_norm_forward", group_norm_forward)

# %%
group_norm = yours("group_norm_forward", group_norm_forward)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def group_norm_forward(x, num_groups, weight, bias, eps):
#     groups = x.reshape(len(x), num_groups, -1)  # (N, G, C/G * spatial)
#     mean = groups.mean(axis=2, keepdims=True)  # (N, G, 1)
#     var = groups.var(axis=2, keepdims=True)  # (N, G, 1)
#     x_hat = ((groups - mean) / np.sqrt(var + eps)).reshape(x.shape)
#     per_channel = (1, -1) + (1,) * (x.ndim - 2)  # (1, -1, 1, 1) for images
#     return weight.reshape(per_channel) * x_hat + bias.reshape(per_channel)
# ```
#
# </details>

# %%
group_norm(x, 2, weight, bias, 1e-5)[0]

# %% [markdown]
# The same numbers, but for a little `eps`. And images, beside torch:

# %%
rng = np.random.default_rng(0)
images = rng.normal(3, 2, size=(4, 6, 3, 5))  # (N, C, H, W)
twin, layer = parity.pair("GroupNorm", 2, 6)
mine = group_norm(images, 2, twin.weight, twin.bias, 1e-5)
np.allclose(mine, layer(torch.tensor(images)).detach(), rtol=0, atol=1e-13)

# %% [markdown]
# One sample alone, and the same sample among others: one answer.

# %%
alone = group_norm(images[:1], 2, twin.weight, twin.bias, 1e-5)
np.allclose(alone, mine[:1], rtol=0, atol=1e-13)

# %% [markdown]
# ## A group that hardly varies
#
# A dark corner, a blank page, units that ReLU has switched off: a group may hold almost the same number
# everywhere. Six channels, six groups, and in each a standard deviation ten times smaller than in the one
# before. (`eps` is added to the *variance*. For $\hat x$ alone, let weight be 1 and bias 0.)


# %%
def normalize_groups(x, num_groups, eps=1e-5):
    channels = x.shape[1]
    return group_norm(x, num_groups, np.ones(channels), np.zeros(channels), eps)


# %% tags=["guess"]
guess(
    "Which is the first channel from which `eps=1e-5` takes more than half?",
    "the one of standard deviation 0.001",
    options=[
        "the one of standard deviation 0.01",
        "the one of standard deviation 0.001",
        "the one of standard deviation 0.0001",
        "none but the one that does not vary at all",
    ],
)

# %%
spread = np.array([1, 0.1, 0.01, 0.001, 0.0001, 0])  # (C=6,)
faint = spread.reshape(1, 6, 1) * np.array([-1, 1, 1, -1])  # (N=1, C=6, L=4)
normalize_groups(faint, 6).std(axis=2)[0]

# %% [markdown]
# At 0.001 the variance is $10^{-6}$, a tenth of `eps`. The last group does not vary at all, and comes out as
# zeros; without `eps` it would be 0/0. With `eps` outside the root, $\sqrt{\sigma^2} + \varepsilon$, the faint
# groups would be blown up to nearly full size:

# %%
(faint.std(axis=2) / (faint.std(axis=2) + 1e-5))[0]

# %% [markdown]
# With BatchNorm a channel is faint only if it is faint in the whole batch. Here one dark image is enough.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## LayerNorm and InstanceNorm as its two ends
#
# `num_groups` is a dial. It can be any number that divides C:

# %% slideshow={"slide_type": "-"}
plots.block(
    {
        f"GroupNorm, {G} group{'s' if G > 1 else ''}": plots.averaged_cells(
            block, axes=(2,), groups=G
        )
        for G in (1, 2, 6)
    }
)

# %% [markdown]
# Turn it yourself, and try the axes too:

# %%
plots.explore.block("CL", groups=3)

# %% [markdown]
# And from one number's point of view, in all norms so far: touch a number, choose a norm, push. Whose outputs move?

# %%
plots.explore.who_shares_my_mean("GroupNorm")

# %% [markdown] slideshow={"slide_type": "subslide"}
# You have met both ends. With one group, all channels and positions of a sample share a mean: LayerNorm over
# `[C, H, W]`. With as many groups as channels, every channel of every sample has its own: InstanceNorm. Not
# nearly, but exactly:

# %% slideshow={"slide_type": "fragment"}
with torch.no_grad():
    pixels = torch.tensor(images)  # (N=4, C=6, H=3, W=5)
    as_layer = nn.LayerNorm([6, 3, 5], elementwise_affine=False)(pixels)
    as_instance = nn.InstanceNorm2d(6)(pixels)
    one_group, six_groups = (nn.GroupNorm(G, 6, affine=False)(pixels) for G in (1, 6))
[
    torch.allclose(*both, rtol=0, atol=1e-13)
    for both in [(one_group, as_layer), (six_groups, as_instance)]
]

# %% [markdown]
# One of the articles that this course grew from (*PyTorch Normalize*, 2023) puts GroupNorm between BatchNorm and
# LayerNorm. You see that it lies between LayerNorm and InstanceNorm. With BatchNorm it shares no axis but the
# positions.
#
# So is `GroupNorm(1, C)` the same layer as `LayerNorm([C, H, W])`? Compare what they learn.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "How many more numbers does the weight of `nn.LayerNorm([6, 3, 5])` hold than that of `nn.GroupNorm(1, 6)`?",
    84,
    why="Ninety, one for each element, and six, one for each channel.",
)

# %% slideshow={"slide_type": "subslide"}
layers = [nn.GroupNorm(1, 6), nn.LayerNorm([6, 3, 5]), nn.GroupNorm(6, 6), nn.InstanceNorm2d(6)]
for one in layers:
    shapes = [tuple(p.shape) for p in one.parameters()]
    print(f"{type(one).__name__:14} weight and bias: {shapes or 'none'}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# The normalizing halves agree, the learning halves do not: one weight for each channel, one for each *element*, none
# at all (unless you ask InstanceNorm for them). So no one of the three can load what another has saved:

# %% slideshow={"slide_type": "fragment"}
try:
    nn.GroupNorm(1, 6).load_state_dict(nn.LayerNorm([6, 3, 5]).state_dict())
except RuntimeError as error:
    print(str(error).splitlines()[1].strip())

# %% [markdown]
# Could your `group_norm` still serve to make either of the other two? With which weight and bias does it hand out $\hat x$
# as it is, and what is left to do then? The exercises ask for both.

# %% [markdown]
# There is a third LayerNorm, the one of transformers: `LayerNorm(C)` on channels-last data `(N, H, W, C)` takes one
# mean for each *position*. It is none of the dial's settings:

# %%
at_each_position = nn.LayerNorm(6, elementwise_affine=False)(pixels.movedim(1, -1)).movedim(-1, 1)
torch.allclose(at_each_position, one_group)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The way back
#
# Lesson 4 found the gradient of BatchNorm along three roads, and its last line was
#
# $$dx = r \left( g - m(g) - \hat x \; m(g \, \hat x) \right), \qquad r = \frac{1}{\sqrt{\sigma^2 + \varepsilon}}$$
#
# with $g = dy \cdot \text{weight}$ and $m(\cdot)$ the average over all values that share a mean. Nothing in that
# derivation asked *which* values those were. So the line is GroupNorm's too, if $m$ averages over a group.
# What you do need to keep apart is where channels matter and where groups do:
#
# - a weight touched one channel, in all samples and at all positions, and so did a bias. Their gradients sum over
#   those: $d\text{weight}_c = \sum dy \, \hat x$ and $d\text{bias}_c = \sum dy$;
# - the weight is passed *first*, while channels are still channels. The channels of a group share an average, but
#   they do not share a weight, so it cannot be multiplied on at the end.

# %% [markdown] slideshow={"slide_type": "subslide"}
# First on numbers that you can follow: one group of two channels with three pixels, $r = 1/2$, and the weights 1 and 2.
# One channel is one row:
#
# $$dy = \begin{pmatrix} 12 & 0 & 0 \\ 0 & 3 & 0 \end{pmatrix}, \quad
# \hat x = \begin{pmatrix} 1 & 1 & 1 \\ -1 & -1 & -1 \end{pmatrix}, \quad
# g = \begin{pmatrix} 12 & 0 & 0 \\ 0 & 6 & 0 \end{pmatrix}$$
#
# The average of $g$ over the six values of the group is 3, and that of $g \hat x$ is $(12 - 6)/6 = 1$.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("What is dx at the place of the 12, where `x_hat` is 1?", 4)

# %% slideshow={"slide_type": "fragment"}
plus_minus = torch.tensor([[[[2.0, 2, 2]], [[-2, -2, -2]]]], requires_grad=True)  # variance 4
y = nn.functional.group_norm(plus_minus, 1, weight=torch.tensor([1.0, 2]), eps=0)
(y * torch.tensor([[[[12.0, 0, 0]], [[0, 3, 0]]]])).sum().backward()
print(f"{plus_minus.grad[0, 0, 0, 0]:.1f}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# That is torch's answer, for numbers with this $\hat x$ and this $r$. By the line above it is $\tfrac12 (12 - 3 - 1 \cdot 1)$.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Your turn.** `dy` and `x_hat` are `(N, C, H, W)`, `inv_std` is $r$, one for each group of each sample, `(N, G)`, and
# `weight` is `(C,)`. Return `dx`, `dweight` and `dbias`, in this order.


# %% slideshow={"slide_type": "-"}
def group_norm_backward(dy, x_hat, inv_std, weight):
    raise NotImplementedError()


# %%
check("group_norm_backward", group_norm_backward)

# %%
backward = yours("group_norm_backward", group_norm_backward)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def group_norm_backward(dy, x_hat, inv_std, weight):
#     dweight, dbias = (dy * x_hat).sum(axis=(0, 2, 3)), dy.sum(axis=(0, 2, 3))  # (C,), (C,)
#     g = (dy * weight.reshape(1, -1, 1, 1)).reshape(*inv_std.shape, -1)  # (N, G, values of a group)
#     x_hat = x_hat.reshape(g.shape)
#     through_mean = g.mean(axis=2, keepdims=True)  # (N, G, 1)
#     through_variance = x_hat * (g * x_hat).mean(axis=2, keepdims=True)  # (N, G, values)
#     dx = inv_std[:, :, None] * (g - through_mean - through_variance)
#     return dx.reshape(dy.shape), dweight, dbias
# ```
#
# </details>

# %% [markdown]
# All of dx, for the numbers from above:

# %%
dx, dweight, dbias = backward(
    np.array([[[[12.0, 0, 0]], [[0, 3, 0]]]]),  # dy (N=1, C=2, H=1, W=3)
    np.array([[[[1.0, 1, 1]], [[-1, -1, -1]]]]),  # x_hat
    np.array([[0.5]]),  # inv_std (N=1, G=1)
    np.array([1.0, 2]),  # weight (C=2,)
)
dx[0, :, 0], dweight, dbias

# %% [markdown]
# Now images, and torch:

# %%
dy = rng.normal(size=images.shape)  # (N, C, H, W)
r = 1 / np.sqrt(images.reshape(4, 2, -1).var(axis=2) + 1e-5)  # (N, G)
ours = backward(dy, normalize_groups(images, 2), r, twin.weight)

# %%
leaf = torch.tensor(images, requires_grad=True)
layer.zero_grad()  # torch adds to the gradients of an earlier run
layer(leaf).backward(torch.tensor(dy))
theirs = [leaf.grad, layer.weight.grad, layer.bias.grad]
[np.allclose(mine, other, rtol=1e-12, atol=1e-13) for mine, other in zip(ours, theirs, strict=True)]

# %% [markdown]
# And without torch, one number nudged up and down. (A numerical check tests that forward and backward belong
# together. That they are GroupNorm's, only the comparison with torch tells.)


# %%
def loss(x):
    return (group_norm(x, 2, twin.weight, twin.bias, 1e-5) * dy).sum()


nudge = np.zeros_like(images)
nudge[1, 4, 2, 3] = 1e-5
slope = (loss(images + nudge) - loss(images - nudge)) / 2e-5
bool(np.isclose(slope, ours[0][1, 4, 2, 3], rtol=1e-6))

# %% [markdown]
# To move all values of a group together changes nothing, nor does stretching them (but for `eps`). So dx adds up to 0 over
# each group, and so does dx times $\hat x$. Group by group, not channel by channel:

# %%
per_group, per_channel = ours[0].reshape(4, 2, -1), ours[0].reshape(4, 6, -1)
[np.allclose(values.sum(axis=2), 0, atol=1e-12) for values in (per_group, per_channel)]

# %% [markdown]
# ## Less friendly inputs, beside torch
#
# The package's twin against `nn.GroupNorm`, forward and backward: other shapes and numbers of groups, a mean far from
# zero, a large `eps`, one sample, both modes. Two lines of the table hold an error. A group of *one* value has no spread; torch
# refuses it for a single sample.


# %%
def case(shape, groups=2, mean=0.0, mode=True, **options):
    pair = parity.pair("GroupNorm", groups, 6, **options)
    return (*(half.train(mode) for half in pair), np.random.default_rng(1).normal(mean, 2, shape))


cases = {
    "images": case((4, 6, 3, 5)),
    "evaluation mode": case((4, 6, 3, 5), mode=False),
    "vectors (N, C)": case((4, 6)),
    "sequences (N, C, L)": case((4, 6, 7)),
    "volumes (N, C, D, H, W)": case((2, 6, 2, 3, 4)),
    "one group": case((4, 6, 3, 5), groups=1),
    "six groups": case((4, 6, 3, 5), groups=6),
}

# %%
cases |= {
    "mean 1000": case((4, 6, 3, 5), mean=1000),
    "eps=0.5": case((4, 6, 3, 5), eps=0.5),
    "no weight and bias": case((4, 6, 3, 5), affine=False),
    "one sample, training": case((1, 6, 3, 5)),
    "one sample, evaluation": case((1, 6, 3, 5), mode=False),
    "one sample, groups of one value": case((1, 6), groups=6),
    "five channels instead of six": case((4, 5, 3, 5)),
}
parity.compare_cases(cases)

# %% [markdown]
# Two samples with one value in each group are not refused. torch returns the bias, whatever the input (here 0, but for
# rounding). That is rarely what anyone wants.

# %%
biases = nn.GroupNorm(6, 6)(torch.tensor([[1.0, 2, 3, 4, 5, 6], [9, 9, 9, 7, 7, 7]]))
bool((biases.abs() < 1e-3).all())

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Batch size from 2 to 128
#
# Back to the question, now with the whole grid: two networks, the article's MLP and a small CNN; four norms; seven batch
# sizes; five seeds. GroupNorm has 8 groups here; with more channels 32 are usual, as in its paper. All see the same 6,000 digits once, so small batches mean more steps. All use the learning rate
# 0.05. One rate for all is a decision, and not the only fair one: compare norms at one batch size, rather than one norm at
# two. (In a trial with three seeds smaller rates gave the MLP with BatchNorm a few points at batches of 2, and left it about twenty behind GroupNorm.)

# %% [markdown]
# These runs are recorded, the twenty from the beginning among them. Run in a terminal, this command makes the file again. You will read
# the grid three times: who is ahead at small batches, why on the left alone, and whether an article's sentence holds.

# %%
grid = recorded("batch_sizes")
{name: grid.how[name] for name in ("command", "versions", "seeds")}

# %%
sizes = [2, 4, 8, 16, 32, 64, 128]
norms = {"batch": "BatchNorm", "layer": "LayerNorm", "group": "GroupNorm", "none": "no norm"}


def at_all_sizes(network, norm):
    columns = [
        accuracies(grid, network=network, norm=norm, batch_size=size, images=6000) for size in sizes
    ]
    return np.stack(columns, axis=1)  # (seeds, sizes)


mlp, cnn = (
    {name: at_all_sizes(net, norm) for norm, name in norms.items()} for net in ("mlp", "cnn")
)

# %% slideshow={"slide_type": "subslide"}
plots.doubling(sizes, {"MLP": mlp, "CNN": cnn}, **plots.words("08 batch sizes"))

# %% [markdown]
# **Who is ahead?** GroupNorm minus BatchNorm, seed by seed, so that the seed's luck cancels. Where the mean is less than 2.78 standard
# errors from 0 (Student's *t* for five pairs, lesson 5), chance is enough of an explanation.


# %%
def verdict(differences):  # (seeds,)
    t = differences.mean() / (differences.std(ddof=1) / np.sqrt(len(differences)))
    seen = "" if abs(t) > 2.78 else "   no difference seen"
    return f"{differences.mean():+5.1f} ± {differences.std(ddof=1):.1f}{seen}"


for index, size in enumerate(sizes):
    pairs = [(found["GroupNorm"] - found["BatchNorm"])[:, index] for found in (mlp, cnn)]
    print(f"batches of {size:3}   MLP {verdict(pairs[0]):38} CNN {verdict(pairs[1])}")

# %% [markdown]
# In words: in the MLP, BatchNorm collapses at 2 and is behind at 4; at 8 no difference is seen; and it is two or three points ahead from 16 on (at 64 the seeds scatter too
# much to be sure). In the CNN it is nowhere seen behind; at 32 and 64 it is a point or two ahead. (Of so many verdicts, one in twenty may be chance.)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **And why on the left alone?** At batches of 2 BatchNorm collapses in the MLP, and in the CNN it does not. The digits, the batches and the rate are the
# same. The block picture helps.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "What is different?",
    "how many numbers each mean is made of",
    options=[
        "how many weights the network has",
        "how many numbers each mean is made of",
        "how many norms stand one after the other",
        "how many steps are made in one pass",
    ],
)

# %% slideshow={"slide_type": "fragment"}
shapes = {"fc1": (256,), "fc2": (128,), "conv1": (16, 14, 14), "conv2": (32, 7, 7)}
for name, (channels, *positions) in shapes.items():
    numbers = 2 * int(np.prod(positions))
    print(f"{name:5} at batches of 2: each of {channels} means is made of {numbers} numbers")

# %% [markdown] slideshow={"slide_type": "subslide"}
# It is L. In the MLP a unit has one value for each sample; in the CNN a channel has a whole map of each. Two and 392: how much does it matter? Send 4,096 digits through a fresh layer of each kind, and look at the statistics that batches of
# different sizes would use: how far their means lie apart, measured by the standard deviation of all values, and how far their standard deviations, measured by
# their own average.


# %%
def unsteadiness(values, size):
    """values (N, C, L): how the statistics of batches differ, averaged over the channels."""
    batches = values.unflatten(0, (-1, size)).transpose(1, 2).flatten(2)  # (batches, C, size * L)
    means, stds = batches.mean(2), batches.std(2, correction=0)  # (batches, C), (batches, C)
    whole = values.transpose(0, 1).flatten(1).std(1)  # (C,)
    return (means.std(0) / whole).mean().item(), (stds.std(0) / stds.mean(0)).mean().item()


# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "The MLP's first layer, batches of 2 drawn at random: how far apart do their means lie, in percent of the standard "
    "deviation of the values?",
    70,
    within=10,
    unit=" %",
    why="A mean of n independent values scatters by 1/√n of their standard deviation, and 1/√2 is 71 %.",
)

# %% slideshow={"slide_type": "-"}
digits = load_mnist(tensors=True).train_images[:4096] / 255  # (N, 28, 28)
with torch.no_grad():
    units = article_net("none").fc1(digits.flatten(1)).unsqueeze(2)  # (N, 256, 1)
    maps = small_cnn("none").conv1(digits.unsqueeze(1)).flatten(2)  # (N, 16, 196)
for size in (2, 8, 32, 128):
    print(f"batches of {size:3}", end="")
    for name, values in {"fc1": units, "conv1": maps}.items():
        means, stds = unsteadiness(values, size)
        print(f"   {name}: means {100 * means:3.0f} %, stds {100 * stds:3.0f} %", end="")
    print()

# %% [markdown] slideshow={"slide_type": "subslide"}
# In the MLP the statistics of two samples are mostly noise, and in evaluation mode the network meets other statistics than it was trained with. In this
# CNN two digits settle a channel's mean and spread about as well as dozens of digits do in the MLP. So it is not the batch size that decides, but **of how many
# different numbers a mean is made.** Before you blame a small batch, count them. (And do not count the pixels of one image as if they were independent: they are
# alike, and from 32 digits on the column for `conv1` gains little.)

# %% [markdown]
# **And the article?** One of the two (*PyTorch Implementation of Batch Normalization*) says that networks with BatchNorm and GroupNorm learn about equally fast, and with LayerNorm a
# little slower. After one pass over 6,000 digits, GroupNorm minus LayerNorm:

# %%
for index, size in enumerate(sizes):
    pairs = [(found["GroupNorm"] - found["LayerNorm"])[:, index] for found in (mlp, cnn)]
    print(f"batches of {size:3}   MLP {verdict(pairs[0]):38} CNN {verdict(pairs[1])}")

# %% [markdown]
# In the MLP no difference between GroupNorm and LayerNorm is seen. In the CNN GroupNorm is ahead wherever one is seen, by one or two points: at 8, 16, 32 and 128. At 2 and 4 the seeds scatter too much to say.
# The sentence has two halves, and with the table before this one both are seen together in the CNN at 8 and 16 alone: there GroupNorm is ahead of LayerNorm, and no difference from BatchNorm is seen; at 32 and 64 BatchNorm is
# ahead of GroupNorm. In the MLP the second half is nowhere seen. (Two small networks, one data set, one pass, one rate. And this is accuracy after one pass; [lesson 10](10_compare_the_norms.ipynb) tests speed.)

# %% [markdown]
# ## Why detection and video
#
# Then who trains with two images in a batch? Whoever has large ones. What a network must keep for the backward pass grows with the pixels. The first
# convolution of a ResNet makes 64 channels at half the resolution:


# %%
def megabytes(height, width, frames=1):
    return 64 * (height // 2) * (width // 2) * frames * 4 / 1e6  # 4 bytes each


print(f"to classify, 224 x 224:           {megabytes(224, 224):5.1f} MB an image")
print(f"to find objects, 800 x 1333:      {megabytes(800, 1333):5.1f} MB an image")
print(f"a video clip, 224 x 224 x 32:     {megabytes(224, 224, 32):5.1f} MB a clip")

# %% [markdown]
# One layer of many, and twenty or thirty times the memory. So a GPU that takes 32 images to classify takes one or two to detect in, and a few
# clips. Wu and He, who proposed GroupNorm for this (2018), report for a ResNet-50 on ImageNet an error that is 10.6 points lower than BatchNorm's at batches of 2, and
# about the same at usual sizes; and better detection, segmentation and video classification. That is a deep network on hard images. Our CNN has two norms and easy digits, and showed nothing of the kind at
# batches of 2: such a number belongs to its network and its data.
#
# Could one not add up the gradients of several small batches, and step once?

# %% tags=["guess"]
guess(
    "The gradients of four batches of 2, added up: in which network are they those of one batch of 8?",
    "in the one with GroupNorm alone",
    options=[
        "in the one with GroupNorm alone",
        "in the one with BatchNorm alone",
        "in both",
        "in neither",
    ],
)

# %%
labels = load_mnist(tensors=True).train_labels[:8]


def gradient(network, parts):
    network = copy.deepcopy(network)
    for x, y in zip(digits[:8].chunk(parts), labels.chunk(parts), strict=True):
        (nn.functional.cross_entropy(network(x), y) / parts).backward()
    return network.conv1.weight.grad


for norm in ("group", "batch"):
    one, four = (gradient(small_cnn(norm), parts) for parts in (1, 4))
    print(f"{norm}: 1 x 8 and 4 x 2 agree: {torch.allclose(one, four, rtol=1e-4, atol=1e-6)}")

# %% [markdown]
# Where each sample is normalized by itself, the sum *is* the large batch, but for rounding. Where each small batch has statistics of its own, it is not.
#
# The other way out is to let several GPUs share their statistics: SyncBatchNorm, in [lesson 9](09_rms_norm_and_relatives.ipynb). And what speaks *against* GroupNorm? At batches that are large enough, BatchNorm was
# ahead above. And once trained, BatchNorm can be folded into the layer before it ([lesson 3](03_batch_norm_train_and_eval.ipynb)) and then costs nothing. GroupNorm's statistics depend on the image, and have to be computed for each.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Break it on purpose
#
# Groups are cut with a `reshape`, and a reshape never complains as long as the sizes fit. Four wrong ways to cut six channels into two groups. The test that finds them
# all: give each channel its own number, and print what lies together. In the first of two groups of six channels, that has to be 0, 1 and 2.

# %% slideshow={"slide_type": "-"}
numbered = np.broadcast_to(np.arange(6).reshape(1, 6, 1, 1), (1, 6, 2, 3))  # (N=1, C=6, H=2, W=3)
print("right:      ", numbered.reshape(1, 2, -1)[0, 0])

# %% [markdown] slideshow={"slide_type": "subslide"}
# **1. Dealt out like cards.** `(N, C/G, G, ...)` looks like the same thing. It puts channels 0, 2, 4 together: right for one group and for C groups, and wrong
# between.

# %% slideshow={"slide_type": "-"}
print("interleaved:", numbered.reshape(1, 3, 2, 2, 3)[0, :, 0].ravel())

# %% [markdown] slideshow={"slide_type": "-"}
# **2. G and C/G exchanged.** `(N, C/G, G, ...)` once more, but averaged over the axis of size G: three groups of two. Where C is G times G you see nothing.

# %% slideshow={"slide_type": "-"}
print("exchanged:  ", numbered.reshape(1, 3, 2, 2, 3)[0, 0].ravel())

# %% [markdown] slideshow={"slide_type": "subslide"}
# **3. Another memory layout.** Keras, JAX and image files put the channels last: `(N, H, W, C)`. Reshape *that* as if the channels came first, and a "group" is the upper half of
# the image, with all channels in it:

# %% slideshow={"slide_type": "-"}
channels_last = np.moveaxis(numbered, 1, -1)  # (N, H, W, C)
print("wrong layout:", channels_last.reshape(1, 2, -1)[0, 0])

# %% [markdown]
# Move the axis (`np.moveaxis`, `permute`) before you reshape. With torch's `memory_format=torch.channels_last` this does not happen: there the *shape* stays `(N, C, H, W)`, and only the order in memory changes.

# %%
tensor = torch.tensor(images)
reordered = tensor.contiguous(memory_format=torch.channels_last)
torch.allclose(layer(tensor), layer(reordered), rtol=0, atol=1e-12), reordered.shape == tensor.shape

# %% [markdown]
# `nn.GroupNorm` itself has the same trap one step earlier: it takes axis 1 for the channels, whatever it is. Tokens `(B, T, D)` with T = 6 go through `GroupNorm(2, 6)` without a complaint, and six *time steps* are cut into groups.
#
# **4. A column for a brick.** The mean over the channels of the group, at each pixel separately. The shape is right, and the images look plausible. Print the *number* of means:

# %%
for name, axes in {"brick": (2, 3, 4), "column": (2,)}.items():
    print(
        f"{name:6}: {images.reshape(4, 2, 3, 3, 5).mean(axes).size} means for 4 samples of 2 groups"
    )

# %% [markdown]
# **Would a test have noticed?** A numerical gradient check would not: each of these has a backward pass of its own that fits it. A comparison with torch does, if the sizes are well chosen. Here they are beside
# torch, once with 6 channels in 2 groups, once with 4 channels in 2. Yours is the first.


# %%
def standardize(x, axes):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)


def variants(x, G):
    N, C, H, W = x.shape
    cards = x.reshape(N, C // G, G, H, W)
    return {
        "right": normalize_groups(x, G),
        "interleaved": standardize(cards, (1, 3, 4)),
        "exchanged": standardize(cards, (2, 3, 4)),
        "wrong layout": np.moveaxis(
            standardize(np.moveaxis(x, 1, -1).reshape(N, G, -1), (2,)).reshape(N, H, W, C), -1, 1
        ),
        "column": standardize(x.reshape(N, G, C // G, H, W), (2,)),
    }


# %% tags=["guess"]
guess(
    "With 6 channels in 2 groups none of the four passes. How many pass with 4 channels in 2 groups?",
    1,
)

# %%
for C in (6, 4):
    some = rng.normal(size=(2, C, 3, 5))
    reference = nn.GroupNorm(2, C, affine=False)(torch.tensor(some)).numpy()
    found = {
        name: np.allclose(y.reshape(some.shape), reference) for name, y in variants(some, 2).items()
    }
    print(f"{C} channels in 2 groups, passes:", [name for name, passed in found.items() if passed])

# %% [markdown]
# G and C/G exchanged is what slips through: there both are 2. Test with sizes that all differ, G and C/G included.
#
# ## Your turn
#
# | exercise | difficulty | importance | minutes |
# |---|---|---|---|
# | [08, task 1](../exercises/08_group_norm.ipynb): GroupNorm for `(N, H, W, C)` | medium | high | 15 |
# | 08, task 2: groups of any channels | medium | medium | 15 |
# | 08, task 3: a mixture of three norms | hard | medium | 15 |
# | 08, task 4: LayerNorm and InstanceNorm as its two ends | medium | high | 15 |
# | Experiment: the CNN at batches of 2 with GroupNorm(1), (4) and (16) in both places. Is there a best number of groups, beyond the spread of five seeds? | medium | medium | 20 |
#
# <details><summary>How to begin the experiment</summary>
#
# ```python
# from functools import partial
#
# from normlab.data import ImageDataset
# from normlab.training import fit_many
#
# def with_groups(groups, seed):
#     network = small_cnn("group", seed)
#     network.norm1, network.norm2 = nn.GroupNorm(groups, 16), nn.GroupNorm(groups, 32)
#     return network
# ```
#
# and `fit_many({"4": partial(with_groups, 4), ...}, seeds=range(5), dataset=..., epochs=1, lr=0.05, batch_size=2)` with a dataset of 1,500 digits.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Test yourself
#
# Five questions before the recap. Choose an answer, and you see at once why it is right or wrong. Your
# first choices count, and the line under the questions says where they are kept.

# %% slideshow={"slide_type": "-"}
self_test("08_group_norm")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - `nn.GroupNorm(G, C)` averages over a brick: one sample, C/G neighbouring channels, all positions. N·G means, whatever the batch, and nothing remembered.
# - Forward: reshape to groups, subtract, divide, reshape back; then one weight and one bias for each *channel*. Backward: the line from lesson 4, with averages over a group, and the weight passed first.
# - With one group it normalizes as LayerNorm over `[C, H, W]`, with C groups as InstanceNorm, exactly; the weights have other shapes.
# - Wrong cuts show when every channel carries its own number, and no two sizes agree.
# - A small batch hurts BatchNorm where its means are made of few numbers: in the MLP at 2 and 4, in our CNN not at all. Wu and He saw it in a deep network on ImageNet.

# %% [markdown]
# ## Go further
#
# - Y. Wu, K. He, *Group Normalization*, ECCV 2018, arXiv:1803.08494. Figure 1 is the error against the batch size on ImageNet, figure 2 the block picture.
# - Y. Wu, J. Johnson, *Rethinking "Batch" in BatchNorm*, arXiv:2105.07576, 2021: what else can be done about small batches, and what goes wrong.
# - S. Ioffe, *Batch Renormalization*, NIPS 2017, arXiv:1702.03275: BatchNorm's own author on small batches.
# - How a careful implementation looks: `normlab/nn/functional.py`, functions `group_norm` and `group_norm_backward`.
