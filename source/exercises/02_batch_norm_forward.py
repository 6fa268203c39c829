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
# # Write BatchNorm's forward pass
#
# *Exercises for lesson 2 · three tasks · about 35 minutes · NumPy alone*
#
# | task | function | difficulty | importance | minutes | points |
# |---|---|---|---|---|---|
# | 1 | `batch_norm_forward`, for `(N, C)` | easy | high | 10 | 10 |
# | 2 | `batch_norm_forward_images`, for `(N, C, H, W)` | medium | high | 15 | 10 |
# | 3 | `linear_then_batch_norm`, and the bias it can do without | medium | medium | 10 | 10 |
#
# **What you need:** [lesson 2](../notebooks/02_batch_norm_forward.ipynb), and nothing after it. We
# are in training mode all the way: the mean and the variance are those of the batch.
#
# **How it goes.** Replace `raise NotImplementedError()` with your code, run the cell, run the
# example below it, then run the check. The check tells you more than right or wrong: it knows the
# mistakes that people make here, and names yours if it is one of them. Run it as often as you like.
# Points come in parts, so one slip costs its own part and not everything.

# %%
import numpy as np

from normlab import check

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## Task 1: a batch of vectors
#
# *Easy · importance high · 10 minutes · 10 points*
#
# Write BatchNorm's forward pass for a batch of N samples with C channels each.
#
# | | shape | |
# |---|---|---|
# | `x` | `(N, C)` | the batch, one sample a row |
# | `weight`, `bias` | `(C,)` | the scale and the shift of each channel |
# | `eps` | a number | added to the variance |
# | returns `y` | `(N, C)` | |
#
# An example that you can follow in your head, N = 2 and C = 3:
#
# $$x = \begin{pmatrix} 1 & 10 & 6 \\ 9 & 10 & -2 \end{pmatrix}, \quad
# \text{weight} = (10, 2, 5), \quad \text{bias} = (0, 3, 1), \quad \varepsilon = 9$$
#
# The means of the channels are 5, 10 and 2, the variances 16, 0 and 16. With $\varepsilon$ under
# the root you divide by 5, 3 and 5. That leaves ∓0.8, 0 and ±0.8, and after weight and bias
#
# $$y = \begin{pmatrix} -8 & 3 & 5 \\ 8 & 3 & -3 \end{pmatrix}$$
#
# Leave `x` as you got it: whoever calls your function may still need it.
#
# <details><summary>Hint 1: where to begin</summary>
#
# Lesson 2, "By hand, on four samples", does it in four steps. Write one line for each, and after
# each line the shape of what you have.
#
# </details>
#
# <details><summary>Hint 2: the shapes</summary>
#
# Mean, variance, weight and bias all have the shape `(C,)`. NumPy lines a `(C,)` up with the *last*
# axis of `(N, C)`, which is where you want it.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "batch_norm_forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def batch_norm_forward(x, weight, bias, eps):
    """Normalize each column of x (N, C), then scale and shift it. Returns y (N, C)."""
    ### BEGIN SOLUTION
    mean = x.mean(axis=0)  # (C,)
    var = x.var(axis=0)  # (C,)
    x_hat = (x - mean) / np.sqrt(var + eps)  # (N, C)
    return weight * x_hat + bias  # (N, C)
    ### END SOLUTION


# %% [markdown]
# The example from above. Do you get the same y?

# %%
x = np.array([[1.0, 10, 6], [9, 10, -2]])  # (N=2, C=3)
batch_norm_forward(x, weight=np.array([10.0, 2, 5]), bias=np.array([0.0, 3, 1]), eps=9)

# %%
check("batch_norm_forward", batch_norm_forward)

# %% [markdown]
# The next cell is for grading. It is the same check once more (a grader runs it with other numbers),
# and its last line is the points.

