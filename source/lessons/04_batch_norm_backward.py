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
# # Follow the gradient back through BatchNorm
#
# *Lesson 4 · 120 minutes, self-test 10 · demanding · the backward pass, twice*
#
# When you have finished you can
#
# - say along which three roads an input of BatchNorm reaches the output;
# - compute the gradients of `weight`, `bias` and the input box by box, and compare each
#   intermediate one with torch's;
# - derive the closed form on paper, write it in one line, and check it numerically;
# - say why `y.sum()` is a useless probe, and what a network loses whose batch statistics are treated
#   as constants;
# - train a network in NumPy with a layer whose every number you computed yourself.
#
# **What you need:** [lesson 2](02_batch_norm_forward.ipynb), the running statistics of
# [lesson 3](03_batch_norm_train_and_eval.ipynb), and the chain rule.

# %%
from itertools import product

import numpy as np
import torch
from torch import nn

from normlab import load_mnist, parity, plots
from normlab.exercises import check, guess, self_test, yours
from normlab.training import recorded
from normlab.training.progress import progress_bar

np.set_printoptions(precision=4, suppress=True)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A question first
#
# A layer turns x into y, and we ask for the gradient of the plainest loss there is: the sum of all
# outputs. For a linear layer that tells you a good deal.

# %% slideshow={"slide_type": "-"}
x = np.array([[1.0, 10], [3, 10], [5, 30], [7, 38]])  # (N=4, C=2)
xt = torch.tensor(x, requires_grad=True)

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "For BatchNorm, what is the gradient of `y.sum()` with respect to x?",
    "0 everywhere",
    options=["about 1 everywhere", "about 1/std, for each feature", "0 everywhere"],
)

# %% slideshow={"slide_type": "fragment"}
nn.BatchNorm1d(2, dtype=torch.float64)(xt).sum().backward()
print("0, but for rounding:", bool(xt.grad.abs().max() < 1e-12))

# %% [markdown] slideshow={"slide_type": "fragment"}
# Whatever you do to the batch, the normalized values of each feature add up to 0, so nothing you do to x can
# change their sum. Remember this whenever you test a backward pass: a loss of `y.sum()` passes *any* code that
# gives 0.

# %% [markdown] slideshow={"slide_type": "subslide"}
# The reason is worth a second look, and for that you need a forward pass.
#
# **Your turn.** Paste the function that you wrote in lesson 2, or write it once more: mean and variance of each
# feature, `eps` under the root, weight and bias at the end. In this lesson you find the gradient of *this*, and at
# the end a network trains with it.


# %% slideshow={"slide_type": "-"}
def batch_norm_forward(x, weight, bias, eps):
    raise NotImplementedError()


# %%
check("batch_norm_forward", batch_norm_forward)

# %%
batch_norm = yours("batch_norm_forward", batch_norm_forward)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def batch_norm_forward(x, weight, bias, eps):
#     mean, var = x.mean(axis=0), x.var(axis=0)  # (C,), (C,)
#     x_hat = (x - mean) / np.sqrt(var + eps)  # (N, C)
#     return weight * x_hat + bias  # (N, C)
# ```
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# Nudge one single input, and see which outputs move, and by how much:


# %% slideshow={"slide_type": "-"}
def normalize(x, eps=1e-5):
    ones, zeros = np.ones(x.shape[1], x.dtype), np.zeros(x.shape[1], x.dtype)  # (C,), (C,)
    return batch_norm(x, ones, zeros, eps)  # (N, C)


nudged = x.copy()
nudged[0, 0] += 1e-3

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("How many of the eight outputs move?", 4)

# %% slideshow={"slide_type": "fragment"}
(normalize(nudged) - normalize(x)) / 1e-3

# %% [markdown] slideshow={"slide_type": "fragment"}
# One input moved, and its whole feature answered: its own output, and those of its companions. (The other feature
# did not; features share nothing.) The input reaches the outputs along **three roads**: directly, through the mean,
# and through the variance. A backward pass that forgets a road is wrong, and usually not in an obvious way.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The computation, as a graph
#
# Give a name to every intermediate value: $\mu$ the mean, $d$ the deviations, $v$ the variance, $r$
# one over the standard deviation.

