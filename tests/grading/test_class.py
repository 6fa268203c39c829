"""A class over a term: what counts, who is gone, names that look the same, and what goes wrong."""

import csv
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from normlab.grading import Status, tasks_of
from normlab.grading.class_.gradebook import Gradebook, Terms, only_run
from normlab.grading.class_.reports import labels, looks, page_names, without_formula
from normlab.grading.judge.feedback import refused

FORWARD, LAYER, INSTANCE = "02_batch_norm_forward", "06_layer_norm", "07_instance_norm"
NORMLAB = [sys.executable, "-m", "normlab"]


def whole(*exercises):
    """Say that all points are there."""
    return f"{most(*exercises)} of {most(*exercises)}"


def most(*exercises):
    """Return how many points there are in some exercises."""
    return sum(task.max_points for exercise in exercises for task in tasks_of(exercise))


@pytest.fixture
def hand_in(tmp_path, write_notebook):
    """Return a function that writes the work of students, with all points, and its folder."""

    def write(**work):
        for student, exercises in work.items():
            for exercise in exercises:
                write_notebook(tmp_path / "all" / student / f"{exercise}.ipynb", "# be right")
        return tmp_path / "all"

    return write


@pytest.fixture
def grade(tmp_path, normlab_command):
    """Return a function that grades the folder into another, and what was said."""

    def run(*options, out=tmp_path / "out"):
        return normlab_command("grade", tmp_path / "all", "-o", out, "--jobs", 1, *options)

    return run


def total(out, student):
    page = (out / "feedback" / f"{student}.html").read_text()
    return page.partition("<p>")[2].partition(" points")[0]


# ---- what is set


def test_one_stray_notebook_changes_nobodys_total(hand_in, grade, tmp_path, normlab_command):
    hand_in(ann=[FORWARD], bob=[FORWARD, INSTANCE], carl=[FORWARD], dora=[LAYER, FORWARD])
    said = grade().output
    assert f"Counted, which most have handed in: {FORWARD} (4)." in said
    assert f"apart and not counted: {LAYER} (1), {INSTANCE} (1). `--set` says otherwise" in said
    out = tmp_path / "out"
    assert {total(out, name) for name in ("ann", "bob", "carl", "dora")} == {whole(FORWARD)}
    bob = (out / "feedback" / "bob.html").read_text()
    assert f"{INSTANCE}: {whole(INSTANCE)} points, which do not count: it is not set" in bob
    index = (out / "index.html").read_text()
    assert f"The median is {whole(FORWARD)} points" in index
    counted, _, apart = index.partition("Handed in, and not set")
    assert INSTANCE not in counted
    assert f"<td>{INSTANCE}</td>" in apart
    with (out / "grades.csv").open(newline="") as file:
        assert {row["exercise"] for row in csv.DictReader(file)} == {FORWARD}
    exported = normlab_command("export", out, "--to", "csv")
    assert f"Not set, and not in it: {LAYER}, {INSTANCE}." in exported.stderr
    assert (out / "points.csv").read_text().splitlines()[:2] == [
        f"student,{FORWARD},total,max_total,not_judged",
        f"ann,{most(FORWARD)},{most(FORWARD)},{most(FORWARD)},",
    ]
    normlab_command("export", out, "--to", "csv", "--exercise", "07")
    bobs = ",".join(3 * [str(most(INSTANCE))])
    assert f"bob,{bobs}," in (out / "points.csv").read_text()


