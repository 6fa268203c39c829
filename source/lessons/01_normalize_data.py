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
# # Put the data on one scale, and say which "normalize" you mean
#
# *Lesson 1 · 50 minutes · gentle · data, vectors, and the word itself*
#
# When you have finished you can
#
# - tell apart the three things that PyTorch calls "normalize", and say for each what is divided by
#   what;
# - compute MNIST's famous 0.1307 and 0.3081 yourself, and say in which units they are;
# - explain with a condition number why scaling the inputs helps gradient descent, and when it makes
#   no difference at all;
# - use the statistics of the training set, and of nothing else;
# - normalize vectors along the right axis, the zero vector included.
#
# **What you need:** NumPy's `mean(axis=...)`, and the idea of gradient descent.

# %%
import numpy as np
import torch
from torch.nn import functional as F

from normlab import load_mnist, nn, plots
from normlab.data import ImageDataset
from normlab.training import article_net, fit_many

np.set_printoptions(precision=4, suppress=True)
torch.set_printoptions(precision=4, sci_mode=False)

# %% [markdown]
# ## A question first
#
# Four numbers, and three ways in which PyTorch "normalizes" them. **What will each of them give?**
# Try at least the first before you run the cells.

# %%
x = torch.tensor([[3.0, 4.0], [6.0, 8.0]])  # (N=2, C=2)

# %%
F.normalize(x)

# %%
transform = nn.Normalize(mean=[5.0], std=[2.0])  # the twin of torchvision's transforms.Normalize
transform(x.numpy()[None])[0]  # it expects images, (C, H, W)

# %%
torch.nn.BatchNorm1d(2)(x).detach()

# %% [markdown]
# Three functions, three answers, and nothing in common but the word.
#
# | | divides by | taken over | learns | remembers |
# |---|---|---|---|---|
# | `F.normalize` | the length of a vector | one axis of one sample | nothing | nothing |
# | `transforms.Normalize` | a constant that *you* give (after subtracting another) | nothing: you looked at the data before | nothing | nothing |
# | `nn.BatchNorm1d` and the other layers | a standard deviation (after subtracting a mean) | some axes of the batch | a scale and a shift | BatchNorm: running statistics |
#
# One of the two articles behind this course speaks of "the PyTorch normalize parameter, which takes
# many forms". There is no such parameter. This lesson is about the first two rows; the layers begin
# with [lesson 2](02_batch_norm_forward.ipynb).

# %% [markdown]
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

# %%
mnist = load_mnist()
train = mnist.train_images / 255  # (60000, 28, 28), from 0 to 1
mean, std = train.mean(), train.std()
print(f"mean {mean:.4f}   std {std:.4f}")

# %% [markdown]
# There they are: mean and standard deviation of all 47 million pixels of the *training* images, on
# the scale from 0 to 1. Every pixel is then shifted and scaled by the same two constants:

# %%
print(f"{mnist.train_images.size:,} pixels")
standardized = (train - mean) / std  # (60000, 28, 28)
print(f"mean {abs(standardized.mean()):.4f}   std {standardized.std():.4f}")

# %% [markdown]
# Mean 0 and standard deviation 1, because the constants were this data's own. They are a *description
# of the data*, not a target: whoever passes `mean=0, std=1` in the hope to get mean 0 and standard
# deviation 1 gets back what went in. In these units paper and ink are

# %%
((np.array([0, 255]) / 255 - mean) / std).round(3)

# %% [markdown]
# ## Why should it help? Two weights
#
# Take the smallest model there is: two inputs, two weights, squared error. One input varies ten times
# as much as the other, like metres beside decimetres. The loss is a bowl over the two weights, and
# its shape is in the *Hessian*, $H = X^\top X / N$:

# %%
rng = np.random.default_rng(0)
inputs = rng.normal(size=(200, 2)) * [1, 10]  # (N, 2)
hessian = inputs.T @ inputs / len(inputs)  # (2, 2)
hessian

# %% [markdown]
# Its two eigenvalues say how steep the bowl is along its steepest and its flattest direction. Their
# quotient is the **condition number**. Ten times the spread is a hundred times the steepness:

# %%
flat, steep = np.linalg.eigvalsh(hessian)
print(f"condition number {steep / flat:.0f}")

# %% [markdown]
# Gradient descent has *one* learning rate for both directions. Too large for the steep one, and it
# jumps out of the bowl (the limit is 2/steep); and with what is left it crawls along the flat one.
# The best compromise is 2/(steep + flat). **How many steps will it take to come a thousand times
# closer to the minimum?** Guess, for this bowl and for that of the standardized inputs.


# %%
def descend(hessian, start, closer=1000):
    learning_rate = 2 / np.linalg.eigvalsh(hessian).sum()  # the best there is
    path = [np.array(start)]
    while np.linalg.norm(path[-1]) > np.linalg.norm(path[0]) / closer:
        path.append(path[-1] - learning_rate * hessian @ path[-1])
    return np.array(path)  # (steps + 1, 2), measured from the minimum


