"""Find what was handed in: a folder for each student, a flat folder, or a zip of Moodle or Canvas.

Nothing here trusts a name. A file is never opened through a link, never written under the name it
came with, and never taken from a zip by its path.
"""

import functools
import hashlib
import os
import re
import stat
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from normlab.exercises.finding import notebooks
from normlab.files import read_ordinary
from normlab.grading.class_ import ClassError
from normlab.grading.class_.recognition import Contents, exercises_in, look_at, named_in
from normlab.grading.prison.limits import MEBIBYTE, Limits, too_large
from normlab.names import did_you_mean

#: A larger file is not read.
MOST_BYTES = Limits().notebook_size

# To tell which exercise it is; few notebooks are larger, with all figures.
_LOOKED_AT = 4 * MEBIBYTE
# A zip's member that is larger than this, and packed to less than a hundredth, is a bomb.
_LARGE, _DENSEST = 10 * MEBIBYTE, 100
_LISTED = 50  # files that were left out, of each student, by name
_LESSON = "This is the lesson's notebook. The exercise of the same name is the one in exercises/."
_DEEPEST = 8
_LATEST = 253_402_300_799.0  # the end of the year 9999, after which there are no dates
_LONGEST_NAME = 120
_ENDING = ".ipynb"
# The folder that Moodle makes for a student: "Ann Lee_4711_assignsubmission_file_". A student may
# choose the name, so the last number is Moodle's.
_MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_[a-z]+_?", re.DOTALL)
# Without folders: "Ann Lee_4711_assignsubmission_file_02_batch_norm_forward.ipynb", and Canvas's
# "leeann_4711_90210_02_batch_norm_forward.ipynb", with LATE after the name of some. A student
# chooses the end, so the first number is theirs.
_FLAT = re.compile(
    r"(?P<name>.+?)(?:_LATE|_late)?_(?P<id>\d+)_(?:assignsubmission_[a-z]+_(?P<moodle>.+)|\d+_(?P<canvas>.+))",
    re.DOTALL,
)
_OURS = re.compile(r"(?P<name>.+)__(?P<file>.+)", re.DOTALL)
# "02_batch_norm_forward (1)", "02_batch_norm_forward-1": a second download, a second attempt.
_ATTEMPT = re.compile(r"(?:\s*\((\d+)\)|-(\d+))$")
# Overriding the direction of the writing makes a name read as another.
_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")  # Unicode's categories


@dataclass(frozen=True)
class Submission:
    """One notebook of one student."""

    student: str  # as the folder or the file names them, fit to be shown
    exercise: str  # the course's name of the notebook: "02_batch_norm_forward"
    path: Path  # the file, or the zip that it is in
    digest: str = ""  # of the content; another one means that it was handed in again
    member: int = -1  # the place in the zip; -1 for a file of its own
    modified: str = ""  # in UTC, as ISO 8601
    problem: str = ""  # why its content cannot be had, for the teacher and the student
    file: str = ""  # its name, with the folders in which it was found
    is_earlier: bool = False  # another one of the student's is graded in its place

    def read(self) -> bytes:
        """Return the content, or as much of it as `MOST_BYTES` and one byte; or an OSError."""
        if self.problem:
            raise OSError(None, self.problem)
        if self.member < 0:
            return read_ordinary(self.path, MOST_BYTES + 1)
        return _read_member(self.path, self.member)


@dataclass(frozen=True)
class HandedIn:
    """All that was found, in order."""

    students: tuple[str, ...]  # everyone who has a folder or a file
    submissions: tuple[Submission, ...]  # one for each student and exercise
    notes: tuple[str, ...] = ()  # what was chosen and what was left out, in words
    #: Other files of theirs for the same exercises, with other content.
    earlier: tuple[Submission, ...] = ()

    def of_students(self, names: Iterable[str]) -> "HandedIn":
        """Return the part of some students; or say which name is nobody's."""
        chosen: set[str] = set()
        for name in names:
            found = {one for one in self.students if name in (one, without_id(one))}
            if not found:
                meant = did_you_mean(name, self.students, quote="", most=3)
                raise ClassError(f"There is no student {name!r} here. {meant}".rstrip())
            chosen |= found
        kept = self._where(lambda one: one.student in chosen)
        return replace(kept, students=tuple(one for one in self.students if one in chosen))

    def of_exercises(self, names: Iterable[str]) -> "HandedIn":
        """Return the part of some exercises, named as `exercise_named` knows them."""
        chosen = {exercise_named(name) for name in names}
        return self._where(lambda one: one.exercise in chosen)

    def _where(self, holds: Callable[[Submission], bool]) -> "HandedIn":
        kept, earlier = (tuple(filter(holds, all_)) for all_ in (self.submissions, self.earlier))
        return replace(self, submissions=kept, earlier=earlier)

    def renamed(self, names: Mapping[str, str]) -> "HandedIn":
        """Return the same with other names for some students."""
        submissions, earlier = (
            tuple(replace(one, student=names.get(one.student, one.student)) for one in all_)
            for all_ in (self.submissions, self.earlier)
        )
        students = sorted({names.get(one, one) for one in self.students})
        return HandedIn(tuple(students), submissions, self.notes, earlier)


