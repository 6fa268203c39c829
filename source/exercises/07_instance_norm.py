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
# # Whose look is it? A region, a memory, a preprocessing
#
# *Exercises for lesson 7 · four tasks · about 55 minutes · NumPy alone*
#
# | task | function | difficulty | importance | minutes | points |
# |---|---|---|---|---|---|
# | 1 | `restyle`: one image in the look of another | medium | medium | 15 | 10 |
# | 2 | `restyle_region`: a part of it, in the look of a part | medium | medium | 15 | 10 |
# | 3 | `update_instance_stats`: running statistics for InstanceNorm | hard | medium | 15 | 10 |
# | 4 | `contrast_normalize`: whole images, before any network | medium | medium | 10 | 10 |
#
# **What you need:** [lesson 7](../notebooks/07_instance_norm.ipynb), in which you wrote InstanceNorm, and for task 3
# [lesson 3](../notebooks/03_batch_norm_train_and_eval.ipynb). All formulas are given here.

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
# ## Task 1: another look
#
# *Medium · importance medium · 15 minutes · 10 points*
#
# What InstanceNorm takes away, the mean and the standard deviation of each channel, *is* the look of
# an image: its brightness, its contrast, its tint. What is left is the pattern. So take the pattern
# of one image, the *content*, and give it the look of another, the *style*:
#
# $$y = \sigma_c(\text{style}) \; \frac{\text{content} - \mu_c(\text{content})}{\sigma_c(\text{content})}
# + \mu_c(\text{style}), \qquad \sigma_c = \sqrt{\text{variance}_c + \varepsilon}$$
#
# Each image has its own $\mu_c$ and $\sigma_c$, one for each channel, over its own pixels; variances
# are biased, and `eps` is in *both* $\sigma$. In other words: InstanceNorm whose weight and bias come
# from another image. Huang & Belongie (2017) call it AdaIN and do it to the features of a network.
#
# | | shape | |
# |---|---|---|
# | `content` | `(C, H, W)` | one image, without a batch axis |
# | `style` | `(C, H2, W2)` | another, with as many channels; its size may differ |
# | `eps` | a number | |
# | returns `y` | `(C, H, W)` | |
#
# An example with one channel, a content of 2×3 pixels and a style of two:
#
# $$\text{content} = \begin{pmatrix} 1 & 19 & 1 \\ 19 & 1 & 19 \end{pmatrix}, \quad
# \text{style} = \begin{pmatrix} 84 & 116 \end{pmatrix}, \quad \varepsilon = 144$$
#
# The content has mean 10 and variance 81, so $\sigma = 15$. The style has mean 100 and variance 256,
# so $\sigma = 20$. That makes ±9 into ±9 · 20 / 15 = ±12 about 100:
#
# $$y = \begin{pmatrix} 88 & 112 & 88 \\ 112 & 88 & 112 \end{pmatrix}$$
#
# <details><summary>Hint 1: four arrays</summary>
#
# Mean and standard deviation of the content, mean and standard deviation of the style: each of the
# shape `(C, 1, 1)`. With those the formula is one line, whatever the sizes of the images.
#
# </details>
#
# <details><summary>Hint 2: is it right?</summary>
#
# Restyle an image with itself, with a large eps. What should come out? And measure your result with
# `eps=0`: which mean and which standard deviation should each channel have?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "restyle", "locked": false, "schema_version": 3, "solution": true, "task": false}
def restyle(content, style, eps):
    """Give content (C, H, W) the channel means and standard deviations of style (C, H2, W2)."""
    ### BEGIN SOLUTION
    pixels = (1, 2)
    content_std = np.sqrt(content.var(axis=pixels, keepdims=True) + eps)  # (C, 1, 1)
    style_std = np.sqrt(style.var(axis=pixels, keepdims=True) + eps)  # (C, 1, 1)
    pattern = (content - content.mean(axis=pixels, keepdims=True)) / content_std  # (C, H, W)
    return style_std * pattern + style.mean(axis=pixels, keepdims=True)  # (C, H, W)
    ### END SOLUTION


# %%
content = np.array([[[1.0, 19, 1], [19, 1, 19]]])  # (C=1, H=2, W=3)
style = np.array([[[84.0, 116]]])  # (C=1, H=1, W=2)
print(restyle(content, style, eps=144)[0])

# %%
check("restyle", restyle)

# %% [markdown]
# The next cell is for grading. It runs the same check, there with other numbers, and its last line
# is the points.

