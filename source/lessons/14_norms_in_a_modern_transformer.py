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
# # Read the norms of a modern transformer
#
# *Lesson 14 · 160 minutes, self-test 10 · medium · five places, QK-norm, 1 + w, sixteen bits, and no norm at all*
#
# When you have finished you can
#
# - say where the norms of a transformer's block stand, from its `forward()` and not from their names, and
#   write the block with its norms in five places;
# - say what the residual stream does from block to block, and why most models end with a norm;
# - keep the logits of an attention within bounds, and notice an attention that collapses while its loss does not;
# - tell a file that holds w from one that holds w - 1, and say what is rounded when in 16 bits;
# - open a model file that you have never seen, and list what to check before you trust your copy of it.
#
# **What you need:** LayerNorm in transformers ([lesson 6](06_layer_norm.ipynb)) and RMSNorm
# ([lesson 9](09_rms_norm_and_relatives.ipynb)). What attention and an MLP do is enough; you need not have trained a transformer.

# %%
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from normlab import doctor, parity, plots
from normlab import nn as twins
from normlab.exercises import check, guess, self_test, yours
from normlab.training import RECORDED, load_recording, recorded
from normlab.training import transformer as tiny
from normlab.training.experiments import norm_mistakes, post_warm_up, residual_stream
from normlab.training.experiments.qk_norm import watched_training
from normlab.training.paired import sign_flip_p

np.set_printoptions(precision=4, suppress=True)
torch.set_printoptions(precision=4, sci_mode=False)
torch.set_num_threads(1)  # what is computed here is small

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A question first
#
# Here is a language model, trained while you wait: six blocks, 32 features, four heads. It reads characters and says which comes next. Its
# text is what Python's own `help()` knows of the language, 400,000 characters that come with the course.

# %% slideshow={"slide_type": "-"}
model = norm_mistakes.trained_model(seed=0)
texts = tiny.help_texts()
sample = tiny.spelled(texts.test)
print(sample[sample.index("\nThe ") + 1 :][:160])

# %% slideshow={"slide_type": "-"}
how_often = np.bincount(texts.train) / len(texts.train)  # (96,): of each character
print(f"guessing blindly: a loss of {np.log(len(tiny.CHARACTERS)):.2f} nats a character")
print(f"by the frequency of each letter: {-np.log(how_often[texts.test]).mean():.2f}")

# %% tags=["nbval-ignore-output"]
# Output not compared: a trained loss differs in its last digits from processor to processor.
print(f"the model: {tiny.loss_on(model, texts.test):.2f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# It is built as many language models of today are: RMSNorm before each branch, an RMSNorm of each head of queries and keys (*QK-norm*), and one norm
# at the very end. Now six changes to its norms, one at a time. No weight is trained again.
#
# - leave out the last norm;
# - put the norm that is called `post_attention_layernorm` where its name says: behind the attention;
# - read the norms' weights w as 1 + w;
# - exchange the weights of the queries' norm and of the keys' norm;
# - normalize all heads together instead of each by itself;
# - make `eps` 10,000 times as large.
#
# Sort them by the harm that they do.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Which of the six does most harm?",
    "the last norm left out",
    options=[
        "the last norm left out",
        "post_attention_layernorm behind the attention",
        "w read as 1 + w",
        "the weights of q_norm and k_norm exchanged",
        "all heads normalized together",
        "eps 10,000 times as large",
    ],
    why="How many of the other five can be seen in the loss at all?",
)

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "slide"}
# Output not compared: what was trained differs in its last digits from processor to processor.
six = (
    "no last norm",
    "post_attention_layernorm behind the attention",
    "w read as 1 + w",
    "weights of q_norm and k_norm exchanged",
    "QK-norm over all heads",
    "eps 10,000 times as large",
)
right = tiny.loss_on(model, texts.test)
rises = {
    mistake: tiny.loss_on(norm_mistakes.with_mistake(model, mistake), texts.test) - right
    for mistake in six
}
for mistake, rise in sorted(rises.items(), key=lambda pair: -pair[1]):
    print(f"{rise:7.3f}  {mistake}")

# %%
assert rises["no last norm"] > 10
assert rises["QK-norm over all heads"] < 0.1
assert min(rises["w read as 1 + w"], rises[six[1]]) > 0.2
assert abs(rises["weights of q_norm and k_norm exchanged"]) < 1e-5

# %% [markdown] slideshow={"slide_type": "fragment"}
# Guessing blindly costs 4.56. Without its last norm the model is far *worse* than that: it is certain, and wrong. Two
# more do real damage, and three can hardly be seen. That is what makes such mistakes dangerous: a model that is a little worse than it should be
# answers every question, and nobody looks for the norm.
#
# And now the turn. Train the same network *from the beginning* without that last norm.

# %% tags=["guess"] slideshow={"slide_type": "subslide"}
guess(
    "By how much is a model worse that never had a last norm, after the same training? (In nats; with it the loss is about 2.3.)",
    0,
    within=0.05,
)

# %% slideshow={"slide_type": "-"}
mistakes = recorded("norm_mistakes")
whole = mistakes.values("loss", how="as it should be", change="nothing")  # (seeds,)
for how in ("no last norm", "no QK-norm", "QK-norm over all heads"):
    apart = mistakes.values("loss", how=how) - whole
    print(
        f"{how:24} {apart.mean():+.3f} ± {apart.std(ddof=1):.3f}   five seeds, p = {sign_flip_p(apart):.2f}"
    )

# %% [markdown] slideshow={"slide_type": "fragment"}
# Nothing that could be told from chance. (These are recorded runs, five of each, 400 steps; with five seeds a p below 0.06 is not possible, and a difference
# smaller than about the ± beside it would not have been seen.) And QK-norm, at this rate, buys nothing: in all five pairs the model without it is better, by a hundredth. A norm is hardly missed where it never was. Where it was, everything has learned to count
# on it. So the question for whoever reads, ports or mends a model is not which norm is best. It is: which one is *there*, and where?
#
# The whole list, recorded with five models, has a few more. *1 + w read as w*: the file holds w - 1, and nobody adds the 1. *Residual after the
# norm*: the stream itself is normalized, and the branch added to that.

