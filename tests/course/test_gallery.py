"""Every figure of the package is in the gallery, with alt text of its own."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

from normlab import plots

SOURCE = (Path(__file__).parents[2] / "source" / "docs" / "gallery.py").read_text(encoding="utf-8")


def figures():
    for found in pkgutil.iter_modules(plots.__path__):
        module = importlib.import_module(f"normlab.plots.{found.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            own = function.__module__ == module.__name__ and not name.startswith("_")
            if own and function.__annotations__.get("return") is plots.Picture:
                yield name


FIGURES = sorted(figures())


def test_the_figures_are_found():
    assert {"block", "curves", "sweep"} < set(FIGURES) < set(plots.__all__)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_in_the_gallery_with_a_word_on_what_it_is_for(name):
    assert len(re.findall(rf"^(?:plots\.)?{name}\(", SOURCE, re.MULTILINE)) == 1
    assert len(re.findall(rf"^# \*\*{name}\*\*: \w+", SOURCE, re.MULTILINE)) == 1
