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
# - compare two networks over several seeds, and say when a difference is one;
# - say what BatchNorm changes in this network, what it costs, and what this experiment does *not*
#   show.
#
# **What you need:** [lesson 2](02_batch_norm_forward.ipynb), and to have seen a training loop in
# PyTorch once.

# %%
from functools import partial

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from normlab import load_mnist, plots
from normlab.training import (
    RECORDED,
    article_net,
    fit,
    fit_many,
    load_histories,
    recorded_with,
    stack,
)

# %%
torch.set_num_threads(1)  # the network is small: one thread is enough, and gives the same digits

# %% [markdown]
# ## A question first
#
# An article called *PyTorch Implementation of Batch Normalization* explains the layer with a
# network for 784 inputs. This is its code, letter for letter:

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
# blocks and write your list down. One of the items never raises an error.

# %% [markdown]
# ## Make it run
#
# **1. It is not Python.** The marks around the code have become curly quotes, and the indentation is
# gone:


# %%
def try_it(code, names):
    try:
        exec(compile(code, "the article", "exec"), names)
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
# **2. Two names come from nowhere.**

# %%
names = {"torch": torch, "MyNetwork": MyNetwork}
try_it(indented_loop, names)
try_it(indented_loop, names | {"num_epochs": 1})

# %% [markdown]
# **3. Images are not vectors.** We need the data now. MNIST travels with this course: 60,000
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
# No complaint. Three repairs, three error messages. **The fourth is the one without a message:**
# nowhere does the code say `network.train()` or `network.eval()`, and nowhere does it measure
# anything. With most layers you would get away with it. With BatchNorm you would not, as you will
# see below.

# %% [markdown]
# ## The loop, whole
#
# We keep all images in memory as one tensor; then a batch is nothing but a choice of rows, and no
# loader is needed.

# %%
inputs, labels = mnist.train_images.flatten(1) / 255, mnist.train_labels  # (60000, 784), (60000,)
test_inputs, test_labels = mnist.test_images.flatten(1) / 255, mnist.test_labels


# %%
def train_one_epoch(network, optimizer, batch_size=64):
    network.train()  # normalize with the statistics of the batch, and remember them
    for rows in torch.randperm(len(inputs)).split(batch_size):
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
# The network has seen nothing yet. With ten classes, chance is 10 %. **What will one pass over the
# training set give?**

# %% tags=["NBVAL_IGNORE_OUTPUT"]
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
torch.manual_seed(0)
network = MyNetwork()
untrained = accuracy(network)
train_one_epoch(network, torch.optim.SGD(network.parameters(), lr=0.01))
print(f"before: {untrained:.1%}   after one epoch: {accuracy(network):.1%}")

# %% [markdown]
# ## Leave out eval(), on purpose
#
# Now the mistake that raises no error. We test the same trained network, but leave it in training
# mode: each batch of test images is normalized with its own statistics. **Should the size of the
# test batches matter?** It must not, if the network is any good: the answer for an image should not
# depend on which others are tested with it.


# %%
@torch.no_grad()
def accuracy_without_eval(network, batch_size):
    network.train()
    batches = zip(test_inputs.split(batch_size), test_labels.split(batch_size), strict=True)
    right = sum((network(x).argmax(1) == y).sum().item() for x, y in batches)
    return right / len(test_inputs)


# %% tags=["NBVAL_IGNORE_OUTPUT"]
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
saved = {name: tensor.clone() for name, tensor in network.state_dict().items()}
without_eval = {size: accuracy_without_eval(network, size) for size in (2, 8, 64, 1000)}
for size, value in without_eval.items():
    print(f"test batches of {size:4}: {value:.1%}")

# %% [markdown]
# With batches of 1000 you would not notice. With batches of 2 the network is lost: lesson 2 showed
# what BatchNorm keeps of two samples. Nor is it over when the test is over.
# In training mode every forward pass also moves the running statistics, `no_grad` or not:

# %%
(network.bn1.num_batches_tracked - saved["bn1.num_batches_tracked"]).item()

