"""What a training run leaves behind: a list of measurements."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Point:
    """One measurement, taken between two training steps.

    Attributes
    ----------
    step
        How many optimizer steps were done before it.
    epoch
        The same in passes over the training set; 0.5 is half a pass.
    train_loss
        Mean cross-entropy, in nats, of the batches since the point before, as the network saw
        them: in training mode, each before its own step.
    test_loss, test_accuracy
        Mean cross-entropy and share of right answers on the test set, in evaluation mode.
    seconds
        Time spent in training steps since the start; measuring is not counted.
    """

    step: int
    epoch: float
    train_loss: float
    test_loss: float
    test_accuracy: float
    seconds: float


def stack(runs: "Sequence[History]", name: str) -> np.ndarray:
    """Return one attribute of the points of several runs, as far as all of them got.

    Parameters
    ----------
    runs
        Runs that were measured at the same steps.
    name
        An attribute of `Point`, such as ``"test_accuracy"``.

    Returns
    -------
    numpy.ndarray
        ``(runs, points)``.
    """
    points = min(len(run.points) for run in runs)
    return np.array([run.series(name)[:points] for run in runs])


@dataclass
class History:
    """The measurements of one run, in order, and what was run.

    Attributes
    ----------
    seed
        The seed of the batches (and, in `fit_many`, of the weights).
    points
        The measurements; the last one is the end of the run.
    interrupted
        True if the run was stopped before its end; the points until then are valid.
    """

    seed: int = 0
    points: list[Point] = field(default_factory=list)
    interrupted: bool = False

    def series(self, name: str) -> np.ndarray:
        """Return one attribute of all points, such as ``"test_accuracy"``, shape ``(points,)``."""
        return np.array([getattr(point, name) for point in self.points])

    def steps_to(self, accuracy: float) -> int | None:
        """Return the step of the first point with at least this test accuracy; None if none has.

        Parameters
        ----------
        accuracy
            A share, 0 to 1: 0.95 for 95 %.
        """
        reached = (point.step for point in self.points if point.test_accuracy >= accuracy)
        return next(reached, None)

    @property
    def final(self) -> Point:
        """The last measurement.

        Raises
        ------
        ValueError
            If the run was stopped before its first measurement.
        """
        if not self.points:
            raise ValueError("This run was stopped before its first measurement.")
        return self.points[-1]
