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

# %% [markdown] slideshow={"slide_type": "slide"}
# # Put the data on one scale, and say which "normalize" you mean
#
# *Lesson 1 · 75 minutes, self-test 10 · gentle · data, vectors, and the word itself*
#
# When you have finished you can
#
# - tell apart the three things that PyTorch calls "normalize", and say for each what is divided by
#   what;
# - compute MNIST's famous 0.1307 and 0.3081 with a function of your own, and say in which units they are;
# - standardize with the statistics of the training set, and of nothing else;
# - say what scaling and centring the inputs do for gradient descent, and when they make no difference;
# - normalize vectors along the right axis, the zero vector included.
#
# **What you need:** [Start here](00_start_here.ipynb), NumPy's `mean(axis=...)`, and the idea of
# gradient descent.

# %%
import numpy as np
import torch
from torch.nn import functional as F

from normlab import load_mnist, plots
from normlab.exercises import check, guess, self_test, yours
from normlab.nn import Normalize
from normlab.training import recorded

np.set_printoptions(precision=4, suppress=True)
torch.set_printoptions(precision=4, sci_mode=False)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A question first
#
# Three samples of two numbers, and three ways in which PyTorch "normalizes" them.

# %% slideshow={"slide_type": "-"}
x = torch.tensor([[3.0, 4.0], [6.0, 8.0], [0.0, 3.0]])  # (N=3, C=2)

# %% [markdown] slideshow={"slide_type": "slide"}
# The first is `F.normalize`, for vectors. Each row of `x` is one.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "What will it make of the first row, `[3, 4]`?",
    "`[0.6, 0.8]`",
    options=["`[0, 1]`", "`[-1, 1]`", "`[0.43, 0.57]`", "`[0.6, 0.8]`"],
)

# %% slideshow={"slide_type": "fragment"}
F.normalize(x)

# %% [markdown] slideshow={"slide_type": "subslide"}
# The second is `transforms.Normalize`, for images. It comes from torchvision, which this course does
# not need: `normlab.nn` has a *twin* of it, as of every norm, written in NumPy and tested to give the
# same numbers. It expects images of shape `(C, H, W)`; ours has one channel.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("We give it the mean 5 and the standard deviation 2. What becomes of the first 3?", -1)

# %% slideshow={"slide_type": "fragment"}
transform = Normalize(mean=[5.0], std=[2.0])
transform(x.numpy()[np.newaxis])[0]  # (H=3, W=2)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The third is one of the layers, for what flows through a network:

# %% slideshow={"slide_type": "fragment"}
torch.nn.BatchNorm1d(2)(x).detach()

# %% [markdown] slideshow={"slide_type": "slide"}
# Three functions, three answers, and nothing in common but the word.
#
# | | subtracts | divides by | computed from | learns | remembers |
# |---|---|---|---|---|---|
# | `F.normalize` | nothing | the length of a vector | one vector, here each row | nothing | nothing |
# | `transforms.Normalize` | a constant | another constant | nothing: *you* give both | nothing | nothing |
# | `nn.BatchNorm1d` and the other layers | a mean | a standard deviation | some axes of the batch, here each column | a scale and a shift | BatchNorm: running statistics |

# %% [markdown]
# Find each line of the table in the three outputs: the first has (3, 4) divided by 5, the second
# (3 − 5) / 2, the third columns that add up to 0. One of the two articles behind this course speaks of "the
# PyTorch normalize parameter, which takes many forms". There is no such parameter. This lesson is about the
# first two rows; the layers begin with [lesson 2](02_batch_norm_forward.ipynb).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The data: where 0.1307 comes from
#
# Nearly every MNIST program has this line in it:
#
# ```python
# transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
# ```
#
# Two numbers that everybody copies; you are going to compute them. Images come as *bytes*, whole numbers
# from 0 for paper to 255 for ink; `ToTensor` divides them by 255. Here are two tiny images, each with two
# channels of two pixels:

