"""A teacher's own exercise: one percent notebook with the text, the solution and a teacher's cell.

The solution stands between nbgrader's usual marks. The cell after it that is tagged ``teacher``
holds ``cases(rng)`` and, in ``WORDS``, what ``NAME.toml`` holds for a task of the course. Only
imports, definitions and plain constants are run of the file, and no other cell.
"""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from normlab.exercises.loading import TaskError, Written
from normlab.exercises.source import definition
from normlab.tasks.case import case

#: Names folders of own exercises, besides those that lie at hand.
FOLDERS = "NORMLAB_TASKS"
_AT_HAND = ("tasks", "exercises/tasks")
_MARKS = re.compile(r"^[ \t]*### (?:BEGIN|END) SOLUTION[ \t]*\n", re.MULTILINE)
_BEGIN = "### BEGIN SOLUTION"
_SOLUTION = re.compile(
    r"^([ \t]*)### BEGIN SOLUTION[ \t]*\n.*?^[ \t]*### END SOLUTION[ \t]*$",
    re.MULTILINE | re.DOTALL,
)


class Cell(NamedTuple):
    """A cell of a percent notebook: its marker line, its text, and how many lines stand before."""

    head: str
    text: str
    line: int

    @property
    def is_code(self) -> bool:
        """Whether it is to be run."""
        return "[markdown]" not in self.head and "[raw]" not in self.head

    @property
    def is_teachers(self) -> bool:
        """Whether it is tagged for the teacher."""
        return self.is_code and re.search(r"tags=\[[^\]]*[\"']teacher[\"']", self.head) is not None


def files() -> list[Path]:
    """List the files of own exercises: beside the notebooks, and where NORMLAB_TASKS points."""
    named = os.environ.get(FOLDERS, "").split(os.pathsep)
    folders = [Path(folder) for folder in (*named, *_AT_HAND) if folder]
    found = {path.resolve(): path for folder in folders for path in sorted(folder.glob("*.py"))}
    return list(found.values())


def names_in(file: Path) -> list[str]:
    """Name the tasks of a file: what is defined around the marks of a solution."""
    return [name for name, _, _ in _tasks(file, file.read_text(encoding="utf-8"))]


def written_by_a_teacher(file: Path, name: str) -> Written:
    """Read one task of a file; a `TaskError` where it or its teacher's cell is not there."""
    text = file.read_text(encoding="utf-8")
    found = next((task for task in _tasks(file, text) if task[0] == name), None)
    if found is None:
        raise TaskError(f"no solution of {name} stands between the marks in it.", file)
    _, solution, teachers = found
    if teachers is None:
        line = solution.line + 1
        raise TaskError(f"no cell tagged `teacher` follows the solution of {name}.", file, line)
    words, before = _words(file, teachers)
    module = _defined(file, text, teachers)
    program = _MARKS.sub("", solution.text) + "\n" + teachers.text
    texts = {f"normlab_own.{name}": _script(text, teachers)} if hasattr(module, "use") else {}
    return Written(name, file.stem, program, words, lambda: module, texts, file, file, before)


def for_students(file: Path) -> str:
    """Return a file's percent notebook without the teacher's cells and the solutions."""
    kept = ""
    for cell in _cells(file.read_text(encoding="utf-8")):
        if cell.is_teachers:
            continue
        text = _SOLUTION.sub(r"\1raise NotImplementedError()", cell.text)
        if re.search("(BEGIN|END) SOLUTION|BEGIN HIDDEN TESTS", text):
            raise TaskError("a mark in this cell has no other end.", file, cell.line + 1)
        kept += cell.head + text
    return kept


def _tasks(file: Path, text: str) -> Iterator[tuple[str, Cell, Cell | None]]:
    """Yield each task's name, the cell of its solution, and the teacher's cell after it."""
    cells = list(_cells(text))
    for number, cell in enumerate(cells):
        if cell.is_code and _BEGIN in cell.text:
            after = cells[number + 1 :]
            following = next((c for c in after if c.is_teachers or _BEGIN in c.text), None)
            teachers = following if following and following.is_teachers else None
            for node in _parsed(file, cell).body:
                source = ast.get_source_segment(cell.text, node) or ""
                if isinstance(node, ast.FunctionDef | ast.ClassDef) and _BEGIN in source:
                    yield node.name, cell, teachers


def _cells(text: str) -> Iterator[Cell]:
    head, start = "", 0
    lines: list[str] = []
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if line.startswith("# %%"):
            yield Cell(head, "".join(lines), start)
            head, lines, start = line, [], number
        else:
            lines.append(line)
    yield Cell(head, "".join(lines), start)


def _parsed(file: Path, cell: Cell) -> ast.Module:
    try:
        return ast.parse(cell.text)
    except SyntaxError as problem:
        line = cell.line + (problem.lineno or 1)
        raise TaskError(f"this is no Python: {problem.msg}.", file, line) from None


def _words(file: Path, teachers: Cell) -> tuple[str, int]:
    """Return the words, and how many lines of the file stand before them."""
    for node in _parsed(file, teachers).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "WORDS":
            value = ast.literal_eval(node.value)
            if isinstance(value, str):
                return value, teachers.line + node.value.lineno - 1
    raise TaskError("the teacher's cell has no WORDS, a text.", file, teachers.line + 1)


def _defined(file: Path, text: str, teachers: Cell) -> ModuleType:
    """Run the imports, definitions and plain constants of a file, and the teacher's cell."""
    module = ModuleType(file.stem)
    vars(module)["case"] = case
    for cell in _cells(text):
        if not cell.is_code or (cell.is_teachers and cell != teachers):
            continue
        tree = _parsed(file, cell)
        if cell != teachers:
            tree.body = [node for node in tree.body if _only_defines(node)]
        ast.increment_lineno(tree, cell.line)
        try:
            exec(compile(tree, str(file), "exec"), vars(module))
        except Exception as problem:
            raise TaskError(f"{type(problem).__name__}: {problem}.", file, cell.line + 1) from None
    return module


def _only_defines(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        try:
            ast.literal_eval(node.value)
        except ValueError:
            return False
        return True
    return isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)


def _script(text: str, teachers: Cell) -> str:
    """Return the script ``use`` with all imports of the file."""
    nodes = (n for cell in _cells(text) if cell.is_code for n in ast.parse(cell.text).body)
    imports = [ast.unparse(n) for n in nodes if isinstance(n, ast.Import | ast.ImportFrom)]
    return "\n".join([*imports, definition(teachers.text, "use").text])
