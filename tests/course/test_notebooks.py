"""The notebooks are what their sources make, and are written as the course promises."""

import importlib.util
import re
from pathlib import Path

import nbformat
import pytest
from nbval.plugin import metadata_tags

ROOT = Path(__file__).parents[2]

specification = importlib.util.spec_from_file_location("build", ROOT / "source" / "build.py")
build = importlib.util.module_from_spec(specification)
specification.loader.exec_module(build)

LESSONS = sorted(build.LESSONS.glob("*.py"))
EXERCISES = sorted(build.EXERCISES.glob("*.py"))
DOCS = sorted(build.DOCS.glob("*.py"))
MADE = {
    "notebooks": LESSONS,
    "docs": DOCS,
    "solutions": EXERCISES,
    "exercises": EXERCISES,
}
SOURCE_OF = {"notebooks": build.LESSONS, "docs": build.DOCS, "solutions": build.EXERCISES}
NOTEBOOKS = [
    ROOT / folder / f"{source.stem}.ipynb" for folder, files in MADE.items() for source in files
]
EXECUTED = [path for path in NOTEBOOKS if path.parent.name != "exercises"]


def name(path):
    return f"{path.parent.name}/{path.stem}"


def read(path):
    return nbformat.read(path, as_version=4)


def without_outputs(notebook):
    cells = []
    for cell in notebook.cells:
        metadata = {key: value for key, value in cell.metadata.items() if key != "execution"}
        cells.append((cell.id, cell.cell_type, cell.source, metadata))
    return cells, notebook.metadata


@pytest.mark.parametrize("path", EXECUTED, ids=name)
def test_an_executed_notebook_is_in_step_with_its_source(path):
    source = build.read_source(SOURCE_OF[path.parent.name] / f"{path.stem}.py")
    assert without_outputs(read(path)) == without_outputs(source), "run `make course`"


@pytest.mark.parametrize("source", EXERCISES, ids=name)
def test_an_exercise_is_in_step_with_its_source(source):
    made = build.cut_solutions(build.read_source(source))
    assert read(ROOT / "exercises" / f"{source.stem}.ipynb") == made, "run `make course`"


def test_there_is_no_notebook_without_a_source():
    found = {path for folder in MADE for path in (ROOT / folder).glob("*.ipynb")}
    assert found == set(NOTEBOOKS)


@pytest.mark.parametrize("path", EXECUTED, ids=name)
def test_every_cell_was_run_once_in_order(path):
    counts = [cell.execution_count for cell in read(path).cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), "run `make course`"


@pytest.mark.parametrize("path", EXECUTED, ids=name)
def test_no_output_is_an_error_or_a_warning(path):
    for cell in read(path).cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error", cell.source
            assert output.get("name") != "stderr", output.text


@pytest.mark.parametrize("path", EXECUTED, ids=name)
def test_printed_text_is_in_one_piece(path):
    for cell in read(path).cells:
        assert cell.get("outputs", []) == build.join_streams(cell.get("outputs", [])), cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_it_opens_without_a_question(path):
    metadata = read(path).metadata
    assert metadata.kernelspec.name == "python3"


@pytest.mark.parametrize("path", EXECUTED, ids=name)
def test_every_picture_has_alt_text(path):
    for cell in read(path).cells:
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html", "")
            for picture in re.findall(r"<img[^>]*>", html):
                assert re.search(r'alt="[^"]{20,}"', picture), cell.source
            assert "image/png" not in output.get("data", {}), "use normlab.plots.Picture"


@pytest.mark.parametrize("path", EXECUTED, ids=name)
def test_an_uncompared_output_has_its_reason_in_the_cell(path):
    """A tag that tells nbval to skip a cell's output needs a reason, and few cells carry one."""
    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
    skipped = [cell for cell in cells if "nbval-ignore-output" in cell.metadata.get("tags", [])]
    for cell in skipped:
        assert cell.source.startswith("# Output not compared: "), cell.source
    assert len(skipped) <= max(2, 0.2 * len(cells))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_nbval_understands_every_tag(path):
    """Nbval passes over a tag that it does not know, and then compares what never agrees."""
    for cell in read(path).cells:
        tags = set(cell.metadata.get("tags", [])) - {"remove-cell", "remove-input"}  # the website's
        assert tags - {build.GUESS} <= set(metadata_tags), cell.source


@pytest.mark.parametrize("source", LESSONS, ids=name)
def test_a_lesson_has_the_shape_of_a_lesson(source):
    text = source.read_text()
    for part in (
        "When you have finished you can",
        "**What you need:**",
        "## A question first",
        "## Recap",
    ):
        assert part in text


@pytest.mark.parametrize("source", [*LESSONS, *EXERCISES, *DOCS], ids=name)
def test_the_text_does_not_talk_down(source):
    words = re.findall(r"\b(simply|just|obviously|trivially|of course)\b", source.read_text())
    assert not words


@pytest.mark.parametrize("source", [*LESSONS, *EXERCISES], ids=name)
def test_links_to_files_lead_somewhere(source):
    folder = ROOT / "notebooks"
    for link in re.findall(r"\]\(([^)#]+)\)", source.read_text()):
        if "://" not in link:
            assert (folder / link).resolve().exists(), link


def test_the_readme_lists_every_lesson_and_every_exercise():
    readme = (ROOT / "README.md").read_text()
    for path in NOTEBOOKS:
        if path.parent.name in ("notebooks", "exercises"):
            assert f"]({path.relative_to(ROOT)})" in readme, path


def test_the_first_lesson_lists_every_lesson():
    start = (build.LESSONS / "00_start_here.py").read_text()
    for source in LESSONS[1:]:
        assert f"({source.stem}.ipynb)" in start
