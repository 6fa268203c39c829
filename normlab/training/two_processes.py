"""Processes on this machine that talk to each other, as the workers of a large training do.

A notebook cannot start such a process from a function of its own: the process imports what it is
to do, and a notebook cannot be imported. `run_workers` is the importable half; the function that
it is given may come from a notebook.
"""

import os
import pickle
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import joblib
import torch
from torch import distributed
from torch.multiprocessing.spawn import (
    ProcessContext,
    ProcessExitedException,
    ProcessRaisedException,
    spawn,
)


def run_workers(
    function: Callable[[Any], Any], parts: Sequence[Any], *, timeout: float = 120.0
) -> list[Any]:
    """Call ``function(part)`` once for each part, each in a process of its own.

    While it runs, the processes form one group of `torch.distributed` (backend gloo, which needs
    no GPU): ``torch.distributed.get_rank()`` says which part is one's own, and ``all_reduce`` and
    ``all_gather`` exchange numbers with the others.

    Parameters
    ----------
    function
        Takes a part, and returns something that can be pickled, such as arrays or detached
        tensors. It may be defined in a notebook.
    parts
        What each worker is given: as many workers as there are parts.
    timeout
        Seconds that all of it may take, the start of the processes (some seconds) included.

    Returns
    -------
    list
        What the workers returned, in the order of the parts.

    Raises
    ------
    RuntimeError
        If a worker raised an exception, whose traceback is part of the message; if one died; or
        if this build of torch has no gloo.
    TimeoutError
        If they were not finished in time, as when one waits for another that never sends.

    References
    ----------
    PyTorch's pages of `torch.distributed` and `torch.multiprocessing`.
    """
    if not (distributed.is_available() and distributed.is_gloo_available()):
        raise RuntimeError("This build of torch cannot join processes: it comes without gloo.")
    # joblib sends a notebook's function as code, where pickle would send a name to import.
    sendable = joblib.wrap_non_picklable_objects(function)
    tasks = [pickle.dumps((sendable, part)) for part in parts]
    deadline = time.monotonic() + timeout
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        workers = spawn(_work, (tasks, folder, timeout), nprocs=len(tasks), join=False, daemon=True)
        try:
            _wait(workers, deadline, timeout)
        finally:
            for process in workers.processes:
                process.kill()  # nothing happens to one that has finished
                process.join()
        answers = [Path(folder, f"{rank}.pickle").read_bytes() for rank in range(len(tasks))]
    return [pickle.loads(answer) for answer in answers]


def _wait(workers: ProcessContext, deadline: float, timeout: float) -> None:
    try:
        while not workers.join(max(0.0, deadline - time.monotonic())):
            if time.monotonic() >= deadline:
                raise TimeoutError(
                    f"The {len(workers.processes)} workers were not finished after {timeout:g} "
                    "seconds, and were ended. Do all of them make the same calls to "
                    "torch.distributed, in the same order, with tensors of the same shape? If "
                    "the machine is only slow, give a larger timeout."
                )
    except ProcessRaisedException as error:
        raise RuntimeError(f"Worker {error.error_index} failed.{error.msg}") from None
    except ProcessExitedException as error:
        raise RuntimeError(
            f"Worker {error.error_index} died without an answer (exit code {error.exit_code})."
        ) from None


def _work(rank: int, tasks: Sequence[bytes], folder: str, timeout: float) -> None:
    """Join the group, do one task, and leave the answer in the folder."""
    torch.set_num_threads(1)
    function, part = pickle.loads(tasks[rank])
    _stay_on_this_machine()
    # They meet in a file rather than at a network port: no port can be taken, and no firewall asks.
    distributed.init_process_group(
        "gloo",
        init_method=Path(folder, "meeting").as_uri(),
        rank=rank,
        world_size=len(tasks),
        timeout=timedelta(seconds=timeout),
    )
    distributed.barrier()  # one that is done at once would leave before the others have met it
    answer = function(part)
    Path(folder, f"{rank}.pickle").write_bytes(pickle.dumps(answer))
    distributed.destroy_process_group()


def _stay_on_this_machine() -> None:
    """Let gloo talk over the loopback interface, where its name is known.

    Without it gloo looks up the machine's own name, which fails or leaves the machine where a
    network is set up badly. Windows has no short name for its loopback; there the look-up stays.
    """
    names = {name for _, name in socket.if_nameindex()} & {"lo", "lo0"}
    if names:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", min(names))
