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
# # Choose a norm, and find the bug
#
# *Lesson 13 · 160 minutes, self-test 10 · medium · the field guide: take what you need*
#
# When you have finished you can
#
# - choose a norm, or none, by six questions about your data, and say which measurement each answer
#   rests on;
# - go from a symptom to its cause with a test of a few lines, for sixteen bugs that raise no error
#   where they are made;
# - freeze, copy, evaluate and fine-tune networks without spoiling their running statistics;
# - let `normlab.doctor` look at any torch model, and say what it cannot see.
#
# **What you need:** the two modes of BatchNorm ([lesson 3](03_batch_norm_train_and_eval.ipynb)), and
# for the choice the idea of the other norms (lessons 6 to 9). The cases below can be read in any order.

# %%
import copy
import math
import warnings

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, layer_norm, mse_loss

from normlab import doctor, load_mnist, plots
from normlab.exercises import check, guess, self_test
from normlab.training import article_net

torch.set_num_threads(1)  # enough for networks this small
torch.manual_seed(0)
torch.set_printoptions(precision=3, sci_mode=False)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A question first
#
# Five networks (the article's, with BatchNorm, each from another seed) learn from 9,600 digits.


# %%
def train(network, batches, lr=0.1, weight_decay=0.0):
    optimizer = torch.optim.SGD(network.parameters(), lr=lr, weight_decay=weight_decay)
    network.train()
    for x, y in batches:
        loss = cross_entropy(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network


# %%
mnist = load_mnist(tensors=True)
images, labels = mnist.train_images[:9600].flatten(1) / 255, mnist.train_labels[:9600]
test_images = mnist.test_images[:2000].flatten(1) / 255  # (2000, 784)
test_labels = mnist.test_labels[:2000]


# %%
def shuffled(seed, size=64):
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    return [(images[rows], labels[rows]) for rows in order.split(size)]


networks = [train(article_net("batch", seed), shuffled(seed)) for seed in range(5)]


# %% [markdown] slideshow={"slide_type": "-"}
# Then five colleagues test them, on the same 2,000 digits. None of them touches a weight.


# %%
@torch.no_grad()
def accuracy(network, size=500, x=test_images, y=test_labels):
    """In the mode in which the network is."""
    batches = zip(x.split(size), y.split(size), strict=True)
    return sum((network(a).argmax(1) == b).sum().item() for a, b in batches) / len(x)


def training_copy(network):
    return copy.deepcopy(network).train()


# %%
@torch.no_grad()
def visited(network):
    """A colleague looked at ten batches of inverted digits first."""
    guest = training_copy(network)
    for x in (1 - images[:640]).split(64):
        guest(x)
    return guest.eval()


in_order = test_labels.argsort()

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Each colleague reports one accuracy, the mean of the five networks. How many points lie between the best and the worst report?",
    73,
    within=15,
)

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "-"}
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
colleagues = {
    "Ada": [accuracy(network.eval()) for network in networks],
    "Ben": [accuracy(training_copy(network), 500) for network in networks],
    "Cem": [accuracy(training_copy(network), 2) for network in networks],
    "Dot": [
        accuracy(training_copy(n), 64, test_images[in_order], test_labels[in_order])
        for n in networks
    ],
    "Eva": [accuracy(visited(network)) for network in networks],
}
for name, values in colleagues.items():
    print(f"{name}: {np.mean(values):.1%} ± {np.std(values, ddof=1):.1%}")

# %%
assert min(colleagues["Ada"]) > 0.85 > 0.6 > max(colleagues["Cem"])
assert max(colleagues["Dot"]) < 0.35
assert np.mean(colleagues["Eva"]) < 0.8

# %% [markdown] slideshow={"slide_type": "subslide"}
# The same weights, the same digits. Ada is right: she calls `eval()`. Ben forgot it, and nobody will ever notice. Cem forgot it with batches of
# two, Dot with a test set that is sorted by label. Eva calls `eval()`, but she has had a look at other digits before, in training mode.
#
# Such bugs have one thing in common: no error message. So this lesson goes the other way round, from what
# one sees to what it is. First, though: which norm is the right one, and is one needed at all?

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Choose: six questions
#
# Ask them in this order, and stop at the first that applies.
#
# | | question | if yes | because |
# |---|---|---|---|
# | 1 | Is a sample's overall size or contrast part of the answer? | none there, or scale the data once with training statistics ([lesson 1](01_normalize_data.ipynb)) | a norm over one sample removes it ("When not to normalize", below) |
# | 2 | Does contrast, or style, only disturb? | InstanceNorm, for images | it takes each image's own contrast out of each channel ([lesson 7](07_instance_norm.ipynb)) |
# | 3 | Sequences, padding, a transformer, a recurrent network? | LayerNorm or RMSNorm | statistics of one token: no other sample, no padding, nothing to remember ([lesson 6](06_layer_norm.ipynb), [lesson 9](09_rms_norm_and_relatives.ipynb)) |
# | 4 | Few *different numbers behind each mean*, on one device? Count samples times positions: fewer than about eight | GroupNorm for images, LayerNorm for vectors; or SyncBatchNorm, if the devices together have enough | a mean of two numbers is noise ("Two samples are no statistic", below); two images of our CNN bring 98 and more ([lesson 8](08_group_norm.ipynb)) |
# | 5 | Are batches not drawn at random: sorted, one user at a time, a stream? | the same | BatchNorm subtracts what a batch has in common, and that may be the answer ("Sorted batches", below) |
# | 6 | None of these, and images or tables in batches of 16 and more? | BatchNorm | it learns in the fewest steps here ([lesson 5](05_mnist_with_batch_norm.ipynb), [lesson 10](10_compare_the_norms.ipynb)), and after training it costs nothing: it folds into the layer before it ([lesson 3](03_batch_norm_train_and_eval.ipynb)) |

# %% [markdown]
# Two more, when the network exists already. *Fine-tuning with small batches?* Keep its BatchNorm layers in
# evaluation mode ("Frozen, and still moving"). *Only inference?* Then BatchNorm is a constant scale and
# shift, while LayerNorm, RMSNorm, GroupNorm and InstanceNorm go on computing a mean or a spread for every sample.
# In a transformer more is to be chosen: which place, QK-norm or not, w or 1 + w
# ([lesson 14](14_norms_in_a_modern_transformer.ipynb)). A norm that takes a condition is [lesson 15](15_told_norms.ipynb)'s.
#
# Why rule 4 counts numbers and not samples: in our CNN no difference from GroupNorm was seen at batches of 2, 4 and 8, where a mean has 98 numbers and more. (`normlab.doctor` counts them, with an example.) In deep
# networks on hard images BatchNorm does fall behind at such batches (Wu and He, 2018), so measure.
#
# How large a batch must be, and how much any norm helps, depends on network, learning rate and data: the
# limits above are those of this course's experiments (MNIST, small networks), not laws.

# %% [markdown]
# ## Look before you guess
#
# The sixteen bugs and where they are treated. Each case below has four parts: symptom, cause, test, cure.
#
# | what you see | look under |
# |---|---|
# | a `ValueError` at the end of an epoch, or a NaN after it | The last batch of one |
# | accuracy depends on the size or the order of the test batches; validation changes the model | Two switches, two meanings |
# | good in training mode, poor in evaluation mode | Good in training, poor in evaluation |
# | it learns nothing with BatchNorm, and something without | Sorted batches |
# | fine in training, NaN in evaluation | An average never forgets a NaN |
# | a frozen part gives other answers every epoch | Frozen, and still moving |
# | nothing is learned with small batches, gradients accumulated or not | Two samples are no statistic |
# | an averaged, copied or target network is far worse than its original | What parameters() does not list |
# | one feature with a large unit decides alone | A table is no sequence |
# | the output does not depend on the input | Groups of one |
# | the answer depends on how far a sequence was padded | Padding is data, too |
# | norm weights shrink for no reason | Weight decay on weight and bias |
# | float16: zeros or a standstill | Half precision |
# | suspiciously good in the laboratory, worse outside | Whose mean is it? |
# | a layer carried over from Keras behaves differently; parameters that do nothing | Three numbers to read twice |
# | `eval()` or `to(device)` seem to have no effect on a layer | Hidden in a list |

