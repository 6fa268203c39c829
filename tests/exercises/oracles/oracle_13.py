"""Right programs of another hand, put to use as a learner's: the oracle of lesson 13's models."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

from normlab.exercises import find


def fine_tune(
    body: nn.Module,
    head: nn.Module,
    batches: list,
    validation: tuple[Tensor, Tensor],
    epochs: int,
    lr: float,
) -> list[float]:
    """Keep the body in evaluation mode, so that nothing writes into its buffers."""
    body.requires_grad_(False).eval()
    optimizer = torch.optim.SGD(head.parameters(), lr=lr)
    losses = []
    for _ in range(epochs):
        head.train()
        for x, y in batches:
            loss = F.mse_loss(head(body(x)), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        head.eval()
        with torch.no_grad():
            losses.append(F.mse_loss(head(body(validation[0])), validation[1]).item())
    return losses


def predict(network: nn.Module, x: Tensor, batch_size: int) -> Tensor:
    """Predict in evaluation mode, then give each module its mode back."""
    before = {module: module.training for module in network.modules()}
    network.eval()
    with torch.no_grad():
        scores = torch.cat([network(part) for part in x.split(batch_size)])
    for module, training in before.items():
        module.training = training
    return scores


def update_teacher(teacher: nn.Module, student: nn.Module, decay: float) -> None:
    """Average the parameters, and take over the buffers."""
    with torch.no_grad():
        for ours, theirs in zip(teacher.parameters(), student.parameters(), strict=True):
            ours.copy_(decay * ours + (1 - decay) * theirs)
        for ours, theirs in zip(teacher.buffers(), student.buffers(), strict=True):
            ours.copy_(theirs)


def split_and_standardize(x: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Split first; take mean and standard deviation from the training rows."""
    train, test = x[:size], x[size:]
    mean, std = train.mean(0), train.std(0)
    return (train - mean) / std, (test - mean) / std


def small_batch_network(features: int, hidden: int, classes: int) -> nn.Module:
    """Normalize in two groups, where the model takes LayerNorm."""
    return nn.Sequential(
        nn.Linear(features, hidden), nn.GroupNorm(2, hidden), nn.ReLU(), nn.Linear(hidden, classes)
    )


class SensorNet(nn.Module):
    """Call torch's function, where the model has its layer."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, classes)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("var", torch.ones(features))

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores, (N, C), of rows (N, F)."""
        return self.linear(F.batch_norm(x, self.mean, self.var, training=self.training))


def train_and_keep(
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    size: int,
    batch_size: int,
    epochs: int,
    lr: float,
) -> list[float]:
    """Keep copies of all epochs, and load the best of them at the end."""
    centred = x - x[:size].mean(0)
    rows = centred / centred[:size].std(0)
    every = []
    for _ in range(epochs):
        network.train()
        for start in range(0, size, batch_size):
            stop = min(start + batch_size, size)
            network.zero_grad()
            F.mse_loss(network(rows[start:stop]), y[start:stop]).backward()
            with torch.no_grad():
                for parameter in network.parameters():
                    parameter -= lr * parameter.grad
        network.eval()
        with torch.no_grad():
            loss = F.mse_loss(network(rows[size:]), y[size:]).item()
        every.append((loss, {name: v.clone() for name, v in network.state_dict().items()}))
    losses = [loss for loss, _ in every]
    network.load_state_dict(every[losses.index(min(losses))][1])
    return losses


def freeze_norms(network: nn.Module, statistics: bool, affine: bool) -> None:
    """Set every module's mode, and every norm's parameters, by hand."""
    for module in network.modules():
        is_norm = type(module).__name__.startswith("BatchNorm")
        module.training = not (is_norm and statistics)
        if is_norm:
            module.weight.requires_grad = module.bias.requires_grad = not affine


def average_networks(networks: list[nn.Module], batches: list[Tensor]) -> nn.Module:
    """Average with torch's own AveragedModel, and measure with torch's own update_bn."""
    averaged = torch.optim.swa_utils.AveragedModel(networks[0])
    for network in networks:
        averaged.update_parameters(network)
    torch.optim.swa_utils.update_bn(batches, averaged.module)
    return averaged.module.eval()


def _put_to_use(program):
    exercise = find(program.__name__)

    def outputs(**arguments):
        return exercise.use.outputs_of(program, arguments, exercise.returns)

    return outputs


ORACLES = {
    program.__name__: _put_to_use(program)
    for program in (
        fine_tune,
        predict,
        update_teacher,
        small_batch_network,
        SensorNet,
        split_and_standardize,
        train_and_keep,
        freeze_norms,
        average_networks,
    )
}
