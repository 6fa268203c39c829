"""Grades for other systems: their columns, their files filled in, and no failure made a 0."""

import csv
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normlab.grading import AspectVerdict, Status, TaskVerdict, tasks_of
from normlab.grading.class_ import ClassError
from normlab.grading.class_.exports import FORMATS, export
from normlab.grading.class_.gradebook import Entry
from normlab.grading.judge.feedback import refused
from normlab.grading.judge.verdict import Verdict

BACKWARD, LAYER = "04_batch_norm_backward", "06_layer_norm"
WHEN = "2026-11-20T10:00:00+00:00"


def entry(student, exercise=BACKWARD, scores=(10, 7.5, 0), status=Status.GRADED):
    """Return an entry; a status other than "graded" is that of the last task."""
    tasks = []
    for task, score in zip(tasks_of(exercise)[: len(scores)], scores, strict=True):
        aspects = (
            AspectVerdict("first", score / 2, 5, score == 10, f"about {student}"),
            AspectVerdict("second", score / 2, 5, score == 10),
        )
        tasks.append(TaskVerdict(task.name, score, 10, Status.GRADED, "", aspects))
    if status is not Status.GRADED:
        tasks[-1] = replace(tasks[-1], status=status, score=0, aspects=(), feedback="It went on.")
    return Entry(student, exercise, Verdict(exercise, tuple(tasks)), "a box", WHEN)


def failed(student, exercise=BACKWARD, status=Status.FAILED):
    modified = "" if status is Status.MISSING else WHEN
    return Entry(student, exercise, refused(exercise, status, "Why."), "", modified)


def rows_of(path, **options):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file, **options))


def write(path, *lines, newline="\n"):
    path.write_text(newline.join(lines) + newline, encoding="utf-8", newline="")
    return path


# ---- in general


def test_no_failure_becomes_a_0(tmp_path):
    entries = [
        failed("ann"),
        failed("bob", status=Status.MISSING),
        entry("carl", status=Status.TIMEOUT),
        entry("dora", scores=(0, 0, 0)),
    ]
    done = export(entries, "csv", tmp_path / "all.csv")
    rows = rows_of(tmp_path / "all.csv")
    assert rows == [
        ["student", BACKWARD, "total", "max_total", "not_judged"],
        ["ann", "", "", "30", f"{BACKWARD}: failed"],
        ["bob", "", "", "30", f"{BACKWARD}: missing"],
        ["carl", "17.5", "17.5", "30", f"{BACKWARD}: timeout (weighted_backward)"],
        ["dora", "0", "0", "30", ""],
    ]
    assert done.open_questions == (
        f"ann, {BACKWARD}: failed",
        f"bob, {BACKWARD}: missing",
        f"carl, {BACKWARD}: timeout (weighted_backward)",
    )


def test_several_exercises_have_a_column_each(tmp_path):
    entries = [entry("ann"), entry("ann", LAYER, (1, 2, 3, 0)), entry("bob"), failed("bob", LAYER)]
    export(entries, "csv", tmp_path / "all.csv")
    assert rows_of(tmp_path / "all.csv")[1:] == [
        ["ann", "17.5", "6", "23.5", "70", ""],
        ["bob", "17.5", "", "17.5", "70", f"{LAYER}: failed"],
    ]


def test_a_name_is_no_formula(tmp_path):
    for system in ("csv", "canvas", "nbgrader"):
        export([entry("=HYPERLINK(1)")], system, tmp_path / "x.csv")
        assert not any(cell.startswith("=") for row in rows_of(tmp_path / "x.csv") for cell in row)


@pytest.mark.parametrize("system", FORMATS)
def test_without_grades_nothing_is_written(tmp_path, system):
    with pytest.raises(ClassError, match="no grades"):
        export([], system, tmp_path / "x")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("system", ["csv", "nbgrader"])
def test_only_canvas_and_moodle_have_a_template(tmp_path, system):
    template = write(tmp_path / "t.csv", "a,b", "1,2")
    with pytest.raises(ClassError, match="for Canvas and Moodle"):
        export([entry("ann")], system, tmp_path / "x", template)


# ---- Canvas


CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Essay (501),"
    "Batch norm forward (502),04_batch_norm_backward (503),Final Score",
    "    Points Possible,,,,,10,10,60,(read only)",
    '"Lee, Ann",4711,s1,ann,A,9,,,81',
    '"Dyk, Bob",12,s2,bob,"A, B",,7,1,70',
    '"Doe, Carl",13,s3,carl,A,,,5,10',
    '"Student, Test",99,,,,,,,',
)


