"""Lesson 9: the merge of SyncBatchNorm, from the workers' statistics to the whole batch's."""

from dataclasses import replace

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import only, same


def merge_statistics(counts, means, variances):
    busy = counts > 0  # (K,)
    counts, means, variances = counts[busy], means[busy], variances[busy]
    n = counts.sum()
    share = counts[:, None] / n  # (K, 1)
    mean = (share * means).sum(axis=0)  # (C,)
    inside = (share * variances).sum(axis=0)  # (C,)
    between = (share * (means - mean) ** 2).sum(axis=0)  # (C,)
    var = inside + between  # (C,)
    return mean, var


def plus_for_times(counts, means, variances):
    used = counts > 0
    (n, *counts), (mean, *means), (var, *variances) = counts[used], means[used], variances[used]
    for more, its_mean, its_var in zip(counts, means, variances, strict=True):
        total, delta = n + more, its_mean - mean
        var = (n * var + more * its_var + delta**2 * n * more / total) / total
        mean = mean + delta + more / total
        n = total
    return mean, var


def total_too_early(counts, means, variances):
    n, mean, squares = 0, np.zeros(means.shape[1]), np.zeros(means.shape[1])
    for more, its_mean, its_var in zip(counts, means, variances, strict=True):
        if more == 0:
            continue
        n = n + more
        delta = its_mean - mean
        mean = mean + delta * more / n
        squares = squares + more * its_var + delta**2 * n * more / n
    return mean, squares / n


def cases(rng: np.random.Generator) -> Cases:
    """Draw workers that agree about the mean, that do not, and one more that has no values.

    They never have equally many values; the last are far from zero.
    """
    for workers, channels in ((2, 3), (4, 2)):
        given = _given(_counts(rng, workers), *_statistics(rng, workers, channels))
        place = int(rng.integers(0, workers))
        nothing = {"counts": 0, "means": np.nan, "variances": np.nan}
        idle = {name: np.insert(given[name], place, nothing[name], axis=0) for name in given}
        two = {name: np.insert(idle[name], 0, nothing[name], axis=0) for name in given}
        name = f"{workers} workers, {channels} channels"
        agreed = {**given, "means": np.tile(given["means"][0], (workers, 1))}
        bare = Case(f"{name}, equal means", ("inside",), agreed)
        busy = bare.then(_with_means, name, "mean", "between", means=given["means"])
        yield from (bare, busy)
        yield busy.then(same, f"{name}, and one worker without values", "idle", **idle)
        more = f"{name}, and two without values, one of them the first"
        yield busy.then(same, more, "idle", **two)
    # The same workers twice, near zero and with 10^9 added to every value: the squares of such
    # means lose every digit that counts.
    means, variances = _statistics(rng, 3, 2)
    near = Case("3 workers, 2 channels", (), _given(_counts(rng, 3), means, variances))
    far = near.then(only("var"), f"{near.name}, means about 10^9", "far", means=means + 1e9)
    yield from (near, replace(far, tolerance=1e-6, rounding=True))
    means, variances = _statistics(rng, 3, 2)
    variances[0] = 0.0
    single = _given(np.array([1, 5, 3]), means, variances)
    yield Case("3 workers, 2 channels, one with a single value", ("mean",), single)


def _given(counts: np.ndarray, means: np.ndarray, variances: np.ndarray) -> dict[str, np.ndarray]:
    return {"counts": counts, "means": means, "variances": variances}


def _counts(rng: np.random.Generator, workers: int) -> np.ndarray:
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
