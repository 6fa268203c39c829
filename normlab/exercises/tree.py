"""The syntax tree of a learner's function, in which parts are exchanged and put back."""

import ast
import functools
from typing import Any, NamedTuple


class Place(NamedTuple):
    """Where a node hangs: in an attribute of its parent, or in a list there."""

    holder: Any
    key: str | int

    def get(self) -> Any:  # noqa: ANN401 - a node, or a list of them
        """Return what hangs there."""
        return (
            self.holder[self.key] if isinstance(self.key, int) else getattr(self.holder, self.key)
        )

    def put(self, value: Any) -> None:  # noqa: ANN401
        """Hang something else there."""
        if isinstance(self.key, int):
            self.holder[self.key] = value
        else:
            setattr(self.holder, self.key, value)


class Function:
    """The tree of a function or class, and what the rules ask about it."""

    def __init__(self, tree: ast.AST) -> None:
        self.tree = tree
        self.expressions: list[tuple[Place, ast.expr]] = []
        self.blocks: list[tuple[Place, ast.AST]] = []  # a list of statements, and what holds it
        self._walk(tree)
        arguments = [node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)]
        self.arguments = [one for one in dict.fromkeys(arguments) if one != "self"]
        stored = [
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        ]
        self.names = [one for one in dict.fromkeys([*arguments, *stored]) if one != "self"]
        own = [ast.unparse(node) for node in ast.walk(tree) if is_own(node)]
        #: What has a value here: names, and of a class `self.name`.
        self.values = [parsed(one) for one in dict.fromkeys([*self.names, *own])]
        #: The names that get a value in a plain assignment, by the number of that value's node.
        self.assigned = {
            id(node.value): node.targets[0].id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
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
                    self.blocks.append((Place(parent, field), parent))
                children = [(Place(value, number), one) for number, one in enumerate(value)]
            else:
                children = [(Place(parent, field), value)]
            for place, child in children:
                if isinstance(child, ast.expr) and not _is_target(child):
                    self.expressions.append((place, child))
                if isinstance(child, ast.AST):
                    self._walk(child)

    def is_value(self, node: ast.expr) -> bool:
        """Whether a node stands for a value of its own, and is no function that is called."""
        return id(node) not in self.called and not isinstance(node, ast.Slice | ast.Starred)


def is_own(node: ast.AST) -> bool:
    """Whether a node is an attribute of `self`."""
    match node:
        case ast.Attribute(ast.Name("self")):
            return True
    return False


def _is_target(node: ast.expr) -> bool:
    return isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)


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
