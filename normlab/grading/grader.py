"""Grade one submission after the other, each in a process of its own."""

import os
import signal
import stat
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from normlab.exercises import Variants, diagnose, draw_cases, judge, report_on, tasks_of
from normlab.exercises.calling import Outcome
from normlab.exercises.diagnosis import Diagnosis
from normlab.exercises.exercise import Exercise
from normlab.exercises.report import refusal
from normlab.grading.answers import asked_for, read_outcome, text
from normlab.grading.feedback import judged, not_judged
from normlab.grading.isolation import Isolation, Site, best_site
from normlab.grading.limits import MEBIBYTE, Limits
from normlab.grading.processes import Asked, CannotStart, Gone, Late, Talk, Used
from normlab.grading.reading import MOST_CELLS
from normlab.grading.verdict import Status, TaskVerdict, Verdict
from normlab.grading.wire import Encoded, WireError
from normlab.tasks.case import Outputs

_GRACE = 0.5  # seconds that a process may take longer than it was told, before it is ended
_MOST_STARTS = 8
_DEFINITIONS = 3


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
        self._sites: dict[bool, Site] = {}  # by whether torch is there
        if isolation is None:
            self._sites[False] = best_site(self.limits)
            isolation = self._sites[False].isolation
        self.isolation = isolation
        self._drawn: dict[str, _Drawn] = {}

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
        for site in self._sites.values():
            site.close()
        self._sites.clear()

    def grade(self, path: str | os.PathLike[str], exercise: str) -> Verdict:
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
        tasks = [self._draw(task) for task in tasks_of(exercise)]
        wall, cpu = time.monotonic(), time.process_time()
        run = None
        try:
            notebook = _read_file(Path(path), self.limits.notebook_size)
            run = _Run(self._site(tasks), self.limits, notebook, tasks)
            verdicts, message = run.verdicts(), run.message()
        except _Refused as refused:
            message = str(refused)
            verdicts = [not_judged(task.exercise, refused.status, message) for task in tasks]
        except Exception as problem:  # the run never stops because of one submission
            message = f"The grader itself failed ({type(problem).__name__}: {problem})."
            verdicts = [not_judged(task.exercise, Status.FAILED, message) for task in tasks]
        learner, warm = (run.learner_seconds, run.warm_seconds) if run else (0.0, 0.0)
        return Verdict(
            exercise,
            tuple(verdicts),
            message,
            cpu_seconds=time.process_time() - cpu + learner + warm,
            learner_cpu_seconds=learner,
            wall_seconds=time.monotonic() - wall,
        )

    def _draw(self, exercise: Exercise) -> "_Drawn":
        if exercise.name not in self._drawn:
            self._drawn[exercise.name] = _Drawn(exercise, self.seed)
        return self._drawn[exercise.name]

    def _site(self, tasks: Sequence["_Drawn"]) -> Site:
        torch = any("torch" not in task.exercise.forbidden for task in tasks)
        if torch not in self._sites:
            self._sites[torch] = Site(self.isolation, torch, self.limits)
        return self._sites[torch]


class _Full(Exception):  # noqa: N818
    """A cell has filled the memory."""


# ---- the file


