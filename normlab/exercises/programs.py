"""Exercises whose answer is a function of torch objects: a script puts it to use.

A case holds plain arrays, as everywhere. The script makes networks and tensors of them, calls the
learner's function, and returns plain arrays that say what the function did.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any


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
        return functools.partial(self.drive, answer)


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
        return getattr(import_module(self.module), self.name)(*arguments, **more)
