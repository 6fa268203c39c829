"""Make the notebooks from their sources: ``python source/build.py [NAME ...]``.

source/lessons/NN_name.py    -> notebooks/NN_name.ipynb    executed, for everybody
source/docs/name.py          -> docs/name.ipynb            executed, for the website
source/exercises/NN_name.py  -> solutions/NN_name.ipynb    executed, for teachers
                             -> exercises/NN_name.ipynb    the solutions cut out, for learners

Without names every notebook is made; with names, those whose file name contains one of them. Each
notebook is written as soon as it is done, so that an interrupted run loses nothing.

A cell tagged ``guess`` gets the answer of its question sealed, so that nobody reads it there. Every
lesson and exercise ends with a link to what comes next.

A notebook in which somebody has written since it was made is left as it is, and the new one is put
beside it. ``--overwrite`` takes its place all the same: after a merge that left marks of a conflict
in it, for instance.
"""

import argparse
import ast
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from nbgrader import preprocessors
from tqdm import tqdm

from normlab.cli.keeping import beside, is_as_made, stamp
from normlab.exercises.guessing import seal

ROOT = Path(__file__).resolve().parent.parent
LESSONS, EXERCISES = ROOT / "source" / "lessons", ROOT / "source" / "exercises"
DOCS = ROOT / "source" / "docs"
# Where the notebooks go that are executed and nothing else.
SHOWN_IN = {LESSONS: ROOT / "notebooks", DOCS: ROOT / "docs"}

# Goes before the first code of every notebook, folded away. For Colab, where only the notebook is.
INSTALL = """\
# Installs normlab where it is missing, as in Google Colab.
# From a wheel beside this notebook, or from what the environment variable NORMLAB_PACKAGE names.
try:
    import normlab
except ModuleNotFoundError:
    import os
    from pathlib import Path

    wheels = [str(wheel) for wheel in Path().glob("normlab-*.whl")]
    package = os.environ.get("NORMLAB_PACKAGE") or max(wheels, default="")
    assert package, "normlab is missing: put its wheel beside this notebook, run this cell again"
    %pip install --quiet {package}"""

# Where the code is of no interest: JupyterLab folds it, the website (myst-nb's tags) leaves it out.
FOLDED = {"source_hidden": True}
GUESS = "guess"

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
SECONDS_A_CELL = 300

# What `nbgrader generate_assignment` does, in its order, without the steps that write to its
# database or need a header.
CUTTING = (
    preprocessors.LockCells,
    preprocessors.ClearSolutions,
    preprocessors.ClearOutput,
    preprocessors.CheckCellMetadata,
    preprocessors.ComputeChecksums,
    preprocessors.ClearHiddenTests,
    preprocessors.ClearMarkScheme,
    preprocessors.ComputeChecksums,
    preprocessors.CheckCellMetadata,
)


def read_source(path: Path) -> NotebookNode:
    """Return the notebook of a percent script, not executed.

    The same source gives the same notebook to the last byte: the cells are numbered instead of
    getting random ids, and no version of any tool is kept.
    """
    notebook = jupytext.read(path)
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.cells.insert(_first_code(notebook), _install_cell())
    for cell in notebook.cells:
        if GUESS in cell.metadata.get("tags", []):
            cell.source = sealed(cell.source)
            cell.metadata.tags.append("remove-input")
            cell.metadata.jupyter = FOLDED
    if path.parent in (LESSONS, EXERCISES):
        notebook.cells.append(nbformat.v4.new_markdown_cell(way_on(path)))
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        cell.metadata.pop("lines_to_next_cell", None)
    stamp(notebook)
    return notebook


