"""A newer course comes by `make course`, git, a wheel or a bundle, and what one wrote stays."""

import importlib.util
import json
import multiprocessing
import subprocess
import sys
import zipfile
from pathlib import Path

import click
import nbformat
import pytest
from click.testing import CliRunner

from normlab.cli import keeping, lab, update
from normlab.cli.main import normlab
from normlab.grading.class_.release import release

ROOT = Path(__file__).parents[2]
specification = importlib.util.spec_from_file_location("build", ROOT / "source" / "build.py")
build = importlib.util.module_from_spec(specification)
specification.loader.exec_module(build)

NOTES, ANSWER = "My notes of lesson 01.", "def standardize(x):\n    return 'MY ANSWER'"
FIRST, LESSON, EXERCISE = lab.FIRST_LESSON, "notebooks/01_scale.ipynb", "exercises/01_scale.ipynb"
NAMES = (FIRST, LESSON, EXERCISE)


def made_notebook(version):
    cells = [
        nbformat.v4.new_markdown_cell(f"# Lesson, version {version}", id="cell-00"),
        nbformat.v4.new_code_cell(
            "def standardize(x):\n    raise NotImplementedError", id="cell-01"
        ),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    keeping.stamp(notebook)
    return nbformat.writes(notebook).encode()


def write_course(folder, version):
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(made_notebook(version))


def change(path, how):
    notebook = nbformat.read(path, as_version=4)
    how(notebook)
    nbformat.write(notebook, path)


def fill_in(course):
    """Write notes into a lesson, an answer into an exercise; only run the first lesson."""
    change(course / LESSON, lambda book: book.cells.append(nbformat.v4.new_markdown_cell(NOTES)))
    change(course / EXERCISE, lambda book: book.cells[1].update(source=ANSWER))
    change(course / FIRST, run_in_jupyterlab)


def run_in_jupyterlab(book):
    book.cells[1].update(
        execution_count=7,
        outputs=[nbformat.v4.new_output("stream", text="I ran this")],
        metadata={"execution": {"shell.execute_reply": "2026"}},
    )
    book.metadata.language_info = {"name": "python", "version": "3.12.1"}
    book.cells.append(nbformat.v4.new_code_cell(""))  # as Shift-Enter does in the last cell


def contents(course):
    return {
        path.relative_to(course).as_posix(): path.read_text()
        for folder in ("exercises", "notebooks")
        for path in (course / folder).iterdir()
    }


def assert_nothing_is_lost_and_all_is_new(course, version):
    now = contents(course)
    assert sorted(now) == sorted([*NAMES, *(name.replace(".", ".new.") for name in NAMES[1:])])
    assert NOTES in now[LESSON]
    assert "MY ANSWER" in now[EXERCISE]
    for name in (FIRST, *(name.replace(".", ".new.") for name in NAMES[1:])):
        assert now[name].encode() == made_notebook(version), name


def says_what_lies_beside(said):
    (line,) = (line for line in said.splitlines() if "You have written in" in line)
    assert "notebooks/01_scale.new.ipynb" in line
    assert "exercises/01_scale.new.ipynb" in line
    return True


# ---- a wheel


@pytest.fixture
def packed(tmp_path, monkeypatch):
    folder = tmp_path / "site-packages"
    write_course(folder, 1)
    monkeypatch.setattr(lab, "_PACKED", folder)
    return folder


@pytest.fixture
def home(tmp_path, packed):
    folder = tmp_path / "home"
    folder.mkdir()
    lab.bring_course(folder)
    return folder


def test_the_second_start_after_an_upgrade_brings_what_is_new(packed, home, capsys):
    fill_in(home)
    write_course(packed, 2)
    capsys.readouterr()
    lab.bring_course(home)
    said = capsys.readouterr().out
    assert f"New in {home}: {FIRST}." in said
    assert says_what_lies_beside(said)
    assert_nothing_is_lost_and_all_is_new(home, 2)
    lab.bring_course(home)
    assert capsys.readouterr().out == ""
    assert_nothing_is_lost_and_all_is_new(home, 2)


def test_without_an_upgrade_a_lesson_that_was_run_keeps_its_outputs(packed, home, capsys):
    fill_in(home)
    before = contents(home)
    capsys.readouterr()
    lab.bring_course(home)
    assert contents(home) == before
    assert capsys.readouterr().out == ""


def test_the_third_version_replaces_the_second_that_lies_beside(packed, home):
    fill_in(home)
    for version in (2, 3):
        write_course(packed, version)
        lab.bring_course(home)
    assert_nothing_is_lost_and_all_is_new(home, 3)


def test_work_in_the_newer_one_beside_is_work_as_well(packed, home):
    fill_in(home)
    write_course(packed, 2)
    lab.bring_course(home)
    newer = home / EXERCISE.replace(".", ".new.")
    change(newer, lambda book: book.cells[1].update(source="MY SECOND ANSWER"))
    lab.bring_course(home)
    write_course(packed, 3)
    lab.bring_course(home)
    assert "MY ANSWER" in (home / EXERCISE).read_text()
    assert "MY SECOND ANSWER" in newer.read_text()
    assert (home / EXERCISE.replace(".", ".new-2.")).read_bytes() == made_notebook(3)


@pytest.mark.parametrize(
    "touch",
    [
        lambda book: book.cells[0].update(source="# Lesson, version 1!"),
        lambda book: book.cells.insert(0, nbformat.v4.new_code_cell("1")),
        lambda book: book.cells.pop(),
        lambda book: book.cells.reverse(),
        lambda book: book.cells[0].update(cell_type="raw"),
        lambda book: book.cells[0].update(attachments={"me.png": {"image/png": "aGk="}}),
        lambda book: book.metadata.pop("normlab") and book.cells[0].update(source="mine"),
    ],
    ids=["a word", "a new cell", "a cell less", "order", "kind", "a picture", "saved elsewhere"],
)
def test_whatever_is_changed_in_a_notebook_stays(packed, home, touch):
    change(home / EXERCISE, touch)
    mine = (home / EXERCISE).read_bytes()
    write_course(packed, 2)
    lab.bring_course(home)
    assert (home / EXERCISE).read_bytes() == mine
    assert (home / EXERCISE.replace(".", ".new.")).read_bytes() == made_notebook(2)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"cells": 3}', b"\xff\xfe\x00", b"<<<<<<< HEAD\n{}"]
)
def test_a_file_that_is_no_notebook_stays(packed, home, content):
    (home / EXERCISE).write_bytes(content)
    write_course(packed, 2)
    lab.bring_course(home)
    assert (home / EXERCISE).read_bytes() == content
    assert (home / EXERCISE.replace(".", ".new.")).read_bytes() == made_notebook(2)


