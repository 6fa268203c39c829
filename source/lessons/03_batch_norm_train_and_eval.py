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
# # Give one image one answer: train and eval
#
# *Lesson 3 · 75 minutes, self-test 10 · medium · the two modes of BatchNorm, and what goes wrong between them*
#
# When you have finished you can
#
# - say why BatchNorm needs two modes, and which statistics each of them uses;
# - update the running statistics by hand, and predict what is in the buffers after any number of
#   batches, for every kind of `momentum`;
# - recognise four failures from outside: `eval()` forgotten, `no_grad` taken for `eval`, "frozen"
#   layers that drift, one NaN that never leaves;
# - fold a trained BatchNorm into the linear layer before it.
#
# **What you need:** [lesson 2](02_batch_norm_forward.ipynb). The network is the one of
# [Start here](00_start_here.ipynb): 784 pixels, hidden layers of 256 and 128 units, 10 digits, and a
# BatchNorm layer, `bn1` and `bn2`, after each of its first two linear layers, `fc1` and `fc2`.

# %%
import copy

import numpy as np
import torch
from torch import nn

from normlab import load_mnist, parity, plots
from normlab.exercises import check, guess, self_test, yours
from normlab.training import article_net, fit

np.set_printoptions(precision=4, suppress=True)
torch.set_num_threads(1)  # the networks here are small

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A question first
#
# We train the article's network with BatchNorm for one epoch, five times, with five seeds. That
# takes a few seconds each.

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "-"}
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
networks, accuracies = [], []
for seed in range(5):
    networks.append(article_net("batch", seed))
    accuracies.append(fit(networks[-1], epochs=1, lr=0.1, seed=seed).final.test_accuracy)
print("  ".join(f"{accuracy:.1%}" for accuracy in accuracies))

# %% [markdown] slideshow={"slide_type": "subslide"}
# All five are good. Now we leave them in training mode, as someone does who has never heard of
# `eval()`, and ask for the labels of 2,000 of the test images in batches of 8. Then we shuffle the images and
# ask again, ten times in all. Each image is the same each time; its seven companions are not.

# %%
mnist = load_mnist(tensors=True)
images = mnist.test_images[:2000].flatten(1) / 255  # (2000, 784)
labels = mnist.test_labels[:2000]  # (2000,)


# %%
@torch.no_grad()
def labels_in_company(network, order):
    network = copy.deepcopy(network).train()  # a copy: the forward passes leave traces
    answers = torch.empty(len(order), dtype=torch.int64)
    for rows in order.split(8):
        answers[rows] = network(images[rows]).argmax(1)
    return answers  # (2000,)


# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "For what share of the images do the ten answers not all agree?",
    47,
    within=10,
    unit=" %",
    outputs=2,
)

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "fragment"}
# Output not compared: a trained network differs in its last digits from processor to processor.
torch.manual_seed(0)
changing = []  # share of the images whose answers differ, for each network
for network in networks:
    answers = [labels_in_company(network, torch.randperm(len(images))) for _ in range(10)]
    changing.append(torch.stack(answers).ne(answers[0]).any(0).double().mean().item())
print(f"{np.mean(changing):.1%} ± {np.std(changing, ddof=1):.1%} of the images")

# %%
print("more than a quarter in each of the five networks:", min(changing) > 0.25)

# %% [markdown] slideshow={"slide_type": "subslide"}
# Networks that are right more than nineteen times in twenty cannot make up their mind about a large
# part of the images. Nothing is random in them. An answer depends on who else is in the batch, since
# mean and variance do. And an image all by itself?

# %% slideshow={"slide_type": "fragment"}
try:
    networks[0].train()(images[:1])
except ValueError as error:
    print(error)

# %% [markdown] slideshow={"slide_type": "fragment"}
# It gets no answer at all: one value has no spread. In training all that is a nuisance that one can live
# with. Afterwards it is not acceptable: one image must have one answer.
#
# So after training BatchNorm must not look at the batch. But then *which* mean and variance shall it
# use?

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Remember while you learn
#
# The 2015 paper averages over several batches when training is over, and names a running average in passing. That is what
# PyTorch and Keras do: during training keep a running average of the statistics of the
# batches, and use that one afterwards. PyTorch keeps it in *buffers*: arrays that belong to the
# layer, are saved with it, but are not learned by gradients.

