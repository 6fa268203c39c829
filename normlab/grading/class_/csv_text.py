"""CSV, as a system, a spreadsheet or a teacher writes it."""

import csv
import io
from collections.abc import Iterable


def rows_in(text: str) -> tuple[list[list[str]], str]:
    """Return the rows of a text, and what parts its cells: what its first line has most of."""
    delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)), delimiter


def as_csv(rows: Iterable[Iterable[str]], delimiter: str = ",") -> str:
    """Return rows as CSV."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue()
