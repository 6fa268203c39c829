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
# # Tell a norm what to do, and put norms to work
#
# *Lesson 15 · 110 minutes, self-test 10 · hard · scale and shift from a condition; folding, freezing, averaging, exporting*
#
# When you have finished you can
#
# - name the one formula behind FiLM, conditional BatchNorm, AdaIN, SPADE and AdaLN, and say what differs;
# - write a LayerNorm that is told its scale and shift, with the way back to whatever tells it;
# - build the block of a diffusion transformer, and say which of its parts get a gradient in the first
#   step, in the second, and in the third;
# - say which of shift, scale and gate tells a network its digit, and why "it can be read" is no measure of it;
# - fold, freeze, renew, average and export a network with norms in it, and know what each leaves undone.
#
# **What you need:** [lesson 3](03_batch_norm_train_and_eval.ipynb) for the two modes,
# [lesson 6](06_layer_norm.ipynb) for LayerNorm, [lesson 7](07_instance_norm.ipynb) for AdaIN.

# %%
import copy
import warnings

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.optim.swa_utils import AveragedModel, update_bn

from normlab import load_mnist, plots
from normlab.exercises import check, guess, self_test, yours
from normlab.training import article_net, as_inputs, evaluate, fit, recorded, small_cnn
from normlab.training.experiments.contrast_shift import in_light
from normlab.training.painter import (
    SIDE,
    error,
    halved,
    paint,
    painter,
    read_right,
    reader,
    spread,
    teach,
)

np.set_printoptions(precision=4, suppress=True)
torch.set_printoptions(precision=4, sci_mode=False)
torch.set_num_threads(1)  # the networks here are small

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A question first
#
# Here a network learns to paint. It is given a digit of MNIST, at half its size, with noise over it, and guesses
# the digit without noise. In two further numbers it is told how much noise there is, and which digit is under
# it. Both reach it in one place only: the scale and the shift of the LayerNorms in its three blocks, and a gate beside them. It
# takes a few seconds.

# %% slideshow={"slide_type": "-"}
mnist = load_mnist(tensors=True)
images, digits = halved(mnist.train_images), mnist.train_labels  # (60000, 196), (60000,)
network = painter("in the norms", seed=0)
teach(network, images, digits, steps=1200, lr=0.008)

# %% [markdown] slideshow={"slide_type": "subslide"}
# To paint, it begins with noise alone, guesses, goes a twentieth of the way to its guess, and guesses again; of the way that
# is left it goes a nineteenth then, and so on, and in the twentieth step all of it.
# That is a diffusion model, as small as they come.

# %% slideshow={"slide_type": "-"} tags=["nbval-ignore-output"]
# Output not compared: a trained network differs in its last digits from processor to processor.
rows = {}
for seed in range(3):
    pictures = paint(network, torch.arange(10), seed=seed).clamp(-1, 1)  # (10, 196)
    rows[f"seed {seed}"] = pictures.reshape(10, SIDE, SIDE).numpy()
plots.lights(rows, [str(digit) for digit in range(10)], **plots.words("15 painted digits"))

# %% [markdown] slideshow={"slide_type": "fragment"}
# Nobody drew these. A second network, which reads 95 of 100 real digits of this size, is shown 500 of them:

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "-"}
# Output not compared: a trained network differs in its last digits from processor to processor.
wanted = torch.arange(10).repeat_interleave(50)
real, real_digits = halved(mnist.test_images), mnist.test_labels
painted = paint(network, wanted)
print(f"read as what was asked for: {read_right(painted, wanted):.1%}")
print(f"real digits, read right:    {read_right(real, real_digits):.1%}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# Now we change our mind. For the first ten of the twenty steps the network is told to paint a 3, for the last
# ten an 8: two hundred pictures.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Which digit are they read as more often?",
    "the 3 of the first half",
    options=["the 3 of the first half", "the 8 of the second half"],
    outputs=2,
)

# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
# Output not compared: a trained network differs in its last digits from processor to processor.
read_as = {}
for change in (0, 4, 8, 10, 12, 16, 20):
    told = torch.full((20, 200), 8)
    told[:change] = 3  # (steps, N)
    read_as[change] = reader()(paint(network, told)).argmax(1)
    three, eight = ((read_as[change] == digit).double().mean().item() for digit in (3, 8))
    print(f"3 for {change:2} steps, then 8: read as 3 {three:4.0%}, as 8 {eight:4.0%}")

# %%
three, eight = ((read_as[10] == digit).sum() for digit in (3, 8))
print("changed in the middle: more often a 3 than an 8:", bool(three > eight))

# %% [markdown] slideshow={"slide_type": "fragment"}
# The large strokes are settled while there is much noise; later words come too late. But how can a
# scale, a shift and a gate say "3" at all?

