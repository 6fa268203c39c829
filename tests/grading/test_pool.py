"""Many submissions, a few processes: none is left out, whatever becomes of a process."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import numpy as np
import psutil
import pytest

from normlab.grading import GraderFailed, Status
from normlab.grading.class_ import ClassError, pool
from normlab.grading.class_.pool import Settings, grade_all
from normlab.grading.class_.submissions import find_submissions
from normlab.grading.prison.limits import GRADER_MEMORY

pytestmark = pytest.mark.usefixtures("stand_in")

SETTINGS = Settings(seed=7, timeout=30)


@pytest.fixture
def grade():
    """Return a function that grades a folder; it gives what came of each student."""

    def run(folder, jobs=1, settings=SETTINGS):
        submissions = find_submissions(folder).submissions
        graded = list(grade_all(submissions, settings, jobs))
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
    monkeypatch.setattr(pool, "Pool", None)
    assert list(grade_all([], SETTINGS, 0)) == []


def test_the_seed_is_the_settings(tmp_path, a_class, grade):
    folder = a_class(tmp_path)
    assert scores(grade(folder)) != scores(grade(folder, settings=Settings(seed=8)))


def test_what_cannot_be_read_says_why_and_what_changed_is_noticed(tmp_path, a_class):
    """The digest is that of the very bytes that were graded."""
    folder = a_class(tmp_path, students=3)
    (folder / "eve").mkdir()
    (folder / "eve" / "02_batch_norm_forward.ipynb").symlink_to("/etc/passwd")
    found = {one.student: one for one in find_submissions(folder).of_exercises(["02"]).submissions}
    found["student00"].path.unlink()
    found["student01"].path.write_text("{}")
    graded = {one.submission.student: one for one in grade_all(found.values(), SETTINGS, 1)}
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
    assert "terminated abruptly" in given_up.failure
    assert [one.failure for one in graded.values()].count("") == len(graded) - 1
    by_student = statuses(graded)
    del by_student["mallory"]
    assert set.union(*by_student.values()) == {Status.GRADED}
    assert children() == []


def test_a_process_that_hangs_is_ended(tmp_path, a_class, grade, write_notebook, monkeypatch):
    monkeypatch.setattr(pool, "_PATIENCE", 1.0)
    folder = a_class(tmp_path, students=2)
    write_notebook(folder / "eve" / "02_batch_norm_forward.ipynb", "hang")
    graded = grade(folder, settings=Settings(seed=7, timeout=0.1))
    assert statuses(graded)["eve"] == {Status.FAILED}
    assert statuses(graded)["student00"] == {Status.GRADED}


@pytest.mark.parametrize(
    ("word", "said"), [("fail", "no sandbox could be had"), ("no memory", "MemoryError")]
)
def test_what_the_grader_fails_on_is_nobodys_verdict(
    tmp_path, a_class, grade, write_notebook, word, said
):
    folder = a_class(tmp_path, students=2)
    write_notebook(folder / "eve" / "02_batch_norm_forward.ipynb", word)
    graded = grade(folder)
    eve = graded.pop(("eve", "02_batch_norm_forward"))
    assert (eve.failure, eve.submission.digest) == (said, "")
    assert {one.failure for one in graded.values()} == {""}


def test_what_it_fails_on_is_listed_not_stored_and_tried_again(
    tmp_path, a_class, write_notebook, normlab_command
):
    folder, out = a_class(tmp_path / "all", students=2), tmp_path / "out"
    write_notebook(folder / "eve" / "02_batch_norm_forward.ipynb", "fail")
    for run in (1, 2):
        result = normlab_command("grade", folder, "-o", out, "--jobs", 1)
        assert result.exit_code == 0, result.output
        assert "eve, 02_batch_norm_forward: the grader failed, not the student" in result.output
        assert (
            f"{3 if run == 1 else 0} graded now, {0 if run == 1 else 3} unchanged" in result.output
        )
        grades = (out / "grades.csv").read_text()
        assert "failed" not in grades
        assert "the grader failed" in (out / "index.html").read_text()
    write_notebook(folder / "eve" / "02_batch_norm_forward.ipynb", "be right")
    assert "1 graded now, 3 unchanged" in normlab_command("grade", folder, "-o", out).output


def test_a_grading_process_has_a_limit_of_memory(tmp_path, a_class, monkeypatch):
    """What it reads comes from strangers; and a limit that is met is nobody's verdict."""
    if sys.platform != "linux":
        pytest.skip("the limit is Linux's")

    class Greedy:
        def grade_content(self, content, exercise):
            np.ones(2 * GRADER_MEMORY // 8)  # it may give back what it was forked with

        def close(self):
            pass

    monkeypatch.setattr(pool, "open_grader", lambda settings: (Greedy(), ""))
    submissions = find_submissions(a_class(tmp_path, students=1)).submissions
    (graded,) = grade_all(submissions, SETTINGS, 1)
    assert "Unable to allocate" in graded.failure


def test_where_no_watch_can_begin_nothing_is_graded(monkeypatch):
    def refuse(**_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(pool, "_HERE", threading.local())
    monkeypatch.setattr(pool.threading, "Thread", refuse)
    monkeypatch.setattr(pool, "open_grader", lambda settings: pytest.fail("it goes on unwatched"))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="new thread"):
            pool.grade_one(b"", "02_batch_norm_forward", SETTINGS)


def test_no_thread_is_begun_for_a_submission(tmp_path, a_class, monkeypatch):
    """A thread needs memory to begin, and by then there is a limit, which may be near."""

    class Telling:
        def grade_content(self, content, exercise):
            raise GraderFailed(" ".join(sorted(one.name for one in threading.enumerate())))

        def close(self):
            pass

    monkeypatch.setattr(pool, "open_grader", lambda settings: (Telling(), ""))
    submissions = find_submissions(a_class(tmp_path, students=3)).submissions
    assert len({one.failure for one in grade_all(submissions, SETTINGS, 1)}) == 1


def test_who_grades_may_have_more_memory_than_that_itself(tmp_path, a_class):
    """A fork over its limit cannot begin a thread, and would wait for it for ever."""
    held = np.empty(GRADER_MEMORY // 8 + 1)
    submissions = find_submissions(a_class(tmp_path, students=1)).submissions
    (graded,) = grade_all(submissions, SETTINGS, 1)
    assert not graded.failure
    del held


def test_where_nothing_isolates_nothing_is_graded(tmp_path, a_class):
    submissions = find_submissions(a_class(tmp_path)).submissions
    with pytest.raises(ClassError, match="keeps anybody in place"):
        list(grade_all(submissions, Settings(seed=7, timeout=0.5), 1))
    wait_until(lambda: children() == [])


def test_where_the_temporary_folder_is_full_it_says_so_in_one_line(
    tmp_path, a_class, normlab_command, monkeypatch
):
    def full(settings):
        raise OSError(28, "No space left on device", "/tmp/normlab-view")

    monkeypatch.setattr(pool, "open_grader", full)
    result = normlab_command("grade", a_class(tmp_path / "all"), "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "full, or cannot be written to ([Errno 28] No space left on device" in result.output
    assert "the same command goes on" in result.output
    assert isinstance(result.exception, SystemExit)


def test_whoever_stops_listening_ends_the_processes(tmp_path, a_class, write_notebook, monkeypatch):
    """At once, whatever they are doing."""
    monkeypatch.setattr(pool, "_WORTH_A_PROCESS", 1)
    folder = a_class(tmp_path, students=3)
    write_notebook(folder / "a" / "02_batch_norm_forward.ipynb", "hang")
    results = grade_all(find_submissions(folder).submissions, SETTINGS, 2)
    next(results)
    results.close()
    wait_until(lambda: children() == [])


@pytest.mark.parametrize(("worth", "started"), [(10, 1), (2, 3)])
def test_a_small_class_needs_one_process(worth, started, tmp_path, a_class, monkeypatch):
    processes = []

    class Counted(pool.Pool):
        def __init__(self, number):
            processes.append(number)
            super().__init__(number)

    monkeypatch.setattr(pool, "Pool", Counted)
    monkeypatch.setattr(pool, "_WORTH_A_PROCESS", worth)
    submissions = find_submissions(a_class(tmp_path, students=5)).submissions
    graded = list(grade_all(submissions, SETTINGS, 3))
    assert len(graded) == len(submissions) == 8
    assert processes == [started]


KILLED = """
import sys
from pathlib import Path
from normlab.grading.class_.pool import Settings, grade_all
from normlab.grading.class_.submissions import find_submissions
submissions = find_submissions(Path(sys.argv[1])).submissions
for graded in grade_all(submissions, Settings(seed=7), 2):
    print(graded.submission.student, flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="submissions are isolated on Linux alone")
def test_the_processes_end_at_once_when_whoever_started_them_is_killed(
    tmp_path, a_class, write_notebook, monkeypatch
):
    """Whatever the submission at hand does; and nothing of theirs is left."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    folder = a_class(tmp_path / "all", students=16)
    for number in range(2, 10):
        name = folder / f"student{number:02d}" / "02_batch_norm_forward.ipynb"
        write_notebook(name, "import time\ntime.sleep(15)")
    run = subprocess.Popen([sys.executable, "-c", KILLED, folder], stdout=subprocess.PIPE)
    run.stdout.readline()
    time.sleep(1)
    family = psutil.Process(run.pid).children(recursive=True)
    assert len(family) > 4  # two graders, two warm processes, and their children
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    wait_until(lambda: not any(map(lives, family)), seconds=3)
    assert list(tmp_path.glob("normlab-*")) == []


def lives(process):
    try:
        return process.is_running() and process.status() != "zombie"
    except psutil.NoSuchProcess:
        return False


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
