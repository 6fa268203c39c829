"""Make the students' bundle: lessons, exercises and the package, and no solutions.

What a student can read in it, and what grading does not depend on, `README.md` of the bundle says.
"""

import contextlib
import functools
import json
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from normlab import __version__
from normlab.exercises import finding, own
from normlab.exercises.loading import TaskError, contents
from normlab.grading.class_ import ClassError

#: The name of the folder inside a zip.
FOLDER = "normlab-course"

# What `pip install .` and conda need, and the licences.
_FILES = ("LICENSE", "LICENSE-TEXT.md", "constraints.txt", "environment.yml", "pyproject.toml")
_NOTEBOOKS = ("exercises", "notebooks")
_PACKAGE = "normlab"
_NOT_COPIED = ("__pycache__", "*.pyc", ".*")
# nbgrader's marks around what is cut out of a source.
_MARKS = ("BEGIN SOLUTION", "BEGIN HIDDEN TESTS")
_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
_LINK = re.compile(r"\[([^\[\]]+)\]\(([\w./-]+\.ipynb)(?:#[^)]*)?\)")
_NUMBERED = re.compile(r"## Task (\d)")
_OPEN = "NotImplementedError"


def release(
    course: Path | None,
    out: Path,
    lessons: Collection[str] = (),
    left_out: Collection[str] = (),
) -> list[Path]:
    """Write the bundle, with the teacher's own exercises; return what is in it, in order.

    `course` is the checkout, or None for the own exercises alone; `out` a folder that is new or
    empty, or a zip where its name ends so; `lessons` the numbers of those that are taught, "02", or
    none for all; and `left_out` the tasks that the exercises go without. It is a ClassError where
    something is missing, an exercise notebook is filled in, or `out` holds something already.
    """
    if course:
        _look_at(course)
    with made_at_once(out, out.suffix.lower() == ".zip", FOLDER) as bundle:
        if course:
            _copy(course, bundle)
            for stem, tasks in contents().items():
                for task in set(left_out).intersection(tasks):
                    _leave_task_out(bundle, stem, task)
            if lessons:
                _leave_out(bundle, {"00", *lessons})
        _add_own(bundle)
        return _files_in(bundle)


