"""``normlab grade`` and ``normlab export``, as a teacher gives the commands."""

import csv
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from normlab.cli.export import FORMAT_NAMES
from normlab.cli.grade import _SECONDS
from normlab.cli.main import normlab
from normlab.grading import Limits
from normlab.grading.class_.exports import FORMATS
from normlab.grading.class_.gradebook import Gradebook

ROOT = Path(__file__).parents[2]
NAME = "02_batch_norm_forward.ipynb"


def rows(out):
    with (out / "grades.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def when_graded(out):
    query = "SELECT student, exercise, graded_at, rowid, digest, seed FROM verdicts"
    return sqlite3.connect(out / "gradebook.db").execute(query).fetchall()


# ---- with the real grader


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Grade a small class with the real grader, from a real command line."""
    folder = tmp_path_factory.mktemp("graded")
    answers = (ROOT / "solutions" / NAME).read_text()
    for student, content in {
        "ann": answers,
        "bob": answers.replace("x.var(axis=0)", "x.var(axis=0, ddof=1)"),
        "carl": (ROOT / "exercises" / NAME).read_text(),
        "dora": answers[: len(answers) // 2],
        "eve": answers.replace("import numpy as np", "import time\\ntime.sleep(1000)"),
    }.items():
        (folder / "all" / student).mkdir(parents=True)
        (folder / "all" / student / NAME).write_text(content)
    (folder / "all" / "fred").mkdir()
    command = [sys.executable, "-m", "normlab", "grade", folder / "all", "-o", folder / "out"]
    run = subprocess.run(
        [*command, "--jobs", "1", "--seed", "3", "--timeout", "5"],
        capture_output=True,
        text=True,
        check=False,
    )
    if "cannot be isolated" in run.stderr:
        pytest.skip(run.stderr)
    assert run.returncode == 0, run.stderr
    return folder / "out", run.stdout


def test_right_wrong_and_failed_have_their_status(graded):
    out, said = graded
    by_student = {}
    for row in rows(out):
        by_student.setdefault(row["student"], []).append((row["status"], float(row["score"])))
    assert by_student["ann"] == [("graded", 10)] * 4
    assert [status for status, _ in by_student["bob"]] == ["graded"] * 4
    assert by_student["bob"][0][1] < 10
    assert {status for status, _ in by_student["dora"]} == {"unreadable"}
    assert by_student["eve"] == [("timeout", 0)] * 4
    assert by_student["fred"] == [("missing", 0)] * 4
    assert "6 students, 5 notebooks: 5 graded now, 0 unchanged." in said


def test_the_mistake_is_named_in_the_table_the_overview_and_the_feedback(graded):
    out, _ = graded
    assert rows(out)[4]["mistake"] == "unbiased variance"
    assert "1 of" in (out / "index.html").read_text().split("unbiased variance")[0][-80:]
    assert "Hint" in (out / "feedback" / "bob.html").read_text()


def test_the_overview_says_what_isolation_held(graded):
    out, _ = graded
    assert "<li>Isolation: " in (out / "index.html").read_text()


def test_feedback_is_free_of_the_seed_and_of_others(graded):
    out, _ = graded
    for page in (out / "feedback").iterdir():
        text = page.read_text()
        assert "seed" not in text.lower()
        for other in {"ann", "bob", "carl", "dora", "eve", "fred"} - {page.stem}:
            assert f">{other}<" not in text


# ---- with the stand-in: again, late, in part


def test_only_what_changed_is_graded(tmp_path, a_class, write_notebook, normlab_command):
    folder, out = a_class(tmp_path / "all", students=3), tmp_path / "out"
    first = normlab_command("grade", folder, "-o", out, "--jobs", 1, "--set", "02,06")
    assert first.exit_code == 0, first.output
    assert "3 students, 5 notebooks: 5 graded now, 0 unchanged." in first.output
    before, grades = when_graded(out), rows(out)

    again = normlab_command("grade", folder, "-o", out, "--jobs", 1)
    assert "0 graded now, 5 unchanged." in again.output
    assert when_graded(out) == before
    assert rows(out) == grades

    write_notebook(folder / "student00" / NAME, "# done again")
    write_notebook(folder / "late" / NAME, "# late")
    late = normlab_command("grade", folder, "-o", out, "--jobs", 1)
    assert "4 students, 6 notebooks: 2 graded now, 4 unchanged." in late.output
    changed = set(when_graded(out)) - set(before)
    assert {row[0] for row in changed} == {"student00", "late"}
    in_late = [row["status"] for row in rows(out) if row["student"] == "late"]
    assert set(in_late) == {"graded", "missing"}
    assert {row[-1] for row in when_graded(out)} == {before[0][-1]}  # with the seed of the first

    only = normlab_command("grade", folder, "-o", out, "--only", "late", "--regrade", "--jobs", 1)
    assert "1 student, 1 notebook: 1 graded now" in only.output
    assert len(rows(out)) == len(grades) + len(in_late)


def test_another_seed_grades_all_again(tmp_path, a_class, normlab_command):
    folder, out = a_class(tmp_path / "all", students=2), tmp_path / "out"
    normlab_command("grade", folder, "-o", out, "--seed", 1, "--jobs", 1)
    one = rows(out)
    other = normlab_command("grade", folder, "-o", out, "--seed", 2, "--jobs", 1)
    assert "3 graded now" in other.output
    assert rows(out) != one


def test_one_exercise_can_be_graded_alone(tmp_path, a_class, normlab_command):
    folder, out = a_class(tmp_path / "all", students=2), tmp_path / "out"
    result = normlab_command("grade", folder, "-o", out, "--exercise", "06", "--jobs", 1)
    assert "2 students, 1 notebook: 1 graded now" in result.output
    assert {row["exercise"] for row in rows(out)} == {"06_layer_norm"}


def test_what_was_left_out_is_said(tmp_path, a_class, normlab_command):
    folder = a_class(tmp_path / "all", students=1)
    (folder / "student00" / "answers.docx").touch()
    result = normlab_command("grade", folder, "-o", tmp_path / "out", "--jobs", 1)
    note = "student00/answers.docx: not a notebook of the course, so it was left out."
    assert f"Note: {note}" in result.stderr
    assert note in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--only", "nobody"], "There is no student 'nobody'"),
        (["--exercise", "77"], "no exercise '77'"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(tmp_path, a_class, normlab_command, options, said):
    folder = a_class(tmp_path / "all", students=1)
    result = normlab_command("grade", folder, "-o", tmp_path / "out", *options)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert said in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("name", [".", "results", "student00/results"])
def test_results_do_not_go_among_the_submissions(tmp_path, a_class, normlab_command, name):
    folder = a_class(tmp_path / "all", students=1)
    result = normlab_command("grade", folder, "-o", folder / name)
    assert result.exit_code == 1
    assert "among the submissions" in result.output
    assert not list(folder.rglob("gradebook.db"))


def test_an_empty_folder_is_said_in_one_line(tmp_path, normlab_command):
    (tmp_path / "all").mkdir()
    result = normlab_command("grade", tmp_path / "all", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "No student's work was found" in result.output


def test_where_nothing_isolates_it_refuses(tmp_path, a_class, normlab_command):
    folder, out = a_class(tmp_path / "all", students=1), tmp_path / "out"
    command = ("grade", folder, "-o", out, "--jobs", 1, "--timeout", 0.5)
    refused = normlab_command(*command)
    assert refused.exit_code == 1
    assert "with --no-isolation" in refused.output
    assert not (out / "grades.csv").exists()
    allowed = normlab_command(*command, "--no-isolation")
    assert allowed.exit_code == 0


NOTHING_ISOLATES = """
from normlab.cli.main import main
from normlab.grading.prison import processes
processes.boot = lambda module: ["-c", "raise SystemExit('it is broken')"]
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="nothing isolates elsewhere")
def test_the_real_grader_refuses_in_one_line(tmp_path, a_class):
    folder, out = a_class(tmp_path / "all", students=1), tmp_path / "out"
    program = [sys.executable, "-c", NOTHING_ISOLATES, "grade", folder, "-o", out]
    run = subprocess.run([str(part) for part in program], capture_output=True, text=True)
    assert run.returncode == 1
    (line,) = [line for line in run.stderr.splitlines() if "notebook/s" not in line]
    assert "it is broken" in line
    assert "--no-isolation" in line