# %% [markdown] slideshow={"slide_type": "slide"}
# ## One formula, six names
#
# Every norm with a weight and a bias ends in $y = \text{weight} \cdot \hat x + \text{bias}$. Lesson 7 took both
# from *another image* (AdaIN). All the others of this family do the same from another source:
#
# $$y = (1 + \text{scale}(c)) \cdot \hat x + \text{shift}(c)$$
#
# | name | normalized by | the condition $c$ | scale and shift: one for each |
# |---|---|---|---|
# | conditional BatchNorm (de Vries 2017), BigGAN | BatchNorm | a class, looked up | channel of a sample |
# | AdaIN (Huang & Belongie 2017) | InstanceNorm | another image's means and spreads | channel of a sample |
# | FiLM (Perez 2017) | whatever is there | a question, read by a network | channel of a sample |
# | SPADE (Park 2019) | BatchNorm or InstanceNorm | a map of labels | channel *and pixel* |
# | diffusion U-Nets | GroupNorm | time, by a linear layer | channel of a sample |
# | AdaLN (Peebles & Xie 2022) | LayerNorm | time and class, by a linear layer | feature of a sample |
#
# The norm itself has no weight and bias then (`affine=False`): they would be one more scale and shift. Nor has the formula to be
# new to you: with a condition that never changes it is the weight and the bias that you know.

# %% [markdown] slideshow={"slide_type": "subslide"}
# On numbers small enough to read: two samples of two tokens, three features, already normalized by LayerNorm.

# %% slideshow={"slide_type": "-"}
x_hat = np.array([[[-1.0, 0, 1], [1, 0, -1]], [[0, 1, -1], [-1, 1, 0]]])  # (N=2, T=2, D=3)
scale = np.array([[0.0, 0, 0], [1, 1, -1]])  # (N, D): what each sample is told
shift = np.array([[0.0, 0, 0], [10, 20, 30]])  # (N, D)
x_hat * (1 + scale[:, np.newaxis]) + shift[:, np.newaxis]  # (N, T, D)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The first sample is told zeros, and stays as it is: that is what the 1 is for. In the second sample every token gets the
# same scale and shift, one for each feature; a scale of −1 wipes its third feature out, and 30 takes its place.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## AdaLN: told by a vector
#
# Who says scale and shift? A linear layer, from a vector `condition` for each sample. It gives 2D numbers: **the first D
# are the shift, the last D the scale**. (That is the order of the DiT authors' code, facebookresearch/DiT at 00d70ac, `models.py`; others have the other
# order, see "Break it on purpose".) In a formula, with the LayerNorm of lesson 6 over the last axis:
#
# $$\hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}}, \qquad
# (\text{shift}, \text{scale}) = W c + b, \qquad y = (1 + \text{scale}) \cdot \hat x + \text{shift}$$
#
# **Your turn.** `x` is `(N, T, D)`, `condition` `(N, K)`, `weight` `(2D, K)`, `bias` `(2D,)`.


# %% slideshow={"slide_type": "subslide"}
def ada_layer_norm(x, condition, weight, bias, eps):
    raise NotImplementedError()


# %%
check("ada_layer_norm", ada_layer_norm)

# %%
told_norm = yours("ada_layer_norm", ada_layer_norm)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def ada_layer_norm(x, condition, weight, bias, eps):
#     mean, var = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)  # (N, T, 1)
#     x_hat = (x - mean) / np.sqrt(var + eps)  # (N, T, D)
#     told = (condition @ weight.T + bias)[:, np.newaxis]  # (N, 1, 2D)
#     shift, scale = np.split(told, 2, axis=-1)  # (N, 1, D) each
#     return x_hat * (1 + scale) + shift  # (N, T, D)
# ```
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# torch has no layer of this name. It is two that it has, in three lines; and they agree:


# %% slideshow={"slide_type": "-"}
class AdaLayerNorm(nn.Module):
    def __init__(self, features, known):
        super().__init__()
        self.norm = nn.LayerNorm(features, eps=1e-6, elementwise_affine=False)
        self.told = nn.Linear(known, 2 * features)

    def forward(self, x, condition):
        shift, scale = self.told(condition)[:, None].chunk(2, dim=-1)  # (N, 1, D) each
        return self.norm(x) * (1 + scale) + shift  # (N, T, D)


