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
# # LayerNorm over any axes, back through them, and folded away
#
# *Exercises for lesson 6 · four tasks · about 55 minutes · NumPy alone*
#
# | task | function | difficulty | importance | minutes | points |
# |---|---|---|---|---|---|
# | 1 | `layer_norm_over`, over any axes, named by their letters | medium | high | 15 | 10 |
# | 2 | `layer_norm_2d_backward`, over the channels of a pixel | medium | medium | 15 | 10 |
# | 3 | `fold_layer_norm`, into the linear layer behind it | medium | high | 10 | 10 |
# | 4 | `sequence_norm_padded`, for sequences of different lengths | medium | medium | 15 | 10 |
#
# **What you need:** [lesson 6](../notebooks/06_layer_norm.ipynb), in which you wrote LayerNorm over the *last* axes,
# forward and back. All formulas are given here. No task needs another one's answer.

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
# ## Task 1: over whichever axes you name
#
# *Medium · importance high · 15 minutes · 10 points*
#
# `nn.LayerNorm` normalizes the last axes, and no others. ConvNeXt (Liu and others, 2022) wants one mean for each *pixel*,
# over the channels, and its images are `(N, C, H, W)`: so it moves the channels to the end, normalizes, and moves them back.
# You can do without the moving.
#
# The caller says with letters what the axes of `x` are, `layout`, and which of them share a mean, `over`. Everything else is
# LayerNorm as you know it: variances divide by n, `eps` stands under the root, and `weight` and `bias` have exactly the sizes
# of the named axes, in the order in which `x` has them.
#
# | `layout` | `over` | one mean for each | shape of weight and bias |
# |---|---|---|---|
# | `"ND"` | `"D"` | sample | `(D,)` |
# | `"NCHW"` | `"C"` | pixel of each image | `(C,)` |
# | `"NHWC"` | `"C"` | the same, channels last | `(C,)` |
# | `"NCHW"` | `"CH"` | column of each image | `(C, H)` |
#
# | | shape | |
# |---|---|---|
# | `x` | one size for each letter of `layout` | |
# | `layout` | a string | a letter for each axis, all different |
# | `over` | a string | some of these letters, in the order of `layout`; never the first |
# | `weight`, `bias` | the sizes of the axes named in `over` | |
# | `eps` | a number | added to the variance |
# | returns `y` | that of `x` | |
#
# An example: one image of two channels, one row of three pixels, normalized over `"C"`. One channel a row:
#
# $$x = \begin{pmatrix} 1 & 8 & 0 \\ 9 & 0 & 8 \end{pmatrix}, \quad
# \text{weight} = (5, 10), \quad \text{bias} = (0, 1), \quad \varepsilon = 9$$
#
# The means of the three pixels are 5, 4 and 4, all variances 16, so you divide by 5:
#
# $$y = \begin{pmatrix} -4 & 4 & -4 \\ 9 & -7 & 9 \end{pmatrix}$$
#
# <details><summary>Hint 1: from letters to numbers</summary>
#
# `"NCHW".index("H")` is 2. NumPy takes a *tuple* of axes.
#
# </details>
#
# <details><summary>Hint 2: lining up</summary>
#
# The mean has size 1 along the named axes, if you keep them, and lines up by itself. `weight` needs the opposite: its own size along the named axes,
# and 1 along all others. Can you write down that shape from `layout`, `over` and `x.shape`?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "layer_norm_over", "locked": false, "schema_version": 3, "solution": true, "task": false}
def layer_norm_over(x, layout, over, weight, bias, eps):
    """Normalize x over the axes whose letters are in `over`. Returns the shape of x."""
    ### BEGIN SOLUTION
    axes = tuple(layout.index(letter) for letter in over)
    mean = x.mean(axis=axes, keepdims=True)
    var = x.var(axis=axes, keepdims=True)
    shape = [size if letter in over else 1 for letter, size in zip(layout, x.shape, strict=True)]
    x_hat = (x - mean) / np.sqrt(var + eps)
    return weight.reshape(shape) * x_hat + bias.reshape(shape)
    ### END SOLUTION


# %%
x = np.array([[[[1.0, 8, 0]], [[9, 0, 8]]]])  # (N=1, C=2, H=1, W=3)
weight, bias = np.array([5.0, 10]), np.array([0.0, 1])  # (C=2,)
y = layer_norm_over(x, "NCHW", "C", weight, bias, eps=9)
print("channel 0:", y[0, 0, 0])
print("channel 1:", y[0, 1, 0])

