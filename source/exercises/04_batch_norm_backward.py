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
# # Write BatchNorm's backward pass
#
# *Exercises for lesson 4 · three tasks · about 60 minutes · NumPy alone*
#
# | task | function | difficulty | importance | minutes | points |
# |---|---|---|---|---|---|
# | 1 | `batch_norm_backward_parameters`: the gradients of weight and bias | easy | high | 10 | 10 |
# | 2 | `batch_norm_backward_graph`: the gradient of x, node by node | medium | high | 30 | 10 |
# | 3 | `batch_norm_backward`: the gradient of x, in one line | hard | medium | 20 | 10 |
#
# **What you need:** the forward pass of lesson 2, the chain rule, and lesson 4
# (04_batch_norm_backward), or a pencil: everything these tasks need is said here, too.
#
# **What you are given.** All three functions have the same arguments: `dy`, the gradient that arrives
# from the next layer, and what the forward pass kept. What it kept is *right*, whatever your own
# forward pass may do. `mean` and `var` keep the averaged axes with length 1, so that they line up
# with `x`.
#
# | | `(N, C)` | images | |
# |---|---|---|---|
# | `dy` | `(N, C)` | `(N, C, H, W)` | gradient of the loss with respect to the output y |
# | `x` | `(N, C)` | `(N, C, H, W)` | the input |
# | `mean`, `var` | `(1, C)` | `(1, C, 1, 1)` | of the batch, per channel; var divides by the number of values |
# | `x_hat` | `(N, C)` | `(N, C, H, W)` | the normalized input |
# | `weight` | `(C,)` | `(C,)` | |
# | `eps` | a number | a number | |
#
# The forward pass was $\hat x = (x - \text{mean}) / \sqrt{\text{var} + \varepsilon}$ and
# $y = \text{weight} \cdot \hat x + \text{bias}$. By `dx` we mean the gradient of the loss with respect
# to x, and so on: *if this number were a little larger, how much would the loss change?* It always has
# the shape of the thing it belongs to.

# %%
import numpy as np

from normlab import check

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# One example serves all three tasks, N = 2 and C = 3. You know its x from lesson 2:
#
# $$x = \begin{pmatrix} 1 & 10 & 6 \\ 9 & 10 & -2 \end{pmatrix}, \quad
# \text{weight} = (5, 2, 10), \quad \varepsilon = 9, \quad
# dy = \begin{pmatrix} 3 & 2 & 0 \\ -2 & -1 & 5 \end{pmatrix}$$
#
# The variances are 16, 0 and 16, so the forward pass divided by 5, 3 and 5.

# %%
x = np.array([[1.0, 10, 6], [9, 10, -2]])  # (N=2, C=3)
mean = np.array([[5.0, 10, 2]])  # (1, C)
var = np.array([[16.0, 0, 16]])  # (1, C)
x_hat = np.array([[-0.8, 0, 0.8], [0.8, 0, -0.8]])  # (N, C)
weight, eps = np.array([5.0, 2, 10]), 9

dy = np.array([[3.0, 2, 0], [-2, -1, 5]])  # (N, C)

# %% [markdown]
# ## Task 1: the gradients of weight and bias
#
# *Easy · importance high · 10 minutes · 10 points*
#
# One number of `bias` was added to every output of its channel; one number of `weight` multiplied
# every $\hat x$ of its channel. So each gathers what all of those outputs have to say. Write the two
# gradients, for `(N, C)` and for images.
#
# | | shape | |
# |---|---|---|
# | `dy`, `x`, `mean`, `var`, `x_hat`, `weight`, `eps` | see above | you will not need all of them |
# | returns `dweight, dbias` | `(C,)`, `(C,)` | two arrays, in this order |
#
# In the example (2 samples, 3 channels), $\text{dbias} = (1, 1, 5)$ and
# $\text{dweight} = (-4, 0, -4)$. The first of these is $3 \cdot (-0.8) + (-2) \cdot 0.8$.
#
# <details><summary>Hint 1: where to begin</summary>
#
# With one channel and one sample, $y = \text{weight} \cdot \hat x + \text{bias}$ has three numbers in
# it. Differentiate by weight, then by bias. With N samples the loss changes through all of them: add.
#
# </details>
#
# <details><summary>Hint 2: images</summary>
#
# How many outputs does one number of `bias` touch in a batch of images? The gradient has C numbers, so
# every other axis has to be added away.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "batch_norm_backward_parameters", "locked": false, "schema_version": 3, "solution": true, "task": false}
def batch_norm_backward_parameters(dy, x, mean, var, x_hat, weight, eps):
    """Return dweight (C,) and dbias (C,), for dy (N, C) or (N, C, H, W)."""
    ### BEGIN SOLUTION
    axes = (0, *range(2, dy.ndim))  # all but the channels
    return (dy * x_hat).sum(axis=axes), dy.sum(axis=axes)  # (C,), (C,)
    ### END SOLUTION


