"""`guess`: a question before an output is seen; the first guess is counted."""

import json

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
    assert "Guesses: 1 of 2 right at the first go" in str(progress())


@pytest.mark.parametrize(
    ("text", "number"),
    [("4", 4), (" 0,5 ", 0.5), ("1,000", 1000), ("12 %", 12), ("about 7", 7), ("−3", -3), ("1e3", 1e3)],
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


def run(*cells):
    """Run cells in a kernel; return for each what it shows, as HTML or else as text."""
    codes = [nbformat.v4.new_code_cell(source) for source in ("from normlab import guess", *cells)]
    notebook = nbformat.v4.new_notebook(cells=codes)
    NotebookClient(notebook, kernel_name="python3", allow_errors=True).execute()
    return [
        "".join(
            output.get("text") or output.get("ename")
            or output.data.get("text/html") or output.data["text/plain"]
            for output in cell.outputs
        )
        for cell in codes[1:]
    ]


ASK = f"guess({ASKED!r}, 4)"
FOLDED = "<details><summary>Guess first, then open this output</summary>"
GIVE = f"from normlab.exercises.guessing import Guess; Guess({ASKED!r}, 4).give('12')"


def test_the_next_output_is_folded_and_no_other(monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    _, before, answer, after = run(ASK, "def f():\n    pass", "print('four'); f(), 4", "5")
    assert before == ""
    assert answer.startswith(FOLDED)
    assert "four" in answer
    assert "(None, 4)" in answer
    assert after == "5"


def test_both_outputs_are_folded_where_two_answer(monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    _, one, two, three = run(f"guess({ASKED!r}, 4, outputs=2)", "1", "2", "3")
    assert [text.startswith(FOLDED) for text in (one, two, three)] == [True, True, False]


def test_it_is_folded_again_when_its_cell_is_run_again(monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    _, one, again = run(ASK, "4", "4")
    assert one == again
    assert one.startswith(FOLDED)


def test_a_guess_opens_what_is_folded_and_folds_nothing_more():
    _, answer, _, again, after = run(ASK, "4", GIVE, "4", ASK)
    assert answer.startswith("<pre")
    assert "4" in answer
    assert again == "4"
    assert FOLDED not in after


def test_a_guess_before_the_output_leaves_it_plain():
    assert run(ASK, GIVE, "4")[-1] == "4"


def test_an_error_is_seen_all_the_same(monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    _, failed, printed = run(ASK, "1 / 0", "print(4)")
    assert failed == "ZeroDivisionError"
    assert FOLDED in printed


def test_what_has_controls_is_not_folded():
    _, shown = run(ASK, "import ipywidgets; ipywidgets.IntSlider()")
    assert FOLDED not in shown


def test_it_is_at_hand():
    assert normlab.guess is guess
