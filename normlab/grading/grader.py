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

from normlab.exercises import Variants, all_exercises, diagnose, draw_cases, judge, report_on
from normlab.exercises.calling import Outcome
from normlab.exercises.diagnosis import Diagnosis
from normlab.exercises.exercise import Arguments, Exercise, Outputs
from normlab.exercises.report import refusal
from normlab.grading.answers import asked_for, read_outcome, text
from normlab.grading.feedback import judged, not_judged
from normlab.grading.isolation import Isolation, NoIsolation, Site, first_site
from normlab.grading.limits import MEBIBYTE, Limits
from normlab.grading.processes import Asked, CannotStart, Gone, Late, Talk, Used
from normlab.grading.reading import MOST_CELLS
from normlab.grading.scripts import script_for
from normlab.grading.verdict import Status, TaskVerdict, Verdict
from normlab.grading.wire import Encoded, WireError

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
        self._asked_for = isolation
        first = first_site(self.limits, isolation)
        self.isolation = first.isolation
        self._sites: dict[bool, Site] = {False: first}  # by whether torch is there
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
        """Grade one notebook file.

        Parameters
        ----------
        path
            Of the file handed in; it need not exist.
        exercise
            The stem of the exercise notebook: "02_batch_norm_forward".

        Raises
        ------
        LookupError, GraderFailed, NoIsolation
            As `grade_content` does.
        """
        try:
            content = _read_file(Path(path), self.limits.notebook_size)
        except _Refused as refused:
            return _refused_verdict(exercise, refused.status, str(refused))
        return self.grade_content(content, exercise)

    def grade_content(self, content: bytes, exercise: str) -> Verdict:
        """Grade what is in a notebook file; whatever it is, there is a verdict on every task.

        Parameters
        ----------
        content
            Of the file.
        exercise
            The stem of the exercise notebook.

        Raises
        ------
        LookupError
            There is no exercise notebook of this stem.
        GraderFailed
            The grader failed, twice, the second time in a fresh sandbox: it is nobody's verdict.
        NoIsolation
            The submission's code cannot be kept in its place any more.
        """
        tasks = [self._draw(task) for task in tasks_of(exercise)]
        if len(content) > self.limits.notebook_size:
            most = self.limits.notebook_size
            why = _too_large(f"more than {most / MEBIBYTE:.0f}", most)
            return _refused_verdict(exercise, Status.UNREADABLE, why)
        for chances_left in (1, 0):
            try:
                return self._try(content, exercise, tasks)
            except NoIsolation:
                raise
            except Exception as problem:
                for site in self._sites.values():
                    site.stop()  # the next one is fresh
                if not chances_left:
                    why = str(problem) if isinstance(problem, GraderFailed) else repr(problem)
                    raise GraderFailed(why) from problem
        raise AssertionError("never reached")

    def _try(self, content: bytes, exercise: str, tasks: Sequence["_Drawn"]) -> Verdict:
        wall, cpu = time.monotonic(), time.process_time()
        site = self._site(any("torch" not in task.exercise.forbidden for task in tasks))
        run = _Run(site, self.limits, content, tasks)
        verdicts = run.verdicts()
        return Verdict(
            exercise,
            tuple(verdicts),
            run.message(),
            cpu_seconds=time.process_time() - cpu + run.learner_seconds + run.warm_seconds,
            learner_cpu_seconds=run.learner_seconds,
            wall_seconds=time.monotonic() - wall,
        )

    def _draw(self, exercise: Exercise) -> "_Drawn":
        if exercise.name not in self._drawn:
            self._drawn[exercise.name] = _Drawn(exercise, self.seed)
        return self._drawn[exercise.name]

    def _site(self, torch: bool) -> Site:
        if torch not in self._sites:
            self._sites[torch] = Site(torch, self.limits, self._asked_for)
        return self._sites[torch]


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


class GraderFailed(RuntimeError):  # noqa: N818 - it happens, and the next run tries again
    """The grader failed on a submission, and nothing can be said of the submission."""


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
            size = f"{found.st_size / MEBIBYTE:.0f}"
            raise _Refused(Status.UNREADABLE, _too_large(size, most))
        try:
            return file.read(most)
        except OSError as problem:
            raise _Refused(Status.UNREADABLE, f"The file cannot be read: {problem}.") from None


