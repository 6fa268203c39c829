"""Make exercises of torch programs, without importing torch: that waits for the first check."""

from typing import Any

from normlab.exercises.classes import ClassTask
from normlab.exercises.exercise import Exercise
from normlab.exercises.programs import FunctionTask, Later, Script, put_to_use


def torch_exercise(
    lesson: str,
    module: str,
    name: str,
    programs: str,
    learners: tuple[str, ...],
    parameters: tuple[str, ...],
    returns: tuple[str, ...],
    seen: tuple[str, ...] = (),
    **more: Any,  # noqa: ANN401 - the rest of an exercise
) -> Exercise:
    """Make an exercise of the programs of one name.

    Parameters
    ----------
    lesson
        Its number.
    module
        Where the programs are: the script ``use_...``, the right program ``..._mended``, and the
        same ``..._in_steps`` (of a class ``...Mended`` and ``...InSteps``).
    name
        Of the learner's function or class; a class begins with a capital letter.
    programs
        As in ``use_...``.
    learners
        What the learner's function, or its class's constructor, takes.
    parameters, returns
        Of the script.
    seen
        What ``use_...`` returns, where that has first to be read: by ``read_...``.
    """
    drive: Later | Script = Later(module, f"use_{programs}")
    if seen:
        drive = Script(drive, seen, Later(module, f"read_{programs}"))
    is_class = name[0].isupper()
    kind: dict[str, Any] = (
        {"of_class": ClassTask(learners, ("forward",), drive)}
        if is_class
        else {"of_function": FunctionTask(learners, drive)}
    )
    mended, in_steps = (
        (f"{name}Mended", f"{name}InSteps")
        if is_class
        else (f"{programs}_mended", f"{programs}_in_steps")
    )
    return Exercise(
        name=name,
        lesson=lesson,
        parameters=parameters,
        returns=returns,
        reference=put_to_use(drive, Later(module, mended), parameters, returns),
        recipe=put_to_use(drive, Later(module, in_steps), parameters, returns),
        forbidden=("normlab",),
        **kind,
        **more,
    )
