"""Every small change of a function's syntax tree, made in place and undone.

Nothing here knows what is right: a change is one that would undo a slip of the pen, such as
another axis, a missing bracket, or a line that stands inside a loop and belongs behind it. The
kinds come in the order in which they are tried, the plain ones first.
"""

import ast
import contextlib
import copy
import functools
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

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
    "number": "at the number in it.",
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

_REDUCTIONS = ("mean", "sum", "var", "std")
_AXES = ("0", "1", "-1", "None", "(0, 2, 3)", "(2, 3)", "(1, 2, 3)", "(0, 2)", "(0, 1)", "(1, 2)")
_AXES_OF_ANY_SHAPE = (
    "(0, *range(2, {x}.ndim))",
    "(*range(2, {x}.ndim),)",
    "(*range(1, {x}.ndim),)",
)
_LIBRARIES = ("np", "numpy", "torch")
_SIGNS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
_TURNED = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}
_OTHER_CALL = {
    "train": "eval",
    "eval": "train",
    "zeros": "ones",
    "ones": "zeros",
    "max": "min",
    "min": "max",
    "minimum": "maximum",
    "maximum": "minimum",
    "zeros_like": "ones_like",
    "append": "extend",
}


class _Place(NamedTuple):
    """Where a node hangs: in an attribute of its parent, or in a list there."""

    holder: Any
    key: str | int

    def get(self) -> Any:  # noqa: ANN401 - a node, or a list of them
        return (
            self.holder[self.key] if isinstance(self.key, int) else getattr(self.holder, self.key)
        )

    def put(self, value: Any) -> None:  # noqa: ANN401
        if isinstance(self.key, int):
            self.holder[self.key] = value
        else:
            setattr(self.holder, self.key, value)


@dataclass(frozen=True)
class Repair:
    """A change that would undo a slip.

    Parameters
    ----------
    kind
        One of `QUESTIONS`.
    lines
        The lines that it changes.
    changes
        What is put where.
    """

    kind: str
    lines: frozenset[int]
    changes: tuple[tuple[_Place, Any], ...]

    @contextlib.contextmanager
    def made(self) -> Iterator[None]:
        """Make the change, and undo it at the end of the block."""
        before = [(place, place.get()) for place, _ in self.changes]
        for place, new in self.changes:
            place.put(new)
        try:
            yield
        finally:
            for place, old in before:
                place.put(old)


def repairs(function: "Function", kind: str) -> Iterator[Repair]:
    """Yield every small change of a kind."""
    for of, rule in _EXPRESSIONS:
        if of == kind:
            yield from _of_expressions(function, kind, rule)
    for of, rule in _STATEMENTS:
        if of == kind:
            yield from rule(function)


def _of_expressions(function: "Function", kind: str, rule: "_Rule") -> Iterator[Repair]:
    alike: dict[tuple[str, str], list[tuple[_Place, ast.expr, int]]] = defaultdict(list)
    for place, node in function.expressions:
        for new in rule(node, function):
            located = _located(new, node)
            yield Repair(kind, frozenset({node.lineno}), ((place, located),))
            if kind in _MADE_EVERYWHERE:
                alike[_what_changes(node, new)].append((place, located, node.lineno))
    for changes in alike.values():
        if len(changes) > 1:
            lines = frozenset(line for _, _, line in changes)
            yield Repair(kind, lines, tuple((place, new) for place, new, _ in changes))


def _located(new: ast.AST, old: ast.AST) -> Any:  # noqa: ANN401 - a node as `new`
    """Give a new node, and the new ones inside it, the line of the old."""
    if not hasattr(new, "lineno"):
        ast.copy_location(new, old)
        for child in ast.iter_child_nodes(new):
            _located(child, old)
    return new


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


