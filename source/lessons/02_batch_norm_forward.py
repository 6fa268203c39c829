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
# # Normalize a batch, one feature at a time
#
# *Lesson 2 · 65 minutes, self-test 10 · gentle · the forward pass of BatchNorm*
#
# When you have finished you can
#
# - say which numbers `nn.BatchNorm1d` and `nn.BatchNorm2d` average, and point at them in a picture;
# - compute the forward pass by hand on a small array, and write it in NumPy so that it equals
#   torch to the last digits, for vectors and for images;
# - say what `eps`, `weight` and `bias` do, and show an input on which each one matters;
# - recognise four common mistakes, and two traps, by what they look like from outside.
#
# **What you need:** NumPy's `mean(axis=...)`, and the idea that a network sees its data in
# batches. You do not need to have trained anything yet.

# %%
import numpy as np
import torch
from torch import nn

from normlab import load_mnist, parity, plots
from normlab.exercises import check, guess, self_test, yours

np.set_printoptions(precision=4, suppress=True)
torch.set_printoptions(precision=4, sci_mode=False)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A question first
#
# Here is a batch of two samples. Each has three features: a height in metres, a weight in
# kilograms, an income in euros a year.

# %% slideshow={"slide_type": "-"}
people = torch.tensor([[1.6, 58.0, 31_000.0], [1.9, 91.0, 24_000.0]])  # (N=2, C=3)
people

# %% [markdown] slideshow={"slide_type": "-"}
# `nn.BatchNorm1d(3)` normalizes three features. A fresh layer is in training mode, and it has not
# learned anything yet. What will come out? Think of six numbers; rough ones will do.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Leave out the signs, and round the six numbers that come out to one decimal. "
    "How many different ones are there?",
    1,
    outputs=2,
)

# %% slideshow={"slide_type": "slide"}
nn.BatchNorm1d(3)(people).detach()

# %% [markdown] slideshow={"slide_type": "fragment"}
# (We will come back to the one number that is not quite like the others.) Perhaps that is this batch.
# Make the second person a giant and a millionaire:

# %% slideshow={"slide_type": "fragment"}
giant = torch.tensor([[1.6, 58.0, 31_000.0], [19.0, 910.0, 24_000_000.0]])  # (N=2, C=3)
nn.BatchNorm1d(3)(giant).detach()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The giant is ten times as tall and ten times as heavy as the second person was, and the layer gives
# the same answer: ones, up to sign. The income has a new sign, since now the second person has more, and again nothing but
# a 1. In a batch of two, BatchNorm keeps of each feature *who had more*. By the end of this lesson you
# will see why it cannot be otherwise, and what a larger batch keeps.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## By hand, on four samples
#
# Four samples, three features. The numbers are chosen so that you can check every step in your
# head.

# %% slideshow={"slide_type": "-"}
x = np.array([[1.0, 10, 0], [3, 10, 4], [5, 30, 0], [7, 30, 4]])  # (N=4, C=3)
x

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Step 1: a mean for each feature.** A feature is a column, so we average *down* the columns: over
# axis 0, the axis of the samples.

# %% slideshow={"slide_type": "fragment"}
mean = x.mean(axis=0)  # (C,)
mean

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Step 2: each sample's distance from its feature's mean, with its sign.** NumPy lines `(4, 3)` up with
# `(3,)` from the right, so each column gets its own mean subtracted.

# %% slideshow={"slide_type": "fragment"}
deviation = x - mean  # (N, C)
deviation

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Step 3: how large the deviations are.** Square them, average them down the column: that is the
# variance. Its root, the standard deviation, is a typical deviation.

# %% slideshow={"slide_type": "fragment"}
var = (deviation**2).mean(axis=0)  # (C,)
var, np.sqrt(var)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Step 4: measure each deviation with its own feature's yardstick.**

# %% slideshow={"slide_type": "fragment"}
x_hat = deviation / np.sqrt(var)  # (N, C)
x_hat

