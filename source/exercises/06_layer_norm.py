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

# %% [markdown]
# # Write LayerNorm, forward and back, and keep padding out of it
#
# *Exercises for lesson 6 · three tasks · about 55 minutes · NumPy alone*
#
# | task | function | difficulty | importance | minutes | points |
# |---|---|---|---|---|---|
# | 1 | `layer_norm_forward`, over the trailing axes | easy | high | 15 | 10 |
# | 2 | `layer_norm_backward` | medium | high | 20 | 10 |
# | 3 | `sequence_norm_padded`, for sequences of different lengths | medium | medium | 20 | 10 |
#
# **What you need:** lessons 2 and 4 (04_batch_norm_backward), or their formulas, which are repeated
# here; and lesson 6 (06_layer_norm) for the pictures.

# %%
import numpy as np

from normlab import check

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## Task 1: forward, over the trailing axes
#
# *Easy · importance high · 15 minutes · 10 points*
#
# LayerNorm does to a *sample* what BatchNorm does to a channel: subtract the mean, divide by
# $\sqrt{\text{var} + \varepsilon}$, multiply by weight, add bias. Mean and variance belong to the
# sample; weight and bias to the feature, and all samples share them. The variance divides by n.
#
# What "sample" means is said by the shape of `weight`, which PyTorch calls `normalized_shape`: the
# mean runs over as many *last* axes as weight has.
#
# | x | weight, bias | one mean for each |
# |---|---|---|
# | `(N, D)` | `(D,)` | sample |
# | `(B, T, D)`, a sequence of T tokens | `(D,)` | token |
# | `(B, T, D)` | `(T, D)` | sequence |
# | `(N, C, H, W)` | `(C, H, W)` | image |
#
# | | shape | |
# |---|---|---|
# | `x` | `(..., *weight.shape)` | any number of axes before those of weight |
# | `weight`, `bias` | 1, 2 or 3 axes | |
# | `eps` | a number | added to the variance |
# | returns `y` | that of `x` | |
#
# An example with N = 2 and D = 3:
#
# $$x = \begin{pmatrix} 9 & 9 & -3 \\ 18 & 6 & 6 \end{pmatrix}, \quad
# \text{weight} = (3, 6, 3), \quad \text{bias} = (0, 0, 1), \quad \varepsilon = 4$$
#
# The means of the samples are 5 and 10, both variances 32, so you divide by 6:
#
# $$\hat x = \tfrac13 \begin{pmatrix} 2 & 2 & -4 \\ 4 & -2 & -2 \end{pmatrix}, \quad
# y = \begin{pmatrix} 2 & 4 & -3 \\ 4 & -4 & -1 \end{pmatrix}$$
#
# <details><summary>Hint 1: lining up</summary>
#
# The means of `(N, D)` have the shape `(N,)`, and NumPy lines that up with the last axis, which is the
# wrong one. `keepdims=True` leaves `(N, 1)`. weight and bias line up by themselves.
#
# </details>
#
# <details><summary>Hint 2: which axes</summary>
#
# `weight.ndim` says how many, and negative numbers count axes from the end.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "layer_norm_forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def layer_norm_forward(x, weight, bias, eps):
    """Normalize x over the last axes, as many as weight has. Returns the shape of x."""
    ### BEGIN SOLUTION
    axes = tuple(range(-weight.ndim, 0))
    mean = x.mean(axis=axes, keepdims=True)
    var = x.var(axis=axes, keepdims=True)
    return weight * (x - mean) / np.sqrt(var + eps) + bias
    ### END SOLUTION


# %%
x = np.array([[9.0, 9, -3], [18, 6, 6]])  # (N=2, D=3)
weight, bias = np.array([3.0, 6, 3]), np.array([0.0, 0, 1])
layer_norm_forward(x, weight, bias, eps=4)

# %%
check("layer_norm_forward", layer_norm_forward)

# %% [markdown]
# The next cell is for grading. It runs the same check, there with other numbers, and its last line
# is the points.