# %% slideshow={"slide_type": "-"}
plots.graph(
    {
        r"$x$": (0, 0),
        r"$\mu$": (1, -1),
        r"$d$": (2, 0),
        r"$v$": (3, -1),
        r"$r$": (4.6, -1),
        r"$\hat x$": (5.4, 0),
        r"$y$": (6.6, 0),
    },
    [
        (r"$x$", r"$\mu$", "mean"),
        (r"$x$", r"$d$", ""),
        (r"$\mu$", r"$d$", "subtract"),
        (r"$d$", r"$v$", "mean of squares"),
        (r"$v$", r"$r$", r"$1/\sqrt{v+\epsilon}$"),
        (r"$d$", r"$\hat x$", ""),
        (r"$r$", r"$\hat x$", "multiply"),
        (r"$\hat x$", r"$y$", "scale, shift"),
    ],
    **plots.words("04 graph"),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# Forward, we walk along the arrows, to what your function gives. `weight` and `bias` are not 1 and 0: a weight of 1
# would hide that we forgot it.

# %% slideshow={"slide_type": "-"}
weight, bias, eps = np.array([2.0, -0.5]), np.array([0.3, 1.0]), 1e-5  # (C,), (C,)
mu = x.mean(axis=0, keepdims=True)  # (1, C)
d = x - mu  # (N, C)
v = (d**2).mean(axis=0, keepdims=True)  # (1, C)
r = 1 / np.sqrt(v + eps)  # (1, C)
x_hat = d * r  # (N, C)
y = weight * x_hat + bias  # (N, C)
np.allclose(y, batch_norm(x, weight, bias, eps))

# %% [markdown] slideshow={"slide_type": "subslide"}
# Backward, we walk against them. At each box we ask: *if this value were a little larger, how much
# would the loss change?* We write `dv` for the answer at $v$, and so on; each has the shape of its
# value. The walk begins with `dy`, the gradient that arrives from the next layer; any numbers will
# do here. To compare, we let torch run the same graph and keep the gradient at every box:

# %%
dy = np.array([[1.0, -2], [0.5, 3], [-1, 0.7], [2, 1]])  # (N, C)


def at_every_box(x, weight, bias, eps, dy):
    values = {"x": x, "weight": weight, "bias": bias}
    t = {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}
    t["mu"] = t["x"].mean(0, keepdim=True)
    t["d"] = t["x"] - t["mu"]
    t["v"] = (t["d"] ** 2).mean(0, keepdim=True)
    t["r"] = 1 / torch.sqrt(t["v"] + eps)
    t["x_hat"] = t["d"] * t["r"]
    y = t["weight"] * t["x_hat"] + t["bias"]
    gradients = torch.autograd.grad(y, list(t.values()), torch.tensor(dy))
    return {name: gradient.numpy() for name, gradient in zip(t, gradients, strict=True)}


theirs = at_every_box(x, weight, bias, eps, dy)


# %%
def same(ours, name):
    return np.allclose(ours, theirs[name], rtol=1e-12, atol=1e-14)


# %% [markdown] slideshow={"slide_type": "slide"}
# ## Backward, box by box
#
# First in your head. One feature of two samples, with an `eps` of 9 that keeps the numbers round:
#
# $$x = \begin{pmatrix} 1 \\ 9 \end{pmatrix},\quad \mu = 5,\quad d = \begin{pmatrix} -4 \\ 4 \end{pmatrix},\quad
# v = 16,\quad r = \tfrac15,\quad \hat x = \begin{pmatrix} -0.8 \\ 0.8 \end{pmatrix},\quad
# \text{weight} = 5,\quad dy = \begin{pmatrix} 3 \\ -2 \end{pmatrix}$$
#
# Keep pencil and paper at hand: you go first, and torch answers.

# %%
head = at_every_box(
    x=np.array([[1.0], [9]]),
    weight=np.array([5.0]),
    bias=np.zeros(1),
    eps=9,
    dy=np.array([[3.0], [-2]]),
)

# %% [markdown] slideshow={"slide_type": "fragment"}
# **y = weight · x_hat + bias.** One number of `bias` was added to the outputs of *both* samples. Raise it a little, and
# the loss changes through the first output by 3 and through the second by −2: what touched many samples gathers a
# *sum*. One `weight` touched both as well, each time multiplied by an $\hat x$.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("What is `dweight`?", -4, within=0.01)

# %% slideshow={"slide_type": "fragment"}
head["bias"], head["weight"]

# %% [markdown] slideshow={"slide_type": "subslide"}
# In a formula: $db_c = \sum_n dy_{nc}$ and $dw_c = \sum_n dy_{nc}\,\hat x_{nc}$. For images `(N, C, H, W)` one bias was
# added at every position of every sample, so the sums run over N, H and W.
#
# **Your turn.** Both gradients, for `(N, C)` and for images. All backward functions of this lesson take the same: what
# arrives, and what the forward pass kept. `mean` and `var` are `(1, C)` or `(1, C, 1, 1)`; `weight` is `(C,)`. You will
# not need all of it. Return two arrays `(C,)`, `dweight` first.


# %% slideshow={"slide_type": "-"}
def batch_norm_backward_parameters(dy, x, mean, var, x_hat, weight, eps):
    raise NotImplementedError()


# %%
check("batch_norm_backward_parameters", batch_norm_backward_parameters)

# %%
backward_parameters = yours("batch_norm_backward_parameters", batch_norm_backward_parameters)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def batch_norm_backward_parameters(dy, x, mean, var, x_hat, weight, eps):
#     axes = (0, *range(2, dy.ndim))  # all but the channels
#     return (dy * x_hat).sum(axis=axes), dy.sum(axis=axes)  # (C,), (C,)
# ```
#
# </details>

# %%
dweight, dbias = backward_parameters(dy, x, mu, v, x_hat, weight, eps)
same(dweight, "weight"), same(dbias, "bias")

# %% [markdown] slideshow={"slide_type": "subslide"}
# Now back to x. $\hat x$ was multiplied by the weight, so `dx_hat` is `dy` times the weight: 15 and −10.
#
# **x_hat = d · r.** Two roads part here. A product hands to each factor what arrives, times the *other* factor. $r$ is
# one number, which touched both samples: a sum again.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("What is `dr`?", -100, within=0.01)

# %% slideshow={"slide_type": "fragment"}
head["x_hat"].ravel(), head["r"]

# %% [markdown] slideshow={"slide_type": "fragment"}
# **r = (v + ε)^(−1/2).** The derivative is $-\tfrac12 (v+\varepsilon)^{-3/2}$, which is
# $-\tfrac12 r^3$: nothing new has to be computed. Here $r^3$ is 1/125.

# %% tags=["guess"]
guess("What is `dv`?", 0.4, within=0.01)

# %%
head["v"]

# %% [markdown] slideshow={"slide_type": "subslide"}
# **v = mean of d².** A mean of N values takes the N-th part of each, and a square has the slope $2d$. So what comes
# back to d along this road is `dv` · 2d/N. Along the other road, straight from x_hat, comes `dx_hat` · r. Two roads
# meet at d, and what comes back along them is *added*.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("What is `dd` of the first sample, where d is −4?", 1.4, within=0.01)

# %% slideshow={"slide_type": "fragment"}
head["d"].ravel()

# %% [markdown] slideshow={"slide_type": "fragment"}
# **d = x − mu.** A larger mean makes *every* deviation smaller: a sum, with a minus. Then **mu = mean of x**: each x
# contributes the N-th part. And each x goes into its own d, too: two roads, once more.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("What is `dx` of the first sample?", 0.9, within=0.01)

# %% slideshow={"slide_type": "fragment"}
head["mu"], head["x"].ravel()

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Your turn.** The same walk for arrays `(N, C)`: six boxes, about a line each. What you need and are not given, $d$
# and $r$, you compute first. Return `dx`, or better `dx` and a dict of the boxes on the way, such as
# `{"dx_hat": dx_hat, "dr": dr, "dv": dv, "dd": dd, "dmu": dmu}`: the check compares each of them, and tells you which
# is the first that differs.


# %% slideshow={"slide_type": "-"}
def batch_norm_backward_graph(dy, x, mean, var, x_hat, weight, eps):
    raise NotImplementedError()


# %%
check("batch_norm_backward_graph", batch_norm_backward_graph)

# %%
backward_graph = yours("batch_norm_backward_graph", batch_norm_backward_graph)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def batch_norm_backward_graph(dy, x, mean, var, x_hat, weight, eps):
#     n = len(x)
#     d = x - mean  # (N, C)
#     r = 1 / np.sqrt(var + eps)  # (1, C)
#     dx_hat = dy * weight  # (N, C)
#     dr = (dx_hat * d).sum(axis=0, keepdims=True)  # (1, C)
#     dv = dr * -0.5 * r**3  # (1, C)
#     dd = dx_hat * r + dv * 2 * d / n  # (N, C), both roads
#     dmu = -dd.sum(axis=0, keepdims=True)  # (1, C)
#     dx = dd + dmu / n  # (N, C), both roads
#     return dx, {"dx_hat": dx_hat, "dr": dr, "dv": dv, "dd": dd, "dmu": dmu}
# ```
#
# </details>

# %% slideshow={"slide_type": "fragment"}
answer = backward_graph(dy, x, mu, v, x_hat, weight, eps)
dx, boxes = answer if isinstance(answer, tuple) else (answer, {})
{name: same(value, name[1:]) for name, value in {"dx": dx, **boxes}.items() if name[1:] in theirs}

# %% [markdown] slideshow={"slide_type": "fragment"}
# If you gave back the boxes, there is a line for each, on the four samples and two features from above. If one of them
# were `False`, you would know in which box to look. That is why it pays to compare the intermediate gradients, and not
# only the last.
#
# Here is the walk once more, for one feature of four samples and a gradient that arrives at the first alone. Each step
# back lights the arrows it takes.

# %%
plots.explore.backward()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## On paper: all in one line
#
# Write $g$ for `dx_hat`, and $m(\cdot)$ for the mean over the samples. Put `dv` into `dd`:
#
# $$dd = g\,r \;-\; r^3\,\textstyle\sum(g\,d)\,\frac{d}{N}
#      = r\,\big(g - \hat x\; m(g\,\hat x)\big),$$
#
# because $d\,r = \hat x$, twice: $r^3 \sum (g\,d)\,d/N = r\,(d r)\, m(g\, d r)$. Then subtract its
# mean, since `dmu / N` is $-m(dd)$. The mean of $\hat x$ is 0, so of the second term nothing comes:
#
# $$\boxed{\,dx = r\,\big(g - m(g) - \hat x\; m(g\,\hat x)\big)\,}$$
#
# In words: take the incoming gradient, remove its mean, remove its part along $\hat x$, and divide by
# the standard deviation. Each road is there: $g$ is the direct one, $m(g)$ is the mean's, the last
# term is the variance's. In the example from above $g$ is 15 and −10, with mean 2.5, and $g\,\hat x$ is −12 and −8, with
# mean −10. So the first number is $(15 - 2.5 - (-0.8)\cdot(-10))/5 = 0.9$, as before.

# %% [markdown] slideshow={"slide_type": "fragment"}
# For `(N, C, H, W)` the line stays as it is, and $m$ is the mean over all values of a channel: over N, H and W. (Mind
# the shape of `weight`: a bare `(C,)` would line up with W, as in lesson 2. It wants that of `mean`.)
#
# **Your turn.** The line, for `(N, C)` and for images. ($r$ you make of `var` and `eps`.)


# %% slideshow={"slide_type": "-"}
def batch_norm_backward(dy, x, mean, var, x_hat, weight, eps):
    raise NotImplementedError()


# %%
check("batch_norm_backward", batch_norm_backward)

# %%
backward = yours("batch_norm_backward", batch_norm_backward)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def batch_norm_backward(dy, x, mean, var, x_hat, weight, eps):
#     axes = (0, *range(2, x.ndim))  # all but the channels
#     g = dy * weight.reshape(mean.shape)
#     m_g = g.mean(axis=axes, keepdims=True)  # (1, C) or (1, C, 1, 1)
#     m_g_x_hat = (g * x_hat).mean(axis=axes, keepdims=True)
#     return (g - m_g - x_hat * m_g_x_hat) / np.sqrt(var + eps)
# ```
#
# </details>

# %% slideshow={"slide_type": "-"}
same(backward(dy, x, mu, v, x_hat, weight, eps), "x")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Check it without torch
#
# Nudge every input of your forward pass up and down by a little, and watch the loss $\sum y \cdot dy$, whose
# gradient with respect to y is `dy`.


# %% slideshow={"slide_type": "-"}
def loss(x):
    return (dy * batch_norm(x, weight, bias, eps)).sum()


def numerical_gradient(x, step=1e-5):
    grad = np.empty_like(x)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        grad[index] = (loss(up) - loss(down)) / (2 * step)
    return grad


np.allclose(numerical_gradient(x), dx, rtol=1e-6, atol=1e-9)

# %% [markdown] slideshow={"slide_type": "subslide"}
# > **What this check cannot see.** It asks whether forward and backward belong together, not whether
# > either is BatchNorm. Divide by N − 1 in both, or add `eps` outside the root in both, and it still
# > passes. So it takes both: the numbers against themselves, and against torch.

# %% [markdown]
# ## Images, and awkward cases, beside torch
#
# Your own line on images, beside torch's gradient. No two sizes agree, and the weights are not 1:

# %%
images, d_out = np.random.default_rng(0).normal(2, 3, size=(2, 2, 3, 4, 5))  # (N, C, H, W) each
full = {"axis": (0, 2, 3), "keepdims": True}
mean, var = images.mean(**full), images.var(**full)  # (1, C, 1, 1)
normalized = (images - mean) / np.sqrt(var + eps)  # (N, C, H, W)
twin, layer = parity.pair("BatchNorm2d", 3)
image = torch.tensor(images, requires_grad=True)
layer(image).backward(torch.tensor(d_out))
ours = backward(d_out, images, mean, var, normalized, twin.weight, eps)
np.allclose(ours, image.grad, rtol=0, atol=1e-13)

# %% [markdown]
# A common slip is to keep dividing by the batch size: for images, N becomes the *number of values that share a mean*.
# And some awkward cases are left. Here is the package's twin beside torch:


# %%
def case(shape, mean=0.0, name="BatchNorm1d", mode=True, **options):
    pair = parity.pair(name, 3, **options)
    return (*(half.train(mode) for half in pair), np.random.default_rng(0).normal(mean, 2, shape))


parity.compare_cases(
    {
        "vectors": case((5, 3)),
        "images": case((2, 3, 4, 5), name="BatchNorm2d"),
        "evaluation mode": case((5, 3), mode=False),
        "batch of one, evaluation mode": case((1, 3), mode=False),
        "batch of one, training mode": case((1, 3)),
        "one image, training mode": case((1, 3, 4, 5), name="BatchNorm2d"),
        "mean 100": case((5, 3), mean=100),
        "eps=0.5": case((5, 3), eps=0.5),
        "no weight and bias": case((5, 3), affine=False),
    }
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What the gradient can never say
#
# The closed form removes two things from the gradient: its mean, and its part along $\hat x$. So what
# arrives at x is, for each feature, at right angles to both. Check it:

# %% slideshow={"slide_type": "-"}
np.allclose(dx.sum(axis=0), 0, atol=1e-12), np.allclose((dx * x_hat).sum(axis=0), 0, atol=1e-4)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The first has to be 0: to move all samples of a feature by the same amount changes nothing (the mean
# is subtracted), so no gradient asks for it. The second too, up to `eps`: to stretch a feature changes
# nothing (the standard deviation is divided out). The layer is blind to shift and scale, and its
# gradient knows it.
#
# Move one input, and look at the gradients.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "How many of the eight gradients change?", 4, why="And what does each column still add up to?"
)

# %% slideshow={"slide_type": "subslide"}
plots.explore.one_number(x, dy=dy * weight)

# %% [markdown] slideshow={"slide_type": "fragment"}
# One feature is marked, all of it, and nothing of the other. Each column still adds up to 0, wherever you pull the
# slider (but for the rounding to two decimals).
#
# Of N directions in which a feature's values could move, N − 2 remain: all but those along the ones and
# along $\hat x$. With two samples none is left:


# %% slideshow={"slide_type": "subslide"}
def keep(x):  # what the backward pass wants from the forward pass
    return x, x.mean(0, keepdims=True), x.var(0, keepdims=True), normalize(x)


two = np.array([[1.0, 10], [3, 30]])  # (N=2, C)
np.abs(backward(dy[:2], *keep(two), weight, eps)).round(4)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Lesson 2 found that a batch of two tells the next layer almost nothing. Now you see the other side of
# it: it tells the layer *before* almost nothing either.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Break it on purpose
#
# **1. The statistics as constants.** It is tempting: mean and variance are "only" statistics, so why
# should a gradient run through them? One `detach()` does it, or
#
# ```python
# with torch.no_grad():
#     mean, var = x.mean(0), x.var(0, unbiased=False)
# ```
#
# and the forward pass stays the same to the last digit. In the backward pass only the direct road is left, $dx = r\,g$.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("How far off is it at most, in percent of the largest gradient?", 50, within=20, unit=" %")

# %% slideshow={"slide_type": "-"}
constant_statistics = r * dy * weight  # (N, C)
print(f"{np.abs(constant_statistics - dx).max() / np.abs(dx).max():.0%} of the largest gradient")

# %% [markdown] slideshow={"slide_type": "fragment"}
# Not a rounding error. But a network is patient: perhaps it learns all the same? The article's network, 200 steps, eight
# seeds and six learning rates: with BatchNorm, with the detached one, and with no norm at all. Each deserves its own
# best rate. To choose it on the test digits would be to peek; the experiment, run once and recorded, kept 5,000
# training digits aside for that.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Each at its own best rate: which of the three comes in last?",
    "the detached one",
    options=["BatchNorm", "the detached one", "no norm at all"],
    outputs=2,
)

# %% slideshow={"slide_type": "subslide"}
sweep = recorded("detached_statistics")
rates = sweep.different("lr")
print(" " * 9 + "".join(f"{lr:>12}" for lr in rates))
for net in sweep.different("net"):
    runs = [100 * sweep.values("test_accuracy", net=net, lr=lr) for lr in rates]  # (seeds,) each
    cells = [f"{values.mean():.1f} ± {values.std(ddof=1):.1f}" for values in runs]
    print(f"{net:9}" + "".join(f"{cell:>12}" for cell in cells))


# %% slideshow={"slide_type": "fragment"}
def own_best(net):
    return max(rates, key=lambda lr: sweep.values("held_out_accuracy", net=net, lr=lr).mean())


best = {
    net: 100 * sweep.values("test_accuracy", net=net, lr=own_best(net))
    for net in sweep.different("net")
}
for net, values in best.items():
    print(f"{net:9} lr {own_best(net):<4} {values.mean():.1f} ± {values.std(ddof=1):.1f} %")
behind = best["no norm"] - best["detached"]  # (seeds,)
print(f"detached behind no norm by {behind.mean():.1f} points, in {(behind > 0).sum()} of 8 pairs")

# %% [markdown] slideshow={"slide_type": "fragment"}
# At every rate it is six points or more behind BatchNorm, and at its best it still loses to no norm. (Rate for rate
# it beats no norm at the smallest, where that has hardly begun, and at the largest two, where that breaks down.)
# Nothing raises an error, and without the other numbers beside it nobody would know.
#
# The 2015 paper gives the reason in its section 2, before it has a layer at all. Take a bias b, subtract the mean over
# the batch at once, and take that mean as a constant. The gradient says "raise b"; b is raised; the mean rises as
# much; the output, and the loss, are what they were. So the gradient is what it was, too.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "b starts at 0. After 50 steps it is 10. Where is it after 100, and where is the loss?",
    "b at 20, the loss where it was",
    options=["b near 10, the loss near 0", "b at 20, the loss where it was", "b back near 0"],
)