# %% slideshow={"slide_type": "-"}
layer = nn.BatchNorm1d(2, dtype=torch.float64)
dict(layer.named_buffers())

# %% [markdown] slideshow={"slide_type": "subslide"}
# A fresh layer remembers mean 0 and variance 1, and that it has seen no batch. Now two batches, small
# enough for your head:

# %% slideshow={"slide_type": "-"}
first = np.array([[0.0, 10], [2, 10], [4, 40]])  # (N=3, C=2)
second = np.array([[10.0, 0], [10, 6], [16, 6]])  # (N=3, C=2)
first.mean(axis=0), second.mean(axis=0)

# %% [markdown] slideshow={"slide_type": "fragment"}
# After each batch the running mean moves a tenth of the way towards the batch's mean:
#
# $$\text{running} \leftarrow (1 - m)\,\text{running} + m\,\text{batch}, \qquad m = 0.1$$
#
# For the first feature it starts at 0, and the batches have 2 and 12.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("What is the running mean of the first feature after both batches?", 1.38, within=0.005)

# %% slideshow={"slide_type": "fragment"}
running_mean = np.zeros(2)  # (C,)
for batch in (first, second):
    running_mean = 0.9 * running_mean + 0.1 * batch.mean(axis=0)  # (C,)
    print(running_mean)

# %% slideshow={"slide_type": "subslide"}
layer.reset_running_stats()  # back to the start, however often you run this cell
layer(torch.from_numpy(first)), layer(torch.from_numpy(second))
layer.running_mean.numpy()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The same. Notice who did it: two *forward passes*. No loss, no gradient, no optimizer.

# %% [markdown] slideshow={"slide_type": "slide"}
# > **Momentum, a false friend.** In PyTorch `momentum` is the share of the *new*: 0.1 means "mostly
# > the old". In Keras the number is the share of the *old*, 0.99 where nothing else is said. A layer
# > carried over with the number unchanged forgets nearly everything with each batch. Test which kind
# > you have in front of you: at momentum 1, does it keep the old, or forget it?

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("At momentum 1: what is the running mean of the first feature after both batches?", 12)

# %% slideshow={"slide_type": "fragment"}
everything_new = nn.BatchNorm1d(2, momentum=1.0, dtype=torch.float64)
everything_new(torch.from_numpy(first)), everything_new(torch.from_numpy(second))
everything_new.running_mean.numpy()

# %% [markdown] slideshow={"slide_type": "subslide"}
# That is the mean of one batch, and PyTorch's momentum is the share of the new. How long is the
# memory with 0.1? After $k$ batches the start still counts for $0.9^k$:

# %% slideshow={"slide_type": "-"}
for k in (1, 10, 22, 44):
    print(f"after {k:2} batches the start counts for {0.9**k:.3f}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# With `momentum=None` the layer keeps a plain average of all batches so far, each with the same
# weight:

# %% slideshow={"slide_type": "fragment"}
average = nn.BatchNorm1d(2, momentum=None, dtype=torch.float64)
average(torch.from_numpy(first)), average(torch.from_numpy(second))
average.running_mean.numpy(), (first.mean(0) + second.mean(0)) / 2

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Two variances, for two jobs
#
# Lesson 2 divided by N. Do the running variances come from the same number? Compare with the first
# batch at momentum 1, so that nothing else is in the buffer:

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Which variance will be in the buffer?",
    "the one that divides by N − 1",
    options=["the one that divides by N, as in lesson 2", "the one that divides by N − 1"],
)

# %% slideshow={"slide_type": "-"}
one_batch = nn.BatchNorm1d(2, momentum=1.0, dtype=torch.float64)
one_batch(torch.from_numpy(first))
one_batch.running_var.numpy(), first.var(axis=0), first.var(axis=0, ddof=1)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The buffer holds the last of the three: the variance that divides by N − 1. Why two kinds in one
# layer? They have two jobs. To scale *this* batch, its own spread is what is wanted: divide by N. To
# estimate the spread of *all the data* from a small batch, that would be too small on average. Here
# are 100,000 batches of four numbers whose true variance is 1:

# %% slideshow={"slide_type": "subslide"}
batches = np.random.default_rng(0).normal(size=(100_000, 4))
for divisor, ddof in {"N": 0, "N - 1": 1}.items():
    print(f"divided by {divisor:5}: {batches.var(axis=1, ddof=ddof).mean():.2f} on average")

# %% [markdown] slideshow={"slide_type": "fragment"}
# Dividing by N finds three quarters of it; dividing by N − 1 is right on average.
#
# **Your turn.** The whole update, for the mean and for the variance: `x` is a batch `(N, C)`,
# `running_mean` and `running_var` are `(C,)`. Return both new ones, the mean first.


# %% slideshow={"slide_type": "subslide"}
def update_running_stats(x, running_mean, running_var, momentum):
    raise NotImplementedError()


# %%
check("update_running_stats", update_running_stats)

# %%
update_running = yours("update_running_stats", update_running_stats)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def update_running_stats(x, running_mean, running_var, momentum):
#     mean, var = x.mean(axis=0), x.var(axis=0, ddof=1)  # (C,), (C,)
#     running_mean = (1 - momentum) * running_mean + momentum * mean  # (C,)
#     running_var = (1 - momentum) * running_var + momentum * var  # (C,)
#     return running_mean, running_var
# ```
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# Is that what torch does? Both of our batches, one after the other, from a fresh layer's 0 and 1:

# %% slideshow={"slide_type": "-"}
layer.reset_running_stats()
mean, var = np.zeros(2), np.ones(2)  # (C,), (C,)
for batch in (first, second):
    layer(torch.from_numpy(batch))
    mean, var = update_running(batch, mean, var, 0.1)
np.allclose(mean, layer.running_mean), np.allclose(var, layer.running_var)

# %% [markdown] slideshow={"slide_type": "slide"}
# And the forward pass in evaluation mode? Lesson 2's formula stands, with `eps` under the root and with
# weight and bias at the end. Only the statistics are others:
#
# $$y_{nc} = w_c\,\frac{x_{nc} - \text{running mean}_c}{\sqrt{\text{running var}_c + \varepsilon}} + b_c$$
#
# **Your turn.** `x` is `(N, C)`, also with N = 1; the statistics, `weight` and `bias` are `(C,)`.


# %% slideshow={"slide_type": "-"}
def batch_norm_eval(x, running_mean, running_var, weight, bias, eps):
    raise NotImplementedError()


# %%
check("batch_norm_eval", batch_norm_eval)

# %%
evaluate = yours("batch_norm_eval", batch_norm_eval)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def batch_norm_eval(x, running_mean, running_var, weight, bias, eps):
#     x_hat = (x - running_mean) / np.sqrt(running_var + eps)  # (N, C)
#     return weight * x_hat + bias  # (N, C)
# ```
#
# </details>

# %%
rng = np.random.default_rng(0)
x = rng.normal(3, 2, size=(5, 4))  # (N, C)
twin, layer = (half.eval() for half in parity.pair("BatchNorm1d", 4))
ours = evaluate(x, twin.running_mean, twin.running_var, twin.weight, twin.bias, 1e-5)
np.allclose(ours, layer(torch.from_numpy(x)).detach().numpy(), rtol=0, atol=1e-14)

# %% [markdown]
# Both modes beside torch, over cases that trip people up. Each line compares outputs, gradients and
# all buffers:


# %%
def case(x, mode, **options):
    return (*(half.train(mode == "train") for half in parity.pair("BatchNorm1d", 4, **options)), x)


