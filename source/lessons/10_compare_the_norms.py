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
# # Compare the norms, and call a difference only what is one
#
# *Lesson 10 · 90 minutes, self-test 10 · medium · the comparison that an article promised*
#
# When you have finished you can
#
# - plan a comparison of networks that is fair: paired seeds, more than one learning rate, a choice
#   that the test images have no say in;
# - test a difference exactly with a few lines of code, and say why five seeds are too few for many
#   comparisons;
# - say how six or seven norms did on MNIST, in accuracy, steps, seconds and generalization, and at
#   batches of 2 to 128;
# - name three ways to get any ranking you like.
#
# **What you need:** [lesson 5](05_mnist_with_batch_norm.ipynb), and a rough idea of LayerNorm, GroupNorm,
# InstanceNorm and RMSNorm (lessons 6 to 9).

# %%
import time
from functools import partial
from itertools import combinations

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from normlab import load_mnist, plots
from normlab.data import ImageDataset
from normlab.exercises import guess, self_test
from normlab.training import article_net, fit_many, recorded
from normlab.training.paired import holm, sign_flip_interval, sign_flip_p

# %%
torch.set_num_threads(1)  # enough for networks this small

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A question first
#
# The article that gave us the network of lesson 5 ends with a comparison. It says that training was timed,
# that convergence and generalization were measured, on several datasets and architectures. What it
# reports is this, in our words: every kind of normalization was better than none; BatchNorm *with affine*
# (its name for learned weight and bias) and GroupNorm came out about alike; LayerNorm converged a little more slowly. There is not one number, no dataset's
# name, no seed.

# %% [markdown] slideshow={"slide_type": "slide"}
# So we run it. Here are the six layers on the article's network, in a short run: 8,000 digits, once, at
# learning rate 0.1, five seeds. `batch-no-affine` is BatchNorm without weight and bias.

# %%
norms = ["none", "batch", "batch-no-affine", "layer", "group", "rms"]
mnist = load_mnist(tensors=True)
some = ImageDataset(
    mnist.train_images[:8000], mnist.train_labels[:8000], mnist.test_images, mnist.test_labels
)

# %% tags=["nbval-ignore-output"]
# Output not compared: a progress bar is drawn while it runs.
builders = {norm: partial(article_net, norm) for norm in norms}
live = fit_many(builders, range(5), some, epochs=1, lr=0.1, device="cpu", jobs=1)

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "By how many points will the best of the six be ahead of the last?",
    10.5,
    within=4,
    unit=" points",
    why="And in which order are the other four?",
)

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "fragment"}
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
live_accuracy = {
    norm: 100 * np.array([run.final.test_accuracy for run in runs]) for norm, runs in live.items()
}
for norm, values in live_accuracy.items():
    print(f"{norm:16} {values.mean():5.1f} ± {values.std(ddof=1):.1f} % right", values.round(1))

# %% [markdown]
# (± is the standard deviation over the seeds.) Some of these six are clearly apart. Others overlap: is one of LayerNorm and GroupNorm
# better here, or did it draw the better seeds? *Looking* at two means is not enough. By the end of this lesson
# you have an answer, and a number that says how sure it is, for runs of a whole epoch.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What makes it fair
#
# Before any number come the decisions. A comparison is worth no more than they are.
#
# | decision | here | because |
# |---|---|---|
# | what differs | the norm alone | one seed gives all networks the same weights and the same batches |
# | seeds | ten | see the next section |
# | learning rates | two, a factor of four to ten apart | a norm may win at one rate and lose at the other |
# | networks | the article's MLP; a CNN with two convolutions | InstanceNorm means something only where there are pixels |
# | what is measured | accuracy at the end, steps to 95 % and 97 %, seconds, training against test | what the article names |
# | which pairs are compared | each norm with *none*, each norm with *BatchNorm* | decided before the results were seen |
# | what is called a difference | what an exact paired test supports after a correction for their number | see below |

# %% [markdown]
# This takes minutes, not the seconds of a lesson, so it was run once and recorded. The file says how:

# %%
mlp = recorded("norms_mlp")
mlp.how

# %% [markdown]
# One epoch of 60,000 digits in batches of 64 for each of the 120 runs. Everything from here to the
# batch sizes is computed from recorded runs; where something runs live, the text says so. Test accuracies in percent:


# %%
def accuracy(recording, norm, **chosen):
    return 100 * recording.values("test_accuracy", norm=norm, **chosen)  # (seeds,)


