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
# # Drop the mean, and meet the relatives
#
# *Lesson 9 · 120 minutes, self-test 10 · medium · RMSNorm and five others, and all norms of the course in one table*
#
# When you have finished you can
#
# - write RMSNorm, and say what a layer that subtracts no mean can see and LayerNorm cannot;
# - say which `eps` you get when you ask for none, and why half precision needs care;
# - write weight norm, and say what local response norm divides by, what spectral norm estimates and what that bounds;
# - merge the statistics of several workers so that they equal those of one big batch, and watch two real
#   processes do it;
# - point at the numbers that any norm of this course averages, and name its parameters and its memory.
#
# **What you need:** [lesson 2](02_batch_norm_forward.ipynb), and [lesson 4](04_batch_norm_backward.ipynb) for two
# short backward passes. The sections do not build on each other: take a break between any two.

# %%
import copy

import numpy as np
import torch
from torch import distributed, nn
from torch.nn.utils import parametrizations

from normlab import load_mnist, parity, plots
from normlab import nn as twins
from normlab.data import ImageDataset
from normlab.exercises import check, guess, self_test, yours
from normlab.parity import facts
from normlab.plots.gallery import gallery
from normlab.training import article_net, fit, recorded
from normlab.training.experiments.fused_norms import operations
from normlab.training.two_processes import run_workers

np.set_printoptions(precision=4, suppress=True)
torch.set_printoptions(precision=4, sci_mode=False)
torch.set_num_threads(1)  # what is computed here is small

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A question first
#
# A row of four numbers, and the same row a thousand higher. Two layers normalize both: LayerNorm, and RMSNorm, which
# large language models put in its place. One of the two gives the same answer twice:

# %% slideshow={"slide_type": "-"}
rows = torch.tensor([[1.0, 7, 5, 5], [1001, 1007, 1005, 1005]])  # (N=2, D=4)
nn.LayerNorm(4)(rows).detach()

# %% [markdown] slideshow={"slide_type": "fragment"}
# LayerNorm does not see the thousand.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "What does `nn.RMSNorm(4)` make of the second row?",
    "four numbers of about 1",
    options=[
        "the same as of the first row",
        "a thousand times what it makes of the first row",
        "four numbers of about 1",
        "four numbers of about 0",
    ],
)

# %% slideshow={"slide_type": "fragment"}
nn.RMSNorm(4)(rows).detach()

# %% [markdown] slideshow={"slide_type": "fragment"}
# RMSNorm sees little but the thousand: what made the four numbers of the second row different is gone from the first
# digits. Why would anyone want a layer that loses so much? Soon you can say what it saves, when the loss does not matter, and when it
# would.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## RMSNorm: one step less
#
# RMS stands for *root mean square*: the root of the mean of the squares. Take the letters from the last to the first.

# %% slideshow={"slide_type": "-"}
x = np.array([[1.0, 7, 5, 5], [10, 10, 10, 10]])  # (N=2, D=4)
squares = x**2  # (N, D)
mean_square = squares.mean(axis=-1, keepdims=True)  # (N, 1)
rms = np.sqrt(mean_square)  # (N, 1)
mean_square.ravel(), rms.ravel()

# %% slideshow={"slide_type": "fragment"}
x / rms

# %% [markdown] slideshow={"slide_type": "subslide"}
# 1 + 49 + 25 + 25 makes 100, so the mean of the squares is 25 and you divide by 5. No mean is subtracted, no bias is added.
# The second row is worth a look. It does not vary at all; LayerNorm would make it zeros. RMSNorm makes it ones: it
# still says *positive, and the same everywhere*.
#
# $$y_d = \text{weight}_d \; \frac{x_d}{\sqrt{\frac1D \sum_j x_j^2 + \varepsilon}}$$
#
# In words: each row, that is whatever lies along the last axis, is divided by its own root mean square; then each
# feature $d$ is scaled by its own weight. Samples `(N, D)` and tokens `(B, T, D)` are treated alike, since only the last axis is asked
# for. The block picture is LayerNorm's, for one token. What differs is what is done with the coloured numbers.

# %%
block = (4, 6, 5)
plots.block({"RMSNorm, tokens": plots.averaged_cells(block, axes=(1,))})

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A row that is nearly zero
#
# For a row of zeros the root mean square is 0, and something must keep us from dividing by it. LayerNorm adds `eps=1e-5` to the variance; RMSNorm
# adds its own to the mean square. Here are five rows, of ±1, ±0.01, ±0.001, ±0.0001 and 0 (padding, say). Their root mean squares, in four lines: before; after, with `eps` as in the
# formula; with `eps` outside the root; without it.

# %% slideshow={"slide_type": "-"}
faint = np.array([[1.0], [1e-2], [1e-3], [1e-4], [0]]) * np.array([1, -1, 1, -1])  # (5, 4)
size = np.sqrt((faint**2).mean(axis=-1))  # (5,)
with np.errstate(invalid="ignore"):
    missing = size / size
right, outside = size / np.sqrt(size**2 + 1e-5), size / (size + 1e-5)
np.stack([size, right, outside, missing])

# %% [markdown] slideshow={"slide_type": "subslide"}
# With `eps` outside the root the faint rows are blown up, without it the zeros become 0/0. Now, RMSNorm's default in torch is `eps=None`. Is that 0? You can
# find out from outside: of $y = x / \sqrt{x^2 + \varepsilon}$ you know $x$ and $y$. (The *smallest step* of a type is the distance from 1 to its next number: 2.2e-16
# in float64, 1.2e-7 in float32, 9.8e-4 in float16.)

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "With `eps=None`, which eps does `nn.RMSNorm` use for a row in float16?",
    "float32's smallest step, 1.2e-7",
    options=[
        "none: 0",
        "LayerNorm's, 1e-5",
        "float16's smallest step, 9.8e-4",
        "float32's smallest step, 1.2e-7",
    ],
)

