"""What the learner has done so far, in one small file.

``NORMLAB_PROGRESS`` names the file; set to nothing, none is kept. Without it the file is
``.normlab/progress.json`` in the course folder that one works in, and in the home folder
elsewhere.
"""

import contextlib
import datetime
import json
import os
import tempfile
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from normlab.exercises.finding import all_exercises
from normlab.exercises.loading import TASKS
from normlab.exercises.self_tests import all_self_tests

_VARIABLE = "NORMLAB_PROGRESS"
_VERSION = 1
# What the file keeps, by its name in there.
_KINDS = _EXERCISES, _SELF_TESTS = "exercises", "self_tests"


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
    """Note the outcome of a check.

    Parameters
    ----------
    name
        Of the exercise.
    points, max_points
        What was reached, and out of how many.
    mistakes
        The keys of the mistakes that were named.

    Returns
    -------
    str
        "" where it was written (or is not wanted), else why it could not be. A disk that
        cannot be written is no reason for a check to fail.
    """
    return _record(_EXERCISES, name, points, max_points, mistakes=mistakes)


def record_self_test(lesson: str, right: int, questions: int) -> str:
    """Note how a self-test stands.

    Parameters
    ----------
    lesson
        Whose questions they are.
    right
        How many were right at the first go.
    questions
        How many there are.

    Returns
    -------
    str
        As of `record`.
    """
    return _record(_SELF_TESTS, lesson, right, questions)


def _record(kind: str, name: str, points: int, max_points: int, **rest: list[str]) -> str:
    try:
        file = progress_file()
        if file is None:
            return ""
        kept = _read(file)
        before = kept[kind].get(name, {})
        kept[kind][name] = {
            "points": points,
            "best": max(points, before.get("best", 0)),
            "max_points": max_points,
            "checks": before.get("checks", 0) + 1,
            **rest,
            "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
        _write(file, {"version": _VERSION, **kept})
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
        return getattr(error, "strerror", None) or str(error)
    return ""


def _read(file: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Read the entries of each kind that make sense; a broken file counts as empty."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = {}
    return {kind: _sound(content, kind) for kind in _KINDS}


def _sound(content: Any, kind: str) -> dict[str, dict[str, Any]]:  # noqa: ANN401 - any JSON
    try:
        return {
            name: entry
            for name, entry in content[kind].items()
            if all(isinstance(entry[key], int) for key in ("points", "best", "max_points"))
            and isinstance(entry.get("checks", 0), int)
        }
    except (TypeError, KeyError, AttributeError):
        return {}


def _write(file: Path, content: dict[str, Any]) -> None:
    """Replace the file in one step: a reader sees the old one or the new one, whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=file.name, suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as new:
            json.dump(content, new, indent=2)
            new.write("\n")
        os.replace(name, file)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


@dataclass(frozen=True)
class Line:
    """One exercise, or one self-test, in the table of progress.

    `checks` is 0 where it was never tried.
    """

    lesson: str
    name: str
    title: str
    best: int
    max_points: int
    checks: int

    @property
    def state(self) -> str:
        """In a word: done, begun or open."""
        if not self.checks:
            return "open"
        return "done" if self.best == self.max_points else "begun"


@dataclass(frozen=True)
class Progress:
    """Every exercise and self-test of the course, and how far the learner has come.

    It shows itself as a table in a notebook and as text elsewhere.
    """

    lines: tuple[Line, ...]
    self_tests: tuple[Line, ...]

    @property
    def points(self) -> int:
        """The best points of each exercise, added up."""
        return sum(line.best for line in self.lines)

    @property
    def max_points(self) -> int:
        """What can be reached in all."""
        return sum(line.max_points for line in self.lines)

    def __str__(self) -> str:
        rows = [
            f"  {line.state:6}{line.lesson:4}{line.name:32}{line.best:3} /{line.max_points:3}"
            for line in self.lines
        ]
        tests = [
            f"  {line.state:6}{line.lesson:4}{line.title:56.56}{line.best:2} /{line.max_points:2}"
            for line in self.self_tests
        ]
        return "\n".join([self._exercises(), *rows, "", self._self_tests(), *tests])

    def _exercises(self) -> str:
        return f"Exercises: {self.points} of {self.max_points} points"

    def _self_tests(self) -> str:
        right = sum(line.best for line in self.self_tests)
        asked = sum(line.max_points for line in self.self_tests)
        return f"Self-tests: {right} of {asked} questions right at the first go"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            _html_row(line, f"<code>{escape(line.name)}</code><br>{escape(line.title)}")
            for line in self.lines
        )
        tests = "".join(_html_row(line, escape(line.title)) for line in self.self_tests)
        return (
            f"<p><b>{self._exercises()}</b></p><table>{rows}</table>"
            f"<p><b>{self._self_tests()}</b></p><table>{tests}</table>"
        )


def _html_row(line: Line, what: str) -> str:
    texts = (line.state, line.lesson, what, f"{line.best} / {line.max_points}")
    cells = (f'<td style="text-align:left;padding:0.15em 0.8em">{text}</td>' for text in texts)
    return f"<tr>{''.join(cells)}</tr>"


def progress() -> Progress:
    """Tell how far the learner has come, exercise by exercise, in the order of the lessons."""
    kept = _kept()
    return Progress(
        tuple(
            _line(kept[_EXERCISES], each.lesson, name, each.title, each.max_points)
            for name, each in all_exercises().items()
            if _is_given_out(each.lesson)
        ),
        tuple(
            _line(kept[_SELF_TESTS], *_number_and_words(lesson), len(questions))
            for lesson, questions in all_self_tests().items()
            if _is_given_out(_number_and_words(lesson)[0])
        ),
    )


def _is_given_out(lesson: str) -> bool:
    """Whether a lesson is in this bundle: `normlab release --lessons` leaves the others out."""
    given_out = TASKS / "lessons.txt"
    return not lesson or not given_out.exists() or lesson in given_out.read_text().split()


def _kept() -> dict[str, dict[str, dict[str, Any]]]:
    with contextlib.suppress(OSError, RuntimeError):  # no home folder, or no folder here any more
        file = progress_file()
        if file:
            return _read(file)
    return {kind: {} for kind in _KINDS}


def _number_and_words(lesson: str) -> tuple[str, str, str]:
    number, _, words = lesson.partition("_")
    return number, lesson, words.replace("_", " ")


def _line(
    kept: dict[str, dict[str, Any]], lesson: str, name: str, title: str, max_points: int
) -> Line:
    entry = kept.get(name, {})
    best = min(entry.get("best", 0), max_points)
    return Line(lesson, name, title, best, max_points, entry.get("checks", 0))
