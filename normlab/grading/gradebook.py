"""The gradebook: every verdict in one SQLite file, each written in one transaction.

Whatever ends the grader, the file holds the verdicts that were known, whole, and nothing else; the
next run goes on from there.
"""

import secrets
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from normlab.grading.grader import tasks_of
from normlab.grading.submissions import Submission
from normlab.grading.verdict import Status, TaskVerdict, Verdict

#: The name of the file in the folder of results.
FILE_NAME = "gradebook.db"
#: Seeds that are drawn are below this; larger ones may be given.
_MOST_SEEDS = 2**63
_FORMAT = 1
_SECONDS_TO_WAIT = 30  # where somebody is reading the file
_LARGEST_INTEGER = 2**63 - 1

_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS students (student TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS submissions (
    student TEXT, exercise TEXT, digest TEXT NOT NULL, modified TEXT NOT NULL,
    PRIMARY KEY (student, exercise)
);
CREATE TABLE IF NOT EXISTS verdicts (
    student TEXT, exercise TEXT,
    digest TEXT NOT NULL, seed INTEGER NOT NULL, version TEXT NOT NULL, timeout REAL NOT NULL,
    isolation TEXT NOT NULL, graded_at TEXT NOT NULL, verdict TEXT NOT NULL,
    PRIMARY KEY (student, exercise)
);
-- To look at with any tool that reads SQLite: the table is made of the verdicts, and holds nothing.
CREATE VIEW IF NOT EXISTS grades AS
    SELECT student, exercise,
        json_extract(task.value, '$.task') AS task,
        json_extract(task.value, '$.score') AS score,
        json_extract(task.value, '$.max_score') AS max_score,
        json_extract(task.value, '$.status') AS status,
        json_extract(task.value, '$.mistake') AS mistake
    FROM verdicts, json_each(verdicts.verdict, '$.tasks') AS task;
PRAGMA user_version = {_FORMAT};
COMMIT;
"""


class GradebookError(Exception):
    """The gradebook cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Terms:
    """What a verdict depends on besides the submission: with other terms it is made anew.

    Parameters
    ----------
    seed
        Of all cases.
    version
        Of normlab.
    timeout
        In seconds; it matters where something took too long.
    """

    seed: int
    version: str
    timeout: float


@dataclass(frozen=True)
class Entry:
    """The verdict on one exercise of one student.

    Parameters
    ----------
    student, exercise
        Whose, and of what.
    verdict
        As the grader gave it; where nothing was handed in, one that says "missing".
    isolation
        What kept the submission's code in its place, line by line; "" where none ran.
    modified
        When the submission was last changed, as ISO 8601; "" where nothing was handed in.
    """

    student: str
    exercise: str
    verdict: Verdict
    isolation: str = ""
    modified: str = ""

    @property
    def was_handed_in(self) -> bool:
        """Whether there is a notebook."""
        return bool(self.modified)

    @property
    def is_judged(self) -> bool:
        """Whether every task of it was judged."""
        return all(task.status is Status.GRADED for task in self.verdict.tasks)

    @property
    def has_score(self) -> bool:
        """Whether anything of it was judged: a 0 without that is no judgement."""
        return any(task.status is Status.GRADED or task.score for task in self.verdict.tasks)


class Gradebook:
    """Students, what they handed in, and the verdicts. A context manager.

    Parameters
    ----------
    path
        Of the file; it is made where there is none.

    Raises
    ------
    GradebookError
        The file is something else, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._db = sqlite3.connect(path, timeout=_SECONDS_TO_WAIT, isolation_level=None)
        except sqlite3.Error as error:
            raise GradebookError(f"{path} cannot be opened: {error}.") from error
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._db.close()
            raise GradebookError(
                f"{path} cannot be used as a gradebook: {error}. Where it is a file of something "
                "else, choose another folder for the results."
            ) from error
        except GradebookError:
            self._db.close()
            raise

    def _prepare(self) -> None:
        (found,) = self._db.execute("PRAGMA user_version").fetchone()
        if found > _FORMAT:
            raise GradebookError(
                f"{self.path} was written by a newer normlab. Grade with that one, or choose "
                "another folder for the results."
            )
        if found == _FORMAT:
            return
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables:
            raise GradebookError(
                f"{self.path} is a database of something else. Choose another folder."
            )
        self._db.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    # ---- before grading

    def choose_seed(self, wanted: int | None = None) -> int:
        """Keep the seed that is wanted, or else the one kept before, or else draw one.

        A run that goes on after another was killed draws the same cases, so that the end is the
        same as if it had not been.

        Raises
        ------
        GradebookError
            It is not a whole number from 0 up to what SQLite can hold.
        """
        if wanted is not None:
            if not 0 <= wanted <= _LARGEST_INTEGER:
                raise GradebookError(f"A seed is a whole number from 0 to {_LARGEST_INTEGER}.")
            self._db.execute("INSERT OR REPLACE INTO settings VALUES ('seed', ?)", (wanted,))
        drawn = secrets.randbelow(_MOST_SEEDS)
        self._db.execute("INSERT OR IGNORE INTO settings VALUES ('seed', ?)", (drawn,))
        return self._db.execute("SELECT value FROM settings WHERE name = 'seed'").fetchone()[0]

    def note(self, students: Iterable[str], submissions: Iterable[Submission]) -> None:
        """Note who is there, and what was handed in, all at once."""
        with self._transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO students VALUES (?)", ((name,) for name in students)
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO submissions VALUES (?, ?, ?, ?)",
                ((one.student, one.exercise, one.digest, one.modified) for one in submissions),
            )

    def needing(self, submissions: Collection[Submission], terms: Terms) -> list[Submission]:
        """Return those that have no verdict yet, or one on other work or under other terms."""
        rows = self._db.execute(
            "SELECT student, exercise, digest, seed, version, timeout,"
            ' instr(verdict, \'"status": "timeout"\') FROM verdicts'
        )
        known = {(student, exercise): terms for student, exercise, *terms in rows}

        def is_current(one: Submission) -> bool:
            digest, seed, version, timeout, timed_out = known.get(
                (one.student, one.exercise), [None] * 5
            )
            same_limit = not timed_out or timeout == terms.timeout
            return (digest, seed, version) == (one.digest, terms.seed, terms.version) and same_limit

        return [one for one in submissions if not is_current(one)]

    def record(
        self, submission: Submission, verdict: Verdict, terms: Terms, isolation: str = ""
    ) -> None:
        """Write a verdict in one transaction, in place of the one before.

        Parameters
        ----------
        submission
            With the digest of what was graded; one of "" says that it has to be tried again.
        verdict
            What the grader said.
        terms
            Under which it was made.
        isolation
            What kept the submission's code in its place.
        """
        row = (
            submission.student,
            submission.exercise,
            submission.digest,
            terms.seed,
            terms.version,
            terms.timeout,
            isolation,
            datetime.now(UTC).isoformat(timespec="seconds"),
            _storable(verdict.to_json()),
        )
        with self._transaction():
            self._db.execute(f"INSERT OR REPLACE INTO verdicts VALUES ({', '.join('?' * 9)})", row)

    # ---- after grading

    def students(self) -> list[str]:
        """Return everyone who was ever seen, in order."""
        return [name for (name,) in self._db.execute("SELECT student FROM students ORDER BY 1")]

    def exercises(self) -> list[str]:
        """Return the exercises that somebody handed in, in the order of the course."""
        rows = self._db.execute("SELECT DISTINCT exercise FROM submissions ORDER BY 1")
        return [exercise for (exercise,) in rows]

    def waiting(self) -> list[tuple[str, str]]:
        """Return the student and the exercise of what was handed in and is not graded yet."""
        return self._db.execute(
            "SELECT student, exercise FROM submissions LEFT JOIN verdicts"
            " USING (student, exercise) WHERE verdict IS NULL"
            " OR verdicts.digest <> submissions.digest ORDER BY 1, 2"
        ).fetchall()

    def entries(self) -> Iterator[Entry]:
        """Yield an entry for each student and exercise, in order.

        Where a student handed in nothing, the entry says "missing". Where the verdict is still to
        come there is none.
        """
        exercises = self.exercises()
        for student in self.students():
            rows = self._db.execute(
                "SELECT exercise, verdict, isolation, modified FROM submissions LEFT JOIN verdicts"
                " USING (student, exercise) WHERE student = ?",
                (student,),
            )
            found = {exercise: row for exercise, *row in rows}
            for exercise in exercises:
                if exercise not in found:
                    yield Entry(student, exercise, refused(exercise, Status.MISSING))
                elif found[exercise][0] is not None:
                    verdict, isolation, modified = found[exercise]
                    yield Entry(student, exercise, Verdict.from_json(verdict), isolation, modified)

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._db)


class _Transaction:
    """All that happens inside is written, or nothing of it."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")


def refused(exercise: str, status: Status, message: str = "") -> Verdict:
    """Return the verdict on what could not be graded: no points, and why, for every task."""
    tasks = tuple(TaskVerdict(task.name, 0, task.max_points, status) for task in tasks_of(exercise))
    return Verdict(exercise, tasks, message)


def _storable(text: str) -> str:
    """Return the text with a question mark for what is no character: half of a surrogate pair."""
    return text.encode(errors="replace").decode()
