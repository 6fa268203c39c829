"""Nothing that a learner reached is lost: by other kernels, a kill, or a file nobody can read."""

import json
import multiprocessing
import os
import random
import signal
import socket
import sys
import time

import pytest
from click.testing import CliRunner

from normlab.cli.main import normlab
from normlab.exercises import all_exercises, check, logbook, progress
from normlab.exercises.logbook import record, record_self_test
from normlab.exercises.self_tests import all_self_tests

NAMES = list(all_exercises())
KERNELS = 20  # that check at the same moment
# NORMLAB_TRIALS=50 is what the course was released with.
TRIALS = int(os.environ.get("NORMLAB_TRIALS", "5"))
KILLS = 30

needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="forks, which Windows cannot")


@pytest.fixture
def noted(file):
    """Note six results, the last one twice, so that the backup holds all of them."""
    for points, name in enumerate(NAMES[:5], 1):
        record(name, points, 10, ["eps missing"])
    record_self_test(next(iter(all_self_tests())), 4, 5)
    record_self_test(next(iter(all_self_tests())), 4, 5)
    return file


def reached():
    """Return the best of each exercise and self-test that was tried."""
    shown = progress()
    return {line.name: line.best for line in (*shown.lines, *shown.self_tests) if line.checks}


# ---- several kernels


def check_when_told(start, name):
    start.wait()
    check(name, "no function")


@needs_fork
def test_twenty_kernels_that_check_at_the_same_moment_lose_nothing(file):
    fork = multiprocessing.get_context("fork")
    for _ in range(TRIALS):
        file.unlink(missing_ok=True)
        start = fork.Event()
        kernels = [
            fork.Process(target=check_when_told, args=(start, name)) for name in NAMES[:KERNELS]
        ]
        for kernel in kernels:
            kernel.start()
        start.set()
        for kernel in kernels:
            kernel.join()
        assert list(json.loads(file.read_text())["exercises"].keys() ^ set(NAMES[:KERNELS])) == []
    assert sorted(os.listdir(file.parent)) == ["progress.json", "progress.json.bak"]


def check_again_and_again(name):
    for _ in range(30):
        record(name, 1, 10, [])


@needs_fork
def test_two_kernels_lose_no_check_of_the_same_exercise(file):
    fork = multiprocessing.get_context("fork")
    kernels = [fork.Process(target=check_again_and_again, args=(NAMES[0],)) for _ in range(2)]
    for kernel in kernels:
        kernel.start()
    for kernel in kernels:
        kernel.join()
    assert json.loads(file.read_text())["exercises"][NAMES[0]]["checks"] == 60


def test_a_kernel_that_hangs_while_it_writes_does_not_hang_the_others(file, monkeypatch):
    with logbook.locked(file):
        monkeypatch.setattr(
            logbook, "locked", lambda path, locked=logbook.locked: locked(path, seconds=0.1)
        )
        said = record(NAMES[0], 5, 10, [])
    assert said == f"your progress could not be saved: another process is writing {file}"
    assert record(NAMES[0], 5, 10, []) == ""


# ---- kill -9


def note_and_tell(pipe):
    for number in range(10_000):
        record(NAMES[0], 1, 10, [])
        pipe.send(number)


@needs_fork
def test_kill_at_thirty_moments_of_a_checks_writing_loses_nothing(file):
    fork, draw, told = multiprocessing.get_context("fork"), random.Random(16), 0
    for _ in range(KILLS):
        receiver, sender = fork.Pipe(duplex=False)
        kernel = fork.Process(target=note_and_tell, args=(sender,))
        kernel.start()
        sender.close()
        assert receiver.poll(60)
        time.sleep(draw.uniform(0, 0.02))
        os.kill(kernel.pid, signal.SIGKILL)
        kernel.join()
        while receiver.poll():
            try:
                receiver.recv()
                told += 1
            except EOFError:
                break
        # The check that was being noted may be in it, unsaid.
        noted = json.loads(file.read_text())["exercises"][NAMES[0]]["checks"]
        assert told <= noted
        told = noted
        assert record(NAMES[0], 1, 10, []) == ""
        told += 1
    names = {path.name for path in file.parent.iterdir()}
    assert names <= {"progress.json", "progress.json.bak", ".progress.json.new"}, names


