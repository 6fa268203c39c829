"""Lesson 1: normalize vectors along an axis, as `torch.nn.functional.normalize` does.

The recipe computes the same as the reference, in steps that can be exchanged one by one.
"""

from collections.abc import Callable

import numpy as np

from normlab.exercises.cases import distinct_values, shape_name
from normlab.exercises.exercise import Arguments, Aspect, Case, Exercise, Mistake, Outputs
from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

# So small that eps cannot be seen, wherever it is added.
_NO_EPS = 1e-12

_VECTORS = "Vectors: F.normalize"
_BREAK = "Break it on purpose"

# ---- the recipe: how long a vector is


def root_of_squares(x: np.ndarray, axis: int | None, keepdims: bool) -> np.ndarray:
    """Take the root of the sum of squares."""
    return np.sqrt(np.square(x).sum(axis, keepdims=keepdims))


def sum_of_squares(x: np.ndarray, axis: int | None, keepdims: bool) -> np.ndarray:
    """Forget the root."""
    return np.square(x).sum(axis, keepdims=keepdims)


def sum_of_magnitudes(x: np.ndarray, axis: int | None, keepdims: bool) -> np.ndarray:
    """Take the 1-norm."""
    return np.abs(x).sum(axis, keepdims=keepdims)


def plain_sum(x: np.ndarray, axis: int | None, keepdims: bool) -> np.ndarray:
    """Add up the entries."""
    return x.sum(axis, keepdims=keepdims)


def largest_magnitude(x: np.ndarray, axis: int | None, keepdims: bool) -> np.ndarray:
    """Take the largest entry."""
    return np.abs(x).max(axis, keepdims=keepdims)


def root_of_mean_square(x: np.ndarray, axis: int | None, keepdims: bool) -> np.ndarray:
    """Take the mean of the squares for their sum."""
    return np.sqrt(np.square(x).mean(axis, keepdims=keepdims))


def standard_deviation(x: np.ndarray, axis: int | None, keepdims: bool) -> np.ndarray:
    """Take the spread for the length."""
    return x.std(axis, keepdims=keepdims)


# ---- the recipe: from the length to the divisor


def at_least_eps(length: np.ndarray, eps: float) -> np.ndarray:
    """Take the length or eps, whichever is larger."""
    return np.maximum(length, eps)


def plus_eps(length: np.ndarray, eps: float) -> np.ndarray:
    """Add eps to the length."""
    return length + eps


def root_with_eps(length: np.ndarray, eps: float) -> np.ndarray:
    """Add eps to the sum of squares."""
    return np.sqrt(length * length + eps)


def without_eps(length: np.ndarray, _eps: float) -> np.ndarray:
    """Leave eps out."""
    return length


def fixed_eps(length: np.ndarray, _eps: float) -> np.ndarray:
    """Use PyTorch's default in place of the argument."""
    return np.maximum(length, 1e-12)


def vectors_recipe(
    x: np.ndarray,
    dim: int,
    eps: float,
    *,
    axis: Callable = lambda dim: dim,
    length: Callable = root_of_squares,
    keepdims: bool = True,
    divisor: Callable = at_least_eps,
    centred: bool = False,
) -> Outputs:
    """Divide each vector by its length; each keyword is a step that a mistake may change.

    Parameters
    ----------
    x
        Any shape.
    dim, eps
        The axis along which a vector lies, and the smallest divisor.
    axis
        Which axis is used when asked for `dim`.
    length, keepdims
        How long a vector is, and whether its axis is kept with size 1.
    divisor
        From the length to what is divided by.
    centred
        Subtract the mean of each vector first.
    """
    used = axis(dim)
    if centred:
        x = x - x.mean(used, keepdims=True)
    return {"y": x / divisor(length(x, used, keepdims), eps)}


def vectors_reference(x: np.ndarray, dim: int, eps: float) -> Outputs:
    """Call the package's own function."""
    return {"y": F.normalize(x, 2.0, dim, eps)}


# ---- cases


def draw_vectors(rng: np.random.Generator) -> list[Case]:
    """Draw the cases of `normalize_vectors`."""
    return [
        *_sizes_of_eps(rng, (3, 2)),
        *_sizes_of_eps(rng, (4, 4)),
        *_axes(rng, (6, 4), [((2, 3, 4), -1), ((2, 3, 4), 1), ((2, 3, 4), 0), ((2, 3, 4), -2)]),
        *_axes(rng, (9, 3), [((3, 3, 3), 0), ((3, 3, 3), -1)]),
    ]