# %%
for mistake in norm_mistakes.MISTAKES:
    rise = mistakes.values("rise", how="as it should be", change=mistake)
    print(f"{rise.mean():7.3f} ± {rise.std(ddof=1):.3f}  {mistake}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## One block, five places
#
# A transformer is a *stream*: each token's D numbers, handed on from block to block. A block has two branches, attention and
# MLP. Each reads the stream, and what it finds is added to it. So there are three places for a norm in each step:
#
# $$x \leftarrow N_{\text{sum}}\big(x + N_{\text{after}}\, f(N_{\text{before}}\, x)\big)$$
#
# and all models below use one of five ways to fill them.

# %% slideshow={"slide_type": "subslide"}
plots.placements()

# %% [markdown]
# | place | the first of its two steps | where it comes from |
# |---|---|---|
# | post | $x \leftarrow N(x + f(x))$ | Vaswani and others, 2017 |
# | pre | $x \leftarrow x + f(Nx)$ | GPT-2, 2019; compared by Xiong and others, 2020 |
# | sandwich | $x \leftarrow x + N_2 f(N_1 x)$ | CogView, 2021; Gemma 2; called Peri-LN by Kim and others, 2025 |
# | out | $x \leftarrow x + N f(x)$ | Swin 2, 2021; OLMo 2 |
# | parallel | $x \leftarrow x + f(Nx) + g(Nx)$, the only step | GPT-J, 2021 |
#
# By hand, on one token of two features. The attention be `f(x) = x + 1`, the norm an RMSNorm of weight 1:


# %% slideshow={"slide_type": "subslide"}
def rms(x):
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True))  # (T, D)


def f(x):
    return x + 1  # (T, D)


x = np.array([[1.0, 7.0]])  # (T=1, D=2), its root mean square is 5
rms(x), f(rms(x))

