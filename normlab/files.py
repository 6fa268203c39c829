"""Files that nobody finds half-written, and that one process at a time writes."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def locked(path: Path, seconds: float = 10.0) -> Iterator[None]:
    """Be the only one on this machine who writes a file, in a ``with`` block.

    A lock file lies beside it meanwhile. The system lets go of the lock of a process that was
    killed. Who waits for another process for more than `seconds` gets a `TimeoutError`.
    """
    from filelock import FileLock, Timeout  # here: few commands write, and none should wait for it

    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=seconds)
    try:
        lock.acquire()
    except Timeout as error:
        raise TimeoutError(f"another process is writing {path}") from error
    try:
        yield
    finally:
        # Whoever waits for this lock file sees that it is gone, and makes another.
        with suppress(OSError):  # Windows removes it itself
            os.unlink(lock.lock_file)
        lock.release()


def read_ordinary(path: Path, most: int) -> bytes:
    """Return what is in a file, as far as so many bytes.

    `OSError` where it cannot be read, or is a link, a folder, a pipe or a device: what was a file
    when it was found may be one by now.
    """
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(None, "it is no ordinary file")
    with open(descriptor, "rb") as file:
        return file.read(most)


def read_utf8(path: Path) -> str:
    """Return a text without its mark; an `OSError` where it is in another encoding."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise OSError(None, "it is not in UTF-8: save it as UTF-8", str(path)) from error


def write_whole(path: Path, content: bytes | str) -> None:
    """Replace a file in one step: a reader finds the old one or the new one, whole.

    A link stays a link: what it leads to is replaced. Two processes that write the same file take
    turns by `locked`. Text becomes UTF-8, and what that cannot hold a question mark.
    """
    if isinstance(content, str):
        content = content.encode(errors="replace")
    real = Path(os.path.realpath(path))
    unfinished = real.with_name(f".{real.name}.new")
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, real)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise
