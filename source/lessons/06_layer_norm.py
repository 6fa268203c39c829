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
# # Normalize one sample at a time: LayerNorm
#
# *Lesson 6 · 115 minutes, self-test 10 · medium · forward, backward, sequences, and where transformers put it*
#
# When you have finished you can
#
# - say which numbers `nn.LayerNorm` averages for a given `normalized_shape`, how many means there are,
#   and how many weights;
# - write it in NumPy, forward and backward, for vectors, images and sequences, so that it equals torch;
# - recognise a norm along the wrong axis although every shape agrees, and padding that got into a mean;
# - say what it did for a small recurrent network, and what it did not;
# - tell a pre-norm from a post-norm transformer block by its gradients.
#
# **What you need:** [lesson 2](02_batch_norm_forward.ipynb) and
# [lesson 4](04_batch_norm_backward.ipynb).

# %%
import numpy as np
import torch
from torch import nn

from normlab import load_mnist, parity, plots
from normlab.exercises import check, guess, self_test, yours
from normlab.training import find_experiment, recorded, run_live

np.set_printoptions(precision=4, suppress=True)
torch.set_printoptions(precision=4, sci_mode=False)
torch.set_num_threads(1)  # the networks here are small

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A question first
#
# Lesson 2 began with two people: a height in metres, a weight in kilograms, an income in euros. BatchNorm
# asked of each feature who had more.

# %% slideshow={"slide_type": "-"}
people = torch.tensor([[1.6, 58.0, 31_000.0], [1.9, 91.0, 24_000.0]])  # (N=2, D=3)
nn.BatchNorm1d(3)(people).detach()

# %% [markdown] slideshow={"slide_type": "-"}
# `nn.LayerNorm(3)` subtracts the mean of *one person's* three numbers, and divides by their standard
# deviation. It never looks at the other person.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "What will the two rows look like that come out?",
    "nearly the same three numbers, twice",
    options=[
        "ones up to sign again, and who has more has the +1",
        "clearly different: the second person is heavier, the first one richer",
        "nearly the same three numbers, twice",
    ],
)

# %% slideshow={"slide_type": "fragment"}
nn.LayerNorm(3)(people).detach()

# %% [markdown] slideshow={"slide_type": "subslide"}
# Beside an income, a height and a weight are both "about nothing", and the layer says the same of
# everyone: two low numbers and a high one. It averages metres, kilograms and euros, and such a
# mean has no meaning.
#
# So LayerNorm is not for columns of a table. It is for numbers of one kind: the units of one hidden
# layer, the entries of one word's vector. There it does something that BatchNorm cannot: it gives a
# sample the same answer whatever else is in the batch, in training and afterwards.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## By hand: lesson 2, lying on its side
#
# Three samples, four features. You have seen these numbers before, as columns:

# %% slideshow={"slide_type": "-"}
x = np.array([[1.0, 3, 5, 7], [10, 10, 30, 30], [0, 4, 0, 4]])  # (N=3, D=4)
mean = x.mean(axis=1, keepdims=True)  # (N, 1)
mean

# %% [markdown] slideshow={"slide_type": "-"}
# One mean for each *sample*, a row. `keepdims=True` leaves `(N, 1)`, and NumPy lines that up with the
# rows. (A bare `(N,)` would line up with the columns; we come back to that.)

# %% slideshow={"slide_type": "subslide"}
deviation = x - mean  # (N, D)
var = (deviation**2).mean(axis=1, keepdims=True)  # (N, 1)
x_hat = deviation / np.sqrt(var)  # (N, D)
x_hat

# %% [markdown] slideshow={"slide_type": "fragment"}
# These are lesson 2's answers, lying on their side. So is LayerNorm nothing but BatchNorm of the
# transposed batch? Before you agree: a layer has more than these four steps.

# %% tags=["guess"]
guess(
    "Do `nn.LayerNorm(4)(x)` and `nn.BatchNorm1d(3)(x.T).T` give the same, in training mode?",
    "while the layers are fresh, but not after they have learned",
    options=[
        "always",
        "while the layers are fresh, but not after they have learned",
        "not even while the layers are fresh",
    ],
)

# %% slideshow={"slide_type": "fragment"}
samples = torch.from_numpy(x)  # (N=3, D=4)
layer = nn.LayerNorm(4, dtype=torch.float64)
turned = nn.BatchNorm1d(3, dtype=torch.float64)
print("fresh, the same answer:", torch.allclose(layer(samples), turned(samples.T).T))
print("shapes of the weights: ", tuple(layer.weight.shape), tuple(turned.weight.shape))

# %% [markdown] slideshow={"slide_type": "fragment"}
# Weight 1 and bias 0 hide it: LayerNorm has a weight for each of the four *features*, and the BatchNorm
# of the transposed batch one for each of the three *samples*. Such a weight could not be learned, since the next
# batch holds other samples.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## In a formula
#
# $$\hat x_{nd} = \frac{x_{nd} - \mu_n}{\sqrt{\sigma_n^2 + \varepsilon}}, \qquad
# \mu_n = \frac1D \sum_d x_{nd}, \qquad
# \sigma_n^2 = \frac1D \sum_d (x_{nd} - \mu_n)^2, \qquad
# y_{nd} = w_d\, \hat x_{nd} + b_d$$
#
# In words: every sample $n$ gets its own mean and its own variance (divided by D, the number of values
# in it), with `eps` under the root. Then every *feature* $d$ gets its weight and its bias. Look at the
# indices: the statistics have an $n$, weight and bias have a $d$. In BatchNorm all four carry the
# same index. That is the difference, and it is why transposing is not enough.
#
# By hand, `eps` aside. A weight `(D,)` lines up with the features by itself:

# %% slideshow={"slide_type": "-"}
weight = np.array([3.0, -1.5, 0.5, 2.0])  # (D,)
bias = np.array([2.0, 0.5, -1.0, 0.0])  # (D,)
y = weight * x_hat + bias  # (N, D)
y

# %% [markdown]
# Follow the last row: $\hat x$ was −1, 1, −1, 1, and has become −1, −1, −1.5, 2. Each number went
# through its own column's weight and bias. The rows of y no longer have mean 0, nor need they: those
# of $\hat x$ did.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## normalized_shape: as many axes as weight has
#
# An image has three axes of its own, `(C, H, W)`; a sentence has two, tokens and features `(T, D)`. Which
# of them share a mean? PyTorch lets you say it with `normalized_shape`: the mean runs over as many *last*
# axes as it names, and weight and bias have exactly that shape.
#
# | input | `normalized_shape` | one mean for each | shape of weight and bias |
# |---|---|---|---|
# | `(N, D)` | `D` | sample | `(D,)` |
# | `(B, T, D)`, T tokens | `D` | token | `(D,)` |
# | `(B, T, D)` | `[T, D]` | sequence | `(T, D)` |
# | `(N, C, H, W)` | `[C, H, W]` | image | `(C, H, W)` |

# %% [markdown]
# Count, for two images of shape `(3, 4, 5)`:

# %%
images = np.random.default_rng(0).normal(5, 2, size=(2, 3, 4, 5))  # (N, C, H, W)
images += np.array([0, 10, 20]).reshape(1, 3, 1, 1)  # three different channels
layer = nn.LayerNorm([3, 4, 5], dtype=torch.float64)
out = layer(torch.from_numpy(images)).detach().numpy()  # (N, C, H, W)

# %% tags=["guess"] slideshow={"slide_type": "subslide"}
guess("How many numbers has the weight of `nn.LayerNorm([3, 4, 5])`?", 60)

# %% slideshow={"slide_type": "fragment"}
layer.weight.numel()

# %% [markdown] slideshow={"slide_type": "fragment"}
# One weight for each element of an image. And the means? One of the two articles behind this course says
# that LayerNorm "computes the mean and variance for each channel", and there are three channels. If each
# had a mean of its own, then each channel's mean would be 0 after the layer. (A fresh layer has weight 1 and bias 0.)

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("How many means does the layer take of the two images?", 2)

# %% slideshow={"slide_type": "fragment"}
print("of each channel of each image:\n", out.mean(axis=(2, 3)).round(2) + 0.0)
print("of each image:", np.abs(out.mean(axis=(1, 2, 3))).round(2))

# %% [markdown] slideshow={"slide_type": "fragment"}
# The channels keep their different levels, and only each image as a whole has mean 0: one mean for each
# image. So the article's sentence is not right: it is the *weights* that are per element, and the
# statistics are per sample. (One mean per channel and image would be InstanceNorm, which is lesson 7's.)

# %% [markdown]
# How does a function know which axes share a mean? The shape of `weight` *is* `normalized_shape`, so
# `weight.ndim` says how many there are. Negative numbers count axes from the end. For our images:

# %%
images.mean(axis=(-3, -2, -1), keepdims=True).shape  # (N, 1, 1, 1)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Your turn.** One function for every row of the table: `x` has any shape that ends with that of `weight`
# and `bias`, and these have one to three axes; `eps` is a number.


# %% slideshow={"slide_type": "-"}
def layer_norm_forward(x, weight, bias, eps):
    raise NotImplementedError()


# %%
check("layer_norm_forward", layer_norm_forward)

# %%
layer_norm = yours("layer_norm_forward", layer_norm_forward)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def layer_norm_forward(x, weight, bias, eps):
#     last = tuple(range(-weight.ndim, 0))  # weight (C, H, W): (-3, -2, -1)
#     mean = x.mean(last, keepdims=True)  # (N, 1, 1, 1)
#     var = x.var(last, keepdims=True)  # (N, 1, 1, 1)
#     x_hat = (x - mean) / np.sqrt(var + eps)  # (N, C, H, W)
#     return weight * x_hat + bias  # (N, C, H, W)
# ```
#
# </details>

# %%
np.allclose(layer_norm(x, weight, bias, 1e-5), y, rtol=0, atol=1e-5)

# %% [markdown]
# As by hand. (The difference that was allowed for is that of `eps`, which was not in there.)

# %% [markdown] slideshow={"slide_type": "subslide"}
# And in the block picture, with N samples, C channels and L positions? The positions of an image are its pixels.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Over which axes of the block does LayerNorm average on images?",
    "C and L",
    options=["C", "L", "N and L", "C and L", "N, C and L"],
)

# %% slideshow={"slide_type": "-"}
block = (4, 6, 5)  # N, C, L
plots.block(
    {
        "BatchNorm": plots.averaged_cells(block, axes=(0, 2)),
        "LayerNorm, images": plots.averaged_cells(block, axes=(1, 2)),
        "LayerNorm, tokens": plots.averaged_cells(block, axes=(1,)),
    }
)

