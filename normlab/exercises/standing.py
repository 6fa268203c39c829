"""How far the learner has come: one bar a lesson, what is next, and the details folded."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
#: What a lesson consists of, in its order.
OF_GUESSES, OF_LESSON, OF_SELF_TEST, OF_EXERCISES = range(4)
_SUMS = (
    (OF_LESSON, "Lessons", "points"),
    (OF_EXERCISES, "Exercises", "points"),
    (OF_SELF_TEST, "Self-tests", "questions right at the first go"),
    (OF_GUESSES, "Guesses", "given"),
)


@dataclass(frozen=True)
class Line:
    """One task, one self-test, or the guesses of a lesson, of which `best` have been given.

    `checks` is 0 where it was never tried; `notebook` is where a task stands.
    """

    kind: int
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
        return "the guesses" if self.kind == OF_GUESSES else "the self-test"

    @property
    def of_all(self) -> str:
        """What it is and how much of it is done, in columns."""
        return f"{self.what:36}{self.best:3} /{self.max_points:3}"


@dataclass(frozen=True)
class Lesson:
    """One lesson, and everything that counts in it, in the order in which it comes."""

    number: str
    title: str
    all: tuple[Line, ...]

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


def _sum(what: str, lines: Iterable[Line]) -> int:
    return sum(getattr(line, what) for line in lines)


@dataclass(frozen=True)
class Progress:
    """All that the course asks for, and how far the learner has come.

    It shows itself: a bar for each lesson, and under it what it consists of, folded in a notebook,
    and as text where the lesson is begun. `file` is what was read, and `note` says what could not
    be read of it. `guesses` are how many guesses were right, and how many can be judged.
    """

    all: tuple[Line, ...]
    guesses: tuple[int, int] = (0, 0)
    file: Path | None = None
    note: str = ""

    def of(self, *kinds: int) -> tuple[Line, ...]:
        """Return what is asked of some kinds."""
        return tuple(line for line in self.all if line.kind in kinds)

    @property
    def lines(self) -> tuple[Line, ...]:
        """The tasks."""
        return self.of(OF_LESSON, OF_EXERCISES)

    @property
    def self_tests(self) -> tuple[Line, ...]:
        """The self-tests."""
        return self.of(OF_SELF_TEST)

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
        for line in self.lines:
            titles.setdefault(line.lesson, "your teacher's own")
        in_order = sorted(self.all, key=lambda line: line.kind)
        return tuple(
            Lesson(number, title, tuple(line for line in in_order if line.lesson == number))
            for number, title in titles.items()
        )

    @property
    def next(self) -> str:
        """What to do next, in a few words: what is begun, or what comes after the last done."""
        everything = [line for lesson in self.lessons for line in lesson.all]
        lines = [line for line in everything if line.kind != OF_GUESSES]
        begun = [line for line in self.lines if line.state == "begun"]
        last = max((place for place, line in enumerate(lines) if line.checks), default=-1)
        open_ones = [line for line in (*lines[last + 1 :], *lines) if line.state == "open"]
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
        sums = [
            f"{name}: {_sum('best', lines)} of {_sum('max_points', lines)} {what}"
            for kind, name, what in _SUMS
            if (lines := self.of(kind))
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
    tasks, guesses = kept[EXERCISES], kept[GUESSES]
    given = {
        lesson: dict.fromkeys(("best", "checks"), sum(one in guesses for one in questions))
        for lesson, questions in all_guesses().items()
    }
    done = given, tasks, kept[SELF_TESTS], tasks  # of each kind, in their order
    hits, judged = (sum(one[what] for one in guesses.values()) for what in ("best", "max_points"))
    return Progress(tuple(_lines(done)), (hits, judged), file, note)


def _lines(done: Sequence[Mapping[str, Mapping[str, Any]]]) -> Iterator[Line]:
    """Yield all that is asked and is in this bundle: `normlab release --lessons` cuts it."""
    file = TASKS / "lessons.txt"
    given_out = file.read_text().split() if file.exists() else None
    for kind, lesson, name, title, most, *notebook in _asked():
        if not lesson or given_out is None or lesson in given_out:
            entry = done[kind].get(name, {})
            best, checks = min(entry.get("best", 0), most), entry.get("checks", 0)
            yield Line(kind, lesson, name, title, best, most, checks, *notebook)


def _asked() -> Iterator[tuple[Any, ...]]:
    for name, task in all_exercises().items():
        kind = OF_LESSON if task.in_lesson else OF_EXERCISES
        yield kind, task.lesson, name, task.title, task.max_points, task.place
    for kind, asked in ((OF_SELF_TEST, all_self_tests()), (OF_GUESSES, all_guesses())):
        for stem, questions in asked.items():
            yield kind, stem[:2], stem, stem[3:].replace("_", " "), len(questions)
