"""The torch programs of lesson 13: scripts that put an answer to use, and programs in steps.

For each task there are these functions. ``use_...`` makes networks of plain arrays, calls the
learner's program, and returns plain arrays that show what it did. ``read_...`` answers from them
the questions that are asked: the grader runs it, and not the learner's process. ``..._mended`` is a
right program. ``..._in_steps`` is the program again, some of whose steps a mistake may change.

What a grader has to believe, since numbers do not show it: that no gradient was recorded
(`predict`), and that two answers of one network (beside this neighbour and that, alone, on images,
before the student's next step and after it) were given one by one and not copied. A network that is
the learner's own to choose (`small_batch_network`) can be any function with the properties that are
asked for, and its norm's parameters are counted where it is.
"""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

from normlab.exercises.catalogue.torch_scripts import (
    asked,
    borne_out,
    counters,
    filled,
    hidden_layer,
    joined,
    modes_of,
    plain,
    refilled,
    running_statistics,
    undisturbed,
)

# ---- fine_tune


@undisturbed
def use_fine_tune(
    answer: Callable,
    x: np.ndarray,
    y: np.ndarray,
    validation_x: np.ndarray,
    validation_y: np.ndarray,
    epochs: int,
    seed: int,
) -> tuple:
    """Let `answer` train a head on a body, and look at both afterwards.

    Parameters
    ----------
    x, y
        The batches, (K, N, D) and (K, N, 1).
    validation_x, validation_y
        (M, D) and (M, 1).
    """
    # So many units that some of them are awake behind the ReLU, whatever the seed.
    body = filled(hidden_layer(x.shape[2], 12), seed)
    head = filled(nn.Sequential(hidden_layer(12, 12), nn.Linear(12, 1)), seed + 1)
    batches = list(zip(torch.from_numpy(x), torch.from_numpy(y), strict=True))
    validation = torch.from_numpy(validation_x), torch.from_numpy(validation_y)
    losses = answer(body, head, batches, validation, epochs, 0.01)
    return (
        joined(body.buffers()),
        joined(body.parameters()),
        joined(counters(head)),
        joined([*head.parameters(), *running_statistics(head)]),
        plain(losses),
    )


