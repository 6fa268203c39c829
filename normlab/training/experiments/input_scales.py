"""Lesson 01: the scale of the input, with BatchNorm and without."""

from torch import Tensor

from normlab.data import ImageDataset, load_mnist
from normlab.training.experiment import Experiment, Row, Settings
from normlab.training.fit import as_inputs, evaluate, fit
from normlab.training.network import article_net

# Each rate is about twice the one before. For raw pixels the grid begins earlier.
LEARNING_RATES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
SEEDS = range(8)
IMAGES = 12_800  # 200 batches of 64
HELD_OUT = 5000  # the last training images: never trained on, the learning rate is chosen by them


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
    return (pixels - mean_image()) / 0.3081


def mean_image() -> Tensor:
    """Return each pixel's mean over the training images, ``(28, 28)``."""
    return load_mnist(tensors=True).train_images.float().mean(0) / 255


SCALES = ("raw, 0 to 255", "0 to 1", "standardized", "each pixel centred")


def measure(norm: str, scale: str, lr: float, images: int, seed: int) -> list[Row]:
    """Train the article's network on so many images, once through; test it on all others."""
    mnist = load_mnist(tensors=True)
    few = ImageDataset(
        rescale(scale, mnist.train_images[:images]),
        mnist.train_labels[:images],
        rescale(scale, mnist.test_images),
        mnist.test_labels,
    )
    network = article_net(norm, seed)
    run = fit(network, few, epochs=1, lr=lr, seed=seed, device="cpu", progress=False)
    held_out = rescale(scale, mnist.train_images[-HELD_OUT:]), mnist.train_labels[-HELD_OUT:]
    _, accuracy = evaluate(network, *held_out)
    return [{"held_out_accuracy": accuracy, "test_accuracy": run.final.test_accuracy}]


_WITHOUT: list[Settings] = [
    {"norm": "none", "scale": scale, "lr": lr, "images": IMAGES, "seed": seed}
    for scale in SCALES
    for lr in LEARNING_RATES
    for seed in SEEDS
]
# Fewer rates: the scales give the same curve, and that shows at any of them.
_WITH: list[Settings] = [
    {"norm": "batch", "scale": scale, "lr": lr, "images": IMAGES, "seed": seed}
    for scale in SCALES
    for lr in (0.001, 0.01, 0.1, 1.0)
    for seed in range(5)
]
# Ten steps, too few to go astray on: a test repeats this run on any machine.
_QUICK: list[Settings] = [
    {"norm": "none", "scale": "standardized", "lr": 0.1, "images": 640, "seed": 0}
]

EXPERIMENT = Experiment(
    name="input_scales",
    question="Which learning rate suits which scale of the input, with BatchNorm and without?",
    measure=measure,
    settings=_WITHOUT + _WITH + _QUICK,
    repeatable=_QUICK[0],
    # Other processors round sums differently, and training makes the differences grow.
    tolerances={"test_accuracy": 0.02, "held_out_accuracy": 0.02},
)