# %% [markdown] slideshow={"slide_type": "slide"}
# Much of this can be read off a model. `normlab.doctor` does, for any torch model: it knows torch's norms,
# recognizes those of other classes by what they do, and names what it cannot look at. With an example it also
# runs the model once, on a copy, and so knows which layer really runs before which, and what each is fed. Here
# is a network with five things in it that one may regret:

# %% slideshow={"slide_type": "-"}
regrettable = nn.Sequential(
    nn.Sequential(nn.Linear(784, 64), nn.BatchNorm1d(64, momentum=0.99)).requires_grad_(False),
    nn.ReLU(),
    nn.Linear(64, 32),
    nn.GroupNorm(32, 32),
    nn.ReLU(),
    nn.Linear(32, 10),
)
regrettable[0][1].running_var[3] = math.nan

# %%
doctor(regrettable, images[:8])

# %% [markdown]
# Their names alone:

# %% slideshow={"slide_type": "fragment"}
doctor(regrettable, images[:8]).names()

# %% [markdown]
# The worst comes first; a *note* may be what you wanted. In a program, `print(doctor(model))` writes the same
# as text, and `assert doctor(model).healthy` is one line in a test. The networks from the beginning pass:

# %%
doctor(networks[0], test_images[:8])

# %% [markdown]
# (384 biases that do nothing: lesson 5 met them.) `healthy` is True only where all of it was seen. An example
# that stops makes it False, and a norm that the doctor does not know makes it None:


# %%
class HalfNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):  # (N, 8): the first half alone is normalized
        return self.weight * torch.cat([layer_norm(x[:, :4], (4,)), x[:, 4:]], dim=1)


strange = nn.Sequential(nn.Linear(784, 8), HalfNorm(8))
doctor(networks[0], test_images[0]).healthy, doctor(strange).healthy, doctor(strange).names()

# %% [markdown]
# The doctor looks at the model, and only at the model. Sorted batches, padding, a leak from the test set: none of that
# can be seen in any layer. For those you need the tests below.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The last batch of one
#
# - **Symptom:** a `ValueError` at the end of the first epoch. With a hand-written norm: no error, and NaN from
#   then on.
# - **Cause:** 1,025 samples in batches of 64 leave one over. One value has no spread.

# %% slideshow={"slide_type": "-"}
layer = nn.BatchNorm1d(2)
try:
    layer(torch.randn(1, 2))
except ValueError as error:
    print(error)
print("batches counted:", layer.num_batches_tracked.item())

# %% [markdown]
# (It counts the batch that it refuses.) A hand-written layer calls `torch.var`, which divides by n − 1, and
# 0/0 is NaN. The output is the smaller damage: the running variance keeps the NaN.

# %%
running_var = torch.ones(2)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # "degrees of freedom is <= 0", lost in a training log
    for batch in (torch.randn(64, 2), torch.randn(1, 2), torch.randn(64, 2)):
        running_var = 0.9 * running_var + 0.1 * batch.var(0)
running_var

# %% [markdown]
# - **Test:** `len(data) % batch_size == 1`? With several devices, count what each of them gets.
# - **Cure:** `drop_last=True` in the `DataLoader`; or a norm that takes its statistics inside a sample.

# %%
n_samples, batch_size = 1025, 64
print("left over:", n_samples % batch_size)
loader = torch.utils.data.DataLoader(range(n_samples), batch_size, drop_last=True)
print("with drop_last:", len(loader), "batches, the smallest of", min(len(b) for b in loader))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Two switches, two meanings
#
# - **Symptom:** accuracy grows with the size of the *test* batches. A test, or a validation, changes the model.
# - **Cause:** the network is asked in training mode. `torch.no_grad()` was called, and taken for `eval()`.
#
# | switch | what it turns off |
# |---|---|
# | `torch.no_grad()` | the recording for `backward()` |
# | `module.eval()` | the use of the batch's statistics, their memory, and dropout |
#
# Neither implies the other. To ask a network you usually want both: without `no_grad` each result keeps in memory
# all that led to it.
#
# The fingerprint, on the five networks from above: accuracy against the size of the test batch.

# %% tags=["guess"]
guess(
    "With `eval()` forgotten, and test batches of 512 in place of 2: is the accuracy of 91 % back?",
    "yes, but for a point",
    options=[
        "yes, but for a point",
        "no, about ten points are missing",
        "no, about half are missing",
    ],
    outputs=2,
)

# %% tags=["nbval-ignore-output"]
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
powers = np.arange(1, 10)
forgotten = np.array([[accuracy(training_copy(n), int(2**p)) for p in powers] for n in networks])
right = np.mean([accuracy(n.eval()) for n in networks])
print(
    "batches of 2:", f"{forgotten[:, 0].mean():.0%},", "of 512:", f"{forgotten[:, -1].mean():.0%}"
)

# %% slideshow={"slide_type": "subslide"}
plots.doubling(
    [int(2**p) for p in powers],
    {"": {"in training mode": 100 * forgotten, "with eval()": 100 * np.full((1, 9), right)}},
    **plots.words("13 forgotten eval"),
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# - **Test:** ask for the answer to one row, beside one other row and beside many. Is it one answer?


# %% slideshow={"slide_type": "-"}
def answers_agree(network, x):
    network = copy.deepcopy(network)  # asking in training mode would leave a trace
    with torch.no_grad():
        return torch.allclose(network(x[:2])[0], network(x)[0], atol=1e-4)


answers_agree(networks[0].train(), test_images), answers_agree(networks[0].eval(), test_images)

# %% [markdown]
# - **Cure:** `eval()` before asking. And afterwards? `network.train()` is not "as it was": it wakes *every*
#   layer, those too that were kept in evaluation mode on purpose. Each module has a `training` of its own, and
#   a careful function remembers all of them:

# %%
part_frozen = article_net("batch").train()
part_frozen.bn1.eval()  # on purpose
modes = {name: module.training for name, module in part_frozen.named_modules()}
part_frozen.eval()
# ... ask the network here ...
part_frozen.train()
print("after train():  bn1 trains:", part_frozen.bn1.training)
for name, module in part_frozen.named_modules():
    module.training = modes[name]
print("after restoring: bn1 trains:", part_frozen.bn1.training)

# %% [markdown]
# (The attribute is set, and `module.train(mode)` is not called: `train` would reach all modules inside.)
#
# A BatchNorm made with `track_running_stats=False` has nothing to remember with: it uses the batch in
# evaluation mode, too, and no `eval()` helps. The doctor mentions it.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Good in training, poor in evaluation
#
# - **Symptom:** training mode says 95 %, evaluation mode much less, and `eval()` is in its place.
# - **Cause:** one of three. The average has not caught up (young network, small `momentum`). The average is of
#   something else (other data, other augmentation, dropout right before the norm). Or the evaluation mode
#   is right, and the training mode sees more than it should: the other samples of the batch say something about the answer.
# - **Test:** measure the statistics again on training data, *without training*, and see whether evaluation
#   recovers. PyTorch has a function for it, `torch.optim.swa_utils.update_bn`: it resets the buffers and takes a plain average.

# %%
slow = [article_net("batch", seed) for seed in range(5)]
for seed, network in enumerate(slow):
    network.bn1.momentum = network.bn2.momentum = 0.001
    train(network, shuffled(seed)[:100])

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "fragment"}
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
first = [accuracy(network.eval()) for network in slow]
again = copy.deepcopy(slow)
for network in again:
    torch.optim.swa_utils.update_bn([x for x, _ in shuffled(0)[:50]], network)
then = [accuracy(network.eval()) for network in again]
print(f"evaluation: {np.mean(first):.1%}, with statistics measured again: {np.mean(then):.1%}")

# %%
assert np.mean(then) > np.mean(first) + 0.01

# %% [markdown]
# Evaluation recovers: the weights were good, and the memory was slow. **Cure:** PyTorch's 0.1, or `update_bn`
# before you evaluate.
#
# Dropout *right before* BatchNorm is the second cause in small. In training, dropout with p = 0.5 throws away half of
# the values and doubles the others. The mean stays, the variance does not:

# %%
torch.manual_seed(0)
pair = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(1))
for _ in range(200):
    trained_on = pair(torch.randn(512, 1) + 1)  # mean 1, variance 1
tested_on = pair.eval()(torch.randn(4096, 1) + 1)
print(f"variance in training {trained_on.var():.1f}, in evaluation {tested_on.var():.1f}")

# %% [markdown]
# A third of what the next layer was trained with. **Cure:** dropout behind the last BatchNorm.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Sorted batches
#
# - **Symptom:** with BatchNorm the network stays at chance, in either mode. Without it, it learns something.
# - **Cause:** each batch holds one class (a folder of each class read in order; one user, one video, one
#   episode at a time). BatchNorm centres each batch by its own mean, and what all samples of a batch have in
#   common is in the mean: what tells this class from the others is subtracted before the next layer sees it.


# %%
def one_class_batches(seed):
    generator = torch.Generator().manual_seed(seed)
    by_class = [(labels == digit).nonzero()[:, 0] for digit in range(10)]
    batches = [rows for group in by_class for rows in group.split(64) if len(rows) == 64]
    order = torch.randperm(len(batches), generator=generator)
    return [(images[batches[i]], labels[batches[i]]) for i in order[:100]]


# %%
sorted_nets = {
    norm: [train(article_net(norm, seed), one_class_batches(seed)) for seed in range(5)]
    for norm in ("batch", "layer", "none")
}

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "fragment"}
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
mixed = {norm: [accuracy(n.eval()) for n in nets] for norm, nets in sorted_nets.items()}
for norm, values in mixed.items():
    print(f"{norm:6} {np.mean(values):.1%} ± {np.std(values, ddof=1):.1%}")

# %%
assert np.mean(mixed["batch"]) < 0.15 < 0.2 < min(np.mean(mixed["layer"]), np.mean(mixed["none"]))

# %% [markdown]
# All three suffer from one-class batches, which pull the network one way, then another; with BatchNorm it has
# learned nothing at all. Is it the running statistics again? Measure them on mixed batches, as in the case before.

# %% tags=["guess"]
guess(
    "With the statistics of mixed batches, what does the network with BatchNorm get right?",
    "about a tenth, as before",
    options=["about nine tenths", "about a third, as without a norm", "about a tenth, as before"],
)

# %% tags=["nbval-ignore-output"]
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
for network in sorted_nets["batch"]:
    torch.optim.swa_utils.update_bn([x for x, _ in shuffled(0)[:50]], network)
again = [accuracy(network.eval()) for network in sorted_nets["batch"]]
print(f"with statistics of mixed batches: {np.mean(again):.1%}")

# %%
assert np.mean(again) < 0.25

# %% [markdown] slideshow={"slide_type": "fragment"}
# It is the *weights* that have learned nothing, from batches out of which the answer had been subtracted.
#
# - **Test:** print the labels of three batches. That is all.
# - **Cure:** shuffle. Where the data comes sorted and cannot be shuffled, a norm that does not look at the batch.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## An average never forgets a NaN
#
# - **Symptom:** training goes on as if nothing had been; evaluation gives NaN. Or infinity in a float16 network.
# - **Cause:** one bad number, once, in one batch. 0.9 · NaN is NaN.

# %% slideshow={"slide_type": "-"}
layer = nn.BatchNorm1d(2)
bad = torch.randn(8, 2)
bad[0, 0] = math.nan
for batch in (bad, *torch.randn(100, 8, 2)):
    output = layer(batch)
print("training:", output[0].detach(), " evaluation:", layer.eval()(batch)[0].detach())

# %% [markdown]
# - **Test:** look for it where it stays. The doctor does; by hand it is one line:

# %%
[name for name, buffer in layer.named_buffers() if not buffer.isfinite().all()]

# %% [markdown]
# - **Cure:** `layer.reset_running_stats()` and some forward passes in training mode (or `update_bn`). Then find
#   the batch that brought it, or it comes again: `assert x.isfinite().all()` where batches are made.

# %%
torch.optim.swa_utils.update_bn(torch.randn(100, 8, 2), layer)
bool(layer.eval()(batch).isfinite().all())

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Frozen, and still moving
#
# - **Symptom:** only a new head is trained, and yet the frozen body gives other answers after every epoch.
#   Validation gets worse with time.
# - **Cause:** `requires_grad_(False)` stops the optimizer. The running statistics are written by the *forward
#   pass*, in training mode, whether anything learns or not.
#
# A trained body, a new head, and data that is a little different: digits with the contrast turned down.

# %%
body = nn.Sequential(*list(copy.deepcopy(networks[0]).children())[:2], nn.ReLU())
body.requires_grad_(False)
head = nn.Linear(256, 10)
whole = nn.Sequential(body, head)
reference = copy.deepcopy(body).eval()(test_images)

# %%
pale = [(0.3 * x + 0.4, y) for x, y in shuffled(0)[:20]]
train(whole, pale)
moved = [
    n for n, b in body.named_buffers() if not torch.equal(b, networks[0].bn1.get_buffer(n[2:]))
]
moved, torch.equal(body.eval()(test_images), reference)

# %% [markdown]
# - **Test:** compare the body's `state_dict()` before and after: which names have changed? Buffers only. The
#   doctor sees it without a comparison:

# %%
doctor(whole.train())

# %% [markdown]
# - **Cure:** `eval()` for the body. **And mind the order:** `train()` and `eval()` reach everything inside the
#   module that they are called on, and the last call wins. This freeze lasts until the first validation is over:

# %% slideshow={"slide_type": "fragment"}
whole.train()
body.eval()
print("in the first epoch the body trains:", body[1].training)
whole.eval()  # a validation
whole.train()  # and back to work
print("in the second:                     ", body[1].training)

# %% [markdown]
# So `body.eval()` stands *after* every `train()` of the whole, in each epoch. (The head is to stay in training
# mode, if it has a BatchNorm or dropout of its own: do not freeze more than you meant to.) Or the body looks after itself:


# %%
class Frozen(nn.Sequential):
    """Stays in evaluation mode, whatever it is told."""

    def train(self, mode=True):
        return super().train(False)


guarded = nn.Sequential(Frozen(*copy.deepcopy(body)), nn.Linear(256, 10)).train()
guarded[0][1].training, guarded[1].training

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Two samples are no statistic
#
# - **Symptom:** memory is scarce, batches are small, and the network that learned with batches of 64 does not
#   learn any more. Accumulating gradients over 32 batches changes nothing.
# - **Cause:** BatchNorm's means are taken over what is in the memory *in one forward pass*. Of two values only
#   the sign of their difference is left ([lesson 2](02_batch_norm_forward.ipynb)), and the answer to a sample is about
#   its neighbour.
#
# Accumulation adds up gradients. The statistics were taken before. Here are the numbers 1, 3, 5 and 500, as one batch of four and as two of two.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("What does a fresh BatchNorm make of the 500, in the batch `[5, 500]`?", 1, within=0.01)

