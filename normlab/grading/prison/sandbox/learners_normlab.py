"""What a submission finds under the name normlab: a check that says nothing, and the data."""

from typing import Any

# Set by the warm process, which knows the class that takes every call.
_SILENT: Any = None
_ROOMS = ("plots", "parity", "training")


def check(*_: Any, **__: Any) -> Any:  # noqa: ANN401
    """Check nothing: the grader does it, elsewhere."""
    return _SILENT


progress = check


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name == "load_mnist":
        from normlab.data import load_mnist

        return load_mnist
    if name in _ROOMS:
        return _SILENT
    raise AttributeError(f"module 'normlab' has no attribute {name!r} while it is graded")
