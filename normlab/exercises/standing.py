"""How far the learner has come: one bar a lesson, what is next, and the details folded."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from normlab.exercises.finding import all_exercises
from normlab.exercises.guessing import all_guesses
from normlab.exercises.loading import TASKS
from normlab.exercises.logbook import EXERCISES, GUESSES, SELF_TESTS, kept_in, progress_file
from normlab.exercises.panel import GREEN, GREY
from normlab.exercises.self_tests import all_self_tests

_WIDTH = 20  # of a bar of text
_GUESSES = "the guesses"


@dataclass(frozen=True)
class Line:
    """One task, one self-test, or the guesses of a lesson, of which `best` have been given.

    `checks` is 0 where it was never tried; `notebook` is where a task stands.
    """

    lesson: str
    name: str
    title: str
    best: int
    max_points: int
    checks: int
    notebook: str = ""

    @property
    def state(self) -> str:
        """In a word: done, begun or open."""
        if not self.checks:
            return "open"
        return "done" if self.best == self.max_points else "begun"

    @property
    def what(self) -> str:
        """What it is, in a word or two."""
        if self.notebook:
            return self.name
        return self.title if self.title == _GUESSES else "the self-test"

    @property
    def of_all(self) -> str:
        """What it is and how much of it is done, in columns."""
        return f"{self.what:36}{self.best:3} /{self.max_points:3}"

    @property
    def in_lesson(self) -> bool:
        """Whether the lesson itself asks for it, and it is not graded."""
        return self.notebook.startswith("notebooks/")


@dataclass(frozen=True)
class Lesson:
    """One lesson: its own tasks and its exercises, its self-test and its guesses."""

    number: str
    title: str
    lines: tuple[Line, ...]
    self_test: tuple[Line, ...]
    guesses: tuple[Line, ...] = ()

    @property
    def own(self) -> tuple[Line, ...]:
        """The tasks that the lesson asks for and goes on with."""
        return tuple(line for line in self.lines if line.in_lesson)

    @property
    def exercises(self) -> tuple[Line, ...]:
        """The tasks of its exercise notebook."""
        return tuple(line for line in self.lines if not line.in_lesson)

    @property
    def all(self) -> tuple[Line, ...]:
        """Everything that counts, in the order in which it comes."""
        return (*self.guesses, *self.own, *self.self_test, *self.exercises)

    @property
    def state(self) -> str:
        """In a word: done, begun or open."""
        states = {line.state for line in self.all}
        return states.pop() if len(states) == 1 else "begun"

    @property
    def share(self) -> float:
        """How much of it is done, from 0 to 1."""
        return _sum("best", self.all) / max(1, _sum("max_points", self.all))

    @property
    def bar(self) -> tuple[str, str]:
        """That share as a bar of text: what is done, and what is left."""
        done = round(_WIDTH * self.share)
        return "█" * done, "░" * (_WIDTH - done)


def _sum(what: str, lines: tuple[Line, ...]) -> int:
    return sum(getattr(line, what) for line in lines)


@dataclass(frozen=True)
class Progress:
    """All that the course asks for, and how far the learner has come.

    It shows itself: a bar for each lesson, and under it what it consists of, folded in a notebook,
    and as text where the lesson is begun. `file` is what was read, and `note` says what could not
    be read of it. `given` are the guesses of each lesson; `guesses` are how many of all were right,
    and how many can be judged.
    """

    lines: tuple[Line, ...]
    self_tests: tuple[Line, ...]
    given: tuple[Line, ...] = ()
    guesses: tuple[int, int] = (0, 0)
    file: Path | None = None
    note: str = ""

    @property
    def points(self) -> int:
        """The best points of each task, added up."""
        return _sum("best", self.lines)

    @property
    def max_points(self) -> int:
        """What can be reached in all."""
        return _sum("max_points", self.lines)

    @property
    def lessons(self) -> tuple[Lesson, ...]:
        """The lessons in their order, and a teacher's own exercises, which have no number."""
        titles = {line.lesson: line.title for line in self.self_tests}
        numbers = dict.fromkeys([*titles, *(line.lesson for line in self.lines)])
        kinds = (self.lines, self.self_tests, self.given)

        def lesson(number: str) -> Lesson:
            own = (tuple(line for line in lines if line.lesson == number) for lines in kinds)
            return Lesson(number, titles.get(number, "your teacher's own"), *own)

        return tuple(map(lesson, numbers))

    @property
    def next(self) -> str:
        """What to do next, in a few words: what is begun, or what comes after the last done."""
        lines = [
            line for lesson in self.lessons for line in lesson.all if line not in lesson.guesses
        ]
        begun = [line for line in self.lines if line.state == "begun"]
        touched = [place for place, line in enumerate(lines) if line.checks]
        after = lines[touched[-1] + 1 :] if touched else lines
        open_ones = [line for line in (*after, *lines) if line.state == "open"]
        for line in (*begun, *open_ones):
            if line.notebook:
                return f"{line.name}, in {line.notebook}"
            return f"the self-test of lesson {int(line.lesson)}, in notebooks/{line.name}.ipynb"
        return "nothing is open. Take a network of your own, and ask normlab.doctor about it"

    def __str__(self) -> str:
        rows = []
        for lesson in self.lessons:
            bar = "".join(lesson.bar)
            rows.append(f"  {lesson.number:4}{lesson.title:32.32}{bar} {lesson.share:4.0%}")
            if lesson.state == "begun":
                rows += [f"      {line.state:6}{line.of_all}" for line in lesson.all]
        note = ["", self.note] if self.note else []
        return "\n".join([*self.sums, "", *rows, "", f"Next: {self.next}.", *note])

    @property
    def sums(self) -> list[str]:
        """What is done of each kind in all, a line a kind."""
        own = tuple(line for line in self.lines if line.in_lesson)
        graded = tuple(line for line in self.lines if not line.in_lesson)
        sums = [
            f"{name}: {_sum('best', lines)} of {_sum('max_points', lines)} {what}"
            for name, lines, what in (
                ("Lessons", own, "points"),
                ("Exercises", graded, "points"),
                ("Self-tests", self.self_tests, "questions right at the first go"),
                ("Guesses", self.given, "given"),
            )
            if lines
        ]
        hits, judged = self.guesses
        if judged:
            sums[-1] += f", {hits} of {judged} right at the first go"
        return sums

    __repr__ = __str__

    def _repr_html_(self) -> str:
        note = f"<p>{escape(self.note)}</p>" if self.note else ""
        return (
            f'<div style="max-width:46em"><p><b>Next:</b> {escape(self.next)}.</p>'
            f"<p>{'<br>'.join(self.sums)}</p>{''.join(map(_html_lesson, self.lessons))}{note}</div>"
        )