# %% slideshow={"slide_type": "fragment"}
x = torch.tensor([[1.0], [3], [5], [500]])  # (N=4, C=1)
whole_batch = nn.BatchNorm1d(1)(x)
halves = torch.cat([nn.BatchNorm1d(1)(half) for half in x.split(2)])
whole_batch.detach().T, halves.detach().T

# %% [markdown]
# In the large batch 5 and 500 are far apart. In halves they are −1 and 1, as 1 and 3 are. The running statistics
# differ, too: several small updates for one large one, and the spread *between* the halves is in none of them.

# %%
x = torch.tensor([[1.0], [3], [101], [103]])  # (N=4, C=1)
large, small = nn.BatchNorm1d(1, momentum=None), nn.BatchNorm1d(1, momentum=None)
large(x), [small(half) for half in x.split(2)]
print(
    f"running variance: {large.running_var.item():.0f} of the whole, {small.running_var.item():.0f} of halves"
)

# %% [markdown]
# - **Test:** does the output for a sample change with its neighbour? In training mode it always does with
#   BatchNorm; at two samples it does little else.
# - **Cure:** take the statistics where there are many numbers: inside a sample. For `(N, C)` vectors
#   `nn.LayerNorm(C)`, or `nn.GroupNorm(G, C)` with several units in each group. Both have a weight and a bias for each
#   unit, as BatchNorm has; both are the same in training and in evaluation mode, and do not mind a batch of
#   one. Beside each other on eight units:

# %%
torch.manual_seed(0)
sample, one, other = torch.randn(3, 1, 8) * 100
for norm in (nn.BatchNorm1d(8), nn.LayerNorm(8), nn.GroupNorm(2, 8), nn.GroupNorm(8, 8)):
    beside = [norm(torch.cat([sample, neighbour]))[0] for neighbour in (one, other)]
    alike, alive = torch.allclose(*beside), bool(beside[0].abs().max() > 1e-3)
    groups = f"({norm.num_groups} groups)" if isinstance(norm, nn.GroupNorm) else ""
    name = f"{type(norm).__name__} {groups}"
    print(f"{name:21} ignores its neighbour: {alike!s:5}  says something: {alive}")

# %% [markdown]
# The last line is a trap of its own: a group for every unit, and of one number nothing is left ("Groups of one").
#
# Does the cure keep what BatchNorm gave: that the scale of the layer before does not matter? Make a linear layer,
# weights and bias, a hundred times as large.

# %% tags=["guess"]
guess(
    "Does LayerNorm behind it give the same answer as before?",
    "yes, but for `eps`",
    options=["yes, but for `eps`", "no: a hundred times as much", "no: a hundredth"],
)

# %%
linear, norm = nn.Linear(8, 8), nn.LayerNorm(8)
before = norm(linear(sample))
with torch.no_grad():
    linear.weight *= 100
    linear.bias *= 100
torch.allclose(norm(linear(sample)), before, atol=1e-3)

# %% [markdown]
# Other cures, if the norm must stay: `SyncBatchNorm`, which shares the statistics between devices; frozen
# statistics in fine-tuning (the case before).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What parameters() does not list
#
# - **Symptom:** a teacher, a target network, an averaged or a converted copy has the right weights, and is far
#   worse than its original.
# - **Cause:** `parameters()` lists what is *learned*. Running mean, running variance and the counter are
#   *measured*: they are buffers, and a copy of the parameters leaves them where they were.

# %%
layer = nn.BatchNorm1d(3)
print("parameters:", [name for name, _ in layer.named_parameters()])
print("buffers:   ", [name for name, _ in layer.named_buffers()])

# %% slideshow={"slide_type": "fragment"}
twin = article_net("batch", seed=99).eval()
with torch.no_grad():
    for ours, theirs in zip(twin.parameters(), networks[0].parameters(), strict=True):
        ours.copy_(theirs)
print("more than ten points lost:", accuracy(twin) < accuracy(networks[0].eval()) - 0.1)

# %% [markdown]
# - **Test:** compare `state_dict()`s, not parameters. Or ask the doctor: learned weights beside running statistics
#   of the first day.

# %%
doctor(twin).names()

# %% [markdown]
# - **Cure:** `load_state_dict`, which takes both. Or, in an average of one's own, a second loop over
#   `buffers()`, which come in the same order in both networks:

# %%
for ours, theirs in zip(twin.buffers(), networks[0].buffers(), strict=True):
    ours.copy_(theirs)
accuracy(twin) == accuracy(networks[0])

# %% [markdown]
# Three things to watch in such a loop.
#
# - **Copy the numbers, not the array:** `copy_` writes the numbers into our own memory. After `ours.data =
#   theirs.data`, or `twin.bn1.running_mean = other.bn1.running_mean`, both networks share one array, and the copy moves
#   whenever the original sees a batch.
# - **Average parameters, take buffers over.** Running statistics are averages already; averaged again they lag twice.
#   And the counter is a whole number: it cannot be averaged at all.
# - **Whose share is `decay`?** In `decay · ours + (1 − decay) · theirs`, decay 1 must leave everything as it is. In
#   place that is `ours.mul_(decay).add_(theirs, alpha=1 - decay)`.

# %%
ours, theirs, decay = torch.tensor([10.0, 20]), torch.tensor([0.0, 100]), 0.9
ours.mul_(decay).add_(theirs, alpha=1 - decay)

# %% [markdown]
# `torch.optim.swa_utils.AveragedModel` does such averaging for you: with `use_buffers=True` it *averages* the
# buffers, too; without it you call `update_bn` at the end.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A table is no sequence
#
# - **Symptom:** of several measured quantities only the one with the largest unit counts. A warning nobody reads.
# - **Cause:** `InstanceNorm1d` wants `(N, C, L)`, and takes two axes for one sample `(C, L)` without a batch axis. A
#   table `(N, F)` becomes N channels with F positions: each *row* is normalized, over metres, grams and years
#   together.

# %% slideshow={"slide_type": "fragment"}
table = torch.tensor([[1.60, 60000, 30], [1.80, 80000, 50], [1.50, 52000, 41]])  # (N=3, F=3)
with warnings.catch_warnings(record=True) as heard:
    warnings.simplefilter("always")
    print(nn.InstanceNorm1d(3)(table))
print("warnings:", len(heard))

# %% [markdown]
# The rows are all the same. (And no warning, since there happen to be as many rows as features: with another
# number there is one.) What a table wants is one mean for each *column*, over the rows:

# %%
norm = nn.BatchNorm1d(3)
norm(table).detach(), norm(table).mean(0).detach().round(decimals=4).abs()

# %% [markdown]
# - **Test:** print the mean of each column of what comes out. Is it zero?
# - **Cure:** `BatchNorm1d(F)` *before* the layer that adds the features up. It remembers for evaluation, so that one
#   row alone gets the same answer as among others. (LayerNorm is no cure here: it normalizes rows as well. It is for
#   features of one kind.)

# %%
norm.eval()
torch.equal(norm(table[:1])[0], norm(table)[0]), doctor(nn.InstanceNorm1d(3), table).names()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Groups of one
#
# - **Symptom:** a network gives the same answer to everything.
# - **Cause:** a mean over a single number. `GroupNorm(C, C)` on vectors, `LayerNorm` with a last axis of 1,
#   InstanceNorm on 1 × 1 maps: the number minus itself is 0, and the bias is what comes out. GroupNorm and LayerNorm
#   say nothing.

