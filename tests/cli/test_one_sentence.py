"""One sentence, never a traceback, wherever the machine does not do what it should."""

import os
import subprocess
import sys

import pytest

RUN = [sys.executable, "-m", "normlab"]
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full and /proc")


def normlab(*arguments, python=RUN, **options):
    return subprocess.run(
        [*python, *arguments],
        text=True,
        check=False,
        timeout=120,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options,
    )


def assert_one_sentence(done, *parts):
    assert done.returncode == 1, done
    assert done.stderr.startswith("normlab: "), done.stderr
    assert done.stderr.count("\n") == 1
    for part in parts:
        assert part in done.stderr


@linux
@pytest.mark.parametrize("command", [["progress"], ["--help"], ["completion", "bash"]])
def test_a_full_disk_behind_the_output(command):
    with open("/dev/full", "w") as full:
        done = normlab(*command, stdout=full)
    assert_one_sentence(done, "No space left on device")


@linux
def test_where_nobody_can_be_told_it_ends_all_the_same():
    with open("/dev/full", "w") as full:
        assert normlab("progress", stdout=full, stderr=full).returncode == 1


@linux
@pytest.mark.parametrize("folder", ["/proc/recorded", "/dev/null/recorded"])
def test_a_folder_that_cannot_be_made(folder):
    done = normlab("experiment", "learning_rates", "--into", folder)
    assert_one_sentence(done, f"{folder}: ")


@pytest.fixture
def deleted(tmp_path):
    """Return a command line that runs normlab in a folder which is not there any more."""
    program = (
        "import os, sys, tempfile\n"
        "folder = tempfile.mkdtemp(); os.chdir(folder); os.rmdir(folder)\n"
        "from normlab.cli.main import main; main()"
    )
    return [sys.executable, "-c", program]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a folder that one is in")
@pytest.mark.parametrize("command", ["lab", "update"])
def test_a_deleted_folder(deleted, command):
    done = normlab(command, python=deleted)
    assert_one_sentence(
        done, "The folder you are in was deleted. Change into the one of the course"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a folder that one is in")
def test_progress_in_a_deleted_folder(deleted):
    environment = {name: value for name, value in os.environ.items() if name != "NORMLAB_PROGRESS"}
    done = normlab("progress", python=deleted, env=environment)
    assert done.returncode == 0
    assert "Your progress file cannot be read (No such file or directory)" in done.stdout
    assert "NORMLAB_PROGRESS" not in done.stdout


@linux
@pytest.mark.parametrize("home", ["/dev/null/home", "/proc/home"])
def test_a_home_that_cannot_be_written(tmp_path, home):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "00_start_here.ipynb").write_text("{}")
    outside = {"JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"}
    environment = {name: value for name, value in os.environ.items() if name not in outside}
    done = normlab("lab", "--no-browser", cwd=tmp_path, env=environment | {"HOME": home})
    assert_one_sentence(done, "JupyterLab cannot start: ", home, "let HOME name another folder")


def test_help_is_there_without_docstrings():
    """`python -OO` forgets them, and the help with them."""
    optimized = [sys.executable, "-OO", "-m", "normlab"]
    for command in ([], ["lab"], ["grade"]):
        page = normlab(*command, "--help").stdout
        assert "Examples:" in page
        assert normlab(*command, "--help", python=optimized).stdout == page
