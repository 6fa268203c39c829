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
# # Normalize data, and vectors
#
# *Exercises for lesson 1 · three tasks · about 30 minutes · NumPy alone*
#
# | task | function | difficulty | importance | minutes | points |
# |---|---|---|---|---|---|
# | 1 | `channel_statistics`, of a set of images | easy | high | 10 | 10 |
# | 2 | `standardize`, with the training set's statistics | easy | high | 10 | 10 |
# | 3 | `normalize_vectors`, along an axis | easy | medium | 10 | 10 |
#
# **What you need:** NumPy's `mean(axis=...)`, and nothing else. The formulas are here.
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
# ## Task 1: the statistics of an image set
#
# *Easy · importance high · 10 minutes · 10 points*
#
# Where do numbers like MNIST's 0.1307 and 0.3081 come from? They are the mean and the standard
# deviation of all pixels, on the scale where black is 0 and white is 1. Images come as *bytes*: whole
# numbers from 0 to 255, in NumPy `uint8`.
#
# Write a function that computes both for each channel, over all images and all their pixels:
#
# $$\text{mean}_c = \frac1n \sum x_c, \qquad
# \text{std}_c = \sqrt{\frac1n \sum (x_c - \text{mean}_c)^2}$$
#
# where the sums run over the $n = N \cdot H \cdot W$ pixels $x_c$ of channel $c$, from 0 to 1.
#
# | | shape | |
# |---|---|---|
# | `images` | `(N, C, H, W)` | bytes, from 0 to 255 |
# | returns `mean, std` | `(C,)`, `(C,)` | two arrays, in this order, on the scale from 0 to 1 |
#
# An example with two images of one channel, one row of three pixels each, `(2, 1, 1, 3)`. Here are
# the 2×3 bytes of the channel, one image a row:
#
# $$x = \begin{pmatrix} 51 & 51 & 51 \\ 153 & 153 & 153 \end{pmatrix}$$
#
# On the scale from 0 to 1 they are 0.2 and 0.6. The mean is 0.4, every pixel is 0.2 away from it, and
# so the standard deviation is 0.2.
#
# <details><summary>Hint 1: bytes are narrow</summary>
#
# A `uint8` has room for 0 to 255 and for nothing else: 16 · 16 as bytes is 0. Leave the bytes behind
# before you compute anything.
#
# </details>
#
# <details><summary>Hint 2: which axes?</summary>
#
# Print the shape of your mean. There should be C numbers in it, one for each channel, so every other
# axis has to be averaged away.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "channel_statistics", "locked": false, "schema_version": 3, "solution": true, "task": false}
def channel_statistics(images):
    """Return mean (C,) and std (C,) of images (N, C, H, W) of bytes, on the scale from 0 to 1."""
    ### BEGIN SOLUTION
    x = images / 255  # (N, C, H, W), floats from 0 to 1
    return x.mean(axis=(0, 2, 3)), x.std(axis=(0, 2, 3))  # (C,), (C,)
    ### END SOLUTION


# %%
images = np.array([[[[51, 51, 51]]], [[[153, 153, 153]]]], dtype=np.uint8)  # (N=2, C=1, H=1, W=3)
mean, std = channel_statistics(images)
print("mean", mean, "std", std)

# %%
check("channel_statistics", channel_statistics)

# %% [markdown]
# The next cell is for grading. It runs the same check, there with other numbers, and its last line
# is the points.

