"""Lesson 13: a whole training, with three bugs and no title that names them."""

import copy
import itertools
from typing import Any

import numpy as np
import torch
from torch.nn.functional import mse_loss

from normlab.tasks.case import Case, Cases
from normlab.tasks.drawing import distinct_values, seed_of_numbers
from normlab.tasks.scripts.together import (
    borne_out,
    counters,
    joined,
    plain,
    refilled,
    running_statistics,
    shapes_left,
    undisturbed,
)
from normlab.tasks.scripts.train_and_keep import network_of, use


def train_and_keep(network, x, y, size, batch_size, epochs, lr):
    mean, std = x[:size].mean(0), x[:size].std(0)  # (F,) each
    x = (x - mean) / std
    optimizer = torch.optim.SGD(network.parameters(), lr=lr)
    losses, kept = [], {}
    for epoch in range(epochs):
        network.train()
        for rows in torch.arange(size).split(batch_size):
            loss = mse_loss(network(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            losses.append(mse_loss(network(x[size:]), y[size:]).item())
        if losses[-1] == min(losses):
            kept = copy.deepcopy(network.state_dict())
    network.load_state_dict(kept)
    return losses


_SIZE, _BATCH = 11, 4  # the last batch is smaller


def cases(rng: np.random.Generator) -> Cases:
    """Draw one epoch; epochs that get better and better; epochs of which the first is the best.

    So each bug shows where the two others do not: after one epoch there is nothing to keep and no
    way back into training mode, and in the other two tables the rows for validation have the mean
    and the standard deviation of the others.
    """
    arguments = _one_epoch(rng)
    yield Case("one epoch", ("rows", "learned"), arguments, tolerance=1e-5)
    yield Case("3 epochs, the last is the best", ("mode", "counted"), _better_and_better(rng))
    yield Case("3 epochs, the first is the best", ("kept", "smallest"), _worse_and_worse(rng))


def _table(rng: np.random.Generator) -> dict[str, Any]:
    """Draw a table of three features; its last four rows are a standard deviation from the mean."""
    x = distinct_values(rng, (_SIZE, 3)) * np.array([1.0, 10.0, 0.1])
    mean, std = x.mean(0), x.std(0, ddof=1)
    signs = np.array([[1, 1, 1], [-1, -1, -1], [1, -1, 1], [-1, 1, -1]])
    rows = np.concatenate([x, mean + signs * std])
    y = distinct_values(rng, (len(rows), 1)) / len(rows)
    return {"x": rows, "y": y, "size": _SIZE, "batch_size": _BATCH}


def _one_epoch(rng: np.random.Generator) -> dict[str, Any]:
    """Draw until the weights feel no unit that all features share; only eps lets them feel it."""
    while True:
        arguments = {**_table(rng), "epochs": 1, "lr": 0.05, "seed": seed_of_numbers(rng)}
        arguments["x"][_SIZE:] += 300.0  # other rows than those that it trains on
        weights, others = (
            use(one, **arguments)[1] for one in (train_and_keep, _seen_through(_biased))
        )
        if np.abs(weights - others).max() < 1e-6 * np.abs(weights).max():
            return arguments


def _better_and_better(rng: np.random.Generator) -> dict[str, Any]:
    """Draw until the last epoch is the best, also in evaluation mode and with other units."""
    while True:
        arguments = {**_table(rng), "epochs": 3, "lr": 0.002, "seed": seed_of_numbers(rng)}
        programs = (train_and_keep, _in_evaluation_mode(after=1), *map(_seen_through, _OTHER_UNITS))
        all_losses = (use(one, **arguments)[0] for one in programs)
        if all(losses[2] < 0.98 * min(losses[:2]) for losses in all_losses):
            return arguments


def _worse_and_worse(rng: np.random.Generator) -> dict[str, Any]:
    """Draw targets for the validation that the network has nearly reached after one epoch.

    Until the first epoch is the best also where the validation's rows have other units.
    """
    while True:
        arguments = {**_table(rng), "epochs": 3, "lr": 0.05, "seed": seed_of_numbers(rng)}
        reached = _answers_after_one_epoch(**arguments)  # (M - size, 1)
        arguments["y"][_SIZE:] = reached + np.array([[0.01], [-0.01], [0.01], [-0.01]])
        programs = map(_seen_through, (_by_their_own, _in_their_units))
        all_losses = (use(one, **arguments)[0] for one in programs)
        tame = max(use(_in_evaluation_mode(after=0), **arguments)[0]) < 1e6
        if tame and all(losses[0] < 0.98 * min(losses[1:]) for losses in all_losses):
            return arguments


@undisturbed
def _answers_after_one_epoch(x, y, size, batch_size, epochs, lr, seed):
    network = network_of(x.shape[1], seed)
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    train_and_keep(network, x, y, size, batch_size, 1, lr)
    standardized = (x - x[:size].mean(0)) / x[:size].std(0)
    return network(standardized[size:]).detach().numpy()


def _in_evaluation_mode(after):
    """Train as the right program does, but after so many epochs in evaluation mode."""

    def program(network, *arguments):
        epochs = itertools.count()

        def train(mode=True):
            return type(network).train(network, mode and next(epochs) < after)

        network.train = train
        return train_and_keep(network, *arguments)

    return program


def _seen_through(change):
    """Train as the right program does, on rows that are not standardized as they should be."""

    def program(network, x, y, size, *more):
        mean, std = x[:size].mean(0), x[:size].std(0)

        def changed(_, given):
            return change(given[0], mean, std, network.training)

        hook = network.register_forward_pre_hook(changed)
        losses = train_and_keep(network, x, y, size, *more)
        hook.remove()
        return losses

    return program


def _by_their_own(rows, _mean, _std, training):
    return rows if training else (rows - rows.mean(0)) / rows.std(0)


def _in_their_units(rows, mean, std, training):
    return rows if training else rows * std + mean


def _centred(rows, _mean, std, _training):
    return rows * std


def _biased(rows, *_):
    return rows * (_SIZE / (_SIZE - 1)) ** 0.5


def _batch_by_batch(rows, *_):
    parts = [(p - p.mean(0)) / p.std(0) if len(p) > 1 else p for p in rows.split(_BATCH)]
    return torch.cat(parts)


_OTHER_UNITS = (_by_their_own, _in_their_units, _centred, _biased, _batch_by_batch)


def seen(x, *_):
    return {"losses": None, **shapes_left(network_of(x.shape[1], 0)), "asked": (len(x), 1)}


@undisturbed
def read(losses, weights, buffers, modes, asked, x, y, size, *_):
    """Believe the modes where a network with these numbers and modes gives the same answer.

    And answer a question: has the network, in evaluation mode, the smallest of the losses? 1 for
    yes, 0 for no.
    """
    network = refilled(network_of(x.shape[1], 0), weights, buffers)
    statistics = joined(running_statistics(network))
    modes = borne_out(modes, network, x, asked)
    standardized = (x - x[:size].mean(0)) / x[:size].std(0, ddof=1)
    answers = plain(network.eval()(torch.from_numpy(standardized[size:])))
    loss = ((answers - y[size:]) ** 2).mean()
    smallest = float(np.isclose(np.min(losses, initial=np.inf), loss, rtol=1e-6))
    return losses, weights, statistics, joined(counters(network)), modes, smallest
