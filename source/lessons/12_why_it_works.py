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
# # Ask why it works, and test each answer
#
# *Lesson 12 · 90 minutes, self-test 10 · hard · the mechanisms behind BatchNorm, and what is known about them*
#
# When you have finished you can
#
# - test the explanation "internal covariate shift" by an experiment that could refute it, with the first
#   weights kept apart from the norm, and say what it shows and what it does not;
# - show that a weight matrix before BatchNorm has no scale, and derive from it what weight decay and
#   large learning rates do;
# - predict how gradients grow in a deep ReLU network with BatchNorm, measure it, and say why it
#   trains all the same, up to a depth;
# - test whether the noise of the batches is what makes BatchNorm generalize;
# - tell which explanations are established, which are disputed, and by whom.
#
# **What you need:** [lesson 4](04_batch_norm_backward.ipynb) for the gradient of BatchNorm,
# [lesson 5](05_mnist_with_batch_norm.ipynb) for the network, [lesson 10](10_compare_the_norms.ipynb) for the
# paired test.

# %%
import math

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from normlab import load_mnist, plots
from normlab.exercises import guess, self_test
from normlab.training import article_net, evaluate, find_experiment, recorded, run_live
from normlab.training.experiments.covariate_shift import Jitter, deep_net, standardized
from normlab.training.paired import holm, sign_flip_interval, sign_flip_p

torch.set_num_threads(1)  # enough for networks this small

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A question first
#
# *Internal covariate shift* is the change of the distribution of a layer's inputs while the layers before it
# learn. BatchNorm's paper (2015) has it in its title: the layer is said to help because it reduces that
# shift. One of the two articles that this course grew from uses the phrase ten times.

# %% [markdown] slideshow={"slide_type": "fragment"}
# If that is the reason, the benefit should go away when we bring the shift back. So we sabotage: after each
# BatchNorm comes a layer that scales and shifts every unit at random, by other random numbers in every training
# step. Whatever order BatchNorm makes, the next layer does not see it. (The idea is from Santurkar and others,
# 2018. Their noise is drawn for each *sample* anew, from a distribution that changes from step to step; ours is one scale and one
# shift for each unit and step.)

# %%
jitter = Jitter(3)
unit_normal = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0))  # (N, C)
torch.manual_seed(0)
for step in range(3):
    jitter.draw()  # scales between 0.5 and 1.5, shifts between -0.5 and 0.5
    x = jitter(unit_normal)  # (N, C)
    print(f"step {step}: means {x.mean(0).numpy().round(2)}, spreads {x.std(0).numpy().round(2)}")

# %% [markdown] slideshow={"slide_type": "slide"}
# Networks of five hidden layers learn MNIST for 400 steps: without norm, with BatchNorm, with BatchNorm and
# sabotage. And a fourth, since there is another suspect. PyTorch draws a linear layer's first weights so that each ReLU layer's output is
# smaller than the one before; BatchNorm undoes that, and so would better weights. So the fourth network has *no norm* either, and first weights
# drawn by **He's rule**: variance 2 over the number of inputs, which keeps the size of what passes through a ReLU layer. (The test is in evaluation mode: no sabotage there.)

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "With BatchNorm more than nine tenths of the digits are right after 120 steps. How many of the other three networks "
    "are within ten points of that?",
    2,
    why="Which ones? Read the second number of each line.",
)

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "fragment"}
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
miniature = run_live(find_experiment("covariate_shift").only(lr=0.1, seed=0), jobs=1)
for net in miniature.different("net"):
    values = 100 * miniature.values("test_accuracy", net=net, step=[40, 120, 200, 400])
    print(f"{net:12} after 40, 120, 200, 400 steps: {values.round(1)} % right")

# %% [markdown]
# That was one seed and one learning rate, live. In it the sabotage hardly hurts, and He's weights alone do most of what BatchNorm does. Eight seeds and five
# rates were recorded:

# %%
shift = recorded("covariate_shift")
shift.how


# %%
def by_step(column, net, lr):
    steps = shift.different("step")
    return np.array([shift.values(column, net=net, lr=lr, step=step) for step in steps]).T


def spread(values, digits=1):
    return f"{values.mean():.{digits}f} ± {values.std(ddof=1):.{digits}f}"


# %% slideshow={"slide_type": "slide"}
print(
    "right test digits after 120 steps, % (mean ± standard deviation of 8 seeds), by learning rate"
)
print(" " * 12 + "".join(f"{lr:>13}" for lr in shift.different("lr")))
for net in shift.different("net"):
    cells = [
        spread(100 * shift.values("test_accuracy", net=net, lr=lr, step=120))
        for lr in shift.different("lr")
    ]
    print(f"{net:12}" + "".join(f"{cell:>13}" for cell in cells))

# %% [markdown] slideshow={"slide_type": "fragment"}
# Read the column 0.1. Without norm and with PyTorch's weights, 64 points are missing; with He's weights, less than 4 of them. What
# looked like the work of BatchNorm is, for the most part, the repair of poor first weights. Nor is 0.1 the best rate for each of them. So let each network have its own,
# chosen on 5,000 *training* images that were held out, and compare on the test images, seed by seed:


# %%
def own_best(net, step):
    def held_out(lr):
        return shift.values("held_out_accuracy", net=net, lr=lr, step=step).mean()

    return max(shift.different("lr"), key=held_out)


