"""Exercises whose answer is a class: it is used by a script of calls that returns arrays."""

import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from normlab.exercises.calling import Objection, borrowed
from normlab.exercises.programs import loaded


@dataclass(frozen=True)
class ClassTask:
    """What a class should have, and how it is put to use.

    Parameters
    ----------
    constructor
        The names of its constructor's arguments.
    methods
        The names of the methods that are called.
    drive
        ``drive(cls, *arguments)`` makes objects of the class, calls their methods, and returns
        what an exercise's function would return. It runs wherever the class is.
    """

    constructor: tuple[str, ...]
    methods: tuple[str, ...]
    drive: Callable[..., Any]

    def as_function(self, answer: Callable) -> Callable:
        """Return the function of the exercise's arguments that puts the class to use."""
        return functools.partial(loaded(self.drive), answer)

    def objection(self, answer: Any, name: str) -> Objection | None:  # noqa: ANN401
        """Say why `answer` cannot be used as the class of this name, or None where it can."""
        call = f"class {name}({', '.join(self.constructor)})"
        if not isinstance(answer, type):
            return Objection(
                f"This task asks for a class, and this is {_kind(answer)}.",
                f'give the class itself, without parentheses or quotes: check("{name}", {name})',
            )
        missing = [method for method in self.methods if not _has(answer, method)]
        if missing:
            methods = " and ".join(f"`{method}`" for method in missing)
            return Objection(
                f"Your class has no method {methods}.",
                "write the methods that the task names, inside the class.",
            )
        try:
            inspect.signature(answer).bind(*self.constructor)
        except TypeError:
            return Objection(
                f"An object of your class is made as {name}{inspect.signature(answer)}, and the "
                f"task's as {call.removeprefix('class ')}.",
                "let `__init__` take these arguments after `self`, in this order.",
            )
        except Exception:
            return None  # a signature that cannot be read: the calls will show
        return None


def borrowed_by_class(answer: type, forbidden: tuple[str, ...]) -> tuple[str, ...]:
    """Name the forbidden packages that a class inherits from, or its methods reach for."""
    found = {str(base.__module__).partition(".")[0] for base in answer.__mro__}
    for method in _methods_of(answer):
        found.update(borrowed(method, forbidden))
    return tuple(name for name in forbidden if name in found)


def _methods_of(answer: type) -> Iterator[Callable]:
    """Yield the functions in the bodies of a class and of its bases in the same file."""
    for base in answer.__mro__:
        if base.__module__ == answer.__module__:
            for value in vars(base).values():
                if isinstance(value, property):
                    yield from (part for part in (value.fget, value.fset) if part)
                elif callable(function := getattr(value, "__func__", value)):
                    yield function


def _has(answer: type, method: str) -> bool:
    return callable(inspect.getattr_static(answer, method, None))


def _kind(value: Any) -> str:  # noqa: ANN401
    if inspect.isroutine(value):
        return "a function"
    kind = type(value).__name__
    article = "an" if kind[:1].lower() in "aeiou" else "a"
    return "None" if value is None else f"{article} {kind}: an object, and no class"