def test_canvas_anew_has_its_header_and_its_row_of_points(tmp_path):
    done = export([entry("leeann_4711"), entry("bob")], "canvas", tmp_path / "c.csv")
    assert rows_of(tmp_path / "c.csv") == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", BACKWARD],
        ["    Points Possible", "", "", "", "", "30"],
        ["leeann", "4711", "", "", "", "17.5"],
        ["bob", "", "", "bob", "", "17.5"],
    ]
    assert "--template" in done.notes[0]


def test_canvas_is_filled_in_and_nothing_else_changes(tmp_path):
    template = write(tmp_path / "t.csv", *CANVAS)
    entries = [entry("leeann_4711"), entry("bob"), failed("Doe, Carl")]
    done = export(entries, "canvas", tmp_path / "c.csv", template)
    expected = rows_of(template)
    expected[2][7], expected[3][7] = "35", "35"  # of 60, and a failure leaves the cell as it is
    assert rows_of(tmp_path / "c.csv") == expected
    assert done.notes == (f"{BACKWARD}: 30 points here are 60 there, and scores are scaled.",)
    assert rows_of(template)[2][7] == ""


@pytest.mark.parametrize("title", ["06_layer_norm", "06 LAYER norm (7)", "Layer norm (8)"])
def test_canvas_finds_the_column_by_the_exercises_name(tmp_path, title):
    template = write(tmp_path / "t.csv", CANVAS[0].replace("Essay (501)", title), *CANVAS[1:])
    export([entry("ann", LAYER, (2, 2, 2))], "canvas", tmp_path / "c.csv", template)
    assert rows_of(tmp_path / "c.csv")[2][5] == "2"


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({BACKWARD: "Twice"}, "more than one column for 04_batch_norm_backward"),
        ({BACKWARD: "Nothing"}, "no column for 04_batch_norm_backward.*Twice.*--column"),
    ],
)
def test_canvas_asks_which_column_where_it_is_not_clear(tmp_path, columns, said):
    header = CANVAS[0].replace("Essay (501)", "Twice (1)").replace("Final Score", "Twice (2)")
    template = write(tmp_path / "t.csv", header, *CANVAS[1:])
    with pytest.raises(ClassError, match=said):
        export([entry("ann")], "canvas", tmp_path / "c.csv", template, columns)
    assert not (tmp_path / "c.csv").exists()


def test_two_exercises_do_not_share_a_column(tmp_path):
    template = write(tmp_path / "t.csv", *CANVAS)
    columns = {BACKWARD: "Essay", LAYER: "Essay"}
    with pytest.raises(ClassError, match="same column"):
        export([entry("ann"), entry("ann", LAYER)], "canvas", tmp_path / "c", template, columns)


def test_who_is_not_in_the_template_is_listed_and_nothing_is_written(tmp_path):
    template = write(tmp_path / "t.csv", *CANVAS)
    entries = [entry("ann"), entry("zoe"), entry("yan_77")]
    with pytest.raises(ClassError, match="2 of the students.*zoe, yan_77.*Nothing was written"):
        export(entries, "canvas", tmp_path / "c.csv", template, {BACKWARD: "Essay"})
    assert not (tmp_path / "c.csv").exists()


def test_two_students_do_not_get_one_row(tmp_path):
    template = write(tmp_path / "t.csv", *CANVAS)
    with pytest.raises(ClassError, match="leeann_4711"):
        export(
            [entry("ann"), entry("leeann_4711")],
            "canvas",
            tmp_path / "c",
            template,
            {BACKWARD: "Essay"},
        )


