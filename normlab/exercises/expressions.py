"""What could have been meant in the place of an expression: slips of the pen, undone."""

import ast
import copy
from collections.abc import Callable, Iterator
from typing import Any, TypeGuard

from normlab.exercises.tree import Function, is_own, parsed

_REDUCTIONS = ("mean", "sum", "var", "std")
_AXES = ("0", "1", "-1", "None", "(0, 2, 3)", "(2, 3)", "(1, 2, 3)", "(0, 2)", "(0, 1)", "(1, 2)")
_LIBRARIES = ("np", "numpy", "torch")
#: What is taken for each other, in both directions.
_SIGNS = (
    *((ast.Add, ast.Sub), (ast.Mult, ast.Div), (ast.And, ast.Or), (ast.Eq, ast.NotEq)),
    *((ast.Lt, ast.LtE), (ast.Gt, ast.GtE)),
)
_CALLS = (
    *(("train", "eval"), ("zeros", "ones"), ("zeros_like", "ones_like"), ("repeat", "tile")),
    *(("max", "min"), ("maximum", "minimum"), ("append", "extend")),
)
SIGNS: dict[type[ast.AST], Callable[[], Any]] = {
    ast.FloorDiv: ast.Div,
    **dict(_SIGNS),
    **{other: one for one, other in _SIGNS},
}
_TURNED = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}
_OTHER_CALL = {**dict(_CALLS), **{other: one for one, other in _CALLS}}

Rule = Callable[[ast.expr, Function], Iterator[ast.expr]]


class _Reduction(ast.Call):
    """What `_is_reduction` finds, for the type checker: a call of an attribute."""

    func: ast.Attribute


def _axis_at(call: _Reduction) -> int:
    """Return the place of the axis among the arguments: behind the array in `np.mean(x, 0)`."""
    owner = call.func.value
    return 1 if isinstance(owner, ast.Name) and owner.id in _LIBRARIES else 0


def _is_reduction(node: ast.expr, names: tuple[str, ...] = _REDUCTIONS) -> TypeGuard[_Reduction]:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in names
    )


def _with(call: ast.Call, name: str, value: str | None) -> ast.Call:
    """Return a call with a keyword set, or without it."""
    others = [one for one in call.keywords if one.arg != name]
    added = [] if value is None else [ast.keyword(name, parsed(value))]
    return ast.Call(call.func, call.args, [*others, *added])


def _keyword(call: ast.Call, *names: str) -> tuple[str, ast.expr] | None:
    return next(((one.arg, one.value) for one in call.keywords if one.arg in names), None)


def _axis(call: _Reduction) -> ast.expr | None:
    """Return what a reduction is given as its axis."""
    given, number = _keyword(call, "axis", "dim"), _axis_at(call)
    return given[1] if given else call.args[number] if len(call.args) > number else None