def at_its_best(net, step):
    return 100 * shift.values("test_accuracy", net=net, lr=own_best(net, step), step=step)


# %% slideshow={"slide_type": "slide"}
others = ("none", "none, He", "noisy batch")
for step in (120, 400):
    against = {net: at_its_best(net, step) - at_its_best("batch", step) for net in others}
    p_values = holm({net: sign_flip_p(values) for net, values in against.items()})
    print(f"after {step} steps, minus batch (lr {own_best('batch', step)}):")
    for net, values in against.items():  # (seeds,)
        low, high = sign_flip_interval(values)
        print(f"  {net:12} lr {own_best(net, step)}", end="")
        print(f" {values.mean():+6.1f} points ({low:+.1f} to {high:+.1f}), p = {p_values[net]:.3f}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# (Three tests at each of the two times, corrected together by Holm's rule; with eight seeds no p-value can be below 0.008, or 0.023 after the
# correction.) Early, no norm at all costs 35 points, of which He's weights give back more than 30. After 400 steps the three others are behind by 4, 2 and half a
# point. So BatchNorm is ahead of a well initialized network without norm, by a few points at first and by two at the end; and the sabotage takes away between a quarter and a third
# of *that*.

# %% [markdown] slideshow={"slide_type": "slide"}
# And did the sabotage work? *Drift* compares what the fourth hidden layer's
# units get, on 500 fixed images, with 40 steps earlier: how far did each unit's mean and spread
# move, measured in the spread?

# %%
for lr in (0.1, 0.3):
    for net in shift.different("net"):
        # Step 40 has no earlier one; the second half begins at step 240.
        drift = by_step("drift", net, lr)[:, 1:].mean(1)  # (seeds,)
        late = by_step("drift", net, lr)[:, 5:].mean(1)  # (seeds,)
        print(f"lr {lr}   {net:12} drift {spread(drift, 2)}, in the second half {spread(late, 2)}")

# %% slideshow={"slide_type": "slide"}
plots.beside(
    np.array(shift.different("step")),
    {net: 100 * by_step("test_accuracy", net, lr=0.1) for net in ("batch", *others)},
    "batch",
    columns=3,
    **plots.words("12 three doubles"),
)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The sabotaged network's distributions move two to three times as far as those of the network with He's weights, in every step and to the end, and it is still the
# faster learner of the two. (The network with PyTorch's weights drifts furthest of all while it leaves its plateau. BatchNorm's own drift near 0 is no finding: means and
# spreads are what it fixes.) So reducing this drift is not what BatchNorm's speed depends on here. What is left for an explanation is not
# "sixty points", though; it is the few that He's weights do not give.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The other explanation: a smoother loss
#
# Santurkar and others, whose experiment (2018) we have repeated in small, offer another reason. A gradient
# is a promise about the immediate neighbourhood. A step of finite length is good only if the promise
# holds for that far. With BatchNorm, they find, it does: along the gradient the loss changes less wildly, and the
# gradient turns less.

# %% [markdown] slideshow={"slide_type": "fragment"}
# Measure it: compute the gradient on a batch, walk half a step, one, two and four steps along it, and look
# at the loss each time.


# %%
def losses_along(network, batch, lr):
    parameters = list(network.parameters())
    slopes = torch.autograd.grad(cross_entropy(network(batch[0]), batch[1]), parameters)
    before = [p.detach().clone() for p in parameters]
    losses = []
    for multiple in (0, 0.5, 1, 2, 4):
        with torch.no_grad():
            for p, start, slope in zip(parameters, before, slopes, strict=True):
                p.copy_(start - multiple * lr * slope)
            losses.append(cross_entropy(network(batch[0]), batch[1]).item())
    return losses


# %% slideshow={"slide_type": "slide"}
mnist = load_mnist(tensors=True)
first = standardized(mnist.train_images[:64]), mnist.train_labels[:64]  # (64, 28, 28), (64,)
for net in ("none", "none, He", "batch"):
    walk = losses_along(deep_net(net, seed=0), first, lr=0.1)
    print(f"{net:9}", " ".join(f"{loss:6.2f}" for loss in walk))

# %% [markdown] slideshow={"slide_type": "fragment"}
# Before training, the network without norm and with PyTorch's weights looks the smoothest of the three! Its loss hardly moves at all: it sits on a
# plateau, and the gradient there is tiny. **A flat loss is not a useful one.** That is the trap of such measures: compare them where both
# networks learn. So here is the range of the loss along the gradient (largest minus smallest, over half a step to four), and how far the
# gradient turns (in its own length), in the second half of the recorded training:

# %%
for lr in (0.03, 0.1, 0.3):
    for net in shift.different("net"):
        loss_range = np.median(by_step("loss_range", net, lr)[:, 5:], axis=1)  # (seeds,)
        turned = np.median(by_step("gradient_change", net, lr)[:, 5:], axis=1)  # (seeds,)
        print(
            f"lr {lr:<4}   {net:12} loss range {spread(loss_range, 2):>12}   gradient {spread(turned):>10}"
        )

# %% slideshow={"slide_type": "slide"}
plots.beside(
    np.array(shift.different("step")),
    {net: by_step("loss_range", net, lr=0.1) for net in ("batch", *others)},
    "batch",
    columns=3,
    log=True,
    **plots.words("12 range of the loss"),
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# Leave out the network with PyTorch's weights at 0.03, which has hardly begun to learn. Then, beside the network with He's weights, the loss along the gradient varies less with BatchNorm
# by a factor of five to ten, and the gradient turns less by a factor of about three; the sabotaged network is nearly as smooth as the other. That fits the second explanation: smoothness goes
# along with speed, the drift does not. But the figure also shows how the measure can deceive: at first the network *without* norm and with PyTorch's weights is the smoothest of all, since it stands still.
# And to go along with speed is not to cause it: nothing here makes a network smoother by other means, to see whether it learns faster.

# %% [markdown]
# **A third measure.** The same authors also define the shift without distributions: how much does a layer's
# *gradient* change because the layers before it have taken their step? Relative to its length:

# %%
for lr in (0.1, 0.3):
    for net in shift.different("net"):
        ics = np.median(by_step("ics", net, lr)[:, 5:], axis=1)  # (seeds,)
        print(f"lr {lr}   {net:12} {spread(ics, 2)}")

# %% [markdown]
# By this definition BatchNorm shows no less internal covariate shift than the networks without: each is about as large as the gradient itself.
# The authors found that too.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A weight matrix without a scale
#
# Now something exact. Multiply the weights of a linear layer before BatchNorm by 7. Every output of the linear layer
# grows by 7, and so do its mean and its standard deviation; their ratio stays. So the loss stays. And the gradient of
# the weights?


# %%
def loss_and_gradient(weight, eps=1e-5):
    weight = weight.clone().requires_grad_()
    y = nn.functional.batch_norm(inputs @ weight.T, None, None, training=True, eps=eps)  # (N, C)
    loss = (y * probe).sum()
    return loss.item(), torch.autograd.grad(loss, weight)[0]


rng = torch.Generator().manual_seed(0)
inputs = torch.randn(32, 6, generator=rng, dtype=torch.float64)  # (N, in)
probe = torch.randn(32, 4, generator=rng, dtype=torch.float64)  # (N, C), any loss will do
weight = torch.randn(4, 6, generator=rng, dtype=torch.float64)  # (C, in)

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "The weights are multiplied by 7. By what is the length of their gradient multiplied?",
    "by 1/7",
    options=["by 49", "by 7", "by 1: it stays", "by 1/7"],
)

# %% slideshow={"slide_type": "fragment"}
loss, gradient = loss_and_gradient(weight)
loss_7, gradient_7 = loss_and_gradient(7 * weight)
print(
    f"loss {loss:.3f} and {loss_7:.3f}; gradient {gradient.norm():.3f} and {gradient_7.norm():.3f}"
)
print(f"ratio of the gradients {(gradient.norm() / gradient_7.norm()):.3f}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# The loss is the same. But a step that moves a small matrix a lot moves a large one a
# little. And since going along the weights themselves changes nothing, the gradient has no part in that
# direction. It is orthogonal to each row of the weights:


# %% slideshow={"slide_type": "subslide"}
def part_along_the_weights(eps):
    _, gradient = loss_and_gradient(weight, eps)
    return ((gradient * weight).sum(1).abs().max() / gradient.norm()).item()


print("eps=1e-5: below a thousandth of a percent", part_along_the_weights(1e-5) < 1e-5)
print("eps=1e-12: below a billionth", part_along_the_weights(1e-12) < 1e-9)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Only nearly 0 because of `eps`, and the smaller it is, the nearer. So an SGD step goes off at a right angle, and Pythagoras
# says what becomes of the length: it can only grow.

# %% slideshow={"slide_type": "fragment"}
lr = 0.5
loss, gradient = loss_and_gradient(weight, eps=1e-12)
after = weight - lr * gradient
print(f"{after.norm() ** 2:.9f}  length after the step, squared")
print(f"{weight.norm() ** 2 + lr**2 * gradient.norm() ** 2:.9f}  Pythagoras")

# %% [markdown] slideshow={"slide_type": "slide"}
# What counts for the function is the *direction* of the weights. Its change in one step is `lr` times the gradient over the length,
# and the gradient itself goes with 1 over the length. So the learning rate that the direction feels is
#
# $$\text{effective learning rate} = \frac{\text{lr}}{\lVert W \rVert^2}$$

# %% [markdown] slideshow={"slide_type": "fragment"}
# In words: weights ten times as long learn a hundred times as slowly. (Kohler and others, 2018, call this the decoupling of *length and direction*, and
# show for some problems that it speeds up the descent.) Test it on whole trainings. A small network, in
# float64; the second run starts with the weights before BatchNorm ten times as large, and gives them a
# hundred times the learning rate.


# %%
def small_network():
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(32, eps=1e-12)
    layers = [nn.Flatten(), nn.Linear(784, 32, bias=False), norm, nn.ReLU(), nn.Linear(32, 10)]
    return nn.Sequential(*layers).double()


def loss_at(network, step):
    rows = slice(64 * step, 64 * step + 64)
    x, y = standardized(mnist.train_images[rows]).double(), mnist.train_labels[rows]
    return cross_entropy(network(x), y)


# %%
def losses_of(scale=1, decay=0, rate=lambda step: 1, lr=0.1, steps=30):
    network, losses = small_network(), []
    w, *others = network.parameters()  # w stands before BatchNorm
    w.data *= scale
    for step in range(steps):
        losses.append(loss_at(network, step))
        slope, *slopes = torch.autograd.grad(losses[-1], [w, *others])
        w.data = (1 - lr * decay) * w.data - lr * rate(step) * scale**2 * slope
        for p, g in zip(others, slopes, strict=True):
            p.data -= lr * g
    return np.array([loss.item() for loss in losses])


# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "How far apart are the two losses after 30 steps?",
    "less than a billionth",
    options=["about a tenth", "about a thousandth", "less than a billionth"],
)

# %% slideshow={"slide_type": "fragment"}
once, ten_times = losses_of(), losses_of(scale=10)
print("losses", once[[0, 10, 29]].round(4), "and", ten_times[[0, 10, 29]].round(4))
print("largest difference below a billionth:", np.abs(once - ten_times).max() < 1e-9)

# %% [markdown]
# In the losses there is no trace of the factor: it is the same training, to the last digits.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What weight decay then does
#
# Weight decay shrinks the weights a little in each step. It is meant to keep a function simple by keeping its weights small.
# But here the size of the weights *has no influence on the function*. What is left for it to do? It makes the weights shorter, and so the
# effective learning rate larger.

# %% [markdown] slideshow={"slide_type": "subslide"}
# That can be made exact as well. A step with decay λ is $W \leftarrow (1 - \text{lr}\,\lambda)\,W - \text{lr}\, g$. Measure the
# weights in a unit that shrinks along with them, by $a_t = (1 - \text{lr}\,\lambda)^t$, and the shrinking disappears from the
# equation; the gradients grow by $1/a_t$, and the rate, in the new unit, by $1/a_{t+1}$. So decay is the same as *no* decay and a learning rate that grows
# exponentially. (Work it out on paper, from $W_t = a_t V_t$.)

# %% slideshow={"slide_type": "fragment"}
lr, decay = 0.1, 0.5  # far more decay than anyone uses, to see it in 30 steps
shrink = 1 - lr * decay
with_decay = losses_of(lr=lr, decay=decay)
growing_rate = losses_of(lr=lr, rate=lambda step: shrink ** -(2 * step + 1))
print("rate of the thirtieth step, in units of lr:", round(shrink**-59, 1))
print("largest difference below a billionth:", np.abs(with_decay - growing_rate).max() < 1e-9)
print("and decay did change the training:", np.abs(with_decay - once).max() > 0.01)

# %% [markdown]
# Weight decay before BatchNorm *is* a schedule of the learning rate. (T. van Laarhoven, 2017, on the effective rate; Z. Li and
# S. Arora, 2020, on the exponential schedule. The last layer, and the weights and biases of BatchNorm itself, do have a scale; on them
# decay does what it always does.) Now with a realistic network, five seeds, live: the article's, with decay on its two scale-free matrices.


# %%
def train(network, optimizer, seed, steps):
    order = torch.randperm(60_000, generator=torch.Generator().manual_seed(seed))
    for rows in order.split(64)[:steps]:
        x, y = standardized(mnist.train_images[rows]), mnist.train_labels[rows]
        optimizer.zero_grad()
        cross_entropy(network(x), y).backward()
        optimizer.step()


def share_right(network):
    return 100 * evaluate(network, standardized(mnist.test_images), mnist.test_labels)[1]


# %%
def run_with_decay(decay, seed, lr=0.1):
    network = article_net("batch", seed)
    parameters = dict(network.named_parameters())
    free = [parameters.pop("fc1.weight"), parameters.pop("fc2.weight")]  # the two without a scale
    groups = [{"params": free, "weight_decay": decay}, {"params": parameters.values()}]
    train(network, torch.optim.SGD(groups, lr=lr), seed, steps=100)
    return network.fc1.weight.norm().item(), share_right(network)


# %% tags=["nbval-ignore-output"]
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
print("decay   length of fc1   effective rate   test accuracy")
for decay in (0, 0.03):
    lengths, right = np.array([run_with_decay(decay, seed) for seed in range(5)]).T  # (seeds,) each
    print(
        f"{decay:<7} {spread(lengths, 2):>13} {0.1 / (lengths**2).mean():14.5f} {spread(right):>19} %"
    )

# %% [markdown]
# More decay, shorter weights, larger effective rate. What that does to the accuracy depends on whether the effective rate was
# too small or too large before.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Larger learning rates
#
# Lesson 5 swept the learning rate. Its recorded runs, mean accuracy after one epoch:

# %% slideshow={"slide_type": "-"}
sweep = recorded("learning_rates")
lrs = sweep.different("lr")
print("lr    " + "".join(f"{lr:8}" for lr in lrs))
for norm in ("none", "batch"):
    means = [
        100 * sweep.values("test_accuracy", norm=norm, lr=lr, images=60_000).mean() for lr in lrs
    ]
    print(f"{norm:6}" + "".join(f"{mean:8.1f}" for mean in means))

# %% [markdown] slideshow={"slide_type": "fragment"}
# Without norm 1.0 is the largest rate that works, and 0.3 the best; with BatchNorm a whole decade of rates, from 0.03 to 1, gives the same result to half a point, and 3.0 still
# works. Bjorck and others (2018) see in these larger rates the main cause of BatchNorm's benefit, of its speed and of its better
# generalization.

# %% [markdown] slideshow={"slide_type": "subslide"}
# Here is a mechanism; Arora, Li and Lyu (2019) call it *auto rate-tuning*, and prove that with it the rate need not be tuned for the descent to
# converge. With BatchNorm, a step that is much too large does one thing for certain: it makes the weights long (Pythagoras), and
# long weights have a small effective rate. The next step is tame. Watch the first layer at three rates, the last of them far
# too large:


# %%
def effective_rate(lr, steps):
    network = deep_net("batch", seed=0)
    train(network, torch.optim.SGD(network.parameters(), lr=lr), seed=0, steps=steps)
    return lr / network[1][0].weight.norm().item() ** 2


# %% slideshow={"slide_type": "-"}
print("effective rate of the first layer")
for lr in (0.1, 1.0, 10.0):
    rates = [effective_rate(lr, steps) for steps in (0, 1, 10)]
    print(
        f"lr {lr:4}: {rates[0]:.4f} before, {rates[1]:.4f} after one step, {rates[2]:.4f} after ten"
    )

# %% [markdown]
# (`lr` over the squared length of the *whole* matrix. With BatchNorm each row has a scale of its own to lose, so this is a trend, not the exact rate of
# any row.) At the largest rate the effective one falls by a factor of a hundred in a single step, to less than what the smallest rate began with. A network without norm has
# no such brake. (It is a crude one: the direction after that first step is what chance made of it, and lesson 5 has shown that 10 does not train.)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Gradients that grow from layer to layer
#
# One of the articles says that BatchNorm keeps gradients within a reasonable range. Before training, the opposite is
# true, and the size of the effect can be predicted.

# %% [markdown] slideshow={"slide_type": "fragment"}
# After BatchNorm a unit has variance 1 over the batch. ReLU cuts off its negative half. Take a
# standard normal z.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "What variance is left behind ReLU?",
    0.34,
    within=0.06,
    why="A half is the mean *square* that is left. The mean is no longer 0, and its square goes off.",
)