# %% nbgrader={"grade": true, "grade_id": "layer_norm_forward-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("layer_norm_forward", layer_norm_forward)
### BEGIN HIDDEN TESTS
report = check("layer_norm_forward", layer_norm_forward, seed=150206)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 2: backward
#
# *Medium · importance high · 20 minutes · 10 points*
#
# With $d\hat x = dy \cdot \text{weight}$, $r = 1/\sqrt{\text{var}+\varepsilon}$ and $m(\cdot)$ the mean
# over the values that share a mean in the forward pass,
#
# $$dx = r \, \big(\, d\hat x - m(d\hat x) - \hat x \; m(d\hat x \cdot \hat x) \,\big).$$
#
# It is BatchNorm's line. Two things are different: the axes, and that the values of one mean now have
# *different* weights. dweight and dbias are sums of $dy \cdot \hat x$ and of $dy$ over everything that
# one weight, or one bias, touched.
#
# What you are given is a right forward pass. `mean` and `var` keep the averaged axes with length 1.
#
# | | shape | for a weight `(D,)` |
# |---|---|---|
# | `dy`, `x`, `x_hat` | `(..., *weight.shape)` | `(N, D)` or `(B, T, D)` |
# | `mean`, `var` | the same, with 1 for each axis of weight | `(N, 1)` or `(B, T, 1)` |
# | `weight` | 1 or 2 axes | `(D,)` |
# | `eps` | a number | |
# | returns `dx, dweight, dbias` | that of x, of weight, of weight | three arrays, in this order |
#
# The example goes on, with N = 2 and D = 3:
#
# $$dy = \begin{pmatrix} 24 & 10 & -32 \\ 4 & 3 & 2 \end{pmatrix} \quad \text{gives} \quad
# d\hat x = \begin{pmatrix} 72 & 60 & -96 \\ 12 & 18 & 6 \end{pmatrix}, \quad
# dx = \begin{pmatrix} 2 & 0 & -2 \\ 0 & 1 & -1 \end{pmatrix},$$
#
# $$\text{dweight} = (21.3333, 4.6667, 41.3333), \quad \text{dbias} = (28, 13, -30)$$
#
# In the first row $m(d\hat x) = 12$ and $m(d\hat x \cdot \hat x) = 72$.
#
# <details><summary>Hint 1: two sets of axes</summary>
#
# A statistic is shared by the *last* axes, a weight by all the *others*. Each axis of x is in one of the
# two sets.
#
# </details>
#
# <details><summary>Hint 2: when to multiply by weight</summary>
#
# In BatchNorm, weight is the same for all the values of a mean, and may as well come at the end. Here it
# may not.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "layer_norm_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def layer_norm_backward(dy, x, mean, var, x_hat, weight, eps):
    """Return dx in the shape of x, dweight and dbias in that of weight."""
    ### BEGIN SOLUTION
    last = tuple(range(x.ndim - weight.ndim, x.ndim))  # share a mean
    others = tuple(range(x.ndim - weight.ndim))  # share a weight
    dx_hat = dy * weight
    m = dx_hat.mean(axis=last, keepdims=True)
    m_x_hat = (dx_hat * x_hat).mean(axis=last, keepdims=True)
    dx = (dx_hat - m - x_hat * m_x_hat) / np.sqrt(var + eps)
    return dx, (dy * x_hat).sum(axis=others), dy.sum(axis=others)
    ### END SOLUTION


# %%
dy = np.array([[24.0, 10, -32], [4, 3, 2]])  # (N=2, D=3)
mean, var = np.array([[5.0], [10]]), np.array([[32.0], [32]])  # (N, 1)
x_hat = np.array([[2.0, 2, -4], [4, -2, -2]]) / 3
dx, dweight, dbias = layer_norm_backward(dy, x, mean, var, x_hat, weight, eps=4)
print(dx)
print("dweight", dweight, "dbias", dbias)

# %%
check("layer_norm_backward", layer_norm_backward)

