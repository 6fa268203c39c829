"""Stand-ins for what a notebook imports and a grader does not need: plots, checks, displays.

They take every call and give nothing back, so that a cell that draws or checks does not stop.
Nothing can be computed from them.
"""

import dis
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any

#: Packages that only show something.
SHOWS = frozenset(
    [
        *("matplotlib", "seaborn", "plotly", "altair", "bokeh", "IPython", "ipywidgets"),
        *("tqdm", "rich", "pylab"),
    ]
)
_UNPACK = dis.opmap["UNPACK_SEQUENCE"]


class Silent:
    """Takes every call, and is what every call gives back."""

    def __call__(self, *_: Any, **__: Any) -> "Silent":  # noqa: ANN401, D102
        return self

    def __getattr__(self, name: str) -> "Silent":
        # NumPy asks for __array__, copy for __deepcopy__: it has none of those.
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, _: Any) -> "Silent":  # noqa: ANN401
        return self

    def __setitem__(self, _: Any, __: Any) -> None:  # noqa: ANN401
        pass

    def __iter__(self) -> Iterator["Silent"]:
        """Give as many as `fig, axes = subplots()` wants, and none to a loop."""
        frame = sys._getframe(1)
        code, at = frame.f_code.co_code, frame.f_lasti
        return iter([self] * (code[at + 1] if code[at] == _UNPACK else 0))

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True

    def __enter__(self) -> "Silent":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __gt__(self, _: Any) -> bool:  # noqa: ANN401 - `assert report.points > 0`
        return True

    __ge__ = __gt__

    def __lt__(self, _: Any) -> bool:  # noqa: ANN401
        return False

    __le__ = __lt__

    def __repr__(self) -> str:
        return ""


class SilentModule(types.ModuleType):
    """A module with every name in it."""

    def __getattr__(self, name: str) -> Silent:
        if name.startswith("__"):
            raise AttributeError(name)
        return Silent()


class SilentImports(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a `SilentModule` for each package that only shows something, and is not there."""

    def __init__(self, names: frozenset[str] = SHOWS) -> None:
        self.names = names

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Claim the packages, and all that is in them."""
        parents = name.split(".")
        if any(".".join(parents[: i + 1]) in self.names for i in range(len(parents))):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """Make the module."""
        return SilentModule(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Leave it as it is."""
