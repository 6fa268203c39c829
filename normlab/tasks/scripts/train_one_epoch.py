"""Let a program train the article's network, and bring back what became of it."""

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from normlab.data import load_mnist
from normlab.tasks.scripts.together import joined


def article_net(seed: int) -> nn.Sequential:
    """Make 784-256-128-10 with BatchNorm after its first two layers, with weights of a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
        for number, (inputs, outputs) in enumerate(((784, 256), (256, 128)), 1):
            layers[f"fc{number}"] = nn.Linear(inputs, outputs)
            layers[f"bn{number}"] = nn.BatchNorm1d(outputs)
            layers[f"relu{number}"] = nn.ReLU()
        layers["fc3"] = nn.Linear(128, 10)
        return nn.Sequential(layers)


def use(answer: Callable, images: int, seed: int) -> tuple:
    """Give `answer` MNIST's first so many training images.

    Return the weights before, the weights and the buffers; for each step of training the size of
    its batch, and 1 for training mode or 0; and how many different images there were.
    """
    mnist = load_mnist(tensors=True)
    inputs = mnist.train_images[:images].flatten(1) / 255  # (images, 784)
    network = article_net(seed)
    before = joined(network.parameters())
    sizes: list[float] = []
    modes: list[float] = []
    images_seen: set[int] = set()

    def note(_network: nn.Module, given: tuple[Tensor]) -> None:
        if torch.is_grad_enabled():
            sizes.append(len(given[0]))
            modes.append(float(network.training))
            images_seen.update(hash(row.tobytes()) for row in given[0].detach().numpy())

    hook = network.register_forward_pre_hook(note)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(seed)
            answer(network, inputs, mnist.train_labels[:images].clone())
        hook.remove()
    finally:
        torch.set_num_threads(threads)
    weights, buffers = joined(network.parameters()), joined(network.buffers())
    return before, weights, buffers, np.array(sizes), np.array(modes), len(images_seen)
