"""Experiments: recorded completely, resumed where they stopped, and repeatable."""

import json
import signal
from unittest.mock import MagicMock

import numpy as np
import pytest

from normlab.training import (
    RECORDED,
    Experiment,
    experiment_names,
    find_experiment,
    load_recording,
    pick_device,
    record,
    recorded,
    run_live,
)

CALLS = []


def measure(size, seed):
    """Give two rows of numbers that depend on the settings alone."""
    CALLS.append((size, seed))
    generator = np.random.default_rng([size, seed])
    return [{"step": step, "value": generator.normal(), "fine": True} for step in (1, 2)]


def breaks_at_seed_2(size, seed):
    if seed == 2:
        raise KeyboardInterrupt
    return measure(size, seed)


def experiment(measure=measure, sizes=(10, 20)):
    settings = [{"size": size, "seed": seed} for size in sizes for seed in range(3)]
    return Experiment("What comes out?", measure, settings, name="made_up")


@pytest.fixture(autouse=True)
def no_calls():
    CALLS.clear()


def test_the_file_holds_every_row_in_the_order_of_the_settings(tmp_path):
    recording = load_recording(record(experiment(), tmp_path, jobs=1))
    expected = [
        {"size": size, "seed": seed, "step": step}
        for size in (10, 20)
        for seed in range(3)
        for step in (1, 2)
    ]
    assert [{name: row[name] for name in ("size", "seed", "step")} for row in recording.rows] == (
        expected
    )
    assert recording.rows[0]["fine"] is True
    assert recording.rows[0]["value"] == float(f"{np.random.default_rng([10, 0]).normal():.6g}")


def test_the_file_says_how_it_was_made(tmp_path):
    how = load_recording(record(experiment(), tmp_path, jobs=1)).how
    assert how["command"] == "normlab experiment made_up"
    assert how["question"] == "What comes out?"
    assert how["seeds"] == "0, 1, 2"
    assert "torch 2" in how["versions"]
    assert set(how) == {"question", "command", "date", "versions", "seeds", "duration"}