def test_what_is_set_is_remembered_and_can_be_taken_back(hand_in, grade, tmp_path):
    hand_in(ann=[FORWARD], bob=[FORWARD, LAYER], carl=[FORWARD])
    out = tmp_path / "out"
    assert f"as they were set: {FORWARD} (3), {LAYER} (1)." in grade("--set", "02,06").output
    assert f"as they were set: {FORWARD} (3), {LAYER} (1)." in grade().output
    both = most(FORWARD, LAYER)
    assert total(out, "ann") == f"{most(FORWARD)} of {both}"
    assert total(out, "bob") == whole(FORWARD, LAYER)
    grade("--set", "06, 07_instance_norm")
    both = most(LAYER, INSTANCE)
    assert total(out, "ann") == f"0 of {both}"
    assert total(out, "bob") == f"{most(LAYER)} of {both}"
    assert f"which most have handed in: {FORWARD} (3)." in grade("--set", "most").output
    assert "no exercise '99'" in grade("--set", "02,99").output
    assert total(out, "ann") == whole(FORWARD)


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        ({"ann": [FORWARD], "bob": [LAYER]}, [FORWARD, LAYER]),
        ({"ann": [FORWARD, LAYER]}, [FORWARD, LAYER]),
        ({"ann": [FORWARD], "bob": [FORWARD, INSTANCE]}, [FORWARD]),
        ({"ann": [FORWARD, LAYER], "bob": [LAYER], "carl": [FORWARD]}, [FORWARD, LAYER]),
        ({"ann": [], "bob": []}, []),
        ({"ann": [], "bob": [INSTANCE], "carl": []}, [INSTANCE]),
    ],
)
def test_without_a_word_those_count_that_most_handed_in(hand_in, grade, tmp_path, work, expected):
    hand_in(**work)
    for student in work:
        (tmp_path / "all" / student).mkdir(exist_ok=True, parents=True)
    assert grade().exit_code == 0
    with Gradebook(tmp_path / "out" / "gradebook.db") as gradebook:
        assert gradebook.exercises() == expected


# ---- what was handed in and not found


def test_handed_in_work_without_its_tasks_is_listed_and_what_failed_comes_first(
    hand_in, grade, tmp_path, write_notebook
):
    folder = hand_in(ann=[FORWARD], zoe=[])
    write_notebook(folder / "bob" / f"{FORWARD}.ipynb", "# be missing")
    write_notebook(folder / "dora" / f"{FORWARD}.ipynb", "# be timeout")
    (folder / "zoe").mkdir()
    grade()
    trouble = (tmp_path / "out" / "index.html").read_text().partition('<h2 id="look">')[2]
    listed = trouble.partition("</table>")[0]
    assert listed.index("dora") < listed.index("bob")
    assert f"bob/{FORWARD}.ipynb" in listed
    assert "zoe" not in listed


def test_the_page_says_which_file_was_graded_and_when_it_was_changed(hand_in, grade, tmp_path):
    path = hand_in(ann=[FORWARD]) / "ann" / f"{FORWARD}.ipynb"
    os.utime(path, (0, 0))
    grade()
    page = (tmp_path / "out" / "feedback" / "ann.html").read_text()
    assert f"<bdi>ann/{FORWARD}.ipynb</bdi>, last changed 1970-01-01 00:00." in page


# ---- who is gone


def test_who_is_gone_is_said_and_neither_counted_nor_exported(
    hand_in, grade, tmp_path, normlab_command
):
    folder, out = hand_in(ann=[FORWARD], bob=[FORWARD], Bob_Renamed=[]), tmp_path / "out"
    grade()
    (folder / "bob").rename(folder / "Bob_Renamed")
    said = grade()
    assert "Note: bob: the files are gone since an earlier run" in said.stderr
    index = (out / "index.html").read_text()
    assert "2 students handed in 2 notebooks" in index
    assert "bob: the files are gone" in index
    exported = normlab_command("export", out, "--to", "csv")
    assert "bob: the files are gone" in exported.stderr
    names = [line.split(",")[0] for line in (out / "points.csv").read_text().splitlines()]
    assert names == ["student", "Bob_Renamed", "ann"]
    (folder / "Bob_Renamed").rename(folder / "bob")
    assert "0 graded now, 2 unchanged" in grade().output  # nothing was lost
    assert "bob," in (out / "grades.csv").read_text()


def test_hand_ins_from_elsewhere_make_nobody_gone(hand_in, grade, tmp_path, normlab_command):
    hand_in(ann=[FORWARD], bob=[FORWARD])
    grade()
    (tmp_path / "late" / "carl").mkdir(parents=True)
    shutil.copy(tmp_path / "all" / "ann" / f"{FORWARD}.ipynb", tmp_path / "late" / "carl")
    late = normlab_command("grade", tmp_path / "late", "-o", tmp_path / "out", "--jobs", 1)
    assert "gone" not in late.output
    assert "gone" not in grade("--only", "ann").output + grade("--exercise", "02").output
    rows = (tmp_path / "out" / "grades.csv").read_text().count("\n")
    assert rows == 1 + 3 * len(tasks_of(FORWARD))


