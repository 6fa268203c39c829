"""Let a student train, and a program update its teacher after each batch."""

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from normlab.tasks.scripts.together import (
    counters,
    filled,
    hidden_layer,
    joined,
    running_statistics,
    undisturbed,
)


@undisturbed
def use(answer: Callable, x: np.ndarray, decay: float, seed: int) -> tuple:
    """Train on the batches x (K, N, D).

    After the last of them there is no more update, and the teacher must not move with the student.
    """
    student = filled(nn.Sequential(hidden_layer(x.shape[2], 4), nn.Linear(4, 2)), seed).train()
    teacher = filled(copy.deepcopy(student), seed + 1).eval()
    for batch in torch.from_numpy(x[:-1]):
        _one_step(student, batch)
        answer(teacher, student, decay)
    before = joined(teacher.state_dict().values())
    parameters, running = joined(teacher.parameters()), joined(running_statistics(teacher))
    counted = joined(counters(teacher))
    _one_step(student, torch.from_numpy(x[-1]))
    return parameters, running, counted, before, joined(teacher.state_dict().values())


def _one_step(student: nn.Module, batch: Tensor) -> None:
    """Move the student's parameters and buffers, as a step of training would."""
    student(batch)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.mul_(0.9).add_(0.05)
