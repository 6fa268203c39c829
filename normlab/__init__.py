"""normlab: a notebook course on normalization in PyTorch, and the small package under it.

The public names are loaded on first use, so that ``import normlab`` is quick and does not
import torch:

``check(name, answer)``
    Check an exercise and name the mistake.
``yours(name, function)``, ``guess(question, answer)``
    Go on with one's own function; guess before one looks.
``load_mnist()``
    MNIST, from the package itself.
``doctor(model)``
    What is suspicious about the norm layers of any torch model.
``nn``, ``data``, ``training``, ``parity``, ``plots``
    The rooms of the package; each one's docstring says what is in it.
"""

from importlib import import_module
from typing import Any

_ROOMS = ("checkup", "data", "exercises", "nn", "parity", "plots", "training")
_SHORTCUTS = {
    "check": "exercises",
    "doctor": "checkup",
    "guess": "exercises",
    "load_mnist": "data",
    "yours": "exercises",
}

__all__ = ["__version__", *_ROOMS, *_SHORTCUTS]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module or whatever it exports
    if name == "__version__":
        return _version()
    if name in _ROOMS:
        return import_module(f"normlab.{name}")
    if name in _SHORTCUTS:
        return getattr(import_module(f"normlab.{_SHORTCUTS[name]}"), name)
    raise AttributeError(f"module 'normlab' has no attribute {name!r}")


def _version() -> str:
    """Return the version that was installed: the last tag, and the commit if it has none."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("normlab")
    except PackageNotFoundError:
        return "0.1.0"


def __dir__() -> list[str]:
    return sorted(__all__)
