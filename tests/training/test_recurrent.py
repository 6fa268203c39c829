"""The recurrent network: torch's own RNN where there is no norm, and each sequence for itself."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from normlab.training.recurrent import RECURRENT_NORMS, STEPS, BatchNormPerStep, RowRNN, row_rnn

LENGTHS = torch.tensor([5, 28, 1, 17])


def some_images(seed=0):
    return torch.rand(len(LENGTHS), STEPS, STEPS, generator=torch.Generator().manual_seed(seed))


def made_up(norm):
    """Give a network weights, biases and running statistics that are not those of a fresh one."""
    network = row_rnn(norm).double()
    generator = torch.Generator().manual_seed(1)
    for name, tensor in network.norm.state_dict().items():
        low = -1.0 if name in {"bias", "running_mean"} else 0.5
        tensor.copy_(low + torch.rand(tensor.shape, generator=generator))
    return network


def test_without_a_norm_it_is_torchs_own_rnn():
    network = row_rnn("none").double()
    theirs = nn.RNN(STEPS, 64, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(network.from_row.weight)
        theirs.weight_hh_l0.copy_(network.from_memory.weight)
        theirs.bias_ih_l0.copy_(network.from_row.bias)
        theirs.bias_hh_l0.zero_()
    x = some_images().double()
    packed = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
    for ours, expected in (
        (network(x, LENGTHS), theirs(packed)[1]),
        (network(x), theirs(x)[1]),
    ):
        torch.testing.assert_close(ours, network.fc(expected[0]))


def test_layer_norm_stands_before_the_tanh():
    network, x = made_up("layer"), some_images().double()
    h = torch.zeros(len(x), 64, dtype=torch.float64)
    for row in x.unbind(1):
        h = torch.tanh(network.norm(network.from_row(row) + network.from_memory(h)))
    torch.testing.assert_close(network(x), network.fc(h))


@pytest.mark.parametrize("norm", RECURRENT_NORMS)
def test_a_sequence_alone_and_in_a_batch_gets_the_same_answer(norm):
    network, x = made_up(norm).eval(), some_images().double()
    together = network(x, LENGTHS)
    for image, length, expected in zip(x, LENGTHS, together, strict=True):
        torch.testing.assert_close(network(image[None], length[None])[0], expected)


@pytest.mark.parametrize("norm", RECURRENT_NORMS)
@pytest.mark.parametrize("training", [True, False])
def test_rows_behind_the_end_do_not_count(norm, training):
    x = some_images().double()
    changed = x.clone()
    for image, length in zip(changed, LENGTHS, strict=True):
        image[length:] = 77.0
    answers = [made_up(norm).train(training)(images, LENGTHS) for images in (x, changed)]
    torch.testing.assert_close(*answers)


def test_batch_norm_has_statistics_for_each_step_of_those_still_going_on():
    network, x = row_rnn("batch").double(), some_images().double()
    network(x, LENGTHS)
    first = network.from_row(x[:, 0])  # there is no memory yet
    torch.testing.assert_close(network.norm.running_mean[0], 0.1 * first.mean(0))
    torch.testing.assert_close(network.norm.running_var[0], 0.9 + 0.1 * first.var(0))
    moved = (network.norm.running_mean != 0).any(1)  # (STEPS,)
    assert moved.tolist() == [step < 17 for step in range(STEPS)]  # then one sequence is left


def test_batch_norm_takes_running_statistics_for_a_single_sequence():
    norm = BatchNormPerStep(3)
    norm.running_mean[2], norm.running_var[2] = 5.0, 4.0
    norm(torch.zeros(1, 3), step=2)
    assert torch.equal(norm.running_mean[2], torch.full((3,), 5.0))
    torch.testing.assert_close(norm(torch.full((1, 3), 9.0), step=2), torch.full((1, 3), 2.0))


def test_batch_norm_is_torchs_own_at_each_step():
    ours, theirs = BatchNormPerStep(3), nn.BatchNorm1d(3)
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ours(x, step=7), theirs(x))
    torch.testing.assert_close(ours.running_var[7], theirs.running_var)
    torch.testing.assert_close(ours.eval()(x, step=7), theirs.eval()(x))


def test_a_weight_may_begin_small():
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    small, one = BatchNormPerStep(3, first_weight=0.1), BatchNormPerStep(3)
    torch.testing.assert_close(small(x, step=0), 0.1 * one(x, step=0))


def test_networks_of_one_seed_differ_in_the_norm_alone():
    state = torch.random.get_rng_state()
    networks = [row_rnn(norm, seed=3) for norm in RECURRENT_NORMS]
    assert torch.equal(torch.random.get_rng_state(), state)
    for name in ("from_row.weight", "from_memory.weight", "fc.weight"):
        first, *others = (network.get_parameter(name) for network in networks)
        assert all(torch.equal(first, other) for other in others)


def test_an_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="Choose one of: none, batch, .*layer"):
        RowRNN("lstm")
