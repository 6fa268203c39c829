"""The panel of a check in JupyterLab: the line that is found, and the ways on."""

import driver

CELL = """\
import os

import numpy as np

from normlab import check

os.environ["NORMLAB_PROGRESS"] = ""


def batch_norm_eval(x, running_mean, running_var, weight, bias, eps):
    x_hat = (x - running_mean + 0.1) / np.sqrt(running_var + eps)
    return weight * x_hat + bias


check("batch_norm_eval", batch_norm_eval)
"""
PANEL = f"{driver.NOTEBOOK} .jp-OutputArea [role=alert]"


def test_the_line_is_found_in_the_cell(run_cell):
    lab = run_cell(CELL, shows=PANEL)
    lab.page.get_by_text("Look at line 11, at each part of it").wait_for()
    assert lab.page.locator(PANEL).count() == 1
    assert lab.page.get_by_text("Looking for the place").count() == 0
    assert lab.page.get_by_text("x_hat = (x - running_mean + 0.1) / np.sqrt").count() >= 2
    assert lab.page.get_by_role("heading", name="batch_norm_eval").count() == 1
    items = lab.page.locator(f"{driver.NOTEBOOK} .jp-OutputArea li")
    assert items.count() == 5
    arrays = lab.page.locator(f"{driver.NOTEBOOK} .jp-OutputArea details")
    assert not arrays.locator("pre").first.is_visible()
    arrays.locator("summary").click()
    assert arrays.locator("pre").first.is_visible()
    assert lab.errors() == []


def test_a_section_is_opened_by_its_link(run_cell):
    named = CELL.replace(" + 0.1", "").replace(" + eps", "")
    lab = run_cell(named, shows=PANEL)
    link = lab.page.locator(f"{driver.NOTEBOOK} .jp-OutputArea a").last
    words = link.inner_text()
    assert words.startswith("Lesson 3, ")
    link.click()
    lab.page.locator("li.lm-TabBar-tab.lm-mod-current", has_text="03_batch_norm").wait_for()
    section = words.split('"')[1]
    lab.page.get_by_role("heading", name=section).first.wait_for()
    assert lab.errors() == []
