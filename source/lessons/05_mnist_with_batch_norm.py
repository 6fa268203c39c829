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
# # Train the article's network, with BatchNorm and without
#
# *Lesson 5 · 50 minutes · medium · the MNIST example that this course grew from*
#
# When you have finished you can
#
# - turn printed code that does not run into code that does, and name the mistake that raises no
#   error at all;
# - write a training loop with `train()` and `eval()` in the right places, and show what happens
#   without them;
# - compare two networks over several seeds, and say when a difference is more than chance;
# - say what BatchNorm changes in this network, what it costs, and what this experiment does *not*
#   show.
#
# **What you need:** [lesson 2](02_batch_norm_forward.ipynb) and
# [lesson 3](03_batch_norm_train_and_eval.ipynb), and to have seen a training loop in PyTorch once.

# %%
from functools import partial

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from normlab import load_mnist, plots
from normlab.data import ImageDataset
from normlab.training import article_net, fit, fit_many, stack

# %%
torch.set_num_threads(1)  # enough for a network this small

# %% [markdown]
# ## A question first
#
# An article called *PyTorch Implementation of Batch Normalization* explains the layer with a network for
# 784 inputs. These are the last two of its four blocks of code, letter for letter. (The first two are
# earlier stages of the same class; one of them is the network without BatchNorm, and we meet it again.)

# %%
printed_network = """
“`
class MyNetwork(torch.nn.Module):
def __init__(self):
super(MyNetwork, self).__init__()
self.fc1 = torch.nn.Linear(784, 256)
self.bn1 = torch.nn.BatchNorm1d(256)
self.fc2 = torch.nn.Linear(256, 128)
self.bn2 = torch.nn.BatchNorm1d(128)
self.fc3 = torch.nn.Linear(128, 10)

def forward(self, x):
x = self.fc1(x)
x = self.bn1(x)
x = torch.nn.functional.relu(x)
x = self.fc2(x)
x = self.bn2(x)
x = torch.nn.functional.relu(x)
x = self.fc3(x)
return x
“`
"""

# %%
printed_loop = """
“`
network = MyNetwork()
optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
loss_function = torch.nn.functional.cross_entropy

for epoch in range(num_epochs):
for batch in data_loader:
inputs, labels = batch
optimizer.zero_grad()
outputs = network(inputs)
loss = loss_function(outputs, labels)
loss.backward()
optimizer.step()
“`
"""

# %% [markdown]
# **How many things must be mended before you would trust a number that comes out of it?** Read both
# blocks and write your list down.

# %% [markdown]
# ## Make it run
#
# **1 and 2. It is not Python.** The marks around the code have become curly quotes, and the indentation
# is gone:


# %%
def try_it(code, names):
    try:
        exec(compile(code, "the article", "exec"), names)
        print("ran to the end")
    except Exception as error:
        print(f"{type(error).__name__}: {error}")


# %%
try_it(printed_network, {"torch": torch})
try_it(printed_network.replace("“`", ""), {"torch": torch})

# %% [markdown]
# We put the indentation back, and change nothing else:


# %%
class MyNetwork(torch.nn.Module):
    def __init__(self):
        super(MyNetwork, self).__init__()
        self.fc1 = torch.nn.Linear(784, 256)
        self.bn1 = torch.nn.BatchNorm1d(256)
        self.fc2 = torch.nn.Linear(256, 128)
        self.bn2 = torch.nn.BatchNorm1d(128)
        self.fc3 = torch.nn.Linear(128, 10)

    def forward(self, x):
        x = self.fc1(x)
        x = self.bn1(x)
        x = torch.nn.functional.relu(x)
        x = self.fc2(x)
        x = self.bn2(x)
        x = torch.nn.functional.relu(x)
        x = self.fc3(x)
        return x


# %%
indented_loop = """
network = MyNetwork()
optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
loss_function = torch.nn.functional.cross_entropy

for epoch in range(num_epochs):
    for batch in data_loader:
        inputs, labels = batch
        optimizer.zero_grad()
        outputs = network(inputs)
        loss = loss_function(outputs, labels)
        loss.backward()
        optimizer.step()
"""

# %% [markdown]
# **3 and 4. Two names come from nowhere.**

# %%
names = {"torch": torch, "MyNetwork": MyNetwork}
try_it(indented_loop, names)
try_it(indented_loop, names | {"num_epochs": 1})

