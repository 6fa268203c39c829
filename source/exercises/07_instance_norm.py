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
# # Take the light out of an image, and put another in
#
# *Exercises for lesson 7 · two tasks · about 30 minutes · NumPy alone*
#
# | task | function | difficulty | importance | minutes | points |
# |---|---|---|---|---|---|
# | 1 | `instance_norm_forward`, for `(N, C, H, W)` | easy | high | 15 | 10 |
# | 2 | `restyle`: one image in the look of another | medium | medium | 15 | 10 |
#
# **What you need:** the forward pass of BatchNorm for images (lesson 2). All formulas are given here.
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
# ## Task 1: every image for itself
#
# *Easy · importance high · 15 minutes · 10 points*
#
# InstanceNorm (Ulyanov, Vedaldi & Lempitsky, 2016) takes one mean $\mu_{nc}$ and one (biased)
# variance $\sigma^2_{nc}$ for each channel of each image, over the H·W pixels of that one map:
#
# $$\hat x = \frac{x - \mu_{nc}}{\sqrt{\sigma_{nc}^2 + \varepsilon}}, \qquad
# y = \text{weight}_c \, \hat x + \text{bias}_c$$
#
# Two things differ from BatchNorm besides the axes. There are no running statistics, so training
# and evaluation are the same. And `nn.InstanceNorm2d` has no weight and no bias unless you ask for
# them: then your function gets `None` for both, and returns $\hat x$.
#
# | | shape | |
# |---|---|---|
# | `x` | `(N, C, H, W)` | N images of C channels, each H rows of W pixels |
# | `weight`, `bias` | `(C,)`, or both `None` | the scale and the shift of each channel |
# | `eps` | a number | added to the variance |
# | returns `y` | `(N, C, H, W)` | |
#
# An example that you can follow in your head: one image of two channels and three pixels. Here are
# its 2×3 numbers, one channel a row:
#
# $$x = \begin{pmatrix} 1 & 1 & 7 \\ 20 & 20 & 14 \end{pmatrix}, \quad
# \text{weight} = (3, 6), \quad \text{bias} = (0, 1), \quad \varepsilon = 1$$
#
# The means are 3 and 18, both variances 8, so you divide by 3 in both channels:
#
# $$y = \begin{pmatrix} -2 & -2 & 4 \\ 5 & 5 & -7 \end{pmatrix}$$
#
# Leave `x` as you got it: whoever calls your function may still need it.
#
# <details><summary>Hint 1: one number for what?</summary>
#
# Print the shape of your mean. There should be N·C numbers in it, one for each channel of each
# image, so only the last two axes have to be averaged away.
#
# </details>
#
# <details><summary>Hint 2: lining up</summary>
#
# `mean(..., keepdims=True)` keeps the averaged axes with length 1, and NumPy then knows where the
# numbers belong. `weight` and `bias` come as `(C,)`; which shape would line them up with axis 1?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "instance_norm_forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def instance_norm_forward(x, weight, bias, eps):
    """Normalize each channel of each image of x (N, C, H, W). Returns the same shape."""
    ### BEGIN SOLUTION
    mean = x.mean(axis=(2, 3), keepdims=True)  # (N, C, 1, 1)
    var = x.var(axis=(2, 3), keepdims=True)  # (N, C, 1, 1)
    x_hat = (x - mean) / np.sqrt(var + eps)  # (N, C, H, W)
    if weight is None:
        return x_hat
    return weight.reshape(1, -1, 1, 1) * x_hat + bias.reshape(1, -1, 1, 1)  # (N, C, H, W)
    ### END SOLUTION


# %%
x = np.array([[[[1.0, 1, 7]], [[20, 20, 14]]]])  # (N=1, C=2, H=1, W=3)
y = instance_norm_forward(x, weight=np.array([3.0, 6]), bias=np.array([0.0, 1]), eps=1)
print("channel 0:", y[0, 0, 0])
print("channel 1:", y[0, 1, 0])

# %% [markdown]
# What has it taken away? Photograph the same scene with ten times the contrast in channel 0, and
# with more light in channel 1. **Will you see it in the output?** (With `eps=0`, and without weight
# and bias.)

# %%
photo = x * np.array([10.0, 1]).reshape(1, 2, 1, 1) + np.array([0.0, 500]).reshape(1, 2, 1, 1)
print("before:", *instance_norm_forward(x, None, None, eps=0)[0, :, 0])
print("after: ", *instance_norm_forward(photo, None, None, eps=0)[0, :, 0])

# %%
check("instance_norm_forward", instance_norm_forward)

# %% [markdown]
# The next cell is for grading. It runs the same check, there with other numbers, and its last line
# is the points.

# %% nbgrader={"grade": true, "grade_id": "instance_norm_forward-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("instance_norm_forward", instance_norm_forward)
### BEGIN HIDDEN TESTS
report = check("instance_norm_forward", instance_norm_forward, seed=160727)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 2: another look
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

# %% nbgrader={"grade": true, "grade_id": "restyle-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("restyle", restyle)
### BEGIN HIDDEN TESTS
report = check("restyle", restyle, seed=160727)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## What you have now
#
# - InstanceNorm: BatchNorm's four steps on the axes of one map, with no memory and, unless asked, no
#   weight and bias.
# - What it removes: the brightness and the contrast of each channel of each image. That is a gift
#   where the light of a photograph says nothing, and a loss where it is what you want to know.
# - AdaIN: what was taken away can be given back, from another image.
