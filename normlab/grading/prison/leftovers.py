"""Temporary folders that name the process they belong to, so that none outlives it for long.

A process tidies up when it ends. One that is killed cannot; the next that makes such a folder does
it in its place.
"""

import contextlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from normlab import system

_NAME = re.compile(r"normlab-(?:view|inbox|scratch)-(\d+)-\w+")


def make_folder(kind: str) -> Path:
    """Make a temporary "view", "inbox" or "scratch", and delete what the dead have left."""
    remove_leftovers()
    return Path(tempfile.mkdtemp(prefix=f"normlab-{kind}-{os.getpid()}-"))


def remove_leftovers() -> None:
    """Delete this user's folders whose process is gone; on Windows the system is left to do it.

    What cannot be looked at or deleted stays, and stops nobody.
    """
    if not system.knows_processes():
        return
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            named = _NAME.fullmatch(entry.name)
            if named and _is_ours(entry) and not system.is_alive(int(named[1])):
                delete(Path(entry.path))


def delete(folder: Path) -> None:
    """Delete a folder with all that is in it, however deep that is; what cannot be stays."""
    # rm follows no link and goes down step by step: neither Python's stack nor the longest path
    # that the system takes is a limit, as they are for shutil.rmtree.
    if shutil.which("rm"):
        command = ["rm", "-rf", "--", str(folder)]
        subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _is_ours(entry: os.DirEntry) -> bool:
    """Whether it is a folder, no link to one, of the user who asks."""
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:  # somebody was quicker
        return False
    return stat.S_ISDIR(found.st_mode) and system.is_ours(found)