# %%
check("layer_norm_over", layer_norm_over)

# %% [markdown]
# The next cell is for grading. It runs the same check, there with other numbers, and its last line
# is the points.

# %% nbgrader={"grade": true, "grade_id": "layer_norm_over-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("layer_norm_over", layer_norm_over)
### BEGIN HIDDEN TESTS
report = check("layer_norm_over", layer_norm_over, seed=150206)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 2: back through the channels of a pixel
#
# *Medium · importance medium · 15 minutes · 10 points*
#
# Now the way back for the case that ConvNeXt needs: images `(N, C, H, W)`, one mean and one variance for each pixel of each image,
# over its channels, and one weight and one bias for each channel. Write it for these shapes, without moving any axis.
#
# The forward pass has kept the normalized values $\hat x$ and $r = 1 / \sqrt{\sigma^2 + \varepsilon}$ of each pixel. With
# $g = dy \cdot \text{weight}$ and $m(\cdot)$ the mean over the values that share a mean in the forward pass,
#
# $$dx = r \, \big(\, g - m(g) - \hat x \; m(g \, \hat x) \,\big).$$
#
# dweight is a sum of $dy \cdot \hat x$, dbias a sum of $dy$: over everything that one weight, or one bias, touched.
#
# | | shape | |
# |---|---|---|
# | `dy`, `x_hat` | `(N, C, H, W)` | the gradient of `y`, and $\hat x$ |
# | `inv_std` | `(N, 1, H, W)` | $r$ of each pixel |
# | `weight` | `(C,)` | |
# | returns `dx, dweight, dbias` | `(N, C, H, W)`, `(C,)`, `(C,)` | three arrays, in this order |
#
# An example: one image of two channels with three pixels, one channel a row. All weights are 2.
#
# $$dy = \begin{pmatrix} 3 & 1 & 0 \\ 1 & 1 & 2 \end{pmatrix}, \quad
# \hat x = \frac12 \begin{pmatrix} 1 & -1 & 1 \\ -1 & 1 & -1 \end{pmatrix}, \quad
# r = (2, 2, 4)$$
#
# At the first pixel g is 6 and 2, so $m(g) = 4$ and $m(g \, \hat x) = 1$: what is left is 2 − 0.5 and −2 + 0.5, times 2.
#
# $$dx = \begin{pmatrix} 3 & 0 & -6 \\ -3 & 0 & 6 \end{pmatrix}, \quad
# d\text{weight} = (1, -1), \quad d\text{bias} = (4, 4)$$
#
# <details><summary>Hint 1: two sets of axes</summary>
#
# Write under each of the letters N, C, H, W whether it shares a *mean* or a *weight*. Each axis is in one of the two sets. Means run over
# the first set, sums over the second.
#
# </details>
#
# <details><summary>Hint 2: is it right?</summary>
#
# Add up dx over the channels of each pixel: it has to be 0. Then dweight: is its shape that of weight?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "layer_norm_2d_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def layer_norm_2d_backward(dy, x_hat, inv_std, weight):
    """Return dx (N, C, H, W), dweight (C,) and dbias (C,)."""
    ### BEGIN SOLUTION
    g = dy * weight.reshape(1, -1, 1, 1)  # (N, C, H, W)
    m_g = g.mean(axis=1, keepdims=True)  # (N, 1, H, W)
    m_g_x_hat = (g * x_hat).mean(axis=1, keepdims=True)  # (N, 1, H, W)
    dx = inv_std * (g - m_g - x_hat * m_g_x_hat)
    return dx, (dy * x_hat).sum(axis=(0, 2, 3)), dy.sum(axis=(0, 2, 3))
    ### END SOLUTION


# %%
dx, dweight, dbias = layer_norm_2d_backward(
    dy=np.array([[[[3.0, 1, 0]], [[1, 1, 2]]]]),  # (N=1, C=2, H=1, W=3)
    x_hat=np.array([[[[1.0, -1, 1]], [[-1, 1, -1]]]]) / 2,
    inv_std=np.array([[[[2.0, 2, 4]]]]),  # (N=1, 1, H=1, W=3)
    weight=np.array([2.0, 2]),
)
print("dx, channel 0:", dx[0, 0, 0])
print("dx, channel 1:", dx[0, 1, 0])
print("dweight", dweight, "dbias", dbias)

