"""Is a difference between two networks more than chance? Exact answers for a few paired runs."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

Name = TypeVar("Name")


def sign_flip_p(differences: np.ndarray) -> float:
    """Return how often chance alone would give a mean difference at least as far from 0.

    If two networks did not differ, each difference between their paired runs could as well have
    come out with the other sign. So all patterns of signs are tried, and those counted whose mean
    is at least as far from 0 as the one found.

    Parameters
    ----------
    differences
        ``(seeds,)``, one network's number minus the other's, seed by seed.

    Returns
    -------
    float
        The two-sided p-value; the smallest possible is 2 / 2**seeds.

    Raises
    ------
    ValueError
        If there are no differences, one is not a number, or there are more than 20.

    Notes
    -----
    Fisher's randomization test for paired observations (*The Design of Experiments*, 1935,
    section 21). It assumes that under "no difference" each difference is distributed
    symmetrically around 0; no normal distribution is assumed.
    """
    differences = _checked(differences)
    means = _all_signs(len(differences)) @ differences / len(differences)  # (2**seeds,)
    found = abs(differences.mean())
    # Signs that give the same mean must count as such although their sums are rounded otherwise.
    slack = 1e-12 * np.abs(differences).max()
    return float((np.abs(means) >= found - slack).mean())


def sign_flip_interval(differences: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of true differences that `sign_flip_p` would not reject.

    Parameters
    ----------
    differences
        ``(seeds,)``.
    level
        How often such an interval covers the true difference; 1 minus the threshold of the test.

    Returns
    -------
    tuple of float
        Lower and upper end. 0 lies outside exactly where ``sign_flip_p`` is below ``1 - level``;
        infinite where there are too few seeds for this level.
    """
    differences = _checked(differences)
    signs = _all_signs(len(differences))  # (2**seeds, seeds)
    # Shifted by d, a pattern's mean is at least as extreme as the one found where d lies on the
    # far side of the mean of the differences that the pattern flips: their means decide.
    flipped = (1 - signs) / 2  # (2**seeds, seeds), 1 where the sign is turned
    counts = flipped.sum(1)
    means = np.sort((flipped @ differences)[counts > 0] / counts[counts > 0])  # (2**seeds - 1,)
    # So many patterns may be as extreme as the one found, itself included, before p >= 1 - level.
    rank = int(np.ceil((1 - level) * 2 ** len(differences) / 2 - 1e-9))
    if rank <= 1 and 2 / 2 ** len(differences) >= 1 - level:
        return -np.inf, np.inf
    return float(means[rank - 2]), float(means[-(rank - 1)])


def holm(p_values: Mapping[Name, float]) -> dict[Name, float]:
    """Correct p-values for having made several comparisons.

    With twenty comparisons of networks that do not differ, one is expected to fall below 0.05.
    The smallest p-value is multiplied by their number, the next by one less, and so on.

    Parameters
    ----------
    p_values
        For each comparison its p-value.

    Returns
    -------
    dict
        The corrected values, at most 1, in the same order. Calling those below 0.05 differences
        errs, with a chance of at most 5 %, in one or more of them.

    Notes
    -----
    S. Holm, *A Simple Sequentially Rejective Multiple Test Procedure*, Scandinavian Journal of
    Statistics 6, 1979.
    """
    corrected: dict[Name, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p_values, key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[name]))
        corrected[name] = largest
    return {name: corrected[name] for name in p_values}


def _checked(differences: np.ndarray) -> np.ndarray:
    differences = np.asarray(differences, dtype=float)
    if differences.ndim != 1 or not 1 <= len(differences) <= 20:
        raise ValueError(f"Give 1 to 20 differences, not an array of shape {differences.shape}.")
    if not np.isfinite(differences).all():
        raise ValueError("A difference is not a finite number.")
    return differences


def _all_signs(count: int) -> np.ndarray:
    """Return every pattern of signs, ``(2**count, count)``."""
    bits = np.arange(2**count)[:, None] >> np.arange(count) & 1  # (2**count, count)
    return 1.0 - 2.0 * bits