# %% [markdown] slideshow={"slide_type": "fragment"}
# On images it takes everything of one sample. In a transformer the T tokens are the block's positions and the
# D features its channels, and it takes one token. Here is the same block to try. It shows tokens first; make it show the other two.

# %%
plots.explore.block("C")

# %% [markdown]
# ## Is it really what torch does?
#
# Vectors, images, and sequences with one and with two axes normalized; with weights and biases that are not
# 1 and 0.


# %%
def case(shape, normalized_shape, mean=0.0, **options):
    rng = np.random.default_rng(0)
    return (*parity.pair("LayerNorm", normalized_shape, **options), rng.normal(mean, 2, shape))


cases = {
    "vectors": case((5, 3), 3),
    "images": case((2, 3, 4, 5), [3, 4, 5]),
    "tokens": case((2, 6, 3), 3),
    "whole sequences": case((2, 6, 3), [6, 3]),
}

# %%
in_evaluation = tuple(half.eval() for half in parity.pair("LayerNorm", 3))
cases |= {
    "mean 100": case((5, 3), 3, mean=100),
    "eps=0.5": case((5, 3), 3, eps=0.5),
    "no weight and bias": case((5, 3), 3, elementwise_affine=False),
    "one sample": case((1, 3), 3),
    "one sample, evaluation": (*in_evaluation, cases["vectors"][2][:1]),
    "another shape": case((5, 4), 3),
}
parity.compare_cases(cases)

# %% [markdown]
# Where lesson 2's table had an error for one sample in training, here is none: a sample brings its own
# values to average. The last line is what torch says when the last axes are not those that the layer was
# made for. And your own function, beside torch:

# %%
twin, theirs, pictures = cases["images"]
mine = layer_norm(pictures, twin.weight, twin.bias, 1e-5)
expected = theirs(torch.from_numpy(pictures)).detach().numpy()
np.allclose(mine, expected, rtol=0, atol=1e-13)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## One image, one answer
#
# Lesson 3 was about two modes, buffers and a forgotten `eval()`. What would it have to say about LayerNorm?

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("How many entries has the `state_dict` of `nn.LayerNorm(4)`? (BatchNorm has five.)", 2)

# %% slideshow={"slide_type": "-"}
layer = nn.LayerNorm(4, dtype=torch.float64)
in_company = layer(torch.from_numpy(x))[0]
alone = layer.eval()(torch.from_numpy(x[:1]))[0]
print(list(layer.state_dict()), "  the same answer:", torch.equal(in_company, alone))

# %% [markdown] slideshow={"slide_type": "fragment"}
# Very little. There are no running statistics, so there is nothing to forget, and training and evaluation are one.
#
# The price is paid elsewhere. Whatever all the units of a sample have in common is gone: multiply a
# sample by 10 and add 3, and the layer answers the same (up to `eps`).

# %%
there, here = (layer_norm(values, weight, bias, 1e-5) for values in (10 * x + 3, x))
np.allclose(there, here, rtol=0, atol=1e-4)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## See it on real digits
#
# Sixty-four digits go through the first layer of the article's network. This time we follow not three
# units but three *digits*: the one with the least ink, the one in the middle, the one with the most. Each dot is
# one of the 256 units.

# %%
digits = load_mnist(tensors=True).train_images[:64].flatten(1) / 255  # (N=64, 784)
torch.manual_seed(0)
with torch.no_grad():
    units = nn.Linear(784, 256)(digits).numpy()  # (N, 256)
by_ink = digits.sum(1).argsort()[[0, 32, 63]]  # least, middle, most
before = units[by_ink]  # (3, 256)
after = layer_norm(before, np.ones(256), np.zeros(256), 1e-5)  # (3, 256)

# %% slideshow={"slide_type": "-"}
plots.dots(
    {"before": before.T, "after": after.T},
    ["least ink", "middle", "most ink"],
    **plots.words("06 ink"),
)

# %% [markdown] slideshow={"slide_type": "fragment"}
# A digit with much ink drives all units harder. After LayerNorm every digit has the same strength, and
# what tells digits apart is the *pattern* over the units. Whether the amount of ink was worth knowing, the
# layer does not ask.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Backward: the same line, other axes
#
# Lesson 4 found three roads from an input to the outputs: directly, through the mean, through the
# variance. Nothing in that depended on which values share the mean. With $g = dy \cdot w$, $r =
# 1/\sqrt{\sigma^2 + \varepsilon}$ and $m(\cdot)$ the mean over *the values that share a mean in the
# forward pass*,
#
# $$dx = r\,\big(g - m(g) - \hat x\; m(g\,\hat x)\big).$$

# %% [markdown] slideshow={"slide_type": "subslide"}
# For BatchNorm $m$ runs down the columns, for LayerNorm along the rows. For our three samples, and a gradient
# `dy` that arrives from above, the two means of the line are

# %% slideshow={"slide_type": "-"}
dy = np.array([[1.0, -2, 0.5, 3], [-1, 0.7, 2, 1], [0.3, 1, -2, 0.5]])  # (N, D)
g = dy * weight  # (N, D)
g.mean(axis=1), (g * x_hat).mean(axis=1)  # one number each for a sample

# %% [markdown] slideshow={"slide_type": "fragment"}
# Here is what is new. In BatchNorm all the values of one mean had one weight in common, so it did not matter
# whether you multiplied by it first or last. Here the values of one mean have *different* weights. So $g$
# has to be complete before a mean is taken of it.
#
# `dweight` and `dbias` add up $dy\,\hat x$ and $dy$ over whatever one weight has touched. One weight touches
# the same feature of *all* samples.

