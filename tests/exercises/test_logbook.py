"""Progress is kept in a file, and a file that cannot be read or written harms nothing."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from normlab import check
from normlab.exercises import all_exercises, find, progress
from normlab.exercises.guessing import all_guesses
from normlab.exercises.logbook import progress_file, record, record_guess, record_self_test
from normlab.exercises.self_tests import all_self_tests
from normlab.exercises.standing import OF_EXERCISES, OF_LESSON

NAME = "batch_norm_forward"


def right(x, weight, bias, eps):
    return weight * (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + bias


def without_eps(x, weight, bias, eps):
    return right(x, weight, bias, 0)


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Return a file in a folder that is not there yet."""
    path = tmp_path / "deep" / "progress.json"
    monkeypatch.setenv("NORMLAB_PROGRESS", str(path))
    return path


def line(name=NAME):
    return next(line for line in progress().lines if line.name == name)


def test_a_check_is_recorded(file):
    check(NAME, without_eps)
    entry = json.loads(file.read_text())["exercises"][NAME]
    assert entry["points"] == entry["best"] == 8
    assert entry["max_points"] == 10
    assert entry["checks"] == 1
    assert entry["mistakes"] == ["eps missing"]
    assert os.listdir(file.parent) == ["progress.json"]


def test_the_best_counts_and_the_last_is_kept(file):
    check(NAME, right)
    check(NAME, "nonsense")
    check(NAME, without_eps)
    entry = json.loads(file.read_text())["exercises"][NAME]
    assert (entry["best"], entry["points"], entry["checks"]) == (10, 8, 3)
    assert line().best == 10


def test_exercises_do_not_overwrite_each_other(file):
    check(NAME, right)
    check("batch_norm_forward_images", right)
    assert line().best == 10
    assert line("batch_norm_forward_images").checks == 1


def test_progress_lists_every_exercise_with_its_state(file):
    assert [entry.name for entry in progress().lines] == list(all_exercises())
    assert {entry.state for entry in progress().lines} == {"open"}
    check(NAME, without_eps)
    assert line().state == "begun"
    check(NAME, right)
    assert line().state == "done"
    shown = progress()
    assert shown.points == 10
    assert shown.max_points == sum(e.max_points for e in all_exercises().values())
    in_lessons = sum(e.max_points for e in all_exercises().values() if e.in_lesson)
    points = {True: in_lessons, False: shown.max_points - in_lessons}
    table = "Lessons" if find(NAME).in_lesson else "Exercises"
    assert f"{table}: 10 of {points[find(NAME).in_lesson]} points" in str(shown)
    assert "  done  batch_norm_forward                   10 / 10" in str(shown)
    assert "<code>batch_norm_forward</code>" in shown._repr_html_()
    assert repr(shown) == str(shown)


def test_there_is_one_bar_a_lesson_and_the_exercises_only_where_one_is_begun(file):
    text = str(progress()).splitlines()
    assert len([row for row in text if "░" in row]) == len(all_self_tests())
    assert not [row for row in text if row.split()[:1] in (["open"], ["begun"], ["done"])]
    check(NAME, without_eps)
    shown = progress()
    (second,) = (lesson for lesson in shown.lessons if lesson.number == "02")
    rows = [row.split()[0] for row in str(shown).splitlines() if " / " in row]
    assert rows == [one.state for one in second.all]
    assert rows.count("begun") == 1
    html = shown._repr_html_()
    assert html.count("<details>") == len(all_self_tests())
    assert " open>" not in html


@pytest.mark.parametrize(
    ("answers", "following"),
    [
        ({}, "subtract_mean, in notebooks/00_start_here.ipynb"),
        (
            {"subtract_mean": lambda x: x - x.mean(axis=0)},
            "the self-test of lesson 0, in notebooks/00_start_here.ipynb",
        ),
        ({NAME: without_eps}, f"{NAME}, in {find(NAME).place}"),
    ],
)
def test_it_says_what_is_next(file, answers, following):
    for name, answer in answers.items():
        check(name, answer)
    assert progress().next == following
    assert f"Next: {following}." in str(progress())
    assert following in progress()._repr_html_()