# %%
dweight, dbias = batch_norm_backward_parameters(dy, x, mean, var, x_hat, weight, eps)
print("dweight", dweight, "dbias", dbias)

# %%
check("batch_norm_backward_parameters", batch_norm_backward_parameters)

# %% [markdown]
# The next cell is for grading. It runs the same check, there with other numbers, and its last line
# is the points.

# %% nbgrader={"grade": true, "grade_id": "batch_norm_backward_parameters-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("batch_norm_backward_parameters", batch_norm_backward_parameters)
### BEGIN HIDDEN TESTS
report = check("batch_norm_backward_parameters", batch_norm_backward_parameters, seed=150204)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 2: the gradient of x, node by node
#
# *Medium · importance high · 30 minutes · 10 points*
#
# Here is the forward pass in small steps, for `(N, C)`. Walk back through it, last step first. Each
# node hands its gradient on to the nodes that it was made of.
#
# | node | forward | shape | its gradient |
# |---|---|---|---|
# | `mu` | the mean of x over the samples | `(1, C)` | `dmu` |
# | `d` | `x - mu` | `(N, C)` | `dd` |
# | `v` | the mean of `d**2` over the samples | `(1, C)` | `dv` |
# | `r` | `(v + eps) ** -0.5` | `(1, C)` | `dr` |
# | `x_hat` | `d * r` | `(N, C)` | `dx_hat` |
# | `y` | `weight * x_hat + bias` | `(N, C)` | `dy`, which you are given |
#
# Mind the nodes that are used twice: `d` goes into `x_hat` and into `v`, and `x` goes into `d` and into
# `mu`. What comes back along both roads is *added*. And a number that was spread over N samples gathers
# from all N.
#
# | | shape | |
# |---|---|---|
# | `dy`, `x`, `mean`, `var`, `x_hat`, `weight`, `eps` | see above | here always with `(N, C)` |
# | returns `dx` | `(N, C)` | |
# | or returns `dx, gradients` | | the second a dict of as many nodes as you like |
#
# **Help on the way.** If you return a dict beside dx, as in
# `return dx, {"dx_hat": dx_hat, "dr": dr, "dv": dv, "dd": dd, "dmu": dmu}`, the check compares each of
# them, and tells you which is the first that differs.
#
# In the example with 2 samples and 3 channels, in the order of the walk:
#
# $$d\hat x = \begin{pmatrix} 15 & 4 & 0 \\ -10 & -2 & 50 \end{pmatrix}, \quad
# dr = (-100, 0, -200), \quad dv = (0.4, 0, 0.8), \quad
# dd = \begin{pmatrix} 1.4 & 1.3333 & 3.2 \\ -0.4 & -0.6667 & 6.8 \end{pmatrix},$$
#
# $$d\mu = (-1, -0.6667, -10), \quad
# dx = \begin{pmatrix} 0.9 & 1 & -1.8 \\ -0.9 & -1 & 1.8 \end{pmatrix}$$
#
# <details><summary>Hint 1: the first two steps</summary>
#
# `y` is made of `x_hat` by a multiplication, so `dx_hat` is `dy` times what it was multiplied by.
# `x_hat` is a product of `d` and `r`: the gradient of the one has the other in it. There are N values
# of `d` for each `r`, so for `dr` a sum over the samples.
#
# </details>
#
# <details><summary>Hint 2: from dr to dv</summary>
#
# The derivative of $v^{-1/2}$ is $-\tfrac12 v^{-3/2}$. Where does eps stand?
#
# </details>
#
# <details><summary>Hint 3: from dv to dd, and from dmu to dx</summary>
#
# `v` is a mean of N squares, so each square has an N-th part in it, and a square has the slope 2d.
# `mu` is a mean of N values, so each x has an N-th part in it. A larger `mu` makes every `d` *smaller*.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "batch_norm_backward_graph", "locked": false, "schema_version": 3, "solution": true, "task": false}
def batch_norm_backward_graph(dy, x, mean, var, x_hat, weight, eps):
    """Return dx (N, C), and if you like a dict of the gradients of the nodes."""
    ### BEGIN SOLUTION
    samples = len(x)
    d = x - mean  # (N, C)
    r = (var + eps) ** -0.5  # (1, C)
    dx_hat = dy * weight  # (N, C)
    dr = (dx_hat * d).sum(axis=0, keepdims=True)  # (1, C)
    dv = dr * -0.5 * r**3  # (1, C)
    dd = dx_hat * r + dv * 2 * d / samples  # (N, C), both roads
    dmu = -dd.sum(axis=0, keepdims=True)  # (1, C)
    dx = dd + dmu / samples  # (N, C), both roads
    return dx, {"dx_hat": dx_hat, "dr": dr, "dv": dv, "dd": dd, "dmu": dmu}
    ### END SOLUTION


