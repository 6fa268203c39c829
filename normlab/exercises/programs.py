"""Exercises whose answer is a function of torch objects: a script puts it to use.

A case holds plain arrays, as everywhere. The script makes networks and tensors of them, calls the
learner's function, and returns plain arrays that say what the function did.

Where an aspect is a question (is a row's answer the same when it is alone?) a `Script` has two
halves: one runs beside the learner's program and brings back what was seen, in numbers; the other
answers the question from these numbers, and a grader runs it elsewhere.
"""

import functools
import hashlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from normlab.exercises.calling import Unusable, as_plain
from normlab.exercises.exercise import Arguments, Outputs

_MOST_KNOWN = 5000


@dataclass(frozen=True)
class FunctionTask:
    """What the learner's function takes, and how it is put to use.

    Parameters
    ----------
    parameters
        The names of the function's arguments.
    drive
        ``drive(function, *arguments)`` calls the function, maybe more than once, and returns
        what the exercise returns. It runs wherever the function is.
    """

    parameters: tuple[str, ...]
    drive: Callable[..., Any]

    def as_function(self, answer: Callable) -> Callable:
        """Return the function of the exercise's arguments that puts the learner's to use."""
        return functools.partial(loaded(self.drive), answer)


@dataclass(frozen=True)
class Later:
    """A function of a module that is imported at the first call.

    The catalogue is read for every check, and a check of a NumPy task must not wait for torch.

    Parameters
    ----------
    module, name
        Where the function is, and what it is called.
    """

    module: str
    name: str

    def __call__(self, *arguments: Any, **more: Any) -> Any:  # noqa: ANN401 - any function's
        """Import the module and call the function."""
        return self.load()(*arguments, **more)

    def load(self) -> Callable[..., Any]:
        """Import the module and return the function."""
        return getattr(import_module(self.module), self.name)


def loaded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what a `Later` stands for, so that no import counts as the learner's time."""
    return function.load() if isinstance(function, Later | Script) else function


@dataclass(frozen=True)
class Script:
    """A script in two halves: what is seen, and what it means.

    Parameters
    ----------
    drive
        As in `FunctionTask`, but it returns what it saw.
    seen
        The names of that.
    read
        ``read(*seen, *arguments)`` returns what the exercise returns, from arrays alone.
    """

    drive: Callable[..., Any]
    seen: tuple[str, ...]
    read: Callable[..., tuple]

    def __call__(self, answer: Callable, *arguments: Any, **more: Any) -> tuple:  # noqa: ANN401
        """Put an answer to use, and say at once what is seen."""
        return self.load()(answer, *arguments, **more)

    def load(self) -> Callable[..., tuple]:
        """Import what is needed, and return both halves as one function."""
        drive, read = loaded(self.drive), loaded(self.read)

        @functools.wraps(drive)
        def whole(answer: Callable, *arguments: Any) -> tuple:  # noqa: ANN401
            seen = as_plain(drive(answer, *arguments), self.seen)
            return _read(read, seen, arguments)

        return whole

    def outputs(self, seen: Outputs, arguments: Arguments, returns: tuple[str, ...]) -> Outputs:
        """Say what is seen, by name.

        Parameters
        ----------
        seen
            Arrays of the names in `seen`, wherever they come from.
        arguments
            Of the script.
        returns
            As in `normlab.exercises.exercise.Exercise`.

        Raises
        ------
        Unusable
            The arrays do not fit together.
        """
        ordered = {name: seen[name] for name in self.seen}
        return as_plain(_read(loaded(self.read), ordered, tuple(arguments.values())), returns)


def _read(read: Callable[..., tuple], seen: Outputs, arguments: tuple) -> tuple:
    try:
        with np.errstate(all="ignore"):
            return read(*seen.values(), *arguments)
    except (ValueError, RuntimeError, TypeError, IndexError) as problem:
        message = f"What was seen of it does not fit together: {problem}"
        raise Unusable("type", message) from None


def put_to_use(
    drive: Callable[..., Any],
    program: Callable[..., Any],
    parameters: tuple[str, ...],
    returns: tuple[str, ...],
) -> Callable[..., Outputs]:
    """Return a reference or a recipe: a program, put to use as the learner's is.

    Parameters
    ----------
    drive
        As in `FunctionTask` or `normlab.exercises.classes.ClassTask`.
    program
        A function or class that takes the place of the learner's. What is given by name beside
        the script's own arguments goes to it: the steps that a mistake changes.
    parameters, returns
        As in `normlab.exercises.exercise.Exercise`.
    """

    def outputs(**given: Any) -> Outputs:  # noqa: ANN401 - arguments of any kind
        steps = {name: value for name, value in given.items() if name not in parameters}
        key = tuple(_fingerprint(value) for value in given.values()), tuple(steps)
        if key not in known:
            if len(known) == _MOST_KNOWN:
                known.clear()
            arguments = [given[name] for name in parameters]
            returned = drive(functools.partial(program, **steps), *arguments)
            known[key] = [np.array(value, np.float64) for value in returned]
        return dict(zip(returns, known[key], strict=True))

    # Judgement and diagnosis ask the same again and again, and a network takes its time.
    known: dict[Hashable, list[np.ndarray]] = {}
    return outputs


def _fingerprint(value: Any) -> Hashable:  # noqa: ANN401 - an argument of any kind
    """Stand for an argument in a key; equal arrays have equal ones."""
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, hashlib.blake2b(value.tobytes()).digest()
    return value