def find_submissions(where: Path) -> HandedIn:
    """Find the notebooks in a folder or a zip; a ClassError where nothing is a student's.

    It holds ``<student>/<exercise>.ipynb`` or ``<student>__<exercise>.ipynb``, or is as Moodle or
    Canvas makes it, unpacked or not. Of several files for one exercise the one with the most tasks
    solved counts, and of those the newest; a note says so.
    """
    if where.is_dir():
        files = list(_files_below(where))
        folders = [
            entry.name
            for entry in sorted(os.scandir(where), key=lambda e: e.name)
            if entry.is_dir(follow_symlinks=False) and not _is_clutter(entry.name)
        ]
    elif where.is_file():
        files, folders = _files_in_zip(where), []
    else:
        raise ClassError(f"There is no folder and no zip called {where}.")
    handed_in = _assign(files, folders)
    if not handed_in.students:
        raise ClassError(
            f"No student's work was found in {where}. It should hold STUDENT/EXERCISE.ipynb or "
            "STUDENT__EXERCISE.ipynb, or be the zip that Moodle or Canvas gives."
        )
    return handed_in


def of_one(folder: Path, student: str) -> HandedIn:
    """Find the notebooks of one student, whose files are all that a folder holds."""
    return _assign(list(_files_below(folder, (student,))), [student])


def exercise_named(name: str) -> str:
    """Return the exercise that is meant by "02" or "02_batch_norm_forward"; or say which are."""
    for notebook in notebooks():
        if name in (notebook, f"{notebook}{_ENDING}", short_name(notebook)):
            return notebook
    meant = did_you_mean(name, notebooks()) or f"There are: {', '.join(notebooks())}."
    raise ClassError(f"The course has no exercise {name!r}. {meant}")


def short_name(exercise: str) -> str:
    """Return the number that an exercise's name begins with, or the name where there is none."""
    number, _, _ = exercise.partition("_")
    return number if number.isdigit() else exercise


def is_marked_late(file: str) -> bool:
    """Whether Canvas wrote LATE into a file's name."""
    return re.search(r"_LATE_\d+_\d+_", file, re.IGNORECASE) is not None


def id_of(student: str) -> str:
    """Return the number that Moodle and Canvas put behind a student's name; "" without one."""
    found = re.search(r"_(\d+)$", student)
    return found[1] if found else ""


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
        return "/".join(_readable(name) for name in self.names if name)


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
            else:
                why = "Folders as deep as this are not looked into."
                yield _File((*here, ""), Path(entry.path), problem=why)
            continue
        status = entry.stat(follow_symlinks=False)
        problem = ""
        if stat.S_ISLNK(status.st_mode):
            problem = "It is a symbolic link, which is not followed."
        elif not stat.S_ISREG(status.st_mode):
            problem = "It is not an ordinary file."
        elif status.st_size > MOST_BYTES:
            problem = too_large(f"It has {status.st_size / MEBIBYTE:,.1f}", MOST_BYTES)
        yield _File(here, Path(entry.path), modified=status.st_mtime, problem=problem)


def _files_in_zip(path: Path) -> list[_File]:
    """Return the files in a zip, without unpacking any."""
    try:
        members = _archive(path).infolist()
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise ClassError(f"{path} cannot be read as a zip: {error}") from error
    files = []
    for number, member in enumerate(members):
        names = tuple(re.split(r"[/\\]", member.filename))
        clutter = any(_is_clutter(name) for name in names if name not in ("", ".."))
        if not member.is_dir() and not clutter:
            files.append(_File(names, path, number, _time_of(member), _objection(member, names)))
    return _without_wrapping(files)