def _html_lesson(lesson: Lesson) -> str:
    bar = (
        f'<span aria-hidden="true" style="display:inline-block;vertical-align:middle;width:8em;'
        f'height:0.7em;border:1px solid {GREY};border-radius:4px;margin-right:0.6em">'
        f'<span style="display:block;height:100%;width:{lesson.share:.0%};background:{GREEN}">'
        "</span></span>"
    )
    head = f"{bar}<b>{escape(f'{lesson.number} {lesson.title}'.strip())}</b>: {lesson.share:.0%}"
    rows = "".join(_html_row(line) for line in lesson.all)
    return f"<details><summary>{head}</summary><table>{rows}</table></details>"


def _html_row(line: Line) -> str:
    what = f"<code>{line.name}</code><br>{escape(line.title)}" if line.notebook else line.what
    texts = (line.state, what, f"{line.best} / {line.max_points}")
    cells = (f'<td style="text-align:left;padding:0.15em 0.8em">{text}</td>' for text in texts)
    return f"<tr>{''.join(cells)}</tr>"


def progress() -> Progress:
    """Tell how far the learner has come, lesson by lesson."""
    file, kept, trouble = None, kept_in(None)[0], ""
    try:
        file = progress_file()
        kept, trouble = kept_in(file)
    except (OSError, RuntimeError) as error:  # no home folder, or no folder here any more
        trouble = f"cannot be read ({getattr(error, 'strerror', None) or error})"
    note = f"Your progress file {trouble}: this is what could be read." if trouble else ""
    guesses = kept[GUESSES]
    tasks = [
        (task.lesson, name, task.title, task.max_points, task.place)
        for name, task in all_exercises().items()
    ]
    self_tests = [
        (lesson[:2], lesson, lesson[3:].replace("_", " "), len(questions))
        for lesson, questions in all_self_tests().items()
    ]
    asked = all_guesses()
    given = {
        lesson: sum(one in guesses for one in questions) for lesson, questions in asked.items()
    }
    return Progress(
        _lines(tasks, kept[EXERCISES]),
        _lines(self_tests, kept[SELF_TESTS]),
        _lines(
            [(lesson[:2], lesson, _GUESSES, len(questions)) for lesson, questions in asked.items()],
            {lesson: {"best": count, "checks": count} for lesson, count in given.items()},
        ),
        tuple(sum(one[what] for one in guesses.values()) for what in ("best", "max_points")),
        file,
        note,
    )


def _lines(
    asked: Iterable[tuple[Any, ...]], kept: Mapping[str, Mapping[str, Any]]
) -> tuple[Line, ...]:
    """Return what of all that is asked is in this bundle: `normlab release --lessons` cuts it."""
    file = TASKS / "lessons.txt"
    given_out = file.read_text().split() if file.exists() else None
    lines = []
    for lesson, name, title, most, *notebook in asked:
        if not lesson or given_out is None or lesson in given_out:
            entry = kept.get(name, {})
            best, checks = min(entry.get("best", 0), most), entry.get("checks", 0)
            lines.append(Line(lesson, name, title, best, most, checks, *notebook))
    return tuple(lines)
