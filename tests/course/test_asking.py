"""Lessons ask before they tell: the empty functions, the ways to write them, and the guesses."""

import ast
import importlib.util
import re
from pathlib import Path

import jupytext
import nbformat
import pytest

from normlab.exercises import check, find
from normlab.exercises.guessing import unseal

ROOT = Path(__file__).parents[2]
WAY = re.compile(
    r"<details><summary>One way to write it</summary>\n\n```python\n(.*?)```\n\n</details>",
    re.DOTALL,
)

specification = importlib.util.spec_from_file_location("build", ROOT / "source" / "build.py")
build = importlib.util.module_from_spec(specification)
specification.loader.exec_module(build)

LESSONS = sorted(build.LESSONS.glob("*.py"))
EXERCISES = sorted(build.EXERCISES.glob("*.py"))
CELLS = {source.stem: jupytext.read(source).cells for source in LESSONS}


def code(stem):
    return [cell.source for cell in CELLS[stem] if cell.cell_type == "code"]


def turns(stem):
    """Return the tasks that a lesson hands over to the learner, in their order."""
    return re.findall(r'^\w+ = yours\("(\w+)", ', "\n".join(code(stem)), re.MULTILINE)


def ways(stem):
    text = "\n\n".join(cell.source for cell in CELLS[stem] if cell.cell_type == "markdown")
    return WAY.findall(text)


ASKING = [stem for stem in CELLS if turns(stem)]
TURNS = [(stem, name) for stem in ASKING for name in turns(stem)]


@pytest.mark.parametrize(("stem", "name"), TURNS)
def test_a_turn_is_an_empty_function_its_check_and_yours(stem, name):
    cells = code(stem)
    call = f'("{name}", {name})'
    places = [cells.index(f"check{call}")]
    assert cells[places[0] + 1].endswith(f" = yours{call}")
    assert not cells[places[0] + 1].startswith(f"{name} = "), "give it another name"
    empty = cells[places[0] - 1]
    assert "raise NotImplementedError()" in empty
    (defined,) = ast.parse(empty).body
    assert defined.name == name
    if isinstance(defined, ast.FunctionDef):
        assert tuple(argument.arg for argument in defined.args.args) == find(name).takes


@pytest.mark.parametrize("stem", ASKING)
def test_one_way_to_write_each_is_folded_below_and_right(stem, monkeypatch):
    monkeypatch.setenv("NORMLAB_PROGRESS", "")
    found = {}
    for way in ways(stem):
        exec("import numpy as np\nimport torch\nfrom torch import nn", names := {})
        exec(way, names)
        found |= {name: names[name] for name in turns(stem) if name in names}
    assert list(found) == turns(stem)
    for name, answer in found.items():
        report = check(name, answer)
        assert report.passed, report


@pytest.mark.parametrize(("stem", "name"), TURNS)
def test_no_cell_before_the_way_defines_the_function(stem, name):
    """Neither under another name: its text, without names and spaces, stands in no code."""
    body = find(name).model.text.partition("\n")[2]
    essence = re.sub(r"#.*|\s", "", body)
    for source in code(stem):
        assert essence not in re.sub(r"#.*|\s", "", source)
        defined = [one for one in ast.walk(ast.parse(source)) if getattr(one, "name", "") == name]
        assert not defined or "NotImplementedError" in source


# ---- guesses


def guesses(notebook):
    return [cell for cell in notebook.cells if build.GUESS in cell.metadata.get("tags", [])]


@pytest.mark.parametrize("source", LESSONS, ids=lambda path: path.stem)
def test_a_guess_is_tagged_and_sealed_and_its_answer_folded(source):
    notebook = nbformat.read(ROOT / "notebooks" / f"{source.stem}.ipynb", as_version=4)
    tagged = guesses(notebook)
    calling = [c for c in notebook.cells if c.cell_type == "code" and c.source.startswith("guess(")]
    assert tagged == calling
    folded = 0
    for cell in tagged:
        assert cell.metadata.jupyter.source_hidden
        assert "remove-input" in cell.metadata.tags
        rest = unseal(re.search(r'sealed="(.*)"', cell.source)[1])
        folded += rest.get("outputs", 1)
    text = "".join(
        output.get("data", {}).get("text/html", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )
    assert text.count("<summary>Guess first, then open this output</summary>") == folded


@pytest.mark.parametrize(
    "source",
    ["print(1)", "guess('a')", "guess('a', b)", "guess('a', 1)\nprint(1)", "x = guess('a', 1)"],
)
def test_a_cell_that_cannot_be_sealed_is_refused(source):
    with pytest.raises(ValueError, match="guess|malformed|unpack"):
        build.sealed(source)


# ---- the way on


@pytest.mark.parametrize(
    "source", [*LESSONS, *EXERCISES], ids=lambda p: f"{p.parent.name}/{p.stem}"
)
def test_it_ends_with_a_link_to_what_comes_next(source):
    folders = {build.LESSONS: ["notebooks"], build.EXERCISES: ["exercises", "solutions"]}
    for folder in folders[source.parent]:
        last = nbformat.read(ROOT / folder / f"{source.stem}.ipynb", as_version=4).cells[-1]
        assert last.cell_type == "markdown"
        assert "**Next:** " in last.source
        links = re.findall(r"\]\(([^)]+)\)", last.source)
        assert links
        for link in links:
            assert (ROOT / folder / link).resolve().is_file(), link


def test_the_links_lead_through_the_whole_course():
    seen, place = [], ROOT / "notebooks" / f"{LESSONS[0].stem}.ipynb"
    while place not in seen:
        seen.append(place)
        last = nbformat.read(place, as_version=4).cells[-1].source
        place = (place.parent / re.search(r"\]\(([^)]+)\)", last)[1]).resolve()
    assert len(seen) == len(LESSONS) + len(EXERCISES)