# %% slideshow={"slide_type": "-"}
first_steps = {
    "pre": x + f(rms(x)),
    "post": rms(x + f(x)),
    "sandwich": x + rms(f(rms(x))),
    "out": x + rms(f(x)),
}
for place, stream in first_steps.items():
    size = np.sqrt((stream**2).mean())
    print(f"{place:9}", stream.round(2), f"root mean square {size:.2f}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# Post brings the stream back to size 1 whatever came before. In the other three the stream grows; in sandwich and out it
# grows by a vector of size 1, whatever the branch makes of it.
#
# **Your turn.** The whole block. `attention` and `mlp` are functions of the stream; `norms` is a list of functions in the order in which they are
# called: one for parallel, two for pre, post and out, four for the sandwich. `place` is one of the five names.


# %% slideshow={"slide_type": "subslide"}
def transformer_block(x, attention, mlp, norms, place):
    raise NotImplementedError()


# %%
check("transformer_block", transformer_block)

# %%
block = yours("transformer_block", transformer_block)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def transformer_block(x, attention, mlp, norms, place):
#     if place == "parallel":
#         (norm,) = norms
#         read = norm(x)
#         return x + attention(read) + mlp(read)
#     if place == "sandwich":
#         before_1, behind_1, before_2, behind_2 = norms
#         x = x + behind_1(attention(before_1(x)))
#         return x + behind_2(mlp(before_2(x)))
#     norm_1, norm_2 = norms
#     if place == "pre":
#         x = x + attention(norm_1(x))
#         return x + mlp(norm_2(x))
#     if place == "out":
#         x = x + norm_1(attention(x))
#         return x + norm_2(mlp(x))
#     x = norm_1(x + attention(x))
#     return norm_2(x + mlp(x))
# ```
#
# </details>

# %% [markdown]
# The same block in torch. `tiny.block` builds what the model above is made of; your function gets the very same attention, MLP and norms,
# with weights that are not 1:

# %%
tokens = torch.randn(2, 8, tiny.WIDTH, generator=torch.Generator().manual_seed(0))  # (B, T, D)
for place in tiny.PLACES:
    torch.manual_seed(0)
    count = {"parallel": 1, "sandwich": 4}.get(place, 2)
    norms = [nn.RMSNorm(tiny.WIDTH, eps=1e-6) for _ in range(count)]
    for one in norms:
        nn.init.uniform_(one.weight, 0.5, 2)
    attention, mlp = tiny.Attention("none", nn.Linear), tiny.mlp(nn.Linear)
    theirs = tiny.block(place, attention, mlp, iter(norms).__next__)
    with torch.no_grad():
        mine, other = block(tokens, attention, mlp, norms, place), theirs(tokens)
    print(f"{place:9} equal: {torch.allclose(mine, other, atol=1e-5)}")

# %% [markdown]
# > **Pause.** Somebody writes pre-norm one line too late: `x = norm(x)`, and then `x = x + attention(x)`. No error, and it trains. Which of the five
# > has been written, nearly?
# >
# > <details><summary>Answer</summary>
# >
# > Post-norm. The norm now stands on the stream; it has only been moved from the end of one step to the beginning of the next. With
# > post-norm's weights, each moved on by one norm, it gives post-norm's answers. Two published models keep it so, since their checkpoints were trained with it
# > (RiNALMo issue 9, faster-trajectory-transformer issue 3).
# >
# > </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Forward and backward by hand
#
# A gradient comes back on two roads: around the branch, and through it. In pre-norm nothing stands on the first road:
#
# $$dx = dy + N'\big(f'(dy)\big) \qquad\text{pre}, \qquad\qquad dx = u + f'(u), \quad u = N'(dy) \qquad\text{post}$$
#
# Here $N'(\cdot)$ and $f'(\cdot)$ carry a gradient back through the norm and through the branch. In post-norm the whole gradient has to pass each norm; after
# twelve blocks it has passed 24. For a branch that is one matrix, with lesson 9's backward pass of RMSNorm:


# %%
def rms_backward(dy, x):
    r = 1 / np.sqrt((x**2).mean(axis=-1, keepdims=True))  # (T, 1)
    return r * (dy - x * r * (dy * x * r).mean(axis=-1, keepdims=True))  # (T, D)


def pre_backward(dy, x, matrix):
    return dy + rms_backward(dy @ matrix.T, x)  # (T, D)


def post_backward(dy, x, matrix):
    dsum = rms_backward(dy, x + x @ matrix)  # (T, D)
    return dsum + dsum @ matrix.T


# %%
rng = np.random.default_rng(0)
x, dy = 3 * rng.normal(size=(2, 4, 6))  # (T=4, D=6) each
matrix = rng.normal(size=(6, 6)) / np.sqrt(6)  # (D, D)
leaf, w = torch.tensor(x, requires_grad=True), torch.tensor(matrix)


def torch_rms(x):
    return F.rms_norm(x, (6,), eps=0)


for name, y, dx in (
    ("pre", leaf + torch_rms(leaf) @ w, pre_backward(dy, x, matrix)),
    ("post", torch_rms(leaf + leaf @ w), post_backward(dy, x, matrix)),
):
    (theirs,) = torch.autograd.grad(y, leaf, torch.tensor(dy))
    print(f"{name:5} equal to autograd's: {np.allclose(dx, theirs, rtol=1e-12, atol=1e-13)}")

# %% [markdown]
# The package has all five as twins in NumPy, `normlab.nn.Block`, each with its `backward`. Twelve blocks, and each branch a random matrix: how large
# is the stream at the top, and how large the gradient at the bottom, if both begin with size 1?


# %%
class Matrix(twins.Module):
    def __init__(self, rng, features=64):
        super().__init__()
        self.matrix = rng.normal(size=(features, features)) / np.sqrt(features)

    def forward(self, x):
        return x @ self.matrix

    def backward(self, dy):
        return dy @ self.matrix.T


# %%
def there_and_back(place, depth=12, features=64):
    rng = np.random.default_rng(0)
    stream = rng.normal(size=(8, features))  # (T, D)
    blocks = [
        twins.Block(place, Matrix(rng), Matrix(rng), lambda: twins.RMSNorm(features, dtype=float))
        for _ in range(depth)
    ]
    for one in blocks:
        stream = one(stream)
    gradient = rng.normal(size=stream.shape)
    for one in reversed(blocks):
        gradient = one.backward(gradient)
    return np.sqrt((stream**2).mean()), np.sqrt((gradient**2).mean())


for place in tiny.PLACES:
    size, slope = there_and_back(place)
    print(f"{place:9} stream at the top {size:5.2f}   gradient at the bottom {slope:5.2f}")

# %% [markdown]
# Without norms each step would make both $\sqrt 2$ times as large, 4,096 times in 24 steps. Every place prevents that. In post-norm both keep their size, and what comes down the straight road alone has
# been divided by $\sqrt 2$ at each norm: one part in 4,096 is left of it. In the others the straight road is free, and the stream grows. (A matrix is a kind branch. Lesson 6 shows the gradients of real ones at the start.)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Names, and what forward() does
#
# A decoder layer holds two norms, `input_layernorm` and `post_attention_layernorm`. Both are RMSNorms, whatever they are called. This is the
# order of the calls in Llama's layer (transformers 5.24.0, `models/llama/modeling_llama.py`), in our words:
#
# ```python
# read = self.input_layernorm(x)
# x = x + self.self_attn(read)
# read = self.post_attention_layernorm(x)
# x = x + self.mlp(read)
# ```

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Which of the five places is this?",
    "pre",
    options=["pre", "post", "sandwich", "out", "parallel"],
    why="Is anything normalized that is then added to, or that is the sum?",
)

# %% slideshow={"slide_type": "-"}
layers = {one: torch.randn(4, 4) for one in ("attention", "mlp")}
read = F.rms_norm(tokens[..., :4], (4,))
step = tokens[..., :4] + read @ layers["attention"]
llama = step + F.rms_norm(step, (4,)) @ layers["mlp"]
as_pre = block(
    tokens[..., :4],
    lambda x: x @ layers["attention"],
    lambda x: x @ layers["mlp"],
    [lambda x: F.rms_norm(x, (4,))] * 2,
    "pre",
)
print("the same as pre:", torch.allclose(llama, as_pre, atol=1e-5))

# %% [markdown] slideshow={"slide_type": "subslide"}
# `post_attention_layernorm` stands *after the attention in time*, and is the MLP's pre-norm. That is so in most models that have the name, and not in all.
# Counted in the source of transformers 5.24.0 by a regular expression (so give or take a few):
#
# | what `post_attention_layernorm` does | families |
# |---|---|
# | it is the MLP's pre-norm | 125 |
# | it normalizes the attention's output: a sandwich, or out | 16 |
# | it stands on the stream | 4 |
# | something else: other branches, several streams | 22 |
#
# Three more surprises. LFM2's *last* norm is called `embedding_norm` (transformers 5.24.0, `models/lfm2/modeling_lfm2.py`). In Swin 2 the norm called `layernorm_before` runs
# *after* the branch (`models/swinv2/modeling_swinv2.py`). And the reference code of the 2017 transformer is pre-norm by default: `transformer_base` builds on a second version that
# normalizes before (tensor2tensor at bafdc1b, `tensor2tensor/models/transformer.py`). **Names tell nothing; `forward()` does.**

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The stream grows, so a last norm
#
# In pre-norm nothing ever makes the stream smaller. Each branch reads a normalized copy, of size 1, and adds something of about that size. Twelve blocks are 24 additions.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Vectors of size 1 that have nothing to do with each other are added up, 24 of them. How large is the sum, about?",
    4.9,
    within=0.6,
    why="Squares add up, if nothing agrees: the root of 24. And if all agree, 24.",
)

