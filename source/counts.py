"""Count what is said in numbers of the lessons, and write it where it is said.

``python source/counts.py`` writes, and `make course` does so first:

- minutes, into the title lines and tables of lessons and exercises, README.md and docs/teaching.md;
- the questions to guess, into normlab/exercises/guesses.toml, for the learner's progress.

Made notebooks get the new numbers without being run again; ``--overwrite`` is that of build.py.

The rule of the minutes, for a lesson, its self-test and each task apart, rounded to five:

- 150 words a minute; formulas count as a word, alt texts and "Go further" as none;
- 5 lines of code a minute, where they are there to be read;
- 2 minutes for a line that the learner writes: of a way to write it that a lesson folds, or of a
  task's solution, as far as it stands in no cell of code that the learner is shown;
- a minute for a question: a guess, a pause, one of a self-test.
"""

import argparse
import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Set
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jupytext
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
LESSONS, EXERCISES = ROOT / "source" / "lessons", ROOT / "source" / "exercises"
SELF_TESTS = ROOT / "normlab" / "exercises" / "self_tests" / "lessons"
GUESSES = ROOT / "normlab" / "exercises" / "guesses.toml"
README, GUIDE = ROOT / "README.md", ROOT / "docs" / "teaching.md"

WORDS, LINES, A_LINE_WRITTEN, A_QUESTION = 150, 5, 2, 1
_APART = ("Go further", "Test yourself")  # sections that are not the lesson's minutes
_WAY = re.compile(r"<details><summary>One way to write it</summary>\s*```python\n(.*?)```", re.S)
_SOLUTION = re.compile(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", re.S)
_DOCSTRING = re.compile(r'^\s*"""[\s\S]*?"""', re.M)
_ALT = re.compile(r'alt=f?("""[\s\S]*?"""|"[^"\n]*")')
_TASK = re.compile(r"## Task (\d)")


# ---- count


class Count(NamedTuple):
    """What takes time."""

    words: int = 0
    lines: int = 0
    written: int = 0
    questions: int = 0

    def __add__(self, other: "Count") -> "Count":  # type: ignore[override]
        return Count(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def minutes(self) -> float:
        """How many minutes, not rounded."""
        return (
            self.words / WORDS
            + self.lines / LINES
            + self.written * A_LINE_WRITTEN
            + self.questions * A_QUESTION
        )


def rounded(minutes: float) -> int:
    """Round to five minutes, and never to none."""
    return max(5, 5 * round(minutes / 5))


def words(text: str) -> int:
    """Count the words of Markdown, a formula as one."""
    text = re.sub(r"```.*?```|<[^>]+>|\]\([^)]*\)", " ", text, flags=re.S)
    text = re.sub(r"\$\$.*?\$\$|\$[^$\n]*\$", " x ", text, flags=re.S)
    return len(re.findall(r"[\w'’-]+", text))


def lines(code: str) -> list[str]:
    """Return the lines of code that are neither empty nor a comment, without their margins."""
    stripped = (line.strip() for line in _ALT.sub("", code).splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


@cache
def cells_of(source: Path) -> list[NotebookNode]:
    """Return the cells of a percent script; it is read once, and they are not to be changed."""
    return jupytext.read(source).cells


def asked(cell: NotebookNode) -> str | None:
    """Return the question of a cell with a guess."""
    if "guess" not in cell.metadata.get("tags", []):
        return None
    (line,) = ast.parse(cell.source).body
    return ast.literal_eval(line.value.args[0])  # type: ignore[attr-defined]


def of_a_cell(cell: NotebookNode, given: Set[str] = frozenset()) -> Count:
    """Count what there is in a cell of a lesson; `given` are the lines of code that it shows."""
    question = asked(cell)
    if question is not None:
        return Count(words=words(question), questions=1)
    if cell.cell_type == "code":
        return Count(lines=len(lines(cell.source)))
    written = sum(line not in given for way in _WAY.findall(cell.source) for line in lines(way))
    questions = len(re.findall(r"\*\*(?:Pause|Try it)\b", cell.source))
    return Count(words(_WAY.sub("", cell.source)), 0, written, questions)


def sections(source: Path) -> dict[str, Count]:
    """Return what each section of a lesson takes, by its heading; "" is what stands before."""
    found, heading = {"": Count()}, ""
    cells = cells_of(source)
    given = {line for cell in cells if cell.cell_type == "code" for line in lines(cell.source)}
    for cell in cells:
        if cell.cell_type == "markdown" and (named := re.search(r"^## (.+)$", cell.source, re.M)):
            heading = named[1]
        found[heading] = found.get(heading, Count()) + of_a_cell(cell, given)
    return found


def lesson(source: Path) -> float:
    """Return the minutes of a lesson."""
    return sum(count.minutes for name, count in sections(source).items() if name not in _APART)


def self_test(source: Path) -> float:
    """Return the minutes of a lesson's self-test."""
    file = SELF_TESTS / f"{source.stem}.toml"
    questions = tomllib.loads(file.read_text(encoding="utf-8"))["question"]
    count = Count()
    for one in questions:
        told = [one["ask"], *(f"{answer['text']} {answer['why']}" for answer in one["answer"])]
        count += Count(words(" ".join(told)), len(lines(one.get("code", ""))), 0, 1)
    return count.minutes


def tasks(source: Path) -> dict[str, float]:
    """Return the minutes of each task of an exercise, by its number."""
    found: dict[str, Count] = {}
    number, given = "", set()
    for cell in cells_of(source):
        heading = cell.source.startswith("## ") and cell.cell_type == "markdown"
        if heading:
            task = _TASK.match(cell.source)
            number = task[1] if task else ""
        shown = _DOCSTRING.sub("", _SOLUTION.sub("", cell.source))
        count = Count(words=words(cell.source))
        if cell.cell_type == "code":
            given |= set(lines(shown))
            solved = [line for text in _SOLUTION.findall(cell.source) for line in lines(text)]
            written = sum(line not in given for line in solved)
            graded = cell.metadata.get("nbgrader", {}).get("grade")
            count = Count(lines=0 if graded else len(lines(shown)), written=written)
        if number:
            found[number] = found.get(number, Count()) + count
    return {number: count.minutes for number, count in found.items()}


# ---- write


class Minutes(NamedTuple):
    """All the minutes of a lesson, rounded; `tasks` are those of its exercise, by number."""

    lesson: int
    self_test: int
    tasks: dict[str, int]

    @property
    def exercise(self) -> int:
        """All tasks together."""
        return sum(self.tasks.values())


def minutes(source: Path) -> Minutes:
    """Return the minutes of a lesson, by its source."""
    exercise = EXERCISES / source.name
    per_task = tasks(exercise) if exercise.exists() else {}
    return Minutes(
        rounded(lesson(source)),
        rounded(self_test(source)),
        {number: rounded(each) for number, each in per_task.items()},
    )


def in_lesson(text: str, said: Minutes) -> str:
    """Write the minutes into a lesson: its title line, and its table of tasks."""
    title = rf"\g<1>{said.lesson} minutes, self-test {said.self_test} · "
    text = re.sub(
        r"^(# \*(?:Lesson \d+ · )?)\d+ minutes(?:, self-test \d+)? · ", title, text, flags=re.M
    )
    return _in_rows(text, r"^# \| (?:.*task )?(\d)\b[^|\n]* \| \w+ \| \w+ \| (\d+) \|", said)


def in_exercise(text: str, said: Minutes) -> str:
    """Write the minutes into an exercise: its title line, its table, the heads of its tasks."""
    text = re.sub(r"about \d+ minutes", f"about {said.exercise} minutes", text, count=1)
    text = _in_rows(text, r"^# \| (\d) \| .*? \| \w+ \| \w+ \| (\d+) \| \d+ \|$", said)
    return _in_rows(text, r"^# ## Task (\d).*\n#\n# \*\w+ · importance \w+ · (\d+) minutes", said)


def _in_rows(text: str, row: str, said: Minutes) -> str:
    """Replace group 2 of each row by the minutes of the task that group 1 names."""

    def new(found: re.Match[str]) -> str:
        start, end = (place - found.start() for place in found.span(2))
        number = said.tasks.get(found[1], found[2])
        return f"{found[0][:start]}{number}{found[0][end:]}"

    return re.sub(row, new, text, flags=re.M)


def in_table(text: str, all_minutes: dict[str, Minutes]) -> str:
    """Write the minutes into a table of all lessons: README.md's, and lesson 00's."""
    for number, said in all_minutes.items():
        row = rf"^((?:# )?\| \[{number} .*?\| )\d+( \| )(?:(\[{number}\]\([^)]*\))(?:, \d+ min)?)?"

        def new(found: re.Match[str], said: Minutes = said) -> str:
            exercise = f"{found[3]}, {said.exercise} min" if found[3] else ""
            return f"{found[1]}{said.lesson}{found[2]}{exercise}"

        text = re.sub(row, new, text, flags=re.M)
    return text


def in_guide(text: str, all_minutes: dict[str, Minutes]) -> str:
    """Write the minutes into the teachers' guide: its headings, and its plans."""
    for number, said in all_minutes.items():
        parts = [f"{said.lesson} minutes", f"self-test {said.self_test}"]
        parts += [f"exercise {said.exercise}"] if said.tasks else []
        row = rf"^(### {number} .*) \(\d+ minutes[^)]*\)$"
        text = re.sub(row, rf"\g<1> ({', '.join(parts)})", text, flags=re.M)
    hours = [
        f"{sum(minutes) / 60:.0f} hours"
        for minutes in zip(
            *((said.lesson, said.self_test, said.exercise) for said in all_minutes.values()),
            strict=True,
        )
    ]
    total = "lessons {}, self-tests {}, exercises {}".format(*hours)
    text = re.sub(r"lessons \d+ hours, self-tests \d+ hours, exercises \d+ hours", total, text)
    return "\n".join(_with_minutes(line) for line in text.split("\n"))


# ---- the plans of the teachers' guide

# A session: its name, what is read in class, the tasks done there, the minutes, what is for home.
_PLAN = re.compile(r"^(\| (\d+(?:, \w+)?) \| (\d\d[^|]*) \|([^|]*)\| )\d+( \| ([^|]*) \|)$")


def _with_minutes(line: str) -> str:
    """Write into a row of a plan what it takes."""
    row = _PLAN.match(line)
    return f"{row[1]}{session(row[3], row[4])}{row[5]}" if row else line


def session(in_class: str, tasks_in_class: str = "") -> int:
    """Return the minutes of a session.

    Parameters
    ----------
    in_class
        Lessons, whole or by their sections: '01; 02 "A question first" to "In a formula", "Recap"'.
    tasks_in_class
        Tasks of exercises: "02 task 1; 03 tasks 1, 2".

    Raises
    ------
    LookupError
        There is no such lesson or section.
    """
    total = 0.0
    for number, headings in _by_lesson(in_class):
        parts = sections(_source(number))
        total += sum(parts[name].minutes for name in _named(headings, list(parts), number))
    for number, numbers in _by_lesson(tasks_in_class):
        per_task = tasks(EXERCISES / _source(number).name)
        total += sum(per_task[task] for task in re.findall(r"\b\d\b", numbers))
    return 5 * round(total / 5)


def _named(headings: str, names: list[str], number: str) -> list[str]:
    """Return the sections that are named, with what stands before the first; all without a name."""
    if not headings:
        return [name for name in names if name not in _APART]
    found = [""]
    for first, last in re.findall(r'"([^"]+)"(?: to "([^"]+)")?', headings):
        for heading in (first, last or first):
            if heading not in names:
                raise LookupError(f"Lesson {number} has no section “{heading}”.")
        found += names[names.index(first) : names.index(last or first) + 1]
    return found


def _by_lesson(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split(";"):
        if number := re.match(r"\s*(\d\d)\s*(.*)", part):
            yield number[1], number[2]


def _source(number: str) -> Path:
    found = sorted(LESSONS.glob(f"{number}_*.py"))
    if not found:
        raise LookupError(f"There is no lesson {number}.")
    return found[0]


# ---- what is guessed


def guesses() -> str:
    """Return guesses.toml: the questions of each lesson, in order."""
    table = ["# Made by source/counts.py: what each lesson has its reader guess, in order."]
    for source in sorted(LESSONS.glob("*.py")):
        questions = [question for cell in cells_of(source) if (question := asked(cell))]
        if questions:
            rows = [f"    {json.dumps(question, ensure_ascii=False)},\n" for question in questions]
            table.append(f"{source.stem} = [\n{''.join(rows)}]")
    return "\n".join(table) + "\n"


# ---- all of it


def wanted() -> Iterator[tuple[Path, str]]:
    """Yield each file that says a count, and what it should hold."""
    sources = sorted(LESSONS.glob("*.py"))
    every = {source.stem[:2]: minutes(source) for source in sources}
    for source in sources:
        text = in_lesson(source.read_text(encoding="utf-8"), every[source.stem[:2]])
        yield source, in_table(text, every) if source == sources[0] else text
        exercise = EXERCISES / source.name
        if exercise.exists():
            text = exercise.read_text(encoding="utf-8")
            yield exercise, in_exercise(text, every[source.stem[:2]])
    yield README, in_table(README.read_text(encoding="utf-8"), every)
    yield GUIDE, in_guide(GUIDE.read_text(encoding="utf-8"), every)
    yield GUESSES, guesses()


def write() -> list[Path]:
    """Write what is to be written; return the files that have changed."""
    changed = []
    for path, text in wanted():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8", newline="\n")
            changed.append(path)
    return changed


def main() -> None:
    """Write the counts, and take those in sources over into the made notebooks."""
    import build  # which imports nothing from here

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--overwrite", action="store_true", help="as of source/build.py")
    overwrite = parser.parse_args().overwrite
    changed = write()
    for path in changed:
        print(path.relative_to(ROOT))
        if path.suffix == ".py" and not build.take_over_words(path, overwrite):
            print("  its code has changed, too: python source/build.py", path.stem)
    if not changed:
        print("Every count is as it is said.", file=sys.stderr)


if __name__ == "__main__":
    main()
