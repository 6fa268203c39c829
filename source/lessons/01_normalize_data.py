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
# *Lesson 1 · 45 minutes · medium · data, vectors, and the word itself*
#
# When you have finished you can
#
# - tell apart the three things that PyTorch calls "normalize", and say for each what is divided by
#   what;
# - compute MNIST's famous 0.1307 and 0.3081 yourself, and say in which units they are;
# - explain with a condition number what scaling and centring the inputs do for gradient descent, and
#   when they make no difference;
# - use the statistics of the training set, and of nothing else;
# - normalize vectors along the right axis, the zero vector included.
#
# **What you need:** [Start here](00_start_here.ipynb), NumPy's `mean(axis=...)`, the idea of
# gradient descent, and what an eigenvalue is.

# %%
import numpy as np
import torch
from torch.nn import functional as F

from normlab import load_mnist, plots
from normlab.exercises import self_test
from normlab.nn import Normalize
from normlab.training import recorded

np.set_printoptions(precision=4, suppress=True)
torch.set_printoptions(precision=4, sci_mode=False)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A question first
#
# Three samples of two numbers, and three ways in which PyTorch "normalizes" them. **What will each of
# them give?** Write down at least one guess before you look on.

# %% slideshow={"slide_type": "-"}
x = torch.tensor([[3.0, 4.0], [6.0, 8.0], [0.0, 3.0]])  # (N=3, C=2)

# %% [markdown] slideshow={"slide_type": "slide"}
# The first is `F.normalize`, for vectors:

# %% slideshow={"slide_type": "-"}
F.normalize(x)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The second is `transforms.Normalize`, for images. It comes from torchvision, which this course does
# not need: `normlab.nn` has a *twin* of it, as of every norm, written in NumPy and tested to give the
# same numbers. It expects images of shape `(C, H, W)`; ours has one channel:

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
# Go back to the three outputs and find each line of the table in them: the first has (3, 4) divided by
# 5, the second (3 − 5) / 2, the third columns that add up to 0.
#
# One of the two articles behind this course speaks of "the PyTorch normalize parameter, which takes
# many forms". There is no such parameter. This lesson is about the first two rows; the layers begin
# with [lesson 2](02_batch_norm_forward.ipynb).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The data: where 0.1307 comes from
#
# Nearly every MNIST program has this line in it (it needs the package torchvision, this course does
# not):
#
# ```python
# transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
# ```
#
# Two numbers that everybody copies. Let us compute them. The images come as bytes, 0 for paper and
# 255 for ink; `ToTensor` divides bytes by 255.

