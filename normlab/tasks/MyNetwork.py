"""Lesson 5: the article's network."""

import numpy as np
import torch

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import seed_of_numbers


class MyNetwork(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = torch.nn.Linear(784, 256)
        self.bn1 = torch.nn.BatchNorm1d(256)
        self.fc2 = torch.nn.Linear(256, 128)
        self.bn2 = torch.nn.BatchNorm1d(128)
        self.fc3 = torch.nn.Linear(128, 10)
        self.end = torch.nn.Identity()

    def forward(self, x):
        x = x.flatten(1)  # (N, 784)
        x = torch.relu(self.bn1(self.fc1(x)))  # (N, 256)
        x = torch.relu(self.bn2(self.fc2(x)))  # (N, 128)
        return self.end(self.fc3(x))  # (N, 10)


def cases(rng: np.random.Generator) -> Cases:
    """Draw three batches, and the seed of the layers' numbers."""
    keys = ("linear", "norms", "train", "eval", "running", "images")
    arguments = {"x": rng.random((3, 5, 784)), "seed": seed_of_numbers(rng)}
    yield Case("three batches (5, 784)", keys, arguments)


def seen(*_):
    """Name what the script brings back: what the learner's layers are, and what they answer."""
    return {
        "linear_sizes": [(None, 2), (0,)],
        "norm_sizes": (None,),
        "trained": None,
        "tested": (None, None),
        "running_statistics": (None,),
        "answer_to_images": [(None, None), (0,)],
    }


def read(linear_sizes, norm_sizes, trained, tested, running, answer_to_images, *_):
    """Say whether images get the answer of vectors, and not all of them the same one.

    1 for yes, 0 for another answer, and -1 where images raise an error.
    """
    same = answer_to_images.shape == tested.shape and np.allclose(answer_to_images, tested)
    tells_apart = (tested != tested[:1]).any()
    takes_images = float(same and tells_apart) if answer_to_images.size else -1.0
    return linear_sizes, norm_sizes, trained, tested, running, takes_images