def test_the_points_of_a_file_that_is_gone_are_kept_and_said(hand_in, grade, tmp_path):
    folder = hand_in(ann=[FORWARD, LAYER], bob=[FORWARD, LAYER])
    grade()
    (folder / "ann" / f"{LAYER}.ipynb").unlink()
    assert f"ann, {LAYER}: graded before; the file is gone" in grade().stderr
    assert total(tmp_path / "out", "ann") == whole(FORWARD, LAYER)


def test_a_student_is_forgotten_with_the_page(hand_in, grade, tmp_path):
    folder, out = hand_in(ann=[FORWARD], bob=[FORWARD]), tmp_path / "out"
    grade()
    shutil.rmtree(folder / "bob")
    assert "no student 'bo' in" in grade("--forget", "bo").output
    assert "gone" not in grade("--forget", "bob").output
    assert os.listdir(out / "feedback") == ["ann.html"]
    with sqlite3.connect(out / "gradebook.db") as db:
        assert db.execute("SELECT DISTINCT student FROM verdicts").fetchall() == [("ann",)]


# ---- names that look the same


@pytest.mark.parametrize(
    "twin",
    [
        "Ann\u200b",
        "ANN",
        "Ann\u00ad",
        "\u2060Ann",
        "\u0410nn",
        "Ann\u3164",
        "\uff21nn",
        "A\u034fnn",
    ],
)
def test_names_that_look_the_same_are_told_apart_on_the_page(hand_in, grade, tmp_path, twin):
    hand_in(**{"Ann": [FORWARD], twin: [FORWARD], "Bob": [FORWARD]})
    assert looks(twin) == looks("Ann")
    shown = labels(["Ann", twin, "Bob"])
    assert shown["Bob"] == "Bob"
    assert len({looks(name) for name in shown.values()}) == 3
    assert len(set(map(str.casefold, page_names(["Ann", twin]).values()))) == 2
    grade()
    index = (tmp_path / "out" / "index.html").read_text()
    students = index.partition('<h2 id="students">')[2]  # above it they are listed as alike
    pages = [path.read_text() for path in (tmp_path / "out" / "feedback").iterdir()]
    for name in shown.values():
        assert students.count(f"<bdi>{name}</bdi>") == 1
        assert sum(f"Feedback for <bdi>{name}</bdi>" in page for page in pages) == 1


def test_different_names_have_no_code_behind_them():
    names = ["Ann Lee_1", "Ann Lee_2", "José", "Jose", "Анна", "علی‌رضا", "Ann"]
    assert labels(names) == {name: name for name in names}


@pytest.mark.parametrize("name", ["=1+1", "\u200b=1+1", "\ufeff@SUM", "\uff1d1+1", " +1", "-1"])
def test_no_name_is_a_formula_however_it_hides(name):
    assert without_formula(name) == f"'{name}"


# ---- what goes wrong is said in one line


def said_in_one_line(result, *words):
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.output
    for word in words:
        assert word in lines[0]


def test_two_runs_do_not_write_into_one_folder(hand_in, grade, tmp_path):
    hand_in(ann=[FORWARD])
    out = tmp_path / "out"
    out.mkdir()
    with only_run(out):
        said_in_one_line(grade(), "Another `normlab grade` is writing to", str(out))
    assert grade().exit_code == 0