class Function:
    """The tree of a function or class, and what the rules ask about it."""

    def __init__(self, tree: ast.AST) -> None:
        self.tree = tree
        self.expressions: list[tuple[_Place, ast.expr]] = []
        self.blocks: list[tuple[_Place, ast.AST]] = []  # a list of statements, and what holds it
        self._walk(tree)
        arguments = [node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)]
        stored = [
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        ]
        self.names = [one for one in dict.fromkeys([*arguments, *stored]) if one != "self"]
        self.first = self.names[0] if self.names else ""
        own = [ast.unparse(node) for node in ast.walk(tree) if _is_own(node)]
        #: What has a value here: names, and of a class `self.name`.
        self.values = [_parsed(one) for one in dict.fromkeys([*self.names, *own])]
        called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        self.called = {id(node) for node in called}

    def _walk(self, parent: ast.AST) -> None:
        for field, value in ast.iter_fields(parent):
            if field in ("decorator_list", "annotation", "returns", "args") and not isinstance(
                parent, ast.Call
            ):
                continue
            if isinstance(value, list):
                if value and isinstance(value[0], ast.stmt):
                    self.blocks.append((_Place(parent, field), parent))
                children = [(_Place(value, number), one) for number, one in enumerate(value)]
            else:
                children = [(_Place(parent, field), value)]
            for place, child in children:
                if isinstance(child, ast.expr) and not _is_target(child):
                    self.expressions.append((place, child))
                if isinstance(child, ast.AST):
                    self._walk(child)

    def is_value(self, node: ast.expr) -> bool:
        """Whether a node stands for a value of its own, and is no function that is called."""
        return id(node) not in self.called and not isinstance(node, ast.Slice | ast.Starred)


def _is_own(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(ast.Name("self")):
            return True
    return False


def _is_target(node: ast.expr) -> bool:
    return isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)


# ---- one expression in place of another

_Rule = Callable[[ast.expr, Function], Iterator[ast.expr]]


@functools.cache
def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _axis_at(call: ast.Call) -> int:
    """Return the place of the axis among the arguments: behind the array in `np.mean(x, 0)`."""
    owner = call.func.value
    return 1 if isinstance(owner, ast.Name) and owner.id in _LIBRARIES else 0


def _is_reduction(node: ast.expr, names: tuple[str, ...] = _REDUCTIONS) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in names
    )


def _with(call: ast.Call, name: str, value: str | None) -> ast.Call:
    """Return a call with a keyword set, or without it."""
    others = [one for one in call.keywords if one.arg != name]
    added = [] if value is None else [ast.keyword(name, _parsed(value))]
    return ast.Call(call.func, call.args, [*others, *added])


def _keyword(call: ast.Call, *names: str) -> ast.keyword | None:
    return next((one for one in call.keywords if one.arg in names), None)


