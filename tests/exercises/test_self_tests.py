"""The self-tests: five questions a lesson, each proven, and the learner's first choices counted."""

import json
import re
from pathlib import Path

import pytest

from normlab.exercises import progress, self_test
from normlab.exercises.self_tests import Answer, Question, all_self_tests
from normlab.exercises.sitting import Sitting

ROOT = Path(__file__).parents[2]
LESSONS = sorted(path.stem for path in (ROOT / "source" / "lessons").glob("*.py"))
QUESTIONS = {
    f"{lesson}-{number}": question
    for lesson, questions in all_self_tests().items()
    for number, question in enumerate(questions, 1)
}


def test_every_lesson_has_five_questions_and_asks_them_before_its_recap():
    assert list(all_self_tests()) == LESSONS
    for lesson, questions in all_self_tests().items():
        assert len(questions) == 5, lesson
        source = (ROOT / "source" / "lessons" / f"{lesson}.py").read_text()
        before, asked, after = source.partition(f'self_test("{lesson}")')
        assert asked, lesson
        assert before.count("## Test yourself") == 1, lesson
        assert after.count("## Recap") == 1, lesson


@pytest.mark.parametrize("name", QUESTIONS)
def test_one_answer_is_right_and_every_answer_says_why(name):
    question = QUESTIONS[name]
    assert 2 < len(question.answers) < 5
    assert [answer.right for answer in question.answers].count(True) == 1
    assert len({answer.text for answer in question.answers}) == len(question.answers)
    for answer in question.answers:
        assert len(answer.why) > 20, answer.text
        assert not re.search(r"<[a-z/]|\$|\*\*", answer.text + answer.why), "only backticks"
        for text in (question.ask, answer.text, answer.why):
            assert text.count("`") % 2 == 0, text
            words = re.findall(r"(?i)\b(simply|just|obviously|trivially|of course)\b", text)
            assert not words, text


@pytest.mark.parametrize("lesson", all_self_tests())
def test_the_right_answer_cannot_be_told_by_its_place_or_length(lesson):
    questions = all_self_tests()[lesson]
    places = [[a.right for a in question.answers].index(True) for question in questions]
    assert max(places.count(place) for place in places) <= 2
    longest = [max(question.answers, key=lambda a: len(a.text)).right for question in questions]
    assert sum(longest) <= 2


@pytest.mark.parametrize("name", [name for name, question in QUESTIONS.items() if question.proof])
def test_a_proof_holds(name):
    assert "assert " in QUESTIONS[name].proof
    exec(compile(QUESTIONS[name].proof, name, "exec"), {"__name__": name})


def test_most_questions_have_a_proof():
    proven = [question for question in QUESTIONS.values() if question.proof]
    assert len(proven) >= 0.8 * len(QUESTIONS)


# Asking them

ASKED = (
    Question(
        "What is `1 < 2`?",
        (Answer("`True`", "One is less.", right=True), Answer("`False`", "Look again.")),
        code="1 < 2",
    ),
    Question("And 3 < 2?", (Answer("yes", "No, three."), Answer("no", "Three is.", right=True))),
)


@pytest.fixture
def sitting(tmp_path, monkeypatch):
    monkeypatch.setenv("NORMLAB_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    return Sitting(LESSONS[3], ASKED)


def kept(tmp_path):
    return json.loads((tmp_path / "progress.json").read_text())["self_tests"][LESSONS[3]]


def test_the_first_answers_are_counted(sitting, tmp_path):
    assert sitting.hear([[1, False]]) == "Your first choices are counted in your progress."
    assert kept(tmp_path)["points"] == 0
    sitting.hear([[1, False], [1, True]])
    assert (kept(tmp_path)["points"], kept(tmp_path)["max_points"]) == (1, 2)


def test_the_best_sitting_is_kept_and_shown(sitting, tmp_path):
    sitting.hear([[0, True], [1, True]])
    Sitting(LESSONS[3], ASKED).hear([[1, False]])
    assert (kept(tmp_path)["points"], kept(tmp_path)["best"]) == (0, 2)
    (line,) = (line for line in progress().self_tests if line.name == LESSONS[3])
    assert (line.best, line.state) == (2, "begun")
    assert f"Self-tests: 2 of {len(QUESTIONS)} questions right at the first go" in str(progress())


def test_it_is_said_where_the_answers_are_not_counted(sitting, tmp_path, monkeypatch):
    monkeypatch.setenv("NORMLAB_PROGRESS", str(tmp_path))  # a folder
    assert sitting.hear([[0, True]]).startswith("Note: your progress could not be saved")
    monkeypatch.setenv("NORMLAB_PROGRESS", "")
    assert sitting.hear([[0, True]]) == ""  # the page says what the browser does


def test_a_check_and_a_self_test_do_not_overwrite_each_other(sitting, tmp_path):
    from normlab.exercises import check

    check("batch_norm_forward", None)
    sitting.hear([[0, True]])
    check("batch_norm_forward", None)
    file = json.loads((tmp_path / "progress.json").read_text())
    assert file["exercises"]["batch_norm_forward"]["checks"] == 2
    assert file["self_tests"][LESSONS[3]]["points"] == 1


def test_each_answer_unfolds_and_a_script_makes_a_form_of_that(sitting):
    bundle = sitting._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    html, _, script = bundle["text/html"].partition("<script>")
    assert html.count("<details") == 4
    assert len(re.findall(r"<summary[^>]*><code>True</code></summary>", html)) == 1
    assert re.findall(r"<details class=right[^>]*><summary[^>]*>(.*?)</summary>", html) == [
        "<code>True</code>",
        "no",
    ]
    assert html.count("<b>No.</b> Look again.") == 1
    assert "1 &lt; 2" in html
    assert f'const data = {{"key":"{LESSONS[3]}"}};' in script
    assert "-> a: One is less." in bundle["text/plain"]


def test_a_question_keeps_its_name_until_its_words_change(sitting):
    names = [
        re.findall(r'data-q="(\w+)"', str(one._repr_mimebundle_()))
        for one in (sitting, Sitting(LESSONS[4], (ASKED[1], ASKED[0])))
    ]
    assert len(set(names[0])) == 2
    assert names[0] != names[1]  # the first carries its number


def test_an_unknown_lesson_is_refused_with_the_names_of_the_others():
    with pytest.raises(ValueError, match="There is no self-test '99'. There are: 0"):
        self_test("99")
