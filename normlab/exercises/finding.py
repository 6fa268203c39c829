"""Find an exercise by its name: in the course, beside the notebooks, where NORMLAB_TASKS points."""

import functools
from pathlib import Path

from normlab.exercises import own
from normlab.exercises.exercise import Exercise
from normlab.exercises.loading import (
    TaskError,
    contents,
    exercise_of,
    places,
    written_in_the_course,
)
from normlab.names import did_you_mean


def find(name: str) -> Exercise:
    """Return the exercise of this name; no other is read.

    Raises
    ------
    LookupError
        There is none; the message says which name was probably meant.
    normlab.exercises.loading.TaskError
        It is a teacher's own, and something in its file is not as it should be.
    """
    if not isinstance(name, str):
        kind = type(name).__name__
        raise LookupError(f"The first argument is the exercise's name in quotes, not a {kind}.")
    if name in places():
        return _of_the_course(name)
    for file in own.files():
        if name in own.names_in(file):
            return find_in(file, name)
    names = [*places(), *(one for file in own.files() for one in own.names_in(file))]
    meant = did_you_mean(name, names, '"') or f"There are: {', '.join(names)}."
    raise LookupError(f'There is no exercise called "{name[:60]}". {meant}')


def find_in(file: Path, name: str) -> Exercise:
    """Return an exercise of a teacher's own file; a `TaskError`, too, where its name is taken."""
    return _of_a_teacher(file.resolve(), name, file.stat().st_mtime_ns)


def tasks_of(notebook: str) -> list[Exercise]:
    """Return the graded tasks of an exercise notebook, in their order; else a `LookupError`.

    It is named by the stem of its file's name, "02_batch_norm_forward", or of a teacher's own.
    """
    if notebook in contents():
        return [_of_the_course(name) for name in contents()[notebook]]
    for file in own.files():
        if file.stem == notebook:
            return [find_in(file, name) for name in own.names_in(file)]
    raise LookupError(f'There is no exercise notebook "{notebook[:60]}".')


def notebooks() -> list[str]:
    """List the stems of all exercise notebooks: the course's, then the teacher's own."""
    return list(dict.fromkeys([*contents(), *(file.stem for file in own.files())]))


def all_exercises() -> dict[str, Exercise]:
    """Return every exercise by name, in the order of the lessons, and then a teacher's own."""
    of_the_course = {name: _of_the_course(name) for name in places()}
    of_teachers = (task for file in own.files() for task in tasks_of(file.stem))
    return of_the_course | {task.name: task for task in of_teachers}


@functools.cache
def _of_the_course(name: str) -> Exercise:
    return exercise_of(written_in_the_course(name))


@functools.lru_cache(maxsize=64)
def _of_a_teacher(file: Path, name: str, _changed: int) -> Exercise:
    if name in places():
        raise TaskError(f"{name} is the name of a task of the course ({places()[name][0]}).", file)
    return exercise_of(own.written_by_a_teacher(file, name))