# %% [markdown] slideshow={"slide_type": "fragment"}
# Look at the last two columns. 10 and 30, 0 and 4: different numbers, and the same pattern of small
# and large. After normalizing they hold nothing but ±1. The first column has four different values,
# and it keeps them apart. Every column now has mean 0 and variance 1:

# %% slideshow={"slide_type": "fragment"}
x_hat.mean(axis=0), x_hat.var(axis=0)

# %% [markdown]
# Back to the question. With *two* samples the mean lies exactly half-way, so the deviations are
# $-d$ and $+d$, the standard deviation is $d$, and the quotients are $-1$ and $+1$, whatever $d$ was,
# unless it was 0. That is all a batch of two can say.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Move one number
#
# Now `x[0, 0]` moves from 1 to 3, and nothing else. (In the picture what changed is marked; the numbers
# have at most two decimals. Where you see no slider, run the cell.)

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "How many of the twelve outputs have changed?",
    4,
    why="Which ones? Look at the right-hand table.",
)

# %% slideshow={"slide_type": "-"}
plots.explore.one_number(x)

# %% [markdown] slideshow={"slide_type": "fragment"}
# What is marked is one feature, all of it. One number moved the mean and the standard deviation of its
# column, and with them every sample's output in it. The other two columns do not know about it. And a
# batch of two samples and three features?

# %% tags=["guess"]
guess("One of the six inputs moves. How many of the six outputs change?", 0)

# %%
plots.explore.one_number()

# %% [markdown]
# The statistics moved, the outputs stand still. Pull the slider past 4, the other sample's value: the two
# signs change places, and that is all that can happen. (Under the slider you change from averaging over the
# samples to averaging over the features of each sample, along the rows. That is another norm, LayerNorm,
# and you may try what it does to the same six numbers.)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## In a formula
#
# $$\hat x_{nc} = \frac{x_{nc} - \mu_c}{\sqrt{\sigma_c^2 + \varepsilon}}, \qquad
# \mu_c = \frac1N \sum_n x_{nc}, \qquad
# \sigma_c^2 = \frac1N \sum_n (x_{nc} - \mu_c)^2$$
#
# In words: every feature $c$ gets its own mean and its own variance, taken over the samples $n$ of
# the batch. Two things are worth a second look.
#
# - The variance divides by $N$, not by $N - 1$. Statisticians call this one *biased*. NumPy's
#   `var` divides by $N$; torch's `var` divides by $N - 1$ unless you ask.
# - There is an $\varepsilon$ under the root, which we left out. PyTorch calls it `eps`. We put it in now,
#   and later find an input on which it matters.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Give the network its freedom back: weight and bias
#
# Mean 0 and variance 1 may not be what the next layer wants. So the layer ends with a scale and a
# shift that are learned, one pair for each feature:
#
# $$y_{nc} = w_c\, \hat x_{nc} + b_c$$
#
# The paper calls them $\gamma$ and $\beta$; PyTorch calls them `weight` and `bias`, and so do we. A
# fresh layer has `weight` 1 and `bias` 0, so at first they change nothing.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Your turn.** Put it all into one function: the four steps of above, the `eps`, the weight and the
# bias. `x` is `(N, C)`, `weight` and `bias` are `(C,)`, `eps` is a number.


# %% slideshow={"slide_type": "-"}
def batch_norm_forward(x, weight, bias, eps):
    raise NotImplementedError()


# %%
check("batch_norm_forward", batch_norm_forward)

# %% [markdown]
# Change the function, run it and its check again, as often as you like. When all points are there, run
# the next cell: from then on `batch_norm` is what *you* wrote. Until then the package's function stands
# in, so that you can read on.

# %%
batch_norm = yours("batch_norm_forward", batch_norm_forward)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def batch_norm_forward(x, weight, bias, eps):
#     mean = x.mean(axis=0)  # (C,)
#     var = x.var(axis=0)  # (C,)
#     x_hat = (x - mean) / np.sqrt(var + eps)  # (N, C)
#     return weight * x_hat + bias  # (N, C)
# ```
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# Here it is at work, with a weight and a bias for each feature:

# %% slideshow={"slide_type": "-"}
weight = np.array([3.0, -1.5, 0.5])  # (C,)
bias = np.array([2.0, 0.5, -1.0])  # (C,)
y = batch_norm(x, weight, bias, 1e-5)
y.mean(axis=0), y.std(axis=0)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The output's mean *is* the bias, and its standard deviation *is* the weight, but for its sign and a
# little `eps`. And is it what torch computes? In float64 the two should agree but for rounding:

# %% slideshow={"slide_type": "fragment"}
layer = nn.BatchNorm1d(3, dtype=torch.float64)
with torch.no_grad():
    layer.weight.copy_(torch.from_numpy(weight)), layer.bias.copy_(torch.from_numpy(bias))
    theirs = layer(torch.from_numpy(x)).numpy()
np.allclose(y, theirs, rtol=0, atol=1e-14)

# %% [markdown]
# One of the two articles that this course grew from (*PyTorch Normalize*, 2023) calls $\gamma$ "the
# momentum factor". The cell above shows a scale. There *is* a number called `momentum` in BatchNorm, but
# it is a setting, not something learned: it says how quickly the layer's long-term averages follow the
# batches.

# %%
layer = nn.BatchNorm1d(3)
layer.momentum, [name for name, _ in layer.named_parameters()]

# %% [markdown]
# > **Pause.** Could the network *undo* the normalization, if that served it best? With which
# > `weight` and `bias`? Work it out before you open the answer.
# >
# > <details><summary>Answer</summary>
# >
# > With weight = √(var + eps) and bias = mean it gets x back exactly. But mean and var are those of
# > the present batch, and weight and bias are the same for every batch. So it can be undone for
# > one batch, or on average, but not for all.
# >
# > </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A feature that hardly varies
#
# To see what `eps` does, let us leave weight and bias out: a fresh layer's, 1 and 0.


# %% slideshow={"slide_type": "-"}
def normalize(x, eps=1e-5):
    return batch_norm(x, np.ones(x.shape[1]), np.zeros(x.shape[1]), eps)  # (N, C)


# %% [markdown] slideshow={"slide_type": "-"}
# Here are features with smaller and smaller standard deviations. Without `eps` each would come out with
# standard deviation 1. (A hint: `eps` is added to the *variance*.)

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Which is the first from which `eps=1e-5` takes away more than half?",
    "the one of standard deviation 0.001",
    options=[
        "the one of standard deviation 0.01",
        "the one of standard deviation 0.001",
        "the one of standard deviation 0.0001",
        "none but the one that does not vary at all",
    ],
)

# %% slideshow={"slide_type": "fragment"}
spread = np.array([1, 0.1, 0.01, 0.001, 0.0001, 0])  # (C=6,)
faint = np.array([[-1], [1]]) * spread  # (N=2, C=6), standard deviation = spread
normalize(faint).std(axis=0)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Compare each *variance* with `eps`. A standard deviation of 0.01 is a variance of 0.0001, ten times
# `eps`: it loses a few percent. At 0.001 the variance is a tenth of `eps`, and most of the signal is
# gone. That is also where the 0.9998 of the first cell came from: the heights 1.6 and 1.9 deviate by 0.15.

# %%
print(f"{0.15 / np.sqrt(0.15**2 + 1e-5):.4f}")

# %% [markdown]
# PyTorch's documentation gives the purpose of `eps` as numerical stability. The last column, which does
# not vary at all, shows what that means. It gave 0. Without `eps` it would be zero divided by zero
# (torch refuses `eps=0` in training; NumPy lets us look):

# %%
with np.errstate(invalid="ignore"):
    without_eps = normalize(faint, eps=0)
without_eps.std(axis=0)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Images: the same, with more to average
#
# In a convolutional network a feature is a *channel*, and each sample has a whole map of it. A
# batch is `(N, C, H, W)`. Line up the pixels of each map in one row and you have the picture that
# this course keeps from beginning to end: a block of N samples, C channels and L = H·W positions.
# BatchNorm takes one mean for each channel. In the picture: of everything that lies in one coloured
# slice.

# %% slideshow={"slide_type": "subslide"}
plots.explore.block()

