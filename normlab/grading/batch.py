"""Grade many submissions: a few processes side by side, each with a `Grader`, or a Dask cluster.

A grading process is told what to do in lines of JSON and answers in lines of JSON. It holds no
state that matters: when it dies another takes its place, and when whoever talks to it dies it sees
the end of its input and ends.
"""

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from normlab import __version__
from normlab.grading.copies import Copy, can_copy
from normlab.grading.gradebook import Terms, refused
from normlab.grading.grader import Grader
from normlab.grading.isolation import Isolation, NoIsolation
from normlab.grading.leftovers import make_folder
from normlab.grading.limits import Limits
from normlab.grading.submissions import Submission, digest_of
from normlab.grading.verdict import Status, Verdict

if TYPE_CHECKING:
    from distributed import Client, Future

#: How a grading process is started.
COMMAND = (sys.executable, "-c", "from normlab.grading.batch import serve; serve()")

# A submission that its process did not survive gets one more chance, in a fresh one.
_CHANCES = 2
# A process costs as much to start as ten submissions: so many seconds the first has for itself, to
# be done with a small class.
_ALONE = 1.5
# The grader keeps its own limits. This many seconds on top of them, and it is taken for dead.
_PATIENCE = 60.0
_SHOWN_OF_A_TRACEBACK = 2000  # characters
_TASKS_A_THREAD = 2  # of a Dask worker, so that none waits for the next


class GradingError(Exception):
    """The grading as a whole cannot go on; the message says why and what to do."""


@dataclass(frozen=True)
class Settings:
    """What every grading process is told when it starts.

    Parameters
    ----------
    seed
        Of all cases.
    timeout
        The wall time of one submission, in seconds.
    isolation
        Where learners' code runs; None leaves it to each machine to find the best it has.
    version
        Of the normlab that gives the orders: no other may carry them out.
    """

    seed: int
    timeout: float = Limits().seconds
    isolation: Isolation | None = None
    version: str = __version__

    @property
    def terms(self) -> Terms:
        """What the verdicts depend on."""
        return Terms(self.seed, self.version, self.timeout)

    def to_json(self) -> str:
        """Write the settings as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Settings":
        """Read what `to_json` wrote."""
        data = json.loads(text)
        isolation = data.pop("isolation")
        if isolation:
            isolation = Isolation(isolation["name"], tuple(isolation["held"]))
        return cls(isolation=isolation, **data)


@dataclass(frozen=True)
class Graded:
    """A submission with its verdict.

    Parameters
    ----------
    submission
        With the digest of the very bytes that were graded; of "" where the grader failed, so that
        the next run tries again.
    verdict
        What the grader said.
    isolation
        What kept the submission's code in its place, line by line; "" where none ran.
    """

    submission: Submission
    verdict: Verdict
    isolation: str = ""


# ---- a grading process, seen from inside


class AnyGrader(Protocol):
    """What a grading process needs of a grader."""

    def grade(self, path: Path, exercise: str) -> Verdict:
        """Grade one file."""


@contextlib.contextmanager
def open_grader(settings: Settings) -> Iterator[tuple[AnyGrader, str]]:
    """Open a grader; yield it with what its isolation is, line by line."""
    limits = replace(Limits(), seconds=settings.timeout)
    with Grader(settings.seed, limits, settings.isolation) as grader:
        yield grader, "\n".join(grader.isolation.describe())


def serve(
    open_grader: Callable[
        [Settings], contextlib.AbstractContextManager[tuple[AnyGrader, str]]
    ] = open_grader,
) -> None:
    """Grade what is asked for on standard input, until that ends."""
    # Under numbers that no child inherits: nobody else can ask, and nobody else can answer.
    asked = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)

    def answer(**content: str) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    orders = asked.readline()
    if not orders:
        return  # there was nothing for it to do
    settings = Settings.from_json(orders)
    try:
        with (
            _inbox() as inbox,
            open_grader(settings) as (grader, isolation),
        ):
            answer(inbox=str(inbox), isolation=isolation)
            for line in asked:
                question = json.loads(line)
                verdict = grader.grade(Path(question["path"]), question["exercise"])
                answer(verdict=verdict.to_json())
    except NoIsolation as refusal:
        answer(refusal=str(refusal))
    except BrokenPipeError:
        os._exit(0)  # nobody is left to read the answer


@contextlib.contextmanager
def _inbox() -> Iterator[Path]:
    """Make the folder for the one submission that is being graded."""
    folder = make_folder("inbox")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# ---- a grading process, seen from outside


class ProcessDied(Exception):  # noqa: N818 - it happens, and the next one goes on
    """A grading process ended without an answer; the message is the end of its traceback."""


class GradingProcess:
    """A process with a grader in it. A context manager.

    It costs little until it is told to begin.

    Parameters
    ----------
    settings
        What it is told.
    command
        How it is started. The usual one need not be: a copy of this process does as well, where
        one can be had.
    """

    def __init__(self, settings: Settings, command: Sequence[str] = COMMAND) -> None:
        self._settings = settings
        self._inbox: Path | None = None
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        if _is_copy(command):
            self._process = Copy(serve, self._complaints.fileno())
        else:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                encoding="utf-8",
                # Ctrl-C in the terminal is for whoever started it.
                start_new_session=True,
            )

    def begin(self) -> None:
        """Let it get ready.

        Raises
        ------
        GradingError
            Nothing can isolate learners' code there.
        ProcessDied
            It did not start.
        """
        try:
            answer = self._ask(self._settings.to_json())
        except ProcessDied:
            self.close()
            raise
        if "refusal" in answer:
            self.close()
            raise GradingError(answer["refusal"])
        self._inbox, self.isolation = Path(answer["inbox"]), answer["isolation"]

    def grade(self, content: bytes, exercise: str) -> Verdict:
        """Grade a notebook.

        Parameters
        ----------
        content
            Of the file that was handed in. The grader gets a copy under a name of ours.
        exercise
            The stem of the exercise notebook.

        Raises
        ------
        ProcessDied
            There is no answer, and no process any more.
        """
        path = self._inbox / "submission.ipynb"
        try:
            path.write_bytes(content)
        except FileNotFoundError as error:  # it ended, and tidied up
            raise ProcessDied(self._last_words()) from error
        question = json.dumps({"path": str(path), "exercise": exercise})
        return Verdict.from_json(self._ask(question)["verdict"])

    def _ask(self, question: str) -> dict[str, str]:
        """Send a line and return what is answered."""
        alarm = threading.Timer(self._settings.timeout + _PATIENCE, self._process.kill)
        alarm.start()
        try:
            self._process.stdin.write(question + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())
        except (OSError, ValueError) as error:  # the pipe is closed, or the line was cut off
            raise ProcessDied(self._last_words()) from error
        finally:
            alarm.cancel()

    def _last_words(self) -> str:
        self.kill()
        self._complaints.seek(0, os.SEEK_END)
        self._complaints.seek(max(0, self._complaints.tell() - _SHOWN_OF_A_TRACEBACK))
        said = self._complaints.read().decode(errors="replace").strip()
        return said or f"It ended with status {self._process.returncode}."

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        if self._inbox:
            shutil.rmtree(self._inbox, ignore_errors=True)

    def close(self) -> None:
        """End it, and let it tidy up before."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(self._settings.timeout + _PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process.stdout.close()
        self._complaints.close()

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _is_copy(command: Sequence[str]) -> bool:
    """Whether a grading process is made by copying this one."""
    return command == COMMAND and can_copy()


