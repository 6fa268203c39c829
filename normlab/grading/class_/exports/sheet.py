"""A CSV file that was downloaded from another system, and is filled in."""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from normlab.files import write_whole
from normlab.grading.class_ import ClassError
from normlab.grading.class_.csv_text import as_csv, rows_in
from normlab.grading.class_.gradebook import Entry
from normlab.grading.class_.reports import points
from normlab.grading.class_.submissions import id_of


@dataclass
class Sheet:
    """A CSV file, with what it takes to write it back as it was."""

    path: Path
    rows: list[list[str]]
    delimiter: str
    mark: str  # the byte order mark that some spreadsheets want, or ""
    columns: Mapping[str, str]  # the titles that were told: for an exercise that of its column
    is_section: bool  # it may hold fewer students than have grades
    notes: list[str] = field(default_factory=list)  # what was done to the numbers, in words

    @classmethod
    def read(cls, path: Path, columns: Mapping[str, str], is_section: bool) -> "Sheet":
        """Read a file; a ClassError where it is no CSV file in UTF-8 with a header."""
        try:
            text = path.read_bytes().decode()
        except UnicodeDecodeError as error:
            raise ClassError(f"{path} is not in UTF-8. Download it again, as UTF-8.") from error
        except OSError as error:
            raise ClassError(f"{path} cannot be read: {error.strerror}.") from error
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        try:
            rows, delimiter = rows_in(text.removeprefix(mark))
        except csv.Error as error:
            raise ClassError(f"{path} cannot be read as CSV: {error}.") from error
        if len(rows) < 2 or delimiter not in text.split("\n", 1)[0]:
            raise ClassError(f"{path} is not a CSV file with a header and a row for each student.")
        rows = [row + [""] * (len(rows[0]) - len(row)) for row in rows]
        return cls(path, rows, delimiter, mark, columns, is_section)

    @property
    def header(self) -> list[str]:
        """The titles of the columns."""
        return self.rows[0]

    def column(self, name: str) -> int | None:
        """Return where a column is, or None."""
        names = [title.strip().casefold() for title in self.header]
        return names.index(name.casefold()) if name.casefold() in names else None

    def write(self, path: Path) -> None:
        """Write it as it was read, with what has been filled in."""
        write_whole(path, self.mark + as_csv(self.rows, self.delimiter))

    def match(self, entries: Iterable[Entry], people: list[list[str]]) -> dict[str, int]:
        """Find the row of each student among `people`, which has of each row what tells who it is.

        The number that Moodle or Canvas gave decides where it is there. Else it is the one cell
        that holds the whole name; not that of a student with a number in the last column, since
        people choose what they are called.

        A row holds the number, as it is or behind a word ("Participant 17"), then logins and the
        like, and in the end the name. Those in no row, or in several, are named in a ClassError; or
        in a note, where the file holds a section of the class.
        """
        found: dict[str, int] = {}
        lost = []
        for student in dict.fromkeys(entry.student for entry in entries):
            row = _row_of(student, people)
            if row is None or row in found.values():
                lost.append(student)
            else:
                found[student] = row
        if lost and found and self.is_section:
            self.notes.append(f"{len(lost)} students are not in this sheet: {', '.join(lost)}.")
        elif lost:
            raise ClassError(
                f"{len(lost)} of the students with grades cannot be told in the template: "
                f"{', '.join(lost)}. Nothing was written. Is it this course's file, and not of one "
                "section alone? (--section fills that in.)"
            )
        return found

    def scale(self, theirs: float | None, ours: float, what: str) -> float:
        """Return the factor from our points to those of a column, and note it where it is not 1."""
        if theirs is None or theirs <= 0:
            out_of = f"the template does not say out of how many, so it is {points(ours)}."
            self.notes.append(f"{what}: {out_of}")
            return 1.0
        if theirs != ours:
            both = f"{points(ours)} points here are {points(theirs)} there"
            self.notes.append(f"{what}: {both}, and scores are scaled.")
        return theirs / ours


def _row_of(student: str, rows: list[list[str]]) -> int | None:
    number = id_of(student)
    by_number = [at for at, row in enumerate(rows) if number and _is_number(row[0], number)]
    columns = list(zip(*rows, strict=True))[: -1 if number else None]
    by_name = (
        [at for at, cell in enumerate(column) if plain(cell) == plain(student)]
        for column in columns
    )
    return next((hits[0] for hits in (by_number, *by_name) if len(hits) == 1), None)


def _is_number(cell: str, number: str) -> bool:
    return bool(re.fullmatch(rf"\D*0*{int(number)}", cell.strip()))


def plain(text: str) -> str:
    """Return a text as it is compared: spaces and capitals make no difference."""
    return " ".join(text.split()).casefold()


def number_in(cell: str) -> float | None:
    """Return the number in a cell, with a point or a comma; None where there is none."""
    try:
        return float(cell.strip().replace(",", "."))
    except ValueError:
        return None
