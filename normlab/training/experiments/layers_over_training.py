"""Lesson 05: what goes on inside the layers during an epoch, with BatchNorm and without."""

import copy

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name everyone knows it by

from normlab.data import load_mnist, shuffled_batches
from normlab.training.experiment import Experiment, Row, grid
from normlab.training.fit import as_inputs
from normlab.training.network import ArticleNet, article_net

BATCH_SIZE = 64
LOOKS = (0, 5, 10, 20, 40, 70, 100, 150, 200, 300, 400, 500, 600, 700, 800, 938)  # steps
PROBE = 1000  # images


def measure(norm: str, lr: float, steps: int, seed: int) -> list[Row]:
    """Train so many steps, as `fit` does, and look inside on the way."""
    mnist = load_mnist(tensors=True)
    network = article_net(norm, seed)
    optimizer = torch.optim.SGD(network.parameters(), lr=lr)
    generator = torch.Generator().manual_seed(seed)
    batches = shuffled_batches(len(mnist.train_images), BATCH_SIZE, generator)

    probe = mnist.train_images[:PROBE], mnist.train_labels[:PROBE]
    rows: list[Row] = []

    def look(step: int) -> None:
        rows.extend({"step": step, **row} for row in look_inside(network, *probe))

    look(0)
    for step, batch in zip(range(1, steps + 1), batches, strict=False):
        inputs = as_inputs(mnist.train_images[batch])  # (BATCH_SIZE, 28, 28)
        optimizer.zero_grad()
        F.cross_entropy(network(inputs), mnist.train_labels[batch]).backward()
        optimizer.step()
        if step in LOOKS:
            look(step)
    return rows


def look_inside(network: ArticleNet, images: Tensor, labels: Tensor) -> list[Row]:
    """Measure each layer of the network in training mode, and leave the network as it is.

    Returns
    -------
    list of dict
        For each of the three layers its number and

        ``mean``, ``spread``
            Mean and standard deviation, over all images and units, of the layer's pre-activations:
            what goes into its ReLU, after the norm if there is one. The last layer has no ReLU;
            its pre-activations are the logits.
        ``dead``
            The share of units whose ReLU gives 0 for every image; 0 for the last layer.
        ``gradient``
            The norm of the gradient of the loss with respect to the layer's weight.
    """
    network = copy.deepcopy(network).train()  # a copy: the forward pass moves the buffers
    seen: list[Tensor] = []  # pre-activations, (images, units) each
    for module in (network.bn1, network.bn2, network.fc3):
        module.register_forward_hook(lambda _module, _inputs, output: seen.append(output.detach()))
    linears = (network.fc1, network.fc2, network.fc3)
    loss = F.cross_entropy(network(as_inputs(images)), labels)
    gradients = torch.autograd.grad(loss, [linear.weight for linear in linears])
    return [
        {
            "layer": layer,
            "mean": values.mean().item(),
            "spread": values.std().item(),
            "dead": 0.0 if layer == len(linears) else (values.amax(0) <= 0).double().mean().item(),
            "gradient": gradient.norm().item(),
        }
        for layer, (values, gradient) in enumerate(zip(seen, gradients, strict=True), 1)
    ]


EXPERIMENT = Experiment(
    question="What do pre-activations and gradients do in an epoch, with BatchNorm and without?",
    measure=measure,
    settings=[
        *grid(measure, lr=(0.01, 0.1), norm=("none", "batch"), steps=[938], seed=range(5)),
        # The first steps of one seed, which a lesson can run in place.
        *grid(measure, norm=("none", "batch"), lr=[0.1], steps=[100], seed=[0]),
    ],
    tolerances={"mean": 0.02, "spread": 0.02, "dead": 0.01, "gradient": 0.02},
)