def _refused_verdict(exercise: str, status: Status, why: str) -> Verdict:
    tasks = tuple(not_judged(task, status, why) for task in tasks_of(exercise))
    return Verdict(exercise, tasks, why)


def _too_large(size: str, most: int) -> str:
    return (
        f"The file has {size} MiB, and no more than {most / MEBIBYTE:.0f} are read. Clear the "
        "outputs and hand it in again."
    )


# ---- what is asked of everybody


class _Drawn:
    """The cases of an exercise, drawn once for a run, and what is right and wrong in them."""

    def __init__(self, exercise: Exercise, seed: int) -> None:
        self.cases = draw_cases(exercise, seed)
        self._right = {
            _identity(case.arguments): _read_only(exercise.reference(**case.arguments))
            for case in self.cases
        }
        self.exercise = replace(exercise, reference=self._reference)

    def _reference(self, **arguments: Any) -> Outputs:  # noqa: ANN401 - of any kind
        return self._right[_identity(arguments)]

    @cached_property
    def asked(self) -> Encoded:
        """What everybody is asked, ready to be sent."""
        exercise = self.exercise
        task = exercise.of_class
        taken = task.constructor if task else (exercise.of_function or exercise).parameters
        return Encoded(
            {
                "name": exercise.name,
                "methods": list(task.methods) if task else [],
                "takes": list(taken),
                "script": script_for(exercise),
                "returns": list(asked_for(exercise)),
                "forbidden": list(exercise.forbidden),
                "with_nodes": exercise.nodes is not None,
                "arguments": list(self.cases[0].arguments),
                "cases": [list(case.arguments.values()) for case in self.cases],
            }
        )

    @cached_property
    def variants(self) -> Variants:
        """What the known mistakes give: most of a diagnosis is in it."""
        return Variants(self.exercise, self.cases)


def _identity(arguments: Arguments) -> tuple[int, ...]:
    """Tell the arguments of a case from those of others: they are kept, and are not copied."""
    return tuple(id(value) for value in arguments.values())


def _read_only(outputs: Outputs) -> Outputs:
    """Let nobody change what is compared with every submission."""
    for array in outputs.values():
        array.flags.writeable = False
    return outputs


# ---- one submission

#: What the kernel says where it refuses: no permission, read-only, too large, no space left.
_REFUSED = ("[Errno 1]", "[Errno 13]", "[Errno 30]", "[Errno 27]", "[Errno 28]")
#: What a task's status is where the trouble was in its cell.
_OF_CELLS = {"time": Status.TIMEOUT, "memory": Status.MEMORY} | {one: one for one in Status}


def signal_number(name: str) -> int:
    """Return the number of a signal, or 0 where the platform has none of that name."""
    return int(getattr(signal, name, 0))


@dataclass(frozen=True)
class _Judged:
    """One judgement of a task: on which definition, behind which cell, and what changed before."""

    verdict: TaskVerdict
    definition: int
    place: int  # -1 at the end
    begun: bool = True
    changed: tuple[str, ...] = ()

    @property
    def worth(self) -> tuple[float, bool]:
        """What orders two judgements of one definition."""
        return self.verdict.score, self.verdict.status is Status.GRADED


