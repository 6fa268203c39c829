"""How a newer notebook comes into a course in which somebody has written.

Every made notebook carries a digest of what it said when it was made. Where it says the same today,
nobody has written in it, and a newer one may take its place. Else it stays, and the newer one goes
beside it: ``02_name.new.ipynb``. To run a cell is not to write: what it printed can be had again.
"""

import hashlib
import itertools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from normlab.files import locked, write_whole

Notebook = dict[str, Any]


def digest(notebook: Notebook) -> str:
    """Return a short digest of all that a person writes into a notebook.

    Empty cells do not count: JupyterLab adds one when the last cell is run.
    """
    written = [
        [cell["cell_type"], source, cell.get("attachments", {})]
        for cell in notebook["cells"]
        if (source := "".join(cell["source"])).strip()
    ]
    return hashlib.sha256(json.dumps(written, sort_keys=True).encode()).hexdigest()[:16]


def stamp(notebook: Notebook) -> None:
    """Note in a notebook that this is what it says as it is made."""
    notebook["metadata"]["normlab"] = {"made": digest(notebook)}


def made(notebook: Notebook) -> str | None:
    """Return the digest that a notebook was made with; None where it does not say."""
    ours = notebook["metadata"].get("normlab")
    return ours.get("made") if isinstance(ours, dict) else None


def is_as_made(path: Path) -> bool:
    """Say whether nobody has written in a notebook since it was made.

    False where this cannot be told: a file that is no notebook, or of another release.
    """
    notebook = _read(path)
    return notebook is not None and made(notebook) == digest(notebook)


def bring(newer: bytes, path: Path) -> Path | None:
    """Put a newer notebook in its place, or beside what somebody has written; say where.

    None where the notebook of this version is there already, or where the newer one does not say
    how it was made.
    """
    notebook = _parsed(newer)
    version = made(notebook) if notebook else None
    if version is None or _place(path, version) is None:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path):
        place = _place(path, version)
        if place is not None:
            write_whole(place, newer)
        return place


def bring_all(newer: Mapping[str, bytes], course: Path) -> str:
    """Bring newer notebooks into a course, each by its place such as "exercises/02_name.ipynb".

    Return a sentence for what is new, and one for what lies beside a learner's own; "" for nothing.
    """
    renewed, theirs = [], []
    for name, content in newer.items():
        placed = bring(content, course / name)
        if placed == course / name:
            renewed.append(name)
        elif placed:
            theirs.append(placed.relative_to(course).as_posix())
    sentences = []
    if renewed:
        sentences.append(f"New in {course}: {', '.join(renewed)}.")
    if theirs:
        sentences.append(
            f"You have written in some notebooks, so they stay, and the newer ones lie beside "
            f"them: {', '.join(theirs)}."
        )
    return "\n".join(sentences)


def _place(path: Path, version: str) -> Path | None:
    """Find where a notebook of a version goes: nobody's work is there. None where it is there."""
    for place in itertools.chain([path], beside(path)):
        if not os.path.lexists(place):
            return place
        notebook = _read(place)
        if notebook is None:
            continue
        if version in (made(notebook), digest(notebook)):
            return None
        if made(notebook) == digest(notebook):
            return place
    raise AssertionError("there is always one more name")


def beside(path: Path, word: str = "new") -> "itertools.chain[Path]":
    """Return the names for other versions of a notebook beside it, in order."""
    numbered = (path.with_name(f"{path.stem}.{word}-{n}.ipynb") for n in itertools.count(2))
    return itertools.chain([path.with_name(f"{path.stem}.{word}.ipynb")], numbered)


def _read(path: Path) -> Notebook | None:
    try:
        return _parsed(path.read_bytes())
    except OSError:
        return None


def _parsed(content: bytes) -> Notebook | None:
    """Return a notebook; None where the text is none."""
    try:
        notebook = json.loads(content)
        digest(notebook)
        made(notebook)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return notebook