# %% slideshow={"slide_type": "fragment"}
two = torch.randn(2, 4)
nn.GroupNorm(4, 4)(two).detach().abs().round(decimals=3), nn.LayerNorm(1)(two[:, :1]).detach()

# %% [markdown]
# - **Test:** feed two different inputs. The doctor counts the numbers behind each mean:

# %%
doctor(nn.Sequential(nn.Linear(784, 4), nn.GroupNorm(4, 4)), images[:2])

# %% [markdown]
# - **Cure:** `GroupNorm(num_groups, num_channels)`, in this order, with several channels in each group.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Padding is data, too
#
# - **Symptom:** the answer to a short sequence depends on how long the longest one in its batch was.
# - **Cause:** zeros that fill up a batch are numbers like any other, and a mean over positions counts them.

# %% slideshow={"slide_type": "fragment"}
torch.manual_seed(0)
real = torch.randn(2, 3, 4) + 5  # (N, C, L): two sequences of four real positions
for zeros in (0, 4, 40):
    padded = nn.functional.pad(real, (0, zeros))  # (N, C, 4 + zeros)
    out = nn.BatchNorm1d(3)(padded)[:, :, :4]  # the real positions
    print(f"{zeros:2} positions of padding: mean {out.mean().abs():.2f},", end=" ")
    print(f"std {out.std(correction=0):.2f}")

# %% [markdown]
# - **Test:** lengthen the padding. What comes out at the real positions must not change.
# - **Cure:** normalize the real positions only, picked with a mask, or use LayerNorm over the features of one position,
#   which has nothing to do with the others ([lesson 6](06_layer_norm.ipynb)).

# %%
padded = nn.functional.pad(real, (0, 40)).transpose(1, 2)  # (N, L, C)
is_real = torch.arange(44).expand(2, 44) < 4  # (N, L)
only_real = nn.BatchNorm1d(3)(padded[is_real])  # (positions, C)
everything = nn.LayerNorm(3)(padded)[is_real]
print(f"masked: mean {only_real.mean().abs():.2f}, std {only_real.std(correction=0):.2f}")
torch.equal(everything, nn.LayerNorm(3)(real.transpose(1, 2)).flatten(0, 1))

# %% [markdown]
# ## Weight decay on weight and bias
#
# - **Symptom:** the weights of norm layers get smaller and smaller, those of channels that learn nothing first.
# - **Cause:** `weight_decay` in an optimizer means *all* parameters it was given. For a matrix decay is a preference for
#   simple solutions; for the one scale of a channel it is a pull towards a dead channel.

# %%
layer = nn.LayerNorm(3)
optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, weight_decay=0.1)
for _ in range(500):
    optimizer.zero_grad()
    (0 * layer(torch.randn(8, 3))).sum().backward()  # a loss that asks for nothing
    optimizer.step()
layer.weight.detach(), 0.99**500

# %% [markdown]
# With no gradient at all, the weight is $(1 - 0.1 \cdot 0.1)^{500}$ of what it was.
#
# - **Test:** which groups of the optimizer hold the norms? The doctor looks, if you give it the optimizer.
# - **Cure:** two groups. Norm weights and all biases have one axis, matrices and kernels more:


# %%
def without_decay_for_norms(model, lr, weight_decay):
    several = [p for p in model.parameters() if p.dim() > 1]
    single = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": several}, {"params": single, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=lr, weight_decay=weight_decay)


network = article_net("layer")
careless = torch.optim.SGD(network.parameters(), lr=0.1, weight_decay=0.01)
careful = without_decay_for_norms(network, 0.1, 0.01)
doctor(network, optimizer=careless).names(), doctor(network, optimizer=careful).names()

# %% [markdown]
# (`LayerNorm` over several axes has a weight with several; go by module there. None of this says that it *matters*: in
# large networks people leave norms out of the decay, and in small ones you may see no difference. Decay of the matrix
# before a norm is another story: it changes the step size, [lesson 12](12_why_it_works.ipynb).)

# %% [markdown]
# ## Half precision
#
# - **Symptom:** after `model.half()` evaluation gives zeros, or the running statistics stand still.
# - **Cause:** float16 ends at 65,504, and the running variance is a *square*: values of a few hundred are enough.
#   bfloat16 reaches as far as float32, but has three decimal digits: a thousandth of a change is rounded away.

# %%
torch.manual_seed(0)
wide = nn.BatchNorm1d(1).half()
for _ in range(50):
    wide(300 * torch.randn(64, 1).half())
print(
    "float16: running variance",
    wide.running_var.item(),
    " output",
    wide.eval()(torch.full((1, 1), 300.0).half()).item(),
)

# %%
slow, exact = nn.BatchNorm1d(1, momentum=0.001).bfloat16(), nn.BatchNorm1d(1, momentum=0.001)
for batch in torch.randn(3000, 64, 1) + 3:
    slow(batch.bfloat16()), exact(batch)
print(
    f"mean 3, momentum 0.001: bfloat16 remembers {slow.running_mean.item():.2f}, float32 {exact.running_mean.item():.2f}"
)

# %% [markdown]
# - **Test:** `layer.running_mean.dtype`; the doctor warns while such a layer trains.
# - **Cure:** keep norm layers in float32. They accept float16 input as it is, and give float16 back; `torch.autocast` arranges the
#   rest.

