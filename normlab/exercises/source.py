"""A program's text, and what it becomes where some of it is written otherwise.

A task's model is a short program in the words of its lesson. A mistake is a small change of the
text, ``{"np.sqrt(var + eps)": "(np.sqrt(var) + eps)"}``, so that a catalogue of mistakes reads as a
list of diffs. The old text has to occur exactly once: so the list cannot go stale unnoticed.
"""

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from types import CodeType, MappingProxyType, ModuleType
from typing import Any, NamedTuple

from normlab.exercises.ways import CHOSEN, NO_EDITS, Edit, Edits, Ways


class Model:
    """A function or class, as text, from ``def`` or ``class`` on.

    `define` returns what its global names mean: the module that it stands in. It is asked when the
    program is run for the first time, since that module may import torch.
    """

    def __init__(self, name: str, text: str, define: Callable[[], ModuleType]) -> None:
        self.name, self.text, self.define = name, text, define
        #: The edits that will be asked for, and are compiled together.
        self.foreseen: list[Edits] = []
        self._programs: dict[Edits, Callable[..., Any]] = {}

    def edits(self, change: Mapping[str, str], times: int | Mapping[str, int] = 1) -> Edits:
        """Find the places where the text has to change, old text to new text.

        Each old text occurs so many `times`; or some of them do, and the others once.

        Raises
        ------
        LookupError
            An old text does not occur so often, or two changes are about the same place.
        """
        found: list[Edit] = []
        for old, new in change.items():
            places = list(re.finditer(re.escape(old), self.text)) if old else []
            wanted = times if isinstance(times, int) else times.get(old, 1)
            if len(places) != wanted:
                stands = f"{old!r} stands {_times(len(places))} in {self.name}"
                raise LookupError(f"{stands}, and not {_times(wanted)}")
            for place in places:
                edit = Edit(*place.span(), new)
                if any(edit.meets(other) for other in found):
                    raise LookupError(f"two changes in {self.name} meet at {old!r}")
                found.append(edit)
        return frozenset(found)

    def changed(self, edits: Iterable[Edit]) -> str:
        """Return the text with the edits made; they do not overlap."""
        text = self.text
        for edit in sorted(edits, reverse=True):
            text = text[: edit.start] + edit.new + text[edit.end :]
        return text

    def program(self, edits: Edits = NO_EDITS) -> Callable[..., Any]:
        """Return what the text defines, with the edits made; it may be a SyntaxError."""
        if edits not in self._programs:
            chosen = self._ways.chosen(edits) if edits else None
            text = self._ways.code if chosen else self.changed(edits)
            self._programs[edits] = self._defined(text, {CHOSEN: chosen})
        return self._programs[edits]

    def another(self) -> Callable[..., Any]:
        """Return what the text defines, made anew: nobody else has it."""
        return self._defined(self.text)

    @cached_property
    def _ways(self) -> Ways:
        return Ways(self.text, self.foreseen)

    def values(
        self,
        names: Iterable[str],
        *arguments: Any,  # noqa: ANN401
        edits: Iterable[Edit] = NO_EDITS,
    ) -> dict[str, Any]:
        """Call the function, and return what some of its names held at its one, last ``return``."""
        head, _, _ = self.changed(edits).rpartition("return ")
        returned = self._defined(f"{head}return locals()")(*arguments)
        return {name: returned[name] for name in names}

    def _defined(self, code: str | CodeType, more: Mapping[str, Any] = MappingProxyType({})) -> Any:  # noqa: ANN401 - a function or a class
        names = {**vars(self.define()), **more}
        if isinstance(code, str):
            code = compile(code, f"<{self.name}>", "exec")
        exec(code, names)
        return names[self.name]


def _times(count: int) -> str:
    return ("nowhere", "once", "twice")[count] if count < 3 else f"{count} times"


class Definition(NamedTuple):
    """A function or class in a module's text: its own text, and what it is called with."""

    text: str
    parameters: tuple[str, ...]


def definition(source: str, name: str) -> Definition:
    """Cut a function or class out of a module's text; nothing is run."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            lines = source.splitlines(keepends=True)[node.lineno - 1 : node.end_lineno]
            return Definition("".join(lines), _parameters(node))
    raise LookupError(f"nothing called {name} is defined in it")


def _parameters(node: ast.FunctionDef | ast.ClassDef) -> tuple[str, ...]:
    if isinstance(node, ast.FunctionDef):
        return tuple(argument.arg for argument in node.args.args)
    methods = [one for one in node.body if isinstance(one, ast.FunctionDef)]
    constructor = next((one for one in methods if one.name == "__init__"), None)
    return _parameters(constructor)[1:] if constructor else ()