# %% tags=["guess"]
guess(
    "Tokens `(B, T, D)`, weight `(D,)`: over which axes is `dweight` a sum?",
    "B and T",
    options=["B", "D", "B and T", "T and D"],
)

# %% slideshow={"slide_type": "-"}
for summed in ((0,), (2,), (0, 1), (1, 2)):
    print(f"a sum over the axes {summed!s:6} leaves", np.zeros((2, 6, 4)).sum(summed).shape)
print("the weight has the shape       ", weight.shape)

# %% [markdown]
# A sum that leaves the weight's own shape runs over all axes that weight does *not* have. So each axis belongs to
# one of two sets: the last ones, which share a mean, and the others, which share a weight. The last ones are best
# counted from the end; the others are the first `x.ndim - weight.ndim`.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Your turn.** The backward pass for both sets of axes, whatever the shape of `weight`. You are given what a right forward pass has computed: `x` and `x_hat`, and `mean` and `var`, which keep
# the averaged axes with length 1. `weight` has one or two axes. Return `dx`, `dweight`, `dbias`, in this order.


# %% slideshow={"slide_type": "-"}
def layer_norm_backward(dy, x, mean, var, x_hat, weight, eps):
    raise NotImplementedError()


# %%
check("layer_norm_backward", layer_norm_backward)

# %%
backward = yours("layer_norm_backward", layer_norm_backward)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def layer_norm_backward(dy, x, mean, var, x_hat, weight, eps):
#     last = tuple(range(-weight.ndim, 0))  # share a mean
#     others = tuple(range(x.ndim - weight.ndim))  # share a weight
#     g = dy * weight  # before any mean is taken
#     m, along = g.mean(last, keepdims=True), (g * x_hat).mean(last, keepdims=True)
#     dx = (g - m - x_hat * along) / np.sqrt(var + eps)
#     return dx, (dy * x_hat).sum(others), dy.sum(others)
# ```
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# On tokens, `(B, T, D)` with a weight `(D,)`, beside torch:

# %% slideshow={"slide_type": "-"}
rng = np.random.default_rng(1)
tokens, dy_tokens = rng.normal(3, 2, (2, 6, 4)), rng.normal(size=(2, 6, 4))  # (B, T, D)


def forward_pass(x):
    ones, zeros = np.ones(x.shape[-1]), np.zeros(x.shape[-1])
    return x, x.mean(-1, keepdims=True), x.var(-1, keepdims=True), layer_norm(x, ones, zeros, 1e-5)


gradients = backward(dy_tokens, *forward_pass(tokens), weight, 1e-5)  # dx, dweight, dbias

# %% slideshow={"slide_type": "-"}
leaves = [torch.tensor(a, requires_grad=True) for a in (tokens, weight, bias)]
nn.functional.layer_norm(leaves[0], (4,), *leaves[1:]).backward(torch.tensor(dy_tokens))
for name, ours, leaf in zip(("dx", "dweight", "dbias"), gradients, leaves, strict=True):
    print(f"{name:8} {ours.shape!s:10}", np.allclose(ours, leaf.grad, rtol=1e-12, atol=1e-13))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Sequences of different lengths
#
# Sequences of different lengths travel in one array, each filled up to the longest with *padding*. Two
# sequences of at most four numbers; the second has two real ones, and what stands behind them is left
# over from something else:

# %% slideshow={"slide_type": "-"}
sequences = np.array([[1.0, 3, 5, 7], [2, 6, 90, -50]])  # (B=2, T=4), real are 4 and 2
sequences.mean(axis=1)

# %% [markdown]
# A LayerNorm over the features of each token does not mind: tokens do not share a mean, and so padding
# cannot reach the real ones. But anyone who takes one mean *over the tokens* (here; in BatchNorm on
# sequences; in the exercise) has the padding in it. The real numbers of the second sequence are 2 and 6, with mean 4 and
# standard deviation 2. So somebody sets the padding to 0 first:

# %% tags=["guess"] slideshow={"slide_type": "subslide"}
guess("What is the mean of the second sequence then?", 2)

# %%
zeroed = np.array([2.0, 6, 0, 0])  # (T,)
zeroed.mean(), zeroed.std()

# %% [markdown]
# Zeros add nothing to a sum, but they count. And if they are kept out of the count, too? Three ways to get it
# wrong, and the right one:

# %%
row, real = sequences[1], sequences[1, :2]  # as it travels, and what is real of it
ways = {
    "padding counted": (row.mean(), row.var()),
    "zeros counted": (zeroed.mean(), zeroed.var()),
    "zeros deviate": (real.mean(), ((zeroed - real.mean()) ** 2).sum() / 2),
    "right": (real.mean(), real.var()),
}

# %% slideshow={"slide_type": "-"}
for name, (m, v) in ways.items():
    print(f"{name:16} mean {m:5.1f}  std {np.sqrt(v):5.1f}  values {(real - m) / np.sqrt(v)}")

