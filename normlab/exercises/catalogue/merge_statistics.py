"""Lesson 9: the merge of SyncBatchNorm, from the workers' statistics to the whole batch's."""

from collections.abc import Callable

import numpy as np

from normlab.exercises.exercise import Arguments, Aspect, Case, Exercise, Mistake, Outputs
from normlab.nn.sync import Statistics
from normlab.nn.sync import merge_statistics as merge

# ---- the recipe


def counts_as_weights(counts: np.ndarray) -> np.ndarray:
    """Let a worker weigh as much as it has values: (K, 1)."""
    return counts[:, None] / counts.sum()


def equal_weights(counts: np.ndarray) -> np.ndarray:
    """Let every worker that has values weigh the same."""
    busy = counts > 0
    return busy[:, None] / busy.sum()


def counts_less_one(counts: np.ndarray) -> np.ndarray:
    """Weigh by n - 1, as one does with unbiased variances."""
    less = np.maximum(counts - 1, 0)
    return less[:, None] / less.sum()


def root_counts(counts: np.ndarray) -> np.ndarray:
    """Weigh by the root of n."""
    return np.sqrt(counts)[:, None] / np.sqrt(counts).sum()


Weighing = Callable[[np.ndarray], np.ndarray]


def around_the_merged_mean(
    counts: np.ndarray, means: np.ndarray, mean: np.ndarray, weighing: Weighing
) -> np.ndarray:
    """Average the squared distances of the workers' means from the merged mean."""
    return _weigh(weighing(counts), np.square(means - mean))


def mean_square_less_square(
    counts: np.ndarray, means: np.ndarray, _mean: np.ndarray, _weighing: Weighing
) -> np.ndarray:
    """Compute E[mean²] - E[mean]²: the same on paper."""
    weights = counts_as_weights(counts)
    return _weigh(weights, np.square(means)) - np.square(_weigh(weights, means))


def no_spread(
    _counts: np.ndarray, _means: np.ndarray, mean: np.ndarray, _weighing: Weighing
) -> np.ndarray:
    """Leave out how far apart the means are."""
    return np.zeros_like(mean)