def test_a_run_that_was_killed_leaves_no_lock(hand_in, grade, tmp_path):
    hand_in(ann=[FORWARD])
    (tmp_path / "out").mkdir()
    program = (
        "import sys, time; from pathlib import Path\n"
        "from normlab.grading.class_.gradebook import only_run\n"
        "with only_run(Path(sys.argv[1])): print('locked', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, tmp_path / "out"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        said_in_one_line(grade(), "Another")
        process.kill()
    assert grade().exit_code == 0


def test_two_runs_that_begin_at_once_find_one_gradebook(tmp_path, monkeypatch):
    """One once found the other's tables, just made, and took them for something else's."""
    path, real = tmp_path / "gradebook.db", Gradebook._format

    def another_is_quicker(gradebook):
        monkeypatch.setattr(Gradebook, "_format", real)
        Gradebook(path).choose_seed(5)
        return 0

    monkeypatch.setattr(Gradebook, "_format", another_is_quicker)
    with Gradebook(path) as gradebook:
        assert gradebook.choose_seed() == 5


def test_a_damaged_gradebook_is_said_to_be(hand_in, grade, tmp_path, normlab_command):
    hand_in(**{f"student{n}": [FORWARD, LAYER] for n in range(20)})
    out = tmp_path / "out"
    grade()
    content = (out / "gradebook.db").read_bytes()
    (out / "gradebook.db").write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    said_in_one_line(grade(), "the file is damaged", "gradebook.db")
    said_in_one_line(normlab_command("export", out, "--to", "csv"), "the file is damaged")
    assert (out / "grades.csv").exists()


def test_a_gradebook_that_is_no_file_is_said(hand_in, grade, tmp_path):
    hand_in(ann=[FORWARD])
    (tmp_path / "out" / "gradebook.db").mkdir(parents=True)
    said_in_one_line(grade(), "cannot be opened or made")


def test_a_gradebook_that_is_locked_is_said(hand_in, grade, tmp_path, monkeypatch):
    monkeypatch.setattr("normlab.grading.class_.gradebook._SECONDS_TO_WAIT", 0.1)
    hand_in(ann=[FORWARD])
    grade()
    with sqlite3.connect(tmp_path / "out" / "gradebook.db", isolation_level=None) as reader:
        reader.execute("BEGIN EXCLUSIVE")
        said_in_one_line(grade(), "has kept it locked")


def test_results_that_cannot_be_made_are_said(hand_in, grade, tmp_path):
    hand_in(ann=[FORWARD])
    (tmp_path / "file").touch()
    said_in_one_line(grade(out=tmp_path / "file" / "out"), "Not a directory")


def test_a_page_that_cannot_be_written_is_said(hand_in, grade, tmp_path):
    hand_in(ann=[FORWARD])
    (tmp_path / "out" / "index.html").mkdir(parents=True)
    said_in_one_line(grade(), "Every verdict that was written before is kept")


def in_a_cell(folder, *options):
    """Return the beginning of a command that sees a folder in another way, by bubblewrap."""
    wrap = ["bwrap", "--dev-bind", "/", "/", *map(str, options), "--"]
    if not shutil.which("bwrap") or subprocess.run([*wrap, "true"], check=False).returncode:
        pytest.skip("bubblewrap cannot make a file system of its own here")
    return wrap


def test_a_full_disk_is_said_and_the_same_command_goes_on(hand_in, tmp_path):
    """The real command on a real file system of 300 KB."""
    folder, out = hand_in(**{f"student{n}": [FORWARD] for n in range(150)}), tmp_path / "small"
    out.mkdir()
    wrap = in_a_cell(tmp_path, "--size", 300_000, "--tmpfs", out)
    # What is on the small disk is gone with it, so the gradebook is copied off it.
    program = f"""
import shutil, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from stand_in import use
from normlab.cli.main import main
use()
try:
    main()
finally:
    shutil.copy({str(out / "gradebook.db")!r}, {str(tmp_path / "kept.db")!r})
"""
    command = ["grade", folder, "-o", out, "--jobs", "1"]
    run = subprocess.run(
        [*wrap, sys.executable, "-c", program, *map(str, command)], capture_output=True, text=True
    )
    assert run.returncode == 1
    (line,) = [line for line in run.stderr.splitlines() if line.startswith("normlab: ")]
    assert "Traceback" not in run.stderr
    assert "full" in line or "no room" in line
    assert "the same command goes on" in line
    with Gradebook(tmp_path / "kept.db") as gradebook:
        kept = list(gradebook.entries())
        assert gradebook._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert all(entry.verdict.score == most(FORWARD) for entry in kept)
    assert 0 < len(kept) < 150


def test_a_full_folder_for_temporary_files_is_said(hand_in, tmp_path):
    folder, small = hand_in(ann=[FORWARD]), tmp_path / "small"
    small.mkdir()
    wrap = in_a_cell(tmp_path, "--size", 60_000, "--tmpfs", small, "--setenv", "TMPDIR", small)
    command = [*wrap, *NORMLAB, "grade", folder, "-o", tmp_path / "out", "--no-isolation"]
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert run.returncode == 1
    (line,) = [line for line in run.stderr.splitlines() if "notebook/s" not in line]
    assert line.startswith("normlab: ")
    assert "No space left on device" in line


def test_read_only_results_are_said(hand_in, grade, tmp_path):
    folder, out = hand_in(ann=[FORWARD]), tmp_path / "out"
    grade()
    wrap = in_a_cell(tmp_path, "--ro-bind", out, out)
    command = [*wrap, *NORMLAB, "grade", folder, "-o", out, "--regrade", "--no-isolation"]
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert line.startswith("normlab: ")
    assert "read-only" in line.lower() or "cannot be opened" in line
    export = [*wrap, *NORMLAB, "export", out, "--to", "csv", "-o", tmp_path / "points.csv"]
    assert subprocess.run(list(map(str, export)), capture_output=True).returncode == 0


# ---- an older gradebook, and an older course

FORMAT_1 = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE students (student TEXT PRIMARY KEY);
CREATE TABLE submissions (student TEXT, exercise TEXT, digest TEXT NOT NULL, modified TEXT NOT NULL,
    PRIMARY KEY (student, exercise));
CREATE TABLE verdicts (student TEXT, exercise TEXT, digest TEXT NOT NULL, seed INTEGER NOT NULL,
    version TEXT NOT NULL, timeout REAL NOT NULL, isolation TEXT NOT NULL, graded_at TEXT NOT NULL,
    verdict TEXT NOT NULL, PRIMARY KEY (student, exercise));
INSERT INTO settings VALUES ('seed', 7);
INSERT INTO students VALUES ('ann'), ('bob');
INSERT INTO submissions VALUES ('ann', '02_batch_norm_forward', 'd1', '2026-11-20T10:00:00');
PRAGMA user_version = 1;
"""


def test_an_older_gradebook_is_brought_up_to_date_and_nothing_is_lost(tmp_path):
    path = tmp_path / "gradebook.db"
    given = refused(FORWARD, Status.MEMORY, "It asked for 9 GB.")
    with sqlite3.connect(path) as db:
        db.executescript(FORMAT_1)
        row = ("ann", FORWARD, "d1", 7, "1.0", 60.0, "a box", "then", given.to_json())
        db.execute("INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    with Gradebook(path) as gradebook:
        assert gradebook.choose_seed() == 7
        ann, bob = gradebook.entries()
        assert (ann.verdict, ann.isolation) == (given, "a box")
        assert {task.status for task in bob.verdict.tasks} == {Status.MISSING}
        assert list(gradebook.needing([], Terms(7, "1.0", 60))) == []
        gradebook.set_exercises([FORWARD])
        assert list(gradebook.remarks()) == []
    with Gradebook(path) as again:
        assert len(list(again.entries())) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda verdict: {**verdict, "tasks": [{**verdict["tasks"][0], "task": "gone"}]},
        lambda verdict: {**verdict, "tasks": verdict["tasks"][:1]},
        lambda verdict: {**verdict, "tasks": 5},
        lambda verdict: {"points": 30},
        lambda verdict: {**verdict, "tasks": [{**verdict["tasks"][0], "status": "odd"}]},
        lambda verdict: [],
    ],
)
def test_a_verdict_of_another_shape_stops_nothing_and_is_made_again(
    hand_in, grade, tmp_path, normlab_command, change
):
    folder, out = hand_in(ann=[FORWARD], bob=[FORWARD]), tmp_path / "out"
    grade()
    with sqlite3.connect(out / "gradebook.db") as db:
        (text,) = db.execute("SELECT verdict FROM verdicts WHERE student = 'ann'").fetchone()
        changed = json.dumps(change(json.loads(text)))
        db.execute("UPDATE verdicts SET verdict = ? WHERE student = 'ann'", (changed,))
    exported = normlab_command("export", out, "--to", "csv")
    assert exported.exit_code == 0
    assert "on other tasks than the course has now" in exported.stderr
    assert "1 graded now, 1 unchanged" in grade().output
    assert total(out, "ann") == whole(FORWARD)
    shutil.rmtree(folder / "ann")


def test_an_exercise_that_is_gone_stops_nothing_and_is_said(hand_in, grade, tmp_path):
    hand_in(ann=[FORWARD], bob=[FORWARD])
    out = tmp_path / "out"
    grade()
    with sqlite3.connect(out / "gradebook.db") as db:
        for table, values in {
            "submissions": "'ann', '99_gone', 'd', 'now', '', 0, ''",
            "verdicts": "'ann', '99_gone', 'd', 1, '', 1, '', '', '{}'",
            "exercises": "'99_gone'",
        }.items():
            db.execute(f"INSERT INTO {table} VALUES ({values})")
    result = grade("--set", "02")
    assert result.exit_code == 0, result.output
    assert "Note: 99_gone: the gradebook has verdicts on other tasks" in result.stderr
    assert total(out, "ann") == whole(FORWARD)
