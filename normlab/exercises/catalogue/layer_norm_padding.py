"""Lesson 6: a layer norm over whole sequences of different lengths, padded to one.

One mean and one variance for each sequence, over all its tokens and features, as in the "global
layer normalization" of Luo & Mesgarani, 2019, "Conv-TasNet". Only real tokens may count.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from normlab.exercises.cases import distinct_values, scales, shape_name, shifts
from normlab.exercises.catalogue import formula
from normlab.exercises.catalogue.batch_norm_forward import (
    no_affine,
    root_of_variance_plus_eps,
    scale_then_shift,
)
from normlab.exercises.exercise import Arguments, Aspect, Case, Exercise, Mistake, Outputs
from normlab.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

# ---- the steps: which tokens are real


def first_ones(x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Mark the first `length` tokens of each sequence: (B, T, 1)."""
    return (np.arange(x.shape[1]) < lengths[:, None])[..., None]


def one_more(x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Mark one token more."""
    return first_ones(x, lengths + 1)


def one_fewer(x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Mark one token fewer."""
    return first_ones(x, lengths - 1)


def last_ones(x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Mark the last `length` tokens."""
    return first_ones(x, lengths)[:, ::-1]


def as_many_as_the_longest(x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Mark as many tokens in every sequence as in the longest."""
    return first_ones(x, np.full_like(lengths, lengths.max()))


# ---- the steps: mean and variance

Axes = tuple[int, ...]
Statistics = tuple[np.ndarray, np.ndarray]


def _sum(values: np.ndarray, per: Axes) -> np.ndarray:
    return values.sum(per, keepdims=True)


def of_real_tokens(x: np.ndarray, real: np.ndarray, per: Axes, less: int) -> Statistics:
    """Count only real tokens."""
    n = _sum(real * np.ones_like(x), per)
    mean = _sum(x * real, per) / n
    return mean, _sum(np.square(x - mean) * real, per) / (n - less)


def of_everything(x: np.ndarray, real: np.ndarray, per: Axes, less: int) -> Statistics:
    """Count the padding, too."""
    return of_real_tokens(x, np.ones_like(real), per, less)


def of_zeroed(x: np.ndarray, real: np.ndarray, per: Axes, less: int) -> Statistics:
    """Set the padding to 0 and count it."""
    return of_real_tokens(x * real, np.ones_like(real), per, less)


def padding_in_the_mean(x: np.ndarray, real: np.ndarray, per: Axes, less: int) -> Statistics:
    """Count the padding in the mean, and not in the variance."""
    n, mean = _sum(real * np.ones_like(x), per), x.mean(per, keepdims=True)
    return mean, _sum(np.square(x - mean) * real, per) / (n - less)


def padding_deviates(x: np.ndarray, real: np.ndarray, per: Axes, less: int) -> Statistics:
    """Set the padding to 0, and let its distance from the mean into the variance."""
    n = _sum(real * np.ones_like(x), per)
    mean = _sum(x * real, per) / n
    return mean, _sum(np.square(x * real - mean), per) / (n - less)


def tokens_counted(x: np.ndarray, real: np.ndarray, per: Axes, less: int) -> Statistics:
    """Divide by the number of tokens, where each has D features."""
    n = _sum(real * 1.0, per)
    mean = _sum(x * real, per) / n
    return mean, _sum(np.square(x - mean) * real, per) / (n - less)


# ---- the steps: zeros in the padding


def zero_at_the_end(
    x: np.ndarray, real: np.ndarray, normalize: Callable, affine: Callable
) -> np.ndarray:
    """Normalize, scale, shift, and set the padding to 0."""
    return affine(normalize(x)) * real


def zero_before_the_bias(
    x: np.ndarray, real: np.ndarray, normalize: Callable, affine: Callable
) -> np.ndarray:
    """Set the padding to 0, then scale and shift."""
    return affine(normalize(x) * real)


def zero_at_the_beginning(
    x: np.ndarray, real: np.ndarray, normalize: Callable, affine: Callable
) -> np.ndarray:
    """Set the padding to 0, then normalize, scale and shift."""
    return affine(normalize(x * real))


def never_zero(
    x: np.ndarray, _real: np.ndarray, normalize: Callable, affine: Callable
) -> np.ndarray:
    """Normalize, scale and shift the padding, too."""
    return affine(normalize(x))


def padded_recipe(
    x: np.ndarray,
    lengths: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    eps: float,
    *,
    real: Callable = first_ones,
    per: Axes = (1, 2),
    statistics: Callable = of_real_tokens,
    less: int = 0,
    divisor: Callable = root_of_variance_plus_eps,
    affine: Callable = scale_then_shift,
    zeros: Callable = zero_at_the_end,
) -> Outputs:
    """Normalize padded sequences; each keyword is a step that a mistake may change.

    Parameters
    ----------
    x
        (B, T, D).
    lengths
        (B,), how many tokens of each sequence are real.
    weight, bias, eps
        (D,), (D,) and a number.
    real
        Which tokens are taken for real.
    per
        The axes that share a mean.
    statistics, less
        How mean and variance are taken; the sum of squares is divided by n - less.
    divisor, affine
        As in `batch_norm_forward.batch_norm_recipe`.
    zeros
        Where the padding is set to 0.
    """
    mask = real(x, lengths)
    mean, var = statistics(x, mask, per, less)
    std = divisor(var, eps)
    y = zeros(x, mask, lambda x: (x - mean) / std, lambda x_hat: affine(x_hat, weight, bias))
    return {"y": y}


def padded_reference(
    x: np.ndarray, lengths: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float
) -> Outputs:
    """Give the package's own LayerNorm one sequence after the other, cut to its length."""
    y = np.zeros(x.shape)
    for sequence, length, out in zip(x, lengths, y, strict=True):
        real = np.asarray(sequence[:length], np.float64)
        out[:length] = F.layer_norm(real, real.shape, None, None, eps) * weight + bias
    return {"y": y}


# ---- cases


def draw(rng: np.random.Generator) -> list[Case]:
    """Draw sequences without padding, with padding that can hardly be seen, and with padding.

    The second kind asks for the zeros alone: its tokens are so small beside eps that nobody sees
    how the statistics were taken, and the padding adds up to 0. The third asks for the statistics
    alone: bias is 0, and where the learner leaves the padding normalized, so does what is expected.
    """
    return [
        *_without_padding(rng, (2, 2, 3)),
        *_without_padding(rng, (3, 4, 2)),
        *_with_padding(rng, (3, 4, 2), [4, 2, 3]),
        *_with_padding(rng, (3, 6, 3), [2, 4, 3]),
    ]


def _without_padding(rng: np.random.Generator, shape: tuple[int, int, int]) -> list[Case]:
    x = distinct_values(rng, shape) + 5 * rng.permutation(shape[0])[:, None, None]
    lengths = np.full(shape[0], shape[1])
    eps = round(float(rng.uniform(0.5, 2)) * float(x.var((1, 2)).min()), 1) + 1
    plain = _plain(x, lengths, formula.NO_EPS)
    weight, bias = scales(rng, shape[2]), shifts(rng, shape[2])
    name = f"{shape_name(shape)}, no padding"
    large = f"{name}, eps {eps:g}"

    def with_eps(own: Outputs, arguments: Arguments) -> Outputs:
        return formula.with_eps(own, arguments, axes=(1, 2))

    def with_affine(own: Outputs, arguments: Arguments) -> Outputs:
        return {"y": own["y"] * arguments["weight"] + arguments["bias"]}

    return [
        Case(name, ("statistics",), plain),
        Case(large, ("formula",), {**plain, "eps": eps}, based_on=name, derive=with_eps),
        Case(
            f"{large}, weight and bias",
            ("formula",),
            {**plain, "eps": eps, "weight": weight, "bias": bias},
            based_on=large,
            derive=with_affine,
        ),
    ]


def _plain(x: np.ndarray, lengths: np.ndarray, eps: float) -> dict[str, np.ndarray | float]:
    features = x.shape[2]
    ones, zeros = np.ones(features), np.zeros(features)
    return {"x": x, "lengths": lengths, "weight": ones, "bias": zeros, "eps": eps}


def _with_padding(
    rng: np.random.Generator, shape: tuple[int, int, int], lengths: list[int]
) -> list[Case]:
    batch, _, features = shape
    name = shape_name(shape)

    # Sequences of one length, tiny beside eps.
    length = min(lengths)
    tiny = distinct_values(rng, shape) * 1e-6
    for part in (tiny[:, :length], tiny[:, length:]):
        part -= part.mean((1, 2), keepdims=True)
    same, bias = np.full(batch, length), shifts(rng, features)
    faint = {**_plain(tiny, same, 1.0), "bias": bias}
    cut, faint_name = f"{name}, tiny, cut to {length} tokens", f"{name}, tiny, {length} tokens real"

    def zeros_behind(own: Outputs, _arguments: Arguments) -> Outputs:
        return {"y": np.concatenate([own["y"], np.zeros_like(tiny[:, length:])], axis=1)}

    def padding_as_before(own: Outputs, arguments: Arguments) -> Outputs:
        right = padded_reference(**arguments)["y"]
        if np.allclose(own["y"][:, length:], tiny[:, length:] + bias, rtol=0, atol=1e-8):
            x, real = arguments["x"], first_ones(arguments["x"], arguments["lengths"])
            mean, var = of_real_tokens(x, real, (1, 2), 0)
            right = (x - mean) / root_of_variance_plus_eps(var, arguments["eps"])
        return {"y": right}

    # Sequences of different lengths, and anything in the padding.
    x = distinct_values(rng, shape) + 5.0
    ragged = _plain(x, np.array(lengths), formula.NO_EPS)
    ragged_name = f"{name}, lengths {shape_name(tuple(lengths))}"
    learnt = {**ragged, "weight": scales(rng, features), "bias": bias}
    return [
        Case(cut, (), {**faint, "x": tiny[:, :length]}),
        Case(faint_name, ("zeros",), faint, based_on=cut, derive=zeros_behind),
        Case(ragged_name, ("padding",), ragged, based_on=faint_name, derive=padding_as_before),
        Case(f"{ragged_name}, weight and bias", (), learnt),
    ]


# ---- the mistakes

_FORMULA = "In a formula"
_PADDING = "Sequences of different lengths"

_ALONE = {"per": (1, 2), "statistics": of_real_tokens}


def _in_statistics(key: str, what: str, outside: str, hint: str, statistics: Callable) -> Mistake:
    return Mistake(
        key=key,
        what=what,
        outside=outside,
        hint=hint,
        mend="the statistics",
        aspect="statistics" if statistics is tokens_counted else "padding",
        changes={**_ALONE, "statistics": statistics},
        section=_PADDING,
    )


_WHICH_REAL = (
    "lengthen the padding and change what is in it. Should the other tokens' answer change?"
)
PADDING_COUNTED = _in_statistics(
    "padding counted",
    "the padding is counted in the mean and in the variance.",
    "a sequence's answer changes with the padding, and so with the other sequences of the batch.",
    _WHICH_REAL,
    of_everything,
)
ZEROS_COUNTED = _in_statistics(
    "zeros counted",
    "the padding is set to 0 first, and then counted in the mean and in the variance.",
    "a sequence's answer changes with the length of the padding: a small std, and huge values.",
    "how many values is the sum made of, and what do you divide it by?",
    of_zeroed,
)
MEAN_COUNTS_PADDING = _in_statistics(
    "padding counted in the mean",
    "the padding is counted in the mean, though not in the variance.",
    "the real tokens of a padded sequence are not centred on 0.",
    _WHICH_REAL,
    padding_in_the_mean,
)
PADDING_DEVIATES = _in_statistics(
    "padding deviates",
    "the padding is set to 0, and its distance from the mean gets into the variance.",
    "right for sequences whose mean is 0; else too small, the more padding the smaller.",
    "0 minus the mean is not 0. Where in your code do the zeros stand when you square?",
    padding_deviates,
)
TOKENS_COUNTED = _in_statistics(
    "tokens counted",
    "the sums are divided by the number of tokens, where each token has D values.",
    "the mean comes out D times too large.",
    "how many numbers have you added up for one sequence of two tokens?",
    tokens_counted,
)


def _wrong_sharing(key: str, what: str, outside: str, per: Axes) -> Mistake:
    # Inside a token there is no padding.
    statistics = of_everything if per == (2,) else of_real_tokens
    return Mistake(
        key=key,
        what=what,
        outside=outside,
        hint="print the shape of your mean. One number for each *what*?",
        mend="the axes",
        aspect="statistics",
        changes={"per": per, "statistics": statistics},
        section=_PADDING,
    )


PER_TOKEN = _wrong_sharing(
    "one mean per token",
    "each token has a mean and a variance of its own.",
    "tokens lose their different sizes. (A LayerNorm over D does this.)",
    (2,),
)
PER_FEATURE = _wrong_sharing(
    "one mean per feature",
    "each feature of a sequence has a mean and a variance over time.",
    "features lose their different sizes. (InstanceNorm does this.)",
    (1,),
)
PER_BATCH = _wrong_sharing(
    "one mean for the batch",
    "all sequences together have one mean and one variance.",
    "a sequence's answer depends on the other sequences.",
    (0, 1, 2),
)


def _wrong_tokens(key: str, what: str, outside: str, hint: str, real: Callable) -> Mistake:
    return Mistake(
        key=key,
        what=what,
        outside=outside,
        hint=hint,
        mend="the mask",
        aspect="padding",
        changes={"real": real},
        section=_PADDING,
    )


_COUNT = "a sequence of length 1 has its only token at position 0. Is position 1 real?"
ONE_MORE = _wrong_tokens(
    "one token too many",
    "one token more than `lengths` says is taken for real.",
    "the first padded token gets a value, and into the statistics.",
    _COUNT,
    one_more,
)
ONE_FEWER = _wrong_tokens(
    "one token too few",
    "one token fewer than `lengths` says is taken for real.",
    "the last real token comes out as 0.",
    _COUNT,
    one_fewer,
)
AT_THE_START = _wrong_tokens(
    "padding at the start",
    "the last tokens are taken for the real ones, as if the padding came first.",
    "right without padding.",
    "print the mask of a sequence of length 1. Which position is real?",
    last_ones,
)
LONGEST = _wrong_tokens(
    "as long as the longest",
    "every sequence is taken to be as long as the longest of the batch.",
    "right for sequences of one length.",
    "print the mask for the lengths 1 and 3, in one batch.",
    as_many_as_the_longest,
)


def _wrong_zeros(key: str, what: str, outside: str, changes: dict[str, Callable]) -> Mistake:
    return Mistake(
        key=key,
        what=what,
        outside=outside,
        hint="print what you return at a padded position, with a bias of 5.",
        mend="the zeros",
        aspect="zeros",
        changes=changes,
        section=_PADDING,
    )


NEVER_ZERO = _wrong_zeros(
    "padding normalized",
    "the padding is normalized, scaled and shifted like the rest, and never set to 0.",
    "the next layer finds values where there is nothing.",
    {"zeros": never_zero},
)
BIAS_IN_PADDING = _wrong_zeros(
    "bias in the padding",
    "the padding is set to 0 before weight and bias are used.",
    "right in a fresh layer, where bias is 0.",
    # Without a bias it cannot be seen when the zeros are set.
    {"zeros": zero_before_the_bias, "affine": scale_then_shift},
)
ZERO_TOO_EARLY = _wrong_zeros(
    "padding set to 0 before normalizing",
    "the padding is set to 0 before the mean is subtracted, and never again.",
    "a padded position holds minus the mean, divided by the standard deviation.",
    {"zeros": zero_at_the_beginning},
)


def _from_lesson_2() -> list[Mistake]:
    found = formula.formula_mistakes("sequence", _FORMULA, _FORMULA, _FORMULA)
    aspects = {
        "unbiased variance": "statistics",
        "no root": "statistics",
        "eps outside the root": "formula",
        "eps missing": "formula",
        "weight skipped": "formula",
        "bias skipped": "formula",
    }
    mistakes = [replace(found[key], aspect=aspect) for key, aspect in aspects.items()]
    neither = replace(
        found["weight and bias skipped"], aspect="formula", changes={"affine": no_affine}
    )
    return [*mistakes, neither]


PADDED = Exercise(
    name="sequence_norm_padded",
    lesson="06",
    title="sequences with padding",
    parameters=("x", "lengths", "weight", "bias", "eps"),
    returns=("y",),
    aspects=(
        Aspect("statistics", "one mean and variance for each sequence", 3),
        Aspect("formula", "eps, weight and bias", 1),
        Aspect("padding", "padding does not enter the statistics", 3),
        Aspect("zeros", "padding comes out as 0, whatever the bias", 2),
        Aspect("input", "leaves its input alone", 1, leaves_input_alone=True),
    ),
    draw=draw,
    reference=padded_reference,
    recipe=padded_recipe,
    mistakes=(
        PADDING_COUNTED,
        ZEROS_COUNTED,
        MEAN_COUNTS_PADDING,
        PADDING_DEVIATES,
        TOKENS_COUNTED,
        PER_TOKEN,
        PER_FEATURE,
        PER_BATCH,
        ONE_MORE,
        ONE_FEWER,
        AT_THE_START,
        LONGEST,
        NEVER_ZERO,
        BIAS_IN_PADDING,
        ZERO_TOO_EARLY,
        *_from_lesson_2(),
    ),
    first_step="make a mask (B, T, 1) that is 1 at real tokens, and print it for the example.",
)

EXERCISES = (PADDED,)
