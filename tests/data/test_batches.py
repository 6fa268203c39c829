"""Batches: every sample once, in an order that the seed decides."""

import pytest
import torch

from normlab.data import shuffled_batches


def batches(size=10, batch_size=4, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    return list(shuffled_batches(size, batch_size, generator, **options))


def test_every_sample_comes_once():
    assert [len(batch) for batch in batches()] == [4, 4, 2]
    assert sorted(torch.cat(batches()).tolist()) == list(range(10))


def test_the_seed_decides_the_order():
    assert torch.equal(torch.cat(batches(seed=1)), torch.cat(batches(seed=1)))
    assert not torch.equal(torch.cat(batches(seed=1)), torch.cat(batches(seed=2)))


def test_drop_last_drops_only_a_batch_that_is_not_full():
    assert [len(batch) for batch in batches(drop_last=True)] == [4, 4]
    assert [len(batch) for batch in batches(size=8, drop_last=True)] == [4, 4]


def test_a_batch_holds_at_least_one():
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        batches(batch_size=0)
