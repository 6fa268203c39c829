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
# # Go back where no lesson has been
#
# *Exercises for lesson 4 · three tasks · about 45 minutes · NumPy alone*
#
# | task | function | difficulty | importance | minutes | points |
# |---|---|---|---|---|---|
# | 1 | `mean_only_backward`: a BatchNorm that does not divide | easy | high | 10 | 10 |
# | 2 | `frozen_backward`: statistics that stand still | medium | high | 15 | 10 |
# | 3 | `weighted_backward`: samples that count for more, or for less | hard | medium | 20 | 10 |
#
# **What you need:** [lesson 4](../notebooks/04_batch_norm_backward.ipynb), in which you went back through
# BatchNorm. Here are three layers that are like it. For each of them somebody has to find the backward pass: there
# is no book to look it up in. The way is the same each time. Which numbers of the output move when one number of x
# does, and by which roads?
#
# By `dx` we mean the gradient of the loss with respect to x, and so on: *if this number were a little larger, how
# much would the loss change?* It always has the shape of the thing it belongs to. `dy` is the gradient that arrives
# from the next layer.
#
# **When you are in doubt**, ask the forward pass. Each task gives it in a formula, so you can write it down in a
# few lines, and then change one number of `x` by $h = 10^{-5}$: the change of `(dy * forward(x)).sum()`, divided by
# $h$, has to be that number's `dx`.

# %%
import numpy as np

from normlab import check

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# The first two tasks share an example, N = 2 and C = 3. You know its x from lesson 2:
#
# $$x = \begin{pmatrix} 1 & 10 & 6 \\ 9 & 10 & -2 \end{pmatrix}, \quad
# \text{weight} = (5, 3, 10), \quad
# dy = \begin{pmatrix} 3 & 2 & 0 \\ -2 & -1 & 5 \end{pmatrix}$$

# %%
x = np.array([[1.0, 10, 6], [9, 10, -2]])  # (N=2, C=3)
weight = np.array([5.0, 3, 10])
dy = np.array([[3.0, 2, 0], [-2, -1, 5]])  # (N=2, C=3)

# %% [markdown]
# ## Task 1: a BatchNorm that does not divide
#
# *Easy · importance high · 10 minutes · 10 points*
#
# A layer that only takes the mean away, and leaves the spread as it is:
#
# $$y = \text{weight} \cdot (x - \text{mean}) + \text{bias}$$
#
# with the mean of each channel over the batch. Write its backward pass.
#
# | | shape | |
# |---|---|---|
# | `dy` | `(N, C)` | the gradient that arrives |
# | `x` | `(N, C)` | the input |
# | `weight` | `(C,)` | |
# | returns `dx, dweight, dbias` | `(N, C)`, `(C,)`, `(C,)` | three arrays, in this order |
#
# In the example the means are 5, 10 and 2. With $dy \cdot \text{weight}$ a gradient of (15, −10) arrives in the
# first channel; its mean is 2.5.
#
# $$dx = \begin{pmatrix} 12.5 & 4.5 & -25 \\ -12.5 & -4.5 & 25 \end{pmatrix}, \quad
# \text{dweight} = (-20, 0, -20), \quad \text{dbias} = (1, 1, 5)$$
#
# <details><summary>Hint 1: how many roads?</summary>
#
# One number of x moves its own output, and it moves the mean, and with the mean every output of its channel. That
# is all: this layer has no variance.
#
# </details>
#
# <details><summary>Hint 2: a test without a calculation</summary>
#
# Add the same number to all of a channel: y does not change. So what must `dx` add up to, in each channel?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "mean_only_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mean_only_backward(dy, x, weight):
    """Go back through weight * (x - mean) + bias. Returns dx (N, C), dweight (C,), dbias (C,)."""
    ### BEGIN SOLUTION
    centred = x - x.mean(axis=0)  # (N, C)
    g = dy * weight  # (N, C), the gradient of centred
    return g - g.mean(axis=0), (dy * centred).sum(axis=0), dy.sum(axis=0)
    ### END SOLUTION