# %% slideshow={"slide_type": "subslide"}
u = torch.tensor([[1.0], [3.0], [8.0]])  # (N=3, 1)
wanted = torch.tensor([[-1.0], [0.0], [4.0]])  # (N, 1)
b = torch.zeros(1, requires_grad=True)
for step in range(101):
    z = u + b  # (N, 1)
    error = (z - z.mean(0).detach() - wanted).square().mean()
    if step % 50 == 0:
        print(f"step {step:3}: b {b.item():6.2f}   loss {error.item():.4f}")
    (slope,) = torch.autograd.grad(error, b)
    b.data -= 0.1 * slope

# %% [markdown] slideshow={"slide_type": "fragment"}
# Every step is spent on something that changes nothing. Is it so in our network? The length of the first layer's bias
# after 200 steps, divided by what it was before:

# %%
for net in ("BatchNorm", "detached"):
    growth = [sweep.values("bias_growth", net=net, lr=lr).mean() for lr in rates]
    print(f"{net:9}" + "".join(f"{value:8.2f}" for value in growth))

# %% [markdown]
# With BatchNorm's own gradient the bias stays where it is: its gradient adds up to 0, as you saw above. Detached, it grows at every rate.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **2. One road forgotten.** Leave out the mean's term, or the variance's. The shapes are right, most
# of the numbers are near, and the orthogonality tells which road is missing:

