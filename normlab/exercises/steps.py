"""Find a known mistake in one step of an answer whose earlier steps have a slip that nobody knows.

Where a case follows from another, ``derive`` makes the step on the learner's own numbers. A mistake
in that step is often the right step with other arguments: with weight 1, without a bias, with both
exchanged. Such arguments give, of the right numbers, what the mistake gives; and then, of the
learner's own numbers, what the learner's function gives.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from normlab.exercises.judgement import same
from normlab.tasks.case import Arguments, Case, Outputs

_CLOSE = 1e-9


def is_in_the_step(
    case: Case,
    own: Mapping[str, Outputs],
    right: Mapping[str, Outputs],
    wrong: Outputs,
) -> bool:
    """Whether the learner's step to a case is the one that a mistake makes.

    `own` and `right` hold the learner's outputs and the right ones, by the names of the cases, in
    this case and in that which it is based on; `wrong` is what the mistake gives in this case.
    """
    base = case.based_on
    if case.derive is None:
        return False
    for arguments in _otherwise(case.arguments):
        with np.errstate(all="ignore"):
            try:
                as_wrong = case.derive(right[base], arguments)
                as_own = case.derive(own[base], arguments)
            except Exception:  # arguments that no caller would give
                continue
        if not (as_wrong and as_own):  # nothing follows, and nothing agrees with everything
            continue
        if _agree(as_wrong, wrong) and _agree(as_own, own[case.name]):
            return not _agree(as_wrong, right[case.name])
    return False


def _agree(some: Outputs, others: Outputs) -> bool:
    return same(others, some, _CLOSE) and all(np.isfinite(one).all() for one in some.values())


def _otherwise(arguments: Arguments) -> Iterator[dict[str, Any]]:
    """Yield arguments as a mistake in the step would take them."""
    numbers = {
        name: np.asarray(value, np.float64)
        for name, value in arguments.items()
        if isinstance(value, float | np.ndarray) and np.size(value)
    }
    for name, value in numbers.items():
        for taken in (np.ones_like(value), np.zeros_like(value), -value, value**2, 1 - value):
            yield {**arguments, name: taken}
    for one, other in combinations(numbers, 2):
        if numbers[one].shape == numbers[other].shape:
            yield {**arguments, one: numbers[other], other: numbers[one]}
            yield {**arguments, one: np.ones_like(numbers[one]), other: np.zeros_like(numbers[one])}
            yield {**arguments, other: numbers[one] * numbers[other]}