def test_help_repeats_what_it_does_not_import():
    assert Limits().seconds == _SECONDS
    assert tuple(FORMATS) == FORMAT_NAMES


# ---- export


def test_grades_are_exported_and_what_is_not_judged_is_listed(tmp_path, a_class, normlab_command):
    folder, out = a_class(tmp_path / "all", students=2), tmp_path / "out"
    normlab_command("grade", folder, "-o", out, "--jobs", 1, "--set", "02,06")
    result = normlab_command("export", out, "--to", "csv")
    assert result.exit_code == 0, result.output
    assert "student00, 06_layer_norm: missing" in result.stderr
    with (out / "points.csv").open(newline="") as file:
        table = {row["student"]: row for row in csv.DictReader(file)}
    total = sum(float(row["score"]) for row in rows(out) if row["student"] == "student01")
    assert float(table["student01"]["total"]) == total
    assert table["student00"]["06_layer_norm"] == ""
    one = normlab_command("export", out, "--to", "canvas", "--exercise", "2", "-o", out / "c.csv")
    assert one.exit_code == 1  # 02, with both digits
    one = normlab_command("export", out, "--to", "canvas", "--exercise", "02", "-o", out / "c.csv")
    assert (out / "c.csv").read_text().splitlines()[0].endswith(",Section,02_batch_norm_forward")