def print_accuracies(recording, lrs):
    print(f"{'':16}" + "".join(f"{f'lr {lr}':>18}" for lr in lrs))
    for norm in recording.different("norm"):
        cells = [accuracy(recording, norm, lr=lr) for lr in lrs]  # (seeds,) each
        print(f"{norm:16}" + "".join(f"{v.mean():11.2f} ± {v.std(ddof=1):.2f}" for v in cells))


print_accuracies(mlp, lrs=[0.01, 0.1])

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Five seeds, by hand
#
# Take LayerNorm against BatchNorm at learning rate 0.01, and only the first five seeds. Each seed gives one
# difference:

# %% slideshow={"slide_type": "-"}
five = (accuracy(mlp, "layer", lr=0.01) - accuracy(mlp, "batch", lr=0.01))[:5]  # (5,)
five.round(2)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Suppose the two layers did not differ. Then a coin decided which of the two came out ahead with a
# seed: each difference might as well have had the other sign. So flip the signs, in every possible
# way, and see where the mean that was found lies among the means that chance would make.

# %% slideshow={"slide_type": "slide"}
signs = np.array(np.meshgrid(*[[1, -1]] * 5)).reshape(5, -1).T  # (32, 5), every pattern of signs
means = signs @ five / 5  # (32,)
np.sort(means).round(2)

# %% slideshow={"slide_type": "fragment"}
as_extreme = np.abs(means) >= abs(five.mean()) - 1e-12
print(f"{as_extreme.sum()} of {len(means)} patterns are as far from 0: p = {as_extreme.mean():.4f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# This is the **sign-flip test**, also called a paired permutation test (R. A. Fisher, 1935). It assumes no
# normal distribution, only that without a difference plus and minus are equally likely. And it has a floor:
# the pattern that was found counts, and so does its mirror image.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("What is the smallest p-value that eight seeds can give?", 0.0078, within=0.0002)

# %% slideshow={"slide_type": "-"}
print([f"{seeds} seeds: {2 / 2**seeds:.4f}" for seeds in (5, 8, 10)])

# %% [markdown] slideshow={"slide_type": "slide"}
# However clear the result, five seeds never reach the customary 0.05. That is why lesson 5 looked at the *size* of its
# differences too, with Student's *t*, which pays for its power with an assumption. Here we have ten seeds.
# The package's `sign_flip_p` does what you did, and `sign_flip_interval` gives all the true differences
# that the test would not reject at 0.05: a 95 % interval without a bell curve.

# %% slideshow={"slide_type": "-"}
ten = accuracy(mlp, "layer", lr=0.01) - accuracy(mlp, "batch", lr=0.01)  # (10,)
low, high = sign_flip_interval(ten)
print(
    f"mean {ten.mean():+.2f} points, interval {low:+.2f} to {high:+.2f}, p = {sign_flip_p(ten):.4f}"
)
print("five seeds, as by hand:", sign_flip_p(five) == as_extreme.mean())

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Eighteen questions at once
#
# Five norms against none, four against BatchNorm, at two learning rates: eighteen tests. Suppose that no norm made
# any difference at all, and that the tests are independent.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "How likely is it that at least one of the eighteen p-values falls below 0.05?",
    60,
    within=7,
    unit=" %",
)