def _axes(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    reductions = [one for _, one in function.expressions if _is_reduction(one)]
    names = {getattr(_axis(one), "id", "") for one in reductions}
    every = (*_AXES, *_axes_of_any_shape(function.arguments))
    if isinstance(node, ast.Tuple) and all(isinstance(one, ast.Constant) for one in node.elts):
        yield from (parsed(axes) for axes in _AXES if axes != ast.unparse(node))
    if function.assigned.get(id(node)) in names:
        yield from map(parsed, every)
    if not _is_reduction(node):
        return
    axis = _axis(node)
    if getattr(axis, "id", "") in function.assigned.values():
        return  # it is changed where the name gets its value
    written = ast.unparse(axis) if axis else "None"
    keyword = next((one.arg for one in node.keywords if one.value is axis), None) or "axis"
    for axes in every:
        if axes == written:
            continue
        if axis in node.args:
            args = [parsed(axes) if one is axis else one for one in node.args]
            yield ast.Call(node.func, args, node.keywords)
        else:
            yield _with(node, keyword, axes)


def _axes_of_any_shape(arguments: list[str]) -> Iterator[str]:
    x = arguments[0] if arguments else "x"
    yield from (f"(0, *range(2, {x}.ndim))", f"(*range(2, {x}.ndim),)", f"(*range(1, {x}.ndim),)")
    for other in arguments[1:]:
        yield from (f"(*range(-{other}.ndim, 0),)", f"(*range({x}.ndim - {other}.ndim),)")


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
            name, value = given
            other = {"0": "1", "1": "0", "True": "False", "False": "True"}
            yield _with(node, name, other.get(ast.unparse(value), "0"))
        else:
            yield _with(node, "ddof", "1")


def _keepdims(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    if _is_reduction(node):
        given = _keyword(node, "keepdims", "keepdim")
        yield _with(node, given[0], None) if given else _with(node, "keepdims", "True")


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
    inside, terms = _root_of(node), ast.Name | ast.BinOp | ast.Call | ast.Subscript
    if inside is not None:
        yield inside
        if isinstance(inside, ast.BinOp):
            yield ast.BinOp(_power(inside.left, 0.5), inside.op, inside.right)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        yield node.left
    elif isinstance(node, terms) and function.is_value(node):
        yield from (_power(node, 0.5), _power(node, 2))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        for one, other in ((node.left, node.right), (node.right, node.left)):
            under = _root_of(one)
            if under is not None:
                yield _power(ast.BinOp(under, node.op, other), 0.5)
        if _is_reduction(node.left, ("std",)):
            yield _power(ast.BinOp(_power(node.left, 2), node.op, node.right), 0.5)


_PRECEDENCE = {ast.Add: 1, ast.Sub: 1, ast.Mult: 2, ast.Div: 2, ast.FloorDiv: 2, ast.MatMult: 2}


def _is_chain(node: ast.expr) -> TypeGuard[ast.BinOp]:
    return isinstance(node, ast.BinOp) and type(node.op) in _PRECEDENCE


def _chain(node: ast.expr, opened: ast.expr | None) -> list[Any]:
    """Write a sum or product as it stands on the page: operand, sign, operand.

    What is in brackets is one operand; of `opened` the brackets are taken away.
    """
    if not _is_chain(node):
        return [node]
    strength, parts = _PRECEDENCE[type(node.op)], []
    for side, within in ((node.left, strength), (node.right, strength + 1)):
        brackets = _is_chain(side) and _PRECEDENCE[type(side.op)] < within
        parts.append([side] if brackets and side is not opened else _chain(side, opened))
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
    if not _is_chain(node):
        return
    in_brackets = [one for one in _chain(node, None)[::2] if _is_chain(one)]
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
            if type(sign) in SIGNS:
                yield ast.BinOp(left, SIGNS[type(sign)](), right)
            if isinstance(sign, ast.Sub | ast.Div):
                yield ast.BinOp(right, sign, left)
            yield from _other_signs(node)
        case ast.Compare(left, [sign], others):
            if type(sign) in SIGNS:
                yield ast.Compare(left, [SIGNS[type(sign)]()], others)
            if type(sign) in _TURNED:
                yield ast.Compare(left, [_TURNED[type(sign)]()], others)
        case ast.BoolOp(sign, values):
            yield ast.BoolOp(SIGNS[type(sign)](), values)
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
    for (holder, key), part in Function(ast.Expr(node)).expressions:
        if part is not node and _is_chain(part):
            for rest, term in ((part.left, part.right), (part.right, part.left)):
                if term is part.left and isinstance(part.op, ast.Sub | ast.Div):
                    continue
                holder[key] = rest
                whole = copy.deepcopy(node)
                holder[key] = part
                yield ast.BinOp(whole, part.op, term)


def _other_call(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    if isinstance(node, ast.Attribute) and node.attr in _OTHER_CALL:
        yield ast.Attribute(node.value, _OTHER_CALL[node.attr], ast.Load())


def _number(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    match node:
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            others = {value + 1, value - 1, 0, 1, 2, -value, value / 2, 2 * value}
            yield from (ast.Constant(other) for other in sorted(others - {value}))
            yield from function.values


def _count(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    """Count something else."""
    match node:
        case ast.Subscript(ast.Attribute(_, "shape")) | ast.Attribute(_, "size" | "ndim"):
            pass
        case ast.Call(ast.Name("len")):
            pass
        case _:
            return
    said, first = ast.unparse(node), function.arguments[:1]
    others = [f"{x}{what}" for x in function.arguments for what in (".size", ".shape[1]", ".ndim")]
    others += [f"len({x})" for x in function.arguments]
    others += [f"({x}.ndim - {other}.ndim)" for x in first for other in function.arguments[1:]]
    others += [f"{x}{part}.size" for x in first for part in ("[0]", "[:, 0]", "[0, 0]")]
    yield from (parsed(other) for other in others if other != said)


def exchanged(some: list[Any]) -> Iterator[list[Any]]:
    """Exchange every two neighbours."""
    for i in range(len(some) - 1):
        yield [*some[:i], some[i + 1], some[i], *some[i + 2 :]]


def _swapped(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    match node:
        case ast.Tuple(elts):
            yield from (ast.Tuple(some, ast.Load()) for some in exchanged(elts))
        case ast.Call(func, args, keywords):
            yield from (ast.Call(func, some, keywords) for some in exchanged(args))
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
        case ast.Call(ast.Name(), [value, *_]) | ast.Call(ast.Attribute(value)):
            yield value
        case ast.Subscript(value) | ast.Attribute(value, "T"):
            yield value
        case ast.IfExp(_, one, other):
            yield from (one, other)
        case ast.Slice(lower, upper, step):
            if lower:
                yield ast.Slice(None, upper, step)
            if upper:
                yield ast.Slice(lower, None, step)


def _other_name(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    own = is_own(node) or (isinstance(node, ast.Name) and node.id in function.names)
    if (own or isinstance(node, ast.BinOp | ast.Subscript | ast.Call)) and function.is_value(node):
        said = ast.dump(node)
        yield from (other for other in function.values if ast.dump(other) != said)


def _other_shape(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    if not function.is_value(node):
        return
    if isinstance(node, ast.BinOp):
        yield ast.Attribute(node, "T", ast.Load())
    if isinstance(node, ast.Name | ast.Call | ast.Attribute):
        for index in (":, None", "None", "..., None", ":, None, None", "..., None, None"):
            written: Any = parsed(f"_[{index}]")
            yield ast.Subscript(node, written.slice, ast.Load())
        yield ast.Attribute(node, "T", ast.Load())


def _more(node: ast.expr, function: Function) -> Iterator[ast.expr]:
    if not function.is_value(node) or isinstance(node, ast.Tuple | ast.Constant | ast.keyword):
        return
    signs = (ast.Mult, ast.Div, ast.Add, ast.Sub)
    for sign in signs[2:]:
        yield ast.BinOp(node, sign(), ast.Constant(1))
    for first in function.arguments[:1]:
        count = parsed(f"len({first})")
        yield from (ast.BinOp(node, sign(), count) for sign in signs[:2])
    for other in function.values:
        yield from (ast.BinOp(node, sign(), other) for sign in signs)


EXPRESSIONS: tuple[tuple[str, Rule], ...] = (
    ("axes", _axes),
    ("reduction", _reduction),
    ("ddof", _ddof),
    ("keepdims", _keepdims),
    ("root", _root),
    ("brackets", _brackets),
    ("operator", _operator),
    ("function", _other_call),
    ("number", _number),
    ("number", _count),
    ("order", _swapped),
    ("order", _moved),
    ("term too many", _less),
    ("name", _other_name),
    ("shape", _other_shape),
    ("term missing", _more),
)
