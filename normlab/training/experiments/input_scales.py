"""Lesson 01: the scale of the input, with BatchNorm and without."""

from dataclasses import replace
from functools import partial

from torch import Tensor

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row, Settings, grid
from normlab.training.fit import as_inputs, evaluate
from normlab.training.network import article_net
from normlab.training.samples import fit_once, held_out

IMAGES = 12_800  # 200 batches of 64
SCALES = ("raw, 0 to 255", "0 to 1", "standardized", "each pixel centred")


def rescale(scale: str, images: Tensor) -> Tensor:
    """Bring grey levels ``(N, 28, 28)`` to one of the scales.

    ``"standardized"`` takes one mean and one standard deviation for all pixels; ``"each pixel
    centred"`` subtracts from each pixel a mean of its own and divides all by the one standard
    deviation. The constants are those of all training images.
    """
    pixels = as_inputs(images)  # from 0 to 1
    if scale == "raw, 0 to 255":
        return 255 * pixels
    if scale == "0 to 1":
        return pixels
    if scale == "standardized":
        return (pixels - 0.1307) / 0.3081
    # Each pixel's mean over the training images, (28, 28).
    means = load_mnist(tensors=True).train_images.float().mean(0) / 255
    return (pixels - means) / 0.3081


def measure(norm: str, scale: str, lr: float, images: int, seed: int) -> list[Row]:
    """Train the article's network on so many images, once through; test it on all others."""
    rescaled = partial(rescale, scale)
    few = load_mnist(tensors=True).first(images)
    few = replace(
        few, train_images=rescaled(few.train_images), test_images=rescaled(few.test_images)
    )
    network = article_net(norm, seed)
    run = fit_once(network, few, lr=lr, seed=seed)
    _, accuracy = evaluate(network, *held_out(rescaled))
    return [{"held_out_accuracy": accuracy, "test_accuracy": run.final.test_accuracy}]


# Ten steps, too few to go astray on: a test repeats this run on any machine.
_QUICK: Settings = {"norm": "none", "scale": "standardized", "lr": 0.1, "images": 640, "seed": 0}

EXPERIMENT = Experiment(
    question="Which learning rate suits which scale of the input, with BatchNorm and without?",
    measure=measure,
    settings=[
        *grid(
            measure,
            norm=["none"],
            scale=SCALES,
            # Each about twice the one before. For raw pixels the grid begins earlier.
            lr=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
            images=[IMAGES],
            seed=range(8),
        ),
        # Fewer rates: the scales give the same curve, and that shows at any of them.
        *grid(
            measure,
            norm=["batch"],
            scale=SCALES,
            lr=(0.001, 0.01, 0.1, 1.0),
            images=[IMAGES],
            seed=range(5),
        ),
        _QUICK,
    ],
    repeatable=_QUICK,
    tolerances={"test_accuracy": 0.02, "held_out_accuracy": 0.02},
)