# %% slideshow={"slide_type": "-"}
# 24 vectors of 1,000 numbers, root mean square 1
steps = np.random.default_rng(3).normal(size=(24, 1000))
print(
    f"nothing agrees: {np.sqrt((steps.sum(0) ** 2).mean()):.1f}   all agree: {np.sqrt(((24 * steps[0]) ** 2).mean()):.0f}"
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# Which of the two does a trained network do? Five models of twelve blocks for each of three places, 300 steps, recorded. On the left the size
# of the stream behind each block, before training and after. On the right each block is left out alone, and the loss measured.

# %% slideshow={"slide_type": "-"}
growth = recorded("residual_stream")


def by_block(column, place):
    return growth.values(column, place=place).reshape(5, 13)  # (seeds, blocks + 1)


places = ("pre", "sandwich", "post")
plots.stream(
    {place: by_block("start", place) for place in places},
    {place: by_block("trained", place) for place in places},
    {place: by_block("worth", place)[:, 1:] for place in places},
    **plots.words("14 stream"),
)

# %%
for place in places:
    at_first, at_last = by_block("start", place)[:, -1], by_block("trained", place)[:, -1]
    print(
        f"{place:9} behind block 12: {at_first.mean():5.2f} at the start, {at_last.mean():5.2f} trained"
        f" at a rate of {residual_stream.RATES[place]}; loss {by_block('loss', place)[:, 0].mean():.2f}"
    )

# %%
plots.explore.by_block(
    {
        place: {
            "before training": by_block("start", place).mean(axis=0),
            "trained": by_block("trained", place).mean(axis=0),
        }
        for place in places
    },
    label="size of the residual stream",
    **plots.words("14 stream by block"),
)

# %% [markdown]
# At the start the stream grows like a root: the branches know nothing of each other. Training makes a straight line of it: they agree. So what a late block adds
# is a smaller and smaller share of what is there, and in pre-norm most of the work is done by the first blocks. In post-norm the last blocks count most. (Do not
# compare the heights of the two: the post-norm models had to be trained at a tenth of the rate, and have learned little more than letter frequencies.)
#
# And so the last norm: the scores are read off a stream of size 3.5 at the start, and of 12 in the end. It puts all on one scale, and the readout
# learns to expect that. You saw what happens when it goes missing. torch's own modules leave that to you, and in two different ways:

# %% slideshow={"slide_type": "-"}
layer = nn.TransformerEncoderLayer(16, 2, norm_first=True, batch_first=True)
print(
    "TransformerEncoder of pre-norm layers, its last norm:",
    nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).norm,
)
whole = nn.Transformer(16, 2, 1, 1, batch_first=True)
print("nn.Transformer(), post-norm by default, has one more:", type(whole.encoder.norm).__name__)

# %% [markdown]
# The first lacks a norm that it needs. The second has one that it does not: its last two layers are a LayerNorm of a LayerNorm (pytorch issues 50086 and 74092).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Pre and post, trained
#
# Lesson 6 told you Xiong's sentence, that post-norm needs a warm-up and pre-norm does not. Here is a small test, live: post and pre, two blocks and six, 60 steps at one rate.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "One of the four will have learned no more than how frequent each letter is (3.25 nats). Which?",
    "post, six blocks",
    options=["pre, two blocks", "pre, six blocks", "post, two blocks", "post, six blocks"],
)

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "-"}
# Output not compared: what was trained differs in its last digits from processor to processor.
live = {}
for place in ("pre", "post"):
    for depth in (2, 6):
        small = tiny.TinyTransformer(place, depth, seed=0)
        for _ in tiny.train(small, lr=0.01, steps=60):
            pass
        live[place, depth] = tiny.loss_on(small, texts.test)
        print(f"{place:5} {depth} blocks: loss {live[place, depth]:.2f}")

# %%
assert live["post", 6] > 3.15
assert max(live["pre", 2], live["pre", 6]) < 3.1

# %% [markdown] slideshow={"slide_type": "subslide"}
# One seed is an anecdote. Recorded: two depths; for each network so many rates that its best is neither the first nor the last, if it trains at all; five seeds, 120 steps, no warm-up. A line goes through the means, the band from the
# worst seed to the best; what is worse than 4 is drawn at 4.

# %% slideshow={"slide_type": "-"}
grid = recorded("norm_places")


def swept(network, depth):
    rates = np.unique(grid.values("lr", network=network, depth=depth))
    losses = [grid.values("test_loss", network=network, depth=depth, lr=lr) for lr in rates]
    return rates, np.minimum(losses, 4)  # (rates,), (rates, seeds)


plots.sweep(
    {
        "2 blocks": {name: swept(name, 2) for name in ("post", "pre", "none")},
        "6 blocks": {name: swept(name, 6) for name in ("post", "pre", "none")},
    },
    **plots.words("14 places"),
)


# %% [markdown] slideshow={"slide_type": "subslide"}
# Each at its own best rate, chosen on *held-out* text; then the loss on the test text, and the difference from pre-norm seed by seed:


# %%
def at_best(network, depth, recording=grid):
    rates = np.unique(recording.values("lr", network=network, depth=depth))
    held_out = [
        recording.values("held_out_loss", network=network, depth=depth, lr=lr).mean()
        for lr in rates
    ]
    best = rates[int(np.argmin(held_out))]
    return best, recording.values("test_loss", network=network, depth=depth, lr=best)  # (seeds,)


def line(network, depth):
    (rate, losses), (_, pre) = at_best(network, depth), at_best("pre", depth)
    said = (
        f"{depth} blocks {network:12} {losses.mean():6.2f} ± {losses.std(ddof=1):.2f} at {rate:g}"
    )
    if network == "pre":
        return said
    apart = losses - pre
    return f"{said:44} against pre {apart.mean():+6.2f} (p {sign_flip_p(apart):.2f})"


