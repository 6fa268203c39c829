"""The page on own exercises, from an empty folder to the grades, with the page's own commands."""

import csv
import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from normlab.cli.main import normlab
from normlab.exercises import own
from normlab.grading.class_ import ClassError
from normlab.grading.class_.release import release

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "own_exercises.md").read_text(encoding="utf-8")
SOFTMAX, WRONG = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line for line in PAGE.splitlines() if line.startswith("normlab ")]
RIGHT = """
import numpy as np
def softmax(x):
    scores = np.exp(x - np.max(x, 1, keepdims=True))
    return scores / scores.sum(1, keepdims=True)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "softmax.py").write_text(SOFTMAX)
    return tmp_path


def run(command):
    """Run a command of the page as it stands there."""
    arguments = shlex.split(command)[1:]
    if arguments[0] == "grade":
        arguments += ["--no-isolation", "--jobs", "1"]
    result = CliRunner().invoke(normlab, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def hand_in(student, bundle, answer=None):
    """Hand in the notebook of the bundle, with the answer in the place of its function."""
    notebook = json.loads((bundle / "exercises" / "softmax.ipynb").read_text())
    for cell in notebook["cells"]:
        if answer and "def softmax" in "".join(cell["source"]):
            cell["source"] = answer
    path = Path("handed_in") / student / "softmax.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook))


def test_the_commands_of_the_page_lead_from_an_empty_folder_to_the_grades(folder):
    said = {}
    for command in COMMANDS:
        if command.startswith("normlab grade"):
            hand_in("ann", folder / "week_1", RIGHT)
            hand_in("bob", folder / "week_1", WRONG)
            hand_in("cem", folder / "week_1")
        said[command.split()[1]] = run(command)
    assert set(said) == {"try", "show", "release", "grade", "export"}
    rows = list(csv.DictReader(Path("results/points.csv").read_text().splitlines()))
    assert [(row["student"], row["softmax"]) for row in rows] == [
        ("ann", "10"),
        ("bob", "1"),
        ("cem", ""),
    ]
    grades = Path("results/grades.csv").read_text()
    assert "highest score not subtracted + one sum for all rows" in grades


def test_the_bundle_holds_no_answer_in_its_notebook(folder):
    files = release(None, folder / "out")
    assert [path.as_posix() for path in files] == [
        "exercises/softmax.ipynb",
        "exercises/tasks/softmax.py",
    ]
    notebook = json.loads((folder / "out" / "exercises" / "softmax.ipynb").read_text())
    text = "\n".join("".join(cell["source"]) for cell in notebook["cells"])
    for trace in ("SOLUTION", "keepdims", "WORDS", "cases", "highest"):
        assert trace not in text
    assert "    raise NotImplementedError()" in text
    assert 'check("softmax", softmax)' in text
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"


def test_own_exercises_go_along_with_the_course(folder):
    files = {path.as_posix() for path in release(ROOT, folder / "out")}
    assert {"exercises/softmax.ipynb", "exercises/tasks/softmax.py"} <= files
    assert "exercises/02_batch_norm_forward.ipynb" in files


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"x - highest"', '"y - highest"', "softmax.py"),
        ("### END SOLUTION", "### END", "no other end"),
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_not_given_out(folder, old, new, said):
    (folder / "tasks" / "softmax.py").write_text(SOFTMAX.replace(old, new))
    with pytest.raises(ClassError, match=said):
        release(None, folder / "out")
    assert not (folder / "out").exists()


def test_a_file_named_as_an_exercise_of_the_course_is_not_given_out(folder):
    (folder / "tasks" / "softmax.py").rename(folder / "tasks" / "06_layer_norm.py")
    with pytest.raises(ClassError, match="06_layer_norm already"):
        release(None, folder / "out")


def test_each_method_of_a_class_is_cut_at_its_own_place(tmp_path):
    (tmp_path / "one.py").write_text(
        "# %%\nclass A:\n    def f(self):\n        ### BEGIN SOLUTION\n        return 1\n"
        "        ### END SOLUTION\n\n    def g(self):\n        ### BEGIN SOLUTION\n"
        "        return 2\n        ### END SOLUTION\n"
    )
    text = own.for_students(tmp_path / "one.py")
    assert text.count("        raise NotImplementedError()\n") == 2
    assert "return" not in text
