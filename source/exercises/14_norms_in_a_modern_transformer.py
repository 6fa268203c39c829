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
# # Read, port and mend a model's norms
#
# *Exercises for lesson 14 · four tasks · about 85 minutes · NumPy, and PyTorch in the last*
#
# | task | function | difficulty | importance | minutes | points |
# |---|---|---|---|---|---|
# | 1 | `convert_norms`, between w and w - 1 | easy | high | 20 | 10 |
# | 2 | `gated_rms_norm`, a norm that you have not met | medium | medium | 10 | 10 |
# | 3 | `sandwich_backward`, two roads and two norms | hard | medium | 30 | 10 |
# | 4 | `decoder`: three mistakes in a model file | medium | high | 25 | 10 |
#
# **What you need:** lesson 14, and for task 3 the backward pass of RMSNorm from lesson 9. The tasks do not build on each other.
#
# **How it goes.** Replace `raise NotImplementedError()` with your code, run the cell, run the
# example below it, then run the check. It knows the mistakes that people make here, and names yours
# if it is one of them. Run it as often as you like. Points come in parts, so one slip costs its own
# part and not everything.

# %%
import numpy as np
import torch
from torch.nn.functional import gelu, scaled_dot_product_attention

from normlab import check

np.set_printoptions(precision=4, suppress=True)
torch.set_printoptions(precision=4, sci_mode=False)

# %% [markdown]
# ## Task 1: a checkpoint that moves to another library
#
# *Easy · importance high · 20 minutes · 10 points*
#
# A checkpoint is a dict: names, and arrays in float16. In one library its norms hold $w$, in the other $w - 1$. You write the function that
# converts it, in both directions. This is the family's rule:
#
# - every array whose name ends in `norm.weight` is a norm's weight;
# - all norms follow the convention, **but those inside a linear attention** (their names have `.linear_attn.` in them): these are
#   gated norms, and hold $w$ in both files;
# - nothing else is shifted, no bias of a norm either.
#
# | | | |
# |---|---|---|
# | `state` | dict | names, and NumPy arrays in float16 |
# | `to` | `"w"` or `"w - 1"` | what the new file is to hold; the old one holds the other |
# | returns | dict | the same names, and arrays in **float32**: computed so that no digit of the old numbers is lost |
#
# The caller's dict and its arrays stay as they were.
#
# <details><summary>Hint 1: which are norms?</summary>
#
# Print all names of the example, and mark the norms among them by hand. How many are there? Then count those that your code changes.
#
# </details>
#
# <details><summary>Hint 2: digits</summary>
#
# In float16 the step from 1 to the next number is about 0.001. In which type do you add, and in which do you keep the sum?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "convert_norms", "locked": false, "schema_version": 3, "solution": true, "task": false}
def convert_norms(state, to):
    """Convert a checkpoint's norms to "w" or to "w - 1". Returns a new dict of float32 arrays."""
    ### BEGIN SOLUTION
    step = 1 if to == "w" else -1
    converted = {}
    for name, value in state.items():
        wide = value.astype(np.float32)
        if name.endswith("norm.weight") and ".linear_attn." not in name:
            wide = wide + step
        converted[name] = wide
    return converted
    ### END SOLUTION


# %%
state = {
    "model.embed_tokens.weight": np.array([[0.5, -2], [1, 3]], np.float16),
    "model.layers.0.input_layernorm.weight": np.array([0.0104, -0.25], np.float16),
    "model.layers.0.input_layernorm.bias": np.array([0.125, 0.5], np.float16),
    "model.layers.0.self_attn.q_norm.weight": np.array([0.5], np.float16),
    "model.layers.0.self_attn.k_norm.weight": np.array([-0.125], np.float16),
    "model.layers.1.linear_attn.norm.weight": np.array([1.25], np.float16),
    "model.layers.1.linear_attn.dt_bias": np.array([0.75], np.float16),
    "model.norm.weight": np.array([0.0625, 0.5], np.float16),
}
for name, value in convert_norms(state, "w").items():
    print(f"{name:40}", value.dtype, value.ravel())

# %% [markdown]
# The layer's two numbers should become 1.0104 and 0.75, the queries' 1.5, the keys' 0.875, the last norm's 1.0625 and 1.5; all others stay.

# %%
check("convert_norms", convert_norms)

# %% [markdown]
# The next cell is for grading. It runs the same check, there with other numbers, and its last line
# is the points.

