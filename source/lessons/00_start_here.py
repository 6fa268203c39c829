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
# *15 minutes · no lesson needed before this one*
#
# When you have finished you can
#
# - run a notebook, stop it, and start it afresh;
# - say in one sentence what nearly all normalization layers have in common, and what tells them apart;
# - find your way: which lesson comes next, where its exercises are, and what a check tells you.
#
# **What you need:** Python, a little NumPy, and to know what a gradient is.

# %% [markdown]
# ## How to use a notebook
#
# A notebook is text and code in turns. Click on a cell of code and press **Shift + Enter**: it runs,
# and the next cell is chosen. The outputs that you see now were made when the course was written;
# yours replace them.
#
# - A cell that takes too long: **Kernel → Interrupt Kernel** (or the ■ button). Nothing breaks, and
#   a training run keeps what it has measured.
# - Strange results, after some going back and forth: **Kernel → Restart Kernel and Run All Cells**.
# - Change anything you like. To keep a changed notebook, **File → Save Notebook As**; to get an
#   original back, `git checkout 00_start_here.ipynb` in a terminal in its folder (if you have the course
#   from git; else save a copy first).
# - A newer course: `normlab update` in a terminal in its folder, or on a hub the link that you came by. What
#   you have written stays, and a newer lesson goes beside it.
#
# Run this one now:

# %%
import numpy as np
import torch

import normlab
from normlab import load_mnist, plots
from normlab.exercises import self_test

mnist = load_mnist()
print(f"{len(mnist.train_images):,} digits to train on, {len(mnist.test_images):,} to test on")

# %% [markdown]
# If a line with 60,000 and 10,000 stands above, your installation works. The digits came out of the package
# itself; nothing in this course needs a network connection. Here are the first eight test digits, each
# under its label:

# %%
plots.images(
    mnist.test_images[:8],
    mnist.test_labels[:8],
    alt="Eight handwritten digits with their labels: 7, 2, 1, 0, 4, 1, 4, 9.",
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A question first
#
# Two networks learn these digits. They are the same network: 784 pixels go in, through two hidden layers
# of 256 and 128 units, and 10 scores come out, one for each digit. (It is the network of an article that
# you will meet at the end of this page, so the course calls it the article's network, `article_net`.)
# Both start from the same weights and see the same images in the same order, once each. In one of them,
# two layers called *BatchNorm* stand between the others. With ten kinds of digits, guessing gives about
# 10 %. **What share of the 10,000 test digits will each network get right? Write two numbers down.**

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "slide"}
# Output not compared: a trained accuracy differs in its last digits from processor to processor, and
# with the release of PyTorch, as the words of some error messages do.
from normlab.training import article_net, fit

print("PyTorch", torch.__version__.split("+")[0])
right = {}
for norm in ("none", "batch"):
    run = fit(article_net(norm, seed=0), epochs=1, lr=0.01)  # lr: the learning rate
    right[norm] = run.final.test_accuracy
    print(f"{norm:5} {right[norm]:.1%}")

# %%
print("more than five points apart:", right["batch"] - right["none"] > 0.05)

