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
# # Measure a part, normalize the weights, and forget one of many
#
# *Exercises for lesson 9 · four tasks · about 50 minutes · NumPy alone*
#
# | task | function | difficulty | importance | minutes | points |
# |---|---|---|---|---|---|
# | 1 | `partial_rms_norm`: measure some features, divide all | easy | medium | 5 | 10 |
# | 2 | `standardize_kernels`: weights of a convolution, with sum 0 and length 1 | medium | medium | 15 | 10 |
# | 3 | `statistics_without`: take one worker's part out again | hard | medium | 15 | 10 |
# | 4 | `local_response_norm`, along the channels | medium | low | 15 | 10 |
#
# **What you need:** [lesson 9](../notebooks/09_rms_norm_and_relatives.ipynb). All formulas are given here, and the tasks do not build on each other.

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
# ## Task 1: measure less
#
# *Easy · importance medium · 5 minutes · 10 points*
#
# If all features of a row are about the same size, a few of them tell how large the row is. The authors of RMSNorm (Zhang & Sennrich, 2019) call it
# *partial* RMSNorm: the root mean square is taken of the first `part` features of a row, and **all** features are divided by it.
#
# $$y_d = \text{weight}_d \; \frac{x_d}{\sqrt{\frac{1}{\text{part}} \sum_{j < \text{part}} x_j^2 + \varepsilon}}$$
#
# | | shape | |
# |---|---|---|
# | `x` | `(*, D)` | any number of axes before the last |
# | `part` | a number | how many features are measured, 1 to D |
# | `weight` | `(D,)` | the scale of each feature |
# | `eps` | a number | added to the mean square |
# | returns `y` | like `x` | |
#
# An example with two rows of three, of which two are measured:
#
# $$x = \begin{pmatrix} 4 & 0 & 30 \\ -4 & 8 & 7 \end{pmatrix}, \quad \text{part} = 2, \quad
# \text{weight} = (3, 1, 1), \quad \varepsilon = 1$$
#
# The mean squares of the parts are 8 and 40; the divisors would be 3 and 6.403. So the first row becomes
#
# $$y_0 = \begin{pmatrix} 4 & 0 & 10 \end{pmatrix}.$$
#
# <details><summary>Hint 1: three dots</summary>
#
# `x[..., :part]` picks the first features, however many axes stand before the last.
#
# </details>
#
# <details><summary>Hint 2: a probe</summary>
#
# Make the last feature of a row ten times as large. Which numbers of your answer may change, and which may not?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "partial_rms_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def partial_rms_norm(x, part, weight, eps):
    """Divide each row of x (*, D) by the root mean square of its first features."""
    ### BEGIN SOLUTION
    mean_square = (x[..., :part] ** 2).mean(axis=-1, keepdims=True)  # (*, 1)
    return weight * x / np.sqrt(mean_square + eps)
    ### END SOLUTION


# %%
x = np.array([[4.0, 0, 30], [-4, 8, 7]])  # (N=2, D=3)
partial_rms_norm(x, part=2, weight=np.array([3.0, 1, 1]), eps=1)

# %%
check("partial_rms_norm", partial_rms_norm)

# %% [markdown]
# The next cell is for grading. It runs the same check, there with other numbers, and its last line
# is the points.

# %% nbgrader={"grade": true, "grade_id": "partial_rms_norm-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("partial_rms_norm", partial_rms_norm)
### BEGIN HIDDEN TESTS
report = check("partial_rms_norm", partial_rms_norm, seed=191016)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 2: no norm behind the layer
#
# *Medium · importance medium · 15 minutes · 10 points*
#
# Weight norm gives each output of a layer a length. *Weight standardization* (Qiao and others, 2019) takes out the mean as well, and networks without any norm behind their convolutions
# (Brock and others, 2021) use it in this form: the weights of each output add up to 0 and have length 1, times a gain that is learned. For inputs of variance 1 that
# do not depend on each other, the output then has the gain as its standard deviation, without anything being measured.
#
# Let $v_o$ be all weights of output $o$, with $n = I \cdot H \cdot W$ numbers (the *fan-in*), mean $\mu_o$ and (biased) variance $\sigma_o^2$:
#
# $$w_o = \text{gain}_o \; \frac{v_o - \mu_o}{\sqrt{n \, \sigma_o^2 + \varepsilon}}$$
#
# | | shape | |
# |---|---|---|
# | `v` | `(O, I, H, W)` | the kernels of a convolution: O outputs, I inputs |
# | `gain` | `(O,)` | |
# | `eps` | a number | |
# | returns `w` | `(O, I, H, W)` | |
#
# An example: two outputs, two inputs, kernels of 1 × 2. Here are the four weights of each output:
#
# $$v_0 = (1, 3, 3, 1), \quad v_1 = (5, 5, 9, 9), \quad \text{gain} = (3, 10), \quad \varepsilon = 5$$
#
# The means are 2 and 7, the variances 1 and 4. Under the root stands 4 · 1 + 5 = 9 and 4 · 4 + 5 = 21:
#
# $$w_0 = (-1, 1, 1, -1), \quad w_1 = \frac{20}{\sqrt{21}} \, (-1, -1, 1, 1) = 4.364 \, (-1, -1, 1, 1)$$
#
# <details><summary>Hint 1: what one output adds up</summary>
#
# One number that comes out of a convolution is a sum over all inputs and all places of the kernel. Which axes of v are that?
#
# </details>
#
# <details><summary>Hint 2: is it right?</summary>
#
# With eps = 0 and gain 1, add up the weights of each output, and their squares.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "standardize_kernels", "locked": false, "schema_version": 3, "solution": true, "task": false}
def standardize_kernels(v, gain, eps):
    """Give each output of v (O, I, H, W) the sum 0 and the length gain (O,)."""
    ### BEGIN SOLUTION
    kernel = (1, 2, 3)
    fan_in = v[0].size  # I * H * W
    mean = v.mean(axis=kernel, keepdims=True)  # (O, 1, 1, 1)
    var = v.var(axis=kernel, keepdims=True)  # (O, 1, 1, 1)
    return gain.reshape(-1, 1, 1, 1) * (v - mean) / np.sqrt(fan_in * var + eps)
    ### END SOLUTION


