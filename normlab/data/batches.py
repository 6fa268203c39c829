"""Batches without a loader: the data stays in memory, and a batch is a choice of rows."""

from collections.abc import Iterator
from numbers import Integral
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def check_counts(**counts: float) -> None:
    """Raise a ValueError with the name of a number that is not whole, or less than 1."""
    check_whole(**counts)
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}.")


def check_whole(**numbers: object) -> None:
    """Raise a ValueError with the name of a number that is not whole."""
    for name, value in numbers.items():
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise ValueError(f"{name} must be a whole number, got {value!r}.")


def shuffled_batches(
    size: int, batch_size: int, generator: "torch.Generator", *, drop_last: bool = False
) -> Iterator["torch.Tensor"]:
    """Visit ``size`` samples once, in random order, ``batch_size`` at a time.

    Parameters
    ----------
    size
        How many samples there are.
    batch_size
        How many a batch holds. The last batch holds what is left.
    generator
        Where the randomness comes from; the same seed gives the same batches. Its device is the
        device of the indices.
    drop_last
        Leave out a last batch that is not full.

    Yields
    ------
    torch.Tensor
        The indices of one batch, int64, shape ``(batch_size,)``.

    Raises
    ------
    ValueError
        If ``batch_size`` is no whole number of at least 1.
    """
    import torch  # here and not above: `import normlab.data` must not wait for it

    check_counts(batch_size=batch_size)
    order = torch.randperm(size, generator=generator, device=generator.device)  # (size,)
    for batch in order.split(int(batch_size)):  # (batch_size,)
        if len(batch) == batch_size or not drop_last:
            yield batch


def endless_batches(
    size: int, batch_size: int, generator: "torch.Generator", *, drop_last: bool = False
) -> Iterator["torch.Tensor"]:
    """Visit the samples again and again, each time in an order of its own: `shuffled_batches`."""
    while True:
        yield from shuffled_batches(size, batch_size, generator, drop_last=drop_last)
