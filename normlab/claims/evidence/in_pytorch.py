"""Article B's code: its network, its training loop, and the layers it names."""

import ast
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the name everyone knows it by

from normlab import nn as twins
from normlab.claims.evidence.tools import (
    Seen,
    about,
    complaint,
    digits,
    drawn,
    labels,
    measured,
    told,
)
from normlab.training import article_net, recorded

# The first lines as they are printed: curly quotation marks, and no indentation.
PRINTED = (
    "“`\nclass MyNetwork(torch.nn.Module):\ndef __init__(self):\nsuper(MyNetwork, self).__init__()"
)


class MyNetwork(nn.Module):
    """Article B's network, as it is meant."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(784, 256), nn.Linear(256, 128), nn.Linear(128, 10)
        self.bn1, self.bn2 = nn.BatchNorm1d(256), nn.BatchNorm1d(128)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits, ``(N, 10)``, of vectors ``(N, 784)``."""
        return self.fc3(F.relu(self.bn2(self.fc2(F.relu(self.bn1(self.fc1(x)))))))


@about("B1", "B5")
def pytorchs_technique() -> Seen:
    x = drawn(8, 3, dtype=torch.float64)
    ours = twins.BatchNorm1d(3, dtype=np.float64)(x.numpy())
    theirs = nn.BatchNorm1d(3, dtype=torch.float64)(x).detach()
    return Seen(
        "BatchNorm is the technique, useful in PyTorch and not *particularly* there: a NumPy "
        "version without PyTorch gives the same numbers to 1e-12",
        holds=not np.allclose(ours, theirs.numpy(), atol=1e-12),
        core=issubclass(nn.BatchNorm1d, nn.Module),
    )


@about("B4")
def built_in_modules() -> Seen:
    logits = MyNetwork()(digits())
    F.cross_entropy(logits, labels()).backward()
    return Seen("two lines of code, one for each layer", holds=logits.shape == (256, 10))


@about("B24")
def three_imports() -> Seen:
    return Seen(
        "they suffice for the network; torch.optim comes with `import torch`",
        holds=hasattr(torch, "optim"),
    )


@about("B25")
def functional_holds() -> Seen:
    return Seen(
        "F.relu and F.cross_entropy are there",
        holds=all(hasattr(F, name) for name in ("relu", "cross_entropy")),
    )


@about("B26")
def two_hidden_layers() -> Seen:
    linear = sum(p.numel() for name, p in MyNetwork().named_parameters() if name.startswith("fc"))
    return Seen(
        f"hidden layers of 256 and 128 units, {linear:,} parameters", holds=linear == 235_146
    )


@about("B27")
def printed_code_runs() -> Seen:
    quotes, indents = _error_of(PRINTED), _error_of(PRINTED.replace("“`\n", ""))
    images = complaint(lambda: MyNetwork()(digits().reshape(-1, 1, 28, 28)))
    return Seen(
        f"as printed {quotes}, without the curly quotes {indents}; two names are never defined; "
        f"and given images: {images}",
        holds=quotes is None,
    )


def _error_of(code: str) -> str | None:
    try:
        ast.parse(code)
    except SyntaxError as error:
        return type(error).__name__
    return None


@about("B32")
def training_loop() -> Seen:
    torch.manual_seed(0)
    network, losses = MyNetwork(), []
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    for _ in range(20):
        for inputs, wanted in zip(digits().split(64), labels().split(64), strict=True):
            optimizer.zero_grad()
            losses.append(F.cross_entropy(network(inputs), wanted))
            losses[-1].backward()
            optimizer.step()
    left_over = complaint(lambda: MyNetwork()(digits()[:1]))
    return Seen(
        f"it does, on flattened images (loss {losses[0]:.1f} to {losses[-1]:.1f} in 80 steps); it "
        "calls neither train() nor eval() and measures nothing, and an epoch that leaves one "
        f"sample ends with: {left_over}",
        holds=left_over is None,
        core=bool(losses[-1] < losses[0] / 2),
    )


@about("B28")
def one_dimensional() -> Seen:
    refused = _refused()
    return Seen(
        f"takes vectors (N, C) and sequences (N, C, L), and refuses {refused[0]}: '1d' counts the "
        "positions' axes",
        holds=len(refused) == 2,
        core=len(refused) == 1,
    )


