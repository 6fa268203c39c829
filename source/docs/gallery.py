# %% [markdown]
# # The figures
#
# Every figure of the course is a function of plain arrays: numbers in, a `Picture` out. Here is each of them once, with
# a few numbers of its own, for whoever wants one in a lesson, a report or a talk. `picture.save("figure.png")` writes a
# file, and `picture.alt` is what a screen reader says.
#
# In all of them there is a second cue beside the colour (a marker, a dash, a tint, a word), and equal colours mean
# equal things: each norm has one colour, one marker and one name in all figures. What each parameter means stands in `help(plots.block)`, and so on. The same pictures with controls
# under them are in `plots.explore`.

# %%
import numpy as np

from normlab import plots

rng = np.random.default_rng(0)

# %% [markdown]
# ## Which numbers share a mean
#
# **block**: the batch as cells, and in colour those that one mean is taken of. `averaged_cells` finds them from the
# axes.

# %%
shape = (4, 6, 5)  # (N, C, L)
batch_norm = plots.averaged_cells(shape, axes=(0, 2))
plots.block({"BatchNorm": batch_norm, "LayerNorm": plots.averaged_cells(shape, axes=(1, 2))})

# %% [markdown]
# **gallery**: many such blocks, three in a row.

# %%
kinds = {
    "over N and L": (0, 2),
    "over C and L": (1, 2),
    "over L": (2,),
    "over N": (0,),
    "over C": (1,),
}
plots.gallery({name: plots.averaged_cells(shape, axes) for name, axes in kinds.items()})

# %% [markdown]
# ## Numbers, one by one
#
# **arrays**: small arrays that can be read, some cells marked.

# %%
x = np.array([[1.0, 20.0], [3.0, 60.0]])
plots.arrays(
    {"x": x, "x minus its mean": x - x.mean(0)},
    marked={"x": np.array([[True, False], [True, False]])},
    rows={"x": ["sample 0", "sample 1"]},
    alt="Two tables of two by two numbers. On the left 1, 20 and 3, 60, the first column marked; on the right the "
    "same without their column means: -1, -20 and 1, 20.",
)

# %% [markdown]
# **dots**: every value of a few features, with mean and standard deviation, before and after.

# %%
heights_and_weights = rng.normal([1.7, 70], [0.1, 12], size=(30, 2))
scaled = (heights_and_weights - heights_and_weights.mean(0)) / heights_and_weights.std(0)
plots.dots(
    {"as measured": heights_and_weights, "standardized": scaled},
    ["height", "weight"],
    xlabel="value",
    alt="Two panels of dots. As measured, heights lie in one spot near 2 and weights spread from 55 to 95; "
    "standardized, both spread alike around 0.",
)

# %% [markdown]
# **graph**: a computation, values in boxes and operations on arrows.

# %%
plots.graph(
    {"$x$": (0, 0), "$\\mu$": (1, 1), "$x - \\mu$": (2, 0)},
    [("$x$", "$\\mu$", "mean"), ("$\\mu$", "$x - \\mu$", "subtract"), ("$x$", "$x - \\mu$", "")],
    alt="Three boxes: x, its mean mu above, and x minus mu, with arrows from x to both and from mu to the difference.",
)

# %% [markdown]
# ## Images
#
# **images**: a row of images, each with its own black and white.

# %%
ramp = np.linspace(0, 1, 8) * np.ones((8, 1))
plots.images(
    np.stack([ramp, ramp.T, ramp * ramp.T]),
    ["across", "down", "both"],
    alt="Three squares that grow darker to the right, downwards, and towards the lower right corner.",
)

# %% [markdown]
# **lights**: rows of images that share one scale of grey, so that a difference in light stays one.

# %%
plots.lights(
    {"raw": np.stack([ramp, 0.5 * ramp, 0.5 * ramp + 0.25])},
    ["as it is", "half the contrast", "and brighter"],
    alt="One ramp from white to black three times: whole, only to middle grey, and from light grey to dark grey.",
)

# %% [markdown]
# ## Training
#
# **curves**: several runs of each network, a line for their mean and a band from the worst to the best.

# %%
steps = np.arange(0, 500, 50)
falling = {
    name: 90 * np.exp(-steps / time) + 5 + rng.normal(0, 1, (5, 10))
    for name, time in {"BatchNorm": 80, "no norm": 250}.items()
}
plots.curves(
    steps,
    falling,
    xlabel="training steps",
    ylabel="error, %",
    reference={"10 %": 10},
    alt="Error against training steps. With BatchNorm it falls below ten percent after about 250 steps, without one it "
    "has not at the end.",
)

# %% [markdown]
# **beside**: the same for many networks, each in a panel with the one it is compared with.

# %%
more = falling | {"LayerNorm": falling["BatchNorm"] + 4, "GroupNorm": falling["no norm"] - 3}
plots.beside(
    steps,
    more,
    "no norm",
    xlabel="training steps",
    ylabel="error, %",
    alt="Three panels. In each the network without a norm as a thin line and one other: one falls much faster, one too but "
    "stays four points higher, one falls alike, three points lower.",
)

# %% [markdown]
# **following**: scattered values, and lines that follow them.

# %%
values = rng.normal(5, 1, 40)
averages = np.cumsum(values) / np.arange(1, 41)
plots.following(
    values,
    {"mean so far": averages},
    xlabel="batches seen",
    ylabel="mean of a batch",
    alt="Forty dots scattered around 5, and a line that settles at 5 after some ten of them.",
)

