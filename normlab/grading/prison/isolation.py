"""What keeps a submission's code away from everything else on this machine.

There is one way, which is Linux's: each submission has namespaces of its own (users, processes,
mounts, network), a folder in memory that goes with them, limits, and a short list of system calls
(`normlab.grading.prison.sandbox.locks`). In a container that forbids namespaces, root can make a
submission nobody's, with the same limits and the same short list: that is less, and enough where
the container is thrown away after it, as in Gradescope. The last is none, which has to be asked
for. Each is tried before it is used: a process in the place of a submission says what it can reach,
and `Isolation.describe` tells what was seen to hold.
"""

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import normlab
from normlab.grading.prison.limits import Limits
from normlab.grading.prison.processes import (
    Asked,
    CannotStart,
    Gone,
    Late,
    Talk,
    Warm,
    begin_unprotected,
)
from normlab.grading.prison.view import View, make_view
from normlab.grading.prison.wire import WireError
from normlab.system import is_root, what_isolation_lacks

_PROBE_SECONDS = 20.0
_WHAT_TO_DO = (
    "have Linux 5.12 or newer with libseccomp, and allow user namespaces (sysctl "
    "user.max_user_namespaces=10000, on Ubuntu also "
    "kernel.apparmor_restrict_unprivileged_userns=0, for a container --security-opt "
    "seccomp=unconfined --security-opt systempaths=unconfined), or allow them to run unprotected "
    "with --no-isolation."
)


class NoIsolation(RuntimeError):  # noqa: N818 - it is a state of the machine
    """Nothing on this machine could keep a submission's code in its place."""


@dataclass(frozen=True)
class Isolation:
    """A way to run a submission's code. It is plain data and can be sent to another process.

    Parameters
    ----------
    name
        "namespaces", "nobody" or "none".
    held
        What was seen to hold when it was tried, in words.
    guarded
        What a submission that is nobody's must not be able to read or write.
    """

    name: str
    held: tuple[str, ...] = ()
    guarded: tuple[str, ...] = ()

    def describe(self) -> list[str]:
        """Say, line by line, what holds: for the head of a report."""
        if self.name == "none":
            return ["Isolation: NONE. The submissions ran with the rights of whoever graded them."]
        what = "a sandbox for each submission, in Linux namespaces"
        if self.name == "nobody":
            what = "a user who owns nothing; this machine forbids namespaces, which would be more"
        return [f"Isolation: {what}", *self.held]


def no_isolation() -> Isolation:
    """Return what runs a submission's code unprotected; only for code that is trusted."""
    return Isolation("none")


def nobodys(guarded: Sequence[Path]) -> Isolation:
    """Return what runs a submission's code as a user who owns nothing; only root can.

    That user must not reach what is guarded, nor this package's answers.
    """
    return Isolation("nobody", guarded=tuple(map(str, guarded)))


def best_isolation() -> Isolation:
    """Return the isolation that works here, after trying it.

    Raises
    ------
    NoIsolation
        There is none (macOS, Windows, or a Linux that forbids it); the message says why and what
        to do.
    """
    site = first_site(Limits())
    site.close()
    return site.isolation


def first_site(limits: Limits, isolation: Isolation | None = None) -> "Site":
    """Return a site without torch that has been tried; `NoIsolation` as in `best_isolation`."""
    site = Site(torch=False, limits=limits, isolation=isolation)
    try:
        site.start()
    except BaseException as problem:
        site.close()
        if isinstance(problem, CannotStart):
            raise _refusal(str(problem)[:200]) from None
        raise
    return site