def _objection(member: zipfile.ZipInfo, names: tuple[str, ...]) -> str:
    if any(name in ("", ".", "..") for name in names):
        return "Its place in the zip leads out of it."
    if stat.S_ISLNK(member.external_attr >> 16):
        return "It is a symbolic link, which is not followed."
    if member.flag_bits & 1:
        return "It is encrypted."
    if member.file_size > MOST_BYTES:
        return too_large(f"It has {member.file_size / MEBIBYTE:,.1f}", MOST_BYTES)
    if member.file_size > max(_LARGE, _DENSEST * member.compress_size):
        return (
            f"It would unpack from {member.compress_size:,} bytes to {member.file_size:,}, as no "
            "notebook does, and was not unpacked. Clear its outputs, and hand it in again."
        )
    return ""


def _time_of(member: zipfile.ZipInfo) -> float:
    """Return a member's time; a zip says no zone, so it is taken for this machine's."""
    try:
        return datetime(*member.date_time).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0


def _without_wrapping(files: list[_File]) -> list[_File]:
    """Take off the one folder that somebody zipped, where it is not a student's."""
    tops = {file.names[0] for file in files}
    if len(tops) != 1 or _MOODLE.fullmatch(tops.pop()):
        return files
    inner = [replace(file, names=file.names[1:]) for file in files]
    if not all(file.names for file in inner) or len({file.names[0] for file in inner}) == 1:
        return files
    owner_of = _layout(inner)
    return inner if all(owner_of(file.names) for file in inner) else files


def _is_clutter(name: str) -> bool:
    """Whether a name is what Jupyter, macOS or Git leave beside the work."""
    return name.startswith(".") or name in ("__MACOSX", "__pycache__", "Thumbs.db", "desktop.ini")


def _read_member(path: Path, number: int) -> bytes:
    try:
        archive = _archive(path)
        with archive.open(archive.infolist()[number]) as file:
            return file.read(MOST_BYTES + 1)
    except OSError:
        raise
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise OSError(None, str(error)) from error
    except Exception as error:  # zlib, lzma and bz2 have errors of their own
        raise OSError(None, f"damaged: {error}") from error


