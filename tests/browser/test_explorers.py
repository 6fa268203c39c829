"""The pictures with controls: a control moves in JupyterLab, and the picture under it follows."""

import driver
import pytest

PICTURE = f"{driver.NOTEBOOK} .jp-OutputArea img"


@pytest.fixture
def explorer(run_cell):
    """Return a function that runs a line of code in a notebook and waits for the controls."""
    return lambda line: run_cell(f"from normlab import plots\n\n{line}")


def picture(lab):
    """Return the alt text and the bytes of the one picture in the notebook."""
    (shown,) = lab.page.locator(PICTURE).all()
    return shown.get_attribute("alt"), shown.get_attribute("src")


def wait_for_another(lab, before):
    """Wait until the picture is another one, and return it: the alt text and the bytes."""
    lab.page.wait_for_function(
        "([picture, alt]) => document.querySelector(picture)?.alt !== alt",
        arg=[PICTURE, before[0]],
        timeout=20_000,
    )
    lab.settle()
    after = picture(lab)
    assert after[1] != before[1]
    return after


def press(lab, label, key):
    """Press a key on the slider with this label."""
    row = lab.page.locator(f"{driver.NOTEBOOK} .widget-slider", has_text=label)
    row.locator(".noUi-handle").press(key)


def test_ticking_an_axis_and_moving_the_groups_draw_another_block(explorer):
    lab = explorer('plots.explore.block("L")')
    before = picture(lab)
    assert before[0].startswith("InstanceNorm, 24 means, each of 5 numbers")

    lab.page.locator("label", has_text="average over C").click()
    layer = wait_for_another(lab, before)
    assert layer[0].startswith("LayerNorm over C and L, 4 means, each of 30 numbers")

    press(lab, "groups of channels", "ArrowRight")
    group = wait_for_another(lab, layer)
    assert group[0].startswith("GroupNorm, 2 groups, 8 means, each of 15 numbers")
    assert lab.errors() == []


def test_moving_one_number_changes_its_column(explorer):
    lab = explorer("plots.explore.one_number()")
    before = picture(lab)
    press(lab, "x[0, 0]", "End")
    after = wait_for_another(lab, before)
    assert "moved from 1 to 3." in before[0]  # as in the stored picture
    assert "output, row by row: -1, -1, -1; 1, 1, 1." in before[0]
    assert "output, row by row: 1, -1, -1; -1, 1, 1." in after[0]

    press(lab, "average over", "ArrowRight")
    layer = wait_for_another(lab, after)
    assert "3 of 6 in output" in layer[0]
    assert lab.errors() == []


def test_momentum_and_step_move_what_evaluation_mode_uses(explorer):
    lab = explorer("plots.explore.buffers()")
    before = picture(lab)
    assert "with momentum 0.1" in before[0]
    assert "After 5 batches" in before[0]

    press(lab, "momentum", "End")
    average = wait_for_another(lab, before)
    assert "with momentum None" in average[0]

    press(lab, "batches seen", "ArrowRight")
    assert "After 6 batches" in wait_for_another(lab, average)[0]
    assert lab.errors() == []