def test_a_notebook_that_another_editor_saved_untouched_is_known_by_what_it_says(packed, home):
    change(home / EXERCISE, lambda book: book.metadata.pop("normlab"))
    lab.bring_course(home)
    assert sorted(contents(home)) == sorted(NAMES)


@pytest.mark.skipif(sys.platform == "win32", reason="makes a symbolic link")
def test_a_lesson_that_is_a_link_stays_one(packed, home, tmp_path):
    (home / LESSON).rename(tmp_path / "elsewhere.ipynb")
    (home / LESSON).symlink_to(tmp_path / "elsewhere.ipynb")
    write_course(packed, 2)
    lab.bring_course(home)
    assert (home / LESSON).is_symlink()
    assert (tmp_path / "elsewhere.ipynb").read_bytes() == made_notebook(2)


def test_an_upgrade_that_cannot_be_written_is_one_sentence(packed, home, monkeypatch):
    def read_only(*_):
        raise OSError(30, "Read-only file system")

    write_course(packed, 2)
    monkeypatch.setattr(keeping, "write_whole", read_only)
    with pytest.raises(click.ClickException, match="Read-only file system"):
        lab.bring_course(home)
    assert (home / EXERCISE).read_bytes() == made_notebook(1)


def exit_codes_of(number, target, argument):
    """Call a function in so many processes at the same moment; return how they ended."""
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=target, args=(argument,)) for _ in range(number)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def start_again(home):
    lab.bring_course(home)


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_two_starts_at_the_same_moment_bring_one_of_each(packed, home):
    fill_in(home)
    write_course(packed, 2)
    assert exit_codes_of(8, start_again, home) == [0] * 8
    assert_nothing_is_lost_and_all_is_new(home, 2)


