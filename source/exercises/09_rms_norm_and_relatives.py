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
# # Write four relatives: RMSNorm, local response norm, weight norm, the merge of SyncBatchNorm
#
# *Exercises for lesson 9 · four tasks · about 60 minutes · NumPy alone*
#
# | task | function | difficulty | importance | minutes | points |
# |---|---|---|---|---|---|
# | 1 | `rms_norm_forward`, for `(*, D)` | easy | high | 10 | 10 |
# | 2 | `local_response_norm`, along the channels | medium | low | 20 | 10 |
# | 3 | `weight_norm`, of weights and not of data | easy | medium | 10 | 10 |
# | 4 | `merge_statistics`, of several workers | hard | medium | 20 | 10 |
#
# **What you need:** means and variances over chosen axes, as in lesson 2. All formulas are given
# here, and the tasks do not build on each other.
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
# ## Task 1: one step less than LayerNorm
#
# *Easy · importance high · 10 minutes · 10 points*
#
# RMSNorm (Zhang & Sennrich, 2019) is what large language models use in place of LayerNorm. It
# divides each row by its *root mean square*, and that is all: no mean is subtracted, and there is
# no bias.
#
# $$y_d = \text{weight}_d \; \frac{x_d}{\sqrt{\frac1D \sum_{j} x_j^2 + \varepsilon}}$$
#
# A row is whatever lies along the last axis: a sample of `(N, D)`, a token of `(B, T, D)`.
#
# | | shape | |
# |---|---|---|
# | `x` | `(*, D)` | any number of axes before the last |
# | `weight` | `(D,)` | the scale of each feature |
# | `eps` | a number | added to the mean square |
# | returns `y` | like `x` | |
#
# An example with two rows of three, 2×3 numbers:
#
# $$x = \begin{pmatrix} 2 & -2 & 4 \\ 6 & 6 & 0 \end{pmatrix}, \quad
# \text{weight} = (15, 30, 15), \quad \varepsilon = 1$$
#
# The mean squares are 8 and 24, so you divide the rows by 3 and 5:
#
# $$y = \begin{pmatrix} 10 & -20 & 20 \\ 18 & 36 & 0 \end{pmatrix}$$
#
# **Half precision.** Models are run in float16, whose largest number is 65504. The square of 300 is
# more than that. If `x` is float16, compute in float32; the result may be in either.
#
# <details><summary>Hint 1: three letters</summary>
#
# Root, mean, square. You do them from the last to the first.
#
# </details>
#
# <details><summary>Hint 2: any number of axes</summary>
#
# The last axis is axis -1, however many there are before it. `keepdims=True` lets a mean line up
# with its row again.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "rms_norm_forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def rms_norm_forward(x, weight, eps):
    """Divide each row of x (*, D) by its root mean square, then scale it. Returns the same shape."""
    ### BEGIN SOLUTION
    if x.dtype == np.float16:
        x = x.astype(np.float32)
    mean_square = np.mean(x**2, axis=-1, keepdims=True)  # (*, 1)
    return weight * x / np.sqrt(mean_square + eps)  # (*, D)
    ### END SOLUTION


# %%
x = np.array([[2.0, -2, 4], [6, 6, 0]])  # (N=2, D=3)
rms_norm_forward(x, weight=np.array([15.0, 30, 15]), eps=1)

# %%
check("rms_norm_forward", rms_norm_forward)

# %% [markdown]
# The next cell is for grading. It runs the same check, there with other numbers, and its last line
# is the points.