# %% slideshow={"slide_type": "-"}
for depth, networks in {
    2: ("pre", "post", "none"),
    6: ("pre", "post", "none", "sandwich", "out", "parallel"),
}.items():
    for network in networks:
        print(line(network, depth))

# %% [markdown]
# Read it with care. With five seeds the smallest p there is is 0.06, and there are seven comparisons. What stands out by many times the spread is: post-norm, a tenth behind with two blocks, learns little
# more than letter frequencies with six; it does not explode, it stays on a plateau. And without any norm two blocks train, and six do not, at none of the rates. Pre, sandwich,
# out and parallel lie within a few hundredths of each other, about as far as seeds do. (The sandwich bears larger rates; it is no better at its best one.) That no larger difference is *seen* here does
# not say that there is none at width 4,096 after a trillion tokens.
#
# **And a warm-up?** Six blocks, 400 steps; the rate rises over the first 200 of them, or is there at once:

# %%
warm = recorded("post_warm_up")
for lr, way in post_warm_up.RUNS:
    losses = warm.values("test_loss", lr=lr, way=way)  # (seeds,)
    print(f"rate {lr:<6g} {way:14} {losses.mean():.2f} ± {losses.std(ddof=1):.2f}")

# %% [markdown]
# At 0.003 a warm-up of half the steps lets post-norm learn where it did not; at 0.001 it needs none, and loses a little by it. So it is rate times depth that decides, and a warm-up
# buys rate. It buys less than pre-norm gives for nothing: at 0.003 pre-norm without a warm-up is ahead of both.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## QK-norm
#
# Attention compares queries and keys: a *logit* is $q \cdot k / \sqrt{d}$, and a softmax turns the logits of a token into shares. Nothing bounds them. If the two
# matrices grow, one logit outgrows the others, its share becomes 1, and the gradient of a softmax that is sure of itself is 0.
#
# QK-norm divides each head of each query, and of each key, by its root mean square (Henry and others, 2020; ViT-22B, 2023). At weight 1 both have length $\sqrt d$ then, and the logit cannot exceed
# $\sqrt d \cdot \sqrt d / \sqrt d = \sqrt d$.

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess("Heads of 64 features, weights 1: what is the largest logit that there can be?", 8)

# %% slideshow={"slide_type": "-"}
q, other = (rms(one) for one in np.random.default_rng(0).normal(size=(2, 64)))  # (64,) each
print(f"the same direction: {q @ q / np.sqrt(64):.2f}   any other: {q @ other / np.sqrt(64):.2f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# In most models there are fewer heads of keys than of queries: several queries share one (*grouped queries*). The norm's weight has the length of one head, and all heads share it.
#
# **Your turn.** `q` is `(B, T, heads * size)`, `k` is `(B, T, kv_heads * size)`, the weights are `(size,)`, each with the norm of its own. The first `size` numbers
# of a token are its first head. Return q and k in their shapes.


# %% slideshow={"slide_type": "-"}
def qk_norm(q, k, q_weight, k_weight, heads, kv_heads, eps):
    raise NotImplementedError()


# %%
check("qk_norm", qk_norm)

# %%
norm_heads = yours("qk_norm", qk_norm)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def qk_norm(q, k, q_weight, k_weight, heads, kv_heads, eps):
#     def each_head(x, weight, count):
#         parts = x.reshape(*x.shape[:2], count, -1)  # (B, T, count, size)
#         mean_square = (parts**2).mean(axis=-1, keepdims=True)  # (B, T, count, 1)
#         return (weight * parts / np.sqrt(mean_square + eps)).reshape(x.shape)
#
#     return each_head(q, q_weight, heads), each_head(k, k_weight, kv_heads)
# ```
#
# </details>

# %%
q, k = rng.normal(size=(2, 5, 4 * 8)), rng.normal(size=(2, 5, 2 * 8))  # four heads and two, of 8
q_weight, k_weight = rng.uniform(0.5, 2, (2, 8))
mine, _ = norm_heads(q, k, q_weight, k_weight, 4, 2, 1e-6)
theirs = F.rms_norm(torch.tensor(q).view(2, 5, 4, 8), (8,), torch.tensor(q_weight), 1e-6).flatten(2)
np.allclose(mine, theirs, rtol=1e-12)

# %% [markdown]
# Its twin, `normlab.nn.QKNorm`, has the backward pass, too: each gradient beside that of three lines of torch.

# %% slideshow={"slide_type": "-"}
parity.compare(*parity.pair("QKNorm", 4, 8), q)

# %% [markdown] slideshow={"slide_type": "subslide"}
# Now at work, live: four blocks, a rate of 0.1, ten times too high. With and without, the same start, the same text. *Evenness* is the entropy of attention as
# a share of the possible: 1 if a token looks at all before it alike, 0 if it looks at one alone.

# %% slideshow={"slide_type": "-"}
watched = {
    name: watched_training(tiny.TinyTransformer("pre", 4, seed=0, qk=qk), 0.1, 200, seed=0)
    for name, qk in (("without QK-norm", "none"), ("with QK-norm", "each head"))
}


def over_steps(column):
    return {name: np.array([[row[column] for row in rows]]) for name, rows in watched.items()}


steps = np.array([row["step"] for row in watched["without QK-norm"]])

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "What does the loss of the one without QK-norm do?",
    "it goes down, and stays behind",
    options=[
        "it explodes",
        "it goes down, and stays behind",
        "it stays where it was",
        "it is as good as the other's",
    ],
    outputs=2,
)

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "-"}
# Output not compared: what was trained differs in its last digits from processor to processor.
for name, rows in watched.items():
    shown = [row for row in rows if row["step"] in (20, 100, 200)]
    print(
        f"{name:15}",
        "   ".join(
            f"step {r['step']:3}: loss {r['train_loss']:.2f}, evenness {r['evenness']:.2f}, logit {r['logit']:.0f}"
            for r in shown
        ),
    )