torch.manual_seed(0)
layer = AdaLayerNorm(5, known=3).double()
x, condition = torch.randn(4, 6, 5).double() + 2, torch.randn(4, 3).double()  # (N, T, D), (N, K)
weight, bias = layer.told.weight.detach().numpy(), layer.told.bias.detach().numpy()
ours = told_norm(x.numpy(), condition.numpy(), weight, bias, 1e-6)
np.allclose(ours, layer(x, condition).detach(), rtol=0, atol=1e-14)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The way back to the condition
#
# Backward through $\hat x$ is lesson 6, with $1 + \text{scale}$ in the weight's place. New is the road to whatever tells:
# here it learns *what to say*. Given `dy`, the loss's gradient for every output, a number that was used in many places
# gathers from all of them.
#
# - `shift` of a sample was added to each of its tokens: add up `dy` over the tokens.
# - `scale` multiplied $\hat x$ there: the same, each `dy` times its $\hat x$.
# - Joined as they were split, they are the gradient of $W c + b$: from there it is a linear layer.
#
# **Your turn.** Return the gradients of `condition` `(N, K)`, `weight` `(2D, K)` and `bias` `(2D,)`.


# %% slideshow={"slide_type": "subslide"}
def told_backward(dy, x_hat, condition, weight):
    raise NotImplementedError()


# %%
check("told_backward", told_backward)

# %%
back_to_condition = yours("told_backward", told_backward)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def told_backward(dy, x_hat, condition, weight):
#     dshift, dscale = dy.sum(axis=1), (dy * x_hat).sum(axis=1)  # (N, D) each
#     dtold = np.concatenate([dshift, dscale], axis=1)  # (N, 2D)
#     return dtold @ weight, dtold.T @ condition, dtold.sum(axis=0)
# ```
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# Beside torch's autograd, on the layer above:

# %% slideshow={"slide_type": "-"}
condition.requires_grad_()
dy = torch.randn(x.shape, dtype=torch.float64)
normalized = layer.norm(x).numpy()
ours = back_to_condition(dy.numpy(), normalized, condition.detach().numpy(), weight)
told = (condition, layer.told.weight, layer.told.bias)
theirs = torch.autograd.grad(layer(x, condition), told, dy)
[np.allclose(a, b, rtol=0, atol=1e-12) for a, b in zip(ours, theirs, strict=True)]

# %% [markdown]
# `normlab.nn.conditional` has both for any number of token axes, and FiLM beside them, held against torch to twelve digits.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## AdaLN-Zero: a block that begins as the identity
#
# The block of a diffusion transformer (DiT) adds a third thing that is told: a **gate** for the whole branch.
#
# $$y = x + \text{gate}(c) \cdot f\big((1 + \text{scale}(c)) \cdot \hat x + \text{shift}(c)\big)$$
#
# The linear layer that says all three begins with $W = 0$ and $b = 0$. So the gate is 0, without a 1 beside it, and whatever the
# branch $f$ says is not heard: at first the block gives back its input, exactly.
#
# **Your turn.** Here $f(h) = \text{relu}(h\,\text{into}^\top)\,\text{out}^\top$. `x` is `(N, T, D)`, the three that are told are
# `(N, D)`, `into` is `(H, D)` and `out` `(D, H)`.


# %% slideshow={"slide_type": "subslide"}
def adaln_zero(x, shift, scale, gate, into, out, eps):
    raise NotImplementedError()


# %%
check("adaln_zero", adaln_zero)

# %%
block = yours("adaln_zero", adaln_zero)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def adaln_zero(x, shift, scale, gate, into, out, eps):
#     mean, var = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)  # (N, T, 1)
#     x_hat = (x - mean) / np.sqrt(var + eps)  # (N, T, D)
#     shift, scale, gate = (told[:, np.newaxis] for told in (shift, scale, gate))  # (N, 1, D)
#     h = x_hat * (1 + scale) + shift  # (N, T, D)
#     return x + gate * (np.maximum(h @ into.T, 0) @ out.T)  # (N, T, D)
# ```
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# A hundred blocks with random weights, one after another, all of them told zeros. And the same with gates of 1:

# %% slideshow={"slide_type": "-"}
rng = np.random.default_rng(0)
start = rng.normal(size=(2, 4, 8))  # (N, T, D)
for gate in (0.0, 1.0):
    h, zeros = start, np.zeros((2, 8))
    for _ in range(100):
        into, out = rng.normal(size=(16, 8)), rng.normal(size=(8, 16))
        h = block(h, zeros, zeros, zeros + gate, into, out, 1e-6)
    print(f"gates {gate:g}: the input again: {np.array_equal(h, start)}, spread {h.std():.1f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# If nothing is heard of the branch, how does it learn? Our painter is built like that: three such blocks, and a last layer
# that begins at zero, too. A number learns only if its gradient is not zero.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "In which step of training does the embedding of the digit get its first gradient that is not zero?",
    3,
)


# %% slideshow={"slide_type": "fragment"}
def gradient_reaches(net):
    width = net.last.in_features
    told = torch.cat([b.told.weight.grad.view(3, width, -1) for b in net.blocks], 1)
    parts = {"last layer": net.last.weight.grad, "first layer": net.first.weight.grad}
    parts |= {"gates": told[2], "shifts": told[0], "scales": told[1]}
    parts |= {"branches": net.blocks[0].mlp[0].weight.grad, "digit": net.of_digit.weight.grad}
    return {name: bool(grad.abs().max() > 0) for name, grad in parts.items()}