# %% [markdown]
# **buffers**: batch statistics and the running statistics behind them, with one step marked.

# %%
running = [0.0]
for value in values:
    running.append(0.9 * running[-1] + 0.1 * value)
plots.buffers(
    {"mean": plots.Statistic(values, np.array(running[1:]))},
    20,
    alt="Means of forty batches scattered around 5, and the running mean that climbs from 0 towards them; step 20 is "
    "marked.",
)

# %% [markdown]
# ## Inside the layers
#
# **layer_bands**: where the values of each layer lie, a mean and a standard deviation either side.

# %%
spread = {"first layer": 1.0 + 0 * steps, "last layer": np.exp(-steps / 200)}
plots.layer_bands(
    steps,
    {"network": {name: (0.5 * width, width) for name, width in spread.items()}},
    ylabel="values",
    alt="Two rows. In the first layer the band keeps its width; in the last it narrows towards 0.",
)

# %% [markdown]
# **by_layer**: one number of each layer, such as the size of its gradient.

# %%
sizes = {f"layer {depth}": 10.0**-depth * rng.lognormal(0, 0.2, (3, 10)) for depth in (1, 2, 3)}
plots.by_layer(
    steps,
    {"a plain pile": sizes, "the same, level": dict.fromkeys(sizes, sizes["layer 1"])},
    ylabel="size of the gradient",
    log=True,
    alt="Two panels. On the left three lines, each ten times lower than the one before; on the right they coincide.",
)

# %% [markdown]
# ## Settings and differences
#
# **sweep**: what comes out for each value of a setting, on a logarithmic axis.

# %%
rates = np.logspace(-3, 1, 5)
best_at = {"BatchNorm": 1.0, "no norm": 0.1}
right = {
    name: (rates, 95 - 7 * np.log10(rates / best)[:, None] ** 2 + rng.normal(0, 1, (5, 5)))
    for name, best in best_at.items()
}
plots.sweep(
    {"one epoch": right},
    xlabel="learning rate",
    ylabel="accuracy, %",
    marked={"usual": 0.01},
    alt="Accuracy against the learning rate: two hills, the one with BatchNorm ten times further to the right.",
)

# %% [markdown]
# **doubling**: the same for a quantity that doubles, with bars instead of bands.

# %%
plots.doubling(
    [2, 4, 8, 16],
    {"a network": {name: 90 - spread / np.array([2, 4, 8, 16]) + rng.normal(0, 1, (5, 4))
                   for name, spread in {"BatchNorm": 60, "GroupNorm": 4}.items()}},
    xlabel="batch size",
    ylabel="accuracy, %",
    alt="Accuracy against batch size. With GroupNorm it is level near 89; with BatchNorm it climbs from 60 to 87.",
)  # fmt: skip

# %% [markdown]
# **differences**: every seed's difference, their mean and an interval; a filled diamond where it leaves out 0.

# %%
found = {"RMSNorm": rng.normal(2, 0.5, 5), "InstanceNorm": rng.normal(0.1, 0.5, 5)}
error = {name: 2.78 * seeds.std(ddof=1) / np.sqrt(5) for name, seeds in found.items()}
plots.differences(
    {"against no norm": {
        name: (seeds, (seeds.mean() - error[name], seeds.mean() + error[name])) for name, seeds in found.items()
    }},
    xlabel="difference in accuracy, points",
    alt="Two rows of five dots. The interval of RMSNorm lies around 1.6 and leaves out 0; that of InstanceNorm holds it.",
)  # fmt: skip

# %% [markdown]
# ## Landscapes
#
# **descent**: level lines of a loss of two weights, and the path of gradient descent.


# %%
def path(hessian, rate):
    weights = [np.array([1.0, 1.0])]
    for _ in range(12):
        weights.append(weights[-1] - rate * hessian @ weights[-1])
    return np.array(weights)  # (steps, 2)


valley, bowl = np.diag([1.0, 10.0]), np.diag([1.0, 1.0])
plots.descent(
    {"a valley": (valley, path(valley, 0.18)), "a bowl": (bowl, path(bowl, 0.5))},
    alt="Two panels of level lines. In the long valley the path swings from side to side; in the round bowl it goes "
    "straight to the middle.",
)

# %% [markdown]
# **stretch**: what a matrix does to the unit circle, with its largest singular value.

# %%
matrix = np.array([[1.5, 0.5], [0.0, 0.5]])
plots.stretch(
    {"as it is": matrix, "divided by σ": matrix / np.linalg.norm(matrix, 2)},
    alt="A unit circle and the ellipse that a matrix makes of it: longer than the circle on the left, within it on the "
    "right.",
)

# %% [markdown]
# ## A transformer's stream
#
# **placements**: one block, its norms in five places.

# %%
plots.placements()

# %% [markdown]
# **stream**: how large the stream is behind each block, and what the model loses without one.

# %%
blocks = np.arange(7)
grown = {"pre": 1 + 0.8 * blocks, "post": np.ones(7)}
plots.stream(
    {name: np.sqrt(size)[None] for name, size in grown.items()},
    {name: size[None] for name, size in grown.items()},
    {"pre": 0.5 ** blocks[None, 1:], "post": 0.5 ** blocks[None, :0:-1]},
    alt="Left: the stream of pre grows from 1 to 5.8, that of post stays at 1. Right: in pre the first block is worth "
    "most, in post the last.",
)
