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
# # Bugs without a title
#
# *Exercises for lesson 13 · four tasks · about 60 minutes · PyTorch*
#
# | task | program | difficulty | importance | minutes | points |
# |---|---|---|---|---|---|
# | 1 | `train_and_keep`: one program, three bugs | hard | high | 15 | 10 |
# | 2 | `freeze_norms`: in four ways, and back | medium | high | 15 | 10 |
# | 3 | `average_networks`: one network made of several | hard | medium | 20 | 10 |
# | 4 | `small_batch_network`: two samples at a time | medium | medium | 10 | 10 |
#
# **What you need:** [lesson 13](../notebooks/13_choose_and_debug.ipynb) and its five short hunts; for task 4 the idea of the other norms (lessons 6 and 8).
#
# No title says here what is wrong. **What is checked is what a program does**, not how it looks: write it as freely as you like. The check knows which mistakes people make here, and names
# yours if it is one of them. Run it as often as you like; try it on the unmended program, too: it will tell you what it sees from outside.

# %%
import copy

import torch
from torch.nn.functional import mse_loss

from normlab import check

# %% [markdown]
# ## Task 1: one program, three bugs
#
# *Hard · importance high · 15 minutes · 10 points*
#
# A table, a network with BatchNorm, and a training like thousands of others. The first rows are to train on, the others to validate on: **they stand for data that does not exist yet**. The features are
# standardized (with torch's `std`), each epoch goes once through the batches in their order and ends with a validation in evaluation mode. At the end the network is to be, in every number, that of
# the epoch with the smallest validation loss, and in evaluation mode.
#
# | | shape | |
# |---|---|---|
# | `network` | a module with BatchNorm | trained in place, in whichever mode it comes |
# | `x`, `y` | `(M, F)`, `(M, 1)` | all rows and their targets; leave them as they are |
# | `size` | a number | how many rows, from the first, are to train on |
# | `batch_size`, `epochs`, `lr` | numbers | |
# | returns `losses` | a list of `epochs` numbers | the validation losses |
#
# The program runs without an error, and its losses look good. **Three** things are wrong with it. Each costs points of its own.