# %% slideshow={"slide_type": "slide"}
mnist = load_mnist()
train = mnist.train_images / np.float32(255)  # (60000, 28, 28), from 0 to 1; float32 saves memory
mean, std = train.mean(), train.std()
print(f"mean {mean:.4f}   std {std:.4f}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# There they are: mean and standard deviation of all pixels of the *training* images, on the scale from
# 0 to 1. (Colour images have three channels and get a mean and a standard deviation for each:
# `images.mean(axis=(0, 2, 3))` for `(N, C, H, W)`.) Every pixel is then shifted and scaled by the same
# two constants:

# %% slideshow={"slide_type": "slide"}
print(f"{mnist.train_images.size:,} pixels")
standardized = (train - mean) / std  # (60000, 28, 28)
print(f"mean {abs(standardized.mean()):.4f}   std {standardized.std():.4f}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# Mean 0 and standard deviation 1, because the constants were this data's own. They are a *description
# of the data*, not a target: whoever passes `mean=0, std=1` hoping to get mean 0 and standard
# deviation 1 gets back what went in. In these units paper and ink are

# %% slideshow={"slide_type": "fragment"}
((np.array([0, 255]) / 255 - mean) / std).round(3)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Why should it help? Two weights
#
# Take a very small model: two inputs, two weights $w$, squared error. One input varies ten times as
# much as the other, like a length in decimetres beside one in metres. Over the two weights the loss
# $\frac{1}{2N} \lVert Xw - y \rVert^2$ is a bowl. At the bottom, at $w^*$, the gradient
# $\frac1N X^\top (Xw^* - y)$ is 0. Subtract that from the gradient at $w$, and $y$ cancels:
#
# $$\frac1N X^\top (Xw - y) = H\,(w - w^*), \qquad H = \frac1N X^\top X.$$
#
# In words: the matrix $H$, called the *Hessian*, turns the distance
# from the bottom into the gradient. The targets $y$ say where the bottom is; the *shape* of the bowl is
# in $H$, and so in the inputs alone:

# %% slideshow={"slide_type": "subslide"}
rng = np.random.default_rng(0)
inputs = rng.normal(size=(200, 2)) * [1, 10]  # (N, 2)
hessian = inputs.T @ inputs / len(inputs)  # (2, 2)
hessian

# %% [markdown] slideshow={"slide_type": "fragment"}
# Its two eigenvalues say how steep the bowl is along its steepest and its flattest direction. Their
# ratio is the **condition number**. Ten times the spread is a hundred times the steepness:

# %% slideshow={"slide_type": "fragment"}
flat, steep = np.linalg.eigvalsh(hessian)
print(f"condition number {steep / flat:.0f}")

# %% [markdown] slideshow={"slide_type": "slide"}
# Gradient descent has *one* learning rate for both directions. Along a direction of steepness $s$, a
# step with learning rate $\eta$ multiplies the distance from the bottom by $1 - \eta s$. For the steep direction
# that must not pass −1, or every step jumps further out: $\eta$ has to stay below 2/steep. And then $1 - \eta s$ is
# nearly 1 for the flat direction, which crawls. The best compromise is $\eta$ = 2/(steep + flat): put it in, and both
# directions shrink by the same factor, $(\kappa - 1)/(\kappa + 1)$, with $\kappa$ the condition number. **How many steps will it
# take to come a thousand times closer to the minimum?** This you can compute, with κ = 105 and a logarithm. Do it before you go on.


# %%
def descend(hessian, start, closer=1000):
    learning_rate = 2 / np.linalg.eigvalsh(hessian).sum()  # the best there is
    path = [np.array(start)]
    while np.linalg.norm(path[-1]) > np.linalg.norm(path[0]) / closer:
        path.append(path[-1] - learning_rate * hessian @ path[-1])
    return np.array(path)  # (steps + 1, 2), measured from the minimum


# %% slideshow={"slide_type": "fragment"}
kappa = steep / flat
print(f"computed: {np.log(1000) / np.log((kappa + 1) / (kappa - 1)):.1f} steps")
path = descend(hessian, start=[4.0, 1.0])
print(f"walked:   {len(path) - 1} steps")

# %% [markdown] slideshow={"slide_type": "slide"}
# The number was in the condition number all along. Now change the inputs, and let the computer count. **Which of these bowls is rounder than the
# first?** All inputs times 255. Each input divided by its own standard deviation. The same, with both means moved to 3.

# %%
scaled = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)  # (N, 2)
variants = {
    "as measured": inputs,
    "times 255": 255 * inputs,
    "standardized": scaled,
    "..., mean 3": scaled + 3,
}
bowls = {name: x.T @ x / len(x) for name, x in variants.items()}  # (2, 2) each

# %% slideshow={"slide_type": "fragment"}
for name, bowl in bowls.items():
    flat, steep = np.linalg.eigvalsh(bowl)
    steps = len(descend(bowl, start=[4.0, 1.0])) - 1
    print(f"{name:12}  condition number {steep / flat:6.1f}", end="")
    print(f"   best rate {2 / (steep + flat):5.1g}   {steps:3} steps")

# %% [markdown] slideshow={"slide_type": "fragment"}
# Three things to keep. A *common* factor leaves the shape of the bowl as it is, and so the number of steps; it changes the rate alone, by 255². Dividing each input
# by its *own* spread makes the bowl round. And a mean that is not 0 makes it narrow again: with a mean of 3, all inputs push in one common
# direction, and that direction is steep. So **centring changes the bowl as well**.

# %%
scaled_hessian = bowls["standardized"]
scaled_path = descend(scaled_hessian, start=[4.0, 1.0])

# %% slideshow={"slide_type": "slide"}
plots.descent(
    {"as measured": (hessian, path[:40]), "standardized": (scaled_hessian, scaled_path)},
    alt="""Two panels with the level lines of a loss of two weights and the path of gradient
    descent from the same start. As measured: the lines are long, narrow ellipses, and the path
    zigzags across the narrow valley, moving only slowly along it; after forty steps it is still on
    its way. Standardized: the lines are nearly circles, and the path reaches the minimum in a few
    steps.""",
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# The star is the minimum; on the left you see the first 40 steps only. After standardizing, both
# directions are equally steep, and one learning rate fits both. So what counts is not the
# number of parameters, as one of the articles has it, but the *shape* of the loss. (Standardizing
# makes each input's spread 1 and its mean 0. It does not remove correlations between inputs, so the bowl is rounder,
# seldom perfectly round.)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## And a real network?
#
# The same question for digits: 784 inputs, one for each pixel. Raw from 0 to 255; from 0 to 1; standardized with the two constants above; and with *each pixel's own* mean
# subtracted, divided by the one constant. The flattest directions are of no use here, since some pixels never vary. Compare the steepest
# direction with the tenth steepest:


# %%
def scalings(images):
    unit = images.reshape(len(images), -1) / np.float32(255)  # (N, 784)
    pixel_mean = train.mean(axis=0).ravel()  # (784,)
    return {
        "raw, 0 to 255": 255 * unit,
        "0 to 1": unit,
        "standardized": (unit - mean) / std,
        "each pixel centred": (unit - pixel_mean) / std,
    }


# %%
for scale, x in scalings(mnist.train_images[:10_000]).items():
    steepness = np.linalg.eigvalsh(x.T @ x / len(x))  # (784,), from flat to steep
    print(f"{scale:18}  steepest / tenth steepest: {steepness[-1] / steepness[-10]:.1f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# Now the network of the second article (784 pixels, two hidden layers of 256 and 128 units, 10 digits)
# *without* any norm layer. It has no bowl of two weights; but if the theory is worth anything, you can
# predict from the four numbers: **which scale will be the best, each at its own best learning rate? Which two will be alike? And
# how far apart will the best rates of "raw" and "0 to 1" be?** Eleven rates, 200 steps, eight seeds, run once and recorded:

# %%
full = recorded("input_scales")
print(full.how["command"], "|", full.how["date"], "|", full.how["duration"])

# %%
scales = full.different("scale")
rates = {"none": sorted(full.different("lr")), "batch": [0.001, 0.01, 0.1, 1.0]}


def accuracies(recording, norm, scale, lr, column="test_accuracy"):
    return 100 * recording.values(column, norm=norm, scale=scale, lr=lr, images=12_800)


def by_rate(norm, scale):
    runs = [accuracies(full, norm, scale, lr) for lr in rates[norm]]  # (seeds,) each
    return np.array(rates[norm]), np.array(runs)


# %% slideshow={"slide_type": "slide"}
plots.sweep(
    {
        title: {scale: by_rate(norm, scale) for scale in scales}
        for title, norm in {"no norm": "none", "with BatchNorm": "batch"}.items()
    },
    xlabel="learning rate",
    ylabel="test accuracy, %",
    alt="""Two panels with test accuracy against the learning rate, from 0.0005 to 1, for four scales of the
    input. Without a norm: raw images are best at 0.005, near 90 percent, spread from below 10 to about 60 at
    0.01, and stay near 10 above; from 0 to 1 the curve rises late, to 46 percent at 0.01 and 91 at 0.5;
    standardized and centred it rises earlier, to about 93 at 0.2, and falls at 1. With BatchNorm the four
    curves lie on each other, from 67 percent at 0.001 to 94 at 0.1.""",
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# First the left panel. (The bands reach from the worst to the best of the seeds.) Each scale has rates of its own: at 0.01 raw images are a lottery, and from 0 to 1
# the network has hardly begun. So scale and learning rate belong together, and one rate for all would only say whose rate it is. Each scale at its own best, then.
# But best on what? Whoever picks the rate on the test digits and reports the same test digits has peeked. Here it is picked on 5,000 *training* digits
# that the network does not train on:


# %% slideshow={"slide_type": "subslide"}
def own_best(scale):
    held_out = {
        lr: accuracies(full, "none", scale, lr, "held_out_accuracy") for lr in rates["none"]
    }
    return max(held_out, key=lambda lr: held_out[lr].mean())


best = {scale: accuracies(full, "none", scale, own_best(scale)) for scale in scales}
for scale, values in best.items():
    print(f"{scale:18}  lr {own_best(scale):<5}  {values.mean():.1f} ± {values.std(ddof=1):.1f} %")

# %% [markdown] slideshow={"slide_type": "fragment"}
# (After the ± stands the **standard deviation** of the eight runs: how far a single run lies from their mean, as a rule. It is not the error of the mean.) The runs of one
# seed begin with the same weights and see the same batches, so compare them seed by seed:

# %%
for one, other in (
    ("raw, 0 to 255", "0 to 1"), ("standardized", "0 to 1"), ("each pixel centred", "standardized"),
):  # fmt: skip
    ahead = best[one] - best[other]  # (seeds,)
    print(
        f"{one:18} - {other:12} {ahead.mean():+.1f} points, ahead in {(ahead > 0).sum()} of 8 seeds"
    )

# %% [markdown] slideshow={"slide_type": "fragment"}
# As the bowls foretold: between raw and 0 to 1, which have one shape, no difference is seen (a difference of a point could hide in these eight seeds: the pairs lie between −2.4 and
# +3.6). Standardized is ahead of both, and each pixel centred is ahead of that. Only the best *rate* does not follow the simple
# rule: a factor of 255 in the inputs should move it by 255² = 65,025, and it moved by 100. The rule is that of one linear layer. Here two more layers stand
# behind it, whose rate is the same number and whose inputs have not changed as much.

# %% [markdown] slideshow={"slide_type": "slide"}
# Now the right panel: the same network, but *with* BatchNorm behind its hidden layers. The four
# lines are one. **Why does the scale of the input not matter any more?** Think of what the first layer
# does to a common factor and a common shift of all inputs, and of what BatchNorm does to that.

# %% [markdown] slideshow={"slide_type": "fragment"}
# <details><summary>Answer</summary>
#
# A linear layer turns a common factor of its inputs into a common factor of its outputs, and a shift of the
# inputs, the same for all samples, into one constant for each unit. BatchNorm subtracts each unit's mean, so the constant is gone,
# and divides by each unit's standard deviation, so the factor is gone. The same holds for the gradients, but for the rate that the first
# layer's weights feel ([lesson 12](12_why_it_works.ipynb)).
#
# </details>

# %%
for lr in rates["batch"]:
    means = [accuracies(full, "batch", scale, lr).mean() for scale in scales]
    print(f"lr {lr:<5}: largest difference between two scales {np.ptp(means):.1f} points")

# %% [markdown]
# So `Normalize((0.1307,), (0.3081,))` does nothing for a network whose first layer is linear and followed by
# BatchNorm. It does no harm either; but do not thank it. (A convolution that pads with zeros is another case: at the border it mixes
# the image with zeros, and a shift of the image is not the same for all positions any more.)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Whose mean? The training set's
#
# The constants are part of the model. They are computed once, from the training images, and used for
# every image that ever comes after: otherwise an image would be treated differently according to
# which others came with it. Suppose that in use the camera is set differently, and all images come
# with half the contrast on a grey ground:

# %% slideshow={"slide_type": "subslide"}
unit_test = mnist.test_images / np.float32(255)  # (10000, 28, 28)
other_camera = 0.5 * unit_test + 0.25


def describe(images):
    return f"mean {images.mean():+.2f}   std {images.std():.2f}"


print("training constants:", describe((other_camera - mean) / std))
print("its own constants: ", describe((other_camera - other_camera.mean()) / other_camera.std()))

# %% [markdown] slideshow={"slide_type": "fragment"}
# With the training set's constants you *see* that something is different: the mean is not 0. With the
# new images' own constants all looks well, and nobody will ask. (A model may even get along better
# with its own constants on such images. But then it needs a whole batch to judge one image, and you
# cannot compare two days any more.)

# %% [markdown]
# The other way to go wrong is to compute the constants from training and test images *together*. Then the
# test set has had a say in the model that it is to judge: a **leak**. How much would it have mattered
# here? And how much if the test images were those of the other camera?


# %%
def constants(*sets):
    pixels = np.concatenate([images.ravel() for images in sets])
    return f"{pixels.mean():.4f}, {pixels.std():.4f}"


print("training images alone:         ", constants(train))
print("with the test images:          ", constants(train, unit_test))
print("with the other camera's images:", constants(train, other_camera))

# %% [markdown]
# With MNIST's own test images the constants change in the fourth digit; you could not measure the
# difference. With the other camera's they change in the first two digits: now the *training* images are
# prepared differently because of images that the model was not to have seen, and whoever tests on
# those will report a number that is too optimistic. With MNIST you could afford the leak; get used to avoiding it before
# you meet a small data set, or a test set that differs.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Vectors: F.normalize
#
# `F.normalize` has nothing to do with means. It divides a vector by its length, so that only the
# *direction* is left. That is what you want when you compare directions: the cosine of two vectors is
# the product of their unit vectors.

# %% slideshow={"slide_type": "-"}
v = np.array([[3.0, 4.0], [6.0, 8.0], [0.0, 0.0]])  # (N=3, D=2)


def unit_vectors(v, axis=-1, eps=1e-12):
    length = np.sqrt((v**2).sum(axis=axis, keepdims=True))  # (N, 1)
    return v / np.maximum(length, eps)  # (N, D)


unit_vectors(v)

# %% [markdown] slideshow={"slide_type": "slide"}
# The first two point the same way. The third has no direction. Its length is 0, and here `eps` earns
# its keep: the divisor is the length *or* `eps`, whichever is larger. Not their sum; so any vector
# longer than `eps` comes out with length 1 exactly. (Near zero the function is `v / eps`, so its *slope* there is a million
# million: one zero vector can throw a training off its path. Where they can occur, give a larger `eps`.) Is that torch's rule too? Try it with an `eps` large enough to see:

# %% slideshow={"slide_type": "-"}
for eps in (1e-12, 7.0):
    theirs = F.normalize(torch.tensor(v), dim=-1, eps=eps).numpy()
    print(
        f"eps={eps}: equal to torch",
        np.allclose(unit_vectors(v, eps=eps), theirs, rtol=0, atol=1e-15),
    )

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Break it on purpose
#
# **1. The wrong axis, silently.** `F.normalize` takes `dim=1` by default. For vectors
# `(N, D)` that is right. For a sequence of vectors, `(B, T, D)`, it normalizes over *time*. Are the
# vectors, along D, of length 1 then?

# %% slideshow={"slide_type": "fragment"}
sequence = torch.tensor(rng.normal(size=(2, 5, 3)))  # (B, T, D)
print("dim=1 :", F.normalize(sequence).norm(dim=-1)[0])
print("dim=-1:", F.normalize(sequence, dim=-1).norm(dim=-1)[0])

# %% [markdown] slideshow={"slide_type": "fragment"}
# No error, no warning; with `dim=1` the vectors have all kinds of lengths.
# Always say which axis holds one vector.

# %% [markdown] slideshow={"slide_type": "slide"}
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
# **3. A pixel that never varies.** You may give every pixel a mean and a standard deviation of its own. But
# in the corners of MNIST there is never any ink. What is the standard deviation there, and what happens
# when you divide by it?

# %%
pixel_mean, pixel_std = train.mean(axis=0), train.std(axis=0)  # (28, 28), (28, 28)
print((pixel_std == 0).sum(), "of 784 pixels never vary in the training set")
with np.errstate(invalid="ignore"):
    print("NaN in the first image:", np.isnan((train[0] - pixel_mean) / pixel_std).sum())

# %% [markdown]
# Zero divided by zero, in every image. Subtract the mean only where nothing varies, or divide there by
# 1. Layers of `torch.nn` add a small `eps` for that case, as lesson 2 shows.

# %% [markdown]
# ## Your turn
#
# | exercise | difficulty | importance | minutes |
# |---|---|---|---|
# | [01, task 1](../exercises/01_normalize_data.ipynb): channel statistics of a set of images | easy | high | 10 |
# | 01, task 2: standardize with the training set's statistics | easy | high | 10 |
# | 01, task 3: normalize vectors along an axis | easy | medium | 10 |

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Test yourself
#
# Five questions before the recap. Choose an answer, and you see at once why it is right or wrong. Your
# first choices are counted; `normlab progress` shows the best result.

# %% slideshow={"slide_type": "-"}
self_test("01_normalize_data")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - `F.normalize`: one vector, divided by its length. `transforms.Normalize`: constants of yours. The
#   layers: statistics of the batch (or of the sample), with a scale and a shift to learn.
# - 0.1307 and 0.3081 are mean and standard deviation of MNIST's training pixels, from 0 to 1.
# - Inputs of unequal scale, or far from 0, make the loss a narrow valley; the condition number says how narrow, and how many steps it
#   takes. A common factor changes the learning rate alone. Behind a first linear layer with BatchNorm, a common scale makes no
#   difference.
# - The constants come from the training set, and stay what they are.
# - Along which axis? And what about the zero vector: the larger of length and `eps`.
#
# ## Go further
#
# - Y. LeCun, L. Bottou, G. Orr, K.-R. Müller, *Efficient BackProp*, 1998: section 4.3 on normalizing
#   the inputs.
# - PyTorch's pages of [`F.normalize`](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.normalize.html)
#   and torchvision's
#   [`transforms.Normalize`](https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.Normalize.html).