# %%
scaled = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)  # (N, 2)
scaled_hessian = scaled.T @ scaled / len(scaled)  # (2, 2)
path, scaled_path = (descend(H, start=[4.0, 1.0]) for H in (hessian, scaled_hessian))
len(path) - 1, len(scaled_path) - 1

# %%
plots.descent(
    {"as measured": (hessian, path[:40]), "standardized": (scaled_hessian, scaled_path)},
    alt="""Two panels with the level lines of a loss of two weights and the path of gradient
    descent from the same start. As measured: the lines are long, narrow ellipses, and the path
    zigzags across the narrow valley, moving only slowly along it; after forty steps it is still on
    its way. Standardized: the lines are nearly circles, and the path reaches the minimum in a few
    steps.""",
)

# %% [markdown]
# The star is the minimum; on the left you see the first 40 steps only. After standardizing, both
# directions are equally steep, and one learning rate fits both. That is the whole secret: not the
# number of parameters, as one of the articles has it, but the *shape* of the loss. (Standardizing
# makes each input's spread 1. It does not remove correlations between inputs, so the bowl is rounder,
# seldom perfectly round.)

# %% [markdown]
# ## And a real network?
#
# The article's network *without* any norm layer, on the same digits in three scales, for three learning
# rates; 200 steps, five seeds. **Which scale goes with which learning rate?**
#
# To keep it short, the scaling is done by a small layer in front of the network, which is handed pixels
# from 0 to 1:


# %%
class Scaled(torch.nn.Module):
    def __init__(self, network, subtract, divide):
        super().__init__()
        self.network, self.subtract, self.divide = network, subtract, divide

    def forward(self, pixels):
        return self.network((pixels - self.subtract) / self.divide)


# %%
scales = {"raw, 0 to 255": (0, 1 / 255), "0 to 1": (0, 1), "standardized": (mean, std)}


def networks(norm):
    return {
        name: lambda seed, scale=scale: Scaled(article_net(norm, seed), *scale)
        for name, scale in scales.items()
    }


# %%
few = ImageDataset(
    mnist.train_images[:12_800], mnist.train_labels[:12_800],
    mnist.test_images[:2_000], mnist.test_labels[:2_000],
)  # fmt: skip


def accuracies(norm, lr):
    runs = fit_many(networks(norm), range(5), few, epochs=1, lr=lr)
    return {
        name: np.array([100 * run.final.test_accuracy for run in runs[name]]) for name in scales
    }  # (seeds,) for each scale


# %% tags=["nbval-ignore-output"]
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
plain = {lr: accuracies("none", lr) for lr in (0.0001, 0.01, 0.1)}
for name in scales:
    row = [
        f"lr {lr}: {a[name].mean():4.1f} ± {a[name].std(ddof=1):4.1f} %" for lr, a in plain.items()
    ]
    print(f"{name:14}", *row, sep="   ")

# %% [markdown]
# At learning rate 0.01, the article's, the raw images are a lottery: look at the spread of the five
# seeds. From 0 to 1 the network is slow, and standardizing gives the best of the three. That is no law
# about raw images: at 0.0001 *they* are the best of the three, and the only ones that learn at all. Scale
# and learning rate belong together, and scaling the data means that the usual rates fit.

# %%
raw, unit, standard = scales
print("at 0.01 standardized is ahead: ", plain[0.01][standard].min() > plain[0.01][unit].mean())
print("at 0.0001 raw is ahead:        ", plain[0.0001][raw].min() > plain[0.0001][standard].max())

# %% [markdown]
# One more. The same at learning rate 0.01, but *with* BatchNorm behind the first linear layer. **Does
# the scale of the input matter now?**

# %% tags=["nbval-ignore-output"]
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
with_norm = accuracies("batch", 0.01)
for name, values in with_norm.items():
    print(f"{name:14}  {values.mean():.1f} ± {values.std(ddof=1):.1f} %")

# %%
largest = max(np.abs(a - b).max() for a in with_norm.values() for b in with_norm.values())
print("largest difference between two scales below 2 points:", largest < 2)

# %% [markdown]
# It does not. A common factor and a common shift of all inputs go through the linear layer, and
# BatchNorm takes them out again. So `Normalize((0.1307,), (0.3081,))` does nothing for a network whose
# first layer is followed by BatchNorm. It does no harm either; but do not thank it.

# %% [markdown]
# ## Whose mean? The training set's
#
# The constants are part of the model. They are computed once, from the training images, and used for
# every image that ever comes after: otherwise an image would be treated differently according to
# which others came with it. Suppose that in use the camera is set differently, and all images come
# with half the contrast on a grey ground:

# %%
unit_test = mnist.test_images / 255  # (10000, 28, 28)
other_camera = 0.5 * unit_test + 0.25


def describe(images):
    return f"mean {images.mean():+.2f}   std {images.std():.2f}"


print("training constants:", describe((other_camera - mean) / std))
print("its own constants: ", describe((other_camera - other_camera.mean()) / other_camera.std()))