parity.compare_cases(
    {
        "train": case(x, "train"),
        "eval": case(x, "eval"),
        "eval, one sample": case(x[:1], "eval"),
        "train, momentum=None": case(x, "train", momentum=None),
        "train, momentum=1": case(x, "train", momentum=1.0),
        "eval, no running statistics": case(x, "eval", track_running_stats=False),
        "eval, mean 100": case(x + 100, "eval"),
        "train, eps=0.5": case(x, "train", eps=0.5),
        "train, one sample": case(x[:1], "train"),
    }
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## See it
#
# Here is one unit of the article's network while it sees its first hundred batches, untrained, in
# training mode. The dots are the means of the batches; the lines are what two layers remember, with
# momentum 0.1 and with momentum 0.01.

# %%
train_images = mnist.train_images[:6400].flatten(1) / 255
with torch.no_grad():
    values = article_net("batch").fc1(train_images)[:, 0].reshape(100, 64).double().numpy()
batch_means = values.mean(axis=1)  # (batches,)


# %%
def follow(batch_values, momentum):
    remembered = [0.0]
    for value in batch_values:
        remembered.append((1 - momentum) * remembered[-1] + momentum * value)
    return np.array(remembered[1:])  # (batches,)


# %% slideshow={"slide_type": "-"}
plots.following(
    batch_means,
    {f"momentum {m}": follow(batch_means, m) for m in (0.1, 0.01)},
    **plots.words("03 momentum"),
)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The quick one forgets the start soon and stays restless. The slow one is calm, and for hundreds of
# batches it is wrong: a network that is good in training mode and poor in evaluation mode early in
# its life may have nothing wrong with it but a slow average.

# %% [markdown]
# Here is the same unit with both of its statistics, and with the two modes: the square is what training
# mode uses for the marked batch, the disc what evaluation mode would use after it. Early on, the two
# are far apart. Choose a momentum, play the batches, or call `eval()` now.

# %% tags=["guess"]
guess("At which momentum would the two means be the same after the very first batch?", 1)

# %%
plots.explore.buffers(values)

# %% [markdown]
# Try it: with `None`, too, the first batch is the average of one batch. In both the means agree, since
# the buffers hold that batch and nothing else. The variances still differ a little, by the N and N − 1
# of the two jobs.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Break it on purpose
#
# **1. eval() forgotten.** You have seen the wavering answers. Here is what it does to the accuracy,
# by the size of the test batches.


# %%
@torch.no_grad()
def accuracy(network, batch_size=None):  # in training mode if there is a batch size
    network = copy.deepcopy(network).train(batch_size is not None)
    batches = zip(images.split(batch_size or 1000), labels.split(batch_size or 1000), strict=True)
    return sum((network(x).argmax(1) == y).sum().item() for x, y in batches) / len(images)


# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "All five networks are above 90 % in evaluation mode. What is the smallest test batch at which a network "
    "left in training mode loses less than 5 points?",
    "32 images",
    options=["4 images", "8 images", "32 images", "1000 images"],
    outputs=2,
)

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "fragment"}
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
forgotten = {size: [accuracy(net, size) for net in networks] for size in (2, 4, 8, 32, 1000, None)}
for size, values in forgotten.items():
    name = f"train mode, batches of {size}" if size else "eval mode"
    print(f"{name:27} {np.mean(values):.1%} ± {np.std(values, ddof=1):.1%}")

# %%
print("below 75 % in train mode with batches of 2:", max(forgotten[2]) < 0.75)
print("above 90 % in eval mode:                   ", min(forgotten[None]) > 0.9)

# %% [markdown] slideshow={"slide_type": "fragment"}
# From outside: the accuracy depends on the batch size of the *test*. With 1000 it looks harmless,
# which is how the mistake survives. The same numbers, to drag:

# %% tags=["nbval-ignore-output"]
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
sizes = [size for size in forgotten if size]
means = {size: np.mean(values) for size, values in forgotten.items()}
plots.explore.forgotten_eval(sizes, [means[size] for size in sizes], means[None])

# %% [markdown] slideshow={"slide_type": "subslide"}
# **2. no_grad taken for eval.** They are two switches. `no_grad` says "no gradients"; `eval` says
# "do not look at the batch, and do not remember it". Ten forward passes over inverted digits, black
# on white made white on black, under `no_grad` and without `eval()`. No optimizer is anywhere near:

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "fragment"}
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
spoiled = [copy.deepcopy(net).train() for net in networks]
with torch.no_grad():
    for net in spoiled:
        for batch in (1 - images[:640]).split(64):
            net(batch)