# %% nbgrader={"grade": true, "grade_id": "layer_norm_backward-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("layer_norm_backward", layer_norm_backward)
### BEGIN HIDDEN TESTS
report = check("layer_norm_backward", layer_norm_backward, seed=150206)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 3: sequences of different lengths
#
# *Medium · importance medium · 20 minutes · 10 points*
#
# Sequences of different lengths travel in one array: each is filled up to the longest with *padding*.
# A LayerNorm over D alone does not mind, since each token has its own mean. But take one mean and one
# variance for the *whole sequence*, over all its tokens and features (speech separation does this, and
# calls it global layer normalization: Luo & Mesgarani, 2019). Now the padding is in the way: it must not
# enter the mean or the variance, and it should come out as 0. What stands in the padding on the way
# in is left over from something else. Do not rely on it.
#
# | | shape | |
# |---|---|---|
# | `x` | `(B, T, D)` | B sequences of T tokens; only the first `lengths[b]` tokens of each are real |
# | `lengths` | `(B,)` | whole numbers from 1 to T |
# | `weight`, `bias` | `(D,)` | the scale and the shift of each feature |
# | `eps` | a number | added to the variance |
# | returns `y` | `(B, T, D)` | real tokens normalized with the mean and variance (divided by n) of their own sequence's real values, then scaled and shifted; padding exactly 0 |
#
# An example with 2 sequences of 3 tokens with 2 features. The first has 2 real tokens, the second 1.
# The numbers in brackets are padding:
#
# $$x_0 = \begin{pmatrix} 1 & 9 \\ 9 & 1 \\ (77) & (-7) \end{pmatrix}, \quad
# x_1 = \begin{pmatrix} 1 & 9 \\ (50) & (60) \\ (0) & (3) \end{pmatrix}, \quad
# \text{weight} = (5, 10), \quad \text{bias} = (1, 0), \quad \varepsilon = 9$$
#
# Both means are 5, over 4 values and over 2, and both variances 16. So
#
# $$y_0 = \begin{pmatrix} -3 & 8 \\ 5 & -8 \\ 0 & 0 \end{pmatrix}, \quad
# y_1 = \begin{pmatrix} -3 & 8 \\ 0 & 0 \\ 0 & 0 \end{pmatrix}$$
#
# <details><summary>Hint 1: a mask</summary>
#
# An array `(B, T, 1)` that is 1 where a token is real and 0 where not. `np.arange(T)` counts positions;
# compare it with `lengths`, stood upright.
#
# </details>
#
# <details><summary>Hint 2: sums instead of means</summary>
#
# A mean is a sum over a count. Multiply by the mask before you add up, and count only real values: how
# many are there in a sequence of 2 tokens?
#
# </details>
#
# <details><summary>Hint 3: the variance</summary>
#
# At a padded position $x - \text{mean}$ is not 0, even if x was. And at the end: what does `bias` do to
# a 0?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "sequence_norm_padded", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sequence_norm_padded(x, lengths, weight, bias, eps):
    """Normalize each sequence of x (B, T, D) over its real tokens. Returns y (B, T, D)."""
    ### BEGIN SOLUTION
    real = (np.arange(x.shape[1]) < lengths[:, None])[..., None]  # (B, T, 1)
    count = (lengths * x.shape[2]).reshape(-1, 1, 1)  # (B, 1, 1)
    mean = (x * real).sum(axis=(1, 2), keepdims=True) / count  # (B, 1, 1)
    deviations = (x - mean) * real  # (B, T, D)
    var = (deviations**2).sum(axis=(1, 2), keepdims=True) / count  # (B, 1, 1)
    return (weight * deviations / np.sqrt(var + eps) + bias) * real  # (B, T, D)
    ### END SOLUTION


# %%
x = np.array([[[1.0, 9], [9, 1], [77, -7]], [[1, 9], [50, 60], [0, 3]]])  # (B=2, T=3, D=2)
lengths = np.array([2, 1])
sequence_norm_padded(x, lengths, weight=np.array([5.0, 10]), bias=np.array([1.0, 0]), eps=9)

# %%
check("sequence_norm_padded", sequence_norm_padded)

# %% nbgrader={"grade": true, "grade_id": "sequence_norm_padded-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("sequence_norm_padded", sequence_norm_padded)
### BEGIN HIDDEN TESTS
report = check("sequence_norm_padded", sequence_norm_padded, seed=150206)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## What you have now
#
# - LayerNorm, forward and back: BatchNorm's formulas on other axes, with weight and bias on the axes
#   that share a mean.
# - A habit for everything that travels in padded arrays: change the padding, and see whether an
#   answer changes that should not.
