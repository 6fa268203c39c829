"""Set the stage for a submission: what it may import, and what it must not be able to change."""

import sys

import numpy as np  # noqa: F401

from normlab.exercises import calling
from normlab.grading.prison import reading, wire
from normlab.grading.prison.sandbox import child, stand_ins

_COPIED = ["numpy", "torch", "torch.nn", "torch.nn.functional", "signal", "time", "inspect", "os"]


def prepare(base: str, with_torch: bool) -> None:
    """Import what takes long, and put the learner's normlab in the place of ours.

    With torch, the data are made ready as well.
    """
    if with_torch:
        import torch

        torch.set_num_threads(1)  # a child forked after several threads were at work hangs
        # The first optimizer imports a thousand modules.
        torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    sys.path.remove(f"{base}/harness")
    sys.path.insert(0, f"{base}/learner")
    for name in [name for name in sys.modules if name.partition(".")[0] == "normlab"]:
        del sys.modules[name]
    import normlab

    normlab._SILENT = stand_ins.Silent()
    if with_torch:
        normlab.load_mnist(tensors=True)  # it is kept
    rooms = {"normlab.plots", "normlab.parity", "normlab.training"}
    sys.meta_path.insert(0, stand_ins.SilentImports(stand_ins.SHOWS | rooms))
    calling._LIBRARIES += (f"{base}/harness",)  # no learner is shown a line of ours
    child.keep_copies([name for name in _COPIED if name in sys.modules])
    for module in (calling, child, reading, wire):
        child.use_copies(vars(module))


def run(channel: child.Channel, scratch: str, base: str) -> None:
    """Serve the grader as a submission's process, until the grader is gone."""
    child.give_own_builtins()
    sys.stdout = sys.stderr = calling.Printed()
    sys.argv = ["notebook"]
    quiet = (scratch, base, sys.base_prefix, "/usr/lib", "/usr/local/lib", "/lib", "/dev/", "/<")
    child.watch(channel, quiet)
    child.Child(channel, stand_ins.Silent()).serve()
