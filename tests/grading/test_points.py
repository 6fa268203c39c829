"""What work earns in the end: by hand, late, excused, weighed, in a group, tried again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normlab.exercises import tasks_of
from normlab.grading import Status
from normlab.grading.class_ import ClassError
from normlab.grading.class_.gradebook import Entry, Gradebook, Terms
from normlab.grading.class_.points import Rules, course_rules, due_dates, late_rule, settle, settled
from normlab.grading.class_.remarks import TeachersRemark, read
from normlab.grading.class_.submissions import Submission, is_marked_late
from normlab.grading.judge.feedback import refused
from normlab.grading.judge.verdict import AspectVerdict, TaskVerdict, Verdict

BACKWARD = "04_batch_norm_backward"
TASKS = [task.name for task in tasks_of(BACKWARD)]
DUE = datetime(2026, 12, 1, 23, 0, tzinfo=UTC)
TERMS = Terms(seed=7, version="1", timeout=60)
TEN_A_DAY = Rules(due={BACKWARD: DUE}, percent_a_day=10, days=3)


def entry(*scores, late=timedelta(0), file="02.ipynb", status=Status.GRADED):
    scores = scores or (10, 10, 10)
    tasks = [
        TaskVerdict(name, score, 10, status, "", (AspectVerdict("all", score, 10, score == 10),))
        for name, score in zip(TASKS, scores, strict=True)
    ]
    when = (DUE + late).isoformat()
    return Entry("ann", BACKWARD, Verdict(BACKWARD, tuple(tasks)), "a box", when, file)


def remark(**what):
    return TeachersRemark(
        "ann", BACKWARD, what.pop("task", ""), what.pop("why", "so it is"), **what
    )


# ---- time


@pytest.mark.parametrize(
    ("late", "days", "left"),
    [
        (timedelta(hours=-3), 0, 30),
        (timedelta(0), 0, 30),
        (timedelta(seconds=1), 1, 27),
        (timedelta(days=1), 1, 27),
        (timedelta(days=1, seconds=1), 2, 24),
        (timedelta(days=3), 3, 21),
        (timedelta(days=3, seconds=1), 4, 0),
    ],
)
def test_each_day_begun_costs_and_after_the_last_day_nothing_is_left(late, days, left):
    done = settle(entry(late=late), [], TEN_A_DAY)
    assert (done.days_late, done.score) == (days, pytest.approx(left))
    assert done.max_score == 30
    assert bool(done.remarks) == bool(days)
    assert not days or f"Late by {days} day{'s' * (days > 1)} (due" in done.remarks[0]


def test_without_a_rule_lateness_is_shown_and_costs_nothing():
    done = settle(entry(late=timedelta(days=9)), [], Rules(due={BACKWARD: DUE}))
    assert (done.days_late, done.score) == (9, 30)
    assert "Late by 9 days (due 2026-12-01 23:00 UTC): 100 %" in done.remarks[0]


def test_what_canvas_marks_as_late_is_late_by_a_day_at_least_and_the_mark_is_told():
    file = "annlee_LATE_4711_90210_04_batch_norm_backward.ipynb"
    assert is_marked_late(file)
    assert not is_marked_late("late_work/04_batch_norm_backward.ipynb")
    done = settle(entry(file=file), [], TEN_A_DAY)
    assert (done.days_late, done.score) == (1, 27)
    assert "Marked as late by the system" in done.remarks[0]
    without = settle(entry(file=file), [], Rules())
    assert (without.days_late, without.score) == (0, 30)
    assert "Marked as late by the system" in without.remarks[0]


def test_an_extension_and_a_percentage_of_the_teachers_win_over_the_rule():
    late = entry(late=timedelta(days=2))
    assert settle(late, [], TEN_A_DAY, [remark(until=DUE + timedelta(days=2))]).score == 30
    assert settle(late, [], TEN_A_DAY, [remark(percent_off=50)]).score == 15
    assert settle(late, [], TEN_A_DAY, [remark(percent_off=0)]).score == 30
    note = remark()
    assert settle(late, [], TEN_A_DAY, [note, remark(until=DUE + timedelta(days=2))]).score == 30
    done = settle(entry(), [], TEN_A_DAY, [note, remark(percent_off=50)])
    assert (done.score, done.remarks[-1]) == (15, "50 % of the points.")
    nothing = Entry("ann", BACKWARD, refused(BACKWARD, Status.MISSING))
    assert len(settle(nothing, [], TEN_A_DAY, [remark(percent_off=50)]).remarks) == 1


def test_a_time_without_a_zone_is_in_utc():
    late = replace(entry(), modified="2026-12-02T00:30:00")
    assert settle(late, [], TEN_A_DAY).days_late == 1


# ---- by hand, excused


def test_points_by_hand_take_the_place_of_what_was_judged_or_could_not_be():
    stuck = entry(10, 0, 0, status=Status.TIMEOUT)
    done = settle(stuck, [], Rules(), [remark(task=TASKS[1], points=6)])
    assert [task.score for task in done.verdict.tasks] == [10, 6, 0]
    assert done.verdict.tasks[1].status is Status.GRADED
    assert "6 points by hand" in done.verdict.tasks[1].feedback
    assert settle(entry(), [], Rules(), [remark(task=TASKS[1], why="a note")]).score == 30
    whole = settle(stuck, [], TEN_A_DAY, [remark(points=21, why="by eye")])
    assert (whole.score, whole.is_judged, whole.has_score) == (21, True, True)
    assert whole.remarks[0] == "21 points by hand: by eye"


def test_who_is_excused_has_neither_points_nor_a_maximum():
    nothing = Entry("ann", BACKWARD, refused(BACKWARD, Status.MISSING))
    done = settle(nothing, [], TEN_A_DAY, [remark(excused=True)])
    assert (done.max_score, done.has_score, done.is_judged, done.excused) == (0, False, True, True)


# ---- several attempts


def test_the_last_the_best_or_the_last_in_time_counts_and_all_are_told():
    first = entry(5, 5, 5, late=timedelta(days=-2))
    second = entry(10, 8, 5, late=timedelta(days=-1))
    last = entry(10, 10, 4, late=timedelta(days=1))
    chosen = {
        attempt: settle(last, [first, second], replace(TEN_A_DAY, attempt=attempt))
        for attempt in ("last", "best", "in-time")
    }
    assert chosen["last"].score == pytest.approx(24 * 0.9)
    assert chosen["best"].score == chosen["in-time"].score == 23
    assert chosen["best"].modified == second.modified
    told = "Handed in 3 times, and the best counts: 2026-11-29 23:00 15 points, 2026"
    assert told in chosen["best"].remarks[-1]
    for score in ("15 points", "23 points (counts)", "21.6 points"):
        assert score in chosen["best"].remarks[-1]
    free = Rules(due={BACKWARD: DUE}, attempt="best")
    assert settle(entry(late=timedelta(days=1)), [entry()], free).days_late == 0


# ---- course.toml


def test_points_weights_and_tasks_left_out():
    said = f'[04]\nweight = 2\nleave_out = ["{TASKS[2]}"]\npoints = {{{TASKS[0]} = 5}}'
    said = f'lessons = ["04"]\n{said}'
    rules = course_rules(said)
    done = settle(entry(10, 5, 10), [], rules)
    assert [(task.score, task.max_score) for task in done.verdict.tasks] == [(10, 10), (10, 20)]
    assert [(one.aspects[0].points, one.aspects[0].max_points) for one in done.verdict.tasks] == [
        (10, 10),
        (10, 20),
    ]
    assert rules.most(BACKWARD) == 30
    assert rules.most(BACKWARD, TASKS[1]) == 20
    assert course_rules("[04]\nweight = 0.5").weights == {BACKWARD: 0.5}
    assert course_rules("[04]").weights == {BACKWARD: 1.0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[99]\nweight = 1", "no exercise '99'"),
        ("[04]\nwieght = 1", "there is no wieght"),
        ('[04]\nleave_out = ["predict"]', "there is no predict"),
        ("[04]\nweight = 0", "no number of points above 0"),
        ("[04]\nweight = 1000000", "no number of points above 0"),
        ("[04]\nweight = true", "no number of points above 0"),
        ("[04]\nweight = '2'", "no number of points above 0"),
        ("02 = 1", "course.toml"),
        ("[02", "course.toml"),
        (f"[04]\nleave_out = {TASKS}", "all tasks are left out"),
    ],
)
def test_what_is_wrong_in_course_toml_is_said(text, said):
    with pytest.raises(ClassError, match=said):
        course_rules(text)


def test_rules_are_read_as_they_are_written_or_refused():
    assert late_rule("10% a day, 3 days") == late_rule("10 % a day,3 days") == (10, 3)
    assert late_rule("none") == late_rule("") == (0, 0)
    assert late_rule("100 % a day, 1 day") == (100, 1)
    for text in ("10%", "101% a day, 2 days", "often"):
        with pytest.raises(ClassError, match="is not like"):
            late_rule(text)
    kept = due_dates(["02=2026-12-01T23:59+01:00"])
    assert '"2026-12-01T23:59:00+01:00"' in kept
    assert due_dates(["02=none"], kept) == "{}"
    for text, said in (("02=soon", "--due 02=soon"), ("02", "--due 02 is not like")):
        with pytest.raises(ClassError, match=said):
            due_dates([text])
    with pytest.raises(ClassError):
        due_dates(["99=2026-12-01"])


# ---- the file of remarks


def write(folder, *lines):
    text = "student,exercise,remark,why\n" + "".join(f"{line}\n" for line in lines)
    (folder / "remarks.csv").write_text(text, encoding="utf-8")


def test_every_kind_of_row_is_read(tmp_path):
    students = ["Ann Lee_4711", "bob", "Ida Ek"]
    write(
        tmp_path,
        "ann lee,02,excused,ill",
        "4711,03,excused,ill",
        "bob,batch_norm_forward,7.5,right but for its name",
        "bob,04_batch_norm_backward,late -10 %,",
        "bob,03,until 2026-12-03T23:59+01:00,a note",
        "bob,06,with Ida Ek,",
        "",
        'bob,07,,"Looked at again: the page is right."',
    )
    found = read(tmp_path, students, Rules().most)
    assert [one.student for one in found] == [*["Ann Lee_4711"] * 2, *["bob"] * 5]
    assert found.pop(0).excused
    assert found[0].excused
    assert (found[1].task, found[1].points) == ("batch_norm_forward", 7.5)
    assert found[2].percent_off == 10
    assert found[3].until.isoformat() == "2026-12-03T23:59:00+01:00"
    assert found[4].partner == "Ida Ek"
    assert str(found[5]) == "remark: Looked at again: the page is right."
    text = (tmp_path / "remarks.csv").read_text().replace(",", ";")
    (tmp_path / "remarks.csv").write_text("\ufeff" + text, encoding="utf-8")
    assert read(tmp_path, students, Rules().most)[2].points == 7.5


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("eve,02,excused,", "row 3: there is no student 'eve'"),
        ("bobb,02,excused,", "no student 'bobb'. Did you mean bob?"),
        ("bob,99,excused,", "row 3: there is no exercise and no task '99'"),
        ("bob,02,41,", "41 points are more than the 40"),
        ("bob,batch_norm_forward,11,", "11 points are more than the 10"),
        ("bob,02,-1,", "'-1' is none of"),
        ("bob,02,late -101 %,", "is none of"),
        ("bob,02,until soon,", "no time like"),
        ("bob,02,with eve,", "no student 'eve'"),
        ("bob,02,,", "it says nothing"),
        ("bob,02,excused", "it has 3 cells"),
        ("bob,batch_norm_forward,excused,", "is a task"),
        ("hans,02,excused,", "may be Hans_1 or Hans_2"),
        ("bob,02,5,", "row 2 says another thing of the same"),
    ],
)
def test_what_is_wrong_with_a_row_is_said_with_its_number(tmp_path, line, said):
    write(tmp_path, "bob,02,7,", line)
    with pytest.raises(ClassError, match=said):
        read(tmp_path, ["bob", "Hans_1", "Hans_2"], Rules().most)


# ---- all together


@settings(max_examples=300, deadline=None)
@given(
    scores=st.lists(st.tuples(*[st.floats(0, 10)] * 3), min_size=1, max_size=4),
    late=st.lists(st.integers(-200, 200), min_size=4, max_size=4),
    percent=st.floats(0, 100),
    days=st.integers(0, 6),
    attempt=st.sampled_from(["last", "best", "in-time"]),
    task_points=st.none() | st.floats(0.1, 100),
    weight=st.floats(0.01, 100),
    left_out=st.sampled_from(["", TASKS[2]]),
    off=st.none() | st.floats(0, 100),
    share_by_hand=st.none() | st.floats(0, 1),
    whole=st.booleans(),
)
def test_points_are_never_above_the_maximum_never_lost_and_the_history_is_whole(
    scores, late, percent, days, attempt, task_points, weight, left_out, off, share_by_hand, whole
):
    late = sorted(late[: len(scores)])
    attempts = [
        entry(*one, late=timedelta(hours=hours)) for one, hours in zip(scores, late, strict=True)
    ]
    points = {TASKS[0]: task_points} if task_points else {}
    outs = frozenset({left_out} - {""})
    rules = Rules({BACKWARD: DUE}, percent, days, attempt, points, outs, {BACKWARD: weight})
    said = [remark(percent_off=off)] if off is not None else []
    if share_by_hand is not None:
        task = "" if whole else TASKS[0]
        said.append(remark(task=task, points=share_by_hand * rules.most(BACKWARD, task)))
    done = settle(attempts[-1], attempts[:-1], rules, said)
    assert done.max_score == pytest.approx(rules.most(BACKWARD))
    assert -1e-9 <= done.score <= done.max_score * (1 + 1e-9)
    if whole and share_by_hand is not None:
        assert done.score == said[-1].points
    elif not percent and off is None and share_by_hand is None:
        ours = [
            sum(
                score * rules.scale(BACKWARD, name, 10)
                for score, name in zip(one, TASKS, strict=True)
            )
            for one in scores
        ]
        assert any(done.score == pytest.approx(one) for one in ours)
        if attempt == "best":
            assert done.score == pytest.approx(max(ours))
    told = done.remarks[-1] if len(attempts) > 1 else ""
    assert told.count(" points") == (len(attempts) if told else 0)


# ---- in the gradebook


def hand_in(gradebook, digest, scores, when=DUE, student="ann", is_earlier=False):
    one = Submission(
        student, BACKWARD, None, digest, -1, when.isoformat(), "", f"{digest}.ipynb", is_earlier
    )
    if not is_earlier:
        gradebook.note([student], [one])
    gradebook.record(one, entry(*scores).verdict, TERMS)
    return one


def test_earlier_attempts_are_never_overwritten(tmp_path):
    with Gradebook(tmp_path / "gradebook.db") as gradebook:
        hand_in(gradebook, "d1", (10, 10, 0), DUE - timedelta(days=2))
        hand_in(gradebook, "d2", (1, 1, 1), DUE - timedelta(days=1))
        hand_in(gradebook, "d3", (5, 5, 5), DUE - timedelta(days=3), is_earlier=True)
        assert [one.score for one in gradebook.earlier("ann", BACKWARD)] == [15, 20]
        for attempt, score in (("last", 3), ("best", 20)):
            gradebook.keep_rule("attempt", attempt)
            (done,) = settled(gradebook, tmp_path)
            assert done.score == score
        again = hand_in(gradebook, "d1", (10, 10, 10), DUE)
        assert [one.score for one in gradebook.earlier("ann", BACKWARD)] == [15, 3]
        assert (
            list(gradebook.needing([again, replace(again, digest="d3", is_earlier=True)], TERMS))
            == []
        )
        other = replace(again, digest="d9", is_earlier=True)
        assert list(gradebook.needing([other], TERMS)) == [other]


def test_a_group_hands_in_one_notebook_and_the_folder_is_nobody(tmp_path):
    with Gradebook(tmp_path / "gradebook.db") as gradebook:
        hand_in(gradebook, "d1", (10, 10, 5), student="Ida+Jan")
        gradebook.add_class(["Ida", "Jan"])
        gradebook.remove("Ida+Jan")
        gradebook.set_exercises([BACKWARD])
        write(tmp_path, "Ida,04,with Ida+Jan,", "Jan,04,with Ida+Jan,")
        done = list(settled(gradebook, tmp_path))
    assert [(one.student, one.score) for one in done] == [("Ida", 25), ("Jan", 25)]
    assert done[0].remarks[0] == "handed in by Ida+Jan"


def test_each_of_a_group_has_what_it_tried_before_and_the_remarks_of_their_own(tmp_path):
    with Gradebook(tmp_path / "gradebook.db") as gradebook:
        hand_in(gradebook, "d1", (10, 10, 10), DUE - timedelta(days=2), student="Ida+Jan")
        hand_in(gradebook, "d2", (1, 1, 1), student="Ida+Jan")
        gradebook.remove("Ida+Jan")
        for student in ("Ida", "Jan"):
            hand_in(gradebook, student, (0, 0, 2), student=student)
        gradebook.set_exercises(["02_batch_norm_forward"])  # the group's is not set
        gradebook.keep_rule("attempt", "best")
        write(tmp_path, "Ida,04,,a note", "Ida,04,with Ida+Jan,")
        done = [one for one in settled(gradebook, tmp_path) if one.exercise == BACKWARD]
    assert [(one.student, one.score, one.counts) for one in done] == [
        ("Ida", 30, False),
        ("Jan", 2, False),
    ]
