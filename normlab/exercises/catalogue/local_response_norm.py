"""Lesson 9: local response normalization, of a value by its neighbours in the channel axis."""

from collections.abc import Callable

import numpy as np

from normlab.exercises.cases import distinct_values, shape_name
from normlab.exercises.exercise import Arguments, Aspect, Case, Exercise, Mistake, Outputs
from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

# ---- the recipe


def leaning_down(size: int) -> tuple[int, int]:
    """Reach one further down than up, where the size is even."""
    return size // 2, (size - 1) // 2


def leaning_up(size: int) -> tuple[int, int]:
    """Reach one further up than down, where the size is even."""
    return (size - 1) // 2, size // 2


def half_on_both_sides(size: int) -> tuple[int, int]:
    """Reach size // 2 on both sides: one too many, where the size is even."""
    return size // 2, size // 2


def size_on_both_sides(size: int) -> tuple[int, int]:
    """Reach as far as the whole size on both sides."""
    return size, size


def downwards(size: int) -> tuple[int, int]:
    """Reach down only."""
    return size - 1, 0


Window = tuple[np.ndarray, np.ndarray]


def zeros_beyond(window: np.ndarray, inside: np.ndarray) -> Window:
    """Count nothing beyond the edges."""
    return np.where(inside, window, 0), inside


def wrapped_around(window: np.ndarray, inside: np.ndarray) -> Window:
    """Go on at the other end."""
    return window % len(window), np.ones_like(inside)


def edges_repeated(window: np.ndarray, inside: np.ndarray) -> Window:
    """Repeat the first and the last channel."""
    return window.clip(0, len(window) - 1), np.ones_like(inside)


def squares(x: np.ndarray) -> np.ndarray:
    """Square."""
    return np.square(x)


def by_size(total: np.ndarray, _members: np.ndarray, size: int) -> np.ndarray:
    """Divide by the size of the window, also where it hangs over the edge."""
    return total / size


def by_members(total: np.ndarray, members: np.ndarray, _size: int) -> np.ndarray:
    """Divide by the number of channels that are really in the window."""
    return total / members


def not_divided(total: np.ndarray, _members: np.ndarray, _size: int) -> np.ndarray:
    """Leave the sum as it is, as in the paper."""
    return total


def formula(m: np.ndarray, alpha: float, beta: float, k: float) -> np.ndarray:
    """Compute what a value is divided by."""
    return (k + alpha * m) ** beta


def local_response_norm_recipe(
    x: np.ndarray,
    size: int,
    alpha: float,
    beta: float,
    k: float,
    *,
    reach: Callable[[int], tuple[int, int]] = leaning_down,
    axis: int = 1,
    own: bool = True,
    beyond: Callable = zeros_beyond,
    power: Callable = squares,
    average: Callable = by_size,
    divisor: Callable = formula,
    applied: Callable = np.divide,
) -> Outputs:
    """Compute local response normalization; each keyword is a step that a mistake may change.

    Parameters
    ----------
    x
        (N, C, H, W).
    size, alpha, beta, k
        Numbers.
    reach
        How many channels the window takes in, down and up.
    axis
        Along which it lies.
    own
        Whether a value counts among its neighbours.
    beyond
        What stands beyond the edges: an index, and what the value there is multiplied by.
    power, average, divisor, applied
        The steps of the formula.
    """
    down, up = reach(size)
    channels = np.arange(x.shape[axis])
    window = channels[:, None] + np.arange(-down, up + 1)  # (C, window), may hang over the edges
    inside = (window >= 0) & (window < len(channels))
    index, counted = beyond(window, inside)
    terms = np.moveaxis(power(x), axis, -1)[..., index] * counted  # (..., C, window)
    total = np.moveaxis(terms.sum(-1), -1, axis) - (0 if own else power(x))
    members = inside.sum(-1).reshape([-1 if each == axis else 1 for each in range(x.ndim)])
    return {"y": applied(x, divisor(average(total, members, size), alpha, beta, k))}


def local_response_norm_reference(
    x: np.ndarray, size: int, alpha: float, beta: float, k: float
) -> Outputs:
    """Call the package's own function."""
    return {"y": F.local_response_norm(x, size, alpha, beta, k)}


# ---- cases


