"""A class list, sheets of every system, and pages given back."""

import csv
import re
import shlex
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from normlab.cli.main import normlab
from normlab.grading.class_ import ClassError
from normlab.grading.class_.gradebook import Gradebook
from normlab.grading.class_.reports import by_student
from normlab.grading.class_.roster import Roster

FORWARD = "02_batch_norm_forward"
CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,02_batch_norm_forward (77)
    Points Possible,,,,,10
"Lee, Ann",4711,s1,alee,A,
"Müller, Hans",4712,s2,hmueller,A,
"Müller, Hans",4713,s3,hmueller2,A,
"Student, Test",4714,,,A,
"""
MOODLE = """Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,Last modified (submission),Last modified (grade),Feedback comments
Participant 4711,Ann Lee,ann@x.org,Submitted,,20.00,Yes,-,-,
Participant 4712,Hans Müller,hans@x.org,Submitted,,20.00,Yes,-,-,
Participant 4713,Hans Müller,hm@x.org,Submitted,,20.00,Yes,-,-,
"""  # noqa: E501
GERMAN = """\ufeffID;Vollständiger Name;E-Mail-Adresse;Status;Bewertung;Bestwertung;Bewertung kann geändert werden;Zuletzt geändert (Abgabe);Zuletzt geändert (Bewertung);Feedback als Kommentar
Teilnehmer/in4711;Ann Lee;ann@x.org;Abgegeben;;20,00;Ja;-;-;
Teilnehmer/in4712;Hans Müller;hans@x.org;Abgegeben;;20,00;Ja;-;-;
Teilnehmer/in4713;Hans Müller;hm@x.org;Abgegeben;;20,00;Ja;-;-;
"""  # noqa: E501
GRADESCOPE = """First Name,Last Name,SID,Email,Sections
Ann,Lee,4711,ann@x.org,A
Hans,Müller,4712,hans@x.org,A
Hans,Müller,4713,hm@x.org,A
"""
LISTS = {
    "Canvas": CANVAS,
    "Moodle": MOODLE,
    "German": GERMAN.lstrip("\ufeff"),
    "Gradescope": GRADESCOPE,
}
CLASS = ["Ann Lee_4711", "Hans Müller_4712", "Hans Müller_4713"]


# ---- the class list


@pytest.mark.parametrize("system", LISTS)
def test_the_list_of_every_system_gives_the_same_class(system):
    roster = Roster(LISTS[system])
    assert roster.students == CLASS
    assert roster.name_of("ann lee") == roster.name_of("Lee, Ann_4711") == "Ann Lee_4711"
    assert roster.name_of("whatever_4713") == "Hans Müller_4713"
    assert roster.name_of("Hans Müller") is None
    assert roster.name_of("nobody") is None


def test_a_list_of_ones_own_needs_a_name_and_nothing_else():
    roster = Roster("student\nAnn Lee\nBob Ray\n")
    assert roster.students == ["Ann Lee", "Bob Ray"]
    assert roster.names_for(["ann_lee", "Ann Lee", "bob  ray"]) == {
        "Ann Lee": "Ann Lee",
        "bob  ray": "Bob Ray",
    }
    twins = Roster("name,e-mail\nJo Ek,jo@x.org\nJo Ek,je@x.org\n")
    assert twins.students == ["Jo Ek (jo@x.org)", "Jo Ek (je@x.org)"]
    assert twins.name_of("je") == "Jo Ek (je@x.org)"
    other = Roster("nimi,posti\nJo Ek,jo@x.org\nIda Ek,ida@x.org\n")
    assert other.students == ["Jo Ek", "Ida Ek"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("student\n", "no header and rows"),
        ("mail\na@x.org\n", "No column of the class list holds names"),
        ("student\nAnn\nAnn\n", "Ann twice"),
    ],
)
def test_what_is_wrong_with_a_list_is_said(text, said):
    with pytest.raises(ClassError, match=said):
        Roster(text)


# ---- from hand-ins to sheets


@pytest.fixture
def moodle_class(tmp_path, write_notebook, normlab_command):
    """Grade two of a class of three, with Moodle's folders, and return the folder of results."""
    for name, number in (("Ann Lee", 4711), ("Hans Müller", 4713)):
        folder = tmp_path / "in" / f"{name}_{number}_assignsubmission_file_"
        write_notebook(folder / f"{FORWARD}.ipynb", f"# {number}")
    (tmp_path / "class.csv").write_text(MOODLE, encoding="utf-8")
    result = normlab_command(
        *("grade", tmp_path / "in", "-o", tmp_path / "out", "--jobs", 1),
        *("--set", "02", "--class", tmp_path / "class.csv"),
    )
    assert result.exit_code == 0, result.output
    return tmp_path / "out"


def rows_of(path, delimiter=","):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))


def test_who_handed_in_nothing_is_there(moodle_class, tmp_path):
    with Gradebook(moodle_class / "gradebook.db") as gradebook:
        assert gradebook.students() == CLASS
        own = dict(by_student(gradebook.entries()))
    assert not own["Hans Müller_4712"][0].was_handed_in


