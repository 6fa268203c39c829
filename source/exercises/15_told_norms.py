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
# # Tell a norm what to do
#
# *Exercises for lesson 15 · three tasks · about 45 minutes · NumPy alone*
#
# | task | function | difficulty | importance | minutes | points |
# |---|---|---|---|---|---|
# | 1 | `conditional_batch_norm`: BatchNorm that is told a class | easy | medium | 15 | 10 |
# | 2 | `told_group_norm`: GroupNorm that is told the time | medium | high | 15 | 10 |
# | 3 | `spade`: a norm that is told a map | hard | medium | 15 | 10 |
#
# **What you need:** BatchNorm for images (lesson 2), InstanceNorm (lesson 7), GroupNorm (lesson 8).
# All formulas are given here. No lesson prints an answer.
#
# **How it goes.** Replace `raise NotImplementedError()` with your code, run the cell, run the
# example below it, then run the check. It knows the mistakes that people make here, and names yours
# if it is one of them. Run it as often as you like. Points come in parts, so one slip costs its own
# part and not everything.

# %%
import numpy as np

from normlab import check

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## Task 1: told a class
#
# *Easy · importance medium · 15 minutes · 10 points*
#
# A generator of images hears which class it is to paint in its BatchNorms (so does BigGAN: ajbrock/BigGAN-PyTorch at
# 07f9ba3, `layers.py`, ccbn). Mean and
# *biased* variance are BatchNorm's own: one of each for a channel, over the whole batch and all pixels. Only what comes after
# them depends on the class: two tables hold a row for each class, and a number in it for each channel.
#
# $$\hat x = \frac{x - \mu_c}{\sqrt{\sigma_c^2 + \varepsilon}}, \qquad
# y = (1 + \text{gain}_{k,c}) \, \hat x + \text{bias}_{k,c}, \qquad k = \text{the sample's class}$$
#
# | | shape | |
# |---|---|---|
# | `x` | `(N, C, H, W)` | N images |
# | `labels` | `(N,)` | the class of each, whole numbers from 0 |
# | `gain`, `bias` | `(classes, C)` | a row for each class |
# | `eps` | a number | added to the variance |
# | returns `y` | `(N, C, H, W)` | |
#
# An example that you can follow in your head: two images of one channel and two pixels, of classes 2 and 0.
#
# $$x = \begin{pmatrix} 1 & 1 \end{pmatrix}, \begin{pmatrix} 7 & 7 \end{pmatrix}, \quad
# \text{gain} = (1, 5, -1), \quad \text{bias} = (0, 10, 20), \quad \varepsilon = 7$$
#
# The mean is 4 and the variance 9, so you divide by 4, and $\hat x$ is −0.75 and 0.75. The first image is told −1 and 20 and comes out
# as 20 everywhere; the second is told 1 and 0 and comes out as 1.5.
#
# <details><summary>Hint 1: a row for each sample</summary>
#
# NumPy reads several rows of a table at once: `table[[2, 0, 2]]` has three rows. What shape has `gain[labels]`?
#
# </details>
#
# <details><summary>Hint 2: lining up</summary>
#
# `(N, C)` has to lie along the first two axes of `(N, C, H, W)`. It needs two more axes, of length 1, at its end.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "conditional_batch_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conditional_batch_norm(x, labels, gain, bias, eps):
    """Normalize x (N, C, H, W) by the batch; scale and shift by class. Returns the same shape."""
    ### BEGIN SOLUTION
    mean = x.mean(axis=(0, 2, 3), keepdims=True)  # (1, C, 1, 1)
    var = x.var(axis=(0, 2, 3), keepdims=True)  # (1, C, 1, 1)
    x_hat = (x - mean) / np.sqrt(var + eps)  # (N, C, H, W)
    scale, shift = 1 + gain[labels], bias[labels]  # (N, C) each
    return x_hat * scale[:, :, None, None] + shift[:, :, None, None]  # (N, C, H, W)
    ### END SOLUTION


# %%
x = np.array([[[[1.0, 1]]], [[[7, 7]]]])  # (N=2, C=1, H=1, W=2)
gain, bias = np.array([[1.0], [5], [-1]]), np.array([[0.0], [10], [20]])  # (classes=3, C=1)
print(conditional_batch_norm(x, np.array([2, 0]), gain, bias, eps=7)[:, 0, 0])