# %% nbgrader={"grade": true, "grade_id": "restyle-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("restyle", restyle)
### BEGIN HIDDEN TESTS
report = check("restyle", restyle, seed=160727)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 2: a part of an image
#
# *Medium · importance medium · 15 minutes · 10 points*
#
# AdaIN gives the *whole* image one look. Who edits photographs wants a part of it: the sky of this picture in the look of the sky of that one. So
# there are two masks, arrays of True and False: `region` says which pixels of the content are repainted, `style_region` from which pixels of
# the style the look is taken. Means and variances (biased) are those of these pixels alone, one for each channel:
#
# $$y = \sigma_c(\text{style}) \; \frac{\text{content} - \mu_c(\text{content})}{\sigma_c(\text{content})}
# + \mu_c(\text{style}) \;\text{ inside the region,} \qquad y = \text{content} \;\text{ outside,}
# \qquad \sigma_c = \sqrt{\text{variance}_c + \varepsilon}$$
#
# | | shape | |
# |---|---|---|
# | `content` | `(C, H, W)` | one image, without a batch axis |
# | `region` | `(H, W)` | True where the content is repainted |
# | `style` | `(C, H2, W2)` | another, with as many channels; its size may differ |
# | `style_region` | `(H2, W2)` | True where the look is taken from |
# | `eps` | a number | in both $\sigma$ |
# | returns `y` | `(C, H, W)` | a new array: `content` stays as it is |
#
# An example with one channel. Brackets are around what is *outside* of the regions:
#
# $$\text{content} = \begin{pmatrix} 1 & 19 & (7) \\ 19 & 1 & (700) \end{pmatrix}, \quad
# \text{style} = \begin{pmatrix} 84 & (5) & 116 \end{pmatrix}, \quad \varepsilon = 144$$
#
# Inside, the content has mean 10 and variance 81, so $\sigma = 15$. The style has mean 100 and variance 256, so $\sigma = 20$:
#
# $$y = \begin{pmatrix} 88 & 112 & 7 \\ 112 & 88 & 700 \end{pmatrix}$$
#
# <details><summary>Hint 1: pixels in a row</summary>
#
# `content[:, region]` picks the pixels where region is True, for every channel: an array `(C, P)`. It stands on the left of an equals sign as well.
#
# </details>
#
# <details><summary>Hint 2: a probe</summary>
#
# Change a number in brackets. Which numbers of your answer may change, and which may not?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "restyle_region", "locked": false, "schema_version": 3, "solution": true, "task": false}
def restyle_region(content, region, style, style_region, eps):
    """Give the region of content (C, H, W) the look of the region of style (C, H2, W2)."""
    ### BEGIN SOLUTION
    part, look = content[:, region], style[:, style_region]  # (C, P), (C, Q)
    mean, std = part.mean(axis=1, keepdims=True), np.sqrt(part.var(axis=1, keepdims=True) + eps)
    style_std = np.sqrt(look.var(axis=1, keepdims=True) + eps)  # (C, 1)
    y = content.copy()
    y[:, region] = style_std * (part - mean) / std + look.mean(axis=1, keepdims=True)
    return y
    ### END SOLUTION


# %%
content = np.array([[[1.0, 19, 7], [19, 1, 700]]])  # (C=1, H=2, W=3)
region = np.array([[True, True, False], [True, True, False]])  # (H=2, W=3)
style = np.array([[[84.0, 5, 116]]])  # (C=1, H=1, W=3)
style_region = np.array([[True, False, True]])
print(restyle_region(content, region, style, style_region, eps=144)[0])

# %%
check("restyle_region", restyle_region)

# %% nbgrader={"grade": true, "grade_id": "restyle_region-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("restyle_region", restyle_region)
### BEGIN HIDDEN TESTS
report = check("restyle_region", restyle_region, seed=160727)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 3: a memory for a layer that needs none
#
# *Hard · importance medium · 15 minutes · 10 points*
#
# `nn.InstanceNorm2d(C, track_running_stats=True)` keeps running statistics, one mean and one variance for each *channel*, and uses them in evaluation mode.
# But in training it takes a mean and a variance for each *map*: N of each for one buffer. What does it remember?
#
# It remembers an average over the images of what InstanceNorm computes, and the variance of a map counts with $n - 1$ when it is remembered, as in
# BatchNorm. With n = H·W pixels in a map,
#
# $$\text{running\_mean}_c \leftarrow (1 - \text{momentum}) \, \text{running\_mean}_c + \text{momentum} \; \frac1N \sum_n \mu_{nc}$$
# $$\text{running\_var}_c \leftarrow (1 - \text{momentum}) \, \text{running\_var}_c + \text{momentum} \; \frac1N \sum_n \frac{1}{n - 1} \sum_{h, w} (x_{nchw} - \mu_{nc})^2$$
#
# | | shape | |
# |---|---|---|
# | `x` | `(N, C, H, W)` | a batch |
# | `running_mean`, `running_var` | `(C,)` | as they were before it |
# | `momentum` | a number | the share of the batch |
# | returns `running_mean, running_var` | `(C,)` each | two new arrays, in this order |
#
# An example: two images of one channel with three pixels, one image a row, and statistics that begin at 0 and 10:
#
# $$x = \begin{pmatrix} 1 & 2 & 3 \\ 11 & 14 & 17 \end{pmatrix}, \quad \text{momentum} = 0.5$$
#
# The maps have the means 2 and 14, whose average is 8, and the variances 1 and 9 (divided by 2), whose average is 5. So the buffers become
# 4 and 7.5. (BatchNorm would remember a variance of 47.2 for the same six numbers.)
#
# <details><summary>Hint 1: N·C numbers first</summary>
#
# Compute all N·C means, and all N·C variances. Only then make C of them.
#
# </details>
#
# <details><summary>Hint 2: a probe</summary>
#
# Take two images without any contrast, one black and one white. Which variance does InstanceNorm see in their maps, and which one do you remember?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "update_instance_stats", "locked": false, "schema_version": 3, "solution": true, "task": false}
def update_instance_stats(x, running_mean, running_var, momentum):
    """Return the running statistics (C,), (C,) of InstanceNorm after the batch x (N, C, H, W)."""
    ### BEGIN SOLUTION
    mean = x.mean(axis=(2, 3)).mean(axis=0)  # (N, C), then (C,)
    var = x.var(axis=(2, 3), ddof=1).mean(axis=0)  # (N, C), then (C,)
    new_mean = (1 - momentum) * running_mean + momentum * mean
    new_var = (1 - momentum) * running_var + momentum * var
    return new_mean, new_var
    ### END SOLUTION


