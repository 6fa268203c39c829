"""The warm process: it has imported what takes long, and forks a child for each submission.

Started as ``python -I warm.py BASE SCRATCH OPTIONS...``: BASE is the folder with what may be
imported (`normlab.grading.view`), SCRATCH the only folder that can be written to. On its
standard input is a socket; each message on it is one letter:

``F``, limits, and a socket
    Fork a child that talks over this socket.
``E``
    End the child, whatever it does, and answer with what it used.
"""

import sys

BASE, SCRATCH, *OPTIONS = sys.argv[1:]
sys.path += [f"{BASE}/site", f"{BASE}/harness"]

import contextlib
import gc
import os
import shutil
import signal
import socket
import struct
import time

from normlab.grading.sandbox import child, locks, stage

#: What the child's limits are made of: memory, seconds, file size, threads.
LIMITS = struct.Struct("<QdQQ")
#: The answer to "E": how it ended, its processor seconds, those of this process, its memory.
USED = struct.Struct("<iddQ")


def lock() -> None:
    """Give up, in this process, what no child needs."""
    if "kernel" in OPTIONS:
        try:
            if locks.own_namespaces():
                locks.open_the_way_to(sys.base_prefix)
                _go_on_as_first_process()
        except OSError:
            pass  # the trial will tell what holds
    if os.getuid() == 0:
        locks.become_nobody()
    if "kernel" in OPTIONS:
        locks.lock_files([*_readable(), BASE, *_targets(f"{BASE}/site")], SCRATCH)
    locks.no_new_privileges()
    locks.hide_memory()


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
    found = ["/dev/null", "/dev/urandom", "/dev/zero", "/etc/ld.so.cache"]
    for folder in {os.path.dirname(os.__file__), *("/lib", "/lib64", "/usr/lib", "/usr/lib64")}:
        if os.path.isdir(folder):
            found += [e.path for e in os.scandir(folder) if not e.name.startswith("python3.")]
    libraries = f"{sys.base_prefix}/lib"
    found += [e.path for e in os.scandir(libraries) if ".so" in e.name]
    return [p for p in found if os.path.exists(p) and not p.endswith("-packages")]


def _targets(folder: str) -> list[str]:
    return [os.path.realpath(entry.path) for entry in os.scandir(folder)]


def serve(control: socket.socket) -> None:
    """Fork and end children until the grader is gone."""
    filters = locks.forbidden_calls() if locks.has_seccomp() and "open" not in OPTIONS else None
    while True:
        try:
            message, sockets, _, _ = socket.recv_fds(control, 1 + LIMITS.size, 1)
        except OSError:
            return
        if message[:1] != b"F" or not sockets:
            return
        start = time.process_time()
        process = os.fork()
        if process == 0:
            control.close()
            _become_child(sockets[0], LIMITS.unpack(message[1:]), filters)
        os.close(sockets[0])
        if control.recv(1) != b"E":
            return
        status, used = _end(process)
        _empty(SCRATCH)
        own = time.process_time() - start
        control.send(USED.pack(status, used.ru_utime + used.ru_stime, own, used.ru_maxrss * 1024))


def _end(process: int):  # noqa: ANN202 - os.wait4's own kind
    """End a child and all that came of it."""
    os.kill(process, signal.SIGKILL)
    _, status, used = os.wait4(process, 0)
    if os.getpid() <= 2:
        # In a world of our own this reaches every process of the submission, and no other.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return status, used


def _empty(folder: str) -> None:
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            os.unlink(entry.path)


def _become_child(talk: int, limits: tuple[int, float, int, int], filters) -> None:  # noqa: ANN001
    """Turn into a submission's process; this does not return."""
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nowhere, standard)
        os.setsid()
        os.chdir(SCRATCH)
        memory, seconds, file_size, threads = limits
        locks.limit(memory, seconds, file_size, threads)
        if filters is not None:
            filters.load()
        stage.run(child.Channel(talk, talk), SCRATCH, BASE)
    finally:
        os._exit(70)


if __name__ == "__main__":
    stage.prepare(BASE, "torch" in OPTIONS)
    control = socket.socket(fileno=os.dup(0))
    lock()
    gc.collect()
    gc.freeze()  # so that a child's collector does not copy all of our memory
    control.send(b"R")
    serve(control)
