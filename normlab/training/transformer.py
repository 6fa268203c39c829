"""A language model so small that it trains in seconds, and whose norms can be put anywhere.

It reads characters and says which comes next. Its text ships with the package: what Python's
`help()` knows of the language.
"""

import functools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from normlab.data import load_help_text
from normlab.training.network import seeded

CHARACTERS = "\n" + "".join(chr(code) for code in range(32, 127))
WIDTH, HEADS, CONTEXT, BATCH = 32, 4, 32, 8
PLACES = ("pre", "post", "sandwich", "out", "parallel")


class Texts(NamedTuple):
    """Numbers of characters, ``(length,)``: to learn from, to choose the rate by, to report."""

    train: Tensor
    held_out: Tensor
    test: Tensor


@functools.cache
def help_texts() -> Texts:
    """Return what Python's `help()` knows, in three parts: eight tenths, one and one.

    Of every ten pieces of 2,000 characters the last two are held out: so each part has something
    of every topic.
    """
    known = {character: number for number, character in enumerate(CHARACTERS)}
    numbers = torch.tensor([known[one] for one in load_help_text()])  # (400000,)
    pieces = numbers.view(-1, 10, 2000)
    return Texts(pieces[:, :8].flatten(), pieces[:, 8].flatten(), pieces[:, 9].flatten())


def spelled(numbers: Tensor) -> str:
    """Turn numbers of characters ``(length,)`` back into text."""
    return "".join(CHARACTERS[number] for number in numbers.tolist())


# ---- one block


