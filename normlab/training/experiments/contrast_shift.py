"""Lesson 07: digits in a light that was not there in training."""

import torch

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row
from normlab.training.fit import as_inputs, evaluate, fit
from normlab.training.network import small_cnn

SEEDS = range(5)
TRAINING_IMAGES = 12_800  # 200 steps of 64
LEARNING_RATES = (0.05, 0.2)
# What a grey level g becomes: contrast * g + brightness. None leaves 0 to 255.
LIGHTS = {
    "as in training": (1.0, 0.0),
    "half the contrast": (0.5, 0.0),
    "with a veil": (0.5, 60.0),
    "with a thick veil": (0.25, 120.0),
}


def in_light(images: torch.Tensor, light: str) -> torch.Tensor:
    """Return network inputs for images ``(N, H, W)`` of bytes, seen in one of the `LIGHTS`."""
    contrast, brightness = LIGHTS[light]
    return contrast * as_inputs(images) + brightness / 255


def measure(norm: str, lr: float, seed: int) -> list[Row]:
    """Train on part of MNIST as it is; test in each light."""
    mnist = load_mnist(tensors=True)
    network = small_cnn(norm, seed)
    fit(
        network,
        mnist.first(TRAINING_IMAGES),
        epochs=1,
        lr=lr,
        seed=seed,
        device="cpu",
        progress=False,
    )
    rows: list[Row] = []
    for light in LIGHTS:
        _, accuracy = evaluate(network, in_light(mnist.test_images, light), mnist.test_labels)
        rows.append({"light": light, "test_accuracy": accuracy})
    return rows


EXPERIMENT = Experiment(
    name="contrast_shift",
    question="Which norm copes with a light at test time that it has not seen in training?",
    measure=measure,
    settings=[
        {"norm": norm, "lr": lr, "seed": seed}
        for lr in LEARNING_RATES
        for norm in ("none", "batch", "layer", "instance")
        for seed in SEEDS
    ],
    # In a light that a network has not learned, small differences in its weights change much.
    tolerances={"test_accuracy": 0.1},
)