# %% [markdown] slideshow={"slide_type": "fragment"}
# A gap of more than five points, from two layers that subtract a mean, divide by a spread, scale and
# shift. How can that be? And is it *always* so? You have seen one pair of runs, which proves little.
# [Lesson 5](05_mnist_with_batch_norm.ipynb) makes five, and tries another learning rate: with ten times
# this one, after five epochs, less than one point of the gap is left.

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
# ## Where to go
#
# | lesson | what you will be able to do | minutes | exercises |
# |---|---|---|---|
# | [01 Put the data on one scale](01_normalize_data.ipynb) | tell three kinds of "normalize" apart, and say when scaling the data helps | 45 | [01](../exercises/01_normalize_data.ipynb) |
# | [02 Normalize a batch, one feature at a time](02_batch_norm_forward.ipynb) | write BatchNorm's forward pass, for vectors and images, and know its four classic mistakes | 50 | [02](../exercises/02_batch_norm_forward.ipynb) |
# | [03 Give one image one answer](03_batch_norm_train_and_eval.ipynb) | predict what BatchNorm remembers, and recognise a forgotten `eval()` | 50 | [03](../exercises/03_batch_norm_train_and_eval.ipynb) |
# | [04 Follow the gradient back](04_batch_norm_backward.ipynb) | derive BatchNorm's backward pass twice, and check it | 60 | [04](../exercises/04_batch_norm_backward.ipynb) |
# | [05 Train the article's network](05_mnist_with_batch_norm.ipynb) | repair a printed training loop, and compare two networks fairly | 80 | [05](../exercises/05_mnist_with_batch_norm.ipynb) |
# | [06 Normalize one sample at a time](06_layer_norm.ipynb) | say what LayerNorm averages, for images, sequences and transformers | 85 | [06](../exercises/06_layer_norm.ipynb) |
# | [07 Take the light out of an image](07_instance_norm.ipynb) | write InstanceNorm, and say what it takes away and where it must not stand | 70 | [07](../exercises/07_instance_norm.ipynb) |
# | [08 Normalize a few channels at a time](08_group_norm.ipynb) | write GroupNorm, and turn it into its neighbours by choosing one number | 75 | [08](../exercises/08_group_norm.ipynb) |
# | [09 Drop the mean, and meet the relatives](09_rms_norm_and_relatives.ipynb) | write RMSNorm, and point at the numbers that any norm averages | 90 | [09](../exercises/09_rms_norm_and_relatives.ipynb) |
# | [10 Compare the norms](10_compare_the_norms.ipynb) | plan a fair comparison, and call a difference only what is one | 85 |  |
# | [11 Check every claim of two articles](11_check_the_claims.ipynb) | say which claims an experiment bears out | 120 |  |
# | [12 Ask why it works](12_why_it_works.ipynb) | test the explanations of BatchNorm's success | 90 |  |
# | [13 Choose a norm, and find the bug](13_choose_and_debug.ipynb) | choose a norm by six questions, and go from a symptom to its cause | 100 | [13](../exercises/13_choose_and_debug.ipynb) |
# | [14 Read the norms of a modern transformer](14_norms_in_a_modern_transformer.ipynb) | say where a model's norms stand, and port them without a bit lost | 110 | [14](../exercises/14_norms_in_a_modern_transformer.ipynb) |
#
# Each lesson begins with what you will be able to do and ends with the same list, so that you can
# tell whether you can.

# %% [markdown]
# ## Exercises that talk back
#
# In the folder `exercises` each notebook asks you to write functions. A check tells you whether
# yours is right, and how many points it gives. Where it is not, the check does not stop at "wrong": it
# compares your answer with mistakes that people make, and where yours is among them, it names it.

# %% [markdown] slideshow={"slide_type": "slide"}
# Here is an answer with a mistake in it. Run the check, and read what it says:


# %% slideshow={"slide_type": "-"}
def batch_norm_forward(x, weight, bias, eps):
    mean, std = x.mean(axis=0), x.std(axis=0)  # (C,)
    return weight * (x - mean) / (std + eps) + bias  # (N, C)


normlab.check("batch_norm_forward", batch_norm_forward)

# %% [markdown]
# You need not understand that yet; lesson 2 explains the mistake. Move the `+ eps` under a root, as in
# `np.sqrt(x.var(axis=0) + eps)`, and check again if you like. Every check is noted, and this table
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
# right or wrong. Your first choices are counted; `normlab progress` shows the best result. Read about the
# wrong answers, too: behind each of them is something that people really believe.

# %% slideshow={"slide_type": "-"}
self_test("00_start_here")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - **Shift + Enter** runs a cell; **Kernel → Restart Kernel and Run All Cells** starts afresh.
# - What the norms have in common: subtract a mean, divide by a spread, scale and shift. What tells them
#   apart: the axes, that is, which numbers share a mean.
# - Next: [lesson 1](01_normalize_data.ipynb), then its exercises. A check tells you your points, and
#   where it can, the name of your mistake.