# %% slideshow={"slide_type": "-"}
g = dy * weight
no_mean_road = r * (g - x_hat * (g * x_hat).mean(axis=0))
no_variance_road = r * (g - g.mean(axis=0))
for name, wrong_dx in {"no mean road": no_mean_road, "no variance road": no_variance_road}.items():
    along_ones, along_x_hat = np.abs([wrong_dx.sum(axis=0), (wrong_dx * x_hat).sum(axis=0)])
    print(f"{name:16}  along ones {along_ones.round(3)}   along x_hat {along_x_hat.round(3)}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# **3. The wrong count.** For images, dividing by N where N·H·W values share a mean. On `(N, C)` it is
# invisible, since there both are N. So test a backward pass on images of which no two sizes agree.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Train with your own layer
#
# You have all that a layer consists of. So put it into a network, in NumPy, with nothing of torch in it: 784 pixels,
# 100 hidden units, *your* BatchNorm, a ReLU, 10 digits. The first weights are drawn with He's rule, a standard
# deviation of $\sqrt{2/\text{inputs}}$, which suits a network with ReLUs and without a norm.


# %%
def new_network(seed):
    rng = np.random.default_rng(seed)
    drawn = {"w1": rng.normal(size=(784, 100)) * (2 / 784) ** 0.5}  # (inputs, units)
    drawn["w2"] = rng.normal(size=(100, 10)) * (2 / 100) ** 0.5
    rest = {"weight": np.ones(100), "bias": np.zeros(100), "b2": np.zeros(10)}
    return {name: value.astype(np.float32) for name, value in (drawn | rest).items()}


# %%
def cross_entropy(logits, labels):
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)  # (N, 10), the softmax
    right = np.eye(10, dtype=np.float32)[labels]  # (N, 10)
    return -np.log((p * right).sum(axis=1) + 1e-30).mean(), (p - right) / len(p)


