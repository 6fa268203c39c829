"""The table of a comparison: HTML in a notebook, plain text elsewhere."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

_CELL = "padding: 0.15em 0.9em 0.15em 0; text-align: left"


@dataclass(frozen=True)
class Row:
    """One compared array.

    Attributes
    ----------
    name
        What was compared, such as ``"grad of weight"``.
    shape
        Its shape, as text.
    absolute, relative
        The largest difference, and that divided by torch's largest value; nan where there is
        nothing to subtract.
    verdict
        ``"equal"``, or what is wrong.
    """

    name: str
    shape: str
    absolute: float
    relative: float
    verdict: str

    @property
    def equal(self) -> bool:
        """Whether the two agree."""
        return self.verdict.startswith("equal")

    @classmethod
    def of_arrays(
        cls,
        name: str,
        ours: np.ndarray | None,
        theirs: np.ndarray | None,
        tolerance: float,
        rounding: float = 0.0,
    ) -> Self:
        """Compare two arrays; None stands for one that is not there.

        They may differ by `tolerance`, relative to torch's, or by `rounding`.
        """
        if ours is None or theirs is None:
            missing = "the twin" if ours is None else "torch"
            return cls(name, "", np.nan, np.nan, f"MISSING in {missing}")
        shape = str(theirs.shape)
        if ours.shape != theirs.shape:
            return cls(name, shape, np.nan, np.nan, f"SHAPE is {ours.shape}")
        if ours.dtype != theirs.dtype:
            return cls(name, shape, np.nan, np.nan, f"TYPE is {ours.dtype}, not {theirs.dtype}")
        if not np.array_equal(_special(ours), _special(theirs)):
            return cls(name, shape, np.nan, np.nan, "DIFFERS in where it is nan or infinite")
        absolute, relative = _differences(ours, theirs)
        verdict = "equal, but for rounding" if absolute <= rounding else "DIFFERS"
        return cls(name, shape, absolute, relative, "equal" if relative <= tolerance else verdict)

    @classmethod
    def of_errors(cls, ours: Exception | None, theirs: Exception | None) -> Self:
        """Compare two exceptions; None stands for none."""
        if type(ours) is type(theirs) and str(ours) == str(theirs):
            return cls("error", "", np.nan, np.nan, f"equal: both raise {ours!r}")
        return cls("error", "", np.nan, np.nan, f"DIFFERS: ours {ours!r}, torch {theirs!r}")


class ParityTable:
    """The comparison of two layers on one input; see `normlab.parity.compare`.

    Attributes
    ----------
    title
        What was compared.
    rows
        A `Row` for each array.
    tolerance
        The largest relative difference that counts as equal.
    """

    def __init__(self, title: str, rows: Sequence[Row], tolerance: float) -> None:
        self.title = title
        self.rows = list(rows)
        self.tolerance = tolerance

    @property
    def equal(self) -> bool:
        """Whether everything agrees."""
        return all(row.equal for row in self.rows)

    @property
    def worst(self) -> Row:
        """The row that differs; where none does, the one with the largest relative difference."""
        return max(self.rows, key=lambda row: (not row.equal, np.nan_to_num(row.relative)))

    def _cells(self) -> list[list[str]]:
        header = ["", "shape", "largest difference", "relative", "verdict"]
        return [header] + [
            [row.name, row.shape, _number(row.absolute), _number(row.relative), row.verdict]
            for row in self.rows
        ]

    def __str__(self) -> str:
        return f"{self.title}\n{_as_text(self._cells())}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return _as_html(self.title, self._cells())


class CaseTable:
    """The comparison of several pairs of layers; see `normlab.parity.compare_cases`.

    Attributes
    ----------
    tables
        The `ParityTable` of each case.
    """

    def __init__(self, tables: Mapping[str, ParityTable]) -> None:
        self.tables = dict(tables)

    @property
    def equal(self) -> bool:
        """Whether every case agrees."""
        return all(table.equal for table in self.tables.values())

    def _cells(self) -> list[list[str]]:
        header = ["case", "compared", "differs", "relative", "verdict"]
        cells = [header]
        for label, table in self.tables.items():
            row = table.worst
            # Where all is equal, which array differs most is a matter of rounding.
            name = "" if row.equal else row.name
            relative = _number(row.relative)
            cells.append([label, str(len(table.rows)), name, relative, row.verdict])
        return cells

    def __str__(self) -> str:
        return _as_text(self._cells())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return _as_html(f"{len(self.tables)} cases beside torch.nn", self._cells())


def _differences(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    finite = np.isfinite(theirs)
    if not finite.any():
        return 0.0, 0.0
    ours, theirs = ours[finite].astype(np.float64), theirs[finite].astype(np.float64)
    absolute = np.abs(ours - theirs).max()
    scale = np.abs(theirs).max()
    if absolute == 0:
        return 0.0, 0.0
    return float(absolute), float(absolute / scale) if scale else np.inf


def _special(array: np.ndarray) -> np.ndarray:
    """Return 0 where the array is finite, and otherwise what it is: nan (as 2), or ±1 for ±inf."""
    signs = np.where(np.isinf(array), np.sign(array), 0)
    return np.where(np.isnan(array), 2, signs)


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.1e}"


def _as_text(cells: list[list[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )
    return "\n".join(lines)


def _as_html(title: str, cells: list[list[str]]) -> str:
    header, *rows = ([html.escape(cell) for cell in row] for row in cells)
    head = "".join(f'<th scope="col" style="{_CELL}">{cell}</th>' for cell in header)
    body = "".join(
        "<tr>"
        + f'<th scope="row" style="{_CELL}; font-weight: normal">{row[0]}</th>'
        + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    caption = f'<caption style="text-align: left; padding-bottom: 0.3em">{html.escape(title)}'
    return f"<table>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
