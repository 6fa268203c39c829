"""A teacher's own exercise: the page's example works, and what is wrong with a file is said."""

import re
from pathlib import Path

import numpy as np
import pytest

from normlab import check
from normlab.exercises import all_exercises, draw_cases, find
from normlab.exercises.finding import find_in, notebooks, tasks_of
from normlab.exercises.loading import TaskError
from normlab.exercises.own import names_in
from normlab.exercises.trying import Trial, trials

PAGE = (Path(__file__).parents[2] / "docs" / "own_exercises.md").read_text(encoding="utf-8")
(SOFTMAX,) = re.findall(r"```python\n(# %% \[markdown\].*?)```", PAGE, re.DOTALL)
CLASS = '''
# %%
import numpy as np

# %%
class Counter:
    """Count what it has seen."""

    ### BEGIN SOLUTION
    def __init__(self, start):
        self.seen = start

    def add(self, x):
        self.seen += len(x)
        return self.seen
    ### END SOLUTION


# %% tags=["teacher"]
LENGTHS = (2, 5)


def cases(rng):
    for start, length in enumerate(LENGTHS, 3):
        yield case(f"{length} numbers", "count", x=rng.normal(size=length), start=start)


def use(make, x, start):
    counter = make(start)
    return np.array([counter.add(x), counter.add(x[:1])])


WORDS = """
title = "count"
returns = ["seen"]
methods = ["add"]
first_step = "begin with __init__."

[aspects]
count = {title = "counts", points = 1}

[mistakes.count."one for each call"]
change = {"len(x)" = "1"}
what = "each call counts as one."
symptom = "the count does not depend on what is given."
hint = "give it ten numbers."
next = "the count"
"""
'''


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a writer of the file of an exercise in `tasks`, beside which one works."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks").mkdir()

    def write(text, name="softmax.py"):
        path = tmp_path / "tasks" / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def line_of(text, part):
    return text[: text.index(part)].count("\n") + 1


def test_the_example_of_the_page_has_nothing_to_complain_of(write):
    exercise = find_in(write(SOFTMAX), "softmax")
    trial = Trial(exercise)
    assert [said for one in trials(exercise, 5) if (said := trial.complaint(*one))] == []
    assert (exercise.notebook, exercise.lesson, exercise.max_points) == ("softmax", "", 10)


def test_two_mistakes_of_one_answer_are_named(write):
    write(SOFTMAX)

    def softmax(x):
        power = np.exp(x)
        return power / power.sum()

    report = check("softmax", softmax)
    assert report.mistakes == ("highest score not subtracted", "one sum for all rows")
    assert report.points == 1
    assert "Lesson" not in str(report)
    assert '""' not in str(report)


def test_a_right_answer_of_another_hand_gets_all_points(write):
    write(SOFTMAX)
    report = check("softmax", lambda x: 1 / np.exp(x[:, None] - x[..., None]).sum(2))
    assert report.passed
    whole = check("softmax", lambda x: np.exp(x - np.logaddexp.reduce(x, 1, keepdims=True)))
    assert whole.passed
    assert "this was the last task." in str(whole)


def test_it_is_found_where_the_variable_points_and_beside_the_exercises(write, monkeypatch):
    path = write(SOFTMAX)
    assert find("softmax").name == "softmax"
    assert "softmax" in all_exercises()
    assert notebooks()[-1] == "softmax"
    assert [task.name for task in tasks_of("softmax")] == ["softmax"]
    monkeypatch.chdir("/")
    with pytest.raises(LookupError, match="no exercise called"):
        find("softmax")
    monkeypatch.setenv("NORMLAB_TASKS", str(path.parent))
    assert find("softmax").name == "softmax"


def test_a_changed_file_is_read_again(write):
    before = find_in(write(SOFTMAX), "softmax")
    after = find_in(write(SOFTMAX.replace("points = 5", "points = 50")), "softmax")
    assert (before.max_points, after.max_points) == (10, 55)
    assert before.digest != after.digest


def test_a_class_is_put_to_use(write):
    write(CLASS, "counting.py")
    exercise = find("Counter")
    assert exercise.signature == "Counter(start)"

    class Counter:
        def __init__(self, start):
            self.total = start

        def add(self, x):
            self.total += 1
            return self.total

    assert check("Counter", Counter).mistakes == ("one for each call",)
    assert check("Counter", exercise.model.program()).passed
    assert "has no method `add`" in str(check("Counter", type("Counter", (), {})))


def test_one_file_may_hold_several_tasks(write):
    path = write(SOFTMAX + CLASS)
    assert names_in(path) == ["softmax", "Counter"]
    assert [task.name for task in tasks_of("softmax")] == ["softmax", "Counter"]
    assert "the next task is Counter." in str(check("softmax", find("softmax").model.program()))


def test_no_cell_is_run_but_definitions_and_plain_constants(write):
    demonstration = "# %%\nshown = softmax(np.zeros((2, 3)))\nraise SystemExit\nTEMPERATURE = 1.0\n"
    text = SOFTMAX.replace("# %%\nfrom normlab", f"{demonstration}\n# %%\nfrom normlab")
    text = text.replace("np.exp(x - highest)", "np.exp((x - highest) / TEMPERATURE)")
    (case, *_) = draw_cases(find_in(write(text), "softmax"), 0)
    right = find("softmax").reference(**case.arguments)["y"]
    np.testing.assert_allclose(right.sum(axis=1), 1)