@pytest.mark.parametrize(
    ("students", "row_of"),
    [
        # The file of a student says another's number; it is not the number that Canvas gave.
        (["eve_99"], {"eve_99": 2}),
        (["leeann_4711"], {"leeann_4711": 1}),
        (["leeann_4711", "eve_99", "other_5"], {"leeann_4711": 1, "eve_99": 2, "other_5": 3}),
        (["eve_04711"], {"eve_04711": 1}),
        # A number that is none of Canvas's is nobody's, whoever is called so.
        (["bob_12"], None),
        (["gone_1009"], None),
        (["x_1"], None),
    ],
)
def test_the_number_decides_and_no_name_stands_in_for_it(tmp_path, students, row_of):
    template = write(
        tmp_path / "t.csv",
        "Student,ID,SIS User ID,SIS Login ID,Section,04_batch_norm_backward (1)",
        "    Points Possible,,,,,30",
        '"Lee, Ann",4711,a1,leeann,S1,',
        "bob_12,99,e1,eve,S1,",
        "gone_1009,5,o1,other,S1,",
    )
    entries = [entry(student, scores=(10, 10, n)) for n, student in enumerate(students)]
    if row_of is None:
        with pytest.raises(ClassError, match=f"cannot be told in the template: {students[0]}"):
            export(entries, "canvas", tmp_path / "c.csv", template)
        return
    export(entries, "canvas", tmp_path / "c.csv", template)
    rows = rows_of(tmp_path / "c.csv")[1:]
    points = {number: row[5] for number, row in enumerate(rows) if number and row[5]}
    assert points == {row_of[one]: str(20 + n) for n, one in enumerate(students)}


def test_canvas_says_where_it_does_not_know_out_of_how_many(tmp_path):
    template = write(tmp_path / "t.csv", CANVAS[0], CANVAS[1].replace("60", ""), *CANVAS[2:])
    done = export([entry("ann")], "canvas", tmp_path / "c.csv", template)
    assert rows_of(tmp_path / "c.csv")[2][7] == "17.5"
    assert done.notes == (f"{BACKWARD}: the template does not say out of how many, so it is 30.",)


def test_a_name_that_two_rows_share_is_not_guessed(tmp_path):
    lines = [line.replace('"Dyk, Bob"', '"Lee, Ann"') for line in CANVAS]
    template = write(tmp_path / "t.csv", *lines)
    with pytest.raises(ClassError, match="Lee, Ann"):
        export([entry("Lee, Ann")], "canvas", tmp_path / "c", template, {BACKWARD: "Essay"})


def test_what_is_no_gradebook_of_canvas_is_refused(tmp_path):
    template = write(tmp_path / "t.csv", "Name,ID", "ann,1")
    with pytest.raises(ClassError, match="no gradebook of Canvas"):
        export([entry("ann")], "canvas", tmp_path / "c", template)


def test_semicolons_and_the_byte_order_mark_are_kept(tmp_path):
    lines = [
        line.replace('"A, B"', "A").replace('"', "").replace(", ", " ").replace(",", ";")
        for line in CANVAS
    ]
    template = write(tmp_path / "t.csv", "\ufeff" + lines[0], *lines[1:], newline="\r\n")
    export([entry("ann")], "canvas", tmp_path / "c.csv", template, {BACKWARD: "Essay"})
    text = (tmp_path / "c.csv").read_text(encoding="utf-8")
    assert text.startswith("\ufeffStudent;ID;")
    assert rows_of(tmp_path / "c.csv", delimiter=";")[2][5] == "5.83"


def test_the_template_is_not_overwritten(tmp_path):
    template = write(tmp_path / "t.csv", *CANVAS)
    with pytest.raises(ClassError, match="would be overwritten"):
        export([entry("ann")], "canvas", template, template)


@pytest.mark.parametrize("content", [b"", b"one line", b"a,b\n\xff,2\n", b"no\ncommas\n"])
def test_what_is_no_csv_is_refused(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ClassError, match="UTF-8|not a CSV"):
        export([entry("ann")], "canvas", tmp_path / "c", tmp_path / "t.csv")


# ---- Moodle


MOODLE = (
    "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,"
    "Last modified (submission),Last modified (grade),Feedback comments",
    'Participant 4711,Ann Lee,ann@example.org,Submitted,,30.00,Yes,"Friday, 1 May",-,',
    "Participant 12,Bob van Dyk,bob@example.org,Submitted,3.00,30.00,Yes,-,-,Well done",
    "Participant 13,Carl Doe,carl@example.org,No submission,,30.00,Yes,-,-,",
    "Participant 14,Dora Doe,dora@example.org,No submission,,30.00,Yes,-,-,",
)