# %% nbgrader={"grade": true, "grade_id": "convert_norms-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("convert_norms", convert_norms)
### BEGIN HIDDEN TESTS
report = check("convert_norms", convert_norms, seed=191016)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 2: a norm that you have not met
#
# *Medium · importance medium · 10 minutes · 10 points*
#
# Inside each block of Mamba-2 stands a *gated* RMSNorm, in groups. It has two inputs of the same shape: what is normalized, and a gate that decides how much
# of it there is in the first place.
#
# $$u = x \cdot \mathrm{SiLU}(\text{gate}), \qquad
# y_d = \text{weight}_d \; \frac{u_d}{\sqrt{m_{G(d)}(u^2) + \varepsilon}}, \qquad
# \mathrm{SiLU}(g) = \frac{g}{1 + e^{-g}}$$
#
# The D features are cut into `groups` groups of neighbours, $G(d)$ is the group of feature $d$, and $m_G$ is the mean over the features of that
# group, of one token.
#
# | | shape | |
# |---|---|---|
# | `x`, `gate` | `(B, T, D)` | |
# | `weight` | `(D,)` | |
# | `groups` | a number | D is a multiple of it |
# | `eps` | a number | added to the mean square |
# | returns `y` | `(B, T, D)` | |
#
# An example with one token of four features in two groups. The gates are so large that SiLU leaves them as they are, 20 and 40:
#
# $$x = (3, 4, 2, 2), \quad \text{gate} = (20, 20, 40, 40), \quad \text{weight} = (5, 5, 1, 2), \quad \varepsilon = 0$$
#
# $u$ is $(60, 80, 80, 80)$; the groups' root mean squares are $\sqrt{5000} = 70.7$ and 80:
#
# $$y = (4.2426,\; 5.6569,\; 1,\; 2)$$
#
# <details><summary>Hint 1: groups</summary>
#
# Reshape `(B, T, D)` so that the features of a group lie along an axis of their own. Which mean do you take then?
#
# </details>
#
# <details><summary>Hint 2: is it right?</summary>
#
# With weight 1 and eps 0 the mean square of each group of y is 1, whatever the gate. And a gate ten times as large, where it is large already, changes nothing.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "gated_rms_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gated_rms_norm(x, gate, weight, groups, eps):
    """Gate x (B, T, D), then divide each group of features by its root mean square."""
    ### BEGIN SOLUTION
    gated = x * gate / (1 + np.exp(-gate))  # (B, T, D)
    parts = gated.reshape(*x.shape[:2], groups, -1)  # (B, T, groups, D / groups)
    mean_square = (parts**2).mean(axis=-1, keepdims=True)  # (B, T, groups, 1)
    return weight * (parts / np.sqrt(mean_square + eps)).reshape(x.shape)
    ### END SOLUTION


# %%
x = np.array([[[3.0, 4, 2, 2]]])  # (B=1, T=1, D=4)
gate = np.array([[[20.0, 20, 40, 40]]])
gated_rms_norm(x, gate, weight=np.array([5.0, 5, 1, 2]), groups=2, eps=0)

# %%
check("gated_rms_norm", gated_rms_norm)

# %% nbgrader={"grade": true, "grade_id": "gated_rms_norm-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("gated_rms_norm", gated_rms_norm)
### BEGIN HIDDEN TESTS
report = check("gated_rms_norm", gated_rms_norm, seed=191016)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 3: through a sandwich and back
#
# *Hard · importance medium · 30 minutes · 10 points*
#
# One step of a sandwich, whose branch is a matrix:
#
# $$y = x + w_2 \cdot N(u), \qquad u = \big(w_1 \cdot N(x)\big)\, W, \qquad N(x) = \frac{x}{\sqrt{m(x^2) + \varepsilon}}$$
#
# with $m$ the mean over the features of a token. Given the gradient of the loss by $y$, find that by $x$, by $W$ and by both weights.
#
# | | shape | |
# |---|---|---|
# | `dy`, `x` | `(T, D)` | tokens |
# | `matrix` | `(D, D)` | input first: `read @ matrix` |
# | `weight_1`, `weight_2` | `(D,)` | of the norm in front, and of the norm behind |
# | `eps` | a number | of both norms; not small |
# | returns `dx, dmatrix, dweight_1, dweight_2` | like what they belong to | four arrays, in this order |
#
# An example of one token, with $\varepsilon = 0$: $x = (1, 7)$ has the root mean square 5; with $w_1 = (5, 5)$ the branch reads $x$ itself. The matrix turns $(1, 7)$ into $(7, 1)$, the norm behind
# divides by 5 again, and $w_2 = (10, 10)$ makes $(14, 2)$ of it, so $y = (15, 9)$. For $dy = (1, 0)$:
#
# $$dw_2 = (1.4,\; 0), \qquad dx = (0.72,\; 0.04), \qquad
# dW = \begin{pmatrix} 0.04 & -0.28 \\ 0.28 & -1.96 \end{pmatrix}, \qquad dw_1 = (-0.056,\; 0.056)$$
#
# <details><summary>Hint 1: names first</summary>
#
# Write the forward pass, a line and a name for each thing: the two inverse roots, what is normalized in front, what the branch reads, the branch, what is
# normalized behind. Then go back from the last line; each line of yours is turned round once.
#
# </details>
#
# <details><summary>Hint 2: back through N</summary>
#
# With $r = 1 / \sqrt{m(x^2) + \varepsilon}$ and $\hat x = r x$: a gradient $g$ by $\hat x$ becomes $r \, (g - \hat x \, m(g \hat x))$ by $x$. You need it twice.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "sandwich_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sandwich_backward(dy, x, matrix, weight_1, weight_2, eps):
    """Return dx (T, D), dmatrix (D, D), dweight_1 (D,) and dweight_2 (D,) of one step."""
    ### BEGIN SOLUTION
    r = 1 / np.sqrt((x**2).mean(axis=-1, keepdims=True) + eps)  # (T, 1)
    x_hat = x * r  # (T, D)
    read = weight_1 * x_hat
    branch = read @ matrix
    s = 1 / np.sqrt((branch**2).mean(axis=-1, keepdims=True) + eps)  # (T, 1)
    branch_hat = branch * s

    g = dy * weight_2
    dbranch = s * (g - branch_hat * (g * branch_hat).mean(axis=-1, keepdims=True))
    dread = dbranch @ matrix.T
    h = dread * weight_1
    dx = dy + r * (h - x_hat * (h * x_hat).mean(axis=-1, keepdims=True))
    return dx, read.T @ dbranch, (dread * x_hat).sum(axis=0), (dy * branch_hat).sum(axis=0)
    ### END SOLUTION


