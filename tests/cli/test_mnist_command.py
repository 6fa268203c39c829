"""``normlab mnist`` in a terminal, as people call it: rightly and wrongly."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from normlab.cli.mnist import NORM_CHOICES
from normlab.training import NORMS


def normlab(*arguments, **environment):
    """Run the command in a process of its own, as a shell would."""
    return subprocess.run(
        [sys.executable, "-c", "from normlab.cli.main import main; main()", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=300,
        check=False,
    )


@pytest.fixture
def small_data(tmp_path, idx_bytes):
    rng = np.random.default_rng(0)
    for split, size in {"train": 130, "t10k": 20}.items():
        images = rng.integers(0, 256, (size, 28, 28), dtype=np.uint8)
        labels = np.arange(size, dtype=np.uint8) % 10
        (tmp_path / f"{split}-images-idx3-ubyte").write_bytes(idx_bytes(images))
        (tmp_path / f"{split}-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    return str(tmp_path)


def test_it_prints_a_line_an_epoch(small_data):
    result = normlab("mnist", "--epochs", "3", NORMLAB_DATA=small_data)
    assert result.returncode == 0
    header, *lines = result.stdout.splitlines()
    assert header.split() == ["epoch", "train", "loss", "test", "accuracy", "seconds"]
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]
    assert re.fullmatch(r"\s+1\s+\d\.\d{4}\s+\d+\.\d\d %\s+\d+\.\d\d", lines[0])


def test_several_seeds_give_mean_and_spread(small_data, normlab_here, monkeypatch):
    monkeypatch.setattr("joblib.cpu_count", lambda: 1)  # no processes to start
    result = normlab_here(
        "mnist", "--norm", "rms", "--epochs", "1", "--seeds", "2", NORMLAB_DATA=small_data
    )
    assert result.returncode == 0
    assert re.search(r"^ *1 .*\d ± \d.*\d ± \d", result.stdout, re.MULTILINE)
    assert "Mean ± standard deviation of 2 runs." in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--norm", "bach"], "'bach' is not one of 'batch', 'none', 'layer', 'group', 'rms'"),
        (["--epochs", "0"], "Invalid value for '--epochs': 0 is not in the range x>=1"),
        (["--lr", "-1"], "Invalid value for '--lr': -1.0 is not in the range x>0"),
        (["--seeds", "many"], "'many' is not a valid integer"),
        (["--batch-size", "1"], "batch_size=1: this network cannot train on a single sample"),
        (["--batch-size", "129"], "130 samples in batches of 129 leave a last batch of one"),
        (["--optimizer", "adam"], "No such option"),
    ],
)
def test_a_mistake_gets_one_clear_line(small_data, normlab_here, arguments, message):
    result = normlab_here("mnist", *arguments, NORMLAB_DATA=small_data)
    assert result.returncode != 0
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("normlab: ")
    assert message in result.stderr
    assert result.stdout == ""


def test_damaged_data_gets_one_clear_line(small_data, normlab_here):
    path = os.path.join(small_data, "train-images-idx3-ubyte")
    with open(path, "r+b") as file:
        file.truncate(5000)
    result = normlab_here("mnist", NORMLAB_DATA=small_data)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert f"{path}: truncated. Its header promises" in result.stderr


def test_the_help_names_the_norms_that_exist(normlab_here):
    assert set(NORM_CHOICES) == set(NORMS)
    assert "[batch|none|layer|group|rms|batch-no-affine]" in normlab_here("mnist", "--help").stdout


def test_without_a_command_it_shows_the_help(normlab_here):
    result = normlab_here()
    assert result.returncode == 0
    assert "To learn:" in result.stdout