@dataclass
class _Attempt:
    """What has come of one task so far.

    A task is judged at each of its places, and at the end of the notebook. What counts is the last
    definition that was begun, and of its judgements the best.
    """

    drawn: _Drawn
    counts: _Judged | None = None
    judged_at: set[int] = field(default_factory=set)
    calling: int | None = None  # the definition that is called just now
    settled: bool = False
    notes: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    remark: str = ""

    @property
    def last_only(self) -> bool:
        """Whether an earlier definition is no answer: of a program to mend it is the given one."""
        return "torch" not in self.drawn.exercise.forbidden

    def weigh(self, new: _Judged) -> None:
        """Take a judgement in, if it counts more than the one before."""
        old = self.counts
        if old is None or (new.definition != old.definition and (new.begun or self.last_only)):
            self.counts, self.remark = new, ""
        elif new.definition == old.definition:
            if new.place < 0 and new.verdict.score != old.verdict.score:
                self.remark = _otherwise(old, new)
            self.counts = max(old, new, key=lambda one: one.worth)

    def give_up(self, status: Status, why: str) -> None:
        """Settle it: with the verdict that there is, or with none."""
        if self.counts is None:
            self.fail(status, why)
        self.settled = True

    def fail(self, status: Status, why: str) -> None:
        """Settle it with a failure, unless the very definition that failed was judged before."""
        known = self.counts
        if known is None or self.calling not in (None, known.definition):
            self.counts = _Judged(not_judged(self.drawn.exercise, status, why), -1, -1)
        self.settled = True

    def result(self) -> TaskVerdict:
        """Return the verdict, with what is to be said of how it came to it."""
        verdict = self.counts.verdict
        if not self.remark:
            return verdict
        return replace(verdict, feedback=f"{self.remark}\n\n{verdict.feedback}".strip())


