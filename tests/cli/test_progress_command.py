"""``normlab progress`` shows what the checks noted."""

import pytest
from click.testing import CliRunner

from normlab.cli.main import normlab
from normlab.exercises import check
from normlab.exercises.self_tests import all_self_tests


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("NORMLAB_PROGRESS", str(tmp_path / "progress.json"))


def progress(*words, **options):
    return CliRunner().invoke(normlab, ["progress", *words], **options)


def begin():
    check("batch_norm_forward", lambda x, weight, bias, eps: weight * (x - x.mean(0)) + bias)


def test_it_shows_what_a_check_noted():
    before, one_before = progress().output, progress("02").output
    begin()
    after, one_after = progress().output, progress("02").output
    line = next(line for line in one_after.splitlines() if " batch_norm_forward " in line)
    assert line.split()[0] == "begun"
    assert int(line.split("/")[0].split()[-1]) > 0
    assert before != after
    assert one_before != one_after
    assert before.splitlines()[1].startswith("Exercises: 0 of ")


def test_it_is_one_bar_a_lesson_and_fits_a_screen():
    begin()
    lines = progress().output.splitlines()
    assert len(lines) < 24
    assert len([line for line in lines if "░" in line]) == len(all_self_tests())
    assert "Next: batch_norm_forward, in exercises/02_batch_norm_forward.ipynb." in lines


@pytest.mark.parametrize(
    "words", ["02", "2", "02_batch_norm_forward", "batch_norm_forward", "2_any_thing"]
)
def test_a_lesson_is_found_by_its_number_or_its_words(words):
    assert progress(words).output.startswith("  02  batch norm forward  ")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("batch_norm_forwad", "There is no lesson 'batch_norm_forwad'. Did you mean 'batch_norm_f"),
        ("77", "There is no lesson '77'. There are: 00, 01, "),
    ],
)
def test_a_lesson_that_is_not_there(words, says):
    done = progress(words)
    assert done.exit_code == 2
    assert says in done.output


def test_what_is_begun_is_yellow_where_there_is_colour_and_says_the_same_without():
    begin()
    plain, coloured = progress("02").output, progress("02", color=True).output
    assert "\x1b[33mbegun \x1b[0m" in coloured
    assert "\x1b" not in plain
    assert "begun " in plain
