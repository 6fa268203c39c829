"""Grade many submissions: in a pool of processes on this machine, or on a Dask cluster.

Both are a `concurrent.futures.Executor`. What runs there is `grade_one`; it holds no state that
matters: when a process dies, what it had is graded again, each by itself.
"""

import collections
import math
import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING

from normlab import system
from normlab.grading.class_ import ClassError
from normlab.grading.class_.gradebook import Terms
from normlab.grading.class_.submissions import Submission, digest_of
from normlab.grading.judge import made_with
from normlab.grading.judge.feedback import refused
from normlab.grading.judge.grader import Grader
from normlab.grading.judge.verdict import Status, Verdict
from normlab.grading.prison.isolation import Isolation, NoIsolation
from normlab.grading.prison.limits import GRADER_MEMORY, Limits

if TYPE_CHECKING:
    from distributed import Client

# A process costs as much to start as so many submissions.
_WORTH_A_PROCESS = 10
# The grader keeps its own limits. This many seconds on top of them, and it is taken for dead.
_PATIENCE = 60.0
_LOOK_AGAIN = 0.5  # seconds
_TASKS_A_PROCESS = 2  # so that none waits for the next


@dataclass(frozen=True)
class Settings:
    """What every grading process is told."""

    seed: int  # of all cases
    timeout: float = Limits().seconds  # the wall time of one submission
    isolation: Isolation | None = None  # None leaves it to each machine
    #: Of the normlab that gives the orders: no other may carry them out.
    version: str = field(default_factory=made_with.everything)

    @property
    def terms(self) -> Terms:
        """What the verdicts depend on."""
        return Terms(self.seed, made_with.engine(), self.timeout)


@dataclass(frozen=True)
class Graded:
    """A submission with its verdict, or with what kept the grader from one."""

    submission: Submission  # with the digest of the very bytes that were graded
    verdict: Verdict  # of no use where the grader failed
    isolation: str = ""  # what kept the code in its place, line by line; "" where none ran
    #: Why the grader failed, and not the student: nothing is recorded, the next run tries again.
    failure: str = ""


# ---- in a grading process, or a thread of a Dask worker


_HERE = threading.local()


def open_grader(settings: Settings) -> tuple[Grader, str]:
    """Return a grader, and what its isolation is, line by line."""
    grader = Grader(settings.seed, replace(Limits(), seconds=settings.timeout), settings.isolation)
    return grader, "\n".join(grader.isolation.describe())


def grade_one(content: bytes, exercise: str, settings: Settings) -> tuple[Verdict, str]:
    """Grade a notebook here; return the verdict and what isolated it.

    It is a GraderFailed where this one cannot be graded, and a ClassError where nothing can.
    """
    here = made_with.everything()
    if settings.version != here:
        raise ClassError(
            f"A worker of the cluster has normlab {here}, and you have {settings.version}. "
            "Install the same on all."
        )
    if not hasattr(_HERE, "ends"):  # a worker of a cluster
        _begin_watch()
    _HERE.ends[0] = time.monotonic() + 2 * settings.timeout + _PATIENCE  # it tries twice
    try:
        grader, isolation = _grader(settings)
        return grader.grade_content(content, exercise), isolation
    except NoIsolation as refusal:
        raise ClassError(str(refusal)) from None
    finally:
        _HERE.ends[0] = math.inf


def _grader(settings: Settings) -> tuple[Grader, str]:
    """Return the grader of this thread: it is kept."""
    if getattr(_HERE, "settings", None) != settings:
        _close_grader()
        try:
            _HERE.opened = open_grader(settings)
        except OSError as error:
            raise ClassError(
                "The grading cannot begin: the folder for temporary files is full, or cannot be "
                f"written to ({error}). Every verdict that was written before is kept; the same "
                "command goes on from there."
            ) from None
        _HERE.settings = settings
    return _HERE.opened


def _close_grader() -> None:
    if hasattr(_HERE, "settings"):
        del _HERE.settings
        _HERE.opened[0].close()


def _begin_process(alive: Connection, other_end: Connection) -> None:
    """Begin a grading process: it ends, at once, with whoever has the other end of `alive`."""
    other_end.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started it
    threading.Thread(target=_leave_with, args=(alive,), daemon=True).start()
    _begin_watch()
    Finalize(None, _close_grader, exitpriority=1)
    system.limit_memory(GRADER_MEMORY)  # the last: a thread needs memory to begin


def _leave_with(alive: Connection) -> None:
    alive.poll(None)
    _leave()


def _begin_watch() -> None:
    """Let a thread end this process where what the present one grades never comes to an end."""
    ends = [math.inf]
    threading.Thread(target=_watch, args=(ends,), daemon=True).start()
    _HERE.ends = ends  # the last: where no thread can begin, nothing goes on without one


