"""Lesson 1: scale two sets by the median and the quartiles of the first."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import distinct_values, shape_name


def robust_scale(train, test):
    results = []
    for x, source in ((train, train), (test, train)):
        centre = np.quantile(source, 0.5, axis=0)  # (D,), the median
        low, high = np.quantile(source, 0.25, axis=0), np.quantile(source, 0.75, axis=0)
        spread = high - low  # (D,)
        spread = np.where(spread == 0, 1, spread)
        results.append((x - centre) / spread)
    return results


def cases(rng: np.random.Generator) -> Cases:
    """Draw two pairs of sets; the test set lies elsewhere, and is wider."""
    yield from _three_sets(rng, (6, 2), 3)
    yield from _three_sets(rng, (9, 3), 4)


def _three_sets(rng: np.random.Generator, shape: tuple[int, int], tests: int) -> Cases:
    """Draw a training set with a test set, with one row alone, and with a column that stands still.

    What is expected of the test set is derived from what the learner did to the training set.
    """
    train = distinct_values(rng, shape) * rng.permutation(np.arange(1, shape[1] + 1))
    train = train + rng.choice(np.arange(20.0, 60), shape[1], replace=False)
    train[rng.integers(shape[0]), :] += 500  # somebody's typing error
    test = 2 * distinct_values(rng, (tests, shape[1])) + 100
    still, column = train.copy(), int(rng.integers(shape[1]))
    still[np.argsort(train[:, column])[1:-1], column] = train[:, column].min() + 1
    constant = still.copy()
    constant[:, column] = 7.0
    name = f"train {shape_name(shape)}, test {shape_name(test.shape)}"
    for what, aspects, changed in (
        ("", ("train",), {}),
        (": the test set", ("test",), {}),
        (": one test row alone", ("test",), {"test": test[:1]}),
        (f", column {column} nearly always the same", ("still",), {"train": still}),
        (f", column {column} constant", ("still",), {"train": constant}),
    ):
        own = (name, _as_training) if what else ()
        yield Case(name + what, aspects, {"train": train, "test": test} | changed, *own)


def _as_training(own: Outputs, arguments: Arguments) -> Outputs:
    """From what the learner did to each column of the training set to what follows from it.

    The column is multiplied and shifted: both numbers are read off. One that stands still is only
    centred, whatever the others are.
    """
    right = dict(zip(arguments, robust_scale(**arguments), strict=True))
    for c in range(right["train"].shape[1]):
        before, after = arguments["train"][:, c], own["train"][:, c]
        if np.ptp(np.sort(before)[1:-1]) == 0:
            continue
        least, most = before.argmin(), before.argmax()
        factor = (after[most] - after[least]) / (before[most] - before[least])
        shift = after[least] - factor * before[least]
        for name, rows in arguments.items():
            right[name][:, c] = factor * rows[:, c] + shift
    return right