# %% [markdown]
# So many times has our "test" rewritten what the network remembers of the training data: 5000 times
# in batches of 2, 1250 in batches of 8, 157 in batches of 64, 10 in batches of 1000. We put the
# saved state back, and the network is itself again.

# %%
network.load_state_dict(saved)

# %%
assert without_eval[2] < 0.7 < 0.9 < accuracy(network)

# %% [markdown]
# ## Is it BatchNorm that does it?
#
# About 95 % after one epoch: is that much? For an answer we need the same network *without*
# BatchNorm, the same weights to start from, the same batches in the same order. And one pair of
# runs would be an anecdote. So: five seeds. Each seed decides on the weights and on the order of
# the images, for both networks alike.
#
# `normlab.training` has the network and the loop from above, with a progress bar, a clock, and both
# of your processor's cores at work. Its network is the article's:

# %%
ours = article_net("batch")
ours.load_state_dict(network.state_dict())
with torch.no_grad():
    same = torch.equal(ours.eval()(test_inputs), network.eval()(test_inputs))
same

# %% [markdown]
# Two epochs, ten runs. It takes half a minute or so; a good moment to write down what you expect for
# both networks after one epoch and after two.

# %% tags=["NBVAL_IGNORE_OUTPUT"]
# Output not compared: a progress bar is drawn while it runs.
networks = {"without": partial(article_net, "none"), "BatchNorm": partial(article_net, "batch")}
live = fit_many(networks, seeds=range(5), epochs=2, lr=0.01, batch_size=64, measure_every=134)


# %%
def final_accuracies(histories):
    return {
        name: np.array([100 * run.final.test_accuracy for run in runs])  # (seeds,)
        for name, runs in histories.items()
    }


# %% tags=["NBVAL_IGNORE_OUTPUT"]
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
final = final_accuracies(live)
for seed, (without, with_norm) in enumerate(zip(*final.values(), strict=True)):
    print(f"seed {seed}: {without:.2f} % without, {with_norm:.2f} % with", end="   ")
    print(f"difference {with_norm - without:+.2f}")

# %% [markdown]
# Look at the last column. It has the same sign five times. If BatchNorm made no difference, each
# sign would be a coin's, and five equal ones would come up with a chance of

# %%
2 * 0.5**5  # twice: five times better or five times worse

# %% [markdown]
# One in sixteen would not convince a sceptic; the *size* of the differences does. Divide their mean by
# its standard error: that is Student's paired t. With five pairs, a t beyond 2.8 is called
# significant at the 5 % level. Is ours beyond 10?

# %%
differences = final["BatchNorm"] - final["without"]  # (seeds,)
standard_error = differences.std(ddof=1) / np.sqrt(len(differences))
bool(differences.mean() / standard_error > 10)

# %% [markdown]
# Now the way there. The figure shows *errors*, the share of test digits that come out wrong, and
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
    epochs, mean and range of five seeds. With BatchNorm the curve starts near 12 percent, crosses
    the line of 95 percent right near the end of the first epoch, and ends below 4 percent. Without
    it the curve starts near 65 percent and ends near 12 percent. The bands never touch.""",
)

# %% [markdown]
# ## The whole run, recorded
#
# The article does not say how many epochs it has in mind. We give it five. Ten runs of that length
# take longer than a lesson should, so they come from files in the course. The first lines of each
# say how it was made, and you can make it again:

# %%
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
    epochs, mean and range of five seeds. With BatchNorm the curve crosses the line of 95 percent
    right after about one epoch and ends between 2 and 3 percent. Without it the curve is still
    falling at the end, near 8 percent, and never reaches the line.""",
)

# %% [markdown]
# (The ± is the standard deviation over the five seeds; the test set was looked at every 67 steps.)
# At the article's settings BatchNorm wins clearly: more accurate at every step, and 95 % after about
# one epoch of 938 steps, which the plain network does not reach in five. Where the article says that
# BatchNorm makes this network learn faster, the experiment agrees.

# %% [markdown]
# ## Look again before you believe it
#
# Who chose the learning rate? The article did: 0.01. **What happens to the gap at 0.1?** Perhaps it
# grows, perhaps it shrinks. Commit yourself, then run.

