"""What is asked in a task, and what a submission's answers to it are worth."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from normlab.exercises import Variants, diagnose, draw_cases, judge, report_on
from normlab.exercises.calling import Outcome
from normlab.exercises.diagnosis import Diagnosis
from normlab.exercises.exercise import Exercise
from normlab.exercises.report import refusal
from normlab.grading.judge.answers import asked_for
from normlab.grading.judge.feedback import judged, not_judged
from normlab.grading.judge.verdict import Status, TaskVerdict
from normlab.grading.prison.wire import Encoded

#: What the kernel says where it refuses: no permission, read-only, too large, no space left.
_REFUSED = ("[Errno 1]", "[Errno 13]", "[Errno 30]", "[Errno 27]", "[Errno 28]")
#: What a task's status is where the trouble was in its cell.
OF_CELLS = {"time": Status.TIMEOUT, "memory": Status.MEMORY} | {one: one for one in Status}


class Drawn:
    """The cases of an exercise, drawn once for a run, and what is right and wrong in them."""

    def __init__(self, exercise: Exercise, seed: int) -> None:
        self.exercise, self.cases = exercise, draw_cases(exercise, seed)
        #: What is right, and what the known mistakes give: most of a diagnosis is in it.
        self.variants = Variants(exercise, self.cases)
        for outputs in self.variants.right.values():
            for array in outputs.values():
                array.flags.writeable = False  # every submission is compared with it

    @cached_property
    def asked(self) -> Encoded:
        """What everybody is asked, ready to be sent."""
        exercise, use = self.exercise, self.exercise.use
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


@dataclass(frozen=True)
class Judged:
    """One judgement of a task: on which definition, behind which cell, and what changed before."""

    verdict: TaskVerdict
    definition: int
    place: int  # -1 at the end
    begun: bool = True
    changed: tuple[str, ...] = ()

    def worth(self) -> tuple[float, bool]:
        """Return what orders two judgements of one definition."""
        return self.verdict.score, self.verdict.status is Status.GRADED


@dataclass
class Attempt:
    """What has come of one task so far.

    A task is judged at each of its places, and at the end of the notebook. What counts is the last
    definition that was begun, and of its judgements the best.
    """

    drawn: Drawn
    counts: Judged | None = None
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

    def weigh(self, new: Judged) -> None:
        """Take a judgement in, if it counts more than the one before."""
        old = self.counts
        if old is None or (new.definition != old.definition and (new.begun or self.last_only)):
            self.counts, self.remark = new, ""
        elif new.definition == old.definition:
            if new.place < 0 and new.verdict.score != old.verdict.score:
                self.remark = _otherwise(old, new)
            self.counts = max(old, new, key=Judged.worth)

    def fail(self, status: Status, why: str) -> None:
        """Settle it with a failure, unless the very definition that failed was judged before."""
        known = self.counts
        if known is None or self.calling not in (None, known.definition):
            self.counts = Judged(not_judged(self.drawn.exercise, status, why), -1, -1)
        self.settled = True

    def result(self) -> TaskVerdict:
        """Return the verdict, with what is to be said of how it came to it."""
        if self.counts is None:
            raise ValueError("it is not settled")
        verdict = self.counts.verdict
        if not self.remark:
            return verdict
        return replace(verdict, feedback=f"{self.remark}\n\n{verdict.feedback}".strip())


def _otherwise(own: Judged, end: Judged) -> str:
    """Say that the end of the notebook judges otherwise than the task's own place."""
    names = " and ".join(f"`{name}`" for name in end.changed)
    changed = f": by then {names} has another value" if names else ""
    counts = "first" if own.worth() >= end.worth() else "second"
    return (
        f"Behind code cell {own.place + 1} of your notebook this earns {own.verdict.score:g} of "
        f"{own.verdict.max_score:g} points, and {end.verdict.score:g} at its end{changed}. "
        f"The {counts} counts."
    )


# ---- the verdict on some outcomes


def judge_outcomes(
    attempt: Attempt, outcomes: Sequence[Outcome], cell_problems: Mapping[int, tuple[str, str]]
) -> TaskVerdict:
    """Judge what came of the calls of one definition, an outcome for each case.

    Of the cells that did not run to their end, `cell_problems` has the trouble, and it in words. A
    `MemoryError` is the grader's own, and nobody's verdict.
    """
    drawn, exercise = attempt.drawn, attempt.drawn.exercise
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
        report = refusal(exercise.name, exercise, message, "")
        return judged(exercise, report, Status.FORBIDDEN)
    status = _status(outcomes, report.passed, attempt.notes)
    missing = _missing_cell(outcomes, cell_problems)
    if status is Status.GRADED and missing is not None:
        # What it raised may be for want of that cell: this 0 is no judgement of the function.
        trouble, said = cell_problems[missing]
        remark = f"Every call raised an error, and code cell {missing + 1} is missing: {said}"
        return judged(exercise, report, OF_CELLS[trouble], remark)
    return judged(exercise, report, status)


def _missing_cell(
    outcomes: Sequence[Outcome], cell_problems: Mapping[int, tuple[str, str]]
) -> int | None:
    """Return the first cell that was stopped or left out, if every call raised an error."""
    if any(outcome.trouble != "raised" for outcome in outcomes):
        return None
    stopped = (i for i, (trouble, _) in cell_problems.items() if trouble in OF_CELLS)
    return min(stopped, default=None)


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
