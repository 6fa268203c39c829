"""What is read off the layers is what they do, and a changed layer is noticed."""

import numpy as np
import pytest
import torch
from torch import nn

from normlab.parity import facts
from normlab.plots import averaged_cells

BY_NAME = {norm.name: norm for norm in facts.ALL_NORMS}


@pytest.mark.parametrize(
    ("name", "axes", "groups", "words"),
    [
        ("BatchNorm", (0, 2), None, "N and L"),
        ("SyncBatchNorm, one worker", (0, 2), None, "N and L"),
        ("InstanceNorm", (2,), None, "L"),
        ("LayerNorm, images", (1, 2), None, "C and L"),
        ("GroupNorm, 2 groups", (2,), 2, "3 of 6 C and L"),
        ("LayerNorm, tokens", (1,), None, "C"),
        ("RMSNorm, tokens", (1,), None, "C"),
        ("Dynamic Tanh", (), None, "nothing"),
        ("AdaLN", (1,), None, "C"),
    ],
)
def test_the_cells_are_those_of_the_course_s_picture(name, axes, groups, words):
    cells = facts.observe(BY_NAME[name]).cells
    np.testing.assert_array_equal(cells, averaged_cells(facts.SHAPE, axes, groups))
    assert facts.averaged(cells) == words


def test_local_response_norm_looks_at_its_neighbours_in_the_channels():
    cells = facts.observe(BY_NAME["LocalResponseNorm"]).cells
    # The window of the last of 6 channels reaches from channel 3 to where there are none.
    assert [tuple(cell) for cell in np.argwhere(cells)] == [(0, 3, 0), (0, 4, 0), (0, 5, 0)]


def test_what_the_layers_are_blind_to():
    blind = {
        name: (seen.blind_to_shift, seen.blind_to_scale)
        for name, seen in ((name, facts.observe(norm)) for name, norm in BY_NAME.items())
    }
    assert blind == {
        "BatchNorm": (True, True),
        "SyncBatchNorm, one worker": (True, True),
        "InstanceNorm": (True, True),
        "LayerNorm, images": (True, True),
        "GroupNorm, 2 groups": (True, True),
        "LocalResponseNorm": (False, False),
        "LayerNorm, tokens": (True, True),
        "RMSNorm, tokens": (False, True),
        "Dynamic Tanh": (False, False),
        "QK-norm, 2 heads": (False, True),
        "AdaLN": (True, True),
        "weight norm": (False, True),
        "weight standardization": (False, True),
        "spectral norm": (False, True),
    }


def test_what_they_learn_and_remember():
    seen = {name: facts.observe(norm) for name, norm in BY_NAME.items()}
    assert seen["GroupNorm, 2 groups"].parameters == {"weight": (6,), "bias": (6,)}
    assert seen["LayerNorm, images"].parameters == {"weight": (6, 5), "bias": (6, 5)}
    assert seen["InstanceNorm"].parameters == {}
    remember = {name for name, found in seen.items() if found.buffers}
    assert remember == {"BatchNorm", "SyncBatchNorm, one worker", "spectral norm"}
    assert {name for name, found in seen.items() if found.moves_buffers} == remember
    differ = {name for name, found in seen.items() if not found.answers_alike}
    assert differ == {"BatchNorm", "SyncBatchNorm, one worker"}


def test_a_layer_that_does_something_else_is_seen_to():
    """The observations are made, not looked up: another layer under the name changes them."""
    impostor = facts.Norm(
        "BatchNorm", lambda c, _: nn.InstanceNorm1d(c, track_running_stats=True), "", "02"
    )
    seen = facts.observe(impostor)
    assert facts.averaged(seen.cells) == "L"
    assert not seen.answers_alike
    assert seen.parameters == {}
    no_eps_in_the_way = facts.Norm("bias", lambda c, _: nn.Conv1d(c, c, 1), "", "02")
    assert not facts.observe(no_eps_in_the_way).blind_to_scale


def test_observing_leaves_the_random_state_alone():
    before = torch.get_rng_state()
    facts.observe(BY_NAME["spectral norm"])
    assert torch.equal(before, torch.get_rng_state())


def test_the_table():
    seconds = {norm.name: 0.00123 for norm in facts.NORMS}
    table = facts.FactTable(seconds=seconds)
    assert [row[0] for row in table.rows[1:]] == [norm.name for norm in facts.NORMS]
    assert {len(row) for row in table.rows} == {8}
    assert "| RMSNorm, tokens | C | scale | weight (C,) | nothing | alike | 1.2 ms |" in str(table)
    assert "original0 (C, 1, 1), original1 (C, C, 1)" in str(table)
    assert "alike; training moves its memory" in str(table)
    later = str(facts.FactTable(facts.LATER_NORMS))
    assert "| QK-norm, 2 heads | 3 of 6 C | scale | weight (C/2,) |" in later
    assert "weight (2C, K), bias (2C,)" in later
    assert len(facts.FactTable().rows[0]) == 7


def test_a_step_is_timed_for_every_norm():
    seconds = facts.seconds_per_step(shape=(2, 4, 3), repeats=1)
    assert list(seconds) == [norm.name for norm in facts.NORMS]
    assert all(time >= 0 for time in seconds.values())
    assert seconds["BatchNorm"] > 0


def test_dynamic_tanh():
    layer = facts.DynamicTanh(3, alpha=2.0)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, 10, -1]))
        layer.bias.copy_(torch.tensor([0.0, 1, 5]))
    y = layer(torch.tensor([[0.5, 0, -100]])).detach().numpy()
    np.testing.assert_allclose(y, [[np.tanh(1), 1, 6]], rtol=1e-6)