# %%
check("layer_norm_2d_backward", layer_norm_2d_backward)

# %% nbgrader={"grade": true, "grade_id": "layer_norm_2d_backward-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("layer_norm_2d_backward", layer_norm_2d_backward)
### BEGIN HIDDEN TESTS
report = check("layer_norm_2d_backward", layer_norm_2d_backward, seed=150206)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 3: fold it forward
#
# *Medium · importance high · 10 minutes · 10 points*
#
# In a transformer nearly every LayerNorm stands right before a linear layer. Its mean and variance have to be taken anew for each token,
# and cannot be folded away. But its weight and bias can: they become a part of the layer *behind* it. (Whoever looks into trained transformers does
# this first, so that all layers read from the same plain $\hat x$.)
#
# The two layers compute, from a normalized token $\hat x$ of D features,
#
# $$y = W \, (\text{weight} \cdot \hat x + \text{bias}) + b.$$
#
# Find `folded_weight` and `folded_bias` such that a linear layer with these gives the same y from the plain $\hat x$:
#
# $$y = \text{folded\_weight} \; \hat x + \text{folded\_bias} \quad \text{for every } \hat x.$$
#
# | | shape | |
# |---|---|---|
# | `norm_weight`, `norm_bias` | `(D,)` | LayerNorm's |
# | `linear_weight` | `(O, D)` | W, a row for each output, as in `nn.Linear` |
# | `linear_bias` | `(O,)` | b |
# | returns `folded_weight, folded_bias` | `(O, D)`, `(O,)` | two arrays, in this order |
#
# An example with two outputs and three features:
#
# $$\text{weight} = (2, 1, 3), \quad \text{bias} = (1, 0, 10), \quad
# W = \begin{pmatrix} 1 & 5 & 0 \\ 0 & 4 & 2 \end{pmatrix}, \quad b = (7, 6)$$
#
# $$\text{folded\_weight} = \begin{pmatrix} 2 & 5 & 0 \\ 0 & 4 & 6 \end{pmatrix}, \quad
# \text{folded\_bias} = (8, 26)$$
#
# <details><summary>Hint 1: one number at a time</summary>
#
# Write out the first output for D = 3, with all brackets opened. Which products have an $\hat x$ in them, and which have not?
#
# </details>
#
# <details><summary>Hint 2: is it right?</summary>
#
# Put in $\hat x = 0$: what comes out of both layers, and what out of yours? Then $\hat x = (1, 0, 0)$. That is enough to find
# every number.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "fold_layer_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fold_layer_norm(norm_weight, norm_bias, linear_weight, linear_bias):
    """Fold LayerNorm's weight and bias into the linear layer behind it."""
    ### BEGIN SOLUTION
    folded_weight = linear_weight * norm_weight  # (O, D): a column for each feature
    folded_bias = linear_weight @ norm_bias + linear_bias  # (O,)
    return folded_weight, folded_bias
    ### END SOLUTION


# %%
folded_weight, folded_bias = fold_layer_norm(
    norm_weight=np.array([2.0, 1, 3]),
    norm_bias=np.array([1.0, 0, 10]),
    linear_weight=np.array([[1.0, 5, 0], [0, 4, 2]]),  # (O=2, D=3)
    linear_bias=np.array([7.0, 6]),
)
print(folded_weight)
print(folded_bias)

# %%
check("fold_layer_norm", fold_layer_norm)

# %% nbgrader={"grade": true, "grade_id": "fold_layer_norm-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("fold_layer_norm", fold_layer_norm)
### BEGIN HIDDEN TESTS
report = check("fold_layer_norm", fold_layer_norm, seed=150206)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 4: sequences of different lengths
#
# *Medium · importance medium · 15 minutes · 10 points*
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
# - LayerNorm over any axes of any layout: a mean over the named ones, a weight along the named ones.
# - Its backward pass on other axes, by asking of each axis whether it shares a mean or a weight.
# - What of a LayerNorm can be folded into the next layer (what it has learned), and what cannot (what it measures).
# - A habit for everything that travels in padded arrays: change the padding, and see whether an
#   answer changes that should not.
