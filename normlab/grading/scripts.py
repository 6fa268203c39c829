"""Send a submission's process the script that puts its class or program to use, and no more.

The scripts stand in modules that also hold the answers. cloudpickle takes one function out, with
those that it calls. Of a script in two halves it is the one that sees; what the grader reads out
of that stays here.
"""

import functools
import io
import sys
from collections.abc import Callable
from typing import Any

import cloudpickle

from normlab.exercises.exercise import Exercise
from normlab.exercises.programs import Script, loaded

# What is not there to be imported. The data is (`normlab.grading.view`).
_SENT = ("normlab.exercises", "normlab.training")


@functools.cache
def script_of(name: str, drive: Callable[..., Any]) -> bytes:
    """Return a script as bytes, for the process to load.

    Parameters
    ----------
    name
        Of the exercise.
    drive
        The script.
    """
    script = loaded(drive)
    rooms = [sys.modules[room] for room in _SENT if room in sys.modules]
    for room in rooms:
        cloudpickle.register_pickle_by_value(room)
    try:
        file = io.BytesIO()
        _Pickler(file).dump(script)
        return file.getvalue()
    finally:
        for room in rooms:
            cloudpickle.unregister_pickle_by_value(room)


class _Pickler(cloudpickle.Pickler):
    def reducer_override(self, value: Any) -> Any:  # noqa: ANN401
        # A cached function is known by its name alone, and nothing has that name there.
        if isinstance(value, functools._lru_cache_wrapper):
            return functools.partial, (value.__wrapped__,)
        return super().reducer_override(value)


def script_for(exercise: Exercise) -> bytes:
    """Return the script of an exercise, or b"" where its function is called as it is."""
    task = exercise.of_class or exercise.of_function
    if task is None:
        return b""
    halves = halves_of(exercise)
    return script_of(exercise.name, halves.drive if halves else task.drive)


def halves_of(exercise: Exercise) -> Script | None:
    """Return the script of an exercise, if it has two halves."""
    task = exercise.of_class or exercise.of_function
    return task.drive if task and isinstance(task.drive, Script) else None
