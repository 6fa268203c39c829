"""Say of wrong numbers what can be seen without knowing the task.

A catalogue of mistakes knows one task. That the numbers are the right ones with an axis too many,
in another order, rounded, or right but for one channel, can be said in every task.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, combinations, permutations
from typing import NamedTuple

import numpy as np

from normlab.exercises.calling import Outcome
from normlab.exercises.judgement import AspectResult, differs, same
from normlab.tasks.case import Arguments, Case, Outputs

# Beside the largest number: what two ways to compute the same may differ by.
_CLOSE = 1e-6

_ONES = "What you give back has an axis of size 1 too many, or one too few."

# ---- the whole answer in another form


class Form(NamedTuple):
    """What is to be said of the form of an answer, and the answer in the form that is asked."""

    said: str
    outcomes: list[Outcome]


def other_forms(
    cases: Sequence[Case], outcomes: Sequence[Outcome], right: Mapping[str, Outputs]
) -> Iterator[Form]:
    """Yield the answer in the form that is asked, where it has another and all cases can be so."""
    names = tuple(right[cases[0].name])
    changes: list[tuple[str, Callable[[Outputs, Outputs], Outputs | None]]] = [
        (f"{_ONES} Which of your sums or means kept it, or should keep it?", _without_ones),
        ("Rows and columns are exchanged in what you give back.", _transposed),
    ]
    for order in permutations(names):
        if order != names:
            said = f"You give back, in this order: {', '.join(order)}. Asked for: "
            changes.append((f"{said}{', '.join(names)}.", partial(_in_order, order)))
    for said, change in changes:
        formed = [
            outcome if outcome.returned is None else _formed(change, outcome, right[case.name])
            for case, outcome in zip(cases, outcomes, strict=True)
        ]
        whole = [one for one in formed if one is not None]
        if len(whole) == len(outcomes) and any(one.returned is not None for one in whole):
            yield Form(said, whole)


def _formed(change: Callable, outcome: Outcome, right: Outputs) -> Outcome | None:
    changed = change(outcome.returned, right)
    if changed is None:
        return None
    fits = all(changed[name].shape == value.shape for name, value in right.items())
    return replace(outcome, returned=changed) if fits else None


def _without_ones(own: Outputs, right: Outputs) -> Outputs | None:
    """Return the numbers in the shapes that are asked, if only axes of size 1 are at odds."""
    if any(own[name].squeeze().shape != value.squeeze().shape for name, value in right.items()):
        return None
    return {name: own[name].reshape(value.shape) for name, value in right.items()}


def _transposed(own: Outputs, right: Outputs) -> Outputs | None:
    two = [name for name, value in right.items() if value.ndim == 2]
    if not two or any(own[name].ndim != 2 for name in two):
        return None
    return {name: own[name].T if name in two else own[name] for name in right}


def _in_order(order: tuple[str, ...], own: Outputs, right: Outputs) -> Outputs:
    return {name: own[place] for name, place in zip(order, right, strict=True)}


# ---- which cases are right


def where_right(results: Sequence[AspectResult]) -> str:
    """Say that the answer is right for arrays of some number of axes, and wrong for others."""
    found: dict[int, set[bool]] = {}
    for result in results:
        for one in result.case_results:
            if one.expected:
                axes = max(np.ndim(value) for value in one.case.arguments.values())
                found.setdefault(axes, set()).add(not one.problem)
    right = [axes for axes, all_of in found.items() if all_of == {True} and axes]
    wrong = [axes for axes, all_of in found.items() if all_of == {False}]
    if not right or len(right) + len(wrong) < len(found):
        return ""
    of_right, of_wrong = (" or ".join(map(str, sorted(some))) for some in (right, wrong))
    return f"Right for arrays of {of_right} axes, wrong for those of {of_wrong}."


def what_came_back(
    cases: Sequence[Case], outcomes: Sequence[Outcome], right: Mapping[str, Outputs]
) -> str:
    """Say of wrong outputs that they are 0, an argument, or one number, in every case."""
    made = [
        (case, outcome.returned, right[case.name])
        for case, outcome in zip(cases, outcomes, strict=True)
        if outcome.returned is not None
    ]
    said = [_every_time(name, made) for name in right[cases[0].name]] if made else []
    return " ".join(dict.fromkeys(filter(None, said)))


def _every_time(name: str, made: Sequence[tuple[Case, Outputs, Outputs]]) -> str:
    if all(right[name].size < 2 or same(own, right, _CLOSE, (name,)) for _, own, right in made):
        return ""
    if all(own[name].size and not own[name].any() for _, own, _ in made):
        return f"Every number of {name} is 0."
    for key in made[0][0].arguments:
        if all(np.array_equal(own[name], case.arguments[key]) for case, own, _ in made):
            return f"What came back as {name} is {key}, as it was given."
    if all(own[name].ndim == 0 for _, own, _ in made):
        return f"{name} is one number for everything: has a sum or mean no axis?"
    return ""


# ---- what the wrong numbers have in common


@np.errstate(all="ignore")  # what came back may be of any size
def describe_pattern(got: np.ndarray, expected: np.ndarray, arguments: Arguments) -> str:
    """Say what the wrong numbers have in common, where they have something."""
    for key, value in arguments.items():
        if np.array_equal(got, value):
            return f"What came back is {key}, as it was given."
    if got.dtype.kind in "iu" and got.size > 1 and np.mod(expected, 1).any():
        return f"Your numbers are whole ({got.dtype}): what came after the point is cut off."
    if got.size and not got.any():
        return "All your numbers are 0."
    if got.shape != expected.shape or not np.isfinite(got).all() or expected.size < 2:
        return ""
    return (
        _rounded(got, expected)
        or _rows_and_columns(got, expected)
        or _everywhere(got, expected, arguments)
        or _but_for_one_place(got, expected)
        or _by_place(got, expected)
    )


def _same(got: np.ndarray, expected: np.ndarray) -> bool:
    return not differs(got, expected, _CLOSE).any()


def _rounded(got: np.ndarray, expected: np.ndarray) -> str:
    for digits in range(9):
        for cut, how in ((np.round, "rounded to"), (_cut, "cut off after")):
            if np.array_equal(got, cut(expected, digits)) and np.ptp(got) > 0:
                return f"Your numbers are the expected ones, {how} {digits} digits after the point."
    return ""


def _cut(values: np.ndarray, digits: int) -> np.ndarray:
    return np.trunc(values * 10.0**digits) / 10.0**digits


def _rows_and_columns(got: np.ndarray, expected: np.ndarray) -> str:
    square = got.ndim == 2 and got.shape[0] == got.shape[1]
    if square and _same(got.T, expected):
        return "Your numbers are the expected ones, with rows and columns exchanged."
    return ""


def _everywhere(got: np.ndarray, expected: np.ndarray, arguments: Arguments) -> str:
    """Name the factor or the shift that all numbers share."""
    said = ""
    if (factor := _common(got, expected, np.divide)) is not None:
        said = f"times {factor:.6g}{_known_factor(factor, _counts(arguments))}"
    elif (shift := _common(got, expected, np.subtract)) is not None:
        said = f"plus {shift:.6g}"
    return f"Your numbers are the expected ones {said}, everywhere." if said else ""


def _common(got: np.ndarray, expected: np.ndarray, relation: np.ufunc) -> float | None:
    """Return the quotient or difference that all entries share, if they do."""
    some = expected != 0 if relation is np.divide else np.ones(expected.shape, bool)
    if some.sum() < 2 or (got[~some] != 0).any():
        return None
    with np.errstate(all="ignore"):
        related = relation(got[some].astype(np.float64), expected[some])
    if not np.ptp(related) <= _CLOSE * np.abs(related).max():
        return None
    return float(related[0])


def _counts(arguments: Arguments) -> list[int]:
    """Return what a mean may have been taken over: the sizes of axes, and of several together."""
    shapes = [np.shape(value) for value in arguments.values() if np.ndim(value)]
    axes = {some for shape in shapes for k in range(1, 5) for some in combinations(shape, k)}
    return sorted({math.prod(some) for some in axes} - {1})


def _known_factor(factor: float, counts: Sequence[int]) -> str:
    """Say where a factor comes from, if it is made of how many numbers there are."""
    made: dict[str, float] = {}
    for n in counts:
        made |= {f"1/{n}": 1 / n, f"1/sqrt({n})": n**-0.5, f"sqrt({n})": n**0.5}
        made |= {f"so many are there, {n}": n}
    around = [pair for n in counts for pair in ((n - 1, n), (n, n - 1))]
    for n, m in (*around, *permutations(counts, 2)):
        made |= {f"{n}/{m}": n / m, f"sqrt({n}/{m})": math.sqrt(n / m)}
    for name, value in made.items():
        if math.isclose(abs(factor), value, rel_tol=1e-5):
            return f" ({name})"
    return ""


def _but_for_one_place(got: np.ndarray, expected: np.ndarray) -> str:
    wrong = differs(got, expected, _CLOSE)
    for axis in range(got.ndim):
        others = tuple(other for other in range(got.ndim) if other != axis)
        places = np.flatnonzero(wrong.any(others))
        size = got.shape[axis]
        if size > 1 and len(places) == 1:
            place = int(places[0])
            end = {0: ", the first", size - 1: ", the last"}.get(place, "")
            what = "" if np.take(got, place, axis).any() else ", and there it is 0"
            return f"Right but for index {place} of axis {axis}{end}{what}."
        kept = np.flatnonzero(~wrong.any(others))
        empty = ~np.moveaxis(got, axis, 0)[1:].any()
        if size > 1 and empty and got.any() and (0 in kept or (len(kept) == 0 and size > 2)):
            return (
                f"Only index 0 of axis {axis} has been filled; all others are 0. "
                "Does a loop end after its first round: is `return` inside it?"
            )
    return ""


def _by_place(got: np.ndarray, expected: np.ndarray) -> str:
    """Say that the numbers are off by a factor, or a shift, that is the same along some axes."""
    axes = range(got.ndim)
    for along in chain.from_iterable(combinations(axes, k) for k in range(1, got.ndim)):
        across = tuple(axis for axis in axes if axis not in along)
        if math.prod(got.shape[axis] for axis in across) < 3:
            continue
        where = " and ".join(f"axis {axis}" for axis in along)
        each = f"a number of its own for each place along {where}"
        mean, own = expected.mean(across, keepdims=True), got.mean(across, keepdims=True)
        if _same(got - own, expected - mean):
            return f"Your numbers are the expected ones plus {each}: the spread is right there."
        size = (expected**2).sum(across, keepdims=True)
        with np.errstate(all="ignore"):
            factor = (got * expected).sum(across, keepdims=True) / size
        if np.isfinite(factor).all() and _same(got, factor * expected):
            return f"Your numbers are the expected ones times {each}."
    return ""


# ---- shapes


def describe_shapes(name: str, got: tuple[int, ...], expected: tuple[int, ...]) -> str:
    """Say in which axis two shapes differ."""
    said = f"{name} should have the shape {expected}; yours is {got}"
    if len(got) > 1 and got != expected and sorted(got) == sorted(expected):
        return f"{said}: the axes are in another order."
    if len(got) == len(expected):
        axis = next(axis for axis, size in enumerate(got) if size != expected[axis])
        return f"{said}: axis {axis} has {got[axis]} where {expected[axis]} is asked."
    number = f"{len(got)} {'axis' if len(got) == 1 else 'axes'}"
    verb = "is" if len(expected) == 1 else "are"
    said = f"{said}: {number} where {len(expected)} {verb} asked."
    return said if got else f"{said} One number for everything: has a sum or mean no axis?"