def _first_code(notebook: NotebookNode) -> int:
    return next(i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code")


def _install_cell() -> NotebookNode:
    metadata = {"jupyter": FOLDED, "tags": ["remove-cell"]}
    return nbformat.v4.new_code_cell(INSTALL, metadata=metadata)


def sealed(source: str) -> str:
    """Return the code of a guess with all but its question sealed.

    Raises
    ------
    ValueError
        It is more than a call of `guess` with a question, an answer and keywords, all literal.
    """
    (line,) = ast.parse(source).body
    call = line.value if isinstance(line, ast.Expr) else None
    if not isinstance(call, ast.Call) or ast.unparse(call.func) != "guess" or len(call.args) != 2:
        raise ValueError(f"A cell tagged guess holds guess(question, answer, ...) alone: {source}")
    question, answer = map(ast.literal_eval, call.args)
    rest = {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
    question = json.dumps(question, ensure_ascii=False)
    return f'guess(\n    {question},\n    sealed="{seal(answer=answer, **rest)}",\n)'


def way_on(path: Path) -> str:
    """Return the last words of a lesson or exercise: a link to what comes next."""
    name, folder = f"{path.stem}.ipynb", "" if path.parent == LESSONS else "../notebooks/"
    lessons = sorted(LESSONS.glob("*.py"))
    following = lessons[lessons.index(LESSONS / path.name) + 1 :]
    steps = []
    if path.parent == LESSONS and (EXERCISES / path.name).exists():
        steps.append(f"[the exercises of this lesson](../exercises/{name})")
    if following:
        after = following[0]
        steps.append(f"[lesson {int(after.stem[:2])}, {title(after)}]({folder}{after.stem}.ipynb)")
    if steps:
        return f"---\n\n**Next:** {', and then '.join(steps)}."
    start = f"[Start here]({folder}{lessons[0].stem}.ipynb)"
    return f"---\n\nThat was the last task. **Next:** {start} shows what is still open."


def title(path: Path) -> str:
    """Return the first heading of a source."""
    found = re.search(r"^# # (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, path
    return found[1]


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run every cell in ``folder`` and keep the outputs.

    Raises
    ------
    CellExecutionError
        If a cell raises, and is not tagged ``raises-exception``.
    """
    client = NotebookClient(
        notebook,
        timeout=SECONDS_A_CELL,
        kernel_name=KERNEL["name"],
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
    )
    client.execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = join_streams(cell.outputs)
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def join_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join printed text that lies side by side: the kernel sends it in pieces of any size."""
    joined: list[NotebookNode] = []
    for output in outputs:
        before = joined[-1] if joined else None
        if before and output.output_type == "stream" and output.name == before.get("name"):
            before.text += output.text
        else:
            joined.append(output)
    return joined


def cut_solutions(solution: NotebookNode) -> NotebookNode:
    """Return the learner's version of a solution notebook, as nbgrader would release it."""
    exercise = nbformat.from_dict(solution)
    resources: dict[str, object] = {}
    for step in CUTTING:
        exercise, resources = step().preprocess(exercise, resources)
    stamp(exercise)
    return exercise


def write(notebook: NotebookNode, path: Path, overwrite: bool) -> None:
    """Write a notebook; the old one stays until the new one is complete.

    And it stays for good where somebody has written in it: the new one goes beside it.
    """
    nbformat.validate(notebook)
    place = path
    if path.exists() and not overwrite and not is_as_made(path):
        free = (other for other in beside(path) if not other.exists() or is_as_made(other))
        place = next(free)
        tqdm.write(
            f"{path.relative_to(ROOT)}: somebody has written in it since it was made, so it stays, "
            f"and the new one is {place.relative_to(ROOT)}.",
            file=sys.stderr,
        )
    unfinished = place.with_suffix(".part")
    nbformat.write(notebook, unfinished)
    unfinished.replace(place)


def build(source: Path, overwrite: bool = False) -> None:
    """Make all that comes from one source."""
    name = f"{source.stem}.ipynb"
    if folder := SHOWN_IN.get(source.parent):
        write(execute(read_source(source), folder), folder / name, overwrite)
    else:
        solution = read_source(source)
        write(cut_solutions(solution), ROOT / "exercises" / name, overwrite)
        write(execute(solution, ROOT / "solutions"), ROOT / "solutions" / name, overwrite)


def take_over_words(source: Path, overwrite: bool = False) -> bool:
    """Make all that comes from one source without running it, where only its words have changed.

    The outputs are those that are there.

    Returns
    -------
    bool
        Whether that could be: False where the code of a notebook is another.
    """
    name, new = f"{source.stem}.ipynb", read_source(source)
    run = SHOWN_IN.get(source.parent, ROOT / "solutions") / name
    old = nbformat.read(run, as_version=4) if run.exists() else nbformat.v4.new_notebook()
    before, after = ([cell for cell in one.cells if cell.cell_type == "code"] for one in (old, new))
    if [cell.source for cell in before] != [cell.source for cell in after]:
        return False
    if run.parent not in SHOWN_IN.values():
        write(cut_solutions(read_source(source)), ROOT / "exercises" / name, overwrite)
    for was, cell in zip(before, after, strict=True):
        cell.outputs, cell.execution_count = was.outputs, was.execution_count
    write(new, run, overwrite)
    return True


def sources(names: list[str]) -> Iterator[Path]:
    """Yield the sources whose file name contains one of the names; all without names."""
    for path in sorted([*EXERCISES.glob("*.py"), *LESSONS.glob("*.py"), *DOCS.glob("*.py")]):
        if not names or any(name in path.stem for name in names):
            yield path


def main() -> None:
    """Read the command line and make the notebooks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", help="part of a file's name; all without it")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace what somebody has written in, too"
    )
    options = parser.parse_args()
    chosen = list(sources(options.names))
    if not chosen:
        sys.exit(
            "build.py: no source has such a name. They are in source/lessons, exercises, docs."
        )
    # No half-drawn progress bars in the outputs, and nobody's own progress touched.
    os.environ["TQDM_DISABLE"] = "1"
    with tempfile.TemporaryDirectory() as scratch:
        for source in (bar := tqdm(chosen, unit="notebook", disable=False)):
            bar.set_postfix_str(source.stem)
            os.environ["NORMLAB_PROGRESS"] = str(Path(scratch) / f"{source.stem}.json")
            try:
                build(source, options.overwrite)
            except CellExecutionError as error:
                sys.exit(f"\nbuild.py: {source.relative_to(ROOT)} stopped at this cell:\n{error}")
            except (KeyboardInterrupt, DeadKernelError, AssertionError):
                # nbclient ends the kernel at Ctrl-C, and then misses it.
                sys.exit("\nbuild.py: stopped. What was made before is in its place.")


if __name__ == "__main__":
    main()