# %%
def train_and_keep(network, x, y, size, batch_size, epochs, lr):
    """Train on the first `size` rows, and end with the best epoch's network. Returns the losses."""
    x = (x - x.mean(0)) / x.std(0)
    train, validation = (x[:size], y[:size]), (x[size:], y[size:])
    optimizer = torch.optim.SGD(network.parameters(), lr=lr)
    losses, kept = [], {}
    network.train()
    for _ in range(epochs):
        for rows in torch.arange(size).split(batch_size):
            inputs, targets = train[0][rows], train[1][rows]
            loss = mse_loss(network(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            inputs, targets = validation
            losses.append(mse_loss(network(inputs), targets).item())
        if losses[-1] == min(losses):
            kept = network.state_dict()
    network.load_state_dict(kept)
    return losses


# %% [markdown]
# An example, with three features. The losses fall in the first epochs, and rise again later. What is the network worth that comes out?


# %%
def what_it_is_worth(train_and_keep):
    torch.manual_seed(5)
    network = torch.nn.Sequential(
        torch.nn.Linear(3, 16), torch.nn.BatchNorm1d(16), torch.nn.ReLU(), torch.nn.Linear(16, 1)
    )
    x = torch.randn(24, 3)
    y = x.sum(1, keepdim=True) + torch.randn(24, 1)
    losses = train_and_keep(network, x, y, size=16, batch_size=4, epochs=40, lr=0.05)
    print(f"smallest validation loss {min(losses):.2f}, in epoch {losses.index(min(losses)) + 1}")
    standardized = (x[16:] - x[:16].mean(0)) / x[:16].std(0)
    with torch.no_grad():
        print(f"of the network that came out: {mse_loss(network(standardized), y[16:]):.2f}")
    print("batches counted:", network[1].num_batches_tracked.item())


# %%
what_it_is_worth(train_and_keep)

# %% [markdown]
# Two numbers that should agree do not. And there are four batches in an epoch: those of the first have been counted, and no others. (The third bug makes the smallest loss look better than it is.)
#
# <details><summary>Hint 1: three questions</summary>
#
# Ask what lesson 13 asks: *whose* mean is it? In which *mode* is the network, in each line of each epoch? And what is a copy, and what moves along?
#
# </details>
#
# <details><summary>Hint 2: three probes</summary>
#
# Move one validation row far away: which numbers of the training change? Print `network.training` at the beginning of each epoch. Print one number of `kept` when it is stored, and again at the end.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "train_and_keep", "locked": false, "schema_version": 3, "solution": true, "task": false}
def train_and_keep(network, x, y, size, batch_size, epochs, lr):
    """Train on the first `size` rows, and end with the best epoch's network. Returns the losses."""
    ### BEGIN SOLUTION
    x = (x - x[:size].mean(0)) / x[:size].std(0)  # 1: nothing of the rows for validation
    train, validation = (x[:size], y[:size]), (x[size:], y[size:])
    optimizer = torch.optim.SGD(network.parameters(), lr=lr)
    losses, kept = [], {}
    for _ in range(epochs):
        network.train()  # 2: in every epoch, since a validation lies between them
        for rows in torch.arange(size).split(batch_size):
            inputs, targets = train[0][rows], train[1][rows]
            loss = mse_loss(network(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            inputs, targets = validation
            losses.append(mse_loss(network(inputs), targets).item())
        if losses[-1] == min(losses):
            kept = copy.deepcopy(network.state_dict())  # 3: the numbers, and not the arrays
    network.load_state_dict(kept)
    return losses
    ### END SOLUTION


# %%
what_it_is_worth(train_and_keep)

# %%
check("train_and_keep", train_and_keep)

# %% [markdown]
# The next cell is for grading. It runs the same check, there with other numbers, and its last line
# is the points.

# %% nbgrader={"grade": true, "grade_id": "train_and_keep-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("train_and_keep", train_and_keep)
### BEGIN HIDDEN TESTS
report = check("train_and_keep", train_and_keep, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 2: four ways to be frozen
#
# *Medium · importance high · 15 minutes · 10 points*
#
# BatchNorm has two kinds of numbers: those that it *measures* and those that it *learns*. Each kind can be frozen or not, which makes four ways, and people say "frozen" to three of them. Write a
# function that prepares a network for training in any of the four.
#
# | `statistics` | `affine` | running mean and variance | weight and bias | the norm normalizes with |
# |---|---|---|---|---|
# | False | False | move | learn | the batch |
# | True | False | stay | learn | what it remembers |
# | False | True | move | stay | the batch |
# | True | True | stay | stay | what it remembers |
#
# It may be called again and again on the same network, in any order, and each call counts alone: what was frozen before is thawed, if this call does not ask for it. All other layers (dropout, LayerNorm, linear
# layers) are in training mode afterwards, and go on learning as they did. BatchNorm layers (`BatchNorm1d` and `BatchNorm2d`) may stand anywhere inside.
#
# | | | |
# |---|---|---|
# | `network` | a module | in any mode; changed in place |
# | `statistics`, `affine` | True or False | what of its BatchNorm layers is frozen |
# | returns nothing | | |
#
# An example: a norm in a block of a network. We call the function, train one step, and look at what has moved.


# %%
def what_moves(freeze_norms):
    torch.manual_seed(0)
    block = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.ReLU())
    network = torch.nn.Sequential(block, torch.nn.Dropout(0.5), torch.nn.Linear(4, 1)).eval()
    for statistics, affine in ((False, False), (True, False), (False, True), (True, True)):
        freeze_norms(network, statistics, affine)
        before = copy.deepcopy(network.state_dict())
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        mse_loss(network(torch.randn(8, 3)), torch.randn(8, 1)).backward()
        optimizer.step()
        optimizer.zero_grad()
        moved = [name for name, now in network.state_dict().items() if not now.equal(before[name])]
        norm = [name[4:] for name in moved if name.startswith("0.1.")]
        print(f"statistics={statistics!s:5} affine={affine!s:5} moved:", ", ".join(norm) or "-")


# %% [markdown]
# <details><summary>Hint 1: anywhere inside</summary>
#
# `children()` stops at the first level. What goes through all of them?
#
# </details>
#
# <details><summary>Hint 2: three settings</summary>
#
# A module has a mode, a parameter has `requires_grad`. For each of the four ways write down what a norm's mode has to be, and what its parameters'. Then the same for all other modules.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "freeze_norms", "locked": false, "schema_version": 3, "solution": true, "task": false}
def freeze_norms(network, statistics, affine):
    """Freeze what the BatchNorm layers measure, what they learn, both or neither; thaw the rest."""
    ### BEGIN SOLUTION
    network.train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.train(not statistics)  # after the network's train(), which reaches it, too
            module.requires_grad_(not affine)
    ### END SOLUTION


# %%
what_moves(freeze_norms)

# %%
check("freeze_norms", freeze_norms)

# %% nbgrader={"grade": true, "grade_id": "freeze_norms-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("freeze_norms", freeze_norms)
### BEGIN HIDDEN TESTS
report = check("freeze_norms", freeze_norms, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 3: one network made of several
#
# *Hard · importance medium · 20 minutes · 10 points*
#
# Average the weights of several networks that were trained from one start, and the result is often better than each of them (*stochastic weight averaging*, Izmailov and others, 2018; *model soups*, Wortsman and others,
# 2022). With BatchNorm there is a catch: what a norm has measured belongs to the network in which it was measured, and the average is a network that nobody has shown a batch.
#
# Write the function. Its result is a **new** network:
#
# - each parameter is the mean of that parameter in all networks;
# - the running statistics are those of the averaged network on the batches that you are given, **each batch counting the same**, and nothing from before;
# - it is in evaluation mode, and its norms have the momentum that they had, for whoever trains on;
# - the given networks stay as they are, and share no memory with it.
#
# | | | |
# |---|---|---|
# | `networks` | a list of modules | of the same layers, two or more; the norms are `BatchNorm1d`, with momentum 0.1 |
# | `batches` | a list of tensors `(N, D)` | |
# | returns `average` | a module | |
#
# An example with two networks of one linear layer and one norm. Their weights are opposite:


# %%
def opposite(average_networks):
    one = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.BatchNorm1d(1))
    with torch.no_grad():
        one[0].weight.copy_(torch.tensor([[1.0, 3]]))
        one[0].bias.fill_(0)
        other = copy.deepcopy(one)
        other[0].weight.copy_(torch.tensor([[3.0, -1]]))
    x = torch.tensor([[1.0, 1], [3, 3], [5, 5]])  # (N=3, D=2)
    for network in (one, other):
        for _ in range(100):
            network(x)
    average = average_networks([one, other], [x, x + 4])
    print("weight", average[0].weight.detach().numpy(), "trains:", average.training)
    for name, network in {"one": one, "other": other, "average": average}.items():
        print(f"{name:8} mean {network[1].running_mean.item():5.2f}", end=" ")
        print(f"variance {network[1].running_var.item():5.2f}")


# %% [markdown]
# The mean of (1, 3) and (3, −1) is (2, 1). On the first batch that gives 3, 9, 15, with the mean 9 and the variance 36 (divided by n − 1), on the second one 12 more: so the average should remember the mean 15 and the variance
# 36. The two networks remember 12 and 6, and the variances 64 and 16: no average of these is right.
#
# <details><summary>Hint 1: in which order?</summary>
#
# What has to go through the layers while the statistics are measured: the weights of the first network, or the averaged ones?
#
# </details>
#
# <details><summary>Hint 2: each batch counts the same</summary>
#
# Lesson 3 has a momentum for it, and PyTorch a function. (`torch.optim.swa_utils.update_bn` does the measuring; you may use it. In which mode does it leave the network?)
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "average_networks", "locked": false, "schema_version": 3, "solution": true, "task": false}
def average_networks(networks, batches):
    """Return a network with the mean of all weights, measured anew on the batches."""
    ### BEGIN SOLUTION
    average = copy.deepcopy(networks[0])
    with torch.no_grad():
        for parameter, *others in zip(
            average.parameters(), *(network.parameters() for network in networks), strict=True
        ):
            parameter.copy_(torch.stack(others).mean(0))
    torch.optim.swa_utils.update_bn(batches, average)  # resets, measures, and restores momentum
    return average.eval()
    ### END SOLUTION


# %%
opposite(average_networks)

# %%
check("average_networks", average_networks)

# %% nbgrader={"grade": true, "grade_id": "average_networks-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("average_networks", average_networks)
### BEGIN HIDDEN TESTS
report = check("average_networks", average_networks, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 4: two samples at a time
#
# *Medium · importance medium · 10 minutes · 10 points*
#
# The samples are large, and only **two** of them fit into the memory at a time. The network that was
# built for batches of 64 learns nothing any more. Change what has to be changed, so that
#
# - the answer to a sample does not depend on the other one in the batch, and is the same in training and
#   in evaluation mode;
# - a last batch of one sample can be trained on;
# - the units of the first layer are still normalized: if that layer's weights and bias are multiplied by
#   100, the answer stays the same;
# - the normalization still has a weight to learn for each unit, as BatchNorm has.
#
# | | | |
# |---|---|---|
# | `features`, `hidden`, `classes` | numbers | inputs, units of the first layer (a multiple of 8), outputs |
# | returns `network` | a module | takes `(N, features)`, gives `(N, classes)` |


# %%
def small_batch_network(features, hidden, classes):
    """Return a network that can be trained with batches of two samples, and of one."""
    return torch.nn.Sequential(
        torch.nn.Linear(features, hidden),
        torch.nn.BatchNorm1d(hidden),
        torch.nn.ReLU(),
        torch.nn.Linear(hidden, classes),
    )


# %% [markdown]
# An example of 2×3 numbers shows what BatchNorm leaves of two samples:

# %%
two = torch.tensor([[1.0, 10, 6], [9, 10.5, -2000]])  # (N=2, C=3)
torch.nn.BatchNorm1d(3)(two).detach().round().numpy()

# %% [markdown]
# The sign of the difference, and nothing else: the answer to a sample depends on its neighbour, and
# hardly on the sample itself.


# %%
def neighbours(small_batch_network):
    torch.manual_seed(0)
    network = small_batch_network(features=3, hidden=8, classes=2)
    sample, small, large = torch.tensor([[1.0, 10, 6], [0, -9, -1], [90, 80, 70]])  # (3,) each
    beside_small = network(torch.stack([sample, small]))[0]
    beside_large = network(torch.stack([sample, large]))[0]
    print(
        "the same beside either neighbour:", torch.allclose(beside_small, beside_large, atol=1e-5)
    )


# %%
neighbours(small_batch_network)

# %% [markdown]
# Would it help to add up the gradients of 32 batches before each step? No: the means are taken in the
# forward pass, when there are two samples.
#
# <details><summary>Hint 1: what is there enough of?</summary>
#
# A mean needs many numbers. There are two samples. How many units does a sample have?
#
# </details>
#
# <details><summary>Hint 2: where you met it</summary>
#
# Lessons 06 and 08 (LayerNorm and GroupNorm) are about norms that take their statistics inside one
# sample. How many numbers share a mean in yours? With a group for every unit, it would be one.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "small_batch_network", "locked": false, "schema_version": 3, "solution": true, "task": false}
def small_batch_network(features, hidden, classes):
    """Return a network that can be trained with batches of two samples, and of one."""
    ### BEGIN SOLUTION
    return torch.nn.Sequential(
        torch.nn.Linear(features, hidden),
        torch.nn.LayerNorm(hidden),
        torch.nn.ReLU(),
        torch.nn.Linear(hidden, classes),
    )
    ### END SOLUTION


# %%
neighbours(small_batch_network)

# %%
check("small_batch_network", small_batch_network)

# %% nbgrader={"grade": true, "grade_id": "small_batch_network-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("small_batch_network", small_batch_network)
### BEGIN HIDDEN TESTS
report = check("small_batch_network", small_batch_network, seed=150203)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## What you have now
#
# - Three questions for any program with norms in it: whose mean is it, in which mode is it, and what is a copy?
# - Two switches that have nothing to do with each other, for each layer: what learns, and what is measured.
# - What is learned can be averaged. What is measured has to be measured again.
# - And under all of it: **which numbers share this mean, and may they?**
