"""Lesson 13: train with two samples at a time."""

import numpy as np
import torch

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import alike, rows_below_one, seed_of_numbers


def small_batch_network(features, hidden, classes):
    return torch.nn.Sequential(
        torch.nn.Linear(features, hidden),
        torch.nn.LayerNorm(hidden),
        torch.nn.ReLU(),
        torch.nn.Linear(hidden, classes),
    )


def cases(rng: np.random.Generator) -> Cases:
    """Draw two samples, for a small network and a larger one."""
    keys = ("alone", "modes", "one", "scale", "tells", "own")
    for features, hidden, classes in ((3, 8, 2), (5, 16, 4)):
        arguments = {
            "x": 1000 * rows_below_one(rng, 2, features),
            "hidden": hidden,
            "classes": classes,
            "seed": seed_of_numbers(rng),
        }
        yield Case(f"{features} features, hidden {hidden}", keys, arguments)


def seen(x, hidden, classes, *_):
    batch = (len(x), classes)
    return {
        "both": batch,
        "beside_another": (classes,),
        "in_evaluation": batch,
        "alone": [(1, classes), (0,)],
        "enlarged": batch,
        "reduced": batch,
        "with_other_parameters": batch,
        "own_parameters": (),
    }


def read(both, beside_another, in_evaluation, alone, enlarged, reduced, others, own, x, hidden, *_):
    """Answer the questions that the aspects ask: 1 for yes, 0 for no.

    Numbers that do not depend on the parameters are no network's: then every answer is no.
    """
    if alike(both, others):
        return (0.0,) * 6
    independent = alike(both[0], beside_another)
    answers = (
        independent,
        alike(both, in_evaluation),
        alone.size > 0 and np.isfinite(alone).all(),
        # Two samples' variance may be as small as any eps.
        alike(both, enlarged) and (alike(both, reduced) or not independent),
        not alike(both[0], both[1]),
        own >= hidden,
    )
    return tuple(float(yes) for yes in answers)
