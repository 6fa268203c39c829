"""What keeps a submission's code away from everything else on this machine.

Three ways: bubblewrap, where it is installed; the kernel's own means (namespaces, Landlock,
seccomp), where it is not; and none, which has to be asked for. Each is tried before it is used:
a process of its kind says what it can reach, and `Isolation.describe` tells.
"""

import contextlib
import glob
import os
import shutil
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import normlab
from normlab.grading.limits import Limits
from normlab.grading.processes import Asked, CannotStart, Gone, Late, Plain, Talk, Warm
from normlab.grading.view import View, boot, make_view
from normlab.grading.wire import WireError

_T = TypeVar("_T")
_SCRATCH = "/scratch"
_BASE = "/normlab"
_PROBE_SECONDS = 20.0


class NoIsolation(RuntimeError):  # noqa: N818 - it is a state of the machine
    """Nothing on this machine could keep a submission's code in its place."""


@dataclass(frozen=True)
class Isolation:
    """A way to run a submission's code. It is plain data and can be sent to another process.

    Parameters
    ----------
    name
        "bubblewrap", "kernel" or "none".
    held
        What was seen to hold when it was tried, in words.
    """

    name: str
    held: tuple[str, ...] = ()

    def describe(self) -> list[str]:
        """Say, line by line, what holds: for the head of a report."""
        titles = {
            "bubblewrap": "Isolation: bubblewrap",
            "kernel": "Isolation: the kernel's own (namespaces, Landlock, seccomp)",
            "none": "Isolation: NONE. The submissions ran with the rights of whoever graded them.",
        }
        return [titles[self.name], *self.held]


def best_isolation() -> Isolation:
    """Return the best isolation that works here, after trying it.

    Raises
    ------
    NoIsolation
        There is none (macOS, Windows, or a Linux that forbids it); the message is one sentence
        that says why and what to do.
    """
    return _first_that_works(lambda name: Isolation(name, _what_holds(name)))


def best_site(limits: Limits) -> "Site":
    """Return a site of the best isolation that works here, with the warm process it was tried on.

    Raises
    ------
    NoIsolation
        As `best_isolation` does.
    """
    return _first_that_works(lambda name: _tried(name, limits))


def _first_that_works(attempt: Callable[[str], _T]) -> _T:
    if not sys.platform.startswith("linux"):
        raise NoIsolation(
            f"Submissions cannot be isolated on {sys.platform}: grade them on Linux, or allow "
            "them to run unprotected with --no-isolation."
        )
    problems = []
    for name in ("bubblewrap", "kernel"):
        try:
            return attempt(name)
        except NoIsolation as problem:
            problems.append(f"{name}: {problem}")
    raise NoIsolation(
        f"Submissions cannot be isolated here ({'; '.join(problems)}): install bubblewrap, or "
        "allow them to run unprotected with --no-isolation."
    )


def no_isolation() -> Isolation:
    """Return what runs a submission's code unprotected; only for code that is trusted."""
    return Isolation("none")


# ---- start


class Site:
    """Where submissions run: starts processes of one kind of isolation and one view.

    Parameters
    ----------
    isolation
        Which kind.
    torch
        Whether torch can be imported there.
    limits
        Of each submission.
    """

    def __init__(self, isolation: Isolation, torch: bool, limits: Limits) -> None:
        self.isolation, self.limits = isolation, limits
        self.view: View = make_view(torch)
        self.warm: Warm | None = None
        self.starts = 0  # of warm processes
        self.scratch = ""

    def begin(self) -> Talk:
        """Begin the process of a submission.

        Raises
        ------
        CannotStart
            It could not be started.
        """
        if self.isolation.name == "none":
            return Plain(self.view, self.limits)
        for _ in range(2):
            if self.warm is None or not self.warm.works:
                self.warm = self._start()
            try:
                return self.warm.fork()
            except Gone:
                self.warm.close()
        raise CannotStart("the warm process ends as soon as it has started")

    def _start(self) -> Warm:
        self.starts += 1
        if self.isolation.name == "bubblewrap":
            return Warm(bubblewrap_command(self.view, self.limits), self.limits)
        return Warm(self._kernel_command(), self.limits, start_new_session=True)

    def _kernel_command(self) -> list[str]:
        self.scratch = self.scratch or _make_scratch(self.view)
        options = ["kernel", *(["torch"] if self.view.torch else [])]
        return [sys.executable, *boot("warm"), str(self.view.folder), self.scratch, *options]

    def close(self) -> None:
        """End the warm process, and remove the folders."""
        if self.warm is not None:
            self.warm.close()
            self.warm = None
        self.view.remove()


def _make_scratch(view: View) -> str:
    scratch = view.folder / "scratch"
    scratch.mkdir()
    if os.getuid() == 0:
        os.chown(scratch, 65534, 65534)
    return str(scratch)


# ---- bubblewrap


def bubblewrap_command(view: View, limits: Limits) -> list[str]:
    """Return the command that starts a warm process inside bubblewrap.

    The system of files inside is made of what Python needs, read-only, and one folder in memory.
    """
    python = os.path.realpath(sys.executable)
    options = ["torch"] if view.torch else []
    program = [python, "-B", *boot("warm"), _BASE, _SCRATCH, *options]
    # Root keeps its user namespace and what it takes to become nobody, which is done first.
    root = ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    user = root if os.getuid() == 0 else ["--unshare-user"]
    return [
        *(_bubblewrap() or "bwrap", "--die-with-parent", "--new-session", "--cap-drop", "ALL"),
        *("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", *user),
        *("--hostname", "submission"),
        *_system(python),
        *_open_folders(f"{_BASE}/learner/normlab/any"),
        *_open_folders(f"{_BASE}/site/any"),
        *_installed(view),
        *("--perms", "0755", "--dir", "/dev"),
        *(part for device in ("null", "zero", "urandom") for part in _device(device)),
        *("--size", str(limits.file_size), "--perms", "0777", "--tmpfs", _SCRATCH),
        *("--remount-ro", "/", "--chdir", _SCRATCH, "--"),
        *program,
    ]


