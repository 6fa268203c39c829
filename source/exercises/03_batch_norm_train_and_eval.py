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
# # Remember the statistics, and what else can be done with them
#
# *Exercises for lesson 3 · four tasks · about 80 minutes · NumPy alone*
#
# | task | what you write | difficulty | importance | minutes | points |
# |---|---|---|---|---|---|
# | 1 | `BatchNorm`: a class with both modes | medium | high | 40 | 10 |
# | 2 | `average_so_far`: every batch counts the same | easy | medium | 10 | 10 |
# | 3 | `fold_into_next_conv`: a norm that stands before | medium | high | 15 | 10 |
# | 4 | `batch_renorm`: training sees what evaluation will do | medium | medium | 15 | 10 |
#
# **What you need:** [lesson 3](../notebooks/03_batch_norm_train_and_eval.ipynb), in which you have written what
# BatchNorm remembers and how it is used. Here you put it together, and then change it.
#
# **How it goes.** Replace `raise NotImplementedError()` with your code, run the cell, run the
# example below it, then run the check. If your mistake is one that people often make, the check
# names it. Points come in parts, so one slip costs its own part and not everything.

# %%
import numpy as np

from normlab import check

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## Task 1: a layer that remembers
#
# *Medium · importance high · 40 minutes · 10 points*
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
# In lesson 3 you wrote two functions: one moves the running statistics, one normalizes by them. Copy yours into the
# cell of the class, above it, and let the class call them. What is left for it is to remember, and to choose.
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
        mean, var = self.running_mean, self.running_var  # (C,), (C,)
        if self.training:
            if len(x) == 1:
                raise ValueError("one sample is its own mean: training needs two or more")
            mean, var = x.mean(axis=0), x.var(axis=0)  # (C,), (C,)
            old, new = 1 - self.momentum, self.momentum  # the shares of the old and of the new
            self.running_mean = old * self.running_mean + new * mean
            self.running_var = old * self.running_var + new * x.var(axis=0, ddof=1)
            self.num_batches_tracked += 1
        x_hat = (x - mean) / np.sqrt(var + self.eps)  # (N, C)
        return self.weight * x_hat + self.bias  # (N, C)
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

# %% [markdown]
# The next cell is for grading. It runs the same check, there with other numbers, and its last line
# is the points.