# %% [markdown] slideshow={"slide_type": "subslide"}
# One step, forward and back. Find the three places where your functions are called. (With `norm=False` the hidden
# layer has no norm. `bias` is there in both: in front of BatchNorm no other is needed.)


# %% slideshow={"slide_type": "-"}
def train_step(net, x, labels, norm, lr):
    z = x @ net["w1"]  # (N, 100)
    y = batch_norm(z, net["weight"], net["bias"], eps) if norm else z + net["bias"]  # (N, 100)
    hidden = np.maximum(y, 0)  # (N, 100), the ReLU
    loss, dlogits = cross_entropy(hidden @ net["w2"] + net["b2"], labels)

    dz = dy = (dlogits @ net["w2"].T) * (y > 0)  # (N, 100)
    gradients = {"w2": hidden.T @ dlogits, "b2": dlogits.sum(axis=0), "bias": dy.sum(axis=0)}
    if norm:
        kept = (*keep(z), net["weight"], eps)
        gradients["weight"], gradients["bias"] = backward_parameters(dy, *kept)
        dz = backward(dy, *kept)  # (N, 100)
    gradients["w1"] = x.T @ dz
    for name, gradient in gradients.items():
        net[name] = net[name] - lr * gradient
    return loss


# %% [markdown]
# One epoch is 150 steps of 64 digits. After it the network needs the statistics to evaluate with (lesson 3); as in the
# 2015 paper we take them when training is over, here those of all digits that it was trained on.