def test_moodles_worksheet_is_filled_in(tmp_path):
    template = write(tmp_path / "t.csv", *MOODLE)
    entries = [
        entry("Ann Lee_4711", status=Status.TIMEOUT),
        entry("bob@example.org"),
        failed("Carl Doe"),
    ]
    done = export(entries, "moodle", tmp_path / "m.csv", template)
    expected = rows_of(template)
    expected[1][4], expected[1][9] = "17.5", f"{BACKWARD}: timeout (weighted_backward)"
    expected[2][4] = "17.5"
    expected[3][9] = f"{BACKWARD}: failed"
    assert rows_of(tmp_path / "m.csv") == expected
    assert done.notes == ()


def test_moodles_worksheet_in_another_language(tmp_path):
    header = (
        "ID,Vollständiger Name,E-Mail-Adresse,Status,Bewertung,Bestwertung,Bewertung kann "
        "geändert werden,Zuletzt geändert (Abgabe),Zuletzt geändert (Bewertung),Feedback"
    )
    rows = (line.replace("Participant ", "Teilnehmer/in") for line in MOODLE[1:])
    template = write(tmp_path / "t.csv", header, *rows)
    with pytest.raises(ClassError, match='no column "Grade".*Bewertung.*--column'):
        export([entry("Ann Lee_4711")], "moodle", tmp_path / "m.csv", template)
    columns = {BACKWARD: "Bewertung"}
    export([entry("Ann Lee_4711")], "moodle", tmp_path / "m.csv", template, columns)
    assert rows_of(tmp_path / "m.csv")[1][4] == "17.5"


GERMAN = (
    "\ufeffID;Vollständiger Name;E-Mail-Adresse;Status;Bewertung;Bestwertung;Bewertung kann "
    "geändert werden;Zuletzt geändert (Abgabe);Zuletzt geändert (Bewertung);Feedback als Kommentar",
    "Teilnehmer/in4711;Ann Lee;a4711@x.de;Zur Bewertung abgegeben;;20,00;Ja;;;",
    "Teilnehmer/in4713;Hans Müller;a4713@x.de;Zur Bewertung abgegeben;;20,00;Ja;;;",
    "Teilnehmer/in4714;Hans Müller;a4714@x.de;Zur Bewertung abgegeben;;20,00;Ja;;;",
    "Teilnehmer/in4715;X 4713;a4715@x.de;Zur Bewertung abgegeben;;20,00;Ja;;;",
)
FRENCH = (
    "Identifiant,Nom complet,Adresse de courriel,Statut,Note,Note maximale,La note peut être "
    "modifiée,Dernière modification (travail remis),Dernière modification (note)",
    "Participant4711,Ann Lee,a@x.fr,Remis,,20.00,Oui,-,-",
    "Participant4714,Hans Müller,b@x.fr,Remis,,20.00,Oui,-,-",
)


@pytest.mark.parametrize(
    ("sheet", "title", "delimiter"), [(GERMAN, "Bewertung", ";"), (FRENCH, "Note", ",")]
)
def test_a_worksheet_in_any_language_is_scaled(tmp_path, sheet, title, delimiter):
    template = write(tmp_path / "t.csv", *sheet)
    entries = [entry("Ann Lee_4711", scores=(10, 10, 10)), failed("Hans Müller_4714")]
    done = export(entries, "moodle", tmp_path / "m.csv", template, {BACKWARD: title})
    header, ann, *others = rows_of(tmp_path / "m.csv", delimiter=delimiter)
    assert (ann[4], others[-2 % len(others)][4]) == ("20", "")
    assert f"{BACKWARD}: 30 points here are 20 there, and scores are scaled." in done.notes
    if sheet is GERMAN:
        assert others[1][9] == f"{BACKWARD}: failed"
    else:
        assert "No column for comments was found" in done.notes[1]
        assert header[8] == "Dernière modification (note)"
        assert others[0][8] == "-"


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.replace("30.00", ""),
        lambda line: line.replace("30.00", "Yes"),
        lambda line: line.replace("30.00", "20.00") if "Bob" in line else line,
        lambda line: ",".join(line.split(",")[:5]),
    ],
)
def test_a_worksheet_that_does_not_say_out_of_how_many_is_refused(tmp_path, change):
    template = write(tmp_path / "t.csv", *map(change, MOODLE))
    with pytest.raises(ClassError, match="there is not one maximum.*--column.*Nothing was writ"):
        export([entry("Ann Lee_4711")], "moodle", tmp_path / "m.csv", template)
    assert not (tmp_path / "m.csv").exists()