# %% slideshow={"slide_type": "-"}
for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
    row = torch.full((1, 4), 1e-3, dtype=dtype)
    v, y = row.double(), nn.RMSNorm(4, dtype=dtype)(row).detach().double()
    used, own = (v**2 / y**2 - v**2).mean().item(), torch.finfo(dtype).eps
    print(f"{dtype!s:15} y {y[0, 0]:.4f}   eps used {used:.1e}   the type's own {own:.1e}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# The smallest step of float64 for float64, and of *float32* for the three smaller
# types, since torch computes in float32 there. With bfloat16's own, 0.0078, little of a row of thousandths would be left:

# %% slideshow={"slide_type": "fragment"}
print(f"{1e-3 / np.sqrt(1e-6 + torch.finfo(torch.bfloat16).eps):.3f} instead of 0.945")

# %% [markdown]
# So whoever swaps LayerNorm for RMSNorm also swaps 1e-5 for 1.2e-7, unless they say otherwise.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Half precision
#
# Large models compute in 16 bits. A float16 reaches up to 65,504, so the square of 300 is out of reach, long before the
# numbers themselves are:

# %% slideshow={"slide_type": "-"}
half = np.array([[300.0, -300, 150, 0]], dtype=np.float16)  # (N=1, D=4)
with np.errstate(over="ignore"):
    half_squares = half**2
print("largest float16:", np.finfo(np.float16).max, "  squares:", half_squares)

# %% slideshow={"slide_type": "fragment"}
half / np.sqrt(half_squares.mean(axis=-1, keepdims=True))

# %% [markdown] slideshow={"slide_type": "fragment"}
# All of it is lost: divided by infinity. torch turns the numbers into float32 first, and so should your own code when
# `x.dtype` is `np.float16` (`x.astype` gives back a new array):

# %% slideshow={"slide_type": "fragment"}
nn.RMSNorm(4, dtype=torch.float16)(torch.tensor(half)).detach()

# %% [markdown]
# The other end of the scale has the same trap: the square of 0.0001 is too small for float16, and becomes 0.

# %%
print(np.float16(1e-4) ** 2)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Your turn.** RMSNorm, with all of that: `x` is `(*, D)`, with any number of axes before the last; `weight` is `(D,)`; `eps` is a number, added to
# the mean square. If `x` is float16, compute in float32; the result may be in either. Leave `x` as you got it.


# %% slideshow={"slide_type": "-"}
def rms_norm_forward(x, weight, eps):
    raise NotImplementedError()


# %%
check("rms_norm_forward", rms_norm_forward)

# %%
rms_norm = yours("rms_norm_forward", rms_norm_forward)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def rms_norm_forward(x, weight, eps):
#     if x.dtype == np.float16:
#         x = x.astype(np.float32)
#     mean_square = (x**2).mean(axis=-1, keepdims=True)  # (*, 1)
#     return weight * x / np.sqrt(mean_square + eps)  # (*, D)
# ```
#
# </details>

# %%
rms_norm(x, np.array([1.0, 1, 1, 10]), 1e-5), rms_norm(half, np.ones(4, np.float16), 1e-5)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What dropping the mean changes
#
# Three facts, each in a line of code (with weight 1). First: subtract the mean yourself, and RMSNorm
# *is* LayerNorm.


# %% slideshow={"slide_type": "-"}
def normalize(x, eps=1e-5):
    return rms_norm(x, np.ones(x.shape[-1]), eps)  # (*, D)


rng = np.random.default_rng(0)
tokens = rng.normal(2, 3, size=(2, 5, 8))  # (B, T, D)
centred = tokens - tokens.mean(axis=-1, keepdims=True)
layer_norm = nn.LayerNorm(8, elementwise_affine=False)(torch.tensor(tokens)).numpy()
np.allclose(normalize(centred), layer_norm, rtol=0, atol=1e-13)

# %% [markdown] slideshow={"slide_type": "subslide"}
# So the two agree where the mean of a row is near zero beside its spread, and differ where it is not. Second: shift all numbers by 10, or multiply them by 10.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "After which of the two does RMSNorm give the same answer as before (`eps` aside)?",
    "after scaling alone",
    options=["after both", "after shifting alone", "after scaling alone", "after neither"],
)

# %% slideshow={"slide_type": "fragment"}
changed = {"shifted": tokens + 10, "scaled": tokens * 10}
for name, other in changed.items():
    same = np.allclose(normalize(other, eps=0), normalize(tokens, eps=0), rtol=0, atol=1e-12)
    print(f"{name}: RMSNorm gives the same answer: {same}")

# %% [markdown]
# LayerNorm is blind to both. Third: the gradient has two roads instead of three. There is no mean to go through:
#
# $$dx = r \left( g - \hat x \; m(g \, \hat x) \right), \qquad g = dy \cdot \text{weight}, \qquad
# r = \frac{1}{\sqrt{m(x^2) + \varepsilon}}$$
#
# with $m$ the mean over a row. So a row of dx is at right angles to its $\hat x$ (times $\hat x$ it adds up to 0), and no longer to a row of ones (it need not add up to 0 by itself).


# %%
def rms_norm_backward(dy, x, weight, eps):
    r = 1 / np.sqrt((x**2).mean(axis=-1, keepdims=True) + eps)  # (*, 1)
    x_hat, g = x * r, dy * weight  # (*, D), (*, D)
    dx = r * (g - x_hat * (g * x_hat).mean(axis=-1, keepdims=True))  # (*, D)
    dweight = (dy * x_hat).reshape(-1, x.shape[-1]).sum(axis=0)  # (D,)
    return dx, dweight


