"""Time one epoch of the article's BatchNorm network, fed in three ways.

    python benchmarks/epoch.py [--rounds 5]

(a) loader    torch's DataLoader, each image converted and normalized by itself, as torchvision's
              MNIST with ToTensor and Normalize does it
(b) normlab   normlab.training.fit: images in memory, a batch is a choice of rows
(c) in place  the same steps on batches that were made before the clock started: no feeding at all,
              so nothing can be faster

One thread each. The three take turns, so that they share the machine's good and bad moments; the
ratios are those of the best times.
"""

import argparse
import time
from collections.abc import Callable, Iterable

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from normlab import load_mnist
from normlab.training import article_net, as_inputs, fit

BATCH_SIZE, LR = 64, 0.01
MNIST = load_mnist()
IMAGES, LABELS = torch.tensor(MNIST.train_images), torch.tensor(MNIST.train_labels)
Batches = Iterable[tuple[Tensor, Tensor]]


class OneByOne(Dataset):
    """Images as torchvision's MNIST hands them out: through PIL, one at a time."""

    def __len__(self) -> int:
        return len(MNIST.train_images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return one image, ``(1, 28, 28)``, normalized, and its label."""
        image = Image.fromarray(IMAGES[index].numpy())
        return normalize(to_tensor(image)), int(LABELS[index])


def to_tensor(image: Image.Image) -> Tensor:
    """Do what torchvision's ToTensor does, step by step."""
    tensor = torch.from_numpy(np.array(image, np.uint8, copy=True))  # (28, 28)
    tensor = tensor.view(image.height, image.width, 1).permute(2, 0, 1).contiguous()
    return tensor.to(torch.float32).div(255)  # (1, 28, 28)


def normalize(tensor: Tensor) -> Tensor:
    """Do what torchvision's Normalize does, step by step."""
    tensor = tensor.clone()
    mean = torch.as_tensor((0.1307,), dtype=tensor.dtype)
    std = torch.as_tensor((0.3081,), dtype=tensor.dtype)
    if (std == 0).any():
        raise ValueError("std evaluated to zero")
    return tensor.sub_(mean.view(-1, 1, 1)).div_(std.view(-1, 1, 1))


def seconds_of_loop(batches: Batches) -> float:
    """Train for the batches given and return the seconds that it took, feeding included."""
    network = article_net("batch").train()
    optimizer = torch.optim.SGD(network.parameters(), lr=LR)
    start = time.perf_counter()
    for inputs, labels in batches:
        loss = cross_entropy(network(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - start


def loader() -> float:
    """Time (a)."""
    return seconds_of_loop(DataLoader(OneByOne(), BATCH_SIZE, shuffle=True))


def normlab() -> float:
    """Time (b)."""
    run = fit(
        article_net("batch"),
        MNIST,
        epochs=1,
        lr=LR,
        batch_size=BATCH_SIZE,
        device="cpu",
        progress=False,
    )
    return run.final.seconds


def in_place() -> float:
    """Time (c)."""
    order = torch.randperm(len(MNIST.train_images))
    inputs = as_inputs(MNIST.train_images)[order].split(BATCH_SIZE)
    labels = torch.tensor(MNIST.train_labels)[order].split(BATCH_SIZE)
    return seconds_of_loop(list(zip(inputs, labels, strict=True)))


def main() -> None:
    """Take turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="epochs of each kind (default 5)")
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    kinds: dict[str, Callable[[], float]] = {
        "(a) loader": loader,
        "(b) normlab": normlab,
        "(c) in place": in_place,
    }
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    with tqdm(total=rounds * len(kinds), unit="epoch", leave=False) as bar:
        for _ in range(rounds):
            for name, run in kinds.items():
                seconds[name].append(run())
                bar.update()
    fastest = min(seconds["(c) in place"])
    print(f"{'one epoch':14}{'best s':>8}{'median s':>10}{'best / (c)':>12}")
    for name, times in seconds.items():
        best = min(times)
        print(f"{name:14}{best:8.2f}{np.median(times):10.2f}{best / fastest:12.2f}")
    ratio = min(seconds["(a) loader"]) / min(seconds["(b) normlab"])
    print(f"normlab is {ratio:.1f} times faster than the loader.")


if __name__ == "__main__":
    main()
