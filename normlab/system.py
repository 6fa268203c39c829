"""What one system has and another lacks: the one door to it, on the ground floor.

=====================================  =====  =====  =======  ===================================
what                                   Linux  macOS  Windows  where it is missing
=====================================  =====  =====  =======  ===================================
an alarm that stops an answer          yes    yes    no       the learner interrupts the kernel
copies of this process                 yes    no     no       each new one imports anew
a limit on a grading process's memory  yes    no     no       the system's own
whose a folder is, who is alive        yes    yes    no       leftovers are left to the system
a sandbox for submissions              yes    no     no       only with ``--no-isolation``
=====================================  =====  =====  =======  ===================================

macOS could copy a process, and limit one; its libraries do not bear the first, and it does not hold
to the second. What the sandbox itself is made of is in `normlab.grading.prison.sandbox`, which runs
on Linux alone.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

_CONTEXTS = contextlib.contextmanager.__code__.co_filename


def on_linux() -> bool:
    """Whether this is Linux."""
    return sys.platform.startswith("linux")


def on_windows() -> bool:
    """Whether this is Windows."""
    return sys.platform == "win32"


def start_method() -> str:
    """Return how `multiprocessing` begins a process."""
    return "fork" if on_linux() else "spawn"


def what_isolation_lacks() -> str:
    """Say why no submission can be isolated here; "" on Linux, where it has to be tried."""
    return "" if on_linux() else f"Submissions cannot be isolated on {sys.platform}"


@contextlib.contextmanager
def alarm(ring: Callable[[], None], seconds: float, again: float) -> Iterator[None]:
    """Call `ring` after so many seconds, and then again and again, until the block ends.

    It may raise an exception, which comes out of whatever is running in the block. On Windows, and
    in another thread than the main one, it never rings.
    """
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return
    inside, own = True, sys._getframe().f_code

    def note(_signal: int, frame: FrameType | None) -> None:
        # On the way in or out it must not ring, or the alarm would never be taken back.
        code = frame.f_code if frame else None
        on_the_way = code and (code is own or code.co_filename == _CONTEXTS)
        if inside and not on_the_way:
            ring()

    previous = signal.signal(signal.SIGALRM, note)
    remaining, interval = signal.setitimer(signal.ITIMER_REAL, seconds, again)
    start = time.monotonic()
    try:
        yield
    finally:
        inside = False  # the alarm may ring on the way out
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        if remaining:  # somebody else's alarm was set
            passed = time.monotonic() - start
            signal.setitimer(signal.ITIMER_REAL, max(remaining - passed, 0.001), interval)


def limit_memory(most: int) -> None:
    """Let this process have so many bytes beside those it has; only Linux holds to it."""
    if on_linux():
        import resource

        # A fork begins with the memory of whoever forked it, which may be more than `most`.
        status = Path("/proc/self/status").read_text()
        kibibytes = status.partition("VmData:")[2].split()[0]
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (1024 * int(kibibytes) + most, hard))


def signal_number(name: str) -> int:
    """Return the number of a signal, or 0 where the system has none of that name."""
    return int(getattr(signal, name, 0))


def knows_processes() -> bool:
    """Whether `is_ours` and `is_alive` have an answer; on Windows they have none."""
    return hasattr(os, "getuid")


def is_ours(found: os.stat_result) -> bool:
    """Whether a file is of the user who asks."""
    return found.st_uid == os.getuid()


def is_root() -> bool:
    """Whether this process may do everything; on Windows it is never said."""
    return hasattr(os, "getuid") and os.getuid() == 0


def is_alive(process: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it is another user's, or no number of a process
        return True
    return True


def has_a_screen() -> bool:
    """Whether a window can open; Windows and macOS are taken to have a screen."""
    return sys.platform in ("win32", "darwin") or any(
        os.environ.get(variable) for variable in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
