"""The gradebook: what it keeps, and what it takes for done."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest

from normlab.exercises import finding, loading
from normlab.grading import Status
from normlab.grading.class_ import ClassError
from normlab.grading.class_.gradebook import Gradebook, Terms
from normlab.grading.class_.submissions import Submission
from normlab.grading.judge import made_with
from normlab.grading.judge.feedback import refused

TERMS = Terms(seed=7, version="1.0", timeout=60)
EXERCISE = "02_batch_norm_forward"


def submission(student="ann", digest="d1", exercise=EXERCISE):
    return Submission(student, exercise, path=None, digest=digest, modified="2026-11-20T10:00:00")


def verdict(status=Status.GRADED, score=0, message="", exercise=EXERCISE):
    given = refused(exercise, status, message)
    return replace(given, tasks=tuple(replace(task, score=score) for task in given.tasks))


@pytest.fixture
def gradebook(tmp_path):
    with Gradebook(tmp_path / "gradebook.db") as gradebook:
        yield gradebook


# ---- the seed


def test_a_seed_is_drawn_once_and_kept(tmp_path):
    seeds = set()
    for number in range(8):
        with Gradebook(tmp_path / f"{number}.db") as gradebook:
            seed = gradebook.choose_seed()
        with Gradebook(tmp_path / f"{number}.db") as gradebook:
            assert gradebook.choose_seed() == seed
        seeds.add(seed)
    assert len(seeds) == 8


def test_a_seed_that_is_given_is_kept(gradebook):
    gradebook.choose_seed()
    assert gradebook.choose_seed(12) == 12
    assert gradebook.choose_seed() == 12
    assert gradebook.choose_seed(0) == 0


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_cannot_be_is_refused(gradebook, seed):
    with pytest.raises(ClassError, match="whole number from 0"):
        gradebook.choose_seed(seed)


# ---- what needs grading


def test_only_what_changed_needs_grading(gradebook):
    one = submission()
    assert list(gradebook.needing([one], TERMS)) == [one]
    gradebook.record(one, verdict(), TERMS)
    assert list(gradebook.needing([one], TERMS)) == []
    late = submission("bob")
    assert list(gradebook.needing([one, late], TERMS)) == [late]
    for other in (replace(TERMS, seed=8), replace(TERMS, version="1.1")):
        assert list(gradebook.needing([one], other)) == [one]
    changed = replace(one, digest="d2")
    assert list(gradebook.needing([changed], TERMS)) == [changed]


def test_a_change_of_one_task_is_judged_again_and_no_other(gradebook, monkeypatch):
    """The version of normlab is the same; the digest of what is written of the task is not."""
    first, second = (
        submission("ann"),
        replace(submission("ann"), exercise="03_batch_norm_train_and_eval"),
    )
    for one in (first, second):
        gradebook.record(one, replace(verdict(), exercise=one.exercise), TERMS)
    today = made_with.tasks
    monkeypatch.setattr(
        made_with, "tasks", lambda name: today(name) + ("x" if "03" in name else "")
    )
    needing = list(gradebook.needing([first, second], TERMS))
    assert [one.exercise for one in needing] == ["03_batch_norm_train_and_eval"]


def test_one_letter_in_a_tasks_words_changes_its_digest_alone(monkeypatch, tmp_path):
    copy = tmp_path / "tasks"
    shutil.copytree(loading.TASKS, copy)
    words = copy / "standardize_kernels.toml"
    text = words.read_text(encoding="utf-8")
    names = ("09_rms_norm_and_relatives", "02_batch_norm_forward")
    before = [made_with.tasks(name) for name in names]
    words.write_text(text.replace("points = 5", "points = 4"), encoding="utf-8")
    monkeypatch.setattr(loading, "TASKS", copy)
    finding._of_the_course.cache_clear()
    after = [made_with.tasks(name) for name in names]
    monkeypatch.undo()
    finding._of_the_course.cache_clear()
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_a_change_of_the_engine_changes_all(monkeypatch, tmp_path):
    copy = tmp_path / "normlab"
    shutil.copytree(made_with._PACKAGE, copy, ignore=shutil.ignore_patterns("data", "*.pyc"))
    monkeypatch.setattr(made_with, "_PACKAGE", copy)

    def digests():
        made_with.engine.cache_clear()
        made_with.everything.cache_clear()
        return made_with.engine(), made_with.everything()

    first = digests()
    for name, judges in (("exercises/judgement.py", True), ("grading/class_/reports.py", False)):
        before = digests()
        path = copy / name
        path.write_text(path.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
        engine, everything = digests()
        assert (engine != before[0]) == judges
        assert everything != before[1]
    monkeypatch.undo()
    assert digests() == first


def test_another_timeout_matters_to_what_took_too_long(gradebook):
    quick, slow = submission("quick"), submission("slow")
    # Quoted from the learner's output, the words are no status.
    gradebook.record(quick, verdict(message='{"status": "timeout"}'), TERMS)
    gradebook.record(slow, verdict(Status.TIMEOUT), TERMS)
    assert list(gradebook.needing([quick, slow], TERMS)) == []
    assert list(gradebook.needing([quick, slow], replace(TERMS, timeout=90))) == [slow]


def test_a_failure_of_the_grader_is_tried_again(gradebook):
    one = submission()
    gradebook.note(["ann"], [one])
    gradebook.record(replace(one, digest=""), verdict(Status.FAILED), TERMS)
    assert list(gradebook.needing([one], TERMS)) == [one]
    assert gradebook.waiting() == [("ann", EXERCISE)]


# ---- what it tells


def test_entries_come_back_as_they_were_written(gradebook):
    given = verdict(score=3, message="a line\nand ünïcode")
    gradebook.note(["ann"], [submission()])
    gradebook.record(submission(), given, TERMS, "a box")
    (entry,) = gradebook.entries()
    assert entry.verdict == given
    assert (entry.student, entry.isolation, entry.modified) == (
        "ann",
        "a box",
        "2026-11-20T10:00:00",
    )


def test_half_a_pair_of_surrogates_is_stored_as_a_question_mark(gradebook):
    gradebook.note(["ann"], [submission()])
    gradebook.record(submission(), verdict(message="\udc80"), TERMS)
    assert next(gradebook.entries()).verdict.message == "?"


def test_what_a_student_did_not_hand_in_is_missing(gradebook):
    gradebook.note(["ann", "bob", "carl"], [submission("ann"), submission("bob")])
    gradebook.record(submission("ann"), verdict(), TERMS)
    gradebook.record(submission("bob"), verdict(), TERMS)
    entries = {entry.student: entry for entry in gradebook.entries()}
    assert list(entries) == ["ann", "bob", "carl"]
    assert {task.status for task in entries["carl"].verdict.tasks} == {Status.MISSING}
    assert len(entries["carl"].verdict.tasks) == 4
    assert not entries["carl"].has_score
    assert entries["ann"].has_score
    missing = entries["carl"].verdict
    assert missing.cpu_seconds == missing.learner_cpu_seconds == missing.wall_seconds == 0


def test_what_waits_for_its_verdict_is_not_missing(gradebook):
    gradebook.note(["ann"], [submission()])
    assert list(gradebook.entries()) == []
    assert gradebook.waiting() == [("ann", EXERCISE)]
    gradebook.record(submission(), verdict(), TERMS)
    assert gradebook.waiting() == []
    gradebook.note(["ann"], [submission(digest="d2")])
    assert gradebook.waiting() == [("ann", EXERCISE)]


def test_an_exercise_that_nobody_handed_in_is_nobodys(gradebook):
    gradebook.note(["ann"], [submission()])
    gradebook.record(submission(), verdict(), TERMS)
    assert {entry.exercise for entry in gradebook.entries()} == {EXERCISE}


def test_anyone_can_read_the_grades_with_sql(gradebook):
    gradebook.note(["ann"], [submission()])
    gradebook.record(submission(), verdict(Status.MEMORY, score=2), TERMS)
    rows = sqlite3.connect(gradebook.path).execute("SELECT * FROM grades").fetchall()
    assert rows[0] == ("ann", EXERCISE, "batch_norm_forward", 2, 10, "memory", "")
    assert len(rows) == 4


# ---- files that are no gradebook, and being killed


def test_a_file_of_something_else_is_left_alone(tmp_path):
    path = tmp_path / "gradebook.db"
    path.write_text("my shopping list, and nothing else " * 100)
    with pytest.raises(ClassError, match="cannot be used as a gradebook.*choose another"):
        Gradebook(path)
    assert path.read_text().startswith("my shopping")


def test_a_database_of_something_else_is_left_alone(tmp_path):
    path = tmp_path / "gradebook.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE assignment (id)")
    with pytest.raises(ClassError, match="database of something else"):
        Gradebook(path)


def test_a_newer_gradebook_is_left_alone(tmp_path):
    path = tmp_path / "gradebook.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(ClassError, match="newer normlab"):
        Gradebook(path)


WRITER = """
import sys
from pathlib import Path
from normlab.grading import Status
from normlab.grading.class_.gradebook import Gradebook, Terms
from normlab.grading.judge.feedback import refused
from normlab.grading.class_.submissions import Submission
verdict = refused("02_batch_norm_forward", Status.FAILED, "x" * 1_000_000)
with Gradebook(Path(sys.argv[1])) as gradebook:
    for number in range(100_000):
        one = Submission(f"{number}", "02_batch_norm_forward", None, "d", modified="now")
        gradebook.note([one.student], [one])
        gradebook.record(one, verdict, Terms(7, "1.0", 60))
        print(number, flush=True)
"""


def test_a_verdict_is_there_whole_or_not_at_all(tmp_path):
    """However the writer ends: what it said was written is there, and all of it can be read."""
    path = tmp_path / "gradebook.db"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True
    )
    said = [writer.stdout.readline() for _ in range(20)][-1]
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    said = int((writer.stdout.read().split("\n")[-2:-1] or [said])[0])
    with Gradebook(path) as gradebook:
        entries = list(gradebook.entries())
    assert len(entries) >= said + 1
    assert {len(entry.verdict.message) for entry in entries} == {1_000_000}