def _vectors(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Draw vectors of very different lengths, one shorter than 1; no entries add up to 0."""
    lengths = rng.permutation(np.arange(1.0, 1 + shape[0])).reshape(-1, 1)
    x = (distinct_values(rng, shape) + 0.3) * lengths**2
    shortest = np.sort(np.linalg.norm(x, axis=1))[:2]
    return x / np.sqrt(shortest.prod())


def _sizes_of_eps(rng: np.random.Generator, shape: tuple[int, int]) -> list[Case]:
    """Draw vectors with a tiny eps, one between their lengths, a large one, and zero vectors."""
    x, name = _vectors(rng, shape), f"{shape_name(shape)}, dim 1"
    with_zero = x.copy()
    with_zero[int(rng.integers(shape[0]))] = 0.0
    own = {"based_on": name, "derive": _with_eps}
    tiny = {"dim": 1, "eps": _NO_EPS}
    return [
        Case(name, ("length",), {"x": x, **tiny}),
        Case(f"{name}, eps 1", ("eps",), {"x": x, "dim": 1, "eps": 1.0}, **own),
        Case(f"{name}, eps 1e6", ("eps",), {"x": x, "dim": 1, "eps": 1e6}, **own),
        Case(f"{name}, a zero vector", ("eps",), {"x": with_zero, **tiny}, **own),
        Case(f"{name}, only zeros", ("eps",), {"x": 0 * x, **tiny}),
    ]


def _with_eps(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's answer without eps to that with it, by the divisors that it shows."""
    x, y = arguments["x"], own["y"]
    zero = ~x.any(1, keepdims=True)
    y = np.where(zero, 0, y)
    length = np.linalg.norm(x, axis=1, keepdims=True)
    length /= np.where(zero, 1, np.linalg.norm(y, axis=1, keepdims=True))
    return {"y": y * length / np.maximum(length, arguments["eps"])}


def _axes(
    rng: np.random.Generator,
    shape: tuple[int, int],
    places: list[tuple[tuple[int, ...], int]],
) -> list[Case]:
    """Draw vectors as rows, and lay the same ones along other axes."""
    x, name = _vectors(rng, shape), f"{shape_name(shape)}, dim 1"
    cases = [Case(name, ("length",), {"x": x, "dim": 1, "eps": _NO_EPS})]
    for block, dim in places:

        def lay(rows: np.ndarray, block: tuple[int, ...] = block, dim: int = dim) -> np.ndarray:
            return np.ascontiguousarray(np.moveaxis(rows.reshape(block), -1, dim))

        laid = lay(x)
        cases.append(
            Case(
                f"{shape_name(laid.shape)}, dim {dim}",
                ("dim",),
                {"x": laid, "dim": dim, "eps": _NO_EPS},
                based_on=name,
                derive=lambda own, _, lay=lay: {"y": lay(own["y"])},
            )
        )
    return cases


# ---- the mistakes


def _length(key: str, what: str, outside: str, hint: str, **changes: object) -> Mistake:
    return Mistake(key, what, outside, hint, "the length", "length", changes, _VECTORS)


_THREE_FOUR = "put in the vector (3, 4), whose length is 5. What should come out?"
LENGTH_MISTAKES = (
    _length(
        "root forgotten",
        "the vectors are divided by the sum of their squares, without a root.",
        "long vectors come out short, and short ones long.",
        _THREE_FOUR,
        length=sum_of_squares,
    ),
    _length(
        "sum of magnitudes",
        "the length is the sum of the magnitudes: the 1-norm.",
        "the entries add up to 1, and the length is below 1.",
        _THREE_FOUR,
        length=sum_of_magnitudes,
    ),
    _length(
        "plain sum",
        "the vectors are divided by the sum of their entries.",
        "the entries add up to 1; where they cancel, everything explodes.",
        "put in the vector (3, -3). How long is it?",
        length=plain_sum,
    ),
    _length(
        "largest entry",
        "the vectors are divided by their largest magnitude.",
        "the largest entry is 1 or -1, and the length is above 1.",
        _THREE_FOUR,
        length=largest_magnitude,
    ),
    _length(
        "mean of squares",
        "the squares are averaged in place of added up.",
        "too long by the root of the number of entries. (RMSNorm does this.)",
        _THREE_FOUR,
        length=root_of_mean_square,
    ),
    _length(
        "standard deviation for length",
        "the vectors are divided by their standard deviation.",
        "a vector with equal entries becomes infinite.",
        "does a length change when all entries grow by 1? Does a spread?",
        length=standard_deviation,
        centred=False,
    ),
    _length(
        "mean subtracted",
        "the mean of each vector is subtracted first.",
        "length 1, but another direction.",
        "a unit vector points where the vector pointed. Does yours?",
        centred=True,
    ),
    _length(
        "one length for everything",
        "all of x has one length.",
        "the longest vector stays the longest.",
        "print the shape of your length. One number for each *what*?",
        axis=lambda _dim: None,
        keepdims=True,
    ),
    _length(
        "axis not kept",
        "the axis is summed away, and NumPy lines the lengths up with the last axis.",
        "an error, unless x is square; then columns are divided by the lengths of rows.",
        "print the shape of your lengths. Which axis of x does NumPy line them up with?",
        keepdims=False,
    ),
)


def _dim(key: str, what: str, outside: str, hint: str, **changes: object) -> Mistake:
    return Mistake(key, what, outside, hint, "the axis", "dim", changes, _BREAK)


_WHICH = "which axis holds one vector, and who says so?"
DIM_MISTAKES = (
    _dim(
        "always dim 1",
        "the vectors lie along axis 1, whatever the caller asks for.",
        "right for (N, D); for a sequence (B, T, D) each feature is normalized over time.",
        _WHICH,
        axis=lambda _dim: 1,
    ),
    _dim(
        "always the last axis",
        "the vectors lie along the last axis, whatever the caller asks for.",
        "right for (N, D), and for images (N, C, H, W) each row of pixels has length 1.",
        _WHICH,
        axis=lambda _dim: -1,
    ),
    _dim(
        "always dim 0",
        "the vectors lie along axis 0, whatever the caller asks for.",
        "a vector's answer depends on the others in the batch.",
        _WHICH,
        axis=lambda _dim: 0,
        keepdims=True,
    ),
)


def _eps(key: str, what: str, outside: str, hint: str, divisor: Callable) -> Mistake:
    return Mistake(key, what, outside, hint, "the eps", "eps", {"divisor": divisor}, _VECTORS)


_WHEN = "when should eps matter at all? Put in a vector that is longer than eps."
EPS_MISTAKES = (
    _eps(
        "eps added to the length",
        "eps is added to the length.",
        "no vector has length 1 exactly; with a tiny eps nobody sees it.",
        _WHEN,
        plus_eps,
    ),
    _eps(
        "eps added under the root",
        "eps is added to the sum of squares, under the root.",
        "no vector has length 1 exactly; short ones least of all.",
        _WHEN,
        root_with_eps,
    ),
    _eps(
        "eps missing",
        "eps is left out.",
        "NaN for a zero vector.",
        "put in a zero vector. What do you divide by?",
        without_eps,
    ),
    _eps(
        "eps for zero vectors only",
        "only a zero vector meets eps: a fixed tiny number is used, or a test for the length 0.",
        "a vector a little longer than 0 jumps to length 1, whatever eps the caller asks for.",
        "put in vectors that are shorter than eps, and not zero.",
        fixed_eps,
    ),
)


# ---- the aspects, and the exercise

VECTORS = Exercise(
    name="normalize_vectors",
    lesson="01",
    title="vectors of length 1 along an axis",
    parameters=("x", "dim", "eps"),
    returns=("y",),
    aspects=(
        Aspect("length", "length 1, in the old direction", 4),
        Aspect("dim", "along the axis that is asked for", 2),
        Aspect("eps", "vectors shorter than eps, and the zero vector", 3),
        Aspect("input", "leaves its input alone", 1, leaves_input_alone=True),
    ),
    draw=draw_vectors,
    reference=vectors_reference,
    recipe=vectors_recipe,
    mistakes=(*LENGTH_MISTAKES, *DIM_MISTAKES, *EPS_MISTAKES),
    first_step="compute the length of each vector, and keep the axis along which you add up.",
)

EXERCISES = (VECTORS,)
