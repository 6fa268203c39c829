"""What the teacher and the students read: right, complete, escaped, and nobody else's."""

import csv
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from normlab.exercises import find
from normlab.files import write_whole
from normlab.grading import AspectVerdict, Status, TaskVerdict, tasks_of
from normlab.grading.class_ import reports
from normlab.grading.class_.gradebook import Gradebook, Terms
from normlab.grading.class_.reports import COLUMNS, page_names, write_reports
from normlab.grading.class_.submissions import Submission
from normlab.grading.judge.feedback import refused
from normlab.grading.judge.verdict import Verdict

EXERCISE = "04_batch_norm_backward"
TERMS = Terms(seed=190_823_475, version="1.0", timeout=60)
TASKS = [task.name for task in tasks_of(EXERCISE)]
EVIL = '<script>alert("1")</script>'


def judged(*scores, mistakes=("", "", ""), message="", exercise=EXERCISE):
    """Return a verdict with these points on the tasks, all on the first aspect."""
    tasks = []
    for name, score, mistake in zip(TASKS, scores, mistakes, strict=True):
        aspect = AspectVerdict("values", score, 10, score == 10, message)
        tasks.append(TaskVerdict(name, score, 10, Status.GRADED, mistake, (aspect,)))
    return Verdict(exercise, tuple(tasks))


def work_of(student):
    return Submission(student, EXERCISE, None, "digest", modified="2026-11-20T10:00:00+00:00")


def mistake_of(task, number=0):
    return find(task).mistakes[number].key


def with_status(verdict, number, status, feedback=""):
    tasks = list(verdict.tasks)
    tasks[number] = replace(tasks[number], status=status, score=0, aspects=(), feedback=feedback)
    return replace(verdict, tasks=tuple(tasks))


@pytest.fixture
def report(tmp_path):
    """Return a function that writes the reports of some verdicts by student, and their folder."""

    def write(verdicts, notes=(), isolation="a box\nof <steel>", waiting=()):
        with Gradebook(tmp_path / "gradebook.db") as gradebook:
            for student, verdict in verdicts.items():
                handed_in = [] if verdict is None else [work_of(student)]
                gradebook.note([student], handed_in)
                if verdict:
                    gradebook.record(handed_in[0], verdict, TERMS, isolation)
            for student in waiting:
                gradebook.note([student], [work_of(student)])
            write_reports(gradebook, tmp_path, notes)
        return tmp_path

    return write


class Page(HTMLParser):
    """The text, the tags and the addresses of a page."""

    def __init__(self, path):
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.words, self.tags, self.links = [], [], []
        self.feed(self.source)
        self.text = " ".join("".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("href", "src")]

    def handle_data(self, data):
        if self.tags[-1:] != ["style"]:
            self.words.append(data)


# ---- grades.csv


