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
            return cls._of_text(name, "", f"MISSING in {'the twin' if ours is None else 'torch'}")
        shape = str(theirs.shape)
        if ours.shape != theirs.shape:
            return cls._of_text(name, shape, f"SHAPE is {ours.shape}")
        if ours.dtype != theirs.dtype:
            return cls._of_text(name, shape, f"TYPE is {ours.dtype}, not {theirs.dtype}")
        if not np.array_equal(_special(ours), _special(theirs)):
            return cls._of_text(name, shape, "DIFFERS in where it is nan or infinite")
        absolute, relative = _differences(ours, theirs)
        verdict = "equal, but for rounding" if absolute <= rounding else "DIFFERS"
        return cls(name, shape, absolute, relative, "equal" if relative <= tolerance else verdict)

    @classmethod
    def of_errors(cls, ours: Exception | None, theirs: Exception | None) -> Self:
        """Compare two exceptions; None stands for none."""
        if type(ours) is type(theirs) and str(ours) == str(theirs):
            return cls._of_text("error", "", f"equal: both raise {ours!r}")
        return cls._of_text("error", "", f"DIFFERS: ours {ours!r}, torch {theirs!r}")

    @classmethod
    def _of_text(cls, name: str, shape: str, verdict: str) -> Self:
        return cls(name, shape, np.nan, np.nan, verdict)


class _Table:
    """A table that shows itself in a notebook, and as text."""

    title = ""
    _headed = True  # whether the title stands above the text, too

    def _cells(self) -> list[list[str]]:
        raise NotImplementedError

    def __repr__(self) -> str:
        cells = self._cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ]
        return "\n".join([self.title, *lines] if self._headed else lines)

    def _repr_html_(self) -> str:
        header, *rows = ([html.escape(cell) for cell in row] for row in self._cells())
        head = "".join(f'<th scope="col" style="{_CELL}">{cell}</th>' for cell in header)
        body = "".join(
            f'<tr><th scope="row" style="{_CELL}; font-weight: normal">{name}</th>'
            + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells)
            + "</tr>"
            for name, *cells in rows
        )
        style = "text-align: left; padding-bottom: 0.3em"
        caption = f'<caption style="{style}">{html.escape(self.title)}</caption>'
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


class ParityTable(_Table):
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


class CaseTable(_Table):
    """The comparison of several pairs of layers; see `normlab.parity.compare_cases`.

    Attributes
    ----------
    tables
        The `ParityTable` of each case.
    """

    _headed = False

    def __init__(self, tables: Mapping[str, ParityTable]) -> None:
        self.tables = dict(tables)
        self.title = f"{len(self.tables)} cases beside torch.nn"

    @property
    def equal(self) -> bool:
        """Whether every case agrees."""
        return all(table.equal for table in self.tables.values())

    def _cells(self) -> list[list[str]]:
        cells = [["case", "compared", "differs", "relative", "verdict"]]
        for label, table in self.tables.items():
            row = table.worst
            # Where all is equal, which array differs most is a matter of rounding.
            name = "" if row.equal else row.name
            relative = _number(row.relative)
            cells.append([label, str(len(table.rows)), name, relative, row.verdict])
        return cells


def _differences(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    finite = np.isfinite(theirs)
    ours, theirs = ours[finite].astype(np.float64), theirs[finite].astype(np.float64)
    absolute = float(np.abs(ours - theirs).max(initial=0))
    scale = float(np.abs(theirs).max(initial=0))
    return absolute, absolute / scale if scale else np.inf if absolute else 0.0


def _special(array: np.ndarray) -> np.ndarray:
    """Return 0 where the array is finite, and otherwise what it is: nan (as 2), or ±1 for ±inf."""
    signs = np.where(np.isinf(array), np.sign(array), 0)
    return np.where(np.isnan(array), 2, signs)


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.1e}"
