"""`guess`: a question before an output is seen; the first guess is counted."""

import json
import re

import nbformat
import pytest
from nbclient import NotebookClient

import normlab
from normlab.exercises import guess, progress
from normlab.exercises.guessing import Guess, as_number, seal

ASKED = "How many of the twelve change?"


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch):
    path = tmp_path / "progress.json"
    monkeypatch.setenv("NORMLAB_PROGRESS", str(path))
    return path


def kept(file):
    return json.loads(file.read_text())["guesses"]


# ---- what is said


@pytest.mark.parametrize(
    ("said", "answer", "settings", "verdict"),
    [
        ("12", 4, {}, "You said 12; it is 4."),
        ("4", 4, {}, "You said 4, and so it is."),
        ("4.0", 4, {}, "You said 4.0; it is 4. Near enough."),
        ("30", 36.4, {"within": 10, "unit": " %"}, "You said 30; it is 36.4 %. Near enough."),
        ("20 %", 36.4, {"within": 10, "unit": " %"}, "You said 20 %; it is 36.4 %."),
        ("65536", 65_536, {}, "You said 65536; it is 65,536. Near enough."),
        ("a", "b", {"options": ["a", "b"]}, "You said a; it is b."),
        ("b", "b", {"options": ["a", "b"], "why": "So."}, "You said b, and so it is. So."),
        ("ones", "ones, up to sign", {}, "You said: ones. It is: ones, up to sign."),
    ],
)
def test_it_answers_with_both(said, answer, settings, verdict):
    assert guess(ASKED, answer, **settings).give(said) == verdict


def test_the_first_guess_is_counted_and_no_later_one(file):
    guess(ASKED, 4).give("12")
    guess(ASKED, 4).give("4")
    assert [kept(file)[ASKED][key] for key in ("points", "max_points")] == [0, 1]
    guess("And now?", 4).give("4")
    guess("In words?", "so").give("thus")
    assert re.search(r"Guesses: 0 of \d+ given, 1 of 2 right at the first go", str(progress()))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("4", 4),
        (" 0,5 ", 0.5),
        ("1,000", 1000),
        ("12 %", 12),
        ("about 7", 7),
        ("−3", -3),
        ("1e3", 1e3),
    ],
)
def test_a_number_is_read_as_people_write_it(text, number):
    assert as_number(text) == number


@pytest.mark.parametrize("text", ["", "four", "nan", "inf", "1 2", "4 or 5", "()"])
def test_what_is_no_number_is_not_counted(text, file):
    with pytest.raises(ValueError, match="no number|Write your guess"):
        guess(ASKED, 4).give(text)
    assert not file.exists()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({}, "There is no answer"),
        ({"answer": "c", "options": ["a", "b"]}, "not among the options: a, b"),
        ({"sealed": "?"}, "nothing that normlab sealed"),
    ],
)
def test_an_authors_slip_is_named(settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        guess(ASKED, **settings)


def test_a_sealed_one_is_the_same_and_does_not_tell():
    sealed = seal(answer="b", options=["a", "b"], why="So.")
    assert guess(ASKED, sealed=sealed) == guess(ASKED, "b", options=["a", "b"], why="So.")
    assert "So." not in sealed


# ---- how it shows itself


def test_in_a_script_it_is_text_and_nothing_waits(capsys):
    guess(ASKED, 4)
    assert capsys.readouterr().out == f"Guess first: {ASKED}\n"


def test_without_a_front_end_the_answer_unfolds(monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    bundle = Guess(ASKED, 4, why="All of one column.")._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert "<details><summary>Show the answer</summary>4. All of one" in bundle["text/html"]
    assert "4" not in bundle["text/plain"]


def test_a_field_takes_a_number(file):
    _, row, verdict = Guess(ASKED, 4).widget().children
    field, _ = row.children
    assert field.tooltip == ASKED  # for whoever hears the page
    field.value = "twelve"
    assert "no number" in verdict.value
    field.value = "12"
    assert "You said 12; it is 4." in verdict.value
    assert list(kept(file)) == [ASKED]


def test_there_is_a_button_for_each_option():
    _, row, verdict = Guess("Which?", "`b`", options=("a", "`b`")).widget().children
    assert [button.description for button in row.children] == ["a", "b"]
    row.children[1].click()
    assert "and so it is." in verdict.value


def test_a_cell_that_is_run_again_keeps_the_guess():
    guess(ASKED + " Again?", 4).give("12")
    _, _, verdict = guess(ASKED + " Again?", 4).widget().children
    assert "You said 12" in verdict.value


# ---- the output that answers it


def asked(question, more=""):
    return f"guess({question!r}, 4{more})"


def given(question):
    return f"_ = Guess({question!r}, 4).give('12')"


def run(**cells):
    """Run cells in a kernel; return for each, by its name, what it shows: HTML, or else text."""
    first = "from normlab.exercises.guessing import Guess, guess"
    codes = {name: nbformat.v4.new_code_cell(source) for name, source in cells.items()}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(first), *codes.values()])
    NotebookClient(notebook, kernel_name="python3", allow_errors=True, timeout=60).execute()
    return {name: "".join(map(said, cell.outputs)) for name, cell in codes.items()}