# %% nbgrader={"grade": true, "grade_id": "rms_norm_forward-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("rms_norm_forward", rms_norm_forward)
### BEGIN HIDDEN TESTS
report = check("rms_norm_forward", rms_norm_forward, seed=191016)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 2: divided by the neighbours
#
# *Medium · importance low · 20 minutes · 10 points*
#
# AlexNet (Krizhevsky, Sutskever & Hinton, 2012) had no BatchNorm. It let a value be suppressed by
# what goes on at the same pixel in the neighbouring *channels*. No mean is subtracted and nothing is
# learned:
#
# $$y_c = \frac{x_c}{\left(k + \frac{\alpha}{\text{size}}
# \sum_{j \,\in\, \text{window}(c)} x_j^2 \right)^{\beta}}$$
#
# The window of channel $c$ begins at channel $c - \lfloor \text{size} / 2 \rfloor$ and holds `size`
# channels. For size 3 that is $c-1, c, c+1$; for size 4 it is $c-2, c-1, c, c+1$. Beyond the first
# and the last channel there are zeros. This is PyTorch's definition, in which $\alpha$ is divided by
# the size, always the whole size. In the paper it is not.
#
# | | shape | |
# |---|---|---|
# | `x` | `(N, C, H, W)` | |
# | `size` | a number | of channels in the window, at least 1 |
# | `alpha`, `beta`, `k` | numbers | as in the formula |
# | returns `y` | `(N, C, H, W)` | |
#
# An example with three channels of two pixels. Here are its 3×2 numbers, one channel a row:
#
# $$x = \begin{pmatrix} 3 & 0 \\ 2 & 1 \\ 3 & 0 \end{pmatrix}, \quad
# \text{size} = 3, \quad \alpha = 3, \quad \beta = 0.5, \quad k = 3$$
#
# At the first pixel the windows hold 9 + 4, 9 + 4 + 9 and 4 + 9. With $k$ and the root that makes 4,
# 5 and 4. At the second pixel each window holds 1, which makes 2:
#
# $$y = \begin{pmatrix} 0.75 & 0 \\ 0.4 & 0.5 \\ 0.75 & 0 \end{pmatrix}$$
#
# <details><summary>Hint 1: begin small</summary>
#
# For size 1 a value has no neighbours but itself, and the sum is its own square. Write that first,
# and run the check. Then the window.
#
# </details>
#
# <details><summary>Hint 2: the edges</summary>
#
# Write down first and last channel of the window for c = 0 and size 4. A slice that begins below 0
# means something else in Python; `max(0, ...)` helps, or zeros put on both sides beforehand.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "local_response_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def local_response_norm(x, size, alpha, beta, k):
    """Divide each value of x (N, C, H, W) by what its neighbours in the channels amount to."""
    ### BEGIN SOLUTION
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        first = c - size // 2
        window = x[:, max(0, first) : first + size]  # (N, at most size, H, W)
        mean_square = (window**2).sum(axis=1) / size  # (N, H, W)
        y[:, c] = x[:, c] / (k + alpha * mean_square) ** beta
    return y
    ### END SOLUTION


# %%
x = np.array([[[[3.0, 0]], [[2, 1]], [[3, 0]]]])  # (N=1, C=3, H=1, W=2)
y = local_response_norm(x, size=3, alpha=3, beta=0.5, k=3)
for channel in range(3):
    print(f"channel {channel}:", y[0, channel, 0])

# %%
check("local_response_norm", local_response_norm)

# %% nbgrader={"grade": true, "grade_id": "local_response_norm-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("local_response_norm", local_response_norm)
### BEGIN HIDDEN TESTS
report = check("local_response_norm", local_response_norm, seed=191016)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 3: a length and a direction
#
# *Easy · importance medium · 10 minutes · 10 points*
#
# Weight norm (Salimans & Kingma, 2016) does not touch the data at all. It writes the weights of each
# *output* of a layer as a length $g$ times a direction, and the network learns the two apart:
#
# $$w_o = g_o \; \frac{v_o}{\lVert v_o \rVert}, \qquad
# \lVert v_o \rVert = \sqrt{\textstyle\sum v_o^2}$$
#
# Here $v_o$ is everything that belongs to output $o$: a row of a linear layer's matrix, a whole
# block of kernels `(in, H, W)` of a convolution. There is no eps.
#
# | | shape | |
# |---|---|---|
# | `v` | `(out, *)` | `(out, in)` or `(out, in, H, W)`; no row is all zeros |
# | `g` | `(out,)` | the length of each output's weights |
# | returns `w` | like `v` | |
#
# An example with two outputs and three inputs, 2×3 numbers:
#
# $$v = \begin{pmatrix} 2 & -2 & 1 \\ 0 & 3 & 4 \end{pmatrix}, \quad g = (6, 10)$$
#
# The rows have the lengths 3 and 5:
#
# $$w = \begin{pmatrix} 4 & -4 & 2 \\ 0 & 6 & 8 \end{pmatrix}$$
#
# <details><summary>Hint 1: how many norms?</summary>
#
# As many as there are outputs. Every axis but the first has to be summed away, however many there
# are: `range(1, v.ndim)` names them.
#
# </details>
#
# <details><summary>Hint 2: is it right?</summary>
#
# Measure the length of each output of your w: it should be g. Make v ten times as long: w should
# not change.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "weight_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def weight_norm(v, g):
    """Give each output of v (out, *) the length g (out,). Returns w, in the shape of v."""
    ### BEGIN SOLUTION
    rest = tuple(range(1, v.ndim))
    norm = np.sqrt((v**2).sum(axis=rest, keepdims=True))  # (out, 1, ...)
    return g.reshape(norm.shape) * v / norm
    ### END SOLUTION


