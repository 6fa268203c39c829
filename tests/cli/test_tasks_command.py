"""``normlab try`` and ``normlab show``: what an author of exercises reads in a terminal."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from normlab.cli.main import normlab

PAGE = Path(__file__).parents[2] / "docs" / "own_exercises.md"
(SOFTMAX,) = re.findall(
    r"```python\n(# %% \[markdown\].*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return what runs a command in a folder with the page's own exercise."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "softmax.py").write_text(SOFTMAX, encoding="utf-8")

    def run(*words):
        return CliRunner().invoke(normlab, [str(word) for word in words])

    return run


def test_a_sound_exercise_has_nothing_to_complain_of(run):
    done = run("try", "tasks/softmax.py", "--seeds", 3)
    assert done.exit_code == 0
    assert done.output == "softmax: 3 mistakes and 2 pairs, 3 seeds: nothing to complain of.\n"


def test_a_task_of_the_course_is_tried_by_its_name(run):
    done = run("try", "weight_norm", "--seeds", 1)
    assert done.exit_code == 0
    assert "1 seed: nothing to complain of." in done.output


def test_a_complaint_names_the_line_and_ends_with_status_1(run):
    path = Path("tasks/softmax.py")
    path.write_text(SOFTMAX.replace('"power.sum()"', '"power.sum(1, keepdims=True)"'))
    done = run("try", path, "--seeds", 2)
    assert done.exit_code == 1
    line = SOFTMAX[: SOFTMAX.index('"one sum for all rows"')].count("\n") + 1
    assert f"softmax.py, line {line}: “one sum for all rows” gets all points" in done.output
    assert "2 seeds: 2 complaints." in done.output  # its pair is called by the other's name


def test_slips_by_rule_are_listed_that_pass_or_have_no_name(run):
    done = run("try", "tasks/softmax.py", "--seeds", 1, "--slips")
    assert re.search(r"slips by rule: \d+ passes, \d+ not named", done.output)
    assert "passes: line 3: 1 -> (-1)" in done.output
    assert "not named: line 4: np.exp(x - highest) -> (x - highest)" in done.output
    assert "x - highest -> (x)\n" not in done.output  # it has a name


def test_a_task_is_shown_as_a_list_of_diffs(run):
    shown = run("show", "tasks/softmax.py").output
    assert shown.startswith("def softmax(x):")
    assert "highest score not subtracted  (large)\n    the exponential is taken" in shown
    assert "  -     power = np.exp(x - highest)  # (N, C)\n  +     power = np.exp(x)  #" in shown
    assert "gives goal_reached = 0" in run("show", "train_one_epoch").output
    assert "    or\n  - " in run("show", "BatchNorm").output


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("softmx", 'Did you mean "softmax"?'),
        ("tasks/none.py", "there is no file tasks/none.py."),
        ("empty.py", "empty.py has no solution between ### BEGIN SOLUTION"),
        ("broken.py", "broken.py, line 5: this is no Python"),
    ],
)
def test_what_is_no_task_is_said_in_a_sentence(run, task, said):
    Path("empty.py").write_text("x = 1\n")
    Path("broken.py").write_text(
        "# %%\ndef f(x):\n    ### BEGIN SOLUTION\n    y = 1\n    return (\n"
    )
    for command in ("try", "show"):
        done = run(command, task)
        assert done.exit_code == 1
        assert said in done.output
        assert "Traceback" not in done.output