# %% [markdown]
# Every sample and every position of one channel share one mean and one variance. The channels do
# not share anything. With vectors, L is 1, and the slice is the column that you know. (You
# can tick other axes. Each choice that has a name is a layer of `torch.nn`; lessons 6 to 8 are
# about them.)

# %% [markdown] slideshow={"slide_type": "subslide"}
# So count, for a batch of small colour photographs.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "A batch of shape (64, 3, 32, 32): how many numbers is each mean made of?",
    65_536,
    within=600,
    why="And how many means are there?",
)

# %% slideshow={"slide_type": "fragment"}
N, C, H, W = 64, 3, 32, 32
print(f"{C} means, each of {N * H * W:,} numbers")

# %% [markdown] slideshow={"slide_type": "subslide"}
# In code little changes: the axes over which mean and variance are taken. `keepdims=True` keeps those
# axes, with length 1, so that mean and variance line up with `x` again. `weight` and `bias` have to be
# told where they belong: a bare `(C,)` would line up with the *last* axis, which is W.
#
# **Your turn.** The same layer for images: `x` is `(N, C, H, W)`, `weight` and `bias` are `(C,)`.


# %% slideshow={"slide_type": "-"}
def batch_norm_forward_images(x, weight, bias, eps):
    raise NotImplementedError()


# %%
check("batch_norm_forward_images", batch_norm_forward_images)

# %%
batch_norm_images = yours("batch_norm_forward_images", batch_norm_forward_images)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def batch_norm_forward_images(x, weight, bias, eps):
#     mean = x.mean((0, 2, 3), keepdims=True)  # (1, C, 1, 1)
#     var = x.var((0, 2, 3), keepdims=True)  # (1, C, 1, 1)
#     x_hat = (x - mean) / np.sqrt(var + eps)  # (N, C, H, W)
#     return weight.reshape(1, -1, 1, 1) * x_hat + bias.reshape(1, -1, 1, 1)
# ```
#
# </details>

# %%
images = np.random.default_rng(0).normal(5, 2, size=(4, 3, 2, 5))  # (N, C, H, W)
out = batch_norm_images(images, weight, bias, 1e-5)  # (N, C, H, W)
out.mean(axis=(0, 2, 3)), out.std(axis=(0, 2, 3))

# %% [markdown]
# Again the bias and the size of the weight, now for each channel.

# %% [markdown]
# ## Is it really what torch does?
#
# The package `normlab` holds NumPy twins of the norms in `torch.nn`, forward and backward. `parity.pair`
# makes a twin and a torch layer with the same weights, biases and running statistics, none of them 0 or
# 1; `parity.compare` runs both, forward and backward, and compares everything that comes out.

# %%
twin, layer = parity.pair("BatchNorm2d", 3)
parity.compare(twin, layer, images)

# %% [markdown]
# Relative differences of about $10^{-16}$ are the rounding of float64: the two add the same numbers in
# another order. (`equal` stands for at most $10^{-12}$.) The gradients are lesson 4's, and the buffers
# (`running_mean` and its kin) lesson 3's; they are in the table so that nothing is left unwatched.
#
# The function of above is not in that table. Put it beside torch yourself, with the same weights:

# %%
mine = batch_norm_images(images, twin.weight, twin.bias, 1e-5)
theirs = layer(torch.from_numpy(images)).detach().numpy()
np.allclose(mine, theirs, rtol=0, atol=1e-13)

# %% [markdown]
# One friendly input proves little. Here are less friendly ones: a mean far from zero, a large `eps`, a
# batch of one in both modes.

# %%
rng = np.random.default_rng(1)
small = rng.normal(size=(4, 3))  # (N, C)
frozen = tuple(half.eval() for half in parity.pair("BatchNorm1d", 3))
cases = {
    "mean 100": (*parity.pair("BatchNorm1d", 3), small + 100),
    "eps=0.5": (*parity.pair("BatchNorm1d", 3, eps=0.5), small),
    "no weight and bias": (*parity.pair("BatchNorm1d", 3, affine=False), small),
    "one sample, training": (*parity.pair("BatchNorm1d", 3), small[:1]),
    "one sample, evaluation": (*frozen, small[:1]),
}

# %% [markdown]
# And other shapes: one image, sequences `(N, C, L)`, volumes `(N, C, D, H, W)`.

# %%
cases |= {
    "one image, training": (*parity.pair("BatchNorm2d", 3), rng.normal(size=(1, 3, 4, 5))),
    "sequences": (*parity.pair("BatchNorm1d", 3), rng.normal(size=(4, 3, 7))),
    "volumes": (*parity.pair("BatchNorm3d", 3), rng.normal(size=(2, 3, 2, 4, 5))),
}
parity.compare_cases(cases)

# %% [markdown]
# The line with an error is worth a thought. Of one sample, each feature has one value and no spread, so
# in training mode torch refuses it, and the twin refuses it in the same words. (One *image* is accepted:
# its pixels are many values.) In evaluation mode the layer uses statistics that it has saved, and one
# sample is fine. Why there are two modes is [lesson 3](03_batch_norm_train_and_eval.ipynb).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## See it on real digits
#
# Sixty-four digits go through the first layer of the article's network, 784 inputs and 256 units,
# with fresh weights. Of the 256 units we look at three: the one that varies least, the one that
# varies most, and the one furthest from zero.

# %%
digits = load_mnist(tensors=True).train_images[:64].flatten(1) / 255  # (N=64, 784)
torch.manual_seed(0)
with torch.no_grad():
    units = nn.Linear(784, 256)(digits).numpy()  # (N, 256)
chosen = [units.std(0).argmin(), units.std(0).argmax(), np.abs(units.mean(0)).argmax()]
before = units[:, chosen]  # (N, 3)
after = normalize(before)

# %% slideshow={"slide_type": "-"}
plots.dots(
    {"before": before, "after": after},
    ["varies least", "varies most", "furthest from 0"],
    **plots.words("02 before and after"),
)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The black bars show mean and standard deviation. Before, the units sit in different places and
# have different widths. After (mind the other scale), they are centred and equally wide. *Within* a unit
# the dots keep their order and their pattern; only origin and scale have changed:

# %%
bool((before.argsort(axis=0) == after.argsort(axis=0)).all())

# %% [markdown]
# Two samples could keep nothing but their order. Sixty-four keep their whole pattern.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## One sample, two batches
#
# There is a price. The first sample of our four, `[1, 10, 0]`, beside the second, and beside the third:

# %% slideshow={"slide_type": "fragment"}
print(normalize(x[[0, 1]])[0].round(2), normalize(x[[0, 2]])[0].round(2))

# %% [markdown] slideshow={"slide_type": "fragment"}
# The same sample, two answers: what comes out depends on the company. That is the most important thing
# to know about BatchNorm, and lesson 3 is about its consequences.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Break it on purpose
#
# Four mistakes that people really make. Each can give numbers of the right shape without any
# complaint. That is what makes them hard to find.
#
# **1. The other variance.** `torch.var` divides by N − 1. The two differ most where batches are
# small:

# %% slideshow={"slide_type": "fragment"}
for n in (2, 8, 64):
    sample = torch.arange(float(n))  # (N,), any numbers will do
    ratio = sample.var() / sample.var(correction=0)
    print(f"N = {n:2}: std too large by {ratio.sqrt() - 1:.1%}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# **2. `eps` outside the root.** PyTorch's documentation calls `eps` "a value added to the denominator",
# and people write $\sqrt{\sigma^2} + \varepsilon$ for $\sqrt{\sigma^2 + \varepsilon}$. On ordinary features
# you see nothing. On faint ones it is another function:

# %% slideshow={"slide_type": "fragment"}
outside = (faint - faint.mean(0)) / (faint.std(0) + 1e-5)
np.stack([spread, normalize(faint).std(0), outside.std(0)])  # std before, right, wrong

# %% [markdown] slideshow={"slide_type": "fragment"}
# With `eps` in the wrong place the faint feature of standard deviation 0.001 comes out at nearly full
# size after all.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **3. The wrong axes.** For images, averaging over the batch alone gives every *pixel* its own
# mean; averaging over the map alone gives every *sample* its own. Ask for the shape of the mean, and
# the mistake tells its name:

# %% slideshow={"slide_type": "fragment"}
for axes in [(0, 2, 3), (0,), (2, 3)]:
    print(f"mean over {axes!s:9}: one for each of", images.mean(axes).shape)

# %% [markdown] slideshow={"slide_type": "fragment"}
# One number for each of the 3 channels is BatchNorm. (The last line, one for each sample and
# channel, is InstanceNorm: a good layer, and another one.)

# %% [markdown]
# **4. Weight and bias along the wrong axis.** NumPy lines a bare `(C,)` up with W. That raises an error,
# unless there are as many columns as channels (or one column: then the *shape* of the result is wrong):

# %%
square = np.zeros((2, 3, 4, 3))  # C = 3 and W = 3
(square + bias)[0, 0], (square + bias.reshape(1, 3, 1, 1))[0, 0]

# %% [markdown]
# Left: vertical stripes, one bias for each *column* of the image. Right: channel 0 gets its own
# bias, 2, everywhere. So test with sizes that all differ.
#
# And two traps that wait for code without any mistake in its formula.
#
# **5. The other layout.** Sequences come in two layouts. `nn.BatchNorm1d` expects `(N, C, L)`; embeddings
# and recurrent layers give `(N, L, C)`, features last. Ask for the shape again: a layer for C features has
# C means. Here are 4 sequences of 7 steps with 3 features, and then of *3* steps:

# %%
steps = torch.randn(4, 7, 3, generator=torch.manual_seed(0))  # (N, L, C)
try:
    nn.BatchNorm1d(3)(steps)
except RuntimeError as error:
    print(error)

# %%
short = steps[:, :3]  # (N, L=3, C=3)
swapped = nn.BatchNorm1d(3)(short).detach()
right = nn.BatchNorm1d(3)(short.transpose(1, 2)).transpose(1, 2).detach()  # (N, C, L) and back
for name, axes in {"step": (0, 2), "feature": (0, 1)}.items():
    zero = [bool((y.mean(axes).abs() < 1e-6).all()) for y in (swapped, right)]
    print(f"each {name:7} has mean 0: {zero[0]!s:5} swapped, {zero[1]!s:5} right")

# %% [markdown]
# With 7 steps the layer objects, since it found 7 channels where it expected 3. With 3 steps it says
# nothing, and takes one mean for each *step*, where each feature was to have its own. The shapes are the
# same, and no error will ever come. (`transpose(1, 2)` before the layer, and again after it, is right.)
#
# **6. A shortcut for the variance.** On paper $\sigma^2$ is also $m(x^2) - m(x)^2$, the mean of the squares
# minus the square of the mean. That saves a pass over the data, and networks compute in float32, with
# about seven digits. Here is a feature with standard deviation 1 around larger and larger means:

# %% tags=["nbval-ignore-output"]
# Output not compared: it shows rounding errors, which differ from processor to processor.
noise = np.random.default_rng(0).normal(size=10_000)
for center in (0, 100, 10_000):
    feature = (noise + center).astype(np.float32)
    shortcut = (feature**2).mean() - feature.mean() ** 2
    print(f"mean {center:6,}: var {feature.var():.2f}, by the shortcut {shortcut:.2f}")

# %% [markdown]
# Around 10,000 the two terms are about a hundred million each. There, neighbouring float32 numbers are 8
# apart, so the difference is a multiple of 8, and never 1. It can come out negative, and then the root is
# NaN. So subtract the mean first, as you did by hand.
#
# **Would a test have noticed?** Each mistake on the images above, beside torch with the same weights:

# %%
full = {"axis": (0, 2, 3), "keepdims": True}
mean, var = images.mean(**full), images.var(**full)  # (1, C, 1, 1)
n = images.size / images.shape[1]  # values in each mean
w, b = (p.reshape(1, -1, 1, 1) for p in (twin.weight, twin.bias))
variants = {
    "right": (images - mean) / np.sqrt(var + 1e-5),
    "divide by n - 1": (images - mean) / np.sqrt(var * n / (n - 1) + 1e-5),
    "eps outside": (images - mean) / (np.sqrt(var) + 1e-5),
    "over the batch alone": (images - images.mean(0)) / np.sqrt(images.var(0) + 1e-5),
}

# %%
for name, x_hat in variants.items():
    difference = np.abs(w * x_hat + b - theirs).max()
    print(f"{name:21} strict test: {difference < 1e-12!s:6} loose test: {difference < 1e-3}")

# %% [markdown]
# Strict means a difference below $10^{-12}$ in float64, loose one below a thousandth. The loose test
# lets `eps` in the wrong place pass.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## One thing for free: the bias before it
#
# A linear layer usually stands before BatchNorm, and it adds a bias of its own to each feature: a
# constant for a whole column.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "100 is added to a whole column. What does BatchNorm make of the 100?",
    "nothing is left of it",
    options=[
        "it is added to that column of the output",
        "it is divided by the column's standard deviation, and added",
        "nothing is left of it",
    ],
)

