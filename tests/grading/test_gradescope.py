"""An autograder for Gradescope: unpacked as Gradescope does it, and run in a container's place."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

from normlab.cli.main import normlab
from normlab.grading.class_.gradebook import Entry
from normlab.grading.class_.gradescope import results
from normlab.grading.judge.verdict import AspectVerdict, Status, TaskVerdict, Verdict

ROOT = Path(__file__).parents[2]
FORWARD = "02_batch_norm_forward"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the container is a Linux")
needs_root = pytest.mark.skipif(
    sys.platform == "linux" and (os.getuid() != 0 or not shutil.which("setpriv")),
    reason="root alone can play the container, with setpriv",
)

# A container forbids namespaces: root has no CAP_SYS_ADMIN there. Where this Python lies in root's
# own folder nobody else could run it, so that folder is shown without the rest of it.
CONTAINER = """
set -e
python="$(dirname "$(dirname "$(readlink -f "$1")")")"
case "$python" in
/root/*)
    mkdir -p "$NORMLAB_AUTOGRADER/keep"
    mount --bind "$python" "$NORMLAB_AUTOGRADER/keep"
    mount -t tmpfs -o mode=755 tmpfs /root
    mkdir -p "$python"
    mount --bind "$NORMLAB_AUTOGRADER/keep" "$python"
    umount "$NORMLAB_AUTOGRADER/keep"
    ;;
esac
exec setpriv --bounding-set -sys_admin --inh-caps -sys_admin "$NORMLAB_AUTOGRADER/run_autograder"
"""
# What a hostile hand-in does before it answers: the points of what works are in its output.
HOSTILE = f"""
import glob, os, socket
reached = []
def attempt(what, deed):
    try:
        deed()
    except Exception:
        return
    reached.append(what)
home = "HOME"
attempt("seed", lambda: open(home + "/source/autograder.json").read())
attempt("answers", lambda: open(home + "/source/normlab/tasks/batch_norm_forward.py").read())
attempt("hand-in", lambda: open(home + "/submission/{FORWARD}.ipynb").read())
attempt("results", lambda: open(home + "/results/results.json", "w").write('{{"score": 40}}'))
attempt("source", lambda: open(home + "/source/run_autograder", "w").write("exit"))
attempt("list", lambda: os.listdir(home + "/results"))
attempt("socket", socket.socket)
attempt("process", lambda: os.fork() or os._exit(0))
attempt("signal", lambda: os.kill(os.getppid(), 9))
attempt("root", lambda: os.setuid(0))
for path in glob.glob("/proc/*/environ") + glob.glob("/proc/*/mem"):
    attempt("look into " + path, lambda: open(path, "rb").read(1))
def batch_norm_forward(x, weight, bias, eps):
    raise ValueError("<" * 3 + ", ".join(reached) + ">" * 3)
"""


def notebook(path, *cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    made = [nbformat.v4.new_code_cell(cell) for cell in ("import numpy as np", *cells)]
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)


def right(path):
    shutil.copyfile(ROOT / "solutions" / f"{FORWARD}.ipynb", path)


def write_autograder(folder, rules=""):
    folder.mkdir(exist_ok=True)
    (folder / "course.toml").write_text(rules)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # where the course is
        if rules:
            patch.setattr("normlab.cli.autograder.here", lambda: folder)
            patch.setattr("normlab.cli.autograder.find_course", lambda _: ROOT)
        done = CliRunner().invoke(normlab, ["autograder", "02", str(folder / "a.zip")])
    assert done.exit_code == 0, done.output
    return folder / "a.zip", done.output


def unpacked(zipped, home):
    """Do what Gradescope does with a zip, but for setup.sh, which needs the network."""
    for name in ("source", "submission", "results", "venv/bin"):
        (home / name).mkdir(parents=True)
    subprocess.run(["unzip", "-q", str(zipped), "-d", str(home / "source")], check=True)
    shutil.copy(home / "source" / "run_autograder", home)
    python = home / "venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={home}/source exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return home


@pytest.fixture(scope="module")
def zipped(tmp_path_factory):
    return write_autograder(tmp_path_factory.mktemp("zip"))[0]


@pytest.fixture
def home(zipped):
    with tempfile.TemporaryDirectory() as folder:  # pytest closes its own again, from beside
        yield unpacked(zipped, Path(folder) / "autograder")


def run(home, *before):
    done = subprocess.run(
        [*before, str(home / "run_autograder")],
        env=os.environ | {"NORMLAB_AUTOGRADER": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    file = home / "results" / "results.json"
    return done, json.loads(file.read_text()) if file.exists() else None


def in_container(home):
    for folder in (home, *home.parents):  # a new folder is closed to other users
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o111)
    script = home / "container.sh"
    script.write_text(CONTAINER)
    command = ["unshare", "--mount", "sh", str(script), sys.executable]
    done = subprocess.run(
        command,
        env=os.environ | {"NORMLAB_AUTOGRADER": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    file = home / "results" / "results.json"
    return done, json.loads(file.read_text()) if file.exists() else None


WAYS = [pytest.param(run, id="sandbox"), pytest.param(in_container, id="nobody", marks=needs_root)]


# ---- the zip


def test_the_zip_has_what_gradescope_looks_for_at_its_top_and_no_solution(zipped):
    with zipfile.ZipFile(zipped) as archive:
        names = set(archive.namelist())
        for script in ("setup.sh", "run_autograder"):
            assert archive.getinfo(script).external_attr >> 16 & 0o111 == 0o111
            assert archive.read(script).startswith(b"#!/usr/bin/env bash\n")
        readme = archive.read("README.md").decode()
    assert {"pyproject.toml", "autograder.json", "normlab/grading/class_/gradescope.py"} <= names
    assert not [name for name in names if name.endswith(".ipynb") or name.startswith("source/")]
    assert "40 points" in " ".join(readme.split())


def test_each_zip_draws_cases_of_its_own(zipped, tmp_path):
    other, _ = write_autograder(tmp_path / "other")
    seeds = set()
    for path in (zipped, other):
        with zipfile.ZipFile(path) as archive:
            seeds.add(json.loads(archive.read("autograder.json"))["seed"])
    assert len(seeds) == 2


@pytest.mark.parametrize("script", ["setup.sh", "run_autograder"])
def test_bash_reads_the_scripts(home, script):
    subprocess.run(["bash", "-n", str(home / "source" / script)], check=True)


def test_it_overwrites_nothing_and_knows_its_exercises(zipped):
    for words in (["02", str(zipped)], ["99", "new.zip"]):
        done = CliRunner().invoke(normlab, ["autograder", *words])
        assert done.exit_code == 1
        assert "there already" in done.output or "no exercise '99'" in done.output
    assert not Path("new.zip").exists()


# ---- in the container


@pytest.mark.parametrize("way", WAYS)
def test_a_right_hand_in_gets_all_points_under_whatever_name(home, way):
    right(home / "submission" / "my work.ipynb")
    done, found = way(home)
    assert done.returncode == 0, done.stderr
    assert found["score"] == sum(test["max_score"] for test in found["tests"]) == 40
    assert {test["status"] for test in found["tests"]} == {"passed"}
    assert found["output"].startswith("Graded: submission/my work.ipynb.")
    assert "Isolation: " in done.stdout
    assert "autograder.json" not in done.stdout + json.dumps(found)


@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_hand_in_hears_its_mistake(home, way):
    notebook(
        home / "submission" / "deep" / f"{FORWARD}.ipynb",
        "def batch_norm_forward(x, weight, bias, eps):\n"
        "    return weight * (x - x.mean(0)) / (x.std(0) + eps) + bias",
    )
    done, found = way(home)
    assert done.returncode == 0, done.stderr
    assert 0 < found["score"] < 10
    told = "\n".join(test["output"] for test in found["tests"])
    assert "fix the eps" in told
    assert "Nothing in the notebook is called weighted_batch_norm" in told


@pytest.mark.parametrize("way", WAYS)
def test_a_hostile_hand_in_reaches_nothing_and_gets_nothing(home, way):
    notebook(home / "submission" / f"{FORWARD}.ipynb", HOSTILE.replace("HOME", str(home)))
    done, found = way(home)
    assert done.returncode == 0, done.stderr
    assert found["score"] == 0
    assert set(re.findall("<<<(.*?)>>>", json.dumps(found))) == {""}


@pytest.mark.parametrize("way", WAYS)
def test_an_endless_loop_and_an_empty_hand_in_have_results_too(home, way):
    notebook(
        home / "submission" / f"{FORWARD}.ipynb",
        "def batch_norm_forward(x, weight, bias, eps):\n    while True:\n        pass",
    )
    limits = home / "source" / "normlab" / "grading" / "prison" / "limits.py"
    text = limits.read_text()
    assert "call_seconds: float = 5.0" in text
    limits.write_text(text.replace("call_seconds: float = 5.0", "call_seconds: float = 1.0"))
    _, found = way(home)
    assert found["score"] == 0
    assert "Not judged: timeout (batch_norm_forward)" in found["output"]
    (home / "submission" / f"{FORWARD}.ipynb").unlink()
    _, found = way(home)
    assert found["score"] == 0
    assert "Nothing was handed in" in found["output"]
    assert [test["max_score"] for test in found["tests"]] == [10, 10, 10, 10]


@pytest.mark.parametrize("way", WAYS)
def test_a_folder_nested_deeper_than_python_can_follow_keeps_no_points_away(home, way):
    notebook(
        home / "submission" / f"{FORWARD}.ipynb",
        "import os\nfor _ in range(1200):\n    os.mkdir('d')\n    os.chdir('d')",
        "def batch_norm_forward(x, weight, bias, eps):\n"
        "    x_hat = (x - x.mean(0)) / np.sqrt(x.var(0) + eps)\n"
        "    return weight * x_hat + bias",
    )
    done, found = way(home)
    assert done.returncode == 0, done.stderr
    assert found["score"] == 10


@needs_root
def test_where_nothing_is_kept_closed_nothing_is_graded(home):
    """With the answers open to everybody, there must be no points by chance."""
    script = home / "run_autograder"
    lines = script.read_text().splitlines(keepends=True)
    script.write_text("".join(line for line in lines if not line.startswith("chmod")))
    right(home / "submission" / f"{FORWARD}.ipynb")
    done, found = in_container(home)
    assert done.returncode != 0
    assert "Nothing was graded: Submissions cannot be kept apart here" in done.stderr
    assert found is None


def test_points_and_tasks_left_out_are_those_of_the_course_file(tmp_path):
    rules = '[02]\npoints = {batch_norm_forward = 5}\nleave_out = ["linear_then_batch_norm"]\n'
    zipped, said = write_autograder(tmp_path / "zip", rules)
    assert "of 25 points" in said
    home = unpacked(zipped, tmp_path / "autograder")
    right(home / "submission" / f"{FORWARD}.ipynb")
    _, found = run(home)
    assert found["score"] == sum(test["max_score"] for test in found["tests"]) == 25
    assert "linear_then_batch_norm" not in json.dumps(found["tests"])


# ---- what Gradescope reads: https://gradescope-autograders.readthedocs.io/en/latest/specs/

KEYS = {
    *("score", "execution_time", "output", "visibility", "stdout_visibility", "extra_data"),
    *("tests", "leaderboard"),
}
KEYS_OF_A_TEST = {
    *("score", "max_score", "status", "name", "number", "output", "tags", "visibility"),
    "extra_data",
}


def test_results_have_the_keys_that_gradescope_knows():
    tasks = (
        TaskVerdict(
            "one", 3, 5, Status.GRADED, "", (AspectVerdict("first", 3, 5, False, "Why."),), "All."
        ),
        TaskVerdict("two", 0, 10, Status.TIMEOUT, "", (), "It went on."),
    )
    found = results(Entry("submission", FORWARD, Verdict(FORWARD, tasks, "Hm."), modified="x"))
    assert set(found) <= KEYS
    assert found["score"] == 3
    assert found["output"] == "Hm.\nNot judged: timeout (two)."
    assert found["stdout_visibility"] == "hidden"
    assert all(set(test) <= KEYS_OF_A_TEST for test in found["tests"])
    assert found["tests"] == [
        {
            "name": "one: first",
            "score": 3,
            "max_score": 5,
            "output": "Why.\nAll.",
            "status": "failed",
            "visibility": "visible",
        },
        {
            "name": "two",
            "score": 0,
            "max_score": 10,
            "output": "It went on.",
            "status": "failed",
            "visibility": "visible",
        },
    ]
    json.dumps(found)