def test_grades_have_a_row_for_every_task_of_everyone(report):
    out = report(
        {
            "ann": judged(10, 7.5, 3, mistakes=("", "", mistake_of(TASKS[2]))),
            "bob": with_status(judged(10, 10, 10), 1, Status.TIMEOUT),
            "carl": None,
            "dora": refused(EXERCISE, Status.UNREADABLE, "It is empty."),
        }
    )
    with (out / "grades.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    in_the_end = [tuple(row.values())[7:] for row in rows[::3]]
    assert in_the_end == [
        ("20.5", "30", work_of("ann").modified, "0"),
        ("20", "30", work_of("bob").modified, "0"),
        ("", "30", "", "0"),
        ("", "30", work_of("dora").modified, "0"),
    ]
    assert [tuple(row.values())[:7] for row in rows] == [
        ("ann", EXERCISE, TASKS[0], "10", "10", "graded", ""),
        ("ann", EXERCISE, TASKS[1], "7.5", "10", "graded", ""),
        ("ann", EXERCISE, TASKS[2], "3", "10", "graded", mistake_of(TASKS[2])),
        ("bob", EXERCISE, TASKS[0], "10", "10", "graded", ""),
        ("bob", EXERCISE, TASKS[1], "0", "10", "timeout", ""),
        ("bob", EXERCISE, TASKS[2], "10", "10", "graded", ""),
        *(("carl", EXERCISE, task, "0", "10", "missing", "") for task in TASKS),
        *(("dora", EXERCISE, task, "0", "10", "unreadable", "") for task in TASKS),
    ]


def test_a_name_is_no_formula(report):
    out = report({"=1+1": judged(1, 1, 1), "@a": judged(1, 1, 1), "b=c": judged(1, 1, 1)})
    with (out / "grades.csv").open(newline="") as file:
        names = {row["student"] for row in csv.DictReader(file)}
    assert names == {"'=1+1", "'@a", "b=c"}


# ---- index.html


def test_the_overview_counts(report):
    first, second = mistake_of(TASKS[0]), mistake_of(TASKS[0], 1)
    out = report(
        {
            "ann": judged(10, 10, 10),
            "bob": judged(4, 9, 5, mistakes=(f"{first} + {second}", first, "")),
            "carl": judged(4, 10, 10, mistakes=(first, "", "")),
            "dora": with_status(judged(0, 10, 10), 0, Status.MEMORY, "It asked for 10 GB."),
            "eve": None,
        },
        notes=["ann/x.pdf: not a notebook"],
        waiting=["fred"],
    )
    page = Page(out / "index.html")
    assert "6 students" not in page.text  # fred is not graded yet
    assert "5 students handed in 4 notebooks of 1 exercise" in page.text
    assert "The median is 20 of 30 points" in page.text
    assert page.text.count(f"made this mistake {first}") == 1
    assert "graded 11, missing 3, memory 1." in page.text
    named = f"2 of 4 made this mistake {first}{TASKS[0]}{TASKS[1]} "
    other = f"1 of 4 made this mistake {second}{TASKS[0]} "
    assert page.text.index(named) < page.text.index(other)
    assert f"Lesson 4, “{find(TASKS[0]).mistakes[0].section}”" in page.text
    assert f"no known mistake explains: {TASKS[2]} 1." in page.text
    assert (
        "60 % of the points in the mean 1 of 3 with all points memory 1, missing 1" in page.text
    )  # the first task: 10, 4, 4
    assert f"dora 04 {TASKS[0]} memory It asked for 10 GB." in page.text
    assert "Not graded yet: 1." in page.text
    assert f"fred: {EXERCISE}" in page.text
    assert "ann/x.pdf: not a notebook" in page.text
    assert "eve 0 * missing" in page.text
    assert "dora 20 * 20 *" in page.text
    assert "ann 30 30" in page.text


def test_the_histogram_shows_who_lacks_a_judgement(report):
    half = judged(5, 5, 5)
    out = report(
        {
            "a": half,
            "b": half,
            "c": with_status(judged(10, 5, 0), 2, Status.FAILED),
            "d": judged(10, 10, 10),
            "e": None,
        }
    )
    source = (out / "index.html").read_text()
    histogram = source.split('<table class="histogram">')[1].split("</table>")[0]
    steps = {}
    for row in histogram.split("</tr>")[:-1]:
        label, count = re.findall(r'class="number">(.*?)</td>', row)
        steps[label] = [*re.findall(r'class="(\w+)" x="\S+" y="1" width="(\S+)"', row), count]
    assert len(steps) == 10
    assert steps["0–10 %"] == [("judged", "0.00"), ("open", "33.33"), "1"]
    assert steps["50–60 %"] == [("judged", "66.67"), ("open", "33.33"), "3"]
    assert steps["90–100 %"] == [("judged", "33.33"), "1"]
    assert sum(int(count) for *_, count in steps.values()) == 5


def test_the_head_says_what_held(report):
    page = Page(report({"ann": judged(1, 1, 1)}) / "index.html")
    assert "What kept the students' code in its place: a box of <steel>" in page.text
    assert "<steel>" not in page.source


def test_the_head_says_it_where_verdicts_were_made_in_different_ways(report):
    report({"ann": judged(1, 1, 1), "bob": judged(1, 1, 1)})
    page = Page(report({"carl": judged(1, 1, 1)}, isolation="NONE") / "index.html")
    assert "(2 notebooks): a box" in page.text
    assert "(1 notebook): NONE" in page.text


def test_nothing_graded_yet_is_a_page_as_well(report):
    page = Page(report({}, waiting=["ann"]) / "index.html")
    assert "Nothing is graded yet." in page.text


def test_results_stand_before_what_held(report):
    page = Page(report({"ann": judged(1, 1, 1)}) / "index.html")
    assert page.text.index("The median is") < page.text.index("a box of <steel>")
    assert "1 student handed in 1 notebook of 1 exercise." in page.text
    inside = {link[1:] for link in page.links if link.startswith("#")}
    assert inside == {"isolation", "again", "tasks", "students"}
    assert all(f'id="{name}"' in page.source for name in inside)


def test_who_is_to_be_looked_at_is_a_link_to_the_page_and_nothing_there_tells_the_student(report):
    endless = "It never came to an end.\n\nNext: find the loop that never ends."
    bob = with_status(judged(1, 1, 1), 2, Status.TIMEOUT, endless)
    out = report({"bob": bob, "carl": None})
    look = (out / "index.html").read_text().partition('<h2 id="look">')[2]
    look = look.partition('<h2 id="students">')[0]
    assert "It never came to an end." in look
    assert "find the loop" not in look
    assert 'href="feedback/bob.html"' in look
    assert 'href="feedback/carl.html"' in look


def test_the_table_of_students_says_of_how_many(report):
    out = report({"ann": judged(1, 2, 3)})
    head = (out / "index.html").read_text().partition('<h2 id="students">')[2].partition("</tr>")
    assert head[0].count('<span class="faint">of 30</span>') == 2


# ---- feedback


def test_feedback_folds_what_is_right_and_says_what_to_do_after_the_mistake(report):
    ann = judged(10, 3, 0, message="Divide by `var`.\n\n    got  [1. 2.]\n\n<b>")
    tasks = [replace(task, feedback="A remark.\n\nNext: read `eps`.") for task in ann.tasks]
    out = report({"ann": replace(ann, tasks=tuple(tasks))})
    folded, _, open_ = (out / "feedback" / "ann.html").read_text().partition("</details>")
    assert f"<code>{TASKS[0]}</code>" in folded.partition("<summary>")[2]
    assert TASKS[1] in open_
    assert "<details>" not in open_
    assert "<div>Divide by <code>var</code>.</div>" in open_
    assert re.search(r"<pre [^>]*>got  \[1. 2.\]</pre>", open_)
    assert "<div>&lt;b&gt;</div>" in open_
    order = ("A remark.", "✗</b> FAIL", "<b>Next:</b> read <code>eps</code>.")
    said = [open_.index(words) for words in order]
    assert said == sorted(said)


def test_a_mistake_is_seen_at_once_in_the_panel_of_the_notebook_and_what_passed_is_folded(report):
    ann = judged(10, 3, 10)
    right, wrong = (ann.tasks[at].aspects[0] for at in (0, 1))
    hint = replace(wrong, message="Symptom: too large.\n\nHint: look at `eps`.")
    follows = replace(wrong, name="images", message="follows from the same mistake")
    task = replace(ann.tasks[1], aspects=(right, hint, right, follows))
    ann = replace(ann, tasks=(ann.tasks[0], task, ann.tasks[2]))
    page = Page(report({"ann": ann}) / "feedback" / "ann.html")
    seen = (
        f"{TASKS[1]}: 3 of 10 points ✗ FAIL values 3 / 10 Symptom: too large.Hint: look at eps. "
        "✗ FAIL images (follows from the same mistake) 3 / 10 ✓ pass: 2 other aspects ✓ pass values"
    )
    assert seen in page.text


@pytest.mark.parametrize("status", [one for one in Status if one is not Status.GRADED])
def test_the_teacher_reads_what_the_teacher_can_do_and_the_student_what_the_student(report, status):
    out = report({"bob": with_status(judged(1, 1, 1), 2, status, "")})
    own = Page(out / "feedback" / "bob.html").text
    desk = Page(out / "index.html").text
    for page, advice, others in (
        (own, reports._TO_DO, reports._TO_CHECK),
        (desk, reports._TO_CHECK, reports._TO_DO),
    ):
        assert advice[status].replace("`", "") in page
        assert others[status].replace("`", "") not in page


def test_what_to_do_is_said_once(report):
    endless = "Next: find the loop that never ends, then run the check again."
    out = report({"bob": with_status(judged(1, 1, 1), 2, Status.TIMEOUT, endless)})
    assert Page(out / "feedback" / "bob.html").text.count("Next:") == 1


def test_a_task_not_begun_is_said_to_be_that_and_not_to_be_nowhere(report):
    begun = "Not begun yet: the function still raises NotImplementedError. Your code goes there."
    page = Page(
        report({"bob": with_status(judged(1, 1, 1), 2, Status.MISSING, begun)})
        / "feedback/bob.html"
    )
    assert page.text.count(begun) == 1
    assert reports.MEANINGS[Status.MISSING] not in page.text


def test_feedback_has_points_by_aspect_and_what_was_said(report):
    ann = judged(10, 3, 0, message="Hint: which axis?\n  [[1. 2.]]")
    ann = with_status(ann, 2, Status.TIMEOUT, "It never came to an end.")
    page = Page(report({"ann": ann}) / "feedback" / "ann.html")
    assert f"{EXERCISE}: 13 of 30 points" in page.text
    assert f"{TASKS[0]}: 10 of 10 points ✓ pass values 10 / 10" in page.text
    assert f"{TASKS[1]}: 3 of 10 points ✗ FAIL values 3 / 10" in page.text
    assert f"{TASKS[2]}: 0 of 10 points, timeout The time was up" in page.text
    assert "It never came to an end." in page.text
    assert "Hint: which axis?\n  [[1. 2.]]</pre>" in page.source


def test_feedback_is_ones_own_and_tells_no_seed(report):
    out = report(
        {
            "ann": judged(1, 1, 1, message="about ann"),
            "bob": judged(2, 2, 2, message="about bob"),
            "carl": None,
        }
    )
    pages = {path.stem: Page(path) for path in (out / "feedback").iterdir()}
    assert set(pages) == {"ann", "bob", "carl"}
    for name, page in pages.items():
        assert str(TERMS.seed) not in page.source
        assert page.links == []
        for other in set(pages) - {name}:
            assert not re.search(rf"\b{other}\b", page.source)
    assert "Nothing was handed in." in pages["carl"].text
    assert str(TERMS.seed) not in (out / "index.html").read_text()


def test_an_unreadable_file_is_explained_to_its_student(report):
    out = report({"ann": refused(EXERCISE, Status.UNREADABLE, "It ends in the middle.")})
    page = Page(out / "feedback" / "ann.html")
    assert page.text.count("It ends in the middle.") == 1
    assert page.text.count("The file could not be read") == 1
    assert f"{TASKS[0]}: 0 of 10 points, unreadable" in page.text


# ---- what students write


def test_what_students_write_is_escaped_everywhere(report):
    name = f'{EVIL}"onload=x'
    verdict = with_status(judged(1, 2, 3, message=EVIL), 1, Status.FAILED, EVIL)
    out = report({name: replace(verdict, message=EVIL)}, notes=[EVIL], waiting=[EVIL])
    pages = [Page(out / "index.html"), *map(Page, (out / "feedback").iterdir())]
    assert len(pages) == 2
    for page in pages:
        assert EVIL in page.text
        assert "script" not in page.tags
        assert "<script" not in page.source
        assert '"onload' not in page.source.replace("&#34;onload", "")


HOSTILE = [
    "../../etc/passwd",
    "a/b",
    "..",
    ".hidden",
    "CON",
    "nul.txt",
    "x" * 300,
    "tab\tname",
    "%2e%2e%2f",
    "Ann?query#fragment",
    "trailing.",
    "José 你好",
    "你" * 90,
    "'; DROP TABLE verdicts; --",
]


def test_every_student_has_a_page_of_a_safe_name_that_the_overview_links_to(report):
    out = report(dict.fromkeys(HOSTILE, judged(1, 2, 3)))
    links = [
        link for link in Page(out / "index.html").links if link != "grades.csv" and link[0] != "#"
    ]
    assert len(set(links)) == len(HOSTILE)
    for link in links:
        assert re.fullmatch(r"feedback/[\w().+@ -]+\.html", unquote(link))
        assert (out / unquote(link)).parent.resolve() == (out / "feedback").resolve()
        assert (out / unquote(link)).is_file()
    assert len(list((out / "feedback").iterdir())) == len(HOSTILE)
    assert sorted(path.name for path in out.iterdir()) == [
        "feedback",
        "gradebook.db",
        "grades.csv",
        "index.html",
    ]


def test_ordinary_names_are_file_names():
    names = ["ann", "Ann Lee_4711", "j.doe@example.org", "José", "lee-bob (2)"]
    assert page_names(names) == {name: name for name in names}


def test_names_that_differ_in_capitals_alone_have_two_files():
    names = page_names(["ann", "Ann", "bob"])
    assert len({name.casefold() for name in names.values()}) == 3
    assert names["bob"] == "bob"


# ---- the pages as files


def test_pages_ask_for_nothing_and_run_nothing(report):
    out = report({"ann": judged(1, 2, 3)})
    for path in (out / "index.html", out / "feedback" / "ann.html"):
        page = Page(path)
        assert not {"script", "img", "link", "iframe", "object", "base"} & set(page.tags)
        assert not re.search(r"https?:|url\(|@import|//", page.source)
        assert "default-src 'none'" in page.source
        assert "prefers-color-scheme: dark" in page.source


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    write_whole(path, "old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(Path(tmp_path).iterdir()) == [path]


def test_writing_again_gives_the_same_grades(report):
    verdicts = {"ann": judged(1, 2, 3), "bob": judged(4, 5, 6)}
    out = report(verdicts)
    before = (out / "grades.csv").read_bytes(), (out / "feedback" / "ann.html").read_bytes()
    report(verdicts)
    assert before == (
        (out / "grades.csv").read_bytes(),
        (out / "feedback" / "ann.html").read_bytes(),
    )
