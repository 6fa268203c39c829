"""Lesson 13: let a teacher follow a student."""

import numpy as np
import torch

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import rows_below_one, seed_of_numbers


def update_teacher(teacher, student, decay):
    with torch.no_grad():
        for ours, theirs in zip(teacher.parameters(), student.parameters(), strict=True):
            ours.copy_(decay * ours + (1 - decay) * theirs)
        for name, theirs in student.named_buffers():
            ours = teacher.get_buffer(name)
            if name.endswith("num_batches_tracked"):
                ours.copy_(theirs)
            else:
                ours.copy_(theirs)  # running_mean, running_var


def cases(rng: np.random.Generator) -> Cases:
    """Draw batches for one update, and for three."""
    for batches, samples, features in ((2, 4, 3), (4, 5, 2)):
        arguments = {
            "x": rows_below_one(rng, batches, samples, features),
            "decay": float(rng.choice([0.6, 0.7, 0.8])),
            "seed": seed_of_numbers(rng),
        }
        updates = "one update" if batches == 2 else f"{batches - 1} updates"
        name = f"batches {(samples, features)}, {updates}"
        yield Case(name, ("parameters", "running", "counter", "apart"), arguments)


def seen(x, *_):
    weights, running = 4 * x.shape[2] + 4 + 8 + 10, 8
    whole = (weights + running + 1,)
    return {
        "parameters": (weights,),
        "running": (running,),
        "counted": (1,),
        "before": whole,
        "after": whole,
    }


def read(parameters, running, counted, before, after, *_):
    """Say whether the student's last step left the teacher as it was: 1 or 0."""
    return parameters, running, counted, float(np.array_equal(before, after))