# %%
v = np.array([[[[1.0, 3]], [[3, 1]]], [[[5, 5]], [[9, 9]]]])  # (O=2, I=2, H=1, W=2)
w = standardize_kernels(v, gain=np.array([3.0, 10]), eps=5)
print(w.reshape(2, 4))

# %%
check("standardize_kernels", standardize_kernels)

# %% nbgrader={"grade": true, "grade_id": "standardize_kernels-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("standardize_kernels", standardize_kernels)
### BEGIN HIDDEN TESTS
report = check("standardize_kernels", standardize_kernels, seed=191016)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 3: forget one of them
#
# *Hard · importance medium · 15 minutes · 10 points*
#
# In the lesson the statistics of several workers were merged. Now one of them asks to be forgotten: the count, mean and (biased) variance of **all** values are known, and those of the
# part that has to go. The data itself is gone. What are the mean and the variance of the rest?
#
# Lesson 9's formula says what a whole is made of. For two groups with the counts $p$ and $q$, and $n = p + q$, it can be written as
#
# $$n \, \mu = p \, \mu_p + q \, \mu_q, \qquad
# n \, \sigma^2 = p \, \sigma_p^2 + q \, \sigma_q^2 + \frac{p \, q}{n} \, (\mu_p - \mu_q)^2.$$
#
# Here $n$ and $p$ are known with their statistics, and those of $q$ are asked.
#
# | | shape | |
# |---|---|---|
# | `count`, `part_count` | numbers | $n$ and $p$; $p$ is smaller |
# | `mean`, `var` | `(C,)` each | of all values, for each channel |
# | `part_mean`, `part_var` | `(C,)` each | of the part that has to go |
# | returns `rest_mean, rest_var` | `(C,)`, `(C,)` | two arrays, in this order |
#
# The means may be huge, about $10^9$, while the variances are small: compute distances between means, not differences of squares.
#
# An example with one channel: the whole is 0, 0, 0, 10, 10, 10 with mean 5 and variance 25. The three tens go, with mean 10 and variance 0. What is left is 0, 0, 0:
#
# $$\mu_q = \frac{6 \cdot 5 - 3 \cdot 10}{3} = 0, \qquad \sigma_q^2 = \frac{6 \cdot 25 - 3 \cdot 0 - \frac{3 \cdot 3}{6} \, (10 - 0)^2}{3} = 0$$
#
# <details><summary>Hint 1: one unknown at a time</summary>
#
# The first equation has one unknown, $\mu_q$. With that the second has one unknown, too.
#
# </details>
#
# <details><summary>Hint 2: is it right?</summary>
#
# Draw nine numbers, take four of them for the part, and compare with the mean and the variance of the other five. Then the same with all numbers 100 larger.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "statistics_without", "locked": false, "schema_version": 3, "solution": true, "task": false}
def statistics_without(count, mean, var, part_count, part_mean, part_var):
    """Return the mean (C,) and the variance (C,) of what is left when the part has gone."""
    ### BEGIN SOLUTION
    rest = count - part_count
    rest_mean = (count * mean - part_count * part_mean) / rest  # (C,)
    between = part_count * rest / count * (part_mean - rest_mean) ** 2  # (C,)
    rest_var = (count * var - part_count * part_var - between) / rest  # (C,)
    return rest_mean, rest_var
    ### END SOLUTION


# %%
whole = {"count": 6, "mean": np.array([5.0]), "var": np.array([25.0])}
part = {"part_count": 3, "part_mean": np.array([10.0]), "part_var": np.array([0.0])}
rest_mean, rest_var = statistics_without(**whole, **part)
print("mean", rest_mean, "var", rest_var)

# %%
check("statistics_without", statistics_without)

# %% nbgrader={"grade": true, "grade_id": "statistics_without-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("statistics_without", statistics_without)
### BEGIN HIDDEN TESTS
report = check("statistics_without", statistics_without, seed=191016)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 4: divided by the neighbours
#
# *Medium · importance low · 15 minutes · 10 points*
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
# ## What you have now
#
# - Partial RMSNorm: what a norm measures and what it divides need not be the same numbers.
# - Weight standardization: weights normalized once, in place of every batch that comes out of them.
# - The merge of statistics, backwards: a variance has a part inside and a part between, and both have to be taken out again.
# - Local response norm: an old relative that divides by neighbours and learns nothing.
