"""The class list: who is in the class, and which hand-in is whose.

It is a table with a row for each student, as a system exports it or as one writes it. Which columns
are the name and the number is told by their titles where those are known, and by what is in them.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from normlab.grading.class_ import ClassError
from normlab.grading.class_.csv_text import rows_in
from normlab.grading.class_.submissions import id_of, without_id

_FIRST = ("first name", "firstname", "vorname", "prénom", "nombre")
_LAST = ("last name", "lastname", "surname", "nachname", "nom", "apellido(s)")
_NAME = ("student", "name", "full name", "fullname", "vollständiger name", "nom complet")
_NUMBER = re.compile(r"[^\d@.,]*\d+")
# Canvas's rows that are nobody.
_NOBODY = ("points possible", "student, test", "test student")


class Roster:
    """A class list, from the text of a CSV file.

    `students` is what each is called here, in the list's order: the name, with the system's number
    behind it where there is one.
    """

    def __init__(self, text: str) -> None:
        table = [row for row in rows_in(text)[0] if any(row)]
        if len(table) < 2:
            raise ClassError("The class list has no header and rows below it.")
        titles = [title.strip().lstrip("\ufeff").casefold() for title in table[0]]
        rows = [[*row, *[""] * (len(titles) - len(row))] for row in table[1:]]
        names = _names(titles, rows)
        people = [
            (" ".join(name.split()), row)
            for name, row in zip(names, rows, strict=True)
            if name.strip() and name.strip().casefold() not in _NOBODY
        ]
        number = _number_column(titles, [row for _, row in people])
        self._numbers = [re.sub(r"\D", "", row[number]) if number >= 0 else "" for _, row in people]
        self.students = _told_apart(self._numbers, people)
        # What a student may be called: the name, a cell, what stands before the @ of an address.
        self._keys = [
            {_key(text) for cell in (name, *row) for text in (cell, cell.partition("@")[0])}
            for name, row in people
        ]

    def name_of(self, student: str) -> str | None:
        """Return what the list calls a student of the hand-ins; None where that cannot be told."""
        if student in self.students:
            return student
        number = id_of(student)
        found = [at for at, own in enumerate(self._numbers) if number and own == number]
        if not found:
            found = [at for at, keys in enumerate(self._keys) if _key(without_id(student)) in keys]
        return self.students[found[0]] if len(found) == 1 else None

    def names_for(self, students: Iterable[str]) -> dict[str, str]:
        """Return the list's name for each that it tells; of two for one person, the first's."""
        names: dict[str, str] = {}
        for student in sorted(students, key=lambda one: one not in self.students):
            name = self.name_of(student)
            if name and name not in names.values():
                names[student] = name
        return names


def _names(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the name in each row."""
    first, last, whole = (
        next((at for at, title in enumerate(titles) if title in known), -1)
        for known in (_FIRST, _LAST, _NAME)
    )
    if first >= 0 and last >= 0:
        return [f"{row[first]} {row[last]}" for row in rows]
    if whole < 0:
        columns = enumerate(zip(*rows, strict=True))
        whole = next((at for at, cells in columns if all(map(_may_be_a_name, cells))), -1)
    if whole < 0:
        raise ClassError(
            'No column of the class list holds names. Give one the title "student", or use the '
            "list that your system exports."
        )
    names = [row[whole] for row in rows]
    if all(name.count(",") == 1 for name in names if name.strip().casefold() not in _NOBODY):
        names = [" ".join(part.strip() for part in reversed(name.split(","))) for name in names]
    return names


def _may_be_a_name(cell: str) -> bool:
    return bool(cell.strip()) and not re.search(r"[\d@]", cell)


def _number_column(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Return the first column in which everyone has another number; -1 where there is none."""
    for at in range(len(titles)):
        cells = [row[at].strip() for row in rows]
        if all(map(_NUMBER.fullmatch, cells)) and len(set(cells)) == len(cells):
            return at
    return -1


def _told_apart(numbers: list[str], people: list[tuple[str, list[str]]]) -> list[str]:
    """Return the names with the number behind them, or what else tells two of one name apart."""
    called = [
        f"{name}_{number}" if number else name
        for (name, _), number in zip(people, numbers, strict=True)
    ]
    often = Counter(map(str.casefold, called))
    for at, (name, row) in enumerate(people):
        if often[called[at].casefold()] > 1:
            other = next((cell.strip() for cell in row if "@" in cell), "")
            called[at] = f"{name} ({other})" if other else name
    if twice := [name for name, count in Counter(called).items() if count > 1]:
        raise ClassError(f"The class list has {twice[0]} twice, and nothing that tells them apart.")
    return called


def _key(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()
