"""The processes of submissions, seen from the grader: start them, talk to them, end them."""

import contextlib
import itertools
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import Any, Protocol

from normlab.grading import wire
from normlab.grading.leftovers import make_folder
from normlab.grading.limits import Limits
from normlab.grading.view import View, boot

#: The most bytes that one answer may have.
LARGEST_ANSWER = 8 * 2**20
_HEAD = struct.Struct("<I")
_LIMITS = struct.Struct("<QdQQ")  # as in sandbox.warm
_USED = struct.Struct("<iddQ")
_START_SECONDS = 120.0
_END_SECONDS = 10.0
_CLOSE_SECONDS = 2.0
#: The environment of a submission: nothing of the teacher's, and one thread.
ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "LC_ALL": "C.UTF-8",
    "HOME": "/nowhere",
}


class Gone(Exception):  # noqa: N818 - it is about a process, and no error of ours
    """The submission's process has ended."""


class Late(Exception):  # noqa: N818
    """The time was up before the submission's process answered."""


class CannotStart(RuntimeError):  # noqa: N818
    """The process could not be started; the message is what it said."""


@dataclass(frozen=True)
class Used:
    """What became of a process, and what it used.

    Parameters
    ----------
    status
        As `os.wait` gives it; -1 where it had not ended by itself.
    seconds
        Processor time of the submission's process.
    own_seconds
        Processor time of the warm process for it.
    memory
        The largest resident size, in bytes.
    """

    status: int = -1
    seconds: float = 0.0
    own_seconds: float = 0.0
    memory: int = 0


class Talk(Protocol):
    """A submission's process, to talk to."""

    def send(self, message: Any, end: float) -> None:  # noqa: ANN401
        """Send a message before the time `end`."""

    def receive(self, end: float) -> Any:  # noqa: ANN401
        """Return its answer, if it comes before the time `end`."""

    def finish(self, gone: bool = False) -> Used:
        """End the process, whatever it does; `gone` says that it seems to have ended."""


# ---- with a warm process


class Warm:
    """A warm process, which forks a child for each submission.

    Parameters
    ----------
    command
        Starts it; its standard input will be the control socket.
    limits
        Of each child.
    """

    def __init__(self, command: list[str], limits: Limits, **how: Any) -> None:  # noqa: ANN401
        ours, theirs = socket.socketpair()
        self.control = ours
        self.limits = limits
        with tempfile.TemporaryFile() as said, theirs:
            self.process = subprocess.Popen(
                command, stdin=theirs, stdout=said, stderr=said, env=ENVIRONMENT, **how
            )
            theirs.close()
            ours.settimeout(_START_SECONDS)
            try:
                ready = ours.recv(1)
            except OSError:
                ready = b""
            if ready != b"R":
                self.close()
                said.seek(0)
                words = said.read(4000).decode("utf-8", "replace").strip()
                raise CannotStart(words or "it ended without a word")

    def fork(self) -> "Forked":
        """Begin a submission's process.

        Raises
        ------
        Gone
            The warm process is no more.
        """
        ours, theirs = socket.socketpair()
        limits = self.limits
        packed = _LIMITS.pack(limits.memory, limits.seconds, limits.file_size, limits.threads)
        try:
            socket.send_fds(self.control, [b"F" + packed], [theirs.fileno()])
        except OSError:
            ours.close()
            raise Gone from None
        finally:
            theirs.close()
        return Forked(self, ours)

    def end_child(self, gone: bool) -> Used:
        """End the submission's process, and everything that it has started."""
        self.control.settimeout(_END_SECONDS)
        try:
            self.control.send(b"G" if gone else b"E")
            answer = self.control.recv(_USED.size)
            return Used(*_USED.unpack(answer))
        except (OSError, struct.error):
            self.close()
            raise Gone from None

    @property
    def works(self) -> bool:
        """Whether it can fork another child."""
        return self.process.poll() is None and self.control.fileno() >= 0

    def close(self) -> None:
        """End it, and with it everything inside."""
        self.control.close()  # it ends by itself, and its processor time is counted
        try:
            self.process.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Forked:
    """A child of a warm process."""

    def __init__(self, warm: Warm, talk: socket.socket) -> None:
        self.warm, self.talk = warm, talk
        self._came = bytearray()  # and is not taken yet

    def send(self, message: Any, end: float) -> None:  # noqa: ANN401
        """Send a message before the time `end`."""
        data = wire.encode(message)
        self._in_time(end)
        try:
            self.talk.sendall(_HEAD.pack(len(data)) + data)
        except TimeoutError:
            raise Late from None
        except OSError:
            raise Gone from None

    def receive(self, end: float) -> Any:  # noqa: ANN401
        """Return its answer, if it comes before the time `end`."""
        self._wait_for(_HEAD.size, end)
        (size,) = _HEAD.unpack_from(self._came)
        _check_size(size)
        last = _HEAD.size + size
        self._wait_for(last, end)
        answer = bytes(self._came[_HEAD.size : last])
        del self._came[:last]
        return wire.decode(answer)

    def _wait_for(self, size: int, end: float) -> None:
        while len(self._came) < size:
            self._in_time(end)
            try:
                part = self.talk.recv(2**16)
            except TimeoutError:
                raise Late from None
            except OSError:
                part = b""
            if not part:
                raise Gone
            self._came += part

    def _in_time(self, end: float) -> None:
        left = end - time.monotonic()
        if left <= 0:
            raise Late
        self.talk.settimeout(left)

    def finish(self, gone: bool = False) -> Used:
        """End the process, whatever it does."""
        self.talk.close()
        try:
            return self.warm.end_child(gone)
        except Gone:
            return Used()


