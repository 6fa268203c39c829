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
# # Groups in another layout, groups of any channels, and three norms in one
#
# *Exercises for lesson 8 · four tasks · about 60 minutes · NumPy alone*
#
# | task | function | difficulty | importance | minutes | points |
# |---|---|---|---|---|---|
# | 1 | `group_norm_channels_last`, for `(N, H, W, C)` | medium | high | 15 | 10 |
# | 2 | `group_norm_labelled`: a label for each channel | medium | medium | 15 | 10 |
# | 3 | `switchable_norm`: a mixture of three norms | hard | medium | 15 | 10 |
# | 4 | `two_ends`: LayerNorm and InstanceNorm | medium | high | 15 | 10 |
#
# **What you need:** [lesson 8](../notebooks/08_group_norm.ipynb), in which you wrote GroupNorm for `(N, C, *)`. All formulas are given here.

# %% [markdown]
# **How it goes.** Replace `raise NotImplementedError()` with your code, run the cell, run the
# example below it, then run the check. It knows the mistakes that people make here, and names yours
# if it is one of them. Run it as often as you like. Points come in parts, so one slip costs its own
# part and not everything.

# %%
import numpy as np

from normlab import check

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## Task 1: channels last
#
# *Medium · importance high · 15 minutes · 10 points*
#
# TensorFlow and JAX keep images as `(N, H, W, C)`. GroupNorm is the same there: `num_groups` blocks of neighbouring channels, one mean and one (biased)
# variance for each block of each sample, over its channels and all pixels; then a weight and a bias for each channel. With 6 channels and 2 groups, channels 0, 1, 2 are
# one group and 3, 4, 5 the other. But the reshape that made the groups in the lesson makes something else of this layout, and raises no error.
#
# $$\hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}}, \qquad y = \text{weight}_c \, \hat x + \text{bias}_c$$
#
# | | shape | |
# |---|---|---|
# | `x` | `(N, H, W, C)` | images |
# | `num_groups` | a number | it divides C |
# | `weight`, `bias` | `(C,)` | the scale and the shift of each channel |
# | `eps` | a number | added to the variance |
# | returns `y` | `(N, H, W, C)` | |
#
# An example: one image of one row, two pixels with four channels each, in two groups. One *pixel* a row:
#
# $$x = \begin{pmatrix} 1 & 9 & 0 & 8 \\ 9 & 1 & 8 & 0 \end{pmatrix}, \quad
# \text{weight} = (10, 5, 5, 10), \quad \text{bias} = (0, 0, 1, 1), \quad \varepsilon = 9$$
#
# The left half has mean 5, the right half 4, both the variance 16, so you divide by 5:
#
# $$y = \begin{pmatrix} -8 & 4 & -3 & 9 \\ 8 & -4 & 5 & -7 \end{pmatrix}$$
#
# <details><summary>Hint 1: which axis is cut?</summary>
#
# A reshape cuts an axis in two without moving a number, if the two new sizes stand where the old one was. Which of the four axes
# is to be cut, and how long are its two parts?
#
# </details>
#
# <details><summary>Hint 2: is it right?</summary>
#
# Fill each channel with its own number, 0 to C − 1, reshape, and print which numbers lie together in the first group.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "group_norm_channels_last", "locked": false, "schema_version": 3, "solution": true, "task": false}
def group_norm_channels_last(x, num_groups, weight, bias, eps):
    """Normalize each group of channels of each sample of x (N, H, W, C), then scale and shift."""
    ### BEGIN SOLUTION
    N, H, W, C = x.shape
    groups = x.reshape(N, H, W, num_groups, C // num_groups)
    mean = groups.mean(axis=(1, 2, 4), keepdims=True)  # (N, 1, 1, G, 1)
    var = groups.var(axis=(1, 2, 4), keepdims=True)  # (N, 1, 1, G, 1)
    x_hat = ((groups - mean) / np.sqrt(var + eps)).reshape(x.shape)
    return weight * x_hat + bias  # (C,) lines up with the last axis by itself
    ### END SOLUTION


# %%
x = np.array([[[[1.0, 9, 0, 8], [9, 1, 8, 0]]]])  # (N=1, H=1, W=2, C=4)
weight, bias = np.array([10.0, 5, 5, 10]), np.array([0.0, 0, 1, 1])
print(group_norm_channels_last(x, 2, weight, bias, eps=9)[0, 0])

# %%
check("group_norm_channels_last", group_norm_channels_last)

# %% [markdown]
# The next cell is for grading. It runs the same check, there with other numbers, and its last line
# is the points.

# %% nbgrader={"grade": true, "grade_id": "group_norm_channels_last-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("group_norm_channels_last", group_norm_channels_last)
### BEGIN HIDDEN TESTS
report = check("group_norm_channels_last", group_norm_channels_last, seed=180326)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 2: which channels belong together?
#
# *Medium · importance medium · 15 minutes · 10 points*
#
# `nn.GroupNorm` takes neighbours, as many in each group. Sometimes one knows better: red, green and blue of two cameras, sensors of three kinds, the
# heads of a pruned network, of which some have lost channels. Then each channel carries a **label**, and the channels with the same label share
# one mean and one (biased) variance, in each sample, wherever they stand and however many they are. Labels are whole numbers, in no order, and there may be gaps.
#
# | | shape | |
# |---|---|---|
# | `images` | `(N, C, H, W)` | |
# | `labels` | `(C,)` | whole numbers, one for each channel |
# | `weight`, `bias` | `(C,)` | the scale and the shift of each *channel* |
# | `eps` | a number | added to the variance |
# | returns `y` | `(N, C, H, W)` | |
#
# An example: one image of three channels with two pixels each. Channels 0 and 2 have the label 7, channel 1 has the label 2. One channel a row:
#
# $$x = \begin{pmatrix} 1 & 9 \\ 6 & 14 \\ 9 & 1 \end{pmatrix}, \quad
# \text{weight} = (5, 5, 10), \quad \text{bias} = (0, 0, 1), \quad \varepsilon = 9$$
#
# Label 7 has the mean 5, label 2 the mean 10, both the variance 16:
#
# $$y = \begin{pmatrix} -4 & 4 \\ -4 & 4 \\ 9 & -7 \end{pmatrix}$$
#
# <details><summary>Hint 1: one label at a time</summary>
#
# `np.unique(labels)` holds each label once, and `images[:, labels == 7]` the channels of label 7: an array with fewer channels.
# It can stand on the left of an equals sign, too.
#
# </details>
#
# <details><summary>Hint 2: is it right?</summary>
#
# Give every channel the same label: whose norm is it now? And with a label of its own for each channel?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "group_norm_labelled", "locked": false, "schema_version": 3, "solution": true, "task": false}
def group_norm_labelled(images, labels, weight, bias, eps):
    """Normalize the channels of each label together, in each of the images (N, C, H, W)."""
    ### BEGIN SOLUTION
    x_hat = np.empty(images.shape)
    for label in np.unique(labels):
        group = images[:, labels == label]  # (N, M, H, W)
        mean = group.mean(axis=(1, 2, 3), keepdims=True)  # (N, 1, 1, 1)
        var = group.var(axis=(1, 2, 3), keepdims=True)  # (N, 1, 1, 1)
        x_hat[:, labels == label] = (group - mean) / np.sqrt(var + eps)
    return weight.reshape(-1, 1, 1) * x_hat + bias.reshape(-1, 1, 1)
    ### END SOLUTION


# %%
images = np.array([[[[1.0, 9]], [[6, 14]], [[9, 1]]]])  # (N=1, C=3, H=1, W=2)
weight, bias = np.array([5.0, 5, 10]), np.array([0.0, 0, 1])
y = group_norm_labelled(images, np.array([7, 2, 7]), weight, bias, eps=9)
print(y[0, :, 0])

# %%
check("group_norm_labelled", group_norm_labelled)

# %% nbgrader={"grade": true, "grade_id": "group_norm_labelled-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("group_norm_labelled", group_norm_labelled)
### BEGIN HIDDEN TESTS
report = check("group_norm_labelled", group_norm_labelled, seed=180326)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 3: why choose?
#
# *Hard · importance medium · 15 minutes · 10 points*
#
# *Switchable normalization* (Luo and others, 2019) does not choose between InstanceNorm, LayerNorm and BatchNorm. It takes the mean and the (biased) variance
# of all three, mixes the three **means** with shares that the network learns, mixes the three **variances** with other shares, and normalizes once:
#
# $$\mu = \sum_k a_k \, \mu_k, \qquad \sigma^2 = \sum_k b_k \, \sigma_k^2, \qquad
# y = \text{weight}_c \; \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \text{bias}_c$$
#
# | k | norm | one mean and one variance for each |
# |---|---|---|
# | 0 | InstanceNorm | channel of each image |
# | 1 | LayerNorm, over `[C, H, W]` | image |
# | 2 | BatchNorm | channel |
#
# Each variance is taken about its *own* mean. The shares are given here, and add up to 1. (In the paper they come out of a softmax.)
#
# | | shape | |
# |---|---|---|
# | `x` | `(N, C, H, W)` | |
# | `mean_shares`, `var_shares` | `(3,)` | $a$ and $b$, in the order of the table |
# | `weight`, `bias` | `(C,)` | |
# | `eps` | a number | added to the mixed variance |
# | returns `y` | `(N, C, H, W)` | |
#
# An example: one image of two channels with two pixels each, one channel a row. The weight is 1 and the bias 0.
#
# $$x = \begin{pmatrix} 0 & 4 \\ 8 & 12 \end{pmatrix}, \quad a = (0.5, 0.5, 0), \quad b = (0, 0.75, 0.25), \quad \varepsilon = 0$$
#
# Each channel has variance 4, about the means 2 and 10, for InstanceNorm and (in a batch of one) for BatchNorm. The image has mean 6 and variance 20. So the mixed means are 4 and 8,
# the mixed variance is 15 + 1 = 16:
#
# $$y = \begin{pmatrix} -1 & 0 \\ 0 & 1 \end{pmatrix}$$
#
# <details><summary>Hint 1: three shapes</summary>
#
# The three means have the shapes `(N, C, 1, 1)`, `(N, 1, 1, 1)` and `(1, C, 1, 1)`. NumPy adds them to the largest of these by itself.
#
# </details>
#
# <details><summary>Hint 2: one at a time</summary>
#
# Give the whole share to one norm, in both. Then you know what should come out.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "switchable_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def switchable_norm(x, mean_shares, var_shares, weight, bias, eps):
    """Normalize x (N, C, H, W) with mixed means and mixed variances of three norms."""
    ### BEGIN SOLUTION
    mean, var = 0, 0
    axes = [(2, 3), (1, 2, 3), (0, 2, 3)]  # InstanceNorm, LayerNorm, BatchNorm
    for a, b, axis in zip(mean_shares, var_shares, axes, strict=True):
        mean = mean + a * x.mean(axis=axis, keepdims=True)
        var = var + b * x.var(axis=axis, keepdims=True)
    x_hat = (x - mean) / np.sqrt(var + eps)
    return weight.reshape(-1, 1, 1) * x_hat + bias.reshape(-1, 1, 1)
    ### END SOLUTION


# %%
x = np.array([[[[0.0, 4]], [[8, 12]]]])  # (N=1, C=2, H=1, W=2)
shares = np.array([0.5, 0.5, 0]), np.array([0, 0.75, 0.25])
y = switchable_norm(x, *shares, weight=np.ones(2), bias=np.zeros(2), eps=0)
print(y[0, :, 0])

# %%
check("switchable_norm", switchable_norm)

# %% nbgrader={"grade": true, "grade_id": "switchable_norm-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("switchable_norm", switchable_norm)
### BEGIN HIDDEN TESTS
report = check("switchable_norm", switchable_norm, seed=180326)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 4: the two ends
#
# *Medium · importance high · 15 minutes · 10 points*
#
# `num_groups` can be anything from 1 to C. At its two ends GroupNorm normalizes exactly as two
# other layers do, and you need no new formula for them:
#
# - `nn.LayerNorm([C, H, W])` takes one mean and one variance for each sample.
# - `nn.InstanceNorm2d(C)` takes one mean and one variance for each channel of each sample.
#
# That holds for the normalizing half. What comes after is not the same in the three layers:
#
# | layer | weight and bias |
# |---|---|
# | `nn.GroupNorm(G, C)` | `(C,)`, one for each channel |
# | `nn.LayerNorm([C, H, W])` | `(C, H, W)`, one for each *element* of a sample |
# | `nn.InstanceNorm2d(C)` | none, unless you ask for them |
#
# So `GroupNorm(1, C)` and `LayerNorm([C, H, W])` are *not* the same layer, once they have learned
# something: neither can load the other's weights.
#
# Write both as one function. Your `group_norm_forward` of lesson 8 may help: copy it into the cell below. Or write the two
# layers out.
#
# | | shape | |
# |---|---|---|
# | `x` | `(N, C, H, W)` | |
# | `weight`, `bias` | `(C, H, W)` | LayerNorm's |
# | `eps` | a number | the same for both |
# | returns `layer, instance` | `(N, C, H, W)` each | what the two layers make of `x`, in this order |
#
# An example with one sample of two channels, 2×3 numbers, one channel a row:
#
# $$x = \begin{pmatrix} -2 & -2 & 4 \\ 10 & 10 & 4 \end{pmatrix}, \quad
# \text{weight} = \begin{pmatrix} 5 & 10 & 5 \\ 5 & 5 & 5 \end{pmatrix}, \quad
# \text{bias} = \begin{pmatrix} 0 & 0 & 1 \\ 0 & 0 & 2 \end{pmatrix}, \quad \varepsilon = 1$$
#
# All six numbers together have mean 4 and variance 24; each channel has variance 8, about the means
# 0 and 8. So LayerNorm divides by 5 and InstanceNorm by 3:
#
# $$\text{layer} = \begin{pmatrix} -6 & -12 & 1 \\ 6 & 6 & 2 \end{pmatrix}, \quad
# \text{instance} = \frac13 \begin{pmatrix} -2 & -2 & 4 \\ 2 & 2 & -4 \end{pmatrix}$$
#
# <details><summary>Hint 1: which end is which?</summary>
#
# How many groups are there, if each channel is a group? How many channels are in a group, if there
# is one group?
#
# </details>
#
# <details><summary>Hint 2: a weight for each element</summary>
#
# `group_norm_forward` can only take one weight for each channel. With which weight and bias
# does it leave the normalized values as they are? What is left to do after that?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "two_ends", "locked": false, "schema_version": 3, "solution": true, "task": false}
def two_ends(x, weight, bias, eps):
    """Return LayerNorm([C, H, W]) with weight and bias, and InstanceNorm2d(C), of x."""

    ### BEGIN SOLUTION
    def normalized(axes):
        mean, var = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
        return (x - mean) / np.sqrt(var + eps)

    layer = normalized((1, 2, 3)) * weight + bias  # one group
    instance = normalized((2, 3))  # a group for each channel
    return layer, instance
    ### END SOLUTION


# %%
x = np.array([[[[-2.0, -2, 4]], [[10, 10, 4]]]])  # (N=1, C=2, H=1, W=3)
weight = np.array([[[5.0, 10, 5]], [[5, 5, 5]]])  # (C=2, H=1, W=3)
bias = np.array([[[0.0, 0, 1]], [[0, 0, 2]]])
layer, instance = two_ends(x, weight, bias, eps=1)
print("layer:   ", *layer[0, :, 0])
print("instance:", *instance[0, :, 0])

# %%
check("two_ends", two_ends)

# %% nbgrader={"grade": true, "grade_id": "two_ends-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("two_ends", two_ends)
### BEGIN HIDDEN TESTS
report = check("two_ends", two_ends, seed=180326)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## What you have now
#
# - GroupNorm in another layout: cut the axis of the channels, wherever it is, and no other.
# - Groups of any channels, of any sizes: a mean needs a set of numbers, and no order.
# - A mixture of norms, in whose statistics the three differ, and in nothing else.
# - What `num_groups` does not change: GroupNorm's weights are one for each channel, LayerNorm's one for
#   each element, and InstanceNorm has none by default.
