"""Killed at any moment and run again, the gradebook is the one of a run that nobody disturbed.

``NORMLAB_KILLS=30 pytest tests/grading/test_kill.py`` kills at thirty moments of a run of forty
submissions, which takes minutes.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from normlab.grading import NoIsolation, best_isolation

ROOT = Path(__file__).parents[2]
NAME = "02_batch_norm_forward.ipynb"
MOMENTS = int(os.environ.get("NORMLAB_KILLS", "2"))
SUBMISSIONS = 16 if MOMENTS < 10 else 40
WRONG = {
    1: ("x.var(axis=0)", "x.var(axis=0, ddof=1)"),
    2: ("np.sqrt(var + eps)", "(np.sqrt(var) + eps)"),
    3: ("x - mean", "y - mean"),
    4: ("mean = x.mean(axis=0)", "__import__('os')._exit(1)"),
}


@pytest.fixture(scope="module")
def submissions(tmp_path_factory):
    """Submissions that are right, wrong in three ways, ending their process, and cut off."""
    folder = tmp_path_factory.mktemp("all")
    answers = (ROOT / "solutions" / NAME).read_text()
    for number in range(SUBMISSIONS):
        content = answers.replace(*WRONG.get(number % 8, ("", "")))
        content = content[: len(content) // 2] if number % 8 == 5 else content
        student = folder / f"student{number:02d}"
        student.mkdir()
        (student / NAME).write_text(content.replace("By hand", f"By hand, {number}"))
    return folder


def start(submissions, out, *options):
    command = [sys.executable, "-m", "normlab", "grade", submissions, "-o", out, "--jobs", "2"]
    return subprocess.Popen(
        [*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def finish(run):
    _, said = run.communicate()
    assert run.returncode == 0, said


def content(out):
    """Return all that a gradebook holds, but for the times and when they were taken."""
    db = sqlite3.connect(out / "gradebook.db")
    verdicts = db.execute(
        "SELECT student, exercise, digest, seed, version, isolation,"
        " json_remove(verdict, '$.cpu_seconds', '$.learner_cpu_seconds', '$.wall_seconds')"
        " FROM verdicts ORDER BY 1, 2"
    ).fetchall()
    others = [
        db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
        for table in ("settings", "submissions")
    ]
    # Every verdict once, and in the history what the gradebook holds.
    history = "SELECT student, exercise, digest, modified, file FROM history ORDER BY 1, 2"
    others.append(db.execute(history).fetchall())
    reports = [(out / "grades.csv").read_text()]
    reports += [path.read_text() for path in sorted((out / "feedback").iterdir())]
    return verdicts, others, reports


@pytest.fixture(scope="module")
def undisturbed(submissions, tmp_path_factory):
    try:
        best_isolation()
    except NoIsolation as refusal:
        pytest.skip(str(refusal))
    out = tmp_path_factory.mktemp("undisturbed")
    begin = time.monotonic()
    finish(start(submissions, out, "--seed", "11"))
    return content(out), time.monotonic() - begin


def test_the_run_that_nobody_disturbs_has_all_kinds_of_verdicts(undisturbed):
    grades = undisturbed[0][2][0]
    assert grades.count("\n") == 1 + 4 * SUBMISSIONS
    for status in (",graded,", ",failed,", ",unreadable,", ",graded,unbiased variance"):
        assert status in grades


@pytest.mark.parametrize(
    ("ending", "moment"), [*((signal.SIGKILL, n) for n in range(MOMENTS)), (signal.SIGINT, 0)]
)
def test_killed_and_run_again_it_ends_the_same(submissions, undisturbed, tmp_path, ending, moment):
    expected, seconds = undisturbed
    out = tmp_path / "out"
    run = start(submissions, out, "--seed", "11")
    chance = random.Random(moment)
    if moment % 2:  # any moment at all, and else one in the midst of the grading
        time.sleep(chance.uniform(0, seconds))
    else:
        wait_for_verdicts(run, out, chance.randint(1, SUBMISSIONS // 2))
        time.sleep(chance.uniform(0, 0.1))
    family = stop(run, ending)
    # The seed is that of the first run, where it had come so far.
    again = [] if (out / "gradebook.db").exists() and seed_of(out) else ["--seed", "11"]
    finish(start(submissions, out, *again))
    assert content(out) == expected
    deadline = time.monotonic() + 20
    while any(one.is_running() and one.status() != "zombie" for one in family):
        assert time.monotonic() < deadline, family
        time.sleep(0.05)


def test_after_ctrl_c_it_says_how_many_are_left(submissions, undisturbed, tmp_path):
    many = 5 * SUBMISSIONS  # so that on a busy machine too it comes in the midst of them
    for number in range(many):
        content = (submissions / f"student{number % SUBMISSIONS:02d}" / NAME).read_text()
        student = tmp_path / "many" / f"student{number:02d}"
        student.mkdir(parents=True)
        (student / NAME).write_text(content.replace("By hand", f"By hand, {number}"))
    run = start(tmp_path / "many", tmp_path / "out", "--jobs", "1")
    wait_for_verdicts(run, tmp_path / "out", 1)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate()
    db = sqlite3.connect(tmp_path / "out" / "gradebook.db")
    (graded,) = db.execute("SELECT count(*) FROM verdicts").fetchone()
    db.close()
    assert 1 <= graded < many
    assert f"\n{many - graded} are not graded yet" in f"\n{said}"
    assert run.returncode == 130


def wait_for_verdicts(run, out, number):
    while run.poll() is None:
        try:
            # Where the disk is slow, whoever asks for the lock waits until all are graded.
            db = sqlite3.connect(f"file:{out / 'gradebook.db'}?immutable=1", uri=True)
            (found,) = db.execute("SELECT count(*) FROM verdicts").fetchone()
            db.close()
        except sqlite3.DatabaseError:  # there is no file yet, or no table, or half of one
            found = 0
        if found >= number:
            return
        time.sleep(0.01)


def stop(run, ending):
    """End the run; return the processes that it had started."""
    try:
        family = psutil.Process(run.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    run.send_signal(ending)
    run.communicate()
    return family


def seed_of(out):
    db = sqlite3.connect(out / "gradebook.db")
    try:
        return db.execute("SELECT value FROM settings").fetchall()
    except sqlite3.OperationalError:  # killed before there was a table
        return []
    finally:
        db.close()