def _axes(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    if isinstance(node, ast.Tuple) and all(isinstance(one, ast.Constant) for one in node.elts):
        yield from (_parsed(axes) for axes in _AXES if axes != ast.unparse(node))
    if not _is_reduction(node):
        return
    number, given = _axis_at(node), _keyword(node, "axis", "dim")
    of_any_shape = (axes.format(x=function.first) for axes in _AXES_OF_ANY_SHAPE)
    for axes in (*_AXES, *of_any_shape):
        if given:
            if ast.unparse(given.value) != axes:
                yield _with(node, given.arg, axes)
        elif len(node.args) > number:
            if ast.unparse(node.args[number]) != axes:
                before, after = node.args[:number], node.args[number + 1 :]
                yield ast.Call(node.func, [*before, _parsed(axes), *after], node.keywords)
        elif axes != "None":
            yield _with(node, "axis", axes)


def _reduction(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    if _is_reduction(node):
        for name in _REDUCTIONS:
            if name != node.func.attr:
                func = ast.Attribute(node.func.value, name, ast.Load())
                yield ast.Call(func, node.args, node.keywords)


def _ddof(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    if _is_reduction(node, ("var", "std")):
        given = _keyword(node, "ddof", "correction", "unbiased")
        if given:
            other = {"0": "1", "1": "0", "True": "False", "False": "True"}
            yield _with(node, given.arg, other.get(ast.unparse(given.value), "0"))
        else:
            yield _with(node, "ddof", "1")


def _keepdims(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    if _is_reduction(node):
        given = _keyword(node, "keepdims", "keepdim")
        yield _with(node, given.arg, None) if given else _with(node, "keepdims", "True")


def _power(base: ast.expr, exponent: float) -> ast.expr:
    return ast.BinOp(base, ast.Pow(), ast.Constant(exponent))


def _root_of(node: ast.expr) -> ast.expr | None:
    """Return what stands under a root, or None where there is none."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        half = isinstance(node.right, ast.Constant) and node.right.value == 0.5
        return node.left if half else None
    if isinstance(node, ast.Call) and len(node.args) == 1:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        return node.args[0] if called == "sqrt" else None
    return None


def _root(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    inside = _root_of(node)
    if inside is not None:
        yield inside
        if isinstance(inside, ast.BinOp):
            yield ast.BinOp(_power(inside.left, 0.5), inside.op, inside.right)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        yield node.left
    elif isinstance(node, ast.Name | ast.BinOp | ast.Call | ast.Subscript) and function.is_value(
        node
    ):
        yield _power(node, 0.5)
        yield _power(node, 2)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        for one, other in ((node.left, node.right), (node.right, node.left)):
            under = _root_of(one)
            if under is not None:
                yield _power(ast.BinOp(under, node.op, other), 0.5)
        if _is_reduction(node.left, ("std",)):
            yield _power(ast.BinOp(_power(node.left, 2), node.op, node.right), 0.5)


_PRECEDENCE = {ast.Add: 1, ast.Sub: 1, ast.Mult: 2, ast.Div: 2, ast.FloorDiv: 2, ast.MatMult: 2}


def _strength(node: ast.expr) -> int:
    return _PRECEDENCE.get(type(node.op), 9) if isinstance(node, ast.BinOp) else 9


def _chain(node: ast.expr, opened: ast.expr | None) -> list[Any]:
    """Write a sum or product as it stands on the page: operand, sign, operand.

    What is in brackets is one operand; of `opened` the brackets are taken away.
    """
    if _strength(node) == 9:
        return [node]
    parts = []
    for side, within in ((node.left, _strength(node)), (node.right, _strength(node) + 1)):
        plain = _strength(side) >= within or side is opened
        parts.append(_chain(side, opened) if plain else [side])
    return [*parts[0], node.op, *parts[1]]


def _joined(chain: list[Any]) -> ast.expr:
    """Compute a chain as Python does: signs of one strength from left to right."""
    if len(chain) == 1:
        return chain[0]
    weakest = min(_PRECEDENCE[type(sign)] for sign in chain[1::2])
    place = max(i for i in range(1, len(chain), 2) if _PRECEDENCE[type(chain[i])] == weakest)
    return ast.BinOp(_joined(chain[:place]), chain[place], _joined(chain[place + 1 :]))


def _brackets(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    """Put one pair of brackets, take one away, or move one."""
    if _strength(node) == 9:
        return
    in_brackets = [one for one in _chain(node, None)[::2] if _strength(one) < 9]
    seen = {ast.dump(node)}
    for opened in (None, *in_brackets):
        chain = _chain(node, opened)
        spans = [(0, 1)] if opened else []  # without any new brackets
        spans += [(i, j) for i in range(0, len(chain), 2) for j in range(i + 3, len(chain) + 1, 2)]
        for start, end in spans:
            new = _joined([*chain[:start], _joined(chain[start:end]), *chain[end:]])
            if (said := ast.dump(new)) not in seen:
                seen.add(said)
                yield new


def _operator(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    match node:
        case ast.BinOp(left, sign, right):
            if type(sign) in _SIGNS:
                yield ast.BinOp(left, _SIGNS[type(sign)](), right)
            if isinstance(sign, ast.Sub | ast.Div):
                yield ast.BinOp(right, sign, left)
            yield from _other_signs(node)
        case ast.Compare(left, [sign], others):
            if type(sign) in _SIGNS:
                yield ast.Compare(left, [_SIGNS[type(sign)]()], others)
            if type(sign) in _TURNED:
                yield ast.Compare(left, [_TURNED[type(sign)]()], others)
        case ast.BoolOp(sign, values):
            yield ast.BoolOp(_SIGNS[type(sign)](), values)
        case ast.UnaryOp(_, operand):
            yield operand
            return
    if isinstance(node, ast.BinOp | ast.Call | ast.Name) and function.is_value(node):
        yield ast.UnaryOp(ast.USub(), node)


def _other_signs(node: ast.expr) -> Iterator[ast.expr]:
    """Exchange one sign of those on the page; what is computed first may be another thing then."""
    chain = _chain(node, None)
    for number in range(1, len(chain), 2):
        for other in (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.MatMult):
            if not isinstance(chain[number], other):
                yield _joined([*chain[:number], other(), *chain[number + 1 :]])


def _moved(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    """Take a term or factor out of its place, and let it come last of all."""
    if not isinstance(node, ast.BinOp):
        return
    for place, part in Function(ast.Expr(node)).expressions:
        if part is not node and isinstance(part, ast.BinOp) and type(part.op) in _PRECEDENCE:
            for rest, term in ((part.left, part.right), (part.right, part.left)):
                if term is part.left and isinstance(part.op, ast.Sub | ast.Div):
                    continue
                before = place.get()
                place.put(rest)
                whole = copy.deepcopy(node)
                place.put(before)
                yield ast.BinOp(whole, part.op, term)


def _other_call(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    if isinstance(node, ast.Attribute) and node.attr in _OTHER_CALL:
        yield ast.Attribute(node.value, _OTHER_CALL[node.attr], ast.Load())


def _number(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    if not isinstance(node, ast.Constant) or isinstance(node.value, str | bytes | None):
        return
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
        return
    if isinstance(value, int | float):
        others = {value + 1, value - 1, 0, 1, 2, -value, value / 2, 2 * value}
        yield from (ast.Constant(other) for other in sorted(others - {value}))
        yield from function.values


def _swapped(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    match node:
        case ast.Tuple(elts):
            for i in range(len(elts) - 1):
                yield ast.Tuple([*elts[:i], elts[i + 1], elts[i], *elts[i + 2 :]], ast.Load())
        case ast.Call(func, args, keywords):
            for i in range(len(args) - 1):
                exchanged = [*args[:i], args[i + 1], args[i], *args[i + 2 :]]
                yield ast.Call(func, exchanged, keywords)
        case ast.IfExp(test, one, other):
            yield ast.IfExp(test, other, one)


def _less(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    match node:
        case ast.BinOp(left, _, right):
            yield from (left, right)
        case ast.BoolOp(_, values):
            yield from values
        case ast.Call(ast.Attribute(ast.Name(library)), [first, *_]) if library in _LIBRARIES:
            yield first
        case ast.Call(ast.Attribute(owner)):
            yield owner
        case ast.Call(ast.Name(), [first, *_]):
            yield first
        case ast.Subscript(value):
            yield value
        case ast.Attribute(value, "T"):
            yield value
        case ast.IfExp(_, one, other):
            yield from (one, other)
        case ast.Slice(lower, upper, step):
            if lower:
                yield ast.Slice(None, upper, step)
            if upper:
                yield ast.Slice(lower, None, step)


def _other_name(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    own = _is_own(node) or (isinstance(node, ast.Name) and node.id in function.names)
    if (own or isinstance(node, ast.BinOp | ast.Subscript | ast.Call)) and function.is_value(node):
        said = ast.dump(node)
        yield from (other for other in function.values if ast.dump(other) != said)


def _other_shape(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    if isinstance(node, ast.Name | ast.Call | ast.Attribute) and function.is_value(node):
        for index in (":, None", "None", "..., None", ":, None, None", "..., None, None"):
            yield ast.Subscript(node, _parsed(f"_[{index}]").slice, ast.Load())
        yield ast.Attribute(node, "T", ast.Load())


def _more(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    if not function.is_value(node) or isinstance(node, ast.Tuple | ast.Constant | ast.keyword):
        return
    signs = (ast.Mult, ast.Div, ast.Add, ast.Sub)
    for sign in signs[2:]:
        yield ast.BinOp(node, sign(), ast.Constant(1))
    if function.first:
        count = _parsed(f"len({function.first})")
        yield from (ast.BinOp(node, sign(), count) for sign in signs[:2])
    for other in function.values:
        yield from (ast.BinOp(node, sign(), other) for sign in signs)


_EXPRESSIONS: tuple[tuple[str, _Rule], ...] = (
    ("axes", _axes),
    ("reduction", _reduction),
    ("ddof", _ddof),
    ("keepdims", _keepdims),
    ("root", _root),
    ("brackets", _brackets),
    ("operator", _operator),
    ("function", _other_call),
    ("number", _number),
    ("order", _swapped),
    ("order", _moved),
    ("term too many", _less),
    ("name", _other_name),
    ("shape", _other_shape),
    ("term missing", _more),
)


# ---- statements


def _repair(kind: str, line: int, *changes: tuple[_Place, Any]) -> Repair:
    return Repair(kind, frozenset({line}), changes)


def _blocks(function: Function) -> Iterator[Repair]:
    """Move the last line of a block behind it, or the line behind a block into it."""
    for place, _ in function.blocks:
        block = place.get()
        for number, holder in enumerate(block):
            if not isinstance(holder, ast.For | ast.While | ast.If | ast.With):
                continue
            inner, inside = _Place(holder, "body"), holder.body
            if len(inside) > 1:
                last = inside[-1]
                outer = [*block[: number + 1], last, *block[number + 1 :]]
                yield _repair("block", last.lineno, (inner, inside[:-1]), (place, outer))
            if number + 1 < len(block) and not isinstance(block[number + 1], ast.Return):
                follows = block[number + 1]
                outer = [*block[: number + 1], *block[number + 2 :]]
                yield _repair("block", follows.lineno, (inner, [*inside, follows]), (place, outer))
            if isinstance(holder, ast.With):
                spread = [*block[:number], *inside, *block[number + 1 :]]
                yield _repair("block", holder.lineno, (place, spread))


def _signs_of_assignments(function: Function) -> Iterator[Repair]:
    for place, _ in function.blocks:
        for statement in place.get():
            if isinstance(statement, ast.AugAssign) and type(statement.op) in _SIGNS:
                other = _SIGNS[type(statement.op)]()
                yield _repair("operator", statement.lineno, (_Place(statement, "op"), other))


def _orders(function: Function) -> Iterator[Repair]:
    """Exchange neighbours, and the names on the left of a ``=``."""
    for place, _ in function.blocks:
        block = place.get()
        for i in range(len(block) - 1):
            exchanged = [*block[:i], block[i + 1], block[i], *block[i + 2 :]]
            if not isinstance(block[i + 1], ast.Return):
                yield _repair("order", block[i + 1].lineno, (place, exchanged))
        for statement in block:
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Tuple):
                names = statement.targets[0].elts
                for i in range(len(names) - 1):
                    elts = [*names[:i], names[i + 1], names[i], *names[i + 2 :]]
                    change = (_Place(statement.targets[0], "elts"), elts)
                    yield _repair("order", statement.lineno, change)


def _conditions(function: Function) -> Iterator[Repair]:
    for node in ast.walk(function.tree):
        if isinstance(node, ast.If | ast.IfExp):
            place = _Place(node, "test")
            for new in (ast.UnaryOp(ast.Not(), node.test), ast.Constant(True), ast.Constant(False)):
                located = _located(new, node.test)
                yield _repair("condition", node.lineno, (place, located))
    for place, _ in function.blocks:
        block = place.get()
        for i, statement in enumerate(block):
            if isinstance(statement, ast.Break | ast.Continue):
                other = ast.Continue() if isinstance(statement, ast.Break) else ast.Break()
                new = ast.copy_location(other, statement)
                yield _repair("condition", statement.lineno, (_Place(block, i), new))


def _lines_too_many(function: Function) -> Iterator[Repair]:
    for place, _ in function.blocks:
        block = place.get()
        for i, statement in enumerate(block):
            if isinstance(statement, ast.FunctionDef | ast.Pass):
                continue
            rest = [*block[:i], *block[i + 1 :]] or [_located(ast.Pass(), statement)]
            yield _repair("line too many", statement.lineno, (place, rest))


def _reused_names(function: Function) -> Iterator[Repair]:
    """Let some later lines see what a name held before it was used again for something else."""
    for place, _ in function.blocks:
        block = place.get()
        for i, statement in enumerate(block):
            name = _assigned(statement)
            if name not in function.names:
                continue
            later = [_uses(one, name) for one in block[i + 1 :]]
            sets = [uses for uses in later if uses]
            everything = [use for uses in sets for use in uses]
            sets += [[use] for use in everything]
            sets += [[u for u in everything if u not in uses] for uses in sets]
            kept = ast.Assign([ast.Name("_kept", ast.Store())], ast.Name(name, ast.Load()))
            whole = [*block[:i], _located(kept, statement), *block[i:]]
            for uses in sets:
                old = [(_Place(use, "id"), "_kept") for use in uses]
                if old:
                    yield _repair("reused", statement.lineno, (place, whole), *old)


def _assigned(statement: ast.stmt) -> str:
    """Return the name that a plain assignment gives a value to, or ""."""
    match statement:
        case ast.Assign([ast.Name(name)]) | ast.AugAssign(ast.Name(name)):
            return name
    return ""


def _uses(statement: ast.stmt, name: str) -> list[ast.Name]:
    return [
        node
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
    ]


def _in_place(function: Function) -> Iterator[Repair]:
    for place, _ in function.blocks:
        block = place.get()
        for i, statement in enumerate(block):
            match statement:
                case ast.AugAssign(ast.Name(name) as target, sign, value):
                    whole = ast.BinOp(ast.Name(name, ast.Load()), sign, value)
                    new = ast.Assign([target], whole)
                case ast.Assign(targets, ast.Name() as value):
                    copy = ast.Attribute(value, "copy", ast.Load())
                    new = ast.Assign(targets, ast.Call(copy, [], []))
                case _:
                    continue
            located = _located(new, statement)
            yield _repair("in place", statement.lineno, (_Place(block, i), located))


_STATEMENTS: tuple[tuple[str, Callable[[Function], Iterator[Repair]]], ...] = (
    ("block", _blocks),
    ("operator", _signs_of_assignments),
    ("order", _orders),
    ("condition", _conditions),
    ("line too many", _lines_too_many),
    ("reused", _reused_names),
    ("in place", _in_place),
)
