"""What the experiments on MNIST share: one way to train, and images that nobody trains on."""

from collections.abc import Callable
from functools import partial

from torch import Tensor

from normlab.data import load_mnist
from normlab.training.fit import as_inputs, fit

# Once through, and on the CPU whatever else there is: what is recorded comes out again there.
fit_once = partial(fit, epochs=1, device="cpu", progress=False)

Samples = tuple[Tensor, Tensor]  # inputs (N, 28, 28) and labels (N,), as `evaluate` takes them
HELD_OUT = 5000  # the last training images: never trained on, the learning rate is chosen by them


def held_out(change: Callable[[Tensor], Tensor] = as_inputs, count: int = HELD_OUT) -> Samples:
    """Return the held-out samples, the images as `change` makes them from bytes."""
    mnist = load_mnist(tensors=True)
    return change(mnist.train_images[-count:]), mnist.train_labels[-count:]


def for_test(change: Callable[[Tensor], Tensor] = as_inputs, count: int | None = None) -> Samples:
    """Return the test samples, or the first of them."""
    mnist = load_mnist(tensors=True)
    return change(mnist.test_images[:count]), mnist.test_labels[:count]
