"""A small network that paints digits on request: diffusion, told in its norms or elsewhere."""

import functools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everyone knows it by

from normlab.data import load_mnist
from normlab.training.fit import as_inputs
from normlab.training.network import seeded
from normlab.training.progress import progress_bar

SIDE = 14  # MNIST's images, halved
PIXELS = SIDE * SIDE
TOLD = ("nothing", "at the input", "in the norms")
_WIDTH, _CONDITION, _BLOCKS, _WAVES = 128, 32, 3, 8


def halved(images: Tensor) -> Tensor:
    """Return images ``(N, 28, 28)`` of bytes as rows ``(N, 196)`` of numbers from -1 to 1."""
    return F.avg_pool2d(2 * as_inputs(images)[:, None] - 1, 2).flatten(1)


class ToldBlock(nn.Module):
    """An MLP beside a skip connection, with a norm that is told its scale, shift and gate.

    ``h + gate * mlp(norm(h) * (1 + scale) + shift)``: the block of a diffusion transformer (Peebles
    & Xie, 2022), without attention. `told` begins at zero, and so does the gate: the block
    gives back what it is given.
    """

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(_WIDTH, elementwise_affine=False)
        self.told = nn.Linear(_CONDITION, 3 * _WIDTH)
        self.mlp = _mlp()
        nn.init.zeros_(self.told.weight)
        nn.init.zeros_(self.told.bias)

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        """Return ``(N, width)`` for ``h``, in its shape, and the condition ``(N, 32)``."""
        shift, scale, gate = self.told(condition).chunk(3, dim=1)  # (N, width) each
        return h + gate * self.mlp(self.norm(h) * (1 + scale) + shift)


class DeafBlock(nn.Module):
    """The same with an ordinary LayerNorm, which nobody tells anything."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(_WIDTH)
        self.mlp = _mlp()

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        """Return ``(N, width)`` for ``h``, in its shape."""
        return h + self.mlp(self.norm(h))


class Painter(nn.Module):
    """Guess the clean image from a noisy one, told in one of `TOLD` how noisy it is, and the digit.

    ValueError, if there is no such place.
    """

    def __init__(self, told: str = "in the norms") -> None:
        super().__init__()
        if told not in TOLD:
            raise ValueError(f"Nobody is told {told!r}. Choose one of: {', '.join(TOLD)}.")
        self.told = told
        self.of_time = nn.Linear(2 * _WAVES, _CONDITION)
        self.of_digit = nn.Embedding(10, _CONDITION)
        self.first = nn.Linear(PIXELS + _CONDITION * (told == "at the input"), _WIDTH)
        block = ToldBlock if told == "in the norms" else DeafBlock
        self.blocks = nn.ModuleList(block() for _ in range(_BLOCKS))
        self.norm = nn.LayerNorm(_WIDTH)
        self.last = nn.Linear(_WIDTH, PIXELS)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def condition(self, time: Tensor, digit: Tensor) -> Tensor:
        """Return ``(N, 32)``: times ``(N,)`` from 0 to 1 and digits ``(N,)`` in one vector."""
        waves = time[:, None] * torch.logspace(0, 2, _WAVES, device=time.device)  # (N, 8)
        return F.silu(self.of_time(torch.cat([waves.sin(), waves.cos()], 1)) + self.of_digit(digit))

    def forward(self, noisy: Tensor, time: Tensor, digit: Tensor) -> Tensor:
        """Return the clean images, ``(N, 196)``, of noisy ones at times and of digits ``(N,)``."""
        condition = self.condition(time, digit)  # (N, 32)
        if self.told == "at the input":
            noisy = torch.cat([noisy, condition], 1)  # (N, 228)
        h = self.first(noisy)  # (N, 128)
        for block in self.blocks:
            h = block(h, condition)
        return self.last(self.norm(h))  # (N, 196)


def painter(told: str = "in the norms", seed: int = 0) -> Painter:
    """Build a `Painter` with weights drawn from a seed; the global random state stays."""
    with seeded(seed):
        return Painter(told)


def teach(
    network: Painter,
    images: Tensor,
    digits: Tensor,
    *,
    steps: int,
    lr: float,
    seed: int = 0,
    progress: bool = True,
) -> None:
    """Train a painter in place with Adam, in batches of 128.

    The images are ``(N, 196)``, as `halved` gives them. The rate rises to `lr` over the first 50
    steps, and falls to 0 in a straight line. Batches and noise come from the seed.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    network.train()
    with progress_bar(steps, "step", show=progress) as bar:
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = lr * min(1, (step + 1) / 50) * (1 - step / steps)
            rows = torch.randint(len(images), (128,), generator=generator)
            loss = _error(network, images[rows], digits[rows], generator)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            bar.update()


@torch.no_grad()
def error(network: Painter, images: Tensor, digits: Tensor, seed: int = 0) -> float:
    """Return the mean squared error of the guessed clean images; a seed gives the same noise."""
    return _error(network, images, digits, torch.Generator().manual_seed(seed)).item()


@torch.no_grad()
def paint(network: Painter, digits: Tensor, *, steps: int = 20, seed: int = 0) -> Tensor:
    """Paint the digits asked for, from noise, each step a little nearer to the network's guess.

    The digits are ``(N,)``; or ``(steps, N)``, to tell it something else on the way. Out come
    ``(N, 196)``, about -1 to 1. Liu, Gong & Liu, 2022, "Flow Straight and Fast": the straight road
    from noise to image.
    """
    told = digits.expand(steps, -1)  # (steps, N)
    size = told.shape[1]
    x = torch.randn(size, PIXELS, generator=torch.Generator().manual_seed(seed))
    for step in range(steps):
        guess = network(x, torch.full((size,), step / steps), told[step])  # (N, 196)
        x = x + (guess - x) / (steps - step)
    return x


@functools.lru_cache
def reader() -> nn.Sequential:
    """Return a network that reads halved digits, always the same: what is painted is shown to it.

    A hidden layer of 256 units, 1,500 steps of Adam on the 60,000 training images.
    """
    mnist = load_mnist(tensors=True)
    images, digits = halved(mnist.train_images), mnist.train_labels
    with seeded(0):
        network = nn.Sequential(nn.Linear(PIXELS, 256), nn.ReLU(), nn.Linear(256, 10))
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        for _ in range(1500):
            rows = torch.randint(len(images), (128,))
            loss = F.cross_entropy(network(images[rows]), digits[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.eval().requires_grad_(False)


def read_right(pictures: Tensor, digits: Tensor) -> float:
    """Return the share of pictures ``(N, 196)`` that the `reader` takes for these digits."""
    return (reader()(pictures).argmax(1) == digits).double().mean().item()


def spread(pictures: Tensor, digits: Tensor) -> float:
    """Return how far pictures of one digit are from their mean picture: the root mean square."""
    means = torch.stack([pictures[digits == digit].mean(0) for digit in range(10)])  # (10, 196)
    return math.sqrt((pictures - means[digits]).square().mean().item())


def _mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(_WIDTH, 2 * _WIDTH), nn.SiLU(), nn.Linear(2 * _WIDTH, _WIDTH))


def _error(network: Painter, images: Tensor, digits: Tensor, generator: torch.Generator) -> Tensor:
    """Put noise on the images, each at a time of its own, and ask for them without it."""
    noise = torch.randn(images.shape, generator=generator)
    time = torch.rand(len(images), generator=generator)  # (N,): 0 is noise, 1 the image
    noisy = noise + time[:, None] * (images - noise)  # (N, 196)
    return F.mse_loss(network(noisy, time, digits), images)
