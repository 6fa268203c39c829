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
# # Remember the statistics, and use them
#
# *Exercises for lesson 3 · four tasks · about 55 minutes · NumPy alone*
#
# | task | what you write | difficulty | importance | minutes | points |
# |---|---|---|---|---|---|
# | 1 | `update_running_stats`: what training remembers | easy | high | 10 | 10 |
# | 2 | `batch_norm_eval`: how evaluation uses it | easy | high | 10 | 10 |
# | 3 | `BatchNorm`: a class with both modes | medium | high | 20 | 10 |
# | 4 | `fold_batch_norm`: no BatchNorm left | medium | medium | 15 | 10 |
#
# **What you need:** BatchNorm's forward pass in training mode, from lesson 2. The rest is said here.
#
# **The idea.** In training, BatchNorm normalizes each batch by the batch's own mean and variance, so
# the answer to one sample depends on who else is in the batch. When training is over that is not
# acceptable. So the layer *remembers*, while it trains, a running mean and a running variance, and
# in evaluation mode it uses those.
#
# **How it goes.** Replace `raise NotImplementedError()` with your code, run the cell, run the
# example below it, then run the check. If your mistake is one that people often make, the check
# names it. Points come in parts, so one slip costs its own part and not everything.

# %%
import numpy as np

from normlab import check

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## Task 1: update the running statistics
#
# *Easy · importance high · 10 minutes · 10 points*
#
# A batch has arrived, in training mode. Move the running statistics towards those of the batch:
#
# $$\text{running} \leftarrow (1 - \text{momentum}) \cdot \text{running}
# + \text{momentum} \cdot \text{batch}$$
#
# In words: `momentum`, as PyTorch means it, is the share of the *new*. (In Keras, and in the paper,
# it is the share of the old.) With momentum 0 nothing is learned, with momentum 1 all the past is
# forgotten.
#
# The variance has a second job here. To scale a batch, lesson 2 divided the sum of squares by N. The
# running variance is to estimate the variance of *all the data* from a small batch, and for that
# PyTorch divides by N − 1.
#
# | | shape | |
# |---|---|---|
# | `x` | `(N, C)` | the batch, N at least 2 |
# | `running_mean`, `running_var` | `(C,)` | what is remembered so far |
# | `momentum` | a number | the share of this batch |
# | returns `running_mean, running_var` | `(C,)`, `(C,)` | two *new* arrays, in this order |
#
# An example with N = 2 and C = 3:
#
# $$x = \begin{pmatrix} 1 & 10 & 6 \\ 5 & 10 & -2 \end{pmatrix}, \quad
# \text{running mean} = (13, 0, 2), \quad \text{running var} = (18, 1, 2), \quad
# \text{momentum} = 0.5$$
#
# The batch has the means 3, 10 and 2, and the sums of squared deviations 8, 0 and 32, each divided
# by N − 1 = 1. Half old and half new is
#
# $$\text{running mean} = (8, 5, 2), \qquad \text{running var} = (13, 0.5, 17)$$
#
# <details><summary>Hint 1: which way round?</summary>
#
# Put in momentum 0 and momentum 1. Which of the two should give back the old statistics?
#
# </details>
#
# <details><summary>Hint 2: N − 1</summary>
#
# NumPy's `var` has an argument for it. Its name comes from "delta degrees of freedom".
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "update_running_stats", "locked": false, "schema_version": 3, "solution": true, "task": false}
def update_running_stats(x, running_mean, running_var, momentum):
    """Move the running statistics (C,) towards those of the batch x (N, C). Returns both."""
    ### BEGIN SOLUTION
    mean = x.mean(axis=0)  # (C,)
    var = x.var(axis=0, ddof=1)  # (C,), divided by N - 1
    running_mean = (1 - momentum) * running_mean + momentum * mean  # (C,)
    running_var = (1 - momentum) * running_var + momentum * var  # (C,)
    return running_mean, running_var
    ### END SOLUTION