after = [accuracy(net) for net in spoiled]
print(f"in eval mode, afterwards: {np.mean(after):.1%} ± {np.std(after, ddof=1):.1%}")

# %% slideshow={"slide_type": "fragment"}
spoiled[0].bn1.num_batches_tracked - networks[0].bn1.num_batches_tracked

# %% [markdown] slideshow={"slide_type": "fragment"}
# The weights are what they were; the memory is not. `num_batches_tracked` gives it away: it has grown
# by ten.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **3. Frozen, and drifting.** To reuse a trained network, people freeze it with
# `requires_grad_(False)`, and run it in training mode.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Is `bn1.running_mean` after one more batch what it was before?",
    "no, it has moved",
    options=["yes, it is frozen", "no, it has moved"],
)

# %% slideshow={"slide_type": "fragment"}
frozen = copy.deepcopy(networks[0]).requires_grad_(False).train()
before = frozen.bn1.running_mean.clone()
frozen(1 - images[:64])
torch.equal(frozen.bn1.running_mean, before)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Buffers are not written by gradients, so to turn gradients off freezes none of them. What freezes them is `eval()`. And the order
# counts: a later `train()` of the whole network wakes its layers again.

# %% slideshow={"slide_type": "fragment"}
frozen.bn1.eval()
frozen.train()
frozen.bn1.training

# %% [markdown] slideshow={"slide_type": "fragment"}
# So whoever freezes a part of a network calls `eval()` on it again after every `train()`, or writes a
# `train` method that does.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **4. One NaN.** One broken pixel in one batch, and a hundred clean batches after it, all in training
# mode:

# %% slideshow={"slide_type": "-"}
poisoned = copy.deepcopy(networks[0]).train()
broken = images[:64].clone()
broken[0, 0] = float("nan")
with torch.no_grad():
    poisoned(broken)
    for batch in train_images.split(64):  # a hundred clean batches
        clean_output = poisoned(batch)

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Is there a NaN in the last clean batch's output? And is there one in evaluation mode, afterwards?",
    "only in evaluation mode",
    options=["in both", "only in training mode", "only in evaluation mode", "in neither"],
)

# %% slideshow={"slide_type": "fragment"}
bool(clean_output.isnan().any()), bool(poisoned.eval()(images[:64]).isnan().any())

# %% [markdown] slideshow={"slide_type": "fragment"}
# In training mode a clean batch gives clean numbers: each batch brings its own statistics. In
# evaluation mode all is NaN, a hundred clean batches later, since nine tenths of NaN is NaN. The
# average never forgets it. The weights have not been touched (no optimizer made a step), so the cure is to
# reset the buffers and to fill them again, with forward passes in training mode:

# %%
for module in poisoned.modules():
    if isinstance(module, nn.BatchNorm1d):
        module.reset_running_stats()
with torch.no_grad():
    for batch in train_images.split(64):
        poisoned.train()(batch)
print("above 90 % again:", accuracy(poisoned) > 0.9)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Fold it away
#
# In evaluation mode every statistic in BatchNorm is a constant, so the layer is a scale and a shift of
# each feature. The linear layer before it can do both itself, and two layers become one:
#
# $$w\,\frac{Wx + b - \mu}{\sqrt{\sigma^2+\varepsilon}} + \beta
#  = \underbrace{s\,W}_{W'} x + \underbrace{s\,(b - \mu) + \beta}_{b'},
#  \qquad s = \frac{w}{\sqrt{\sigma^2+\varepsilon}}$$
#
# with one number $s$ for each output. ($w$ and $\beta$ are BatchNorm's `weight` and `bias`.)
#
# **Your turn**, in NumPy: `linear_weight` is `(C, D)`, all the others but `eps` are `(C,)`. Return the
# new weight and the new bias.


# %% slideshow={"slide_type": "subslide"}
def fold_batch_norm(linear_weight, linear_bias, running_mean, running_var, weight, bias, eps):
    raise NotImplementedError()