class _Worker:
    """Grades one after the other, with a grading process that is renewed when it dies."""

    def __init__(self, settings: Settings, command: Sequence[str] = COMMAND) -> None:
        self._settings, self._command = settings, command
        self._process: GradingProcess | None = None
        # A copy has to be made now, before there are threads.
        self._next = GradingProcess(settings, command) if _is_copy(command) else None
        self._stopped = False

    def grade(self, submission: Submission, content: bytes) -> Graded:
        """Grade a submission; a second time where the process died of the first."""
        for _ in range(_CHANCES):
            try:
                if self._process is None:
                    self._process = self._next or GradingProcess(self._settings, self._command)
                    self._next = None
                    self._process.begin()
                verdict = self._process.grade(content, submission.exercise)
            except ProcessDied as death:
                self._process, last_words = None, str(death)
                if self._stopped:
                    break
            else:
                graded = replace(submission, digest=digest_of(content))
                return Graded(graded, verdict, self._process.isolation)
        return _given_up(submission, last_words)

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self._stopped = True
        for process in (self._process, self._next):
            if process:
                process.kill()

    def close(self) -> None:
        """End the process when it is done."""
        for process in (self._process, self._next):
            if process:
                process.close()


def _given_up(submission: Submission, why: str) -> Graded:
    """Say that the grader failed, and not the learner; the next run tries again."""
    last_line = why.splitlines()[-1] if why else ""
    message = f"The grader failed on this submission, not you: it will be tried again. {last_line}"
    verdict = refused(submission.exercise, Status.FAILED, message)
    return Graded(replace(submission, digest=""), verdict)


def _unreadable(submission: Submission, why: str) -> Graded:
    return Graded(submission, refused(submission.exercise, Status.UNREADABLE, why))


# ---- many submissions, on this machine


def grade_all(
    submissions: Iterable[Submission],
    settings: Settings,
    jobs: int,
    command: Sequence[str] = COMMAND,
) -> Iterator[Graded]:
    """Grade submissions in several processes at once; yield each when it is known.

    Parameters
    ----------
    submissions
        What to grade. They are read one by one, when their turn comes.
    settings
        For every process.
    jobs
        How many processes, at least 1.
    command
        How a process is started.

    Yields
    ------
    Graded
        In the order in which they are finished. None is left out.

    Raises
    ------
    GradingError
        Nothing can isolate learners' code here.
    """
    # At once, and not when the first result is asked for: there may be threads by then.
    return _grade_all(submissions, [_Worker(settings, command) for _ in range(jobs)])


