"""Lesson 5: networks, loops and epochs written in many ways, and what is wrong with others."""

import copy
import itertools
from pathlib import Path

import jupytext
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

from normlab import check
from normlab.exercises import find

NOTEBOOK = jupytext.read(
    Path(__file__).parents[2] / "source" / "exercises" / "05_mnist_with_batch_norm.py"
)

# ---- MyNetwork


class AsSequential(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(784, 256),
            nn.BatchNorm1d(256),
            nn.ReLU(),
            nn.Linear(256, 128),
            nn.BatchNorm1d(128),
            nn.ReLU(),
            nn.Linear(128, 10),
        )

    def forward(self, x):
        return self.layers(x)


class IsSequential(nn.Sequential):
    def __init__(self):
        super().__init__(*AsSequential().layers)


class InModuleLists(nn.Module):
    def __init__(self):
        super().__init__()
        sizes = [784, 256, 128]
        self.linear = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(sizes))
        self.norms = nn.ModuleList(nn.BatchNorm1d(size) for size in sizes[1:])
        self.out = nn.Linear(128, 10)

    def forward(self, x):
        x = x.reshape(len(x), -1)
        for linear, norm in zip(self.linear, self.norms, strict=True):
            x = norm(linear(x)).clamp(min=0)
        return self.out(x)