# %% slideshow={"slide_type": "fragment"}
z = torch.randn(1_000_000, generator=torch.Generator().manual_seed(0))
left = torch.relu(z)
print(f"mean square {left.square().mean():.3f}, variance {left.var():.3f};", end=" ")
print(f"(pi - 1) / (2 pi) = {(math.pi - 1) / (2 * math.pi):.3f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# Over the batch, then, with He's initialization (weights of variance 2 over the number of inputs, which make up for the half that ReLU takes):
#
# | | mean square | variance |
# |---|---|---|
# | after BatchNorm | 1 | 1 |
# | after ReLU | 1/2 | (π − 1)/(2π) |
# | after the next linear layer | 1 | (π − 1)/π |
#
# BatchNorm divides by the root of the last number, in the forward pass to get 1 again. In the backward pass the *gradient* is divided by it too, and nothing makes up for that (ReLU halves the gradient's square, the
# weights double it). So layer by layer, towards the input, it grows by

# %% slideshow={"slide_type": "fragment"}
theory = math.sqrt(math.pi / (math.pi - 1))
print(f"{theory:.3f} a layer, {theory**48:,.0f} over 48 layers")

# %% [markdown]
# Yang and others derive this rate (2019) for wide networks. (That BatchNorm makes the scale of the weights irrelevant tells you that another
# initialization does not help.) Measure it: fifty layers of a hundred units, five seeds.


# %%
def hidden_layer(norm, inputs, units):
    linear = nn.Linear(inputs, units)
    nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")  # He's initialization
    nn.init.zeros_(linear.bias)
    make = {"none": nn.Identity, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm}[norm]
    return [linear, make(units), nn.ReLU()]


def very_deep(norm, seed, depth=50):
    torch.manual_seed(seed)
    layers = [nn.Flatten(), *hidden_layer(norm, 784, 100)]
    for _ in range(depth - 1):
        layers += hidden_layer(norm, 100, 100)
    return nn.Sequential(*layers, nn.Linear(100, 10))


# %%
def gradient_by_layer(network, batch):
    weights = [layer.weight for layer in network if isinstance(layer, nn.Linear)]
    gradients = torch.autograd.grad(cross_entropy(network(batch[0]), batch[1]), weights)
    return np.array([g.norm().item() for g in gradients[1:-1]])  # (49,), between hidden layers


# %%
batch = standardized(mnist.train_images[:256]), mnist.train_labels[:256]
by_layer = {
    norm: np.array([gradient_by_layer(very_deep(norm, seed), batch) for seed in range(5)])
    for norm in ("none", "batch", "layer")
}  # (seeds, 49) each
for norm, sizes in by_layer.items():
    growth = (sizes[:, 0] / sizes[:, -1]) ** (1 / 48)  # (seeds,), a layer
    print(f"{norm:6} grows by {spread(growth, 2)} a layer; in theory, with BatchNorm, {theory:.2f}")

# %% slideshow={"slide_type": "subslide"}
plots.beside(
    np.arange(2, 51), by_layer, "batch", columns=2, log=True, **plots.words("12 explosion")
)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Theory and measurement agree to about a hundredth (a hundred units are not infinitely many). It is BatchNorm itself that makes gradients
# explode; He's initialization without norm, and LayerNorm, do not.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Why it trains all the same
#
# Gradients thousands of times too large in the first layers: how can such a network learn anything? You have the pieces. Those layers have weights without a
# scale. The first step throws them far, at a right angle; they become very long; and their gradients shrink with the length.


# %%
def look_at(network, lr):
    sizes = gradient_by_layer(network, batch)  # (49,)
    linears = [layer for layer in network if isinstance(layer, nn.Linear)][1:-1]
    lengths = np.array([linear.weight.norm().item() for linear in linears])  # (49,)
    moves = lr * sizes / lengths  # (49,), how far a step moves each layer, in its own length
    growth = (sizes[0] / sizes[-1]) ** (1 / 48)  # a layer
    print(f"growth {growth:.2f}, first layer {lengths[0]:3.0f} long,", end=" ")
    print(f"moved by {moves[0]:.0e} of that, the last by {moves[-1]:.0e}")


# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Before training the gradient grows by 1.2 a layer. And after a single step?",
    "by less: 1.1 or below",
    options=["by more: 1.3 or above", "as before, by 1.2", "by less: 1.1 or below"],
)

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "fragment"}
# Output not compared: an exploding gradient makes the rounding of a processor grow with it.
for steps in (0, 1, 2, 10):
    network = very_deep("batch", seed=0)
    train(network, torch.optim.SGD(network.parameters(), lr=0.1), seed=0, steps=steps)
    print(f"after {steps:2} steps: ", end="")
    look_at(network, lr=0.1)