def _bubblewrap() -> str | None:
    return shutil.which("bwrap")


def _device(name: str) -> tuple[str, str, str]:
    return "--dev-bind", f"/dev/{name}", f"/dev/{name}"


def _system(python: str) -> list[str]:
    """Bind Python and the system's libraries, without the packages installed beside them."""
    parts = [*_open_folders(python), "--ro-bind", python, python]
    folders = [f"{sys.base_prefix}/lib", os.path.realpath(sysconfig.get_path("stdlib"))]
    folders += ["/usr/lib", "/usr/lib64", "/lib", "/lib64"]
    bound: list[str] = []
    for folder in folders:
        if os.path.islink(folder) and folder.count("/") == 1:
            parts += ["--symlink", os.readlink(folder), folder]
        elif os.path.isdir(folder) and not any(folder.startswith(f"{b}/") for b in bound):
            bound.append(folder)
            parts += [*_open_folders(folder), "--ro-bind", folder, folder]
    for folder in bound:
        for depth in ("", "*/", "*/*/"):
            for packages in glob.glob(f"{glob.escape(folder)}/{depth}*-packages"):
                if os.path.isdir(packages):
                    parts += ["--tmpfs", packages, "--remount-ro", packages]
    if os.path.exists("/etc/ld.so.cache"):
        parts += ["--ro-bind", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    return parts


def _open_folders(path: str) -> list[str]:
    """Make the folders above a path, for everybody: bubblewrap makes them for its user alone."""
    above = [str(folder) for folder in Path(path).parents][-2::-1]
    return [part for folder in above for part in ("--perms", "0755", "--dir", folder)]


def _installed(view: View) -> list[str]:
    parts = ["--ro-bind", f"{view.folder}/harness", f"{_BASE}/harness"]
    stub = "learner/normlab/__init__.py"
    parts += ["--ro-bind", f"{view.folder}/{stub}", f"{_BASE}/{stub}"]
    for name, path in view.links.items():
        parts += ["--ro-bind", os.path.realpath(path), f"{_BASE}/{name}"]
    return parts


# ---- try it


@cache
def _what_holds(name: str) -> tuple[str, ...]:
    """Try a kind of isolation, and return what was seen to hold.

    Raises
    ------
    NoIsolation
        It does not start, or it reaches what it must not.
    """
    site = _tried(name, Limits())
    site.close()
    return site.isolation.held


def _tried(name: str, limits: Limits) -> Site:
    """Start a process of this kind, and let it say what it can reach.

    Raises
    ------
    NoIsolation
        As `_what_holds` does.
    """
    if name == "bubblewrap" and _bubblewrap() is None:
        raise NoIsolation("it is not installed")
    site = Site(Isolation(name), torch=False, limits=limits)
    with contextlib.ExitStack() as unless_it_works:
        unless_it_works.callback(site.close)
        try:
            found = _probe(site)
        except CannotStart as problem:
            last = str(problem).splitlines()[-1]
            raise NoIsolation(f"it does not start ({last[:200]})") from None
        except (Gone, Late, WireError) as problem:
            raise NoIsolation(f"its trial did not answer ({type(problem).__name__})") from None
        if name == "kernel" and (found["sockets"] or found["forks"]):
            # Landlock knows neither datagrams nor a file's mode.
            raise NoIsolation("seccomp does not work here")
        site.isolation = Isolation(name, _judge(found))
        unless_it_works.pop_all()
    return site


def _probe(site: Site) -> dict[str, Any]:
    """Ask a submission's process what it can do."""
    end = time.monotonic() + _PROBE_SECONDS
    with tempfile.NamedTemporaryFile() as secret:
        paths = [secret.name, *map(str, _secrets())]
        process = site.begin()
        try:
            return Asked(process, {"do": "probe", "paths": paths}, end, []).answer(end)
        finally:
            process.finish()


def _secrets() -> list[Path]:
    """List some of what no submission may see."""
    package = Path(normlab.__file__).parent
    found = [package / "tasks" / "batch_norm_forward.toml", package / "nn" / "__init__.py"]
    python = os.path.realpath(sys.base_prefix)
    for folder in (Path.home(), Path.cwd()):
        with contextlib.suppress(OSError):
            # The way to Python is there in outline.
            inside = [path for path in folder.iterdir() if not python.startswith(str(path))]
            found += sorted(inside)[:5]
    return [*found, Path("/etc/passwd"), Path("/proc/self/environ"), Path("/proc/1/cmdline")]


def _judge(found: dict[str, Any]) -> tuple[str, ...]:
    """Put what was found into words; refuse what is not enough."""
    if found["reads"]:
        raise NoIsolation(f"it can read {found['reads'][0]}")
    if found["writes"]:
        raise NoIsolation(f"it can write to {found['writes'][0]}")
    if found["network"]:
        raise NoIsolation("it reaches the network")
    if found["user"] == 0:
        raise NoIsolation("it runs as root")
    return (
        f"user {found['user']}, without rights of its own",
        "files: Python and its libraries, read-only, and an empty folder of its own; not the "
        "home folder, the submissions, this package's answers or the gradebook",
        f"network: {'no socket can be made' if not found['sockets'] else 'none is reachable'}",
        "processes: "
        + ("none can be started" if not found["forks"] else "a limited number")
        + (", none of the machine's is in sight" if found["own_processes"] else ""),
        "memory, processor time, file size, threads, and time by the clock: limited",
    )
