"""Grade one submission after the other, each in a process of its own."""

from pathlib import Path
from types import TracebackType
from typing import Self

from normlab.exercises import all_exercises
from normlab.exercises.exercise import Exercise
from normlab.grading.isolation import Isolation, best_isolation
from normlab.grading.limits import Limits
from normlab.grading.verdict import Verdict


class Grader:
    """Grades submissions; a context manager, one for each worker process.

    Parameters
    ----------
    seed
        Of all cases; at least 0. The same seed draws the same cases, in every worker.
    limits
        What a submission may use.
    isolation
        Where its code runs; by default the best that works here.

    Raises
    ------
    NoIsolation
        Nothing works here, and no isolation was named.
    """

    def __init__(
        self, seed: int, limits: Limits | None = None, isolation: Isolation | None = None
    ) -> None:
        self.seed = seed
        self.limits = limits or Limits()
        self.isolation = isolation or best_isolation()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the warm processes."""

    def grade(self, path: Path, exercise: str) -> Verdict:
        """Grade one notebook file; whatever is in it, there is a verdict on every task.

        Parameters
        ----------
        path
            Of the file handed in; it need not exist.
        exercise
            The stem of the exercise notebook: "02_batch_norm_forward".

        Raises
        ------
        LookupError
            There is no exercise notebook of this stem. Nothing else is ever raised.
        """
        raise NotImplementedError


def tasks_of(exercise: str) -> list[Exercise]:
    """Return the tasks of an exercise notebook, in their order.

    Parameters
    ----------
    exercise
        Its stem; the two digits that it begins with decide.

    Raises
    ------
    LookupError
        No task belongs to it.
    """
    tasks = [task for task in all_exercises().values() if task.lesson == exercise[:2]]
    if not tasks:
        raise LookupError(f'There is no exercise notebook "{exercise[:60]}".')
    return tasks
