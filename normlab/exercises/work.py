"""Whether an answer does any work: what comes of nothing earns nothing.

What a case expects may follow from the learner's own answer to another, so that one slip is not
held against every step. An argument handed back agrees with itself in the same way, and so does an
answer that is the same whatever is asked: nothing follows from those.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations

import numpy as np

from normlab.exercises.calling import Outcome
from normlab.tasks.case import Case, Outputs

#: Beside a right value, less than this part of its size is what rounding leaves of a 0.
NOISE = 1e-9


class Work:
    """What all answers to a draw of cases, looked at together, are made of.

    The cases and their outcomes come in one order; `references` is what is right, by case.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        outcomes: Sequence[Outcome],
        references: Mapping[str, Outputs],
    ) -> None:
        self._references = references
        pairs = zip(cases, outcomes, strict=True)
        self._made = [(case, one.returned) for case, one in pairs if one.returned is not None]
        self.is_idle = cache(self._is_idle)

    def is_none(self) -> bool:
        """Whether no output has anything in it that was computed."""
        names = {name for _, own in self._made for name in own}
        return all(self.is_idle(name) or self._is_noise(name) for name in names)

    def _is_idle(self, name: str) -> bool:
        """Whether an output is an argument handed back, or the same whatever is asked."""
        handed_through = any(self._is_multiple(name, key) for key in self._made[0][0].arguments)
        return handed_through or self._is_the_same(name) or self._ignores_what_it_is_made_of(name)

    def _is_noise(self, name: str) -> bool:
        """Whether an output is everywhere what rounding leaves of a constant."""
        rights = [self._references[case.name][name] for case, _ in self._made]
        largest = max(rights, key=lambda right: spread(right) if right.size else 0.0)
        several = [own[name] for _, own in self._made if own[name].size > 1]
        return bool(several) and all(is_noise(got, largest) for got in several)

    def _is_multiple(self, name: str, key: str) -> bool:
        """Whether an output is in every case the same multiple of the same argument."""
        factor = None
        for case, own in self._made:
            got, given = own[name], case.arguments[key]
            if max(self._references[case.name][name].size, got.size) < 2:
                continue  # a counter
            if np.shape(given) != got.shape:
                return False
            given = np.asarray(given)
            if given.dtype.kind not in "fiub":
                return False
            given = given.astype(np.float64) if given.dtype.kind == "b" else given  # a mask
            largest = np.abs(given).max(initial=0.0)
            if not largest or not np.isfinite(largest):
                continue
            if factor is None:
                place = np.unravel_index(np.abs(given).argmax(), given.shape)
                factor = got[place] / given[place]
            with np.errstate(all="ignore"):
                apart = np.abs(got - factor * given).max()
            digits = np.finfo(got.dtype).eps if got.dtype.kind == "f" else NOISE
            if not apart <= max(4 * digits, NOISE) * largest * abs(factor):
                return False
        return factor is not None

    def _is_the_same(self, name: str) -> bool:
        """Whether an output never begins otherwise than in another case, where it should."""
        whole = False
        for one, other, alike in self._pairs(name):
            if whole and alike:
                continue
            if count := self._numbers_that_should_differ(name, one, other):
                if not alike:
                    return False
                sizes = [np.size(one.arguments[key]) for key in changed(one, other)]
                whole = max(sizes, default=0) >= count
        return whole

    def _ignores_what_it_is_made_of(self, name: str) -> bool:
        """Whether no output changes with an argument that is of an output's shape."""
        (case, own), *_ = self._made
        if len(own) > 1:
            return False
        of_its_shape = [key for key in case.arguments if self._is_of_its_shape(key, name)]
        if not of_its_shape:
            return False
        found: dict[str, bool] = {}
        for one, other, alike in self._pairs(name):
            if not alike and not all(found.get(key, True) for key in of_its_shape):
                continue
            differing = changed(one, other)
            alone = len(differing) == 1 and differing[0] in of_its_shape
            if alone and self._numbers_that_should_differ(name, one, other):
                found[differing[0]] = found.get(differing[0], True) and alike
        return any(found.values())

    def _pairs(self, name: str) -> Iterator[tuple[Case, Case, bool]]:
        """Yield every two cases, and whether an output begins alike in both."""
        written = [(case, own[name].tobytes()) for case, own in self._made]
        for (one, text), (other, its_text) in combinations(written, 2):
            yield one, other, text.startswith(its_text) or its_text.startswith(text)

    def _numbers_that_should_differ(self, name: str, one: Case, other: Case) -> int:
        """Return how many numbers two right answers have both, or 0 where these are the same."""
        right, its_right = (self._references[case.name][name] for case in (one, other))
        count = min(right.size, its_right.size)
        if count < 2:
            return 0
        apart = np.abs(right.flat[:count] - its_right.flat[:count]).max()
        return count if apart > NOISE * np.abs(right).max() else 0

    def _is_of_its_shape(self, key: str, name: str) -> bool:
        return all(
            np.ndim(case.arguments[key]) > 1
            and np.shape(case.arguments[key]) == self._references[case.name][name].shape
            and own[name].size
            and spread(own[name]) > 0
            for case, own in self._made
        )


def is_noise(got: np.ndarray, right: np.ndarray) -> bool:
    """Whether numbers differ so little from each other that it is rounding, or not at all.

    A single number, such as a counter, is the same all over, and says nothing.
    """
    return min(got.size, right.size) > 1 and bool(spread(got) <= NOISE * spread(right))


def spread(values: np.ndarray) -> float:
    """Return the largest less the smallest; not a number where something is infinite."""
    with np.errstate(all="ignore"):
        return float(np.ptp(values))


def changed(one: Case, other: Case) -> list[str]:
    """Name the arguments that differ between two cases."""
    return [
        key
        for key, value in one.arguments.items()
        if not np.array_equal(np.asarray(value), np.asarray(other.arguments[key]))
    ]
