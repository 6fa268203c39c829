"""Find what was handed in: a folder for each student, a flat folder, or a zip of Moodle or Canvas.

Nothing here trusts a name. A file is never opened through a link, never written under the name it
came with, and never taken from a zip by its path.
"""

import difflib
import functools
import hashlib
import os
import re
import stat
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from normlab.grading.grader import tasks_of
from normlab.grading.limits import Limits

#: The notebooks that learners hand in, as the course names them.
NOTEBOOKS = (
    "01_normalize_data",
    "02_batch_norm_forward",
    "03_batch_norm_train_and_eval",
    "04_batch_norm_backward",
    "05_mnist_with_batch_norm",
    "06_layer_norm",
    "07_instance_norm",
    "08_group_norm",
    "09_rms_norm_and_relatives",
    "13_choose_and_debug",
)

#: Of a larger file no more is read; the grader refuses it.
MOST_BYTES = Limits().notebook_size

_DEEPEST = 8
_LONGEST_NAME = 120
_ENDING = ".ipynb"
# The folder or the beginning of the file name that Moodle gives a student:
# "Ann Lee_4711_assignsubmission_file_".
_MOODLE = re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_[a-z]+_?(?P<file>.*)", re.DOTALL)
# Canvas: "leeann_4711_90210_02_batch_norm_forward.ipynb", with LATE after the name of some.
_CANVAS = re.compile(r"(?P<name>[^_]+)(_LATE)?_(?P<id>\d+)_\d+_(?P<file>.+)", re.DOTALL)
_OURS = re.compile(r"(?P<name>.+)__(?P<file>.+)", re.DOTALL)
# "02_batch_norm_forward (1)", "02_batch_norm_forward-1": a second download, a second attempt.
_ATTEMPT = re.compile(r"(?:\s*\((\d+)\)|-(\d+))$")
# Overriding the direction of the writing makes a name read as another.
_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


class SubmissionsError(Exception):
    """There is nothing to grade; the message says why and what to do."""


@dataclass(frozen=True)
class Submission:
    """One notebook of one student.

    Parameters
    ----------
    student
        As the folder or the file names them, fit to be shown.
    exercise
        The course's name of the notebook: "02_batch_norm_forward".
    path
        The file, or the zip that it is in.
    digest
        Of the content (SHA-256); another digest means that it was handed in again.
    member
        The place in the zip; -1 for a file of its own.
    modified
        When the file was last changed, in UTC, as ISO 8601.
    problem
        Why its content cannot be had, for the teacher and the student; "" where it can.
    """

    student: str
    exercise: str
    path: Path
    digest: str = ""
    member: int = -1
    modified: str = ""
    problem: str = ""

    def read(self) -> bytes:
        """Return the content, or as much of it as `MOST_BYTES` and one byte.

        Raises
        ------
        OSError
            It cannot be read.
        """
        if self.member < 0:
            return _read_file(self.path)
        return _read_member(self.path, self.member)


@dataclass(frozen=True)
class HandedIn:
    """All that was found.

    Parameters
    ----------
    students
        Everyone who has a folder or a file, in order.
    submissions
        One for each student and exercise, in order.
    notes
        What was left out, in words.
    """

    students: tuple[str, ...]
    submissions: tuple[Submission, ...]
    notes: tuple[str, ...] = ()

    def of_students(self, names: Iterable[str]) -> "HandedIn":
        """Return the part of some students.

        Raises
        ------
        SubmissionsError
            One of the names is nobody's.
        """
        chosen: set[str] = set()
        for name in names:
            found = {one for one in self.students if name in (one, without_id(one))}
            if not found:
                close = difflib.get_close_matches(name, self.students, n=3, cutoff=0.5)
                meant = f" Did you mean {' or '.join(close)}?" if close else ""
                raise SubmissionsError(f"There is no student {name!r} here.{meant}")
            chosen |= found
        return HandedIn(
            tuple(one for one in self.students if one in chosen),
            tuple(one for one in self.submissions if one.student in chosen),
            self.notes,
        )

    def of_exercises(self, names: Iterable[str]) -> "HandedIn":
        """Return the part that belongs to some exercises, named in full or by their number.

        Raises
        ------
        SubmissionsError
            The course has no exercise of one of the names.
        """
        chosen = {exercise_named(name) for name in names}
        kept = tuple(one for one in self.submissions if one.exercise in chosen)
        return replace(self, submissions=kept)


