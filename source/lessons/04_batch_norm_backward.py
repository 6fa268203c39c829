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
# *Lesson 4 · 60 minutes · demanding · the backward pass, twice*
#
# When you have finished you can
#
# - say along which three roads an input of BatchNorm reaches the output;
# - compute the gradients of `weight`, `bias` and the input node by node, and compare each
#   intermediate one with torch's;
# - derive the closed form on paper, write it in one line, and check it numerically;
# - say why `y.sum()` is a useless probe, and what a network loses whose batch statistics are treated
#   as constants.
#
# **What you need:** [lesson 2](02_batch_norm_forward.ipynb), the running statistics of
# [lesson 3](03_batch_norm_train_and_eval.ipynb), and the chain rule.

# %%
import numpy as np
import torch
from torch import nn

from normlab import load_mnist, parity, plots
from normlab.exercises import self_test
from normlab.training import article_net, fit, recorded

np.set_printoptions(precision=4, suppress=True)
torch.set_num_threads(1)  # the networks here are small

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A question first
#
# A layer turns x into y, and we ask for the gradient of the plainest loss there is: the sum of all
# outputs. For a linear layer that tells you a good deal. **For BatchNorm, what is the gradient of
# `y.sum()` with respect to x?** Take a guess: about 1 everywhere? About 1/std? Something else?

# %% slideshow={"slide_type": "fragment"}
x = np.array([[1.0, 10], [3, 10], [5, 30], [7, 38]])  # (N=4, C=2)
xt = torch.tensor(x, requires_grad=True)
nn.BatchNorm1d(2, dtype=torch.float64)(xt).sum().backward()
bool(xt.grad.abs().max() < 1e-12)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Zero, but for rounding. Whatever you do to the batch, the normalized values of each feature add up
# to 0, so nothing you do to x can change their sum. Remember this whenever you test a backward pass:
# a loss of `y.sum()` passes *any* code that gives 0.
#
# The reason is worth a second look. Nudge one single input, and see which outputs move:


# %% slideshow={"slide_type": "subslide"}
def normalize(x, eps=1e-5):
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)  # (N, C)


nudged = x.copy()
nudged[0, 0] += 1e-3
(normalize(nudged) - normalize(x)) / 1e-3

# %% [markdown] slideshow={"slide_type": "fragment"}
# One input moved, and all four outputs of its feature answered: its own, and the three of its
# companions. (The other feature did not; features share nothing.) The input reaches the outputs
# along **three roads**: directly, through the mean, and through the variance. A backward pass that
# forgets a road is wrong, and usually not in an obvious way.

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
    alt="""Computation graph of BatchNorm. From x one arrow runs to d, and another through mu, the
    mean, to d, where it is subtracted. From d one arrow runs to x-hat, and another through v, the
    mean of squares, and r, one over the root of v plus epsilon, to x-hat, where d and r are
    multiplied. From x-hat an arrow, scale and shift, leads to y.""",
)

# %% [markdown] slideshow={"slide_type": "slide"}
# Forward, we walk along the arrows. `weight` and `bias` are not 1 and 0: a weight of 1 would hide
# that we forgot it.

# %% slideshow={"slide_type": "-"}
weight, bias, eps = np.array([2.0, -0.5]), np.array([0.3, 1.0]), 1e-5  # (C,), (C,)
N = len(x)

# %% slideshow={"slide_type": "-"}
mu = x.mean(axis=0)  # (C,)
d = x - mu  # (N, C)
v = (d**2).mean(axis=0)  # (C,)
r = 1 / np.sqrt(v + eps)  # (C,)
x_hat = d * r  # (N, C)
y = weight * x_hat + bias  # (N, C)

# %% [markdown] slideshow={"slide_type": "subslide"}
# Backward, we walk against them. At each box we ask: *if this value were a little larger, how much
# would the loss change?* We write `dv` for the answer at $v$, and so on; each has the shape of its
# value. The walk begins with `dy`, the gradient that arrives from the next layer; any numbers will
# do here.

# %% slideshow={"slide_type": "fragment"}
dy = np.array([[1.0, -2], [0.5, 3], [-1, 0.7], [2, 1]])  # (N, C)

# %% [markdown] slideshow={"slide_type": "fragment"}
# To compare, we let torch run the same graph and keep the gradient at every box:


# %%
values = {"x": x, "weight": weight, "bias": bias}
t = {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}
t["mu"] = t["x"].mean(0)
t["d"] = t["x"] - t["mu"]
t["v"] = (t["d"] ** 2).mean(0)
t["r"] = 1 / torch.sqrt(t["v"] + eps)
t["x_hat"] = t["d"] * t["r"]

# %%
y = t["weight"] * t["x_hat"] + t["bias"]
# retain_graph: the graph stays, so that this cell may be run again.
gradients = torch.autograd.grad(y, list(t.values()), torch.tensor(dy), retain_graph=True)
theirs = {name: gradient.numpy() for name, gradient in zip(t, gradients, strict=True)}


# %% slideshow={"slide_type": "-"}
def same(ours, name):
    return np.allclose(ours, theirs[name], rtol=1e-12, atol=1e-14)


