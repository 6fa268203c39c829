"""The two tables of tasks: what is written in a lesson, and what is graded."""

from pathlib import Path

import pytest

from normlab.exercises import all_exercises, check, find, finding, loading, progress, tasks_of
from normlab.exercises.loading import contents, places

ROOT = Path(__file__).parents[2]


def test_each_task_stands_in_one_table_and_each_file_is_a_task():
    names = [
        name
        for folder in ("lessons", "exercises")
        for own in contents(folder).values()
        for name in own
    ]
    assert sorted(names) == sorted(set(names))
    files = {file.stem for file in (ROOT / "normlab" / "tasks").glob("*.toml")} - {"contents"}
    assert set(names) == files


@pytest.mark.parametrize(("folder", "of"), [("lessons", "lessons"), ("exercises", "exercises")])
def test_a_table_names_notebooks_that_check_its_tasks(folder, of):
    for stem, names in contents(folder).items():
        source = (ROOT / "source" / of / f"{stem}.py").read_text(encoding="utf-8")
        for name in names:
            assert f'check("{name}", {name}' in source, f"{name} is not in source/{of}/{stem}.py"


@pytest.fixture
def moved(monkeypatch):
    """Make a graded task its lesson's own."""
    tables = {"lessons": {"02_batch_norm_forward": ["linear_then_batch_norm"]}, "exercises": {}}
    for stem, names in contents().items():
        tables["exercises"][stem] = [name for name in names if name != "linear_then_batch_norm"]
    monkeypatch.setattr(loading, "contents", lambda folder="exercises": tables[folder])
    monkeypatch.setattr(finding, "contents", lambda folder="exercises": tables[folder])
    _forget()
    yield "linear_then_batch_norm"
    monkeypatch.undo()
    _forget()


def _forget():
    places.cache_clear()
    finding._of_the_course.cache_clear()


def test_a_lessons_own_task_is_found_counted_and_not_graded(moved):
    exercise = find(moved)
    assert exercise.in_lesson
    assert exercise.place == "notebooks/02_batch_norm_forward.ipynb"
    assert moved in all_exercises()
    assert moved in [line.name for line in progress().lines]
    assert moved not in [task.name for task in tasks_of("02_batch_norm_forward")]


def test_a_right_answer_in_a_lesson_leads_on_in_the_lesson(moved):
    report = check(moved, find(moved).model.program())
    assert report.passed
    assert "read on" in report.next_step
