"""One submission's process without protection, for machines that offer none."""

import os
import sys

from normlab.grading.sandbox import child, stage


def main(base: str, scratch: str, *options: str) -> None:
    """Serve the grader over standard input and output, on every platform.

    Parameters
    ----------
    base, scratch
        As in `warm.main`.
    options
        "torch" to have it ready; folders of installed packages, where `base` cannot lead to them.
    """
    sys.path += [option for option in options if os.path.isdir(option)]
    stage.prepare(base, "torch" in options)
    incoming, outgoing = os.dup(0), os.dup(1)
    if sys.platform == "win32":
        import msvcrt

        for descriptor in (incoming, outgoing):
            msvcrt.setmode(descriptor, os.O_BINARY)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.chdir(scratch)
    stage.run(child.Channel(incoming, outgoing), scratch, base)
