"""Healthy networks of many kinds: the doctor counts their norms, and raises no alarm."""

import pytest
import torch
from architectures import NETWORKS
from own_norms import RECOGNIZED
from snapshots import equal, snapshot
from torch import nn

from normlab.checkup import conditions as known
from normlab.checkup import doctor
from normlab.checkup.patient import admit
from normlab.checkup.probe import recognize

each_network = pytest.mark.parametrize(
    ("make", "example", "norms"),
    [case[:3] for case in NETWORKS.values()],
    ids=NETWORKS,
)


def test_there_are_enough_networks():
    assert len(NETWORKS) >= 20
    assert sum(own for *_, own in NETWORKS.values()) >= 8


@each_network
@pytest.mark.parametrize("shown", [True, False], ids=["with example", "without"])
@pytest.mark.parametrize("mode", [True, False], ids=["training", "evaluation"])
def test_a_healthy_network_raises_no_alarm_and_is_left_as_it_was(make, example, norms, mode, shown):
    torch.manual_seed(0)
    model = make().train(mode)
    before = snapshot(model)
    report = doctor(model, example if shown else None)
    assert report.looked_at[0].startswith(f"{type(model).__name__}: {norms} norm layer")
    allowed = {known.NO_BATCH_YET} if not mode else set()
    guessed = known.SWALLOWED_BIAS if not shown else None  # "give an example to be sure"
    assert {found.condition for found in report.findings} <= {*allowed, guessed}, report
    assert report.healthy is True
    assert equal(snapshot(model), before)


@each_network
def test_a_network_that_has_learned_raises_no_alarm(make, example, norms):
    torch.manual_seed(0)
    model = make().train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01) if list(model.parameters()) else None
    arguments = example if isinstance(example, tuple) else (example,)
    for _ in range(3):
        loss = model(*arguments).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    before = snapshot(model)
    for mode in (True, False):
        report = doctor(model.train(mode), example, optimizer=optimizer)
        assert report.names() == []
        assert report.healthy is True
    assert equal(snapshot(model.train()), before)


@each_network
def test_a_nan_in_any_norm_is_seen_whatever_its_class(make, example, norms):
    torch.manual_seed(0)
    model = make()
    found = admit(model, None, None).norms
    assert len(found) == norms
    for norm in found.values():
        for _, tensor in norm.arrays():
            place = tensor.detach().view(-1)[:1]
            if not tensor.is_floating_point():
                continue
            kept = place.clone()
            place.fill_(torch.nan)
            report = doctor(model)
            assert report.healthy is False
            assert known.NOT_FINITE.name in report.names()
            place.copy_(kept)


@pytest.mark.parametrize(("make", "like", "shape", "shared"), RECOGNIZED.values(), ids=RECOGNIZED)
def test_a_norm_of_ones_own_is_recognized_by_what_it_does(make, like, shape, shared):
    for precision in (torch.float32, torch.bfloat16):
        norm = recognize(make().to(precision), frozen=True)
        assert norm.like == like
        if shape is not None:
            assert norm.values_per_statistic(shape) == shared


@pytest.mark.parametrize(
    "layer",
    [nn.Identity(), nn.GELU(), nn.Dropout(0.5), nn.Linear(4, 4), nn.PReLU(), nn.Softmax(-1)],
    ids=repr,
)
def test_what_is_no_norm_is_not_taken_for_one(layer):
    assert recognize(layer) is None