# %% slideshow={"slide_type": "fragment"}
print(f"{1 - 0.95**18:.0%}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# That is how often you would announce a discovery where there is none. **Holm's correction** (1979) prevents that: multiply the smallest
# p-value by the number of tests, the next by one less, and so on, and never let a larger p-value become smaller
# than one before it. What is then still below 0.05 is called a difference. With five seeds nothing
# could be; with ten the smallest possible p-value survives:

# %% slideshow={"slide_type": "fragment"}
print(f"five seeds: {18 * 2 / 2**5:.2f}, ten seeds: {18 * 2 / 2**10:.3f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# But only the smallest: all ten seeds must agree in sign before anything is called a difference. How often is a difference that is there then found? That is
# the *power* of the plan, and it can be computed before any network is trained. Draw a thousand experiments in which the true difference is as large as the scatter of the pairs (or half, one and a half times, twice as
# large).

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "A true difference of one standard deviation: in what share of the experiments is it found?",
    18,
    within=8,
    unit=" %",
)

# %% slideshow={"slide_type": "fragment"}
all_signs = np.array(np.meshgrid(*[[1, -1]] * 10)).reshape(10, -1).T  # (1024, 10)
drawing = np.random.default_rng(0)
for size in (0.5, 1, 1.5, 2):
    drawn = drawing.normal(size, 1, (1000, 10))  # (experiments, seeds)
    extreme = np.abs(drawn @ all_signs.T) >= np.abs(drawn.sum(1))[:, np.newaxis] - 1e-9
    called = 18 * extreme.mean(1) < 0.05  # (experiments,)
    print(f"difference of {size} standard deviations: found in {called.mean():.0%}")

# %% [markdown]
# (Found means: called a difference in the first step of Holm's correction.) Keep the second line in mind
# wherever "no difference seen" is said below: such a plan misses a difference as large as the scatter in four of five experiments.


# %%
def compare(recording, lrs, column="test_accuracy", scale=100):
    """Differences from none and from BatchNorm, with p-values corrected over all of them."""
    pairs = [
        (norm, other, lr)
        for other in ("none", "batch")
        for lr in lrs
        for norm in recording.different("norm")
        if norm != other and (norm, other) != ("none", "batch")
    ]
    found = {}
    for norm, other, lr in pairs:
        one, two = (recording.values(column, norm=name, lr=lr) for name in (norm, other))
        found[norm, other, lr] = scale * (one - two)  # (seeds,)
    return found, holm({pair: sign_flip_p(values) for pair, values in found.items()})


# %%
mlp_found, mlp_p = compare(mlp, lrs=[0.01, 0.1])
len(mlp_found)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The article's network: accuracy after one epoch


# %%
def draw(found, other, lrs, figure):
    panels = {
        f"learning rate {lr}": {
            norm: (values, sign_flip_interval(values))
            for (norm, against, rate), values in found.items()
            if against == other and rate == lr
        }
        for lr in lrs
    }
    return plots.differences(panels, **plots.words(figure))


# %% slideshow={"slide_type": "-"}
draw(mlp_found, "none", [0.01, 0.1], "10 MLP, none")

# %% [markdown] slideshow={"slide_type": "fragment"}
# The small strokes are the seeds, the diamond is their mean, the bar the interval; a filled diamond has
# an interval without 0. At the article's rate, 0.01, all five norms are about thirteen points ahead, since the network without norm has hardly begun; at
# 0.1 two to four points are left. On this network the article's first sentence is right at both rates.

# %% slideshow={"slide_type": "slide"}
without_none = {pair: values for pair, values in mlp_found.items() if pair[0] != "none"}
draw(without_none, "batch", [0.01, 0.1], "10 MLP, BatchNorm")

# %% [markdown] slideshow={"slide_type": "fragment"}
# BatchNorm is ahead of LayerNorm and GroupNorm at both rates, by 0.4 and by 1.25 points. From RMSNorm no difference is seen at one rate; at the
# other BatchNorm is ahead. And what the learned weight and bias add is a few hundredths of a point at 0.01, and nothing to be seen at 0.1.

# %% [markdown]
# In words, with the corrected p-values:


# %%
def print_verdicts(found, p_values, other, unit="points"):
    for (norm, against, lr), values in found.items():
        if against == other:
            p = p_values[norm, against, lr]
            verdict = (
                "no difference seen" if p >= 0.05 else ("more" if values.mean() > 0 else "less")
            )
            print(f"lr {lr:<5} {norm:16} {values.mean():+7.2f} {unit}   p = {p:.3f}   {verdict}")


print_verdicts(mlp_found, mlp_p, "batch")

# %% [markdown] slideshow={"slide_type": "slide"}
# "No difference seen" is not "no difference": the interval says how large a difference may still hide
# there. And the question from the beginning, whether one of GroupNorm and LayerNorm is better? (Two more tests, outside the eighteen.)

# %% slideshow={"slide_type": "-"}
for lr in (0.01, 0.1):
    values = accuracy(mlp, "group", lr=lr) - accuracy(mlp, "layer", lr=lr)  # (seeds,)
    low, high = sign_flip_interval(values)
    print(f"lr {lr}: group minus layer {values.mean():+.2f} points", end=" ")
    print(f"({low:+.2f} to {high:+.2f}), p = {sign_flip_p(values):.2f}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# No difference seen, at either rate, and not much room for one.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Convergence: steps to 95 % and 97 %
#
# Every 134 steps the test accuracy was measured. The first measurement at or above the goal counts. (So
# "268 steps" means: more than 134, at most 268.) Not every run gets there in one epoch:


# %%
def print_steps(recording, lr, goals=(95, 97)):
    for norm in recording.different("norm"):
        line = f"lr {lr:<5} {norm:16}"
        for goal in goals:
            steps = recording.values(f"steps_to_{goal}", norm=norm, lr=lr)  # (seeds,), NaN: never
            there = steps[~np.isnan(steps)]
            mean = f"{there.mean():4.0f} steps" if len(there) else "          "
            line += f"   {goal} %: {len(there):2} of {len(steps)} runs {mean}"
        print(line)


# %% slideshow={"slide_type": "-"}
print_steps(mlp, lr=0.1)
print_steps(mlp, lr=0.01)

# %% [markdown] slideshow={"slide_type": "subslide"}
# Read the counts first: where few runs arrived, those were the quick ones, and their mean makes the norm look better than it is. The
# curves show the whole way. Each panel repeats BatchNorm, the thin line without markers:


# %%
def courses(recording, lr, measurements):
    return {
        norm: np.array(
            [
                100 - 100 * recording.values(f"accuracy_{i}", norm=norm, lr=lr)
                for i in range(1, measurements + 1)
            ]
        ).T  # (seeds, measurements)
        for norm in recording.different("norm")
    }


# %% slideshow={"slide_type": "-"}
plots.beside(
    134 * np.arange(1, 8),
    courses(mlp, lr=0.1, measurements=7),
    "batch",
    log=True,
    **plots.words("10 MLP, curves"),
)

# %% [markdown]
# At 0.1 BatchNorm gets to 95 % in the first 268 steps, LayerNorm, GroupNorm and RMSNorm in 430 to 540; only BatchNorm gets to 97 % within the epoch. Its weight and bias make no visible
# difference to the curve.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Training time
#
# A norm that needs fewer steps may still lose if each step takes longer. Times are the one thing here that
# depends on your machine, so this cell runs live: blocks of steps of each network in turn, and for each
# network its quickest block, since whatever else the machine does can only slow a block down.


# %%
def seconds_for_steps(network, batch, steps=40):
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    start = time.perf_counter()
    for _ in range(steps):
        optimizer.zero_grad()
        cross_entropy(network(batch[0]), batch[1]).backward()
        optimizer.step()
    return (time.perf_counter() - start) / steps


# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "-"}
# Output not compared: these are timings.
batch = (mnist.train_images[:64] / 255, mnist.train_labels[:64])
networks = {norm: article_net(norm) for norm in norms}
blocks = [[seconds_for_steps(net, batch) for net in networks.values()] for _ in range(12)]
quickest = np.min(blocks, axis=0)  # (norms,)
for norm, seconds in zip(norms, quickest, strict=True):
    print(f"{norm:16} {1000 * seconds:.2f} ms a step, {seconds / quickest[0]:.2f} of none")

# %% [markdown]
# On this network a norm costs some tens of percent at most; on a GPU, and in networks with convolutions, the ratios are
# different. (On the CPU PyTorch puts RMSNorm together from several operations, while LayerNorm is a single one; [lesson 9](09_rms_norm_and_relatives.ipynb) shows them. That RMSNorm is cheaper, as its
# paper reports, does not show here.) And what counts is the time until a goal: the recorded steps to 95 % at learning rate 0.1, times what a step costs here.

# %% tags=["nbval-ignore-output"]
# Output not compared: these are timings.
for norm, seconds in zip(norms, quickest, strict=True):
    steps = mlp.values("steps_to_95", norm=norm, lr=0.1)  # (seeds,), NaN: never
    needed = f"{seconds * steps.mean():.2f} s" if np.isfinite(steps).all() else "not in an epoch"
    print(f"{norm:16} {needed}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# The steps that BatchNorm saves are worth more than what each of its steps costs. (The recorded files hold seconds too, but each run was timed only once, while
# another was running: too rough for ratios like these.)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Generalization
#
# The article's third measure. How much better is a network on digits that it has trained on than on new
# ones? The *gap* is training accuracy (on the first 10,000 training digits) minus test accuracy.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Which of the six networks has by far the smallest gap?",
    "the one that is worst on the test",
    options=[
        "the one that is best on the test",
        "the one that is worst on the test",
        "none of them; all have about the same",
    ],
)

# %% slideshow={"slide_type": "-"}
for norm in mlp.different("norm"):
    trained = 100 * mlp.values("train_accuracy", norm=norm, lr=0.1)  # (seeds,)
    gap = trained - accuracy(mlp, norm, lr=0.1)
    print(
        f"{norm:16} train {trained.mean():.2f}   test {accuracy(mlp, norm, lr=0.1).mean():.2f}",
        end="",
    )
    print(f"   gap {gap.mean():+.2f} ± {gap.std(ddof=1):.2f}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# Read the columns "test" and "gap" together. **A gap after equal steps is a measure of how far a network has got**, not of how well it
# generalizes: one that has learned little knows its training digits as badly as the new ones. To compare generalization itself, all networks must have learned their training set; lesson 12
# does that, on few digits.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A convolutional network, with InstanceNorm
#
# In an MLP each unit of a sample is one number; InstanceNorm would subtract it from itself, and 0 would be left. With
# pixels it means something: each channel of each image is normalized by itself. So here it joins in. The network
# has two convolutions (16 and 32 channels), a norm after each, and one linear layer. It sees 16,000 digits once, in 250 steps.

# %%
cnn = recorded("norms_cnn")
print(cnn.how["duration"])
print_accuracies(cnn, lrs=[0.05, 0.2])

# %%
cnn_found, cnn_p = compare(cnn, lrs=[0.05, 0.2])
print(
    len(cnn_found),
    "tests; smallest p possible after the correction:",
    f"{len(cnn_found) * 2 / 2**10:.3f}",
)

# %% slideshow={"slide_type": "-"}
without_rms = {pair: values for pair, values in cnn_found.items() if pair[0] != "rms"}
draw(without_rms, "none", [0.05, 0.2], "10 CNN, none")

# %%
print_verdicts(cnn_found, cnn_p, "none")
print()
print_verdicts(cnn_found, cnn_p, "batch")

# %%
for lr in (0.05, 0.2):
    values = cnn_found["instance", "batch", lr]  # (seeds,)
    low, high = sign_flip_interval(values)
    print(
        f"lr {lr}: instance minus batch {values.mean():+.2f} ({low:+.2f} to {high:+.2f}),", end=" "
    )
    print(f"behind in {(values < 0).sum()} of {len(values)} seeds")

# %% [markdown]
# (RMSNorm is left out of the figure: at 0.2 one of its ten runs diverged, to about 11 %, and would stretch the axis. It stays in the tests, where such a run
# makes the interval wide. A mean over ten runs with one failure describes none of them; look at the seeds.)

# %% [markdown] slideshow={"slide_type": "subslide"}
# Three things to take from these tables. **The rate decides.** At 0.05 every norm is far ahead of none. At 0.2 none has made up more than half of that, and LayerNorm
# is *behind* none: "better" here always means "better at this rate". **Between InstanceNorm and BatchNorm no difference is called**; but look at the interval: at 0.05, taken alone,
# it leaves 0 out, and InstanceNorm is behind with eight of ten seeds. That is a reason for more seeds, not a proof that the two are the same. **A small difference can be certain.** At 0.05 BatchNorm with weight and bias is ahead of BatchNorm without by five hundredths of a point, and the test calls it a difference, since the two networks
# are so alike that seed after seed the sign is the same. That is five of 10,000 images; at 0.2 it is fourteen times as many.

# %%
print_steps(cnn, lr=0.2)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Convergence, tested.** The article's third sentence is about *speed*, not about the end: in our words, LayerNorm converged a little more slowly than BatchNorm and GroupNorm. The earlier a run's accuracy rises, the higher is its mean
# over all measurements. So compare that mean, in both networks, between LayerNorm and each of the two:


# %%
def on_the_way(recording, norm, lr, measurements):
    runs = [recording.values(f"accuracy_{i}", norm=norm, lr=lr) for i in range(1, measurements + 1)]
    return 100 * np.mean(runs, axis=0)  # (seeds,)


speed = {}
for name, recording, lrs, measurements in (
    ("MLP", mlp, (0.01, 0.1), 7),
    ("CNN", cnn, (0.05, 0.2), 5),
):
    for lr in lrs:
        layer = on_the_way(recording, "layer", lr, measurements)
        for other in ("batch", "group"):
            speed[name, lr, other] = layer - on_the_way(recording, other, lr, measurements)
speed_p = holm({case: sign_flip_p(values) for case, values in speed.items()})

# %% slideshow={"slide_type": "-"}
for (name, lr, other), values in speed.items():
    low, high = sign_flip_interval(values)
    print(f"{name} lr {lr:<4}  layer minus {other}  {values.mean():+6.2f} points", end="")
    print(f" ({low:+.2f} to {high:+.2f})  p = {speed_p[name, lr, other]:.3f}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# (Eight tests, corrected together.) LayerNorm is slower than BatchNorm in all four settings. It is slower than GroupNorm in the CNN, at both rates; in the MLP no difference is seen, and
# at 0.01 not much room is left for one.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Batches of 2 to 128
#
# All of that was at batches of 64. Now the article's network sees 3,000 digits once, in batches of 2, 4, 8, 32 or
# 128. Larger batches mean fewer steps, so compare norms *within* a batch size, not one size with another. For
# each norm and size there were two learning rates, and one has to be chosen. **Not on the test images:** the better
# of two test accuracies is a number that is too good. The choice is made on 5,000
# other digits, by the mean over the seeds:

# %%
sizes_run = recorded("norms_by_batch_size")
sizes = sizes_run.different("batch_size")


def chosen_lr(norm, size):
    def validated(lr):
        chosen = {"norm": norm, "batch_size": size, "lr_at_64": lr}
        return sizes_run.values("validation_accuracy", **chosen).mean()

    return max(sizes_run.different("lr_at_64"), key=validated)


# %%
def tested(norm, size):
    chosen = {"norm": norm, "batch_size": size, "lr_at_64": chosen_lr(norm, size)}
    return 100 * sizes_run.values("test_accuracy", **chosen)  # (seeds,)


# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "With batches of two, the network without norm reads about 85 % of the test digits. "
    "How many does the one with BatchNorm read?",
    63,
    within=12,
    unit=" %",
)

# %%
by_size = {
    norm: np.array([tested(norm, size) for size in sizes]).T  # (seeds, sizes)
    for norm in sizes_run.different("norm")
}
print(f"{'batch size':10}" + "".join(f"{size:8}" for size in sizes))
for norm, values in by_size.items():
    print(f"{norm:10}" + "".join(f"{mean:8.1f}" for mean in values.mean(0)))
rates = sizes_run.different("lr_at_64")
print(f"chosen for batch at 2, of the rates {rates} (at 64): {chosen_lr('batch', 2)}")

# %% slideshow={"slide_type": "subslide"}
plots.beside(
    np.array(sizes), by_size, "batch", columns=2, log_x=True, **plots.words("10 batch sizes")
)

# %%
size_found = {
    (norm, size): by_size[norm][:, i] - by_size["batch"][:, i]  # (seeds,)
    for norm in by_size
    if norm != "batch"
    for i, size in enumerate(sizes)
}
size_p = holm({pair: sign_flip_p(values) for pair, values in size_found.items()})
for norm in ("none", "layer", "group", "rms"):
    cells = [(size_found[norm, size].mean(), size_p[norm, size]) for size in sizes]
    print(f"{norm:6}" + "".join(f"{mean:+9.1f}{'*' if p < 0.05 else ' '}" for mean, p in cells))

# %% [markdown]
# (Difference from BatchNorm in points, by batch size; a star where the corrected p-value is below 0.05.)

# %% [markdown] slideshow={"slide_type": "subslide"}
# With batches of two BatchNorm loses 25 points to every other norm, and 22 to no norm at all: lesson 2 showed that of two samples it
# keeps only which one had the larger value. (This is the MLP. In [lesson 8](08_group_norm.ipynb)'s CNN a mean is made of hundreds of numbers even then, and BatchNorm has
# no such collapse.) At four the other norms are about a point ahead of it, which after the correction, with ten
# seeds and twenty tests, is not enough to be called a difference. At 32 and 128 it is ahead of all of them. LayerNorm, GroupNorm and RMSNorm hardly change between 2 and 32, as you would expect, since no
# sample of theirs knows of another; at 128 they fall because there are only 24 steps, not because of the batch. (Two rates for each are a coarse choice:
# a third, beyond the chosen one, might be better still. At 2 the smaller of the two rates was chosen for BatchNorm.)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The summary, made by code


# %%
def sign(found, p_values, norm, other, lr):
    if (norm, other, lr) not in found:
        return "."
    if p_values[norm, other, lr] >= 0.05:
        return "="
    return "+" if found[norm, other, lr].mean() > 0 else "-"


# %%
four = [
    (mlp_found, mlp_p, 0.01),
    (mlp_found, mlp_p, 0.1),
    (cnn_found, cnn_p, 0.05),
    (cnn_found, cnn_p, 0.2),
]

# %% slideshow={"slide_type": "-"}
print(f"{'':16} {'MLP lr 0.01':^13} {'MLP lr 0.1':^13} {'CNN lr 0.05':^13} {'CNN lr 0.2':^13}")
for norm in cnn.different("norm"):
    cells = [
        " ".join(sign(found, p_values, norm, other, lr) for other in ("none", "batch"))
        for found, p_values, lr in four
    ]
    print(f"{norm:16}" + "".join(f" {cell:^13}" for cell in cells))
print("first sign: against none; second: against BatchNorm")
print("+ more accurate, - less accurate, = no difference seen, . not compared")

# %% [markdown]
# (The eighteen tests on the MLP and the twenty-two on the CNN were corrected as two families. That was a decision: taken as one family of forty, the smallest possible p-value of ten seeds would be
# 40 · 2/1024 = 0.078, and nothing in the table could be called a difference.)

# %% [markdown]
# And the article's three sentences, one by one:

# %%
gained = [sign(mlp_found, mlp_p, norm, "none", lr) for norm in norms[1:] for lr in (0.01, 0.1)]
print(f"Every norm beats none: {gained.count('+')} of {len(gained)} cases on the MLP,", end=" ")
gained = [
    sign(cnn_found, cnn_p, norm, "none", lr)
    for norm in cnn.different("norm")[1:]
    for lr in (0.05, 0.2)
]
print(f"{gained.count('+')} of {len(gained)} on the CNN")

# %%
for norm, sentence in [
    ("group", "GroupNorm and BatchNorm are alike"),
    ("layer", "LayerNorm is a little slower"),
    ("batch-no-affine", "weight and bias improve BatchNorm"),
]:
    signs_seen = [sign(found, p_values, norm, "batch", lr) for found, p_values, lr in four]
    print(f"article: {sentence:35} here {norm:15} against batch: {' '.join(signs_seen)}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# The first sentence holds on the MLP and in ten of twelve cases on the CNN; at the larger rate LayerNorm was behind none, and RMSNorm had a run that diverged. The second does not hold: GroupNorm was behind BatchNorm
# in all four settings. The third holds against BatchNorm in all four, at the end as on the way; against GroupNorm it holds in the CNN alone. And the article's claim that the affine transformation improves the result holds where a difference
# was seen at all, by 0.05 to 0.74 points. All of this with these networks, these rates, these lengths.

# %% [markdown]
# ## What it does not show
#
# - **Other data.** MNIST is easy: nearly every network gets nearly everything right, and what remains to be
#   compared is fractions of a percent. Ten seeds make a fraction certain; they do not make it important.
# - **Other networks.** Two or three layers. Deep networks, residual connections, attention are another
#   matter (lesson 12 goes to fifty layers); so are long trainings: these runs are short, and measure who is
#   *ahead*, not who is best in the end.
# - **Other optimizers.** Plain SGD with a constant rate. Nothing was tuned beyond two rates.
# - **The test set's own chance.** Seeds vary the weights and the batches; the 10,000 test images are always
#   the same ones.
# - **"No difference seen"** at ten seeds leaves room for one as large as the interval.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Break it on purpose: three ways to the ranking you like
#
# **Use one seed.** Which norm is best on the article's network at learning rate 0.1? Ask each of the ten seeds alone
# to put the six in order.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("How many different orders do ten seeds give?", 7, within=1)

# %% slideshow={"slide_type": "-"}
table = np.array([accuracy(mlp, norm, lr=0.1) for norm in norms])  # (norms, seeds)
orders = [" > ".join(norms[i] for i in np.argsort(-table[:, seed])) for seed in range(10)]
print("\n".join(f"seed {seed}: {order}" for seed, order in enumerate(orders)))
print(len(set(orders)), "different orders")

# %% [markdown] slideshow={"slide_type": "subslide"}
# One seed says that RMSNorm is the best of all, another puts it next to last. They all agree that *none* comes last, and on little more than that.
#
# **Use one learning rate.** The same networks, the same seeds:

# %% slideshow={"slide_type": "-"}
for lr in (0.01, 0.1):
    means = {norm: accuracy(mlp, norm, lr=lr).mean() for norm in norms}
    print(
        f"lr {lr:<5}"
        + " > ".join(
            f"{norm} {means[norm]:.2f}" for norm in sorted(means, key=means.get, reverse=True)
        )
    )

# %% [markdown]
# At 0.01 RMSNorm is a hair's breadth from BatchNorm; at 0.1 it is clearly behind, and BatchNorm without affine has moved from third to first place. With one rate and one seed you could report almost any order, in good faith.
#
# **Forget the pairs.** A seed that gives one network a good start often gives one to the other too, and then paired differences
# scatter less than unpaired ones. Whether they do, and by how much, depends on the two networks:

# %%
for norm, other in (("batch-no-affine", "batch"), ("layer", "batch"), ("none", "layer")):
    one, two = accuracy(mlp, norm, lr=0.01), accuracy(mlp, other, lr=0.01)
    apart = np.sqrt(one.var(ddof=1) + two.var(ddof=1))
    print(f"{norm:16} minus {other:6} paired {np.std(one - two, ddof=1):.3f}, unpaired {apart:.3f}")

# %% [markdown]
# For two networks as alike as BatchNorm with and without affine, pairing makes the scatter eight times smaller: a difference of a few hundredths of a point becomes visible that would otherwise need many more seeds. Between
# BatchNorm and LayerNorm it gains next to nothing: after a few hundred steps they share little of their seed's luck. And between no norm and LayerNorm it *loses* a little: here the seeds that were good for one
# were rather bad for the other. How often does that happen? The two recordings hold 72 pairs: two networks at one rate.

# %% tags=["guess"]
guess("In how many of the 72 pairs does pairing make the scatter larger?", 12, within=6)

# %%
larger = [
    np.std(one - two, ddof=1) > np.hypot(one.std(ddof=1), two.std(ddof=1))
    for recording in (mlp, cnn)
    for lr in recording.different("lr")
    for one, two in combinations(
        [accuracy(recording, n, lr=lr) for n in recording.different("norm")], 2
    )
]
print(f"pairing makes the scatter larger in {sum(larger)} of {len(larger)} pairs of networks")

# %% [markdown]
# So pairing helps as a rule, and not always. Decide for it beforehand: to choose, afterwards, the test that comes out better is a fourth way to the ranking you like.

# %% [markdown]
# ## Your turn
#
# There is no exercise to hand in. One question and two experiments.
#
# **1.** A friend compares two optimizers with six seeds. One is ahead with all six, and she has compared four pairs of
# optimizers in all.

# %% tags=["guess"]
guess(
    "What is the p-value of this pair after Holm's correction, the smallest of the four?",
    0.125,
    within=0.001,
)

# %%
print(
    [f"{seeds} seeds: {2 / 2**seeds:.3f}, of four tests {4 * 2 / 2**seeds:.3f}" for seeds in (6, 8)]
)

# %% [markdown]
# Six seeds would have been enough for one test, and are not for four. Eight would do.
#
# **2.** `fit_many` gives all networks the same batches. Find out whether it is the weights or the order of the
# batches that makes seeds differ: train with `article_net(norm, 0)` for all seeds. What happens to the spread?
#
# <details><summary>How to begin</summary>
#
# `builders = {norm: lambda seed, norm=norm: article_net(norm, 0) for norm in norms}`, then as in the first cells (with
# `jobs=1`, since a lambda cannot travel to another process). Compare `std(ddof=1)` over at least ten seeds with that of the cell
# above: what is left comes from the order alone. A spread is itself uncertain: over ten seeds by about a quarter of its size.
#
# </details>
#
# **3.** Is the order of the six at learning rate 0.3 that of 0.01 or of 0.1? Plan it first: seeds, pairs, tests, what you
# will call a difference.
#
# <details><summary>How to begin</summary>
#
# ```python
# from dataclasses import replace
# from normlab.training import find_experiment, run_live
# plan = find_experiment("norms_mlp")
# settings = [{"norm": norm, "lr": 0.3, "seed": seed} for norm in norms for seed in range(10)]
# mine = run_live(replace(plan, settings=settings))
# found, p_values = compare(mine, lrs=[0.3])
# ```
#
# It takes a few minutes.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Test yourself
#
# Five questions before the recap. Choose an answer, and you see at once why it is right or wrong. Your
# first choices count, and the line under the questions says where they are kept.

# %% slideshow={"slide_type": "-"}
self_test("10_compare_the_norms")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - A fair comparison decides beforehand what differs (the norm alone), over what (paired seeds, several
#   learning rates), and what will be called a difference. Choices are made on images that are not the test's.
# - The sign-flip test counts patterns of signs; its smallest p-value with n seeds is 2 / 2ⁿ. Many comparisons need a
#   correction (Holm's), and therefore more than five seeds.
# - On MNIST, at batches of 64: on the MLP every norm beats none; BatchNorm is ahead of LayerNorm and GroupNorm in every setting; weight and bias add next to nothing on the MLP. On the CNN no difference is
#   called between InstanceNorm and BatchNorm, LayerNorm is slower than GroupNorm, and at a large rate it is behind no norm at all. With batches of two the MLP with BatchNorm loses to all the others; lesson 8's CNN with BatchNorm does not.
# - The power of a plan can be computed beforehand. With ten seeds and eighteen tests a difference as large as the scatter is missed in four of five cases: "no difference seen" is not "equal".
# - One seed, one learning rate, forgotten pairs: each gives you a ranking, and none of them can be trusted.
#
# All of this puts another norm into one place. Where it stands can matter more than which it is:
# [lesson 14](14_norms_in_a_modern_transformer.ipynb) trains one block with its norms in five places.

# %% [markdown]
# ## Go further
#
# - R. A. Fisher, *The Design of Experiments*, 1935: the test that flips the signs, in its third chapter.
# - S. Holm, *A Simple Sequentially Rejective Multiple Test Procedure*, Scandinavian Journal of Statistics 6, 1979.
# - Y. Wu, K. He, *Group Normalization*, ECCV 2018, arXiv:1803.08494: batch sizes from 32 down to 2, on ImageNet;
#   the error of BatchNorm rises as batches shrink, that of GroupNorm stays.
# - B. Zhang, R. Sennrich, *Root Mean Square Layer Normalization*, NeurIPS 2019, arXiv:1910.07467: what it saves in time,
#   on their machines.
# - Y. Wu, J. Johnson, *Rethinking "Batch" in BatchNorm*, 2021, arXiv:2105.07576: what else hangs on the choice of the batch.