# %% [markdown]
# With the training set's constants you *see* that something is different: the mean is not 0. With the
# new images' own constants all looks well, and nobody will ask. (A model may even get along better
# with its own constants on such images. But then it needs a whole batch to judge one image, and you
# cannot compare two days any more.)
#
# The other way to go wrong is to compute the constants from training and test images *together*: then
# the test set has had a say in the model that it is to judge. How much would it have mattered here?

# %%
together = np.concatenate([mnist.train_images, mnist.test_images]) / 255  # (70000, 28, 28)
print(
    f"training set: {mean:.4f}, {std:.4f}   with the test set: {together.mean():.4f}, {together.std():.4f}"
)

# %% [markdown]
# In the fourth digit: on MNIST you could not measure the difference. It is a habit for the day when
# the sets are small, or different, and it does matter.

# %% [markdown]
# ## Vectors: F.normalize
#
# `F.normalize` has nothing to do with means. It divides a vector by its length, so that only the
# *direction* is left. That is what you want when you compare directions: the cosine of two vectors is
# the product of their unit vectors.

# %%
v = np.array([[3.0, 4.0], [6.0, 8.0], [0.0, 0.0]])  # (N=3, D=2)


def unit_vectors(v, axis=-1, eps=1e-12):
    length = np.sqrt((v**2).sum(axis=axis, keepdims=True))  # (N, 1)
    return v / np.maximum(length, eps)  # (N, D)


unit_vectors(v)

# %% [markdown]
# The first two point the same way. The third has no direction. Its length is 0, and here `eps` earns
# its keep: the divisor is the length *or* `eps`, whichever is larger. Not their sum; so any vector
# longer than `eps` comes out with length 1 exactly. Is that torch's rule too? Over several axes, and
# with an `eps` large enough to see:

# %%
block = rng.normal(size=(2, 5, 3))  # (B, T, D)
for axis in (0, 1, 2, -1):
    for eps in (1e-12, 2.0):
        theirs = F.normalize(torch.tensor(block), dim=axis, eps=eps).numpy()
        assert np.allclose(unit_vectors(block, axis, eps), theirs, rtol=0, atol=1e-15)
print("equal along every axis, for both eps")

# %% [markdown]
# ## Break it on purpose
#
# **1. The wrong axis, silently.** `F.normalize` takes `dim=1` where you say nothing. For vectors
# `(N, D)` that is right. For a sequence of vectors, `(B, T, D)`, it normalizes over *time*. Are the
# vectors, along D, of length 1 then?

# %%
sequence = torch.tensor(block)
print("dim=1 :", F.normalize(sequence).norm(dim=-1)[0])
print("dim=-1:", F.normalize(sequence, dim=-1).norm(dim=-1)[0])

# %% [markdown]
# No error, no warning; five vectors of five different lengths. Always say which axis holds one vector.
#
# **2. Constants in the wrong units.** 0.1307 and 0.3081 belong to pixels from 0 to 1. On bytes they do
# something else, and dividing by 255 twice does too. Look at mean and standard deviation once, and you
# know:

# %%
print("bytes, constants for 0 to 1: ", describe((mnist.test_images - mean) / std))
print("divided by 255 twice:        ", describe((unit_test / 255 - mean) / std))
print("right:                       ", describe((unit_test - mean) / std))

# %% [markdown]
# torchvision's transform refuses bytes, and so does its twin. It does not refuse bytes that somebody
# has turned into floats:

# %%
try:
    nn.Normalize([0.1307], [0.3081])(torch.zeros(1, 28, 28, dtype=torch.uint8).numpy())
except TypeError as error:
    print(error)

# %% [markdown]
# **3. The slope at zero.** The zero vector comes out as zero, but its *gradient* does not: near zero
# the function is `v / eps`, and `eps` is $10^{-12}$.

# %%
zero = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
F.normalize(zero).sum().backward()
print(zero.grad)

# %% [markdown]
# A million million. One zero vector in a batch can throw a whole training run off its path; give a
# larger `eps` where zero vectors can occur.

# %% [markdown]
# ## Your turn
#
# | exercise | difficulty | importance | minutes |
# |---|---|---|---|
# | [01, task 1](../exercises/01_normalize_data.ipynb): channel statistics of a set of images | easy | high | 10 |
# | 01, task 2: standardize with the training set's statistics | easy | high | 10 |
# | 01, task 3: normalize vectors along an axis | easy | medium | 10 |

# %% [markdown]
# ## Recap
#
# - `F.normalize`: one vector, divided by its length. `transforms.Normalize`: constants of yours. The
#   layers: statistics of the batch (or of the sample), with a scale and a shift to learn.
# - 0.1307 and 0.3081 are mean and standard deviation of MNIST's training pixels, from 0 to 1.
# - Inputs of unequal scale make the loss a narrow valley; the condition number says how narrow. Scale
#   and learning rate belong together; behind a first layer with BatchNorm, a common scale makes no
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
