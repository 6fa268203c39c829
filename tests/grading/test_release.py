"""The students' bundle: it works, and no solution is in it."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from normlab import __version__
from normlab.cli.main import normlab
from normlab.exercises.loading import contents
from normlab.grading.class_ import ClassError
from normlab.grading.class_.release import FOLDER, release

ROOT = Path(__file__).parents[2]
OPEN = "raise NotImplementedError()"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    out = tmp_path_factory.mktemp("release") / "for students"
    release(ROOT, out)
    return out


@pytest.fixture
def course(tmp_path):
    """Return a small course: what a release looks at."""
    for name in ("LICENSE", "LICENSE-TEXT.md", "constraints.txt", "environment.yml"):
        (tmp_path / "course" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "course" / name).touch()
    (tmp_path / "course" / "pyproject.toml").touch()
    (tmp_path / "course" / "normlab" / "__pycache__").mkdir(parents=True)
    (tmp_path / "course" / "normlab" / "__init__.py").touch()
    (tmp_path / "course" / "normlab" / "__pycache__" / "x.pyc").touch()
    for folder in ("exercises", "notebooks"):
        (tmp_path / "course" / folder).mkdir()
        (tmp_path / "course" / folder / ".ipynb_checkpoints").mkdir()
    write_exercise(tmp_path / "course")
    return tmp_path / "course"


def write_exercise(course, folder="exercises", **cell):
    metadata = {"nbgrader": {"solution": True, "grade_id": "my_task"}}
    content = {"cell_type": "code", "source": [OPEN], "metadata": metadata, "outputs": []}
    path = course / folder / "02_batch_norm_forward.ipynb"
    path.write_text(json.dumps({"cells": [content | cell]}))


def cells_by_id(path):
    cells = json.loads(path.read_text())["cells"]
    return {
        cell["metadata"]["nbgrader"]["grade_id"]: "".join(cell["source"])
        for cell in cells
        if "nbgrader" in cell["metadata"]
    }


def relative_files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# ---- what is in it


def test_it_holds_the_lessons_the_exercises_and_the_package(bundle):
    files = relative_files(bundle)
    for folder in ("exercises", "notebooks"):
        ours = {f"{folder}/{path.name}" for path in (ROOT / folder).glob("*.ipynb")}
        assert ours
        assert {name for name in files if name.startswith(f"{folder}/")} == ours
    assert {name.split("/")[0] for name in files} == {
        "LICENSE",
        "LICENSE-TEXT.md",
        "README.md",
        "constraints.txt",
        "environment.yml",
        "exercises",
        "normlab",
        "notebooks",
        "pyproject.toml",
    }
    assert "normlab/data/mnist/README.md" in files
    assert not [name for name in files if "__pycache__" in name or "/." in name]


def test_no_solution_is_in_it(bundle):
    """Neither the folder of them, nor what a source marks as one, nor the hidden tests' seed."""
    for path in (bundle / "exercises").glob("*.ipynb"):
        text = path.read_text()
        source = (ROOT / "source" / "exercises" / f"{path.stem}.py").read_text()
        solved, released = cells_by_id(ROOT / "solutions" / path.name), cells_by_id(path)
        assert set(solved) == set(released)
        answers = [
            (name, part.split("### END SOLUTION")[0].strip())
            for name, cell in solved.items()
            for part in cell.split("### BEGIN SOLUTION\n")[1:]
        ]
        assert len(answers) == source.count("### BEGIN SOLUTION") > 0
        assert not [name for name, answer in answers if answer in released[name]]
        for seed in re.findall(r"seed=(\d{6,})", source):
            assert seed not in text
    everything = relative_files(bundle)
    assert not [name for name in everything if "solution" in name.lower()]
    for path in (bundle / "notebooks").glob("*.ipynb"):
        assert "BEGIN SOLUTION" not in path.read_text()