# %%
summarize(recorded(lr=0.1))

# %% [markdown]
# The plain network was not *unable* to learn; at 0.01 it was slow. With ten times the learning rate
# it passes 95 % in every run, and what remains of BatchNorm's lead at the end is a fraction of a
# point. So the honest sentence is not "BatchNorm is essential". It is: *this network reaches a given
# accuracy in fewer steps with BatchNorm, and of these two learning rates it gets on well with both.*

# %% [markdown]
# ## What it costs
#
# In numbers to learn: two vectors for each layer.

# %%
for norm in ("none", "batch"):
    print(f"{norm:5} {sum(p.numel() for p in article_net(norm).parameters()):,} parameters")

# %% [markdown]
# 768 more, a third of a percent. And 384 of the others are idle: the biases of `fc1` and `fc2` stand
# right before BatchNorm, which subtracts them again (lesson 2). Their gradients are zero but for
# rounding:

# %%
ours.train()
cross_entropy(ours(inputs[:64]), labels[:64]).backward()
idle, busy = ours.fc1.bias.grad.abs().max().item(), ours.fc1.weight.grad.abs().max().item()
idle < 1e-6 * busy

# %% [markdown]
# In time: each step has more to do. From the live runs above, the time of a step with BatchNorm,
# divided by the time without (five pairs):

# %% tags=["NBVAL_IGNORE_OUTPUT"]
# Output not compared: these are timings.
seconds = {name: np.array([run.final.seconds for run in runs]) for name, runs in live.items()}
np.sort(seconds["BatchNorm"] / seconds["without"]).round(2)

# %% [markdown]
# Timings on a shared machine scatter, so do not read much into the digits. Against the saving in
# steps the price is small.

# %% [markdown]
# ## Break it on purpose
#
# **A batch of one.** In training mode BatchNorm cannot take the variance of one value. Who sets the
# batch size to 1 is told at once. More often it strikes at the end of an epoch, when one sample is
# left over: 60,000 = 1 × 59,999 + 1. `fit` looks ahead:

# %%
try:
    fit(article_net("batch"), batch_size=59_999)
except ValueError as error:
    print(error)

# %% [markdown]
# `drop_last=True` (in `fit` as in PyTorch's `DataLoader`) leaves out a last batch that is not full.

# %% [markdown]
# ## Your turn
#
# Three experiments. None has a hidden answer; each takes a minute or two. Write your guess down
# first, and use more than one seed.
#
# | experiment | difficulty | importance | minutes |
# |---|---|---|---|
# | Replace `"batch"` by `"layer"`, `"group"` and `"rms"` in `networks`. Which is nearest to BatchNorm at lr 0.01? | easy | high | 5 |
# | Find the largest learning rate at which each network still learns (steps of factor 3, one epoch). | medium | high | 15 |
# | Build the article's network with `bias=False` before BatchNorm. Does the accuracy change beyond the spread of the seeds? | medium | medium | 15 |
#
# <details><summary>A hint for the second</summary>
#
# `fit_many(networks, seeds=range(3), epochs=1, lr=0.3)` for each rate; a network that has diverged
# answers one class for everything: about 10 %.
#
# </details>
#
# In a terminal the same network runs with `normlab mnist --norm batch --lr 0.1 --seeds 5`.

# %% [markdown]
# ## Recap
#
# - The printed code needs its indentation, two names and a `flatten`; each of these says so. That
#   `train()` and `eval()` are missing, nothing says.
# - In training mode a test depends on the size of its batches, and every forward pass moves the
#   running statistics.
# - Same weights, same batches, five seeds: a difference is one when it is many times its own standard
#   error, not when one curve lies above another.
# - At lr 0.01 BatchNorm reaches 95 % in about an epoch, the plain network not in five. At lr 0.1 both
#   do. It costs 768 parameters and a little time in each step.
# - Not shown: other data, deeper networks, other optimizers, or *why* it helps. The article says
#   "internal covariate shift"; nothing in this lesson tests that.
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