ONE = '[mistakes.values."one sum for all rows"]'


@pytest.mark.parametrize(
    ("old", "new", "said", "where"),
    [
        ("points = 5}", "points = }", "this is no TOML", "values = {title"),
        ('"the axis"', "'''the axis", "at end of document", '"the axis"'),
        ('power.sum(axis=1, keepdims=True)" = "power.sum()', 'sum()" = "x', "nowhere", ONE),
        ('x - highest" = "x', 'power" = "x', "stands 3 times in softmax", '."highest score'),
        ('[mistakes.values."one', '[mistakes.sums."one', "`sums`, which is no aspect", '"one sum'),
        ('hint = "print the sum of each row of what you return."\n', "", "not say its hint", ONE),
        ('change = {"x - highest" = "x"}\n', "", "does not say its change", '."highest score'),
        (
            'change = {"x - highest" = "x"}',
            'change = "shifted"',
            "there is none",
            '."highest score',
        ),
        ('title = "softmax, for', 'name = "softmax, for', "there is no `title`", 'WORDS = """'),
        (", points = 4}", "}", "the aspect `large` needs a title and points", 'WORDS = """'),
        ('WORDS = """', 'SAID = """', "has no WORDS", "def cases"),
        ("def cases(rng)", "def draw(rng)", "nothing called cases is defined", "# %% [markdown]"),
        ('tags=["teacher"]', 'tags=["mine"]', "no cell tagged `teacher` follows", "def softmax"),
        (
            "    power = np.exp(x - highest)",
            "    power = np.exp(x -)",
            "no Python",
            "power = np.exp",
        ),
        ("import numpy as np", "import nunpy as np", "No module named 'nunpy'", "import nu"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(write, old, new, said, where):
    text = SOFTMAX.replace(old, new)
    assert text != SOFTMAX
    path = write(text)
    with pytest.raises(TaskError) as error:
        find_in(path, names_in(path)[0])
    message = str(error.value)
    assert message.startswith(str(path))
    assert said in message
    line = int(re.search(r"line (\d+): ", message).group(1))
    assert abs(line - line_of(text, where.replace(old, new) if where in old else where)) <= 1, (
        message
    )
    assert "\n" not in message


def test_the_name_of_a_task_of_the_course_is_taken(write):
    path = write(SOFTMAX.replace("softmax", "batch_norm_forward"))
    with pytest.raises(TaskError, match=r"name of a task of the course \(02_batch_norm_forward\)"):
        find_in(path, "batch_norm_forward")


def test_a_model_that_cannot_be_run_is_said(write):
    path = write(SOFTMAX.replace("return power /", "return pover /"))
    exercise = find_in(path, "softmax")
    said = Trial(exercise).complaint(0, ())
    assert said == "the model cannot be run: NameError: name 'pover' is not defined."


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '"values", x=rng',
            '"values", y=rng',
            "takes x, and the case “(3, 4), scores about 0” gives y",
        ),
        ('"large", x=', '"huge", x=', "for `huge`, which is no aspect"),
        ('"large", x=', "x=", "never asked for the aspect `large`"),
        ('f"{shape}, scores', 'f"scores', "is there twice"),
    ],
)
def test_cases_that_do_not_fit_are_said(write, old, new, said):
    exercise = find_in(write(SOFTMAX.replace(old, new)), "softmax")
    assert said in Trial(exercise).complaint(0, ())


def test_a_mistake_under_an_aspect_that_it_does_not_cost_is_said(write):
    path = write(SOFTMAX.replace("mistakes.large.", "mistakes.values."))
    exercise = find_in(path, "softmax")
    said = Trial(exercise).complaint(0, exercise.mistakes[:1])
    assert "does not cost the aspect `values` that it stands under" in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '= "power.sum()"',
            '= "power.sum(axis=-1, keepdims=True)"',
            "gets all points: no case sees",
        ),
        ('= "power.sum()"', '= "pover.sum()"', "has no result in any case: It raised NameError"),
        ('= "power.sum()"', '= "power.sum(axis=0)"', "is called “columns add up to 1” or “one sum"),
        ('= "power.sum()"', '= "power.sum("', "is no Python"),
    ],
)
def test_a_mistake_that_is_none_is_said_with_its_line(write, old, new, said):
    text = SOFTMAX.replace(old, new)
    exercise = find_in(write(text), "softmax")
    mistake = next(one for one in exercise.mistakes if one.key == "one sum for all rows")
    complaint = Trial(exercise).complaint(0, (mistake,))
    assert said in complaint
    assert f"line {line_of(text, 'one sum for all rows')}: “one sum for all rows” " in complaint


def test_a_check_of_a_file_that_cannot_be_read_says_so(write):
    write(SOFTMAX.replace("points = 5}", "points = }"))
    said = " ".join(str(check("softmax", None)).split())
    assert "This exercise cannot be read." in said
    assert "this is no TOML" in said