# %% [markdown]
# In the third the mean is right, but 0 minus the mean is not 0, and that distance got into the variance. None of
# them raises an error. The test for all of them is one line long: change the padding, or make it longer, and
# see whether an answer changes that should not.
#
# Here the two numbers could be cut out by hand. In a batch each row has another length, and so you need a *mask*: an array that is 1 where a token is
# real, and 0 where it is not. It has to enter three places, the sum, the count and the deviations; and at the very end once more, since the padding
# should leave as 0 and a `bias` would spoil that. [Exercise 06](../exercises/06_layer_norm.ipynb) asks you for it.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A network that reads: small batches, many lengths
#
# LayerNorm was made for recurrent networks. One of the two articles says that it "has been shown to improve
# the training stability and generalization performance of recurrent neural networks", the other that it
# is useful when batches are small or "when working with sequences of variable length". Let us see.

# %% [markdown] slideshow={"slide_type": "subslide"}
# A small network reads a digit row by row, from the top. Its 64 units hold what it remembers, $h$, and at each of
# the 28 rows
#
# $$h \leftarrow \tanh\big(\text{norm}(W\,\text{row} + U\,h)\big).$$
#
# After the last row it names the digit. With *fixed* lengths it reads all 28 rows, with *ragged* ones
# the first 12 to 28, drawn anew for each image, in training and in the test. In the place of the norm there is nothing,
# LayerNorm, or BatchNorm with running statistics of its own for each row. BatchNorm comes twice: as torch makes it,
# with a first weight of 1, and with a first weight of 0.1, the advice of a paper that put it into recurrent networks
# (Cooijmans and others, 2017): then the tanh begins where it is not flat.

# %% [markdown] slideshow={"slide_type": "-"}
# First batches of 4 digits, all 28 rows, 330 steps, with two seeds, live.

# %% tags=["nbval-ignore-output"]
# Output not compared: a progress bar is drawn while it runs.
small_batches = find_experiment("rnn_norms").only(batch_size=4, lengths="fixed", lr=0.01)
live = run_live(small_batches.only(seed=[0, 1]), jobs=1)

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Of 100 test digits, how many will the network with torch's BatchNorm read correctly?",
    10,
    within=4,
)

# %% tags=["nbval-ignore-output"]
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
for norm in live.different("norm"):
    print(f"{norm:18}", live.values("test_accuracy", norm=norm).round(2))

# %% [markdown] slideshow={"slide_type": "subslide"}
# Two seeds are an anecdote, and one learning rate may suit one network and not the other. The whole grid (five seeds, batches of 64 and of 4, fixed and ragged
# lengths, five learning rates each) is recorded. Here is a part of it, batches of 4 and all rows.

# %%
grid = recorded("rnn_norms")
grid.how["duration"]

# %%
norms = grid.different("norm")


def right(norm, lr, column="test_accuracy", **cell):
    return 100 * grid.values(column, norm=norm, lr=lr, **cell)  # (seeds,)


def spread(values):
    return f"{values.mean():5.1f} ± {values.std(ddof=1):4.1f}"


# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "At which learning rate would you compare the four?",
    "each at its own best",
    options=[
        "all at 0.01, the middle of the grid",
        "all at the best rate of the network without norm",
        "all at the best rate of LayerNorm",
        "each at its own best",
    ],
    why="Best on which digits? Read on.",
)

# %% slideshow={"slide_type": "-"}
rates = {64: (0.01, 0.03, 0.1, 0.3, 1.0), 4: (0.001, 0.003, 0.01, 0.03, 0.1)}
print("right test digits, %, batches of 4, by learning rate")
print(" " * 17 + "".join(f"{lr:>15}" for lr in rates[4]))
for norm in norms:
    cells = [spread(right(norm, lr, lengths="fixed", batch_size=4)) for lr in rates[4]]
    print(f"{norm:17}" + "".join(f"{cell:>15}" for cell in cells))

# %% [markdown] slideshow={"slide_type": "fragment"}
# Look at the columns 0.01 and 0.03. At 0.03 LayerNorm reads ten points *fewer* than no norm. At 0.01 it reads more, and both read more than at
# 0.03. Anyone who had tried 0.03 alone would have written "with small batches LayerNorm is worse than no norm". So each network gets its own best
# rate, chosen on 5,000 training digits that were held out:


# %%
def own_best(norm, **cell):
    def held_out(lr):
        return right(norm, lr, "held_out_accuracy", **cell).mean()

    return max(rates[cell["batch_size"]], key=held_out)


cells = [{"lengths": kind, "batch_size": size} for kind in ("fixed", "ragged") for size in (64, 4)]

# %% slideshow={"slide_type": "subslide"}
print("right test digits, %, each at its own best rate")
print(" " * 11 + "".join(f"{norm:>18}" for norm in norms))
for cell in cells:
    values = [spread(right(norm, own_best(norm, **cell), **cell)) for norm in norms]
    print(f"{cell['lengths']:6}, {cell['batch_size']:2} " + "".join(f"{v:>18}" for v in values))

# %%
for cell in cells:
    print({norm: own_best(norm, **cell) for norm in norms}, *cell.values())

# %% slideshow={"slide_type": "-"}
at_best = {
    f"fixed, batches of {size}": np.stack(
        [
            right(
                n, own_best(n, lengths="fixed", batch_size=size), lengths="fixed", batch_size=size
            )
            for n in norms
        ],
        axis=1,
    )
    for size in (64, 4)
}  # (seeds, norms) each
plots.dots(at_best, norms, one_scale=True, **plots.words("06 rows of a digit"))

