"""What `gpu_norms` measures, on the CPU: there is no accelerator to be counted on."""

import math
import os

import numpy as np
import pytest
import torch

from normlab.training import (
    RECORDED,
    Experiment,
    find_experiment,
    recorded,
    recorded_if_there,
    run_live,
)
from normlab.training.experiments import gpu_norms
from normlab.training.experiments.gpu_norms import NORMS, card_name, measure

ROUNDING = {"float32": 1e-5, "bfloat16": 0.05}


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("way", ["eager", "by hand"])
@pytest.mark.parametrize("what", NORMS)
def test_each_norm_agrees_with_float64_and_takes_time(what, way, dtype):
    (row,) = measure(what, way, dtype, 0, device="cpu", few=True)
    assert row["card"] == "cpu"
    assert 0 < row["difference"] < ROUNDING[dtype]
    assert 0 < row["forward_ms"] < row["both_ms"]
    one_pass_ms = row["forward_share"] * row["forward_ms"] / 2
    assert row["both_share"] * row["both_ms"] == pytest.approx(5 * one_pass_ms)
    numbers = math.prod(NORMS[what].shape(few=True))
    size = {"float32": 4, "bfloat16": 2}[dtype]
    assert row["copied_gb_per_s"] == pytest.approx(numbers * size / one_pass_ms / 1e6)


def test_a_wrong_norm_is_seen(monkeypatch):
    wrong = gpu_norms._Norm(
        NORMS["layer"].torchs, lambda x, w, b: gpu_norms._standardized(x, (0,)) * w + b, -1
    )
    monkeypatch.setitem(NORMS, "layer", wrong)
    assert measure("layer", "eager", "float32", 0, device="cpu", few=True)[0]["difference"] > 0.1


def test_a_compiled_norm_is_the_compiled_one(monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda call, **_: compiled.append(call) or call)
    measure("rms", "by hand, compiled", "float32", 0, device="cpu", few=True)
    measure("rms", "by hand", "float32", 0, device="cpu", few=True)
    assert compiled == [NORMS["rms"].by_hand]


def test_a_training_is_compared_with_the_cpus(monkeypatch):
    (row,) = measure("fit", "eager", "float32", 0, device="cpu")
    assert row["difference"] == 0
    assert np.isnan(row["forward_ms"])
    whole = gpu_norms.fit

    def fit_worse(network, dataset, *, device, **options):
        return whole(
            network, dataset, device="cpu", **options | {"lr": 0.1 if device == "cpu" else 0.2}
        )

    monkeypatch.setattr(gpu_norms, "fit", fit_worse)
    assert measure("fit", "eager", "float32", 0, device=torch.device("cpu"))[0]["difference"] > 0.01


def test_a_card_says_its_name(monkeypatch):
    assert card_name(torch.device("cpu")) == "cpu"
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"a card, {device}")
    assert card_name(torch.device("cuda:0")) == "a card, cuda:0"


def test_every_run_has_the_same_columns_and_a_seed():
    rows = [measure(*one, device="cpu", few=True)[0] for one in (
        ("layer", "eager", "float32", 0), ("fit", "eager", "float32", 0)
    )]  # fmt: skip
    assert list(rows[0]) == list(rows[1])
    assert all("seed" in settings for settings in find_experiment("gpu_norms").settings)


def _process(seed):
    return [{"process": os.getpid()}]


def test_what_is_measured_on_a_card_is_measured_one_at_a_time():
    one = Experiment("?", _process, [{"seed": 0}, {"seed": 1}], needs_accelerator=True)
    assert set(run_live(one, jobs=2, progress=False).values("process")) == {os.getpid()}


def test_a_recording_that_may_be_missing():
    assert recorded_if_there("noise").rows == recorded("noise").rows
    if not (RECORDED / "gpu_norms.csv").exists():
        assert recorded_if_there("gpu_norms") is None
    with pytest.raises(ValueError, match="No experiment is called"):
        recorded_if_there("gpu_norm")
