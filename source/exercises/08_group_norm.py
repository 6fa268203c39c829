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
# # Write GroupNorm, and find two other layers at its ends
#
# *Exercises for lesson 8 · three tasks · about 55 minutes · NumPy alone*
#
# | task | function | difficulty | importance | minutes | points |
# |---|---|---|---|---|---|
# | 1 | `group_norm_forward`, for `(N, C, *)` | medium | high | 20 | 10 |
# | 2 | `group_norm_backward`: dx, dweight, dbias | hard | medium | 25 | 10 |
# | 3 | `two_ends`: LayerNorm and InstanceNorm | medium | high | 10 | 10 |
#
# **What you need:** the forward pass of BatchNorm (lesson 2); for task 2 its backward pass
# (lesson 4). All formulas are given here.
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
# ## Task 1: groups of channels
#
# *Medium · importance high · 20 minutes · 10 points*
#
# GroupNorm (Wu & He, 2018) never looks at another sample. It cuts the C channels of *one* sample
# into `num_groups` blocks of neighbours. All values of a block, its channels and all their pixels
# together, share one mean $\mu$ and one (biased) variance $\sigma^2$:
#
# $$\hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}}, \qquad
# y = \text{weight}_c \, \hat x + \text{bias}_c$$
#
# With 6 channels and 2 groups, channels 0, 1, 2 are one group and 3, 4, 5 the other. The statistics
# are one for each group; the weights are one for each *channel* $c$.
#
# | | shape | |
# |---|---|---|
# | `x` | `(N, C, *)` | `(N, C)`, `(N, C, L)` or `(N, C, H, W)`: write it for all of them |
# | `num_groups` | a number | it divides C |
# | `weight`, `bias` | `(C,)` | the scale and the shift of each channel |
# | `eps` | a number | added to the variance |
# | returns `y` | like `x` | |
#
# An example that you can follow in your head: one sample, four channels of three pixels, two groups.
# Each group is a block of 2×3 numbers, one channel a row:
#
# $$x_{\text{group } 0} = \begin{pmatrix} 1 & 1 & 1 \\ 9 & 9 & 9 \end{pmatrix}, \quad
# x_{\text{group } 1} = \begin{pmatrix} 0 & 8 & 0 \\ 8 & 0 & 8 \end{pmatrix}, \quad
# \text{weight} = (10, 5, 5, 10), \quad \text{bias} = (0, 0, 1, 1), \quad \varepsilon = 9$$
#
# The means of the groups are 5 and 4, both variances 16, so you divide by 5 in both groups:
#
# $$y_{\text{group } 0} = \begin{pmatrix} -8 & -8 & -8 \\ 4 & 4 & 4 \end{pmatrix}, \quad
# y_{\text{group } 1} = \begin{pmatrix} -3 & 5 & -3 \\ 9 & -7 & 9 \end{pmatrix}$$
#
# Leave `x` as you got it: whoever calls your function may still need it.
#
# <details><summary>Hint 1: make the groups an axis</summary>
#
# NumPy averages over axes, so give the groups an axis of their own: from `(N, C, H, W)` to
# `(N, G, C/G, H, W)`. Number the channels 0 to 5, reshape, and look which numbers lie together.
#
# </details>
#
# <details><summary>Hint 2: any number of axes</summary>
#
# `x.shape[2:]` is whatever comes after the channels, and it may be empty. `*` unpacks it into a
# longer shape. A size of -1 lets NumPy work one size out.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "group_norm_forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def group_norm_forward(x, num_groups, weight, bias, eps):
    """Normalize each group of channels of each sample of x (N, C, *), then scale and shift."""
    ### BEGIN SOLUTION
    N, C = x.shape[:2]
    groups = x.reshape(N, num_groups, -1)  # (N, G, C/G * spatial)
    mean = groups.mean(axis=2, keepdims=True)  # (N, G, 1)
    var = groups.var(axis=2, keepdims=True)  # (N, G, 1)
    x_hat = ((groups - mean) / np.sqrt(var + eps)).reshape(x.shape)
    per_channel = (1, C) + (1,) * (x.ndim - 2)
    return weight.reshape(per_channel) * x_hat + bias.reshape(per_channel)
    ### END SOLUTION


# %% [markdown]
# The example from above. Do you get the same y?

# %%
x = np.array([[[[1.0, 1, 1]], [[9, 9, 9]], [[0, 8, 0]], [[8, 0, 8]]]])  # (N=1, C=4, H=1, W=3)
y = group_norm_forward(
    x, 2, weight=np.array([10.0, 5, 5, 10]), bias=np.array([0.0, 0, 1, 1]), eps=9
)
for channel in range(4):
    print(f"group {channel // 2}, channel {channel}:", y[0, channel, 0])

# %%
check("group_norm_forward", group_norm_forward)

# %% [markdown]
# The next cell is for grading. It runs the same check, there with other numbers, and its last line
# is the points.

