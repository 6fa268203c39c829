"""One submission's process without protection, for machines that offer none.

Started as ``python -I plain.py BASE SCRATCH OPTIONS...``; it talks over its standard input and
output, on every platform.
"""

import os
import sys

BASE, SCRATCH, *OPTIONS = sys.argv[1:]
sys.path += [f"{BASE}/site", f"{BASE}/harness", *(o for o in OPTIONS if os.path.isdir(o))]

from normlab.grading.sandbox import child, stage

if __name__ == "__main__":
    stage.prepare(BASE, "torch" in OPTIONS)
    incoming, outgoing = os.dup(0), os.dup(1)
    if sys.platform == "win32":
        import msvcrt

        for descriptor in (incoming, outgoing):
            msvcrt.setmode(descriptor, os.O_BINARY)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.chdir(SCRATCH)
    stage.run(child.Channel(incoming, outgoing), SCRATCH, BASE)
