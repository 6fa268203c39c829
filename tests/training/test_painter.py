"""The painter of lesson 15: what it is told, and what it hears of it."""

import pytest
import torch

from normlab import load_mnist
from normlab.training.painter import (
    PIXELS,
    TOLD,
    error,
    halved,
    paint,
    painter,
    read_right,
    spread,
    teach,
)


@pytest.fixture(scope="module")
def some():
    mnist = load_mnist(tensors=True)
    return halved(mnist.train_images[:2000]), mnist.train_labels[:2000]


@pytest.fixture(scope="module")
def taught(some):
    networks = {told: painter(told) for told in TOLD}
    for network in networks.values():
        teach(network, *some, steps=40, lr=0.008, progress=False)
    return networks


def test_a_halved_image_is_the_mean_of_four_pixels_from_minus_one_to_one():
    images = load_mnist(tensors=True).test_images[:3]
    small = halved(images).reshape(3, 14, 14)
    assert (small.min(), small.max() <= 1) == (-1, True)
    four = images[1, 10:12, 12:14].float().mean() / 255 * 2 - 1
    torch.testing.assert_close(small[1, 5, 6], four)


@pytest.mark.parametrize("told", TOLD)
def test_at_the_beginning_it_guesses_grey_and_only_gates_of_zero_are_the_identity(told):
    network = painter(told)
    noise, time, digit = torch.randn(4, PIXELS), torch.rand(4), torch.arange(4)
    assert (network(noise, time, digit) == 0).all()
    h, condition = torch.randn(4, 128), network.condition(time, digit)
    assert all(torch.equal(b(h, condition), h) for b in network.blocks) == (told == "in the norms")


@pytest.mark.parametrize("told", TOLD)
def test_it_hears_of_the_digit_and_the_time_if_it_is_told(told, taught):
    network = taught[told]
    noise, time, threes = torch.randn(5, PIXELS), torch.rand(5), torch.full((5,), 3)
    as_is = network(noise, time, threes)
    hears = told != "nothing"
    assert torch.equal(as_is, network(noise, time, threes + 5)) != hears
    assert torch.equal(as_is, network(noise, 1 - time, threes)) != hears


@pytest.mark.parametrize("told", TOLD)
def test_it_learns_the_same_for_the_same_seed_and_leaves_the_global_one(told, taught, some):
    network, before = painter(told), torch.random.get_rng_state()
    untaught = error(network, *some)
    teach(network, *some, steps=40, lr=0.008, progress=False)
    assert torch.equal(before, torch.random.get_rng_state())
    assert error(network, *some) == error(taught[told], *some) < 0.75 * untaught
    assert error(network, *some, seed=1) != error(network, *some)


def test_it_can_be_told_something_else_on_the_way(taught):
    network, digits = taught["in the norms"], torch.tensor([3, 8])
    constant = paint(network, digits, steps=4)
    assert torch.equal(constant, paint(network, digits.repeat(4, 1), steps=4))
    told = digits.repeat(4, 1)
    told[3, 1] = 0
    changed = paint(network, told, steps=4)
    assert torch.equal(changed[0], constant[0])
    assert not torch.equal(changed[1], constant[1])


def test_the_last_step_is_the_guess_itself(taught):
    network, digits = taught["at the input"], torch.tensor([3, 8])
    start = torch.randn(2, PIXELS, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        guess = network(start, torch.zeros(2), digits)
    torch.testing.assert_close(paint(network, digits, steps=1, seed=5), guess)


def test_what_is_painted_is_read_by_one_that_reads_real_digits(some):
    assert read_right(*some) > 0.95
    images, digits = some
    assert read_right(images, (digits + 1) % 10) < 0.05


def test_the_spread_is_about_the_mean_of_each_digit():
    digits = torch.arange(10).repeat(2)
    plain = digits[:, None].repeat(1, PIXELS).float()
    assert spread(plain, digits) == 0
    assert spread(plain + torch.tensor([1.0, -1.0]).repeat_interleave(10)[:, None], digits) == 1


def test_an_unknown_place_is_refused():
    with pytest.raises(ValueError, match="Nobody is told 'loudly'. Choose one of: nothing, at"):
        painter("loudly")
