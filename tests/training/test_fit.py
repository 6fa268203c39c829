"""The training loop."""

import numpy as np
import pytest
import torch
from torch import nn

from normlab.data import ImageDataset
from normlab.training import NORMS, ArticleNet, article_net, as_inputs, evaluate, fit


@pytest.fixture
def digits():
    """Two hundred training and fifty test images that a network learns in seconds."""
    rng = np.random.default_rng(0)
    labels = {"train": np.arange(200) % 10, "test": np.arange(50) % 10}
    parts = {}
    for split, classes in labels.items():
        noise = rng.integers(0, 40, (len(classes), 28, 28))
        stripe = np.zeros((len(classes), 28, 28))
        stripe[np.arange(len(classes)), 2 * classes] = 200  # a bright row tells the class
        parts[f"{split}_images"] = (noise + stripe).astype(np.uint8)
        parts[f"{split}_labels"] = classes
    return ImageDataset(**parts)


def test_bytes_are_scaled_and_floats_are_not():
    assert as_inputs(np.array([0, 255], np.uint8)).tolist() == [0, 1]
    assert as_inputs(np.array([-1.5, 255.0])).tolist() == [-1.5, 255]


@pytest.mark.parametrize("norm", NORMS)
def test_it_learns(digits, norm):
    history = fit(article_net(norm), digits, epochs=20, lr=0.1, batch_size=20, progress=False)
    assert history.final.test_accuracy > 0.9
    assert history.final.train_loss < history.points[0].train_loss


def plain_loop(network, dataset, epochs, lr, batch_size, seed):
    """Train as the article does, as plainly as can be."""
    inputs = torch.from_numpy(dataset.train_images).float() / 255
    labels = torch.from_numpy(dataset.train_labels)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(network.parameters(), lr=lr)
    network.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(inputs), generator=generator).split(batch_size):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(inputs[rows]), labels[rows]).backward()
            optimizer.step()


def test_it_does_what_the_plain_loop_does(digits):
    ours, plain = article_net("batch"), article_net("batch")
    fit(ours, digits, epochs=2, lr=0.1, batch_size=30, seed=7, progress=False)
    plain_loop(plain, digits, epochs=2, lr=0.1, batch_size=30, seed=7)
    for name, expected in plain.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], expected, msg=name)


def test_the_same_seed_gives_the_same_run(digits):
    def run(seed):
        history = fit(article_net(seed=0), digits, epochs=2, seed=seed, progress=False)
        return history.series("train_loss").tolist()

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_dropout_is_seeded_too_and_the_global_randomness_left_alone(digits):
    def run():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.Dropout(0.5))
        return fit(net, digits, epochs=1, seed=1, progress=False).final.train_loss

    torch.manual_seed(11)
    first = run()
    torch.manual_seed(12)
    expected_next = torch.rand(1)
    torch.manual_seed(12)
    assert run() == first
    assert torch.equal(torch.rand(1), expected_next)


def test_measuring_changes_nothing(digits):
    def run(measure_every):
        net = article_net("batch")
        fit(net, digits, epochs=1, batch_size=20, measure_every=measure_every, progress=False)
        return net.state_dict()

    seldom, often = run(None), run(1)
    assert all(torch.equal(seldom[name], often[name]) for name in seldom)


def test_it_trains_in_training_mode_and_measures_in_evaluation_mode(digits):
    modes = []

    class Spy(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(784, 10)

        def forward(self, x):
            modes.append((self.training, torch.is_grad_enabled()))
            return self.linear(x.flatten(1))

    net = Spy().eval()  # left in the wrong mode by someone
    fit(net, digits, epochs=1, batch_size=100, progress=False)
    assert modes == [(True, True), (True, True), (False, False)]
    assert net.training


def test_evaluate_counts(digits):
    class AlwaysThree(nn.Module):
        def forward(self, x):
            return 50 * nn.functional.one_hot(torch.full((len(x),), 3), 10).float()

    net = AlwaysThree()
    labels = torch.from_numpy(digits.test_labels)
    loss, accuracy = evaluate(net, torch.zeros(50, 1), labels, batch_size=7)
    assert accuracy == 0.1
    assert loss == pytest.approx(0.9 * 50)
    assert net.training


def test_where_it_measures(digits):
    history = fit(article_net(), digits, epochs=2, batch_size=20, measure_every=8, progress=False)
    assert history.series("step").tolist() == [8, 16, 20]
    assert history.series("epoch").tolist() == [0.8, 1.6, 2.0]
    assert (np.diff(history.series("seconds")) > 0).all()


def test_the_training_loss_is_the_mean_since_the_measurement_before(digits):
    often = fit(article_net(), digits, epochs=1, batch_size=20, measure_every=1, progress=False)
    seldom = fit(article_net(), digits, epochs=1, batch_size=20, measure_every=5, progress=False)
    means = often.series("train_loss").reshape(2, 5).mean(1)
    np.testing.assert_allclose(seldom.series("train_loss"), means, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"measure_every": 0}, "measure_every must be at least 1, got 0"),
        ({"batch_size": 1}, "batch_size=1: this network cannot train on a single sample"),
        ({"batch_size": 199}, "200 samples in batches of 199 leave a last batch of one"),
    ],
)
def test_what_cannot_work_is_told_before_training(digits, options, message):
    net = article_net("batch")
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        fit(net, digits, progress=False, **options)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_a_batch_of_one_is_fine_where_the_network_can_do_it(digits):
    assert fit(article_net("layer"), digits, epochs=1, batch_size=199, progress=False).points
    options = {"epochs": 1, "batch_size": 199, "drop_last": True, "progress": False}
    assert fit(article_net("batch"), digits, **options).final.step == 1


def test_an_interrupted_run_keeps_what_it_measured(digits):
    class StopsAtStep(ArticleNet):
        calls = 0

        def forward(self, x):
            if self.training:
                self.calls += 1
            if self.calls == 8:
                raise KeyboardInterrupt
            return super().forward(x)

    history = fit(StopsAtStep(), digits, batch_size=40, measure_every=3, progress=False)
    assert history.interrupted
    assert history.series("step").tolist() == [3, 6]


def test_threads_are_set_back(digits):
    before = torch.get_num_threads()
    fit(article_net(), digits, epochs=1, threads=before + 1, progress=False)
    assert torch.get_num_threads() == before
