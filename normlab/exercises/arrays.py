"""Set arrays as a person reads them: what is expected beside what came back, and what was given."""

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

import numpy as np

_MOST_NUMBERS = 40  # an array with more is shown by its corners
_EDGE = 2  # so many numbers of each axis at each of its ends
_DIGITS = (4, 6, 8, 10, 12, 15)


def expected_and_got(name: str, expected: np.ndarray, got: np.ndarray) -> tuple[str, str]:
    """Write two arrays with as many digits as it takes to see where they differ.

    Where that is in the middle of large ones, only the numbers around it.
    """
    for digits in _DIGITS:
        right, wrong = _text(expected, digits), _text(got, digits)
        if right != wrong:
            break
    if (
        right == wrong
        and expected.shape == got.shape
        and max(expected.shape, default=0) > 2 * _EDGE
    ):
        around = _around_the_difference(expected, got)
        where = ", ".join(f"{one.start}:{one.stop}" for one in around)
        return expected_and_got(f"{name}[{where}]", expected[around], got[around])
    return f"expected {name} =\n{right}", f"got {name} =\n{wrong}"


def _around_the_difference(expected: np.ndarray, got: np.ndarray) -> tuple[slice, ...]:
    """Return the places beside the largest difference, along each axis."""
    with np.errstate(invalid="ignore"):
        gap = np.abs(np.asarray(got, np.float64) - expected)
    gap[np.isnan(gap) & (np.isnan(got) != np.isnan(expected))] = np.inf
    largest = np.unravel_index(np.nan_to_num(gap, posinf=np.inf).argmax(), gap.shape)
    sizes = zip(largest, gap.shape, strict=True)
    return tuple(slice(max(0, int(i) - 1), min(int(i) + 2, size)) for i, size in sizes)


def cut(texts: tuple[str, str], rows: int) -> list[str]:
    """Leave so many rows of two texts: the first ones, or those where they begin to differ."""
    lines = [text.split("\n") for text in texts]
    where = next((i for i, (a, b) in enumerate(zip_longest(*lines)) if i and a != b), 1)
    return [_window(one, where, rows) for one in lines]


def _window(lines: list[str], where: int, rows: int) -> str:
    if len(lines) <= rows:
        return "\n".join(lines)
    first = 1 if where < rows - 1 else where
    shown = lines[first : first + rows - 2 - (first > 1)]
    before = [" ..."] if first > 1 else []
    after = [" ..."] if first + len(shown) < len(lines) else []
    return "\n".join([lines[0], *before, *shown, *after])


def two_numbers(right: float, wrong: float) -> tuple[str, str]:
    """Write two numbers with as many digits as it takes to see that they differ."""
    for digits in (6, 9, 12, 17):
        said = f"{right:.{digits}g}", f"{wrong:.{digits}g}"
        if said[0] != said[1]:
            break
    return said


def given(arguments: Mapping[str, Any], rows: int) -> str:
    """Write the arguments of a case in at most so many rows.

    The short ones come whole. Of those for which there is no room the shapes share a row.
    """
    written = {name: _labelled(name, value) for name, value in arguments.items()}
    room = rows
    kept: set[str] = set()
    for name, text in sorted(written.items(), key=lambda pair: pair[1].count("\n")):
        last = len(kept) == len(written) - 1
        room -= text.count("\n") + 1
        if room >= (0 if last else 1):
            kept.add(name)
    others = [
        f"{name} of shape {value.shape}" if isinstance(value, np.ndarray) else written[name]
        for name, value in arguments.items()
        if name not in kept
    ]
    shown = [text for name, text in written.items() if name in kept]
    return "\n".join([*shown, ", ".join(others)] if others else shown)


def _labelled(name: str, value: Any) -> str:  # noqa: ANN401 - an argument of any kind
    """Write "name = value", an array below its name where it needs more than a line."""
    if not isinstance(value, np.ndarray):
        return f"{name} = {value}"
    text = _text(value, 4)
    return f"{name} =\n{text}" if "\n" in text else f"{name} = {text}"


def _text(value: np.ndarray, digits: int) -> str:
    text = np.array2string(
        value.astype(np.float64),
        max_line_width=60,
        precision=digits,
        threshold=_MOST_NUMBERS,
        edgeitems=_EDGE,
        suppress_small=False,
        floatmode="maxprec",
        sign="-",
        formatter=None,
    )
    return "\n".join(row for row in text.split("\n") if row)  # no empty rows between blocks