class InOtherOrder(nn.Module):
    """The layers are made from the last to the first."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(128, 10)
        self.norm2, self.norm1 = nn.BatchNorm1d(128), nn.BatchNorm1d(256)
        self.second, self.first = nn.Linear(256, 128), nn.Linear(784, 256)

    def forward(self, x):
        x = F.relu(self.norm1(self.first(x.view(-1, 784))))
        return self.last(F.relu(self.norm2(self.second(x))))


class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear, self.norm = nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs)

    def forward(self, x):
        return torch.maximum(self.norm(self.linear(x)), torch.zeros(()))


class InBlocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = Block(784, 256), Block(256, 128)
        self.head = nn.Linear(128, 10)

    def forward(self, x):
        return self.head(self.two(self.one(torch.flatten(x, start_dim=1))))


# ---- train_and_measure


def train(network, optimizer, batches):
    for x, y in batches:
        optimizer.zero_grad()
        F.cross_entropy(network(x), y).backward()
        optimizer.step()


def measure(network, batches):
    with torch.no_grad():
        total = sum(F.cross_entropy(network(x), y, reduction="sum").item() for x, y in batches)
    return total / sum(len(y) for _, y in batches)


def train_at_each_epoch_and_the_end(network, optimizer, train_batches, test_batches, epochs):
    losses = []
    for _ in range(epochs):
        network.train()
        train(network, optimizer, train_batches)
        network.eval()
        losses.append(measure(network, test_batches))
    network.train()
    return losses


def with_train_true_and_false(network, optimizer, train_batches, test_batches, epochs):
    losses = np.zeros(epochs)
    for epoch in range(epochs):
        train(network.train(True), optimizer, train_batches)
        losses[epoch] = measure(network.train(False), test_batches)
        network.train(True)
    return losses


def whole_test_set_at_once(network, optimizer, train_batches, test_batches, epochs):
    x, y = (torch.cat(parts) for parts in zip(*test_batches, strict=True))
    losses = []
    for _ in range(epochs):
        train(network.train(), optimizer, train_batches)
        with torch.inference_mode():
            losses.append(F.cross_entropy(network.eval()(x), y))
    network.train()
    return torch.stack(losses)


def weighted_means(network, optimizer, train_batches, test_batches, epochs):
    losses = []
    network.train()
    for _ in range(epochs):
        train(network, optimizer, train_batches)
        network.eval()
        means = [F.cross_entropy(network(x), y).item() for x, y in test_batches]
        losses.append(np.average(means, weights=[len(y) for _, y in test_batches]))
        network.train()
    return losses


def measured_on_a_copy(network, optimizer, train_batches, test_batches, epochs):
    network.train()
    losses = []
    for _ in range(epochs):
        train(network, optimizer, train_batches)
        losses.append(measure(copy.deepcopy(network).eval(), test_batches))
    return losses


# ---- train_one_epoch


def epoch(make_optimizer, order=torch.randperm, size=64):
    def train_one_epoch(network, inputs, labels):
        optimizer = make_optimizer(network.parameters())
        network.train()
        for rows in order(len(inputs)).split(size):
            optimizer.zero_grad()
            F.cross_entropy(network(inputs[rows]), labels[rows]).backward()
            optimizer.step()

    return train_one_epoch


def sgd(lr):
    return lambda parameters: torch.optim.SGD(parameters, lr=lr)


def by_a_loader(network, inputs, labels):
    data = torch.utils.data.TensorDataset(inputs, labels)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.003)
    for x, y in torch.utils.data.DataLoader(data, batch_size=64, shuffle=True):
        loss = nn.CrossEntropyLoss()(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def by_hand(network, inputs, labels):
    """No optimizer, and a learning rate that falls."""
    network.train()
    batches = torch.randperm(len(inputs)).split(64)
    for step, rows in enumerate(batches):
        gradients = torch.autograd.grad(
            F.cross_entropy(network(inputs[rows]), labels[rows]), list(network.parameters())
        )
        with torch.no_grad():
            for parameter, gradient in zip(network.parameters(), gradients, strict=True):
                parameter -= 0.2 * (1 - step / len(batches)) * gradient


EPOCHS = {
    "SGD": epoch(sgd(0.1)),
    "momentum": epoch(lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9)),
    "not shuffled": epoch(sgd(0.1), order=torch.arange),
    "loader": by_a_loader,
    "by hand": by_hand,
}

RIGHT = {
    "MyNetwork": [AsSequential, IsSequential, InModuleLists, InOtherOrder, InBlocks],
    "train_and_measure": [
        train_at_each_epoch_and_the_end,
        with_train_true_and_false,
        whole_test_set_at_once,
        weighted_means,
        measured_on_a_copy,
    ],
}


@pytest.mark.parametrize(
    ("name", "answer"),
    [(name, answer) for name, answers in RIGHT.items() for answer in answers],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_full_points(name, answer):
    for seed in (2015, 0, 1, 2, 3):
        report = check(name, answer, seed=seed)
        assert report.passed, f"seed {seed}\n{report}"


@pytest.mark.parametrize("how", EPOCHS)
def test_the_goal_is_reached_in_many_ways(how):
    report = check("train_one_epoch", EPOCHS[how])
    assert report.passed, report


# ---- what is wrong with others


def test_the_printed_loop_is_named():
    cell = next(c for c in NOTEBOOK.cells if c.source.startswith("def train_and_measure("))
    namespace = {"torch": torch, "cross_entropy": F.cross_entropy}
    exec(cell.source, namespace)
    report = check("train_and_measure", namespace["train_and_measure"])
    assert report.mistakes == ("neither train nor eval",)
    assert report.points == 2


class WithAList(AsSequential):
    def __init__(self):
        super().__init__()
        self.norms = [self.layers[2], self.layers[5]]
        self.layers[2] = self.layers[5] = nn.Identity()

    def forward(self, x):
        flatten, one, _, relu, two, *_, three = self.layers
        x = relu(self.norms[0](one(flatten(x))))
        return three(relu(self.norms[1](two(x))))


class MadeInForward(AsSequential):
    def __init__(self):
        super().__init__()
        self.layers[2] = self.layers[5] = nn.Identity()

    def forward(self, x):
        flatten, one, _, relu, two, *_, three = self.layers
        x = relu(nn.BatchNorm1d(256)(one(flatten(x))))
        return three(relu(nn.BatchNorm1d(128)(two(x))))


class NotFlattened(AsSequential):
    def __init__(self):
        super().__init__()
        self.layers = self.layers[1:]


def in_evaluation_mode(network, inputs, labels):
    optimizer = torch.optim.SGD(network.eval().parameters(), lr=0.1)
    for rows in torch.randperm(len(inputs)).split(64):
        optimizer.zero_grad()
        F.cross_entropy(network(inputs[rows]), labels[rows]).backward()
        optimizer.step()


def half_an_epoch(network, inputs, labels):
    EPOCHS["SGD"](network, inputs[:12_800], labels[:12_800])


@pytest.mark.parametrize(
    ("name", "answer", "mistake"),
    [
        ("MyNetwork", WithAList, "norms unseen"),
        ("MyNetwork", MadeInForward, "norms unseen"),
        ("MyNetwork", NotFlattened, "not flattened"),
        ("train_one_epoch", epoch(sgd(0.01)), "goal missed"),
        ("train_one_epoch", epoch(sgd(0.1), size=32), "other batches"),
        ("train_one_epoch", in_evaluation_mode, "trained in evaluation mode"),
        ("train_one_epoch", half_an_epoch, "less than one epoch"),
        ("train_one_epoch", lambda network, inputs, labels: network(inputs[:64]), "no step"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_what_is_wrong_is_named(name, answer, mistake):
    report = check(name, answer)
    assert mistake in report.mistakes, report
    assert not report.passed


def test_two_epochs_are_one_too_many():
    def answer(network, inputs, labels):
        EPOCHS["SGD"](network, inputs, labels)
        network(inputs[:64])

    assert check("train_one_epoch", answer).mistakes == ("more than one epoch",)


def test_training_has_more_time_than_other_tasks():
    assert find("train_one_epoch").seconds > 5


@pytest.mark.parametrize(
    ("name", "answer", "message"),
    [
        ("MyNetwork", nn.Linear, "An object of your class is made as MyNetwork("),
        ("MyNetwork", AsSequential(), "This task asks for a class"),
        ("train_and_measure", lambda n, o, a, b, e: [], "losses should have the shape"),
        ("train_one_epoch", lambda n, i, t: n.nothing, "AttributeError"),
    ],
)
def test_odd_answers_get_a_word(name, answer, message):
    report = check(name, answer)
    assert message in " ".join(str(report).split())
    assert not report.passed


def test_the_courses_own_network_is_no_answer():
    from normlab.training import ArticleNet

    class Borrowed(ArticleNet):
        def __init__(self):
            super().__init__("batch")

    report = check("MyNetwork", Borrowed)
    assert "Your function uses normlab." in " ".join(str(report).split())
    assert "in PyTorch alone" in " ".join(str(report).split())
    assert report.points == 0


def test_the_learners_torch_is_left_as_it_was():
    torch.manual_seed(3)
    before = torch.get_rng_state(), torch.get_default_dtype(), torch.get_num_threads()
    check("train_one_epoch", lambda network, inputs, labels: torch.randn(3))
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (torch.get_default_dtype(), torch.get_num_threads())
