"""Stop stops: within a second, and what was finished is kept."""

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from normlab.data import ImageDataset
from normlab.training import Experiment, evaluate, fit, fit_many, run_live

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal"),
    pytest.mark.usefixtures("heeds_interrupts"),
]

# Seconds on a machine that is busy with other tests; alone it is a fraction of one. All that is
# stopped here would go on for a minute.
AT_ONCE = 10.0


@pytest.fixture
def noise():
    rng = np.random.default_rng(0)
    return ImageDataset(
        train_images=rng.integers(0, 256, (60, 28, 28), dtype=np.uint8),
        train_labels=np.arange(60) % 10,
        test_images=rng.integers(0, 256, (20, 28, 28), dtype=np.uint8),
        test_labels=np.arange(20) % 10,
    )


class Slow(nn.Module):
    """Takes a while for a batch, and presses Ctrl-C in the one that it is told."""

    def __init__(self, seed=0, stop_at=None, seconds=0.0):
        super().__init__()
        self.frozen = nn.BatchNorm1d(784).eval()
        self.linear = nn.Linear(784, 10)
        self.seed, self.stop_at, self.seconds, self.calls = seed, stop_at, seconds, 0

    def forward(self, x):
        self.calls += 1
        time.sleep(self.seconds)
        if (self.seed, self.calls) == self.stop_at:
            signal.raise_signal(signal.SIGINT)
        return self.linear(self.frozen(x.flatten(1)))


@pytest.mark.parametrize("moment", [1, 2, 7], ids=["first step", "second step", "a measurement"])
def test_many_runs_with_one_job_at_a_time_end_with_the_run_that_was_stopped(noise, moment):
    builds = partial(Slow, stop_at=(2, moment))
    options = {"epochs": 2, "batch_size": 10, "measure_every": 3, "progress": False}
    histories = fit_many({"net": builds}, range(6), noise, jobs=1, **options)["net"]
    assert [run.seed for run in histories] == [0, 1]
    assert not any(run.interrupted for run in histories)
    assert [run.final.epoch for run in histories] == [2, 2]


@pytest.mark.parametrize("jobs", [1, 2])
def test_many_runs_end_at_once(noise, jobs):
    builds = partial(Slow, seconds=0.05)
    options = {"epochs": 50, "batch_size": 10, "progress": False}
    pressed = []

    def press():
        time.sleep(3 if jobs == 2 else 0.5)  # two jobs have to begin first
        pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    histories = fit_many({"net": builds}, range(4), noise, jobs=jobs, **options)["net"]
    assert time.monotonic() - pressed[0] < AT_ONCE
    assert not any(run.interrupted for run in histories)


def goes_on(seed):
    """Be an experiment whose one run is long, and keeps what it has after Ctrl-C."""
    fit(Slow(seed, seconds=0.05), SMALL, epochs=50, batch_size=10, progress=False)
    return [{"done": True}]


SMALL = ImageDataset(
    np.zeros((60, 28, 28), np.uint8),
    np.arange(60) % 10,
    np.zeros((20, 28, 28), np.uint8),
    np.arange(20) % 10,
)


def test_an_experiment_that_runs_live_ends_at_once():
    pressed = []

    def press():
        time.sleep(0.5)
        pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    experiment = Experiment("?", goes_on, [{"seed": seed} for seed in range(4)])
    with pytest.raises(KeyboardInterrupt):
        run_live(experiment, jobs=1, progress=False)
    assert time.monotonic() - pressed[0] < AT_ONCE


def modes(model):
    return {name: module.training for name, module in model.named_modules()}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_evaluation_that_is_stopped_leaves_every_module_in_its_mode(error):
    class Stops(Slow):
        def forward(self, x):
            if not self.training and self.calls:
                raise error
            return super().forward(x)

    model = Stops()
    before = modes(model)
    with pytest.raises(error):
        evaluate(model, torch.rand(4, 784), torch.arange(4), batch_size=2)
    assert modes(model) == before
    assert before == {"": True, "frozen": False, "linear": True}


def test_an_evaluation_leaves_a_frozen_layer_frozen():
    model = Slow()
    before = modes(model)
    evaluate(model, torch.rand(4, 784), torch.arange(4))
    assert modes(model) == before


def test_a_training_that_is_stopped_in_a_measurement_leaves_the_model_in_training_mode(noise):
    model = Slow(stop_at=(0, 7))
    history = fit(model, noise, epochs=2, batch_size=10, measure_every=6, progress=False)
    assert history.interrupted
    assert not history.points
    assert model.training


@pytest.mark.parametrize("seeds", ["1", "6"])
def test_the_command_ends_at_once_with_a_table_of_what_is_whole(idx_bytes, tmp_path, seeds):
    rng = np.random.default_rng(0)
    for split, size in {"train": 20_000, "t10k": 20}.items():
        images = rng.integers(0, 256, (size, 28, 28), dtype=np.uint8)
        (tmp_path / f"{split}-images-idx3-ubyte").write_bytes(idx_bytes(images))
        labels = np.arange(size, dtype=np.uint8) % 10
        (tmp_path / f"{split}-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    # On one CPU, so that one run comes after the other.
    program = (
        "import os, signal, threading, time, joblib\n"
        "from torch.optim.optimizer import register_optimizer_step_post_hook\n"
        "from normlab.cli.main import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "joblib.cpu_count = lambda: 1\n"
        "trains = threading.Event()\n"
        "register_optimizer_step_post_hook(lambda *_: trains.set())\n"
        "def press():\n"
        "    trains.wait(100), time.sleep(0.1), print('pressed', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "threading.Thread(target=press).start()\n"
        "main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, "mnist", "--epochs", "200", "--seeds", seeds],
        env=os.environ | {"NORMLAB_DATA": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "pressed\n"
    pressed = time.monotonic()
    _, messages = process.communicate(timeout=120)
    assert time.monotonic() - pressed < AT_ONCE
    assert process.returncode == 130
    assert messages.endswith("normlab: stopped.\n")
    assert "Traceback" not in messages