def note_until_a_file_is_so_long(size):
    """Die by a signal in the very write that would make a file longer."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    record(NAMES[7], 1, 10, [])


@needs_fork
def test_death_in_thirty_places_of_the_writing_loses_nothing(noted):
    fork, before, content = multiprocessing.get_context("fork"), reached(), noted.read_bytes()
    for place in range(KILLS):
        limit = 1 + len(content) * place // KILLS
        kernel = fork.Process(target=note_until_a_file_is_so_long, args=(limit,))
        kernel.start()
        kernel.join()
        assert kernel.exitcode == -signal.SIGXFSZ
        assert noted.read_bytes() == content
    assert record(NAMES[7], 1, 10, []) == ""
    assert reached() == before | {NAMES[7]: 1}


# ---- files that cannot be read


def newer(raw):
    return json.dumps({**json.loads(raw), "version": 2, "badges": ["gold"]}).encode()


def senseless(raw):
    content = json.loads(raw)
    content["exercises"]["mine"] = "a note of my own"
    return json.dumps(content).encode()


WHOLE_IN_ANOTHER_WAY = {
    "BOM, as Notepad writes it": lambda raw: b"\xef\xbb\xbf" + raw,
    "UTF-16": lambda raw: raw.decode().encode("utf-16"),
    "UTF-16 without a BOM": lambda raw: raw.decode().encode("utf-16-le"),
    "UTF-32": lambda raw: raw.decode().encode("utf-32"),
    "a newer version": newer,
    "an entry that makes no sense": senseless,
    "one bad byte": lambda raw: raw.replace(b'"eps missing"', b'"eps m\xffssing"', 1),
    "a comma too many": lambda raw: raw.replace(b"\n}", b",\n}"),
    "two files in one": lambda raw: raw + raw,
    "conflict marks": lambda raw: b"<<<<<<< mine\n" + raw + b">>>>>>> theirs\n",
    "half-written": lambda raw: raw[: len(raw) // 2],
    "written as far as its first brace": lambda raw: raw[:1],
    "empty": lambda raw: b"",
    "zeros, as after a power cut": lambda raw: bytes(len(raw)),
    "a list": lambda raw: b"[]",
    "deep": lambda raw: b"[" * 100_000,
}


@pytest.mark.parametrize("spoil", WHOLE_IN_ANOTHER_WAY.values(), ids=WHOLE_IN_ANOTHER_WAY)
def test_a_file_that_cannot_be_read_is_put_aside_and_nothing_reached_is_lost(noted, spoil):
    before = reached()
    assert len(before) == 6
    spoiled = spoil(noted.read_bytes())
    noted.write_bytes(spoiled)

    shown = progress()
    assert reached() == before
    assert shown.note.startswith("Your progress file ")
    assert shown.note in str(shown)
    assert noted.read_bytes() == spoiled  # to look at it changes nothing

    report = " ".join(str(check(NAMES[7], "no function")).split())
    assert ", so progress.json was put aside as progress.unreadable-1.json, and what" in report
    assert (noted.parent / "progress.unreadable-1.json").read_bytes() == spoiled
    assert reached() == before | {NAMES[7]: 0}
    assert progress().note == ""
    assert "Note" not in str(check(NAMES[7], "no function"))


def test_a_second_file_that_cannot_be_read_does_not_replace_the_first(noted):
    for number, content in enumerate(["first", "second"], 1):
        noted.write_text(content)
        record(NAMES[0], 1, 10, [])
        aside = noted.parent / f"progress.unreadable-{number}.json"
        assert aside.read_text() == content


def test_without_a_backup_what_was_written_of_half_a_file_is_kept(noted):
    (noted.parent / "progress.json.bak").unlink()
    before = reached()
    text = noted.read_text()
    noted.write_text(text[: text.index(f'"{NAMES[3]}"') + 30])
    record(NAMES[7], 1, 10, [])
    assert reached() == {name: before[name] for name in NAMES[:3]} | {NAMES[7]: 1}


@pytest.mark.parametrize("reason", ["Permission denied", "Input/output error"])
def test_a_file_that_may_not_be_read_is_put_aside(noted, monkeypatch, reason):
    before, content, read_bytes = reached(), noted.read_bytes(), type(noted).read_bytes

    def refused(path):
        if path == noted and path.stat().st_ino == inode:
            raise OSError(13, reason)
        return read_bytes(path)

    inode = noted.stat().st_ino
    monkeypatch.setattr(type(noted), "read_bytes", refused)
    said = record(NAMES[7], 1, 10, [])
    assert f"cannot be read ({reason})" in said
    assert reached() == before | {NAMES[7]: 1}
    assert read_bytes(noted.parent / "progress.unreadable-1.json") == content


def test_what_is_put_aside_once_is_not_put_aside_again_while_the_disk_is_full(noted, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    noted.write_text("{")
    with monkeypatch.context() as patch:
        patch.setattr(logbook, "write_whole", full)
        for _ in range(3):
            assert "No space left on device" in record(NAMES[0], 1, 10, [])
    assert noted.read_text() == "{"
    assert "unreadable-1.json" in record(NAMES[0], 1, 10, [])
    assert len(list(noted.parent.glob("progress.unreadable-*"))) == 1


def test_where_a_disk_knows_no_second_names_the_file_gets_another(noted, monkeypatch):
    def unknown(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", unknown)
    noted.write_text("{")
    before = reached()
    assert "unreadable-1.json" in record(NAMES[7], 1, 10, [])
    assert (noted.parent / "progress.unreadable-1.json").read_text() == "{"
    assert reached() == before | {NAMES[7]: 1}


def test_what_another_release_kept_beside_the_entries_stays(noted):
    content = json.loads(noted.read_text()) | {"theme": "dark"}
    noted.write_text(json.dumps(content))
    record(NAMES[7], 1, 10, [])
    assert json.loads(noted.read_text())["theme"] == "dark"


def test_a_folder_in_its_place_is_left_alone(file):
    file.mkdir()
    assert "is not a file" in record(NAMES[0], 1, 10, [])
    assert "is not a file" in progress().note
    assert file.is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="makes a socket file")
def test_a_device_in_its_place_is_not_replaced_by_a_file(file, monkeypatch):
    """NORMLAB_PROGRESS=/dev/null, as root: a socket stands in for the device."""
    monkeypatch.chdir(file.parent)
    with socket.socket(socket.AF_UNIX) as device:
        device.bind(file.name)
        assert "is not a file" in record(NAMES[0], 1, 10, [])
        assert file.is_socket()


# ---- links, and which file it is


@pytest.mark.skipif(sys.platform == "win32", reason="makes a symbolic link")
def test_a_link_stays_a_link_and_what_it_leads_to_is_kept(file, tmp_path):
    synced = tmp_path / "synced" / "progress.json"
    file.symlink_to(synced)  # it leads nowhere yet
    record(NAMES[0], 3, 10, [])
    record(NAMES[1], 4, 10, [])
    assert file.is_symlink()
    assert set(json.loads(synced.read_text())["exercises"]) == set(NAMES[:2])


def test_the_command_says_which_file_it_read(noted, monkeypatch):
    def last_line():
        return CliRunner().invoke(normlab, ["progress"]).output.splitlines()[-1]

    assert last_line() == f"Read from {noted}"
    noted.write_text("{")
    output = CliRunner().invoke(normlab, ["progress"]).output
    assert "is half-written or damaged: this is what could be read." in output
    noted.unlink()
    assert last_line() == f"There is no {noted} yet; the first check makes it."
    monkeypatch.setenv("NORMLAB_PROGRESS", "")
    assert last_line() == "No file of progress is kept, as NORMLAB_PROGRESS says."