# %%
twin, layer = parity.pair("RMSNorm", 8, eps=1e-5)
dy = rng.normal(size=tokens.shape)
leaf = torch.tensor(tokens, requires_grad=True)
y = layer(leaf)
y.backward(torch.tensor(dy))

# %%
dx, dweight = rms_norm_backward(dy, tokens, twin.weight, eps=1e-5)
ours = [rms_norm(tokens, twin.weight, 1e-5), dx, dweight]
theirs = [y.detach(), leaf.grad, layer.weight.grad]
[np.allclose(mine, other, rtol=1e-12, atol=1e-13) for mine, other in zip(ours, theirs, strict=True)]

# %%
x_hat = normalize(tokens)
along_x_hat, along_ones = (dx * x_hat).sum(axis=-1), dx.sum(axis=-1)
np.allclose(along_x_hat, 0, atol=1e-5), np.allclose(along_ones, 0, atol=1e-5)

# %% [markdown]
# Now the package's twin beside `nn.RMSNorm`, over the usual friendly and unfriendly inputs.


# %%
def case(shape, normalized_shape=8, mean=0.0, mode=True, **options):
    pair = parity.pair("RMSNorm", normalized_shape, **options)
    return (*(one.train(mode) for one in pair), np.random.default_rng(1).normal(mean, 2, shape))


parity.compare_cases(
    {
        "vectors (N, D)": case((4, 8)),
        "tokens (B, T, D)": case((2, 5, 8)),
        "images, over (C, H, W)": case((4, 3, 2, 5), normalized_shape=[3, 2, 5]),
        "evaluation mode": case((4, 8), mode=False),
        "mean 1000": case((4, 8), mean=1000),
        "eps=0.5": case((4, 8), eps=0.5),
        "no weight": case((4, 8), elementwise_affine=False),
        "one row": case((1, 8)),
        "a row of the wrong length": case((4, 7)),
    }
)

# %% [markdown]
# **Does a network miss the mean?** Zhang and Sennrich, who proposed RMSNorm (2019), expected that it would not: that the rescaling is
# what helps, and the centring could go. Here is a small test: the article's network with either, 6,000 digits once, in
# batches of 32, five seeds.

# %%
mnist = load_mnist()
small = ImageDataset(
    mnist.train_images[:6000], mnist.train_labels[:6000], mnist.test_images, mnist.test_labels
)


one_pass = {"epochs": 1, "lr": 0.05, "batch_size": 32, "progress": False}


def five_accuracies(norm):
    runs = [fit(article_net(norm, seed), small, seed=seed, **one_pass) for seed in range(5)]
    return np.array([100 * run.final.test_accuracy for run in runs])  # (seeds,)


# %% tags=["guess"]
guess(
    "How far apart are the two, seed by seed?",
    "less than three points, in all five pairs",
    options=[
        "LayerNorm is more than three points ahead in all five pairs",
        "RMSNorm is more than three points ahead in all five pairs",
        "less than three points, in all five pairs",
    ],
    outputs=2,
)

# %% tags=["nbval-ignore-output"]
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
layer_runs, rms_runs = five_accuracies("layer"), five_accuracies("rms")
difference = rms_runs - layer_runs  # (seeds,)
print(f"LayerNorm {layer_runs.mean():.1f} ± {layer_runs.std(ddof=1):.1f} %")
print(f"RMSNorm   {rms_runs.mean():.1f} ± {rms_runs.std(ddof=1):.1f} %")
print("RMSNorm minus LayerNorm, seed by seed:", difference.round(1))

# %%
print("within three points of each other, in all five pairs:", (np.abs(difference) < 3).all())

# %% [markdown]
# No difference is seen: in this small network nobody misses the mean. That is one network and one learning
# rate. The reason to prefer RMSNorm is not accuracy but what it leaves out: the mean of each row, one of the three roads of the gradient, the
# bias. Whether that is *faster* is a matter of the implementation, and the table at the end measures it.
#
# And the loss from the beginning? A row whose mean is far from zero loses its pattern. In a network, the weights before the layer can
# keep the means near zero, and can learn to.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Local response norm: divided by the neighbours
#
# In 2012, three years before BatchNorm, AlexNet (Krizhevsky, Sutskever and Hinton) let each value be suppressed by what goes on at the same pixel in
# the *neighbouring channels*. No mean is subtracted, nothing is learned.
#
# $$y_c = \frac{x_c}{\left(k + \frac{\alpha}{\text{size}} \sum_{j \,\in\, \text{window}(c)} x_j^2 \right)^{\beta}}$$
#
# The window of channel $c$ begins at $c - \lfloor \text{size}/2 \rfloor$ and holds `size` channels; beyond the first and the
# last channel there are zeros.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("The window of channel 0 has `size=4` channels. How many of them exist?", 2)

