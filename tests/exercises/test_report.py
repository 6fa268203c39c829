"""What a check shows, as text and as HTML, and that a grader in another process can use it."""

import json
import pickle
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from normlab import check
from normlab.exercises import all_exercises, call_all, diagnose, draw_cases, find, judge, report_on
from normlab.exercises.arrays import two_numbers
from normlab.exercises.panel import RED, html_panel, text_panel
from normlab.exercises.report import Line, Remark, Report, describe_shapes

NAME = "batch_norm_forward"


def unbiased(x, weight, bias, eps):
    return weight * (x - x.mean(0)) / np.sqrt(x.var(0, ddof=1) + eps) + bias


def per_sample(x, weight, bias, eps):
    mean, var = x.mean(1, keepdims=True), x.var(1, keepdims=True)
    return weight * (x - mean) / np.sqrt(var + eps) + bias


def weight_squared(x, weight, bias, eps):
    return weight**2 * (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + bias


def with_median(x, weight, bias, eps):
    return weight * (x - np.median(x, 0)) / np.sqrt(x.var(0) + eps) + bias


# ---- as text


def test_a_named_mistake_reads_like_this():
    assert str(check(NAME, unbiased)) == (
        """\
batch_norm_forward                                               7 of 10 points
  FAIL  mean and variance of each channel              0 / 3
        Your numbers are what comes out when the variance divides by n - 1 in
        place of n.
        Symptom: every channel comes out a little too small; the smaller the
        batch, the more.
        Hint: how many values does your divisor count? NumPy's and torch's
        `var` do not agree on it.
  pass  eps, and a batch that hardly varies            2 / 2
        given the mistake above
  pass  weight and bias                                3 / 3
        given the mistake above
  pass  numbers far from zero, in float32              1 / 1
  pass  leaves its input alone                         1 / 1
Next: fix the variance, then run the check again. Lesson 2, "In a formula"."""
    )


def test_what_follows_from_a_mistake_says_so():
    text = str(check(NAME, per_sample))
    assert re.search(r"FAIL  eps, .* 0 / 2     follows from the same mistake\n", text)
    assert text.count("follows from the same mistake") == 2
    assert text.count("Your numbers are what comes out") == 1


def test_an_unnamed_failure_shows_the_smallest_case_side_by_side():
    text = str(check(NAME, with_median))
    useful = "No known mistake gives these numbers. The first difference is y[0, 0]: "
    assert f"{useful}expected 1.29777, got 1.45999." in " ".join(text.split())
    assert "\n        The smallest case: (3, 2), weight 1, bias 0.\n          expected y =" in text
    assert "          weight = [1. 1.]\n          bias = [0. 0.]\n          eps = 1e-12\n" in text
    assert re.search(r"\n +expected y = +got y =\n +\[\[ 1.2978  0\. +\] +\[\[ 1\.46", text)
    # What is said once is not said again at the same length.
    assert text.count("No known mistake") == 1
    assert "On (4, 3), hardly any variation, eps 0.01: The first difference is y[0," in text


def test_a_case_that_follows_from_the_learners_own_answer_says_so():
    text = " ".join(str(check(NAME, weight_squared)).split())
    assert "What is expected follows from your own answer to: (3, 2), eps 20.88." in text
    own = text[text.index("expected y") : text.index("weight = [")]
    assert "weight = [-1.5 3. ]" in text
    assert "-5.7" in own


def test_a_difference_in_the_fifth_digit_can_be_seen():
    """The smallest that is not taken for the rounding of float32."""

    def answer(x, weight, bias, eps):
        return (weight * (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + bias) * (1 + 3e-5)

    text = " ".join(str(check(NAME, answer)).split())
    assert "expected 1.29777, got 1.29781." in text
    assert "Your numbers are the expected ones times 1.00003, everywhere." in text


def test_lines_are_at_most_79_wide_where_words_allow():
    for answer in (unbiased, per_sample, weight_squared, with_median):
        rows = str(check(NAME, answer)).split("\n")
        assert max(len(row) for row in rows if "follows from" not in row) <= 79


def test_the_same_seed_gives_the_same_report():
    """No time, no address, no place: or the notebooks' outputs could not be compared."""
    for answer in (unbiased, with_median):
        assert str(check(NAME, answer)) == str(check(NAME, answer))
        assert check(NAME, answer)._repr_html_() == check(NAME, answer)._repr_html_()
        assert str(check(NAME, answer)) == repr(check(NAME, answer))
    assert str(check(NAME, with_median)) != str(check(NAME, with_median, seed=1))


@pytest.mark.parametrize(
    ("got", "expected", "said"),
    [
        ((4, 3), (3, 4), "the axes are in another order."),
        ((3, 4), (3, 5), "axis 1 has 4 where 5 is asked."),
        ((3,), (3, 5), "1 axis where 2 are asked."),
        ((2, 4, 5, 3), (2, 3, 4, 5), "the axes are in another order."),
    ],
)
def test_a_wrong_shape_says_which_axis(got, expected, said):
    assert describe_shapes("y", got, expected).endswith(said)


# ---- as HTML


class Outline(HTMLParser):
    """Collects tags, styles and text, and sees to it that every tag is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.styles, self.text = [], set(), [], ""
        self.roles, self.links = [], []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.tags.add(tag)
        assert set(dict(attributes)) <= {"style", "role", "aria-level", "href"}
        self.links += [value for name, value in attributes if name == "href"]
        self.roles += [value for name, value in attributes if name == "role"]
        self.styles += [value for name, value in attributes if name == "style"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def outline(html):
    parser = Outline()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser


# Of what JupyterLab's sanitizer lets through in a notebook that is not trusted.
PROPERTIES = {
    *("background", "border", "border-bottom", "border-left", "border-radius", "border-top"),
    *("color", "column-gap", "display", "flex", "flex-wrap", "font-size", "gap", "line-height"),
    *("justify-content", "margin", "margin-bottom", "margin-top", "max-width", "min-width"),
    *("list-style", "overflow-x", "padding", "padding-left", "padding-top", "white-space"),
}


TAGS = {"div", "span", "b", "i", "pre", "code", "ul", "li", "details", "summary", "a"}


@pytest.mark.parametrize("answer", [unbiased, per_sample, weight_squared, with_median, "text"])
def test_the_panel_is_sound_html_that_survives_cleaning(answer):
    report = check(NAME, answer)
    panel = outline(report._repr_html_())
    assert panel.tags <= TAGS
    for style in panel.styles:
        assert {part.partition(":")[0].strip() for part in style.split(";")} <= PROPERTIES


@pytest.mark.parametrize("answer", [unbiased, per_sample, weight_squared, with_median, "text"])
def test_the_panel_says_what_the_text_says(answer):
    report = check(NAME, answer)

    def words(text):
        return sorted(re.findall(r"[\w.\[\]-]+", text.replace("`", "")))

    panel = outline(report._repr_html_().replace("><", "> <").replace("</div>", " </div>")).text
    assert words(panel) == words(str(report))


def test_colour_is_not_the_only_sign():
    html = check(NAME, unbiased)._repr_html_()
    assert html.count("✓</b> pass") == 4
    assert html.count("✗</b> FAIL") == 1
    # All other text takes the colour of the page: nothing is black on a dark theme.
    colours = re.findall(r"[;\"]color:(#\w+)", html)
    assert len(colours) == 5


def test_a_screen_reader_finds_a_heading_a_list_and_what_is_announced():
    html = check(NAME, per_sample)._repr_html_()
    panel = outline(html)
    assert panel.roles == ["alert", "heading", "list"]
    assert html.count("<li>") == 5
    # What stands side by side on the screen does not run together when it is read out.
    assert "✗ FAIL mean and variance of each channel 0 / 3" in panel.text
    assert "batch_norm_forward 4 of 10 points" in panel.text


def test_arrays_are_folded_away_and_take_at_most_twelve_rows():
    def one_for_all(x, num_groups, weight, bias, eps):
        return x - x.mean() + np.median(x)

    for name, answer in ((NAME, with_median), ("group_norm_forward", one_for_all)):
        report = check(name, answer)
        html, text = report._repr_html_(), str(report)
        assert html.count("<details>") == 1
        assert "<pre" not in re.sub("<details>.*?</details>", "", html, flags=re.DOTALL)
        rows = text.split("The smallest case")[1].split("\n  FAIL")[0].split("\n  pass")[0]
        assert 4 <= rows.count("\n") <= 12, rows
        assert len(text.split("\n")) < 40


def test_the_sentence_comes_before_the_numbers():
    text = str(check(NAME, lambda *args: 2 * right(*args)))
    order = ["the expected ones times 2", "No known mistake", "The smallest case", "expected y ="]
    assert [text.index(words) for words in order] == sorted(text.index(words) for words in order)


def right(x, weight, bias, eps):
    return weight * (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + bias


def test_numbers_that_differ_are_shown_with_as_many_digits_as_it_takes():
    text = str(check("channel_statistics", rounded))
    expected, got = re.search(r"expected mean =.*\n +(\[.*?\]) +(\[.*?\])", text).groups()
    assert expected != got
    assert two_numbers(1.0000000001, 1.0) == ("1.0000000001", "1")


def rounded(images):
    x = images / 255
    return x.mean((0, 2, 3)).round(4), x.std((0, 2, 3)).round(4)


def test_the_words_of_a_mistake_are_said_once():
    def answer(dy, x, mean, var, x_hat, weight, eps):  # the bracket holds another mean
        axes = tuple(range(x.ndim - weight.ndim, x.ndim))
        lead = tuple(range(x.ndim - weight.ndim))
        g = dy * weight
        inner = (g * (x - mean)).mean(axes, keepdims=True)
        dx = (g - g.mean(axes, keepdims=True) - x_hat * inner) / np.sqrt(var + eps)
        return dx, (dy * x_hat).sum(lead), dy.sum(lead)

    lines = [row for row in str(check("layer_norm_backward", answer)).split("\n") if "Hint" in row]
    assert len(lines) == len(set(lines))


def test_what_is_not_begun_does_not_fail():
    def untouched(x, weight, bias, eps):
        raise NotImplementedError

    report = check(NAME, untouched)
    text, html = str(report), report._repr_html_()
    assert "not begun: 0 of 10 points" in text.split("\n")[0]
    assert "FAIL" not in text
    assert "FAIL" not in html
    assert html.count("○</b> open") == 5
    assert RED not in html


def test_ten_of_ten_is_a_moment(tmp_path, monkeypatch):
    report = check(NAME, right)
    assert "All points. You can now compute the layer" in " ".join(str(report).split())
    assert "All points. You can now" not in str(check(NAME, unbiased))
    assert all(exercise.can.endswith(".") for exercise in all_exercises().values())


def test_what_comes_next_is_a_link_where_it_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "0")  # somebody is there
    notebooks, exercises = tmp_path / "notebooks", tmp_path / "exercises"
    notebooks.mkdir()
    exercises.mkdir()
    monkeypatch.chdir(exercises)
    assert "<a " not in check(NAME, unbiased)._repr_html_()
    for stem in ("02_batch_norm_forward", "03_batch_norm_train_and_eval"):
        (notebooks / f"{stem}.ipynb").write_text("{}")
    lesson = "../notebooks/02_batch_norm_forward.ipynb#In-a-formula"
    assert outline(check(NAME, unbiased)._repr_html_()).links == [lesson]
    assert "<a " not in check(NAME, right)._repr_html_()
    cells = [
        {"cell_type": "markdown", "source": ["## Task 2: the bias of it\n", "Go on."]},
        {"cell_type": "code", "source": 'check("linear_then_batch_norm", f)'},
    ]
    own = exercises / "02_batch_norm_forward.ipynb"
    own.write_text(json.dumps({"cells": cells}))
    following = outline(check(NAME, right)._repr_html_())
    assert following.links == ["#Task-2%3A-the-bias-of-it"]
    own.write_text("not JSON")
    assert "<a " not in check(NAME, right)._repr_html_()

    def last(x, eps):
        d = x - x.mean(0)
        values, vectors = np.linalg.eigh(d.T @ d / len(x) + eps * np.eye(2))
        return d @ (vectors / np.sqrt(values)) @ vectors.T, d.T @ d / len(x)

    end = outline(check("whiten_two", last)._repr_html_())
    assert end.links == ["../notebooks/03_batch_norm_train_and_eval.ipynb"]
    monkeypatch.setenv("TQDM_DISABLE", "1")  # what is shown elsewhere has no links to here
    assert "<a " not in check(NAME, unbiased)._repr_html_()


def test_a_long_title_does_not_run_into_its_points():
    title = "one mean and variance for each channel of each image, and then some"
    assert f"{title}  1 / 2" in text_panel(Report("mine", (Line(title, 1, 2),)))


def test_what_a_learner_wrote_cannot_become_html():
    def answer(x, weight, bias, eps):
        print("<script>alert(1)</script>")
        raise ValueError("<img src=x onerror=alert(2)>")

    panel = outline(check(NAME, answer)._repr_html_())
    assert panel.tags <= TAGS
    assert "<script>alert(1)</script>" in panel.text
    assert "<img src=x onerror=alert(2)>" in panel.text


def test_a_report_of_our_own_can_be_shown():
    report = Report("mine", (Line("a & b", 1, 2, (Remark("x < y", "Hint"),)),), next_step="on.")
    assert (report.points, report.max_points, report.passed) == (1, 2, False)
    assert text_panel(report).splitlines()[1] == f"  FAIL  {'a & b':47}1 / 2"
    assert "<b>Hint:</b> x &lt; y" in html_panel(report)
    assert not Report("empty").passed


# ---- in two processes, as a grader does it

CHILD = """
import pickle, sys
import numpy as np
from normlab.exercises.calling import call_all

def unbiased(x, weight, bias, eps):
    x -= x.mean(0)
    return weight * x / np.sqrt(x.var(0, ddof=1) + eps) + bias

cases, returns = pickle.load(sys.stdin.buffer)
pickle.dump(call_all(unbiased, cases, returns, 5.0), sys.stdout.buffer)
"""


def test_an_answer_can_be_called_in_another_process():
    """There go the names and arguments; here come plain arrays; all the judgement is here."""
    exercise = find(NAME)
    cases = draw_cases(exercise, seed=99)
    sent = [type(case)(case.name, (), case.arguments) for case in cases]
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=pickle.dumps((sent, exercise.returns)),
        capture_output=True,
        check=True,
    )
    outcomes = pickle.loads(done.stdout)
    for outcome in outcomes:
        assert all(type(value) is np.ndarray for value in outcome.returned.values())
    results = judge(exercise, cases, outcomes)
    diagnosis = diagnose(exercise, cases, outcomes, results)
    report = report_on(exercise, outcomes, results, diagnosis, then="go on.")
    assert report.mistakes == ("unbiased variance",)
    assert "Your function changed x" in str(report)
    assert report.points == 6


def test_judging_leaves_the_outcomes_as_they_are():
    exercise = find(NAME)
    cases = draw_cases(exercise, seed=4)
    outcomes = call_all(unbiased, cases, exercise.returns, 5.0)
    before = pickle.dumps(outcomes)
    judge(exercise, cases, outcomes)
    assert pickle.dumps(outcomes) == before
