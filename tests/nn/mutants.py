"""Planted mistakes: one small change of the source each, that the battery has to catch.

They stand in mutants.toml. The text as it is has to occur exactly once in the file, so that the
list cannot go stale unnoticed.
"""

import functools
import sys
import tomllib
import types
from pathlib import Path
from typing import NamedTuple

import normlab.nn

SOURCE = Path(normlab.nn.__file__).parent
# In the order in which they import one another.
FILES = (
    "precision",
    "checks",
    "vectors",
    "neighbours",
    "functional",
    "conditional",
    "module",
    "batchnorm",
    "instancenorm",
    "normalization",
    "parametrizations",
    "residual",
    "sync",
    "transforms",
)


class Mutant(NamedTuple):
    name: str
    file: str
    old: str
    new: str


def build(mutant: Mutant | None) -> types.ModuleType:
    """Execute the source of `normlab.nn`, with one mistake in it, as a package of its own."""
    package = types.ModuleType("mutant_nn")
    package.__path__ = []
    sys.modules["mutant_nn"] = package
    try:
        for name in (*FILES, "__init__"):
            code = _compiled(name, mutant if mutant and name == mutant.file else None)
            module = package
            if name != "__init__":
                module = types.ModuleType(f"mutant_nn.{name}")
                sys.modules[module.__name__] = module
                setattr(package, name, module)
            exec(code, module.__dict__)
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "mutant_nn"]:
            del sys.modules[name]
    return package


@functools.cache
def _compiled(name: str, mutant: Mutant | None) -> types.CodeType:
    text = (SOURCE / f"{name}.py").read_text(encoding="utf-8")
    if mutant is not None:
        assert text.count(mutant.old) == 1, f"{mutant.name}: not once in {name}.py"
        text = text.replace(mutant.old, mutant.new)
    return compile(text.replace("normlab.nn", "mutant_nn"), f"{name}.py", "exec")


_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_GROUPS = {
    group: [
        Mutant(name, file, *texts) for file, rows in files.items() for name, texts in rows.items()
    ]
    for group, files in _TABLE.items()
}
FUNCTIONAL = _GROUPS["functional"]
MUTANTS = [mutant for group in _GROUPS.values() for mutant in group]