# %% nbgrader={"grade": true, "grade_id": "batch_norm_forward-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("batch_norm_forward", batch_norm_forward)
### BEGIN HIDDEN TESTS
report = check("batch_norm_forward", batch_norm_forward, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 2: a batch of images
#
# *Medium · importance high · 15 minutes · 10 points*
#
# The same for images, with one mean and one variance for each *channel*, over all images and all
# their pixels.
#
# | | shape | |
# |---|---|---|
# | `x` | `(N, C, H, W)` | N images of C channels, each H rows of W pixels |
# | `weight`, `bias` | `(C,)` | the scale and the shift of each channel |
# | `eps` | a number | added to the variance |
# | returns `y` | `(N, C, H, W)` | |
#
# An example with two images of two channels, one row of three pixels each, `(2, 2, 1, 3)`. Here are
# the 2×3 numbers of each channel, one image a row:
#
# $$x_{\text{channel } 0} = \begin{pmatrix} 1 & 1 & 1 \\ 9 & 9 & 9 \end{pmatrix}, \quad
# x_{\text{channel } 1} = \begin{pmatrix} 0 & 8 & 0 \\ 8 & 0 & 8 \end{pmatrix}, \quad
# \text{weight} = (10, 5), \quad \text{bias} = (0, 1), \quad \varepsilon = 9$$
#
# The means are 5 and 4, both variances 16, so you divide by 5 in both channels:
#
# $$y_{\text{channel } 0} = \begin{pmatrix} -8 & -8 & -8 \\ 8 & 8 & 8 \end{pmatrix}, \quad
# y_{\text{channel } 1} = \begin{pmatrix} -3 & 5 & -3 \\ 5 & -3 & 5 \end{pmatrix}$$
#
# <details><summary>Hint 1: one number for what?</summary>
#
# Print the shape of your mean. There should be C numbers in it, one for each channel, so every
# other axis has to be averaged away.
#
# </details>
#
# <details><summary>Hint 2: lining up</summary>
#
# `mean(..., keepdims=True)` keeps the averaged axes with length 1, and NumPy then knows where the
# numbers belong. `weight` and `bias` come as `(C,)`; which shape would line them up with axis 1?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "batch_norm_forward_images", "locked": false, "schema_version": 3, "solution": true, "task": false}
def batch_norm_forward_images(x, weight, bias, eps):
    """Normalize each channel of x (N, C, H, W), then scale and shift it. Returns the same shape."""
    ### BEGIN SOLUTION
    mean = x.mean(axis=(0, 2, 3), keepdims=True)  # (1, C, 1, 1)
    var = x.var(axis=(0, 2, 3), keepdims=True)  # (1, C, 1, 1)
    x_hat = (x - mean) / np.sqrt(var + eps)  # (N, C, H, W)
    return weight.reshape(1, -1, 1, 1) * x_hat + bias.reshape(1, -1, 1, 1)  # (N, C, H, W)
    ### END SOLUTION


# %%
x = np.array([[[[1.0, 1, 1]], [[0, 8, 0]]], [[[9, 9, 9]], [[8, 0, 8]]]])  # (N=2, C=2, H=1, W=3)
y = batch_norm_forward_images(x, weight=np.array([10.0, 5]), bias=np.array([0.0, 1]), eps=9)
print("channel 0:", *y[:, 0, 0])
print("channel 1:", *y[:, 1, 0])

# %%
check("batch_norm_forward_images", batch_norm_forward_images)

# %% nbgrader={"grade": true, "grade_id": "batch_norm_forward_images-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("batch_norm_forward_images", batch_norm_forward_images)
### BEGIN HIDDEN TESTS
report = check("batch_norm_forward_images", batch_norm_forward_images, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 3: the bias that BatchNorm takes away
#
# *Medium · importance medium · 10 minutes · 10 points*
#
# A linear layer stands before BatchNorm, as in the article's network. It computes
# $z = x W^\top + b_{\text{linear}}$, and BatchNorm normalizes $z$. Lesson 2 ended with a surprise:
# what comes out does not depend on $b_{\text{linear}}$. But the bias does leave a trace, in the
# *statistics* that BatchNorm takes. Which of the two does it change, and by how much?
#
# Write both layers as one function. It returns the output and the mean and variance of
# $z$, with the bias in it, as BatchNorm sees them.
#
# | | shape | |
# |---|---|---|
# | `x` | `(N, D)` | the batch |
# | `linear_weight` | `(C, D)` | as PyTorch keeps it: one row for each output |
# | `linear_bias` | `(C,)` | the linear layer's bias |
# | `weight`, `bias`, `eps` | `(C,)`, `(C,)`, a number | BatchNorm's own |
# | returns `y, mean, var` | `(N, C)`, `(C,)`, `(C,)` | three arrays, in this order |
#
# **One condition.** Do not add `linear_bias` to anything with N rows. What cancels on paper may not
# cancel in a computer: one of the cases has a bias of about $10^{17}$, and float64 carries 16 digits.
#
# An example with N = 2, D = 3 and C = 2:
#
# $$x = \begin{pmatrix} 1 & 0 & 2 \\ 3 & 2 & 0 \end{pmatrix}, \quad
# W = \begin{pmatrix} 2 & 2 & 0 \\ 1 & -1 & 4 \end{pmatrix}, \quad
# b_{\text{linear}} = (100, -5), \quad
# \text{weight} = (10, 5), \quad \text{bias} = (0, 1), \quad \varepsilon = 9$$
#
# gives
#
# $$x W^\top = \begin{pmatrix} 2 & 9 \\ 10 & 1 \end{pmatrix}, \quad
# y = \begin{pmatrix} -8 & 5 \\ 8 & -3 \end{pmatrix}, \quad
# \text{mean} = (106, 0), \quad \text{var} = (16, 16)$$
#
# <details><summary>Hint 1: follow a constant</summary>
#
# Add 100 to every number of a column. What happens to the column's mean? To each number's distance
# from the mean? To the average of the squares of those distances?
#
# </details>
#
# <details><summary>Hint 2: how often is linear_bias needed?</summary>
#
# Once.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "linear_then_batch_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def linear_then_batch_norm(x, linear_weight, linear_bias, weight, bias, eps):
    """Apply a linear layer and BatchNorm to x (N, D).

    Returns y (N, C), and the mean (C,) and variance (C,) of what BatchNorm was given.
    """
    ### BEGIN SOLUTION
    z = x @ linear_weight.T  # (N, C), without the bias
    mean = z.mean(axis=0)  # (C,)
    var = z.var(axis=0)  # (C,)
    y = weight * (z - mean) / np.sqrt(var + eps) + bias  # (N, C)
    return y, mean + linear_bias, var
    ### END SOLUTION


# %%
x = np.array([[1.0, 0, 2], [3, 2, 0]])  # (N=2, D=3)
y, mean, var = linear_then_batch_norm(
    x,
    linear_weight=np.array([[2.0, 2, 0], [1, -1, 4]]),  # (C=2, D=3)
    linear_bias=np.array([100.0, -5]),
    weight=np.array([10.0, 5]),
    bias=np.array([0.0, 1]),
    eps=9,
)
print(y)
print("mean", mean, "var", var)

# %%
check("linear_then_batch_norm", linear_then_batch_norm)

# %% nbgrader={"grade": true, "grade_id": "linear_then_batch_norm-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("linear_then_batch_norm", linear_then_batch_norm)
### BEGIN HIDDEN TESTS
report = check("linear_then_batch_norm", linear_then_batch_norm, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## What you have now
#
# - BatchNorm's forward pass for vectors and for images: the same four steps, with other axes.
# - Why a linear layer in front of it can have `bias=False`: the bias goes into the mean, and the
#   mean is taken away. In lesson 3 the layer will remember such means; then it matters that the
#   bias is in them.
