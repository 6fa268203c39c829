"""What a teacher and each student get to read: a table, an overview, and a page for everyone.

The pages need nothing but themselves: no script, no address, and whatever a student wrote or is
called is escaped.
"""

import functools
import hashlib
import itertools
import re
import statistics
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from normlab import __version__
from normlab.exercises import find
from normlab.exercises.exercise import Exercise, Mistake
from normlab.exercises.panel import (
    FAIL,
    PASS,
    html_next,
    html_remark,
    html_row,
    html_rows,
    in_a_frame,
    marked_up,
)
from normlab.files import write_whole
from normlab.grading.class_.csv_text import as_csv
from normlab.grading.class_.gradebook import Entry, Gradebook
from normlab.grading.class_.points import settled
from normlab.grading.class_.submissions import short_name
from normlab.grading.judge.feedback import remarks_of
from normlab.grading.judge.verdict import AspectVerdict, Status, TaskVerdict

#: The columns of grades.csv.
COLUMNS = (
    *("student", "exercise", "task", "score", "max_score", "status", "mistake"),
    # Of the exercise, the same in each of its rows: what it earns in the end, and the time.
    *("exercise_score", "exercise_max", "handed_in", "days_late"),
)

#: What a status means, for the one whose work it is about.
MEANINGS = {
    Status.GRADED: "",
    Status.FAILED: "It could not be judged.",
    Status.TIMEOUT: "The time was up before an answer was there.",
    Status.MEMORY: "It asked for more memory than a submission may have.",
    Status.FORBIDDEN: "It tried something that a submission may not do.",
    Status.UNREADABLE: "The file could not be read as a notebook.",
    Status.MISSING: "No answer to this task was found in the notebook.",
}
#: What one can do about it oneself, where nothing says it already.
_TO_DO = {
    Status.FAILED: "read the error; where it is none of yours, ask your teacher.",
    Status.TIMEOUT: "find the loop that never ends, or what takes so long.",
    Status.MEMORY: "find the array that is so large: print the shape of each.",
    Status.FORBIDDEN: "an answer needs no file, no network and no other program; leave them out.",
    Status.UNREADABLE: "open the file in Jupyter, save it, and look whether it is the right one.",
    Status.MISSING: "give the function the name that the exercise gave it.",
}
#: What the teacher can do about it.
_TO_CHECK = {
    Status.FAILED: "Read the error. Where it is not the student's: `--only NAME --regrade`.",
    Status.TIMEOUT: "Read the loop. Where it is only slow: `--timeout 600 --only NAME --regrade`.",
    Status.MEMORY: "Look which array grows. It counts 0 until a remark gives points.",
    Status.FORBIDDEN: "Read what it tried, and ask. It counts 0 until a remark gives points.",
    Status.UNREADABLE: "Ask for the file again: a download may have cut it off.",
    Status.MISSING: "Look for the function under another name; a remark can give points.",
}

_BINS = 10
# What the check tells a student to do now: after the mistake, and not for the teacher.
_NEXT = re.compile(r"(?m)^Next: ")
_NOT_TAKEN = "left out"  # in a note on a file
_LONGEST_NAME = 200  # bytes; the usual file systems take 255
# Names that Windows keeps for devices.
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
# Cyrillic and Greek letters that look like Latin ones, and signs that look like nothing.
_LOOKALIKES = str.maketrans(
    "аеорсухіјѕԁһАВЕКМНОРСТУХІЈЅαονιυΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxijsdhABEKMHOPCTYXIJSaoviuABEZHIKMNOPTYX",
)
_UNSEEN = "\u115f\u1160\u2800\u3164"
_PLAIN_NAME = re.compile(r"[\w(][\w ().+@-]{0,99}(?<![ .])")


def write_reports(gradebook: Gradebook, out: Path, notes: Sequence[str] = ()) -> None:
    """Write grades.csv, index.html and feedback/ from what the gradebook holds.

    `notes` are what the teacher should know about the hand-ins, line by line.
    """
    pages = page_names(gradebook.students())
    names = labels(pages)
    (out / "feedback").mkdir(parents=True, exist_ok=True)
    everything: list[Entry] = []
    for student, entries in by_student(settled(gradebook, out)):
        page = out / "feedback" / f"{pages[student]}.html"
        write_whole(page, feedback_page(names[student], entries))
        everything += map(_in_short, entries)
    rows = (row for entry in everything if entry.counts for row in grade_rows(entry))
    write_whole(out / "grades.csv", as_csv([COLUMNS, *rows]))
    index = _templates().get_template("index.html")
    text = index.render(
        overview=Overview(everything),
        pages=pages,
        names=names,
        notes=[note for note in notes if _NOT_TAKEN not in note],
        not_taken=[note for note in notes if _NOT_TAKEN in note],
        identical=gradebook.identical(),
        waiting=gradebook.waiting(),
        meanings=MEANINGS,
        when=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        version=__version__,
    )
    write_whole(out / "index.html", text)