# ---- a clone


def git(folder, *arguments):
    identity = ["-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "commit.gpgsign=0"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def commit(folder, message):
    git(folder, "add", "--all")
    git(folder, "commit", "--message", message)


@pytest.fixture
def origin(tmp_path):
    folder = tmp_path / "origin"
    write_course(folder, 1)
    (folder / "README.md").write_text("version 1")
    (folder / ".gitignore").write_text(".normlab/\n*.new.ipynb\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "The course")
    return folder


@pytest.fixture
def clone(origin, tmp_path, monkeypatch):
    git(tmp_path, "clone", "--quiet", str(origin), "clone")
    monkeypatch.chdir(tmp_path / "clone")
    for name, value in {"NAME": "me", "EMAIL": "me@example.org"}.items():
        for who in ("AUTHOR", "COMMITTER"):
            monkeypatch.setenv(f"GIT_{who}_{name}", value)
    return tmp_path / "clone"


def publish(origin, version):
    write_course(origin, version)
    (origin / "README.md").write_text(f"version {version}")
    commit(origin, f"Version {version}")


def run_update(*arguments):
    return CliRunner().invoke(normlab, ["update", *arguments])


@pytest.mark.parametrize("when", ["saved", "staged", "committed", "committed and saved again"])
def test_git_brings_the_new_lessons_and_keeps_what_was(origin, clone, when):
    fill_in(clone)
    if when == "staged":
        git(clone, "add", "--all")
    elif when.startswith("committed"):
        commit(clone, "My work")
    if when.endswith("again"):
        change(clone / EXERCISE, lambda book: book.cells.append(nbformat.v4.new_raw_cell("more")))
    mine = (clone / EXERCISE).read_bytes()
    publish(origin, 2)
    result = run_update()
    assert result.exit_code == 0, result.output
    assert says_what_lies_beside(result.output)
    assert (clone / "README.md").read_text() == "version 2"
    assert (clone / EXERCISE).read_bytes() == mine
    if when == "saved":
        assert_nothing_is_lost_and_all_is_new(clone, 2)
    assert NOTES in (clone / LESSON).read_text()
    for name in NAMES[1:]:
        assert (clone / name.replace(".", ".new.")).read_bytes() == made_notebook(2)
    assert run_update().output == "The course is up to date.\n"
    publish(origin, 3)
    run_update()
    assert (clone / EXERCISE).read_bytes() == mine
    assert (clone / EXERCISE.replace(".", ".new.")).read_bytes() == made_notebook(3)


def test_a_plain_pull_refuses_rather_than_lose_and_update_goes_on_from_there(origin, clone):
    fill_in(clone)
    publish(origin, 2)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        git(clone, "pull", "--ff-only")
    assert "commit your changes or stash them" in refused.value.stderr
    run_update()
    assert_nothing_is_lost_and_all_is_new(clone, 2)


def test_where_git_cannot_merge_all_is_as_it_was(origin, clone):
    fill_in(clone)
    before = contents(clone)
    (clone / "README.md").write_text("mine")
    publish(origin, 2)
    result = run_update()
    assert result.exit_code == 1
    assert "git merge could not: error: Your local changes to the following files" in result.output
    assert contents(clone) == before
    assert (clone / "README.md").read_text() == "mine"
    git(clone, "diff", "--quiet", "--cached")


@pytest.mark.parametrize("left", ["origin is gone", "no upstream"])
def test_without_an_upstream_it_is_one_sentence(origin, clone, left):
    fill_in(clone)
    before = contents(clone)
    if left == "no upstream":
        git(clone, "switch", "--quiet", "--create", "mine")
    else:
        origin.rename(origin.with_name("moved"))
    result = run_update()
    assert result.exit_code == 1
    assert result.output.startswith("Error: git ")
    assert result.output.count("\n") == 1
    assert contents(clone) == before


def test_an_update_that_was_killed_gives_back_what_it_put_aside(origin, clone, monkeypatch):
    def killed(*_):
        raise SystemExit  # and what follows it does not happen either

    fill_in(clone)
    publish(origin, 2)
    with monkeypatch.context() as patch:
        patch.setattr(update, "_merge", killed)
        patch.setattr(update, "_put_back", lambda *_: None)
        run_update()
    assert "MY ANSWER" not in (clone / EXERCISE).read_text()
    run_update()
    assert_nothing_is_lost_and_all_is_new(clone, 2)


def test_work_begun_again_after_a_kill_and_the_work_before_it_both_stay(origin, clone, monkeypatch):
    fill_in(clone)
    publish(origin, 2)
    with monkeypatch.context() as patch:
        patch.setattr(update, "_put_back", lambda *_: None)
        run_update()
    change(clone / EXERCISE, lambda book: book.cells[1].update(source="MY SECOND ANSWER"))
    run_update()
    assert "MY SECOND ANSWER" in (clone / EXERCISE).read_text()
    assert "MY ANSWER" in (clone / EXERCISE.replace(".", ".before.")).read_text()


# ---- a bundle


def write_checkout(folder, version):
    write_course(folder, version)
    (folder / "normlab" / "sub").mkdir(parents=True, exist_ok=True)
    for name in ("normlab/__init__.py", "normlab/sub/code.py", "pyproject.toml", "LICENSE"):
        (folder / name).write_text(f"version = {version}")
    for name in ("LICENSE-TEXT.md", "constraints.txt", "environment.yml"):
        (folder / name).touch()


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """Return the folder of a student's bundle, and a function that makes the next one."""

    def make(version, out):
        write_checkout(tmp_path / "checkout", version)
        release(tmp_path / "checkout", tmp_path / out)
        return tmp_path / out

    course = make(1, "mine")
    monkeypatch.chdir(course)
    return course, make


@pytest.mark.parametrize("out", ["newer.zip", "newer"])
def test_a_newer_bundle_comes_into_the_folder_of_the_older_one(bundle, out):
    course, make = bundle
    fill_in(course)
    (course / "mine.txt").write_text("my file")
    (course / "normlab" / "sub" / "code.py").write_text("my change")
    result = run_update(str(make(2, out)))
    assert result.exit_code == 0, result.output
    assert says_what_lies_beside(result.output)
    assert "Now run `python -m pip install -c constraints.txt .` here" in result.output
    assert_nothing_is_lost_and_all_is_new(course, 2)
    assert (course / "mine.txt").read_text() == "my file"
    assert (course / "normlab" / "sub" / "code.py").read_text() == "version = 2"
    assert (course / ".normlab/before-1/normlab/sub/code.py").read_text() == "my change"
    assert not list(course.glob(".update-*"))


def test_an_update_that_was_killed_between_two_files_is_done_again(bundle, monkeypatch):
    course, make = bundle
    fill_in(course)
    newer = make(2, "newer.zip")
    calls = iter([None, None, SystemExit()])

    def copy(source, target, copyfile=update.shutil.copyfile):
        end = next(calls, None)
        if end:
            raise end
        return copyfile(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(update.shutil, "copyfile", copy)
        run_update(str(newer))
    (course / ".update-killed" / "normlab").mkdir(parents=True)  # SIGKILL clears nothing away
    assert run_update(str(newer)).exit_code == 0
    assert_nothing_is_lost_and_all_is_new(course, 2)
    assert (course / "normlab" / "__init__.py").read_text() == "version = 2"
    assert not list(course.glob(".update-*"))


def update_with(newer):
    sys.exit(run_update(newer).exit_code)


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_updates_at_the_same_moment_take_turns(bundle):
    course, make = bundle
    fill_in(course)
    assert exit_codes_of(4, update_with, str(make(2, "newer.zip"))) == [0] * 4
    assert_nothing_is_lost_and_all_is_new(course, 2)
    assert (course / "normlab" / "sub" / "code.py").read_text() == "version = 2"


@pytest.mark.parametrize("newer", ["none", "text", "other zip", "empty", "itself"])
def test_what_is_no_bundle_is_refused_in_one_sentence(bundle, tmp_path, newer):
    course, _ = bundle
    before = contents(course)
    path = tmp_path / "newer"
    if newer == "text":
        path.write_text("no zip")
    elif newer == "other zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/b.txt", "c")
    elif newer == "empty":
        path.mkdir()
    arguments = {"none": [], "itself": ["."]}.get(newer, [str(path)])
    result = run_update(*arguments)
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert contents(course) == before


# ---- make course


SOURCE = """# %% [markdown]
# # An exercise, version {version}

# %% nbgrader={{"grade": false, "grade_id": "standardize", "locked": false, "schema_version": 3, \
"solution": true, "task": false}}
def standardize(x):
    ### BEGIN SOLUTION
    return x
    ### END SOLUTION
"""


@pytest.fixture
def workshop(tmp_path, monkeypatch):
    """Let build.py have one lesson and one exercise."""
    for name in ("source/lessons", "source/exercises", "notebooks", "exercises", "solutions"):
        (tmp_path / name).mkdir(parents=True)
    lessons, exercises = tmp_path / "source" / "lessons", tmp_path / "source" / "exercises"
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "SHOWN_IN", {lessons: tmp_path / "notebooks"})
    monkeypatch.setattr(build, "execute", lambda notebook, folder: notebook)

    def make(version, overwrite=False):
        for source in (lessons / "01_scale.py", exercises / "01_scale.py"):
            source.write_text(SOURCE.format(version=version))
            build.build(source, overwrite)

    make(1)
    return tmp_path, make


def test_make_course_leaves_what_somebody_has_written_in_and_says_so(workshop, capsys):
    course, make = workshop
    change(course / EXERCISE, lambda book: book.cells[2].update(source=ANSWER))
    change(course / LESSON, lambda book: book.cells.append(nbformat.v4.new_markdown_cell(NOTES)))
    capsys.readouterr()
    make(2)
    said = capsys.readouterr().err
    for name in (EXERCISE, LESSON):
        new = name.replace(".", ".new.")
        assert f"{name}: somebody has written in it since it was made, so it stays, and the" in said
        assert f"new one is {new}." in said
        assert "version 2" in (course / new).read_text()
    assert "MY ANSWER" in (course / EXERCISE).read_text()
    assert NOTES in (course / LESSON).read_text()
    make(3)
    assert "version 3" in (course / EXERCISE.replace(".", ".new.")).read_text()
    assert len(contents(course)) == 4


def test_make_course_replaces_what_nobody_has_written_in_without_a_word(workshop, capsys):
    course, make = workshop
    change(course / EXERCISE, run_in_jupyterlab)
    make(2)
    assert capsys.readouterr().err == ""
    for name in (EXERCISE, LESSON):
        assert "version 2" in (course / name).read_text()
    assert len(contents(course)) == 2


def test_a_maintainer_can_have_the_new_one_in_its_place(workshop):
    course, make = workshop
    (course / EXERCISE).write_text("<<<<<<< HEAD\n=======\n>>>>>>> theirs\n")
    make(2, overwrite=True)
    assert "version 2" in (course / EXERCISE).read_text()
    assert len(contents(course)) == 2


def test_every_notebook_of_the_course_is_as_it_was_made():
    made = [path for path in ROOT.glob("*/[0-9][0-9]_*.ipynb") if path.parent.name != ".venv"]
    assert len(made) >= 30
    for path in [*made, ROOT / "docs" / "gallery.ipynb"]:
        assert keeping.is_as_made(path), f"{path}: run source/build.py --overwrite {path.stem}"
        assert json.loads(path.read_bytes())["metadata"]["normlab"]["made"]
