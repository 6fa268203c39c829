"""One submission's process as a user who owns nothing: for a container that has no namespaces.

Root starts it. Nothing foreign runs before it has become that user and has given up the rest.
"""

import gc
import os
from functools import partial

from normlab.grading.prison.sandbox import child, locks, rehearsal, stage

_FAILED = 70


def main(base: str, scratch: str, talk: str, *rest: str) -> None:
    """Serve the grader over an open socket.

    Parameters
    ----------
    base
        As in `warm.main`.
    scratch
        The folder to work in; that user's own.
    talk
        The number of the open socket.
    rest
        Memory, seconds, file size, threads; and "torch" to have it ready.
    """
    memory, seconds, file_size, threads, *options = rest
    wire = int(talk)
    channel = child.Channel(partial(os.read, wire), partial(os.write, wire))
    try:
        locks.end_with_parent()
        stage.prepare(base, "torch" in options)
        rehearsal.rehearse()
        proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
        space = locks.used_space(proc) + int(memory)
        filters = locks.make_filter()
        gc.collect()
        locks.become_nobody()
        os.chdir(scratch)
        open(os.__file__, "rb").close()  # what Python imports later has to be in reach
        limits = (space, float(seconds), int(file_size), int(threads))
        locks.lock_up(wire, limits, filters)
    except Exception as problem:
        channel.send({"failure": f"{type(problem).__name__}: {problem}"})
        channel.flush()
        os._exit(_FAILED)
    channel.send({"failure": ""})
    channel.flush()
    stage.run(channel, scratch, base)