# %% slideshow={"slide_type": "fragment"}
shifted = x + np.array([100.0, -7.0, 0.3])
np.allclose(normalize(shifted), normalize(x), rtol=0, atol=1e-12)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The same outputs as without it: the constant moves the mean by as much, and the mean is subtracted. So in front
# of BatchNorm a linear or convolutional layer can do without its bias (`bias=False`); the `bias` *after*
# normalizing does the work. The article's network keeps both, and nothing breaks: it carries 256 + 128
# numbers that cannot change its output in training mode, and so learn nothing.

# %% [markdown]
# ## Your turn
#
# | exercise | difficulty | importance | minutes |
# |---|---|---|---|
# | [02, task 1](../exercises/02_batch_norm_forward.ipynb): BatchNorm for `(N, C)` | easy | high | 10 |
# | 02, task 2: do without the bias before BatchNorm | medium | medium | 15 |
# | 02, task 3: samples that count for more, or for less | medium | high | 10 |
# | 02, task 4: take away what two channels share | hard | medium | 15 |
#
# Task 1 is the function that you wrote above: put it in there, and it counts. The others are not in this lesson.
# The checks tell you not only *that* something is wrong, but what you did.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Test yourself
#
# Five questions before the recap. Choose an answer, and you see at once why it is right or wrong. Your
# first choices count, and the line under the questions says where they are kept.

# %% slideshow={"slide_type": "-"}
self_test("02_batch_norm_forward")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - BatchNorm averages over the samples (and, for images, the positions) of **one channel**: a slice
#   of the block.
# - Forward: subtract the channel's mean, divide by $\sqrt{\text{variance} + \varepsilon}$ with the
#   variance that divides by N, multiply by `weight`, add `bias`. For images only the axes change.
# - `eps` shows on a feature that hardly varies; the size of `weight` and `bias` show as the output's
#   standard deviation and mean.
# - From outside: with the wrong variance, small batches are off most; with `eps` outside the root, faint
#   features come out at nearly full size; with the wrong axes, the mean has the wrong shape; with weights
#   along the wrong axis, stripes. With features last, every *step* has mean 0; with the shortcut for the
#   variance, features with a large mean go wild.
# - What comes out for a sample depends on the batch it is in.

# %% [markdown]
# ## Go further
#
# - S. Ioffe, C. Szegedy, *Batch Normalization: Accelerating Deep Network Training by Reducing
#   Internal Covariate Shift*, ICML 2015, arXiv:1502.03167. Algorithm 1 is this lesson's formula.
# - PyTorch's page of [`nn.BatchNorm1d`](https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html):
#   which variance is used where, and what `momentum` means there.
# - Y. Wu, K. He, *Group Normalization*, ECCV 2018, arXiv:1803.08494. Figure 2 is the block picture,
#   for four norms side by side.
# - How a careful implementation looks: `normlab/nn/functional.py`, functions `standardize` and
#   `batch_norm`.