def feedback_page(name: str, entries: Iterable[Entry]) -> str:
    """Return a student's page."""
    entries = sorted(entries, key=lambda entry: not entry.counts)
    page = _templates().get_template("feedback.html")
    return page.render(name=name, entries=entries, meanings=MEANINGS)


def forget_page(gradebook: Gradebook, out: Path, student: str) -> None:
    """Delete the page of a student who is to be forgotten."""
    name = page_names([*gradebook.students(), student])[student]
    (out / "feedback" / f"{name}.html").unlink(missing_ok=True)


def by_student(entries: Iterable[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    """Yield each student with the entries; `entries` come in the order of the students."""
    for student, own in itertools.groupby(entries, lambda entry: entry.student):
        yield student, list(own)


def grade_rows(entry: Entry) -> list[tuple[str, ...]]:
    """Return the rows of grades.csv for one exercise of one student."""
    return [
        (
            without_formula(entry.student),
            entry.exercise,
            task.task,
            points(task.score),
            points(task.max_score),
            task.status.value,
            task.mistake,
            points(entry.score) if entry.has_score else "",
            points(entry.max_score),
            entry.modified,
            str(entry.days_late),
        )
        for task in entry.verdict.tasks
    ]


def points(score: float) -> str:
    """Write points with as few digits as they need."""
    return f"{score:.2f}".rstrip("0").rstrip(".")


def counted(number: int, thing: str) -> str:
    """Write how many: "1 student", "2 students"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def without_formula(name: str) -> str:
    """Return a name with a quote before it where a spreadsheet would take it for a formula."""
    return f"'{name}" if looks(name).startswith(("=", "+", "-", "@")) else name


# ---- the name of a student's page


def page_names(students: Iterable[str]) -> dict[str, str]:
    """Return for each student the name of the page, without its ending.

    It is the student's own name where a file may be called that. Where not, or where another
    student's name looks the same, there is a code of letters behind it.
    """
    return {
        student: student if not has_twin and _is_file_name(student) else _coded_name(student)
        for student, has_twin in _twins(students)
    }


def labels(students: Iterable[str]) -> dict[str, str]:
    """Return for each student what the pages say: the name, with a code where two look the same."""
    return {
        student: f"{student} [{_code_of(student)}]" if has_twin else student
        for student, has_twin in _twins(students)
    }


def _twins(students: Iterable[str]) -> list[tuple[str, bool]]:
    """Return each student, and whether another's name looks the same."""
    students = list(dict.fromkeys(students))
    alike = Counter(map(looks, students))
    return [(student, alike[looks(student)] > 1) for student in students]


def looks(name: str) -> str:
    """Return what two names have in common that a reader takes for one.

    Capitals, spaces, signs that cannot be seen, and letters of other alphabets make no difference.
    """
    plain = unicodedata.normalize("NFKC", name.translate(_LOOKALIKES)).casefold()
    return "".join(
        sign
        for sign in plain
        if sign not in _UNSEEN and unicodedata.category(sign) not in ("Cf", "Mn", "Cc", "Zs")
    )


def _is_file_name(name: str) -> bool:
    short = len(name.encode()) <= _LONGEST_NAME
    return short and bool(_PLAIN_NAME.fullmatch(name)) and not _RESERVED.fullmatch(name)


def _coded_name(student: str) -> str:
    plain = re.sub(r"[^\w-]+", "_", student, flags=re.ASCII).strip("_")[:60] or "student"
    return f"{plain}-{_code_of(student)}"


def _code_of(student: str) -> str:
    return hashlib.sha256(student.encode()).hexdigest()[:10]


# ---- the overview


class TaskSummary:
    """How one task went."""

    def __init__(self, named: tuple[str, str], verdicts: Sequence[TaskVerdict]) -> None:
        self.exercise, self.task = named
        self.title = find(self.task).title
        judged = [one for one in verdicts if one.status is Status.GRADED]
        self.shares = [one.score / one.max_score for one in judged]  # of the points
        self.mean = statistics.fmean(self.shares) if judged else None
        self.not_judged = Counter(one.status for one in verdicts if one.status is not Status.GRADED)


class Overview:
    """What index.html shows of all entries, counted; they come in the order of the students."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        counted = [entry for entry in entries if entry.counts]
        self._verdicts = [(entry, task) for entry in counted for task in entry.verdict.tasks]
        self.apart = [entry for entry in entries if not entry.counts]
        self.isolations = Counter(entry.isolation for entry in entries if entry.isolation)
        self.handed_in = sum(entry.was_handed_in for entry in counted)  # notebooks
        by_name = _grouped((entry.student, entry) for entry in counted)
        self.scores = {name: {one.exercise: one for one in own} for name, own in by_name.items()}
        self.totals = {name: sum(one.score for one in own) for name, own in by_name.items()}
        self._most = {name: sum(one.max_score for one in own) for name, own in by_name.items()}
        self.max_total = max(self._most.values(), default=0.0)
        self.median = statistics.median(self.totals.values() or [0.0])
        self.open = {entry.student for entry in counted if not entry.is_judged}
        # In the order of the course.
        self.exercises = dict(sorted(_grouped((one.exercise, one) for one in counted).items()))
        by_task = _grouped(((entry.exercise, task.task), task) for entry, task in self._verdicts)
        self.tasks = [TaskSummary(named, some) for named, some in by_task.items()]
        self.statuses = Counter(task.status for _, task in self._verdicts)
        # How many were wrong in a way that no known mistake explains.
        self.unexplained = Counter(
            task.task
            for _, task in self._verdicts
            if task.status is Status.GRADED and not task.mistake and task.score < task.max_score
        )
        # Who handed in nothing, and is not excused.
        self.nothing = {
            exercise: absent
            for exercise, some in self.exercises.items()
            if (absent := [e.student for e in some if not e.was_handed_in and not e.is_judged])
        }
        # What was handed in and is not judged in full; where nothing was found in it, last.
        self.trouble = sorted(
            (
                (entry, [task for task in entry.verdict.tasks if task.status is not Status.GRADED])
                for entry in counted
                if entry.was_handed_in and not entry.is_judged
            ),
            key=lambda one: all(task.status is Status.MISSING for task in one[1]),
        )

    def histogram(self) -> list[tuple[int, int]]:
        """Count the students by their share of all points, in ten steps: all judged, and not."""
        counts: Counter[tuple[int, bool]] = Counter()
        for student, most in self._most.items():
            share = self.totals[student] / most if most else 0.0
            counts[min(int(_BINS * share + 1e-9), _BINS - 1), student in self.open] += 1
        return [(counts[step, False], counts[step, True]) for step in range(_BINS)]

    def mistakes(self) -> list[tuple[int, int, Mistake, list[Exercise]]]:
        """Return the mistakes that were named, the most frequent first.

        With each how many students made it, of how many who were judged, and in which tasks.
        """
        made = _grouped(
            ((entry.exercise, key), (task.task, entry.student))
            for entry, task in self._verdicts
            for key in filter(None, task.mistake.split(" + "))
        )
        counts = []
        for (exercise, key), where in made.items():
            tasks = [find(task) for task in dict.fromkeys(task for task, _ in where)]
            known = next((one for one in tasks[0].mistakes if one.key == key), None)
            if known:
                judged = sum(entry.has_score for entry in self.exercises[exercise])
                counts.append((len({student for _, student in where}), judged, known, tasks))
        return sorted(counts, key=lambda one: -one[0])


def _grouped(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    """Return all that comes with each key."""
    groups: dict[Any, list[Any]] = {}
    for key, one in pairs:
        groups.setdefault(key, []).append(one)
    return groups


def _in_short(entry: Entry) -> Entry:
    """Return the entry without what is said of it, but where it failed: all are kept at once."""
    tasks = tuple(
        replace(task, aspects=(), feedback="" if task.status is Status.GRADED else task.feedback)
        for task in entry.verdict.tasks
    )
    return replace(entry, verdict=replace(entry.verdict, tasks=tasks))


# ---- the pages


@functools.cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("normlab.grading.class_"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "points": points,
        "counted": counted,
        "panel": _panel,
        "marked": lambda text: Markup(marked_up(text)),
        "said": _said,
        "to_check": functools.partial(_advice, _TO_CHECK),
        "to_do": functools.partial(_advice, _TO_DO),
        "without_next": lambda said: _NEXT.split(said)[0].rstrip(),
        "short": short_name,
        "percent": lambda share: f"{100 * share:.0f} %",
    }
    return environment


def _advice(by_status: Mapping[Status, str], task: TaskVerdict) -> Markup:
    """Say what to do about a task that was not judged; "" where it says so itself."""
    told = by_status is _TO_DO and _NEXT.search(task.feedback)
    if told or (task.status is Status.MISSING and task.feedback):  # "Not begun yet"
        return Markup("")
    return Markup(marked_up(by_status[task.status]))


def _panel(task: TaskVerdict) -> Markup:
    """Show a task as the check's panel in the notebook does; what passed is folded."""
    before, *following = _NEXT.split(task.feedback, 1)
    passed = [_row(aspect) for aspect in task.aspects if aspect.passed]
    failed = [_row(aspect) for aspect in task.aspects if not aspect.passed]
    right = html_rows(passed)
    if failed and passed:
        right = (
            f"<details><summary>{PASS[0]} {PASS[1]}: {counted(len(passed), 'other aspect')}"
            f"</summary>{right}</details>"
        )
    parts = [_said(before), html_rows(failed), right, html_next(marked_up("".join(following)))]
    return Markup(in_a_frame("\n".join(part for part in parts if part)))


def _row(aspect: AspectVerdict) -> str:
    score = f"{points(aspect.points)} / {points(aspect.max_points)}"
    in_short = re.fullmatch(r"[^\n.!?]+", aspect.message) is not None  # "follows from the same"
    follows, remarks = (aspect.message, ()) if in_short else ("", remarks_of(aspect.message))
    return html_row(PASS if aspect.passed else FAIL, aspect.name, score, remarks, follows)


def _said(text: str) -> Markup:
    """Write what the check said: sentences as text, and what stands in lines as it is."""
    return Markup("".join(html_remark(remark) for remark in remarks_of(text)))