def said(output):
    if "data" in output:
        return output.data.get("text/html") or output.data["text/plain"]
    return output.get("text") or output.ename


@pytest.fixture(scope="module")
def stored():
    """Return what cells show where a notebook is run for its outputs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TQDM_DISABLE", "1")
        patch.setenv("NORMLAB_PROGRESS", "")
        return run(
            one=asked("One?"),
            nothing="def f():\n    pass",
            answer="print('four'); f(), 4",
            after="5",
            two=asked("Two?", ", outputs=2"),
            first="1",
            second="2",
            third="3",
            again_asked=asked("Again?"),
            again="4 + 0",
            once_more="4 + 0",
            failing_asked=asked("Failing?"),
            failed="print(7); 1 / 0",
            mended="print(4)",
        )


@pytest.fixture(scope="module")
def live():
    """Return what cells show where somebody is there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TQDM_DISABLE", raising=False)
        patch.setenv("NORMLAB_PROGRESS", "")
        return run(
            late=asked("Late?"),
            opened="2 + 2",
            late_given=given("Late?"),
            opened_again="2 + 2",
            late_again=asked("Late?"),
            plain="1",
            early=asked("Early?"),
            early_given=given("Early?"),
            early_answer="3 + 1",
            controls=asked("Controls?"),
            slider="import ipywidgets; ipywidgets.IntSlider()",
            long=asked("Long?"),
            with_a_bar=(
                "from normlab.training.progress import progress_bar\n"
                "for name in ('one', 'two'):\n"
                "    with progress_bar(2, name) as bar:\n"
                "        bar.update()\n"
                "print('fo' + 'ur')"
            ),
        )


FOLDED = "<details><summary>Guess first, then open this output</summary>"


def test_the_next_output_is_folded_and_no_other(stored):
    assert stored["nothing"] == ""
    assert stored["answer"].startswith(FOLDED)
    assert "four" in stored["answer"]
    assert "(None, 4)" in stored["answer"]
    assert stored["after"] == "5"


def test_both_outputs_are_folded_where_two_answer(stored):
    folded = [stored[name].startswith(FOLDED) for name in ("first", "second", "third")]
    assert folded == [True, True, False]


def test_it_is_folded_again_when_its_cell_is_run_again(stored):
    assert stored["again"] == stored["once_more"]
    assert stored["again"].startswith(FOLDED)


def test_an_error_is_seen_all_the_same(stored):
    assert "ZeroDivisionError" in stored["failed"]
    assert "<pre" in stored["failed"]


def test_a_guess_opens_what_is_folded_and_folds_nothing_more(live):
    assert live["opened"].startswith("<pre")
    assert "4" in live["opened"]
    assert live["opened_again"] == "4"
    assert live["plain"] == "1"


def test_a_guess_before_the_output_leaves_it_plain(live):
    assert live["early_answer"] == "4"


def test_what_has_controls_is_not_folded(live):
    assert "IntSlider" in live["slider"]
    assert FOLDED not in live["slider"]


def test_the_bar_of_a_long_cell_runs_and_what_the_cell_says_is_folded(live):
    bars, _, folded = live["with_a_bar"].partition(FOLDED)
    assert "0/2" in bars
    assert "four" in folded
    assert "four" not in bars


def test_it_is_at_hand():
    assert normlab.guess is guess
