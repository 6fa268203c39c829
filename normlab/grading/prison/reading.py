"""Read the code cells of a notebook as people hand it in, whatever happened to it on the way.

It is read where nothing can be hurt, before any of its code runs: see `sandbox`. Standard library
alone.
"""

import ast
import json
import re
import types
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

#: A notebook with more code cells is not read.
MOST_CELLS = 20_000
_MOST_CHARACTERS = 10_000_000

# What Jupyter understands and Python does not, at the beginning of a line. Behind %time stands
# Python that may define something.
_RUNS_ITS_REST = re.compile(r"^(\s*)%time\b\s*(.*)$")
_MAGIC = re.compile(r"^(\s*)(?:[%!?].*|[\w.]+\?{1,2}\s*|[\w.,\s]+=\s*[%!].*)$")
# Cell magics behind whose first line is Python; behind any other is another language.
_PYTHON_CELLS = ("%%time", "%%timeit", "%%capture", "%%prun", "%%python", "%%python3")


class Unreadable(ValueError):  # noqa: N818 - it is said of a file
    """The file is no notebook; the message says why, to whoever handed it in."""


def read_cells(data: bytes) -> list[str]:
    """Return the source of each code cell of a notebook, in its order.

    It takes nbformat 3 or 4, or something near it: a cell that cannot be read is left out, and
    metadata, outputs and ids are not looked at. `Unreadable` where no cells are to be found.
    """
    notebook = _parse(data)
    if not isinstance(notebook, dict):
        raise Unreadable("The file is no notebook: it holds something else.")
    cells = _cells_of(notebook)
    if cells is None:
        raise Unreadable("The file is no notebook: it has no list of cells.")
    if len(cells) > MOST_CELLS:
        raise Unreadable(f"The notebook has {len(cells):,} cells; at most {MOST_CELLS:,} are read.")
    code = [one for one in cells if isinstance(one, dict) and one.get("cell_type") == "code"]
    sources = [_source(cell) for cell in code]
    if sum(map(len, sources)) > _MOST_CHARACTERS:
        raise Unreadable("The notebook's cells are too long to be code.")
    return sources


def _parse(data: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    beginning = data.strip(b"\x00 \t\r\n\xef\xbb\xbf")[:500].lower()
    if not beginning:
        raise Unreadable("The file is empty.")
    if beginning.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise Unreadable("The file is a web page. Download the notebook itself, and hand that in.")
    try:
        return json.loads(data.decode(encoding_of(data)))
    except UnicodeDecodeError:
        raise Unreadable("The file is not UTF-8 text, as every notebook is.") from None
    except RecursionError:
        raise Unreadable("The file is no notebook: it is nested too deep.") from None
    except json.JSONDecodeError as problem:
        if all(f"\n{mark} " in problem.doc for mark in ("<" * 7, ">" * 7)):
            raise Unreadable(
                "The file holds a conflict of Git's, between <<<<<<< and >>>>>>>. Resolve it, and "
                "hand it in again."
            ) from None
        off = problem.msg.startswith("Unterminated") or problem.pos >= len(problem.doc.rstrip()) - 1
        end = "it breaks off" if off else "it is not JSON"
        raise Unreadable(f"The file is no notebook: {end} at line {problem.lineno}.") from None
    except ValueError as problem:  # a number of a million digits
        raise Unreadable(f"The file is no notebook: {str(problem)[:80]}.") from None


def encoding_of(data: bytes) -> str:
    """Tell UTF-8, with or without a mark, from what Windows calls Unicode."""
    return "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _cells_of(notebook: dict[str, Any]) -> list[Any] | None:
    if isinstance(notebook.get("cells"), list):
        return notebook["cells"]
    sheets = notebook.get("worksheets")  # nbformat 3
    if not isinstance(sheets, list):
        return None
    cells = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
    return [cell for some in cells if isinstance(some, list) for cell in some]


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", cell.get("input", ""))  # nbformat 3 says input
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    # A half of a surrogate pair is no character, and no cell is lost for the want of one.
    return source.encode(errors="replace").decode() if isinstance(source, str) else ""


def places_of(cells: Sequence[str], last_only: Mapping[str, bool]) -> dict[str, list[int]]:
    """Say where each task is to be judged: where it is defined, and at the notebook's own checks.

    Those are the cells with ``check("task", ...)`` behind a cell that defines the task. Of a name
    in `last_only` that is true, the last definition alone is an answer.
    """
    named = (
        (number, cell)
        for number, cell in enumerate(cells)
        if any(name in cell for name in last_only)
    )
    said = {number: _mentions(cell) for number, cell in named}
    places = {}
    for name, last in last_only.items():
        defined = [number for number, found in said.items() if ("defines", name) in found]
        defined = defined[-1:] if last else defined
        checked = [number for number, found in said.items() if ("checks", name) in found]
        places[name] = sorted({*defined, *(n for n in checked if defined and n >= defined[0])})
    return places


def _mentions(source: str) -> set[tuple[str, str]]:
    """Say which names a cell defines, and of which tasks it calls the check."""
    try:
        statements = parse_cell(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    found = set()
    for node in ast.walk(ast.Module(statements, [])):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(("defines", name))
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(("defines", name))
            case ast.alias(name=name, asname=other):
                found.add(("defines", other or name))
            case ast.Call(
                func=ast.Name(id="check") | ast.Attribute(attr="check"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                found.add(("checks", name))
    return found


def compile_plain(source: str, name: str) -> types.CodeType | None:
    """Compile a cell as it is, or return None where it must be looked at statement by statement.

    Most cells neither import anything nor hold what only Jupyter understands.
    """
    if "import" in source:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compile(source, name, "exec")
    except (SyntaxError, ValueError):  # a magic, or a null character
        return None


def parse_cell(source: str) -> list[ast.stmt]:
    """Return the statements of a cell, without what Jupyter alone reads; or a `SyntaxError`."""
    source = source.replace("\r\n", "\n").replace("\x00", "")
    if source.lstrip().startswith("%%"):
        magic, _, rest = source.lstrip().partition("\n")
        source = rest if magic.split()[0] in _PYTHON_CELLS else ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\s" in a string
        try:
            return ast.parse(source).body
        except SyntaxError:
            lines = [_without_magic(line) for line in source.split("\n")]
            return ast.parse("\n".join(lines)).body


def _without_magic(line: str) -> str:
    found = _RUNS_ITS_REST.match(line)
    if found:
        return f"{found[1]}{found[2] or 'pass'}"
    return _MAGIC.sub(r"\1pass", line)
