"""Many trainings at once."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from normlab.data import ImageDataset
from normlab.training import History, Point, article_net, fit, fit_many, stack


@pytest.fixture
def noise():
    rng = np.random.default_rng(0)
    return ImageDataset(
        train_images=rng.integers(0, 256, (60, 28, 28), dtype=np.uint8),
        train_labels=np.arange(60) % 10,
        test_images=rng.integers(0, 256, (20, 28, 28), dtype=np.uint8),
        test_labels=np.arange(20) % 10,
    )


NETS = {norm: partial(article_net, norm) for norm in ("none", "batch")}


def losses(histories):
    return {name: stack(runs, "test_loss").tolist() for name, runs in histories.items()}


def test_side_by_side_is_the_same_as_one_after_another(noise):
    options = {"epochs": 2, "batch_size": 20, "progress": False}
    together = fit_many(NETS, [3, 1], noise, jobs=2, **options)
    in_turn = fit_many(NETS, [3, 1], noise, jobs=1, **options)
    assert losses(together) == losses(in_turn)
    assert [run.seed for run in together["batch"]] == [3, 1]
    alone = fit(article_net("batch", seed=1), noise, seed=1, **options)
    assert losses(together)["batch"][1] == alone.series("test_loss").tolist()


def test_each_training_has_one_thread(noise):
    class CountsThreads(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(784, 10)

        def forward(self, x):
            assert torch.get_num_threads() == 1
            return self.linear(x.flatten(1))

    fit_many({"net": lambda seed: CountsThreads()}, range(2), noise, jobs=2, epochs=1)


def test_an_interruption_keeps_the_finished_runs(noise):
    class Stops(nn.Module):
        def __init__(self, seed):
            super().__init__()
            if seed == 2:
                raise KeyboardInterrupt
            self.linear = nn.Linear(784, 10)

        def forward(self, x):
            return self.linear(x.flatten(1))

    histories = fit_many({"net": Stops}, range(4), noise, jobs=1, epochs=1, progress=False)
    assert [run.seed for run in histories["net"]] == [0, 1]


def test_an_error_in_a_run_is_not_swallowed(noise):
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        fit_many(NETS, range(2), noise, jobs=2, batch_size=0, progress=False)


def history(seed, *accuracies):
    points = [
        Point(10 * i, i / 2, 1 / 3, 0.1234567891, accuracy, 1e-3)
        for i, accuracy in enumerate(accuracies, 1)
    ]
    return History(seed, points)


def test_steps_to_an_accuracy():
    run = history(0, 0.5, 0.95, 0.94, 0.97)
    assert run.steps_to(0.95) == 20
    assert run.steps_to(0.96) == 40
    assert run.steps_to(0.98) is None


def test_a_run_without_a_measurement_has_no_end():
    with pytest.raises(ValueError, match="stopped before its first measurement"):
        _ = History().final


def test_stack_goes_as_far_as_all_runs_got():
    stacked = stack([history(0, 0.1, 0.2, 0.3), history(1, 0.4, 0.5)], "test_accuracy")
    assert stacked.tolist() == [[0.1, 0.2], [0.4, 0.5]]
