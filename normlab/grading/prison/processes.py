"""The processes of submissions, seen from the grader: start them, talk to them, end them."""

import itertools
import os
import secrets
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from normlab.grading.prison import wire
from normlab.grading.prison.leftovers import make_folder
from normlab.grading.prison.limits import Limits
from normlab.grading.prison.view import View, boot
from normlab.system import on_windows

#: The most bytes that one answer may have.
LARGEST_ANSWER = 8 * 2**20
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
    """What became of a process, what it used, and what the warm process did for it, in seconds.

    The status is as `os.wait` gives it; -1 where it had not ended by itself.
    """

    status: int = -1
    seconds: float = 0.0
    own_seconds: float = 0.0


class Talk:
    """A submission's process, to talk to over a socket.

    `end` ends it and says what it used; its argument tells whether it seems to have ended.
    """

    def __init__(self, ours: socket.socket, end: Callable[[bool], Used]) -> None:
        self._ours, self._end = ours, end
        self._came = bytearray()  # and is not taken yet

    def send(self, message: Any, end: float) -> None:  # noqa: ANN401
        """Send a message before the time `end`."""
        data = wire.framed(message)
        self._in_time(end)
        try:
            self._ours.sendall(data)
        except TimeoutError:
            raise Late from None
        except OSError:
            raise Gone from None

    def receive(self, end: float) -> Any:  # noqa: ANN401
        """Return its answer, if it comes before the time `end`."""
        (size,) = wire.LENGTH.unpack(self._take(wire.LENGTH.size, end))
        if size > LARGEST_ANSWER:
            raise wire.WireError("the answer is too long")
        return wire.decode(self._take(size, end))

    def _take(self, size: int, end: float) -> bytes:
        while len(self._came) < size:
            self._in_time(end)
            try:
                part = self._ours.recv(2**16)
            except TimeoutError:
                raise Late from None
            except OSError:
                part = b""
            if not part:
                raise Gone
            self._came += part
        taken = bytes(self._came[:size])
        del self._came[:size]
        return taken

    def _in_time(self, end: float) -> None:
        left = end - time.monotonic()
        if left <= 0:
            raise Late
        self._ours.settimeout(left)

    def wait_until_ready(self) -> None:
        """Wait for the first message, or raise `CannotStart`: until then no submission is there."""
        try:
            failure = self.receive(time.monotonic() + _START_SECONDS)["failure"]
        except (Gone, Late) as problem:
            failure = f"it was {type(problem).__name__.lower()} before it was ready"
        if failure:
            self.finish()
            raise CannotStart(failure)

    def finish(self, gone: bool = False) -> Used:
        """End the process, whatever it does; `gone` says that it seems to have ended."""
        self._ours.close()
        return self._end(gone)


# ---- with a warm process


class Warm:
    """A warm process, which forks a child for each submission; or it raises `CannotStart`.

    The options are those of `sandbox.warm`, beside the view's.
    """

    def __init__(self, view: View, limits: Limits, *options: str) -> None:
        ours, theirs = socket.socketpair()
        self.control = ours
        self.limits = limits
        with tempfile.TemporaryFile() as said, theirs:
            self.process = subprocess.Popen(
                [sys.executable, *boot("warm"), str(view.folder), *view.options, *options],
                stdin=theirs.fileno(),
                stdout=said,
                stderr=said,
                env=ENVIRONMENT,
                start_new_session=True,
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
                raise CannotStart(words.splitlines()[-1] if words else "it ended without a word")

    def fork(self) -> Talk:
        """Begin a submission's process.

        It raises `Gone` where the warm process is no more, and `CannotStart` where the new one does
        not get ready.
        """
        ours, theirs = socket.socketpair()
        most = self.limits
        packed = wire.LIMITS.pack(
            most.memory, most.seconds, most.file_size, most.threads, most.files
        )
        try:
            socket.send_fds(self.control, [b"F" + packed], [theirs.fileno()])
        except OSError:
            ours.close()
            raise Gone from None
        finally:
            theirs.close()
        talk = Talk(ours, self._end_child)
        talk.wait_until_ready()
        return talk

    def _end_child(self, gone: bool) -> Used:
        """End the submission's process, and everything that it has started."""
        self.control.settimeout(_END_SECONDS)
        try:
            self.control.send(b"G" if gone else b"E")
            return Used(*wire.USED.unpack(self.control.recv(wire.USED.size)))
        except (OSError, struct.error):
            self.close()
            return Used()

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


# ---- without


def begin_unprotected(view: View) -> Talk:
    """Begin a process for one submission, without protection; it works on every platform."""
    scratch, secret = make_folder("scratch"), secrets.token_bytes(16)
    environment = {**os.environ, **ENVIRONMENT} if on_windows() else ENVIRONMENT
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        environment = {**environment, "NORMLAB_TALK": f"{port} {secret.hex()}"}
        process = subprocess.Popen(
            [
                *(sys.executable, *boot("plain"), str(view.folder), str(scratch)),
                *(*view.search, *view.options),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        server.settimeout(_START_SECONDS)
        try:
            ours, _ = server.accept()
            known = secrets.compare_digest(ours.recv(len(secret), socket.MSG_WAITALL), secret)
        except OSError:
            known = False
    if not known:
        _end_process(process, scratch, gone=False)
        raise CannotStart("somebody else answered, or nobody")
    talk = Talk(ours, lambda gone: _end_process(process, scratch, gone))
    talk.wait_until_ready()
    return talk


def _end_process(process: subprocess.Popen, scratch: Path, gone: bool) -> Used:
    before = _seconds_of_children()
    if not gone:
        process.kill()
    try:
        status = process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        status = process.wait()
    shutil.rmtree(scratch, ignore_errors=True)
    ended = -status if status < 0 else status << 8
    return Used(ended if gone else -1, _seconds_of_children() - before)


def _seconds_of_children() -> float:
    """Return the processor time of all processes that were waited for; 0 on Windows."""
    return sum(os.times()[2:4])


# ---- ask


_MOST_NOTES = 50
_NUMBERS = itertools.count()


class Asked:
    """A request that was sent, to take its answers one by one.

    It must have been taken before the time `end`, by `time.monotonic`. What the process says on the
    way that it tried goes to `notes`. `Gone` or `Late` is raised where nobody takes it.
    """

    def __init__(self, talk: Talk, request: dict[str, Any], end: float, notes: list[str]) -> None:
        self._talk, self._notes = talk, notes
        self._number = next(_NUMBERS)
        talk.send({**request, "number": self._number}, end)

    def answer(self, end: float) -> dict[str, Any]:
        """Return the next answer, if it comes before `end`; a `WireError` where it is none."""
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
