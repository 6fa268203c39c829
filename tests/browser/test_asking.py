"""A guess and a turn in JupyterLab: what is folded, what opens it, and whose function goes on."""

import json

import driver
import pytest

STEM = "02_batch_norm_forward"
TASK = "batch_norm_forward"
RIGHT = """def batch_norm_forward(x, weight, bias, eps):
    mean = x.mean(axis=0)
    var = x.var(axis=0)
    return weight * (x - mean) / np.sqrt(var + eps) + bias"""
WRONG = RIGHT.replace("np.sqrt(var + eps)", "(np.sqrt(var) + eps)")
FOLD = f"{driver.NOTEBOOK} .jp-OutputArea details"
BEFORE = """import os

import numpy as np
from normlab.exercises import check, guess, yours

os.environ["NORMLAB_PROGRESS"] = "progress.json"
"""


@pytest.fixture
def run_cells(lab):
    """Return a function that runs a few cells in a new notebook."""

    def run(*sources):
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        cells = [
            {"cell_type": "code", "execution_count": None, "id": f"cell-{number}", "metadata": {}}
            | {"outputs": [], "source": source}
            for number, source in enumerate((BEFORE, *sources))
        ]
        notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4}
        path = "exercises/asked.ipynb"
        (lab.course / path).write_text(json.dumps(notebook | {"nbformat_minor": 5}))
        lab.open(path)
        lab.run_all_cells()
        return lab

    return run


def test_an_output_waits_for_the_guess_and_opens_with_it(run_cells):
    lab = run_cells('guess("How many are there?", 4)', 'print("there are four of them")')
    fold = lab.page.locator(FOLD, has_text="there are four of them")
    fold.wait_for()
    assert not fold.get_by_text("there are four of them").is_visible()
    lab.page.get_by_label("Your guess").fill("12")
    lab.page.get_by_role("button", name="Say it").click()
    said = lab.page.locator(f"{driver.NOTEBOOK} [role=status]", has_text="12")
    said.wait_for()
    assert "4" in said.inner_text()
    shown = lab.page.locator(f"{driver.NOTEBOOK} .jp-OutputArea", has_text="there are four")
    shown.last.wait_for()
    assert shown.last.is_visible()
    assert lab.page.locator(FOLD, has_text="there are four").count() == 0
    guesses = json.loads((lab.course / "exercises/progress.json").read_text())["guesses"]
    assert [one["best"] for one in guesses.values()] == [0]
    assert lab.errors() == []


def test_who_does_not_guess_can_open_the_output_all_the_same(run_cells):
    lab = run_cells(
        'guess("Which one?", "the second", options=["the first", "the second"])',
        'print("it is number two")',
    )
    fold = lab.page.locator(FOLD, has_text="it is number two")
    fold.locator("summary").click()
    assert fold.get_by_text("it is number two").is_visible()
    lab.page.get_by_role("radio", name="the second").click()
    lab.page.get_by_text("✓").wait_for()
    lab.page.get_by_text("Your first guess is counted in your progress.").wait_for()


@pytest.mark.parametrize(
    ("code", "said", "first"),
    [
        (f"def {TASK}(x, weight, bias, eps):\n    raise NotImplementedError()", "Not begun", False),
        (WRONG, "eps", False),
        (RIGHT, "10 of 10", True),
    ],
    ids=["not begun", "wrong", "right"],
)
def test_the_lesson_goes_on_with_the_learners_function_once_it_is_right(
    run_cells, code, said, first
):
    lab = run_cells(
        code,
        f'check("{TASK}", {TASK})',
        f'batch_norm = yours("{TASK}", {TASK})\nprint("mine:", batch_norm is {TASK})',
        "x = np.array([[1.0], [3]])\n"
        'print("y", batch_norm(x, np.ones(1), np.zeros(1), 1e-5).ravel())',
    )
    text = lab.page.locator(driver.NOTEBOOK).inner_text()
    assert said in text
    assert f"mine: {first}" in text
    assert "y [-0.999995  0.999995]" in text
    assert lab.errors() == []


def test_the_folded_way_opens_on_purpose(lab):
    lab.open(f"notebooks/{STEM}.ipynb")
    ways = lab.page.locator(
        f"{driver.NOTEBOOK} .jp-MarkdownOutput details", has_text="One way to write it"
    )
    assert ways.count() > 0
    way = ways.first
    assert not way.locator("pre").first.is_visible()
    way.locator("summary").click()
    assert way.locator("pre").first.is_visible()
    folded = lab.page.locator(f"{FOLD}:not([open])")
    assert folded.count() > 0  # the committed outputs behind questions