# %%
digits = load_mnist()
pixels = (digits.train_images.reshape(-1, 784) / np.float32(255), digits.train_labels)
train, held_out = ([part[rows] for part in pixels] for rows in (slice(9600), slice(-5000, None)))
test = [(digits.test_images.reshape(-1, 784) / np.float32(255)), digits.test_labels]


# %%
def train_network(norm, lr, seed):
    net, order = new_network(seed), np.random.default_rng(seed).permutation(9600).reshape(-1, 64)
    with np.errstate(all="ignore"):  # a rate may be too large
        losses = [train_step(net, train[0][rows], train[1][rows], norm, lr) for rows in order]
    return net, losses  # 150 losses


def accuracy(net, norm, images, labels):
    z = images @ net["w1"]  # (N, 100)
    if norm:
        seen = train[0] @ net["w1"]  # (9600, 100)
        z = net["weight"] * (z - seen.mean(axis=0)) / np.sqrt(seen.var(axis=0) + eps)
    hidden = np.maximum(z + net["bias"], 0)
    return 100 * ((hidden @ net["w2"] + net["b2"]).argmax(axis=1) == labels).mean()


# %% [markdown] slideshow={"slide_type": "subslide"}
# Five learning rates, five seeds, with your layer and without: fifty runs, some seconds. (Same seed, same first weights,
# same batches.) Each of the two gets the rate that is best for it on 5,000 digits kept aside.