# %%
assert (
    over_steps("evenness")["without QK-norm"][0, -1]
    < 0.4
    < over_steps("evenness")["with QK-norm"][0, -1]
)
assert over_steps("logit")["without QK-norm"].max() > 10 * over_steps("logit")["with QK-norm"].max()

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "-"}
# Output not compared: what was trained differs in its last digits from processor to processor.
plots.curves(steps, over_steps("logit"), log=True, **plots.words("14 logits"))

# %% [markdown] slideshow={"slide_type": "fragment"}
# The loss never exploded. Attention collapsed, each token looking at a single other, and training went on, badly. That is the quiet kind of instability: a curve
# of the loss does not show it, one of the logits does. Recorded, five seeds:

# %%
looked = recorded("qk_norm")
print(
    "rate    test loss: none, each head, all heads            largest logit    evenness: none, each head"
)
for lr in looked.different("lr"):
    ends = {
        qk: {
            c: looked.values(c, qk=qk, lr=lr, step=200) for c in ("test_loss", "logit", "evenness")
        }
        for qk in looked.different("qk")
    }
    losses = "  ".join(
        f"{e['test_loss'].mean():.2f} ± {e['test_loss'].std(ddof=1):.2f}" for e in ends.values()
    )
    none, each = ends["none"], ends["each head"]
    print(
        f"{lr:<6g}  {losses}   {none['logit'].mean():9,.0f} {each['logit'].mean():5.0f}    {none['evenness'].mean():.2f} {each['evenness'].mean():.2f}"
    )

# %% [markdown]
# At rates that one would choose no difference is seen; at ten times that, there is one. Wortsman and others (2023, arXiv:2309.14322) show the same: small models at high rates have the
# instability of large ones.
#
# **One norm for each head, or one for all?** In transformers 5.24.0 a regular expression finds 52 families that normalize each head and 10 the whole projection (`models/olmo2` among them). No difference in the loss is seen here. But they are not the
# same layer: one norm over all heads lets a single head hold everything, and its logits reach `heads` times as far. **Before the rotation of RoPE, or after?** A rotation keeps lengths, so
# without a weight it is all the same; with one weight for each feature it is not. QK-norm stands before in 66 families and after in 6. (Either count leaves out what its expression could not read.)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## w or 1 + w
#
# A norm's weight begins at 1. Some models store what is *added* to 1 instead, so that their weights begin at 0: Gemma 1 to 3, Qwen3-Next, Nemotron (transformers 5.24.0, `models/gemma`, `gemma2`, `gemma3`, `qwen3_next`, `nemotron`). Why would anyone? Let Adam push a
# weight a hundred times in one direction, in bfloat16, the type of such models.


# %% slideshow={"slide_type": "-"}
def pushed(start, lr):
    weight = nn.Parameter(torch.full((4,), start, dtype=torch.bfloat16))
    adam = torch.optim.Adam([weight], lr=lr)
    for _ in range(100):
        weight.grad = torch.ones_like(weight)
        adam.step()
    return abs(weight[0].item() - start)


# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "At a rate of 0.001 Adam moves a weight by about 0.001 a step. It begins at 1, in bfloat16. How far does it get in a hundred steps?",
    0.0,
    within=0.01,
    why="From 1 to the next smaller bfloat16 it is 0.004: each step is rounded away.",
)

# %% slideshow={"slide_type": "-"}
for start in (1.0, 0.0):
    print(f"begins at {start:.0f}:", {lr: round(pushed(start, lr), 4) for lr in (1e-4, 1e-3)})

# %% [markdown] slideshow={"slide_type": "fragment"}
# Near 0 there are many small numbers, near 1 there are not. (Who keeps a float32 copy of the weights does not need the trick.) And weight decay, which pulls a weight to 0, then
# pulls the scale to 1. The price is paid by whoever reads the file: nothing in it says which of the two it holds. Of all mistakes with norms this is the one that public
# trackers know best (vLLM issue 31464, "gibberish"; Liger-Kernel issue 74; executorch issue 19901). You saw what it costs: the recorded list has both directions.
#
# How do you know? Print a weight. Numbers about 1: w. Numbers about 0: w - 1, *usually*: Grok-1's released code starts w at 0 and does not add 1 (xai-org/grok-1 at 1a0ba38). And not by the family's name: Gemma 3n and Gemma 4 are back at
# plain w (transformers 5.24.0, `models/gemma3n`, `models/gemma4`), and in Qwen3-Next all norms hold w - 1 but the gated one (`models/qwen3_next`).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Sixteen bits: what is rounded when
#
# Such a model's stream is in 16 bits. Nearly all of them turn it into float32 to compute the mean square, as lesson 9 showed one must. Then they part: back to 16 bits and *then* times the weight,
# or times the weight and then back?

# %% slideshow={"slide_type": "-"}
generator = torch.Generator().manual_seed(0)
rows = torch.randn(4096, 512, generator=generator).bfloat16()
weight = (1 + 0.3 * torch.randn(512, generator=generator)).bfloat16()
normalized = F.rms_norm(rows.float(), (512,), eps=1e-6)  # float32
orders = {
    "cast, then times weight (Llama)": weight * normalized.bfloat16(),
    "times weight, then cast (OLMo 2)": (weight.float() * normalized).bfloat16(),
    "torch's own F.rms_norm": F.rms_norm(rows, (512,), weight, 1e-6),
}
nearest = (F.rms_norm(rows.double(), (512,), weight.double(), 1e-6)).bfloat16()

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Of how many outputs in a hundred does Llama's order miss the nearest bfloat16?",
    26,
    within=10,
    unit="%",
)