# %%
x = np.array([[1.0, 10, 6], [5, 10, -2]])  # (N=2, C=3)
running_mean, running_var = update_running_stats(
    x, running_mean=np.array([13.0, 0, 2]), running_var=np.array([18.0, 1, 2]), momentum=0.5
)
print("running_mean", running_mean)
print("running_var ", running_var)

# %%
check("update_running_stats", update_running_stats)

# %% [markdown]
# The next cell is for grading. It runs the same check, there with other numbers, and its last line
# is the points.

# %% nbgrader={"grade": true, "grade_id": "update_running_stats-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("update_running_stats", update_running_stats)
### BEGIN HIDDEN TESTS
report = check("update_running_stats", update_running_stats, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 2: the forward pass in evaluation mode
#
# *Easy · importance high · 10 minutes · 10 points*
#
# The formula of lesson 2, with other numbers in it: the running statistics stand where the batch's
# own stood.
#
# $$y = \text{weight} \cdot \frac{x - \text{running mean}}{\sqrt{\text{running var} + \varepsilon}}
# + \text{bias}$$
#
# Nothing is asked of the batch, so a batch of one sample is as good as any.
#
# | | shape | |
# |---|---|---|
# | `x` | `(N, C)` | the batch; N may be 1 |
# | `running_mean`, `running_var` | `(C,)` | what training remembered |
# | `weight`, `bias`, `eps` | `(C,)`, `(C,)`, a number | as in lesson 2 |
# | returns `y` | `(N, C)` | |
#
# An example with N = 2 and C = 3:
#
# $$x = \begin{pmatrix} 1 & 10 & 6 \\ 9 & 10 & -2 \end{pmatrix}, \quad
# \text{running mean} = (4, 7, 1), \quad \text{running var} = (16, 0, 16), \quad
# \text{weight} = (10, 2, 5), \quad \text{bias} = (0, 3, 1), \quad \varepsilon = 9$$
#
# The divisors are 5, 3 and 5, the differences from the running mean −3 and 5, 3 and 3, 5 and −3:
#
# $$y = \begin{pmatrix} -6 & 5 & 6 \\ 10 & 5 & -2 \end{pmatrix}$$
#
# <details><summary>Hint 1: where to begin</summary>
#
# Lesson 2's exercise had four lines. Which of them ask the batch, and what stands there now?
#
# </details>
#
# <details><summary>Hint 2: how to see that it is evaluation mode</summary>
#
# Give it one row of `x` alone, as `x[:1]`. The answer should be the first row of the answer to all
# of `x`.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "batch_norm_eval", "locked": false, "schema_version": 3, "solution": true, "task": false}
def batch_norm_eval(x, running_mean, running_var, weight, bias, eps):
    """Normalize x (N, C) by the running statistics (C,), then scale and shift. Returns (N, C)."""
    ### BEGIN SOLUTION
    x_hat = (x - running_mean) / np.sqrt(running_var + eps)  # (N, C)
    return weight * x_hat + bias  # (N, C)
    ### END SOLUTION


# %%
x = np.array([[1.0, 10, 6], [9, 10, -2]])  # (N=2, C=3)
remembered = {"running_mean": np.array([4.0, 7, 1]), "running_var": np.array([16.0, 0, 16])}
batch_norm_eval(x, **remembered, weight=np.array([10.0, 2, 5]), bias=np.array([0.0, 3, 1]), eps=9)

# %%
check("batch_norm_eval", batch_norm_eval)

# %% nbgrader={"grade": true, "grade_id": "batch_norm_eval-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("batch_norm_eval", batch_norm_eval)
### BEGIN HIDDEN TESTS
report = check("batch_norm_eval", batch_norm_eval, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 3: a layer that remembers
#
# *Medium · importance high · 20 minutes · 10 points*
#
# Now the bookkeeping: a class for batches `(N, C)` that is used like `nn.BatchNorm1d`.
#
# | | |
# |---|---|
# | `BatchNorm(num_features, eps=1e-5, momentum=0.1)` | makes a layer for C = `num_features` channels |
# | `layer.weight`, `layer.bias` | `(C,)`, at first ones and zeros |
# | `layer.running_mean`, `layer.running_var` | `(C,)`, at first zeros and *ones* |
# | `layer.num_batches_tracked` | a whole number, at first 0 |
# | `layer.train()`, `layer.eval()` | choose the mode; a fresh layer is in training mode |
# | `layer(x)` | returns y `(N, C)` |
#
# **In training mode** `layer(x)` normalizes by the statistics of the batch (the variance divided by
# N), updates both running statistics (the variance divided by N − 1), and counts the batch. A batch
# of *one* sample has nothing to be compared with; raise a `ValueError` that says so.
#
# **In evaluation mode** `layer(x)` normalizes by the running statistics, and changes nothing.
# A batch of one sample is welcome.
#
# An example with N = 2, C = 3, `eps=9`, `momentum=0.5`, weight (10, 2, 5) and bias (0, 3, 1). In
# training mode, as in lesson 2's exercise:
#
# $$x = \begin{pmatrix} 1 & 10 & 6 \\ 9 & 10 & -2 \end{pmatrix} \quad\text{gives}\quad
# y = \begin{pmatrix} -8 & 3 & 5 \\ 8 & 3 & -3 \end{pmatrix}$$
#
# and after it
# $\text{running mean} = (2.5, 5, 1)$, $\text{running var} = (16.5, 0.5, 16.5)$ and
# $\text{num batches tracked} = 1$. In evaluation mode a sample that equals the running mean then
# comes out as the bias: (0, 3, 1).
#
# The check makes objects of your class and runs scripts of calls on them. Where it shows you a
# script, "batch" stands for a call with the next of the batches in `x`, and "sample" for a call with
# the first row of the next batch, alone.
#
# <details><summary>Hint 1: the maths in functions, the bookkeeping in the class</summary>
#
# You have two functions from tasks 1 and 2. The class may call them. What is left for it is to
# remember, and to choose.
#
# </details>
#
# <details><summary>Hint 2: what to print when the buffers are off</summary>
#
# Print `num_batches_tracked` and `running_mean` after every call, and write beside each line which
# mode the layer was in.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "BatchNorm", "locked": false, "schema_version": 3, "solution": true, "task": false}
class BatchNorm:
    """BatchNorm for (N, C), with a training and an evaluation mode."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        ### BEGIN SOLUTION
        self.eps, self.momentum = eps, momentum
        self.weight, self.bias = np.ones(num_features), np.zeros(num_features)  # (C,), (C,)
        self.running_mean, self.running_var = np.zeros(num_features), np.ones(num_features)
        self.num_batches_tracked = 0
        self.training = True
        ### END SOLUTION

    def train(self):
        ### BEGIN SOLUTION
        self.training = True
        ### END SOLUTION

    def eval(self):
        ### BEGIN SOLUTION
        self.training = False
        ### END SOLUTION

    def __call__(self, x):
        ### BEGIN SOLUTION
        if not self.training:
            mean, var = self.running_mean, self.running_var
        elif len(x) == 1:
            raise ValueError("one sample is its own mean: training needs a batch of two or more")
        else:
            mean, var = x.mean(axis=0), x.var(axis=0)  # (C,), (C,)
            self.running_mean, self.running_var = update_running_stats(
                x, self.running_mean, self.running_var, self.momentum
            )
            self.num_batches_tracked += 1
        return batch_norm_eval(x, mean, var, self.weight, self.bias, self.eps)  # (N, C)
        ### END SOLUTION


# %%
layer = BatchNorm(3, eps=9, momentum=0.5)
layer.weight, layer.bias = np.array([10.0, 2, 5]), np.array([0.0, 3, 1])
print(layer(np.array([[1.0, 10, 6], [9, 10, -2]])))  # (N=2, C=3)
print("running_mean", layer.running_mean)
print("running_var ", layer.running_var)
print("num_batches_tracked", layer.num_batches_tracked)
layer.eval()
print("one sample", layer(layer.running_mean[None]))  # (1, C)

# %%
check("BatchNorm", BatchNorm)

# %% nbgrader={"grade": true, "grade_id": "BatchNorm-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("BatchNorm", BatchNorm)
### BEGIN HIDDEN TESTS
report = check("BatchNorm", BatchNorm, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 4: fold BatchNorm into the linear layer before it
#
# *Medium · importance medium · 15 minutes · 10 points*
#
# In evaluation mode everything in BatchNorm is a constant: it multiplies each channel by a number and
# adds a number. A linear layer does as much by itself. So when training is over, the two layers can
# be made into one, which gives the same answers in less time.
#
# The linear layer computes $z = x W^\top + b_{\text{linear}}$, and BatchNorm makes $y$ of $z$ as in
# task 2. Find a weight $W'$ and a bias $b'$ with $y = x W'^\top + b'$, whatever x is.
#
# | | shape | |
# |---|---|---|
# | `linear_weight` | `(C, D)` | as PyTorch keeps it: one row for each output |
# | `linear_bias` | `(C,)` | |
# | `running_mean`, `running_var`, `weight`, `bias` | `(C,)` each | BatchNorm's own |
# | `eps` | a number | |
# | returns `folded_weight, folded_bias` | `(C, D)`, `(C,)` | two *new* arrays, in this order |
#
# An example with C = 2 and D = 3:
#
# $$W = \begin{pmatrix} 1 & 2 & 0 \\ 3 & -1 & 1 \end{pmatrix}, \quad
# b_{\text{linear}} = (10, 4)$$
#
# $$\text{running mean} = (7, 5), \quad \text{running var} = (16, 0), \quad
# \text{weight} = (10, 6), \quad \text{bias} = (0, 1), \quad \varepsilon = 9$$
#
# The first output is divided by 5 and multiplied by 10, the second divided by 3 and multiplied by 6:
# both are scaled by 2. What is left for the biases is
#
# $$W' = \begin{pmatrix} 2 & 4 & 0 \\ 6 & -2 & 2 \end{pmatrix}, \quad b' = (6, -1)$$
#
# <details><summary>Hint 1: where to begin</summary>
#
# Write $y$ for one channel, with $z$ replaced by what it is made of. Multiply out. Collect what
# stands before x, and what does not meet x at all.
#
# </details>
#
# <details><summary>Hint 2: the bias</summary>
#
# Which y do both layers give for x = 0? And which does the folded layer give?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "fold_batch_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fold_batch_norm(linear_weight, linear_bias, running_mean, running_var, weight, bias, eps):
    """Make one linear layer of a linear layer and BatchNorm. Returns weight (C, D), bias (C,)."""
    ### BEGIN SOLUTION
    scale = weight / np.sqrt(running_var + eps)  # (C,)
    folded_weight = scale[:, np.newaxis] * linear_weight  # (C, D)
    folded_bias = scale * (linear_bias - running_mean) + bias  # (C,)
    return folded_weight, folded_bias
    ### END SOLUTION


# %%
folded_weight, folded_bias = fold_batch_norm(
    linear_weight=np.array([[1.0, 2, 0], [3, -1, 1]]),  # (C=2, D=3)
    linear_bias=np.array([10.0, 4]),
    running_mean=np.array([7.0, 5]),
    running_var=np.array([16.0, 0]),
    weight=np.array([10.0, 6]),
    bias=np.array([0.0, 1]),
    eps=9,
)
print(folded_weight)
print(folded_bias)

# %%
check("fold_batch_norm", fold_batch_norm)

# %% nbgrader={"grade": true, "grade_id": "fold_batch_norm-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("fold_batch_norm", fold_batch_norm)
### BEGIN HIDDEN TESTS
report = check("fold_batch_norm", fold_batch_norm, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## What you have now
#
# - The two variances of one layer: divided by N to scale a batch, by N − 1 to remember it.
# - A layer whose answer to one sample, in evaluation mode, depends on that sample alone.
# - The reason why BatchNorm costs nothing once training is over: it can be folded away.
