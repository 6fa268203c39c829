"""Grade submissions: the verdict is made where the learner's code never runs.

A NumPy task is judged by its numbers alone, which nobody can forge who cannot compute them. A torch
task is put to use by a script that runs beside the learner's program and brings back what it saw,
in numbers as well: weights, buffers, answers to the grader's own rows. What they mean is said here,
by a network that the grader fills with the same numbers. The little that numbers do not show (that
no gradient was recorded, how large a batch was) is a witness's word in the learner's own process:
the files in `normlab.tasks` say of each task what that is.

``Grader``
    Grades one notebook after the other, each in a process of its own.
``Verdict``, ``TaskVerdict``, ``AspectVerdict``, ``Status``
    What it says about them.
``best_isolation()``, ``no_isolation()``, ``NoIsolation``
    Where the learner's code runs.
``Limits``
    How much of everything it may use.
"""

from normlab.grading.grader import Grader, tasks_of
from normlab.grading.isolation import Isolation, NoIsolation, best_isolation, no_isolation
from normlab.grading.limits import Limits
from normlab.grading.verdict import AspectVerdict, Status, TaskVerdict, Verdict

__all__ = [
    "AspectVerdict",
    "Grader",
    "Isolation",
    "Limits",
    "NoIsolation",
    "Status",
    "TaskVerdict",
    "Verdict",
    "best_isolation",
    "no_isolation",
    "tasks_of",
]
