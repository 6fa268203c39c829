"""What the learner has done so far, in one small file.

``NORMLAB_PROGRESS`` names the file; set to nothing, none is kept. Without it the file is
``.normlab/progress.json`` in the course folder that one works in, and in the home folder
elsewhere.

Several kernels may write it at once: they take turns. Beside it lies what it held one check ago,
``progress.json.bak``. A file that cannot be read is never replaced: it is put aside under another
name, and what can be read of it goes on.
"""

import contextlib
import datetime
import itertools
import json
import os
import re
from pathlib import Path
from typing import Any

from normlab.files import locked, write_whole

_VARIABLE = "NORMLAB_PROGRESS"
_VERSION = 1
# What the file keeps, by its name in there.
_KINDS = EXERCISES, SELF_TESTS, GUESSES = "exercises", "self_tests", "guesses"
# The entries of each kind that make sense, and all else; and why the file cannot be read in full.
_Kept = tuple[dict[str, Any], str]


def progress_file() -> Path | None:
    """Return where progress is kept, or None where the learner wants none."""
    if _VARIABLE in os.environ:
        named = os.environ[_VARIABLE]
        return Path(named).expanduser() if named else None
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "exercises").is_dir() and (folder / "notebooks").is_dir():
            return folder / ".normlab" / "progress.json"
    return Path.home() / ".normlab" / "progress.json"


def record(name: str, points: int, max_points: int, mistakes: list[str]) -> str:
    """Note the outcome of a check, with the keys of the mistakes that were named.

    Returns "" where all went well (or no progress is wanted), else what a learner should know,
    without a full stop: why it could not be written, or where a file that could not be read was put
    aside. A disk that cannot be written is no reason for a check to fail.
    """
    return _record(EXERCISES, name, points, max_points, mistakes=mistakes)


def record_self_test(lesson: str, right: int, questions: int) -> str:
    """Note how many questions of a lesson were right at the first go, out of how many."""
    return _record(SELF_TESTS, lesson, right, questions)


def record_guess(question: str, right: bool | None) -> str:
    """Note how a question was guessed, unless it was guessed before: the first guess counts.

    `right` is None where a guess is in words, and nobody judges it.
    """
    return _record(GUESSES, question, int(bool(right)), int(right is not None))


def _record(kind: str, name: str, points: int, max_points: int, **rest: list[str]) -> str:
    try:
        file = progress_file()
        if file is None:
            return ""
        file = Path(os.path.realpath(file))  # a link leads to where the file is
        file.parent.mkdir(parents=True, exist_ok=True)
        with locked(file):
            return _add(file, kind, name, points, max_points, rest)
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
        return f"your progress could not be saved: {getattr(error, 'strerror', None) or error}"


def _add(
    file: Path, kind: str, name: str, points: int, max_points: int, rest: dict[str, list[str]]
) -> str:
    content, trouble = _read(file)
    before = content[kind].get(name, {})
    if kind == GUESSES and before and not trouble:
        return ""
    content[kind][name] = {
        "points": points,
        "best": max(points, before.get("best", 0)),
        "max_points": max_points,
        "checks": before.get("checks", 0) + 1,
        **rest,
        "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    said = ""
    text = json.dumps({**content, "version": _VERSION}, indent=2)
    if trouble:
        said = (
            f"your progress file {trouble}, so {file.name} was put aside as {_put_aside(file)}, "
            "and what could be read of it was kept"
        )
    elif file.exists():
        write_whole(_backup(file), file.read_bytes())
    write_whole(file, f"{text}\n")
    return said


def _backup(file: Path) -> Path:
    return file.with_name(f"{file.name}.bak")


def _read(file: Path) -> _Kept:
    """Read a progress file; of one that cannot be read, what can, and the rest from its backup."""
    content, trouble = _read_alone(file)
    if trouble and _backup(file).is_file():
        older, _ = _read_alone(_backup(file))
        for kind in _KINDS:
            content[kind] = older[kind] | content[kind]
    return content, trouble


def _read_alone(file: Path) -> _Kept:
    if file.exists() and not file.is_file():
        raise OSError(f"{file} is not a file")
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        return _nothing(), ""
    except OSError as error:
        return _nothing(), f"cannot be read ({error.strerror})"
    try:
        content = json.loads(raw.decode())
    except UnicodeDecodeError:
        return _salvaged(raw), "is not UTF-8 text"
    except (ValueError, RecursionError):
        return _salvaged(raw), "is half-written or damaged"
    if not isinstance(content, dict):
        return _nothing(), "holds something else"
    version = content.get("version", _VERSION)
    sound = {kind: _sound(content.get(kind, {})) for kind in _KINDS}
    if version != _VERSION:
        return sound, f"was written by another normlab (its version is {version!r})"
    if any(sound[kind] != content.get(kind, {}) for kind in _KINDS):
        return sound, "holds entries that make no sense"
    return content | sound, ""


def _nothing() -> dict[str, Any]:
    return {kind: {} for kind in _KINDS}


def _sound(entries: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401 - any JSON
    if not isinstance(entries, dict):
        return {}
    return {name: entry for name, entry in entries.items() if _makes_sense(entry)}


def _makes_sense(entry: Any) -> bool:  # noqa: ANN401 - any JSON
    return isinstance(entry, dict) and all(
        isinstance(entry.get(key, default), int)
        for key, default in (("points", None), ("best", None), ("max_points", None), ("checks", 0))
    )


def _salvaged(raw: bytes) -> dict[str, Any]:
    """Pick the entries out of a text that is no JSON, or that some editor saved in its own way."""
    text = raw.decode(json.detect_encoding(raw), errors="replace")
    found, kind = _nothing(), EXERCISES
    for match in re.finditer(r'"([^"\n]+)"\s*:\s*(?=\{)', text):
        name = match[1]
        if name in found:
            kind = name
            continue
        with contextlib.suppress(ValueError, RecursionError):
            entry, _ = json.JSONDecoder().raw_decode(text, match.end())
            if _makes_sense(entry):
                found[kind][name] = entry
    return found


def _put_aside(file: Path) -> str:
    """Give a file that cannot be read a second name, in which nobody replaces it; return it."""
    for number in itertools.count(1):
        aside = file.with_name(f"{file.stem}.unreadable-{number}{file.suffix}")
        if not os.path.lexists(aside):
            break
        with contextlib.suppress(OSError):
            if aside.samefile(file):  # put aside before, and then the disk was full
                return aside.name
    try:
        os.link(file, aside)  # the file itself stays until the new one takes its place
    except OSError:  # no second names on this disk
        os.replace(file, aside)
    return aside.name


def kept_in(file: Path | None) -> tuple[dict[str, Any], str]:
    """Return what a progress file holds, by kind, and why it cannot be read in full; "" if it can.

    `OSError` where it is a folder, or another thing that was never a progress file.
    """
    return _read(file) if file else (_nothing(), "")
