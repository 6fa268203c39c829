"""One submission's process as a user who owns nothing: for a container that has no namespaces.

Root starts it. Nothing foreign runs before it has become that user and has given up the rest.
"""

import gc
import os
from functools import partial

from normlab.grading.prison.sandbox import child, locks, rehearsal, stage

_FAILED = 70


def main(base: str, scratch: str, talk: str, *rest: str) -> None:
    """Serve the grader over an open socket, in a scratch folder that is that user's own.

    The rest are memory, seconds, file size, threads; and "torch" to have it ready.
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
        channel.ready(problem)
        os._exit(_FAILED)
    channel.ready()
    stage.run(channel, scratch, base)