# %%
kept = nn.BatchNorm1d(1)
print(
    kept(torch.randn(4, 1).half()).dtype,
    kept.running_var.dtype,
    doctor(nn.BatchNorm1d(1).half()).names(),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Whose mean is it?
#
# - **Symptom:** good in the laboratory, worse outside. Or: a discriminator that is too clever from the first step.
# - **Cause:** statistics from numbers that should not have been asked. It happens before any network is built, when a
#   table is standardized first and split afterwards.

# %% slideshow={"slide_type": "fragment"}
x = torch.tensor([[1.0], [5], [9], [42]])  # (N=4, F=1): three rows to train on, one to test
(x - x.mean(0)) / x.std(0)

# %% [markdown]
# - **Test:** move the test rows far away. If a *training* row changes, it has heard of them. If the *test* rows do not
#   change, they were standardized by themselves, and a shift between laboratory and world hides:


# %%
def probe(standardize):
    near, far = x.clone(), x.clone()
    far[3] += 1000
    (train_near, test_near), (train_far, test_far) = standardize(near), standardize(far)
    leak, blind = not torch.equal(train_near, train_far), torch.allclose(test_near, test_far)
    print(f"training rows changed: {leak!s:5}  test rows did not: {blind}")


# %%
def all_together(x):
    scaled = (x - x.mean(0)) / x.std(0)
    return scaled[:3], scaled[3:]


def each_by_itself(x):
    return tuple(part - part.mean(0) for part in (x[:3], x[3:]))


probe(all_together)
probe(each_by_itself)

# %% [markdown]
# - **Cure:** split first. One mean and one standard deviation for each feature (`dim=0`), from the training rows, and the same two
#   for both parts. A test row may then be far from 0, and that is information.

# %%
mean, std = x[:3].mean(0), x[:3].std(0)  # (F,)
(x - mean) / std

# %% [markdown]
# The same question inside a network. In a GAN the discriminator sees real and made images. Together in one batch they
# share a mean, apart each has its own, and BatchNorm then removes what tells them apart:

# %%
torch.manual_seed(0)
real, made = torch.randn(32, 1) + 2, torch.randn(32, 1) - 2
joint = nn.BatchNorm1d(1)(torch.cat([real, made]))
apart = nn.BatchNorm1d(1)
gap_joint = (joint[:32].mean() - joint[32:].mean()).item()
gap_apart = (apart(real).mean() - apart(made).mean()).item()
print(f"between real and made: {gap_joint:.1f} in one batch, {abs(gap_apart):.1f} in two")

# %% [markdown]
# Neither is wrong; they are two different layers. Decide whose mean it is to be, and do the same in training and in
# use. (Two calls in one forward pass also move the running statistics twice, towards the mean of both.)

# %% [markdown]
# ## Three numbers to read twice
#
# **momentum.** In PyTorch it is the share of the new batch, in Keras that of the old. A layer carried over with
# 0.99 remembers one batch. Here it costs little with batches of 64, and much with batches of 8:


# %%
def with_momentum(momentum, seed):
    network = article_net("batch", seed)
    network.bn1.momentum = network.bn2.momentum = momentum
    return network


# %% tags=["nbval-ignore-output"]
# Output not compared: a trained accuracy differs in its last digits from processor to processor.
after = {}
for momentum in (0.1, 0.99):
    nets = [train(with_momentum(momentum, s), shuffled(s, 8)[:150], lr=0.05) for s in range(5)]
    after[momentum] = [accuracy(network.eval()) for network in nets]
    print(
        f"momentum {momentum}: {np.mean(after[momentum]):.1%} ± {np.std(after[momentum], ddof=1):.1%}"
    )

# %%
assert np.mean(after[0.99]) < np.mean(after[0.1]) - 0.03

# %% [markdown]
# **eps.** 1e-5 here, 1e-3 in Keras. It is added to the variance: where that is small, weights carried over from there
# need the eps they were trained with.

# %%
x = 0.03 * torch.randn(64, 1, generator=torch.Generator().manual_seed(0))
for eps in (1e-5, 1e-3):
    print(f"eps {eps:g}: standard deviation {nn.BatchNorm1d(1, eps=eps)(x).std(correction=0):.2f}")

# %% [markdown]
# **bias** of the layer before. The mean swallows it ([lesson 2](02_batch_norm_forward.ipynb)). Nothing is wrong with it, except that
# it does nothing. `bias=False` says so to the reader. Whether a bias stands right before a norm is a matter of the order in which
# layers *run*; the doctor guesses from the order in which they were registered, and an example makes it sure:


# %%
class NormFirst(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.norm = nn.Linear(8, 8), nn.BatchNorm1d(8)

    def forward(self, x):
        return self.linear(torch.relu(self.norm(x)))  # the bias comes last, and is not lost


doctor(NormFirst()).names(), doctor(NormFirst(), torch.randn(4, 8)).names()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Hidden in a list
#
# - **Symptom:** `eval()` has no effect on some layers; "expected all tensors to be on the same device"; parameters
#   that never learn, or are not in the file.
# - **Cause:** layers in a plain Python list or dict. The module does not know them.


# %% slideshow={"slide_type": "fragment"}
class Listed(nn.Module):
    def __init__(self):
        super().__init__()
        self.norms = [nn.BatchNorm1d(4), nn.BatchNorm1d(4)]


hiding = Listed().eval()
hiding.norms[0].training, len(list(hiding.parameters()))

# %% [markdown]
# - **Test:** `len(list(model.parameters()))`, or `print(model)`: what is not printed is not there.
# - **Cure:** `nn.ModuleList`, `nn.ModuleDict`.

# %%
doctor(hiding)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## When not to normalize
#
# A norm throws something away: that is its work. Ask what, before you put one in.
#
# **The answer is in the size.** A signal comes in, its loudness is wanted. LayerNorm removes exactly that: it makes the same of a signal
# and of the same signal a hundred times as loud.

# %%
torch.manual_seed(0)
loudness = torch.rand(2000, 1) + 0.5  # (N, 1), what is to be predicted: 0.5 to 1.5
signals = loudness * torch.randn(2000, 32)  # (N, L)


# %%
def regression_error(first, seed):
    torch.manual_seed(seed)
    network = nn.Sequential(first(), nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.003)
    for rows in torch.arange(1600).repeat(10).split(64):
        optimizer.zero_grad()
        mse_loss(network(signals[rows]), loudness[rows]).backward()
        optimizer.step()
    return mse_loss(network(signals[1600:]), loudness[1600:]).item()


# %% slideshow={"slide_type": "fragment"}
always_the_mean = loudness[1600:].var().item()  # the error of that answer
for name, first in {"no norm": nn.Identity, "LayerNorm": lambda: nn.LayerNorm(32)}.items():
    errors = [regression_error(first, seed) / always_the_mean for seed in range(5)]
    print(
        f"{name:9} below half of the error of always answering the mean: {max(errors) < 0.5},",
        end=" ",
    )
    print(f"above it: {min(errors) > 1}")

# %% [markdown]
# (On the *inputs*, that is. A norm deeper inside, behind layers that have turned loudness into something else, may do no harm.)
#
# **The last layer.** A norm behind the output layer forces the outputs into a range; class scores may want to be of any size, and a
# regression's target has a scale of its own.
#
# **It learns without.** At a good learning rate the article's network reaches 95 % without any norm ([lesson 5](05_mnist_with_batch_norm.ipynb)).
# A shallow network on standardized data may need none; and deep ones have been trained without, with care for
# their initialization (references below).
#
# **Batches that carry information.** Where what a batch has in common says something about the answer (one patient, one film, one
# class), BatchNorm subtracts it. That was "Sorted batches".
#
# **Rare classes** are often named as a reason not to normalize. Nothing above supports it: what harms is a batch that is
# sorted, not a data set that is uneven. [Lesson 11](11_check_the_claims.ipynb) puts that claim to the test.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Five short hunts
#
# Five PyTorch programs, as people write them. They run without an error (the second until a batch is a single row), and each has
# **one** real defect, one of those above. A cell shows what the program does; below it you mend it: copy the program into the
# empty cell, in place of `raise NotImplementedError()`, or write it anew. **What is checked is what it does**, not how it looks. Then run the cell that showed the defect once more, with your program.

# %% [markdown]
# ### Hunt 1: frozen, and still moving
#
# *Medium · importance high*
#
# A network has a *body*, trained at great cost on other data, and a fresh *head*. Only the head is to
# learn; nothing in the body may change. In training the head works as every network in training does,
# its own BatchNorm included.
#
# | | | |
# |---|---|---|
# | `body`, `head` | modules | the network is one behind the other; both have BatchNorm layers |
# | `batches` | a list of `(x, y)` | what the head is trained on, in this order, in every epoch |
# | `validation` | one `(x, y)` | what is measured after each epoch, in evaluation mode |
# | `epochs`, `lr` | numbers | |
# | returns `losses` | a list of `epochs` numbers | the validation losses |
#
# This is the program. It gives the parameters of the body `requires_grad=False`, and the optimizer
# does not even know them:


# %%
def fine_tune(body, head, batches, validation, epochs, lr):
    """Train the head on the batches; the body stays as it is. Returns the validation losses."""
    network = torch.nn.Sequential(body, head)
    for parameter in body.parameters():
        parameter.requires_grad_(False)
    optimizer = torch.optim.SGD(head.parameters(), lr=lr)
    losses = []
    network.train()
    for _ in range(epochs):
        for x, y in batches:
            loss = mse_loss(network(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            x, y = validation
            losses.append(mse_loss(network(x), y).item())
        network.train()
    return losses


# %% [markdown]
# An example with a body of 3 inputs and 2 outputs. What of it has moved?


# %%
def what_moves(fine_tune):
    torch.manual_seed(0)
    body = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2), torch.nn.ReLU())
    head = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 1))
    before = copy.deepcopy(body.state_dict())
    batches = [(torch.randn(8, 3), torch.randn(8, 1)) for _ in range(4)]
    fine_tune(body, head, batches, validation=batches[0], epochs=2, lr=0.1)
    for name, now in body.state_dict().items():
        print(f"body.{name:22}", "as it was" if torch.equal(now, before[name]) else "has moved")
    print("batches seen by the head:", head[0].num_batches_tracked.item())


