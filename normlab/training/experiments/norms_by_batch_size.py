"""Lesson 10: the size of the batches, on the article's network."""

import math

from normlab.data import load_mnist
from normlab.training.experiment import Experiment, Row
from normlab.training.fit import as_inputs, evaluate, fit
from normlab.training.network import article_net

NORMS = ("none", "batch", "layer", "group", "rms")
BATCH_SIZES = (2, 4, 8, 32, 128)
LEARNING_RATES = (0.05, 0.2)  # at batches of 64; it grows and falls with the root of the size
SEEDS = range(10)
IMAGES = 3000


def measure(norm: str, batch_size: int, lr_at_64: float, seed: int) -> list[Row]:
    """Show the network 3,000 images once, and measure it on two sets that it has not seen.

    The learning rate is chosen on the last 5,000 training images, so that the test images have no
    say in it.
    """
    mnist = load_mnist(tensors=True)
    network = article_net(norm, seed)
    run = fit(
        network,
        mnist.first(IMAGES),
        epochs=1,
        lr=lr_at_64 * math.sqrt(batch_size / 64),
        batch_size=batch_size,
        seed=seed,
        device="cpu",
        progress=False,
    )
    held_out = as_inputs(mnist.train_images[-5000:])  # (5000, 28, 28)
    _, validation_accuracy = evaluate(network, held_out, mnist.train_labels[-5000:])
    return [
        {
            "validation_accuracy": validation_accuracy,
            "test_accuracy": run.final.test_accuracy,
            "test_loss": run.final.test_loss,
        }
    ]


EXPERIMENT = Experiment(
    name="norms_by_batch_size",
    question="How small may the batches be, with each norm, in the article's network?",
    measure=measure,
    settings=[
        {"norm": norm, "batch_size": size, "lr_at_64": lr, "seed": seed}
        for norm in NORMS
        for size in BATCH_SIZES
        for lr in LEARNING_RATES
        for seed in SEEDS
    ],
    tolerances={"validation_accuracy": 0.02, "test_accuracy": 0.02, "test_loss": 0.05},
)
