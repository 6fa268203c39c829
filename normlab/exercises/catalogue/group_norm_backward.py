"""Lesson 8: the backward pass of GroupNorm, from what a correct forward pass has kept."""

from collections.abc import Callable

import numpy as np

from normlab.exercises.cases import distinct_values, scales, shape_name
from normlab.exercises.catalogue.batch_norm_forward import View
from normlab.exercises.catalogue.group_norm import neighbours, offset_values
from normlab.exercises.exercise import Arguments, Aspect, Case, Exercise, Mistake, Outputs
from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

_BACK = "The way back"

# ---- the recipe


# Of (N, G, C/G, H, W).
_GROUP = (2, 3, 4)


def three_roads(g: np.ndarray, x_hat: np.ndarray, inv_std: np.ndarray, mean: Callable):  # noqa: ANN201
    """Let x act by itself, through the mean and through the variance."""
    return inv_std * (g - mean(g) - x_hat * mean(g * x_hat))


def over_inv_std(g: np.ndarray, x_hat: np.ndarray, inv_std: np.ndarray, mean: Callable):  # noqa: ANN201
    """Divide by inv_std where it has to be multiplied."""
    return three_roads(g, x_hat, 1 / inv_std, mean)


def weight_first(core: Callable, dy: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Carry dy back through the weight, then through the normalization."""
    return core(dy * weight)


def _per_channel(values: np.ndarray) -> np.ndarray:
    return values.sum((0, 2, 3))


def sum_of_products(
    dy: np.ndarray, x_hat: np.ndarray, _inv_std: np.ndarray, _weight: np.ndarray
) -> np.ndarray:
    """Sum dy times x_hat, channel by channel."""
    return _per_channel(dy * x_hat)


def sum_of_dy(dy: np.ndarray, _weight: np.ndarray) -> np.ndarray:
    """Sum dy, channel by channel."""
    return _per_channel(dy)


def backward_recipe(
    dy: np.ndarray,
    x_hat: np.ndarray,
    inv_std: np.ndarray,
    weight: np.ndarray,
    *,
    roads: Callable = three_roads,
    axes: tuple[int, ...] = _GROUP,
    count: Callable[[np.ndarray], int] | None = None,
    spread: Callable[[np.ndarray, int], np.ndarray] = np.repeat,
    scaling: Callable = weight_first,
    dweight: Callable = sum_of_products,
    dbias: Callable = sum_of_dy,
) -> Outputs:
    """Compute GroupNorm's backward pass; each keyword is a step that a mistake may change.

    Parameters
    ----------
    dy, x_hat
        (N, C, H, W).
    inv_std, weight
        (N, G) and (C,).
    roads
        How x acts on x_hat.
    axes
        Of (N, G, C/G, H, W): the values that are averaged.
    count
        What the sums are divided by; None for how many there are.
    spread
        From one inv_std for each group to one for each channel.
    scaling
        Where the weight comes in.
    dweight, dbias
        How the gradients of the parameters are collected.
    """
    groups = inv_std.shape[1]
    per_channel = weight.reshape(1, -1, 1, 1)
    blocks = neighbours(x_hat, groups)  # (N, G, C/G, H, W)
    each = np.stack([spread(row, blocks.shape[2]) for row in inv_std])  # (N, C)

    def mean(values: np.ndarray) -> np.ndarray:
        values = neighbours(values, groups)
        total = values.sum(axes, keepdims=True)
        n = count(values) if count else View(axes).count(values)
        return np.broadcast_to(total / n, values.shape).reshape(dy.shape)

    def core(g: np.ndarray) -> np.ndarray:
        return roads(g, x_hat, each[:, :, None, None], mean)

    return {
        "dx": scaling(core, dy, per_channel),
        "dweight": dweight(dy, x_hat, each[:, :, None, None], per_channel),
        "dbias": dbias(dy, per_channel),
    }


def backward_reference(
    dy: np.ndarray, x_hat: np.ndarray, inv_std: np.ndarray, weight: np.ndarray
) -> Outputs:
    """Hand what the forward pass would have kept to the package's own backward."""
    blocks = neighbours(x_hat, inv_std.shape[1])
    inv_std = inv_std[:, :, None, None, None]  # (N, G, 1, 1, 1)
    kept = F.Standardized(blocks, np.zeros_like(inv_std), 1 / inv_std**2, inv_std, (2, 3, 4))
    ctx = F.Context(kept, weight, np.zeros_like(weight), (1,), x_hat.shape, x_hat.dtype)
    dx, dweight, dbias = F.affine_backward(dy, ctx)
    return {"dx": dx, "dweight": dweight, "dbias": dbias}


# ---- backward: cases


def _same_dx(own: Outputs, arguments: Arguments) -> Outputs:
    return {"dx": own["dx"].reshape(arguments["x_hat"].shape)}


def _backward_cases(rng: np.random.Generator, shape: tuple[int, ...], groups: int) -> list[Case]:
    """Draw one dy and see it as single groups, as several groups, and with a weight.

    Each is derived from the one before. Where dy times weight is what dy was there, so is dx.
    """
    blocks = neighbours(offset_values(rng, shape), groups)
    kept = F.standardize(blocks, (2, 3, 4), eps=0.5)
    x_hat, inv_std = kept.x_hat.reshape(shape), kept.inv_std.reshape(shape[0], groups)
    weight, dy = scales(rng, shape[1]), distinct_values(rng, shape)
    scaled = dy * weight.reshape(1, -1, 1, 1)
    single = (-1, shape[1] // groups, *shape[2:])  # (N*G, C/G, H, W)
    ones = np.ones(shape[1])
    singles = {
        "dy": scaled.reshape(single),
        "x_hat": x_hat.reshape(single),
        "inv_std": inv_std.reshape(-1, 1),
        "weight": ones[: single[1]],
    }
    rest = {"x_hat": x_hat, "inv_std": inv_std}
    one = f"{shape_name(singles['dy'].shape)}, 1 group, weight 1"
    several = f"{shape_name(shape)}, {groups} groups"
    return [
        Case(one, ("roads",), singles),
        Case(
            f"{several}, weight 1",
            ("groups",),
            {"dy": scaled, **rest, "weight": ones},
            based_on=one,
            derive=_same_dx,
        ),
        Case(
            several,
            ("weight", "dweight", "dbias"),
            {"dy": dy, **rest, "weight": weight},
            based_on=f"{several}, weight 1",
            derive=_same_dx,
        ),
    ]


def draw_backward(rng: np.random.Generator) -> list[Case]:
    """Draw the cases of `group_norm_backward`: C is never G times G, and all sizes differ."""
    return [
        *_backward_cases(rng, (2, 6, 1, 3), groups=3),
        *_backward_cases(rng, (4, 6, 3, 5), groups=2),
    ]


# ---- backward: mistakes


def _in_dx(
    key: str,
    what: str,
    outside: str,
    hint: str,
    mend: str,
    aspect: str = "roads",
    **changes: object,
) -> Mistake:
    return Mistake(key, what, outside, hint, mend, aspect, changes, _BACK)


_NUDGE = "nudge one x and list everything in the formula of x_hat that moves."
_DIVIDED = "what did the forward pass divide by when it took the mean of a group?"
_SUMS = "add up dx over a group, and dx * x_hat. Both should be 0. Are they, in every group?"

# Where one mistake would hide another, both name the step: then they are not combined.
BACKWARD_MISTAKES = (
    _in_dx(
        "statistics as constants",
        "mean and variance are treated as constants.",
        "dx does not add up to 0 over a group; a numerical check is far off.",
        _NUDGE,
        "dx",
        roads=lambda g, _x_hat, inv_std, _mean: inv_std * g,
        axes=_GROUP,
        count=None,
    ),
    _in_dx(
        "no road through the mean",
        "the way through the mean is missing.",
        "dx does not add up to 0 over a group.",
        _NUDGE,
        "dx",
        roads=lambda g, x_hat, inv_std, mean: inv_std * (g - x_hat * mean(g * x_hat)),
    ),
    _in_dx(
        "no road through the variance",
        "the way through the variance is missing.",
        "dx times x_hat does not add up to 0 over a group.",
        _NUDGE,
        "dx",
        roads=lambda g, _x_hat, inv_std, mean: inv_std * (g - mean(g)),
    ),
    _in_dx(
        "x_hat left out behind the variance",
        "the average of g * x_hat is subtracted as it is, not times x_hat.",
        "every value of a group gets the same correction.",
        "moving the variance moves large x_hat more than small ones. Where is that in your line?",
        "the term of the variance",
        roads=lambda g, x_hat, inv_std, mean: inv_std * (g - mean(g) - mean(g * x_hat)),
    ),
    _in_dx(
        "sign of the variance's term",
        "the term of the variance is added in place of subtracted.",
        "dx times x_hat does not add up to 0 over a group.",
        _SUMS,
        "a sign",
        roads=lambda g, x_hat, inv_std, mean: inv_std * (g - mean(g) + x_hat * mean(g * x_hat)),
    ),
    _in_dx(
        "inv_std on the first term alone",
        "inv_std multiplies the first of the three terms and not the other two.",
        "right where the standard deviation happens to be 1.",
        "if x is in metres, in what unit is each of your three terms?",
        "the brackets",
        roads=lambda g, x_hat, inv_std, mean: inv_std * g - mean(g) - x_hat * mean(g * x_hat),
    ),
    _in_dx(
        "inv_std forgotten",
        "inv_std is not used.",
        "dx is off by the standard deviation of its group.",
        "make x ten times as large. Should the same nudge move x_hat as much as before?",
        "dx",
        roads=lambda g, x_hat, _inv_std, mean: three_roads(g, x_hat, 1, mean),
        spread=np.repeat,
    ),
    _in_dx(
        "divided by inv_std",
        "dx is divided by inv_std.",
        "dx is off by the variance of its group.",
        "inv_std is 1 / sqrt(var + eps) already. Should a large variance make dx larger?",
        "dx",
        roads=over_inv_std,
    ),
    _in_dx(
        "sums for averages",
        "the two sums over a group are not divided by the number of its values.",
        "dx is far too large.",
        _DIVIDED,
        "the averages",
        count=lambda _blocks: 1,
    ),
    _in_dx(
        "divided by the pixels alone",
        "the sums over a group are divided by H*W, as if a group were one channel.",
        "right where a group has one channel.",
        _DIVIDED,
        "the averages",
        count=lambda blocks: blocks[0, 0, 0].size,
    ),
    _in_dx(
        "divided by all of the sample",
        "the sums over a group are divided by C*H*W, the size of the whole sample.",
        "right for one group, too little is subtracted for more.",
        _DIVIDED,
        "the averages",
        "groups",
        count=lambda blocks: blocks[0].size,
    ),
    _in_dx(
        "divided by the batch",
        "the sums over a group are divided by N.",
        "dx depends on how many samples there are.",
        _DIVIDED,
        "the averages",
        count=len,
    ),
    _in_dx(
        "averages per channel",
        "the averages are taken over each channel and not over the group.",
        "right where a group has one channel. (It is InstanceNorm's dx.)",
        _SUMS,
        "the averages",
        axes=(3, 4),
        count=None,
    ),
    _in_dx(
        "averages per pixel",
        "the averages are taken over the group's channels, separately at each pixel.",
        "a pixel's dx does not depend on the pixels around it.",
        _SUMS,
        "the averages",
        axes=(2,),
    ),
    _in_dx(
        "averages per sample",
        "the averages are taken over all channels of a sample.",
        "right for one group. (It is LayerNorm's dx.)",
        _SUMS,
        "the averages",
        "groups",
        axes=(1, 2, 3, 4),
        count=None,
    ),
    _in_dx(
        "averages over the batch",
        "the averages are taken over the samples, too.",
        "a sample's dx depends on the other samples.",
        "which samples took part in the mean of a group, in the forward pass?",
        "the averages",
        axes=(0, 2, 3, 4),
    ),
    _in_dx(
        "inv_std dealt out like cards",
        "inv_std goes to the channels in turn, 0, 1, 2, 0, 1, 2, and not group by group.",
        "right for one group.",
        "np.tile and np.repeat: which of them gives [a, a, b, b]?",
        "the spreading of inv_std",
        "groups",
        spread=np.tile,
    ),
    _in_dx(
        "weight forgotten in dx",
        "the weight is not used in dx.",
        "right in a fresh layer, where weight is 1.",
        "double one weight. Which nudges of x should now count double?",
        "dx",
        "weight",
        scaling=lambda core, dy, _weight: core(dy),
    ),
    _in_dx(
        "weight at the end",
        "dx is multiplied by the weight at the end, after the averages were taken.",
        "right where all channels of a group have the same weight, as in a fresh layer.",
        "the channels of a group share an average. Can a weight that differs between them be taken "
        "out of it?",
        "the order of the steps",
        "weight",
        scaling=lambda core, dy, weight: weight * core(dy),
        roads=three_roads,
        axes=_GROUP,
    ),
    _in_dx(
        "weight twice",
        "the weight is multiplied twice.",
        "right in a fresh layer, where weight is 1.",
        "how often does the weight stand in the formula of y?",
        "dx",
        "weight",
        scaling=lambda core, dy, weight: core(dy * weight**2),
    ),
    _in_dx(
        "dweight averaged",
        "dweight is averaged over samples and pixels, not summed.",
        "N*H*W times too small: the weight hardly learns.",
        "how many values of y does one weight touch, and what becomes of their say?",
        "dweight",
        "dweight",
        dweight=lambda dy, x_hat, _inv_std, _weight: (dy * x_hat).mean((0, 2, 3)),
    ),
    _in_dx(
        "dweight of each sample",
        "dweight is summed over the pixels but not over the samples.",
        "the shape (N, C); adding it to the weight gives an error or a larger weight.",
        "print the shape of dweight beside that of weight.",
        "dweight",
        "dweight",
        dweight=lambda dy, x_hat, _inv_std, _weight: (dy * x_hat).sum((2, 3)),
    ),
    _in_dx(
        "dweight of each group",
        "dweight is summed over all channels of a group.",
        "the channels of a group get the same dweight.",
        "double one weight. Which channels of y change?",
        "dweight",
        "dweight",
        dweight=lambda dy, x_hat, inv_std, _weight: _summed_by_group(dy * x_hat, inv_std),
    ),
    _in_dx(
        "dweight with weight",
        "dweight is collected from dy times weight.",
        "right in a fresh layer, where weight is 1.",
        "y = weight * x_hat + bias. What is its derivative with respect to weight?",
        "dweight",
        "dweight",
        dweight=lambda dy, x_hat, _inv_std, weight: _per_channel(dy * weight * x_hat),
    ),
    _in_dx(
        "deviations in dweight",
        "dweight is collected with x - mean, and not with x_hat.",
        "off by the standard deviations of the groups.",
        "what does the weight multiply in the forward pass?",
        "dweight",
        "dweight",
        dweight=lambda dy, x_hat, inv_std, _weight: _per_channel(dy * x_hat / inv_std),
    ),
    _in_dx(
        "dbias averaged",
        "dbias is averaged over samples and pixels, not summed.",
        "N*H*W times too small: the bias hardly learns.",
        "how many values of y does one bias touch, and what becomes of their say?",
        "dbias",
        "dbias",
        dbias=lambda dy, _weight: dy.mean((0, 2, 3)),
    ),
    _in_dx(
        "dbias of each sample",
        "dbias is summed over the pixels but not over the samples.",
        "the shape (N, C); adding it to the bias gives an error or a larger bias.",
        "print the shape of dbias beside that of bias.",
        "dbias",
        "dbias",
        dbias=lambda dy, _weight: dy.sum((2, 3)),
    ),
    _in_dx(
        "dbias with weight",
        "dbias is collected from dy times weight.",
        "right in a fresh layer, where weight is 1.",
        "y = weight * x_hat + bias. What is its derivative with respect to bias?",
        "dbias",
        "dbias",
        dbias=lambda dy, weight: _per_channel(dy * weight),
    ),
)


def _summed_by_group(values: np.ndarray, inv_std: np.ndarray) -> np.ndarray:
    """Sum over the channels that have the same inv_std, and give each of them the sum."""
    channels = _per_channel(values)
    same = inv_std[0, :, 0, 0][:, None] == inv_std[0, :, 0, 0]  # (C, C)
    return same @ channels


BACKWARD = Exercise(
    name="group_norm_backward",
    lesson="08",
    title="GroupNorm's backward pass",
    parameters=("dy", "x_hat", "inv_std", "weight"),
    returns=("dx", "dweight", "dbias"),
    aspects=(
        Aspect("dbias", "dbias", 1, ("dbias",)),
        Aspect("dweight", "dweight", 1, ("dweight",)),
        Aspect("roads", "dx: three ways from x to x_hat, in one group", 3, ("dx",)),
        Aspect("groups", "dx: each group for itself", 2, ("dx",)),
        Aspect("weight", "dx: where the weight comes in", 2, ("dx",)),
        Aspect("input", "leaves its input alone", 1, leaves_input_alone=True),
    ),
    draw=draw_backward,
    reference=backward_reference,
    recipe=backward_recipe,
    mistakes=BACKWARD_MISTAKES,
    first_step="dbias is the shortest of the three: which values of y does one bias touch?",
)

EXERCISES = (BACKWARD,)
