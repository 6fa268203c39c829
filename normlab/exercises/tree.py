"""The syntax tree of a learner's function, in which parts are exchanged and put back."""

import ast
import functools
from typing import Any, NamedTuple


class Place(NamedTuple):
    """Where a node hangs: in a list, or among the `vars` of its parent."""

    holder: Any
    key: str | int

    def get(self) -> Any:  # noqa: ANN401 - a node, or a list of them
        """Return what hangs there."""
        return self.holder[self.key]


class Function:
    """The tree of a function or class, and what the rules ask about it."""

    def __init__(self, tree: ast.AST) -> None:
        self.tree = tree
        self.expressions: list[tuple[Place, ast.expr]] = []
        self.blocks: list[Place] = []  # where a list of statements hangs
        self._walk(tree)
        arguments, stored, own = [], [], []
        #: The names that get a value in a plain assignment, by the number of that value's node.
        self.assigned: dict[int, str] = {}
        self.called: set[int] = set()
        for node in ast.walk(tree):
            match node:
                case ast.arg(name) if name != "self":
                    arguments.append(name)
                case ast.Name(name, ast.Store()) if name != "self":
                    stored.append(name)
                case ast.Attribute() if is_own(node):
                    own.append(ast.unparse(node))
                case ast.Assign([ast.Name(name), *_], value):
                    self.assigned[id(value)] = name
                case ast.Call(function):
                    self.called.add(id(function))
        self.arguments = list(dict.fromkeys(arguments))
        self.names = list(dict.fromkeys([*arguments, *stored]))
        #: What has a value here: names, and of a class `self.name`.
        self.values = [parsed(one) for one in dict.fromkeys([*self.names, *own])]

    def _walk(self, parent: ast.AST) -> None:
        for field, value in ast.iter_fields(parent):
            if field in ("decorator_list", "annotation", "returns", "args") and not isinstance(
                parent, ast.Call
            ):
                continue
            if isinstance(value, list):
                if value and isinstance(value[0], ast.stmt):
                    self.blocks.append(Place(vars(parent), field))
                children = [(Place(value, number), one) for number, one in enumerate(value)]
            else:
                children = [(Place(vars(parent), field), value)]
            for place, child in children:
                target = isinstance(getattr(child, "ctx", None), ast.Store | ast.Del)
                if isinstance(child, ast.expr) and not target:
                    self.expressions.append((place, child))
                if isinstance(child, ast.AST):
                    self._walk(child)

    def is_value(self, node: ast.expr) -> bool:
        """Whether a node stands for a value of its own, and is no function that is called."""
        return id(node) not in self.called and not isinstance(node, ast.Slice | ast.Starred)


def is_own(node: ast.AST) -> bool:
    """Whether a node is an attribute of `self`."""
    return isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "self"


# ---- new nodes


@functools.cache
def parsed(text: str) -> ast.expr:
    """Return the node of an expression; it is shared, and never changed."""
    return ast.parse(text, mode="eval").body


def located(new: ast.AST, old: ast.AST) -> Any:  # noqa: ANN401 - a node as `new`
    """Give a new node, and the new ones inside it, the line of the old."""
    if not hasattr(new, "lineno"):
        ast.copy_location(new, old)
        for child in ast.iter_child_nodes(new):
            located(child, old)
    return new