# %% tags=["nbval-ignore-output"]
# Output not compared: a progress bar is drawn while it runs.
grid, seeds = (0.03, 0.1, 0.3, 1.0, 3.0), range(5)
runs = {}
with progress_bar(50, "run") as bar:
    for norm, lr, seed in product((False, True), grid, seeds):
        runs[norm, lr, seed] = train_network(norm, lr, seed)
        bar.update()


# %%
def at_rate(norm, lr, data):
    return np.array([accuracy(runs[norm, lr, seed][0], norm, *data) for seed in seeds])  # (seeds,)


names = {False: "no norm", True: "your BatchNorm"}
best = {norm: max(grid, key=lambda lr: at_rate(norm, lr, held_out).mean()) for norm in names}

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Each at its own best rate: how many points of test accuracy does your layer bring, on average?",
    2.7,
    within=1,
    outputs=2,
)

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "fragment"}
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
right = {norm: at_rate(norm, best[norm], test) for norm in names}  # (seeds,) each
for norm, name in names.items():
    print(f"{name:14}  lr {best[norm]}  {right[norm].mean():.1f} ± {right[norm].std(ddof=1):.1f} %")
ahead = right[True] - right[False]  # (seeds,)
print(f"ahead by {ahead.mean():.1f} points, from {ahead.min():.1f} to {ahead.max():.1f}")

