"""The torch programs of lesson 5: scripts that put an answer to use, and programs in steps.

As in `choose_and_debug_programs`: ``use_...`` is the script, ``read_...`` says what it saw,
``..._mended`` is a right program, and ``..._in_steps`` the same with steps that a mistake may
change.

What a grader has to believe. The layers' sizes of `MyNetwork` are in the text of the task: whoever
knows them can as well build the layers. `train_one_epoch` brings back the trained network, and the
grader itself tests it; but the sizes and modes of the steps are as the process tells them. Of the
modes this much is seen: a network whose running statistics stand where they stood was never trained
in training mode. And nobody sees from outside whether weights were trained in one epoch, or brought
along.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

from normlab.data import load_mnist
from normlab.exercises.catalogue.torch_scripts import (
    asked,
    borne_out,
    filled,
    hidden_layer,
    joined,
    modes_of,
    plain,
    refilled,
    running_statistics,
    undisturbed,
)
from normlab.training import ArticleNet, article_net

# ---- MyNetwork


@undisturbed
def use_my_network(make: Callable, x: np.ndarray, seed: int) -> tuple:
    """Make a network, look at its layers, give them numbers, and use it in both modes.

    Parameters
    ----------
    x
        Three batches, (3, N, 784): two for training mode and one for evaluation mode.
    """
    network = make()
    linear = sorted(_of_kind(network, nn.Linear), key=lambda layer: -layer.in_features)
    norms = sorted(_of_kind(network, nn.BatchNorm1d), key=lambda layer: -layer.num_features)
    for layer in (*linear, *norms):
        _fill(layer, seed)
    first, second, test = torch.from_numpy(x)
    network.train()
    network(first)
    trained = plain(network(second))
    network.eval()
    tested = network(test)
    return (
        np.array([[layer.in_features, layer.out_features] for layer in linear]),
        np.array([layer.num_features for layer in norms]),
        trained,
        plain(tested),
        joined([torch.empty(0), *(value for norm in norms for value in running_statistics(norm))]),
        _answer_to_images(network, test),
    )


def _answer_to_images(network: nn.Module, vectors: Tensor) -> np.ndarray:
    """Return the answer to images of the same numbers as vectors; nothing where it takes none."""
    try:
        return plain(network(vectors.unflatten(1, (1, 28, 28))))
    except (RuntimeError, ValueError):  # what torch raises about shapes
        return np.empty(0)


def read_my_network(
    linear_sizes: np.ndarray,
    norm_sizes: np.ndarray,
    trained: np.ndarray,
    tested: np.ndarray,
    running: np.ndarray,
    answer_to_images: np.ndarray,
    *_: Any,  # noqa: ANN401 - what the script was given
) -> tuple:
    """Say whether images get the answer of vectors, and not all of them the same one: 1 or 0."""
    same = answer_to_images.shape == tested.shape and np.allclose(answer_to_images, tested)
    tells_apart = tested.ndim > 1 and (tested != tested[:1]).any()
    return linear_sizes, norm_sizes, trained, tested, running, float(same and tells_apart)


def _of_kind(network: nn.Module, kind: type) -> list:
    return [module for module in network.modules() if isinstance(module, kind)]


def _fill(layer: nn.Module, seed: int) -> None:
    """Give a layer numbers that depend on its sizes alone, and not on its place or name."""
    sizes = tuple(tuple(value.shape) for value in layer.state_dict().values())
    layer.load_state_dict(_numbers(type(layer), sizes, seed), strict=False)


@functools.lru_cache(maxsize=64)
def _numbers(kind: type, sizes: tuple, seed: int) -> dict[str, Tensor]:
    rng = np.random.default_rng([seed, *(size for shape in sizes for size in shape)])
    if kind is nn.BatchNorm1d:
        (channels,) = sizes[0]
        return {
            "weight": torch.from_numpy(rng.uniform(0.5, 2, channels)),
            "bias": torch.from_numpy(rng.normal(size=channels)),
        }
    return {
        name: torch.from_numpy(rng.normal(size=shape) / 10)
        for name, shape in zip(("weight", "bias"), sizes, strict=False)
    }


MyNetworkMended = ArticleNet


class MyNetworkInSteps(nn.Module):
    """The article's network, with steps done as the keywords say."""

    def __init__(
        self,
        *,
        order: str = "linear, norm, relu",
        relu: bool = True,
        norms: str = "both",
        logits: str = "as they are",
        flattens: bool = True,
    ) -> None:
        super().__init__()
        self.order, self.relu, self.logits, self.flattens = order, relu, logits, flattens
        sizes = (784, 256) if order.startswith("norm") else (256, 128)
        linear = ((784, 256), (256, 128), (128, 10))
        # Their first numbers do not matter: the script fills them.
        self.linear = nn.ModuleList(nn.utils.skip_init(nn.Linear, *each) for each in linear)
        made = [nn.LayerNorm(n) if norms == "layer" else nn.BatchNorm1d(n) for n in sizes]
        if norms in ("first", "none"):
            made[norms == "first" :] = [nn.Identity()] * (2 - (norms == "first"))
        self.norms = made if norms == "unseen" else nn.ModuleList(made)
        self.last = nn.BatchNorm1d(10) if logits == "normalized" else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (N, 10)."""
        x = x.flatten(1) if self.flattens else x
        for linear, norm in zip(self.linear, self.norms, strict=False):
            steps = {"linear": linear, "norm": norm, "relu": F.relu if self.relu else nn.Identity()}
            for step in self.order.split(", "):
                x = steps[step](x)
        x = self.last(self.linear[2](x))
        ends = {"relu": F.relu, "softmax": lambda logits: logits.softmax(1)}
        return ends.get(self.logits, nn.Identity())(x)


# ---- train_and_measure


@undisturbed
def use_train_and_measure(
    answer: Callable,
    x: np.ndarray,
    y: np.ndarray,
    test_x: np.ndarray,
    test_y: np.ndarray,
    test_batch: int,
    epochs: int,
    given: str,
    seed: int,
) -> tuple:
    """Let `answer` train a small network and measure it, and look at the network afterwards.

    Parameters
    ----------
    x, y
        The batches, (K, N, D), and their labels, (K, N).
    test_x, test_y
        (M, D) and (M,), given in batches of `test_batch`.
    given
        The network's mode before: "train" or "eval".
    """
    network = filled(_small_network(x.shape[2]), seed)
    network.train(given == "train")
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    batches = list(zip(torch.from_numpy(x), torch.from_numpy(y), strict=True))
    tests = zip(
        *(torch.from_numpy(part).split(test_batch) for part in (test_x, test_y)), strict=True
    )
    losses = answer(network, optimizer, batches, list(tests), epochs)
    return (
        plain(losses),
        joined(network.parameters()),
        joined(network.buffers()),
        modes_of(network),
        asked(network, torch.from_numpy(test_x)),
    )


def _small_network(features: int) -> nn.Sequential:
    return nn.Sequential(hidden_layer(features, 4), nn.Linear(4, 3))


@undisturbed
def read_train_and_measure(
    losses: np.ndarray,
    weights: np.ndarray,
    buffers: np.ndarray,
    modes: np.ndarray,
    asked_again: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    test_x: np.ndarray,
    *_: Any,  # noqa: ANN401 - what else the script was given
) -> tuple:
    """Believe the modes where a network with these weights and modes gives the same answer."""
    network = refilled(_small_network(x.shape[2]), weights, buffers)
    return losses, weights, buffers, borne_out(modes, network, test_x, asked_again)


def train_and_measure_mended(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    train_batches: list,
    test_batches: list,
    epochs: int,
) -> list[float]:
    """Train in training mode, measure in evaluation mode, and leave training mode behind."""
    losses = []
    for _ in range(epochs):
        network.train()
        for x, y in train_batches:
            loss = F.cross_entropy(network(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            total = sum(F.cross_entropy(network(x), y, reduction="sum") for x, y in test_batches)
        losses.append(total.item() / sum(len(y) for _, y in test_batches))
        network.train()
    return losses


def train_and_measure_in_steps(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    train_batches: list,
    test_batches: list,
    epochs: int,
    *,
    trains: str = "each epoch",
    tests: str = "in evaluation mode",
    end: str = "in training mode",
    average: str = "of samples",
) -> list[float]:
    """Train and measure in the modes that the keywords name."""
    losses = []
    for epoch in range(epochs):
        if trains == "each epoch" or (trains == "once" and epoch == 0):
            network.train()
        for x, y in train_batches:
            optimizer.zero_grad()
            F.cross_entropy(network(x), y).backward()
            optimizer.step()
        if tests == "in evaluation mode":
            network.eval()
        with torch.no_grad():
            batches = [(F.cross_entropy(network(x), y).item(), len(y)) for x, y in test_batches]
        sizes = [size if average == "of samples" else 1 for _, size in batches]
        losses.append(np.average([loss for loss, _ in batches], weights=sizes))
    if end == "in training mode":
        network.train()
    return losses


# ---- train_one_epoch

GOAL = 0.93
_BATCH = 64


def use_train_one_epoch(answer: Callable, images: int, seed: int) -> tuple:
    """Let `answer` train the article's network, and bring back what became of it.

    Parameters
    ----------
    images
        How many of MNIST's training images there are to train on, from the first.
    seed
        Of the network's weights and of everything that is drawn in training.

    Returns
    -------
    tuple
        The weights before, the weights and the buffers, laid behind each other; for each step of
        training the size of its batch, and 1 for training mode or 0.
    """
    mnist = load_mnist(tensors=True)
    inputs = mnist.train_images[:images].flatten(1) / 255  # (images, 784)
    network = article_net("batch", seed)
    before = joined(network.parameters())
    sizes: list[float] = []
    modes: list[float] = []

    def note(_network: nn.Module, given: tuple[Tensor]) -> None:
        if torch.is_grad_enabled():
            sizes.append(len(given[0]))
            modes.append(float(network.training))

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
    return before, weights, buffers, np.array(sizes), np.array(modes)


def read_train_one_epoch(
    before: np.ndarray,
    weights: np.ndarray,
    buffers: np.ndarray,
    sizes: np.ndarray,
    modes: np.ndarray,
    images: int,
    seed: int,
) -> tuple:
    """Test the trained network, and answer the questions: 1 for yes, 0 for no.

    Returns
    -------
    tuple
        Is the goal reached? Were there batches of 64? How many passes over the images? Was every
        step made in training mode? Have the weights moved?
    """
    mnist = load_mnist(tensors=True)
    network = article_net("batch", seed)
    # Two processes need not draw a network's weights to the last digit.
    moved = (
        np.allclose(before, joined(network.parameters()), atol=1e-6) and (weights != before).any()
    )
    at_rest = joined(running_statistics(network))
    refilled(network, weights, buffers)
    with torch.no_grad():
        logits = network.eval()(mnist.test_images.flatten(1) / 255)  # (10000, 10)
    accuracy = (logits.argmax(1) == mnist.test_labels).double().mean().item()
    full = (sizes == _BATCH).sum()
    remembers = (joined(running_statistics(network)) != at_rest).any()
    return (
        float(accuracy >= GOAL),
        float(len(sizes) > 0 and sizes.max() == _BATCH and full >= len(sizes) - 1),
        _passes(sizes.sum(), images),
        float((modes == 1).all() and (remembers or len(modes) == 0)),
        float(moved),
    )


def _passes(rows: float, images: int) -> float:
    """Return 1 for one pass over the images, 0 for less and 2 for more; a last batch may miss."""
    if rows > images:
        return 2.0
    return float(rows > images - _BATCH)