# %% [markdown] slideshow={"slide_type": "subslide"}
# Yang and others report the same in their abstract: after a single
# step the gradients have a far smaller range. But look at the price. The first layer is now dozens of times as long as
# it was: that one step has replaced what it held by something made from 64 images, and each further step moves it by a thousandth of its length or less. And does
# such a network learn? Twenty layers, and fifty:


# %%
def learn(norm, depth, lr, seed):
    network = very_deep(norm, seed, depth)
    train(network, torch.optim.SGD(network.parameters(), lr=lr), seed, steps=60)
    return share_right(network)


# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "-"}
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
for norm, depth, lr in (("none", 20, 0.01), ("batch", 20, 0.1), ("batch", 50, 0.1)):
    right = np.array([learn(norm, depth, lr, seed) for seed in range(5)])
    print(f"{depth} layers, {norm:6} at lr {lr:<5} {spread(right):>12} % right after 60 steps")

# %% [markdown]
# (He's initialization without norm gets the smaller rate here, since at 0.1 it often fails; neither rate was tuned.)

# %% [markdown] slideshow={"slide_type": "subslide"}
# Twenty layers learn, fifty hardly. It is tempting to blame the giant first
# step, and to advise warm-up or clipping. So take the suspect away: 300 steps, five rates, five seeds (recorded). *Warm-up*: the
# rate grows from a millionth to its full size in 50 steps. *Clipped, each layer*: no weight matrix moves by more than a fiftieth of its length in a step.

