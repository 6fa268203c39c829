"""What is found in a folder or a zip, whatever the names in it are."""

import json
import os
import stat
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normlab.grading import tasks_of
from normlab.grading.class_ import ClassError, recognition, submissions
from normlab.grading.class_.recognition import notebooks
from normlab.grading.class_.submissions import (
    Submission,
    digest_of,
    exercise_named,
    find_submissions,
    without_id,
)

ROOT = Path(__file__).parents[2]
NAME = "02_batch_norm_forward.ipynb"


def found(handed_in):
    return [(one.student, one.exercise) for one in handed_in.submissions]


def zipped(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_the_notebooks_are_those_of_the_course():
    assert sorted(path.stem for path in (ROOT / "exercises").glob("*.ipynb")) == list(notebooks())
    assert all(tasks_of(notebook) for notebook in notebooks())


# ---- layouts


def test_a_folder_for_each_student(tmp_path, write_notebook):
    write_notebook(tmp_path / "bob" / NAME)
    write_notebook(tmp_path / "ann" / "handed in" / NAME)
    write_notebook(tmp_path / "ann" / "06_layer_norm.ipynb")
    (tmp_path / "carl").mkdir()
    handed_in = find_submissions(tmp_path)
    assert handed_in.students == ("ann", "bob", "carl")
    assert found(handed_in) == [
        ("ann", "02_batch_norm_forward"),
        ("ann", "06_layer_norm"),
        ("bob", "02_batch_norm_forward"),
    ]
    assert handed_in.notes == ()


def test_a_flat_folder(tmp_path, write_notebook):
    write_notebook(tmp_path / f"ann__{NAME}")
    write_notebook(tmp_path / f"j__doe__{NAME}")
    assert found(find_submissions(tmp_path)) == [
        ("ann", "02_batch_norm_forward"),
        ("j__doe", "02_batch_norm_forward"),
    ]


MOODLE = {
    f"Ann Lee_4711_assignsubmission_file_/{NAME}": "{}",
    f"Bob van Dyk_12_assignsubmission_file_/{NAME}": "{}",
    "Bob van Dyk_12_assignsubmission_onlinetext_/onlinetext.html": "<p>",
}
MOODLE_FLAT = {
    f"Ann Lee_4711_assignsubmission_file_{NAME}": "{}",
    f"Bob van Dyk_12_assignsubmission_file_{NAME}": "{}",
}
CANVAS = {
    f"leeann_4711_90210_{NAME}": "{}",
    f"dykbob_LATE_12_90211_{NAME[:-6]}-1.ipynb": "{}",
}


@pytest.mark.parametrize("members", [MOODLE, MOODLE_FLAT], ids=["folders", "flat"])
def test_a_zip_of_moodle(tmp_path, members):
    handed_in = find_submissions(zipped(tmp_path / "moodle.zip", members))
    assert handed_in.students == ("Ann Lee_4711", "Bob van Dyk_12")
    assert [exercise for _, exercise in found(handed_in)] == ["02_batch_norm_forward"] * 2


def test_a_zip_of_moodle_that_was_unpacked(tmp_path):
    with zipfile.ZipFile(zipped(tmp_path / "moodle.zip", MOODLE)) as archive:
        archive.extractall(tmp_path / "unpacked")
    handed_in = find_submissions(tmp_path / "unpacked")
    assert handed_in.students == ("Ann Lee_4711", "Bob van Dyk_12")


def test_a_zip_of_canvas(tmp_path):
    handed_in = find_submissions(zipped(tmp_path / "canvas.zip", CANVAS))
    assert handed_in.students == ("dykbob_12", "leeann_4711")
    assert [without_id(student) for student in handed_in.students] == ["dykbob", "leeann"]


@pytest.mark.parametrize(
    ("members", "students"),
    [
        # What a student calls a file puts nobody else's number into its place.
        (
            ["other_5_90_A", "eve_99_100_x_4711_assignsubmission_file_A"],
            {"eve_99", "other_5"},
        ),
        (["eve_99_100_x_4711_assignsubmission_file_A"], {"eve_99"}),
        (["eve_99_100_ann_4711_90_A", "dyk_van_12_91_A"], {"eve_99", "dyk_van_12"}),
        (["eve_LATE_99_100_bob__A", "other_5_90_bob_LATE_6_90_A"], {"eve_99", "other_5"}),
        (
            ["Ann Lee_4711_assignsubmission_file_A", "Eve_99_assignsubmission_file_bob_12_34_A"],
            {"Ann Lee_4711", "Eve_99"},
        ),
        # Nor does what a student is called, which Moodle lets them choose.
        (
            ["Eve_4711_assignsubmission_file_99_assignsubmission_file_/A", "Ann_5_/A"],
            {"Eve_4711_assignsubmission_file_99", "Ann_5_"},
        ),
        (["Eve_4711_90_99_assignsubmission_file/A"], {"Eve_4711_90_99"}),
        # What the system did not name is nobody's.
        (["leeann_4711_90_A", "dykbob_12_91_A", "carl__A"], {"leeann_4711", "dykbob_12"}),
        (["leeann_4711_90_A", "x_1_text.html", "y_2_text.html", "z_3_text.html"], {"leeann_4711"}),
        (["dykbob_late_12_91_A"], {"dykbob_12"}),
        # Folders are the student's own.
        (
            [f"Ann Lee_4711_assignsubmission_file_/lesson {n}/{n}A" for n in (2, 6)],
            {"Ann Lee_4711"},
        ),
        (["Ann Lee_4711_assignsubmission_file/1/2/3/A"], {"Ann Lee_4711"}),
        ([f"week 2/Ann_{n}_assignsubmission_file_/a/A" for n in (1, 2)], {"Ann_1", "Ann_2"}),
        ([f"week 2/ann_{n}_90_A" for n in (1, 2)], {"ann_1", "ann_2"}),
        (["week 2/ann__A", "week 2/bob__A"], {"ann", "bob"}),
    ],
)
def test_the_system_says_whose_file_it_is(tmp_path, members, students):
    members = [name[:-1] + NAME if name.endswith("A") else name for name in members]
    handed_in = find_submissions(zipped(tmp_path / "a.zip", dict.fromkeys(members, "{}")))
    assert set(handed_in.students) == students
    assert {one.student for one in handed_in.submissions} == students
    lost = len(members) - len(handed_in.submissions) - ("lesson" in members[0])
    assert len(handed_in.notes) >= lost


WORDS = st.lists(
    st.sampled_from(
        ["_4711", "_12", "_90", "assignsubmission", "file", "LATE", "ann", "__", " (1)", "é", "02"]
    ),
    max_size=8,
).map("_".join)
# What is longer is shortened, with a code behind it.
NAMES = WORDS.filter(lambda name: len(name) <= 60)


@given(files=st.lists(NAMES, min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_no_name_of_a_file_makes_another_student(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("zips")
    for system in ("canvas", "moodle", "folders"):
        prefix = {
            "canvas": "stud{0}_10{0}_90{0}_",
            "moodle": "Stud Ent_10{0}_assignsubmission_file_",
            "folders": "Stud Ent_10{0}_assignsubmission_file_/",
        }[system]
        members = [prefix.format(n) + one + NAME for n, one in enumerate(files)]
        path = zipped(folder / f"{system}.zip", dict.fromkeys(members, "{}"))
        try:
            handed_in = find_submissions(path)
        except ClassError:  # all names were unclear
            assert all("assignsubmission_" in one for one in files)
            continue
        expected = {
            f"{'stud' + str(n) if system == 'canvas' else 'Stud Ent'}_10{n}" for n in range(9)
        }
        assert set(handed_in.students) <= expected
        for one in handed_in.submissions:
            assert one.file.replace(" ", "") == members[int(one.student[-1])].replace(" ", "")
        assert len(handed_in.submissions) + len(handed_in.notes) == len(files)


def test_where_moodles_words_come_twice_in_a_name_nobody_is_guessed(tmp_path):
    members = dict.fromkeys(MOODLE_FLAT, "{}")
    forged = f"Eve_4711_assignsubmission_file_99_assignsubmission_file_{NAME}"
    handed_in = find_submissions(zipped(tmp_path / "a.zip", members | {forged: "{}"}))
    assert handed_in.students == ("Ann Lee_4711", "Bob van Dyk_12")
    assert handed_in.notes == (f"{forged}: no student's name in it, so it was left out.",)


def test_a_zip_of_a_folder(tmp_path):
    members = {f"week 2/{name}/{NAME}": "{}" for name in ("ann", "bob")}
    handed_in = find_submissions(zipped(tmp_path / "one.zip", members))
    assert handed_in.students == ("ann", "bob")


def test_a_zip_of_one_student_is_not_taken_apart(tmp_path):
    handed_in = find_submissions(zipped(tmp_path / "one.zip", {f"ann/work/{NAME}": "{}"}))
    assert handed_in.students == ("ann",)


def test_the_content_of_a_file_and_of_one_in_a_zip_are_alike(tmp_path, write_notebook):
    path = write_notebook(tmp_path / "all" / "ann" / NAME, "x = 1")
    (plain,) = find_submissions(tmp_path / "all").submissions
    packed = zipped(tmp_path / "all.zip", {f"ann/{NAME}": path.read_bytes()})
    (in_zip,) = find_submissions(packed).submissions
    assert plain.read() == in_zip.read() == path.read_bytes()
    assert plain.digest == in_zip.digest
    path.write_bytes(path.read_bytes() + b" ")
    assert find_submissions(tmp_path / "all").submissions[0].digest != plain.digest


# ---- which exercise


@pytest.mark.parametrize(
    "name",
    [
        "02_batch_norm_forward (1).ipynb",
        "Copy of 02_Batch_Norm_Forward.ipynb",
        "02-batch-norm-forward.IPYNB",
        "Ann Lee 02_batch_norm_forward.ipynb",
    ],
)
def test_a_renamed_file_is_recognised(tmp_path, write_notebook, name):
    write_notebook(tmp_path / "ann" / name)
    assert found(find_submissions(tmp_path)) == [("ann", "02_batch_norm_forward")]


def test_a_file_of_another_name_is_recognised_by_its_tasks(tmp_path, write_notebook):
    source = "def fold_layer_norm(x): ...", "check('fold_layer_norm', fold_layer_norm)"
    write_notebook(tmp_path / "ann" / "homework.ipynb", *source)
    assert found(find_submissions(tmp_path)) == [("ann", "06_layer_norm")]


def test_what_is_no_notebook_of_the_course_is_left_out_and_said(tmp_path, write_notebook):
    write_notebook(tmp_path / "ann" / "shopping.ipynb", "eggs = 12")
    (tmp_path / "ann" / "02_batch_norm_forward.pdf").write_text("a picture of my code")
    write_notebook(tmp_path / NAME)
    write_notebook(tmp_path / "ann" / ".ipynb_checkpoints" / NAME)
    handed_in = find_submissions(tmp_path)
    assert handed_in.submissions == ()
    assert handed_in.students == ("ann",)
    assert sorted(note.split(":")[0] for note in handed_in.notes) == [
        NAME,
        "ann/02_batch_norm_forward.pdf",
        "ann/shopping.ipynb",
    ]


def test_of_two_attempts_the_newest_counts(tmp_path, write_notebook):
    old = write_notebook(tmp_path / "ann" / "02_batch_norm_forward (2).ipynb", "old")
    new = write_notebook(tmp_path / "ann" / NAME, "new")
    os.utime(old, (1_000_000, 1_000_000))
    handed_in = find_submissions(tmp_path)
    assert [one.path for one in handed_in.submissions] == [new]
    assert handed_in.notes == (
        f"ann/02_batch_norm_forward (2).ipynb: ann has a newer 02_batch_norm_forward, ann/{NAME}.",
    )
    for path in (old, new):  # of the same age, the number tells
        os.utime(path, (1_000_000, 1_000_000))
    assert [one.path for one in find_submissions(tmp_path).submissions] == [old]


@pytest.mark.parametrize("name", ["02", "02_batch_norm_forward", "02_batch_norm_forward.ipynb"])
def test_an_exercise_is_named_in_full_or_by_number(name):
    assert exercise_named(name) == "02_batch_norm_forward"


def test_a_teachers_own_exercise_need_not_begin_with_a_number(monkeypatch):
    for module in (recognition, submissions):
        monkeypatch.setattr(module, "notebooks", lambda: (*notebooks(), "softmax", "my-softmax"))
    assert exercise_named("softmax") == submissions.short_name("softmax") == "softmax"
    assert recognition.named_in("Softmax (1)") == "softmax"
    assert recognition.named_in("lee_my_softmax") == "my-softmax"
    assert submissions.short_name("02_batch_norm_forward") == "02"


def test_an_exercise_that_is_not_there_is_said():
    with pytest.raises(ClassError, match="no exercise '99'.*There are: 01_normalize_data"):
        exercise_named("99")


# ---- a part of it


def test_one_student_by_name_with_or_without_the_number(tmp_path):
    handed_in = find_submissions(zipped(tmp_path / "moodle.zip", MOODLE))
    for name in ("Ann Lee", "Ann Lee_4711"):
        assert handed_in.of_students([name]).students == ("Ann Lee_4711",)
        assert len(handed_in.of_students([name]).submissions) == 1
    with pytest.raises(ClassError, match="no student 'Ann Lea'.*mean Ann Lee_4711"):
        handed_in.of_students(["Ann Lea"])


def test_one_exercise(tmp_path, write_notebook):
    write_notebook(tmp_path / "ann" / NAME)
    write_notebook(tmp_path / "ann" / "06_layer_norm.ipynb")
    handed_in = find_submissions(tmp_path).of_exercises(["06"])
    assert found(handed_in) == [("ann", "06_layer_norm")]


def test_a_file_of_an_impossible_time_and_one_that_lies_too_deep(tmp_path, write_notebook):
    for number, when in enumerate([10**12, -(10**11)]):
        path = write_notebook(tmp_path / f"s{number}" / NAME)
        os.utime(path, (when, when))
    write_notebook(tmp_path / "s0" / "/".join("abcdefgh") / NAME)
    handed_in = find_submissions(tmp_path)
    assert [one.modified[:4] for one in handed_in.submissions][1:] == ["1970"]
    assert handed_in.notes == ("s0/a/b/c/d/e/f/g: Folders as deep as this are not looked into.",)


# ---- nothing there


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ClassError, match="No student's work"):
        find_submissions(tmp_path)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ClassError, match="no folder and no zip"):
        find_submissions(tmp_path / "nowhere")


def test_what_is_no_zip_is_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK, but no zip")
    with pytest.raises(ClassError, match="cannot be read as a zip"):
        find_submissions(tmp_path / "a.zip")


# ---- many, and large


def test_thousands_of_notebooks_are_found_with_one_look_into_the_zip(tmp_path, monkeypatch):
    """4,000 take two seconds of processor time; each was once looked up from the beginning."""
    text = (ROOT / "exercises" / NAME).read_text(encoding="utf-8")
    members = {f"s{n}_{n}_9_{NAME}": text + " " * n for n in range(500)}
    path = zipped(tmp_path / "canvas.zip", members | {f"s1_1_9_{n}.txt": "" for n in range(5000)})
    opened, real = [], zipfile.ZipFile
    monkeypatch.setattr(zipfile, "ZipFile", lambda *a, **k: opened.append(a) or real(*a, **k))
    begin = time.process_time()
    handed_in = find_submissions(path)
    assert time.process_time() - begin < 10
    assert len({one.digest for one in handed_in.submissions}) == 500
    assert handed_in.submissions[7].read().decode().strip() == text.strip()
    assert len(opened) == 1
    assert len(handed_in.notes) == 51
    assert handed_in.notes[-1] == "s1_1: 4,950 more files were left out."


def test_a_zip_that_has_changed_is_opened_again(tmp_path):
    first = find_submissions(zipped(tmp_path / "a.zip", {f"ann/{NAME}": "{}"}))
    second = find_submissions(zipped(tmp_path / "a.zip", {f"ann/{NAME}": "{ }", "b/x": ""}))
    assert first.submissions[0].digest != second.submissions[0].digest
    assert second.submissions[0].read() == b"{ }"


def test_a_zip_is_read_in_several_threads(tmp_path):
    members = {f"s{n}/{NAME}": f'{{"cells": [{n}]}}' * 5000 for n in range(40)}
    submissions = find_submissions(zipped(tmp_path / "a.zip", members)).submissions
    with ThreadPoolExecutor(8) as pool:
        contents = list(pool.map(Submission.read, submissions))
    assert [digest_of(one) for one in contents] == [one.digest for one in submissions]


def bomb(path, sizes):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, mib in sizes.items():
            with archive.open(f"{name}/{NAME}", "w", force_zip64=True) as member:
                for _ in range(mib):
                    member.write(bytes(2**20))
    return path


def test_a_bomb_is_refused_without_being_unpacked(tmp_path, monkeypatch):
    path = bomb(tmp_path / "bomb.zip", {"eve": 95, "mallory": 101, "ann": 1})
    read, real = [], zipfile.ZipExtFile.read
    monkeypatch.setattr(
        zipfile.ZipExtFile, "read", lambda self, *a: read.append(self.name) or real(self, *a)
    )
    ann, eve, mallory = find_submissions(path).submissions
    assert "would unpack from" in eve.problem
    assert "101.0 MiB, and no more than 100" in mallory.problem
    assert ann.problem == ""
    assert set(read) == {f"ann/{NAME}"}


def test_a_repetitive_notebook_is_no_bomb(tmp_path):
    cell = {"cell_type": "code", "source": "", "outputs": [{"text": ["still here\n"] * 500_000}]}
    content = json.dumps({"cells": [cell]})
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"ann/{NAME}", content)
    assert find_submissions(path).submissions[0].problem == ""


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    (tmp_path / "ann").mkdir()
    with (tmp_path / "ann" / NAME).open("wb") as file:
        file.truncate(114 * 2**20)
    (ann,) = find_submissions(tmp_path).submissions
    assert ann.problem.startswith("It has 114.0 MiB, and no more than 100 are read.")


def test_what_is_refused_under_another_name_is_said_as_well(tmp_path):
    zipped(tmp_path / "a.zip", {"ann/x": ""})
    (tmp_path / "ann").mkdir()
    os.mkfifo(tmp_path / "ann" / "homework.ipynb")
    assert "ann/homework.ipynb: It is not an ordinary file." in find_submissions(tmp_path).notes


# ---- hostile names and files


def test_a_link_is_not_followed(tmp_path, write_notebook):
    secret = write_notebook(tmp_path / "elsewhere" / NAME, "the teacher's solution")
    (tmp_path / "all" / "eve").mkdir(parents=True)
    (tmp_path / "all" / "eve" / NAME).symlink_to(secret)
    (tmp_path / "all" / "mallory").symlink_to(tmp_path / "elsewhere")
    write_notebook(tmp_path / "all" / "ann" / NAME)
    handed_in = find_submissions(tmp_path / "all")
    assert found(handed_in) == [(n, "02_batch_norm_forward") for n in ("ann", "eve")]
    eve = handed_in.submissions[1]
    assert "symbolic link" in eve.problem
    with pytest.raises(OSError, match="."):
        eve.read()
    assert handed_in.notes == ("mallory: no student's name in it, so it was left out.",)


def test_a_pipe_does_not_stop_the_search(tmp_path):
    (tmp_path / "eve").mkdir()
    os.mkfifo(tmp_path / "eve" / NAME)
    (eve,) = find_submissions(tmp_path).submissions
    assert eve.problem == "It is not an ordinary file."


def test_a_zip_does_not_lead_out_of_itself(tmp_path):
    members = {
        f"../../eve/{NAME}": "{}",
        f"/etc/{NAME}": "{}",
        f"ann/../bob/{NAME}": "{}",
        f"ann\\..\\carl\\{NAME}": "{}",
        f"dora/{NAME}": "{}",
    }
    handed_in = find_submissions(zipped(tmp_path / "evil.zip", members))
    assert not {"bob", "carl", "eve", "..", ""} & set(handed_in.students)
    by_student = {one.student: one.problem for one in handed_in.submissions}
    assert by_student.pop("dora") == ""
    assert all("leads out" in problem for problem in by_student.values())


def test_a_link_in_a_zip_is_not_followed(tmp_path):
    link = zipfile.ZipInfo(f"eve/{NAME}")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    (eve,) = find_submissions(tmp_path / "evil.zip").submissions
    assert "symbolic link" in eve.problem


def test_a_damaged_member_has_a_problem_and_not_the_whole_zip(tmp_path):
    members = {f"{name}/{NAME}": f"{name} " * 100 for name in ("ann", "bob")}
    path = zipped(tmp_path / "damaged.zip", members)
    path.write_bytes(path.read_bytes().replace(b"bob bob", b"rob rob", 1))
    ann, bob = find_submissions(path).submissions
    assert ann.problem == ""
    assert "cannot be read" in bob.problem


def test_names_that_cannot_be_shown_are_made_to(tmp_path, write_notebook):
    names = [b"\xff\xfe", b"\xff\xfd", "evil\u202eexe".encode(), b"two\nlines", b"x" * 200]
    for name in names:
        folder = os.path.join(os.fsencode(tmp_path), name)
        os.mkdir(folder)
        write_notebook(Path(os.fsdecode(folder)) / NAME)
    handed_in = find_submissions(tmp_path)
    assert len(handed_in.students) == len(handed_in.submissions) == len(names)
    for student in handed_in.students:
        assert student.encode().decode() == student
        assert not set(student) & set("\n\u202e")
        assert len(student) < 130


def test_a_name_that_is_written_in_two_ways_is_one(tmp_path, write_notebook):
    write_notebook(tmp_path / "Rene\u0301" / NAME)
    write_notebook(tmp_path / "Ren\u00e9" / "06_layer_norm.ipynb")
    assert find_submissions(tmp_path).students == ("Ren\u00e9",)