def test_a_student_can_work_in_it(bundle, tmp_path):
    """In a Python that knows no other normlab, the course is found and a check checks."""
    program = (
        "import normlab, os, pathlib, numpy as np\n"
        "from normlab.cli.lab import find_course\n"
        "here = pathlib.Path.cwd()\n"
        "assert pathlib.Path(normlab.__file__).parents[1] == here, normlab.__file__\n"
        "assert find_course(here) == here\n"
        "def batch_norm_forward(x, weight, bias, eps):\n"
        "    return weight * (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + bias\n"
        "assert normlab.check('batch_norm_forward', batch_norm_forward).passed\n"
        "from normlab.cli.main import normlab as command\n"
        "assert 'grade' in command.commands\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(bundle), "NORMLAB_PROGRESS": ""}
    subprocess.run([sys.executable, "-c", program], cwd=bundle, env=environment, check=True)


def test_the_readme_says_what_can_be_read(bundle):
    text = (bundle / "README.md").read_text()
    assert f"normlab {__version__}" in text
    assert "normlab/tasks" in text
    for path in re.findall(r"`(normlab/[\w/]+|exercises/|notebooks/)`", text):
        assert (bundle / path).exists(), path


# ---- how it is written


def test_a_zip_holds_the_same(bundle, course, tmp_path):
    release(course, tmp_path / "folder")
    release(course, tmp_path / "course.zip")
    with zipfile.ZipFile(tmp_path / "course.zip") as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "unpacked")
    assert all(name.startswith(f"{FOLDER}/") for name in names)
    assert f"{FOLDER}/normlab/__init__.py" in names
    assert not [name for name in names if "pycache" in name or "checkpoints" in name]
    unpacked = tmp_path / "unpacked" / FOLDER
    assert relative_files(unpacked) == relative_files(tmp_path / "folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "course",
        "course.zip",
        "folder",
        "unpacked",
    ]