# %%
fifty = recorded("fifty_layers")


def best_of_five(way):
    def held_out(lr):
        return fifty.values("held_out_accuracy", way=way, lr=lr).mean()

    return max(fifty.different("lr"), key=held_out)


# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Fifty layers without the giant step: which way learns clearly better than the plain one?",
    "neither of the two",
    options=["warm-up", "clipping each layer", "both", "neither of the two"],
    outputs=2,
)

# %% slideshow={"slide_type": "fragment"}
for way in fifty.different("way"):
    one = {"way": way, "lr": best_of_five(way)}
    growth, right = fifty.values("growth_in_step_1", **one), fifty.values("test_accuracy", **one)
    print(f"{way:20} lr {one['lr']}: {spread(100 * right):>10} % right;", end=" ")
    print(f"layer 2 grows {growth.mean():4.1f}-fold in the first step")

# %%
for way in fifty.different("way"):
    one = {"way": way, "lr": best_of_five(way)}
    print(f"{way:20} with the batch's statistics:", end=" ")
    print(f"{spread(100 * fifty.values('with_batch_statistics', **one))} % right")

# %% [markdown] slideshow={"slide_type": "fragment"}
# In the second and third line the giant step is gone. The network does not learn better for it. So
# the price of the first step is real, and it is *not* what keeps fifty layers from learning.

