"""Grade submissions: the verdict is made where the learner's code never runs.

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
