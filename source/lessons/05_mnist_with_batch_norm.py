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
# # Train the article's network, with BatchNorm and without
#
# *Lesson 5 · 80 minutes · medium · the MNIST example that this course grew from*
#
# When you have finished you can
#
# - turn printed code that does not run into code that does, and name the mistake that raises no
#   error at all;
# - write a training loop with `train()` and `eval()` in the right places;
# - compare two networks over several seeds, and say when a difference is more than chance;
# - sweep a setting before you believe a comparison, and read the sweep;
# - say what BatchNorm changes inside this network, what it costs, and what these experiments do *not*
#   show.
#
# **What you need:** [lesson 2](02_batch_norm_forward.ipynb) and
# [lesson 3](03_batch_norm_train_and_eval.ipynb), and to have seen a training loop in PyTorch once.

# %%
import time
from functools import partial

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from normlab import load_mnist, plots
from normlab.data import ImageDataset
from normlab.exercises import self_test
from normlab.training import article_net, find_experiment, fit, fit_many, recorded, run_live, stack

# %%
torch.set_num_threads(1)  # enough for a network this small

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A question first
#
# An article called *PyTorch Implementation of Batch Normalization* explains the layer with a network for
# 784 inputs. These are the last two of its four blocks of code, letter for letter. (The first two are
# earlier stages of the same class; one of them is the network without BatchNorm, and we meet it again.)

# %% slideshow={"slide_type": "subslide"}
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

# %% slideshow={"slide_type": "subslide"}
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

# %% [markdown] slideshow={"slide_type": "-"}
# **How many things must be mended before you would trust a number that comes out of it?** Read both
# blocks and write your list down.

# %% [markdown] slideshow={"slide_type": "slide"}
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


# %% slideshow={"slide_type": "-"}
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

# %% [markdown] slideshow={"slide_type": "fragment"}
# **3 and 4. Two names come from nowhere.**

# %% slideshow={"slide_type": "fragment"}
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

# %% [markdown] slideshow={"slide_type": "fragment"}
# A data loader hands out batches of images, `(N, 1, 28, 28)`, scaled to 0...1. The first linear
# layer takes the *last* axis for the features, finds 28 and not 784, and gives up:

# %% slideshow={"slide_type": "fragment"}
one_batch = (mnist.train_images[:64, None] / 255, mnist.train_labels[:64])  # (64, 1, 28, 28)
try_it(indented_loop, names | {"num_epochs": 1, "data_loader": [one_batch]})

# %% [markdown]
# The article never flattens. One call does it: `(N, 1, 28, 28)` becomes `(N, 784)`. Then the loop
# runs.

# %%
flat_batch = (one_batch[0].flatten(1), one_batch[1])  # (64, 784)
try_it(indented_loop, names | {"num_epochs": 1, "data_loader": [flat_batch]})

# %% [markdown] slideshow={"slide_type": "subslide"}
# Five repairs, and each was asked for by an error message. **The sixth has none:** nothing in the code
# measures how good the network is, and so nothing calls `network.eval()`. A new network is in training
# mode, so the printed loop trains it as it should. But whoever adds a test below the loop, and forgets
# `eval()`, gets a wrong number and no error. You will see how wrong.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The loop, whole
#
# We keep all images in memory as one tensor; then a batch is nothing but a choice of rows, and no
# loader is needed.

# %%
inputs, labels = mnist.train_images.flatten(1) / 255, mnist.train_labels  # (60000, 784), (60000,)
test_inputs = mnist.test_images.flatten(1) / 255  # (10000, 784)
test_labels = mnist.test_labels  # (10000,)