# %%
swap = np.array([[0.0, 1], [1, 0]])
names = ("dx", "dmatrix", "dweight_1", "dweight_2")
arrays = sandwich_backward(
    dy=np.array([[1.0, 0]]),
    x=np.array([[1.0, 7]]),
    matrix=swap,
    weight_1=np.array([5.0, 5]),
    weight_2=np.array([10.0, 10]),
    eps=0,
)
for name, array in zip(names, arrays, strict=True):
    print(f"{name:10}", array.tolist())

# %%
check("sandwich_backward", sandwich_backward)

# %% nbgrader={"grade": true, "grade_id": "sandwich_backward-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("sandwich_backward", sandwich_backward)
### BEGIN HIDDEN TESTS
report = check("sandwich_backward", sandwich_backward, seed=191016)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## Task 4: three mistakes in a model file
#
# *Medium · importance high · 25 minutes · 10 points*
#
# Somebody has written a model's forward pass anew, from its description. It runs, nothing is missing in the checkpoint, and it answers worse than the original. There are **three** mistakes in it, all about
# norms, each of a kind that has been in a well-known library. The description is right:
#
# - a pre-norm decoder; RMSNorms with `eps` 1e-6; every norm's array in the checkpoint holds w - 1;
# - QK-norm: each head of queries and of keys by itself, one weight of a head's width for all heads; no rotation of positions;
# - `lm_head` reads what a last norm, `norm`, has made of the stream.
#
# Below the program is an example: a small checkpoint, with none to four layers, and what the program makes of it today.
#
# | | | |
# |---|---|---|
# | `tokens` | `(B, T)` | whole numbers |
# | `state` | dict of tensors | `embed_tokens` and `lm_head` `(letters, D)`, `norm` `(D,)`, and `layers`: a list of dicts, with `input_layernorm`, `post_attention_layernorm` `(D,)`, `q_norm`, `k_norm` `(D / heads,)`, and the matrices `q_proj`, `k_proj`, `v_proj`, `o_proj`, `up_proj`, `down_proj`, each `(out, in)` |
# | `heads` | a number | of queries and of keys |
# | returns `stream, scores` | `(B, T, D)`, `(B, T, letters)` | the stream behind the last layer, before the last norm; and the scores |


# %%
def decoder(tokens, state, heads):
    """Return the stream (B, T, D) behind the last layer and the scores (B, T, letters)."""

    def norm(x, weight):
        mean_square = x.pow(2).mean(-1, keepdim=True)
        return x * torch.rsqrt(mean_square + 1e-6) * (1 + weight)

    def split(x):
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)  # (B, heads, T, size)

    x = state["embed_tokens"][tokens]  # (B, T, D)
    for layer in state["layers"]:
        read = norm(x, layer["input_layernorm"])
        q = norm(read @ layer["q_proj"].T, layer["q_norm"].repeat(heads))
        k = norm(read @ layer["k_proj"].T, layer["k_norm"].repeat(heads))
        v = read @ layer["v_proj"].T
        mixed = scaled_dot_product_attention(split(q), split(k), split(v), is_causal=True)
        x = x + mixed.transpose(1, 2).flatten(2) @ layer["o_proj"].T
        x = norm(x, layer["post_attention_layernorm"])
        x = x + gelu(x @ layer["up_proj"].T) @ layer["down_proj"].T
    return x, x @ state["lm_head"].T


