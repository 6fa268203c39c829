"""The warm process: it has imported what takes long, and forks a child for each submission.

On its standard input is a socket; each message on it is one letter:

``F``, limits, and a socket
    Fork a child that talks over this socket.
``E``, or ``G``
    End the child, whatever it does, and answer with what it used. After G it is given a moment to
    end by itself, since the grader saw it go.
"""

import contextlib
import gc
import os
import resource
import shutil
import signal
import socket
import struct
import sys
import time
from typing import Any

from normlab.grading.sandbox import child, locks, rehearsal, stage

#: What the child's limits are made of: memory, seconds, file size, threads.
LIMITS = struct.Struct("<QdQQ")
#: The answer to "E": how it ended, its processor seconds, those of this process, its memory.
USED = struct.Struct("<iddQ")
_PATIENCE = 0.2  # seconds
_FAILED = 70


def main(base: str, scratch: str, *options: str) -> None:
    """Get ready, give up what no child needs, and serve the grader.

    Parameters
    ----------
    base
        The folder with what may be imported (`normlab.grading.view`).
    scratch
        The only folder that can be written to.
    options
        "torch" to have it ready; "kernel" where nobody else has built a sandbox around us.
    """
    stage.prepare(base, "torch" in options)
    _empty(scratch)  # torch leaves a folder, which root alone could delete
    control = socket.socket(fileno=os.dup(0))
    if "kernel" in options:
        build_sandbox(base, scratch)
    elif os.getuid() == 0:
        locks.become_nobody()
    locks.no_new_privileges()
    locks.hide_memory()
    locks.adopt_orphans()
    rehearsal.rehearse()
    gc.collect()
    gc.freeze()  # so that a child's collector does not copy all of our memory
    control.send(b"R")
    serve(control, base, scratch)


def build_sandbox(base: str, scratch: str) -> None:
    """Do with the kernel's own means what bubblewrap would have done."""
    locks.end_with_parent()
    with contextlib.suppress(OSError):  # the trial will tell what holds
        if locks.own_namespaces():
            locks.open_the_way_to(sys.base_prefix)
            _go_on_as_first_process()
    if os.getuid() == 0:
        locks.become_nobody()
    locks.lock_files([*_readable(), base, *_targets(f"{base}/site")], scratch)


def _go_on_as_first_process() -> None:
    """Fork, and go on in the child; the parent stays until it ends, and takes it along."""
    first = os.fork()
    if first:
        signal.signal(signal.SIGTERM, lambda *_: os.kill(first, signal.SIGKILL))
        os.waitpid(first, 0)
        os._exit(0)
    locks.end_with_parent()


def _readable() -> list[str]:
    """List what Python reads at run time: itself and libraries, but no installed packages."""
    found = ["/dev/urandom", "/dev/zero", "/etc/ld.so.cache"]
    for folder in {os.path.dirname(os.__file__), *("/lib", "/lib64", "/usr/lib", "/usr/lib64")}:
        if os.path.isdir(folder):
            found += [e.path for e in os.scandir(folder) if not e.name.startswith("python")]
    libraries = f"{sys.base_prefix}/lib"
    found += [e.path for e in os.scandir(libraries) if ".so" in e.name]
    return [p for p in found if os.path.exists(p) and not p.endswith("-packages")]


def _targets(folder: str) -> list[str]:
    return [os.path.realpath(entry.path) for entry in os.scandir(folder)]


def serve(control: socket.socket, base: str, scratch: str) -> None:
    """Fork and end children until the grader is gone."""
    filters = None
    if locks.has_seccomp():
        locks.filter_against(locks.FORBIDDEN_TO_ALL).load()
        filters = locks.filter_against(locks.FORBIDDEN_TO_SUBMISSIONS, processes=True)
    space = locks.used_space()  # a child begins with as much
    while True:
        message, sockets = _next_request(control)
        if message[:1] != b"F" or not sockets:
            return
        start = time.process_time()
        process = os.fork()
        if process == 0:
            control.close()
            memory, *limits = LIMITS.unpack(message[1:])
            _become_child(sockets[0], (space + memory, *limits), filters, base, scratch)
        os.close(sockets[0])
        end = control.recv(1)
        status, used = _end(process, patience=_PATIENCE if end == b"G" else 0.0)
        if end not in (b"E", b"G"):
            return
        _empty(scratch)
        own = time.process_time() - start
        control.send(USED.pack(status, used.ru_utime + used.ru_stime, own, used.ru_maxrss * 1024))


def _next_request(control: socket.socket) -> tuple[bytes, list[int]]:
    try:
        message, sockets, _, _ = socket.recv_fds(control, 1 + LIMITS.size, 1)
    except OSError:
        return b"", []
    return message, sockets


def _end(process: int, patience: float) -> tuple[int, resource.struct_rusage]:
    """End a child and all that came of it; return how it ended by itself, or -1."""
    until = time.monotonic() + patience
    found, status, used = os.wait4(process, os.WNOHANG)
    while not found and time.monotonic() < until:
        time.sleep(0.001)
        found, status, used = os.wait4(process, os.WNOHANG)
    if not found:
        os.kill(process, signal.SIGKILL)
        _, _, used = os.wait4(process, 0)
        status = -1
    if os.getpid() <= 2:
        # In a world of our own this reaches every process of the submission, and no other. Those
        # whose parent is gone are ours: none is left when there is none to wait for.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.wait()
    return status, used


def _empty(folder: str) -> None:
    """Delete what the submission has written, locked folders included."""
    for path, folders, files in os.walk(folder):
        for name in folders:
            if not os.path.islink(f"{path}/{name}"):
                os.chmod(f"{path}/{name}", 0o700)
        for name in files:
            os.unlink(f"{path}/{name}")
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def _become_child(
    talk: int,
    limits: tuple[int, float, int, int],
    filters: Any,  # noqa: ANN401 - pyseccomp's own
    base: str,
    scratch: str,
) -> None:
    """Turn into a submission's process; this does not return."""
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nowhere, standard)
        os.setsid()
        os.chdir(scratch)
        locks.limit(*limits)
        if filters is not None:
            filters.load()
        stage.run(child.Channel(talk, talk), scratch, base)
    finally:
        os._exit(_FAILED)