fresh = painter("in the norms", seed=0)
optimizer = torch.optim.SGD(fresh.parameters(), lr=0.1)
for step in (1, 2, 3):
    time = torch.linspace(0.1, 0.9, 128)
    loss = (fresh(images[:128], time, digits[:128]) - images[:128]).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}:", ", ".join(name for name, yes in gradient_reaches(fresh).items() if yes))

# %% [markdown] slideshow={"slide_type": "fragment"}
# It opens from the end to the beginning. First only the last layer moves. Then a gradient arrives at the gates; it cannot
# pass them, since a shut gate multiplies what goes back by 0, too, and it cannot reach what tells them, since $W$ is 0. Once the gates are
# open, everything learns. Nothing is dead: a product of two numbers that are *both* zero would be.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Told in the norms, or elsewhere: recorded
#
# Does it matter *where* a network is told? Three painters: told nothing; told at the input, where the vector
# of time and digit is joined to the pixels; and told in the norms, as above. Four
# learning rates, five seeds, 500 steps, 50,000 images to learn from, the other 10,000 of the training set to choose the rate by.
#
# *Error* is the mean square of what the guessed digits are off by, from -1 (paper) to 1 (ink). *Read right* is the share of 500 painted pictures that
# the second network takes for the digit that was asked for. *Spread* is how far the pictures of one digit are from their mean picture, a root mean square.

# %%
runs = recorded("told_norms")
runs.how

# %%
RATES = runs.different("lr")
PLACES = runs.different("told")


def of_place(column, told, lr):
    return runs.values(column, told=told, lr=lr, steps=500)  # (seeds,)


plots.sweep(
    {
        "": {
            f"told {told}": (
                np.array(RATES),
                np.array([of_place("held_out_error", told, lr) for lr in RATES]),
            )
            for told in PLACES
        }
    },
    **plots.words("15 told"),
)

# %% slideshow={"slide_type": "subslide"}
best = {
    told: min(RATES, key=lambda lr: of_place("held_out_error", told, lr).mean()) for told in PLACES
}
print(f"{'told':13}{'rate':>6}{'test error':>18}{'read right':>15}{'spread':>17}")
for told, lr in best.items():
    columns = [of_place(name, told, lr) for name in ("test_error", "read_right", "spread")]
    cells = [f"{values.mean():.4f} ± {values.std(ddof=1):.4f}" for values in columns]
    print(f"{told:13}{lr:6}  " + "  ".join(cells))
print(f"{'real digits':37}{read_right(real, real_digits):.4f}{spread(real, real_digits):17.4f}")


# %% slideshow={"slide_type": "fragment"}
def at_best(column, told):
    return of_place(column, told, best[told])


for column in ("test_error", "read_right"):
    for told in PLACES:
        if told != "in the norms":
            apart = at_best(column, told) - at_best(column, "in the norms")
            low, high = apart.min(), apart.max()
            print(f"{column:11} {told:13} minus in the norms: {low:+.4f} to {high:+.4f}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# *That* they are told matters most: told nothing, a painter paints the digit that was asked for once in ten times, which is chance, and
# its error is far larger. *Where* matters less, but in error all five seeds are on one side: in the norms it is smaller than at the input.
#
# Read the other column, and it is the other way round: the painter that is told at its input is *read* better. Its spread says how: its pictures of a digit are nearer
# to each other than those of the others, and much nearer than real ones. It paints plain digits.
#
# What this does not show: another size (telling the norms takes more numbers, see the next line), another length than 500 steps, a transformer.

# %%
for told in PLACES:
    print(f"{told:13} {sum(p.numel() for p in painter(told).parameters()):,} parameters")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Which of the three says it?
#
# Shift, scale and gate are three thirds of one linear layer. In the painter of the beginning we cut the condition off
# from one of them at a time; its bias, which is the same for every digit and time, stays.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Cut off from which of the three does it paint any digit, and not the one that it is asked for?",
    "the gate",
    options=["the shift", "the scale", "the gate"],
)


# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
# Output not compared: a trained network differs in its last digits from processor to processor.
@torch.no_grad()
def thirds(network, change):
    network = copy.deepcopy(network)
    for told in (b.told for b in network.blocks):
        for numbers in (told.weight, told.bias):
            numbers.copy_(torch.cat(change(*numbers.clone().chunk(3))))
    return network


def cut_off(index):
    return lambda *parts: [p * (i != index or p.ndim == 1) for i, p in enumerate(parts)]