# %%
check("conditional_batch_norm", conditional_batch_norm)

# %% [markdown]
# The next cell is for grading. It runs the same check, there with other numbers, and its last line
# is the points.

# %% nbgrader={"grade": true, "grade_id": "conditional_batch_norm-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("conditional_batch_norm", conditional_batch_norm)
### BEGIN HIDDEN TESTS
report = check("conditional_batch_norm", conditional_batch_norm, seed=221219)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 2: told the time
#
# *Medium · importance high · 15 minutes · 10 points*
#
# The U-Net of a diffusion model hears the time in its GroupNorms. The condition, a vector for each sample, goes through
# a SiLU and a linear layer. That gives 2C numbers: **the first C are the scale, the last C the shift**. (In a
# DiT it is the other order.)
#
# $$\text{silu}(c) = \frac{c}{1 + e^{-c}}, \qquad (\text{scale}, \text{shift}) = W\,\text{silu}(c) + b, \qquad
# y = (1 + \text{scale}) \cdot \hat h + \text{shift}$$
#
# with $\hat h$ what GroupNorm without weight and bias makes of $h$: the channels in `num_groups` groups of neighbours, one mean and one
# biased variance for each group of each sample, over its channels and all pixels, `eps` under the root.
#
# | | shape | |
# |---|---|---|
# | `h` | `(N, C, H, W)` | C divisible by `num_groups` |
# | `condition` | `(N, K)` | what each sample is told, before the SiLU |
# | `weight`, `bias` | `(2C, K)`, `(2C,)` | of the linear layer |
# | `num_groups`, `eps` | numbers | |
# | returns `y` | `(N, C, H, W)` | |
#
# An example: one sample of two channels with one pixel each, in one group, told nothing but a bias.
#
# $$h = (2, 8), \quad c = 0, \quad b = (1, 0, 0, 10), \quad \varepsilon = 16$$
#
# The mean is 5 and the variance 9, so you divide by 5, and $\hat h = (-0.6, 0.6)$. The scales are 1 and 0, the shifts 0 and 10:
# $y = (-1.2, 10.6)$.
#
# <details><summary>Hint 1: groups</summary>
#
# Laid out as `(N, num_groups, everything else)`, a group is a row, and mean and variance run along the last axis. Afterwards the
# old shape comes back.
#
# </details>
#
# <details><summary>Hint 2: is it right?</summary>
#
# `torch.nn.functional.group_norm`, `silu` and `linear` do the three parts. Compare part by part (in your own cell: the function itself
# is to be NumPy).
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "told_group_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def told_group_norm(h, condition, weight, bias, num_groups, eps):
    """Normalize h (N, C, H, W) in groups; scale and shift as condition (N, K) says."""
    ### BEGIN SOLUTION
    told = condition / (1 + np.exp(-condition)) @ weight.T + bias  # (N, 2C)
    scale, shift = np.split(told[:, :, None, None], 2, axis=1)  # (N, C, 1, 1) each
    rows = h.reshape(len(h), num_groups, -1)  # (N, G, C / G * H * W)
    mean, var = rows.mean(axis=2, keepdims=True), rows.var(axis=2, keepdims=True)  # (N, G, 1)
    h_hat = ((rows - mean) / np.sqrt(var + eps)).reshape(h.shape)  # (N, C, H, W)
    return h_hat * (1 + scale) + shift  # (N, C, H, W)
    ### END SOLUTION


# %%
h = np.array([2.0, 8]).reshape(1, 2, 1, 1)  # (N=1, C=2, H=1, W=1)
nothing, b = np.zeros((1, 1)), np.array([1.0, 0, 0, 10])  # (N, K=1), (2C,)
print(told_group_norm(h, nothing, np.zeros((4, 1)), b, num_groups=1, eps=16).ravel())

# %%
check("told_group_norm", told_group_norm)