def fine_tune_mended(
    body: nn.Module,
    head: nn.Module,
    batches: list,
    validation: tuple[Tensor, Tensor],
    epochs: int,
    lr: float,
) -> list[float]:
    """Keep the body in evaluation mode, so that nothing writes into its buffers."""
    body.requires_grad_(False).eval()
    optimizer = torch.optim.SGD(head.parameters(), lr=lr)
    losses = []
    for _ in range(epochs):
        head.train()
        for x, y in batches:
            loss = F.mse_loss(head(body(x)), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        head.eval()
        with torch.no_grad():
            losses.append(F.mse_loss(head(body(validation[0])), validation[1]).item())
    return losses


def fine_tune_in_steps(
    body: nn.Module,
    head: nn.Module,
    batches: list,
    validation: tuple[Tensor, Tensor],
    epochs: int,
    lr: float,
    *,
    body_trains: str = "never",
    head_trains: str = "always",
    learns: str = "head",
) -> list[float]:
    """Train in the modes that the keywords name."""
    network = nn.Sequential(body, head)
    learning = network.parameters() if learns == "all" else head.parameters()
    optimizer = torch.optim.SGD(learning, lr=lr)
    losses = []
    for epoch in range(epochs):
        now = {"never": False, "always": True, "first": epoch == 0, "later": epoch > 0}
        body.train(now[body_trains])
        head.train(now[head_trains])
        for x, y in batches:
            optimizer.zero_grad()
            F.mse_loss(network(x), y).backward()
            optimizer.step()
        network.eval()
        losses.append(F.mse_loss(network(validation[0]), validation[1]).item())
    return losses


# ---- predict


@undisturbed
def use_predict(answer: Callable, x: np.ndarray, batch_size: int, given: str, seed: int) -> tuple:
    """Let `answer` predict, and look whether the network is as it was.

    Parameters
    ----------
    x
        (N, D).
    given
        The network's mode before: "train", "eval", or "part" for one layer in evaluation mode.
    """
    network = filled(_two_layers(x.shape[1]), seed)
    network.train(given != "eval")
    network[0].train(given == "train")
    rows = torch.from_numpy(x)
    scores = answer(network, rows, batch_size)
    free = float(not getattr(scores, "requires_grad", False))
    return (
        plain(scores),
        joined(network.buffers()),
        modes_of(network),
        free,
        joined(network.parameters()),
        asked(network, rows),
    )


def _two_layers(features: int) -> nn.Sequential:
    return nn.Sequential(hidden_layer(features, 4), hidden_layer(4, 4), nn.Linear(4, 3))


@undisturbed
def read_predict(
    scores: np.ndarray,
    buffers: np.ndarray,
    modes: np.ndarray,
    no_gradient: np.ndarray,
    weights: np.ndarray,
    asked_again: np.ndarray,
    x: np.ndarray,
    *_: Any,  # noqa: ANN401 - what else the script was given
) -> tuple:
    """Believe the modes where a network with these weights and modes gives the same answer."""
    network = refilled(_two_layers(x.shape[1]), weights, buffers)
    return scores, buffers, borne_out(modes, network, x, asked_again), no_gradient


def predict_mended(network: nn.Module, x: Tensor, batch_size: int) -> Tensor:
    """Predict in evaluation mode, then give each module its mode back."""
    before = {module: module.training for module in network.modules()}
    network.eval()
    with torch.no_grad():
        scores = torch.cat([network(part) for part in x.split(batch_size)])
    for module, training in before.items():
        module.training = training
    return scores


def predict_in_steps(
    network: nn.Module,
    x: Tensor,
    batch_size: int,
    *,
    switches: bool = True,
    afterwards: str = "as found",
    graph: bool = False,
) -> Tensor:
    """Predict, with or without eval(), and leave the modes that the keywords name."""
    root = network.training
    before = [module.training for module in network.modules()]
    if switches:
        network.eval()
    with torch.set_grad_enabled(graph):
        scores = torch.cat([network(part) for part in x.split(batch_size)])
    if afterwards == "as found":
        for module, training in zip(network.modules(), before, strict=True):
            module.training = training
    else:
        network.train({"eval": False, "train": True, "as the whole": root}[afterwards])
    return scores


# ---- update_teacher


@undisturbed
def use_update_teacher(answer: Callable, x: np.ndarray, decay: float, seed: int) -> tuple:
    """Let a student train, and `answer` update its teacher after each batch.

    Parameters
    ----------
    x
        The batches, (K, N, D): after the last of them there is no more update, and the teacher
        must not move with the student any more.
    """
    student = filled(nn.Sequential(hidden_layer(x.shape[2], 4), nn.Linear(4, 2)), seed).train()
    teacher = filled(copy.deepcopy(student), seed + 1).eval()
    for batch in torch.from_numpy(x[:-1]):
        _one_step(student, batch)
        answer(teacher, student, decay)
    before = joined(teacher.state_dict().values())
    parameters, running = joined(teacher.parameters()), joined(running_statistics(teacher))
    counted = joined(counters(teacher))
    _one_step(student, torch.from_numpy(x[-1]))
    return parameters, running, counted, before, joined(teacher.state_dict().values())


def read_update_teacher(
    parameters: np.ndarray,
    running: np.ndarray,
    counted: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    *_: Any,  # noqa: ANN401 - what the script was given
) -> tuple:
    """Say whether the student's last step left the teacher as it was: 1 or 0."""
    return parameters, running, counted, float(np.array_equal(before, after))


def _one_step(student: nn.Module, batch: Tensor) -> None:
    """Move the student's parameters and buffers, as a step of training would."""
    student(batch)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.mul_(0.9).add_(0.05)


def update_teacher_mended(teacher: nn.Module, student: nn.Module, decay: float) -> None:
    """Average the parameters, and take over the buffers."""
    with torch.no_grad():
        for ours, theirs in zip(teacher.parameters(), student.parameters(), strict=True):
            ours.copy_(decay * ours + (1 - decay) * theirs)
        for ours, theirs in zip(teacher.buffers(), student.buffers(), strict=True):
            ours.copy_(theirs)


def update_teacher_in_steps(
    teacher: nn.Module,
    student: nn.Module,
    decay: float,
    *,
    average: str = "decay",
    statistics: str = "copied",
    counter: str = "copied",
) -> None:
    """Do with parameters, running statistics and counter what the keywords name."""
    share = {"decay": decay, "reversed": 1 - decay, "copied": 0.0}[average]
    with torch.no_grad():
        for ours, theirs in zip(teacher.parameters(), student.parameters(), strict=True):
            ours.lerp_(theirs, 1 - share)
        for name, theirs in student.named_buffers():
            ours = teacher.get_buffer(name)
            how = counter if name.endswith("tracked") else statistics
            if how == "copied":
                ours.copy_(theirs)
            elif how == "averaged":
                ours.lerp_(theirs, 1 - decay)
            elif how == "shared":
                ours.data = theirs.data


# ---- small_batch_network


@undisturbed
def use_small_batch_network(
    answer: Callable, x: np.ndarray, hidden: int, classes: int, seed: int
) -> tuple:
    """Ask a network for small batches, and bring back its answers.

    Parameters
    ----------
    x
        (2, D): a batch.

    Returns
    -------
    tuple
        The answers to the batch, (2, C); to its first sample beside another neighbour, (C,); to
        the batch in evaluation mode, (2, C); to the first sample alone, (1, C), or nothing; to the
        batch when the first layer's output is 100 times as large, (2, C), and when all parameters
        are others, (2, C). And how many parameters belong to no linear layer.
    """
    torch.manual_seed(seed)
    network = answer(x.shape[1], hidden, classes)
    if not isinstance(network, nn.Module):
        raise TypeError(f"a torch.nn.Module is asked for, and this is a {type(network).__name__}")
    network.train()
    one, two = torch.from_numpy(x)
    beyond = 2 * one - two  # on the other side of the first
    return (
        plain(_ask(network, one, two)),
        plain(_ask(network, one, beyond)[0]),
        plain(_ask(network.eval(), one, two)),
        _asked_alone(network.train(), one),
        plain(_ask(_enlarged(network), one, two)),
        plain(_ask(_with_other_parameters(network, seed), one, two)),
        _own_parameters(network),
    )


def read_small_batch_network(
    both: np.ndarray,
    beside_another: np.ndarray,
    in_evaluation: np.ndarray,
    alone: np.ndarray,
    enlarged: np.ndarray,
    with_other_parameters: np.ndarray,
    own_parameters: np.ndarray,
    x: np.ndarray,
    hidden: int,
    classes: int,
    *_: Any,  # noqa: ANN401 - what else the script was given
) -> tuple:
    """Answer the questions: 1 for yes, 0 for no.

    Numbers that are not one for each class, or do not depend on the parameters, are no network's:
    then every answer is no.

    Returns
    -------
    tuple
        Is the answer to a sample independent of the other? Is it the same in both modes? Can one
        sample alone be trained on? Is it the same if the first layer's output is 100 times as
        large? Are two samples told apart? Has the norm parameters?
    """
    if both.shape != (len(x), classes) or _alike(both, with_other_parameters):
        return (0.0,) * 6
    return tuple(
        float(yes)
        for yes in (
            _alike(both[0], beside_another),
            _alike(both, in_evaluation),
            alone.size > 0 and np.isfinite(alone).all(),
            _alike(both, enlarged),
            not _alike(both[0], both[1]),
            own_parameters >= hidden,
        )
    )


def _ask(network: nn.Module, *rows: Tensor) -> Tensor:
    """Return the answer to a batch, without leaving a trace in the network."""
    with torch.no_grad():
        return copy.deepcopy(network)(torch.stack(rows))


def _asked_alone(network: nn.Module, row: Tensor) -> np.ndarray:
    try:
        return plain(_ask(network, row))
    except ValueError:
        return np.empty(0)


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.abs(one - other).max() < 1e-2 * np.abs(one).max())


