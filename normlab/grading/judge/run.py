"""Run one submission: its processes, its cells, and the calls of its functions."""

import time
from collections.abc import Sequence
from typing import Any

from normlab.exercises.calling import Outcome
from normlab.exercises.exercise import Exercise
from normlab.grading.judge.answers import read_outcome, text
from normlab.grading.judge.attempts import OF_CELLS, Attempt, Drawn, Judged, judge_outcomes
from normlab.grading.judge.feedback import not_judged
from normlab.grading.judge.verdict import Status, TaskVerdict
from normlab.grading.prison.isolation import Site
from normlab.grading.prison.limits import Limits
from normlab.grading.prison.processes import Asked, CannotStart, Gone, Late, Talk, Used
from normlab.grading.prison.reading import MOST_CELLS
from normlab.grading.prison.wire import WireError
from normlab.system import signal_number

_GRACE = 0.5  # seconds that a process may take longer than it was told, before it is ended
_MOST_STARTS = 8
_DEFINITIONS = 3


class GraderFailed(RuntimeError):  # noqa: N818 - it happens, and the next run tries again
    """The grader failed on a submission, and nothing can be said of the submission."""


class _Unreadable(Exception):  # noqa: N818 - it is said of a file
    """The file is no notebook."""


class _Full(Exception):  # noqa: N818
    """A cell has filled the memory."""


class Run:
    """One submission: its processes, one after the other, until there is a verdict on each task.

    A process that does not answer in time, or ends, is given up with the cell or the call that it
    was at. The next one leaves that out.
    """

    def __init__(self, site: Site, limits: Limits, notebook: bytes, tasks: Sequence[Drawn]) -> None:
        self.site, self.limits, self.notebook = site, limits, notebook
        self.attempts = [Attempt(task) for task in tasks]
        self.end = time.monotonic() + limits.seconds
        self.learner_seconds = self.warm_seconds = 0.0
        self.cell_problems: dict[int, tuple[str, str]] = {}
        self.left_out: set[int] = set()
        self.killed_at: set[int | str] = set()
        self.defines: dict[str, list[int]] = {}
        self.cell_notes: list[str] = []

    def verdicts(self) -> list[TaskVerdict]:
        """Return a verdict on each task, or raise `GraderFailed`."""
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
        self.doing: int | Attempt | None = None
        self.told: set[str] = set()  # what this process has been asked
        failure: Exception | None = None
        used = Used()
        try:
            self._go_through(talk)
        except (Late, Gone, WireError, _Unreadable, _Full) as problem:
            failure = problem
        finally:
            used = talk.finish(gone=isinstance(failure, Gone))
            self.learner_seconds += used.seconds
            self.warm_seconds += used.own_seconds
        if failure is not None:
            self._hold_to_account(failure, used)

    def _hold_to_account(self, failure: Exception, used: Used) -> None:
        """Say of the cell or the call that the process was at what came of it.

        At none, nothing of the learner's had run: `GraderFailed`.
        """
        if isinstance(failure, _Unreadable):
            self._give_up(Status.UNREADABLE, str(failure))
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
            # It cannot have sent this signal: the kernel has, or somebody on this machine.
            at = self.doing if isinstance(self.doing, int) else self.doing.drawn.exercise.name
            if used.seconds >= self.limits.seconds:
                self._blame(Status.TIMEOUT, "it used up its processor time.")
            elif at in self.killed_at:
                self._blame(Status.MEMORY, "it was ended for want of memory.")
            self.killed_at.add(at)  # once is no evidence
        elif used == Used():
            raise GraderFailed("the process that makes the sandboxes has ended")
        else:
            self._blame(Status.FAILED, "it ended the notebook's process.")

    def _give_up(self, status: Status, why: str) -> None:
        """Settle what is not settled: with the verdict that there is, or with none."""
        for attempt in self.attempts:
            if attempt.counts is None:
                attempt.fail(status, why)
            attempt.settled = True

    def _blame(self, status: Status, what: str) -> None:
        """Hold the cell or the task to account that the process was at."""
        if time.monotonic() >= self.end:
            self._give_up(Status.TIMEOUT, "The time for the whole notebook was up.")
        elif isinstance(self.doing, Attempt):
            attempt = self.doing
            if attempt.notes and status is Status.FAILED:
                status = Status.FORBIDDEN
            attempt.fail(status, f"When the function was called, {what}")
        elif self.doing is not None:
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
            "last_only": {one.drawn.exercise.name: one.last_only for one in self.attempts},
        }
        found = Asked(talk, request, self.end, self.cell_notes).answer(self.end)
        if found.get("problem"):
            raise _Unreadable(text(found["problem"], 300))
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

    def _grade(self, talk: Talk, attempt: Attempt, place: int) -> None:
        """Judge a task behind a cell, or at the end, unless nothing has changed for it."""
        if attempt.settled or place in attempt.judged_at:
            return
        self.doing, attempt.calling = attempt, None
        exercise = attempt.drawn.exercise
        seconds = exercise.seconds or self.limits.call_seconds
        request = {
            "do": "call",
            "name": exercise.name,
            "asked": None if exercise.name in self.told else attempt.drawn.asked,
            "definitions": 1 if attempt.last_only else _DEFINITIONS,
            "seconds": seconds,
        }
        self.told.add(exercise.name)
        asked = Asked(talk, request, self._until(seconds), attempt.notes)
        found = asked.answer(self._until(seconds))
        attempt.judged_at.add(place)
        if found.get("same") is True and attempt.counts is not None:
            return
        attempt.missed = [text(name, 100) for name in _list(found, "missed")][:50]
        usable = _whole(found, "usable", _DEFINITIONS)
        if not usable:
            attempt.weigh(Judged(self._not_usable(exercise, found), -1, place, begun=False))
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
        verdict = judge_outcomes(attempt, outcomes, self.cell_problems)
        attempt.weigh(Judged(verdict, definition, place, begun, changed))

    def _outcomes(self, asked: Asked, drawn: Drawn, end: float) -> list[Outcome]:
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
                status = OF_CELLS.get(trouble, Status.FAILED)
                return not_judged(exercise, status, f"Its code cell (number {index + 1}): {said}")
        why = f"Nothing in the notebook is called {exercise.name}."
        return not_judged(exercise, Status.MISSING, why)


def _whole(answer: dict[str, Any], key: str, most: int) -> int:
    value = answer.get(key)
    if type(value) is not int or not 0 <= value <= most:
        raise WireError(f"the answer has no {key}")
    return value


def _list(answer: dict[str, Any], key: str) -> list[Any]:
    value = answer.get(key)
    return value if isinstance(value, list) else []
