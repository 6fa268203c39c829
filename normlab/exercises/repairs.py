"""Every small change of a function's syntax tree, made in place and undone.

Nothing here knows what is right: a change is one that would undo a slip of the pen, such as
another axis, a missing bracket, or a line that stands inside a loop and belongs behind it. The
kinds come in the order in which they are tried, the plain ones first.
"""

import ast
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from normlab.exercises.expressions import EXPRESSIONS, SIGNS, Rule, exchanged
from normlab.exercises.tree import Function, Place, located

#: What to ask of a line, by the kind of the change that mends it. Never the change itself.
QUESTIONS = {
    "axes": "at the axes: over what is it taken, and what stays apart?",
    "reduction": "at what is taken: a sum, a mean, a variance or a standard deviation?",
    "ddof": "at what the variance divides by.",
    "keepdims": "at the shapes: print them, and see how NumPy lines them up.",
    "root": "at the root or the square: what does it stand over, and is it needed?",
    "brackets": "at what is computed first.",
    "operator": "at each sign: work it out with two small numbers.",
    "block": "at what this line belongs to: how often does it run, and when?",
    "function": "at what is called there, and what that does.",
    "number": "at the number in it: what does it stand for?",
    "order": "at the order in which things stand.",
    "condition": "at the condition: for which cases does it hold?",
    "term too many": "at each part: what if one of them were not there?",
    "line too many": "at what it does: what if this line were not there?",
    "reused": "at the name on its left: from here on it means something else. "
    "Who still needs the old one?",
    "name": "at each name: print what it holds there.",
    "in place": "at whose array is written into.",
    "shape": "at the shapes: print them, and see how NumPy lines them up.",
    "term missing": "at what might be missing there.",
}

#: The kinds whose question fits the line even where changes of another kind mend it as well.
TELLING = ("axes", "reduction", "ddof", "keepdims", "brackets", "block", "function", "reused")
ANY_KIND = "at each part of it: work it out with two small numbers."

#: The kinds of slips that people make in several places at once.
_MADE_EVERYWHERE = ("axes", "reduction", "ddof", "keepdims", "number")

#: The kinds that tell the line even where other repairs elsewhere do as well.
SIMPLE = ("axes", "reduction", "ddof", "keepdims", "root", "brackets", "operator", "block")


@dataclass(frozen=True)
class Repair:
    """A change that would undo a slip: its kind, the lines that it changes, and what goes where."""

    kind: str
    lines: frozenset[int]
    changes: tuple[tuple[Place, Any], ...]

    @contextlib.contextmanager
    def made(self) -> Iterator[None]:
        """Make the change, and undo it at the end of the block."""
        before = [(place, place.get()) for place, _ in self.changes]
        for (holder, key), new in self.changes:
            holder[key] = new
        try:
            yield
        finally:
            for (holder, key), old in before:
                holder[key] = old


def repairs(function: Function, kind: str) -> Iterator[Repair]:
    """Yield every small change of a kind."""
    for of, rule in EXPRESSIONS:
        if of == kind:
            yield from _of_expressions(function, kind, rule)
    for of, changed in _STATEMENTS:
        if of == kind:
            yield from changed(function)


def _of_expressions(function: Function, kind: str, rule: Rule) -> Iterator[Repair]:
    alike: dict[tuple[str, str], list[tuple[Place, ast.expr, int]]] = defaultdict(list)
    for place, node in function.expressions:
        for new in rule(node, function):
            placed = located(new, node)
            yield _repair(kind, node.lineno, (place, placed))
            if kind in _MADE_EVERYWHERE:
                alike[_what_changes(node, new)].append((place, placed, node.lineno))
    for changes in alike.values():
        if len(changes) > 1:
            lines = frozenset(line for _, _, line in changes)
            yield Repair(kind, lines, tuple((place, new) for place, new, _ in changes))


def _what_changes(old: ast.expr, new: ast.expr) -> tuple[str, str]:
    """Return what differs between two calls: the same in `x.mean(0)` and `x.var(0)`."""
    if not (isinstance(old, ast.Call) and isinstance(new, ast.Call)):
        return ast.dump(old), ast.dump(new)
    kinds = [getattr(call.func, "attr", "") for call in (old, new)]
    if kinds[0] != kinds[1]:
        return kinds[0], kinds[1]
    rests = [[ast.dump(one) for one in (*call.args, *call.keywords)] for call in (old, new)]
    gone, come = ([one for one in a if one not in b] for a, b in (rests, rests[::-1]))
    return "".join(gone), "".join(come)


# ---- statements


def _repair(kind: str, line: int, *changes: tuple[Place, Any]) -> Repair:
    return Repair(kind, frozenset({line}), changes)


def _statements(function: Function) -> Iterator[tuple[Place, list[ast.stmt], int, Any]]:
    """Yield every statement behind its block's place, the block, and its number in that."""
    for place in function.blocks:
        block = place.get()
        for number, statement in enumerate(block):
            yield place, block, number, statement


