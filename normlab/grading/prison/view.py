"""What a submission's process can import: NumPy, maybe torch, a silent normlab, and no answers."""

import contextlib
import importlib.metadata
import importlib.util
import py_compile
import re
import shutil
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import normlab
from normlab.grading.prison.leftovers import delete, make_folder

_PACKAGE = Path(normlab.__file__).parent
_SANDBOX = "grading/prison/sandbox"
#: The files of this package that run there, under their own names. None of them knows an answer.
_HARNESS = (
    "exercises/calling.py",
    "exercises/use.py",
    *("grading/prison/reading.py", "grading/prison/wire.py", "system.py", "tasks/case.py"),
    *(f"{_SANDBOX}/{name}.py" for name in ("child", "locks", "plain", "probe")),
    *(f"{_SANDBOX}/{name}.py" for name in ("rehearsal", "stage", "stand_ins", "used_names")),
    f"{_SANDBOX}/warm.py",
)
_ROOMS = ("", "exercises", "grading", "grading/prison", _SANDBOX, "tasks")
_ALWAYS = ("numpy", "pyseccomp")


@dataclass(frozen=True)
class View:
    """What may be imported, as a folder.

    In it are ``harness`` (our own modules), ``learner`` (the silent normlab), ``site`` (links to
    the installed packages) and ``root``, empty. `links` has, by path in it, what each stands for,
    and `search` the folders of installed packages where links cannot be made.
    """

    torch: bool
    folder: Path
    links: dict[str, Path] = field(default_factory=dict)
    search: tuple[str, ...] = ()

    @property
    def options(self) -> list[str]:
        """What a process is told of it, beside the folder."""
        return ["torch"] if self.torch else []

    def remove(self) -> None:
        """Delete the folder; what the links lead to stays."""
        delete(self.folder)


def make_view(torch: bool) -> View:
    """Make the folder, in the system's place for temporary ones."""
    folder = make_folder("view")
    folder.chmod(0o755)
    for name in _HARNESS:
        _copy(_PACKAGE / name, folder / "harness" / "normlab" / name)
    for inside in _ROOMS:
        (folder / "harness" / "normlab" / inside / "__init__.py").touch()
    silent = _PACKAGE / _SANDBOX / "learners_normlab.py"
    _copy(silent, folder / "learner" / "normlab" / "__init__.py")
    (folder / "site").mkdir()
    (folder / "root").mkdir()
    links = {f"site/{path.name}": path for path in installed(torch)}
    if torch:
        links["learner/normlab/data"] = _PACKAGE / "data"
    try:
        for name, path in links.items():
            (folder / name).symlink_to(path, target_is_directory=path.is_dir())
    except OSError:  # Windows, without the right to make links
        search = tuple({str(path.parent) for path in links.values()})
        return View(torch, folder, {}, search)
    return View(torch, folder, links)


def boot(module: str) -> list[str]:
    """Return what makes Python run a module of `sandbox`; its first word is the view's folder."""
    program = (
        "import sys\n"
        "sys.path += [f'{sys.argv[1]}/site', f'{sys.argv[1]}/harness']\n"
        f"from normlab.grading.prison.sandbox import {module}\n"
        f"{module}.main(*sys.argv[1:])"
    )
    return ["-I", "-S", "-c", program]


def _copy(source: Path, target: Path) -> None:
    """Copy a module, and what Python has compiled of it: there it could not keep that."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    shutil.copystat(source, target)  # the compiled one is known by its source's time
    target.chmod(0o644)
    with contextlib.suppress(OSError):
        compiled = Path(importlib.util.cache_from_source(target))
        compiled.parent.mkdir(exist_ok=True)
        shutil.copyfile(_compiled(source), compiled)


def _compiled(source: Path) -> Path:
    """Return where Python keeps a module compiled; those of `sandbox` nobody else imports."""
    kept = Path(importlib.util.cache_from_source(source))
    current = kept.exists() and kept.stat().st_mtime >= source.stat().st_mtime
    if not current and not sys.dont_write_bytecode:
        py_compile.compile(str(source), str(kept))
    return kept


@cache
def installed(torch: bool) -> tuple[Path, ...]:
    """List the files and folders of the installed packages that may be imported."""
    names = [*_ALWAYS, *(["torch"] if torch else [])]
    found: dict[str, Path] = {}
    seen: set[str] = set()
    while names:
        name = names.pop()
        if name not in seen:
            seen.add(name)
            found.update((path.name, path) for path in _top_level(name))
            names += _needed_by(name)
    return tuple(found.values())


def _top_level(name: str) -> list[Path]:
    """List what a distribution has laid into its folder of installed packages."""
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return _by_import(name)
    # Its own list of files is read as text: to make a path of each takes ten times as long.
    lines = (distribution.read_text("RECORD") or "").splitlines()
    tops = {line.partition(",")[0].strip('"').partition("/")[0] for line in lines}
    root = str(distribution.locate_file(""))
    tops -= {"", "..", "__pycache__"}
    if not tops:
        return _by_import(name)
    return [path for top in sorted(tops) if (path := Path(root, top)).exists()]


def _by_import(name: str) -> list[Path]:
    spec = importlib.util.find_spec(name)
    if spec is None:
        return []
    return [Path(place) for place in spec.submodule_search_locations or [spec.origin or ""]]


def _needed_by(name: str) -> list[str]:
    """Name what a distribution requires, without its extras."""
    try:
        required = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [
        found[0]
        for line in required
        if "extra ==" not in line and (found := re.match(r"[\w.-]+", line))
    ]
