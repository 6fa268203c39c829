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
# # Start here
#
# *35 minutes, self-test 10 · no lesson needed before this one*
#
# When you have finished you can
#
# - say what one norm layer did for a network that learned nothing, and how far that goes;
# - say in one sentence what nearly all normalization layers have in common, and what tells them apart;
# - run a notebook, stop it, and start it afresh;
# - find your way: which lesson comes next, where its exercises are, and what a check tells you.
#
# **What you need:** Python, a little NumPy, and to know what a gradient is.

# %% [markdown]
# A notebook is text and code in turns. Click on the cell below and press **Shift + Enter**: it runs, and the
# next one is chosen. (More on notebooks further down.)

# %%
import numpy as np
import torch
from torch import nn

import normlab
from normlab import load_mnist, plots
from normlab.data import ImageDataset
from normlab.exercises import guess, self_test
from normlab.training import fit, fit_many, recorded, stack

mnist = load_mnist()
print(f"{len(mnist.train_images):,} digits to train on, {len(mnist.test_images):,} to test on")

# %% [markdown]
# If a line with 60,000 and 10,000 stands above, your installation works. The digits came out of the package
# itself; nothing in this course needs a network connection. Here are the first eight test digits, each
# under its label. (`plots.words` fetches what stands beside a figure, such as the names of its axes, and what it shows in words,
# for who cannot see it.)

# %%
plots.images(mnist.test_images[:8], mnist.test_labels[:8], **plots.words("00 first digits"))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A question first
#
# A small network is to read these digits. The 784 pixels of an image go in, as they are in the file: whole
# numbers from 0 for paper to 255 for ink. There is one hidden layer of 256 units, and 10 scores come out, one
# for each digit. It sees 9,600 images once, in 150 steps of 64, and then 2,000 that are new to it.

# %% slideshow={"slide_type": "-"}
pixels = ImageDataset(
    mnist.train_images[:9600].astype("float32"),  # (9600, 28, 28)
    mnist.train_labels[:9600],
    mnist.test_images[:2000].astype("float32"),
    mnist.test_labels[:2000],
)


def sick(seed):
    torch.manual_seed(seed)  # of the first weights
    return nn.Sequential(
        nn.Flatten(),  # (N, 784)
        nn.Linear(784, 256),
        nn.ReLU(),
        nn.Linear(256, 10),
    )


# %% tags=["guess"] slideshow={"slide_type": "subslide"}
guess(
    "How many of 100 new digits will it get right?",
    12,
    within=4,
    why="There are ten kinds of digits: that is what somebody gets who does not look at the image.",
)

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "slide"}
# Output not compared: what comes of a training differs a little from processor to processor.
patient = sick(seed=0)
run = fit(patient, pixels, epochs=1, lr=0.1, measure_every=10)  # lr: the learning rate
print(f"{run.final.test_accuracy:.0%} right")
loss = run.series("train_loss")  # one for every 10 steps
print("loss", *(f"{one:,.2f}" for one in (*loss[:2], *loss[4::5])), sep="   ")

# %% [markdown] slideshow={"slide_type": "fragment"}
# The loss began with a giant leap, and then it stands. Where it stands is no accident either: it is the loss of
# someone who gives each of ten digits the same chance, $\ln 10 = 2.30$. Look inside, at the 256 hidden units behind
# their ReLU, with all of the 2,000 new images.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("How many of the 256 units give 0 for every one of those images?", 253, within=20)

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "fragment"}
# Output not compared: as above.
images = torch.from_numpy(pixels.test_images)  # (2000, 28, 28)
as_far_as_relu = patient[:3]
with torch.no_grad():
    hidden = as_far_as_relu(images)  # (2000, 256)
dead = (hidden == 0).all(dim=0)  # (256,)
print(dead.sum().item(), "of 256 units give 0 for every image")