# %% [markdown]
# (After so few steps nobody reads well yet.) Three things can be read off.
#
# **BatchNorm does not tolerate small batches.** With 4 sequences it stays near 10 %, where guessing is, at every rate. The small first weight
# helps it with batches of 64, and with 4 only a little. Ragged lengths make it worse: at the late rows few
# sequences are left to take a mean of, and with one left, `nn.BatchNorm1d` would raise an error (our network
# takes running statistics there).
#
# **LayerNorm tolerates them.** Whatever the batch size and the lengths, it is far above BatchNorm as torch makes
# it. At each row it averages the 64 units of one sequence, and these are always there.

# %% [markdown] slideshow={"slide_type": "subslide"}
# And the third: is LayerNorm better than nothing? Seed by seed, LayerNorm minus no norm, each at its own rate.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("In how many of the four settings is LayerNorm ahead with all five seeds?", 2)

# %% slideshow={"slide_type": "-"}
for cell in cells:
    layer, none = (right(norm, own_best(norm, **cell), **cell) for norm in ("layer", "none"))
    gain = layer - none  # (seeds,)
    print(
        f"{cell['lengths']:6}, batches of {cell['batch_size']:2}: {gain.mean():+5.1f} points, "
        f"from {gain.min():+5.1f} to {gain.max():+5.1f}, ahead in {(gain > 0).sum()} of 5 seeds"
    )

# %% [markdown] slideshow={"slide_type": "fragment"}
# Five pairs are few: even if there were no difference at all, all five would agree in sign in one of sixteen such comparisons, and these are four. Of the four, only the first, with its
# twelve points and its small scatter, would survive a correction for that. With batches of 4 LayerNorm's lead is smaller and less certain, and with ragged lengths it is behind in
# most pairs. So what the articles say is half confirmed: LayerNorm copes with small
# batches and with many lengths, where BatchNorm does not. That it makes a recurrent network better than it was, we saw clearly
# in one case of four. (Ba and others measured larger networks with gates, on longer sequences,
# trained to the end. This was a small tanh network at the start of its training.)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Before or after: where a transformer puts it
#
# A transformer is a pile of blocks, each made of an attention and a small MLP (you need not know how
# attention works here; it mixes the tokens). Each adds something to $x$, and LayerNorm stands in one of two
# places:
#
# $$\text{post-norm:}\quad x \leftarrow \text{LN}\big(x + f(x)\big) \qquad\qquad
# \text{pre-norm:}\quad x \leftarrow x + f\big(\text{LN}(x)\big)$$
#
# Post-norm is the original of 2017. In pre-norm there is a road past all the norms, the sum, from the last
# block to the first.


# %%
class Block(nn.Module):
    def __init__(self, size, norm_first, norm):
        super().__init__()
        self.attention = nn.MultiheadAttention(size, 4, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(size, 4 * size), nn.ReLU(), nn.Linear(4 * size, size))
        self.norm1, self.norm2, self.norm_first = norm(size), norm(size), norm_first

    def forward(self, x):  # (B, T, D)
        if self.norm_first:
            x = x + self.attend(self.norm1(x))
            return x + self.mlp(self.norm2(x))
        x = self.norm1(x + self.attend(x))
        return self.norm2(x + self.mlp(x))

    def attend(self, x):
        return self.attention(x, x, x, need_weights=False)[0]


# %% [markdown]
# (`nn.TransformerEncoderLayer` has the same switch and calls it `norm_first`; its default is `False`, post-norm.)
# Here is a whole network. The weights are fresh, drawn by *Xavier's rule* as in the original (Glorot and Bengio, 2010: a spread that shrinks with the number of inputs *and* outputs of a
# layer, so that neither what passes forward nor what passes back grows or shrinks much), and the pre-norm pile ends with one more LayerNorm.


# %%
def pile(kind, depth, size=64):
    norm = nn.Identity if kind == "no norm" else nn.LayerNorm
    blocks = [Block(size, kind != "post-norm", norm) for _ in range(depth)]
    for parameter in nn.ModuleList(blocks).parameters():
        if parameter.ndim == 2:
            nn.init.xavier_uniform_(parameter)
    last = norm(size) if kind == "pre-norm" else nn.Identity()
    return nn.Sequential(nn.Linear(28, size), *blocks, last)


# %% [markdown] slideshow={"slide_type": "subslide"}
# The set-up of Xiong and others (2020), who asked this first: tokens that have nothing to do with each other, and a loss for *each* token, as in a language
# model. One backward pass, no training: how large is the gradient in each block? In the post-norm pile every sum is normalized on the way forward, and so the gradient is divided by its spread on
# the way back, in every block.


# %%
def gradient_norms(kind, depth, seed):
    torch.manual_seed(seed)
    network, head = pile(kind, depth), nn.Linear(64, 10)
    tokens, labels = torch.randn(16, 28, 28), torch.randint(10, (16, 28))  # (B, T, D), (B, T)
    logits = head(network(tokens))  # (B, T, 10), an answer for each token
    nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten()).backward()
    return [block.mlp[0].weight.grad.norm().item() for block in network[1 : depth + 1]]


# %%
kinds = ("pre-norm", "post-norm", "no norm")
by_block = {
    kind: np.array([gradient_norms(kind, depth=12, seed=seed) for seed in range(5)])
    for kind in kinds
}  # each (seeds, blocks)

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "In the post-norm pile, where is the gradient largest?",
    "next to the output",
    options=["next to the input", "next to the output", "it is the same in all blocks"],
    why="And in the pre-norm pile?",
)