def _enlarged(network: nn.Module) -> nn.Module:
    enlarged = copy.deepcopy(network)
    first = next((m for m in enlarged.modules() if isinstance(m, nn.Linear)), None)
    with torch.no_grad():
        for parameter in first.parameters() if first else ():
            parameter.mul_(100)
    return enlarged


def _with_other_parameters(network: nn.Module, seed: int) -> nn.Module:
    other, rng = copy.deepcopy(network), np.random.default_rng(seed)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.copy_(torch.as_tensor(rng.normal(size=parameter.shape)))
    return other


def _own_parameters(network: nn.Module) -> int:
    """Count the parameters that belong to no linear layer."""
    linear = [p for m in network.modules() if isinstance(m, nn.Linear) for p in m.parameters()]
    return sum(p.numel() for p in network.parameters()) - sum(p.numel() for p in linear)


def small_batch_network_mended(features: int, hidden: int, classes: int) -> nn.Module:
    """Normalize each sample by itself."""
    return nn.Sequential(
        nn.Linear(features, hidden), nn.LayerNorm(hidden), nn.ReLU(), nn.Linear(hidden, classes)
    )


_NORMS: dict[str, Callable[[int], nn.Module]] = {
    "groups": lambda size: nn.GroupNorm(2, size),
    "batch": nn.BatchNorm1d,
    "batch, nothing remembered": lambda size: nn.BatchNorm1d(size, track_running_stats=False),
    "none": lambda _: nn.Identity(),
    "no parameters": lambda size: nn.LayerNorm(size, elementwise_affine=False),
    "groups of one": lambda size: nn.GroupNorm(size, size),
}