def find_submissions(where: Path) -> HandedIn:
    """Find the notebooks in a folder or a zip.

    Parameters
    ----------
    where
        A folder with ``<student>/<exercise>.ipynb`` or ``<student>__<exercise>.ipynb``, or a zip
        of either, or one as Moodle or Canvas makes it, unpacked or not.

    Returns
    -------
    HandedIn
        Of several files for one exercise the newest counts, and a note says so.

    Raises
    ------
    SubmissionsError
        There is no such folder or zip, or nothing in it belongs to a student.
    """
    if where.is_dir():
        files = list(_files_below(where))
        owners = [
            _readable(entry.name)
            for entry in sorted(os.scandir(where), key=lambda e: e.name)
            if entry.is_dir(follow_symlinks=False) and not _is_clutter(entry.name)
        ]
    elif where.is_file():
        files, owners = list(_files_in_zip(where)), []
    else:
        raise SubmissionsError(f"There is no folder and no zip called {where}.")
    handed_in = _assign(files, owners)
    if not handed_in.students:
        raise SubmissionsError(
            f"No student's work was found in {where}. It should hold STUDENT/EXERCISE.ipynb or "
            "STUDENT__EXERCISE.ipynb, or be the zip that Moodle or Canvas gives."
        )
    return handed_in


def exercise_named(name: str) -> str:
    """Return the exercise that a name or a number means: "02", "02_batch_norm_forward".

    Raises
    ------
    SubmissionsError
        There is none.
    """
    for notebook in NOTEBOOKS:
        if name in (notebook, f"{notebook}{_ENDING}", notebook[:2]):
            return notebook
    raise SubmissionsError(
        f"The course has no exercise {name!r}. There are: {', '.join(NOTEBOOKS)}."
    )


def without_id(student: str) -> str:
    """Return a student's name without the number that Moodle and Canvas put behind it."""
    return re.sub(r"_\d+$", "", student)


# ---- the files


@dataclass(frozen=True)
class _File:
    """A file as it was found: the names on the way to it, and where its content is."""

    names: tuple[str, ...]
    path: Path
    member: int = -1
    modified: float = 0.0
    problem: str = ""

    @property
    def shown(self) -> str:
        return "/".join(_readable(name) for name in self.names)


def _files_below(folder: Path, names: tuple[str, ...] = ()) -> Iterator[_File]:
    """Yield the files of a folder, following no link."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield _File((*names, ""), folder, problem=f"The folder cannot be read: {error.strerror}.")
        return
    for entry in entries:
        here = (*names, entry.name)
        if _is_clutter(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            if len(here) < _DEEPEST:
                yield from _files_below(Path(entry.path), here)
            continue
        status = entry.stat(follow_symlinks=False)
        problem = ""
        if stat.S_ISLNK(status.st_mode):
            problem = "It is a symbolic link, which is not followed."
        elif not stat.S_ISREG(status.st_mode):
            problem = "It is not an ordinary file."
        yield _File(here, Path(entry.path), modified=status.st_mtime, problem=problem)


def _files_in_zip(path: Path) -> Iterator[_File]:
    """Yield the files in a zip, without unpacking any.

    Raises
    ------
    SubmissionsError
        It is no zip.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise SubmissionsError(f"{path} cannot be read as a zip: {error}") from error
    files = []
    for number, member in enumerate(members):
        if member.is_dir():
            continue
        names = tuple(re.split(r"[/\\]", member.filename))
        if any(_is_clutter(name) for name in names if name not in ("", "..")):
            continue
        files.append(_File(names, path, number, _time_of(member), _objection(member, names)))
    yield from _without_wrapping(files)


def _objection(member: zipfile.ZipInfo, names: tuple[str, ...]) -> str:
    if any(name in ("", ".", "..") for name in names):
        return "Its place in the zip leads out of it."
    if stat.S_ISLNK(member.external_attr >> 16):
        return "It is a symbolic link, which is not followed."
    if member.flag_bits & 1:
        return "It is encrypted."
    return ""


