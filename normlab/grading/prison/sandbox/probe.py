"""Say what a submission's process can reach: the grader asks before it trusts an isolation."""

import functools
import mmap
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any


def probe(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Try what is forbidden; answer with what can be done all the same."""
    import resource  # Windows has none, and imports this file, too

    folders = [*request["paths"], "/", "/tmp", "/usr/lib", "/dev/shm"]
    deeds_to_others: tuple[tuple[str, Callable[[int], object]], ...] = (
        ("signal process", lambda process: os.kill(process, 0)),
        ("limit process", lambda process: resource.prlimit(process, resource.RLIMIT_FSIZE)),
    )
    deeds: dict[str, Callable[[], object]] = {
        "become root": lambda: os.setuid(0),
        "make a socket": socket.socket,
        "start a process": _fork,
        "see other processes": lambda: os.stat("/proc/self"),
        "fill more than its folder": lambda: _fill(request["file_size"]),
        "have more memory": lambda: mmap.mmap(-1, request["memory"]),
        "raise its limits": _raise_limits,
        **{
            f"{what} {number}": functools.partial(attempt, number)
            for number in request["processes"]
            for what, attempt in deeds_to_others
        },
    }
    yield {
        "user": os.getuid(),
        "reads": [path for path in request["paths"] if _works(_look_into, path)],
        "writes": [path for path in folders if _works(_write_into, path)],
        "does": [deed for deed, attempt in deeds.items() if _works(attempt)],
    }


def _works(attempt: Callable[..., object], *arguments: object) -> bool:
    try:
        attempt(*arguments)
    except (OSError, ValueError, MemoryError):
        return False
    return True


def _look_into(path: str) -> None:
    if os.path.isdir(path):
        os.listdir(path)
    else:
        open(path, "rb").close()


def _write_into(folder: str) -> None:
    path = f"{folder}/normlab-probe-{os.getpid()}"
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    os.unlink(path)


def _raise_limits() -> None:
    import resource

    for name in ("RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_NPROC"):
        soft, hard = resource.getrlimit(getattr(resource, name))
        resource.setrlimit(getattr(resource, name), (soft, hard if hard < 0 else hard + 1))


def _fill(size: int) -> None:
    for name in ("one", "two"):
        with open(name, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)
    os.wait()