# %% [markdown]
# **5. Images are not vectors.** We need the data now. MNIST travels with this course: 60,000
# handwritten digits to train on and 10,000 to test on.

# %%
mnist = load_mnist(tensors=True)
mnist.train_images.shape, mnist.train_images.dtype, mnist.test_images.shape

# %%
plots.images(
    mnist.train_images[:8].numpy(),
    mnist.train_labels[:8].tolist(),
    alt="The first eight training images of MNIST, handwritten digits 5, 0, 4, 1, 9, 2, 1, 3.",
)

# %% [markdown]
# A data loader hands out batches of images, `(N, 1, 28, 28)`, scaled to 0...1. The first linear
# layer takes the *last* axis for the features, finds 28 and not 784, and gives up:

# %%
one_batch = (mnist.train_images[:64, None] / 255, mnist.train_labels[:64])  # (64, 1, 28, 28)
try_it(indented_loop, names | {"num_epochs": 1, "data_loader": [one_batch]})

# %% [markdown]
# The article never flattens. One call does it: `(N, 1, 28, 28)` becomes `(N, 784)`. Then the loop
# runs.

# %%
flat_batch = (one_batch[0].flatten(1), one_batch[1])  # (64, 784)
try_it(indented_loop, names | {"num_epochs": 1, "data_loader": [flat_batch]})

# %% [markdown]
# Five repairs, and each was asked for by an error message. **The sixth has none:** nothing in the code
# measures how good the network is, and so nothing calls `network.eval()`. A new network is in training
# mode, so the printed loop trains it as it should. But whoever adds a test below the loop, and forgets
# `eval()`, gets a wrong number and no error. You will see how wrong.

# %% [markdown]
# ## The loop, whole
#
# We keep all images in memory as one tensor; then a batch is nothing but a choice of rows, and no
# loader is needed.

# %%
inputs, labels = mnist.train_images.flatten(1) / 255, mnist.train_labels  # (60000, 784), (60000,)
test_inputs = mnist.test_images.flatten(1) / 255  # (10000, 784)
test_labels = mnist.test_labels  # (10000,)


# %%
def train_one_epoch(network, optimizer, batch_size=64):
    network.train()  # normalize with the statistics of the batch, and remember them
    for rows in torch.randperm(len(inputs)).split(batch_size):  # (batch_size,)
        loss = cross_entropy(network(inputs[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


# %%
@torch.no_grad()
def accuracy(network):
    network.eval()  # normalize with what was remembered
    return (network(test_inputs).argmax(1) == test_labels).float().mean().item()


# %% [markdown]
# With ten classes, chance is about 10 %. **What share of the test digits will be right after one pass
# over the training set?**

# %% tags=["nbval-ignore-output"]
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
torch.manual_seed(0)
network = MyNetwork()
untrained = accuracy(network)
train_one_epoch(network, torch.optim.SGD(network.parameters(), lr=0.01))
print(f"before: {untrained:.1%}   after one epoch: {accuracy(network):.1%}")

# %% [markdown]
# ## Leave out eval(), on purpose
#
# We test the same trained network, but leave it in training mode: each batch of test images is
# normalized with its own statistics. **Does the size of the test batches matter?** It should not: the
# answer for an image should not depend on which others are tested with it.


# %%
@torch.no_grad()
def accuracy_without_eval(network, batch_size):
    network.train()
    batches = zip(test_inputs.split(batch_size), test_labels.split(batch_size), strict=True)
    right = sum((network(x).argmax(1) == y).sum().item() for x, y in batches)
    return right / len(test_inputs)


# %% tags=["nbval-ignore-output"]
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
saved = {name: tensor.clone() for name, tensor in network.state_dict().items()}
without_eval = {size: accuracy_without_eval(network, size) for size in (2, 8, 64, 1000)}
for size, value in without_eval.items():
    print(f"test batches of {size:4}: {value:.1%}")

# %% [markdown]
# With batches of 1000 you would not notice. With batches of 2 about every second digit is wrong; lesson
# 2 showed what BatchNorm keeps of two samples. Nor is it over when the test is over.
# In training mode every forward pass also moves the running statistics, `no_grad` or not:

# %%
(network.bn1.num_batches_tracked - saved["bn1.num_batches_tracked"]).item()

# %% [markdown]
# So many times has our "test" rewritten what the network remembers of the training data, once for each
# batch:

# %%
batches = {size: -(-len(test_inputs) // size) for size in without_eval}
print(batches, "in all", sum(batches.values()))

# %% [markdown]
# We put the saved state back. With it, and with `eval()`, the network is itself again.

# %%
network.load_state_dict(saved)
print("about half without eval():", without_eval[2] < 0.7, "  with it:", accuracy(network) > 0.9)

# %% [markdown]
# ## Is it BatchNorm that does it?
#
# About 95 % after one epoch: is that much? For an answer we need the same network *without*
# BatchNorm, the same weights to start from, the same batches in the same order. And one pair of
# runs would be an anecdote. So: five seeds. Each seed decides on the weights and on the order of
# the images, for both networks alike.
#
# `normlab.training` has the network and the loop from above, with a progress bar, a clock, and all of
# your processor's cores at work. Its network is the article's:

# %%
ours = article_net("batch")
ours.load_state_dict(network.state_dict())
with torch.no_grad():
    same = torch.equal(ours.eval()(test_inputs), network.eval()(test_inputs))
same

# %% [markdown]
# Two epochs of 938 steps, ten runs, a measurement on the test set every 134 steps (seven in an epoch).
# While it runs, write down what you expect for both networks after one epoch and after two.

# %% tags=["nbval-ignore-output"]
# Output not compared: a progress bar is drawn while it runs.
networks = {"without": partial(article_net, "none"), "BatchNorm": partial(article_net, "batch")}
live = fit_many(networks, seeds=range(5), epochs=2, lr=0.01, batch_size=64, measure_every=134)


# %%
def final_accuracies(histories):
    return {
        name: np.array([100 * run.final.test_accuracy for run in runs])  # (seeds,)
        for name, runs in histories.items()
    }


# %% tags=["nbval-ignore-output"]
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
final = final_accuracies(live)
for seed, (without, with_norm) in enumerate(zip(*final.values(), strict=True)):
    print(f"seed {seed}: {without:.2f} % without, {with_norm:.2f} % with", end="   ")
    print(f"difference {with_norm - without:+.2f}")

# %% [markdown]
# Look at the last column. It has the same sign five times. If BatchNorm made no difference, each sign
# would be a coin's, and five equal ones would come up with a chance of

# %%
2 * 0.5**5  # twice: five times better or five times worse

# %% [markdown]
# One in sixteen would not convince a sceptic; the *size* of the differences does. How far is their mean
# from 0, measured by how uncertain it is? That quotient is Student's *t*, the mean divided by its
# standard error. For five pairs (four degrees of freedom) chance alone stays below 2.78 in 95 of 100
# cases, if the differences are roughly normally distributed.

# %% tags=["nbval-ignore-output"]
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
differences = final["BatchNorm"] - final["without"]  # (seeds,)
standard_error = differences.std(ddof=1) / np.sqrt(len(differences))
t = differences.mean() / standard_error
print(f"t = {t:.0f}")

# %%
print("more than chance:", t > 2.78, "  by a wide margin:", t > 10)

# %% [markdown]
# (What varies here is the seed. The 10,000 test images are the same for all.)

# %% [markdown]
# Now the course of the training. The figure shows *errors*, the share of test digits that come out wrong, and
# equal steps upwards are equal factors: from 10 % to 5 % is as far as from 40 % to 20 %.


# %%
def draw(histories, alt):
    wrong = {name: 100 - 100 * stack(runs, "test_accuracy") for name, runs in histories.items()}
    steps = histories["without"][0].series("step")
    labels = {"xlabel": "training steps (64 images each)", "ylabel": "wrong test digits, %"}
    return plots.curves(steps, wrong, reference={"95 % right": 5}, log=True, alt=alt, **labels)


# %%
draw(
    live,
    alt="""Wrong test digits in percent, on a logarithmic scale, against training steps; two
    epochs, mean and range of five seeds. At the first measurement, after 134 steps, BatchNorm is
    near 12 percent; it crosses the line of 95 percent right soon after the first epoch and ends
    below 4 percent. Without it the curve begins near 65 percent and ends near 12. The bands never
    touch.""",
)

# %% [markdown]
# ## The whole run, recorded
#
# The article does not say how many epochs it has in mind. We give it five. Ten runs of that length
# take longer than a lesson should, so they come from files in the course. The first lines of each
# say how it was made, and you can make it again (with `--record FILE` after it):

# %%
from normlab.training import RECORDED, load_histories, recorded_with

recorded_with(RECORDED / "article_batch_lr0.01.csv")


# %%
def recorded(lr):
    files = {"without": f"article_none_lr{lr}.csv", "BatchNorm": f"article_batch_lr{lr}.csv"}
    return {
        name: next(iter(load_histories(RECORDED / file).values())) for name, file in files.items()
    }


# %%
def summarize(histories):
    for name, values in final_accuracies(histories).items():
        steps = [run.steps_to(0.95) for run in histories[name] if run.steps_to(0.95)]
        when = f", after {np.mean(steps):.0f} steps" if steps else ""
        print(f"{name:9}  {values.mean():.2f} ± {values.std(ddof=1):.2f} %", end="   ")
        print(f"95 % reached in {len(steps)} of {len(values)} runs{when}")


# %%
five_epochs = recorded(lr=0.01)
summarize(five_epochs)

# %%
draw(
    five_epochs,
    alt="""Wrong test digits in percent, on a logarithmic scale, against training steps; five
    epochs, mean and range of five seeds. With BatchNorm the curve begins near 17 percent, crosses
    the line of 95 percent right after about one epoch and ends between 2 and 3 percent. Without it
    the curve begins near 82 percent, is still falling at the end, near 8 percent, and never reaches
    the line.""",
)

# %% [markdown]
# (The ± is the standard deviation over the five seeds; the test set was looked at every 67 steps.)
# At the article's settings BatchNorm wins clearly: more accurate at every measurement, and 95 % after
# about one epoch of 938 steps, which the plain network does not reach in five. Where the article says that
# BatchNorm makes this network learn faster, the experiment agrees.

# %% [markdown]
# ## Look again before you believe it
#
# Who chose the learning rate? The article did: 0.01. **What happens to the gap at 0.1?** Perhaps it
# grows, perhaps it shrinks. Commit yourself, then run.

# %%
summarize(recorded(lr=0.1))

# %% [markdown]
# The plain network was not *unable* to learn; at 0.01 it was slow. With ten times the learning rate it
# passes 95 % in every run, and at the end BatchNorm's lead is a fraction of a point. On the way it is
# still ahead: 95 % comes after far fewer steps. The article calls BatchNorm "an essential technique".
# What the experiment bears out is less: *this network reaches 95 % in fewer steps with BatchNorm, at both
# of these learning rates.* (Two rates are not a search for the best one, and all accuracies were read off
# the test set: fine for comparing curves, not for choosing a model.)

# %% [markdown]
# ## What it costs
#
# In numbers to learn: two vectors for each layer.

# %%
for norm in ("none", "batch"):
    print(f"{norm:5} {sum(p.numel() for p in article_net(norm).parameters()):,} parameters")

# %% [markdown]
# 768 more, a third of a percent. And 384 of the others learn nothing: the biases of `fc1` and `fc2` stand
# right before BatchNorm, which in training mode subtracts them again (lesson 2). Their gradients are zero
# but for rounding:

# %%
ours.train()
cross_entropy(ours(inputs[:64]), labels[:64]).backward()
idle, busy = ours.fc1.bias.grad.abs().max().item(), ours.fc1.weight.grad.abs().max().item()
print("a millionth of the weights' gradients, or less:", idle < 1e-6 * busy)

# %% [markdown]
# In time, one step has more to do with BatchNorm. How much longer it takes depends on the machine and on
# what else runs there. From the ten runs above, five pairs:

# %% tags=["nbval-ignore-output"]
# Output not compared: these are timings.
seconds = {name: np.array([run.final.seconds for run in runs]) for name, runs in live.items()}
ratios = np.sort(seconds["BatchNorm"] / seconds["without"])  # (seeds,)
print(
    f"seconds with / without: median {np.median(ratios):.2f}, from {ratios[0]:.2f} to {ratios[-1]:.2f}"
)

# %% [markdown]
# Such ratios scatter: five of them on a busy machine say no more than that a step does not cost twice as
# much. What counts is the time until a given accuracy. In the recorded runs at learning rate 0.1, training
# seconds until 95 %:


# %%
def seconds_to(run, accuracy):
    return next(point.seconds for point in run.points if point.test_accuracy >= accuracy)


for name, runs in recorded(lr=0.1).items():
    times = [seconds_to(run, 0.95) for run in runs]
    print(f"{name:9} {np.mean(times):.1f} ± {np.std(times, ddof=1):.1f} seconds")

# %% [markdown]
# ## Break it on purpose
#
# **One sample left over.** In training mode BatchNorm cannot take the variance of one value. If you set
# the batch size to 1, torch tells you in the first step. It may also strike at the end of an epoch, when
# one sample is left over. Here are 1,025 images in batches of 64, with the loop from above:

# %%
inputs, labels = inputs[:1025], labels[:1025]
try:
    train_one_epoch(network, torch.optim.SGD(network.parameters(), lr=0.01))
except ValueError as error:
    print(error)

# %% [markdown]
# Sixteen steps went well before that. `fit` looks ahead:

# %%
few = ImageDataset(mnist.train_images[:1025], labels, mnist.test_images, test_labels)
try:
    fit(article_net("batch"), few)
except ValueError as error:
    print(error)

# %% [markdown]
# `drop_last=True` (in `fit` as in PyTorch's `DataLoader`) leaves out a last batch that is not full.

# %% [markdown]
# ## Your turn
#
# Exercises with a check, and three experiments without one. Before each experiment write your guess
# down, and use more than one seed.
#
# | | difficulty | importance | minutes |
# |---|---|---|---|
# | [Exercise 05, task 1](../exercises/05_mnist_with_batch_norm.ipynb): build the article's network | easy | high | 10 |
# | Exercise 05, task 2: mend a loop that forgets `eval()` | easy | high | 10 |
# | Exercise 05, task 3: reach a stated accuracy in one epoch | medium | high | 15 |
# | Experiment: put `"layer"`, `"group"` or `"rms"` in BatchNorm's place. Which comes nearest to it at lr 0.01? | easy | high | 10 |
# | Experiment: the largest learning rate at which each network still learns (steps of factor 3) | medium | high | 15 |
# | Experiment: no biases before BatchNorm. Does the accuracy change beyond the spread of the seeds? | medium | medium | 15 |
#
# <details><summary>How to begin the first experiment</summary>
#
# ```python
# more = {norm: partial(article_net, norm) for norm in ("batch", "layer", "group", "rms")}
# summarize(fit_many(more, seeds=range(5), epochs=1, lr=0.01))
# ```
#
# The three are other choices of axes: LayerNorm and RMSNorm take the 256 (or 128) units of one sample,
# GroupNorm takes them in eight groups.
#
# </details>
#
# <details><summary>How to begin the second</summary>
#
# `fit_many(networks, seeds=range(5), epochs=1, lr=0.3)`, and so on. A network that has diverged answers one
# class for everything: about 10 %.
#
# </details>
#
# <details><summary>How to begin the third</summary>
#
# The weights must stay the same, or you compare more than the biases:
#
# ```python
# def without_biases(seed):
#     network = article_net("batch", seed)
#     network.fc1.bias = network.fc2.bias = None
#     return network
# ```
#
# </details>
#
# In a terminal the same network runs with `normlab mnist --norm batch --lr 0.1 --seeds 5`.

# %% [markdown]
# ## Recap
#
# - The printed code needs its quotes, its indentation, two names and a `flatten`, and error messages ask
#   for each. That nothing measures, and so nothing calls `eval()`, no message tells.
# - The loop: `train()` before training, `eval()` before measuring. Without `eval()` a test depends on the
#   size of its batches, and every forward pass moves the running statistics.
# - Same weights, same batches, five seeds: a difference is more than chance when it is several times its
#   own standard error.
# - At lr 0.01 BatchNorm reaches 95 % in about an epoch, the plain network not in five. At lr 0.1 both reach
#   it, BatchNorm in fewer steps. It costs 768 parameters and some time in each step.
# - Not shown: other data, deeper networks, other optimizers, the best learning rate for each, or *why* it
#   helps. The article says "internal covariate shift"; nothing in this lesson tests that.
#
# ## Go further
#
# - S. Ioffe, C. Szegedy, *Batch Normalization: Accelerating Deep Network Training by Reducing
#   Internal Covariate Shift*, ICML 2015, arXiv:1502.03167. Section 4.1 trains a small network on
#   MNIST with and without.
# - S. Santurkar, D. Tsipras, A. Ilyas, A. Mądry, *How Does Batch Normalization Help Optimization?*,
#   NeurIPS 2018, arXiv:1805.11604. Questions the explanation in the title of the first.
# - Y. LeCun and others, *Gradient-Based Learning Applied to Document Recognition*, Proceedings of
#   the IEEE 86(11), 1998: where MNIST comes from.