# %%
batch_norm_backward_graph(dy, x, mean, var, x_hat, weight, eps)

# %%
check("batch_norm_backward_graph", batch_norm_backward_graph)

# %% nbgrader={"grade": true, "grade_id": "batch_norm_backward_graph-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("batch_norm_backward_graph", batch_norm_backward_graph)
### BEGIN HIDDEN TESTS
report = check("batch_norm_backward_graph", batch_norm_backward_graph, seed=150204)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 3: the gradient of x, in one line
#
# *Hard · importance medium · 20 minutes · 10 points*
#
# Put the steps of task 2 into each other, and nearly everything falls away. With $g$ for `dx_hat`,
# $r = 1/\sqrt{\text{var} + \varepsilon}$, and $m(\cdot)$ for the mean over the values that share a
# statistic,
#
# $$dx = r \, \big(\, g - m(g) - \hat x \; m(g \, \hat x) \,\big).$$
#
# In words: take the gradient that arrives, remove its mean, remove its part along $\hat x$, and divide
# by the standard deviation. The three terms are the three roads: straight through $\hat x$, through
# the mean, through the variance.
#
# Derive it on paper if you have the time, then write it for `(N, C)` **and for images**
# `(N, C, H, W)`, where each mean is made of N · H · W values.
#
# | | shape | |
# |---|---|---|
# | `dy`, `x`, `mean`, `var`, `x_hat`, `weight`, `eps` | see above | |
# | returns `dx` | that of `x` | |
#
# In the example with 2 samples and 3 channels, the result is that of task 2:
#
# $$dx = \begin{pmatrix} 0.9 & 1 & -1.8 \\ -0.9 & -1 & 1.8 \end{pmatrix}$$
#
# Take the first channel: $g = (15, -10)$ has the mean 2.5, and $g\,\hat x = (-12, -8)$ the mean -10.
# So the first number is $(15 - 2.5 - (-0.8)(-10)) / 5 = 0.9$.
#
# <details><summary>Hint 1: derive it</summary>
#
# Put `dv` into `dd`, and use $d \cdot r = \hat x$ twice. Then `dmu / N` is minus the mean of `dd`, and
# the mean of $\hat x$ is 0.
#
# </details>
#
# <details><summary>Hint 2: images</summary>
#
# Which axes did the forward pass average over? `mean(..., keepdims=True)` over the same ones does both
# the sum and the right count. And which shape lets `weight` line up with axis 1?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "batch_norm_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def batch_norm_backward(dy, x, mean, var, x_hat, weight, eps):
    """Return dx, in the shape of x: (N, C) or (N, C, H, W)."""
    ### BEGIN SOLUTION
    axes = (0, *range(2, x.ndim))  # all but the channels
    g = dy * weight.reshape(mean.shape)
    m_g = g.mean(axis=axes, keepdims=True)  # (1, C) or (1, C, 1, 1)
    m_g_x_hat = (g * x_hat).mean(axis=axes, keepdims=True)
    return (g - m_g - x_hat * m_g_x_hat) / np.sqrt(var + eps)
    ### END SOLUTION


# %%
batch_norm_backward(dy, x, mean, var, x_hat, weight, eps)

# %%
check("batch_norm_backward", batch_norm_backward)

# %% nbgrader={"grade": true, "grade_id": "batch_norm_backward-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("batch_norm_backward", batch_norm_backward)
### BEGIN HIDDEN TESTS
report = check("batch_norm_backward", batch_norm_backward, seed=150204)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## What you have now
#
# - The whole backward pass of BatchNorm, twice: in steps that can be compared one by one, and in one
#   line that says what the layer does to a gradient.
# - A way to look for a slip: the first intermediate gradient that differs tells you the step.
# - The line again: lessons 6 to 9 use it with other axes and change nothing else.