# %% [markdown] slideshow={"slide_type": "fragment"}
# They are **dead**. Where a ReLU gives 0 it passes no gradient back, and a unit that gives 0 for an image is not moved by
# it; one that gives 0 for every image is moved by none, and stays as it is. What is left is hardly a network.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## One line
#
# Now one line is added, between the layer and its ReLU. The pixels, the learning rate, the first weights and the order
# of the images stay what they were.


# %% slideshow={"slide_type": "-"}
def cured(seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 256),
        nn.BatchNorm1d(256),  # the line
        nn.ReLU(),
        nn.Linear(256, 10),
    )


# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("How many of 100 new digits will this one get right?", 90, within=5, outputs=2)

# %% [markdown] slideshow={"slide_type": "-"}
# One pair of runs could be luck, so there are five of each, with other weights and another order each time:

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "slide"}
# Output not compared: as above.
networks = {"without the line": sick, "with the line": cured}
runs = fit_many(networks, range(5), pixels, jobs=1, epochs=1, lr=0.1, measure_every=10)
right = {name: 100 * stack(five, "test_accuracy")[:, -1] for name, five in runs.items()}
for name, five in right.items():
    print(f"{name:16} {five.mean():.1f} % right, from {five.min():.1f} to {five.max():.1f}")

# %% slideshow={"slide_type": "-"}
steps = run.series("step")
plots.curves(
    steps,
    {name: 100 * stack(five, "test_accuracy") for name, five in runs.items()},
    **plots.words("00 one line"),
)

# %%
print("the worst of five with it is ahead of the best without:", end=" ")
print(right["with the line"].min() > right["without the line"].max())

# %% [markdown] slideshow={"slide_type": "fragment"}
# That line is what this course is about. **It promises you to explain it:** [lesson 2](02_batch_norm_forward.ipynb) derives
# what `BatchNorm1d` computes, down to the last digit; [lesson 3](03_batch_norm_train_and_eval.ipynb) what it does when a single image
# comes along; [lesson 4](04_batch_norm_backward.ipynb) how a network learns through it; and
# [lesson 12](12_why_it_works.ipynb) asks why it helps, and tests the answers.
#
# Was the scale of the pixels to blame, and could one have mended that instead? [Lesson 1](01_normalize_data.ipynb) begins
# there. But a second layer gets what the first one makes, a third what the second makes, and nobody scales those by
# hand.

# %% [markdown] slideshow={"slide_type": "slide"}
# And a network in good health? The course goes on with one from an article on the web (it calls it `article_net`): hidden
# layers of 256 and 128 units, pixels from 0 to 1, all 60,000 images. It was trained with BatchNorm and without, five seeds each, and
# recorded:


# %% slideshow={"slide_type": "-"}
def told(norm, lr, epoch):
    runs = recorded("article_runs")
    five = 100 * runs.values("test_accuracy", norm=norm, lr=lr, epochs=5, epoch=epoch)
    return f"{five.mean():.1f} ± {five.std(ddof=1):.1f} %"


# %% slideshow={"slide_type": "-"}
for lr, epoch in ((0.01, 1), (0.01, 5), (0.1, 5)):
    print(f"learning rate {lr:<4}, epoch {epoch}: ", end="")
    print(f"{told('none', lr, epoch)} without, {told('batch', lr, epoch)} with BatchNorm")

# %% [markdown] slideshow={"slide_type": "fragment"}
# After one pass over the images there are more than ten points between them, after five fewer, and at ten times the learning
# rate less than one is left. So how much the line does depends: on the network, the learning rate, on how long you wait. Whoever says
# "BatchNorm is better" has to say where. [Lesson 5](05_mnist_with_batch_norm.ipynb) takes these runs apart.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The one idea
#
# Nearly every normalization layer is **one operation on a choice of axes**: subtract a mean, divide by
# a spread, scale, shift. What tells the layers apart is *which numbers share a mean*. (One that you may
# have met, RMSNorm, leaves the mean out, and is otherwise the same.)

# %% [markdown] slideshow={"slide_type": "slide"}
# Here is the picture to remember. A batch is a block: N samples one behind the other, C channels
# side by side, L positions from top to bottom (the pixels of an image, the steps of a sequence). The
# coloured cells share one mean and one spread:

# %% slideshow={"slide_type": "-"}
block = (4, 6, 5)  # N, C, L
plots.block(
    {
        "BatchNorm": plots.averaged_cells(block, axes=(0, 2)),
        "LayerNorm": plots.averaged_cells(block, axes=(1, 2)),
        "InstanceNorm": plots.averaged_cells(block, axes=(2,)),
    }
)

# %% [markdown]
# (The second panel is LayerNorm as it is used on images. In a transformer it takes the channels of one
# position only.) In NumPy the choice is the argument `axis`, and `keepdims=True` keeps the averaged axes
# with length 1, so that the mean lines up with `x` again. Subtracting and dividing look like this; scale
# and shift come in lesson 2:

# %%
x = np.random.default_rng(0).normal(5, 2, size=block)  # (N, C, L)
axes = (0, 2)
mean, std = x.mean(axis=axes, keepdims=True), x.std(axis=axes, keepdims=True)
x_hat = (x - mean) / std  # (N, C, L)
mean.shape, mean.size

# %% [markdown]
# `(0, 2)` averages over samples and positions: BatchNorm, with its `mean.size` of six means, one for each
# channel. **Try it:** which `axes` make it LayerNorm, as in the second block? How many means are there
# then, and what shape do they have? Change the cell and run it.
#
# <details><summary>Answer</summary>
#
# `axes = (1, 2)`: channels and positions are averaged over, the samples are kept apart. There are four
# means, one for each sample, in the shape (4, 1, 1).
#
# </details>

# %% [markdown]
# ## How to use a notebook
#
# **Shift + Enter** runs a cell, and the next one is chosen. The outputs that you see before you run it were made
# when the course was written; yours replace them.
#
# - A cell that takes too long: **Kernel → Interrupt Kernel** (or the ■ button). Nothing breaks, and
#   a training run keeps what it has measured.
# - Strange results, after some going back and forth: **Kernel → Restart Kernel and Run All Cells**.
# - Change anything you like. To keep a changed notebook, **File → Save Notebook As**; to get an
#   original back, `git checkout 00_start_here.ipynb` in a terminal in its folder (if you have the course
#   from git; else save a copy first).
# - A newer course: `normlab update` in a terminal in its folder, or on a hub the link that you came by. What
#   you have written stays, and a newer lesson goes beside it.