# %% slideshow={"slide_type": "fragment"}
for size in (3, 4):
    print(f"size {size}:", {c: list(range(c - size // 2, c - size // 2 + size)) for c in (0, 2)})

# %% [markdown]
# An even window leans to the lower channels. What is below 0 does not exist (and must not be counted from the end, as a Python slice
# would). One value by hand, at size 1, where the only neighbour is the value itself: $x = 3$, $\alpha = 2$, $\beta = 1$, $k = 3$
# gives $3 / (3 + 2 \cdot 9) = 1/7$.

# %%
nn.LocalResponseNorm(1, alpha=2, beta=1, k=3)(torch.full((1, 1, 1), 3.0)), 1 / 7

# %% [markdown]
# To see who suppresses whom, put a single 1 into channel 3 of six, and tenths elsewhere.

# %% tags=["guess"]
guess("With `size=3`, how many channels are divided by clearly more than the others?", 3)

# %%
tenths = torch.full((1, 6, 1), 0.1)  # (N=1, C=6, L=1)
tenths[0, 3] = 1
tenths.div(nn.LocalResponseNorm(3, alpha=3, beta=1, k=1)(tenths)).ravel()  # the divisors

# %% [markdown]
# Around channel 3 the divisors are twice as large. Channels 0 and 5 have one neighbour fewer, and yet the sum is divided by the whole `size`.
# In PyTorch, that is: the paper multiplies the sum by its $\alpha$ without dividing it by the size, so **a number taken from the paper must be
# multiplied by the size** before it goes into torch. AlexNet's $\alpha$ is $10^{-4}$ with a window of 5, which makes 0.0005 in torch. (PyTorch also has
# `nn.CrossMapLRN2d`, meant to compute the same. In the release that made this page it does not:)

# %%
eights = torch.ones(1, 8, 1, 1, dtype=torch.float64)
(nn.CrossMapLRN2d(3, alpha=3)(eights) - nn.LocalResponseNorm(3, alpha=3)(eights)).abs().ravel()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Weight norm: a length and a direction
#
# So far every norm looked at data. Weight norm (Salimans and Kingma, 2016) looks at the layer's *weights*: it writes those of each
# output as a length $g$ times a direction, and the network learns the two apart.
#
# $$w_o = g_o \; \frac{v_o}{\lVert v_o \rVert}, \qquad \lVert v_o \rVert = \sqrt{\textstyle\sum v_o^2}$$

# %% slideshow={"slide_type": "-"}
v = np.array([[3.0, 4, 0], [2, 2, 1]])  # (out=2, in=3)
g = np.array([10.0, 6])  # (out,)
length = np.sqrt((v**2).sum(axis=1, keepdims=True))  # (out, 1)
length.ravel(), g[:, None] * v / length

# %% [markdown] slideshow={"slide_type": "fragment"}
# The rows of $v$ had the lengths 5 and 3, those of $w$ have 10 and 6. In a convolution everything that belongs to one output is one vector,
# all its input channels and all their pixels. So the length is taken over every axis but the first, however many there are. (In a `ConvTranspose`, whose kernel has the inputs first, over every axis but the second: `dim=1`.)

# %% [markdown]
# **Your turn.** For matrices and for kernels: `v` is `(out, *)`, `g` is `(out,)`. There is no `eps`.


# %%
def weight_norm(v, g):
    raise NotImplementedError()


# %%
check("weight_norm", weight_norm)

# %%
with_lengths = yours("weight_norm", weight_norm)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def weight_norm(v, g):
#     rest = tuple(range(1, v.ndim))
#     length = np.sqrt((v**2).sum(axis=rest, keepdims=True))  # (out, 1, ...)
#     return g.reshape(length.shape) * v / length
# ```
#
# </details>

# %% [markdown]
# And torch, on a convolution:

# %%
conv = parametrizations.weight_norm(nn.Conv2d(3, 4, 5, dtype=torch.float64))
original = conv.parametrizations.weight
{name: tuple(values.shape) for name, values in original.named_parameters()}

# %% [markdown]
# It keeps $g$ as `original0` and $v$ as `original1`. A weight is unchanged when it gets its parametrization; then we change both:

# %%
with torch.no_grad():
    original.original0.mul_(2.5)
    original.original1.add_(0.1)
g_now, v_now = (p.detach().numpy() for p in original.parameters())
np.allclose(with_lengths(v_now, g_now.ravel()), conv.weight.detach(), rtol=1e-12)

# %% [markdown]
# No batch, no running statistics, no difference between `train()` and `eval()`. What does it share with BatchNorm? The layer cannot see how *long* $v$ is. So
# the gradient of $v$ has no part along $v$, as BatchNorm's has none along $\hat x$ (lesson 4):

# %%
pixels = torch.tensor(rng.normal(size=(2, 3, 8, 8)))
conv.zero_grad()  # torch adds to the gradients of an earlier run
(conv(pixels) ** 2).sum().backward()
along = (original.original1.grad * original.original1).sum(dim=(1, 2, 3))  # (out,)
bool((along.abs() < 1e-9).all())

# %% [markdown]
# The backward pass says the same in a formula. With $\hat v = v / \lVert v \rVert$, the gradient of $g$ is the part of $dw$ along $\hat v$, and what
# is left of $dw$ turns $v$: $dg = \sum dw \, \hat v$ and $dv = \frac{g}{\lVert v \rVert} (dw - \hat v \, dg)$. The twin does it so:

# %%
leaf = (conv.weight.detach()).requires_grad_()
(nn.functional.conv2d(pixels, leaf, conv.bias) ** 2).sum().backward()  # gives dw
twin = twins.parametrizations.WeightNorm()
twin(g_now, v_now)
ours = twin.backward(leaf.grad.numpy())
[np.allclose(mine, p.grad, rtol=1e-10) for mine, p in zip(ours, original.parameters(), strict=True)]

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Spectral norm: how far a layer can stretch
#
# Weight norm sets the length of each row. What does a whole matrix do to the length of what goes *through* it? Take all inputs of length 1, a circle,
# and look at what comes out:

# %% slideshow={"slide_type": "-"}
W = np.array([[1.5, 1.0], [0.2, 0.9]])  # (out=2, in=2)
sigma = np.linalg.norm(W, 2)  # the largest singular value
plots.stretch({"W": W, "W / σ": W / sigma}, **plots.words("09 stretch"))

# %% [markdown] slideshow={"slide_type": "subslide"}
# The circle becomes an ellipse. The arrow is its furthest point; its length σ is the matrix's largest singular value, and the dot is the input that
# it came from. *No* input grows by more than σ. Divide the matrix by it, and no input grows at all: two inputs that are a distance apart cannot come out
# further apart. (Mathematicians say: the map has Lipschitz constant 1.) That is spectral norm (Miyato and others, 2018), made for the discriminators of
# GANs, whose answers must not jump.

# %% [markdown] slideshow={"slide_type": "subslide"}
# A full singular value decomposition in every step would be expensive. So σ is *estimated*: start anywhere, multiply by $W$ and by its transpose in turn, and
# keep the length at 1. The direction that is stretched most wins.

# %% slideshow={"slide_type": "-"}
matrix = np.random.default_rng(3).normal(size=(64, 64)) / 4  # (out, in)
exact = np.linalg.norm(matrix, 2)
v = np.ones(64) / 8  # (in,), length 1
for times in range(1, 41):
    u = matrix @ v / np.linalg.norm(matrix @ v)  # (out,)
    v = matrix.T @ u / np.linalg.norm(matrix.T @ u)  # (in,)
    if times in (1, 2, 5, 15, 40):
        print(f"after {times:2}: sigma estimated {u @ matrix @ v:.3f}, exact {exact:.3f}")

# %% [markdown]
# The estimate comes from below, and slowly where other directions are stretched almost as much. torch does 15 rounds at the beginning and one in each
# forward pass *in training mode*; $u$ and $v$ are buffers. So the weight that you get has a largest singular value of about 1, not of 1:

# %%
torch.manual_seed(0)
linear = parametrizations.spectral_norm(nn.Linear(64, 64, dtype=torch.float64))
true_sigma = []
for _ in range(60):  # each access in training mode is one more round
    true_sigma.append(torch.linalg.matrix_norm(linear.weight.detach(), 2).item())
print([f"{value:.4f}" for value in (true_sigma[0], true_sigma[9], true_sigma[-1])])

# %%
linear.eval()
u = linear.parametrizations.weight[0]._u.clone()
linear(torch.ones(1, 64, dtype=torch.float64))
torch.equal(u, linear.parametrizations.weight[0]._u)

# %% [markdown]
# In evaluation mode they stay. Between two steps of an optimizer a weight moves little, so that one round a step is usually enough to follow it. Does the bound hold for a
# whole network? ReLU stretches nothing, so three layers with spectral norm cannot either. On all pairs of a hundred digits:


# %%
def largest_stretch(network):
    digits = load_mnist(tensors=True).test_images[:100].flatten(1) / 255  # (100, 784)
    with torch.no_grad():
        return (torch.pdist(network(digits)) / torch.pdist(digits)).max().item()


network = article_net("none")
with torch.no_grad():
    for layer in (network.fc1, network.fc2, network.fc3):
        layer.weight *= 10  # so that there is something to hold back
before = largest_stretch(network)

# %%
held = copy.deepcopy(network)
torch.manual_seed(0)  # the estimate begins at random
for layer in (held.fc1, held.fc2, held.fc3):
    parametrizations.spectral_norm(layer)
print(f"stretched by at most {before:.1f} before, {largest_stretch(held.eval()):.3f} after")

# %% [markdown]
# Far below 1: the bound multiplies the worst case of three layers, and no pair of digits is the worst case of all three.
#
# **And a convolution?** The discriminators of GANs are made of them. torch (and the paper) lay the kernel `(out, in, height, width)` out as a matrix `(out, in·height·width)` and divide by *that* matrix's
# σ. But a convolution applies its kernel at many places that overlap, and one input number counts in several outputs. Start from any image, and follow the convolution and its
# transpose, as above:


# %%
def stretch_of(conv, rounds=100, size=32):
    x = torch.randn(1, conv.in_channels, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        weight = conv.weight  # (out, in, 3, 3)
        for _ in range(rounds):
            y = nn.functional.conv2d(x / x.norm(), weight, padding=1)
            x = nn.functional.conv_transpose2d(y, weight, padding=1)
    return y.norm().item()


# %% tags=["guess"]
guess(
    "The flattened matrix stretches by at most 1. By how much can a convolution with a kernel of 3×3 stretch?",
    "by 3",
    options=["by 1", "by 3", "by 9"],
)

# %%
torch.manual_seed(0)
kernels = {"16 to 16 channels, at random": nn.Conv2d(16, 16, 3, padding=1, bias=False)}
kernels["all ones"] = nn.Conv2d(1, 1, 3, padding=1, bias=False)
nn.init.ones_(kernels["all ones"].weight)
for name, conv in kernels.items():
    parametrizations.spectral_norm(conv, n_power_iterations=50)
    conv.weight  # one access in training mode: fifty more rounds
    conv.eval()
    flat = torch.linalg.matrix_norm(conv.weight.detach().flatten(1), 2)
    print(f"{name:29} flattened {flat:.4f}, as a convolution {stretch_of(conv):.2f}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# The flattened matrix stretches by 1, the convolution by more: up to three times for a kernel of 3 x 3 (up to the root of the nine places where an input number counts). So spectral norm bounds a convolution
# only up to such a factor; it is exact for linear layers and kernels of 1 x 1.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## SyncBatchNorm: one batch on several workers
#
# Large batches are cut up: each of K workers (GPUs, usually) has a part. Each computes its part's mean and variance, so BatchNorm on it sees a small
# batch, with all that follows (lessons [3](03_batch_norm_train_and_eval.ipynb) and [8](08_group_norm.ipynb)). SyncBatchNorm lets the workers exchange a few numbers for each channel, and
# normalize as if the batch had never been cut.

# %% [markdown] slideshow={"slide_type": "subslide"}
# Two workers. One holds only zeros, the other only tens. Each says: my variance is 0.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Three zeros and three tens: what is the variance of all six numbers?",
    25,
    why="And with three zeros and nine tens?",
)

# %% slideshow={"slide_type": "fragment"}
for zeros, tens in [(3, 3), (3, 9)]:
    print(f"{zeros} zeros and {tens} tens: variance {np.array([0.0] * zeros + [10] * tens).var()}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# Two variances of 0 merge into more than 0. How far the workers' *means* lie apart counts too. And a worker with more values counts for more.
#
# $$\mu = \sum_k \frac{n_k}{n} \, \mu_k, \qquad
# \sigma^2 = \sum_k \frac{n_k}{n} \left( \sigma_k^2 + (\mu_k - \mu)^2 \right), \qquad n = \sum_k n_k$$
#
# In words: within the workers, plus between the workers, each weighted by its share of the values. A worker that has run out of data, with $n_k = 0$, has NaN for mean and variance. Its share is 0, but
# 0 times NaN is NaN: it must be left out.

# %% [markdown]
# On paper one could also merge the means of the *squares*, $\overline{x^2} - \mu^2$. With means of $10^9$ that subtracts two numbers that agree in all their digits:

# %%
far = 1e9 + np.array([0.0, 2])  # variance 1
by_squares = (far**2).mean() - far.mean() ** 2
print("difference of squares:", by_squares, "  mean squared distance:", far.var())

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Your turn.** `counts` is `(K,)`, `means` and `variances` are `(K, C)`, a row for each worker. Return the mean and the variance of all values, `(C,)` each,
# also when a worker is idle and when the means are huge.


# %% slideshow={"slide_type": "-"}
def merge_statistics(counts, means, variances):
    raise NotImplementedError()


# %%
check("merge_statistics", merge_statistics)

# %%
merge = yours("merge_statistics", merge_statistics)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def merge_statistics(counts, means, variances):
#     busy = counts > 0  # (K,)
#     counts, means, variances = counts[busy], means[busy], variances[busy]
#     share = (counts / counts.sum())[:, None]  # (K, 1)
#     mean = (share * means).sum(axis=0)  # (C,)
#     var = (share * (variances + (means - mean) ** 2)).sum(axis=0)  # (C,)
#     return mean, var
# ```
#
# </details>

# %% [markdown]
# Three zeros and nine tens, and the same with an idle worker between them:

# %%
three_nine = merge(np.array([3, 9]), np.array([[0.0], [10]]), np.zeros((2, 1)))
with_an_idle_one = merge(
    np.array([3, 0, 9]), np.array([[0.0], [np.nan], [10]]), np.array([[0.0], [np.nan], [0]])
)
three_nine, with_an_idle_one

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Now with two real processes.** They share no memory; what one knows of the other comes as a message. torch's own layer first, on five samples cut into two and three. `run_workers` starts two Python processes,
# joins them into a group, and calls the function in each with its part. (It takes some seconds: each process imports torch.)

# %% slideshow={"slide_type": "fragment"}
whole = rng.normal([0, 5, -3], [1, 2, 3], size=(5, 3))  # (N=5, C=3)
parts = [torch.tensor(whole[:2]), torch.tensor(whole[2:])]


def with_torch(part):
    try:
        return nn.SyncBatchNorm(3, dtype=torch.float64)(part).detach()
    except ValueError as error:
        return str(error)


run_workers(with_torch, parts)

# %% [markdown] slideshow={"slide_type": "subslide"}
# It refuses: `nn.SyncBatchNorm` works on a GPU, and these processes compute on the CPU. (Without a group of processes it runs on the CPU too, as plain BatchNorm, and then there is nobody to
# exchange anything with.) But the exchange is a few lines. Each worker tells all others its count, mean and variance, in an *all-gather*, and merges what it has heard with your `merge`:


# %% slideshow={"slide_type": "-"}
def gathered(mine):
    everyone = [torch.empty_like(mine) for _ in range(distributed.get_world_size())]
    distributed.all_gather(everyone, mine)
    return torch.stack(everyone)  # (K, ...)


def forward(x, eps=1e-5):
    mine = torch.tensor(len(x)), x.mean(0), x.var(0, correction=0)
    counts, means, variances = (gathered(one).numpy() for one in mine)  # (K,), (K, C), (K, C)
    mean, var = (torch.as_tensor(one) for one in merge(counts, means, variances))  # (C,), (C,)
    r = 1 / torch.sqrt(var + eps)  # (C,)
    return (x - mean) * r, r, counts.sum()


# %% [markdown]
# Then the backward pass. The closed form of lesson 4, $dx = r \, (g - m(g) - \hat x \, m(g \hat x))$, has two means over *all* samples. So it needs a second exchange: sums this time, which an *all-reduce* adds
# up over the workers.


# %%
def backward(dy, x_hat, r, n):
    sums = torch.stack([dy.sum(0), (dy * x_hat).sum(0)])  # (2, C)
    distributed.all_reduce(sums)
    through_mean, through_variance = sums / n  # (C,), (C,)
    return r * (dy - through_mean - x_hat * through_variance)


def synchronized(part):
    x, dy = part
    x_hat, r, n = forward(x)
    return x_hat, backward(dy, x_hat, r, n)


# %%
dy = torch.tensor(rng.normal(size=whole.shape))
answers = run_workers(synchronized, list(zip(parts, dy.split([2, 3]), strict=True)))
x_hat, dx = (torch.cat(pieces) for pieces in zip(*answers, strict=True))  # (5, 3), (5, 3)

# %% slideshow={"slide_type": "subslide"}
leaf = torch.tensor(whole, requires_grad=True)
one_big_batch = nn.BatchNorm1d(3, affine=False, dtype=torch.float64)(leaf)
one_big_batch.backward(dy)
[torch.allclose(*pair, rtol=0, atol=1e-13) for pair in [(x_hat, one_big_batch), (dx, leaf.grad)]]

# %% [markdown] slideshow={"slide_type": "fragment"}
# Two processes, neither of which ever saw the other's samples, have computed BatchNorm of the whole batch, forward and backward. What each of them sent: for three channels seven numbers forward and six
# backward, however large the batch. Without the exchange each would have normalized its own part:

# %% slideshow={"slide_type": "fragment"}
alone = torch.cat([nn.BatchNorm1d(3, affine=False, dtype=torch.float64)(part) for part in parts])
(alone - x_hat).abs().max(dim=0).values

# %% [markdown]
# On several GPUs `nn.SyncBatchNorm.convert_sync_batchnorm(model)` puts the layer in BatchNorm's place everywhere. `normlab/nn/sync.py` has the merge and its backward in NumPy.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Dynamic Tanh: no average at all
#
# In 2025 Zhu, Chen, He, LeCun and Liu looked at what LayerNorm does inside trained transformers, and saw curves in the shape of an S: small values scaled, large ones squashed. So they left out the averages and kept the S:
#
# $$y_d = \text{weight}_d \tanh(\alpha x_d) + \text{bias}_d$$
#
# with a single learned $\alpha$ for the layer. That is one line:


# %% slideshow={"slide_type": "fragment"}
def dynamic_tanh(x, alpha, weight, bias):
    return weight * torch.tanh(alpha * x) + bias


# %% [markdown] slideshow={"slide_type": "subslide"}
# What is different from outside? Give a row an outlier: put 100 in the place of its last number, −1.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "In which of the three layers do the other three values of the row change?",
    "in LayerNorm and in RMSNorm",
    options=[
        "in all three",
        "in LayerNorm and in RMSNorm",
        "in LayerNorm alone",
        "in Dynamic Tanh alone",
    ],
)

# %% slideshow={"slide_type": "fragment"}
calm, wild = torch.tensor([[0.5, -0.5, 1.0, -1.0], [0.5, -0.5, 1.0, 100.0]])
layers = {"LayerNorm": nn.LayerNorm(4), "RMSNorm": nn.RMSNorm(4)}
layers["Dynamic Tanh"] = lambda row: dynamic_tanh(row, 0.5, 1, 0)
for name, layer in layers.items():
    for row in (calm, wild):
        print(f"{name:12}", layer(row).detach().numpy())

# %% [markdown] slideshow={"slide_type": "fragment"}
# In LayerNorm one outlier makes the other three nearly equal, in RMSNorm nearly 0. Dynamic Tanh squashes the outlier alone. It does not see the row at all, so it is blind to nothing: shift a row or
# scale it, and the answer changes. Is it a normalization layer? It stands where one stood. The authors report that transformers train as well with it; nothing in this lesson tests that.

# %% [markdown]
# ## All of them, in one table and one picture
#
# Eleven layers, and a table that nobody has typed: each layer was built, run and asked. Which inputs does one output depend on? Does the answer change when all inputs are shifted, or doubled? What is in
# `parameters()` and `buffers()`? Does `eval()` answer differently? Only the last column was written by hand. The times are one forward and backward pass on the machine that made this page, 32 samples, 64
# channels, 14×14 positions, the best of fifteen; for the two norms of weights what they add to a layer of weights.

# %% tags=["nbval-ignore-output"]
# Output not compared: these are timings.
seconds = facts.seconds_per_step()
facts.FactTable(seconds=seconds)

# %% [markdown]
# - *averages over* names the axes in which one output depends on other inputs. Only the first two rows have N in them: for all others a sample's answer is its own.
# - *does not see*: RMSNorm is the only norm of data here that is blind to scale and not to shift.
# - *remembers*: two keep running statistics, and one its two vectors. These are what `eval()` is about.
# - *step* is of this machine and this release. RMSNorm leaves work out. And is it faster here?

# %% tags=["nbval-ignore-output"]
# Output not compared: these are timings.
for name in ("LayerNorm, tokens", "RMSNorm, tokens"):
    print(f"{name}: {seconds[name] / seconds['LayerNorm, tokens']:.1f} times LayerNorm's time")

# %% [markdown] slideshow={"slide_type": "slide"}
# And the block, for the last time, with all of them side by side. The colours too are measured: coloured is what the front, right, upper value depends on.

# %% slideshow={"slide_type": "-"}
observed = {norm.name: facts.observe(norm).cells for norm in facts.NORMS if not norm.of_weights}
gallery(observed)

# %% [markdown] slideshow={"slide_type": "subslide"}
# From a slice through all samples, over bricks and rows, to a single cell. The two norms of weights are missing; they colour no data. If you can redraw this picture with the book closed, you know what this course set
# out to teach: **one operation on a choice of axes.**

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The layer that computes less, and takes longer
#
# RMSNorm subtracts no mean and has no bias; large language models use it in LayerNorm's place. And here it is the slower one. Look at what torch carries out, forward and
# backward.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "What could be the reason?",
    "it is carried out in many small operations",
    options=[
        "a root takes longer than a mean",
        "it is carried out in many small operations",
        "it computes in float64",
        "its weight is larger",
    ],
)

# %% slideshow={"slide_type": "-"}
for layer in (nn.LayerNorm(8), nn.RMSNorm(8)):
    forth, back = operations(layer, torch.randn(4, 8, requires_grad=True))
    print(f"{type(layer).__name__}\n  forward:  {' '.join(forth)}\n  backward: {' '.join(back)}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# (On a GPU torch may choose other operations.) On the CPU LayerNorm is *one* operation each way, written in C++: it reads a row once or twice and writes it once. Such an operation is called **fused**. RMSNorm is a string of small ones, and each
# reads a whole array from memory and writes another. What costs time is not the arithmetic but the reading and writing. `torch.compile` can fuse such a string. It needs a C++ compiler and, the first time, up to some
# minutes; so this was recorded, 2,048 rows of 768 features, on one thread, the quickest of a hundred:

# %%
fused = recorded("fused_norms")
for dtype in fused.different("dtype"):
    for how in fused.different("how"):
        ms = {
            layer: [
                fused.values(column, dtype=dtype, how=how, layer=layer).item()
                for column in ("forward_ms", "both_ms")
            ]
            for layer in ("LayerNorm", "RMSNorm")
        }
        cells = [f"{layer} {forth:5.2f} and {both:5.2f} ms" for layer, (forth, both) in ms.items()]
        print(f"{dtype:8} {how:8}  " + "   ".join(cells))

# %% [markdown] slideshow={"slide_type": "fragment"}
# (Forward, and forward and backward.) As it comes ("eager"), RMSNorm takes several times as long. Compiled, it is the quicker of the two in all four pairs of numbers: it does leave work out, and then that shows. (In float32 LayerNorm as it comes is still the quickest of the four.) Zhang and Sennrich's paper (2019) reports
# savings, on their machines and with their code. So "RMSNorm is faster than LayerNorm" and "it is slower" are both sentences about a *kernel*, and not about a norm. Try it with `torch.compile(nn.RMSNorm(768))`, or
# `normlab experiment fused_norms`.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Break it on purpose
#
# **1. The sum for the mean.** $\sqrt{\sum x^2}$ in place of $\sqrt{\text{mean}\ x^2}$ makes every row a vector of length 1. That is another well-known function (lesson 1), and too small by $\sqrt D$:

# %% slideshow={"slide_type": "-"}
unit = nn.functional.normalize(torch.tensor(tokens), dim=-1).numpy()
np.allclose(unit * np.sqrt(8), normalize(tokens, eps=0), rtol=1e-12)

# %% [markdown]
# **2. Averages of variances.** Each worker sends its variance, and the mean of them is taken for the variance of all. On parts that look alike it is nearly right, and that is why it is not noticed. Cut the
# same batch by size instead of at random:

# %%
values = np.sort(rng.normal(size=1000))
for name, order in {"at random": rng.permutation(1000), "by size": np.arange(1000)}.items():
    pieces = values[order].reshape(2, 500)
    print(
        f"cut {name:9}: variance {values.var():.3f}, mean of the workers' {pieces.var(axis=1).mean():.3f}"
    )

# %% [markdown]
# **3. A direction of length zero.** Weight norm has no `eps`. A row of zeros, as pruning makes them, or an initialization with zeros, is 0/0 from then on:

# %%
zeroed = nn.Linear(3, 2)
nn.init.zeros_(zeroed.weight)
parametrizations.weight_norm(zeroed)(torch.ones(1, 3)).detach()

# %% [markdown]
# ## Your turn
#
# | exercise | difficulty | importance | minutes |
# |---|---|---|---|
# | [09, task 1](../exercises/09_rms_norm_and_relatives.ipynb): RMSNorm that measures a part | easy | medium | 5 |
# | 09, task 2: weight standardization of a convolution | medium | medium | 15 |
# | 09, task 3: take one worker's part out of merged statistics | hard | medium | 15 |
# | 09, task 4: local response norm | medium | low | 15 |
# | Experiment: three workers, one of them idle. Does `synchronized` still equal one big batch? | medium | medium | 10 |
#
# <details><summary>How to begin the experiment</summary>
#
# Cut `whole` and `dy` with `split([2, 0, 3])`. The idle worker's mean and variance are NaN (torch warns about the variance); `merge` leaves them out. What does it put into the sums on the way back?
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Test yourself
#
# Five questions before the recap. Choose an answer, and you see at once why it is right or wrong. Your
# first choices count, and the line under the questions says where they are kept.

# %% slideshow={"slide_type": "-"}
self_test("09_rms_norm_and_relatives")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - RMSNorm divides each row by the root of the mean of its squares: blind to scale, not to shift; two roads for the gradient instead of three; no bias. Where a row's mean is near 0 it is LayerNorm.
# - `eps=None` means float64's or float32's smallest step, and float16 and bfloat16 take float32's. Squares of float16 overflow at 256: compute in float32.
# - Local response norm divides by neighbouring channels, and PyTorch's $\alpha$ is divided by the size. Weight norm gives each output's weights a length; spectral norm divides by an *estimate* of how far a matrix can stretch, which bounds how far apart outputs can be, for linear layers; a convolution only up to a factor.
# - Variances merge as within plus between, weighted by counts. With that, two processes computed BatchNorm of one big batch.
# - One table and one picture hold all norms: what is averaged, what is learned, what is remembered.

# %% [markdown]
# ## Go further
#
# - B. Zhang, R. Sennrich, *Root Mean Square Layer Normalization*, NeurIPS 2019, arXiv:1910.07467: proposes to drop the centring.
# - A. Krizhevsky, I. Sutskever, G. Hinton, *ImageNet Classification with Deep Convolutional Neural Networks*, NIPS 2012, section 3.3: local response normalization, with its $k$, $n$, $\alpha$ and $\beta$.
# - T. Salimans, D. Kingma, *Weight Normalization*, NIPS 2016, arXiv:1602.07868. T. Miyato and others, *Spectral Normalization for Generative Adversarial Networks*, ICLR 2018, arXiv:1802.05957.
# - C. Peng and others, *MegDet: A Large Mini-Batch Object Detector*, CVPR 2018, arXiv:1711.07240: BatchNorm across GPUs, for detection.
# - J. Zhu, X. Chen, K. He, Y. LeCun, Z. Liu, *Transformers without Normalization*, CVPR 2025, arXiv:2503.10622: Dynamic Tanh.
# - T. Chan, G. Golub, R. LeVeque, *Updating Formulae and a Pairwise Algorithm for Computing Sample Variances*, 1979: the merge, long before SyncBatchNorm.
