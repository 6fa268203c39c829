"""Tell by what verdicts are made: a digest of the engine, and of the tasks of an exercise.

A verdict is kept while both stay what they were, whatever a version number says.
"""

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

import normlab
from normlab.exercises.finding import tasks_of

_PACKAGE = Path(normlab.__file__).parent
#: What no verdict depends on: how work is found, kept, shown and handed on.
_BESIDE = {
    "exercises": (
        *("asking", "guessing", "line", "logbook", "panel", "sitting", "trying", "veil"),
    ),
    "grading/judge": ("__init__", "made_with"),
    "grading/prison": ("__init__", "leftovers"),
    "grading/prison/sandbox": (),
}
_SHARED = ("case.py", "drawing*.py", "scripts/together.py")


@functools.cache
def engine() -> str:
    """Return a digest of the code that judges, whatever the task is."""
    files = [
        path
        for room, beside in _BESIDE.items()
        for path in _PACKAGE.joinpath(room).glob("*.py")
        if path.stem not in beside
    ]
    files += [path for name in _SHARED for path in _PACKAGE.joinpath("tasks").glob(name)]
    return _digest(path.read_bytes() for path in sorted(files))


@functools.cache
def everything() -> str:
    """Return a digest of the rooms of which all machines of a cluster need the same."""
    rooms = [_PACKAGE / name for name in ("exercises", "grading", "nn", "tasks")]
    files = [path for room in rooms for path in room.rglob("*") if path.suffix in (".py", ".toml")]
    return _digest(path.read_bytes() for path in sorted(files))


def tasks(exercise: str) -> str:
    """Return a digest of all that is written of an exercise's tasks; "" where there is none."""
    try:
        return _digest(task.digest.encode() for task in tasks_of(exercise))
    except LookupError:
        return ""


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=12)
    for part in parts:
        digest.update(hashlib.blake2b(part, digest_size=12).digest())
    return digest.hexdigest()
