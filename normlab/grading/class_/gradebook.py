"""The gradebook: every verdict in one SQLite file, each written in one transaction.

Whatever ends the grader, the file holds the verdicts that were known, whole, and nothing else; the
next run goes on from there.
"""

import contextlib
import itertools
import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from normlab.exercises.finding import tasks_of
from normlab.grading.class_ import ClassError
from normlab.grading.class_.submissions import Submission
from normlab.grading.judge import made_with
from normlab.grading.judge.feedback import refused
from normlab.grading.judge.verdict import Status, Verdict

#: The name of the file in the folder of results.
FILE_NAME = "gradebook.db"
_LOCK_NAME = ".lock"
_SECONDS_TO_WAIT = 30  # where somebody is reading the file
_LARGEST_INTEGER = 2**63 - 1

# What makes a gradebook of each format out of one of the format before; the first, out of nothing.
_STEPS = (
    (
        "CREATE TABLE settings (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
        "CREATE TABLE students (student TEXT PRIMARY KEY)",
        """CREATE TABLE submissions (
            student TEXT, exercise TEXT, digest TEXT NOT NULL, modified TEXT NOT NULL,
            PRIMARY KEY (student, exercise)
        )""",
        """CREATE TABLE verdicts (
            student TEXT, exercise TEXT,
            digest TEXT NOT NULL, seed INTEGER NOT NULL, version TEXT NOT NULL,
            timeout REAL NOT NULL, isolation TEXT NOT NULL, graded_at TEXT NOT NULL,
            verdict TEXT NOT NULL,
            PRIMARY KEY (student, exercise)
        )""",
        # To look at with any tool that reads SQLite: it is made of the verdicts, and holds nothing.
        """CREATE VIEW grades AS
            SELECT student, exercise,
                json_extract(task.value, '$.task') AS task,
                json_extract(task.value, '$.score') AS score,
                json_extract(task.value, '$.max_score') AS max_score,
                json_extract(task.value, '$.status') AS status,
                json_extract(task.value, '$.mistake') AS mistake
            FROM verdicts, json_each(verdicts.verdict, '$.tasks') AS task""",
    ),
    (
        # The exercises that are set, as the teacher says; with none, those that most handed in.
        "CREATE TABLE exercises (exercise TEXT PRIMARY KEY)",
        # Which hand-ins it was found among, and whether it is there no longer.
        "ALTER TABLE students ADD COLUMN source TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE students ADD COLUMN gone INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE submissions ADD COLUMN source TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE submissions ADD COLUMN gone INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE submissions ADD COLUMN file TEXT NOT NULL DEFAULT ''",
    ),
    (
        # Every verdict that was ever given: rows are added, and none is changed.
        """CREATE TABLE history (
            number INTEGER PRIMARY KEY, student TEXT NOT NULL, exercise TEXT NOT NULL,
            digest TEXT NOT NULL, modified TEXT NOT NULL, file TEXT NOT NULL,
            seed INTEGER NOT NULL, version TEXT NOT NULL, timeout REAL NOT NULL,
            isolation TEXT NOT NULL, graded_at TEXT NOT NULL, verdict TEXT NOT NULL
        )""",
        "CREATE INDEX history_of ON history (student, exercise)",
        """INSERT INTO history SELECT NULL, student, exercise, verdicts.digest,
            coalesce(modified, ''), coalesce(file, ''), seed, version, timeout, isolation,
            graded_at, verdict
            FROM verdicts LEFT JOIN submissions USING (student, exercise)""",
        # What the teacher says once: due dates, the rule for late work, course.toml, the class.
        "CREATE TABLE rules (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
        # Who left: the work is kept, and nobody is shown it.
        "CREATE TABLE removed (student TEXT PRIMARY KEY)",
        """CREATE VIEW present AS SELECT student FROM students
            WHERE NOT gone AND student NOT IN (SELECT student FROM removed)""",
    ),
)


@dataclass(frozen=True)
class Terms:
    """What a verdict depends on besides the submission: with other terms it is made anew."""

    seed: int  # of all cases
    version: str  # of the code that judges: `made_with.engine`
    timeout: float  # in seconds; it matters where something took too long


