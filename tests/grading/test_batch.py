"""Many submissions, a few processes: none is left out, whatever becomes of a process."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter

import psutil
import pytest

from normlab.grading import Status, batch
from normlab.grading.batch import COMMAND, GradingError, Settings, grade_all
from normlab.grading.submissions import find_submissions

SETTINGS = Settings(seed=7, timeout=30)


@pytest.fixture
def grade(stand_in_command):
    """Return a function that grades a folder; it gives what came of each student."""

    def run(folder, jobs=1, settings=SETTINGS):
        submissions = find_submissions(folder).submissions
        graded = list(grade_all(submissions, settings, jobs, stand_in_command))
        assert Counter(one.submission.student for one in graded) == Counter(
            one.student for one in submissions
        )
        return {(one.submission.student, one.submission.exercise): one for one in graded}

    return run


def scores(graded):
    return {key: [task.score for task in one.verdict.tasks] for key, one in graded.items()}


def statuses(graded):
    return {key[0]: {task.status for task in one.verdict.tasks} for key, one in graded.items()}


# What other tests of the same process began and keep, such as joblib's workers.
OTHERS = set()


@pytest.fixture(autouse=True)
def _others():
    OTHERS.clear()
    OTHERS.update(psutil.Process().children(recursive=True))


def children():
    return [one for one in psutil.Process().children(recursive=True) if one not in OTHERS]


def test_all_are_graded_once_and_no_process_is_left(tmp_path, a_class, grade, write_notebook):
    folder = a_class(tmp_path)
    write_notebook(folder / "odd" / "02_batch_norm_forward.ipynb", "surrogate")
    graded = grade(folder, jobs=2)
    assert len(graded) == 11
    odd = graded["odd", "02_batch_norm_forward"].verdict
    assert odd.message == "print(half of a pair \udc80)"
    assert {one.isolation for one in graded.values()} == {"a stand-in\nthat isolates nothing"}
    assert children() == []


def test_nothing_to_grade_starts_nothing(monkeypatch):
    monkeypatch.setattr(batch, "GradingProcess", None)
    assert list(grade_all([], SETTINGS, 0)) == []


def test_the_seed_is_the_settings(tmp_path, a_class, grade):
    folder = a_class(tmp_path)
    assert scores(grade(folder)) != scores(grade(folder, settings=Settings(seed=8)))


def test_what_cannot_be_read_says_why_and_what_changed_is_noticed(
    tmp_path, a_class, stand_in_command
):
    """The digest is that of the very bytes that were graded."""
    folder = a_class(tmp_path, students=3)
    (folder / "eve").mkdir()
    (folder / "eve" / "02_batch_norm_forward.ipynb").symlink_to("/etc/passwd")
    found = {one.student: one for one in find_submissions(folder).of_exercises(["02"]).submissions}
    found["student00"].path.unlink()
    found["student01"].path.write_text("{}")
    graded = {
        one.submission.student: one
        for one in grade_all(found.values(), SETTINGS, 1, stand_in_command)
    }
    by_student = {name: {t.status for t in one.verdict.tasks} for name, one in graded.items()}
    assert by_student == {
        "eve": {Status.UNREADABLE},
        "student00": {Status.UNREADABLE},
        "student01": {Status.GRADED},
        "student02": {Status.GRADED},
    }
    assert "symbolic link" in graded["eve"].verdict.message
    assert "No such file" in graded["student00"].verdict.message
    again = find_submissions(folder).of_exercises(["02"]).submissions
    now = {one.student: one.digest for one in again}
    assert graded["student01"].submission.digest == now["student01"] != found["student01"].digest
    assert graded["student02"].submission == found["student02"]


def test_a_process_that_dies_is_renewed_and_tried_once_more(
    tmp_path, a_class, grade, write_notebook
):
    folder = a_class(tmp_path / "all", students=2)
    name = "02_batch_norm_forward.ipynb"
    write_notebook(folder / "mallory" / name, "die always")
    write_notebook(folder / "unlucky" / name, f"die once in {tmp_path / 'mark'}")
    graded = grade(folder)
    given_up = graded["mallory", "02_batch_norm_forward"]
    assert {task.status for task in given_up.verdict.tasks} == {Status.FAILED}
    assert given_up.submission.digest == ""
    assert "not you" in given_up.verdict.message
    by_student = statuses(graded)
    del by_student["mallory"]
    assert set.union(*by_student.values()) == {Status.GRADED}
    assert children() == []


def test_a_process_that_hangs_is_ended(tmp_path, a_class, grade, write_notebook, monkeypatch):
    monkeypatch.setattr(batch, "_PATIENCE", 1.0)
    folder = a_class(tmp_path, students=2)
    write_notebook(folder / "eve" / "02_batch_norm_forward.ipynb", "hang")
    graded = grade(folder, settings=Settings(seed=7, timeout=0.1))
    assert statuses(graded)["eve"] == {Status.FAILED}
    assert statuses(graded)["student00"] == {Status.GRADED}


def test_a_process_that_never_starts_ends_nothing_but_says_so(tmp_path, a_class):
    submissions = find_submissions(a_class(tmp_path, students=1)).submissions
    broken = (sys.executable, "-c", "import no_such_module")
    (graded,) = grade_all(submissions, SETTINGS, 1, broken)
    assert {task.status for task in graded.verdict.tasks} == {Status.FAILED}
    assert "No module named 'no_such_module'" in graded.verdict.message


def test_where_nothing_isolates_nothing_is_graded(tmp_path, a_class, stand_in_command):
    submissions = find_submissions(a_class(tmp_path)).submissions
    with pytest.raises(GradingError, match="keeps anybody in place"):
        list(grade_all(submissions, Settings(seed=7, timeout=0.5), 1, stand_in_command))
    wait_until(lambda: children() == [])


def test_whoever_stops_listening_ends_the_processes(
    tmp_path, a_class, write_notebook, stand_in_command
):
    """At once, whatever they are doing."""
    folder = a_class(tmp_path, students=3)
    write_notebook(folder / "a" / "02_batch_norm_forward.ipynb", "hang")
    results = grade_all(find_submissions(folder).submissions, SETTINGS, 2, stand_in_command)
    next(results)
    results.close()
    wait_until(lambda: children() == [])


def test_what_the_grader_prints_is_no_answer(tmp_path, a_class):
    """Nothing but `serve` writes on the pipe: a child that prints cannot answer in its place."""
    program = (
        "import contextlib, os\n"
        "from normlab.grading import batch\n"
        "from normlab.grading.gradebook import refused\n"
        "class Loud:\n"
        "    def grade(self, path, exercise):\n"
        "        print('{\"verdict\": 1}', flush=True)\n"
        "        os.system('echo printed; cat')\n"
        "        return refused(exercise, batch.Status.TIMEOUT)\n"
        "batch.serve(lambda settings: contextlib.nullcontext((Loud(), 'loud')))\n"
    )
    submissions = find_submissions(a_class(tmp_path, students=2)).submissions
    graded = list(grade_all(submissions, SETTINGS, 1, (sys.executable, "-c", program)))
    assert {t.status for one in graded for t in one.verdict.tasks} == {Status.TIMEOUT}


@pytest.mark.parametrize(("alone", "students", "started"), [(60.0, 5, 1), (0.0, 60, 2)])
def test_a_small_class_needs_one_process(
    alone, students, started, tmp_path, a_class, stand_in_command, monkeypatch
):
    processes = []

    class Counted(batch.GradingProcess):
        def __init__(self, *arguments):
            processes.append(self)
            super().__init__(*arguments)

    monkeypatch.setattr(batch, "GradingProcess", Counted)
    monkeypatch.setattr(batch, "_ALONE", alone)
    submissions = find_submissions(a_class(tmp_path, students=students)).submissions
    graded = list(grade_all(submissions, SETTINGS, 2, stand_in_command))
    assert len(graded) == len(submissions)
    assert len(processes) == started


KILLED = """
import sys
from pathlib import Path
from normlab.grading import batch
from normlab.grading.batch import Settings, grade_all
from normlab.grading.submissions import find_submissions
batch._ALONE = 0.0
submissions = find_submissions(Path(sys.argv[1])).submissions
for graded in grade_all(submissions, Settings(seed=7), 2, sys.argv[2:]):
    print(graded.submission.student, flush=True)
"""


def test_the_processes_end_when_whoever_started_them_is_killed(
    tmp_path, a_class, stand_in_command, monkeypatch
):
    """And they take their copies of the students' work with them."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    folder = a_class(tmp_path / "all", students=60)
    command = [sys.executable, "-c", KILLED, folder, *stand_in_command]
    run = subprocess.Popen(command, stdout=subprocess.PIPE)
    run.stdout.readline()
    wait_until(lambda: len(list(tmp_path.glob("normlab-*/submission.ipynb"))) == 2)
    workers = psutil.Process(run.pid).children(recursive=True)
    assert len(workers) == 2
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    wait_until(lambda: not any(worker.is_running() for worker in workers))
    assert list(tmp_path.glob("normlab-*")) == []


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_real_command_starts_with_this_python():
    assert COMMAND[0] == sys.executable
