"""Compile a program once for all the ways in which single mistakes write it.

To compile the text of every mistake, and of every two of them, would take most of the time of a
diagnosis. Here each statement that some mistake changes stands in the program in every way it is
written, and a number says which of them is run. Two mistakes in two statements are two numbers.
"""

import ast
import contextlib
from collections.abc import Iterable, Iterator
from types import CodeType
from typing import Any, NamedTuple

#: What the numbers are called among the program's global names.
CHOSEN = "_chosen_ways"

_Span = tuple[int, int]


class Edit(NamedTuple):
    """Write `new` for what stands from `start` to `end`."""

    start: int
    end: int
    new: str

    def meets(self, other: "Edit") -> bool:
        """Whether both are about some same letter."""
        return self.start < other.end and other.start < self.end


Edits = frozenset[Edit]
NO_EDITS: Edits = frozenset()


class Ways:
    """A program in all the ways in which some sets of edits write it.

    What changes more than a statement, or the head of one, at a time is left out: it has to be
    compiled by itself.
    """

    def __init__(self, text: str, sets: Iterable[Edits]) -> None:
        self._text, tree = text, ast.parse(text)
        places = dict(_statements(tree, text))
        self._units = list(places)
        ways: list[dict[Edits, list[ast.stmt]]] = [{} for _ in places]
        for edits in sets:
            for unit, known, part in zip(places, ways, self._parts(edits), strict=True):
                if part and part not in known:
                    with contextlib.suppress(SyntaxError):
                        known[part] = self._written(unit, places[unit][1], part)
        changed = [number for number, known in enumerate(ways) if known]
        self._units = [self._units[number] for number in changed]
        self._numbers = [{NO_EDITS: 0} for _ in changed]
        for index, number in enumerate(changed):
            siblings, statement = places[(unit := self._units[index])]
            branches = [ast.If(_is_chosen(index, 0), [statement], [])]
            for way, (edits, body) in enumerate(ways[number].items(), 1):
                self._numbers[index][edits] = way
                branches.append(ast.If(_is_chosen(index, way), body, []))
            place = siblings.index(statement)
            siblings[place : place + 1] = branches
        #: What defines the program, in a namespace where `CHOSEN` is what `chosen` gives.
        self.code: CodeType = compile(ast.fix_missing_locations(tree), "<ways>", "exec")

    def chosen(self, edits: Edits) -> tuple[int, ...] | None:
        """Return the numbers that stand for some edits, or None where they are not foreseen."""
        parts = self._parts(edits)
        if sum(map(len, parts)) < len(edits):
            return None
        ways = tuple(known.get(part, -1) for known, part in zip(self._numbers, parts, strict=True))
        return None if -1 in ways else ways

    def _parts(self, edits: Edits) -> list[Edits]:
        """Sort edits by the units that they are about."""
        return [
            frozenset(edit for edit in edits if start <= edit.start and edit.end <= end)
            for start, end in self._units
        ]

    def _written(self, unit: _Span, statement: ast.stmt, edits: Edits) -> list[ast.stmt]:
        """Return the statements that a statement becomes with some edits inside it."""
        start, end = unit
        text = self._text[start:end]
        for edit in sorted(edits, reverse=True):
            text = text[: edit.start - start] + edit.new + text[edit.end - start :]
        indent = " " * (statement.col_offset + 1)
        if not hasattr(statement, "body"):
            return _indented(f"{indent}{text}")
        *before, head = _indented(f"{indent}{text.rstrip()} pass")
        head.body = statement.body
        if hasattr(statement, "orelse"):
            head.orelse = statement.orelse
        return [*before, head]


def _indented(text: str) -> list[Any]:
    block: Any = ast.parse(f"if 1:\n{text}").body[0]
    return block.body


def _statements(
    tree: ast.Module, text: str
) -> Iterator[tuple[_Span, tuple[list[ast.stmt], ast.stmt]]]:
    """Yield where each statement stands, to its line's end, and in which list of statements.

    Of a statement that holds others it is the head.
    """
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node in ast.walk(tree):
        blocks = [getattr(node, name, None) for name in ("body", "orelse")]
        for block in (one for one in blocks if isinstance(one, list)):
            for one in block:
                head = one.body[0].lineno - 1 if hasattr(one, "body") else one.end_lineno
                yield (starts[one.lineno - 1] + one.col_offset, starts[head]), (block, one)


def _is_chosen(unit: int, way: int) -> ast.expr:
    chosen = ast.Subscript(ast.Name(CHOSEN, ast.Load()), ast.Constant(unit), ast.Load())
    return ast.Compare(chosen, [ast.Eq()], [ast.Constant(way)])