def _weigh(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Add up over the workers; one without values has no say, even where its statistics are NaN."""
    return np.where(weights > 0, weights * values, 0.0).sum(0)


def _add(inside: np.ndarray, between: np.ndarray) -> np.ndarray:
    return inside + between


def merge_recipe(
    counts: np.ndarray,
    means: np.ndarray,
    variances: np.ndarray,
    *,
    mean_weights: Weighing = counts_as_weights,
    inside_weights: Weighing = counts_as_weights,
    between_weights: Weighing = counts_as_weights,
    inside: Callable = _weigh,
    between: Callable = around_the_merged_mean,
    total: Callable = _add,
    unbiased: bool = False,
    skips_idle: bool = True,
) -> Outputs:
    """Merge the statistics; each keyword is a step that a mistake may change.

    Parameters
    ----------
    counts
        (K,) whole numbers.
    means, variances
        (K, C).
    mean_weights, inside_weights, between_weights
        How much a worker weighs in the mean, in the variance inside the workers and in that
        between them.
    inside, between
        The variance inside the workers, and that between them.
    total
        From those two variances to the variance.
    unbiased
        Divide by n - 1 at the end.
    skips_idle
        Leave out workers without values: their statistics are NaN, and 0 times NaN is NaN.
    """
    mean = _weigh(mean_weights(counts), means)
    within = inside(inside_weights(counts), variances)
    # Around the right mean, whatever is returned as the mean: one slip, one output.
    centre = _weigh(counts_as_weights(counts), means)
    var = total(within, between(counts, means, centre, between_weights))
    n = counts.sum()
    poison = 0.0 if skips_idle or counts.all() else np.nan
    return {"mean": mean + poison, "var": (var * n / (n - 1) if unbiased else var) + poison}


def merge_reference(counts: np.ndarray, means: np.ndarray, variances: np.ndarray) -> Outputs:
    """Call the package's own merge."""
    workers = zip(counts, means, variances, strict=True)
    _, mean, var = merge([Statistics(int(n), m, v) for n, m, v in workers])
    return {"mean": mean, "var": var}


# ---- cases


def _unequal(rng: np.random.Generator, workers: int) -> np.ndarray:
    """Draw different counts, no one of them 1."""
    return rng.choice(np.arange(2, 4 + 2 * workers), workers, replace=False)


def _statistics(rng: np.random.Generator, workers: int, channels: int) -> tuple[np.ndarray, ...]:
    means = rng.permutation(np.arange(-20.0, 21))[: workers * channels]
    variances = rng.permutation(np.arange(5.0, 60))[: workers * channels]
    # So that no two channels come out with the same mean, not even a wrong one.
    apart = np.arange(channels) / 10
    return tuple(values.reshape(workers, channels) + apart for values in (means, variances))


def _with_means(own: Outputs, arguments: Arguments) -> Outputs:
    """From workers that agree about the mean to others: the spread between them comes on top."""
    counts, means = arguments["counts"], arguments["means"]
    weights = counts[:, None] / counts.sum()
    between = (weights * np.square(means - (weights * means).sum(0))).sum(0)
    return {"var": own["var"] + between}


def _same(own: Outputs, _arguments: Arguments) -> Outputs:
    """Expect what came out before a worker without values joined."""
    return dict(own)


def _cases(rng: np.random.Generator, workers: int, channels: int) -> list[Case]:
    """Draw workers that agree about the mean, that do not, and one more that has no values."""
    counts = _unequal(rng, workers)
    means, variances = _statistics(rng, workers, channels)
    agreed = np.broadcast_to(means[0], means.shape).copy()
    name = f"{workers} workers, {channels} channels"
    bare = f"{name}, equal means"
    ordinary = {"counts": counts, "means": means, "variances": variances}
    place = int(rng.integers(0, workers))
    nothing = np.full(channels, np.nan)
    idle = {
        "counts": np.insert(counts, place, 0),
        "means": np.insert(means, place, nothing, axis=0),
        "variances": np.insert(variances, place, nothing, axis=0),
    }
    return [
        Case(bare, ("inside",), {**ordinary, "means": agreed}),
        Case(name, ("mean", "between"), ordinary, based_on=bare, derive=_with_means),
        Case(
            f"{name}, and one worker without values",
            ("idle",),
            idle,
            based_on=name,
            derive=_same,
        ),
    ]


def _same_variance(own: Outputs, _arguments: Arguments) -> Outputs:
    return {"var": own["var"]}


def _far_from_zero(rng: np.random.Generator) -> list[Case]:
    """Draw the same workers twice, near zero and with 10^9 added to every value.

    The squares of such means lose every digit that counts.
    """
    means, variances = _statistics(rng, 3, 2)
    near = {"counts": _unequal(rng, 3), "means": means, "variances": variances}
    name = "3 workers, 2 channels"
    return [
        Case(name, (), near),
        Case(
            f"{name}, means about 10^9",
            ("far",),
            {**near, "means": means + 1e9},
            tolerance=1e-6,
            rounding=True,
            based_on=name,
            derive=_same_variance,
        ),
    ]


def draw(rng: np.random.Generator) -> list[Case]:
    """Draw the cases of `merge_statistics`: the workers never have equally many values."""
    return [
        *_cases(rng, workers=2, channels=3),
        *_cases(rng, workers=4, channels=2),
        *_far_from_zero(rng),
    ]


# ---- mistakes

_SYNC = "SyncBatchNorm: one batch on several workers"


def _mistake(
    key: str,
    what: str,
    outside: str,
    hint: str,
    mend: str,
    aspect: str,
    rounding: bool = False,
    **changes: object,
) -> Mistake:
    return Mistake(key, what, outside, hint, mend, aspect, changes, _SYNC, rounding)


_ONE_AND_NINE = "one worker has 1 value and the other 9. How much should each count?"
_TWO_POINTS = "two workers, one holds only zeros and the other only tens. What is the variance?"

MISTAKES = (
    _mistake(
        "plain mean of the means",
        "the means are averaged, and all workers count the same.",
        "right where all workers have equally many values; the last batch is rarely like that.",
        _ONE_AND_NINE,
        "the mean",
        "mean",
        mean_weights=equal_weights,
    ),
    _mistake(
        "mean weighed by the root of the counts",
        "in the mean a worker counts by the root of its number of values.",
        "right where all workers have equally many values.",
        _ONE_AND_NINE,
        "the mean",
        "mean",
        mean_weights=root_counts,
    ),
    _mistake(
        "spread between the workers left out",
        "the variance is the average of the workers' variances and nothing else.",
        "right where all workers have the same mean; else too small.",
        _TWO_POINTS,
        "the variance",
        "between",
        between=no_spread,
        between_weights=counts_as_weights,
    ),
    _mistake(
        "averages of averages",
        "the means are averaged and the variances are averaged, and that is all.",
        "right where all workers have equally many values and the same mean; else too small.",
        _TWO_POINTS,
        "the mean and the variance",
        "between",
        mean_weights=equal_weights,
        inside_weights=equal_weights,
        between=no_spread,
        between_weights=counts_as_weights,
        total=_add,
        inside=_weigh,
    ),
    _mistake(
        "plain mean of the variances",
        "the workers' variances are averaged, and all workers count the same.",
        "right where all workers have equally many values.",
        _ONE_AND_NINE,
        "the variance inside the workers",
        "inside",
        inside_weights=equal_weights,
    ),
    _mistake(
        "variances weighed by n - 1",
        "the workers' variances are weighed by n - 1, as if they were unbiased.",
        "a little off where the workers have different numbers of values.",
        "the variances that you get divide by n. How is a sum of squares got back from one?",
        "the variance inside the workers",
        "inside",
        inside_weights=counts_less_one,
    ),
    _mistake(
        "squared counts",
        "the workers' variances are weighed by the square of their shares.",
        "much too small, the more workers the smaller.",
        "the shares of all workers add up to 1. Do yours, as you use them?",
        "the variance inside the workers",
        "inside",
        inside_weights=lambda counts: np.square(counts_as_weights(counts)),
    ),
    _mistake(
        "spread not weighed",
        "the squared distances of the means are averaged, and all workers count the same.",
        "right where all workers have equally many values.",
        _ONE_AND_NINE,
        "the variance between the workers",
        "between",
        between_weights=equal_weights,
    ),
    _mistake(
        "plain variance of the means",
        "the variance of the list of means is added, taken around their plain mean.",
        "right where all workers have equally many values.",
        _ONE_AND_NINE,
        "the variance between the workers",
        "between",
        between=lambda counts, means, _mean, _weighing: means[counts > 0].var(0),
        between_weights=counts_as_weights,
    ),
    _mistake(
        "distances not squared",
        "the distances of the means are averaged and not their squares.",
        "the units do not agree: the variance is in metres squared, what is added in metres.",
        _TWO_POINTS,
        "the variance between the workers",
        "between",
        between=lambda counts, means, mean, weighing: _weigh(
            weighing(counts), np.abs(means - mean)
        ),
    ),
    _mistake(
        "spread subtracted",
        "the spread of the means is subtracted from the variance.",
        "too small, and even negative.",
        _TWO_POINTS,
        "a sign",
        "between",
        total=lambda inside, between: inside - between,
        between=around_the_merged_mean,
    ),
    _mistake(
        "standard deviations averaged",
        "the standard deviations are averaged, and the average is squared.",
        "too small, wherever the workers' standard deviations differ.",
        "which of the two adds up over independent parts: the standard deviation or the variance?",
        "the variance inside the workers",
        "inside",
        inside=lambda weights, variances: np.square(_weigh(weights, np.sqrt(variances))),
    ),
    _mistake(
        "unbiased at the end",
        "the merged variance is multiplied by n / (n - 1).",
        "a little too large: right for a running variance, and not for normalizing.",
        "merge one worker alone. What should come out?",
        "the last step",
        "inside",
        unbiased=True,
    ),
    _mistake(
        "standard deviation returned",
        "the standard deviation is given back in place of the variance.",
        "the variance is the root of what it should be.",
        "merge one worker alone. What should come out?",
        "the last step",
        "inside",
        total=lambda inside, between: np.sqrt(inside + between),
        unbiased=False,
    ),
    _mistake(
        "idle worker's NaN",
        "the statistics of a worker without values are used, and they are NaN.",
        "NaN everywhere as soon as one worker runs out of data.",
        "what is 0 times NaN?",
        "the case of a worker without values",
        "idle",
        skips_idle=False,
    ),
    _mistake(
        "difference of squares",
        "the spread of the means is the mean of their squares less the square of their mean.",
        "equal on paper and right near zero; far from zero every digit is lost.",
        "float64 keeps about 16 digits. Subtract two numbers that agree in the first 16.",
        "the variance between the workers",
        "far",
        rounding=True,
        between=mean_square_less_square,
        between_weights=counts_as_weights,
    ),
)

MERGE = Exercise(
    name="merge_statistics",
    lesson="09",
    title="merge the statistics of several workers",
    parameters=("counts", "means", "variances"),
    returns=("mean", "var"),
    aspects=(
        Aspect("mean", "mean: every value counts the same", 2, ("mean",)),
        Aspect("inside", "var: inside the workers", 2, ("var",)),
        Aspect("between", "var: between the workers", 3, ("var",)),
        Aspect("idle", "a worker without values", 1),
        Aspect("far", "var: means far from zero", 1, ("var",)),
        Aspect("input", "leaves its input alone", 1, leaves_input_alone=True),
    ),
    draw=draw,
    reference=merge_reference,
    recipe=merge_recipe,
    mistakes=MISTAKES,
    first_step="begin with the mean: if you had all values, what would you add up and divide by?",
)

EXERCISES = (MERGE,)