def _archive(path: Path) -> zipfile.ZipFile:
    """Open a zip once for each process, whatever threads read in it, and anew when it changes."""
    status = path.stat()
    return _opened(path, os.getpid(), status.st_ino, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _opened(path: Path, *_state: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


# ---- whose is it, and which exercise


@dataclass(frozen=True)
class _Candidate:
    """A notebook that may be the one to grade, and what it holds."""

    submission: Submission
    contents: Contents
    is_main: bool  # and not one of several exercises in it
    named: str  # the exercise that the file is called by

    def rank(self) -> tuple:
        """Return what orders the candidates: the tasks in it, the time, the attempt's number."""
        number = _ATTEMPT.search(self.submission.file[: -len(_ENDING)])
        attempt = int(number[1] or number[2]) if number else 0
        when = self.submission.modified, attempt, self.submission.file
        return (*self.work(), self.is_main, *when)

    def work(self) -> tuple[bool, bool, int, int]:
        """Return what of the exercise is there: itself, legible, the tasks solved, the tasks."""
        held, contents = self.contents.held(self.submission.exercise), self.contents
        can_be_read = contents.is_whole and not self.submission.problem
        return not contents.is_lesson, can_be_read, len(held & contents.solved), len(held)


def _assign(files: list[_File], folders: list[str]) -> HandedIn:
    """Sort the files by student and exercise; note what was chosen, and what cannot be sorted."""
    owner_of = _layout(files)
    owners = (owner_of((folder, "")) for folder in folders)
    students = {owner[0] for owner in owners if owner}
    notes: list[str] = []
    guesses: list[str] = []
    left_out: dict[str, list[str]] = {}
    found: dict[tuple[str, str], list[_Candidate]] = {}
    for file in files:
        student, name = owner_of(file.names) or ("", "")
        if student:
            students.add(student)
        candidates = _candidates(file, student, name)
        if not candidates:
            nobodys = "no student's name in it, so it was left out."
            not_ours = "not a notebook of the course, so it was left out."
            why = (file.problem or not_ours) if student else nobodys
            left_out.setdefault(student, []).append(f"{file.shown}: {why}")
        for one in candidates:
            exercise = one.submission.exercise
            found.setdefault((student, exercise), []).append(one)
            if exercise != one.named:
                guesses.append(f"{file.shown}: taken for {exercise}, by the tasks that it defines.")
    kept, earlier = [], []
    for _, several in sorted(found.items()):
        chosen, others = _choose(several)
        kept.append(chosen)
        notes += others
        earlier += _earlier(chosen, several)
    for student, some in left_out.items():
        notes += some[:_LISTED]
        if len(some) > _LISTED:
            rest = f"{len(some) - _LISTED:,} more files were left out"
            notes.append(f"{student}: {rest}." if student else f"{rest}, with no student's name.")
    return HandedIn(tuple(sorted(students)), tuple(kept), (*notes, *guesses), tuple(earlier))


def _earlier(chosen: Submission, several: list[_Candidate]) -> list[Submission]:
    """Return what else a student tried: files with solved tasks in them, each content once."""
    tried = {
        one.submission.digest: replace(one.submission, is_earlier=True)
        for one in several
        if not one.contents.is_lesson
        and not one.submission.problem
        and one.contents.held(chosen.exercise) & one.contents.solved
    }
    tried.pop(chosen.digest, None)
    return list(tried.values())


def _choose(several: list[_Candidate]) -> tuple[Submission, list[str]]:
    """Return the one of a student's files for an exercise that counts, and a note on each other."""
    several = sorted(several, key=_Candidate.rank)
    best, notes = several[-1], []
    taken = best.submission
    student, exercise = taken.student, taken.exercise
    for one in several[:-1]:
        if one.contents.is_lesson:
            why = f"it is the lesson; the exercise {exercise} of {student} is {taken.file}."
        elif one.work() == best.work():
            why = f"{student} has a newer {exercise}, {taken.file}."
        else:
            why = f"{student} has a {exercise} with more of the tasks in it, {taken.file}."
        notes.append(f"{one.submission.file}: {why}")
    return taken, notes


def _layout(files: list[_File]) -> Callable[[tuple[str, ...]], tuple[str, str] | None]:
    """Return the function that tells the student of a file, and the name that the student gave it.

    Moodle and Canvas begin each name with the student's name and number; which of them it was is
    decided for all files together, and what they did not name so is nobody's.
    """
    flat = [names[0] for names in (file.names for file in files) if len(names) == 1]
    matches = [_FLAT.fullmatch(name) for name in flat if name.lower().endswith(_ENDING)]
    systems = Counter(match and ("moodle" if match["moodle"] else "canvas") for match in matches)
    system = systems.most_common(1)[0][0] if systems else None

    def owner_of(names: tuple[str, ...]) -> tuple[str, str] | None:
        first, last = names[0], names[-1]
        if len(names) > 1:
            moodle = _MOODLE.fullmatch(first)
            student = f"{moodle['name']}_{moodle['id']}" if moodle else first
            return (_readable(student), last) if student not in ("", "..", ".") else None
        if system:
            match = _FLAT.fullmatch(first)
            # Where Moodle's words come twice, one of them is the student's.
            twice = system == "moodle" and first.count("_assignsubmission_") > 1
            if not match or not match[system] or twice:
                return None
            return _readable(f"{match['name']}_{match['id']}"), match[system]
        match = _OURS.fullmatch(first)
        return (_readable(match["name"]), match["file"]) if match else None

    return owner_of


def _candidates(file: _File, student: str, name: str) -> list[_Candidate]:
    """Return the notebook of the course that a file is, once for each exercise in it."""
    if not name.lower().endswith(_ENDING):
        return []
    stem = name[: -len(_ENDING)]
    seconds = min(max(file.modified, 0.0), _LATEST)
    modified = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    found = Submission(student, "", file.path, "", file.member, modified, file.problem, file.shown)
    content = b""
    try:
        content = found.read()
    except OSError as error:
        why = found.problem or f"It cannot be read: {error.strerror or error}."
        found = replace(found, problem=why)
    contents = look_at(content[:_LOOKED_AT])
    if len(content) > _LOOKED_AT:
        contents = replace(contents, is_whole=True)  # as far as one can tell
    if contents.is_lesson:
        found = replace(found, problem=_LESSON)
    found = replace(found, digest=digest_of(content, found.problem))
    return [
        _Candidate(replace(found, exercise=exercise), contents, number == 0, named_in(stem))
        for number, exercise in enumerate(exercises_in(stem, contents))
    ]


def digest_of(content: bytes, problem: str = "") -> str:
    """Return what tells one state of a submission from another."""
    return hashlib.sha256(problem.encode() + b"\0" + content).hexdigest()


def _readable(name: str) -> str:
    """Return a name that can be shown and stored, and is still nobody else's."""
    if name.isascii() and name.isprintable() and 0 < len(name.strip()) <= _LONGEST_NAME:
        return name.strip()
    shown = "".join(
        "\ufffd" if one in _DIRECTION or unicodedata.category(one) in _UNPRINTABLE else one
        for one in name
    )
    shown = unicodedata.normalize("NFC", shown).strip()
    if len(shown) > _LONGEST_NAME or "\ufffd" in shown or not shown:
        code = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
        shown = f"{shown[:_LONGEST_NAME]}~{code}"
    return shown