@dataclass(frozen=True)
class Entry:
    """The verdict on one exercise of one student."""

    student: str
    exercise: str
    verdict: Verdict  # as the grader gave it; where nothing was handed in, one of "missing"
    isolation: str = ""  # what kept the code in its place, line by line; "" where none ran
    modified: str = ""  # as ISO 8601; "" where nothing was handed in
    file: str = ""  # what was graded, with the folders in which it was found
    counts: bool = True  # an exercise that is not set is shown apart, and belongs to no sum
    days_late: int = 0  # how many have begun since it was due
    factor: float = 1.0  # what of the points that leaves
    by_hand: float | None = None  # points for the whole; nothing else counts then
    excused: bool = False  # it belongs to no sum
    remarks: tuple[str, ...] = ()  # what the student is told of these

    @property
    def score(self) -> float:
        """The points in the end."""
        return self.verdict.score * self.factor if self.by_hand is None else self.by_hand

    @property
    def max_score(self) -> float:
        """What could be reached; nothing where it is excused."""
        return 0.0 if self.excused else self.verdict.max_score

    @property
    def was_handed_in(self) -> bool:
        """Whether there is a notebook."""
        return bool(self.modified)

    @property
    def is_judged(self) -> bool:
        """Whether every task of it was judged, or a person has spoken."""
        return (
            self.excused
            or self.by_hand is not None
            or all(task.status is Status.GRADED for task in self.verdict.tasks)
        )

    @property
    def has_score(self) -> bool:
        """Whether anything of it was judged: a 0 without that is no judgement."""
        if self.excused or self.by_hand is not None:
            return not self.excused
        return any(task.status is Status.GRADED or task.score for task in self.verdict.tasks)


