"""Grade submissions: the verdict is made where the learner's code never runs.

Three rooms: `judge` (what a submission is worth), `prison` (where its code runs) and `class_`
(many of them). `class_` knows both, `judge` knows `prison`, and `prison` neither.

Who runs where, and who trusts whom, from the command inwards:

1. The command (`normlab.cli.grade`) finds the files, keeps the gradebook, and reads no notebook.
2. A grading process (`class_.pool`, `judge.grader`) holds the answers and judges. It takes what
   comes from below for numbers of a stranger: plain data (`prison.wire`), of a size, in time, under
   a limit.
3. The warm process (`prison.sandbox.warm`) has imported NumPy or torch, and has no answers. It sees
   no files but Python's, never runs foreign code, and trusts only the grading process.
4. A submission's process (`prison.sandbox.child`) is its child, one for each submission, in Linux
   namespaces of its own (users, processes, mounts, network), with an empty folder in memory,
   limits, and the system calls of a list. The notebook can do there as it likes, and nobody
   believes it. It shares nothing with the next one; what it leaves is gone with it.

Each ends with the one above it. A failure is the submission's only where there is evidence: its
cells or its functions were running. Else it is the grader's, is tried again in a fresh sandbox,
and is listed, not stored.

A NumPy task is judged by its numbers alone, which nobody can forge who cannot compute them. A torch
task is put to use by a script that runs beside the learner's program and brings back what it saw,
in numbers as well: weights, buffers, answers to the grader's own rows. What they mean is said here,
by a network that the grader fills with the same numbers. The little that numbers do not show (that
no gradient was recorded, how large a batch was) is a witness's word in the learner's own process:
the files in `normlab.tasks` say of each task what that is.

``Grader``
    Grades one notebook after the other, each in a process of its own.
``GraderFailed``
    It failed, and it is nobody's verdict.
``Verdict``, ``TaskVerdict``, ``AspectVerdict``, ``Status``
    What it says about them.
``best_isolation()``, ``no_isolation()``, ``NoIsolation``
    Where the learner's code runs.
``Limits``
    How much of everything it may use.
"""

from normlab.exercises.finding import tasks_of
from normlab.grading.judge.grader import Grader
from normlab.grading.judge.run import GraderFailed
from normlab.grading.judge.verdict import AspectVerdict, Status, TaskVerdict, Verdict
from normlab.grading.prison.isolation import Isolation, NoIsolation, best_isolation, no_isolation
from normlab.grading.prison.limits import Limits

__all__ = [
    "AspectVerdict",
    "Grader",
    "GraderFailed",
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
