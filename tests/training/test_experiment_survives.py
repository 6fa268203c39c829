"""What an experiment has finished survives a kill, a full disk, and a second one beside it."""

import json
import multiprocessing
import os
import random
import signal
import sys
import time

import pytest
from click.testing import CliRunner

from normlab import files, training
from normlab.cli.main import normlab
from normlab.files import locked
from normlab.training import Experiment, load_recording, record

KILLS = 30


def measure(seed):
    time.sleep(0.002)
    return [{"step": step, "value": seed / (step + 1)} for step in range(40)]


def stops_at_seed_9(seed):
    if seed == 9:
        raise KeyboardInterrupt
    return measure(seed)


SETTINGS = [{"seed": seed} for seed in range(20)]
MANY = [{"seed": seed} for seed in range(200)]  # more than a process does before it is killed


def experiment(measure=measure, settings=SETTINGS):
    return Experiment("What comes out?", measure, settings, name="made_up")


def run(folder, settings=SETTINGS):
    record(experiment(settings=settings), folder, jobs=1, progress=False)


def finished(part):
    """Return the seeds of the finished runs; a line that was being written is none."""
    if not part.exists():
        return set()
    *lines, _ = part.read_text().split("\n")
    return {json.loads(line)["settings"]["seed"] for line in lines[1:]}


def without_times(path):
    rows = load_recording(path).rows
    return [{name: row[name] for name in ("seed", "step", "value")} for row in rows]


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_kill_at_thirty_moments_loses_no_finished_run(tmp_path):
    fork, draw = multiprocessing.get_context("fork"), random.Random(16)
    part, path = tmp_path / "made_up.csv.part", tmp_path / "made_up.csv"
    before: set = set()
    for kill in range(KILLS):
        process = fork.Process(target=run, args=(tmp_path, MANY))
        process.start()
        # Every third one early, in the rewriting of what was there.
        time.sleep(draw.uniform(0, 0.01) if kill % 3 == 0 else draw.uniform(0.01, 0.04))
        os.kill(process.pid, signal.SIGKILL)
        process.join(60)
        now = finished(part)
        assert path.exists() or now >= before
        before = now
    run(tmp_path, MANY)
    clean = tmp_path / "clean"
    run(clean, MANY)
    assert without_times(path) == without_times(clean / "made_up.csv")
    assert {each.name for each in tmp_path.iterdir()} == {"made_up.csv", "clean"}


def run_until_a_file_is_so_long(folder, size):
    """Die by a signal in the very write that would make a file longer."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    run(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_death_in_thirty_places_of_the_writing_loses_no_finished_run(begun):
    fork, size, before = multiprocessing.get_context("fork"), begun.stat().st_size, set(range(9))
    for place in range(KILLS):
        limit = 1 + size * place // KILLS
        process = fork.Process(target=run_until_a_file_is_so_long, args=(begun.parent, limit))
        process.start()
        process.join(60)
        assert process.exitcode == -signal.SIGXFSZ
        assert finished(begun) >= before, limit
    run(begun.parent)
    assert [path.name for path in begun.parent.iterdir()] == ["made_up.csv"]


@pytest.fixture
def begun(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        record(experiment(stops_at_seed_9), tmp_path, jobs=1, progress=False)
    assert finished(tmp_path / "made_up.csv.part") == set(range(9))
    return tmp_path / "made_up.csv.part"


def test_a_full_disk_loses_no_finished_run(begun, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    before = begun.read_text()
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            run(begun.parent)
    assert begun.read_text() == before
    assert [path.name for path in begun.parent.iterdir()] == ["made_up.csv.part"]
    run(begun.parent)
    assert len(load_recording(begun.with_suffix("")).rows) == len(SETTINGS) * 40


@pytest.mark.parametrize(
    "damage",
    [b"\xff\xfe\n", b"null\n", b"[1]\n", b'{"settings": 3}\n', b"\x00" * 100, b'{"rows": [}\n'],
)
def test_a_damaged_line_costs_that_line_alone(begun, damage):
    head, *lines = begun.read_bytes().splitlines(keepends=True)
    begun.write_bytes(b"".join([head, *lines[:4], damage, b"\n", *lines[4:]]))
    calls = []

    def counted(seed, measure=measure):
        calls.append(seed)
        return measure(seed)

    counted.__module__ = __name__
    record(experiment(counted), begun.parent, jobs=1, progress=False)
    assert min(calls) == 9


def test_two_in_one_folder_are_one_too_many(begun):
    before = begun.read_text()
    with locked(begun.with_suffix("")), pytest.raises(TimeoutError, match="another process is wri"):
        run(begun.parent)
    assert begun.read_text() == before
    run(begun.parent)


@pytest.fixture
def known(monkeypatch):
    made_up = experiment(settings=SETTINGS[:2])
    monkeypatch.setattr(training, "find_experiment", lambda name: made_up)


def ask(folder):
    return CliRunner().invoke(
        normlab, ["experiment", "made_up", "--into", str(folder), "--jobs", "1"]
    )


def test_the_command_says_that_another_one_is_at_work(known, tmp_path):
    with locked(tmp_path / "made_up.csv"):
        result = ask(tmp_path)
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: made_up: another process is writing {tmp_path / 'made_up.csv'}. Wait for it, or "
        "choose another folder with --into.\n"
    )
    assert ask(tmp_path).exit_code == 0


@pytest.mark.parametrize(
    ("number", "reason"), [(28, "No space left on device"), (30, "Read-only file system")]
)
def test_the_command_says_that_the_disk_is_full_or_read_only(
    known, tmp_path, monkeypatch, number, reason
):
    def refused(*_):
        raise OSError(number, reason)

    monkeypatch.setattr(files.os, "fsync", refused)
    result = ask(tmp_path)
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: {tmp_path}: {reason}. The finished runs are kept; the same command goes on from "
        "there.\n"
    )