def test_a_stopped_experiment_goes_on_where_it_stopped(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        record(experiment(breaks_at_seed_2), tmp_path, jobs=1)
    assert not (tmp_path / "made_up.csv").exists()
    CALLS.clear()
    record(experiment(), tmp_path, jobs=1)
    assert CALLS == [(10, 2), (20, 0), (20, 1), (20, 2)]
    assert [path.name for path in tmp_path.iterdir()] == ["made_up.csv"]


def test_the_bar_counts_no_finished_runs_that_nobody_asks_for_now(tmp_path, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        record(experiment(breaks_at_seed_2), tmp_path, jobs=1)
    bar = MagicMock()
    monkeypatch.setattr("normlab.training.experiment.progress_bar", lambda *_, **__: bar)
    record(experiment(sizes=(20,)), tmp_path, jobs=1)
    assert bar.__enter__().update.call_args_list[0].args == (0,)


def test_a_line_that_was_being_written_at_the_end_is_done_again(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        record(experiment(breaks_at_seed_2), tmp_path, jobs=1)
    part = tmp_path / "made_up.csv.part"
    part.write_text(part.read_text()[:-20])
    CALLS.clear()
    recording = load_recording(record(experiment(), tmp_path, jobs=1))
    assert CALLS[0] == (10, 1)
    assert len(recording.rows) == 12


def interrupted_and_goes_on(size, seed):
    """Keep what there is after Ctrl-C, as `fit` does."""
    try:
        if seed == 2:
            signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        pass
    return measure(size, seed)


def test_a_run_that_was_cut_short_is_not_kept(tmp_path, heeds_interrupts):
    with pytest.raises(KeyboardInterrupt):
        record(experiment(interrupted_and_goes_on), tmp_path, jobs=1)
    part = tmp_path / "made_up.csv.part"
    kept = [json.loads(line)["settings"]["seed"] for line in part.read_text().splitlines()[1:]]
    assert kept == [0, 1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_changed_experiment_begins_anew(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        record(experiment(breaks_at_seed_2), tmp_path, jobs=1)
    part = tmp_path / "made_up.csv.part"
    head, *runs = part.read_text().splitlines()
    changed = {**json.loads(head), "code": "another"}
    part.write_text("\n".join([json.dumps(changed), *runs]) + "\n")
    CALLS.clear()
    record(experiment(), tmp_path, jobs=1)
    assert len(CALLS) == 6


def test_two_processes_measure_the_same_as_one():
    chosen = find_experiment("learning_rates").only(
        norm="none", lr=[0.1, 1.0], images=12_000, seed=0
    )
    one, two = run_live(chosen, jobs=1), run_live(chosen, jobs=2)
    np.testing.assert_array_equal(one.values("test_accuracy"), two.values("test_accuracy"))


def test_values_are_chosen_by_settings():
    recording = run_live(experiment(), jobs=1)
    assert recording.values("value", size=10, seed=[0, 1]).shape == (4,)
    assert recording.different("seed") == [0, 1, 2]
    with pytest.raises(ValueError, match="No row has"):
        recording.values("value", size=11)
    with pytest.raises(ValueError, match="no run with"):
        experiment().only(size=11)


def trainings(steps, seed):
    """Give the points of a made-up training."""
    return [
        {
            "step": step,
            "epoch": step / 10,
            "train_loss": 1 / step,
            "test_loss": 2 / step,
            "test_accuracy": seed + step / 100,
            "seconds": 0.5,
        }
        for step in range(10, steps + 1, 10)
    ]


def test_the_points_of_a_training_become_its_history():
    settings = [{"steps": steps, "seed": seed} for steps in (30, 20) for seed in (4, 2)]
    recording = run_live(Experiment("?", trainings, settings), jobs=1)
    runs = recording.histories(steps=30)
    assert [run.seed for run in runs] == [4, 2]
    assert runs[1].series("step").tolist() == [10, 20, 30]
    assert runs[1].series("test_accuracy").tolist() == [2.1, 2.2, 2.3]
    assert runs[0].steps_to(4.15) == 20
    with pytest.raises(ValueError, match="Several trainings of one seed"):
        recording.histories(seed=4)
    with pytest.raises(ValueError, match="No row has"):
        recording.histories(steps=40)


def test_every_experiment_is_recorded_and_every_recording_has_its_experiment():
    made = {path.stem for path in RECORDED.glob("*.csv")}
    on_a_card = {name for name in experiment_names() if find_experiment(name).needs_accelerator}
    assert made - on_a_card == set(experiment_names()) - on_a_card


# An experiment that needs an accelerator is recorded where somebody had one.
THERE = [name for name in experiment_names() if (RECORDED / f"{name}.csv").exists()]


@pytest.mark.parametrize("name", THERE)
def test_a_recording_has_all_runs_and_says_how_it_was_made(name):
    recording, one = recorded(name), find_experiment(name)
    assert one.name == name
    assert recording.how["command"] == f"normlab experiment {name}"
    assert recording.how["question"] == one.question
    assert all(recording.how[word] for word in ("date", "versions", "seeds", "duration"))
    names = list(one.settings[0])
    runs = dict.fromkeys(tuple(row[name] for name in names) for row in recording.rows)
    assert list(runs) == [tuple(settings.values()) for settings in one.settings]


@pytest.mark.parametrize("name", THERE)
def test_a_recorded_run_comes_out_again(name):
    """One run of each experiment, done again, gives what its file says."""
    recording, one = recorded(name), find_experiment(name)
    if one.needs_accelerator and pick_device().type == "cpu":
        pytest.skip("measured on an accelerator")
    quickest = min(recording.rows, key=lambda row: row["run_seconds"])
    chosen = one.repeatable or {setting: quickest[setting] for setting in one.settings[0]}
    again = run_live(one.only(**chosen), jobs=1)
    measured = set(again.rows[0]) - set(chosen) - one.timings - {"run_seconds"}
    assert measured
    for column in sorted(measured):
        expected, got = recording.values(column, **chosen), again.values(column)
        if expected.dtype.kind in "US":
            assert list(got) == list(expected)
        else:
            # Other processors round sums differently; an experiment names the columns in which
            # training makes such differences grow.
            tolerance = one.tolerances.get(column, 0)
            np.testing.assert_allclose(
                got.astype(float), expected.astype(float), rtol=1e-4, atol=tolerance, err_msg=column
            )
