"""The warm process: it has imported what takes long, and forks a child for each submission.

It never runs foreign code. A child of it enters namespaces of its own, mounts a folder of its own,
and gives up its rights, before it is told of the submission; with the child all of that is gone.
In a container that has no namespaces a child becomes the user who owns nothing, in a folder that is
deleted after it.

On the warm process's standard input is a socket; each message on it is one letter:

``F``, limits, and a socket
    Fork a child that talks over this socket. The first that it says is whether it is ready.
``E``, or ``G``
    End the child, whatever it does, and answer with what it used. After G it is given a moment to
    end by itself, since the grader saw it go.
"""

import contextlib
import gc
import glob
import os
import resource
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial

from normlab.grading.prison import wire
from normlab.grading.prison.sandbox import child, locks, rehearsal, stage

SCRATCH = "/scratch"
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
_SMALL = 2**20  # bytes, for what holds nothing but the places of mounts
_PLACES = 4096
_PATIENCE = 0.2  # seconds
_FAILED = 70
_Limits = tuple[int, float, int, int, int]  # as in wire.LIMITS


def main(base: str, *options: str) -> None:
    """Enter a world of its own, get ready, and serve the grader.

    `base` is the folder with what may be imported; the option "torch" has it ready. With "nobody",
    which takes root, there is no world of its own.
    """
    control = socket.socket(fileno=os.dup(0))
    locks.end_with_parent()
    has_world = "nobody" not in options
    if has_world:
        locks.enter_world()
        _go_on_as_first_process()
    stage.prepare(base, "torch" in options)
    proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    if has_world:
        build_root(base, f"{base}/root")
    rehearsal.rehearse()
    filters = locks.make_filter()
    gc.collect()
    gc.freeze()  # so that a child's collector does not copy all of our memory
    control.send(b"R")
    serve(control, base, proc, filters, has_world)


def _go_on_as_first_process() -> None:
    """Fork, and go on in the child; the parent stays until it ends, and takes it along."""
    first = os.fork()
    if first:
        _, status = os.waitpid(first, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    locks.end_with_parent()


# ---- the only files that there are


def build_root(base: str, root: str) -> None:
    """Make a root that holds what Python needs, read-only, and an empty folder."""
    os.umask(0o022)
    locks.keep_mounts_private()
    locks.mount_memory(root, _SMALL, _PLACES)
    for path in _system():
        _show_with_links(path, root)
        for packages in _installed_in(os.path.realpath(path)):
            locks.mount_memory(root + packages, _SMALL, _PLACES)
    for path in (*_importable(base), *_DEVICES):
        locks.show(path, root)
    os.mkdir(root + SCRATCH)
    _hide_the_way(root)
    locks.forbid_writing(root)
    locks.change_root(root)


def _hide_the_way(root: str) -> None:
    """Let nobody list the folders on the way to what is shown: they are named after the teacher."""
    here = os.stat(root).st_dev
    for folder, inside, _ in os.walk(root):
        inside[:] = [name for name in inside if os.lstat(f"{folder}/{name}").st_dev == here]
        os.chmod(folder, 0o111)


def _system() -> list[str]:
    """List where Python and the system's libraries are."""
    library, stdlib = f"{sys.base_prefix}/lib", os.path.dirname(os.__file__)
    paths = [library, stdlib, "/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache"]
    return [path for path in paths if os.path.exists(path)]


def _show_with_links(path: str, root: str) -> None:
    """Show what a path leads to, and the path where it is another one."""
    real = os.path.realpath(path)
    if not os.path.lexists(root + real):
        locks.show(real, root)
    if not os.path.lexists(root + path):
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        os.symlink(real, root + path)


def _installed_in(folder: str) -> list[str]:
    """List the folders of installed packages: what may be imported of them is shown by itself."""
    places = (f"{glob.escape(folder)}/{depth}*-packages" for depth in ("", "*/", "*/*/"))
    return [path for place in places for path in glob.glob(place) if os.path.isdir(path)]


def _importable(base: str) -> Iterator[str]:
    yield from (f"{base}/learner", f"{base}/site")
    for folder in (f"{base}/learner/normlab", f"{base}/site"):
        yield from (os.path.realpath(one.path) for one in os.scandir(folder) if one.is_symlink())


# ---- one child after the other


def serve(control: socket.socket, base: str, proc: int, filters: object, has_world: bool) -> None:
    """Fork and end children until the grader is gone."""
    space = locks.used_space(proc)  # a child begins with as much
    ourselves = os.pidfd_open(os.getpid())
    while True:
        message, sockets = _next_request(control)
        if message[:1] != b"F" or not sockets:
            return
        start = time.process_time()
        scratch = SCRATCH
        if has_world:
            locks.next_child_in_its_own(ourselves, own=True)
        else:
            scratch = tempfile.mkdtemp(dir=base)
            os.chown(scratch, locks.NOBODY, locks.NOBODY)
        process = os.fork()
        if process == 0:
            memory, *limits = wire.LIMITS.unpack(message[1:])
            _become_child(sockets[0], (space + memory, *limits), filters, base, proc, scratch)
        if has_world:
            locks.next_child_in_its_own(ourselves, own=False)
        os.close(sockets[0])
        end = control.recv(1)  # the grader's, or none where it is gone
        status, used = _end(process, patience=_PATIENCE if end == b"G" else 0.0)
        if not has_world:
            with contextlib.suppress(RecursionError):  # what is too deep stays for `View.remove`
                shutil.rmtree(scratch, ignore_errors=True)
        if end not in (b"E", b"G"):
            return
        own = time.process_time() - start
        control.send(wire.USED.pack(status, used.ru_utime + used.ru_stime, own))


def _next_request(control: socket.socket) -> tuple[bytes, list[int]]:
    try:
        message, sockets, _, _ = socket.recv_fds(control, 1 + wire.LIMITS.size, 1)
    except OSError:
        return b"", []
    return message, sockets


def _end(process: int, patience: float) -> tuple[int, resource.struct_rusage]:
    """End a child, and all of its world with it; return how it ended by itself, or -1."""
    until = time.monotonic() + patience
    found, status, used = os.wait4(process, os.WNOHANG)
    while not found and time.monotonic() < until:
        time.sleep(0.001)
        found, status, used = os.wait4(process, os.WNOHANG)
    if not found:
        os.kill(process, signal.SIGKILL)
        _, _, used = os.wait4(process, 0)
        status = -1
    return status, used


def _become_child(
    talk: int, limits: _Limits, filters: object, base: str, proc: int, scratch: str
) -> None:
    """Turn into a submission's process; this does not return."""
    try:
        channel = child.Channel(partial(os.read, talk), partial(os.write, talk))
        try:
            _lock_up(talk, limits, filters, proc, scratch)
        except Exception as problem:
            channel.ready(problem)
        else:
            channel.ready()
            stage.run(channel, scratch, base)
        channel.flush()
    finally:
        os._exit(_FAILED)


def _lock_up(talk: int, limits: _Limits, filters: object, proc: int, scratch: str) -> None:
    """Enter a world of its own, with an empty folder, and give up all that a notebook lacks."""
    space, seconds, file_size, threads, files = limits
    if scratch == SCRATCH:
        locks.enter_world_as_nobody(proc)
        locks.mount_memory(SCRATCH, file_size, files, 0o700)
    else:
        locks.become_nobody()
        locks.end_with_parent()  # once more: it does not outlast another user's number
        open(os.__file__, "rb").close()  # what Python imports later has to be in reach
    os.chdir(scratch)
    locks.lock_up(talk, (space, seconds, file_size, threads), filters)