versions = {"as it is": network, "no shift": cut_off(0), "no scale": cut_off(1)}
versions |= {"no gate": cut_off(2), "exchanged": lambda shift, scale, gate: (scale, shift, gate)}
read = {}
for name, change in versions.items():
    changed = network if change is network else thirds(network, change)
    pictures = paint(changed, wanted)
    read[name] = read_right(pictures, wanted)
    off = error(changed, real, real_digits)
    print(f"{name:10} read right {read[name]:4.0%}  error {off:.3f}", end="  ")
    print(f"spread {spread(pictures, wanted):.2f}")

# %%
print("below 30 % without the gate, above 70 % without another:",
      read["no gate"] < 0.3, min(read["no shift"], read["no scale"]) > 0.7)  # fmt: skip

# %% [markdown] slideshow={"slide_type": "fragment"}
# The digit is told by the *gates*: which of a branch's features are added, and how loudly. (Here, in this network. It is one network of
# one size.) The scale, after which such layers are named, hardly matters to it.
#
# And see what the columns do not say together. Damaged networks can be read *better*, with a larger error and less spread: they paint
# the one plain 3 that everybody can read. A number that goes up is not yet quality.
#
# The last line is the mistake of "Break it on purpose": somebody took the halves in the other order. The digits look right. That
# is how it survives.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Told by a label, told by a map
#
# **Conditional BatchNorm** looks its scale and shift up: a table with a row for each class, `nn.Embedding(classes, 2 * C)`. One thing is
# easy to get wrong in thought: the *statistics* are those of the whole batch, cats and dogs together. Only what comes
# after them depends on the class.
#
# **SPADE** paints a street from a map of labels: road here, sky there. Why not give the map to the network as an
# image, and let norms be norms? Here is a map with one label everywhere, a field of grass, say label 5. And one with
# sky, label 2:

# %% slideshow={"slide_type": "-"} tags=["guess"]
guess(
    "Both maps go through a convolution and an InstanceNorm. How many numbers differ in the two outputs?",
    0,
)

# %% slideshow={"slide_type": "fragment"}
torch.manual_seed(0)
first_layer = nn.Conv2d(1, 4, kernel_size=3, padding=1, padding_mode="replicate").double()
grass, sky = (torch.full((1, 1, 6, 6), label, dtype=torch.float64) for label in (5.0, 2.0))
outputs = [nn.InstanceNorm2d(4)(first_layer(label_map)) for label_map in (grass, sky)]
differ = (outputs[0] - outputs[1]).abs() > 1e-12
print(f"numbers that differ: {differ.sum()} of {differ.numel()}")
print("all zeros:", [bool(out.abs().max() < 1e-12) for out in outputs])

# %% [markdown] slideshow={"slide_type": "fragment"}
# A map that is the same everywhere has no spread, and minus its mean it is 0: the norm has washed the label away.
# SPADE tells the map to the norm *behind* its statistics instead, a scale and a shift for each pixel, where nothing takes it
# away again. [Exercise 15](../exercises/15_told_norms.ipynb) has you write it.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## GroupNorm in diffusion
#
# Stable Diffusion's U-Net has `nn.GroupNorm(32, C)` in every block (`eps` 1e-5, and 1e-6 before attention; diffusers 0.42.1, `models/unets/unet_2d_condition.py`,
# `models/transformers/transformer_2d.py`). Its blocks (`models/resnet.py`, ResnetBlock2D) are told the time in one of two ways: the time is *added* to each channel before the second norm (the
# default), or it is told to the norm as scale and shift. C is 320 and more there. Somebody builds a small U-Net
# for digits with C = 32, and keeps the 32 groups.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "A time is added to each channel, and the norm follows. What is left of it with C = 32?",
    "nothing",
    options=["all of it", "about half", "nothing"],
)