# %%
print("ahead in each of the five pairs:", bool((ahead > 0).all()))

# %% slideshow={"slide_type": "subslide"}
losses = {
    name: [np.reshape(runs[norm, best[norm], seed][1], (15, 10)).mean(axis=1) for seed in seeds]
    for norm, name in names.items()
}  # (seeds, 15)
plots.curves(np.arange(5, 150, 10), losses, log=True, **plots.words("04 your layer"))

# %% [markdown] slideshow={"slide_type": "fragment"}
# Each image comes once, so each loss is one on images that the network has not been trained on yet. This is one small
# network, and 150 steps of it; how much the layer brings in another is the question of
# [lesson 5](05_mnist_with_batch_norm.ipynb). But it trains on gradients that you derived. Now spoil them: give
# `backward` a function that forgets a road, train again, and look at the losses.

# %% [markdown]
# ## Your turn
#
# | exercise | difficulty | importance | minutes |
# |---|---|---|---|
# | [04, task 1](../exercises/04_batch_norm_backward.ipynb): back through a BatchNorm that does not divide | easy | high | 10 |
# | 04, task 2: back through statistics that stand still | medium | high | 15 |
# | 04, task 3: back through weighted statistics | hard | medium | 20 |

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Test yourself
#
# Five questions before the recap. Choose an answer, and you see at once why it is right or wrong. Your
# first choices count, and the line under the questions says where they are kept.

# %% slideshow={"slide_type": "-"}
self_test("04_batch_norm_backward")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - An input reaches the output along three roads: directly, through the mean, through the variance.
# - Backward box by box: what touched many samples gathers a sum. Comparing every intermediate
#   gradient tells *where* a mistake is.
# - $dx = r\,(g - m(g) - \hat x\,m(g\hat x))$: at right angles to the ones and (up to `eps`) to
#   $\hat x$, since shift and scale change nothing.
# - `y.sum()` has gradient 0. With the statistics as constants the forward pass is unchanged, and the
#   network learns worse than with no norm at all.
# - A layer is no more than this: a forward pass, what it keeps, and a backward pass. Yours trains a network.

# %% [markdown]
# ## Go further
#
# - S. Ioffe, C. Szegedy, *Batch Normalization*, ICML 2015, arXiv:1502.03167, section 2: why the statistics must
#   have a gradient; section 3: the gradients, node by node.
# - Stanford's course CS231n, assignment 2, asks for both ways too, and its gradient check has the
#   blind spot described above.
# - T. van Laarhoven, *L2 Regularization versus Batch and Weight Normalization*, arXiv:1706.05350, 2017:
#   what blindness to scale means for the weights before the layer.
