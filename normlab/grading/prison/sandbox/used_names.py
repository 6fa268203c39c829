"""Which globals a function uses, and whether they are still what they were.

A notebook's functions share its globals. Where a later cell changes one that a task uses, the task
may be worth something else from there on.
"""

import dis
import functools
import types
from typing import Any

import numpy as np

_MISSING = object()
_SMALL = 100  # numbers


def names_used_by(values: list[Any], names: dict[str, Any]) -> dict[str, Any]:
    """Return the globals that functions and classes read, and those that these read in turn.

    Each name has its value, or what tells it from the one that it has later.
    """
    found: dict[str, Any] = {}
    seen: dict[int, Any] = {}
    left = list(values)
    while left:
        value = left.pop()
        if id(value) in seen:
            continue
        seen[id(value)] = value
        left += _made_of(value)
        for name in _globals_of(value.__code__) if type(value) is types.FunctionType else ():
            if name not in found:
                left.append(names.get(name, _MISSING))
                found[name] = _token(left[-1])
    return found


def _token(value: Any) -> Any:  # noqa: ANN401
    """Return what is another one when a value is, and when a small one was changed in its place."""
    kind = type(value)
    if kind in (list, dict, set) and len(value) <= _SMALL:
        return repr(value)
    if kind is np.ndarray and value.size <= _SMALL:
        return value.dtype.str, value.shape, value.tobytes()
    return value


def same(one: Any, other: Any) -> bool:  # noqa: ANN401
    """Say whether two values are one, or tell the same."""
    return one is other or (type(one) is type(other) in (str, tuple) and one == other)


def _made_of(value: Any) -> list[Any]:  # noqa: ANN401
    """List what a function, or a class of the notebook, is made of."""
    kind = type(value)
    if kind is types.FunctionType:
        return [cell.cell_contents for cell in value.__closure__ or () if cell != types.CellType()]
    if kind is functools.partial:
        return [value.func]
    if kind is functools._lru_cache_wrapper:
        return [value.__wrapped__]
    if kind is property:
        return [value.fget, value.fset]
    if kind in (types.MethodType, staticmethod, classmethod):
        return [value.__func__]
    if isinstance(value, type) and value.__module__ == "__main__":
        return list(type.__getattribute__(value, "__dict__").values())
    return []


@functools.cache
def _globals_of(code: types.CodeType) -> tuple[str, ...]:
    names = [
        step.argval
        for step in dis.get_instructions(code)
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    ]
    inner = [one for one in code.co_consts if isinstance(one, types.CodeType)]
    return tuple(dict.fromkeys([*names, *(name for one in inner for name in _globals_of(one))]))
