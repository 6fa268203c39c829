"""The merge rule against real processes: `torch.distributed` with gloo on this machine."""

import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed
import torch.multiprocessing

from normlab.nn import functional as F  # noqa: N812
from normlab.nn import sync

SIZES = (2, 1, 5)
EPS = 1e-3


def parts(seed: int) -> list[np.ndarray]:
    """Unequal parts of a batch, with means far apart: what a plain average gets wrong."""
    rng = np.random.default_rng(seed)
    return [rng.normal(3 * i, 1 + i, (n, 4, 3)) for i, n in enumerate(SIZES)]


WEIGHT, BIAS = np.random.default_rng(9).uniform(0.5, 2, (2, 4))


def all_reduced(values: np.ndarray) -> np.ndarray:
    total = torch.tensor(values)
    torch.distributed.all_reduce(total)
    return total.numpy()


def worker(rank: int, folder: str) -> None:
    """Normalize one part, forward and backward, knowing the others by all-reduces alone."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=Path(folder, "meeting").as_uri(), rank=rank, world_size=len(SIZES)
    )
    x, dy = parts(0)[rank], parts(1)[rank]
    count, mean, var = sync.local_statistics(x)
    # Sums travel: of the values, then of the squares around the mean that all now know.
    total = all_reduced(np.array([float(count)]))
    merged_mean = all_reduced(count * mean) / total
    merged_var = all_reduced(count * (var + np.square(mean - merged_mean))) / total
    reduced = sync.Statistics(int(total[0]), merged_mean, merged_var)

    gathered = [None] * len(SIZES)
    torch.distributed.all_gather_object(gathered, (count, mean, var))
    everyone = [sync.Statistics(*entry) for entry in gathered]
    merged = sync.merge_statistics(everyone)

    y = F.batch_norm(x, merged.mean, merged.var, WEIGHT, BIAS, eps=EPS)
    own = sync.statistics_gradients(dy, x, merged, WEIGHT, EPS)
    summed = sync.StatisticsGradients(*all_reduced(np.stack(own)))
    grad_part = sync.merge_statistics_backward(summed, everyone)[rank]
    gradients = sync.worker_backward(dy, x, everyone[rank], grad_part, merged, WEIGHT, BIAS, EPS)
    np.savez(
        Path(folder) / f"{rank}.npz",
        y=y,
        dx=gradients.input,
        weight=all_reduced(gradients.weight),
        bias=all_reduced(gradients.bias),
        reduced=np.stack(reduced[1:]),
        merged=np.stack(merged[1:]),
        counts=[reduced.count, merged.count],
    )
    torch.distributed.destroy_process_group()


@functools.cache
def concatenated() -> dict[str, np.ndarray]:
    """Batch norm of the whole batch, in one process, by torch."""
    x = torch.tensor(np.concatenate(parts(0)), requires_grad=True)
    weight, bias = (torch.tensor(a, requires_grad=True) for a in (WEIGHT, BIAS))
    y = torch.nn.functional.batch_norm(x, None, None, weight, bias, True, eps=EPS)
    y.backward(torch.tensor(np.concatenate(parts(1))))
    found = {"y": y.detach(), "dx": x.grad, "weight": weight.grad, "bias": bias.grad}
    return {key: tensor.numpy() for key, tensor in found.items()}


def test_real_workers_agree_with_the_concatenated_batch():
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(worker, (folder,), nprocs=len(SIZES))
        results = [dict(np.load(Path(folder) / f"{rank}.npz")) for rank in range(len(SIZES))]
    expected = concatenated()
    for key in ("y", "dx"):
        together = np.concatenate([result[key] for result in results])
        np.testing.assert_allclose(together, expected[key], rtol=1e-12, atol=1e-13)
    for result in results:
        for key in ("weight", "bias"):
            np.testing.assert_allclose(result[key], expected[key], rtol=1e-12)
        np.testing.assert_allclose(result["merged"], result["reduced"], rtol=1e-12)
        assert list(result["counts"]) == [sum(SIZES) * 3] * 2


def test_the_lists_of_workers_agree_with_the_concatenated_batch():
    expected = concatenated()
    outputs = sync.sync_batch_norm(parts(0), WEIGHT, BIAS, EPS)
    gradients = sync.sync_batch_norm_backward(parts(1), parts(0), WEIGHT, BIAS, EPS)
    np.testing.assert_allclose(np.concatenate(outputs), expected["y"], rtol=1e-12)
    dx = np.concatenate([worker.input for worker in gradients])
    np.testing.assert_allclose(dx, expected["dx"], rtol=1e-12, atol=1e-13)


def test_averaging_the_variances_would_be_wrong():
    """What the merge rule is there for: the spread between the parts counts too."""
    statistics = [sync.local_statistics(x) for x in parts(0)]
    merged = sync.merge_statistics(statistics)
    np.testing.assert_allclose(merged.var, np.concatenate(parts(0)).var((0, 2)), rtol=1e-12)
    average = np.mean([part.var for part in statistics], axis=0)
    assert (merged.var > 1.3 * average).all()


def test_a_worker_without_values_is_left_out():
    statistics = [sync.local_statistics(x) for x in (parts(0)[0], parts(0)[0][:0])]
    merged = sync.merge_statistics(statistics)
    np.testing.assert_array_equal(merged.mean, statistics[0].mean)
    gradients = sync.merge_statistics_backward(
        sync.StatisticsGradients(np.ones(4), np.ones(4)), statistics
    )
    np.testing.assert_array_equal(gradients[1].mean, np.zeros(4))


def test_no_values_at_all_is_an_error():
    with pytest.raises(ValueError, match="every worker's part of the batch is empty"):
        sync.merge_statistics([sync.local_statistics(np.ones((0, 3)))])
