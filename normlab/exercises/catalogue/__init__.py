"""All exercises, one module a lesson. Each module has ``EXERCISES``, in the order of the lesson."""

import difflib
import functools
from importlib import import_module

from normlab.exercises.exercise import Exercise

_MODULES = (
    "normalize_data",
    "unit_vectors",
    "batch_norm_forward",
    "running_statistics",
    "batch_norm_eval",
    "batch_norm_layer",
    "batch_norm_fold",
    "batch_norm_backward",
    "mnist_with_batch_norm",
    "layer_norm",
    "layer_norm_backward",
    "layer_norm_padding",
    "instance_norm",
    "restyle",
    "group_norm",
    "group_norm_backward",
    "group_norm_ends",
    "rms_norm",
    "local_response_norm",
    "weight_norm",
    "merge_statistics",
    "choose_and_debug",
)


@functools.cache
def all_exercises() -> dict[str, Exercise]:
    """Return every exercise by its name, in the order of the lessons."""
    modules = (import_module(f"{__name__}.{module}") for module in _MODULES)
    return {exercise.name: exercise for module in modules for exercise in module.EXERCISES}


def find(name: str) -> Exercise:
    """Return the exercise of this name.

    Raises
    ------
    LookupError
        There is none; the message says which name was probably meant.
    """
    exercises = all_exercises()
    if not isinstance(name, str):
        kind = type(name).__name__
        raise LookupError(f"The first argument is the exercise's name in quotes, not a {kind}.")
    if name in exercises:
        return exercises[name]
    close = difflib.get_close_matches(name, exercises, n=1)
    meant = f'Did you mean "{close[0]}"?' if close else f"There are: {', '.join(exercises)}."
    raise LookupError(f'There is no exercise called "{name[:60]}". {meant}')