# %% slideshow={"slide_type": "fragment"}
tiny = np.array(
    [[[[51, 51]], [[0, 255]]], [[[153, 153]], [[0, 255]]]], dtype=np.uint8
)  # (N=2, C=2, H=1, W=2)
print("channel 0:", tiny[:, 0].ravel(), "  channel 1:", tiny[:, 1].ravel())

# %% [markdown] slideshow={"slide_type": "fragment"}
# Divided by 255, channel 0 holds 0.2 twice and 0.6 twice. Its mean is 0.4, and every pixel is 0.2 away from
# it, so its standard deviation is 0.2.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("And the standard deviation of channel 1, on the scale from 0 to 1?", 0.5)

# %% slideshow={"slide_type": "fragment"}
(tiny[:, 1] / 255).std()

# %% [markdown] slideshow={"slide_type": "subslide"}
# In a formula, for each channel $c$, with sums over its $n = N \cdot H \cdot W$ pixels $x_c$:
#
# $$\text{mean}_c = \frac1n \sum x_c, \qquad
# \text{std}_c = \sqrt{\frac1n \sum (x_c - \text{mean}_c)^2}$$
#
# One trap is in the bytes themselves. There is room in them for 0 to 255 and for nothing else:

# %% slideshow={"slide_type": "-"}
tiny[0, 0] * 6  # 51 · 6 = 306

# %% [markdown] slideshow={"slide_type": "subslide"}
# 306 does not fit, and what is left is 306 − 256. So leave the bytes behind before you compute anything.
#
# **Your turn.** Mean and standard deviation of each channel: `images` is `(N, C, H, W)`, of bytes.
# Return two arrays `(C,)`, the mean first, on the scale from 0 to 1.


# %% slideshow={"slide_type": "-"}
def channel_statistics(images):
    raise NotImplementedError()


# %%
check("channel_statistics", channel_statistics)

# %% [markdown]
# Change the function, run it and its check again, as often as you like. The check tells you not only
# *that* something is wrong, but what you did. When all points are there, run the next cell: from then on
# `statistics` is what *you* wrote. Until then the package's function stands in, so that you can read on.

# %%
statistics = yours("channel_statistics", channel_statistics)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def channel_statistics(images):
#     x = images / 255  # (N, C, H, W), floats from 0 to 1
#     return x.mean(axis=(0, 2, 3)), x.std(axis=(0, 2, 3))  # (C,), (C,)
# ```
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# Let it loose on all 60,000 training images, 47 million pixels of one channel:

# %% slideshow={"slide_type": "-"}
mnist = load_mnist()
mean, std = (value.item() for value in statistics(mnist.train_images[:, np.newaxis]))
print(f"{mnist.train_images.size:,} pixels   mean {mean:.4f}   std {std:.4f}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# There they are. They are a *description of the data*, not a target: whoever passes `mean=0, std=1` hoping to
# get mean 0 and standard deviation 1 gets back what went in. In these units paper and ink are

# %% slideshow={"slide_type": "fragment"}
((np.array([0, 255]) / 255 - mean) / std).round(3)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Whose mean? The training set's
#
# To **standardize** is to subtract the mean and to divide by the standard deviation. The two constants are part of the
# model. They are computed once, from the training images, and used for every image that ever comes after.
# A training set of one channel, 1 1 1 and 5 5 5, has mean 3 and standard deviation 2, and becomes −1 −1 −1 and
# 1 1 1. Then a test image comes: 3 7 4.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("What is the 7 after standardizing?", 2)

# %% slideshow={"slide_type": "fragment"}
(np.array([3.0, 7, 4]) - 3) / 2

# %% [markdown] slideshow={"slide_type": "subslide"}
# The test image does not come out with mean 0, nor should it: its numbers *are* larger than those of the training
# images, and the model may want to know.
#
# One case is left. What if a channel, or a pixel with constants of its own, never varies? In the corners of MNIST
# there is never any ink:

# %% slideshow={"slide_type": "-"}
train = mnist.train_images / np.float32(255)  # (60000, 28, 28); float32 saves memory
pixel_mean, pixel_std = train.mean(axis=0), train.std(axis=0)  # (28, 28), (28, 28)
print((pixel_std == 0).sum(), "of 784 pixels never vary in the training set")
with np.errstate(invalid="ignore"):
    print("NaN in the first image:", np.isnan((train[0] - pixel_mean) / pixel_std).sum())

# %% [markdown] slideshow={"slide_type": "subslide"}
# Zero divided by zero, in every image. So where nothing varies in training, subtract the mean only. (Layers of
# `torch.nn` add a small `eps` for that case, as lesson 2 shows.)
#
# **Your turn.** `train` is `(N, C, H, W)` and `test` is `(M, C, H, W)`, both floats. Return both, standardized,
# as new arrays, each channel by its mean and standard deviation *in training*. `mean(..., keepdims=True)` keeps
# the averaged axes with length 1, so that a mean of the shape `(1, C, 1, 1)` lines up with both sets. `np.where` chooses
# between two arrays, entry by entry.


# %% slideshow={"slide_type": "-"}
def standardize(train, test):
    raise NotImplementedError()


# %%
check("standardize", standardize)

# %%
standardize_both = yours("standardize", standardize)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def standardize(train, test):
#     mean = train.mean(axis=(0, 2, 3), keepdims=True)  # (1, C, 1, 1)
#     std = train.std(axis=(0, 2, 3), keepdims=True)  # (1, C, 1, 1)
#     divisor = np.where(std == 0, 1, std)  # what never varies is not divided
#     return (train - mean) / divisor, (test - mean) / divisor
# ```
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# Suppose that in use the camera is set differently, and all images come with half the contrast on a grey
# ground. We standardize them as we should, and then by their own constants:

# %% slideshow={"slide_type": "-"}
unit_test = mnist.test_images / np.float32(255)  # (10000, 28, 28)
other_camera = 0.5 * unit_test + 0.25


def describe(images):
    return f"mean {images.mean():+.2f}   std {images.std():.2f}"


for name, images in {"training": train, "its own": other_camera}.items():
    _, seen = standardize_both(images[:, np.newaxis], other_camera[:, np.newaxis])  # (N, C=1, ...)
    print(f"{name:8} constants: {describe(seen)}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# With the training set's constants you *see* that something is different: the mean is not 0. With the
# new images' own constants all looks well, and nobody will ask. (And a single image would have to wait for
# others, to have any constants at all.)

# %% [markdown]
# The other way to go wrong is to compute the constants from training and test images *together*. Then the
# test set has had a say in the model that it is to judge: a **leak**. The mean of all training images was 0.1307.

# %% tags=["guess"]
guess("And with the other camera's 10,000 images beside these 60,000?", 0.16, within=0.02)

# %%
for name, test in {"MNIST's test images": unit_test, "the other camera's": other_camera}.items():
    print(f"with {name}: {np.concatenate([train, test]).mean():.4f}")

# %% [markdown]
# With MNIST's own test images you could not measure the difference. With the other camera's the *training* images
# are prepared differently, because of images that the model was not to have seen. Tested on those, it will look
# better than it is.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Why should it help? Two weights
#
# Take a very small model: two inputs, two weights, squared error. One input varies ten times as much as the
# other, like a length in decimetres beside one in metres. Over the two weights the loss is a bowl. Where its bottom
# is depends on what is to be predicted; its *shape* depends on the inputs $X$ alone. It is in one small matrix,
# the **Hessian** $H = \frac1N X^\top X$:

# %% slideshow={"slide_type": "-"}
rng = np.random.default_rng(0)
inputs = rng.normal(size=(200, 2)) * [1, 10]  # (N, 2)
hessian = inputs.T @ inputs / len(inputs)  # (2, 2)
hessian

# %% [markdown]
# <details><summary>Why that matrix?</summary>
#
# The loss is $\frac{1}{2N} \lVert Xw - y \rVert^2$. At the bottom, at $w^*$, its gradient
# $\frac1N X^\top (Xw^* - y)$ is 0. Subtract that from the gradient at $w$, and $y$ cancels:
#
# $$\frac1N X^\top (Xw - y) = H\,(w - w^*).$$
#
# $H$ turns the distance from the bottom into the gradient.
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# NumPy's `eigvalsh` reads off how steep the bowl is along its flattest direction and along its steepest one. The
# ratio of the two is the **condition number**.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("One input has ten times the other's spread. What is it, about?", 105, within=10)

# %% slideshow={"slide_type": "fragment"}
flat, steep = np.linalg.eigvalsh(hessian)
print(f"condition number {steep / flat:.0f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# Ten times the spread is a hundred times the steepness. (The rest is chance, in 200 samples.) Gradient descent has
# *one* learning rate for both directions. Along a direction of steepness $s$, a step with learning rate $\eta$
# multiplies the distance from the bottom by $1 - \eta s$. For the steep direction that must not pass −1, or every
# step jumps further out. And then it is nearly 1 for the flat direction, which crawls. At the best compromise both
# shrink by the same factor, $(\kappa - 1)/(\kappa + 1)$, where $\kappa$ is the condition number. With that you can
# compute the number of steps; `descend` really walks.


# %%
def descend(hessian, start, closer=1000):
    learning_rate = 2 / np.linalg.eigvalsh(hessian).sum()  # the best there is
    path = [np.array(start)]
    while np.linalg.norm(path[-1]) > np.linalg.norm(path[0]) / closer:
        path.append(path[-1] - learning_rate * hessian @ path[-1])
    return np.array(path)  # (steps + 1, 2), measured from the minimum


# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("κ = 105: how many steps until the bottom is a thousand times nearer?", 363, within=60)

# %% slideshow={"slide_type": "fragment"}
kappa, path = steep / flat, descend(hessian, start=[4.0, 1.0])
print(f"computed: {np.log(1000) / np.log((kappa + 1) / (kappa - 1)):.1f} steps")
print(f"walked:   {len(path) - 1} steps")

# %% [markdown] slideshow={"slide_type": "slide"}
# The number was in the condition number all along. Now change the inputs, and let the computer count: all
# inputs times 255; each input standardized; the same, with both means moved to 3.

# %%
scaled = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)  # (N, 2)
variants = {
    "as measured": inputs,
    "times 255": 255 * inputs,
    "standardized": scaled,
    "..., mean 3": scaled + 3,
}
bowls = {name: x.T @ x / len(x) for name, x in variants.items()}  # (2, 2) each

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Which of the three bowls are rounder than the first?",
    "the standardized one, and the one with mean 3",
    options=["all three", "the standardized one", "the standardized one, and the one with mean 3"],
)

# %% slideshow={"slide_type": "fragment"}
for name, bowl in bowls.items():
    both, steps = np.linalg.eigvalsh(bowl), len(descend(bowl, start=[4.0, 1.0])) - 1
    print(f"{name:12}  condition number {both[1] / both[0]:6.1f}", end="")
    print(f"   best rate {2 / both.sum():5.1g}   {steps:3} steps")

# %% [markdown] slideshow={"slide_type": "fragment"}
# Three things to keep. A *common* factor leaves the shape of the bowl as it is, and so the number of steps; it
# changes the rate alone, by 255². Dividing each input by its *own* spread makes the bowl round. And a mean that
# is not 0 makes it narrow again: all inputs push in one common direction, and that direction is steep. So
# **centring changes the bowl as well**.

# %% slideshow={"slide_type": "slide"}
plots.descent(
    {
        name: (bowls[name], descend(bowls[name], start=[4.0, 1.0])[:40])
        for name in ("as measured", "standardized")
    },
    **plots.words("01 valley and bowl"),
)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The star is the minimum; on the left you see the first 40 steps only. What counts is not the
# number of parameters, as one of the articles has it, but the *shape* of the loss. (Standardizing
# does not remove correlations between inputs, so the bowl is rounder, seldom perfectly round.)
#
# Below is a valley of your own: stretch one input, or move the mean of both away from 0, and count the steps.

# %%
plots.explore.valley()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## And a real network?
#
# The same for digits, with 784 inputs: raw; from 0 to 1; standardized with the two constants; and with *each
# pixel's own* mean subtracted, divided by the one constant. Some pixels never vary, so the flattest direction is
# of no use. Compare the steepest with the tenth steepest:

# %%
digits = train[:10_000].reshape(-1, 784)  # (N, 784)
scalings = {
    "raw, 0 to 255": 255 * digits,
    "0 to 1": digits,
    "standardized": (digits - mean) / std,
    "each pixel centred": (digits - pixel_mean.ravel()) / std,
}
for scale, x in scalings.items():
    steepness = np.linalg.eigvalsh(x.T @ x / len(x))  # (784,), from flat to steep
    print(f"{scale:18}  steepest / tenth steepest: {steepness[-1] / steepness[-10]:.1f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# Now the network of the second article (784 pixels, two hidden layers of 256 and 128 units, 10 digits)
# *without* any norm layer, and then with BatchNorm. It has no bowl of two weights; but if the theory is worth
# anything, you can predict from the four numbers. Eleven rates, 200 steps, eight seeds, run once and recorded:

# %%
full = recorded("input_scales")
scales = full.different("scale")
rates = {"none": sorted(full.different("lr")), "batch": [0.001, 0.01, 0.1, 1.0]}


def accuracies(norm, scale, lr, column="test_accuracy"):
    return 100 * full.values(column, norm=norm, scale=scale, lr=lr, images=12_800)  # (seeds,)


def by_rate(norm, scale):
    return np.array(rates[norm]), np.array([accuracies(norm, scale, lr) for lr in rates[norm]])


# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Without a norm, each scale at its own best rate: which two scales will be alike?",
    "raw and 0 to 1",
    options=["raw and 0 to 1", "0 to 1 and standardized", "all four", "no two of them"],
    why="One bowl, another rate. The order of the others is in the four numbers as well.",
    outputs=2,
)

# %% slideshow={"slide_type": "slide"}
plots.sweep(
    {
        title: {scale: by_rate(norm, scale) for scale in scales}
        for title, norm in {"no norm": "none", "with BatchNorm": "batch"}.items()
    },
    **plots.words("01 scales and rates"),
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# First the left panel. (The bands reach from the worst to the best of the seeds.) One rate for all would only say
# whose rate it is, so each scale gets its own best. But best on what? Whoever picks the rate on the test digits and
# reports the same test digits has peeked. Here it is picked on 5,000 *training* digits that the network does not
# train on:


# %% slideshow={"slide_type": "fragment"}
def own_best(scale):
    held_out = [accuracies("none", scale, lr, "held_out_accuracy").mean() for lr in rates["none"]]
    return rates["none"][np.argmax(held_out)]


best = {scale: accuracies("none", scale, own_best(scale)) for scale in scales}  # (seeds,) each
for scale, values in best.items():
    print(f"{scale:18}  lr {own_best(scale):<5}  {values.mean():.1f} ± {values.std(ddof=1):.1f} %")

# %% [markdown] slideshow={"slide_type": "fragment"}
# (After the ± stands the **standard deviation** of the eight runs: how far a single run lies from their mean, as a
# rule. It is not the error of the mean.) The runs of one seed begin with the same weights and see the same batches,
# so compare them seed by seed:

# %%
for one, other in zip(scales[1:], scales[:-1], strict=True):
    ahead = best[one] - best[other]  # (seeds,)
    print(f"{one:18} - {other:13} {ahead.mean():+.1f} points,", end=" ")
    print(f"from {ahead.min():+.1f} to {ahead.max():+.1f} in the eight seeds")

# %% [markdown] slideshow={"slide_type": "fragment"}
# As the bowls foretold: between raw and 0 to 1, which have one shape, no difference is seen (one of a point could
# hide in these eight seeds). Standardized is ahead of both, and each pixel centred is ahead of that.
#
# <details><summary>One number does not follow the simple rule</summary>
#
# A factor of 255 in the inputs should move the best *rate* by 255² = 65,025, and it moved by 100. The rule is that
# of one linear layer. Here two more layers stand behind it, whose rate is the same number and whose inputs have not
# changed as much.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# Now the right panel: the same network, but *with* BatchNorm behind its hidden layers. The four
# lines are one.
#
# > **Pause.** Why does the scale of the input not matter any more? Think of what the first layer does to a common
# > factor and a common shift of all inputs, and of what BatchNorm does to that.
# >
# > <details><summary>Answer</summary>
# >
# > A linear layer turns a common factor of its inputs into a common factor of its outputs, and a shift of the
# > inputs, the same for all samples, into one constant for each unit. BatchNorm subtracts each unit's mean, so the
# > constant is gone, and divides by each unit's standard deviation, so the factor is gone. The same holds for the
# > gradients, but for the rate that the first layer's weights feel ([lesson 12](12_why_it_works.ipynb)).
# >
# > </details>

# %% [markdown]
# So `Normalize((0.1307,), (0.3081,))` does nothing for a network whose first layer is linear and followed by
# BatchNorm. It does no harm either; but do not thank it. (A convolution that pads with zeros is another case: at the
# border it mixes the image with zeros, and a shift of the image is not the same for all positions any more.)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Vectors: F.normalize
#
# Back to the first function of the three. It has nothing to do with means. It divides a vector by its length, so
# that only the *direction* is left. That is what you want when you compare directions: the cosine of two vectors
# is the product of their unit vectors. The vector (3, 4) has the length $\sqrt{9 + 16} = 5$ and becomes (0.6, 0.8).
#
# A zero vector has no direction and no length to divide by. So torch divides by the length *or* by `eps`,
# whichever is larger:
#
# $$y = \frac{x}{\max(\lVert x \rVert, \varepsilon)}, \qquad
# \lVert x \rVert = \sqrt{\textstyle\sum_i x_i^2}$$
#
# By default `eps` is 1e-12. Take a large one, to see it at work:

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("`eps` is 10. What becomes of the 3 in (3, 4)?", 0.3)

# %% slideshow={"slide_type": "fragment"}
F.normalize(torch.tensor([[3.0, 4.0], [30.0, 40.0], [0.0, 0.0]]), eps=10)

# %% [markdown] slideshow={"slide_type": "subslide"}
# The larger of the two, and not their sum: so the second vector, which is longer than `eps`, has length 1 exactly.
#
# **Your turn.** `x` may have any shape, and each vector lies along the axis `dim`, as in torch: for `(N, D)` and
# `dim=1` each row is a vector, for `(B, T, D)` and `dim=-1` each run along D.


# %% slideshow={"slide_type": "-"}
def normalize_vectors(x, dim, eps):
    raise NotImplementedError()


# %%
check("normalize_vectors", normalize_vectors)

# %%
unit_vectors = yours("normalize_vectors", normalize_vectors)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def normalize_vectors(x, dim, eps):
#     length = np.sqrt((x**2).sum(axis=dim, keepdims=True))  # 1 along dim, else as x
#     return x / np.maximum(length, eps)  # as x
# ```
#
# </details>

# %%
v = np.random.default_rng(1).normal(size=(2, 5, 3))  # (B, T, D)
v[0, 0] = 0
for dim, eps in ((-1, 1e-12), (1, 1e-12), (-1, 2.0)):
    theirs = F.normalize(torch.tensor(v), dim=dim, eps=eps).numpy()
    same = np.allclose(unit_vectors(v, dim, eps), theirs, rtol=0, atol=1e-15)
    print(f"dim={dim:2}, eps={eps}: equal to torch {same}")

# %% [markdown]
# (One warning about the zero vector. Near it the function is `x / eps`, so its *slope* there is a million million:
# one zero vector can throw a training off its path. Where they can occur, give a larger `eps`.)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Break it on purpose
#
# **1. The wrong axis, silently.** `F.normalize` takes `dim=1` by default. For vectors
# `(N, D)` that is right. Now a sequence of vectors, `(B, T, D)`:

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "By default: which lengths have the vectors along D?",
    "all kinds of lengths",
    options=["all have length 1", "all kinds of lengths", "none: it raises an error"],
)

# %% slideshow={"slide_type": "fragment"}
sequence = torch.tensor(rng.normal(size=(2, 5, 3)))  # (B, T, D)
print("dim=1 :", F.normalize(sequence).norm(dim=-1)[0])
print("dim=-1:", F.normalize(sequence, dim=-1).norm(dim=-1)[0])

# %% [markdown] slideshow={"slide_type": "fragment"}
# No error, no warning: `dim=1` normalizes over *time*. Always say which axis holds one vector.

# %% [markdown] slideshow={"slide_type": "fragment"}
# **2. Constants in the wrong units.** 0.1307 and 0.3081 belong to pixels from 0 to 1. On bytes they do
# something else, and dividing by 255 twice does too. Look at mean and standard deviation once, and you
# know:

# %% slideshow={"slide_type": "fragment"}
print("bytes, constants for 0 to 1: ", describe((mnist.test_images - mean) / std))
print("divided by 255 twice:        ", describe((unit_test / 255 - mean) / std))
print("right:                       ", describe((unit_test - mean) / std))

# %% [markdown]
# torchvision's transform refuses bytes, and so does its twin. Neither refuses bytes that somebody
# has turned into floats.

# %% [markdown]
# ## Your turn
#
# | exercise | difficulty | importance | minutes |
# |---|---|---|---|
# | [01, task 1](../exercises/01_normalize_data.ipynb): standardize with the training set's statistics | easy | high | 10 |
# | 01, task 2: the statistics of images of several sizes | medium | medium | 15 |
# | 01, task 3: scale data in which one number is wrong | easy | medium | 10 |
# | 01, task 4: move the constants into the network's first layer | medium | high | 10 |

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Test yourself
#
# Five questions before the recap. Choose an answer, and you see at once why it is right or wrong. Your
# first choices count, and the line under the questions says where they are kept.

# %% slideshow={"slide_type": "-"}
self_test("01_normalize_data")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - `F.normalize`: one vector, divided by its length. `transforms.Normalize`: constants of yours. The
#   layers: statistics of the batch (or of the sample), with a scale and a shift to learn.
# - 0.1307 and 0.3081 are mean and standard deviation of MNIST's training pixels, from 0 to 1.
# - The constants come from the training set, and stay what they are. What never varies is not divided.
# - Inputs of unequal scale, or far from 0, make the loss a narrow valley; the condition number says how
#   narrow, and how many steps it takes. A common factor changes the learning rate alone. Behind a first
#   linear layer with BatchNorm, a common scale makes no difference.
# - Along which axis? And what about the zero vector: the larger of length and `eps`.
#
# ## Go further
#
# - Y. LeCun, L. Bottou, G. Orr, K.-R. Müller, *Efficient BackProp*, 1998: section 4.3 on normalizing
#   the inputs.
# - PyTorch's pages of [`F.normalize`](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.normalize.html)
#   and torchvision's
#   [`transforms.Normalize`](https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.Normalize.html).
