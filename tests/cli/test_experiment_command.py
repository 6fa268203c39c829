"""``normlab experiment`` in a terminal, as people call it: rightly, wrongly, and with Ctrl-C."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from click.testing import CliRunner

from normlab import training
from normlab.cli.main import normlab
from normlab.training import Experiment, experiment_names, find_experiment, load_recording


def measure(seed):
    return [{"twice": 2 * seed}]


@pytest.fixture
def made_up(monkeypatch):
    """Let the course have two experiments, which take no time."""
    experiments = {
        name: Experiment(f"What of {name}?", measure, [{"seed": 3}, {"seed": 4}], name=name)
        for name in ("first", "second")
    }
    monkeypatch.setattr(training, "experiment_names", lambda: list(experiments))

    def find(name):
        if name not in experiments:
            raise ValueError(f"No experiment is called {name!r}.")
        return experiments[name]

    monkeypatch.setattr(training, "find_experiment", find)


def test_without_a_name_it_lists_what_there_is():
    result = CliRunner().invoke(normlab, ["experiment"])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == experiment_names()
    for line in lines:
        name, question = line.split(maxsplit=1)
        assert question == find_experiment(name).question


def test_a_named_experiment_is_recorded(made_up, tmp_path):
    arguments = ["experiment", "second", "--into", str(tmp_path / "new"), "--jobs", "1"]
    result = CliRunner().invoke(normlab, arguments)
    assert result.exit_code == 0
    path = tmp_path / "new" / "second.csv"
    assert result.stdout == f"second: What of second? (2 runs)\n  written to {path}\n"
    assert load_recording(path).values("twice").tolist() == [6, 8]


def test_without_an_accelerator_a_line_says_so_and_nothing_is_written(monkeypatch, tmp_path):
    monkeypatch.setattr(training, "pick_device", lambda: torch.device("cpu"))
    result = CliRunner().invoke(normlab, ["experiment", "gpu_norms", "--into", str(tmp_path)])
    assert result.exit_code == 0
    assert result.stdout == (
        "gpu_norms: needs an accelerator, and torch finds none here. Not run.\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_all_go_on_without_what_needs_an_accelerator_and_with_one_it_is_recorded(
    made_up, monkeypatch, tmp_path
):
    first = training.find_experiment("first")
    object.__setattr__(first, "needs_accelerator", True)
    arguments = ["experiment", "--all", "--into", str(tmp_path), "--jobs", "1"]
    for device, written in (("cpu", ["second.csv"]), ("cuda", ["first.csv", "second.csv"])):
        monkeypatch.setattr(training, "pick_device", lambda device=device: torch.device(device))
        assert CliRunner().invoke(normlab, arguments).exit_code == 0
        assert sorted(path.name for path in tmp_path.iterdir()) == written


def test_all_are_recorded(made_up, tmp_path):
    arguments = ["experiment", "--all", "--into", str(tmp_path), "--jobs", "1"]
    assert CliRunner().invoke(normlab, arguments).exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.csv", "second.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["learning_rate"], "'learning_rate'. Did you mean 'learning_rates'?"),
        (["nothing_like_it"], "No experiment is called 'nothing_like_it'. Choose one of: "),
        (["learning_rates", "--jobs", "0"], "0 is not in the range x>=1"),
        (["learning_rates", "--into", __file__], "is a file"),
    ],
)
def test_a_mistake_gets_one_clear_line(normlab_here, arguments, message):
    result = normlab_here("experiment", *arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("normlab: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


def test_names_and_all_do_not_go_together(made_up, tmp_path):
    arguments = ["experiment", "first", "--all", "--into", str(tmp_path)]
    result = CliRunner().invoke(normlab, arguments)
    assert result.exit_code == 2
    assert "give either names or --all" in result.stderr
    assert not list(tmp_path.iterdir())


def test_an_unknown_name_is_told_before_anything_is_run(made_up, tmp_path):
    arguments = ["experiment", "first", "third", "--into", str(tmp_path)]
    result = CliRunner().invoke(normlab, arguments)
    assert result.exit_code == 2
    assert "No experiment is called 'third'" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.fixture
def heeds_interrupts():
    """Heed Ctrl-C, here and in processes begun here; one started in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_ctrl_c_says_that_the_same_command_goes_on(tmp_path, heeds_interrupts):
    program = [sys.executable, "-m", "normlab", "experiment", "detached_statistics"]
    options = ["--into", str(tmp_path), "--jobs", "1"]
    process = subprocess.Popen(
        [*program, *options], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    part = tmp_path / "detached_statistics.csv.part"
    while not part.exists() or len(part.read_text().splitlines()) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.15)  # until the next run is in the middle of its training
    os.killpg(process.pid, signal.SIGINT)  # what a terminal sends for Ctrl-C
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "The finished runs are kept; the same command goes on from there." in messages
    assert messages.endswith("normlab: stopped.\n")
    assert "Traceback" not in messages
    assert part.exists()
    assert not (tmp_path / "detached_statistics.csv").exists()
