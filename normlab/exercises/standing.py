"""How far the learner has come: one bar a lesson, what is next, and the details folded."""

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from normlab.exercises.finding import all_exercises
from normlab.exercises.loading import TASKS
from normlab.exercises.logbook import EXERCISES, GUESSES, SELF_TESTS, kept_in, progress_file
from normlab.exercises.panel import GREEN, GREY
from normlab.exercises.self_tests import all_self_tests

_WIDTH = 20  # of a bar of text


@dataclass(frozen=True)
class Line:
    """One exercise, or one self-test.

    `checks` is 0 where it was never tried; `notebook` is where an exercise stands.
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


@dataclass(frozen=True)
class Lesson:
    """One lesson: its exercises and its self-test."""

    number: str
    title: str
    lines: tuple[Line, ...]
    self_test: tuple[Line, ...]

    @property
    def both(self) -> tuple[Line, ...]:
        """Everything that counts."""
        return (*self.lines, *self.self_test)

    @property
    def state(self) -> str:
        """In a word: done, begun or open."""
        states = {line.state for line in self.both}
        return states.pop() if len(states) == 1 else "begun"

    @property
    def share(self) -> float:
        """How much of it is done, from 0 to 1."""
        return _sum("best", self.both) / max(1, _sum("max_points", self.both))

    @property
    def score(self) -> str:
        """What there is in points and answers."""
        points = [f"{_sum('best', self.lines)} of {_sum('max_points', self.lines)} points"]
        right = [f"self-test {line.best} of {line.max_points}" for line in self.self_test]
        return ", ".join((points if self.lines else []) + right)


def _sum(what: str, lines: tuple[Line, ...]) -> int:
    return sum(getattr(line, what) for line in lines)


@dataclass(frozen=True)
class Progress:
    """Every exercise and self-test of the course, and how far the learner has come.

    It shows itself: a bar for each lesson, and under it the exercises, folded in a notebook, and
    as text where the lesson is begun. `file` is what was read, and `note` says what could not be
    read of it. `guesses` are how many were right, and how many can be judged.
    """

    lines: tuple[Line, ...]
    self_tests: tuple[Line, ...]
    guesses: tuple[int, int] = (0, 0)
    file: Path | None = None
    note: str = ""

    @property
    def points(self) -> int:
        """The best points of each exercise, added up."""
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
        return tuple(
            Lesson(
                number,
                titles.get(number, "your teacher's own"),
                tuple(line for line in self.lines if line.lesson == number),
                tuple(line for line in self.self_tests if line.lesson == number),
            )
            for number in numbers
        )

    @property
    def next(self) -> str:
        """What to do next, in a few words: what is begun, or what comes after the last done."""
        lines = [line for lesson in self.lessons for line in (*lesson.self_test, *lesson.lines)]
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
            bar = "█" * round(_WIDTH * lesson.share)
            rows.append(f"  {lesson.number:4}{lesson.title:32.32}{bar:░<{_WIDTH}}  {lesson.score}")
            if lesson.state == "begun":
                rows += [
                    f"      {line.state:6}{line.lesson:4}{line.name:32}"
                    f"{line.best:3} /{line.max_points:3}"
                    for line in lesson.lines
                ]
        note = ["", self.note] if self.note else []
        return "\n".join([*self._sums(), "", *rows, "", f"Next: {self.next}.", *note])

    def _sums(self) -> list[str]:
        right, asked = _sum("best", self.self_tests), _sum("max_points", self.self_tests)
        sums = [
            f"Exercises: {self.points} of {self.max_points} points",
            f"Self-tests: {right} of {asked} questions right at the first go",
        ]
        hits, judged = self.guesses
        return [*sums, f"Guesses: {hits} of {judged} right at the first go"] if judged else sums

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return (
            f'<div style="max-width:46em"><p><b>Next:</b> {escape(self.next)}.</p>'
            f"<p>{'<br>'.join(self._sums())}</p>"
            f"{''.join(_html_lesson(lesson) for lesson in self.lessons)}"
            + (f"<p>{escape(self.note)}</p>" if self.note else "")
            + "</div>"
        )


def _html_lesson(lesson: Lesson) -> str:
    bar = (
        f'<span aria-hidden="true" style="display:inline-block;vertical-align:middle;width:8em;'
        f'height:0.7em;border:1px solid {GREY};border-radius:4px;margin-right:0.6em">'
        f'<span style="display:block;height:100%;width:{lesson.share:.0%};background:{GREEN}">'
        "</span></span>"
    )
    head = f"{bar}<b>{escape(f'{lesson.number} {lesson.title}'.strip())}</b>: {lesson.score}"
    rows = "".join(_html_row(line) for line in lesson.both)
    return f"<details><summary>{head}</summary><table>{rows}</table></details>"


def _html_row(line: Line) -> str:
    title = escape(line.title)
    what = f"<code>{escape(line.name)}</code><br>{title}" if line.notebook else "the self-test"
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
    guesses = kept[GUESSES].values()
    return Progress(
        tuple(
            _line(kept[EXERCISES], each.lesson, name, each.title, each.max_points, each.place)
            for name, each in all_exercises().items()
            if _is_given_out(each.lesson)
        ),
        tuple(
            _line(kept[SELF_TESTS], *_number_and_words(lesson), len(questions))
            for lesson, questions in all_self_tests().items()
            if _is_given_out(_number_and_words(lesson)[0])
        ),
        (sum(each["best"] for each in guesses), sum(each["max_points"] for each in guesses)),
        file,
        note,
    )


def _is_given_out(lesson: str) -> bool:
    """Whether a lesson is in this bundle: `normlab release --lessons` leaves the others out."""
    given_out = TASKS / "lessons.txt"
    return not lesson or not given_out.exists() or lesson in given_out.read_text().split()


def _number_and_words(lesson: str) -> tuple[str, str, str]:
    number, _, words = lesson.partition("_")
    return number, lesson, words.replace("_", " ")


def _line(
    kept: dict[str, dict[str, Any]],
    lesson: str,
    name: str,
    title: str,
    max_points: int,
    notebook: str = "",
) -> Line:
    entry = kept.get(name, {})
    best = min(entry.get("best", 0), max_points)
    return Line(lesson, name, title, best, max_points, entry.get("checks", 0), notebook)