# %% slideshow={"slide_type": "fragment"}
torch.manual_seed(0)
for channels in (32, 64, 320):
    h = torch.randn(1, channels, 8, 8, dtype=torch.float64)
    time = torch.randn(1, channels, 1, 1, dtype=torch.float64)
    norm = nn.GroupNorm(32, channels, affine=False)
    heard = norm(h + time) - norm(h)
    print(f"C = {channels:3}, groups of {channels // 32:2}: changed by {heard.std():.2f}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# With 32 channels every group is one channel, and one number that is added to all of it is its mean: the norm takes it away. The
# network trains, and never learns what time it is. In groups of ten only the group's mean of the ten numbers is lost. As scale and
# shift, *after* the statistics, all of it arrives, whatever the groups.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Fold into a convolution
#
# From here on: norms at work, in a network that is trained already. Lesson 3 folded BatchNorm into a linear layer; for a
# convolution torch has it ready. Five small networks with convolutions, a few seconds each:

# %% slideshow={"slide_type": "-"}
part = mnist.first(6400, 2000)
convolutional = []
for seed in range(5):
    convolutional.append(small_cnn("batch", seed))
    fit(convolutional[-1], part, epochs=1, lr=0.1, seed=seed)

# %% slideshow={"slide_type": "fragment"}
original = copy.deepcopy(convolutional[0]).double().eval()
folded = copy.deepcopy(original)
folded.conv1 = fuse_conv_bn_eval(original.conv1, original.norm1)
folded.conv2 = fuse_conv_bn_eval(original.conv2, original.norm2)
folded.norm1 = folded.norm2 = nn.Identity()
test_inputs = as_inputs(part.test_images).double()
torch.allclose(folded(test_inputs), original(test_inputs), rtol=0, atol=1e-11)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Five layers became three, and every output is the same. What cannot be folded: a norm *before* a convolution with zero
# padding (the padded zeros would have to become something else), a norm in training mode, and any norm that looks at its input when it is
# used: LayerNorm, GroupNorm, InstanceNorm, and all that are told what to do. torch refuses the second:

# %%
try:
    fuse_conv_bn_eval(convolutional[1].conv1, convolutional[1].norm1.train())
except AssertionError as refused:
    print(refused)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Frozen, in four ways
#
# A trained BatchNorm has two kinds of numbers, and each kind has its own switch: statistics move in `train()` and rest in
# `eval()`; weight and bias are learned where `requires_grad` is set. Two switches make four layers. One step of SGD
# on other images, in each:

# %% slideshow={"slide_type": "-"}
other = in_light(mnist.train_images[:64], "with a thick veil")
for mode, learns in ((True, True), (False, True), (True, False), (False, False)):
    tuned = copy.deepcopy(convolutional[0])
    before = copy.deepcopy(tuned.norm1.state_dict())
    tuned.train()
    for norm in (tuned.norm1, tuned.norm2):
        norm.train(mode).requires_grad_(learns)
    tuned(other).square().mean().backward()
    learned = [p for p in tuned.parameters() if p.requires_grad]
    torch.optim.SGD(learned, lr=0.1).step()
    after = tuned.norm1.state_dict()
    moved = [name for name in ("running_mean", "weight") if not before[name].equal(after[name])]
    print(f"train({mode!s:5}), requires_grad {learns!s:5}: moved {moved}")

# %% [markdown]
# | statistics | weight, bias | good for |
# |---|---|---|
# | move | learn | much data, large batches: train on |
# | rest | learn | few samples in a batch; the new data are like the old |
# | move | rest | new data look different, and there is too little of them to learn from (the next section) |
# | rest | rest | detection on a trained body, as DETR has it (transformers 5.24.0, `models/detr/modeling_detr.py`): "frozen BatchNorm", a scale and a shift that never move |
#
# A trap in all of them: the next `train()` of the whole network, at the start of an epoch, wakes what rested (lesson 3).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Statistics for a new domain
#
# Lesson 7 put a thick veil over the digits, and saw BatchNorm fail: it remembers the old light. New statistics, no
# labels, no optimizer (Li et al. 2016 call it AdaBN), cured it with 3,200 images. How few would do? This is the
# article's network, without convolutions. So a mean over ten images is a mean of ten numbers; in a convolutional network it would be one of ten images' pixels.


# %% slideshow={"slide_type": "-"}
def with_statistics_of(network, inputs):
    network = copy.deepcopy(network).train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # lesson 3: the mean of all batches
    with torch.no_grad():
        network(inputs)
    return network


def behind_the_veil(network):
    inputs = in_light(part.test_images, "with a thick veil")
    return evaluate(network, inputs, part.test_labels)[1]


# %% slideshow={"slide_type": "-"}
networks = []
for seed in range(5):
    networks.append(article_net("batch", seed))
    fit(networks[-1], part, epochs=1, lr=0.1, seed=seed)
clear = [evaluate(n, as_inputs(part.test_images), part.test_labels)[1] for n in networks]
veiled = in_light(mnist.train_images[10_000:11_000], "with a thick veil")  # never seen before

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Of a thousand unlabelled images behind the veil, how many are enough to read more than 80 % again?",
    "10",
    options=["2", "10", "100", "1000"],
    outputs=2,
)

# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
# Output not compared: a trained network differs in its last digits from processor to processor.
print(f"no veil               {np.mean(clear):.1%} ± {np.std(clear, ddof=1):.1%}")
right = {"the old statistics": [behind_the_veil(n) for n in networks]}
for count in (2, 10, 100, 1000):
    new = [with_statistics_of(n, veiled[:count]) for n in networks]
    right[f"those of {count}"] = [behind_the_veil(n) for n in new]
for name, values in right.items():
    print(f"{name:20}  {np.mean(values):.1%} ± {np.std(values, ddof=1):.1%}")

# %%
print("all above 80 % with 10, all below 60 % with 2:",
      min(right["those of 10"]) > 0.8, max(right["those of 2"]) < 0.6)  # fmt: skip