class Site:
    """Where submissions run: begins a process for each, with one view.

    Without an isolation it takes the one that works here.
    """

    def __init__(self, torch: bool, limits: Limits, isolation: Isolation | None = None) -> None:
        self.isolation = isolation or Isolation("namespaces")
        self.limits = limits
        self.view: View = make_view(torch)
        self.warm: Warm | None = None
        self.starts = 0  # of warm processes

    def start(self) -> None:
        """Start the warm process, and try what it keeps a submission from.

        It raises `CannotStart` where it does not start here, and `NoIsolation` where a submission
        would reach what it must not.
        """
        if self.isolation.name == "none":
            return
        if self.isolation.name == "nobody":
            self._try_as_nobody()
            return
        if lacking := what_isolation_lacks():
            raise NoIsolation(
                f"{lacking}: grade them on Linux, or allow them to run unprotected with "
                "--no-isolation."
            )
        self.starts += 1
        self.warm = Warm(self.view, self.limits)
        found = _probe(self.warm.fork, _secrets(self.view), self.limits)
        if reached := _reached(found):
            raise _refusal(f"what runs in it {reached[0]}")
        self.isolation = Isolation("namespaces", _held(found["user"], _IN_NAMESPACES))

    def _try_as_nobody(self) -> None:
        if what_isolation_lacks() or not is_root():
            raise NoIsolation("Only root, on Linux, can make a submission nobody's.")
        guarded = [*map(Path, self.isolation.guarded), *_answers()]
        self.starts += 1
        self.warm = Warm(self.view, self.limits, "nobody")
        found = _probe(self.warm.fork, guarded, self.limits)
        if reached := _reached(found, _BEARABLE):
            raise NoIsolation(f"Submissions cannot be kept apart here: what runs {reached[0]}.")
        self.isolation = replace(self.isolation, held=_held(found["user"], _AS_NOBODY))

    def begin(self) -> Talk:
        """Begin the process of a submission; it raises what `start` does."""
        if self.isolation.name == "none":
            return begin_unprotected(self.view)
        if self.warm is None or not self.warm.works:
            self.start()
        assert self.warm is not None
        try:
            return self.warm.fork()
        except Gone:
            self.stop()
            raise CannotStart("the process that makes them has ended") from None

    def stop(self) -> None:
        """End the warm process; the next submission has another."""
        if self.warm is not None:
            self.warm.close()
            self.warm = None

    def close(self) -> None:
        """End the warm process, and remove the folder."""
        self.stop()
        self.view.remove()


# ---- try it


def _probe(begin: Callable[[], Talk], secrets: Iterable[Path], limits: Limits) -> dict[str, Any]:
    """Begin a submission's process, and ask it what it can do."""
    with tempfile.NamedTemporaryFile() as secret:
        request = {
            "do": "probe",
            "paths": [secret.name, *map(str, secrets)],
            "processes": [os.getpid(), os.getppid()],
            "file_size": limits.file_size,
            "memory": limits.memory + 2**20,
        }
        try:
            process = begin()  # it has a time of its own
            end = time.monotonic() + _PROBE_SECONDS
            try:
                return Asked(process, request, end, []).answer(end)
            finally:
                process.finish()
        except (Gone, Late, WireError) as problem:
            raise CannotStart(f"its trial did not answer: {type(problem).__name__}") from None


def _secrets(view: View) -> list[Path]:
    """List some of what no submission may see."""
    shown = [os.path.realpath(path) for path in [Path(sys.base_prefix), *view.links.values()]]
    found = _answers()
    for folder in (Path.home(), Path.cwd()):
        with contextlib.suppress(OSError):
            # The way to what is shown is there in outline.
            found += sorted(p for p in folder.iterdir() if not any(f"{p}/" in s for s in shown))[:5]
    return [*found, Path("/etc/passwd"), Path("/proc/self/environ"), Path("/proc/1/cmdline")]


def _answers() -> list[Path]:
    """List some of this package's files in which there are answers."""
    package = Path(normlab.__file__).parent
    return [package / "tasks" / "batch_norm_forward.toml", package / "nn" / "__init__.py"]


#: What a user who owns nothing may do in a container that is thrown away afterwards.
_BEARABLE = {
    *("can see other processes", "can fill more than its folder"),
    *(f"can write to {path}" for path in ("/tmp", "/dev/shm")),  # as everybody may
}


def _reached(found: dict[str, Any], bearable: Collection[str] = ()) -> list[str]:
    """Put into words what it could do, and must not."""
    could = [
        *(f"can read {path}" for path in found["reads"]),
        *(f"can write to {path}" for path in found["writes"]),
        *(f"can {deed}" for deed in found["does"]),
    ]
    return [one for one in could if one not in bearable]


#: What was seen to hold, where nothing was reached: of files, of processes, of what is limited.
_IN_NAMESPACES = (
    "files: Python and its libraries, read-only, and an empty folder of its own in memory, with a "
    "limit; not the home folder, the submissions, this package's answers or the gradebook",
    "processes: none can be started, and none of the machine's is in sight",
    "memory, processor time, file size, threads: limited, and the limits cannot be raised",
)
_AS_NOBODY = (
    "files: not the answers, the hand-in, the results or what belongs to root alone. It can read "
    "what everybody may read here, and write to /tmp",
    "processes: none can be started or signalled; that there are others it can see",
    "memory, processor time, size of a file, threads: limited, and the limits cannot be raised; "
    "what it writes in all is not",
)


def _held(user: int, what: tuple[str, str, str]) -> tuple[str, ...]:
    files, processes, limited = what
    return (
        f"user {user}, without rights of its own",
        files,
        "network: no socket can be made",
        processes,
        "system calls: those on a short list",
        limited,
    )


def _refusal(why: str) -> NoIsolation:
    return NoIsolation(f"Submissions cannot be isolated here ({why}): {_WHAT_TO_DO}")
