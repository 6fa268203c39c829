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
# # Write BatchNorm's forward pass, and some that are like it
#
# *Exercises for lesson 2 · four tasks · about 50 minutes · NumPy alone*
#
# | task | function | difficulty | importance | minutes | points |
# |---|---|---|---|---|---|
# | 1 | `batch_norm_forward`, for `(N, C)` | easy | high | 10 | 10 |
# | 2 | `linear_then_batch_norm`, and the bias it can do without | medium | medium | 15 | 10 |
# | 3 | `weighted_batch_norm`, where samples count for more or for less | medium | high | 10 | 10 |
# | 4 | `whiten_two`, and what two channels share is gone | hard | medium | 15 | 10 |
#
# **What you need:** [lesson 2](../notebooks/02_batch_norm_forward.ipynb), and nothing after it. We
# are in training mode all the way: the mean and the variance are those of the batch. Task 1 you know from
# there; the others are not in it.
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
# ## Task 2: the bias that BatchNorm takes away
#
# *Medium · importance medium · 15 minutes · 10 points*
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
# ## Task 3: samples that count for more, or for less
#
# *Medium · importance high · 10 minutes · 10 points*
#
# Not every row of a batch is worth the same. Some rows only fill the batch up, and nobody should listen to them;
# others stand for many that were left out. So each sample has a weight: in the mean and in the variance of a
# channel it counts as much as its weight says.
#
# $$\text{mean} = \frac{\sum_i s_i x_i}{\sum_i s_i}, \qquad
# \text{var} = \frac{\sum_i s_i (x_i - \text{mean})^2}{\sum_i s_i}$$
#
# In words: a sample of weight 3 counts like three equal samples, one of weight 0 not at all. Normalizing, scaling
# and shifting are done as always, and for *every* row: one of weight 0 has no say in the mean and the variance, but
# is normalized by them like all others.
#
# | | shape | |
# |---|---|---|
# | `x` | `(N, C)` | the batch, one sample a row |
# | `sample_weight` | `(N,)` | $s$, how much each sample counts: 0 or more, and not all of them 0 |
# | `weight`, `bias`, `eps` | `(C,)`, `(C,)`, a number | BatchNorm's own, as always |
# | returns `y` | `(N, C)` | |
#
# An example with N = 3 and C = 2. The last sample does not count:
#
# $$x = \begin{pmatrix} 2 & 7 \\ 10 & 7 \\ 8 & 3 \end{pmatrix}, \quad s = (3, 1, 0), \quad
# \text{weight} = (10, 2), \quad \text{bias} = (0, 3), \quad \varepsilon = 4$$
#
# The first channel is 2, 2, 2 and 10: its mean is 4, its variance $(3 \cdot 4 + 36) / 4 = 12$, and with
# $\varepsilon$ you divide by 4. The second is 7 four times: you divide by 2.
#
# $$y = \begin{pmatrix} -5 & 3 \\ 15 & 3 \\ 10 & -1 \end{pmatrix}$$
#
# <details><summary>Hint 1: the shapes</summary>
#
# To multiply row $i$ of `x` by the weight of row $i$, which shape do the weights need?
# `sample_weight[:, np.newaxis]` is `(N, 1)`.
#
# </details>
#
# <details><summary>Hint 2: how to see a mistake</summary>
#
# Double all the weights: nothing should change. Set one to 0 and change that row of `x`: the other rows should not
# move.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "weighted_batch_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def weighted_batch_norm(x, sample_weight, weight, bias, eps):
    """Normalize x (N, C) by statistics in which sample i counts sample_weight[i]. Returns (N, C)."""
    ### BEGIN SOLUTION
    share = (sample_weight / sample_weight.sum())[:, np.newaxis]  # (N, 1), adds up to 1
    mean = (share * x).sum(axis=0)  # (C,)
    var = (share * (x - mean) ** 2).sum(axis=0)  # (C,)
    return weight * (x - mean) / np.sqrt(var + eps) + bias  # (N, C)
    ### END SOLUTION


# %%
weighted_batch_norm(
    x=np.array([[2.0, 7], [10, 7], [8, 3]]),  # (N=3, C=2)
    sample_weight=np.array([3.0, 1, 0]),
    weight=np.array([10.0, 2]),
    bias=np.array([0.0, 3]),
    eps=4,
)

# %%
check("weighted_batch_norm", weighted_batch_norm)