# %% [markdown] slideshow={"slide_type": "subslide"}
# So cheap that it can be done while testing, with the test batch itself. What it takes for granted shows when the images
# come sorted. Four hundred images behind the veil, every one of them a 1:

# %% slideshow={"slide_type": "-"} tags=["nbval-ignore-output"]
# Output not compared: a trained network differs in its last digits from processor to processor.
ones = in_light(mnist.train_images[mnist.train_labels == 1][:400], "with a thick veil")
sorted_right = [behind_the_veil(with_statistics_of(n, ones)) for n in networks]
print(f"those of 400 ones     {np.mean(sorted_right):.1%} ± {np.std(sorted_right, ddof=1):.1%}")

# %%
print("each worse than with 10 mixed ones:", all(
    sorted_one < mixed for sorted_one, mixed in zip(sorted_right, right["those of 10"], strict=True)
))  # fmt: skip

# %% [markdown] slideshow={"slide_type": "fragment"}
# The mean of ones is not the mean of digits. Renewed statistics take away *whatever* the new images have in common, the
# light and the class alike. And it mends a shift of statistics only: nothing here has been learned.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## An average of networks
#
# Averaging the weights of one network along its training (SWA, Izmailov et al. 2018; EMA, the same with weights that fade) often gives a
# better one. But running statistics belong to *the activations of particular weights*, and nobody has ever run the
# average. `AveragedModel` takes over the buffers of the last network unless told otherwise. So run it: `update_bn`.

# %% slideshow={"slide_type": "-"} tags=["nbval-ignore-output"]
# Output not compared: a trained network differs in its last digits from processor to processor.
batches = as_inputs(part.train_images).split(64)
rows = []
for seed in range(5):
    net = copy.deepcopy(networks[seed])
    average = AveragedModel(net)
    for epoch in range(4):
        fit(net, part, epochs=1, lr=0.5, seed=10 * seed + epoch, progress=False)
        average.update_parameters(net)
    scores = [evaluate(each, test_inputs.float(), part.test_labels)[1] for each in (net, average)]
    update_bn(batches, average)
    rows.append([*scores, evaluate(average, test_inputs.float(), part.test_labels)[1]])
for name, column in zip(("last", "average", "with update_bn"), np.array(rows).T, strict=True):
    print(f"{name:15} {column.mean():.1%} ± {column.std(ddof=1):.1%}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# Five runs on 2,000 images, where one image is 0.05 %: read the order of the lines with that in mind. EMA of a teacher in self-supervised
# learning has the same question, and lesson 13's answer: take the student's buffers over, they are averages already.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## One batch on several devices
#
# `DistributedDataParallel` averages *gradients*. It does not average statistics: each device normalizes its own part of the
# batch, and for buffers, `broadcast_buffers=True` sends those of the first device to all others before each forward pass. So what is
# saved is what *one* device saw. `SyncBatchNorm` (lesson 9) makes one batch of the parts, forward and backward; it is put in **before** the
# network is wrapped: `DistributedDataParallel(SyncBatchNorm.convert_sync_batchnorm(net))`. What is left of the network is as it was:

# %% slideshow={"slide_type": "-"}
synced = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(convolutional[0]))
print([type(module).__name__ for module in synced.children()])
print("same names, same numbers:", all(
    torch.equal(value, convolutional[0].state_dict()[name])
    for name, value in synced.state_dict().items()
))  # fmt: skip

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Export
#
# `torch.export` writes down what a network *does* with an example, as a graph of operations. There is no `if self.training` in
# a graph: the mode that the network was in is what is exported.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Exported in evaluation mode: are the two BatchNorms folded into the convolutions?",
    "no, they are in the graph",
    options=["yes, they are gone", "no, they are in the graph"],
)


# %% slideshow={"slide_type": "fragment"}
def operations(network):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, about its own code
        exported = torch.export.export(network, (torch.zeros(2, 28, 28),))
    calls = [str(node.target) for node in exported.graph.nodes if node.op == "call_function"]
    return [call.removeprefix("aten.").split(".")[0] for call in calls]


print("eval:  ", *operations(copy.deepcopy(convolutional[0]).eval()))
print("train: ", *operations(copy.deepcopy(convolutional[0]).train()))
print("folded:", *operations(copy.deepcopy(folded).float()))

# %% [markdown] slideshow={"slide_type": "fragment"}
# Evaluation mode does not fold; it says only *which* statistics. Folding is a step of its own, yours or the compiler's that comes
# after. And whoever forgot `eval()` exports a layer that normalizes by the batch in front of it and counts (`add_`): with
# one image at a time, in use, that is another network. The first question to an exported file is: which mode?

