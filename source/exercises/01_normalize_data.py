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
# # Normalize data that is not as it should be
#
# *Exercises for lesson 1 · four tasks · about 45 minutes · NumPy alone*
#
# | task | function | difficulty | importance | minutes | points |
# |---|---|---|---|---|---|
# | 1 | `standardize`, with the training set's statistics | easy | high | 10 | 10 |
# | 2 | `statistics_of_sizes`, of images of several sizes | medium | medium | 15 | 10 |
# | 3 | `robust_scale`, where somebody has typed a number wrong | easy | medium | 10 | 10 |
# | 4 | `into_first_layer`, and the constants are gone | medium | high | 10 | 10 |
#
# **What you need:** [lesson 1](../notebooks/01_normalize_data.ipynb). Task 1 you know from there. The others are
# not in it: they ask for the same thoughts in another place.
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
# ## Task 1: standardize, with whose statistics?
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

# %% [markdown]
# The next cell is for grading. It runs the same check, there with other numbers, and its last line
# is the points.

# %% nbgrader={"grade": true, "grade_id": "standardize-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("standardize", standardize)
### BEGIN HIDDEN TESTS
report = check("standardize", standardize, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 2: images of several sizes
#
# *Medium · importance medium · 15 minutes · 10 points*
#
# Photographs have different sizes. To be one array they are laid into frames of one size, each in the upper left corner
# of its frame, and what is left of the frame is filled with anything. Take the mean and the standard deviation of each
# channel over the pixels *of the images*: every pixel counts the same, whichever image it is from, and what lies beside
# an image does not count.
#
# $$\text{mean}_c = \frac1n \sum x_c, \qquad
# \text{std}_c = \sqrt{\frac1n \sum (x_c - \text{mean}_c)^2}$$
#
# where both sums run over the $n$ pixels of all images.
#
# | | shape | |
# |---|---|---|
# | `images` | `(N, C, H, W)` | the frames, floats from 0 to 1 |
# | `heights`, `widths` | `(N,)`, `(N,)` | whole numbers: image $i$ is the first `heights[i]` rows and `widths[i]` columns of its frame |
# | returns `mean, std` | `(C,)`, `(C,)` | two arrays, in this order |
#
# An example with two images of one channel in frames of 2×3 pixels. The first image has 1 row and 2 columns, the second
# 2 rows and 1 column. Beside them the frames are 1:
#
# $$\begin{pmatrix} \mathbf{0.2} & \mathbf{0.2} & 1 \\ 1 & 1 & 1 \end{pmatrix}, \quad
# \begin{pmatrix} \mathbf{0.6} & 1 & 1 \\ \mathbf{0.6} & 1 & 1 \end{pmatrix}$$
#
# There are four pixels, 0.2, 0.2, 0.6 and 0.6. Their mean is 0.4, and the standard deviation is 0.2.
#
# <details><summary>Hint 1: which pixels?</summary>
#
# `np.arange(H) < 2` is true for the rows 0 and 1. With `heights[:, np.newaxis]` in the place of the 2 you get a row of
# such answers for each image, `(N, H)`. A pixel is real where its row is *and* its column is.
#
# </details>
#
# <details><summary>Hint 2: what is left out twice</summary>
#
# An array of true and false can be multiplied with, and added up. A pixel that does not count has to be kept out of the
# mean, and once more out of the squares. How many numbers does each of your two sums have?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "statistics_of_sizes", "locked": false, "schema_version": 3, "solution": true, "task": false}
def statistics_of_sizes(images, heights, widths):
    """Return mean (C,) and std (C,) over the pixels of images that lie in frames (N, C, H, W)."""
    ### BEGIN SOLUTION
    rows = np.arange(images.shape[2]) < heights[:, np.newaxis]  # (N, H)
    columns = np.arange(images.shape[3]) < widths[:, np.newaxis]  # (N, W)
    real = (rows[:, :, np.newaxis] & columns[:, np.newaxis])[:, np.newaxis]  # (N, 1, H, W)
    mean = (images * real).sum(axis=(0, 2, 3)) / real.sum()  # (C,)
    deviations = images - mean[:, np.newaxis, np.newaxis]  # (N, C, H, W)
    var = (deviations**2 * real).sum(axis=(0, 2, 3)) / real.sum()  # (C,)
    return mean, np.sqrt(var)
    ### END SOLUTION


# %%
frames = np.ones((2, 1, 2, 3))  # (N=2, C=1, H=2, W=3)
frames[0, 0, :1, :2], frames[1, 0, :2, :1] = 0.2, 0.6
mean, std = statistics_of_sizes(frames, heights=np.array([1, 2]), widths=np.array([2, 1]))
print("mean", mean, "std", std)

# %%
check("statistics_of_sizes", statistics_of_sizes)

# %% nbgrader={"grade": true, "grade_id": "statistics_of_sizes-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("statistics_of_sizes", statistics_of_sizes)
### BEGIN HIDDEN TESTS
report = check("statistics_of_sizes", statistics_of_sizes, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 3: somebody has typed a number wrong
#
# *Easy · importance medium · 10 minutes · 10 points*
#
# Five people wrote down their height, and one of them wrote 1740 where 174 was meant. That one number moves the
# mean, and makes the standard deviation so large that the other four can hardly be told apart. The **median** and
# the **quartiles** do not notice: a quarter of the numbers lies below the lower quartile, half below the median,
# three quarters below the upper one.
#
# $$y = \frac{x - \text{median}}{\text{upper quartile} - \text{lower quartile}}$$
#
# Scale each column so, both sets by the numbers of the *training* set. `np.quantile` computes median and quartiles;
# take it as it is. Where both quartiles of a column are equal, subtract the median and do not divide.
#
# | | shape | |
# |---|---|---|
# | `train` | `(N, D)` | the training set, a sample a row |
# | `test` | `(M, D)` | the test set; M may be 1 |
# | returns `train, test` | as they came | two *new* arrays, in this order |
#
# An example with five rows of two columns for training, and one row to test:
#
# $$\text{train} = \begin{pmatrix} 1 & 2 \\ 3 & 2 \\ 5 & 2 \\ 7 & 2 \\ 105 & 8 \end{pmatrix}, \quad
# \text{test} = \begin{pmatrix} 9 & 3 \end{pmatrix}$$
#
# The first column has the median 5 and the quartiles 3 and 7, so 5 is subtracted and 4 divides. The second has the
# median 2, and both its quartiles are 2. So
#
# $$\text{train} \to \begin{pmatrix} -1 & 0 \\ -0.5 & 0 \\ 0 & 0 \\ 0.5 & 0 \\ 25 & 6 \end{pmatrix}, \quad
# \text{test} \to \begin{pmatrix} 1 & 1 \end{pmatrix}$$
#
# <details><summary>Hint 1: a quarter of what?</summary>
#
# `np.quantile` takes a share from 0 to 1, `np.percentile` one from 0 to 100. And both want to be told the axis.
#
# </details>
#
# <details><summary>Hint 2: which columns are spared?</summary>
#
# A column may have equal quartiles and vary all the same: 3, 7, 7, 7, 7, 9. Ask the divisor, and not the column.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "robust_scale", "locked": false, "schema_version": 3, "solution": true, "task": false}
def robust_scale(train, test):
    """Scale the columns of both sets by median and quartiles of train. Returns both."""
    ### BEGIN SOLUTION
    low, median, high = np.quantile(train, [0.25, 0.5, 0.75], axis=0)  # (D,) each
    spread = np.where(high == low, 1, high - low)  # (D,)
    return (train - median) / spread, (test - median) / spread  # (N, D), (M, D)
    ### END SOLUTION


# %%
train = np.array([[1.0, 2], [3, 2], [5, 2], [7, 2], [105, 8]])  # (N=5, D=2)
new_train, new_test = robust_scale(train, test=np.array([[9.0, 3]]))  # (M=1, D=2)
print("train", *new_train)
print("test ", *new_test)

# %%
check("robust_scale", robust_scale)

# %% nbgrader={"grade": true, "grade_id": "robust_scale-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("robust_scale", robust_scale)
### BEGIN HIDDEN TESTS
report = check("robust_scale", robust_scale, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 4: no constants left
#
# *Medium · importance high · 10 minutes · 10 points*
#
# A network was trained on standardized pixels. Now it is to run in a camera, which gives bytes from 0 to 255. For
# each picture the camera would have to divide by 255, subtract the means and divide by the standard deviations,
# before the first layer multiplies all of it by its weights anyway. Let the first layer do everything.
#
# A linear layer with `linear_weight` $W$ and `linear_bias` $b$ computes $z = W s + b$ for a standardized picture
# $s$, that is, for each pixel
#
# $$s = \frac{x / 255 - \text{mean}}{\text{std}}$$
#
# Find $W'$ and $b'$ such that $W' x + b'$ is the same $z$ for every picture $x$ of bytes.
#
# | | shape | |
# |---|---|---|
# | `linear_weight`, `linear_bias` | `(C, D)`, `(C,)` | the first layer, as PyTorch keeps it: one row for each output |
# | `mean`, `std` | `(D,)`, `(D,)` | of each pixel, on the scale from 0 to 1; no std is 0 |
# | returns `folded_weight, folded_bias` | `(C, D)`, `(C,)` | two *new* arrays, in this order |
#
# An example with C = 1 output and D = 2 pixels:
#
# $$W = \begin{pmatrix} 51 & 51 \end{pmatrix}, \quad b = 300, \quad
# \text{mean} = (0.2, 0.4), \quad \text{std} = (0.2, 0.1)$$
#
# A byte more changes the first standardized pixel by $1/(255 \cdot 0.2) = 1/51$, and the second by $1/25.5$. Times
# 51, this is 1 and 2. A black picture, both bytes 0, is $(-1, -4)$ when it is standardized, and gives
# $-51 - 204 + 300 = 45$. So
#
# $$W' = \begin{pmatrix} 1 & 2 \end{pmatrix}, \quad b' = 45$$
#
# <details><summary>Hint 1: where to begin</summary>
#
# Write $z$ for one pixel and multiply out. Which number stands before $x$? And what is left over, without any $x$?
#
# </details>
#
# <details><summary>Hint 2: an easy picture</summary>
#
# Give both networks a black picture. All that is left is the bias.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "into_first_layer", "locked": false, "schema_version": 3, "solution": true, "task": false}
def into_first_layer(linear_weight, linear_bias, mean, std):
    """Let the first layer take bytes, not standardized pixels. Returns weight (C, D), bias (C,)."""
    ### BEGIN SOLUTION
    folded_weight = linear_weight / (255 * std)  # (C, D)
    folded_bias = linear_bias - linear_weight @ (mean / std)  # (C,)
    return folded_weight, folded_bias
    ### END SOLUTION


# %%
folded_weight, folded_bias = into_first_layer(
    linear_weight=np.array([[51.0, 51]]),  # (C=1, D=2)
    linear_bias=np.array([300.0]),
    mean=np.array([0.2, 0.4]),
    std=np.array([0.2, 0.1]),
)
print(folded_weight, folded_bias)

# %%
check("into_first_layer", into_first_layer)

# %% nbgrader={"grade": true, "grade_id": "into_first_layer-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("into_first_layer", into_first_layer)
### BEGIN HIDDEN TESTS
report = check("into_first_layer", into_first_layer, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## What you have now
#
# - Training and test images that have been treated alike.
# - The constants of images that do not fit into one array: what does not count is kept out of the mean, and of the
#   squares.
# - A scale that one wrong number does not spoil.
# - A network that takes the bytes as they come. In lesson 3 you fold away a whole layer in the same way.