@about("B50")
def by_the_dimensions() -> Seen:
    images = complaint(lambda: nn.BatchNorm2d(3)(drawn(4, 3, 5, 5)))
    return Seen(
        "1d for vectors and sequences, 2d for images, and there is a 3d",
        holds=images is None and bool(_refused()),
    )


def _refused() -> list[str]:
    shapes = {"(N, C)": (4, 3), "(N, C, L)": (4, 3, 5), "(N, C, H, W)": (4, 3, 5, 5)}
    return [
        name
        for name, shape in shapes.items()
        if complaint(partial(nn.BatchNorm1d(3), drawn(*shape)))
    ]


@about("B29")
def after_each_linear_layer() -> Seen:
    torch.manual_seed(0)
    sizes = [(784, 256), (256, 128), (128, 10)]
    parts = [
        part for size in sizes for part in (nn.Linear(*size), nn.BatchNorm1d(size[1]), nn.ReLU())
    ]
    network = nn.Sequential(*parts[:-1])  # a norm behind the last, too; no ReLU there
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        losses.append(F.cross_entropy(network(digits()), labels()))
        losses[-1].backward()
        optimizer.step()
    return Seen(
        f"it can: with one behind all three, the last included, the loss goes from {losses[0]:.1f} "
        f"to {losses[-1]:.1f} in 30 steps; the article's own network leaves the last one out",
        holds=bool(losses[-1] < losses[0] / 2),
    )


@about("B30")
def between_linear_and_relu() -> Seen:
    network, order = article_net("batch"), []
    for part in network.children():
        part.register_forward_hook(lambda module, _, __: order.append(type(module).__name__))
    received: dict[str, torch.Tensor] = {}
    network.fc2.register_forward_pre_hook(lambda _, given: received.update(fc2=given[0]))
    network.bn1.register_forward_hook(lambda _, __, y: received.update(bn1=y))
    network(digits())
    relu_follows = torch.equal(received["fc2"], torch.relu(received["bn1"]))
    return Seen(
        f"so in the article's code ({', '.join(order[:3])}, and a ReLU on what leaves the norm: "
        f"{relu_follows}) and in the 2015 paper; whether the other order is worse was not tried",
        holds=order[:3] == ["Linear", "BatchNorm1d", "Linear"] and relu_follows,
    )


@about("B31")
def sgd_trains() -> Seen:
    runs = measured("article_runs", norm="batch", lr=0.01, epochs=5, step=4690)
    return Seen(
        f"{told(runs)} after five epochs at learning rate 0.01", holds=bool(runs.min() > 90)
    )


@about("B51")
def input_or_hidden() -> Seen:
    first = nn.Sequential(nn.BatchNorm1d(784), nn.Linear(784, 10))
    return Seen(
        "both run; for the input layer see also B54", holds=first(digits()).shape == (256, 10)
    )


@about("B52")
def behind_a_convolution() -> Seen:
    layers = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3))
    return Seen(
        "behind nn.Linear and behind nn.Conv2d it runs, and its paper puts it there",
        holds=layers(digits().reshape(-1, 1, 28, 28)).shape == (256, 3, 26, 26),
    )


@about("B34")
def more_parameters() -> Seen:
    count = {
        affine: sum(p.numel() for p in nn.BatchNorm1d(256, affine=affine).parameters())
        for affine in (False, True)
    }
    share = (2 * 256 + 2 * 128) / 235_146
    return Seen(
        f"as PyTorch makes it by default it adds {count[True]} for 256 units, {share:.2%} in the "
        f"article's network; without affine, which is what the article calls plain, {count[False]}",
        holds=count[False] > 0,
        core=count[True] > 0,
    )


@about("B35")
def affine_lowers_the_cost() -> Seen:
    parameters = sum(p.numel() for p in nn.BatchNorm1d(256).parameters())
    without = sum(p.numel() for p in nn.BatchNorm1d(256, affine=False).parameters())
    return Seen(
        f"affine is the default ({nn.BatchNorm1d(4).affine}), and it is what adds the "
        f"{parameters} parameters",
        holds=parameters < without,
    )


@about("B56")
def convenient_and_efficient() -> Seen:
    seconds = {
        norm: recorded("article_runs").values("seconds", norm=norm, lr=0.01, epochs=5, step=4690)
        for norm in ("none", "batch")
    }
    ratio = np.median(seconds["batch"] / seconds["none"])
    return Seen(
        f"convenient: one line; efficient: less than twice the time of a training without "
        f"({ratio < 2}), in recorded runs beside others, which is as exact as they can be read",
        holds=bool(ratio < 2),
    )