def _time_of(member: zipfile.ZipInfo) -> float:
    try:
        return datetime(*member.date_time, tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def _without_wrapping(files: list[_File]) -> list[_File]:
    """Take off the one folder that somebody zipped, where it is not a student's."""
    if len({file.names[0] for file in files}) != 1:
        return files
    inner = [replace(file, names=file.names[1:]) for file in files]
    owned = all(file.names and _owner(file.names) for file in inner)
    return inner if owned and len({file.names[0] for file in inner}) > 1 else files


def _is_clutter(name: str) -> bool:
    """Whether a name is what Jupyter, macOS or Git leave beside the work."""
    return name.startswith(".") or name in ("__MACOSX", "__pycache__", "Thumbs.db", "desktop.ini")


def _read_file(path: Path) -> bytes:
    # O_NOFOLLOW, O_NONBLOCK: what was a file when it was found may be a link or a pipe by now.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(os.open(path, flags | getattr(os, "O_BINARY", 0)), "rb") as file:
        return file.read(MOST_BYTES + 1)


def _read_member(path: Path, number: int) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(archive.infolist()[number]) as file:
            return file.read(MOST_BYTES + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise OSError(None, str(error)) from error
    except Exception as error:  # zlib, lzma and bz2 have errors of their own
        if isinstance(error, OSError):
            raise
        raise OSError(None, f"damaged: {error}") from error


# ---- whose is it, and which exercise


def _assign(files: list[_File], owners: list[str]) -> HandedIn:
    """Sort the files by student and exercise; note what cannot be sorted."""
    students, notes = set(owners), []
    found: dict[tuple[str, str], list[tuple[_File, Submission]]] = {}
    for file in files:
        owner = _owner(file.names)
        if owner is None:
            notes.append(f"{file.shown}: no student's name in it, so it was left out.")
            continue
        student, name = owner
        students.add(student)
        submission = _submission(file, student, name)
        if submission is None:
            notes.append(f"{file.shown}: not a notebook of the course, so it was left out.")
        else:
            found.setdefault((student, submission.exercise), []).append((file, submission))
    students -= {_readable(owner) for owner in owners if _MOODLE.fullmatch(owner)}
    kept = []
    for (student, exercise), several in sorted(found.items()):
        several.sort(key=lambda pair: _attempt(pair[0]))
        kept.append(several[-1][1])
        for file, _ in several[:-1]:
            taken = several[-1][0].shown
            notes.append(f"{file.shown}: {student} has a newer {exercise}, {taken}.")
    return HandedIn(tuple(sorted(students)), tuple(kept), tuple(notes))


def _owner(names: tuple[str, ...]) -> tuple[str, str] | None:
    """Return the student and the name of the file as the student knows it, or None."""
    first, last = names[0], names[-1]
    if len(names) > 1:
        moodle = _MOODLE.fullmatch(first)
        student = f"{moodle['name']}_{moodle['id']}" if moodle else first
        return (_readable(student), last) if student not in ("", "..", ".") else None
    for pattern in (_MOODLE, _CANVAS):
        if match := pattern.fullmatch(first):
            return _readable(f"{match['name']}_{match['id']}"), match["file"]
    match = _OURS.fullmatch(first)
    return (_readable(match["name"]), match["file"]) if match else None


def _submission(file: _File, student: str, name: str) -> Submission | None:
    """Return the submission that a file is, or None where it is no notebook of the course."""
    if not name.lower().endswith(_ENDING):
        return None
    modified = datetime.fromtimestamp(file.modified, UTC).isoformat(timespec="seconds")
    found = Submission(student, "", file.path, "", file.member, modified, file.problem)
    content = b""
    if not found.problem:
        try:
            content = found.read()
        except OSError as error:
            found = replace(found, problem=f"It cannot be read: {error.strerror or error}.")
    exercise = _by_name(name[: -len(_ENDING)]) or _by_content(content)
    if not exercise:
        return None
    return replace(found, exercise=exercise, digest=digest_of(content, found.problem))


def digest_of(content: bytes, problem: str = "") -> str:
    """Return what tells one state of a submission from another."""
    return hashlib.sha256(problem.encode() + b"\0" + content).hexdigest()


def _by_name(stem: str) -> str:
    """Recognise "02_batch_norm_forward", "Copy of 02_Batch_Norm_Forward (1)" and "02 final"."""
    plain = re.sub(r"[\W_]+", "_", stem).lower()
    for notebook in NOTEBOOKS:
        if notebook in plain:
            return notebook
    number = re.match(r"(\d\d)(?!\d)", plain)
    return next((one for one in NOTEBOOKS if number and one.startswith(number[1])), "")


def _by_content(content: bytes) -> str:
    """Recognise a renamed notebook by the tasks that it names."""
    counts = {
        notebook: sum(len(pattern.findall(content)) for pattern in _task_names(notebook))
        for notebook in NOTEBOOKS
    }
    best = max(counts, key=counts.__getitem__)
    return best if counts[best] else ""


@functools.cache
def _task_names(notebook: str) -> list[re.Pattern[bytes]]:
    return [re.compile(rb"\b%s\b" % task.name.encode()) for task in tasks_of(notebook)]


def _attempt(file: _File) -> tuple[float, int, str]:
    """Return what orders the attempts of one student: the time, then the number in the name."""
    number = _ATTEMPT.search(file.names[-1].removesuffix(_ENDING))
    return file.modified, int(number[1] or number[2]) if number else 0, file.names[-1]


def _readable(name: str) -> str:
    """Return a name that can be shown and stored, and is still nobody else's."""
    shown = "".join("\ufffd" if _is_unprintable(sign) else sign for sign in name)
    shown = unicodedata.normalize("NFC", shown).strip()
    if len(shown) > _LONGEST_NAME or "\ufffd" in shown or not shown:
        code = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
        shown = f"{shown[:_LONGEST_NAME]}~{code}"
    return shown


def _is_unprintable(sign: str) -> bool:
    return sign in _DIRECTION or unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")
