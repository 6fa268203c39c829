"""``normlab lab`` without a browser: what it prints, what it serves, what it leaves alone.

``tests/browser`` looks at the same through Chromium.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import webbrowser
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from normlab.cli import lab
from normlab.cli.jupyter.contents import WORKSHOP, hidden

ROOT = Path(__file__).parents[2]
NORMLAB = "from normlab.cli.main import main; main()"
START_TIMEOUT = 120  # seconds; JupyterLab takes three on a free machine


# Finding the course


@pytest.fixture
def course(tmp_path):
    """Make a folder with a first lesson, and with names that JupyterLab should hide or show."""
    folder = tmp_path / "course"
    (folder / "notebooks").mkdir(parents=True)
    write_notebook(folder / lab.FIRST_LESSON, "python")
    write_notebook(folder / "mine.ipynb", "R")
    for name in ("exercises/tests", "tests", "normlab", "solutions", "mine", "__pycache__"):
        (folder / name).mkdir(parents=True)
    (folder / "source").mkdir()
    for name in ("README.md", "Makefile", "mine.py", "source/build.py"):
        (folder / name).touch()
    return folder


def write_notebook(path, language, cells=0):
    notebook = {
        "cells": [
            {"cell_type": "markdown", "id": str(index), "metadata": {}, "source": "A line."}
            for index in range(cells)
        ],
        "metadata": {"language_info": {"name": language}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(notebook))


@pytest.mark.parametrize("start", [".", "notebooks", "exercises/tests"])
def test_it_finds_the_course_from_within(course, start):
    assert lab.find_course((course / start).resolve()) == course


def test_elsewhere_it_takes_the_checkout_of_the_package(course, tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "_CHECKOUT", course)
    assert lab.find_course(tmp_path) == course


def test_the_checkout_is_the_folder_above_the_package():
    assert (lab._CHECKOUT / "normlab" / "cli" / "lab.py").is_file()


def test_where_there_is_no_course_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "_CHECKOUT", tmp_path)
    with pytest.raises(click.ClickException) as caught:
        lab.find_course(tmp_path)
    assert str(tmp_path) in caught.value.message
    assert "Change into the folder that you cloned" in caught.value.message
    assert "\n" not in caught.value.message


# Copying the course that a wheel carries. tests/test_packaging.py does it with a real wheel.


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """Let the package carry a small course."""
    folder = tmp_path / "site-packages" / "normlab" / "course"
    for name in (lab.FIRST_LESSON, "notebooks/01.ipynb", "exercises/01.ipynb"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"the package's {name}")
    monkeypatch.setattr(lab, "_PACKED", folder)
    return folder


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def test_an_empty_folder_gets_the_course(packed, home, capsys):
    assert lab.bring_course(home) == home
    ours = {path.relative_to(packed): text for path, text in files_below(packed).items()}
    assert {path.relative_to(home): text for path, text in files_below(home).items()} == ours
    assert capsys.readouterr().out == f"Copied the course to {home}: 3 notebooks.\n"


def test_a_later_start_keeps_what_is_there_and_adds_what_is_missing(packed, home, capsys):
    lab.bring_course(home)
    (home / "exercises" / "01.ipynb").write_text("my work")
    (home / "notebooks" / "01.ipynb").unlink()
    (home / "notebooks" / "mine.ipynb").write_text("mine")
    capsys.readouterr()

    assert lab.bring_course(home / "exercises") == home
    missing = Path("notebooks", "01.ipynb")
    assert capsys.readouterr().out == f"Added what was missing in {home}: {missing}\n"
    assert (home / missing).read_bytes() == (packed / missing).read_bytes()
    assert (home / "exercises" / "01.ipynb").read_text() == "my work"
    assert (home / "notebooks" / "mine.ipynb").read_text() == "mine"

    assert lab.bring_course(home) == home
    assert capsys.readouterr().out == ""


def test_files_that_were_there_before_the_course_are_kept(packed, home):
    (home / "exercises").mkdir()
    (home / "exercises" / "01.ipynb").write_text("mine")
    lab.bring_course(home)
    assert (home / "exercises" / "01.ipynb").read_text() == "mine"
    assert lab.is_course(home)


def test_a_copied_lesson_can_be_written_where_the_packages_cannot(packed, home):
    (packed / lab.FIRST_LESSON).chmod(0o444)
    lab.bring_course(home)
    assert (home / lab.FIRST_LESSON).stat().st_mode & 0o200


def test_a_clone_and_a_bundle_are_left_as_they_are(packed, course, capsys):
    (course / "normlab" / "__init__.py").touch()
    before = files_below(course)
    assert lab.bring_course(course) == course
    assert files_below(course) == before
    assert capsys.readouterr().out == ""


def test_an_editable_install_copies_nothing(course, home, monkeypatch):
    monkeypatch.setattr(lab, "_CHECKOUT", course)
    assert not lab._PACKED.exists()
    assert lab.bring_course(home) == course
    assert not files_below(home)


def test_half_a_notebook_is_not_left_behind(packed, home, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("normlab.files.os.fsync", interrupted)  # all is written, and not in place
        with pytest.raises(KeyboardInterrupt):
            lab.bring_course(home)
    assert not files_below(home)
    assert lab.bring_course(home) == home
    assert len(files_below(home)) == 3


def test_where_the_course_cannot_be_copied_it_says_what_to_do(packed, home):
    (home / "exercises").touch()  # a file stands where the folder has to go
    with pytest.raises(click.ClickException, match="Change into an empty folder") as caught:
        lab.bring_course(home)
    assert str(home / "exercises") in caught.value.message
    assert "\n" not in caught.value.message


def test_a_folder_that_cannot_be_written_is_refused(course):
    (course / ".normlab").touch()  # a file stands where the folder has to go
    with pytest.raises(click.ClickException, match="Copy the course to a folder of your own"):
        lab.make_workspaces(course)


# The environment


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("linux", {"BROWSER": "firefox"}, True),
        ("darwin", {}, True),
        ("win32", {}, True),
    ],
)
def test_a_browser_needs_a_window(platform, variables, expected, monkeypatch):
    for variable in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(webbrowser, "get", lambda: None)
    assert lab.has_a_window() is expected


def test_without_any_browser_none_is_opened(monkeypatch):
    def none_found():
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "get", none_found)
    assert lab.has_a_window() is False


def test_folders_that_a_variable_lists_stay_behind_ours(monkeypatch, tmp_path):
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "theirs")
    lab.put_in_front("JUPYTER_CONFIG_PATH", tmp_path)
    assert os.environ["JUPYTER_CONFIG_PATH"].split(os.pathsep) == [str(tmp_path), "theirs"]
    monkeypatch.delenv("JUPYTER_CONFIG_PATH")
    lab.put_in_front("JUPYTER_CONFIG_PATH", tmp_path)
    assert os.environ["JUPYTER_CONFIG_PATH"] == str(tmp_path)


def test_all_that_stands_at_the_top_is_the_course_or_hidden():
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tracked.returncode:
        pytest.skip("needs git, and a clone: it goes by the list of tracked files")
    names = {line.split("/")[0] for line in tracked.stdout.splitlines()}
    seen = {name for name in names - WORKSHOP if not name.startswith(".")}
    assert seen <= {"README.md", "exercises", "notebooks"}, "add it to WORKSHOP, or to this test"


@pytest.mark.parametrize(
    ("marks", "left_out"),
    [
        ([], set()),
        (["normlab/__init__.py"], {"normlab", "LICENSE", "build"}),
        (["normlab/__init__.py", "source/build.py"], {"docs", "tests", "source", "build"}),
    ],
    ids=["a wheel's course", "a bundle", "a clone"],
)
def test_folders_of_a_learners_own_are_shown_outside_a_clone(tmp_path, marks, left_out):
    for mark in marks:
        (tmp_path / mark).parent.mkdir(exist_ok=True)
        (tmp_path / mark).touch()
    own = {"docs", "tests", "source", "benchmarks", "solutions", "dist", "build", "normlab"}
    if marks:
        own -= {"build", "normlab"}
    hidden_here = hidden(tmp_path)
    assert left_out <= hidden_here
    if len(marks) < 2:
        assert not own & hidden_here


# A real server


@contextlib.contextmanager
def serving(course, jupyter_home, *arguments):
    """Run ``normlab lab --no-browser`` in `course`; yield what it printed, and how to ask it."""
    import pty  # not on Windows

    output = jupyter_home / "output.txt"
    keyboard, terminal = pty.openpty()  # where it has a terminal, Jupyter's own Ctrl-C asks
    with output.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-c", NORMLAB, "lab", "--no-browser", *arguments],
            cwd=course,
            env=os.environ
            | {
                "JUPYTER_CONFIG_DIR": str(jupyter_home / "config"),
                "JUPYTER_DATA_DIR": str(jupyter_home / "data"),
                "IPYTHONDIR": str(jupyter_home / "ipython"),
            },
            stdin=terminal,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while "Ctrl-C" not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.1)
        address, token = re.search(r"(http\S+)\?token=(\S+)", output.read_text()).groups()
        yield SimpleNamespace(process=process, output=output, address=address, token=token)
    finally:
        process.terminate()
        process.wait(60)
        os.close(terminal)
        os.close(keyboard)


def ask(server, path):
    """GET a path of the server: the status, and the text of the answer."""
    request = urllib.request.Request(
        server.address.split("/lab/")[0] + path, headers={"Authorization": f"token {server.token}"}
    )
    # No proxy: the server is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def files_below(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


LEARNERS_OWN = {
    "jupyter_server_config.json": {
        "ServerApp": {"jpserver_extensions": {"nbgrader.server_extensions.formgrader": True}}
    },
    "labconfig/page_config.json": {
        "disabledExtensions": {"@jupyter/nbgrader": False, "@jupyterlab/help-extension": True}
    },
    "lab/workspaces/default-37a8.jupyterlab-workspace": {
        "data": {},
        "metadata": {"id": "default"},
    },
}


@pytest.mark.skipif(sys.platform == "win32", reason="a test cannot press Ctrl-C on Windows")
def test_a_whole_session(course, tmp_path):
    """Start once and look at everything: a start takes seconds."""
    own = tmp_path / "jupyter" / "config"
    for name, settings in LEARNERS_OWN.items():
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_text(json.dumps(settings))
    # Jupyter writes this mark itself, in any first run.
    (own / "migrated").touch()
    before = files_below(own)

    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with serving(course, tmp_path / "jupyter", "--port", str(port)) as server:
            printed = server.output.read_text()
            assert f"Port {port} is not free, so this is port" in printed
            assert f":{port}/" not in server.address
            assert server.address.endswith("/lab/tree/notebooks/00_start_here.ipynb")

            assert_only_the_course_is_listed(server)
            assert_extensions_are_off(server)
            assert_a_lesson_knows_its_python(server)
            assert "max-width" in ask(server, "/custom/custom.css")[1]
            assert 'href="/custom/custom.css"' in ask(server, "/lab")[1]

            with asking_all_the_time(server, course):
                server.process.send_signal(signal.SIGINT)
                assert server.process.wait(30) == 0
            assert server.output.read_text() == printed + "JupyterLab has stopped.\n"

    assert files_below(own) == before
    assert (course / ".normlab" / "jupyterlab").is_dir()


@contextlib.contextmanager
def asking_all_the_time(server, course):
    """Keep the server at work on a file that takes a while to read."""
    write_notebook(course / "mine" / "long.ipynb", "python", cells=5000)
    done = threading.Event()

    def ask_until_done():
        while not done.is_set():
            with contextlib.suppress(OSError):  # the server has gone
                ask(server, "/api/contents/mine/long.ipynb")

    threads = [threading.Thread(target=ask_until_done) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


def assert_only_the_course_is_listed(server):
    def listed(path):
        return {entry["name"] for entry in json.loads(ask(server, path)[1])["content"]}

    top = {"README.md", "exercises", "notebooks", "mine", "mine.py", "mine.ipynb"}
    assert listed("/api/contents") == top
    assert listed("/api/contents/") == top
    assert listed("/api/contents/exercises") == {"tests"}
    # Left out of the list, and yet there for who knows the address.
    assert ask(server, "/api/contents/solutions")[0] == 200


def assert_extensions_are_off(server):
    page = ask(server, "/lab")[1]
    config = json.loads(re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.S)[1])
    assert set(config["disabledExtensions"]) >= {
        "@jupyter-notebook/lab-extension",
        "@jupyter/nbgrader",
        "@jupyterlab/apputils-extension:announcements",
        "@jupyterlab/extensionmanager-extension",
        "jupyterlab-jupytext",
        # The learner's own choice stays.
        "@jupyterlab/help-extension",
    }
    for path in ("/formgrader", "/assignments", "/tree", "/nbgrader_version"):
        assert ask(server, path)[0] == 404, path
    # jupytext would make a notebook of it.
    assert json.loads(ask(server, "/api/contents/mine.py?content=0")[1])["type"] == "file"


def assert_a_lesson_knows_its_python(server):
    def language(path):
        notebook = json.loads(ask(server, f"/api/contents/{path}")[1])["content"]
        return notebook["metadata"]["language_info"]

    assert language(lab.FIRST_LESSON)["version"] == sys.version.split()[0]
    assert language("mine.ipynb") == {"name": "R"}