def test_what_is_not_graded_yet_is_not_exported(tmp_path, a_class, write_notebook, normlab_command):
    folder, out = a_class(tmp_path / "all", students=1), tmp_path / "out"
    normlab_command("grade", folder, "-o", out, "--jobs", 1)
    with sqlite3.connect(out / "gradebook.db") as db:
        db.execute("DELETE FROM verdicts")
    result = normlab_command("export", out, "--to", "csv")
    assert "There are no grades" in result.output


def test_where_nothing_was_graded_there_is_nothing_to_export(tmp_path):
    result = CliRunner().invoke(normlab, ["export", str(tmp_path), "--to", "csv"])
    assert result.exit_code == 1
    assert "holds no gradebook.db" in result.output
    assert list(tmp_path.iterdir()) == []


def test_remarks_in_another_encoding_are_told_in_a_line(tmp_path):
    with Gradebook(tmp_path / "gradebook.db"):
        (tmp_path / "remarks.csv").write_bytes(b"student,exercise,remark,why\nRen\xe9,02,7,\n")
    result = CliRunner().invoke(normlab, ["remarks", str(tmp_path)])
    assert "is not in UTF-8" in result.output


def test_what_the_teacher_wrote_in_another_encoding_is_told_in_a_line(
    tmp_path, a_class, normlab_command, monkeypatch
):
    """A class list and a course.toml of a spreadsheet and an editor in Windows' own."""
    monkeypatch.chdir(tmp_path)
    folder, listed = a_class(tmp_path / "all", students=1), tmp_path / "list.csv"
    listed.write_bytes(b"student\nRen\xe9 Roy\nBob Ray\n")
    refused = normlab_command("grade", folder, "-o", tmp_path / "out", "--class", listed)
    assert "list.csv: it is not in UTF-8" in refused.output
    (tmp_path / "course.toml").write_bytes(b"# Ren\xe9\n")
    refused = normlab_command("grade", folder, "-o", tmp_path / "out")
    assert "course.toml: it is not in UTF-8" in refused.output
    (tmp_path / "course.toml").write_text("\ufeff[02]\nweight = 2\n", encoding="utf-8")
    assert normlab_command("grade", folder, "-o", tmp_path / "out").exit_code == 0


def test_a_column_is_named_with_an_equals_sign(tmp_path, a_class, normlab_command):
    folder, out = a_class(tmp_path / "all", students=1), tmp_path / "out"
    normlab_command("grade", folder, "-o", out, "--jobs", 1)
    result = normlab_command("export", out, "--to", "moodle", "--column", "Grade")
    assert "is not EXERCISE=TITLE" in result.output
