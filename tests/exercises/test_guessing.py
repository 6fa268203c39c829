"""`guess`: a question before an output is seen; the first guess is counted."""

import json
import re

import nbformat
import pytest
from nbclient import NotebookClient

import normlab
from normlab.exercises import guess, progress
from normlab.exercises.guessing import Guess, seal

ASKED = "How many of the twelve change?"

pytestmark = pytest.mark.usefixtures("file")


def kept(file):
    return json.loads(file.read_text())["guesses"]


# ---- what is said; of numbers and words the page says it (tests/browser/test_questions.py)


@pytest.mark.parametrize(
    ("answer", "why", "verdicts"),
    [
        ("b", "", ["✗ You said a; it is b.", "✓ You said b, and so it is."]),
        ("b", "So.", ["✗ You said a; it is b. So.", "✓ You said b, and so it is. So."]),
    ],
)
def test_of_an_option_it_says_both(answer, why, verdicts):
    html = guess(ASKED, answer, options=["a", "b"], why=why)._repr_mimebundle_()["text/html"]
    told = re.findall(r"<details.*?<p[^>]*>(.*?)</p></details>", html)
    assert [re.sub("<.*?>", "", one) for one in told] == verdicts


def test_the_first_guess_is_counted_and_no_later_one(file):
    told = guess(ASKED, 4).hear([["12", False]])
    assert told == "Your first guess is counted in your progress."
    guess(ASKED, 4).hear([["4", True]])
    assert [kept(file)[ASKED][key] for key in ("points", "max_points")] == [0, 1]
    guess("And now?", 4).hear([["4", True]])
    guess("In words?", "so").hear([["thus", None]])
    assert re.search(r"Guesses: 0 of \d+ given, 1 of 2 right at the first go", str(progress()))


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


def test_without_a_script_the_answer_unfolds():
    bundle = Guess(ASKED, 4, why="All of one column.")._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert re.search(
        r"<summary[^>]*>Show the answer</summary><p[^>]*>4. All of one", bundle["text/html"]
    )
    assert "4" not in bundle["text/plain"]


def test_a_cell_that_is_run_again_keeps_the_guess():
    guess(ASKED + " Again?", 4).hear([["12", False]])
    assert '"said":"12"' in guess(ASKED + " Again?", 4)._repr_mimebundle_()["text/html"]


# ---- the output that answers it


def asked(question, more=""):
    return f"guess({question!r}, 4{more})"


def given(question):
    return f"_ = Guess({question!r}, 4).hear([['12', False]])"


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
            late_given=(
                "import ipywidgets\n"
                "made = ipywidgets.widgets.widget._instances.values()\n"
                "field = [it for it in made if isinstance(it, ipywidgets.Text)][-1]\n"
                'field.value = \'["7", [["12", false]]]\'  # as the page does\n'
                "print(field.placeholder)"
            ),
            opened_again="2 + 2",
            late_again=asked("Late?"),
            plain="1",
            first_asked=asked("First?"),
            second_asked=asked("Second?"),
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


FOLDED = re.compile(
    '<details class="nx-\\w+"><summary>Guess first, then open this output</summary>'
)


def test_the_next_output_is_folded_and_no_other(stored):
    assert stored["nothing"] == ""
    assert FOLDED.match(stored["answer"])
    assert "four" in stored["answer"]
    assert "(None, 4)" in stored["answer"]
    assert stored["after"] == "5"


def test_both_outputs_are_folded_where_two_answer(stored):
    folded = [bool(FOLDED.match(stored[name])) for name in ("first", "second", "third")]
    assert folded == [True, True, False]


def test_it_is_folded_again_when_its_cell_is_run_again(stored):
    assert stored["again"] == stored["once_more"]
    assert FOLDED.match(stored["again"])


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
    assert not FOLDED.search(live["slider"])


def test_a_question_after_a_question_is_not_folded(live):
    assert "Second?" in live["second_asked"]
    assert not FOLDED.search(live["second_asked"])


def test_a_live_cell_lets_the_kernel_hear_and_a_stored_one_does_not(live, stored):
    assert live["late_given"] == "7|\n"  # there is no progress to count it in
    bridge = re.search(r'"bridge":"(nx-\w+)"', live["late"])[1]
    assert "Text" not in live["late"].partition("<script>")[0]
    assert len(bridge) > 20
    assert '"bridge":"' not in stored["one"]


def test_the_bar_of_a_long_cell_runs_and_what_the_cell_says_is_folded(live):
    bars, folded = FOLDED.split(live["with_a_bar"])
    assert "0/2" in bars
    assert "four" in folded
    assert "four" not in bars


def test_it_is_at_hand():
    assert normlab.guess is guess