# %% nbgrader={"grade": true, "grade_id": "told_group_norm-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("told_group_norm", told_group_norm)
### BEGIN HIDDEN TESTS
report = check("told_group_norm", told_group_norm, seed=221219)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 3: told a map
#
# *Hard · importance medium · 15 minutes · 10 points*
#
# SPADE paints a scene from a map of labels: sky, road, tree. Each norm hears the map, at *every pixel*. Here the norm is
# InstanceNorm without weight and bias (one mean and one biased variance for each channel of each image, over its pixels), and each label
# has a row in two tables, as each class had in task 1. (The paper computes both from the map with two convolutions that see the
# neighbours, too; a table is a convolution that sees one pixel.)
#
# $$y_{nchw} = (1 + \text{gain}_{k,c}) \, \hat x_{nchw} + \text{bias}_{k,c}, \qquad k = \text{the label of pixel } (h, w)
# \text{ in image } n$$
#
# Deep in the network images are small, near its end large, and the map has one size. Here it is smaller than the image, or as large: one label
# stands for a square of `H / h` by `H / h` pixels (and `W / w` is the same number).
#
# | | shape | |
# |---|---|---|
# | `x` | `(N, C, H, W)` | N images |
# | `label_map` | `(N, h, w)` | a map for each, whole numbers from 0 |
# | `gain`, `bias` | `(labels, C)` | a row for each label |
# | `eps` | a number | added to the variance |
# | returns `y` | `(N, C, H, W)` | |
#
# An example with one image of one channel, and a map of one row:
#
# $$x = \begin{pmatrix} 1 & 7 & 1 & 7 \\ 1 & 7 & 1 & 7 \end{pmatrix}, \quad
# \text{map} = \begin{pmatrix} 0 & 1 \end{pmatrix}, \quad
# \text{gain} = (0, 1), \quad \text{bias} = (0, 10), \quad \varepsilon = 7$$
#
# Mean 4, variance 9: $\hat x = \mp 0.75$. The left half is told 0 and 0, the right half 1 and 10:
#
# $$y = \begin{pmatrix} -0.75 & 0.75 & 8.5 & 11.5 \\ -0.75 & 0.75 & 8.5 & 11.5 \end{pmatrix}$$
#
# <details><summary>Hint 1: a larger map</summary>
#
# `np.array([0, 1]).repeat(2)` is 0, 0, 1, 1. `repeat` takes an `axis`; the map has two to enlarge.
#
# </details>
#
# <details><summary>Hint 2: where do the channels go?</summary>
#
# Print the shape of `gain[labels]` for labels `(N, H, W)`. The channels are at its end; where does x have them? `np.moveaxis` moves one axis and
# leaves the others in their order.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "spade", "locked": false, "schema_version": 3, "solution": true, "task": false}
def spade(x, label_map, gain, bias, eps):
    """Normalize each map of x (N, C, H, W); scale and shift each pixel by its label."""
    ### BEGIN SOLUTION
    mean, var = x.mean(axis=(2, 3), keepdims=True), x.var(axis=(2, 3), keepdims=True)
    x_hat = (x - mean) / np.sqrt(var + eps)  # (N, C, H, W)
    times = x.shape[2] // label_map.shape[1]
    labels = label_map.repeat(times, axis=1).repeat(times, axis=2)  # (N, H, W)
    scale = np.moveaxis(1 + gain[labels], -1, 1)  # (N, C, H, W)
    shift = np.moveaxis(bias[labels], -1, 1)  # (N, C, H, W)
    return x_hat * scale + shift  # (N, C, H, W)
    ### END SOLUTION


# %%
x = np.array([[[[1.0, 7, 1, 7], [1, 7, 1, 7]]]])  # (N=1, C=1, H=2, W=4)
label_map = np.array([[[0, 1]]])  # (N=1, h=1, w=2)
print(spade(x, label_map, np.array([[0.0], [1]]), np.array([[0.0], [10]]), eps=7)[0, 0])

# %%
check("spade", spade)

# %% nbgrader={"grade": true, "grade_id": "spade-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("spade", spade)
### BEGIN HIDDEN TESTS
report = check("spade", spade, seed=221219)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## What you have now
#
# - One formula, $(1 + \text{scale}) \cdot \hat x + \text{shift}$, told by a class, by a time and by a map: what differs is the norm before it,
#   and how many numbers share a scale.
# - Three orders and conventions to ask about before you load anybody's weights: scale or shift first, 1 + scale or scale, what stands before
#   the linear layer.
