"""Read what a submission's process answered to a call. It may be anything."""

import unicodedata
from typing import Any

import numpy as np

from normlab.exercises.calling import Outcome, Unusable
from normlab.exercises.exercise import Exercise
from normlab.grading.prison.wire import WireError
from normlab.tasks.case import Arguments, Case, Outputs

_TROUBLES = frozenset(["", "raised", "not written", "time", "none", "type", "not called"])
# "Cf" turns the direction of a text around, or is not seen at all.
_CONTROL = ("Cc", "Cf", "Cs", "Co", "Cn")
_LONGEST_MESSAGE = 600
_LONGEST_PRINTED = 300
_MOST_NODES = 60
_MOST_WARNINGS = 3


def read_outcome(answer: Any, exercise: Exercise, case: Case) -> Outcome:  # noqa: ANN401
    """Turn an answer into an `Outcome`, as `normlab.exercises.judge` takes it.

    It comes from `sandbox.child`, or from a learner's code that has taken its place: then it is no
    more than an answer of the learner's. `WireError` where it is no answer.
    """
    if not isinstance(answer, dict):
        raise WireError("what is sent is no outcome")
    trouble, message = answer.get("trouble", ""), text(answer.get("message"), _LONGEST_MESSAGE)
    if trouble not in _TROUBLES:
        raise WireError("the answer names no trouble that there is")
    returned = answer.get("returned")
    if returned is not None:
        returned = _arrays(returned)
        if set(returned) != set(asked_for(exercise, case.arguments)):
            raise WireError("the answer holds other arrays than were asked for")
    if (returned is None) != bool(trouble):
        raise WireError("the answer contradicts itself")
    if exercise.use and returned is not None:
        try:
            returned = exercise.use.outputs(returned, case.arguments, exercise.returns)
        except Unusable as unusable:
            returned, trouble, message = None, unusable.trouble, str(unusable)
    nodes = _arrays(answer.get("nodes", {})) if exercise.nodes else {}
    modified = [name for name in _texts(answer, "modified") if name in case.arguments]
    printed = answer.get("printed_characters", 0)
    return Outcome(
        returned,
        trouble,
        message,
        tuple(modified),
        text(answer.get("printed"), _LONGEST_PRINTED),
        printed if type(printed) is int and printed >= 0 else 0,
        tuple(_texts(answer, "warned")[:_MOST_WARNINGS]),
        dict(list(nodes.items())[:_MOST_NODES]),
    )


def asked_for(exercise: Exercise, arguments: Arguments) -> tuple[str, ...]:
    """Name the arrays that a process is asked for: what is seen, where that is read here."""
    use, returns = exercise.use, exercise.returns
    return use.asked_for(arguments, returns) if use else returns


def _arrays(value: Any) -> Outputs:  # noqa: ANN401
    if not isinstance(value, dict):
        raise WireError("the answer holds no arrays")
    for array in value.values():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
            raise WireError("the answer holds something that is no array of numbers")
    return value


def _texts(answer: dict[str, Any], key: str) -> list[str]:
    value = answer.get(key, [])
    return [text(one, _LONGEST_MESSAGE) for one in value] if isinstance(value, list) else []


def text(value: Any, longest: int) -> str:  # noqa: ANN401
    """Return a text from a submission, fit to be shown: no longer, and without control codes."""
    if not isinstance(value, str):
        return ""
    kept = value[:longest]
    if kept.replace("\n", "").isprintable():
        return kept
    return "".join(
        one if one == "\n" or unicodedata.category(one) not in _CONTROL else "�" for one in kept
    )