def _grade_all(submissions: Iterable[Submission], workers: list[_Worker]) -> Iterator[Graded]:
    todo = _Shared(submissions)
    # As many results as processes may wait for the reader, so that memory stays flat.
    results: queue.Queue[Graded | Exception | None] = queue.Queue(maxsize=len(workers))
    threads = [
        threading.Thread(
            target=_grade_in_turn,
            args=(worker, todo, results, _ALONE if number else 0.0),
            daemon=True,
        )
        for number, worker in enumerate(workers)
    ]
    for thread in threads:
        thread.start()
    working = len(workers)
    try:
        while working:
            result = results.get()
            if isinstance(result, Exception):
                raise result
            if result is None:
                working -= 1
            else:
                yield result
    finally:
        if working:  # Ctrl-C, or an error: nobody waits for the rest
            todo.stop()
            for worker in workers:
                worker.stop()


class _Shared:
    """An iterator that several threads take from."""

    def __init__(self, submissions: Iterable[Submission]) -> None:
        self._iterator = iter(submissions)
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def __iter__(self) -> Iterator[Submission]:
        while True:
            with self._lock:
                one = None if self._ended.is_set() else next(self._iterator, None)
            if one is None:
                self._ended.set()
                return
            yield one

    def stop(self) -> None:
        """Give out no more."""
        self._ended.set()

    def wait(self, seconds: float) -> None:
        """Wait, but not longer than until nothing is left."""
        self._ended.wait(seconds)


def _grade_in_turn(worker: _Worker, todo: _Shared, results: queue.Queue, patience: float) -> None:
    """Grade until nothing is left; what one thread of `grade_all` does.

    It begins after some seconds of `patience`.
    """
    try:
        todo.wait(patience)
        for submission in todo:
            if submission.problem:
                results.put(_unreadable(submission, submission.problem))
                continue
            try:
                content = submission.read()
            except OSError as error:
                why = f"It cannot be read: {error.strerror or error}."
                results.put(_unreadable(submission, why))
                continue
            results.put(worker.grade(submission, content))
        worker.close()
        results.put(None)
    except Exception as error:
        results.put(error)


# ---- many submissions, on a Dask cluster


def grade_all_with_dask(
    submissions: Iterable[Submission], settings: Settings, client: "Client"
) -> Iterator[Graded]:
    """Grade submissions on the workers of a Dask cluster; yield each when it is known.

    The workers need normlab in this version and nothing else: the notebooks are sent to them, and
    every thread of a worker has a grading process of its own.

    Parameters
    ----------
    submissions
        What to grade.
    settings
        For every grading process.
    client
        Of a ``distributed`` cluster.

    Yields
    ------
    Graded
        In the order in which they are finished. None is left out.

    Raises
    ------
    GradingError
        A worker has another version of normlab, or cannot isolate learners' code.
    """
    from distributed import as_completed

    threads = sum(client.nthreads().values())
    if not threads:
        raise GradingError("The cluster has no workers: start some, and run this again.")
    todo, running = iter(submissions), as_completed()
    handed_out: dict[str, Submission] = {}

    def hand_out() -> Iterator[Graded]:
        """Send the next one to the cluster, after those that need not be sent."""
        for submission in todo:
            problem = submission.problem
            try:
                content = b"" if problem else submission.read()
            except OSError as error:
                problem = f"It cannot be read: {error.strerror or error}."
            if problem:
                yield _unreadable(submission, problem)
                continue
            future = client.submit(grade_on_worker, submission, content, settings, pure=False)
            handed_out[future.key] = submission
            running.add(future)
            return

    for _ in range(_TASKS_A_THREAD * threads):
        yield from hand_out()
    for future in running:
        submission = handed_out.pop(future.key)
        yield _result_of(future, submission)
        future.release()
        yield from hand_out()


def _result_of(future: "Future", submission: Submission) -> Graded:
    """Return what a worker of the cluster found.

    Raises
    ------
    GradingError
        No worker can grade.
    """
    error = future.exception()
    if isinstance(error, GradingError):
        raise error
    if error is not None:  # the worker died of it, several times
        return _given_up(submission, f"{type(error).__name__}: {error}")
    return future.result()


_idle_workers: queue.SimpleQueue[tuple[Settings, _Worker]] = queue.SimpleQueue()


def grade_on_worker(submission: Submission, content: bytes, settings: Settings) -> Graded:
    """Grade a submission in a grading process of this Dask worker.

    Raises
    ------
    GradingError
        This worker cannot grade.
    """
    if settings.version != __version__:
        raise GradingError(
            f"A worker of the cluster has normlab {__version__}, and you have {settings.version}. "
            "Install the same on all."
        )
    worker = _borrow(settings)
    try:
        return worker.grade(submission, content)
    finally:
        _idle_workers.put((settings, worker))


def _borrow(settings: Settings) -> _Worker:
    """Take an idle grading process with these settings, or start one."""
    with contextlib.suppress(queue.Empty):
        while True:
            kept, worker = _idle_workers.get_nowait()
            if kept == settings:
                return worker
            worker.close()
    return _Worker(settings)