def _check_size(size: int) -> None:
    if size > LARGEST_ANSWER:
        raise wire.WireError("the answer is too long")


# ---- without


class Plain:
    """A process of its own for one submission, without protection; it works on every platform."""

    def __init__(self, view: View, limits: Limits) -> None:
        self.scratch = str(make_folder("scratch"))
        options = [*(["torch"] if view.torch else []), *view.search]
        environment = {**os.environ, **ENVIRONMENT} if sys.platform == "win32" else ENVIRONMENT
        self.process = subprocess.Popen(
            [sys.executable, *boot("plain"), str(view.folder), self.scratch, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self.late = False

    def send(self, message: Any, end: float) -> None:  # noqa: ANN401
        """Send a message before the time `end`."""
        data = wire.encode(message)
        with self._killed_at(end):
            self.process.stdin.write(_HEAD.pack(len(data)) + data)
            self.process.stdin.flush()

    def receive(self, end: float) -> Any:  # noqa: ANN401
        """Return its answer, if it comes before the time `end`."""
        with self._killed_at(end):
            (size,) = _HEAD.unpack(self._read(_HEAD.size))
            _check_size(size)
            return wire.decode(self._read(size))

    def _read(self, size: int) -> bytes:
        data = self.process.stdout.read(size)
        if len(data) < size:
            raise EOFError
        return data

    @contextlib.contextmanager
    def _killed_at(self, end: float):  # noqa: ANN202
        """End the process when the time is up: a pipe cannot be waited for on Windows."""

        def kill() -> None:
            self.late = True
            self.process.kill()

        alarm = threading.Timer(max(0.0, end - time.monotonic()), kill)
        alarm.start()
        try:
            yield
        except (OSError, EOFError):
            raise Late if self.late else Gone from None
        finally:
            alarm.cancel()

    def finish(self, gone: bool = False) -> Used:
        """End the process."""
        before = _seconds_of_children()
        if not gone:
            self.process.kill()
        try:
            status = self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        shutil.rmtree(self.scratch, ignore_errors=True)
        ended = -status if status < 0 else status << 8
        return Used(ended if gone else -1, _seconds_of_children() - before)


def _seconds_of_children() -> float:
    """Return the processor time of all processes that were waited for; 0 on Windows."""
    times = os.times()
    return times.children_user + times.children_system


# ---- ask


_MOST_NOTES = 50
_NUMBERS = itertools.count()


class Asked:
    """A request that was sent, to take its answers one by one.

    Parameters
    ----------
    talk
        Whom.
    request
        What.
    end
        When it must have been taken, by `time.monotonic`.
    notes
        Gets what the process says, on the way, that it tried.

    Raises
    ------
    Gone, Late
        It is not taken any more, or not yet.
    """

    def __init__(self, talk: Talk, request: dict[str, Any], end: float, notes: list[str]) -> None:
        self._talk, self._notes = talk, notes
        self._number = next(_NUMBERS)
        talk.send({**request, "number": self._number}, end)

    def answer(self, end: float) -> dict[str, Any]:
        """Return the next answer, if it comes before the time `end`.

        Raises
        ------
        Gone, Late
            There is no answer any more, or not yet.
        WireError
            There is one that is none.
        """
        for _ in range(_MOST_NOTES):
            answer = self._talk.receive(end)
            if not isinstance(answer, dict):
                break
            if "note" not in answer:
                if answer.get("number") != self._number:
                    break  # it answers something else: an answer was slipped in before it
                return answer
            self._notes.append(str(answer["note"])[:100])
        raise wire.WireError("the answer is none")
