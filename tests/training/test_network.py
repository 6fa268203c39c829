"""The networks: which norm stands where, and that nothing else differs."""

import pytest
import torch
from torch import nn

from normlab.training import IMAGE_NORMS, NORMS, ArticleNet, SmallCNN, article_net, small_cnn

# For each name the class of the layer and the shapes of its parameters in a layer of 256 units.
EXPECTED = {
    "none": (nn.Identity, {}),
    "batch": (nn.BatchNorm1d, {"weight": (256,), "bias": (256,)}),
    "layer": (nn.LayerNorm, {"weight": (256,), "bias": (256,)}),
    "group": (nn.GroupNorm, {"weight": (256,), "bias": (256,)}),
    "rms": (nn.RMSNorm, {"weight": (256,)}),
    "batch-no-affine": (nn.BatchNorm1d, {}),
}
# The same for feature maps of 16 channels, 14 by 14.
EXPECTED_ON_IMAGES = {
    "none": (nn.Identity, {}),
    "batch": (nn.BatchNorm2d, {"weight": (16,), "bias": (16,)}),
    "layer": (nn.LayerNorm, {"weight": (16, 14, 14), "bias": (16, 14, 14)}),
    "instance": (nn.InstanceNorm2d, {"weight": (16,), "bias": (16,)}),
    "group": (nn.GroupNorm, {"weight": (16,), "bias": (16,)}),
    "rms": (nn.RMSNorm, {"weight": (16, 14, 14)}),
    "batch-no-affine": (nn.BatchNorm2d, {}),
}


def shapes(layer):
    return {name: tuple(parameter.shape) for name, parameter in layer.named_parameters()}


def test_every_norm_is_expected_here():
    assert set(EXPECTED) == set(NORMS)
    assert set(EXPECTED_ON_IMAGES) == set(IMAGE_NORMS)


class PrintedInTheArticle(nn.Module):
    """The article's class, with its indentation restored."""

    def __init__(self):
        super().__init__()
        self.fc1 = torch.nn.Linear(784, 256)
        self.bn1 = torch.nn.BatchNorm1d(256)
        self.fc2 = torch.nn.Linear(256, 128)
        self.bn2 = torch.nn.BatchNorm1d(128)
        self.fc3 = torch.nn.Linear(128, 10)

    def forward(self, x):
        x = torch.nn.functional.relu(self.bn1(self.fc1(x)))
        x = torch.nn.functional.relu(self.bn2(self.fc2(x)))
        return self.fc3(x)


def test_it_is_the_articles_network():
    theirs, ours = PrintedInTheArticle(), article_net("batch")
    assert list(theirs.state_dict()) == list(ours.state_dict())
    theirs.load_state_dict(ours.state_dict())
    x = torch.rand(5, 784)
    assert torch.equal(theirs(x), ours(x))
    assert torch.equal(ours.eval()(x.reshape(5, 28, 28)), ours(x))


def test_networks_of_one_seed_differ_in_the_norm_alone():
    for norm in NORMS:
        for layer in ("fc1", "fc2", "fc3"):
            expected = getattr(article_net("none", seed=3), layer).weight
            assert torch.equal(getattr(article_net(norm, seed=3), layer).weight, expected)
    assert not torch.equal(article_net(seed=3).fc1.weight, article_net(seed=4).fc1.weight)


def test_building_a_network_leaves_the_global_randomness_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    article_net("batch", seed=1)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("norm", EXPECTED)
def test_which_norm_the_articles_network_gets(norm):
    network = article_net(norm)
    kind, parameters = EXPECTED[norm]
    assert type(network.bn1) is type(network.bn2) is kind
    assert shapes(network.bn1) == parameters
    assert network(torch.rand(3, 28, 28)).shape == (3, 10)


@pytest.mark.parametrize("norm", EXPECTED_ON_IMAGES)
def test_which_norm_the_cnn_gets(norm):
    network = small_cnn(norm)
    kind, parameters = EXPECTED_ON_IMAGES[norm]
    assert type(network.norm1) is type(network.norm2) is kind
    assert shapes(network.norm1) == parameters
    assert network(torch.rand(3, 28, 28)).shape == (3, 10)


@pytest.mark.parametrize("build", [article_net, small_cnn])
def test_batch_norm_without_affine_starts_as_the_one_with(build):
    """A fresh weight is 1 and a fresh bias 0, so the two begin alike."""
    x = torch.rand(5, 28, 28)
    assert torch.equal(build("batch", seed=2)(x), build("batch-no-affine", seed=2)(x))


@pytest.mark.parametrize("norm", IMAGE_NORMS)
def test_cnns_of_one_seed_differ_in_the_norm_alone(norm):
    ours, plain = small_cnn(norm, seed=3), small_cnn("none", seed=3)
    for layer in ("conv1", "conv2", "fc"):
        assert torch.equal(getattr(ours, layer).weight, getattr(plain, layer).weight)
    assert not torch.equal(ours.fc.weight, small_cnn(norm, seed=4).fc.weight)


def test_group_norm_has_eight_groups():
    assert article_net("group").bn1.num_groups == small_cnn("group").norm1.num_groups == 8


@pytest.mark.parametrize(
    ("network", "names"),
    [(ArticleNet, "none, batch, layer, group"), (SmallCNN, "none, batch, layer, instance")],
)
def test_a_wrong_norm_name_lists_the_right_ones(network, names):
    with pytest.raises(ValueError, match=f"No norm is called 'bach'. Choose one of: {names}"):
        network("bach")