@pytest.mark.parametrize(
    ("system", "text", "delimiter", "column"),
    [("moodle", MOODLE, ",", 4), ("moodle", GERMAN, ";", 4), ("canvas", CANVAS, ",", 5)],
)
def test_a_sheet_comes_back_as_it_was_but_for_the_grades(
    moodle_class, tmp_path, normlab_command, system, text, delimiter, column
):
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(text, encoding="utf-8")
    options = ["--column", "02=Bewertung"] if "Bewertung" in text else []
    result = normlab_command("export", moodle_class, "--to", system, "--template", sheet, *options)
    assert result.exit_code == 0, result.output
    before, after = rows_of(sheet, delimiter), rows_of(moodle_class / f"{system}.csv", delimiter)
    comment = len(before[0]) - 1 if system == "moodle" else -1
    changed = {
        (row, at)
        for row, cells in enumerate(before)
        for at, cell in enumerate(cells)
        if after[row][at] != cell and at != comment
    }
    first = 2 if system == "canvas" else 1
    assert changed == {(first, column), (first + 2, column)}
    assert (moodle_class / f"{system}.csv").read_text("utf-8").startswith(text[:2])


def test_a_sheet_of_one_section_is_filled_in_and_the_others_are_listed(
    moodle_class, tmp_path, normlab_command
):
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("".join(MOODLE.splitlines(keepends=True)[:2]), encoding="utf-8")
    export = ("export", moodle_class, "--to", "moodle", "--template", sheet)
    refused = normlab_command(*export)
    assert refused.exit_code == 1
    assert "--section" in refused.output
    done = normlab_command(*export, "--section")
    assert done.exit_code == 0, done.output
    assert "2 students are not in this sheet: Hans Müller_4712, Hans Müller_4713." in done.output
    assert rows_of(moodle_class / "moodle.csv")[1][4]


def test_the_pages_go_back_to_moodle_under_its_own_names(moodle_class, tmp_path, normlab_command):
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(MOODLE, encoding="utf-8")
    normlab_command("remarks", moodle_class, "Ann Lee", "02", "", "--why", "Looked at again.")
    normlab_command("export", moodle_class, "--to", "moodle", "--template", sheet)
    with zipfile.ZipFile(moodle_class / "moodle-feedback.zip") as archive:
        for name in archive.namelist():
            # As Moodle reads a path: name, number, two words, and the rest.
            _, number, kind, plugin, _ = name.split("/")[0].split("_", 4)
            assert (kind, plugin) == ("assignsubmission", "file")
            assert number in ("4711", "4712", "4713")
        assert len(archive.namelist()) == 3
        page = archive.read("Ann Lee_4711_assignsubmission_file_/feedback.html").decode()
    assert "Looked at again." in page


def test_the_pages_go_back_to_canvas_under_the_names_that_it_takes(
    tmp_path, write_notebook, normlab_command
):
    write_notebook(tmp_path / "in" / f"leeann_LATE_4711_90210_{FORWARD}-1.ipynb", "# a")
    write_notebook(tmp_path / "in" / f"mullerhans_4713_90211_{FORWARD}.ipynb", "# b")
    sheet = tmp_path / "class.csv"
    sheet.write_text(CANVAS, encoding="utf-8")
    out = tmp_path / "out"
    normlab_command("grade", tmp_path / "in", "-o", out, "--jobs", 1, "--class", sheet)
    done = normlab_command("export", out, "--to", "canvas", "--template", sheet)
    assert done.exit_code == 0, done.output
    with zipfile.ZipFile(out / "canvas-feedback.zip") as archive:
        assert sorted(archive.namelist()) == [
            "leeann_LATE_4711_90210_feedback.html",
            "mullerhans_4713_90211_feedback.html",
        ]
        for name in archive.namelist():  # as Canvas reads it: the first two numbers
            assert next(part for part in name.split("_") if part.isdigit()) in ("4711", "4713")
    assert "Not in canvas-feedback.zip" in done.output
    assert "Hans Müller" in done.output.partition("Not in canvas-feedback.zip")[2]


def test_a_renamed_folder_is_the_same_student_by_the_list(
    tmp_path, write_notebook, normlab_command
):
    write_notebook(tmp_path / "in" / "ann lee" / f"{FORWARD}.ipynb", "# a")
    out, grade = tmp_path / "out", ("grade", tmp_path / "in", "-o", tmp_path / "out", "--jobs", 1)
    assert normlab_command(*grade).exit_code == 0
    (tmp_path / "in" / "ann lee").rename(tmp_path / "in" / "Ann_Lee")
    (tmp_path / "class.csv").write_text("student\nAnn Lee\nBob Ray\n")
    result = normlab_command(*grade, "--class", tmp_path / "class.csv")
    assert "0 graded now, 1 unchanged" in result.output
    with Gradebook(out / "gradebook.db") as gradebook:
        assert gradebook.everyone() == ["Ann Lee", "Bob Ray"]
        assert gradebook.entry("Ann Lee", FORWARD)