# %% nbgrader={"grade": true, "grade_id": "weighted_batch_norm-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("weighted_batch_norm", weighted_batch_norm)
### BEGIN HIDDEN TESTS
report = check("weighted_batch_norm", weighted_batch_norm, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 4: what two channels share
#
# *Hard · importance medium · 15 minutes · 10 points*
#
# BatchNorm gives every channel mean 0 and spread 1. If two channels rise and fall together, they still do so
# afterwards. **Whitening** takes that away, too: the covariance of what comes out is the identity. Write it for two
# channels.
#
# With $d$ for $x$ less its means, `(N, 2)`, the covariance is the average of the products, with the variances on
# its diagonal:
#
# $$\text{cov} = \frac1N\, d^\top d, \qquad y = d\, (\text{cov} + \varepsilon I)^{-1/2}$$
#
# where $I$ is the identity, so that $\varepsilon$ is added to the two variances. For one channel, this is
# BatchNorm: to multiply by $(\text{var} + \varepsilon)^{-1/2}$ is to divide by the standard deviation. For two, it
# is a root *of a matrix*. `np.linalg.eigh` takes a symmetric matrix apart, into eigenvalues $\lambda$ and a matrix
# $V$ with an eigenvector in each *column*, so that the matrix is $V \operatorname{diag}(\lambda)\, V^\top$. Then
#
# $$(\text{cov} + \varepsilon I)^{-1/2} = V \operatorname{diag}(1 / \sqrt{\lambda})\, V^\top$$
#
# In words: turn to directions in which nothing is shared, divide each by its own spread, turn back. (There are
# other roots, and with them $y$ would be white, too. This one changes the channels least.)
#
# | | shape | |
# |---|---|---|
# | `x` | `(N, 2)` | the batch |
# | `eps` | a number | added to both variances |
# | returns `y, cov` | `(N, 2)`, `(2, 2)` | the whitened batch, and the covariance of `x`, without eps |
#
# An example with N = 4 samples and $\varepsilon = 0$:
#
# $$x = \begin{pmatrix} 13 & 23 \\ 7 & 17 \\ 11 & 19 \\ 9 & 21 \end{pmatrix}, \quad
# d = \begin{pmatrix} 3 & 3 \\ -3 & -3 \\ 1 & -1 \\ -1 & 1 \end{pmatrix}, \quad
# \text{cov} = \begin{pmatrix} 5 & 4 \\ 4 & 5 \end{pmatrix}$$
#
# Along the diagonal, where both channels rise together, the spread is 3 (the eigenvalue is 9); across it, it is 1.
# So what lies along the diagonal is divided by 3, and the rest stays:
#
# $$y = \begin{pmatrix} 1 & 1 \\ -1 & -1 \\ 1 & -1 \\ -1 & 1 \end{pmatrix}$$
#
# <details><summary>Hint 1: the order of the factors</summary>
#
# $d$ stands on the left, with a sample in each row. `V / np.sqrt(values)` divides each *column* of V by its own
# number: that is $V \operatorname{diag}(1/\sqrt\lambda)$.
#
# </details>
#
# <details><summary>Hint 2: how to see a mistake</summary>
#
# Compute the covariance of your `y`, with a tiny `eps`: it is the identity. Then exchange the two columns of `x`:
# the columns of `y` are exchanged, and nothing else.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "whiten_two", "locked": false, "schema_version": 3, "solution": true, "task": false}
def whiten_two(x, eps):
    """Whiten two channels, x (N, 2). Returns y (N, 2) and the covariance of x (2, 2)."""
    ### BEGIN SOLUTION
    d = x - x.mean(axis=0)  # (N, 2)
    cov = d.T @ d / len(x)  # (2, 2)
    values, vectors = np.linalg.eigh(cov + eps * np.eye(2))  # (2,), (2, 2)
    root = (vectors / np.sqrt(values)) @ vectors.T  # (2, 2)
    return d @ root, cov
    ### END SOLUTION


# %%
y, cov = whiten_two(np.array([[13.0, 23], [7, 17], [11, 19], [9, 21]]), eps=0)  # (N=4, 2)
print(y.round(4) + 0)  # (N=4, 2)
print(cov)

# %%
check("whiten_two", whiten_two)

# %% nbgrader={"grade": true, "grade_id": "whiten_two-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("whiten_two", whiten_two)
### BEGIN HIDDEN TESTS
report = check("whiten_two", whiten_two, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## What you have now
#
# - BatchNorm's forward pass, and why a linear layer in front of it can have `bias=False`: the bias goes into the
#   mean, and the mean is taken away. In lesson 3 the layer will remember such means; then it matters that the bias
#   is in them.
# - A BatchNorm that can be told who counts: with weights of 0 and 1 it leaves out the padding of a batch.
# - What BatchNorm does not do: it scales the channels one by one, and leaves in what they share.