# %% nbgrader={"grade": true, "grade_id": "channel_statistics-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("channel_statistics", channel_statistics)
### BEGIN HIDDEN TESTS
report = check("channel_statistics", channel_statistics, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 2: standardize, with whose statistics?
#
# *Easy · importance high · 10 minutes · 10 points*
#
# To standardize is to subtract the mean and to divide by the standard deviation:
#
# $$y = \frac{x - \text{mean}_c}{\text{std}_c}$$
#
# The two constants are part of the model. They are computed once, for each channel, from the
# *training* images, and used for every image that ever comes after: the test images, and one day a
# single image, all by itself.
#
# | | shape | |
# |---|---|---|
# | `train` | `(N, C, H, W)` | the training images, floats |
# | `test` | `(M, C, H, W)` | the test images, floats on the same scale |
# | returns `train, test` | as they came | two *new* arrays, in this order |
#
# A channel may be the same everywhere in the training set. Its standard deviation is 0, and nobody
# can divide by that. For such a channel subtract the mean only, in both sets.
#
# An example with one channel of 2×3 numbers in training, `(2, 1, 1, 3)`, and one test image:
#
# $$\text{train} = \begin{pmatrix} 1 & 1 & 1 \\ 5 & 5 & 5 \end{pmatrix}, \quad
# \text{test} = \begin{pmatrix} 3 & 7 & 4 \end{pmatrix}$$
#
# The training set has mean 3 and standard deviation 2. So
#
# $$\text{train} \to \begin{pmatrix} -1 & -1 & -1 \\ 1 & 1 & 1 \end{pmatrix}, \quad
# \text{test} \to \begin{pmatrix} 0 & 2 & 0.5 \end{pmatrix}$$
#
# Note that the test image does not come out with mean 0, nor should it: it *is* brighter than the
# training images, and the model may want to know.
#
# <details><summary>Hint 1: lining up</summary>
#
# `mean(..., keepdims=True)` keeps the averaged axes with length 1. A mean of the shape `(1, C, 1, 1)`
# lines up with both sets, however many images they have.
#
# </details>
#
# <details><summary>Hint 2: where nothing varies</summary>
#
# Which number may you divide by, so that nothing changes? `np.where` chooses between two arrays.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "standardize", "locked": false, "schema_version": 3, "solution": true, "task": false}
def standardize(train, test):
    """Standardize both sets, each channel by its mean and std in train. Returns both."""
    ### BEGIN SOLUTION
    mean = train.mean(axis=(0, 2, 3), keepdims=True)  # (1, C, 1, 1)
    std = train.std(axis=(0, 2, 3), keepdims=True)  # (1, C, 1, 1)
    std = np.where(std == 0, 1, std)
    return (train - mean) / std, (test - mean) / std  # (N, C, H, W), (M, C, H, W)
    ### END SOLUTION


# %%
train = np.array([[[[1.0, 1, 1]]], [[[5, 5, 5]]]])  # (N=2, C=1, H=1, W=3)
test = np.array([[[[3.0, 7, 4]]]])  # (M=1, C=1, H=1, W=3)
new_train, new_test = standardize(train, test)
print("train", *new_train[:, 0, 0])
print("test ", *new_test[:, 0, 0])

# %%
check("standardize", standardize)

# %% nbgrader={"grade": true, "grade_id": "standardize-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("standardize", standardize)
### BEGIN HIDDEN TESTS
report = check("standardize", standardize, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 3: vectors of length 1
#
# *Easy · importance medium · 10 minutes · 10 points*
#
# `torch.nn.functional.normalize` does something else under a similar name: it divides a vector by its
# length, so that only the direction is left. There is no mean in it.
#
# $$y = \frac{x}{\max(\lVert x \rVert, \varepsilon)}, \qquad
# \lVert x \rVert = \sqrt{\textstyle\sum_i x_i^2}$$
#
# In words: divide by the length or by `eps`, whichever is larger. A vector that is longer than `eps`
# gets length 1 exactly; a zero vector stays what it is.
#
# The vectors lie along the axis `dim`, as in torch: for `(N, D)` and `dim=1` each row is a vector,
# and for `(B, T, D)` and `dim=-1` each of the B·T runs along D.
#
# | | shape | |
# |---|---|---|
# | `x` | any | the vectors, floats |
# | `dim` | a whole number | the axis along which a vector lies; -1 is the last |
# | `eps` | a number above 0 | the smallest divisor |
# | returns `y` | that of `x` | a *new* array |
#
# An example of 2×3 numbers, with `dim=1` and $\varepsilon = 2$:
#
# $$x = \begin{pmatrix} 2 & -6 & 3 \\ 0 & 1 & 0 \end{pmatrix} \quad\text{gives}\quad
# y = \begin{pmatrix} 2/7 & -6/7 & 3/7 \\ 0 & 0.5 & 0 \end{pmatrix}$$
#
# The first vector has length 7. The second has length 1, which is less than 2.
#
# <details><summary>Hint 1: lining up</summary>
#
# When you add up along an axis, that axis is gone. How do you keep it, with length 1?
#
# </details>
#
# <details><summary>Hint 2: the larger of two</summary>
#
# `max` of Python compares two numbers. NumPy has a function that compares an array with a number,
# entry by entry.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "normalize_vectors", "locked": false, "schema_version": 3, "solution": true, "task": false}
def normalize_vectors(x, dim, eps):
    """Divide each vector along the axis dim by its length, or by eps if that is larger."""
    ### BEGIN SOLUTION
    length = np.sqrt((x**2).sum(axis=dim, keepdims=True))  # 1 along dim, else as x
    return x / np.maximum(length, eps)  # as x
    ### END SOLUTION


# %%
x = np.array([[2.0, -6, 3], [0, 1, 0]])  # (N=2, D=3)
normalize_vectors(x, dim=1, eps=2)

# %%
check("normalize_vectors", normalize_vectors)

# %% nbgrader={"grade": true, "grade_id": "normalize_vectors-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("normalize_vectors", normalize_vectors)
### BEGIN HIDDEN TESTS
report = check("normalize_vectors", normalize_vectors, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## What you have now
#
# - The constants of an image set, in units that you can name.
# - Training and test images that have been treated alike.
# - Unit vectors along any axis, the zero vector included.