def test_who_left_is_taken_out_and_can_come_back(moodle_class, normlab_command):
    def rows():
        normlab_command("export", moodle_class, "--to", "csv")
        return len(rows_of(moodle_class / "points.csv")) - 1

    assert rows() == 3
    assert normlab_command("students", "remove", moodle_class, "ann lee").exit_code == 0
    assert rows() == 2
    assert normlab_command("students", "restore", moodle_class, "Ann Lee").exit_code == 0
    assert rows() == 3
    refused = normlab_command("students", "remove", moodle_class, "Hans Müller")
    assert "may be Hans Müller_4712 or Hans Müller_4713" in refused.output


def test_a_wrong_remark_is_refused_and_the_file_stays_as_it_was(moodle_class, normlab_command):
    add = ("remarks", moodle_class, "Ann Lee", "02")
    assert normlab_command(*add, "7", "--why", "by eye").exit_code == 0
    before = (moodle_class / "remarks.csv").read_text()
    for words in (("31",), ("8",), ("sometimes",)):
        assert normlab_command(*add, *words).exit_code == 1
        assert (moodle_class / "remarks.csv").read_text() == before
    (moodle_class / "remarks.csv").write_text(before + "eve,02,excused,\n")
    result = normlab_command("export", moodle_class, "--to", "csv")
    assert result.exit_code == 1
    assert "row 3: there is no student 'eve'" in result.output


def test_nbgraders_columns_tell_what_being_late_costs(tmp_path, write_notebook, normlab_command):
    write_notebook(tmp_path / "in" / "ann" / f"{FORWARD}.ipynb", "# a")
    now = datetime.now(UTC).isoformat()
    out = tmp_path / "out"
    normlab_command(
        *("grade", tmp_path / "in", "-o", out, "--jobs", 1),
        *("--due", "02=2020-01-01", "--late", "10% a day, 3 days"),
    )
    normlab_command("export", out, "--to", "nbgrader")
    (row,) = csv.DictReader((out / "nbgrader.csv").read_text().splitlines())
    raw, lost, score = (
        float(row[name]) for name in ("raw_score", "late_submission_penalty", "score")
    )
    assert (raw, lost, score) == (raw, raw, 0)
    assert raw > 0
    assert row["timestamp"] < now.replace("T", " ")


def test_a_toy_class_holds_what_a_teacher_meets_and_the_overview_says_it_in_order(tmp_path):
    def run(*words):
        return CliRunner().invoke(normlab, list(map(str, words)))

    toy = tmp_path / "toy"
    assert run("demo-class", toy).exit_code == 0
    (toy / "handed_in" / "Kim Abel_4710_assignsubmission_file_" / "notes.txt").write_text("x")
    grade = ("grade", toy / "handed_in", "-o", toy / "out", "--class", toy / "worksheet.csv")
    result = run(*grade, "--jobs", 1, "--no-isolation")
    assert result.exit_code == 0, result.output
    page = (toy / "out" / "index.html").read_text()
    page = re.sub("<a [^>]*>|</?bdi>|</a>", "", page)  # each name leads to its page
    parts = [
        '<h2 id="look">To look at yourself</h2>',
        "Files that were not taken",
        "Finn Abel_4705, Gita Abel_4706 are the same",
        "1 handed in nothing: Ben Abel_4701",
        '<h2 id="students">Students</h2>',
    ]
    places = [page.index(part) for part in parts]
    assert places == sorted(places)
    assert "notes.txt" in page
    assert run("demo-class", toy).exit_code == 1


def test_the_first_hour_of_the_guide_is_true_command_by_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "teaching.md").read_text(encoding="utf-8")
    hour = page.partition("## The first hour")[2].partition("## Release")[0]
    commands = [line for line in hour.splitlines() if line.startswith("normlab ")]
    assert len(commands) == 5
    for command in commands:
        words = shlex.split(command)[1:]
        words += ["--no-isolation", "--jobs", "1"] if words[0] == "grade" else []
        result = CliRunner().invoke(normlab, words)
        assert result.exit_code == 0, result.output
    assert "cut off" in Path("toy/results/feedback/Ema Abel_4704.html").read_text()
    assert Path("toy/results/moodle-feedback.zip").exists()


def test_every_command_of_the_guides_table_is_one(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "teaching.md").read_text(encoding="utf-8")
    table = page.partition("## What to do when")[2].partition("## With nbgrader")[0]
    commands = [one for one in re.findall(r"`(normlab [^`]+)`", table) if "..." not in one]
    assert len(commands) >= 8
    for command in commands:
        words = shlex.split(command)[1:]
        parser = normlab.commands[words[0]]
        if words[0] == "students":
            parser, words = parser.commands[words[1]], words[1:]
        if words[0] == "grade":
            words[1] = str(tmp_path)
        words = [str(tmp_path) if word == "results" else word for word in words]
        parser.make_parser(click.Context(parser)).parse_args(words[1:])