def _blocks(function: Function) -> Iterator[Repair]:
    """Move the last line of a block behind it, or the line behind a block into it."""
    for place, block, i, holder in _statements(function):
        if not isinstance(holder, ast.For | ast.While | ast.If | ast.With):
            continue
        before, after = block[:i], block[i + 1 :]
        inner, inside = Place(vars(holder), "body"), holder.body
        if len(inside) > 1:
            outer = [*before, holder, inside[-1], *after]
            yield _repair("block", inside[-1].lineno, (inner, inside[:-1]), (place, outer))
        if after and not isinstance(after[0], ast.Return):
            longer, outer = [*inside, after[0]], [*before, holder, *after[1:]]
            yield _repair("block", after[0].lineno, (inner, longer), (place, outer))
        if isinstance(holder, ast.With):
            yield _repair("block", holder.lineno, (place, [*before, *inside, *after]))


def _signs_of_assignments(function: Function) -> Iterator[Repair]:
    for *_, statement in _statements(function):
        if isinstance(statement, ast.AugAssign) and type(statement.op) in SIGNS:
            other = SIGNS[type(statement.op)]()
            yield _repair("operator", statement.lineno, (Place(vars(statement), "op"), other))


def _orders(function: Function) -> Iterator[Repair]:
    """Exchange neighbours, and the names on the left of a ``=``."""
    for place in function.blocks:
        block = place.get()
        for statement, other in zip(block[1:], exchanged(block), strict=True):
            if not isinstance(statement, ast.Return):
                yield _repair("order", statement.lineno, (place, other))
        for statement in block:
            match statement:
                case ast.Assign([ast.Tuple(names) as target, *_]):
                    left = Place(vars(target), "elts")
                    for other in exchanged(names):
                        yield _repair("order", statement.lineno, (left, other))


def _conditions(function: Function) -> Iterator[Repair]:
    for node in ast.walk(function.tree):
        if isinstance(node, ast.If | ast.IfExp):
            place = Place(vars(node), "test")
            for new in (ast.UnaryOp(ast.Not(), node.test), ast.Constant(True), ast.Constant(False)):
                yield _repair("condition", node.lineno, (place, located(new, node.test)))
    for _, block, i, statement in _statements(function):
        if isinstance(statement, ast.Break | ast.Continue):
            other = ast.Continue() if isinstance(statement, ast.Break) else ast.Break()
            change = Place(block, i), located(other, statement)
            yield _repair("condition", statement.lineno, change)


def _lines_too_many(function: Function) -> Iterator[Repair]:
    for place, block, i, statement in _statements(function):
        if not isinstance(statement, ast.FunctionDef | ast.Pass):
            rest = [*block[:i], *block[i + 1 :]] or [located(ast.Pass(), statement)]
            yield _repair("line too many", statement.lineno, (place, rest))


def _reused_names(function: Function) -> Iterator[Repair]:
    """Let some later lines see what a name held before it was used again for something else."""
    for place, block, i, statement in _statements(function):
        match statement:
            case ast.Assign([ast.Name(name)]) | ast.AugAssign(ast.Name(name)):
                pass
            case _:
                continue
        sets = [uses for later in block[i + 1 :] if (uses := _uses(later, name))]
        everything = [use for uses in sets for use in uses]
        sets += [[use] for use in everything]
        sets += [[u for u in everything if u not in uses] for uses in sets]
        kept = ast.Assign([ast.Name("_kept", ast.Store())], ast.Name(name, ast.Load()))
        whole = [*block[:i], located(kept, statement), *block[i:]]
        for uses in filter(None, sets):
            old = [(Place(vars(use), "id"), "_kept") for use in uses]
            yield _repair("reused", statement.lineno, (place, whole), *old)


def _uses(statement: ast.stmt, name: str) -> list[ast.Name]:
    return [
        node
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
    ]


def _in_place(function: Function) -> Iterator[Repair]:
    for _, block, i, statement in _statements(function):
        match statement:
            case ast.AugAssign(ast.Name(name) as target, sign, value):
                whole = ast.BinOp(ast.Name(name, ast.Load()), sign, value)
                new = ast.Assign([target], whole)
            case ast.Assign(targets, ast.Name() as value):
                copy = ast.Attribute(value, "copy", ast.Load())
                new = ast.Assign(targets, ast.Call(copy, [], []))
            case _:
                continue
        yield _repair("in place", statement.lineno, (Place(block, i), located(new, statement)))


_STATEMENTS: tuple[tuple[str, Callable[[Function], Iterator[Repair]]], ...] = (
    ("block", _blocks),
    ("operator", _signs_of_assignments),
    ("order", _orders),
    ("condition", _conditions),
    ("line too many", _lines_too_many),
    ("reused", _reused_names),
    ("in place", _in_place),
)