# %%
dx, dweight, dbias = mean_only_backward(dy, x, weight)
print(dx)
print("dweight", dweight, "dbias", dbias)

# %%
check("mean_only_backward", mean_only_backward)

# %% [markdown]
# The next cell is for grading. It is the same check once more (a grader runs it with other numbers),
# and its last line is the points.

# %% nbgrader={"grade": true, "grade_id": "mean_only_backward-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("mean_only_backward", mean_only_backward)
### BEGIN HIDDEN TESTS
report = check("mean_only_backward", mean_only_backward, seed=150204)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 2: statistics that stand still
#
# *Medium · importance high · 15 minutes · 10 points*
#
# Whoever fine-tunes a large network on a few images often leaves its BatchNorms in evaluation mode: the running
# statistics are used, in training as well, and are not changed. Weight and bias still learn.
#
# $$y = \text{weight} \cdot \frac{x - \text{running mean}}{\sqrt{\text{running var} + \varepsilon}} + \text{bias}$$
#
# Write the backward pass, for `(N, C)` **and for images** `(N, C, H, W)`.
#
# | | shape | |
# |---|---|---|
# | `dy`, `x` | `(N, C)` or `(N, C, H, W)` | the gradient that arrives, and the input |
# | `running_mean`, `running_var` | `(C,)` | |
# | `weight`, `eps` | `(C,)`, a number | |
# | returns `dx, dweight, dbias` | that of `x`, `(C,)`, `(C,)` | three arrays, in this order |
#
# In the example, with $\text{running mean} = (4, 7, 1)$, $\text{running var} = (16, 0, 16)$ and $\varepsilon = 9$,
# the forward pass divides by 5, 3 and 5. Weight is (5, 3, 10), so that the three channels are multiplied by 1, 1
# and 2, all in all:
#
# $$dx = \begin{pmatrix} 3 & 2 & 0 \\ -2 & -1 & 10 \end{pmatrix}, \quad
# \text{dweight} = (-3.8, 1, -3), \quad \text{dbias} = (1, 1, 5)$$
#
# The first number of dweight is $3 \cdot (-0.6) + (-2) \cdot 1$.
#
# <details><summary>Hint 1: how many roads?</summary>
#
# Change one number of x. Does the running mean change? The running variance? Which outputs are left to move?
#
# </details>
#
# <details><summary>Hint 2: what did weight multiply?</summary>
#
# Not x, and not what the batch would be if it were normalized by itself.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "frozen_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def frozen_backward(dy, x, running_mean, running_var, weight, eps):
    """Go back through BatchNorm in evaluation mode. Returns dx, dweight (C,), dbias (C,)."""
    ### BEGIN SOLUTION
    shape = (1, -1) + (1,) * (x.ndim - 2)  # (1, C) or (1, C, 1, 1)
    others = (0, *range(2, x.ndim))  # all axes but the channels'
    std = np.sqrt(running_var + eps).reshape(shape)
    x_hat = (x - running_mean.reshape(shape)) / std  # as x
    dx = dy * weight.reshape(shape) / std  # as x
    return dx, (dy * x_hat).sum(axis=others), dy.sum(axis=others)
    ### END SOLUTION


# %%
remembered = {"running_mean": np.array([4.0, 7, 1]), "running_var": np.array([16.0, 0, 16])}
dx, dweight, dbias = frozen_backward(dy, x, **remembered, weight=weight, eps=9)
print(dx)
print("dweight", dweight, "dbias", dbias)

# %%
check("frozen_backward", frozen_backward)