# %% nbgrader={"grade": true, "grade_id": "BatchNorm-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("BatchNorm", BatchNorm)
### BEGIN HIDDEN TESTS
report = check("BatchNorm", BatchNorm, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 2: every batch counts the same
#
# *Easy · importance medium · 10 minutes · 10 points*
#
# With a fixed momentum of 0.1 the last batch counts a tenth, the one before it 0.09, and so on: the past fades.
# Sometimes one wants the plain average of all batches instead, the first counting as much as the last. PyTorch does
# so with `momentum=None`, for instance to measure the statistics of a finished network anew.
#
# Nobody keeps all the batches for that. The average so far, and how many there were, are enough: find the share
# that the new batch has to get, so that after it the running statistics are the average over all batches, this one
# included. What was there before the very first batch (zeros and ones) leaves no trace.
#
# | | shape | |
# |---|---|---|
# | `x` | `(N, C)` | the batch, N at least 2 |
# | `running_mean`, `running_var` | `(C,)` | the average over the batches so far |
# | `num_batches_tracked` | a whole number | how many these were; 0 before the first |
# | returns `running_mean, running_var` | `(C,)`, `(C,)` | with this batch, two *new* arrays, in this order |
#
# As always, the variance that is remembered divides by N − 1.
#
# An example with N = 2 and C = 2, after three batches:
#
# $$x = \begin{pmatrix} 7 & 1 \\ 9 & 3 \end{pmatrix}, \quad
# \text{running mean} = (4, 10), \quad \text{running var} = (6, 2)$$
#
# The batch has the means 8 and 2, and both variances are 2. Three batches had the average 4 in the first channel;
# with the fourth it is $(3 \cdot 4 + 8) / 4 = 5$. In the same way
#
# $$\text{running mean} = (5, 8), \quad \text{running var} = (5, 2)$$
#
# <details><summary>Hint 1: the share</summary>
#
# The numbers 4, 6 and 11 have the average 7. Without the 11 it was 5. Which share of 5 and which of 11 make 7?
#
# </details>
#
# <details><summary>Hint 2: the first batch</summary>
#
# Which share must the very first batch get, so that nothing is left of what was there before?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "average_so_far", "locked": false, "schema_version": 3, "solution": true, "task": false}
def average_so_far(x, running_mean, running_var, num_batches_tracked):
    """Take batch x (N, C) into the average over all batches. Returns both, (C,)."""
    ### BEGIN SOLUTION
    count = num_batches_tracked + 1
    running_mean = running_mean + (x.mean(axis=0) - running_mean) / count  # (C,)
    running_var = running_var + (x.var(axis=0, ddof=1) - running_var) / count  # (C,)
    return running_mean, running_var
    ### END SOLUTION


# %%
running_mean, running_var = average_so_far(
    x=np.array([[7.0, 1], [9, 3]]),  # (N=2, C=2)
    running_mean=np.array([4.0, 10]),
    running_var=np.array([6.0, 2]),
    num_batches_tracked=3,
)
print("running_mean", running_mean, "running_var", running_var)

# %%
check("average_so_far", average_so_far)

# %% nbgrader={"grade": true, "grade_id": "average_so_far-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("average_so_far", average_so_far)
### BEGIN HIDDEN TESTS
report = check("average_so_far", average_so_far, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 3: a norm that stands before
#
# *Medium · importance high · 15 minutes · 10 points*
#
# In lesson 3 BatchNorm stood *behind* a linear layer, and was folded into it. In many networks it stands *before*
# the next layer: norm, then convolution. That one can be folded as well, into the convolution behind it, and it is
# not the same fold: now the channels that BatchNorm scales are the convolution's *inputs*.
#
# BatchNorm, in evaluation mode, makes of channel $c$ of an image
#
# $$u_c = \text{weight}_c \cdot \frac{x_c - \text{running mean}_c}{\sqrt{\text{running var}_c + \varepsilon}} + \text{bias}_c$$
#
# and the convolution, without padding, lays its kernel $K$ over each place of $u$, multiplies number by number and
# adds up:
#
# $$z_o = b_o + \sum_c \sum_{i, j} K_{o c i j} \, u_c[\ldots + i, \ldots + j]$$
#
# Find a kernel $K'$ and a bias $b'$ with which the convolution gives the same $z$ from $x$ itself.
#
# | | shape | |
# |---|---|---|
# | `conv_weight` | `(O, C, H, W)` | the kernel $K$: O outputs, C channels, H times W places |
# | `conv_bias` | `(O,)` | $b$ |
# | `running_mean`, `running_var`, `weight`, `bias` | `(C,)` each | BatchNorm's own |
# | `eps` | a number | |
# | returns `folded_weight, folded_bias` | `(O, C, H, W)`, `(O,)` | $K'$ and $b'$, two *new* arrays, in this order |
#
# An example with O = 1 output, C = 2 channels, and a kernel of 1×2 places:
#
# $$K_{0} = \begin{pmatrix} 1 & 3 \end{pmatrix}, \quad K_{1} = \begin{pmatrix} 2 & -1 \end{pmatrix}, \quad b = 70$$
#
# $$\text{running mean} = (7, 5), \quad \text{running var} = (16, 0), \quad
# \text{weight} = (10, 3), \quad \text{bias} = (0, 1), \quad \varepsilon = 9$$
#
# BatchNorm divides the first channel by 5 and multiplies it by 10, the second by 3 and 3: it makes
# $u_0 = 2 x_0 - 14$ and $u_1 = x_1 - 4$. The −14 meets both places of its kernel, 1 and 3, and so does the −4, 2
# and −1:
#
# $$K'_{0} = \begin{pmatrix} 2 & 6 \end{pmatrix}, \quad K'_{1} = \begin{pmatrix} 2 & -1 \end{pmatrix}, \quad
# b' = 70 - 14 \cdot 4 - 4 \cdot 1 = 10$$
#
# <details><summary>Hint 1: a scale and a shift</summary>
#
# First write BatchNorm as `scale * x + shift`, with one scale and one shift for each channel. Then put that in the
# place of $u$ and multiply out.
#
# </details>
#
# <details><summary>Hint 2: an easy image</summary>
#
# Give both networks an image of zeros. BatchNorm makes `shift` of it, everywhere. What does the convolution make of
# that?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "fold_into_next_conv", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fold_into_next_conv(conv_weight, conv_bias, running_mean, running_var, weight, bias, eps):
    """Make one convolution of BatchNorm and the convolution behind it. Returns K', b'."""
    ### BEGIN SOLUTION
    scale = weight / np.sqrt(running_var + eps)  # (C,)
    shift = bias - scale * running_mean  # (C,)
    folded_weight = conv_weight * scale[:, np.newaxis, np.newaxis]  # (O, C, H, W)
    folded_bias = conv_bias + conv_weight.sum(axis=(2, 3)) @ shift  # (O,)
    return folded_weight, folded_bias
    ### END SOLUTION


# %%
folded_weight, folded_bias = fold_into_next_conv(
    conv_weight=np.array([[[[1.0, 3]], [[2, -1]]]]),  # (O=1, C=2, H=1, W=2)
    conv_bias=np.array([70.0]),
    running_mean=np.array([7.0, 5]),
    running_var=np.array([16.0, 0]),
    weight=np.array([10.0, 3]),
    bias=np.array([0.0, 1]),
    eps=9,
)
print(*folded_weight[0, :, 0], "bias", folded_bias)

# %%
check("fold_into_next_conv", fold_into_next_conv)

# %% nbgrader={"grade": true, "grade_id": "fold_into_next_conv-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("fold_into_next_conv", fold_into_next_conv)
### BEGIN HIDDEN TESTS
report = check("fold_into_next_conv", fold_into_next_conv, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 4: batch renormalization
#
# *Medium · importance medium · 15 minutes · 10 points*
#
# A layer that trains by the batch's statistics and is tested by the running ones is two layers, and in small
# batches they differ. Sergey Ioffe, one of BatchNorm's two authors, proposed in 2017 to let training see what
# evaluation will do (*Batch Renormalization*, arXiv 1702.03275). Normalize by the batch as always, and then correct
# the result, with two numbers for each channel:
#
# $$\hat x = \frac{x - \text{mean}}{\text{std}} \cdot r + d, \qquad
# r = \frac{\text{std}}{\text{running std}}, \qquad
# d = \frac{\text{mean} - \text{running mean}}{\text{running std}}$$
#
# With these $r$ and $d$ everything of the batch cancels, and $\hat x$ is what evaluation mode gives. But the
# running statistics are bad in the beginning. So both numbers are kept within limits: $r$ between $1 / r_{\max}$
# and $r_{\max}$, and $d$ between $-d_{\max}$ and $d_{\max}$. With $r_{\max} = 1$ and $d_{\max} = 0$ it is the plain
# BatchNorm.
#
# Both standard deviations are roots of a variance plus $\varepsilon$; the batch's variance divides by N. Then come
# weight and bias, as always.
#
# | | shape | |
# |---|---|---|
# | `x` | `(N, C)` | the batch |
# | `running_mean`, `running_var` | `(C,)` | what has been remembered; it is not changed here |
# | `weight`, `bias`, `eps` | `(C,)`, `(C,)`, a number | as always |
# | `r_max`, `d_max` | numbers | the limits; r_max is at least 1, d_max at least 0 |
# | returns `y` | `(N, C)` | |
#
# An example with N = 2 and C = 3, in which the three channels are the same: mean 5, standard deviation 4.
#
# $$x = \begin{pmatrix} 1 & 1 & 1 \\ 9 & 9 & 9 \end{pmatrix}, \quad
# \text{running mean} = (3, 5, 3), \quad \text{running var} = (16, 64, 1), \quad
# r_{\max} = 2, \quad d_{\max} = 1, \quad \varepsilon = 0$$
#
# Without r and d there would be ∓1 everywhere.
#
# | channel | r | d | $\hat x$ | |
# |---|---|---|---|---|
# | 0 | 4/4 = 1 | 2/4 = 0.5 | −0.5, 1.5 | as in evaluation |
# | 1 | 4/8 = 0.5 | 0 | −0.5, 0.5 | as in evaluation |
# | 2 | 4/1 is more than 2: 2 | 2/1 is more than 1: 1 | −1, 3 | in evaluation it would be −2, 6 |
#
# With weight (10, 2, 1) and bias (0, 3, 1) this is
#
# $$y = \begin{pmatrix} -5 & 2 & 0 \\ 15 & 4 & 4 \end{pmatrix}$$
#
# <details><summary>Hint 1: limits</summary>
#
# `np.clip(values, lowest, highest)` keeps each number of an array between two others. The two limits of r are not
# those of d.
#
# </details>
#
# <details><summary>Hint 2: how to see a mistake</summary>
#
# Call your function with enormous limits: it has to give what evaluation mode gives. Then with `r_max=1, d_max=0`:
# the plain BatchNorm.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "batch_renorm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def batch_renorm(x, running_mean, running_var, weight, bias, eps, r_max, d_max):
    """Normalize x (N, C) by the batch, corrected towards the running statistics. Returns (N, C)."""
    ### BEGIN SOLUTION
    mean, std = x.mean(axis=0), np.sqrt(x.var(axis=0) + eps)  # (C,), (C,)
    running_std = np.sqrt(running_var + eps)  # (C,)
    r = np.clip(std / running_std, 1 / r_max, r_max)  # (C,)
    d = np.clip((mean - running_mean) / running_std, -d_max, d_max)  # (C,)
    x_hat = (x - mean) / std * r + d  # (N, C)
    return weight * x_hat + bias  # (N, C)
    ### END SOLUTION


# %%
batch_renorm(
    x=np.array([[1.0, 1, 1], [9, 9, 9]]),  # (N=2, C=3)
    running_mean=np.array([3.0, 5, 3]),
    running_var=np.array([16.0, 64, 1]),
    weight=np.array([10.0, 2, 1]),
    bias=np.array([0.0, 3, 1]),
    eps=0,
    r_max=2,
    d_max=1,
)

# %%
check("batch_renorm", batch_renorm)

# %% nbgrader={"grade": true, "grade_id": "batch_renorm-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("batch_renorm", batch_renorm)
### BEGIN HIDDEN TESTS
report = check("batch_renorm", batch_renorm, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## What you have now
#
# - The two variances of one layer: divided by N to scale a batch, by N − 1 to remember it.
# - A layer whose answer to one sample, in evaluation mode, depends on that sample alone.
# - Running statistics without a momentum: the plain average of all batches.
# - A norm that costs nothing once training is over, wherever it stands: behind a layer or before it.
# - A layer between the two modes, and what it has of each.
