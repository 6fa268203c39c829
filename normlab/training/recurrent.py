"""A small recurrent network that reads an image row by row, with a norm inside the recurrence."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everyone knows it by

from normlab.training.network import chosen, seeded

STEPS = 28  # the rows of an image


class BatchNormPerStep(nn.Module):
    """BatchNorm with running statistics of its own for each time step.

    Weight and bias are shared by all steps; the first weight says how far from 0 the values are
    that reach the tanh. At each step the statistics run over the sequences that are still going on.
    Of a single sequence no variance can be taken: ``nn.BatchNorm1d`` raises. Here such a sequence
    is normalized with the running statistics, so that training can go on.

    Cooijmans, Ballas, Laurent, Gülçehre, Courville, "Recurrent Batch Normalization", ICLR 2017,
    arXiv:1603.09025: statistics for each time step, parameters for all, and a first weight of 0.1.
    """

    def __init__(self, size: int, first_weight: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((size,), first_weight))
        self.bias = nn.Parameter(torch.zeros(size))
        self.register_buffer("running_mean", torch.zeros(STEPS, size))
        self.register_buffer("running_var", torch.ones(STEPS, size))

    def forward(self, x: Tensor, step: int) -> Tensor:
        """Normalize ``(sequences, size)``, what the units are given at one time step."""
        mean, var = self.get_buffer("running_mean"), self.get_buffer("running_var")
        statistics = mean[step], var[step]  # two views, (size,)
        use_batch = self.training and len(x) > 1
        return F.batch_norm(x, *statistics, self.weight, self.bias, training=use_batch)


RECURRENT_NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda size: nn.Identity(),
    "batch": BatchNormPerStep,
    "batch, weight 0.1": partial(BatchNormPerStep, first_weight=0.1),
    "layer": nn.LayerNorm,
}


class RowRNN(nn.Module):
    """A tanh RNN over the 28 rows of an image, with a norm before the tanh.

    At each step ``h = tanh(norm(W x + U h))``: the sum of what comes from the row and what comes
    from memory is normalized, as in Ba, Kiros & Hinton, "Layer Normalization", 2016,
    arXiv:1607.06450, section 3.1. The memory at a sequence's last row decides on the digit.
    ValueError, if the norm is none of `RECURRENT_NORMS`.
    """

    def __init__(self, norm: str = "layer", size: int = 64) -> None:
        super().__init__()
        self.from_row = nn.Linear(STEPS, size)
        self.from_memory = nn.Linear(size, size, bias=False)
        nn.init.orthogonal_(self.from_memory.weight)  # keeps the length of what is remembered
        self.norm = chosen(norm, RECURRENT_NORMS)(size)
        self.fc = nn.Linear(size, 10)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the logits, ``(N, 10)``, of images ``(N, 28, 28)``.

        Of each the first so many rows are read, 1 to 28; all rows without `lengths`, ``(N,)``.
        """
        if lengths is None:
            lengths = torch.full((len(x),), STEPS, device=x.device)
        # Longest first, as in a PackedSequence: those that still go on are always the first ones.
        lengths, order = lengths.sort(descending=True)  # (N,)
        rows = self.from_row(x[order])  # (N, 28, size)
        going_on = (lengths > torch.arange(STEPS, device=x.device)[:, None]).sum(1).tolist()
        h = torch.zeros_like(rows[:, 0])  # (N, size)
        for step, count in enumerate(going_on):
            given = rows[:count, step] + self.from_memory(h[:count])  # (count, size)
            own = [step] if isinstance(self.norm, BatchNormPerStep) else []  # statistics
            new = torch.tanh(self.norm(given, *own))
            h = torch.cat([new, h[count:]])  # who has finished keeps what it remembers
        return self.fc(h)[order.argsort()]  # (N, 10), in the order of x


def row_rnn(norm: str = "layer", seed: int = 0) -> RowRNN:
    """Build the recurrent network with weights drawn from a seed.

    Networks of one seed differ in the norm alone. The global random state is left as it was.
    """
    with seeded(seed):
        return RowRNN(norm)