# %%
what_moves(fine_tune)

# %% [markdown]
# No weight has moved, and yet the body gives other answers than before. Mend the program: the body as
# it was, eight batches seen by the head.
#
# <details><summary>Hint 1: who writes there?</summary>
#
# The names of what has moved are those of *buffers*. No optimizer ever writes a buffer. Who does, and
# in which mode?
#
# </details>
#
# <details><summary>Hint 2: which call came last?</summary>
#
# `train()` and `eval()` reach every module inside the one they are called on. Go through the program
# line by line and write down in which mode the body is, through the second epoch.
#
# </details>


# %%
def fine_tune(body, head, batches, validation, epochs, lr):
    """Train the head on the batches; the body stays as it is. Returns the validation losses."""
    raise NotImplementedError()


# %%
check("fine_tune", fine_tune)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def fine_tune(body, head, batches, validation, epochs, lr):
#     """Train the head on the batches; the body stays as it is. Returns the validation losses."""
#     network = torch.nn.Sequential(body, head)
#     for parameter in body.parameters():
#         parameter.requires_grad_(False)
#     optimizer = torch.optim.SGD(head.parameters(), lr=lr)
#     losses = []
#     for _ in range(epochs):
#         network.train()
#         body.eval()  # after train(), which reaches the body, too
#         for x, y in batches:
#             loss = mse_loss(network(x), y)
#             optimizer.zero_grad()
#             loss.backward()
#             optimizer.step()
#         network.eval()
#         with torch.no_grad():
#             x, y = validation
#             losses.append(mse_loss(network(x), y).item())
#     return losses
# ```
#
# </details>

# %% [markdown]
# ### Hunt 2: who else is in the queue?
#
# *Medium · importance high*
#
# A function asks a network for its scores, some rows at a time. The scores of a row should not depend
# on how the rows are put into batches, and the network should be the same afterwards in every respect:
# its buffers, and **the mode of each of its layers** (a layer may be kept in evaluation mode on purpose
# while all others train).
#
# | | shape | |
# |---|---|---|
# | `network` | a module | in any mode; some layers may be in another mode than the rest |
# | `x` | `(N, D)` | the rows |
# | `batch_size` | a number | how many rows at a time; the last batch may be smaller, down to one row |
# | returns `scores` | `(N, C)` | a tensor without gradients |


# %%
def predict(network, x, batch_size):
    """Return the network's scores (N, C) for the rows of x (N, D), without a trace in it."""
    with torch.no_grad():
        return torch.cat([network(rows) for rows in x.split(batch_size)])


# %% [markdown]
# An example of 2×3 numbers, with a fresh BatchNorm for a network. In evaluation mode a fresh BatchNorm
# changes next to nothing: what should come out is x.


# %%
def ask(predict):
    x = torch.tensor([[1.0, 10, 6], [9, 12, -2]])  # (N=2, D=3)
    network = torch.nn.BatchNorm1d(3)
    try:
        for batch_size in (2, 1):
            scores = predict(network, x, batch_size)
            print(f"batches of {batch_size}:", *scores.round(decimals=2).tolist())
    except ValueError as error:
        print(f"batches of {batch_size}: {error}")
    print("seen in training:", network.num_batches_tracked.item(), "  mode:", network.training)


# %%
ask(predict)

# %% [markdown]
# <details><summary>Hint 1: two switches</summary>
#
# `no_grad` turns something off. Does BatchNorm ask for it when it chooses between the batch's
# statistics and the running ones?
#
# </details>
#
# <details><summary>Hint 2: as it was</summary>
#
# `network.modules()` goes through all modules, and each has its own `training`. Which of them do you
# have to remember so that every layer gets its own mode back?
#
# </details>


# %%
def predict(network, x, batch_size):
    """Return the network's scores (N, C) for the rows of x (N, D), without a trace in it."""
    raise NotImplementedError()


# %%
check("predict", predict)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def predict(network, x, batch_size):
#     """Return the network's scores (N, C) for the rows of x (N, D), without a trace in it."""
#     modes = [(module, module.training) for module in network.modules()]
#     network.eval()
#     with torch.no_grad():
#         scores = torch.cat([network(rows) for rows in x.split(batch_size)])
#     for module, training in modes:
#         module.training = training
#     return scores
# ```
#
# </details>

# %% [markdown]
# ### Hunt 3: the teacher that never catches up
#
# *Medium · importance high*
#
# In semi-supervised and in reinforcement learning a *teacher* (or target network) follows a student:
# after each step of the student, every parameter of the teacher becomes
#
# $$\text{teacher} \leftarrow \text{decay} \cdot \text{teacher} + (1 - \text{decay}) \cdot \text{student}$$
#
# That is for the parameters. All buffers are to be **taken over from the student as they are**: they are
# averages already, or counters. Teacher and student share no memory: what the student does later must
# not move the teacher.
#
# | | | |
# |---|---|---|
# | `teacher`, `student` | modules | of the same layers; the teacher is changed in place |
# | `decay` | a number | between 0 and 1 |
# | returns nothing | | |


# %%
def update_teacher(teacher, student, decay):
    """Move the teacher towards the student, in place."""
    with torch.no_grad():
        for ours, theirs in zip(teacher.parameters(), student.parameters(), strict=True):
            ours.mul_(decay).add_(theirs, alpha=1 - decay)


# %% [markdown]
# An example, with a BatchNorm for each of them. The student's weight is 3 and the teacher's 1, so with
# decay 0.5 the teacher should get 0.5 · 1 + 0.5 · 3 = 2. The student has seen a batch of 2×3 numbers
# whose means are 5, 10 and 2, and remembers a tenth of them.


# %%
def follow(update_teacher):
    teacher, student = torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)
    torch.nn.init.constant_(student.weight, 3)
    student(torch.tensor([[1.0, 10, 6], [9, 10, -2]]))  # (N=2, C=3)
    update_teacher(teacher, student, decay=0.5)
    for name in ("weight", "running_mean"):
        for who, network in (("student", student), ("teacher", teacher)):
            print(f"{who}.{name:13}", getattr(network, name).detach().numpy())


# %%
follow(update_teacher)

# %% [markdown]
# <details><summary>Hint 1: learned, or measured?</summary>
#
# Compare `[name for name, _ in teacher.named_parameters()]` with `list(teacher.state_dict())`.
#
# </details>
#
# <details><summary>Hint 2: taken over</summary>
#
# There is a list for the others as well: `buffers()`. One of them counts batches; can a whole number be
# averaged? And to take over numbers means to copy them: which method of a tensor does that in place?
#
# </details>


# %%
def update_teacher(teacher, student, decay):
    """Move the teacher towards the student, in place."""
    raise NotImplementedError()


# %%
check("update_teacher", update_teacher)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def update_teacher(teacher, student, decay):
#     """Move the teacher towards the student, in place."""
#     with torch.no_grad():
#         for ours, theirs in zip(teacher.parameters(), student.parameters(), strict=True):
#             ours.mul_(decay).add_(theirs, alpha=1 - decay)
#         for ours, theirs in zip(teacher.buffers(), student.buffers(), strict=True):
#             ours.copy_(theirs)
# ```
#
# </details>