def _otherwise(own: _Judged, end: _Judged) -> str:
    """Say that the end of the notebook judges otherwise than the task's own place."""
    names = " and ".join(f"`{name}`" for name in end.changed)
    changed = f": by then {names} has another value" if names else ""
    counts = "first" if own.worth >= end.worth else "second"
    return (
        f"Behind code cell {own.place + 1} of your notebook this earns {own.verdict.score:g} of "
        f"{own.verdict.max_score:g} points, and {end.verdict.score:g} at its end{changed}. "
        f"The {counts} counts."
    )


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
        """Return a verdict on each task.

        Raises
        ------
        GraderFailed
            There is none to be had.
        """
        for _ in range(_MOST_STARTS):
            if all(attempt.settled for attempt in self.attempts):
                break
            self._one_process()
        self._give_up(Status.FAILED, "The notebook ended its process again and again.")
        return [attempt.result() for attempt in self.attempts]

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
            raise GraderFailed(f"a sandbox could not be had: {problem}") from None
        self.doing: int | _Attempt | None = None
        failure: Exception | None = None
        used = Used()
        try:
            self._go_through(talk)
        except (Late, Gone, WireError, _Refused, _Full) as problem:
            failure = problem
        finally:
            used = talk.finish(gone=isinstance(failure, Gone))
            self.learner_seconds += used.seconds
            self.warm_seconds += used.own_seconds
        if failure is not None:
            self._hold_to_account(failure, used)

    def _hold_to_account(self, failure: Exception, used: Used) -> None:
        """Say of the cell or the call that the process was at what came of it.

        Raises
        ------
        GraderFailed
            It was at none: nothing of the learner's had run.
        """
        if isinstance(failure, _Refused):
            self._give_up(failure.status, str(failure))
        elif self.doing is None:
            raise GraderFailed(f"a sandbox ended before it had read the file ({failure!r})")
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
        elif used == Used():
            raise GraderFailed("the process that makes the sandboxes has ended")
        else:
            self._blame(Status.FAILED, "it ended the notebook's process.")

    def _give_up(self, status: Status, why: str) -> None:
        """Settle what is not settled: with the verdict that there is, or with none."""
        for attempt in self.attempts:
            attempt.give_up(status, why)

    def _blame(self, status: Status, what: str) -> None:
        """Hold the cell or the task to account that the process was at."""
        if time.monotonic() >= self.end:
            self._give_up(Status.TIMEOUT, "The time for the whole notebook was up.")
        elif isinstance(self.doing, _Attempt):
            attempt = self.doing
            if attempt.notes and status is Status.FAILED:
                status = Status.FORBIDDEN
            attempt.fail(status, f"When the function was called, {what}")
        else:
            if self.cell_notes and status is Status.FAILED:
                status = Status.FORBIDDEN
            self.cell_problems[self.doing] = status, what
            self.left_out.add(self.doing)

    # ---- what is asked of a process

    def _until(self, seconds: float) -> float:
        """Say when an answer must be there that may take so long from now."""
        return min(self.end, time.monotonic() + seconds + _GRACE)

    def _go_through(self, talk: Talk) -> None:
        """Run the cells, and judge each task at its places and at the end."""
        cells, places = self._read(talk)
        begun = 0
        for place in sorted({place for found in places.values() for place in found}):
            self._run_cells(talk, begun, place + 1)
            begun = place + 1
            for attempt in self.attempts:
                if place in places.get(attempt.drawn.exercise.name, ()):
                    self._grade(talk, attempt, place)
        self._run_cells(talk, begun, cells)
        for attempt in self.attempts:
            self._grade(talk, attempt, -1)
            attempt.settled = True

    def _read(self, talk: Talk) -> tuple[int, dict[str, list[int]]]:
        """Have the notebook read; return how many cells it has, and the places of the tasks."""
        request = {
            "do": "read",
            "notebook": self.notebook,
            "last_only": {
                attempt.drawn.exercise.name: attempt.last_only for attempt in self.attempts
            },
        }
        found = Asked(talk, request, self.end, self.cell_notes).answer(self.end)
        if found.get("problem"):
            raise _Refused(Status.UNREADABLE, text(found["problem"], 300))
        self.defines = found["defines"]
        return _whole(found, "cells", MOST_CELLS), found["places"]

    def _run_cells(self, talk: Talk, begin: int, end: int) -> None:
        if begin == end:
            return
        self.doing = begin
        seconds = self.limits.cell_seconds
        request = {
            "do": "run",
            "cells": [begin, end],
            "left_out": list(self.left_out),
            "seconds": seconds,
        }
        asked = Asked(talk, request, self._until(seconds), self.cell_notes)
        for index in range(begin, end):
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

    def _grade(self, talk: Talk, attempt: _Attempt, place: int) -> None:
        """Judge a task behind a cell, or at the end, unless nothing has changed for it."""
        if attempt.settled or place in attempt.judged_at:
            return
        self.doing, attempt.calling = attempt, None
        exercise = attempt.drawn.exercise
        seconds = exercise.seconds or self.limits.call_seconds
        request = {
            "do": "call",
            "asked": attempt.drawn.asked,
            "definitions": 1 if attempt.last_only else _DEFINITIONS,
            "seconds": seconds,
        }
        asked = Asked(talk, request, self._until(seconds), attempt.notes)
        found = asked.answer(self._until(seconds))
        attempt.judged_at.add(place)
        if found.get("same") is True and attempt.counts is not None:
            return
        attempt.missed = [text(name, 100) for name in _list(found, "missed")][:50]
        usable = _whole(found, "usable", _DEFINITIONS)
        if not usable:
            attempt.weigh(_Judged(self._not_usable(exercise, found), -1, place, begun=False))
            return
        which = [n for n in _list(found, "which") if type(n) is int]
        outcomes: list[Outcome] = []
        begun, definition = False, -1
        for definition in [*which, *[-1] * usable][:usable]:
            attempt.calling = definition
            outcomes = self._outcomes(asked, attempt.drawn, self._until(seconds))
            begun = any(outcome.trouble != "not written" for outcome in outcomes)
            if begun:
                break
        changed = tuple(text(name, 60) for name in _list(found, "changed")[:_DEFINITIONS])
        verdict = self._judge(attempt, outcomes)
        attempt.weigh(_Judged(verdict, definition, place, begun, changed))

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

    def _judge(self, attempt: _Attempt, outcomes: list[Outcome]) -> TaskVerdict:
        drawn, exercise = attempt.drawn, attempt.drawn.exercise
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what comes back may be as large as it likes
                results = judge(exercise, drawn.cases, outcomes)
                begun = any(outcome.trouble != "not written" for outcome in outcomes)
                wrong = any(not result.passed for result in results)
                diagnosis = Diagnosis()
                if begun and wrong:
                    diagnosis = diagnose(exercise, drawn.cases, outcomes, results, drawn.variants)
                report = report_on(exercise, outcomes, results, diagnosis, "")
        except MemoryError:
            raise  # the grader's, and nobody's verdict
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