# %% [markdown]
# (Each way at its best rate on held-out digits; none is at the edge of the five. It is not the running statistics either: with those of the test batches the three are as near each other.) What does keep it from learning, this experiment does not say. Yang and others argue that beyond some depth such a network cannot be
# trained, whatever the rate.
#
# *Exploding gradients* are thus a symptom to be read with care: in weights without a scale it is the relative size of
# the step that counts. Residual connections, which the deep networks of today have, remove the problem in another way: there BatchNorm makes each branch small beside the connection that
# goes past it (De and Smith, 2020; it needs a network of its own, and is not tested here).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Is it the noise?
#
# A further explanation, this time not of speed but of generalization. The mean and variance of a batch are a little
# different in each batch; this noise is said to act as a regularizer. One of the articles says so. Test it by taking the noise
# away: train on few digits, all of them in every step, so that the statistics are those of the whole training set. And then put it back, with nothing else
# changed: the same step on all digits, but normalized in random groups of 50, or of 10.
# (*Ghost batches*: Hoffer and others, 2017.) Each loss below is that of the test digits.

# %%
noise = recorded("noise")
print(noise.how["question"], "-", noise.how["duration"])

# %% tags=["guess"]
guess(
    "No norm has a test loss of 0.55, BatchNorm in random groups of 10 one of 0.45. Where will BatchNorm on all 500 "
    "together be, without any noise?",
    "below both",
    options=["above both", "between the two", "below both"],
)