def test_nobody_gets_anothers_points_by_what_they_are_called(tmp_path):
    template = write(tmp_path / "t.csv", *GERMAN)
    columns = {BACKWARD: "Bewertung"}
    export([entry("Hans Müller_4713")], "moodle", tmp_path / "m.csv", template, columns)
    grades = [row[4] for row in rows_of(tmp_path / "m.csv", delimiter=";")]
    assert grades == ["Bewertung", "", "11.67", "", ""]
    without_hans = write(tmp_path / "t.csv", *GERMAN[:2], *GERMAN[3:])
    with pytest.raises(ClassError, match="Hans Müller_4713"):
        export([entry("Hans Müller_4713")], "moodle", tmp_path / "m", without_hans, columns)


def test_moodles_grade_is_the_sum_of_the_exercises_and_scaled(tmp_path):
    template = write(tmp_path / "t.csv", *MOODLE)
    entries = [entry("Ann Lee"), entry("Ann Lee", LAYER, (2.5, 10, 0))]
    done = export(entries, "moodle", tmp_path / "m.csv", template)
    assert rows_of(tmp_path / "m.csv")[1][4] == "15"
    assert done.notes == (
        f"The grade is the sum of {BACKWARD}, {LAYER}; --exercise chooses.",
        f"{BACKWARD} + {LAYER}: 60 points here are 30 there, and scores are scaled.",
    )


def test_moodle_needs_its_worksheet(tmp_path):
    with pytest.raises(ClassError, match="Download grading worksheet"):
        export([entry("ann")], "moodle", tmp_path / "m.csv")


def test_who_is_not_in_the_worksheet_is_listed(tmp_path):
    template = write(tmp_path / "t.csv", *MOODLE)
    with pytest.raises(ClassError, match="1 of the students.*Zoe Xu_5"):
        export([entry("Ann Lee_4711"), entry("Zoe Xu_5")], "moodle", tmp_path / "m", template)


# ---- nbgrader


def test_nbgrader_has_the_columns_of_its_own_export(tmp_path):
    from nbgrader.plugins import CsvExportPlugin

    export([entry("ann"), failed("bob")], "nbgrader", tmp_path / "n.csv")
    header, ann, bob = rows_of(tmp_path / "n.csv")

    class Nobody:
        assignments, students = (), ()

    plugin = CsvExportPlugin()
    plugin.to = str(tmp_path / "theirs.csv")
    plugin.export(Nobody())
    assert [header] == rows_of(tmp_path / "theirs.csv")
    assert dict(zip(header, ann, strict=True)) == {
        "assignment": BACKWARD,
        "duedate": "",
        "timestamp": "2026-11-20 10:00:00",
        "student_id": "ann",
        "last_name": "",
        "first_name": "",
        "email": "",
        "raw_score": "17.5",
        "late_submission_penalty": "0",
        "score": "17.5",
        "max_score": "30",
    }
    assert dict(zip(header, bob, strict=True))["score"] == ""


# ---- whoever calls themselves whatever

PEOPLE = st.lists(st.sampled_from(["ann", "bob", "eve"]), min_size=1, max_size=5)
SAID = st.sampled_from(
    ["ann_1", "bob_2", "1", "2", "Participant 3", "eve", "ann", "Lee, Ann", "x_4"]
)


@given(names=PEOPLE, said=st.lists(SAID, min_size=5, max_size=5), order=st.permutations(range(5)))
@settings(max_examples=60, deadline=None)
def test_points_land_in_the_row_of_the_number_and_nowhere_else(
    names, said, order, tmp_path_factory
):
    """Student number n has n points; each calls itself what it likes, in whatever order of rows."""
    folder = tmp_path_factory.mktemp("sheet")
    lines = [f'Participant {n + 1},"{said[n]}",mail{n}@x.org,,30.00,Yes' for n in order]
    header = "Identifier,Full name,Email address,Grade,Maximum Grade,Grade can be changed"
    template = write(folder / "t.csv", header, *lines)
    students = {f"{name}_{number}": number for number, name in enumerate(names, 1)}
    entries = [entry(name, scores=(number, 0, 0)) for name, number in students.items()]
    export(entries, "moodle", folder / "m.csv", template)
    for identifier, _, _, grade, *_ in rows_of(folder / "m.csv")[1:]:
        number = int(identifier.removeprefix("Participant "))
        assert grade == (str(number) if number in students.values() else "")
