"""Exercises whose answer is a class, or a function of torch objects: a script puts it to use.

A case holds plain arrays, as everywhere. The script's ``use(answer, *arguments)`` makes objects of
them, calls the learner's code, and returns plain arrays that say what it did. It runs wherever that
code is. Where an aspect is a question (is a row's answer the same when it is alone?) the script
brings back what was seen, and ``read`` answers the question from these numbers: the grader runs it
elsewhere. It computes nothing with an array that has not the shape it should have.
"""

import functools
import hashlib
import sys
import types
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from normlab.exercises.calling import Unusable, as_plain
from normlab.tasks.case import Arguments, Outputs

#: The modules of a script by their names, as text; its own comes last.
Texts = Mapping[str, str]
#: The size of each axis; None for any.
Shape = tuple[int | None, ...]

_KNOWN: dict[Hashable, list[np.ndarray]] = {}
_MOST_KNOWN = 5000


def load(texts: Texts) -> Callable[..., Any]:
    """Make a script's modules of their texts, and return its ``use``.

    They can import each other by name, and only while they are made.
    """
    modules = {name: types.ModuleType(name) for name in texts}
    sys.modules.update(modules)
    try:
        for name, text in texts.items():
            exec(compile(text, f"<normlab: {name}>", "exec"), vars(modules[name]))
    finally:
        for name in modules:
            del sys.modules[name]
    return modules[name].use


@dataclass(frozen=True)
class Use:
    """How an answer is put to use."""

    takes: tuple[str, ...]  # what the function, or the class's constructor, is called with
    methods: tuple[str, ...]  # those that the class must have; none for a function
    parameters: tuple[str, ...]  # what the script is given besides the answer
    texts: Texts = field(repr=False)  # the script
    # Returns a module with two functions. `seen(*arguments)` names what the script brings back,
    # with the shapes that each may have: one, a list of several, or None for any, where nothing is
    # computed with it. `read(*seen, *arguments)` returns what the exercise returns. Without a
    # reader the script does.
    reader: Callable[[], Any] | None = field(default=None, repr=False)

    @functools.cached_property
    def script(self) -> Callable[..., Any]:
        """The function that puts an answer to use; what it imports is imported now."""
        return load(self.texts)

    def as_function(self, answer: Callable) -> Callable:
        """Return the function of the exercise's arguments that puts the answer to use."""
        script = self.script  # now, so that no import counts as the learner's time
        if self.reader is None:
            return functools.partial(script, answer)
        reader = self.reader()

        def whole(*arguments: Any) -> tuple:  # noqa: ANN401
            names = tuple(reader.seen(*arguments))
            return _read(reader, as_plain(script(answer, *arguments), names), arguments)

        return whole

    def asked_for(self, arguments: Arguments, returns: tuple[str, ...]) -> tuple[str, ...]:
        """Name the arrays that the script brings back."""
        return tuple(self.reader().seen(*arguments.values())) if self.reader else returns

    def outputs(self, seen: Outputs, arguments: Arguments, returns: tuple[str, ...]) -> Outputs:
        """Say what is seen, by name, wherever the arrays come from.

        `Unusable` where one has another shape than it should have, or they do not fit together.
        """
        if self.reader is None:
            return seen
        return as_plain(_read(self.reader(), seen, tuple(arguments.values())), returns)

    def outputs_of(
        self, program: Callable[..., Any], arguments: Arguments, returns: tuple[str, ...]
    ) -> Outputs:
        """Put a known program to use, and return what comes of it by name.

        Judgement and diagnosis ask the same again and again, and a network takes its time: the
        last answers are kept.
        """
        key = program, tuple(_fingerprint(value) for value in arguments.values())
        if key not in _KNOWN:
            if len(_KNOWN) >= _MOST_KNOWN:
                _KNOWN.clear()
            returned = self.as_function(program)(*arguments.values())
            values = (returned,) if len(returns) == 1 else returned
            _KNOWN[key] = [np.array(value, np.float64) for value in values]
        return dict(zip(returns, _KNOWN[key], strict=True))


def _read(reader: Any, seen: Outputs, arguments: tuple) -> tuple:  # noqa: ANN401
    """Let a task say what it is that was seen, once every array has a shape that it may have."""
    arrays = []
    for name, shapes in reader.seen(*arguments).items():
        allowed = shapes if isinstance(shapes, list) else [shapes]
        if shapes is not None and not any(_fits(seen[name].shape, shape) for shape in allowed):
            said = f"What was seen of it, {name}, has the shape {seen[name].shape}"
            asked = " or ".join(map(str, allowed)).replace("None", "any")
            raise Unusable("type", f"{said}, where {asked} is asked.")
        arrays.append(seen[name].astype(np.float64))
    try:
        with np.errstate(all="ignore"):
            return reader.read(*arrays, *arguments)
    except (ValueError, RuntimeError, TypeError, IndexError) as problem:
        message = f"What was seen of it does not fit together: {problem}"
        raise Unusable("type", message) from None


def _fits(shape: tuple[int, ...], wanted: Shape) -> bool:
    return len(shape) == len(wanted) and all(
        size is None or size == own for own, size in zip(shape, wanted, strict=True)
    )


def _fingerprint(value: Any) -> Hashable:  # noqa: ANN401 - an argument of any kind
    """Stand for an argument in a key; equal arrays have equal ones."""
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, hashlib.blake2b(value.tobytes()).digest()
    return value