# %% [markdown] slideshow={"slide_type": "slide"}
# ## Backward, box by box
#
# **y.** `weight` multiplied `x_hat`, and `bias` was added. One weight touched all N samples of its
# feature, so the gradient gathers what they all say: a *sum* over the samples.

# %% slideshow={"slide_type": "fragment"}
dweight = (dy * x_hat).sum(axis=0)  # (C,)
dbias = dy.sum(axis=0)  # (C,)
dx_hat = dy * weight  # (N, C)
same(dweight, "weight"), same(dbias, "bias"), same(dx_hat, "x_hat")

# %% [markdown] slideshow={"slide_type": "subslide"}
# **x_hat = d · r.** Two roads part here. To $r$, one number for each feature, which touched all N
# samples: a sum again. To $d$: so far only the direct road, so this is not yet all of `dd`.

# %% slideshow={"slide_type": "fragment"}
dr = (dx_hat * d).sum(axis=0)  # (C,)
dd = dx_hat * r  # (N, C), one of two roads
same(dr, "r")

# %% [markdown] slideshow={"slide_type": "fragment"}
# **r = (v + ε)^(−1/2).** The derivative is $-\tfrac12 (v+\varepsilon)^{-3/2}$, which is
# $-\tfrac12 r^3$: nothing new has to be computed.

# %% slideshow={"slide_type": "fragment"}
dv = dr * -0.5 * r**3  # (C,)
same(dv, "v")

# %% [markdown] slideshow={"slide_type": "subslide"}
# **v = mean of d².** Each of the N deviations has its part: $2d/N$. Now `dd` is complete.

# %% slideshow={"slide_type": "fragment"}
dd = dx_hat * r + dv * 2 * d / N  # (N, C), both roads
same(dd, "d")

# %% [markdown] slideshow={"slide_type": "fragment"}
# **d = x − mu.** A larger mean makes all N deviations smaller: a sum, with a minus.

# %% slideshow={"slide_type": "fragment"}
dmu = -dd.sum(axis=0)  # (C,)
same(dmu, "mu")

# %% [markdown] slideshow={"slide_type": "subslide"}
# **mu = mean of x.** Each x has the N-th part in it. Together with the direct road that is all:

# %% slideshow={"slide_type": "fragment"}
dx = dd + dmu / N  # (N, C)
same(dx, "x")

# %% [markdown] slideshow={"slide_type": "fragment"}
# Eight gradients, eight times `True`. If one of them had been `False`, you would have known in which box
# to look. That is why it pays to compare the intermediate gradients, and not only the last.

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
# term is the variance's.


# %% slideshow={"slide_type": "subslide"}
def batch_norm_backward(dy, x_hat, r, weight):
    g = dy * weight  # (N, C)
    return r * (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0))  # (N, C)


same(batch_norm_backward(dy, x_hat, r, weight), "x")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Check it without torch
#
# Nudge every input up and down by a little, and watch the loss $\sum y \cdot dy$, whose gradient with
# respect to y is `dy`.


# %% slideshow={"slide_type": "-"}
def loss(x):
    return (dy * (weight * normalize(x, eps) + bias)).sum()


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
# For `(N, C, H, W)` nothing changes but the axes: every mean and sum runs over N, H and W, and N
# becomes the *number of values that share a mean*. A common slip is to keep dividing by the batch
# size; another is to leave `weight` as `(C,)`, which would line up with W (lesson 2): it wants the shape
# `(1, C, 1, 1)`. The package's twin does it right; here it is beside torch:


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
# Move one input, and look at the gradients. **How many of the eight change? And what does each column
# still add up to?**

# %% slideshow={"slide_type": "subslide"}
plots.explore.one_number(x, dy=dy * weight)

# %% [markdown] slideshow={"slide_type": "fragment"}
# All four of its own feature, and none of the other; each column still adds up to 0, wherever you pull the
# slider (but for the rounding to two decimals).
#
# Of N directions in which a feature's values could move, N − 2 remain: all but those along the ones and
# along $\hat x$. With two samples none is left:

# %% slideshow={"slide_type": "subslide"}
two = np.array([[1.0, 10], [3, 30]])  # (N=2, C)
r_two = 1 / np.sqrt(two.var(axis=0) + eps)
np.abs(batch_norm_backward(dy[:2], normalize(two, eps), r_two, weight)).round(4)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Lesson 2 found that a batch of two tells the next layer almost nothing. Now you see the other side of
# it: it tells the layer *before* almost nothing either.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Break it on purpose
#
# **1. The statistics as constants.** It is tempting: mean and variance are "only" statistics, so why
# should a gradient run through them? One word does it, `detach()` (or a `no_grad` around them), and
# the forward pass stays exactly the same:


# %% slideshow={"slide_type": "-"}
class Detached(nn.BatchNorm1d):
    def forward(self, x):
        if not self.training:
            return super().forward(x)
        with torch.no_grad():
            super().forward(x)  # for the running statistics
            mean, var = x.mean(0), x.var(0, unbiased=False)  # (C,), (C,)
        return self.weight * (x - mean) / torch.sqrt(var + self.eps) + self.bias


