"""What is said in two places is the same in both."""

import re
from pathlib import Path
from types import ModuleType

import pytest
import torch

import normlab
from normlab.exercises.self_tests import all_self_tests

ROOT = Path(__file__).parents[2]
LESSONS = sorted((ROOT / "source" / "lessons").glob("*.py"))
EXERCISES = sorted((ROOT / "source" / "exercises").glob("*.py"))
HEADINGS = re.compile(r"^# ##+ (.+)$", re.MULTILINE)


def read(path):
    return path.read_text(encoding="utf-8")


each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)


def tasks_of(text, pattern):
    return {found[1]: found.groups()[1:] for found in re.finditer(pattern, text, re.MULTILINE)}


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda path: path.stem)
def test_difficulty_importance_and_minutes_agree(exercise):
    text = read(exercise)
    (lesson,) = (path for path in LESSONS if path.stem[:2] == exercise.stem[:2])
    rating = r"\| (\w+) \| (\w+) \| (\d+) \|"
    in_table = tasks_of(text, rf"^# \| (\d) \| .*? {rating} \d+ \|$")
    in_lesson = tasks_of(read(lesson), rf"^# \| (?:.*task )?(\d)\b[^|]* {rating}")
    in_heads = tasks_of(text, r"^# ## Task (\d).*\n#\n# \*(\w+) · importance (\w+) · (\d+) minutes")
    assert in_table
    assert in_lesson == in_table
    assert {k: (level.lower(), *rest) for k, (level, *rest) in in_heads.items()} == in_table
    total = int(re.search(r"about (\d+) minutes", text)[1])
    assert total == sum(int(minutes) for *_, minutes in in_table.values())


@each_lesson
def test_black_is_ink_wherever_a_colour_is_named(lesson):
    """The figures draw what is 255 in black, on white: ink on paper."""
    text = re.sub(r"\n# ?|\s+", " ", read(lesson))
    assert not re.search(r"\b(black is 0|white is (1|255)|white on black made black)\b", text)


@each_lesson
def test_a_named_part_of_a_lesson_exists(lesson):
    """As in: see "Sorted batches", below."""
    text = re.sub(r"\n# ?", " ", read(lesson))
    for heading in re.findall(r'\("([A-Z][^"]+)", (?:above|below)', text):
        assert any(found.startswith(heading) for found in HEADINGS.findall(read(lesson))), heading


@pytest.mark.parametrize("name", sorted(all_self_tests()))
def test_a_part_that_a_self_test_names_exists(name):
    path = ROOT / "normlab" / "exercises" / "self_tests" / "lessons" / f"{name}.toml"
    headings = HEADINGS.findall(read(ROOT / "source" / "lessons" / f"{name}.py"))
    named = re.findall(r"(?:See \\\"|\(“|See “)([^\\”]+)(?:\\\"|”)", read(path))
    for heading in named:
        assert any(found.startswith(heading) for found in headings), heading


def test_the_reference_has_every_public_room_and_every_function_of_torchs_name():
    pages = {path.stem: read(path) for path in (ROOT / "docs" / "site" / "api").glob("*.md")}
    rooms = {name for name in normlab.__all__ if isinstance(getattr(normlab, name), ModuleType)}
    assert rooms == set(pages) - {"index"}
    for name, value in vars(normlab.nn.functional).items():
        home = getattr(value, "__module__", None)
        if hasattr(torch.nn.functional, name.removesuffix("_backward")) and callable(value):
            assert home == "normlab.nn.functional" or f".functional.{name}\n" in pages["nn"]
