"""BatchNorm: what it computes, and where its numbers go."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the name everyone knows it by

from normlab.claims.evidence.tools import Seen, about, complaint, digits, drawn, labels
from normlab.training import article_net
from normlab.training.network import ArticleNet


@about("B2")
def mean_0_variance_1() -> Seen:
    x = 5 * drawn(64, 3) + 7
    plain, layer = nn.BatchNorm1d(3)(x), nn.BatchNorm1d(3)
    nn.init.constant_(layer.weight, 3), nn.init.constant_(layer.bias, 2)
    trained = layer(x).detach()
    return Seen(
        "true before weight and bias, and in training mode; with weight 3 and bias 2 the mean is "
        f"{trained.mean():.0f} and the deviation {trained.std(correction=0):.0f}; and only where "
        "such a layer stands",
        holds=abs(trained.mean().item()) < 0.01,
        core=bool(plain.mean().abs() < 1e-5 and abs(plain.std(correction=0) - 1) < 1e-3),
    )


@about("B23")
def subtract_and_divide() -> Seen:
    narrow, wide = 0.003 * drawn(8, 3), 5 * drawn(64, 3) + 7
    as_said = [(x - x.mean(0)) / x.std(0, correction=0) for x in (narrow, wide)]
    layer = nn.BatchNorm1d(3)
    return Seen(
        f"without eps the deviation would be 1, it is {layer(narrow).std(correction=0):.1f} for a "
        "narrow feature; the buffer keeps another variance (n - 1) than the one divided by; "
        "evaluation uses neither",
        holds=torch.allclose(layer(narrow), as_said[0], atol=1e-3),
        core=torch.allclose(layer(wide), as_said[1], atol=1e-3),
    )


@about("A10")
def two_more_parameters() -> Seen:
    layer = nn.BatchNorm1d(3)
    names = [name for name, _ in layer.named_parameters()]
    return Seen(
        f"{names}, a vector each, and {len(list(layer.buffers()))} buffers besides",
        holds=len(names) == 2,
    )


@about("A11")
def gamma_is_the_momentum() -> Seen:
    layer = nn.BatchNorm1d(3)
    return Seen(
        f"momentum is the constant {layer.momentum} of the running average; gamma is `weight`, "
        "a scale",
        holds="momentum" in dict(layer.named_parameters()),
    )


@about("A12")
def beta_is_an_offset() -> Seen:
    x = drawn(8, 3)
    only_bias = F.batch_norm(x, None, None, torch.zeros(3), torch.full((3,), 2.0), training=True)
    return Seen(
        "with weight 0 the output is the bias", holds=torch.equal(only_bias, torch.full_like(x, 2))
    )


@about("B36")
def affine_means() -> Seen:
    with_it, without = (set(nn.BatchNorm1d(3, affine=a).state_dict()) for a in (True, False))
    return Seen(
        f"affine=True adds {sorted(with_it - without)}",
        holds=with_it - without == {"weight", "bias"},
    )


@about("B21")
def similar_ranges() -> Seen:
    network = article_net("batch")
    normalized = network.bn1(network.fc1(digits()))
    received = torch.relu(normalized).detach()
    return Seen(
        "layers behind a norm have like inputs; fc1, with none before it, gets variance "
        f"{digits().var():.2f}, fc2 {received.var():.2f}, and the range of single units differs",
        holds=abs(digits().var().item() - received.var().item()) < 0.05,
        core=abs(normalized.var().item() - 1) < 0.05,
    )


@about("B20")
def activations_widen() -> Seen:
    before = 3 * drawn(10_000)
    spread = {f.__name__: f(before).std().item() for f in (torch.relu, torch.tanh, torch.sigmoid)}
    return Seen(
        f"numbers of standard deviation {before.std():.1f} come out with "
        + ", ".join(f"{value:.1f} from {name}" for name, value in spread.items())
        + ": each narrows them; it is the weights that can widen",
        holds=max(spread.values()) > before.std().item(),
    )


@about("B33")
def biases_in_front() -> Seen:
    network = article_net("batch")
    loss = F.cross_entropy(network(digits()), labels())
    bias, weight = torch.autograd.grad(loss, [network.fc1.bias, network.fc1.weight])
    idle = bias.abs().max() < 1e-6 * weight.abs().max()
    return Seen(
        "they may stay, and do nothing: their gradients are below a millionth of the weights'; "
        "the norm's own bias does the work",
        holds=not bool(idle),
        core=complaint(lambda: network(digits())) is None,
    )


@about("B6")
def a_learning_systems_input() -> Seen:
    network, start = article_net("none"), article_net("none")
    relative = _moved(start, network)
    return Seen(
        "a change of the system's input is plain covariate shift (Shimodaira2000); the internal "
        f"one is that of layers: on 256 fixed digits fc2's inputs moved by {relative:.0%} in 50 "
        "steps",
        holds=relative < 0.01,
    )


@about("B7")
def the_networks_inputs() -> Seen:
    seen, network, start = digits().clone(), article_net("none"), article_net("none")
    relative = _moved(start, network)
    return Seen(
        f"read 'a layer's inputs': those of fc2 moved by {relative:.0%} in 50 steps, those of the "
        "network not at all",
        holds=not torch.equal(digits(), seen),
        core=relative > 0.1,
    )


def _moved(start: ArticleNet, network: ArticleNet) -> float:
    """Train the network for 50 steps, and return how far the means of fc2's inputs moved."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(50):
        optimizer.zero_grad()
        F.cross_entropy(network(digits()), labels()).backward()
        optimizer.step()
    before, after = (net.fc1(digits()).relu().mean(0).detach() for net in (start, network))
    return ((after - before).abs().mean() / before.mean()).item()