def test_what_is_there_is_not_overwritten(course, tmp_path):
    (tmp_path / "empty").mkdir()
    release(course, tmp_path / "empty")
    for name in ("empty", "course.zip"):
        if name == "course.zip":
            (tmp_path / name).write_text("my own")
        with pytest.raises(ClassError, match="is there already"):
            release(course, tmp_path / name)
    assert (tmp_path / "course.zip").read_text() == "my own"


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ({"source": ["return x - x.mean(0)"]}, "holds an answer to my_task"),
        ({"source": ["### BEGIN SOLUTION\nraise NotImplementedError"]}, 'holds "BEGIN SOLUTION"'),
        ({"source": ["### BEGIN HIDDEN TESTS"], "metadata": {}}, 'holds "BEGIN HIDDEN'),
        ({"outputs": [{"text": "42"}]}, "holds outputs"),
    ],
)
def test_an_exercise_that_was_filled_in_is_not_released(course, tmp_path, cell, said):
    write_exercise(course, **cell)
    with pytest.raises(ClassError, match=f"02_batch_norm_forward.ipynb {said}"):
        release(course, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_lesson_with_a_solution_in_it_is_not_released(course, tmp_path):
    write_exercise(course, "notebooks", source=["### BEGIN SOLUTION"])
    with pytest.raises(ClassError, match="BEGIN SOLUTION"):
        release(course, tmp_path / "out")


@pytest.mark.parametrize("name", ["exercises", "pyproject.toml"])
def test_what_is_no_course_is_refused(course, tmp_path, name):
    path = course / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(ClassError, match=f"no checkout of the course: {name} missing"):
        release(course, tmp_path / "out")


def test_a_course_without_exercises_is_refused(course, tmp_path):
    (course / "exercises" / "02_batch_norm_forward.ipynb").unlink()
    with pytest.raises(ClassError, match="holds no notebooks"):
        release(course, tmp_path / "out")


def test_the_command(course, tmp_path, monkeypatch):
    (course / "notebooks" / "00_start_here.ipynb").write_text(json.dumps({"cells": []}))
    monkeypatch.chdir(course)
    result = CliRunner().invoke(normlab, ["release", str(tmp_path / "out.zip")])
    assert result.exit_code == 0, result.output
    assert "1 exercises, 1 lessons and the package are in" in result.output
    again = CliRunner().invoke(normlab, ["release", str(tmp_path / "out.zip")])
    assert again.exit_code == 1
    assert "is there already" in again.output


# ---- only what is taught


def test_only_the_lessons_that_are_taught_with_no_link_to_the_others(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    out = tmp_path / "week-1"
    result = CliRunner().invoke(normlab, ["release", str(out), "--lessons", "2,03,05"])
    assert result.exit_code == 0, result.output
    assert "3 exercises, 4 lessons and the package" in result.output
    for path in [*out.glob("notebooks/*.ipynb"), *out.glob("exercises/*.ipynb")]:
        assert path.name[:2] in ("00", "02", "03", "05")
        for cell in json.loads(path.read_text())["cells"]:
            for link in re.findall(r"\]\(([\w./-]+\.ipynb)", "".join(cell["source"])):
                assert (path.parent / link).exists(), (path, link)
    code = "from normlab.exercises import progress; print(progress().max_points)"
    counted = subprocess.run(
        [sys.executable, "-c", code], cwd=out, capture_output=True, text=True, check=True
    )
    here = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert 0 < int(counted.stdout) < int(here.stdout)


def test_the_lessons_may_stand_in_the_teachers_file_and_have_to_be_there(tmp_path, monkeypatch):
    def run(text):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "course.toml").write_text(text)
        return CliRunner().invoke(normlab, ["release", str(tmp_path / "out")])

    assert "There is no lesson 77" in run('lessons = ["77"]').output
    assert "course.toml" in run("lessons = [").output
    assert "1 exercises, 2 lessons" in run('lessons = ["06"]').output


def sections(path):
    cells = json.loads(path.read_text())["cells"]
    return re.findall(r"^## (.+)$", "\n".join("".join(c["source"]) for c in cells), re.MULTILINE)


def test_a_task_that_is_left_out_is_in_no_notebook_and_not_counted(tmp_path, monkeypatch):
    """The second of exercise 04, whose others stay as they are, under their own numbers."""
    monkeypatch.chdir(tmp_path)
    exercise = "04_batch_norm_backward"
    first, left_out, *others = contents()[exercise]
    (tmp_path / "course.toml").write_text(f'[04]\nleave_out = ["{left_out}"]\n')
    monkeypatch.setattr("normlab.cli.release.find_course", lambda _: ROOT)
    done = CliRunner().invoke(normlab, ["release", "out"])
    assert done.exit_code == 0, done.output
    made, whole = (
        folder / "exercises" / f"{exercise}.ipynb" for folder in (tmp_path / "out", ROOT)
    )
    before = sections(whole)
    assert sections(made) == [name for name in before if not name.startswith("Task 2")]
    text = made.read_text()
    assert left_out not in re.findall(r"\w+", text)
    assert all(f"def {name}(" in text for name in (first, *others))
    head = "".join(json.loads(text)["cells"][0]["source"])
    rows = re.findall(r"^\| (\d) \|.* (\d+) \| \d+ \|$", head, re.MULTILINE)
    assert [number for number, _ in rows] == [str(n) for n in (1, *range(3, 3 + len(others)))]
    assert (
        f"{1 + len(others)} tasks · about {sum(int(n) for _, n in rows)} minutes"
        in head.replace("one task", "1 tasks")
    )
    lesson = (tmp_path / "out" / "notebooks" / f"{exercise}.ipynb").read_text()
    assert "04, task 2" not in lesson
    counted = tomllib.loads((tmp_path / "out/normlab/tasks/contents.toml").read_text())
    assert counted["exercises"][exercise] == [first, *others]


def test_the_last_task_can_be_left_out_too(tmp_path):
    exercise = "02_batch_norm_forward"
    *others, last = contents()[exercise]
    release(ROOT, tmp_path / "out", (), [last])
    made, whole = (
        folder / "exercises" / f"{exercise}.ipynb" for folder in (tmp_path / "out", ROOT)
    )
    gone = set(sections(whole)) - set(sections(made))
    assert [name.split(":")[0] for name in gone] == [f"Task {len(others) + 1}"]
    assert sections(made)[-1] == sections(whole)[-1]