# %% slideshow={"slide_type": "-"}
plots.curves(np.arange(1, 13), by_block, log=True, **plots.words("06 gradient by block"))


# %%
for depth in (6, 12, 24):
    last = {k: np.mean([gradient_norms(k, depth, seed)[-1] for seed in range(5)]) for k in kinds}
    words = [f"{kind} {value:8.2f}" for kind, value in last.items()]
    print(f"{depth:2} blocks, gradient of the last:   " + "   ".join(words))

# %% [markdown] slideshow={"slide_type": "fragment"}
# Without a norm every block makes the sum larger, and the gradients with it. With either norm they stay below 1. So far the two look alike. They differ in the
# *shape*: in the post-norm pile the gradient is largest next to the output and shrinks to a third on its way to the input,
# in the pre-norm pile it is about level, and falls a little the other way.

# %% [markdown]
# And they differ in what depth does. The last post-norm block's gradient does not shrink with depth.
# The last pre-norm block's does: the deeper the pile, the smaller it is, by a factor of roughly $\sqrt2$ for
# each doubling. The sum grows with every block, the last LayerNorm divides by its size, and so each
# block's share of the output shrinks.
#
# Xiong and others derive this, and conclude: post-norm begins with large gradients near the
# output, and so needs a *warm-up*, a learning rate that starts small, while pre-norm can do without. What you have seen is the
# gradients at the start. It does not show which network ends up better, and another set-up gives another figure (the first experiment in "Your turn"): with tokens that are nearly alike, such as the rows of one digit,
# and one loss for all of them together, the post-norm curve is level.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Break it on purpose
#
# **1. The wrong axis, and every shape agrees.** Somebody has images with 4 channels, `(N, C, H, W)`, wants the
# channels normalized at each pixel, and writes `nn.LayerNorm(4)`. If W is not 4 it raises an error. Here it is 4.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "What has mean 0 after the layer?",
    "each row of pixels",
    options=["each pixel, over its channels", "each row of pixels", "each map", "each image"],
)

# %% slideshow={"slide_type": "-"}
wide = np.random.default_rng(2).normal(size=(2, 4, 3, 4))  # C = 4 and W = 4
wide += 10 * np.arange(4).reshape(1, 4, 1, 1)  # channels of very different levels
per_row = nn.LayerNorm(4, dtype=torch.float64)(torch.from_numpy(wide)).detach().numpy()
print("each pixel, over the channels:", np.abs(per_row.mean(axis=1)).max().round(2))
print("each row of each map:         ", np.abs(per_row.mean(axis=3)).max().round(2))

# %% [markdown] slideshow={"slide_type": "fragment"}
# `nn.LayerNorm(4)` normalizes the *last* axis, whatever it is, and that is W. For "the channels
# at each pixel" (ConvNeXt does that) they must come last: `permute(0, 2, 3, 1)`, norm, and back. The
# same trap waits with `(N, D)` when N equals D, and with sequences `(N, T, C)` given to `BatchNorm1d`, which
# expects `(N, C, T)`. Test with sizes that all differ:

# %% slideshow={"slide_type": "fragment"}
try:
    nn.LayerNorm(4)(torch.zeros(2, 4, 3, 5))
except RuntimeError as error:
    print(error)

# %% [markdown]
# **2. Right numbers, wrong place.** As many samples as features: now a mean without `keepdims`, or a
# weight as a column, raises no error either. Besides these two, a mean over too much, and the formula of some
# tutorials: `torch.std`, which divides by D − 1, with `eps` added to it, outside the root.

# %%
square = np.array([[1.0, 3, 5, 7], [10, 10, 30, 30], [0, 4, 0, 4], [1, 0, 0, 0]])  # (N=4, D=4)
m, s = square.mean(1), np.sqrt(square.var(1) + 1e-5)  # (N,), (N,): no keepdims
rows = forward_pass(square)[-1]  # x_hat (N, D), yours
centred, unbiased = square - m[:, None], square.std(1, ddof=1)[:, None]

# %%
variants = {
    "right": weight * rows + bias,
    "mean along the features": weight * (square - m) / s + bias,
    "weight along the samples": weight[:, None] * rows + bias[:, None],
    "one mean for everything": weight * (square - square.mean()) / square.std() + bias,
    "mean over the batch": weight * forward_pass(square.T)[-1].T + bias,
    "n - 1, eps outside": weight * centred / (unbiased + 1e-5) + bias,
    "eps outside": weight * centred / (square.std(1)[:, None] + 1e-5) + bias,
}

# %% [markdown]
# Beside torch with the same weights, with a loose tolerance:


# %%
def torch_says(w, b):
    w, b = torch.from_numpy(w), torch.from_numpy(b)
    return nn.functional.layer_norm(torch.from_numpy(square), (4,), w, b).numpy()


for name, wrong in variants.items():
    off = np.abs(wrong - torch_says(weight, bias)).max()
    print(f"{name:25} off by {off:9.5f}   passes within 1e-3: {off < 1e-3}")

# %% [markdown]
# `eps` in the wrong place hides on ordinary samples. On one that hardly varies it shows:

# %%
faint = 1e-3 * np.array([1.0, -1, 1, -1])  # (D,), standard deviation 0.001
right, outside = faint / np.sqrt(faint.var() + 1e-5), faint / (faint.std() + 1e-5)
print(f"right {right[0]:.2f}   eps outside {outside[0]:.2f}")

