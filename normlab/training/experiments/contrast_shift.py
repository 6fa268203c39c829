"""Lesson 07: digits in a light that was not there in training."""

from functools import partial

from torch import Tensor

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row, grid
from normlab.training.fit import as_inputs, evaluate
from normlab.training.network import small_cnn
from normlab.training.samples import fit_once, for_test

TRAINING_IMAGES = 12_800  # 200 steps of 64
# What a grey level g becomes: contrast * g + brightness. None leaves 0 to 255.
LIGHTS = {
    "as in training": (1.0, 0.0),
    "half the contrast": (0.5, 0.0),
    "with a veil": (0.5, 60.0),
    "with a thick veil": (0.25, 120.0),
}


def in_light(images: Tensor, light: str) -> Tensor:
    """Return network inputs for images ``(N, H, W)`` of bytes, seen in one of the `LIGHTS`."""
    contrast, brightness = LIGHTS[light]
    return contrast * as_inputs(images) + brightness / 255


def measure(norm: str, lr: float, seed: int) -> list[Row]:
    """Train on part of MNIST as it is; test in each light."""
    network = small_cnn(norm, seed)
    fit_once(network, load_mnist().first(TRAINING_IMAGES), lr=lr, seed=seed)
    return [
        {
            "light": light,
            "test_accuracy": evaluate(network, *for_test(partial(in_light, light=light)))[1],
        }
        for light in LIGHTS
    ]


EXPERIMENT = Experiment(
    question="Which norm copes with a light at test time that it has not seen in training?",
    measure=measure,
    settings=grid(
        measure, lr=(0.05, 0.2), norm=("none", "batch", "layer", "instance"), seed=range(5)
    ),
    # In a light that a network has not learned, small differences in its weights change much.
    tolerances={"test_accuracy": 0.1},
)