def test_it_is_over_when_all_is_done(file):
    for each in (*progress().lines, *progress().self_tests):
        if each.notebook:
            record(each.name, each.max_points, each.max_points, [])
        else:
            record_self_test(each.name, each.max_points, each.max_points)
    assert progress().next.startswith("nothing is open")
    with_guesses = {stem[:2] for stem in all_guesses()}
    assert {one.number for one in progress().lessons if one.state != "done"} == with_guesses
    for question in (question for asked in all_guesses().values() for question in asked):
        record_guess(question, right=False)
    assert {lesson.state for lesson in progress().lessons} == {"done"}
    assert {lesson.share for lesson in progress().lessons} == {1.0}


def test_a_lesson_is_its_guesses_its_own_tasks_its_self_test_and_its_exercises(file):
    (start, *others) = progress().lessons
    assert [line.name for line in start.all if line.kind == OF_LESSON] == ["subtract_mean"]
    assert not any(line.kind == OF_EXERCISES for line in start.all)
    exercises = (one for lesson in others for one in lesson.all if one.kind == OF_EXERCISES)
    assert all(one.notebook.startswith("exercises/") for one in exercises)
    record_guess(all_guesses()["00_start_here"][0], right=False)
    check("subtract_mean", lambda x: x - x.mean(axis=0))
    start = progress().lessons[0]
    asked = len(all_guesses()["00_start_here"])
    assert start.share == 11 / (asked + 10 + 5)
    text = str(progress())
    assert f"begun the guesses                           1 /  {asked}" in text
    assert f"Guesses: 1 of {sum(map(len, all_guesses().values()))} given, 0 of 1 right" in text
    html = progress()._repr_html_()
    assert f"<b>00 start here</b>: {start.share:.0%}</summary>" in html


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"exercises": 3}',
        '{"exercises": {"batch_norm_forward": 3}}',
        '{"exercises": {"batch_norm_forward": {"best": "ten"}}}',
        '{"exercises": {"batch_norm_forward": {"best": 10}}}',
        "\x00\x01",
    ],
)
def test_a_broken_file_counts_as_empty(file, content):
    file.parent.mkdir()
    file.write_text(content)
    assert progress().points == 0
    assert check(NAME, right).passed
    assert line().best == 10


def test_a_file_that_is_not_text(file):
    file.parent.mkdir()
    file.write_bytes(b"\xff\xfe\xff")
    assert progress().points == 0
    assert check(NAME, right).passed


def test_more_points_than_there_are_count_as_all(file):
    record(NAME, 999, 10, [])
    assert line().best == 10


@pytest.mark.skipif(sys.platform == "win32", reason="/dev/null is a POSIX file")
def test_where_it_cannot_be_written_the_check_goes_on_and_says_so(monkeypatch):
    monkeypatch.setenv("NORMLAB_PROGRESS", "/dev/null/deep/progress.json")
    report = check(NAME, right)
    assert report.passed
    assert "Note: your progress could not be saved: Not a directory." in str(report)
    assert progress().points == 0


def test_a_disk_that_is_full_or_read_only(file, monkeypatch):
    check(NAME, without_eps)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    report = check(NAME, right)
    assert "could not be saved: No space left on device." in str(report)
    assert line().best == 8
    assert os.listdir(file.parent) == ["progress.json"]


def test_nothing_is_kept_where_nothing_is_wanted(monkeypatch, tmp_path):
    monkeypatch.setenv("NORMLAB_PROGRESS", "")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert progress_file() is None
    assert "progress" not in str(check(NAME, right))
    assert list(tmp_path.iterdir()) == []


def test_the_place_is_the_course_folder_or_home(monkeypatch, tmp_path):
    monkeypatch.delenv("NORMLAB_PROGRESS")
    home, course = tmp_path / "home", tmp_path / "course"
    for folder in (home, course / "notebooks", course / "exercises"):
        folder.mkdir(parents=True)
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.chdir(course / "exercises")
    assert progress_file() == course / ".normlab" / "progress.json"
    monkeypatch.chdir(course)
    assert progress_file() == course / ".normlab" / "progress.json"
    monkeypatch.chdir(home)
    assert progress_file() == home / ".normlab" / "progress.json"


def test_no_home_folder(monkeypatch, tmp_path):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("NORMLAB_PROGRESS")
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.chdir(tmp_path)
    report = check(NAME, right)
    assert report.passed
    assert "could not be saved: Could not determine home directory." in str(report)
    assert progress().points == 0
