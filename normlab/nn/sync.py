"""SyncBatchNorm's rule: how workers that each hold a part of a batch agree on its statistics.

The variance of a batch is not the mean of its parts' variances: how far apart the parts'
means are counts too, and a part counts for as many values as it has.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from normlab.nn import functional as F  # noqa: N812 - its name everywhere in PyTorch


class Statistics(NamedTuple):
    """The statistics of a batch, or of a part of it, for each channel.

    `count` is the number of values per channel; `mean` and `var` (biased) are (C,).
    """

    count: int  # type: ignore[assignment]  # in place of tuple.count
    mean: np.ndarray
    var: np.ndarray


class StatisticsGradients(NamedTuple):
    """The gradients of a loss with respect to `mean` (C,) and `var` (C,)."""

    mean: np.ndarray
    var: np.ndarray


def local_statistics(input: np.ndarray) -> Statistics:
    """Return the statistics (C,) of one worker's part (N, C, *) of the batch.

    They are over every axis but the channels, as in batch norm (Ioffe & Szegedy, 2015,
    algorithm 1); NaN for a part without values. An input without channels is an IndexError.
    """
    axes = (0, *range(2, input.ndim))
    _, mean, var, *_ = F.standardize(input, axes, 0.0)
    assert mean is not None  # only RMS norm has none
    count = input.size // max(1, input.shape[1])
    return Statistics(count, mean.squeeze(axes), var.squeeze(axes))


def merge_statistics(parts: Sequence[Statistics]) -> Statistics:
    """Merge the workers' statistics into those of the whole batch.

    The mean is the mean of the parts' means, weighted by their counts. The variance is the
    mean of their variances *plus* the variance of their means, weighted alike.

    Parameters
    ----------
    parts : the statistics (C,) of each worker; those without values are left out

    Returns
    -------
    Statistics
        Equal to `local_statistics` of the concatenated batch.

    Raises
    ------
    ValueError
        No worker has any values.

    References
    ----------
    Chan, Golub & LeVeque, 1979, "Updating Formulae and a Pairwise Algorithm for Computing
    Sample Variances"; `torch.nn.SyncBatchNorm`.
    """
    parts = [part for part in parts if part.count > 0]
    if not parts:
        raise ValueError("there is nothing to merge: every worker's part of the batch is empty")
    count = sum(part.count for part in parts)
    mean = _total([part.count * part.mean for part in parts]) / count
    spread = [part.var + np.square(part.mean - mean) for part in parts]  # around the merged mean
    around = zip(parts, spread, strict=True)
    var = _total([part.count * square for part, square in around]) / count
    return Statistics(count, mean, var)


def merge_statistics_backward(
    grad: StatisticsGradients, parts: Sequence[Statistics]
) -> list[StatisticsGradients]:
    """Carry the gradients of the merged mean (C,) and variance (C,) back to each worker's.

    `parts` is what was merged, and the errors are those of `merge_statistics` (Chan, Golub &
    LeVeque, 1979). A part without values has gradients of 0.
    """
    merged = merge_statistics(parts)
    gradients = []
    for part in parts:
        share = part.count / merged.count
        off_centre = part.mean - merged.mean if part.count else np.zeros_like(merged.mean)
        grad_mean = share * (grad.mean + 2 * off_centre * grad.var)
        gradients.append(StatisticsGradients(grad_mean, share * grad.var))
    return gradients


def statistics_gradients(
    grad_output: np.ndarray,
    input: np.ndarray,
    merged: Statistics,
    weight: np.ndarray | None = None,
    eps: float = 1e-5,
) -> StatisticsGradients:
    """Return what one worker's values add to the gradients (C,) of the merged statistics.

    The workers sum theirs, in an all-reduce, before `merge_statistics_backward`.

    Parameters
    ----------
    grad_output, input : (N, C, *), this worker's part
    merged : the statistics (C,) that the output was standardized by
    weight : (C,) or None

    Raises
    ------
    ValueError
        The shapes do not fit.

    References
    ----------
    Ioffe & Szegedy, 2015, section 3.
    """
    per_channel = (-1, *[1] * (input.ndim - 2))
    inv_std = 1 / np.sqrt(merged.var + eps)
    scale = inv_std if weight is None else inv_std * weight
    others = (0, *range(2, input.ndim))
    deviations = input - merged.mean.reshape(per_channel)
    grad_mean = -scale * grad_output.sum(axis=others)
    grad_var = -scale * inv_std**2 * (grad_output * deviations).sum(axis=others) / 2
    return StatisticsGradients(grad_mean, grad_var)


def worker_backward(
    grad_output: np.ndarray,
    input: np.ndarray,
    part: Statistics,
    grad_part: StatisticsGradients,
    merged: Statistics,
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    eps: float = 1e-5,
) -> F.Gradients:
    """Return one worker's gradients, once those of its statistics are known.

    Two roads lead to the input: past the statistics, as when they are constants, and through
    this worker's own mean and variance. The gradients of weight and bias are the worker's
    share, which the workers add up as they do those of every other parameter.

    Parameters
    ----------
    grad_output, input : (N, C, *), this worker's part
    part, grad_part : its statistics (C,), and their gradients by `merge_statistics_backward`
    merged : the statistics (C,) that the output was standardized by
    weight, bias : (C,) or None

    Raises
    ------
    ValueError, RuntimeError, NotImplementedError
        As `functional.batch_norm_backward`.

    References
    ----------
    Ioffe & Szegedy, 2015, section 3; `torch.nn.SyncBatchNorm`.
    """
    past = F.batch_norm_backward(grad_output, input, merged.mean, merged.var, weight, bias, eps=eps)
    if part.count == 0:
        return past
    per_channel = (-1, *[1] * (input.ndim - 2))
    mean, grad_mean, grad_var = (
        array.reshape(per_channel) for array in (part.mean, grad_part.mean, grad_part.var)
    )
    through = (grad_mean + 2 * (input - mean) * grad_var) / part.count
    return past._replace(input=past.input + through)


def sync_batch_norm(
    inputs: Sequence[np.ndarray],
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    eps: float = 1e-5,
) -> list[np.ndarray]:
    """Normalize the parts of a batch that several workers hold as the one batch that they are.

    All workers are played in one process here; `tests/nn/test_sync.py` has real ones.

    Parameters
    ----------
    inputs : (N_i, C, *) for each worker; the N_i may differ
    weight, bias : (C,) or None

    Returns
    -------
    list of numpy.ndarray
        (N_i, C, *) for each worker: together, batch norm of the concatenated batch.

    Raises
    ------
    ValueError, RuntimeError, NotImplementedError
        As `merge_statistics` and `functional.batch_norm`.

    References
    ----------
    `torch.nn.SyncBatchNorm`.
    """
    merged = merge_statistics([local_statistics(input) for input in inputs])
    return [F.batch_norm(input, merged.mean, merged.var, weight, bias, eps=eps) for input in inputs]


def sync_batch_norm_backward(
    grad_outputs: Sequence[np.ndarray],
    inputs: Sequence[np.ndarray],
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    eps: float = 1e-5,
) -> list[F.Gradients]:
    """Return the gradients of `sync_batch_norm` for each worker, as `worker_backward` does.

    `grad_outputs` (N_i, C, *) are the gradients of the outputs; the other arguments and the
    errors are those of `sync_batch_norm` (`torch.nn.SyncBatchNorm`).
    """
    parts = [local_statistics(input) for input in inputs]
    merged = merge_statistics(parts)
    pairs = list(zip(grad_outputs, inputs, strict=True))
    contributions = [statistics_gradients(g, x, merged, weight, eps) for g, x in pairs]
    grad = StatisticsGradients(*map(_total, zip(*contributions, strict=True)))
    return [
        worker_backward(g, x, part, grad_part, merged, weight, bias, eps)
        for (g, x), part, grad_part in zip(
            pairs, parts, merge_statistics_backward(grad, parts), strict=True
        )
    ]


def _total(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Add arrays of one shape."""
    return functools.reduce(np.add, arrays)