# %% [markdown]
# ## Break it on purpose
#
# **1. Scale and shift in the other order.** Two right shapes, and nothing raises. With the zeros of the start there is nothing to
# see either; it takes weights that were trained in the other order. Then the error rises, and the digits can still be read:

# %%
exchanged = thirds(network, versions["exchanged"])
print("error more than a fifth larger:",
      error(exchanged, real, real_digits) > 1.2 * error(network, real, real_digits))  # fmt: skip

# %% [markdown]
# It is public knowledge: the last layer of Flux has scale before shift in diffusers (0.42.1, `models/normalization.py`, AdaLayerNormContinuous) and shift
# before scale in its authors' code (black-forest-labs/flux at 0130c27, `modules/layers.py`, LastLayer; diffusers issue 10198: the weights "differ"). What finds it is one forward pass beside the original, number by number.
#
# **2. Scale without the 1.** Told zeros, the norm answers zeros:

# %%
zeros = np.zeros((2, 1, 3))
print("1 + scale:", (x_hat * (1 + zeros))[0, 0], "  scale:", (x_hat * zeros)[0, 0])

# %% [markdown]
# **3. `(N, D)` that lines up with the tokens.** As many samples as tokens, and the axis that you forgot to add raises nothing. The
# shift of the second sample, 10, 20, 30, lands on the second *token* of both:

# %%
x_hat + shift

# %% [markdown]
# **4. A norm with weight and bias of its own, and told.** Nothing breaks; there are two shifts where one would do. In AdaLN-Zero the
# block is still the identity. Look for `elementwise_affine=False` when you compare parameter counts.

# %% [markdown]
# ## Your turn
#
# | exercise | difficulty | importance | minutes |
# |---|---|---|---|
# | [15, task 1](../exercises/15_told_norms.ipynb): BatchNorm that is told a class | easy | medium | 15 |
# | 15, task 2: GroupNorm that is told the time | medium | high | 15 |
# | 15, task 3: SPADE, told by a map | hard | medium | 15 |
# | 13, task 2: freeze the norms of a network, in four ways | medium | high | 15 |
# | Experiment: tell the painter a digit between two. `network.of_digit` is a table; what is painted for the mean of two of its rows? | medium | low | 20 |

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Test yourself
#
# Five questions before the recap. Choose an answer, and you see at once why it is right or wrong. Your
# first choices count, and the line under the questions says where they are kept.

# %% slideshow={"slide_type": "-"}
self_test("15_told_norms")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - FiLM, conditional BatchNorm, AdaIN, SPADE, AdaLN: $(1 + \text{scale}(c)) \cdot \hat x + \text{shift}(c)$. They differ in the
#   norm, in what $c$ is, and in how many numbers share a scale.
# - The way back: scale and shift gather over all places that they touched, and from there it is a linear layer's.
# - AdaLN-Zero: gates that begin at 0 make every block the identity. The last layer learns first, then the gates, then everything.
# - That our painters are told matters more than where. In the norms the error is smaller than at the input, in all five seeds.
# - In our painter the gates say the digit. Damaged painters can be read as well or better, with a larger error and less spread: a
#   number that goes up is not yet quality.
# - A condition that is added *before* a norm is taken away by it, where the norm's groups are single channels.
# - At work: fold only in evaluation mode, and `eval()` alone folds nothing; freeze statistics and parameters apart; renew
#   statistics for a new light with a few mixed images; run an averaged network once before you trust its buffers; export in the mode that
#   you mean.

# %% [markdown]
# ## Go further
#
# - W. Peebles, S. Xie, *Scalable Diffusion Models with Transformers*, ICCV 2023, arXiv:2212.09748: AdaLN-Zero beside three other
#   ways to tell a transformer.
# - E. Perez, F. Strub, H. de Vries, V. Dumoulin, A. Courville, *FiLM: Visual Reasoning with a General Conditioning Layer*, AAAI 2018,
#   arXiv:1709.07871.
# - H. de Vries et al., *Modulating early visual processing by language*, NeurIPS 2017, arXiv:1707.00683: conditional BatchNorm.
# - T. Park, M.-Y. Liu, T.-C. Wang, J.-Y. Zhu, *Semantic Image Synthesis with Spatially-Adaptive Normalization*, CVPR 2019,
#   arXiv:1903.07291: SPADE, and the washed-away map.
# - X. Liu, C. Gong, Q. Liu, *Flow Straight and Fast*, ICLR 2023, arXiv:2209.03003: the straight road from noise to image that our
#   painter takes.
# - Y. Li, N. Wang, J. Shi, J. Liu, X. Hou, *Revisiting Batch Normalization For Practical Domain Adaptation*, arXiv:1603.04779, 2016: AdaBN.
# - P. Izmailov et al., *Averaging Weights Leads to Wider Optima and Better Generalization*, UAI 2018, arXiv:1803.05407: SWA, with the
#   extra pass for BatchNorm.