# %% nbgrader={"grade": true, "grade_id": "group_norm_forward-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("group_norm_forward", group_norm_forward)
### BEGIN HIDDEN TESTS
report = check("group_norm_forward", group_norm_forward, seed=180326)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 2: the way back
#
# *Hard · importance medium · 25 minutes · 10 points*
#
# A loss depends on `y`, and `dy` says how: it holds the derivative of the loss with respect to each
# value of `y`. Carry it back to `x`, `weight` and `bias`, for images.
#
# The forward pass has kept what you need, and it is right whatever you did in task 1: the
# normalized values $\hat x$ and, for each group, $r = 1 / \sqrt{\sigma^2 + \varepsilon}$.
#
# | | shape | |
# |---|---|---|
# | `dy` | `(N, C, H, W)` | the gradient of `y` |
# | `x_hat` | `(N, C, H, W)` | $\hat x$ |
# | `inv_std` | `(N, G)` | $r$ of each group of each sample |
# | `weight` | `(C,)` | |
# | returns `dx, dweight, dbias` | `(N, C, H, W)`, `(C,)`, `(C,)` | three arrays, in this order |
#
# A weight gathers the say of every value that it touched, and so does a bias:
#
# $$d\text{weight}_c = \sum_{n, h, w} dy \; \hat x, \qquad d\text{bias}_c = \sum_{n, h, w} dy$$
#
# On the way to $x$ you first pass the weight: $g = dy \cdot \text{weight}_c$ is the gradient of
# $\hat x$. From there three roads lead to $x$, one straight, one through the mean, one through the
# variance:
#
# $$dx = r \left( g - \overline{g} - \hat x \; \overline{g \, \hat x} \right)$$
#
# The bar is an average over the values that share a mean in the forward pass. That is all that
# distinguishes GroupNorm from BatchNorm here.
#
# An example with N = 1, C = 2, H = 1, W = 3 and one group, so that 2×3 numbers share a mean:
#
# $$dy = \begin{pmatrix} 12 & 0 & 0 \\ 0 & 3 & 0 \end{pmatrix}, \quad
# \hat x = \begin{pmatrix} 1 & 1 & 1 \\ -1 & -1 & -1 \end{pmatrix}, \quad
# r = 0.5, \quad \text{weight} = (1, 2)$$
#
# Here $g$ is 12 and 6 in two places, its average 3, and that of $g \hat x$ is 1:
#
# $$dx = \begin{pmatrix} 4 & -2 & -2 \\ -1 & 2 & -1 \end{pmatrix}, \quad
# d\text{weight} = (12, -3), \quad d\text{bias} = (12, 3)$$
#
# <details><summary>Hint 1: the order</summary>
#
# dbias and dweight need no groups at all. For dx multiply by the weight while the channels are
# still one axis; after that, reshape everything to groups.
#
# </details>
#
# <details><summary>Hint 2: is it right?</summary>
#
# Moving all values of a group together does not move y, and neither does stretching them (but for
# eps). So dx adds up to 0 over each group, and so does dx times x_hat. Try it on your numbers.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "group_norm_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def group_norm_backward(dy, x_hat, inv_std, weight):
    """Return dx (N, C, H, W), dweight (C,) and dbias (C,)."""
    ### BEGIN SOLUTION
    dbias = dy.sum(axis=(0, 2, 3))  # (C,)
    dweight = (dy * x_hat).sum(axis=(0, 2, 3))  # (C,)
    blocks = (*inv_std.shape, -1)  # (N, G, C/G * H * W)
    g = (dy * weight.reshape(1, -1, 1, 1)).reshape(blocks)
    x_hat = x_hat.reshape(blocks)
    through_mean = g.mean(axis=2, keepdims=True)  # (N, G, 1)
    through_var = (g * x_hat).mean(axis=2, keepdims=True)  # (N, G, 1)
    dx = inv_std[:, :, None] * (g - through_mean - x_hat * through_var)
    return dx.reshape(dy.shape), dweight, dbias
    ### END SOLUTION


# %%
dx, dweight, dbias = group_norm_backward(
    dy=np.array([[[[12.0, 0, 0]], [[0, 3, 0]]]]),  # (N=1, C=2, H=1, W=3)
    x_hat=np.array([[[[1.0, 1, 1]], [[-1, -1, -1]]]]),
    inv_std=np.array([[0.5]]),  # (N=1, G=1)
    weight=np.array([1.0, 2]),
)
print("dx, channel 0:", dx[0, 0, 0])
print("dx, channel 1:", dx[0, 1, 0])
print("dweight", dweight, "dbias", dbias)

# %%
check("group_norm_backward", group_norm_backward)

# %% nbgrader={"grade": true, "grade_id": "group_norm_backward-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("group_norm_backward", group_norm_backward)
### BEGIN HIDDEN TESTS
report = check("group_norm_backward", group_norm_backward, seed=180326)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 3: the two ends
#
# *Medium · importance high · 10 minutes · 10 points*
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
# Write both as one function, with the help of your `group_norm_forward`. If task 1 is not finished,
# write the two layers out instead.
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
# Your `group_norm_forward` can only take one weight for each channel. With which weight and bias
# does it leave the normalized values as they are? What is left to do after that?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "two_ends", "locked": false, "schema_version": 3, "solution": true, "task": false}
def two_ends(x, weight, bias, eps):
    """Return LayerNorm([C, H, W]) with weight and bias, and InstanceNorm2d(C), of x."""
    ### BEGIN SOLUTION
    C = x.shape[1]
    ones, zeros = np.ones(C), np.zeros(C)
    layer = group_norm_forward(x, 1, ones, zeros, eps) * weight + bias
    instance = group_norm_forward(x, C, ones, zeros, eps)
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
# - GroupNorm, forward and backward: the formula that you know from BatchNorm, on other axes.
# - One dial, `num_groups`. At 1 it normalizes like LayerNorm, at C like InstanceNorm.
# - What the dial does not change: GroupNorm's weights are one for each channel, LayerNorm's one for
#   each element, and InstanceNorm has none by default.
