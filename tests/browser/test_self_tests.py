"""A self-test in JupyterLab: choose, read why, and find the result in the progress."""

import driver

NAME = "03_batch_norm_train_and_eval"
QUESTIONS = f"{driver.NOTEBOOK} .normlab-answers .widget-radio-box"


def test_choosing_an_answer_says_why_and_counts(run_cell):
    lab = run_cell(
        "import os\n\nfrom normlab.exercises import self_test\n\n"
        f'os.environ["NORMLAB_PROGRESS"] = "progress.json"\nself_test("{NAME}")'
    )
    lab.page.set_viewport_size({"width": 640, "height": 800})  # narrow: long answers take two lines
    groups = lab.page.locator(QUESTIONS).all()
    assert len(groups) == 5
    for group in groups:
        assert group.locator("input:checked").count() == 0
        for label in group.locator("label").all():
            box = label.bounding_box()
            below = label.evaluate("it => it.scrollHeight <= it.clientHeight + 1")
            assert below, f"cut off: {label.inner_text()}"
            assert box["width"] > 100

    groups[0].locator("label").first.click()
    said = lab.page.locator(f"{driver.NOTEBOOK} [role=status]")
    said.wait_for()
    assert said.inner_text().startswith(("✓ Right.", "✗ No."))
    lab.page.get_by_text("1 of 5 questions answered").wait_for()
    for group in groups[1:]:
        group.locator("label").nth(1).click()
    lab.page.get_by_text("right at the first go. To try again").wait_for()
    entry = lab.read("exercises/progress.json")["self_tests"][NAME]
    assert entry["max_points"] == 5
    assert entry["checks"] == 5
    assert lab.errors() == []


def test_a_saved_notebook_shows_the_widgets_when_it_is_opened_again(run_cell):
    lab = run_cell(f'from normlab.exercises import self_test\n\nself_test("{NAME}")')
    lab.choose("File", "Save Notebook")
    lab.page.wait_for_function(f"!{driver.MODEL}.dirty")
    lab.shut_down_kernels()
    lab.open("exercises/one_cell.ipynb")
    lab.page.locator(QUESTIONS).first.wait_for()
    assert "Error displaying widget" not in lab.page.locator(driver.NOTEBOOK).inner_text()
    assert lab.page.locator(QUESTIONS).count() == 5