def small_batch_network_in_steps(
    features: int, hidden: int, classes: int, *, norm: str = "groups"
) -> nn.Module:
    """Build the network with the norm that the keyword names."""
    return nn.Sequential(
        nn.Linear(features, hidden), _NORMS[norm](hidden), nn.ReLU(), nn.Linear(hidden, classes)
    )


# ---- SensorNet


@undisturbed
def use_sensor_net(
    make: Callable, x: np.ndarray, test: np.ndarray, weight: np.ndarray, bias: np.ndarray
) -> tuple:
    """Make a network, show it batches in training mode, and test it.

    Parameters
    ----------
    x
        The batches, (K, N, F).
    test
        (M, F).
    weight, bias
        Of the linear layer, (C, F) and (C,).
    """
    network = make(x.shape[2], len(bias))
    with torch.no_grad():
        network.linear.weight.copy_(torch.from_numpy(weight))
        network.linear.bias.copy_(torch.from_numpy(bias))
    network.train()
    for batch in torch.from_numpy(x):
        trained = network(batch)
    network.eval()
    rows = torch.from_numpy(test)
    tested = network(rows)
    try:
        alone = plain(network(rows[:1]))
    except ValueError:  # one row has no variance
        alone = np.empty(0)
    return plain(trained), plain(tested), alone, plain(network.linear.weight)


def read_sensor_net(
    trained: np.ndarray,
    tested: np.ndarray,
    alone: np.ndarray,
    linear_weight: np.ndarray,
    *_: Any,  # noqa: ANN401 - what the script was given
) -> tuple:
    """Say whether the first row alone gets the answer that it gets among others: 1 or 0."""
    same = alone.size > 0 and _alike(alone, tested[:1])
    return trained, tested, float(same), linear_weight


class SensorNetMended(nn.Module):
    """Normalizes each feature over the batch, and remembers."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(features)
        self.linear = nn.Linear(features, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores, (N, C), of rows (N, F)."""
        return self.linear(self.norm(x))


class SensorNetInSteps(nn.Module):
    """Normalizes what, when and where the keywords say."""

    def __init__(
        self,
        features: int,
        classes: int,
        *,
        statistics: str = "columns",
        evaluation: str = "remembered",
        place: str = "before",
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(features, classes)
        size = features if place == "before" else classes
        remembers = evaluation == "remembered"
        norms = {
            "columns": lambda: nn.BatchNorm1d(size, track_running_stats=remembers),
            "rows": lambda: nn.LayerNorm(size, elementwise_affine=False),
            "none": nn.Identity,
        }
        self.norm = norms[statistics]()
        self.place = place

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores, (N, C), of rows (N, F)."""
        if self.place == "before":
            return self.linear(self.norm(x))
        return self.norm(self.linear(x))


# ---- split_and_standardize


@undisturbed
def use_split_and_standardize(answer: Callable, x: np.ndarray, size: int) -> tuple:
    """Let `answer` split and standardize x (N, F); it sees the very numbers of x."""
    returned = answer(torch.from_numpy(x), size)
    if not isinstance(returned, tuple | list) or len(returned) != 2:
        raise TypeError("two tensors are asked for: train, test")
    train, test = returned
    return plain(train), plain(test), np.array([len(train), len(test)])


def split_and_standardize_mended(x: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Split first; take mean and standard deviation from the training rows."""
    train, test = x[:size], x[size:]
    mean, std = train.mean(0), train.std(0)
    return (train - mean) / std, (test - mean) / std


def split_and_standardize_in_steps(
    x: Tensor, size: int, *, fitted_on: str = "train", over: str = "features", less: int = 1
) -> tuple[Tensor, Tensor]:
    """Standardize with the statistics that the keywords name."""
    train, test = x[:size], x[size:]
    rows = {"train": (train, train), "all": (x, x), "own": (train, test), "test": (test, test)}
    return tuple(
        (part - _mean(fit, over))
        / (fit - _mean(fit, over))
        .square()
        .sum(_axes(over))
        .div((fit.numel() if over == "everything" else len(fit)) - less)
        .sqrt()
        for part, fit in zip((train, test), rows[fitted_on], strict=True)
    )


def _axes(over: str) -> tuple[int, ...]:
    return (0, 1) if over == "everything" else (0,)


def _mean(rows: Tensor, over: str) -> Tensor:
    return rows.mean(_axes(over))