# %% [markdown] slideshow={"slide_type": "subslide"}
# Only the direct road is left, $dx = r\,g$. How far off is that?

# %% slideshow={"slide_type": "-"}
constant_statistics = r * dy * weight  # (N, C)
print(f"{np.abs(constant_statistics - dx).max() / np.abs(dx).max():.0%} of the largest gradient")

# %% [markdown] slideshow={"slide_type": "fragment"}
# Not a rounding error. But a network is patient: perhaps it learns all the same? The article's
# network, 200 steps, five seeds: with BatchNorm, with the detached one, and with no norm at all. **In
# which order will they come in?** Remember that the first two agree in the forward pass to the last digit.

# %%
small = load_mnist().first(12_800)


# %%
def accuracies(norm, lr=0.1):
    values = []
    for seed in range(5):
        network = article_net("batch", seed)
        network.bn1, network.bn2 = norm(256), norm(128)
        run = fit(network, small, epochs=1, lr=lr, seed=seed)
        values.append(run.final.test_accuracy)
    return np.array(values)  # (seeds,)


# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "subslide"}
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
right, wrong, none = (accuracies(norm) for norm in (nn.BatchNorm1d, Detached, nn.Identity))
for name, values in {"BatchNorm": right, "detached": wrong, "no norm": none}.items():
    print(f"{name:9} {values.mean():.1%} ± {values.std(ddof=1):.1%}")

# %%
print("detached behind BatchNorm in each pair:", bool((right > wrong + 0.1).all()))
print("detached behind no norm in each pair:  ", bool((none > wrong + 0.1).all()))

# %% [markdown] slideshow={"slide_type": "fragment"}
# The layer is worse than none at all. Nothing raises an error, and without
# the other numbers beside it nobody would know. But that was one learning rate, ours. **Is it the fault of the rate?** The same with six
# rates, eight seeds and all 10,000 test digits was recorded:

# %% slideshow={"slide_type": "subslide"}
sweep = recorded("detached_statistics")
rates = sweep.different("lr")
print(" " * 9 + "".join(f"{lr:>12}" for lr in rates))
for net in sweep.different("net"):
    runs = [100 * sweep.values("test_accuracy", net=net, lr=lr) for lr in rates]  # (seeds,) each
    cells = [f"{values.mean():.1f} ± {values.std(ddof=1):.1f}" for values in runs]
    print(f"{net:9}" + "".join(f"{cell:>12}" for cell in cells))

# %% [markdown] slideshow={"slide_type": "fragment"}
# Each network deserves its own best rate. To choose it on the test digits would be to peek; the experiment kept 5,000 training
# digits aside for that:


# %% slideshow={"slide_type": "subslide"}
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
# At every rate it is six points or more behind BatchNorm, and at its best it still loses to no norm. (Rate for rate it beats no norm at the
# smallest, where that has hardly begun, and at the largest two, where that breaks down.) **Why?** The 2015 paper gives the reason in its section 2, before it has a layer at all. Take a bias b whose mean over the batch
# is subtracted at once, and take that mean as a constant. The gradient says "raise b"; b is raised; the mean rises as much; the
# output, and the loss, are what they were. So the gradient is what it was, too:


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
# b grows without end, and the loss stands still. Every step is spent on something that changes nothing. Is it so in our network? The length of the
# first layer's bias after 200 steps, divided by what it was before:

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

# %% [markdown]
# ## Your turn
#
# | exercise | difficulty | importance | minutes |
# |---|---|---|---|
# | [04, task 1](../exercises/04_batch_norm_backward.ipynb): the gradients of weight and bias | easy | high | 10 |
# | 04, task 2: dx through the graph, node by node | medium | high | 30 |
# | 04, task 3: dx in closed form, for images too | hard | medium | 20 |

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Test yourself
#
# Five questions before the recap. Choose an answer, and you see at once why it is right or wrong. Your
# first choices are counted; `normlab progress` shows the best result.

# %% slideshow={"slide_type": "-"}
self_test("04_batch_norm_backward")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - An input reaches the output along three roads: directly, through the mean, through the variance.
# - Backward node by node: what touched many samples gathers a sum. Comparing every intermediate
#   gradient tells *where* a mistake is.
# - $dx = r\,(g - m(g) - \hat x\,m(g\hat x))$: at right angles to the ones and (up to `eps`) to
#   $\hat x$, since shift and scale change nothing.
# - `y.sum()` has gradient 0. With the statistics as constants the forward pass is unchanged, and the
#   network learns worse than with no norm at all.

# %% [markdown]
# ## Go further
#
# - S. Ioffe, C. Szegedy, *Batch Normalization*, ICML 2015, arXiv:1502.03167, section 2: why the statistics must
#   have a gradient; section 3: the gradients, node by node.
# - Stanford's course CS231n, assignment 2, asks for both ways too, and its gradient check has the
#   blind spot described above.
# - T. van Laarhoven, *L2 Regularization versus Batch and Weight Normalization*, arXiv:1706.05350, 2017:
#   what blindness to scale means for the weights before the layer.