# %% slideshow={"slide_type": "-"}
for name, y in orders.items():
    print(f"{name:33} not the nearest: {(y != nearest).double().mean():6.1%}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# The order of two operations, and a quarter of all outputs differ in the last bit. Whoever swaps Llama's class for `nn.RMSNorm` and compares bit by bit will find "differences", and
# should know which of the two is more exact. (Llama's order: transformers 5.24.0, `models/llama`, LlamaRMSNorm; 137 families by a regular expression. OLMo 2's: `models/olmo2`; 26. With 1 + w, added in float32: `models/gemma`; 15.)
#
# **Your turn.** `x` is `(N, D)` in float16, `weight` is `(D,)` in float16, `offset` is 0 where the file holds w, and 1 where it holds w - 1. Add in float32, multiply in float32, and round once, at the end, to float16. (NumPy has no bfloat16.)


# %% slideshow={"slide_type": "subslide"}
def rms_norm_16_bits(x, weight, offset, eps):
    raise NotImplementedError()


# %%
check("rms_norm_16_bits", rms_norm_16_bits)

# %%
in_16_bits = yours("rms_norm_16_bits", rms_norm_16_bits)

# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def rms_norm_16_bits(x, weight, offset, eps):
#     wide = x.astype(np.float32)
#     mean_square = (wide**2).mean(axis=-1, keepdims=True)  # (N, 1)
#     scale = offset + weight.astype(np.float32)  # (D,)
#     return (scale * wide / np.sqrt(mean_square + eps)).astype(np.float16)
# ```
#
# </details>

# %%
half, scale = rows[:64].half().numpy(), weight.half().numpy()
mine = in_16_bits(half, scale, 0, 1e-6)
theirs = F.rms_norm(torch.tensor(half), (512,), torch.tensor(scale), 1e-6).numpy()
mine.dtype, (mine == theirs).mean() > 0.999

# %% [markdown]
# **Which type comes out?** A layer with float32 weights, a stream in bfloat16. And under `autocast`, which chooses types itself:


# %%
def by_hand(x, weight):
    wide = x.float()
    return weight * (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)).to(x.dtype)


stream, ones = torch.randn(2, 8, dtype=torch.bfloat16), torch.ones(8)
print("by hand, float32 weight:", by_hand(stream, ones).dtype)
with torch.autocast("cpu", dtype=torch.bfloat16):
    print(
        "autocast: by hand",
        by_hand(stream, ones).dtype,
        "| F.rms_norm",
        F.rms_norm(stream, (8,)).dtype,
        "| F.layer_norm",
        F.layer_norm(stream, (8,)).dtype,
    )

# %% [markdown]
# Written by hand, a product with a float32 weight is float32: one norm, and each number behind it has twice the bytes (transformers issue 30236 is this).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Fused kernels and torch.compile
#
# RMSNorm computes less than LayerNorm. Lesson 9 counted what torch carries out for each on the CPU, and timed them as they are and compiled. Its record:

# %% slideshow={"slide_type": "-"}
fused = recorded("fused_norms")
for how in ("eager", "compiled"):
    for name in ("LayerNorm", "RMSNorm"):
        ms = fused.values("both_ms", dtype="float32", how=how, layer=name)
        print(f"{how:9} {name:9} forward and backward {ms[0]:.2f} ms (once: {fused.how['date']})")

# %% [markdown]
# Eager LayerNorm is one kernel forward and one backward. RMSNorm on the CPU is a row of small operations, each of which reads and writes all numbers again; `torch.compile` makes one of them. So "RMSNorm is faster" is a
# sentence about kernels, not about the formula. On other hardware: measure, with `normlab experiment gpu_norms`.

# %%
record = RECORDED / "gpu_norms.csv"
if record.exists():
    print(load_recording(record).how)
else:
    print("No record of a GPU comes with this course: nothing is said about GPUs here.")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Networks without a norm
#
# Can one do without? Six blocks, 120 steps, each at its best rate by held-out text, as above:
#
# | | what stands in the norm's place |
# |---|---|
# | ReZero | a learned number before each addition that begins at 0: $x + \alpha f(x)$ (Bachlechner and others, 2020) |
# | LayerScale | one for each feature, that begins at 0.0001 (CaiT, 2021, timm 1.0.31, `models/cait.py`; there *beside* pre-norm, here instead) |
# | standardized | the weights of each output get mean 0 and one size, in every forward pass (Qiao and others, 2019) |
# | Dynamic Tanh | $w \tanh(\alpha x) + b$ in each norm's place: a curve and no average (Zhu and others, 2025) |

# %% tags=["guess"] slideshow={"slide_type": "-"}
guess(
    "Which of the four fails?",
    "standardized weights alone",
    options=["ReZero", "LayerScale", "standardized weights alone", "Dynamic Tanh", "none of them"],
)

# %% slideshow={"slide_type": "-"}
for network in ("ReZero", "LayerScale", "Dynamic Tanh", "standardized", "none"):
    print(line(network, 6))