def _watch(ends: list[float]) -> None:
    while time.monotonic() < ends[0]:
        time.sleep(_LOOK_AGAIN)
    _leave()


def _leave() -> None:
    """End this process at once; what it has started ends with it."""
    for folder in Path(tempfile.gettempdir()).glob(f"normlab-*-{os.getpid()}-*"):
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


# ---- from outside


class Pool:
    """So many copies of this process: what it has imported they have."""

    def __init__(self, size: int) -> None:
        self.size = size
        context = multiprocessing.get_context(system.start_method())
        alive, self._our_end = context.Pipe(duplex=False)
        ends = alive, self._our_end
        self.executor: Executor = ProcessPoolExecutor(size, context, _begin_process, ends)
        self.executor.submit(os.getpid)  # they are made now: there may be threads later
        alive.close()

    def stop(self) -> None:
        """End the processes, whatever they are doing."""
        self._our_end.close()
        self.executor.shutdown(cancel_futures=True)

    def close(self) -> None:
        """Let the processes end by themselves."""
        self.executor.shutdown()
        self._our_end.close()


class Cluster:
    """The workers of a Dask cluster, each thread with a grader of its own."""

    def __init__(self, client: "Client") -> None:
        self.size = sum(client.nthreads().values())
        if not self.size:
            raise ClassError("The cluster has no workers: start some, and run this again.")
        self.executor: Executor = client.get_executor(pure=False)

    def stop(self) -> None:
        """Take back what was asked for."""
        self.executor.shutdown(wait=False)

    close = stop  # nothing is under way any more


def grade_all(
    submissions: Iterable[Submission], settings: Settings, jobs: int, client: "Client | None" = None
) -> Generator[Graded]:
    """Grade submissions in at most `jobs` processes at once; yield each when it is known.

    Where there is a client of a Dask cluster, its workers do it instead. They need normlab in this
    version and nothing else: the notebooks are sent to them. Each is read when its turn comes, and
    none is left out. It is a ClassError where nothing can be graded.
    """
    todo = list(submissions)
    if not todo:
        return (one for one in list[Graded]())
    size = max(1, min(jobs, 1 + len(todo) // _WORTH_A_PROCESS))
    return _grade(todo, settings, Pool(size) if client is None else Cluster(client))


def _grade(
    submissions: Iterable[Submission], settings: Settings, pool: Pool | Cluster
) -> Generator[Graded]:
    """Grade with a pool; what was under way when a process of it died has one more chance."""
    todo = iter(submissions)
    running: dict[Future, tuple[Submission, bytes]] = {}
    lost: collections.deque[tuple[Submission, bytes]] = collections.deque()
    try:
        while True:
            while len(running) < _TASKS_A_PROCESS * pool.size:
                submission = next(todo, None)
                if submission is None:
                    break
                try:
                    content = submission.read()
                except OSError as error:
                    yield _unreadable(submission, error)
                    continue
                try:
                    task = pool.executor.submit(grade_one, content, submission.exercise, settings)
                except BrokenProcessPool:
                    lost.append((submission, content))
                    break
                running[task] = submission, content
            if not running and not lost:
                pool.close()
                return
            for task in wait(running, return_when=FIRST_COMPLETED).done:
                submission, content = running.pop(task)
                if isinstance(task.exception(), BrokenProcessPool):
                    lost.append((submission, content))
                else:
                    yield _graded(submission, content, task)
            if lost:  # with its process the whole pool is gone
                lost.extend(running.values())
                running.clear()
                pool.close()
                while lost:
                    yield _alone(*lost.popleft(), settings)
                pool = Pool(pool.size)
    finally:
        pool.stop()


def _unreadable(submission: Submission, error: OSError) -> Graded:
    why = submission.problem or f"It cannot be read: {error.strerror or error}."
    return Graded(submission, refused(submission.exercise, Status.UNREADABLE, why))


def _alone(submission: Submission, content: bytes, settings: Settings) -> Graded:
    """Grade one by itself: if a process dies of it, no other has to be graded again."""
    pool = Pool(1)
    try:
        task = pool.executor.submit(grade_one, content, submission.exercise, settings)
        return _graded(submission, content, task)
    finally:
        pool.stop()


def _graded(submission: Submission, content: bytes, task: Future) -> Graded:
    error = task.exception()
    if isinstance(error, ClassError):
        raise error
    if error is not None:
        why = " ".join(str(error).split()) or type(error).__name__
        verdict = refused(submission.exercise, Status.FAILED, f"The grader failed, not you: {why}")
        return Graded(replace(submission, digest=""), verdict, failure=why)
    verdict, isolation = task.result()
    return Graded(replace(submission, digest=digest_of(content)), verdict, isolation)