class Step(nn.Module):
    """One step of the residual stream, with three places for a norm.

    ``x = on_sum(x + after(branch(before(x))))``; what several branches give, an attention and an
    MLP side by side, is added up. Its twin in NumPy is `normlab.nn.Residual`.
    """

    def __init__(
        self,
        *branches: nn.Module,
        before: nn.Module | None = None,
        after: nn.Module | None = None,
        on_sum: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.before = before or nn.Identity()
        self.after = after or nn.Identity()
        self.on_sum = on_sum or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return the stream ``(B, T, D)`` one step later."""
        read = self.before(x)
        first, *others = (branch(read) for branch in self.branches)
        return self.on_sum(x + self.after(sum(others, first)))


def block(place: str, attention: nn.Module, mlp: nn.Module, norm: Callable) -> nn.Sequential:
    """Build a transformer's block of its two branches; `norm` makes a new one at each call.

    The place is one of `PLACES`; or ``"none"``; or ``"rezero"``, ``"layerscale"``, where no norm
    but a learned scale of 0, or of 1e-4 for each feature, stands behind each branch.
    """
    if place == "parallel":
        return nn.Sequential(Step(attention, mlp, before=norm()))
    kinds: dict[str, Callable[[], dict[str, nn.Module]]] = {
        "pre": lambda: {"before": norm()},
        "post": lambda: {"on_sum": norm()},
        "sandwich": lambda: {"before": norm(), "after": norm()},
        "out": lambda: {"after": norm()},
        "none": dict,
        "rezero": lambda: {"after": Scale(torch.zeros(()))},
        "layerscale": lambda: {"after": Scale(torch.full((WIDTH,), 1e-4))},
    }
    sockets = kinds[place]
    return nn.Sequential(Step(attention, **sockets()), Step(mlp, **sockets()))


class Scale(nn.Module):
    """Multiply by a learned scale: one number (ReZero), or one for each feature (LayerScale)."""

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.scale = nn.Parameter(start)

    def forward(self, x: Tensor) -> Tensor:
        """Return x ``(*, D)``, scaled."""
        return self.scale * x


class DynamicTanh(nn.Module):
    """A learned squashing in a norm's place; nothing is averaged.

    ``y = weight * tanh(alpha * x) + bias``, with one alpha for the layer; weight and bias run along
    the last axis. Zhu, Chen, He, LeCun & Liu, 2025, "Transformers without Normalization",
    arXiv:2503.10622.
    """

    def __init__(self, size: int, alpha: float = 0.5) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.tensor([alpha]))
        self.weight, self.bias = nn.Parameter(torch.ones(size)), nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor) -> Tensor:
        """Squash every value of x ``(*, size)``, then scale and shift it."""
        return self.weight * torch.tanh(self.alpha * x) + self.bias


class StandardizedLinear(nn.Linear):
    """A linear layer without bias that standardizes its weights in every forward pass.

    The weights of each output get mean 0 and variance 1 / in, then a learned gain. Qiao, Wang, Liu,
    Shen & Yuille, 2019, "Micro-Batch Training with Batch-Channel Normalization and Weight
    Standardization", arXiv:1903.10520.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)
        self.gain = nn.Parameter(torch.ones(outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(*, out)`` of x ``(*, in)``."""
        weight = F.layer_norm(self.weight, self.weight.shape[1:])  # mean and std of each row
        return F.linear(x, weight * self.gain / math.sqrt(self.in_features))


# ---- the two branches


class HeadNorm(nn.Module):
    """QK-norm: an RMSNorm of queries or keys ``(B, heads, T, size)``.

    Over ``"each head"``: one root mean square for each head, the weight shared by all; over ``"all
    heads"``: one for the whole projection, with a weight for each of its features.
    """

    def __init__(self, heads: int, size: int, over: str, eps: float = 1e-6) -> None:
        super().__init__()
        whole = over == "all heads"
        self.over, self.eps = over, eps
        self.weight = nn.Parameter(torch.ones((heads, 1, size) if whole else size))

    def forward(self, x: Tensor) -> Tensor:
        """Return queries or keys, ``(B, heads, T, size)``, normalized."""
        axes: dict[str, tuple[int, ...]] = {"each head": (-1,), "all heads": (1, 3), "tokens": (2,)}
        mean_square = x.square().mean(axes[self.over], keepdim=True)
        return self.weight * x * (mean_square + self.eps).rsqrt()


class Attention(nn.Module):
    """Causal attention; `watched`, a dict, takes note of the logits and what becomes of them."""

    def __init__(self, qk: str, linear: Callable) -> None:
        super().__init__()
        self.q, self.k, self.v, self.out = (linear(WIDTH, WIDTH) for _ in range(4))
        size = WIDTH // HEADS
        self.q_norm = nn.Identity() if qk == "none" else HeadNorm(HEADS, size, qk)
        self.k_norm = nn.Identity() if qk == "none" else HeadNorm(HEADS, size, qk)
        self.watched: dict[str, float] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Mix the tokens of ``(B, T, D)``."""
        heads = [
            one(x).unflatten(-1, (HEADS, -1)).transpose(1, 2) for one in (self.q, self.k, self.v)
        ]
        q, k, v = self.q_norm(heads[0]), self.k_norm(heads[1]), heads[2]  # (B, heads, T, size)
        if self.watched is not None:
            self.watched.update(looks(q.detach(), k.detach()))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(mixed.transpose(1, 2).flatten(-2))


def looks(q: Tensor, k: Tensor) -> dict[str, float]:
    """Return the largest logit, and how evenly attention looks around: 1 evenly, 0 at one token.

    The evenness is the entropy as a share of the possible, over the tokens that can look at
    eight and more.
    """
    tokens = q.shape[2]
    future = torch.ones(tokens, tokens, dtype=torch.bool).triu(1)
    logits = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])  # (B, heads, T, T)
    shares = logits.masked_fill(future, -math.inf).softmax(-1)
    entropy = -(shares * shares.clamp_min(1e-20).log()).sum(-1)  # (B, heads, T)
    possible = torch.arange(1, tokens + 1).log()
    largest = logits.masked_fill(future, 0).abs().max()
    return {
        "logit": largest.item(),
        "evenness": (entropy[..., 8:] / possible[8:]).mean().item(),
    }


def mlp(linear: Callable) -> nn.Sequential:
    """Build the other branch: wider by four, and back."""
    return nn.Sequential(linear(WIDTH, 4 * WIDTH), nn.GELU(), linear(4 * WIDTH, WIDTH))


# ---- the model


NORMS: dict[str, Callable[[], nn.Module]] = {
    "rms": lambda: nn.RMSNorm(WIDTH, eps=1e-6),
    "dynamic tanh": lambda: DynamicTanh(WIDTH),
}


class TinyTransformer(nn.Module):
    """Embeddings, blocks, a last norm, and a score for each character.

    Parameters
    ----------
    place, norm, qk
        Where its norms stand (see `block`), which (a key of `NORMS`), and whether queries and
        keys have one: ``"none"``, ``"each head"`` or ``"all heads"``.
    depth
        How many blocks.
    seed
        Where the weights come from.
    last
        Whether there is a norm behind the last block; if not said, everywhere but in post-norm
        and in networks without norms.
    standardized
        Whether the matrices of the branches are standardized.
    """

    def __init__(
        self,
        place: str = "pre",
        depth: int = 6,
        seed: int = 0,
        *,
        norm: str = "rms",
        qk: str = "none",
        last: bool | None = None,
        standardized: bool = False,
    ) -> None:
        super().__init__()
        linear = StandardizedLinear if standardized else functools.partial(nn.Linear, bias=False)
        last = place in {"pre", "sandwich", "out", "parallel"} if last is None else last
        make = NORMS[norm]
        with seeded(seed):
            self.characters = nn.Embedding(len(CHARACTERS), WIDTH)
            self.positions = nn.Embedding(CONTEXT, WIDTH)
            self.blocks = nn.Sequential(
                *(block(place, Attention(qk, linear), mlp(linear), make) for _ in range(depth))
            )
            self.last = make() if last else nn.Identity()
            self.scores = nn.Linear(WIDTH, len(CHARACTERS), bias=False)
            for matrix in self.modules():
                if isinstance(matrix, nn.Linear):  # what comes out is as large as what goes in
                    nn.init.normal_(matrix.weight, std=matrix.in_features**-0.5)

    def embed(self, text: Tensor) -> Tensor:
        """Return the stream ``(B, T, D)`` before the first block, of characters ``(B, T)``."""
        return self.characters(text) + self.positions.weight[: text.shape[1]]

    def forward(self, text: Tensor) -> Tensor:
        """Return for each place of the text ``(B, T)`` a score for each next character."""
        return self.scores(self.last(self.blocks(self.embed(text))))

    @torch.no_grad()
    def stream(self, text: Tensor) -> list[Tensor]:
        """Return the stream ``(B, T, D)`` before the first block and after each."""
        seen = [self.embed(text)]
        for one in self.blocks:
            seen.append(one(seen[-1]))
        return seen


# ---- training


def windows(text: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Cut so many windows out of a text, and the same one character later: ``(count, T)`` each."""
    starts = torch.randint(len(text) - CONTEXT, (count, 1), generator=generator)
    cut = text[starts + torch.arange(CONTEXT + 1)]
    return cut[:, :-1], cut[:, 1:]


def loss_of(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return the mean cross-entropy in nats, for windows ``(B, T)`` and what comes next."""
    return F.cross_entropy(model(x).flatten(0, 1), y.flatten())


@torch.no_grad()
def loss_on(model: nn.Module, text: Tensor, count: int = 256) -> float:
    """Return the loss on windows of a text, always the same ones."""
    return loss_of(model, *windows(text, count, torch.Generator().manual_seed(7))).item()


def train(
    model: nn.Module, lr: float, steps: int, seed: int = 0, warm_up: int = 0
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Train with AdamW at a constant rate, after a linear warm-up; stop at NaN.

    Each step, from 0, is yielded with its windows ``(BATCH, T)`` before anything is changed; it is
    made when the next is asked for. `trained` asks for all of them.
    """
    text = help_texts().train
    generator = torch.Generator().manual_seed(1000 + seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True
    )
    for step in range(steps):
        x, y = windows(text, BATCH, generator)
        yield step, x, y
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, (step + 1) / warm_up) if warm_up else lr
        loss = loss_of(model, x, y)
        if not loss.isfinite():
            return
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def trained(
    model: TinyTransformer, lr: float, steps: int, seed: int, warm_up: int = 0
) -> TinyTransformer:
    """Return the model after a training to its end."""
    for _ in train(model, lr, steps, seed, warm_up):
        pass
    return model