# %% slideshow={"slide_type": "-"}
def train_one_epoch(network, optimizer, inputs, labels, batch_size=64):
    network.train()  # normalize with the statistics of the batch, and remember them
    for rows in torch.randperm(len(inputs)).split(batch_size):  # (batch_size,)
        loss = cross_entropy(network(inputs[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


# %% slideshow={"slide_type": "-"}
@torch.no_grad()
def accuracy(network):
    network.eval()  # normalize with what was remembered
    return (network(test_inputs).argmax(1) == test_labels).float().mean().item()


# %% [markdown]
# Each function sets the mode that it needs at its beginning, whatever the mode in which the network comes.
# And each leaves it in that mode: after `accuracy`, a loop that does not begin with `train()` would train
# in evaluation mode. If others go on with your network, hand it back in training mode.

# %% [markdown] slideshow={"slide_type": "subslide"}
# With ten classes, chance is about 10 %. **What share of the test digits will be right after one pass
# over the training set?**

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "-"}
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
torch.manual_seed(0)
network = MyNetwork()
untrained = accuracy(network)
train_one_epoch(network, torch.optim.SGD(network.parameters(), lr=0.01), inputs, labels)
print(f"before: {untrained:.1%}   after one epoch: {accuracy(network):.1%}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Leave out eval(), on purpose
#
# The same trained network, left in training mode, as the printed loop leaves it: each batch of test
# images is normalized with its own statistics. **Does the size of the test batches matter?**


# %% slideshow={"slide_type": "-"}
@torch.no_grad()
def accuracy_without_eval(network, batch_size):
    network.train()
    batches = zip(test_inputs.split(batch_size), test_labels.split(batch_size), strict=True)
    return sum((network(x).argmax(1) == y).sum().item() for x, y in batches) / len(test_inputs)


# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "fragment"}
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
saved = {name: tensor.clone() for name, tensor in network.state_dict().items()}
for size in (8, 1000):
    print(f"test batches of {size:4}: {accuracy_without_eval(network, size):.1%}")

# %% [markdown]
# With batches of 1000 you would not notice. And the harm outlasts the test: in training mode
# every forward pass also moves the running statistics, `no_grad` or not. Our "test" has rewritten
# 1250 + 10 times what the network remembers of the training data:

# %%
(network.bn1.num_batches_tracked - saved["bn1.num_batches_tracked"]).item()

# %% [markdown]
# [Lesson 3](03_batch_norm_train_and_eval.ipynb) has the whole story. Here we put the saved state back;
# with it, and with `eval()`, the network is itself again.

# %%
network.load_state_dict(saved)
print("right more than nine times in ten:", accuracy(network) > 0.9)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Is it BatchNorm that does it?
#
# About 95 % after one epoch: is that much? For an answer we need the same network *without* BatchNorm,
# the same weights to start from, the same batches in the same order. And one pair of runs would be an
# anecdote. So: five seeds. Each seed decides on the weights and on the order of the images, for both
# networks alike.

# %% [markdown]
# `normlab.training` has the network and the loop from above, with a progress bar, a clock, and all of
# your processor's cores at work where that pays. Its network is the article's:

# %%
ours = article_net("batch")
ours.load_state_dict(network.state_dict())
with torch.no_grad():
    same = torch.equal(ours.eval()(test_inputs), network.eval()(test_inputs))
same

# %% [markdown]
# To keep it short we train on a fifth of the images, once: 188 steps of 64 images. (And one run after
# another: `jobs=1`. Starting a process for each core would take as long as such short runs.) Write
# down what you expect for each of the two networks.

# %%
fifth = ImageDataset(
    mnist.train_images[:12_000], labels[:12_000], mnist.test_images, mnist.test_labels
)
networks = {"without": partial(article_net, "none"), "BatchNorm": partial(article_net, "batch")}

# %% tags=["nbval-ignore-output"]
# Output not compared: a progress bar is drawn while it runs.
live = fit_many(networks, range(5), fifth, epochs=1, lr=0.01, batch_size=64, jobs=1)


# %%
def final_accuracies(histories):
    return {
        name: np.array([100 * run.final.test_accuracy for run in runs])  # (seeds,)
        for name, runs in histories.items()
    }


# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "subslide"}
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
final = final_accuracies(live)
differences = final["BatchNorm"] - final["without"]  # (seeds,)
for seed, difference in enumerate(differences):
    print(f"seed {seed}: {final['without'][seed]:.1f} % without,", end=" ")
    print(f"{final['BatchNorm'][seed]:.1f} % with, difference {difference:+.1f}")

# %% [markdown] slideshow={"slide_type": "-"}
# The last column has the same sign five times. Were it a coin's, that would happen once in sixteen
# tries: not enough for a sceptic. The *size* of the differences is. How far is their mean from 0,
# measured by how uncertain it is? That quotient is Student's *t*, the mean divided by its standard
# error. For five pairs (four degrees of freedom) chance alone stays below 2.78 in 95 of 100 cases, if
# the differences are roughly normally distributed.

# %% slideshow={"slide_type": "fragment"}
standard_error = differences.std(ddof=1) / np.sqrt(len(differences))
t = differences.mean() / standard_error
print("more than chance:", t > 2.78, "  by a wide margin:", t > 5)

# %% [markdown]
# (What varies here is the seed. The 10,000 test images are the same for all.)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The whole run, recorded
#
# The article does not say how many epochs it has in mind. We give it five, on all images. That takes
# longer than a lesson should, so the runs come from a file in the course. It says how it was made, and
# in a terminal the command that it names makes it again:

# %% slideshow={"slide_type": "-"}
five_epochs = recorded("article_runs")
five_epochs.how["command"], five_epochs.how["seeds"]


# %%
def runs_at(lr):
    return {
        name: five_epochs.histories(norm=norm, lr=lr, epochs=5)
        for name, norm in {"without": "none", "BatchNorm": "batch"}.items()
    }


# %%
def summarize(histories):
    for name, values in final_accuracies(histories).items():
        steps = [run.steps_to(0.95) for run in histories[name] if run.steps_to(0.95)]
        when = f", after {np.mean(steps):.0f} steps" if steps else ""
        print(f"{name:9}  {values.mean():.2f} ± {values.std(ddof=1):.2f} %", end="   ")
        print(f"95 % reached in {len(steps)} of {len(values)} runs{when}")


# %% slideshow={"slide_type": "-"}
summarize(runs_at(lr=0.01))

# %% [markdown]
# (The ± is the standard deviation over the five seeds; the test set was looked at every 67 steps.)

# %% [markdown] slideshow={"slide_type": "subslide"}
# The figure shows *errors*, the share of test digits that come out wrong, and equal steps upwards are
# equal factors: from 10 % to 5 % is as far as from 40 % to 20 %. Each line is the mean of five seeds,
# each band goes from the worst to the best of them.

# %% slideshow={"slide_type": "-"}
histories = runs_at(lr=0.01)
plots.curves(
    histories["without"][0].series("step"),
    {name: 100 - 100 * stack(runs, "test_accuracy") for name, runs in histories.items()},
    reference={"95 % right": 5},
    log=True,
    xlabel="training steps (64 images each)",
    ylabel="wrong test digits, %",
    alt="""Wrong test digits in percent, on a logarithmic scale, against training steps; five
    epochs, mean and range of five seeds. With BatchNorm the curve begins near 17 percent, crosses
    the line of 95 percent right after about one epoch and ends between 2 and 3 percent. Without it
    the curve begins near 82 percent, is still falling at the end, near 8 percent, and never reaches
    the line.""",
)

# %% [markdown]
# At the article's settings BatchNorm wins clearly: more accurate at every measurement, and 95 % after
# about one epoch of 938 steps, which the plain network does not reach in five. Where the article says that
# BatchNorm makes this network learn faster, the experiment agrees.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Look again before you believe it
#
# Who chose the learning rate? The article did: 0.01. **What happens to the gap at 0.1?** Perhaps it
# grows, perhaps it shrinks. Commit yourself, then run.

# %% slideshow={"slide_type": "fragment"}
summarize(runs_at(lr=0.1))

# %% [markdown] slideshow={"slide_type": "fragment"}
# The plain network was not *unable* to learn; at 0.01 it was slow. With ten times the learning rate it
# passes 95 % in every run, and at the end BatchNorm's lead is a fraction of a point. On the way it is
# still ahead: 95 % comes after far fewer steps. The article calls BatchNorm "an essential technique".
# At these two rates the experiment bears out less: *it gets to 95 % in fewer steps.*

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Sweep the learning rate
#
# Two rates are not a search. Whoever compares two methods owes each of them a fair choice: try many
# values, equal factors apart, for both. **Draw your guess first:** accuracy after one epoch, upwards,
# against learning rates from 0.001 to 10, one line for each network.

# %% [markdown]
# The course's longer experiments have names; `find_experiment` gets one, and `only` keeps a few of its
# runs. Live we keep four rates, two seeds and again a fifth of the images (188 steps):

# %% tags=["nbval-ignore-output"]
# Output not compared: a progress bar is drawn while it runs.
rates = find_experiment("learning_rates")
live_rates = run_live(rates.only(images=12_000), jobs=1)

# %% [markdown] slideshow={"slide_type": "subslide"}
# The recorded grid has eight rates, five seeds and a whole epoch. Both side by side:


# %%
def accuracies(recording, setting, **chosen):
    results = {}
    for name, norm in {"without": "none", "BatchNorm": "batch"}.items():
        x = np.unique(recording.values(setting, norm=norm, **chosen))  # (values,)
        y = [recording.values("test_accuracy", norm=norm, **chosen, **{setting: v}) for v in x]
        results[name] = (x, 100 * np.array(y))  # (values, seeds)
    return results


# %% slideshow={"slide_type": "-"}
epoch_rates = accuracies(recorded("learning_rates"), "lr", images=60_000)
plots.sweep(
    {
        "live: 188 steps, 2 seeds": accuracies(live_rates, "lr", images=12_000),
        "recorded: 938 steps, 5 seeds": epoch_rates,
    },
    marked={"the article's": 0.01},
    xlabel="learning rate",
    ylabel="test accuracy, %",
    alt="""Test accuracy against the learning rate on a logarithmic axis, live and recorded side by
    side, with and without BatchNorm, mean and range of the seeds. Recorded: without BatchNorm the
    line climbs from near 24 percent at 0.001 to its top of 96 at 0.3 and falls to 10 at 3. With it
    the line is at 86 already at 0.001, flat near 97 from 0.03 to 1, still near 95 at 3, and at 10 it
    has fallen to 10 too. At the article's 0.01 it is 13 points above the other. The live panel, with
    four rates, has the same form, lower at the left.""",
)

# %% slideshow={"slide_type": "subslide"}
for name, (lrs, values) in epoch_rates.items():
    best = values.mean(axis=1).argmax()
    enough = ", ".join(f"{lr:g}" for lr in lrs[values.mean(axis=1) >= 95])
    print(f"{name:9} best at {lrs[best]:g}: {values[best].mean():.1f}", end="")
    print(f" ± {values[best].std(ddof=1):.1f} %   95 % or more at: {enough}")

# %% [markdown] slideshow={"slide_type": "-"}
# Each at its own best rate, the two are less than a point apart. (The best of eight, read off the test
# set, flatters both a little.) The larger difference is in *width*: without BatchNorm one rate of the
# eight gets to 95 % in an epoch, with it four do. And there is an end for both: at 10 neither learns.
# The article's claim that BatchNorm "allows for higher learning rates" holds here; more exactly, it
# forgives a wrong one.
#
# At the article's 0.01 the gap is 13 points. Had we stopped there, we would have measured the learning
# rate as much as the layer. (And perhaps PyTorch's first weights: [lesson 12](12_why_it_works.ipynb) takes that suspect away, in a deeper network.)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Look inside the layers
#
# Why is 0.01 too small for one network and not for the other? Let us look inside both *before the first
# step*. **Take a guess: how much larger or smaller are BatchNorm's gradients?** A forward hook is a
# function that a layer calls with what it gives out. We want the spread (standard deviation) of what goes
# into the two ReLUs and of the logits (the ten numbers that go into the softmax), and the norm of each weight's gradient, for 1000 images.


# %%
def look_inside(network):
    seen = []
    for module in (network.bn1, network.bn2, network.fc3):  # without norm, bn1 and bn2 do nothing
        module.register_forward_hook(lambda module, inputs, output: seen.append(output.detach()))
    cross_entropy(network.train()(inputs[:1000]), labels[:1000]).backward()
    weights = [layer.weight for layer in (network.fc1, network.fc2, network.fc3)]
    return [x.std().item() for x in seen], [w.grad.norm().item() for w in weights]


# %% slideshow={"slide_type": "fragment"}
for name, build in networks.items():
    spreads, gradients = look_inside(build(seed=0))
    print(f"{name:9}  spread ", "  ".join(f"{spread:.2f}" for spread in spreads), end="")
    print("     gradients ", "  ".join(f"{norm:.2f}" for norm in gradients))

# %% [markdown] slideshow={"slide_type": "subslide"}
# Without BatchNorm each layer's values are smaller than those of the layer before: PyTorch starts a
# linear layer with weights so small that the signal shrinks in it. With BatchNorm the spread is 1 in front
# of each ReLU, whatever the weights. And the gradients are about *fifteen times as large*, in every layer.
# The same learning rate makes a step fifteen times as long.

# %% [markdown]
# And later on? Recorded over an epoch at learning rate 0.01, five seeds. (The axis gives the first ten
# steps the same room each, and from then on equal factors.)

# %%
epoch = recorded("layers_over_training")
chosen = {"lr": 0.01, "steps": 938}
steps = epoch.values("step", norm="none", layer=1, seed=0, **chosen)  # (points,)


# %%
def over_training(column, norm, layer):
    values = epoch.values(column, norm=norm, layer=layer, **chosen)  # (seeds * points,)
    return values.reshape(5, -1)  # (seeds, points)


# %%
def bands(norm):
    return {
        f"layer {layer}": (
            over_training("mean", norm, layer).mean(axis=0),  # (points,)
            over_training("spread", norm, layer).mean(axis=0),  # (points,)
        )
        for layer in (1, 2)
    }


# %%
plots.layer_bands(
    steps,
    {"without": bands("none"), "BatchNorm": bands("batch")},
    ylabel="what goes into the ReLU: mean ± spread",
    alt="""Four panels: two networks, two layers, the mean of what goes into the ReLU and a band of
    one standard deviation, over 938 training steps. Without BatchNorm the bands are narrow for the
    first hundred steps, 0.2 wide to each side in layer 1 and 0.1 in layer 2; then they widen, to 0.4
    and 0.7, and their means rise from 0 to 0.3 and 0.5. With BatchNorm both bands stay at 0 plus or
    minus 1 from the first step to the last.""",
)

# %%
plots.by_layer(
    steps,
    {
        name: {f"layer {layer}": over_training("gradient", norm, layer) for layer in (1, 2, 3)}
        for name, norm in {"without": "none", "BatchNorm": "batch"}.items()
    },
    log=True,
    ylabel="norm of the weight's gradient",
    alt="""The norm of the gradient of each layer's weight over 938 training steps, logarithmic, for
    both networks. Without BatchNorm all three begin between 0.05 and 0.15, stay there for about a
    hundred steps, and then rise to about 0.3. With BatchNorm they begin between 0.9 and 2.3, fall
    from the first steps on, and end between 0.1 and 0.4.""",
)

# %% [markdown]
# The plain network spends its first hundred steps and more where it began: small gradients make small
# steps, and small steps leave the gradients small. Once it has built up larger values it learns
# quickly. BatchNorm has no such wait: large gradients at once, which fall as the network gets better.
# (Its bands stay at 0 ± 1 by construction, as long as `weight` and `bias` stay near 1 and 0. That they
# do not move is no proof of anything.)
#
# Does a part of the network die? A ReLU whose input is negative for *every* image passes no gradient, and
# its unit no longer learns. The share of such units in layer 2 at the end, for 1000 images:

# %%
for name, norm in {"without": "none", "BatchNorm": "batch"}.items():
    dead = 100 * over_training("dead", norm, layer=2)[:, -1]  # (seeds,)
    print(f"{name:9} {dead.mean():.1f} ± {dead.std(ddof=1):.1f} %")

# %% [markdown]
# With BatchNorm there are none: values with mean 0 are positive for some of the images, as long as the
# bias that is added stays small. But dead units are few in either network, and do not explain the gap.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Scale the first weights
#
# If small weights are the trouble, larger ones should cure it; and BatchNorm should not care, since
# $\mathrm{BatchNorm}(cWx) = \mathrm{BatchNorm}(Wx)$ for every $c > 0$, up to `eps`. We multiply all
# weights and biases of the three linear layers by $c$ before training. **Which $c$ suits the plain
# network at the article's learning rate? And does BatchNorm care?**

# %% tags=["nbval-ignore-output"]
# Output not compared: a progress bar is drawn while it runs.
live_scales = run_live(find_experiment("init_scales").only(images=12_000, seed=0), jobs=1)

# %% slideshow={"slide_type": "subslide"}
scales = recorded("init_scales")
plots.sweep(
    {
        "live: 188 steps, 1 seed": accuracies(live_scales, "scale", images=12_000),
        "recorded: 469 steps, 5 seeds": accuracies(scales, "scale", lr=0.01, images=30_000),
    },
    marked={"PyTorch's": 1},
    xlabel="first weights times",
    ylabel="test accuracy, %",
    alt="""Test accuracy against the factor on the first weights, logarithmic, live and recorded side
    by side, mean and range of the seeds. Recorded: without BatchNorm it is 11 percent for factors up
    to 0.3, 65 at PyTorch's 1, near 88 at 3 and 86 at 10. With BatchNorm it is 95 percent from 0.01 to
    0.3, 93 at 1, 90 at 3 and 78 at 10, where the lines have crossed. The live panel, with three
    factors, has the same form, lower.""",
)

# %% [markdown]
# Small weights: you could start the BatchNorm network a hundred times smaller and it would train even
# better. (At $c = 0.01$ the variances of layer 1 are smaller than the `eps` that is added to them, and it
# still trains.) The plain one answers one class for everything. The article says that BatchNorm "reduces the
# need for careful initialization"; on this side it does.

# %% [markdown] slideshow={"slide_type": "subslide"}
# Large weights: at ten times PyTorch's, the plain network is *ahead*. BatchNorm's output does not notice
# the factor $c$, so the gradient must make up for it: it is $1/c$ times as large, while the weights are
# $c$ times as large. Relative to its weight, a step is $1/c^2$ of what it was: at $c = 10$ a hundredth.
# BatchNorm has not broken; it has become slow. And then a larger learning rate should help:

# %% slideshow={"slide_type": "fragment"}
for name, norm in {"without": "none", "BatchNorm": "batch"}.items():
    for lr in (0.01, 0.1):
        right = 100 * scales.values("test_accuracy", norm=norm, scale=10, lr=lr, images=30_000)
        print(f"{name:9} at 10 times, lr {lr:4}: {right.mean():.1f} ± {right.std(ddof=1):.1f} %")

# %% [markdown] slideshow={"slide_type": "fragment"}
# It does. The scale of the weights and the learning rate are one question with BatchNorm, not two.

# %% [markdown]
# ## What it costs
#
# In numbers to learn: two vectors for each layer, a third of a percent.

# %%
for norm in ("none", "batch"):
    print(f"{norm:5} {sum(p.numel() for p in article_net(norm).parameters()):,} parameters")

# %% [markdown]
# And 384 of the others are idle: the biases of `fc1` and `fc2` stand right before a mean that is
# subtracted.
#
# In time: forward, backward and update, on the same batch. Other programs can only make a step slower,
# never faster, so we take the *best* of many short rounds, and measure the two networks in turn, so that
# a busy moment hits both.


# %%
def seconds_for(network, steps=10):
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    start = time.process_time()  # what the processor spends on us, not on others
    for _ in range(steps):
        loss = cross_entropy(network(inputs[:64]), labels[:64])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.process_time() - start


# %% tags=["nbval-ignore-output"]
# Output not compared: these are timings.
pair = [build(seed=0) for build in networks.values()]
times = np.array([[seconds_for(network) for network in pair] for _ in range(25)])  # (rounds, 2)
best = times.min(axis=0)  # (2,)
print(
    f"best of {len(times)} rounds: a step with BatchNorm takes {best[1] / best[0]:.2f} times as long"
)
low, high = np.percentile(times[:, 1] / times[:, 0], [25, 75])
print(f"half of the rounds say between {low:.2f} and {high:.2f}")

# %% [markdown]
# The second line tells you how far to trust the first. What counts is the
# time until a given accuracy, steps times time per step. At learning rate 0.1 the plain network needs
# more than five times as many steps to 95 %; a step that costs some percent more does not eat that up.
# With a learning rate tuned for each, as the sweep showed, less of it is left.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Break it on purpose
#
# **One sample left over.** In training mode BatchNorm cannot take the variance of one value. If you set
# the batch size to 1, torch tells you in the first step. It may also strike at the end of an epoch, when
# one sample is left over. Here are 1,025 images in batches of 64, with the loop from above:

# %% slideshow={"slide_type": "-"}
optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
try:
    train_one_epoch(network, optimizer, inputs[:1025], labels[:1025])
except ValueError as error:
    print(error)

# %% [markdown]
# Sixteen steps went well before that. `fit` looks ahead:

# %%
few = ImageDataset(mnist.train_images[:1025], labels[:1025], mnist.test_images, test_labels)
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
# | [Exercise 05, task 1](../exercises/05_mnist_with_batch_norm.ipynb): build the article's network | easy | high | 15 |
# | Exercise 05, task 2: mend a loop that forgets `eval()` | medium | high | 15 |
# | Exercise 05, task 3: reach a stated accuracy in one epoch | medium | medium | 15 |
# | Experiment: put `"layer"`, `"group"` or `"rms"` in BatchNorm's place. Which comes nearest to it at lr 0.01? | easy | high | 10 |
# | Experiment: the sweep of the learning rate for another norm. Is it as wide as BatchNorm's? | medium | high | 15 |
# | Experiment: no biases before BatchNorm. Does the accuracy change beyond the spread of the seeds? | medium | medium | 15 |
#
# <details><summary>How to begin the first experiment</summary>
#
# ```python
# more = {norm: partial(article_net, norm) for norm in ("batch", "layer", "group", "rms")}
# summarize(fit_many(more, range(5), fifth, epochs=1, lr=0.01))
# ```
#
# The three are other choices of axes: LayerNorm and RMSNorm take the 256 (or 128) units of one sample,
# GroupNorm takes them in eight groups.
#
# </details>
#
# <details><summary>How to begin the second</summary>
#
# ```python
# layer = {"LayerNorm": partial(article_net, "layer")}
# for lr in (0.01, 0.1, 1.0, 3.0):
#     summarize(fit_many(layer, range(5), fifth, epochs=1, lr=lr))
# ```
#
# A network that has diverged answers one class for everything: about 10 %.
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

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Test yourself
#
# Five questions before the recap. Choose an answer, and you see at once why it is right or wrong. Your
# first choices are counted; `normlab progress` shows the best result.

# %% slideshow={"slide_type": "-"}
self_test("05_mnist_with_batch_norm")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - The printed code needs its quotes, its indentation, two names and a `flatten`, and error messages ask
#   for each. That it never measures, and never calls `eval()`, raises no error.
# - The loop: `train()` before training, `eval()` before measuring. Without `eval()` a test depends on the
#   size of its batches, and every forward pass moves the running statistics.
# - Same weights, same batches, five seeds: a difference is more than chance when it is several times its
#   own standard error.
# - A comparison at one setting measures the setting too. At the article's learning rate the gap after an
#   epoch is 13 points; each at its best rate, it is less than one. BatchNorm's working range is wider.
# - Inside, BatchNorm sets the spread in front of each ReLU to 1 from the first step. Without it, PyTorch's
#   small first weights make small gradients, and at a small learning rate a long wait. It costs 768
#   parameters and some time in each step.
# - Not shown: other data, deeper networks, other optimizers, or whether this is *why* BatchNorm helps in
#   general. The article says "internal covariate shift"; nothing in this lesson tests that.

# %% [markdown]
# ## Go further
#
# - S. Ioffe, C. Szegedy, *Batch Normalization: Accelerating Deep Network Training by Reducing
#   Internal Covariate Shift*, ICML 2015, arXiv:1502.03167. Section 4.1 trains a small network on
#   MNIST with and without, and draws what goes into one of its units over training.
# - J. Bjorck, C. Gomes, B. Selman, K. Weinberger, *Understanding Batch Normalization*, NeurIPS 2018,
#   arXiv:1806.02375. Argues that larger learning rates are what BatchNorm's success rests on.
# - S. Santurkar, D. Tsipras, A. Ilyas, A. Mądry, *How Does Batch Normalization Help Optimization?*,
#   NeurIPS 2018, arXiv:1805.11604. Questions the explanation in the title of the first.
# - T. van Laarhoven, *L2 Regularization versus Batch and Weight Normalization*, 2017, arXiv:1706.05350.
#   Works out the effective learning rate of a layer in front of BatchNorm.
# - Y. LeCun and others, *Gradient-Based Learning Applied to Document Recognition*, Proceedings of
#   the IEEE 86(11), 1998: where MNIST comes from.