# %% [markdown]
# **3. The backward pass of BatchNorm, transposed.** On a rectangle, with a weight that is not 1, each of the
# usual slips beside the right `dx`. The two columns are lesson 4's test: `dx` has to be at right angles to
# the ones (always), and nearly so to $\hat x$.

# %%
x, _, var, x_hat = forward_pass(x)  # var (N, 1), x_hat (N, D)
r = 1 / np.sqrt(var + 1e-5)  # (N, 1)


def dx(weight):
    return backward(dy, *forward_pass(x), weight, 1e-5)[0]


# %%
slips = {
    "right": dx(weight),
    "mean and variance constant": r * g,
    "weight missing": dx(np.ones(4)),
    "weight at the very end": dx(np.ones(4)) * weight,
    "means over the batch": r * (g - g.mean(0) - x_hat * (g * x_hat).mean(0)),
}
for name, wrong in slips.items():
    ones, along = np.abs(wrong.sum(1)).max(), np.abs((wrong * x_hat).sum(1)).max()
    off = np.abs(wrong - slips["right"]).max()
    print(f"{name:27} off by {off:5.2f}   along ones {ones:5.2f}   along x_hat {along:5.2f}")

# %% [markdown]
# "Weight at the very end" is right for BatchNorm and wrong here. And "weight missing" passes both tests
# of right angles: only torch, or a numerical gradient, with a weight that is not 1, finds it. The last
# slip of the transposed kind shows in the shape alone: `dweight` summed over the features has one number
# for each *sample*.

# %%
(dy * x_hat).sum(axis=1).shape, (dy * x_hat).sum(axis=0).shape, weight.shape

# %% [markdown]
# ## Your turn
#
# | exercise | difficulty | importance | minutes |
# |---|---|---|---|
# | [06, task 1](../exercises/06_layer_norm.ipynb): LayerNorm over any axes, named by their letters | medium | high | 15 |
# | 06, task 2: back through the channels of a pixel, as ConvNeXt needs it | medium | medium | 15 |
# | 06, task 3: fold LayerNorm's weight and bias into the layer behind it | medium | high | 10 |
# | 06, task 4: a norm over whole sequences, and padding kept out of it | medium | medium | 15 |
# | Experiment: give `gradient_norms` the rows of 16 digits as tokens, and one loss for the mean over the tokens. What becomes of the figure? | easy | medium | 10 |
# | Experiment: in the RNN, ragged lengths with twice as many steps. Is LayerNorm still behind? | medium | medium | 15 |
#
# <details><summary>How to begin the first experiment</summary>
#
# `tokens = load_mnist(tensors=True).train_images[:16] / 255`, `labels` are its `train_labels[:16]`, and `logits = head(network(tokens).mean(1))` is then `(16, 10)`
# and needs no `flatten`.
#
# </details>
#
# <details><summary>How to begin the second</summary>
#
# ```python
# from normlab.training.experiments import rnn_norms
#
# rnn_norms.TRAINING_STEPS = {64: 300, 4: 660}
# [rnn_norms.measure("layer", "ragged", batch_size=64, seed=seed, lr=0.1) for seed in range(5)]
# ```
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Test yourself
#
# Five questions before the recap. Choose an answer, and you see at once why it is right or wrong. Your
# first choices count, and the line under the questions says where they are kept.

# %% slideshow={"slide_type": "-"}
self_test("06_layer_norm")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - `normalized_shape` names the last axes; they share one mean and one variance, and weight and bias have
#   exactly that shape. One mean for each sample (or token), one weight for each element.
# - Forward: lesson 2 along the other axis. Backward: lesson 4's line, with $m$ over the axes that share a
#   mean, `g = dy * weight` before any mean, and `dweight`, `dbias` summed over all the *other* axes.
# - When two sizes agree, a norm along the wrong axis raises nothing: test with sizes that all differ. Padding
#   stays out of a mean by a mask that enters the sum, the count and the deviations.
# - In a small RNN BatchNorm collapsed with batches of 4, at every learning rate, and LayerNorm did not. Against no norm at all, each at its own best rate, LayerNorm was
#   clearly ahead in one case of four. At one common rate the sign would have been another: choose the rate first, for each network.
# - Post-norm normalizes the sum, pre-norm what goes into the block. At the start, under Xavier's rule, the gradient of a post-norm pile is largest next to the output. In a pre-norm
#   pile it is about level, and the last block's shrinks with depth.

# %% [markdown]
# ## Go further
#
# - J. L. Ba, J. R. Kiros, G. E. Hinton, *Layer Normalization*, arXiv:1607.06450, 2016. Section 3: one
#   mean for all units of a layer, and the recurrent network; section 5.1 has a table of what each norm is blind to.
# - T. Cooijmans and others, *Recurrent Batch Normalization*, ICLR 2017, arXiv:1603.09025: statistics for
#   each time step, and why the first weight should be small.
# - R. Xiong and others, *On Layer Normalization in the Transformer Architecture*, ICML 2020,
#   arXiv:2002.04745: the gradients of pre-norm and post-norm at initialization, in theory and measured.
# - A. Vaswani and others, *Attention Is All You Need*, NeurIPS 2017, arXiv:1706.03762: the post-norm original.
# - Y. Luo, N. Mesgarani, *Conv-TasNet*, IEEE/ACM Transactions on Audio, Speech, and Language Processing
#   27(8), 2019, arXiv:1809.07454: one norm for a whole sequence.
