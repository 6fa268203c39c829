"""Grade one submission after the other, each in a process of its own."""

import os
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from normlab.exercises.finding import tasks_of
from normlab.files import read_ordinary
from normlab.grading.judge.attempts import Drawn
from normlab.grading.judge.feedback import refused
from normlab.grading.judge.run import GraderFailed, Run
from normlab.grading.judge.verdict import Status, Verdict
from normlab.grading.prison.isolation import Isolation, NoIsolation, Site, first_site
from normlab.grading.prison.limits import MEBIBYTE, Limits, too_large


class Grader(AbstractContextManager):
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
        self._asked_for = isolation
        first = first_site(self.limits, isolation)
        self.isolation = first.isolation
        self._sites: dict[bool, Site] = {False: first}  # by whether torch is there
        self._drawn: dict[str, Drawn] = {}

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the warm processes."""
        for site in self._sites.values():
            site.close()
        self._sites.clear()

    def grade(self, path: str | os.PathLike[str], exercise: str) -> Verdict:
        """Grade one notebook file, which need not exist; it raises what `grade_content` does."""
        most = self.limits.notebook_size
        try:
            content = read_ordinary(Path(path), most + 1)
            size = os.stat(path).st_size
        except FileNotFoundError:
            return refused(exercise, Status.MISSING, "Nothing was handed in.")
        except (OSError, ValueError) as problem:
            why = getattr(problem, "strerror", "") or str(problem)
            return refused(exercise, Status.UNREADABLE, f"The file cannot be read: {why}.")
        if len(content) > most:
            why = too_large(f"The file has {size / MEBIBYTE:.0f}", most)
            return refused(exercise, Status.UNREADABLE, why)
        return self.grade_content(content, exercise)

    def grade_content(self, content: bytes, exercise: str) -> Verdict:
        """Grade what is in a notebook file; whatever it is, there is a verdict on every task.

        Raises
        ------
        LookupError
            There is no exercise notebook of this stem, such as "02_batch_norm_forward".
        GraderFailed
            The grader failed, twice, the second time in a fresh sandbox: it is nobody's verdict.
        NoIsolation
            The submission's code cannot be kept in its place any more.
        """
        tasks = []
        for task in tasks_of(exercise):
            if task.name not in self._drawn:
                self._drawn[task.name] = Drawn(task, self.seed)
            tasks.append(self._drawn[task.name])
        if len(content) > self.limits.notebook_size:
            most = self.limits.notebook_size
            why = too_large(f"The file has more than {most / MEBIBYTE:.0f}", most)
            return refused(exercise, Status.UNREADABLE, why)
        try:
            return self._try(content, exercise, tasks)
        except GraderFailed:
            return self._try(content, exercise, tasks)

    def _try(self, content: bytes, exercise: str, tasks: Sequence[Drawn]) -> Verdict:
        wall, cpu = time.monotonic(), time.process_time()
        try:
            torch = any("torch" not in task.exercise.forbidden for task in tasks)
            if torch not in self._sites:
                self._sites[torch] = Site(torch, self.limits, self._asked_for)
            run = Run(self._sites[torch], self.limits, content, tasks)
            verdicts = run.verdicts()
        except NoIsolation:
            raise
        except Exception as problem:
            for site in self._sites.values():
                site.stop()  # the next sandbox is a fresh one
            why = str(problem) if isinstance(problem, GraderFailed) else repr(problem)
            raise GraderFailed(why) from problem
        return Verdict(
            exercise,
            tuple(verdicts),
            run.message(),
            cpu_seconds=time.process_time() - cpu + run.learner_seconds + run.warm_seconds,
            learner_cpu_seconds=run.learner_seconds,
            wall_seconds=time.monotonic() - wall,
        )
