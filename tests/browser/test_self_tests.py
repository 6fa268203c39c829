"""A self-test in JupyterLab: choose, read why, and find the result in the progress."""

import driver
import pytest

NAME = "03_batch_norm_train_and_eval"
QUESTIONS = f"{driver.NOTEBOOK} fieldset.q"
STANDS = f"{driver.NOTEBOOK} .where span"
CELL = f"""import os

from normlab.exercises import self_test

os.environ["NORMLAB_PROGRESS"] = "progress.json"
self_test("{NAME}")"""


@pytest.fixture
def questions(run_cell):
    """Return JupyterLab with a self-test that has just been run, and its questions."""
    lab = run_cell(CELL)
    groups = lab.page.locator(QUESTIONS).all()
    assert len(groups) == 5
    assert lab.page.locator(f"{driver.NOTEBOOK} .nx input:checked").count() == 0
    return lab, groups


def save(lab):
    lab.choose("File", "Save Notebook")
    lab.page.wait_for_function(f"!{driver.MODEL}.dirty")


def test_choosing_an_answer_says_why_and_counts(questions):
    lab, groups = questions
    groups[0].locator("label").first.click()
    said = groups[0].locator("[role=status]")
    assert said.inner_text().startswith(("✓ Right.", "✗ No."))
    counted = lab.page.get_by_text("Your first choices are counted in your progress.")
    counted.wait_for()
    assert lab.page.locator(STANDS).inner_text().startswith("1 of 5 questions answered")
    for group in groups[1:]:
        group.locator("label").nth(1).click()
        counted.wait_for()
    assert "of 5 right at the first go" in lab.page.locator(STANDS).inner_text()
    entry = lab.read("exercises/progress.json")["self_tests"][NAME]
    assert [entry["max_points"], entry["checks"]] == [5, 5]
    assert lab.page.locator(STANDS).inner_text().startswith(f"{entry['points']} of 5 right")
    assert not lab.page.locator(driver.WIDGET).first.is_visible()
    assert lab.errors() == []


def test_the_arrow_keys_stay_in_the_question(questions):
    lab, groups = questions
    groups[0].locator("input").first.focus()
    for key in ("ArrowDown", "ArrowDown", "b"):  # "b" makes a cell in a notebook
        lab.page.keyboard.press(key)
    assert groups[0].locator("input").nth(2).evaluate("it => it === document.activeElement")
    assert len(lab.cells()) == 1
    lab.page.keyboard.press("Enter")
    lab.page.get_by_text("Your first choices are counted in your progress.").wait_for()


def test_with_the_kernel_gone_it_goes_on_and_says_where_it_keeps_what(questions):
    lab, groups = questions
    complaints = []
    lab.page.on("pageerror", lambda error: complaints.append(str(error)))
    groups[0].locator("label").first.click()
    lab.page.get_by_text("Your first choices are counted in your progress.").wait_for()
    save(lab)
    lab.shut_down_kernels()
    lab.page.wait_for_function(f"!({driver.IDLE})")
    groups[1].locator("label").first.click()
    assert groups[1].locator("[role=status]").inner_text().startswith(("✓ Right.", "✗ No."))
    assert "2 of 5 questions answered" in lab.page.locator(STANDS).inner_text()
    assert "Your first choices are kept in this browser." in lab.page.locator(STANDS).inner_text()
    assert complaints == []


@pytest.mark.parametrize("state", ["kept", "lost"])
def test_a_saved_notebook_shows_it_when_it_is_opened_again(questions, state):
    """Also where the states of widgets are not saved, as they are not elsewhere."""
    lab, groups = questions
    groups[0].locator("label").first.click()
    lab.page.get_by_text("Your first choices are counted in your progress.").wait_for()
    toggle = (
        "window.jupyterapp.commands.execute('@jupyter-widgets/jupyterlab-manager:saveWidgetState')"
    )
    if state == "lost":
        lab.page.evaluate(toggle)
    save(lab)
    assert ("widgets" in lab.read("exercises/one_cell.ipynb")["metadata"]) == (state == "kept")
    lab.shut_down_kernels()
    lab.open("exercises/one_cell.ipynb")
    groups = lab.page.locator(QUESTIONS)
    groups.first.wait_for()
    assert groups.count() == 5
    assert groups.first.locator("input").first.is_checked()
    assert lab.page.get_by_text("Error displaying widget").filter(visible=True).count() == 0
    assert lab.errors() == []
    if state == "lost":
        lab.page.evaluate(toggle)


def test_in_a_notebook_that_is_not_trusted_the_answers_unfold(questions):
    lab, _ = questions
    save(lab)
    path = lab.course / "exercises/one_cell.ipynb"
    path.write_text(path.read_text().replace("progress.json", "elsewhere.json"))
    lab.open("exercises/one_cell.ipynb")
    answers = lab.page.locator(f"{driver.NOTEBOOK} .jp-OutputArea details")
    assert answers.count() > 10
    answers.first.locator("summary").click()
    assert answers.first.locator("p").is_visible()
    assert lab.page.get_by_text("Error displaying widget").filter(visible=True).count() == 0