# %% [markdown] slideshow={"slide_type": "fragment"}
# What fails without a norm is the sum: six blocks of branches at full size, and the stream runs away. Standardized weights keep each matrix in order, and not the sum; that is why NFNets,
# which use them, scale the branches as well (Brock and others, 2021). What holds is whatever makes the branches *begin small*: ReZero and LayerScale need no norm at all in this small network, and in these 120 steps they are ahead of pre-norm. Dynamic Tanh trains, a little behind, and
# its α was not tuned. One width, six blocks, 120 steps: this is no verdict on large models, and not their authors' setting.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Twelve families
#
# Read in their code, not in a paper: transformers 5.24.0 (`models/NAME/modeling_NAME.py`), unless it says otherwise. `eps` is the class's or the configuration's default; a published checkpoint may carry another.
#
# | family | norm, eps | place | QK-norm | also |
# |---|---|---|---|---|
# | Transformer, 2017 (tensor2tensor bafdc1b, `transformer.py`) | LayerNorm 1e-6 | post in v1, pre since v2 | – | last norm only with pre |
# | GPT-2 (`gpt2`) | LayerNorm 1e-5 | pre | – | branch matrices begin smaller by the root of twice the depth |
# | BERT (`bert`) | LayerNorm 1e-12 | post | – | a norm on the embeddings, none at the end |
# | Llama (`llama`) | RMSNorm 1e-6 | pre | – | cast, then weight |
# | Gemma 2 (`gemma2`) | RMSNorm 1e-6, 1 + w | sandwich | – | embeddings times the root of D |
# | OLMo 2 (`olmo2`) | RMSNorm 1e-5 | out | whole projection | weight, then cast |
# | Qwen 3 (`qwen3`) | RMSNorm 1e-6 | pre | each head, before RoPE | |
# | Command R (`cohere`) | LayerNorm 1e-5 without bias | parallel, one norm | an option, each head | |
# | DeepSeek V3 (`deepseek_v3`) | RMSNorm 1e-6 | pre | none as such: RMSNorms on the compressed q and kv | those take the class's eps, not the configuration's |
# | gpt-oss (`gpt_oss`) | RMSNorm 1e-5 | pre | – | weight, then cast; a learned sink in the softmax |
# | Mamba-2 (`mamba2`) | RMSNorm 1e-5 | pre, one a block | – | and a gated RMSNorm inside |
# | ViT (`vit`), DINOv2 (`dinov2`) | LayerNorm 1e-12, 1e-6 | pre | – | DINOv2: LayerScale |

# %% [markdown] slideshow={"slide_type": "slide"}
# ## How to read the thirteenth
#
# Open the file, find the block's `forward()`, and answer seven questions. Each has a public witness of somebody who did not.
#
# 1. **Where?** Follow the stream with a pencil: which lines normalize it, which a copy? (`post_attention_layernorm`, above.)
# 2. **Is there a last norm?** And is it loaded? (OPT was without it for weeks: transformers issue 17785. Twice: pytorch issue 50086.)
# 3. **w or 1 + w?** Print one. For *each kind* of norm in the file. (vLLM issue 31464; mlx-vlm issues 2041 and 2114: 8 of 11 conversions shifted twice.)
# 4. **Over which axis?** For QK-norm: each head or all, and how wide is its weight? (vLLM issue 16311: Llama 4, three points of a benchmark, and nothing crashed.)
# 5. **Which eps, from where?** (meta-llama/llama issue 771: 1e-6 for 1e-5, "random german words".)
# 6. **In which type, and in which order?** (transformers issue 30236.)
# 7. **Compare with the original**, layer by layer, on one text. A mistake that costs a hundredth of a nat will not be noticed in a chat.
#
# Some of it can be seen from outside. `normlab.doctor` runs a model once, and follows its stream:

# %% slideshow={"slide_type": "-"}
example = texts.test[:32][None]  # (B=1, T=32)
print("as it should be:", doctor(model, example).names())
for mistake in ("no last norm", "1 + w read as w", "QK-norm over all heads"):
    print(
        f"{mistake}:",
        sorted(set(doctor(norm_mistakes.with_mistake(model, mistake), example).names())),
    )

# %% [markdown]
# It sees a stream that is read without a norm, and weights that look like w - 1. A QK-norm over all heads it cannot call a mistake: OLMo 2 wants exactly that. It says that there is a norm which it
# does not know, and that is your cue to read its `forward()`.

# %% [markdown]
# ## Your turn
#
# Four tasks wait in [the exercises of this lesson](../exercises/14_norms_in_a_modern_transformer.ipynb), none of them printed above:
#
# | task | difficulty | importance | minutes |
# |---|---|---|---|
# | 1 `convert_norms`: a checkpoint moves between w and w - 1 | easy | high | 20 |
# | 2 `gated_rms_norm`: a norm that you have not met | medium | medium | 10 |
# | 3 `sandwich_backward`: a gradient through two norms | hard | medium | 30 |
# | 4 `decoder`: three mistakes in a model file | medium | high | 25 |

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Test yourself
#
# Five questions before the recap. Choose an answer, and you see at once why it is right or wrong. Your
# first choices count, and the line under the questions says where they are kept.

# %% slideshow={"slide_type": "-"}
self_test("14_norms_in_a_modern_transformer")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - Three places for a norm in each step of the stream, five usual ways to fill them. What stands where is said by `forward()`, and by no name.
# - In pre-norm the stream grows, with training in a straight line; a norm at the end puts it on one scale. A norm that was trained with is missed at once, one that never was hardly.
# - QK-norm bounds the logits. Without it, at rates that are too high, attention collapses and the loss does not tell.
# - w near 1 or w - 1 near 0: print it, for each kind of norm. In 16 bits add and multiply in float32, round once.
# - Seven questions for a model file, and a comparison with the original.

# %% [markdown]
# ## Go further
#
# - R. Xiong and others, *On Layer Normalization in the Transformer Architecture*, ICML 2020, arXiv:2002.04745: why post-norm needs a warm-up.
# - J. Kim and others, *Peri-LN*, 2025, arXiv:2502.02732: the sandwich, and what it does to the stream. T. OLMo, *2 OLMo 2 Furious*, 2025, arXiv:2501.00656: norms behind the branches, with QK-norm.
# - A. Henry and others, *Query-Key Normalization for Transformers*, 2020, arXiv:2010.04245. M. Wortsman and others, *Small-scale proxies for large-scale Transformer training instabilities*, 2023, arXiv:2309.14322.
# - J. Zhu and others, *Transformers without Normalization*, CVPR 2025, arXiv:2503.10622: Dynamic Tanh. A. Brock and others, *High-Performance Large-Scale Image Recognition Without Normalization*, 2021, arXiv:2102.06171: NFNets.
# - H. Touvron and others, *Going deeper with Image Transformers*, 2021, arXiv:2103.17239: LayerScale. S. Qiao and others, *Micro-Batch Training with Batch-Channel Normalization and Weight Standardization*, 2019, arXiv:1903.10520.
