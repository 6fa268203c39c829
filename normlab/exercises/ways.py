"""Compile a program once for all the ways in which single mistakes write it.

To compile the text of every mistake, and of every two of them, would take most of the time of a
diagnosis. Here each statement that some mistake changes stands in the program in every way it is
written, and a number says which of them is run. Two mistakes in two statements are two numbers.
"""

import ast
from collections.abc import Iterable, Iterator
from types import CodeType
from typing import NamedTuple

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

    Parameters
    ----------
    text
        The program.
    sets
        The edits that are made together.
    """

    def __init__(self, text: str, sets: Iterable[Edits]) -> None:
        self._text, tree = text, ast.parse(text)
        places = dict(_statements(tree, text))
        # What changes more than one simple statement at a time is compiled by itself.
        simple = {span for span, (_, one) in places.items() if not hasattr(one, "body")}
        sets = [edits for edits in sets if all(_around(edit, simple) for edit in edits)]
        self._units = sorted({_around(edit, simple) for edits in sets for edit in edits})
        self._numbers: list[dict[Edits, int]] = [{NO_EDITS: 0} for _ in self._units]
        for edits in sets:
            for known, part in zip(self._numbers, self._parts(edits), strict=True):
                known.setdefault(part, len(known))
        for number, (unit, known) in enumerate(zip(self._units, self._numbers, strict=True)):
            siblings, statement = places[unit]
            ways = [
                ast.If(_is_chosen(number, way), self._parsed(unit, statement, edits), [])
                for edits, way in known.items()
            ]
            place = siblings.index(statement)
            siblings[place : place + 1] = ways
        #: What defines the program, in a namespace where `CHOSEN` is what `chosen` gives.
        self.code: CodeType = compile(ast.fix_missing_locations(tree), "<ways>", "exec")

    def chosen(self, edits: Edits) -> tuple[int, ...] | None:
        """Return the numbers that stand for some edits, or None where they are not foreseen."""
        parts = self._parts(edits)
        if sum(map(len, parts)) < len(edits):
            return None
        numbers = [known.get(part) for known, part in zip(self._numbers, parts, strict=True)]
        return None if None in numbers else tuple(numbers)

    def _parts(self, edits: Edits) -> list[Edits]:
        """Sort edits by the units that they are about."""
        if not edits:
            return [NO_EDITS] * len(self._units)
        return [
            frozenset(edit for edit in edits if start <= edit.start and edit.end <= end)
            for start, end in self._units
        ]

    def _parsed(self, unit: _Span, statement: ast.stmt, edits: Edits) -> list[ast.stmt]:
        """Return the statements that a statement becomes with some edits inside it."""
        if not edits:
            return [statement]
        start, end = unit
        text = self._text[start:end]
        for edit in sorted(edits, reverse=True):
            text = text[: edit.start - start] + edit.new + text[edit.end - start :]
        indent = statement.col_offset
        return (
            ast.parse(f"if 1:\n {' ' * indent}{text}").body[0].body
            if indent
            else (ast.parse(text).body)
        )


def _statements(
    tree: ast.Module, text: str
) -> Iterator[tuple[_Span, tuple[list[ast.stmt], ast.stmt]]]:
    """Yield where each statement stands, to the end of its last line, and in which list."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node in ast.walk(tree):
        for block in (getattr(node, name, None) for name in ("body", "orelse", "finalbody")):
            for one in block if isinstance(block, list) else ():
                start = starts[one.lineno - 1] + one.col_offset
                yield (start, starts[one.end_lineno]), (block, one)


def _around(edit: Edit, spans: Iterable[_Span]) -> _Span | None:
    """Return the statement that an edit lies in."""
    inside = (span for span in spans if span[0] <= edit.start and edit.end <= span[1])
    return next(inside, None)


def _is_chosen(unit: int, way: int) -> ast.expr:
    chosen = ast.Subscript(ast.Name(CHOSEN, ast.Load()), ast.Constant(unit), ast.Load())
    return ast.Compare(chosen, [ast.Eq()], [ast.Constant(way)])