class _Refused(Exception):  # noqa: N818
    """There is nothing to run."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status


def _read_file(path: Path, most: int) -> bytes:
    """Read a submission; not a link, a pipe or a device that has its name."""
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise _Refused(Status.MISSING, "Nothing was handed in.") from None
    except (OSError, ValueError) as problem:
        what = "it is a link" if path.is_symlink() else str(problem).split(":")[0]
        raise _Refused(Status.UNREADABLE, f"The file cannot be opened: {what}.") from None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise _Refused(Status.UNREADABLE, "What was handed in is not a file.")
    with os.fdopen(descriptor, "rb") as file:
        if found.st_size > most:
            raise _Refused(
                Status.UNREADABLE,
                f"The file has {found.st_size / MEBIBYTE:.0f} MiB, and no more than "
                f"{most / MEBIBYTE:.0f} are read. Clear the outputs and hand it in again.",
            )
        try:
            return file.read(most)
        except OSError as problem:
            raise _Refused(Status.UNREADABLE, f"The file cannot be read: {problem}.") from None


# ---- what is asked of everybody


class _Drawn:
    """The cases of an exercise, drawn once for a run, and what is right and wrong in them."""

    def __init__(self, exercise: Exercise, seed: int) -> None:
        self.exercise, self.cases = exercise, draw_cases(exercise, seed)
        #: What is right, and what the known mistakes give: most of a diagnosis is in it.
        self.variants = Variants(exercise, self.cases)
        for outputs in self.variants.right.values():
            _read_only(outputs)

    @cached_property
    def asked(self) -> Encoded:
        """What everybody is asked, ready to be sent."""
        exercise = self.exercise
        use = exercise.use
        return Encoded(
            {
                "name": exercise.name,
                "methods": list(use.methods) if use else [],
                "takes": list(exercise.takes),
                "script": dict(use.texts) if use else {},
                "returns": list(asked_for(exercise, self.cases[0].arguments)),
                "forbidden": list(exercise.forbidden),
                "with_nodes": bool(exercise.nodes),
                "arguments": list(self.cases[0].arguments),
                "cases": [list(case.arguments.values()) for case in self.cases],
            }
        )


def _read_only(outputs: Outputs) -> None:
    """Let nobody change what is compared with every submission."""
    for array in outputs.values():
        array.flags.writeable = False


# ---- one submission

#: What the kernel says where it refuses: no permission, read-only, too large, no space left.
_REFUSED = ("[Errno 1]", "[Errno 13]", "[Errno 30]", "[Errno 27]", "[Errno 28]")
#: What a task's status is where the trouble was in its cell.
_OF_CELLS = {"time": Status.TIMEOUT, "memory": Status.MEMORY} | {one: one for one in Status}


def signal_number(name: str) -> int:
    """Return the number of a signal, or 0 where the platform has none of that name."""
    return int(getattr(signal, name, 0))


@dataclass
class _Attempt:
    """What has come of one task so far."""

    drawn: _Drawn
    outcomes: list[Outcome] = field(default_factory=list)
    verdict: TaskVerdict | None = None
    notes: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)


class _Run:
    """One submission: its processes, one after the other, until there is a verdict on each task.

    A process that does not answer in time, or ends, is given up with the cell or the call that it
    was at. The next one leaves that out.
    """

    def __init__(
        self, site: Site, limits: Limits, notebook: bytes, tasks: Sequence[_Drawn]
    ) -> None:
        self.site, self.limits, self.notebook = site, limits, notebook
        self.attempts = [_Attempt(task) for task in tasks]
        self.end = time.monotonic() + limits.seconds
        self.learner_seconds = self.warm_seconds = 0.0
        self.cell_problems: dict[int, tuple[str, str]] = {}
        self.left_out: set[int] = set()
        self.defines: dict[str, list[int]] = {}
        self.cell_notes: list[str] = []

    def verdicts(self) -> list[TaskVerdict]:
        """Return a verdict on each task."""
        for _ in range(_MOST_STARTS):
            if all(attempt.verdict for attempt in self.attempts):
                break
            self._one_process()
        for attempt in self.attempts:
            if attempt.verdict is None:
                why = "The notebook ended its process again and again."
                attempt.verdict = not_judged(attempt.drawn.exercise, Status.FAILED, why)
        return [attempt.verdict for attempt in self.attempts]

    def message(self) -> str:
        """Say what concerns the submission as a whole."""
        tried = dict.fromkeys([*self.cell_notes, *(n for a in self.attempts for n in a.notes)])
        lines = [
            f"Code cell {index + 1}: {said}"
            for index, (_, said) in sorted(self.cell_problems.items())
            if "NotImplementedError" not in said  # an example of a task that is not begun
        ]
        lines = [*lines[:10], *([f"and {len(lines) - 10} more cells"] if len(lines) > 10 else [])]
        if tried:
            lines.append(f"The notebook tried to {', to '.join(tried)}.")
        return "\n".join(lines)

    def _one_process(self) -> None:
        """Run the cells and make the calls in a new process, as far as it goes."""
        try:
            talk = self.site.begin()
        except CannotStart as problem:
            self._give_up(Status.FAILED, f"The grader could not start a process: {problem}")
            return
        self.doing: int | _Attempt | None = None
        failure: Exception | None = None
        try:
            self._run_cells(talk)
            for attempt in self.attempts:
                if attempt.verdict is None:
                    self._grade(talk, attempt)
        except (Late, Gone, WireError, _Refused, _Full) as problem:
            failure = problem
        finally:
            used = talk.finish(gone=isinstance(failure, Gone))
            self.learner_seconds += used.seconds
            self.warm_seconds += used.own_seconds
        if failure is not None:
            self._hold_to_account(failure, used)

    def _hold_to_account(self, failure: Exception, used: Used) -> None:
        """Say of the cell or the call that the process was at what came of it."""
        if isinstance(failure, _Refused):
            self._give_up(failure.status, str(failure))
        elif isinstance(failure, Late):
            self._blame(Status.TIMEOUT, "it had not come to an end when the time was up.")
        elif isinstance(failure, _Full):
            if time.monotonic() >= self.end:
                self._give_up(Status.TIMEOUT, "The time for the whole notebook was up.")
        elif isinstance(failure, WireError):
            self._blame(Status.FORBIDDEN, f"it put itself in the place of the answers: {failure}.")
        elif used.status in (signal_number("SIGKILL"), signal_number("SIGXCPU")):
            # It cannot have sent this signal: the kernel has.
            if used.seconds >= self.limits.seconds:
                self._blame(Status.TIMEOUT, "it used up its processor time.")
            else:
                self._blame(Status.MEMORY, "it was ended for want of memory.")
        else:
            self._blame(Status.FAILED, "it ended the notebook's process.")

    def _give_up(self, status: Status, why: str) -> None:
        for attempt in self.attempts:
            if attempt.verdict is None:
                attempt.verdict = not_judged(attempt.drawn.exercise, status, why)

    def _blame(self, status: Status, what: str) -> None:
        """Hold the cell or the task to account that the process was at."""
        if time.monotonic() >= self.end:
            self._give_up(Status.TIMEOUT, "The time for the whole notebook was up.")
        elif isinstance(self.doing, _Attempt):
            attempt = self.doing
            if attempt.notes and status is Status.FAILED:
                status = Status.FORBIDDEN
            attempt.verdict = not_judged(
                attempt.drawn.exercise, status, f"When the function was called, {what}"
            )
        elif isinstance(self.doing, int):
            if self.cell_notes and status is Status.FAILED:
                status = Status.FORBIDDEN
            self.cell_problems[self.doing] = status, what
            self.left_out.add(self.doing)
        else:
            self._give_up(Status.UNREADABLE, "The file could not be read as a notebook.")

    # ---- what is asked of a process

    def _until(self, seconds: float) -> float:
        """Say when an answer must be there that may take so long from now."""
        return min(self.end, time.monotonic() + seconds + _GRACE)

    def _run_cells(self, talk: Talk) -> None:
        seconds = self.limits.cell_seconds
        request = {
            "do": "run",
            "notebook": self.notebook,
            "names": [attempt.drawn.exercise.name for attempt in self.attempts],
            "left_out": list(self.left_out),
            "seconds": seconds,
        }
        asked = Asked(talk, request, self.end, self.cell_notes)
        found = asked.answer(self.end)
        if found.get("problem"):
            raise _Refused(Status.UNREADABLE, text(found["problem"], 300))
        self.defines = found.get("defines", {})
        for index in range(_whole(found, "cells", MOST_CELLS)):
            if index not in self.left_out:
                self.doing = index
                self._note_cell(index, asked.answer(self._until(seconds)))

    def _note_cell(self, index: int, answer: dict[str, Any]) -> None:
        trouble = text(answer.get("trouble"), 20)
        if trouble:
            self.cell_problems[index] = trouble, text(answer.get("message"), 300)
        if trouble == "memory":
            # What it has filled it keeps, and the others need some: go on without this cell.
            self.left_out.add(index)
            raise _Full

    def _grade(self, talk: Talk, attempt: _Attempt) -> None:
        self.doing = attempt
        exercise = attempt.drawn.exercise
        seconds = exercise.seconds or self.limits.call_seconds
        request = {
            "do": "call",
            "asked": attempt.drawn.asked,
            # Where a program is given to be mended, an earlier definition is the given one.
            "definitions": _DEFINITIONS if "torch" in exercise.forbidden else 1,
            "seconds": seconds,
        }
        asked = Asked(talk, request, self._until(seconds), attempt.notes)
        found = asked.answer(self._until(seconds))
        attempt.missed = [text(name, 100) for name in _list(found, "missed")][:50]
        usable = _whole(found, "usable", _DEFINITIONS)
        if not usable:
            attempt.verdict = self._not_usable(exercise, found)
            return
        for _ in range(usable):
            attempt.outcomes = self._outcomes(asked, attempt.drawn, self._until(seconds))
            if any(outcome.trouble != "not written" for outcome in attempt.outcomes):
                break
        attempt.verdict = self._judge(attempt)

    def _outcomes(self, asked: Asked, drawn: _Drawn, end: float) -> list[Outcome]:
        """Take what came of the calls of one definition, in all cases."""
        sent: list[Any] = []
        while len(sent) < len(drawn.cases):
            some = _list(asked.answer(end), "outcomes")
            if not some:
                raise WireError("the answer holds no outcomes")
            sent += some
        if len(sent) > len(drawn.cases):
            raise WireError("the answer holds more outcomes than there are cases")
        return [
            read_outcome(one, drawn.exercise, case)
            for one, case in zip(sent, drawn.cases, strict=True)
        ]

    def _not_usable(self, exercise: Exercise, answer: dict[str, Any]) -> TaskVerdict:
        objection = answer.get("objection")
        if answer.get("found") and isinstance(objection, list) and len(objection) == 2:
            why = " ".join(text(part, 300) for part in objection)
            return not_judged(exercise, Status.FAILED, why)
        for index in self.defines.get(exercise.name, []):
            trouble, said = self.cell_problems.get(index, ("", ""))
            if trouble:
                status = _OF_CELLS.get(trouble, Status.FAILED)
                return not_judged(exercise, status, f"Its code cell (number {index + 1}): {said}")
        why = f"Nothing in the notebook is called {exercise.name}."
        return not_judged(exercise, Status.MISSING, why)

    # ---- the verdict

    def _judge(self, attempt: _Attempt) -> TaskVerdict:
        drawn, outcomes = attempt.drawn, attempt.outcomes
        exercise = drawn.exercise
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what comes back may be as large as it likes
                results = judge(exercise, drawn.cases, outcomes, drawn.variants.right)
                begun = any(outcome.trouble != "not written" for outcome in outcomes)
                wrong = any(not result.passed for result in results)
                diagnosis = Diagnosis()
                if begun and wrong:
                    diagnosis = diagnose(exercise, drawn.cases, outcomes, results, drawn.variants)
                report = report_on(exercise, outcomes, results, diagnosis, "")
        except Exception as problem:
            why = f"What came back could not be compared ({type(problem).__name__})."
            return not_judged(exercise, Status.FAILED, why)
        borrowed = _borrowed(exercise, outcomes, attempt.missed)
        if borrowed:
            tool = "NumPy" if "torch" in exercise.forbidden else "PyTorch"
            message = (
                f"Your function uses {borrowed}, which is not there when it is graded. The point "
                f"of this task is to do it in {tool} alone."
            )
            return replace(
                judged(exercise, refusal(exercise.name, exercise, message, ""), Status.FORBIDDEN),
            )
        status = _status(outcomes, report.passed, attempt.notes)
        missing = self._missing_cell(outcomes)
        if status is Status.GRADED and missing is not None:
            # What it raised may be for want of that cell: this 0 is no judgement of the function.
            trouble, said = self.cell_problems[missing]
            remark = f"Every call raised an error, and code cell {missing + 1} is missing: {said}"
            return judged(exercise, report, _OF_CELLS[trouble], remark)
        return judged(exercise, report, status)

    def _missing_cell(self, outcomes: Sequence[Outcome]) -> int | None:
        """Return the first cell that was stopped or left out, if every call raised an error."""
        if any(outcome.trouble != "raised" for outcome in outcomes):
            return None
        stopped = (i for i, (trouble, _) in self.cell_problems.items() if trouble in _OF_CELLS)
        return min(stopped, default=None)


def _whole(answer: dict[str, Any], key: str, most: int) -> int:
    value = answer.get(key)
    if type(value) is not int or not 0 <= value <= most:
        raise WireError(f"the answer has no {key}")
    return value


def _list(answer: dict[str, Any], key: str) -> list[Any]:
    value = answer.get(key)
    return value if isinstance(value, list) else []


def _status(outcomes: Sequence[Outcome], passed: bool, notes: Sequence[str]) -> Status:
    """Tell how it came to the points."""
    troubles = {outcome.trouble for outcome in outcomes}
    if passed:
        return Status.GRADED
    if "time" in troubles or "not called" in troubles:
        return Status.TIMEOUT
    if troubles == {"not written"}:
        return Status.MISSING
    raised = [outcome.message for outcome in outcomes if outcome.trouble == "raised"]
    if any("MemoryError" in message.partition("\n")[0].partition(":")[0] for message in raised):
        return Status.MEMORY
    if raised and (notes or any(said in message for message in raised for said in _REFUSED)):
        return Status.FORBIDDEN
    return Status.GRADED


def _borrowed(exercise: Exercise, outcomes: Sequence[Outcome], missed: Sequence[str]) -> str:
    """Name the forbidden package that a function missed when it was called, or return ""."""
    known = dict(entry.partition("=")[::2] for entry in missed)
    for outcome in outcomes:
        if outcome.trouble != "raised":
            continue
        head = outcome.message.partition("\n")[0]
        for package in exercise.forbidden:
            if f"No module named '{package}" in head:
                return package
            for name, whole in known.items():
                if whole.partition(".")[0] == package and f"name '{name}' is not defined" in head:
                    return package
    return ""