class Gradebook(contextlib.AbstractContextManager):
    """Students, what they handed in, and the verdicts; the file is made where there is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with contextlib.ExitStack() as unfinished:
            try:
                self._db = sqlite3.connect(path, timeout=_SECONDS_TO_WAIT, isolation_level=None)
                unfinished.callback(self._db.close)
                self._prepare()
            except sqlite3.Error as error:
                raise ClassError(
                    f"{path} cannot be used as a gradebook: {_said(error)}. Where it is a file of "
                    "something else, choose another folder for the results."
                ) from error
            unfinished.pop_all()

    def _prepare(self) -> None:
        if self._format() == len(_STEPS):
            return
        with self._transaction():
            found = self._format()
            tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if found > len(_STEPS):
                raise ClassError(
                    f"{self.path} was written by a newer normlab. Grade with that one, or choose "
                    "another folder for the results."
                )
            if tables and not found:
                raise ClassError(
                    f"{self.path} is a database of something else. Choose another folder."
                )
            for statement in itertools.chain.from_iterable(_STEPS[found:]):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {len(_STEPS)}")

    def _format(self) -> int:
        return self._db.execute("PRAGMA user_version").fetchone()[0]

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._db.close()
        if isinstance(error, sqlite3.Error):
            raise ClassError(
                f"{self.path}: {_said(error)}. Every verdict that was written before is kept; when "
                "that is mended, the same command goes on from there."
            ) from error

    # ---- before grading

    def choose_seed(self, wanted: int | None = None) -> int:
        """Keep the seed that is wanted, or else the one kept before, or else draw one.

        A run that goes on after another was killed draws the same cases, so that the end is the
        same as if it had not been.
        """
        if wanted is not None:
            if not 0 <= wanted <= _LARGEST_INTEGER:
                raise ClassError(f"A seed is a whole number from 0 to {_LARGEST_INTEGER}.")
            self._db.execute("INSERT OR REPLACE INTO settings VALUES ('seed', ?)", (wanted,))
        drawn = secrets.randbelow(_LARGEST_INTEGER)
        self._db.execute("INSERT OR IGNORE INTO settings VALUES ('seed', ?)", (drawn,))
        return self._db.execute("SELECT value FROM settings WHERE name = 'seed'").fetchone()[0]

    def note(
        self,
        students: Iterable[str],
        submissions: Iterable[Submission],
        source: str = "",
        whole: bool = False,
    ) -> None:
        """Note who and what was found in `source`, all at once.

        Where that is the `whole` of it, what was found there before, and is not now, is gone.
        """
        with self._transaction():
            if whole:
                for table in ("students", "submissions"):
                    self._db.execute(f"UPDATE {table} SET gone = 1 WHERE source = ?", (source,))
            self._db.executemany(
                "INSERT OR REPLACE INTO students VALUES (?, ?, 0)",
                ((name, source) for name in students),
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO submissions VALUES (?, ?, ?, ?, ?, 0, ?)",
                (
                    (one.student, one.exercise, one.digest, one.modified, source, one.file)
                    for one in submissions
                ),
            )

    def forget(self, student: str) -> None:
        """Remove a student, with all work and verdicts."""
        with self._transaction():
            for table in ("submissions", "verdicts", "history", "removed", "students"):
                found = self._db.execute(f"DELETE FROM {table} WHERE student = ?", (student,))
            if not found.rowcount:
                raise ClassError(f"There is no student {student!r} in {self.path}.")

    def set_exercises(self, exercises: Iterable[str]) -> None:
        """Keep which exercises are set; with none, they are those that most have handed in."""
        with self._transaction():
            self._db.execute("DELETE FROM exercises")
            self._db.executemany("INSERT INTO exercises VALUES (?)", ((one,) for one in exercises))

    def rule(self, name: str) -> str:
        """Return what is kept under a name; "" where there is nothing."""
        row = self._db.execute("SELECT value FROM rules WHERE name = ?", (name,)).fetchone()
        return row[0] if row else ""

    def keep_rule(self, name: str, value: str) -> None:
        """Keep a text under a name, in place of the one before."""
        self._db.execute("INSERT OR REPLACE INTO rules VALUES (?, ?)", (name, value))

    def remove(self, student: str, is_gone: bool = True) -> None:
        """Take out a student who left, and keep the work; or take the student back."""
        if student not in self.everyone():
            raise ClassError(f"There is no student {student!r} in {self.path}.")
        with self._transaction():
            self._db.execute("DELETE FROM removed WHERE student = ?", (student,))
            if is_gone:
                self._db.execute("INSERT INTO removed VALUES (?)", (student,))

    def add_class(self, students: Iterable[str]) -> None:
        """Note who is in the class, whether or not anything was handed in."""
        with self._transaction():
            self._db.executemany(
                "INSERT INTO students VALUES (?, '', 0)"
                " ON CONFLICT (student) DO UPDATE SET gone = 0",
                ((student,) for student in students),
            )

    def rename(self, student: str, name: str) -> None:
        """Give a student the name of the class list; who has work under that keeps it."""
        with self._transaction():
            for table in ("submissions", "verdicts", "students"):
                self._db.execute(
                    f"UPDATE OR IGNORE {table} SET student = ? WHERE student = ?", (name, student)
                )
                self._db.execute(f"DELETE FROM {table} WHERE student = ?", (student,))
            self._db.execute("UPDATE history SET student = ? WHERE student = ?", (name, student))

    def needing(self, submissions: Iterable[Submission], terms: Terms) -> dict[Submission, str]:
        """Return what has to be graded, and why: "new", or what changed since it was."""
        reasons = ((one, self._why_needed(one, terms)) for one in submissions)
        return {one: why for one, why in reasons if why}

    def _why_needed(self, one: Submission, terms: Terms) -> str:
        where = "verdicts WHERE student = ? AND exercise = ?"
        if one.is_earlier:
            where = "history WHERE student = ? AND exercise = ? AND digest = ? ORDER BY number DESC"
        row = self._db.execute(
            f"SELECT verdict, timeout, digest, seed, version FROM {where}",
            (one.student, one.exercise, *[one.digest] * one.is_earlier),
        ).fetchone()
        if not row:
            return "new"
        text, timeout, digest, seed, version = row
        verdict = _stored(one.exercise, text)
        if digest != one.digest:
            return "other work"
        if seed != terms.seed:
            return "another seed"
        if verdict is None or version != _made_with(one, terms):
            return "the grader or the tasks have changed"
        timed_out = any(task.status is Status.TIMEOUT for task in verdict.tasks)
        return "another timeout" if timed_out and timeout != terms.timeout else ""

    def record(
        self, submission: Submission, verdict: Verdict, terms: Terms, isolation: str = ""
    ) -> None:
        """Write a verdict in one transaction, in place of the one before, and into the history.

        A submission with the digest "" has to be tried again.
        """
        when = datetime.now(UTC).isoformat(timespec="seconds")
        version = _made_with(submission, terms)
        text = verdict.to_json().encode(errors="replace").decode()  # halves of surrogate pairs
        what = submission.student, submission.exercise, submission.digest
        made = terms.seed, version, terms.timeout, isolation, when, text
        with self._transaction():
            if not submission.is_earlier:
                self._db.execute(
                    "INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (*what, *made),
                )
            self._db.execute(
                "INSERT INTO history VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*what, submission.modified, submission.file, *made),
            )

    # ---- after grading

    def students(self) -> list[str]:
        """Return everyone who was seen and whose files are not gone, in order."""
        return self._names("SELECT student FROM present ORDER BY 1")

    def everyone(self) -> list[str]:
        """Return everyone who was ever seen, in order."""
        return self._names("SELECT student FROM students ORDER BY 1")

    def handed_in(self) -> dict[str, int]:
        """Return for each exercise how many handed it in, in the order of the course."""
        rows = self._db.execute(
            "SELECT exercise, count(*) FROM submissions JOIN present USING (student)"
            " GROUP BY exercise ORDER BY 1"
        )
        return {exercise: count for exercise, count in rows if _is_in_the_course(exercise)}

    def exercises(self) -> list[str]:
        """Return the exercises that are set, in the order of the course.

        They are what `set_exercises` kept, or else those that more than half of the students who
        handed in anything did, or else those that the most did.
        """
        if kept := self._names("SELECT exercise FROM exercises ORDER BY 1"):
            return [exercise for exercise in kept if _is_in_the_course(exercise)]
        counts = self.handed_in()
        (everyone,) = self._db.execute(
            "SELECT count(DISTINCT student) FROM submissions JOIN present USING (student)"
        ).fetchone()
        enough = min(everyone // 2 + 1, max(counts.values(), default=0))
        return [exercise for exercise, count in counts.items() if count >= enough]

    def are_exercises_kept(self) -> bool:
        """Whether the exercises that are set were said, and not counted."""
        return bool(self._names("SELECT exercise FROM exercises"))

    def waiting(self) -> list[tuple[str, str]]:
        """Return the student and the exercise of what was handed in and is not graded yet."""
        return self._db.execute(
            "SELECT student, exercise FROM submissions JOIN present USING (student)"
            " LEFT JOIN verdicts USING (student, exercise)"
            " WHERE (verdict IS NULL OR verdicts.digest <> submissions.digest) ORDER BY 1, 2"
        ).fetchall()

    def entries(self) -> Iterator[Entry]:
        """Yield an entry for each student and exercise that is set, and for what else is there.

        Where a student handed in nothing, the entry says "missing". Where the verdict is still to
        come there is none.
        """
        exercises = self.exercises()
        for student in self.students():
            found = self._names("SELECT exercise FROM submissions WHERE student = ?", student)
            for exercise in sorted({*exercises, *found}):
                if exercise not in found:
                    yield Entry(student, exercise, refused(exercise, Status.MISSING))
                elif entry := self.entry(student, exercise):
                    yield replace(entry, counts=exercise in exercises)

    def entry(self, student: str, exercise: str) -> Entry | None:
        """Return the verdict on what a student handed in last; None where there is none yet."""
        row = self._db.execute(
            "SELECT coalesce(verdict, ''), isolation, modified, file FROM submissions"
            " LEFT JOIN verdicts USING (student, exercise) WHERE student = ? AND exercise = ?",
            (student, exercise),
        ).fetchone()
        text, *circumstances = row or ("",)
        verdict = _stored(exercise, text)
        return Entry(student, exercise, verdict, *circumstances) if verdict else None

    def earlier(self, student: str, exercise: str) -> list[Entry]:
        """Return the verdicts on what a student handed in before the last, the oldest first."""
        rows = self._db.execute(
            "SELECT verdict, isolation, modified, file FROM history WHERE number IN"
            " (SELECT max(number) FROM history WHERE student = ?1 AND exercise = ?2"
            "  AND digest NOT IN (SELECT digest FROM verdicts WHERE student = ?1 AND exercise = ?2"
            "   UNION SELECT digest FROM submissions WHERE student = ?1 AND exercise = ?2"
            "   UNION SELECT '') GROUP BY digest)"
            " AND modified <> '' ORDER BY modified, number",
            (student, exercise),
        )
        stored = ((_stored(exercise, text), *rest) for text, *rest in rows)
        return [Entry(student, exercise, verdict, *rest) for verdict, *rest in stored if verdict]

    def identical(self) -> list[tuple[str, list[str]]]:
        """Return exercises with the students whose files for them are the same to the last byte."""
        rows = self._db.execute(
            "SELECT exercise, json_group_array(student) FROM submissions"
            " JOIN present USING (student) JOIN verdicts USING (student, exercise, digest)"
            " WHERE EXISTS (SELECT 1 FROM json_each(verdict, '$.tasks') AS task"
            "  WHERE json_extract(task.value, '$.status') NOT IN ('missing', 'unreadable'))"
            " GROUP BY exercise, digest HAVING count(*) > 1 ORDER BY exercise"
        )
        return [(exercise, sorted(json.loads(students))) for exercise, students in rows]

    def remarks(self) -> Iterator[str]:
        """Say what is kept, and is not what the hand-ins or the course hold now."""
        gone = "SELECT student FROM students WHERE gone AND student NOT IN removed ORDER BY 1"
        for student in self._names(gone):
            yield (
                f"{student}: the files are gone since an earlier run, so this student is counted "
                "and exported no longer. `normlab grade --forget` removes the name."
            )
        for student, exercise in self._db.execute(
            "SELECT student, exercise FROM submissions JOIN present USING (student)"
            " WHERE submissions.gone ORDER BY 1, 2"
        ):
            yield f"{student}, {exercise}: graded before; the file is gone, the points are kept."
        verdicts = self._db.execute("SELECT exercise, verdict FROM verdicts")
        for exercise in sorted({name for name, text in verdicts if not _stored(name, text)}):
            yield (
                f"{exercise}: the gradebook has verdicts on other tasks than the course has now; "
                "they are left out."
            )

    def _names(self, query: str, *values: str) -> list[str]:
        return [name for (name,) in self._db.execute(query, values)]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Write all that happens inside, or nothing of it."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield


@contextlib.contextmanager
def only_run(out: Path) -> Iterator[None]:
    """Keep a folder of results for one run; the system gives it back however the run ends."""
    lock = sqlite3.connect(out / _LOCK_NAME, timeout=0, isolation_level=None)
    try:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            if error.sqlite_errorname != "SQLITE_BUSY":
                raise ClassError(f"{out}: {_said(error)}.") from error
            raise ClassError(
                f"Another `normlab grade` is writing to {out}. Wait until it has ended, or choose "
                "another folder for the results."
            ) from error
        yield
    finally:
        lock.close()


def _said(error: sqlite3.Error) -> str:
    """Say what is wrong with a file, for people."""
    name = getattr(error, "sqlite_errorname", "")
    for beginning, meaning in {
        "SQLITE_FULL": "the disk is full",
        "SQLITE_READONLY": "the file is read-only",
        "SQLITE_CANTOPEN": "the file cannot be opened or made",
        "SQLITE_CORRUPT": "the file is damaged; move it away, or put a copy of it back",
        "SQLITE_BUSY": f"another program has kept it locked for {_SECONDS_TO_WAIT} seconds",
    }.items():
        if name.startswith(beginning):
            return meaning
    return str(error)


def _made_with(submission: Submission, terms: Terms) -> str:
    """Tell by what a verdict is made: the code that judges, and what is written of the tasks."""
    return f"{terms.version} {made_with.tasks(submission.exercise)}"


def _is_in_the_course(exercise: str) -> bool:
    try:
        return bool(tasks_of(exercise))
    except LookupError:
        return False


def _stored(exercise: str, text: str) -> Verdict | None:
    """Return a verdict that was kept; None where there is none, or its tasks are not today's."""
    try:
        verdict = Verdict.from_json(text)
        today = {task.name for task in tasks_of(exercise)}
    except (ValueError, LookupError):
        return None
    return verdict if {task.task for task in verdict.tasks} == today else None
