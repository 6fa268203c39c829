"""Which exercise a file is, and which of several counts: by what it defines, and then by its name.

Each case was handed in, or is of the same kind as one that was.
"""

import json
import os
import re
from pathlib import Path

import pytest

from normlab.grading import tasks_of
from normlab.grading.class_.recognition import look_at, notebooks
from normlab.grading.class_.submissions import find_submissions

NOTEBOOKS = notebooks()
ROOT = Path(__file__).parents[2]
FORWARD, RUNNING, NETWORK, LAYER = NOTEBOOKS[1], NOTEBOOKS[2], NOTEBOOKS[4], NOTEBOOKS[5]
RELATIVES, HUNTS = NOTEBOOKS[8], NOTEBOOKS[9]
TASK = "def batch_norm_forward(x, weight, bias, eps):\n    return x"
ONE_DAY = 86_400


def made(folder, exercise=FORWARD):
    return (ROOT / folder / f"{exercise}.ipynb").read_text(encoding="utf-8")


def code_of(text):
    """Return the sources of a notebook's code cells."""
    cells = json.loads(text)["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.fixture
def hand_in(tmp_path, write_notebook):
    """Return a function that writes what Ann hands in, each file a day newer than the one before.

    A file is the text of a notebook, or a list of its code cells.
    """

    def write(files):
        for number, (name, content) in enumerate(files.items()):
            path = tmp_path / "all" / "Ann" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                path.write_text(content, encoding="utf-8")
            else:
                write_notebook(path, *content)
            os.utime(path, (number * ONE_DAY, number * ONE_DAY))
        return find_submissions(tmp_path / "all")

    return write


def taken(handed_in):
    return {one.exercise: one.file.removeprefix("Ann/") for one in handed_in.submissions}


# ---- which exercise


@pytest.mark.parametrize(
    "name",
    [
        "03-11-2026 homework",
        "05.11. Abgabe",
        "07 abgabe batchnorm",
        "01 Homework Lee",
        "13_Gruppe_Lee_BN",
        "2026-09-08",
        "06",
        "Untitled1",
        "Übung 4 (neu)",
        "03_batch_norm_train_and_eval",
    ],
)
@pytest.mark.parametrize("folder", ["solutions", "exercises"])
def test_a_right_notebook_is_known_by_its_tasks_whatever_its_name(hand_in, name, folder):
    handed_in = hand_in({f"{name}.ipynb": made(folder)})
    assert taken(handed_in) == {FORWARD: f"{name}.ipynb"}
    assert handed_in.notes == (
        f"Ann/{name}.ipynb: taken for {FORWARD}, by the tasks that it defines.",
    )


@pytest.mark.parametrize("exercise", NOTEBOOKS)
@pytest.mark.parametrize("folder", ["solutions", "exercises"])
def test_every_exercise_is_known_without_its_name_and_without_metadata(hand_in, exercise, folder):
    assert taken(hand_in({"x.ipynb": made(folder, exercise)})) == {exercise: "x.ipynb"}
    assert exercise in taken(hand_in({"y.ipynb": code_of(made(folder, exercise))}))


@pytest.mark.parametrize("name", ["02", "02 final", "13_my_notes", "2026-02-03", "02_batch"])
def test_digits_alone_name_no_exercise(hand_in, name):
    handed_in = hand_in({f"{name}.ipynb": ["x = 1"]})
    assert taken(handed_in) == {}
    assert handed_in.notes == (
        f"Ann/{name}.ipynb: not a notebook of the course, so it was left out.",
    )


@pytest.mark.parametrize(
    "cells",
    [
        ["y = model.predict(X)", "print('restyle', standardize)"],
        ["class Line:\n    def predict(self, x, batch_size):\n        return x"],
        ["def predict(X, theta):\n    return X @ theta"],
        ["predict = model.predict\npredict(X)"],
        ["# def batch_norm_forward(x, weight, bias, eps): was my first idea"],
        [f'text = """\n{TASK}\n"""'],
        ["from normlab.exercises import find\nfind('batch_norm_forward')"],
        ["def helper():\n    def batch_norm_forward(x, weight, bias, eps):\n        return x"],
        ["class BatchNorm(nn.Module):\n    def forward(self, x):\n        return x"],
    ],
)
@pytest.mark.parametrize("name", ["linear regression", "14_my_own", "13 other course"])
def test_a_mention_makes_no_exercise_of_another_notebook(hand_in, cells, name):
    handed_in = hand_in({f"{name}.ipynb": cells})
    assert taken(handed_in) == {}
    assert len(handed_in.notes) == 1


def test_what_text_and_outputs_show_is_no_definition(hand_in):
    shown = TASK.splitlines(keepends=True)
    cells = [
        {"cell_type": "markdown", "source": ["```python\n", *shown]},
        {
            "cell_type": "code",
            "source": "help(batch_norm_forward)",
            "outputs": [{"output_type": "stream", "text": shown}],
        },
    ]
    assert taken(hand_in({"notes.ipynb": json.dumps({"cells": cells})})) == {}


@pytest.mark.parametrize("end", ['raise SystemExit("', "(", "%%time", "\x00"])
def test_a_cell_that_is_no_python_hides_no_task(hand_in, end):
    assert taken(hand_in({"homework.ipynb": [f"{TASK}\n\n{end}"]})) == {FORWARD: "homework.ipynb"}


def test_a_helper_of_another_exercise_does_not_change_which_it_is(hand_in):
    helpers = code_of(made("solutions", FORWARD)) + code_of(made("solutions", RUNNING))
    definitions = [cell for cell in helpers if cell.startswith(("def ", "class "))]
    mine = code_of(made("solutions", NETWORK))
    for name in ("05_mnist_with_batch_norm.ipynb", "all.ipynb"):
        assert NETWORK in taken(hand_in({name: [*definitions, *mine]}))


@pytest.mark.parametrize("name", ["homework.ipynb", f"{LAYER}.ipynb"])
def test_one_notebook_with_two_exercises_is_handed_in_for_both(hand_in, name):
    both = code_of(made("solutions", FORWARD)) + code_of(made("solutions", LAYER))
    handed_in = hand_in({name: both})
    assert taken(handed_in) == {FORWARD: name, LAYER: name}
    assert f"Ann/{name}: taken for {FORWARD}, by the tasks that it defines." in handed_in.notes


def test_an_exercise_that_was_done_in_the_lessons_notebook_is_one(hand_in):
    done = code_of(made("notebooks", LAYER)) + code_of(made("solutions", LAYER))
    (one,) = hand_in({"x.ipynb": done}).submissions
    assert (one.exercise, one.problem) == (LAYER, "")


def test_a_file_that_breaks_off_is_known_by_what_is_left_of_it(hand_in):
    text = made("solutions")
    assert taken(hand_in({"homework.ipynb": text[: len(text) // 2]})) == {FORWARD: "homework.ipynb"}


def test_a_figure_before_the_tasks_does_not_hide_the_name(hand_in):
    notebook = json.loads(made("solutions"))
    notebook["cells"][0]["attachments"] = {"a.png": {"image/png": "A" * 3_000_000}}
    assert taken(hand_in({f"{FORWARD}.ipynb": json.dumps(notebook)})) == {
        FORWARD: f"{FORWARD}.ipynb"
    }


# ---- which of several


LESSON, EXERCISE = f"course/notebooks/{FORWARD}.ipynb", f"course/exercises/{FORWARD}.ipynb"


@pytest.mark.parametrize("order", [(LESSON, EXERCISE), (EXERCISE, LESSON)])
@pytest.mark.parametrize("exercise", [FORWARD, RUNNING, RELATIVES])
@pytest.mark.parametrize("folder", ["solutions", "exercises"])
def test_a_lesson_never_beats_the_exercise_of_its_name(hand_in, order, exercise, folder):
    """Lesson 09 defines three of the four tasks: 30 points that nobody has earned."""
    sources = {LESSON: made("notebooks", exercise), EXERCISE: made(folder, exercise)}
    names = {name: name.replace(FORWARD, exercise) for name in order}
    handed_in = hand_in({names[name]: sources[name] for name in order})
    assert taken(handed_in) == {exercise: names[EXERCISE]}
    assert [one.problem for one in handed_in.submissions] == [""]
    assert handed_in.notes == (
        f"Ann/{names[LESSON]}: it is the lesson; the exercise {exercise} of Ann is "
        f"Ann/{names[EXERCISE]}.",
    )


def test_a_lesson_alone_is_said_to_be_one(hand_in):
    (one,) = hand_in({f"{RELATIVES}.ipynb": made("notebooks", RELATIVES)}).submissions
    assert "the lesson's notebook" in one.problem
    assert taken(hand_in({"00_start_here.ipynb": made("notebooks", "00_start_here")})) == {
        RELATIVES: f"{RELATIVES}.ipynb"
    }


STUB = made("exercises")
SOLVED = made("solutions")
PARTLY = SOLVED.replace("def linear_then_batch_norm", "def something_else")


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ({f"{FORWARD}.ipynb": SOLVED}, {"Untitled.ipynb": [TASK]}),
        ({"done.ipynb": SOLVED}, {f"{FORWARD}.ipynb": STUB}),
        ({f"{FORWARD} (1).ipynb": SOLVED}, {f"{FORWARD}.ipynb": PARTLY}),
        ({f"{FORWARD}.ipynb": STUB}, {f"{FORWARD}-2.ipynb": ["x = 1"]}),
        ({f"{FORWARD}.ipynb": SOLVED}, {f"copy of {FORWARD}.ipynb": SOLVED[:9000]}),
        ({f"{FORWARD}.ipynb": SOLVED}, {f"{FORWARD}-2.ipynb": ""}),
        ({f"{FORWARD}.ipynb": code_of(SOLVED)}, {f"old/{FORWARD}.ipynb": STUB}),
    ],
)
def test_the_copy_with_more_of_the_tasks_counts_whatever_the_time(hand_in, older, newer):
    handed_in = hand_in(older | newer)
    (best,), (other,) = older, newer
    assert taken(handed_in) == {FORWARD: best}
    note = f"Ann/{other}: Ann has a {FORWARD} with more of the tasks in it, Ann/{best}."
    assert note in handed_in.notes


def test_of_copies_with_as_many_tasks_the_newest_counts(hand_in):
    handed_in = hand_in({"a.ipynb": SOLVED, "b.ipynb": SOLVED.replace("By hand", "By head")})
    assert taken(handed_in) == {FORWARD: "b.ipynb"}
    assert f"Ann/a.ipynb: Ann has a newer {FORWARD}, Ann/b.ipynb." in handed_in.notes


def test_a_copy_with_a_large_figure_is_looked_through_before_it_loses(hand_in):
    notebook = json.loads(SOLVED)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    figure = [{"output_type": "display_data", "data": {"image/png": "A" * 2_000_000}}]
    for number in (0, 4):  # before the first task, and behind it
        code[number]["outputs"] = figure
        files = {"large.ipynb": json.dumps(notebook), f"{FORWARD}.ipynb": PARTLY}
        assert taken(hand_in(files)) == {FORWARD: "large.ipynb"}


# ---- what a notebook shows


def test_the_stub_is_told_from_an_answer():
    stub, answer = look_at(STUB.encode()), look_at(SOLVED.encode())
    names = {task.name for task in tasks_of(FORWARD)}
    assert stub.held(FORWARD) == answer.held(FORWARD) == names
    assert not stub.solved & names
    assert answer.solved >= names


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[" * 500_000,
        b'{"cells": [' * 90_000,
        b'"source": "' * 90_000,
        b'"source":' + b" " * 1_000_000,
        b'"a"' + b" " * 1_000_000,
        b"\\n" * 500_000,
        b"<<<<<<< \n" * 110_000,
        b"\\ndef " * 170_000,
        b"\\ndef predict(" * 70_000,
        b'"""' * 340_000,
        b"\xff\xfe" + b"a" * 1_000_000,
    ],
    ids=lambda data: f"{len(data)} {data[:6]!r}",
)
def test_whatever_the_bytes_are_the_look_is_short(data):
    contents = look_at(data)
    assert not re.search("def", str(contents.defined))