# %%
v = np.array([[2.0, -2, 1], [0, 3, 4]])  # (out=2, in=3)
weight_norm(v, g=np.array([6.0, 10]))

# %%
check("weight_norm", weight_norm)

# %% nbgrader={"grade": true, "grade_id": "weight_norm-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("weight_norm", weight_norm)
### BEGIN HIDDEN TESTS
report = check("weight_norm", weight_norm, seed=191016)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 4: one batch on several workers
#
# *Hard · importance medium · 20 minutes · 10 points*
#
# A batch is shared among K workers, not always in equal parts. BatchNorm on each worker alone would
# see small batches. SyncBatchNorm lets the workers exchange a few numbers and then normalize as if
# the batch had never been cut. Each worker $k$ sends how many values $n_k$ it has for each channel,
# their mean $\mu_k$ and their (biased) variance $\sigma_k^2$. Merge them into the mean and the biased
# variance of all $n = \sum n_k$ values:
#
# $$\mu = \sum_k \frac{n_k}{n} \, \mu_k, \qquad
# \sigma^2 = \sum_k \frac{n_k}{n} \left( \sigma_k^2 + (\mu_k - \mu)^2 \right)$$
#
# In words: every value counts the same, whichever worker has it. And the variance has two parts, how
# far the values lie from their worker's mean, and how far the workers' means lie from each other.
#
# | | shape | |
# |---|---|---|
# | `counts` | `(K,)` | $n_k$, whole numbers |
# | `means`, `variances` | `(K, C)` | one row for each worker |
# | returns `mean, var` | `(C,)`, `(C,)` | two arrays, in this order |
#
# **Two conditions.** A worker may be idle, with $n_k = 0$: then its mean and variance are NaN, and
# they must not get into yours. And the means may be huge, about $10^9$, while the variances are
# small: compute distances from the mean, not differences of squares.
#
# An example with two workers and three channels, 2×3 numbers of each kind:
#
# $$\text{counts} = (2, 6), \quad
# \text{means} = \begin{pmatrix} 0 & 10 & 4 \\ 4 & 10 & 8 \end{pmatrix}, \quad
# \text{variances} = \begin{pmatrix} 4 & 2 & 0 \\ 8 & 6 & 4 \end{pmatrix}$$
#
# The first worker has a quarter of the values. The merged mean is $(3, 10, 7)$. Inside the workers
# the variance is $(7, 5, 3)$, between them $(3, 0, 3)$:
#
# $$\text{mean} = (3, 10, 7), \quad \text{var} = (10, 5, 6)$$
#
# <details><summary>Hint 1: the shape of a share</summary>
#
# The shares $n_k / n$ have the shape `(K,)`, the means `(K, C)`. Which shape lets NumPy line a share
# up with its row?
#
# </details>
#
# <details><summary>Hint 2: the idle worker</summary>
#
# 0 times NaN is NaN, so a share of 0 does not help. Leave the idle rows out before you begin.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "merge_statistics", "locked": false, "schema_version": 3, "solution": true, "task": false}
def merge_statistics(counts, means, variances):
    """Merge the statistics of K workers. Returns mean (C,) and var (C,) of all their values."""
    ### BEGIN SOLUTION
    busy = counts > 0  # (K,)
    counts, means, variances = counts[busy], means[busy], variances[busy]
    share = (counts / counts.sum())[:, None]  # (K, 1)
    mean = (share * means).sum(axis=0)  # (C,)
    var = (share * (variances + (means - mean) ** 2)).sum(axis=0)  # (C,)
    return mean, var
    ### END SOLUTION


# %%
mean, var = merge_statistics(
    counts=np.array([2, 6]),  # (K=2,)
    means=np.array([[0.0, 10, 4], [4, 10, 8]]),  # (K=2, C=3)
    variances=np.array([[4.0, 2, 0], [8, 6, 4]]),
)
print("mean", mean, "var", var)

# %%
check("merge_statistics", merge_statistics)

# %% nbgrader={"grade": true, "grade_id": "merge_statistics-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("merge_statistics", merge_statistics)
### BEGIN HIDDEN TESTS
report = check("merge_statistics", merge_statistics, seed=191016)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## What you have now
#
# - RMSNorm: LayerNorm without the mean, so a constant added to a row does change its output.
# - Local response norm: an old relative that divides by neighbours and learns nothing.
# - Weight norm: a length and a direction, for weights; no data is averaged.
# - The merge of SyncBatchNorm: variances do not average, unless all the means agree.
