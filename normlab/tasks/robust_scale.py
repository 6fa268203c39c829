"""Lesson 1: scale two sets by the median and the quartiles of the first."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import distinct_values, multiplied_and_shifted


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
    """Draw a training set with a test set, with one row alone, and with a column that stands still.

    The test set lies elsewhere, and is wider. What is expected of it is derived from what the
    learner did to the training set.
    """
    for shape, tests in (((6, 2), 3), ((9, 3), 4)):
        train = distinct_values(rng, shape) * rng.permutation(np.arange(1, shape[1] + 1))
        train = train + rng.choice(np.arange(20.0, 60), shape[1], replace=False)
        train[rng.integers(shape[0]), :] += 500  # somebody's typing error
        test = 2 * distinct_values(rng, (tests, shape[1])) + 100
        still, column = train.copy(), int(rng.integers(shape[1]))
        still[np.argsort(train[:, column])[1:-1], column] = train[:, column].min() + 1
        constant = still.copy()
        constant[:, column] = 7.0
        name = f"train {shape}, test {test.shape}"
        both = Case(name, ("train",), {"train": train, "test": test})
        yield from (both, both.then(_as_training, f"{name}: the test set", "test"))
        yield both.then(_as_training, f"{name}: one test row alone", "test", test=test[:1])
        name = f"{name}, column {column}"
        yield both.then(_as_training, f"{name} nearly always the same", "still", train=still)
        yield both.then(_as_training, f"{name} constant", "still", train=constant)


def _as_training(own: Outputs, arguments: Arguments) -> Outputs:
    """From what the learner did to each column of the training set to what follows from it.

    The column is multiplied and shifted: both numbers are read off. One that stands still is only
    centred, whatever the others are.
    """
    train = arguments["train"]
    factor, shift = multiplied_and_shifted(train, own["train"])
    moves = np.ptp(np.sort(train, axis=0)[1:-1], axis=0) > 0  # (D,)
    right = zip(arguments.items(), robust_scale(**arguments), strict=True)
    return {name: np.where(moves, factor * x + shift, still) for (name, x), still in right}