def _with_beta(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's answer with beta 1 to that with another: read the divisor off."""
    x = arguments["x"]
    return {"y": x / (x / own["y"]) ** arguments["beta"]}


def _with_neighbours(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's answer for a window of one channel to that for a larger one.

    What each value adds to its own divisor, it adds to its neighbours' as well.
    """
    x, k, size = arguments["x"], arguments["k"], arguments["size"]
    down, up = leaning_down(size)
    added = x / own["y"] - k  # (N, C, H, W)
    zeros = [np.zeros_like(x[:, :1])]
    beyond = np.concatenate([*zeros * down, added, *zeros * up], axis=1)
    total = sum(beyond[:, first : first + x.shape[1]] for first in range(size))
    return {"y": x / (k + total / size)}


def _cases(rng: np.random.Generator, shape: tuple[int, ...], sizes: tuple[int, int]) -> list[Case]:
    """Draw one x: every value alone, then among neighbours, and with another beta."""
    odd, even = sizes
    # No 0, and no sum of a window for which k + alpha * m is 0.
    x = distinct_values(rng, shape) + 0.37
    alpha, k = float(rng.integers(3, 9)), float(rng.integers(20, 60))
    beta = float(rng.choice([0.25, 0.4, 0.6, 0.75]))
    first = {"x": x, "size": 1, "alpha": alpha, "beta": 1.0, "k": k}
    name = shape_name(shape)
    alone, among = f"{name}, size 1, beta 1", f"{name}, size {odd}, beta 1"
    windows = {"based_on": alone, "derive": _with_neighbours}
    return [
        Case(alone, ("formula",), first),
        Case(among, ("window",), {**first, "size": odd}, **windows),
        Case(f"{name}, size {even}, beta 1", ("even",), {**first, "size": even}, **windows),
        Case(
            f"{name}, size {odd}, beta {beta:g}",
            ("beta",),
            {**first, "size": odd, "beta": beta},
            based_on=among,
            derive=_with_beta,
        ),
    ]


def draw(rng: np.random.Generator) -> list[Case]:
    """Draw the cases of `local_response_norm`; N is never C."""
    return [
        *_cases(rng, (1, 5, 1, 4), sizes=(3, 2)),
        *_cases(rng, (3, 7, 2, 6), sizes=(5, 4)),
    ]


# ---- mistakes

_LRN = "Local response norm: divided by the neighbours"


def _mistake(
    key: str, what: str, outside: str, hint: str, mend: str, aspect: str, **changes: object
) -> Mistake:
    return Mistake(key, what, outside, hint, mend, aspect, changes, _LRN)


_ALPHA = "the paper and PyTorch define alpha in two ways. Read both definitions."
_ONE_CHANNEL = "put a single 1 into channel 3 and zeros elsewhere. Which channels' divisors change?"
_ONE_NUMBER = "work out one number by hand, with size 1, alpha 2, beta 1 and k 3."

MISTAKES = (
    _mistake(
        "alpha not divided by size",
        "the squares of the window are added up, and not divided by its size.",
        "right for a window of one; the larger the window, the more is suppressed.",
        _ALPHA,
        "the average",
        "window",
        average=not_divided,
    ),
    _mistake(
        "divided by the members",
        "at the edges the sum is divided by the number of channels that are there.",
        "right in the middle; the first and the last channels come out too small.",
        "what does the window of channel 0 hold below it? Is it counted?",
        "the average",
        "window",
        average=by_members,
    ),
    _mistake(
        "own value left out",
        "the window holds the neighbours, and not the value itself.",
        "a large value among small ones is hardly suppressed.",
        "with size 1, what is in the window?",
        "the window",
        "formula",
        own=False,
    ),
    _mistake(
        "size on both sides",
        "the window reaches as far as its whole size on both sides.",
        "too much is suppressed.",
        _ONE_CHANNEL,
        "the window",
        "formula",
        reach=size_on_both_sides,
    ),
    _mistake(
        "one too many in an even window",
        "the window reaches size // 2 on both sides, which is one too many for an even size.",
        "right for every odd size.",
        "count the channels in your window, for size 4.",
        "the window",
        "even",
        reach=half_on_both_sides,
    ),
    _mistake(
        "even window leaning up",
        "an even window reaches one channel further up than down.",
        "right for every odd size.",
        "with size 2: is it the neighbour below, or the one above?",
        "the window",
        "even",
        reach=leaning_up,
    ),
    _mistake(
        "window on one side",
        "the window ends at the value itself and reaches down only.",
        "the channels above a value have no effect on it.",
        _ONE_CHANNEL,
        "the window",
        "window",
        reach=downwards,
    ),
    _mistake(
        "wrapped around",
        "beyond the last channel the window goes on with the first.",
        "right in the middle, wrong in the first and the last channels.",
        "does your function think that channel 0 and the last channel are neighbours?",
        "the edges",
        "window",
        beyond=wrapped_around,
    ),
    _mistake(
        "edges repeated",
        "beyond the edges the first and the last channel are repeated.",
        "right in the middle, wrong in the first and the last channels.",
        "with all values 1: in which channel should the divisor be smallest?",
        "the edges",
        "window",
        beyond=edges_repeated,
    ),
    _mistake(
        "window along the columns",
        "the window lies along the last axis of the image, not along the channels.",
        "right shape; a value is suppressed by the pixels beside it.",
        _ONE_CHANNEL,
        "the axis",
        "window",
        axis=3,
    ),
    _mistake(
        "window along the samples",
        "the window lies along the batch.",
        "an image's answer depends on the other images.",
        "give your function one image alone and then the same in a batch. Do the answers agree?",
        "the axis",
        "window",
        axis=0,
    ),
    _mistake(
        "not squared",
        "the values of the window are averaged as they are, without squaring.",
        "values may even grow, or change their sign, where their neighbours are negative.",
        _ONE_NUMBER,
        "the average",
        "formula",
        power=lambda x: x,
    ),
    _mistake(
        "magnitudes",
        "the magnitudes of the window are averaged, and not the squares.",
        "too little is suppressed.",
        _ONE_NUMBER,
        "the average",
        "formula",
        power=np.abs,
    ),
    _mistake(
        "k fixed at 1",
        "k is always 1, whatever the caller asks for.",
        "right with PyTorch's default; the paper has k = 2.",
        _ONE_NUMBER,
        "the divisor",
        "formula",
        divisor=lambda m, alpha, beta, _k: (1 + alpha * m) ** beta,
    ),
    _mistake(
        "k left out",
        "k is not added.",
        "every value is divided, and zeros among zeros give NaN.",
        "what should come out where the whole window is nearly 0?",
        "the divisor",
        "formula",
        divisor=lambda m, alpha, beta, _k: (alpha * m) ** beta,
    ),
    _mistake(
        "k outside the power",
        "k is added after taking the power.",
        "nothing to see for beta 1.",
        "in the formula, what do the brackets cover?",
        "the divisor",
        "beta",
        divisor=lambda m, alpha, beta, k: k + (alpha * m) ** beta,
    ),
    _mistake(
        "alpha times k",
        "alpha multiplies k, too.",
        "right for k = 0.",
        _ONE_NUMBER,
        "the divisor",
        "formula",
        divisor=lambda m, alpha, beta, k: (alpha * (k + m)) ** beta,
    ),
    _mistake(
        "beta left out",
        "the power beta is left out.",
        "right for beta 1; else too much is suppressed.",
        "call your function with beta=0. What should come out?",
        "the divisor",
        "beta",
        divisor=lambda m, alpha, _beta, k: k + alpha * m,
    ),
    _mistake(
        "root for beta",
        "the square root is taken, whatever beta is.",
        "right for beta 0.5.",
        "call your function with beta=0. What should come out?",
        "the divisor",
        "formula",
        divisor=lambda m, alpha, _beta, k: np.sqrt(k + alpha * m),
    ),
    _mistake(
        "multiplied",
        "x is multiplied by what it should be divided by.",
        "values grow, and large ones the most.",
        "should a value among large neighbours come out larger or smaller?",
        "the last step",
        "formula",
        applied=np.multiply,
    ),
)

LOCAL_RESPONSE_NORM = Exercise(
    name="local_response_norm",
    lesson="09",
    title="divide a value by its neighbours in the channels",
    parameters=("x", "size", "alpha", "beta", "k"),
    returns=("y",),
    aspects=(
        Aspect("formula", "the formula, in a window of one channel", 3),
        Aspect("window", "a window of several channels, and the edges", 3),
        Aspect("even", "a window of even size", 2),
        Aspect("beta", "the power beta", 1),
        Aspect("input", "leaves its input alone", 1, leaves_input_alone=True),
    ),
    draw=draw,
    reference=local_response_norm_reference,
    recipe=local_response_norm_recipe,
    mistakes=MISTAKES,
    first_step="write it for size=1 first: then a value has no neighbours but itself.",
)

EXERCISES = (LOCAL_RESPONSE_NORM,)
