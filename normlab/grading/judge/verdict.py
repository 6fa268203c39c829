"""What the grader says about a submission: plain data that goes to a database and to people."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How it came to a task's score."""

    #: The learner's function was called and judged.
    GRADED = "graded"
    #: It could not be judged: it is no function, or it took its process with it.
    FAILED = "failed"
    #: The time was up before an answer was there.
    TIMEOUT = "timeout"
    #: It asked for more memory than it may have.
    MEMORY = "memory"
    #: It tried something that a submission may not do.
    FORBIDDEN = "forbidden"
    #: The file could not be read as a notebook.
    UNREADABLE = "unreadable"
    #: Nothing was handed in for it: no file, no such name in it, or the stub as it was.
    MISSING = "missing"


@dataclass(frozen=True)
class AspectVerdict:
    """One aspect of a task.

    Parameters
    ----------
    name
        Its title, as the learner knows it from the check.
    points, max_points
        What was earned, and what could be.
    passed
        Whether all points were earned.
    message
        What the learner may read about it: the named mistake, a hint, the failing case.
    """

    name: str
    points: float
    max_points: float
    passed: bool
    message: str = ""


@dataclass(frozen=True)
class TaskVerdict:
    """One task of an exercise notebook.

    Parameters
    ----------
    task
        The task's name: "batch_norm_forward".
    score, max_score
        The sum over the aspects.
    status
        How it came to the score. A score of 0 with another status than ``graded`` is a failure to
        judge, and no judgement.
    mistake
        The key of the named mistake, joined by " + " where there are two; or "".
    aspects
        In their order.
    feedback
        What concerns the task as a whole, in plain text for the learner.
    """

    task: str
    score: float
    max_score: float
    status: Status
    mistake: str = ""
    aspects: tuple[AspectVerdict, ...] = ()
    feedback: str = ""


@dataclass(frozen=True)
class Verdict:
    """One submission of one exercise notebook.

    Parameters
    ----------
    exercise
        The notebook's stem: "02_batch_norm_forward".
    tasks
        One for each task of the notebook, in its order, whatever was handed in.
    message
        What concerns the submission as a whole; "" where there is nothing to say.
    cpu_seconds
        Processor time of the whole grading of this submission, the learner's included.
    learner_cpu_seconds
        Processor time of the process in which the learner's code ran.
    wall_seconds
        From the first byte read to the verdict.
    """

    exercise: str
    tasks: tuple[TaskVerdict, ...]
    message: str = ""
    cpu_seconds: float = 0.0
    learner_cpu_seconds: float = 0.0
    wall_seconds: float = 0.0

    @property
    def score(self) -> float:
        """The sum over the tasks."""
        return sum(task.score for task in self.tasks)

    @property
    def max_score(self) -> float:
        """What could be reached."""
        return sum(task.max_score for task in self.tasks)

    def to_json(self) -> str:
        """Write the verdict as JSON; `from_json` reads it back."""
        return json.dumps(self, default=vars, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Verdict":
        """Read what `to_json` wrote.

        Raises
        ------
        ValueError
            The text is no JSON, or no verdict.
        """
        try:
            data = json.loads(text)
            return cls(**{**data, "tasks": tuple(_task(task) for task in data["tasks"])})
        except (TypeError, KeyError) as problem:
            raise ValueError(f"This is not a verdict: {problem}") from problem


def _task(data: dict[str, Any]) -> TaskVerdict:
    aspects = tuple(AspectVerdict(**aspect) for aspect in data["aspects"])
    return TaskVerdict(**{**data, "status": Status(data["status"]), "aspects": aspects})