# %% [markdown]
# A small checkpoint, to try it on. What is the size of the stream behind each number of layers, and which arrays of the checkpoint does the program touch at all?


# %%
class Touched(dict):
    """A dict that writes down what was asked for."""

    def __getitem__(self, name):
        asked.add(name)
        return super().__getitem__(name)


asked = set()


def checkpoint(layers, width=8, heads=2):
    rng = np.random.default_rng(0)

    def numbers(*shape, size=1.0):
        return torch.from_numpy(size * rng.normal(size=shape))

    def layer():
        square = {f"{name}_proj": numbers(width, width) for name in "qkvo"}
        mlp = {"up_proj": numbers(2 * width, width), "down_proj": numbers(width, 2 * width)}
        norms = {
            name: numbers(width, size=0.3)
            for name in ("input_layernorm", "post_attention_layernorm")
        }
        heads_norms = {name: numbers(width // heads, size=0.3) for name in ("q_norm", "k_norm")}
        return Touched(square | mlp | norms | heads_norms)

    outside = {
        "embed_tokens": numbers(5, width),
        "lm_head": numbers(5, width),
        "norm": numbers(width, size=0.3),
    }
    return Touched(outside | {"layers": [layer() for _ in range(layers)]})


def examine(decoder):
    asked.clear()
    for layers in (0, 1, 2, 4):
        state = checkpoint(layers)
        stream, _ = decoder(torch.tensor([[0, 1, 2, 3]]), state, 2)
        print(
            f"{layers} layers: the stream's root mean square is {stream.square().mean().sqrt():.2f}"
        )
    print("never touched:", sorted({*state, *state["layers"][0]} - asked - {"layers"}))


# %%
examine(decoder)

# %% [markdown]
# Copy the program into the cell below, and mend it. What is checked is what it does, not how it looks.
#
# <details><summary>Hint 1: the one that shows</summary>
#
# One array of the checkpoint is never touched. Where does the description say that it is used?
#
# </details>
#
# <details><summary>Hint 2: the pencil</summary>
#
# Follow `x` through a layer, line by line: is it the stream, or something that a branch reads? In pre-norm, which lines may change the stream, and how?
#
# </details>
#
# <details><summary>Hint 3: the axis</summary>
#
# How many root mean squares should there be for the queries of one token? How many does the program compute?
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "decoder", "locked": false, "schema_version": 3, "solution": true, "task": false}
def decoder(tokens, state, heads):
    """Return the stream (B, T, D) behind the last layer and the scores (B, T, letters)."""
    ### BEGIN SOLUTION

    def norm(x, weight):
        mean_square = x.pow(2).mean(-1, keepdim=True)
        return x * torch.rsqrt(mean_square + 1e-6) * (1 + weight)

    def split(x):
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)  # (B, heads, T, size)

    x = state["embed_tokens"][tokens]  # (B, T, D)
    for layer in state["layers"]:
        read = norm(x, layer["input_layernorm"])
        q = norm(split(read @ layer["q_proj"].T), layer["q_norm"])
        k = norm(split(read @ layer["k_proj"].T), layer["k_norm"])
        v = split(read @ layer["v_proj"].T)
        mixed = scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + mixed.transpose(1, 2).flatten(2) @ layer["o_proj"].T
        read = norm(x, layer["post_attention_layernorm"])
        x = x + gelu(read @ layer["up_proj"].T) @ layer["down_proj"].T
    return x, norm(x, state["norm"]) @ state["lm_head"].T
    ### END SOLUTION


# %%
examine(decoder)

# %%
check("decoder", decoder)

# %% nbgrader={"grade": true, "grade_id": "decoder-points", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
report = check("decoder", decoder)
### BEGIN HIDDEN TESTS
report = check("decoder", decoder, seed=191016)
### END HIDDEN TESTS
assert report.points > 0, f"no points yet:\n{report}"
report.points

# %% [markdown]
# ## What you have now
#
# - A converter between w and w - 1 that knows which norm does not follow the rule, and loses no digit.
# - A norm that you read off its formula, in groups and with a gate.
# - A gradient through a step of the stream: around the branch, and through two norms.
# - A model file that you have read against its description. You found what nothing crashes for.