# %% [markdown]
# ### Hunt 4: a table is no sequence
#
# *Medium · importance medium*
#
# Each row of a table holds what several sensors measured at one time, each in its own unit. Before the
# linear layer, each *feature* (a column) is to be normalized over the batch, to mean 0 and variance 1
# (the variance that divides by N, `eps` 1e-5 under the root). In evaluation mode the layer uses what it
# remembered in training, with PyTorch's usual momentum 0.1 and the unbiased variance, so that one row
# alone gets the same answer as among others.
#
# | | | |
# |---|---|---|
# | `features`, `classes` | numbers | F sensors, C classes |
# | `self.linear` | `torch.nn.Linear` | keep this layer under this name |
# | returns `scores` | `(N, C)` | of `forward(x)`, with x of `(N, F)` |


# %%
class SensorNet(torch.nn.Module):
    """Normalizes each feature, then applies a linear layer."""

    def __init__(self, features, classes):
        super().__init__()
        self.norm = torch.nn.InstanceNorm1d(features)
        self.linear = torch.nn.Linear(features, classes)

    def forward(self, x):
        return self.linear(self.norm(x))


# %% [markdown]
# An example of 2×3 numbers: metres, grams and years. We make the linear layer one that changes nothing,
# so what comes out is what the norm gives. After right normalization the columns would be −1 and 1.


# %%
def measure(SensorNet):
    network = SensorNet(features=3, classes=3)
    torch.nn.init.eye_(network.linear.weight)
    torch.nn.init.zeros_(network.linear.bias)
    x = torch.tensor([[1.60, 60000, 30], [1.80, 80000, 50]])  # (N=2, F=3)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        print(network(x).detach().round(decimals=2).numpy())
    for warning in heard:
        print(f"{warning.category.__name__}: {warning.message}")


# %%
measure(SensorNet)

# %% [markdown]
# No error, and a warning that is lost among a thousand lines of a training run. Grams decide, metres
# and years are nowhere to be seen.
#
# <details><summary>Hint 1: how are two axes read?</summary>
#
# InstanceNorm1d takes `(N, C, L)`, and `(C, L)` where one sample comes without a batch axis. As which
# of the two does it read `(N, F)`? Which numbers share a mean then?
#
# </details>
#
# <details><summary>Hint 2: which numbers should share a mean?</summary>
#
# Those of one column: all rows of the batch, one feature. Which norm averages over the batch, and
# remembers for evaluation mode?
#
# </details>


# %%
class SensorNet(torch.nn.Module):
    """Normalizes each feature, then applies a linear layer."""

    def __init__(self, features, classes):
        super().__init__()
        raise NotImplementedError()

    def forward(self, x):
        raise NotImplementedError()


# %%
check("SensorNet", SensorNet)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# class SensorNet(torch.nn.Module):
#     """Normalizes each feature, then applies a linear layer."""
#
#     def __init__(self, features, classes):
#         super().__init__()
#         self.norm = torch.nn.BatchNorm1d(features)
#         self.linear = torch.nn.Linear(features, classes)
#
#     def forward(self, x):
#         return self.linear(self.norm(x))
# ```
#
# </details>

# %% [markdown]
# ### Hunt 5: whose mean is it?
#
# *Easy · importance high*
#
# The first rows of a table are for training, the others for testing. Every feature is to be
# standardized: its mean subtracted, the result divided by its standard deviation (`torch`'s `std`, with
# n − 1, as in the program). Test rows stand for data that does not exist yet: **nothing may be learned
# from them**, not even a mean.
#
# | | shape | |
# |---|---|---|
# | `x` | `(N, F)` | all rows; leave them as they are |
# | `size` | a number | how many rows, from the first, are for training |
# | returns `train, test` | `(size, F)`, `(N - size, F)` | the standardized rows, in their order |


# %%
def split_and_standardize(x, size):
    """Split x (N, F) into training and test rows, standardized. Returns train, test."""
    x = (x - x.mean(0)) / x.std(0)
    return x[:size], x[size:]


# %% [markdown]
# An example: three training rows with the means 5, 12 and 2 and the standard deviations 4, 2 and 4. A
# test row (9, 12, 42) should become (1, 0, 10).


# %%
def standardize(split_and_standardize):
    x = torch.tensor([[1.0, 10, 6], [5, 12, 2], [9, 14, -2], [9, 12, 42]])  # (N=4, F=3)
    train, test = split_and_standardize(x, size=3)
    print(train.round(decimals=2).numpy())
    print("test:", test.round(decimals=2).numpy())


# %%
standardize(split_and_standardize)

# %% [markdown]
# <details><summary>Hint 1: a probe</summary>
#
# Change the test row to (9, 12, 4200) and run the program again. Do the *training* rows change? Should
# they?
#
# </details>
#
# <details><summary>Hint 2: the order of two steps</summary>
#
# There are two steps, to split and to standardize. Which of them has to come first?
#
# </details>


# %%
def split_and_standardize(x, size):
    """Split x (N, F) into training and test rows, standardized. Returns train, test."""
    raise NotImplementedError()


# %%
check("split_and_standardize", split_and_standardize)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def split_and_standardize(x, size):
#     """Split x (N, F) into training and test rows, standardized. Returns train, test."""
#     train, test = x[:size], x[size:]
#     mean, std = train.mean(0), train.std(0)  # (F,) each
#     return (train - mean) / std, (test - mean) / std
# ```
#
# </details>

# %% [markdown]
# ## Your turn
#
# | exercise | difficulty | importance | minutes |
# |---|---|---|---|
# | [13, task 1](../exercises/13_choose_and_debug.ipynb): one training program with three bugs, and no title that names them | hard | high | 15 |
# | 13, task 2: freeze norms in four ways, and thaw them again | medium | high | 15 |
# | 13, task 3: average several networks, and measure again what has to be measured | hard | medium | 20 |
# | 13, task 4: two samples at a time | medium | medium | 10 |
#
# And one without a check: run `doctor` on a model of yours, with an example. Is each finding one that you want?

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Test yourself
#
# Five questions before the recap. Choose an answer, and you see at once why it is right or wrong. Your
# first choices count, and the line under the questions says where they are kept.

# %% slideshow={"slide_type": "-"}
self_test("13_choose_and_debug")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - **Choose** by what shares a mean: nothing of the batch if it is small, sorted or padded; nothing over one sample if its size is
#   the answer; BatchNorm for images or tables in large, random batches.
# - **From symptom to cause:** ask for one row alone and among others; measure the statistics again; compare `state_dict()`s;
#   lengthen the padding; move the test rows; print the labels of three batches.
# - **Freeze, copy, evaluate:** `eval()` is about statistics, `no_grad` about gradients, `requires_grad` about learning; the last
#   `train()` wins; buffers are not parameters.
# - **The doctor** sees what is in the model and in one forward pass. It does not see your data.

# %% [markdown]
# ## Go further
#
# - Y. Wu, J. Johnson, *Rethinking "Batch" in BatchNorm*, arXiv:2105.07576, 2021: what a batch is, case by case, with
#   experiments on each.
# - X. Li, S. Chen, X. Hu, J. Yang, *Understanding the Disharmony between Dropout and Batch Normalization by Variance Shift*,
#   arXiv:1801.05134, 2018.
# - H. Zhang, Y. N. Dauphin, T. Ma, *Fixup Initialization*, ICLR 2019, arXiv:1901.09321, and A. Brock and others, *High-Performance
#   Large-Scale Image Recognition Without Normalization*, arXiv:2102.06171, 2021: very deep networks without any norm.
# - PyTorch's [`torch.optim.swa_utils`](https://docs.pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema): averaged models
#   and `update_bn`.