# %% [markdown]
# ## Where to go
#
# | lesson | what you will be able to do | minutes | exercises |
# |---|---|---|---|
# | [01 Put the data on one scale](01_normalize_data.ipynb) | tell three kinds of "normalize" apart, and say when scaling the data helps | 75 | [01](../exercises/01_normalize_data.ipynb), 45 min |
# | [02 Normalize a batch, one feature at a time](02_batch_norm_forward.ipynb) | write BatchNorm's forward pass, for vectors and images, and know its four classic mistakes | 65 | [02](../exercises/02_batch_norm_forward.ipynb), 50 min |
# | [03 Give one image one answer](03_batch_norm_train_and_eval.ipynb) | predict what BatchNorm remembers, and recognise a forgotten `eval()` | 75 | [03](../exercises/03_batch_norm_train_and_eval.ipynb), 80 min |
# | [04 Follow the gradient back](04_batch_norm_backward.ipynb) | derive BatchNorm's backward pass twice, and check it | 120 | [04](../exercises/04_batch_norm_backward.ipynb), 45 min |
# | [05 Train the article's network](05_mnist_with_batch_norm.ipynb) | repair a printed training loop, and compare two networks fairly | 130 | [05](../exercises/05_mnist_with_batch_norm.ipynb), 60 min |
# | [06 Normalize one sample at a time](06_layer_norm.ipynb) | say what LayerNorm averages, for images, sequences and transformers | 115 | [06](../exercises/06_layer_norm.ipynb), 55 min |
# | [07 Take the light out of an image](07_instance_norm.ipynb) | write InstanceNorm, and say what it takes away and where it must not stand | 80 | [07](../exercises/07_instance_norm.ipynb), 55 min |
# | [08 Normalize a few channels at a time](08_group_norm.ipynb) | write GroupNorm, and turn it into its neighbours by choosing one number | 105 | [08](../exercises/08_group_norm.ipynb), 60 min |
# | [09 Drop the mean, and meet the relatives](09_rms_norm_and_relatives.ipynb) | write RMSNorm, and point at the numbers that any norm averages | 120 | [09](../exercises/09_rms_norm_and_relatives.ipynb), 50 min |
# | [10 Compare the norms](10_compare_the_norms.ipynb) | plan a fair comparison, and call a difference only what is one | 95 |  |
# | [11 Check every claim of two articles](11_check_the_claims.ipynb) | say which claims an experiment bears out | 135 |  |
# | [12 Ask why it works](12_why_it_works.ipynb) | test the explanations of BatchNorm's success | 90 |  |
# | [13 Choose a norm, and find the bug](13_choose_and_debug.ipynb) | choose a norm by six questions, and go from a symptom to its cause | 160 | [13](../exercises/13_choose_and_debug.ipynb), 60 min |
# | [14 Read the norms of a modern transformer](14_norms_in_a_modern_transformer.ipynb) | say where a model's norms stand, and port them without a bit lost | 160 | [14](../exercises/14_norms_in_a_modern_transformer.ipynb), 85 min |
# | [15 Tell a norm what to do](15_told_norms.ipynb) | tell a norm its scale and shift, as diffusion models do, and fold, freeze, renew, average and export norms at work | 110 | [15](../exercises/15_told_norms.ipynb), 45 min |
#
# Each lesson begins with what you will be able to do and ends with the same list, so that you can
# tell whether you can.

# %% [markdown]
# ## Exercises that talk back
#
# In the lessons, and in the notebooks of the folder `exercises`, you write functions. A check tells you whether
# yours is right, and how many points it gives. Where it is not, the check does not stop at "wrong": it
# compares your answer with mistakes that people make, and where yours is among them, it names it.

# %% [markdown] slideshow={"slide_type": "slide"}
# Here is one to try it on. `x` has the shape (N, C), and each of its C columns is to lose its own mean, so that
# every column has mean 0 afterwards. This answer has a mistake in it. Run the check, and read what it says:


# %% slideshow={"slide_type": "-"}
def subtract_mean(x):
    return x - x.mean()  # (N, C)


normlab.check("subtract_mean", subtract_mean)

# %% [markdown]
# Mend it (a cell further up has what you need), run it, and check again. Every check is noted, and this table
# shows how far you have come (`normlab progress` shows it in a terminal):

# %% tags=["nbval-ignore-output"]
# Output not compared: it shows your own progress.
normlab.exercises.progress()

# %% [markdown]
# ## Two articles
#
# The course grew from two articles on the web, *PyTorch Normalize: Understanding and Utilizing the
# Normalize Parameter* (2023) and *PyTorch Implementation of Batch Normalization*. Much in them is right,
# and some of it is not. Where a lesson meets one of their claims, it runs the experiment and says what it
# saw.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Test yourself
#
# Five questions stand before the recap of every lesson. Choose an answer, and you see at once why it is
# right or wrong. Your first choices count, and the line under the questions says where they are kept; where a kernel
# runs, `normlab progress` shows the best result. Read about the
# wrong answers, too: behind each of them is something that people really believe.

# %% slideshow={"slide_type": "-"}
self_test("00_start_here")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - One line, BatchNorm between a layer and its ReLU, made a network learn whose units were dead and whose loss
#   stood. In a network that is well set up it does less, and at some learning rates little.
# - What the norms have in common: subtract a mean, divide by a spread, scale and shift. What tells them
#   apart: the axes, that is, which numbers share a mean.
# - **Shift + Enter** runs a cell; **Kernel → Restart Kernel and Run All Cells** starts afresh.
# - Next: [lesson 1](01_normalize_data.ipynb), then its exercises. A check tells you your points, and
#   where it can, the name of your mistake.