# %%
check("fold_batch_norm", fold_batch_norm)

# %%
fold = yours("fold_batch_norm", fold_batch_norm)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def fold_batch_norm(linear_weight, linear_bias, running_mean, running_var, weight, bias, eps):
#     scale = weight / np.sqrt(running_var + eps)  # (C,)
#     folded_weight = scale[:, np.newaxis] * linear_weight  # (C, D)
#     folded_bias = scale * (linear_bias - running_mean) + bias  # (C,)
#     return folded_weight, folded_bias
# ```
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# Now the trained network without its two BatchNorm layers, the folded numbers in place of the linear
# layers' own:


# %% slideshow={"slide_type": "-"}
@torch.no_grad()
def folded(linear, norm):
    numbers = (linear.weight, linear.bias, norm.running_mean, norm.running_var)
    numbers = (each.detach().numpy() for each in (*numbers, norm.weight, norm.bias))
    for target, values in zip((linear.weight, linear.bias), fold(*numbers, norm.eps), strict=True):
        target.copy_(torch.from_numpy(values))
    return linear


# %% slideshow={"slide_type": "fragment"}
network = copy.deepcopy(networks[0]).double().eval()
lean = copy.deepcopy(network)
for linear, norm in (("fc1", "bn1"), ("fc2", "bn2")):
    setattr(lean, linear, folded(getattr(lean, linear), getattr(lean, norm)))
    setattr(lean, norm, nn.Identity())
torch.allclose(lean(images.double()), network(images.double()), rtol=0, atol=1e-11)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The same outputs for all 2,000 images, and no BatchNorm left: this is how networks are made ready
# for a phone. It works in evaluation mode only. In training mode the statistics are the batch's, and
# there is no constant to fold.

# %% [markdown]
# ## Your turn
#
# | exercise | difficulty | importance | minutes |
# |---|---|---|---|
# | [03, task 1](../exercises/03_batch_norm_train_and_eval.ipynb): a small class with both modes | medium | high | 40 |
# | 03, task 2: the average of all batches so far | easy | medium | 10 |
# | 03, task 3: fold a norm that stands before a convolution | medium | high | 15 |
# | 03, task 4: batch renormalization | medium | medium | 15 |

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Test yourself
#
# Five questions before the recap. Choose an answer, and you see at once why it is right or wrong. Your
# first choices count, and the line under the questions says where they are kept.

# %% slideshow={"slide_type": "-"}
self_test("03_batch_norm_train_and_eval")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - Training mode uses the batch's statistics and remembers them; evaluation mode uses what was
#   remembered, so that one image has one answer.
# - `running ← (1 − momentum) · running + momentum · batch`, in every forward pass in training mode.
#   `momentum` is the share of the new; `None` is a plain average. The buffer holds the variance that
#   divides by N − 1.
# - Accuracy depends on the test batch: `eval()` forgotten. The memory moves without an optimizer:
#   `no_grad`, or `requires_grad_(False)`, taken for `eval`. Good in training mode, NaN in evaluation:
#   one bad batch.
# - In evaluation mode BatchNorm folds into the linear layer before it, exactly.

# %% [markdown]
# ## Go further
#
# - S. Ioffe, C. Szegedy, *Batch Normalization*, ICML 2015, arXiv:1502.03167. Algorithm 2: the
#   statistics for inference, with the factor m/(m − 1).
# - Y. Wu, J. Johnson, *Rethinking "Batch" in BatchNorm*, arXiv:2105.07576, 2021: on what can go wrong
#   between the two modes, and on better averages than the running one.
# - S. Ioffe, *Batch Renormalization*, NeurIPS 2017, arXiv:1702.03275: narrowing the gap between the
#   modes.
# - Keras's page of [`BatchNormalization`](https://keras.io/api/layers/normalization_layers/batch_normalization/):
#   there `momentum` is the share of the old, and 0.99 by default.
# - PyTorch's [`torch.optim.swa_utils.update_bn`](https://docs.pytorch.org/docs/stable/generated/torch.optim.swa_utils.update_bn.html)
#   resets the buffers of a whole network and fills them with a plain average.