# %% slideshow={"slide_type": "subslide"}
for groups in noise.different("groups"):
    trained, right, loss = (
        noise.values(c, groups=groups) for c in ("train_accuracy", "test_accuracy", "test_loss")
    )
    print(f"{groups:13} train {100 * trained.mean():6.2f} %", end="   ")
    print(f"test {spread(100 * right, 2)} %   test loss {spread(loss, 3)}")

# %%
pairs = [("500 together", "none"), ("50 together", "none"), ("10 together", "none")]
pairs += [("50 together", "500 together"), ("10 together", "500 together")]
for column, scale in (("test_accuracy", 100), ("test_loss", 1)):
    found = {
        pair: scale * (noise.values(column, groups=pair[0]) - noise.values(column, groups=pair[1]))
        for pair in pairs
    }
    p_values = holm({pair: sign_flip_p(values) for pair, values in found.items()})
    for (one, other), values in found.items():
        low, high = sign_flip_interval(values)
        print(
            f"{column:13} {one:12} minus {other:12} {values.mean():+.3f} ({low:+.3f} to {high:+.3f}), p = {p_values[one, other]:.3f}"
        )

# %% [markdown] slideshow={"slide_type": "fragment"}
# All networks know their 500 digits by heart, so this comparison is about generalization alone. **Without any noise** BatchNorm has a test loss lower by a quarter than no norm, and about 0.9 points more right answers
# (p = 0.06: eight seeds and five tests are not enough to call that a difference). **With the noise of groups of 50** nothing gets better; with that of groups of 10 the loss gets worse and the lead in accuracy is gone.
# So here the gain does not come from the noise. What it does come from, this experiment does not say. (500 digits, a full step each time, one learning rate. In larger
# networks, on other data, ghost batches have been reported to help; see the table below. Each of the two measures was corrected for its own five tests.)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Break it on purpose: where the invariance ends
#
# "Scale does not matter" was exact but for `eps`. Shrink the weights until the variance of their outputs comes near it, and it
# ends:

# %% slideshow={"slide_type": "-"}
for factor in (1, 0.1, 0.01, 0.001):
    loss, gradient = loss_and_gradient(factor * weight)
    print(f"weights times {factor:<6} loss {loss:8.3f}   gradient {gradient.norm():10.3f}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# At a tenth the loss is still the same in the digits shown and the gradient ten times as large, as it should be. At a thousandth the variance is below
# `eps = 0.00001`, the outputs shrink, and the loss with them. Strong weight decay with nothing that lengthens the weights again
# leads there.

# %% [markdown]
# ## What the literature says
#
# | year | who | what they say | seen here |
# |---|---|---|---|
# | 2015 | Ioffe, Szegedy | BatchNorm reduces internal covariate shift; that speeds up training; noise of the batch regularizes | speed yes; the shift is not needed for it |
# | 2017 | van Laarhoven | before a norm, weight decay acts on the effective learning rate, not on the function | exactly |
# | 2017 | Hoffer, Hubara, Soudry | small ghost batches within a large one help it generalize | no gain seen, on 500 digits |
# | 2018 | Santurkar and others | the shift can be brought back without loss; the loss is smoother instead | the first nearly (about half a point after 400 steps); the second where both nets learn |
# | 2018 | Kohler and others | BatchNorm separates the length of the weights from their direction; for some problems that speeds up descent | the separation exactly; its speed not tested |
# | 2018 | Bjorck and others | the larger learning rates are the cause, of speed and of generalization; without norm, activations grow with depth at large steps | larger rates yes; cause not tested |
# | 2019 | Yang and others | gradients explode by √(π/(π−1)) a layer in wide ReLU networks; one step later far less | both |
# | 2019 | Luo and others | the batch's noise can be written as an explicit regularizer on the weight γ, in a model that can be solved | not tested |
# | 2019 | Arora, Li, Lyu | before a norm the effective rate tunes itself, and descent converges without tuning lr | the tuning, in one network |
# | 2020 | Li, Arora | weight decay before a norm equals an exponentially growing learning rate | exactly |
# | 2020 | De, Smith | in *residual* networks BatchNorm makes the branches small beside the skip connection at the start: that is what lets them be deep; larger rates help in some regimes only | not tested: no residual networks here |
# | 2020 | Yao and others | Hessians measured: BatchNorm does not always make the loss smoother, least of all in *shallow* residual networks | not tested |
# | 2021 | Lubana, Dick, Tanaka | one view of many norms at the start of training: norms of activations keep a residual network's activations from exploding; the larger the group, the more alike the samples come out; the smaller, the larger the gradients in early layers | not tested: one norm here |
# | 2023 | Kosson, Fan, Jaggi | the noise of ghost batches, imitated without their drawbacks, regularizes | no gain seen, on 500 digits |
#
# **Where they agree:** BatchNorm lets networks train at larger rates, and weights before it have no scale. **Where they do not:**
# whether the shift plays a part (Awais, Bin Iqbal and Bae, 2021, argue against Santurkar and others that a
# normalization with their smoothness but without reducing the shift trains badly), and whether the smoothness does (Yao and others). And "smoother" and "larger rates"
# may be one explanation seen from two sides: where a loss stays smooth for longer, a step may be longer.

# %% [markdown]
# ## Your turn
#
# No exercise to hand in. Three questions; say your answer in a sentence before you open ours.
#
# **1.** A colleague sees gradients of size 3,000 in the first layer of a 50-layer BatchNorm network before training, and clips them to 1. Does it
# help? What should one look at instead?
#
# <details><summary>Answer</summary>
#
# Clipping the whole gradient to length 1 shrinks it for *all* layers by the same factor: the first layer's step becomes harmless, but the last layers' steps become
# thousands of times too small. What counts is each layer's step relative to its own length (the last columns of `look_at`). And a gentler first step is not
# enough: warm-up and clipping layer by layer both tame it, and in the table above neither lets fifty layers learn better.
#
# </details>
#
# **2.** You fine-tune a network with BatchNorm and stop using weight decay. After long training the loss hardly moves any more.
# Give a reason, and the number you would print.
#
# <details><summary>Answer</summary>
#
# Without decay the lengths of the matrices before BatchNorm can only grow, and lr / ‖W‖² falls. Print the length of each such matrix over time. (Print
# the gradient alone, and you may think that a minimum has been reached.)
#
# </details>
#
# **3.** Which of this lesson's results hold for LayerNorm too? Go through them: scale of the weights, weight decay, growth of the gradient, noise.
#
# <details><summary>Answer</summary>
#
# Multiplying the *whole* matrix by a number cancels in LayerNorm as well, so scale and decay work alike; but single rows no longer cancel, since all units share one
# spread. The gradient did not grow in the figure. And there is no batch noise: nothing in it depends on other samples. Test the first
# by replacing `batch_norm` in `loss_and_gradient`, with `nn.functional.layer_norm(inputs @ weight.T, (4,))`.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Test yourself
#
# Five questions before the recap. Choose an answer, and you see at once why it is right or wrong. Your
# first choices count, and the line under the questions says where they are kept.

# %% slideshow={"slide_type": "-"}
self_test("12_why_it_works")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - Most of the lead that BatchNorm has over PyTorch's default weights is He's initialization's as well: take the suspect away before you name a cause. Of what is left, the shift
#   brought back by force costs about a quarter: reducing the shift is not what BatchNorm's speed needs. That does not prove any
#   other explanation, and measures of smoothness mislead where a network stands still.
# - Before BatchNorm a matrix has no scale: gradient 1/length, orthogonal, effective rate lr/‖W‖². Weight decay there is a schedule of the learning rate, exactly;
#   a step that is too large makes the next ones smaller.
# - Gradients grow by about 1.2 a layer in a fresh ReLU network with BatchNorm, as theory says. One step ends most of it. That fifty plain layers learn little all the same is not that step's doing.
# - On 500 digits BatchNorm generalizes better without any noise in its statistics, and adding noise did not improve it.
# - Established: larger rates, no scale, the explosion at the start. Disputed: internal covariate shift, and what noise does.

# %% [markdown]
# ## Go further
#
# - S. Ioffe, C. Szegedy, *Batch Normalization*, ICML 2015, arXiv:1502.03167: the idea and its first explanation.
# - S. Santurkar, D. Tsipras, A. Ilyas, A. Mądry, *How Does Batch Normalization Help Optimization?*, NeurIPS 2018, arXiv:1805.11604: the
#   sabotage, and the smoothness.
# - N. Bjorck, C. Gomes, B. Selman, K. Weinberger, *Understanding Batch Normalization*, NeurIPS 2018, arXiv:1806.02375: larger learning rates.
# - G. Yang, J. Pennington, V. Rao, J. Sohl-Dickstein, S. Schoenholz, *A Mean Field Theory of Batch Normalization*, ICLR 2019, arXiv:1902.08129: the explosion.
# - J. Kohler and others, *Exponential convergence rates for Batch Normalization: The power of length-direction decoupling in non-convex optimization*, AISTATS 2019, arXiv:1805.10694.
# - S. Arora, Z. Li, K. Lyu, *Theoretical Analysis of Auto Rate-Tuning by Batch Normalization*, ICLR 2019, arXiv:1812.03981.
# - S. De, S. L. Smith, *Batch Normalization Biases Residual Blocks Towards the Identity Function in Deep Networks*, NeurIPS 2020, arXiv:2002.10444.
# - Z. Yao, A. Gholami, K. Keutzer, M. Mahoney, *PyHessian: Neural Networks Through the Lens of the Hessian*, 2020, arXiv:1912.07145.
# - E. S. Lubana, R. P. Dick, H. Tanaka, *Beyond BatchNorm: Towards a Unified Understanding of Normalization in Deep Learning*, NeurIPS 2021, arXiv:2106.05956.
# - M. Awais, M. T. Bin Iqbal, S.-H. Bae, *Revisiting Internal Covariate Shift for Batch Normalization*, IEEE Transactions on Neural Networks and Learning Systems 32, 2021.
# - T. van Laarhoven, *L2 Regularization versus Batch and Weight Normalization*, 2017, arXiv:1706.05350: the effective learning rate.
# - Z. Li, S. Arora, *An Exponential Learning Rate Schedule for Deep Learning*, ICLR 2020, arXiv:1910.07454: decay as a schedule.
# - E. Hoffer, I. Hubara, D. Soudry, *Train longer, generalize better*, NeurIPS 2017, arXiv:1705.08741: ghost batches.
# - P. Luo and others, *Towards Understanding Regularization in Batch Normalization*, ICLR 2019, arXiv:1809.00846; A. Kosson, D. Fan, M. Jaggi, *Ghost Noise for Regularizing
#   Deep Neural Networks*, 2023, arXiv:2305.17205: the noise.