# %% nbgrader={"grade": true, "grade_id": "frozen_backward-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("frozen_backward", frozen_backward)
### BEGIN HIDDEN TESTS
report = check("frozen_backward", frozen_backward, seed=150204)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 3: samples that count for more, or for less
#
# *Hard · importance medium · 20 minutes · 10 points*
#
# The layer of exercise 02, task 3: each sample has a weight $s_i$, and counts by its share $p_i = s_i / \sum_j s_j$
# in the mean and in the variance of a channel. The shares add up to 1.
#
# $$\text{mean} = \sum_i p_i x_i, \quad
# \text{var} = \sum_i p_i (x_i - \text{mean})^2, \quad
# \hat x_i = \frac{x_i - \text{mean}}{\sqrt{\text{var} + \varepsilon}}, \quad
# y_i = \text{weight} \cdot \hat x_i + \text{bias}$$
#
# A sample of weight 0 has no say in the statistics, and is normalized by them like all others. Find `dx`. (With
# equal shares it must become lesson 4's formula.)
#
# | | shape | |
# |---|---|---|
# | `dy`, `x` | `(N, C)` | the gradient that arrives, and the input |
# | `sample_weight` | `(N,)` | $s$: 0 or more, and not all of them 0 |
# | `weight`, `eps` | `(C,)`, a number | the layer's own |
# | returns `dx` | `(N, C)` | |
#
# An example with N = 3 and C = 1. The last sample does not count:
#
# $$x = \begin{pmatrix} 2 \\ 10 \\ 8 \end{pmatrix}, \quad s = (3, 1, 0), \quad \text{weight} = 4, \quad \varepsilon = 4, \quad
# dy = \begin{pmatrix} 1 \\ 3 \\ 2 \end{pmatrix}$$
#
# The mean is 4, the variance 12, and so it is divided by 4: $\hat x = (-0.5, 1.5, 1)$. With the weight, a gradient
# of $(4, 12, 8)$ arrives at $\hat x$. The result is
#
# $$dx = \begin{pmatrix} -1.25 \\ -0.75 \\ 2 \end{pmatrix}$$
#
# The last number is $8/4$: a sample of weight 0 moves its own output, and nothing else. The three numbers add up to
# 0. Why?
#
# <details><summary>Hint 1: the three roads</summary>
#
# By how much does the mean rise if $x_i$ rises by a little? By how much does the variance? Each of the two answers
# has $p_i$ in it, where lesson 4 had $1/N$. And *every* sample's output moves with the mean and the variance,
# whatever its own weight.
#
# </details>
#
# <details><summary>Hint 2: where the shares stand</summary>
#
# In lesson 4's formula $dx = r \, (g - m(g) - \hat x \, m(g \hat x))$ each mean is a sum over all samples, times
# $1/N$. Which of the two is the way out of $x_i$, and which the ways into all the outputs?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "weighted_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def weighted_backward(dy, x, sample_weight, weight, eps):
    """Go back through BatchNorm with a weight for each sample. Returns dx (N, C)."""
    ### BEGIN SOLUTION
    share = (sample_weight / sample_weight.sum())[:, np.newaxis]  # (N, 1)
    mean = (share * x).sum(axis=0)  # (C,)
    std = np.sqrt((share * (x - mean) ** 2).sum(axis=0) + eps)  # (C,)
    x_hat = (x - mean) / std  # (N, C)
    g = dy * weight  # (N, C), the gradient of x_hat
    through_both = g.sum(axis=0) + x_hat * (g * x_hat).sum(axis=0)  # (N, C)
    return (g - share * through_both) / std  # (N, C)
    ### END SOLUTION


# %%
weighted_backward(
    dy=np.array([[1.0], [3], [2]]),  # (N=3, C=1)
    x=np.array([[2.0], [10], [8]]),
    sample_weight=np.array([3.0, 1, 0]),
    weight=np.array([4.0]),
    eps=4,
)

# %%
check("weighted_backward", weighted_backward)

# %% nbgrader={"grade": true, "grade_id": "weighted_backward-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("weighted_backward", weighted_backward)
### BEGIN HIDDEN TESTS
report = check("weighted_backward", weighted_backward, seed=150204)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## What you have now
#
# - A way to go back through a layer that you have never seen: list the roads, go each of them, add up.
# - The gradient of a frozen BatchNorm: one road, and weight and bias that learn all the same.
# - What a share in the forward pass becomes on the way back: it weighs the way into a statistic, and not what
#   arrives from the outputs.