# %%
x = np.array([[[[1.0, 2, 3]]], [[[11, 14, 17]]]])  # (N=2, C=1, H=1, W=3)
update_instance_stats(x, running_mean=np.zeros(1), running_var=np.full(1, 10.0), momentum=0.5)

# %%
check("update_instance_stats", update_instance_stats)

# %% nbgrader={"grade": true, "grade_id": "update_instance_stats-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("update_instance_stats", update_instance_stats)
### BEGIN HIDDEN TESTS
report = check("update_instance_stats", update_instance_stats, seed=160727)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 4: before any network
#
# *Medium · importance medium · 10 minutes · 10 points*
#
# Long before InstanceNorm, images were prepared one by one: *global contrast normalization* (Goodfellow, Bengio & Courville, *Deep Learning*,
# 2016, section 12.2.1.1) subtracts an image's mean and divides by its contrast. Here an image has **one** mean and **one** contrast, over all of
# its pixels and all of its channels together, and the channels come last.
#
# $$y = s \; \frac{x - \mu}{\max\left(\text{floor}, \; \sqrt{\lambda + \tfrac1n \sum (x - \mu)^2}\right)}$$
#
# There are two ways to keep out of trouble where an image has hardly any contrast: $\lambda$ under the root, like the eps of a layer, and a floor
# under the divisor, which changes nothing as long as the contrast is above it.
#
# | | shape | |
# |---|---|---|
# | `images` | `(N, H, W, C)` | channels last |
# | `scale` | a number | s |
# | `lam` | a number | $\lambda$; 0 or more (`lambda` is a word of Python's) |
# | `floor` | a number | the smallest divisor, above 0 |
# | returns `y` | `(N, H, W, C)` | |
#
# An example: two images of one row of two pixels with two channels. Here are the four numbers of each:
#
# $$x_0 = (1, 1, 9, 9), \quad x_1 = (5, 5, 6, 6), \quad s = 10, \quad \lambda = 9, \quad \text{floor} = 4$$
#
# The means are 5 and 5.5, the mean squares 16 and 0.25. The roots are 5 and 3.04, and the second is below the floor. So you divide by 5 and by 4:
#
# $$y_0 = (-8, -8, 8, 8), \quad y_1 = (-1.25, -1.25, 1.25, 1.25)$$
#
# <details><summary>Hint 1: which axes?</summary>
#
# Print the shape of your mean. How many numbers should be in it for N images?
#
# </details>
#
# <details><summary>Hint 2: the larger of two</summary>
#
# `np.maximum` compares two arrays number by number, or an array with one number. (`np.max` is something else.)
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "contrast_normalize", "locked": false, "schema_version": 3, "solution": true, "task": false}
def contrast_normalize(images, scale, lam, floor):
    """Subtract the mean of each of the images (N, H, W, C), and divide by its contrast."""
    ### BEGIN SOLUTION
    whole = (1, 2, 3)
    mean = images.mean(axis=whole, keepdims=True)  # (N, 1, 1, 1)
    contrast = np.sqrt(lam + images.var(axis=whole, keepdims=True))  # (N, 1, 1, 1)
    return scale * (images - mean) / np.maximum(floor, contrast)
    ### END SOLUTION


# %%
images = np.array([[[[1.0, 1], [9, 9]]], [[[5, 5], [6, 6]]]])  # (N=2, H=1, W=2, C=2)
y = contrast_normalize(images, scale=10, lam=9, floor=4)
print(y.reshape(2, 4))

# %%
check("contrast_normalize", contrast_normalize)

# %% nbgrader={"grade": true, "grade_id": "contrast_normalize-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("contrast_normalize", contrast_normalize)
### BEGIN HIDDEN TESTS
report = check("contrast_normalize", contrast_normalize, seed=160727)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## What you have now
#
# - AdaIN: what InstanceNorm takes away can be given back, from another image; for a whole image, or for any set of pixels.
# - A running variance has to say what it remembers: the average of the maps' variances, or the variance of everything. They are not the same.
# - Two ways to divide by nearly nothing: a constant under the root, and a floor.
