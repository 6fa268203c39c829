"""A copy of this process that does something else: quicker to have than a new one.

What this process has imported is there already. Copies are for Linux, and for a process of one
thread, where nothing is half done when the copy is made.
"""

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import NoReturn

_WAIT_SECONDS = 0.005  # until it is looked at again


def can_copy() -> bool:
    """Whether this process can be copied."""
    return sys.platform == "linux" and threading.active_count() == 1


class Copy:
    """A copy of this process that runs a function. It is used as a `subprocess.Popen`.

    Parameters
    ----------
    run
        What it does. Its standard input and output are pipes; when it returns, the copy ends.
    stderr
        A file descriptor, for what it complains about.
    """

    def __init__(self, run: Callable[[], None], stderr: int) -> None:
        asked, self_asks = os.pipe()
        self_reads, answers = os.pipe()
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            _become(run, asked, answers, stderr)
        os.close(asked)
        os.close(answers)
        self.stdin = os.fdopen(self_asks, "w", encoding="utf-8")
        self.stdout = os.fdopen(self_reads, encoding="utf-8")

    def poll(self) -> int | None:
        """Return how it ended, or None while it runs."""
        if self.returncode is None:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            if found:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends, and return how.

        Raises
        ------
        subprocess.TimeoutExpired
            It runs on.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if end is not None and time.monotonic() >= end:
                raise subprocess.TimeoutExpired("a copy", timeout)
            time.sleep(_WAIT_SECONDS)
        return status

    def kill(self) -> None:
        """End it at once."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def _become(run: Callable[[], None], asked: int, answers: int, stderr: int) -> NoReturn:
    """Be the copy: let go of all that was open, run the function, and end."""
    status = 1
    try:
        os.setsid()  # Ctrl-C in the terminal is for whoever made it
        for end, standard in ((asked, 0), (answers, 1), (stderr, 2)):
            os.dup2(end, standard)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        sys.stderr = os.fdopen(2, "w", closefd=False)
        run()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)