@contextlib.contextmanager
def made_at_once(out: Path, as_zip: bool, inside: str = "") -> Iterator[Path]:
    """Lend a new folder; what is in it afterwards becomes `out`, or a zip there, at once.

    In the zip the files are in a folder of the name `inside`, or in none.
    """
    if out.exists() and (as_zip or not out.is_dir() or any(out.iterdir())):
        raise ClassError(f"{out} is there already. Remove it, or choose another name.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".release-") as scratch:
        made, unfinished = Path(scratch) / "made", Path(scratch) / "made.zip"
        made.mkdir()
        yield made
        if as_zip:
            with zipfile.ZipFile(
                unfinished, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False
            ) as archive:
                for file in _files_in(made):
                    archive.write(made / file, Path(inside, file).as_posix())
        elif out.exists():
            out.rmdir()
        os.replace(unfinished if as_zip else made, out)


def _files_in(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def _look_at(course: Path) -> None:
    """See that all is there, and that no exercise is filled in."""
    missing = [name for name in (*_FILES, *_NOTEBOOKS, _PACKAGE) if not (course / name).exists()]
    if missing:
        raise ClassError(
            f"{course} is no checkout of the course: {', '.join(missing)} missing. Run this in "
            "the folder that you cloned."
        )
    if not list((course / "exercises").glob("*.ipynb")):
        raise ClassError(f"{course / 'exercises'} holds no notebooks. Run `make course`.")
    for path in _notebooks(course):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if trace := _trace_of_a_solution(cell, in_exercise=path.parent.name == "exercises"):
                raise ClassError(
                    f"{path.relative_to(course)} {trace}. Run `make course`, or take the "
                    "committed file back, and release that."
                )


def _notebooks(course: Path) -> Iterator[Path]:
    for folder in _NOTEBOOKS:
        yield from sorted((course / folder).glob("*.ipynb"))


def _trace_of_a_solution(cell: dict, in_exercise: bool) -> str:
    """Say what in a cell should not go to students; "" where there is nothing."""
    source = "".join(cell["source"])
    for mark in _MARKS:
        if mark in source:
            return f'holds "{mark}"'
    if not in_exercise:
        return ""
    if cell["metadata"].get("nbgrader", {}).get("solution") and _OPEN not in source:
        name = cell["metadata"]["nbgrader"].get("grade_id", "a cell")
        return f"holds an answer to {name}"
    return "holds outputs" if cell.get("outputs") else ""


def _leave_out(bundle: Path, lessons: Collection[str]) -> None:
    """Take out the other lessons, their exercises and the links to them."""
    there = {path.name.partition("_")[0] for path in _notebooks(bundle)}
    if unknown := sorted(set(lessons) - there):
        raise ClassError(f"There is no lesson {unknown[0]}. There are: {', '.join(sorted(there))}.")
    for path in list(_notebooks(bundle)):
        if path.name.partition("_")[0] not in lessons:
            path.unlink()
    for path in _notebooks(bundle):
        _replace_words(path, _LINK, functools.partial(_link, path.parent))
    # What `normlab progress` counts.
    given_out = bundle / _PACKAGE / "tasks" / "lessons.txt"
    given_out.parent.mkdir(exist_ok=True)
    given_out.write_text("\n".join(sorted(lessons)) + "\n")


def _leave_task_out(bundle: Path, stem: str, task: str) -> None:
    """Take a task out of its exercise, its lesson's table and what progress counts."""
    exercise, lesson = (bundle / folder / f"{stem}.ipynb" for folder in _NOTEBOOKS)
    notebook = _read(exercise)
    cells = notebook["cells"]
    starts = [number for number, cell in enumerate(cells) if _heading(cell)]
    ids = [cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in cells]
    own = ids.index(task)
    start = max(number for number in starts if number < own)
    end = min([number for number in starts if number > own], default=len(cells))
    named = _NUMBERED.match(_heading(cells[start]))
    del cells[start:end]
    if named:
        _mend_head(cells[0], named[1])
    _write(notebook, exercise)
    if named and lesson.exists():
        row = rf"(?m)^\| [^|\n]*\b{stem[:2]}, task {named[1]}\b.*\|\n?"
        _replace_words(lesson, row, "")
    told = bundle / _PACKAGE / "tasks" / "contents.toml"
    text = told.read_text(encoding="utf-8")
    told.write_text(re.sub(rf'"{task}"(, )?', "", text), encoding="utf-8")


def _mend_head(cell: dict[str, Any], number: str) -> None:
    """Take a task's row out of an exercise's first cell, and count tasks and minutes anew."""
    text = re.sub(rf"(?m)^\| {number} \|.*\n", "", "".join(cell["source"]))
    minutes = [int(found) for found in re.findall(r"(?m)^\| \d \|.*\| (\d+) \| \d+ \|$", text)]
    tasks = "one task" if len(minutes) == 1 else f"{len(minutes)} tasks"
    text = re.sub(r"\w+ tasks · about \d+ minutes", f"{tasks} · about {sum(minutes)} minutes", text)
    _say(cell, text)


def _heading(cell: dict[str, Any]) -> str:
    """Return a section's heading, where a cell begins with one."""
    text = "".join(cell["source"])
    return text if cell["cell_type"] == "markdown" and text.startswith("## ") else ""


def _replace_words(
    path: Path, found: str | re.Pattern[str], new: str | Callable[[re.Match[str]], str]
) -> None:
    """Replace what is found in a notebook's text cells."""
    notebook = _read(path)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            _say(cell, re.sub(found, new, "".join(cell["source"])))
    _write(notebook, path)


def _say(cell: dict[str, Any], text: str) -> None:
    cell["source"] = text.splitlines(keepends=True)


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _write(notebook: dict[str, Any], path: Path) -> None:
    text = json.dumps(notebook, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _link(folder: Path, link: re.Match[str]) -> str:
    """Return a link as it is, or its words alone where what it leads to is not given out."""
    return link[0] if (folder / link[2]).exists() else f"{link[1]} (not in this course)"


def _add_own(bundle: Path) -> None:
    """Write the notebook of each own exercise, and its file, which the check reads, beside it."""
    import jupytext  # here, since it takes as long to import as all else

    tasks = bundle / "exercises" / "tasks"
    for file in own.files():
        try:
            if not [finding.find_in(file, name) for name in own.names_in(file)]:
                continue  # a helper, and no exercise
            notebook = jupytext.reads(own.for_students(file), fmt="py:percent")
        except TaskError as error:
            raise ClassError(str(error)) from error
        if file.stem in contents() or (tasks / file.name).exists():
            raise ClassError(f"{file}: there is an exercise {file.stem} already. Rename this one.")
        notebook.metadata = {"kernelspec": _KERNEL, "language_info": {"name": "python"}}
        for number, cell in enumerate(notebook.cells):
            cell.id = f"cell-{number:02d}"
        tasks.mkdir(parents=True, exist_ok=True)
        jupytext.write(notebook, tasks.with_name(f"{file.stem}.ipynb"))
        shutil.copyfile(file, tasks / file.name)


def copy_package(course: Path, folder: Path) -> None:
    """Copy what `pip install` needs, without a README.md."""
    for name in _FILES:
        shutil.copyfile(course / name, folder / name)
    ignored = shutil.ignore_patterns(*_NOT_COPIED)
    shutil.copytree(course / _PACKAGE, folder / _PACKAGE, ignore=ignored)


def _copy(course: Path, bundle: Path) -> None:
    copy_package(course, bundle)
    for folder in _NOTEBOOKS:
        (bundle / folder).mkdir()
    for path in _notebooks(course):
        shutil.copyfile(path, bundle / path.relative_to(course))
    template = Path(__file__).parent / "templates" / "student_readme.md"
    text = template.read_text(encoding="utf-8").replace("VERSION", __version__)
    (bundle / "README.md").write_text(text, encoding="utf-8")
