"""A Chromium, and ``normlab lab`` on a copy of the course."""

import json
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parent))  # `screenshot.py` finds the driver the same way

import driver


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        executable = driver.find_chromium(playwright)
        if executable is None:
            pytest.skip(driver.HOW_TO_GET_CHROMIUM)
        browser = driver.start_chromium(playwright, executable)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def course(tmp_path_factory):
    return driver.copy_course(tmp_path_factory.mktemp("learner") / "course")


@pytest.fixture(scope="session")
def server(chromium, course, tmp_path_factory):
    with driver.serve(course, tmp_path_factory.mktemp("jupyter")) as server:
        yield server


@pytest.fixture
def lab(chromium, server, course):
    """Give JupyterLab in a page without a past; see to it that the page asked nobody else."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    lab = driver.Lab(context.new_page(), server, course)
    yield lab
    lab.shut_down_kernels()
    context.close()
    assert lab.external_requests() == []


@pytest.fixture(params=[("light", 1000), ("dark", 375)], ids=["light", "dark, 375 px"])
def look(request):
    return request.param


@pytest.fixture
def offline(chromium, tmp_path, look):
    """Return a function that opens HTML from a file, in a browser without a network."""
    scheme, width = look
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True
    )
    page = context.new_page()
    trouble = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda message: message.type == "error" and trouble.append(message.text))

    def open_it(html, name="one"):
        file = tmp_path / f"{name}.html"
        head = "<!doctype html><html lang=en><meta charset=utf-8><title>One</title>"
        scheme = '<meta name="color-scheme" content="light dark">'
        file.write_text(f"{head}{scheme}<body>{html}", encoding="utf-8")
        page.goto(file.as_uri())
        return page

    yield open_it
    context.close()
    assert trouble == []


@pytest.fixture
def run_cell(lab):
    """Return a function that runs code in a new notebook, and waits for what it shows."""

    def run(source, path="exercises/one_cell.ipynb", shows=f"{driver.NOTEBOOK} .nx"):
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        cell = {
            "cell_type": "code",
            "execution_count": None,
            "id": "cell-0",
            "metadata": {},
            "outputs": [],
            "source": source,
        }
        notebook = {"cells": [cell], "metadata": {"kernelspec": kernel}}
        notebook |= {"nbformat": 4, "nbformat_minor": 5}
        (lab.course / path).write_text(json.dumps(notebook))
        lab.open(path)
        lab.run_all_cells()
        lab.page.locator(shows).first.wait_for()
        return lab

    return run
