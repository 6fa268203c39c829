"""Folders of processes that were killed are deleted at the next start, and no others."""

import os
import py_compile
import signal
import subprocess
import sys
import tempfile

import pytest

from normlab.grading.prison import view
from normlab.grading.prison.leftovers import make_folder, remove_leftovers

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the system tidies up")

MAKES_A_VIEW = """
import sys, time
from normlab.grading.prison.view import make_view
print(make_view(False).folder, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Let temporary folders be made in a folder of our own, here and in other processes."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def gone():
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_a_killed_process_leaves_is_deleted_at_the_next_start(place):
    process = subprocess.Popen(
        [sys.executable, "-c", MAKES_A_VIEW], stdout=subprocess.PIPE, encoding="utf-8"
    )
    left = process.stdout.readline().strip()
    made = view.make_view(False)
    assert os.path.isdir(left), "it was deleted while its process was alive"
    made.remove()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert os.path.isdir(left)
    made = view.make_view(False)
    assert names(place) == [made.folder.name]


def test_of_the_dead_only_our_own_folders_are_deleted(place, gone):
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("x")
    kept = {
        "elsewhere",
        f"normlab-view-{os.getpid()}-alive",
        f"normlab-view-{gone}-file",
        f"normlab-view-{gone}-link",
        f"normlab-views-{gone}-other",
        f"normlab-view-{gone}",
        "normlab-view-99999999999999999999999-long",
        "normlab-view-0-group",
        f"other-view-{gone}-x",
    }
    (place / f"normlab-view-{gone}-file").write_text("x")
    (place / f"normlab-view-{gone}-link").symlink_to(elsewhere)
    for name in kept:
        if not (place / name).exists():
            (place / name).mkdir()
    for kind in ("view", "inbox", "scratch"):
        folder = place / f"normlab-{kind}-{gone}-gone"
        folder.mkdir()
        (folder / "link").symlink_to(elsewhere)
        (folder / "file").write_text("x")
    remove_leftovers()
    assert set(names(place)) == kept
    assert names(elsewhere) == ["kept"]


def nest(folder, depth):
    """Make folders in one another, deeper than any path can say."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


@pytest.mark.parametrize("depth", [1500, 5000])
def test_folders_in_one_another_are_deleted_however_many(place, gone, depth):
    try:
        for number in range(2):
            folder = place / f"normlab-scratch-{gone}-{number}"
            folder.mkdir()
            nest(folder, depth)
        remove_leftovers()
        assert names(place) == []
    finally:  # pytest cannot
        subprocess.run(["rm", "-rf", place], check=True)


def test_what_cannot_be_deleted_stops_nobody(place, gone, monkeypatch):
    (place / f"normlab-view-{gone}-a").mkdir()
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: None)
    assert make_folder("view").is_dir()
    monkeypatch.setattr(os, "scandir", lambda *_: (_ for _ in ()).throw(PermissionError(13, "no")))
    assert make_folder("view").is_dir()


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give away")
def test_another_users_folders_are_left(place, gone):
    folder = place / f"normlab-view-{gone}-theirs"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    remove_leftovers()
    assert folder.exists()


def test_a_folder_is_for_its_owner_alone(place):
    assert make_folder("inbox").stat().st_mode & 0o777 == 0o700


def test_a_view_brings_what_is_compiled_along(place):
    """Compiling takes each warm process longer than all else that is ours."""
    source = view._PACKAGE / "grading" / "prison" / "wire.py"
    py_compile.compile(str(source), doraise=True)
    made = view.make_view(False)
    command = [sys.executable, "-v", "-B", *view.boot("child")[:-1]]
    program = view.boot("child")[-1].rpartition("\n")[0]
    done = subprocess.run(
        [*command, program, str(made.folder)], capture_output=True, text=True, check=True
    )
    assert any("matches" in line and "wire.py" in line for line in done.stderr.splitlines())
    made.remove()
